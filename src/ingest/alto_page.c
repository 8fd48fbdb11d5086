/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alto_page.c - from ALTO events to a page as it is stored.
 * What must stay true: a line is in whole or not at all, so that a truncated file
 * gives complete lines (ALTO-14) and the balance of LAW-1 holds.
 */
#include "page_room.h"

#include <colophon/format/alto.h>

#include <string.h>

#define MAX_COMPOSED 64 /* nesting (3.2) */

typedef struct composed {
    cph_str id, type;
    claim *by;
} composed;

typedef struct building {
    page_room *r;
    scratch *s;
    const page_want *want;
    page_result *out;
    cph_alto alto;
    composed stack[MAX_COMPOSED];
    uint32_t depth;
    claim *page_claim;
    double page_w, page_h;
    uint32_t n_groups, n_refs;
    uint32_t strings, empty;           /* committed */
    bool in_block, in_line, sp, string_before;
    struct {                           /* of the line under way */
        uint32_t strings, empty, sp, hyp, adjacent;
    } line;
} building;

/* ---- geometry ---- */

static int32_t permille(double v, double whole)
{
    if (!(v == v) || !(whole > 0)) return CPH_UNKNOWN_BOX;
    double share = v * 1000 / whole;
    if (!(share > -1e6 && share < 1e6)) return CPH_UNKNOWN_BOX;
    return share < 0 ? -(int32_t)(-share + 0.5) : (int32_t)(share + 0.5);
}

static cph_box box_of(const building *b, const cph_alto_event *e)
{
    return (cph_box){permille(e->x, b->page_w), permille(e->y, b->page_h), permille(e->w, b->page_w),
                     permille(e->h, b->page_h)};
}

static uint32_t extent(double v) { return v > 0 && v < 4e9 ? (uint32_t)(v + 0.5) : 0; }

/* ---- claims ---- */

/* The first claimant owns the element; the others are counted (METS-17). */
static claim *claim_of(building *b, cph_str id)
{
    claim *c = id.n ? cph_claims_find(&b->want->claims, id) : NULL;
    if (!c || c->n_hits) return c;
    for (claim *more = c; more < b->want->claims.at + b->want->claims.n && cph_str_eq(more->begin, id);
         more++) {
        more->n_hits++;
        b->out->c.areas_overlapping += more != c;
    }
    return c;
}

static cph_status owned(building *b, cph_block *k, block_note *n, claim *own, cph_err *err)
{
    claim *c = own;
    for (uint32_t i = b->depth; !c && i-- > 0;) c = b->stack[i].by; /* METS-15 */
    if (!c) c = b->page_claim;
    n->claim_order = c ? c->order : UINT32_MAX;
    n->linked = c != NULL;
    if (!c) return CPH_OK;
    claimed_block *row;
    cph_status s = CPH_OK;
    k->division = cph_div_key(&b->s->page, c->div, err, &s);
    CPH_TRY(s);
    CPH_TRY(cph_room_push_claimed(b->r, &row, err));
    *row = (claimed_block){c->order, k->id, c->div};
    return CPH_OK;
}

/* ---- what opens ---- */

static cph_status page_opens(building *b, const cph_alto_event *e)
{
    b->out->n_pages++;
    if (b->out->n_pages > 1) return CPH_OK; /* further pages of one file join the first */
    b->page_w = e->w;
    b->page_h = e->h;
    b->out->width = extent(e->w);
    b->out->height = extent(e->h);
    b->out->label = e->label;
    b->out->lang = e->lang;
    b->page_claim = claim_of(b, e->id);
    if (!b->page_claim)
        b->page_claim = cph_claims_find(&b->want->claims, (cph_str){"", 0}); /* the whole file */
    if (b->page_claim) b->page_claim->n_hits++;
    return CPH_OK;
}

static cph_status composed_opens(building *b, const cph_alto_event *e, cph_err *err)
{
    if (b->depth == MAX_COMPOSED)
        return cph_fail(err, CPH_NOMEM, "%s: more than %d ComposedBlocks inside each other", b->want->file,
                        MAX_COMPOSED);
    composed *c = &b->stack[b->depth++];
    *c = (composed){e->id, e->type, claim_of(b, e->id)};
    b->out->c.linked_composed += c->by != NULL;
    return cph_type_counts_add(&b->out->composed, &b->s->keep, e->type, 1, err);
}

static cph_status block_opens(building *b, const cph_alto_event *e, cph_err *err)
{
    static const cph_place places[] = {[CPH_ALTO_PRINT] = CPH_PLACE_print,
                                       [CPH_ALTO_TOP] = CPH_PLACE_top,
                                       [CPH_ALTO_LEFT] = CPH_PLACE_left,
                                       [CPH_ALTO_RIGHT] = CPH_PLACE_right,
                                       [CPH_ALTO_BOTTOM] = CPH_PLACE_bottom};
    cph_block *k;
    block_note *n;
    CPH_TRY(cph_room_push_blocks(b->r, &k, err));
    CPH_TRY(cph_room_push_notes(b->r, &n, err));
    k->id = e->id;
    k->lang = e->lang;
    k->place = places[e->place];
    k->first_line = b->r->n_lines;
    k->box = box_of(b, e);
    for (uint32_t i = b->depth; i-- > 0 && !k->type.n;) k->type = b->stack[i].type;
    n->idnext = e->idnext;
    n->tagrefs = e->tagrefs;
    n->in_composed = b->depth > 0;
    if (b->depth) {
        n->composed_inner = b->stack[b->depth - 1].id;
        n->composed_outer = b->stack[0].id;
    }
    claim *own = claim_of(b, e->id);
    b->out->c.linked_blocks += own != NULL;
    b->in_block = true;
    return owned(b, k, n, own, err);
}

static cph_status line_opens(building *b, const cph_alto_event *e, cph_err *err)
{
    cph_line *l;
    cph_alto_event none = {.place = e->place};
    if (!b->in_block) CPH_TRY(block_opens(b, &none, err)); /* a line outside any TextBlock */
    CPH_TRY(cph_room_push_lines(b->r, &l, err));
    l->first_token = b->r->n_tokens;
    l->box = box_of(b, e);
    memset(&b->line, 0, sizeof b->line);
    cph_block *k = &b->r->blocks[b->r->n_blocks - 1];
    if (e->lang.n && !k->lang.n && k->first_line + 1 == b->r->n_lines) k->lang = e->lang;
    b->in_line = true;
    b->sp = b->string_before = false;
    return CPH_OK;
}

static void line_closes(building *b)
{
    cph_line *l = &b->r->lines[b->r->n_lines - 1];
    cph_block *k = &b->r->blocks[b->r->n_blocks - 1];
    l->n_tokens = b->r->n_tokens - l->first_token;
    k->n_lines++;
    b->r->notes[b->r->n_blocks - 1].strings += b->line.strings;
    b->strings += b->line.strings;
    b->empty += b->line.empty;
    b->out->c.sp += b->line.sp;
    b->out->c.hyp += b->line.hyp;
    b->out->c.adjacent_without_sp += b->line.adjacent;
    b->out->c.lines++;
    b->in_line = false;
}

/* What stands of an incomplete line is taken back. */
static void drop_open_line(building *b)
{
    if (!b->in_line) return;
    b->r->n_lines--;
    b->r->n_tokens = b->r->n_places = b->r->lines[b->r->n_lines].first_token;
    b->in_line = false;
}

/* ---- tokens ---- */

static cph_status string(building *b, const cph_alto_event *e, cph_err *err)
{
    cph_token *t;
    token_place *at;
    if (!b->in_line) CPH_TRY(line_opens(b, &(cph_alto_event){.place = e->place}, err));
    b->line.strings++;
    b->line.adjacent += b->string_before;
    b->string_before = true;
    cph_str text = cph_str_trim(e->content);
    if (!text.n) { /* ALTO-05 */
        b->line.empty++;
        return CPH_OK;
    }
    CPH_TRY(cph_room_push_tokens(b->r, &t, err));
    CPH_TRY(cph_room_push_places(b->r, &at, err));
    CPH_TRY(cph_nfc_of(&b->s->page, &b->s->nfc, &t->text, text, err));
    if (e->subs.n) CPH_TRY(cph_nfc_of(&b->s->page, &b->s->nfc, &t->subs, e->subs, err));
    t->box = box_of(b, e);
    t->wc = e->corrected ? 101 : e->wc;
    t->hyphen = e->subs_type == CPH_ALTO_PART1   ? CPH_HYP_PART1
                : e->subs_type == CPH_ALTO_PART2 ? CPH_HYP_PART2
                                                 : CPH_HYP_NONE;
    t->space_before = b->sp && b->r->n_tokens - 1 > b->r->lines[b->r->n_lines - 1].first_token;
    *at = (token_place){e->x, e->w, e->h, b->sp};
    b->sp = false;
    return CPH_OK;
}

static void hyphen(building *b)
{
    if (!b->in_line) return;
    b->line.hyp++;
    b->string_before = false;
    if (b->r->n_tokens > b->r->lines[b->r->n_lines - 1].first_token)
        b->r->tokens[b->r->n_tokens - 1].hyp_element = true;
}

static void space(building *b)
{
    if (!b->in_line) return;
    b->line.sp++;
    b->sp = true;
    b->string_before = false;
}

/* ---- reading order and tags ---- */

/* Only the first top-level group orders (ALTO-04); a reference is a list of ids. */
static cph_status reference(building *b, cph_str refs, cph_err *err)
{
    cph_str one;
    id_index *e;
    if (b->n_groups > 1) return CPH_OK;
    while (refs.n && cph_str_split(&refs, ' ', &one)) {
        if (!one.n) continue;
        CPH_TRY(cph_room_push_refs(b->r, &e, err));
        *e = (id_index){one, b->n_refs++};
    }
    return CPH_OK;
}

static cph_status tag(building *b, const cph_alto_event *e, cph_err *err)
{
    const cph_str all[3] = {e->id, e->label, e->type};
    cph_str *to;
    for (int i = 0; i < 3; i++) {
        CPH_TRY(cph_room_push_tags(b->r, &to, err));
        *to = all[i];
    }
    return CPH_OK;
}

/* ---- the page ---- */

static void closes(building *b, const cph_alto_event *e)
{
    if (b->in_line && (e->closes == CPH_ALTO_LINE || e->closes == CPH_ALTO_BLOCK)) line_closes(b);
    if (e->closes == CPH_ALTO_BLOCK) b->in_block = false;
    if (e->closes == CPH_ALTO_COMPOSED && b->depth) b->depth--;
}

/* Elements nest as the standard has it; where they do not, what opens ends the line that is open. */
static bool ends_line(cph_alto_kind k)
{
    return k == CPH_ALTO_PAGE || k == CPH_ALTO_PLACE || k == CPH_ALTO_COMPOSED || k == CPH_ALTO_BLOCK ||
           k == CPH_ALTO_LINE;
}

static cph_status take(building *b, const cph_alto_event *e, cph_err *err)
{
    if (b->in_line && ends_line(e->kind)) line_closes(b);
    switch (e->kind) {
    case CPH_ALTO_PAGE: return page_opens(b, e);
    case CPH_ALTO_COMPOSED: return composed_opens(b, e, err);
    case CPH_ALTO_BLOCK: return block_opens(b, e, err);
    case CPH_ALTO_LINE: return line_opens(b, e, err);
    case CPH_ALTO_STRING: return string(b, e, err);
    case CPH_ALTO_SP: space(b); return CPH_OK;
    case CPH_ALTO_HYP: hyphen(b); return CPH_OK;
    case CPH_ALTO_GROUP: b->n_groups++; return CPH_OK;
    case CPH_ALTO_REF: return reference(b, e->refs, err);
    case CPH_ALTO_TAG: return tag(b, e, err);
    case CPH_ALTO_CLOSE: closes(b, e); return CPH_OK;
    default: return CPH_OK;
    }
}

/* Broken XML ends the page as a cut does: what was complete stands, the fault is told. */
static cph_status read_events(building *b, cph_err *err)
{
    cph_alto_event e;
    cph_err fault = {0};
    for (;;) {
        cph_status s = cph_alto_next(&b->alto, &e, &fault);
        if (s == CPH_OK) {
            CPH_TRY(take(b, &e, err));
            continue;
        }
        drop_open_line(b);
        if (s == CPH_END) {
            b->out->truncated = b->alto.truncated;
            return CPH_OK;
        }
        /* Memory that ran out is no property of the file: the object waits for a better day. */
        if (s == CPH_NOMEM && !b->alto.xml.limit_hit) return cph_fail(err, s, "%s", fault.what);
        return cph_arena_str(&b->s->keep, &b->out->fault, cph_str_of(fault.what), err);
    }
}

static cph_status keep_str(building *b, cph_str *s, cph_err *err)
{
    return s->n ? cph_nfc_of(&b->s->keep, &b->s->nfc, s, *s, err) : CPH_OK;
}

static cph_status keep_claimed(building *b, cph_err *err)
{
    void *p;
    CPH_TRY(cph_arena_alloc0(&b->s->keep, &p, b->r->n_claimed + 1u, sizeof(claimed_block), err));
    b->out->claimed = p;
    b->out->n_claimed = b->r->n_claimed;
    for (uint32_t i = 0; i < b->r->n_claimed; i++) {
        b->out->claimed[i] = b->r->claimed[i];
        CPH_TRY(keep_str(b, &b->out->claimed[i].block_id, err));
    }
    return CPH_OK;
}

static cph_status roles(building *b, cph_err *err)
{
    for (uint32_t i = 0, at = 0; i < b->r->n_blocks; i++) {
        const cph_mets_div *div = b->r->notes[i].linked ? b->r->claimed[at++].div : NULL;
        cph_block *k = &b->r->blocks[i];
        k->role = cph_page_role_of(b->r, i, div, b->want->page_role);
        if (k->role != CPH_ROLE_page_number || b->out->label.n || !k->n_lines) continue;
        const cph_line *l = &b->r->lines[k->first_line];
        if (l->n_tokens == 1)
            CPH_TRY(cph_arena_str(&b->s->keep, &b->out->label, b->r->tokens[l->first_token].text, err));
    }
    return CPH_OK;
}

static cph_status encode(building *b, bool gap_mode, cph_err *err)
{
    page_room *r = b->r;
    cph_page page = {.blocks = r->blocks,
                     .lines = r->lines,
                     .tokens = r->tokens,
                     .n_blocks = r->n_blocks,
                     .n_lines = r->n_lines,
                     .n_tokens = r->n_tokens,
                     .engine = b->out->engine,
                     .engine_version = b->out->engine_version,
                     .ocr_date = b->out->ocr_date,
                     .lang = b->out->lang,
                     .gap_mode = gap_mode,
                     .n_strings = b->strings,
                     .n_empty = b->empty};
    b->s->json.n = 0;
    CPH_TRY(cph_page_encode(&b->s->json, &page, err));
    return cph_arena_str(&b->s->keep, &b->out->json, cph_buf_view(&b->s->json), err);
}

static cph_status finish(building *b, cph_err *err)
{
    counts *c = &b->out->c;
    uint64_t duplicates = 0;
    b->out->engine = b->alto.engine.n ? b->alto.engine : b->alto.engine_creator;
    b->out->engine_version = b->alto.engine_version;
    b->out->ocr_date = b->alto.ocr_date;
    cph_str *texts[] = {&b->out->engine, &b->out->engine_version, &b->out->ocr_date, &b->out->lang,
                        &b->out->label};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) CPH_TRY(keep_str(b, texts[i], err));
    c->strings = b->strings;
    c->empty_strings = b->empty;
    c->glyph_differs = b->alto.n_glyph_differs;
    c->controls_dropped = b->alto.tally.n_controls;
    c->bad_references = b->alto.tally.n_bad_refs;
    cph_page_count(b->r, c, &b->out->h);
    bool gap_mode = c->sp == 0 && b->r->n_tokens > 0; /* SP-01 */
    c->gap_mode_pages = gap_mode;
    CPH_TRY(roles(b, err));
    CPH_TRY(keep_claimed(b, err));
    if (gap_mode) CPH_TRY(cph_page_gap_spaces(b->r, b->out->lang, err));
    CPH_TRY(cph_page_order(b->r, &duplicates, err));
    c->duplicate_ids = duplicates;
    return encode(b, gap_mode, err);
}

cph_status cph_alto_page_read(page_result *out, scratch *s, cph_str utf8, const page_want *want, cph_err *err)
{
    void *p;
    cph_arena_reset(&s->page);
    CPH_TRY(cph_arena_alloc0(&s->page, &p, 1, sizeof(building), err));
    building *b = p;
    *out = (page_result){0};
    *b = (building){.r = s->room, .s = s, .want = want, .out = out};
    cph_page_room_clear(s->room);
    cph_alto_init(&b->alto, &s->page, utf8, want->file);
    CPH_TRY(read_events(b, err));
    if (!b->out->n_pages && !out->truncated && !out->fault.n)
        CPH_TRY(cph_arena_str(&s->keep, &out->fault, CPH_STR("the file holds no Page"), err));
    return finish(b, err);
}
