/* SPDX-License-Identifier: Apache-2.0 */
/*
 * math.c - exp, log, tanh, erf, sin, cos, pow as fixed sequences of IEEE operations.
 * The vector forms (simd_math.h) repeat the fp32 sequences step by step: whoever
 * changes one changes both, and raises CPH_NUMERICS.
 */
#include <colophon/tensor/math.h>
#include <colophon/tensor/op.h>

#include "math_tables.h"

#include <math.h>
#include <string.h>

#define STEP_F(c) p = fmaf(p, z, c);
#define STEP(c) p = fma(p, z, c);

static float pow2f(int n) /* -126 <= n <= 127 */
{
    uint32_t bits = (uint32_t)(n + 127) << 23;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static double pow2(int n) /* -1022 <= n <= 1023 */
{
    uint64_t bits = (uint64_t)(n + 1023) << 52;
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

float cph_expf(float x)
{
    if (!(x >= -87.0f)) return x != x ? x : 0.0f;
    if (x > 88.72283f) return INFINITY;
    float t = fmaf(x, CPH_LOG2E_F, 12582912.0f), n = t - 12582912.0f;
    float z = fmaf(n, -CPH_LN2_HI_F, x), p = 0;
    z = fmaf(n, -CPH_LN2_LO_F, z);
    CPH_EXP_F(STEP_F)
    p = fmaf(p * z, z, z) + 1.0f;
    int k = (int)n, half = k >> 1;
    return p * pow2f(half) * pow2f(k - half);
}

float cph_tanhf(float x)
{
    float a = fabsf(x);
    if (a < 0.625f) {
        float z = x * x, p = 0;
        CPH_TANH_F(STEP_F)
        return fmaf(p * z, x, x);
    }
    float e = cph_expf((a < 44.0f ? a : 44.0f) * 2.0f);
    return copysignf(1.0f - 2.0f / (e + 1.0f), x);
}

float cph_logf(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int e = (int)((bits - 0x3f3504f3u) >> 23);
    if (bits < 0x3f3504f3u) e -= 512; /* the shift above is of an unsigned number */
    bits -= (uint32_t)e << 23;
    float m, n = (float)e;
    memcpy(&m, &bits, sizeof m);
    float s = (m - 1.0f) / (m + 1.0f), z = s * s, p = 0;
    CPH_LOG_F(STEP_F)
    float tail = fmaf(p * z, s, n * CPH_LN2_LO_F);
    return fmaf(n, CPH_LN2_HI_F, fmaf(2.0f, s, tail));
}

float cph_erff(float x)
{
    float a = fabsf(x), z = x * x, p = 0;
    if (a < 1.0f) {
        CPH_ERF_SMALL_F(STEP_F)
        return p * x;
    }
    if (a > 4.0f) return x != x ? x : copysignf(1.0f, x);
    float gauss = cph_expf(-z);
    z = 2.0f / (2.0f + a);
    CPH_ERF_LARGE_F(STEP_F)
    return copysignf(fmaf(-gauss, p, 1.0f), x);
}

/* The fp32 sine and cosine go through double: tables of positions are small. */

double cph_exp(double x)
{
    if (!(x >= -708.0)) return x != x ? x : 0.0;
    if (x > 709.782712893384) return INFINITY;
    double t = fma(x, 0x1.71547652b82fep+0, 6755399441055744.0), n = t - 6755399441055744.0;
    double z = fma(n, -CPH_LN2_HI, x), p = 0;
    z = fma(n, -CPH_LN2_LO, z);
    CPH_EXP(STEP)
    p = fma(p * z, z, z) + 1.0;
    int k = (int)n, half = k >> 1;
    return p * pow2(half) * pow2(k - half);
}

double cph_tanh(double x)
{
    double a = fabs(x);
    if (a < 0.625) {
        double z = x * x, p = 0;
        CPH_TANH(STEP)
        return fma(p * z, x, x);
    }
    double e = cph_exp((a < 300.0 ? a : 300.0) * 2.0);
    return copysign(1.0 - 2.0 / (e + 1.0), x);
}

double cph_log_e(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t e = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
    double m, p = 0;
    memcpy(&m, &bits, sizeof m);
    if (m > 0x1.6a09e667f3bcdp+0) {
        m *= 0.5;
        e++;
    }
    double n = (double)e, s = (m - 1.0) / (m + 1.0), z = s * s;
    CPH_LOG(STEP)
    double tail = fma(p * z, s, n * CPH_LN2_LO);
    return fma(n, CPH_LN2_HI, fma(2.0, s, tail));
}

double cph_erf(double x)
{
    double a = fabs(x), z = x * x, p = 0;
    if (a < 1.0) {
        CPH_ERF_SMALL(STEP)
        return p * x;
    }
    if (a > 6.0) return x != x ? x : copysign(1.0, x);
    double gauss = cph_exp(-z);
    z = 2.0 / (2.0 + a);
    CPH_ERF_LARGE(STEP)
    return copysign(fma(-gauss, p, 1.0), x);
}

/* x = n pi/2 + r: gives r and n mod 4. */
static double reduce(double x, unsigned *quadrant)
{
    double t = fma(x, 0x1.45f306dc9c883p-1, 6755399441055744.0), n = t - 6755399441055744.0;
    double r = fma(n, -CPH_PIO2_A, x);
    r = fma(n, -CPH_PIO2_B, r);
    *quadrant = (unsigned)((int64_t)n & 3);
    return fma(n, -CPH_PIO2_C, r);
}

static double sin_or_cos(double r, unsigned quadrant)
{
    double z = r * r, p = 0;
    if (quadrant & 1) {
        CPH_COS(STEP)
        p = fma(p * z, z, fma(-0.5, z, 1.0));
    } else {
        CPH_SIN(STEP)
        p = fma(p * z, r, r);
    }
    return quadrant & 2 ? -p : p;
}

double cph_sin(double x)
{
    unsigned quadrant;
    double r = reduce(x, &quadrant);
    return sin_or_cos(r, quadrant);
}

double cph_cos(double x)
{
    unsigned quadrant;
    double r = reduce(x, &quadrant);
    return sin_or_cos(r, (quadrant + 1) & 3);
}

double cph_pow(double x, double y) { return cph_exp(y * cph_log_e(x)); }

double cph_pow_int(double x, uint64_t n)
{
    double r = 1.0;
    for (; n; n >>= 1) {
        if (n & 1) r *= x;
        x *= x;
    }
    return r;
}

/* ---- bf16 (declared with the operations that use it) ---- */

uint16_t cph_bf16_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x) return (uint16_t)((bits | 0x400000u) >> 16);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}
