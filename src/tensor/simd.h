/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd.h - one vocabulary for AVX2, AVX-512 and NEON (simd_neon.h), so that a kernel is written
 * once and compiled for each (kernels_avx2.c, kernels_avx512.c, kernels_neon.c). Everything here is exact or
 * correctly rounded, lane by lane; sums over rows go through `lanes32`, whose order is
 * the reference's.
 */
#ifndef CPH_SIMD_H
#define CPH_SIMD_H

#include "tensor_in.h"

#include <colophon/tensor/math.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <string.h>

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define ALWAYS static inline __attribute__((always_inline))

#if defined(__x86_64__)
ALWAYS float v_total_of_8(__m256 e) /* the tree's steps 4, 2, 1 */
{
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(e), _mm256_extractf128_ps(e, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
/* Eight floats of one row; rows become columns eight by eight whatever W is. */
typedef __m256 octet;
ALWAYS octet o_load(const float *p) { return _mm256_loadu_ps(p); }
/* dst[j * dst_stride ..] gets element j of 8 rows, j in order. */
ALWAYS void o_transpose(const octet r[8], float *dst, size_t dst_stride)
{
    __m256 t[8];
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
#endif

/* Each set defines W, the lanes of a vector, and MR: the register tile of a product is MR rows of two vectors. */
#if defined(__aarch64__)

#include "simd_neon.h"

#elif defined(__AVX512F__)

#define W 16
#define MR 14
typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;
ALWAYS vm v_first(size_t n) { return _cvtu32_mask16(n >= W ? 0xffffu : (1u << n) - 1); }
ALWAYS vf v_set(float x) { return _mm512_set1_ps(x); }
ALWAYS vf v_load(const float *p) { return _mm512_loadu_ps(p); }
ALWAYS void v_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
ALWAYS vf v_load_part(const float *p, size_t n) { return _mm512_maskz_loadu_ps(v_first(n), p); }
ALWAYS void v_store_part(float *p, vf v, size_t n) { _mm512_mask_storeu_ps(p, v_first(n), v); }
ALWAYS vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
ALWAYS vf v_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); } /* -a b + c */
ALWAYS vf v_sqrt(vf a) { return _mm512_sqrt_ps(a); }
ALWAYS vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); } /* a > b ? a : b */
ALWAYS vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); } /* a < b ? a : b */
ALWAYS vm v_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
ALWAYS vf v_sel(vm m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
ALWAYS vf v_abs(vf a) { return _mm512_abs_ps(a); }
ALWAYS vf v_sign_of(vf magnitude, vf sign) /* copysign; magnitude >= 0 */
{
    return _mm512_or_ps(magnitude, _mm512_and_ps(sign, _mm512_set1_ps(-0.0f)));
}
ALWAYS vi v_int(vf a) { return _mm512_cvtps_epi32(a); }
ALWAYS vi v_half(vi a) { return _mm512_srai_epi32(a, 1); }
ALWAYS vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
ALWAYS vf v_pow2(vi n)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
}
ALWAYS vi vi_set(uint32_t x) { return _mm512_set1_epi32((int)x); }
ALWAYS vi vi_load(const uint32_t *p) { return _mm512_loadu_si512(p); }
ALWAYS vi vi_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
ALWAYS void vi_mul_wide(vi x, vi m, vi *hi, vi *lo) /* 32 x 32 -> 64, halves apart */
{
    vi even = _mm512_mul_epu32(x, m), odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), m);
    *lo = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
    *hi = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
}
ALWAYS vf v_if_at_least(vi word, vi threshold, vf yes) /* unsigned word >= threshold ? yes : 0 */
{
    return _mm512_maskz_mov_ps(_mm512_cmpge_epu32_mask(word, threshold), yes);
}
ALWAYS vf v_unpack_lo(vf a, vf b) { return _mm512_unpacklo_ps(a, b); }
ALWAYS vf v_unpack_hi(vf a, vf b) { return _mm512_unpackhi_ps(a, b); }
ALWAYS vf v_pairs_lo(vf a, vf b)
{
    return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
ALWAYS vf v_pairs_hi(vf a, vf b)
{
    return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
ALWAYS float v_total(const vf v[2]) /* the tree 16, 8, 4, 2, 1 */
{
    vf s = _mm512_add_ps(v[0], v[1]);
    return v_total_of_8(_mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1)));
}

#else

#define W 8
#define MR 6
typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vm;
ALWAYS vm v_first(size_t n)
{
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n < W ? n : W)), lane));
}
ALWAYS vf v_set(float x) { return _mm256_set1_ps(x); }
ALWAYS vf v_load(const float *p) { return _mm256_loadu_ps(p); }
ALWAYS void v_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
ALWAYS vf v_load_part(const float *p, size_t n) { return _mm256_maskload_ps(p,
    _mm256_castps_si256(v_first(n))); }
ALWAYS void v_store_part(float *p, vf v, size_t n) { _mm256_maskstore_ps(p, _mm256_castps_si256(v_first(n)),
                                                                         v); }
ALWAYS vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
ALWAYS vf v_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
ALWAYS vf v_sqrt(vf a) { return _mm256_sqrt_ps(a); }
ALWAYS vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); }
ALWAYS vf v_min(vf a, vf b) { return _mm256_min_ps(a, b); }
ALWAYS vm v_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
ALWAYS vf v_sel(vm m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }
ALWAYS vf v_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
ALWAYS vf v_sign_of(vf magnitude, vf sign)
{
    return _mm256_or_ps(magnitude, _mm256_and_ps(sign, _mm256_set1_ps(-0.0f)));
}
ALWAYS vi v_int(vf a) { return _mm256_cvtps_epi32(a); }
ALWAYS vi v_half(vi a) { return _mm256_srai_epi32(a, 1); }
ALWAYS vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
ALWAYS vf v_pow2(vi n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
ALWAYS vi vi_set(uint32_t x) { return _mm256_set1_epi32((int)x); }
ALWAYS vi vi_load(const uint32_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
ALWAYS vi vi_xor(vi a, vi b) { return _mm256_xor_si256(a, b); }
ALWAYS void vi_mul_wide(vi x, vi m, vi *hi, vi *lo)
{
    vi even = _mm256_mul_epu32(x, m), odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), m);
    *lo = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
    *hi = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}
ALWAYS vf v_if_at_least(vi word, vi threshold, vf yes)
{
    vi at_least = _mm256_cmpeq_epi32(_mm256_max_epu32(word, threshold), word);
    return _mm256_and_ps(_mm256_castsi256_ps(at_least), yes);
}
ALWAYS vf v_unpack_lo(vf a, vf b) { return _mm256_unpacklo_ps(a, b); }
ALWAYS vf v_unpack_hi(vf a, vf b) { return _mm256_unpackhi_ps(a, b); }
ALWAYS vf v_pairs_lo(vf a, vf b)
{
    return _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}
ALWAYS vf v_pairs_hi(vf a, vf b)
{
    return _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}
ALWAYS float v_total(const vf v[4])
{
    return v_total_of_8(_mm256_add_ps(_mm256_add_ps(v[0], v[2]), _mm256_add_ps(v[1], v[3])));
}

#endif

#define NV (32 / W)
ALWAYS vf v_add(vf a, vf b) { return a + b; }
ALWAYS vf v_sub(vf a, vf b) { return a - b; }
ALWAYS vf v_mul(vf a, vf b) { return a * b; }
ALWAYS vf v_div(vf a, vf b) { return a / b; }
/* `left` elements remain from p on: a whole vector, or its beginning and zeros. */
ALWAYS vf v_ld(const float *p, size_t left) { return left >= W ? v_load(p) : v_load_part(p, left); }
ALWAYS void v_st(float *p, vf v, size_t left)
{
    if (left >= W) v_store(p, v);
    else v_store_part(p, v, left);
}

/* ---- row sums in the reference's order ---- */
typedef struct lanes32 {
    vf v[NV];
} lanes32;
ALWAYS lanes32 lanes_zero(void)
{
    lanes32 a;
    UNROLL for (unsigned u = 0; u < NV; u++) a.v[u] = v_set(0);
    return a;
}
/* The part of a lane that has no element keeps its old value: not even + 0 is added. */
ALWAYS void lanes_put(lanes32 *a, unsigned u, vf next, size_t left)
{
    a->v[u] = left >= W ? next : v_sel(v_first(left), next, a->v[u]);
}
ALWAYS float lanes_total(const lanes32 *a) { return v_total(a->v); }
/* for (each vector u of the 32 lanes at i, `left` elements remaining) */
#define EACH_LANES(i, u, left, n)                                                                  \
    for (size_t i = 0; i < (n); i += 32)                                                           \
        for (size_t u = 0, left = (n) - i; u < NV && u * W < (n) - i; u++, left = (n) - i - u * W)
#define EACH_VECTOR(i, left, n) for (size_t i = 0, left = (n); i < (n); i += W, left = (n) - i)

ALWAYS float v_max_of(vf v)
{
    float t[W], best;
    v_store(t, v);
    best = t[0];
    for (unsigned l = 1; l < W; l++) best = t[l] > best ? t[l] : best;
    return best;
}

#endif
