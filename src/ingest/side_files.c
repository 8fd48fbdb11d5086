/* SPDX-License-Identifier: Apache-2.0 */
/*
 * side_files.c - works.jsonl, which says whose texts stand beside it, and rights
 * files, whose evidence is no text of the collection (artefacts 2).
 */
#include "ingest_in.h"

#include <colophon/base/memory.h>
#include <colophon/format/jsonl.h>

#include <stdlib.h>
#include <string.h>

#define MAX_NAMED (1u << 24)

static cph_status grow(void **array, size_t n, size_t *cap, size_t size, cph_err *err)
{
    if (n < *cap) return CPH_OK;
    if (n >= MAX_NAMED) return cph_fail(err, CPH_NOMEM, "side files name more than %u files", MAX_NAMED);
    size_t more = *cap ? *cap * 2 : 64;
    CPH_TRY(cph_realloc(array, more * size, err));
    *cap = more;
    return CPH_OK;
}

static cph_status remember_file(finder *f, cph_arena *a, cph_str dir, cph_str file, cph_str urn, cph_err *err)
{
    char path[CPH_PATH_MAX];
    void *p = f->named;
    named_file row;
    CPH_TRY(cph_path_in(path, dir, file, err));
    CPH_TRY(cph_arena_str(a, &row.path, cph_str_of(path), err));
    CPH_TRY(cph_arena_str(a, &row.urn, urn, err));
    CPH_TRY(grow(&p, f->n_named, &f->cap_named, sizeof *f->named, err));
    f->named = p;
    f->named[f->n_named++] = row;
    return CPH_OK;
}

/* The record without "files", which says where and not what. */
static cph_status facts_of(const cph_json *v, cph_buf *b, cph_err *err)
{
    b->n = 0;
    CPH_TRY(cph_buf_char(b, '{', err));
    for (const cph_json *m = v->first; m; m = m->next) {
        if (cph_str_is(m->key, "files") || cph_str_is(m->key, "kind")) continue;
        if (b->n > 1) CPH_TRY(cph_buf_char(b, ',', err));
        CPH_TRY(cph_json_quote(b, m->key, err));
        CPH_TRY(cph_buf_char(b, ':', err));
        CPH_TRY(cph_json_write(b, m, 0, err));
    }
    return cph_buf_char(b, '}', err);
}

typedef struct side {
    finder *f;
    cph_arena *a;
    cph_str dir, name, path;
    cph_str source;
    cph_buf facts;
} side;

static cph_status told(side *s, uint64_t line, const char *rule, const char *sentence, cph_err *err)
{
    cph_err place = {0};
    cph_fail(&place, CPH_OK, "line %llu", (unsigned long long)line);
    return cph_problem_alone(s->f->r, s->f->o, s->path, cph_str_of(place.what), rule, cph_str_of(sentence),
                             err);
}

static cph_status one_work(side *s, const cph_json *v, uint64_t line, cph_err *err)
{
    cph_str urn = cph_json_get_str(v, "urn"), file;
    cph_err why = {0};
    if (v->type != CPH_JSON_OBJECT || !urn.n)
        return told(s, line, "works-jsonl", "the record is no object with \"urn\"", err);
    const cph_json *files = cph_json_get(v, "files");
    for (const cph_json *m = files && files->type == CPH_JSON_ARRAY ? files->first : NULL; m; m = m->next)
        if (cph_json_str(m, &file)) CPH_TRY(remember_file(s->f, s->a, s->dir, file, urn, err));
    if (!s->f->r->into) return CPH_OK;
    CPH_TRY(facts_of(v, &s->facts, err));
    cph_status st =
        cph_collection_add_fact(s->f->r->into, "work", urn, s->source, cph_buf_view(&s->facts), &why);
    if (st == CPH_DATA) return told(s, line, "facts-refused", why.what, err);
    if (st != CPH_OK) return cph_fail(err, st, "%s", why.what);
    s->f->o->facts++;
    return CPH_OK;
}

static cph_status all_works(side *s, cph_jsonl *in, cph_err *err)
{
    const cph_json *v;
    uint64_t line = 0;
    for (;;) {
        cph_err why = {0};
        cph_status st = cph_jsonl_next(in, &v, &line, &why);
        if (st == CPH_END) return CPH_OK;
        if (st == CPH_DATA) CPH_TRY(told(s, line, "works-jsonl", why.what, err));
        else if (st != CPH_OK) return cph_fail(err, st, "%s", why.what);
        else CPH_TRY(one_work(s, v, line, err));
    }
}

static int by_path(const void *a, const void *b)
{
    const named_file *x = a, *y = b;
    int order = cph_str_cmp(x->path, y->path);
    return order ? order : cph_str_cmp(x->urn, y->urn);
}

cph_status cph_side_works(finder *f, cph_arena *a, cph_str dir, cph_str name, cph_err *err)
{
    char path[CPH_PATH_MAX], hex[CPH_HEX_DIGEST];
    cph_digest digest;
    uint64_t n_bytes;
    cph_jsonl *in = NULL;
    cph_err why = {0};
    size_t first = f->n_named;
    side s = {.f = f, .a = a, .dir = dir, .name = name};
    CPH_TRY(cph_path_in(path, dir, name, err));
    s.path = cph_str_of(path);
    cph_status st = cph_file_digest(path, &digest, &n_bytes, &why);
    if (st == CPH_OK) st = cph_jsonl_open(&in, path, &why);
    if (st != CPH_OK)
        return cph_problem_alone(f->r, f->o, s.path, (cph_str){"", 0}, "file-unreadable",
                                 cph_str_of(why.what), err);
    cph_digest_hex(&digest, hex);
    cph_buf_init(&s.facts, (size_t)16 << 20);
    st = cph_arena_printf(a, &s.source, err, "works.jsonl:%s", hex);
    if (st == CPH_OK) st = all_works(&s, in, err);
    cph_buf_release(&s.facts);
    cph_jsonl_close(in);
    if (f->n_named > first) qsort(f->named + first, f->n_named - first, sizeof *f->named, by_path);
    return st;
}

cph_str cph_side_urn(const finder *f, cph_str path)
{
    cph_str urn = {0};
    for (size_t i = 0; i < f->n_named; i++) {
        if (!cph_str_eq(f->named[i].path, path)) continue;
        if (urn.n && !cph_str_eq(urn, f->named[i].urn)) return (cph_str){0};
        urn = f->named[i].urn;
    }
    return urn;
}

/* ---- rights files ---- */

static cph_status remember_evidence(finder *f, const cph_json *v, cph_err *err)
{
    for (const cph_json *m = v->first; m; m = m->next) {
        cph_digest d;
        void *p = f->evidence;
        if (m->type != CPH_JSON_STRING || !cph_str_ends(m->key, "sha256") || !cph_digest_parse(m->str, &d))
            continue;
        CPH_TRY(grow(&p, f->n_evidence, &f->cap_evidence, sizeof *f->evidence, err));
        f->evidence = p;
        f->evidence[f->n_evidence++] = d;
    }
    return CPH_OK;
}

static bool is_statement(const cph_json *v, cph_str text_key)
{
    static const char *const kinds[] = {"work",   "edition",       "licence",     "signal",
                                        "block",  "determination", "contributor", "object",
                                        "optout", "person",        NULL};
    cph_str kind = cph_json_get_str(v, "kind");
    if (v->type != CPH_JSON_OBJECT || cph_json_path(v, text_key)) return false;
    for (size_t i = 0; kinds[i]; i++)
        if (cph_str_is(kind, kinds[i])) return true;
    return false;
}

/* A file whose first record cannot be held is left alone, whatever it is. */
static cph_status skip_large(finder *f, const char *path, bool *is_rights, cph_err *err)
{
    *is_rights = true;
    return cph_problem_alone(
        f->r, f->o, cph_str_of(path), (cph_str){"", 0}, "file-unreadable",
        CPH_STR("a record is too large for the memory there is, or for any record (256 MiB)"), err);
}

cph_status cph_side_rights(finder *f, cph_str dir, cph_str name, bool *is_rights, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_jsonl *in = NULL;
    const cph_json *v;
    uint64_t line;
    *is_rights = false;
    CPH_TRY(cph_path_in(path, dir, name, err));
    cph_status s = cph_jsonl_open(&in, path, NULL);
    if (s == CPH_NOMEM) return skip_large(f, path, is_rights, err);
    if (s != CPH_OK) return CPH_OK; /* what is wrong is told when it is read */
    s = cph_jsonl_next(in, &v, &line, NULL);
    *is_rights = s == CPH_OK && is_statement(v, f->r->opts->text_key);
    while (*is_rights && (s == CPH_OK || s == CPH_DATA)) {
        cph_status kept = s == CPH_OK ? remember_evidence(f, v, err) : CPH_OK;
        if (kept != CPH_OK) {
            cph_jsonl_close(in);
            return kept;
        }
        s = cph_jsonl_next(in, &v, &line, NULL);
    }
    cph_jsonl_close(in);
    return s == CPH_NOMEM ? skip_large(f, path, is_rights, err) : CPH_OK;
}

cph_status cph_side_is_evidence(const finder *f, const char *path, bool *is, cph_err *err)
{
    cph_digest d;
    uint64_t n_bytes;
    *is = false;
    if (!f->n_evidence) return CPH_OK;
    cph_status s = cph_file_digest(path, &d, &n_bytes, err);
    if (s != CPH_OK) return s == CPH_IO ? CPH_OK : s; /* unreadable: told when it is read */
    for (size_t i = 0; i < f->n_evidence && !*is; i++) *is = cph_digest_cmp(&f->evidence[i], &d) == 0;
    return CPH_OK;
}

void cph_finder_release(finder *f)
{
    cph_free(f->named);
    cph_free(f->evidence);
    f->named = NULL;
    f->evidence = NULL;
    f->n_named = f->cap_named = f->n_evidence = f->cap_evidence = 0;
}
