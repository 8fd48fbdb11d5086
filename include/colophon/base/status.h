/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h - how every fallible function of Colophon answers.
 *
 * A fallible function returns cph_status; its last parameter is a cph_err
 * owned by the caller. One table gives the status, the exit code of the
 * program, the HTTP code of the server and a sentence.
 *
 * Invariant  A function that fails leaves its outputs untouched.
 * Threads    A cph_err belongs to one caller; nothing but a thread's last status is kept.
 * Memory     No heap: a cph_err is a plain value.
 * Errors     Writing a message cannot fail; a long one is cut at a character.
 */
#ifndef CPH_BASE_STATUS_H
#define CPH_BASE_STATUS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CPH_API __attribute__((visibility("default")))
#define CPH_MUST_USE __attribute__((warn_unused_result))
#define CPH_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CPH_API
#define CPH_MUST_USE
#define CPH_PRINTF(fmt, args)
#endif

/*        name   exit HTTP  sentence */
#define CPH_STATUS_MAP(X)                                                                          \
    X(OK, 0, 200, "success")                                                                       \
    X(END, 0, 200, "no more items; not an error")                                                  \
    X(NO, 1, 404, "the answer is no")                                                              \
    X(USAGE, 2, 400, "the command line or an argument is wrong")                                   \
    X(RIGHTS, 3, 451, "a rights policy refused the operation")                                     \
    X(DATA, 4, 422, "the input is malformed or damaged")                                           \
    X(IO, 5, 503, "the system refused a file, socket or device")                                   \
    X(NOMEM, 6, 507, "a declared limit was reached")                                               \
    X(STOPPED, 5, 503, "interrupted; what was finished is kept")                                   \
    X(BUG, 70, 500, "an internal invariant broke; please report it")

typedef enum cph_status {
#define CPH_STATUS_ENUM(name, exit, http, sentence) CPH_##name,
    CPH_STATUS_MAP(CPH_STATUS_ENUM)
#undef CPH_STATUS_ENUM
        CPH_N_STATUSES
} cph_status;

/* What went wrong and where (file, line, page, work); `hint` says what to try, or is empty. */
typedef struct cph_err {
    cph_status status;
    char what[512];
    char hint[256];
} cph_err;

CPH_API int cph_status_exit(cph_status s);             /* 0..70, the program's exit code */
CPH_API int cph_status_http(cph_status s);             /* 200..507 */
CPH_API const char *cph_status_name(cph_status s);     /* "OK", "END", ... */
CPH_API const char *cph_status_sentence(cph_status s); /* lower case, no full stop */

/*
 * Writes the message where the fault is known and returns `s`, so that a
 * function can say: return cph_fail(err, CPH_DATA, "%s: line %zu: ...", ...).
 * An err of NULL is fine: the status alone travels.
 */
CPH_API cph_status cph_fail(cph_err *err, cph_status s, const char *fmt, ...) CPH_PRINTF(3, 4);

/* The same, with the system's own words for errno at the end. */
CPH_API cph_status cph_fail_errno(cph_err *err, const char *fmt, ...) CPH_PRINTF(2, 3);

/* Adds the hint to a message already written, and returns its status (without an err: that of this
 * thread's last failure). */
CPH_API cph_status cph_hint(cph_err *err, const char *fmt, ...) CPH_PRINTF(2, 3);

/* Puts "prefix: " before a message that came from below, and returns its status. */
CPH_API cph_status cph_err_prefix(cph_err *err, const char *fmt, ...) CPH_PRINTF(2, 3);

/* Forwards whatever is not OK (END too). */
#define CPH_TRY(call)                                                                              \
    do {                                                                                           \
        cph_status cph_try_s_ = (call);                                                            \
        if (cph_try_s_ != CPH_OK) return cph_try_s_;                                               \
    } while (0)

/* The same where something must be released first: jumps to `label`, with `s` set. */
#define CPH_TRY_GOTO(s, call, label)                                                               \
    do {                                                                                           \
        (s) = (call);                                                                              \
        if ((s) != CPH_OK) goto label;                                                             \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
