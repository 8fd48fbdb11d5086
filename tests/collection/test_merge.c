/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_merge.c - several statements about one work give one set of facts, in any order.
 */
#include "testing.h"
#include "collection_in.h"

static cph_arena arena;
static cph_buf text;

/* Merges n statements; returns the canonical facts. */
static const char *merged(const char *const *facts, size_t n, bool backwards)
{
    cph_statement at[8] = {{.key = {"urn:w", 5}}};
    cph_json *v, *out;
    for (size_t i = 0; i < n; i++) {
        cph_str copy;
        must(cph_arena_str(&arena, &copy, cph_str_of(facts[backwards ? n - 1 - i : i]), err));
        must(cph_json_parse(&v, &arena, copy, "test", NULL, err));
        at[i] = (cph_statement){.key = CPH_STR("urn:w"), .source = CPH_STR("works.jsonl:1"), .facts = v};
    }
    must(cph_merge_work(&out, &arena, CPH_STR("urn:w"), at, n, err));
    text.n = 0;
    must(cph_json_canonical(&text, out, err));
    return text.p;
}

static void assert_merges(const char *const *facts, size_t n, const char *holds)
{
    for (int backwards = 0; backwards < 2; backwards++) {
        const char *got = merged(facts, n, backwards);
        if (!strstr(got, holds)) fail_msg("%s\nlacks %s", got, holds);
    }
}

#define PUB(value, source) "{\"pub\":{\"value\":\"" value "\",\"source\":\"" source "\"}}"
#define IS(value, source) "\"pub\":{\"source\":\"" source "\",\"value\":\"" value "\"}"
#define MERGES(holds, ...)                                                                         \
    do {                                                                                           \
        static const char *const facts_[] = {__VA_ARGS__};                                         \
        assert_merges(facts_, sizeof facts_ / sizeof facts_[0], holds);                            \
    } while (0)

static void dates_that_agree_are_one_and_the_narrower_stands(void **state)
{
    (void)state;
    MERGES(IS("1950", "authority"), PUB("1950", "catalogue"), PUB("1950", "authority"));
    MERGES(IS("1950-03-02", "transcribed"), PUB("1950", "catalogue"), PUB("1950-03-02", "transcribed"));
    MERGES(IS("1945", "catalogue"), PUB("1940/1949", "authority"), PUB("1945", "catalogue"));
}

static void dates_that_disagree_stand_side_by_side_under_the_weaker_source(void **state)
{
    (void)state;
    MERGES(IS("1950|1960", "inferred"), PUB("1960", "authority"), PUB("1950", "inferred"));
    MERGES(IS("1950|1970", "catalogue"), PUB("1960", "authority"), PUB("1950", "catalogue"),
           PUB("1970", "authority"));
    MERGES(IS("1950|1970", "catalogue"), PUB("1950|1970", "catalogue"), PUB("1960", "authority"));
}

static void an_imputed_date_gives_way_to_a_real_one_and_never_confirms_it(void **state)
{
    (void)state;
    MERGES(IS("1950", "catalogue"), PUB("1950", "catalogue"), PUB("1814-05-17", "imputed"));
    MERGES(IS("1814|1900", "imputed"), PUB("1814", "imputed"), PUB("1900", "imputed"));
}

static void words_that_decide_and_differ_are_conflicts(void **state)
{
    (void)state;
    MERGES("\"conflict\":[\"origin\"]", "{\"origin\":\"NO\"}", "{\"origin\":\"SE\"}");
    MERGES("\"published\":\"yes\"", "{\"published\":\"unknown\"}", "{\"published\":\"yes\"}");
    MERGES("\"flags\":{\"disclosed\":\"unknown\"}", "{\"flags\":{\"disclosed\":\"yes\"}}",
           "{\"flags\":{\"disclosed\":\"no\"}}");
    MERGES("\"conflict\":[\"disclosed\"]", "{\"flags\":{\"disclosed\":\"yes\"}}",
           "{\"flags\":{\"disclosed\":\"no\"}}");
    MERGES("\"restriction\":\"contract-nc+privacy\"", "{\"restriction\":\"privacy\"}",
           "{\"restriction\":\"contract-nc\"}");
}

static void contributors_are_matched_by_role_and_name_and_the_others_added(void **state)
{
    (void)state;
#define MAN(role, name, more) "{\"role\":\"" role "\",\"name\":\"" name "\"" more "}"
    MERGES("\"contributors\":[{\"birth\":{\"source\":\"authority\",\"value\":\"1860\"},\"death\":{\"source\":"
           "\"catalogue\","
           "\"value\":\"1931\"},\"name\":\"A\",\"role\":\"author\"}]",
           "{\"contributors\":[" MAN(
               "author", "A",
               ",\"birth\":{\"value\":\"1860\",\"source\":\"authority\"},\"flags\":\"unid\"") "]}",
           "{\"contributors\":[" MAN("author", "A",
                                     ",\"death\":{\"value\":\"1931\",\"source\":\"catalogue\"}") "]}");
    MERGES("\"contributors\":[{\"name\":\"A\",\"role\":\"joint\"}]",
           "{\"contributors\":[" MAN("author", "A", "") "]}",
           "{\"contributors\":[" MAN("joint", "A", "") "]}");
    static const char *const more[] = {
        "{\"contributors\":[" MAN("author", "A", "") "," MAN("author", "", "") "]}",
        "{\"contributors\":[" MAN("author", "", "") "," MAN("author", "", "") "," MAN("preface", "A",
                                                                                      "") "]}"};
    const char *got = merged(more, 2, false);
    int n = 0;
    for (const char *p = got; (p = strstr(p, "\"role\"")); p++) n++;
    assert_int_equal(n, 4); /* A, two nameless authors, the preface */
    MERGES("\"conflict\":[\"nationality\"]",
           "{\"contributors\":[" MAN("author", "A", ",\"nationality\":\"NO\"") "]}",
           "{\"contributors\":[" MAN("author", "A", ",\"nationality\":\"US\"") "]}");
}

static void terms_of_a_licence_must_agree_but_its_works_add_up(void **state)
{
    (void)state;
    static const char *const facts[] = {"{\"id\":\"L\",\"to\":\"2027-01-01\",\"works\":[\"a\"]}",
                                        "{\"id\":\"L\",\"to\":\"2027-01-01\",\"works\":[\"b\"]}",
                                        "{\"id\":\"L\",\"works\":[\"b\"]}"};
    cph_statement at[3] = {{.key = {"L", 1}}};
    cph_json *v, *out;
    for (size_t i = 0; i < 3; i++) {
        must(cph_json_parse(&v, &arena, cph_str_of(facts[i]), "test", NULL, err));
        at[i].facts = v;
    }
    must(cph_merge_agreeing(&out, &arena, at, 2, err));
    assert_null(cph_json_get(out, "conflict"));
    assert_null(cph_json_get(out, "works"));
    must(cph_merge_agreeing(&out, &arena, at, 3, err));
    assert_int_equal(cph_json_get(out, "conflict")->n, 1); /* one says an end, one none */
}

static int begin(void **state)
{
    (void)state;
    cph_arena_init(&arena, 1u << 24);
    cph_buf_init(&text, 1u << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    cph_arena_release(&arena);
    cph_buf_release(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_that_agree_are_one_and_the_narrower_stands),
        cmocka_unit_test(dates_that_disagree_stand_side_by_side_under_the_weaker_source),
        cmocka_unit_test(an_imputed_date_gives_way_to_a_real_one_and_never_confirms_it),
        cmocka_unit_test(words_that_decide_and_differ_are_conflicts),
        cmocka_unit_test(contributors_are_matched_by_role_and_name_and_the_others_added),
        cmocka_unit_test(terms_of_a_licence_must_agree_but_its_works_add_up),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
