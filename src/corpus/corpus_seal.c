/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus_seal.c - what a corpus is: every resolved option that can change its
 * content, what it was made from, roots, counts, tally; then the documents for
 * people, and the manifest over all of it (artefacts 1).
 */
#include <colophon/text/unicode.h>

#include <stdio.h>

#include "build_in.h"

static const char *unit_text(cph_unit u)
{
    static const char *const names[] = {
#define UNIT_NAME(name, text) text,
        CPH_UNIT_MAP(UNIT_NAME)
#undef UNIT_NAME
    };
    return names[u];
}

static const char *dedup_text(cph_dedup d)
{
    static const char *const names[] = {
#define DEDUP_NAME(name, text) text,
        CPH_DEDUP_MAP(DEDUP_NAME)
#undef DEDUP_NAME
    };
    return names[d];
}

static cph_status option(building *b, const char *name, const char *value, cph_err *err)
{
    return cph_identity_option(b->identity, b->a, name, cph_str_of(value), err);
}

static cph_status number(building *b, const char *name, uint64_t value, cph_err *err)
{
    char z[24];
    snprintf(z, sizeof z, "%llu", (unsigned long long)value);
    return option(b, name, z, err);
}

static cph_status put_options(building *b, cph_err *err)
{
    const cph_build_opts *o = b->o;
    cph_buf steps;
    cph_buf_init(&steps, 4096);
    cph_status s = cph_normalise_list(&steps, &o->normal, err);
    if (s == CPH_OK) s = cph_identity_option(b->identity, b->a, "normalise", cph_buf_view(&steps), err);
    cph_buf_release(&steps);
    CPH_TRY(s);
    CPH_TRY(option(b, "unit", unit_text(o->unit), err));
    CPH_TRY(number(b, "max-chars", o->max_chars, err));
    CPH_TRY(option(b, "dedup-documents", dedup_text(o->documents), err));
    CPH_TRY(option(b, "dedup-paragraphs", dedup_text(o->paragraphs), err));
    CPH_TRY(number(b, "paragraph-chars", o->paragraph_chars, err));
    CPH_TRY(number(b, "boilerplate-copies", o->boilerplate_copies, err));
    CPH_TRY(option(b, "hyphen-equals", o->hyphen_equals ? "yes" : "no", err));
    CPH_TRY(option(b, "heads", o->heads ? "yes" : "no", err));
    return option(b, "rulebase", cph_rulebase_name(cph_gate_rulebase(b->gate)), err);
}

cph_status cph_build_identity(building *b, cph_err *err)
{
    char day[16], hex[CPH_HEX_DIGEST];
    cph_json *policy;
    cph_buf text;
    cph_digest rules = cph_rulebase_digest(cph_gate_rulebase(b->gate));
    CPH_TRY(cph_identity_new(&b->identity, b->a, err));
    CPH_TRY(cph_identity_parent(b->identity, b->a, "collection", "snapshot", &b->r.snapshot, err));
    CPH_TRY(put_options(b, err));
    cph_day_text(b->o->policy.as_of, day);
    CPH_TRY(cph_identity_text(b->identity, b->a, "as_of", cph_str_of(day), err));
    CPH_TRY(cph_policy_json(&policy, b->a, &b->o->policy, err));
    CPH_TRY(cph_json_set(b->identity, b->a, "policy", policy, err));
    CPH_TRY(cph_identity_version(b->identity, b->a, "unicode", CPH_STR(CPH_UNICODE_VERSION), err));
    cph_digest_hex(&rules, hex);
    CPH_TRY(cph_identity_version(b->identity, b->a, "rulebase", cph_str_of(hex), err));
    cph_digest_hex(&b->lexicon_digest, hex);
    CPH_TRY(cph_identity_version(b->identity, b->a, "lexicon", cph_str_of(hex), err));
    /* The side-car's "options": what this document's making depended on, before anything was counted. */
    cph_buf_init(&text, (size_t)1 << 20);
    cph_status s = cph_json_canonical(&text, b->identity, err);
    cph_digest d = cph_sha256_of(text.p, text.n);
    cph_digest_hex(&d, b->options);
    cph_buf_release(&text);
    return s;
}

static cph_status count(building *b, const char *name, uint64_t n, cph_err *err)
{
    return cph_identity_count(b->identity, b->a, name, n, err);
}

static cph_status put_counts(building *b, cph_err *err)
{
    const cph_build_report *r = &b->r;
    const struct {
        const char *name;
        uint64_t n;
    } counts[] = {{"records", r->records},
                  {"documents", b->n_documents},
                  {"words", r->words},
                  {"characters", r->characters},
                  {"works", r->works},
                  {"works_refused", r->works_refused},
                  {"documents_refused", r->documents_refused},
                  {"words_refused", r->words_refused},
                  {"documents_dropped", r->dropped_documents},
                  {"paragraphs_dropped", r->dropped_paragraphs},
                  {"documents_empty", r->empty_documents},
                  {"strings", r->balance.strings},
                  {"strings_out", r->balance.out},
                  {"strings_absorbed", r->balance.absorbed},
                  {"strings_dropped", r->balance.dropped},
                  {"strings_empty", r->balance.empty},
                  {"tokens_joined", r->balance.joined}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        CPH_TRY(count(b, counts[i].name, counts[i].n, err));
#define HYPHEN(name) CPH_TRY(count(b, "hyphen_" #name, r->hyphens.name, err));
    CPH_HYPHEN_COUNT_MAP(HYPHEN)
#undef HYPHEN
    return CPH_OK;
}

static cph_status put_roots(building *b, cph_err *err)
{
    static const char *const names[] = {"records", "prov", "set", "dropped"};
    const cph_merkle *trees[] = {&b->records, &b->provs, &b->set, &b->dropped};
    for (size_t i = 0; i < 4; i++) {
        cph_digest root = cph_merkle_root(trees[i]);
        CPH_TRY(cph_identity_tree(b->identity, b->a, names[i], &root, trees[i]->n, err));
    }
    return CPH_OK;
}

static cph_status put_tally(building *b, cph_err *err)
{
    for (size_t i = 0; i < b->r.n_tally; i++) {
        const cph_build_tally *t = &b->r.tally[i];
        cph_tally_row row = {.rule = t->rule,
                             .decision = cph_str_of(cph_answer_word(t->answer)),
                             .works = t->works,
                             .documents = t->documents,
                             .words = t->words};
        CPH_TRY(cph_identity_tally(b->identity, b->a, &row, err));
    }
    return CPH_OK;
}

static cph_status put_documents(building *b, cph_err *err)
{
    char path[CPH_PATH_MAX];
    const cph_rulebase *rules = cph_gate_rulebase(b->gate);
    cph_stats_sort(&b->stats);
    CPH_TRY(cph_path_join(path, b->dir.path, "stats.csv", err));
    CPH_TRY(cph_stats_write(&b->stats, path, err));
    CPH_TRY(cph_path_join(path, b->dir.path, "README.md", err));
    CPH_TRY(cph_datasheet_write(path, b->o, &b->r, &b->stats, rules, err));
    CPH_TRY(cph_path_join(path, b->dir.path, "report.html", err));
    CPH_TRY(cph_html_report_write(path, b->o, &b->r, &b->stats, rules, err));
    CPH_TRY(cph_path_join(path, b->dir.path, "decisions.jsonl.zst", err));
    return cph_gate_write(b->gate, path, err);
}

cph_status cph_build_seal(building *b, cph_err *err)
{
    static const char *const private_files[] = {"decisions.jsonl.zst", "dropped.jsonl.zst", NULL};
    cph_json *run;
    CPH_TRY(put_documents(b, err));
    CPH_TRY(put_counts(b, err));
    CPH_TRY(put_roots(b, err));
    CPH_TRY(put_tally(b, err));
    CPH_TRY(cph_run_new(&run, b->a, b->o->started_unix_s, err));
    CPH_TRY(cph_run_path(run, b->a, "collection", cph_str_of(b->o->collection), err));
    CPH_TRY(cph_remove_tree(b->work, err));
    cph_seal what = {.kind = "corpus", .identity = b->identity, .run = run, .private_files = private_files};
    CPH_TRY(cph_seal_write(b->dir.path, b->a, &what, &b->r.digest, err));
    return cph_outdir_commit(&b->dir, err);
}
