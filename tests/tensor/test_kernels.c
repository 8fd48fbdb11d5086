/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_kernels.c - every operation of ops.def on every instruction set against the
 * reference: the same bits, odd sizes and tails, nothing written outside its tensors.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <colophon/base/hash.h>
#include <colophon/base/memory.h>
#include <colophon/base/philox.h>
#include <colophon/tensor/math.h>

#include "tensor_in.h"

#define GUARD 37u /* odd: tensors lie unaligned */
#define POOL_FLOATS (1u << 22)
#define MAX_BUFFERS 64
/* Random cases of an operation: many at full speed, some under a sanitizer or an emulator; every number of threads
   has its share. */
#if defined __SANITIZE_THREAD__
#define CASES 3
#elif defined __SANITIZE_ADDRESS__ || defined __aarch64__
#define CASES 6
#else
#define CASES 25
#endif

/* One random case: buffers cut from a pool full of a pattern, digested after the run. */
typedef struct bench {
    float *pool;
    size_t used;
    struct {
        size_t at, n;
        bool out;
        cph_dtype type;
    } buffers[MAX_BUFFERS];
    unsigned n_buffers;
    cph_dtype dtype;
    const cph_backend *backend;
    uint64_t seed, draws;
    cph_draw draw;
} bench;

static const float PATTERN = -12345.678f;

static uint32_t random_word(bench *b) { return cph_philox_word(b->seed, 7, 0, 0, b->draws++); }
static uint32_t pick(bench *b, uint32_t lo, uint32_t hi) { return lo + random_word(b) % (hi - lo + 1); }
static float random_float(bench *b) { return (float)((double)random_word(b) * 0x1p-31 - 1.0); }

/* Cuts the next n floats; they and the guard behind them are full of the pattern, as is the guard before them. */
static float *buffer(bench *b, size_t n, bool out, bool filled)
{
    assert_true(b->used + n + 2 * GUARD <= POOL_FLOATS && b->n_buffers < MAX_BUFFERS);
    float *p = b->pool + b->used + GUARD;
    for (size_t i = 0; i < n + GUARD; i++) p[i] = PATTERN;
    b->buffers[b->n_buffers].at = b->used + GUARD;
    b->buffers[b->n_buffers].n = n;
    b->buffers[b->n_buffers].type = CPH_F32;
    b->buffers[b->n_buffers++].out = out;
    b->used += n + GUARD;
    for (size_t i = 0; filled && i < n; i++) p[i] = random_float(b);
    return p;
}
static float *in(bench *b, size_t n) { return buffer(b, n, false, true); }
static float *out(bench *b, size_t n) { return buffer(b, n, true, false); }
static float *sum(bench *b, size_t n) { return buffer(b, n, true, true); } /* is added to */
static float *scratch(bench *b, size_t n) { return buffer(b, n, false, false); }
/* The same for what has the record's type. */
static void *values(bench *b, size_t n, bool is_out, bool filled)
{
    if (b->dtype == CPH_F32) return buffer(b, n, is_out, filled);
    uint16_t *p = (uint16_t *)(void *)buffer(b, (n + 1) / 2, is_out, false);
    b->buffers[b->n_buffers - 1].type = CPH_BF16;
    for (size_t i = 0; filled && i < n; i++) p[i] = cph_bf16_of(random_float(b));
    return p;
}
static void *v_in(bench *b, size_t n) { return values(b, n, false, true); }
static void *v_out(bench *b, size_t n) { return values(b, n, true, false); }
static void *v_sum(bench *b, size_t n) { return values(b, n, true, true); }
static void *bytes(bench *b, size_t n) { return scratch(b, (n + sizeof(float) - 1) / sizeof(float)); }
static uint32_t *numbers(bench *b, size_t n, uint32_t below)
{
    uint32_t *p = (uint32_t *)(void *)scratch(b, n);
    for (size_t i = 0; i < n; i++) p[i] = random_word(b) % below;
    return p;
}

static cph_drop some_drop(bench *b, uint32_t site)
{
    b->draw = (cph_draw){random_word(b), pick(b, 0, 9), pick(b, 0, 9)};
    return (cph_drop){pick(b, 0, 1) ? 0.1 + 0.2 * pick(b, 0, 2) : 0, site, &b->draw};
}

static void check_guards(const bench *b)
{
    size_t end = 0;
    for (unsigned i = 0; i < b->n_buffers; i++) {
        for (size_t j = end; j < b->buffers[i].at; j++) assert_memory_equal(&b->pool[j], &PATTERN,
                                                                            sizeof PATTERN);
        end = b->buffers[i].at + b->buffers[i].n;
    }
    for (size_t j = end; j < b->used + GUARD; j++) assert_memory_equal(&b->pool[j], &PATTERN, sizeof PATTERN);
}

static cph_digest digest_of(const bench *b)
{
    cph_sha256 h;
    cph_sha256_init(&h);
    for (unsigned i = 0; i < b->n_buffers; i++)
        if (b->buffers[i].out) cph_sha256_add(&h, b->pool + b->buffers[i].at,
                                              b->buffers[i].n * sizeof(float));
    return cph_sha256_end(&h);
}

/* ---- one row per operation: builds a record from the seed and runs it ---- */

static void row_embed(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 150), w = pick(b, 1, 150);
    cph_op op = {.kind = CPH_OP_embed};
    op.u.embed = (cph_embed){.ids = numbers(b, rows, 9), .positions = numbers(b, rows, 5), .types = numbers(b, rows, 2),
                             .tok = in(b, 9 * w), .pos = pick(b, 0, 3) ? in(b, 5 * w) : NULL,
                             .typ = pick(b, 0, 1) ? in(b, 2 * w) : NULL, .x = out(b, (size_t)rows * w),
                             .dtok = pick(b, 0, 3) ? sum(b, 9 * w) : NULL, .dpos = pick(b, 0, 3) ? sum(b, 5 * w) : NULL,
                             .dtyp = pick(b, 0, 3) ? sum(b, 2 * w) : NULL, .dx = in(b, (size_t)rows * w), .rows = rows,
                             .width = w, .has_padding = pick(b, 0, 1), .padding = 3,
                             .scale = pick(b, 0, 1) ? 0 : 1.7f, .drop = some_drop(b, 3)};
    cph_op_forward(x, &op);
    cph_op_backward(x, &op);
}

static void run_both(const bench *b, cph_exec *x, const cph_op *op)
{
    assert_int_equal(cph_exec_reserve(x, cph_op_scratch(b->backend, op), NULL), CPH_OK);
    cph_op_forward(x, op);
    cph_op_backward(x, op);
}

static void row_linear(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 200), in_w = pick(b, 1, 600), out_w = pick(b, 1, 300), long_one = pick(b, 0, 9);
    if (long_one < 3) { /* several blocks of k in one of the three products */
        uint32_t *which[3] = {&rows, &in_w, &out_w};
        rows = pick(b, 1, 60), in_w = pick(b, 1, 60), out_w = pick(b, 1, 60);
        *which[long_one] = pick(b, 1000, 3000);
    }
    bool out_in = pick(b, 0, 1), packed = pick(b, 0, 1);
    size_t nx = (size_t)rows * in_w, ny = (size_t)rows * out_w, nw = (size_t)in_w * out_w;
    cph_op op = {.kind = CPH_OP_linear, .dtype = b->dtype};
    cph_linear *l = &op.u.linear;
    *l = (cph_linear){.x = v_in(b, nx), .w = in(b, nw), .b = pick(b, 0, 3) ? in(b, out_w) : NULL, .rows = rows,
                      .in = in_w, .out = out_w, .out_in = out_in, .real_y = pick(b, 0, 3) == 0,
                      .y_adds = pick(b, 0, 3) == 0, .dx_adds = pick(b, 0, 1), .fresh_dw = pick(b, 0, 1),
                      .act = pick(b, 0, 1) ? (cph_act)pick(b, 0, CPH_N_ACTS - 1) : CPH_ACT_NONE};
    l->y = l->real_y ? sum(b, ny) : v_sum(b, ny);
    if (l->act) l->pre = v_out(b, ny);
    l->dy = v_sum(b, ny);
    l->dx = pick(b, 0, 3) ? v_sum(b, nx) : NULL;
    l->dw = pick(b, 0, 3) ? sum(b, nw) : NULL;
    l->db = l->b && pick(b, 0, 3) ? sum(b, out_w) : NULL;
    l->part = scratch(b, (size_t)CPH_BLOCKS(rows) * out_w);
    l->pack = bytes(b, cph_linear_pack_bytes(b->backend, b->dtype, l));
    void *pack = bytes(b, cph_pack_bytes(b->backend, b->dtype, in_w, out_w));
    if (packed) cph_pack_weight(x, b->dtype, l->w, in_w, out_w, out_in, pack);
    l->packed = packed ? pack : NULL;
    run_both(b, x, &op);
}

static void row_norm(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 200), w = pick(b, 1, 400);
    size_t n = (size_t)rows * w;
    bool residual = pick(b, 0, 1), rms = pick(b, 0, 1), wants_dy = residual && pick(b, 0, 3);
    cph_op op = {.kind = CPH_OP_norm, .dtype = b->dtype};
    op.u.norm = (cph_norm){.x = residual && pick(b, 0, 3) == 0 ? NULL : in(b, n), .y = residual ? v_in(b, n) : NULL,
                           .gamma = in(b, w), .beta = rms ? NULL : in(b, w), .sum = residual ? out(b, n) : NULL,
                           .h = v_out(b, n), .stream = pick(b, 0, 1) ? out(b, n) : NULL,
                           .mean = rms ? NULL : out(b, rows), .rstd = out(b, rows),
                           .dh = pick(b, 0, 3) ? v_in(b, n) : NULL, .dstream = pick(b, 0, 1) ? in(b, n) : NULL,
                           .dsum = residual && pick(b, 0, 1) ? in(b, n) : NULL,
                           .dx = pick(b, 0, 3) ? sum(b, n) : NULL, .dy = wants_dy ? v_sum(b, n) : NULL,
                           .dgamma = pick(b, 0, 3) ? sum(b, w) : NULL, .dbeta = !rms && pick(b, 0, 3) ? sum(b, w) : NULL,
                           .part = scratch(b, 2 * (size_t)CPH_BLOCKS(rows) * w), .rows = rows, .width = w, .eps = 1e-5,
                           .drop = some_drop(b, 4), .h_drop = some_drop(b, 6), .rms = rms, .dx_adds = pick(b, 0, 1),
                           .dy_adds = pick(b, 0, 1)};
    op.u.norm.dx_adds = op.u.norm.dx_adds && op.u.norm.dx;
    cph_op_forward(x, &op);
    cph_op_backward(x, &op);
}

static void row_attention(bench *b, cph_exec *x)
{
    uint32_t kv_heads = pick(b, 1, 3), heads = kv_heads * pick(b, 1, 3), d = pick(b, 1, 40), batch = pick(b,
        1, 2);
    uint32_t tk = pick(b, 1, 300), tq = pick(b, 0, 1) ? tk : pick(b, 1, tk);
    uint32_t qs = heads * d + pick(b, 0, 5), ks = kv_heads * d + pick(b, 0, 5);
    size_t nq = (size_t)batch * tq * qs, nk = (size_t)batch * tk * ks, nl = (size_t)batch * heads * tq;
    cph_op op = {.kind = CPH_OP_attention, .dtype = b->dtype};
    cph_attention *a = &op.u.attention;
    *a = (cph_attention){.q = v_in(b, nq), .k = v_in(b, nk), .v = v_in(b, nk), .o = v_sum(b, nq), .lse = out(b, nl),
                         .d_o = v_in(b, nq), .dq = v_sum(b, nq), .dk = v_sum(b, nk), .dv = v_sum(b, nk),
                             .delta = out(b, nl),
                         .batch = batch, .q_len = tq, .k_len = tk, .heads = heads, .kv_heads = kv_heads,
                         .head_dim = d, .q_stride = qs, .kv_stride = ks, .o_stride = qs, .q_pos = tk - tq,
                         .window = pick(b, 0, 1) ? 0 : pick(b, 1, 100), .causal = pick(b, 0, 1),
                         .scale = 1.0f + random_float(b), .drop = some_drop(b, 5)};
    if (pick(b, 0, 1)) a->key_len = numbers(b, batch, tk + 1);
    if (pick(b, 0, 1)) {
        a->q_seg = numbers(b, (size_t)batch * tq, 3);
        a->k_seg = numbers(b, (size_t)batch * tk, 3);
        uint32_t document = pick(b, 1, 150); /* or whole documents, one after the other */
        for (uint32_t i = 0; document > 50 && i < batch * tq; i++) ((uint32_t *)a->q_seg)[i] = i % tq / document + 1;
        for (uint32_t i = 0; document > 50 && i < batch * tk; i++) ((uint32_t *)a->k_seg)[i] = i % tk / document + 1;
    }
    a->dq_adds = pick(b, 0, 1), a->dk_adds = pick(b, 0, 1), a->dv_adds = pick(b, 0, 1);
    if (pick(b, 0, 1)) {
        a->bias_zero = a->q_pos + tq - 1 + pick(b, 0, 3);
        a->bias_len = a->bias_zero + tk + pick(b, 0, 3);
        size_t nb = (size_t)heads * a->bias_len;
        a->bias = in(b, nb);
        a->dbias = pick(b, 0, 3) ? sum(b, nb) : NULL;
        a->dbias_part = scratch(b, batch * nb);
        a->dbias_adds = pick(b, 0, 1);
    }
    run_both(b, x, &op);
}

static float wide(bench *b) { return random_float(b) * (pick(b, 0, 9) ? 4.0f : 120.0f); }

static void row_gate(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 150), w = pick(b, 1, 300);
    size_t n = (size_t)rows * w;
    cph_op op = {.kind = CPH_OP_gate, .dtype = b->dtype};
    void *a = v_in(b, n);
    for (size_t i = 0; i < n; i++)
        if (b->dtype == CPH_F32) ((float *)a)[i] = wide(b);
        else ((uint16_t *)a)[i] = cph_bf16_of(wide(b));
    op.u.gate = (cph_gate){.a = a, .b = pick(b, 0, 1) ? v_in(b, n) : NULL, .y = v_out(b, n), .dy = v_in(b, n),
                           .da = pick(b, 0, 3) ? v_sum(b, n) : NULL, .rows = rows, .width = w,
                           .act = (cph_act)pick(b, 0, CPH_N_ACTS - 1), .scale = pick(b, 0, 1) ? 0 : 0.3f,
                           .drop = some_drop(b, 8), .da_adds = pick(b, 0, 1), .db_adds = pick(b, 0, 1)};
    if (op.u.gate.b && pick(b, 0, 3)) op.u.gate.db = v_sum(b, n);
    cph_op_forward(x, &op);
    cph_op_backward(x, &op);
}

static void row_add(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 150), w = pick(b, 1, 300);
    size_t n = (size_t)rows * w;
    cph_op op = {.kind = CPH_OP_add, .dtype = b->dtype};
    op.u.add = (cph_add){.a = v_in(b, n), .b = v_in(b, n), .y = v_out(b, n), .dy = v_in(b, n),
                         .da = pick(b, 0, 3) ? v_sum(b, n) : NULL, .db = pick(b, 0, 3) ? v_sum(b, n) : NULL,
                         .rows = rows, .width = w, .da_adds = pick(b, 0, 1), .db_adds = pick(b, 0, 1)};
    cph_op_forward(x, &op);
    cph_op_backward(x, &op);
}

static void row_mean(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 200), w = pick(b, 1, 150), groups = pick(b, 1, 9), at = 0;
    uint32_t *first = numbers(b, groups, 3), *n = numbers(b, groups, 40);
    for (uint32_t g = 0; g < groups; g++) {
        first[g] = at + first[g] < rows ? at + first[g] : rows;
        n[g] = first[g] + n[g] < rows ? n[g] : rows - first[g];
        at = first[g] + n[g];
    }
    cph_op op = {.kind = CPH_OP_mean, .dtype = b->dtype};
    op.u.mean = (cph_mean){.x = v_in(b, (size_t)rows * w), .y = v_out(b, (size_t)groups * w), .first = first, .n = n,
                           .dy = v_in(b, (size_t)groups * w), .dx = v_sum(b, (size_t)rows * w), .rows = rows,
                           .groups = groups, .width = w, .dx_adds = pick(b, 0, 1)};
    cph_op_forward(x, &op);
    cph_op_backward(x, &op);
}

static void pick_rows(bench *b, cph_exec *x, cph_op_kind kind)
{
    uint32_t rows = pick(b, 1, 150), n = pick(b, 1, 150), w = pick(b, 1, 150);
    int32_t *index = (int32_t *)(void *)numbers(b, n, rows);
    for (uint32_t i = 0; i < n; i++)
        if (pick(b, 0, 5) == 0) index[i] = -1;
    size_t large = (size_t)rows * w, small = (size_t)n * w;
    bool gather = kind == CPH_OP_gather;
    cph_op op = {.kind = kind, .dtype = b->dtype};
    op.u.pick = (cph_pick){.x = v_in(b, gather ? large : small), .y = v_out(b, gather ? small : large), .index = index,
                           .dy = v_in(b, gather ? small : large), .dx = v_sum(b, gather ? large : small), .rows = rows,
                           .n = n, .width = w, .dx_adds = pick(b, 0, 1)};
    cph_op_forward(x, &op);
    cph_op_backward(x, &op);
}
static void row_gather(bench *b, cph_exec *x) { pick_rows(b, x, CPH_OP_gather); }
static void row_scatter(bench *b, cph_exec *x) { pick_rows(b, x, CPH_OP_scatter); }

static void row_classes(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 150), n = pick(b, 1, 150);
    int32_t *labels = (int32_t *)(void *)numbers(b, rows, n);
    for (uint32_t i = 0; i < rows; i++)
        if (pick(b, 0, 3) == 0) labels[i] = -100;
    cph_op op = {.kind = CPH_OP_classes, .dtype = b->dtype};
    op.u.classes = (cph_classes){.x = v_in(b, (size_t)rows * n), .labels = labels, .losses = out(b, rows),
                                 .inv_labels = in(b, 1), .dx = v_sum(b, (size_t)rows * n), .rows = rows, .classes = n,
                                 .dx_adds = pick(b, 0, 1)};
    cph_op_forward(x, &op);
    cph_op_backward(x, &op);
}

static void row_log_softmax(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 100), w = pick(b, 1, 300);
    cph_op op = {.kind = CPH_OP_log_softmax, .dtype = b->dtype};
    op.u.log_softmax = (cph_log_softmax){v_in(b, (size_t)rows * w), out(b, (size_t)rows * w), rows, w};
    cph_op_forward(x, &op);
}

static void row_bucket_bias(bench *b, cph_exec *x)
{
    uint32_t heads = pick(b, 1, 9), length = pick(b, 1, 500);
    cph_op op = {.kind = CPH_OP_bucket_bias};
    op.u.bucket_bias = (cph_bucket_bias){.table = in(b, 32 * heads), .bias = out(b, (size_t)heads * length),
                                         .dtable = pick(b, 0, 3) ? sum(b, 32 * heads) : NULL,
                                         .dbias = in(b, (size_t)heads * length), .heads = heads, .buckets = 32,
                                         .length = length, .zero = pick(b, 0, length), .max_distance = 128,
                                         .bidirectional = pick(b, 0, 1)};
    cph_op_forward(x, &op);
    cph_op_backward(x, &op);
}

static void row_rotary(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 150), heads = pick(b, 1, 4), half = pick(b, 1, 40), d = 2 * half + pick(b, 0, 9);
    uint32_t stride = heads * d + pick(b, 0, 40);
    cph_op op = {.kind = CPH_OP_rotary, .dtype = b->dtype};
    op.u.rotary = (cph_rotary){.x = v_sum(b, (size_t)rows * stride), .dx = v_sum(b, (size_t)rows * stride),
                               .cos = in(b, 20 * half), .sin = in(b, 20 * half), .positions = numbers(b, rows, 20),
                               .rows = rows, .stride = stride, .heads = heads, .head_dim = d, .dim = 2 * half,
                               .interleaved = pick(b, 0, 1)};
    cph_op_forward(x, &op);
    cph_op_backward(x, &op);
}

static void row_append(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 9), w = pick(b, 1, 50), stride = w + pick(b, 0, 50);
    cph_op op = {.kind = CPH_OP_append, .dtype = b->dtype};
    op.u.append = (cph_append){.k = v_in(b, (size_t)rows * stride), .v = v_in(b, (size_t)rows * stride),
                               .k_cache = v_out(b, (size_t)rows * w), .v_cache = v_out(b, (size_t)rows * w),
                               .rows = rows, .width = w, .kv_stride = stride};
    cph_op_forward(x, &op);
}

static void row_loss(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 200), w = pick(b, 1, 100), vocab = pick(b, 0, 4) ? pick(b, 2, 700) : pick(b, 2040, 4200), chunk = pick(b, 1, rows);
    size_t nx = (size_t)rows * w, nw = (size_t)vocab * w;
    int32_t *labels = (int32_t *)(void *)numbers(b, rows, vocab);
    for (uint32_t i = 0; i < rows; i++)
        if (pick(b, 0, 3) == 0) labels[i] = -100;
    float *inv = in(b, 1);
    cph_op op = {.kind = CPH_OP_loss, .dtype = b->dtype};
    cph_loss *l = &op.u.loss;
    *l = (cph_loss){.x = v_in(b, nx), .w = in(b, nw), .labels = labels, .logits = scratch(b, (size_t)chunk * vocab),
                    .keep = pick(b, 0, 1) ? out(b, (size_t)rows * vocab) : NULL, .losses = out(b, rows),
                    .inv_labels = inv, .backward = pick(b, 0, 3) > 0, .rows = rows, .in = w, .vocab = vocab,
                    .chunk = chunk, .fresh_dw = pick(b, 0, 1)};
    if (pick(b, 0, 1)) l->b = in(b, vocab);
    if (pick(b, 0, 1)) l->z_loss = 1e-2;
    if (pick(b, 0, 1)) l->targets = pick(b, 0, 1) ? cph_targets_torch(0.1, vocab) : cph_targets_t5x(0.1, vocab);
    if (l->backward) {
        l->dx = pick(b, 0, 3) ? v_sum(b, nx) : NULL;
        l->dx_adds = pick(b, 0, 1);
        l->dw = pick(b, 0, 3) ? sum(b, nw) : NULL;
        l->db = l->b && pick(b, 0, 3) ? sum(b, vocab) : NULL;
        l->pack = bytes(b, cph_loss_pack_bytes(b->backend, b->dtype, l));
    }
    void *pack = bytes(b, cph_pack_bytes(b->backend, b->dtype, w, vocab));
    if (pick(b, 0, 1)) {
        cph_pack_weight(x, b->dtype, l->w, w, vocab, true, pack);
        l->packed = pack;
    }
    cph_op_forward(x, &op);
}

static void row_sumsq(bench *b, cph_exec *x)
{
    uint32_t n = pick(b, 0, 1) ? pick(b, 1, 100) : pick(b, 65000, 140000);
    double *blocks = (double *)(void *)(out(b, 9) + 1);
    if ((uintptr_t)blocks % 8) blocks = (double *)(void *)((float *)(void *)blocks - 1);
    memset(blocks, 0, 3 * sizeof *blocks);
    cph_op op = {.kind = CPH_OP_sumsq, .u.sumsq = {in(b, n), blocks, n}};
    cph_op_forward(x, &op);
}

static void row_adamw(bench *b, cph_exec *x)
{
    uint32_t n = pick(b, 1, 70000);
    float *v = sum(b, n), *m = sum(b, n), *g = in(b, n);
    for (uint32_t i = 0; i < n; i++) v[i] = v[i] * v[i];
    for (uint32_t i = 0; i < n; i += 5) v[i] = m[i] = g[i] = 0x1p-99f * (float)(i % 3); /* some moments die away */
    cph_op op = {.kind = CPH_OP_adamw};
    op.u.adamw = (cph_adamw_args){.p = sum(b, n), .m = m, .v = v, .g = g, .n = n, .grad_scale = 0.7f,
                                  .decay = 0.999f,
                                  .beta1 = 0.9f, .beta2 = 0.95f, .one_beta1 = 0.1f, .one_beta2 = 0.05f,
                                  .step = 1e-3f, .inv_root = 3.0f, .eps = 1e-8f};
    cph_op_forward(x, &op);
}

static void row_momentum(bench *b, cph_exec *x)
{
    uint32_t n = pick(b, 1, 70000);
    bool writes = pick(b, 0, 1), decays = !writes && pick(b, 0, 1);
    cph_op op = {.kind = CPH_OP_momentum};
    op.u.momentum = (cph_momentum){.p = writes ? NULL : sum(b, n), .buf = pick(b, 0, 3) ? sum(b, n) : NULL,
                                   .g = in(b, n), .u = writes ? out(b, n) : NULL, .n = n, .grad_scale = 0.7f,
                                   .decay = decays ? 0.01f : 0, .keep = 0.95f, .take = 0.05f, .look = 0.9f,
                                   .now = pick(b, 0, 1) ? 0.3f : 0, .step = 0.02f};
    for (uint32_t i = 0; op.u.momentum.buf && i < n; i += 5) op.u.momentum.buf[i] = 0x1p-100f;
    cph_op_forward(x, &op);
}

static void row_mix(bench *b, cph_exec *x)
{
    uint32_t n = pick(b, 1, 70000);
    float *y = sum(b, n);
    cph_op op = {.kind = CPH_OP_mix, .u.mix = {y, pick(b, 0, 1) ? y : in(b, n), n, 0.3f, -0.6f}};
    cph_op_forward(x, &op);
}

/* Factored or by element, with momentum or without; both operations, since the second goes on from the first. */
static void row_factor(bench *b, cph_exec *x)
{
    uint32_t n = pick(b, 1, 2), rows = pick(b, 1, 200), columns = pick(b, 1, 300);
    size_t all = (size_t)n * rows * columns;
    bool factored = pick(b, 0, 2);
    void *sums;
    assert_int_equal(cph_alloc0(&sums, (n * rows + all / CPH_FLAT_BLOCK + 1) * sizeof(double), NULL), CPH_OK);
    cph_op op = {.kind = CPH_OP_factor};
    cph_factor *f = &op.u.factor;
    *f = (cph_factor){.p = sum(b, all), .m = pick(b, 0, 1) ? sum(b, all) : NULL, .v = factored ? NULL : sum(b, all),
                      .row = sum(b, n * rows), .col = sum(b, n * columns), .row_scale = out(b, n * rows),
                      .col_scale = out(b, n * columns), .part = out(b, (size_t)n * CPH_BLOCKS(rows) * columns),
                      .sums = sums, .g = in(b, all), .n = n, .rows = rows, .columns = columns, .grad_scale = 0.7f,
                      .beta2 = 0.6f, .one_beta2 = 0.4f, .eps = 1e-30f, .beta1 = 0.9f, .decay = 0.999f, .step = 0.01f};
    for (uint32_t i = 0; i < n * rows; i++) f->row[i] = f->row[i] * f->row[i];
    for (uint32_t i = 0; i < n * columns; i++) f->col[i] = f->col[i] * f->col[i];
    for (size_t i = 0; f->v && i < all; i++) f->v[i] = f->v[i] * f->v[i];
    cph_op_forward(x, &op);
    op.kind = CPH_OP_factor_step;
    cph_op_forward(x, &op);
    float *kept = out(b, 2);
    kept[0] = (float)((double *)sums)[0];
    kept[1] = (float)((double *)sums)[factored ? n * rows - 1 : (all - 1) / CPH_FLAT_BLOCK];
    cph_free(sums);
}

static void row_factor_step(bench *b, cph_exec *x) { row_factor(b, x); }

/* ---- the comparison ---- */

typedef void (*row_fn)(bench *b, cph_exec *x);
static const row_fn ROWS[CPH_N_OPS] = {
#define CPH_OP(name, passes, what) row_##name,
#include <colophon/tensor/ops.def>
#undef CPH_OP
};

/* Leaves the buffers in *b, whose pool the caller frees. */
static cph_digest run_case(bench *b, row_fn row, uint64_t seed, cph_dtype dtype, const char *isa, unsigned n_threads)
{
    void *mem;
    const cph_backend *backend;
    cph_pool *pool;
    cph_exec *x;
    assert_int_equal(cph_alloc(&mem, POOL_FLOATS * sizeof(float), NULL), CPH_OK);
    assert_int_equal(cph_backend_named(&backend, isa, NULL), CPH_OK);
    *b = (bench){.pool = mem, .seed = seed, .dtype = dtype, .backend = backend};
    for (size_t i = 0; i < GUARD; i++) b->pool[i] = PATTERN;
    assert_int_equal(cph_pool_open(&pool, n_threads, NULL), CPH_OK);
    assert_int_equal(cph_exec_open(&x, backend, pool, NULL), CPH_OK);
    row(b, x);
    check_guards(b);
    cph_digest d = digest_of(b);
    cph_exec_close(x);
    cph_pool_close(pool);
    return d;
}

static cph_digest run_row(row_fn row, uint64_t seed, cph_dtype dtype, const char *isa, unsigned n_threads)
{
    static bench b;
    cph_digest d = run_case(&b, row, seed, dtype, isa, n_threads);
    cph_free(b.pool);
    return d;
}

static void same_bits_as_the_reference(const char *isa)
{
    const cph_backend *backend;
    if (cph_backend_named(&backend, isa, NULL) != CPH_OK) {
        print_message("skipped: this processor has no %s\n", isa);
        skip();
    }
    for (unsigned op = 0; op < CPH_N_OPS; op++)
        for (uint64_t seed = 0; seed < 2 * CASES; seed++) {
            cph_dtype type = seed % 2 && !cph_backend_dots(backend) ? CPH_BF16 : CPH_F32;
            cph_digest want = run_row(ROWS[op], seed, type, "ref", 1),
                       got = run_row(ROWS[op], seed, type, isa, 1 + (unsigned)(seed / 2) % 3);
            if (cph_digest_cmp(&want, &got) != 0)
                fail_msg("%s on %s, %s, seed %llu: not the reference's bits", cph_op_name((cph_op_kind)op), isa,
                         type == CPH_BF16 ? "bf16" : "fp32", (unsigned long long)seed);
        }
}

static double value_at(const bench *b, unsigned buffer_no, size_t i)
{
    const float *p = b->pool + b->buffers[buffer_no].at;
    if (b->buffers[buffer_no].type == CPH_F32) return (double)p[i];
    return (double)cph_bf16_to(((const uint16_t *)(const void *)p)[i]);
}

/* Every output within a hundredth of its tensor's greatest number: pairs are added in another order. */
static void compare_outputs(const bench *want, const bench *got, const char *op, uint64_t seed)
{
    for (unsigned k = 0; k < want->n_buffers; k++) {
        size_t n = want->buffers[k].n * (want->buffers[k].type == CPH_BF16 ? 2 : 1);
        double top = 0, worst = 0;
        if (!want->buffers[k].out) continue;
        for (size_t i = 0; i < n; i++) {
            double w = value_at(want, k, i), d = fabs(w - value_at(got, k, i));
            if (fabs(w) > top) top = fabs(w);
            if (!(d <= worst)) worst = d;
        }
        if (!(worst <= 0.01 * top + 1e-6))
            fail_msg("%s, seed %llu, buffer %u: off by %g of %g", op, (unsigned long long)seed, k, worst, top);
    }
}

static void dot_products_are_close_to_the_reference(void **state)
{
    (void)state;
    static bench want, got;
    const cph_backend *backend;
    if (cph_backend_named(&backend, "avx512bf16", NULL) != CPH_OK) {
        print_message("skipped: this processor has no avx512bf16\n");
        skip();
    }
    for (unsigned op = 0; op < CPH_N_OPS; op++)
        for (uint64_t seed = 0; seed < CASES; seed++) {
            run_case(&want, ROWS[op], seed, CPH_BF16, "ref", 1);
            cph_digest one = run_case(&got, ROWS[op], seed, CPH_BF16, "avx512bf16", 1);
            compare_outputs(&want, &got, cph_op_name((cph_op_kind)op), seed);
            cph_digest three = run_row(ROWS[op], seed, CPH_BF16, "avx512bf16", 3);
            assert_int_equal(cph_digest_cmp(&one, &three), 0);
            cph_free(want.pool);
            cph_free(got.pool);
        }
}

static void avx2_gives_the_bits_of_the_reference(void **state)
{
    (void)state;
    same_bits_as_the_reference("avx2");
}

static void neon_gives_the_bits_of_the_reference(void **state)
{
    (void)state;
    same_bits_as_the_reference("neon");
}

static void avx512_gives_the_bits_of_the_reference(void **state)
{
    (void)state;
    same_bits_as_the_reference("avx512");
}

static void avx512bf16_gives_the_bits_of_the_reference_in_fp32(void **state)
{
    (void)state;
    same_bits_as_the_reference("avx512bf16");
}

static void the_reference_does_not_depend_on_threads(void **state)
{
    (void)state;
    for (unsigned op = 0; op < CPH_N_OPS; op++) {
        cph_dtype type = op % 2 ? CPH_BF16 : CPH_F32;
        cph_digest one = run_row(ROWS[op], 100, type, "ref", 1), seven = run_row(ROWS[op], 100, type, "ref", 7);
        assert_int_equal(cph_digest_cmp(&one, &seven), 0);
    }
}

static void math_functions_have_known_values(void **state)
{
    (void)state;
    assert_true(cph_expf(0) == 1.0f && cph_exp(0) == 1.0 && cph_expf(-87.01f) == 0.0f);
    assert_true(cph_logf(1) == 0.0f && cph_log_e(1) == 0.0 && cph_tanhf(0) == 0.0f);
    assert_true(cph_cos(0) == 1.0 && cph_sin(0) == 0.0 && cph_pow_int(1.5, 3) == 3.375);
    assert_float_equal(cph_exp(1), 2.718281828459045, 1e-15);
    assert_float_equal(cph_log_e(10), 2.302585092994046, 1e-15);
    assert_float_equal(cph_cos(1), 0.5403023058681398, 1e-15);
    assert_float_equal(cph_sin(100000), 0.0357487979720165, 1e-14);
    assert_float_equal(cph_tanh(0.5), 0.46211715726000975, 1e-15);
    assert_float_equal(cph_tanhf(-2), -0.964027580075817, 1e-7);
    assert_float_equal(cph_erf(0.5), 0.5204998778130465, 1e-15);
    assert_float_equal(cph_erf(2.5), 0.9995930479825550, 1e-15);
    assert_float_equal(cph_erff(-1.5f), -0.9661051464753108, 2e-7);
    assert_float_equal(cph_pow(2, 0.5), 1.4142135623730951, 1e-15);
    assert_float_equal(cph_logf(1e-20f), -46.05170186, 5e-6);
}

static void activations_are_found_by_their_names(void **state)
{
    (void)state;
    cph_act act = CPH_ACT_NONE;
    for (unsigned i = 0; i < CPH_N_ACTS; i++) {
        assert_true(cph_act_parse(cph_str_of(cph_act_text((cph_act)i)), &act));
        assert_int_equal(act, i);
    }
    assert_true(cph_act_parse(CPH_STR("gelu_pytorch_tanh"), &act) && act == CPH_ACT_GELU_NEW);
    assert_true(cph_act_parse(CPH_STR("swish"), &act) && act == CPH_ACT_SILU);
    assert_false(cph_act_parse(CPH_STR("geglu"), &act));
}

static void an_unknown_instruction_set_is_refused(void **state)
{
    (void)state;
    const cph_backend *b;
    cph_err err;
    assert_int_equal(setenv("COLOPHON_ISA", "sse9", 1), 0);
    assert_int_equal(cph_backend_choose(&b, &err), CPH_USAGE);
    assert_non_null(strstr(err.what, "sse9"));
    assert_int_equal(setenv("COLOPHON_ISA", "ref", 1), 0);
    assert_int_equal(cph_backend_choose(&b, &err), CPH_OK);
    assert_string_equal(cph_backend_name(b), "ref");
    assert_int_equal(unsetenv("COLOPHON_ISA"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(math_functions_have_known_values),
        cmocka_unit_test(activations_are_found_by_their_names),
        cmocka_unit_test(an_unknown_instruction_set_is_refused),
        cmocka_unit_test(the_reference_does_not_depend_on_threads),
        cmocka_unit_test(avx2_gives_the_bits_of_the_reference),
        cmocka_unit_test(neon_gives_the_bits_of_the_reference),
        cmocka_unit_test(avx512_gives_the_bits_of_the_reference),
        cmocka_unit_test(avx512bf16_gives_the_bits_of_the_reference_in_fp32),
        cmocka_unit_test(dot_products_are_close_to_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
