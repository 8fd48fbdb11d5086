/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sniff.c - first bytes first, then the root element, then whether it is text at all.
 */
#include <colophon/format/encoding.h>
#include <colophon/format/sniff.h>
#include <colophon/format/xml.h>

#include <string.h>

static const char *const names[] = {
#define FORMAT_NAME(name, words) words,
    CPH_FORMAT_MAP(FORMAT_NAME)
#undef FORMAT_NAME
};

const char *cph_format_name(cph_format f) { return f < CPH_N_FORMATS ? names[f] : names[0]; }

static bool starts(cph_str s, const char *bytes, size_t n) { return s.n >= n && memcmp(s.p, bytes, n) == 0; }

static bool holds(cph_str s, const char *z) { return s.n && memmem(s.p, s.n, z, strlen(z)) != NULL; }

static cph_format by_magic(cph_str s)
{
    if (s.n == 0) return CPH_FORMAT_EMPTY;
    if (cph_str_starts(s, "version https://git-lfs.github.com/spec/v1")) return CPH_FORMAT_LFS;
    if (starts(s, "\x1F\x8B", 2)) return CPH_FORMAT_GZIP;
    if (starts(s, "\x28\xB5\x2F\xFD", 4)) return CPH_FORMAT_ZSTD;
    if (s.n >= 4 && (s.p[0] & 0xF0) == 0x50 && memcmp(s.p + 1, "\x2A\x4D\x18", 3) == 0)
        return CPH_FORMAT_ZSTD;
    if (starts(s, "BZh", 3)) return CPH_FORMAT_BZIP2;
    if (starts(s, "PK\x03\x04", 4))
        return holds(cph_str_sub(s, 0, 100), "mimetypeapplication/epub+zip") ? CPH_FORMAT_EPUB
                                                                             : CPH_FORMAT_ZIP;
    if (s.n >= 262 && memcmp(s.p + 257, "ustar", 5) == 0) return CPH_FORMAT_TAR;
    if (starts(s, "WARC/1.", 7)) return CPH_FORMAT_WARC;
    if (starts(s, "filedesc://", 11)) return CPH_FORMAT_ARC;
    return CPH_FORMAT_UNKNOWN;
}

static cph_format by_root(cph_str root, cph_str s)
{
    static const struct {
        const char *name;
        cph_format is;
    } roots[] = {{"mets", CPH_FORMAT_METS},  {"alto", CPH_FORMAT_ALTO},      {"PcGts", CPH_FORMAT_PAGE},
                 {"TEI", CPH_FORMAT_TEI},    {"teiCorpus", CPH_FORMAT_TEI},  {"TEI.2", CPH_FORMAT_TEI},
                 {"mods", CPH_FORMAT_MODS},  {"modsCollection", CPH_FORMAT_MODS}, {"DIDL", CPH_FORMAT_DIDL}};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (cph_str_is_fold(root, roots[i].name)) return roots[i].is;
    if (cph_str_is_fold(root, "document") && (holds(s, "abbyy") || holds(s, "FineReader")))
        return CPH_FORMAT_ABBYY;
    if (cph_str_is_fold(root, "html"))
        return holds(s, "ocr_page") || holds(s, "ocr_line") || holds(s, "ocr-system") ? CPH_FORMAT_HOCR
                                                                                       : CPH_FORMAT_HTML;
    return CPH_FORMAT_XML;
}

/* The first element's local name; false when the head does not read as markup. */
static bool root_of(cph_str s, cph_str *root)
{
    static const char spaces[] = " \t\r\n";
    while (s.n) {
        while (s.n && strchr(spaces, *s.p) && *s.p) s = cph_str_sub(s, 1, s.n);
        if (s.n < 2 || *s.p != '<') return false;
        const char *end = NULL;
        size_t skip = 1;
        if (starts(s, "<!--", 4)) end = memmem(s.p, s.n, "-->", skip = 3);
        else if (starts(s, "<?", 2)) end = memmem(s.p, s.n, "?>", skip = 2);
        else if (starts(s, "<!", 2)) end = memchr(s.p, '>', s.n);
        else break;
        if (!end) return false;
        s = cph_str_sub(s, (size_t)(end - s.p) + skip, s.n);
    }
    size_t from = 1, at = 1;
    for (; at < s.n && !strchr(" \t\r\n/>", s.p[at]) && s.p[at]; at++)
        if (s.p[at] == ':') from = at + 1;
    *root = cph_str_sub(s, from, at - from);
    return at > from && at < s.n;
}

/* At least 99 % of the characters are ones that text holds. */
static bool is_text(cph_str s)
{
    size_t n = 0, bad = 0;
    for (size_t i = 0; i < s.n;) {
        uint32_t c;
        unsigned len = cph_utf8_decode(s.p + i, s.n - i, &c);
        if (!len && s.n - i < 4 && s.n >= CPH_SNIFF_BYTES - 4) break; /* cut by the head's end */
        bool odd = !len ? (uint8_t)s.p[i] < 0xA0 : c < 0x20 && !strchr("\t\n\f\r", (int)c);
        bad += odd || (len && c == 0);
        n++;
        i += len ? len : 1;
    }
    return n > 0 && bad * 100 <= n;
}

cph_format cph_sniff(cph_str head)
{
    cph_format f = by_magic(head);
    if (f != CPH_FORMAT_UNKNOWN) return f;
    char room[4 * CPH_SNIFF_BYTES];
    cph_str s = head, root;
    if (starts(s, "\xEF\xBB\xBF", 3)) s = cph_str_sub(s, 3, s.n);
    bool little = starts(s, "\xFF\xFE", 2) || starts(s, "<\0", 2),
         big = starts(s, "\xFE\xFF", 2) || starts(s, "\0<", 2);
    if (little || big) { /* enough of UTF-16 to see a root element */
        size_t n = 0;
        for (size_t i = (uint8_t)s.p[0] >= 0xFE ? 2 : 0; i + 1 < s.n && n < sizeof room; i += 2) {
            char low = little ? s.p[i] : s.p[i + 1], high = little ? s.p[i + 1] : s.p[i];
            room[n++] = high ? '?' : low;
        }
        s = (cph_str){room, n};
    }
    if (root_of(s, &root)) return by_root(root, s);
    cph_str trimmed = cph_str_trim(s);
    if (trimmed.n && (*trimmed.p == '{' || *trimmed.p == '[')) return CPH_FORMAT_JSON;
    return is_text(s) ? CPH_FORMAT_TEXT : CPH_FORMAT_UNKNOWN;
}
