/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_rows.c - opens a snapshot and finds rows by key: a binary search over the first keys of
 * the frames, then over the rows of one frame. Eight frames are kept.
 * What must stay true: memory grows with the number of frames (one line each), not of rows.
 */
#include "snapshot_in.h"

#include <colophon/base/memory.h>
#include <colophon/provenance/manifest.h>

#include <stdio.h>
#include <string.h>

#define INDEX_MAX ((size_t)1 << 30)

/* ---- frames and rows; the mutex is held ---- */

static cph_status load_frame(cph_snapshot *s, cph_frame_slot *slot, size_t frame, cph_err *err)
{
    void *ends = slot->ends;
    slot->frame = SIZE_MAX;
    CPH_TRY(cph_zread_frame(s->rows, frame, &slot->bytes, err));
    uint64_t rows = s->frames[frame].rows, n = 0;
    if (rows > slot->bytes.n)
        return cph_fail(err, CPH_DATA, "%s: frame %zu: fewer rows than its index says", s->name, frame);
    CPH_TRY(cph_realloc(&ends, (rows + 1) * sizeof *slot->ends, err));
    slot->ends = ends;
    for (size_t i = 0; i < slot->bytes.n; i++) {
        if (slot->bytes.p[i] != '\n') continue;
        if (n == rows)
            return cph_fail(err, CPH_DATA, "%s: frame %zu: more rows than its index says", s->name, frame);
        slot->ends[n++] = (uint32_t)i;
    }
    if (n != rows || (n && slot->ends[n - 1] + 1 != slot->bytes.n))
        return cph_fail(err, CPH_DATA, "%s: frame %zu: its rows are not those of its index", s->name, frame);
    slot->frame = frame;
    slot->n_rows = n;
    return CPH_OK;
}

cph_status cph_row_frame(cph_snapshot *s, size_t frame, cph_frame_slot **out, cph_err *err)
{
    cph_frame_slot *oldest = &s->cache[0];
    for (size_t i = 0; i < CACHED_FRAMES; i++) {
        cph_frame_slot *slot = &s->cache[i];
        if (slot->frame == frame) {
            slot->last_use = ++s->use;
            *out = slot;
            return CPH_OK;
        }
        if (slot->last_use < oldest->last_use) oldest = slot;
    }
    CPH_TRY(load_frame(s, oldest, frame, err));
    oldest->last_use = ++s->use;
    *out = oldest;
    return CPH_OK;
}

cph_str cph_row_text(const cph_frame_slot *slot, size_t i)
{
    size_t from = i ? slot->ends[i - 1] + 1 : 0;
    return (cph_str){slot->bytes.p + from, slot->ends[i] - from};
}

/* Rows begin with {"_key":"...": canonical order puts it first. The key lives until the next call. */
cph_status cph_row_key(cph_snapshot *s, cph_str row, cph_str *out, cph_err *err)
{
    static const char start[] = "{\"_key\":";
    size_t from = sizeof start - 1, to = from + 1;
    bool escaped = false;
    if (!cph_str_starts(row, start) || row.n <= to || row.p[from] != '"')
        return cph_fail(err, CPH_DATA, "%s: a row without a key: %.60s", s->name, row.p);
    for (; to < row.n && row.p[to] != '"'; to++) {
        if (row.p[to] != '\\') continue;
        escaped = true;
        to++;
    }
    if (to >= row.n) return cph_fail(err, CPH_DATA, "%s: a row is cut: %.60s", s->name, row.p);
    *out = cph_str_sub(row, from + 1, to - from - 1);
    if (!escaped) return CPH_OK;
    cph_json *v;
    cph_arena_reset(&s->scratch);
    CPH_TRY(cph_json_parse(&v, &s->scratch, cph_str_sub(row, from, to + 1 - from), s->name, NULL, err));
    *out = v->str;
    return CPH_OK;
}

/* The first row of the table whose key is not below `key`. */
cph_status cph_row_seek(cph_snapshot *s, cph_table t, cph_str key, cph_cursor *out, cph_err *err)
{
    size_t low = s->table_first[t], high = s->table_first[t + 1];
    while (low < high) { /* the first frame that begins above key */
        size_t mid = low + (high - low) / 2;
        if (cph_str_cmp(s->frames[mid].first, key) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    cph_cursor c = {t, low, 0};
    if (low == s->table_first[t]) { /* before the first row, or an empty table */
        *out = c;
        return CPH_OK;
    }
    cph_frame_slot *slot;
    c.frame = low - 1;
    CPH_TRY(cph_row_frame(s, c.frame, &slot, err));
    size_t a = 0, b = slot->n_rows;
    while (a < b) {
        size_t mid = a + (b - a) / 2;
        cph_str k;
        CPH_TRY(cph_row_key(s, cph_row_text(slot, mid), &k, err));
        if (cph_str_cmp(k, key) < 0)
            a = mid + 1;
        else
            b = mid;
    }
    c.row = a;
    *out = c;
    return CPH_OK;
}

/* The row under the cursor, and on; CPH_END at the table's end. The text lives while its frame is kept. */
cph_status cph_row_next(cph_snapshot *s, cph_cursor *c, cph_str *row, cph_err *err)
{
    cph_frame_slot *slot;
    if (c->frame < s->table_first[c->table + 1] && c->row >= s->frames[c->frame].rows) {
        c->frame++;
        c->row = 0;
    }
    if (c->frame >= s->table_first[c->table + 1]) return CPH_END;
    CPH_TRY(cph_row_frame(s, c->frame, &slot, err));
    *row = cph_row_text(slot, c->row++);
    return CPH_OK;
}

cph_status cph_row_parse(cph_snapshot *s, cph_str text, cph_arena *a, cph_json **out, cph_err *err)
{
    cph_str copy;
    CPH_TRY(cph_arena_str(a, &copy, text, err));
    return cph_json_parse(out, a, copy, s->name, NULL, err);
}

/* CPH_NO: no such row (no message: the caller knows what it looked for). */
cph_status cph_row_of(cph_snapshot *s, cph_table t, cph_str key, cph_arena *a, cph_json **out, cph_err *err)
{
    cph_cursor c;
    cph_str row, k;
    CPH_TRY(cph_row_seek(s, t, key, &c, err));
    cph_status found = cph_row_next(s, &c, &row, err);
    if (found == CPH_END) return CPH_NO;
    CPH_TRY(found);
    CPH_TRY(cph_row_key(s, row, &k, err));
    return cph_str_eq(k, key) ? cph_row_parse(s, row, a, out, err) : CPH_NO;
}

/* The next row whose key starts with `prefix`, parsed; CPH_END when there is none. */
cph_status cph_row_next_with(cph_snapshot *s, cph_cursor *c, cph_str prefix, cph_arena *a, cph_json **out,
                             cph_err *err)
{
    cph_str row, k;
    CPH_TRY(cph_row_next(s, c, &row, err));
    CPH_TRY(cph_row_key(s, row, &k, err));
    if (k.n < prefix.n || memcmp(k.p, prefix.p, prefix.n) != 0) return CPH_END;
    return cph_row_parse(s, row, a, out, err);
}

/* ---- opening ---- */

static cph_status newest_digest(const char *collection, cph_digest *out, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_buf b;
    cph_buf_init(&b, 256);
    CPH_TRY(cph_path_join(path, collection, "snapshots/newest", err));
    if (cph_file_kind_of(path) != CPH_FILE_REGULAR) {
        cph_fail(err, CPH_NO, "%s: the collection has no snapshot yet", collection);
        return cph_hint(err, "colophon build makes one");
    }
    cph_status s = cph_file_read(path, 256, &b, err);
    if (s == CPH_OK && !cph_digest_parse(cph_str_trim(cph_buf_view(&b)), out))
        s = cph_fail(err, CPH_DATA, "%s: holds no digest", path);
    cph_buf_release(&b);
    return s;
}

bool cph_table_named(cph_str name, cph_table *out)
{
    for (size_t t = 0; t < CPH_N_TABLES; t++) {
        if (!cph_str_is(name, cph_table_name((cph_table)t))) continue;
        *out = (cph_table)t;
        return true;
    }
    return false;
}

static cph_status read_frame_line(cph_snapshot *s, cph_arena *a, cph_str line, cph_table *last, cph_err *err)
{
    cph_json *v;
    cph_table t = *last;
    cph_frame_info *f = &s->frames[s->n_frames];
    CPH_TRY(cph_json_parse(&v, a, line, s->name, NULL, err));
    if (!cph_table_named(cph_json_get_str(v, "table"), &t) || t < *last ||
        !cph_json_u64(cph_json_get(v, "rows"), &f->rows) ||
        !cph_json_u64(cph_json_get(v, "start"), &f->start) || f->rows == 0)
        return cph_fail(err, CPH_DATA, "%s: %s: line %zu is no frame", s->name, CPH_SNAPSHOT_FRAMES,
                        s->n_frames + 1);
    for (size_t k = *last + 1u; k <= t; k++) s->table_first[k] = s->n_frames;
    *last = t;
    CPH_TRY(cph_arena_str(&s->index, &f->first, cph_json_get_str(v, "first"), err));
    s->n_frames++;
    return CPH_OK;
}

static cph_status read_index(cph_snapshot *s, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_lines *lines;
    cph_str line;
    cph_table last = (cph_table)0;
    size_t frames = cph_zread_n_frames(s->rows);
    void *block;
    cph_arena a;
    CPH_TRY(cph_alloc_n(&block, frames + 1, sizeof *s->frames, err));
    s->frames = block;
    CPH_TRY(cph_path_join(path, dir, CPH_SNAPSHOT_FRAMES, err));
    CPH_TRY(cph_lines_open(&lines, path, 1u << 16, err));
    cph_arena_init(&a, 1u << 20);
    cph_status st = CPH_OK;
    while (st == CPH_OK && (st = cph_lines_next(lines, &line, err)) == CPH_OK) {
        cph_arena_reset(&a);
        st = s->n_frames < frames ? read_frame_line(s, &a, line, &last, err)
                                  : cph_fail(err, CPH_DATA, "%s: more lines than frames", path);
    }
    cph_lines_close(lines);
    cph_arena_release(&a);
    if (st != CPH_END) return st;
    if (s->n_frames != frames)
        return cph_fail(err, CPH_DATA, "%s: %zu lines for %zu frames", path, s->n_frames, frames);
    for (size_t k = last + 1u; k <= CPH_N_TABLES; k++) s->table_first[k] = s->n_frames;
    return CPH_OK;
}

static cph_status open_lines(cph_snapshot *s, const char *collection, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_path_join(path, collection, "collection.db", err));
    if (cph_file_kind_of(path) != CPH_FILE_REGULAR)
        return cph_fail(err, CPH_IO, "%s: no collection there", collection);
    CPH_TRY(cph_catalogue_open_read(&s->db, path, s->name, err));
    return cph_sql_prepare(&s->line, s->db, s->name, "SELECT raw_bytes, packed FROM line WHERE digest = ?",
                           err);
}

static cph_status open_at(cph_snapshot *s, const char *collection, const cph_digest *digest, cph_err *err)
{
    char hex[CPH_HEX_DIGEST], dir[CPH_PATH_MAX], path[CPH_PATH_MAX];
    cph_manifest *m;
    if (digest)
        s->digest = *digest;
    else
        CPH_TRY(newest_digest(collection, &s->digest, err));
    cph_digest_hex(&s->digest, hex);
    CPH_TRY(cph_path_join(path, collection, "snapshots", err));
    CPH_TRY(cph_path_join(dir, path, hex, err));
    snprintf(s->name, sizeof s->name, "%s: snapshot %.12s", collection, hex);
    if (cph_file_kind_of(dir) != CPH_FILE_DIR)
        return cph_fail(err, CPH_NO, "%s: no snapshot %s", collection, hex);
    CPH_TRY(cph_manifest_open(&m, dir, err));
    cph_digest stated = cph_manifest_digest(m);
    bool is_snapshot = cph_str_is(cph_manifest_kind(m), "snapshot");
    s->sample =
        cph_str_is(cph_json_get_str(cph_json_get(cph_manifest_identity(m), "options"), "sample"), "yes");
    cph_manifest_close(m);
    if (!is_snapshot || cph_digest_cmp(&stated, &s->digest) != 0)
        return cph_fail(err, CPH_DATA, "%s: its manifest is that of another artefact", s->name);
    CPH_TRY(cph_path_join(path, dir, CPH_SNAPSHOT_ROWS, err));
    CPH_TRY(cph_zread_open(&s->rows, path, err));
    CPH_TRY(read_index(s, dir, err));
    return open_lines(s, collection, err);
}

cph_status cph_snapshot_open(cph_snapshot **out, const char *collection, const cph_digest *digest,
                             cph_err *err)
{
    void *block;
    CPH_TRY(cph_alloc0(&block, sizeof **out, err));
    cph_snapshot *s = block;
    pthread_mutex_init(&s->mutex, NULL);
    cph_arena_init(&s->index, INDEX_MAX);
    cph_arena_init(&s->scratch, 1u << 20);
    cph_arena_init(&s->urns, 0);
    for (size_t i = 0; i < CACHED_FRAMES; i++) {
        s->cache[i].frame = SIZE_MAX;
        cph_buf_init(&s->cache[i].bytes, CPH_FRAME_BYTES + CPH_ROW_MAX);
    }
    cph_status st = open_at(s, collection, digest, err);
    if (st != CPH_OK) {
        cph_snapshot_close(s);
        return st;
    }
    *out = s;
    return CPH_OK;
}

void cph_snapshot_close(cph_snapshot *s)
{
    if (!s) return;
    cph_sql_end(&s->line);
    sqlite3_close(s->db);
    cph_zread_close(s->rows);
    for (size_t i = 0; i < CACHED_FRAMES; i++) {
        cph_buf_release(&s->cache[i].bytes);
        cph_free(s->cache[i].ends);
    }
    cph_free(s->frames);
    cph_free(s->work_urns);
    cph_arena_release(&s->index);
    cph_arena_release(&s->scratch);
    cph_arena_release(&s->urns);
    pthread_mutex_destroy(&s->mutex);
    cph_free(s);
}

cph_digest cph_snapshot_digest(const cph_snapshot *s) { return s->digest; }
bool cph_snapshot_is_sample(const cph_snapshot *s) { return s->sample; }

/* The cache is no part of what a snapshot is: readers hold it const. */
cph_snapshot *cph_snapshot_locked(const cph_snapshot *s)
{
    cph_snapshot *m = (cph_snapshot *)(uintptr_t)s;
    pthread_mutex_lock(&m->mutex);
    return m;
}

void cph_snapshot_unlock(cph_snapshot *s) { pthread_mutex_unlock(&s->mutex); }

size_t cph_table_rows(const cph_snapshot *s, cph_table t)
{
    if (s->table_first[t] == s->table_first[t + 1]) return 0;
    const cph_frame_info *last = &s->frames[s->table_first[t + 1] - 1];
    return (size_t)(last->start + last->rows);
}
