/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cut.c - how many phases a pass has and how many tasks a phase: functions of the
 * record alone, the same for every backend.
 */
#include "tensor_in.h"

static size_t parts(size_t n, size_t of) { return (n + of - 1) / of; }

unsigned cph_n_phases(const cph_op *op, bool backward)
{
    switch (op->kind) {
    case CPH_OP_linear: return backward ? 2 : 1;
    case CPH_OP_norm: return backward ? 2 : 1;
    case CPH_OP_attention: return backward && op->u.attention.dbias ? 2 : 1;
    case CPH_OP_factor: return op->u.factor.v ? 1 : 4;
    case CPH_OP_loss:
        return (unsigned)parts(op->u.loss.rows, op->u.loss.chunk) * (2 + cph_loss_grad_phases(&op->u.loss));
    default: return 1;
    }
}

static size_t linear_tasks(const cph_linear *l, bool backward, unsigned phase)
{
    if (!backward) return cph_tiles_of(l->rows, l->out, l->workers).count;
    if (phase == 0) return CPH_BLOCKS(l->rows) + (l->dx ? parts(l->in, CPH_PACK_TASK) : 0);
    size_t n = l->db ? parts(l->out, CPH_COLUMN_TASK) : 0;
    if (l->dw) n += l->out_in ? cph_tiles_of(l->out, l->in, l->workers).count : cph_tiles_of(l->in, l->out, l->workers).count;
    if (l->dx) n += cph_tiles_of(l->rows, l->in, l->workers).count;
    return n;
}

static size_t loss_tasks(const cph_loss *l, unsigned phase)
{
    cph_loss_phase p = cph_loss_phase_of(l, phase);
    size_t packs = parts(l->in, CPH_PACK_TASK);
    switch (p.kind) {
    case CPH_LOSS_LOGITS: return cph_tiles_of(p.rows, l->vocab, l->workers).count;
    case CPH_LOSS_SOFTMAX: return parts(p.rows, CPH_LOSS_ROWS) + (l->backward ? 2 * packs : 0);
    case CPH_LOSS_GRADS: break;
    }
    size_t dx = l->dx ? cph_tiles_of(p.rows, l->in, l->workers).count : 0;
    if (!p.last) return dx + packs;
    return dx + (l->dw ? cph_tiles_of(l->vocab, l->in, l->workers).count : 0) + (l->db ? parts(l->vocab, CPH_VOCAB_CHUNK) : 0);
}

static size_t factor_tasks(const cph_factor *f, unsigned phase)
{
    if (f->v) return parts(f->n * f->rows * f->columns, CPH_FLAT_BLOCK);
    if (phase == 1) return f->n * parts(f->columns, CPH_COLUMN_TASK);
    return phase == 2 ? f->n : f->n * CPH_BLOCKS(f->rows);
}

size_t cph_n_tasks(const cph_op *op, bool backward, unsigned phase)
{
    switch (op->kind) {
    case CPH_OP_embed:
        return backward ? parts(op->u.embed.width, CPH_COLUMN_TASK) : CPH_BLOCKS(op->u.embed.rows);
    case CPH_OP_linear: return linear_tasks(&op->u.linear, backward, phase);
    case CPH_OP_norm:
        if (backward && phase == 1) return op->u.norm.dgamma || op->u.norm.dbeta ? parts(op->u.norm.width, CPH_COLUMN_TASK) : 0;
        return CPH_BLOCKS(op->u.norm.rows);
    case CPH_OP_attention: {
        const cph_attention *a = &op->u.attention;
        if (backward) return phase ? a->heads : (size_t)a->batch * a->kv_heads;
        return (size_t)a->batch * a->heads * parts(a->q_len, CPH_QUERY_TASK);
    }
    case CPH_OP_gate: return CPH_BLOCKS(op->u.gate.rows);
    case CPH_OP_add: return CPH_BLOCKS(op->u.add.rows);
    case CPH_OP_mean: return backward ? CPH_BLOCKS(op->u.mean.rows) : op->u.mean.groups;
    case CPH_OP_gather:
    case CPH_OP_scatter:
        if (backward == (op->kind == CPH_OP_scatter)) return CPH_BLOCKS(op->u.pick.n);
        return parts(op->u.pick.width, CPH_COLUMN_TASK);
    case CPH_OP_classes: return CPH_BLOCKS(op->u.classes.rows);
    case CPH_OP_log_softmax: return CPH_BLOCKS(op->u.log_softmax.rows);
    case CPH_OP_bucket_bias:
        return backward ? op->u.bucket_bias.heads : parts(op->u.bucket_bias.length, CPH_COLUMN_TASK);
    case CPH_OP_rotary: return CPH_BLOCKS(op->u.rotary.rows);
    case CPH_OP_append: return 1;
    case CPH_OP_loss: return loss_tasks(&op->u.loss, phase);
    case CPH_OP_sumsq: return parts(op->u.sumsq.n, CPH_FLAT_BLOCK);
    case CPH_OP_adamw: return parts(op->u.adamw.n, CPH_FLAT_BLOCK);
    case CPH_OP_momentum: return parts(op->u.momentum.n, CPH_FLAT_BLOCK);
    case CPH_OP_mix: return parts(op->u.mix.n, CPH_FLAT_BLOCK);
    case CPH_OP_factor:
    case CPH_OP_factor_step: return factor_tasks(&op->u.factor, phase);
    case CPH_N_OPS: break;
    }
    return 0;
}
