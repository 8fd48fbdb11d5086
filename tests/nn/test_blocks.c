/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_blocks.c - small blocks as BERT and T5 have them, recorded and differentiated: tensors
 * with several readers, a bias shared by layers, an encoder read by every decoder layer,
 * adapters on frozen weights. Gradients are compared with differences of the loss.
 */
#include <colophon/base/memory.h>
#include <colophon/base/philox.h>

#include <math.h>

#include "record_in.h"
#include "testing.h"

#define MAX_ELEMENTS 1024u /* of a parameter */
#define D 12u  /* width */
#define A 16u  /* heads x head_dim */
#define F 20u  /* inner width */
#define V 29u  /* vocabulary */
#define B 2u
#define TE 9u  /* encoder's length */
#define TD 7u  /* decoder's */

static const cph_draw draw = {5, 1, 3};
static const float inv_labels = 1.0f / 9, inv_classes = 0.5f;
static uint32_t enc_ids[B * TE], dec_ids[B * TD], positions[B * TE], types[B * TE], enc_seg[B * TE], dec_seg[B * TD];
static uint32_t first_of[B], n_of[B];
static float cosines[TE * 3], sines[TE * 3];
static int32_t labels[B * TD], masked[6], mlm_labels[6], first_rows[B], classes[B];

/* A recorded function of its parameters: what the test turns and what it looks at. */
typedef struct subject subject;
typedef void (*record_fn)(subject *s);
struct subject {
    cph_registry params;
    cph_tape *tape;
    cph_exec *exec;
    float *weights, *grads, *arena;
    cph_tensor losses[2];
    float inv[2];
    double drop;
    bool adapters; /* freeze all but what is called lora */
    bool again;    /* layers run forward twice */
    cph_dtype dtype;
};

static uint32_t add(subject *s, const char *name, uint32_t rows, uint32_t columns)
{
    uint32_t index;
    bool lora = strncmp(name, "lora", 4) == 0, gain = strncmp(name, "gain", 4) == 0;
    cph_param p = {.name = name, .n_dims = columns ? 2 : 1, .dims = {rows, columns},
                   .trainable = !s->adapters || lora,
                   .start = gain ? CPH_START_ONE : CPH_START_NORMAL, .std = 0.3};
    must(cph_registry_add(&s->params, &p, &index, err));
    return index;
}
/* Parameters of a layer: the name with its number. */
static uint32_t add_at(subject *s, const char *name, unsigned layer, uint32_t rows, uint32_t columns)
{
    char full[64];
    snprintf(full, sizeof full, "%.40s.%u", name, layer);
    return add(s, full, rows, columns);
}
static cph_drop drop_of(const subject *s, uint32_t site) { return (cph_drop){s->drop, site, &draw}; }
static void end_layer(subject *s, size_t from)
{
    if (s->again) cph_tape_recompute(s->tape, from, cph_tape_n_nodes(s->tape));
}
static cph_attention heads_of(uint32_t q_len, uint32_t k_len)
{
    return (cph_attention){.batch = B, .q_len = q_len, .k_len = k_len, .heads = 2, .kv_heads = 2,
                           .head_dim = A / 2,
                           .scale = 0.4f};
}

/* ---- BERT: post-norm, masked words and pairs ---- */

static cph_normed bert_layer(subject *s, cph_normed n, unsigned i)
{
    uint32_t w[3], b[3];
    cph_tape *t = s->tape;
    cph_attention shape = heads_of(TE, TE);
    shape.q_seg = shape.k_seg = enc_seg;
    for (unsigned k = 0; k < 3; k++) w[k] = add_at(s, (const char *[]){"q", "k", "v"}[k], i, A, D);
    for (unsigned k = 0; k < 3; k++) b[k] = add_at(s, (const char *[]){"qb", "kb", "vb"}[k], i, A, 0);
    cph_tensor o = cph_tape_attention(t, cph_tape_linear_joined(t, n.h, w, b, 3), &shape);
    o = cph_tape_linear(t, o, add_at(s, "o", i, D, A), add_at(s, "ob", i, D, 0), true, CPH_ACT_NONE);
    cph_norm_opts norm = {.gamma = add_at(s, "gain1", i, D, 0), .beta = add_at(s, "beta1", i, D, 0),
                          .eps = 1e-12,
                          .stream = true, .drop = drop_of(s, 10 + i)};
    n = cph_tape_norm_as(t, n.stream, o, &norm);
    cph_tensor f = cph_tape_linear(t, n.h, add_at(s, "wi", i, F, D), add_at(s, "wib", i, F, 0), true,
                                   CPH_ACT_GELU);
    f = cph_tape_linear(t, f, add_at(s, "wo", i, D, F), add_at(s, "wob", i, D, 0), true, CPH_ACT_NONE);
    norm.gamma = add_at(s, "gain2", i, D, 0), norm.beta = add_at(s, "beta2", i, D, 0);
    norm.drop = drop_of(s, 20 + i);
    return cph_tape_norm_as(t, n.stream, f, &norm);
}

static void record_bert(subject *s)
{
    cph_tape *t = s->tape;
    cph_tensor none;
    cph_embedding e = {.tok = add(s, "tok", V, D), .pos = add(s, "pos", TE, D), .typ = add(s, "typ", 2, D),
                       .ids = enc_ids, .positions = positions, .types = types, .rows = B * TE};
    cph_norm_opts norm = {.gamma = add(s, "gain", D, 0), .beta = add(s, "beta", D, 0), .eps = 1e-12,
                          .stream = true,
                          .h_drop = drop_of(s, 9)};
    cph_normed n = cph_tape_norm_as(t, cph_tape_embedding(t, &e), 0, &norm);
    for (unsigned i = 0; i < 2; i++) {
        size_t from = cph_tape_n_nodes(t);
        n = bert_layer(s, n, i);
        end_layer(s, from);
    }
    cph_tensor rows = cph_tape_gather(t, n.h, masked, 6);
    rows = cph_tape_linear(t, rows, add(s, "mlm", D, D), add(s, "mlmb", D, 0), true, CPH_ACT_GELU);
    norm = (cph_norm_opts){.gamma = add(s, "gainm", D, 0), .beta = add(s, "betam", D, 0), .eps = 1e-12};
    cph_loss_opts loss = {.w = e.tok, .b = add(s, "out", V, 0), .labels = mlm_labels,
                          .inv_labels = &inv_labels};
    cph_tape_loss_as(t, cph_tape_norm_as(t, 0, rows, &norm).h, &loss, &s->losses[0], &none);
    cph_tensor cls = cph_tape_gather(t, n.h, first_rows, B);
    cls = cph_tape_linear(t, cls, add(s, "pool", D, D), add(s, "poolb", D, 0), true, CPH_ACT_TANH);
    cls = cph_tape_linear(t, cls, add(s, "pair", 2, D), add(s, "pairb", 2, 0), true, CPH_ACT_NONE);
    s->losses[1] = cph_tape_classes(t, cls, classes, &inv_classes);
    s->inv[0] = inv_labels, s->inv[1] = inv_classes;
}

/* ---- T5: RMS norm, gated, buckets, cross-attention ---- */

/* Adapters on q, as PEFT has them by default on q and v. */
static cph_tensor query(subject *s, cph_tensor h, const char *name, unsigned i)
{
    char a[40], b[40];
    uint32_t w = add_at(s, name, i, A, D);
    snprintf(a, sizeof a, "lora.%s.a", name);
    snprintf(b, sizeof b, "lora.%s.b", name);
    cph_lora lora = {.a = add_at(s, a, i, 3, D), .b = add_at(s, b, i, A, 3), .scale = 2,
                     .drop = drop_of(s, 30 + i)};
    return cph_tape_lora_linear(s->tape, h, w, CPH_NO_PARAM, true, CPH_ACT_NONE, &lora);
}
static cph_tensor plain(subject *s, cph_tensor h, const char *name, unsigned i, uint32_t out, uint32_t in)
{
    return cph_tape_linear(s->tape, h, add_at(s, name, i, out, in), CPH_NO_PARAM, true, CPH_ACT_NONE);
}
static cph_normed rms(subject *s, cph_tensor x, cph_tensor y, const char *name, unsigned i, bool last)
{
    cph_norm_opts o = {.gamma = add_at(s, name, i, D, 0), .eps = 1e-6, .rms = true, .drop = drop_of(s,
                                                                                                    40 + i),
                       .h_drop = {last ? s->drop : 0, 50 + i, &draw}};
    return cph_tape_norm_as(s->tape, x, y, &o);
}
static cph_tensor self_attention(subject *s, cph_tensor h, cph_tensor bias, unsigned i, bool decoder)
{
    cph_attention shape = heads_of(decoder ? TD : TE, decoder ? TD : TE);
    shape.q_seg = shape.k_seg = decoder ? dec_seg : enc_seg;
    shape.causal = decoder;
    shape.bias_zero = shape.q_len - 1;
    shape.drop = drop_of(s, 60 + i);
    cph_attended in = {.q = query(s, h, "q", i), .k = plain(s, h, "k", i, A, D), .v = plain(s, h, "v", i, A,
                                                                                            D),
                       .bias = bias};
    return plain(s, cph_tape_attend(s->tape, &in, &shape), "o", i, D, A);
}
static cph_tensor cross_attention(subject *s, cph_tensor h, cph_tensor encoded, unsigned i)
{
    cph_attention shape = heads_of(TD, TE);
    shape.q_seg = dec_seg, shape.k_seg = enc_seg;
    cph_attended in = {.q = query(s, h, "cq", i), .k = plain(s, encoded, "ck", i, A, D),
                       .v = plain(s, encoded, "cv", i, A, D)};
    return plain(s, cph_tape_attend(s->tape, &in, &shape), "co", i, D, A);
}
static cph_tensor feed_forward(subject *s, cph_tensor h, unsigned i)
{
    cph_tensor a = plain(s, h, "wi0", i, F, D), b = plain(s, h, "wi1", i, F, D);
    return plain(s, cph_tape_gate(s->tape, a, b, CPH_ACT_GELU_NEW, drop_of(s, 70 + i)), "wo", i, D, F);
}
static cph_tensor bucket_bias(subject *s, const char *name, uint32_t len, bool bidirectional)
{
    return cph_tape_bucket_bias(s->tape, add(s, name, 8, 2),
                                &(cph_bucket_bias){.length = 2 * len - 1, .zero = len - 1, .max_distance = 6,
                                                   .bidirectional = bidirectional});
}
/* A stack of two layers; layers are numbered from `base`. */
static cph_tensor stack(subject *s, cph_tensor x, cph_tensor bias, unsigned base, bool decoder,
                        cph_tensor encoded)
{
    cph_tensor y = 0;
    for (unsigned i = base; i < base + 2; i++) {
        size_t from = cph_tape_n_nodes(s->tape);
        cph_normed n = rms(s, x, y, "gain1", i, false);
        x = n.sum;
        y = self_attention(s, n.h, bias, i, decoder);
        if (decoder) {
            n = rms(s, x, y, "gain2", i, false);
            x = n.sum;
            y = cross_attention(s, n.h, encoded, i);
        }
        n = rms(s, x, y, "gain3", i, false);
        x = n.sum;
        y = feed_forward(s, n.h, i);
        end_layer(s, from);
    }
    return rms(s, x, y, "gain4", base, true).h;
}

static void record_t5(subject *s)
{
    cph_tape *t = s->tape;
    cph_tensor none;
    cph_embedding e = {.tok = add(s, "shared", V, D), .pos = CPH_NO_PARAM, .typ = CPH_NO_PARAM,
                       .ids = enc_ids,
                       .rows = B * TE, .drop = drop_of(s, 7)};
    cph_tensor x = cph_tape_embedding(t, &e), encoder_bias = bucket_bias(s, "encoder", TE, true);
    cph_tensor encoded = stack(s, x, encoder_bias, 0, false, 0);
    e.ids = dec_ids, e.rows = B * TD, e.drop.site = 8;
    x = cph_tape_embedding(t, &e);
    cph_tensor decoder_bias = bucket_bias(s, "decoder", TD, false);
    cph_tensor h = cph_tape_scale(t, stack(s, x, decoder_bias, 2, true, encoded), 0.5f);
    cph_loss_opts loss = {.w = e.tok, .b = CPH_NO_PARAM, .labels = labels, .inv_labels = &inv_labels,
                          .z_loss = 1e-2,
                          .targets = cph_targets_torch(0.1, V)};
    cph_tape_loss_as(t, h, &loss, &s->losses[0], &none);
    s->inv[0] = inv_labels;
}

/* ---- later families: rotation, one key head for two, windows, a gate of silu; a mean at the end ---- */

static cph_tensor turned_attention(subject *s, cph_tensor h, unsigned i)
{
    cph_attention shape = heads_of(TE, TE);
    shape.kv_heads = 1, shape.window = 4;
    cph_tensor qkv = plain(s, h, "qkv", i, A + A, D);
    cph_tape_rotary(s->tape, qkv, &(cph_rotary){.cos = cosines, .sin = sines, .positions = positions,
                                                .heads = 3,
                                                .head_dim = A / 2, .dim = 6, .interleaved = i % 2});
    return plain(s, cph_tape_attention(s->tape, qkv, &shape), "o", i, D, A);
}

static void record_turned(subject *s)
{
    cph_tape *t = s->tape;
    cph_embedding e = {.tok = add(s, "tok", V, D), .pos = CPH_NO_PARAM, .typ = CPH_NO_PARAM, .ids = enc_ids,
                       .rows = B * TE, .scale = 1.5f};
    cph_tensor x = cph_tape_embedding(t, &e), y = 0;
    cph_rotary_tables(cosines, sines, TE, 6, 100);
    for (unsigned i = 0; i < 2; i++) {
        size_t from = cph_tape_n_nodes(t);
        cph_normed n = rms(s, x, y, "gain1", i, false);
        y = turned_attention(s, n.h, i);
        n = rms(s, n.sum, y, "gain2", i, false);
        x = n.sum;
        cph_tensor a = plain(s, n.h, "wi0", i, F, D), b = plain(s, n.h, "wi1", i, F, D);
        y = plain(s, cph_tape_gate(t, a, b, CPH_ACT_SILU, drop_of(s, 70 + i)), "wo", i, D, F);
        end_layer(s, from);
    }
    cph_tensor h = rms(s, x, y, "gain3", 0, false).h, means = cph_tape_mean(t, h, first_of, n_of, B);
    cph_tensor spread = cph_tape_scatter(t, means, first_rows, B * TE);
    cph_tensor both = cph_tape_mul(t, cph_tape_add(t, h, spread), h);
    cph_tensor logits = plain(s, cph_tape_gather(t, both, first_rows, B), "head", 0, 5, D);
    s->losses[0] = cph_tape_classes(t, logits, classes, &inv_classes);
    s->inv[0] = inv_classes;
}

/* ---- pass and comparison ---- */

static void fill_inputs(void)
{
    for (uint32_t i = 0; i < B * TE; i++) {
        enc_ids[i] = (7 * i + 3) % V, positions[i] = i % TE, types[i] = i % TE > 5;
        enc_seg[i] = i % TE < 4 ? 1 : i % TE < 8 ? 2 : 0;
    }
    for (uint32_t i = 0; i < B * TD; i++) {
        dec_ids[i] = (11 * i + 1) % V, dec_seg[i] = i % TD < 3 ? 1 : i % TD < 6 ? 2 : 0;
        labels[i] = dec_seg[i] ? (int32_t)((13 * i + 2) % V) : -100;
    }
    for (int i = 0; i < 6; i++) masked[i] = i < 5 ? 3 * i + 1 : -1, mlm_labels[i] = i < 5 ? 5 * i : -100;
    for (uint32_t b = 0; b < B; b++) {
        first_rows[b] = (int32_t)(b * TE), classes[b] = b % 2;
        first_of[b] = b * TE, n_of[b] = TE - 2 * b;
    }
}

static void *floats(size_t n)
{
    void *mem;
    must(cph_alloc0(&mem, (n + 1) * sizeof(float), err));
    return mem;
}

static void open_subject(subject *s, record_fn record, const char *isa)
{
    const cph_backend *backend;
    uint64_t arena;
    fill_inputs();
    s->losses[0] = s->losses[1] = 0;
    if (isa) must(cph_backend_named(&backend, isa, err));
    else must(cph_backend_choose(&backend, err));
    cph_registry_init(&s->params);
    must(cph_tape_open(&s->tape, &s->params, &(cph_tape_opts){.train = true, .dtype = s->dtype,
                                                              .backend = backend}, err));
    record(s);
    must(cph_tape_plan(s->tape, &arena, err));
    s->weights = floats(s->params.flat_len);
    s->grads = floats(s->params.flat_len);
    s->arena = floats(arena);
    cph_pool *pool = NULL;
    must(cph_pool_open(&pool, 1, err));
    must(cph_registry_start(&s->params, s->weights, 3, pool, err));
    cph_pool_close(pool);
    for (size_t i = 0; i < s->params.n; i++) /* gains away from 1 */
        for (uint64_t k = 0; s->params.items[i].start == CPH_START_ONE && k < s->params.items[i].n; k++)
            s->weights[s->params.items[i].offset + k] += 0.1f * (float)(k % 5);
    must(cph_exec_open(&s->exec, backend, NULL, err));
    must(cph_exec_reserve(s->exec, cph_tape_scratch(s->tape), err));
    cph_tape_bind(s->tape, &(cph_bases){s->weights, s->grads, s->arena, NULL});
}

static void close_subject(subject *s)
{
    cph_exec_close(s->exec);
    cph_tape_close(s->tape);
    cph_free(s->weights);
    cph_free(s->grads);
    cph_free(s->arena);
    cph_registry_release(&s->params);
}

static double loss_of(const subject *s)
{
    double sum = 0;
    for (unsigned k = 0; k < 2 && s->losses[k]; k++) {
        const float *l = cph_tape_data(s->tape, s->losses[k]);
        for (uint32_t i = 0; i < s->tape->tensors[s->losses[k]].rows; i++) sum += (double)l[i] * (double)s->inv[k];
    }
    return sum;
}

static void step(subject *s, bool fresh)
{
    cph_tape_fresh_grads(s->tape, fresh);
    cph_tape_forward(s->tape, s->exec);
    cph_tape_backward(s->tape, s->exec);
}

/* (L(w + h d) - L(w - h d)) / 2h */
static double difference(subject *s, const cph_param *p, const float *unit, double h)
{
    float keep[MAX_ELEMENTS], *w = s->weights + p->offset;
    double at[2];
    memcpy(keep, w, p->n * sizeof *w);
    for (int side = 0; side < 2; side++) {
        for (uint64_t i = 0; i < p->n; i++) w[i] = (float)((double)keep[i] + (side ? -h : h) * (double)unit[i]);
        cph_tape_forward(s->tape, s->exec);
        at[side] = loss_of(s);
    }
    memcpy(w, keep, p->n * sizeof *w);
    return (at[0] - at[1]) / (2 * h);
}

/* The loss along `direction` against the gradient; two differences, so that curvature falls out. */
static void check_direction(subject *s, const cph_param *p, const float *direction, const float *grad)
{
    double length = 0, along = 0, size = 0;
    float unit[MAX_ELEMENTS];
    assert_true(p->n <= MAX_ELEMENTS);
    for (uint64_t i = 0; i < p->n; i++) {
        length += (double)direction[i] * (double)direction[i];
        along += (double)direction[i] * (double)grad[i];
        size += (double)grad[i] * (double)grad[i];
    }
    if (length == 0) return;
    length = sqrt(length), along /= length, size = sqrt(size);
    for (uint64_t i = 0; i < p->n; i++) unit[i] = (float)((double)direction[i] / length);
    double slope = (4 * difference(s, p, unit, 1e-3) - difference(s, p, unit, 2e-3)) / 3;
    if (!(fabs(slope - along) <= 0.01 * size + 2e-3)) fail_msg("%s: %g along, %g by difference", p->name,
                                                               along, slope);
}

static void check_gradients(subject *s)
{
    float grad[MAX_ELEMENTS], other[MAX_ELEMENTS];
    uint64_t draws = 0;
    step(s, true);
    void *all = floats(s->params.flat_len);
    memcpy(all, s->grads, s->params.flat_len * sizeof(float));
    for (size_t i = 0; i < s->params.n; i++) {
        const cph_param *p = &s->params.items[i];
        if (!p->trainable) continue;
        memcpy(grad, (float *)all + p->offset, p->n * sizeof(float));
        for (uint64_t k = 0; k < p->n; k++) other[k] = (float)((double)cph_philox_word(9, 1, 0, 0, draws++) * 0x1p-31 - 1);
        check_direction(s, p, grad, grad);
        check_direction(s, p, other, grad);
    }
    cph_free(all);
}

static void try_gradients(record_fn record, double drop, bool adapters)
{
    subject s = {.drop = drop, .adapters = adapters};
    open_subject(&s, record, NULL);
    check_gradients(&s);
    close_subject(&s);
}

static void a_post_norm_encoder_has_the_right_gradients(void **state)
{
    (void)state;
    try_gradients(record_bert, 0, false);
    try_gradients(record_bert, 0.2, false);
}

static void an_encoder_and_a_decoder_that_share_have_the_right_gradients(void **state)
{
    (void)state;
    try_gradients(record_t5, 0, false);
    try_gradients(record_t5, 0.2, false);
}

static void rotation_and_grouped_heads_have_the_right_gradients(void **state)
{
    (void)state;
    try_gradients(record_turned, 0.2, false);
}

static void try_again(record_fn record, bool adapters, cph_dtype dtype)
{
    subject once = {.drop = 0.2, .adapters = adapters, .dtype = dtype};
    subject twice = {.drop = 0.2, .adapters = adapters, .dtype = dtype, .again = true};
    open_subject(&once, record, NULL);
    open_subject(&twice, record, NULL);
    for (int pass = 0; pass < 2; pass++) {
        step(&once, pass == 0);
        step(&twice, pass == 0);
        assert_true(loss_of(&once) == loss_of(&twice));
        assert_memory_equal(once.grads, twice.grads, once.params.flat_len * sizeof(float));
    }
    assert_true(twice.tape->arena_floats < once.tape->arena_floats);
    close_subject(&once);
    close_subject(&twice);
}

static void layers_that_run_twice_give_the_same_bits(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 2; type++) {
        try_again(record_bert, false, type ? CPH_BF16 : CPH_F32);
        try_again(record_t5, false, type ? CPH_BF16 : CPH_F32);
        try_again(record_t5, true, type ? CPH_BF16 : CPH_F32);
        try_again(record_turned, false, type ? CPH_BF16 : CPH_F32);
    }
}

static void adapters_on_frozen_weights_have_the_right_gradients(void **state)
{
    (void)state;
    try_gradients(record_t5, 0.2, true);
}

/* Freezing changes no bit of what is still trained, and what reaches only frozen weights does not run. */
static void freezing_changes_no_gradient_that_remains(void **state)
{
    (void)state;
    subject whole = {.drop = 0.1}, frozen = {.drop = 0.1, .adapters = true};
    size_t runs[2] = {0, 0}, compared = 0;
    open_subject(&whole, record_t5, NULL);
    open_subject(&frozen, record_t5, NULL);
    step(&whole, true);
    step(&frozen, true);
    for (size_t i = 0; i < whole.params.n; i++) {
        const cph_param *p = &frozen.params.items[i];
        if (p->trainable)
            assert_memory_equal(whole.grads + p->offset, frozen.grads + p->offset, p->n * sizeof(float));
        compared += p->trainable;
    }
    for (size_t i = 0; i < whole.tape->n_nodes; i++) runs[0] += whole.tape->runs[i], runs[1] += frozen.tape->runs[i];
    assert_true(compared == 12 && runs[1] < runs[0] && frozen.tape->arena_floats < whole.tape->arena_floats);
    for (size_t i = 0; i < frozen.tape->n_nodes; i++) /* nothing trainable lies there or before */
        assert_true(!frozen.tape->runs[i] || (frozen.tape->nodes[i].kind != CPH_OP_embed &&
                                              frozen.tape->nodes[i].kind != CPH_OP_bucket_bias));
    close_subject(&whole);
    close_subject(&frozen);
}

/* Tensor by tensor; what a softmax without 1/sqrt(d) does to rounding, text-models 16.9 knows: 30 %. */
static void try_bf16(record_fn record, double bound)
{
    subject exact = {.dtype = CPH_F32}, rounded = {.dtype = CPH_BF16};
    open_subject(&exact, record, NULL);
    open_subject(&rounded, record, NULL);
    step(&exact, true);
    step(&rounded, true);
    if (!(fabs(loss_of(&exact) - loss_of(&rounded)) < 0.01 * loss_of(&exact)))
        fail_msg("loss %g, in bf16 %g", loss_of(&exact), loss_of(&rounded));
    for (size_t i = 0; i < exact.params.n; i++) {
        const cph_param *p = &exact.params.items[i];
        double apart = 0, size = 0;
        for (uint64_t k = p->offset; k < p->offset + p->n; k++) {
            double want = (double)exact.grads[k], d = want - (double)rounded.grads[k];
            apart += d * d, size += want * want;
        }
        if (!(sqrt(apart) <= bound * sqrt(size) + 5e-3)) fail_msg("%s: %g apart of %g", p->name, sqrt(apart),
                                                                  sqrt(size));
    }
    close_subject(&exact);
    close_subject(&rounded);
}

static void bf16_gradients_are_close_to_those_of_fp32(void **state)
{
    (void)state;
    try_bf16(record_bert, 0.1);
    try_bf16(record_t5, 0.3);
    try_bf16(record_turned, 0.1);
}

static void try_isa(record_fn record, cph_dtype dtype, const char *isa)
{
    const cph_backend *b;
    if (cph_backend_named(&b, isa, NULL) != CPH_OK) return;
    subject one = {.drop = 0.2, .dtype = dtype}, other = {.drop = 0.2, .dtype = dtype};
    open_subject(&one, record, "ref");
    open_subject(&other, record, isa);
    step(&one, true);
    step(&other, true);
    assert_true(loss_of(&one) == loss_of(&other));
    assert_memory_equal(one.grads, other.grads, one.params.flat_len * sizeof(float));
    step(&other, false); /* adds to what the first left */
    step(&one, false);
    assert_memory_equal(one.grads, other.grads, one.params.flat_len * sizeof(float));
    close_subject(&one);
    close_subject(&other);
}

static void blocks_have_the_same_bits_on_every_instruction_set(void **state)
{
    (void)state;
    static const char *const isas[] = {"avx2", "avx512", "neon"};
    for (unsigned i = 0; i < 3; i++)
        for (unsigned type = 0; type < 2; type++) {
            try_isa(record_bert, type ? CPH_BF16 : CPH_F32, isas[i]);
            try_isa(record_t5, type ? CPH_BF16 : CPH_F32, isas[i]);
            try_isa(record_turned, type ? CPH_BF16 : CPH_F32, isas[i]);
        }
}

static void refuse(void (*record)(subject *s), const char *what)
{
    subject s = {0};
    uint64_t arena;
    const cph_backend *backend;
    cph_err err = {0};
    fill_inputs();
    must(cph_backend_choose(&backend, err));
    cph_registry_init(&s.params);
    must(cph_tape_open(&s.tape, &s.params, &(cph_tape_opts){.train = true, .dtype = CPH_BF16,
                                                            .backend = backend}, err));
    record(&s);
    assert_int_equal(cph_tape_plan(s.tape, &arena, &err), CPH_BUG);
    if (!strstr(err.what, what)) fail_msg("%s", err.what);
    cph_tape_close(s.tape);
    cph_registry_release(&s.params);
}

static cph_tensor stream_of(subject *s)
{
    return cph_tape_embedding(s->tape, &(cph_embedding){.tok = add(s, "tok", V, D), .pos = CPH_NO_PARAM,
                                                        .typ = CPH_NO_PARAM, .ids = enc_ids, .rows = B * TE});
}
static void record_twice(subject *s)
{
    cph_tensor x = stream_of(s);
    cph_normed n = cph_tape_norm_as(s->tape, cph_tape_mul(s->tape, x, x), 0,
                                    &(cph_norm_opts){.gamma = add(s, "gain", D, 0), .eps = 1e-6,
                                                     .rms = true});
    cph_tape_classes(s->tape, n.h, classes, &inv_classes);
}
static void record_stream_into_product(subject *s)
{
    cph_tape_linear(s->tape, stream_of(s), add(s, "w", D, D), CPH_NO_PARAM, true, CPH_ACT_NONE);
}
static void record_short_bias(subject *s)
{
    cph_attention shape = heads_of(TE, TE);
    cph_normed n = cph_tape_norm_as(s->tape, stream_of(s), 0,
                                    &(cph_norm_opts){.gamma = add(s, "gain", D, 0), .eps = 1e-6,
                                                     .rms = true});
    cph_tensor q = plain(s, n.h, "q", 0, A, D);
    cph_attended in = {.q = q, .k = q, .v = q, .bias = bucket_bias(s, "encoder", TE, true)};
    cph_tape_attend(s->tape, &in, &shape); /* bias_zero is not said */
}

static void tapes_that_cannot_be_differentiated_are_refused(void **state)
{
    (void)state;
    refuse(record_twice, "takes the same tensor twice");
    refuse(record_stream_into_product, "not of the tape's type");
    refuse(record_short_bias, "does not reach");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_post_norm_encoder_has_the_right_gradients),
        cmocka_unit_test(an_encoder_and_a_decoder_that_share_have_the_right_gradients),
        cmocka_unit_test(adapters_on_frozen_weights_have_the_right_gradients),
        cmocka_unit_test(rotation_and_grouped_heads_have_the_right_gradients),
        cmocka_unit_test(layers_that_run_twice_give_the_same_bits),
        cmocka_unit_test(freezing_changes_no_gradient_that_remains),
        cmocka_unit_test(bf16_gradients_are_close_to_those_of_fp32),
        cmocka_unit_test(blocks_have_the_same_bits_on_every_instruction_set),
        cmocka_unit_test(tapes_that_cannot_be_differentiated_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
