/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels_avx2.c - the vector kernels compiled for AVX2 and FMA: 6x16 tiles of eight-lane registers.
 */
#if defined(__x86_64__)

#include "simd_backend.h"

const struct cph_backend cph_backend_avx2 = VECTOR_BACKEND("avx2");

#else

extern const int cph_no_avx2;
const int cph_no_avx2 = 1; /* a translation unit is not empty */

#endif
