/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_act.h - the activations and their slopes, lane by lane the sequences of ref_act.h.
 * The choice is made outside of loops.
 */
#ifndef CPH_SIMD_ACT_H
#define CPH_SIMD_ACT_H

#include "simd_math.h"

ALWAYS vf v_sigmoid(vf x) { return v_div(v_set(1), v_add(v_set(1), v_exp(-x))); }

ALWAYS vf v_slope_none(vf x) { return (void)x, v_set(1); }

ALWAYS vf v_gelu(vf x)
{
    vf half = v_mul(v_set(0.5f), x);
    return v_fma(half, v_erf(v_mul(x, v_set(0.70710678118654752440f))), half);
}
ALWAYS vf v_slope_gelu(vf x)
{
    vf below = v_fma(v_set(0.5f), v_erf(v_mul(x, v_set(0.70710678118654752440f))), v_set(0.5f));
    vf bell = v_exp(v_mul(v_mul(v_set(-0.5f), x), x));
    return v_fma(v_mul(x, v_set(0.39894228040143267794f)), bell, below);
}

ALWAYS vf v_gelu_by_tanh(vf k, vf x)
{
    vf u = v_mul(k, v_fma(v_mul(v_set(0.044715f), v_mul(x, x)), x, x)), half = v_mul(v_set(0.5f), x);
    return v_fma(half, v_tanh(u), half);
}
ALWAYS vf v_gelu_by_tanh_slope(vf k, vf x)
{
    vf xx = v_mul(x, x), t = v_tanh(v_mul(k, v_fma(v_mul(v_set(0.044715f), xx), x, x)));
    vf half = v_mul(v_set(0.5f), x), inner = v_mul(k, v_fma(v_set(0.134145f), xx, v_set(1)));
    vf rise = v_mul(half, v_fnma(t, t, v_set(1)));
    return v_fma(rise, inner, v_fma(v_set(0.5f), t, v_set(0.5f)));
}
ALWAYS vf v_gelu_new(vf x) { return v_gelu_by_tanh(v_set(0.79788456080286535588f), x); }
ALWAYS vf v_slope_gelu_new(vf x) { return v_gelu_by_tanh_slope(v_set(0.79788456080286535588f), x); }
ALWAYS vf v_gelu_fast(vf x) { return v_gelu_by_tanh(v_set(0.7978845608f), x); }
ALWAYS vf v_slope_gelu_fast(vf x) { return v_gelu_by_tanh_slope(v_set(0.7978845608f), x); }

ALWAYS vf v_quick_gelu(vf x) { return v_mul(x, v_sigmoid(v_mul(v_set(1.702f), x))); }
ALWAYS vf v_slope_quick_gelu(vf x)
{
    vf u = v_mul(v_set(1.702f), x), s = v_sigmoid(u);
    return v_fma(v_mul(u, s), v_sub(v_set(1), s), s);
}

ALWAYS vf v_relu(vf x) { return v_sel(v_lt(x, v_set(0)), v_set(0), x); }
ALWAYS vf v_slope_relu(vf x) { return v_sel(v_lt(v_set(0), x), v_set(1), v_set(0)); }

ALWAYS vf v_silu(vf x) { return v_mul(x, v_sigmoid(x)); }
ALWAYS vf v_slope_silu(vf x)
{
    vf s = v_sigmoid(x);
    return v_fma(v_mul(x, s), v_sub(v_set(1), s), s);
}

ALWAYS vf v_slope_tanh(vf x)
{
    vf t = v_tanh(x);
    return v_fnma(t, t, v_set(1));
}

ALWAYS vf v_slope_sigmoid(vf x)
{
    vf s = v_sigmoid(x);
    return v_mul(s, v_sub(v_set(1), s));
}

ALWAYS vf v_gelu_10(vf x)
{
    vf g = v_gelu(x);
    return v_sel(v_lt(v_set(10), g), v_set(10), g);
}
ALWAYS vf v_slope_gelu_10(vf x) { return v_sel(v_lt(v_set(10), v_gelu(x)), v_set(0), v_slope_gelu(x)); }

ALWAYS vf v_mish(vf x)
{
    vf e = v_exp(v_min(x, v_set(20))), n = v_mul(e, v_add(e, v_set(2)));
    return v_mul(x, v_div(n, v_add(n, v_set(2))));
}
ALWAYS vf v_slope_mish(vf x)
{
    vf e = v_exp(v_min(x, v_set(20))), n = v_mul(e, v_add(e, v_set(2))), m = v_add(n, v_set(2));
    vf rise = v_div(v_mul(v_set(4), v_mul(e, v_add(e, v_set(1)))), v_mul(m, m));
    return v_fma(x, rise, v_div(n, m));
}
ALWAYS vf v_none(vf x) { return x; }

/* `act` is a constant where these are used: FOR_ACT. */
ALWAYS vf v_act(cph_act act, vf x)
{
    switch (act) {
#define ACT_CASE(NAME, name, text) case CPH_ACT_##NAME: return v_##name(x);
        CPH_ACT_MAP(ACT_CASE)
#undef ACT_CASE
    case CPH_N_ACTS: break;
    }
    return x;
}
ALWAYS vf v_act_slope(cph_act act, vf x)
{
    switch (act) {
#define SLOPE_CASE(NAME, name, text) case CPH_ACT_##NAME: return v_slope_##name(x);
        CPH_ACT_MAP(SLOPE_CASE)
#undef SLOPE_CASE
    case CPH_N_ACTS: break;
    }
    return v_set(1);
}

/* Calls body(..., ACT) with a constant activation, so that each has code of its own. */
#define FOR_ACT_CASE(act, call)                                                                    \
    case act: {                                                                                    \
        const cph_act ACT = act;                                                                   \
        call;                                                                                      \
        break;                                                                                     \
    }
#define FOR_ACT(act, call)                                                                         \
    switch (act) {                                                                                 \
        FOR_ACT_CASE(CPH_ACT_NONE, call)                                                           \
        FOR_ACT_CASE(CPH_ACT_GELU, call)                                                           \
        FOR_ACT_CASE(CPH_ACT_GELU_NEW, call)                                                       \
        FOR_ACT_CASE(CPH_ACT_GELU_FAST, call)                                                      \
        FOR_ACT_CASE(CPH_ACT_QUICK_GELU, call)                                                     \
        FOR_ACT_CASE(CPH_ACT_RELU, call)                                                           \
        FOR_ACT_CASE(CPH_ACT_SILU, call)                                                           \
        FOR_ACT_CASE(CPH_ACT_TANH, call)                                                           \
        FOR_ACT_CASE(CPH_ACT_SIGMOID, call)                                                        \
        FOR_ACT_CASE(CPH_ACT_GELU_10, call)                                                        \
        FOR_ACT_CASE(CPH_ACT_MISH, call)                                                           \
    case CPH_N_ACTS: break;                                                                        \
    }

ALWAYS void act_row_of(cph_act act, float *x, size_t n)
{
    EACH_VECTOR(i, left, n) v_st(x + i, v_act(act, v_ld(x + i, left)), left);
}
/* x[0..n-1] become their activations. */
static void act_row(cph_act act, float *x, size_t n) { FOR_ACT(act, act_row_of(ACT, x, n)) }

#endif
