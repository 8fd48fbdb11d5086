/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c - the status table and the messages that travel with it.
 * Messages are cut at a whole character so that no sink ever sees half of one.
 */
#include <colophon/base/status.h>
#include <colophon/base/str.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int exit_code, http;
    const char *sentence;
} table[CPH_N_STATUSES] = {
#define ROW(name, exit, http, sentence) {#name, exit, http, sentence},
    CPH_STATUS_MAP(ROW)
#undef ROW
};

/* The status that this thread failed with last: what a hint answers where there is no err to ask. */
static _Thread_local cph_status last_failed = CPH_BUG;

static unsigned row(cph_status s)
{
    return (unsigned)s < CPH_N_STATUSES ? (unsigned)s : CPH_BUG;
}

int cph_status_exit(cph_status s) { return table[row(s)].exit_code; }
int cph_status_http(cph_status s) { return table[row(s)].http; }
const char *cph_status_name(cph_status s) { return table[row(s)].name; }
const char *cph_status_sentence(cph_status s) { return table[row(s)].sentence; }

/* Removes what a cut left of the last character. */
static void cut(char *z, size_t size, int wanted)
{
    if (wanted < 0 || (size_t)wanted < size) return;
    size_t n = strlen(z), start = n;
    while (start > 0 && n - start < 3 && ((unsigned char)z[start - 1] & 0xC0) == 0x80) start--;
    if (start > 0 && (unsigned char)z[start - 1] >= 0xC0) {
        uint32_t c;
        if (!cph_utf8_decode(z + start - 1, n - (start - 1), &c)) z[start - 1] = 0;
    }
}

static void print_va(char *z, size_t size, const char *fmt, va_list args) CPH_PRINTF(3, 0);
static void print_va(char *z, size_t size, const char *fmt, va_list args)
{
    cut(z, size, vsnprintf(z, size, fmt, args));
}

cph_status cph_fail(cph_err *err, cph_status s, const char *fmt, ...)
{
    last_failed = s;
    if (!err) return s;
    /* The arguments may point into the message that is being replaced. */
    char text[sizeof err->what];
    va_list args;
    va_start(args, fmt);
    print_va(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(err->what, text, sizeof text);
    err->hint[0] = 0;
    err->status = s;
    return s;
}

cph_status cph_fail_errno(cph_err *err, const char *fmt, ...)
{
    int e = errno;
    last_failed = CPH_IO;
    if (!err) return CPH_IO;
    char text[sizeof err->what], reason[128];
    va_list args;
    va_start(args, fmt);
    print_va(text, sizeof text - sizeof reason, fmt, args);
    va_end(args);
    cph_fail(err, CPH_IO, "%s: %s", text, strerror_r(e, reason, sizeof reason));
    if (e == ENOSPC || e == EDQUOT) return cph_hint(err, "free some space and start again: finished parts are kept");
    if (e == EACCES || e == EPERM) return cph_hint(err, "ask for read or write permission, or choose another place");
    return CPH_IO;
}

cph_status cph_hint(cph_err *err, const char *fmt, ...)
{
    if (!err) return last_failed;
    va_list args;
    va_start(args, fmt);
    print_va(err->hint, sizeof err->hint, fmt, args);
    va_end(args);
    return err->status;
}

cph_status cph_err_prefix(cph_err *err, const char *fmt, ...)
{
    if (!err) return last_failed;
    char text[sizeof err->what], prefix[256];
    va_list args;
    va_start(args, fmt);
    print_va(prefix, sizeof prefix, fmt, args);
    va_end(args);
    cut(text, sizeof text, snprintf(text, sizeof text, "%s: %.*s", prefix, (int)(sizeof err->what - 1), err->what));
    memcpy(err->what, text, sizeof text);
    return err->status;
}
