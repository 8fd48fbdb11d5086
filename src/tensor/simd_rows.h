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
    float keep[DROP_CHUNK];
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++)
        for (size_t c = 0; c < w; c += DROP_CHUNK) {
            size_t n = w - c < DROP_CHUNK ? w - c : DROP_CHUNK;
            const float *tok = e->tok + e->ids[r] * w + c, *pos = e->pos + e->positions[r] * w + c;
            drop_fill(keep, r * w + c, n, &e->drop);
            EACH_VECTOR(i, left, n)
            v_st(e->x + r * w + c + i, v_mul(v_add(v_ld(tok + i, left), v_ld(pos + i, left)), v_ld(keep + i,
                                                                                                   left)),
                 left);
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
    float d[CPH_COLUMN_TASK];
    for (size_t r = 0; r < e->rows; r++) {
        drop_fill(d, r * w + c, n, &e->drop);
        EACH_VECTOR(i, left, n) v_st(d + i, v_mul(v_ld(e->dx + r * w + c + i, left), v_ld(d + i, left)),
                                     left);
        if (e->dtok) add_to(e->dtok + e->ids[r] * w + c, d, n);
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
        v_st(n->sum + at + i,
             v_add(v_ld(n->x + at + i, left), v_mul(v_get(n->y, t, at + i, left), v_ld(keep + i, left))), left);
    }
}

ALWAYS void norm_rows(const cph_norm *n, cph_dtype t, size_t task)
{
    size_t w = n->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, n->rows);
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        const float *s = (n->y ? n->sum : n->x) + r * w;
        lanes32 sum = lanes_zero(), square = lanes_zero();
        if (n->y) add_residual(n, t, r);
        EACH_LANES(i, u, left, w) lanes_put(&sum, (unsigned)u, v_add(sum.v[u], v_ld(s + i + u * W, left)),
                                            left);
        float mu = lanes_total(&sum) / (float)w;
        EACH_LANES(i, u, left, w)
        {
            vf d = v_sub(v_ld(s + i + u * W, left), v_set(mu));
            lanes_put(&square, (unsigned)u, v_fma(d, d, square.v[u]), left);
        }
        float rstd = 1 / sqrtf(lanes_total(&square) / (float)w + (float)n->eps);
        EACH_VECTOR(i, left, w)
        {
            vf xhat = v_mul(v_sub(v_ld(s + i, left), v_set(mu)), v_set(rstd));
            v_put(n->h, t, r * w + i, v_fma(xhat, v_ld(n->gamma + i, left), v_ld(n->beta + i, left)), left);
        }
        n->mean[r] = mu;
        n->rstd[r] = rstd;
    }
}

static void norm_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, norm_rows(&op->u.norm, TYPE, task));
}

/* What the second pass over a row needs. */
typedef struct norm_row {
    size_t at; /* of the row's first element */
    float mu, rstd, mg, mx;
    float *pg, *pb;
} norm_row;

ALWAYS void norm_bwd_finish(const cph_norm *n, cph_dtype t, const norm_row *row)
{
    const float *s = (n->y ? n->sum : n->x) + row->at;
    const float *dsum = n->dsum ? n->dsum + row->at : NULL;
    float keep[DROP_CHUNK];
    vf mu = v_set(row->mu), rstd = v_set(row->rstd), mg = v_set(row->mg), mx = v_set(row->mx);
    for (size_t c = 0; c < n->width; c += DROP_CHUNK) {
        size_t len = n->width - c < DROP_CHUNK ? n->width - c : DROP_CHUNK;
        if (n->dy) drop_fill(keep, row->at + c, len, &n->drop);
        EACH_VECTOR(i, left, len)
        {
            size_t x = c + i;
            vf h = v_get(n->dh, t, row->at + x, left), g = v_mul(h, v_ld(n->gamma + x, left));
            vf xhat = v_mul(v_sub(v_ld(s + x, left), mu), rstd);
            vf later = dsum ? v_ld(dsum + x, left) : v_set(0);
            vf d = v_fma(rstd, v_fnma(xhat, mx, v_sub(g, mg)), later);
            if (n->dgamma) {
                v_st(row->pg + x, v_fma(h, xhat, v_ld(row->pg + x, left)), left);
                v_st(row->pb + x, v_add(v_ld(row->pb + x, left), h), left);
            }
            v_st(n->dx + row->at + x, d, left);
            if (n->dy) v_put(n->dy, t, row->at + x, v_mul(d, v_ld(keep + i, left)), left);
        }
    }
}

ALWAYS void norm_bwd_rows(const cph_norm *n, cph_dtype t, size_t task)
{
    size_t w = n->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, n->rows);
    norm_row row = {.pg = n->part + task * w, .pb = n->part + (CPH_BLOCKS(n->rows) + task) * w};
    if (n->dgamma) memset(row.pg, 0, w * sizeof *row.pg), memset(row.pb, 0, w * sizeof *row.pb);
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        const float *s = (n->y ? n->sum : n->x) + r * w;
        lanes32 sg = lanes_zero(), sx = lanes_zero();
        row.at = r * w;
        row.mu = n->mean[r];
        row.rstd = n->rstd[r];
        EACH_LANES(i, u, left, w)
        {
            size_t x = i + u * W;
            vf g = v_mul(v_get(n->dh, t, row.at + x, left), v_ld(n->gamma + x, left));
            vf xhat = v_mul(v_sub(v_ld(s + x, left), v_set(row.mu)), v_set(row.rstd));
            lanes_put(&sg, (unsigned)u, v_add(sg.v[u], g), left);
            lanes_put(&sx, (unsigned)u, v_fma(g, xhat, sx.v[u]), left);
        }
        row.mg = lanes_total(&sg) / (float)w;
        row.mx = lanes_total(&sx) / (float)w;
        norm_bwd_finish(n, t, &row);
    }
}

static void norm_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)scratch;
    const cph_norm *n = &op->u.norm;
    if (phase == 0) {
        FOR_TYPE(op->dtype, norm_bwd_rows(n, TYPE, task));
        return;
    }
    add_tree(n->dgamma, n->part, n->width, CPH_BLOCKS(n->rows), task * CPH_COLUMN_TASK, false);
    add_tree(n->dbeta, n->part + CPH_BLOCKS(n->rows) * n->width, n->width, CPH_BLOCKS(n->rows),
             task * CPH_COLUMN_TASK, false);
}

#endif
