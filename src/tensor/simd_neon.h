/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_neon.h - the vocabulary of simd.h for aarch64: four lanes, a fused multiply-add,
 * true division and square root. FPCR is as a process starts: nearest even, denormals kept.
 */
#ifndef CPH_SIMD_NEON_H
#define CPH_SIMD_NEON_H

#include <arm_neon.h>

#define W 4
#define MR 12
typedef float32x4_t vf;
typedef int32x4_t vi;
typedef uint32x4_t vm;
ALWAYS vm v_first(size_t n)
{
    static const uint32_t lane[W] = {0, 1, 2, 3};
    return vcltq_u32(vld1q_u32(lane), vdupq_n_u32((uint32_t)(n < W ? n : W)));
}
ALWAYS vf v_set(float x) { return vdupq_n_f32(x); }
ALWAYS vf v_load(const float *p) { return vld1q_f32(p); }
ALWAYS void v_store(float *p, vf v) { vst1q_f32(p, v); }
ALWAYS vf v_load_part(const float *p, size_t n) /* nothing behind p[n - 1] is touched */
{
    vf v = vdupq_n_f32(0);
    if (n >= W) return vld1q_f32(p);
    if (n >= 2) v = vcombine_f32(vld1_f32(p), vdup_n_f32(0));
    if (n == 3) v = vld1q_lane_f32(p + 2, v, 2);
    if (n == 1) v = vld1q_lane_f32(p, v, 0);
    return v;
}
ALWAYS void v_store_part(float *p, vf v, size_t n)
{
    if (n >= W) vst1q_f32(p, v);
    else if (n >= 2) vst1_f32(p, vget_low_f32(v));
    if (n == 3) vst1q_lane_f32(p + 2, v, 2);
    if (n == 1) vst1q_lane_f32(p, v, 0);
}
ALWAYS vf v_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
ALWAYS vf v_fnma(vf a, vf b, vf c) { return vfmsq_f32(c, a, b); } /* -a b + c */
ALWAYS vf v_sqrt(vf a) { return vsqrtq_f32(a); }
/* Not FMAX and FMIN, which differ in zeros of two signs and in NaN. */
ALWAYS vf v_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
ALWAYS vf v_min(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
ALWAYS vm v_lt(vf a, vf b) { return vcltq_f32(a, b); }
ALWAYS vf v_sel(vm m, vf yes, vf no) { return vbslq_f32(m, yes, no); }
ALWAYS vf v_abs(vf a) { return vabsq_f32(a); }
ALWAYS vf v_sign_of(vf magnitude, vf sign) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign, magnitude); }
ALWAYS vi v_int(vf a) { return vcvtnq_s32_f32(a); }
ALWAYS vi v_half(vi a) { return vshrq_n_s32(a, 1); }
ALWAYS vi vi_sub(vi a, vi b) { return vsubq_s32(a, b); }
ALWAYS vf v_pow2(vi n) { return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23)); }
ALWAYS vi vi_set(uint32_t x) { return vreinterpretq_s32_u32(vdupq_n_u32(x)); }
ALWAYS vi vi_load(const uint32_t *p) { return vreinterpretq_s32_u32(vld1q_u32(p)); }
ALWAYS vi vi_xor(vi a, vi b) { return veorq_s32(a, b); }
ALWAYS void vi_mul_wide(vi x, vi m, vi *hi, vi *lo) /* 32 x 32 -> 64, halves apart */
{
    uint32x4_t a = vreinterpretq_u32_s32(x), b = vreinterpretq_u32_s32(m);
    int32x4_t low = vreinterpretq_s32_u64(vmull_u32(vget_low_u32(a), vget_low_u32(b)));
    int32x4_t high = vreinterpretq_s32_u64(vmull_high_u32(a, b));
    *lo = vuzp1q_s32(low, high);
    *hi = vuzp2q_s32(low, high);
}
ALWAYS vf v_if_at_least(vi word, vi threshold, vf yes) /* unsigned word >= threshold ? yes : 0 */
{
    vm at_least = vcgeq_u32(vreinterpretq_u32_s32(word), vreinterpretq_u32_s32(threshold));
    return vreinterpretq_f32_u32(vandq_u32(at_least, vreinterpretq_u32_f32(yes)));
}
ALWAYS vf v_unpack_lo(vf a, vf b) { return vzip1q_f32(a, b); }
ALWAYS vf v_unpack_hi(vf a, vf b) { return vzip2q_f32(a, b); }
ALWAYS vf v_pairs_lo(vf a, vf b)
{
    return vreinterpretq_f32_f64(vzip1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}
ALWAYS vf v_pairs_hi(vf a, vf b)
{
    return vreinterpretq_f32_f64(vzip2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}
ALWAYS float v_total(const vf v[8]) /* the tree 16, 8, 4, 2, 1 */
{
    vf s = ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
    float32x2_t pair = vadd_f32(vget_low_f32(s), vget_high_f32(s));
    return vget_lane_f32(pair, 0) + vget_lane_f32(pair, 1);
}
/* Eight floats of one row. */
typedef struct octet {
    vf lo, hi;
} octet;
ALWAYS octet o_load(const float *p) { return (octet){vld1q_f32(p), vld1q_f32(p + 4)}; }
ALWAYS void transpose4(const vf r[4], vf t[4])
{
    vf a = v_unpack_lo(r[0], r[1]), b = v_unpack_hi(r[0], r[1]);
    vf c = v_unpack_lo(r[2], r[3]), d = v_unpack_hi(r[2], r[3]);
    t[0] = v_pairs_lo(a, c);
    t[1] = v_pairs_hi(a, c);
    t[2] = v_pairs_lo(b, d);
    t[3] = v_pairs_hi(b, d);
}
/* dst[j * dst_stride ..] gets element j of 8 rows, j in order. */
ALWAYS void o_transpose(const octet r[8], float *dst, size_t dst_stride)
{
    vf t[4][4]; /* elements 0-3 of rows 0-3 and 4-7, then 4-7 of both */
    transpose4((vf[4]){r[0].lo, r[1].lo, r[2].lo, r[3].lo}, t[0]);
    transpose4((vf[4]){r[4].lo, r[5].lo, r[6].lo, r[7].lo}, t[1]);
    transpose4((vf[4]){r[0].hi, r[1].hi, r[2].hi, r[3].hi}, t[2]);
    transpose4((vf[4]){r[4].hi, r[5].hi, r[6].hi, r[7].hi}, t[3]);
    UNROLL for (unsigned j = 0; j < 8; j++, dst += dst_stride)
    {
        v_store(dst, t[j / 4 * 2][j % 4]);
        v_store(dst + 4, t[j / 4 * 2 + 1][j % 4]);
    }
}

#endif
