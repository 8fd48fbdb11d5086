/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_normalise.c - each step of readers-and-corpus 18, alone and together.
 */
#include "testing.h"

#include <colophon/text/nfc.h>
#include <colophon/text/normalise.h>

static cph_normalise_counts seen;

static void expect(cph_normalise_opts o, const char *from, const char *to)
{
    cph_buf b;
    cph_buf_init(&b, 10000);
    seen = (cph_normalise_counts){0};
    must(cph_text_normalise(&b, cph_str_of(from), &o, &seen, err));
    assert_string_equal(b.p ? b.p : "", to);
    cph_buf_release(&b);
}

static cph_normalise_opts defaults(void)
{
    cph_normalise_opts o;
    cph_normalise_opts_init(&o);
    return o;
}

static void spaces_become_one_blank_and_ends_are_trimmed(void **state)
{
    (void)state;
    expect(defaults(), "  Nordlands\xC2\xA0\xC2\xA0 trompet\r\n\t", "Nordlands trompet");
    assert_int_equal(seen.spaces, 2 + 2 + 3);
    expect(defaults(), "ett ord", "ett ord");
    assert_int_equal(seen.spaces, 0);
    expect(defaults(), "ett\xC2\xA0ord", "ett ord");
    assert_int_equal(seen.spaces, 1);
    expect(defaults(), " \n ", "");
    cph_normalise_opts o = defaults();
    o.keep_lines = true;
    expect(o, " Ja, vi elsker \r\n  dette landet \n\n", "Ja, vi elsker\ndette landet");
}

static void controls_and_invisible_characters_go(void **state)
{
    (void)state;
    expect(defaults(), "\xEF\xBB\xBFskole\xC2\xADgård\xE2\x80\x8B\x01\x7F\xE2\x81\xA0", "skolegård");
    assert_int_equal(seen.controls, 6);
    /* What stood between a letter and its mark is gone before they are composed. */
    expect(defaults(), "a\xE2\x80\x8B\xCC\x8A", "å");
    assert_int_equal(seen.nfc, 1);
}

static void ligatures_become_letters_and_old_letters_only_on_demand(void **state)
{
    (void)state;
    expect(defaults(), "ﬁnne oﬀentlig ſkib", "finne offentlig ſkib");
    assert_int_equal(seen.ligatures, 2);
    cph_normalise_opts o = defaults();
    o.old_letters = true;
    expect(o, "ſkib fuͤr oꝛd", "skib für ord");
    assert_int_equal(seen.old_letters, 3);
}

static void mojibake_is_repaired_only_where_the_whole_paragraph_agrees(void **state)
{
    (void)state;
    cph_normalise_opts o = defaults();
    o.mojibake = true;
    expect(o, "BlÃ¥bÃ¦r og rÃ¸mme", "Blåbær og rømme");
    assert_int_equal(seen.mojibake, 1);
    expect(o, "â€œsagtâ€\xC2\x9D", "“sagt”");
    expect(o, "Blåbær", "Blåbær");
    expect(o, "BlÃ¥bær", "BlÃ¥bær"); /* not valid as a whole: left alone */
    assert_int_equal(seen.mojibake, 0);
    expect(o, "rÃƒÂ¸d", "rød"); /* twice encoded */
    expect(defaults(), "BlÃ¥bÃ¦r", "BlÃ¥bÃ¦r");
}

static void blanks_before_punctuation_go_on_demand(void **state)
{
    (void)state;
    cph_normalise_opts o = defaults();
    expect(o, "Ja , nei .", "Ja , nei .");
    o.blanks = true;
    expect(o, "Ja , nei . Hva ?", "Ja, nei. Hva?");
    assert_int_equal(seen.blanks, 3);
    o.french = true;
    expect(o, "Quoi ? Oui , bien .", "Quoi ? Oui, bien.");
}

static void quotes_and_dashes_stay(void **state)
{
    (void)state;
    expect(defaults(), "»Ja« – sa han — “nei” ‑ -", "»Ja« – sa han — “nei” ‑ -");
}

static void normalising_twice_changes_nothing_more(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "a", "ﬁ",  "\xCC\x8A",     " ", "\xC2\xA0", "\n",           "\xC2\xAD",     "ſ",    "Ã¥", "â€“",
        ".", " ,", "\xE2\x80\x8B", "ü", "uͤ",        "\xE1\x84\x80", "\xE1\x85\xA1", "\x01", "각", ";"};
    uint32_t seed = 7;
    for (int round = 0; round < 20000; round++) {
        char text[256] = "";
        uint32_t first = seed;
        for (int i = 0; i < 12; i++) {
            seed = seed * 1664525 + 1013904223;
            strcat(text, parts[(seed >> 10) % (sizeof parts / sizeof *parts)]);
        }
        cph_normalise_opts o = {.nfc = true,
                                .controls = seed >> 20 & 1,
                                .spaces = true,
                                .ligatures = seed >> 21 & 1,
                                .old_letters = seed >> 23 & 1,
                                .keep_lines = seed >> 24 & 1};
        cph_buf once, twice;
        cph_buf_init(&once, 4000);
        cph_buf_init(&twice, 4000);
        must(cph_text_normalise(&once, cph_str_of(text), &o, NULL, err));
        must(cph_text_normalise(&twice, cph_buf_view(&once), &o, NULL, err));
        if (!cph_str_eq(cph_buf_view(&once), cph_buf_view(&twice)))
            fail_msg("seed %u: \"%s\" -> \"%s\" -> \"%s\"", first, text, once.p, twice.p);
        cph_buf_release(&once);
        cph_buf_release(&twice);
    }
}

static void broken_utf8_is_refused_and_nothing_is_appended(void **state)
{
    (void)state;
    cph_buf b;
    cph_buf_init(&b, 100);
    must(cph_buf_z(&b, "x", err));
    cph_normalise_opts o = defaults();
    cph_err err = {0};
    assert_int_equal(cph_text_normalise(&b, CPH_STR("abc\xC3("), &o, &seen, &err), CPH_DATA);
    assert_string_equal(err.what, "byte 3 is not valid UTF-8");
    assert_int_equal(b.n, 1);
    cph_buf_release(&b);
}

static void the_list_of_steps_names_what_is_on(void **state)
{
    (void)state;
    cph_buf b;
    cph_buf_init(&b, 100);
    cph_normalise_opts o = defaults();
    must(cph_normalise_list(&b, &o, err));
    assert_string_equal(b.p, "nfc controls spaces ligatures");
    cph_buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spaces_become_one_blank_and_ends_are_trimmed),
        cmocka_unit_test(controls_and_invisible_characters_go),
        cmocka_unit_test(ligatures_become_letters_and_old_letters_only_on_demand),
        cmocka_unit_test(mojibake_is_repaired_only_where_the_whole_paragraph_agrees),
        cmocka_unit_test(blanks_before_punctuation_go_on_demand),
        cmocka_unit_test(quotes_and_dashes_stay),
        cmocka_unit_test(normalising_twice_changes_nothing_more),
        cmocka_unit_test(broken_utf8_is_refused_and_nothing_is_appended),
        cmocka_unit_test(the_list_of_steps_names_what_is_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
