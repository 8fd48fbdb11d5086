/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_attention.h - attention by tiles of 64 queries and 128 keys: ref_attention.c with
 * its chains as small GEMMs. Keys that no query of a tile sees are skipped. A task packs the
 * keys and values of a block once for all its queries.
 */
#ifndef CPH_SIMD_ATTENTION_H
#define CPH_SIMD_ATTENTION_H

#include "simd_rows.h"

#define SUB 64u /* queries of a tile */
#define TILE_FLOATS (SUB * CPH_KEY_BLOCK)
#define MINUS_INF (-INFINITY)

typedef struct tile { /* queries q0..q0+nq-1 of head h against keys k0..k0+nk-1 */
    const cph_attention *a;
    cph_dtype type;
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
/* Where the bias of query i and the tile's first key stands. */
static size_t tile_bias(const tile *t, size_t row, uint32_t i)
{
    return row * t->a->bias_len + t->a->bias_zero + t->k0 - t->a->q_pos - (t->q0 + i);
}
static void set_queries(tile *t, uint32_t q0, uint32_t end)
{
    t->q0 = q0;
    t->nq = cph_u32_min(SUB, end - q0);
}

typedef struct segments { /* smallest and greatest number but 0; lo > hi: none */
    uint32_t lo, hi;
} segments;
static segments segments_of(const uint32_t *s, uint32_t n)
{
    segments r = {UINT32_MAX, 0};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = s[i] ? s[i] : UINT32_MAX;
        r.lo = from < r.lo ? from : r.lo;
        r.hi = s[i] > r.hi ? s[i] : r.hi;
    }
    return r;
}
/* Documents packed into one row: whether queries and keys of the tile can have one in common. */
static bool may_share_segment(const tile *t)
{
    const cph_attention *a = t->a;
    if (!a->q_seg) return true;
    segments q = segments_of(a->q_seg + (size_t)t->b * a->q_len + t->q0, t->nq);
    segments k = segments_of(a->k_seg + (size_t)t->b * a->k_len + t->k0, t->nk);
    return q.lo <= k.hi && k.lo <= q.hi;
}

/*
 * Keys of the block at k0 up to the last one that the tile's queries see; false when they see none.
 * Spans of queries move forward: the first query's beginning and the last one's end bound them all.
 */
static bool set_keys(tile *t, uint32_t k0)
{
    cph_span first = cph_visible(t->a, t->b, t->q0), last = cph_visible(t->a, t->b, t->q0 + t->nq - 1);
    t->k0 = k0;
    t->nk = cph_u32_min(CPH_KEY_BLOCK, t->a->k_len - k0);
    if (first.lo >= k0 + t->nk || last.hi <= k0) return false;
    t->nk = cph_u32_min(t->nk, last.hi - k0);
    return may_share_segment(t);
}

/* s = scale * s + bias where query i sees the key, -infinity elsewhere */
static void mask_row(const tile *t, uint32_t i, float *s)
{
    const cph_attention *a = t->a;
    cph_span span = cph_visible(a, t->b, t->q0 + i);
    uint32_t lo = span.lo > t->k0 ? span.lo - t->k0 : 0, hi = span.hi > t->k0 ? span.hi - t->k0 : 0;
    lo = cph_u32_min(lo, t->nk);
    hi = cph_u32_min(hi, t->nk);
    if (a->bias) {
        const float *bias = a->bias + tile_bias(t, t->h, i);
        EACH_VECTOR(j, left, t->nk) v_st(s + j, v_fma(v_ld(s + j, left), v_set(a->scale), v_ld(bias + j, left)), left);
    } else {
        EACH_VECTOR(j, left, t->nk) v_st(s + j, v_mul(v_ld(s + j, left), v_set(a->scale)), left);
    }
    for (uint32_t j = 0; j < lo; j++) s[j] = MINUS_INF;
    for (uint32_t j = hi; j < t->nk; j++) s[j] = MINUS_INF;
    if (!a->q_seg) return;
    uint32_t seg = a->q_seg[(size_t)t->b * a->q_len + t->q0 + i];
    const uint32_t *keys = a->k_seg + (size_t)t->b * a->k_len + t->k0;
    for (uint32_t j = lo; j < hi; j++)
        if (seg == 0 || keys[j] != seg) s[j] = MINUS_INF;
}

/* ---- operands in packed form ---- */

/* Floats of n columns and k, for a product of this record's type. */
static size_t columns_floats(const tile *t, size_t n, size_t k) { return packed_floats(n, k, pairs_of(t->type)); }
static size_t rows_floats(const tile *t, size_t k) { return SUB * steps_of(k, pairs_of(t->type)) + SLACK; }
static size_t panel_floats(const tile *t, size_t k) { return NR * steps_of(k, pairs_of(t->type)); }

/* Keys of a block as the columns of B, head_dim along k: for scores, and V for dP. */
static void pack_keys(const tile *t, const void *p, uint32_t n, float *dst)
{
    side s = {at_of(p, t->type, tile_kv(t)), t->a->kv_stride, 1, t->type};
    pack_columns(dst, panel_floats(t, t->a->head_dim), &s, kind_of(t->type, t->type), 0, n, 0, t->a->head_dim);
}
/* head_dim as the columns of B, rows along k. */
static void pack_values(const tile *t, const void *p, size_t at, size_t stride, uint32_t n, float *dst)
{
    side s = {at_of(p, t->type, at), 1, stride, t->type};
    pack_columns(dst, panel_floats(t, n), &s, kind_of(t->type, t->type), 0, t->a->head_dim, 0, n);
}
/* Queries of a tile as rows of A, head_dim along k. */
static void pack_queries(const tile *t, const void *p, size_t at, size_t stride, float *dst)
{
    side s = {at_of(p, t->type, at), stride, 1, t->type};
    pack_rows(dst, &s, kind_of(t->type, t->type), 0, t->nq, 0, t->a->head_dim);
}

/* S[nq x nk] = rows columns^T over head_dim */
static void tile_scores(const tile *t, const float *rows, const float *columns, float *s, float *scratch)
{
    multiply(&(product){.m = t->nq, .n = t->nk, .k = t->a->head_dim, .type = t->type, .packed_a = rows,
                        .packed = columns, .panel = panel_floats(t, t->a->head_dim), .c = s, .ldc = CPH_KEY_BLOCK},
             scratch);
}

/* C[m x head_dim] goes on by A B; B has `along` rows in its panels, of which k are read */
static void chain_on(const tile *t, size_t m, size_t k, side a, const float *b, size_t along, float *c, size_t ldc,
                     float *scratch)
{
    multiply(&(product){.m = m, .n = t->a->head_dim, .k = k, .type = t->type, .a = a, .packed = b,
                        .panel = panel_floats(t, along), .c = c, .ldc = ldc, .accumulate = true},
             scratch);
}

/* ---- forward ---- */

typedef struct softmax_state {
    float top[CPH_QUERY_TASK], total[CPH_QUERY_TASK];
} softmax_state;

/* One row of scores becomes weights; the row's maximum, sum and output are brought up to date. */
static void online_row(const tile *t, uint32_t i, float *s, float *o, float *top, float *total)
{
    const cph_attention *a = t->a;
    float keep[CPH_KEY_BLOCK];
    size_t n = t->nk;
    mask_row(t, i, s);
    vf high = v_set(*top);
    EACH_VECTOR(j, left, n) high = v_sel(v_first(left), v_max(v_ld(s + j, left), high), high);
    float best = v_max_of(high);
    if (best == MINUS_INF) {
        memset(s, 0, n * sizeof *s);
        return;
    }
    float rescale = *total > 0 ? cph_expf(*top - best) : 1;
    lanes32 sum = lanes_zero();
    EACH_LANES(j, u, left, n)
    {
        vf e = v_exp(v_sub(v_ld(s + j + u * W, left), v_set(best)));
        v_st(s + j + u * W, e, left);
        lanes_put(&sum, (unsigned)u, v_add(sum.v[u], e), left);
    }
    *total = fmaf(*total, rescale, lanes_total(&sum));
    *top = best;
    if (rescale != 1)
        EACH_VECTOR(j, left, a->head_dim) v_st(o + j, v_mul(v_ld(o + j, left), v_set(rescale)), left);
    if (a->drop.p <= 0) return;
    drop_fill(keep, tile_head_row(t, i) * a->k_len + t->k0, n, &a->drop);
    EACH_VECTOR(j, left, n) v_st(s + j, v_mul(v_ld(s + j, left), v_ld(keep + j, left)), left);
}

/* p (+)= c * f + 0: the end of a chain whose terms may have been skipped */
ALWAYS void finish_typed(const tile *t, cph_dtype type, void *p, size_t at, const float *c, float f, bool adds)
{
    EACH_VECTOR(j, left, t->a->head_dim)
    {
        vf v = v_add(v_mul(v_ld(c + j, left), v_set(f)), v_set(0));
        v_put(p, type, at + j, adds ? v_add(v_get(p, type, at + j, left), v) : v, left);
    }
}
static void finish_row(const tile *t, void *p, size_t at, const float *c, float f, bool adds)
{
    if (p) FOR_TYPE(t->type, finish_typed(t, TYPE, p, at, c, f, adds));
}

typedef struct forward_places { /* in scratch, behind GEMM_FLOATS */
    float *s, *o, *q, *k, *v;
    size_t floats;
} forward_places;

static forward_places forward_places_of(const tile *t, float *scratch)
{
    size_t d = t->a->head_dim;
    forward_places p = {.s = scratch + GEMM_FLOATS};
    p.o = p.s + TILE_FLOATS;
    p.q = p.o + CPH_QUERY_TASK * d;
    p.k = p.q + CPH_QUERY_TASK / SUB * rows_floats(t, d);
    p.v = p.k + columns_floats(t, CPH_KEY_BLOCK, d);
    p.floats = (size_t)(p.v - scratch) + columns_floats(t, d, CPH_KEY_BLOCK);
    return p;
}

/* One block of keys for all queries of the task. */
static void forward_block(tile *t, uint32_t q0, uint32_t end, uint32_t k0, const forward_places *p,
                          softmax_state *state, float *scratch)
{
    const cph_attention *a = t->a;
    uint32_t n = cph_u32_min(CPH_KEY_BLOCK, a->k_len - k0);
    bool packed = false;
    for (uint32_t q = q0; q < end; q += SUB) {
        set_queries(t, q, end);
        if (!set_keys(t, k0)) continue;
        if (!packed) pack_keys(t, a->k, n, p->k), pack_values(t, a->v, tile_kv(t), a->kv_stride, n, p->v);
        packed = true;
        float *o = p->o + (size_t)(q - q0) * a->head_dim;
        tile_scores(t, p->q + (q - q0) / SUB * rows_floats(t, a->head_dim), p->k, p->s, scratch);
        for (uint32_t i = 0; i < t->nq; i++)
            online_row(t, i, p->s + i * CPH_KEY_BLOCK, o + i * a->head_dim, state->top + q - q0 + i,
                       state->total + q - q0 + i);
        chain_on(t, t->nq, t->nk, (side){p->s, CPH_KEY_BLOCK, 1, CPH_F32}, p->v, n, o, a->head_dim, scratch);
    }
}

static void attention_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase;
    const cph_attention *a = &op->u.attention;
    uint32_t blocks = (a->q_len + CPH_QUERY_TASK - 1) / CPH_QUERY_TASK, head = (uint32_t)(task / blocks);
    uint32_t q0 = (uint32_t)(task % blocks) * CPH_QUERY_TASK, end = cph_u32_min(q0 + CPH_QUERY_TASK, a->q_len);
    tile t = {.a = a, .type = op->dtype, .b = head / a->heads, .h = head % a->heads};
    forward_places p = forward_places_of(&t, scratch);
    softmax_state state;
    for (uint32_t i = 0; i < end - q0; i++) state.top[i] = MINUS_INF, state.total[i] = 0;
    memset(p.o, 0, (size_t)(end - q0) * a->head_dim * sizeof *p.o);
    for (uint32_t q = q0; q < end; q += SUB) {
        set_queries(&t, q, end);
        pack_queries(&t, a->q, tile_q(&t, a->q_stride), a->q_stride, p.q + (q - q0) / SUB * rows_floats(&t, a->head_dim));
    }
    for (uint32_t k0 = 0; k0 < a->k_len; k0 += CPH_KEY_BLOCK) forward_block(&t, q0, end, k0, &p, &state, scratch);
    t.q0 = q0;
    for (uint32_t i = 0; i < end - q0; i++) {
        float total = state.total[i];
        finish_row(&t, a->o, tile_q(&t, a->o_stride) + (size_t)i * a->o_stride, p.o + (size_t)i * a->head_dim,
                   total > 0 ? 1 / total : 0, false);
        if (a->lse) a->lse[tile_head_row(&t, i)] = total > 0 ? state.top[i] + cph_logf(total) : 0;
    }
}

/* ---- backward ---- */

typedef struct backward_places { /* in scratch, behind GEMM_FLOATS */
    float *s, *pd, *dp;
    float *k_columns, *v_columns, *k_values; /* of the block of keys */
    float *dk, *dv;                          /* [128,head_dim] */
    float *heads;                            /* of each query head of the group: */
    size_t do_rows, q_values, do_values, dq; /* places inside, behind the queries' rows */
    size_t head_floats, floats;
} backward_places;

static backward_places backward_places_of(const tile *t, float *scratch)
{
    const cph_attention *a = t->a;
    size_t d = a->head_dim, subs = (a->q_len + SUB - 1) / SUB;
    backward_places p = {.s = scratch + GEMM_FLOATS};
    p.pd = p.s + TILE_FLOATS;
    p.dp = p.pd + TILE_FLOATS;
    p.k_columns = p.dp + TILE_FLOATS;
    p.v_columns = p.k_columns + columns_floats(t, CPH_KEY_BLOCK, d);
    p.k_values = p.v_columns + columns_floats(t, CPH_KEY_BLOCK, d);
    p.dk = p.k_values + columns_floats(t, d, CPH_KEY_BLOCK);
    p.dv = p.dk + CPH_KEY_BLOCK * d;
    p.heads = p.dv + CPH_KEY_BLOCK * d;
    p.do_rows = subs * rows_floats(t, d);
    p.q_values = 2 * p.do_rows;
    p.do_values = p.q_values + subs * columns_floats(t, d, SUB);
    p.dq = p.do_values + subs * columns_floats(t, d, SUB);
    p.head_floats = p.dq + (size_t)a->q_len * d;
    p.floats = (size_t)(p.heads - scratch) + a->heads / a->kv_heads * p.head_floats;
    return p;
}

static size_t attention_floats(const cph_op *op)
{
    tile t = {.a = &op->u.attention, .type = op->dtype};
    size_t fwd = forward_places_of(&t, NULL).floats, bwd = backward_places_of(&t, NULL).floats; /* asked before binding */
    return fwd > bwd ? fwd : bwd;
}

static float delta_row(const tile *t, size_t at)
{
    const cph_attention *a = t->a;
    lanes32 sum = lanes_zero();
    EACH_LANES(j, u, left, a->head_dim)
    {
        size_t x = at + j + u * W;
        vf o, g;
        if (t->type == CPH_BF16) o = v_get(a->o, CPH_BF16, x, left), g = v_get(a->d_o, CPH_BF16, x, left);
        else o = v_get(a->o, CPH_F32, x, left), g = v_get(a->d_o, CPH_F32, x, left);
        lanes_put(&sum, (unsigned)u, v_fma(g, o, sum.v[u]), left);
    }
    return lanes_total(&sum);
}

/* What the tiles of one query head read again for each block of keys. */
static void prepare_head(tile *t, const backward_places *p, float *head)
{
    const cph_attention *a = t->a;
    memset(head + p->dq, 0, (size_t)a->q_len * a->head_dim * sizeof *head);
    for (uint32_t q = 0; q < a->q_len; q += SUB) {
        size_t sub = q / SUB;
        set_queries(t, q, a->q_len);
        size_t q_at = tile_q(t, a->q_stride), o_at = tile_q(t, a->o_stride);
        for (uint32_t i = 0; i < t->nq; i++)
            a->delta[tile_head_row(t, i)] = delta_row(t, o_at + (size_t)i * a->o_stride);
        pack_queries(t, a->q, q_at, a->q_stride, head + sub * rows_floats(t, a->head_dim));
        pack_queries(t, a->d_o, o_at, a->o_stride, head + p->do_rows + sub * rows_floats(t, a->head_dim));
        pack_values(t, a->q, q_at, a->q_stride, t->nq, head + p->q_values + sub * columns_floats(t, a->head_dim, SUB));
        pack_values(t, a->d_o, o_at, a->o_stride, t->nq,
                    head + p->do_values + sub * columns_floats(t, a->head_dim, SUB));
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
    if (!a->dbias) return;
    float *part = a->dbias_part + tile_bias(t, (size_t)t->b * a->heads + t->h, i);
    EACH_VECTOR(j, left, t->nk) v_st(part + j, v_add(v_ld(part + j, left), v_ld(s + j, left)), left);
}

static void tile_bwd(const tile *t, const backward_places *p, float *head, uint32_t n_keys, float *scratch)
{
    const cph_attention *a = t->a;
    size_t d = a->head_dim, sub = t->q0 / SUB, rows = sub * rows_floats(t, d), values = sub * columns_floats(t, d, SUB);
    tile_scores(t, head + rows, p->k_columns, p->s, scratch);
    tile_scores(t, head + p->do_rows + rows, p->v_columns, p->dp, scratch);
    for (uint32_t i = 0; i < t->nq; i++)
        bwd_row(t, i, p->s + i * CPH_KEY_BLOCK, p->pd + i * CPH_KEY_BLOCK, p->dp + i * CPH_KEY_BLOCK);
    side ds = {p->s, CPH_KEY_BLOCK, 1, CPH_F32}, ds_t = {p->s, 1, CPH_KEY_BLOCK, CPH_F32};
    side pd_t = {p->pd, 1, CPH_KEY_BLOCK, CPH_F32};
    chain_on(t, t->nk, t->nq, pd_t, head + p->do_values + values, t->nq, p->dv, d, scratch);
    chain_on(t, t->nq, t->nk, ds, p->k_values, n_keys, head + p->dq + (size_t)t->q0 * d, d, scratch);
    chain_on(t, t->nk, t->nq, ds_t, head + p->q_values + values, t->nq, p->dk, d, scratch);
}

/* One block of keys against the queries of the whole group. */
static void backward_block(tile *t, uint32_t h0, uint32_t group, uint32_t k0, const backward_places *p, float *scratch)
{
    const cph_attention *a = t->a;
    uint32_t n = cph_u32_min(CPH_KEY_BLOCK, a->k_len - k0);
    t->h = h0;
    t->k0 = k0;
    size_t kv = tile_kv(t);
    memset(p->dk, 0, 2 * CPH_KEY_BLOCK * a->head_dim * sizeof *p->dk);
    pack_keys(t, a->k, n, p->k_columns);
    pack_keys(t, a->v, n, p->v_columns);
    pack_values(t, a->k, kv, a->kv_stride, n, p->k_values);
    for (t->h = h0; t->h < h0 + group; t->h++)
        for (uint32_t q = 0; q < a->q_len; q += SUB) {
            set_queries(t, q, a->q_len);
            if (set_keys(t, k0)) tile_bwd(t, p, p->heads + (t->h - h0) * p->head_floats, n, scratch);
        }
    for (uint32_t k = 0; k < n; k++) {
        finish_row(t, a->dk, kv + (size_t)k * a->kv_stride, p->dk + (size_t)k * a->head_dim, a->scale,
                   a->dk_adds);
        finish_row(t, a->dv, kv + (size_t)k * a->kv_stride, p->dv + (size_t)k * a->head_dim, 1, a->dv_adds);
    }
}

/* A chain over the batch rows. */
static void add_bias_parts(const cph_attention *a, size_t h)
{
    EACH_VECTOR(i, left, a->bias_len)
    {
        vf chain = a->dbias_adds ? v_ld(a->dbias + h * a->bias_len + i, left) : v_set(0);
        for (size_t b = 0; b < a->batch; b++)
            chain = v_add(chain, v_ld(a->dbias_part + (b * a->heads + h) * a->bias_len + i, left));
        v_st(a->dbias + h * a->bias_len + i, chain, left);
    }
}

static void attention_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    const cph_attention *a = &op->u.attention;
    if (phase == 1) {
        add_bias_parts(a, task);
        return;
    }
    uint32_t group = a->heads / a->kv_heads, h0 = (uint32_t)(task % a->kv_heads) * group;
    tile t = {.a = a, .type = op->dtype, .b = (uint32_t)(task / a->kv_heads)};
    backward_places p = backward_places_of(&t, scratch);
    if (a->dbias)
        memset(a->dbias_part + ((size_t)t.b * a->heads + h0) * a->bias_len, 0, group * a->bias_len * sizeof(float));
    for (t.h = h0; t.h < h0 + group; t.h++) prepare_head(&t, &p, p.heads + (t.h - h0) * p.head_floats);
    for (uint32_t k0 = 0; k0 < a->k_len; k0 += CPH_KEY_BLOCK) backward_block(&t, h0, group, k0, &p, scratch);
    for (t.h = h0; t.h < h0 + group; t.h++) {
        const float *dq = p.heads + (t.h - h0) * p.head_floats + p.dq;
        t.q0 = 0;
        for (uint32_t q = 0; q < a->q_len; q++)
            finish_row(&t, a->dq, tile_q(&t, a->q_stride) + (size_t)q * a->q_stride, dq + (size_t)q * a->head_dim,
                       a->scale, a->dq_adds);
    }
}

#endif
