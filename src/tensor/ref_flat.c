/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_flat.c - the reference of what runs over flat arenas: sums of squares, AdamW, momentum, mixing.
 * Moments below 2^-100 in magnitude are stored as 0 (engine 8, rule 5).
 */
#include "real.h"

#define TINY ((cph_real)0x1p-100)

void REF(sumsq_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_sumsq *s = &op->u.sumsq;
    uint64_t begin = (uint64_t)task * CPH_FLAT_BLOCK, end = begin + CPH_FLAT_BLOCK;
    if (end > s->n) end = s->n;
    lanes sum = {{0}};
    for (uint64_t i = begin; i < end; i++) {
        size_t l = (i - begin) % LANES;
        sum.v[l] = R_FMA(s->x[i], s->x[i], sum.v[l]);
    }
    s->blocks[task] = (double)lanes_sum(&sum);
}

void REF(adamw_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_adamw_args *a = &op->u.adamw;
    uint64_t begin = (uint64_t)task * CPH_FLAT_BLOCK, end = begin + CPH_FLAT_BLOCK;
    if (end > a->n) end = a->n;
    for (uint64_t i = begin; i < end; i++) {
        cph_real g = a->g[i] * a->grad_scale;
        cph_real m = R_FMA(a->beta1, a->m[i], a->one_beta1 * g);
        cph_real v = R_FMA(a->beta2, a->v[i], a->one_beta2 * g * g);
        if (m < TINY && m > -TINY) m = 0;
        if (v < TINY) v = 0;
        a->p[i] = R_FMA(-a->step, m / R_FMA(R_SQRT(v), a->inv_root, a->eps), a->p[i] * a->decay);
        a->m[i] = m;
        a->v[i] = v;
    }
}

void REF(momentum_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_momentum *a = &op->u.momentum;
    uint64_t begin = (uint64_t)task * CPH_FLAT_BLOCK, end = begin + CPH_FLAT_BLOCK;
    if (end > a->n) end = a->n;
    for (uint64_t i = begin; i < end; i++) {
        cph_real h = a->g[i] * a->grad_scale, u = h;
        if (a->decay != 0) u = h = R_FMA(a->decay, a->p[i], h);
        if (a->buf) {
            cph_real m = R_FMA(a->keep, a->buf[i], a->take * h);
            if (m < TINY && m > -TINY) m = 0;
            a->buf[i] = m;
            u = R_FMA(a->look, m, a->now * h);
        }
        if (a->u) a->u[i] = u;
        else a->p[i] = R_FMA(-a->step, u, a->p[i]);
    }
}

void REF(mix_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_mix *a = &op->u.mix;
    uint64_t begin = (uint64_t)task * CPH_FLAT_BLOCK, end = begin + CPH_FLAT_BLOCK;
    if (end > a->n) end = a->n;
    for (uint64_t i = begin; i < end; i++) a->y[i] = R_FMA(a->a, a->x[i], a->b * a->y[i]);
}
