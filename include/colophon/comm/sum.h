/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sum.h - flat arrays over ranks: sums by a fixed tree to an owner, and back to everybody.
 *
 * A layout cuts a flat array into spans and gives each to one rank, its owner
 * (ZeRO-1: who owns a span updates it and keeps its moments). cph_sum adds the arrays of
 * all ranks, span by span, at the owner: ((r0 + r1) + (r2 + r3)) + ..., whatever way the
 * bytes took, so that the same R partial sums give the same bits. Groups of spans are declared ready
 * while the caller still computes others; a thread of its own moves and adds them meanwhile.
 *
 * Invariant  The order of additions depends on ranks alone. Ranks are a power of two.
 * Threads    Between cph_sum_begin and cph_sum_end the cph_comm belongs to the cph_sum.
 * Memory     cph_sum_open allocates; a sum does not.
 * Errors     Those of comm.h, from cph_sum_end.
 */
#ifndef CPH_COMM_SUM_H
#define CPH_COMM_SUM_H

#include <colophon/comm/comm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A run of elements with one owner. Spans of a layout ascend, in offset and group, and do not overlap. */
typedef struct cph_span {
    uint64_t offset, n; /* elements of the flat array */
    unsigned owner;
    uint32_t group;     /* becomes ready together: a parameter's index */
} cph_span;

typedef struct cph_layout {
    const cph_span *spans; /* of the caller, outlive all that use them */
    size_t n;
} cph_layout;

typedef struct cph_sum cph_sum;
/* c NULL: one rank, whose part is the sum. CPH_USAGE when the ranks are no power of two. */
CPH_API cph_status cph_sum_open(cph_sum **out, cph_comm *c, cph_layout layout, cph_err *err) CPH_MUST_USE;
CPH_API void cph_sum_close(cph_sum *s); /* NULL is fine */

/* `flat` keeps the sum in the spans that this rank owns; the others keep this rank's part. */
CPH_API void cph_sum_begin(cph_sum *s, float *flat);
/* The group's elements are final. Each group once, in any order, but in the same one on all ranks. Returns at once. */
CPH_API void cph_sum_ready(cph_sum *s, uint32_t group);
/* Waits until all groups are summed. Every group must have been declared ready. */
CPH_API cph_status cph_sum_end(cph_sum *s, cph_err *err) CPH_MUST_USE;

/* The way back: every span reaches everybody from its owner. */
CPH_API cph_status cph_sum_share(cph_sum *s, float *flat, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
