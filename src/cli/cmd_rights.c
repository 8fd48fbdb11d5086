/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_rights.c - what may be done with a work, why, and what a person has to say about it:
 * rights show, explain, set, optout, import.
 * What must stay true: a no is exit 3 with rule id and reason; whatever is entered goes through
 * the same check as a file of statements.
 */
#include <stdio.h>
#include <string.h>

#include <colophon/collection/collection.h>
#include <colophon/rights/decide.h>

#include "cli.h"

#define ARENA_MAX ((size_t)256 << 20)

#define PURPOSES                                                                                   \
    "ingest|ocr|search|snippet|display|features|train-research|train-internal|"                   \
    "train-release-weights|publish-corpus|export"
#define OPT_FOR {"for", CLI_CHOICE, CLI_IDENTITY, PURPOSES, NULL, "the purpose that is asked about"}
/* clang-format off */
#define TIERS "public|national-ip|on-site|researcher|capsule|staff"
#define ACTORS "heritage|research|company|public-body|person"
#define OPTS_QUESTION                                                                                       \
    {"as-of", CLI_DATE, CLI_IDENTITY, "DATE", NULL, "the day of the question (today)"},                     \
    {"forum", CLI_STR, CLI_IDENTITY, "CC", "NO", "the country of use, ISO 3166-1"},                         \
    {"tier", CLI_CHOICE, CLI_IDENTITY, TIERS, "staff", "who may see it"},                                   \
    {"actor", CLI_CHOICE, CLI_IDENTITY, ACTORS, "heritage", "who does it"},                                 \
    {"commercial", CLI_CHOICE, CLI_IDENTITY, "yes|no|unknown", "no", "whether the use is commercial"},      \
    {"release", CLI_DATE, CLI_IDENTITY, "DATE", NULL,                                                       \
     "the day of the model's release: moving windows of agreements are measured on it (RR-163)"},           \
    {"model-licence", CLI_STR, CLI_IDENTITY, "NAME", NULL, "the licence of the weights to be released"},    \
    {"pd-assumed", CLI_LIST, CLI_IDENTITY, "PURPOSE", NULL,                                                 \
     "accept works that are only assumed to be free for this purpose, too (RR-142)"},                       \
    {"rulebase", CLI_STR, CLI_IDENTITY, "NAME", "house", "the rule base: house, sample, or a JSON file"}
/* clang-format on */

/* ---- the question ---- */

static bool day_option(const cli *c, const char *name, cph_day *out)
{
    return cli_given(c, name) && cph_day_parse(cph_str_of(cli_str(c, name)), out);
}

static cph_status country_option(const cli *c, char out[3], cph_err *err)
{
    const char *cc = cli_str(c, "forum");
    if (strlen(cc) != 2 || cc[0] < 'A' || cc[0] > 'Z' || cc[1] < 'A' || cc[1] > 'Z')
        return cph_fail(err, CPH_USAGE, "--forum %s: wants two capital letters, as in NO", cc);
    memcpy(out, cc, 3);
    return CPH_OK;
}

static cph_status policy_from(const cli *c, cph_policy *p, cph_err *err)
{
    const char *licence = cli_str(c, "model-licence");
    cph_policy_init(p);
    cph_purpose_parse(cph_str_of(cli_str(c, "for")), &p->purpose);
    cph_tier_parse(cph_str_of(cli_str(c, "tier")), &p->tier);
    cph_actor_parse(cph_str_of(cli_str(c, "actor")), &p->actor);
    cph_commercial_parse(cph_str_of(cli_str(c, "commercial")), &p->commercial);
    CPH_TRY(country_option(c, p->forum, err));
    p->as_of = cli_today(c);
    day_option(c, "as-of", &p->as_of);
    day_option(c, "release", &p->release);
    if (licence && strlen(licence) >= sizeof p->model_licence)
        return cph_fail(err, CPH_USAGE, "--model-licence: at most %zu letters", sizeof p->model_licence - 1);
    if (licence) memcpy(p->model_licence, licence, strlen(licence) + 1);
    for (size_t i = 0; i < cli_n_list(c, "pd-assumed"); i++) {
        cph_purpose accepted;
        if (!cph_purpose_parse(cph_str_of(cli_list(c, "pd-assumed", i)), &accepted))
            return cph_fail(err, CPH_USAGE, "--pd-assumed %s: there is no such purpose",
                            cli_list(c, "pd-assumed", i));
        p->pd_assumed |= 1u << accepted;
    }
    return CPH_OK;
}

typedef struct desk {
    cli *c;
    cph_collection *collection;
    cph_rulebase *rules;
    cph_arena a;
    cph_policy policy;
    bool asks; /* --for was given: decisions are wanted */
    bool first;
} desk;

static void desk_close(desk *d)
{
    cph_rulebase_close(d->rules);
    cph_collection_close(d->collection);
    cph_arena_release(&d->a);
}

static cph_status desk_open(desk *d, cli *c, cph_open_mode mode, cph_err *err)
{
    *d = (desk){.c = c, .first = true};
    cph_arena_init(&d->a, ARENA_MAX);
    return cph_collection_open(&d->collection, cli_arg(c, 0), mode, err);
}

/* With the rule base; RR-009: the sample's serves sample collections only. */
static cph_status desk_open_to_ask(desk *d, cli *c, cph_err *err)
{
    CPH_TRY(desk_open(d, c, CPH_OPEN_READ, err));
    d->asks = cli_given(c, "for");
    CPH_TRY(policy_from(c, &d->policy, err));
    CPH_TRY(cph_rulebase_open(&d->rules, cli_str(c, "rulebase"), err));
    if (!cph_rulebase_is_sample(d->rules) || cph_collection_is_sample(d->collection)) return CPH_OK;
    cph_fail(err, CPH_RIGHTS, "%s: the rule base \"sample\" serves a sample collection only (RR-009)",
             cli_arg(c, 0));
    return cph_hint(err, "use --rulebase house, or a rule base that your lawyer has confirmed");
}

static cph_status decide(desk *d, cph_str urn, cph_work *work, cph_decision *out, cph_err *err)
{
    const cph_json *view;
    cph_case k;
    CPH_TRY(cph_collection_work(d->collection, urn, &d->a, &view, err));
    CPH_TRY(cph_case_parse(&k, work, &d->a, view, err));
    return cph_decide(out, &d->a, &k, &d->policy, d->rules, err);
}

static const char *answer_word(cph_answer a)
{
    return a == CPH_ALLOW ? "ALLOW" : a == CPH_HUMAN ? "HUMAN" : "DENY";
}

static void status_words(const cph_term *t, char out[64])
{
    static const char *const names[] = {"UND", "IC", "PD", "PD-ASSUMED"};
    char day[16] = "";
    if (t->first_pd_day) cph_day_text(t->first_pd_day, day);
    if (t->status == CPH_TERM_UND) snprintf(out, 64, "UND(%s)", t->reason);
    else if (t->status == CPH_TERM_IC) snprintf(out, 64, "IC until %s%s", t->at_least ? ">=" : "", day);
    else snprintf(out, 64, "%s since %s", names[t->status], day);
}

/* ---- rights show ---- */

static void print_row_json(desk *d, const cph_work *w, const cph_decision *k, cph_jw *j)
{
    char status[64];
    (void)d;
    status_words(&k->term, status);
    cph_jw_obj(j);
    cph_jw_key(j, "urn");
    cph_jw_str(j, w->urn);
    cph_jw_key(j, "title");
    cph_jw_str(j, w->title);
    cph_jw_key(j, "status");
    cph_jw_z(j, status);
    cph_jw_key(j, "rule");
    cph_jw_z(j, k->term.rule);
    if (d->asks) {
        cph_jw_key(j, "decision");
        cph_jw_raw(j, k->record);
    }
    cph_jw_end(j);
}

static cph_status print_row(desk *d, const cph_work *w, const cph_decision *k, cph_err *err)
{
    char status[64];
    cph_buf b;
    if (!cli_json(d->c)) {
        status_words(&k->term, status);
        cli_print(d->c, "%.*s\t%.*s\t%s\t%s", CPH_FMT(w->urn), CPH_FMT(w->title), status, k->term.rule);
        if (d->asks)
            cli_print(d->c, "\t%s\t%.*s\t%s", answer_word(k->answer),
                      CPH_FMT(k->answer == CPH_ALLOW ? k->basis : cph_str_of(k->reason)), k->rule);
        cli_print(d->c, "\n");
        return CPH_OK;
    }
    cph_buf_init(&b, 1u << 20);
    cph_jw j = cph_jw_on(&b);
    print_row_json(d, w, k, &j);
    cph_status s = cph_jw_done(&j, err);
    if (s == CPH_OK) cli_print(d->c, d->first ? "[" : ",\n ");
    if (s == CPH_OK) cli_write(d->c, b.p, b.n);
    d->first = false;
    cph_buf_release(&b);
    return s;
}

static cph_status show_one(void *ctx, cph_str urn, cph_err *err)
{
    desk *d = ctx;
    cph_work w;
    cph_decision k;
    cph_str copy;
    cph_arena_reset(&d->a);
    CPH_TRY(cph_arena_str(&d->a, &copy, urn, err));
    CPH_TRY(decide(d, copy, &w, &k, err));
    return print_row(d, &w, &k, err);
}

static cph_status show_statement(void *ctx, const cph_statement_view *v, cph_err *err)
{
    desk *d = ctx;
    char hex[CPH_HEX_DIGEST];
    (void)err;
    cph_digest_hex(&v->digest, hex);
    cli_print(d->c, "\n%.*s %.*s\n  from    %.*s\n  digest  %s%s\n  ", CPH_FMT(v->kind), CPH_FMT(v->key),
              CPH_FMT(v->source), hex, v->replaced ? "  (replaced: not in force)" : "");
    cli_write(d->c, v->facts_json.p, v->facts_json.n);
    cli_print(d->c, "\n");
    return CPH_OK;
}

static cph_status show_work(desk *d, cph_str urn, cph_err *err)
{
    cph_work w;
    cph_decision k;
    CPH_TRY(decide(d, urn, &w, &k, err));
    if (cli_json(d->c)) {
        CPH_TRY(print_row(d, &w, &k, err));
        cli_print(d->c, "]\n");
        return CPH_OK;
    }
    /* Nobody asked for a purpose: only the status, which is the first line. */
    if (!d->asks) k.explain = cph_str_sub(k.explain, 0, cph_str_find(k.explain, '\n', 0));
    cli_print(d->c, "%.*s\n%.*s\n", CPH_FMT(w.title), CPH_FMT(k.explain));
    return cph_collection_statements(d->collection, urn, show_statement, d, err);
}

static cph_status run_show(cli *c, cph_err *err)
{
    desk d;
    cph_status s = desk_open_to_ask(&d, c, err);
    if (s == CPH_OK && cli_n_args(c) > 1) {
        s = show_work(&d, cph_str_of(cli_arg(c, 1)), err);
    } else if (s == CPH_OK) {
        if (!cli_json(c))
            cli_print(c, "urn\ttitle\tstatus\trule%s\n", d.asks ? "\tanswer\tbasis or reason\trule" : "");
        s = cph_collection_works(d.collection, show_one, &d, err);
        if (s == CPH_OK && cli_json(c)) cli_print(c, d.first ? "[]\n" : "]\n");
    }
    desk_close(&d);
    return s;
}

static const cli_opt show_opts[] = {OPT_FOR, OPTS_QUESTION, {0}};

const cli_command cmd_rights_show = {
    .name = "rights show",
    .args = "COLLECTION [URN]",
    .min_args = 1,
    .max_args = 2,
    .summary = "the works of a collection with their rights status",
    .about = "A line for each work, columns parted by tabs: urn, title, status, the rule of the status and, "
             "with --for, the "
             "answer, its basis or reason, and its rule.\n\n"
             "With a URN: the status in words, and every statement about the work with its source and "
             "digest. A statement "
             "that is wrong is not edited: a new one names its digest in \"replaces\".",
    .examples =
        "colophon rights show books\n"
        "colophon rights show books --for train-internal --as-of 2026-11-23  # what a build would be given\n"
        "colophon rights show books URN:NBN:no-nb_digibok_1  # what is said about one work, and by whom",
    .opts = show_opts,
    .run = run_show};

/* ---- rights explain ---- */

static cph_status explain(desk *d, cph_err *err)
{
    cph_work w;
    cph_decision k;
    CPH_TRY(decide(d, cph_str_of(cli_arg(d->c, 1)), &w, &k, err));
    if (cli_json(d->c)) {
        cli_write(d->c, k.record.p, k.record.n);
        cli_print(d->c, "\n");
    } else {
        cli_print(d->c, "%.*s\n%.*s\n", CPH_FMT(w.title), CPH_FMT(k.explain));
    }
    if (k.answer == CPH_ALLOW) return CPH_OK;
    cph_fail(err, CPH_RIGHTS, "%.*s: %s for %s: %s (%s)", CPH_FMT(w.urn),
             k.answer == CPH_HUMAN ? "left to a person" : "refused", cph_purpose_text(d->policy.purpose),
             k.reason, k.rule);
    if (k.answer == CPH_HUMAN)
        return cph_hint(err, "a person answers with: colophon rights set %s %.*s --decision ...",
                        cli_arg(d->c, 0), CPH_FMT(w.urn));
    return CPH_RIGHTS;
}

static cph_status run_explain(cli *c, cph_err *err)
{
    desk d;
    CPH_TRY(cli_need(c, "for", err));
    cph_status s = desk_open_to_ask(&d, c, err);
    if (s == CPH_OK) s = explain(&d, err);
    desk_close(&d);
    return s;
}

static const cli_opt explain_opts[] = {OPT_FOR, OPTS_QUESTION, {0}};

const cli_command cmd_rights_explain = {
    .name = "rights explain",
    .args = "COLLECTION URN",
    .min_args = 2,
    .max_args = 2,
    .summary = "why a work may or may not be used, in plain words with rule ids",
    .about = "Exit 0 when the answer is yes, 3 when it is no or left to a person. With --json the decision "
             "record, as it "
             "is sealed in a corpus.\n\nThe rules are listed in docs/rules.md.",
    .examples = "colophon rights explain books URN:NBN:no-nb_digibok_1 --for train-internal\n"
                "colophon rights explain books URN:NBN:no-nb_digibok_1 --for display --tier public --as-of "
                "2031-01-01",
    .opts = explain_opts,
    .run = run_explain};

/* ---- what a person says ---- */

static cph_status keep_evidence(desk *d, const char *opt, cph_json *facts, cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    cph_digest digest;
    if (!cli_given(d->c, opt)) return CPH_OK;
    CPH_TRY(cph_collection_add_evidence(d->collection, cli_str(d->c, opt), &digest, err));
    cph_digest_hex(&digest, hex);
    return cph_json_set_str(facts, &d->a, "evidence_sha256", cph_str_of(hex), err);
}

static cph_status set_list(desk *d, cph_json *facts, const char *key, const char *const *words, size_t n,
                           cph_err *err)
{
    cph_json *list, *v;
    CPH_TRY(cph_json_new(&list, &d->a, CPH_JSON_ARRAY, err));
    for (size_t i = 0; i < n; i++) {
        CPH_TRY(cph_json_new_str(&v, &d->a, cph_str_of(words[i]), err));
        CPH_TRY(cph_json_push(list, v, err));
    }
    return cph_json_set(facts, &d->a, key, list, err);
}

/* --for may be given many times here. */
static cph_status set_purposes(desk *d, cph_json *facts, cph_err *err)
{
    const char *words[CPH_N_PURPOSES + 2];
    size_t n = cli_n_list(d->c, "for");
    if (n == 0) return CPH_OK;
    if (n > sizeof words / sizeof words[0])
        return cph_fail(err, CPH_USAGE, "--for: there are only %d purposes", CPH_N_PURPOSES);
    for (size_t i = 0; i < n; i++) words[i] = cli_list(d->c, "for", i);
    return set_list(d, facts, "purposes", words, n, err);
}

static cph_status state(desk *d, const char *kind, const char *by, const cph_json *facts, cph_err *err)
{
    const cph_json *known;
    cph_str urn = cph_str_of(cli_arg(d->c, 1)), source;
    cph_buf b;
    CPH_TRY(cph_collection_work(d->collection, urn, &d->a, &known,
                                err)); /* nobody means a work that is not there */
    CPH_TRY(cph_arena_printf(&d->a, &source, err, "officer:%s", by));
    cph_buf_init(&b, 1u << 20);
    cph_status s = cph_json_canonical(&b, facts, err);
    if (s == CPH_OK) s = cph_collection_add_fact(d->collection, kind, urn, source, cph_buf_view(&b), err);
    if (s == CPH_OK && cli_json(d->c)) cli_print(d->c, "%.*s\n", CPH_FMT(cph_buf_view(&b)));
    cph_buf_release(&b);
    return s == CPH_DATA ? cph_err_prefix(err, "%s", kind) : s;
}

static cph_status set_texts(desk *d, cph_json *facts, cph_err *err)
{
    static const char *const names[] = {"by", "on", "reason", "basis", NULL};
    cph_str answer =
        cph_str_is(cph_str_of(cli_str(d->c, "decision")), "allow") ? CPH_STR("ALLOW") : CPH_STR("DENY");
    CPH_TRY(cph_json_set_str(facts, &d->a, "work", cph_str_of(cli_arg(d->c, 1)), err));
    CPH_TRY(cph_json_set_str(facts, &d->a, "decision", answer, err));
    for (size_t i = 0; names[i]; i++)
        if (cli_given(d->c, names[i]))
            CPH_TRY(cph_json_set_str(facts, &d->a, names[i], cph_str_of(cli_str(d->c, names[i])), err));
    return CPH_OK;
}

static cph_status set(desk *d, cph_err *err)
{
    cph_json *facts;
    char forum[3];
    const char *country = forum;
    CPH_TRY(country_option(d->c, forum, err));
    CPH_TRY(cph_json_new(&facts, &d->a, CPH_JSON_OBJECT, err));
    CPH_TRY(set_texts(d, facts, err));
    CPH_TRY(set_purposes(d, facts, err));
    CPH_TRY(set_list(d, facts, "countries", &country, 1, err));
    CPH_TRY(keep_evidence(d, "evidence", facts, err));
    CPH_TRY(state(d, "determination", cli_str(d->c, "by"), facts, err));
    if (!cli_json(d->c))
        cli_print(d->c, "%s: %s, by %s\n", cli_arg(d->c, 1), cli_str(d->c, "decision"), cli_str(d->c, "by"));
    return CPH_OK;
}

static cph_status run_set(cli *c, cph_err *err)
{
    static const char *const needed[] = {"decision", "for", "by", "on", "reason", NULL};
    desk d;
    for (size_t i = 0; needed[i]; i++) CPH_TRY(cli_need(c, needed[i], err));
    if (strcmp(cli_str(c, "decision"), "allow") == 0) CPH_TRY(cli_need(c, "basis", err));
    cph_status s = desk_open(&d, c, CPH_OPEN_WRITE, err);
    if (s == CPH_OK) s = set(&d, err);
    desk_close(&d);
    return s;
}

static const cli_opt set_opts[] = {
    {"decision", CLI_CHOICE, CLI_IDENTITY, "allow|deny", NULL, "the answer"},
    {"for", CLI_LIST, CLI_IDENTITY, "PURPOSE", NULL, "the purpose that is answered; many times for many"},
    {"basis", CLI_STR, CLI_IDENTITY, "BASIS", NULL,
     "what the yes rests on: CONSENT, LIC-CONTRACT(id), PD ..."},
    {"by", CLI_STR, CLI_RUN, "NAME", NULL, "who answers; kept in the catalogue, in no snapshot"},
    {"on", CLI_DATE, CLI_IDENTITY, "DATE", NULL, "the day of the answer"},
    {"reason", CLI_STR, CLI_IDENTITY, "TEXT", NULL, "why, in a sentence"},
    {"forum", CLI_STR, CLI_IDENTITY, "CC", "NO", "the country that the answer is for"},
    {"evidence", CLI_STR, CLI_IDENTITY, "FILE", NULL,
     "the letter or contract; a copy is kept in the collection"},
    {0}};

const cli_command cmd_rights_set = {
    .name = "rights set",
    .args = "COLLECTION URN",
    .min_args = 2,
    .max_args = 2,
    .summary = "a person's answer for a work and a purpose",
    .about = "Stores a determination with its author, day, reason and evidence. It answers what the rules "
             "leave to a person; "
             "it never changes a rule. A no is a block; a later letter of the rightsholder outweighs an "
             "earlier yes (RR-186).\n\n"
             "The answer is logged: who by salted hash, what by digest.",
    .examples = "colophon rights set books URN:NBN:no-nb_digibok_1 --decision allow --for train-internal \\\n"
                "    --basis CONSENT --by 'Kari Nordmann' --on 2026-11-20 \\\n"
                "    --reason 'Letter of the heirs' --evidence letter.pdf",
    .opts = set_opts,
    .run = run_set};

/* ---- rights optout ---- */

static cph_status optout(desk *d, cph_err *err)
{
    cph_json *facts;
    const char *value = cli_flag(d->c, "withdraw") ? "withdrawn" : "reserved";
    CPH_TRY(cph_json_new(&facts, &d->a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set_str(facts, &d->a, "signal", CPH_STR("rightsholder_letter"), err));
    CPH_TRY(cph_json_set_str(facts, &d->a, "scope", CPH_STR("work"), err));
    CPH_TRY(cph_json_set_str(facts, &d->a, "work", cph_str_of(cli_arg(d->c, 1)), err));
    CPH_TRY(cph_json_set_str(facts, &d->a, "value", cph_str_of(value), err));
    CPH_TRY(cph_json_set_str(facts, &d->a, "seen_at", cph_str_of(cli_str(d->c, "from")), err));
    CPH_TRY(set_purposes(d, facts, err));
    CPH_TRY(keep_evidence(d, "letter", facts, err));
    CPH_TRY(state(d, "signal", cli_str(d->c, "by"), facts, err));
    if (!cli_json(d->c))
        cli_print(d->c, "%s: %s from %s on\n", cli_arg(d->c, 1), value, cli_str(d->c, "from"));
    return CPH_OK;
}

static cph_status run_optout(cli *c, cph_err *err)
{
    desk d;
    CPH_TRY(cli_need(c, "from", err));
    CPH_TRY(cli_need(c, "letter", err));
    cph_status s = desk_open(&d, c, CPH_OPEN_WRITE, err);
    if (s == CPH_OK) s = optout(&d, err);
    desk_close(&d);
    return s;
}

static const cli_opt optout_opts[] = {
    {"from", CLI_DATE, CLI_IDENTITY, "DATE", NULL, "the day of the letter"},
    {"letter", CLI_STR, CLI_IDENTITY, "FILE", NULL, "the letter; a copy is kept in the collection"},
    {"for", CLI_LIST, CLI_IDENTITY, "PURPOSE", NULL,
     "reserve this purpose only; many times for many (default: features and all training)"},
    {"withdraw", CLI_FLAG, CLI_IDENTITY, NULL, NULL, "the letter takes an earlier reservation back"},
    {"by", CLI_STR, CLI_RUN, "NAME", "rights desk", "who enters it"},
    {0}};

const cli_command cmd_rights_optout = {
    .name = "rights optout",
    .args = "COLLECTION URN",
    .min_args = 2,
    .max_args = 2,
    .summary = "a rightsholder reserves a work",
    .about = "From the day of the letter on, the work is refused for features and training as long as it is "
             "or may be in "
             "copyright (RR-186), whatever an agreement says; only a later consent or contract of the "
             "rightsholder, or a letter "
             "that withdraws this one, says otherwise. Works in the public domain are not bound.",
    .examples = "colophon rights optout books URN:NBN:no-nb_digibok_1 --from 2026-11-01 --letter letter.pdf",
    .opts = optout_opts,
    .run = run_optout};

/* ---- rights import ---- */

static cph_status run_import(cli *c, cph_err *err)
{
    desk d;
    cph_import_counts n;
    cph_status s = desk_open(&d, c, CPH_OPEN_WRITE, err);
    if (s == CPH_OK && cli_given(c, "by")) cph_collection_set_actor(d.collection, cli_str(c, "by"));
    if (s == CPH_OK) s = cph_collection_import(d.collection, cli_arg(c, 1), cli_str(c, "evidence"), &n, err);
    if (s == CPH_OK && cli_json(c))
        cli_print(c, "{\"evidence\":%llu,\"statements\":%llu}\n", (unsigned long long)n.n_evidence,
                  (unsigned long long)n.n_statements);
    else if (s == CPH_OK)
        cli_print(c, "%llu statements, %llu files of evidence kept\n", (unsigned long long)n.n_statements,
                  (unsigned long long)n.n_evidence);
    desk_close(&d);
    return s;
}

static const cli_opt import_opts[] = {
    {"evidence", CLI_STR, CLI_RUN, "DIR", NULL,
     "letters and contracts that the statements name by evidence_sha256: those are kept"},
    {"by", CLI_STR, CLI_RUN, "NAME", NULL, "who imports, for the event log (as a salted hash)"},
    {0}};

const cli_command cmd_rights_import = {
    .name = "rights import",
    .args = "COLLECTION FILE",
    .min_args = 2,
    .max_args = 2,
    .summary = "works, licences, letters, blocks and answers from a file",
    .about =
        "FILE holds one JSON object a line, each with its \"kind\": work, edition, licence, signal, block, "
        "determination or version. The whole file is imported or, at the first fault, nothing of it; the "
        "fault is "
        "named with file and line. Importing a file twice changes nothing.",
    .examples = "colophon rights import books rights.jsonl --evidence letters",
    .opts = import_opts,
    .run = run_import};
