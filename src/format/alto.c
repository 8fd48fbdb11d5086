/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alto.c - ALTO events from XML events.
 * What must stay true: names are matched locally and without version (ALTO-01);
 * nothing is resolved, ordered or judged here.
 */
#include "format_in.h"

#include <colophon/format/alto.h>

#include <math.h>
#include <string.h>

/* ---- elements ---- */

enum { IN_NOTHING, IN_ORDER, IN_OCR_STEP };

static const struct {
    const char *name;
    cph_alto_kind kind;
    cph_alto_place place;
} elements[] = {
    {"TextLine", CPH_ALTO_LINE, 0},         {"HYP", CPH_ALTO_HYP, 0},
    {"TextBlock", CPH_ALTO_BLOCK, 0},       {"ComposedBlock", CPH_ALTO_COMPOSED, 0},
    {"PrintSpace", CPH_ALTO_PLACE, CPH_ALTO_PRINT}, {"TopMargin", CPH_ALTO_PLACE, CPH_ALTO_TOP},
    {"LeftMargin", CPH_ALTO_PLACE, CPH_ALTO_LEFT},  {"RightMargin", CPH_ALTO_PLACE, CPH_ALTO_RIGHT},
    {"BottomMargin", CPH_ALTO_PLACE, CPH_ALTO_BOTTOM}, {"Page", CPH_ALTO_PAGE, 0},
    {"Illustration", CPH_ALTO_PICTURE, 0},  {"GraphicalElement", CPH_ALTO_PICTURE, 0},
    {"ElementRef", CPH_ALTO_REF, 0},        {"LayoutTag", CPH_ALTO_TAG, 0},
    {"StructureTag", CPH_ALTO_TAG, 0},      {"RoleTag", CPH_ALTO_TAG, 0},
};

static cph_alto_kind element(cph_str name, cph_alto_place *place)
{
    if (name.n == 6 && memcmp(name.p, "String", 6) == 0)
        return CPH_ALTO_STRING; /* nearly all are these two */
    if (name.n == 2 && memcmp(name.p, "SP", 2) == 0) return CPH_ALTO_SP;
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (name.p[0] == elements[i].name[0] && cph_str_is(name, elements[i].name)) {
            *place = elements[i].place;
            return elements[i].kind;
        }
    return CPH_ALTO_OTHER;
}

static bool opens(cph_alto_kind k)
{
    return k == CPH_ALTO_PAGE || k == CPH_ALTO_PLACE || k == CPH_ALTO_COMPOSED || k == CPH_ALTO_BLOCK ||
           k == CPH_ALTO_LINE || k == CPH_ALTO_GROUP;
}

/* ---- numbers ---- */

/* Geometry: integers and floats; NaN, blanks and nonsense are unknown. */
static double measure(cph_str s)
{
    double d;
    size_t i = s.n && *s.p == '-' ? 1 : 0;
    int64_t v = 0;
    if (s.n - i > 0 && s.n - i < 10) {
        size_t k = i;
        for (; k < s.n && s.p[k] >= '0' && s.p[k] <= '9'; k++) v = v * 10 + (s.p[k] - '0');
        if (k == s.n) return i ? (double)-v : (double)v;
    }
    return cph_str_double(cph_str_trim(s), &d) ? d : (double)NAN;
}

/* "0.78" -> 78. Integers, so that sums do not depend on binary fractions; -1 when it is no number of 0..1. */
static int16_t hundredths(cph_str s)
{
    double d;
    if (s.n == 4 && s.p[1] == '.' && s.p[0] >= '0' && s.p[0] <= '1' && s.p[2] >= '0' && s.p[2] <= '9' &&
        s.p[3] >= '0' && s.p[3] <= '9') {
        int v = (s.p[0] - '0') * 100 + (s.p[2] - '0') * 10 + (s.p[3] - '0');
        return v <= 100 ? (int16_t)v : -1;
    }
    if (!cph_str_double(cph_str_trim(s), &d) || d < 0 || d > 1) return -1;
    return (int16_t)(d * 100 + 0.5);
}

/* ---- attributes ---- */

static cph_status decode(cph_alto *r, cph_str *out, cph_str raw, cph_err *err)
{
    return cph_xml_decode(r->arena, out, raw, CPH_XML_IN_ATTR, &r->tally, err);
}

/* A name against a literal: a length and a short compare, since a page has a hundred thousand names. */
#define IS(s, literal) ((s).n == sizeof(literal) - 1 && memcmp((s).p, literal, sizeof(literal) - 1) == 0)

static cph_alto_subs subs_of(cph_str value)
{
    return cph_str_is_fold(value, "HypPart1")       ? CPH_ALTO_PART1
           : cph_str_is_fold(value, "HypPart2")     ? CPH_ALTO_PART2
           : cph_str_is_fold(value, "Abbreviation") ? CPH_ALTO_ABBREVIATION
                                                    : CPH_ALTO_SUBS_NONE;
}

static cph_status rare_name(cph_alto *r, cph_alto_event *e, cph_str name, cph_str value, cph_err *err)
{
    if (IS(name, "LANG")) return decode(r, &e->lang, value, err);
    if (IS(name, "language") && !e->lang.n) return decode(r, &e->lang, value, err); /* before 2.1 */
    if (IS(name, "TYPE")) return decode(r, &e->type, value, err);
    if (IS(name, "LABEL") || IS(name, "PRINTED_IMG_NR")) return decode(r, &e->label, value, err);
    if (IS(name, "IDNEXT")) return decode(r, &e->idnext, value, err);
    if (IS(name, "TAGREFS")) return decode(r, &e->tagrefs, value, err);
    if (IS(name, "REF")) return decode(r, &e->refs, value, err);
    return CPH_OK;
}

static cph_status attribute(cph_alto *r, cph_alto_event *e, cph_str name, cph_str value, cph_err *err)
{
    if (IS(name, "HPOS")) e->x = measure(value);
    else if (IS(name, "VPOS")) e->y = measure(value);
    else if (IS(name, "WIDTH")) e->w = measure(value);
    else if (IS(name, "HEIGHT")) e->h = measure(value);
    else if (IS(name, "ID")) return e->kind == CPH_ALTO_STRING ? CPH_OK : decode(r, &e->id, value, err);
    else if (IS(name, "WC")) e->wc = hundredths(value);
    else if (IS(name, "CC")) e->cc = value;
    else if (IS(name, "CS")) e->corrected = IS(value, "true") || IS(value, "1");
    else if (IS(name, "SUBS_TYPE")) e->subs_type = subs_of(value);
    else if (IS(name, "SUBS_CONTENT")) return decode(r, &e->subs, value, err);
    else if (IS(name, "CONTENT")) {
        e->has_content = true;
        return decode(r, &e->content, value, err);
    } else return rare_name(r, e, name, value, err);
    return CPH_OK;
}

static cph_status attributes(cph_alto *r, cph_alto_event *e, cph_err *err)
{
    if (e->kind == CPH_ALTO_SP) return CPH_OK; /* that it stands there is all it says */
    for (uint32_t i = 0; i < r->xml.n_attrs; i++)
        CPH_TRY(attribute(r, e, r->xml.attrs[i].name, r->xml.attrs[i].value, err));
    return CPH_OK;
}

/* ---- what stands inside a String ---- */

/* Glyph CONTENT, one after the other (ALTO-06). Stands behind the String's CLOSE afterwards. */
static cph_status glyphs(cph_alto *r, cph_alto_event *e, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, CPH_XML_MAX_VALUE);
    uint32_t outside = r->xml.depth - 1, n = 0;
    cph_status s = CPH_OK;
    cph_str text;
    while (s == CPH_OK && r->xml.depth > outside) {
        s = cph_xml_next(&r->xml, err);
        if (s != CPH_OK || r->xml.kind != CPH_XML_START || !cph_str_is(r->xml.name, "Glyph")) continue;
        n++;
        s = decode(r, &text, cph_xml_attr_of(&r->xml, "CONTENT"), err);
        if (s == CPH_OK) s = cph_buf_str(&b, text, err);
    }
    if (s == CPH_OK && n && e->has_content) {
        r->n_glyph_differs += !cph_str_eq(e->content, cph_buf_view(&b));
    } else if (s == CPH_OK && n) {
        s = cph_arena_str(r->arena, &e->content, cph_buf_view(&b), err);
        e->has_content = e->from_glyphs = s == CPH_OK;
    }
    cph_buf_release(&b);
    return s;
}

/* ---- Description ---- */

static cph_str *description_field(cph_alto *r, cph_str name)
{
    if (cph_str_is(name, "MeasurementUnit")) return &r->unit;
    if (cph_str_is(name, "fileName")) return &r->image;
    if (r->in_step != IN_OCR_STEP) return NULL;
    if (cph_str_is(name, "softwareCreator")) return &r->engine_creator;
    if (cph_str_is(name, "softwareName")) return &r->engine;
    if (cph_str_is(name, "softwareVersion")) return &r->engine_version;
    if (cph_str_is(name, "processingDateTime")) return &r->ocr_date;
    return NULL;
}

/* The engine is that of the ocrProcessingStep (ALTO-15), or of ALTO 4's Processing; the last one stands. */
static bool starts_step(cph_str name)
{
    return cph_str_is(name, "ocrProcessingStep") || cph_str_is(name, "Processing");
}

static cph_status describe(cph_alto *r, cph_err *err)
{
    if (starts_step(r->xml.name)) {
        r->in_step = IN_OCR_STEP;
        r->engine_creator = r->engine = r->engine_version = r->ocr_date = (cph_str){0};
        return CPH_OK;
    }
    if (cph_str_is(r->xml.name, "preProcessingStep") || cph_str_is(r->xml.name, "postProcessingStep"))
        r->in_step = IN_NOTHING;
    cph_str *field = description_field(r, r->xml.name), text;
    if (!field) return CPH_OK;
    CPH_TRY(cph_xml_text_of(&r->xml, r->arena, &text, err));
    if (text.n) *field = text;
    return CPH_OK;
}

/* ---- events ---- */

void cph_alto_init(cph_alto *r, cph_arena *a, cph_str utf8, const char *file)
{
    memset(r, 0, offsetof(cph_alto, xml));
    r->unit = CPH_STR("mm10");
    r->arena = a;
    r->place = CPH_ALTO_PRINT;
    r->order_depth = 0;
    r->in_step = IN_NOTHING;
    r->page_seen = false;
    cph_xml_init(&r->xml, utf8, file);
}

/* Groups of ReadingOrder (4.3): the top-level ones are reported, those inside are part of them. */
static cph_alto_kind reading_order(cph_alto *r)
{
    if (cph_str_is(r->xml.name, "ReadingOrder")) {
        r->order_depth = r->xml.depth;
        return CPH_ALTO_OTHER;
    }
    bool group = cph_str_is(r->xml.name, "OrderedGroup") || cph_str_is(r->xml.name, "UnorderedGroup");
    return group && r->order_depth && r->xml.depth == r->order_depth + 1 ? CPH_ALTO_GROUP : CPH_ALTO_OTHER;
}

static cph_status started(cph_alto *r, cph_alto_event *e, cph_err *err)
{
    uint32_t at = r->xml.depth - 1;
    cph_alto_place place = CPH_ALTO_PRINT;
    e->kind = element(r->xml.name, &place);
    if (e->kind == CPH_ALTO_OTHER) {
        e->kind = r->page_seen ? CPH_ALTO_OTHER : reading_order(r);
        r->open[at] = e->kind;
        if (e->kind == CPH_ALTO_OTHER) return r->page_seen ? CPH_OK : describe(r, err);
    }
    r->open[at] = e->kind;
    if (e->kind == CPH_ALTO_PAGE) r->page_seen = true;
    if (e->kind == CPH_ALTO_PAGE || e->kind == CPH_ALTO_PLACE) r->place = place;
    e->place = r->place;
    CPH_TRY(attributes(r, e, err));
    if (e->kind == CPH_ALTO_STRING) return r->xml.close_next ? CPH_OK : glyphs(r, e, err);
    return CPH_OK;
}

static void closed(cph_alto *r, cph_alto_event *e)
{
    cph_alto_kind k = r->open[r->xml.depth];
    if (starts_step(r->xml.name)) r->in_step = IN_NOTHING;
    if (r->order_depth == r->xml.depth + 1) r->order_depth = 0;
    if (!opens(k)) return;
    if (k == CPH_ALTO_PLACE) r->place = CPH_ALTO_PRINT;
    e->kind = CPH_ALTO_CLOSE;
    e->closes = k;
    e->place = r->place;
}

cph_status cph_alto_next(cph_alto *r, cph_alto_event *e, cph_err *err)
{
    for (;;) {
        cph_status s = cph_xml_next(&r->xml, err);
        if (s == CPH_END) r->truncated = r->xml.truncated;
        if (s != CPH_OK) return s;
        if (r->xml.kind == CPH_XML_TEXT) continue;
        cph_alto_event found = {
            .wc = -1, .x = (double)NAN, .y = (double)NAN, .w = (double)NAN, .h = (double)NAN};
        if (r->xml.kind == CPH_XML_START) s = started(r, &found, err);
        else closed(r, &found);
        if (s == CPH_END) r->truncated = r->xml.truncated; /* cut inside a String with Glyphs */
        if (s != CPH_OK) return s;
        if (found.kind == CPH_ALTO_OTHER) continue;
        *e = found;
        return CPH_OK;
    }
}
