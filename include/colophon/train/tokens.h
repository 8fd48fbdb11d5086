/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens.h - a corpus as token ids, sealed: what a training run reads.
 *
 * A token set is a directory of mapped files tokens-00000.tok (artefacts 4), the set
 * tree of its documents (set.leaves.zst, private; without revocations it is the
 * corpus's) and a colophon.json. No special tokens stand in it: batches add them, since
 * boundaries are in the document table. One row of the table is one record of the
 * corpus; the parts of a long document are neighbours.
 *
 * Invariant  Same corpus, tokenizer, policy and revocations: same bytes at any
 *            thread count.
 * Threads    A cph_tokens is immutable once opened and may be shared.
 * Memory     Opening maps; a build holds one batch of documents.
 * Errors     CPH_RIGHTS from the corpus's gate; CPH_DATA names file and field.
 */
#ifndef CPH_TRAIN_TOKENS_H
#define CPH_TRAIN_TOKENS_H

#include <colophon/base/pool.h>
#include <colophon/provenance/manifest.h>
#include <colophon/provenance/merkle.h>
#include <colophon/rights/decide.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_TOKENS_HEADER 128
#define CPH_TOKENS_ROW 96
#define CPH_TOKENS_LEAVES "set.leaves.zst"

/* ---- reading ---- */
typedef struct cph_tokens cph_tokens;
typedef struct cph_token_doc {
    uint32_t file;       /* of tokens-NNNNN.tok */
    uint64_t first;      /* its first token in that file */
    uint32_t n_tokens;
    uint32_t class_id;   /* identity.classes */
    uint32_t source_id;  /* identity.sources */
    uint32_t part;       /* 0: whole, else the #part number */
    cph_digest wkey, dkey;
} cph_token_doc;

/* Maps the files and checks every header and table row; token values are checked by verify. */
CPH_API cph_status cph_tokens_open(cph_tokens **out, const char *dir, cph_err *err) CPH_MUST_USE;
CPH_API void cph_tokens_close(cph_tokens *t); /* NULL is fine */
CPH_API const cph_manifest *cph_tokens_manifest(const cph_tokens *t);
CPH_API cph_digest cph_tokens_tokenizer(const cph_tokens *t); /* digest of the tokenizer artefact */
CPH_API cph_digest cph_tokens_corpus(const cph_tokens *t);
CPH_API unsigned cph_tokens_width(const cph_tokens *t); /* bytes of a token: 2 or 4 */
CPH_API uint64_t cph_tokens_n_tokens(const cph_tokens *t);
CPH_API uint64_t cph_tokens_n_docs(const cph_tokens *t);
CPH_API cph_token_doc cph_tokens_doc(const cph_tokens *t, uint64_t i); /* i < n_docs */
/* Copies n tokens of document i from its token `from`; from + n <= its n_tokens. */
CPH_API void cph_tokens_copy(const cph_tokens *t, uint64_t i, uint32_t from, uint32_t n, uint32_t *ids);
CPH_API cph_str cph_tokens_class(const cph_tokens *t, uint32_t class_id);   /* "PD"; empty: no such class */
CPH_API cph_str cph_tokens_source(const cph_tokens *t, uint32_t source_id);

/* Everything that can be told from the content: files against the manifest, headers, tables,
 * padding, counts, leaves against the table, ids below the vocabulary. */
CPH_API cph_status cph_tokens_verify(const char *dir, cph_err *err) CPH_MUST_USE;

/* ---- building ---- */
typedef struct cph_tokens_opts {
    const char *corpus;      /* a sealed corpus */
    const char *tokenizer;   /* a sealed tokenizer */
    const cph_policy *policy; /* NULL: the policy that the corpus was sealed for */
    const char *revocations; /* a list, or NULL with no_revocations (recorded in the manifest) */
    bool no_revocations;
    cph_pool *pool;          /* NULL: the caller's thread alone */
    int64_t started_unix_s;  /* for `run` */
} cph_tokens_opts;
CPH_API void cph_tokens_opts_init(cph_tokens_opts *o);
/* Writes and seals `out_dir`; *digest (may be NULL) receives its name. */
CPH_API cph_status cph_tokens_build(const cph_tokens_opts *o, const char *out_dir, cph_digest *digest,
                                    cph_err *err) CPH_MUST_USE;
/* The same where nothing stands yet; what stands must come from these parents and revocations
 * (CPH_USAGE says which differs). opts.corpus may then be NULL. */
CPH_API cph_status cph_tokens_ensure(const cph_tokens_opts *o, const char *dir, cph_digest *digest,
                                     cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
