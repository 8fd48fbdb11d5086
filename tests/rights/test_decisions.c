/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_decisions.c - the decision table of the shared data: rows of steps 1, 2, 3 and 6 of RR-150
 * must agree; rows of open licences (step 4) and statutory exceptions (step 5) come later.
 */
#include "testing.h"

#include <colophon/base/zstream.h>
#include <colophon/rights/decide.h>

#define N_FIELDS 22

static cph_arena arena;
static cph_rulebase *rules;
static const char *rules_name;

static cph_json *parsed(const char *text)
{
    cph_json *v;
    cph_str copy;
    must(cph_arena_str(&arena, &copy, cph_str_of(text), err));
    must(cph_json_parse(&v, &arena, copy, "test", NULL, err));
    return v;
}

static cph_json *printed(const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return parsed(text);
}

/* Facts that have the status of the row on the row's day. */
static cph_json *work_with(cph_str status, cph_str pub, bool imputed, cph_str licence, cph_str restriction)
{
    const char *form = cph_str_is(licence, "ECL-NO-PRESS") ? "article" : "book";
    const char *who = "\"death\":{\"value\":\"2000\",\"source\":\"authority\"}";
    if (cph_str_is(status, "PD")) who = "\"death\":{\"value\":\"1850\",\"source\":\"authority\"}";
    if (cph_str_is(status, "PD-ASSUMED")) who = "\"birth\":{\"value\":\"1800\",\"source\":\"authority\"}";
    if (cph_str_is(status, "UND:NO_DEATH_DATE")) who = "\"name\":\"N\"";
    cph_json *w =
        printed("{\"urn\":\"urn:w\",\"origin\":\"NO\",\"form\":\"%s\",\"published\":\"yes\",\"contributors\":"
                "[{\"role\":\"author\",\"nationality\":\"NO\",%s}],\"restriction\":\"%.*s\"}",
                form, who, cph_str_is(restriction, "-") ? 0 : (int)restriction.n, restriction.p);
    if (!cph_str_is(pub, "-"))
        must(cph_json_set(w, &arena, "pub", printed("{\"value\":\"%.*s\",\"source\":\"%s\"}", CPH_FMT(pub),
                                                    imputed ? "imputed" : "catalogue"), err));
    return w;
}

static cph_str extra_of(cph_str cell, const char *name)
{
    cph_str rest = cell, one, key;
    while (!cph_str_is(cell, "-") && cph_str_split(&rest, ',', &one))
        if (cph_str_split(&one, '=', &key) && cph_str_is(key, name)) return one;
    return (cph_str){"", 0};
}

static void quoted_list(char *out, size_t size, cph_str joined)
{
    cph_str rest = joined, one;
    size_t n = 0;
    out[0] = 0;
    while (joined.n && cph_str_split(&rest, '+', &one))
        n += (size_t)snprintf(out + n, size - n, "%s\"%.*s\"", n ? "," : "", CPH_FMT(one));
}

static cph_json *licences_of(cph_str cell)
{
    char purposes[256];
    if (cph_str_is(cell, "ECL-NO-PRESS"))
        return parsed("[{\"id\":\"ECL-NO-PRESS\",\"type\":\"ecl-press\",\"purposes\":[\"train-*\"],"
                      "\"countries\":[\"NO\"],"
                      "\"from\":\"2025-12-19\",\"window\":\"1y\",\"licence_at_least\":\"NB-License\"}]");
    if (cph_str_is(cell, "BOKHYLLA"))
        return parsed(
            "[{\"id\":\"BOKHYLLA\",\"type\":\"ecl-books\",\"purposes\":[\"search\",\"snippet\",\"display\"],"
            "\"countries\":[\"NO\"],\"published_until\":\"2005\",\"tiers\":{\"display\":[\"national-ip\"]}}"
            "]");
    if (cph_str_is(cell, "ECL-DK-TDM"))
        return parsed(
            "[{\"id\":\"ECL-DK-TDM\",\"type\":\"ecl-tdm\",\"purposes\":[\"train-internal\",\"features\"],"
            "\"countries\":[\"DK\"]}]");
    if (cph_str_is(cell, "CONSENT")) return parsed("[{\"type\":\"consent\",\"purposes\":[\"*\"]}]");
    if (!cph_str_starts(cell, "LIC[")) return parsed("[]");
    cph_str rest = cph_str_sub(cell, 4, cell.n - 5), from, to, dots = {"", 0};
    assert_true(cph_str_split(&rest, '.', &from) && cph_str_split(&rest, '.', &dots) &&
                cph_str_split(&rest, ';', &to));
    quoted_list(purposes, sizeof purposes, rest);
    return printed("[{\"type\":\"contract\",\"from\":\"%.*s\",\"to\":\"%.*s\",\"purposes\":[%s]}]",
                   CPH_FMT(from), CPH_FMT(to), purposes);
}

static cph_json *blocks_of(cph_str cell)
{
    char purposes[256];
    cph_str rest = cell, kind;
    if (cph_str_is(cell, "-")) return parsed("[]");
    assert_true(cph_str_split(&rest, ':', &kind));
    quoted_list(purposes, sizeof purposes, rest);
    return printed("[{\"id\":\"B\",\"block\":\"%.*s\",\"purposes\":[%s]}]", CPH_FMT(kind), purposes);
}

static cph_json *signals_of(cph_str extra)
{
    if (cph_str_is(extra_of(extra, "withdrawn"), "yes"))
        return parsed("[{\"signal\":\"licence_withdrawal\",\"licence\":\"ECL-NO-PRESS\",\"work\":\"urn:w\","
                      "\"seen_at\":\"2026-01-05\"}]");
    if (cph_str_is(extra_of(extra, "edition_withdrawn"), "yes"))
        return parsed("[{\"signal\":\"edition_withdrawal\",\"licence\":\"BOKHYLLA\",\"work\":\"urn:w\"}]");
    return parsed("[]");
}

static void policy_of(cph_policy *p, const cph_str *f)
{
    cph_str list = extra_of(f[16], "pd_assumed"), one, licence = extra_of(f[16], "model_licence");
    cph_policy_init(p);
    assert_true(cph_day_parse(f[1], &p->as_of));
    if (!cph_str_is(f[2], "-")) assert_true(cph_day_parse(f[2], &p->release));
    assert_true(cph_purpose_parse(f[3], &p->purpose) && cph_tier_parse(f[4], &p->tier));
    assert_true(cph_actor_parse(f[5], &p->actor) && cph_commercial_parse(f[6], &p->commercial));
    memcpy(p->forum, f[7].p, 2);
    memcpy(p->model_licence, licence.p, licence.n);
    p->ladder.on = true;
    while (list.n && cph_str_split(&list, '+', &one)) {
        cph_purpose accepted;
        assert_true(cph_purpose_parse(one, &accepted));
        p->pd_assumed |= 1u << accepted;
    }
}

static bool agrees(const cph_str *f, bool say)
{
    static const char *const answers[] = {"DENY", "HUMAN", "ALLOW"};
    cph_policy p;
    cph_work w;
    cph_decision d;
    policy_of(&p, f);
    must(cph_work_parse(&w, &arena,
                        work_with(f[8], f[12], cph_str_is(extra_of(f[16], "psrc"), "imputed"), f[11], f[10]),
                        err));
    cph_case c = {
        .work = &w, .blocks = blocks_of(f[9]), .licences = licences_of(f[11]), .signals = signals_of(f[16])};
    must(cph_decide(&d, &arena, &c, &p, rules, err));
    cph_str basis = d.answer == CPH_ALLOW ? d.basis : CPH_STR("-"),
            reason = cph_str_of(d.reason[0] ? d.reason : "-");
    bool same = cph_str_is(f[17], answers[d.answer]) && cph_str_eq(f[18], basis) &&
                cph_str_eq(f[19], reason) && cph_str_is(f[20], d.rule);
    if (!same && say)
        print_message("%.*s: %s %.*s %.*s %s, the table says %.*s %.*s %.*s %.*s\n", CPH_FMT(f[0]),
                      answers[d.answer], CPH_FMT(basis), CPH_FMT(reason), d.rule, CPH_FMT(f[17]),
                      CPH_FMT(f[18]), CPH_FMT(f[19]), CPH_FMT(f[20]));
    return same;
}

/* Rows whose deciding rule is one of later issues: open licences, statutory rules, their neighbours. */
static bool in_scope(cph_str rule)
{
    static const char *const later[] = {"RR-154", "RR-160", "RR-161", "RR-162", "RR-165",
                                        "RR-166", "RR-167", "RR-168", "RR-190"};
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        if (cph_str_is(rule, later[i])) return false;
    return true;
}

static void every_row_of_blocks_licences_public_domain_and_default_agrees(void **state)
{
    (void)state;
    const char *table = testing_shared("rights/decision_cases.tsv");
    if (!table) skip();
    cph_lines *lines;
    cph_str line, f[N_FIELDS];
    int n = 0, agreed = 0, n_in = 0, agreed_in = 0;
    must(cph_lines_open(&lines, table, 1u << 16, err));
    while (cph_lines_next(lines, &line, NULL) == CPH_OK) {
        cph_str rest = line;
        if (!cph_str_starts(line, "DC-")) continue;
        cph_arena_reset(&arena);
        for (int i = 0; i < N_FIELDS; i++) assert_true(cph_str_split(&rest, '\t', &f[i]));
        bool in = in_scope(f[20]), same = agrees(f, in);
        n++;
        n_in += in;
        agreed += same;
        agreed_in += in && same;
    }
    cph_lines_close(lines);
    print_message("%d of %d rows in scope agree; %d of %d in all\n", agreed_in, n_in, agreed, n);
    assert_int_equal(agreed_in, n_in);
    assert_true(n_in > 40);
}

/* ---- what the table does not hold ---- */

#define FREE                                                                                                 \
    "{\"urn\":\"urn:w\",\"origin\":\"NO\",\"form\":\"book\",\"published\":\"yes\",\"contributors\":[{"       \
    "\"role\":\"author\",\"name\":\"Nordmann, "                                                              \
    "Ola\",\"death\":{\"value\":\"1955\",\"source\":\"authority\"}}]}"
#define PROTECTED                                                                                            \
    "{\"urn\":\"urn:w\",\"origin\":\"NO\",\"form\":\"book\",\"published\":\"yes\",\"contributors\":[{"       \
    "\"role\":\"author\",\"name\":\"Nordmann, "                                                              \
    "Kari\",\"nationality\":\"NO\",\"death\":{\"value\":\"1990\",\"source\":\"authority\"}}]}"
#define LETTER "{\"signal\":\"rightsholder_letter\",\"value\":\"reserved\",\"seen_at\":\"2026-03-01\"}"

static cph_decision ask_under(const cph_rulebase *r, cph_purpose purpose, const char *work,
                              const char *member, const char *list)
{
    cph_policy p;
    cph_work w;
    cph_decision d;
    cph_policy_init(&p);
    p.purpose = purpose;
    p.as_of = 20261123;
    must(cph_work_parse(&w, &arena, parsed(work), err));
    cph_case c = {.work = &w};
    const cph_json *v = list ? parsed(list) : NULL, *both = v && v->type == CPH_JSON_OBJECT ? v : NULL;
    if (!member) member = "";
    if (strcmp(member, "signals") == 0) c.signals = v;
    if (strcmp(member, "blocks") == 0) c.blocks = v;
    if (strcmp(member, "licences") == 0) c.licences = v;
    if (strcmp(member, "determinations") == 0) c.determinations = v;
    if (both) {
        c.signals = cph_json_get(both, "signals");
        c.licences = cph_json_get(both, "licences");
        c.determinations = cph_json_get(both, "determinations");
    }
    must(cph_decide(&d, &arena, &c, &p, r, err));
    return d;
}

static cph_decision ask(cph_purpose purpose, const char *work, const char *member, const char *list)
{
    return ask_under(rules, purpose, work, member, list);
}

static void assert_answer(const cph_decision *d, cph_answer answer, const char *rule, const char *reason)
{
    if (d->answer != answer || strcmp(d->rule, rule) != 0 || strcmp(d->reason, reason) != 0)
        fail_msg("%d %s %s: %.*s", (int)d->answer, d->rule, d->reason, CPH_FMT(d->explain));
}

static void a_letter_refuses_training_and_features_of_protected_works_only(void **state)
{
    (void)state;
    cph_decision d = ask(CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, "signals", "[" LETTER "]");
    assert_answer(&d, CPH_DENY, "RR-186", "reserved");
    d = ask(CPH_PURPOSE_FEATURES, PROTECTED, "signals", "[" LETTER "]");
    assert_answer(&d, CPH_DENY, "RR-186", "reserved");
    d = ask(CPH_PURPOSE_SEARCH, PROTECTED, "signals", "[" LETTER "]");
    assert_answer(&d, CPH_DENY, "RR-156", "no-basis");
    d = ask(CPH_PURPOSE_TRAIN_INTERNAL, FREE, "signals", "[" LETTER "]");
    assert_answer(&d, CPH_ALLOW, "RR-153", "");
}

static void a_malformed_reservation_is_a_reservation(void **state)
{
    (void)state;
    cph_decision d = ask(CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, "signals",
                         "[{\"signal\":\"rightsholder_letter\",\"value\":\"please\",\"seen_at\":\"in "
                         "spring\",\"purposes\":[\"everything\"]}]");
    assert_answer(&d, CPH_DENY, "RR-186", "reserved");
    d = ask(CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, "signals", "[{\"signal\":\"cmo_blanket\"}]");
    assert_answer(&d, CPH_DENY, "RR-186", "reserved");
}

static void only_a_later_answer_of_the_rightsholder_lifts_a_letter(void **state)
{
    (void)state;
    cph_decision d =
        ask(CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, NULL,
            "{\"signals\":[" LETTER "],\"determinations\":[{\"decision\":\"ALLOW\",\"basis\":\"CONSENT\","
                                    "\"purposes\":[\"train-internal\"],\"on\":\"2026-03-01\"}]}");
    assert_answer(&d, CPH_DENY, "RR-186", "reserved");
    d = ask(CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, NULL,
            "{\"signals\":[" LETTER "],\"determinations\":[{\"decision\":\"ALLOW\",\"basis\":\"CONSENT\","
                                    "\"purposes\":[\"train-internal\"],\"on\":\"2026-03-02\"}]}");
    assert_answer(&d, CPH_ALLOW, "RR-152", "");
    d = ask(CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, NULL,
            "{\"signals\":[" LETTER "],\"licences\":[{\"id\":\"K\",\"type\":\"contract\",\"purposes\":[\"*\"]"
                                    ",\"from\":\"2026-01-01\"}]}");
    assert_answer(&d, CPH_DENY, "RR-186", "reserved");
    d = ask(CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, NULL,
            "{\"signals\":[" LETTER "],\"licences\":[{\"id\":\"K\",\"type\":\"contract\",\"purposes\":[\"*\"]"
                                    ",\"from\":\"2026-05-01\"}]}");
    assert_answer(&d, CPH_ALLOW, "RR-152", "");
    d = ask(CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, "signals",
            "[" LETTER
            ",{\"signal\":\"rightsholder_letter\",\"value\":\"withdrawn\",\"seen_at\":\"2026-06-01\"}]");
    assert_answer(&d, CPH_DENY, "RR-156", "no-basis");
}

static void a_malformed_permission_is_no_permission(void **state)
{
    (void)state;
    static const char *const none[] = {
        "[{\"decision\":\"ALLOW\",\"basis\":\"CONSENT\",\"purposes\":[\"train-internal\"],\"on\":\"soon\"}]",
        "[{\"decision\":\"ALLOW\",\"basis\":\"BECAUSE\",\"purposes\":[\"train-internal\"],\"on\":\"2026-01-"
        "01\"}]",
        "[{\"decision\":\"ALLOW\",\"basis\":\"CONSENT\",\"on\":\"2026-01-01\"}]",
        "[{\"decision\":\"ALLOW\",\"basis\":\"CONSENT\",\"purposes\":[\"train-internal\"],\"on\":\"2027-01-"
        "01\"}]",
        "[{\"decision\":\"ALLOW\",\"basis\":\"CONSENT\",\"purposes\":[\"train-internal\"],\"on\":\"2026-01-"
        "01\",\"obligations\":[\"sing\"]}]",
        "[{\"decision\":\"allow\",\"basis\":\"CONSENT\",\"purposes\":[\"*\"],\"on\":\"2026-01-01\"}]",
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        cph_decision d = ask(CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, "determinations", none[i]);
        assert_answer(&d, CPH_DENY, "RR-156", "no-basis");
    }
    cph_decision d = ask(CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, "licences",
                         "[{\"id\":\"K\",\"type\":\"contract\",\"purposes\":[\"*\"],\"conflict\":[\"to\"]}]");
    assert_answer(&d, CPH_DENY, "RR-156", "no-basis");
}

static void a_persons_no_beats_a_persons_yes_and_the_public_domain(void **state)
{
    (void)state;
    cph_decision d =
        ask(CPH_PURPOSE_DISPLAY, FREE, "determinations",
            "[{\"decision\":\"ALLOW\",\"basis\":\"PD\",\"purposes\":[\"*\"],\"on\":\"2026-01-01\"},"
            "{\"decision\":\"DENY\",\"purposes\":[\"display\"],\"on\":\"2026-01-01\"}]");
    assert_answer(&d, CPH_DENY, "RR-151", "block-suppression");
}

static void a_block_that_cannot_be_read_is_in_force(void **state)
{
    (void)state;
    cph_decision d =
        ask(CPH_PURPOSE_SEARCH, FREE, "blocks", "[{\"block\":\"privacy\",\"purposes\":\"display\"}]");
    assert_answer(&d, CPH_DENY, "RR-151", "block-privacy");
    d = ask(CPH_PURPOSE_SEARCH, FREE, "blocks", "[{\"block\":\"odd\",\"purposes\":[\"dispaly\"]}]");
    assert_answer(&d, CPH_DENY, "RR-151", "block-suppression");
    d = ask(CPH_PURPOSE_SEARCH, FREE, "blocks", "[{\"block\":\"privacy\",\"from\":\"2027-01-01\"}]");
    assert_answer(&d, CPH_ALLOW, "RR-153", "");
}

static void the_house_rule_base_denies_but_never_allows_without_a_person(void **state)
{
    (void)state;
    cph_rulebase *house;
    must(cph_rulebase_open(&house, "house", err));
    for (int p = 0; p < CPH_N_PURPOSES; p++) {
        cph_decision d = ask_under(house, (cph_purpose)p, FREE, NULL, NULL);
        assert_answer(&d, CPH_HUMAN, "RR-153", "unconfirmed-rule");
        d = ask_under(house, (cph_purpose)p, PROTECTED, NULL, NULL);
        assert_answer(&d, CPH_DENY, "RR-156", "no-basis");
    }
    cph_decision d = ask_under(
        house, CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, "determinations",
        "[{\"decision\":\"ALLOW\",\"basis\":\"CONSENT\",\"purposes\":[\"train-*\"],\"on\":\"2026-01-01\"}]");
    assert_answer(&d, CPH_ALLOW, "RR-152", "");
    cph_rulebase_close(house);
}

static void the_record_is_the_same_whoever_is_named_and_says_that_the_sample_is_no_opinion(void **state)
{
    (void)state;
    cph_decision named = ask(CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, "determinations",
                             "[{\"decision\":\"ALLOW\",\"basis\":\"CONSENT\",\"purposes\":[\"*\"],\"on\":"
                             "\"2026-01-01\",\"by\":\"Kari\"}]");
    cph_decision plain =
        ask(CPH_PURPOSE_TRAIN_INTERNAL, PROTECTED, "determinations",
            "[{\"decision\":\"ALLOW\",\"basis\":\"CONSENT\",\"purposes\":[\"*\"],\"on\":\"2026-01-01\"}]");
    assert_memory_equal(&named.hash, &plain.hash, sizeof named.hash);
    cph_json *record = parsed(plain.record.p);
    assert_non_null(strstr(cph_json_get_str(record, "notice").p, "no legal opinion"));
    cph_buf b;
    cph_buf_init(&b, 1u << 16);
    must(cph_json_canonical(&b, record, err));
    assert_true(cph_str_eq(cph_buf_view(&b), plain.record));
    cph_buf_release(&b);
    assert_non_null(strstr(named.explain.p, "Kari"));
}

static void explain_tells_a_rights_officer_why(void **state)
{
    (void)state;
    cph_decision d = ask(CPH_PURPOSE_DISPLAY, FREE, NULL, NULL);
    assert_string_equal(d.explain.p,
                        "Ola Nordmann died in 1955. Protection lasted until the end of 2025 (RR-020). "
                        "Public domain in NO since 2026-01-01.\n"
                        "Yes, for display: the public domain is open to every use (RR-153).\n"
                        "This is the sample rule base. Its answers are no legal opinion.");
}

static void every_country_without_rules_is_undetermined(void **state)
{
    (void)state;
    cph_policy p;
    cph_work w;
    cph_term t;
    cph_policy_init(&p);
    p.as_of = 20261123;
    memcpy(p.forum, "FO", 3);
    must(cph_work_parse(&w, &arena, parsed(FREE), err));
    must(cph_term_of(&t, &w, &p, rules, err));
    assert_int_equal(t.status, CPH_TERM_UND);
    assert_string_equal(t.reason, "COUNTRY_UNKNOWN");
    assert_string_equal(t.rule, "RR-008");
}

static void facts_outside_the_closed_lists_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"form\":\"scroll\"}",
        "{\"published\":\"maybe\"}",
        "{\"origin\":\"Norway\"}",
        "{\"restriction\":\"odd\"}",
        "{\"contributors\":[{\"role\":\"friend\"}]}",
        "{\"contributors\":[{\"role\":\"author\",\"flags\":\"tall\"}]}",
        "{\"pub\":{\"value\":\"around 1950\",\"source\":\"catalogue\"}}",
        "{\"pub\":{\"value\":\"1950\",\"source\":\"hearsay\"}}",
        "{\"pub\":{\"value\":\"1950-02-30\",\"source\":\"catalogue\"}}",
        "{\"pub\":{\"value\":\"1950/1940\"}}",
        "[]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cph_work w;
        cph_err err;
        assert_int_equal(cph_work_parse(&w, &arena, parsed(bad[i]), &err), CPH_DATA);
    }
}

static void a_policy_comes_back_from_its_json(void **state)
{
    (void)state;
    cph_policy p, q;
    cph_json *v;
    cph_policy_init(&p);
    p.purpose = CPH_PURPOSE_TRAIN_RELEASE_WEIGHTS;
    p.release = 20260701;
    p.pd_assumed = 1u << CPH_PURPOSE_DISPLAY;
    p.ladder = (cph_ladder){true, 125, 140, 0};
    memcpy(p.model_licence, "apache", 7);
    must(cph_policy_json(&v, &arena, &p, err));
    must(cph_policy_parse(&q, v, err));
    assert_memory_equal(&p, &q, sizeof p);
    q.purpose = CPH_PURPOSE_TRAIN_INTERNAL;
    assert_true(cph_policy_covers(&p, &q));
    assert_false(cph_policy_covers(&q, &p));
    q.tier = CPH_TIER_PUBLIC;
    assert_false(cph_policy_covers(&p, &q));
}

static int open_rules(void **state)
{
    (void)state;
    rules_name = "sample";
    cph_arena_init(&arena, 1u << 24);
    return cph_rulebase_open(&rules, rules_name, NULL) == CPH_OK ? 0 : 1;
}

static int close_rules(void **state)
{
    (void)state;
    cph_rulebase_close(rules);
    cph_arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_blocks_licences_public_domain_and_default_agrees),
        cmocka_unit_test(a_letter_refuses_training_and_features_of_protected_works_only),
        cmocka_unit_test(a_malformed_reservation_is_a_reservation),
        cmocka_unit_test(only_a_later_answer_of_the_rightsholder_lifts_a_letter),
        cmocka_unit_test(a_malformed_permission_is_no_permission),
        cmocka_unit_test(a_persons_no_beats_a_persons_yes_and_the_public_domain),
        cmocka_unit_test(a_block_that_cannot_be_read_is_in_force),
        cmocka_unit_test(the_house_rule_base_denies_but_never_allows_without_a_person),
        cmocka_unit_test(the_record_is_the_same_whoever_is_named_and_says_that_the_sample_is_no_opinion),
        cmocka_unit_test(explain_tells_a_rights_officer_why),
        cmocka_unit_test(every_country_without_rules_is_undetermined),
        cmocka_unit_test(facts_outside_the_closed_lists_are_refused),
        cmocka_unit_test(a_policy_comes_back_from_its_json),
    };
    return cmocka_run_group_tests(tests, open_rules, close_rules);
}
