/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoding.h - whatever a file is written in, as valid UTF-8 (readers-and-corpus 3.3).
 *
 * A byte order mark decides; else the XML declaration; else valid UTF-8 is
 * UTF-8; else Windows-1252, flagged as a guess. A file that declares Latin-1 and
 * holds valid multi-byte UTF-8 is UTF-8, flagged as a lie.
 *
 * Threads  No state.
 * Memory   A file that is UTF-8 already is returned as it is; else `b` holds it.
 * Errors   CPH_DATA: a declared encoding that we do not read. CPH_NOMEM: b's limit.
 */
#ifndef CPH_FORMAT_ENCODING_H
#define CPH_FORMAT_ENCODING_H

#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_encoding {
    const char *name;   /* "utf-8", "utf-16le", "utf-16be", "iso-8859-1", "windows-1252" */
    bool guessed, lied; /* rule ids encoding-guessed, encoding-lied */
    uint64_t n_replaced; /* sequences that became U+FFFD */
} cph_encoding;

/* `b` is emptied first. `file` stands in messages. A byte order mark is not part of *out. */
CPH_API cph_status cph_to_utf8(cph_str *out, cph_buf *b, cph_str bytes, const char *file, cph_encoding *how,
                               cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
