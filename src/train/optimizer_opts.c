/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer_opts.c - names, defaults, and what they mean for one tensor: its method, whether
 * it decays, what is kept for it. Functions of options and registry alone, the same at every rank.
 */
#include "optimizer_in.h"

#include <string.h>

static const char *const optimizers[] = {
#define TEXT_OF(name, text) text,
    CPH_OPTIMIZER_MAP(TEXT_OF)
};
static const char *const decays[] = {
    CPH_DECAY_MAP(TEXT_OF)
#undef TEXT_OF
};

static bool find(const char *const *texts, unsigned n, cph_str name, unsigned *out)
{
    for (unsigned i = 0; i < n; i++)
        if (cph_str_is(name, texts[i])) {
            *out = i;
            return true;
        }
    return false;
}

bool cph_optimizer_parse(cph_str name, cph_optimizer_kind *out)
{
    unsigned i;
    if (!find(optimizers, CPH_N_OPTIMIZERS, name, &i)) return false;
    *out = (cph_optimizer_kind)i;
    return true;
}

const char *cph_optimizer_text(cph_optimizer_kind k) { return optimizers[k]; }

bool cph_decay_parse(cph_str name, cph_decay *out)
{
    unsigned i;
    if (!find(decays, CPH_N_DECAYS, name, &i)) return false;
    *out = (cph_decay)i;
    return true;
}

const char *cph_decay_text(cph_decay k) { return decays[k]; }

void cph_optimizer_opts_init(cph_optimizer_opts *o, cph_optimizer_kind kind)
{
    static const struct {
        double lr, weight_decay, beta1, beta2, eps, momentum;
    } own[CPH_N_OPTIMIZERS] = {
        [CPH_OPTIMIZER_ADAMW] = {1e-3, 0.01, 0.9, 0.999, 1e-8, 0},
        [CPH_OPTIMIZER_ADAMW_BERT] = {1e-4, 0.01, 0.9, 0.999, 1e-6, 0},
        [CPH_OPTIMIZER_ADAMW_SCALE] = {2e-2, 0, 0.9, 0.999, 1e-6, 0},
        [CPH_OPTIMIZER_ADAFACTOR] = {1e-3, 0, 0, 0, 0, 0},
        [CPH_OPTIMIZER_ADAFACTOR_T5X] = {1, 0, 0, 0, 0, 0},
        [CPH_OPTIMIZER_MUON] = {1e-3, 0, 0.9, 0.999, 1e-8, 0.95},
        [CPH_OPTIMIZER_SGD] = {1e-3, 0, 0, 0, 0, 0},
    };
    *o = (cph_optimizer_opts){.kind = kind,
                              .lr = own[kind].lr,
                              .weight_decay = own[kind].weight_decay,
                              .beta1 = own[kind].beta1,
                              .beta2 = own[kind].beta2,
                              .eps = own[kind].eps,
                              .momentum = own[kind].momentum,
                              .muon_lr = 0.02,
                              .scale_parameter = true,
                              .relative_step = kind == CPH_OPTIMIZER_ADAFACTOR};
}

static cph_status in_range(const char *name, double v, double low, double high, cph_err *err)
{
    if (v >= low && v <= high) return CPH_OK;
    return cph_fail(err, CPH_USAGE, "%s is %g; it must be from %g to %g", name, v, low, high);
}

cph_status cph_optimizer_opts_check(const cph_optimizer_opts *o, cph_err *err)
{
    bool adam = o->kind <= CPH_OPTIMIZER_ADAMW_SCALE || o->kind == CPH_OPTIMIZER_MUON;
    CPH_TRY(in_range("lr", o->lr, 0, 1e3, err));
    CPH_TRY(in_range("weight-decay", o->weight_decay, 0, 1e3, err));
    CPH_TRY(in_range("beta1", o->beta1, 0, 0.999999, err));
    CPH_TRY(in_range("beta2", o->beta2, 0, 0.999999, err));
    CPH_TRY(in_range("eps", o->eps, adam ? 1e-30 : 0, 1, err));
    CPH_TRY(in_range("momentum", o->momentum, 0, 0.999999, err));
    CPH_TRY(in_range("muon-lr", o->muon_lr, 0, 1e3, err));
    CPH_TRY(in_range("ema", o->ema, 0, 0.9999999, err));
    if (o->nesterov && !(o->momentum > 0))
        return cph_fail(err, CPH_USAGE, "nesterov looks ahead along a momentum, and there is none");
    if (o->warmup_init && !o->relative_step)
        return cph_fail(err, CPH_USAGE, "warmup-init wants relative-step");
    if (o->relative_step && o->kind == CPH_OPTIMIZER_ADAFACTOR_T5X)
        return cph_fail(err, CPH_USAGE, "relative-step is Hugging Face's; T5X's rate is in its schedule");
    return CPH_OK;
}

/* ---- what it means for a tensor ---- */

opt_method cph_opt_method(const cph_optimizer_opts *o, const cph_param *p)
{
    switch (o->kind) {
    case CPH_OPTIMIZER_SGD: return OPT_SGD;
    case CPH_OPTIMIZER_ADAFACTOR:
    case CPH_OPTIMIZER_ADAFACTOR_T5X: return OPT_FACTOR;
    case CPH_OPTIMIZER_MUON: return p->hidden && p->n_dims == 2 ? OPT_MUON : OPT_ADAM;
    default: return OPT_ADAM;
    }
}

bool cph_opt_decays(const cph_optimizer_opts *o, const cph_param *p)
{
    switch (o->decay) {
    case CPH_DECAY_2D: return p->n_dims >= 2;
    case CPH_DECAY_BERT:
        return !strstr(p->name, "LayerNorm") && !strstr(p->name, "layer_norm") && !strstr(p->name, "bias");
    default: return p->decay;
    }
}

opt_matrices cph_opt_matrices(const cph_param *p)
{
    uint32_t columns = p->dims[p->n_dims - 1], rows = p->n_dims > 1 ? p->dims[p->n_dims - 2] : 1;
    return (opt_matrices){p->n / ((uint64_t)rows * columns), rows, columns};
}

bool cph_opt_factored(const cph_optimizer_opts *o, const cph_param *p)
{
    if (o->kind == CPH_OPTIMIZER_ADAFACTOR) return p->n_dims >= 2;
    return p->n_dims == 2 && p->dims[0] >= 128 && p->dims[1] >= 128;
}

uint64_t cph_opt_slot_len(const cph_optimizer_opts *o, const cph_param *p, opt_slot slot)
{
    opt_method method = cph_opt_method(o, p);
    bool factored = method == OPT_FACTOR && cph_opt_factored(o, p);
    opt_matrices x = cph_opt_matrices(p);
    bool momentum = method == OPT_SGD ? o->momentum > 0 : method != OPT_FACTOR || o->beta1 > 0;
    switch (slot) {
    case OPT_M: return momentum ? p->n : 0;
    case OPT_V: return method == OPT_ADAM || (method == OPT_FACTOR && !factored) ? p->n : 0;
    case OPT_ROW: return factored ? x.n * x.rows : 0;
    case OPT_COL: return factored ? x.n * x.columns : 0;
    default: return o->ema > 0 ? p->n : 0;
    }
}
