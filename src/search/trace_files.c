/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_files.c - opens an index with its token set. Everything that a query relies
 * on is checked here once: sizes, headers, tables, and that both belong together.
 */
#include "trace_in.h"

#include <colophon/base/memory.h>

#include <stdio.h>
#include <string.h>

/* ---- token files ---- */

static cph_status bad(const char *path, const char *what, cph_err *err)
{
    return cph_fail(err, CPH_DATA, "%s: %s", path, what);
}

static cph_status check_table(const token_file *f, const char *path, cph_err *err)
{
    uint64_t next = 0;
    for (uint64_t d = 0; d < f->n_docs; d++) {
        const uint8_t *row = row_at(f, d);
        if (row_first(row) != next)
            return cph_fail(err, CPH_DATA, "%s: document %llu does not begin where the one before ends", path,
                            (unsigned long long)d);
        next += row_tokens(row);
    }
    return next == f->n_tokens ? CPH_OK : bad(path, "the documents do not add up to the tokens", err);
}

static cph_status check_tokens(token_file *f, const char *path, cph_err *err)
{
    const uint8_t *p = f->map.p;
    uint64_t n = f->map.n_bytes;
    if (n < TOKENS_HEADER || memcmp(p, "CPHTOK1", 8) != 0) return bad(path, "is no token file", err);
    if (get32(p + 8) != 1) return bad(path, "has an unknown version", err);
    f->width = get32(p + 12);
    f->n_tokens = get64(p + 16);
    f->n_docs = get64(p + 24);
    uint64_t table = get64(p + 32);
    if (f->width != 2 && f->width != 4) return bad(path, "token width: is neither 2 nor 4", err);
    if (table % 64 || table < TOKENS_HEADER || table > n)
        return bad(path, "document table: lies outside the file", err);
    if (f->n_tokens > (table - TOKENS_HEADER) / f->width)
        return bad(path, "tokens: more than lie before the table", err);
    if (f->n_docs > (n - table) / TOKENS_ROW) return bad(path, "documents: more than the file holds", err);
    f->tokens = p + TOKENS_HEADER;
    f->table = p + table;
    return check_table(f, path, err);
}

cph_status cph_token_file_map(token_file *f, const char *path, cph_err *err)
{
    token_file opened = {.width = 0};
    CPH_TRY(cph_map_open(&opened.map, path, err));
    cph_status s = check_tokens(&opened, path, err);
    if (s != CPH_OK)
        cph_map_close(&opened.map);
    else
        *f = opened;
    return s;
}

void cph_token_file_unmap(token_file *f)
{
    cph_map_close(&f->map);
    *f = (token_file){.width = 0};
}

uint64_t cph_token_file_doc(const token_file *f, uint64_t position)
{
    uint64_t low = 0, high = f->n_docs; /* the first document that begins after the position */
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (row_first(row_at(f, mid)) <= position)
            low = mid + 1;
        else
            high = mid;
    }
    return low - 1;
}

bool cph_token_file_named(const cph_manifest *tokens, size_t i, cph_manifest_file *out)
{
    char name[64];
    snprintf(name, sizeof name, "tokens-%05zu.tok", i);
    for (size_t k = 0; k < cph_manifest_n_files(tokens); k++) {
        *out = cph_manifest_file_at(tokens, k);
        if (cph_str_is(out->path, name)) return true;
    }
    return false;
}

/* ---- index and token set ---- */

static cph_status check_index(trace_file *t, const char *path, cph_err *err)
{
    const uint8_t *p = t->index.p;
    if (t->index.n_bytes < INDEX_HEADER || memcmp(p, "CPHSA1\0", 8) != 0)
        return bad(path, "is no suffix array", err);
    if (get32(p + 8) != 1) return bad(path, "has an unknown version", err);
    t->pointer_width = get32(p + 12);
    if (t->pointer_width != 4 && t->pointer_width != 5)
        return bad(path, "pointer width: is neither 4 nor 5", err);
    if (get64(p + 16) != t->f.n_tokens || memcmp(p + 24, t->f.sha256.b, 32) != 0)
        return cph_fail(err, CPH_USAGE, "%s: is the index of another token file", path);
    if (t->f.n_tokens != (t->index.n_bytes - INDEX_HEADER) / t->pointer_width ||
        (t->index.n_bytes - INDEX_HEADER) % t->pointer_width)
        return bad(path, "its size does not fit the number of tokens", err);
    t->pointers = p + INDEX_HEADER;
    return CPH_OK;
}

static cph_status open_file(cph_trace *t, const cph_manifest *tokens, const char *index_dir,
                            const char *tokens_dir, size_t i, cph_err *err)
{
    trace_file *file = &t->files[i];
    cph_manifest_file named;
    char path[CPH_PATH_MAX], name[64];
    cph_token_file_named(tokens, i, &named);
    snprintf(name, sizeof name, "tokens-%05zu.tok", i);
    CPH_TRY(cph_path_join(path, tokens_dir, name, err));
    CPH_TRY(cph_token_file_map(&file->f, path, err));
    t->n_files++;
    file->f.sha256 = named.sha256;
    file->first_doc = t->n_docs;
    t->n_docs += file->f.n_docs;
    snprintf(name, sizeof name, "sa-%05zu.bin", i);
    CPH_TRY(cph_path_join(path, index_dir, name, err));
    CPH_TRY(cph_map_open(&file->index, path, err));
    return check_index(file, path, err);
}

static cph_status belong_together(const cph_manifest *index, const cph_manifest *tokens,
                                  const char *index_dir, cph_err *err)
{
    cph_digest want = cph_manifest_digest(tokens);
    if (!cph_str_is(cph_manifest_kind(index), "index") || !cph_str_is(cph_manifest_kind(tokens), "tokens"))
        return cph_fail(err, CPH_USAGE, "%s: an index and a token set are needed, in this order", index_dir);
    for (size_t i = 0; i < cph_manifest_n_parents(index); i++) {
        cph_parent p = cph_manifest_parent_at(index, i);
        if (cph_str_is(p.role, "tokens") && cph_digest_cmp(&p.digest, &want) == 0) return CPH_OK;
    }
    cph_fail(err, CPH_USAGE, "%s: is the index of another token set", index_dir);
    return cph_hint(err, "build one with: colophon index TOKENS --out DIR");
}

static cph_status open_all(cph_trace *t, const cph_manifest *tokens, const char *index_dir,
                           const char *tokens_dir, cph_err *err)
{
    size_t n = 0;
    cph_manifest_file named;
    while (cph_token_file_named(tokens, n, &named)) n++;
    void *mem;
    CPH_TRY(cph_alloc0(&mem, (n + 1) * sizeof *t->files, err));
    t->files = mem;
    for (size_t i = 0; i < n; i++) CPH_TRY(open_file(t, tokens, index_dir, tokens_dir, i, err));
    return CPH_OK;
}

cph_status cph_trace_open(cph_trace **out, const char *index_dir, const char *tokens_dir, cph_err *err)
{
    cph_manifest *index = NULL, *tokens = NULL;
    cph_trace *t = NULL;
    void *mem;
    cph_status s = cph_manifest_want(&index, index_dir, "index", err);
    if (s == CPH_OK) s = cph_manifest_want(&tokens, tokens_dir, "tokens", err);
    if (s == CPH_OK) s = belong_together(index, tokens, index_dir, err);
    if (s == CPH_OK) s = cph_alloc0(&mem, sizeof *t, err);
    if (s == CPH_OK) {
        t = mem;
        s = open_all(t, tokens, index_dir, tokens_dir, err);
    }
    cph_manifest_close(index);
    cph_manifest_close(tokens);
    if (s == CPH_OK)
        *out = t;
    else
        cph_trace_close(t);
    return s;
}

void cph_trace_close(cph_trace *t)
{
    if (!t) return;
    for (size_t i = 0; i < t->n_files; i++) {
        cph_token_file_unmap(&t->files[i].f);
        cph_map_close(&t->files[i].index);
    }
    cph_free(t->files);
    cph_free(t);
}

/* ---- documents ---- */

uint64_t cph_trace_n_docs(const cph_trace *t) { return t->n_docs; }

static const trace_file *file_of(const cph_trace *t, uint64_t doc)
{
    size_t i = t->n_files - 1;
    while (t->files[i].first_doc > doc) i--;
    return &t->files[i];
}

cph_trace_doc cph_trace_doc_at(const cph_trace *t, uint64_t doc)
{
    const trace_file *f = file_of(t, doc);
    const uint8_t *row = row_at(&f->f, doc - f->first_doc);
    cph_trace_doc d = {.file = (uint32_t)(f - t->files), .n_tokens = row_tokens(row), .first = row_first(row),
                       .class_id = get32(row + 12), .source_id = get32(row + 16), .part = get32(row + 20)};
    memcpy(d.wkey.b, row + 24, 32);
    memcpy(d.dkey.b, row + 56, 32);
    return d;
}

uint32_t cph_trace_copy(const cph_trace *t, uint64_t doc, uint32_t from, uint32_t n, uint32_t *ids)
{
    const trace_file *f = file_of(t, doc);
    const uint8_t *row = row_at(&f->f, doc - f->first_doc);
    uint32_t all = row_tokens(row);
    if (from >= all) return 0;
    if (n > all - from) n = all - from;
    for (uint32_t i = 0; i < n; i++) ids[i] = token_at(&f->f, row_first(row) + from + i);
    return n;
}
