/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - one option table per command, from which everything follows: parser,
 * -h, --help, man pages, bash completion, docs/commands.md, and whether an
 * option is part of an artefact's identity or of one run (artefacts 1).
 *
 * A command is a file cmd_<name>.c with a table and a run function, and one line
 * in commands.def. It reads its options, calls the library, prints the result:
 * data on stdout through cli_print, talk on stderr through cph_log.
 *
 * Threads  The main thread only.
 * Memory   Option values live as long as the cli.
 */
#ifndef CPH_CLI_H
#define CPH_CLI_H

#include <colophon/base/file.h>
#include <colophon/base/json.h>
#include <colophon/base/pool.h>
#include <colophon/comm/comm.h>

typedef struct cli cli;

typedef enum cli_type {
    CLI_FLAG,   /* no argument */
    CLI_STR,    /* any text, a path */
    CLI_LIST,   /* may be given many times */
    CLI_U64,    /* 0, 1, 2, ... */
    CLI_DOUBLE, /* finite */
    CLI_BYTES,  /* 512, 64KiB, 2GiB */
    CLI_DATE,   /* yyyy-mm-dd */
    CLI_CHOICE  /* one of `choices` */
} cli_type;

typedef enum cli_kind {
    CLI_RUN,     /* how this run is done: never changes what comes out */
    CLI_IDENTITY /* part of what the artefact is: recorded, and changes its digest */
} cli_kind;

typedef struct cli_opt {
    const char *name; /* without the dashes */
    cli_type type;
    cli_kind kind;
    const char *arg;  /* "N", "FILE", "DIR"; or "a|b|c" for CLI_CHOICE; NULL for a flag */
    const char *def;  /* the default as text; NULL: none, cli_given tells */
    const char *help; /* one or two sentences, the first word in lower case, no full stop at the end */
} cli_opt;

typedef struct cli_command {
    const char *name;    /* "ingest", "tokenizer train" */
    const char *args;    /* "SOURCE..." for the synopsis; "" for none */
    unsigned min_args, max_args; /* max 0 with min 0: none; UINT_MAX: any number */
    const char *summary; /* one line, no full stop */
    const char *about;   /* paragraphs for --help and the manual, parted by an empty line */
    const char *examples; /* lines "colophon ...", with what they do after "  # " */
    const cli_opt *opts; /* ends with {0} */
    cph_status (*run)(cli *c, cph_err *err);
} cli_command;

/* Every command has these besides its own: --threads --memory --json --quiet --verbose --help. */

/* ---- what the user asked for ---- */
size_t cli_n_args(const cli *c);
const char *cli_arg(const cli *c, size_t i);              /* i < cli_n_args */
const char *cli_str(const cli *c, const char *opt);       /* the default when not given; NULL when neither */
bool cli_given(const cli *c, const char *opt);
bool cli_flag(const cli *c, const char *opt);
uint64_t cli_u64(const cli *c, const char *opt);          /* U64 and BYTES; 0 when absent */
double cli_double(const cli *c, const char *opt);
size_t cli_n_list(const cli *c, const char *opt);
const char *cli_list(const cli *c, const char *opt, size_t i);
/* CPH_USAGE "NAME wants --opt" when it was not given and has no default. */
cph_status cli_need(const cli *c, const char *opt, cph_err *err) CPH_MUST_USE;
bool cli_json(const cli *c); /* --json: one JSON value on stdout instead of prose */
/* A pool with --threads workers, opened once, closed by the frame. */
cph_status cli_pool(cli *c, cph_pool **out, cph_err *err) CPH_MUST_USE;
unsigned cli_threads(const cli *c);
/*
 * Starts or joins the ranks that --ranks asks for (NULL: one), before cli_pool is called or anything is started. The
 * frame ends them with the command's status; what other ranks than 0 print goes nowhere.
 */
cph_status cli_ranks(cli *c, cph_comm **out, cph_err *err) CPH_MUST_USE;
int64_t cli_started(const cli *c); /* unix seconds at the start, for cph_run_new */
/* Today's date (UTC) as yyyymmdd: only for the default of --as-of. */
int32_t cli_today(const cli *c);

/* ---- answering ---- */
/* To stdout. A failed write (full disk, closed pipe) ends the program with exit 5 at the end. */
void cli_print(cli *c, const char *fmt, ...) CPH_PRINTF(2, 3);
void cli_write(cli *c, const void *p, size_t n);
void cli_flush(cli *c); /* while streaming */
/* True when stdout is a terminal: columns and colour are for people. */
bool cli_is_terminal(const cli *c);

#endif
