/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xml_text.c - from text as written to text as meant: references, line ends,
 * controls. Text that says it as it is, which is nearly all, is not copied.
 */
#include "format_in.h"

#include <string.h>

static bool plain(cph_str s, bool references)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || (c == '&' && references)) return false;
    }
    return true;
}

static const struct {
    const char *name;
    char is;
} entities[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};

/* "#228" or "#xE4": the character, or 0 for none that text may hold. */
static uint32_t character(cph_str ref)
{
    bool hex = ref.n > 1 && ref.p[1] == 'x';
    uint32_t v = 0;
    size_t i = hex ? 2 : 1;
    if (i >= ref.n) return 0;
    for (; i < ref.n; i++) {
        char c = ref.p[i];
        unsigned digit = c >= '0' && c <= '9'            ? (unsigned)(c - '0')
                         : hex && c >= 'a' && c <= 'f'   ? (unsigned)(c - 'a' + 10)
                         : hex && c >= 'A' && c <= 'F'   ? (unsigned)(c - 'A' + 10)
                                                         : 99u;
        if (digit == 99 || v > 0x10FFFF) return 0;
        v = v * (hex ? 16 : 10) + digit;
    }
    bool control = v < 0x20 && v != 9 && v != 10 && v != 13;
    return v > 0x10FFFF || (v >= 0xD800 && v < 0xE000) || control || (v & 0xFFFE) == 0xFFFE ? 0 : v;
}

/* The reference at s.p[*i] == '&'; writes at most 4 bytes; an unknown one stays as it stands. */
static unsigned reference(cph_str s, size_t *i, char out[4], cph_xml_tally *t)
{
    size_t end = cph_str_find(s, ';', *i);
    cph_str ref = end == SIZE_MAX ? (cph_str){0} : cph_str_sub(s, *i + 1, end - *i - 1);
    if (ref.n && ref.n <= 16) {
        if (ref.p[0] == '#') {
            uint32_t v = character(ref);
            if (!v) t->n_bad_refs++;
            *i = end + 1;
            return cph_utf8_encode(v ? v : 0xFFFD, out);
        }
        for (size_t k = 0; k < sizeof entities / sizeof *entities; k++)
            if (cph_str_is(ref, entities[k].name)) {
                *i = end + 1;
                out[0] = entities[k].is;
                return 1;
            }
    }
    t->n_bad_refs++;
    out[0] = s.p[(*i)++];
    return 1;
}

cph_status cph_xml_decode(cph_arena *a, cph_str *out, cph_str raw, cph_xml_where where, cph_xml_tally *tally,
                          cph_err *err)
{
    void *block;
    bool references = where != CPH_XML_IN_CDATA;
    if (plain(raw, references)) {
        *out = raw;
        return CPH_OK;
    }
    CPH_TRY(cph_arena_alloc(a, &block, raw.n + 1, err)); /* no reference grows when it is resolved */
    char *p = block;
    size_t n = 0;
    for (size_t i = 0; i < raw.n;) {
        unsigned char c = (unsigned char)raw.p[i];
        if (c == '&' && references) {
            n += reference(raw, &i, p + n, tally);
            continue;
        }
        i++;
        if (c == '\r' && i < raw.n && raw.p[i] == '\n') continue; /* its LF follows */
        if (c == '\r') c = '\n';
        if (c < 0x20 && c != '\t' && c != '\n') {
            tally->n_controls++;
            continue;
        }
        if (where == CPH_XML_IN_ATTR && (c == '\t' || c == '\n')) c = ' ';
        p[n++] = (char)c;
    }
    p[n] = 0;
    *out = (cph_str){p, n};
    return CPH_OK;
}

cph_status cph_xml_attr_text(cph_xml *x, cph_arena *a, const char *name, cph_str *out, cph_err *err)
{
    cph_xml_tally tally = {0};
    return cph_xml_decode(a, out, cph_xml_attr_of(x, name), CPH_XML_IN_ATTR, &tally, err);
}

/* Appends `s` with runs of white space as one blank. */
static cph_status collapse(cph_buf *b, cph_str s, cph_err *err)
{
    for (size_t i = 0; i < s.n; i++) {
        bool space = cph_xml_space(s.p[i]);
        if (space && (b->n == 0 || b->p[b->n - 1] == ' ')) continue;
        CPH_TRY(cph_buf_char(b, space ? ' ' : s.p[i], err));
    }
    return CPH_OK;
}

cph_status cph_xml_text_of(cph_xml *x, cph_arena *a, cph_str *out, cph_err *err)
{
    uint32_t outside = x->depth - 1;
    cph_xml_tally tally = {0};
    cph_status s = CPH_OK;
    cph_str text = {0};
    cph_buf b;
    cph_buf_init(&b, CPH_XML_MAX_TEXT);
    while (s == CPH_OK && x->depth > outside) {
        s = cph_xml_next(x, err);
        if (s != CPH_OK || x->kind != CPH_XML_TEXT) continue;
        s = cph_xml_decode(a, &text, x->text, x->cdata ? CPH_XML_IN_CDATA : CPH_XML_IN_TEXT, &tally, err);
        if (s == CPH_OK) s = collapse(&b, text, err);
    }
    if (s == CPH_OK) s = cph_arena_str(a, &text, cph_str_trim(cph_buf_view(&b)), err);
    if (s == CPH_OK) *out = text;
    cph_buf_release(&b);
    return s;
}
