/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects.c - objects with their files, pages and problems: one transaction each.
 * What must stay true: the key depends on the source id and the bytes of the files alone.
 */
#include "collection_in.h"

#include <colophon/base/memory.h>
#include <colophon/base/zstream.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SOURCE_ID_MAX 1024
#define KEY_STEM 90 /* longer source ids are cut and end in a hash of the whole */

/* ---- keys ---- */

cph_status cph_key_check(cph_str key, const char *what, size_t max, cph_err *err)
{
    if (key.n == 0) return cph_fail(err, CPH_DATA, "%s is empty", what);
    if (key.n > max)
        return cph_fail(err, CPH_DATA, "%s has %zu bytes, the limit is %zu: %.60s...", what, key.n, max,
                        key.p);
    size_t bad = cph_utf8_check(key.p, key.n);
    if (bad != key.n) return cph_fail(err, CPH_DATA, "%s is not valid UTF-8 at byte %zu", what, bad);
    for (size_t i = 0; i < key.n; i++)
        if ((unsigned char)key.p[i] < 0x20)
            return cph_fail(err, CPH_DATA, "%s has a control character at byte %zu: %.*s", what, i,
                            CPH_FMT(key));
    return CPH_OK;
}

static int digests_by_bytes(const void *a, const void *b) { return cph_digest_cmp(a, b); }

/* SHA-256 over the files' digests in byte order: neither names nor the order of arrival count. */
static cph_digest files_digest(const cph_object_record *o, cph_digest *sorted)
{
    cph_sha256 h;
    cph_sha256_init(&h);
    for (size_t i = 0; i < o->n_files; i++) sorted[i] = o->files[i].sha256;
    qsort(sorted, o->n_files, sizeof *sorted, digests_by_bytes);
    for (size_t i = 0; i < o->n_files; i++) cph_sha256_add(&h, sorted[i].b, sizeof sorted[i].b);
    return cph_sha256_end(&h);
}

/* Without memory for a sorted copy: selects the next larger digest, n times. */
static cph_digest files_digest_in_place(const cph_object_record *o)
{
    cph_sha256 h;
    cph_sha256_init(&h);
    const cph_digest *last = NULL;
    for (size_t done = 0; done < o->n_files;) {
        const cph_digest *next = NULL;
        size_t copies = 0;
        for (size_t i = 0; i < o->n_files; i++) {
            const cph_digest *d = &o->files[i].sha256;
            if (last && cph_digest_cmp(d, last) <= 0) continue;
            int order = next ? cph_digest_cmp(d, next) : -1;
            if (order < 0) next = d;
            copies = order < 0 ? 1 : copies + (order == 0);
        }
        for (size_t k = 0; k < copies; k++) cph_sha256_add(&h, next->b, sizeof next->b);
        done += copies;
        last = next;
    }
    return cph_sha256_end(&h);
}

void cph_object_key(const cph_object_record *o, char out[160])
{
    void *block = NULL;
    cph_status s = cph_alloc_n(&block, o->n_files, sizeof(cph_digest), NULL);
    cph_digest d = s == CPH_OK ? files_digest(o, block) : files_digest_in_place(o);
    cph_free(block);

    char hex[CPH_HEX_DIGEST], stem[KEY_STEM + 8];
    cph_digest_hex(&d, hex);
    if (o->source_id.n <= KEY_STEM) {
        snprintf(stem, sizeof stem, "%.*s", CPH_FMT(o->source_id));
    } else {
        cph_digest whole = cph_sha256_of(o->source_id.p, o->source_id.n);
        char tail[CPH_HEX_DIGEST];
        size_t n = KEY_STEM - 17;
        while (n > 0 && ((unsigned char)o->source_id.p[n] & 0xC0) == 0x80) n--;
        cph_digest_hex(&whole, tail);
        snprintf(stem, sizeof stem, "%.*s~%.16s", (int)n, o->source_id.p, tail);
    }
    snprintf(out, 160, "%.*s@%s", KEY_STEM, stem, hex);
}

/* ---- one object ---- */

cph_status cph_work_register(cph_collection *c, cph_str urn, cph_err *err)
{
    cph_sql q;
    CPH_TRY(cph_key_check(urn, "the work's urn", SOURCE_ID_MAX, err));
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "INSERT OR IGNORE INTO work VALUES(?)", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "t", urn);
    if (s == CPH_OK) s = cph_sql_run(&q, err);
    cph_sql_end(&q);
    return s;
}

/* Canonical form of JSON that ingest brings; empty stays empty. */
static cph_status canonical(cph_buf *out, cph_arena *a, cph_str json, const char *what, cph_err *err)
{
    cph_json *v;
    out->n = 0;
    if (json.n == 0) return CPH_OK;
    CPH_TRY(cph_json_parse(&v, a, json, what, NULL, err));
    cph_status s = cph_json_canonical(out, v, err);
    return s == CPH_OK ? s : cph_err_prefix(err, "%s", what);
}

static cph_status insert_object(cph_collection *c, const cph_object_record *o, cph_str key, cph_arena *a,
                                cph_err *err)
{
    cph_sql q = {0};
    cph_buf edition, meta, divisions;
    cph_str work = o->work_urn.n ? o->work_urn : key;

    cph_buf_init(&edition, CPH_ROW_MAX);
    cph_buf_init(&meta, CPH_ROW_MAX);
    cph_buf_init(&divisions, CPH_ROW_MAX);
    cph_status s = canonical(&edition, a, o->edition_json, "edition facts", err);
    if (s == CPH_OK) s = canonical(&meta, a, o->meta_json, "meta", err);
    if (s == CPH_OK) s = canonical(&divisions, a, o->divisions_json, "divisions", err);
    if (s == CPH_OK) s = cph_work_register(c, work, err);
    if (s == CPH_OK)
        s = cph_sql_prepare(&q, c->db, c->path, "INSERT INTO object VALUES(?,?,?,?,?,?,?,?)", err);
    if (s == CPH_OK)
        s = cph_sql_bind(&q, err, "ttttttti", key, o->source_id, o->profile, work, cph_buf_view(&edition),
                         cph_buf_view(&meta), cph_buf_view(&divisions), (int64_t)o->n_pages);
    if (s == CPH_OK) s = cph_sql_run(&q, err);
    cph_sql_end(&q);
    /* One document an object, until an object is divided. */
    if (s == CPH_OK) s = cph_sql_prepare(&q, c->db, c->path, "INSERT INTO document VALUES(?,?,?)", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "ttt", key, work, key);
    if (s == CPH_OK) s = cph_sql_run(&q, err);
    cph_sql_end(&q);
    cph_buf_release(&edition);
    cph_buf_release(&meta);
    cph_buf_release(&divisions);
    return s;
}

static cph_status insert_files(cph_collection *c, const cph_object_record *o, cph_str key, cph_err *err)
{
    cph_sql q;
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "INSERT INTO file VALUES(?,?,?,?,?,?,?,?)", err);
    for (size_t i = 0; s == CPH_OK && i < o->n_files; i++) {
        const cph_source_file *f = &o->files[i];
        struct stat st;
        s = cph_sql_bind(&q, err, "ttbittti", key, f->path, &f->sha256, (int64_t)f->bytes, f->role,
                         f->checksum_state, cph_str_of(f->by_reference ? f->from : ""), (int64_t)0);
        if (s == CPH_OK && !f->by_reference) {
            sqlite3_bind_null(q.st, 7);
            sqlite3_bind_null(q.st, 8);
        } else if (s == CPH_OK && stat(f->from, &st) == 0) {
            sqlite3_bind_int64(q.st, 8, (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
        }
        if (s == CPH_OK) s = cph_sql_run(&q, err);
        if (s != CPH_OK) cph_err_prefix(err, "%.*s", CPH_FMT(f->path));
    }
    cph_sql_end(&q);
    return s;
}

typedef struct packed_page {
    cph_digest digest;
    size_t at, n; /* in the shared buffer; n == 0: no text */
    size_t raw;
} packed_page;

/* Compression stays outside the lock, so that parallel ingest meets only at the inserts. */
static cph_status pack_pages(const cph_object_record *o, packed_page *packed, cph_buf *bytes, cph_err *err)
{
    for (size_t i = 0; i < o->n_pages; i++) {
        cph_str lines = o->pages[i].lines_json;
        packed[i] = (packed_page){.at = bytes->n, .raw = lines.n};
        if (lines.n == 0) continue;
        packed[i].digest = cph_sha256_of(lines.p, lines.n);
        CPH_TRY(cph_zstd_pack(bytes, lines.p, lines.n, err));
        packed[i].n = bytes->n - packed[i].at;
    }
    return CPH_OK;
}

static cph_status insert_pages(cph_collection *c, const cph_object_record *o, cph_str key,
                               const packed_page *packed, const cph_buf *bytes, cph_err *err)
{
    cph_sql line, page = {0};
    cph_status s = cph_sql_prepare(&line, c->db, c->path, "INSERT OR IGNORE INTO line VALUES(?,?,?)", err);
    if (s == CPH_OK)
        s = cph_sql_prepare(&page, c->db, c->path, "INSERT INTO page VALUES(?,?,?,?,?,?,?,?)", err);
    for (size_t i = 0; s == CPH_OK && i < o->n_pages; i++) {
        const cph_page_record *p = &o->pages[i];
        cph_str z = {bytes->p + packed[i].at, packed[i].n};
        if (z.n) {
            s = cph_sql_bind(&line, err, "biB", &packed[i].digest, (int64_t)packed[i].raw, z);
            if (s == CPH_OK) s = cph_sql_run(&line, err);
        }
        if (s == CPH_OK)
            s = cph_sql_bind(&page, err, "titbbiib", key, (int64_t)p->order, p->label, &p->text_file,
                             &p->image_file, (int64_t)p->width, (int64_t)p->height,
                             z.n ? &packed[i].digest : NULL);
        if (s == CPH_OK) s = cph_sql_run(&page, err);
        if (s != CPH_OK) cph_err_prefix(err, "page %u", p->order);
    }
    cph_sql_end(&line);
    cph_sql_end(&page);
    return s;
}

static cph_status insert_problem(cph_collection *c, cph_str object, const cph_problem *p, cph_err *err)
{
    cph_sql q;
    cph_status s =
        cph_sql_prepare(&q, c->db, c->path, "INSERT OR IGNORE INTO problem VALUES(?,?,?,?,?)", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "ttttt", object, p->file, p->place, p->rule, p->sentence);
    if (s == CPH_OK) s = cph_sql_run(&q, err);
    cph_sql_end(&q);
    return s;
}

static cph_status insert_all(cph_collection *c, const cph_object_record *o, cph_str key,
                             const packed_page *packed, const cph_buf *bytes, cph_arena *a, bool *added,
                             cph_err *err)
{
    bool has = false;
    CPH_TRY(cph_collection_begin(c, err));
    cph_status s = cph_collection_has_object(c, key, &has, err);
    if (s == CPH_OK && !has) s = insert_object(c, o, key, a, err);
    if (s == CPH_OK && !has) s = insert_files(c, o, key, err);
    if (s == CPH_OK && !has) s = insert_pages(c, o, key, packed, bytes, err);
    for (size_t i = 0; s == CPH_OK && !has && i < o->n_problems; i++)
        s = insert_problem(c, key, &o->problems[i], err);
    if (s != CPH_OK) {
        cph_collection_rollback(c);
        return s;
    }
    CPH_TRY(cph_collection_commit(c, err));
    *added = !has;
    return CPH_OK;
}

cph_status cph_collection_add_object(cph_collection *c, const cph_object_record *o, bool *added, cph_err *err)
{
    char key[160];
    bool has = false;
    CPH_TRY(cph_catalogue_writable(c, err));
    CPH_TRY(cph_key_check(o->source_id, "the source id", SOURCE_ID_MAX, err));
    cph_object_key(o, key);
    CPH_TRY(cph_collection_has_object(c, cph_str_of(key), &has, err));
    if (has) {
        *added = false;
        return CPH_OK;
    }
    /* Content first and on disk: a row never names bytes that are not there. */
    CPH_TRY(cph_content_put_all(c, o->files, o->n_files, err));

    cph_arena a;
    cph_buf bytes;
    void *packed = NULL;
    cph_arena_init(&a, (size_t)1 << 30);
    cph_buf_init(&bytes, (size_t)1 << 32);
    cph_status s = cph_alloc_n(&packed, o->n_pages + 1, sizeof(packed_page), err);
    if (s == CPH_OK) s = pack_pages(o, packed, &bytes, err);
    if (s == CPH_OK) s = insert_all(c, o, cph_str_of(key), packed, &bytes, &a, added, err);
    if (s != CPH_OK) cph_err_prefix(err, "object %.*s", CPH_FMT(o->source_id));
    cph_free(packed);
    cph_buf_release(&bytes);
    cph_arena_release(&a);
    return s;
}

cph_status cph_collection_has_object(cph_collection *c, cph_str key, bool *has, cph_err *err)
{
    cph_sql q;
    cph_collection_lock(c);
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "SELECT 1 FROM object WHERE key = ?", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "t", key);
    if (s == CPH_OK) s = cph_sql_step(&q, err);
    cph_sql_end(&q);
    cph_collection_unlock(c);
    if (s == CPH_OK || s == CPH_END) *has = s == CPH_OK;
    return s == CPH_END ? CPH_OK : s;
}

cph_status cph_collection_add_problem(cph_collection *c, const cph_problem *p, cph_err *err)
{
    cph_collection_lock(c);
    cph_status s = cph_catalogue_writable(c, err);
    if (s == CPH_OK) s = insert_problem(c, CPH_STR(""), p, err);
    cph_collection_unlock(c);
    return s;
}
