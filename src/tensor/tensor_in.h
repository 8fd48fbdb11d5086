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
    unsigned panel; /* columns of a packed panel; 0: weights are read as they are */
    void (*pack)(const float *w, uint32_t in, uint32_t out, bool out_in, float *packed, uint32_t panel);
    size_t scratch_floats;
};

#ifdef CPH_REF_DOUBLE
#define CPH_REF_NAME(name) cph_ref64_##name
#else
#define CPH_REF_NAME(name) cph_ref_##name
extern const struct cph_backend cph_backend_ref, cph_backend_avx2, cph_backend_avx512;
#endif
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
typedef struct cph_tiles { /* a grid of output tiles of a GEMM */
    uint32_t m, n, tile_m, tile_n;
    size_t count;
} cph_tiles;
typedef struct cph_tile {
    uint32_t m0, m1, n0, n1;
} cph_tile;
/*
 * Wide tiles first: a tile packs its rows of A once for all its columns. Rows are cut until
 * there are tasks enough for many workers, evenly; columns only when the
 * product is small.
 */
static inline cph_tiles cph_tiles_of(uint32_t m, uint32_t n)
{
    cph_tiles t = {m, n, m, n < 256 ? n : 256, 0};
    for (uint32_t parts = (m + 503) / 504;; parts++) {
        t.tile_m = (m + parts - 1) / parts;
        t.tile_m = (t.tile_m + 13) / 14 * 14;
        t.count = (size_t)((m + t.tile_m - 1) / t.tile_m) * ((n + t.tile_n - 1) / t.tile_n);
        if (t.count >= 12 || t.tile_m <= 126) break;
    }
    while (t.count < 6 && t.tile_n > 96) {
        t.tile_n = t.tile_n > 192 ? 192 : 96;
        t.count = (size_t)((m + t.tile_m - 1) / t.tile_m) * ((n + t.tile_n - 1) / t.tile_n);
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
#define CPH_QUERY_TASK 64u  /* queries a task of attention takes */
#define CPH_LOSS_ROWS 16u

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
