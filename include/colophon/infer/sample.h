/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.h - from logits to the next token (text-models 14.2).
 *
 * cph_sample_prepare applies, in the order of Hugging Face, the repetition penalty, the
 * ban of repeated n-grams and of an early EOS and, when sampling, temperature, top_k,
 * top_p and min_p: what is banned becomes -Infinity. cph_sample_pick then takes the
 * best (the lowest id of equals) or draws.
 *
 * Invariant  A draw is a pure function of (logits, options, seed, row, position).
 * Threads    A cph_sampler belongs to one thread.
 * Memory     Allocates at open only: 12 bytes a vocabulary entry.
 */
#ifndef CPH_INFER_SAMPLE_H
#define CPH_INFER_SAMPLE_H

#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_sample_opts {
    bool sample;               /* false: greedy; the four filters below are not used */
    double temperature;        /* > 0 */
    uint32_t top_k;            /* 0: all */
    double top_p;              /* 1: all */
    double min_p;              /* 0: all */
    double repetition_penalty; /* 1: none */
    uint32_t no_repeat_ngram;  /* 0: none */
    uint32_t min_new_tokens;   /* no EOS before */
    uint64_t seed;
} cph_sample_opts;
CPH_API void cph_sample_opts_init(cph_sample_opts *o); /* greedy; temperature 1, top_k 50, the rest off */
CPH_API cph_status cph_sample_opts_check(const cph_sample_opts *o, cph_err *err) CPH_MUST_USE;

typedef struct cph_sampler cph_sampler;
CPH_API cph_status cph_sampler_open(cph_sampler **out, const cph_sample_opts *o, uint32_t vocab, int64_t eos,
                                    cph_err *err) CPH_MUST_USE;
CPH_API void cph_sampler_close(cph_sampler *s); /* NULL is fine */

/* The sequence so far: prompt and what was generated. */
typedef struct cph_sequence {
    const uint32_t *ids;
    uint32_t n, n_prompt;
} cph_sequence;

/* scores [vocab], in place. */
CPH_API void cph_sample_prepare(cph_sampler *s, float *scores, cph_sequence so_far);
/* `row` is the number of the prompt in its batch. False when every score is banned. */
CPH_API bool cph_sample_pick(cph_sampler *s, const float *scores, cph_sequence so_far, uint32_t row,
                             uint32_t *id);
/* log of the softmax of `scores` at id. */
CPH_API double cph_sample_logprob(const float *scores, uint32_t vocab, uint32_t id);

#ifdef __cplusplus
}
#endif
#endif
