/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_flat.h - what runs over flat arenas, ref_flat.c and ref_factor.c in vectors: sums of
 * squares and the optimizers. All but Adafactor's column sums are bound by memory.
 */
#ifndef CPH_SIMD_FLAT_H
#define CPH_SIMD_FLAT_H

#include "simd.h"

/* The flat block of a task: its begin, and its length in *n. */
ALWAYS size_t flat_block(uint64_t all, size_t task, size_t *n)
{
    size_t begin = task * CPH_FLAT_BLOCK;
    *n = all - begin < CPH_FLAT_BLOCK ? all - begin : CPH_FLAT_BLOCK;
    return begin;
}

ALWAYS vf v_no_tiny(vf x) { return v_sel(v_lt(v_abs(x), v_set(0x1p-100f)), v_set(0), x); }

static void sumsq_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    const cph_sumsq *s = &op->u.sumsq;
    size_t n, begin = flat_block(s->n, task, &n);
    const float *x = s->x + begin;
    lanes32 sum = lanes_zero();
    EACH_LANES(i, u, left, n)
    {
        vf v = v_ld(x + i + u * W, left);
        lanes_put(&sum, (unsigned)u, v_fma(v, v, sum.v[u]), left);
    }
    s->blocks[task] = (double)lanes_total(&sum);
}

static void adamw_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    const cph_adamw_args *a = &op->u.adamw;
    size_t n, begin = flat_block(a->n, task, &n);
    float *p = a->p + begin, *m = a->m + begin, *v = a->v + begin;
    EACH_VECTOR(i, left, n)
    {
        vf g = v_mul(v_ld(a->g + begin + i, left), v_set(a->grad_scale));
        vf mi = v_fma(v_set(a->beta1), v_ld(m + i, left), v_mul(v_set(a->one_beta1), g));
        vf vi2 = v_fma(v_set(a->beta2), v_ld(v + i, left), v_mul(v_mul(v_set(a->one_beta2), g), g));
        mi = v_no_tiny(mi);
        vi2 = v_no_tiny(vi2);
        vf down = v_div(mi, v_fma(v_sqrt(vi2), v_set(a->inv_root), v_set(a->eps)));
        v_st(p + i, v_fnma(v_set(a->step), down, v_mul(v_ld(p + i, left), v_set(a->decay))), left);
        v_st(m + i, mi, left);
        v_st(v + i, vi2, left);
    }
}

static void momentum_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    const cph_momentum *a = &op->u.momentum;
    size_t n, begin = flat_block(a->n, task, &n);
    EACH_VECTOR(k, left, n)
    {
        size_t i = begin + k;
        vf h = v_mul(v_ld(a->g + i, left), v_set(a->grad_scale));
        if (a->decay != 0) h = v_fma(v_set(a->decay), v_ld(a->p + i, left), h);
        vf u = h;
        if (a->buf) {
            vf m = v_no_tiny(v_fma(v_set(a->keep), v_ld(a->buf + i, left), v_mul(v_set(a->take), h)));
            v_st(a->buf + i, m, left);
            u = v_fma(v_set(a->look), m, v_mul(v_set(a->now), h));
        }
        if (a->u) v_st(a->u + i, u, left);
        else v_st(a->p + i, v_fnma(v_set(a->step), u, v_ld(a->p + i, left)), left);
    }
}

static void mix_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    const cph_mix *a = &op->u.mix;
    size_t n, begin = flat_block(a->n, task, &n);
    EACH_VECTOR(k, left, n)
    {
        size_t i = begin + k;
        v_st(a->y + i, v_fma(v_set(a->a), v_ld(a->x + i, left), v_mul(v_set(a->b), v_ld(a->y + i, left))), left);
    }
}

/* ---- Adafactor ---- */

typedef struct factor_rows { /* of a task, counted over all matrices */
    size_t matrix, first, end;
} factor_rows;

ALWAYS factor_rows factor_rows_of(const cph_factor *f, size_t task)
{
    size_t blocks = CPH_BLOCKS(f->rows), matrix = task / blocks, r = task % blocks * CPH_ROW_BLOCK;
    size_t end = r + CPH_ROW_BLOCK < f->rows ? r + CPH_ROW_BLOCK : f->rows;
    return (factor_rows){matrix, matrix * f->rows + r, matrix * f->rows + end};
}

ALWAYS vf factor_gradient(const cph_factor *f, size_t i, size_t left)
{
    return v_mul(v_ld(f->g + i, left), v_set(f->grad_scale));
}

static void factor_row_moments(const cph_factor *f, size_t task)
{
    factor_rows t = factor_rows_of(f, task);
    size_t w = f->columns;
    float *part = f->part + task * w;
    memset(part, 0, w * sizeof *part);
    for (size_t r = t.first; r < t.end; r++) {
        lanes32 sum = lanes_zero();
        EACH_LANES(i, u, left, w)
        {
            size_t c = i + u * W;
            vf h = factor_gradient(f, r * w + c, left), s = v_fma(h, h, v_set(f->eps));
            lanes_put(&sum, (unsigned)u, v_add(sum.v[u], s), left);
            v_st(part + c, v_add(v_ld(part + c, left), s), left);
        }
        f->row[r] = fmaf(f->beta2, f->row[r], f->one_beta2 * (lanes_total(&sum) / (float)w));
    }
}

static void factor_column_moments(const cph_factor *f, size_t task)
{
    size_t w = f->columns, tasks = (w + CPH_COLUMN_TASK - 1) / CPH_COLUMN_TASK, blocks = CPH_BLOCKS(f->rows);
    size_t matrix = task / tasks, c0 = task % tasks * CPH_COLUMN_TASK;
    EACH_VECTOR(i, left, w - c0 < CPH_COLUMN_TASK ? w - c0 : CPH_COLUMN_TASK)
    {
        float *p = f->part + matrix * blocks * w + c0 + i;
        size_t at = matrix * w + c0 + i;
        for (size_t n = blocks; n > 1; n = (n + 1) / 2) { /* the tree, in place */
            for (size_t b = 0; b < n / 2; b++)
                v_st(p + b * w, v_add(v_ld(p + 2 * b * w, left), v_ld(p + (2 * b + 1) * w, left)), left);
            if (n & 1) v_st(p + n / 2 * w, v_ld(p + (n - 1) * w, left), left);
        }
        vf mean = v_div(v_ld(p, left), v_set((float)f->rows));
        vf col = v_fma(v_set(f->beta2), v_ld(f->col + at, left), v_mul(v_set(f->one_beta2), mean));
        v_st(f->col + at, col, left);
        v_st(f->col_scale + at, v_div(v_set(1), v_sqrt(col)), left);
    }
}

static void factor_row_scales(const cph_factor *f, size_t matrix)
{
    const float *row = f->row + matrix * f->rows;
    lanes32 sum = lanes_zero();
    EACH_LANES(i, u, left, f->rows)
    lanes_put(&sum, (unsigned)u, v_add(sum.v[u], v_ld(row + i + u * W, left)), left);
    vf mean = v_set(lanes_total(&sum) / (float)f->rows);
    EACH_VECTOR(i, left, f->rows)
    v_st(f->row_scale + matrix * f->rows + i, v_div(v_set(1), v_sqrt(v_div(v_ld(row + i, left), mean))), left);
}

/* y at column c of row r */
ALWAYS vf factor_scaled(const cph_factor *f, size_t matrix, size_t r, size_t c, size_t left)
{
    vf h = factor_gradient(f, r * f->columns + c, left);
    return v_mul(v_mul(h, v_set(f->row_scale[r])), v_ld(f->col_scale + matrix * f->columns + c, left));
}

static void factor_row_squares(const cph_factor *f, size_t task)
{
    factor_rows t = factor_rows_of(f, task);
    for (size_t r = t.first; r < t.end; r++) {
        lanes32 sum = lanes_zero();
        EACH_LANES(i, u, left, f->columns)
        {
            vf y = factor_scaled(f, t.matrix, r, i + u * W, left);
            lanes_put(&sum, (unsigned)u, v_fma(y, y, sum.v[u]), left);
        }
        f->sums[r] = (double)lanes_total(&sum);
    }
}

static void factor_block_moments(const cph_factor *f, size_t task)
{
    size_t n, begin = flat_block(f->n * f->rows * f->columns, task, &n);
    lanes32 sum = lanes_zero();
    EACH_LANES(k, u, left, n)
    {
        size_t i = begin + k + u * W;
        vf h = factor_gradient(f, i, left), s = v_fma(h, h, v_set(f->eps));
        vf v = v_fma(v_set(f->beta2), v_ld(f->v + i, left), v_mul(v_set(f->one_beta2), s));
        v_st(f->v + i, v, left);
        vf y = v_div(h, v_sqrt(v));
        lanes_put(&sum, (unsigned)u, v_fma(y, y, sum.v[u]), left);
    }
    f->sums[task] = (double)lanes_total(&sum);
}

static void factor_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)scratch;
    const cph_factor *f = &op->u.factor;
    if (f->v) factor_block_moments(f, task);
    else if (phase == 0) factor_row_moments(f, task);
    else if (phase == 1) factor_column_moments(f, task);
    else if (phase == 2) factor_row_scales(f, task);
    else factor_row_squares(f, task);
}

ALWAYS void factor_update(const cph_factor *f, size_t i, vf y, size_t left)
{
    vf p = v_mul(v_ld(f->p + i, left), v_set(f->decay));
    if (!f->m) {
        v_st(f->p + i, v_fnma(v_set(f->step), y, p), left);
        return;
    }
    vf m = v_no_tiny(v_fma(v_set(f->beta1), v_ld(f->m + i, left), v_mul(v_set(f->step), y)));
    v_st(f->m + i, m, left);
    v_st(f->p + i, v_sub(p, m), left);
}

static void factor_step_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    const cph_factor *f = &op->u.factor;
    if (!f->v) {
        factor_rows t = factor_rows_of(f, task);
        for (size_t r = t.first; r < t.end; r++)
            EACH_VECTOR(c, left, f->columns)
            factor_update(f, r * f->columns + c, factor_scaled(f, t.matrix, r, c, left), left);
        return;
    }
    size_t n, begin = flat_block(f->n * f->rows * f->columns, task, &n);
    EACH_VECTOR(k, left, n)
    {
        size_t i = begin + k;
        factor_update(f, i, v_div(factor_gradient(f, i, left), v_sqrt(v_ld(f->v + i, left))), left);
    }
}

#define FLAT_KERNELS                                                                               \
    [CPH_OP_sumsq] = sumsq_fwd, [CPH_OP_adamw] = adamw_fwd, [CPH_OP_momentum] = momentum_fwd,      \
    [CPH_OP_mix] = mix_fwd, [CPH_OP_factor] = factor_fwd, [CPH_OP_factor_step] = factor_step_fwd

#endif
