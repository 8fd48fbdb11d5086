/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_build.c - from the collection to a sealed corpus for one purpose.
 */
#include <colophon/corpus/build.h>

#include <stdio.h>
#include <string.h>

#include "cli.h"

static cph_status read_policy(const cli *c, cph_policy *p, cph_err *err)
{
    const char *forum = cli_str(c, "forum");
    CPH_TRY(cli_need(c, "for", err));
    cph_purpose_parse(cph_str_of(cli_str(c, "for")), &p->purpose);
    cph_tier_parse(cph_str_of(cli_str(c, "tier")), &p->tier);
    cph_actor_parse(cph_str_of(cli_str(c, "actor")), &p->actor);
    cph_commercial_parse(cph_str_of(cli_str(c, "commercial")), &p->commercial);
    if (strlen(forum) != 2 || forum[0] < 'A' || forum[0] > 'Z' || forum[1] < 'A' || forum[1] > 'Z')
        return cph_fail(err, CPH_USAGE, "--forum %s: wants a country as two capital letters, such as NO",
                        forum);
    memcpy(p->forum, forum, 3);
    p->as_of = cli_today(c);
    if (cli_given(c, "as-of")) cph_day_parse(cph_str_of(cli_str(c, "as-of")), &p->as_of);
    if (cli_given(c, "release")) cph_day_parse(cph_str_of(cli_str(c, "release")), &p->release);
    if (cli_flag(c, "pd-assumed")) p->pd_assumed = (uint32_t)1 << p->purpose;
    if (!cli_given(c, "model-licence")) return CPH_OK;
    if (strlen(cli_str(c, "model-licence")) >= sizeof p->model_licence)
        return cph_fail(err, CPH_USAGE, "--model-licence: at most %zu characters",
                        sizeof p->model_licence - 1);
    memcpy(p->model_licence, cli_str(c, "model-licence"), strlen(cli_str(c, "model-licence")) + 1);
    return CPH_OK;
}

static cph_status read_opts(cli *c, cph_build_opts *o, cph_digest *snapshot, cph_err *err)
{
    cph_build_opts_init(o);
    o->collection = cli_arg(c, 0);
    o->dry_run = cli_flag(c, "dry-run");
    if (!o->dry_run) CPH_TRY(cli_need(c, "out", err));
    o->out = cli_str(c, "out");
    o->rulebase = cli_str(c, "rulebase");
    CPH_TRY(read_policy(c, &o->policy, err));
    cph_unit_parse(cph_str_of(cli_str(c, "unit")), &o->unit);
    cph_dedup_parse(cph_str_of(cli_str(c, "dedup-documents")), &o->documents);
    cph_dedup_parse(cph_str_of(cli_str(c, "dedup-paragraphs")), &o->paragraphs);
    uint64_t numbers[] = {cli_u64(c, "max-chars"), cli_u64(c, "paragraph-chars"),
                          cli_u64(c, "boilerplate-copies")};
    uint32_t *into[] = {&o->max_chars, &o->paragraph_chars, &o->boilerplate_copies};
    for (size_t i = 0; i < 3; i++) *into[i] = numbers[i] > UINT32_MAX ? UINT32_MAX : (uint32_t)numbers[i];
    o->normal.ligatures = !cli_flag(c, "keep-ligatures");
    o->normal.mojibake = !cli_flag(c, "keep-mojibake");
    o->normal.old_letters = cli_flag(c, "modern-letters");
    o->hyphen_equals = cli_flag(c, "hyphen-equals");
    o->heads = !cli_flag(c, "keep-heads");
    o->started_unix_s = cli_started(c);
    if (cli_given(c, "snapshot")) {
        if (!cph_digest_parse(cph_str_of(cli_str(c, "snapshot")), snapshot))
            return cph_fail(err, CPH_USAGE, "--snapshot wants the 64 digits of a digest");
        o->snapshot = snapshot;
    }
    return cli_pool(c, &o->pool, err);
}

/* ---- the answer ---- */

static void print_tally(cli *c, const cph_build_report *r)
{
    for (size_t i = 0; i < r->n_tally; i++) {
        const cph_build_tally *t = &r->tally[i];
        char works[32], documents[32], words[32];
        cph_format_count(t->works, works);
        cph_format_count(t->documents, documents);
        cph_format_count(t->words, words);
        cli_print(c, "  %-8s %-7.*s %7s %-5s %9s %-9s %13s %-5s  %.*s\n",
                  t->answer == CPH_ALLOW   ? "given"
                  : t->answer == CPH_HUMAN ? "ask"
                                           : "refused",
                  CPH_FMT(t->rule), works, t->works == 1 ? "work" : "works", documents,
                  t->documents == 1 ? "document" : "documents", words, t->words == 1 ? "word" : "words",
                  CPH_FMT(t->sentence));
    }
}

static void print_summary(cli *c, const cph_build_opts *o, const cph_build_report *r)
{
    char records[32], words[32], works[32], same[32], over[32], hex[CPH_HEX_DIGEST];
    char as_of[16], release[16] = "";
    cph_day_text(o->policy.as_of, as_of);
    if (o->policy.release) cph_day_text(o->policy.release, release);
    cph_digest_hex(&r->snapshot, hex);
    cli_print(c, "%s, asked for %s, snapshot %.16s\n", o->collection, cph_purpose_text(o->policy.purpose),
              hex);
    print_tally(c, r);
    if (r->works_refused)
        cli_print(c, "  why, for each work: colophon rights show %s --for %s --as-of %s%s%s --rulebase %s\n",
                  o->collection, cph_purpose_text(o->policy.purpose), as_of, release[0] ? " --release " : "",
                  release, o->rulebase);
    if (!r->written) return;
    uint64_t over_page = r->hyphens.pairs_cross_page + r->hyphens.signs_cross_page;
    cph_format_count(r->records, records);
    cph_format_count(r->words, words);
    cph_format_count(r->works, works);
    cph_format_count(r->hyphens.pairs_same_page + r->hyphens.signs_same_page + over_page, same);
    cph_format_count(over_page, over);
    cph_digest_hex(&r->digest, hex);
    cli_print(c, "%s: %s record%s, %s words of %s work%s; broken words joined: %s, over a page: %s\n", o->out,
              records, r->records == 1 ? "" : "s", words, works, r->works == 1 ? "" : "s", same, over);
    if (r->dropped_documents + r->dropped_paragraphs + r->empty_documents)
        cli_print(
            c, "left out: exact copies of documents %llu, of paragraphs %llu; documents without text %llu\n",
            (unsigned long long)r->dropped_documents, (unsigned long long)r->dropped_paragraphs,
            (unsigned long long)r->empty_documents);
    cli_print(c, "corpus %s\n", hex);
}

static void count(cph_jw *w, const char *name, uint64_t n)
{
    cph_jw_key(w, name);
    cph_jw_u64(w, n);
}

static void json_counts(cph_jw *w, const cph_build_report *r)
{
    const cph_balance *b = &r->balance;
    count(w, "records", r->records);
    count(w, "words", r->words);
    count(w, "characters", r->characters);
    count(w, "works", r->works);
    count(w, "works_refused", r->works_refused);
    count(w, "documents_dropped", r->dropped_documents);
    count(w, "paragraphs_dropped", r->dropped_paragraphs);
    count(w, "documents_empty", r->empty_documents);
    cph_jw_key(w, "balance");
    cph_jw_obj(w);
    count(w, "strings", b->strings);
    count(w, "out", b->out);
    count(w, "absorbed", b->absorbed);
    count(w, "dropped", b->dropped);
    count(w, "empty", b->empty);
    count(w, "joined", b->joined);
    cph_jw_end(w);
    cph_jw_key(w, "hyphens");
    cph_jw_obj(w);
#define PUT(name) count(w, #name, r->hyphens.name);
    CPH_HYPHEN_COUNT_MAP(PUT)
#undef PUT
    cph_jw_end(w);
}

static cph_status print_json(cli *c, const cph_build_report *r, cph_err *err)
{
    cph_buf b;
    char hex[CPH_HEX_DIGEST];
    cph_buf_init(&b, (size_t)1 << 20);
    cph_jw w = cph_jw_on(&b);
    cph_jw_obj(&w);
    cph_digest_hex(&r->snapshot, hex);
    cph_jw_key(&w, "snapshot");
    cph_jw_z(&w, hex);
    if (r->written) {
        cph_digest_hex(&r->digest, hex);
        cph_jw_key(&w, "digest");
        cph_jw_z(&w, hex);
        json_counts(&w, r);
    }
    cph_jw_key(&w, "tally");
    cph_jw_arr(&w);
    for (size_t i = 0; i < r->n_tally; i++) {
        const cph_build_tally *t = &r->tally[i];
        cph_jw_obj(&w);
        cph_jw_key(&w, "rule");
        cph_jw_str(&w, t->rule);
        cph_jw_key(&w, "decision");
        cph_jw_z(&w, t->answer == CPH_ALLOW ? "ALLOW" : t->answer == CPH_HUMAN ? "HUMAN" : "DENY");
        count(&w, "works", t->works);
        count(&w, "documents", t->documents);
        count(&w, "words", t->words);
        cph_jw_key(&w, "because");
        cph_jw_str(&w, t->sentence);
        cph_jw_end(&w);
    }
    cph_jw_end(&w);
    cph_jw_end(&w);
    cph_status s = cph_jw_done(&w, err);
    if (s == CPH_OK) s = cph_buf_char(&b, '\n', err);
    if (s == CPH_OK) cli_write(c, b.p, b.n);
    cph_buf_release(&b);
    return s;
}

static cph_status run(cli *c, cph_err *err)
{
    cph_build_opts o;
    cph_digest snapshot;
    cph_build_report r = {0};
    cph_arena a;
    CPH_TRY(read_opts(c, &o, &snapshot, err));
    cph_arena_init(&a, (size_t)256 << 20);
    cph_status s = cph_build_run(&o, &a, &r, err);
    if (s == CPH_OK || r.n_tally) {
        if (cli_json(c)) {
            cph_status printed = print_json(c, &r, s == CPH_OK ? err : NULL);
            if (s == CPH_OK) s = printed;
        } else {
            print_summary(c, &o, &r);
        }
    }
    cph_arena_release(&a);
    return s;
}

static const cli_opt opts[] = {
    {"for", CLI_CHOICE, CLI_IDENTITY,
     "ingest|ocr|search|snippet|display|features|train-research|train-internal|train-release-weights|publish-"
     "corpus|export",
     NULL,
     "the purpose that the corpus is for: what is not permitted for it stays out, and no reader opens it for "
     "another"},
    {"out", CLI_STR, CLI_RUN, "DIR", NULL, "where the corpus is sealed"},
    {"as-of", CLI_DATE, CLI_IDENTITY, "yyyy-mm-dd", NULL,
     "the date of the question; terms and windows are counted to it (default: today)"},
    {"release", CLI_DATE, CLI_IDENTITY, "yyyy-mm-dd", NULL,
     "when the model is to be released: the press agreement counts its window back from there (RR-163)"},
    {"forum", CLI_STR, CLI_IDENTITY, "CC", "NO", "the country in which the use takes place"},
    {"tier", CLI_CHOICE, CLI_IDENTITY, "public|national-ip|on-site|researcher|capsule|staff", "staff",
     "who gets to the texts"},
    {"actor", CLI_CHOICE, CLI_IDENTITY, "heritage|research|company|public-body|person", "heritage",
     "who uses them"},
    {"commercial", CLI_CHOICE, CLI_IDENTITY, "no|yes|unknown", "no", "whether the use is commercial"},
    {"model-licence", CLI_STR, CLI_IDENTITY, "ID", NULL, "the licence that released weights are to have"},
    {"pd-assumed", CLI_FLAG, CLI_IDENTITY, NULL, NULL,
     "accept works that are only assumed to be free of copyright (RR-142)"},
    {"rulebase", CLI_STR, CLI_IDENTITY, "sample|house|FILE", "house",
     "the rules that decide: the house's, a file's, or the sample's, which serve invented works only"},
    {"unit", CLI_CHOICE, CLI_IDENTITY, "auto|volume|chapter|article|page", "auto",
     "what becomes one document; auto: newspapers by article, all else by volume"},
    {"max-chars", CLI_U64, CLI_IDENTITY, "N", "1000000",
     "longer documents are cut at paragraph ends into #part1, #part2, ..."},
    {"dedup-documents", CLI_CHOICE, CLI_IDENTITY, "none|boilerplate|first|all", "first",
     "exact copies of documents: keep all, the first where there are many, the first, or none"},
    {"dedup-paragraphs", CLI_CHOICE, CLI_IDENTITY, "none|boilerplate|first|all", "boilerplate",
     "the same for paragraphs"},
    {"paragraph-chars", CLI_U64, CLI_IDENTITY, "N", "100", "shorter paragraphs are never compared"},
    {"boilerplate-copies", CLI_U64, CLI_IDENTITY, "N", "10", "so many copies make boilerplate"},
    {"keep-ligatures", CLI_FLAG, CLI_IDENTITY, NULL, NULL, "leave U+FB00..U+FB06 as they are"},
    {"keep-mojibake", CLI_FLAG, CLI_IDENTITY, NULL, NULL,
     "do not repair UTF-8 that was read as Latin-1 or Windows-1252"},
    {"modern-letters", CLI_FLAG, CLI_IDENTITY, NULL, NULL,
     "long s, r rotunda and vowels with e above become today's letters"},
    {"hyphen-equals", CLI_FLAG, CLI_IDENTITY, NULL, NULL,
     "= at a line's end is a hyphen, as some Fraktur OCR has it"},
    {"keep-heads", CLI_FLAG, CLI_IDENTITY, NULL, NULL,
     "do not look for running heads and page numbers by repetition"},
    {"snapshot", CLI_STR, CLI_IDENTITY, "DIGEST", NULL,
     "build from this snapshot (default: one is taken of what stands now)"},
    {"dry-run", CLI_FLAG, CLI_RUN, NULL, NULL, "decide and count; write nothing"},
    {0}};

const cli_command cmd_build = {
    .name = "build", .args = "COLLECTION", .min_args = 1, .max_args = 1,
    .summary = "seal a corpus of what may be used for a purpose",
    .about = "Asks the rule base for every object of the collection: may it be used for this purpose, by "
             "this actor, in this "
             "country, on this date? What is refused, or undetermined, stays out and is counted by rule.\n\n"
             "What is permitted becomes text: words broken by lines and pages are joined, running heads and "
             "page numbers "
             "dropped, exact copies found. The corpus is a directory of JSON lines in zstd frames, with a "
             "side-car that leads "
             "from each piece of text to its page and block, and colophon.json, which says what it is. The "
             "same snapshot and "
             "options give the same digest on every machine.\n\n"
             "Exit 3 when nothing is permitted; nothing is written then.",
    .examples = "colophon build demo/collection --for train-internal --rulebase sample --as-of 2026-11-23 "
                "--out demo/corpus\n"
                "colophon build books --for train-release-weights --release 2027-06-01 --dry-run  # what "
                "would be let in",
    .opts = opts,
    .run = run};
