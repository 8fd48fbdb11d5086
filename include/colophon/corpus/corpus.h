/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus.h - read a sealed corpus, one permitted document at a time.
 *
 * A corpus is a directory of shards that is written once (build.h) and never
 * edited. There is no call that yields text without saying what it is for: a
 * reader is opened with a policy, and asks for no more than was sealed (gate G3).
 *
 * Threads  A cph_corpus may be shared. A cph_reader belongs to one thread.
 * Memory   A cph_doc borrows from its reader until the next call on it.
 * Errors   CPH_RIGHTS when the policy asks for more than was sealed; CPH_DATA, CPH_IO.
 */
#ifndef CPH_CORPUS_CORPUS_H
#define CPH_CORPUS_CORPUS_H

#include <colophon/provenance/manifest.h>
#include <colophon/rights/decide.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_corpus cph_corpus;
typedef struct cph_reader cph_reader;

CPH_API cph_status cph_corpus_open(cph_corpus **out, const char *path, cph_err *err) CPH_MUST_USE;
CPH_API void cph_corpus_close(cph_corpus *c);
CPH_API const cph_manifest *cph_corpus_manifest(const cph_corpus *c);
CPH_API cph_policy cph_corpus_policy(const cph_corpus *c); /* as sealed */
CPH_API uint64_t cph_corpus_n_records(const cph_corpus *c);

typedef struct cph_doc {
    cph_str id;      /* record id: source id + division (+ "#partN") */
    cph_str text;    /* valid UTF-8 in NFC */
    cph_str lang, type, date;
    cph_str rights;  /* decision hash, hex */
    cph_str basis;   /* "PD", "ECL(NO-PRESS)", ... of the decision */
    cph_str source;  /* the source's name: profile of its object */
    uint32_t part;   /* 0: whole, else the #part number */
    cph_str prov;    /* the side-car's line (JSON) */
    const cph_digest *wkeys; /* ascending; the works it belongs to */
    size_t n_works;
    cph_digest dkey;
    uint64_t index;  /* record number in the corpus, from 0 */
} cph_doc;

typedef struct cph_part { uint32_t i, n; } cph_part; /* part i of n; {0, 1}: everything */

/*
 * `revocations`: path of a revocation list or NULL; NULL is accepted only with
 * no_revocations, which the child's manifest records.
 */
CPH_API cph_status cph_reader_open(cph_reader **out, const cph_corpus *c, const cph_policy *policy, cph_part part,
                                   const char *revocations, bool no_revocations, cph_err *err) CPH_MUST_USE;
CPH_API void cph_reader_close(cph_reader *r);
/* CPH_OK fills *doc; CPH_END after the last. Records come in corpus order within the part. */
CPH_API cph_status cph_reader_next(cph_reader *r, cph_doc *doc, cph_err *err) CPH_MUST_USE;
CPH_API uint64_t cph_reader_n_revoked(const cph_reader *r);
/* One record by its id (gate and revocations apply); CPH_NO when it is not there. */
CPH_API cph_status cph_reader_find(cph_reader *r, cph_str id, cph_doc *doc, cph_err *err) CPH_MUST_USE;
/* The record of a document and part that stands at `from` or after it (a child that left revoked records
 * out counts fewer): what leads from a row of a token set back to its text. CPH_NO when there is none. */
CPH_API cph_status cph_reader_at(cph_reader *r, uint64_t from, const cph_digest *dkey, uint32_t part, cph_doc *doc,
                                 cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
