/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_print.h - the options of a trace, and a traced text for people and as JSON.
 */
#ifndef CPH_CLI_TRACE_PRINT_H
#define CPH_CLI_TRACE_PRINT_H

#include <colophon/workflow/answer.h>

#include "cli.h"

#define CLI_TRACE_OPTS                                                                                       \
    {"trace-min", CLI_U64, CLI_RUN, "N", "8", "shorter spans, in tokens, are no finding"},                   \
    {"trace-places", CLI_U64, CLI_RUN, "N", "3", "at most so many places for each span"},                    \
    {"collection", CLI_STR, CLI_RUN, "DIR", NULL, "the catalogue that is asked for titles and for the right "\
     "to show words; found by the corpus's manifest when left out"},                                         \
    {"tier", CLI_CHOICE, CLI_RUN, "public|national-ip|on-site|researcher|capsule|staff", "staff",            \
     "who reads the trace: words around are shown as a decision for `snippet` at this tier allows"},         \
    {"as-of", CLI_DATE, CLI_RUN, "DATE", NULL, "the day on which the words are to be shown (today)"},        \
    {"rulebase", CLI_STR, CLI_RUN, "NAME", NULL, "the rules by which that is decided; the collection's when "\
     "left out"},                                                                                            \
    {"revocations", CLI_STR, CLI_RUN, "FILE", NULL, "what was withdrawn since the corpus was sealed"}
/* A tracer as those options say. */
cph_status cli_tracer_open(const cli *c, const char *index, cph_tracer **out, cph_err *err) CPH_MUST_USE;

/* n_tokens: of the text that was traced. */
void cli_trace_prose(cli *c, const cph_traced *t, uint32_t n_tokens);
void cli_trace_json(cph_jw *w, const cph_traced *t);

#endif
