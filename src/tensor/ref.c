/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref.c - the reference backend: one slot per line of ops.def, all of them filled.
 */
#include "tensor_in.h"

#define CPH_PASSES_BOTH(name) cph_ref_##name##_bwd
#define CPH_PASSES_ONLY(name) NULL

/* Attention holds the gradients of one key head and a row of queries. */
static size_t scratch_of(const cph_op *op)
{
    if (op->kind != CPH_OP_attention) return 0;
    return (2 * (size_t)op->u.attention.k_len + 1) * op->u.attention.head_dim;
}

const struct cph_backend cph_backend_ref = {
    .name = "ref",
    .scratch_of = scratch_of,
    .act = cph_ref_linear_act,
    .fwd = {
#define CPH_OP(name, passes, what) [CPH_OP_##name] = cph_ref_##name##_fwd,
#include <colophon/tensor/ops.def>
#undef CPH_OP
    },
    .bwd = {
#define CPH_OP(name, passes, what) [CPH_OP_##name] = CPH_PASSES_##passes(name),
#include <colophon/tensor/ops.def>
#undef CPH_OP
    },
};
