/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing.c - what lies in an artefact directory, and which of it is content.
 *
 * Sealing and verifying walk by the same list, so that what one does not see the
 * other does not miss. Links and special files are listed, never followed.
 */
#include "provenance_in.h"

#include <colophon/base/memory.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Papers and state that lie with the content and do not make it what it is (artefacts 5, 13.1). */
static const char *const documents[] = {
    "README.md",          "LICENSE",       "NOTICE",
    "report.html",        "report.json",   "stats.csv",
    "loss.csv",           "curve.csv",     "optimizer.safetensors",
    "trainer_state.json", "segment.json",  "seen.leaves.zst",
    "set.leaves.zst",     "log.jsonl",     "ai-act-summary.json",
    "bom.cdx.json",       "bom.spdx.json",
};

bool cph_is_document(cph_str path)
{
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        if (cph_str_is(path, documents[i])) return true;
    return false;
}

bool cph_is_beside(cph_str path)
{
    static const char *const names[] = {
        CPH_MANIFEST_NAME, "colophon.dsse.json", "model.sig", "takedown.json", ".git",
        ".gitignore",      ".gitattributes",     ".github"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (cph_str_is(path, names[i])) return true;
    return cph_str_starts(path, ".git/") || cph_str_starts(path, ".github/");
}

typedef struct walk {
    cph_arena *a;
    void *at; /* entries, grown by doubling */
    size_t n, cap;
} walk;

static cph_status add(walk *w, const char *relative, const struct stat *st, cph_err *err)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 64;
        CPH_TRY(cph_realloc(&w->at, cap * sizeof(entry), err));
        w->cap = cap;
    }
    entry *e = (entry *)w->at + w->n;
    *e = (entry){.bytes = (uint64_t)st->st_size, .regular = S_ISREG(st->st_mode)};
    CPH_TRY(cph_arena_str(w->a, &e->path, cph_str_of(relative), err));
    w->n++;
    return CPH_OK;
}

static cph_status walk_in(walk *w, const char *dir, const char *relative, cph_err *err);

static cph_status visit(walk *w, const char *dir, const char *relative, const char *name, cph_err *err)
{
    char path[CPH_PATH_MAX], below[CPH_PATH_MAX];
    struct stat st;
    CPH_TRY(cph_path_join(path, dir, name, err));
    CPH_TRY(cph_path_join(below, relative, name, err));
    if (!*relative && cph_is_beside(cph_str_of(name))) return CPH_OK;
    if (lstat(path, &st) != 0) return cph_fail_errno(err, "%s", path);
    return S_ISDIR(st.st_mode) ? walk_in(w, path, below, err) : add(w, below, &st, err);
}

static cph_status walk_in(walk *w, const char *dir, const char *relative, cph_err *err)
{
    DIR *d = opendir(dir);
    if (!d) return cph_fail_errno(err, "%s: cannot read the directory", dir);
    cph_status s = CPH_OK;
    for (struct dirent *e; s == CPH_OK && (errno = 0, e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            s = visit(w, dir, relative, e->d_name, err);
    if (s == CPH_OK && errno) s = cph_fail_errno(err, "%s: cannot read the directory", dir);
    closedir(d);
    return s;
}

static int by_path(const void *a, const void *b)
{
    return cph_str_cmp(((const entry *)a)->path, ((const entry *)b)->path);
}

cph_status cph_listing_of(listing *out, const char *dir, cph_arena *a, cph_err *err)
{
    walk w = {.a = a};
    void *kept = NULL;
    cph_status s = walk_in(&w, dir, "", err);
    if (s == CPH_OK) s = cph_arena_alloc0(a, &kept, w.n + 1, sizeof(entry), err);
    if (s == CPH_OK && w.n) {
        memcpy(kept, w.at, w.n * sizeof(entry));
        qsort(kept, w.n, sizeof(entry), by_path);
    }
    cph_free(w.at);
    if (s == CPH_OK) *out = (listing){kept, w.n};
    return s;
}
