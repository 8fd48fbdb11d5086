/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer_factor.c - Adafactor (text-models 11.4), Hugging Face's and T5X's: which numbers
 * a tensor's two passes take. A tensor is whole here, since its steps are measured by its RMS.
 */
#include "optimizer_in.h"

#include <colophon/tensor/math.h>

#include <math.h>

#define LEAST_SQUARE 1e-30 /* eps_1: joins each squared gradient */
#define LEAST_RMS 1e-3     /* eps_2: in units of which a tensor of zeros moves */
#define MOST_RMS 1.0       /* clip_threshold: of a step before its rate */

double cph_opt_factor_rate(const cph_optimizer_opts *o, const cph_update *how)
{
    double t = (double)how->t, root = 1.0 / sqrt(t);
    if (!o->relative_step) return o->lr * how->schedule;
    return fmin(o->warmup_init ? 1e-6 * t : 1e-2, root);
}

/* Row and column scales, and the columns' partial sums. */
uint64_t cph_opt_factor_floats(const cph_optimizer_opts *o, const cph_param *p)
{
    opt_matrices x = cph_opt_matrices(p);
    if (!cph_opt_factored(o, p)) return 0;
    return x.n * (x.rows + x.columns + CPH_BLOCKS((uint64_t)x.rows) * x.columns);
}

uint64_t cph_opt_factor_sums(const cph_optimizer_opts *o, const cph_param *p)
{
    opt_matrices x = cph_opt_matrices(p);
    return cph_opt_factored(o, p) ? x.n * x.rows : opt_blocks(p->n);
}

void cph_opt_factor(cph_optimizer *o, const opt_part *part, const float *g, const opt_step *s)
{
    const cph_param *p = part->param;
    opt_matrices x = cph_opt_matrices(p);
    double kept = 1.0 - cph_pow((double)s->t, -0.8);
    double rate = s->rate * (o->o.scale_parameter ? fmax(LEAST_RMS, cph_opt_rms(o, p)) : 1.0);
    double decay = o->o.kind == CPH_OPTIMIZER_ADAFACTOR ? o->o.weight_decay * rate : o->o.weight_decay;
    cph_op op = {.kind = CPH_OP_factor};
    cph_factor *f = &op.u.factor;
    *f = (cph_factor){.p = cph_model_weights(o->model) + p->offset,
                      .m = part->at[OPT_M],
                      .v = part->at[OPT_V],
                      .row = part->at[OPT_ROW],
                      .col = part->at[OPT_COL],
                      .row_scale = o->work,
                      .col_scale = o->work + x.n * x.rows,
                      .part = o->work + x.n * (x.rows + x.columns),
                      .sums = o->own,
                      .g = g,
                      .n = x.n,
                      .rows = x.rows,
                      .columns = x.columns,
                      .grad_scale = s->grad_scale,
                      .beta2 = (float)kept,
                      .one_beta2 = (float)(1.0 - kept),
                      .eps = (float)LEAST_SQUARE,
                      .beta1 = (float)o->o.beta1,
                      .decay = part->decays ? (float)(1.0 - decay) : 1.0f};
    cph_op_flat(o->backend, o->pool, &op);
    double rms = sqrt(cph_tree_sum(o->own, cph_opt_factor_sums(&o->o, p)) / (double)p->n);
    f->step = (float)((1.0 - (double)f->beta1) * rate / fmax(1.0, rms / MOST_RMS));
    op.kind = CPH_OP_factor_step;
    cph_op_flat(o->backend, o->pool, &op);
}
