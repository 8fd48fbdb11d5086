/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels_avx512bf16.c - the vector kernels compiled for AVX-512 with BF16: products of bf16
 * by VDPBF16PS, pair by pair of k; everything else as kernels_avx512.c has it.
 */
#if defined(__x86_64__)

#include "simd_backend.h"

const struct cph_backend cph_backend_avx512bf16 = VECTOR_BACKEND("avx512bf16");

#else

extern const int cph_no_avx512bf16;
const int cph_no_avx512bf16 = 1; /* a translation unit is not empty */

#endif
