/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.h - the learning rate of each step (text-models 12).
 *
 * A schedule is a factor that multiplies the learning rate, as a function of the
 * 0-based optimizer step k. Names behave as in Hugging Face: the first step with
 * warmup has the factor 0. warmup_offset 1 gives (k+1)/warmup instead.
 *
 * Invariant  The same factor on every machine: double arithmetic, no libm.
 * Threads    Pure functions.
 */
#ifndef CPH_TRAIN_SCHEDULE_H
#define CPH_TRAIN_SCHEDULE_H

#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_SCHEDULE_MAP(X) X(CONSTANT, "constant") X(LINEAR, "linear") X(COSINE, "cosine")
typedef enum cph_schedule_kind {
#define CPH_SCHEDULE_ENUM(name, text) CPH_SCHEDULE_##name,
    CPH_SCHEDULE_MAP(CPH_SCHEDULE_ENUM)
#undef CPH_SCHEDULE_ENUM
        CPH_N_SCHEDULES
} cph_schedule_kind;

typedef struct cph_schedule {
    cph_schedule_kind kind;
    uint64_t warmup, total; /* steps */
    double min_ratio;       /* cosine: the factor at the end */
    double cycles;          /* cosine: 0.5 is half a wave */
    uint32_t warmup_offset; /* 0 or 1 */
} cph_schedule;

CPH_API void cph_schedule_init(cph_schedule *s); /* constant, cycles 0.5 */
CPH_API bool cph_schedule_parse(cph_str name, cph_schedule_kind *out);
CPH_API const char *cph_schedule_text(cph_schedule_kind k);
CPH_API double cph_schedule_at(const cph_schedule *s, uint64_t k);

#ifdef __cplusplus
}
#endif
#endif
