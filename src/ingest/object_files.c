/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object_files.c - where the files of a METS lie, what they are, and whether their
 * checksums hold.
 * What must stay true: no path leaves the object's directory (LAW-6).
 */
#include "ingest_in.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* ---- resolving ---- */

typedef struct base_name {
    cph_str base;
    uint32_t listed;
} base_name;

struct resolver {
    const unit *u;
    base_name *bases; /* sorted */
    size_t n;
};

static int by_base(const void *x, const void *y)
{
    const base_name *a = x, *b = y;
    int order = cph_str_cmp(a->base, b->base);
    return order ? order : (a->listed > b->listed) - (a->listed < b->listed);
}

cph_status cph_resolver_make(resolver **out, cph_arena *a, const unit *u, cph_err *err)
{
    void *p, *bases;
    CPH_TRY(cph_arena_alloc0(a, &p, 1, sizeof(resolver), err));
    CPH_TRY(cph_arena_alloc0(a, &bases, u->n_files + 1, sizeof(base_name), err));
    resolver *r = p;
    *r = (resolver){u, bases, u->n_files};
    for (size_t i = 0; i < r->n; i++) r->bases[i] = (base_name){cph_path_base(u->files[i].path), (uint32_t)i};
    qsort(r->bases, r->n, sizeof *r->bases, by_base);
    *out = r;
    return CPH_OK;
}

/* A base name anywhere inside the object's directory; unique matches only. */
static uint32_t find_base(const resolver *r, cph_str base)
{
    size_t low = 0, high = r->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (cph_str_cmp(r->bases[mid].base, base) < 0) low = mid + 1;
        else high = mid;
    }
    if (low == r->n || !cph_str_eq(r->bases[low].base, base)) return NO_FILE;
    if (low + 1 < r->n && cph_str_eq(r->bases[low + 1].base, base)) return NO_FILE;
    return r->bases[low].listed;
}

static uint32_t find_path(const resolver *r, cph_str path)
{
    size_t low = 0, high = r->u->n_files;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (cph_str_cmp(r->u->files[mid].path, path) < 0) low = mid + 1;
        else high = mid;
    }
    return low < r->u->n_files && cph_str_eq(r->u->files[low].path, path) ? (uint32_t)low : NO_FILE;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* file:, %20, back-slashes and leading ./ taken off; into out[CPH_PATH_MAX]. */
static cph_str plain_path(cph_str href, char *out)
{
    size_t n = 0;
    if (href.n >= 5 && strncasecmp(href.p, "file:", 5) == 0) {
        href = cph_str_sub(href, 5, href.n);
        if (cph_str_starts(href, "//")) href = cph_str_sub(href, 2, href.n);
    }
    for (size_t i = 0; i < href.n && n < CPH_PATH_MAX - 1; i++) {
        char c = href.p[i];
        if (c == '%' && i + 2 < href.n && hex_digit(href.p[i + 1]) >= 0 && hex_digit(href.p[i + 2]) >= 0) {
            c = (char)(hex_digit(href.p[i + 1]) * 16 + hex_digit(href.p[i + 2]));
            i += 2;
        }
        out[n++] = c == '\\' ? '/' : c;
    }
    cph_str path = {out, n};
    while (cph_str_starts(path, "./")) path = cph_str_sub(path, 2, path.n);
    return path;
}

/* URN:...:no-nb_<objid>_<nnn>: image and ALTO share it, so the base name comes from OBJID, number and kind
 * (METS-05). */
static uint32_t resolve_urn(const resolver *r, const cph_mets *m, const cph_mets_file *f)
{
    static const char *const text_ends[] = {".xml", NULL};
    static const char *const image_ends[] = {".jp2", ".tif", ".tiff", ".jpg", ".png", NULL};
    const char *const *ends = cph_is_image(f) ? image_ends : text_ends;
    cph_str urn = f->href, tail = urn, base = urn;
    for (size_t i = 0; i < urn.n; i++) {
        if (urn.p[i] == '_') tail = cph_str_sub(urn, i + 1, urn.n);
        if (urn.p[i] == ':') base = cph_str_sub(urn, i + 1, urn.n);
    }
    if (cph_str_starts(base, "no-nb_")) base = cph_str_sub(base, 6, base.n);
    char name[512];
    for (; *ends; ends++) {
        const cph_str stems[2] = {m->objid, base};
        for (int i = 0; i < 2; i++) {
            cph_str end = cph_str_of(*ends), sep = i == 0 ? CPH_STR("_") : CPH_STR(""),
                    num = i == 0 ? tail : CPH_STR("");
            if (!stems[i].n || stems[i].n + sep.n + num.n + end.n > sizeof name) continue;
            size_t n = 0;
            const cph_str parts[4] = {stems[i], sep, num, end};
            for (int k = 0; k < 4; k++) {
                if (parts[k].n) memcpy(name + n, parts[k].p, parts[k].n);
                n += parts[k].n;
            }
            uint32_t hit = find_base(r, (cph_str){name, n});
            if (hit != NO_FILE) return hit;
        }
    }
    return NO_FILE;
}

uint32_t cph_resolve(const resolver *r, const cph_mets *m, const cph_mets_file *f)
{
    char room[CPH_PATH_MAX];
    if (!f->has_location) return NO_FILE;
    if (f->is_urn) return resolve_urn(r, m, f);
    cph_str path = plain_path(f->href, room);
    uint32_t hit = cph_path_is_inside(path) ? find_path(r, path) : NO_FILE;
    return hit != NO_FILE ? hit : find_base(r, cph_path_base(path));
}

/* ---- kinds ---- */

bool cph_is_image(const cph_mets_file *f)
{
    return (f->mimetype.n >= 6 && strncasecmp(f->mimetype.p, "image/", 6) == 0) ||
           (!f->mimetype.n && (cph_str_is_fold(f->group, "IMGGRP") || cph_str_is_fold(f->use, "browsing")));
}

/* METS-01: what may hold text, by type or group; the content decides later. */
bool cph_is_text_candidate(const cph_mets_file *f)
{
    static const char *const types[] = {"text/xml", "application/xml", "application/alto+xml",
                                        "application/vnd.prima.page+xml", "text/vnd.hocr+html", NULL};
    static const char *const groups[] = {"ALTOGRP", "ALTOFiles", "Fulltext",    "Text", "TextGroup",
                                         "content", "layout",    "BROWSINGGRP", NULL};
    if (f->discarded || !f->has_location || cph_is_image(f)) return false;
    for (size_t i = 0; types[i]; i++)
        if (cph_str_is_fold(f->mimetype, types[i])) return true;
    if (f->mimetype.n) return false;
    for (size_t i = 0; groups[i]; i++)
        if (cph_str_is_fold(f->group, groups[i]) || cph_str_is_fold(f->use, groups[i])) return true;
    return cph_str_starts(f->group, "OCR-D-");
}

/* ---- bytes ---- */

static bool checksum_holds(const object_file *f, const void *p, size_t n, bool *stated)
{
    char hex[129], name[16] = "";
    *stated = false;
    if (!f->checksum.n || !f->checksum_type.n || f->checksum_type.n >= sizeof name) return false;
    memcpy(name, f->checksum_type.p, f->checksum_type.n);
    name[f->checksum_type.n] = 0;
    *stated = cph_checksum(name, p, n, hex);
    return *stated && cph_str_is_fold(f->checksum, hex);
}

static void judge(object_file *f, const void *p, size_t n, const cph_ingest_opts *opts)
{
    bool stated = false;
    f->sha256 = cph_sha256_of(p, n);
    f->n_bytes = n;
    f->format = cph_sniff((cph_str){p, n < CPH_SNIFF_BYTES ? n : CPH_SNIFF_BYTES});
    f->checksum_state = "none";
    if (opts->checksums == CPH_CHECKSUMS_OFF) return;
    bool holds = checksum_holds(f, p, n, &stated);
    if (stated) f->checksum_state = holds ? "good" : "stale";
}

/* Tells the limit of an option from memory that ran out. */
static bool is_larger(const char *path, uint64_t limit)
{
    struct stat st;
    return stat(path, &st) == 0 && (uint64_t)st.st_size > limit;
}

cph_status cph_file_hash(object_file *f, scratch *s, const unit *u, const cph_ingest_opts *opts, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_err why = {0};
    cph_map map = {0};
    cph_status st = cph_path_in(path, u->dir, f->path, &why);
    bool image = strcmp(f->role, "image") == 0;
    if (st == CPH_OK && image) st = cph_map_open(&map, path, &why);
    if (st == CPH_OK && image) {
        judge(f, map.p, map.n_bytes, opts);
        cph_map_close(&map);
        return CPH_OK;
    }
    s->file.n = 0;
    if (st == CPH_OK) st = cph_file_read(path, opts->max_file_bytes, &s->file, &why);
    if (st == CPH_OK) {
        cph_str bytes = cph_buf_view(&s->file);
        judge(f, bytes.p, bytes.n, opts);
        return CPH_OK;
    }
    if (st == CPH_NOMEM && !is_larger(path, opts->max_file_bytes)) return cph_fail(err, st, "%s", why.what);
    return cph_arena_str(&s->keep, &f->fault, cph_str_of(why.what), err);
}
