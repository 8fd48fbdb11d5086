/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_trace.c - spans, counts and places against brute force on random sequences,
 * and the cases where suffix arrays of others went wrong.
 */
#include "testing.h"

#include <colophon/provenance/manifest.h>
#include <colophon/search/trace.h>

enum { MAX_DOCS = 40, MAX_TOKENS = 30 };

typedef struct doc {
    uint32_t n, ids[MAX_TOKENS];
} doc;

typedef struct set {
    unsigned width, n_files, n_docs[3];
    doc docs[3][MAX_DOCS];
} set;

/* ---- a token set by the letter of artefacts 4 ---- */

static void put(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) p[i] = (uint8_t)(v >> 8 * i);
}

static void write_file(const set *s, unsigned file)
{
    cph_buf b;
    cph_buf_init(&b, 1 << 22);
    must(cph_buf_reserve(&b, 1 << 20, err));
    uint8_t *p = (uint8_t *)b.p;
    memset(p, 0, 1 << 20);
    uint64_t n = 0;
    for (unsigned d = 0; d < s->n_docs[file]; d++)
        for (uint32_t i = 0; i < s->docs[file][d].n; i++, n++)
            put(p + 128 + n * s->width, s->docs[file][d].ids[i], s->width);
    uint64_t table = (128 + n * s->width + 63) / 64 * 64, first = 0;
    memcpy(p, "CPHTOK1", 8);
    put(p + 8, 1, 4);
    put(p + 12, s->width, 4);
    put(p + 16, n, 8);
    put(p + 24, s->n_docs[file], 8);
    put(p + 32, table, 8);
    for (unsigned d = 0; d < s->n_docs[file]; d++) {
        uint8_t *row = p + table + 96 * d;
        put(row, first, 8);
        put(row + 8, s->docs[file][d].n, 4);
        put(row + 12, d % 3, 4);
        put(row + 16, d % 5, 4);
        row[24] = (uint8_t)d;
        row[56] = (uint8_t)(100 + d);
        first += s->docs[file][d].n;
    }
    char name[64];
    snprintf(name, sizeof name, "tokens/tokens-%05u.tok", file);
    must(cph_file_write(testing_path(name), p, table + 96 * s->n_docs[file], err));
    cph_buf_release(&b);
}

static cph_trace *indexed(const set *s)
{
    cph_arena a;
    cph_arena_init(&a, 0);
    must(cph_remove_tree(testing_path("tokens"), err));
    must(cph_remove_tree(testing_path("index"), err));
    must(cph_mkdirs(testing_path("tokens"), err));
    for (unsigned f = 0; f < s->n_files; f++) write_file(s, f);
    cph_seal seal = {.kind = "tokens", .content_root = true};
    cph_digest digest;
    must(cph_identity_new(&seal.identity, &a, err));
    must(cph_run_new(&seal.run, &a, 0, err));
    must(cph_seal_write(testing_path("tokens"), &a, &seal, &digest, err));
    cph_arena_release(&a);
    cph_trace *t;
    must(cph_trace_build(testing_path("tokens"), testing_path("index"), 0, NULL, err));
    must(cph_trace_open(&t, testing_path("index"), testing_path("tokens"), err));
    return t;
}

/* ---- brute force ---- */

/* Multiples of 3 begin a word, 5 is a delimiter. */
static unsigned flags_of(void *ctx, uint32_t id)
{
    (void)ctx;
    return (id % 3 == 0 ? CPH_TRACE_BEGINS_WORD : 0u) | (id == 5 ? CPH_TRACE_DELIMITER : 0u);
}

static bool begins(const cph_trace_opts *o, const uint32_t *ids, size_t n, size_t i)
{
    return i == 0 || i == n || !o->token_flags || (flags_of(NULL, ids[i]) & CPH_TRACE_BEGINS_WORD) ||
           ids[i - 1] == 5;
}

static uint32_t common(const doc *d, uint32_t from, const uint32_t *ids, size_t n)
{
    uint32_t k = 0;
    while (k < n && from + k < d->n && d->ids[from + k] == ids[k]) k++;
    return k;
}

/* Longest match from ids[at], cut as the door says; its places in file and document order. */
static uint32_t brute(const set *s, const cph_trace_opts *o, const uint32_t *ids, size_t n, size_t at,
                      cph_trace_hit *hits, uint64_t *count)
{
    uint32_t len = 0;
    for (int pass = 0; pass < 2; pass++) {
        uint64_t number = 0;
        *count = 0;
        for (unsigned f = 0; f < s->n_files; f++)
            for (unsigned d = 0; d < s->n_docs[f]; d++, number++)
                for (uint32_t i = 0; i < s->docs[f][d].n; i++) {
                    uint32_t k = common(&s->docs[f][d], i, ids + at, n - at);
                    if (pass == 0 && k > len) len = k;
                    if (pass == 1 && len && k >= len) hits[(*count)++] = (cph_trace_hit){number, i};
                }
        if (pass) break;
        for (uint32_t i = 0; i < len; i++)
            if (o->token_flags && ids[at + i] == 5) len = i + 1;
        while (len && !begins(o, ids, n, at + len)) len--;
    }
    return len;
}

static void expect_spans(const cph_trace *t, const set *s, const uint32_t *ids, size_t n,
                         const cph_trace_opts *o, uint32_t seed)
{
    static cph_trace_hit hits[3 * MAX_DOCS * MAX_TOKENS];
    cph_trace_result r;
    must(cph_trace_run(t, ids, n, o, &r, err));
    size_t found = 0, covered = 0, longest = 0;
    for (size_t at = 0; at < n; at++) {
        uint64_t count;
        if (!begins(o, ids, n, at)) continue;
        uint32_t len = brute(s, o, ids, n, at, hits, &count);
        if (!len || len < o->min_len || at + len <= covered || (o->max_cnt && count > o->max_cnt)) continue;
        covered = at + len;
        if (len > longest) longest = len;
        if (found == r.n_spans) fail_msg("seed %u: a span is missing", seed);
        const cph_trace_span *span = &r.spans[found++];
        if (span->begin != at || span->end != at + len || span->count != count)
            fail_msg("seed %u: span %u-%u x%u, expected %zu-%zu x%u", seed, span->begin, span->end,
                     (unsigned)span->count, at, at + len, (unsigned)count);
        if (o->max_hits == 0) {
            assert_int_equal(span->n_hits, count);
            for (uint64_t i = 0; i < count; i++)
                if (span->hits[i].doc != hits[i].doc || span->hits[i].at != hits[i].at)
                    fail_msg("seed %u: another place", seed);
        } else {
            assert_true(span->n_hits == (count < o->max_hits ? count : o->max_hits));
            for (uint32_t i = 1; i < span->n_hits; i++)
                assert_true(
                    span->hits[i - 1].doc < span->hits[i].doc ||
                    (span->hits[i - 1].doc == span->hits[i].doc && span->hits[i - 1].at < span->hits[i].at));
        }
        uint64_t counted;
        must(cph_trace_count(t, ids + at, len, &counted, err));
        assert_int_equal(counted, count);
    }
    assert_int_equal(found, r.n_spans);
    assert_int_equal(longest, r.longest);
    cph_trace_result_release(&r);
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 9;
}

static void random_set(set *s, uint32_t *seed)
{
    static const uint32_t bases[] = {0, 1, 250, 65529, 70000, 16777211};
    uint32_t base = bases[next(seed) % 6], letters = 1 + next(seed) % 6;
    *s = (set){.width = base >= 65000 || next(seed) % 4 == 0 ? 4 : 2, .n_files = 1 + next(seed) % 3};
    for (unsigned f = 0; f < s->n_files; f++) {
        s->n_docs[f] = next(seed) % MAX_DOCS;
        for (unsigned d = 0; d < s->n_docs[f]; d++) {
            s->docs[f][d].n = next(seed) % 4 == 0 ? next(seed) % 3 : next(seed) % MAX_TOKENS;
            for (uint32_t i = 0; i < s->docs[f][d].n; i++) s->docs[f][d].ids[i] = base + next(seed) % letters;
        }
    }
}

/* Stretches of documents, some across a boundary, some tokens replaced. */
static size_t random_query(const set *s, uint32_t *ids, uint32_t *seed)
{
    size_t n = 0;
    for (int part = 0; part < 4; part++) {
        unsigned f = next(seed) % s->n_files;
        if (!s->n_docs[f]) continue;
        const doc *d = &s->docs[f][next(seed) % s->n_docs[f]];
        for (uint32_t i = d->n ? next(seed) % d->n : 0, left = next(seed) % 12; i < d->n && left; i++, left--)
            ids[n++] = d->ids[i];
        if (next(seed) % 3 == 0) ids[n++] = next(seed) % 4 ? next(seed) % 8 : 16777215;
    }
    return n;
}

static void spans_agree_with_brute_force(void **state)
{
    (void)state;
    uint32_t seed = 20261124;
    for (int round = 0; round < 60; round++) {
        set s;
        uint32_t first = seed;
        random_set(&s, &seed);
        cph_trace *t = indexed(&s);
        for (int i = 0; i < 60; i++) {
            uint32_t ids[100];
            size_t n = random_query(&s, ids, &seed);
            cph_trace_opts o;
            cph_trace_opts_init(&o);
            o.min_len = 1 + next(&seed) % 4;
            o.max_cnt = next(&seed) % 2 ? 0 : 5;
            o.max_hits = next(&seed) % 2 ? 0 : 3;
            o.token_flags = next(&seed) % 2 ? flags_of : NULL;
            expect_spans(t, &s, ids, n, &o, first);
        }
        cph_trace_close(t);
    }
    testing_remove();
}

static void a_query_before_the_first_suffix_is_compared_with_it(void **state)
{
    (void)state;
    set s = {.width = 2, .n_files = 1, .n_docs = {1}, .docs = {{{.n = 2, .ids = {5, 7}}}}};
    cph_trace *t = indexed(&s);
    cph_trace_opts o;
    cph_trace_opts_init(&o);
    o.min_len = 1;
    cph_trace_result r;
    must(cph_trace_run(t, (uint32_t[]){5, 6}, 2, &o, &r, err));
    assert_int_equal(r.n_spans, 1);
    assert_int_equal(r.spans[0].end, 1);
    assert_int_equal(r.spans[0].hits[0].at, 0);
    cph_trace_result_release(&r);
    must(cph_trace_run(t, (uint32_t[]){1, 9}, 2, &o, &r, err)); /* before the first and after the last */
    assert_int_equal(r.n_spans, 0);
    cph_trace_result_release(&r);
    must(cph_trace_run(t, NULL, 0, &o, &r, err));
    assert_int_equal(r.n_spans, 0);
    cph_trace_result_release(&r);
    cph_trace_close(t);
    testing_remove();
}

static void a_match_does_not_cross_into_the_next_document(void **state)
{
    (void)state;
    /* The neighbour that shares most across the boundary is not the one that shares most within. */
    set s = {
        .width = 2,
        .n_files = 1,
        .n_docs = {3},
        .docs = {
            {{.n = 3, .ids = {1, 2, 3}}, {.n = 4, .ids = {4, 5, 6, 7}}, {.n = 5, .ids = {1, 2, 3, 4, 9}}}}};
    cph_trace *t = indexed(&s);
    cph_trace_opts o;
    cph_trace_opts_init(&o);
    o.min_len = 2;
    cph_trace_result r;
    must(cph_trace_run(t, (uint32_t[]){1, 2, 3, 4, 5, 6, 7}, 7, &o, &r, err));
    assert_int_equal(r.n_spans, 2);
    assert_true(r.spans[0].begin == 0 && r.spans[0].end == 4 && r.spans[0].count == 1 &&
                r.spans[0].hits[0].doc == 2);
    assert_true(r.spans[1].begin == 3 && r.spans[1].end == 7 && r.spans[1].hits[0].doc == 1);
    cph_trace_result_release(&r);
    cph_trace_close(t);
    testing_remove();
}

static void documents_and_their_tokens_are_told(void **state)
{
    (void)state;
    set s = {.width = 4, .n_files = 2, .n_docs = {1, 2},
             .docs = {{{.n = 2, .ids = {70000, 7}}}, {{.n = 1, .ids = {1}}, {.n = 3, .ids = {4, 5, 6}}}}};
    cph_trace *t = indexed(&s);
    assert_int_equal(cph_trace_n_docs(t), 3);
    cph_trace_doc d = cph_trace_doc_at(t, 2);
    assert_true(d.file == 1 && d.first == 1 && d.n_tokens == 3 && d.class_id == 1 && d.source_id == 1);
    assert_true(d.wkey.b[0] == 1 && d.dkey.b[0] == 101);
    uint32_t ids[10];
    assert_int_equal(cph_trace_copy(t, 2, 1, 10, ids), 2);
    assert_true(ids[0] == 5 && ids[1] == 6);
    assert_int_equal(cph_trace_copy(t, 0, 2, 10, ids), 0);
    assert_int_equal(cph_trace_copy(t, 0, 0, 1, ids), 1);
    assert_int_equal(ids[0], 70000);
    cph_trace_close(t);
    testing_remove();
}

static void the_file_is_as_artefacts_6_describes_it(void **state)
{
    (void)state;
    set s = {.width = 2,
             .n_files = 1,
             .n_docs = {2},
             .docs = {{{.n = 3, .ids = {2, 1, 2}}, {.n = 2, .ids = {2, 0}}}}};
    cph_trace_close(indexed(&s));
    cph_buf b;
    cph_buf_init(&b, 1000);
    must(cph_file_read(testing_path("index/sa-00000.bin"), 0, &b, err));
    assert_int_equal(b.n, 64 + 5 * 4);
    assert_memory_equal(b.p, "CPHSA1\0\0\1\0\0\0\4\0\0\0\5\0\0\0\0\0\0\0", 24);
    cph_digest d;
    must(cph_file_digest(testing_path("tokens/tokens-00000.tok"), &d, NULL, err));
    assert_memory_equal(b.p + 24, d.b, 32);
    static const uint8_t order[] = {4, 1, 2, 3, 0}; /* 0 | 1 2 | 2 | 2 0 | 2 1 2 */
    for (int i = 0; i < 5; i++) assert_int_equal(b.p[64 + 4 * i], order[i]);
    cph_buf_release(&b);
    testing_remove();
}

static void an_index_of_other_tokens_is_refused(void **state)
{
    (void)state;
    set s = {.width = 2, .n_files = 1, .n_docs = {1}, .docs = {{{.n = 2, .ids = {5, 7}}}}};
    cph_trace_close(indexed(&s));
    must(cph_remove_tree(testing_path("old"), err));
    assert_int_equal(rename(testing_path("index"), testing_path("old")), 0);
    s.docs[0][0].ids[0] = 6;
    cph_trace_close(indexed(&s));
    cph_trace *t;
    cph_err err = {0};
    assert_int_equal(cph_trace_open(&t, testing_path("old"), testing_path("tokens"), &err), CPH_USAGE);
    assert_non_null(strstr(err.what, "another token set"));
    assert_int_equal(cph_trace_open(&t, testing_path("tokens"), testing_path("index"), &err), CPH_USAGE);
    assert_int_equal(cph_trace_build(testing_path("index"), testing_path("x"), 0, NULL, &err), CPH_USAGE);
    assert_int_equal(cph_file_kind_of(testing_path("x")), CPH_FILE_NONE);
    testing_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_agree_with_brute_force),
        cmocka_unit_test(a_query_before_the_first_suffix_is_compared_with_it),
        cmocka_unit_test(a_match_does_not_cross_into_the_next_document),
        cmocka_unit_test(documents_and_their_tokens_are_told),
        cmocka_unit_test(the_file_is_as_artefacts_6_describes_it),
        cmocka_unit_test(an_index_of_other_tokens_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
