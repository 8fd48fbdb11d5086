/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer_flat.c - the optimizers that know an element and its tensor's constants only, and
 * the moving average. The three AdamW are one kernel: constants are worked out in double and
 * rounded once, and what tells the kinds apart goes into them (text-models 11.1-11.3).
 */
#include "optimizer_in.h"

#include <colophon/tensor/math.h>

#include <math.h>

static float *weights_of(cph_optimizer *o, const opt_part *part)
{
    return cph_model_weights(o->model) + part->param->offset + part->first;
}

void cph_opt_adam(cph_optimizer *o, const opt_part *part, const float *g, const opt_step *s)
{
    float beta1 = (float)o->o.beta1, beta2 = (float)o->o.beta2;
    double b1 = (double)beta1, b2 = (double)beta2, step = s->lr, inv_root = 1;
    double decay = part->decays ? 1.0 - s->lr * (double)(float)o->o.weight_decay : 1.0;
    double lost1 = 1.0 - cph_pow_int(b1, s->t), lost2 = 1.0 - cph_pow_int(b2, s->t);
    switch (o->o.kind) {
    case CPH_OPTIMIZER_ADAMW_BERT: break;
    case CPH_OPTIMIZER_ADAMW_SCALE: /* decays after the update: (p - s u) (1 - lr wd) */
        step = s->lr * sqrt(lost2) / lost1 * fmax(1e-3, cph_opt_rms(o, part->param)) * decay;
        break;
    default:
        step = s->lr / lost1;
        inv_root = 1.0 / sqrt(lost2);
    }
    cph_op op = {.kind = CPH_OP_adamw};
    op.u.adamw = (cph_adamw_args){.p = weights_of(o, part),
                                  .m = part->at[OPT_M],
                                  .v = part->at[OPT_V],
                                  .g = g,
                                  .n = part->n,
                                  .grad_scale = s->grad_scale,
                                  .decay = (float)decay,
                                  .beta1 = beta1,
                                  .beta2 = beta2,
                                  .one_beta1 = (float)(1.0 - b1),
                                  .one_beta2 = (float)(1.0 - b2),
                                  .step = (float)step,
                                  .inv_root = (float)inv_root,
                                  .eps = (float)o->o.eps};
    cph_op_flat(o->backend, o->pool, &op);
}

void cph_opt_sgd(cph_optimizer *o, const opt_part *part, const float *g, const opt_step *s)
{
    float momentum = (float)o->o.momentum;
    cph_op op = {.kind = CPH_OP_momentum};
    op.u.momentum = (cph_momentum){.p = weights_of(o, part),
                                   .buf = part->at[OPT_M],
                                   .g = g,
                                   .n = part->n,
                                   .grad_scale = s->grad_scale,
                                   .decay = part->decays ? (float)o->o.weight_decay : 0,
                                   .keep = momentum,
                                   .take = 1,
                                   .look = o->o.nesterov ? momentum : 1,
                                   .now = o->o.nesterov ? 1 : 0,
                                   .step = (float)s->lr};
    cph_op_flat(o->backend, o->pool, &op);
}

void cph_opt_average(cph_optimizer *o, const opt_part *part)
{
    float keep = (float)o->o.ema;
    cph_op op = {.kind = CPH_OP_mix,
                 .u.mix = {part->at[OPT_EMA], weights_of(o, part), part->n, (float)(1.0 - (double)keep), keep}};
    cph_op_flat(o->backend, o->pool, &op);
}
