/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_build.c - a suffix array for each token file. libdivsufsort sorts bytes: the
 * copy that it sorts has each id + 1 big-endian in a fixed number of bytes and zeros
 * after each document, so that a suffix ends with its document; of its result the
 * aligned positions that are tokens are kept.
 */
#include "trace_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>
#include <colophon/base/memory.h>

#include <divsufsort.h>
#include <divsufsort64.h>
#include <stdio.h>
#include <string.h>

typedef struct sorter {
    const token_file *f;
    unsigned width;       /* bytes of a unit of the copy */
    uint64_t n_units;     /* tokens and one end for each document */
    uint8_t *copy;
    void *order;          /* saidx_t or saidx64_t */
    bool wide;
    uint64_t *ends;       /* a bit for each unit that is a document's end */
    uint32_t *ends_before; /* ... and how many there are before each 64 units */
} sorter;

static unsigned width_for(const token_file *f, uint64_t *highest)
{
    *highest = 0;
    for (uint64_t i = 0; i < f->n_tokens; i++)
        if (token_at(f, i) > *highest) *highest = token_at(f, i);
    return *highest + 1 < 0x10000 ? 2 : *highest + 1 < 0x1000000 ? 3 : 4;
}

static void put_unit(sorter *s, uint64_t unit, uint32_t v)
{
    for (unsigned i = 0; i < s->width; i++)
        s->copy[unit * s->width + i] = (uint8_t)(v >> 8 * (s->width - 1 - i));
}

static void fill(sorter *s)
{
    uint64_t unit = 0;
    for (uint64_t d = 0; d < s->f->n_docs; d++) {
        const uint8_t *row = row_at(s->f, d);
        for (uint32_t i = 0; i < row_tokens(row); i++)
            put_unit(s, unit++, token_at(s->f, row_first(row) + i) + 1);
        s->ends[unit / 64] |= (uint64_t)1 << unit % 64;
        put_unit(s, unit++, 0);
    }
    uint32_t before = 0;
    for (uint64_t i = 0; i <= s->n_units / 64; i++) {
        s->ends_before[i] = before;
        before += (uint32_t)__builtin_popcountll(s->ends[i]);
    }
}

static cph_status prepare(sorter *s, cph_err *err)
{
    void *mem;
    uint64_t n_bytes = s->n_units * s->width;
    if (s->f->n_docs >= UINT32_MAX)
        return cph_fail(err, CPH_NOMEM, "more than 2^32 documents in one token file");
    s->wide = n_bytes > INT32_MAX;
    CPH_TRY(cph_alloc_n(&mem, s->n_units, s->width, err));
    s->copy = mem;
    CPH_TRY(cph_alloc0(&mem, (s->n_units / 64 + 1) * sizeof *s->ends, err));
    s->ends = mem;
    CPH_TRY(cph_alloc_n(&mem, s->n_units / 64 + 1, sizeof *s->ends_before, err));
    s->ends_before = mem;
    CPH_TRY(cph_alloc_n(&s->order, n_bytes, s->wide ? sizeof(saidx64_t) : sizeof(saidx_t), err));
    fill(s);
    return CPH_OK;
}

static void release(sorter *s)
{
    cph_free(s->copy);
    cph_free(s->ends);
    cph_free(s->ends_before);
    cph_free(s->order);
}

static cph_status write_pointers(const sorter *s, cph_out *o, unsigned pointer_width, cph_err *err)
{
    uint64_t n_bytes = s->n_units * s->width;
    for (uint64_t rank = 0; rank < n_bytes; rank++) {
        uint64_t at = s->wide ? (uint64_t)((const saidx64_t *)s->order)[rank]
                              : (uint64_t)((const saidx_t *)s->order)[rank];
        uint64_t unit = at / s->width, bit = (uint64_t)1 << unit % 64;
        if (at % s->width || (s->ends[unit / 64] & bit)) continue;
        uint64_t ends = s->ends_before[unit / 64] +
                        (uint64_t)__builtin_popcountll(s->ends[unit / 64] & (bit - 1));
        uint8_t p[8];
        for (int i = 0; i < 8; i++) p[i] = (uint8_t)((unit - ends) >> 8 * i);
        CPH_TRY(cph_out_write(o, p, pointer_width, err));
    }
    return CPH_OK;
}

static cph_status write_index(const sorter *s, const char *path, cph_err *err)
{
    uint8_t header[INDEX_HEADER] = {'C', 'P', 'H', 'S', 'A', '1'};
    unsigned pointer_width = s->f->n_tokens > UINT32_MAX ? 5 : 4;
    header[8] = 1;
    header[12] = (uint8_t)pointer_width;
    for (int i = 0; i < 8; i++) header[16 + i] = (uint8_t)(s->f->n_tokens >> 8 * i);
    memcpy(header + 24, s->f->sha256.b, 32);
    cph_out o;
    CPH_TRY(cph_out_open(&o, path, err));
    cph_status st = cph_out_write(&o, header, sizeof header, err);
    if (st == CPH_OK) st = write_pointers(s, &o, pointer_width, err);
    if (st == CPH_OK) return cph_out_close(&o, err);
    cph_out_abandon(&o);
    return st;
}

static cph_status sort_and_write(sorter *s, const char *path, cph_err *err)
{
    CPH_TRY(prepare(s, err));
    uint64_t n_bytes = s->n_units * s->width;
    int failed = n_bytes == 0 ? 0 : s->wide ? divsufsort64(s->copy, s->order, (saidx64_t)n_bytes)
                                            : divsufsort(s->copy, s->order, (saidx_t)n_bytes);
    if (failed) return cph_fail(err, CPH_NOMEM, "%s: the sorting of suffixes ran out of memory", path);
    CPH_TRY(cph_interrupt_check("indexing", err));
    return write_index(s, path, err);
}

static cph_status index_file(const char *tokens_dir, const char *out_dir, size_t i,
                             const cph_manifest_file *named, uint64_t *n_tokens, cph_err *err)
{
    char path[CPH_PATH_MAX], name[64];
    token_file f;
    cph_digest now;
    snprintf(name, sizeof name, "tokens-%05zu.tok", i);
    CPH_TRY(cph_path_join(path, tokens_dir, name, err));
    CPH_TRY(cph_file_digest(path, &now, NULL, err));
    if (cph_digest_cmp(&now, &named->sha256) != 0)
        return cph_fail(err, CPH_DATA, "%s: was changed after it was sealed", path);
    CPH_TRY(cph_token_file_map(&f, path, err));
    f.sha256 = named->sha256;
    uint64_t highest;
    sorter s = {.f = &f, .width = width_for(&f, &highest), .n_units = f.n_tokens + f.n_docs};
    cph_status st = highest >= UINT32_MAX ? cph_fail(err, CPH_DATA, "%s: a token is no id", path) : CPH_OK;
    snprintf(name, sizeof name, "sa-%05zu.bin", i);
    if (st == CPH_OK) st = cph_path_join(path, out_dir, name, err);
    if (st == CPH_OK) st = sort_and_write(&s, path, err);
    *n_tokens += f.n_tokens;
    release(&s);
    cph_token_file_unmap(&f);
    return st;
}

static cph_status seal(const cph_manifest *tokens, const char *dir, uint64_t n_tokens, int64_t started,
                       cph_digest *digest, cph_err *err)
{
    cph_arena a;
    cph_arena_init(&a, 0);
    cph_seal what = {.kind = "index", .content_root = true};
    cph_digest parent = cph_manifest_digest(tokens);
    cph_status s = cph_identity_new(&what.identity, &a, err);
    if (s == CPH_OK) s = cph_identity_parent(what.identity, &a, "tokens", "tokens", &parent, err);
    if (s == CPH_OK) s = cph_identity_option(what.identity, &a, "kind", CPH_STR("trace"), err);
    if (s == CPH_OK) s = cph_identity_inherit(what.identity, &a, tokens, "policy", err);
    if (s == CPH_OK) s = cph_identity_inherit(what.identity, &a, tokens, "as_of", err);
    if (s == CPH_OK) s = cph_identity_count(what.identity, &a, "tokens", n_tokens, err);
    if (s == CPH_OK) s = cph_run_new(&what.run, &a, started, err);
    if (s == CPH_OK) s = cph_seal_write(dir, &a, &what, digest, err);
    cph_arena_release(&a);
    return s;
}

static cph_status index_all(const cph_manifest *tokens, const char *tokens_dir, const char *dir,
                            int64_t started, cph_digest *digest, cph_err *err)
{
    cph_manifest_file named;
    uint64_t n_tokens = 0, all = 0;
    cph_progress progress;
    cph_manifest_count(tokens, "tokens", &all);
    cph_progress_begin(&progress, "sorting suffixes", "tokens", all);
    cph_status s = CPH_OK;
    for (size_t i = 0; s == CPH_OK && cph_token_file_named(tokens, i, &named); i++) {
        uint64_t before = n_tokens;
        s = index_file(tokens_dir, dir, i, &named, &n_tokens, err);
        cph_progress_add(&progress, n_tokens - before);
    }
    cph_progress_end(&progress);
    return s == CPH_OK ? seal(tokens, dir, n_tokens, started, digest, err) : s;
}

cph_status cph_trace_build(const char *tokens_dir, const char *out_dir, int64_t started_unix_s,
                           cph_digest *digest, cph_err *err)
{
    cph_manifest *tokens;
    cph_outdir d;
    cph_digest made;
    CPH_TRY(cph_manifest_want(&tokens, tokens_dir, "tokens", err));
    cph_status s = cph_outdir_begin(&d, out_dir, false, err);
    if (s == CPH_OK) {
        s = index_all(tokens, tokens_dir, d.path, started_unix_s, &made, err);
        if (s == CPH_OK) s = cph_outdir_commit(&d, err);
        if (s != CPH_OK) cph_outdir_abort(&d);
    }
    cph_manifest_close(tokens);
    if (s == CPH_OK && digest) *digest = made;
    return s;
}
