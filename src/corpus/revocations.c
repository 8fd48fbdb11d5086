/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocations.c - the list of what was taken down after a corpus was sealed
 * (artefacts 3): one JSON object a line, {wkey | dkey, purposes, from, event}.
 * A takedown binds at the next open. "from" is not compared with any date: a
 * library that lists a revocation wants it kept, and a reader has no clock.
 */
#include <colophon/base/memory.h>

#include <stdlib.h>

#include "reader_in.h"

#define LINE_MAX ((size_t)1 << 16)

static int by_bytes(const void *a, const void *b) { return cph_digest_cmp(a, b); }

static cph_status add(cph_digest **at, size_t *n, size_t *cap, const cph_digest *d, cph_err *err)
{
    if (*n == *cap) {
        void *p = *at;
        CPH_TRY(cph_realloc(&p, (*cap * 2 + 16) * sizeof **at, err));
        *at = p;
        *cap = *cap * 2 + 16;
    }
    (*at)[(*n)++] = *d;
    return CPH_OK;
}

/* An absent list of purposes means all of them. */
static cph_status names_purpose(const cph_json *purposes, cph_purpose asked, bool *hit, cph_err *err)
{
    *hit = purposes == NULL;
    if (!purposes) return CPH_OK;
    if (purposes->type != CPH_JSON_ARRAY) return cph_fail(err, CPH_DATA, "\"purposes\" is no list");
    for (const cph_json *v = purposes->first; v; v = v->next) {
        cph_purpose p;
        if (v->type != CPH_JSON_STRING || !cph_purpose_parse(v->str, &p))
            return cph_fail(err, CPH_DATA, "\"%.*s\" is no purpose", CPH_FMT(v->str));
        *hit = *hit || p == asked;
    }
    return CPH_OK;
}

static cph_status add_line(cph_revocations *r, cph_arena *a, cph_str line, cph_purpose asked, cph_err *err)
{
    cph_json *v;
    cph_digest d;
    bool hit;
    CPH_TRY(cph_json_parse(&v, a, line, "a revocation", NULL, err));
    const cph_json *work = cph_json_get(v, "wkey"), *document = cph_json_get(v, "dkey");
    if (!work == !document)
        return cph_fail(err, CPH_DATA, "a revocation names a wkey or a dkey, one of them");
    if (!cph_digest_parse((work ? work : document)->str, &d))
        return cph_fail(err, CPH_DATA, "a revocation's key is no SHA-256 in hexadecimal");
    CPH_TRY(names_purpose(cph_json_get(v, "purposes"), asked, &hit, err));
    if (!hit) return CPH_OK;
    if (work) return add(&r->works, &r->n_works, &r->works_cap, &d, err);
    return add(&r->documents, &r->n_documents, &r->documents_cap, &d, err);
}

static cph_status read_lines(cph_revocations *r, cph_lines *l, const char *path, cph_purpose asked,
                             cph_arena *a, cph_err *err)
{
    cph_str line;
    cph_status s;
    for (uint64_t n = 1; (s = cph_lines_next(l, &line, err)) == CPH_OK; n++) {
        if (!cph_str_trim(line).n) continue;
        cph_arena_reset(a);
        if (add_line(r, a, line, asked, err) != CPH_OK)
            return cph_err_prefix(err, "%s: line %llu", path, (unsigned long long)n);
    }
    return s == CPH_END ? CPH_OK : s;
}

cph_status cph_revocations_read(cph_revocations *r, const char *path, cph_purpose purpose, cph_err *err)
{
    cph_lines *l;
    cph_arena a;
    CPH_TRY(cph_lines_open(&l, path, LINE_MAX, err));
    cph_arena_init(&a, (size_t)16 << 20);
    cph_status s = read_lines(r, l, path, purpose, &a, err);
    cph_arena_release(&a);
    cph_lines_close(l);
    if (s != CPH_OK) return s;
    if (r->n_works) qsort(r->works, r->n_works, sizeof *r->works, by_bytes);
    if (r->n_documents) qsort(r->documents, r->n_documents, sizeof *r->documents, by_bytes);
    return CPH_OK;
}

void cph_revocations_release(cph_revocations *r)
{
    cph_free(r->works);
    cph_free(r->documents);
    *r = (cph_revocations){0};
}

bool cph_revocations_hit(const cph_revocations *r, const cph_doc *d)
{
    if (r->n_documents && bsearch(&d->dkey, r->documents, r->n_documents, sizeof d->dkey, by_bytes))
        return true;
    for (size_t i = 0; r->n_works && i < d->n_works; i++)
        if (bsearch(&d->wkeys[i], r->works, r->n_works, sizeof *d->wkeys, by_bytes)) return true;
    return false;
}
