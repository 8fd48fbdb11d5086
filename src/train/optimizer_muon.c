/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer_muon.c - Muon (text-models 11.5): the step of a hidden matrix is its momentum with
 * all singular values pushed towards 1, by five Newton-Schulz steps. Products are the engine's
 * own, chains in increasing k, so that they have the same bits everywhere.
 */
#include "optimizer_in.h"

#include <math.h>

#define NS_STEPS 5
static const float ns_a = 3.4445f, ns_b = -4.7750f, ns_c = 2.0315f;

typedef struct shape { /* of the iterated matrix: no more rows than columns */
    uint32_t rows, columns;
    bool transposed;
} shape;

static shape shape_of(const cph_param *p)
{
    bool tall = p->dims[0] > p->dims[1];
    return (shape){p->dims[tall], p->dims[!tall], tall};
}

/* Two matrices of the tensor's size, two of its shorter side. */
uint64_t cph_opt_muon_floats(const cph_param *p)
{
    uint64_t side = shape_of(p).rows;
    return 2 * p->n + 2 * side * side;
}

/* c [m,n] = a [m,k] b, b [k,n], or [n,k] where it is to be transposed */
static void multiply(cph_optimizer *o, float *c, const float *a, const float *b, uint32_t m, uint32_t k, uint32_t n,
                     bool transposed)
{
    cph_op op = {.kind = CPH_OP_linear, .dtype = CPH_F32};
    op.u.linear = (cph_linear){.x = a, .w = b, .y = c, .rows = m, .in = k, .out = n, .out_in = transposed};
    cph_op_forward(o->exec, &op);
}

/* y = b y + a x */
static void mix(cph_optimizer *o, float *y, const float *x, uint64_t n, float a, float b)
{
    cph_op op = {.kind = CPH_OP_mix, .u.mix = {y, x, n, a, b}};
    cph_op_flat(o->backend, o->pool, &op);
}

#define TRANSPOSE_ROWS 64u
typedef struct transposition {
    float *to;
    const float *from; /* [rows,columns] */
    size_t rows, columns;
} transposition;

static cph_status transpose_rows(void *arg, size_t task, unsigned worker, cph_err *err)
{
    (void)worker, (void)err;
    const transposition *t = arg;
    size_t first = task * TRANSPOSE_ROWS, end = first + TRANSPOSE_ROWS < t->rows ? first + TRANSPOSE_ROWS : t->rows;
    for (size_t c = 0; c < t->columns; c++)
        for (size_t r = first; r < end; r++) t->to[c * t->rows + r] = t->from[r * t->columns + c];
    return CPH_OK;
}

static void transpose(cph_optimizer *o, float *to, const float *from, size_t rows, size_t columns)
{
    transposition t = {to, from, rows, columns};
    size_t n = (rows + TRANSPOSE_ROWS - 1) / TRANSPOSE_ROWS;
    cph_status s = CPH_OK; /* tasks do not fail */
    if (o->pool) s = cph_pool_run(o->pool, n, transpose_rows, &t, NULL);
    for (size_t i = 0; !o->pool && i < n; i++) s = transpose_rows(&t, i, 0, NULL);
    (void)s;
}

/* X /= |X| + 1e-7; five times A = X X^T, X = a X + (b A + c A A) X. `y` is as large as x, `side` two squares. */
static void orthogonalise(cph_optimizer *o, float *x, float *y, float *side, const shape *s)
{
    uint64_t n = (uint64_t)s->rows * s->columns, n_side = (uint64_t)s->rows * s->rows;
    float *a = side, *aa = side + n_side;
    cph_op squares = {.kind = CPH_OP_sumsq, .u.sumsq = {x, o->own, n}};
    cph_op_flat(o->backend, o->pool, &squares);
    mix(o, x, x, n, (float)(1.0 / (sqrt(cph_tree_sum(o->own, opt_blocks(n))) + 1e-7)), 0);
    for (unsigned i = 0; i < NS_STEPS; i++) {
        multiply(o, a, x, x, s->rows, s->columns, s->rows, true);
        multiply(o, aa, a, a, s->rows, s->rows, s->rows, false);
        mix(o, aa, a, n_side, ns_b, ns_c);
        multiply(o, y, aa, x, s->rows, s->rows, s->columns, false);
        mix(o, x, y, n, 1, ns_a);
    }
}

void cph_opt_muon(cph_optimizer *o, const opt_part *part, const float *g, const opt_step *s)
{
    const cph_param *p = part->param;
    shape x = shape_of(p);
    float *u = o->work, *other = u + p->n, *side = other + p->n, keep = (float)o->o.momentum;
    double lr = (double)(float)(o->o.muon_lr * s->schedule), decay = part->decays ? o->o.weight_decay : 0;
    double rows = p->dims[0], columns = p->dims[1];
    cph_op op = {.kind = CPH_OP_momentum};
    op.u.momentum = (cph_momentum){.buf = part->at[OPT_M],
                                   .g = g,
                                   .u = x.transposed ? other : u,
                                   .n = p->n,
                                   .grad_scale = s->grad_scale,
                                   .keep = keep,
                                   .take = (float)(1.0 - (double)keep),
                                   .look = keep,
                                   .now = (float)(1.0 - (double)keep)};
    cph_op_flat(o->backend, o->pool, &op);
    if (x.transposed) transpose(o, u, other, p->dims[0], p->dims[1]);
    orthogonalise(o, u, other, side, &x);
    if (x.transposed) transpose(o, other, u, p->dims[1], p->dims[0]);
    mix(o, cph_model_weights(o->model) + p->offset, x.transposed ? other : u, p->n,
        (float)(-lr * sqrt(fmax(1.0, rows / columns))), (float)(1.0 - lr * decay));
}
