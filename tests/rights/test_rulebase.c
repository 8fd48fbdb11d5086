/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rulebase.c - the rule bases, their built-in copies, the page for lawyers and the
 * code name the same rules.
 */
#include "testing.h"
#include "rights_in.h"

#define MAX_IDS 256

typedef struct ids {
    char at[MAX_IDS][8];
    size_t n;
} ids;

static void add_id(ids *l, const char *p)
{
    char id[8];
    snprintf(id, sizeof id, "%.6s", p);
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->at[i], id) == 0) return;
    assert_true(l->n < MAX_IDS);
    memcpy(l->at[l->n++], id, sizeof id);
}

static bool has_id(const ids *l, const char *id)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->at[i], id) == 0) return true;
    return false;
}

static bool digit(char c) { return c >= '0' && c <= '9'; }

static void find_ids(ids *l, cph_str text, const char *before)
{
    size_t n = strlen(before);
    for (size_t i = 0; i + n + 6 <= text.n; i++)
        if (memcmp(text.p + i, before, n) == 0 && memcmp(text.p + i + n, "RR-", 3) == 0 &&
            digit(text.p[i + n + 3]))
            add_id(l, text.p + i + n);
}

static void read_source(cph_buf *b, const char *inside)
{
    char path[CPH_PATH_MAX];
    must(cph_path_join(path, CPH_SOURCE_DIR, inside, err));
    b->n = 0;
    must(cph_file_read(path, 0, b, err));
}

typedef struct walk_ctx {
    ids *list;
    cph_buf b;
} walk_ctx;

static cph_status each_file(void *ctx, cph_str path, uint64_t n_bytes, int64_t mtime, cph_err *err)
{
    walk_ctx *w = ctx;
    char inside[CPH_PATH_MAX];
    (void)n_bytes;
    (void)mtime;
    (void)err;
    if (!cph_str_ends(path, ".c") || cph_str_is(path, "builtin_rules.c")) return CPH_OK;
    snprintf(inside, sizeof inside, "src/rights/%.*s", CPH_FMT(path));
    read_source(&w->b, inside);
    find_ids(w->list, cph_buf_view(&w->b), "");
    return CPH_OK;
}

static void assert_same(const ids *x, const char *name_x, const ids *y, const char *name_y)
{
    for (size_t i = 0; i < x->n; i++)
        if (!has_id(y, x->at[i])) fail_msg("%s stands in %s and not in %s", x->at[i], name_x, name_y);
}

static void the_built_in_rules_are_the_files(void **state)
{
    (void)state;
    static const char *const files[] = {"rulebases/sample.json", "rulebases/house.json"}, *const names[] = {
                                                                                              "sample",
                                                                                              "house"};
    cph_buf b;
    cph_buf_init(&b, 1u << 22);
    for (int i = 0; i < 2; i++) {
        cph_rulebase *r;
        must(cph_rulebase_open(&r, names[i], err));
        read_source(&b, files[i]);
        cph_digest want = cph_sha256_of(b.p, b.n), got = cph_rulebase_digest(r);
        assert_memory_equal(&want, &got, sizeof want);
        assert_string_equal(cph_rulebase_name(r), names[i]);
        assert_int_equal(cph_rulebase_is_sample(r), i == 0);
        cph_rulebase_close(r);
    }
    cph_buf_release(&b);
}

static void code_page_and_rule_bases_name_the_same_rules(void **state)
{
    (void)state;
    static ids sample, house, page, code;
    cph_buf b;
    char dir[CPH_PATH_MAX];
    cph_buf_init(&b, 1u << 22);
    read_source(&b, "rulebases/sample.json");
    find_ids(&sample, cph_buf_view(&b), "\"id\": \"");
    read_source(&b, "rulebases/house.json");
    find_ids(&house, cph_buf_view(&b), "\"id\": \"");
    read_source(&b, "docs/rules.md");
    find_ids(&page, cph_buf_view(&b), "\n| ");
    walk_ctx w = {.list = &code};
    cph_buf_init(&w.b, 1u << 22);
    must(cph_path_join(dir, CPH_SOURCE_DIR, "src/rights", err));
    must(cph_walk(dir, each_file, &w, err));
    assert_same(&sample, "sample.json", &house, "house.json");
    assert_same(&house, "house.json", &sample, "sample.json");
    assert_same(&house, "house.json", &page, "docs/rules.md");
    assert_same(&page, "docs/rules.md", &house, "house.json");
    assert_same(&house, "house.json", &code, "src/rights");
    assert_same(&code, "src/rights", &house, "house.json");
    cph_buf_release(&w.b);
    cph_buf_release(&b);
}

static void nothing_in_the_house_is_confirmed_and_everything_in_the_sample_is(void **state)
{
    (void)state;
    cph_rulebase *sample, *house;
    must(cph_rulebase_open(&sample, "sample", err));
    must(cph_rulebase_open(&house, "house", err));
    assert_int_equal(sample->n_rules, house->n_rules);
    for (size_t i = 0; i < sample->n_rules; i++) {
        assert_true(sample->rules[i].confirmed_by.n > 0);
        assert_int_equal(house->rules[i].confirmed_by.n, 0);
    }
    cph_rulebase_close(sample);
    cph_rulebase_close(house);
}

static void try_edited(const char *from, const char *to, const char *says)
{
    cph_buf b, c;
    cph_rulebase *r = NULL;
    cph_err err;
    cph_buf_init(&b, 1u << 22);
    cph_buf_init(&c, 1u << 22);
    read_source(&b, "rulebases/house.json");
    const char *p = strstr(b.p, from);
    assert_non_null(p);
    must(cph_buf_add(&c, b.p, (size_t)(p - b.p), err));
    must(cph_buf_z(&c, to, err));
    must(cph_buf_z(&c, p + strlen(from), err));
    must(cph_file_write(testing_path("rules.json"), c.p, c.n, err));
    cph_status s = cph_rulebase_open(&r, testing_path("rules.json"), &err);
    if (says) {
        assert_int_equal(s, CPH_DATA);
        if (!strstr(err.what, says)) fail_msg("%s", err.what);
    } else {
        assert_int_equal(s, CPH_OK);
    }
    cph_rulebase_close(r);
    cph_buf_release(&b);
    cph_buf_release(&c);
    testing_remove();
}

static void a_rule_base_that_lacks_a_rule_or_a_number_is_refused(void **state)
{
    (void)state;
    try_edited("\"id\": \"RR-021\"", "\"id\": \"RR-921\"", "RR-021 is missing");
    try_edited("{\"years\": 70}", "{}", "the number \"years\" is missing");
    try_edited("\"id\": \"RR-021\"", "\"id\": \"RR-020\"", "stands twice");
    try_edited("\"sample\": false", "\"sample\": true", "built in");
    try_edited("\"from\": \"\"", "\"from\": \"yesterday\"", "is no day");
    try_edited("\"v\": 1", "\"v\": 2", "version 1");
    try_edited("\"confirmed_by\": \"\"", "\"confirmed_by\": \"A. Lawyer, 2026-11-01\"", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_rules_are_the_files),
        cmocka_unit_test(code_page_and_rule_bases_name_the_same_rules),
        cmocka_unit_test(nothing_in_the_house_is_confirmed_and_everything_in_the_sample_is),
        cmocka_unit_test(a_rule_base_that_lacks_a_rule_or_a_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
