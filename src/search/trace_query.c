/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_query.c - maximal verbatim spans (rights-and-provenance 16.2). A suffix ends
 * with its document, in the order of the index as in every comparison here, so the
 * longest match at a place is a neighbour of where the query would stand, on either
 * side; the first rank has a neighbour on one side only.
 */
#include "trace_in.h"

#include <colophon/base/memory.h>
#include <colophon/base/philox.h>

#include <stdlib.h>
#include <string.h>

typedef struct query {
    const uint32_t *ids;
    size_t n;
} query;

/* Tokens in common with the suffix at a position; then <0, 0, >0: the query stands before, begins, stands after it. */
static int against(const token_file *f, query q, uint64_t at, size_t *common)
{
    size_t k = 0;
    uint64_t room = f->n_tokens - at;
    while (k < q.n && k < room && token_at(f, at + k) == q.ids[k]) k++;
    if (k) { /* only now it matters where the document ends */
        const uint8_t *row = row_at(f, cph_token_file_doc(f, at));
        room = row_first(row) + row_tokens(row) - at;
        if (k > room) k = (size_t)room;
    }
    *common = k;
    if (k == q.n) return 0;
    if (k == room) return 1;
    return q.ids[k] < token_at(f, at + k) ? -1 : 1;
}

/* The first rank whose suffix is not before the query, or (past) that stands after it. */
static uint64_t bound(const trace_file *t, query q, bool past)
{
    uint64_t low = 0, high = t->f.n_tokens;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        size_t common;
        int order = against(&t->f, q, pointer_at(t, mid), &common);
        if (order > 0 || (past && order == 0))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* How many tokens from the query's first stand somewhere in one document. */
static size_t longest_match(const trace_file *t, query q)
{
    uint64_t rank = bound(t, q, false);
    size_t best = 0, common;
    for (uint64_t r = rank ? rank - 1 : 0; r <= rank && r < t->f.n_tokens; r++) {
        against(&t->f, q, pointer_at(t, r), &common);
        if (common > best) best = common;
    }
    return best;
}

cph_status cph_trace_count(const cph_trace *t, const uint32_t *ids, size_t n, uint64_t *count, cph_err *err)
{
    if (!n) return cph_fail(err, CPH_USAGE, "a sequence of no tokens stands everywhere");
    uint64_t all = 0;
    for (size_t i = 0; i < t->n_files; i++)
        all += bound(&t->files[i], (query){ids, n}, true) - bound(&t->files[i], (query){ids, n}, false);
    *count = all;
    return CPH_OK;
}

/* ---- spans ---- */

typedef struct tracer {
    const cph_trace *t;
    const cph_trace_opts *o;
    query q;
    uint8_t *flags;     /* by place in the query */
    cph_trace_span *spans;
    size_t n_spans, cap;
    uint64_t *first;    /* by file: the first rank of the present span, and the one past the last */
    uint64_t *past;
    cph_arena *arena;
    cph_err *err;
} tracer;

static bool begins_word(const tracer *k, size_t i)
{
    return i == 0 || i == k->q.n || (k->flags[i] & CPH_TRACE_BEGINS_WORD) ||
           (k->flags[i - 1] & CPH_TRACE_DELIMITER);
}

/* Length of the span from `at`: whole words, up to the first delimiter. */
static size_t span_at(const tracer *k, size_t at)
{
    size_t len = 0;
    query rest = {k->q.ids + at, k->q.n - at};
    for (size_t i = 0; i < k->t->n_files; i++) {
        size_t here = longest_match(&k->t->files[i], rest);
        if (here > len) len = here;
    }
    for (size_t i = 0; i < len; i++)
        if (k->flags[at + i] & CPH_TRACE_DELIMITER) len = i + 1;
    while (len && !begins_word(k, at + len)) len--;
    return len;
}

static int by_place(const void *a, const void *b)
{
    const cph_trace_hit *x = a, *y = b;
    if (x->doc != y->doc) return x->doc < y->doc ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* The r-th occurrence of the present span, files in order. */
static cph_trace_hit hit_at(const tracer *k, uint64_t r)
{
    size_t i = 0;
    for (; r >= k->past[i] - k->first[i]; i++) r -= k->past[i] - k->first[i];
    const trace_file *t = &k->t->files[i];
    uint64_t at = pointer_at(t, k->first[i] + r), doc = cph_token_file_doc(&t->f, at);
    return (cph_trace_hit){.doc = t->first_doc + doc, .at = (uint32_t)(at - row_first(row_at(&t->f, doc)))};
}

static cph_status keep_span(tracer *k, size_t begin, size_t end, uint64_t count)
{
    void *mem;
    bool some = k->o->max_hits && count > k->o->max_hits;
    uint64_t n = some ? k->o->max_hits : count;
    if (n > UINT32_MAX) return cph_fail(k->err, CPH_NOMEM, "a span has more than 2^32 places");
    CPH_TRY(cph_arena_alloc(k->arena, &mem, n * sizeof(cph_trace_hit), k->err));
    cph_trace_hit *hits = mem;
    for (uint64_t i = 0; i < n; i++) hits[i] = hit_at(k, some ? cph_permute(k->o->seed, 0, count, i) : i);
    qsort(hits, n, sizeof *hits, by_place);
    if (k->n_spans == k->cap) {
        size_t cap = k->cap ? 2 * k->cap : 64;
        mem = k->spans;
        CPH_TRY(cph_realloc(&mem, cap * sizeof *k->spans, k->err));
        k->spans = mem;
        k->cap = cap;
    }
    k->spans[k->n_spans++] = (cph_trace_span){
        .begin = (uint32_t)begin, .end = (uint32_t)end, .count = count, .hits = hits, .n_hits = (uint32_t)n};
    return CPH_OK;
}

static cph_status find_spans(tracer *k)
{
    size_t covered = 0; /* end of the last span: one that ends no later lies inside it */
    for (size_t at = 0; at < k->q.n; at++) {
        if (!begins_word(k, at)) continue;
        size_t len = span_at(k, at);
        if (len < k->o->min_len || !len || at + len <= covered) continue;
        uint64_t count = 0;
        for (size_t i = 0; i < k->t->n_files; i++) {
            query span = {k->q.ids + at, len};
            k->first[i] = bound(&k->t->files[i], span, false);
            k->past[i] = bound(&k->t->files[i], span, true);
            count += k->past[i] - k->first[i];
        }
        if (!count || (k->o->max_cnt && count > k->o->max_cnt)) continue;
        CPH_TRY(keep_span(k, at, at + len, count));
        covered = at + len;
    }
    return CPH_OK;
}

static cph_status prepare(tracer *k)
{
    void *mem;
    CPH_TRY(cph_arena_alloc(k->arena, &mem, k->q.n + 1, k->err));
    k->flags = mem;
    for (size_t i = 0; i < k->q.n; i++)
        k->flags[i] = k->o->token_flags ? (uint8_t)k->o->token_flags(k->o->ctx, k->q.ids[i])
                                        : CPH_TRACE_BEGINS_WORD;
    CPH_TRY(cph_arena_alloc0(k->arena, &mem, 2 * k->t->n_files + 1, sizeof *k->first, k->err));
    k->first = mem;
    k->past = k->first + k->t->n_files;
    return CPH_OK;
}

static cph_status take(tracer *k, cph_trace_result *r)
{
    void *mem;
    CPH_TRY(cph_arena_alloc(k->arena, &mem, (k->n_spans + 1) * sizeof *k->spans, k->err));
    if (k->n_spans) memcpy(mem, k->spans, k->n_spans * sizeof *k->spans);
    r->spans = mem;
    r->n_spans = k->n_spans;
    for (size_t i = 0; i < k->n_spans; i++)
        if (r->spans[i].end - r->spans[i].begin > r->longest)
            r->longest = r->spans[i].end - r->spans[i].begin;
    return CPH_OK;
}

void cph_trace_opts_init(cph_trace_opts *o)
{
    *o = (cph_trace_opts){.min_len = 8, .max_cnt = 1000000, .max_hits = 10};
}

cph_status cph_trace_run(const cph_trace *t, const uint32_t *ids, size_t n, const cph_trace_opts *o,
                         cph_trace_result *out, cph_err *err)
{
    if (n >= UINT32_MAX) return cph_fail(err, CPH_USAGE, "%zu tokens are too many to trace at once", n);
    cph_trace_result r = {.n_spans = 0};
    cph_arena_init(&r.arena, (size_t)4 << 30);
    tracer k = {.t = t, .o = o, .q = {ids, n}, .arena = &r.arena, .err = err};
    cph_status s = prepare(&k);
    if (s == CPH_OK) s = find_spans(&k);
    if (s == CPH_OK) s = take(&k, &r);
    cph_free(k.spans);
    if (s == CPH_OK)
        *out = r;
    else
        cph_arena_release(&r.arena);
    return s;
}

void cph_trace_result_release(cph_trace_result *r)
{
    cph_arena_release(&r->arena);
    *r = (cph_trace_result){.n_spans = 0};
}
