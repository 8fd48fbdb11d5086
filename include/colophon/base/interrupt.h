/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interrupt.h - SIGINT and SIGTERM as a question, never as a surprise.
 *
 * The program installs the handler once; long work asks cph_interrupted at safe
 * places, finishes or drops the unit under way, and returns CPH_STOPPED. A second
 * signal ends the process at once.
 *
 * Threads  cph_interrupted may be called from any thread.
 */
#ifndef CPH_BASE_INTERRUPT_H
#define CPH_BASE_INTERRUPT_H

#include <stdbool.h>

#include <colophon/base/status.h>

#ifdef __cplusplus
extern "C" {
#endif

CPH_API void cph_interrupt_install(void); /* SIGINT, SIGTERM; also ignores SIGPIPE */
CPH_API bool cph_interrupted(void);
/* CPH_OK, or CPH_STOPPED with a message that says what was under way. */
CPH_API cph_status cph_interrupt_check(const char *what, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
