/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages become paragraphs. A page is written here as text, one block after the
 * other: "role:" and then lines parted by "/", words by blanks. A word that ends in
 * "~X" is part 1 of the word X, one that begins with "~" is its part 2.
 */
#include "corpus_in.h"
#include "testing.h"

#define MAX_PAGES 16

typedef struct book {
    cph_arena a;
    cph_leaf leaves[MAX_PAGES];
    uint32_t n;
    cph_plan plan;
    cph_flow f;
} book;

static void add_word(book *b, cph_page *p, cph_str w, bool first)
{
    cph_token *t = &p->tokens[p->n_tokens++];
    *t = (cph_token){.text = w, .wc = 90, .space_before = !first};
    size_t tilde = cph_str_find(w, '~', 0);
    if (tilde == SIZE_MAX) return;
    t->hyphen = tilde ? CPH_HYP_PART1 : CPH_HYP_PART2;
    t->hyp_element = tilde != 0;
    if (tilde) t->text = cph_str_sub(w, 0, tilde);
    cph_str rest = cph_str_sub(w, tilde + 1, w.n);
    size_t bar = cph_str_find(rest, '|', 0);
    t->subs = tilde ? rest : bar == SIZE_MAX ? rest : cph_str_sub(rest, bar + 1, rest.n);
    if (!tilde) t->text = bar == SIZE_MAX ? rest : cph_str_sub(rest, 0, bar);
    (void)b;
}

static void add_block(book *b, cph_leaf *leaf, const char *text)
{
    cph_page *p = &leaf->page;
    cph_block *k = &p->blocks[p->n_blocks];
    cph_str rest = cph_str_of(text), line, word;
    *k = (cph_block){.first_line = p->n_lines,
                     .box = {CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX}};
    must(cph_arena_printf(&b->a, &k->id, err, "b%u", p->n_blocks));
    p->n_blocks++;
    size_t colon = cph_str_find(rest, ':', 0);
    assert_true(cph_role_parse(cph_str_sub(rest, 0, colon), &k->role));
    rest = cph_str_sub(rest, colon + 1, rest.n);
    while (cph_str_split(&rest, '/', &line)) {
        cph_line *l = &p->lines[p->n_lines];
        leaf->line_role[p->n_lines++] = (uint8_t)k->role;
        *l = (cph_line){.first_token = p->n_tokens};
        while (cph_str_split(&line, ' ', &word))
            if (word.n) add_word(b, p, word, p->n_tokens == l->first_token);
        l->n_tokens = p->n_tokens - l->first_token;
        k->n_lines++;
    }
}

static void add_page(book *b, const char *const *blocks)
{
    cph_leaf *leaf = &b->leaves[b->n++];
    void *mem;
    *leaf = (cph_leaf){.order = b->n};
    must(cph_arena_alloc0(&b->a, &mem, 64, sizeof(cph_block), err));
    leaf->page.blocks = mem;
    must(cph_arena_alloc0(&b->a, &mem, 256, sizeof(cph_line), err));
    leaf->page.lines = mem;
    must(cph_arena_alloc0(&b->a, &mem, 2048, sizeof(cph_token), err));
    leaf->page.tokens = mem;
    must(cph_arena_alloc0(&b->a, &mem, 256, 1, err));
    leaf->line_role = mem;
    for (; *blocks; blocks++) add_block(b, leaf, *blocks);
    leaf->page.n_strings = leaf->page.n_tokens;
}

static void begin(book *b)
{
    *b = (book){.n = 0};
    cph_arena_init(&b->a, 0);
}

static void run(book *b)
{
    cph_flow_opts o = {.hyphen = {NULL, CPH_STR("nob"), false}};
    cph_normalise_opts_init(&o.normal);
    must(cph_plan_make(&b->plan, &b->a, NULL, CPH_UNIT_VOLUME, CPH_STR("book"), b->leaves, b->n, err));
    assert_int_equal(b->plan.n_docs, 1);
    must(cph_flow_run(&b->f, &b->a, b->leaves, &b->plan, &b->plan.docs[0], &o, err));
    uint64_t strings = 0;
    for (uint32_t i = 0; i < b->n; i++) strings += b->leaves[i].page.n_strings;
    assert_int_equal(strings, b->f.balance.out + b->f.balance.absorbed + b->f.balance.dropped);
}

static void expect(const book *b, const char *const *want)
{
    uint32_t i = 0;
    for (; want[i]; i++) {
        if (i >= b->f.n_paragraphs) fail_msg("paragraph %u is missing: %s", i, want[i]);
        if (!cph_str_is(b->f.paragraphs[i].text, want[i]))
            fail_msg("paragraph %u is \"%.*s\", want \"%s\"", i, CPH_FMT(b->f.paragraphs[i].text), want[i]);
    }
    assert_int_equal(b->f.n_paragraphs, i);
}

static void words_go_on_across_line_block_and_page(void **state)
{
    book b;
    (void)state;
    begin(&b);
    add_page(&b, (const char *const[]){"body:Der laa Ven~Ventilen / ~tilen|Ventilen i sand og",
                                       "page_number:12", NULL});
    add_page(&b, (const char *const[]){"running_head:Kapitel",
                                       "body:grus uden ende. Bj\xC3\xB8r~Bj\xC3\xB8rnen", NULL});
    add_page(&b, (const char *const[]){"running_head:Kapitel", "body:~nen,|Bj\xC3\xB8rnen, / kom.", NULL});
    run(&b);
    expect(&b,
           (const char *const[]){"Der laa Ventilen i sand og grus uden ende. Bj\xC3\xB8rnen, kom.", NULL});
    assert_int_equal(b.f.hyphens.pairs_same_page, 1);
    assert_int_equal(b.f.hyphens.pairs_cross_page, 1);
    assert_int_equal(b.f.hyphens.restored, 1);
    assert_int_equal(b.f.n_splits, 1);
    assert_int_equal(b.f.splits[0].page, 2);
    cph_str text = b.f.paragraphs[0].text;
    assert_true(cph_str_starts(cph_str_sub(text, b.f.splits[0].offset, text.n), "nen,"));
    cph_arena_release(&b.a);
}

static void a_pair_stays_open_across_a_table(void **state)
{
    book b;
    (void)state;
    begin(&b);
    add_page(&b, (const char *const[]){"body:En Var~Varmegrad", "table:1 2 3 / 4 5~50 / ~0|50",
                                       "body:~megrad|Varmegrad steg.", NULL});
    run(&b);
    expect(&b, (const char *const[]){"En Varmegrad steg.", NULL});
    assert_int_equal(b.f.hyphens.pairs_same_page, 2);
    assert_int_equal(b.f.hyphens.pairs_cross_block, 1);
    assert_int_equal(b.f.balance.dropped, 6);
    assert_int_equal(b.f.balance.joined, 10 - 2);
    cph_arena_release(&b.a);
}

static void halves_without_a_partner_are_kept_and_counted(void **state)
{
    book b;
    (void)state;
    begin(&b);
    add_page(&b, (const char *const[]){"body:~tet|Stortet sa det. / Derpaa gik Kon~Kongen", NULL});
    run(&b);
    expect(&b, (const char *const[]){"tet sa det. Derpaa gik Kongen", NULL});
    assert_int_equal(b.f.hyphens.orphan_1, 1);
    assert_int_equal(b.f.hyphens.orphan_2, 1);
    cph_arena_release(&b.a);
}

static void a_second_half_that_nobody_marked_is_not_read_twice(void **state)
{
    book b;
    (void)state;
    begin(&b);
    add_page(&b, (const char *const[]){"body:Han tog Damp~Dampskibet / skibet, / og rejste.", NULL});
    run(&b);
    expect(&b, (const char *const[]){"Han tog Dampskibet, og rejste.", NULL});
    cph_arena_release(&b.a);
}

static void notes_stand_after_their_page_and_headings_alone(void **state)
{
    book b;
    (void)state;
    begin(&b);
    add_page(&b, (const char *const[]){"heading:F\xC3\xB8rste kapitel", "body:Det var en",
                                       "footnote:1 En note.", "caption:Et billede", NULL});
    add_page(&b, (const char *const[]){"body:gang en mand.", "body:Og en kone.", NULL});
    run(&b);
    expect(&b, (const char *const[]){"F\xC3\xB8rste kapitel", "Det var en gang en mand.", "Et billede",
                                     "1 En note.", "Og en kone.", NULL});
    assert_int_equal(b.f.paragraphs[1].n_segments, 2);
    cph_arena_release(&b.a);
}

static void verse_keeps_its_lines(void **state)
{
    book b;
    (void)state;
    begin(&b);
    add_page(&b, (const char *const[]){"verse:Ja vi elsker / dette lan~landet / ~det|landet som", NULL});
    run(&b);
    expect(&b, (const char *const[]){"Ja vi elsker\ndette landet som", NULL});
    cph_arena_release(&b.a);
}

static void heads_that_repeat_or_count_along_are_found(void **state)
{
    book b;
    (void)state;
    begin(&b);
    static const char *const right[] = {"Om vind", "Hvalfangst i nord", "Til slut"};
    static const char *const text[] = {"Det begyndte her / med en storm.",
                                       "Saa gik skibet / til bunds i fjorden.",
                                       "Alle mand reddet sig / undtagen kokken.",
                                       "Han sov / hele natten igjennem.",
                                       "Om morgenen / var han vaad.",
                                       "Ti aar efter / lo de endnu."};
    for (unsigned i = 0; i < 6; i++) {
        cph_str head, body;
        if (i % 2) must(cph_arena_printf(&b.a, &head, err, "body:%s %u", right[i / 2], i + 11));
        else must(cph_arena_printf(&b.a, &head, err, "body:%u Bokens tittel", i + 11));
        must(cph_arena_printf(&b.a, &body, err, "body:%s", text[i]));
        add_page(&b, (const char *const[]){head.p, body.p, NULL});
    }
    must(cph_heads_mark(b.leaves, b.n, &b.a, err));
    run(&b);
    assert_int_equal(b.f.n_paragraphs, 6);
    for (unsigned i = 0; i < 6; i++) assert_memory_equal(b.f.paragraphs[i].text.p, text[i], 3);
    assert_int_equal(b.f.roles[CPH_ROLE_running_head], 3 * 3 + 3 + 4 + 3);
    cph_arena_release(&b.a);
}

static void a_head_that_the_mets_left_out_is_known_by_its_page_number(void **state)
{
    book b;
    (void)state;
    begin(&b);
    add_page(&b, (const char *const[]){"body:Avisen", "body:Noget hendte.", NULL});
    add_page(&b, (const char *const[]){"body:2 Avisen 14. juni", "body:Mere hendte.", NULL});
    b.leaves[1].page.blocks[1].division = CPH_STR("D1");
    must(cph_heads_mark(b.leaves, b.n, &b.a, err));
    run(&b);
    expect(&b, (const char *const[]){"Avisen", "Noget hendte.", "Mere hendte.", NULL});
    cph_arena_release(&b.a);
}

static void text_at_the_edges_of_pages_is_no_head(void **state)
{
    book b;
    (void)state;
    begin(&b);
    static const char *const text[] = {"body:Og saa kom / en mand.",   "body:Og saa gik / manden igjen.",
                                       "body:Det var alt / for idag.", "body:I 1830 kom han / tilbake.",
                                       "body:Aaret 1831 var / godt.",  "body:Tilslut / slut."};
    for (unsigned i = 0; i < 6; i++) add_page(&b, (const char *const[]){text[i], NULL});
    must(cph_heads_mark(b.leaves, b.n, &b.a, err));
    run(&b);
    assert_int_equal(b.f.balance.dropped, 0);
    cph_arena_release(&b.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_go_on_across_line_block_and_page),
                                       cmocka_unit_test(a_pair_stays_open_across_a_table),
                                       cmocka_unit_test(halves_without_a_partner_are_kept_and_counted),
                                       cmocka_unit_test(a_second_half_that_nobody_marked_is_not_read_twice),
                                       cmocka_unit_test(notes_stand_after_their_page_and_headings_alone),
                                       cmocka_unit_test(verse_keeps_its_lines),
                                       cmocka_unit_test(heads_that_repeat_or_count_along_are_found),
                                       cmocka_unit_test(a_head_that_the_mets_left_out_is_known_by_its_page_number),
                                       cmocka_unit_test(text_at_the_edges_of_pages_is_no_head)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
