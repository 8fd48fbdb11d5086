/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_show.c - the colophon of a thing: what it was made from, down to page images.
 */
#include <colophon/workflow/show.h>

#include "cli.h"

static cph_status run(cli *c, cph_err *err)
{
    const char *dirs[64];
    cph_buf b;
    cph_show_ask ask = {.path = cli_arg(c, 0), .parents = dirs, .json = cli_json(c)};
    if (cli_given(c, "work")) ask.work = cph_str_of(cli_str(c, "work"));
    for (; ask.n_parents < cli_n_list(c, "parents") && ask.n_parents < 64; ask.n_parents++)
        dirs[ask.n_parents] = cli_list(c, "parents", ask.n_parents);
    cph_buf_init(&b, (size_t)1 << 30);
    cph_status s = cph_show(&b, &ask, err);
    if (s == CPH_OK) cli_write(c, b.p, b.n);
    cph_buf_release(&b);
    return s;
}

static const cli_opt opts[] = {
    {"work", CLI_STR, CLI_RUN, "URN", NULL,
     "the way from the artefact to this work's records, pages and page images; of a collection, its "
     "objects and problems"},
    {"parents", CLI_LIST, CLI_RUN, "DIR", NULL,
     "look for parents below this directory, too. They are found by digest; the places that the run "
     "recorded and the neighbours of THING are looked at anyway"},
    {0}};

const cli_command cmd_show = {
    .name = "show",
    .args = "THING",
    .min_args = 1,
    .max_args = 1,
    .summary = "what a thing was made from, down to the page images",
    .about = "THING is a model, token set, tokenizer, corpus, snapshot or index; a collection; or a model of "
             "somebody else, of which nothing is known.\n\n"
             "Draws the tree of artefacts with their counts, what they may be used for, and the rights "
             "tally. Nothing is verified on the way: colophon verify does that.",
    .examples = "colophon show demo/model\n"
                "colophon show demo/model --work URN:NBN:no-colophon_sample_0001  # to its pages\n"
                "colophon show demo/collection --json  # every counter of every object",
    .opts = opts,
    .run = run};
