/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include <colophon/base/memory.h>
#include <colophon/base/philox.h>
#include <colophon/base/pool.h>

static void philox_gives_the_published_words(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
    for (size_t i = 0; i < 3; i++) {
        cph_philox_block b = cph_philox(rows[i].counter, rows[i].key);
        assert_memory_equal(b.w, rows[i].want, 16);
    }
    static const uint32_t want[4] = {0x0344ec08, 0xf4590b9b, 0x99945fb6, 0x3b00a578};
    for (uint64_t i = 0; i < 4; i++) assert_int_equal(cph_philox_word(42, 5, 2, 100, i), want[i]);
}

static void the_data_order_is_the_one_of_the_specification(void **state)
{
    (void)state;
    static const uint64_t epoch0[] = {9, 2, 1, 7, 8, 0, 4, 6, 5, 3}, epoch1[] = {4, 5, 0, 1, 6, 3, 2, 8, 7, 9};
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(cph_permute(1, 0, 10, i), epoch0[i]);
        assert_int_equal(cph_permute(1, 1, 10, i), epoch1[i]);
    }
    assert_int_equal(cph_permute(42, 0, 1000000, 0), 208046);
    assert_int_equal(cph_permute(42, 0, 1000000, 1), 429713);
    assert_int_equal(cph_permute(42, 0, 1000000, 999999), 361908);
    assert_int_equal(cph_permute(7, 3, 1, 0), 0);
}

static void sha256_agrees_however_the_bytes_are_cut(void **state)
{
    (void)state;
    char hex[CPH_HEX_DIGEST];
    cph_digest d = cph_sha256_of("abc", 3);
    cph_digest_hex(&d, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    uint8_t data[1000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7);
    for (size_t n = 0; n < 300; n++) {
        cph_sha256 h;
        cph_sha256_init(&h);
        for (size_t at = 0, k = 1; at < n; at += k, k = k % 67 + 1) cph_sha256_add(&h, data + at, at + k <= n ? k : n - at);
        cph_digest whole = cph_sha256_of(data, n), cut = cph_sha256_end(&h);
        assert_memory_equal(&whole, &cut, 32);
    }
}

static void checksums_know_the_spellings_of_mets(void **state)
{
    (void)state;
    char hex[129];
    assert_true(cph_checksum("md5", "abc", 3, hex));
    assert_string_equal(hex, "900150983cd24fb0d6963f7d28e17f72");
    assert_true(cph_checksum("SHA-1", "abc", 3, hex));
    assert_string_equal(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_true(cph_checksum("Sha-256", "abc", 3, hex));
    assert_false(cph_checksum("CRC32", "abc", 3, hex));
}

static void utf8_is_judged_as_unicode_does(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t valid, bad;
    } rows[] = {{"abc\xc3\xa5", 5, 0}, {"\xc0\x80", 0, 1}, {"\xed\xa0\x80", 0, 1}, {"\xe1\x80", 0, 2}, {"\xf0\x90\x80", 0, 3},
                {"\xf4\x90\x80\x80", 0, 1}, {"a\xff", 1, 1}, {"\xf0\x9f\x98\x80", 4, 0}, {"12345678\x80", 8, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = strlen(rows[i].text);
        assert_int_equal(cph_utf8_check(rows[i].text, n), rows[i].valid);
        if (rows[i].bad) assert_int_equal(cph_utf8_bad_len(rows[i].text + rows[i].valid, n - rows[i].valid), rows[i].bad);
    }
    for (uint32_t c = 0; c < 0x110000; c++) {
        char z[4];
        uint32_t back = 0;
        unsigned n = cph_utf8_encode(c, z), got = cph_utf8_decode(z, n, &back);
        if (c >= 0xD800 && c < 0xE000) assert_int_equal(got, 0);
        else assert_true(got == n && back == c);
    }
}

static void numbers_print_as_short_as_they_can(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *text;
    } rows[] = {{0.1, "0.1"}, {1e-5, "1e-05"}, {1e-4, "0.0001"}, {3, "3"}, {-2.5, "-2.5"}, {1e16, "1e+16"}, {123456789, "123456789"},
                {0.30000000000000004, "0.30000000000000004"}, {0, "0"}};
    char z[32];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cph_format_double(rows[i].x, z);
        assert_string_equal(z, rows[i].text);
    }
    cph_format_float(0.1f, z);
    assert_string_equal(z, "0.1");
}

static void the_memory_cap_gives_a_sentence(void **state)
{
    (void)state;
    cph_err err = {0};
    void *p = NULL;
    cph_memory_set_cap(cph_memory_in_use() + 4096);
    assert_int_equal(cph_alloc(&p, 8192, &err), CPH_NOMEM);
    assert_null(p);
    assert_non_null(strstr(err.what, "8.0 KiB more wanted"));
    assert_int_equal(cph_alloc(&p, 1024, &err), CPH_OK);
    assert_int_equal((uintptr_t)p % 64, 0);
    assert_int_equal(cph_realloc(&p, 1 << 20, &err), CPH_NOMEM); /* and p stands */
    memset(p, 1, 1024);
    cph_free(p);
    cph_memory_set_cap(0);
}

static void a_buffer_stops_at_its_maximum_and_keeps_what_it_had(void **state)
{
    (void)state;
    cph_buf b;
    cph_buf_init(&b, 10);
    must(cph_buf_z(&b, "12345678", err));
    assert_int_equal(cph_buf_z(&b, "abc", NULL), CPH_NOMEM);
    assert_string_equal(b.p, "12345678");
    must(cph_buf_z(&b, "ab", err));
    cph_buf_release(&b);
}

typedef struct counter {
    uint8_t seen[1000];
    size_t fails_from;
} counter;

static cph_status mark(void *arg, size_t task, unsigned worker, cph_err *err)
{
    (void)worker;
    counter *c = arg;
    if (task >= c->fails_from) return cph_fail(err, CPH_DATA, "task %zu", task);
    c->seen[task]++;
    return CPH_OK;
}

static void a_pool_runs_each_task_once_and_reports_the_first_failure(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 5; threads++) {
        cph_pool *p;
        must(cph_pool_open(&p, threads, err));
        for (int round = 0; round < 50; round++) {
            counter c = {.fails_from = 1000};
            must(cph_pool_run(p, 1000, mark, &c, err));
            for (size_t i = 0; i < 1000; i++) assert_int_equal(c.seen[i], 1);
            cph_err err = {0};
            counter f = {.fails_from = 300};
            assert_int_equal(cph_pool_run(p, 1000, mark, &f, &err), CPH_DATA);
            assert_string_equal(err.what, "task 300");
            for (size_t i = 0; i < 300; i++) assert_int_equal(f.seen[i], 1);
        }
        cph_pool_close(p);
    }
}

static void a_message_is_cut_at_a_whole_character(void **state)
{
    (void)state;
    cph_err err = {0};
    char text[1200];
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 2 < sizeof text; i += 2) memcpy(text + i, "\xc3\xa5", 3);
        text[sizeof text - 2 + shift % 2 - 1] = 0;
        cph_fail(&err, CPH_DATA, "%s", text);
        assert_int_equal(cph_utf8_check(err.what, strlen(err.what)), strlen(err.what));
        assert_true(strlen(err.what) >= sizeof err.what - 3);
    }
}

static void a_hint_keeps_the_status_even_without_an_err(void **state)
{
    (void)state;
    cph_err err = {0};
    cph_fail(&err, CPH_DATA, "x");
    assert_int_equal(cph_hint(&err, "y"), CPH_DATA);
    cph_fail(NULL, CPH_RIGHTS, "x");
    assert_int_equal(cph_hint(NULL, "y"), CPH_RIGHTS);
    assert_int_equal(cph_err_prefix(NULL, "z"), CPH_RIGHTS);
    assert_string_equal(err.hint, "y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_words),
        cmocka_unit_test(the_data_order_is_the_one_of_the_specification),
        cmocka_unit_test(sha256_agrees_however_the_bytes_are_cut),
        cmocka_unit_test(checksums_know_the_spellings_of_mets),
        cmocka_unit_test(utf8_is_judged_as_unicode_does),
        cmocka_unit_test(numbers_print_as_short_as_they_can),
        cmocka_unit_test(the_memory_cap_gives_a_sentence),
        cmocka_unit_test(a_buffer_stops_at_its_maximum_and_keeps_what_it_had),
        cmocka_unit_test(a_pool_runs_each_task_once_and_reports_the_first_failure),
        cmocka_unit_test(a_message_is_cut_at_a_whole_character),
        cmocka_unit_test(a_hint_keeps_the_status_even_without_an_err),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
