/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object_plan.c - which files an object has and which pages they make, before any
 * page is read (METS-01 to METS-06, METS-11).
 */
#include "object_in.h"

#include <stdlib.h>
#include <string.h>

static cph_status room_for_files(object *x, size_t n, cph_err *err)
{
    void *p;
    CPH_TRY(cph_arena_alloc0(x->a, &p, n + 4, sizeof(object_file), err));
    x->files = p;
    return CPH_OK;
}

static cph_status room_for_pages(object *x, size_t n, cph_err *err)
{
    void *p;
    if (n > x->r->opts->max_pages)
        return cph_fail(err, CPH_NOMEM, "%.*s: %zu pages, the limit is %u", CPH_FMT(x->source_id), n,
                        x->r->opts->max_pages);
    CPH_TRY(cph_arena_alloc0(x->a, &p, n + 1, sizeof(page_plan), err));
    x->pages = p;
    return CPH_OK;
}

static object_file *add_file(object *x, cph_str path, const char *role)
{
    object_file *f = &x->files[x->n_files++];
    *f = (object_file){.listed = NO_FILE, .path = path, .role = role, .checksum_state = "none"};
    return f;
}

/* ---- METS ---- */

typedef struct by_file_id {
    cph_str id;
    uint32_t file; /* in object.files */
    const cph_mets_file *mets;
} by_file_id;

typedef struct planning {
    object *x;
    by_file_id *ids; /* sorted */
    size_t n_ids;
    bool *planned;   /* by object file: stands on a page */
    page_plan *at;
} planning;

static int by_id(const void *a, const void *b)
{
    const by_file_id *x = a, *y = b;
    int order = cph_str_cmp(x->id, y->id);
    return order ? order : (x->file > y->file) - (x->file < y->file);
}

static const by_file_id *file_of(const planning *p, cph_str id)
{
    size_t low = 0, high = p->n_ids;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (cph_str_cmp(p->ids[mid].id, id) < 0) low = mid + 1;
        else high = mid;
    }
    return low < p->n_ids && cph_str_eq(p->ids[low].id, id) ? &p->ids[low] : NULL;
}

static cph_status missing(object *x, const cph_mets_file *f, bool text, cph_err *err)
{
    if (!text) {
        x->c.images_missing++; /* page images often stay where they are */
        return CPH_OK;
    }
    return cph_problems_add(&x->told, f->href, f->id, "file-missing", err,
                            "METS-04: the METS names %.*s, which is not in the object's directory",
                            CPH_FMT(f->href));
}

static cph_status take_files(planning *p, const resolver *r, bool *named, cph_err *err)
{
    object *x = p->x;
    for (const cph_mets_file *m = x->mets.files; m; m = m->next) {
        bool text = cph_is_text_candidate(m), image = cph_is_image(m);
        if (!m->has_location || m->discarded) continue; /* METS-03 */
        uint32_t listed = cph_resolve(r, &x->mets, m);
        if (listed != NO_FILE) named[listed] = true;
        if (listed == NO_FILE && (text || image)) CPH_TRY(missing(x, m, text, err));
        object_file *f = add_file(x, listed == NO_FILE ? m->href : x->u->files[listed].path,
                                  text ? "text" : image ? "image" : "metadata");
        f->listed = listed;
        f->id = m->id;
        f->checksum = m->checksum;
        f->checksum_type = m->checksum_type;
        f->stated_bytes = m->size;
        p->ids[p->n_ids++] = (by_file_id){m->id, (uint32_t)(x->n_files - 1), m};
    }
    qsort(p->ids, p->n_ids, sizeof *p->ids, by_id);
    return CPH_OK;
}

static cph_role role_of_page_type(cph_str type)
{
    if (cph_str_is_fold(type, "TOCPAGE") || cph_str_is_fold(type, "CONTENT_PAGE")) return CPH_ROLE_toc;
    if (cph_str_is_fold(type, "TITLE_PAGE")) return CPH_ROLE_title_page;
    return CPH_ROLE_body;
}

/* METS-06: of two texts of one page the one made last; never both. */
static bool later(const by_file_id *a, const by_file_id *b)
{
    return cph_str_cmp(a->mets->created, b->mets->created) > 0;
}

static void plan_div(planning *p, const cph_mets_div *d)
{
    page_plan page = {
        .text = NO_FILE, .image = NO_FILE, .label = d->orderlabel, .role = role_of_page_type(d->type)};
    const by_file_id *text = NULL;
    for (const cph_mets_area *area = d->areas; area; area = area->next) {
        const by_file_id *f = file_of(p, area->file_id);
        if (!f) continue;
        bool is_text = strcmp(p->x->files[f->file].role, "text") == 0;
        if (is_text && (!text || later(f, text))) text = f;
        if (!is_text && page.image == NO_FILE && strcmp(p->x->files[f->file].role, "image") == 0)
            page.image = f->file;
        p->planned[f->file] = true;
    }
    if (text) page.text = text->file;
    if (text || page.image != NO_FILE) p->x->pages[p->x->n_pages++] = page;
}

static const cph_mets_div *next_div(const cph_mets_div *d)
{
    if (d->first) return d->first;
    while (d && !d->next) d = d->parent;
    return d ? d->next : NULL;
}

static cph_status plan_pages(planning *p, cph_err *err)
{
    object *x = p->x;
    const cph_mets_map *map = cph_map_of_type(&x->mets, "PHYSICAL");
    CPH_TRY(room_for_pages(x, (map ? map->n_divs : 0) + x->n_files, err));
    for (const cph_mets_div *d = map ? map->root : NULL; d; d = next_div(d)) plan_div(p, d);
    uint32_t unplaced = 0;
    for (uint32_t i = 0; i < x->n_files; i++) {
        if (strcmp(x->files[i].role, "text") != 0 || p->planned[i]) continue;
        x->pages[x->n_pages++] = (page_plan){.text = i, .image = NO_FILE};
        unplaced++;
    }
    if (!unplaced) return CPH_OK;
    return cph_problems_add(&x->told, x->u->main, (cph_str){"", 0}, "METS-11", err,
                            map ? "%u text files stand in no physical division; they follow the others"
                                : "no physical structMap: %u pages stand in the order of the file section",
                            unplaced);
}

static cph_status tell_unnamed(object *x, const bool *named, cph_err *err)
{
    if (x->u->shared) return CPH_OK;
    for (size_t i = 0; i < x->u->n_files; i++) {
        cph_str path = x->u->files[i].path;
        if (named[i] || cph_str_eq(path, x->u->main) || cph_str_eq(path, x->u->alternative) ||
            cph_str_eq(path, x->u->mods))
            continue;
        CPH_TRY(cph_problems_add(&x->told, path, (cph_str){"", 0}, "unnamed-file", err,
                             "stands beside the METS, which does not name it; not ingested"));
    }
    return CPH_OK;
}

cph_status cph_object_plan_mets(object *x, cph_err *err)
{
    void *ids, *planned, *named;
    resolver *r;
    planning p = {.x = x};
    CPH_TRY(room_for_files(x, x->mets.n_files, err));
    CPH_TRY(cph_arena_alloc0(x->a, &ids, x->mets.n_files + 1, sizeof(by_file_id), err));
    CPH_TRY(cph_arena_alloc0(x->a, &planned, x->mets.n_files + 4, sizeof(bool), err));
    CPH_TRY(cph_arena_alloc0(x->a, &named, x->u->n_files + 1, sizeof(bool), err));
    p.ids = ids;
    p.planned = planned;
    CPH_TRY(cph_resolver_make(&r, x->a, x->u, err));
    CPH_TRY(take_files(&p, r, named, err));
    CPH_TRY(plan_pages(&p, err));
    add_file(x, x->u->main, "mets")->listed = 0;
    if (x->u->mods.n) add_file(x, x->u->mods, "metadata")->listed = 0;
    if (x->u->alternative.n) {
        add_file(x, x->u->alternative, "metadata")->listed = 0;
        CPH_TRY(cph_problems_add(&x->told, x->u->alternative, (cph_str){"", 0}, "mets-alternative", err,
                             "describes the same object as %.*s, which was read", CPH_FMT(x->u->main)));
    }
    CPH_TRY(tell_unnamed(x, named, err));
    return cph_claims_make(&x->claims, x->a, &x->mets, &x->c, err);
}

/* ---- a folder of ALTO ---- */

static cph_str stem_of(cph_str path)
{
    cph_str base = cph_path_base(path);
    for (size_t i = base.n; i-- > 1;)
        if (base.p[i] == '.') return cph_str_sub(base, 0, i);
    return base;
}

/* ALTO files in the order of their names; an image of the same stem is the page's. */
cph_status cph_object_plan_folder(object *x, cph_err *err)
{
    void *p;
    planning images = {.x = x};
    CPH_TRY(room_for_files(x, x->u->n_files, err));
    CPH_TRY(room_for_pages(x, x->u->n_files, err));
    CPH_TRY(cph_arena_alloc0(x->a, &p, x->u->n_files + 1, sizeof(by_file_id), err));
    images.ids = p;
    for (uint32_t i = 0; i < x->u->n_files; i++) {
        const unit_file *u = &x->u->files[i];
        add_file(x, u->path, u->image ? "image" : "text")->listed = i;
        if (u->image) images.ids[images.n_ids++] = (by_file_id){stem_of(u->path), i, NULL};
        else x->pages[x->n_pages++] = (page_plan){.text = i, .image = NO_FILE};
    }
    qsort(images.ids, images.n_ids, sizeof *images.ids, by_id);
    for (size_t i = 0; i < x->n_pages; i++) {
        const by_file_id *hit = file_of(&images, stem_of(x->files[x->pages[i].text].path));
        if (hit) x->pages[i].image = hit->file;
    }
    if (x->u->mods.n) add_file(x, x->u->mods, "metadata")->listed = 0;
    return CPH_OK;
}
