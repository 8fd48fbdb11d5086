/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.c - learning-rate factors of text-models 12.
 *
 * One function from step to factor, no state: a run that resumes at step k asks for
 * step k. The cosine is the project's own, so that a digest does not hang on libm.
 */
#include <colophon/tensor/math.h>
#include <colophon/train/schedule.h>

static const char *const names[] = {
#define SCHEDULE_TEXT(name, text) text,
    CPH_SCHEDULE_MAP(SCHEDULE_TEXT)
#undef SCHEDULE_TEXT
};

void cph_schedule_init(cph_schedule *s)
{
    *s = (cph_schedule){.kind = CPH_SCHEDULE_CONSTANT, .total = 1, .cycles = 0.5};
}

bool cph_schedule_parse(cph_str name, cph_schedule_kind *out)
{
    for (unsigned k = 0; k < CPH_N_SCHEDULES; k++)
        if (cph_str_is(name, names[k])) {
            *out = (cph_schedule_kind)k;
            return true;
        }
    return false;
}

const char *cph_schedule_text(cph_schedule_kind k) { return names[k]; }

static double at_least_one(uint64_t n) { return n > 1 ? (double)n : 1.0; }

double cph_schedule_at(const cph_schedule *s, uint64_t k)
{
    const double two_pi = 6.28318530717958647692;
    uint64_t after = s->total > s->warmup ? s->total - s->warmup : 0;
    double f = 1.0;

    if (k < s->warmup) return (double)(k + s->warmup_offset) / at_least_one(s->warmup);
    switch (s->kind) {
    case CPH_SCHEDULE_LINEAR:
        f = k < s->total ? (double)(s->total - k) / at_least_one(after) : 0.0;
        break;
    case CPH_SCHEDULE_COSINE:
        f = 0.5 * (1.0 + cph_cos(two_pi * s->cycles * ((double)(k - s->warmup) / at_least_one(after))));
        f = f * (1.0 - s->min_ratio) + s->min_ratio;
        if (f < 0.0) f = 0.0;
        break;
    case CPH_SCHEDULE_CONSTANT:
    case CPH_N_SCHEDULES: break;
    }
    return f;
}
