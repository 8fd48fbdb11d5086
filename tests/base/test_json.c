/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include <colophon/base/json.h>

static cph_status parse_as(const char *text, size_t n, cph_json_limits *l, char what[512])
{
    cph_arena a;
    cph_arena_init(&a, (size_t)1 << 26);
    cph_err err = {0};
    cph_json *v;
    cph_status s = cph_json_parse(&v, &a, (cph_str){text, n}, "t.json", l, &err);
    if (what) strcpy(what, err.what);
    cph_arena_release(&a);
    return s;
}

static void malformed_text_is_refused_with_its_place(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", " ", "{", "[1,]", "[1 2]", "{\"a\":1,}", "{a:1}", "[01]", "[1.]", "[1e]", "[+1]", "[.5]", "nul", "\"\\x\"", "\"\\u12\"",
        "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"a", "\"\t\"", "[1]x", "{\"a\":1,\"a\":2}", "NaN", "-", "\xff", "\"\xc0\x80\"",
        "{\"a\" 1}", "[,1]", "{,}", "]", "[\"\\"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char what[512];
        assert_int_equal(parse_as(bad[i], strlen(bad[i]), NULL, what), CPH_DATA);
        assert_non_null(strstr(what, "t.json: line "));
    }
    char what[512];
    parse_as("{\n \"a\": tru\n}", 13, NULL, what);
    assert_string_equal(what, "t.json: line 2, column 7: a value was expected");
}

static void a_million_brackets_meet_a_limit_and_not_the_stack(void **state)
{
    (void)state;
    char *deep = malloc(1000000);
    memset(deep, '[', 1000000);
    char what[512];
    assert_int_equal(parse_as(deep, 1000000, NULL, what), CPH_NOMEM);
    assert_string_equal(what, "t.json: line 1: nested deeper than 256");
    cph_json_limits l;
    cph_json_limits_init(&l);
    l.max_depth = 10000000;
    assert_int_equal(parse_as(deep, 100000, &l, what), CPH_DATA); /* unclosed, but no overflow */
    free(deep);
}

static void a_lone_surrogate_can_be_replaced_and_is_counted(void **state)
{
    (void)state;
    cph_arena a;
    cph_arena_init(&a, 0);
    cph_json_limits l;
    cph_json_limits_init(&l);
    l.replace_surrogates = true;
    cph_json *v;
    must(cph_json_parse(&v, &a, CPH_STR("\"\\ud83d\\ude00 \\ud800x\""), "t", &l, err));
    assert_true(cph_str_is(v->str, "\xf0\x9f\x98\x80 \xef\xbf\xbdx"));
    assert_int_equal(l.n_replaced, 1);
    cph_arena_release(&a);
}

static void the_canonical_form_sorts_keys_and_knows_integers_only(void **state)
{
    (void)state;
    cph_arena a;
    cph_arena_init(&a, 0);
    cph_buf b;
    cph_buf_init(&b, 4096);
    cph_json *v;
    must(cph_json_parse(&v, &a, CPH_STR(" { \"b\" : [1, -0, true,null], \"a\":{\"\\u000b\\n\":\"\xc3\xa5\\/\"} } "), "t", NULL, err));
    must(cph_json_canonical(&b, v, err));
    assert_string_equal(b.p, "{\"a\":{\"\\u000b\\n\":\"\xc3\xa5/\"},\"b\":[1,0,true,null]}");
    static const char *const bad[] = {"1.5", "1e3", "9007199254740992", "{\"\xc3\xa5\":1}"};
    for (size_t i = 0; i < 4; i++) {
        must(cph_json_parse(&v, &a, cph_str_of(bad[i]), "t", NULL, err));
        cph_err err = {0};
        size_t before = b.n;
        assert_int_equal(cph_json_canonical(&b, v, &err), CPH_DATA);
        assert_int_equal(b.n, before);
    }
    cph_buf_release(&b);
    cph_arena_release(&a);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    cph_buf b;
    cph_buf_init(&b, 4096);
    cph_jw w = cph_jw_on(&b);
    cph_jw_obj(&w);
    cph_jw_key(&w, "a");
    cph_jw_arr(&w);
    cph_jw_i64(&w, -5);
    cph_jw_double(&w, 1e-5);
    cph_jw_double(&w, 0.1);
    cph_jw_bool(&w, true);
    cph_jw_null(&w);
    cph_jw_end(&w);
    cph_jw_key(&w, "b");
    cph_jw_str(&w, CPH_STR("\"\n\x01"));
    cph_jw_key(&w, "c");
    cph_jw_obj(&w);
    cph_jw_end(&w);
    cph_jw_end(&w);
    must(cph_jw_done(&w, err));
    assert_string_equal(b.p, "{\"a\":[-5,1e-05,0.1,true,null],\"b\":\"\\\"\\n\\u0001\",\"c\":{}}");
    cph_arena a;
    cph_arena_init(&a, 0);
    cph_json *v;
    must(cph_json_parse(&v, &a, cph_buf_view(&b), "t", NULL, err));
    cph_buf c;
    cph_buf_init(&c, 4096);
    must(cph_json_write(&c, v, 0, err));
    assert_string_equal(c.p, b.p);
    double x;
    assert_true(cph_json_double(cph_json_at(cph_json_get(v, "a"), 1), &x) && x == 1e-5);
    cph_buf_release(&b);
    cph_buf_release(&c);
    cph_arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_text_is_refused_with_its_place),
        cmocka_unit_test(a_million_brackets_meet_a_limit_and_not_the_stack),
        cmocka_unit_test(a_lone_surrogate_can_be_replaced_and_is_counted),
        cmocka_unit_test(the_canonical_form_sorts_keys_and_knows_integers_only),
        cmocka_unit_test(what_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
