/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_trace.c - where a sentence comes from: any text against the training text.
 */
#include <unistd.h>

#include "trace_print.h"

#define TEXT_MAX ((size_t)16 << 20)

static cph_status from_stdin(cph_buf *text, cph_err *err)
{
    for (;;) {
        CPH_TRY(cph_buf_reserve(text, 1 << 16, err));
        ssize_t got = read(0, text->p + text->n, 1 << 16);
        if (got < 0) return cph_fail_errno(err, "standard input");
        if (got == 0) return CPH_OK;
        text->n += (size_t)got;
    }
}

static cph_status answer(cli *c, cph_tracer *t, cph_str text, cph_err *err)
{
    cph_arena a;
    cph_buf b;
    cph_traced traced;
    uint32_t n = 0;
    if (cph_utf8_check(text.p, text.n) != text.n) return cph_fail(err, CPH_DATA, "the text is not valid UTF-8");
    cph_arena_init(&a, (size_t)1 << 28);
    cph_buf_init(&b, (size_t)1 << 28);
    cph_status s = cph_tracer_text(t, &a, text, &traced, &n, err);
    if (s == CPH_OK && cli_json(c)) {
        cph_jw w = cph_jw_on(&b);
        cli_trace_json(&w, &traced);
        s = cph_jw_done(&w, err);
        if (s == CPH_OK) cli_print(c, "%s\n", b.p);
    } else if (s == CPH_OK) {
        cli_trace_prose(c, &traced, n);
    }
    cph_arena_release(&a);
    cph_buf_release(&b);
    return s;
}

static cph_status run(cli *c, cph_err *err)
{
    cph_tracer *t;
    cph_buf text;
    CPH_TRY(cli_tracer_open(c, cli_arg(c, 0), &t, err));
    cph_buf_init(&text, TEXT_MAX);
    cph_status s = cli_n_args(c) > 1 ? cph_buf_z(&text, cli_arg(c, 1), err) : from_stdin(&text, err);
    if (s == CPH_OK) s = answer(c, t, cph_str_trim(cph_buf_view(&text)), err);
    cph_buf_release(&text);
    cph_tracer_close(t);
    return s;
}

static const cli_opt opts[] = {CLI_TRACE_OPTS, {0}};

const cli_command cmd_trace = {
    .name = "trace", .args = "INDEX [TEXT]", .min_args = 1, .max_args = 2,
    .summary = "where does this text come from: its spans that stand in a training text",
    .about = "Finds the longest spans of a text (the second argument, or standard input) that stand word for word in "
             "the token set behind INDEX, with work, page, right, and the words around where they may be shown.",
    .examples = "colophon trace books.index \"Fyret skal slokkes for godt\"\ncolophon trace books.index --tier public < answer.txt",
    .opts = opts, .run = run};
