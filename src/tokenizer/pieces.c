/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pieces.c - the GPT-2 pattern as a scanner (tokenizers 7.3), and the characters
 * that stand for bytes.
 *
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * Bytes that are not valid UTF-8 count as characters that are neither letter,
 * number nor space, one each: byte-level BPE loses nothing.
 */
#include "tokenizer_in.h"

#include <colophon/text/unicode.h>

enum kind { OTHER = 0, LETTER = CPH_CHAR_LETTER, NUMBER = CPH_CHAR_NUMBER, SPACE = CPH_CHAR_SPACE };

/* Kind of the character at p[at], its bytes in *step. */
static inline unsigned kind_at(const char *p, size_t at, size_t n, size_t *step)
{
    unsigned char c = (unsigned char)p[at];
    uint32_t cp = c;
    *step = 1;
    if (c >= 0x80) {
        if (c >= 0xC2 && c < 0xE0 && at + 1 < n && ((unsigned char)p[at + 1] & 0xC0) == 0x80) {
            cp = (uint32_t)(c & 0x1F) << 6 | ((unsigned char)p[at + 1] & 0x3F);
            *step = 2;
        } else {
            unsigned bytes = cph_utf8_decode(p + at, n - at, &cp);
            if (!bytes) return OTHER;
            *step = bytes;
        }
    }
    return cph_char_class_of(cp) & (LETTER | NUMBER | SPACE);
}

static size_t contraction(const char *p, size_t n)
{
    if (n < 2) return 0;
    switch (p[1]) {
    case 's': case 't': case 'm': case 'd': return 2;
    case 'r': case 'v': return n > 2 && p[2] == 'e' ? 3 : 0;
    case 'l': return n > 2 && p[2] == 'l' ? 3 : 0;
    default: return 0;
    }
}

static size_t spaces_end(const char *p, size_t at, size_t n)
{
    size_t start = at, last = at, step;
    while (at < n && kind_at(p, at, n, &step) == SPACE) {
        last = at;
        at += step;
    }
    return at == n || last == start ? at : last;
}

size_t cph_piece_end(const char *p, size_t at, size_t n)
{
    size_t step;
    if (p[at] == '\'') {
        size_t length = contraction(p + at, n - at);
        if (length) return at + length;
    }
    size_t begin = at + (p[at] == ' ' && at + 1 < n);
    unsigned kind = kind_at(p, begin, n, &step);
    if (kind == SPACE) return spaces_end(p, at, n);
    const uint8_t *ascii = cph_char_classes[cph_char_page[0]];
    do {
        begin += step;
        /* The same test, without the way through kind_at. */
        while (begin < n && (unsigned char)p[begin] < 0x80) {
            if ((ascii[(unsigned char)p[begin]] & (LETTER | NUMBER | SPACE)) != kind) return begin;
            begin++;
        }
    } while (begin < n && kind_at(p, begin, n, &step) == kind);
    return begin;
}

/* ---- bytes as characters ---- */

#define ROW(x) \
    x, x + 1, x + 2, x + 3, x + 4, x + 5, x + 6, x + 7, x + 8, x + 9, x + 10, x + 11, x + 12, x + 13, \
        x + 14, x + 15
const uint16_t cph_byte_char[256] = {
    ROW(0x100), ROW(0x110), 0x120, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x2C,
    0x2D, 0x2E, 0x2F, ROW(0x30), ROW(0x40), ROW(0x50), ROW(0x60), 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76,
    0x77, 0x78, 0x79, 0x7A, 0x7B, 0x7C, 0x7D, 0x7E, 0x121, ROW(0x122), ROW(0x132), 0x142, 0xA1, 0xA2, 0xA3,
    0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xAB, 0xAC, 0x143, 0xAE, 0xAF, ROW(0xB0), ROW(0xC0),
    ROW(0xD0), ROW(0xE0), ROW(0xF0)};

int cph_byte_of_char(uint32_t cp)
{
    if (cp < 0x100) return cph_byte_char[cp] == cp ? (int)cp : -1;
    if (cp > 0x143) return -1;
    if (cp < 0x121) return (int)(cp - 0x100);
    return cp == 0x143 ? 0xAD : (int)(cp - 0x121) + 0x7F;
}

size_t cph_byte_chars(const char *p, size_t n, char *out)
{
    size_t to = 0;
    for (size_t i = 0; i < n; i++) to += cph_utf8_encode(cph_byte_char[(unsigned char)p[i]], out + to);
    return to;
}
