/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor_in.h - the table of kernels, and how an operation's work is cut.
 *
 * An operation's pass is a few phases; a phase is tasks that touch disjoint output.
 * The cut (cut.c) depends on the record alone. Where a sum's order depends on it
 * (blocks of rows) the block is a constant of the project; GEMM tiles are free.
 */
#ifndef CPH_TENSOR_IN_H
#define CPH_TENSOR_IN_H

#include <colophon/tensor/op.h>

#include <math.h>

/* One task of one phase. `scratch` is this worker's, cph_backend.scratch_floats long. */
typedef void (*cph_op_fn)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch);

struct cph_backend {
    const char *name;
    cph_op_fn fwd[CPH_N_OPS], bwd[CPH_N_OPS]; /* NULL: the reference's */
    bool dots;      /* CPH_BF16 products by pairs */
    unsigned panel; /* columns of a packed panel, a divisor of CPH_PACK_TASK; 0: weights are read as they are */
    void (*pack)(cph_dtype type, const float *w, uint32_t in, uint32_t out, bool out_in, float *packed,
                 uint32_t panel);
    size_t (*linear_pack)(cph_dtype type, const cph_linear *l); /* floats of workspace; NULL: none */
    size_t (*loss_pack)(cph_dtype type, const cph_loss *l);
    size_t scratch_floats;                      /* of every worker, at least */
    size_t (*scratch_of)(const cph_op *op);     /* floats that a record wants in all */
    cph_op_fn act; /* of a linear record whose product stands in pre, or where that is NULL in y: 64 rows a task */
    /* Where a library multiplies (products.c): its table, and what its arithmetic is called. */
    const struct cph_products *products;
    const char *arith;
};

/* For products.c: whose exec it is, and tasks of one phase on its pool. */
const struct cph_backend *cph_exec_backend(const cph_exec *x);
unsigned cph_exec_threads(const cph_exec *x);
void cph_exec_tasks(cph_exec *x, const cph_op *op, cph_op_fn fn, unsigned phase, size_t n_tasks);

#ifdef CPH_REF_DOUBLE
#define CPH_REF_NAME(name) cph_ref64_##name
#else
#define CPH_REF_NAME(name) cph_ref_##name
extern const struct cph_backend cph_backend_ref, cph_backend_avx2, cph_backend_avx512, cph_backend_avx512bf16;
extern const struct cph_backend cph_backend_neon;
#endif
void CPH_REF_NAME(linear_act)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch);
#define CPH_OP(name, passes, what)                                                                 \
    void CPH_REF_NAME(name##_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch); \
    CPH_PASSES_##passes(name)
#define CPH_PASSES_BOTH(name)                                                                      \
    void CPH_REF_NAME(name##_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch);
#define CPH_PASSES_ONLY(name)
#include <colophon/tensor/ops.def>
#undef CPH_OP
#undef CPH_PASSES_BOTH
#undef CPH_PASSES_ONLY

/* ---- the cut ---- */
#define CPH_PACK_TASK 32u /* columns that a packing task takes: a multiple of every backend's panel */
#define CPH_TILE_FLOATS (256u * 768u) /* the greatest tile of C */
typedef struct cph_tiles { /* a grid of output tiles of a GEMM */
    uint32_t m, n, tile_m, tile_n;
    size_t count;
} cph_tiles;
typedef struct cph_tile {
    uint32_t m0, m1, n0, n1;
} cph_tile;
/*
 * A tile packs its rows of A once for all its columns, so tiles are wide; rows are cut until
 * there are tasks enough for the workers, then columns.
 */
static inline cph_tiles cph_tiles_of(uint32_t m, uint32_t n, uint32_t workers)
{
    cph_tiles t = {m, n, 128, n, 0};
    uint32_t wide = n > 8192 ? 256 : 128, some = workers ? workers : 1;
    for (unsigned cut = 0;; cut++) {
        uint32_t rows = cut == 0 ? wide : 64, columns = cut < 2 ? 768 : cut == 2 ? 384 : cut == 3 ? 192 : 96;
        uint32_t down = (m + rows - 1) / rows, across = (n + columns - 1) / columns;
        t.tile_m = (m + down - 1) / down;
        t.tile_n = ((n + across - 1) / across + CPH_PACK_TASK - 1) / CPH_PACK_TASK * CPH_PACK_TASK;
        t.count = (size_t)down * ((n + t.tile_n - 1) / t.tile_n);
        if (t.count >= (cut == 0 ? 8 : 2) * (size_t)some || cut == 4) break;
    }
    return t;
}
static inline cph_tile cph_tile_at(const cph_tiles *t, size_t task)
{
    size_t columns = (t->n + t->tile_n - 1) / t->tile_n;
    uint32_t i = (uint32_t)(task / columns), j = (uint32_t)(task % columns);
    cph_tile r = {i * t->tile_m, (i + 1) * t->tile_m, j * t->tile_n, (j + 1) * t->tile_n};
    if (r.m1 > t->m) r.m1 = t->m;
    if (r.n1 > t->n) r.n1 = t->n;
    return r;
}

#define CPH_COLUMN_TASK 64u /* columns a task of an embedding gradient or a column tree takes */
#define CPH_QUERY_TASK 256u /* queries a task of attention takes */
#define CPH_LOSS_ROWS 16u
#define CPH_VOCAB_CHUNK 2048u /* rows of the output layer's weight that are packed at a time; even */

/* The phases of a loss: for each chunk of rows the logits, the softmax, then dX by chunks of the vocabulary. */
typedef struct cph_loss_phase {
    enum { CPH_LOSS_LOGITS, CPH_LOSS_SOFTMAX, CPH_LOSS_GRADS } kind;
    uint32_t row0, rows;
    uint32_t chunk; /* of the vocabulary */
    bool last;      /* chunk of the vocabulary: dW too */
} cph_loss_phase;
static inline uint32_t cph_loss_grad_phases(const cph_loss *l)
{
    if (!l->backward || !l->dx) return l->backward;
    return (l->vocab + CPH_VOCAB_CHUNK - 1) / CPH_VOCAB_CHUNK;
}
static inline cph_loss_phase cph_loss_phase_of(const cph_loss *l, unsigned phase)
{
    uint32_t grads = cph_loss_grad_phases(l), each = 2 + grads, part = phase % each;
    cph_loss_phase p = {.row0 = phase / each * l->chunk};
    p.rows = l->rows - p.row0 < l->chunk ? l->rows - p.row0 : l->chunk;
    p.kind = part == 0 ? CPH_LOSS_LOGITS : part == 1 ? CPH_LOSS_SOFTMAX : CPH_LOSS_GRADS;
    p.chunk = part >= 2 ? part - 2 : 0;
    p.last = part + 1 == each;
    return p;
}

static inline double label_target(const cph_loss *l) { return l->targets.label == 0 ? 1 : l->targets.label; }

unsigned cph_n_phases(const cph_op *op, bool backward);
size_t cph_n_tasks(const cph_op *op, bool backward, unsigned phase);

static inline uint32_t cph_u32_min(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint32_t cph_drop_threshold(double p) { return (uint32_t)floor(p * 4294967296.0); }

/* Which of queries q0.. see keys of block k0..k1 at all: the keys lo..hi-1 of one query. */
typedef struct cph_span {
    uint32_t lo, hi;
} cph_span;
static inline cph_span cph_visible(const cph_attention *a, uint32_t b, uint32_t q)
{
    uint64_t at = (uint64_t)a->q_pos + q;
    cph_span s = {0, a->key_len ? cph_u32_min(a->key_len[b], a->k_len) : a->k_len};
    if (a->causal && s.hi > at + 1) s.hi = (uint32_t)(at + 1);
    if (a->window) {
        if (at + 1 > a->window) s.lo = (uint32_t)(at + 1 - a->window);
        if (s.hi > at + a->window) s.hi = (uint32_t)(at + a->window);
    }
    if (s.lo > s.hi) s.lo = s.hi;
    return s;
}

#endif
