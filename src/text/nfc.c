/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nfc.c - UAX 15. Only the stretch between two safe starters around a doubtful
 * character is taken apart; everything else is copied. A safe starter has ccc 0
 * and quick check Yes, so nothing before it can compose with it.
 */
#include "text_in.h"

#include <colophon/base/memory.h>

#include <string.h>

/* Hangul syllables are composed by arithmetic (Unicode 3.12). */
enum {
    S_BASE = 0xAC00,
    L_BASE = 0x1100,
    V_BASE = 0x1161,
    T_BASE = 0x11A7,
    L_COUNT = 19,
    V_COUNT = 21,
    T_COUNT = 28
};
enum { S_COUNT = L_COUNT * V_COUNT * T_COUNT };

typedef struct run {
    uint32_t *at;
    size_t n, cap;
    uint32_t few[64];
} run;

static unsigned ccc_of(uint32_t cp) { return normal_cell(cp) & 255; }

unsigned cph_char_ccc(uint32_t cp) { return ccc_of(cp); }

static bool is_safe(uint32_t cp) { return (normal_cell(cp) & 0x1FF) == 0; }

static cph_status push(run *r, uint32_t cp, cph_err *err)
{
    if (r->n == r->cap) {
        void *mem = r->at == r->few ? NULL : r->at;
        CPH_TRY(cph_realloc(&mem, 2 * r->cap * sizeof *r->at, err));
        if (r->at == r->few) memcpy(mem, r->few, sizeof r->few);
        r->at = mem;
        r->cap *= 2;
    }
    r->at[r->n++] = cp;
    return CPH_OK;
}

static cph_status push_decomposed(run *r, uint32_t cp, cph_err *err)
{
    if (cp >= S_BASE && cp < S_BASE + S_COUNT) {
        uint32_t s = cp - S_BASE, t = s % T_COUNT;
        CPH_TRY(push(r, L_BASE + s / (V_COUNT * T_COUNT), err));
        CPH_TRY(push(r, V_BASE + s / T_COUNT % V_COUNT, err));
        return t ? push(r, T_BASE + t, err) : CPH_OK;
    }
    uint32_t number = normal_cell(cp) >> 9;
    if (!number) return push(r, cp, err);
    for (size_t i = cph_normal_start[number - 1]; i < cph_normal_start[number]; i++)
        CPH_TRY(push(r, cph_normal_pool[i], err));
    return CPH_OK;
}

/* Many marks on one base: a counting sort by ccc, which is stable and linear. */
static cph_status sort_many(uint32_t *at, size_t n, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc_n(&mem, n, sizeof *at, err));
    uint32_t *sorted = mem;
    size_t start[257] = {0};
    for (size_t i = 0; i < n; i++) start[ccc_of(at[i]) + 1]++;
    for (int c = 0; c < 256; c++) start[c + 1] += start[c];
    for (size_t i = 0; i < n; i++) sorted[start[ccc_of(at[i])]++] = at[i];
    memcpy(at, sorted, n * sizeof *at);
    cph_free(mem);
    return CPH_OK;
}

static cph_status reorder(run *r, cph_err *err)
{
    for (size_t i = 0, end; i < r->n; i = end) {
        end = i + 1;
        if (!ccc_of(r->at[i])) continue;
        while (end < r->n && ccc_of(r->at[end])) end++;
        if (end - i > 32) {
            CPH_TRY(sort_many(r->at + i, end - i, err));
            continue;
        }
        for (size_t j = i + 1; j < end; j++) {
            uint32_t cp = r->at[j];
            size_t k = j;
            for (; k > i && ccc_of(r->at[k - 1]) > ccc_of(cp); k--) r->at[k] = r->at[k - 1];
            r->at[k] = cp;
        }
    }
    return CPH_OK;
}

/* The composed character, or 0. */
static uint32_t composed(uint32_t a, uint32_t b)
{
    if (a >= L_BASE && a < L_BASE + L_COUNT && b >= V_BASE && b < V_BASE + V_COUNT)
        return S_BASE + ((a - L_BASE) * V_COUNT + (b - V_BASE)) * T_COUNT;
    if (a >= S_BASE && a < S_BASE + S_COUNT && (a - S_BASE) % T_COUNT == 0 && b > T_BASE &&
        b < T_BASE + T_COUNT)
        return a + (b - T_BASE);
    size_t low = 0, high = cph_n_compositions;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const uint32_t *c = cph_compositions[mid];
        if (c[0] == a && c[1] == b) return c[2];
        if (c[0] < a || (c[0] == a && c[1] < b))
            low = mid + 1;
        else
            high = mid;
    }
    return 0;
}

static void compose(run *r)
{
    size_t n = 0, starter = SIZE_MAX;
    unsigned last = 0; /* ccc of the last character that stayed behind the starter */
    for (size_t i = 0; i < r->n; i++) {
        uint32_t cp = r->at[i];
        unsigned ccc = ccc_of(cp);
        bool blocked = starter == SIZE_MAX || (n > starter + 1 && last >= ccc);
        uint32_t whole = blocked ? 0 : composed(r->at[starter], cp);
        if (whole) {
            r->at[starter] = whole;
            continue;
        }
        if (!ccc) starter = n;
        last = ccc;
        r->at[n++] = cp;
    }
    r->n = n;
}

static cph_status write_run(cph_buf *out, run *r, bool composing, cph_err *err)
{
    CPH_TRY(reorder(r, err));
    if (composing) compose(r);
    for (size_t i = 0; i < r->n; i++) {
        char bytes[4];
        CPH_TRY(cph_buf_add(out, bytes, cph_utf8_encode(r->at[i], bytes), err));
    }
    r->n = 0;
    return CPH_OK;
}

/* End of the prefix that is in NFC for sure, cut back to its last safe starter; s.n when all is. */
static size_t quick_end(cph_str s, size_t from)
{
    size_t safe = from;
    unsigned last = 0;
    for (size_t at = from, step; at < s.n; at += step) {
        step = 1;
        if ((unsigned char)s.p[at] < 0x80) {
            safe = at;
            last = 0;
            continue;
        }
        uint32_t cp;
        step = cph_utf8_decode(s.p + at, s.n - at, &cp);
        if (!step) return safe;
        uint32_t cell = normal_cell(cp) & 0x1FF;
        unsigned ccc = cell & 255;
        if (cell >> 8 || (ccc && last > ccc)) return safe;
        if (!ccc) safe = at;
        last = ccc;
    }
    return s.n;
}

bool cph_nfc_quick(cph_str valid) { return quick_end(valid, 0) == valid.n; }

static cph_status normalise(cph_buf *out, cph_str s, bool composing, run *r, cph_err *err)
{
    for (size_t at = 0; at < s.n;) {
        if (composing) {
            size_t end = quick_end(s, at);
            CPH_TRY(cph_buf_add(out, s.p + at, end - at, err));
            at = end;
        }
        /* A run: its first character, and whatever follows up to the next safe starter. */
        for (size_t first = at; at < s.n;) {
            uint32_t cp;
            size_t step = cph_utf8_decode(s.p + at, s.n - at, &cp);
            if (!step) return cph_fail(err, CPH_DATA, "byte %zu is not valid UTF-8", at);
            if (at > first && is_safe(cp)) break;
            CPH_TRY(push_decomposed(r, cp, err));
            at += step;
        }
        CPH_TRY(write_run(out, r, composing, err));
    }
    return CPH_OK;
}

static cph_status whole(cph_buf *out, cph_str s, bool composing, cph_err *err)
{
    size_t before = out->n;
    run r = {.cap = sizeof r.few / sizeof *r.few};
    r.at = r.few;
    cph_status status = normalise(out, s, composing, &r, err);
    if (r.at != r.few) cph_free(r.at);
    if (status != CPH_OK) cph_buf_cut(out, before);
    return status;
}

cph_status cph_nfc(cph_buf *out, cph_str s, cph_err *err) { return whole(out, s, true, err); }
cph_status cph_nfd(cph_buf *out, cph_str s, cph_err *err) { return whole(out, s, false, err); }
