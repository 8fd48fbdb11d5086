/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_in.h - with what recording functions are written: append a record, make the
 * tensors it writes, say which pass touches what. After a fault all of them do nothing.
 */
#ifndef CPH_RECORD_IN_H
#define CPH_RECORD_IN_H

#include "tape_in.h"

#include <colophon/nn/record.h>

#include <stddef.h>

#define RECORD_FIELD(member) ((uint32_t)offsetof(cph_op, u.member))

cph_op *cph_record_node(cph_tape *t, cph_op_kind kind); /* NULL after a fault */
cph_tensor cph_record_float(cph_tape *t, uint32_t rows, uint32_t width);
cph_tensor cph_record_typed(cph_tape *t, uint32_t rows, uint32_t width, cph_dtype type);

/* The following concern the node added last. `field` is where its record points at the tensor. */
void cph_record_use(cph_tape *t, uint32_t field, cph_tensor x, unsigned flags);
void cph_record_use_at(cph_tape *t, uint32_t field, cph_tensor x, uint32_t shift, unsigned flags);
/* A gradient that the backward pass reads; flags: USE_OPTIONAL or 0. */
void cph_record_reads_grad(cph_tape *t, uint32_t field, cph_tensor x, unsigned flags);
/* A gradient that it makes, all of it; `adds`: the flag of its record that makes it add; 0: it has none. */
void cph_record_makes_grad(cph_tape *t, uint32_t field, uint32_t adds, cph_tensor x);
void cph_record_makes_grad_at(cph_tape *t, uint32_t field, uint32_t adds, cph_tensor x, uint32_t shift);
void cph_record_param(cph_tape *t, uint32_t value, uint32_t grad, uint32_t param); /* grad 0: none */
void cph_record_packed(cph_tape *t, uint32_t field, uint32_t param);
/* Scratch of one operation: alive in the passes named. */
void cph_record_scratch(cph_tape *t, uint32_t field, uint32_t rows, uint32_t width, unsigned flags);
void cph_record_workspace(cph_tape *t, uint32_t field, size_t bytes, unsigned flags);
void cph_record_fault(cph_tape *t, const char *what); /* the caller's mistake; the first is kept */

#endif
