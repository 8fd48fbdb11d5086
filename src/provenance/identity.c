/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.c - builds `identity` and `run`.
 *
 * Identity is what the artefact is; nothing of the machine, the hour or the path
 * may enter it. Arrays are kept sorted as rows come, so that no order of arrival shows.
 */
#include "provenance_in.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

cph_status cph_member_hex(cph_json *object, cph_arena *a, const char *key, const cph_digest *d,
                          cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(d, hex);
    return cph_json_set_str(object, a, key, cph_str_of(hex), err);
}

cph_status cph_member_u64(cph_json *object, cph_arena *a, const char *key, uint64_t v, cph_err *err)
{
    if (v > ((uint64_t)1 << 53) - 1)
        return cph_fail(err, CPH_DATA, "%s: %llu does not fit canonical JSON", key, (unsigned long long)v);
    return cph_json_set_i64(object, a, key, (int64_t)v, err);
}

cph_status cph_member_bool(cph_json *object, cph_arena *a, const char *key, bool v, cph_err *err)
{
    cph_json *b;
    CPH_TRY(cph_json_new(&b, a, v ? CPH_JSON_TRUE : CPH_JSON_FALSE, err));
    return cph_json_set(object, a, key, b, err);
}

cph_status cph_alias(cph_json **out, cph_arena *a, const cph_json *v, cph_err *err)
{
    cph_json *alias;
    CPH_TRY(cph_json_new(&alias, a, v->type, err));
    alias->n = v->n;
    alias->str = v->str;
    alias->first = v->first;
    *out = alias;
    return CPH_OK;
}

static cph_status copy_of(cph_json **out, cph_arena *a, const cph_json *v, cph_err *err)
{
    cph_json *c;
    CPH_TRY(cph_json_new(&c, a, v->type, err));
    CPH_TRY(cph_arena_str(a, &c->str, v->str, err));
    CPH_TRY(cph_arena_str(a, &c->key, v->key, err));
    cph_json **end = &c->first;
    for (const cph_json *m = v->first; m; m = m->next, c->n++) {
        CPH_TRY(copy_of(end, a, m, err));
        end = &(*end)->next;
    }
    *out = c;
    return CPH_OK;
}

/* The object under `key`, made when it is not there. */
static cph_status member(cph_json **out, cph_json *object, cph_arena *a, const char *key,
                         cph_json_type type, cph_err *err)
{
    for (cph_json *m = object->first; m; m = m->next)
        if (cph_str_is(m->key, key)) {
            if (m->type != type) return cph_fail(err, CPH_BUG, "identity.%s is of another type", key);
            *out = m;
            return CPH_OK;
        }
    cph_json *v;
    CPH_TRY(cph_json_new(&v, a, type, err));
    CPH_TRY(cph_json_set(object, a, key, v, err));
    *out = v;
    return CPH_OK;
}

cph_status cph_identity_new(cph_json **out, cph_arena *a, cph_err *err)
{
    static const char *const objects[] = {"options", "versions", "roots", "counts"};
    static const char *const arrays[] = {"parents", "tally"};
    cph_json *identity, *v;
    CPH_TRY(cph_json_new(&identity, a, CPH_JSON_OBJECT, err));
    for (size_t i = 0; i < 4; i++) CPH_TRY(member(&v, identity, a, objects[i], CPH_JSON_OBJECT, err));
    for (size_t i = 0; i < 2; i++) CPH_TRY(member(&v, identity, a, arrays[i], CPH_JSON_ARRAY, err));
    *out = identity;
    return CPH_OK;
}

/* Rows are few (parents, tally lines): a walk from the front finds the place. */
typedef int (*row_order)(const cph_json *x, const cph_json *y);

static cph_json *insert_sorted(cph_json *array, cph_json *row, row_order order)
{
    cph_json **at = &array->first;
    while (*at && order(*at, row) < 0) at = &(*at)->next;
    if (*at && order(*at, row) == 0) return *at;
    row->next = *at;
    *at = row;
    array->n++;
    return NULL;
}

static int by_two(const cph_json *x, const cph_json *y, const char *first, const char *second)
{
    int c = cph_str_cmp(cph_json_get_str(x, first), cph_json_get_str(y, first));
    return c ? c : cph_str_cmp(cph_json_get_str(x, second), cph_json_get_str(y, second));
}

static int parents_order(const cph_json *x, const cph_json *y) { return by_two(x, y, "role", "digest"); }
static int tally_order(const cph_json *x, const cph_json *y) { return by_two(x, y, "rule", "decision"); }

cph_status cph_identity_parent(cph_json *identity, cph_arena *a, const char *role, const char *kind,
                               const cph_digest *digest, cph_err *err)
{
    cph_json *parents, *row;
    CPH_TRY(member(&parents, identity, a, "parents", CPH_JSON_ARRAY, err));
    CPH_TRY(cph_json_new(&row, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set_str(row, a, "role", cph_str_of(role), err));
    CPH_TRY(cph_json_set_str(row, a, "kind", cph_str_of(kind), err));
    CPH_TRY(cph_member_hex(row, a, "digest", digest, err));
    (void)insert_sorted(parents, row, parents_order); /* the same parent twice is one */
    return CPH_OK;
}

static cph_status text_in(cph_json *identity, cph_arena *a, const char *object, const char *name,
                          cph_str value, cph_err *err)
{
    cph_json *v;
    CPH_TRY(member(&v, identity, a, object, CPH_JSON_OBJECT, err));
    return cph_json_set_str(v, a, name, value, err);
}

cph_status cph_identity_option(cph_json *identity, cph_arena *a, const char *name, cph_str value,
                               cph_err *err)
{
    return text_in(identity, a, "options", name, value, err);
}

cph_status cph_identity_version(cph_json *identity, cph_arena *a, const char *name, cph_str value,
                                cph_err *err)
{
    return text_in(identity, a, "versions", name, value, err);
}

cph_status cph_identity_root(cph_json *identity, cph_arena *a, const char *name, const cph_digest *root,
                             cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(root, hex);
    return text_in(identity, a, "roots", name, cph_str_of(hex), err);
}

cph_status cph_identity_count(cph_json *identity, cph_arena *a, const char *name, uint64_t n, cph_err *err)
{
    cph_json *counts;
    CPH_TRY(member(&counts, identity, a, "counts", CPH_JSON_OBJECT, err));
    return cph_member_u64(counts, a, name, n, err);
}

cph_status cph_identity_tree(cph_json *identity, cph_arena *a, const char *tree, const cph_digest *root,
                             uint64_t n_leaves, cph_err *err)
{
    char name[64];
    snprintf(name, sizeof name, "%s_root", tree);
    CPH_TRY(cph_identity_root(identity, a, name, root, err));
    snprintf(name, sizeof name, "%s_size", tree);
    return cph_identity_count(identity, a, name, n_leaves, err);
}

cph_status cph_identity_text(cph_json *identity, cph_arena *a, const char *key, cph_str value, cph_err *err)
{
    return cph_json_set_str(identity, a, key, value, err);
}

cph_status cph_identity_slots(cph_json *identity, cph_arena *a, uint64_t slots, cph_err *err)
{
    return cph_member_u64(identity, a, "slots", slots, err);
}

static cph_status raise(cph_json *row, cph_arena *a, const char *key, uint64_t by, cph_err *err)
{
    uint64_t n = 0;
    (void)cph_json_u64(cph_json_get(row, key), &n);
    return cph_member_u64(row, a, key, n + by, err);
}

cph_status cph_identity_tally(cph_json *identity, cph_arena *a, const cph_tally_row *row, cph_err *err)
{
    cph_json *tally, *v;
    CPH_TRY(member(&tally, identity, a, "tally", CPH_JSON_ARRAY, err));
    CPH_TRY(cph_json_new(&v, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set_str(v, a, "rule", row->rule, err));
    CPH_TRY(cph_json_set_str(v, a, "decision", row->decision, err));
    cph_json *there = insert_sorted(tally, v, tally_order);
    if (there) v = there;
    CPH_TRY(raise(v, a, "works", row->works, err));
    CPH_TRY(raise(v, a, "documents", row->documents, err));
    return raise(v, a, "words", row->words, err);
}

cph_status cph_identity_inherit(cph_json *identity, cph_arena *a, const cph_manifest *parent,
                                const char *key, cph_err *err)
{
    const cph_json *v = cph_json_get(cph_manifest_identity(parent), key);
    if (!v) return CPH_OK;
    cph_json *copy;
    CPH_TRY(copy_of(&copy, a, v, err));
    return cph_json_set(identity, a, key, copy, err);
}

/* ---- run ---- */

static cph_run_facts process; /* set once, before other threads start */

void cph_run_set(const cph_run_facts *facts) { process = *facts; }

static cph_status set_time(cph_json *run, cph_arena *a, const char *key, int64_t unix_s, cph_err *err)
{
    char z[32];
    struct tm tm;
    time_t t = (time_t)unix_s;
    if (!gmtime_r(&t, &tm) || strftime(z, sizeof z, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return cph_fail(err, CPH_BUG, "%lld is no time", (long long)unix_s);
    return cph_json_set_str(run, a, key, cph_str_of(z), err);
}

/* What the system hands over may be no UTF-8; a manifest must be. */
static cph_status valid_copy(cph_str *out, cph_arena *a, const char *z, cph_err *err)
{
    cph_str s = cph_str_of(z);
    CPH_TRY(cph_arena_str(a, out, s, err));
    char *p = (char *)(uintptr_t)out->p;
    for (size_t at; (at = cph_utf8_check(p, s.n)) != s.n;) p[at] = '?';
    return CPH_OK;
}

static cph_status set_command(cph_json *run, cph_arena *a, cph_err *err)
{
    cph_json *command;
    CPH_TRY(cph_json_new(&command, a, CPH_JSON_ARRAY, err));
    for (int i = 0; i < process.argc; i++) {
        cph_json *word;
        cph_str s;
        CPH_TRY(valid_copy(&s, a, process.argv[i], err));
        CPH_TRY(cph_json_new_str(&word, a, s, err));
        CPH_TRY(cph_json_push(command, word, err));
    }
    return cph_json_set(run, a, "command", command, err);
}

cph_status cph_run_new(cph_json **out, cph_arena *a, int64_t started_unix_s, cph_err *err)
{
    cph_json *run, *paths;
    cph_str host;
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0) name[0] = 0;
    CPH_TRY(valid_copy(&host, a, name, err));
    CPH_TRY(cph_json_new(&run, a, CPH_JSON_OBJECT, err));
    CPH_TRY(set_command(run, a, err));
    CPH_TRY(set_time(run, a, "started", started_unix_s, err));
    CPH_TRY(set_time(run, a, "ended", (int64_t)time(NULL), err));
    CPH_TRY(cph_json_set_str(run, a, "host", host, err));
    CPH_TRY(cph_json_set_str(run, a, "isa", cph_str_of(process.isa ? process.isa : ""), err));
    CPH_TRY(cph_member_u64(run, a, "threads", process.threads, err));
    CPH_TRY(cph_member_u64(run, a, "ranks", process.ranks ? process.ranks : 1, err));
    CPH_TRY(cph_json_set_str(run, a, "toolkit", CPH_STR("colophon " CPH_VERSION), err));
    CPH_TRY(cph_json_new(&paths, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set(run, a, "paths", paths, err));
    *out = run;
    return CPH_OK;
}

cph_status cph_run_path(cph_json *run, cph_arena *a, const char *role, cph_str path, cph_err *err)
{
    cph_json *paths;
    CPH_TRY(member(&paths, run, a, "paths", CPH_JSON_OBJECT, err));
    return cph_json_set_str(paths, a, role, path, err);
}
