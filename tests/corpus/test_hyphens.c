/* SPDX-License-Identifier: Apache-2.0 */
/* Two halves of a word: HYP-03 to HYP-07, one case a row. */
#include "corpus_in.h"
#include "testing.h"

typedef struct row {
    const char *lang, *first, *second, *subs;
    bool hyp, part; /* a HYP element; SUBS_TYPE on both */
    const char *want;
    cph_join how;
} row;

static cph_lexicon *lexicon_of(const char *lang, const char *const *words)
{
    cph_lexicon *l;
    cph_digest d;
    must(cph_lexicon_open(&l, testing_dir(), 1, 1u << 20, err));
    for (; *words; words++) must(cph_lexicon_add(l, 0, cph_str_of(lang), cph_str_of(*words), err));
    must(cph_lexicon_finish(l, &d, err));
    return l;
}

static void check(const row *r, const cph_lexicon *l)
{
    cph_token a = {.text = cph_str_of(r->first), .subs = cph_str_of(r->subs), .hyp_element = r->hyp,
                   .hyphen = r->part ? CPH_HYP_PART1 : CPH_HYP_NONE};
    cph_token b = {.text = cph_str_of(r->second), .subs = cph_str_of(r->subs),
                   .hyphen = r->part ? CPH_HYP_PART2 : CPH_HYP_NONE};
    cph_hyphen_ctx x = {l, cph_str_of(r->lang), true};
    cph_hyphen_counts n = {0};
    cph_buf text;
    cph_join how;
    cph_buf_init(&text, 4096);
    must(cph_hyphen_join(&x, &a, a.text, &b, &text, &how, &n, err));
    if (!cph_str_is(cph_buf_view(&text), r->want) || how != r->how)
        fail_msg("%s + %s: got \"%.*s\" (%d), want \"%s\" (%d)", r->first, r->second,
                 CPH_FMT(cph_buf_view(&text)), how, r->want, r->how);
    cph_buf_release(&text);
}

static void the_producers_word_stands(void **state)
{
    static const row rows[] = {{"nob", "Ventilations-", "schachtes", "Ventilationsschachtes", true, true,
                                "Ventilationsschachtes", CPH_JOIN_ONE},
                               {"nob", "Ventilations", "schachtes", " Ventilationsschachtes", true, true,
                                "Ventilationsschachtes", CPH_JOIN_ONE},
                               {"nob", "Kjøben", "hafn", "Kjøbenhavn", true, true, "Kjøbenhavn",
                                CPH_JOIN_ONE},
                               {"eng", "In\xE2\x80\x94", "consequence", "Inconsequence", true, true,
                                "In\xE2\x80\x94"
                                "consequence",
                                CPH_JOIN_ONE},
                               {"nob", "Fol", "den-", "Folden", true, true, "Folden-", CPH_JOIN_ONE},
                               {"nob", "Na-r", "hcden", "Na-r-hcden", true, true, "Na-rhcden", CPH_JOIN_ONE}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check(&rows[i], NULL);
}

static void without_the_producers_word_the_signs_and_the_next_letter_decide(void **state)
{
    static const row rows[] = {
        {"nob", "1830-", "31", "", false, false, "1830-31", CPH_JOIN_ONE},
        {"nob", "Nord-", "Norge", "", false, false, "Nord-Norge", CPH_JOIN_ONE},
        {"nob", "inn-", "og", "", false, false, "inn-", CPH_JOIN_APART},
        {"nob", "inn", "og", "", true, false, "inn-", CPH_JOIN_APART},
        {"nob", "b\xC3\xA5t-", "en", "", false, false, "b\xC3\xA5ten", CPH_JOIN_ONE},
        {"nld", "in-", "en", "", false, false, "in-", CPH_JOIN_APART},
        {"nob", "Nord\xC2\xAC", "Norge", "", false, false, "NordNorge", CPH_JOIN_ONE},
        {"deu", "ver\xE2\xB8\x97", "gangen", "", false, false, "vergangen", CPH_JOIN_ONE},
        {"deu", "ver=", "gangen", "", false, false, "vergangen", CPH_JOIN_ONE},
        {"nob", "mil", "lioner,", "", true, false, "millioner,", CPH_JOIN_ONE},
        {"nob", "slutt-", "\xC2\xAB" "Ja", "", false, false, "slutt-", CPH_JOIN_APART}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check(&rows[i], NULL);
}

static void the_lexicon_of_the_collection_decides_what_remains(void **state)
{
    static const char *const nob[] = {"nord-norsk", "nord-norsk", "Nordnorsk,", "landbruk", NULL};
    static const char *const deu[] = {"Zucker", "Zucker", NULL};
    static const row norwegian[] = {{"nob", "nord-", "norsk", "", false, false, "nord-norsk", CPH_JOIN_ONE},
                                    {"nob", "land-", "bruk.", "", false, false, "landbruk.", CPH_JOIN_ONE},
                                    {"nno", "nord-", "norsk", "", false, false, "nordnorsk", CPH_JOIN_ONE}};
    static const row german = {"deu", "Zuk-", "ker", "", false, false, "Zucker", CPH_JOIN_ONE};
    (void)state;
    cph_lexicon *l = lexicon_of("nob", nob);
    for (size_t i = 0; i < 3; i++) check(&norwegian[i], l);
    cph_lexicon_close(l);
    l = lexicon_of("deu", deu);
    check(&german, l);
    cph_lexicon_close(l);
}

/* 3,000 words in two tables that spill all the time: the same list as in one that never does. */
static void a_lexicon_is_the_same_however_it_was_counted(void **state)
{
    cph_digest d[2];
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        cph_lexicon *l;
        must(cph_lexicon_open(&l, testing_dir(), 2, round ? 1u << 26 : 1, err));
        for (unsigned i = 0; i < 30000; i++) {
            char word[32];
            snprintf(word, sizeof word, "%s%u", i % 2 ? "Ord" : "ord", i * 7919 % 3000);
            must(cph_lexicon_add(l, round ? 0 : i % 2, CPH_STR("nob"), cph_str_of(word), err));
        }
        must(cph_lexicon_finish(l, &d[round], err));
        uint64_t n = 0;
        must(cph_lexicon_count(l, CPH_STR("nob"), CPH_STR("(ORD17)"), &n, err));
        assert_int_equal(n, 10);
        must(cph_lexicon_count(l, CPH_STR("nob"), CPH_STR("ord3000"), &n, err));
        assert_int_equal(n, 0);
        cph_lexicon_close(l);
    }
    assert_memory_equal(&d[0], &d[1], sizeof d[0]);
}

static int tidy(void **state)
{
    (void)state;
    testing_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_producers_word_stands),
        cmocka_unit_test(without_the_producers_word_the_signs_and_the_next_letter_decide),
        cmocka_unit_test(the_lexicon_of_the_collection_decides_what_remains),
        cmocka_unit_test(a_lexicon_is_the_same_however_it_was_counted)};
    return cmocka_run_group_tests(tests, NULL, tidy);
}
