/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_help.c - help, and the texts that a package installs: made from the tables.
 */
#include <string.h>

#include "frame.h"

static const cli_opt opts[] = {
    {"as", CLI_CHOICE, CLI_RUN, "text|man|completion|markdown|options", "text",
     "what to print: text for reading, a manual page, bash completion, docs/commands.md, or a table of all options"},
    {0}};

static cph_status run(cli *c, cph_err *err)
{
    const char *as = cli_str(c, "as");
    const cli_command *about = NULL;
    if (cli_n_args(c)) {
        const char *argv[3] = {"colophon", cli_arg(c, 0), cli_n_args(c) > 1 ? cli_arg(c, 1) : NULL};
        int used;
        about = cli_find((int)cli_n_args(c) + 1, (char **)(uintptr_t)argv, &used);
        if (!about && cli_n_args(c) == 1 && cli_help_group(c->out, argv[1])) return CPH_OK;
        if (!about) {
            cph_fail(err, CPH_USAGE, "there is no command '%s%s%s'", argv[1], argv[2] ? " " : "",
                     argv[2] ? argv[2] : "");
            return cph_hint(err, "colophon help lists the commands");
        }
    }
    if (strcmp(as, "man") == 0) cli_manual(c->out, about);
    else if (strcmp(as, "completion") == 0) cli_completion(c->out);
    else if (strcmp(as, "markdown") == 0) cli_markdown(c->out);
    else if (strcmp(as, "options") == 0) cli_option_list(c->out);
    else if (about) cli_help_long(c->out, about);
    else cli_help_all(c->out);
    return CPH_OK;
}

const cli_command cmd_help = {
    .name = "help", .args = "[COMMAND]", .max_args = 2,
    .summary = "help on a command, manual pages, shell completion",
    .about = "Without a command, lists all commands. With one, tells everything about it.",
    .examples = "colophon help build\ncolophon help build --as man > colophon-build.1\n"
                "colophon help --as completion > /etc/bash_completion.d/colophon",
    .opts = opts, .run = run};
