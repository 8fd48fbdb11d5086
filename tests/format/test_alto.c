/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_alto.c - ALTO of every version and dialect gives the same events (readers-and-corpus 5, 31.1).
 */
#include "testing.h"

#include <colophon/format/alto.h>

#include <math.h>

static cph_arena arena;
static cph_alto reader;

static int reset(void **state)
{
    (void)state;
    cph_arena_release(&arena);
    cph_arena_init(&arena, (size_t)64 << 20);
    return 0;
}

/* Next event of that kind; false when there is none. */
static bool next(cph_alto_kind kind, cph_alto_event *e)
{
    while (cph_alto_next(&reader, e, NULL) == CPH_OK)
        if (e->kind == kind) return true;
    return false;
}

static void read_alto(const char *text) { cph_alto_init(&reader, &arena, cph_str_of(text), "page.xml"); }

/* A page whose tags all bear the prefix. */
static const char *body_with(const char *prefix)
{
    static const char plain[] =
        "<@Layout><@Page><@PrintSpace><@TextBlock ID='b'><@TextLine><@String CONTENT='Bl\xC3\xA5' "
        "WC='0.78'/><@SP/>"
        "<@String CONTENT='b\xC3\xA6r'/></@TextLine></@TextBlock></@PrintSpace></@Page></@Layout>";
    static char out[2048];
    size_t n = 0;
    for (const char *p = plain; *p; p++) {
        if (*p == '@') n += (size_t)sprintf(out + n, "%s", prefix);
        else out[n++] = *p;
    }
    out[n] = 0;
    return out;
}

static void every_namespace_prefix_and_root_gives_the_same_text(void **state)
{
    static const char *const opens[][3] = {
        {"<alto>", "", "</alto>"},
        {"<alto xmlns='http://schema.ccs-gmbh.com/ALTO'>", "", "</alto>"},
        {"<alto xmlns='http://www.loc.gov/standards/alto/ns-v2#'>", "", "</alto>"},
        {"<alto xmlns='http://www.loc.gov/standards/alto/ns-v3#'>", "", "</alto>"},
        {"<alto xmlns='http://www.loc.gov/standards/alto/ns-v4#'>", "", "</alto>"},
        {"<alto:alto xmlns:alto='http://www.loc.gov/standards/alto/ns-v4#'>", "alto:", "</alto:alto>"},
        {"<Alto>", "", "</Alto>"},
        {"<ALTO>", "", "</ALTO>"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
        char text[4096];
        cph_alto_event e;
        snprintf(text, sizeof text, "<?xml version='1.0'?>\n%s%s%s", opens[i][0], body_with(opens[i][1]),
                 opens[i][2]);
        read_alto(text);
        assert_true(next(CPH_ALTO_STRING, &e));
        assert_true(cph_str_is(e.content, "Bl\xC3\xA5"));
        assert_int_equal(e.wc, 78);
        assert_true(next(CPH_ALTO_SP, &e));
        assert_true(next(CPH_ALTO_STRING, &e));
        assert_true(cph_str_is(e.content, "b\xC3\xA6r"));
        assert_int_equal(e.wc, -1);
        assert_false(next(CPH_ALTO_STRING, &e));
        assert_false(reader.truncated);
    }
}

static void a_file_without_description_is_in_tenths_of_millimetres(void **state)
{
    (void)state;
    cph_alto_event e;
    read_alto("<alto><Layout><Page/></Layout></alto>");
    assert_true(next(CPH_ALTO_PAGE, &e));
    assert_true(cph_str_is(reader.unit, "mm10"));
}

static void the_engine_is_that_of_the_ocr_step(void **state)
{
    (void)state;
    cph_alto_event e;
    read_alto(
        "<alto><Description><MeasurementUnit>pixel</MeasurementUnit><OCRProcessing ID='o'><preProcessingStep>"
        "<processingSoftware><softwareName>CCS "
        "docWORKS</softwareName></processingSoftware></preProcessingStep>"
        "<ocrProcessingStep><processingDateTime>2007-02-20</"
        "processingDateTime><processingSoftware><softwareCreator>"
        "ABBYY</softwareCreator><softwareName>Finereader</softwareName><softwareVersion>8.0</softwareVersion>"
        "</processingSoftware></ocrProcessingStep><postProcessingStep><processingSoftware><softwareName>x"
        "</softwareName></processingSoftware></postProcessingStep></OCRProcessing></Description>"
        "<Layout><Page/></Layout></alto>");
    assert_true(next(CPH_ALTO_PAGE, &e));
    assert_true(cph_str_is(reader.engine, "Finereader"));
    assert_true(cph_str_is(reader.engine_version, "8.0"));
    assert_true(cph_str_is(reader.ocr_date, "2007-02-20"));
    assert_true(cph_str_is(reader.unit, "pixel"));
}

static void all_five_places_and_composed_blocks_are_read(void **state)
{
    (void)state;
    static const char *const places[] = {"TopMargin", "LeftMargin", "RightMargin", "BottomMargin",
                                         "PrintSpace"};
    static const cph_alto_place want[] = {CPH_ALTO_TOP, CPH_ALTO_LEFT, CPH_ALTO_RIGHT, CPH_ALTO_BOTTOM,
                                          CPH_ALTO_PRINT};
    for (size_t i = 0; i < 5; i++) {
        char text[1024];
        cph_alto_event e;
        snprintf(text, sizeof text,
                 "<alto><Layout><Page><%s><ComposedBlock TYPE='Table' ID='c'><ComposedBlock><TextBlock "
                 "ID='b'><TextLine>"
                 "<String "
                 "CONTENT='x'/></TextLine></TextBlock></ComposedBlock></ComposedBlock></%s></Page></Layout></"
                 "alto>",
                 places[i], places[i]);
        read_alto(text);
        assert_true(next(CPH_ALTO_COMPOSED, &e));
        assert_true(cph_str_is(e.type, "Table"));
        assert_true(next(CPH_ALTO_BLOCK, &e));
        assert_int_equal(e.place, want[i]);
        assert_true(next(CPH_ALTO_STRING, &e));
    }
}

static void halves_confidences_and_languages_are_as_stated(void **state)
{
    (void)state;
    cph_alto_event e;
    read_alto("<alto><Layout><Page LANG='no'><PrintSpace><TextBlock language='nb' LANG='nn' IDNEXT='z' "
              "TAGREFS='t1 t2'>"
              "<TextLine><String CONTENT='Ventilations' SUBS_TYPE='HypPart1' SUBS_CONTENT=' "
              "Ventilationsschachtes' WC='1.00'"
              " CC='012'/><HYP CONTENT='&#xAD;'/></TextLine><TextLine><String SUBS_TYPE='HypPart2' "
              "CONTENT='schachtes' CS='true'"
              " WC='93'/><String CONTENT='F.eks.' SUBS_TYPE='Abbreviation' "
              "WC='NaN'/></TextLine></TextBlock></PrintSpace></Page>"
              "</Layout></alto>");
    assert_true(next(CPH_ALTO_PAGE, &e));
    assert_true(cph_str_is(e.lang, "no"));
    assert_true(next(CPH_ALTO_BLOCK, &e));
    assert_true(cph_str_is(e.lang, "nn"));
    assert_true(cph_str_is(e.idnext, "z"));
    assert_true(cph_str_is(e.tagrefs, "t1 t2"));
    assert_true(next(CPH_ALTO_STRING, &e));
    assert_int_equal(e.subs_type, CPH_ALTO_PART1);
    assert_true(cph_str_is(e.subs, " Ventilationsschachtes"));
    assert_int_equal(e.wc, 100);
    assert_true(cph_str_is(e.cc, "012"));
    assert_true(next(CPH_ALTO_HYP, &e));
    assert_true(cph_str_is(e.content, "\xC2\xAD"));
    assert_true(next(CPH_ALTO_STRING, &e));
    assert_int_equal(e.subs_type, CPH_ALTO_PART2);
    assert_true(e.corrected);
    assert_int_equal(e.wc, -1); /* 93 is no confidence of 0..1, and nobody said per cent */
    assert_true(next(CPH_ALTO_STRING, &e));
    assert_int_equal(e.subs_type, CPH_ALTO_ABBREVIATION);
    assert_int_equal(e.wc, -1);
}

static void a_string_is_built_from_glyphs_only_where_it_has_no_content(void **state)
{
    (void)state;
    cph_alto_event e;
    read_alto(
        "<alto><Layout><Page><TextBlock><TextLine><String><Glyph CONTENT='o'><Variant CONTENT='c'/></Glyph>"
        "<Glyph CONTENT='g'/></String><String CONTENT='ja'><Glyph CONTENT='j'/><Glyph "
        "CONTENT='o'/></String><String>"
        "<ALTERNATIVE PURPOSE='x'>y</ALTERNATIVE></String></TextLine></TextBlock></Page></Layout></alto>");
    assert_true(next(CPH_ALTO_STRING, &e));
    assert_true(e.from_glyphs && cph_str_is(e.content, "og"));
    assert_true(next(CPH_ALTO_STRING, &e));
    assert_true(!e.from_glyphs && cph_str_is(e.content, "ja"));
    assert_int_equal(reader.n_glyph_differs, 1);
    assert_true(next(CPH_ALTO_STRING, &e));
    assert_false(e.has_content);
}

static void geometry_that_is_no_number_is_unknown(void **state)
{
    (void)state;
    cph_alto_event e;
    read_alto("<alto><Layout><Page><TextBlock HPOS='NaN' VPOS='' WIDTH='12.5' "
              "HEIGHT='-617'/></Page></Layout></alto>");
    assert_true(next(CPH_ALTO_BLOCK, &e));
    assert_true(isnan(e.x) && isnan(e.y));
    assert_true(e.w == 12.5 && e.h == -617);
}

static void only_top_level_groups_of_the_reading_order_are_reported(void **state)
{
    (void)state;
    cph_alto_event e;
    read_alto(
        "<alto><ReadingOrder><OrderedGroup><ElementRef REF='b c'/><UnorderedGroup><ElementRef "
        "REF='d'/></UnorderedGroup>"
        "</OrderedGroup><OrderedGroup><ElementRef REF='e'/></OrderedGroup></ReadingOrder><Layout/></alto>");
    unsigned groups = 0, refs = 0;
    while (cph_alto_next(&reader, &e, NULL) == CPH_OK) {
        groups += e.kind == CPH_ALTO_GROUP;
        refs += e.kind == CPH_ALTO_REF;
    }
    assert_int_equal(groups, 2);
    assert_int_equal(refs, 3);
}

/* Cut at any byte: what comes is a beginning of what the whole file gives, and the cut is flagged. */
static void a_file_cut_at_any_byte_gives_what_was_complete(void **state)
{
    (void)state;
    char text[4096];
    snprintf(text, sizeof text, "<?xml version='1.0'?><alto>%s</alto>", body_with(""));
    size_t n = strlen(text);
    for (size_t cut = 0; cut < n; cut++) {
        cph_alto_event e;
        cph_status s;
        unsigned strings = 0;
        cph_alto_init(&reader, &arena, (cph_str){text, cut}, "cut");
        while ((s = cph_alto_next(&reader, &e, NULL)) == CPH_OK)
            if (e.kind == CPH_ALTO_STRING)
                assert_true(cph_str_is(e.content, strings++ ? "b\xC3\xA6r" : "Bl\xC3\xA5"));
        assert_int_equal(s, CPH_END);
        assert_true(reader.truncated);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_namespace_prefix_and_root_gives_the_same_text, reset),
        cmocka_unit_test_setup(a_file_without_description_is_in_tenths_of_millimetres, reset),
        cmocka_unit_test_setup(the_engine_is_that_of_the_ocr_step, reset),
        cmocka_unit_test_setup(all_five_places_and_composed_blocks_are_read, reset),
        cmocka_unit_test_setup(halves_confidences_and_languages_are_as_stated, reset),
        cmocka_unit_test_setup(a_string_is_built_from_glyphs_only_where_it_has_no_content, reset),
        cmocka_unit_test_setup(geometry_that_is_no_number_is_unknown, reset),
        cmocka_unit_test_setup(only_top_level_groups_of_the_reading_order_are_reported, reset),
        cmocka_unit_test_setup(a_file_cut_at_any_byte_gives_what_was_complete, reset),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cph_arena_release(&arena);
    return failed;
}
