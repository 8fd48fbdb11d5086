/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_doctor.c - prints the doctor's findings; exit 1 when one of them would make work fail.
 */
#include <colophon/workflow/doctor.h>

#include <string.h>

#include "cli.h"

static const char *const grades[] = {"fact", "note", "problem"};

static cph_status as_json(cli *c, const cph_finding *f, size_t n, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, (size_t)1 << 20);
    cph_jw w = cph_jw_on(&b);
    cph_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        cph_jw_obj(&w);
        cph_jw_key(&w, "topic");
        cph_jw_z(&w, f[i].topic);
        cph_jw_key(&w, "name");
        cph_jw_z(&w, f[i].name);
        cph_jw_key(&w, "value");
        cph_jw_str(&w, f[i].value);
        cph_jw_key(&w, "grade");
        cph_jw_z(&w, grades[f[i].grade]);
        if (f[i].advice.n) {
            cph_jw_key(&w, "advice");
            cph_jw_str(&w, f[i].advice);
        }
        cph_jw_end(&w);
    }
    cph_jw_end(&w);
    cph_status s = cph_jw_done(&w, err);
    if (s == CPH_OK) cli_print(c, "%s\n", b.p);
    cph_buf_release(&b);
    return s;
}

static void as_prose(cli *c, const cph_finding *f, size_t n)
{
    const char *topic = "";
    for (size_t i = 0; i < n; i++) {
        if (strcmp(topic, f[i].topic) != 0) cli_print(c, "%s%s\n", i ? "\n" : "", f[i].topic);
        topic = f[i].topic;
        cli_print(c, "  %-22s %.*s\n", f[i].name, CPH_FMT(f[i].value));
        if (f[i].advice.n) cli_print(c, "  %-22s %s: %.*s\n", "", grades[f[i].grade], CPH_FMT(f[i].advice));
    }
}

static cph_status run(cli *c, cph_err *err)
{
    cph_arena a;
    cph_arena_init(&a, (size_t)1 << 20);
    cph_finding *f = NULL;
    size_t n = 0, problems = 0;
    cph_status s = cph_doctor(&a, cli_n_args(c) ? cli_arg(c, 0) : ".", &f, &n, &problems, err);
    if (s == CPH_OK && cli_json(c)) s = as_json(c, f, n, err);
    else if (s == CPH_OK) as_prose(c, f, n);
    cph_arena_release(&a);
    if (s == CPH_OK && problems)
        return cph_fail(err, CPH_NO, "%zu %s would make work fail here", problems, problems == 1 ? "thing" : "things");
    return s;
}

static const cli_opt opts[] = {{0}};

const cli_command cmd_doctor = {
    .name = "doctor", .args = "[DIR]", .max_args = 1,
    .summary = "this machine and this build; what would fail, and why",
    .about = "Tells which processor, kernels, memory, disk and limits colophon finds, and which of them would make work "
             "fail. DIR is where you mean to write; the current folder when it is left out.",
    .examples = "colophon doctor\ncolophon doctor /data/models --json",
    .opts = opts, .run = run};
