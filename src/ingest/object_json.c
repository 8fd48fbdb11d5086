/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object_json.c - what is kept of an object beside its pages: counts, metadata as
 * found, logical divisions. Integers only, so that canonical JSON holds them.
 */
#include "object_in.h"

#include <stdlib.h>
#include <string.h>

/* ---- counts ---- */

/* Halves that no page could pair: part 1 ends one page, part 2 begins a later one (section 17). */
static void pair_over_breaks(object *x)
{
    bool open = false;
    for (size_t i = 0; i < x->n_pages; i++) {
        const halves *h = &x->pages[i].result.h;
        if (!x->pages[i].read || !h->any) continue;
        if (h->lead_part2) {
            x->c.pairs_cross_page += open;
            x->c.orphan_part2 += !open;
        } else {
            x->c.orphan_part1 += open;
        }
        open = h->open_part1;
    }
    x->c.orphan_part1 += open;
}

cph_status cph_object_counts(object *x, cph_err *err)
{
    for (size_t i = 0; i < x->n_pages; i++) {
        const page_result *p = &x->pages[i].result;
        if (!x->pages[i].read) continue;
        cph_counts_add(&x->c, &p->c);
        x->c.xml_bytes += x->files[x->pages[i].text].n_bytes;
        for (size_t k = 0; k < p->composed.used; k++)
            CPH_TRY(cph_type_counts_add(&x->composed, x->a, p->composed.name[k], p->composed.n[k], err));
    }
    pair_over_breaks(x);
    for (size_t i = 0; i < x->claims.n; i++) /* METS-17 */
        x->c.areas_dangling += x->claims.at[i].begin.n && !x->claims.at[i].n_hits;
    for (size_t i = 0; i < x->n_files; i++) {
        const object_file *f = &x->files[i];
        if (strcmp(f->role, "text") != 0 || f->listed == NO_FILE) continue;
        x->c.checksums_good += strcmp(f->checksum_state, "good") == 0;
        x->c.checksums_stale += strcmp(f->checksum_state, "stale") == 0;
        x->c.checksums_none += strcmp(f->checksum_state, "none") == 0;
    }
    x->c.tokens_after_joining =
        x->c.strings - x->c.empty_strings - x->c.pairs_same_page - x->c.pairs_cross_page;
    return CPH_OK;
}

static uint64_t rounded(uint64_t a, uint64_t b) { return b ? (a + b / 2) / b : 0; }

static void count(cph_jw *w, const char *key, uint64_t n)
{
    cph_jw_key(w, key);
    cph_jw_u64(w, n);
}

static int by_name(const void *a, const void *b)
{
    const cph_str *const *x = a, *const *y = b;
    return cph_str_cmp(**x, **y);
}

static void write_counts(const object *x, cph_jw *w)
{
    const counts *c = &x->c;
    const cph_str *order[MAX_TYPES];
    cph_jw_obj(w);
#define COUNT_WRITE(name) count(w, #name, c->name);
    COUNT_MAP(COUNT_WRITE)
#undef COUNT_WRITE
    count(w, "pages", x->n_pages);
    count(w, "strings_margins", c->strings_top + c->strings_left + c->strings_right + c->strings_bottom);
    count(w, "wc_mean_e4", rounded(c->wc_sum_hundredths * 100, c->wc_n));
    count(w, "wc_ge_98_permille", rounded(c->wc_ge_98 * 1000, c->wc_n));
    count(w, "wc_ge_90_permille", rounded(c->wc_ge_90 * 1000, c->wc_n));
    cph_jw_key(w, "composed_by_type");
    cph_jw_arr(w);
    for (size_t i = 0; i < x->composed.used; i++) order[i] = &x->composed.name[i];
    qsort(order, x->composed.used, sizeof *order, by_name);
    for (size_t i = 0; i < x->composed.used; i++) {
        cph_jw_obj(w);
        cph_jw_key(w, "type");
        cph_jw_str(w, *order[i]);
        count(w, "n", x->composed.n[order[i] - x->composed.name]);
        cph_jw_end(w);
    }
    cph_jw_end(w);
    cph_jw_end(w);
}

/* ---- metadata ---- */

static void member(cph_jw *w, const char *key, cph_str value)
{
    if (!value.n) return;
    cph_jw_key(w, key);
    cph_jw_str(w, value);
}

static void write_languages(const object *x, cph_jw *w)
{
    if (!x->has_mods || !x->mods.languages) return;
    cph_jw_key(w, "languages");
    cph_jw_arr(w);
    for (const cph_mods_item *l = x->mods.languages; l; l = l->next)
        if (!l->type.n) cph_jw_str(w, l->value);
    cph_jw_end(w);
}

/* Engines of the pages, in the order in which they first occur (ALTO-15). */
static void write_engines(const object *x, cph_jw *w)
{
    cph_str seen[16];
    size_t n = 0;
    cph_jw_key(w, "engines");
    cph_jw_arr(w);
    for (size_t i = 0; i < x->n_pages; i++) {
        cph_str engine = x->pages[i].result.engine;
        size_t k = 0;
        if (!engine.n) continue;
        while (k < n && !cph_str_eq(seen[k], engine)) k++;
        if (k < n || n == 16) continue;
        seen[n++] = engine;
        cph_jw_obj(w);
        member(w, "name", engine);
        member(w, "version", x->pages[i].result.engine_version);
        cph_jw_end(w);
    }
    cph_jw_end(w);
}

static void write_mets(const object *x, cph_jw *w)
{
    cph_jw_key(w, "mets");
    cph_jw_obj(w);
    count(w, "version", (uint64_t)x->mets.version);
    member(w, "type", x->mets.type);
    member(w, "profile", x->mets.profile);
    member(w, "label", x->mets.label);
    member(w, "created", x->mets.created);
    cph_jw_end(w);
}

static cph_status copy_out(cph_buf *b, cph_jw *w, cph_arena *a, cph_str *out, cph_err *err)
{
    cph_status s = cph_jw_done(w, err);
    if (s == CPH_OK) s = cph_arena_str(a, out, cph_buf_view(b), err);
    cph_buf_release(b);
    return s;
}

cph_status cph_object_meta(object *x, cph_str *out, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, (size_t)64 << 20);
    cph_jw w = cph_jw_on(&b);
    cph_jw_obj(&w);
    member(&w, "title", x->facts.title);
    member(&w, "language", x->facts.language);
    write_languages(x, &w);
    if (x->has_mets) write_mets(x, &w);
    if (x->has_mods) {
        cph_jw_key(&w, "mods");
        cph_mods_write(&w, &x->mods);
    }
    write_engines(x, &w);
    cph_jw_key(&w, "counts");
    write_counts(x, &w);
    cph_jw_end(&w);
    return copy_out(&b, &w, x->a, out, err);
}

/* ---- divisions ---- */

typedef struct owned_block {
    uint32_t claim_order, page, seq;
    cph_str id;
} owned_block;

static int by_claim(const void *a, const void *b)
{
    const owned_block *x = a, *y = b;
    if (x->claim_order != y->claim_order) return x->claim_order < y->claim_order ? -1 : 1;
    if (x->page != y->page) return x->page < y->page ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static cph_status gather(const object *x, owned_block **out, size_t *n, cph_err *err)
{
    void *p;
    size_t total = 0;
    for (size_t i = 0; i < x->n_pages; i++) total += x->pages[i].result.n_claimed;
    CPH_TRY(cph_arena_alloc(x->a, &p, (total + 1) * sizeof(owned_block), err));
    owned_block *all = p;
    *n = 0;
    for (size_t i = 0; i < x->n_pages; i++)
        for (size_t k = 0; k < x->pages[i].result.n_claimed; k++) {
            const claimed_block *c = &x->pages[i].result.claimed[k];
            all[(*n)++] = (owned_block){c->claim_order, (uint32_t)i + 1, (uint32_t)k, c->block_id};
        }
    qsort(all, *n, sizeof *all, by_claim);
    *out = all;
    return CPH_OK;
}

/* The division's LABEL, else the title of a metadata record of its own. */
static cph_status label_of(object *x, const cph_mets_div *d, cph_str *out, cph_err *err)
{
    cph_str rest = d->dmdid, id;
    *out = d->label;
    while (!out->n && rest.n && cph_str_split(&rest, ' ', &id)) {
        const cph_mets_md *md = cph_mets_md_of(&x->mets, id);
        cph_mods m = {0};
        if (!md || !md->xml.n) continue;
        cph_status s = cph_mods_parse(&m, x->a, md->xml, "", NULL);
        if (s == CPH_NOMEM) return cph_fail(err, s, "no memory for the label of division %u", d->number);
        for (const cph_mods_item *t = s == CPH_OK ? m.titles : NULL; t && !out->n; t = t->next)
            if (!t->type.n) *out = t->value;
    }
    return CPH_OK;
}

static const cph_mets_div *next_div(const cph_mets_div *d)
{
    if (d->first) return d->first;
    while (d && !d->next) d = d->parent;
    return d ? d->next : NULL;
}

static cph_status write_division(object *x, cph_jw *w, const cph_mets_div *d, owned_block **at, size_t *left,
                                 uint32_t *area, cph_err *err)
{
    cph_status s = CPH_OK;
    uint32_t end = *area;
    cph_str label;
    CPH_TRY(label_of(x, d, &label, err));
    for (const cph_mets_area *a = d->areas; a; a = a->next) end++;
    cph_jw_obj(w);
    member(w, "id", cph_div_key(x->a, d, err, &s));
    member(w, "type", d->type);
    member(w, "label", label);
    if (d->parent) member(w, "parent", cph_div_key(x->a, d->parent, err, &s));
    cph_jw_key(w, "blocks");
    cph_jw_arr(w);
    for (; *left && (*at)->claim_order < end; ++*at, --*left) {
        cph_jw_arr(w);
        cph_jw_u64(w, (*at)->page);
        cph_jw_str(w, (*at)->id);
        cph_jw_end(w);
    }
    cph_jw_end(w);
    cph_jw_end(w);
    *area = end;
    return s;
}

cph_status cph_object_divisions(object *x, cph_str *out, cph_err *err)
{
    const cph_mets_map *map = x->has_mets ? cph_map_of_type(&x->mets, "LOGICAL") : NULL;
    owned_block *blocks;
    size_t n;
    uint32_t area = 0;
    cph_buf b;
    *out = (cph_str){0};
    if (!map) return CPH_OK;
    CPH_TRY(gather(x, &blocks, &n, err));
    cph_buf_init(&b, (size_t)64 << 20);
    cph_jw w = cph_jw_on(&b);
    cph_status s = CPH_OK;
    cph_jw_arr(&w);
    for (const cph_mets_div *d = map->root; s == CPH_OK && d; d = next_div(d))
        s = write_division(x, &w, d, &blocks, &n, &area, err);
    cph_jw_end(&w);
    if (s == CPH_OK) return copy_out(&b, &w, x->a, out, err);
    cph_buf_release(&b);
    return s;
}
