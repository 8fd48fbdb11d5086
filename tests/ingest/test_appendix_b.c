/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_appendix_b.c - every acceptance value of readers-and-corpus, Appendix B, on the book it was measured
 * on.
 */
#include "ingesting.h"

static const struct {
    const char *name;
    uint64_t value;
} values[] = {
    {"xml_bytes", 15505375},
    {"strings", 75234},
    {"sp", 57882},
    {"lines", 16660},
    {"blocks", 4715},
    {"blocks_print", 2977},
    {"blocks_composed", 1481},
    {"blocks_top", 218},
    {"blocks_left", 17},
    {"blocks_right", 10},
    {"blocks_bottom", 12},
    {"strings_print", 67393},
    {"strings_composed", 7602},
    {"strings_margins", 239},
    {"strings_top", 217},
    {"strings_left", 7},
    {"strings_right", 6},
    {"strings_bottom", 9},
    {"hyp", 1575},
    {"hyp_part1", 1575},
    {"hyp_part2", 1575},
    {"pairs_same_page", 1536},
    {"pairs_cross_page", 39},
    {"pairs_cross_block", 3},
    {"orphan_part1", 0},
    {"orphan_part2", 0},
    {"pairs_subs_equal", 1523},
    {"adjacent_without_sp", 760},
    {"wc_n", 75234},
    {"wc_mean_e4", 8912},
    {"wc_ge_98_permille", 93},
    {"wc_ge_90_permille", 700},
    {"pages", 237},
    {"pages_with_text", 235},
    {"pages_wc_mean_ge_90", 156},
    {"words_on_those_pages", 49630},
    {"words_in_blocks_wc_mean_ge_90", 51438},
    {"areas_logical", 1614},
    {"areas_dangling", 0},
    {"areas_end", 0},
    {"seq", 117},
    {"par", 237},
    {"linked_blocks", 1536},
    {"linked_composed", 78},
    {"linked_words", 68280},
    {"unlinked_print_blocks", 1441},
    {"unlinked_print_words", 6715},
    {"checksums_good", 237},
    {"checksums_stale", 0},
    {"tokens_after_joining", 73659},
    {"empty_strings", 0},
    {"duplicate_ids", 0},
};

static void composed_is(const cph_snapshot_object *o, const char *type, uint64_t want)
{
    const cph_json *list = cph_json_get(cph_json_get(meta_of(o), "counts"), "composed_by_type");
    uint64_t n = 0;
    for (const cph_json *t = list->first; t; t = t->next)
        if (cph_str_is(cph_json_get_str(t, "type"), type))
            assert_true(cph_json_u64(cph_json_get(t, "n"), &n));
    assert_int_equal(n, want);
}

static void the_sample_book_has_every_value_of_appendix_b(void **state)
{
    (void)state;
    const char *book = testing_shared("collections/notram/digibook_sample_alto");
    ingested g;
    unsigned wrong = 0;
    if (!book) skip();
    ingest_into(&g, "collection", &book, 1, NULL);
    assert_int_equal(g.report.added, 1);
    assert_int_equal(cph_snapshot_n_objects(g.snapshot), 1);
    cph_snapshot_object o = object_at(&g, 0);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint64_t have = count_of(&o, values[i].name);
        if (have == values[i].value) continue;
        print_error("%s: %llu, not %llu\n", values[i].name, (unsigned long long)have,
                    (unsigned long long)values[i].value);
        wrong++;
    }
    assert_int_equal(wrong, 0);
    composed_is(&o, "Formula", 47);
    composed_is(&o, "Table", 29);
    composed_is(&o, "Illustration", 2);
    ingested_close(&g);
}

/* LAW-1: Strings in = tokens + empty ones, page by page, as the stored pages have them. */
static void the_sample_book_loses_no_string(void **state)
{
    (void)state;
    const char *book = testing_shared("collections/notram/digibook_sample_alto");
    ingested g;
    uint64_t tokens = 0;
    if (!book) skip();
    ingest_into(&g, "balance", &book, 1, NULL);
    cph_snapshot_object o = object_at(&g, 0);
    for (uint32_t i = 0; i < o.n_pages; i++) {
        cph_page p;
        if (!page_of(&g, &o, i, &p)) continue;
        assert_int_equal(p.n_strings, p.n_tokens + p.n_empty);
        tokens += p.n_tokens;
    }
    assert_int_equal(tokens, 75234);
    ingested_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_book_has_every_value_of_appendix_b),
        cmocka_unit_test(the_sample_book_loses_no_string),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    testing_remove();
    return failed;
}
