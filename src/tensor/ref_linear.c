/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_linear.c - the reference of linear: GEMM, bias, activation, and backward.
 * The bias is added to the finished chain; gradients of weights go on from the old value.
 */
#include "ref_act.h"
#include "ref_gemm.h"

static ref_matrix weight(const cph_linear *l, cph_dtype t)
{
    return l->out_in ? (ref_matrix){l->w, 1, l->in, CPH_F32, t} : (ref_matrix){l->w, l->out, 1, CPH_F32, t};
}

/* One element: the chain, the bias, the activation. */
static void forward_one(const cph_linear *l, cph_dtype t, const ref_matrix *w, size_t r, size_t c)
{
    ref_matrix x = {l->x, l->in, 1, t, t};
    size_t at = r * l->out + c;
    cph_dtype y_type = l->real_y ? CPH_F32 : t;
    cph_real y = l->y_adds ? val(l->y, y_type, at) : 0;
    for (size_t i = 0; i < l->in; i++) y = R_FMA(ref_at(&x, r, i), ref_at(w, i, c), y);
    if (l->b) y = y + l->b[c];
    if (l->act != CPH_ACT_NONE) {
        if (l->pre) put(l->pre, t, at, y);
        y = act_of(l->act, y);
    }
    put(l->y, y_type, at, y);
}

void REF(linear_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_linear *l = &op->u.linear;
    cph_tiles tiles = cph_tiles_of(l->rows, l->out, l->workers);
    cph_tile t = cph_tile_at(&tiles, task);
    ref_matrix w = weight(l, op->dtype);
    for (size_t r = t.m0; r < t.m1; r++)
        for (size_t c = t.n0; c < t.n1; c++) forward_one(l, op->dtype, &w, r, c);
}

/* A block of rows whose product another hand made (products.c). */
void REF(linear_act)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_linear *l = &op->u.linear;
    cph_dtype y_type = l->real_y ? CPH_F32 : op->dtype;
    size_t end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, l->rows);
    for (size_t at = task * CPH_ROW_BLOCK * l->out; at < end * l->out; at++)
        put(l->y, y_type, at, act_of(l->act, l->pre ? val(l->pre, op->dtype, at) : val(l->y, y_type, at)));
}

/* dy becomes d pre; column sums of this block of rows */
static void linear_bwd_rows(const cph_linear *l, cph_dtype t, size_t block)
{
    size_t w = l->out, end = cph_u32_min((uint32_t)(block + 1) * CPH_ROW_BLOCK, l->rows);
    cph_real *part = l->part + block * w;
    if (l->db) memset(part, 0, w * sizeof *part);
    for (size_t r = block * CPH_ROW_BLOCK; r < end; r++)
        for (size_t c = 0; c < w; c++) {
            size_t at = r * w + c;
            if (l->act != CPH_ACT_NONE)
                put(l->dy, t, at, val(l->dy, t, at) * slope_of(l->act, val(l->pre, t, at)));
            if (l->db) part[c] = part[c] + val(l->dy, t, at);
        }
}

void REF(linear_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)scratch;
    const cph_linear *l = &op->u.linear;
    cph_dtype type = op->dtype;
    if (phase == 0) {
        if (task < CPH_BLOCKS(l->rows)) linear_bwd_rows(l, type, task); /* the rest packs for vector kernels */
        return;
    }
    ref_matrix x_t = {l->x, 1, l->in, type, type}, x = {l->x, l->in, 1, type, type};
    ref_matrix dy = {l->dy, l->out, 1, type, type}, dy_t = {l->dy, 1, l->out, type, type};
    ref_matrix w = weight(l, type);
    if (l->dw) {
        cph_tiles tiles = l->out_in ? cph_tiles_of(l->out, l->in, l->workers) : cph_tiles_of(l->in, l->out, l->workers);
        if (task < tiles.count) {
            cph_tile t = cph_tile_at(&tiles, task);
            if (l->out_in) ref_tile(t, l->rows, dy_t, x, l->dw, CPH_F32, l->in, !l->fresh_dw);
            else ref_tile(t, l->rows, x_t, dy, l->dw, CPH_F32, l->out, !l->fresh_dw);
            return;
        }
        task -= tiles.count;
    }
    if (l->dx) {
        cph_tiles tiles = cph_tiles_of(l->rows, l->in, l->workers);
        if (task < tiles.count) {
            ref_matrix w_t = {w.p, w.cs, w.rs, w.type, w.product};
            ref_tile(cph_tile_at(&tiles, task), l->out, dy, w_t, l->dx, type, l->in, l->dx_adds);
            return;
        }
        task -= tiles.count;
    }
    size_t end = cph_u32_min((uint32_t)(task + 1) * CPH_COLUMN_TASK, l->out);
    for (size_t c = task * CPH_COLUMN_TASK; c < end; c++)
        l->db[c] = (l->fresh_dw ? 0 : l->db[c]) + tree_column(l->part + c, l->out, CPH_BLOCKS(l->rows));
}
