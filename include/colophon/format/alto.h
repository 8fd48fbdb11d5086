/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alto.h - a pull reader of ALTO, any version from 1.0 to 4.4 (readers-and-corpus 5).
 *
 * Events come in document order and say what the file says; roles, order,
 * spaces and hyphens are the caller's. Elements that hold others are reported
 * when they open and again, as CPH_ALTO_CLOSE, when they close.
 *
 * Invariant  Versions, namespaces and prefixes do not gate (LAW-5, ALTO-01). All
 *            five places and ComposedBlocks are read (ALTO-02).
 * Threads    A reader belongs to one thread.
 * Memory     Spans borrow from the input or live in the arena given to init.
 * Errors     CPH_DATA where the XML is broken: what came before stands.
 */
#ifndef CPH_FORMAT_ALTO_H
#define CPH_FORMAT_ALTO_H

#include <colophon/format/xml.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cph_alto_kind {
    CPH_ALTO_OTHER,    /* not reported */
    CPH_ALTO_PAGE,     /* opens */
    CPH_ALTO_PLACE,    /* opens; event.place */
    CPH_ALTO_COMPOSED, /* opens */
    CPH_ALTO_BLOCK,    /* opens */
    CPH_ALTO_LINE,     /* opens */
    CPH_ALTO_STRING,
    CPH_ALTO_SP,
    CPH_ALTO_HYP,
    CPH_ALTO_PICTURE,  /* Illustration, GraphicalElement */
    CPH_ALTO_GROUP,    /* a top-level group of ReadingOrder opens */
    CPH_ALTO_REF,      /* ElementRef: event.refs */
    CPH_ALTO_TAG,      /* event.id, type, label */
    CPH_ALTO_CLOSE     /* event.closes */
} cph_alto_kind;

typedef enum cph_alto_place {
    CPH_ALTO_PRINT,
    CPH_ALTO_TOP,
    CPH_ALTO_LEFT,
    CPH_ALTO_RIGHT,
    CPH_ALTO_BOTTOM
} cph_alto_place;

typedef enum cph_alto_subs {
    CPH_ALTO_SUBS_NONE,
    CPH_ALTO_PART1,
    CPH_ALTO_PART2,
    CPH_ALTO_ABBREVIATION
} cph_alto_subs;

typedef struct cph_alto_event {
    cph_alto_kind kind, closes;
    cph_alto_place place;
    cph_alto_subs subs_type;
    cph_str id, type, lang, idnext, tagrefs, refs; /* of a String and SP no id is kept */
    cph_str label;     /* of a tag; of a Page its PRINTED_IMG_NR */
    cph_str content;   /* String, HYP: decoded */
    cph_str subs;      /* SUBS_CONTENT, decoded */
    cph_str cc;        /* one digit a character, 0 = sure (ALTO-09) */
    double x, y, w, h; /* in the file's unit; NaN: unknown */
    int16_t wc;        /* hundredths; -1: not given or no number of 0..1 */
    bool corrected;    /* CS (ALTO-11) */
    bool has_content;  /* String: CONTENT stands, or was built from Glyphs */
    bool from_glyphs;  /* ALTO-06 */
} cph_alto_event;

typedef struct cph_alto {
    /* from Description; complete when the first page opens */
    cph_str unit;           /* "mm10" where none is given */
    cph_str image;          /* fileName */
    cph_str engine_creator, engine, engine_version, ocr_date;
    uint64_t n_glyph_differs; /* CONTENT and Glyphs disagree: String wins */
    cph_xml_tally tally;
    bool truncated;         /* after CPH_END (ALTO-14) */
    /* the reader's own */
    cph_xml xml;
    cph_arena *arena;
    cph_alto_kind open[CPH_XML_MAX_DEPTH];
    cph_alto_place place;
    uint32_t order_depth, in_step;
    cph_str *field;
    bool page_seen;
} cph_alto;

CPH_API void cph_alto_init(cph_alto *r, cph_arena *a, cph_str utf8, const char *file);
CPH_API cph_status cph_alto_next(cph_alto *r, cph_alto_event *e, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
