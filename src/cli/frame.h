/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.h - private to the frame of the command line: the parser's result, and
 * the printers that turn the tables into help, manuals, completion and docs.
 */
#ifndef CPH_CLI_FRAME_H
#define CPH_CLI_FRAME_H

#include <stdio.h>

#include "cli.h"

extern const cli_opt cli_common_opts[]; /* ends with {0} */
extern const cli_command *const cli_commands[];
extern const size_t cli_n_commands;

typedef struct cli_value {
    const cli_opt *opt;
    const char *text;
    struct cli_value *next;
} cli_value;

struct cli {
    const cli_command *command;
    const char **args;
    size_t n_args;
    cli_value *values; /* in the order given */
    cph_arena arena;
    cph_pool *pool;
    cph_comm *comm; /* of --ranks; NULL: one rank */
    int argc;
    char **argv;
    int64_t started;
    FILE *out;
    bool write_failed;
    bool wants_short_help, wants_long_help;
};

/* main.c */
int cli_complain(const cph_err *err, cph_status s, const char *command); /* the exit code */
void cli_tell_run(const cli *c); /* what a manifest will say about how it was made */

/* Finds the command of argv[1..]; *used tells how many words name it (0: none). */
const cli_command *cli_find(int argc, char **argv, int *used);
cph_status cli_parse(cli *c, int argc, char **argv, cph_err *err) CPH_MUST_USE;
const cli_opt *cli_option(const cli_command *command, const char *name, size_t n);

void cli_help_short(FILE *f, const cli_command *command);
void cli_help_long(FILE *f, const cli_command *command);
void cli_help_all(FILE *f);
bool cli_is_group(const char *word); /* "rights", "tokenizer", "train": the first word of commands of two */
bool cli_help_group(FILE *f, const char *group); /* lists its commands; false and nothing where it is none */
void cli_manual(FILE *f, const cli_command *command); /* troff; command NULL: colophon(1) */
void cli_completion(FILE *f);                         /* bash */
void cli_markdown(FILE *f);                           /* docs/commands.md */
void cli_option_list(FILE *f);                        /* TSV: command, option, kind, default */

#endif
