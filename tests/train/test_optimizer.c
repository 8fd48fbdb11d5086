/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_optimizer.c - every optimizer against the check values of text-models 11.7, shards
 * against the whole, threads and instruction sets against each other: the same bits.
 */
#include <colophon/base/hash.h>
#include <colophon/base/memory.h>
#include <colophon/base/philox.h>
#include <colophon/train/optimizer.h>

#include <math.h>

#include "testing.h"

/* Its tensors have the shapes of the table: wpe [1,2], ln_1 [2], c_fc [2,3], c_proj [3,2]. */
static const char TINY[] = "{\"vocab_size\":2,\"n_embd\":2,\"n_layer\":1,\"n_head\":1,\"n_positions\":1,\"n_inner\":3}";
/* Tensors of several flat blocks, an odd end, and small ones between. */
static const char LARGE[] = "{\"vocab_size\":1203,\"n_embd\":130,\"n_layer\":1,\"n_head\":2,\"n_positions\":5}";
#define PAIR "transformer.wpe.weight"
#define VECTOR "transformer.h.0.ln_1.weight"
#define WIDE "transformer.h.0.mlp.c_fc.weight"
#define TALL "transformer.h.0.mlp.c_proj.weight"
#define ATTENTION "transformer.h.0.attn.c_attn.weight"

static cph_model *model_of(const char *config)
{
    cph_arena a;
    cph_json *v;
    cph_model *m = NULL;
    cph_arena_init(&a, 1 << 20);
    must(cph_json_parse(&v, &a, cph_str_of(config), "config", NULL, err));
    must(cph_model_new(&m, v, 3, err));
    cph_arena_release(&a);
    return m;
}

static const cph_param *param_of(const cph_model *m, const char *name)
{
    for (size_t i = 0; i < cph_model_n_params(m); i++)
        if (strcmp(cph_model_param(m, i)->name, name) == 0) return cph_model_param(m, i);
    fail_msg("no tensor %s", name);
    return NULL;
}

static float *floats(uint64_t n)
{
    void *p = NULL;
    must(cph_alloc0(&p, n * sizeof(float), err));
    return p;
}

/* One tensor of the tiny model under one optimizer; all other gradients are 0. */
typedef struct subject {
    cph_model *m;
    cph_optimizer *o;
    float *grads, *p, *g;
    uint64_t n, t;
} subject;

static subject subject_of(const char *tensor, const cph_optimizer_opts *o, const double *start)
{
    subject s = {.m = model_of(TINY)};
    const cph_param *p = param_of(s.m, tensor);
    s.n = p->n;
    s.grads = floats(cph_model_flat_len(s.m));
    s.p = cph_model_weights(s.m) + p->offset;
    s.g = s.grads + p->offset;
    for (uint64_t i = 0; i < p->n; i++) s.p[i] = (float)start[i];
    must(cph_optimizer_open(&s.o, s.m, o, NULL, NULL, err));
    return s;
}

static void step(subject *s, const double *g)
{
    for (uint64_t i = 0; i < s->n; i++) s->g[i] = (float)g[i];
    cph_optimizer_step(s->o, s->grads, &(cph_update){.t = ++s->t, .schedule = 1, .grad_scale = 1});
}

static void expect(const subject *s, const double *want, double tolerance)
{
    for (uint64_t i = 0; i < s->n; i++)
        if (!(fabs((double)s->p[i] - want[i]) <= tolerance))
            fail_msg("step %u, element %u: %.9g, not %.12f", (unsigned)s->t, (unsigned)i, (double)s->p[i], want[i]);
}

static void close_subject(subject *s)
{
    cph_optimizer_close(s->o);
    cph_model_close(s->m);
    cph_free(s->grads);
}

static const double pair[2] = {1, -2}, pair_g[3][2] = {{0.5, -1}, {0.25, 3}, {-0.1, 0.2}};
static const double matrix[6] = {1, -2, 0.5, 0.25, 0, 3};
static const double matrix_g[2][6] = {{0.5, -1, 0.25, 2, 0, -0.5}, {-0.1, 0.2, 0.3, 0.4, -0.5, 0.6}};
static const double tall[6] = {1, 0.25, -2, 0, 0.5, 3}, tall_g[6] = {0.5, 2, -1, 0, 0.25, -0.5};

static cph_optimizer_opts opts_of(cph_optimizer_kind kind, double lr, double weight_decay)
{
    cph_optimizer_opts o;
    cph_optimizer_opts_init(&o, kind);
    o.lr = lr;
    o.weight_decay = weight_decay;
    return o;
}

static void three_steps(const char *tensor, const cph_optimizer_opts *o, const double want[3][2], double tolerance)
{
    subject s = subject_of(tensor, o, pair);
    for (int k = 0; k < 3; k++) {
        step(&s, pair_g[k]);
        expect(&s, want[k], tolerance);
    }
    close_subject(&s);
}

static void every_adamw_has_the_known_values(void **state)
{
    (void)state;
    static const double plain[3][2] = {{0.989000000200, -1.988000000100},
                                       {0.978689204048, -1.990953898411},
                                       {0.971743404661, -1.993178857118}};
    static const double bert[3][2] = {{0.968279223272, -1.968178223367},
                                      {0.928570808568, -1.988982245604},
                                      {0.898940997027, -2.009652898700}};
    static const double scaled[3][2] = {{0.983205422024, -1.982204922572},
                                        {0.967652917540, -1.987946910095},
                                        {0.957366279467, -1.992543360341}};
    cph_optimizer_opts o = opts_of(CPH_OPTIMIZER_ADAMW, 0.01, 0.1);
    three_steps(PAIR, &o, plain, 4e-7);
    o = opts_of(CPH_OPTIMIZER_ADAMW_BERT, 0.01, 0.01);
    three_steps(PAIR, &o, bert, 1e-6); /* 1 - beta2 is that of the fp32 beta2: without correction it shows */
    o = opts_of(CPH_OPTIMIZER_ADAMW_SCALE, 0.01, 0.1);
    three_steps(PAIR, &o, scaled, 4e-7);
}

/* Worked out by hand from PyTorch's definition: the buffer begins as the first gradient, decay included. */
static void sgd_has_the_values_of_pytorch(void **state)
{
    (void)state;
    static const double plain[3][2] = {{0.994, -1.988}, {0.990506, -2.016012}, {0.990515494, -2.015995988}};
    static const double momentum[3][2] = {{0.994, -1.988}, {0.985106, -2.005212}, {0.977116294, -2.020697588}};
    static const double nesterov[3][2] = {{0.9886, -1.9772}, {0.97711166, -2.02072332},
                                          {0.969955381846, -2.034634413692}};
    cph_optimizer_opts o = opts_of(CPH_OPTIMIZER_SGD, 0.01, 0.1);
    three_steps(PAIR, &o, plain, 4e-7);
    o.momentum = 0.9;
    three_steps(PAIR, &o, momentum, 4e-7);
    o.nesterov = true;
    three_steps(PAIR, &o, nesterov, 4e-7);
}

static cph_optimizer_opts adafactor(double weight_decay)
{
    cph_optimizer_opts o = opts_of(CPH_OPTIMIZER_ADAFACTOR, 0.01, weight_decay);
    o.relative_step = false;
    return o;
}

static void adafactor_has_the_known_values(void **state)
{
    (void)state;
    static const double vector[3][2] = {{0.984188611699, -1.984188611699},
                                        {0.973931516564, -2.003819076961},
                                        {0.979261370719, -2.005556655479}};
    static const double want[2][2][6] = {
        {{0.993154347201, -1.971774650432, 0.487377239935, 0.234782964599, 0, 3.014029413439},
         {0.995527980661, -1.980292718723, 0.471662033314, 0.229724293252, 0.011346030440, 2.997283343171}},
        {{0.991609867785, -1.968685691600, 0.486605000227, 0.234396844745, 0, 3.009395975191},
         {0.992453950545, -1.974161187157, 0.470165334581, 0.228985315838, 0.011328469974, 2.988045001880}}};
    cph_optimizer_opts o = adafactor(0);
    three_steps(VECTOR, &o, vector, 4e-7);
    for (int decays = 0; decays < 2; decays++) {
        o = adafactor(decays ? 0.1 : 0);
        subject s = subject_of(WIDE, &o, matrix);
        for (int k = 0; k < 2; k++) {
            step(&s, matrix_g[k]);
            expect(&s, want[decays][k], 6e-7);
        }
        close_subject(&s);
    }
}

static void adafactor_chooses_its_own_rate(void **state)
{
    (void)state;
    cph_optimizer_opts o = opts_of(CPH_OPTIMIZER_ADAFACTOR, 7, 0);
    cph_update how = {.t = 4, .schedule = 0.5, .grad_scale = 1};
    subject s = subject_of(VECTOR, &o, pair);
    assert_true(cph_optimizer_rate(s.o, &how) == 1e-2);
    how.t = 1000000;
    assert_true(cph_optimizer_rate(s.o, &how) == 1e-3);
    close_subject(&s);
    o.warmup_init = true;
    s = subject_of(VECTOR, &o, pair);
    how.t = 400;
    assert_float_equal(cph_optimizer_rate(s.o, &how), 4e-4, 1e-12);
    close_subject(&s);
    o = opts_of(CPH_OPTIMIZER_ADAFACTOR_T5X, 3, 0);
    s = subject_of(VECTOR, &o, pair);
    assert_true(cph_optimizer_rate(s.o, &how) == 1.5);
    close_subject(&s);
}

/* A first step: the moment is (1 - beta1) of Hugging Face's step without one. */
static void adafactor_with_momentum_moves_by_its_moment(void **state)
{
    (void)state;
    cph_optimizer_opts o = adafactor(0);
    double want[6];
    subject s = subject_of(WIDE, &o, matrix);
    step(&s, matrix_g[0]);
    for (int i = 0; i < 6; i++) want[i] = matrix[i] + 0.1 * ((double)s.p[i] - matrix[i]);
    close_subject(&s);
    o.beta1 = 0.9;
    s = subject_of(WIDE, &o, matrix);
    step(&s, matrix_g[0]);
    expect(&s, want, 4e-7);
    close_subject(&s);
}

/* T5X does not factor small tensors, and decays by a share that knows no rate. */
static void the_adafactor_of_t5x_differs_where_the_text_says(void **state)
{
    (void)state;
    cph_optimizer_opts o = opts_of(CPH_OPTIMIZER_ADAFACTOR_T5X, 0.01, 0.25);
    subject s = subject_of(WIDE, &o, matrix);
    double moved[6], rms = sqrt(14.3125 / 6);
    for (int i = 0; i < 6; i++) /* y = g / |g| after one step, and its RMS is sqrt(5/6) */
        moved[i] = 0.75 * matrix[i] - 0.01 * rms * (matrix_g[0][i] > 0 ? 1 : matrix_g[0][i] < 0 ? -1 : 0);
    step(&s, matrix_g[0]);
    expect(&s, moved, 6e-7);
    for (size_t i = 0; i < cph_optimizer_n_states(s.o); i++)
        assert_string_equal(cph_optimizer_state(s.o, i).prefix, "exp_avg_sq");
    close_subject(&s);
}

static void muon_has_the_known_values(void **state)
{
    (void)state;
    static const double want[2][6] = {
        {0.997501774022, -1.979249086188, 0.492842963815, 0.236912469650, -0.003938615464, 3.004748863386},
        {1.000511869927, -1.973005934082, 0.480561016738, 0.222824245637, 0.000159464433, 3.002993117515}};
    static const double want_tall[6] = {0.996940310545, 0.233971114325, -1.974585424732,
                                        -0.004823799090, 0.491234456638, 3.005816146077};
    static const double orthogonal[6] = {0.124911237931, -1.037545502280, 0.357851753872,
                                         0.654376260484, 0.196930756605, -0.237443098848};
    static const double zero[6] = {0};
    double minus[6];
    cph_optimizer_opts o = opts_of(CPH_OPTIMIZER_MUON, 1e-3, 0);
    subject s = subject_of(WIDE, &o, matrix);
    for (int k = 0; k < 2; k++) {
        step(&s, matrix_g[k]);
        expect(&s, want[k], 8e-7);
    }
    close_subject(&s);
    s = subject_of(TALL, &o, tall);
    step(&s, tall_g);
    expect(&s, want_tall, 8e-7);
    close_subject(&s);
    o.momentum = 0; /* the step is the iterated gradient itself */
    o.muon_lr = 1;
    s = subject_of(WIDE, &o, zero);
    step(&s, matrix_g[0]);
    for (int i = 0; i < 6; i++) minus[i] = -orthogonal[i];
    expect(&s, minus, 6e-6);
    close_subject(&s);
}

static void muon_leaves_embeddings_and_vectors_to_adamw(void **state)
{
    (void)state;
    static const double plain[2] = {0.989000000200, -1.988000000100};
    cph_optimizer_opts o = opts_of(CPH_OPTIMIZER_MUON, 0.01, 0.1);
    subject s = subject_of(PAIR, &o, pair);
    step(&s, pair_g[0]);
    expect(&s, plain, 4e-7);
    for (size_t i = 0; i < cph_optimizer_n_states(s.o); i++) {
        cph_state st = cph_optimizer_state(s.o, i);
        assert_int_equal(strcmp(st.prefix, "momentum_buffer") == 0, st.param->hidden);
    }
    close_subject(&s);
}

/* ---- groups, clipping, averages ---- */

static void weight_decay_follows_the_groups(void **state)
{
    (void)state;
    static const char *const tensors[] = {PAIR, VECTOR, "transformer.h.0.mlp.c_fc.bias"};
    static const bool decays[CPH_N_DECAYS][3] = {
        [CPH_DECAY_HF] = {true, false, false}, [CPH_DECAY_2D] = {true, false, false}, [CPH_DECAY_BERT] = {true, true, false}};
    static const double start[3] = {1, -2, 4}, nothing[3] = {0};
    for (unsigned group = 0; group < CPH_N_DECAYS; group++)
        for (int i = 0; i < 3; i++) {
            cph_optimizer_opts o = opts_of(CPH_OPTIMIZER_ADAMW, 0.5, 0.5);
            o.decay = (cph_decay)group;
            subject s = subject_of(tensors[i], &o, start);
            step(&s, nothing);
            assert_true(s.p[1] == (decays[group][i] ? -1.5f : -2.0f));
            close_subject(&s);
        }
}

static void gradients_are_scaled_before_all_else(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < CPH_N_OPTIMIZERS; kind++) {
        cph_optimizer_opts o = opts_of((cph_optimizer_kind)kind, 0.01, 0.1);
        subject half = subject_of(WIDE, &o, matrix), whole = subject_of(WIDE, &o, matrix);
        for (int i = 0; i < 6; i++) {
            half.g[i] = (float)matrix_g[0][i];
            whole.g[i] = 0.5f * (float)matrix_g[0][i];
        }
        cph_optimizer_step(half.o, half.grads, &(cph_update){.t = 1, .schedule = 1, .grad_scale = 0.5});
        cph_optimizer_step(whole.o, whole.grads, &(cph_update){.t = 1, .schedule = 1, .grad_scale = 1});
        assert_memory_equal(half.p, whole.p, 6 * sizeof(float));
        close_subject(&half);
        close_subject(&whole);
    }
}

static void the_average_follows_and_is_exchanged_bit_for_bit(void **state)
{
    (void)state;
    cph_optimizer_opts o = opts_of(CPH_OPTIMIZER_SGD, 0.1, 0);
    o.ema = 0.75;
    subject s = subject_of(PAIR, &o, pair);
    double average[2] = {1, -2};
    for (int k = 0; k < 3; k++) {
        if (k == 0) /* it began at the weights of open */
            for (int i = 0; i < 2; i++) assert_true(cph_optimizer_swap(s.o) && s.p[i] == (float)pair[i]);
        step(&s, pair_g[k]);
        for (int i = 0; i < 2; i++) average[i] = 0.75 * average[i] + 0.25 * (double)s.p[i];
    }
    float before[2] = {s.p[0], s.p[1]};
    assert_true(cph_optimizer_swap(s.o));
    expect(&s, average, 4e-7);
    assert_true(cph_optimizer_swap(s.o));
    assert_memory_equal(s.p, before, sizeof before);
    close_subject(&s);
    o.ema = 0;
    s = subject_of(PAIR, &o, pair);
    assert_false(cph_optimizer_swap(s.o));
    close_subject(&s);
}

static void options_that_cannot_be_are_refused(void **state)
{
    (void)state;
    cph_model *m = model_of(TINY);
    for (int i = 0; i < 6; i++) {
        cph_optimizer *p = NULL;
        cph_optimizer_opts o = opts_of(i == 5 ? CPH_OPTIMIZER_ADAFACTOR_T5X : CPH_OPTIMIZER_ADAMW, 1e-3, 0);
        if (i == 0) o.beta1 = 1;
        if (i == 1) o.eps = 0;
        if (i == 2) o.ema = 1;
        if (i == 3) o.nesterov = true;
        if (i == 4) o.warmup_init = true;
        if (i == 5) o.relative_step = true;
        assert_int_equal(cph_optimizer_open(&p, m, &o, NULL, NULL, NULL), CPH_USAGE);
        assert_null(p);
    }
    cph_model_close(m);
}

/* ---- the same bits however it is cut ---- */

static void fill(float *x, uint64_t n, uint64_t seed)
{
    for (uint64_t i = 0; i < n; i++) x[i] = (float)((double)cph_philox_word(seed, 1, 0, 0, i) * 0x1p-31 - 1.0);
}

/* Padding stays zero, as the engine leaves it. */
static void fill_gradients(const cph_model *m, float *grads, uint64_t seed)
{
    for (size_t i = 0; i < cph_model_n_params(m); i++)
        fill(grads + cph_model_param(m, i)->offset, cph_model_param(m, i)->n, seed + i);
}

/* Weights after two steps of n ranks in turn, as SHA-256; *norm of the last gradient. */
static cph_digest cut_into(const cph_optimizer_opts *o, unsigned n, unsigned n_threads, double *norm)
{
    cph_model *m = model_of(LARGE);
    cph_pool *pool = NULL;
    cph_optimizer *ranks[8];
    uint64_t flat = cph_model_flat_len(m), end = 0;
    float *grads = floats(flat);
    must(cph_pool_open(&pool, n_threads, err));
    for (unsigned r = 0; r < n; r++) {
        cph_shard shard = cph_shard_of(m, o, r, n);
        assert_true(shard.first == end && shard.first <= shard.end);
        end = shard.end;
        must(cph_optimizer_open(&ranks[r], m, o, n == 1 ? NULL : &shard, pool, err));
    }
    assert_true(end == flat);
    for (uint64_t t = 1; t <= 2; t++) {
        fill_gradients(m, grads, 100 * t);
        double *all = cph_optimizer_sums(ranks[0], grads);
        for (unsigned r = 1; r < n; r++) {
            cph_shard shard = cph_shard_of(m, o, r, n);
            memcpy(all + shard.block_first, cph_optimizer_sums(ranks[r], grads) + shard.block_first,
                   (shard.block_end - shard.block_first) * sizeof *all);
        }
        *norm = cph_optimizer_norm(ranks[0]);
        /* The root mean squares are those of the weights before: each rank has its own copy of them. */
        float *before = floats(flat), *after = floats(flat), *w = cph_model_weights(m);
        memcpy(before, w, flat * sizeof *w);
        for (unsigned r = 0; r < n; r++) {
            cph_shard shard = cph_shard_of(m, o, r, n);
            memcpy(w, before, flat * sizeof *w);
            cph_optimizer_step(ranks[r], grads, &(cph_update){.t = t, .schedule = 0.5, .grad_scale = 0.9});
            memcpy(after + shard.first, w + shard.first, (shard.end - shard.first) * sizeof *w);
        }
        memcpy(w, after, flat * sizeof *w);
        cph_free(before);
        cph_free(after);
    }
    cph_digest d = cph_sha256_of(cph_model_weights(m), flat * sizeof(float));
    for (unsigned r = 0; r < n; r++) cph_optimizer_close(ranks[r]);
    cph_pool_close(pool);
    cph_free(grads);
    cph_model_close(m);
    return d;
}

static void shards_and_threads_do_not_change_a_bit(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < CPH_N_OPTIMIZERS; kind++) {
        cph_optimizer_opts o = opts_of((cph_optimizer_kind)kind, 0.01, 0.1);
        double norm, other;
        o.ema = 0.9;
        cph_digest whole = cut_into(&o, 1, 1, &norm), cut;
        for (unsigned n = 2; n <= 8; n += 2) {
            cut = cut_into(&o, n, n % 3 + 1, &other);
            if (cph_digest_cmp(&whole, &cut) != 0 || norm != other)
                fail_msg("%s: %u shards give other bits", cph_optimizer_text((cph_optimizer_kind)kind), n);
        }
    }
}

static void every_instruction_set_gives_the_same_bits(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < CPH_N_OPTIMIZERS; kind++) {
        cph_optimizer_opts o = opts_of((cph_optimizer_kind)kind, 0.01, 0.1);
        double norm, other;
        cph_digest best = cut_into(&o, 1, 2, &norm);
        assert_int_equal(setenv("COLOPHON_ISA", "ref", 1), 0);
        cph_digest plain = cut_into(&o, 1, 1, &other);
        assert_int_equal(unsetenv("COLOPHON_ISA"), 0);
        if (cph_digest_cmp(&best, &plain) != 0 || norm != other)
            fail_msg("%s: not the reference's bits", cph_optimizer_text((cph_optimizer_kind)kind));
    }
}

/* ---- state ---- */

static void state_is_listed_by_name_and_whole_at_every_rank(void **state)
{
    (void)state;
    cph_model *m = model_of(LARGE);
    cph_optimizer_opts o = opts_of(CPH_OPTIMIZER_ADAMW, 1e-3, 0);
    cph_optimizer *ranks[4];
    o.ema = 0.9;
    for (unsigned r = 0; r < 4; r++) {
        cph_shard shard = cph_shard_of(m, &o, r, 4);
        must(cph_optimizer_open(&ranks[r], m, &o, &shard, NULL, err));
    }
    assert_int_equal(cph_optimizer_n_states(ranks[0]), 3 * cph_model_n_params(m));
    for (size_t i = 0; i < cph_optimizer_n_states(ranks[0]); i++) {
        cph_state first = cph_optimizer_state(ranks[0], i);
        uint64_t covered = 0;
        for (unsigned r = 0; r < 4; r++) {
            cph_state s = cph_optimizer_state(ranks[r], i);
            assert_string_equal(s.prefix, first.prefix);
            assert_ptr_equal(s.param, first.param);
            assert_true(s.n == first.param->n && s.n_dims == first.param->n_dims);
            if (!s.n_here) continue;
            assert_true(s.first == covered && s.here != NULL);
            covered += s.n_here;
        }
        assert_true(covered == first.n);
    }
    for (unsigned r = 0; r < 4; r++) cph_optimizer_close(ranks[r]);
    cph_model_close(m);
}

static void factors_have_the_shapes_of_rows_and_columns(void **state)
{
    (void)state;
    cph_model *m = model_of(LARGE);
    cph_optimizer_opts o = opts_of(CPH_OPTIMIZER_ADAFACTOR_T5X, 1e-3, 0);
    cph_optimizer *p = NULL;
    unsigned rows = 0, columns = 0;
    must(cph_optimizer_open(&p, m, &o, NULL, NULL, err));
    for (size_t i = 0; i < cph_optimizer_n_states(p); i++) {
        cph_state s = cph_optimizer_state(p, i);
        if (strcmp(s.param->name, ATTENTION) != 0) continue;
        rows += strcmp(s.prefix, "exp_avg_sq_row") == 0 && s.n_dims == 1 && s.dims[0] == 130 && s.n == 130;
        columns += strcmp(s.prefix, "exp_avg_sq_col") == 0 && s.n_dims == 1 && s.dims[0] == 390 && s.n == 390;
    }
    assert_true(rows == 1 && columns == 1);
    cph_optimizer_close(p);
    cph_model_close(m);
}

static void open_takes_the_memory_that_need_tells(void **state)
{
    (void)state;
    cph_model *m = model_of(LARGE);
    for (unsigned kind = 0; kind < CPH_N_OPTIMIZERS; kind++) {
        cph_optimizer_opts o = opts_of((cph_optimizer_kind)kind, 1e-3, 0);
        cph_optimizer *p = NULL;
        uint64_t bytes = 0, before = cph_memory_in_use();
        must(cph_optimizer_need(m, &o, NULL, 1, &bytes, err));
        must(cph_optimizer_open(&p, m, &o, NULL, NULL, err));
        uint64_t taken = cph_memory_in_use() - before;
        assert_true(taken <= bytes + bytes / 100 + 4096 && bytes <= taken + taken / 100 + 4096);
        cph_optimizer_close(p);
        assert_true(cph_memory_in_use() == before);
    }
    cph_model_close(m);
}

static void a_failed_allocation_leaves_nothing_behind(void **state)
{
    (void)state;
    cph_model *m = model_of(TINY);
    cph_optimizer_opts o = opts_of(CPH_OPTIMIZER_MUON, 1e-3, 0);
    uint64_t before = cph_memory_in_use();
    for (uint64_t n = 1;; n++) {
        cph_optimizer *p = NULL;
        cph_memory_fail_at(n);
        cph_status s = cph_optimizer_open(&p, m, &o, NULL, NULL, NULL);
        cph_memory_fail_at(0);
        if (s == CPH_OK) {
            cph_optimizer_close(p);
            assert_true(n > 5);
            break;
        }
        assert_int_equal(s, CPH_NOMEM);
        assert_true(p == NULL && cph_memory_in_use() == before);
    }
    cph_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_adamw_has_the_known_values),
        cmocka_unit_test(sgd_has_the_values_of_pytorch),
        cmocka_unit_test(adafactor_has_the_known_values),
        cmocka_unit_test(adafactor_chooses_its_own_rate),
        cmocka_unit_test(adafactor_with_momentum_moves_by_its_moment),
        cmocka_unit_test(the_adafactor_of_t5x_differs_where_the_text_says),
        cmocka_unit_test(muon_has_the_known_values),
        cmocka_unit_test(muon_leaves_embeddings_and_vectors_to_adamw),
        cmocka_unit_test(weight_decay_follows_the_groups),
        cmocka_unit_test(gradients_are_scaled_before_all_else),
        cmocka_unit_test(the_average_follows_and_is_exchanged_bit_for_bit),
        cmocka_unit_test(options_that_cannot_be_are_refused),
        cmocka_unit_test(shards_and_threads_do_not_change_a_bit),
        cmocka_unit_test(every_instruction_set_gives_the_same_bits),
        cmocka_unit_test(state_is_listed_by_name_and_whole_at_every_rank),
        cmocka_unit_test(factors_have_the_shapes_of_rows_and_columns),
        cmocka_unit_test(open_takes_the_memory_that_need_tells),
        cmocka_unit_test(a_failed_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
