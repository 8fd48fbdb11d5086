/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str.h - borrowed strings, growable buffers, and UTF-8.
 *
 * A cph_str is a pointer and a length, passed by value; it owns nothing and
 * may hold any byte. A cph_buf owns its bytes and takes its maximum at birth.
 *
 * Invariant  A cph_buf's bytes are always followed by a NUL that does not count.
 * Threads    Values; one thread at a time per cph_buf.
 * Memory     cph_buf_release gives the bytes back.
 * Errors     CPH_NOMEM when a buffer would pass its maximum.
 */
#ifndef CPH_BASE_STR_H
#define CPH_BASE_STR_H

#include <stdbool.h>

#include <colophon/base/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_str {
    const char *p;
    size_t n;
} cph_str;

/* A literal as a cph_str; and the pair that "%.*s" wants. */
#ifdef __cplusplus
#define CPH_STR(lit) (cph_str{(lit), sizeof(lit) - 1})
#else
#define CPH_STR(lit) ((cph_str){(lit), sizeof(lit) - 1})
#endif
#define CPH_FMT(s) ((int)((s).n > 4096 ? 4096 : (s).n)), ((s).p ? (s).p : "")

CPH_API cph_str cph_str_of(const char *z); /* NULL gives the empty string */
CPH_API bool cph_str_eq(cph_str a, cph_str b);
CPH_API bool cph_str_is(cph_str a, const char *z);
CPH_API bool cph_str_is_fold(cph_str a, const char *z); /* ASCII letter case folded */
CPH_API int cph_str_cmp(cph_str a, cph_str b);          /* as bytes; the shorter first */
CPH_API bool cph_str_starts(cph_str s, const char *prefix);
CPH_API bool cph_str_ends(cph_str s, const char *suffix);
CPH_API cph_str cph_str_trim(cph_str s); /* without ASCII white space at both ends */
CPH_API cph_str cph_str_sub(cph_str s, size_t from, size_t n);
/* Position of the first `c` at or after `from`, or SIZE_MAX. */
CPH_API size_t cph_str_find(cph_str s, char c, size_t from);
/* Cuts *rest at the first `sep`: returns what stands before, *rest keeps what follows.
 * False when *rest was used up (p == NULL). */
CPH_API bool cph_str_split(cph_str *rest, char sep, cph_str *part);
/* A whole string as a decimal number, nothing before or after it. */
CPH_API bool cph_str_u64(cph_str s, uint64_t *out);
CPH_API bool cph_str_i64(cph_str s, int64_t *out);
CPH_API bool cph_str_double(cph_str s, double *out); /* finite, "C" locale */

/* ---- growable bytes ---- */

typedef struct cph_buf {
    char *p;
    size_t n, cap, max;
} cph_buf;

CPH_API void cph_buf_init(cph_buf *b, size_t max_bytes);
CPH_API void cph_buf_release(cph_buf *b);
CPH_API cph_status cph_buf_reserve(cph_buf *b, size_t more, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_buf_add(cph_buf *b, const void *p, size_t n, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_buf_str(cph_buf *b, cph_str s, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_buf_z(cph_buf *b, const char *z, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_buf_char(cph_buf *b, char c, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_buf_printf(cph_buf *b, cph_err *err, const char *fmt, ...) CPH_MUST_USE
    CPH_PRINTF(3, 4);
CPH_API cph_str cph_buf_view(const cph_buf *b);
CPH_API void cph_buf_cut(cph_buf *b, size_t n); /* back to its first n <= b->n bytes */

/* ---- UTF-8 (Unicode 3.9, table 3-7: no surrogates, no overlong forms, at most U+10FFFF) ---- */

/* The bytes of the character at p[0..n), 1-4, with its code point; 0 when it is not valid. */
CPH_API unsigned cph_utf8_decode(const char *p, size_t n, uint32_t *code_point);
CPH_API unsigned cph_utf8_encode(uint32_t code_point, char out[4]); /* bytes written */
/* Offset of the first byte that is not part of valid UTF-8, or n when all is. */
CPH_API size_t cph_utf8_check(const char *p, size_t n);
/* Length (1-3) of the maximal ill-formed part at p, as U+FFFD replacement counts it. */
CPH_API size_t cph_utf8_bad_len(const char *p, size_t n);
CPH_API size_t cph_utf8_count(cph_str valid); /* characters */

/* ---- numbers as text, the same in every locale ---- */

/* Shortest decimal that reads back as the same double ("0.1", "1e-05", "3"); not for NaN, Inf. */
CPH_API size_t cph_format_double(double x, char out[32]);
CPH_API size_t cph_format_float(float x, char out[32]);
/* "1.5 GiB", "512 B"; "3 min 20 s". For people only. */
CPH_API size_t cph_format_count(uint64_t n, char out[32]); /* "1,234,567" */
CPH_API size_t cph_format_bytes(uint64_t n, char out[32]);
CPH_API size_t cph_format_seconds(double s, char out[32]);

#ifdef __cplusplus
}
#endif
#endif
