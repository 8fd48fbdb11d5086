/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_ingest.c - sources in, a summary out.
 */
#include <colophon/ingest/ingest.h>

#include <limits.h>
#include <string.h>

#include "cli.h"

static const char *const checksum_words[] = {"warn", "fail", "off"};

static cph_checksums checksums_of(const char *word)
{
    unsigned i = 0;
    while (i < 2 && strcmp(word, checksum_words[i]) != 0) i++;
    return (cph_checksums)i;
}

static void print_found(void *ctx, const cph_ingest_found *f)
{
    cli *c = ctx;
    if (cli_json(c)) return;
    cli_print(c, "%-12s %.*s", f->profile, CPH_FMT(f->path));
    if (f->n_files > 1) cli_print(c, " (%llu files)", (unsigned long long)f->n_files);
    cli_print(c, "\n");
}

static void number(cph_jw *w, const char *key, uint64_t v)
{
    cph_jw_key(w, key);
    cph_jw_u64(w, v);
}

static cph_status as_json(cli *c, const cph_ingest_report *r, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, (size_t)1 << 20);
    cph_jw w = cph_jw_on(&b);
    cph_jw_obj(&w);
    number(&w, "found", r->found);
    number(&w, "added", r->added);
    number(&w, "known", r->known);
    number(&w, "refused", r->refused);
    number(&w, "pages", r->pages);
    number(&w, "pages_without_text", r->pages_without_text);
    number(&w, "words", r->words);
    number(&w, "xml_bytes", r->xml_bytes);
    number(&w, "facts", r->facts);
    number(&w, "problems", r->problems);
    cph_jw_key(&w, "problems_by_rule");
    cph_jw_obj(&w);
    for (size_t i = 0; i < r->n_rules; i++) number(&w, r->rules[i].rule, r->rules[i].n);
    cph_jw_end(&w);
    cph_jw_end(&w);
    cph_status s = cph_jw_done(&w, err);
    if (s == CPH_OK) cli_print(c, "%s\n", b.p);
    cph_buf_release(&b);
    return s;
}

static void count(cli *c, uint64_t n, const char *one, const char *many)
{
    cli_print(c, "%llu %s", (unsigned long long)n, n == 1 ? one : many);
}

static void as_prose(cli *c, const cph_ingest_report *r)
{
    count(c, r->added, "object added", "objects added");
    if (r->known) cli_print(c, ", %llu in already", (unsigned long long)r->known);
    if (r->refused) cli_print(c, ", %llu not put in", (unsigned long long)r->refused);
    cli_print(c, ": ");
    count(c, r->pages, "page", "pages");
    if (r->pages_without_text)
        cli_print(c, " (%llu without text)", (unsigned long long)r->pages_without_text);
    cli_print(c, ", ");
    count(c, r->words, "word", "words");
    cli_print(c, ", ");
    count(c, r->facts, "statement about a work", "statements about works");
    cli_print(c, "\n");
    if (!r->problems) return;
    count(c, r->problems, "problem", "problems");
    cli_print(c, ":");
    for (size_t i = 0; i < r->n_rules; i++)
        cli_print(c, "%s %s %llu", i ? "," : "", r->rules[i].rule, (unsigned long long)r->rules[i].n);
    cli_print(c, "\n");
}

static void keys_of(const cli *c, cph_ingest_opts *o)
{
    o->text_key = cph_str_of(cli_str(c, "text-key"));
    o->id_key = cph_str_of(cli_str(c, "id-key"));
    o->urn_key = cph_str_of(cli_str(c, "urn-key"));
    o->title_key = cph_str_of(cli_str(c, "title-key"));
    o->date_key = cph_str_of(cli_str(c, "date-key"));
    o->lang_key = cph_str_of(cli_str(c, "lang-key"));
}

static cph_status open_collection(cli *c, cph_collection **into, cph_err *err)
{
    CPH_TRY(cph_collection_open(into, cli_str(c, "into"), CPH_OPEN_CREATE, err));
    if (!cli_flag(c, "sample")) return CPH_OK;
    cph_status s = cph_collection_mark_sample(*into, err);
    if (s == CPH_OK) return CPH_OK;
    cph_collection_close(*into);
    *into = NULL;
    return s;
}

static cph_status run(cli *c, cph_err *err)
{
    cph_collection *into = NULL;
    cph_ingest_opts o;
    cph_ingest_report r;
    void *sources;
    cph_arena a;
    cph_ingest_opts_init(&o);
    o.checksums = checksums_of(cli_str(c, "checksums"));
    o.no_copy = cli_flag(c, "no-copy");
    o.dry_run = cli_flag(c, "dry-run");
    o.threads = cli_threads(c);
    o.max_file_bytes = cli_u64(c, "max-file");
    o.max_pages = cli_u64(c, "max-pages") > UINT32_MAX ? UINT32_MAX : (uint32_t)cli_u64(c, "max-pages");
    keys_of(c, &o);
    if (o.dry_run) {
        o.found = print_found;
        o.ctx = c;
    } else {
        CPH_TRY(cli_need(c, "into", err));
    }
    cph_arena_init(&a, 0);
    size_t n = cli_n_args(c);
    cph_status s = cph_arena_alloc(&a, &sources, n * sizeof(char *), err);
    const char **list = sources;
    for (size_t i = 0; s == CPH_OK && i < n; i++) list[i] = cli_arg(c, i);
    if (s == CPH_OK) s = cph_ingest_check(list, n, err); /* no collection is made for nothing */
    if (s == CPH_OK && !o.dry_run) s = open_collection(c, &into, err);
    if (s == CPH_OK) s = cph_ingest_run(list, n, into, &o, &r, err);
    cph_arena_release(&a);
    cph_collection_close(into);
    if (s != CPH_OK) return s;
    if (cli_json(c)) return as_json(c, &r, err);
    if (o.dry_run) count(c, r.found, "object would be read\n", "objects would be read\n");
    else as_prose(c, &r);
    if (!r.found && !r.facts) {
        cph_fail(err, CPH_NO, "nothing to ingest was found in %s%s", cli_arg(c, 0),
                 n > 1 ? " and the other sources" : "");
        return cph_hint(
            err, "a METS file, ALTO files, .txt or .jsonl files are looked for; formats are told by content");
    }
    return CPH_OK;
}

static const cli_opt opts[] = {
    {"into", CLI_STR, CLI_RUN, "COLLECTION", NULL, "the collection's directory; made when it is not there"},
    {"sample", CLI_FLAG, CLI_IDENTITY, NULL, NULL,
     "mark the collection as one of invented works, for which the sample rule base may decide; it stays so"},
    {"checksums", CLI_CHOICE, CLI_IDENTITY, "warn|fail|off", "warn",
     "what a checksum in a METS that does not match is worth: a problem, a refused object, or nothing"},
    {"no-copy", CLI_FLAG, CLI_RUN, NULL, NULL, "keep source files where they lie, by path, size and digest"},
    {"dry-run", CLI_FLAG, CLI_RUN, NULL, NULL, "list the objects that would be read and write nothing"},
    {"max-file", CLI_BYTES, CLI_IDENTITY, "BYTES", "2GiB", "larger files are a problem and are not read"},
    {"max-pages", CLI_U64, CLI_IDENTITY, "N", "100000", "objects of more pages are not put in"},
    {"text-key", CLI_STR, CLI_IDENTITY, "PATH", "text", "where a JSON record has its text; a dotted path"},
    {"id-key", CLI_STR, CLI_IDENTITY, "PATH", "id", "where it has its id"},
    {"urn-key", CLI_STR, CLI_IDENTITY, "PATH", "urn",
     "where it names its work; an id that starts with URN: serves too"},
    {"title-key", CLI_STR, CLI_IDENTITY, "PATH", "title", "where it has its title"},
    {"date-key", CLI_STR, CLI_IDENTITY, "PATH", "date", "where it has its date"},
    {"lang-key", CLI_STR, CLI_IDENTITY, "PATH", "lang", "where it has its language"},
    {0}};

const cli_command cmd_ingest = {
    .name = "ingest",
    .args = "SOURCE...",
    .min_args = 1,
    .max_args = UINT_MAX,
    .summary = "read scans and texts into a collection",
    .about = "Walks the sources, which are files or directories, and reads every object it finds: METS files "
             "with their ALTO pages, folders of ALTO without a METS, plain texts, and records of JSON lines. "
             "Formats are told by content. What the catalogue says of a work (MODS, works.jsonl) goes in as "
             "statements with their source.\n\n"
             "An object is in whole or not at all. One that is in already costs its checksums only, so a run "
             "that was stopped or killed is resumed by running it again. A broken page or file is recorded as "
             "a problem, with its place and a rule id, and does not stop the run.",
    .examples = "colophon ingest /scans/2026 --into library  # all objects below the directory\n"
                "colophon ingest sample/collection --into demo/collection --sample\n"
                "colophon ingest book-mets.xml --into library --checksums fail\n"
                "colophon ingest /scans/2026 --dry-run  # what would be read",
    .opts = opts,
    .run = run};
