/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_bf16.h - activations in memory as float or bf16, to and from vectors of float.
 * Rounding is integer arithmetic, to nearest and ties to even, so that denormals stay
 * and every instruction set gives one result; NaN keeps its upper half, made quiet.
 */
#ifndef CPH_SIMD_BF16_H
#define CPH_SIMD_BF16_H

#include "simd.h"

#if defined(__aarch64__)

/* The bits of v with the lower half rounded away and zero. */
ALWAYS vi v_bf16_bits(vf v)
{
    uint32x4_t x = vreinterpretq_u32_f32(v), odd = vandq_u32(vshrq_n_u32(x, 16), vdupq_n_u32(1));
    uint32x4_t up = vaddq_u32(vaddq_u32(x, vdupq_n_u32(0x7fff)), odd);
    up = vbslq_u32(vceqq_f32(v, v), up, vorrq_u32(x, vdupq_n_u32(0x400000)));
    return vreinterpretq_s32_u32(vandq_u32(up, vdupq_n_u32(0xffff0000u)));
}
ALWAYS vf v_bf16_load(const uint16_t *p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
ALWAYS void v_bf16_store(uint16_t *p, vf v)
{
    vst1_u16(p, vshrn_n_u32(vreinterpretq_u32_s32(v_bf16_bits(v)), 16));
}
ALWAYS vf v_bf16_load_part(const uint16_t *p, size_t n)
{
    uint16_t t[W] = {0};
    memcpy(t, p, n * sizeof *t);
    return v_bf16_load(t);
}
ALWAYS void v_bf16_store_part(uint16_t *p, vf v, size_t n)
{
    uint16_t t[W];
    v_bf16_store(t, v);
    memcpy(p, t, n * sizeof *t);
}
ALWAYS vf v_bf16_round(vf v) { return vreinterpretq_f32_s32(v_bf16_bits(v)); }
ALWAYS octet o_bf16_load(const uint16_t *p) { return (octet){v_bf16_load(p), v_bf16_load(p + 4)}; }
ALWAYS octet o_bf16_round(octet o) { return (octet){v_bf16_round(o.lo), v_bf16_round(o.hi)}; }

#elif defined(__AVX512F__)

/* The bits of v with the lower half rounded away and zero. */
ALWAYS vi v_bf16_bits(vf v)
{
    vi x = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(x, 16), _mm512_set1_epi32(1));
    vi up = _mm512_add_epi32(_mm512_add_epi32(x, _mm512_set1_epi32(0x7fff)), odd);
    vi quiet = _mm512_or_si512(x, _mm512_set1_epi32(0x400000));
    up = _mm512_mask_mov_epi32(up, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), quiet);
    return _mm512_and_si512(up, _mm512_set1_epi32((int)0xffff0000u));
}
ALWAYS vf v_bf16_load(const uint16_t *p)
{
    __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}
ALWAYS vf v_bf16_load_part(const uint16_t *p, size_t n)
{
    __m256i h = _mm256_maskz_loadu_epi16(v_first(n), p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}
ALWAYS void v_bf16_store(uint16_t *p, vf v)
{
    __m256i h = _mm512_cvtepi32_epi16(_mm512_srli_epi32(v_bf16_bits(v), 16));
    _mm256_storeu_si256((__m256i *)(void *)p, h);
}
ALWAYS void v_bf16_store_part(uint16_t *p, vf v, size_t n)
{
    _mm256_mask_storeu_epi16(p, v_first(n), _mm512_cvtepi32_epi16(_mm512_srli_epi32(v_bf16_bits(v), 16)));
}
ALWAYS vf v_bf16_round(vf v) { return _mm512_castsi512_ps(v_bf16_bits(v)); }
ALWAYS octet o_bf16_round(octet o) { return _mm512_castps512_ps256(v_bf16_round(_mm512_castps256_ps512(o))); }

#else

ALWAYS vi v_bf16_bits(vf v)
{
    vi x = _mm256_castps_si256(v), odd = _mm256_and_si256(_mm256_srli_epi32(x, 16), _mm256_set1_epi32(1));
    vi up = _mm256_add_epi32(_mm256_add_epi32(x, _mm256_set1_epi32(0x7fff)), odd);
    vi quiet = _mm256_or_si256(x, _mm256_set1_epi32(0x400000));
    up = _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(up), _mm256_castsi256_ps(quiet),
                                              _mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
    return _mm256_and_si256(up, _mm256_set1_epi32((int)0xffff0000u));
}
ALWAYS vf v_bf16_load(const uint16_t *p)
{
    __m128i h = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}
ALWAYS void v_bf16_store(uint16_t *p, vf v)
{
    vi h = _mm256_srli_epi32(v_bf16_bits(v), 16);
    h = _mm256_permute4x64_epi64(_mm256_packus_epi32(h, h), 0x08);
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_castsi256_si128(h));
}
ALWAYS vf v_bf16_load_part(const uint16_t *p, size_t n)
{
    uint16_t t[W] = {0};
    memcpy(t, p, n * sizeof *t);
    return v_bf16_load(t);
}
ALWAYS void v_bf16_store_part(uint16_t *p, vf v, size_t n)
{
    uint16_t t[W];
    v_bf16_store(t, v);
    memcpy(p, t, n * sizeof *t);
}
ALWAYS vf v_bf16_round(vf v) { return _mm256_castsi256_ps(v_bf16_bits(v)); }
ALWAYS octet o_bf16_round(octet o) { return v_bf16_round(o); }

#endif

#if defined(__x86_64__)
ALWAYS octet o_bf16_load(const uint16_t *p)
{
    __m128i h = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}
#endif

/* `left` elements remain from element i of p on. `t` is a constant where this is used. */
ALWAYS vf v_get(const void *p, cph_dtype t, size_t i, size_t left)
{
    if (t == CPH_F32) return v_ld((const float *)p + i, left);
    const uint16_t *h = (const uint16_t *)p + i;
    return left >= W ? v_bf16_load(h) : v_bf16_load_part(h, left);
}
ALWAYS void v_put(void *p, cph_dtype t, size_t i, vf v, size_t left)
{
    if (t == CPH_F32) {
        v_st((float *)p + i, v, left);
        return;
    }
    uint16_t *h = (uint16_t *)p + i;
    if (left >= W) v_bf16_store(h, v);
    else v_bf16_store_part(h, v, left);
}
ALWAYS size_t size_of(cph_dtype t) { return t == CPH_BF16 ? sizeof(uint16_t) : sizeof(float); }
/* Element i of p. */
ALWAYS void *at_of(const void *p, cph_dtype t, size_t i) { return (char *)(uintptr_t)p + i * size_of(t); }

/* Calls body(..., type) with a constant type, so that each type has code of its own. */
#define FOR_TYPE(dtype, call)                                                                      \
    do {                                                                                           \
        if ((dtype) == CPH_BF16) {                                                                 \
            const cph_dtype TYPE = CPH_BF16;                                                       \
            call;                                                                                  \
        } else {                                                                                   \
            const cph_dtype TYPE = CPH_F32;                                                        \
            call;                                                                                  \
        }                                                                                          \
    } while (0)

#endif
