/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain.c - lines of plain text, and what kind of lines they are.
 */
#include <colophon/format/plain.h>

#include <string.h>

static const char *const kind_names[] = {"lines", "wrapped", "verse"};
const char *cph_plain_kind_name(cph_plain_kind k) { return kind_names[k]; }

/* ---- breaks ---- */

/* Length of the line break at p: CR LF, LF, CR, NEL, U+2028, U+2029; 0 for none. */
static size_t line_break(const char *p, size_t n)
{
    if (*p == '\n') return 1;
    if (*p == '\r') return n > 1 && p[1] == '\n' ? 2 : 1;
    if (n > 1 && memcmp(p, "\xC2\x85", 2) == 0) return 2;
    if (n > 2 && (memcmp(p, "\xE2\x80\xA8", 3) == 0 || memcmp(p, "\xE2\x80\xA9", 3) == 0)) return 3;
    return 0;
}

/* Cuts one line, or a form feed as a line of its own, off *rest. */
static bool cut(cph_str *rest, cph_str *line)
{
    if (!rest->n) return false;
    if (*rest->p == '\f') {
        *line = cph_str_sub(*rest, 0, 1);
        *rest = cph_str_sub(*rest, 1, rest->n);
        return true;
    }
    size_t i = 0, len = 0;
    while (i < rest->n && rest->p[i] != '\f' && !(len = line_break(rest->p + i, rest->n - i))) i++;
    *line = cph_str_sub(*rest, 0, i);
    *rest = cph_str_sub(*rest, i + len, rest->n);
    return true;
}

/* ---- judging ---- */

#define LONGEST 1024

static bool ends_sentence(cph_str line)
{
    static const char *const closing[] = {"\"",           "'",           ")", "]", "\xC2\xBB", "\xC2\xAB",
                                          "\xE2\x80\x9D", "\xE2\x80\x99"};
    for (size_t i = 0; i < sizeof closing / sizeof *closing; i++)
        while (cph_str_ends(line, closing[i])) line.n -= strlen(closing[i]);
    return line.n && (strchr(".!?:", line.p[line.n - 1]) || cph_str_ends(line, "\xE2\x80\xA6"));
}

/* ASCII and the Latin letters of U+00C0..U+00DE: enough to tell verse from prose. */
static bool starts_capital(cph_str line)
{
    uint32_t c = 0;
    while (line.n && strchr("\"'(-", *line.p)) line = cph_str_sub(line, 1, line.n);
    if (!line.n || !cph_utf8_decode(line.p, line.n, &c)) return false;
    return (c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7);
}

static uint32_t percentile(const uint32_t *histogram, uint64_t n, unsigned percent)
{
    uint64_t seen = 0, want = (n * percent + 99) / 100;
    for (uint32_t i = 0; i < LONGEST; i++) {
        seen += histogram[i];
        if (seen >= want) return i;
    }
    return LONGEST;
}

cph_plain_kind cph_plain_judge(cph_str text)
{
    uint32_t histogram[LONGEST + 1] = {0};
    uint64_t n = 0, open = 0, capital = 0;
    cph_str line, rest = text;
    while (cut(&rest, &line)) {
        line = cph_str_trim(line);
        if (!line.n || *line.p == '\f') continue;
        size_t length = cph_utf8_count(line);
        histogram[length < LONGEST ? length : LONGEST]++;
        n++;
        open += !ends_sentence(line);
        capital += starts_capital(line);
    }
    if (n < 4) return CPH_PLAIN_LINES;
    uint32_t half = percentile(histogram, n, 50), most = percentile(histogram, n, 90);
    if (most <= 60 && capital * 10 >= n * 7 && open * 2 > n) return CPH_PLAIN_VERSE;
    return half < LONGEST && (most - half) * 100 <= half * 15 && open * 2 > n ? CPH_PLAIN_WRAPPED
                                                                              : CPH_PLAIN_LINES;
}

/* ---- reading ---- */

void cph_plain_init(cph_plain *r, cph_str text, cph_plain_kind kind)
{
    *r = (cph_plain){.rest = text, .kind = kind, .at_start = true};
}

cph_status cph_plain_next(cph_plain *r, cph_str *line)
{
    cph_str one;
    while (cut(&r->rest, &one)) {
        if (one.n && *one.p == '\f') {
            r->pending_page = true;
            continue;
        }
        one = cph_str_trim(one);
        if (!one.n) {
            r->pending_paragraph = true;
            continue;
        }
        r->new_page = r->at_start || r->pending_page;
        /* A sentence may go on over a form feed: the page ends, and with it its blocks. */
        r->new_paragraph = r->new_page || r->pending_paragraph || r->kind == CPH_PLAIN_LINES;
        r->at_start = r->pending_page = r->pending_paragraph = false;
        *line = one;
        return CPH_OK;
    }
    return CPH_END;
}
