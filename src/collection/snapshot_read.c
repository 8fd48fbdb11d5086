/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_read.c - reads a snapshot by key: a binary search over the first keys of the frames,
 * then over the rows of one frame. Eight frames are kept.
 * What must stay true: memory grows with the number of frames (one line each), not of rows.
 */
#include "collection_in.h"

#include <colophon/base/memory.h>
#include <colophon/base/zstream.h>
#include <colophon/provenance/manifest.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHED_FRAMES 8
#define INDEX_MAX ((size_t)1 << 30)
#define LINES_MAX ((uint64_t)256 << 20)

typedef struct frame_info {
    cph_str first;
    uint64_t rows, start; /* start: the first row's number in its table */
} frame_info;

typedef struct frame_slot {
    size_t frame;      /* SIZE_MAX: empty */
    uint64_t last_use;
    cph_buf bytes;
    uint32_t *ends;    /* of each row, its LF not counted */
    size_t n_rows;
} frame_slot;

struct cph_snapshot {
    char name[CPH_PATH_MAX]; /* for messages */
    cph_digest digest;
    bool sample;
    cph_zread *rows;
    cph_arena index;                          /* first keys */
    frame_info *frames;
    size_t n_frames, table_first[CPH_N_TABLES + 1]; /* frames of table t: [first[t], first[t+1]) */
    pthread_mutex_t mutex;                    /* guards what follows */
    frame_slot cache[CACHED_FRAMES];
    uint64_t use;
    cph_arena scratch;                        /* keys with escapes */
    cph_arena urns;                           /* filled at the first call of cph_snapshot_work_urn */
    cph_str *work_urns;
    sqlite3 *db;
    cph_sql line;
};

/* ---- frames and rows; the mutex is held ---- */

static cph_status load_frame(cph_snapshot *s, frame_slot *slot, size_t frame, cph_err *err)
{
    void *ends = slot->ends;
    slot->frame = SIZE_MAX;
    CPH_TRY(cph_zread_frame(s->rows, frame, &slot->bytes, err));
    uint64_t rows = s->frames[frame].rows, n = 0;
    if (rows > slot->bytes.n) return cph_fail(err, CPH_DATA, "%s: frame %zu: fewer rows than its index says", s->name, frame);
    CPH_TRY(cph_realloc(&ends, (rows + 1) * sizeof *slot->ends, err));
    slot->ends = ends;
    for (size_t i = 0; i < slot->bytes.n; i++) {
        if (slot->bytes.p[i] != '\n') continue;
        if (n == rows) return cph_fail(err, CPH_DATA, "%s: frame %zu: more rows than its index says", s->name, frame);
        slot->ends[n++] = (uint32_t)i;
    }
    if (n != rows || (n && slot->ends[n - 1] + 1 != slot->bytes.n))
        return cph_fail(err, CPH_DATA, "%s: frame %zu: its rows are not those of its index", s->name, frame);
    slot->frame = frame;
    slot->n_rows = n;
    return CPH_OK;
}

static cph_status frame_at(cph_snapshot *s, size_t frame, frame_slot **out, cph_err *err)
{
    frame_slot *oldest = &s->cache[0];
    for (size_t i = 0; i < CACHED_FRAMES; i++) {
        frame_slot *slot = &s->cache[i];
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

static cph_str row_text(const frame_slot *slot, size_t i)
{
    size_t from = i ? slot->ends[i - 1] + 1 : 0;
    return (cph_str){slot->bytes.p + from, slot->ends[i] - from};
}

/* Rows begin with {"_key":"...": canonical order puts it first. The key lives until the next call. */
static cph_status row_key(cph_snapshot *s, cph_str row, cph_str *out, cph_err *err)
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

typedef struct cursor {
    cph_table table;
    size_t frame, row;
} cursor;

/* The first row of the table whose key is not below `key`. */
static cph_status seek(cph_snapshot *s, cph_table t, cph_str key, cursor *out, cph_err *err)
{
    size_t low = s->table_first[t], high = s->table_first[t + 1];
    while (low < high) { /* the first frame that begins above key */
        size_t mid = low + (high - low) / 2;
        if (cph_str_cmp(s->frames[mid].first, key) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    cursor c = {t, low, 0};
    if (low == s->table_first[t]) { /* before the first row, or an empty table */
        *out = c;
        return CPH_OK;
    }
    frame_slot *slot;
    c.frame = low - 1;
    CPH_TRY(frame_at(s, c.frame, &slot, err));
    size_t a = 0, b = slot->n_rows;
    while (a < b) {
        size_t mid = a + (b - a) / 2;
        cph_str k;
        CPH_TRY(row_key(s, row_text(slot, mid), &k, err));
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
static cph_status next_row(cph_snapshot *s, cursor *c, cph_str *row, cph_err *err)
{
    frame_slot *slot;
    if (c->frame < s->table_first[c->table + 1] && c->row >= s->frames[c->frame].rows) {
        c->frame++;
        c->row = 0;
    }
    if (c->frame >= s->table_first[c->table + 1]) return CPH_END;
    CPH_TRY(frame_at(s, c->frame, &slot, err));
    *row = row_text(slot, c->row++);
    return CPH_OK;
}

static cph_status parse_row(cph_snapshot *s, cph_str text, cph_arena *a, cph_json **out, cph_err *err)
{
    cph_str copy;
    CPH_TRY(cph_arena_str(a, &copy, text, err));
    return cph_json_parse(out, a, copy, s->name, NULL, err);
}

/* CPH_NO: no such row (no message: the caller knows what it looked for). */
static cph_status row_of(cph_snapshot *s, cph_table t, cph_str key, cph_arena *a, cph_json **out, cph_err *err)
{
    cursor c;
    cph_str row, k;
    CPH_TRY(seek(s, t, key, &c, err));
    cph_status found = next_row(s, &c, &row, err);
    if (found == CPH_END) return CPH_NO;
    CPH_TRY(found);
    CPH_TRY(row_key(s, row, &k, err));
    return cph_str_eq(k, key) ? parse_row(s, row, a, out, err) : CPH_NO;
}

/* The next row whose key starts with `prefix`, parsed; CPH_END when there is none. */
static cph_status next_with(cph_snapshot *s, cursor *c, cph_str prefix, cph_arena *a, cph_json **out, cph_err *err)
{
    cph_str row, k;
    CPH_TRY(next_row(s, c, &row, err));
    CPH_TRY(row_key(s, row, &k, err));
    if (k.n < prefix.n || memcmp(k.p, prefix.p, prefix.n) != 0) return CPH_END;
    return parse_row(s, row, a, out, err);
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

static bool table_named(cph_str name, cph_table *out)
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
    frame_info *f = &s->frames[s->n_frames];
    CPH_TRY(cph_json_parse(&v, a, line, s->name, NULL, err));
    if (!table_named(cph_json_get_str(v, "table"), &t) || t < *last || !cph_json_u64(cph_json_get(v, "rows"), &f->rows) ||
        !cph_json_u64(cph_json_get(v, "start"), &f->start) || f->rows == 0)
        return cph_fail(err, CPH_DATA, "%s: %s: line %zu is no frame", s->name, CPH_SNAPSHOT_FRAMES, s->n_frames + 1);
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
    if (s->n_frames != frames) return cph_fail(err, CPH_DATA, "%s: %zu lines for %zu frames", path, s->n_frames, frames);
    for (size_t k = last + 1u; k <= CPH_N_TABLES; k++) s->table_first[k] = s->n_frames;
    return CPH_OK;
}

static cph_status open_lines(cph_snapshot *s, const char *collection, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_path_join(path, collection, "collection.db", err));
    if (cph_file_kind_of(path) != CPH_FILE_REGULAR) return cph_fail(err, CPH_IO, "%s: no collection there", collection);
    CPH_TRY(cph_catalogue_open_read(&s->db, path, s->name, err));
    return cph_sql_prepare(&s->line, s->db, s->name, "SELECT raw_bytes, packed FROM line WHERE digest = ?", err);
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
    if (cph_file_kind_of(dir) != CPH_FILE_DIR) return cph_fail(err, CPH_NO, "%s: no snapshot %s", collection, hex);
    CPH_TRY(cph_manifest_open(&m, dir, err));
    cph_digest stated = cph_manifest_digest(m);
    bool is_snapshot = cph_str_is(cph_manifest_kind(m), "snapshot");
    s->sample = cph_str_is(cph_json_get_str(cph_json_get(cph_manifest_identity(m), "options"), "sample"), "yes");
    cph_manifest_close(m);
    if (!is_snapshot || cph_digest_cmp(&stated, &s->digest) != 0)
        return cph_fail(err, CPH_DATA, "%s: its manifest is that of another artefact", s->name);
    CPH_TRY(cph_path_join(path, dir, CPH_SNAPSHOT_ROWS, err));
    CPH_TRY(cph_zread_open(&s->rows, path, err));
    CPH_TRY(read_index(s, dir, err));
    return open_lines(s, collection, err);
}

cph_status cph_snapshot_open(cph_snapshot **out, const char *collection, const cph_digest *digest, cph_err *err)
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
static cph_snapshot *locked(const cph_snapshot *s)
{
    cph_snapshot *m = (cph_snapshot *)(uintptr_t)s;
    pthread_mutex_lock(&m->mutex);
    return m;
}

static void unlock(cph_snapshot *s) { pthread_mutex_unlock(&s->mutex); }

static size_t table_rows(const cph_snapshot *s, cph_table t)
{
    if (s->table_first[t] == s->table_first[t + 1]) return 0;
    const frame_info *last = &s->frames[s->table_first[t + 1] - 1];
    return (size_t)(last->start + last->rows);
}

/* ---- objects and pages ---- */

size_t cph_snapshot_n_objects(const cph_snapshot *s) { return table_rows(s, CPH_TABLE_object); }

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
    frame_slot *slot;
    CPH_TRY(frame_at(s, low, &slot, err));
    size_t row = i - (size_t)s->frames[low].start;
    if (row >= slot->n_rows) return cph_fail(err, CPH_DATA, "%s: object %zu is not where its index says", s->name, i);
    return parse_row(s, row_text(slot, row), a, out, err);
}

cph_status cph_snapshot_object_at(const cph_snapshot *snapshot, size_t i, cph_arena *a, cph_snapshot_object *out,
                                  cph_err *err)
{
    cph_json *row;
    uint64_t n_pages = 0;
    if (i >= cph_snapshot_n_objects(snapshot)) return cph_fail(err, CPH_BUG, "%s: no object %zu", snapshot->name, i);
    cph_snapshot *s = locked(snapshot);
    cph_status st = object_row(s, i, a, &row, err);
    unlock(s);
    CPH_TRY(st);
    if (!cph_json_u64(cph_json_get(row, "n_pages"), &n_pages) || n_pages > UINT32_MAX)
        return cph_fail(err, CPH_DATA, "%s: object %zu has no number of pages", s->name, i);
    *out = (cph_snapshot_object){.key = cph_json_get_str(row, "_key"), .source_id = cph_json_get_str(row, "source_id"),
                                 .profile = cph_json_get_str(row, "profile"), .work_urn = cph_json_get_str(row, "work"),
                                 .version = cph_json_get_str(row, "version"), .row = row, .n_pages = (uint32_t)n_pages};
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
    cursor c;
    cph_str prefix, row, k;
    CPH_TRY(cph_arena_printf(a, &prefix, err, "%.*s\t", CPH_FMT(object_key)));
    CPH_TRY(seek(s, CPH_TABLE_page, prefix, &c, err));
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
    cph_status st = next_row(s, &c, &row, err);
    if (st == CPH_OK) st = row_key(s, row, &k, err);
    if (st == CPH_END || (st == CPH_OK && (k.n < prefix.n || memcmp(k.p, prefix.p, prefix.n) != 0)))
        return cph_fail(err, CPH_NO, "%s: object %.*s has no page %u", s->name, CPH_FMT(object_key), index);
    CPH_TRY(st);
    return parse_row(s, row, a, out, err);
}

cph_status cph_snapshot_page_at(const cph_snapshot *snapshot, cph_str object_key, uint32_t index, cph_arena *a,
                                cph_snapshot_page *out, cph_err *err)
{
    cph_json *row;
    uint64_t order = 0;
    cph_snapshot_page p;
    cph_snapshot *s = locked(snapshot);
    cph_status st = page_row(s, object_key, index, a, &row, err);
    unlock(s);
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
    cph_snapshot *s = locked(snapshot);
    cph_status st = cph_sql_bind(&s->line, err, "b", lines);
    if (st == CPH_OK) st = cph_sql_step(&s->line, err);
    if (st == CPH_OK) {
        raw_bytes = (uint64_t)cph_sql_i64(&s->line, 0);
        st = cph_buf_str(&packed, cph_sql_blob(&s->line, 1), err);
        sqlite3_reset(s->line.st);
    }
    unlock(s);
    if (st == CPH_END) st = cph_fail(err, CPH_DATA, "%s: the collection lacks the lines %s", s->name, hex);
    if (st == CPH_OK) st = cph_zstd_unpack(b, packed.p, packed.n, raw_bytes < LINES_MAX ? raw_bytes : LINES_MAX, err);
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

size_t cph_snapshot_n_works(const cph_snapshot *s) { return table_rows(s, CPH_TABLE_work); }

static cph_status load_urns(cph_snapshot *s, cph_err *err)
{
    size_t n = table_rows(s, CPH_TABLE_work), i = 0;
    void *block;
    cursor c = {CPH_TABLE_work, s->table_first[CPH_TABLE_work], 0};
    cph_str row, k;
    cph_status st;
    CPH_TRY(cph_alloc_n(&block, n + 1, sizeof(cph_str), err));
    cph_str *urns = block;
    while ((st = next_row(s, &c, &row, err)) == CPH_OK && i < n) {
        st = row_key(s, row, &k, err);
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
    cph_snapshot *s = locked(snapshot);
    if (s->work_urns || load_urns(s, NULL) == CPH_OK)
        if (i < table_rows(s, CPH_TABLE_work)) urn = s->work_urns[i];
    unlock(s);
    return urn;
}

static cph_status add_contributors(cph_snapshot *s, cph_json *work, cph_str urn, cph_arena *a, cph_err *err)
{
    static const char *const marks[] = {"_key", "_table", NULL};
    cursor c;
    cph_str prefix;
    cph_json *list, *row, *bare;
    CPH_TRY(cph_json_new(&list, a, CPH_JSON_ARRAY, err));
    CPH_TRY(cph_arena_printf(a, &prefix, err, "%.*s\t", CPH_FMT(urn)));
    CPH_TRY(seek(s, CPH_TABLE_contributor, prefix, &c, err));
    cph_status st;
    while ((st = next_with(s, &c, prefix, a, &row, err)) == CPH_OK) {
        CPH_TRY(cph_json_copy(&bare, a, row, marks, err));
        CPH_TRY(cph_json_push(list, bare, err));
    }
    if (st != CPH_END) return st;
    return cph_json_set(work, a, "contributors", list, err);
}

/* The merged terms of a licence out of its statements. */
static cph_status licence_of(cph_snapshot *s, cph_str id, cph_arena *a, cph_json **out, cph_err *err)
{
    cursor c;
    cph_str prefix;
    cph_json *row;
    void *block;
    size_t n = 0;
    cph_status st;
    CPH_TRY(cph_arena_printf(a, &prefix, err, "%.*s\t", CPH_FMT(id)));
    CPH_TRY(seek(s, CPH_TABLE_licence, prefix, &c, err));
    cursor again = c;
    while ((st = next_with(s, &c, prefix, a, &row, err)) == CPH_OK) n++;
    if (st != CPH_END) return st;
    if (n == 0) return cph_fail(err, CPH_DATA, "%s: no licence %.*s", s->name, CPH_FMT(id));
    CPH_TRY(cph_arena_alloc0(a, &block, n, sizeof(cph_statement), err));
    cph_statement *at = block;
    for (size_t i = 0; i < n; i++) {
        CPH_TRY(next_with(s, &again, prefix, a, &row, err));
        at[i].facts = cph_json_get(row, "facts");
        at[i].source = cph_json_get_str(row, "source");
    }
    return cph_merge_agreeing(out, a, at, n, err);
}

static cph_status scoped_facts(cph_snapshot *s, cph_str kind, cph_str key, cph_str hex, cph_arena *a, cph_json **out,
                               cph_err *err)
{
    cph_table t = CPH_TABLE_signal;
    cph_str row_name;
    cph_json *row;
    if (!table_named(kind, &t)) return cph_fail(err, CPH_DATA, "%s: a scope of kind %.*s", s->name, CPH_FMT(kind));
    if (t == CPH_TABLE_licence) return licence_of(s, key, a, out, err);
    CPH_TRY(cph_arena_printf(a, &row_name, err, "%.*s\t%.*s", CPH_FMT(key), CPH_FMT(hex)));
    cph_status st = row_of(s, t, row_name, a, &row, err);
    if (st == CPH_NO) return cph_fail(err, CPH_DATA, "%s: no %.*s %.*s", s->name, CPH_FMT(kind), CPH_FMT(key));
    CPH_TRY(st);
    return cph_json_copy(out, a, cph_json_get(row, "facts"), NULL, err);
}

static cph_status add_scoped(cph_snapshot *s, cph_work_view *v, cph_str urn, cph_arena *a, cph_err *err)
{
    cursor c;
    cph_str prefix, last = {"", 0}, kind, key, hex;
    cph_json *row, *facts;
    cph_status st;
    CPH_TRY(cph_arena_printf(a, &prefix, err, "%.*s\t", CPH_FMT(urn)));
    CPH_TRY(seek(s, CPH_TABLE_scope, prefix, &c, err));
    while ((st = next_with(s, &c, prefix, a, &row, err)) == CPH_OK) {
        cph_str k = cph_json_get_str(row, "_key"), rest = cph_str_sub(k, prefix.n, k.n);
        if (!cph_str_split(&rest, '\t', &kind) || !cph_str_split(&rest, '\t', &key) || !cph_str_split(&rest, '\t', &hex))
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
    cph_status st = row_of(s, CPH_TABLE_work, urn, a, &row, err);
    if (st == CPH_NO) return cph_fail(err, CPH_NO, "%s: no work %.*s", s->name, CPH_FMT(urn));
    CPH_TRY(st);
    CPH_TRY(cph_json_copy(&work, a, row, marks, err));
    CPH_TRY(add_contributors(s, work, urn, a, err));
    CPH_TRY(cph_work_view_new(&v, a, work, err));
    CPH_TRY(add_scoped(s, &v, urn, a, err));
    *out = v.top;
    return CPH_OK;
}

cph_status cph_snapshot_work(const cph_snapshot *snapshot, cph_str urn, cph_arena *a, const cph_json **out, cph_err *err)
{
    cph_json *view = NULL;
    cph_snapshot *s = locked(snapshot);
    cph_status st = work_view(s, urn, a, &view, err);
    unlock(s);
    if (st == CPH_OK) *out = view;
    return st;
}
