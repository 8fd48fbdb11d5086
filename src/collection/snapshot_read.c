/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_read.c - objects, pages, lines and works out of a snapshot.
 * What must stay true: what is returned lives in the caller's arena; no row is loaded that was not asked for.
 */
#include "snapshot_in.h"

#include <colophon/base/memory.h>

#include <string.h>

#define LINES_MAX ((uint64_t)256 << 20)

/* ---- objects and pages ---- */

size_t cph_snapshot_n_objects(const cph_snapshot *s) { return cph_table_rows(s, CPH_TABLE_object); }

static cph_status object_row(cph_snapshot *s, size_t i, cph_arena *a, cph_json **out, cph_err *err)
{
    size_t low = s->table_first[CPH_TABLE_object], high = s->table_first[CPH_TABLE_object + 1];
    while (high - low > 1) { /* the last frame that starts at or before row i */
        size_t mid = low + (high - low) / 2;
        if (s->frames[mid].start <= i)
            low = mid;
        else
            high = mid;
    }
    cph_frame_slot *slot;
    CPH_TRY(cph_row_frame(s, low, &slot, err));
    size_t row = i - (size_t)s->frames[low].start;
    if (row >= slot->n_rows)
        return cph_fail(err, CPH_DATA, "%s: object %zu is not where its index says", s->name, i);
    return cph_row_parse(s, cph_row_text(slot, row), a, out, err);
}

cph_status cph_snapshot_object_at(const cph_snapshot *snapshot, size_t i, cph_arena *a,
                                  cph_snapshot_object *out, cph_err *err)
{
    cph_json *row;
    uint64_t n_pages = 0;
    if (i >= cph_snapshot_n_objects(snapshot))
        return cph_fail(err, CPH_BUG, "%s: no object %zu", snapshot->name, i);
    cph_snapshot *s = cph_snapshot_locked(snapshot);
    cph_status st = object_row(s, i, a, &row, err);
    cph_snapshot_unlock(s);
    CPH_TRY(st);
    if (!cph_json_u64(cph_json_get(row, "n_pages"), &n_pages) || n_pages > UINT32_MAX)
        return cph_fail(err, CPH_DATA, "%s: object %zu has no number of pages", s->name, i);
    *out = (cph_snapshot_object){.key = cph_json_get_str(row, "_key"),
                                 .source_id = cph_json_get_str(row, "source_id"),
                                 .profile = cph_json_get_str(row, "profile"),
                                 .work_urn = cph_json_get_str(row, "work"),
                                 .version = cph_json_get_str(row, "version"),
                                 .row = row,
                                 .n_pages = (uint32_t)n_pages};
    return CPH_OK;
}

/* An absent digest is written as the empty string. */
static bool digest_member(const cph_json *row, const char *name, cph_digest *out)
{
    cph_str hex = cph_json_get_str(row, name);
    if (hex.n) return cph_digest_parse(hex, out);
    *out = (cph_digest){{0}};
    return true;
}

static cph_status page_row(cph_snapshot *s, cph_str object_key, uint32_t index, cph_arena *a, cph_json **out,
                           cph_err *err)
{
    cph_cursor c;
    cph_str prefix, row, k;
    CPH_TRY(cph_arena_printf(a, &prefix, err, "%.*s\t", CPH_FMT(object_key)));
    CPH_TRY(cph_row_seek(s, CPH_TABLE_page, prefix, &c, err));
    /* Orders usually count from 1 without gaps, but nobody promises it: step over whole frames. */
    for (uint32_t left = index; left > 0;) {
        if (c.frame >= s->table_first[CPH_TABLE_page + 1]) break;
        uint64_t here = s->frames[c.frame].rows - c.row;
        if (left < here) {
            c.row += left;
            break;
        }
        left -= (uint32_t)here;
        c.frame++;
        c.row = 0;
    }
    cph_status st = cph_row_next(s, &c, &row, err);
    if (st == CPH_OK) st = cph_row_key(s, row, &k, err);
    if (st == CPH_END || (st == CPH_OK && (k.n < prefix.n || memcmp(k.p, prefix.p, prefix.n) != 0)))
        return cph_fail(err, CPH_NO, "%s: object %.*s has no page %u", s->name, CPH_FMT(object_key), index);
    CPH_TRY(st);
    return cph_row_parse(s, row, a, out, err);
}

cph_status cph_snapshot_page_at(const cph_snapshot *snapshot, cph_str object_key, uint32_t index,
                                cph_arena *a, cph_snapshot_page *out, cph_err *err)
{
    cph_json *row;
    uint64_t order = 0;
    cph_snapshot_page p;
    cph_snapshot *s = cph_snapshot_locked(snapshot);
    cph_status st = page_row(s, object_key, index, a, &row, err);
    cph_snapshot_unlock(s);
    CPH_TRY(st);
    p.label = cph_json_get_str(row, "label");
    if (!cph_json_u64(cph_json_get(row, "order"), &order) || !digest_member(row, "text_file", &p.text_file) ||
        !digest_member(row, "image_file", &p.image_file) || !digest_member(row, "lines", &p.lines))
        return cph_fail(err, CPH_DATA, "%s: page %u of %.*s is no page", s->name, index, CPH_FMT(object_key));
    p.order = (uint32_t)order;
    *out = p;
    return CPH_OK;
}

cph_status cph_snapshot_lines(const cph_snapshot *snapshot, const cph_digest *lines, cph_buf *b, cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    cph_buf packed;
    uint64_t raw_bytes = 0;
    size_t before = b->n;
    cph_digest_hex(lines, hex);
    cph_buf_init(&packed, LINES_MAX);
    cph_snapshot *s = cph_snapshot_locked(snapshot);
    cph_status st = cph_sql_bind(&s->line, err, "b", lines);
    if (st == CPH_OK) st = cph_sql_step(&s->line, err);
    if (st == CPH_OK) {
        raw_bytes = (uint64_t)cph_sql_i64(&s->line, 0);
        st = cph_buf_str(&packed, cph_sql_blob(&s->line, 1), err);
        sqlite3_reset(s->line.st);
    }
    cph_snapshot_unlock(s);
    if (st == CPH_END) st = cph_fail(err, CPH_DATA, "%s: the collection lacks the lines %s", s->name, hex);
    if (st == CPH_OK)
        st = cph_zstd_unpack(b, packed.p, packed.n, raw_bytes < LINES_MAX ? raw_bytes : LINES_MAX, err);
    cph_buf_release(&packed);
    if (st == CPH_OK) {
        cph_digest found = cph_sha256_of(b->p + before, b->n - before);
        if (cph_digest_cmp(&found, lines) != 0) {
            b->n = before;
            st = cph_fail(err, CPH_DATA, "%s: the lines %s were changed in the collection", s->name, hex);
        }
    }
    return st;
}

/* ---- works ---- */

size_t cph_snapshot_n_works(const cph_snapshot *s) { return cph_table_rows(s, CPH_TABLE_work); }

static cph_status load_urns(cph_snapshot *s, cph_err *err)
{
    size_t n = cph_table_rows(s, CPH_TABLE_work), i = 0;
    void *block;
    cph_cursor c = {CPH_TABLE_work, s->table_first[CPH_TABLE_work], 0};
    cph_str row, k;
    cph_status st;
    CPH_TRY(cph_alloc_n(&block, n + 1, sizeof(cph_str), err));
    cph_str *urns = block;
    while ((st = cph_row_next(s, &c, &row, err)) == CPH_OK && i < n) {
        st = cph_row_key(s, row, &k, err);
        if (st == CPH_OK) st = cph_arena_str(&s->urns, &urns[i++], k, err);
        if (st != CPH_OK) break;
    }
    if (st == CPH_END) {
        s->work_urns = urns;
        return CPH_OK;
    }
    cph_free(block);
    return st;
}

cph_str cph_snapshot_work_urn(const cph_snapshot *snapshot, size_t i)
{
    cph_str urn = {"", 0};
    cph_snapshot *s = cph_snapshot_locked(snapshot);
    if (s->work_urns || load_urns(s, NULL) == CPH_OK)
        if (i < cph_table_rows(s, CPH_TABLE_work)) urn = s->work_urns[i];
    cph_snapshot_unlock(s);
    return urn;
}

static cph_status add_contributors(cph_snapshot *s, cph_json *work, cph_str urn, cph_arena *a, cph_err *err)
{
    static const char *const marks[] = {"_key", "_table", NULL};
    cph_cursor c;
    cph_str prefix;
    cph_json *list, *row, *bare;
    CPH_TRY(cph_json_new(&list, a, CPH_JSON_ARRAY, err));
    CPH_TRY(cph_arena_printf(a, &prefix, err, "%.*s\t", CPH_FMT(urn)));
    CPH_TRY(cph_row_seek(s, CPH_TABLE_contributor, prefix, &c, err));
    cph_status st;
    while ((st = cph_row_next_with(s, &c, prefix, a, &row, err)) == CPH_OK) {
        CPH_TRY(cph_json_copy(&bare, a, row, marks, err));
        CPH_TRY(cph_json_push(list, bare, err));
    }
    if (st != CPH_END) return st;
    return cph_json_set(work, a, "contributors", list, err);
}

/* The merged terms of a licence out of its statements. */
static cph_status licence_of(cph_snapshot *s, cph_str id, cph_arena *a, cph_json **out, cph_err *err)
{
    cph_cursor c;
    cph_str prefix;
    cph_json *row;
    void *block;
    size_t n = 0;
    cph_status st;
    CPH_TRY(cph_arena_printf(a, &prefix, err, "%.*s\t", CPH_FMT(id)));
    CPH_TRY(cph_row_seek(s, CPH_TABLE_licence, prefix, &c, err));
    cph_cursor again = c;
    while ((st = cph_row_next_with(s, &c, prefix, a, &row, err)) == CPH_OK) n++;
    if (st != CPH_END) return st;
    if (n == 0) return cph_fail(err, CPH_DATA, "%s: no licence %.*s", s->name, CPH_FMT(id));
    CPH_TRY(cph_arena_alloc0(a, &block, n, sizeof(cph_statement), err));
    cph_statement *at = block;
    for (size_t i = 0; i < n; i++) {
        CPH_TRY(cph_row_next_with(s, &again, prefix, a, &row, err));
        at[i].facts = cph_json_get(row, "facts");
        at[i].source = cph_json_get_str(row, "source");
    }
    return cph_merge_agreeing(out, a, at, n, err);
}

static cph_status scoped_facts(cph_snapshot *s, cph_str kind, cph_str key, cph_str hex, cph_arena *a,
                               cph_json **out, cph_err *err)
{
    cph_table t = CPH_TABLE_signal;
    cph_str row_name;
    cph_json *row;
    if (!cph_table_named(kind, &t))
        return cph_fail(err, CPH_DATA, "%s: a scope of kind %.*s", s->name, CPH_FMT(kind));
    if (t == CPH_TABLE_licence) return licence_of(s, key, a, out, err);
    CPH_TRY(cph_arena_printf(a, &row_name, err, "%.*s\t%.*s", CPH_FMT(key), CPH_FMT(hex)));
    cph_status st = cph_row_of(s, t, row_name, a, &row, err);
    if (st == CPH_NO)
        return cph_fail(err, CPH_DATA, "%s: no %.*s %.*s", s->name, CPH_FMT(kind), CPH_FMT(key));
    CPH_TRY(st);
    return cph_json_copy(out, a, cph_json_get(row, "facts"), NULL, err);
}

static cph_status add_scoped(cph_snapshot *s, cph_work_view *v, cph_str urn, cph_arena *a, cph_err *err)
{
    cph_cursor c;
    cph_str prefix, last = {"", 0}, kind, key, hex;
    cph_json *row, *facts;
    cph_status st;
    CPH_TRY(cph_arena_printf(a, &prefix, err, "%.*s\t", CPH_FMT(urn)));
    CPH_TRY(cph_row_seek(s, CPH_TABLE_scope, prefix, &c, err));
    while ((st = cph_row_next_with(s, &c, prefix, a, &row, err)) == CPH_OK) {
        cph_str k = cph_json_get_str(row, "_key"), rest = cph_str_sub(k, prefix.n, k.n);
        if (!cph_str_split(&rest, '\t', &kind) || !cph_str_split(&rest, '\t', &key) ||
            !cph_str_split(&rest, '\t', &hex))
            return cph_fail(err, CPH_DATA, "%s: a scope row without its parts", s->name);
        bool licence = cph_str_is(kind, "licence");
        if (licence && cph_str_eq(key, last)) continue; /* another statement of the same licence */
        if (licence) last = key;
        CPH_TRY(scoped_facts(s, kind, key, hex, a, &facts, err));
        CPH_TRY(cph_work_view_add(v, a, kind, facts, err));
    }
    return st == CPH_END ? CPH_OK : st;
}

static cph_status work_view(cph_snapshot *s, cph_str urn, cph_arena *a, cph_json **out, cph_err *err)
{
    static const char *const marks[] = {"_key", "_table", NULL};
    cph_json *row, *work;
    cph_work_view v;
    cph_status st = cph_row_of(s, CPH_TABLE_work, urn, a, &row, err);
    if (st == CPH_NO) return cph_fail(err, CPH_NO, "%s: no work %.*s", s->name, CPH_FMT(urn));
    CPH_TRY(st);
    CPH_TRY(cph_json_copy(&work, a, row, marks, err));
    CPH_TRY(add_contributors(s, work, urn, a, err));
    CPH_TRY(cph_work_view_new(&v, a, work, err));
    CPH_TRY(add_scoped(s, &v, urn, a, err));
    *out = v.top;
    return CPH_OK;
}

cph_status cph_snapshot_work(const cph_snapshot *snapshot, cph_str urn, cph_arena *a, const cph_json **out,
                             cph_err *err)
{
    cph_json *view = NULL;
    cph_snapshot *s = cph_snapshot_locked(snapshot);
    cph_status st = work_view(s, urn, a, &view, err);
    cph_snapshot_unlock(s);
    if (st == CPH_OK) *out = view;
    return st;
}
