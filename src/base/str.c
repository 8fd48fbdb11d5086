/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str.c - borrowed strings, growable buffers, UTF-8, numbers as text.
 * Nothing here depends on the locale.
 */
#include <colophon/base/memory.h>
#include <colophon/base/str.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cph_str cph_str_of(const char *z) { return (cph_str){z, z ? strlen(z) : 0}; }
bool cph_str_eq(cph_str a, cph_str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
bool cph_str_is(cph_str a, const char *z) { return cph_str_eq(a, cph_str_of(z)); }

static unsigned char fold(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + 32) : u;
}

bool cph_str_is_fold(cph_str a, const char *z)
{
    size_t n = strlen(z);
    if (a.n != n) return false;
    for (size_t i = 0; i < n; i++)
        if (fold(a.p[i]) != fold(z[i])) return false;
    return true;
}

int cph_str_cmp(cph_str a, cph_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool cph_str_starts(cph_str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && (n == 0 || memcmp(s.p, prefix, n) == 0);
}

bool cph_str_ends(cph_str s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.n >= n && (n == 0 || memcmp(s.p + s.n - n, suffix, n) == 0);
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

cph_str cph_str_trim(cph_str s)
{
    while (s.n && is_space(s.p[0])) s.p++, s.n--;
    while (s.n && is_space(s.p[s.n - 1])) s.n--;
    return s;
}

cph_str cph_str_sub(cph_str s, size_t from, size_t n)
{
    if (from > s.n) from = s.n;
    if (n > s.n - from) n = s.n - from;
    return (cph_str){s.p ? s.p + from : NULL, n};
}

size_t cph_str_find(cph_str s, char c, size_t from)
{
    if (from >= s.n) return SIZE_MAX;
    const char *hit = memchr(s.p + from, c, s.n - from);
    return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

bool cph_str_split(cph_str *rest, char sep, cph_str *part)
{
    if (!rest->p) return false;
    size_t at = cph_str_find(*rest, sep, 0);
    if (at == SIZE_MAX) {
        *part = *rest;
        *rest = (cph_str){NULL, 0};
    } else {
        *part = cph_str_sub(*rest, 0, at);
        *rest = cph_str_sub(*rest, at + 1, rest->n);
    }
    return true;
}

bool cph_str_u64(cph_str s, uint64_t *out)
{
    if (s.n == 0 || s.n > 20) return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v)) return false;
    }
    *out = v;
    return true;
}

bool cph_str_i64(cph_str s, int64_t *out)
{
    bool minus = s.n && s.p[0] == '-';
    uint64_t v;
    if (!cph_str_u64(cph_str_sub(s, minus, s.n), &v)) return false;
    if (v > (uint64_t)INT64_MAX + minus) return false;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool cph_str_double(cph_str s, double *out)
{
    char z[64], *end;
    if (s.n == 0 || s.n >= sizeof z) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789+-.eE", s.p[i]) || s.p[i] == 0) return false;
    memcpy(z, s.p, s.n);
    z[s.n] = 0;
    double v = strtod(z, &end); /* the program never calls setlocale: this is the "C" locale */
    if (*end || !isfinite(v)) return false;
    *out = v;
    return true;
}

/* ---- cph_buf ---- */

void cph_buf_init(cph_buf *b, size_t max_bytes) { *b = (cph_buf){.max = max_bytes}; }

void cph_buf_release(cph_buf *b)
{
    cph_free(b->p);
    *b = (cph_buf){.max = b->max};
}

cph_status cph_buf_reserve(cph_buf *b, size_t more, cph_err *err)
{
    if (b->n <= b->max && more > b->max - b->n)
        return cph_fail(err, CPH_NOMEM, "a limit of %zu bytes was reached", b->max);
    size_t need = b->n + more + 1;
    if (need <= b->cap) return CPH_OK;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need) cap = cap > SIZE_MAX / 4 ? need : cap * 2;
    void *p = b->p;
    CPH_TRY(cph_realloc(&p, cap, err));
    b->p = p;
    b->cap = cap;
    b->p[b->n] = 0;
    return CPH_OK;
}

cph_status cph_buf_add(cph_buf *b, const void *p, size_t n, cph_err *err)
{
    CPH_TRY(cph_buf_reserve(b, n, err));
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
    return CPH_OK;
}

cph_status cph_buf_str(cph_buf *b, cph_str s, cph_err *err) { return cph_buf_add(b, s.p, s.n, err); }
cph_status cph_buf_z(cph_buf *b, const char *z, cph_err *err) { return cph_buf_add(b, z, strlen(z), err); }
cph_status cph_buf_char(cph_buf *b, char c, cph_err *err) { return cph_buf_add(b, &c, 1, err); }

cph_status cph_buf_printf(cph_buf *b, cph_err *err, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    cph_status s = n < 0 ? cph_fail(err, CPH_BUG, "a format failed: %s", fmt) : cph_buf_reserve(b, (size_t)n, err);
    if (s == CPH_OK) {
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
    return s;
}

cph_str cph_buf_view(const cph_buf *b) { return (cph_str){b->p ? b->p : "", b->n}; }

void cph_buf_cut(cph_buf *b, size_t n)
{
    b->n = n;
    if (b->p) b->p[n] = 0;
}

/* ---- UTF-8 ---- */

/* Second-byte range for each lead byte (Unicode table 3-7); length 0 for bytes that lead nothing. */
static unsigned lead(unsigned char c, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (c < 0x80) return 1;
    if (c < 0xC2) return 0;
    if (c < 0xE0) return 2;
    if (c < 0xF0) {
        if (c == 0xE0) *low = 0xA0;
        if (c == 0xED) *high = 0x9F;
        return 3;
    }
    if (c > 0xF4) return 0;
    if (c == 0xF0) *low = 0x90;
    if (c == 0xF4) *high = 0x8F;
    return 4;
}

/* Bytes that are well-formed at p, at most the whole character; *whole tells its length. */
static unsigned well_formed(const char *p, size_t n, unsigned *whole)
{
    const unsigned char *u = (const unsigned char *)p;
    unsigned char low, high;
    *whole = lead(u[0], &low, &high);
    if (*whole < 2) return *whole;
    for (unsigned i = 1; i < *whole; i++) {
        if (i >= n || u[i] < low || u[i] > high) return i;
        low = 0x80;
        high = 0xBF;
    }
    return *whole;
}

unsigned cph_utf8_decode(const char *p, size_t n, uint32_t *code_point)
{
    unsigned whole;
    if (n == 0 || well_formed(p, n, &whole) != whole || whole == 0) return 0;
    const unsigned char *u = (const unsigned char *)p;
    static const unsigned char mask[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t c = u[0] & mask[whole];
    for (unsigned i = 1; i < whole; i++) c = c << 6 | (u[i] & 0x3F);
    *code_point = c;
    return whole;
}

unsigned cph_utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    unsigned n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (unsigned i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (char)((n == 2 ? 0xC0u : n == 3 ? 0xE0u : 0xF0u) | c);
    return n;
}

size_t cph_utf8_check(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        uint64_t eight;
        while (n - i >= 8 && (memcpy(&eight, p + i, 8), (eight & 0x8080808080808080u) == 0)) i += 8;
        if (i == n) break;
        unsigned whole, good = well_formed(p + i, n - i, &whole);
        if (whole == 0 || good != whole) return i;
        i += whole;
    }
    return n;
}

size_t cph_utf8_bad_len(const char *p, size_t n)
{
    unsigned whole, good = n ? well_formed(p, n, &whole) : 0;
    return good ? good : 1;
}

size_t cph_utf8_count(cph_str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++) count += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return count;
}

/* ---- numbers as text ---- */

/* The form Python prints: "1e-05", "0.0001", "3.0" without the ".0". */
size_t cph_format_double(double x, char out[32])
{
    char z[32];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(z, sizeof z, "%.*e", digits - 1, x);
        if (strtod(z, NULL) == x) break;
    }
    char *e = strchr(z, 'e');
    int exponent = e ? atoi(e + 1) : 0;
    size_t digits = (size_t)(e - z) - (z[0] == '-') - (strchr(z, '.') != NULL);
    if (x != 0 && (exponent < -4 || exponent >= 16)) return (size_t)snprintf(out, 32, "%s", z);
    int decimals = (int)digits - 1 - exponent;
    return (size_t)snprintf(out, 32, "%.*f", decimals > 0 ? decimals : 0, x);
}

size_t cph_format_float(float x, char out[32])
{
    char z[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(z, sizeof z, "%.*e", digits - 1, (double)x);
        if (strtof(z, NULL) == x) break;
    }
    return cph_format_double(strtod(z, NULL), out);
}

size_t cph_format_count(uint64_t n, char out[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return at;
}

size_t cph_format_bytes(uint64_t n, char out[32])
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double v = (double)n;
    unsigned u = 0;
    while (v >= 1024 && u < 5) v /= 1024, u++;
    return (size_t)snprintf(out, 32, u ? "%.1f %s" : "%.0f %s", v, unit[u]);
}

size_t cph_format_seconds(double s, char out[32])
{
    if (s < 0) s = 0;
    if (s < 60) return (size_t)snprintf(out, 32, "%.1f s", s);
    unsigned long t = (unsigned long)(s + 0.5);
    if (t < 3600) return (size_t)snprintf(out, 32, "%lu min %lu s", t / 60, t % 60);
    return (size_t)snprintf(out, 32, "%lu h %lu min", t / 3600, t % 3600 / 60);
}
