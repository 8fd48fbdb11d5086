/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_readers.c - the scanner's refusals, METS, MODS, encodings, sniffing, plain text, JSON records.
 */
#include "testing.h"

#include <colophon/format/encoding.h>
#include <colophon/format/jsonl.h>
#include <colophon/format/mets.h>
#include <colophon/format/mods.h>
#include <colophon/format/plain.h>
#include <colophon/format/sniff.h>

static cph_arena arena;

static int reset(void **state)
{
    (void)state;
    cph_arena_release(&arena);
    cph_arena_init(&arena, (size_t)256 << 20);
    return 0;
}

/* ---- the scanner ---- */

static cph_status scan(cph_str s, cph_err *err, bool *truncated)
{
    static cph_xml x;
    cph_status st;
    cph_xml_init(&x, s, "f.xml");
    while ((st = cph_xml_next(&x, err)) == CPH_OK) {}
    *truncated = x.truncated;
    return st;
}

static void broken_markup_is_refused_with_line_and_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } files[] = {
        {"<!DOCTYPE a [<!ENTITY x 'y'>]><a/>", "internal DTD subset"}, {"<a></b>", "</b> closes <a>"},
        {"<a\n b>", "line 1"}, {"<a b=c/>", "without quotes"}, {"<a b='<'/>", "'<' inside"},
        {"<a/><b/>", "second root"}, {"<a/>text", "after the root"}, {"x<a/>", "before the root"},
        {"<a b='1'c='2'/>", "no blank"}, {"</a>", "without an opening"}, {"<a><!x></a>", "starts no comment"},
        {"<a>< b/></a>", "starts no tag"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        cph_err e = {0};
        bool truncated;
        assert_int_equal(scan(cph_str_of(files[i].text), &e, &truncated), CPH_DATA);
        if (!strstr(e.what, files[i].says)) fail_msg("%s: %s", files[i].text, e.what);
    }
}

static void depth_and_attributes_have_limits_with_names(void **state)
{
    (void)state;
    static char deep[3 * 300 + 1], wide[16 * 300 + 16];
    cph_err e = {0};
    bool truncated;
    for (int i = 0; i < 300; i++) memcpy(deep + 3 * i, "<a>", 3);
    assert_int_equal(scan((cph_str){deep, 900}, &e, &truncated), CPH_NOMEM);
    assert_non_null(strstr(e.what, "256 elements inside each other"));
    size_t n = 2;
    memcpy(wide, "<a", 2);
    for (int i = 0; i < 300; i++) n += (size_t)sprintf(wide + n, " b%d=''", i);
    memcpy(wide + n, "/>", 3);
    assert_int_equal(scan(cph_str_of(wide), &e, &truncated), CPH_NOMEM);
    assert_non_null(strstr(e.what, "attributes of one element"));
}

static void references_to_no_character_become_u_fffd_and_are_counted(void **state)
{
    (void)state;
    cph_xml_tally t = {0};
    cph_str out;
    must(cph_xml_decode(&arena, &out, CPH_STR("a&#0;&#xD800;&foo;&amp;\x01z"), CPH_XML_IN_ATTR, &t, err));
    assert_true(cph_str_is(out, "a\xEF\xBF\xBD\xEF\xBF\xBD&foo;&z"));
    assert_int_equal(t.n_bad_refs, 3);
    assert_int_equal(t.n_controls, 1);
}

/* ---- METS ---- */

static const char browsing[] =
    "<mets:mets xmlns:mets='http://www.loc.gov/METS/v2' OBJID='tekst_1'><mets:mdSec><mets:md "
    "ID='M'/></mets:mdSec>"
    "<mets:fileSec><mets:fileGrp ID='BROWSINGGRP'><mets:file ID='DO_1'><mets:file ID='ALTO_1' USE='layout' "
    "MIMETYPE='application/xml'><mets:FLocat LOCTYPE='URN' "
    "LOCREF='URN:NBN:no-nb_tekst_1_001'/></mets:file><mets:file ID='I_1' "
    "MIMETYPE='image/jp2'><mets:FLocat "
    "LOCREF='URN:NBN:no-nb_tekst_1_001'/></mets:file></mets:file></mets:fileGrp>"
    "<mets:fileGrp USE='Discarded'><mets:fileGrp><mets:file ID='X'><mets:FLocat "
    "LOCREF='x.xml'/></mets:file></mets:fileGrp>"
    "</mets:fileGrp></mets:fileSec><mets:structSec><mets:structMap TYPE='PHYSICAL'><mets:div "
    "TYPE='PAGES'><mets:div TYPE='PAGE' "
    "ORDER='1' ORDERLABEL='iv'><mets:fptr><mets:par><mets:area "
    "FILEID='ALTO_1'/></mets:par></mets:fptr><mets:fptr FILEID='I_1'/>"
    "</mets:div></mets:div></mets:structMap></mets:structSec></mets:mets>";

static void mets_2_with_nested_files_reads_like_mets_1(void **state)
{
    (void)state;
    cph_mets m;
    must(cph_mets_parse(&m, &arena, cph_str_of(browsing), "mets.xml", err));
    assert_int_equal(m.version, 2);
    assert_true(cph_str_is(m.objid, "tekst_1"));
    assert_int_equal(m.n_files, 4);
    assert_false(m.files->has_location);                 /* the wrapper: METS-03 */
    const cph_mets_file *alto = m.files->next, *image = alto->next, *discarded = image->next;
    assert_true(alto->is_urn && image->is_urn);          /* METS-05 */
    assert_true(cph_str_is(alto->group, "BROWSINGGRP")); /* METS-02 */
    assert_true(discarded->discarded);
    const cph_mets_div *page = m.maps->root->first;
    assert_true(cph_str_is(page->orderlabel, "iv"));
    assert_int_equal(page->areas->way, CPH_METS_PAR);
    assert_int_equal(page->areas->next->way, CPH_METS_FPTR);
    assert_true(cph_str_is(page->areas->next->file_id, "I_1"));
}

static void areas_of_one_sequence_share_a_set(void **state)
{
    (void)state;
    cph_mets m;
    must(cph_mets_parse(&m, &arena,
                        CPH_STR("<mets><structMap TYPE='logical'><div><div><fptr><seq><area FILEID='a' "
                                "BEGIN='1'/><area FILEID='b' "
                                "BEGIN='2' END='3'/></seq></fptr><fptr><area FILEID='c' "
                                "BEGIN='4'/></fptr></div></div></structMap>"
                                "</mets>"),
                        "mets.xml", err));
    const cph_mets_area *a = m.maps->root->first->areas;
    assert_int_equal(a->way, CPH_METS_SEQ);
    assert_int_equal(a->set, a->next->set);
    assert_int_equal(a->next->next->way, CPH_METS_AREA);
    assert_int_equal(a->next->next->set, 0);
    assert_int_equal(m.maps->n_areas, 3);
    assert_int_equal(m.maps->n_end, 1);
    assert_int_equal(m.maps->n_seq, 1);
}

static void a_truncated_mets_gives_what_was_complete(void **state)
{
    (void)state;
    for (size_t cut = 20; cut < sizeof browsing - 1; cut++) {
        cph_mets m;
        cph_status s = cph_mets_parse(&m, &arena, (cph_str){browsing, cut}, "cut", NULL);
        if (s == CPH_OK) assert_true(m.truncated);
        else assert_int_equal(s, CPH_DATA);
    }
}

/* ---- MODS ---- */

static void only_children_of_mods_are_about_the_work(void **state)
{
    (void)state;
    cph_mods m;
    must(cph_mods_parse(
        &m, &arena,
        CPH_STR(
            "<mods><titleInfo><title>A</title><subTitle>b</subTitle></titleInfo><name "
            "type='personal'><namePart "
            "type='family'>Breton</namePart><namePart type='given'>W.H.</namePart><namePart "
            "type='date'>1799-1889"
            "</namePart><role><roleTerm "
            "type='code'>aut</roleTerm></role></name><subject><name><namePart>Nobody"
            "</namePart></name></subject><originInfo><place><placeTerm type='text'>Bergen</placeTerm></place>"
            "<dateIssued>1835</dateIssued></originInfo><language objectPart='translation'><languageTerm>eng"
            "</languageTerm></language><language><languageTerm>dan</languageTerm></language><accessCondition/"
            ">"
            "<relatedItem><titleInfo><title>C</title></titleInfo></relatedItem><identifier type='urn'>URN:x"
            "</identifier></mods>"),
        "m.mods", err));
    assert_true(cph_str_is(m.titles->value, "A"));
    assert_null(m.titles->next->next);
    assert_true(cph_str_is(m.names->name, "Breton, W.H."));
    assert_null(m.names->next);
    assert_true(cph_str_is(m.issued->value, "1835"));
    assert_true(cph_str_is(cph_mods_find(m.languages, "translation"), "eng"));
    assert_true(m.access && !m.access->value.n); /* there, and empty: no openness */
    assert_true(cph_str_is(cph_mods_find(m.identifiers, "urn"), "URN:x"));
}

static void life_dates_are_read_as_catalogues_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *birth, *death;
    } lives[] = {{"1799-1889", "1799", "1889"},
                 {"1799-", "1799", ""},
                 {"-1889", "", "1889"},
                 {"f. 1799", "1799", ""},
                 {"1799\xE2\x80\x93"
                  "1889",
                  "1799", "1889"},
                 {"ca. 1799-ca. 1889", "1799", "1889"},
                 {"18--", "", ""},
                 {"", "", ""},
                 {"d. 1889", "", "1889"}};
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
        cph_str birth, death;
        cph_mods_life(cph_str_of(lives[i].text), &birth, &death);
        if (!cph_str_is(birth, lives[i].birth) || !cph_str_is(death, lives[i].death))
            fail_msg("%s: %.*s and %.*s", lives[i].text, CPH_FMT(birth), CPH_FMT(death));
    }
}

/* ---- encodings and sniffing ---- */

static void an_encoding_is_marked_declared_seen_or_guessed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *text, *name;
        bool guessed, lied;
    } files[] = {
        {"\xEF\xBB\xBF"
         "bl\xC3\xA5",
         7, "bl\xC3\xA5", "utf-8", false, false},
        {"\xFF\xFE"
         "b\0l\0\xE5\0",
         8, "bl\xC3\xA5", "utf-16le", false, false},
        {"bl\xE5\x93", 4, "bl\xC3\xA5\xE2\x80\x9C", "windows-1252", true, false},
        {"<?xml version='1.0' encoding='ISO-8859-1'?>\xE5", 44,
         "<?xml version='1.0' encoding='ISO-8859-1'?>\xC3\xA5", "iso-8859-1", false, false},
        {"<?xml version='1.0' encoding='ISO-8859-1'?>\xC3\xA5", 45,
         "<?xml version='1.0' encoding='ISO-8859-1'?>\xC3\xA5", "utf-8", false, true},
        {"<?xml version='1.0' encoding='UTF-8'?>\xE5", 39,
         "<?xml version='1.0' encoding='UTF-8'?>\xEF\xBF\xBD", "utf-8", false, false},
    };
    cph_buf b;
    cph_buf_init(&b, 1 << 20);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        cph_encoding how;
        cph_str out;
        must(cph_to_utf8(&out, &b, (cph_str){files[i].bytes, files[i].n}, "f", &how, err));
        assert_true(cph_str_is(out, files[i].text));
        assert_string_equal(how.name, files[i].name);
        assert_int_equal(how.guessed, files[i].guessed);
        assert_int_equal(how.lied, files[i].lied);
    }
    cph_buf_release(&b);
}

static void content_says_what_a_file_is(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        cph_format is;
    } files[] = {
        {"", CPH_FORMAT_EMPTY},
        {"version https://git-lfs.github.com/spec/v1\noid", CPH_FORMAT_LFS},
        {"<?xml version='1.0'?>\n<!-- x --><mets:mets xmlns:mets='u'>", CPH_FORMAT_METS},
        {"<Alto>", CPH_FORMAT_ALTO},
        {"<PcGts xmlns='x'>", CPH_FORMAT_PAGE},
        {"<TEI>", CPH_FORMAT_TEI},
        {"<modsCollection>", CPH_FORMAT_MODS},
        {"<html><meta name='ocr-system'/>", CPH_FORMAT_HOCR},
        {"<!DOCTYPE html><html>", CPH_FORMAT_HTML},
        {"<document xmlns='http://www.abbyy.com/x'>", CPH_FORMAT_ABBYY},
        {"  {\"id\": 1}", CPH_FORMAT_JSON},
        {"[1]", CPH_FORMAT_JSON},
        {"WARC/1.0\r\n", CPH_FORMAT_WARC},
        {"\x1F\x8B\x08", CPH_FORMAT_GZIP},
        {"Det var en gang", CPH_FORMAT_TEXT},
        {"bl\xE5 b\xE6r og annet", CPH_FORMAT_TEXT},
        {"\x01\x02\x03\x04", CPH_FORMAT_UNKNOWN},
        {"< 5 is less", CPH_FORMAT_TEXT},
        {"<other/>", CPH_FORMAT_XML},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (cph_sniff(cph_str_of(files[i].head)) != files[i].is)
            fail_msg("%s: %s", files[i].head, cph_format_name(cph_sniff(cph_str_of(files[i].head))));
}

/* ---- plain text ---- */

static void form_feeds_end_pages_and_blank_lines_paragraphs(void **state)
{
    (void)state;
    cph_plain r;
    cph_str line;
    cph_plain_init(&r, CPH_STR("\f\none\r\ntwo\r\rthree\f\f  four  \n"), CPH_PLAIN_WRAPPED);
    static const struct {
        const char *line;
        bool page, paragraph;
    } want[] = {{"one", true, true}, {"two", false, false}, {"three", false, true}, {"four", true, true}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(cph_plain_next(&r, &line), CPH_OK);
        assert_true(cph_str_is(line, want[i].line));
        assert_int_equal(r.new_page, want[i].page);
        assert_int_equal(r.new_paragraph, want[i].paragraph);
    }
    assert_int_equal(cph_plain_next(&r, &line), CPH_END);
}

static void wrapped_lines_paragraphs_and_verse_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(cph_plain_judge(CPH_STR("den gamle mannen gikk ned til sj\xC3\xB8" "en for \xC3\xA5\n"
                                             "se etter garnene som han hadde satt ut om\n"
                                             "kvelden f\xC3\xB8r uv\xC3\xA6ret kom inn fra vest over\n"
                                             "holmene og skj\xC3\xA6rene utenfor den lille byen.\n")),
                     CPH_PLAIN_WRAPPED);
    assert_int_equal(
        cph_plain_judge(
            CPH_STR("En kort setning.\nEn mye lengre setning som st\xC3\xA5r p\xC3\xA5 sin egen linje her.\n"
                    "Tre.\nDette er ogs\xC3\xA5 et avsnitt for seg, og det er langt.\n")),
        CPH_PLAIN_LINES);
    assert_int_equal(cph_plain_judge(CPH_STR("Brede seil over Nordsj\xC3\xB8 g\xC3\xA5r,\nH\xC3\xB8yt "
                                             "p\xC3\xA5 skansen i morgnen st\xC3\xA5r\n"
                                             "Erling Skjalgsson fra Sole,\nSpeider over hav mot Danmark\n")),
                     CPH_PLAIN_VERSE);
}

/* ---- JSON records ---- */

static void a_bad_record_is_reported_and_the_file_goes_on(void **state)
{
    (void)state;
    cph_jsonl *r;
    const cph_json *v;
    uint64_t line;
    const char *text = "\xEF\xBB\xBF{\"id\":1}\n\n{bad\n{\"id\":\"\\ud800\"}\n";
    must(cph_file_write(testing_path("r.jsonl"), text, strlen(text), err));
    must(cph_jsonl_open(&r, testing_path("r.jsonl"), err));
    must(cph_jsonl_next(r, &v, &line, err));
    assert_int_equal(line, 1);
    assert_int_equal(cph_jsonl_next(r, &v, &line, NULL), CPH_DATA);
    assert_int_equal(line, 3);
    must(cph_jsonl_next(r, &v, &line, err));
    assert_int_equal(line, 4);
    assert_int_equal(cph_jsonl_n_replaced(r), 1);
    assert_int_equal(cph_jsonl_next(r, &v, &line, NULL), CPH_END);
    cph_jsonl_close(r);
}

static void one_array_reads_like_lines_and_paths_reach_inside(void **state)
{
    (void)state;
    cph_jsonl *r;
    const cph_json *v;
    uint64_t line, n;
    const char *text = " [\n{\"a\":{\"b\":7}},\n{\"a.b\":8}\n]";
    must(cph_file_write(testing_path("a.json"), text, strlen(text), err));
    must(cph_jsonl_open(&r, testing_path("a.json"), err));
    for (uint64_t i = 0; i < 2; i++) {
        must(cph_jsonl_next(r, &v, &line, err));
        assert_int_equal(line, i + 1);
        assert_true(cph_json_u64(cph_json_path(v, CPH_STR("a.b")), &n));
        assert_int_equal(n, 7 + i);
    }
    assert_int_equal(cph_jsonl_next(r, &v, &line, NULL), CPH_END);
    cph_jsonl_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(broken_markup_is_refused_with_line_and_byte, reset),
        cmocka_unit_test_setup(depth_and_attributes_have_limits_with_names, reset),
        cmocka_unit_test_setup(references_to_no_character_become_u_fffd_and_are_counted, reset),
        cmocka_unit_test_setup(mets_2_with_nested_files_reads_like_mets_1, reset),
        cmocka_unit_test_setup(areas_of_one_sequence_share_a_set, reset),
        cmocka_unit_test_setup(a_truncated_mets_gives_what_was_complete, reset),
        cmocka_unit_test_setup(only_children_of_mods_are_about_the_work, reset),
        cmocka_unit_test_setup(life_dates_are_read_as_catalogues_write_them, reset),
        cmocka_unit_test_setup(an_encoding_is_marked_declared_seen_or_guessed, reset),
        cmocka_unit_test_setup(content_says_what_a_file_is, reset),
        cmocka_unit_test_setup(form_feeds_end_pages_and_blank_lines_paragraphs, reset),
        cmocka_unit_test_setup(wrapped_lines_paragraphs_and_verse_are_told_apart, reset),
        cmocka_unit_test_setup(a_bad_record_is_reported_and_the_file_goes_on, reset),
        cmocka_unit_test_setup(one_array_reads_like_lines_and_paths_reach_inside, reset),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cph_arena_release(&arena);
    testing_remove();
    return failed;
}
