/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_in.h - what the files of this room share: the writer of token files, and the
 * parts of a training run (its state, its checkpoints, its papers).
 */
#ifndef CPH_TRAIN_IN_H
#define CPH_TRAIN_IN_H

#include <colophon/base/file.h>
#include <colophon/train/order.h>
#include <colophon/train/tokens.h>

/* ---- writing token files (tokens_write.c) ---- */

#define CPH_TOKENS_FILE_LIMIT ((uint64_t)1 << 31)

typedef struct cph_tokwrite {
    const char *dir;
    unsigned width;
    uint64_t file_limit; /* a new file starts with the next document after so many tokens */
    cph_digest tokenizer, corpus;
    uint64_t all_tokens, all_docs;
    uint32_t n_files;
    /* the file under way */
    bool open;
    cph_out out, table;
    uint64_t n_tokens, n_docs;
} cph_tokwrite;
void cph_tokwrite_init(cph_tokwrite *w, const char *dir, uint32_t vocab, const cph_digest *tokenizer,
                       const cph_digest *corpus);
/* `d` brings all but file and first. */
cph_status cph_tokwrite_add(cph_tokwrite *w, const cph_token_doc *d, const uint32_t *ids,
                            cph_err *err) CPH_MUST_USE;
cph_status cph_tokwrite_close(cph_tokwrite *w, cph_err *err) CPH_MUST_USE;
void cph_tokwrite_abandon(cph_tokwrite *w);

#define CPH_TOKENS_FILE "tokens-%05u.tok"
typedef struct cph_token_header {
    uint32_t width;
    uint64_t n_tokens, n_docs;
    uint64_t table; /* offset of the document table */
    cph_digest tokenizer, corpus;
} cph_token_header;
uint64_t cph_token_table_at(uint64_t n_tokens, unsigned width);
void cph_token_header_put(uint8_t out[CPH_TOKENS_HEADER], const cph_token_header *h);
/* Checks that the counts fit the file's size exactly. */
cph_status cph_token_header_get(const uint8_t *p, uint64_t n_bytes, const char *path, cph_token_header *out,
                                cph_err *err) CPH_MUST_USE;

/* The row's form on disk, both ways; false when the zero bytes are not zero. */
void cph_token_row_put(uint8_t out[CPH_TOKENS_ROW], const cph_token_doc *d);
bool cph_token_row_get(const uint8_t p[CPH_TOKENS_ROW], cph_token_doc *d);

/* Seals what lies in `dir`: the part of a build that knows no text. */
typedef struct cph_tokens_facts {
    const cph_manifest *corpus_manifest; /* NULL: nothing to inherit */
    const cph_policy *policy;            /* NULL: the corpus's */
    const char *revocations_digest;      /* hex, or NULL: none */
    const char *corpus_path, *tokenizer_path;
    const cph_str *classes, *sources;
    size_t n_classes, n_sources;
    uint32_t vocab;
    uint64_t n_revoked;
    cph_digest set_root;
    uint64_t set_size;
    int64_t started_unix_s;
} cph_tokens_facts;
cph_status cph_tokens_seal(const cph_tokwrite *w, const cph_tokens_facts *f, cph_digest *digest,
                           cph_err *err) CPH_MUST_USE;

#endif
