/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_gpt2.c - the GPT-2 family against the values of text-models 16 (weights follow from
 * names), and the promises of engine 8: same bits at any thread count and on every instruction set.
 */
#include <colophon/base/hash.h>
#include <colophon/base/memory.h>
#include <colophon/format/safetensors.h>
#include <colophon/model/model.h>
#include <colophon/tensor/math.h>
#include <colophon/tensor/op.h>

#include <math.h>

#include "testing.h"

static const char SMALL[] = "{\"vocab_size\":97,\"n_embd\":32,\"n_layer\":2,\"n_head\":4,\"n_positions\":40,"
                            "\"resid_pdrop\":0,\"attn_pdrop\":0,\"embd_pdrop\":0,\"house_key\":[1,{\"x\":0.10}]}";
static const char DROPPED[] = "{\"vocab_size\":101,\"n_embd\":36,\"n_layer\":2,\"n_head\":3,\"n_positions\":150,"
                              "\"resid_pdrop\":0.1,\"attn_pdrop\":0.2,\"embd_pdrop\":0.1}";

static cph_model *model_of(const char *config, uint64_t seed)
{
    cph_arena a;
    cph_json *v;
    cph_model *m = NULL;
    cph_arena_init(&a, 1 << 20);
    must(cph_json_parse(&v, &a, cph_str_of(config), "config", NULL, err));
    must(cph_model_new(&m, v, seed, err));
    cph_arena_release(&a);
    return m;
}

static cph_pool *pool_of(unsigned n)
{
    cph_pool *p = NULL;
    must(cph_pool_open(&p, n, err));
    return p;
}

/* text-models 16.1 */
static double u_of(const char *name, uint64_t i)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 0x100000001b3u;
    uint64_t z = h + i + 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 40) / 8388608.0 - 1.0;
}

static cph_model *ruled_model(void)
{
    cph_model *m = model_of(SMALL, 0);
    for (size_t i = 0; i < cph_model_n_params(m); i++) {
        const cph_param *p = cph_model_param(m, i);
        bool norm = strstr(p->name, "ln_") && strstr(p->name, ".weight");
        float *w = cph_model_weights(m) + p->offset;
        for (uint64_t j = 0; j < p->n; j++) w[j] = (float)((norm ? 1.0 : 0.0) + 0.125 * u_of(p->name, j));
    }
    cph_model_weights_changed(m);
    return m;
}

typedef struct trainer {
    cph_model *m;
    cph_pool *pool;
    cph_step *step;
    cph_batch batch;
    float *grads, *m1, *v2;
    double sums[64]; /* of squares, a tensor each */
    uint64_t flat;
    uint32_t n_labels;
} trainer;

static trainer trainer_of(cph_model *m, uint32_t B, uint32_t T, unsigned n_threads, cph_batch batch)
{
    trainer t = {.m = m, .pool = pool_of(n_threads), .batch = batch, .flat = cph_model_flat_len(m)};
    void *mem = NULL;
    cph_step_shape shape = {.B = B, .T = T, .train = true, .keep_logits = true};
    must(cph_step_open(&t.step, m, shape, t.pool, err));
    must(cph_alloc0(&mem, 3 * t.flat * sizeof(float), err));
    t.grads = mem;
    t.m1 = t.grads + t.flat;
    t.v2 = t.m1 + t.flat;
    for (uint32_t i = 0; i < B * T; i++) t.n_labels += batch.labels[i] != -100;
    t.batch.inv_labels = 1.0f / (float)t.n_labels;
    return t;
}

static void trainer_close(trainer *t)
{
    cph_step_close(t->step);
    cph_pool_close(t->pool);
    cph_free(t->grads);
    cph_model_close(t->m);
}

static double run_once(trainer *t)
{
    double sum = 0;
    memset(t->grads, 0, t->flat * sizeof *t->grads);
    must(cph_step_run(t->step, &t->batch, t->grads, &sum, err));
    return sum / t->n_labels;
}

/* ---- gradients and an update, by the operations themselves: optimizers live in another room ---- */

static void on_each(trainer *t, cph_op *op, void (*set)(trainer *t, cph_op *op, const cph_param *p))
{
    const cph_backend *backend = NULL;
    must(cph_backend_choose(&backend, err));
    for (size_t i = 0; i < cph_model_n_params(t->m); i++) {
        set(t, op, cph_model_param(t->m, i));
        cph_op_flat(backend, t->pool, op);
    }
}

static void square(trainer *t, cph_op *op, const cph_param *p)
{
    op->u.sumsq.blocks = t->sums + (p - cph_model_param(t->m, 0));
    op->u.sumsq.x = t->grads + p->offset;
    op->u.sumsq.n = p->n;
    assert_true(p->n <= CPH_FLAT_BLOCK);
}

static double grad_norm(trainer *t)
{
    cph_op op = {.kind = CPH_OP_sumsq};
    assert_true(cph_model_n_params(t->m) <= 64);
    on_each(t, &op, square);
    return sqrt(cph_tree_sum(t->sums, cph_model_n_params(t->m)));
}

typedef struct adamw {
    cph_op op;
    float decay; /* of tensors that decay */
    bool all;
} adamw;

static void update(trainer *t, cph_op *op, const cph_param *p)
{
    const adamw *a = (const adamw *)(void *)op;
    op->u.adamw.decay = a->all || p->decay ? a->decay : 1;
    op->u.adamw.p = cph_model_weights(t->m) + p->offset;
    op->u.adamw.g = t->grads + p->offset;
    op->u.adamw.m = t->m1 + p->offset;
    op->u.adamw.v = t->v2 + p->offset;
    op->u.adamw.n = p->n;
}

/* text-models 11.1 with lr 1e-3, beta1 0.9, eps 1e-8 */
static void adamw_step(trainer *t, uint64_t k, float beta2, float weight_decay, bool all, float grad_scale)
{
    double b1 = (double)0.9f, b2 = (double)beta2, lr = (double)1e-3f;
    adamw a = {.op.kind = CPH_OP_adamw, .decay = (float)(1.0 - lr * (double)weight_decay), .all = all};
    a.op.u.adamw = (cph_adamw_args){.grad_scale = grad_scale, .beta1 = 0.9f, .beta2 = beta2, .one_beta1 = (float)(1.0 - b1),
                                    .one_beta2 = (float)(1.0 - b2), .step = (float)(lr / (1.0 - cph_pow_int(b1, k))),
                                    .inv_root = (float)(1.0 / sqrt(1.0 - cph_pow_int(b2, k))), .eps = 1e-8f};
    on_each(t, &a.op, update);
    cph_model_weights_changed(t->m);
}

#define N20 20
static void ruled_inputs(uint32_t ids[N20], int32_t labels[N20])
{
    for (uint32_t b = 0; b < 2; b++)
        for (uint32_t t = 0; t < 10; t++) ids[b * 10 + t] = (7 * t + 3 + 5 * b) % 97;
    for (uint32_t i = 0; i < N20; i++) labels[i] = i % 10 == 9 ? -100 : (int32_t)ids[i + 1];
}

static void loss_gradients_and_logits_have_the_known_values(void **state)
{
    (void)state;
    uint32_t ids[N20];
    int32_t labels[N20];
    ruled_inputs(ids, labels);
    trainer t = trainer_of(ruled_model(), 2, 10, 2, (cph_batch){.ids = ids, .labels = labels});
    assert_float_equal(run_once(&t), 4.6512839461, 2e-6);
    assert_float_equal(grad_norm(&t), 2.4306241754, 2e-5);
    const float *z = cph_step_logits(t.step);
    assert_float_equal(z[97], -0.21789492, 2e-6);
    assert_float_equal(z[98], 0.33176221, 2e-6);
    assert_float_equal(z[20 * 97 - 1], 0.41412796, 2e-6);
    double sum = 0;
    for (int i = 0; i < 20 * 97; i++) sum += (double)z[i];
    assert_float_equal(sum, 101.45039789, 2e-4);
    trainer_close(&t);
}

static void ten_steps_have_the_known_losses(void **state)
{
    (void)state;
    static const double want[11] = {4.65128395, 4.41873985, 4.20798435, 4.01339670, 3.83280939, 3.66668004,
                                    3.51675216, 3.38642526, 3.27778021, 3.18549837, 3.09992595};
    uint32_t ids[N20];
    int32_t labels[N20];
    ruled_inputs(ids, labels);
    trainer t = trainer_of(ruled_model(), 2, 10, 2, (cph_batch){.ids = ids, .labels = labels});
    for (uint64_t k = 0; k <= 10; k++) {
        assert_float_equal(run_once(&t), want[k], 1e-5);
        adamw_step(&t, k + 1, 0.999f, 0.01f, true, 1.0f);
    }
    trainer_close(&t);
}

static void packed_documents_do_not_see_each_other(void **state)
{
    (void)state;
    static const uint32_t ids[12] = {3, 10, 17, 24, 31, 38, 8, 15, 22, 29, 0, 0};
    static const uint32_t segments[12] = {1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 0, 0};
    static const uint32_t positions[12] = {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 0, 0};
    static const int32_t labels[12] = {10, 17, 24, 31, 38, -100, 15, 22, 29, -100, -100, -100};
    trainer t = trainer_of(ruled_model(), 1, 12, 1, (cph_batch){.ids = ids, .labels = labels,
                                                                .segments = segments,
                                                                 .positions = positions});
    assert_float_equal(run_once(&t), 4.6676657013, 2e-6);
    assert_float_equal(grad_norm(&t), 3.9998959502, 4e-5);
    trainer_close(&t);
}

static void no_label_means_loss_and_gradient_zero(void **state)
{
    (void)state;
    uint32_t ids[N20] = {0};
    int32_t labels[N20];
    for (int i = 0; i < N20; i++) labels[i] = -100;
    trainer t = trainer_of(ruled_model(), 2, 10, 1, (cph_batch){.ids = ids, .labels = labels});
    double sum = 1;
    t.batch.inv_labels = 0;
    must(cph_step_run(t.step, &t.batch, t.grads, &sum, err));
    assert_true(sum == 0 && grad_norm(&t) == 0);
    trainer_close(&t);
}

/* ---- the same bits ---- */

enum { DB = 2, DT = 140 };
static void dropped_inputs(uint32_t ids[DB * DT], int32_t labels[DB * DT], uint32_t segments[DB * DT])
{
    for (uint32_t i = 0; i < DB * DT; i++) {
        ids[i] = i * i * 31 % 101;
        labels[i] = i % 7 == 3 ? -100 : (int32_t)(i * 17 % 101);
        segments[i] = i % DT < 60 ? 1 : i % DT < 130 ? 2 : 0;
    }
}

/* SHA-256 of weights, moments and logits after three steps with dropout, clipping and packing. */
static void training_digest(const char *isa, unsigned n_threads, char hex[CPH_HEX_DIGEST])
{
    static uint32_t ids[DB * DT], segments[DB * DT];
    static int32_t labels[DB * DT];
    dropped_inputs(ids, labels, segments);
    assert_int_equal(setenv("COLOPHON_ISA", isa, 1), 0);
    trainer t = trainer_of(model_of(DROPPED, 42), DB, DT, n_threads,
                           (cph_batch){.ids = ids, .labels = labels, .segments = segments, .seed = 7});
    assert_int_equal(unsetenv("COLOPHON_ISA"), 0);
    for (uint32_t k = 0; k < 3; k++) {
        t.batch.step = k;
        run_once(&t);
        double norm = grad_norm(&t);
        adamw_step(&t, k + 1, 0.95f, 0.1f, false, (float)fmin(1.0, 1.0 / (norm + 1e-6)));
    }
    cph_sha256 h;
    cph_sha256_init(&h);
    cph_sha256_add(&h, cph_model_weights(t.m), t.flat * sizeof(float));
    cph_sha256_add(&h, t.m1, 2 * t.flat * sizeof(float));
    cph_sha256_add(&h, cph_step_logits(t.step), sizeof(float) * DB * DT * 101);
    cph_digest d = cph_sha256_end(&h);
    cph_digest_hex(&d, hex);
    trainer_close(&t);
}

/* Changes only together with CPH_NUMERICS. */
static const char GOLDEN[] = "e38d4df00c1ebe84ce31e6799c529545a0709eb6128ee14e54ebc3b832703982";

static void every_instruction_set_and_thread_count_gives_the_golden_digest(void **state)
{
    (void)state;
    static const struct {
        const char *isa;
        unsigned n_threads;
    } runs[] = {{"ref", 1}, {"ref", 3}, {"avx2", 1}, {"avx2", 2}, {"avx512", 1}, {"avx512", 2}, {"avx512", 3},
                {"avx512", 7}, {"neon", 1}, {"neon", 3}};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char hex[CPH_HEX_DIGEST];
        const cph_backend *b;
        if (cph_backend_named(&b, runs[i].isa, NULL) != CPH_OK) continue; /* not on this processor */
        training_digest(runs[i].isa, runs[i].n_threads, hex);
        if (strcmp(hex, GOLDEN) != 0) fail_msg("%s, %u threads: %s", runs[i].isa, runs[i].n_threads, hex);
    }
}

/* Gradients of one step over layers of which some run forward twice; the bytes that the step wants. */
static cph_digest recomputed(cph_arith arith, uint32_t from, uint32_t to, uint64_t *need)
{
    static uint32_t ids[DB * DT], segments[DB * DT];
    static int32_t labels[DB * DT];
    double loss;
    void *grads = NULL;
    dropped_inputs(ids, labels, segments);
    cph_model *m = model_of(DROPPED, 42);
    cph_pool *pool = pool_of(2);
    cph_step *s = NULL;
    must(cph_model_set_arith(m, arith, err));
    size_t flat = cph_model_flat_len(m);
    cph_step_shape shape = {.B = DB, .T = DT, .train = true, .recompute_from = from, .recompute_to = to};
    must(cph_alloc0(&grads, flat * sizeof(float), err));
    must(cph_step_need(m, shape, 2, need, err));
    must(cph_step_open(&s, m, shape, pool, err));
    cph_batch b = {.ids = ids, .labels = labels, .segments = segments, .seed = 7, .fresh = true, .inv_labels = 0.01f};
    for (b.step = 0; b.step < 2; b.step++) must(cph_step_run(s, &b, grads, &loss, err));
    cph_digest d = cph_sha256_of(grads, flat * sizeof(float));
    cph_step_close(s);
    cph_free(grads);
    cph_pool_close(pool);
    cph_model_close(m);
    return d;
}

static void recomputed_layers_give_the_same_bits_in_less_memory(void **state)
{
    (void)state;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        cph_arith a = bf16 ? CPH_ARITH_BF16_FMA : CPH_ARITH_FP32;
        uint64_t whole, one, both;
        cph_digest kept = recomputed(a, 0, 0, &whole), second = recomputed(a, 1, 2, &one), all = recomputed(a, 0, 2, &both);
        assert_int_equal(cph_digest_cmp(&kept, &second), 0);
        assert_int_equal(cph_digest_cmp(&kept, &all), 0);
        assert_true(both < one && one < whole);
    }
    cph_model *m = model_of(DROPPED, 42);
    uint64_t need;
    cph_err why = {0};
    cph_step_shape beyond = {.B = DB, .T = DT, .train = true, .recompute_to = 3};
    assert_int_equal(cph_step_need(m, beyond, 2, &need, &why), CPH_USAGE);
    assert_non_null(strstr(why.what, "block 2"));
    cph_model_close(m);
}

static void dropout_depends_on_seed_slot_and_step(void **state)
{
    (void)state;
    static uint32_t ids[DB * DT], segments[DB * DT];
    static int32_t labels[DB * DT];
    dropped_inputs(ids, labels, segments);
    trainer t = trainer_of(model_of(DROPPED, 42), DB, DT, 2, (cph_batch){.ids = ids, .labels = labels,
                                                                         .seed = 7});
    double first = run_once(&t);
    assert_true(first == run_once(&t));
    t.batch.seed = 8;
    double seed = run_once(&t);
    t.batch.seed = 7, t.batch.slot = 1;
    double slot = run_once(&t);
    t.batch.slot = 0, t.batch.step = 1;
    double step = run_once(&t);
    assert_true(first != seed && first != slot && first != step && seed != slot && slot != step);
    trainer_close(&t);
}

static void two_micro_batches_add_up_to_one_batch(void **state)
{
    (void)state;
    uint32_t ids[N20];
    int32_t labels[N20];
    double sum = 0, half = 0;
    ruled_inputs(ids, labels);
    trainer whole = trainer_of(ruled_model(), 2, 10, 1, (cph_batch){.ids = ids, .labels = labels});
    trainer part = trainer_of(ruled_model(), 1, 10, 1, (cph_batch){.ids = ids, .labels = labels});
    run_once(&whole);
    part.batch.inv_labels = whole.batch.inv_labels;
    must(cph_step_run(part.step, &part.batch, part.grads, &sum, err));
    part.batch.ids += 10;
    part.batch.labels += 10;
    must(cph_step_run(part.step, &part.batch, part.grads, &half, err));
    for (uint64_t i = 0; i < whole.flat; i++)
        assert_float_equal((double)whole.grads[i], (double)part.grads[i], 2e-7);
    trainer_close(&whole);
    trainer_close(&part);
}

/* ---- memory ---- */

static void a_step_takes_what_was_announced_and_allocates_nothing(void **state)
{
    (void)state;
    uint32_t ids[N20];
    int32_t labels[N20];
    ruled_inputs(ids, labels);
    cph_model *m = ruled_model();
    cph_pool *pool = pool_of(3);
    cph_step *s = NULL;
    cph_step_shape shape = {.B = 2, .T = 10, .train = true};
    uint64_t need = 0, before = cph_memory_in_use();
    must(cph_step_need(m, shape, 3, &need, err));
    assert_true(cph_memory_in_use() == before);
    must(cph_step_open(&s, m, shape, pool, err));
    uint64_t took = cph_memory_in_use() - before;
    assert_true(took >= need && took - need < need / 100 + 65536);
    void *grads = NULL;
    double sum;
    must(cph_alloc0(&grads, cph_model_flat_len(m) * sizeof(float), err));
    cph_memory_fail_at(1);
    must(cph_step_run(s, &(cph_batch){.ids = ids, .labels = labels, .inv_labels = 1}, grads, &sum, err));
    cph_memory_fail_at(0);
    cph_free(grads);
    cph_step_close(s);
    cph_pool_close(pool);
    cph_model_close(m);
}

static void memory_that_runs_out_is_reported_wherever_it_does(void **state)
{
    (void)state;
    cph_model *m = ruled_model();
    cph_pool *pool = pool_of(1);
    uint64_t before = cph_memory_in_use();
    for (uint64_t i = 1;; i++) {
        cph_err err;
        cph_step *s = NULL;
        cph_memory_fail_at(i);
        cph_status status = cph_step_open(&s, m, (cph_step_shape){.B = 1, .T = 8, .train = true}, pool, &err);
        cph_memory_fail_at(0);
        if (status == CPH_OK) {
            cph_step_close(s);
            break;
        }
        assert_int_equal(status, CPH_NOMEM);
        assert_null(s);
    }
    assert_true(cph_memory_in_use() - before < 1 << 20); /* only the packed weights,
        which belong to the model */
    cph_pool_close(pool);
    cph_model_close(m);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    cph_err err;
    cph_step *s = NULL;
    cph_model *m = ruled_model();
    cph_pool *pool = pool_of(1);
    double sum;
    uint32_t ids[2] = {1, 97}, positions[2] = {0, 40};
    int32_t labels[2] = {1, -100};
    assert_int_equal(cph_step_open(&s, m, (cph_step_shape){.B = 1, .T = 41}, pool, &err), CPH_USAGE);
    must(cph_step_open(&s, m, (cph_step_shape){.B = 1, .T = 2}, pool, err));
    assert_int_equal(cph_step_run(s, &(cph_batch){.ids = ids, .labels = labels}, NULL, &sum, &err), CPH_DATA);
    assert_non_null(strstr(err.what, "97"));
    ids[1] = 2;
    labels[0] = 97;
    assert_int_equal(cph_step_run(s, &(cph_batch){.ids = ids, .labels = labels}, NULL, &sum, &err), CPH_DATA);
    labels[0] = -1;
    assert_int_equal(cph_step_run(s, &(cph_batch){.ids = ids, .labels = labels}, NULL, &sum, &err), CPH_DATA);
    labels[0] = 0;
    assert_int_equal(cph_step_run(s, &(cph_batch){.ids = ids, .labels = labels, .positions = positions},
                                  NULL, &sum, &err), CPH_DATA);
    cph_step_close(s);
    cph_pool_close(pool);
    cph_model_close(m);
}

/* ---- decoding ---- */

static uint32_t best_of(const float *z, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (z[i] > z[best]) best = i;
    return best;
}

static void greedy_decoding_gives_the_known_tokens(void **state)
{
    (void)state;
    static const uint32_t prompt[3] = {3, 10, 17};
    cph_model *m = ruled_model();
    cph_pool *pool = pool_of(2);
    cph_decoder *d = NULL;
    const float *z = NULL;
    must(cph_decoder_open(&d, m, 2, 40, pool, err));
    must(cph_decoder_feed(d, 1, prompt, 3, &z, err));
    assert_float_equal(z[35], 0.8396339636, 2e-6);
    assert_float_equal(z[5], 0.6868628456, 2e-6);
    for (int i = 0; i < 12; i++) {
        uint32_t next = best_of(z, 97);
        assert_int_equal(next, 35);
        must(cph_decoder_feed(d, 1, &next, 1, &z, err));
    }
    assert_int_equal(cph_decoder_len(d, 1), 15);
    assert_int_equal(cph_decoder_len(d, 0), 0);
    cph_decoder_close(d);
    cph_pool_close(pool);
    cph_model_close(m);
}

/* Fed in any pieces, copied and cut back, the logits are those of a pass over the whole sequence. */
static void the_cache_gives_the_bits_of_a_whole_pass(void **state)
{
    (void)state;
    static uint32_t ids[DB * DT], segments[DB * DT];
    static int32_t labels[DB * DT];
    static const uint32_t pieces[] = {1, 7, 1, 100, 1, 1, 29};
    dropped_inputs(ids, labels, segments);
    cph_model *m = model_of(DROPPED, 1);
    cph_pool *pool = pool_of(2);
    cph_step *s = NULL;
    cph_decoder *d = NULL;
    const float *z = NULL;
    double sum;
    must(cph_step_open(&s, m, (cph_step_shape){.B = 1, .T = DT, .keep_logits = true}, pool, err));
    must(cph_step_run(s, &(cph_batch){.ids = ids, .labels = labels}, NULL, &sum, err));
    must(cph_decoder_open(&d, m, 2, 150, pool, err));
    uint32_t at = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        must(cph_decoder_feed(d, 0, ids + at, pieces[i], &z, err));
        at += pieces[i];
        assert_memory_equal(z, cph_step_logits(s) + (size_t)(at - 1) * 101, 101 * sizeof *z);
    }
    must(cph_decoder_copy(d, 0, 1, err));
    cph_decoder_truncate(d, 1, 50);
    must(cph_decoder_feed(d, 1, ids + 50, 3, &z, err));
    assert_memory_equal(z, cph_step_logits(s) + (size_t)52 * 101, 101 * sizeof *z);
    cph_err err;
    assert_int_equal(cph_decoder_feed(d, 0, ids, 11, &z, &err), CPH_USAGE);
    cph_decoder_close(d);
    cph_step_close(s);
    cph_pool_close(pool);
    cph_model_close(m);
}

/* ---- files ---- */

static void a_saved_model_comes_back_with_its_unknown_keys(void **state)
{
    (void)state;
    const char *dir = testing_dir();
    cph_model *m = ruled_model(), *back = NULL;
    cph_buf b;
    must(cph_model_save(m, dir, err));
    must(cph_model_open(&back, dir, err));
    assert_int_equal(cph_model_flat_len(m), cph_model_flat_len(back));
    assert_memory_equal(cph_model_weights(m), cph_model_weights(back), cph_model_flat_len(m) * sizeof(float));
    assert_int_equal(cph_model_eos(back), 50256);
    cph_buf_init(&b, 1 << 16);
    must(cph_file_read(testing_path("config.json"), 0, &b, err));
    assert_non_null(strstr(b.p, "\"house_key\": [\n    1,\n    {\n      \"x\": 0.10\n    }\n  ]"));
    assert_non_null(strstr(b.p, "\"torch_dtype\": \"float32\""));
    assert_non_null(strstr(b.p, "\"layer_norm_epsilon\": 1e-05"));
    cph_buf_release(&b);
    cph_model_close(m);
    cph_model_close(back);
    testing_remove();
}

static void both_spellings_of_a_config_are_read(void **state)
{
    (void)state;
    cph_model *m = model_of("{\"vocab_size\":50,\"hidden_size\":24,\"num_hidden_layers\":1,\"num_attention_heads\":2,"
                            "\"max_position_embeddings\":9,\"n_inner\":10,\"dtype\":\"bfloat16\",\"eos_token_id\":[7,8]}", 3);
    assert_int_equal(cph_model_max_positions(m), 9);
    assert_int_equal(cph_model_vocab_size(m), 50);
    assert_int_equal(cph_model_eos(m), 7);
    assert_string_equal(cph_model_family(m), "gpt2");
    assert_int_equal(cph_model_n_params(m), 16);
    cph_arena a;
    cph_json *v = NULL;
    cph_buf b;
    cph_arena_init(&a, 1 << 20);
    must(cph_model_config(m, &a, &v, err));
    cph_buf_init(&b, 1 << 16);
    must(cph_json_canonical(&b, v, err));
    assert_non_null(strstr(b.p, "\"n_embd\":24"));
    assert_null(strstr(b.p, "hidden_size"));
    assert_non_null(strstr(b.p, "\"resid_pdrop\":\"0.1\""));
    cph_buf_release(&b);
    cph_arena_release(&a);
    cph_model_close(m);
}

static void bad_configs_are_refused_with_the_key(void **state)
{
    (void)state;
    static const char *const configs[][2] = {
        {"{\"n_embd\":30,\"n_head\":4}", "n_head"},
        {"{\"n_layer\":0}", "n_layer"},
        {"{\"n_embd\":\"12\"}", "n_embd"},
        {"{\"activation_function\":\"relu\"}", "activation_function"},
        {"{\"model_type\":\"mamba\"}", "mamba"},
        {"{\"resid_pdrop\":1.5}", "resid_pdrop"},
        {"{\"add_cross_attention\":true}", "cross-attention"},
    };
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        cph_arena a;
        cph_json *v;
        cph_model *m = NULL;
        cph_err err;
        cph_arena_init(&a, 1 << 20);
        must(cph_json_parse(&v, &a, cph_str_of(configs[i][0]), "config", NULL, err));
        assert_int_equal(cph_model_new(&m, v, 0, &err), CPH_DATA);
        if (!strstr(err.what, configs[i][1])) fail_msg("%s: %s", configs[i][0], err.what);
        assert_null(m);
        cph_arena_release(&a);
    }
}

/* Writes the model's tensors under changed names: prefix dropped, buffers added, one left out or misshapen. */
typedef enum damage { OPENAI_NAMES, ONE_MISSING, ONE_UNKNOWN, WRONG_SHAPE, OWN_HEAD } damage;
static void write_damaged(const cph_model *m, const float *weights, const char *dir, damage kind)
{
    static cph_st_tensor tensors[64];
    static const float zeros[97 * 32] = {0};
    size_t n = 0;
    char path[CPH_PATH_MAX];
    must(cph_model_save(m, dir, err));
    for (size_t i = 0; i < cph_model_n_params(m); i++) {
        const cph_param *p = cph_model_param(m, i);
        cph_str name = cph_str_of(p->name);
        if (kind == ONE_MISSING && i == 5) continue;
        if (kind == OPENAI_NAMES) name = cph_str_sub(name, strlen("transformer."), name.n);
        tensors[n] = (cph_st_tensor){.name = name, .type = CPH_ST_F32, .n_dims = p->n_dims,
                                     .data = (const uint8_t *)(weights + p->offset)};
        for (unsigned d = 0; d < p->n_dims; d++) tensors[n].dims[d] = p->dims[d];
        if (kind == WRONG_SHAPE && i == 0) tensors[n].dims[0] = p->dims[1], tensors[n].dims[1] = p->dims[0];
        n++;
    }
    cph_st_tensor more = {.type = CPH_ST_F32, .n_dims = 2, .dims = {97, 32}, .data = (const uint8_t *)zeros};
    more.name = kind == OPENAI_NAMES ? CPH_STR("h.0.attn.bias") : kind == OWN_HEAD ? CPH_STR("lm_head.weight") : CPH_STR("stray");
    if (kind == OPENAI_NAMES || kind == ONE_UNKNOWN || kind == OWN_HEAD) tensors[n++] = more;
    must(cph_path_join(path, dir, "model.safetensors", err));
    must(cph_safetensors_write(path, tensors, n, err));
}

static void the_loader_knows_the_names_of_old_files_and_refuses_strangers(void **state)
{
    (void)state;
    const char *dir = testing_dir();
    cph_model *m = ruled_model(), *back = NULL;
    const float *w = cph_model_weights(m);
    cph_err err;
    write_damaged(m, w, dir, OPENAI_NAMES);
    must(cph_model_open(&back, dir, err));
    assert_memory_equal(w, cph_model_weights(back), cph_model_flat_len(m) * sizeof(float));
    cph_model_close(back);
    back = NULL;
    write_damaged(m, w, dir, ONE_MISSING);
    assert_int_equal(cph_model_open(&back, dir, &err), CPH_DATA);
    assert_non_null(strstr(err.what, "is missing"));
    write_damaged(m, w, dir, ONE_UNKNOWN);
    assert_int_equal(cph_model_open(&back, dir, &err), CPH_DATA);
    assert_non_null(strstr(err.what, "stray"));
    write_damaged(m, w, dir, WRONG_SHAPE);
    assert_int_equal(cph_model_open(&back, dir, &err), CPH_DATA);
    assert_non_null(strstr(err.what, "wte"));
    assert_null(back);
    write_damaged(m, w, dir, OWN_HEAD);
    must(cph_model_open(&back, dir, err));
    assert_int_equal(cph_model_n_params(back), cph_model_n_params(m) + 1);
    cph_model_close(back);
    cph_model_close(m);
    testing_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_gradients_and_logits_have_the_known_values),
        cmocka_unit_test(ten_steps_have_the_known_losses),
        cmocka_unit_test(packed_documents_do_not_see_each_other),
        cmocka_unit_test(no_label_means_loss_and_gradient_zero),
        cmocka_unit_test(two_micro_batches_add_up_to_one_batch),
        cmocka_unit_test(recomputed_layers_give_the_same_bits_in_less_memory),
        cmocka_unit_test(every_instruction_set_and_thread_count_gives_the_golden_digest),
        cmocka_unit_test(dropout_depends_on_seed_slot_and_step),
        cmocka_unit_test(a_step_takes_what_was_announced_and_allocates_nothing),
        cmocka_unit_test(memory_that_runs_out_is_reported_wherever_it_does),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(greedy_decoding_gives_the_known_tokens),
        cmocka_unit_test(the_cache_gives_the_bits_of_a_whole_pass),
        cmocka_unit_test(a_saved_model_comes_back_with_its_unknown_keys),
        cmocka_unit_test(both_spellings_of_a_config_are_read),
        cmocka_unit_test(bad_configs_are_refused_with_the_key),
        cmocka_unit_test(the_loader_knows_the_names_of_old_files_and_refuses_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
