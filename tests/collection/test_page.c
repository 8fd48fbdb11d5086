/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_page.c - a page's stored form reads back as it was, has one spelling, and refuses what is no page.
 */
#include "testing.h"

#include <colophon/collection/page.h>

static const cph_box none = {CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX};

static cph_page sample(void)
{
    static cph_token tokens[4];
    static cph_line lines[2];
    static cph_block blocks[2];
    tokens[0] = (cph_token){.text = CPH_STR("Venti\"lations"),
                            .subs = CPH_STR("Ventilationsschachtes"),
                            .box = {1, -2, 3, 4},
                            .wc = 78,
                            .hyphen = CPH_HYP_PART1,
                            .hyp_element = true};
    tokens[1] = (cph_token){.text = CPH_STR("schachtes"), .box = none, .wc = -1, .hyphen = CPH_HYP_PART2};
    tokens[2] = (cph_token){
        .text = CPH_STR("bl\xC3\xA5"), .box = {0, CPH_UNKNOWN_BOX, 7, 8}, .wc = 101, .space_before = true};
    tokens[3] = (cph_token){.text = CPH_STR("7"), .box = none, .wc = -1};
    lines[0] = (cph_line){0, 3, {5, 6, 7, 8}};
    lines[1] = (cph_line){3, 1, none};
    blocks[0] = (cph_block){.id = CPH_STR("b1"),
                            .lang = CPH_STR("nb"),
                            .division = CPH_STR("d"),
                            .type = CPH_STR("Table"),
                            .role = CPH_ROLE_table,
                            .n_lines = 1,
                            .box = {1, 2, 3, 4}};
    blocks[1] = (cph_block){
        .place = CPH_PLACE_top, .role = CPH_ROLE_page_number, .first_line = 1, .n_lines = 1, .box = none};
    return (cph_page){.blocks = blocks,
                      .lines = lines,
                      .tokens = tokens,
                      .n_blocks = 2,
                      .n_lines = 2,
                      .n_tokens = 4,
                      .engine = CPH_STR("e"),
                      .engine_version = CPH_STR("1"),
                      .ocr_date = CPH_STR("2026"),
                      .lang = CPH_STR("no"),
                      .gap_mode = true,
                      .n_strings = 5,
                      .n_empty = 1};
}

static void what_is_written_reads_back_and_writes_the_same(void **state)
{
    (void)state;
    cph_buf a, b;
    cph_arena arena;
    cph_page p = sample(), q;
    cph_buf_init(&a, 1 << 20);
    cph_buf_init(&b, 1 << 20);
    cph_arena_init(&arena, 1 << 20);
    must(cph_page_encode(&a, &p, err));
    must(cph_page_decode(&q, &arena, cph_buf_view(&a), "page", err));
    assert_true(cph_str_eq(q.tokens[0].text, p.tokens[0].text));
    assert_true(cph_str_eq(q.tokens[0].subs, p.tokens[0].subs));
    assert_true(q.tokens[0].hyp_element && q.tokens[0].hyphen == CPH_HYP_PART1);
    assert_int_equal(q.tokens[2].box.y, CPH_UNKNOWN_BOX);
    assert_int_equal(q.tokens[2].wc, 101);
    assert_true(q.tokens[2].space_before);
    assert_int_equal(q.blocks[1].place, CPH_PLACE_top);
    assert_true(cph_str_is(q.blocks[0].division, "d"));
    assert_true(q.gap_mode && q.n_strings == 5 && q.n_empty == 1);
    must(cph_page_encode(&b, &q, err));
    assert_true(cph_str_eq(cph_buf_view(&a), cph_buf_view(&b)));
    cph_buf_release(&a);
    cph_buf_release(&b);
    cph_arena_release(&arena);
}

static void a_token_that_says_nothing_more_is_its_word(void **state)
{
    (void)state;
    cph_page p = sample();
    cph_buf b;
    cph_buf_init(&b, 1 << 20);
    must(cph_page_encode(&b, &p, err));
    assert_non_null(strstr(b.p, "{\"tokens\":[[\"7\"]]}"));
    cph_buf_release(&b);
}

static void what_is_no_page_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"v\":2,\"strings\":0,\"empty\":0,\"blocks\":[]}",
        "{\"v\":1,\"strings\":0,\"empty\":0}",
        "{\"v\":1,\"strings\":0,\"empty\":0,\"blocks\":[{\"role\":\"nobody\",\"lines\":[]}]}",
        "{\"v\":1,\"strings\":0,\"empty\":0,\"blocks\":[{\"role\":\"body\"}]}",
        "{\"v\":1,\"strings\":0,\"empty\":0,\"blocks\":[{\"role\":\"body\",\"lines\":[{}]}]}",
        "{\"v\":1,\"strings\":0,\"empty\":0,\"blocks\":[{\"role\":\"body\",\"lines\":[{\"tokens\":[[\"\"]]}]}"
        "]}",
        "{\"v\":1,\"strings\":0,\"empty\":0,\"blocks\":[{\"role\":\"body\",\"lines\":[{\"tokens\":[[\"x\",6]]"
        "}]}]}",
        "{\"v\":1,\"strings\":0,\"empty\":0,\"blocks\":[{\"role\":\"body\",\"lines\":[{\"tokens\":[[\"x\",1,"
        "102]]}]}]}",
        "{\"v\":1,\"strings\":0,\"empty\":0,\"blocks\":[{\"role\":\"body\",\"lines\":[{\"tokens\":[[\"x\",1,"
        "1,1,1]]}]}]}",
        "{\"v\":1,\"strings\":0,\"empty\":0,\"blocks\":[{\"role\":\"body\",\"box\":[1,2,3],\"lines\":[]}]}",
    };
    cph_arena a;
    cph_arena_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cph_page p;
        if (cph_page_decode(&p, &a, cph_str_of(bad[i]), "page", NULL) != CPH_DATA)
            fail_msg("taken: %s", bad[i]);
    }
    cph_arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back_and_writes_the_same),
        cmocka_unit_test(a_token_that_says_nothing_more_is_its_word),
        cmocka_unit_test(what_is_no_page_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
