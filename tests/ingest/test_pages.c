/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pages.c - what ingest makes of one ALTO page: spaces, order, roles, balance (readers-and-corpus 15,
 * 16).
 */
#include "testing.h"

#include <colophon/format/encoding.h>

#include "ingest_in.h"

static scratch room;
static page_result result;

static int open_room(void **state)
{
    (void)state;
    must(cph_scratch_init(&room, err));
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    cph_scratch_release(&room);
    return 0;
}

static cph_page read_page(const char *alto)
{
    page_want want = {.file = "page.xml", .page_role = CPH_ROLE_body};
    cph_page p;
    cph_arena_reset(&room.keep);
    must(cph_alto_page_read(&result, &room, cph_str_of(alto), &want, err));
    must(cph_page_decode(&p, &room.keep, result.json, "page", err));
    assert_int_equal(p.n_strings, p.n_tokens + p.n_empty); /* LAW-1 */
    return p;
}

/* The page's text with its spaces; '|' ends a line, "||" a block. */
static const char *text_of(const cph_page *p)
{
    static char out[4096];
    size_t n = 0;
    for (uint32_t b = 0; b < p->n_blocks; b++) {
        if (b) out[n++] = '|';
        for (uint32_t l = 0; l < p->blocks[b].n_lines; l++) {
            const cph_line *line = &p->lines[p->blocks[b].first_line + l];
            if (l || b) out[n++] = '|';
            for (uint32_t t = 0; t < line->n_tokens; t++) {
                const cph_token *token = &p->tokens[line->first_token + t];
                n += (size_t)sprintf(out + n, "%s%.*s", token->space_before ? " " : "", CPH_FMT(token->text));
            }
        }
    }
    out[n] = 0;
    return out;
}

#define PAGE(inner) \
    "<alto><Layout><Page WIDTH='1000' HEIGHT='1000'><PrintSpace>" inner "</PrintSpace></Page></Layout></" \
                                                                        "alto>"
#define BLOCK(id, word) \
    "<TextBlock ID='" id "'><TextLine><String CONTENT='" word "'/><SP/></TextLine></TextBlock>"

static void where_an_sp_stands_is_a_space_and_nowhere_else(void **state)
{
    (void)state;
    cph_page p = read_page(
        PAGE("<TextBlock><TextLine><String CONTENT='Devonshir' HPOS='0' WIDTH='9' HEIGHT='9'/><String "
             "CONTENT='e' HPOS='90' WIDTH='9' HEIGHT='9'/><SP/><String "
             "CONTENT='owners'/></TextLine></TextBlock>"));
    assert_string_equal(text_of(&p), "Devonshire owners");
    assert_false(p.gap_mode);
    assert_int_equal(result.c.adjacent_without_sp, 1);
}

static void without_any_sp_the_gap_decides(void **state)
{
    (void)state;
    cph_page p = read_page(PAGE(
        "<TextBlock><TextLine><String CONTENT='Kant' HPOS='0' WIDTH='40' HEIGHT='20'/><String CONTENT=','"
        " HPOS='50' WIDTH='5' HEIGHT='20'/><String CONTENT='(' HPOS='60' WIDTH='5' HEIGHT='20'/><String "
        "CONTENT='so' HPOS='70' WIDTH='20' HEIGHT='20'/><String CONTENT='weit' HPOS='92' WIDTH='20' "
        "HEIGHT='20'/><String CONTENT='neu' HPOS='0' WIDTH='20' HEIGHT='20'/><String CONTENT='?x' "
        "HPOS='NaN'/><String CONTENT='x'/></TextLine></TextBlock>"));
    assert_true(p.gap_mode);
    assert_string_equal(text_of(&p), "Kant, (soweit|neu?x x");
}

static void danish_guillemets_open_to_the_right(void **state)
{
    (void)state;
    cph_page p = read_page(
        "<alto><Layout><Page LANG='da'><TextBlock><TextLine><String CONTENT='sagde'/><String "
        "CONTENT='\xC2\xBB'/>"
        "<String CONTENT='ja'/><String CONTENT='\xC2\xAB'/></TextLine></TextBlock></Page></Layout></alto>");
    assert_string_equal(text_of(&p), "sagde \xC2\xBBja\xC2\xAB");
}

static void empty_content_is_counted_and_no_token(void **state)
{
    (void)state;
    cph_page p = read_page(
        PAGE("<TextBlock><TextLine><String CONTENT=''/><SP/><String CONTENT=' '/><String CONTENT=' a b '/>"
             "</TextLine></TextBlock>"));
    assert_int_equal(p.n_strings, 3);
    assert_int_equal(p.n_empty, 2);
    assert_string_equal(text_of(&p), "a b");
}

static void text_is_composed(void **state)
{
    (void)state;
    cph_page p =
        read_page(PAGE("<TextBlock><TextLine><String CONTENT='Na\xCC\x8A'/><SP/></TextLine></TextBlock>"));
    assert_string_equal(text_of(&p), "N\xC3\xA5");
}

static void the_reading_order_of_the_file_orders_blocks(void **state)
{
    (void)state;
    cph_page p = read_page(
        "<alto><ReadingOrder><OrderedGroup><ElementRef REF='c'/><ElementRef REF='k a'/></OrderedGroup>"
        "<OrderedGroup><ElementRef REF='a c'/></OrderedGroup></ReadingOrder><Layout><Page><PrintSpace>" BLOCK(
            "a",
            "1") "<ComposedBlock ID='k'>" BLOCK("b",
                                                "2") "</ComposedBlock>" BLOCK("c",
                                                                              "3") "</PrintSpace></Page></"
                                                                                   "Layout></alto>");
    assert_string_equal(text_of(&p), "3||2||1");
}

static void chains_of_idnext_order_blocks_and_cycles_end(void **state)
{
    (void)state;
    cph_page p = read_page(
        PAGE("<TextBlock ID='a' IDNEXT='c'><TextLine><String CONTENT='1'/><SP/></TextLine></TextBlock>"
             "<TextBlock ID='b'><TextLine><String CONTENT='4'/></TextLine></TextBlock><TextBlock ID='c' "
             "IDNEXT='d'><TextLine><String CONTENT='2'/></TextLine></TextBlock><TextBlock ID='d' IDNEXT='c'>"
             "<TextLine><String CONTENT='3'/></TextLine></TextBlock>"));
    assert_string_equal(text_of(&p), "1||2||3||4");
}

static void place_and_digits_give_roles(void **state)
{
    (void)state;
    static const struct {
        const char *place, *word;
        cph_role role;
    } want[] = {{"TopMargin", "225", CPH_ROLE_page_number},   {"TopMargin", "xiv", CPH_ROLE_page_number},
                {"BottomMargin", "[7]", CPH_ROLE_page_number}, {"TopMargin", "Fyret", CPH_ROLE_running_head},
                {"BottomMargin", "B2", CPH_ROLE_signature},    {"LeftMargin", "1723.", CPH_ROLE_page_number},
                {"LeftMargin", "Note", CPH_ROLE_marginalia},   {"PrintSpace", "225", CPH_ROLE_body}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "<alto><Layout><Page><%s>" BLOCK("a", "%s") "</%s></Page></Layout></alto>", want[i].place,
                 want[i].word, want[i].place);
        cph_page p = read_page(text);
        if (p.blocks[0].role != want[i].role)
            fail_msg("%s %s: %s", want[i].place, want[i].word, cph_role_name(p.blocks[0].role));
    }
}

static void composed_types_and_tags_give_roles(void **state)
{
    (void)state;
    cph_page p = read_page(
        "<alto><Tags><LayoutTag ID='t' LABEL='heading'/></Tags><Layout><Page><PrintSpace><ComposedBlock "
        "TYPE='Table'>" BLOCK("a", "1") "</ComposedBlock><ComposedBlock TYPE='container'>" BLOCK(
            "b", "2") "</ComposedBlock><TextBlock TAGREFS='x t'/></PrintSpace></Page></Layout></alto>");
    assert_int_equal(p.blocks[0].role, CPH_ROLE_table);
    assert_true(cph_str_is(p.blocks[0].type, "Table"));
    assert_int_equal(p.blocks[1].role, CPH_ROLE_body);
    assert_int_equal(p.blocks[2].role, CPH_ROLE_heading);
}

static void boxes_are_thousandths_of_the_page(void **state)
{
    (void)state;
    cph_page p = read_page("<alto><Layout><Page WIDTH='2000' HEIGHT='500'><TextBlock HPOS='1000' VPOS='-5' "
                           "WIDTH='NaN' HEIGHT='1'/>"
                           "</Page></Layout></alto>");
    assert_int_equal(p.blocks[0].box.x, 500);
    assert_int_equal(p.blocks[0].box.y, -10);
    assert_int_equal(p.blocks[0].box.w, CPH_UNKNOWN_BOX);
    assert_int_equal(p.blocks[0].box.h, 2);
    assert_int_equal(result.width, 2000);
}

static void a_page_that_breaks_keeps_its_complete_lines(void **state)
{
    (void)state;
    static const char text[] =
        PAGE("<TextBlock><TextLine><String CONTENT='hel'/><SP/></TextLine><TextLine><String CONTENT='halv'/>"
             "<String CONTENT='x'/></TextLine></TextBlock>");
    char cut[sizeof text];
    snprintf(cut, sizeof cut, "%.*s", (int)(strstr(text, "'x'") - text), text);
    cph_page p = read_page(cut);
    assert_true(result.truncated);
    assert_string_equal(text_of(&p), "hel");
    memcpy(strstr(cut, "halv"), "<alv", 4);
    p = read_page(cut);
    assert_string_equal(text_of(&p), "hel");
    assert_non_null(strstr(result.fault.p, "'<' inside an attribute value"));
}

static void ids_that_occur_twice_are_counted(void **state)
{
    (void)state;
    read_page(PAGE(BLOCK("a", "1") BLOCK("b", "2") BLOCK("a", "3")));
    assert_int_equal(result.c.duplicate_ids, 1);
}

/* ALTO of other houses: nothing is lost, and what their dialect does is seen (5.4). */
static void every_shared_dialect_balances(void **state)
{
    (void)state;
    static const char *const files[] = {
        "alto-tools/data/PPN720183197-PHYS_0004.xml",
        "alto-tools/data/PPN750717092-00000780.ocr.xml",
        "ocr-fileformat-samples/alto/1.4/logan.alto",
        "ocr-fileformat-samples/alto/2.0/417576986_0012.alto",
        "ocr-fileformat-samples/alto/2.0/417576986_0078.alto",
        "ocr-fileformat-samples/alto/3.0/testfile.xml",
        "meteor/alto_report/alto_report_0001.xml",
        "meteor/alto_report/alto_report_0002.xml",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[256];
        cph_buf b, decoded;
        cph_str utf8;
        cph_encoding how;
        snprintf(name, sizeof name, "collections/%s", files[i]);
        const char *path = testing_shared(name);
        if (!path) skip();
        cph_buf_init(&b, 1 << 24);
        cph_buf_init(&decoded, 1 << 24);
        must(cph_file_read(path, 0, &b, err));
        uint64_t strings = 0;
        for (const char *at = b.p; (at = strstr(at, "<String ")); at++) strings++;
        must(cph_to_utf8(&utf8, &decoded, cph_buf_view(&b), path, &how, err));
        cph_page p = read_page(utf8.p);
        assert_int_equal(p.n_strings, strings);
        assert_true(p.n_tokens > 0 && !result.truncated && !result.fault.n);
        cph_buf_release(&b);
        cph_buf_release(&decoded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_an_sp_stands_is_a_space_and_nowhere_else),
        cmocka_unit_test(without_any_sp_the_gap_decides),
        cmocka_unit_test(danish_guillemets_open_to_the_right),
        cmocka_unit_test(empty_content_is_counted_and_no_token),
        cmocka_unit_test(text_is_composed),
        cmocka_unit_test(the_reading_order_of_the_file_orders_blocks),
        cmocka_unit_test(chains_of_idnext_order_blocks_and_cycles_end),
        cmocka_unit_test(place_and_digits_give_roles),
        cmocka_unit_test(composed_types_and_tags_give_roles),
        cmocka_unit_test(boxes_are_thousandths_of_the_page),
        cmocka_unit_test(a_page_that_breaks_keeps_its_complete_lines),
        cmocka_unit_test(ids_that_occur_twice_are_counted),
        cmocka_unit_test(every_shared_dialect_balances),
    };
    return cmocka_run_group_tests(tests, open_room, close_room);
}
