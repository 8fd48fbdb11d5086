/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_gemm.h - C = A B for one worker: panels packed into scratch, a register tile of
 * MR x 2 vectors. Each element is one chain in increasing k, carried from K block to
 * K block through C, so KC, MC, MR and NR are free (engine 6.1, 8.1).
 *
 * Layers, outer to inner: K blocks of KC - pack B - row blocks of MC - pack A -
 * panels of NR columns (stay in L1) - panels of MR rows (stream from L2).
 */
#ifndef CPH_SIMD_GEMM_H
#define CPH_SIMD_GEMM_H

#include "simd.h"

#ifdef __AVX512F__
#define MR 14
#else
#define MR 6
#endif
#define NR (2 * W)
#define KC 256u
#define MC 168u /* a multiple of 14 and of 6 */
#define NC 256u /* columns of one call at most (tiles are no wider) */
#define SLACK 16u /* behind packed panels: pack_transposed */
#define GEMM_A_FLOATS (MC * KC + SLACK)
#define GEMM_B_FLOATS (NC * KC + SLACK)
#define GEMM_FLOATS (GEMM_A_FLOATS + GEMM_B_FLOATS)

typedef struct simd_matrix { /* element (i,j) at p[i * rs + j * cs]; one of the strides is 1 */
    const float *p;
    size_t rs, cs;
} simd_matrix;

typedef struct simd_gemm {
    size_t m, n, k;
    simd_matrix a, b;
    const float *packed; /* B in panels of NR columns, all of k; or NULL */
    float *c;
    size_t ldc;
    bool accumulate;
} simd_gemm;

/* dst[j * dst_stride ..] gets column j of 8 rows, j in order. */
ALWAYS void transpose8(const float *const rows[8], size_t at, float *dst, size_t dst_stride)
{
    __m256 r[8], t[8];
    UNROLL for (unsigned i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(rows[i] + at);
    UNROLL for (unsigned i = 0; i < 8; i += 4) {
        __m256 a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
        __m256 c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i] = _mm256_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
    }
    UNROLL for (unsigned i = 0; i < 4; i++)
        _mm256_storeu_ps(dst + i * dst_stride, _mm256_permute2f128_ps(t[i], t[i + 4], 0x20));
    UNROLL for (unsigned i = 0; i < 4; i++)
        _mm256_storeu_ps(dst + (i + 4) * dst_stride, _mm256_permute2f128_ps(t[i], t[i + 4], 0x31));
}

/*
 * dst[j * width + i] = src[i * stride + j], i < rows, j < n. Rows go in groups of eight, the
 * last group (which may be short, and then repeats its last row) first: what it writes too
 * far is written again by what follows, in order of j and of groups. dst has 8 floats of
 * slack behind it.
 */
static void pack_transposed(float *dst, size_t width, const float *src, size_t stride, size_t rows, size_t n)
{
    for (size_t group = (rows + 7) / 8; group-- > 0;) {
        const float *r[8];
        size_t i0 = group * 8, have = rows - i0 < 8 ? rows - i0 : 8, j = 0;
        for (size_t i = 0; i < 8; i++) r[i] = src + (i0 + (i < have ? i : have - 1)) * stride;
        for (; j + 8 <= n; j += 8) transpose8(r, j, dst + j * width + i0, width);
        for (; j < n; j++)
            for (size_t i = 0; i < have; i++) dst[j * width + i0 + i] = r[i][j];
    }
}

/* n < W floats; masks are slow to store where there is no AVX-512 */
ALWAYS void copy_few(float *dst, const float *src, size_t n)
{
#ifdef __AVX512F__
    v_store_part(dst, v_load_part(src, n), n);
#else
    if (n & 4) _mm_storeu_ps(dst, _mm_loadu_ps(src)), dst += 4, src += 4;
    if (n & 2) memcpy(dst, src, 2 * sizeof *dst), dst += 2, src += 2;
    if (n & 1) *dst = *src;
#endif
}

/* dst[j * width + i] = src[j * stride + i] */
static void pack_straight(float *dst, size_t width, const float *src, size_t stride, size_t rows, size_t n)
{
    for (size_t j = 0; j < n; j++, dst += width, src += stride) {
        size_t i = 0;
        for (; i + W <= rows; i += W) v_store(dst + i, v_load(src + i));
        if (i < rows) copy_few(dst + i, src + i, rows - i);
    }
}

/* Rows m0.. of A as panels: MR rows (the last panel fewer), k by k. */
static void pack_a(float *dst, const simd_matrix *a, size_t m0, size_t m, size_t k0, size_t k)
{
    for (size_t i = 0; i < m; i += MR) {
        size_t rows = m - i < MR ? m - i : MR;
        const float *src = a->p + (m0 + i) * a->rs + k0 * a->cs;
        if (a->cs == 1) pack_transposed(dst + i * k, rows, src, a->rs, rows, k);
        else pack_straight(dst + i * k, rows, src, a->cs, rows, k);
    }
}

/* Columns of B as panels of NR, the last padded with zeros. */
static void pack_b(float *dst, const simd_matrix *b, size_t n, size_t k0, size_t k)
{
    for (size_t j = 0; j < n; j += NR, dst += NR * k) {
        size_t columns = n - j < NR ? n - j : NR;
        const float *src = b->p + k0 * b->rs + j * b->cs;
        if (columns < NR) memset(dst, 0, NR * k * sizeof *dst);
        if (b->cs == 1) pack_straight(dst, NR, src, b->rs, columns, k);
        else pack_transposed(dst, NR, src, b->cs, columns, k);
    }
}

/* C[rows x NR] goes on from what it holds (or from +0) through k more products. */
ALWAYS void tile_of(size_t rows, size_t k, const float *a, const float *b, float *c, size_t ldc, bool from_c)
{
    vf acc[MR][2];
    UNROLL for (size_t i = 0; i < rows; i++) {
        acc[i][0] = from_c ? v_load(c + i * ldc) : v_set(0);
        acc[i][1] = from_c ? v_load(c + i * ldc + W) : v_set(0);
    }
    for (size_t x = 0; x < k; x++, a += rows, b += NR) {
        vf b0 = v_load(b), b1 = v_load(b + W);
        UNROLL for (size_t i = 0; i < rows; i++) {
            vf ai = v_set(a[i]);
            acc[i][0] = v_fma(ai, b0, acc[i][0]);
            acc[i][1] = v_fma(ai, b1, acc[i][1]);
        }
    }
    UNROLL for (size_t i = 0; i < rows; i++) {
        v_store(c + i * ldc, acc[i][0]);
        v_store(c + i * ldc + W, acc[i][1]);
    }
}

#define TILE_CASE(n)                                                                               \
    case n:                                                                                        \
        tile_of(n, k, a, b, c, ldc, from_c);                                                       \
        break;
static void micro(size_t rows, size_t k, const float *a, const float *b, float *c, size_t ldc, bool from_c)
{
    switch (rows) {
        TILE_CASE(1) TILE_CASE(2) TILE_CASE(3) TILE_CASE(4) TILE_CASE(5) TILE_CASE(6)
#if MR == 14
        TILE_CASE(7) TILE_CASE(8) TILE_CASE(9) TILE_CASE(10)
        TILE_CASE(11) TILE_CASE(12) TILE_CASE(13) TILE_CASE(14)
#endif
    }
}

/* The same where fewer than NR columns exist: through a copy, so that nothing beside C is touched. */
static void micro_edge(size_t rows, size_t k, const float *a, const float *b, float *c, size_t ldc,
                       size_t columns,
                       bool from_c)
{
    float t[MR * NR];
    for (size_t i = 0; from_c && i < rows; i++) {
        memset(t + i * NR, 0, NR * sizeof *t);
        memcpy(t + i * NR, c + i * ldc, columns * sizeof *t);
    }
    micro(rows, k, a, b, t, NR, from_c);
    for (size_t i = 0; i < rows; i++) memcpy(c + i * ldc, t + i * NR, columns * sizeof *t);
}

/* One row block against all packed columns. */
static void sweep(const simd_gemm *g, size_t m0, size_t m, size_t k, const float *a, const float *b,
                  size_t panel_stride,
                  bool from_c)
{
    for (size_t j = 0; j < g->n; j += NR, b += panel_stride) {
        size_t columns = g->n - j < NR ? g->n - j : NR;
        for (size_t i = 0; i < m; i += MR) {
            size_t rows = m - i < MR ? m - i : MR;
            float *c = g->c + (m0 + i) * g->ldc + j;
            if (columns == NR) micro(rows, k, a + i * k, b, c, g->ldc, from_c);
            else micro_edge(rows, k, a + i * k, b, c, g->ldc, columns, from_c);
        }
    }
}

/* n <= NC */
static void gemm(const simd_gemm *g, float *scratch)
{
    float *a = scratch, *b = scratch + GEMM_A_FLOATS;
    for (size_t k0 = 0; k0 < g->k; k0 += KC) {
        size_t k = g->k - k0 < KC ? g->k - k0 : KC;
        if (!g->packed) pack_b(b, &g->b, g->n, k0, k);
        const float *panels = g->packed ? g->packed + k0 * NR : b;
        for (size_t m0 = 0; m0 < g->m; m0 += MC) {
            size_t m = g->m - m0 < MC ? g->m - m0 : MC;
            pack_a(a, &g->a, m0, m, k0, k);
            sweep(g, m0, m, k, a, panels, (g->packed ? g->k : k) * NR, g->accumulate || k0 > 0);
        }
    }
}

/* One tile of a large product. */
static void gemm_tile(cph_tile t, size_t k, simd_matrix a, simd_matrix b, const float *packed, float *c,
                      size_t ldc,
                      bool accumulate, float *scratch)
{
    simd_gemm g = {t.m1 - t.m0, t.n1 - t.n0, k, a, b, packed ? packed + (size_t)t.n0 * k : NULL,
                   c + (size_t)t.m0 * ldc + t.n0, ldc, accumulate};
    g.a.p += t.m0 * a.rs;
    g.b.p += t.n0 * b.cs;
    gemm(&g, scratch);
}

/* One panel of a weight [in,out] or [out,in] for cph_pack_weight. */
static void pack_weight_panel(const float *w, uint32_t in, uint32_t out, bool out_in, float *packed,
                              uint32_t panel)
{
    size_t columns = out - panel * NR < NR ? out - panel * NR : NR;
    simd_matrix b = out_in ? (simd_matrix){w, 1, in} : (simd_matrix){w, out, 1};
    b.p += panel * NR * b.cs;
    pack_b(packed + (size_t)panel * NR * in, &b, columns, 0, in);
}

#endif
