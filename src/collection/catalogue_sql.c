/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalogue_sql.c - SQLite with our errors: prepare, bind, step, and transactions.
 * What must stay true: every SQLite code becomes a cph_status here and nowhere else.
 */
#include "collection_in.h"

#include <stdio.h>
#include <string.h>

cph_status cph_sql_fail(sqlite3 *db, const char *path, const char *doing, cph_err *err)
{
    int code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
    const char *words = db ? sqlite3_errmsg(db) : "out of memory";

    switch (code & 0xFF) {
    case SQLITE_FULL:
        cph_fail(err, CPH_IO, "%s: %s: the disk is full; nothing of this step was kept", path, doing);
        return cph_hint(err, "make room and run the same command again: it goes on where it stopped");
    case SQLITE_NOMEM: return cph_fail(err, CPH_NOMEM, "%s: %s: %s", path, doing, words);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return cph_fail(err, CPH_DATA, "%s/collection.db: %s: %s", path, doing, words);
    case SQLITE_TOOBIG: return cph_fail(err, CPH_NOMEM, "%s: %s: %s", path, doing, words);
    case SQLITE_BUSY:
        cph_fail(err, CPH_IO, "%s: %s: the database stays busy", path, doing);
        return cph_hint(err, "another program holds it open with its own SQLite transaction");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return cph_fail(err, CPH_IO, "%s/collection.db: %s: %s", path, doing, words);
    default: return cph_fail(err, CPH_BUG, "%s: %s: SQLite says: %s", path, doing, words);
    }
}

cph_status cph_sql_exec(sqlite3 *db, const char *path, const char *sql, cph_err *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) return cph_sql_fail(db, path, "writing", err);
    return CPH_OK;
}

cph_status cph_sql_prepare(cph_sql *q, sqlite3 *db, const char *path, const char *sql, cph_err *err)
{
    *q = (cph_sql){db, NULL, path};
    if (sqlite3_prepare_v2(db, sql, -1, &q->st, NULL) != SQLITE_OK)
        return cph_sql_fail(db, path, "asking the catalogue", err);
    return CPH_OK;
}

void cph_sql_end(cph_sql *q)
{
    sqlite3_finalize(q->st);
    q->st = NULL;
}

static int bind_digest(sqlite3_stmt *st, int i, const cph_digest *d)
{
    static const cph_digest none;
    if (!d || cph_digest_cmp(d, &none) == 0) return sqlite3_bind_null(st, i);
    return sqlite3_bind_blob(st, i, d->b, sizeof d->b, SQLITE_TRANSIENT);
}

cph_status cph_sql_bind(cph_sql *q, cph_err *err, const char *types, ...)
{
    va_list args;
    int code = SQLITE_OK, i = 1;

    va_start(args, types);
    for (; *types && code == SQLITE_OK; types++, i++) {
        if (*types == 't') {
            cph_str s = va_arg(args, cph_str);
            code = sqlite3_bind_text64(q->st, i, s.p ? s.p : "", s.n, SQLITE_TRANSIENT, SQLITE_UTF8);
        } else if (*types == 'B') {
            cph_str s = va_arg(args, cph_str);
            code = sqlite3_bind_blob64(q->st, i, s.p ? s.p : "", s.n, SQLITE_TRANSIENT);
        } else if (*types == 'b') {
            code = bind_digest(q->st, i, va_arg(args, const cph_digest *));
        } else {
            code = sqlite3_bind_int64(q->st, i, va_arg(args, int64_t));
        }
    }
    va_end(args);
    return code == SQLITE_OK ? CPH_OK : cph_sql_fail(q->db, q->path, "binding a value", err);
}

cph_status cph_sql_step(cph_sql *q, cph_err *err)
{
    int code = sqlite3_step(q->st);
    if (code == SQLITE_ROW) return CPH_OK;
    cph_status s = code == SQLITE_DONE ? CPH_END : cph_sql_fail(q->db, q->path, "reading", err);
    sqlite3_reset(q->st);
    return s;
}

cph_status cph_sql_run(cph_sql *q, cph_err *err)
{
    int code = sqlite3_step(q->st);
    cph_status s =
        code == SQLITE_DONE || code == SQLITE_ROW ? CPH_OK : cph_sql_fail(q->db, q->path, "writing", err);
    sqlite3_reset(q->st);
    return s;
}

cph_str cph_sql_text(const cph_sql *q, int column)
{
    const unsigned char *p = sqlite3_column_text(q->st, column);
    return (cph_str){p ? (const char *)p : "", (size_t)sqlite3_column_bytes(q->st, column)};
}

cph_str cph_sql_blob(const cph_sql *q, int column)
{
    const void *p = sqlite3_column_blob(q->st, column);
    return (cph_str){p ? p : "", (size_t)sqlite3_column_bytes(q->st, column)};
}

cph_digest cph_sql_digest(const cph_sql *q, int column)
{
    cph_digest d = {{0}};
    cph_str s = cph_sql_blob(q, column);
    if (s.n == sizeof d.b) memcpy(d.b, s.p, sizeof d.b);
    return d;
}

int64_t cph_sql_i64(const cph_sql *q, int column) { return sqlite3_column_int64(q->st, column); }

/* ---- transactions ---- */

void cph_collection_lock(cph_collection *c) { pthread_mutex_lock(&c->mutex); }
void cph_collection_unlock(cph_collection *c) { pthread_mutex_unlock(&c->mutex); }

cph_status cph_catalogue_writable(const cph_collection *c, cph_err *err)
{
    if (c->writable) return CPH_OK;
    return cph_fail(err, CPH_USAGE, "%s: the collection was opened for reading only", c->path);
}

/* Inner transactions are savepoints, so that an inner failure undoes its own part only. */
static cph_status say(cph_collection *c, const char *outer, const char *inner, unsigned depth, cph_err *err)
{
    char sql[64];
    if (depth == 0) return cph_sql_exec(c->db, c->path, outer, err);
    snprintf(sql, sizeof sql, inner, depth, depth);
    return cph_sql_exec(c->db, c->path, sql, err);
}

cph_status cph_collection_begin(cph_collection *c, cph_err *err)
{
    cph_collection_lock(c);
    cph_status s = cph_catalogue_writable(c, err);
    if (s == CPH_OK) s = say(c, "BEGIN IMMEDIATE", "SAVEPOINT s%u", c->in_transaction, err);
    if (s == CPH_OK)
        c->in_transaction++;
    else
        cph_collection_unlock(c);
    return s;
}

/* After some faults (a full disk) SQLite has ended the transaction by itself. */
void cph_collection_rollback(cph_collection *c)
{
    c->in_transaction--;
    cph_status s = CPH_OK;
    if (!sqlite3_get_autocommit(c->db))
        s = say(c, "ROLLBACK", "ROLLBACK TO s%u; RELEASE s%u", c->in_transaction, NULL);
    if (s != CPH_OK) sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    cph_collection_unlock(c);
}

cph_status cph_collection_commit(cph_collection *c, cph_err *err)
{
    cph_status s = say(c, "COMMIT", "RELEASE s%u", c->in_transaction - 1, err);
    if (s != CPH_OK) {
        cph_collection_rollback(c);
        return s;
    }
    c->in_transaction--;
    cph_collection_unlock(c);
    return CPH_OK;
}
