/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people read, word for word. A text that changed on purpose is copied from the
 * failure's message.
 */
#include "line_fixture.h"

#include <colophon/base/memory.h>
#include <colophon/workflow/show.h>

static cph_buf shown;

static const char *show(const char *path, const char *work, bool json)
{
    shown.max = 1 << 24;
    shown.n = 0;
    must(cph_show(&shown, &(cph_show_ask){.path = path, .work = cph_str_of(work), .json = json}, err));
    return shown.p;
}

static void expect_text(const char *got, const char *want)
{
    if (strcmp(got, want) != 0) fail_msg("got:\n%s\nwant:\n%s", got, want);
}

static void the_tree_is_drawn_from_weights_to_page_images(void **state)
{
    (void)state;
    expect_text(show("demo/model", "", false),
                "model      056d20ea78a484a0  demo/model\n"
                "│          12 steps · 130 tokens fed · 1 050 240 parameters · fp32 · seed 42\n"
                "│          for train-internal (staff, heritage, NO, not commercial), as of 2026-11-23\n"
                "└─ tokens     91a364bc03ea11e5  demo/tokens\n"
                "   │          3 records · 90 tokens\n"
                "   ├─ corpus     14fdc351beef6971  demo/corpus\n"
                "   │  │          3 works · 3 records · 12 345 words\n"
                "   │  │          given   RR-020      3 works      2 documents    12 345 words  permitted under this rule\n"
                "   │  │          refused RR-153      1 work       1 document        987 words  refused under this rule\n"
                "   │  └─ snapshot   56d43b2315d51559  demo/collection\n"
                "   │                1 work · 2 objects · 3 pages · 1 page image\n"
                "   └─ tokenizer  4197992f90935ce7  demo/tokenizer\n"
                "                 600 entries\n"
                "                 from corpus 14fdc351 above\n"
                "\n"
                "cite as  colophon:model:056d20ea78a484a0\n"
                "check    colophon verify demo/model\n");
}

static void a_tokenizer_and_a_snapshot_have_trees_of_their_own(void **state)
{
    line_fixture *f = *state;
    char path[CPH_PATH_MAX], hex[CPH_HEX_DIGEST];
    expect_text(show("demo/tokenizer/", "", false),
                "tokenizer  4197992f90935ce7  demo/tokenizer\n"
                "│          600 entries\n"
                "│          for train-internal (staff, heritage, NO, not commercial), as of 2026-11-23\n"
                "└─ corpus     14fdc351beef6971  demo/corpus\n"
                "   │          3 works · 3 records · 12 345 words\n"
                "   │          given   RR-020      3 works      2 documents    12 345 words  permitted under this rule\n"
                "   │          refused RR-153      1 work       1 document        987 words  refused under this rule\n"
                "   └─ snapshot   56d43b2315d51559  demo/collection\n"
                "                 1 work · 2 objects · 3 pages · 1 page image\n"
                "\n"
                "cite as  colophon:tokenizer:4197992f90935ce7\n"
                "check    colophon verify demo/tokenizer\n");
    cph_digest_hex(&f->snapshot, hex);
    snprintf(path, sizeof path, "demo/collection/snapshots/%s", hex);
    assert_non_null(strstr(show(path, "", false), "1 work · 2 objects · 3 pages · 1 page image"));
}

static void what_is_not_reachable_or_external_is_said_to_be(void **state)
{
    line_fixture *f = *state;
    line_model(f, "demo/tuned", true);
    assert_int_equal(rename("demo/corpus", "away"), 0);
    expect_text(show("demo/tuned", "", false),
                "model      cc819f07785b2f8e  demo/tuned\n"
                "│          12 steps · 130 tokens fed · 1 050 240 parameters · fp32 · seed 42\n"
                "│          for train-internal (staff, heritage, NO, not commercial), as of 2026-11-23\n"
                "├─ base       4c55a8552a2c7261  external, colophon: null\n"
                "└─ tokens     91a364bc03ea11e5  demo/tokens\n"
                "   │          3 records · 90 tokens\n"
                "   ├─ corpus     14fdc351beef6971  not reachable\n"
                "   └─ tokenizer  4197992f90935ce7  demo/tokenizer\n"
                "                 600 entries\n"
                "                 from corpus 14fdc351 above\n"
                "\n"
                "cite as  colophon:model:cc819f07785b2f8e\n"
                "check    colophon verify demo/tuned\n");
    cph_json *v;
    must(cph_json_parse(&v, &f->a, cph_str_of(show("demo/tuned", "", true)), "json", NULL, err));
    const cph_json *base = cph_json_at(cph_json_get(v, "parents"), 0);
    assert_true(cph_str_is(cph_json_get_str(base, "role"), "base"));
    assert_int_equal(cph_json_get(base, "colophon")->type, CPH_JSON_NULL);
    assert_int_equal(rename("away", "demo/corpus"), 0);
    must(cph_remove_tree("demo/tuned", err));
}

static void the_way_of_a_work_leads_to_its_pages(void **state)
{
    line_fixture *f = *state;
    expect_text(show("demo/model", "urn:x:one", false),
                "urn:x:one  En bok\n"
                "model      056d20ea78a484a0  1 document of it, 50 tokens fed in steps 1 to 9\n"
                "corpus     14fdc351beef6971  2 records\n"
                "           d1#part1\n"
                "             PD by RR-020, page 1 (printed i)\n"
                "           d1#part2\n"
                "             PD by RR-020, page 2 (printed 2)\n"
                "snapshot   56d43b2315d51559  2 pages\n"
                "           object o1\n"
                "             page    1  image 1000000000000000  (not here)\n"
                "             page    2  no image; text file 2000000000000000\n");
    cph_json *v;
    must(cph_json_parse(&v, &f->a, cph_str_of(show("demo/tokens", "urn:x:two", true)), "json", NULL, err));
    assert_int_equal(cph_json_get(v, "records")->n, 1);
    assert_int_equal(cph_json_get(v, "pages")->n, 1);
    cph_show_ask ask = {.path = "demo/model", .work = CPH_STR("urn:x:nobody")};
    assert_int_equal(cph_show(&shown, &ask, NULL), CPH_NO);
}

static void a_model_of_somebody_else_has_no_colophon(void **state)
{
    line_fixture *f = *state;
    must(cph_mkdirs("theirs", err));
    line_write("theirs", "config.json", "{\"model_type\":\"gpt2\"}\n");
    expect_text(show("theirs", "", false),
                "external   b42d23589dd36fee  theirs\n"
                "           gpt2 model, colophon: null: nobody says what it was made from\n");
    cph_json *v;
    must(cph_json_parse(&v, &f->a, cph_str_of(show("theirs", "", true)), "json", NULL, err));
    assert_int_equal(cph_json_get(v, "colophon")->type, CPH_JSON_NULL);
    must(cph_remove_tree("theirs", err));
    cph_show_ask ask = {.path = "demo/nowhere"};
    assert_int_equal(cph_show(&shown, &ask, NULL), CPH_IO);
    ask.path = "demo";
    assert_int_equal(cph_show(&shown, &ask, NULL), CPH_USAGE);
}

static void a_collection_lists_objects_and_problems(void **state)
{
    line_fixture *f = *state;
    cph_collection *c;
    bool added;
    cph_problem problem = {CPH_STR("p2.xml"), CPH_STR("byte 120"), CPH_STR("truncated"),
                           CPH_STR("the file ends in a tag")};
    cph_problem alone = {CPH_STR("notes.txt"), CPH_STR(""), CPH_STR("unnamed-file"),
                         CPH_STR("no METS names it")};
    cph_page_record pages[2] = {{.order = 1, .label = CPH_STR("1"), .lines_json = CPH_STR("{}")},
                                {.order = 2}};
    line_write(".", "p1.xml", "<alto/>");
    cph_source_file file = {.path = CPH_STR("p1.xml"),
                            .from = "p1.xml",
                            .bytes = 7,
                            .checksum_state = CPH_STR("none"),
                            .role = CPH_STR("text"),
                            .sha256 = cph_sha256_of("<alto/>", 7)};
    cph_object_record o = {.source_id = CPH_STR("book-1"),
                           .profile = CPH_STR("alto-folder"),
                           .work_urn = CPH_STR("urn:x:book"),
                           .meta_json = CPH_STR("{\"counts\":{\"words\":7},\"title\":\"Fyrvokterens bok\"}"),
                           .files = &file,
                           .n_files = 1,
                           .pages = pages,
                           .n_pages = 2,
                           .problems = &problem,
                           .n_problems = 1};
    must(cph_collection_open(&c, "books", CPH_OPEN_CREATE, err));
    must(cph_collection_add_object(c, &o, &added, err));
    must(cph_collection_add_problem(c, &alone, err));
    cph_collection_close(c);
    expect_text(
        show("books", "", false),
        "collection  books\n"
        "            1 work · 1 object · 2 pages, 1 with text, 0 page images · 1 file, 7 B · 2 problems\n"
        "\n"
        "work                                      profile      pages   text images problems  title\n"
        "urn:x:book                                alto-folder      2      1      0        1  Fyrvokterens "
        "bok\n"
        "\n"
        "problems\n"
        "  notes.txt: unnamed-file: no METS names it\n"
        "  p2.xml, byte 120: truncated: the file ends in a tag\n");
    cph_json *v;
    uint64_t words = 0;
    must(cph_json_parse(&v, &f->a, cph_str_of(show("books", "", true)), "json", NULL, err));
    const cph_json *object = cph_json_at(cph_json_get(v, "objects"), 0);
    assert_true(
        cph_json_u64(cph_json_get(cph_json_get(cph_json_get(object, "meta"), "counts"), "words"), &words));
    assert_int_equal(words, 7);
    assert_int_equal(cph_json_get(v, "problems")->n, 2);
    assert_int_equal(cph_json_get(v, "works")->n, 1);
    const char *of_one = show("books", "urn:x:book", false);
    assert_non_null(strstr(of_one, "p2.xml, byte 120"));
    assert_null(strstr(of_one, "notes.txt"));
    cph_show_ask ask = {.path = "books", .work = CPH_STR("urn:x:nobody")};
    assert_int_equal(cph_show(&shown, &ask, NULL), CPH_NO);
}

static void whatever_allocation_fails_the_answer_is_a_limit(void **state)
{
    uint64_t n = 1;
    (void)state;
    for (cph_status s = CPH_NOMEM; s != CPH_OK; n++) {
        cph_arena a;
        cph_arena_init(&a, 0);
        cph_memory_fail_at(n);
        s = cph_show(&shown, &(cph_show_ask){.path = "demo/model", .work = CPH_STR("urn:x:one")}, NULL);
        cph_memory_fail_at(0);
        if (s != CPH_OK) assert_int_equal(s, CPH_NOMEM);
        cph_arena_release(&a);
    }
    assert_true(n > 20);
}

static int end(void **state)
{
    cph_buf_release(&shown);
    return line_end(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_is_drawn_from_weights_to_page_images),
        cmocka_unit_test(a_tokenizer_and_a_snapshot_have_trees_of_their_own),
        cmocka_unit_test(what_is_not_reachable_or_external_is_said_to_be),
        cmocka_unit_test(the_way_of_a_work_leads_to_its_pages),
        cmocka_unit_test(a_model_of_somebody_else_has_no_colophon),
        cmocka_unit_test(a_collection_lists_objects_and_problems),
        cmocka_unit_test(whatever_allocation_fails_the_answer_is_a_limit),
    };
    return cmocka_run_group_tests(tests, line_begin, end);
}
