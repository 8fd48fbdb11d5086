/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help.c - every text that is made from the option tables: short and long help,
 * manual pages, bash completion, docs/commands.md. Nothing is written twice.
 */
#include <string.h>

#include "frame.h"

typedef void (*opt_printer)(FILE *f, const cli_opt *o);

static void each_option(FILE *f, const cli_command *k, opt_printer print)
{
    const cli_opt *tables[] = {k->opts, cli_common_opts};
    for (size_t t = 0; t < 2; t++)
        for (const cli_opt *o = tables[t]; o && o->name; o++) print(f, o);
}

static void flow(FILE *f, const char *text, size_t indent, size_t column)
{
    cph_str rest = cph_str_of(text), word;
    bool first = true; /* of its line: a blank parts words and ends none */
    while (cph_str_split(&rest, ' ', &word)) {
        if (column + word.n > 98 && column > indent) {
            fprintf(f, "\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        fprintf(f, "%s%.*s", first ? "" : " ", CPH_FMT(word));
        column += word.n + 1;
        first = false;
    }
    fputc('\n', f);
}

/* A long list of choices is told in a line of its own. */
static bool many_choices(const cli_opt *o) { return o->type == CLI_CHOICE && strlen(o->arg) > 60; }

static void choices_line(FILE *f, const char *choices)
{
    char z[512];
    size_t n = (size_t)snprintf(z, sizeof z, "one of ");
    for (; *choices && n + 3 < sizeof z; choices++) {
        z[n++] = *choices == '|' ? ',' : *choices;
        if (*choices == '|') z[n++] = ' ';
    }
    z[n] = 0;
    fprintf(f, "%28s", "");
    flow(f, z, 28, 28);
}

static void option_line(FILE *f, const cli_opt *o)
{
    char left[128];
    const char *arg = many_choices(o) ? "WORD" : o->arg;
    int n = snprintf(left, sizeof left, "  --%s%s%s", o->name, arg ? " " : "", arg ? arg : "");
    if (n > 27) fprintf(f, "%s\n%28s", left, "");
    else fprintf(f, "%-28s", left);
    flow(f, o->help, 28, 28);
    if (many_choices(o)) choices_line(f, o->arg);
    bool tell = o->def && o->def[0];
    if (tell || o->kind == CLI_IDENTITY)
        fprintf(f, "%28s[%s%s%s%s]\n", "", tell ? "default " : "", tell ? o->def : "",
                tell && o->kind == CLI_IDENTITY ? "; " : "", o->kind == CLI_IDENTITY ? "identity" : "");
}

static void synopsis(FILE *f, const cli_command *k)
{
    fprintf(f, "usage: colophon %s%s%s [options]\n", k->name, k->args[0] ? " " : "", k->args);
}

void cli_help_short(FILE *f, const cli_command *k)
{
    fprintf(f, "colophon %s - %s\n", k->name, k->summary);
    synopsis(f, k);
    fputc('\n', f);
    each_option(f, k, option_line);
}

static void paragraphs(FILE *f, const char *text)
{
    cph_str rest = cph_str_of(text), line;
    while (cph_str_split(&rest, '\n', &line)) {
        char z[2048];
        snprintf(z, sizeof z, "%.*s", CPH_FMT(line));
        flow(f, z, 0, 0);
    }
}

void cli_help_long(FILE *f, const cli_command *k)
{
    fprintf(f, "colophon %s - %s\n", k->name, k->summary);
    synopsis(f, k);
    fputc('\n', f);
    paragraphs(f, k->about);
    fputs("\nOptions\n", f);
    each_option(f, k, option_line);
    fputs("\nAn option marked `identity` is part of what the artefact is; the others change how a run is done\n"
          "and never what comes out.\n", f);
    if (k->examples) fprintf(f, "\nExamples\n%s\n", k->examples);
}

static void command_line(FILE *f, const cli_command *k)
{
    fprintf(f, "  %-18s ", k->name);
    flow(f, k->summary, 21, 21);
}

static bool in_group(const cli_command *k, const char *group)
{
    size_t n = strlen(group);
    return n && strncmp(k->name, group, n) == 0 && k->name[n] == ' ';
}

bool cli_is_group(const char *group)
{
    for (size_t i = 0; i < cli_n_commands; i++)
        if (in_group(cli_commands[i], group)) return true;
    return false;
}

bool cli_help_group(FILE *f, const char *group)
{
    if (!cli_is_group(group)) return false;
    fprintf(f, "usage: colophon %s COMMAND [arguments] [options]\n\n", group);
    for (size_t i = 0; i < cli_n_commands; i++)
        if (in_group(cli_commands[i], group)) command_line(f, cli_commands[i]);
    fprintf(f, "\ncolophon %s COMMAND -h shows a command's options, --help tells all about it.\n", group);
    return true;
}

void cli_help_all(FILE *f)
{
    fputs("colophon - from a library's digitised collections to models that say what they were made from\n\n"
          "usage: colophon COMMAND [arguments] [options]\n\n", f);
    for (size_t i = 0; i < cli_n_commands; i++) command_line(f, cli_commands[i]);
    fputs("\ncolophon COMMAND -h shows a command's options, --help tells all about it.\n", f);
}

/* ---- manual pages ---- */

static void troff(FILE *f, const char *text)
{
    bool start = true;
    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\'')) fputs("\\&", f);
        if (*text == '\\') fputs("\\e", f);
        else if (*text == '-') fputs("\\-", f);
        else if (*text == '\n' && text[1] == '\n') fputs("\n.PP", f);
        else fputc(*text, f);
        start = *text == '\n';
    }
    fputc('\n', f);
}

static void option_troff(FILE *f, const cli_opt *o)
{
    fputs(".TP\n.B ", f);
    char head[256];
    snprintf(head, sizeof head, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
    troff(f, head);
    troff(f, o->help);
    bool tell = o->def && o->def[0], identity = o->kind == CLI_IDENTITY;
    if (tell || identity)
        fprintf(f, "(%s%s%s%s)\n", tell ? "default " : "", tell ? o->def : "", tell && identity ? "; " : "",
                identity ? "part of the artefact\\(aqs identity" : "");
}

static void manual_of_all(FILE *f)
{
    fputs(".TH COLOPHON 1 \"\" \"colophon " CPH_VERSION "\" \"Colophon\"\n.SH NAME\ncolophon \\- "
          "from a library's digitised collections to models that say what they were made from\n"
          ".SH SYNOPSIS\n.B colophon\n.I command\n[\\fIarguments\\fR] [\\fIoptions\\fR]\n.SH COMMANDS\n", f);
    for (size_t i = 0; i < cli_n_commands; i++) {
        fprintf(f, ".TP\n.B %s\n", cli_commands[i]->name);
        troff(f, cli_commands[i]->summary);
    }
    fputs(".SH EXIT STATUS\n", f);
    for (int s = 0; s < CPH_N_STATUSES; s++)
        if (s != CPH_END && s != CPH_STOPPED)
            fprintf(f, ".TP\n.B %d\n%s\n", cph_status_exit((cph_status)s), cph_status_sentence((cph_status)s));
}

void cli_manual(FILE *f, const cli_command *k)
{
    if (!k) {
        manual_of_all(f);
        return;
    }
    fputs(".TH \"COLOPHON ", f);
    for (const char *p = k->name; *p; p++) fputc(*p == ' ' ? '-' : *p >= 'a' && *p <= 'z' ? *p - 32 : *p, f);
    fputs("\" 1 \"\" \"colophon " CPH_VERSION "\" \"Colophon\"\n.SH NAME\n", f);
    fprintf(f, "colophon %s \\- ", k->name);
    troff(f, k->summary);
    fprintf(f, ".SH SYNOPSIS\n.B colophon %s\n%s [\\fIoptions\\fR]\n.SH DESCRIPTION\n", k->name, k->args);
    troff(f, k->about);
    fputs(".SH OPTIONS\n", f);
    each_option(f, k, option_troff);
    if (k->examples) {
        fputs(".SH EXAMPLES\n.nf\n", f);
        troff(f, k->examples);
        fputs(".fi\n", f);
    }
}

/* ---- bash completion ---- */

static void option_word(FILE *f, const cli_opt *o) { fprintf(f, " --%s", o->name); }

void cli_completion(FILE *f)
{
    fputs("# bash completion for colophon, made by: colophon help --as completion\n"
          "_colophon() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words=\"${COMP_WORDS[1]} ${COMP_WORDS[2]}\"\n"
          "  local name first= second= opts= names=\"", f);
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (i) fputc(' ', f);
        for (const char *c = cli_commands[i]->name; *c; c++) fputc(*c == ' ' ? ':' : *c, f);
    }
    fputs("\"\n  for name in $names; do\n    first+=\" ${name%%:*}\"\n"
          "    case $name in \"${COMP_WORDS[1]}\":*) second+=\" ${name#*:}\" ;; esac\n  done\n"
          "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "    COMPREPLY=($(compgen -W \"$first\" -- \"$cur\" | sort -u)); return\n"
          "  elif [ \"$COMP_CWORD\" -eq 2 ] && [ -n \"$second\" ]; then\n"
          "    COMPREPLY=($(compgen -W \"$second\" -- \"$cur\")); return\n  fi\n  case \"$words\" in\n", f);
    for (size_t two = 2; two >= 1; two--)
        for (size_t i = 0; i < cli_n_commands; i++) {
            const cli_command *k = cli_commands[i];
            if ((strchr(k->name, ' ') != NULL) != (two == 2)) continue;
            fprintf(f, "    \"%s%s\"*) opts=\"", k->name, two == 2 ? "" : " ");
            each_option(f, k, option_word);
            fputs("\" ;;\n", f);
        }
    fputs("  esac\n  case \"$cur\" in\n    --*) COMPREPLY=($(compgen -W \"$opts\" -- \"$cur\")) ;;\n"
          "    *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n  esac\n}\ncomplete -o filenames -F _colophon colophon\n", f);
}

/* ---- docs/commands.md ---- */

static void cell(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') fputc('\\', f);
        fputc(*text, f);
    }
}

static void option_row(FILE *f, const cli_opt *o)
{
    fprintf(f, "| `--%s", o->name);
    if (o->arg) {
        fputc(' ', f);
        cell(f, o->arg);
    }
    fputs("` | ", f);
    cell(f, o->help);
    fprintf(f, " | %s%s%s | %s |\n", o->def && o->def[0] ? "`" : "", o->def ? o->def : "", o->def && o->def[0] ? "`" : "",
            o->kind == CLI_IDENTITY ? "identity" : "run");
}

void cli_markdown(FILE *f)
{
    fputs("<!-- SPDX-License-Identifier: Apache-2.0 -->\n<!-- Made by: colophon help --as markdown. Do not edit. -->\n"
          "# Commands\n\nOptions of kind *identity* are part of what an artefact is and move its digest; options of kind *run*\n"
          "never do.\n", f);
    for (size_t i = 0; i < cli_n_commands; i++) {
        const cli_command *k = cli_commands[i];
        fprintf(f, "\n## colophon %s\n\n%s.\n\n`colophon %s%s%s [options]`\n\n%s\n\n", k->name, k->summary, k->name,
                k->args[0] ? " " : "", k->args, k->about);
        fputs("| option | meaning | default | kind |\n|---|---|---|---|\n", f);
        for (const cli_opt *o = k->opts; o && o->name; o++) option_row(f, o);
        if (k->examples) fprintf(f, "\n```\n%s\n```\n", k->examples);
    }
    fputs("\n## Options of every command\n\n| option | meaning | default | kind |\n|---|---|---|---|\n", f);
    for (const cli_opt *o = cli_common_opts; o->name; o++) option_row(f, o);
}

void cli_option_list(FILE *f)
{
    for (size_t i = 0; i < cli_n_commands; i++)
        for (const cli_opt *o = cli_commands[i]->opts; o && o->name; o++)
            fprintf(f, "%s\t%s\t%s\t%s\n", cli_commands[i]->name, o->name, o->kind == CLI_IDENTITY ? "identity" : "run",
                    o->def ? o->def : "");
}
