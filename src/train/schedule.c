/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.c - learning-rate factors of text-models 12.
 *
 * One function from step to factor, no state: a run that resumes at step k asks for
 * step k. The cosine is the project's own, so that a digest does not hang on libm.
 */
#include <colophon/tensor/math.h>
#include <colophon/train/schedule.h>

#include <math.h>

#define PI 3.14159265358979323846
#define T5X_LEAST 1e-8

static const char *const names[] = {
#define TEXT_OF(name, text) text,
    CPH_SCHEDULE_MAP(TEXT_OF)
};
static const char *const ramps[] = {CPH_RAMP_MAP(TEXT_OF)};
static const char *const factors[] = {
    CPH_FACTOR_MAP(TEXT_OF)
#undef TEXT_OF
};

/* n when it is none of them */
static unsigned index_of(cph_str name, const char *const *texts, unsigned n)
{
    unsigned i = 0;
    while (i < n && !cph_str_is(name, texts[i])) i++;
    return i;
}

bool cph_schedule_parse(cph_str name, cph_schedule_kind *out)
{
    unsigned i = index_of(name, names, CPH_N_SCHEDULES);
    if (i < CPH_N_SCHEDULES) *out = (cph_schedule_kind)i;
    return i < CPH_N_SCHEDULES;
}

const char *cph_schedule_text(cph_schedule_kind k) { return names[k]; }

bool cph_ramp_parse(cph_str name, cph_ramp *out)
{
    unsigned i = index_of(name, ramps, CPH_N_RAMPS);
    if (i < CPH_N_RAMPS) *out = (cph_ramp)i;
    return i < CPH_N_RAMPS;
}

bool cph_schedule_factors(cph_schedule *s, cph_str product)
{
    cph_schedule_factor read[CPH_FACTORS_MAX];
    unsigned n = 0;
    cph_str part;
    while (cph_str_split(&product, '*', &part)) {
        unsigned i = index_of(cph_str_trim(part), factors, CPH_N_FACTORS);
        if (i == CPH_N_FACTORS || n == CPH_FACTORS_MAX) return false;
        read[n++] = (cph_schedule_factor)i;
    }
    for (unsigned i = 0; i < n; i++) s->factors[i] = read[i];
    s->n_factors = n;
    return n > 0;
}

void cph_schedule_init(cph_schedule *s, cph_schedule_kind kind, double lr, uint64_t total)
{
    *s = (cph_schedule){.kind = kind,
                        .lr = lr,
                        .total = total,
                        .cycles = kind == CPH_SCHEDULE_COSINE_WITH_RESTARTS ? 1 : 0.5,
                        .power = 1,
                        .lr_end = kind == CPH_SCHEDULE_NANOT5 ? 1e-5 : 1e-7,
                        .warmup_rate = -1,
                        .warmup_ramp = CPH_RAMP_LINEAR,
                        .decay_ramp = CPH_RAMP_COSINE,
                        .factors = {CPH_FACTOR_CONSTANT, CPH_FACTOR_RSQRT_DECAY},
                        .n_factors = 2,
                        .decay_factor = 0.5,
                        .steps_per_decay = 20000,
                        .steps_per_cycle = 100000};
    if (kind == CPH_SCHEDULE_T5X) s->warmup = 10000;
}

/* ---- pieces ---- */

static double at_least_one(uint64_t n) { return n > 1 ? (double)n : 1.0; }
static double share(uint64_t k, uint64_t n) { return (double)k / at_least_one(n); }
static double half_wave(double x) { return 0.5 * (1.0 + cph_cos(PI * x)); } /* 1 at 0, 0 at 1 */
static double above(double f, double least) { return f * (1.0 - least) + least; }
static double not_negative(double f) { return f > 0.0 ? f : 0.0; }

static double power_of(double x, double y)
{
    if (!(x > 0.0)) return y > 0.0 ? 0.0 : 1.0;
    if (y >= 0.0 && y <= 64.0 && y == floor(y)) return cph_pow_int(x, (uint64_t)y);
    return cph_pow(x, y);
}

static double fall(cph_ramp ramp, double x, double cycles)
{
    switch (ramp) {
    case CPH_RAMP_COSINE: return half_wave(2.0 * cycles * x);
    case CPH_RAMP_SQRT: return 1.0 - sqrt(x);
    default: return 1.0 - x;
    }
}

static double rise(cph_ramp ramp, double x)
{
    switch (ramp) {
    case CPH_RAMP_COSINE: return 1.0 - half_wave(x);
    case CPH_RAMP_SQRT: return 1.0 - sqrt(1.0 - x);
    default: return x;
    }
}

/* ---- T5X ---- */

static double t5x_factor(const cph_schedule *s, cph_schedule_factor f, uint64_t k)
{
    double w = at_least_one(s->warmup), step = (double)k, after = step > w ? step - w : 0.0, cycle;
    switch (f) {
    case CPH_FACTOR_CONSTANT: return s->lr;
    case CPH_FACTOR_LINEAR_WARMUP: return fmin(1.0, step / w);
    case CPH_FACTOR_LINEAR_DECAY: return s->lr * fmin(step / w, 1.0 + s->decay_factor * (w - step));
    case CPH_FACTOR_RSQRT_DECAY: return 1.0 / sqrt(fmax(step, w));
    case CPH_FACTOR_RSQRT_NORMALIZED_DECAY: return sqrt(w) / sqrt(fmax(step, w));
    case CPH_FACTOR_DECAY_EVERY: return cph_pow_int(s->decay_factor, k / (s->steps_per_decay ? s->steps_per_decay : 1));
    case CPH_FACTOR_COSINE_DECAY:
        cycle = after / at_least_one(s->steps_per_cycle);
        return not_negative(half_wave(cycle - floor(cycle)));
    case CPH_N_FACTORS: break;
    }
    return 1.0;
}

static double t5x(const cph_schedule *s, uint64_t k)
{
    double rate = 1.0;
    for (unsigned i = 0; i < s->n_factors; i++) rate *= t5x_factor(s, s->factors[i], k);
    return fmax(rate, T5X_LEAST) / s->lr;
}

/* ---- the others ---- */

static double warming(const cph_schedule *s, uint64_t k)
{
    double begun = (double)(k + s->warmup_offset) / at_least_one(s->warmup);
    switch (s->kind) {
    case CPH_SCHEDULE_WSD: return share(k + 1, s->warmup);
    case CPH_SCHEDULE_NANOT5: return 0.5 + 0.5 * share(k, s->warmup);
    case CPH_SCHEDULE_WARMUP_STABLE_DECAY: return above(rise(s->warmup_ramp, begun), s->min_ratio);
    case CPH_SCHEDULE_COSINE_WARMUP_WITH_MIN_LR:
        if (s->warmup_rate < 0.0) return share(k + 1, s->warmup);
        return s->warmup_rate + (1.0 - s->warmup_rate) * share(k, s->warmup - 1);
    default: return begun;
    }
}

/* The last steps of warmup_stable_decay and wsd. */
static double decaying(const cph_schedule *s, uint64_t k, uint64_t first, uint64_t n, cph_ramp ramp)
{
    if (k < first) return 1.0;
    if (k >= first + n) return s->min_ratio;
    return not_negative(above(fall(ramp, share(k - first, n), s->cycles), s->min_ratio));
}

static double polynomial(const cph_schedule *s, uint64_t k, double progress)
{
    if (k > s->total) return s->lr_end / s->lr;
    return ((s->lr - s->lr_end) * power_of(1.0 - progress, s->power) + s->lr_end) / s->lr;
}

static double inverse_sqrt(const cph_schedule *s, uint64_t k)
{
    uint64_t scale = s->timescale ? s->timescale : s->warmup ? s->warmup : 10000;
    return 1.0 / sqrt(((double)k + (double)scale - (double)s->warmup) / (double)scale);
}

static double restarting(const cph_schedule *s, double progress)
{
    double wave = s->cycles * progress;
    return progress >= 1.0 ? 0.0 : not_negative(half_wave(wave - floor(wave)));
}

double cph_schedule_at(const cph_schedule *s, uint64_t k)
{
    uint64_t after = s->total > s->warmup ? s->total - s->warmup : 0, stands = s->total - s->total / 5;
    if (s->kind == CPH_SCHEDULE_CONSTANT) return 1.0;
    if (s->kind == CPH_SCHEDULE_T5X) return t5x(s, k);
    if (k < s->warmup) return warming(s, k);
    double progress = share(k - s->warmup, after), wave = half_wave(2.0 * s->cycles * progress);
    switch (s->kind) {
    case CPH_SCHEDULE_LINEAR: return k < s->total ? share(s->total - k, after) : 0.0;
    case CPH_SCHEDULE_COSINE: return not_negative(wave);
    case CPH_SCHEDULE_COSINE_WITH_MIN_LR: return not_negative(above(wave, s->min_ratio));
    case CPH_SCHEDULE_COSINE_WARMUP_WITH_MIN_LR:
        return not_negative(above(half_wave(2.0 * s->cycles * share(k - s->warmup + 1, after)), s->min_ratio));
    case CPH_SCHEDULE_COSINE_WITH_RESTARTS: return restarting(s, progress);
    case CPH_SCHEDULE_POLYNOMIAL: return polynomial(s, k, progress);
    case CPH_SCHEDULE_INVERSE_SQRT: return inverse_sqrt(s, k);
    case CPH_SCHEDULE_WARMUP_STABLE_DECAY: return decaying(s, k, s->warmup + s->stable, s->decay, s->decay_ramp);
    case CPH_SCHEDULE_WSD:
        return decaying(s, k, stands > s->warmup ? stands : s->warmup, s->total > stands ? s->total - stands : 0,
                        CPH_RAMP_SQRT);
    case CPH_SCHEDULE_NANOT5: return ((s->lr - s->lr_end) * half_wave(progress) + s->lr_end) / s->lr;
    default: return 1.0;
    }
}
