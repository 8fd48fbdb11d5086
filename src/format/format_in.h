/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format_in.h - what the readers of this room share.
 */
#ifndef CPH_FORMAT_IN_H
#define CPH_FORMAT_IN_H

#include <colophon/format/xml.h>

/* XML's white space. */
static inline bool cph_xml_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/*
 * After a START: the element's text (its own and its descendants'), decoded,
 * trimmed, runs of white space as one blank; the scanner stands behind its CLOSE.
 */
cph_status cph_xml_text_of(cph_xml *x, cph_arena *a, cph_str *out, cph_err *err) CPH_MUST_USE;
/* An attribute, decoded. */
cph_status cph_xml_attr_text(cph_xml *x, cph_arena *a, const char *name, cph_str *out,
                             cph_err *err) CPH_MUST_USE;

#endif
