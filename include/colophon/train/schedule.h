/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.h - the learning rate of each step (text-models 12).
 *
 * A schedule is a factor that multiplies the learning rate, as a function of the
 * 0-based optimizer step k. Names behave as in Hugging Face: the first step with
 * warmup has the factor 0; warmup_offset 1 gives (k+1)/warmup instead, as llm.c has it.
 * Where a schedule ends at a rate and not at a share of it, `lr` says what the share is of.
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

#define CPH_SCHEDULE_MAP(X)                                                                    \
    X(CONSTANT, "constant")                                                                    \
    X(CONSTANT_WITH_WARMUP, "constant_with_warmup")                                            \
    X(LINEAR, "linear")                                                                        \
    X(COSINE, "cosine")                                                                        \
    X(COSINE_WITH_MIN_LR, "cosine_with_min_lr")                                                \
    X(COSINE_WARMUP_WITH_MIN_LR, "cosine_warmup_with_min_lr")                                  \
    X(COSINE_WITH_RESTARTS, "cosine_with_restarts")                                            \
    X(POLYNOMIAL, "polynomial")                                                                \
    X(INVERSE_SQRT, "inverse_sqrt")                                                            \
    X(WARMUP_STABLE_DECAY, "warmup_stable_decay")                                              \
    X(WSD, "wsd")       /* llm.c: (k+1)/warmup, the last fifth 1 - sqrt, to min_ratio */       \
    X(NANOT5, "nanot5") /* from a half of the rate over warmup, then a cosine to the rate lr_end */ \
    X(T5X, "t5x")       /* a product of factors */
typedef enum cph_schedule_kind {
#define CPH_SCHEDULE_ENUM(name, text) CPH_SCHEDULE_##name,
    CPH_SCHEDULE_MAP(CPH_SCHEDULE_ENUM)
#undef CPH_SCHEDULE_ENUM
        CPH_N_SCHEDULES
} cph_schedule_kind;

/* How warmup_stable_decay rises and falls. */
#define CPH_RAMP_MAP(X) X(LINEAR, "linear") X(COSINE, "cosine") X(SQRT, "1-sqrt")
typedef enum cph_ramp {
#define CPH_RAMP_ENUM(name, text) CPH_RAMP_##name,
    CPH_RAMP_MAP(CPH_RAMP_ENUM)
#undef CPH_RAMP_ENUM
        CPH_N_RAMPS
} cph_ramp;

/* T5X's factors, multiplied in the order given; the product of all is a rate, at least 1e-8. */
#define CPH_FACTOR_MAP(X)                                                                      \
    X(CONSTANT, "constant") /* lr */                                                           \
    X(LINEAR_WARMUP, "linear_warmup")                                                          \
    X(LINEAR_DECAY, "linear_decay") /* lr, too */                                              \
    X(RSQRT_DECAY, "rsqrt_decay")                                                              \
    X(RSQRT_NORMALIZED_DECAY, "rsqrt_normalized_decay")                                        \
    X(DECAY_EVERY, "decay_every")                                                              \
    X(COSINE_DECAY, "cosine_decay")
typedef enum cph_schedule_factor {
#define CPH_FACTOR_ENUM(name, text) CPH_FACTOR_##name,
    CPH_FACTOR_MAP(CPH_FACTOR_ENUM)
#undef CPH_FACTOR_ENUM
        CPH_N_FACTORS
} cph_schedule_factor;
#define CPH_FACTORS_MAX 8

typedef struct cph_schedule {
    cph_schedule_kind kind;
    double lr;              /* what the factor multiplies */
    uint64_t warmup, total; /* steps */
    uint32_t warmup_offset; /* 0 or 1; where Hugging Face begins at 0 */
    double min_ratio;       /* the factor at the end of what has one */
    double cycles;          /* of a cosine: 0.5 is half a wave; of restarts: how many */
    double power, lr_end;   /* polynomial; lr_end: nanot5, too */
    double warmup_rate;     /* cosine_warmup_with_min_lr: the factor of step 0; negative: 1/warmup */
    uint64_t timescale;     /* inverse_sqrt; 0: warmup, or 10,000 */
    uint64_t stable, decay; /* warmup_stable_decay: steps */
    cph_ramp warmup_ramp, decay_ramp;
    cph_schedule_factor factors[CPH_FACTORS_MAX]; /* t5x */
    unsigned n_factors;
    double decay_factor;                       /* of linear_decay and decay_every */
    uint64_t steps_per_decay, steps_per_cycle; /* of decay_every, cosine_decay */
} cph_schedule;

/* The defaults of the schedule's origin, for a rate and a number of steps, without warmup. */
CPH_API void cph_schedule_init(cph_schedule *s, cph_schedule_kind kind, double lr, uint64_t total);
CPH_API bool cph_schedule_parse(cph_str name, cph_schedule_kind *out);
CPH_API const char *cph_schedule_text(cph_schedule_kind k);
CPH_API bool cph_ramp_parse(cph_str name, cph_ramp *out);
/* "constant * rsqrt_decay" */
CPH_API bool cph_schedule_factors(cph_schedule *s, cph_str product);
CPH_API double cph_schedule_at(const cph_schedule *s, uint64_t k);

#ifdef __cplusplus
}
#endif
#endif
