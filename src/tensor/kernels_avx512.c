/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels_avx512.c - the vector kernels compiled for AVX-512 (F, BW, DQ, VL): 14x32 tiles of
 * sixteen-lane registers.
 * What is not overridden here runs as the reference.
 */
#if defined(__x86_64__)

#include "simd_attention.h"

const struct cph_backend cph_backend_avx512 = {
    .name = "avx512",
    .fwd = {[CPH_OP_embed] = embed_fwd,
            [CPH_OP_linear] = linear_fwd,
            [CPH_OP_norm] = norm_fwd,
            [CPH_OP_attention] = attention_fwd,
            [CPH_OP_loss] = loss_fwd,
            [CPH_OP_sumsq] = sumsq_fwd,
            [CPH_OP_adamw] = adamw_fwd},
    .bwd = {[CPH_OP_embed] = embed_bwd,
            [CPH_OP_linear] = linear_bwd,
            [CPH_OP_norm] = norm_bwd,
            [CPH_OP_attention] = attention_bwd},
    .panel = NR,
    .pack = pack_weight_panel,
    .scratch_floats = ATTENTION_FLOATS,
};

#else

extern const int cph_no_avx512;
const int cph_no_avx512 = 1; /* a translation unit is not empty */

#endif
