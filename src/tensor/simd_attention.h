/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_attention.h - attention by tiles of 64 queries and 128 keys: ref_attention.c with
 * its chains as small GEMMs. Blocks of keys that no query of a tile sees are skipped.
 */
#ifndef CPH_SIMD_ATTENTION_H
#define CPH_SIMD_ATTENTION_H

#include "simd_rows.h"

#define TILE_FLOATS (CPH_QUERY_TASK * CPH_KEY_BLOCK)
#define ATTENTION_FLOATS (GEMM_FLOATS + 3 * TILE_FLOATS)
#define MINUS_INF (-INFINITY)

typedef struct tile { /* queries q0..q0+nq-1 of head h against keys k0..k0+nk-1 */
    const cph_attention *a;
    uint32_t b, h, q0, nq, k0, nk;
} tile;

static size_t tile_head_row(const tile *t, uint32_t i)
{
    return ((size_t)t->b * t->a->heads + t->h) * t->a->q_len + t->q0 + i;
}
static size_t tile_kv(const tile *t)
{
    const cph_attention *a = t->a;
    return ((size_t)t->b * a->k_len + t->k0) * a->kv_stride +
           (size_t)(t->h / (a->heads / a->kv_heads)) * a->head_dim;
}
static size_t tile_q(const tile *t, size_t stride)
{
    return ((size_t)t->b * t->a->q_len + t->q0) * stride + (size_t)t->h * t->a->head_dim;
}

/* Spans of queries move forward: the first query's beginning and the last one's end bound them all. */
static bool tile_is_seen(const tile *t)
{
    cph_span first = cph_visible(t->a, t->b, t->q0), last = cph_visible(t->a, t->b, t->q0 + t->nq - 1);
    return first.lo < t->k0 + t->nk && last.hi > t->k0;
}

/* s = scale * s where query i sees the key, -infinity elsewhere */
static void mask_row(const tile *t, uint32_t i, float *s)
{
    const cph_attention *a = t->a;
    cph_span span = cph_visible(a, t->b, t->q0 + i);
    uint32_t lo = span.lo > t->k0 ? span.lo - t->k0 : 0, hi = span.hi > t->k0 ? span.hi - t->k0 : 0;
    lo = cph_u32_min(lo, t->nk);
    hi = cph_u32_min(hi, t->nk);
    EACH_VECTOR(j, left, t->nk) v_st(s + j, v_mul(v_ld(s + j, left), v_set(a->scale)), left);
    for (uint32_t j = 0; j < lo; j++) s[j] = MINUS_INF;
    for (uint32_t j = hi; j < t->nk; j++) s[j] = MINUS_INF;
    if (!a->q_seg) return;
    uint32_t seg = a->q_seg[(size_t)t->b * a->q_len + t->q0 + i];
    const uint32_t *keys = a->k_seg + (size_t)t->b * a->k_len + t->k0;
    for (uint32_t j = lo; j < hi; j++)
        if (seg == 0 || keys[j] != seg) s[j] = MINUS_INF;
}

/* S = Q K^T, chains over head_dim */
static void tile_scores(const tile *t, float *s, float *scratch)
{
    const cph_attention *a = t->a;
    gemm(&(simd_gemm){.m = t->nq, .n = t->nk, .k = a->head_dim,
                      .a = {a->q + tile_q(t, a->q_stride), a->q_stride, 1},
                      .b = {a->k + tile_kv(t), 1, a->kv_stride},
                      .c = s, .ldc = CPH_KEY_BLOCK}, scratch);
}

typedef struct softmax_state {
    float top[CPH_QUERY_TASK], total[CPH_QUERY_TASK];
} softmax_state;

/* One row of scores becomes weights; the row's maximum, sum and output are brought up to date. */
static void online_row(const tile *t, uint32_t i, float *s, softmax_state *state)
{
    const cph_attention *a = t->a;
    float *o = a->o + tile_q(t, a->o_stride) + (size_t)i * a->o_stride, keep[CPH_KEY_BLOCK];
    size_t n = t->nk;
    mask_row(t, i, s);
    vf high = v_set(state->top[i]);
    EACH_VECTOR(j, left, n) high = v_sel(v_first(left), v_max(v_ld(s + j, left), high), high);
    float best = v_max_of(high);
    if (best == MINUS_INF) {
        memset(s, 0, n * sizeof *s);
        return;
    }
    float rescale = state->total[i] > 0 ? cph_expf(state->top[i] - best) : 1;
    lanes32 sum = lanes_zero();
    EACH_LANES(j, u, left, n)
    {
        vf e = v_exp(v_sub(v_ld(s + j + u * W, left), v_set(best)));
        v_st(s + j + u * W, e, left);
        lanes_put(&sum, (unsigned)u, v_add(sum.v[u], e), left);
    }
    state->total[i] = fmaf(state->total[i], rescale, lanes_total(&sum));
    state->top[i] = best;
    if (rescale != 1) EACH_VECTOR(j, left, a->head_dim) v_st(o + j, v_mul(v_ld(o + j, left), v_set(rescale)),
                                                             left);
    if (a->drop.p <= 0) return;
    drop_fill(keep, tile_head_row(t, i) * a->k_len + t->k0, n, &a->drop);
    EACH_VECTOR(j, left, n) v_st(s + j, v_mul(v_ld(s + j, left), v_ld(keep + j, left)), left);
}

static void zero_rows(float *p, size_t rows, size_t stride, size_t n)
{
    for (size_t r = 0; r < rows; r++) memset(p + r * stride, 0, n * sizeof *p);
}

static void set_keys(tile *t, uint32_t k0)
{
    t->k0 = k0;
    t->nk = cph_u32_min(CPH_KEY_BLOCK, t->a->k_len - k0);
}

static void set_queries(tile *t, uint32_t q0)
{
    t->q0 = q0;
    t->nq = cph_u32_min(CPH_QUERY_TASK, t->a->q_len - q0);
}

/* p = p * f + 0: the end of a chain whose terms may have been skipped */
static void finish_row(float *p, size_t n, float f)
{
    EACH_VECTOR(j, left, n) v_st(p + j, v_add(v_mul(v_ld(p + j, left), v_set(f)), v_set(0)), left);
}

static void attention_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase;
    const cph_attention *a = &op->u.attention;
    uint32_t blocks = (a->q_len + CPH_QUERY_TASK - 1) / CPH_QUERY_TASK, head = (uint32_t)(task / blocks);
    tile t = {.a = a, .b = head / a->heads, .h = head % a->heads};
    softmax_state state;
    float *s = scratch + GEMM_FLOATS;
    set_queries(&t, (uint32_t)(task % blocks) * CPH_QUERY_TASK);
    float *o = a->o + tile_q(&t, a->o_stride);
    for (uint32_t i = 0; i < t.nq; i++) state.top[i] = MINUS_INF, state.total[i] = 0;
    zero_rows(o, t.nq, a->o_stride, a->head_dim);
    for (uint32_t k0 = 0; k0 < a->k_len; k0 += CPH_KEY_BLOCK) {
        set_keys(&t, k0);
        if (!tile_is_seen(&t)) continue;
        tile_scores(&t, s, scratch);
        for (uint32_t i = 0; i < t.nq; i++) online_row(&t, i, s + i * CPH_KEY_BLOCK, &state);
        for (uint32_t d = 0; d < a->head_dim; d += NC)
            gemm(&(simd_gemm){.m = t.nq, .n = cph_u32_min(NC, a->head_dim - d), .k = t.nk,
                              .a = {s, CPH_KEY_BLOCK, 1},
                              .b = {a->v + tile_kv(&t) + d, a->kv_stride, 1},
                              .c = o + d, .ldc = a->o_stride, .accumulate = true}, scratch);
    }
    for (uint32_t i = 0; i < t.nq; i++) {
        float total = state.total[i];
        finish_row(o + (size_t)i * a->o_stride, a->head_dim, total > 0 ? 1 / total : 0);
        if (a->lse) a->lse[tile_head_row(&t, i)] = total > 0 ? state.top[i] + cph_logf(total) : 0;
    }
}

static void fill_delta(const tile *t)
{
    const cph_attention *a = t->a;
    for (uint32_t i = 0; i < t->nq; i++) {
        size_t at = tile_q(t, a->o_stride) + (size_t)i * a->o_stride;
        lanes32 sum = lanes_zero();
        EACH_LANES(j, u, left, a->head_dim)
        {
            size_t x = at + j + u * W;
            lanes_put(&sum, (unsigned)u, v_fma(v_ld(a->d_o + x, left), v_ld(a->o + x, left), sum.v[u]), left);
        }
        a->delta[tile_head_row(t, i)] = lanes_total(&sum);
    }
}

/* s: scores become dS; pd: dropped-out probabilities; dp holds dO V^T */
static void bwd_row(const tile *t, uint32_t i, float *s, float *pd, const float *dp)
{
    const cph_attention *a = t->a;
    float keep[CPH_KEY_BLOCK], lse = a->lse[tile_head_row(t, i)], delta = a->delta[tile_head_row(t, i)];
    mask_row(t, i, s);
    drop_fill(keep, tile_head_row(t, i) * a->k_len + t->k0, t->nk, &a->drop);
    EACH_VECTOR(j, left, t->nk)
    {
        vf p = v_exp(v_sub(v_ld(s + j, left), v_set(lse))), m = v_ld(keep + j, left);
        v_st(pd + j, v_mul(p, m), left);
        v_st(s + j, v_mul(p, v_sub(v_mul(v_ld(dp + j, left), m), v_set(delta))), left);
    }
}

/* C[m x head_dim] += A B with the chain going on from C */
static void chain_on(const tile *t, size_t m, size_t k, simd_matrix a, const float *b, size_t b_stride,
                     float *c,
                     size_t ldc, float *scratch)
{
    for (uint32_t d = 0; d < t->a->head_dim; d += NC)
        gemm(&(simd_gemm){.m = m, .n = cph_u32_min(NC, t->a->head_dim - d), .k = k, .a = a,
                          .b = {b + d, b_stride, 1}, .c = c + d, .ldc = ldc, .accumulate = true}, scratch);
}

static void tile_bwd(const tile *t, float *scratch)
{
    const cph_attention *a = t->a;
    float *s = scratch + GEMM_FLOATS, *pd = s + TILE_FLOATS, *dp = pd + TILE_FLOATS;
    size_t kv = tile_kv(t), q = tile_q(t, a->q_stride), o = tile_q(t, a->o_stride);
    tile_scores(t, s, scratch);
    gemm(&(simd_gemm){.m = t->nq, .n = t->nk, .k = a->head_dim, .a = {a->d_o + o, a->o_stride, 1},
                      .b = {a->v + kv, 1, a->kv_stride}, .c = dp, .ldc = CPH_KEY_BLOCK}, scratch);
    for (uint32_t i = 0; i < t->nq; i++)
        bwd_row(t, i, s + i * CPH_KEY_BLOCK, pd + i * CPH_KEY_BLOCK, dp + i * CPH_KEY_BLOCK);
    simd_matrix rows = {s, CPH_KEY_BLOCK, 1}, columns = {s, 1, CPH_KEY_BLOCK}, pd_columns = {pd, 1,
                                                                                             CPH_KEY_BLOCK};
    chain_on(t, t->nk, t->nq, pd_columns, a->d_o + o, a->o_stride, a->dv + kv, a->kv_stride, scratch);
    chain_on(t, t->nq, t->nk, rows, a->k + kv, a->kv_stride, a->dq + q, a->q_stride, scratch);
    chain_on(t, t->nk, t->nq, columns, a->q + q, a->q_stride, a->dk + kv, a->kv_stride, scratch);
}

/* Gradients begin at +0; delta is known for every query. */
static void attention_bwd_begin(tile *t, uint32_t h0, uint32_t group)
{
    const cph_attention *a = t->a;
    t->h = h0;
    set_keys(t, 0);
    zero_rows(a->dk + tile_kv(t), a->k_len, a->kv_stride, a->head_dim);
    zero_rows(a->dv + tile_kv(t), a->k_len, a->kv_stride, a->head_dim);
    for (t->h = h0; t->h < h0 + group; t->h++)
        for (uint32_t q0 = 0; q0 < a->q_len; q0 += CPH_QUERY_TASK) {
            set_queries(t, q0);
            zero_rows(a->dq + tile_q(t, a->q_stride), t->nq, a->q_stride, a->head_dim);
            fill_delta(t);
        }
}

static void attention_bwd_end(tile *t, uint32_t h0, uint32_t group)
{
    const cph_attention *a = t->a;
    set_queries(t, 0);
    for (t->h = h0; t->h < h0 + group; t->h++)
        for (uint32_t q = 0; q < a->q_len; q++)
            finish_row(a->dq + tile_q(t, a->q_stride) + (size_t)q * a->q_stride, a->head_dim, a->scale);
    t->h = h0;
    set_keys(t, 0);
    for (uint32_t k = 0; k < a->k_len; k++) {
        size_t at = tile_kv(t) + (size_t)k * a->kv_stride;
        finish_row(a->dk + at, a->head_dim, a->scale);
        finish_row(a->dv + at, a->head_dim, 1);
    }
}

static void attention_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase;
    const cph_attention *a = &op->u.attention;
    uint32_t group = a->heads / a->kv_heads, h0 = (uint32_t)(task % a->kv_heads) * group;
    tile t = {.a = a, .b = (uint32_t)(task / a->kv_heads)};
    attention_bwd_begin(&t, h0, group);
    for (uint32_t k0 = 0; k0 < a->k_len; k0 += CPH_KEY_BLOCK)
        for (t.h = h0; t.h < h0 + group; t.h++)
            for (uint32_t q0 = 0; q0 < a->q_len; q0 += CPH_QUERY_TASK) {
                set_keys(&t, k0);
                set_queries(&t, q0);
                if (tile_is_seen(&t)) tile_bwd(&t, scratch);
            }
    attention_bwd_end(&t, h0, group);
}

#endif
