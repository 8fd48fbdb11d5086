/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_backend.h - the table of the vector kernels, for each instruction set that compiles
 * them. What has no entry runs as the reference.
 */
#ifndef CPH_SIMD_BACKEND_H
#define CPH_SIMD_BACKEND_H

#include "simd_attention.h"
#include "simd_map.h"
#include "simd_flat.h"

static size_t scratch_of(const cph_op *op)
{
    return op->kind == CPH_OP_attention ? attention_floats(op) : LINEAR_FLOATS;
}

#define VECTOR_BACKEND(isa)                                                                        \
    {                                                                                              \
        .name = isa,                                                                               \
        .fwd = {[CPH_OP_embed] = embed_fwd,                                                        \
                [CPH_OP_linear] = linear_fwd,                                                      \
                [CPH_OP_norm] = norm_fwd,                                                          \
                [CPH_OP_attention] = attention_fwd,                                                \
                [CPH_OP_gate] = gate_fwd,                                                          \
                [CPH_OP_add] = add_fwd,                                                            \
                [CPH_OP_mean] = mean_fwd,                                                          \
                [CPH_OP_gather] = gather_fwd,                                                      \
                [CPH_OP_scatter] = scatter_fwd,                                                    \
                [CPH_OP_classes] = classes_fwd,                                                    \
                [CPH_OP_log_softmax] = log_softmax_fwd,                                            \
                [CPH_OP_rotary] = rotary_fwd,                                                      \
                [CPH_OP_loss] = loss_fwd,                                                          \
                FLAT_KERNELS},                                                                     \
        .bwd = {[CPH_OP_embed] = embed_bwd,                                                        \
                [CPH_OP_linear] = linear_bwd,                                                      \
                [CPH_OP_norm] = norm_bwd,                                                          \
                [CPH_OP_attention] = attention_bwd,                                                \
                [CPH_OP_gate] = gate_bwd,                                                          \
                [CPH_OP_add] = add_bwd,                                                            \
                [CPH_OP_mean] = mean_bwd,                                                          \
                [CPH_OP_gather] = gather_bwd,                                                      \
                [CPH_OP_scatter] = scatter_bwd,                                                    \
                [CPH_OP_classes] = classes_bwd,                                                    \
                [CPH_OP_rotary] = rotary_bwd},                                                     \
        .dots = DOTS, .panel = NR, .pack = pack_weight_panel, .linear_pack = linear_pack_floats,   \
        .loss_pack = loss_pack_floats, .scratch_floats = LINEAR_FLOATS, .scratch_of = scratch_of,  \
        .act = linear_act,                                                                         \
    }

#endif
