/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_write.c - freezes what stands: canonical rows in root order, their Merkle root,
 * an index of frames, a manifest.
 * What must stay true: a row holds no path, no time and nobody's name; the rows are a function
 * of the statements and objects, not of how or when they came. One read transaction sees it all.
 */
#include "collection_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>
#include <colophon/base/memory.h>
#include <colophon/base/zstream.h>
#include <colophon/provenance/manifest.h>
#include <colophon/provenance/merkle.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct writer {
    cph_collection *c;
    cph_zwrite *z;
    cph_out index;
    cph_merkle tree;
    cph_buf row, line;      /* line: scratch for the frame index */
    cph_arena a;            /* reset before each answer of the catalogue */
    cph_progress progress;
    /* the frame under way */
    cph_table table;
    char first[CPH_PATH_MAX];
    uint64_t n_frame, n_table;
    uint64_t counts[CPH_N_TABLES];
} writer;

const char *cph_table_name(cph_table t)
{
    static const char *const names[] = {
#define TABLE_NAME(name) #name,
        CPH_TABLE_MAP(TABLE_NAME)
#undef TABLE_NAME
    };
    return names[t];
}

/* ---- frames ---- */

static cph_status end_frame(writer *w, cph_err *err)
{
    if (w->n_frame == 0) return CPH_OK;
    CPH_TRY(cph_zwrite_frame(w->z, NULL, err));
    w->line.n = 0;
    cph_jw j = cph_jw_on(&w->line);
    cph_jw_obj(&j);
    cph_jw_key(&j, "first");
    cph_jw_z(&j, w->first);
    cph_jw_key(&j, "rows");
    cph_jw_u64(&j, w->n_frame);
    cph_jw_key(&j, "start");
    cph_jw_u64(&j, w->n_table);
    cph_jw_key(&j, "table");
    cph_jw_z(&j, cph_table_name(w->table));
    cph_jw_end(&j);
    CPH_TRY(cph_jw_done(&j, err));
    CPH_TRY(cph_buf_char(&w->line, '\n', err));
    CPH_TRY(cph_out_write(&w->index, w->line.p, w->line.n, err));
    w->n_table += w->n_frame;
    w->n_frame = 0;
    return CPH_OK;
}

static cph_status begin_table(writer *w, cph_table t, cph_err *err)
{
    CPH_TRY(end_frame(w, err));
    w->table = t;
    w->n_table = 0;
    return CPH_OK;
}

/* w->row holds the row without its LF. */
static cph_status end_row(writer *w, cph_str key, cph_err *err)
{
    cph_merkle_add(&w->tree, w->row.p, w->row.n);
    CPH_TRY(cph_buf_char(&w->row, '\n', err));
    if (w->n_frame && cph_zwrite_pending(w->z) + w->row.n > CPH_FRAME_BYTES) CPH_TRY(end_frame(w, err));
    if (w->n_frame == 0) snprintf(w->first, sizeof w->first, "%.*s", CPH_FMT(key));
    CPH_TRY(cph_zwrite_add(w->z, w->row.p, w->row.n, err));
    w->n_frame++;
    w->counts[w->table]++;
    w->row.n = 0;
    cph_progress_add(&w->progress, 1);
    if ((w->counts[w->table] & 1023) == 0) return cph_interrupt_check("the snapshot", err);
    return CPH_OK;
}

/* A row that is a tree: gets its key and table, becomes canonical. */
static cph_status put_tree(writer *w, cph_str key, cph_json *row, cph_err *err)
{
    CPH_TRY(cph_json_set_str(row, &w->a, "_key", key, err));
    CPH_TRY(cph_json_set_str(row, &w->a, "_table", cph_str_of(cph_table_name(w->table)), err));
    CPH_TRY(cph_json_canonical(&w->row, row, err));
    return end_row(w, key, err);
}

/* Rows that are many go without a tree; members are then in canonical order by hand. */
static cph_jw begin_row(writer *w, cph_str key)
{
    cph_jw j = cph_jw_on(&w->row);
    cph_jw_obj(&j);
    cph_jw_key(&j, "_key");
    cph_jw_str(&j, key);
    cph_jw_key(&j, "_table");
    cph_jw_z(&j, cph_table_name(w->table));
    return j;
}

static void member(cph_jw *j, const char *name, cph_str s)
{
    cph_jw_key(j, name);
    cph_jw_str(j, s);
}

static void hex_member(cph_jw *j, const char *name, const cph_digest *d)
{
    static const cph_digest none;
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(d, hex);
    member(j, name, cph_digest_cmp(d, &none) == 0 ? CPH_STR("") : cph_str_of(hex));
}

/* Parts of a key are joined by TAB, which sorts before everything that a part may hold. */
static cph_status join_key(writer *w, cph_str *out, cph_str a, cph_str b, cph_err *err)
{
    return cph_arena_printf(&w->a, out, err, "%.*s\t%.*s", CPH_FMT(a), CPH_FMT(b));
}

static cph_status ask(writer *w, cph_sql *q, const char *sql, cph_err *err)
{
    return cph_sql_prepare(q, w->c->db, w->c->path, sql, err);
}

typedef cph_status (*row_fn)(writer *w, const cph_sql *q, cph_err *err);

static cph_status each_row(writer *w, cph_table t, const char *sql, row_fn put, cph_err *err)
{
    cph_sql q;
    CPH_TRY(begin_table(w, t, err));
    cph_status s = ask(w, &q, sql, err);
    while (s == CPH_OK && (s = cph_sql_step(&q, err)) == CPH_OK) {
        cph_arena_reset(&w->a);
        s = put(w, &q, err);
    }
    cph_sql_end(&q);
    return s == CPH_END ? CPH_OK : s;
}

/* ---- works, contributors, editions ---- */

static cph_status merged_work(writer *w, const cph_sql *q, cph_str *urn, cph_json **work, cph_err *err)
{
    cph_statement *at;
    size_t n;
    CPH_TRY(cph_arena_str(&w->a, urn, cph_sql_text(q, 0), err));
    CPH_TRY(cph_statements_of(w->c->db, w->c->path, "work", *urn, &w->a, &at, &n, err));
    cph_status s = cph_merge_work(work, &w->a, *urn, at, n, err);
    return s == CPH_OK ? s : cph_err_prefix(err, "work %.*s", CPH_FMT(*urn));
}

static cph_status put_work(writer *w, const cph_sql *q, cph_err *err)
{
    static const char *const apart[] = {"contributors", NULL};
    cph_str urn;
    cph_json *work, *row;
    CPH_TRY(merged_work(w, q, &urn, &work, err));
    CPH_TRY(cph_json_copy(&row, &w->a, work, apart, err));
    return put_tree(w, urn, row, err);
}

static cph_status put_contributors(writer *w, const cph_sql *q, cph_err *err)
{
    cph_str urn, key;
    cph_json *work;
    unsigned i = 0;
    CPH_TRY(merged_work(w, q, &urn, &work, err));
    const cph_json *list = cph_json_get(work, "contributors");
    for (const cph_json *p = list ? list->first : NULL; p; p = p->next) {
        cph_json *row;
        CPH_TRY(cph_arena_printf(&w->a, &key, err, "%.*s\t%06u", CPH_FMT(urn), i++));
        CPH_TRY(cph_json_copy(&row, &w->a, p, NULL, err));
        CPH_TRY(put_tree(w, key, row, err));
    }
    return CPH_OK;
}

static cph_status put_edition(writer *w, const cph_sql *q, cph_err *err)
{
    cph_str urn;
    cph_statement *at;
    size_t n;
    cph_json *row;
    CPH_TRY(cph_arena_str(&w->a, &urn, cph_sql_text(q, 0), err));
    CPH_TRY(cph_statements_of(w->c->db, w->c->path, "edition", urn, &w->a, &at, &n, err));
    if (n == 0) return CPH_OK;
    CPH_TRY(cph_merge_agreeing(&row, &w->a, at, n, err));
    return put_tree(w, urn, row, err);
}

/* ---- objects, documents, pages ---- */

static cph_status set_json(writer *w, cph_json *row, const char *name, cph_str text, cph_err *err)
{
    cph_json *v;
    cph_str copy;
    if (text.n == 0) return CPH_OK;
    CPH_TRY(cph_arena_str(&w->a, &copy, text, err));
    CPH_TRY(cph_json_parse(&v, &w->a, copy, name, NULL, err));
    return cph_json_set(row, &w->a, name, v, err);
}

/* Which of several versions build takes: the one that a person named, else none. */
static cph_status version_of(writer *w, cph_str source_id, cph_str key, const char **out, cph_err *err)
{
    cph_sql q;
    int64_t versions = 0;
    cph_statement *at;
    size_t n;
    cph_status s = ask(w, &q, "SELECT count(*) FROM object WHERE source_id = ?", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "t", source_id);
    if (s == CPH_OK) s = cph_sql_step(&q, err);
    if (s == CPH_OK) versions = cph_sql_i64(&q, 0);
    cph_sql_end(&q);
    CPH_TRY(s);
    *out = "only";
    if (versions < 2) return CPH_OK;
    CPH_TRY(cph_statements_of(w->c->db, w->c->path, "version", source_id, &w->a, &at, &n, err));
    *out = "undecided";
    for (size_t i = 0; i < n; i++) {
        cph_str named = cph_json_get_str(at[i].facts, "object");
        if (i > 0 && !cph_str_eq(named, cph_json_get_str(at[0].facts, "object"))) {
            *out = "undecided"; /* two people who disagree */
            return CPH_OK;
        }
        *out = cph_str_eq(named, key) ? "chosen" : "superseded";
    }
    return CPH_OK;
}

static cph_status object_files(writer *w, cph_json *row, cph_str key, cph_err *err)
{
    cph_sql q;
    cph_json *list, *f;
    CPH_TRY(cph_json_new(&list, &w->a, CPH_JSON_ARRAY, err));
    cph_status s =
        ask(w, &q,
            "SELECT sha256, bytes, role, checksum FROM file WHERE object = ? ORDER BY sha256, role, checksum",
            err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "t", key);
    while (s == CPH_OK && (s = cph_sql_step(&q, err)) == CPH_OK) {
        char hex[CPH_HEX_DIGEST];
        cph_digest d = cph_sql_digest(&q, 0);
        cph_digest_hex(&d, hex);
        s = cph_json_new(&f, &w->a, CPH_JSON_OBJECT, err);
        if (s == CPH_OK) s = cph_json_set_i64(f, &w->a, "bytes", cph_sql_i64(&q, 1), err);
        if (s == CPH_OK) s = cph_json_set_str(f, &w->a, "checksum", cph_sql_text(&q, 3), err);
        if (s == CPH_OK) s = cph_json_set_str(f, &w->a, "role", cph_sql_text(&q, 2), err);
        if (s == CPH_OK) s = cph_json_set_str(f, &w->a, "sha256", cph_str_of(hex), err);
        if (s == CPH_OK) s = cph_json_push(list, f, err);
    }
    cph_sql_end(&q);
    if (s != CPH_END) return s;
    return cph_json_set(row, &w->a, "files", list, err);
}

static cph_status put_object(writer *w, const cph_sql *q, cph_err *err)
{
    cph_json *row;
    cph_str key, source_id;
    const char *version;
    CPH_TRY(cph_arena_str(&w->a, &key, cph_sql_text(q, 0), err));
    CPH_TRY(cph_arena_str(&w->a, &source_id, cph_sql_text(q, 1), err));
    CPH_TRY(cph_json_new(&row, &w->a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set_str(row, &w->a, "source_id", source_id, err));
    CPH_TRY(cph_json_set_str(row, &w->a, "profile", cph_sql_text(q, 2), err));
    CPH_TRY(cph_json_set_str(row, &w->a, "work", cph_sql_text(q, 3), err));
    CPH_TRY(set_json(w, row, "edition", cph_sql_text(q, 4), err));
    CPH_TRY(set_json(w, row, "meta", cph_sql_text(q, 5), err));
    CPH_TRY(set_json(w, row, "divisions", cph_sql_text(q, 6), err));
    CPH_TRY(cph_json_set_i64(row, &w->a, "n_pages", cph_sql_i64(q, 7), err));
    CPH_TRY(object_files(w, row, key, err));
    CPH_TRY(version_of(w, source_id, key, &version, err));
    CPH_TRY(cph_json_set_str(row, &w->a, "version", cph_str_of(version), err));
    return put_tree(w, key, row, err);
}

static cph_status put_document(writer *w, const cph_sql *q, cph_err *err)
{
    cph_str id = cph_sql_text(q, 0);
    cph_jw j = begin_row(w, id);
    member(&j, "object", cph_sql_text(q, 1));
    member(&j, "work", cph_sql_text(q, 2));
    cph_jw_end(&j);
    CPH_TRY(cph_jw_done(&j, err));
    return end_row(w, id, err);
}

static cph_status put_page(writer *w, const cph_sql *q, cph_err *err)
{
    char order[16];
    cph_str key;
    cph_digest text = cph_sql_digest(q, 3), image = cph_sql_digest(q, 4), line = cph_sql_digest(q, 7);
    snprintf(order, sizeof order, "%08lld", (long long)cph_sql_i64(q, 1));
    CPH_TRY(join_key(w, &key, cph_sql_text(q, 0), cph_str_of(order), err));
    cph_jw j = begin_row(w, key);
    cph_jw_key(&j, "height");
    cph_jw_i64(&j, cph_sql_i64(q, 6));
    hex_member(&j, "image_file", &image);
    member(&j, "label", cph_sql_text(q, 2));
    hex_member(&j, "lines", &line);
    cph_jw_key(&j, "order");
    cph_jw_i64(&j, cph_sql_i64(q, 1));
    hex_member(&j, "text_file", &text);
    cph_jw_key(&j, "width");
    cph_jw_i64(&j, cph_sql_i64(q, 5));
    cph_jw_end(&j);
    CPH_TRY(cph_jw_done(&j, err));
    return end_row(w, key, err);
}

/* ---- statements and scopes ---- */

/* Columns: kind, key, digest, source, facts. Of a source only its class stands in a row. */
static cph_status put_statement(writer *w, const cph_sql *q, cph_err *err)
{
    static const char *const personal[] = {"by", "files", "path", "works", NULL};
    char hex[CPH_HEX_DIGEST];
    cph_str kind = cph_sql_text(q, 0), key, text, source = cph_sql_text(q, 3);
    cph_digest d = cph_sql_digest(q, 2);
    cph_json *facts, *bare, *row;
    cph_digest_hex(&d, hex);
    CPH_TRY(join_key(w, &key, cph_sql_text(q, 1), cph_str_of(hex), err));
    if (w->table == CPH_TABLE_fact) {
        cph_str plain = key;
        CPH_TRY(join_key(w, &key, kind, plain, err));
    }
    CPH_TRY(cph_arena_str(&w->a, &text, cph_sql_text(q, 4), err));
    CPH_TRY(cph_json_parse(&facts, &w->a, text, "a stored fact", NULL, err));
    CPH_TRY(cph_json_copy(&bare, &w->a, facts, personal, err));
    CPH_TRY(cph_json_new(&row, &w->a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set(row, &w->a, "facts", bare, err));
    if (cph_str_starts(source, "officer:")) source = CPH_STR("officer");
    CPH_TRY(cph_json_set_str(row, &w->a, "source", source, err));
    return put_tree(w, key, row, err);
}

static cph_status put_scope(writer *w, const cph_sql *q, cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    cph_str key;
    cph_digest d = cph_sql_digest(q, 3);
    cph_digest_hex(&d, hex);
    CPH_TRY(cph_arena_printf(&w->a, &key, err, "%.*s\t%.*s\t%.*s\t%s", CPH_FMT(cph_sql_text(q, 0)),
                             CPH_FMT(cph_sql_text(q, 1)), CPH_FMT(cph_sql_text(q, 2)), hex));
    cph_jw j = begin_row(w, key);
    cph_jw_end(&j);
    CPH_TRY(cph_jw_done(&j, err));
    return end_row(w, key, err);
}

#define LIVE(alias)                                                                                \
    " NOT EXISTS (SELECT 1 FROM replaced r WHERE r.kind = " alias ".kind AND r.key = " alias       \
    ".key AND r.digest = " alias ".digest) "
#define STATEMENTS(which)                                                                          \
    "SELECT f.kind, f.key, f.digest, min(f.source), f.facts FROM fact f WHERE f.kind " which       \
    " AND" LIVE("f") "GROUP BY f.kind, f.key, f.digest ORDER BY f.kind, f.key, f.digest"

/* Sets out in root order: the order of CPH_TABLE_MAP. */
static cph_status all_rows(writer *w, cph_err *err)
{
    CPH_TRY(each_row(w, CPH_TABLE_work, "SELECT urn FROM work ORDER BY urn", put_work, err));
    CPH_TRY(each_row(w, CPH_TABLE_edition,
                     "SELECT DISTINCT key FROM fact WHERE kind = 'edition' ORDER BY key", put_edition, err));
    CPH_TRY(each_row(w, CPH_TABLE_contributor,
                     "SELECT DISTINCT key FROM fact WHERE kind = 'work' ORDER BY key", put_contributors,
                     err));
    CPH_TRY(each_row(
        w, CPH_TABLE_object,
        "SELECT key, source_id, profile, work, edition, meta, divisions, n_pages FROM object ORDER BY key",
        put_object, err));
    CPH_TRY(each_row(w, CPH_TABLE_document, "SELECT id, object, work FROM document ORDER BY id", put_document,
                     err));
    CPH_TRY(each_row(w, CPH_TABLE_page,
                     "SELECT object, ord, label, text_file, image_file, width, height, line FROM page "
                     "ORDER BY object, ord", put_page, err));
    CPH_TRY(each_row(w, CPH_TABLE_fact, STATEMENTS("IN ('edition', 'version', 'work')"), put_statement, err));
    CPH_TRY(each_row(w, CPH_TABLE_signal, STATEMENTS("= 'signal'"), put_statement, err));
    CPH_TRY(each_row(w, CPH_TABLE_licence, STATEMENTS("= 'licence'"), put_statement, err));
    CPH_TRY(each_row(w, CPH_TABLE_block, STATEMENTS("= 'block'"), put_statement, err));
    CPH_TRY(each_row(w, CPH_TABLE_determination, STATEMENTS("= 'determination'"), put_statement, err));
    CPH_TRY(each_row(w, CPH_TABLE_scope,
                     "SELECT s.work, s.kind, s.key, s.digest FROM scope s WHERE" LIVE("s")
                     "ORDER BY s.work, s.kind, s.key, s.digest", put_scope, err));
    return end_frame(w, err);
}

/* ---- the artefact ---- */

static cph_status log_head(cph_collection *c, cph_json *run, cph_arena *a, cph_err *err)
{
    cph_sql q;
    cph_merkle log;
    char hex[CPH_HEX_DIGEST];
    cph_merkle_init(&log);
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "SELECT leaf FROM event ORDER BY seq", err);
    while (s == CPH_OK && (s = cph_sql_step(&q, err)) == CPH_OK) {
        cph_digest leaf = cph_sql_digest(&q, 0);
        cph_merkle_add_leaf(&log, &leaf);
    }
    cph_sql_end(&q);
    if (s != CPH_END) return s;
    cph_digest root = cph_merkle_root(&log);
    cph_digest_hex(&root, hex);
    CPH_TRY(cph_json_set_str(run, a, "log_root", cph_str_of(hex), err));
    return cph_json_set_i64(run, a, "log_size", (int64_t)log.n, err);
}

static cph_status seal(writer *w, const char *dir, int64_t started, cph_digest *digest, cph_err *err)
{
    cph_json *identity, *run;
    CPH_TRY(cph_identity_new(&identity, &w->a, err));
    CPH_TRY(
        cph_identity_option(identity, &w->a, "sample", w->c->sample ? CPH_STR("yes") : CPH_STR("no"), err));
    CPH_TRY(cph_identity_version(identity, &w->a, "rows", CPH_STR("1"), err));
    cph_digest root = cph_merkle_root(&w->tree);
    CPH_TRY(cph_identity_root(identity, &w->a, "records_root", &root, err));
    CPH_TRY(cph_identity_count(identity, &w->a, "records", w->tree.n, err));
    for (size_t t = 0; t < CPH_N_TABLES; t++)
        CPH_TRY(cph_identity_count(identity, &w->a, cph_table_name((cph_table)t), w->counts[t], err));
    CPH_TRY(cph_run_new(&run, &w->a, started, err));
    CPH_TRY(log_head(w->c, run, &w->a, err));
    cph_seal what = {.kind = "snapshot", .identity = identity, .run = run};
    return cph_seal_write(dir, &w->a, &what, digest, err);
}

static cph_status write_rows(writer *w, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_path_join(path, dir, CPH_SNAPSHOT_FRAMES, err));
    CPH_TRY(cph_out_open(&w->index, path, err));
    CPH_TRY(cph_path_join(path, dir, CPH_SNAPSHOT_ROWS, err));
    CPH_TRY(cph_zwrite_open(&w->z, path, err));
    cph_collection_lock(w->c);
    cph_status s = cph_sql_exec(w->c->db, w->c->path, "SAVEPOINT snapshot", err);
    if (s == CPH_OK) {
        s = all_rows(w, err);
        cph_status ended = cph_sql_exec(w->c->db, w->c->path, "RELEASE snapshot", s == CPH_OK ? err : NULL);
        if (s == CPH_OK) s = ended;
    }
    cph_collection_unlock(w->c);
    if (s == CPH_OK) {
        cph_zwrite *z = w->z;
        w->z = NULL;
        s = cph_zwrite_close(z, err);
    }
    if (s == CPH_OK) s = cph_out_close(&w->index, err);
    return s;
}

/* Gives the finished directory its digest for a name; the same content may be there already. */
static cph_status settle(cph_collection *c, cph_outdir *dir, const cph_digest *digest, cph_err *err)
{
    char hex[CPH_HEX_DIGEST], name[96], final_path[CPH_PATH_MAX], newest[CPH_PATH_MAX];
    cph_digest_hex(digest, hex);
    snprintf(name, sizeof name, "snapshots/%s", hex);
    CPH_TRY(cph_path_join(final_path, c->path, name, err));
    if (cph_file_kind_of(final_path) == CPH_FILE_DIR) {
        cph_outdir_abort(dir);
    } else {
        memcpy(dir->final_path, final_path, sizeof final_path);
        CPH_TRY(cph_outdir_commit(dir, err));
    }
    CPH_TRY(cph_path_join(newest, c->path, "snapshots/newest", err));
    hex[64] = '\n';
    return cph_file_write(newest, hex, 65, err);
}

static cph_status snapshot_under_lock(cph_collection *c, cph_digest *digest, cph_err *err)
{
    void *block;
    char place[CPH_PATH_MAX];
    cph_outdir dir;
    cph_digest d;
    int64_t started = (int64_t)time(NULL);
    CPH_TRY(cph_path_join(place, c->path, "snapshots/next", err));
    CPH_TRY(cph_outdir_begin(&dir, place, false, err));
    cph_status s = cph_alloc0(&block, sizeof(writer), err);
    if (s != CPH_OK) {
        cph_outdir_abort(&dir);
        return s;
    }
    writer *w = block;
    w->c = c;
    w->index.fd = -1;
    cph_merkle_init(&w->tree);
    cph_buf_init(&w->row, CPH_ROW_MAX);
    cph_buf_init(&w->line, 1u << 16);
    cph_arena_init(&w->a, 8 * (size_t)CPH_ROW_MAX);
    cph_progress_begin(&w->progress, "writing the snapshot", "rows", 0);
    s = write_rows(w, dir.path, err);
    cph_progress_end(&w->progress);
    if (s == CPH_OK) s = seal(w, dir.path, started, &d, err);
    if (s == CPH_OK) s = settle(c, &dir, &d, err);
    cph_zwrite_abandon(w->z);
    cph_out_abandon(&w->index);
    cph_buf_release(&w->row);
    cph_buf_release(&w->line);
    cph_arena_release(&w->a);
    cph_free(w);
    if (s != CPH_OK) {
        cph_outdir_abort(&dir);
        return cph_err_prefix(err, "%s: snapshot", c->path);
    }
    *digest = d;
    return CPH_OK;
}

cph_status cph_collection_snapshot(cph_collection *c, cph_digest *digest, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_lock lock = {-1};
    CPH_TRY(cph_path_join(path, c->path, "snapshots", err));
    CPH_TRY(cph_mkdirs(path, err));
    CPH_TRY(cph_path_join(path, c->path, "snapshots/lock", err));
    CPH_TRY(cph_lock_take(&lock, path, true, err));
    cph_status s = snapshot_under_lock(c, digest, err);
    cph_lock_drop(&lock);
    return s;
}
