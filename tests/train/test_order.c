/* SPDX-License-Identifier: Apache-2.0 */
#include <colophon/base/memory.h>

#include <math.h>

#include <colophon/train/optimizer.h>
#include "world.h"

enum { T = 32, ROWS = 400 };

typedef struct page { /* a row with room for its arrays */
    uint32_t ids[T], segments[T], positions[T];
    int32_t labels[T];
} page;

static cph_row row_of(page *p) { return (cph_row){p->ids, p->labels, p->segments, p->positions}; }

static int set_up(void **state)
{
    cph_tokens *t;
    world_make();
    must(cph_tokens_open(&t, testing_path("tokens"), err));
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    cph_tokens_close(*state);
    testing_remove();
    return 0;
}

static cph_order *open_order(const cph_tokens *t, uint32_t len, int64_t eos, double held_out,
                             bool read_held_out)
{
    cph_order *o;
    cph_order_opts opts = {
        .tokens = t, .seed = 5, .T = len, .eos = eos, .held_out = held_out, .read_held_out = read_held_out};
    must(cph_order_open(&o, &opts, err));
    return o;
}

static void the_permutation_has_the_anchors_of_engine_10_3(void **state)
{
    (void)state;
    const uint64_t e0[10] = {9, 2, 1, 7, 8, 0, 4, 6, 5, 3}, e1[10] = {4, 5, 0, 1, 6, 3, 2, 8, 7, 9};
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(cph_permute(1, 0, 10, i), e0[i]);
        assert_int_equal(cph_permute(1, 1, 10, i), e1[i]);
    }
    assert_int_equal(cph_permute(42, 0, 1000000, 0), 208046);
    assert_int_equal(cph_permute(42, 0, 1000000, 1), 429713);
    assert_int_equal(cph_permute(42, 0, 1000000, 999999), 361908);
}

/* ---- what a row may look like ---- */

static void check_row(const page *p)
{
    uint32_t segment = 0;
    for (uint32_t j = 0; j < T; j++) {
        bool starts = j == 0 || p->segments[j] != p->segments[j - 1];
        if (p->segments[j] == 0) { /* padding goes on to the end and means nothing */
            assert_int_equal(p->labels[j], CPH_LABEL_NONE);
            if (j + 1 < T) assert_int_equal(p->segments[j + 1], 0);
            continue;
        }
        if (starts) assert_int_equal(p->segments[j], ++segment);
        assert_int_equal(p->positions[j], starts ? 0 : p->positions[j - 1] + 1);
        /* Inside a document the label is the next input; the last one predicts what follows in the
         * document, or its end. No document predicts the next. */
        if (j + 1 < T && p->segments[j + 1] == p->segments[j]) assert_int_equal(p->labels[j], p->ids[j + 1]);
    }
}

typedef struct coverage {
    uint32_t fed[24][100];
    uint64_t tokens;
    const cph_tokens *t;
} coverage;

static uint64_t before(const cph_tokens *t, uint64_t doc)
{
    uint64_t n = 0;
    for (uint64_t i = cph_seen_first_row(t, doc); i < doc; i++) n += cph_tokens_doc(t, i).n_tokens;
    return n;
}

static void cover(void *ctx, const cph_piece *p)
{
    coverage *c = ctx;
    uint64_t first = p->first - before(c->t, p->doc);
    for (uint32_t k = 0; k < p->n_tokens; k++) c->fed[p->doc][first + k]++;
    c->tokens += p->n_tokens;
}

static void every_token_is_fed_once_an_epoch(void **state)
{
    cph_tokens *t = *state;
    for (int eos = 0; eos < 2; eos++) {
        static coverage c;
        cph_order *o = open_order(t, T, eos ? WORLD_EOS : -1, 0, false);
        cph_cursor at = {0};
        page p;
        cph_row row = row_of(&p);
        memset(&c, 0, sizeof c);
        c.t = t;
        while (at.epoch < 3) {
            assert_true(cph_order_row(o, &at, &row, cover, &c) > 0);
            check_row(&p);
        }
        /* Three whole epochs, and of the fourth no more than what the last row took. */
        for (uint64_t i = 0; i < cph_tokens_n_docs(t); i++)
            for (uint32_t k = 0; k < cph_tokens_doc(t, i).n_tokens; k++)
                assert_true(c.fed[i][k] == 3 || c.fed[i][k] == 4);
        assert_true(c.tokens - 3 * cph_order_n_tokens(o) <= T);
        cph_order_close(o);
    }
}

static void the_labels_of_a_document_are_its_tokens_and_its_end(void **state)
{
    cph_tokens *t = *state;
    cph_order *o = open_order(t, T, WORLD_EOS, 0, false);
    cph_cursor at = {0};
    page p;
    cph_row row = row_of(&p);
    uint64_t labels = 0, ends = 0, starts = 0;
    while (at.epoch == 0) {
        labels += cph_order_row(o, &at, &row, NULL, NULL);
        for (uint32_t j = 0; j < T; j++) {
            ends += p.segments[j] && p.labels[j] == WORLD_EOS;
            starts += p.segments[j] && p.ids[j] == WORLD_EOS;
        }
    }
    assert_true(labels >= cph_order_n_tokens(o) + cph_order_n_docs(o));
    assert_true(ends >= cph_order_n_docs(o) && starts >= cph_order_n_docs(o));
    cph_order_close(o);
}

static void a_run_goes_on_from_any_cursor(void **state)
{
    cph_tokens *t = *state;
    cph_order *o = open_order(t, T, WORLD_EOS, 0, false);
    static cph_cursor at[ROWS + 1];
    static page rows[ROWS];
    for (int i = 0; i < ROWS; i++) {
        cph_row row = row_of(&rows[i]);
        at[i + 1] = at[i];
        cph_order_row(o, &at[i + 1], &row, NULL, NULL);
    }
    for (int i = 0; i < ROWS; i += 7) {
        page p;
        cph_row row = row_of(&p);
        cph_cursor c = at[i];
        cph_order_row(o, &c, &row, NULL, NULL);
        assert_memory_equal(&p, &rows[i], sizeof p);
        c = at[i];
        cph_order_row(o, &c, NULL, NULL, NULL); /* an auditor reads no tokens and goes the same way */
        assert_memory_equal(&c, &at[i + 1], sizeof c);
    }
    cph_order_close(o);
}

static void works_held_out_are_never_fed_and_are_read_once_for_evaluation(void **state)
{
    cph_tokens *t = *state;
    static coverage fed, held;
    page p;
    cph_row row = row_of(&p);
    cph_cursor at = {0};
    cph_order *train = open_order(t, T, WORLD_EOS, 0.4, false),
              *rest = open_order(t, T, WORLD_EOS, 0.4, true);
    memset(&fed, 0, sizeof fed);
    memset(&held, 0, sizeof held);
    fed.t = held.t = t;
    while (at.epoch < 2) cph_order_row(train, &at, &row, cover, &fed);
    at = (cph_cursor){0};
    while (cph_order_row(rest, &at, &row, cover, &held)) {}
    assert_int_equal(held.tokens, cph_order_n_tokens(rest));
    assert_true(held.tokens > 0);
    for (uint64_t i = 0; i < cph_tokens_n_docs(t); i++) {
        cph_token_doc d = cph_tokens_doc(t, i);
        bool out = cph_order_is_held_out(5, 0.4, &d.wkey);
        for (uint32_t k = 0; k < d.n_tokens; k++) {
            assert_int_equal(fed.fed[i][k] > 0, !out);
            assert_int_equal(held.fed[i][k], out);
        }
    }
    cph_order_close(train);
    cph_order_close(rest);
}

static void the_order_root_is_the_tree_over_what_was_fed(void **state)
{
    cph_tokens *t = *state;
    cph_order *o = open_order(t, T, WORLD_EOS, 0, false);
    cph_digest root, again;
    uint64_t n, n_again;
    const cph_order_step four = {2, 2, 1}, two = {1, 2, 1}, slots = {2, 2, 2};
    must(cph_order_root(o, 10, &four, &root, &n, err));
    must(cph_order_root(o, 10, &four, &again, &n_again, err));
    assert_memory_equal(&root, &again, sizeof root);
    must(cph_order_root(o, 11, &four, &again, &n_again, err));
    assert_true(n_again > n && memcmp(&root, &again, sizeof root) != 0);
    /* The same rows in other steps, or in other slots, are another order. */
    must(cph_order_root(o, 20, &two, &again, &n_again, err));
    assert_true(n_again == n && memcmp(&root, &again, sizeof root) != 0);
    must(cph_order_root(o, 10, &slots, &again, &n_again, err));
    assert_true(n_again == n && memcmp(&root, &again, sizeof root) != 0);
    uint8_t leaf[CPH_ORDER_LEAF];
    cph_digest key = key_of("document", 1);
    cph_order_leaf_bytes(0x01020304, 5, 6, &key, &(cph_piece){.first = 0x0807060504030201, .n_tokens = 9},
                         leaf);
    assert_memory_equal(leaf, "\x01\x04\x03\x02\x01\x05\0\0\0\x06\0\0\0", 13);
    assert_memory_equal(leaf + 13, key.b, 32);
    assert_memory_equal(leaf + 45, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\0\0\0", 12);
    cph_order_close(o);
}

static void a_set_with_nothing_to_learn_is_refused(void **state)
{
    cph_tokens *t = *state;
    cph_order *o = NULL;
    cph_err err;
    cph_order_opts opts = {.tokens = t, .T = T, .eos = -1, .held_out = 1};
    assert_int_equal(cph_order_open(&o, &opts, &err), CPH_DATA);
    opts.T = 1;
    assert_int_equal(cph_order_open(&o, &opts, &err), CPH_USAGE);
    assert_null(o);
}

/* ---- text-models 16.7, with the weights of 16.1 ---- */

static uint64_t fnv1a64(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s; s++) h = (h ^ (uint8_t)*s) * 0x100000001b3u;
    return h;
}

static uint64_t splitmix64(uint64_t z)
{
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static cph_model *model_by_rule_16_1(void)
{
    static const char config[] =
        "{\"model_type\":\"gpt2\",\"vocab_size\":97,\"n_embd\":32,\"n_layer\":2,\"n_head\":4,\"n_positions\":40,"
        "\"resid_pdrop\":0,\"embd_pdrop\":0,\"attn_pdrop\":0,\"bos_token_id\":null,\"eos_token_id\":null}";
    cph_arena a;
    cph_json *v;
    cph_model *m;
    cph_arena_init(&a, 0);
    must(cph_json_parse(&v, &a, cph_str_of(config), "config", NULL, err));
    must(cph_model_new(&m, v, 0, err));
    cph_arena_release(&a);
    for (size_t i = 0; i < cph_model_n_params(m); i++) {
        const cph_param *p = cph_model_param(m, i);
        bool norm = strstr(p->name, "ln_") && strstr(p->name, ".weight");
        uint64_t h = fnv1a64(p->name);
        for (uint64_t k = 0; k < p->n; k++) {
            float u = (float)((double)(splitmix64(h + k) >> 40) / 8388608 - 1);
            cph_model_weights(m)[p->offset + k] = (norm ? 1.0f : 0.0f) + 0.125f * u;
        }
    }
    cph_model_weights_changed(m);
    return m;
}

static void loss_and_norm(cph_model *m, const page *p, uint32_t len, uint32_t n_labels, double *loss,
                          double *norm)
{
    cph_step *s;
    void *grads;
    must(cph_alloc0(&grads, cph_model_flat_len(m) * sizeof(float), err));
    must(cph_step_open(&s, m, (cph_step_shape){.B = 1, .T = len, .train = true}, NULL, err));
    cph_batch b = {.ids = p->ids, .labels = p->labels, .segments = p->segments, .positions = p->positions,
                   .inv_labels = 1.0f / (float)n_labels};
    must(cph_step_run(s, &b, grads, loss, err));
    *loss /= n_labels;
    cph_optimizer_opts how;
    cph_optimizer *o = NULL;
    cph_optimizer_opts_init(&how, CPH_OPTIMIZER_SGD);
    must(cph_optimizer_open(&o, m, &how, NULL, NULL, err));
    (void)cph_optimizer_sums(o, grads);
    *norm = cph_optimizer_norm(o);
    cph_optimizer_close(o);
    cph_step_close(s);
    cph_free(grads);
}

static void write_packing_set(void)
{
    static const uint32_t ids[2][6] = {{3, 10, 17, 24, 31, 38}, {8, 15, 22, 29}};
    cph_manifest *c, *t;
    cph_tokwrite w;
    cph_set_tree *tree;
    cph_digest digest;
    static const cph_str names[1] = {{"PD", 2}};
    must(cph_manifest_open(&c, testing_path("corpus"), err));
    must(cph_manifest_open(&t, testing_path("tokenizer"), err));
    cph_digest cd = cph_manifest_digest(c), td = cph_manifest_digest(t);
    must(cph_mkdirs(testing_path("pack"), err));
    cph_tokwrite_init(&w, testing_path("pack"), 97, &td, &cd);
    for (uint32_t i = 0; i < 2; i++)
        must(cph_tokwrite_add(&w, &(cph_token_doc){.n_tokens = i ? 4 : 6, .dkey = key_of("document", i)},
                              ids[i], err));
    must(cph_tokwrite_close(&w, err));
    must(cph_set_tree_new(&tree, err));
    must(cph_set_tree_finish(tree, err));
    cph_tokens_facts f = {.corpus_manifest = c,
                          .corpus_path = "c",
                          .tokenizer_path = "t",
                          .classes = names,
                          .n_classes = 1,
                          .sources = names,
                          .n_sources = 1,
                          .vocab = 97,
                          .set_root = cph_set_tree_root(tree)};
    must(cph_tokens_seal(&w, &f, &digest, err));
    cph_set_tree_close(tree);
    cph_manifest_close(c);
    cph_manifest_close(t);
}

static void packed_documents_have_the_loss_and_gradient_of_16_7(void **state)
{
    (void)state;
    cph_tokens *t;
    cph_order *o;
    page p;
    cph_row row = row_of(&p);
    cph_cursor at = {0};
    double loss, norm;
    write_packing_set();
    must(cph_tokens_open(&t, testing_path("pack"), err));
    cph_order_opts opts = {.tokens = t, .T = 12, .eos = -1};
    while (cph_permute(opts.seed, 0, 2, 0) != 0) opts.seed++; /* the first document first */
    must(cph_order_open(&o, &opts, err));
    uint32_t n = cph_order_row(o, &at, &row, NULL, NULL);
    /* Two documents fill 10 of 12; what follows is the next epoch's, and does not fit. */
    assert_int_equal(p.segments[5], 1);
    assert_int_equal(p.segments[9], 2);
    for (uint32_t j = 10; j < 12; j++) p.segments[j] = 0;
    cph_model *m = model_by_rule_16_1();
    assert_int_equal(n, 8);
    loss_and_norm(m, &p, 12, 8, &loss, &norm);
    assert_true(fabs(loss - 4.6676657013) < 2e-6);
    assert_true(fabs(norm - 3.9998959502) < 4e-5);
    cph_order_close(o);
    cph_tokens_close(t);
    /* Each document alone, and the token-weighted sum of both. */
    page one = p, two = p;
    memcpy(two.ids, p.ids + 6, 16);
    memcpy(two.labels, p.labels + 6, 16);
    for (uint32_t j = 0; j < T; j++) one.segments[j] = two.segments[j] = 1;
    loss_and_norm(m, &one, 6, 5, &loss, &norm);
    assert_true(fabs(loss - 4.6395459140) < 2e-6);
    two.positions[0] = 0;
    for (uint32_t j = 0; j < 4; j++) two.positions[j] = j;
    loss_and_norm(m, &two, 4, 3, &loss, &norm);
    assert_true(fabs(loss - 4.7145320135) < 2e-6);
    cph_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_permutation_has_the_anchors_of_engine_10_3),
        cmocka_unit_test(every_token_is_fed_once_an_epoch),
        cmocka_unit_test(the_labels_of_a_document_are_its_tokens_and_its_end),
        cmocka_unit_test(a_run_goes_on_from_any_cursor),
        cmocka_unit_test(works_held_out_are_never_fed_and_are_read_once_for_evaluation),
        cmocka_unit_test(the_order_root_is_the_tree_over_what_was_fed),
        cmocka_unit_test(a_set_with_nothing_to_learn_is_refused),
        cmocka_unit_test(packed_documents_have_the_loss_and_gradient_of_16_7),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
