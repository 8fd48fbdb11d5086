/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statements.c - what sources and people say, each statement kept as it came.
 * What must stay true: nothing is overwritten. A statement goes out of force only when
 * another one names its digest in "replaces". The digest leaves out names and paths.
 */
#include "collection_in.h"

#include <colophon/rights/facts.h>

#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {"work",  "edition",       "licence", "signal",
                                    "block", "determination", "version"};

/* Members that say who acted or where a file lay: kept in the catalogue, in no row and no digest. */
static const char *const personal[] = {"by", "files", "path", NULL};

/* ---- adding ---- */

typedef struct new_statement {
    const char *kind;
    cph_str key, source;
    const cph_json *facts;
    cph_digest digest;
    cph_buf stored; /* canonical, with the names */
} new_statement;

static bool known_kind(const char *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i], kind) == 0) return true;
    return false;
}

/* SHA-256 over kind, key and the canonical facts without names: two people may say the same. */
static cph_status statement_digest(new_statement *n, cph_arena *a, cph_err *err)
{
    cph_json *bare;
    cph_buf b;
    cph_buf_init(&b, CPH_ROW_MAX);
    cph_status s = cph_json_copy(&bare, a, n->facts, personal, err);
    if (s == CPH_OK) s = cph_json_canonical(&b, bare, err);
    if (s == CPH_OK) {
        cph_sha256 h;
        cph_sha256_init(&h);
        cph_sha256_add(&h, n->kind, strlen(n->kind) + 1);
        cph_sha256_add(&h, n->key.p, n->key.n);
        cph_sha256_add(&h, "", 1);
        cph_sha256_add(&h, b.p, b.n);
        n->digest = cph_sha256_end(&h);
    }
    cph_buf_release(&b);
    return s;
}

static cph_status insert_scope(cph_collection *c, const new_statement *n, cph_str work, cph_err *err)
{
    cph_sql q;
    CPH_TRY(cph_work_register(c, work, err));
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "INSERT OR IGNORE INTO scope VALUES(?,?,?,?)", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "tttb", work, cph_str_of(n->kind), n->key, &n->digest);
    if (s == CPH_OK) s = cph_sql_run(&q, err);
    cph_sql_end(&q);
    return s;
}

/* Which works the statement is about: "works", "work", and the key of kinds that are keyed by a work. */
static cph_status insert_scopes(cph_collection *c, const new_statement *n, cph_err *err)
{
    if (strcmp(n->kind, "work") == 0) return cph_work_register(c, n->key, err);
    if (strcmp(n->kind, "edition") == 0 || strcmp(n->kind, "version") == 0) return CPH_OK;
    cph_str work = cph_json_get_str(n->facts, "work");
    const cph_json *works = cph_json_get(n->facts, "works");
    if (strcmp(n->kind, "signal") == 0 || strcmp(n->kind, "determination") == 0)
        CPH_TRY(insert_scope(c, n, n->key, err));
    if (work.n) CPH_TRY(insert_scope(c, n, work, err));
    if (works && works->type != CPH_JSON_ARRAY)
        return cph_fail(err, CPH_DATA, "%s %.*s: \"works\" is no array of urns", n->kind, CPH_FMT(n->key));
    for (const cph_json *w = works ? works->first : NULL; w; w = w->next) {
        cph_str urn = {0};
        if (!cph_json_str(w, &urn))
            return cph_fail(err, CPH_DATA, "%s %.*s: \"works\" is no array of urns", n->kind,
                            CPH_FMT(n->key));
        CPH_TRY(insert_scope(c, n, urn, err));
    }
    return CPH_OK;
}

static cph_status insert_replaced(cph_collection *c, const new_statement *n, cph_err *err)
{
    const cph_json *list = cph_json_get(n->facts, "replaces");
    if (!list) return CPH_OK;
    cph_sql q;
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "INSERT OR IGNORE INTO replaced VALUES(?,?,?)", err);
    for (const cph_json *r = list->first; s == CPH_OK && r; r = r->next) {
        cph_digest d;
        cph_str hex = {0};
        if (!cph_json_str(r, &hex) || !cph_digest_parse(hex, &d))
            s = cph_fail(err, CPH_DATA, "%s %.*s: \"replaces\" wants digests of 64 hexadecimal digits",
                         n->kind, CPH_FMT(n->key));
        if (s == CPH_OK) s = cph_sql_bind(&q, err, "ttb", cph_str_of(n->kind), n->key, &d);
        if (s == CPH_OK) s = cph_sql_run(&q, err);
    }
    cph_sql_end(&q);
    return s;
}

static cph_status insert_fact(cph_collection *c, const new_statement *n, bool *is_new, cph_err *err)
{
    cph_sql q;
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "INSERT OR IGNORE INTO fact VALUES(?,?,?,?,?)", err);
    if (s == CPH_OK)
        s = cph_sql_bind(&q, err, "ttbtt", cph_str_of(n->kind), n->key, &n->digest, n->source,
                         cph_buf_view(&n->stored));
    if (s == CPH_OK) s = cph_sql_run(&q, err);
    if (s == CPH_OK) *is_new = sqlite3_changes(c->db) > 0;
    cph_sql_end(&q);
    return s;
}

/* A person's statement goes into the log: what was said by digest, who by salted hash. */
static cph_status log_fact(cph_collection *c, const new_statement *n, cph_err *err)
{
    if (!cph_str_starts(n->source, "officer:")) return CPH_OK;
    const char *type = strcmp(n->kind, "licence") == 0  ? "licence"
                       : strcmp(n->kind, "signal") == 0 ? "optout-evidence"
                                                        : "fact";
    cph_buf subjects;
    char hex[CPH_HEX_DIGEST];
    cph_buf_init(&subjects, 1u << 16);
    cph_digest_hex(&n->digest, hex);
    cph_jw w = cph_jw_on(&subjects);
    cph_jw_arr(&w);
    cph_jw_str(&w, n->key);
    cph_jw_z(&w, hex);
    cph_jw_end(&w);
    cph_status s = cph_jw_done(&w, err);
    if (s == CPH_OK)
        s = cph_event_append(c, type, cph_str_sub(n->source, 8, n->source.n), cph_buf_view(&subjects),
                             cph_buf_view(&n->stored), err);
    cph_buf_release(&subjects);
    return s;
}

static cph_status add_in_transaction(cph_collection *c, const new_statement *n, cph_err *err)
{
    bool is_new = false;
    CPH_TRY(insert_fact(c, n, &is_new, err));
    if (!is_new) return CPH_OK;
    CPH_TRY(insert_scopes(c, n, err));
    CPH_TRY(insert_replaced(c, n, err));
    return log_fact(c, n, err);
}

cph_status cph_collection_add_fact(cph_collection *c, const char *kind, cph_str key, cph_str source,
                                   cph_str facts_json, cph_err *err)
{
    if (!known_kind(kind)) return cph_fail(err, CPH_DATA, "no kind of fact is called %.40s", kind);
    CPH_TRY(cph_key_check(key, "a fact's key", 1024, err));
    CPH_TRY(cph_key_check(source, "a fact's source", 1024, err));

    cph_arena a;
    cph_json *facts;
    new_statement n = {.kind = kind, .key = key, .source = source};
    cph_arena_init(&a, 4 * (size_t)CPH_ROW_MAX);
    cph_buf_init(&n.stored, CPH_ROW_MAX);
    cph_status s = cph_json_parse(&facts, &a, facts_json, kind, NULL, err);
    if (s == CPH_OK) n.facts = facts;
    if (s == CPH_OK) s = cph_fact_check(kind, facts, err);
    if (s == CPH_OK) s = cph_json_canonical(&n.stored, facts, err);
    if (s == CPH_OK) s = statement_digest(&n, &a, err);
    if (s == CPH_OK) s = cph_collection_begin(c, err);
    if (s == CPH_OK) {
        s = add_in_transaction(c, &n, err);
        if (s == CPH_OK)
            s = cph_collection_commit(c, err);
        else
            cph_collection_rollback(c);
    }
    cph_buf_release(&n.stored);
    cph_arena_release(&a);
    return s;
}

/* ---- reading ---- */

static cph_status read_statement(const cph_sql *q, cph_arena *a, cph_str key, cph_statement *out,
                                 cph_err *err)
{
    cph_json *facts;
    cph_str text, source;
    cph_digest digest = cph_sql_digest(q, 0);
    CPH_TRY(cph_arena_str(a, &source, cph_sql_text(q, 1), err));
    CPH_TRY(cph_arena_str(a, &text, cph_sql_text(q, 2), err));
    CPH_TRY(cph_json_parse(&facts, a, text, "a stored fact", NULL, err));
    *out = (cph_statement){key, source, digest, facts};
    return CPH_OK;
}

cph_status cph_statements_of(sqlite3 *db, const char *path, const char *kind, cph_str key, cph_arena *a,
                             cph_statement **out, size_t *n, cph_err *err)
{
    cph_sql q;
    size_t count = 0;
    void *at = NULL;
    cph_status s =
        cph_sql_prepare(&q, db, path, "SELECT count(DISTINCT digest) FROM fact WHERE " CPH_LIVE_FACTS, err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "tt", cph_str_of(kind), key);
    if (s == CPH_OK) s = cph_sql_step(&q, err);
    if (s == CPH_OK) count = (size_t)cph_sql_i64(&q, 0);
    cph_sql_end(&q);
    if (s == CPH_OK) s = cph_arena_alloc0(a, &at, count + 1, sizeof(cph_statement), err);
    if (s == CPH_OK)
        s = cph_sql_prepare(&q, db, path,
                            "SELECT digest, min(source), facts FROM fact WHERE " CPH_LIVE_FACTS
                            " GROUP BY digest ORDER BY digest", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "tt", cph_str_of(kind), key);
    cph_statement *list = at;
    for (size_t i = 0; s == CPH_OK && i < count; i++) {
        s = cph_sql_step(&q, err);
        if (s == CPH_OK) s = read_statement(&q, a, key, &list[i], err);
    }
    cph_sql_end(&q);
    if (s == CPH_END) s = cph_fail(err, CPH_BUG, "%s: statements of %s changed while being read", path, kind);
    if (s != CPH_OK) return s;
    *out = list;
    *n = count;
    return CPH_OK;
}

/* ---- the view of a work ---- */

cph_status cph_work_view_new(cph_work_view *v, cph_arena *a, cph_json *work, cph_err *err)
{
    cph_json **lists[] = {&v->licences, &v->signals, &v->blocks, &v->determinations};
    const char *names[] = {"licences", "signals", "blocks", "determinations"};
    CPH_TRY(cph_json_new(&v->top, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set(v->top, a, "work", work, err));
    for (size_t i = 0; i < 4; i++) {
        CPH_TRY(cph_json_new(lists[i], a, CPH_JSON_ARRAY, err));
        CPH_TRY(cph_json_set(v->top, a, names[i], *lists[i], err));
    }
    return CPH_OK;
}

cph_status cph_work_view_add(cph_work_view *v, cph_arena *a, cph_str kind, cph_json *facts, cph_err *err)
{
    (void)a;
    cph_json *list = cph_str_is(kind, "licence")  ? v->licences
                     : cph_str_is(kind, "signal") ? v->signals
                     : cph_str_is(kind, "block")  ? v->blocks
                                                  : v->determinations;
    return cph_json_push(list, facts, err);
}

/* Leaves what a snapshot leaves, and the names. */
static const char *const no_paths[] = {"files", "path", "works", NULL};

static cph_status add_scoped(cph_collection *c, cph_work_view *v, cph_arena *a, cph_str kind, cph_str key,
                             const cph_digest *digest, bool *added, cph_err *err)
{
    cph_statement *at;
    size_t n;
    char name[32];
    cph_json *facts;
    snprintf(name, sizeof name, "%.*s", CPH_FMT(kind));
    CPH_TRY(cph_statements_of(c->db, c->path, name, key, a, &at, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (cph_digest_cmp(&at[i].digest, digest) != 0) continue; /* a scope row of a replaced statement */
        if (cph_str_is(kind, "licence"))
            CPH_TRY(cph_merge_agreeing(&facts, a, at, n, err));
        else
            CPH_TRY(cph_json_copy(&facts, a, at[i].facts, no_paths, err));
        *added = true;
        return cph_work_view_add(v, a, kind, facts, err);
    }
    return CPH_OK;
}

static cph_status work_now(cph_collection *c, cph_str urn, cph_arena *a, cph_json **out, cph_err *err)
{
    cph_statement *at;
    size_t n;
    cph_json *work;
    cph_work_view v;
    cph_sql q;
    CPH_TRY(cph_statements_of(c->db, c->path, "work", urn, a, &at, &n, err));
    CPH_TRY(cph_merge_work(&work, a, urn, at, n, err));
    CPH_TRY(cph_work_view_new(&v, a, work, err));
    cph_status s =
        cph_sql_prepare(&q, c->db, c->path,
                        "SELECT kind, key, digest FROM scope WHERE work = ? ORDER BY kind, key, digest", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "t", urn);
    cph_str last = {"", 0};
    while (s == CPH_OK && (s = cph_sql_step(&q, err)) == CPH_OK) {
        cph_str kind, key;
        cph_digest digest = cph_sql_digest(&q, 2);
        s = cph_arena_str(a, &kind, cph_sql_text(&q, 0), err);
        if (s == CPH_OK) s = cph_arena_str(a, &key, cph_sql_text(&q, 1), err);
        if (s != CPH_OK || (cph_str_is(kind, "licence") && cph_str_eq(key, last))) continue;
        bool added = false;
        s = add_scoped(c, &v, a, kind, key, &digest, &added, err);
        if (added && cph_str_is(kind, "licence")) last = key;
    }
    cph_sql_end(&q);
    if (s != CPH_END) return s;
    *out = v.top;
    return CPH_OK;
}

static cph_status work_is_known(cph_collection *c, cph_str urn, cph_err *err)
{
    cph_sql q;
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "SELECT 1 FROM work WHERE urn = ?", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "t", urn);
    if (s == CPH_OK) s = cph_sql_step(&q, err);
    cph_sql_end(&q);
    if (s != CPH_END) return s;
    cph_fail(err, CPH_NO, "%s: no work %.*s", c->path, CPH_FMT(urn));
    return cph_hint(err, "colophon rights show %s lists the works", c->path);
}

cph_status cph_collection_work(cph_collection *c, cph_str urn, cph_arena *a, const cph_json **out,
                               cph_err *err)
{
    cph_json *view;
    cph_collection_lock(c);
    cph_status s = work_is_known(c, urn, err);
    if (s == CPH_OK) s = work_now(c, urn, a, &view, err);
    cph_collection_unlock(c);
    if (s == CPH_OK) *out = view;
    return s;
}

cph_status cph_collection_works(cph_collection *c, cph_work_fn each, void *ctx, cph_err *err)
{
    cph_sql q;
    cph_collection_lock(c);
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "SELECT urn FROM work ORDER BY urn", err);
    while (s == CPH_OK && (s = cph_sql_step(&q, err)) == CPH_OK) s = each(ctx, cph_sql_text(&q, 0), err);
    cph_sql_end(&q);
    cph_collection_unlock(c);
    return s == CPH_END ? CPH_OK : s;
}

cph_status cph_collection_statements(cph_collection *c, cph_str urn, cph_statement_fn each, void *ctx,
                                     cph_err *err)
{
    cph_sql q;
    cph_collection_lock(c);
    cph_status s =
        cph_sql_prepare(&q, c->db, c->path,
                        "SELECT f.kind, f.key, f.source, f.facts, f.digest, EXISTS (SELECT 1 FROM replaced r"
                        " WHERE r.kind = f.kind AND r.key = f.key AND r.digest = f.digest) FROM fact f"
                        " WHERE (f.kind = 'work' AND f.key = ?1) OR EXISTS (SELECT 1 FROM scope s WHERE"
                        " s.work = ?1 AND s.kind = f.kind AND s.key = f.key AND s.digest = f.digest)"
                        " ORDER BY f.kind, f.key, f.digest, f.source",
                        err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "t", urn);
    while (s == CPH_OK && (s = cph_sql_step(&q, err)) == CPH_OK) {
        cph_statement_view v = {cph_sql_text(&q, 0), cph_sql_text(&q, 1),   cph_sql_text(&q, 2),
                                cph_sql_text(&q, 3), cph_sql_digest(&q, 4), cph_sql_i64(&q, 5) != 0};
        s = each(ctx, &v, err);
    }
    cph_sql_end(&q);
    cph_collection_unlock(c);
    return s == CPH_END ? CPH_OK : s;
}
