/* SPDX-License-Identifier: Apache-2.0 */
#include <colophon/base/memory.h>

#include "world.h"

static int set_up(void **state)
{
    (void)state;
    world_make();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    testing_remove();
    return 0;
}

static uint64_t le(const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = n; i-- > 0;) v = v << 8 | p[i];
    return v;
}

static void the_file_has_the_layout_of_artefacts_4(void **state)
{
    (void)state;
    world_doc docs[24];
    size_t n = world_docs(docs);
    cph_map m;
    must(cph_map_open(&m, testing_path("tokens/tokens-00000.tok"), err));
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++) all += docs[i].n_tokens;
    assert_memory_equal(m.p, "CPHTOK1\0", 8);
    assert_int_equal(le(m.p + 8, 4), 1);
    assert_int_equal(le(m.p + 12, 4), 2);
    assert_int_equal(le(m.p + 16, 8), all);
    assert_int_equal(le(m.p + 24, 8), n);
    uint64_t table = le(m.p + 32, 8);
    assert_int_equal(table % 64, 0);
    assert_int_equal(table, (128 + 2 * all + 63) / 64 * 64);
    assert_int_equal(m.n_bytes, table + 96 * n);
    for (int i = 104; i < 128; i++) assert_int_equal(m.p[i], 0);
    assert_int_equal(le(m.p + 128, 2), world_token(0, 0));
    const uint8_t *row = m.p + table + 96 * 5; /* the second part of document 4 */
    cph_digest w = key_of("work", docs[5].work), d = key_of("document", docs[5].document);
    assert_int_equal(le(row + 8, 4), docs[5].n_tokens);
    assert_int_equal(le(row + 12, 4), docs[5].work % 2);
    assert_int_equal(le(row + 16, 4), 0);
    assert_int_equal(le(row + 20, 4), 2);
    assert_memory_equal(row + 24, w.b, 32);
    assert_memory_equal(row + 56, d.b, 32);
    assert_int_equal(le(row + 88, 8), 0);
    cph_map_close(&m);
}

static void a_set_in_many_files_reads_as_one(void **state)
{
    (void)state;
    world_doc docs[24];
    size_t n = world_docs(docs);
    cph_tokens *t;
    uint32_t ids[100];
    world_tokens(testing_path("many"), testing_path("corpus"), testing_path("tokenizer"), docs, n, 70000,
                 100);
    must(cph_tokens_verify(testing_path("many"), err));
    must(cph_tokens_open(&t, testing_path("many"), err));
    assert_int_equal(cph_tokens_width(t), 4);
    assert_int_equal(cph_tokens_n_docs(t), n);
    uint32_t files = 0;
    for (uint64_t i = 0; i < n; i++) {
        cph_token_doc d = cph_tokens_doc(t, i);
        assert_int_equal(d.n_tokens, docs[i].n_tokens);
        cph_tokens_copy(t, i, 0, d.n_tokens, ids);
        for (uint32_t k = 0; k < d.n_tokens; k++) assert_int_equal(ids[k], world_token(i, k));
        if (d.file + 1 > files) files = d.file + 1;
        assert_true(d.first < 100 || d.n_tokens == 0 ||
                    d.first == 0); /* no document starts behind the limit */
    }
    assert_true(files > 3);
    assert_true(cph_str_is(cph_tokens_class(t, 1), "ECL(NO-PRESS)"));
    assert_int_equal(cph_tokens_class(t, 2).n, 0);
    assert_true(cph_str_is(cph_tokens_source(t, 0), "mets"));
    cph_tokens_close(t);
}

static void every_flipped_bit_is_found_and_named(void **state)
{
    (void)state;
    static const char *const names[] = {"tokens-00000.tok", CPH_TOKENS_LEAVES, "colophon.json"};
    must(cph_tokens_verify(testing_path("tokens"), err));
    for (int f = 0; f < 3; f++) {
        char path[CPH_PATH_MAX];
        cph_buf b;
        snprintf(path, sizeof path, "%s/%s", testing_path("tokens"), names[f]);
        cph_buf_init(&b, 1 << 24);
        must(cph_file_read(path, 0, &b, err));
        for (size_t at = 0; at < b.n; at += 1 + b.n / 97) {
            cph_err err = {0};
            b.p[at] ^= 0x10;
            must(cph_file_write(path, b.p, b.n, err));
            cph_status s = cph_tokens_verify(testing_path("tokens"), &err);
            assert_int_equal(s, CPH_DATA);
            assert_true(err.what[0]);
            b.p[at] ^= 0x10;
        }
        must(cph_file_write(path, b.p, b.n, err));
        cph_buf_release(&b);
    }
    must(cph_tokens_verify(testing_path("tokens"), err));
}

/* A header is foreign: no value of any byte may lead outside the file. */
static void hostile_headers_meet_a_sentence(void **state)
{
    (void)state;
    cph_map m;
    uint8_t head[CPH_TOKENS_HEADER];
    cph_token_header h;
    cph_err err;
    must(cph_map_open(&m, testing_path("tokens/tokens-00000.tok"), err));
    for (size_t at = 0; at < CPH_TOKENS_HEADER; at++)
        for (int v = 0; v < 256; v += 5) {
            memcpy(head, m.p, sizeof head);
            head[at] = (uint8_t)v;
            bool digest = at >= 40 && at < 104;
            if (head[at] == m.p[at] || digest) continue;
            cph_status s = cph_token_header_get(head, m.n_bytes, "x", &h, &err);
            /* A count that is wrong by less than the padding is found by the table's rows. */
            if (s == CPH_OK)
                assert_true(at == 16 && h.table + h.n_docs * CPH_TOKENS_ROW == m.n_bytes &&
                            CPH_TOKENS_HEADER + h.n_tokens * h.width <= h.table);
            else assert_int_equal(s, CPH_DATA);
        }
    assert_int_equal(cph_token_header_get(m.p, 127, "x", &h, &err), CPH_DATA);
    assert_int_equal(cph_token_header_get(m.p, m.n_bytes - 1, "x", &h, &err), CPH_DATA);
    must(cph_token_header_get(m.p, m.n_bytes, "x", &h, err));
    cph_map_close(&m);
}

static void a_full_disk_leaves_no_reader_in_doubt(void **state)
{
    (void)state;
    world_doc docs[24];
    size_t n = world_docs(docs);
    cph_digest zero = {{0}};
    for (uint64_t fail = 1; fail < 12; fail++) {
        uint32_t ids[100] = {0};
        cph_tokwrite w;
        cph_err err = {0};
        cph_status s = CPH_OK;
        char dir[CPH_PATH_MAX];
        snprintf(dir, sizeof dir, "%s-%llu", testing_path("full"), (unsigned long long)fail);
        must(cph_mkdirs(dir, err));
        cph_tokwrite_init(&w, dir, WORLD_VOCAB, &zero, &zero);
        w.file_limit = 300;
        cph_file_fail_at(fail);
        for (size_t i = 0; s == CPH_OK && i < n; i++)
            s = cph_tokwrite_add(&w, &(cph_token_doc){.n_tokens = docs[i].n_tokens}, ids, &err);
        if (s == CPH_OK) s = cph_tokwrite_close(&w, &err);
        cph_file_fail_at(0);
        cph_tokwrite_abandon(&w);
        assert_int_equal(s, CPH_IO);
        assert_non_null(strstr(err.what, "No space"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_has_the_layout_of_artefacts_4),
        cmocka_unit_test(a_set_in_many_files_reads_as_one),
        cmocka_unit_test(every_flipped_bit_is_found_and_named),
        cmocka_unit_test(hostile_headers_meet_a_sentence),
        cmocka_unit_test(a_full_disk_leaves_no_reader_in_doubt),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
