/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer.c - AdamW and the gradient norm over the flat arenas, tensor by tensor.
 * Constants are worked out in double and rounded once (text-models 11.1).
 */
#include "model_in.h"

#include <colophon/tensor/math.h>

#include <math.h>

double cph_grad_norm(const cph_model *m, const float *grads, cph_pool *pool)
{
    size_t n_blocks = 0;
    for (size_t i = 0; i < m->params.n; i++) {
        const cph_param *p = &m->params.items[i];
        if (!p->trainable) continue;
        cph_op op = {.kind = CPH_OP_sumsq, .u.sumsq = {grads + p->offset, m->blocks + n_blocks, p->n}};
        cph_op_flat(m->backend, pool, &op);
        n_blocks += (p->n + CPH_FLAT_BLOCK - 1) / CPH_FLAT_BLOCK;
    }
    return sqrt(cph_tree_sum(m->blocks, n_blocks));
}

void cph_adamw_step(cph_model *m, const float *grads, float *m1, float *v2, const cph_adamw *o,
                    float grad_scale,
                    cph_pool *pool)
{
    double b1 = (double)o->beta1, b2 = (double)o->beta2, lr = (double)o->lr;
    cph_adamw_args a = {.grad_scale = grad_scale,
                        .beta1 = o->beta1,
                        .beta2 = o->beta2,
                        .one_beta1 = (float)(1.0 - b1),
                        .one_beta2 = (float)(1.0 - b2),
                        .step = (float)(lr / (1.0 - cph_pow_int(b1, o->t))),
                        .inv_root = (float)(1.0 / sqrt(1.0 - cph_pow_int(b2, o->t))),
                        .eps = o->eps};
    for (size_t i = 0; i < m->params.n; i++) {
        const cph_param *p = &m->params.items[i];
        if (!p->trainable) continue;
        bool decays = (!o->decay_by_flag || p->decay) && (!o->decay_2d_only || p->n_dims >= 2);
        a.decay = decays ? (float)(1.0 - lr * (double)o->weight_decay) : 1.0f;
        a.p = m->weights + p->offset;
        a.g = grads + p->offset;
        a.m = m1 + p->offset;
        a.v = v2 + p->offset;
        a.n = p->n;
        cph_op op = {.kind = CPH_OP_adamw, .u.adamw = a};
        cph_op_flat(m->backend, pool, &op);
    }
    cph_model_weights_changed(m);
}
