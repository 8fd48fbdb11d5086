/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testing.h - what every unit test includes: cmocka with its needed headers, and
 * small means to make a directory, find the shared data, and expect success.
 */
#ifndef CPH_TESTING_H
#define CPH_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <colophon/base/file.h>

/* Expects CPH_OK; on anything else prints the message and fails the test. */
#define must(call)                                                                                 \
    do {                                                                                           \
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wshadow\"")                \
        cph_err must_err_ = {0};                                                                   \
        cph_err *err = &must_err_;                                                                 \
        cph_status must_s_ = (call);                                                               \
        if (must_s_ != CPH_OK) fail_msg("%s: %s (%s)", #call, must_err_.what, cph_status_name(must_s_)); \
        _Pragma("GCC diagnostic pop")                                                              \
    } while (0)

/* A fresh empty directory, removed by testing_remove; never NULL. */
const char *testing_dir(void);
void testing_remove(void);
/* dir/name in one of a few static buffers. */
const char *testing_path(const char *name);
/* The folder of shared data, or NULL when it is absent (the test then says so and skips). */
const char *testing_shared(const char *below);

#endif
