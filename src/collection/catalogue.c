/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalogue.c - opening a collection: its directory, lock, database, schema.
 * What must stay true: schema versions only grow, each step is one transaction, and an
 * older program refuses a newer schema.
 */
#include "collection_in.h"

#include <colophon/base/log.h>
#include <colophon/base/memory.h>

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/*
 * One entry a schema version. Keys are texts and digests. What a statement says stays in
 * `fact`; the views show it as the entities of rights-and-provenance 2.1.
 */
static const char *const migrations[] = {
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE work(urn TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE object(key TEXT NOT NULL UNIQUE, source_id TEXT NOT NULL, profile TEXT NOT NULL,"
    " work TEXT NOT NULL REFERENCES work(urn), edition TEXT NOT NULL, meta TEXT NOT NULL,"
    " divisions TEXT NOT NULL, n_pages INTEGER NOT NULL);"
    "CREATE INDEX object_by_source ON object(source_id, key);"
    "CREATE INDEX object_by_work ON object(work, key);"
    "CREATE TABLE document(id TEXT PRIMARY KEY, work TEXT NOT NULL REFERENCES work(urn),"
    " object TEXT NOT NULL REFERENCES object(key)) WITHOUT ROWID;"
    "CREATE TABLE file(object TEXT NOT NULL REFERENCES object(key), path TEXT NOT NULL,"
    " sha256 BLOB NOT NULL, bytes INTEGER NOT NULL, role TEXT NOT NULL, checksum TEXT NOT NULL,"
    " reference TEXT, mtime_ns INTEGER, PRIMARY KEY(object, path)) WITHOUT ROWID;"
    "CREATE INDEX file_by_digest ON file(sha256);"
    "CREATE TABLE line(digest BLOB NOT NULL UNIQUE, raw_bytes INTEGER NOT NULL, packed BLOB NOT NULL);"
    "CREATE TABLE page(object TEXT NOT NULL REFERENCES object(key), ord INTEGER NOT NULL,"
    " label TEXT NOT NULL, text_file BLOB, image_file BLOB, width INTEGER NOT NULL, height INTEGER NOT NULL,"
    " line BLOB REFERENCES line(digest), PRIMARY KEY(object, ord)) WITHOUT ROWID;"
    "CREATE TABLE problem(object TEXT NOT NULL, file TEXT NOT NULL, place TEXT NOT NULL, rule TEXT NOT NULL,"
    " sentence TEXT NOT NULL, PRIMARY KEY(object, file, place, rule, sentence)) WITHOUT ROWID;"
    "CREATE TABLE fact(kind TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, source TEXT NOT NULL,"
    " facts TEXT NOT NULL, PRIMARY KEY(kind, key, digest, source)) WITHOUT ROWID;"
    "CREATE TABLE replaced(kind TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL,"
    " PRIMARY KEY(kind, key, digest)) WITHOUT ROWID;"
    "CREATE TABLE scope(work TEXT NOT NULL REFERENCES work(urn), kind TEXT NOT NULL, key TEXT NOT NULL,"
    " digest BLOB NOT NULL, PRIMARY KEY(work, kind, key, digest)) WITHOUT ROWID;"
    "CREATE TABLE decision(hash BLOB PRIMARY KEY, work TEXT NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE event(seq INTEGER PRIMARY KEY, json TEXT NOT NULL, leaf BLOB NOT NULL);"
    "CREATE TABLE event_private(seq INTEGER PRIMARY KEY REFERENCES event(seq), actor TEXT NOT NULL,"
    " payload TEXT NOT NULL);"
    "CREATE VIEW edition AS SELECT key AS urn, source, facts FROM fact WHERE kind = 'edition';"
    "CREATE VIEW contributor AS SELECT f.key AS work, f.source AS source, j.key AS position,"
    " json_extract(j.value, '$.role') AS role, json_extract(j.value, '$.name') AS name,"
    " json_extract(j.value, '$.birth.value') AS birth, json_extract(j.value, '$.death.value') AS death,"
    " json_extract(j.value, '$.nationality') AS nationality"
    " FROM fact f, json_each(f.facts, '$.contributors') j WHERE f.kind = 'work';"
    "CREATE VIEW signal AS SELECT key AS work, source, facts FROM fact WHERE kind = 'signal';"
    "CREATE VIEW licence AS SELECT key AS id, source, facts FROM fact WHERE kind = 'licence';"
    "CREATE VIEW block AS SELECT key AS id, source, facts FROM fact WHERE kind = 'block';"
    "CREATE VIEW determination AS SELECT key AS work, source, facts FROM fact WHERE kind = 'determination';",
};
#define SCHEMA_VERSION ((int)(sizeof migrations / sizeof migrations[0]))

static cph_status schema_version(cph_collection *c, int *out, cph_err *err)
{
    cph_sql q;
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "PRAGMA user_version", err);
    if (s == CPH_OK) s = cph_sql_step(&q, err);
    if (s == CPH_OK) *out = (int)cph_sql_i64(&q, 0);
    cph_sql_end(&q);
    return s;
}

static cph_status new_salt(cph_collection *c, cph_err *err)
{
    uint8_t random[32];
    char sql[160], hex[CPH_HEX_DIGEST];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return cph_fail_errno(err, "%s: no randomness for the log's salt", c->path);
    cph_hex(random, sizeof random, hex);
    snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO meta VALUES('salt', '%s')", hex);
    return cph_sql_exec(c->db, c->path, sql, err);
}

static cph_status migrate(cph_collection *c, cph_err *err)
{
    int have = 0;
    CPH_TRY(schema_version(c, &have, err));
    if (have > SCHEMA_VERSION) {
        cph_fail(err, CPH_DATA, "%s: the catalogue has schema %d, this program knows %d", c->path, have,
                 SCHEMA_VERSION);
        return cph_hint(err, "use the newer colophon that wrote it");
    }
    if (have == SCHEMA_VERSION) return CPH_OK;
    if (!c->writable)
        return cph_fail(err, CPH_DATA,
                        "%s: the catalogue has schema %d; open it for writing once to bring it to %d",
                        c->path, have, SCHEMA_VERSION);
    CPH_TRY(cph_collection_begin(c, err));
    cph_status s = CPH_OK;
    for (int v = have; s == CPH_OK && v < SCHEMA_VERSION; v++)
        s = cph_sql_exec(c->db, c->path, migrations[v], err);
    if (s == CPH_OK && have == 0) s = new_salt(c, err);
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", SCHEMA_VERSION);
    if (s == CPH_OK) s = cph_sql_exec(c->db, c->path, sql, err);
    if (s == CPH_OK) return cph_collection_commit(c, err);
    cph_collection_rollback(c);
    return s;
}

/* Reads a row of `meta`; an absent one leaves `out` alone. */
static cph_status meta_get(cph_collection *c, const char *name, char *out, size_t size, cph_err *err)
{
    cph_sql q;
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "SELECT value FROM meta WHERE name = ?", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "t", cph_str_of(name));
    if (s == CPH_OK) s = cph_sql_step(&q, err);
    if (s == CPH_OK) snprintf(out, size, "%.*s", CPH_FMT(cph_sql_text(&q, 0)));
    cph_sql_end(&q);
    return s == CPH_END ? CPH_OK : s;
}

/* ---- the lock ---- */

static void say_who_holds(const char *collection, const char *lock)
{
    cph_buf b;
    cph_buf_init(&b, 4096);
    cph_str who = CPH_STR("another process");
    if (cph_file_read(lock, 4096, &b, NULL) == CPH_OK && b.n) who = cph_str_trim(cph_buf_view(&b));
    cph_log(CPH_WARN, "%s: waiting: %.*s writes to this collection", collection, CPH_FMT(who));
    cph_buf_release(&b);
}

static cph_status take_lock(cph_collection *c, cph_err *err)
{
    char lock[CPH_PATH_MAX], host[64] = "this machine", who[128];
    CPH_TRY(cph_path_join(lock, c->path, "lock", err));
    cph_status s = cph_lock_take(&c->lock, lock, false, err);
    if (s == CPH_NO) {
        say_who_holds(c->path, lock);
        s = cph_lock_take(&c->lock, lock, true, err);
    }
    CPH_TRY(s);
    gethostname(host, sizeof host - 1);
    int n = snprintf(who, sizeof who, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(c->lock.fd, 0) == 0 && pwrite(c->lock.fd, who, (size_t)n, 0) != n)
        cph_log(CPH_DEBUG, "%s: cannot note who holds the lock", c->path);
    return CPH_OK;
}

/* ---- open and close ---- */

static cph_status make_directories(const char *path, cph_err *err)
{
    char sub[CPH_PATH_MAX];
    static const char *const names[] = {"content", "content/new", "snapshots"};

    CPH_TRY(cph_mkdirs(path, err));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CPH_TRY(cph_path_join(sub, path, names[i], err));
        CPH_TRY(cph_mkdirs(sub, err));
    }
    return CPH_OK;
}

/* A directory that holds something else is not made into a collection. */
static cph_status may_create(const char *path, const char *database, cph_err *err)
{
    char lock[CPH_PATH_MAX];
    CPH_TRY(cph_path_join(lock, path, "lock", err));
    if (cph_file_kind_of(database) == CPH_FILE_REGULAR || cph_file_kind_of(lock) == CPH_FILE_REGULAR)
        return CPH_OK;
    switch (cph_file_kind_of(path)) {
    case CPH_FILE_NONE: return CPH_OK;
    case CPH_FILE_DIR: break;
    default: return cph_fail(err, CPH_USAGE, "%s: is a file; a collection is a directory", path);
    }
    if (rmdir(path) == 0) return CPH_OK; /* it was empty */
    cph_fail(err, CPH_USAGE, "%s: a directory that holds other things is not made into a collection", path);
    return cph_hint(err, "name a directory that does not exist yet");
}

/* A read-only medium has no place for SQLite's shared memory: then nobody writes either. */
cph_status cph_catalogue_open_read(sqlite3 **out, const char *database, const char *name, cph_err *err)
{
    char uri[CPH_PATH_MAX + 32];
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(database, out, flags, NULL) == SQLITE_OK &&
        sqlite3_exec(*out, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(*out, 60000);
        return CPH_OK;
    }
    int code = sqlite3_errcode(*out) & 0xFF;
    if (code != SQLITE_CANTOPEN && code != SQLITE_READONLY) return cph_sql_fail(*out, name, "opening", err);
    sqlite3_close(*out);
    *out = NULL;
    snprintf(uri, sizeof uri, "file:%s?immutable=1", database);
    if (sqlite3_open_v2(uri, out, flags | SQLITE_OPEN_URI, NULL) != SQLITE_OK)
        return cph_sql_fail(*out, name, "opening", err);
    return CPH_OK;
}

static cph_status open_for_writing(cph_collection *c, const char *database, cph_err *err)
{
    char fresh[CPH_PATH_MAX];
    if (sqlite3_open_v2(database, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return cph_sql_fail(c->db, c->path, "opening", err);
    sqlite3_busy_timeout(c->db, 60000);
    CPH_TRY(cph_sql_exec(c->db, c->path,
                         "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;",
                         err));
    /* What a killed run left half-copied. */
    CPH_TRY(cph_path_join(fresh, c->path, "content/new", err));
    CPH_TRY(cph_remove_tree(fresh, err));
    return cph_mkdirs(fresh, err);
}

static cph_status open_at(cph_collection *c, const char *path, cph_open_mode mode, cph_err *err)
{
    char database[CPH_PATH_MAX], sample[8] = "";
    CPH_TRY(cph_path_join(c->path, path, "", err));
    size_t n = strlen(c->path);
    while (n > 1 && c->path[n - 1] == '/') c->path[--n] = 0;
    CPH_TRY(cph_path_join(database, c->path, "collection.db", err));
    if (mode == CPH_OPEN_CREATE) {
        CPH_TRY(may_create(c->path, database, err));
        CPH_TRY(make_directories(c->path, err));
    } else if (cph_file_kind_of(database) != CPH_FILE_REGULAR) {
        cph_fail(err, CPH_IO, "%s: no collection there (no collection.db)", c->path);
        return cph_hint(err, "make one with: colophon ingest SOURCE... --into %s", c->path);
    }
    if (mode != CPH_OPEN_READ) {
        c->writable = true;
        CPH_TRY(take_lock(c, err));
        CPH_TRY(open_for_writing(c, database, err));
    } else {
        CPH_TRY(cph_catalogue_open_read(&c->db, database, c->path, err));
    }
    CPH_TRY(migrate(c, err));
    CPH_TRY(meta_get(c, "sample", sample, sizeof sample, err));
    CPH_TRY(meta_get(c, "salt", c->salt, sizeof c->salt, err));
    c->sample = strcmp(sample, "yes") == 0;
    return CPH_OK;
}

cph_status cph_collection_open(cph_collection **out, const char *path, cph_open_mode mode, cph_err *err)
{
    void *block;
    CPH_TRY(cph_alloc0(&block, sizeof **out, err));
    cph_collection *c = block;
    c->lock.fd = -1;
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&c->mutex, &recursive);
    pthread_mutexattr_destroy(&recursive);
    cph_status s = open_at(c, path, mode, err);
    if (s != CPH_OK) {
        cph_collection_close(c);
        return s;
    }
    *out = c;
    return CPH_OK;
}

void cph_collection_close(cph_collection *c)
{
    if (!c) return;
    /* The last connection folds the log into the database and syncs it. */
    sqlite3_close(c->db);
    if (c->lock.fd >= 0) cph_lock_drop(&c->lock);
    pthread_mutex_destroy(&c->mutex);
    cph_free(c);
}

const char *cph_collection_path(const cph_collection *c) { return c->path; }
bool cph_collection_is_sample(cph_collection *c) { return c->sample; }

cph_status cph_collection_mark_sample(cph_collection *c, cph_err *err)
{
    cph_collection_lock(c);
    cph_status s = cph_catalogue_writable(c, err);
    if (s == CPH_OK && !c->sample) {
        s = cph_sql_exec(c->db, c->path, "INSERT OR REPLACE INTO meta VALUES('sample', 'yes')", err);
        c->sample = s == CPH_OK;
    }
    cph_collection_unlock(c);
    return s;
}

void cph_collection_set_actor(cph_collection *c, const char *name)
{
    cph_collection_lock(c);
    snprintf(c->actor, sizeof c->actor, "%s", name);
    cph_collection_unlock(c);
}
