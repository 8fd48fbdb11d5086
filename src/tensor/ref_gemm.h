/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_gemm.h - the reference GEMM: each element one chain of fused multiply-adds in
 * increasing k, from +0 or from the old C (engine 6.1). Operands of a CPH_BF16 product
 * are bf16 in memory or are rounded as they are read; C is rounded once, at the end.
 */
#ifndef CPH_REF_GEMM_H
#define CPH_REF_GEMM_H

#include "real.h"

typedef struct ref_matrix { /* element (i,j) at p[i * rs + j * cs] */
    const void *p;
    size_t rs, cs;
    cph_dtype type, product; /* in memory; of the product */
} ref_matrix;

static inline cph_real ref_at(const ref_matrix *m, size_t i, size_t j)
{
    cph_real v = val(m->p, m->type, i * m->rs + j * m->cs);
    return m->type == m->product ? v : rounded(m->product, v);
}

/* C[m0..m1 x n0..n1] of C = A B. */
static inline void ref_tile(cph_tile t, size_t k, ref_matrix a, ref_matrix b, void *c, cph_dtype c_type,
                            size_t ldc, bool accumulate)
{
    for (size_t i = t.m0; i < t.m1; i++)
        for (size_t j = t.n0; j < t.n1; j++) {
            cph_real chain = accumulate ? val(c, c_type, i * ldc + j) : 0;
            for (size_t x = 0; x < k; x++) chain = R_FMA(ref_at(&a, i, x), ref_at(&b, x, j), chain);
            put(c, c_type, i * ldc + j, chain);
        }
}

#endif
