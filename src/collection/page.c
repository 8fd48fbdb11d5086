/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.c - a page as compact JSON, and back.
 *
 * One object: what the OCR said of itself, then blocks that hold lines that hold
 * tokens. A token is an array [text, flags, wc, x, y, w, h, subs] whose tail is
 * left out where it says nothing, so that a page of plain text costs little more
 * than its words. Same page, same bytes: what is absent has one spelling only.
 */
#include <colophon/collection/page.h>

#include <string.h>

enum { SPACE_BEFORE = 1, PART1 = 2, PART2 = 4, HYP_ELEMENT = 8 };

static const char *const role_names[] = {
#define ROLE_NAME(name) #name,
    CPH_ROLE_MAP(ROLE_NAME)
#undef ROLE_NAME
};
static const char *const place_names[] = {
#define PLACE_NAME(name) #name,
    CPH_PLACE_MAP(PLACE_NAME)
#undef PLACE_NAME
};

const char *cph_role_name(cph_role r) { return r < CPH_N_ROLES ? role_names[r] : "body"; }

bool cph_role_parse(cph_str s, cph_role *out)
{
    for (unsigned i = 0; i < CPH_N_ROLES; i++)
        if (cph_str_is(s, role_names[i])) {
            *out = (cph_role)i;
            return true;
        }
    return false;
}

static bool place_parse(cph_str s, cph_place *out)
{
    for (unsigned i = 0; i < CPH_N_PLACES; i++)
        if (cph_str_is(s, place_names[i])) {
            *out = (cph_place)i;
            return true;
        }
    return false;
}

/* ---- writing ---- */

static bool box_known(const cph_box *b)
{
    return b->x != CPH_UNKNOWN_BOX || b->y != CPH_UNKNOWN_BOX || b->w != CPH_UNKNOWN_BOX ||
           b->h != CPH_UNKNOWN_BOX;
}

static cph_status add_int(cph_buf *b, int64_t v, cph_err *err)
{
    char text[24];
    size_t at = sizeof text;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do text[--at] = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0) text[--at] = '-';
    return cph_buf_add(b, text + at, sizeof text - at, err);
}

static cph_status add_measure(cph_buf *b, int32_t v, cph_err *err)
{
    return v == CPH_UNKNOWN_BOX ? cph_buf_add(b, "null", 4, err) : add_int(b, v, err);
}

static cph_status add_measures(cph_buf *b, const cph_box *x, cph_err *err)
{
    const int32_t all[4] = {x->x, x->y, x->w, x->h};
    for (int i = 0; i < 4; i++) {
        if (i) CPH_TRY(cph_buf_char(b, ',', err));
        CPH_TRY(add_measure(b, all[i], err));
    }
    return CPH_OK;
}

static cph_status add_box(cph_buf *b, const cph_box *x, cph_err *err)
{
    if (!box_known(x)) return CPH_OK;
    CPH_TRY(cph_buf_z(b, ",\"box\":[", err));
    CPH_TRY(add_measures(b, x, err));
    return cph_buf_char(b, ']', err);
}

/* ,"key":"value" unless the value is empty. */
static cph_status add_member(cph_buf *b, const char *key, cph_str value, cph_err *err)
{
    if (!value.n) return CPH_OK;
    CPH_TRY(cph_buf_z(b, ",\"", err));
    CPH_TRY(cph_buf_z(b, key, err));
    CPH_TRY(cph_buf_z(b, "\":", err));
    return cph_json_quote(b, value, err);
}

static cph_status add_token(cph_buf *b, const cph_token *t, cph_err *err)
{
    int flags = (t->space_before ? SPACE_BEFORE : 0) | (t->hyphen == CPH_HYP_PART1 ? PART1 : 0) |
                (t->hyphen == CPH_HYP_PART2 ? PART2 : 0) | (t->hyp_element ? HYP_ELEMENT : 0);
    int depth = t->subs.n ? 4 : box_known(&t->box) ? 3 : t->wc != -1 ? 2 : flags ? 1 : 0;
    CPH_TRY(cph_buf_char(b, '[', err));
    CPH_TRY(cph_json_quote(b, t->text, err));
    if (depth >= 1) {
        CPH_TRY(cph_buf_char(b, ',', err));
        CPH_TRY(add_int(b, flags, err));
    }
    if (depth >= 2) {
        CPH_TRY(cph_buf_char(b, ',', err));
        CPH_TRY(add_int(b, t->wc, err));
    }
    if (depth >= 3) {
        CPH_TRY(cph_buf_char(b, ',', err));
        CPH_TRY(add_measures(b, &t->box, err));
    }
    if (depth >= 4) {
        CPH_TRY(cph_buf_char(b, ',', err));
        CPH_TRY(cph_json_quote(b, t->subs, err));
    }
    return cph_buf_char(b, ']', err);
}

static cph_status add_line(cph_buf *b, const cph_page *p, const cph_line *l, cph_err *err)
{
    CPH_TRY(cph_buf_z(b, "{\"tokens\":[", err));
    for (uint32_t i = 0; i < l->n_tokens; i++) {
        if (i) CPH_TRY(cph_buf_char(b, ',', err));
        CPH_TRY(add_token(b, &p->tokens[l->first_token + i], err));
    }
    CPH_TRY(cph_buf_char(b, ']', err));
    CPH_TRY(add_box(b, &l->box, err));
    return cph_buf_char(b, '}', err);
}

static cph_status add_block(cph_buf *b, const cph_page *p, const cph_block *k, cph_err *err)
{
    CPH_TRY(cph_buf_z(b, "{\"role\":\"", err));
    CPH_TRY(cph_buf_z(b, cph_role_name(k->role), err));
    CPH_TRY(cph_buf_char(b, '"', err));
    if (k->place != CPH_PLACE_print) CPH_TRY(add_member(b, "place", cph_str_of(place_names[k->place]), err));
    CPH_TRY(add_member(b, "id", k->id, err));
    CPH_TRY(add_member(b, "lang", k->lang, err));
    CPH_TRY(add_member(b, "division", k->division, err));
    CPH_TRY(add_member(b, "type", k->type, err));
    CPH_TRY(add_box(b, &k->box, err));
    CPH_TRY(cph_buf_z(b, ",\"lines\":[", err));
    for (uint32_t i = 0; i < k->n_lines; i++) {
        if (i) CPH_TRY(cph_buf_char(b, ',', err));
        CPH_TRY(add_line(b, p, &p->lines[k->first_line + i], err));
    }
    return cph_buf_z(b, "]}", err);
}

static cph_status encode(cph_buf *b, const cph_page *p, cph_err *err)
{
    CPH_TRY(cph_buf_printf(b, err, "{\"v\":1,\"strings\":%u,\"empty\":%u", p->n_strings, p->n_empty));
    CPH_TRY(add_member(b, "engine", p->engine, err));
    CPH_TRY(add_member(b, "engine_version", p->engine_version, err));
    CPH_TRY(add_member(b, "ocr_date", p->ocr_date, err));
    CPH_TRY(add_member(b, "lang", p->lang, err));
    if (p->gap_mode) CPH_TRY(cph_buf_z(b, ",\"gap_mode\":true", err));
    CPH_TRY(cph_buf_z(b, ",\"blocks\":[", err));
    for (uint32_t i = 0; i < p->n_blocks; i++) {
        if (i) CPH_TRY(cph_buf_char(b, ',', err));
        CPH_TRY(add_block(b, p, &p->blocks[i], err));
    }
    return cph_buf_z(b, "]}", err);
}

cph_status cph_page_encode(cph_buf *b, const cph_page *p, cph_err *err)
{
    size_t before = b->n;
    cph_status s = encode(b, p, err);
    if (s != CPH_OK) b->n = before;
    return s;
}

/* ---- reading ---- */

typedef struct decoding {
    cph_page page;
    const char *name;
    uint32_t block, line, token;
} decoding;

static cph_status wrong(const decoding *d, const cph_json *v, const char *what, cph_err *err)
{
    return cph_fail(err, CPH_DATA, "%s: line %u: a page's lines: %s", d->name, v ? v->line : 0, what);
}

static bool read_measures(const cph_json **at, cph_box *out)
{
    int32_t all[4];
    for (int i = 0; i < 4; i++, *at = (*at)->next) {
        int64_t v = CPH_UNKNOWN_BOX;
        if (!*at) return false;
        bool known = (*at)->type != CPH_JSON_NULL;
        if (known && (!cph_json_i64(*at, &v) || v <= INT32_MIN || v > INT32_MAX)) return false;
        all[i] = (int32_t)v;
    }
    *out = (cph_box){all[0], all[1], all[2], all[3]};
    return true;
}

static bool read_box(const cph_json *object, cph_box *out)
{
    const cph_json *v = cph_json_get(object, "box");
    *out = (cph_box){CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX};
    if (!v) return true;
    const cph_json *at = v->first;
    return v->type == CPH_JSON_ARRAY && v->n == 4 && read_measures(&at, out);
}

static bool read_token(const cph_json *v, cph_token *out)
{
    cph_token t = {.wc = -1, .box = {CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX}};
    int64_t flags = 0, wc = -1;
    const cph_json *at = v->first;
    if (v->type != CPH_JSON_ARRAY || !cph_json_str(at, &t.text) || !t.text.n) return false;
    at = at->next;
    if (at && (!cph_json_i64(at, &flags) || flags < 0 || flags > 15)) return false;
    if ((flags & PART1) && (flags & PART2)) return false;
    if (at) at = at->next;
    if (at && (!cph_json_i64(at, &wc) || wc < -1 || wc > 101)) return false;
    if (at) at = at->next;
    if (at && !read_measures(&at, &t.box)) return false;
    if (at && (!cph_json_str(at, &t.subs) || at->next)) return false;
    t.wc = (int16_t)wc;
    t.hyphen = flags & PART1 ? CPH_HYP_PART1 : flags & PART2 ? CPH_HYP_PART2 : CPH_HYP_NONE;
    t.space_before = flags & SPACE_BEFORE;
    t.hyp_element = flags & HYP_ELEMENT;
    *out = t;
    return true;
}

static cph_status read_line(decoding *d, const cph_json *v, cph_err *err)
{
    const cph_json *tokens = cph_json_get(v, "tokens");
    cph_line *l = &d->page.lines[d->line++];
    *l = (cph_line){.first_token = d->token, .n_tokens = tokens->n};
    if (!read_box(v, &l->box)) return wrong(d, v, "box is not four integers", err);
    for (const cph_json *t = tokens->first; t; t = t->next)
        if (!read_token(t, &d->page.tokens[d->token++]))
            return wrong(d, t, "a token is not [text, flags, wc, x, y, w, h, subs]", err);
    return CPH_OK;
}

static cph_status read_block(decoding *d, const cph_json *v, cph_err *err)
{
    cph_block *k = &d->page.blocks[d->block++];
    cph_str place = cph_json_get_str(v, "place");
    const cph_json *lines = cph_json_get(v, "lines");
    *k = (cph_block){.id = cph_json_get_str(v, "id"), .lang = cph_json_get_str(v, "lang"),
                     .division = cph_json_get_str(v, "division"), .type = cph_json_get_str(v, "type"),
                     .first_line = d->line, .n_lines = lines->n};
    if (!cph_role_parse(cph_json_get_str(v, "role"), &k->role)) return wrong(d, v, "unknown role", err);
    if (place.n && !place_parse(place, &k->place)) return wrong(d, v, "unknown place", err);
    if (!read_box(v, &k->box)) return wrong(d, v, "box is not four integers", err);
    for (const cph_json *l = lines->first; l; l = l->next) CPH_TRY(read_line(d, l, err));
    return CPH_OK;
}

/* Counts what the arrays must hold, and that the containers are what they should be. */
static cph_status measure(decoding *d, const cph_json *blocks, cph_err *err)
{
    if (!blocks || blocks->type != CPH_JSON_ARRAY) return wrong(d, blocks, "no array `blocks`", err);
    d->page.n_blocks = blocks->n;
    for (const cph_json *b = blocks->first; b; b = b->next) {
        const cph_json *lines = cph_json_get(b, "lines");
        if (!lines || lines->type != CPH_JSON_ARRAY) return wrong(d, b, "no array `lines`", err);
        d->page.n_lines += lines->n;
        for (const cph_json *l = lines->first; l; l = l->next) {
            const cph_json *tokens = cph_json_get(l, "tokens");
            if (!tokens || tokens->type != CPH_JSON_ARRAY) return wrong(d, l, "no array `tokens`", err);
            d->page.n_tokens += tokens->n;
        }
    }
    return CPH_OK;
}

cph_status cph_page_decode(cph_page *p, cph_arena *a, cph_str json, const char *name, cph_err *err)
{
    cph_json *root;
    decoding d = {.name = name};
    uint64_t version = 0, strings = 0, empty = 0;
    void *blocks, *lines, *tokens;
    CPH_TRY(cph_json_parse(&root, a, json, name, NULL, err));
    if (!cph_json_u64(cph_json_get(root, "v"), &version) || version != 1)
        return wrong(&d, root, "is not version 1", err);
    if (!cph_json_u64(cph_json_get(root, "strings"), &strings) || strings > UINT32_MAX ||
        !cph_json_u64(cph_json_get(root, "empty"), &empty) || empty > UINT32_MAX)
        return wrong(&d, root, "`strings` and `empty` are not counts", err);
    const cph_json *list = cph_json_get(root, "blocks");
    CPH_TRY(measure(&d, list, err));
    CPH_TRY(cph_arena_alloc0(a, &blocks, d.page.n_blocks, sizeof(cph_block), err));
    CPH_TRY(cph_arena_alloc0(a, &lines, d.page.n_lines, sizeof(cph_line), err));
    CPH_TRY(cph_arena_alloc0(a, &tokens, d.page.n_tokens, sizeof(cph_token), err));
    d.page.blocks = blocks;
    d.page.lines = lines;
    d.page.tokens = tokens;
    d.page.engine = cph_json_get_str(root, "engine");
    d.page.engine_version = cph_json_get_str(root, "engine_version");
    d.page.ocr_date = cph_json_get_str(root, "ocr_date");
    d.page.lang = cph_json_get_str(root, "lang");
    d.page.n_strings = (uint32_t)strings;
    d.page.n_empty = (uint32_t)empty;
    cph_json_bool(cph_json_get(root, "gap_mode"), &d.page.gap_mode);
    for (const cph_json *b = list->first; b; b = b->next) CPH_TRY(read_block(&d, b, err));
    *p = d.page;
    return CPH_OK;
}
