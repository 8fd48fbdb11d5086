/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build.h - from a snapshot of the collection to a sealed corpus (gate G2).
 *
 * For each object, in key order, the policy is put to the rule base; what is
 * refused is counted with its rule and never read. What is permitted is joined
 * (roles, running heads, hyphens, paragraphs), cleaned, freed of exact copies,
 * cut into records, and sealed with a side-car that leads back to page and block.
 *
 * Invariant  The same snapshot and options give the same digest, with any number
 *            of threads. Nothing of a refused work stands in a shard, a side-car
 *            or a leaf; only the private decisions name it.
 * Threads    cph_build_run uses the pool it is given; one call at a time on it.
 * Memory     Bounded: a window of objects, sort buffers, frames under way. What
 *            is larger lies in files inside the temporary directory.
 * Errors     CPH_RIGHTS: the policy permits nothing, or the rule base may not be
 *            used here. CPH_IO: a full disk; no final name is left. CPH_DATA: the
 *            collection is damaged. CPH_STOPPED: interrupted.
 */
#ifndef CPH_CORPUS_BUILD_H
#define CPH_CORPUS_BUILD_H

#include <colophon/base/pool.h>
#include <colophon/rights/decide.h>
#include <colophon/text/normalise.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes one document (METS-19). AUTO: newspapers by article, all else by volume. */
#define CPH_UNIT_MAP(X)                                                                            \
    X(AUTO, "auto") X(VOLUME, "volume") X(CHAPTER, "chapter") X(ARTICLE, "article") X(PAGE, "page")
typedef enum cph_unit {
#define CPH_UNIT_ENUM(name, text) CPH_UNIT_##name,
    CPH_UNIT_MAP(CPH_UNIT_ENUM)
#undef CPH_UNIT_ENUM
        CPH_N_UNITS
} cph_unit;
CPH_API bool cph_unit_parse(cph_str s, cph_unit *out);

/*
 * What happens to exact copies (readers-and-corpus 22.1). BOILERPLATE: from so many
 * copies on, all but one go, fewer stay; FIRST: one stays; ALL: none stays.
 */
#define CPH_DEDUP_MAP(X) X(NONE, "none") X(BOILERPLATE, "boilerplate") X(FIRST, "first") X(ALL, "all")
typedef enum cph_dedup {
#define CPH_DEDUP_ENUM(name, text) CPH_DEDUP_##name,
    CPH_DEDUP_MAP(CPH_DEDUP_ENUM)
#undef CPH_DEDUP_ENUM
        CPH_N_DEDUPS
} cph_dedup;
CPH_API bool cph_dedup_parse(cph_str s, cph_dedup *out);

typedef struct cph_build_opts {
    const char *collection;     /* its directory */
    const cph_digest *snapshot; /* NULL: one is taken of what stands now */
    const char *out;            /* the corpus's directory; may be NULL with dry_run */
    const char *rulebase;       /* "sample", "house", or a path */
    cph_policy policy;
    cph_unit unit;                   /* AUTO */
    uint32_t max_chars;              /* 1,000,000: longer documents are cut at paragraph ends */
    cph_dedup documents, paragraphs; /* FIRST; BOILERPLATE */
    uint32_t paragraph_chars;        /* 100: shorter paragraphs are never compared */
    uint32_t boilerplate_copies;     /* 10 */
    cph_normalise_opts normal;       /* its defaults, and mojibake */
    bool hyphen_equals;              /* false: "=" ends a line as a hyphen (some Fraktur OCR) */
    bool heads;                      /* true: running heads are found by repetition */
    bool dry_run;                    /* decide and count; write nothing */
    /* Of the run, never of the corpus: */
    cph_pool *pool;           /* NULL: the caller's thread alone */
    uint64_t sort_bytes;      /* memory of a sort before it goes to a file: 32 MiB */
    int64_t started_unix_s;
} cph_build_opts;
CPH_API void cph_build_opts_init(cph_build_opts *o);

/*
 * HYP-10: the producer's pairs (in what is dropped, too), halves that we found by
 * their sign, states of section 17, and what was done.
 */
#define CPH_HYPHEN_COUNT_MAP(X)                                                                    \
    X(pairs_same_page) X(pairs_cross_page) X(pairs_cross_block) X(with_hyp) X(without_hyp)         \
    X(signs_same_page) X(signs_cross_page)                                                         \
    X(hyp_alone) X(inline_hyphen) X(inline_and_hyp) X(other_sign) X(agree) X(differ)               \
    X(restored) X(dash_kept) X(joined) X(kept) X(suspended) X(ck) X(orphan_1) X(orphan_2)
typedef struct cph_hyphen_counts {
#define CPH_HYPHEN_FIELD(name) uint64_t name;
    CPH_HYPHEN_COUNT_MAP(CPH_HYPHEN_FIELD)
#undef CPH_HYPHEN_FIELD
} cph_hyphen_counts;

/* LAW-1 over the permitted objects: strings = out + absorbed + dropped + empty. */
typedef struct cph_balance {
    uint64_t strings, out, absorbed, dropped, empty;
    uint64_t joined; /* tokens after joining the producer's pairs, before role drops (Appendix B) */
} cph_balance;

typedef struct cph_build_tally {
    cph_str rule;
    cph_answer answer;
    uint64_t works, documents, words; /* as the pages have them, before cleaning */
    cph_str sentence;                 /* why, in plain words */
} cph_build_tally;

typedef struct cph_build_report {
    bool written;
    cph_digest digest, snapshot;
    cph_build_tally *tally; /* by rule, then answer */
    size_t n_tally;
    uint64_t works_given, documents_given, words_given;
    uint64_t works_refused, documents_refused, words_refused;
    uint64_t records, words, characters, works; /* what the corpus holds */
    uint64_t dropped_documents, dropped_paragraphs, empty_documents;
    cph_hyphen_counts hyphens;
    cph_balance balance;
} cph_build_report;

/* Texts and arrays of the report live in `a`. With CPH_RIGHTS the tally is filled, too. */
CPH_API cph_status cph_build_run(const cph_build_opts *o, cph_arena *a, cph_build_report *report,
                                 cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
