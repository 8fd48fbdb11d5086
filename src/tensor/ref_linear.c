/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_linear.c - the reference of linear: GEMM, bias, activation, and backward.
 * The bias is added to the finished chain; gradients of weights go on from the old value.
 */
#include "ref_gemm.h"

#define GELU_K ((cph_real)0.79788456080286535588) /* sqrt(2/pi) */
#define GELU_C ((cph_real)0.044715)

/* 0.5 x (1 + tanh(k (x + c x^3))) */
static cph_real gelu_new(cph_real x)
{
    cph_real u = GELU_K * R_FMA(GELU_C * (x * x), x, x), half = (cph_real)0.5 * x;
    return R_FMA(half, R_TANH(u), half);
}

/* 0.5 (1 + t) + 0.5 x (1 - t^2) k (1 + 3 c x^2) */
static cph_real gelu_new_slope(cph_real x)
{
    cph_real xx = x * x, t = R_TANH(GELU_K * R_FMA(GELU_C * xx, x, x)), half = (cph_real)0.5 * x;
    cph_real inner = GELU_K * R_FMA((cph_real)0.134145, xx, 1);
    return R_FMA(half * R_FMA(-t, t, 1), inner, R_FMA((cph_real)0.5, t, (cph_real)0.5));
}

static ref_matrix weight(const cph_linear *l)
{
    return l->out_in ? (ref_matrix){l->w, 1, l->in} : (ref_matrix){l->w, l->out, 1};
}

void REF(linear_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_linear *l = &op->u.linear;
    cph_tiles tiles = cph_tiles_of(l->rows, l->out);
    cph_tile t = cph_tile_at(&tiles, task);
    ref_tile(t, l->in, (ref_matrix){l->x, l->in, 1}, weight(l), l->y, l->out, false);
    for (size_t r = t.m0; r < t.m1; r++)
        for (size_t c = t.n0; c < t.n1; c++) {
            cph_real *y = l->y + r * l->out + c;
            if (l->b) *y = *y + l->b[c];
            if (l->act == CPH_ACT_NONE) continue;
            if (l->pre) l->pre[r * l->out + c] = *y;
            *y = gelu_new(*y);
        }
}

/* dy becomes d pre; column sums of this block of rows */
static void linear_bwd_rows(const cph_linear *l, size_t block)
{
    size_t w = l->out, end = cph_u32_min((uint32_t)(block + 1) * CPH_ROW_BLOCK, l->rows);
    cph_real *part = l->part + block * w;
    if (l->db) memset(part, 0, w * sizeof *part);
    for (size_t r = block * CPH_ROW_BLOCK; r < end; r++)
        for (size_t c = 0; c < w; c++) {
            cph_real *dy = l->dy + r * w + c;
            if (l->act == CPH_ACT_GELU_NEW) *dy = *dy * gelu_new_slope(l->pre[r * w + c]);
            if (l->db) part[c] = part[c] + *dy;
        }
}

void REF(linear_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)scratch;
    const cph_linear *l = &op->u.linear;
    if (phase == 0) {
        linear_bwd_rows(l, task);
        return;
    }
    ref_matrix x_t = {l->x, 1, l->in}, dy = {l->dy, l->out, 1}, dy_t = {l->dy, 1, l->out};
    ref_matrix x = {l->x, l->in, 1}, w = weight(l);
    if (l->dw) {
        cph_tiles tiles = l->out_in ? cph_tiles_of(l->out, l->in) : cph_tiles_of(l->in, l->out);
        if (task < tiles.count) {
            cph_tile t = cph_tile_at(&tiles, task);
            if (l->out_in) ref_tile(t, l->rows, dy_t, x, l->dw, l->in, true);
            else ref_tile(t, l->rows, x_t, dy, l->dw, l->out, true);
            return;
        }
        task -= tiles.count;
    }
    if (l->dx) {
        cph_tiles tiles = cph_tiles_of(l->rows, l->in);
        if (task < tiles.count) {
            ref_tile(cph_tile_at(&tiles, task), l->out, dy, (ref_matrix){w.p, w.cs, w.rs}, l->dx, l->in,
                     false);
            return;
        }
        task -= tiles.count;
    }
    size_t end = cph_u32_min((uint32_t)(task + 1) * CPH_COLUMN_TASK, l->out);
    for (size_t c = task * CPH_COLUMN_TASK; c < end; c++)
        l->db[c] = l->db[c] + tree_column(l->part + c, l->out, CPH_BLOCKS(l->rows));
}
