/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show_collection.c - the catalogue as it stands: objects, works, problems. For people
 * a page; with --json everything, the counters of each object included.
 */
#include <colophon/collection/collection.h>

#include <stdio.h>
#include <string.h>

#include "show_in.h"

#define TEXT_OBJECTS 60 /* rows for people */
#define TEXT_PROBLEMS 20

typedef struct listing {
    cph_buf *b;  /* text: the table of objects */
    cph_jw *j;   /* JSON: NULL for text */
    cph_arena a; /* of one object */
    cph_str work; /* this one only; empty: all */
    cph_buf keys; /* of the work's objects, each after '\n', with one at the end */
    uint64_t n_objects, n_pages, n_text, n_images, n_files, n_bytes, n_works, n_problems;
} listing;

/* ---- objects ---- */

static void put(cph_jw *w, const char *key, cph_str s)
{
    cph_jw_key(w, key);
    cph_jw_str(w, s);
}

static void put_u64(cph_jw *w, const char *key, uint64_t n)
{
    cph_jw_key(w, key);
    cph_jw_u64(w, n);
}

/* What ingest counted, where it did; else the pages that have lines, be they empty. */
static uint64_t pages_with_text(const cph_json *meta, const cph_object_view *o)
{
    uint64_t n;
    return cph_json_u64(cph_json_get(cph_json_get(meta, "counts"), "pages_with_text"), &n) ? n : o->n_text;
}

static void json_object(cph_jw *j, const cph_object_view *o, uint64_t n_text)
{
    cph_jw_obj(j);
    put(j, "key", o->key);
    put(j, "source_id", o->source_id);
    put(j, "profile", o->profile);
    put(j, "work", o->work_urn);
    put_u64(j, "pages", o->n_pages);
    put_u64(j, "pages_with_text", n_text);
    put_u64(j, "page_images", o->n_images);
    put_u64(j, "files", o->n_files);
    put_u64(j, "bytes", o->n_bytes);
    put_u64(j, "problems", o->n_problems);
    cph_jw_key(j, "meta");
    cph_jw_raw(j, o->meta_json.n ? o->meta_json : CPH_STR("{}"));
    cph_jw_end(j);
}

/* At most n characters, with an ellipsis where something was cut. */
static cph_status put_cut(cph_buf *b, cph_str s, size_t n, bool pad, cph_err *err)
{
    size_t all = cph_utf8_count(s), at = 0;
    for (size_t i = 0; i < (all > n ? n - 1 : all); i++) {
        uint32_t c;
        unsigned len = cph_utf8_decode(s.p + at, s.n - at, &c);
        at += len ? len : 1;
    }
    CPH_TRY(cph_buf_str(b, cph_str_sub(s, 0, at), err));
    if (all > n) CPH_TRY(cph_buf_z(b, "…", err));
    for (size_t i = all; pad && i < n; i++) CPH_TRY(cph_buf_char(b, ' ', err));
    return CPH_OK;
}

static cph_status text_object(listing *l, const cph_object_view *o, const cph_json *meta, cph_err *err)
{
    if (l->n_objects > TEXT_OBJECTS) return CPH_OK;
    bool stated = o->work_urn.n && !cph_str_eq(o->work_urn, o->key); /* else the key stands for a work */
    cph_str name = stated ? o->work_urn : o->source_id;
    CPH_TRY(put_cut(l->b, name, 40, true, err));
    CPH_TRY(cph_buf_printf(l->b, err, "  %-11.*s %6s %6s %6s %8s  ", CPH_FMT(o->profile),
                           cph_figure_of(o->n_pages).z, cph_figure_of(pages_with_text(meta, o)).z,
                           cph_figure_of(o->n_images).z, cph_figure_of(o->n_problems).z));
    CPH_TRY(put_cut(l->b, cph_json_get_str(meta, "title"), 40, false, err));
    return cph_buf_char(l->b, '\n', err);
}

/* Without a stated work an object's name stands for it, as in the table. */
static bool is_of(const listing *l, const cph_object_view *o)
{
    return !l->work.n || cph_str_eq(o->work_urn, l->work) || cph_str_eq(o->key, l->work) ||
           cph_str_eq(o->source_id, l->work);
}

static cph_status each_object(void *ctx, const cph_object_view *o, cph_err *err)
{
    listing *l = ctx;
    cph_json *meta = NULL;
    if (!is_of(l, o)) return CPH_OK;
    if (l->work.n) CPH_TRY(cph_buf_printf(&l->keys, err, "%s%.*s\n", l->keys.n ? "" : "\n", CPH_FMT(o->key)));
    cph_arena_reset(&l->a);
    if (o->meta_json.n) CPH_TRY(cph_json_parse(&meta, &l->a, o->meta_json, "meta", NULL, err));
    l->n_objects++;
    l->n_pages += o->n_pages;
    l->n_text += pages_with_text(meta, o);
    l->n_images += o->n_images;
    l->n_files += o->n_files;
    l->n_bytes += o->n_bytes;
    if (!l->j) return text_object(l, o, meta, err);
    json_object(l->j, o, pages_with_text(meta, o));
    return CPH_OK;
}

static cph_status each_work(void *ctx, cph_str urn, cph_err *err)
{
    listing *l = ctx;
    (void)err;
    if (l->work.n && !cph_str_eq(urn, l->work)) return CPH_OK;
    l->n_works++;
    if (l->j) cph_jw_str(l->j, urn);
    return CPH_OK;
}

static bool is_listed(const listing *l, cph_str key)
{
    cph_str all = cph_buf_view(&l->keys);
    for (size_t at = 0; (at = cph_str_find(all, '\n', at)) != SIZE_MAX; at++)
        if (at + 1 + key.n < all.n && all.p[at + 1 + key.n] == '\n' &&
            memcmp(all.p + at + 1, key.p, key.n) == 0)
            return true;
    return false;
}

static cph_status each_problem(void *ctx, cph_str object, const cph_problem *p, cph_err *err)
{
    listing *l = ctx;
    if (l->work.n && (!object.n || !is_listed(l, object))) return CPH_OK;
    l->n_problems++;
    if (l->j) {
        cph_jw_obj(l->j);
        put(l->j, "object", object);
        put(l->j, "file", p->file);
        put(l->j, "place", p->place);
        put(l->j, "rule", p->rule);
        put(l->j, "sentence", p->sentence);
        cph_jw_end(l->j);
        return CPH_OK;
    }
    if (l->n_problems > TEXT_PROBLEMS) return CPH_OK;
    return cph_buf_printf(l->b, err, "  %.*s%s%.*s: %.*s: %.*s\n", CPH_FMT(p->file), p->place.n ? ", " : "",
                          CPH_FMT(p->place), CPH_FMT(p->rule), CPH_FMT(p->sentence));
}

/* ---- the two forms ---- */

static cph_status json_lists(cph_collection *c, listing *l, cph_err *err)
{
    cph_jw_key(l->j, "objects");
    cph_jw_arr(l->j);
    CPH_TRY(cph_collection_objects(c, each_object, l, err));
    cph_jw_end(l->j);
    cph_jw_key(l->j, "works");
    cph_jw_arr(l->j);
    CPH_TRY(cph_collection_works(c, each_work, l, err));
    cph_jw_end(l->j);
    cph_jw_key(l->j, "problems");
    cph_jw_arr(l->j);
    CPH_TRY(cph_collection_problems(c, each_problem, l, err));
    cph_jw_end(l->j);
    return CPH_OK;
}

static void listing_init(listing *l, cph_str work)
{
    *l = (listing){.work = work};
    cph_arena_init(&l->a, 0);
    cph_buf_init(&l->keys, (size_t)1 << 26);
}

static void listing_release(listing *l)
{
    cph_arena_release(&l->a);
    cph_buf_release(&l->keys);
}

static cph_status check_found(const listing *l, const cph_collection *c, cph_err *err)
{
    if (!l->work.n || l->n_objects || l->n_works) return CPH_OK;
    cph_fail(err, CPH_NO, "%s: no work %.*s", cph_collection_path(c), CPH_FMT(l->work));
    (void)cph_hint(err, "colophon show %s lists the works", cph_collection_path(c));
    return CPH_NO;
}

static cph_status as_json(cph_collection *c, cph_str work, cph_buf *b, cph_err *err)
{
    cph_jw j = cph_jw_on(b);
    listing l;
    listing_init(&l, work);
    l.j = &j;
    cph_jw_obj(&j);
    put(&j, "kind", CPH_STR("collection"));
    put(&j, "path", cph_str_of(cph_collection_path(c)));
    cph_jw_key(&j, "sample");
    cph_jw_bool(&j, cph_collection_is_sample(c));
    cph_status s = json_lists(c, &l, err);
    if (s == CPH_OK) s = check_found(&l, c, err);
    listing_release(&l);
    CPH_TRY(s);
    put_u64(&j, "pages", l.n_pages);
    put_u64(&j, "pages_with_text", l.n_text);
    put_u64(&j, "page_images", l.n_images);
    cph_jw_end(&j);
    CPH_TRY(cph_jw_done(&j, err));
    return cph_buf_char(b, '\n', err);
}

static cph_status say_sums(cph_buf *b, const listing *l, cph_collection *c, cph_err *err)
{
    char size[32];
    cph_format_bytes(l->n_bytes, size);
    CPH_TRY(cph_buf_printf(b, err, "collection  %s%s\n            ", cph_collection_path(c),
                           cph_collection_is_sample(c) ? "  (a sample)" : ""));
    CPH_TRY(cph_show_count(b, l->n_works, "work", "works", err));
    CPH_TRY(cph_buf_z(b, " · ", err));
    CPH_TRY(cph_show_count(b, l->n_objects, "object", "objects", err));
    CPH_TRY(cph_buf_z(b, " · ", err));
    CPH_TRY(cph_show_count(b, l->n_pages, "page", "pages", err));
    CPH_TRY(cph_buf_printf(b, err, ", %s with text, ", cph_figure_of(l->n_text).z));
    CPH_TRY(cph_show_count(b, l->n_images, "page image", "page images", err));
    CPH_TRY(cph_buf_z(b, " · ", err));
    CPH_TRY(cph_show_count(b, l->n_files, "file", "files", err));
    CPH_TRY(cph_buf_printf(b, err, ", %s · ", size));
    CPH_TRY(cph_show_count(b, l->n_problems, "problem", "problems", err));
    return cph_buf_char(b, '\n', err);
}

static cph_status say_rest(cph_buf *b, uint64_t n, uint64_t shown, const char *of, cph_err *err)
{
    if (n <= shown) return CPH_OK;
    return cph_buf_printf(b, err, "  ... and %s more %s; --json lists them all\n",
                          cph_figure_of(n - shown).z, of);
}

static cph_status as_text(cph_collection *c, cph_str work, cph_buf *b, cph_err *err)
{
    cph_buf objects, problems;
    listing l;
    listing_init(&l, work);
    l.b = &objects;
    cph_buf_init(&objects, (size_t)1 << 26);
    cph_buf_init(&problems, (size_t)1 << 26);
    cph_status s = cph_collection_objects(c, each_object, &l, err);
    l.b = &problems;
    if (s == CPH_OK) s = cph_collection_works(c, each_work, &l, err);
    if (s == CPH_OK) s = cph_collection_problems(c, each_problem, &l, err);
    if (s == CPH_OK) s = check_found(&l, c, err);
    if (s == CPH_OK) s = say_sums(b, &l, c, err);
    if (s == CPH_OK && l.n_objects)
        s = cph_buf_printf(b, err, "\n%-40s  %-11s %6s %6s %6s %8s  %s\n", "work", "profile", "pages",
                           "text", "images", "problems", "title");
    if (s == CPH_OK) s = cph_buf_str(b, cph_buf_view(&objects), err);
    if (s == CPH_OK) s = say_rest(b, l.n_objects, TEXT_OBJECTS, "objects", err);
    if (s == CPH_OK && l.n_problems) s = cph_buf_z(b, "\nproblems\n", err);
    if (s == CPH_OK) s = cph_buf_str(b, cph_buf_view(&problems), err);
    if (s == CPH_OK) s = say_rest(b, l.n_problems, TEXT_PROBLEMS, "problems", err);
    if (s == CPH_OK && work.n)
        s = cph_buf_printf(b, err, "\nrights      colophon rights show %s %.*s\n", cph_collection_path(c),
                           CPH_FMT(work));
    cph_buf_release(&objects);
    cph_buf_release(&problems);
    listing_release(&l);
    return s;
}

cph_status cph_show_collection(cph_buf *b, const cph_show_ask *ask, cph_err *err)
{
    cph_collection *c;
    size_t before = b->n;
    CPH_TRY(cph_collection_open(&c, ask->path, CPH_OPEN_READ, err));
    cph_status s = ask->json ? as_json(c, ask->work, b, err) : as_text(c, ask->work, b, err);
    cph_collection_close(c);
    if (s != CPH_OK) b->n = before;
    return s;
}
