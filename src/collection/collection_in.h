/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collection_in.h - what the files of this room share: the handle, SQL without
 * repetition, the content store, the merge of statements, the tables of a snapshot.
 */
#ifndef CPH_COLLECTION_IN_H
#define CPH_COLLECTION_IN_H

#include <colophon/collection/collection.h>

#include <pthread.h>
#include <sqlite3.h>

struct cph_collection {
    char path[CPH_PATH_MAX];
    sqlite3 *db;
    pthread_mutex_t mutex; /* recursive: cph_collection_begin holds it until commit */
    cph_lock lock;
    bool writable;
    bool sample;
    unsigned in_transaction;
    uint64_t n_copies; /* names the temporary files of the content store; under mutex */
    char salt[CPH_HEX_DIGEST];
    char actor[128];
};

/* ---- SQL (catalogue_sql.c) ---- */

/* The last SQLite fault as a status: a full disk is CPH_IO, a damaged file CPH_DATA. */
cph_status cph_sql_fail(sqlite3 *db, const char *path, const char *doing, cph_err *err);
cph_status cph_sql_exec(sqlite3 *db, const char *path, const char *sql, cph_err *err) CPH_MUST_USE;

typedef struct cph_sql {
    sqlite3 *db;
    sqlite3_stmt *st;
    const char *path;
} cph_sql;
cph_status cph_sql_prepare(cph_sql *q, sqlite3 *db, const char *path, const char *sql,
                           cph_err *err) CPH_MUST_USE;
void cph_sql_end(cph_sql *q); /* twice is fine */
/* Binds from left to right: t text, b digest (NULL pointer or all zero: NULL), B a cph_str as blob, i
 * int64_t. */
cph_status cph_sql_bind(cph_sql *q, cph_err *err, const char *types, ...) CPH_MUST_USE;
/* CPH_OK: a row stands; CPH_END: no more (the statement is reset). */
cph_status cph_sql_step(cph_sql *q, cph_err *err) CPH_MUST_USE;
/* Steps a statement that gives no rows, and resets it for the next binding. */
cph_status cph_sql_run(cph_sql *q, cph_err *err) CPH_MUST_USE;
cph_str cph_sql_text(const cph_sql *q, int column); /* lives until the next step */
cph_str cph_sql_blob(const cph_sql *q, int column);
cph_digest cph_sql_digest(const cph_sql *q, int column); /* NULL: all zero */
int64_t cph_sql_i64(const cph_sql *q, int column);

void cph_collection_lock(cph_collection *c);
void cph_collection_unlock(cph_collection *c);
cph_status cph_catalogue_open_read(sqlite3 **out, const char *database, const char *name,
                                   cph_err *err) CPH_MUST_USE;
cph_status cph_catalogue_writable(const cph_collection *c, cph_err *err) CPH_MUST_USE;

/* No control characters, valid UTF-8, not empty, at most `max` bytes: keys order as texts do. */
cph_status cph_key_check(cph_str key, const char *what, size_t max, cph_err *err) CPH_MUST_USE;
/* Adds a work's urn to the registry. */
cph_status cph_work_register(cph_collection *c, cph_str urn, cph_err *err) CPH_MUST_USE;

/* ---- events (collection_events.c) ---- */
cph_status cph_event_append(cph_collection *c, const char *type, cph_str actor, cph_str subjects_json,
                            cph_str payload_json, cph_err *err) CPH_MUST_USE;

/* ---- the content store (content_store.c) ---- */
cph_status cph_content_name(char out[CPH_PATH_MAX], const char *collection, const cph_digest *d,
                            cph_err *err) CPH_MUST_USE;
cph_status cph_content_put(cph_collection *c, const char *from, const cph_digest *d,
                           cph_err *err) CPH_MUST_USE;
cph_status cph_content_put_all(cph_collection *c, const cph_source_file *files, size_t n,
                               cph_err *err) CPH_MUST_USE;

/* ---- statements and their merge (statements.c, merge_facts.c) ---- */

typedef struct cph_statement {
    cph_str key, source;
    cph_digest digest;
    const cph_json *facts;
} cph_statement;
/* The live statements of one kind and key, by digest; those that another one `replaces` are gone. */
cph_status cph_statements_of(sqlite3 *db, const char *path, const char *kind, cph_str key, cph_arena *a,
                             cph_statement **out, size_t *n, cph_err *err) CPH_MUST_USE;
#define CPH_LIVE_FACTS                                                                             \
    "kind = ?1 AND key = ?2 AND NOT EXISTS (SELECT 1 FROM replaced r WHERE r.kind = fact.kind "    \
    "AND r.key = fact.key AND r.digest = fact.digest)"

/* Merged facts of a work, contributors included (rules: merge_facts.c). */
cph_status cph_merge_work(cph_json **out, cph_arena *a, cph_str urn, const cph_statement *at, size_t n,
                          cph_err *err) CPH_MUST_USE;
/* One object of several statements that must agree; members that differ are named in "conflict". */
cph_status cph_merge_agreeing(cph_json **out, cph_arena *a, const cph_statement *at, size_t n,
                              cph_err *err) CPH_MUST_USE;

/* Adds statement i of (kind, key) to the view that a decision reads. */
typedef struct cph_work_view {
    cph_json *top, *licences, *signals, *blocks, *determinations;
} cph_work_view;
cph_status cph_work_view_new(cph_work_view *v, cph_arena *a, cph_json *work, cph_err *err) CPH_MUST_USE;
cph_status cph_work_view_add(cph_work_view *v, cph_arena *a, cph_str kind, cph_json *facts,
                             cph_err *err) CPH_MUST_USE;

/* ---- snapshots ---- */

/* In root order. A snapshot has no other rows. */
#define CPH_TABLE_MAP(X)                                                                           \
    X(work) X(edition) X(contributor) X(object) X(document) X(page) X(fact) X(signal) X(licence)   \
    X(block) X(determination) X(scope)
typedef enum cph_table {
#define CPH_TABLE_ENUM(name) CPH_TABLE_##name,
    CPH_TABLE_MAP(CPH_TABLE_ENUM)
#undef CPH_TABLE_ENUM
        CPH_N_TABLES
} cph_table;
const char *cph_table_name(cph_table t);

#define CPH_SNAPSHOT_ROWS "rows.jsonl.zst"
#define CPH_SNAPSHOT_FRAMES "frames.jsonl"
#define CPH_FRAME_BYTES (256u << 10)
#define CPH_ROW_MAX (64u << 20) /* a row, and so a statement or an object's meta */

#endif
