/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold.c - the form in which texts are compared (readers-and-corpus 22.2): lower
 * case, each number 0, punctuation and controls blank, white space one blank, no
 * marks. So å is a and č is c, but ø, æ, đ stay themselves. ASCII, nearly all of
 * a page, never meets the tables.
 */
#include <colophon/text/nfc.h>
#include <colophon/text/unicode.h>

#include "corpus_in.h"

typedef struct folding {
    cph_buf *out;
    size_t start;
    bool blank, number; /* what the last character was */
} folding;

static cph_status put_blank(folding *f, cph_err *err)
{
    f->number = false;
    if (f->blank || f->out->n == f->start) return CPH_OK;
    f->blank = true;
    return cph_buf_char(f->out, ' ', err);
}

static cph_status put_number(folding *f, cph_err *err)
{
    if (f->number) return CPH_OK;
    f->number = true;
    f->blank = false;
    return cph_buf_char(f->out, '0', err);
}

static cph_status put_other(folding *f, uint32_t cp, cph_err *err)
{
    char in[4], *p = in;
    cph_buf parts;
    cp = cph_char_lower(cp);
    size_t n = cph_utf8_encode(cp, in);
    f->blank = f->number = false;
    if (cp < 0xC0) return cph_buf_add(f->out, p, n, err);
    cph_buf_init(&parts, 256);
    cph_status s = cph_nfd(&parts, (cph_str){p, n}, err);
    for (size_t i = 0; s == CPH_OK && i < parts.n; i += n) {
        n = cph_utf8_decode(parts.p + i, parts.n - i, &cp);
        if (!n) break;
        if (!cph_char_is(cp, CPH_CHAR_MARK)) s = cph_buf_add(f->out, parts.p + i, n, err);
    }
    cph_buf_release(&parts);
    return s;
}

cph_status cph_fold(cph_buf *out, cph_str text, cph_err *err)
{
    const unsigned blanks = CPH_CHAR_SPACE | CPH_CHAR_PUNCTUATION;
    folding f = {out, out->n, false, false};
    for (size_t i = 0, n; i < text.n; i += n) {
        uint32_t cp = (uint8_t)text.p[i];
        n = 1;
        if (cp >= 0x80) n = cph_utf8_decode(text.p + i, text.n - i, &cp);
        if (!n) return cph_fail(err, CPH_BUG, "a text to be compared is not UTF-8");
        if (cp >= 'a' && cp <= 'z') {
            f.blank = f.number = false;
            CPH_TRY(cph_buf_char(out, (char)cp, err));
            continue;
        }
        unsigned c = cph_char_class_of(cp);
        if (c & CPH_CHAR_MARK) continue;
        if (c & CPH_CHAR_NUMBER) CPH_TRY(put_number(&f, err));
        else if (c & blanks || cp < 0x20 || (cp >= 0x7F && cp < 0xA0)) CPH_TRY(put_blank(&f, err));
        else CPH_TRY(put_other(&f, cp, err));
    }
    if (f.blank) out->n--;
    return CPH_OK;
}
