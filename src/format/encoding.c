/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoding.c - UTF-8 from UTF-8, UTF-16, Latin-1 and Windows-1252.
 * The common case, valid UTF-8, costs one pass and no copy.
 */
#include <colophon/format/encoding.h>

#include <string.h>

typedef enum family { UNSTATED, UTF8, UTF16LE, UTF16BE, LATIN1, WINDOWS } family;
static const char *const family_names[] = {"", "utf-8", "utf-16le", "utf-16be", "iso-8859-1", "windows-1252"};

/* Windows-1252 at 0x80..0x9F; 0 where it has no character. */
static const uint16_t windows[32] = {0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                     0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
                                     0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                     0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

/* What <?xml ... encoding="..."?> says. */
static cph_str declared_name(cph_str s)
{
    if (!cph_str_starts(s, "<?xml")) return (cph_str){0};
    const char *end = memmem(s.p, s.n < 512 ? s.n : 512, "?>", 2);
    if (!end) return (cph_str){0};
    size_t n = (size_t)(end - s.p);
    const char *at = memmem(s.p, n, "encoding", 8);
    if (!at) return (cph_str){0};
    cph_str rest = {at + 8, (size_t)(end - at) - 8};
    while (rest.n && *rest.p != '"' && *rest.p != '\'') rest = cph_str_sub(rest, 1, rest.n);
    if (!rest.n) return (cph_str){0};
    size_t close = cph_str_find(rest, *rest.p, 1);
    return close == SIZE_MAX ? (cph_str){0} : cph_str_sub(rest, 1, close - 1);
}

static bool family_of(cph_str name, family *out)
{
    static const struct {
        const char *name;
        family is;
    } known[] = {
        {"utf-8", UTF8},           {"utf8", UTF8},
        {"us-ascii", UTF8},        {"ascii", UTF8},
        {"iso-8859-1", LATIN1},    {"iso8859-1", LATIN1},
        {"latin1", LATIN1},        {"latin-1", LATIN1},
        {"windows-1252", WINDOWS}, {"cp1252", WINDOWS},
        {"ansi", WINDOWS},         {"utf-16", UTF8}, /* without a mark and readable as ASCII: it is not */
        {"utf-16le", UTF8},        {"utf-16be", UTF8}};
    *out = UNSTATED;
    if (!name.n) return true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (cph_str_is_fold(name, known[i].name)) {
            *out = known[i].is;
            return true;
        }
    return false;
}

static cph_status add_char(cph_buf *b, uint32_t c, cph_err *err)
{
    char out[4];
    return cph_buf_add(b, out, cph_utf8_encode(c, out), err);
}

static cph_status from_bytes(cph_buf *b, cph_str s, family f, uint64_t *n_replaced, cph_err *err)
{
    CPH_TRY(cph_buf_reserve(b, s.n, err));
    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = (uint8_t)s.p[i];
        if (f == WINDOWS && c >= 0x80 && c < 0xA0) {
            c = windows[c - 0x80];
            if (!c) c = 0xFFFD;
            *n_replaced += c == 0xFFFD;
        }
        CPH_TRY(add_char(b, c, err));
    }
    return CPH_OK;
}

static cph_status from_utf16(cph_buf *b, cph_str s, bool big, uint64_t *n_replaced, cph_err *err)
{
    const uint8_t *u = (const uint8_t *)s.p;
    CPH_TRY(cph_buf_reserve(b, s.n, err));
    for (size_t i = 0; i + 1 < s.n; i += 2) {
        uint32_t c = big ? (uint32_t)u[i] << 8 | u[i + 1] : (uint32_t)u[i + 1] << 8 | u[i];
        if (c >= 0xD800 && c < 0xDC00 && i + 3 < s.n) {
            uint32_t low = big ? (uint32_t)u[i + 2] << 8 | u[i + 3] : (uint32_t)u[i + 3] << 8 | u[i + 2];
            if (low >= 0xDC00 && low < 0xE000) {
                c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                i += 2;
            }
        }
        if (c >= 0xD800 && c < 0xE000) {
            c = 0xFFFD;
            ++*n_replaced;
        }
        CPH_TRY(add_char(b, c, err));
    }
    if (s.n & 1) {
        ++*n_replaced;
        CPH_TRY(add_char(b, 0xFFFD, err));
    }
    return CPH_OK;
}

static cph_status repaired(cph_buf *b, cph_str s, uint64_t *n_replaced, cph_err *err)
{
    CPH_TRY(cph_buf_reserve(b, s.n, err));
    for (size_t i = 0; i < s.n;) {
        size_t good = cph_utf8_check(s.p + i, s.n - i);
        CPH_TRY(cph_buf_add(b, s.p + i, good, err));
        i += good;
        if (i == s.n) break;
        i += cph_utf8_bad_len(s.p + i, s.n - i);
        ++*n_replaced;
        CPH_TRY(add_char(b, 0xFFFD, err));
    }
    return CPH_OK;
}

/* Takes the mark off and says what it means. */
static family mark(cph_str *s)
{
    static const struct {
        const char *bytes;
        size_t n;
        family is;
    } marks[] = {{"\xEF\xBB\xBF", 3, UTF8}, {"\xFF\xFE", 2, UTF16LE}, {"\xFE\xFF", 2, UTF16BE}};
    for (size_t i = 0; i < 3; i++)
        if (s->n >= marks[i].n && memcmp(s->p, marks[i].bytes, marks[i].n) == 0) {
            *s = cph_str_sub(*s, marks[i].n, s->n);
            return marks[i].is;
        }
    if (s->n >= 4 && memcmp(s->p, "<\0?\0", 4) == 0) return UTF16LE; /* XML without a mark */
    if (s->n >= 4 && memcmp(s->p, "\0<\0?", 4) == 0) return UTF16BE;
    return UNSTATED;
}

cph_status cph_to_utf8(cph_str *out, cph_buf *b, cph_str bytes, const char *file, cph_encoding *how,
                       cph_err *err)
{
    cph_encoding e = {0};
    cph_str s = bytes;
    b->n = 0;
    family f = mark(&s);
    if (f == UNSTATED) {
        cph_str name = declared_name(s);
        if (!family_of(name, &f)) {
            cph_fail(err, CPH_DATA, "%s: declares the encoding '%.*s', which is not read", file,
                     CPH_FMT(name));
            return cph_hint(err, "convert it to UTF-8");
        }
    }
    bool utf16 = f == UTF16LE || f == UTF16BE;
    size_t valid = utf16 ? 0 : cph_utf8_check(s.p, s.n);
    if (!utf16 && valid == s.n) {
        if (f == LATIN1 || f == WINDOWS) e.lied = cph_utf8_count(s) != s.n;
        e.name = family_names[UTF8];
        *out = s;
        *how = e;
        return CPH_OK;
    }
    if (f == UNSTATED) {
        f = WINDOWS;
        e.guessed = true;
    }
    e.name = family_names[f];
    CPH_TRY(utf16       ? from_utf16(b, s, f == UTF16BE, &e.n_replaced, err)
            : f == UTF8 ? repaired(b, s, &e.n_replaced, err)
                        : from_bytes(b, s, f, &e.n_replaced, err));
    *out = cph_buf_view(b);
    *how = e;
    return CPH_OK;
}
