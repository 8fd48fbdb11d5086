/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_loss.c - the reference of the fused output layer and cross-entropy: per chunk of
 * rows logits = x W^T, then (p - onehot) * inv_labels in their place, then dx and dW.
 * The chunk is a tuning parameter: chains carry over from chunk to chunk.
 */
#include "ref_gemm.h"

static void loss_row(const cph_loss *l, size_t row, cph_real *z)
{
    size_t v = l->vocab;
    int32_t y = l->labels[row];
    if (l->keep) memcpy(l->keep + row * v, z, v * sizeof *z);
    if (y < 0) {
        l->losses[row] = 0;
        memset(z, 0, v * sizeof *z);
        return;
    }
    cph_real top = z[0], label = z[y];
    for (size_t i = 1; i < v; i++) top = z[i] > top ? z[i] : top;
    lanes sum = {{0}};
    for (size_t i = 0; i < v; i++) {
        z[i] = R_EXP(z[i] - top);
        sum.v[i % LANES] = sum.v[i % LANES] + z[i];
    }
    cph_real total = lanes_sum(&sum);
    l->losses[row] = (R_LOG(total) + top) - label;
    if (!l->backward) return;
    cph_real scale = *l->inv_labels, s = (1 / total) * scale;
    for (size_t i = 0; i < v; i++) z[i] = z[i] * s;
    z[y] = z[y] - scale;
}

void REF(loss_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)scratch;
    const cph_loss *l = &op->u.loss;
    size_t row0 = (size_t)(phase / 3) * l->chunk;
    uint32_t rows = cph_u32_min(l->chunk, l->rows - (uint32_t)row0);
    const cph_real *x = l->x + row0 * l->in;
    if (phase % 3 == 0) {
        cph_tiles tiles = cph_tiles_of(rows, l->vocab);
        ref_tile(cph_tile_at(&tiles, task), l->in, (ref_matrix){x, l->in, 1}, (ref_matrix){l->w, 1, l->in},
                 l->logits, l->vocab, false);
        return;
    }
    if (phase % 3 == 1) {
        size_t end = cph_u32_min((uint32_t)(task + 1) * CPH_LOSS_ROWS, rows);
        for (size_t r = task * CPH_LOSS_ROWS; r < end; r++) loss_row(l, row0 + r, l->logits + r * l->vocab);
        return;
    }
    cph_tiles tiles = cph_tiles_of(rows, l->in);
    if (task < tiles.count) {
        ref_tile(cph_tile_at(&tiles, task), l->vocab, (ref_matrix){l->logits, l->vocab, 1},
                 (ref_matrix){l->w, l->in, 1}, l->dx + row0 * l->in, l->in, false);
        return;
    }
    task -= tiles.count;
    tiles = cph_tiles_of(l->vocab, l->in);
    ref_tile(cph_tile_at(&tiles, task), rows, (ref_matrix){l->logits, 1, l->vocab}, (ref_matrix){x, l->in, 1},
             l->dw, l->in, true);
}
