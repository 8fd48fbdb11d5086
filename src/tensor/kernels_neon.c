/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels_neon.c - the vector kernels compiled for aarch64: 12x8 tiles of four-lane registers.
 */
#if defined(__aarch64__)

#include "simd_backend.h"

const struct cph_backend cph_backend_neon = VECTOR_BACKEND("neon");

#else

extern const int cph_no_neon;
const int cph_no_neon = 1; /* a translation unit is not empty */

#endif
