/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copies.c - exact copies of documents and paragraphs (readers-and-corpus 22.1).
 *
 * Hashes are sorted, equal neighbours are a group, and a group is read from its
 * best member on: (rights rank, OCR class, longer, earlier publication, place in
 * the corpus), a total order. What becomes of each document is sorted back into
 * the order of the corpus. No table of hashes is held; one bit a document is.
 */
#include <colophon/base/memory.h>

#include <string.h>

#include "corpus_in.h"

#define HASHED \
    (16 + 1 + 1 + 8 + 8 + 8 + 4 + 8) /* hash, rank, OCR class, ~chars, date, ordinal, paragraph, at */
#define ORDINAL 34
#define FATE (8 + 1 + 8 + 1 + 8 + 8)            /* ordinal, kind, paragraph, drop, x, y */
#define MAX_LISTED 10000 /* of a cluster: the drop log has them all */

enum { DROPPED, COPY, CLUSTER, PARAGRAPH };

struct cph_copies {
    const cph_build_opts *o;
    cph_extsort *documents, *paragraphs, *fates;
    uint8_t *gone; /* one bit a document */
    uint64_t gone_bytes, n;
    uint8_t fate[FATE]; /* read ahead */
    bool ahead, ended;
};

bool cph_dedup_parse(cph_str s, cph_dedup *out)
{
    static const char *const names[] = {
#define DEDUP_NAME(name, text) text,
        CPH_DEDUP_MAP(DEDUP_NAME)
#undef DEDUP_NAME
    };
    for (unsigned i = 0; i < CPH_N_DEDUPS; i++)
        if (cph_str_is(s, names[i])) {
            *out = (cph_dedup)i;
            return true;
        }
    return false;
}

static cph_status open_sort(cph_extsort **x, const cph_copies *c, const char *dir, const char *name,
                            size_t size, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_path_join(path, dir, name, err));
    return cph_extsort_open(x, path, size, c->o->sort_bytes / 3, err);
}

cph_status cph_copies_open(cph_copies **out, const cph_build_opts *o, const char *dir, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_copies), err));
    cph_copies *c = mem;
    c->o = o;
    cph_status s = open_sort(&c->documents, c, dir, "sort.documents", HASHED, err);
    if (s == CPH_OK) s = open_sort(&c->paragraphs, c, dir, "sort.paragraphs", HASHED, err);
    if (s == CPH_OK) s = open_sort(&c->fates, c, dir, "sort.fates", FATE, err);
    if (s != CPH_OK) {
        cph_copies_close(c);
        return s;
    }
    *out = c;
    return CPH_OK;
}

void cph_copies_close(cph_copies *c)
{
    if (!c) return;
    cph_extsort_close(c->documents);
    cph_extsort_close(c->paragraphs);
    cph_extsort_close(c->fates);
    cph_free(c->gone);
    cph_free(c);
}

cph_status cph_copies_add(cph_copies *c, const cph_text_hash *k, uint64_t ordinal, uint64_t at, uint8_t rank,
                          cph_str date, cph_err *err)
{
    uint8_t r[HASHED];
    bool document = k->paragraph == UINT32_MAX;
    if ((document ? c->o->documents : c->o->paragraphs) == CPH_DEDUP_NONE) return CPH_OK;
    cph_put_be(r, k->hash.hi, 8);
    cph_put_be(r + 8, k->hash.lo, 8);
    r[16] = rank;
    r[17] = 0; /* the OCR class, when there is one */
    cph_put_be(r + 18, ~k->chars, 8);
    memset(r + 26, 0xFF, 8); /* a text without a date comes last */
    memcpy(r + 26, date.p, date.n < 8 ? date.n : 8);
    cph_put_be(r + ORDINAL, ordinal, 8);
    cph_put_be(r + 42, k->paragraph, 4);
    cph_put_be(r + 46, at, 8);
    return cph_extsort_add(document ? c->documents : c->paragraphs, r, err);
}

/* ---- groups ---- */

static bool is_gone(const cph_copies *c, uint64_t ordinal)
{
    return ordinal / 8 < c->gone_bytes && c->gone[ordinal / 8] >> (ordinal % 8) & 1;
}

static cph_status mark_gone(cph_copies *c, uint64_t ordinal, cph_err *err)
{
    if (ordinal / 8 >= c->gone_bytes) {
        void *p = c->gone;
        uint64_t n = ordinal / 8 * 2 + 64;
        CPH_TRY(cph_realloc(&p, n, err));
        c->gone = p;
        memset(c->gone + c->gone_bytes, 0, n - c->gone_bytes);
        c->gone_bytes = n;
    }
    c->gone[ordinal / 8] |= (uint8_t)(1u << (ordinal % 8));
    return CPH_OK;
}

static cph_status put_fate(cph_copies *c, uint64_t ordinal, unsigned kind, uint64_t paragraph, bool drop,
                           uint64_t x, uint64_t y, cph_err *err)
{
    uint8_t f[FATE];
    cph_put_be(f, ordinal, 8);
    f[8] = (uint8_t)kind;
    cph_put_be(f + 9, paragraph, 8);
    f[17] = drop;
    cph_put_be(f + 18, x, 8);
    cph_put_be(f + 26, y, 8);
    return cph_extsort_add(c->fates, f, err);
}

typedef struct group {
    cph_dedup how;
    uint32_t limit;    /* members from which on some go */
    bool documents;
    uint8_t *held;     /* the first `limit` members */
    uint64_t n;
} group;

static uint64_t ordinal_of(const uint8_t *r) { return cph_get_be(r + ORDINAL, 8); }

/* Member number i of the group goes. */
static cph_status drop_member(cph_copies *c, const group *g, const uint8_t *r, uint64_t i, cph_err *err)
{
    const uint8_t *best = g->held;
    uint64_t kept = g->how == CPH_DEDUP_ALL ? UINT64_MAX : cph_get_be(best + 46, 8);
    if (!g->documents)
        return put_fate(c, ordinal_of(r), PARAGRAPH, cph_get_be(r + 42, 4), true, kept, i + 1, err);
    CPH_TRY(mark_gone(c, ordinal_of(r), err));
    CPH_TRY(put_fate(c, ordinal_of(r), DROPPED, 0, true, kept, i + 1, err));
    if (kept == UINT64_MAX) return CPH_OK;
    return put_fate(c, ordinal_of(best), COPY, ordinal_of(r), false, cph_get_be(r + 46, 8), 0, err);
}

static cph_status add_member(cph_copies *c, group *g, const uint8_t *r, cph_err *err)
{
    uint64_t i = g->n++;
    if (i < g->limit) memcpy(g->held + i * HASHED, r, HASHED);
    if (i + 1 < g->limit) return CPH_OK;
    if (i + 1 > g->limit) return drop_member(c, g, r, i, err);
    for (uint32_t k = g->how == CPH_DEDUP_ALL ? 0 : 1; k < g->limit; k++)
        CPH_TRY(drop_member(c, g, g->held + k * HASHED, k, err));
    return CPH_OK;
}

static cph_status end_group(cph_copies *c, group *g, cph_err *err)
{
    uint64_t kept = g->n < g->limit ? g->n : g->how == CPH_DEDUP_ALL ? 0 : 1;
    for (uint64_t i = 0; g->n > 1 && i < kept; i++) {
        const uint8_t *r = g->held + i * HASHED;
        if (g->documents) CPH_TRY(put_fate(c, ordinal_of(r), CLUSTER, 0, false, g->n, 0, err));
        else CPH_TRY(put_fate(c, ordinal_of(r), PARAGRAPH, cph_get_be(r + 42, 4), false, g->n, 0, err));
    }
    g->n = 0;
    return CPH_OK;
}

static cph_status resolve(cph_copies *c, cph_extsort *x, group *g, cph_err *err)
{
    uint8_t r[HASHED], last[16];
    cph_status s;
    while ((s = cph_extsort_next(x, r, err)) == CPH_OK) {
        if (!g->documents && is_gone(c, ordinal_of(r))) continue;
        if (g->n && memcmp(last, r, 16) != 0) CPH_TRY(end_group(c, g, err));
        memcpy(last, r, 16);
        CPH_TRY(add_member(c, g, r, err));
    }
    return s == CPH_END ? end_group(c, g, err) : s;
}

static cph_status resolve_kind(cph_copies *c, bool documents, cph_err *err)
{
    void *held;
    group g = {.how = documents ? c->o->documents : c->o->paragraphs, .documents = documents};
    if (g.how == CPH_DEDUP_NONE) return CPH_OK;
    g.limit = g.how == CPH_DEDUP_BOILERPLATE ? c->o->boilerplate_copies : 2;
    CPH_TRY(cph_alloc_n(&held, g.limit, HASHED, err));
    g.held = held;
    cph_status s = resolve(c, documents ? c->documents : c->paragraphs, &g, err);
    cph_free(held);
    return s;
}

cph_status cph_copies_resolve(cph_copies *c, cph_err *err)
{
    CPH_TRY(resolve_kind(c, true, err));
    cph_extsort_close(c->documents);
    c->documents = NULL;
    CPH_TRY(resolve_kind(c, false, err));
    cph_extsort_close(c->paragraphs);
    c->paragraphs = NULL;
    return CPH_OK;
}

/* ---- fates, in the order of the corpus ---- */

void cph_fate_release(cph_fate *f)
{
    cph_free(f->dropped);
    cph_free(f->marks);
    *f = (cph_fate){0};
}

static cph_status add_copy(cph_fate *f, uint64_t at, cph_err *err)
{
    if (f->n_dropped == MAX_LISTED) return CPH_OK;
    if (f->n_dropped == f->dropped_cap) {
        void *p = f->dropped;
        CPH_TRY(cph_realloc(&p, (f->dropped_cap * 2 + 8) * sizeof *f->dropped, err));
        f->dropped = p;
        f->dropped_cap = f->dropped_cap * 2 + 8;
    }
    f->dropped[f->n_dropped++] = at;
    return CPH_OK;
}

static cph_status add_mark(cph_fate *f, const uint8_t *r, cph_err *err)
{
    if (f->n_marks == f->marks_cap) {
        void *p = f->marks;
        CPH_TRY(cph_realloc(&p, (f->marks_cap * 2 + 8) * sizeof *f->marks, err));
        f->marks = p;
        f->marks_cap = f->marks_cap * 2 + 8;
    }
    cph_mark *m = &f->marks[f->n_marks++];
    *m = (cph_mark){.paragraph = (uint32_t)cph_get_be(r + 9, 8), .drop = r[17] != 0};
    m->copies = cph_get_be(r + (m->drop ? 26 : 18), 8);
    m->kept = m->drop ? cph_get_be(r + 18, 8) : UINT64_MAX;
    return CPH_OK;
}

static cph_status take_fate(cph_fate *f, const uint8_t *r, cph_err *err)
{
    switch (r[8]) {
    case DROPPED:
        f->drop = true;
        f->kept = cph_get_be(r + 18, 8);
        f->cluster = cph_get_be(r + 26, 8);
        return CPH_OK;
    case COPY: return add_copy(f, cph_get_be(r + 18, 8), err);
    case CLUSTER: f->cluster = cph_get_be(r + 18, 8); return CPH_OK;
    default: return add_mark(f, r, err);
    }
}

cph_status cph_copies_next(cph_copies *c, uint64_t ordinal, cph_fate *out, cph_err *err)
{
    out->drop = false;
    out->kept = UINT64_MAX;
    out->n_dropped = out->n_marks = 0;
    out->cluster = 1;
    while (!c->ended) {
        if (!c->ahead) {
            cph_status s = cph_extsort_next(c->fates, c->fate, err);
            c->ended = s == CPH_END;
            if (s == CPH_END) break;
            CPH_TRY(s);
            c->ahead = true;
        }
        if (cph_get_be(c->fate, 8) != ordinal) break;
        CPH_TRY(take_fate(out, c->fate, err));
        c->ahead = false;
    }
    return CPH_OK;
}
