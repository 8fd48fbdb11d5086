/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_math.h - exp, tanh, erf and dropout factors, lane by lane the sequences of math.c and real.h.
 */
#ifndef CPH_SIMD_MATH_H
#define CPH_SIMD_MATH_H

#include "math_tables.h"
#include "simd.h"

#include <colophon/base/philox.h>

#define V_STEP(c) p = v_fma(p, z, v_set(c));

ALWAYS vf v_exp(vf x)
{
    vf t = v_fma(x, v_set(CPH_LOG2E_F), v_set(12582912.0f)), n = v_sub(t, v_set(12582912.0f));
    vf z = v_fma(n, v_set(-CPH_LN2_HI_F), x), p = v_set(0);
    z = v_fma(n, v_set(-CPH_LN2_LO_F), z);
    CPH_EXP_F(V_STEP)
    p = v_add(v_fma(v_mul(p, z), z, z), v_set(1.0f));
    vi k = v_int(n), half = v_half(k);
    p = v_mul(v_mul(p, v_pow2(half)), v_pow2(vi_sub(k, half)));
    p = v_sel(v_lt(x, v_set(-87.0f)), v_set(0), p);
    return v_sel(v_lt(v_set(88.72283f), x), v_set(INFINITY), p);
}

ALWAYS vf v_tanh(vf x)
{
    vf a = v_abs(x), z = v_mul(x, x), p = v_set(0);
    CPH_TANH_F(V_STEP)
    p = v_fma(v_mul(p, z), x, x);
    vf e = v_exp(v_mul(v_min(a, v_set(44.0f)), v_set(2.0f)));
    vf large = v_sub(v_set(1.0f), v_div(v_set(2.0f), v_add(e, v_set(1.0f))));
    return v_sel(v_lt(a, v_set(0.625f)), p, v_sign_of(large, x));
}

ALWAYS vf v_erf(vf x)
{
    vf a = v_abs(x), xx = v_mul(x, x), gauss = v_exp(-xx), z = xx, p = v_set(0);
    CPH_ERF_SMALL_F(V_STEP)
    vf small = v_mul(p, x);
    z = v_div(v_set(2), v_add(v_set(2), a));
    p = v_set(0);
    CPH_ERF_LARGE_F(V_STEP)
    vf large = v_sel(v_lt(v_set(4), a), v_set(1), v_fnma(gauss, p, v_set(1)));
    return v_sel(v_lt(a, v_set(1)), small, v_sign_of(large, x));
}

/* Factors of 4 W elements from counter `quad` on. */
static void drop_block(float out[4 * W], uint64_t quad, const cph_drop *d, vi threshold, vf keep)
{
    const cph_draw *draw = d->draw;
    uint32_t low[W], high[W];
    for (unsigned j = 0; j < W; j++) {
        low[j] = (uint32_t)(quad + j);
        high[j] = (d->site << 8) + (uint32_t)((quad + j) >> 32 & 0xff);
    }
    vi c0 = vi_load(low), c1 = vi_load(high), c2 = vi_set(draw->slot), c3 = vi_set(draw->step);
    uint32_t k0 = (uint32_t)draw->seed, k1 = (uint32_t)(draw->seed >> 32);
    for (unsigned round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        vi a_hi, a_lo, b_hi, b_lo;
        vi_mul_wide(c0, vi_set(0xD2511F53u), &a_hi, &a_lo);
        vi_mul_wide(c2, vi_set(0xCD9E8D57u), &b_hi, &b_lo);
        c0 = vi_xor(vi_xor(b_hi, c1), vi_set(k0));
        c2 = vi_xor(vi_xor(a_hi, c3), vi_set(k1));
        c1 = b_lo;
        c3 = a_lo;
    }
    vf f0 = v_if_at_least(c0, threshold, keep), f1 = v_if_at_least(c1, threshold, keep);
    vf f2 = v_if_at_least(c2, threshold, keep), f3 = v_if_at_least(c3, threshold, keep);
    vf a = v_unpack_lo(f0, f1), b = v_unpack_hi(f0, f1), c = v_unpack_lo(f2, f3), e = v_unpack_hi(f2, f3);
    float rows[4][W]; /* rows[k]: group l of four holds counter 4 l + k */
    v_store(rows[0], v_pairs_lo(a, c));
    v_store(rows[1], v_pairs_hi(a, c));
    v_store(rows[2], v_pairs_lo(b, e));
    v_store(rows[3], v_pairs_hi(b, e));
    for (unsigned l = 0; l < W / 4; l++)
        for (unsigned k = 0; k < 4; k++) memcpy(out + 4 * (4 * l + k), rows[k] + 4 * l, 4 * sizeof(float));
}

/* out[j] = factor of element i + j */
static void drop_fill(float *out, uint64_t i, size_t n, const cph_drop *d)
{
    if (d->p <= 0) {
        for (size_t j = 0; j < n; j++) out[j] = 1.0f;
        return;
    }
    vi threshold = vi_set(cph_drop_threshold(d->p));
    vf keep = v_set(1.0f / (1.0f - (float)d->p));
    float block[4 * W];
    for (uint64_t quad = i / 4, skip = i % 4; n; quad += W, skip = 0) {
        size_t take = 4 * W - skip < n ? 4 * W - skip : n;
        drop_block(block, quad, d, threshold, keep);
        memcpy(out, block + skip, take * sizeof *out);
        out += take;
        n -= take;
    }
}

#define DROP_CHUNK 256u /* factors at a time on a worker's stack */

#endif
