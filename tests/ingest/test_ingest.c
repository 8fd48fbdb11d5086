/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ingest.c - runs: same rows at any thread count and order, after kill -9 and again; faults that are
 * told and stop nothing; what a METS, a MODS and side files say.
 */
#include "ingesting.h"

#include <colophon/base/memory.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALTO_OF(id, word)                                                                                         \
    "<alto><Layout><Page ID='P'><PrintSpace><TextBlock ID='" id "'><TextLine><String CONTENT='" word "'/><SP/></TextLine>" \
    "</TextBlock></PrintSpace></Page></Layout></alto>"

static uint64_t rule_count(const cph_ingest_report *r, const char *rule)
{
    for (size_t i = 0; i < r->n_rules; i++)
        if (strcmp(r->rules[i].rule, rule) == 0) return r->rules[i].n;
    return 0;
}

static const char *sample_dir(void) { return CPH_SOURCE_DIR "/sample/collection"; }

static bool same(const cph_digest *a, const cph_digest *b) { return cph_digest_cmp(a, b) == 0; }

/* ---- determinism ---- */

static void one_two_and_five_threads_give_the_same_snapshot(void **state)
{
    (void)state;
    const char *source = sample_dir();
    cph_digest first;
    for (unsigned threads = 1, round = 0; threads <= 5; threads += 1 + round, round++) {
        char name[32];
        ingested g;
        cph_ingest_opts o;
        cph_ingest_opts_init(&o);
        o.threads = threads;
        snprintf(name, sizeof name, "threads%u", threads);
        ingest_into(&g, name, &source, 1, &o);
        assert_true(g.report.added > 30);
        if (!round) first = g.digest;
        assert_true(same(&first, &g.digest));
        ingested_close(&g);
    }
}

static void any_order_of_arrival_gives_the_same_snapshot(void **state)
{
    (void)state;
    char parts[4][CPH_PATH_MAX];
    const char *forward[4], *backward[4];
    static const char *const names[] = {"sample_0001", "sample_0012", "sample_0013", "loose"};
    ingested a, b;
    for (int i = 0; i < 4; i++) {
        snprintf(parts[i], sizeof parts[i], "%s/%s", sample_dir(), names[i]);
        forward[i] = backward[3 - i] = parts[i];
    }
    ingest_into(&a, "forward", forward, 4, NULL);
    ingest_into(&b, "backward", backward, 4, NULL);
    assert_true(same(&a.digest, &b.digest));
    ingested_close(&a);
    ingested_close(&b);
}

static void a_second_run_over_the_same_bytes_changes_nothing(void **state)
{
    (void)state;
    const char *source = sample_dir();
    ingested a, b;
    ingest_into(&a, "twice", &source, 1, NULL);
    ingest_into(&b, "twice", &source, 1, NULL);
    assert_int_equal(b.report.added, 0);
    assert_int_equal(b.report.known, a.report.added);
    assert_true(same(&a.digest, &b.digest));
    ingested_close(&a);
    ingested_close(&b);
}

/* Ingests in a child that is killed after so many microseconds; true when it had ended before. */
static bool killed_run(const char *path, const char *source, useconds_t after)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        cph_collection *c;
        cph_ingest_opts o;
        cph_ingest_report r;
        cph_ingest_opts_init(&o);
        o.threads = 2;
        if (cph_collection_open(&c, path, CPH_OPEN_CREATE, NULL) != CPH_OK) _exit(1);
        if (cph_ingest_run(&source, 1, c, &o, &r, NULL) != CPH_OK) _exit(1);
        _exit(0);
    }
    usleep(after);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return WIFEXITED(status);
}

static void a_run_that_is_killed_and_resumed_ends_like_an_undisturbed_one(void **state)
{
    (void)state;
    const char *source = sample_dir();
    char path[CPH_PATH_MAX];
    ingested whole, resumed;
    unsigned killed = 0;
    ingest_into(&whole, "undisturbed", &source, 1, NULL);
    snprintf(path, sizeof path, "%s", testing_path("killed"));
    for (unsigned i = 0; i < 12; i++) killed += !killed_run(path, source, 5000 + 15000 * i);
    assert_true(killed > 0);
    ingest_into(&resumed, "killed", &source, 1, NULL);
    assert_true(same(&whole.digest, &resumed.digest));
    ingested_close(&whole);
    ingested_close(&resumed);
}

/* ---- METS ---- */

#define METS(files, physical, logical)                                                                            \
    "<mets xmlns:xlink='http://www.w3.org/1999/xlink' OBJID='obj' TYPE='METAe_Monograph'><fileSec><fileGrp ID='ALTOGRP'>" files \
    "</fileGrp></fileSec><structMap TYPE='PHYSICAL'><div>" physical "</div></structMap><structMap TYPE='LOGICAL'><div ID='V' "  \
    "TYPE='VOLUME'>" logical "</div></structMap></mets>"
#define FILE_OF(id, href) "<file ID='" id "' MIMETYPE='text/xml'><FLocat xlink:href='" href "'/></file>"
#define PAGE_DIV(id, order) \
    "<div TYPE='PAGE' ORDER='" order "' ORDERLABEL='" order "'><fptr FILEID='" id "'/></div>"

static void a_broken_page_is_told_and_the_object_goes_in(void **state)
{
    (void)state;
    ingested g;
    write_text("broken/obj-mets.xml",
               METS(FILE_OF("A1", "file://./good.xml") FILE_OF("A2", "C:\\scans\\cut.xml")
                        FILE_OF("A3", "empty%2Exml") FILE_OF("A4", "lfs.xml") FILE_OF("A5", "gone.xml")
                            FILE_OF("A6", "page.xml"),
                    PAGE_DIV("A1", "1") PAGE_DIV("A2", "2") PAGE_DIV("A3", "3") PAGE_DIV("A4", "4")
                        PAGE_DIV("A5", "5") PAGE_DIV("A6", "6"),
                    ""));
    write_text("broken/good.xml", ALTO_OF("B", "godt"));
    write_text("broken/cut.xml",
               "<alto><Layout><Page><TextBlock><TextLine><String CONTENT='helt'/><SP/></TextLine><TextLine>");
    write_text("broken/empty.xml", "");
    write_text("broken/lfs.xml", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n");
    write_text("broken/page.xml", "<PcGts/>");
    write_text("broken/stray.txt", "not named");
    const char *source = testing_path("broken");
    ingest_into(&g, "broken-in", &source, 1, NULL);
    assert_int_equal(g.report.added, 1);
    static const char *const rules[] = {"truncated",    "empty",   "lfs-pointer",
                                        "file-missing", "METS-01", "unnamed-file"};
    for (size_t i = 0; i < 6; i++)
        if (rule_count(&g.report, rules[i]) != 1)
            fail_msg("%s: %d", rules[i], (int)rule_count(&g.report, rules[i]));
    cph_snapshot_object o = object_named(&g, "obj");
    assert_int_equal(o.n_pages, 6);
    cph_page p;
    assert_true(page_of(&g, &o, 0, &p) && cph_str_is(p.tokens[0].text, "godt"));
    assert_true(page_of(&g, &o, 1, &p) && cph_str_is(p.tokens[0].text, "helt"));
    assert_false(page_of(&g, &o, 2, &p));
    ingested_close(&g);
}

static void divisions_own_blocks_and_give_roles(void **state)
{
    (void)state;
    ingested g;
    write_text("struct/m.xml",
               METS(FILE_OF("A1", "1.xml") FILE_OF("A2", "2.xml"), PAGE_DIV("A1", "1") PAGE_DIV("A2", "2"),
                    "<div ID='C' TYPE='CHAPTER' LABEL='Ett'><div ID='H' TYPE='HEADING'><fptr><area "
                    "FILEID='A1' BETYPE='IDREF' "
                    "BEGIN='h'/></fptr></div><div ID='T' TYPE='TEXT'><fptr><seq><area FILEID='A1' "
                    "BEGIN='t'/><area FILEID='A2' "
                    "BEGIN='t'/></seq></fptr></div><div ID='F' TYPE='FOOTNOTE'><div ID='FT' "
                    "TYPE='TEXT'><fptr><area FILEID='A2' "
                    "BEGIN='n'/></fptr></div></div><div ID='I' TYPE='TABLE'><div ID='IM' "
                    "TYPE='IMAGE'><fptr><area FILEID='A2' "
                    "BEGIN='k'/></fptr></div></div><div ID='G' TYPE='TEXT'><fptr><area FILEID='A2' "
                    "BEGIN='gone'/></fptr></div></div>"));
#define B(id) "<TextBlock ID='" id "'><TextLine><String CONTENT='" id "'/><SP/></TextLine></TextBlock>"
    write_text("struct/1.xml", "<alto><Layout><Page><PrintSpace>" B("t") B("u")
                                   B("h") "</PrintSpace></Page></Layout></alto>");
    write_text("struct/2.xml", "<alto><Layout><Page><PrintSpace>" B("n") B("t") "<ComposedBlock ID='k'>" B(
                                   "x") B("y") "</ComposedBlock></PrintSpace></Page></Layout></alto>");
    const char *source = testing_path("struct");
    ingest_into(&g, "struct-in", &source, 1, NULL);
    assert_int_equal(rule_count(&g.report, "METS-17"), 1);
    cph_snapshot_object o = object_named(&g, "obj");
    cph_page p;
    assert_true(page_of(&g, &o, 0, &p));
    /* Logical order: the heading first, then the text with its unlinked neighbour (ALTO-04, METS-16). */
    static const struct {
        const char *id, *division;
        cph_role role;
    } first[] = {{"h", "H", CPH_ROLE_heading}, {"t", "T", CPH_ROLE_body}, {"u", "", CPH_ROLE_body}},
      second[] = {{"t", "T", CPH_ROLE_body}, {"n", "FT", CPH_ROLE_footnote}, {"x", "IM", CPH_ROLE_table},
                  {"y", "IM", CPH_ROLE_table}};
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(cph_str_is(p.blocks[i].id, first[i].id));
        assert_true(cph_str_is(p.blocks[i].division, first[i].division));
        assert_int_equal(p.blocks[i].role, first[i].role);
    }
    assert_true(page_of(&g, &o, 1, &p));
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(cph_str_is(p.blocks[i].id, second[i].id));
        assert_true(cph_str_is(p.blocks[i].division, second[i].division));
        assert_int_equal(p.blocks[i].role, second[i].role);
    }
    assert_int_equal(count_of(&o, "seq"), 1);
    assert_int_equal(count_of(&o, "areas_dangling"), 1);
    assert_int_equal(count_of(&o, "linked_composed"), 1);
    const cph_json *divisions = cph_json_get(o.row, "divisions");
    const cph_json *text = cph_json_at(divisions, 3);
    assert_true(cph_str_is(cph_json_get_str(text, "id"), "T"));
    assert_true(cph_str_is(cph_json_get_str(text, "parent"), "C"));
    assert_int_equal(cph_json_get(text, "blocks")->n, 2);
    assert_int_equal(cph_json_get(cph_json_at(divisions, 7), "blocks")->n, 2); /* METS-15 */
    ingested_close(&g);
}

static void stale_checksums_warn_or_refuse(void **state)
{
    (void)state;
    ingested warn, refuse;
    cph_ingest_opts o;
    write_text("stale/m.xml", METS("<file ID='A1' MIMETYPE='text/xml' "
                                   "CHECKSUM='00112233445566778899aabbccddeeff' CHECKSUMTYPE='md5'>"
                                   "<FLocat xlink:href='1.xml'/></file>",
                                   PAGE_DIV("A1", "1"), ""));
    write_text("stale/1.xml", ALTO_OF("B", "ord"));
    const char *source = testing_path("stale");
    ingest_into(&warn, "stale-warn", &source, 1, NULL);
    assert_int_equal(warn.report.added, 1);
    assert_int_equal(rule_count(&warn.report, "METS-07"), 1);
    cph_ingest_opts_init(&o);
    o.checksums = CPH_CHECKSUMS_FAIL;
    ingest_into(&refuse, "stale-fail", &source, 1, &o);
    assert_int_equal(refuse.report.added, 0);
    assert_int_equal(refuse.report.refused, 1);
    ingested_close(&warn);
    ingested_close(&refuse);
}

static void no_path_of_a_mets_leaves_its_directory(void **state)
{
    (void)state;
    ingested g;
    write_text("secret.xml", ALTO_OF("B", "hemmelig"));
    write_text("inside/m.xml", METS(FILE_OF("A1", "../secret.xml") FILE_OF("A2", "file:///etc/passwd"),
                                    PAGE_DIV("A1", "1") PAGE_DIV("A2", "2"), ""));
    const char *source = testing_path("inside");
    ingest_into(&g, "inside-in", &source, 1, NULL);
    assert_int_equal(rule_count(&g.report, "file-missing"), 2);
    assert_int_equal(g.report.words, 0);
    ingested_close(&g);
}

static void the_browsing_bundle_of_two_mets_is_one_object_with_pointers_told(void **state)
{
    (void)state;
    const char *bundle = testing_shared("collections/nifi-tekst-bundle");
    ingested g;
    if (!bundle) skip();
    ingest_into(&g, "bundle", &bundle, 1, NULL);
    assert_int_equal(g.report.added, 1);
    assert_int_equal(rule_count(&g.report, "lfs-pointer"), 4);
    assert_int_equal(rule_count(&g.report, "mets-alternative"), 1);
    assert_int_equal(rule_count(&g.report, "unnamed-file"), 1); /* access-mets.xml, 0 bytes */
    cph_snapshot_object o = object_named(&g, "tekst_ee11f8dd-512a-49c2-95f0-03ece023fe72");
    assert_int_equal(o.n_pages, 4);
    assert_int_equal(count_of(&o, "images_missing"), 4);
    ingested_close(&g);
}

/* ---- facts ---- */

static const cph_json *work_of(ingested *g, const char *urn)
{
    const cph_json *w;
    must(cph_snapshot_work(g->snapshot, cph_str_of(urn), &g->a, &w, err));
    return cph_json_get(w, "work");
}

#define MODS(genre, date)                                                                                          \
    "<mods><titleInfo><title>T</title></titleInfo><genre>" genre "</genre><name type='personal'><namePart>Breton, W.H."    \
    "</namePart><namePart type='date'>1799-1889</namePart><role><roleTerm type='code'>aut</roleTerm></role></name><name>"  \
    "<namePart>Hertzberg</namePart><role><roleTerm>trl</roleTerm></role></name><name><namePart>Rode</namePart><role>"      \
    "<roleTerm>prt</roleTerm></role></name><originInfo><dateIssued>" date "</dateIssued></originInfo><language>"           \
    "<languageTerm>dan</languageTerm></language><identifier type='urn'>URN:x:" genre "</identifier></mods>"

static void an_edition_year_is_no_first_publication_but_an_issue_is(void **state)
{
    (void)state;
    ingested g;
    write_text("mods/book/1.xml", ALTO_OF("B", "bok"));
    write_text("mods/book/book.mods", MODS("biography", "1835"));
    write_text("mods/issue/1.xml", ALTO_OF("B", "avis"));
    write_text("mods/issue/issue.mods", MODS("newspaper", "1913-06-14"));
    const char *source = testing_path("mods");
    ingest_into(&g, "mods-in", &source, 1, NULL);
    assert_int_equal(g.report.added, 2);
    const cph_json *book = work_of(&g, "URN:x:biography"), *issue = work_of(&g, "URN:x:newspaper");
    assert_null(cph_json_get(book, "pub"));
    assert_true(cph_str_is(cph_json_get_str(cph_json_get(issue, "pub"), "value"), "1913-06-14"));
    assert_true(cph_str_is(cph_json_get_str(issue, "form"), "newspaper_issue"));
    const cph_json *people = cph_json_get(book, "contributors");
    assert_int_equal(people->n, 2); /* the printer made nothing */
    for (const cph_json *p = people->first; p; p = p->next) {
        bool author = cph_str_is(cph_json_get_str(p, "role"), "author");
        assert_true(author || cph_str_is(cph_json_get_str(p, "role"), "translator"));
        cph_str death = cph_json_get_str(cph_json_get(p, "death"), "value");
        assert_true(author ? cph_str_is(death, "1889") : death.n == 0);
    }
    cph_snapshot_object o = object_named(&g, "book");
    assert_true(cph_str_is(o.work_urn, "URN:x:biography"));
    ingested_close(&g);
}

static void works_jsonl_says_whose_texts_stand_beside_it(void **state)
{
    (void)state;
    ingested g;
    write_text("side/works.jsonl", "{\"urn\":\"URN:a\",\"title\":\"A\",\"files\":[\"a.txt\"]}\n{\"urn\":"
                                   "\"URN:f\",\"files\":[\"folder/1.xml\"]}\nbad\n"
                                   "{\"urn\":\"URN:bad\",\"form\":\"nonsense\"}\n");
    write_text("side/a.txt", "Tekst i en fil.\n");
    write_text("side/folder/1.xml", ALTO_OF("B", "side"));
    write_text("side/r.jsonl", "{\"id\":\"URN:r\",\"text\":\"En.\\n\\nTo "
                               "tre.\",\"lang\":\"no\",\"n\":1.5,\"\xC3\xA6\":true}\n{\"id\":7}\n");
    write_text("side/rights.jsonl",
               "{\"kind\":\"determination\",\"work\":\"URN:a\",\"evidence_sha256\":"
               "\"64d8c1a06d5f4b0d96c8b4b1d7b1f0d1b9e0b9e1e7a0a1f4b0a4a1a7c9f0e0d1\"}\n");
    write_text("side/readme.md", "not a text of the collection");
    const char *source = testing_path("side");
    ingest_into(&g, "side-in", &source, 1, NULL);
    assert_int_equal(g.report.added, 3);
    assert_int_equal(rule_count(&g.report, "works-jsonl"), 1);
    assert_int_equal(rule_count(&g.report, "facts-refused"), 1);
    assert_int_equal(rule_count(&g.report, "no-text"), 1);
    assert_int_equal(rule_count(&g.report, "not-ingested"), 1);
    assert_true(cph_str_is(object_named(&g, "a").work_urn, "URN:a"));
    assert_true(cph_str_is(object_named(&g, "folder").work_urn, "URN:f"));
    cph_snapshot_object r = object_named(&g, "URN:r");
    assert_true(cph_str_is(r.work_urn, "URN:r"));
    assert_true(cph_str_is(cph_json_get_str(meta_of(&r), "language"), "nor")); /* never silently nob */
    cph_page p;
    assert_true(page_of(&g, &r, 0, &p));
    assert_int_equal(p.n_blocks, 2);
    assert_int_equal(p.n_tokens, 3);
    assert_true(cph_str_is(cph_json_get_str(work_of(&g, "URN:a"), "title"), "A"));
    ingested_close(&g);
}

/* ---- the run ---- */

static void a_dry_run_finds_and_writes_nothing(void **state)
{
    (void)state;
    const char *source = sample_dir();
    cph_ingest_opts o;
    cph_ingest_report r;
    cph_ingest_opts_init(&o);
    o.dry_run = true;
    must(cph_ingest_run(&source, 1, NULL, &o, &r, err));
    assert_true(r.found > 30);
    assert_int_equal(r.added, 0);
}

static void a_source_that_does_not_exist_is_a_sentence(void **state)
{
    (void)state;
    const char *source = "/nowhere/at/all";
    cph_ingest_opts o;
    cph_ingest_report r;
    cph_err e = {0};
    cph_ingest_opts_init(&o);
    o.dry_run = true;
    assert_int_equal(cph_ingest_run(&source, 1, NULL, &o, &r, &e), CPH_IO);
    assert_non_null(strstr(e.what, "/nowhere/at/all"));
}

/* Every request for memory fails once: a sentence, no leak, and what was begun is whole or absent. */
static void memory_that_runs_out_leaves_no_half_object(void **state)
{
    (void)state;
    char source[CPH_PATH_MAX], path[CPH_PATH_MAX];
    const char *list = source;
    snprintf(source, sizeof source, "%s/sample_0009", sample_dir());
    snprintf(path, sizeof path, "%s", testing_path("nomem"));
    for (uint64_t n = 1; n < 400; n += 7) {
        cph_collection *c;
        cph_ingest_opts o;
        cph_ingest_report r;
        cph_err e = {0};
        cph_ingest_opts_init(&o);
        o.threads = 1;
        must(cph_collection_open(&c, path, CPH_OPEN_CREATE, err));
        cph_memory_fail_at(n);
        cph_status s = cph_ingest_run(&list, 1, c, &o, &r, &e);
        cph_memory_fail_at(0);
        assert_true(s == CPH_OK || s == CPH_NOMEM);
        cph_collection_close(c);
    }
    ingested g, plain;
    ingest_into(&g, "nomem", &list, 1, NULL);
    ingest_into(&plain, "plain", &list, 1, NULL);
    assert_true(same(&g.digest, &plain.digest));
    ingested_close(&g);
    ingested_close(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_two_and_five_threads_give_the_same_snapshot),
        cmocka_unit_test(any_order_of_arrival_gives_the_same_snapshot),
        cmocka_unit_test(a_second_run_over_the_same_bytes_changes_nothing),
        cmocka_unit_test(a_run_that_is_killed_and_resumed_ends_like_an_undisturbed_one),
        cmocka_unit_test(a_broken_page_is_told_and_the_object_goes_in),
        cmocka_unit_test(divisions_own_blocks_and_give_roles),
        cmocka_unit_test(stale_checksums_warn_or_refuse),
        cmocka_unit_test(no_path_of_a_mets_leaves_its_directory),
        cmocka_unit_test(the_browsing_bundle_of_two_mets_is_one_object_with_pointers_told),
        cmocka_unit_test(an_edition_year_is_no_first_publication_but_an_issue_is),
        cmocka_unit_test(works_jsonl_says_whose_texts_stand_beside_it),
        cmocka_unit_test(a_dry_run_finds_and_writes_nothing),
        cmocka_unit_test(a_source_that_does_not_exist_is_a_sentence),
        cmocka_unit_test(memory_that_runs_out_leaves_no_half_object),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    testing_remove();
    return failed;
}
