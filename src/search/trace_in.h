/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_in.h - mapped token files (artefacts 4) and suffix arrays (artefacts 6).
 * search stands beside train: it knows the token file by its specification alone.
 */
#ifndef CPH_TRACE_IN_H
#define CPH_TRACE_IN_H

#include <colophon/base/file.h>
#include <colophon/provenance/manifest.h>
#include <colophon/search/trace.h>

enum { TOKENS_HEADER = 128, TOKENS_ROW = 96, INDEX_HEADER = 64 };

typedef struct token_file {
    cph_map map;
    const uint8_t *tokens, *table;
    unsigned width;
    uint64_t n_tokens, n_docs;
    cph_digest sha256; /* as the token set's manifest has it */
} token_file;

typedef struct trace_file {
    token_file f;
    cph_map index;
    const uint8_t *pointers;
    unsigned pointer_width;
    uint64_t first_doc; /* number of its first document in the whole token set */
} trace_file;

struct cph_trace {
    trace_file *files;
    size_t n_files;
    uint64_t n_docs;
};

static inline uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get64(const uint8_t *p) { return get32(p) | (uint64_t)get32(p + 4) << 32; }

static inline uint32_t token_at(const token_file *f, uint64_t i)
{
    const uint8_t *p = f->tokens + i * f->width;
    return f->width == 2 ? (uint32_t)(p[0] | p[1] << 8) : get32(p);
}

static inline const uint8_t *row_at(const token_file *f, uint64_t doc) { return f->table + doc * TOKENS_ROW; }
static inline uint64_t row_first(const uint8_t *row) { return get64(row); }
static inline uint32_t row_tokens(const uint8_t *row) { return get32(row + 8); }

/* Token position of a rank; a damaged pointer gives n_tokens. */
static inline uint64_t pointer_at(const trace_file *t, uint64_t rank)
{
    const uint8_t *p = t->pointers + rank * t->pointer_width;
    uint64_t at = get32(p) | (t->pointer_width == 5 ? (uint64_t)p[4] << 32 : 0);
    return at < t->f.n_tokens ? at : t->f.n_tokens;
}

/* Maps and checks header and table: documents follow one another without gaps. */
cph_status cph_token_file_map(token_file *f, const char *path, cph_err *err);
void cph_token_file_unmap(token_file *f);
/* The last document that begins at or before a token and is not empty. position < n_tokens. */
uint64_t cph_token_file_doc(const token_file *f, uint64_t position);

/* Name and digest of the i-th token file of a token set; false after the last. */
bool cph_token_file_named(const cph_manifest *tokens, size_t i, cph_manifest_file *out);

#endif
