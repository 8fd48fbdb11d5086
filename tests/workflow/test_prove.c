/* SPDX-License-Identifier: Apache-2.0 */
#include "line_fixture.h"

#include <colophon/base/memory.h>
#include <colophon/workflow/prove.h>

static cph_prove_answer asked(line_fixture *f, const char *path, cph_prove_about about, const char *name)
{
    cph_prove_answer answer;
    must(cph_prove(&(cph_prove_ask){.path = path, .about = about, .name = cph_str_of(name)}, &f->a, &answer,
                   err));
    return answer;
}

/* Writes the proof and checks it with nothing but the file. */
static cph_prove_answer carried(line_fixture *f, const cph_prove_answer *from, const cph_digest *root,
                                uint64_t size)
{
    cph_buf b;
    cph_prove_answer answer;
    cph_buf_init(&b, 1 << 24);
    must(cph_json_write(&b, from->file, 1, err));
    must(cph_file_write("proof.json", b.p, b.n, err));
    must(cph_prove_check("proof.json", root, size, &f->a, &answer, err));
    cph_buf_release(&b);
    return answer;
}

static void works_and_documents_are_in_wherever_one_asks(void **state)
{
    line_fixture *f = *state;
    static const char *const paths[] = {"demo/model", "demo/tokens", "demo/tokenizer", "demo/corpus"};
    for (size_t i = 0; i < 4; i++) {
        cph_prove_answer a = asked(f, paths[i], CPH_PROVE_WORK, "urn:x:one");
        assert_true(a.holds);
        assert_true(carried(f, &a, NULL, 0).holds);
        a = asked(f, paths[i], CPH_PROVE_DOCUMENT, "d2");
        assert_true(a.holds);
        assert_int_equal(cph_json_get(a.file, "leaves")->n, 2); /* of two works */
        assert_true(carried(f, &a, NULL, 0).holds);
        a = asked(f, paths[i], CPH_PROVE_WORK, "urn:x:nobody");
        assert_false(a.holds);
        assert_true(cph_str_is(a.reason, "absent"));
    }
    cph_prove_answer a = asked(f, "demo/model", CPH_PROVE_WORK, "urn:x:one");
    assert_non_null(strstr(a.explain.p, "50 tokens of it were fed, in steps 1 to 9"));
    assert_true(cph_str_is(cph_json_get_str(a.file, "tree"), "seen"));
}

static void every_proof_says_what_it_cannot_say(void **state)
{
    static const cph_prove_about about[] = {CPH_PROVE_WORK, CPH_PROVE_ABSENT, CPH_PROVE_ABSENT};
    static const char *const names[] = {"urn:x:one", "urn:x:nobody", "urn:x:one"};
    for (size_t i = 0; i < 3; i++) {
        cph_prove_answer a = asked(*state, "demo/model", about[i], names[i]);
        assert_true(cph_str_is(cph_json_get_str(a.file, "replayed"), "not replayed"));
        assert_int_equal(cph_json_get(a.file, "content_report")->type, CPH_JSON_NULL);
        assert_int_equal(cph_json_get(a.file, "notes")->n, 2);
        if (!a.holds) continue;
        assert_non_null(strstr(a.explain.p, "not of the weights: the run was not replayed"));
        assert_non_null(strstr(a.explain.p, "no content report"));
    }
}

static void absence_is_asked_of_every_tree_the_artefact_came_from(void **state)
{
    line_fixture *f = *state;
    cph_prove_answer a = asked(f, "demo/model", CPH_PROVE_ABSENT, "urn:x:nobody");
    assert_true(a.holds);
    assert_int_equal(cph_json_get(a.file, "ancestors")->n, 2); /* seen of the model, then tokens and corpus */
    assert_true(carried(f, &a, NULL, 0).holds);
    cph_digest root = cph_set_tree_root(f->seen);
    assert_true(carried(f, &a, &root, 3).holds);
    assert_false(carried(f, &a, &root, 4).holds);
    root.b[0] ^= 1;
    assert_false(carried(f, &a, &root, 3).holds);
    a = asked(f, "demo/tokenizer", CPH_PROVE_ABSENT, "urn:x:nobody");
    assert_true(a.holds);
    a = asked(f, "demo/corpus", CPH_PROVE_ABSENT, "urn:x:two");
    assert_false(a.holds);
    assert_true(cph_str_starts(a.reason, "present colophon:corpus:"));
}

static void a_work_in_an_ancestor_only_is_not_out(void **state)
{
    line_fixture *f = *state;
    /* A model that was fed a part of its corpus: urn:x:one is in the corpus alone. */
    cph_set_tree *whole = f->seen, *part;
    must(cph_set_tree_new(&part, err));
    line_leaf(part, f, "urn:x:two", "d2", "To i samme bok.", 40, 2, 12);
    must(cph_set_tree_finish(part, err));
    f->seen = part;
    line_model(f, "demo/partial", false);
    f->seen = whole;
    cph_set_tree_close(part);
    cph_prove_answer a = asked(f, "demo/partial", CPH_PROVE_WORK, "urn:x:one");
    assert_false(a.holds);
    a = asked(f, "demo/partial", CPH_PROVE_ABSENT, "urn:x:one");
    assert_false(a.holds);
    assert_true(cph_str_starts(a.reason, "present colophon:"));
    must(cph_remove_tree("demo/partial", err));
}

static void a_dropped_copy_whose_text_is_in_makes_the_answer_no(void **state)
{
    cph_prove_answer a = asked(*state, "demo/model", CPH_PROVE_ABSENT, "urn:x:copy");
    assert_false(a.holds);
    assert_true(cph_str_is(a.reason, "same-text-as d1"));
    assert_true(asked(*state, "demo/model", CPH_PROVE_ABSENT, "urn:x:empty")
                    .holds); /* dropped, and nothing of it is in */
}

static void what_cannot_be_looked_into_makes_the_answer_no(void **state)
{
    line_fixture *f = *state;
    line_model(f, "demo/tuned", true);
    cph_prove_answer a = asked(f, "demo/tuned", CPH_PROVE_ABSENT, "urn:x:nobody");
    assert_false(a.holds);
    assert_true(cph_str_starts(a.reason, "unknown-base colophon:external:"));
    must(cph_remove_tree("demo/tuned", err));

    assert_int_equal(rename("demo/tokens", "away"), 0);
    a = asked(f, "demo/model", CPH_PROVE_ABSENT, "urn:x:nobody");
    assert_false(a.holds);
    assert_true(cph_str_starts(a.reason, "unreachable colophon:tokens:"));
    assert_int_equal(rename("away", "demo/tokens"), 0);

    assert_int_equal(rename("demo/corpus/dropped.jsonl.zst", "away"), 0);
    a = asked(f, "demo/model", CPH_PROVE_ABSENT, "urn:x:nobody");
    assert_false(a.holds);
    assert_true(cph_str_is(a.reason, "drop-log-withheld"));
    assert_int_equal(rename("away", "demo/corpus/dropped.jsonl.zst"), 0);

    assert_int_equal(rename("demo/model/seen.leaves.zst", "away"), 0);
    a = asked(f, "demo/model", CPH_PROVE_ABSENT, "urn:x:nobody");
    assert_true(cph_str_starts(a.reason, "leaves-withheld colophon:model:"));
    a = asked(f, "demo/model", CPH_PROVE_WORK, "urn:x:one");
    assert_true(cph_str_is(a.reason, "leaves-withheld"));
    /* Leaves that are not the sealed ones prove nothing. */
    must(cph_set_tree_write(f->set, "demo/model/seen.leaves.zst", err));
    cph_prove_answer none;
    cph_prove_ask ask = {.path = "demo/model", .about = CPH_PROVE_WORK, .name = CPH_STR("urn:x:one")};
    assert_int_equal(cph_prove(&ask, &f->a, &none, NULL), CPH_DATA);
    assert_int_equal(rename("away", "demo/model/seen.leaves.zst"), 0);
    ask.name = CPH_STR("");
    assert_int_equal(cph_prove(&ask, &f->a, &none, NULL), CPH_USAGE);
}

static void a_proof_file_with_any_flipped_digit_does_not_hold(void **state)
{
    line_fixture *f = *state;
    static const char *const asks[] = {"urn:x:one", "urn:x:nobody"};
    for (size_t i = 0; i < 2; i++) {
        cph_prove_answer a = asked(f, "demo/model", i ? CPH_PROVE_ABSENT : CPH_PROVE_WORK, asks[i]), b;
        cph_digest root = cph_set_tree_root(f->seen);
        assert_true(carried(f, &a, &root, 3).holds);
        cph_buf text;
        cph_buf_init(&text, 1 << 24);
        must(cph_file_read("proof.json", 0, &text, err));
        size_t tried = 0;
        /* A digit of each leaf of the file, here and there. */
        for (char *p = text.p; (p = strstr(p, "\"leaf\"")); p += 6) {
            for (size_t at = 10; at < 300; at += 7, tried++) {
                char was = p[at];
                p[at] = was == '0' ? '1' : '0';
                must(cph_file_write("proof.json", text.p, text.n, err));
                assert_false(cph_prove_check("proof.json", &root, 3, &f->a, &b, NULL) == CPH_OK && b.holds);
                p[at] = was;
            }
        }
        assert_true(tried > 40);
        cph_buf_release(&text);
    }
}

static void what_is_no_proof_is_refused(void **state)
{
    line_fixture *f = *state;
    cph_prove_answer a = asked(f, "demo/model", CPH_PROVE_ABSENT, "urn:x:one"), b;
    cph_buf text;
    cph_buf_init(&text, 1 << 24);
    must(cph_json_write(&text, a.file, 1, err));
    must(cph_file_write("no.json", text.p, text.n, err));
    assert_int_equal(cph_prove_check("no.json", NULL, 0, &f->a, &b, NULL), CPH_DATA);
    line_write(".", "no.json", "{\"v\":1");
    assert_int_equal(cph_prove_check("no.json", NULL, 0, &f->a, &b, NULL), CPH_DATA);
    assert_int_equal(cph_prove_check("nowhere.json", NULL, 0, &f->a, &b, NULL), CPH_IO);
    cph_buf_release(&text);
    /* An ancestor's proof about another work does not count. */
    a = asked(f, "demo/model", CPH_PROVE_ABSENT, "urn:x:nobody");
    b = asked(f, "demo/model", CPH_PROVE_ABSENT, "urn:x:somebody");
    must(cph_json_set(a.file, &f->a, "ancestors", (cph_json *)(uintptr_t)cph_json_get(b.file, "ancestors"),
                      err));
    assert_false(carried(f, &a, NULL, 0).holds);
}

static void whatever_allocation_fails_the_answer_is_a_limit(void **state)
{
    uint64_t n = 1;
    (void)state;
    for (cph_status s = CPH_NOMEM; s != CPH_OK; n++) {
        cph_prove_answer answer;
        cph_arena a;
        cph_arena_init(&a, 0);
        cph_memory_fail_at(n);
        s = cph_prove(&(cph_prove_ask){.path = "demo/model",
                                       .about = CPH_PROVE_ABSENT,
                                       .name = CPH_STR("urn:x:nobody")},
                      &a, &answer, NULL);
        cph_memory_fail_at(0);
        if (s != CPH_OK) assert_int_equal(s, CPH_NOMEM);
        cph_arena_release(&a);
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_and_documents_are_in_wherever_one_asks),
        cmocka_unit_test(every_proof_says_what_it_cannot_say),
        cmocka_unit_test(absence_is_asked_of_every_tree_the_artefact_came_from),
        cmocka_unit_test(a_work_in_an_ancestor_only_is_not_out),
        cmocka_unit_test(a_dropped_copy_whose_text_is_in_makes_the_answer_no),
        cmocka_unit_test(what_cannot_be_looked_into_makes_the_answer_no),
        cmocka_unit_test(a_proof_file_with_any_flipped_digit_does_not_hold),
        cmocka_unit_test(what_is_no_proof_is_refused),
        cmocka_unit_test(whatever_allocation_fails_the_answer_is_a_limit),
    };
    return cmocka_run_group_tests(tests, line_begin, line_end);
}
