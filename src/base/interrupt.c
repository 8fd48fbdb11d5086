/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interrupt.c - the first signal asks, the second one ends.
 */
#include <colophon/base/interrupt.h>

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void on_signal(int number)
{
    if (asked) _exit(128 + number);
    asked = 1;
}

void cph_interrupt_install(void)
{
    struct sigaction a = {.sa_handler = on_signal};
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    a.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &a, NULL);
}

bool cph_interrupted(void) { return asked != 0; }

cph_status cph_interrupt_check(const char *what, cph_err *err)
{
    if (!asked) return CPH_OK;
    cph_fail(err, CPH_STOPPED, "%s: interrupted", what);
    return err ? cph_hint(err, "start the same command again to go on from here") : CPH_STOPPED;
}
