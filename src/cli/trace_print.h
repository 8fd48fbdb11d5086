/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_print.h - a traced answer for people, and as JSON.
 */
#ifndef CPH_CLI_TRACE_PRINT_H
#define CPH_CLI_TRACE_PRINT_H

#include <colophon/workflow/answer.h>

#include "cli.h"

/* n_tokens: of the answer. */
void cli_trace_prose(cli *c, const cph_traced *t, uint32_t n_tokens);
void cli_trace_json(cph_jw *w, const cph_traced *t);

#endif
