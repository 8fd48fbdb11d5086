/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include <colophon/provenance/proof.h>

static cph_arena arena;

static cph_set_leaf leaf_of(unsigned work, unsigned document)
{
    char z[64];
    cph_set_leaf l = {.tokens = document, .first_step = 1, .last_step = 2};
    snprintf(z, sizeof z, "urn:x:work:%u", work);
    l.wkey = cph_work_key(cph_str_of(z));
    snprintf(z, sizeof z, "doc:%u", document);
    l.dkey = cph_doc_key(cph_str_of(z));
    return l;
}

/* n works; work k has k % 4 + 1 documents; document 0 belongs to works 0 and 1. */
static cph_set_tree *tree(unsigned n)
{
    cph_set_tree *t;
    unsigned doc = 0;
    must(cph_set_tree_new(&t, err));
    for (unsigned w = 0; w < n; w++)
        for (unsigned k = 0; k <= w % 4; k++) {
            cph_set_leaf l = leaf_of(w, w == 1 && k == 0 ? 0 : doc++);
            must(cph_set_tree_add(t, &l, err));
        }
    must(cph_set_tree_finish(t, err));
    return t;
}

/* Through JSON text and back: what a verifier has. */
static cph_proof carried(const cph_proof *p)
{
    cph_json *v, *back;
    cph_buf b;
    cph_str text;
    cph_proof q;
    cph_buf_init(&b, 1 << 24);
    must(cph_proof_json(&v, &arena, p, err));
    must(cph_json_write(&b, v, 2, err));
    must(cph_arena_str(&arena, &text, cph_buf_view(&b), err));
    must(cph_json_parse(&back, &arena, text, "proof", NULL, err));
    must(cph_proof_parse(&q, &arena, back, err));
    cph_buf_release(&b);
    return q;
}

static void works_and_documents_are_shown_to_be_in(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 20; n++) {
        cph_set_tree *t = tree(n);
        for (unsigned w = 0; w < n; w++) {
            char urn[64];
            cph_proof p;
            snprintf(urn, sizeof urn, "urn:x:work:%u", w);
            must(cph_prove_work(&p, t, cph_str_of(urn), &arena, err));
            assert_int_equal(p.n_leaves, w % 4 + 1);
            must(cph_proof_check(&p, err));
            p = carried(&p);
            must(cph_proof_check(&p, err));
            assert_int_equal(cph_prove_absent(&p, t, cph_str_of(urn), &arena, NULL), CPH_NO);
        }
        cph_set_tree_close(t);
    }
    cph_set_tree *t = tree(5);
    cph_proof p;
    must(cph_prove_document(&p, t, CPH_STR("doc:0"), &arena, err));
    assert_int_equal(p.n_leaves, 2); /* one leaf for each of its works */
    p = carried(&p);
    must(cph_proof_check(&p, err));
    assert_int_equal(cph_prove_document(&p, t, CPH_STR("doc:999"), &arena, NULL), CPH_NO);
    assert_int_equal(cph_prove_work(&p, t, CPH_STR("urn:x:work:999"), &arena, NULL), CPH_NO);
    cph_set_tree_close(t);
}

static void absent_works_are_shown_to_be_out_in_each_of_the_four_ways(void **state)
{
    (void)state;
    size_t kinds[CPH_N_PROOFS] = {0};
    for (unsigned n = 0; n < 12; n++) {
        cph_set_tree *t = tree(n);
        for (unsigned w = 100; w < 140; w++) {
            char urn[64];
            cph_proof p;
            snprintf(urn, sizeof urn, "urn:x:work:%u", w);
            must(cph_prove_absent(&p, t, cph_str_of(urn), &arena, err));
            kinds[p.kind]++;
            p = carried(&p);
            must(cph_proof_check(&p, err));
        }
        cph_set_tree_close(t);
    }
    for (int k = CPH_PROOF_EMPTY; k <= CPH_PROOF_BETWEEN; k++) assert_true(kinds[k] > 0);
}

static void a_work_proof_that_hides_a_leaf_or_lies_does_not_hold(void **state)
{
    (void)state;
    cph_set_tree *t = tree(12);
    cph_proof p, q;
    must(cph_prove_work(&p, t, CPH_STR("urn:x:work:7"), &arena, err));
    assert_int_equal(p.n_leaves, 4);
    cph_proof_leaf *const leaves = p.leaves;

    q = p, q.n_leaves = 3; /* the last leaf hidden */
    assert_int_equal(cph_proof_check(&q, NULL), CPH_NO);
    q = p, q.leaves = leaves + 1, q.n_leaves = 3; /* the first */
    assert_int_equal(cph_proof_check(&q, NULL), CPH_NO);
    q = p, q.n_leaves = 0;
    assert_int_equal(cph_proof_check(&q, NULL), CPH_NO);
    q = p, q.n_leaves = 3, q.right = &leaves[3]; /* a leaf of the work given as neighbour */
    assert_int_equal(cph_proof_check(&q, NULL), CPH_NO);
    if (p.left) {
        q = p, q.left = NULL;
        assert_int_equal(cph_proof_check(&q, NULL), CPH_NO);
    }
    if (p.right) {
        q = p, q.right = NULL;
        assert_int_equal(cph_proof_check(&q, NULL), CPH_NO);
    }
    q = p, q.root.b[0] ^= 1;
    assert_int_equal(cph_proof_check(&q, NULL), CPH_NO);
    q = p, q.target_urn = CPH_STR("urn:x:work:8");
    assert_int_equal(cph_proof_check(&q, NULL), CPH_NO);
    q = p, q.target_wkey.b[5] ^= 1, q.target_urn.n = 0;
    assert_int_equal(cph_proof_check(&q, NULL), CPH_NO);
    for (size_t at = 0; at < CPH_SET_LEAF; at++) {
        leaves[1].leaf[at] ^= (uint8_t)(1 << at % 8);
        assert_int_equal(cph_proof_check(&p, NULL), CPH_NO);
        leaves[1].leaf[at] ^= (uint8_t)(1 << at % 8);
    }
    leaves[2].index++;
    assert_int_equal(cph_proof_check(&p, NULL), CPH_NO);
    leaves[2].index--;
    leaves[0].n_path--;
    assert_int_equal(cph_proof_check(&p, NULL), CPH_NO);
    leaves[0].n_path++;
    must(cph_proof_check(&p, err));
    cph_set_tree_close(t);
}

static void an_exclusion_of_a_work_that_is_in_cannot_be_forged_from_its_neighbours(void **state)
{
    (void)state;
    cph_set_tree *t = tree(12);
    cph_proof in, p = {0};
    must(cph_prove_work(&in, t, CPH_STR("urn:x:work:4"), &arena, err));
    p.size = in.size, p.root = in.root, p.target_urn = in.target_urn, p.target_wkey = in.target_wkey;
    for (int k = 0; k < CPH_N_PROOFS; k++)
        for (int sides = 0; sides < 4; sides++) {
            p.kind = (cph_proof_kind)k;
            p.left = sides & 1 ? in.left : NULL;
            p.right = sides & 2 ? in.right : NULL;
            assert_int_equal(cph_proof_check(&p, NULL), CPH_NO);
        }
    cph_set_tree_close(t);
}

static void two_leaves_with_one_key_make_no_tree(void **state)
{
    (void)state;
    cph_set_tree *t;
    cph_set_leaf l = leaf_of(1, 1);
    must(cph_set_tree_new(&t, err));
    must(cph_set_tree_add(t, &l, err));
    l.tokens = 9;
    must(cph_set_tree_add(t, &l, err));
    assert_int_equal(cph_set_tree_finish(t, NULL), CPH_DATA);
    cph_set_tree_close(t);
}

static void a_file_of_leaves_gives_the_same_tree_and_a_disordered_one_none(void **state)
{
    (void)state;
    cph_set_tree *t = tree(9), *back;
    must(cph_set_tree_write(t, testing_path("leaves.zst"), err));
    must(cph_set_tree_read(&back, testing_path("leaves.zst"), err));
    cph_digest a = cph_set_tree_root(t), b = cph_set_tree_root(back);
    assert_int_equal(cph_digest_cmp(&a, &b), 0);
    cph_set_tree_close(back);
    cph_set_tree_close(t);
    must(cph_set_tree_new(&t, err)); /* written unfinished: in the order of adding */
    cph_set_leaf low = leaf_of(1, 1), high = leaf_of(2, 1);
    bool swap = cph_set_leaf_cmp(&low, &high) < 0;
    must(cph_set_tree_add(t, swap ? &high : &low, err));
    must(cph_set_tree_add(t, swap ? &low : &high, err));
    must(cph_set_tree_write(t, testing_path("leaves.zst"), err));
    assert_int_equal(cph_set_tree_read(&back, testing_path("leaves.zst"), NULL), CPH_DATA);
    cph_set_tree_close(t);
    must(cph_set_tree_new(&t, err));
    must(cph_set_tree_finish(t, err));
    must(cph_set_tree_write(t, testing_path("leaves.zst"), err));
    must(cph_set_tree_read(&back, testing_path("leaves.zst"), err));
    assert_int_equal(cph_set_tree_n(back), 0);
    cph_set_tree_close(back);
    cph_set_tree_close(t);
}

static void malformed_proof_files_are_refused(void **state)
{
    (void)state;
#define H "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD "\"v\":1,\"corpus\":\"" H "\",\"root\":\"" H "\",\"size\":3,\"order\":\"sorted-v1\","
    static const char *const bad[] = {
        "[]",
        "{}",
        "{\"v\":2}",
        "{\"v\":1,\"corpus\":\"x\"}",
        "{" HEAD "\"kind\":\"perhaps\"}",
        "{" HEAD "\"kind\":\"between\"}",
        "{" HEAD "\"kind\":\"document\"}",
        "{" HEAD "\"kind\":\"work\",\"target_wkey\":\"" H "\",\"leaves\":{}}",
        "{" HEAD "\"kind\":\"work\",\"target_wkey\":\"" H "\",\"leaves\":[{}]}",
        "{" HEAD "\"kind\":\"between\",\"target_wkey\":\"" H
        "\",\"left\":{\"index\":0,\"leaf\":\"01\",\"path\":[]}}",
        "{" HEAD "\"kind\":\"between\",\"target_wkey\":\"" H "\",\"left\":7}",
        "{\"v\":1,\"corpus\":\"" H "\",\"root\":\"" H "\",\"size\":3,\"order\":\"shuffled\"}",
        "{\"v\":1,\"corpus\":\"" H "\",\"root\":\"" H "\",\"size\":-3,\"order\":\"sorted-v1\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cph_json *v;
        cph_proof p;
        must(cph_json_parse(&v, &arena, cph_str_of(bad[i]), "proof", NULL, err));
        if (cph_proof_parse(&p, &arena, v, NULL) != CPH_DATA) fail_msg("taken: %s", bad[i]);
    }
}

static int begin(void **state)
{
    (void)state;
    cph_arena_init(&arena, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    cph_arena_release(&arena);
    testing_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_and_documents_are_shown_to_be_in),
        cmocka_unit_test(absent_works_are_shown_to_be_out_in_each_of_the_four_ways),
        cmocka_unit_test(a_work_proof_that_hides_a_leaf_or_lies_does_not_hold),
        cmocka_unit_test(an_exclusion_of_a_work_that_is_in_cannot_be_forged_from_its_neighbours),
        cmocka_unit_test(two_leaves_with_one_key_make_no_tree),
        cmocka_unit_test(a_file_of_leaves_gives_the_same_tree_and_a_disordered_one_none),
        cmocka_unit_test(malformed_proof_files_are_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
