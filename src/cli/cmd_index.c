/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_index.c - builds the trace index of a token set.
 */
#include <colophon/search/trace.h>

#include "cli.h"

static cph_status run(cli *c, cph_err *err)
{
    cph_digest digest;
    char hex[CPH_HEX_DIGEST];
    CPH_TRY(cli_need(c, "out", err));
    CPH_TRY(cph_trace_build(cli_arg(c, 0), cli_str(c, "out"), cli_started(c), &digest, err));
    cph_digest_hex(&digest, hex);
    if (cli_json(c)) cli_print(c, "{\"digest\":\"%s\"}\n", hex);
    else cli_print(c, "index %s sealed: %.16s\n", cli_str(c, "out"), hex);
    return CPH_OK;
}

static const cli_opt opts[] = {
    {"out", CLI_STR, CLI_RUN, "DIR", NULL, "where the index is sealed"},
    {0}};

const cli_command cmd_index = {
    .name = "index", .args = "TOKENS", .min_args = 1, .max_args = 1,
    .summary = "a trace index over a token set: where does this sentence come from?",
    .about = "Sorts all suffixes of a token set, so that `colophon generate --trace` can find in a moment which spans of an "
             "answer stand word for word in the training text, and in which works.",
    .examples = "colophon index books.tokens --out books.index",
    .opts = opts, .run = run};
