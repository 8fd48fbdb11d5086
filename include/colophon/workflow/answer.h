/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.h - from an answer's words back to the pages that have them (gate G5).
 *
 * A tracer joins the trace index (search) with the token set, the corpus's
 * side-cars and the catalogue: for each verbatim span of an answer it tells work,
 * title, page, right, and the words around - these only where a decision for the
 * purpose `snippet` allows it, else that there is a match and no more (rights 16.3).
 *
 * Invariant  Without a catalogue to ask, no words around are shown.
 * Threads    One call at a time.
 * Memory     A trace lives in the arena given to cph_tracer_run.
 * Errors     CPH_NO: a parent of the index is not to be found; CPH_DATA, CPH_RIGHTS.
 */
#ifndef CPH_WORKFLOW_ANSWER_H
#define CPH_WORKFLOW_ANSWER_H

#include <colophon/base/arena.h>
#include <colophon/rights/decide.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_tracer_opts {
    const char *index;      /* a sealed index; its parents are looked for beside it and in `run` */
    const char *tokens, *corpus, *tokenizer, *collection; /* NULL: found by digest */
    const char *revocations; /* of the corpus, or NULL */
    const char *rulebase;   /* for the snippet decision; NULL: the corpus's */
    cph_tier tier;          /* of the person who reads the answer */
    cph_day as_of;          /* the day on which it is read; 0: the corpus's */
    uint32_t min_len;       /* tokens; shorter spans are no finding */
    uint32_t max_hits;      /* places told for each span */
    uint32_t words_around;  /* at each side */
} cph_tracer_opts;
CPH_API void cph_tracer_opts_init(cph_tracer_opts *o); /* staff, 8 tokens, 3 places, 8 words */

typedef struct cph_tracer cph_tracer;
CPH_API cph_status cph_tracer_open(cph_tracer **out, const cph_tracer_opts *o, cph_err *err) CPH_MUST_USE;
CPH_API void cph_tracer_close(cph_tracer *t); /* NULL is fine */

typedef struct cph_place_found {
    cph_str document; /* record id */
    cph_str urn, title;
    cph_str page;     /* "page 7 (printed 5)"; empty when the map does not tell */
    cph_str image;    /* SHA-256 of the page image, or empty */
    cph_str basis;    /* right by which it was trained on: "PD", ... */
    bool shown;       /* the words around may be shown to this reader */
    const char *rule; /* of the snippet decision; "" when nobody could be asked */
    cph_str before, words, after;
} cph_place_found;

typedef struct cph_span_found {
    uint32_t begin, end; /* tokens of the answer */
    cph_str text;
    uint64_t count;      /* occurrences in the training corpus */
    const cph_place_found *places;
    size_t n_places;
} cph_span_found;

typedef struct cph_traced {
    const cph_span_found *spans; /* in the order of the answer */
    size_t n_spans;
    uint32_t longest;            /* tokens of the longest span */
    uint32_t longest_not_free;   /* of the longest that no public-domain document has */
    uint32_t covered;            /* answer tokens inside some span */
} cph_traced;

/* ids: the answer as the model's tokenizer gives it. */
CPH_API cph_status cph_tracer_run(cph_tracer *t, cph_arena *a, const uint32_t *ids, size_t n, cph_traced *out,
                                  cph_err *err) CPH_MUST_USE;
/* The same for any text, as the index's tokenizer cuts it: *n_tokens of them. */
CPH_API cph_status cph_tracer_text(cph_tracer *t, cph_arena *a, cph_str text, cph_traced *out, uint32_t *n_tokens,
                                   cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
