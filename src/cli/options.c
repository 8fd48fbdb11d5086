/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - from words to values, checked against the command's table.
 * Every value is checked for its type here, so that commands never see a bad one.
 */
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"

#define COMMAND(name) extern const cli_command name;
#include "commands.def"
#undef COMMAND

const cli_command *const cli_commands[] = {
#define COMMAND(name) &name,
#include "commands.def"
#undef COMMAND
};
const size_t cli_n_commands = sizeof cli_commands / sizeof *cli_commands;

const cli_opt cli_common_opts[] = {
    {"threads", CLI_U64, CLI_RUN, "N", "0", "threads to use; 0: as many as there are processors. Results do not depend on it"},
    {"memory", CLI_BYTES, CLI_RUN, "SIZE", "0", "memory that may be taken, as 512MiB or 4GiB; 0: no limit"},
    {"json", CLI_FLAG, CLI_RUN, NULL, NULL, "print one JSON value instead of prose"},
    {"quiet", CLI_FLAG, CLI_RUN, NULL, NULL, "say nothing but warnings and errors on standard error"},
    {"verbose", CLI_FLAG, CLI_RUN, NULL, NULL, "say more on standard error"},
    {"help", CLI_FLAG, CLI_RUN, NULL, NULL, "show the whole help; -h shows the short one"},
    {0}};

static size_t words_of(const char *name)
{
    size_t n = 1;
    for (; *name; name++) n += *name == ' ';
    return n;
}

static bool names(const cli_command *command, int argc, char **argv)
{
    cph_str rest = cph_str_of(command->name), word;
    for (int i = 1; cph_str_split(&rest, ' ', &word); i++)
        if (i >= argc || !cph_str_is(word, argv[i])) return false;
    return true;
}

const cli_command *cli_find(int argc, char **argv, int *used)
{
    const cli_command *best = NULL;
    *used = 0;
    for (size_t i = 0; i < cli_n_commands; i++) {
        int n = (int)words_of(cli_commands[i]->name);
        if (n > *used && names(cli_commands[i], argc, argv)) {
            best = cli_commands[i];
            *used = n;
        }
    }
    return best;
}

static const cli_opt *in_table(const cli_opt *o, const char *name, size_t n)
{
    for (; o && o->name; o++)
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0) return o;
    return NULL;
}

const cli_opt *cli_option(const cli_command *command, const char *name, size_t n)
{
    const cli_opt *o = in_table(command->opts, name, n);
    return o ? o : in_table(cli_common_opts, name, n);
}

static bool parse_bytes(cph_str s, uint64_t *out)
{
    static const struct {
        const char *unit;
        unsigned shift;
    } units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"K", 10}, {"M", 20}, {"G", 30}, {"T", 40}, {"B", 0}, {"", 0}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!cph_str_ends(s, units[i].unit)) continue;
        uint64_t v;
        if (!cph_str_u64(cph_str_sub(s, 0, s.n - strlen(units[i].unit)), &v) || v > UINT64_MAX >> units[i].shift) return false;
        *out = v << units[i].shift;
        return true;
    }
    return false;
}

static bool is_choice(const char *choices, const char *text)
{
    cph_str rest = cph_str_of(choices), one;
    while (cph_str_split(&rest, '|', &one))
        if (cph_str_is(one, text)) return true;
    return false;
}

static bool is_date(cph_str s)
{
    static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t y, m, d;
    return s.n == 10 && s.p[4] == '-' && s.p[7] == '-' && cph_str_u64(cph_str_sub(s, 0, 4), &y) &&
           cph_str_u64(cph_str_sub(s, 5, 2), &m) && cph_str_u64(cph_str_sub(s, 8, 2), &d) && m >= 1 && m <= 12 && d >= 1 &&
           d <= days[m - 1] && (m != 2 || d < 29 || (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)));
}

static cph_status check(const cli_opt *o, const char *text, cph_err *err)
{
    uint64_t u;
    double x;
    const char *wants = NULL;
    switch (o->type) {
    case CLI_U64: wants = cph_str_u64(cph_str_of(text), &u) ? NULL : "a whole number"; break;
    case CLI_DOUBLE: wants = cph_str_double(cph_str_of(text), &x) ? NULL : "a number"; break;
    case CLI_BYTES: wants = parse_bytes(cph_str_of(text), &u) ? NULL : "a size such as 512MiB or 4GiB"; break;
    case CLI_DATE: wants = is_date(cph_str_of(text)) ? NULL : "a day as yyyy-mm-dd"; break;
    case CLI_CHOICE: wants = is_choice(o->arg, text) ? NULL : o->arg; break;
    default: break;
    }
    if (!wants) return CPH_OK;
    return cph_fail(err, CPH_USAGE, "--%s wants %s, not '%.80s'", o->name, wants, text);
}

static cph_status keep(cli *c, const cli_opt *o, const char *text, cph_err *err)
{
    CPH_TRY(check(o, text, err));
    void *mem;
    CPH_TRY(cph_arena_alloc(&c->arena, &mem, sizeof(cli_value), err));
    cli_value *v = mem, **at = &c->values;
    *v = (cli_value){.opt = o, .text = text};
    while (*at) {
        if ((*at)->opt == o && o->type != CLI_LIST)
            return cph_fail(err, CPH_USAGE, "--%s is given twice", o->name);
        at = &(*at)->next;
    }
    *at = v;
    return CPH_OK;
}

/* The option whose name is nearest, for the hint; NULL when nothing is near. */
static const char *nearest(const cli_command *command, const char *name, size_t n)
{
    const cli_opt *tables[] = {command->opts, cli_common_opts};
    for (size_t t = 0; t < 2; t++)
        for (const cli_opt *o = tables[t]; o && o->name; o++) {
            size_t same = 0;
            while (same < n && o->name[same] == name[same] && name[same]) same++;
            if (same >= 3 && same + 3 >= n) return o->name;
        }
    return NULL;
}

static cph_status unknown(const cli *c, const char *word, size_t n, cph_err *err)
{
    cph_fail(err, CPH_USAGE, "%s: there is no option --%.*s", c->command->name, (int)(n > 80 ? 80 : n), word);
    const char *near = nearest(c->command, word, n);
    return near ? cph_hint(err, "did you mean --%s? colophon %s -h lists the options", near, c->command->name) : CPH_USAGE;
}

static cph_status long_option(cli *c, const char *word, int argc, char **argv, int *i, cph_err *err)
{
    const char *eq = strchr(word, '=');
    size_t n = eq ? (size_t)(eq - word) : strlen(word);
    const cli_opt *o = cli_option(c->command, word, n);
    if (!o) return unknown(c, word, n, err);
    if (o->type == CLI_FLAG) {
        if (eq) return cph_fail(err, CPH_USAGE, "--%s takes no value", o->name);
        if (strcmp(o->name, "help") == 0) c->wants_long_help = true;
        return keep(c, o, "yes", err);
    }
    if (!eq && *i + 1 >= argc) return cph_fail(err, CPH_USAGE, "--%s wants %s", o->name, o->arg);
    return keep(c, o, eq ? eq + 1 : argv[++*i], err);
}

cph_status cli_parse(cli *c, int argc, char **argv, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc0(&c->arena, &mem, (size_t)(argc > 0 ? argc : 1), sizeof *c->args, err));
    c->args = mem;
    bool options = true;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (options && strcmp(word, "--") == 0) {
            options = false;
        } else if (options && strcmp(word, "-h") == 0) {
            c->wants_short_help = true;
        } else if (options && word[0] == '-' && word[1] == '-') {
            CPH_TRY(long_option(c, word + 2, argc, argv, &i, err));
        } else if (options && word[0] == '-' && word[1]) {
            return cph_fail(err, CPH_USAGE, "%s: there is no option %.80s; options have two dashes", c->command->name, word);
        } else {
            c->args[c->n_args++] = word;
        }
    }
    if (c->wants_short_help || c->wants_long_help) return CPH_OK;
    const cli_command *k = c->command;
    if (c->n_args < k->min_args)
        return cph_fail(err, CPH_USAGE, "%s wants %s", k->name, k->args);
    if (c->n_args > k->max_args)
        return cph_fail(err, CPH_USAGE, "%s: '%.80s' is one argument too many", k->name, c->args[k->max_args]);
    return CPH_OK;
}

/* ---- what the user asked for ---- */

static const cli_opt *must_exist(const cli *c, const char *opt) { return cli_option(c->command, opt, strlen(opt)); }

static const char *given(const cli *c, const char *opt)
{
    for (const cli_value *v = c->values; v; v = v->next)
        if (strcmp(v->opt->name, opt) == 0) return v->text;
    return NULL;
}

size_t cli_n_args(const cli *c) { return c->n_args; }
const char *cli_arg(const cli *c, size_t i) { return i < c->n_args ? c->args[i] : NULL; }
bool cli_given(const cli *c, const char *opt) { return given(c, opt) != NULL; }
bool cli_flag(const cli *c, const char *opt) { return given(c, opt) != NULL; }
bool cli_json(const cli *c) { return cli_flag(c, "json"); }
int64_t cli_started(const cli *c) { return c->started; }

const char *cli_str(const cli *c, const char *opt)
{
    const char *text = given(c, opt);
    const cli_opt *o = must_exist(c, opt);
    return text ? text : o ? o->def : NULL;
}

uint64_t cli_u64(const cli *c, const char *opt)
{
    const char *text = cli_str(c, opt);
    uint64_t v = 0;
    if (text && !cph_str_u64(cph_str_of(text), &v)) parse_bytes(cph_str_of(text), &v);
    return v;
}

double cli_double(const cli *c, const char *opt)
{
    const char *text = cli_str(c, opt);
    double v = 0;
    if (text) cph_str_double(cph_str_of(text), &v);
    return v;
}

size_t cli_n_list(const cli *c, const char *opt)
{
    size_t n = 0;
    for (const cli_value *v = c->values; v; v = v->next) n += strcmp(v->opt->name, opt) == 0;
    return n;
}

const char *cli_list(const cli *c, const char *opt, size_t i)
{
    for (const cli_value *v = c->values; v; v = v->next)
        if (strcmp(v->opt->name, opt) == 0 && i-- == 0) return v->text;
    return NULL;
}

cph_status cli_need(const cli *c, const char *opt, cph_err *err)
{
    if (cli_str(c, opt)) return CPH_OK;
    const cli_opt *o = must_exist(c, opt);
    return cph_fail(err, CPH_USAGE, "%s wants --%s %s", c->command->name, opt, o && o->arg ? o->arg : "");
}

unsigned cli_threads(const cli *c)
{
    uint64_t n = cli_u64(c, "threads");
    if (n) return n > 4096 ? 4096 : (unsigned)n;
    /* Ranks share their machine's processors, unless who started them has dealt those out. */
    unsigned mine = cph_cpu_count(), ranks = cph_comm_local_size(c->comm);
    if ((long)mine < sysconf(_SC_NPROCESSORS_ONLN) || ranks <= 1) return mine;
    return mine > ranks ? mine / ranks : 1;
}

cph_status cli_pool(cli *c, cph_pool **out, cph_err *err)
{
    if (!c->pool) CPH_TRY(cph_pool_open(&c->pool, cli_threads(c), err));
    *out = c->pool;
    return CPH_OK;
}

int32_t cli_today(const cli *c)
{
    time_t t = (time_t)c->started;
    struct tm day;
    gmtime_r(&t, &day);
    return (day.tm_year + 1900) * 10000 + (day.tm_mon + 1) * 100 + day.tm_mday;
}

/* ---- answering ---- */

void cli_print(cli *c, const char *fmt, ...)
{
    va_list args;
    if (cph_comm_rank(c->comm)) return;
    va_start(args, fmt);
    if (vfprintf(c->out, fmt, args) < 0) c->write_failed = true;
    va_end(args);
}

void cli_write(cli *c, const void *p, size_t n)
{
    if (n && !cph_comm_rank(c->comm) && fwrite(p, 1, n, c->out) != n) c->write_failed = true;
}

void cli_flush(cli *c)
{
    if (fflush(c->out) != 0) c->write_failed = true;
}

bool cli_is_terminal(const cli *c)
{
    (void)c;
    return isatty(1) == 1;
}
