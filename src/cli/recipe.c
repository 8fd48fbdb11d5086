/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recipe.c - from the options of optimizer and schedule to cph_train_opts.
 */
#include "recipe.h"

#include <stddef.h>
#include <string.h>

#define AT(field) offsetof(cph_train_opts, field)
static const struct {
    const char *name;
    enum { REAL, TEXT, U32, I64, BOOL, FLAG } type;
    size_t at;
} fields[] = {
    {"clip", REAL, AT(clip)},
    {"skip-outliers", REAL, AT(skip_outliers)},
    {"optimizer", TEXT, AT(optimizer)},
    {"weight-decay", REAL, AT(weight_decay)},
    {"decay-groups", TEXT, AT(decay_groups)},
    {"beta1", REAL, AT(beta1)},
    {"beta2", REAL, AT(beta2)},
    {"eps", REAL, AT(eps)},
    {"momentum", REAL, AT(momentum)},
    {"nesterov", FLAG, AT(nesterov)},
    {"muon-lr", REAL, AT(muon_lr)},
    {"scale-parameter", BOOL, AT(scale_parameter)},
    {"relative-step", BOOL, AT(relative_step)},
    {"warmup-init", FLAG, AT(warmup_init)},
    {"ema", REAL, AT(ema)},
    {"ema-release", FLAG, AT(ema_release)},
    {"lr", REAL, AT(lr)},
    {"schedule", TEXT, AT(schedule)},
    {"warmup", I64, AT(warmup)},
    {"warmup-offset", U32, AT(warmup_offset)},
    {"min-lr-ratio", REAL, AT(min_lr_ratio)},
    {"num-cycles", REAL, AT(num_cycles)},
    {"power", REAL, AT(power)},
    {"lr-end", REAL, AT(lr_end)},
    {"warmup-lr-rate", REAL, AT(warmup_lr_rate)},
    {"timescale", U32, AT(timescale)},
    {"stable-steps", I64, AT(stable_steps)},
    {"decay-steps", I64, AT(decay_steps)},
    {"warmup-type", TEXT, AT(warmup_type)},
    {"decay-type", TEXT, AT(decay_type)},
    {"factors", TEXT, AT(factors)},
    {"decay-factor", REAL, AT(decay_factor)},
    {"steps-per-decay", U32, AT(steps_per_decay)},
    {"steps-per-cycle", U32, AT(steps_per_cycle)},
};
#undef AT
enum { N_FIELDS = sizeof fields / sizeof *fields };

static cph_status fill(const cli *c, cph_train_opts *o, size_t i, cph_err *err)
{
    const char *name = fields[i].name;
    void *to = (char *)o + fields[i].at;
    uint64_t whole;
    switch (fields[i].type) {
    case REAL:
        *(double *)to = cli_double(c, name);
        if (*(double *)to >= 0) return CPH_OK;
        return cph_fail(err, CPH_USAGE, "--%s %g is below 0", name, *(double *)to);
    case TEXT: *(const char **)to = cli_str(c, name); return CPH_OK;
    case BOOL: *(bool *)to = strcmp(cli_str(c, name), "true") == 0; return CPH_OK;
    case FLAG: *(bool *)to = cli_flag(c, name); return CPH_OK;
    default:
        whole = cli_u64(c, name);
        if (whole > UINT32_MAX)
            return cph_fail(err, CPH_USAGE, "--%s %llu is too large", name, (unsigned long long)whole);
        if (fields[i].type == U32) *(uint32_t *)to = (uint32_t)whole;
        else *(int64_t *)to = (int64_t)whole;
        return CPH_OK;
    }
}

cph_status cli_recipe(const cli *c, cph_train_opts *o, cph_err *err)
{
    for (size_t i = 0; i < N_FIELDS; i++)
        if (cli_given(c, fields[i].name)) CPH_TRY(fill(c, o, i, err));
    for (size_t i = 0; i < N_FIELDS; i++)
        if (cli_given(c, fields[i].name) && !cph_train_opts_reads(o, fields[i].name))
            return cph_fail(err, CPH_USAGE, "--%s is not read by --optimizer %s with --schedule %s", fields[i].name,
                            o->optimizer, o->schedule);
    return CPH_OK;
}
