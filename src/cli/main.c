/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - the program: finds the command, sets the process up, runs it, and
 * says in a sentence what went wrong. The only place that owns the process.
 */
#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>
#include <colophon/base/memory.h>
#include <colophon/model/model.h>
#include <colophon/provenance/manifest.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"

typedef struct talk {
    bool quiet, verbose, terminal, line_open;
} talk;

static void say(void *ctx, cph_level level, const char *text)
{
    talk *t = ctx;
    if ((level == CPH_DEBUG && !t->verbose) || (level < CPH_WARN && t->quiet)) return;
    if (t->line_open) fputs("\r\033[K", stderr);
    t->line_open = false;
    fprintf(stderr, "%s%s\n", level == CPH_WARN ? "warning: " : "", text);
}

static void show_progress(void *ctx, const cph_progress_view *v)
{
    talk *t = ctx;
    if (t->quiet) return;
    char left[32] = "";
    if (v->eta_s >= 0) cph_format_seconds(v->eta_s, left);
    if (!t->terminal && !v->finished) return; /* a log file gets the last word only */
    fprintf(stderr, "%s%s: %llu", t->terminal ? "\r\033[K" : "", v->what, (unsigned long long)v->done);
    if (v->total) fprintf(stderr, " of %llu", (unsigned long long)v->total);
    fprintf(stderr, " %s, %.1f/s%s%s%s", v->unit, v->rate, left[0] ? ", " : "", left, left[0] ? " left" : "");
    if (v->finished || !t->terminal) fputc('\n', stderr);
    t->line_open = t->terminal && !v->finished;
}

int cli_complain(const cph_err *err, cph_status s, const char *command)
{
    const char *what = err->what[0] ? err->what : cph_status_sentence(s);
    fprintf(stderr, "colophon: %s\n", what);
    if (err->hint[0])
        fprintf(stderr, "hint: %s\n", err->hint);
    else if (s == CPH_USAGE)
        fprintf(stderr, "hint: colophon %s%s-h\n", command, command[0] ? " " : "");
    return cph_status_exit(s);
}

void cli_tell_run(const cli *c)
{
    cph_run_set(&(cph_run_facts){.argc = c->argc, .argv = c->argv, .isa = cph_isa_name(), .threads = cli_threads(c),
                                 .ranks = cph_comm_size(c->comm)});
}

static void set_up(const cli *c, talk *t)
{
    *t = (talk){.quiet = cli_flag(c, "quiet"), .verbose = cli_flag(c, "verbose"), .terminal = isatty(2) == 1};
    cph_log_set((cph_log_sink){.message = say, .progress = show_progress, .ctx = t});
    cph_memory_set_cap(cli_u64(c, "memory"));
    cph_interrupt_install();
    cli_tell_run(c);
}

static int run(const cli_command *command, int used, int argc, char **argv)
{
    cph_err err = {0};
    cli c = {.command = command, .started = (int64_t)time(NULL), .out = stdout, .argc = argc, .argv = argv};
    talk t;
    cph_arena_init(&c.arena, (size_t)64 << 20);
    cph_status s = cli_parse(&c, argc - 1 - used, argv + 1 + used, &err);
    if (s == CPH_OK && c.wants_long_help) {
        cli_help_long(stdout, command);
    } else if (s == CPH_OK && c.wants_short_help) {
        cli_help_short(stdout, command);
    } else if (s == CPH_OK) {
        set_up(&c, &t);
        s = command->run(&c, &err);
        s = cph_comm_end(c.comm, s, &err);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) c.write_failed = true;
    if (s == CPH_OK && c.write_failed) s = cph_fail(&err, CPH_IO, "standard output: cannot write everything");
    bool speaks = cph_comm_speaks(c.comm), alone = c.comm == NULL;
    cph_comm_close(c.comm);
    cph_pool_close(c.pool);
    cph_arena_release(&c.arena);
    if (s == CPH_OK || s == CPH_END) return 0;
    int code = speaks ? cli_complain(&err, s, command->name) : cph_status_exit(s);
    /* What a plug-in's libraries do at exit may wait for ranks that are no more. */
    if (!alone) _exit(code);
    return code;
}

/* The first word may name a group, as in "colophon rights": then its commands are the answer. */
static int no_command(int argc, char **argv)
{
    cph_err err = {0};
    bool more = argc > 2 && argv[2][0] != '-';
    bool asks = argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
    if (asks && cli_help_group(stdout, argv[1])) return fflush(stdout) == 0 ? 0 : cph_status_exit(CPH_IO);
    if (!more && cli_help_group(stderr, argv[1])) {
        cph_fail(&err, CPH_USAGE, "%s wants one of its commands", argv[1]);
        return cli_complain(&err, CPH_USAGE, argv[1]);
    }
    cph_fail(&err, CPH_USAGE, "there is no command '%s%s%s'", argv[1], more ? " " : "", more ? argv[2] : "");
    if (cli_is_group(argv[1])) cph_hint(&err, "colophon %s -h lists what there is of it", argv[1]);
    else cph_hint(&err, "colophon help lists the commands");
    return cli_complain(&err, CPH_USAGE, "");
}

int main(int argc, char **argv)
{
    int used = 0;
    if (argc < 2) {
        cli_help_all(stderr);
        return cph_status_exit(CPH_USAGE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        cli_help_all(stdout);
        return fflush(stdout) == 0 ? 0 : cph_status_exit(CPH_IO);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("colophon %s\n", CPH_VERSION);
        return fflush(stdout) == 0 ? 0 : cph_status_exit(CPH_IO);
    }
    const cli_command *command = cli_find(argc, argv, &used);
    if (command) return run(command, used, argc, argv);
    return no_command(argc, argv);
}
