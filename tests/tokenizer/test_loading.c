/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_loading.c - which tokenizer.json is read, which is refused and how; added
 * tokens in text by the table of tokenizers 3; layouts with a blank put before.
 */
#include "testing.h"

#include <colophon/base/json.h>
#include <colophon/base/log.h>
#include <colophon/base/memory.h>
#include <colophon/tokenizer/files.h>

static unsigned n_warnings;

static void count_warning(void *ctx, cph_level level, const char *text)
{
    (void)ctx;
    (void)text;
    n_warnings += level == CPH_WARN;
}

/* All 256 bytes, "ab" and "Ġab"; `added` is the list of added tokens, `extra` goes into the model. */
static void file_with(cph_buf *b, const char *added, bool prefix, const char *extra)
{
    static const char *const head =
        "{\"version\":\"1.0\",\"added_tokens\":[%s],\"pre_tokenizer\":{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":%s,\"trim_offsets\":true},\"decoder\":{\"type\":\"ByteLevel\"},"
        "\"model\":{\"type\":\"BPE\",%s\"vocab\":{";
    cph_buf_init(b, 1 << 20);
    must(cph_buf_printf(b, err, head, added, prefix ? "true" : "false", extra));
    for (uint32_t cp = 0x21, id = 0; cp <= 0x143; cp++) {
        if ((cp > 0x7E && cp < 0xA1) || cp == 0xAD) continue;
        char z[4];
        must(cph_json_quote(b, (cph_str){z, cph_utf8_encode(cp, z)}, err));
        must(cph_buf_printf(b, err, ":%u,", id++));
    }
    must(cph_buf_z(b, "\"ab\":256,\"Ġab\":257},\"merges\":[[\"a\",\"b\"],[\"Ġ\",\"ab\"]]}}", err));
}

static cph_tokenizer *with(const char *added, bool prefix, const char *extra)
{
    cph_buf b;
    cph_tokenizer *t;
    file_with(&b, added, prefix, extra);
    must(cph_tokenizer_parse(&t, cph_buf_view(&b), "test", err));
    cph_buf_release(&b);
    return t;
}

/* Offsets of the tokens with ids from `first` on must be these pairs. */
static void expect_hits(const cph_tokenizer *t, const char *text, uint32_t first, size_t n,
                        const uint32_t (*want)[2])
{
    cph_encoder *e;
    cph_ids ids = {0};
    must(cph_encoder_open(&e, t, err));
    must(cph_encode(e, cph_str_of(text), true, true, &ids, err));
    size_t found = 0;
    for (size_t i = 0; i < ids.n; i++) {
        if (ids.at[i] < first) continue;
        if (found == n || ids.begin[i] != want[found][0] || ids.end[i] != want[found][1])
            fail_msg("\"%s\": a hit at %u-%u", text, ids.begin[i], ids.end[i]);
        found++;
    }
    if (found != n) fail_msg("\"%s\": %zu hits", text, found);
    cph_ids_release(&ids);
    cph_encoder_close(e);
}

static void added_tokens_are_found_by_their_flags(void **state)
{
    (void)state;
    cph_tokenizer *t = with("{\"content\":\"<m>\",\"lstrip\":true,\"rstrip\":true}", false, "");
    expect_hits(t, "hey  <m>   hey", 258, 1, (const uint32_t[][2]){{3, 11}});
    expect_hits(t, " <m> <m> ", 258, 2, (const uint32_t[][2]){{0, 5}, {5, 9}});
    cph_tokenizer_close(t);
    t = with("{\"content\":\"<m>\",\"single_word\":true}", false, "");
    expect_hits(t, "hey<m> <m>hey <m>", 258, 1, (const uint32_t[][2]){{14, 17}});
    cph_tokenizer_close(t);
    t = with("{\"content\":\"@b\",\"single_word\":true}", false, "");
    expect_hits(t, "_@b @b_ é@b @b-", 258, 1, (const uint32_t[][2]){{13, 15}});
    cph_tokenizer_close(t);
    t = with("{\"content\":\"<m>\"},{\"content\":\"<m><m>\"}", false, "");
    expect_hits(t, "<m><m><m>", 258, 2, (const uint32_t[][2]){{0, 6}, {6, 9}});
    cph_tokenizer_close(t);
    t = with("{\"content\":\"<r>\",\"rstrip\":true},{\"content\":\" x\"}", false, "");
    expect_hits(t, "<r>  x x", 258, 2,
                (const uint32_t[][2]){{0, 5}, {6, 8}}); /* the earlier match keeps the blanks */
    cph_tokenizer_close(t);
}

static void ids_of_added_tokens_are_worked_out_and_not_believed(void **state)
{
    (void)state;
    uint32_t id;
    n_warnings = 0;
    cph_log_set((cph_log_sink){.message = count_warning});
    cph_tokenizer *t = with(
        "{\"id\":99,\"content\":\"<x>\"},{\"id\":5,\"content\":\"ab\"},{\"id\":7,\"content\":\"<y>\"},"
        "{\"id\":1,\"content\":\"\"},{\"content\":\"<x>\",\"special\":true}",
        false, "");
    cph_log_set((cph_log_sink){0});
    assert_true(cph_tokenizer_id(t, CPH_STR("<x>"), &id) && id == 258);
    assert_true(cph_tokenizer_id(t, CPH_STR("ab"), &id) && id == 256);
    assert_true(cph_tokenizer_id(t, CPH_STR("<y>"), &id) && id == 259);
    assert_false(cph_tokenizer_id(t, CPH_STR("<z>"), &id));
    assert_int_equal(cph_tokenizer_vocab_size(t), 260);
    assert_true(cph_tokenizer_is_special(t, 258));
    assert_false(cph_tokenizer_is_special(t, 259));
    assert_int_equal(n_warnings, 1);
    cph_tokenizer_close(t);
}

static void a_blank_put_before_shifts_no_offset(void **state)
{
    (void)state;
    cph_tokenizer *t = with("{\"content\":\"<m>\"}", true, "");
    cph_encoder *e;
    cph_ids ids = {0};
    must(cph_encoder_open(&e, t, err));
    must(cph_encode(e, CPH_STR("ab<m>ab ab"), true, true, &ids, err));
    static const uint32_t want[][3] = {{257, 0, 2}, {258, 2, 5}, {257, 5, 7}, {257, 7, 10}};
    assert_int_equal(ids.n, 4);
    for (int i = 0; i < 4; i++)
        assert_true(ids.at[i] == want[i][0] && ids.begin[i] == want[i][1] && ids.end[i] == want[i][2]);
    ids.n = 0;
    must(cph_encode(e, CPH_STR("åb"), true, true, &ids, err)); /* the blank stands for the first character */
    assert_int_equal(ids.n, 4);
    assert_true(ids.begin[0] == 0 && ids.end[0] == 2 && ids.begin[2] == 0 && ids.end[2] == 2);
    assert_true(ids.begin[3] == 2 && ids.end[3] == 3);
    cph_ids_release(&ids);
    cph_encoder_close(e);
    cph_tokenizer_close(t);
}

static void bytes_without_a_token_are_left_out_and_offsets_stay_right(void **state)
{
    (void)state;
    cph_tokenizer *t;
    must(cph_tokenizer_parse(
        &t,
        CPH_STR(
            "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
            "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"a\":0,\"c\":9},\"merges\":[]}}"),
        "test", err));
    cph_encoder *e;
    cph_ids ids = {0};
    must(cph_encoder_open(&e, t, err));
    for (int round = 0; round < 2; round++) { /* the second time the word could be in the cache */
        ids.n = 0;
        must(cph_encode(e, CPH_STR("abca"), false, true, &ids, err));
        assert_int_equal(ids.n, 3);
        assert_true(ids.at[1] == 9 && ids.begin[1] == 2 && ids.end[1] == 3 && ids.begin[2] == 3);
    }
    assert_int_equal(cph_tokenizer_vocab_size(t), 10);
    assert_int_equal(cph_tokenizer_token(t, 5).n, 0);
    cph_ids_release(&ids);
    cph_encoder_close(e);
    cph_tokenizer_close(t);
}

static void ignore_merges_takes_whole_tokens(void **state)
{
    (void)state;
    cph_tokenizer *t;
    must(cph_tokenizer_parse(
        &t,
        CPH_STR("{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
                "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"ignore_merges\":true,"
                "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"abab\":3,\"Ġ\":4},\"merges\":[\"a b\"]}}"),
        "test", err));
    cph_encoder *e;
    cph_ids ids = {0};
    must(cph_encoder_open(&e, t, err));
    must(cph_encode(e, CPH_STR("abab ab"), false, false, &ids, err));
    assert_int_equal(ids.n, 3);
    assert_true(ids.at[0] == 3 && ids.at[1] == 4 && ids.at[2] == 2);
    cph_ids_release(&ids);
    cph_encoder_close(e);
    cph_tokenizer_close(t);
}

static void expect_case(const cph_json *v)
{
    cph_str name = cph_json_get_str(v, "name"), hf = cph_json_get_str(v, "hf"),
            text = cph_json_get_str(v, "json");
    cph_tokenizer *t;
    cph_err err = {0};
    cph_status s = cph_tokenizer_parse(&t, text, "case", &err);
    bool broken = !cph_str_starts(hf, "loads") && !cph_str_starts(name, "extra"),
         twice = cph_str_is(name, "dup id");
    if (s == CPH_OK) cph_tokenizer_close(t);
    /* What Hugging Face refuses is refused; what it loads may be of a kind that is not built, and is named then. */
    if ((broken || twice) && s != CPH_DATA && s != CPH_USAGE) fail_msg("%.*s: status %d", CPH_FMT(name), s);
    if (!broken && !twice && s != CPH_OK && s != CPH_USAGE) fail_msg("%.*s: %s", CPH_FMT(name), err.what);
    if (s == CPH_USAGE && !strstr(err.what, "not built yet")) fail_msg("%.*s: %s", CPH_FMT(name), err.what);
}

static void the_load_cases_are_answered_as_the_table_says(void **state)
{
    (void)state;
    const char *path = testing_shared("tokenizers/components/load_cases.jsonl");
    if (!path) skip();
    cph_buf text;
    cph_buf_init(&text, 1 << 24);
    must(cph_file_read(path, 0, &text, err));
    cph_str rest = cph_buf_view(&text), line;
    while (cph_str_split(&rest, '\n', &line)) {
        if (!line.n) continue;
        cph_arena a;
        cph_arena_init(&a, 0);
        cph_json *v;
        must(cph_json_parse(&v, &a, line, "load_cases", NULL, err));
        expect_case(v);
        cph_arena_release(&a);
    }
    cph_buf_release(&text);
}

static void refusals_name_key_and_kind(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        cph_status status;
        const char *says;
    } cases[] = {
        {"[]", CPH_DATA, "no JSON object"},
        {"{\"version\":\"2.0\"}", CPH_DATA, "version"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", CPH_USAGE, "\"Unigram\""},
        {"{\"model\":{\"vocab\":{\"a\":4000000000},\"merges\":[]}}", CPH_DATA, "beyond any vocabulary"},
        {"{\"model\":{\"vocab\":{\"a\":1,\"b\":1},\"merges\":[]}}", CPH_DATA, "two tokens have the id 1"},
        {"{\"model\":{\"vocab\":{\"a\":1,\"a\":2},\"merges\":[]}}", CPH_DATA, "stands twice"},
        {"{\"model\":{\"vocab\":{\"a\":0,\"b\":1},\"merges\":[[\"a\",\"b\"]]}}", CPH_DATA,
         "\"ab\" is not in the vocabulary"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a  b\"]}}", CPH_DATA, "two parts"},
        {"{\"normalizer\":{\"type\":\"NFC\"},\"model\":{\"vocab\":{},\"merges\":[]}}", CPH_USAGE,
         "normalizer: the kind \"NFC\""},
        {"{\"pre_tokenizer\":{\"type\":\"Metaspace\"},\"model\":{\"vocab\":{},\"merges\":[]}}", CPH_USAGE,
         "\"Metaspace\""},
        {"{\"model\":{\"vocab\":{\"\\ud800\":0},\"merges\":[]}}", CPH_DATA, "line 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cph_err err = {0};
        cph_tokenizer *t = NULL;
        cph_status s = cph_tokenizer_parse(&t, cph_str_of(cases[i].json), "file", &err);
        if (s != cases[i].status || !strstr(err.what, cases[i].says))
            fail_msg("%s: %s", cases[i].json, err.what);
        assert_null(t);
        assert_true(strncmp(err.what, "file: ", 6) == 0);
    }
}

static void failing_allocations_are_sentences_and_leak_nothing(void **state)
{
    (void)state;
    cph_buf b;
    file_with(&b, "{\"content\":\"<m>\",\"special\":true}", true, "");
    for (uint64_t n = 1;; n++) {
        cph_tokenizer *t = NULL;
        cph_encoder *e = NULL;
        cph_ids ids = {0};
        cph_err err = {0};
        uint64_t before = cph_memory_in_use();
        cph_memory_fail_at(n);
        cph_status s = cph_tokenizer_parse(&t, cph_buf_view(&b), "test", &err);
        if (s == CPH_OK) s = cph_encoder_open(&e, t, &err);
        if (s == CPH_OK)
            s = cph_encode(e, CPH_STR("ab cab <m> ababababababababababababababababababababababab"), true,
                           true, &ids, &err);
        cph_memory_fail_at(0);
        if (s != CPH_OK) assert_int_equal(s, CPH_NOMEM);
        cph_ids_release(&ids);
        cph_encoder_close(e);
        cph_tokenizer_close(t);
        assert_int_equal(cph_memory_in_use(), before);
        if (s == CPH_OK) break;
    }
    cph_buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(added_tokens_are_found_by_their_flags),
        cmocka_unit_test(ids_of_added_tokens_are_worked_out_and_not_believed),
        cmocka_unit_test(a_blank_put_before_shifts_no_offset),
        cmocka_unit_test(bytes_without_a_token_are_left_out_and_offsets_stay_right),
        cmocka_unit_test(ignore_merges_takes_whole_tokens),
        cmocka_unit_test(the_load_cases_are_answered_as_the_table_says),
        cmocka_unit_test(refusals_name_key_and_kind),
        cmocka_unit_test(failing_allocations_are_sentences_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
