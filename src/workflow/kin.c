/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kin.c - the search for parents.
 *
 * Names are visited in byte order and the first artefact of a digest stands, so that
 * two copies of a parent never make two answers. A walk is bounded in depth and number:
 * it may start beside anything.
 */
#include <colophon/workflow/kin.h>

#include <colophon/base/memory.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DIRS 20000 /* visited in one search */
#define DEPTH_GIVEN 8  /* below directories that the caller named */
#define DEPTH_BESIDE 2 /* beside the artefact: C, C/snapshots is one more */

typedef struct place {
    struct place *next;
    char *path;
    cph_manifest *manifest;
} place;

struct cph_kin {
    cph_arena a;
    place *first, **end;
    const char *const *dirs;
    size_t n_dirs;
    bool given_walked;
    char (*beside)[CPH_PATH_MAX]; /* directories whose neighbours were walked */
    size_t n_beside;
};

cph_status cph_kin_open(cph_kin **out, const char *const *dirs, size_t n_dirs, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_kin), err));
    cph_kin *k = mem;
    cph_arena_init(&k->a, 0);
    k->end = &k->first;
    k->dirs = dirs;
    k->n_dirs = n_dirs;
    *out = k;
    return CPH_OK;
}

void cph_kin_close(cph_kin *k)
{
    if (!k) return;
    for (place *p = k->first; p; p = p->next) cph_manifest_close(p->manifest);
    cph_arena_release(&k->a);
    cph_free(k->beside);
    cph_free(k);
}

static place *known(cph_kin *k, const char *path)
{
    for (place *p = k->first; p; p = p->next)
        if (strcmp(p->path, path) == 0) return p;
    return NULL;
}

static cph_status take(cph_kin *k, const char *path, place **out, cph_err *err)
{
    void *mem;
    cph_str copy;
    if ((*out = known(k, path))) return CPH_OK;
    CPH_TRY(cph_arena_alloc0(&k->a, &mem, 1, sizeof(place), err));
    place *p = mem;
    CPH_TRY(cph_arena_str(&k->a, &copy, cph_str_of(path), err));
    p->path = (char *)(uintptr_t)copy.p;
    CPH_TRY(cph_manifest_open(&p->manifest, path, err));
    *k->end = p;
    k->end = &p->next;
    *out = p;
    return CPH_OK;
}

/* "C/corpus/" and "C/corpus/colophon.json" are C/corpus; "." has no neighbours until it has a name. */
static cph_status plain_path(char out[CPH_PATH_MAX], const char *path, cph_err *err)
{
    char whole[PATH_MAX];
    cph_str s = cph_str_of(path);
    while (s.n > 1 && s.p[s.n - 1] == '/') s.n--;
    cph_str last = cph_path_base(s);
    if ((cph_str_is(last, ".") || cph_str_is(last, "..")) && realpath(path, whole)) s = cph_str_of(whole);
    if (cph_str_is(cph_path_base(s), CPH_MANIFEST_NAME) && cph_file_kind_of(path) == CPH_FILE_REGULAR)
        s = cph_path_dir(s);
    if (s.n >= CPH_PATH_MAX) return cph_fail(err, CPH_USAGE, "%.200s...: the path is too long", path);
    memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return CPH_OK;
}

cph_status cph_kin_at(cph_kin *k, const char *path, cph_kin_place *out, cph_err *err)
{
    char plain[CPH_PATH_MAX];
    place *p;
    CPH_TRY(plain_path(plain, path, err));
    CPH_TRY(take(k, plain, &p, err));
    *out = (cph_kin_place){p->path, p->manifest};
    return CPH_OK;
}

cph_status cph_kin_wanted(cph_kin *k, const char *path, cph_kin_place *out, cph_err *err)
{
    cph_manifest *m;
    cph_err local = {.status = CPH_OK};
    cph_status s = cph_kin_at(k, path, out, &local);
    if (s == CPH_OK) return CPH_OK;
    if (s != CPH_NO && s != CPH_IO) {
        if (err) *err = local;
        return s;
    }
    CPH_TRY(cph_manifest_want(&m, path, NULL, err)); /* the words for it stand there */
    cph_manifest_close(m);
    return cph_kin_at(k, path, out, err);
}

/* ---- walking ---- */

/* Takes what is an artefact there; only the lack of memory is a fault. */
static cph_status take_if_sealed(cph_kin *k, const char *path, cph_err *err)
{
    place *p;
    cph_err local = {.status = CPH_OK};
    if (cph_file_kind_of(path) != CPH_FILE_DIR) return CPH_OK;
    cph_status s = take(k, path, &p, &local);
    return s == CPH_NOMEM ? cph_fail(err, s, "%s: %s", path, local.what) : CPH_OK;
}

typedef struct walk {
    cph_kin *k;
    const char *dir;
    unsigned depth;
    size_t *n_dirs;
} walk;

static cph_status walk_dir(cph_kin *k, const char *dir, unsigned depth, size_t *n_dirs, cph_err *err);

static cph_status visit(void *ctx, cph_str name, cph_file_kind kind, uint64_t n_bytes, cph_err *err)
{
    const walk *w = ctx;
    char path[CPH_PATH_MAX], z[256];
    (void)n_bytes;
    if (kind != CPH_FILE_DIR || name.n >= sizeof z || cph_str_starts(name, ".")) return CPH_OK;
    if (cph_str_is(cph_path_base(cph_str_of(w->dir)), "content") && name.n == 2) return CPH_OK; /* scans */
    snprintf(z, sizeof z, "%.*s", CPH_FMT(name));
    if (cph_path_join(path, w->dir, z, NULL) != CPH_OK) return CPH_OK;
    return walk_dir(w->k, path, w->depth, w->n_dirs, err);
}

static cph_status list_below(cph_kin *k, const char *dir, unsigned depth, size_t *n_dirs, cph_err *err)
{
    cph_err local = {.status = CPH_OK};
    cph_status s = cph_list(dir, visit, &(walk){k, dir, depth, n_dirs}, &local);
    return s == CPH_NOMEM ? cph_fail(err, s, "%s", local.what) : CPH_OK;
}

/* Takes the artefact in `dir`, or looks below it. What cannot be read or opened is passed over. */
static cph_status walk_dir(cph_kin *k, const char *dir, unsigned depth, size_t *n_dirs, cph_err *err)
{
    char path[CPH_PATH_MAX];
    if ((*n_dirs)++ >= MAX_DIRS) return CPH_OK;
    if (cph_path_join(path, dir, CPH_MANIFEST_NAME, NULL) == CPH_OK &&
        cph_file_kind_of(path) == CPH_FILE_REGULAR)
        return take_if_sealed(k, dir, err);
    if (cph_path_join(path, dir, "collection.db", NULL) == CPH_OK &&
        cph_file_kind_of(path) == CPH_FILE_REGULAR) {
        if (cph_path_join(path, dir, "snapshots", NULL) != CPH_OK) return CPH_OK;
        return list_below(k, path, 0, n_dirs, err);
    }
    return depth ? list_below(k, dir, depth - 1, n_dirs, err) : CPH_OK;
}

static cph_status walk_given(cph_kin *k, cph_err *err)
{
    if (k->given_walked) return CPH_OK;
    k->given_walked = true;
    for (size_t i = 0; i < k->n_dirs; i++) {
        size_t n = 0;
        if (cph_file_kind_of(k->dirs[i]) != CPH_FILE_DIR)
            return cph_fail(err, CPH_IO, "%s: is no directory to look for parents in", k->dirs[i]);
        CPH_TRY(walk_dir(k, k->dirs[i], DEPTH_GIVEN, &n, err));
    }
    return CPH_OK;
}

/* The neighbours of the artefact at `path`, each directory once. */
static cph_status walk_beside(cph_kin *k, const char *path, cph_err *err)
{
    char dir[CPH_PATH_MAX];
    cph_str d = cph_path_dir(cph_str_of(path));
    size_t n = 0;
    snprintf(dir, sizeof dir, "%.*s", CPH_FMT(d));
    for (size_t i = 0; i < k->n_beside; i++)
        if (strcmp(k->beside[i], dir) == 0) return CPH_OK;
    void *p = k->beside;
    CPH_TRY(cph_realloc(&p, (k->n_beside + 1) * sizeof *k->beside, err));
    k->beside = p;
    memcpy(k->beside[k->n_beside++], dir, sizeof dir);
    return walk_dir(k, dir, DEPTH_BESIDE, &n, err);
}

/* ---- finding ---- */

static bool match(const cph_kin *k, const cph_digest *want, cph_kin_place *out)
{
    for (const place *p = k->first; p; p = p->next) {
        cph_digest d = cph_manifest_digest(p->manifest);
        if (cph_digest_cmp(&d, want) != 0) continue;
        *out = (cph_kin_place){p->path, p->manifest};
        return true;
    }
    return false;
}

/* A path of `run`, as it stands and seen from the child; a collection means its snapshot. */
static cph_status try_path(cph_kin *k, const char *path, const cph_digest *want, cph_err *err)
{
    char below[CPH_PATH_MAX], name[80] = "snapshots/", plain[CPH_PATH_MAX];
    cph_digest_hex(want, name + strlen(name));
    if (plain_path(plain, path, NULL) != CPH_OK) return CPH_OK;
    if (cph_path_join(below, plain, name, NULL) == CPH_OK) CPH_TRY(take_if_sealed(k, below, err));
    return take_if_sealed(k, plain, err);
}

static cph_status try_run_paths(cph_kin *k, const cph_kin_place *child, const cph_digest *want, cph_err *err)
{
    const cph_json *paths = cph_json_get(cph_manifest_run(child->manifest), "paths");
    for (const cph_json *m = paths ? paths->first : NULL; m; m = m->next) {
        cph_str s;
        char path[CPH_PATH_MAX], beside[CPH_PATH_MAX];
        if (!cph_json_str(m, &s) || s.n == 0 || s.n >= sizeof path || memchr(s.p, 0, s.n)) continue;
        memcpy(path, s.p, s.n);
        path[s.n] = 0;
        CPH_TRY(try_path(k, path, want, err));
        if (path[0] != '/' && cph_path_join(beside, child->path, path, NULL) == CPH_OK)
            CPH_TRY(try_path(k, beside, want, err));
    }
    return CPH_OK;
}

cph_status cph_kin_parent(cph_kin *k, const cph_kin_place *child, const cph_parent *parent,
                          cph_kin_place *out, cph_err *err)
{
    char cite[64];
    if (!cph_str_is(parent->kind, "external")) {
        if (match(k, &parent->digest, out)) return CPH_OK;
        CPH_TRY(try_run_paths(k, child, &parent->digest, err));
        if (match(k, &parent->digest, out)) return CPH_OK;
        CPH_TRY(walk_given(k, err));
        if (match(k, &parent->digest, out)) return CPH_OK;
        CPH_TRY(walk_beside(k, child->path, err));
        if (match(k, &parent->digest, out)) return CPH_OK;
    }
    cph_artefact_cite(parent->kind, &parent->digest, cite);
    return cph_fail(err, CPH_NO, "%s: its parent %s is not reachable", child->path, cite);
}

bool cph_kin_collection(const char *snapshot_path, char out[CPH_PATH_MAX])
{
    cph_str dir = cph_path_dir(cph_str_of(snapshot_path));
    char db[CPH_PATH_MAX], path[CPH_PATH_MAX];
    if (!cph_str_is(cph_path_base(dir), "snapshots")) return false;
    dir = cph_path_dir(dir);
    snprintf(path, sizeof path, "%.*s", CPH_FMT(dir));
    if (cph_path_join(db, path, "collection.db", NULL) != CPH_OK || cph_file_kind_of(db) != CPH_FILE_REGULAR)
        return false;
    memcpy(out, path, sizeof path);
    return true;
}
