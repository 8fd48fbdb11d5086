/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_spaces.c - spaces where a page has no SP at all (section 16, gap mode).
 */
#include "page_room.h"

#include <string.h>

static const double gap_share = 0.15; /* of the height; measured on pages with known truth */

static bool begins(cph_str s, const char *const *list)
{
    for (; *list; list++)
        if (cph_str_starts(s, *list)) return true;
    return false;
}

static bool ends(cph_str s, const char *const *list)
{
    for (; *list; list++)
        if (cph_str_ends(s, *list)) return true;
    return false;
}

/* Danish and German reverse the guillemets: »so«. */
static bool reversed_quotes(cph_str lang)
{
    static const char *const langs[] = {"da", "de", "ger", NULL};
    return begins(lang, langs);
}

static bool punctuation_forbids(cph_str before, cph_str after, bool reversed)
{
    static const char *const closing[] = {".", ",", ";", ":", "!", "?", ")", "]", "}", "\xE2\x80\xA6",
                                          "\xE2\x80\x9D", "\xE2\x80\x99", NULL};
    static const char *const opening[] = {"(", "[", "{", NULL};
    static const char *const right[] = {"\xC2\xBB", NULL}, *const left[] = {"\xC2\xAB", NULL};
    return begins(after, closing) || begins(after, reversed ? left : right) || ends(before, opening) ||
           ends(before, reversed ? right : left);
}

static bool known(double v) { return v == v; }

typedef enum gap { GAP_NONE, GAP_SPACE, GAP_NEW_LINE } gap;

static gap gap_between(const token_place *a, const token_place *b)
{
    double h = a->h > b->h ? a->h : b->h;
    bool measured = known(a->x) && known(a->w) && known(b->x) && known(h) && a->w > 0 && h > 0;
    if (!measured) return GAP_SPACE; /* SP-04 */
    double width = b->x - (a->x + a->w);
    if (width < -h) return GAP_NEW_LINE; /* SP-03 */
    return width > gap_share * h ? GAP_SPACE : GAP_NONE;
}

static cph_status one_line(page_room *r, cph_line line, bool reversed, uint32_t *n_made, cph_err *err)
{
    cph_line *to;
    CPH_TRY(cph_room_push_split_lines(r, &to, err));
    *to = line;
    *n_made = 1;
    for (uint32_t i = line.first_token + 1; i < line.first_token + line.n_tokens; i++) {
        gap g = gap_between(&r->places[i - 1], &r->places[i]);
        if (g == GAP_NEW_LINE) {
            to->n_tokens = i - to->first_token;
            CPH_TRY(cph_room_push_split_lines(r, &to, err));
            *to = line;
            to->first_token = i;
            to->n_tokens = line.first_token + line.n_tokens - i;
            ++*n_made;
        } else {
            r->tokens[i].space_before =
                g == GAP_SPACE && !punctuation_forbids(r->tokens[i - 1].text, r->tokens[i].text, reversed);
        }
    }
    return CPH_OK;
}

cph_status cph_page_gap_spaces(page_room *r, cph_str lang, cph_err *err)
{
    bool reversed = reversed_quotes(lang);
    for (uint32_t b = 0; b < r->n_blocks; b++) {
        cph_block *k = &r->blocks[b];
        uint32_t from = k->first_line, n = k->n_lines, made;
        k->first_line = r->n_split_lines;
        k->n_lines = 0;
        for (uint32_t i = 0; i < n; i++) {
            CPH_TRY(one_line(r, r->lines[from + i], reversed, &made, err));
            k->n_lines += made;
        }
    }
    r->n_lines = 0;
    cph_line *to;
    for (uint32_t i = 0; i < r->n_split_lines; i++) {
        CPH_TRY(cph_room_push_lines(r, &to, err));
        *to = r->split_lines[i];
    }
    return CPH_OK;
}
