/* SPDX-License-Identifier: Apache-2.0 */
/*
 * card.c - README.md of a model: the card that Hugging Face shows.
 *
 * It says what the manifest says, in words, and nothing that nobody checked: no licence
 * is claimed that the policy did not state.
 */
#include "train_in.h"

#include <colophon/rights/decide.h>

#include <stdio.h>

#define CARD_MAX ((size_t)1 << 20)

/* A name in Markdown's table or text: what would mark something up is left as a blank. */
static cph_status plain(cph_buf *b, cph_str s, cph_err *err)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool marks =
            c == '|' || c == '`' || c == '<' || c == '>' || c == '[' || c == ']' || c == '\n' || c == '*';
        CPH_TRY(cph_buf_char(b, marks ? ' ' : c, err));
    }
    return CPH_OK;
}

static cph_status count(cph_buf *b, uint64_t n, cph_err *err)
{
    char z[32];
    return cph_buf_add(b, z, cph_format_count(n, z), err);
}

static const cph_json *identity_of(const cph_trainer *t)
{
    return cph_manifest_identity(cph_tokens_manifest(t->tokens));
}

bool cph_train_is_sample(const cph_trainer *t)
{
    return cph_str_is(cph_json_get_str(cph_json_get(identity_of(t), "options"), "rulebase"), "sample");
}

cph_told_row cph_told_row_of(const cph_json *row)
{
    static const char *const counts[] = {"works", "documents", "words"};
    static const char *const words[] = {"refused", "left to a person", "given"};
    cph_str d = cph_json_get_str(row, "decision");
    cph_answer answer = cph_str_is(d, "ALLOW") ? CPH_ALLOW : cph_str_is(d, "HUMAN") ? CPH_HUMAN : CPH_DENY;
    cph_told_row r = {.rule = cph_json_get_str(row, "rule"), .decision = words[answer]};
    r.why = cph_rule_sentence(r.rule, answer);
    for (int i = 0; i < 3; i++) (void)cph_json_u64(cph_json_get(row, counts[i]), &r.counts[i]);
    return r;
}

/* ---- what Hugging Face reads ---- */

/* Its names are lower case; a licence that it does not list is "other" with a name. */
static cph_status licence(cph_buf *b, const cph_trainer *t, cph_err *err)
{
    cph_str name = cph_json_get_str(cph_json_get(identity_of(t), "policy"), "model_licence");
    CPH_TRY(cph_buf_z(b, "license: other\nlicense_name: ", err));
    if (!name.n) CPH_TRY(cph_buf_z(b, "none-stated", err));
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool upper = c >= 'A' && c <= 'Z';
        bool keeps = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.';
        CPH_TRY(cph_buf_char(b, upper ? (char)(c - 'A' + 'a') : keeps ? c : '-', err));
    }
    return cph_buf_z(b, "\nlicense_link: README.md\n", err);
}

static bool is_language(cph_str s)
{
    bool ok = s.n >= 2 && s.n <= 11 && !cph_str_is(s, "und");
    for (size_t i = 0; i < s.n; i++) ok &= (s.p[i] >= 'a' && s.p[i] <= 'z') || (i && s.p[i] == '-');
    return ok;
}

/* Languages in quotes: YAML takes a bare "no" for false. */
static cph_status front(cph_buf *b, const cph_trainer *t, cph_err *err)
{
    const cph_json *languages = cph_json_get(identity_of(t), "languages");
    bool any = false;
    CPH_TRY(cph_buf_z(b, "---\n", err));
    CPH_TRY(licence(b, t, err));
    for (const cph_json *v = languages ? languages->first : NULL; v; v = v->next) {
        if (!is_language(v->str)) continue;
        CPH_TRY(cph_buf_printf(b, err, "%s- \"%.*s\"\n", any ? "" : "language:\n", CPH_FMT(v->str)));
        any = true;
    }
    return cph_buf_printf(b, err, "library_name: transformers\npipeline_tag: text-generation\ntags:\n- "
                                  "%s\n- colophon\n---\n\n",
                          cph_model_family(t->model));
}

/* ---- what people read ---- */

static cph_status opening(cph_buf *b, const cph_trainer *t, const cph_digest *name, cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(name, hex);
    CPH_TRY(cph_buf_z(b, "# ", err));
    CPH_TRY(plain(b, cph_path_base(cph_str_of(t->o.out)), err));
    CPH_TRY(cph_buf_printf(b, err,
                           "\n\nA %s language model of a library's texts, trained with Colophon. Which "
                           "works it "
                           "read, and under\nwhich right, is sealed in `colophon.json`.\n\n",
                           cph_model_family(t->model)));
    if (cph_train_is_sample(t))
        CPH_TRY(cph_buf_z(b,
                          "> Made under the *sample* rule base: its decisions hold for invented works "
                          "only and are no "
                          "legal opinion (RR-009).\n\n",
                          err));
    if (t->has_base && !t->base_sealed)
        CPH_TRY(cph_buf_z(b,
                          "> **Part of this model is of unknown origin**: it was trained further from "
                          "a model that has "
                          "no colophon.\n\n",
                          err));
    return cph_buf_printf(b, err,
                          "Its name, the digest of what it is:\n\n```\n%s\n```\n\n"
                          "`colophon verify DIR` recomputes it from every byte of this directory, "
                          "`colophon show DIR` "
                          "shows what it was\nmade from, and `colophon prove DIR --absent URN` proves "
                          "that a work is "
                          "not in. Compare the digest with the one\nthat whoever published the model "
                          "names elsewhere.\n\n",
                          hex);
}

static cph_status by_right(cph_buf *b, const cph_trainer *t, cph_arena *a, cph_err *err)
{
    cph_share *s;
    size_t n;
    CPH_TRY(cph_shares_of(t, false, a, &s, &n, err));
    CPH_TRY(cph_buf_z(b,
                      "## What it was made from\n\nWhat it read, by the right on which each document "
                      "was given; tokens "
                      "count each time that they were read:\n\n"
                      "| right | documents | tokens read |\n|---|---:|---:|\n",
                      err));
    for (size_t i = 0; i < n; i++) {
        CPH_TRY(cph_buf_z(b, "| ", err));
        CPH_TRY(plain(b, s[i].name, err));
        CPH_TRY(cph_buf_z(b, " | ", err));
        CPH_TRY(count(b, s[i].records, err));
        CPH_TRY(cph_buf_z(b, " | ", err));
        CPH_TRY(count(b, s[i].tokens, err));
        CPH_TRY(cph_buf_z(b, " |\n", err));
    }
    return cph_buf_z(b, "\nPD: public domain. ECL: extended collective licence. LIC: licence or "
                        "contract.\n\n", err);
}

static cph_status tally(cph_buf *b, const cph_trainer *t, cph_err *err)
{
    const cph_json *list = cph_json_get(identity_of(t), "tally");
    if (!list || !list->n) return CPH_OK;
    CPH_TRY(cph_buf_z(b,
                      "What was asked for and what was refused, when the corpus was built (words: "
                      "before cleaning):\n\n"
                      "| rule | decision | works | documents | words | why |\n|---|---|---:|---:|---:|---|\n",
                      err));
    for (const cph_json *v = list->first; v; v = v->next) {
        cph_told_row r = cph_told_row_of(v);
        CPH_TRY(cph_buf_z(b, "| ", err));
        CPH_TRY(plain(b, r.rule, err));
        CPH_TRY(cph_buf_printf(b, err, " | %s |", r.decision));
        for (int i = 0; i < 3; i++) {
            CPH_TRY(cph_buf_char(b, ' ', err));
            CPH_TRY(count(b, r.counts[i], err));
            CPH_TRY(cph_buf_z(b, " |", err));
        }
        CPH_TRY(cph_buf_printf(b, err, " %s |\n", r.why));
    }
    return cph_buf_char(b, '\n', err);
}

static const char *permitted(cph_str purpose)
{
    return cph_str_is(purpose, "train-research")         ? "training for research"
           : cph_str_is(purpose, "train-release-weights") ? "training, and the release of the weights"
                                                          : "training inside the institution";
}

static cph_status named(cph_buf *b, const char *before, const cph_json *policy, const char *key, cph_err *err)
{
    cph_str v = cph_json_get_str(policy, key);
    if (!v.n) return CPH_OK;
    CPH_TRY(cph_buf_z(b, before, err));
    return plain(b, v, err);
}

static cph_status uses(cph_buf *b, const cph_trainer *t, cph_err *err)
{
    const cph_json *identity = identity_of(t), *policy = cph_json_get(identity, "policy");
    cph_str purpose = cph_json_get_str(policy, "purpose");
    bool release = cph_str_is(purpose, "train-release-weights");
    CPH_TRY(cph_buf_z(b, "## What it may be used for\n\nThe texts were given for **", err));
    CPH_TRY(plain(b, purpose, err));
    CPH_TRY(cph_buf_printf(b, err, "** (%s)", permitted(purpose)));
    CPH_TRY(named(b, ", tier ", policy, "tier", err));
    CPH_TRY(named(b, ", actor ", policy, "actor", err));
    CPH_TRY(named(b, ", country ", policy, "forum", err));
    CPH_TRY(named(b, ", commercial use: ", policy, "commercial", err));
    CPH_TRY(named(b, ", as of ", identity, "as_of", err));
    CPH_TRY(named(b, ", day of release ", policy, "release", err));
    CPH_TRY(cph_buf_z(b, cph_json_get(identity, "no_revocations")
                             ? ".\nNo list of revocations was given: what was withdrawn since the "
                               "corpus was sealed is "
                               "still in.\n"
                             : ".\nWhat the list of revocations named was left out; its digest is in "
                               "the token set.\n",
                      err));
    CPH_TRY(cph_buf_z(b, "\n## What it must not be used for\n\n", err));
    CPH_TRY(cph_buf_z(b, "- Anything wider than that: another purpose, a wider circle, another "
                         "country. That needs "
                         "another corpus and another training.\n", err));
    if (!release) CPH_TRY(cph_buf_z(b, "- A release: the weights must not leave the circle named "
                                       "above.\n", err));
    return cph_buf_z(b,
                     "- A source of facts. It continues texts, of which some are old and were read by "
                     "a machine: it "
                     "repeats their errors\n  and the views of their time, and it invents.\n"
                     "- Texts as one's own without a look: it may repeat what it read word for word. "
                     "`colophon generate "
                     "--trace INDEX`\n  names the pages.\n"
                     "- Decisions about people.\n\n",
                     err);
}

static cph_status facts(cph_buf *b, const cph_trainer *t, cph_err *err)
{
    uint64_t n = 0;
    for (size_t i = 0; i < cph_model_n_params(t->model); i++) n += cph_model_param(t->model, i)->n;
    CPH_TRY(cph_buf_z(b, "## How it was trained\n\n| | |\n|---|---:|\n| parameters | ", err));
    CPH_TRY(count(b, n, err));
    CPH_TRY(cph_buf_z(b, " |\n| vocabulary, entries | ", err));
    CPH_TRY(count(b, cph_model_vocab_size(t->model), err));
    CPH_TRY(cph_buf_printf(b, err, " |\n| positions, tokens | %u |\n| steps | ",
                           cph_model_max_positions(t->model)));
    CPH_TRY(count(b, t->at.step, err));
    CPH_TRY(cph_buf_z(b, " |\n", err));
    CPH_TRY(cph_buf_z(b, "| tokens read, repeats included | ", err));
    CPH_TRY(count(b, t->at.tokens, err));
    CPH_TRY(cph_buf_printf(b, err, " |\n| loss of the last step, nats per token | %.4f |\n", t->at.loss));
    if (t->at.held_out_loss >= 0)
        CPH_TRY(cph_buf_printf(b, err, "| loss on works held out, nats per token | %.4f "
                                       "|\n", t->at.held_out_loss));
    else
        CPH_TRY(cph_buf_z(b, "| loss on works held out | not measured |\n", err));
    return cph_buf_printf(b, err,
                          "| arithmetic | %s, numerics " CPH_NUMERICS " |\n| seed | %llu |\n\n"
                          "All options are in `colophon.json`, the curve in `report.html`.\n",
                          cph_model_arith_text(t->model), (unsigned long long)t->o.seed);
}

cph_status cph_train_card(const cph_trainer *t, const cph_digest *name, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_arena a;
    cph_buf b;
    cph_arena_init(&a, (size_t)16 << 20);
    cph_buf_init(&b, CARD_MAX);
    cph_status s = cph_path_join(path, dir, "README.md", err);
    if (s == CPH_OK) s = front(&b, t, err);
    if (s == CPH_OK) s = opening(&b, t, name, err);
    if (s == CPH_OK) s = by_right(&b, t, &a, err);
    if (s == CPH_OK) s = tally(&b, t, err);
    if (s == CPH_OK) s = uses(&b, t, err);
    if (s == CPH_OK) s = facts(&b, t, err);
    if (s == CPH_OK) s = cph_file_write(path, b.p, b.n, err);
    cph_buf_release(&b);
    cph_arena_release(&a);
    return s;
}
