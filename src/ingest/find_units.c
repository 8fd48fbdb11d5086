/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find_units.c - the walk over a source: what is an object, what is a side file,
 * what is neither and must be told.
 * What must stay true: names in byte order, so that the order of the file system
 * leaves no trace; a directory that cannot be read is a problem and not the end.
 */
#include "ingest_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>
#include <colophon/format/encoding.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DEPTH 64

/* ---- one directory ---- */

typedef struct entry entry;
struct entry {
    cph_str name;
    cph_file_kind kind;
    uint64_t n_bytes;
    cph_format format; /* of regular files */
    bool taken;
    entry *next;
};

typedef struct listing {
    cph_arena *a;
    entry *first, **end;
    size_t n;
} listing;

static cph_status add_entry(void *ctx, cph_str name, cph_file_kind kind, uint64_t n_bytes, cph_err *err)
{
    listing *l = ctx;
    void *p;
    if (cph_str_starts(name, ".")) return CPH_OK; /* the system's own */
    CPH_TRY(cph_arena_alloc0(l->a, &p, 1, sizeof(entry), err));
    entry *e = p;
    e->kind = kind;
    e->n_bytes = n_bytes;
    CPH_TRY(cph_arena_str(l->a, &e->name, name, err));
    *l->end = e;
    l->end = &e->next;
    l->n++;
    return CPH_OK;
}

/* The first bytes of a file, up to CPH_SNIFF_BYTES. */
static cph_status read_head(const char *path, char *room, size_t *n, cph_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return cph_fail_errno(err, "%s", path);
    *n = 0;
    while (*n < CPH_SNIFF_BYTES) {
        ssize_t got = read(fd, room + *n, CPH_SNIFF_BYTES - *n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            cph_fail_errno(err, "%s: cannot read", path);
            close(fd);
            return CPH_IO;
        }
        if (got == 0) break;
        *n += (size_t)got;
    }
    close(fd);
    return CPH_OK;
}

static cph_status alone(finder *f, const char *path, const char *rule, const char *sentence, cph_err *err)
{
    return cph_problem_alone(f->r, f->o, cph_str_of(path), (cph_str){"", 0}, rule, cph_str_of(sentence), err);
}

/* Lists and sniffs. *readable false: told already. */
static cph_status list_dir(finder *f, cph_arena *a, const char *dir, listing *l, bool *readable, cph_err *err)
{
    cph_err why = {0};
    *l = (listing){.a = a};
    l->end = &l->first;
    *readable = true;
    cph_status s = cph_list(dir, add_entry, l, &why);
    if (s == CPH_IO) {
        *readable = false;
        return alone(f, dir, "directory-unreadable", why.what, err);
    }
    if (s != CPH_OK) return cph_fail(err, s, "%s", why.what);
    for (entry *e = l->first; e; e = e->next) {
        char path[CPH_PATH_MAX], head[CPH_SNIFF_BYTES];
        size_t n = 0;
        if (e->kind != CPH_FILE_REGULAR) continue;
        CPH_TRY(cph_path_in(path, cph_str_of(dir), e->name, err));
        s = read_head(path, head, &n, &why);
        if (s == CPH_OK) e->format = cph_sniff((cph_str){head, n});
        if (s == CPH_OK) continue;
        e->taken = true;
        CPH_TRY(alone(f, path, "file-unreadable", why.what, err));
    }
    return CPH_OK;
}

static size_t n_of(const listing *l, cph_format format)
{
    size_t n = 0;
    for (const entry *e = l->first; e; e = e->next)
        n += !e->taken && e->kind == CPH_FILE_REGULAR && e->format == format;
    return n;
}

/* ---- METS ---- */

typedef struct file_list {
    cph_arena *a;
    unit_file *at;
    size_t n, cap;
    uint64_t n_bytes;
} file_list;

static cph_status add_file(file_list *l, cph_str path, uint64_t n_bytes, bool image, cph_err *err)
{
    if (l->n == l->cap) {
        void *p;
        size_t cap = l->cap ? l->cap * 2 : 64;
        CPH_TRY(cph_arena_alloc(l->a, &p, cap * sizeof *l->at, err));
        if (l->n) memcpy(p, l->at, l->n * sizeof *l->at);
        l->at = p;
        l->cap = cap;
    }
    l->at[l->n].n_bytes = n_bytes;
    l->at[l->n].image = image;
    CPH_TRY(cph_arena_str(l->a, &l->at[l->n].path, path, err));
    l->n++;
    l->n_bytes += n_bytes;
    return CPH_OK;
}

/* Everything below `dir`; a directory with a METS of its own is another object's and is left for the walk. */
static cph_status collect(finder *f, file_list *out, const char *root, cph_str below, const listing *here,
                          unsigned depth, cph_err *err)
{
    char relative[CPH_PATH_MAX], full[CPH_PATH_MAX];
    for (entry *e = here->first; e; e = e->next) {
        CPH_TRY(cph_path_in(relative, below, e->name, err));
        if (e->kind == CPH_FILE_REGULAR && !e->taken) {
            e->taken = true;
            CPH_TRY(add_file(out, cph_str_of(relative), e->n_bytes, false, err));
        }
        if (e->kind != CPH_FILE_DIR || depth == MAX_DEPTH) continue;
        listing l;
        bool readable;
        CPH_TRY(cph_path_in(full, cph_str_of(root), cph_str_of(relative), err));
        CPH_TRY(list_dir(f, out->a, full, &l, &readable, err));
        if (!readable) e->taken = true;
        if (!readable || n_of(&l, CPH_FORMAT_METS)) continue;
        e->taken = true;
        CPH_TRY(collect(f, out, root, cph_str_of(relative), &l, depth + 1, err));
    }
    return CPH_OK;
}

typedef struct mets_entry {
    const entry *e;
    cph_mets m;
    bool readable, taken;
} mets_entry;

static cph_status parse_mets(finder *f, cph_arena *a, const char *dir, mets_entry *out, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_str text;
    cph_encoding how;
    cph_buf bytes, utf8;
    CPH_TRY(cph_path_in(path, cph_str_of(dir), out->e->name, err));
    cph_buf_init(&bytes, (size_t)4 << 30);
    cph_buf_init(&utf8, (size_t)4 << 30);
    cph_status s = cph_file_read(path, f->r->opts->max_file_bytes, &bytes, NULL);
    if (s == CPH_OK) s = cph_to_utf8(&text, &utf8, cph_buf_view(&bytes), path, &how, NULL);
    if (s == CPH_OK) s = cph_arena_str(a, &text, text, NULL);
    if (s == CPH_OK) s = cph_mets_parse(&out->m, a, text, path, NULL);
    out->readable = s == CPH_OK; /* what is wrong is told when the object is read */
    cph_buf_release(&bytes);
    cph_buf_release(&utf8);
    return s == CPH_NOMEM ? cph_fail(err, s, "%s: too large for the memory there is", path) : CPH_OK;
}

static cph_status tell_unnamed(finder *f, cph_arena *a, const char *dir, const unit *u, const mets_entry *all,
                               size_t n, cph_err *err)
{
    resolver *r;
    void *p;
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_resolver_make(&r, a, u, err));
    CPH_TRY(cph_arena_alloc0(a, &p, u->n_files + 1, sizeof(bool), err));
    bool *named = p;
    for (size_t i = 0; i < n; i++)
        for (const cph_mets_file *m = all[i].readable ? all[i].m.files : NULL; m; m = m->next) {
            uint32_t hit = cph_resolve(r, &all[i].m, m);
            if (hit != NO_FILE) named[hit] = true;
        }
    for (size_t k = 0; k < u->n_files; k++) {
        for (size_t i = 0; i < n && !named[k]; i++) named[k] = cph_str_eq(u->files[k].path, all[i].e->name);
        if (named[k]) continue;
        CPH_TRY(cph_path_in(path, cph_str_of(dir), u->files[k].path, err));
        CPH_TRY(alone(f, path, "unnamed-file",
                      "stands beside METS files, none of which names it; not ingested", err));
    }
    return CPH_OK;
}

/* One object a METS; two METS of one OBJID are one object, described by the one that was made last. */
static cph_status emit_mets(finder *f, cph_arena *a, const char *dir, mets_entry *all, size_t n, unit *u,
                            cph_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (all[i].taken) continue;
        size_t best = i, other = n;
        for (size_t k = i + 1; k < n && all[i].readable && all[i].m.objid.n; k++) {
            if (all[k].taken || !all[k].readable || !cph_str_eq(all[k].m.objid, all[i].m.objid)) continue;
            all[k].taken = true;
            other = cph_str_cmp(all[k].m.created, all[best].m.created) > 0 ? best : k;
            if (other == best) best = k;
        }
        u->main = all[best].e->name;
        u->alternative = other < n ? all[other].e->name : (cph_str){0};
        char path[CPH_PATH_MAX];
        CPH_TRY(cph_path_in(path, cph_str_of(dir), u->main, err));
        u->urn = cph_side_urn(f, cph_str_of(path));
        CPH_TRY(f->each(f->ctx, u, err));
    }
    (void)a;
    return CPH_OK;
}

static cph_status mets_dir(finder *f, cph_arena *a, const char *dir, listing *l, const entry *only,
                           cph_err *err)
{
    void *p;
    file_list files = {.a = a};
    size_t n = 0, groups = 0;
    CPH_TRY(cph_arena_alloc0(a, &p, l->n + 1, sizeof(mets_entry), err));
    mets_entry *all = p;
    unit u = {.kind = UNIT_METS, .dir = cph_str_of(dir)};
    for (entry *e = l->first; e; e = e->next) {
        if (e->kind != CPH_FILE_REGULAR || e->taken) continue;
        if (e->format == CPH_FORMAT_METS && (!only || e == only)) all[n++].e = e;
        if (e->format == CPH_FORMAT_MODS && !only) u.mods = u.mods.n ? (cph_str){"", 0} : e->name;
    }
    CPH_TRY(collect(f, &files, dir, (cph_str){"", 0}, l, 0, err));
    u.files = files.at;
    u.n_files = files.n;
    u.n_bytes = files.n_bytes;
    for (size_t i = 0; i < n && n > 1; i++) CPH_TRY(parse_mets(f, a, dir, &all[i], err));
    for (size_t i = 0; i < n; i++) {
        bool again = false;
        for (size_t k = 0; k < i && all[i].m.objid.n; k++)
            again = again || cph_str_eq(all[k].m.objid, all[i].m.objid);
        groups += !again;
    }
    u.shared = groups > 1 || only;
    if (groups > 1) u.mods = (cph_str){0};
    if (groups > 1) CPH_TRY(tell_unnamed(f, a, dir, &u, all, n, err));
    return emit_mets(f, a, dir, all, n, &u, err);
}

/* ---- folders without METS ---- */

static bool named_like(cph_str name, const char *const *ends)
{
    for (; *ends; ends++)
        if (cph_str_ends(name, *ends)) return true;
    return false;
}

static const char *const image_names[] = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".jp2", ".webp", NULL};
static const char *const page_names[] = {".xml", ".alto", ".XML", NULL};
static const char *const json_names[] = {".jsonl", ".json", ".ndjson", ".jsonl.zst", ".json.zst", NULL};

static bool is_text_name(cph_str name)
{
    return cph_str_ends(name, ".txt") || cph_str_find(name, '.', 0) == SIZE_MAX;
}

/* The work that side files name for the folder: all its pages, or none. */
static cph_status folder_urn(const finder *f, const char *dir, const file_list *files, cph_str *urn,
                             cph_err *err)
{
    char path[CPH_PATH_MAX];
    *urn = cph_side_urn(f, cph_str_of(dir));
    for (size_t i = 0; i < files->n && !urn->n; i++) {
        CPH_TRY(cph_path_in(path, cph_str_of(dir), files->at[i].path, err));
        *urn = cph_side_urn(f, cph_str_of(path));
    }
    return CPH_OK;
}

static cph_status alto_dir(finder *f, cph_arena *a, const char *dir, listing *l, cph_err *err)
{
    file_list files = {.a = a};
    unit u = {.kind = UNIT_ALTO, .dir = cph_str_of(dir)};
    bool one_mods = n_of(l, CPH_FORMAT_MODS) == 1;
    for (entry *e = l->first; e; e = e->next) {
        if (e->kind != CPH_FILE_REGULAR || e->taken) continue;
        bool broken =
            (e->format == CPH_FORMAT_EMPTY || e->format == CPH_FORMAT_LFS) && named_like(e->name, page_names);
        bool image = named_like(e->name, image_names);
        if (e->format == CPH_FORMAT_MODS && one_mods) {
            u.mods = e->name;
            e->taken = true;
        }
        if (e->format != CPH_FORMAT_ALTO && !broken && !image) continue;
        e->taken = true;
        CPH_TRY(add_file(&files, e->name, e->n_bytes, image, err));
    }
    u.files = files.at;
    u.n_files = files.n;
    u.n_bytes = files.n_bytes;
    CPH_TRY(folder_urn(f, dir, &files, &u.urn, err));
    return f->each(f->ctx, &u, err);
}

static cph_status emit_single(finder *f, unit_kind kind, const char *dir, const entry *e, cph_err *err)
{
    char path[CPH_PATH_MAX];
    unit u = {.kind = kind, .dir = cph_str_of(dir), .main = e->name, .n_bytes = e->n_bytes};
    unit_file one = {e->name, e->n_bytes, false};
    CPH_TRY(cph_path_in(path, cph_str_of(dir), e->name, err));
    u.urn = cph_side_urn(f, cph_str_of(path));
    if (kind == UNIT_ALTO) {
        u.files = &one;
        u.n_files = 1;
    }
    return f->each(f->ctx, &u, err);
}

static cph_status text_file(finder *f, const char *dir, const entry *e, cph_err *err)
{
    char path[CPH_PATH_MAX];
    bool evidence = false;
    CPH_TRY(cph_path_in(path, cph_str_of(dir), e->name, err));
    CPH_TRY(cph_side_is_evidence(f, path, &evidence, err));
    if (evidence) {
        cph_log(CPH_INFO, "%s: evidence that a rights file names; not ingested as a text", path);
        return CPH_OK;
    }
    return emit_single(f, UNIT_TEXT, dir, e, err);
}

static cph_status json_file(finder *f, const char *dir, const entry *e, cph_err *err)
{
    bool rights = false;
    CPH_TRY(cph_side_rights(f, cph_str_of(dir), e->name, &rights, err));
    if (!rights) return emit_single(f, UNIT_JSONL, dir, e, err);
    cph_log(CPH_INFO, "%s/%.*s: statements about rights; take them in with: colophon rights import COLLECTION "
            "%s/%.*s", dir, CPH_FMT(e->name), dir, CPH_FMT(e->name));
    return CPH_OK;
}

static cph_status loose_file(finder *f, const char *dir, entry *e, bool asked_for, cph_err *err)
{
    e->taken = true;
    if (e->format == CPH_FORMAT_MODS) return emit_single(f, UNIT_MODS, dir, e, err);
    if (e->format == CPH_FORMAT_ALTO) return emit_single(f, UNIT_ALTO, dir, e, err);
    if (e->format == CPH_FORMAT_JSON && (asked_for || named_like(e->name, json_names)))
        return json_file(f, dir, e, err);
    if (e->format == CPH_FORMAT_ZSTD && named_like(e->name, json_names)) return json_file(f, dir, e, err);
    if (e->format == CPH_FORMAT_TEXT && (asked_for || is_text_name(e->name)))
        return text_file(f, dir, e, err);
    e->taken = false;
    return CPH_OK;
}

/* What nothing took, one problem for each format in a directory. */
static cph_status tell_rest(finder *f, const char *dir, listing *l, cph_err *err)
{
    for (int format = 0; format < CPH_N_FORMATS; format++) {
        size_t n = 0;
        const entry *first = NULL;
        for (entry *e = l->first; e; e = e->next) {
            if (e->taken || e->kind != CPH_FILE_REGULAR || e->format != (cph_format)format) continue;
            if (!first) first = e;
            n++;
        }
        if (!n) continue;
        char path[CPH_PATH_MAX];
        cph_err sentence = {0};
        CPH_TRY(cph_path_in(path, cph_str_of(dir), first->name, err));
        if (n == 1) cph_fail(&sentence, CPH_OK, "%s: not ingested", cph_format_name((cph_format)format));
        else cph_fail(&sentence, CPH_OK, "%s: this and %zu more in the directory are not ingested",
                      cph_format_name((cph_format)format), n - 1);
        CPH_TRY(alone(f, path, "not-ingested", sentence.what, err));
    }
    for (entry *e = l->first; e; e = e->next) {
        char path[CPH_PATH_MAX];
        if (e->kind == CPH_FILE_REGULAR || e->kind == CPH_FILE_DIR) continue;
        CPH_TRY(cph_path_in(path, cph_str_of(dir), e->name, err));
        CPH_TRY(alone(f, path, "not-a-file", "a link or special file; links are not followed", err));
    }
    return CPH_OK;
}

/* ---- the walk ---- */

static cph_status visit(finder *f, const char *dir, unsigned depth, cph_err *err);

static cph_status visit_below(finder *f, const char *dir, const listing *l, unsigned depth, cph_err *err)
{
    char path[CPH_PATH_MAX];
    for (const entry *e = l->first; e; e = e->next) {
        if (e->kind != CPH_FILE_DIR || e->taken) continue;
        CPH_TRY(cph_path_in(path, cph_str_of(dir), e->name, err));
        if (depth == MAX_DEPTH)
            CPH_TRY(alone(f, path, "too-deep", "more than 64 directories inside each other", err));
        else CPH_TRY(visit(f, path, depth + 1, err));
    }
    return CPH_OK;
}

static cph_status files_here(finder *f, cph_arena *a, const char *dir, listing *l, cph_err *err)
{
    for (entry *e = l->first; e; e = e->next)
        if (e->kind == CPH_FILE_REGULAR && !e->taken && cph_str_is(e->name, "works.jsonl")) {
            e->taken = true;
            CPH_TRY(cph_side_works(f, a, cph_str_of(dir), e->name, err));
        }
    if (n_of(l, CPH_FORMAT_METS)) return mets_dir(f, a, dir, l, NULL, err);
    if (n_of(l, CPH_FORMAT_ALTO)) CPH_TRY(alto_dir(f, a, dir, l, err));
    for (entry *e = l->first; e; e = e->next)
        if (e->kind == CPH_FILE_REGULAR && !e->taken) CPH_TRY(loose_file(f, dir, e, false, err));
    return CPH_OK;
}

static cph_status visit(finder *f, const char *dir, unsigned depth, cph_err *err)
{
    cph_arena a;
    listing l;
    bool readable;
    size_t n_named = f->n_named, n_evidence = f->n_evidence;
    cph_arena_init(&a, 0);
    cph_status s = cph_interrupt_check("looking for objects", err);
    if (s == CPH_OK) s = list_dir(f, &a, dir, &l, &readable, err);
    if (s == CPH_OK && readable) s = files_here(f, &a, dir, &l, err);
    if (s == CPH_OK && readable) s = tell_rest(f, dir, &l, err);
    if (s == CPH_OK && readable) s = visit_below(f, dir, &l, depth, err);
    f->n_named = n_named; /* side files speak for their directory and what is below */
    f->n_evidence = n_evidence;
    cph_arena_release(&a);
    return s;
}

/* A file that was named itself is taken for what its content is, whatever its name. */
static cph_status single_source(finder *f, const char *source, cph_err *err)
{
    cph_arena a;
    listing l;
    bool readable;
    char dir[CPH_PATH_MAX];
    cph_str path = cph_str_of(source), base = cph_path_base(path);
    CPH_TRY(cph_str_z(dir, cph_path_dir(path), err));
    cph_arena_init(&a, 0);
    cph_status s = list_dir(f, &a, dir, &l, &readable, err);
    entry *asked = NULL;
    for (entry *e = s == CPH_OK && readable ? l.first : NULL; e && s == CPH_OK; e = e->next) {
        if (cph_str_eq(e->name, base)) asked = e;
        if (!cph_str_is(e->name, "works.jsonl") || e->kind != CPH_FILE_REGULAR) continue;
        e->taken = true;
        s = cph_side_works(f, &a, cph_str_of(dir), e->name, err);
    }
    if (s == CPH_OK && asked && !asked->taken)
        s = asked->format == CPH_FORMAT_METS ? mets_dir(f, &a, dir, &l, asked, err)
                                             : loose_file(f, dir, asked, true, err);
    if (s == CPH_OK && asked && !asked->taken)
        s = alone(f, source, "not-ingested", cph_format_name(asked->format), err);
    f->n_named = f->n_evidence = 0;
    cph_arena_release(&a);
    return s;
}

cph_status cph_find_units(finder *f, const char *source, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_str s = cph_str_of(source);
    while (s.n > 1 && s.p[s.n - 1] == '/') s.n--;
    CPH_TRY(cph_str_z(path, s, err));
    return cph_file_kind_of(path) == CPH_FILE_DIR ? visit(f, path, 0, err) : single_source(f, path, err);
}
