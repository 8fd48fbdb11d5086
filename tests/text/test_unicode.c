/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_unicode.c - classes against the facts they were made from, NFC against
 * libutf8proc (Unicode 15.0) where that library is installed.
 */
#include <dlfcn.h>

#include "testing.h"

#include <colophon/text/nfc.h>
#include <colophon/text/unicode.h>

static size_t count(unsigned classes)
{
    size_t n = 0;
    for (uint32_t cp = 0; cp < 0x110000; cp++) n += cph_char_is(cp, classes);
    return n;
}

static void the_tables_hold_the_published_numbers_of_characters(void **state)
{
    (void)state;
    assert_int_equal(count(CPH_CHAR_LETTER), 141028);
    assert_int_equal(count(CPH_CHAR_NUMBER), 1911);
    assert_int_equal(count(CPH_CHAR_MARK), 2501);
    assert_int_equal(count(CPH_CHAR_SPACE), 25);
    assert_int_equal(count(CPH_CHAR_UPPER), 1858 + 31);
    assert_int_equal(count(CPH_CHAR_LOWER), 2258);
    assert_int_equal(count(CPH_CHAR_PUNCTUATION), 855);
    assert_int_equal(count(CPH_CHAR_SYMBOL), 8514);
    size_t words = 0, lower = 0;
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        words += cph_char_is_word(cp);
        lower += cph_char_lower(cp) != cp;
    }
    assert_int_equal(words, 144667);
    assert_int_equal(lower, 1488);
    assert_false(cph_char_is(0x110000, 255));
    assert_int_equal(cph_char_lower(0xFFFFFFFF), 0xFFFFFFFF);
}

static void white_space_is_the_25_characters_and_no_zero_width_ones(void **state)
{
    (void)state;
    static const uint32_t spaces[] = {9,    10,     11,     12,     13,     32,     0x85,
                                      0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        assert_true(cph_char_is(spaces[i], CPH_CHAR_SPACE));
    for (uint32_t cp = 0x2000; cp <= 0x200A; cp++) assert_true(cph_char_is(cp, CPH_CHAR_SPACE));
    assert_false(cph_char_is(0x200B, CPH_CHAR_SPACE));
    assert_false(cph_char_is(0xFEFF, CPH_CHAR_SPACE));
    assert_false(cph_char_is(0x180E, CPH_CHAR_SPACE));
}

static void lower_case_knows_no_context_and_no_locale(void **state)
{
    (void)state;
    cph_buf b;
    cph_buf_init(&b, 1000);
    must(cph_lower(&b, CPH_STR("ÆRØ ẞ İ ΣΑΣ"), err));
    assert_string_equal(b.p, "ærø ß i̇ σασ");
    cph_err err = {0};
    assert_int_equal(cph_lower(&b, CPH_STR("a\xFF"), &err), CPH_DATA);
    assert_int_equal(b.n, strlen("ærø ß i̇ σασ"));
    cph_buf_release(&b);
}

static void words_and_sentence_ends_are_found(void **state)
{
    (void)state;
    assert_int_equal(cph_word_count(CPH_STR("")), 0);
    assert_int_equal(cph_word_count(CPH_STR("  et\xC2\xA0ord \n til ")), 3);
    cph_str rest = CPH_STR(" a  bé "), word;
    assert_true(cph_word_next(&rest, &word) && cph_str_is(word, "a"));
    assert_true(cph_word_next(&rest, &word) && cph_str_is(word, "bé"));
    assert_false(cph_word_next(&rest, &word));
    assert_true(cph_text_ends_sentence(CPH_STR("Slik er det.")));
    assert_true(cph_text_ends_sentence(CPH_STR("«Er det slik?» ")));
    assert_true(cph_text_ends_sentence(CPH_STR("Og så …")));
    assert_false(cph_text_ends_sentence(CPH_STR("Og så,")));
    assert_false(cph_text_ends_sentence(CPH_STR("»")));
    assert_false(cph_text_ends_sentence(CPH_STR("")));
}

/* ---- NFC ---- */

static void assert_nfc(const char *from, const char *to)
{
    cph_buf b;
    cph_buf_init(&b, 10000);
    must(cph_nfc(&b, cph_str_of(from), err));
    assert_string_equal(b.p ? b.p : "", to);
    cph_buf_release(&b);
}

static void nfc_composes_letters_marks_and_hangul(void **state)
{
    (void)state;
    assert_nfc("", "");
    assert_nfc("a\xCC\x8A" "re", "åre");
    assert_nfc("\xE2\x84\xAB", "Å"); /* the sign for angstrom is the letter */
    assert_nfc("q\xCC\x87\xCC\xA3", "q\xCC\xA3\xCC\x87"); /* marks are put in order */
    assert_nfc("\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", "각");
    assert_nfc("\xCC\x8A", "\xCC\x8A");
    assert_nfc("\xE0\xA5\x98", "\xE0\xA4\x95\xE0\xA4\xBC"); /* a composition exclusion */
    assert_true(cph_nfc_quick(CPH_STR("blåbærsyltetøy")));
    assert_false(cph_nfc_quick(CPH_STR("a\xCC\x8A")));
}

static void a_million_marks_on_one_letter_take_no_long_time(void **state)
{
    (void)state;
    cph_buf in, out;
    cph_buf_init(&in, 10 << 20);
    cph_buf_init(&out, 10 << 20);
    must(cph_buf_char(&in, 'a', err));
    for (int i = 0; i < 1000000; i++) must(cph_buf_z(&in, i & 1 ? "\xCC\xA3" : "\xCC\x81", err));
    must(cph_nfc(&out, cph_buf_view(&in), err));
    assert_int_equal(out.n, 3 + 2 * 999999); /* one dot below composes; all dots come before all acutes */
    assert_memory_equal(out.p, "\xE1\xBA\xA1\xCC\xA3", 5);
    cph_buf_release(&in);
    cph_buf_release(&out);
}

typedef ptrdiff_t (*map_fn)(const uint8_t *, ptrdiff_t, uint8_t **, int);
enum { STABLE = 1 << 1, COMPOSE = 1 << 3, DECOMPOSE = 1 << 4 }; /* of utf8proc.h */

static void expect_same(map_fn map, const char *p, size_t n, unsigned seed)
{
    cph_buf c, d, again;
    cph_buf_init(&c, 1 << 20);
    cph_buf_init(&d, 1 << 20);
    cph_buf_init(&again, 1 << 20);
    uint8_t *expected;
    ptrdiff_t len = map((const uint8_t *)p, (ptrdiff_t)n, &expected, STABLE | COMPOSE);
    must(cph_nfc(&c, (cph_str){p, n}, err));
    if ((size_t)len != c.n || memcmp(expected, c.p, c.n) != 0) fail_msg("NFC differs, seed %u", seed);
    if (cph_nfc_quick((cph_str){p, n})) assert_memory_equal(p, c.p, n);
    free(expected);
    len = map((const uint8_t *)p, (ptrdiff_t)n, &expected, STABLE | DECOMPOSE);
    must(cph_nfd(&d, (cph_str){p, n}, err));
    if ((size_t)len != d.n || memcmp(expected, d.p, d.n) != 0) fail_msg("NFD differs, seed %u", seed);
    free(expected);
    must(cph_nfc(&again, cph_buf_view(&c), err));
    assert_int_equal(again.n, c.n);
    assert_memory_equal(again.p, c.p, c.n);
    cph_buf_release(&c);
    cph_buf_release(&d);
    cph_buf_release(&again);
}

static void normal_forms_agree_with_utf8proc(void **state)
{
    (void)state;
    void *lib = dlopen("libutf8proc.so.2", RTLD_NOW);
    if (!lib) {
        print_message("libutf8proc is not installed: skipped\n");
        skip();
    }
    map_fn map;
    *(void **)&map = dlsym(lib, "utf8proc_map");
    assert_non_null(map);
    char text[512];
    for (uint32_t cp = 1; cp < 0x110000; cp++) {
        if (cp >= 0xD800 && cp < 0xE000) continue;
        expect_same(map, text, cph_utf8_encode(cp, text), cp);
    }
    /* Strings drawn from what composes: Latin, Greek, marks, kana, Hangul jamo, Indic. */
    static const uint32_t from[][2] = {{'A', 60},      {0xC0, 0x1C0},  {0x300, 0x70},   {0x300, 0x70},
                                       {0x370, 0x90},  {0x900, 0x400}, {0x1100, 0x100}, {0x1E00, 0x200},
                                       {0x3040, 0xC0}, {0xAC00, 200},  {0x1D15E, 0x70}, {0x11930, 16}};
    uint32_t seed = 20261124;
    for (unsigned round = 0; round < 20000; round++) {
        size_t n = 0;
        uint32_t first = seed;
        for (int i = 0; i < 40; i++) {
            seed = seed * 1664525 + 1013904223;
            const uint32_t *r = from[(seed >> 8) % (sizeof from / sizeof *from)];
            n += cph_utf8_encode(r[0] + (seed >> 16) % r[1], text + n);
        }
        expect_same(map, text, n, first);
    }
    dlclose(lib);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_hold_the_published_numbers_of_characters),
        cmocka_unit_test(white_space_is_the_25_characters_and_no_zero_width_ones),
        cmocka_unit_test(lower_case_knows_no_context_and_no_locale),
        cmocka_unit_test(words_and_sentence_ends_are_found),
        cmocka_unit_test(nfc_composes_letters_marks_and_hangul),
        cmocka_unit_test(a_million_marks_on_one_letter_take_no_long_time),
        cmocka_unit_test(normal_forms_agree_with_utf8proc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
