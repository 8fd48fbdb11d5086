/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.h - text from a model: prompts in, continuations out, piece by piece.
 *
 * A generator ties a model to its tokenizer and keeps a key-value cache, so that each
 * new token costs one position. Prompts of a batch are independent of each other: the
 * answer to one does not depend on what else was asked, only on its number.
 *
 * Invariant  Same weights, prompt, options: the same tokens on every machine.
 * Threads    One call at a time per generator; inside it uses the pool.
 * Memory     The cache is allocated at open; an answer lives until the next call.
 * Errors     CPH_USAGE for a prompt that is longer than the model's context; CPH_STOPPED.
 */
#ifndef CPH_INFER_GENERATE_H
#define CPH_INFER_GENERATE_H

#include <colophon/infer/sample.h>
#include <colophon/model/model.h>
#include <colophon/tokenizer/tokenizer.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_generate_opts {
    cph_sample_opts sample;
    uint32_t max_new_tokens; /* 100 */
    bool ignore_eos;         /* EOS is never chosen */
    /* true: a text prompt is the beginning of a document, so the EOS that stands before every document
     * in training is put before it. Ids are always taken as they are. */
    bool from_start;
    const cph_str *stops;    /* the answer ends before the first of these */
    size_t n_stops;
    /* Hears the answer as it grows, in whole characters, stop strings held back; may be NULL.
     * A status other than CPH_OK ends the generation and is returned. */
    cph_status (*piece)(void *ctx, uint32_t prompt, cph_str text, cph_err *err);
    void *ctx;
} cph_generate_opts;
CPH_API void cph_generate_opts_init(cph_generate_opts *o);

typedef enum cph_generate_end {
    CPH_END_LENGTH,  /* max_new_tokens */
    CPH_END_EOS,
    CPH_END_STOP,    /* a stop string */
    CPH_END_CONTEXT  /* the model takes no more positions */
} cph_generate_end;
CPH_API const char *cph_generate_end_text(cph_generate_end e);

typedef struct cph_answer_text {
    const uint32_t *ids; /* prompt and continuation; EOS is included where it was drawn */
    uint32_t n, n_prompt;
    const double *logprobs; /* [n - n_prompt], of the model's own distribution */
    cph_str text;        /* the continuation alone, special tokens left out */
    cph_generate_end end;
} cph_answer_text;

typedef struct cph_generator cph_generator;
/* The tokenizer may be NULL where only ids are wanted (no stop strings, no text). Model and
 * tokenizer outlive the generator. */
CPH_API cph_status cph_generator_open(cph_generator **out, cph_model *m, const cph_tokenizer *t,
                                      cph_pool *pool, cph_err *err) CPH_MUST_USE;
CPH_API void cph_generator_close(cph_generator *g); /* NULL is fine */

/* One prompt; `number` stands for it in the seeds. An empty prompt starts from EOS where there is one. */
CPH_API cph_status cph_generate(cph_generator *g, cph_str prompt, uint32_t number, const cph_generate_opts *o,
                                cph_answer_text *answer, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_generate_ids(cph_generator *g, const uint32_t *ids, uint32_t n, uint32_t number,
                                    const cph_generate_opts *o, cph_answer_text *answer,
                                    cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
