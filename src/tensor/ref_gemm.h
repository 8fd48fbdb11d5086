/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_gemm.h - the reference GEMM: each element one chain of fused multiply-adds in
 * increasing k, from +0 or from the old C (engine 6.1).
 */
#ifndef CPH_REF_GEMM_H
#define CPH_REF_GEMM_H

#include "real.h"

typedef struct ref_matrix { /* element (i,j) at p[i * rs + j * cs] */
    const cph_real *p;
    size_t rs, cs;
} ref_matrix;

static inline void ref_gemm(size_t m, size_t n, size_t k, ref_matrix a, ref_matrix b, cph_real *c, size_t ldc,
                            bool accumulate)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            cph_real chain = accumulate ? c[i * ldc + j] : 0;
            for (size_t x = 0; x < k; x++)
                chain = R_FMA(a.p[i * a.rs + x * a.cs], b.p[x * b.rs + j * b.cs], chain);
            c[i * ldc + j] = chain;
        }
}

/* One tile of C = A B; C has n columns in all. */
static inline void ref_tile(cph_tile t, size_t k, ref_matrix a, ref_matrix b, cph_real *c, size_t ldc,
                            bool accumulate)
{
    a.p += t.m0 * a.rs;
    b.p += t.n0 * b.cs;
    ref_gemm(t.m1 - t.m0, t.n1 - t.n0, k, a, b, c + t.m0 * ldc + t.n0, ldc, accumulate);
}

#endif
