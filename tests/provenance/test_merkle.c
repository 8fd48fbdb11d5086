/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include <colophon/provenance/merkle.h>
#include <colophon/provenance/proof.h>

static cph_arena arena;
static const cph_json *vectors; /* merkle_vectors.json, or NULL */

static int read_vectors(void **state)
{
    (void)state;
    const char *path = testing_shared("rights/merkle_vectors.json");
    cph_json *v;
    cph_arena_init(&arena, 0);
    if (!path) return 0;
    must(cph_json_read(&v, &arena, path, 0, err));
    vectors = v;
    return 0;
}

static int release(void **state)
{
    (void)state;
    cph_arena_release(&arena);
    return 0;
}

static cph_digest digest(const cph_json *v)
{
    cph_str s;
    cph_digest d;
    assert_true(cph_json_str(v, &s));
    assert_true(cph_digest_parse(s, &d));
    return d;
}

static size_t bytes(const cph_json *v, uint8_t *out, size_t max)
{
    cph_str s;
    assert_true(cph_json_str(v, &s) && s.n / 2 <= max);
    for (size_t i = 0; i < s.n / 2; i++) {
        unsigned b;
        assert_int_equal(sscanf(s.p + 2 * i, "%2x", &b), 1);
        out[i] = (uint8_t)b;
    }
    return s.n / 2;
}

static size_t path_of(const cph_json *v, cph_digest out[64])
{
    size_t n = 0;
    for (const cph_json *p = cph_json_get(v, "path")->first; p; p = p->next) out[n++] = digest(p);
    return n;
}

static uint64_t number(const cph_json *v, const char *key)
{
    uint64_t n = 0;
    assert_true(cph_json_u64(cph_json_get(v, key), &n));
    return n;
}

static void assert_digest(cph_digest a, cph_digest b)
{
    char x[CPH_HEX_DIGEST], y[CPH_HEX_DIGEST];
    cph_digest_hex(&a, x);
    cph_digest_hex(&b, y);
    assert_string_equal(x, y);
}

static void roots_of_the_anchor_inputs_are_those_of_rfc_6962(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        size_t n;
    } in[8] = {{"", 0},
               {"\x00", 1},
               {"\x10", 1},
               {"\x20\x21", 2},
               {"\x30\x31", 2},
               {"\x40\x41\x42\x43", 4},
               {"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
               {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16}};
    static const char *const roots[9] = {"e3b0c442", "6e340b9c", "fac54203", "aeb6bcfe", "d37ee418",
                                         "4e3bbb1f", "76e67dad", "ddb89be4", "5dc9da79"};
    cph_merkle m;
    cph_merkle_init(&m);
    for (size_t i = 0;; i++) {
        char hex[CPH_HEX_DIGEST];
        cph_digest root = cph_merkle_root(&m);
        cph_digest_hex(&root, hex);
        hex[8] = 0;
        assert_string_equal(hex, roots[i]);
        if (i == 8) break;
        cph_merkle_add(&m, in[i].p, in[i].n);
    }
}

static void the_event_log_vectors_agree(void **state)
{
    (void)state;
    if (!vectors) skip();
    const cph_json *log = cph_json_get(vectors, "log_anchor");
    cph_digest leaves[8], path[64], ours[64];
    size_t n = 0;
    for (const cph_json *v = cph_json_get(log, "inputs_hex")->first; v; v = v->next) {
        uint8_t b[64];
        size_t len = bytes(v, b, sizeof b);
        leaves[n++] = cph_merkle_leaf(b, len);
    }
    for (const cph_json *v = cph_json_get(log, "inclusion")->first; v; v = v->next) {
        uint64_t i = number(v, "index"), size = number(v, "size");
        cph_digest root = digest(cph_json_at(cph_json_get(log, "roots"), (uint32_t)size));
        size_t len = path_of(v, path);
        assert_int_equal(cph_merkle_path(leaves, size, i, ours), len);
        assert_memory_equal(ours, path, len * sizeof *path);
        assert_true(cph_merkle_verify(i, size, &leaves[i], path, len, &root));
    }
    for (const cph_json *v = cph_json_get(log, "consistency")->first; v; v = v->next) {
        uint64_t a = number(v, "first"), b = number(v, "second");
        cph_digest ra = digest(cph_json_get(v, "first_root")), rb = digest(cph_json_get(v, "second_root"));
        size_t len = path_of(v, path);
        assert_int_equal(cph_merkle_consistency(leaves, a, b, ours), len);
        assert_memory_equal(ours, path, len * sizeof *path);
        assert_true(cph_merkle_verify_consistency(a, b, path, len, &ra, &rb));
        assert_false(cph_merkle_verify_consistency(a, b, path, len, &rb, &ra) && a != b);
    }
}

static void every_path_and_consistency_of_small_trees_holds_and_no_altered_one_does(void **state)
{
    (void)state;
    cph_digest leaves[70], path[64], roots[71];
    cph_merkle m;
    cph_merkle_init(&m);
    roots[0] = cph_merkle_root(&m);
    for (unsigned i = 0; i < 70; i++) {
        leaves[i] = cph_merkle_leaf(&i, sizeof i);
        cph_merkle_add_leaf(&m, &leaves[i]);
        roots[i + 1] = cph_merkle_root(&m);
    }
    for (uint64_t n = 1; n <= 70; n++) {
        for (uint64_t i = 0; i < n; i++) {
            size_t len = cph_merkle_path(leaves, n, i, path);
            assert_true(cph_merkle_verify(i, n, &leaves[i], path, len, &roots[n]));
            assert_false(cph_merkle_verify(i + 1, n, &leaves[i], path, len, &roots[n]));
            assert_false(cph_merkle_verify(i, n, &leaves[i], path, len, &roots[n - 1]));
            if (len) assert_false(cph_merkle_verify(i, n, &leaves[i], path, len - 1, &roots[n]));
            for (size_t k = 0; k < len; k++) {
                path[k].b[k % 32] ^= 1;
                assert_false(cph_merkle_verify(i, n, &leaves[i], path, len, &roots[n]));
                path[k].b[k % 32] ^= 1;
            }
        }
        for (uint64_t k = 0; k <= n; k++) {
            size_t len = cph_merkle_consistency(leaves, k, n, path);
            assert_true(cph_merkle_verify_consistency(k, n, path, len, &roots[k], &roots[n]));
            if (k && k < n) {
                path[0].b[3] ^= 4;
                assert_false(cph_merkle_verify_consistency(k, n, path, len, &roots[k], &roots[n]));
            }
            assert_false(cph_merkle_verify_consistency(n + 1, n, path, len, &roots[k], &roots[n]));
        }
    }
}

/* The leaves by their rule, in an order that the tree has to mend. */
static void generate(cph_set_tree *t, const cph_json *v)
{
    const cph_json *shared = cph_json_get(v, "shared_works");
    for (unsigned i = 0; i < number(v, "size"); i++) {
        char z[64], key[16];
        uint64_t w = i;
        snprintf(key, sizeof key, "%u", i);
        if (shared && shared->type == CPH_JSON_OBJECT) (void)cph_json_u64(cph_json_get(shared, key), &w);
        cph_set_leaf l = {.tokens = 1000 + 7 * (uint64_t)i,
                          .first_step = 10 * (uint64_t)i,
                          .last_step = 10 * (uint64_t)i + 9};
        snprintf(z, sizeof z, "urn:x-test:work:%06u", (unsigned)w);
        l.wkey = cph_work_key(cph_str_of(z));
        snprintf(z, sizeof z, "urn:x-test:doc:%06u", i);
        l.dkey = cph_doc_key(cph_str_of(z));
        snprintf(z, sizeof z, "text-%06u", i);
        l.text = cph_sha256_of(z, strlen(z));
        snprintf(z, sizeof z, "decision-%06u", i);
        l.decision = cph_sha256_of(z, strlen(z));
        must(cph_set_tree_add(t, &l, err));
    }
}

static void compare_leaf(const cph_proof_leaf *ours, const cph_json *v)
{
    uint8_t b[CPH_SET_LEAF];
    cph_digest path[64];
    if (!v || v->type == CPH_JSON_NULL) {
        assert_true(ours == NULL);
        return;
    }
    assert_non_null(ours);
    assert_int_equal(ours->index, number(v, "index"));
    bytes(cph_json_get(v, "leaf"), b, sizeof b);
    assert_memory_equal(ours->leaf, b, sizeof b);
    assert_int_equal(ours->n_path, path_of(v, path));
    assert_memory_equal(ours->path, path, ours->n_path * sizeof *path);
}

static void the_set_tree_vectors_agree_in_every_byte(void **state)
{
    (void)state;
    if (!vectors) skip();
    size_t seen = 0;
    for (const cph_json *v = cph_json_get(vectors, "set_trees")->first; v; v = v->next, seen++) {
        cph_set_tree *t;
        must(cph_set_tree_new(&t, err));
        generate(t, v);
        must(cph_set_tree_finish(t, err));
        assert_int_equal(cph_set_tree_n(t), number(v, "size"));
        assert_digest(cph_set_tree_root(t), digest(cph_json_get(v, "root")));
        const cph_json *leaves = cph_json_get(v, "leaves");
        for (const cph_json *l = leaves ? leaves->first : NULL; l; l = l->next) {
            uint8_t b[CPH_SET_LEAF], mine[CPH_SET_LEAF];
            bytes(cph_json_get(l, "leaf"), b, sizeof b);
            cph_set_leaf_bytes(cph_set_tree_at(t, number(l, "index")), mine);
            assert_memory_equal(mine, b, sizeof b);
        }
        for (const cph_json *x = cph_json_get(v, "exclusion")->first; x; x = x->next) {
            cph_proof p;
            must(cph_prove_absent(&p, t, cph_json_get_str(x, "target_urn"), &arena, err));
            assert_true(cph_str_is(cph_json_get_str(x, "kind"), cph_proof_text(p.kind)));
            assert_digest(p.target_wkey, digest(cph_json_get(x, "target_wkey")));
            compare_leaf(p.left, cph_json_get(x, "left"));
            compare_leaf(p.right, cph_json_get(x, "right"));
            must(cph_proof_check(&p, err));
        }
        cph_set_tree_close(t);
    }
    assert_int_equal(seen, 7);
}

static cph_status inclusion_holds(const cph_json *v, cph_digest root, uint64_t size)
{
    uint8_t b[CPH_SET_LEAF];
    cph_digest path[64];
    cph_set_leaf leaf;
    size_t n = bytes(cph_json_get(v, "leaf"), b, sizeof b), len = path_of(v, path);
    cph_digest hash = cph_merkle_leaf(b, n);
    if (!cph_set_leaf_parse(b, n, &leaf)) return CPH_NO;
    return cph_merkle_verify(number(v, "index"), size, &hash, path, len, &root) ? CPH_OK : CPH_NO;
}

static void the_inclusion_vectors_hold_and_those_that_must_fail_do(void **state)
{
    (void)state;
    if (!vectors) skip();
    size_t held = 0, failed = 0;
    for (const cph_json *v = cph_json_get(vectors, "set_trees")->first; v; v = v->next)
        for (const cph_json *x = cph_json_get(v, "inclusion")->first; x; x = x->next, held++)
            assert_int_equal(inclusion_holds(x, digest(cph_json_get(v, "root")), number(v, "size")),
                             CPH_OK);
    for (const cph_json *x = cph_json_get(vectors, "must_fail_inclusion")->first; x; x = x->next, failed++)
        assert_int_equal(inclusion_holds(x, digest(cph_json_get(x, "root")), number(x, "size")), CPH_NO);
    assert_true(held > 10);
    assert_int_equal(failed, 9);
}

static void neighbour_of(cph_proof_leaf **out, const cph_json *v)
{
    void *mem;
    *out = NULL;
    if (!v || v->type == CPH_JSON_NULL) return;
    must(cph_arena_alloc0(&arena, &mem, 1, sizeof(cph_proof_leaf), err));
    *out = mem;
    (*out)->index = number(v, "index");
    bytes(cph_json_get(v, "leaf"), (*out)->leaf, CPH_SET_LEAF);
    (*out)->n_path = path_of(v, (*out)->path);
}

static void exclusions_that_must_fail_do(void **state)
{
    (void)state;
    if (!vectors) skip();
    size_t failed = 0;
    for (const cph_json *x = cph_json_get(vectors, "must_fail_exclusion")->first; x;
         x = x->next, failed++) {
        cph_proof p = {.size = number(x, "size"),
                       .root = digest(cph_json_get(x, "root")),
                       .target_wkey = digest(cph_json_get(x, "target_wkey"))};
        neighbour_of(&p.left, cph_json_get(x, "left"));
        neighbour_of(&p.right, cph_json_get(x, "right"));
        /* Whatever kind a forger claims, none may hold. */
        for (int k = 0; k < CPH_N_PROOFS; k++) {
            p.kind = (cph_proof_kind)k;
            assert_int_equal(cph_proof_check(&p, NULL), CPH_NO);
        }
    }
    assert_int_equal(failed, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_of_the_anchor_inputs_are_those_of_rfc_6962),
        cmocka_unit_test(the_event_log_vectors_agree),
        cmocka_unit_test(every_path_and_consistency_of_small_trees_holds_and_no_altered_one_does),
        cmocka_unit_test(the_set_tree_vectors_agree_in_every_byte),
        cmocka_unit_test(the_inclusion_vectors_hold_and_those_that_must_fail_do),
        cmocka_unit_test(exclusions_that_must_fail_do),
    };
    return cmocka_run_group_tests(tests, read_vectors, release);
}
