/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain.h - plain text as pages, paragraphs and lines (readers-and-corpus 13).
 *
 * A form feed ends a page, a blank line a paragraph. Whether lines are printed
 * lines of wrapped paragraphs, paragraphs of their own, or verse is judged once
 * for the whole text.
 *
 * Threads  A reader belongs to one thread.
 * Memory   None; lines borrow from the text.
 * Errors   None.
 */
#ifndef CPH_FORMAT_PLAIN_H
#define CPH_FORMAT_PLAIN_H

#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cph_plain_kind { CPH_PLAIN_LINES, CPH_PLAIN_WRAPPED, CPH_PLAIN_VERSE } cph_plain_kind;
/* `text` is valid UTF-8. */
CPH_API cph_plain_kind cph_plain_judge(cph_str text);
CPH_API const char *cph_plain_kind_name(cph_plain_kind k);

typedef struct cph_plain {
    cph_str rest;
    cph_plain_kind kind;
    /* about the line just given */
    bool new_page, new_paragraph;
    bool at_start, pending_page, pending_paragraph;
} cph_plain;

CPH_API void cph_plain_init(cph_plain *r, cph_str text, cph_plain_kind kind);
/* The next line that is not blank, trimmed; CPH_END after the last. */
CPH_API cph_status cph_plain_next(cph_plain *r, cph_str *line);

#ifdef __cplusplus
}
#endif
#endif
