/* SPDX-License-Identifier: Apache-2.0 */
/*
 * math.h - the transcendental functions on the way to a digest (engine 8, rule 4).
 *
 * Each is one sequence of IEEE operations and fused multiply-adds, so that every
 * compiler, library and processor gives the same bits. Errors are below 3 units
 * in the last place for the fp32 functions and for exp, log, sin, cos in double
 * (|x| < 1e5 for the last two); pow loses log2|y log x| bits more.
 *
 * Threads  Pure functions.
 */
#ifndef CPH_TENSOR_MATH_H
#define CPH_TENSOR_MATH_H

#include <colophon/base/status.h>

#ifdef __cplusplus
extern "C" {
#endif

CPH_API float cph_expf(float x); /* +0 below -87 */
CPH_API float cph_logf(float x); /* x > 0 and normal */
CPH_API float cph_tanhf(float x);
CPH_API float cph_erff(float x);

CPH_API double cph_exp(double x);  /* +0 below -708 */
CPH_API double cph_log_e(double x); /* natural logarithm; x > 0 and normal */
CPH_API double cph_tanh(double x);
CPH_API double cph_erf(double x);
CPH_API double cph_sin(double x);
CPH_API double cph_cos(double x);
CPH_API double cph_pow(double x, double y);        /* x > 0 */
CPH_API double cph_pow_int(double x, uint64_t n); /* by repeated multiplication */

#ifdef __cplusplus
}
#endif
#endif
