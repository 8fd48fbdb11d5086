/* SPDX-License-Identifier: Apache-2.0 */
/*
 * divisions.c - which logical division owns which element of which file, and
 * what role a division's type gives (METS-13, METS-14; section 15).
 */
#include "ingest_in.h"

#include <stdlib.h>
#include <string.h>

/* ---- structure ---- */

static bool has_area(const cph_mets_div *d)
{
    for (; d; d = d->next)
        if (d->areas || has_area(d->first)) return true;
    return false;
}

/* METS-10: types compared without letter case; of several maps of one type the first that leads to text. */
const cph_mets_map *cph_map_of_type(const cph_mets *m, const char *type)
{
    for (const cph_mets_map *map = m->maps; map; map = map->next)
        if (cph_str_is_fold(map->type, type) && has_area(map->root)) return map;
    return NULL;
}

cph_str cph_div_key(cph_arena *a, const cph_mets_div *d, cph_err *err, cph_status *s)
{
    cph_str key = d->id;
    if (*s == CPH_OK && !key.n) *s = cph_arena_printf(a, &key, err, "#%u", d->number);
    return key;
}

/* The next division in document order. */
static const cph_mets_div *next_div(const cph_mets_div *d)
{
    if (d->first) return d->first;
    while (d && !d->next) d = d->parent;
    return d ? d->next : NULL;
}

static int by_element(const void *x, const void *y)
{
    const claim *a = x, *b = y;
    int order = cph_str_cmp(a->file_id, b->file_id);
    if (!order) order = cph_str_cmp(a->begin, b->begin);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

cph_status cph_claims_make(claims *out, cph_arena *a, const cph_mets *m, counts *c, cph_err *err)
{
    const cph_mets_map *map = cph_map_of_type(m, "LOGICAL");
    void *p;
    *out = (claims){0};
    for (const cph_mets_map *any = m->maps; any; any = any->next) {
        c->seq += any->n_seq;
        c->par += any->n_par;
    }
    if (!map) return CPH_OK;
    c->areas_logical = map->n_areas;
    c->areas_end = map->n_end;
    CPH_TRY(cph_arena_alloc0(a, &p, map->n_areas + 1u, sizeof(claim), err));
    claim *at = p;
    size_t n = 0;
    for (const cph_mets_div *d = map->root; d; d = next_div(d))
        for (const cph_mets_area *area = d->areas; area; area = area->next, n++)
            at[n] = (claim){.file_id = area->file_id, .begin = area->begin, .div = d, .order = (uint32_t)n};
    qsort(at, n, sizeof *at, by_element);
    *out = (claims){at, n};
    return CPH_OK;
}

claims cph_claims_of_file(const claims *all, cph_str file_id)
{
    size_t low = 0, high = all->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (cph_str_cmp(all->at[mid].file_id, file_id) < 0) low = mid + 1;
        else high = mid;
    }
    claims c = {all->at ? all->at + low : NULL, 0};
    while (low + c.n < all->n && cph_str_eq(all->at[low + c.n].file_id, file_id)) c.n++;
    return c;
}

claim *cph_claims_find(const claims *of_file, cph_str begin)
{
    size_t low = 0, high = of_file->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (cph_str_cmp(of_file->at[mid].begin, begin) < 0) low = mid + 1;
        else high = mid;
    }
    return low < of_file->n && cph_str_eq(of_file->at[low].begin, begin) ? &of_file->at[low] : NULL;
}

/* ---- roles ---- */

/* BODY here: the type says that the text is body, so that no ancestor is asked; -1: ask the parent. */
enum { ASK_PARENT = -1 };

static const struct {
    const char *type;
    int role;
} div_roles[] = {
    {"TEXT", ASK_PARENT},           {"PARAGRAPH", ASK_PARENT},      {"TEXTBLOCK", ASK_PARENT},
    {"IMAGE", ASK_PARENT},          {"CONTENT", ASK_PARENT},        {"BODY", ASK_PARENT},
    {"BODY_CONTENT", ASK_PARENT},   {"ITEM", CPH_ROLE_list},        {"LIST", CPH_ROLE_list},
    {"HEADING", CPH_ROLE_heading},  {"HEADING_TEXT", CPH_ROLE_heading}, {"HEADLINE", CPH_ROLE_heading},
    {"SUBHEADLINE", CPH_ROLE_heading}, {"OVERLINE", CPH_ROLE_heading}, {"TITLE", CPH_ROLE_heading},
    {"TITLE_OF_WORK", CPH_ROLE_title_page}, {"TITLE_SECTION", CPH_ROLE_title_page},
    {"CAPTION", CPH_ROLE_caption},  {"ITEM_CAPTION", CPH_ROLE_caption}, {"FOOTNOTE", CPH_ROLE_footnote},
    {"TABLE", CPH_ROLE_table},      {"FORMULA", CPH_ROLE_formula},  {"ILLUSTRATION", CPH_ROLE_image_text},
    {"ADVERTISEMENT", CPH_ROLE_advertisement}, {"STATEMENT", CPH_ROLE_imprint},
    {"STATEMENT_SECTION", CPH_ROLE_imprint}, {"PUBLISHING_STMT", CPH_ROLE_imprint},
    {"TABLE_OF_CONTENTS", CPH_ROLE_toc}, {"TOC", CPH_ROLE_toc},     {"INDEX", CPH_ROLE_index},
    {"FRONT", CPH_ROLE_front},      {"BACK", CPH_ROLE_back},        {"MAIN", CPH_ROLE_body},
    {"CHAPTER", CPH_ROLE_body},     {"ARTICLE", CPH_ROLE_body},     {"SECTION", CPH_ROLE_body},
};

/* The nearest type on the way up that says something; false when none does. */
bool cph_role_of_div(const cph_mets_div *d, cph_role *out)
{
    for (; d; d = d->parent) {
        size_t i = 0, n = sizeof div_roles / sizeof *div_roles;
        while (i < n && !cph_str_is_fold(d->type, div_roles[i].type)) i++;
        if (i == n || div_roles[i].role == ASK_PARENT) continue;
        cph_role role = (cph_role)div_roles[i].role;
        /* A chapter inside an advertisement or the back matter belongs to it. */
        if (role == CPH_ROLE_body && d->parent) {
            cph_role above;
            bool outer = cph_role_of_div(d->parent, &above);
            if (outer &&
                (above == CPH_ROLE_advertisement || above == CPH_ROLE_front || above == CPH_ROLE_back))
                role = above;
        }
        *out = role;
        return true;
    }
    return false;
}
