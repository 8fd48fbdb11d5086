/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h - where a sequence of tokens stands word for word in the training text.
 *
 * An index is a suffix array over each file of a token set (artefacts 6). A suffix
 * ends with its document, so that no match crosses from one work into the next;
 * suffixes that are equal so far are ordered by what follows in the file. A query
 * gives the maximal verbatim spans of an answer (rights-and-provenance 16.2) with the
 * documents in which they stand; the caller joins titles, pages, rights and words.
 *
 * Invariant  Spans ascend, and none lies inside another.
 * Threads    A cph_trace is immutable once opened and may be shared.
 * Memory     Files are mapped; opening reads the document tables once. A result owns its
 *            arena. Building takes 5 bytes (9 beyond 2 GiB of sorted bytes) for each byte of
 *            the sorted copy, which has 2 to 4 bytes a token.
 * Errors     CPH_DATA names file and field; CPH_NO: no index there; CPH_USAGE when index
 *            and token set do not belong together.
 */
#ifndef CPH_SEARCH_TRACE_H
#define CPH_SEARCH_TRACE_H

#include <colophon/base/arena.h>
#include <colophon/base/hash.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Builds and seals an index of the token set in tokens_dir as out_dir (kind index,
 * parent: the token set, whose policy and date it takes over). *digest may be NULL.
 */
CPH_API cph_status cph_trace_build(const char *tokens_dir, const char *out_dir, int64_t started_unix_s,
                                   cph_digest *digest, cph_err *err) CPH_MUST_USE;

typedef struct cph_trace cph_trace;
CPH_API cph_status cph_trace_open(cph_trace **out, const char *index_dir, const char *tokens_dir,
                                  cph_err *err) CPH_MUST_USE;
CPH_API void cph_trace_close(cph_trace *t); /* NULL is fine */
/* What the token set says of a document: a row of its table (artefacts 4). */
typedef struct cph_trace_doc {
    cph_digest wkey, dkey;
    uint32_t file, n_tokens;
    uint64_t first; /* token position in tokens-<file>.tok */
    uint32_t class_id, source_id, part; /* identity.classes, identity.sources of the token set */
} cph_trace_doc;
CPH_API uint64_t cph_trace_n_docs(const cph_trace *t);
CPH_API cph_trace_doc cph_trace_doc_at(const cph_trace *t,
                                       uint64_t doc); /* doc < n_docs; row order, files in order */
/* Tokens from..from+n of a document, cut at its end; returns how many were written. */
CPH_API uint32_t cph_trace_copy(const cph_trace *t, uint64_t doc, uint32_t from, uint32_t n, uint32_t *ids);

enum cph_trace_token { CPH_TRACE_BEGINS_WORD = 1, CPH_TRACE_DELIMITER = 2 };
typedef struct cph_trace_opts {
    uint32_t min_len;  /* 8: shorter spans are not reported */
    uint64_t max_cnt;  /* 1000000: more frequent spans are no finding; 0: any */
    uint32_t max_hits; /* 10 places a span, chosen by the seed when there are more; 0: all */
    uint64_t seed;     /* 0 */
    /* cph_trace_token flags of an id; NULL: every token begins a word, none is a delimiter. A span begins
     * with a word, ends before one, and ends with the first delimiter in it; what follows a delimiter, and
     * the query's own ends, count as a word's beginning. */
    unsigned (*token_flags)(void *ctx, uint32_t id);
    void *ctx;
} cph_trace_opts;
CPH_API void cph_trace_opts_init(cph_trace_opts *o);

typedef struct cph_trace_hit {
    uint64_t doc;      /* for cph_trace_doc_at */
    uint32_t at;       /* the span's first token, counted from the document's first */
} cph_trace_hit;
typedef struct cph_trace_span {
    uint32_t begin, end; /* ids[begin..end) of the query */
    uint64_t count;      /* occurrences in the whole token set */
    const cph_trace_hit *hits; /* ascending by document and place */
    uint32_t n_hits;
} cph_trace_span;
typedef struct cph_trace_result {
    cph_arena arena;
    const cph_trace_span *spans;
    size_t n_spans;
    uint32_t longest; /* tokens of the longest span */
} cph_trace_result;

/* Answers into a result that holds nothing yet; release it with cph_trace_result_release. */
CPH_API cph_status cph_trace_run(const cph_trace *t, const uint32_t *ids, size_t n, const cph_trace_opts *o,
                                 cph_trace_result *out, cph_err *err) CPH_MUST_USE;
CPH_API void cph_trace_result_release(cph_trace_result *r);

/* Occurrences of exactly these tokens inside documents; n >= 1. */
CPH_API cph_status cph_trace_count(const cph_trace *t, const uint32_t *ids, size_t n, uint64_t *count,
                                   cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
