/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_rows.h - embed and norm: ref_rows.c in vectors.
 */
#ifndef CPH_SIMD_ROWS_H
#define CPH_SIMD_ROWS_H

#include "simd_linear.h"

static void embed_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    const cph_embed *e = &op->u.embed;
    size_t w = e->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, e->rows);
    vf scale = v_set(e->scale == 0 ? 1 : e->scale);
    float keep[DROP_CHUNK];
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++)
        for (size_t c = 0; c < w; c += DROP_CHUNK) {
            size_t n = w - c < DROP_CHUNK ? w - c : DROP_CHUNK;
            const float *tok = e->tok + e->ids[r] * w + c, *typ = e->typ ? e->typ + e->types[r] * w + c : NULL;
            const float *pos = e->pos ? e->pos + e->positions[r] * w + c : NULL;
            drop_fill(keep, r * w + c, n, &e->drop);
            EACH_VECTOR(i, left, n)
            {
                vf v = v_mul(v_ld(tok + i, left), scale);
                if (typ) v = v_add(v, v_ld(typ + i, left));
                if (pos) v = v_add(v, v_ld(pos + i, left));
                v_st(e->x + r * w + c + i, v_mul(v, v_ld(keep + i, left)), left);
            }
        }
}

static void add_to(float *sum, const float *d, size_t n)
{
    EACH_VECTOR(i, left, n) v_st(sum + i, v_add(v_ld(sum + i, left), v_ld(d + i, left)), left);
}

static void embed_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    const cph_embed *e = &op->u.embed;
    size_t w = e->width, c = task * CPH_COLUMN_TASK, n = w - c < CPH_COLUMN_TASK ? w - c : CPH_COLUMN_TASK;
    vf scale = v_set(e->scale == 0 ? 1 : e->scale);
    float d[CPH_COLUMN_TASK];
    for (size_t r = 0; r < e->rows; r++) {
        drop_fill(d, r * w + c, n, &e->drop);
        EACH_VECTOR(i, left, n) v_st(d + i, v_mul(v_ld(e->dx + r * w + c + i, left), v_ld(d + i, left)),
                                     left);
        if (e->dtok && !(e->has_padding && e->ids[r] == e->padding)) {
            float *tok = e->dtok + e->ids[r] * w + c;
            EACH_VECTOR(i, left, n) v_st(tok + i, v_add(v_ld(tok + i, left), v_mul(v_ld(d + i, left), scale)), left);
        }
        if (e->dtyp) add_to(e->dtyp + e->types[r] * w + c, d, n);
        if (e->dpos) add_to(e->dpos + e->positions[r] * w + c, d, n);
    }
}

/* sum = x + dropout(y), one row */
ALWAYS void add_residual(const cph_norm *n, cph_dtype t, size_t r)
{
    size_t w = n->width;
    float keep[DROP_CHUNK];
    for (size_t c = 0; c < w; c += DROP_CHUNK) {
        size_t len = w - c < DROP_CHUNK ? w - c : DROP_CHUNK, at = r * w + c;
        drop_fill(keep, at, len, &n->drop);
        EACH_VECTOR(i, left, len)
        {
            vf x = n->x ? v_ld(n->x + at + i, left) : v_set(0);
            v_st(n->sum + at + i, v_add(x, v_mul(v_get(n->y, t, at + i, left), v_ld(keep + i, left))), left);
        }
    }
}

/* h and stream of one row; s is the row of sums. */
ALWAYS void norm_results(const cph_norm *n, cph_dtype t, size_t r, const float *s, float mean, float inverse)
{
    size_t w = n->width;
    vf mu = v_set(mean), rstd = v_set(inverse);
    float keep[DROP_CHUNK];
    for (size_t c = 0; c < w; c += DROP_CHUNK) {
        size_t len = w - c < DROP_CHUNK ? w - c : DROP_CHUNK, at = r * w + c;
        if (n->h_drop.p > 0) drop_fill(keep, at, len, &n->h_drop);
        EACH_VECTOR(i, left, len)
        {
            vf beta = n->beta ? v_ld(n->beta + c + i, left) : v_set(0);
            vf h = v_fma(v_mul(v_sub(v_ld(s + c + i, left), mu), rstd), v_ld(n->gamma + c + i, left), beta);
            if (n->h_drop.p > 0) h = v_mul(h, v_ld(keep + i, left));
            v_put(n->h, t, at + i, h, left);
            if (n->stream) v_st(n->stream + at + i, h, left);
        }
    }
}

ALWAYS void norm_rows(const cph_norm *n, cph_dtype t, size_t task)
{
    size_t w = n->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, n->rows);
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        const float *s = (n->y ? n->sum : n->x) + r * w;
        float mu = 0;
        lanes32 square = lanes_zero();
        if (n->y) add_residual(n, t, r);
        if (!n->rms) {
            lanes32 sum = lanes_zero();
            EACH_LANES(i, u, left, w)
            lanes_put(&sum, (unsigned)u, v_add(sum.v[u], v_ld(s + i + u * W, left)), left);
            mu = lanes_total(&sum) / (float)w;
            n->mean[r] = mu;
        }
        EACH_LANES(i, u, left, w)
        {
            vf d = v_sub(v_ld(s + i + u * W, left), v_set(mu));
            lanes_put(&square, (unsigned)u, v_fma(d, d, square.v[u]), left);
        }
        n->rstd[r] = 1 / sqrtf(lanes_total(&square) / (float)w + (float)n->eps);
        norm_results(n, t, r, s, mu, n->rstd[r]);
    }
}

static void norm_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, norm_rows(&op->u.norm, TYPE, task));
}

/* out: the gradient of the norm's result from element `at` on, of all who read it */
ALWAYS void result_grads(const cph_norm *n, cph_dtype t, size_t at, size_t len, float *out)
{
    float keep[DROP_CHUNK];
    if (n->h_drop.p > 0) drop_fill(keep, at, len, &n->h_drop);
    EACH_VECTOR(i, left, len)
    {
        vf d = n->dh ? v_get(n->dh, t, at + i, left) : v_set(0);
        if (n->dstream) d = v_add(d, v_ld(n->dstream + at + i, left));
        if (n->h_drop.p > 0) d = v_mul(d, v_ld(keep + i, left));
        v_st(out + i, d, left);
    }
}

/* What the second pass over a row needs. */
typedef struct norm_row {
    size_t at; /* of the row's first element */
    float mu, rstd, mg, mx;
    float *pg, *pb;
} norm_row;

/* Nobody but the one who made dh reads the result, and nothing of it was dropped. */
ALWAYS bool reads_dh_alone(const cph_norm *n) { return n->dh && !n->dstream && !(n->h_drop.p > 0); }

/* Elements c..c+len-1 of a row; dh holds their result_grads unless they are n->dh itself (alone). */
ALWAYS void norm_bwd_finish(const cph_norm *n, cph_dtype t, bool alone, const norm_row *row, size_t c, size_t len,
                            const float *dh)
{
    const float *s = (n->y ? n->sum : n->x) + row->at, *later = n->y ? n->dsum : n->dx_adds ? n->dx : NULL;
    float keep[DROP_CHUNK];
    bool dx_adds = n->y && n->dx_adds;
    vf mu = v_set(row->mu), rstd = v_set(row->rstd), mg = v_set(row->mg), mx = v_set(row->mx);
    if (n->dy) drop_fill(keep, row->at + c, len, &n->drop);
    EACH_VECTOR(i, left, len)
    {
        size_t x = c + i, at = row->at + x;
        vf h = alone ? v_get(n->dh, t, at, left) : v_ld(dh + i, left), g = v_mul(h, v_ld(n->gamma + x, left));
        vf xhat = v_mul(v_sub(v_ld(s + x, left), mu), rstd);
        vf d = v_fma(rstd, v_fnma(xhat, mx, v_sub(g, mg)), later ? v_ld(later + at, left) : v_set(0));
        if (n->dgamma) v_st(row->pg + x, v_fma(h, xhat, v_ld(row->pg + x, left)), left);
        if (n->dbeta) v_st(row->pb + x, v_add(v_ld(row->pb + x, left), h), left);
        if (n->dx) v_st(n->dx + at, dx_adds ? v_add(v_ld(n->dx + at, left), d) : d, left);
        if (!n->dy) continue;
        vf dy = v_mul(d, v_ld(keep + i, left));
        v_put(n->dy, t, at, n->dy_adds ? v_add(v_get(n->dy, t, at, left), dy) : dy, left);
    }
}

/* The two sums over a row: of g and of g xhat. */
ALWAYS void norm_bwd_sums(const cph_norm *n, cph_dtype t, bool alone, norm_row *row)
{
    const float *s = (n->y ? n->sum : n->x) + row->at;
    float dh[DROP_CHUNK];
    size_t w = n->width, chunk = alone ? w : DROP_CHUNK; /* a multiple of 32: lanes go on */
    lanes32 sg = lanes_zero(), sx = lanes_zero();
    for (size_t c = 0; c < w; c += chunk) {
        size_t len = w - c < chunk ? w - c : chunk;
        if (!alone) result_grads(n, t, row->at + c, len, dh);
        EACH_LANES(i, u, left, len)
        {
            size_t x = i + u * W;
            vf h = alone ? v_get(n->dh, t, row->at + x, left) : v_ld(dh + x, left);
            vf g = v_mul(h, v_ld(n->gamma + c + x, left));
            vf xhat = v_mul(v_sub(v_ld(s + c + x, left), v_set(row->mu)), v_set(row->rstd));
            lanes_put(&sg, (unsigned)u, v_add(sg.v[u], g), left);
            lanes_put(&sx, (unsigned)u, v_fma(g, xhat, sx.v[u]), left);
        }
    }
    row->mg = n->rms ? 0 : lanes_total(&sg) / (float)w;
    row->mx = lanes_total(&sx) / (float)w;
}

ALWAYS void norm_bwd_rows(const cph_norm *n, cph_dtype t, bool alone, size_t task)
{
    size_t w = n->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, n->rows);
    norm_row row = {.pg = n->part + task * w, .pb = n->part + (CPH_BLOCKS(n->rows) + task) * w};
    float dh[DROP_CHUNK];
    if (n->dgamma) memset(row.pg, 0, w * sizeof *row.pg);
    if (n->dbeta) memset(row.pb, 0, w * sizeof *row.pb);
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        row.at = r * w;
        row.mu = n->rms ? 0 : n->mean[r];
        row.rstd = n->rstd[r];
        norm_bwd_sums(n, t, alone, &row);
        for (size_t c = 0; c < w; c += DROP_CHUNK) {
            size_t len = w - c < DROP_CHUNK ? w - c : DROP_CHUNK;
            if (!alone) result_grads(n, t, row.at + c, len, dh);
            norm_bwd_finish(n, t, alone, &row, c, len, dh);
        }
    }
}

static void norm_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)scratch;
    const cph_norm *n = &op->u.norm;
    if (phase == 0) {
        if (reads_dh_alone(n)) FOR_TYPE(op->dtype, norm_bwd_rows(n, TYPE, true, task));
        else FOR_TYPE(op->dtype, norm_bwd_rows(n, TYPE, false, task));
        return;
    }
    if (n->dgamma) add_tree(n->dgamma, n->part, n->width, CPH_BLOCKS(n->rows), task * CPH_COLUMN_TASK, false);
    if (n->dbeta)
        add_tree(n->dbeta, n->part + CPH_BLOCKS(n->rows) * n->width, n->width, CPH_BLOCKS(n->rows),
                 task * CPH_COLUMN_TASK, false);
}

#endif
