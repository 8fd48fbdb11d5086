/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_linear.h - linear and the fused output layer with cross-entropy: ref_linear.c and
 * ref_loss.c on packed tiles.
 */
#ifndef CPH_SIMD_LINEAR_H
#define CPH_SIMD_LINEAR_H

#include "simd_gemm.h"
#include "simd_math.h"

static void linear_epilogue(const cph_linear *l, cph_tile t)
{
    size_t n = t.n1 - t.n0;
    for (size_t r = t.m0; r < t.m1; r++) {
        float *y = l->y + r * l->out + t.n0, *pre = l->pre ? l->pre + r * l->out + t.n0 : NULL;
        EACH_VECTOR(i, left, n)
        {
            vf v = v_ld(y + i, left);
            if (l->b) v = v_add(v, v_ld(l->b + t.n0 + i, left));
            if (l->act != CPH_ACT_NONE) {
                if (pre) v_st(pre + i, v, left);
                v = v_gelu_new(v);
            }
            v_st(y + i, v, left);
        }
    }
}

static simd_matrix linear_weight(const cph_linear *l)
{
    return l->out_in ? (simd_matrix){l->w, 1, l->in} : (simd_matrix){l->w, l->out, 1};
}

static void linear_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase;
    const cph_linear *l = &op->u.linear;
    cph_tiles tiles = cph_tiles_of(l->rows, l->out);
    cph_tile t = cph_tile_at(&tiles, task);
    gemm_tile(t, l->in, (simd_matrix){l->x, l->in, 1}, linear_weight(l), l->packed, l->y, l->out, false,
              scratch);
    if (l->b || l->act != CPH_ACT_NONE) linear_epilogue(l, t);
}

static void linear_bwd_rows(const cph_linear *l, size_t block)
{
    size_t w = l->out, end = cph_u32_min((uint32_t)(block + 1) * CPH_ROW_BLOCK, l->rows);
    float *part = l->part + block * w;
    if (l->act == CPH_ACT_NONE && !l->db) return;
    if (l->db) memset(part, 0, w * sizeof *part);
    for (size_t r = block * CPH_ROW_BLOCK; r < end; r++) {
        float *dy = l->dy + r * w;
        EACH_VECTOR(i, left, w)
        {
            vf d = v_ld(dy + i, left);
            if (l->act == CPH_ACT_GELU_NEW) {
                d = v_mul(d, v_gelu_new_slope(v_ld(l->pre + r * w + i, left)));
                v_st(dy + i, d, left);
            }
            if (l->db) v_st(part + i, v_add(v_ld(part + i, left), d), left);
        }
    }
}

/* sum[c] += the tree over blocks of part[block][c], for 64 columns from c0 on */
static void add_tree(float *sum, float *part, size_t width, size_t n_blocks, size_t c0)
{
    size_t columns = width - c0 < CPH_COLUMN_TASK ? width - c0 : CPH_COLUMN_TASK;
    EACH_VECTOR(i, left, columns)
    {
        float *p = part + c0 + i;
        for (size_t n = n_blocks; n > 1; n = (n + 1) / 2) {
            for (size_t b = 0; b < n / 2; b++)
                v_st(p + b * width, v_add(v_ld(p + 2 * b * width, left), v_ld(p + (2 * b + 1) * width,
                                                                              left)), left);
            if (n & 1) v_st(p + n / 2 * width, v_ld(p + (n - 1) * width, left), left);
        }
        v_st(sum + c0 + i, v_add(v_ld(sum + c0 + i, left), v_ld(p, left)), left);
    }
}

static void linear_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    const cph_linear *l = &op->u.linear;
    if (phase == 0) {
        linear_bwd_rows(l, task);
        return;
    }
    simd_matrix dy = {l->dy, l->out, 1}, w = linear_weight(l);
    if (l->dw) {
        cph_tiles tiles = l->out_in ? cph_tiles_of(l->out, l->in) : cph_tiles_of(l->in, l->out);
        if (task < tiles.count) {
            cph_tile t = cph_tile_at(&tiles, task);
            if (l->out_in)
                gemm_tile(t, l->rows, (simd_matrix){l->dy, 1, l->out}, (simd_matrix){l->x, l->in, 1}, NULL,
                          l->dw,
                          l->in, true, scratch);
            else
                gemm_tile(t, l->rows, (simd_matrix){l->x, 1, l->in}, dy, NULL, l->dw, l->out, true, scratch);
            return;
        }
        task -= tiles.count;
    }
    if (l->dx) {
        cph_tiles tiles = cph_tiles_of(l->rows, l->in);
        if (task < tiles.count) {
            gemm_tile(cph_tile_at(&tiles, task), l->out, dy, (simd_matrix){w.p, w.cs, w.rs}, NULL, l->dx,
                      l->in,
                      false, scratch);
            return;
        }
        task -= tiles.count;
    }
    add_tree(l->db, l->part, l->out, CPH_BLOCKS(l->rows), task * CPH_COLUMN_TASK);
}

static void loss_row(const cph_loss *l, size_t row, float *z)
{
    size_t v = l->vocab;
    int32_t y = l->labels[row];
    if (l->keep) memcpy(l->keep + row * v, z, v * sizeof *z);
    if (y < 0) {
        l->losses[row] = 0;
        memset(z, 0, v * sizeof *z);
        return;
    }
    float label = z[y];
    vf high = v_set(z[0]);
    EACH_VECTOR(i, left, v) high = v_sel(v_first(left), v_max(v_ld(z + i, left), high), high);
    float top = v_max_of(high);
    lanes32 sum = lanes_zero();
    EACH_LANES(i, u, left, v)
    {
        vf e = v_exp(v_sub(v_ld(z + i + u * W, left), v_set(top)));
        v_st(z + i + u * W, e, left);
        lanes_put(&sum, (unsigned)u, v_add(sum.v[u], e), left);
    }
    float total = lanes_total(&sum);
    l->losses[row] = (cph_logf(total) + top) - label;
    if (!l->backward) return;
    float scale = *l->inv_labels, s = (1 / total) * scale;
    EACH_VECTOR(i, left, v) v_st(z + i, v_mul(v_ld(z + i, left), v_set(s)), left);
    z[y] = z[y] - scale;
}

static void loss_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    const cph_loss *l = &op->u.loss;
    size_t row0 = (size_t)(phase / 3) * l->chunk;
    uint32_t rows = cph_u32_min(l->chunk, l->rows - (uint32_t)row0);
    simd_matrix x = {l->x + row0 * l->in, l->in, 1};
    if (phase % 3 == 0) {
        cph_tiles tiles = cph_tiles_of(rows, l->vocab);
        gemm_tile(cph_tile_at(&tiles, task), l->in, x, (simd_matrix){l->w, 1, l->in}, l->packed, l->logits,
                  l->vocab,
                  false, scratch);
        return;
    }
    if (phase % 3 == 1) {
        size_t end = cph_u32_min((uint32_t)(task + 1) * CPH_LOSS_ROWS, rows);
        for (size_t r = task * CPH_LOSS_ROWS; r < end; r++) loss_row(l, row0 + r, l->logits + r * l->vocab);
        return;
    }
    cph_tiles tiles = cph_tiles_of(rows, l->in);
    if (task < tiles.count) {
        gemm_tile(cph_tile_at(&tiles, task), l->vocab, (simd_matrix){l->logits, l->vocab, 1},
                  (simd_matrix){l->w, l->in, 1}, NULL, l->dx + row0 * l->in, l->in, false, scratch);
        return;
    }
    task -= tiles.count;
    tiles = cph_tiles_of(l->vocab, l->in);
    gemm_tile(cph_tile_at(&tiles, task), rows, (simd_matrix){l->logits, 1, l->vocab}, x, NULL, l->dw, l->in,
              true,
              scratch);
}

#endif
