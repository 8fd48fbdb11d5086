/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_recipe.c - which optimizer and schedule a run has: from the names and numbers of
 * its options to the structures of optimizer.h and schedule.h. A number below zero that cannot be
 * one means "its own": it becomes that of the chosen optimizer or schedule before anything is recorded.
 */
#include "train_in.h"

/* The optimizer with the numbers of GPT-2's recipe where that is AdamW, else with those of its origin. */
static cph_optimizer_opts own_optimizer(cph_optimizer_kind kind)
{
    cph_optimizer_opts p;
    cph_optimizer_opts_init(&p, kind);
    if (kind == CPH_OPTIMIZER_ADAMW || kind == CPH_OPTIMIZER_MUON) {
        p.beta2 = 0.95;
        p.weight_decay = 0.1;
    }
    return p;
}

static void own(double *v, double value)
{
    if (*v < 0) *v = value;
}

static cph_optimizer_kind optimizer_of(const cph_train_opts *o)
{
    cph_optimizer_kind kind = CPH_OPTIMIZER_ADAMW;
    (void)cph_optimizer_parse(cph_str_of(o->optimizer), &kind); /* checked before */
    return kind;
}

static cph_schedule_kind schedule_of(const cph_train_opts *o)
{
    cph_schedule_kind kind = CPH_SCHEDULE_CONSTANT;
    (void)cph_schedule_parse(cph_str_of(o->schedule), &kind);
    return kind;
}

void cph_train_resolve(cph_train_opts *o)
{
    cph_optimizer_opts p = own_optimizer(optimizer_of(o));
    cph_schedule_kind kind = schedule_of(o);
    cph_schedule s;
    cph_schedule_init(&s, kind, o->lr, o->steps);
    if (o->warmup < 0) o->warmup = kind == CPH_SCHEDULE_T5X ? (int64_t)s.warmup : o->steps / 50;
    own(&o->num_cycles, s.cycles);
    own(&o->lr_end, s.lr_end);
    if (o->decay_steps < 0) o->decay_steps = o->steps / 5;
    if (o->stable_steps < 0) {
        int64_t left = (int64_t)o->steps - o->warmup - o->decay_steps;
        o->stable_steps = left > 0 ? left : 0;
    }
    own(&o->weight_decay, p.weight_decay);
    own(&o->beta1, p.beta1);
    own(&o->beta2, p.beta2);
    own(&o->eps, p.eps);
    own(&o->momentum, p.momentum);
    own(&o->muon_lr, p.muon_lr);
}

cph_optimizer_opts cph_train_optimizer(const cph_train_opts *o)
{
    cph_optimizer_opts p = own_optimizer(optimizer_of(o));
    (void)cph_decay_parse(cph_str_of(o->decay_groups), &p.decay);
    p.lr = o->lr;
    p.weight_decay = o->weight_decay;
    p.beta1 = o->beta1;
    p.beta2 = o->beta2;
    p.eps = o->eps;
    p.momentum = o->momentum;
    p.nesterov = o->nesterov;
    p.muon_lr = o->muon_lr;
    p.scale_parameter = o->scale_parameter;
    p.relative_step = p.kind == CPH_OPTIMIZER_ADAFACTOR && o->relative_step;
    p.warmup_init = o->warmup_init;
    p.ema = o->ema;
    return p;
}

cph_schedule cph_train_schedule(const cph_train_opts *o)
{
    cph_schedule s;
    cph_schedule_init(&s, schedule_of(o), o->lr, o->steps);
    s.warmup = (uint64_t)o->warmup;
    s.warmup_offset = o->warmup_offset;
    s.min_ratio = o->min_lr_ratio;
    s.cycles = o->num_cycles;
    s.power = o->power;
    s.lr_end = o->lr_end;
    s.warmup_rate = o->warmup_lr_rate;
    s.timescale = o->timescale;
    s.stable = (uint64_t)o->stable_steps;
    s.decay = (uint64_t)o->decay_steps;
    (void)cph_ramp_parse(cph_str_of(o->warmup_type), &s.warmup_ramp);
    (void)cph_ramp_parse(cph_str_of(o->decay_type), &s.decay_ramp);
    (void)cph_schedule_factors(&s, cph_str_of(o->factors));
    s.decay_factor = o->decay_factor;
    s.steps_per_decay = o->steps_per_decay;
    s.steps_per_cycle = o->steps_per_cycle;
    return s;
}

/* ---- checks ---- */

static cph_status unknown(const char *what, const char *name, cph_err *err)
{
    return cph_fail(err, CPH_USAGE, "no %s is called '%s'", what, name ? name : "");
}

static cph_status check_names(const cph_train_opts *o, cph_err *err)
{
    cph_optimizer_kind optimizer;
    cph_schedule_kind schedule;
    cph_decay decay;
    cph_ramp ramp;
    cph_schedule s;
    if (!cph_optimizer_parse(cph_str_of(o->optimizer), &optimizer)) return unknown("optimizer", o->optimizer, err);
    if (!cph_schedule_parse(cph_str_of(o->schedule), &schedule)) return unknown("schedule", o->schedule, err);
    if (!cph_decay_parse(cph_str_of(o->decay_groups), &decay)) return unknown("decay-groups", o->decay_groups, err);
    if (!cph_ramp_parse(cph_str_of(o->warmup_type), &ramp)) return unknown("warmup-type", o->warmup_type, err);
    if (!cph_ramp_parse(cph_str_of(o->decay_type), &ramp)) return unknown("decay-type", o->decay_type, err);
    if (!cph_schedule_factors(&s, cph_str_of(o->factors)))
        return cph_fail(err, CPH_USAGE, "factors '%s': is no product of up to %d factors of T5X", o->factors ? o->factors : "",
                        CPH_FACTORS_MAX);
    return CPH_OK;
}

static cph_status check_schedule(const cph_train_opts *o, cph_err *err)
{
    cph_schedule_kind kind = schedule_of(o);
    bool absolute = kind == CPH_SCHEDULE_POLYNOMIAL || kind == CPH_SCHEDULE_NANOT5 || kind == CPH_SCHEDULE_T5X;
    CPH_TRY(cph_in_range("warmup-offset", o->warmup_offset, 0, 1, err));
    CPH_TRY(cph_in_range("min-lr-ratio", o->min_lr_ratio, 0, 1, err));
    CPH_TRY(cph_in_range("num-cycles", o->num_cycles, 0, 1e6, err));
    CPH_TRY(cph_in_range("power", o->power, 0, 100, err));
    CPH_TRY(cph_in_range("lr-end", o->lr_end, 0, 1e3, err));
    CPH_TRY(cph_in_range("warmup-lr-rate", o->warmup_lr_rate, -1, 1, err));
    CPH_TRY(cph_in_range("stable-steps", (double)o->stable_steps, 0, UINT32_MAX, err));
    CPH_TRY(cph_in_range("decay-steps", (double)o->decay_steps, 0, UINT32_MAX, err));
    CPH_TRY(cph_in_range("decay-factor", o->decay_factor, 0, 1, err));
    CPH_TRY(cph_in_range("steps-per-decay", o->steps_per_decay, 1, UINT32_MAX, err));
    CPH_TRY(cph_in_range("steps-per-cycle", o->steps_per_cycle, 1, UINT32_MAX, err));
    if (o->warmup > (int64_t)o->steps && kind != CPH_SCHEDULE_T5X)
        return cph_fail(err, CPH_USAGE, "warmup takes %lld steps, the run only %u", (long long)o->warmup, o->steps);
    if (absolute && !(o->lr > 0)) return cph_fail(err, CPH_USAGE, "lr is 0; the schedule %s wants one above", o->schedule);
    if (kind == CPH_SCHEDULE_POLYNOMIAL && !(o->lr_end < o->lr))
        return cph_fail(err, CPH_USAGE, "lr-end is %g, lr only %g", o->lr_end, o->lr);
    return CPH_OK;
}

cph_status cph_train_recipe_check(const cph_train_opts *o, cph_err *err)
{
    CPH_TRY(check_names(o, err));
    cph_train_opts r = *o;
    cph_train_resolve(&r);
    CPH_TRY(check_schedule(&r, err));
    cph_optimizer_opts p = cph_train_optimizer(&r);
    CPH_TRY(cph_optimizer_opts_check(&p, err));
    CPH_TRY(cph_in_range("skip-outliers", r.skip_outliers, 0, 1e3, err));
    if (r.ema_release && !(r.ema > 0)) return cph_fail(err, CPH_USAGE, "ema-release wants ema: there is no average");
    return CPH_OK;
}
