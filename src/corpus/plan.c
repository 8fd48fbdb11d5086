/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - which blocks of an object make which document (METS-16, METS-17,
 * METS-19). Each block belongs to exactly one document: the first division that
 * names it, or the document of its neighbour on the page, or the rest.
 */
#include <string.h>

#include "corpus_in.h"

#define NOBODY UINT32_MAX

bool cph_unit_parse(cph_str s, cph_unit *out)
{
    static const char *const names[] = {
#define UNIT_NAME(name, text) text,
        CPH_UNIT_MAP(UNIT_NAME)
#undef UNIT_NAME
    };
    for (unsigned i = 0; i < CPH_N_UNITS; i++)
        if (cph_str_is(s, names[i])) {
            *out = (cph_unit)i;
            return true;
        }
    return false;
}

static bool is_advertisement(cph_str type) { return cph_str_is_fold(type, "ADVERTISEMENT"); }

static bool begins_document(cph_str type, cph_unit unit)
{
    if (unit != CPH_UNIT_PAGE && is_advertisement(type)) return true;
    if (unit == CPH_UNIT_ARTICLE) return cph_str_is_fold(type, "ARTICLE");
    return unit == CPH_UNIT_CHAPTER && cph_str_is_fold(type, "CHAPTER");
}

static cph_unit unit_of(const cph_json *divisions, cph_unit asked, cph_str form)
{
    if (asked != CPH_UNIT_AUTO) return asked;
    if (cph_str_is(form, "book")) return CPH_UNIT_VOLUME;
    for (const cph_json *d = divisions ? divisions->first : NULL; d; d = d->next)
        if (cph_str_is_fold(cph_json_get_str(d, "type"), "ARTICLE")) return CPH_UNIT_ARTICLE;
    return CPH_UNIT_VOLUME;
}

uint64_t cph_plan_count(const cph_json *row, cph_unit unit, cph_str form, uint32_t n_pages)
{
    const cph_json *divisions = cph_json_get(row, "divisions");
    unit = unit_of(divisions, unit, form);
    if (unit == CPH_UNIT_PAGE) return n_pages;
    uint64_t n = unit == CPH_UNIT_VOLUME;
    for (const cph_json *d = divisions ? divisions->first : NULL; d; d = d->next)
        n += begins_document(cph_json_get_str(d, "type"), unit);
    return n ? n : 1;
}

/* ---- divisions ---- */

/* PARAGRAPH, and what stands for one: several blocks in it are pieces of one paragraph (METS seq). */
static bool is_leaf(const cph_division *all, const cph_division *d)
{
    static const char *const kinds[] = {"PARAGRAPH",   "HEADING",  "HEADLINE",
                                        "SUBHEADLINE", "FOOTNOTE", "CAPTION"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (cph_str_is_fold(d->type, kinds[i])) return true;
    return cph_str_is_fold(d->type, "TEXT") && d->parent != NOBODY &&
           cph_str_is_fold(all[d->parent].type, "PARAGRAPH");
}

static cph_status read_divisions(cph_plan *p, cph_arena *a, const cph_json *divisions, cph_err *err)
{
    void *mem;
    if (!divisions || divisions->type != CPH_JSON_ARRAY) return CPH_OK;
    CPH_TRY(cph_arena_alloc0(a, &mem, divisions->n + 1, sizeof *p->divisions, err));
    p->divisions = mem;
    for (const cph_json *d = divisions->first; d; d = d->next) {
        cph_division *to = &p->divisions[p->n_divisions];
        cph_str parent = cph_json_get_str(d, "parent");
        *to = (cph_division){.id = cph_json_get_str(d, "id"), .type = cph_json_get_str(d, "type"),
                             .label = cph_json_get_str(d, "label"), .parent = NOBODY};
        /* Parents stand before their children and mostly near. */
        for (uint32_t i = p->n_divisions; parent.n && to->parent == NOBODY && i-- > 0;)
            if (cph_str_eq(p->divisions[i].id, parent)) to->parent = i;
        p->n_divisions++;
        to->leaf = is_leaf(p->divisions, to);
    }
    return CPH_OK;
}

/* ---- documents ---- */

static cph_status add_doc(cph_plan *p, cph_arena *a, cph_str suffix, cph_str type, cph_str title,
                          uint32_t *index, cph_err *err)
{
    if (p->n_docs == p->cap) {
        void *mem;
        uint32_t cap = p->cap ? p->cap * 2 : 8;
        CPH_TRY(cph_arena_alloc0(a, &mem, cap, sizeof *p->docs, err));
        if (p->n_docs) memcpy(mem, p->docs, p->n_docs * sizeof *p->docs);
        p->docs = mem;
        p->cap = cap;
    }
    *index = p->n_docs++;
    p->docs[*index] = (cph_plan_doc){.suffix = suffix, .type = type, .title = title};
    return CPH_OK;
}

static cph_status add_ref(cph_plan *p, cph_arena *a, uint32_t doc, uint32_t page, uint32_t block,
                          cph_err *err)
{
    cph_plan_doc *d = &p->docs[doc];
    if (d->n_refs == d->cap) {
        void *mem;
        uint32_t cap = d->cap ? d->cap * 2 : 32;
        CPH_TRY(cph_arena_alloc(a, &mem, cap * sizeof *d->refs, err));
        if (d->n_refs) memcpy(mem, d->refs, d->n_refs * sizeof *d->refs);
        d->refs = mem;
        d->cap = cap;
    }
    d->refs[d->n_refs++] = (cph_ref){page, block};
    return CPH_OK;
}

typedef struct planning {
    cph_plan *p;
    cph_arena *a;
    const cph_leaf *leaves;
    uint32_t n;
    uint32_t *first;  /* of each page, the place of its first block in `owner` */
    uint32_t *owner;  /* the document of each linked block; NOBODY: unlinked */
    uint32_t *doc_of; /* of each division; NOBODY: the volume, or the rest */
    uint32_t rest;    /* made when it is needed */
    bool *listed;     /* the page's leading unlinked blocks are in a document */
} planning;

static cph_status rest_doc(planning *x, uint32_t *doc, cph_err *err)
{
    if (x->rest == NOBODY)
        CPH_TRY(add_doc(x->p, x->a, CPH_STR("rest"), CPH_STR("rest"), (cph_str){"", 0}, &x->rest, err));
    *doc = x->rest;
    return CPH_OK;
}

static bool find_block(const planning *x, const cph_json *pair, uint32_t *page, uint32_t *block)
{
    uint64_t order = 0;
    cph_str id = {"", 0};
    if (!pair || !cph_json_u64(pair->first, &order) || !cph_json_str(cph_json_at(pair, 1), &id)) return false;
    uint32_t low = 0, high = x->n;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (x->leaves[mid].order <= order) low = mid;
        else high = mid;
    }
    if (!x->n || x->leaves[low].order != order) return false;
    const cph_page *p = &x->leaves[low].page;
    for (uint32_t b = 0; b < p->n_blocks; b++)
        if (cph_str_eq(p->blocks[b].id, id)) {
            *page = low;
            *block = b;
            return true;
        }
    return false;
}

/* Claims in the order of the divisions; the first claimant has the block (METS-17). */
static cph_status claim(planning *x, const cph_json *divisions, cph_err *err)
{
    uint32_t d = 0, page, block, doc;
    for (const cph_json *v = divisions ? divisions->first : NULL; v; v = v->next, d++) {
        const cph_json *blocks = cph_json_get(v, "blocks");
        for (const cph_json *pair = blocks ? blocks->first : NULL; pair; pair = pair->next) {
            if (!find_block(x, pair, &page, &block)) continue;
            uint32_t *owner = &x->owner[x->first[page] + block];
            if (*owner != NOBODY) continue;
            doc = x->doc_of[d];
            if (doc == NOBODY) CPH_TRY(rest_doc(x, &doc, err));
            *owner = doc;
            CPH_TRY(add_ref(x->p, x->a, doc, page, block, err));
        }
    }
    return CPH_OK;
}

/* METS-16: unlinked blocks follow the linked one before them; those that lead a page go before its first. */
static cph_status expand(planning *x, uint32_t doc, cph_err *err)
{
    cph_plan_doc *d = &x->p->docs[doc];
    cph_ref *linked = d->refs;
    uint32_t n = d->n_refs;
    d->refs = NULL;
    d->n_refs = d->cap = 0;
    for (uint32_t i = 0; i < n; i++) {
        cph_ref r = linked[i];
        const uint32_t *owner = x->owner + x->first[r.page];
        uint32_t lead = 0;
        while (owner[lead] == NOBODY) lead++;
        if (lead == r.block)
            for (uint32_t b = 0; b < lead; b++) CPH_TRY(add_ref(x->p, x->a, doc, r.page, b, err));
        CPH_TRY(add_ref(x->p, x->a, doc, r.page, r.block, err));
        for (uint32_t b = r.block + 1; b < x->leaves[r.page].page.n_blocks && owner[b] == NOBODY; b++)
            CPH_TRY(add_ref(x->p, x->a, doc, r.page, b, err));
        x->listed[r.page] = true;
    }
    return CPH_OK;
}

static cph_status by_division(planning *x, const cph_json *divisions, cph_err *err)
{
    uint32_t doc;
    CPH_TRY(claim(x, divisions, err));
    for (uint32_t d = 0; d < x->p->n_docs; d++) CPH_TRY(expand(x, d, err));
    for (uint32_t i = 0; i < x->n; i++) {
        for (uint32_t b = 0; b < x->leaves[i].page.n_blocks; b++) {
            if (x->owner[x->first[i] + b] == NOBODY) x->p->n_unlinked++;
            if (x->listed[i]) continue;
            CPH_TRY(rest_doc(x, &doc, err));
            CPH_TRY(add_ref(x->p, x->a, doc, i, b, err));
        }
    }
    return CPH_OK;
}

/* A book: one document in page order, and one for each advertisement that a division names. */
static cph_status by_volume(planning *x, const cph_json *divisions, cph_err *err)
{
    uint32_t volume = 0, d = 0, page, block;
    for (const cph_json *v = divisions ? divisions->first : NULL; v; v = v->next, d++) {
        const cph_json *blocks = cph_json_get(v, "blocks");
        for (const cph_json *pair = blocks ? blocks->first : NULL; pair; pair = pair->next) {
            if (!find_block(x, pair, &page, &block)) continue;
            uint32_t *owner = &x->owner[x->first[page] + block];
            if (*owner != NOBODY) continue;
            *owner = x->doc_of[d] == NOBODY ? volume : x->doc_of[d];
        }
    }
    for (uint32_t i = 0; i < x->n; i++)
        for (uint32_t b = 0; b < x->leaves[i].page.n_blocks; b++) {
            uint32_t owner = x->owner[x->first[i] + b];
            if (owner == NOBODY) x->p->n_unlinked++;
            CPH_TRY(add_ref(x->p, x->a, owner == NOBODY ? volume : owner, i, b, err));
        }
    return CPH_OK;
}

static cph_status by_page(planning *x, cph_err *err)
{
    for (uint32_t i = 0; i < x->n; i++) {
        cph_str suffix;
        uint32_t doc;
        CPH_TRY(cph_arena_printf(x->a, &suffix, err, "p%u", x->leaves[i].order));
        CPH_TRY(add_doc(x->p, x->a, suffix, CPH_STR("page"), (cph_str){"", 0}, &doc, err));
        for (uint32_t b = 0; b < x->leaves[i].page.n_blocks; b++)
            CPH_TRY(add_ref(x->p, x->a, doc, i, b, err));
    }
    return CPH_OK;
}

static cph_str type_of(cph_str division, cph_str form)
{
    if (is_advertisement(division)) return CPH_STR("advertisement");
    if (cph_str_is_fold(division, "CHAPTER")) return CPH_STR("chapter");
    return cph_str_is(form, "newspaper_issue") || !form.n ? CPH_STR("newspaper_article") : CPH_STR("article");
}

static cph_status prepare(planning *x, cph_unit unit, cph_str form, cph_err *err)
{
    void *mem;
    uint32_t n_blocks = 0;
    CPH_TRY(cph_arena_alloc0(x->a, &mem, x->n + 1, sizeof *x->first, err));
    x->first = mem;
    CPH_TRY(cph_arena_alloc0(x->a, &mem, x->n + 1, sizeof *x->listed, err));
    x->listed = mem;
    for (uint32_t i = 0; i < x->n; i++) {
        x->first[i] = n_blocks;
        n_blocks += x->leaves[i].page.n_blocks;
    }
    CPH_TRY(cph_arena_alloc(x->a, &mem, (n_blocks + (size_t)1) * sizeof *x->owner, err));
    x->owner = memset(mem, 0xFF, (n_blocks + (size_t)1) * sizeof *x->owner);
    CPH_TRY(cph_arena_alloc(x->a, &mem, (x->p->n_divisions + (size_t)1) * sizeof *x->doc_of, err));
    x->doc_of = mem;
    for (uint32_t d = 0; d < x->p->n_divisions; d++) {
        const cph_division *v = &x->p->divisions[d];
        x->doc_of[d] = v->parent == NOBODY ? NOBODY : x->doc_of[v->parent];
        if (begins_document(v->type, unit))
            CPH_TRY(add_doc(x->p, x->a, v->id, type_of(v->type, form), v->label, &x->doc_of[d], err));
    }
    return CPH_OK;
}

cph_status cph_plan_make(cph_plan *out, cph_arena *a, const cph_json *row, cph_unit unit, cph_str form,
                         const cph_leaf *leaves, uint32_t n, cph_err *err)
{
    const cph_json *divisions = cph_json_get(row, "divisions");
    cph_plan p = {0};
    planning x = {.p = &p, .a = a, .leaves = leaves, .n = n, .rest = NOBODY};
    cph_str type = cph_str_is(form, "newspaper_issue") ? CPH_STR("newspaper")
                   : form.n                            ? form
                                                       : CPH_STR("text");
    unit = unit_of(divisions, unit, form);
    CPH_TRY(read_divisions(&p, a, divisions, err));
    uint32_t volume;
    if (unit == CPH_UNIT_VOLUME)
        CPH_TRY(add_doc(&p, a, (cph_str){"", 0}, type, (cph_str){"", 0}, &volume, err));
    CPH_TRY(prepare(&x, unit, form, err));
    if (unit == CPH_UNIT_PAGE) CPH_TRY(by_page(&x, err));
    else if (unit == CPH_UNIT_VOLUME) CPH_TRY(by_volume(&x, divisions, err));
    else CPH_TRY(by_division(&x, divisions, err));
    *out = p;
    return CPH_OK;
}
