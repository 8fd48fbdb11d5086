/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_terms.c - the term table of the shared data, row by row. Rows of forum NO must agree;
 * the others are counted, because their rules come later.
 */
#include "testing.h"

#include <colophon/base/zstream.h>
#include <colophon/rights/decide.h>

#define N_FIELDS 19

static cph_arena arena;

/* ---- a row as facts ---- */

static void add_date(cph_json *o, const char *key, cph_str value, cph_str source)
{
    cph_json *v;
    if (cph_str_is(value, "-")) return;
    must(cph_json_new(&v, &arena, CPH_JSON_OBJECT, err));
    must(cph_json_set_str(v, &arena, "value", value, err));
    must(cph_json_set_str(v, &arena, "source", cph_str_is(source, "-") ? CPH_STR("catalogue") : source, err));
    must(cph_json_set(o, &arena, key, v, err));
}

static void add_text(cph_json *o, const char *key, cph_str value)
{
    if (!cph_str_is(value, "-")) must(cph_json_set_str(o, &arena, key, value, err));
}

static void add_contributors(cph_json *work, cph_str cell)
{
    cph_json *list, *c;
    cph_str rest = cell, one, part[6];
    must(cph_json_new(&list, &arena, CPH_JSON_ARRAY, err));
    while (!cph_str_is(cell, "-") && cph_str_split(&rest, ';', &one)) {
        for (int i = 0; i < 6; i++) assert_true(cph_str_split(&one, ':', &part[i]));
        must(cph_json_new(&c, &arena, CPH_JSON_OBJECT, err));
        add_text(c, "role", part[0]);
        add_date(c, "birth", part[1], part[3]);
        add_date(c, "death", part[2], part[3]);
        add_text(c, "nationality", part[4]);
        add_text(c, "flags", part[5]);
        must(cph_json_push(list, c, err));
    }
    must(cph_json_set(work, &arena, "contributors", list, err));
}

static void add_flags(cph_json *work, cph_str cell)
{
    cph_json *flags;
    cph_str rest = cell, one, name;
    must(cph_json_new(&flags, &arena, CPH_JSON_OBJECT, err));
    while (!cph_str_is(cell, "-") && cph_str_split(&rest, ',', &one)) {
        char key[32];
        assert_true(cph_str_split(&one, '=', &name));
        snprintf(key, sizeof key, "%.*s", CPH_FMT(name));
        add_text(flags, key, one);
    }
    must(cph_json_set(work, &arena, "flags", flags, err));
}

static cph_json *facts_of(const cph_str *f)
{
    cph_json *work;
    must(cph_json_new(&work, &arena, CPH_JSON_OBJECT, err));
    add_text(work, "urn", f[0]);
    add_text(work, "origin", f[3]);
    add_text(work, "form", f[4]);
    add_text(work, "published", f[5]);
    add_date(work, "pub", f[6], f[7]);
    add_date(work, "made", f[8], CPH_STR("catalogue"));
    add_contributors(work, f[9]);
    add_flags(work, f[10]);
    return work;
}

static void policy_of(cph_policy *p, const cph_str *f)
{
    cph_str rest = f[11], one, name;
    cph_policy_init(p);
    assert_true(cph_day_parse(f[1], &p->as_of));
    memcpy(p->forum, f[2].p, 2);
    p->ladder.on = true; /* "the test files have it on" */
    while (!cph_str_is(f[11], "-") && cph_str_split(&rest, ',', &one)) {
        uint64_t years = 0;
        assert_true(cph_str_split(&one, '=', &name));
        if (!cph_str_u64(one, &years)) continue;
        if (cph_str_is(name, "A")) p->ladder.foreign = (uint16_t)years;
        if (cph_str_is(name, "Ah")) p->ladder.home = (uint16_t)years;
        if (cph_str_is(name, "An")) p->ladder.newspaper = (uint16_t)years;
    }
}

static bool agrees(const cph_str *f, const cph_rulebase *r, bool say)
{
    static const char *const names[] = {"UND", "IC", "PD", "PD-ASSUMED"};
    cph_work w;
    cph_policy p;
    cph_term t;
    char day[24] = "-";
    policy_of(&p, f);
    must(cph_work_parse(&w, &arena, facts_of(f), err));
    must(cph_term_of(&t, &w, &p, r, err));
    if (t.first_pd_day) {
        cph_day_text(t.first_pd_day, day + 2);
        memcpy(day, ">=", 2);
        if (!t.at_least) memmove(day, day + 2, 12);
    }
    const char *reason = t.reason[0] ? t.reason : "-";
    bool same = cph_str_is(f[12], names[t.status]) && cph_str_is(f[13], reason) && cph_str_is(f[14], day) &&
                cph_str_is(f[15], t.rule);
    if (!same && say)
        print_message("%.*s: %s %s %s %s, the table says %.*s %.*s %.*s %.*s\n", CPH_FMT(f[0]),
                      names[t.status], reason, day, t.rule, CPH_FMT(f[12]), CPH_FMT(f[13]), CPH_FMT(f[14]),
                      CPH_FMT(f[15]));
    return same;
}

static void every_row_of_the_norwegian_table_agrees(void **state)
{
    (void)state;
    const char *table = testing_shared("rights/term_cases.tsv");
    if (!table) skip();
    cph_lines *lines;
    cph_rulebase *r;
    cph_str line, f[N_FIELDS];
    int n = 0, agreed = 0, n_no = 0, agreed_no = 0;
    cph_arena_init(&arena, 1u << 20);
    must(cph_rulebase_open(&r, "sample", err));
    must(cph_lines_open(&lines, table, 1u << 16, err));
    while (cph_lines_next(lines, &line, NULL) == CPH_OK) {
        cph_str rest = line;
        if (!cph_str_starts(line, "TC-")) continue;
        cph_arena_reset(&arena);
        for (int i = 0; i < N_FIELDS; i++) assert_true(cph_str_split(&rest, '\t', &f[i]));
        bool norway = cph_str_is(f[2], "NO"), same = agrees(f, r, norway);
        n++;
        n_no += norway;
        agreed += same;
        agreed_no += norway && same;
    }
    print_message("%d of %d rows of forum NO agree; %d of %d in all\n", agreed_no, n_no, agreed, n);
    cph_lines_close(lines);
    cph_rulebase_close(r);
    cph_arena_release(&arena);
    assert_int_equal(agreed_no, n_no);
    assert_true(n_no > 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_norwegian_table_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
