/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonl.h - records of JSON: one object a line, or one array of objects
 * (readers-and-corpus 12).
 *
 * Blank lines and a byte order mark are skipped; lone surrogates become U+FFFD and
 * are counted. A bad line is reported as CPH_DATA and the next call goes on behind it.
 *
 * Threads  A reader belongs to one thread.
 * Memory   One record at a time: it lives until the next call.
 * Errors   CPH_DATA with file and line; CPH_NOMEM for a line over 256 MiB.
 */
#ifndef CPH_FORMAT_JSONL_H
#define CPH_FORMAT_JSONL_H

#include <colophon/base/json.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_jsonl cph_jsonl;
/* Reads .jsonl, .json and .zst of them. */
CPH_API cph_status cph_jsonl_open(cph_jsonl **out, const char *path, cph_err *err) CPH_MUST_USE;
CPH_API void cph_jsonl_close(cph_jsonl *r);
/* CPH_END after the last. *line: where the record stands, from 1 (in an array: its number). */
CPH_API cph_status cph_jsonl_next(cph_jsonl *r, const cph_json **record, uint64_t *line,
                                  cph_err *err) CPH_MUST_USE;
CPH_API uint64_t cph_jsonl_n_replaced(const cph_jsonl *r); /* lone surrogates so far */

/* Member by dotted path "a.b.c"; a member whose own name holds the dots wins. NULL when absent. */
CPH_API const cph_json *cph_json_path(const cph_json *v, cph_str path);

#ifdef __cplusplus
}
#endif
#endif
