/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels_avx512.c - the vector kernels compiled for AVX-512 (F, BW, DQ, VL): 14x32 tiles of
 * sixteen-lane registers.
 */
#if defined(__x86_64__)

#include "simd_backend.h"

const struct cph_backend cph_backend_avx512 = VECTOR_BACKEND("avx512");

#else

extern const int cph_no_avx512;
const int cph_no_avx512 = 1; /* a translation unit is not empty */

#endif
