/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unicode.c - questions about single characters, words and sentence ends, all
 * answered from the generated tables: no locale, no library, no surprise.
 */
#include "text_in.h"

bool cph_char_is_word(uint32_t cp) { return case_cell(cp) & 1; }

bool cph_char_is_terminal(uint32_t cp) { return case_cell(cp) >> 1 & 1; }

uint32_t cph_char_lower(uint32_t cp)
{
    return (uint32_t)((int32_t)cp + cph_case_distance[case_cell(cp) >> 2]);
}

cph_status cph_lower(cph_buf *out, cph_str valid, cph_err *err)
{
    size_t before = out->n;
    cph_status s = cph_buf_reserve(out, valid.n, err);
    for (size_t at = 0, step; s == CPH_OK && at < valid.n; at += step) {
        uint32_t cp;
        char bytes[4];
        step = cph_utf8_decode(valid.p + at, valid.n - at, &cp);
        if (!step) {
            s = cph_fail(err, CPH_DATA, "byte %zu is not valid UTF-8", at);
            break;
        }
        s = cph_buf_add(out, bytes, cph_utf8_encode(cph_char_lower(cp), bytes), err);
        if (s == CPH_OK && cp == 0x130) s = cph_buf_z(out, "\xCC\x87", err); /* i with its dot kept */
    }
    if (s != CPH_OK) cph_buf_cut(out, before);
    return s;
}

/* The character at s.p[at]; bytes that are not valid UTF-8 count as one ordinary character each. */
static unsigned char_at(cph_str s, size_t at, uint32_t *cp)
{
    unsigned char c = (unsigned char)s.p[at];
    if (c < 0x80) {
        *cp = c;
        return 1;
    }
    unsigned n = cph_utf8_decode(s.p + at, s.n - at, cp);
    if (n) return n;
    *cp = 0xFFFD;
    return 1;
}

bool cph_word_next(cph_str *rest, cph_str *word)
{
    uint32_t cp;
    size_t at = 0, step;
    for (; at < rest->n; at += step) {
        step = char_at(*rest, at, &cp);
        if (!cph_char_is(cp, CPH_CHAR_SPACE)) break;
    }
    size_t start = at;
    for (; at < rest->n; at += step) {
        step = char_at(*rest, at, &cp);
        if (cph_char_is(cp, CPH_CHAR_SPACE)) break;
    }
    if (at == start) {
        *rest = cph_str_sub(*rest, at, 0);
        return false;
    }
    *word = cph_str_sub(*rest, start, at - start);
    *rest = cph_str_sub(*rest, at, rest->n - at);
    return true;
}

size_t cph_word_count(cph_str valid)
{
    size_t n = 0;
    bool inside = false;
    for (size_t at = 0, step; at < valid.n; at += step) {
        uint32_t cp;
        step = char_at(valid, at, &cp);
        bool space = cph_char_is(cp, CPH_CHAR_SPACE);
        n += inside && space;
        inside = !space;
    }
    return n + inside;
}

/* Closing quotes and brackets, as Norwegian, English, German and French print them. */
static bool closes(uint32_t cp)
{
    switch (cp) {
    case '"': case '\'': case ')': case ']': case '}':
    case 0xAB: case 0xBB: case 0x2018: case 0x2019: case 0x201C: case 0x201D: case 0x2039: case 0x203A:
        return true;
    default:
        return false;
    }
}

bool cph_text_ends_sentence(cph_str valid)
{
    size_t end = valid.n;
    while (end) {
        size_t at = end - 1;
        while (at && ((unsigned char)valid.p[at] & 0xC0) == 0x80) at--;
        uint32_t cp;
        (void)char_at((cph_str){valid.p, end}, at, &cp);
        if (!closes(cp) && !cph_char_is(cp, CPH_CHAR_SPACE)) return cph_char_is_terminal(cp);
        end = at;
    }
    return false;
}
