/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_position.c - the reference of positions: T5's buckets as a vector of key - query for
 * each head (bucket_bias), and rotation of queries and keys (rotary).
 */
#include "real.h"

void REF(bucket_bias_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_bucket_bias *b = &op->u.bucket_bias;
    size_t end = cph_u32_min((uint32_t)(task + 1) * CPH_COLUMN_TASK, b->length);
    for (size_t i = task * CPH_COLUMN_TASK; i < end; i++) {
        size_t k = cph_relative_bucket((int64_t)i - b->zero, b->bidirectional, b->buckets, b->max_distance);
        for (size_t h = 0; h < b->heads; h++) b->bias[h * b->length + i] = b->table[k * b->heads + h];
    }
}

/* A task is a head: each bucket goes on from what it holds, in order of key - query. */
void REF(bucket_bias_bwd)(const cph_op *op, unsigned phase, size_t h, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_bucket_bias *b = &op->u.bucket_bias;
    for (size_t i = 0; b->dtable && i < b->length; i++) {
        size_t k = cph_relative_bucket((int64_t)i - b->zero, b->bidirectional, b->buckets, b->max_distance);
        b->dtable[k * b->heads + h] = b->dtable[k * b->heads + h] + b->dbias[h * b->length + i];
    }
}

/* By the angle, or (sign -1) back. */
static void rotate_rows(const cph_rotary *o, cph_dtype t, void *x, cph_real sign, size_t task)
{
    size_t half = o->dim / 2, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, o->rows);
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++)
        for (size_t h = 0; h < o->heads; h++)
            for (size_t i = 0; i < half; i++) {
                size_t at = r * o->stride + h * o->head_dim, u = at + (o->interleaved ? 2 * i : i);
                size_t v = o->interleaved ? u + 1 : u + half;
                cph_real c = o->cos[o->positions[r] * half + i], s = sign * o->sin[o->positions[r] * half + i];
                cph_real a = val(x, t, u), b = val(x, t, v);
                put(x, t, u, R_FMA(-b, s, a * c));
                put(x, t, v, R_FMA(a, s, b * c));
            }
}

void REF(rotary_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    rotate_rows(&op->u.rotary, op->dtype, op->u.rotary.x, 1, task);
}

void REF(rotary_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    rotate_rows(&op->u.rotary, op->dtype, op->u.rotary.dx, -1, task);
}
