/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens_write.c - the bytes of a token file (artefacts 4).
 *
 * Tokens go straight to their file; the document table grows beside it and is put
 * behind them when the file ends, so that memory does not grow with the corpus. The
 * header's counts are written last.
 */
#include "train_in.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char magic[8] = "CPHTOK1";
static const char spool_name[] = "table.part"; /* gone before the directory is sealed */

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static void put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)v);
    put32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p) { return get32(p) | (uint64_t)get32(p + 4) << 32; }

void cph_token_row_put(uint8_t out[CPH_TOKENS_ROW], const cph_token_doc *d)
{
    memset(out, 0, CPH_TOKENS_ROW);
    put64(out, d->first);
    put32(out + 8, d->n_tokens);
    put32(out + 12, d->class_id);
    put32(out + 16, d->source_id);
    put32(out + 20, d->part);
    memcpy(out + 24, d->wkey.b, 32);
    memcpy(out + 56, d->dkey.b, 32);
}

bool cph_token_row_get(const uint8_t p[CPH_TOKENS_ROW], cph_token_doc *d)
{
    *d = (cph_token_doc){.first = get64(p), .n_tokens = get32(p + 8), .class_id = get32(p + 12),
                         .source_id = get32(p + 16), .part = get32(p + 20)};
    memcpy(d->wkey.b, p + 24, 32);
    memcpy(d->dkey.b, p + 56, 32);
    return get64(p + 88) == 0;
}

void cph_token_header_put(uint8_t out[CPH_TOKENS_HEADER], const cph_token_header *h)
{
    memset(out, 0, CPH_TOKENS_HEADER);
    memcpy(out, magic, sizeof magic);
    put32(out + 8, 1);
    put32(out + 12, h->width);
    put64(out + 16, h->n_tokens);
    put64(out + 24, h->n_docs);
    put64(out + 32, h->table);
    memcpy(out + 40, h->tokenizer.b, 32);
    memcpy(out + 72, h->corpus.b, 32);
}

cph_status cph_token_header_get(const uint8_t *p, uint64_t n_bytes, const char *path, cph_token_header *out,
                                cph_err *err)
{
    if (n_bytes < CPH_TOKENS_HEADER)
        return cph_fail(err, CPH_DATA, "%s: too short for a header of %d bytes", path, CPH_TOKENS_HEADER);
    cph_token_header h = {.width = get32(p + 12), .n_tokens = get64(p + 16), .n_docs = get64(p + 24),
                          .table = get64(p + 32)};
    if (memcmp(p, magic, sizeof magic) != 0)
        return cph_fail(err, CPH_DATA, "%s: is no token file (magic)", path);
    if (get32(p + 8) != 1)
        return cph_fail(err, CPH_DATA, "%s: version %u; this program reads 1", path, get32(p + 8));
    if (h.width != 2 && h.width != 4)
        return cph_fail(err, CPH_DATA, "%s: token width %u; 2 or 4", path, h.width);
    for (int i = 104; i < CPH_TOKENS_HEADER; i++)
        if (p[i]) return cph_fail(err, CPH_DATA, "%s: byte %d of the header is not zero", path, i);
    /* No product below may overflow: both counts are bounded by the file's own size first. */
    if (h.n_tokens > n_bytes / h.width || h.n_docs > n_bytes / CPH_TOKENS_ROW)
        return cph_fail(err, CPH_DATA, "%s: the header counts more than the file can hold", path);
    if (h.table != cph_token_table_at(h.n_tokens, h.width) || h.table + h.n_docs * CPH_TOKENS_ROW != n_bytes)
        return cph_fail(err, CPH_DATA, "%s: the document table does not end where the file ends", path);
    memcpy(h.tokenizer.b, p + 40, 32);
    memcpy(h.corpus.b, p + 72, 32);
    *out = h;
    return CPH_OK;
}

uint64_t cph_token_table_at(uint64_t n_tokens, unsigned width)
{
    return (CPH_TOKENS_HEADER + n_tokens * width + 63) / 64 * 64;
}

/* ---- the writer ---- */

void cph_tokwrite_init(cph_tokwrite *w, const char *dir, uint32_t vocab, const cph_digest *tokenizer,
                       const cph_digest *corpus)
{
    *w = (cph_tokwrite){.dir = dir, .width = vocab <= 65536 ? 2 : 4, .file_limit = CPH_TOKENS_FILE_LIMIT,
                        .tokenizer = *tokenizer, .corpus = *corpus, .out = {.fd = -1}, .table = {.fd = -1}};
}

static cph_status start_file(cph_tokwrite *w, cph_err *err)
{
    char name[32], path[CPH_PATH_MAX];
    const uint8_t empty[CPH_TOKENS_HEADER] = {0};
    snprintf(name, sizeof name, CPH_TOKENS_FILE, w->n_files);
    CPH_TRY(cph_path_join(path, w->dir, name, err));
    CPH_TRY(cph_out_open(&w->out, path, err));
    w->open = true;
    w->n_files++;
    w->n_tokens = w->n_docs = 0;
    CPH_TRY(cph_path_join(path, w->dir, spool_name, err));
    CPH_TRY(cph_out_open(&w->table, path, err));
    return cph_out_write(&w->out, empty, sizeof empty, err);
}

static cph_status append_table(cph_tokwrite *w, cph_err *err)
{
    cph_map map;
    CPH_TRY(cph_out_close(&w->table, err));
    CPH_TRY(cph_map_open(&map, w->table.path, err));
    cph_status s = cph_out_write(&w->out, map.p, (size_t)map.n_bytes, err);
    cph_map_close(&map);
    if (s == CPH_OK && unlink(w->table.path) != 0)
        s = cph_fail_errno(err, "%s: cannot remove", w->table.path);
    return s;
}

static cph_status end_file(cph_tokwrite *w, cph_err *err)
{
    static const uint8_t zeros[64];
    uint8_t header[CPH_TOKENS_HEADER];
    cph_token_header h = {.width = w->width, .n_tokens = w->n_tokens, .n_docs = w->n_docs,
                          .table = cph_token_table_at(w->n_tokens, w->width),
                          .tokenizer = w->tokenizer, .corpus = w->corpus};
    CPH_TRY(cph_out_write(&w->out, zeros, (size_t)(h.table - w->out.n_bytes), err));
    CPH_TRY(append_table(w, err));
    cph_token_header_put(header, &h);
    CPH_TRY(cph_out_rewrite(&w->out, 0, header, sizeof header, err));
    CPH_TRY(cph_out_close(&w->out, err));
    w->open = false;
    return CPH_OK;
}

static cph_status write_ids(cph_tokwrite *w, const uint32_t *ids, uint32_t n, cph_err *err)
{
    uint8_t bytes[4096];
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < w->width; k++) bytes[at++] = (uint8_t)(ids[i] >> (8 * k));
        if (at < sizeof bytes && i + 1 < n) continue;
        CPH_TRY(cph_out_write(&w->out, bytes, at, err));
        at = 0;
    }
    return CPH_OK;
}

cph_status cph_tokwrite_add(cph_tokwrite *w, const cph_token_doc *d, const uint32_t *ids, cph_err *err)
{
    uint8_t row[CPH_TOKENS_ROW];
    if (w->open && w->n_tokens >= w->file_limit) CPH_TRY(end_file(w, err));
    if (!w->open) CPH_TRY(start_file(w, err));
    cph_token_doc here = *d;
    here.first = w->n_tokens;
    cph_token_row_put(row, &here);
    CPH_TRY(write_ids(w, ids, d->n_tokens, err));
    CPH_TRY(cph_out_write(&w->table, row, sizeof row, err));
    w->n_tokens += d->n_tokens;
    w->all_tokens += d->n_tokens;
    w->n_docs++;
    w->all_docs++;
    return CPH_OK;
}

cph_status cph_tokwrite_close(cph_tokwrite *w, cph_err *err)
{
    if (!w->all_docs)
        return cph_fail(err, CPH_DATA, "the corpus gives no document: there is nothing to tokenize");
    return end_file(w, err);
}

void cph_tokwrite_abandon(cph_tokwrite *w)
{
    cph_out_abandon(&w->out);
    cph_out_abandon(&w->table);
    w->open = false;
}
