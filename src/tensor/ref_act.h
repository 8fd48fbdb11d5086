/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_act.h - the activations and their slopes, each one sequence of IEEE operations
 * (text-models 2.3). simd_act.h repeats them lane by lane.
 */
#ifndef CPH_REF_ACT_H
#define CPH_REF_ACT_H

#include "real.h"

#define R(x) ((cph_real)(x))

static inline cph_real sigmoid_of(cph_real x) { return 1 / (1 + R_EXP(-x)); }

static inline cph_real act_none(cph_real x) { return x; }
static inline cph_real slope_none(cph_real x) { return (void)x, R(1); }

/* 0.5 x (1 + erf(x / sqrt 2)) */
static inline cph_real act_gelu(cph_real x)
{
    cph_real half = R(0.5) * x;
    return R_FMA(half, R_ERF(x * R(0.70710678118654752440)), half);
}
static inline cph_real slope_gelu(cph_real x)
{
    cph_real below = R_FMA(R(0.5), R_ERF(x * R(0.70710678118654752440)), R(0.5));
    return R_FMA(x * R(0.39894228040143267794), R_EXP(R(-0.5) * x * x), below);
}

/* 0.5 x (1 + tanh(k (x + c x^3))) */
static inline cph_real gelu_by_tanh(cph_real k, cph_real x)
{
    cph_real u = k * R_FMA(R(0.044715) * (x * x), x, x), half = R(0.5) * x;
    return R_FMA(half, R_TANH(u), half);
}
/* 0.5 (1 + t) + 0.5 x (1 - t^2) k (1 + 3 c x^2) */
static inline cph_real gelu_by_tanh_slope(cph_real k, cph_real x)
{
    cph_real xx = x * x, t = R_TANH(k * R_FMA(R(0.044715) * xx, x, x)), half = R(0.5) * x;
    cph_real inner = k * R_FMA(R(0.134145), xx, 1);
    return R_FMA(half * R_FMA(-t, t, 1), inner, R_FMA(R(0.5), t, R(0.5)));
}
#define GELU_K R(0.79788456080286535588) /* sqrt(2/pi) */
static inline cph_real act_gelu_new(cph_real x) { return gelu_by_tanh(GELU_K, x); }
static inline cph_real slope_gelu_new(cph_real x) { return gelu_by_tanh_slope(GELU_K, x); }
static inline cph_real act_gelu_fast(cph_real x) { return gelu_by_tanh(R(0.7978845608), x); }
static inline cph_real slope_gelu_fast(cph_real x) { return gelu_by_tanh_slope(R(0.7978845608), x); }

static inline cph_real act_quick_gelu(cph_real x) { return x * sigmoid_of(R(1.702) * x); }
static inline cph_real slope_quick_gelu(cph_real x)
{
    cph_real u = R(1.702) * x, s = sigmoid_of(u);
    return R_FMA(u * s, 1 - s, s);
}

static inline cph_real act_relu(cph_real x) { return x < 0 ? 0 : x; } /* NaN stays */
static inline cph_real slope_relu(cph_real x) { return 0 < x ? 1 : 0; }

static inline cph_real act_silu(cph_real x) { return x * sigmoid_of(x); }
static inline cph_real slope_silu(cph_real x)
{
    cph_real s = sigmoid_of(x);
    return R_FMA(x * s, 1 - s, s);
}

static inline cph_real act_tanh(cph_real x) { return R_TANH(x); }
static inline cph_real slope_tanh(cph_real x)
{
    cph_real t = R_TANH(x);
    return R_FMA(-t, t, 1);
}

static inline cph_real act_sigmoid(cph_real x) { return sigmoid_of(x); }
static inline cph_real slope_sigmoid(cph_real x)
{
    cph_real s = sigmoid_of(x);
    return s * (1 - s);
}

/* gelu never reaches -10 */
static inline cph_real act_gelu_10(cph_real x)
{
    cph_real g = act_gelu(x);
    return 10 < g ? 10 : g;
}
static inline cph_real slope_gelu_10(cph_real x) { return 10 < act_gelu(x) ? 0 : slope_gelu(x); }

/* x tanh(log(1 + e)) = x n / (n + 2), n = e (e + 2), e = exp(x); beyond 20 the factor is 1 */
static inline cph_real act_mish(cph_real x)
{
    cph_real e = R_EXP(x < 20 ? x : 20), n = e * (e + 2);
    return x * (n / (n + 2));
}
static inline cph_real slope_mish(cph_real x)
{
    cph_real e = R_EXP(x < 20 ? x : 20), n = e * (e + 2), m = n + 2;
    return R_FMA(x, 4 * (e * (e + 1)) / (m * m), n / m);
}

static inline cph_real act_of(cph_act act, cph_real x)
{
    switch (act) {
#define ACT_CASE(NAME, name, text) case CPH_ACT_##NAME: return act_##name(x);
        CPH_ACT_MAP(ACT_CASE)
#undef ACT_CASE
    case CPH_N_ACTS: break;
    }
    return x;
}
static inline cph_real slope_of(cph_act act, cph_real x)
{
    switch (act) {
#define SLOPE_CASE(NAME, name, text) case CPH_ACT_##NAME: return slope_##name(x);
        CPH_ACT_MAP(SLOPE_CASE)
#undef SLOPE_CASE
    case CPH_N_ACTS: break;
    }
    return 1;
}

#endif
