/* SPDX-License-Identifier: Apache-2.0 */
/*
 * real.h - the number type of the reference kernels: float in the library, double
 * (CPH_REF_DOUBLE) where the tests take finite differences. The sums that every
 * instruction set must repeat are spelled out here once.
 */
#ifndef CPH_REAL_H
#define CPH_REAL_H

#ifdef CPH_REF_DOUBLE
#define CPH_REAL double
#define R_FMA fma
#define R_SQRT sqrt
#define R_EXP cph_exp
#define R_LOG cph_log_e
#define R_TANH cph_tanh
#define R_ERF cph_erf
#else
#define R_FMA fmaf
#define R_SQRT sqrtf
#define R_EXP cph_expf
#define R_LOG cph_logf
#define R_TANH cph_tanhf
#define R_ERF cph_erff
#endif

#include <colophon/base/philox.h>
#include <colophon/tensor/math.h>
#include <colophon/tensor/op.h>

#include <math.h>
#include <string.h>

#include "tensor_in.h"

#define REF(name) CPH_REF_NAME(name)
#define LANES 32

/* Element i of an activation, whatever its type in memory. */
static inline cph_real val(const void *p, cph_dtype t, size_t i)
{
    return t == CPH_BF16 ? (cph_real)cph_bf16_to(((const uint16_t *)p)[i]) : ((const cph_real *)p)[i];
}
static inline void put(void *p, cph_dtype t, size_t i, cph_real v)
{
    if (t == CPH_BF16) ((uint16_t *)p)[i] = cph_bf16_of((float)v);
    else ((cph_real *)p)[i] = v;
}
/* An operand of a product of this type. */
static inline cph_real rounded(cph_dtype t, cph_real v)
{
    return t == CPH_BF16 ? (cph_real)cph_bf16_to(cph_bf16_of((float)v)) : v;
}
static inline size_t size_of(cph_dtype t) { return t == CPH_BF16 ? 2 : sizeof(cph_real); }

/* A row sum: lane l holds the sum of the elements i = l (mod 32), in order. */
typedef struct lanes {
    cph_real v[LANES];
} lanes;

static inline cph_real lanes_sum(lanes *a)
{
    for (unsigned half = LANES / 2; half; half /= 2)
        for (unsigned l = 0; l < half; l++) a->v[l] = a->v[l] + a->v[l + half];
    return a->v[0];
}

/* Element i of a dropped-out tensor is multiplied by this: 0 or 1/(1-p). */
static inline cph_real drop_factor(const cph_drop *d, uint64_t i)
{
    if (d->p <= 0) return 1;
    uint32_t word = cph_philox_word(d->draw->seed, d->site, d->draw->slot, d->draw->step, i);
    return word >= cph_drop_threshold(d->p) ? (cph_real)1 / ((cph_real)1 - (cph_real)d->p) : (cph_real)0;
}

/* The tree over block sums, in place: pairs, the odd one carried along. n >= 1. */
static inline cph_real tree_column(cph_real *v, size_t stride, size_t n)
{
    for (; n > 1; n = (n + 1) / 2) {
        for (size_t i = 0; i < n / 2; i++) v[i * stride] = v[2 * i * stride] + v[(2 * i + 1) * stride];
        if (n & 1) v[n / 2 * stride] = v[(n - 1) * stride];
    }
    return v[0];
}

#endif
