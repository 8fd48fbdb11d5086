/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - an artefact and its reachable parents, each once: manifest, files,
 * roots from the content, parents. What differs becomes a row and the work goes on;
 * only a fault of the machine ends it.
 */
#include <colophon/workflow/verify.h>

#include <colophon/base/memory.h>
#include <colophon/provenance/check.h>

#include <stdio.h>
#include <string.h>

#include "verify_in.h"

/* ---- rows ---- */

/* A file's name may hold any byte; what is said of it is valid UTF-8 on one line. */
static void mend(char *p, size_t n)
{
    for (size_t at; (at = cph_utf8_check(p, n)) != n;) p[at] = '?';
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < 0x20) p[i] = '?';
}

static cph_status add_row(cph_verifier *v, cph_verdict_grade grade, cph_str subject, cph_str what,
                          cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc0(v->a, &mem, 1, sizeof(cph_verify_link), err));
    cph_verify_link *l = mem;
    l->row = (cph_verify_row){.grade = grade, .artefact = v->current};
    CPH_TRY(cph_arena_str(v->a, &l->row.subject, subject, err));
    mend((char *)(uintptr_t)l->row.subject.p, subject.n);
    CPH_TRY(cph_arena_str(v->a, &l->row.what, what, err));
    *v->end = l;
    v->end = &l->next;
    v->n_rows++;
    v->report.n_damaged += grade == CPH_DAMAGED;
    v->report.n_absent += grade == CPH_ABSENT;
    v->artefacts[v->current].n_damaged += grade == CPH_DAMAGED;
    return CPH_OK;
}

cph_status cph_verify_say(cph_verifier *v, cph_verdict_grade grade, const char *subject, cph_err *err,
                          const char *fmt, ...)
{
    char what[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return add_row(v, grade, cph_str_of(subject), cph_str_of(what), err);
}

cph_status cph_verify_fault(cph_verifier *v, const char *subject, cph_status s, const cph_err *found,
                            cph_err *err)
{
    if (s == CPH_DATA || s == CPH_NO) return cph_verify_say(v, CPH_DAMAGED, subject, err, "%s", found->what);
    if (err) *err = *found;
    return s;
}

/* ---- artefacts to visit ---- */

cph_status cph_verify_enqueue(cph_verifier *v, cph_kin_place at, cph_err *err)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (v->places[i].manifest && at.manifest && strcmp(v->places[i].path, at.path) == 0) return CPH_OK;
    if (v->n == v->cap) {
        uint32_t cap = v->cap ? v->cap * 2 : 16;
        void *p = v->places, *q = v->artefacts;
        CPH_TRY(cph_realloc(&p, cap * sizeof *v->places, err));
        v->places = p;
        CPH_TRY(cph_realloc(&q, cap * sizeof *v->artefacts, err));
        v->artefacts = q;
        v->cap = cap;
    }
    cph_verify_artefact *to = &v->artefacts[v->n];
    *to = (cph_verify_artefact){.kind = {"", 0}};
    CPH_TRY(cph_arena_str(v->a, &to->path, cph_str_of(at.path), err));
    if (at.manifest) {
        CPH_TRY(cph_arena_str(v->a, &to->kind, cph_manifest_kind(at.manifest), err));
        to->digest = cph_manifest_digest(at.manifest);
    }
    v->places[v->n++] = at;
    return CPH_OK;
}

/* ---- one artefact ---- */

typedef struct damage {
    cph_verifier *v;
} damage;

static cph_status damaged_file(void *ctx, cph_str path, const char *what, cph_err *err)
{
    const damage *d = ctx;
    return add_row(d->v, CPH_DAMAGED, path, cph_str_of(what), err);
}

static cph_status check_files(cph_verifier *v, const cph_kin_place *at, cph_err *err)
{
    cph_files_report r;
    char size[32];
    damage d = {v};
    CPH_TRY(cph_files_check(at->path, at->manifest, v->o->pool, damaged_file, &d, &r, err));
    v->report.n_files += r.n_files;
    v->report.n_bytes += r.n_bytes;
    cph_format_bytes(r.n_bytes, size);
    if (r.n_absent)
        CPH_TRY(cph_verify_say(v, CPH_ABSENT, "files", err,
                               "%llu private files are withheld from this published copy",
                               (unsigned long long)r.n_absent));
    if (r.n_damaged) return CPH_OK;
    return cph_verify_say(v, CPH_VERIFIED, "files", err, "%llu, %s",
                          (unsigned long long)(r.n_files - r.n_absent), size);
}

static cph_status check_signatures(cph_verifier *v, const cph_kin_place *at, cph_err *err)
{
    static const char *const names[] = {"colophon.dsse.json", "model.sig"};
    for (size_t i = 0; i < 2; i++)
        if (cph_artefact_has_file(at, names[i]))
            CPH_TRY(cph_verify_say(v, CPH_ABSENT, names[i], err, "a signature; this version checks none"));
    return CPH_OK;
}

bool cph_verify_external(const cph_kin_place *at, const cph_parent *p, char path[CPH_PATH_MAX])
{
    const cph_json *paths = cph_json_get(cph_manifest_run(at->manifest), "paths");
    char role[64];
    cph_digest found;
    snprintf(role, sizeof role, "%.*s", (int)(p->role.n > 60 ? 60 : p->role.n), p->role.p);
    cph_str where = cph_json_get_str(paths, role);
    snprintf(path, CPH_PATH_MAX, "%.*s", CPH_FMT(where));
    return where.n && where.n < CPH_PATH_MAX && cph_file_kind_of(path) == CPH_FILE_DIR &&
           cph_content_root_of(path, &found, NULL) == CPH_OK && cph_digest_cmp(&found, &p->digest) == 0;
}

/* A model of somebody else: that its files are the same is all that can be said. */
static cph_status visit_external(cph_verifier *v, const cph_kin_place *at, const cph_parent *p,
                                 const char *subject, const char *cite, cph_err *err)
{
    char path[CPH_PATH_MAX];
    return cph_verify_external(at, p, path) ? cph_verify_say(v, CPH_VERIFIED, subject, err,
                                 "%s: external, colophon: null; the same files", cite)
                : cph_verify_say(v, CPH_ABSENT, subject, err, "%s: external, colophon: null; not here", cite);
}

static cph_status visit_parent(cph_verifier *v, const cph_kin_place *at, const cph_parent *p, cph_err *err)
{
    char subject[96], cite[64];
    cph_kin_place place;
    cph_err local = {.status = CPH_OK};
    snprintf(subject, sizeof subject, "parent %.*s", (int)(p->role.n > 60 ? 60 : p->role.n), p->role.p);
    cph_artefact_cite(p->kind, &p->digest, cite);
    if (cph_str_is(p->kind, "external")) return visit_external(v, at, p, subject, cite, err);
    cph_status s = cph_kin_parent(v->kin, at, p, &place, &local);
    if (s == CPH_NO) return cph_verify_say(v, CPH_ABSENT, subject, err, "%s: not reachable", cite);
    if (s != CPH_OK) return cph_verify_fault(v, subject, s, &local, err);
    if (!cph_str_eq(cph_manifest_kind(place.manifest), p->kind))
        return cph_verify_say(v, CPH_DAMAGED, subject, err, "%s is of another kind", cite);
    CPH_TRY(cph_verify_say(v, CPH_VERIFIED, subject, err, "%s", cite));
    CPH_TRY(cph_verify_against_parent(v, at, p, &place, err));
    return v->o->alone ? CPH_OK : cph_verify_enqueue(v, place, err);
}

static cph_status check_one(cph_verifier *v, cph_err *err)
{
    const cph_kin_place at = v->places[v->current];
    CPH_TRY(cph_verify_say(v, CPH_VERIFIED, CPH_MANIFEST_NAME, err, "form, self and digest hold"));
    CPH_TRY(check_files(v, &at, err));
    CPH_TRY(check_signatures(v, &at, err));
    if (v->artefacts[v->current].n_damaged)
        CPH_TRY(cph_verify_say(v, CPH_ABSENT, "roots", err, "not recomputed: files differ"));
    else CPH_TRY(cph_verify_roots(v, &at, err));
    for (size_t i = 0; i < cph_manifest_n_parents(at.manifest); i++) {
        cph_parent p = cph_manifest_parent_at(at.manifest, i);
        CPH_TRY(visit_parent(v, &at, &p, err));
    }
    return CPH_OK;
}

/* ---- the whole ---- */

/* The manifest itself is missing or damaged: that is all that can be said. */
static cph_status without_manifest(cph_verifier *v, const char *path, cph_status s, const cph_err *found,
                                   cph_err *err)
{
    if (s != CPH_DATA && s != CPH_NO) {
        if (err) *err = *found;
        return s;
    }
    CPH_TRY(cph_verify_enqueue(v, (cph_kin_place){path, NULL}, err));
    return s == CPH_NO
               ? cph_verify_say(v, CPH_DAMAGED, CPH_MANIFEST_NAME, err, "is missing: nothing is sealed here")
               : cph_verify_say(v, CPH_DAMAGED, CPH_MANIFEST_NAME, err, "%s", found->what);
}

static bool is_collection(const char *path)
{
    char db[CPH_PATH_MAX];
    return cph_path_join(db, path, "collection.db", NULL) == CPH_OK &&
           cph_file_kind_of(db) == CPH_FILE_REGULAR;
}

static cph_status visit_all(cph_verifier *v, const char *path, cph_err *err)
{
    cph_kin_place at;
    cph_err local = {.status = CPH_OK};
    cph_status s = cph_kin_at(v->kin, path, &at, &local);
    if (s == CPH_NO && is_collection(path)) {
        CPH_TRY(cph_verify_collection(v, path, err));
        v->current = 1;
    } else if (s != CPH_OK) {
        return without_manifest(v, path, s, &local, err);
    } else {
        CPH_TRY(cph_verify_enqueue(v, at, err));
    }
    for (; v->current < v->n; v->current++) CPH_TRY(check_one(v, err));
    return CPH_OK;
}

static cph_status hand_over(cph_verifier *v, cph_verify_report *out, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc0(v->a, &mem, v->n + 1u, sizeof(cph_verify_artefact), err));
    v->report.artefacts = mem;
    v->report.n_artefacts = v->n;
    memcpy(mem, v->artefacts, v->n * sizeof *v->artefacts);
    CPH_TRY(cph_arena_alloc0(v->a, &mem, v->n_rows + 1, sizeof(cph_verify_row), err));
    v->report.rows = mem;
    for (const cph_verify_link *l = v->first; l; l = l->next) v->report.rows[v->report.n_rows++] = l->row;
    *out = v->report;
    return CPH_OK;
}

cph_status cph_verify(const char *path, const cph_verify_opts *o, cph_arena *a, cph_verify_report *report,
                      cph_err *err)
{
    cph_verifier v = {.a = a, .o = o};
    v.end = &v.first;
    CPH_TRY(cph_kin_open(&v.kin, o->parents, o->n_parents, err));
    cph_status s = visit_all(&v, path, err);
    if (s == CPH_OK && o->replay) s = cph_verify_replay(&v, err);
    if (s == CPH_OK) s = hand_over(&v, report, err);
    cph_kin_close(v.kin);
    cph_free(v.places);
    cph_free(v.artefacts);
    return s;
}
