/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoding.h - from bytes in some encoding to valid UTF-8 (readers-and-corpus 3.3).
 *
 * A byte order mark decides; else what is declared (by the caller, or by an XML
 * declaration at the front); else valid UTF-8 is UTF-8; else the fallback, flagged
 * as a guess. Valid UTF-8 that declares Latin-1 and has multi-byte sequences is
 * UTF-8 (flag `lied`).
 *
 * Invariant  What is appended is valid UTF-8 without U+0000.
 * Threads    No state.
 * Memory     Appends to the caller's buffer.
 * Errors     CPH_NOMEM; CPH_DATA for a declared encoding that nobody knows.
 */
#ifndef CPH_TEXT_ENCODING_H
#define CPH_TEXT_ENCODING_H

#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cph_encoding {
    CPH_ENC_NONE,
    CPH_ENC_UTF8,
    CPH_ENC_UTF16LE,
    CPH_ENC_UTF16BE,
    CPH_ENC_LATIN1,
    CPH_ENC_WINDOWS_1252,
    CPH_ENC_CP865,
    CPH_ENC_CP850,
    CPH_ENC_MACROMAN
} cph_encoding;

CPH_API cph_encoding cph_encoding_of(cph_str name); /* any usual spelling; NONE when unknown */
CPH_API const char *cph_encoding_name(cph_encoding e);

typedef struct cph_encoding_opts {
    cph_str declared;      /* e.g. from HTTP; empty: only what the bytes say themselves */
    cph_encoding fallback; /* WINDOWS_1252 */
    bool plain_text;       /* false (XML: bytes only). true: CR LF, CR, NEL become LF */
    bool keep_form_feed;   /* false; in plain text a form feed ends a page */
} cph_encoding_opts;
CPH_API void cph_encoding_opts_init(cph_encoding_opts *o);

typedef struct cph_encoding_report {
    cph_encoding used;
    bool bom, declared; /* what decided; neither: valid UTF-8, or guessed */
    bool guessed;       /* flag encoding-guessed */
    bool lied;          /* flag encoding-lied */
    uint64_t n_replaced; /* invalid sequences that became U+FFFD */
    uint64_t n_controls; /* C0 controls dropped (all but TAB, LF, CR) */
} cph_encoding_report;

/* Appends `bytes` as UTF-8, without a byte order mark. report may be NULL. */
CPH_API cph_status cph_text_to_utf8(cph_buf *out, cph_str bytes, const cph_encoding_opts *opts,
                                    cph_encoding_report *report, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
