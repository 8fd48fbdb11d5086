/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_factor.c - the reference of Adafactor (text-models 11.4). Rows are summed in lanes, columns
 * in blocks of 64 rows by a tree. No moment is stored as 0, since every one is divided by: eps
 * keeps them far above the smallest normal number.
 */
#include "real.h"

/* Where a task's rows lie: row r of matrix r / rows, counted over all matrices. */
typedef struct rows_of {
    size_t matrix, first, end;
} rows_of;

static rows_of task_rows(const cph_factor *f, size_t task)
{
    size_t blocks = CPH_BLOCKS(f->rows), matrix = task / blocks, r = task % blocks * CPH_ROW_BLOCK;
    size_t end = r + CPH_ROW_BLOCK < f->rows ? r + CPH_ROW_BLOCK : f->rows;
    return (rows_of){matrix, matrix * f->rows + r, matrix * f->rows + end};
}

static cph_real square(const cph_factor *f, size_t i)
{
    cph_real h = f->g[i] * f->grad_scale;
    return R_FMA(h, h, f->eps);
}

static void moments_of_rows(const cph_factor *f, size_t task)
{
    rows_of t = task_rows(f, task);
    cph_real *part = f->part + task * f->columns;
    memset(part, 0, f->columns * sizeof *part);
    for (size_t r = t.first; r < t.end; r++) {
        lanes sum = {{0}};
        for (size_t c = 0; c < f->columns; c++) {
            cph_real s = square(f, r * f->columns + c);
            sum.v[c % LANES] = sum.v[c % LANES] + s;
            part[c] = part[c] + s;
        }
        f->row[r] = R_FMA(f->beta2, f->row[r], f->one_beta2 * (lanes_sum(&sum) / (cph_real)f->columns));
    }
}

static void moments_of_columns(const cph_factor *f, size_t task)
{
    size_t tasks = (f->columns + CPH_COLUMN_TASK - 1) / CPH_COLUMN_TASK, blocks = CPH_BLOCKS(f->rows);
    size_t matrix = task / tasks, c = task % tasks * CPH_COLUMN_TASK;
    size_t end = c + CPH_COLUMN_TASK < f->columns ? c + CPH_COLUMN_TASK : f->columns;
    for (; c < end; c++) {
        size_t at = matrix * f->columns + c;
        cph_real sum = tree_column(f->part + matrix * blocks * f->columns + c, f->columns, blocks);
        f->col[at] = R_FMA(f->beta2, f->col[at], f->one_beta2 * (sum / (cph_real)f->rows));
        f->col_scale[at] = 1 / R_SQRT(f->col[at]);
    }
}

static void scales_of_rows(const cph_factor *f, size_t matrix)
{
    const cph_real *row = f->row + matrix * f->rows;
    lanes sum = {{0}};
    for (size_t r = 0; r < f->rows; r++) sum.v[r % LANES] = sum.v[r % LANES] + row[r];
    cph_real mean = lanes_sum(&sum) / (cph_real)f->rows;
    for (size_t r = 0; r < f->rows; r++) f->row_scale[matrix * f->rows + r] = 1 / R_SQRT(row[r] / mean);
}

static cph_real factored(const cph_factor *f, size_t matrix, size_t r, size_t c)
{
    cph_real h = f->g[r * f->columns + c] * f->grad_scale;
    return h * f->row_scale[r] * f->col_scale[matrix * f->columns + c];
}

static void squares_of_rows(const cph_factor *f, size_t task)
{
    rows_of t = task_rows(f, task);
    for (size_t r = t.first; r < t.end; r++) {
        lanes sum = {{0}};
        for (size_t c = 0; c < f->columns; c++) {
            cph_real y = factored(f, t.matrix, r, c);
            sum.v[c % LANES] = R_FMA(y, y, sum.v[c % LANES]);
        }
        f->sums[r] = (double)lanes_sum(&sum);
    }
}

static void moments_of_block(const cph_factor *f, size_t task)
{
    uint64_t n = f->n * f->rows * f->columns, begin = (uint64_t)task * CPH_FLAT_BLOCK, end = begin + CPH_FLAT_BLOCK;
    if (end > n) end = n;
    lanes sum = {{0}};
    for (uint64_t i = begin; i < end; i++) {
        size_t l = (i - begin) % LANES;
        f->v[i] = R_FMA(f->beta2, f->v[i], f->one_beta2 * square(f, i));
        cph_real y = f->g[i] * f->grad_scale / R_SQRT(f->v[i]);
        sum.v[l] = R_FMA(y, y, sum.v[l]);
    }
    f->sums[task] = (double)lanes_sum(&sum);
}

void REF(factor_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)scratch;
    const cph_factor *f = &op->u.factor;
    if (f->v) moments_of_block(f, task);
    else if (phase == 0) moments_of_rows(f, task);
    else if (phase == 1) moments_of_columns(f, task);
    else if (phase == 2) scales_of_rows(f, task);
    else squares_of_rows(f, task);
}

static void update(const cph_factor *f, size_t i, cph_real y)
{
    const cph_real tiny = (cph_real)0x1p-100;
    cph_real p = f->p[i] * f->decay;
    if (!f->m) {
        f->p[i] = R_FMA(-f->step, y, p);
        return;
    }
    cph_real m = R_FMA(f->beta1, f->m[i], f->step * y);
    if (m < tiny && m > -tiny) m = 0;
    f->m[i] = m;
    f->p[i] = p - m;
}

void REF(factor_step_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_factor *f = &op->u.factor;
    if (!f->v) {
        rows_of t = task_rows(f, task);
        for (size_t r = t.first; r < t.end; r++)
            for (size_t c = 0; c < f->columns; c++) update(f, r * f->columns + c, factored(f, t.matrix, r, c));
        return;
    }
    uint64_t n = f->n * f->rows * f->columns, i = (uint64_t)task * CPH_FLAT_BLOCK, end = i + CPH_FLAT_BLOCK;
    if (end > n) end = n;
    for (; i < end; i++) update(f, i, f->g[i] * f->grad_scale / R_SQRT(f->v[i]));
}
