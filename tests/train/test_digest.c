/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_digest.c - the promise of engine 8, L4: a tiny GPT-2, twenty steps with dropout, clipping and packing, in
 * each arithmetic that promises it, by each optimizer, ends with a committed digest on every
 * instruction set that the processor has and with any number of threads. `./test` runs it on 64-bit Arm, too.
 */
#include <colophon/base/hash.h>
#include <colophon/base/memory.h>
#include <colophon/model/model.h>
#include <colophon/tensor/op.h>
#include <colophon/train/optimizer.h>
#include <colophon/train/schedule.h>

#include "testing.h"

static const char CONFIG[] = "{\"vocab_size\":97,\"n_embd\":32,\"n_layer\":2,\"n_head\":2,\"n_positions\":64,"
                             "\"resid_pdrop\":0.1,\"attn_pdrop\":0.1,\"embd_pdrop\":0.1}";
enum { VOCAB = 97, B = 2, T = 33, DOC = 15, STEPS = 20, LABELS = B * 2 * (DOC - 1) };

/* Weights and the optimizer's state. Changes only together with CPH_NUMERICS; a run that differs prints its line. */
typedef struct golden {
    const char *arith, *optimizer, *schedule, *digest;
} golden;
static const golden GOLDEN[] = {
    {"fp32", "adamw", "constant", "d7773945e5f1abf8ffea4a3cc41ac0d077b2506e32ea2b110db079900fa555ce"},
    {"fp32", "adamw", "constant_with_warmup", "fbcb232a12caa2ac711f0f8a84a34974e6e180a2fa58b83b754f7422774041ad"},
    {"fp32", "adamw", "linear", "ac2a91efcc857ef1fcc1b7cb984cd536fe8df3295410df6fd7432e831c35aa72"},
    {"fp32", "adamw", "cosine", "befd6b5b915585fed798ec753f7db33cff07dd2448022167204e70ea17b484b0"},
    {"fp32", "adamw", "cosine_with_min_lr", "37587445a0648e3cd2361940057f8a0b078b08862fddb0fe75f9ee896f9ca9fd"},
    {"fp32", "adamw", "cosine_warmup_with_min_lr", "98eec8d39141da5971f6b0f37ee153703920cecce560110880963b779d059fa9"},
    {"fp32", "adamw", "cosine_with_restarts", "a797f6c68dd89ee860083a7735beaef2fa0c68266755ff3a6ae4ce4ba806cca2"},
    {"fp32", "adamw", "polynomial", "383c0bb2579a3ec2265ca5d80e97bb0675be8aea0f48ac0eb87af3a90879bf1c"},
    {"fp32", "adamw", "inverse_sqrt", "597f6ea4bd09e95c78501162c7ad33d6942afc301b4eb9c6537226dae58902c4"},
    {"fp32", "adamw", "warmup_stable_decay", "ab59da8114106618d2189bf742817cfc4adeb74a5707fb1c3c01402fc3abd058"},
    {"fp32", "adamw", "wsd", "bc162ba679177763fea62efc5cde61ba4187badd5d1a9100a44cb7eeeae9719b"},
    {"fp32", "adamw", "nanot5", "178c2e265f75b2366350f0378015c374b17783321a0ddc1b3dd664f60ce7bb73"},
    {"fp32", "adamw", "t5x", "a3b18d883c24245e5370c9a0c4f92e1e68cc0f3940f73197102a73c444223896"},
    {"bf16-fma", "adamw", "cosine_with_min_lr", "1ca45b1f5cbdc09921084edb3c68f123ec13edeef90a80bd596d3eb6813cf5d4"},
    {"fp32", "adamw_bert", "cosine_with_min_lr", "ee4d85bc7c3fbdaff6c94354728350e2ba17bb0a249b1a29dc954003d7d8fc4e"},
    {"fp32", "adamw_scale", "cosine_with_min_lr", "d2aa142a1beb1ec2e7e5434e1196619defa204fad034a14811f9ed8333564f12"},
    {"fp32", "adafactor", "cosine_with_min_lr", "80dd9063cd63e5ab82d42259474dc7d041a33235aa10541ad313b927f9418e9e"},
    {"fp32", "adafactor_t5x", "cosine_with_min_lr", "391edc4948a08bfda5060c51840f530b6e7ac77a2090e8e08063cf9f4dc93158"},
    {"fp32", "muon", "cosine_with_min_lr", "1c1029f37bcd9a5807a131a66a25487770552b35564ff2075218f6b0ff933fc6"},
    {"fp32", "sgd", "cosine_with_min_lr", "e187e9cdec5932e321a3ad3505bdb87c554bc7c4e3552d9715447542114616f6"},
};
enum { N_GOLDEN = sizeof GOLDEN / sizeof *GOLDEN };

/* ---- one run ---- */

typedef struct run {
    cph_model *model;
    cph_step *step;
    cph_pool *pool;
    cph_optimizer *optimizer;
    float *grads;
    uint64_t flat;
    cph_schedule schedule;
    unsigned n_clipped;
} run;

static void open_model(run *r, const char *arith_text, const char *isa)
{
    cph_arith arith;
    cph_arena a;
    cph_json *config;
    cph_arena_init(&a, 1 << 20);
    must(cph_json_parse(&config, &a, cph_str_of(CONFIG), "config", NULL, err));
    assert_int_equal(setenv("COLOPHON_ISA", isa, 1), 0);
    must(cph_model_new(&r->model, config, 42, err));
    assert_true(cph_arith_parse(arith_text, &arith));
    must(cph_model_set_arith(r->model, arith, err));
    assert_int_equal(unsetenv("COLOPHON_ISA"), 0);
    assert_string_equal(cph_model_isa(r->model), isa);
    cph_arena_release(&a);
    r->flat = cph_model_flat_len(r->model);
}

static void run_open(run *r, const golden *g, const char *isa, unsigned n_threads)
{
    void *mem = NULL;
    cph_optimizer_kind kind;
    cph_optimizer_opts how;
    *r = (run){0};
    open_model(r, g->arith, isa);
    must(cph_pool_open(&r->pool, n_threads, err));
    must(cph_step_open(&r->step, r->model, (cph_step_shape){.B = B, .T = T, .train = true}, r->pool, err));
    must(cph_alloc0(&mem, r->flat * sizeof(float), err));
    r->grads = mem;
    assert_true(cph_optimizer_parse(cph_str_of(g->optimizer), &kind));
    cph_optimizer_opts_init(&how, kind);
    how.lr = 2e-2;
    how.weight_decay = 0.1;
    how.momentum = 0.9;
    how.ema = 0.8;
    must(cph_optimizer_open(&r->optimizer, r->model, &how, NULL, r->pool, err));
    cph_schedule_kind schedule;
    assert_true(cph_schedule_parse(cph_str_of(g->schedule), &schedule));
    cph_schedule_init(&r->schedule, schedule, how.lr, STEPS);
    assert_true(cph_schedule_factors(&r->schedule, CPH_STR("constant * linear_warmup * rsqrt_normalized_decay")));
    r->schedule.warmup = 4;
    r->schedule.stable = r->schedule.decay = 7;
    r->schedule.min_ratio = 0.1;
    if (schedule == CPH_SCHEDULE_COSINE_WITH_RESTARTS) r->schedule.cycles = 2;
}

static void run_close(run *r)
{
    cph_optimizer_close(r->optimizer);
    cph_step_close(r->step);
    cph_pool_close(r->pool);
    cph_model_close(r->model);
    cph_free(r->grads);
}

/* Rows of a step: two documents that can be learnt, and padding. */
static void fill(uint32_t step, uint32_t ids[B * T], uint32_t segments[B * T], int32_t labels[B * T])
{
    for (uint32_t i = 0; i < B * T; i++) {
        uint32_t at = i % T, start = (i / T + 2 * step) * 13;
        segments[i] = at < DOC ? 1 : at < 2 * DOC ? 2 : 0;
        ids[i] = (start + at * at * 5) % VOCAB;
        labels[i] = at % DOC == DOC - 1 || at >= 2 * DOC ? -100 : (int32_t)((start + (at + 1) * (at + 1) * 5) % VOCAB);
    }
}

static void one_step(run *r, uint32_t step)
{
    uint32_t ids[B * T], segments[B * T];
    int32_t labels[B * T];
    double loss;
    memset(r->grads, 0, r->flat * sizeof *r->grads);
    fill(step, ids, segments, labels);
    cph_batch b = {.ids = ids, .labels = labels, .segments = segments, .inv_labels = 1.0f / LABELS, .seed = 7,
                   .slot = 3, .step = step + 1};
    must(cph_step_run(r->step, &b, r->grads, &loss, err));
    cph_update how = {.t = step + 1, .schedule = cph_schedule_at(&r->schedule, step), .grad_scale = 1};
    (void)cph_optimizer_sums(r->optimizer, r->grads);
    double coef = 1.2 / (cph_optimizer_norm(r->optimizer) + 1e-6);
    if (coef < 1) how.grad_scale = coef, r->n_clipped++;
    cph_optimizer_step(r->optimizer, r->grads, &how);
    cph_model_weights_changed(r->model);
}

static void digest_of(run *r, char hex[CPH_HEX_DIGEST])
{
    cph_sha256 h;
    cph_sha256_init(&h);
    cph_sha256_add(&h, cph_model_weights(r->model), r->flat * sizeof(float));
    for (size_t i = 0; i < cph_optimizer_n_states(r->optimizer); i++) {
        cph_state s = cph_optimizer_state(r->optimizer, i);
        assert_true(s.n_here == s.n);
        cph_sha256_add(&h, s.here, s.n * sizeof *s.here);
    }
    cph_digest d = cph_sha256_end(&h);
    cph_digest_hex(&d, hex);
}

static void twenty_steps(const golden *g, const char *isa, unsigned n_threads)
{
    run r;
    char hex[CPH_HEX_DIGEST];
    run_open(&r, g, isa, n_threads);
    for (uint32_t k = 0; k < STEPS; k++) one_step(&r, k);
    assert_true(r.n_clipped > 0);
    digest_of(&r, hex);
    run_close(&r);
    if (strcmp(hex, g->digest) != 0)
        fail_msg("{\"%s\", \"%s\", \"%s\", \"%s\"}: on %s with %u threads", g->arith, g->optimizer, g->schedule,
                 hex, isa, n_threads);
}

/* ---- the runs ---- */

/* Where every instruction costs many (the reference under emulation, sanitizers) a few runs stand for all. */
#if defined __SANITIZE_THREAD__ || defined __SANITIZE_ADDRESS__ || defined __aarch64__
#define SLOW true
#else
#define SLOW false
#endif

static void on(const char *isa)
{
    static const unsigned threads[] = {1, 2, 5};
    const cph_backend *b;
    bool few = SLOW && strcmp(isa, "neon") != 0;
    if (cph_backend_named(&b, isa, NULL) != CPH_OK) skip();
    for (unsigned i = few; i < N_GOLDEN; i += few ? 4 : 1) twenty_steps(&GOLDEN[i], isa, threads[i % 3]);
    for (unsigned i = 1; i < 3 && !SLOW; i++) twenty_steps(&GOLDEN[0], isa, threads[i]);
}

static void the_reference_gives_the_golden_digests(void **state) { (void)state, on("ref"); }
static void avx2_gives_the_golden_digests(void **state) { (void)state, on("avx2"); }
static void avx512_gives_the_golden_digests(void **state) { (void)state, on("avx512"); }
static void neon_gives_the_golden_digests(void **state) { (void)state, on("neon"); }

static bool has_golden(const char *name)
{
    for (unsigned i = 0; i < N_GOLDEN; i++)
        if (strcmp(GOLDEN[i].optimizer, name) == 0) return true;
    print_message("%s has none\n", name);
    return false;
}

static void every_optimizer_has_a_golden_digest(void **state)
{
    (void)state;
    for (unsigned k = 0; k < CPH_N_OPTIMIZERS; k++) assert_true(has_golden(cph_optimizer_text((cph_optimizer_kind)k)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_optimizer_has_a_golden_digest),
        cmocka_unit_test(the_reference_gives_the_golden_digests),
        cmocka_unit_test(avx2_gives_the_golden_digests),
        cmocka_unit_test(avx512_gives_the_golden_digests),
        cmocka_unit_test(neon_gives_the_golden_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
