/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xml.h - a fast pull scanner for XML that scanners and libraries write.
 *
 * It reports elements, attributes and text as spans of the input. It resolves no
 * entity but the five of XML and character references, reads no DTD (a bare
 * DOCTYPE is skipped, an internal subset refused) and opens no file.
 *
 * Invariant  Every span lies in the input. Names are local names: prefixes and
 *            namespaces never gate a reader (LAW-5).
 * Threads    A scanner belongs to one thread.
 * Memory     None is allocated; a cph_xml is about 12 KiB. Spans borrow from the input.
 * Errors     CPH_DATA with line and byte; CPH_NOMEM names the limit that was hit.
 *            An input that just ends sets `truncated` and is no error.
 */
#ifndef CPH_FORMAT_XML_H
#define CPH_FORMAT_XML_H

#include <colophon/base/arena.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_XML_MAX_DEPTH 256
#define CPH_XML_MAX_ATTRS 256
#define CPH_XML_MAX_VALUE (1u << 20)
#define CPH_XML_MAX_TEXT (16u << 20)

typedef enum cph_xml_kind { CPH_XML_START, CPH_XML_CLOSE, CPH_XML_TEXT } cph_xml_kind;

typedef struct cph_xml_attr {
    cph_str name;  /* local */
    cph_str value; /* as written: see cph_xml_decode */
} cph_xml_attr;

typedef struct cph_xml {
    /* what cph_xml_next found */
    cph_xml_kind kind;
    cph_str name;      /* START, CLOSE: local name */
    cph_str text;      /* TEXT: as written; runs of white space alone are not reported */
    bool cdata;        /* TEXT: no references in it */
    uint32_t depth;    /* elements open, this one included */
    uint32_t n_attrs;  /* START */
    bool truncated;    /* after CPH_END: the input stopped inside the root */
    bool limit_hit;    /* after CPH_NOMEM: a limit of the scanner, not memory that ran out */
    cph_xml_attr attrs[CPH_XML_MAX_ATTRS];
    /* the scanner's own */
    const char *begin, *p, *end, *file;
    cph_str open[CPH_XML_MAX_DEPTH];
    bool close_next, root_seen;
} cph_xml;

/* `file` stands in messages. The input is valid UTF-8 (see encoding.h). */
CPH_API void cph_xml_init(cph_xml *x, cph_str input, const char *file);
/* CPH_OK: x tells what was found. CPH_END: no more. After an error: the same error again is not promised. */
CPH_API cph_status cph_xml_next(cph_xml *x, cph_err *err) CPH_MUST_USE;
/* Where the scanner stands: offset in the input, and line from 1. */
CPH_API size_t cph_xml_offset(const cph_xml *x);
CPH_API uint64_t cph_xml_line(const cph_xml *x);
/* The attribute's value as written, or the empty string. */
CPH_API cph_str cph_xml_attr_of(const cph_xml *x, const char *name);
/* After a START: steps behind its CLOSE; *inner (may be NULL) is what stands between the two tags. */
CPH_API cph_status cph_xml_skip(cph_xml *x, cph_str *inner, cph_err *err) CPH_MUST_USE;

/* What decoding had to repair. */
typedef struct cph_xml_tally {
    uint64_t n_controls;   /* C0 controls dropped */
    uint64_t n_bad_refs;   /* unknown entities kept as they stand; references to no character: U+FFFD */
} cph_xml_tally;
typedef enum cph_xml_where { CPH_XML_IN_ATTR, CPH_XML_IN_TEXT, CPH_XML_IN_CDATA } cph_xml_where;
/*
 * References resolved, line ends normalised (white space in attributes becomes
 * blanks), controls dropped. Gives `raw` itself when nothing has to change.
 */
CPH_API cph_status cph_xml_decode(cph_arena *a, cph_str *out, cph_str raw, cph_xml_where where,
                                  cph_xml_tally *tally, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
