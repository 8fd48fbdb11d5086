/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - JSON (RFC 8259): a strict reader, a writer, and the canonical form.
 *
 * The reader takes one whole text and gives a tree in an arena. It is strict:
 * valid UTF-8, no lone surrogates, no NaN or Infinity, no trailing comma, no
 * duplicate keys (an option), nothing after the value. Numbers keep their own
 * text, so that nothing is rounded before somebody asks for a number.
 *
 * The writer appends to a cph_buf. The canonical form is RFC 8785 restricted to
 * integers (rights-and-provenance 14.1): keys sorted by bytes, no white space.
 *
 * Invariant  cph_json_parse uses no recursion: depth costs no stack.
 * Threads    A tree is immutable after parsing and may be shared.
 * Memory     The tree lives in the caller's arena; strings without escapes
 *            borrow from the text, which must live as long.
 * Errors     CPH_DATA with line and column; CPH_NOMEM for depth or size limits.
 */
#ifndef CPH_BASE_JSON_H
#define CPH_BASE_JSON_H

#include <colophon/base/arena.h>
#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cph_json_type {
    CPH_JSON_NULL,
    CPH_JSON_FALSE,
    CPH_JSON_TRUE,
    CPH_JSON_NUMBER,
    CPH_JSON_STRING,
    CPH_JSON_ARRAY,
    CPH_JSON_OBJECT
} cph_json_type;

typedef struct cph_json cph_json;
struct cph_json {
    cph_json_type type;
    uint32_t n;         /* members or elements */
    cph_str str;        /* the string; a number's own text */
    cph_str key;        /* inside an object */
    cph_json *first;    /* first child */
    cph_json *next;     /* next sibling */
    uint32_t line;      /* where it stood, from 1 */
};

typedef struct cph_json_limits {
    uint32_t max_depth;       /* 256 */
    bool allow_duplicates;    /* false: an error; true: the last one wins */
    bool replace_surrogates;  /* true: a lone \uD8xx becomes U+FFFD and counts in n_replaced */
    uint64_t n_replaced;      /* out */
} cph_json_limits;
CPH_API void cph_json_limits_init(cph_json_limits *l);

/* limits NULL: the defaults. `name` stands in messages (a path, or "tokenizer.json"). */
CPH_API cph_status cph_json_parse(cph_json **out, cph_arena *a, cph_str text, const char *name,
                                  cph_json_limits *limits, cph_err *err) CPH_MUST_USE;
/* Reads and parses a file; its text is kept in the arena. max_bytes 0: 1 GiB. */
CPH_API cph_status cph_json_read(cph_json **out, cph_arena *a, const char *path, uint64_t max_bytes,
                                 cph_err *err) CPH_MUST_USE;

/* Member of an object, or NULL (also when v is NULL or no object). "a.b.c" is not a path here. */
CPH_API const cph_json *cph_json_get(const cph_json *v, const char *key);
CPH_API const cph_json *cph_json_at(const cph_json *array, uint32_t i); /* O(i) */
/* Typed views: false, with *out untouched, when v is NULL or of another type. */
CPH_API bool cph_json_str(const cph_json *v, cph_str *out);
CPH_API bool cph_json_bool(const cph_json *v, bool *out);
CPH_API bool cph_json_u64(const cph_json *v, uint64_t *out); /* integers only: "1.0" is none */
CPH_API bool cph_json_i64(const cph_json *v, int64_t *out);
CPH_API bool cph_json_double(const cph_json *v, double *out);
/* A string member, or the empty string. */
CPH_API cph_str cph_json_get_str(const cph_json *v, const char *key);

/* ---- building a tree ---- */
CPH_API cph_status cph_json_new(cph_json **out, cph_arena *a, cph_json_type t, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_json_new_str(cph_json **out, cph_arena *a, cph_str s, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_json_new_i64(cph_json **out, cph_arena *a, int64_t v, cph_err *err) CPH_MUST_USE;
/* Sets or replaces a member; the key is copied. */
CPH_API cph_status cph_json_set(cph_json *object, cph_arena *a, const char *key, cph_json *v,
                                cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_json_set_str(cph_json *object, cph_arena *a, const char *key, cph_str s,
                                    cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_json_set_i64(cph_json *object, cph_arena *a, const char *key, int64_t v,
                                    cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_json_push(cph_json *array, cph_json *v, cph_err *err) CPH_MUST_USE;
/* A deep copy whose texts still borrow; `without` (NULL: none; a NULL ends it) names members of v to leave out. */
CPH_API cph_status cph_json_copy(cph_json **out, cph_arena *a, const cph_json *v, const char *const *without,
                                 cph_err *err) CPH_MUST_USE;

/* ---- writing ---- */
/* A string with its quotes. Non-ASCII stays as it is. */
CPH_API cph_status cph_json_quote(cph_buf *b, cph_str s, cph_err *err) CPH_MUST_USE;
/* indent 0: one line, ", " and ": " are not used; else pretty with that many blanks a level. */
CPH_API cph_status cph_json_write(cph_buf *b, const cph_json *v, unsigned indent, cph_err *err) CPH_MUST_USE;
/* CPH_DATA for a number that is no integer with |n| < 2^53, or a key that is not ASCII. */
CPH_API cph_status cph_json_canonical(cph_buf *b, const cph_json *v, cph_err *err) CPH_MUST_USE;

/*
 * A streaming writer for objects that are not worth a tree:
 *   cph_jw w = cph_jw_on(&buf); cph_jw_obj(&w); cph_jw_key(&w, "id"); cph_jw_str(&w, id);
 *   ... cph_jw_end(&w); return cph_jw_done(&w, err);
 * Faults are kept and reported once, by cph_jw_done. Depth at most 64.
 */
typedef struct cph_jw {
    cph_buf *b;
    cph_err err;
    uint64_t object_mask, used_mask;
    unsigned depth;
    bool after_key;
} cph_jw;
CPH_API cph_jw cph_jw_on(cph_buf *b);
CPH_API void cph_jw_obj(cph_jw *w);
CPH_API void cph_jw_arr(cph_jw *w);
CPH_API void cph_jw_end(cph_jw *w);
CPH_API void cph_jw_key(cph_jw *w, const char *key);
CPH_API void cph_jw_str(cph_jw *w, cph_str s);
CPH_API void cph_jw_z(cph_jw *w, const char *z);
CPH_API void cph_jw_i64(cph_jw *w, int64_t v);
CPH_API void cph_jw_u64(cph_jw *w, uint64_t v);
CPH_API void cph_jw_double(cph_jw *w, double v); /* shortest; not in canonical JSON */
CPH_API void cph_jw_bool(cph_jw *w, bool v);
CPH_API void cph_jw_null(cph_jw *w);
CPH_API void cph_jw_raw(cph_jw *w, cph_str json); /* a value that is JSON already */
CPH_API cph_status cph_jw_done(cph_jw *w, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
