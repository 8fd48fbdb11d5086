/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_loss.c - the reference of the fused output layer and cross-entropy: per chunk of
 * rows logits = x W^T + b, then (p - onehot) * inv_labels in their place, then dx and dW.
 * The chunk is a tuning parameter: chains carry over from chunk to chunk. In a CPH_BF16
 * record row r of the gradients is bf16 and lies where row r of the logits began.
 */
#include "ref_gemm.h"

/* lse - sum of targets z, less the constant, and z-loss */
static cph_real shaped_loss(const cph_loss *l, cph_real lse, cph_real label, cph_real sum_z)
{
    cph_real gap = (cph_real)(label_target(l) - l->targets.rest);
    cph_real loss = (lse - R_FMA(gap, label, (cph_real)l->targets.rest * sum_z)) - (cph_real)l->targets.constant;
    return l->z_loss == 0 ? loss : R_FMA((cph_real)l->z_loss * lse, lse, loss);
}

/* z: exp(logit - top) becomes the gradient of the logit: (1 + 2 zeta lse) p - target, times scale */
static void shaped_gradient(const cph_loss *l, cph_dtype t, cph_real *z, size_t y, cph_real lse, cph_real total)
{
    cph_real scale = *l->inv_labels, s = (1 / total) * scale * R_FMA(2 * (cph_real)l->z_loss, lse, 1);
    cph_real on = -((cph_real)label_target(l) * scale), off = -((cph_real)l->targets.rest * scale);
    for (size_t i = 0; i < l->vocab; i++) put(z, t, i, R_FMA(z[i], s, i == y ? on : off));
}

static void loss_row(const cph_loss *l, cph_dtype t, size_t row, cph_real *z)
{
    size_t v = l->vocab;
    int32_t y = l->labels[row];
    for (size_t i = 0; l->b && i < v; i++) z[i] = z[i] + l->b[i];
    if (l->keep) memcpy(l->keep + row * v, z, v * sizeof *z);
    if (y < 0) {
        l->losses[row] = 0;
        memset(z, 0, v * size_of(t));
        return;
    }
    cph_real top = z[0], label = z[y];
    for (size_t i = 1; i < v; i++) top = z[i] > top ? z[i] : top;
    lanes sum = {{0}}, sum_z = {{0}};
    for (size_t i = 0; i < v; i++) sum_z.v[i % LANES] = sum_z.v[i % LANES] + z[i];
    for (size_t i = 0; i < v; i++) {
        z[i] = R_EXP(z[i] - top);
        sum.v[i % LANES] = sum.v[i % LANES] + z[i];
    }
    cph_real total = lanes_sum(&sum);
    cph_real lse = R_LOG(total) + top;
    bool plain = l->targets.rest == 0 && l->z_loss == 0;
    l->losses[row] = plain ? lse - label : shaped_loss(l, lse, label, lanes_sum(&sum_z));
    if (!l->backward) return;
    if (!plain) {
        shaped_gradient(l, t, z, (size_t)y, lse, total);
        return;
    }
    cph_real scale = *l->inv_labels, s = (1 / total) * scale;
    for (size_t i = 0; i < v; i++) put(z, t, i, i == (size_t)y ? z[i] * s - scale : z[i] * s);
}

/* Columns of a task: a chain over the rows of all chunks. */
static void loss_db(const cph_loss *l, cph_dtype t, size_t row0, size_t rows, size_t task)
{
    size_t row = l->vocab * (sizeof(cph_real) / size_of(t));
    size_t end = cph_u32_min((uint32_t)(task + 1) * CPH_VOCAB_CHUNK, l->vocab);
    for (size_t c = task * CPH_VOCAB_CHUNK; c < end; c++) {
        cph_real chain = l->fresh_dw && row0 == 0 ? 0 : l->db[c];
        for (size_t r = 0; r < rows; r++) chain = chain + val(l->logits, t, r * row + c);
        l->db[c] = chain;
    }
}

void REF(loss_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)scratch;
    const cph_loss *l = &op->u.loss;
    cph_dtype type = op->dtype;
    cph_loss_phase at = cph_loss_phase_of(l, phase);
    size_t row0 = at.row0;
    ref_matrix x = {(const char *)l->x + row0 * l->in * size_of(type), l->in, 1, type, type};
    size_t row = l->vocab * (sizeof(cph_real) / size_of(type)); /* elements from row to row of the gradients */
    if (at.kind == CPH_LOSS_LOGITS) {
        cph_tiles tiles = cph_tiles_of(at.rows, l->vocab, l->workers);
        ref_tile(cph_tile_at(&tiles, task), l->in, x, (ref_matrix){l->w, 1, l->in, CPH_F32, type}, l->logits,
                 CPH_F32, l->vocab, false);
        return;
    }
    if (at.kind == CPH_LOSS_SOFTMAX) {
        size_t end = cph_u32_min((uint32_t)(task + 1) * CPH_LOSS_ROWS, at.rows); /* later tasks pack */
        for (size_t r = task * CPH_LOSS_ROWS; r < end; r++)
            loss_row(l, type, row0 + r, l->logits + r * l->vocab);
        return;
    }
    cph_tiles tiles = cph_tiles_of(at.rows, l->in, l->workers);
    if (l->dx && task < tiles.count) {
        if (at.chunk == 0)
            ref_tile(cph_tile_at(&tiles, task), l->vocab, (ref_matrix){l->logits, row, 1, type, type},
                     (ref_matrix){l->w, l->in, 1, CPH_F32, type}, (char *)l->dx + row0 * l->in * size_of(type),
                     type, l->in, l->dx_adds);
        return;
    }
    if (!at.last) return;
    if (l->dx) task -= tiles.count;
    tiles = cph_tiles_of(l->vocab, l->in, l->workers);
    if (!l->dw || task >= tiles.count) {
        loss_db(l, type, row0, at.rows, task - (l->dw ? tiles.count : 0));
        return;
    }
    ref_tile(cph_tile_at(&tiles, task), at.rows, (ref_matrix){l->logits, 1, row, type, type}, x, l->dw, CPH_F32,
             l->in, !(l->fresh_dw && row0 == 0));
}
