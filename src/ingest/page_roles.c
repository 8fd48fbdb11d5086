/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_roles.c - what a block is: the producer's word first, then where it stands
 * (section 15). Repetition over pages is judged when a corpus is built.
 */
#include "page_room.h"

#include <string.h>

bool cph_role_of_word(cph_str word, cph_role *out)
{
    static const struct {
        const char *word;
        cph_role role;
    } words[] = {{"paragraph", CPH_ROLE_body},       {"drop-capital", CPH_ROLE_body},
                 {"heading", CPH_ROLE_heading},      {"headline", CPH_ROLE_heading},
                 {"caption", CPH_ROLE_caption},      {"credit", CPH_ROLE_caption},
                 {"header", CPH_ROLE_running_head},  {"footer", CPH_ROLE_running_head},
                 {"page-number", CPH_ROLE_page_number}, {"signature-mark", CPH_ROLE_signature},
                 {"catch-word", CPH_ROLE_signature}, {"marginalia", CPH_ROLE_marginalia},
                 {"footnote", CPH_ROLE_footnote},    {"footnote-continued", CPH_ROLE_footnote},
                 {"endnote", CPH_ROLE_footnote},     {"TOC-entry", CPH_ROLE_toc},
                 {"table", CPH_ROLE_table},          {"list", CPH_ROLE_list},
                 {"advertisement", CPH_ROLE_advertisement}, {"advert", CPH_ROLE_advertisement},
                 {"formula", CPH_ROLE_formula},      {"illustration", CPH_ROLE_image_text}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (cph_str_is_fold(word, words[i].word)) {
            *out = words[i].role;
            return true;
        }
    return false;
}

bool cph_is_page_number(cph_str text)
{
    size_t digits = 0, roman = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] >= '0' && text.p[i] <= '9') digits++;
        else if (strchr("ivxlcdmIVXLCDM", text.p[i])) roman++;
        else if (!strchr("()[]-.* ", text.p[i])) {
            if (strncmp(text.p + i, "\xE2\x80\x94", 3) != 0 && strncmp(text.p + i, "\xE2\x80\x93", 3) != 0)
                return false;
            i += 2; /* an em or en dash */
        }
    }
    return digits + roman > 0 && digits + roman < 8 && (digits == 0 || roman == 0);
}

/* The block's words as far as 63 bytes reach; longer text is no page number. */
static cph_str short_text(const page_room *r, const cph_block *k, char out[64])
{
    size_t n = 0;
    for (uint32_t l = 0; l < k->n_lines; l++) {
        const cph_line *line = &r->lines[k->first_line + l];
        for (uint32_t t = 0; t < line->n_tokens; t++) {
            cph_str text = r->tokens[line->first_token + t].text;
            if (n + text.n + 1 > 63) return (cph_str){0};
            if (n) out[n++] = ' ';
            memcpy(out + n, text.p, text.n);
            n += text.n;
        }
    }
    out[n] = 0; /* is_page_number looks three bytes ahead */
    return (cph_str){out, n};
}

/* "B2", "3*", "II*": sheet signatures at a page's foot. */
static bool is_signature(cph_str s)
{
    bool digit = false;
    if (s.n == 0 || s.n > 4) return false;
    for (size_t i = 0; i < s.n; i++) {
        bool upper = s.p[i] >= 'A' && s.p[i] <= 'Z';
        digit = digit || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '*';
        if (!upper && !digit) return false;
    }
    return digit;
}

static bool role_of_tags(const page_room *r, cph_str tagrefs, cph_role *out)
{
    cph_str one;
    while (tagrefs.n && cph_str_split(&tagrefs, ' ', &one))
        for (uint32_t i = 0; one.n && i + 2 < r->n_tags; i += 3)
            if (cph_str_eq(r->tags[i], one) &&
                (cph_role_of_word(r->tags[i + 1], out) || cph_role_of_word(r->tags[i + 2], out)))
                return true;
    return false;
}

cph_role cph_page_role_of(const page_room *r, uint32_t block, const cph_mets_div *div, cph_role page_role)
{
    const cph_block *k = &r->blocks[block];
    cph_role role;
    char room[64];
    if (div && cph_role_of_div(div, &role) && role != CPH_ROLE_body) return role;
    if (cph_str_is_fold(k->type, "Table")) return CPH_ROLE_table;
    if (cph_str_is_fold(k->type, "Formula")) return CPH_ROLE_formula;
    if (cph_str_is_fold(k->type, "Illustration")) return CPH_ROLE_image_text;
    if (cph_str_is_fold(k->type, "Advertisement")) return CPH_ROLE_advertisement;
    if (role_of_tags(r, r->notes[block].tagrefs, &role)) return role;
    if (div) return CPH_ROLE_body;
    if (k->place == CPH_PLACE_print) return page_role;
    cph_str text = short_text(r, k, room);
    if (k->place == CPH_PLACE_bottom && is_signature(text) && !cph_is_page_number(text))
        return CPH_ROLE_signature;
    if (cph_is_page_number(text)) return CPH_ROLE_page_number;
    bool side = k->place == CPH_PLACE_left || k->place == CPH_PLACE_right;
    return side ? CPH_ROLE_marginalia : CPH_ROLE_running_head;
}
