/* SPDX-License-Identifier: Apache-2.0 */
/*
 * normalise.c - the steps of readers-and-corpus 18. They run in the order
 * mojibake, controls, ligatures, old letters, spaces, NFC, blanks: whatever a step
 * takes away can bring a mark next to a letter, so composition comes after it.
 */
#include "text_in.h"

#include <string.h>

void cph_normalise_opts_init(cph_normalise_opts *o)
{
    *o = (cph_normalise_opts){.nfc = true, .controls = true, .spaces = true, .ligatures = true};
}

cph_status cph_normalise_list(cph_buf *out, const cph_normalise_opts *o, cph_err *err)
{
    const struct {
        bool on;
        const char *name;
    } steps[] = {{o->nfc, "nfc"}, {o->controls, "controls"}, {o->spaces, "spaces"}, {o->mojibake, "mojibake"},
                 {o->ligatures, "ligatures"}, {o->old_letters, "old-letters"}, {o->blanks, "blanks"},
                 {o->blanks && o->french, "french"}, {o->keep_lines, "lines"}};
    const char *gap = "";
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (!steps[i].on) continue;
        CPH_TRY(cph_buf_printf(out, err, "%s%s", gap, steps[i].name));
        gap = " ";
    }
    return CPH_OK;
}

/* ---- step 4 ---- */

/* The byte that Windows-1252 or Latin-1 shows as this character, or -1. */
static int byte_shown(uint32_t cp)
{
    static const uint16_t high[32] = {/* 80..9F of Windows-1252; 0 where it has none */
                                      0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                      0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
                                      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                      0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};
    if (cp < 0x100) return (int)cp;
    for (int i = 0; i < 32; i++)
        if (high[i] == cp) return 0x80 + i;
    return -1;
}

/* True, with the repaired text in `out`, when every character is a byte and the bytes are UTF-8. */
static cph_status repair(cph_buf *out, cph_str s, bool *repaired, cph_err *err)
{
    *repaired = false;
    out->n = 0;
    bool high = false;
    for (size_t at = 0, step; at < s.n; at += step) {
        uint32_t cp;
        step = cph_utf8_decode(s.p + at, s.n - at, &cp);
        int byte = byte_shown(cp);
        if (byte < 0) return CPH_OK;
        high |= byte >= 0x80;
        CPH_TRY(cph_buf_char(out, (char)byte, err));
    }
    *repaired = high && cph_utf8_check(out->p, out->n) == out->n;
    return CPH_OK;
}

/* ---- steps 2, 5, 6, 3: one pass ---- */

static bool is_removed(uint32_t cp)
{
    if (cp == 0xAD || cp == 0xFEFF || cp == 0x200B || cp == 0x2060) return true;
    return (cp < 0x20 || (cp >= 0x7F && cp < 0xA0)) && !cph_char_is(cp, CPH_CHAR_SPACE);
}

static bool ends_line(uint32_t cp)
{
    return cp == '\n' || cp == '\r' || cp == 0x85 || cp == 0x2028 || cp == 0x2029;
}

static const char *ligature(uint32_t cp)
{
    static const char *const letters[] = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};
    return cp >= 0xFB00 && cp <= 0xFB06 ? letters[cp - 0xFB00] : NULL;
}

static const char *old_letter(uint32_t cp)
{
    switch (cp) {
    case 0x17F: return "s";
    case 0xA75B: return "r";      /* r rotunda */
    case 0xA75A: return "R";
    case 0x364: return "\xCC\x88"; /* e above: two dots, composed later */
    default: return NULL;
    }
}

typedef struct spaces {
    bool seen, line; /* in the run under way */
    uint64_t n_chars; /* of the run */
    bool plain;       /* so far the run is what it would become */
} spaces;

static cph_status end_spaces(cph_buf *out, size_t start, spaces *run, bool last, const cph_normalise_opts *o,
                             cph_normalise_counts *n, cph_err *err)
{
    if (!run->seen) return CPH_OK;
    bool trimmed = last || out->n == start;
    bool kept = run->plain && run->n_chars == 1;
    if (trimmed)
        n->spaces += run->n_chars;
    else if (!kept)
        n->spaces += run->n_chars > 1 ? run->n_chars - 1 : 1;
    bool line = run->line && o->keep_lines;
    *run = (spaces){0};
    return trimmed ? CPH_OK : cph_buf_char(out, line ? '\n' : ' ', err);
}

static cph_status one_pass(cph_buf *out, cph_str s, const cph_normalise_opts *o, cph_normalise_counts *n,
                           cph_err *err)
{
    size_t start = out->n;
    spaces run = {0};
    for (size_t at = 0, step; at < s.n; at += step) {
        uint32_t cp;
        step = cph_utf8_decode(s.p + at, s.n - at, &cp);
        if (!step) return cph_fail(err, CPH_DATA, "byte %zu is not valid UTF-8", at);
        if (o->controls && is_removed(cp)) {
            n->controls++;
            continue;
        }
        if (o->spaces && cph_char_is(cp, CPH_CHAR_SPACE)) {
            run.plain = run.n_chars == 0 && (cp == ' ' || (cp == '\n' && o->keep_lines));
            run.seen = true;
            run.line |= ends_line(cp);
            run.n_chars++;
            continue;
        }
        CPH_TRY(end_spaces(out, start, &run, false, o, n, err));
        if (cp < 0x80) { /* most text: whole words at once */
            while (at + step < s.n && s.p[at + step] > ' ' && s.p[at + step] < 0x7F) step++;
            CPH_TRY(cph_buf_add(out, s.p + at, step, err));
            continue;
        }
        const char *letters = o->ligatures ? ligature(cp) : NULL;
        const char *old = o->old_letters && !letters ? old_letter(cp) : NULL;
        n->ligatures += letters != NULL;
        n->old_letters += old != NULL;
        if (letters || old)
            CPH_TRY(cph_buf_z(out, letters ? letters : old, err));
        else
            CPH_TRY(cph_buf_add(out, s.p + at, step, err));
    }
    return end_spaces(out, start, &run, true, o, n, err);
}

/* ---- step 7 ---- */
static void drop_blanks(cph_buf *b, size_t start, bool french, cph_normalise_counts *n)
{
    const char *marks = french ? ",." : ",.;:!?";
    size_t to = start;
    for (size_t at = start; at < b->n; at++) {
        bool goes = b->p[at] == ' ' && at > start && at + 1 < b->n && b->p[at + 1] &&
                    strchr(marks, b->p[at + 1]);
        n->blanks += goes;
        if (!goes) b->p[to++] = b->p[at];
    }
    cph_buf_cut(b, to);
}

static cph_status steps(cph_buf *out, cph_buf scratch[2], cph_str s, const cph_normalise_opts *o,
                        cph_normalise_counts *n, cph_err *err)
{
    size_t valid = cph_utf8_check(s.p, s.n), start = out->n;
    if (valid != s.n) return cph_fail(err, CPH_DATA, "byte %zu is not valid UTF-8", valid);
    bool again = o->mojibake;
    for (int turn = 0; again; turn ^= 1) {
        CPH_TRY(repair(&scratch[turn], s, &again, err));
        if (!again) break;
        n->mojibake += 1;
        s = cph_buf_view(&scratch[turn]);
    }
    if (!o->nfc) {
        CPH_TRY(one_pass(out, s, o, n, err));
    } else {
        cph_buf *b = s.p == scratch[0].p ? &scratch[1] : &scratch[0];
        b->n = 0;
        CPH_TRY(one_pass(b, s, o, n, err));
        CPH_TRY(cph_nfc(out, cph_buf_view(b), err));
        n->nfc += out->n - start != b->n || (b->n && memcmp(out->p + start, b->p, b->n) != 0);
    }
    if (o->blanks) drop_blanks(out, start, o->french, n);
    return CPH_OK;
}

cph_status cph_text_normalise(cph_buf *out, cph_str paragraph, const cph_normalise_opts *o,
                              cph_normalise_counts *counts, cph_err *err)
{
    size_t before = out->n;
    cph_normalise_counts n = counts ? *counts : (cph_normalise_counts){0};
    cph_buf scratch[2];
    cph_buf_init(&scratch[0], 4 * paragraph.n + 64);
    cph_buf_init(&scratch[1], 4 * paragraph.n + 64);
    cph_status s = steps(out, scratch, paragraph, o, &n, err);
    cph_buf_release(&scratch[0]);
    cph_buf_release(&scratch[1]);
    if (s != CPH_OK)
        cph_buf_cut(out, before);
    else if (counts)
        *counts = n;
    return s;
}
