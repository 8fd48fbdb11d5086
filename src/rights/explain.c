/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain.c - a decision in plain words, with rule ids, for a rights officer; and what a rule did
 * with many works.
 * What must stay true: it says what the record says and decides nothing.
 */
#include "rights_in.h"

#include <stdio.h>
#include <string.h>

/* ---- the term ---- */

/* Section 3.1 in words; %s is the person or "the author". */
static const struct { const char *reason, *words;
} undetermined[] = {
    {"NO_DEATH_DATE", "the year of death of %s is not known well enough"},
    {"NO_PUB_DATE", "the year in which it was made public, or made, is not known well enough"},
    {"DATE_IMPUTED", "the date that decides was filled in by somebody or has no source; it does not count"},
    {"AUTHOR_UNIDENTIFIED", "%s is not identified"},
    {"MULTI_CONTRIBUTOR", "the list of those who contributed is not known to be complete"},
    {"CORPORATE_OR_COLLECTIVE",
     "%s is a body, and whether natural authors stand behind it is for a person to say"},
    {"PSEUDONYM", "it is not known whether the pseudonym of %s was disclosed, and the outcomes differ"},
    {"POSTHUMOUS_FIRST_PUB",
     "it was first published after its term; the publisher may have a right of its own"},
    {"UNPUBLISHED", "it is not known whether or when it was made public, or when it was made"},
    {"TRANSLATION_CHAIN", "it is a translation, and the translator is not recorded or not identified"},
    {"ILLUSTRATIONS", "it is illustrated, and the illustrator is not recorded"},
    {"MUSIC_WITH_TEXT", "it is not known whether words and music were made for each other"},
    {"PHOTO_ORIGINALITY", "nobody has decided whether it is a photographic work or a mere picture"},
    {"SHORTER_TERM_COMPARISON",
     "neither its origin nor an author is from the EEA: terms must be compared by a person"},
    {"CROWN_OR_GOV", "it is an official text, and a person must confirm what it is"},
    {"COUNTRY_UNKNOWN",
     "the country of use has no loaded rules, or the country of origin is not known where it decides"},
    {"CONFLICTING_SOURCES", "sources disagree and the outcomes differ"},
    {"EDITION_RIGHT", "it is an edition of an older text, and a national right in the edition may exist"},
};

/* "Nordmann, Ola" as people say it. */
static cph_status name_of(const cph_ask *q, const cph_contributor *c, cph_str *out, cph_err *err)
{
    size_t comma = c ? cph_str_find(c->name, ',', 0) : SIZE_MAX;
    *out = CPH_STR("the author");
    if (!c) return CPH_OK;
    if (c->name.n == 0) return cph_arena_printf(q->a, out, err, "the %.*s", CPH_FMT(c->role));
    if (comma == SIZE_MAX) return cph_arena_printf(q->a, out, err, "%.*s", CPH_FMT(c->name));
    return cph_arena_printf(q->a, out, err, "%.*s %.*s",
                            CPH_FMT(cph_str_trim(cph_str_sub(c->name, comma + 1, c->name.n))),
                            CPH_FMT(cph_str_sub(c->name, 0, comma)));
}

static cph_status say_undetermined(cph_buf *b, const cph_ask *q, cph_str who, cph_err *err)
{
    CPH_TRY(cph_buf_printf(b, err, "Undetermined in %s: ", q->p->forum));
    for (size_t i = 0; i < sizeof undetermined / sizeof undetermined[0]; i++) {
        if (strcmp(undetermined[i].reason, q->part.reason) != 0) continue;
        const char *hole = strstr(undetermined[i].words, "%s");
        int before = hole ? (int)(hole - undetermined[i].words) : (int)strlen(undetermined[i].words);
        CPH_TRY(cph_buf_printf(b, err, "%.*s", before, undetermined[i].words));
        if (hole) CPH_TRY(cph_buf_printf(b, err, "%.*s%s", CPH_FMT(who), hole + 2));
    }
    return cph_buf_printf(b, err, " (%s, %s). What is undetermined is treated as in copyright (RR-002).\n",
                          q->part.reason, q->part.rule);
}

/* "Ola Nordmann died in 1955." or "It was made public in 1921." */
static cph_status say_event(cph_buf *b, const cph_ask *q, cph_str who, cph_err *err)
{
    const char *event = q->part.event;
    if (!event) return CPH_OK;
    bool of_person =
        strcmp(event, "died") == 0 || strcmp(event, "was born") == 0 || strcmp(event, "is alive") == 0;
    cph_str subject = of_person ? who : CPH_STR("It");
    char first = subject.n ? subject.p[0] : 'I';
    if (first >= 'a' && first <= 'z') first = (char)(first - 'a' + 'A');
    CPH_TRY(cph_buf_printf(b, err, "%c%.*s %s", first, CPH_FMT(cph_str_sub(subject, 1, subject.n)), event));
    if (cph_date_known(&q->part.when)) CPH_TRY(cph_buf_printf(b, err, " in %.*s", CPH_FMT(q->part.when.raw)));
    return cph_buf_z(b, ". ", err);
}

static cph_status say_term(cph_buf *b, const cph_ask *q, cph_err *err)
{
    const cph_part *p = &q->part;
    char day[16];
    cph_str who;
    CPH_TRY(name_of(q, p->who, &who, err));
    if (p->status == CPH_TERM_UND) return say_undetermined(b, q, who, err);
    cph_day_text(p->day, day);
    int last = cph_day_year(p->day) - 1;
    CPH_TRY(say_event(b, q, who, err));
    if (p->status == CPH_TERM_PD)
        return cph_buf_printf(b, err,
                              "Protection lasted until the end of %d (%s). Public domain in %s since %s.\n",
                              last, p->rule, q->p->forum, day);
    if (p->status == CPH_TERM_PD_ASSUMED)
        return cph_buf_printf(b, err,
                              "So long ago that it is assumed to be free in %s since %s (%s): an assumption, "
                              "no determination.\n",
                              q->p->forum, day, p->rule);
    if (p->at_least)
        return cph_buf_printf(b, err, "In copyright in %s; free on %s at the earliest (%s).\n", q->p->forum,
                              day, p->rule);
    return cph_buf_printf(b, err, "Protection lasts until the end of %d (%s). In copyright in %s until %s.\n",
                          last, p->rule, q->p->forum, day);
}

/* ---- the answer ---- */

static const struct { const char *reason, *words;
} reasons[] = {
    {"no-basis", "Nothing allows it: no licence or consent covers this use, and the work is not free"},
    {"block-takedown", "The work was taken down"},
    {"block-court", "A court's order stands against it"},
    {"block-privacy", "The work is blocked to protect personal data"},
    {"block-suppression", "A person has said no"},
    {"CONTRACT_UNREAD", "A contract applies to the scans and nobody has entered its terms yet"},
    {"contract-restriction", "The contract under which the object was made or given stands against this use"},
    {"donor-terms", "The donor's terms must be read by a person"},
    {"privacy", "The object holds personal data"},
    {"withdrawn", "The rightsholder has withdrawn the work from the agreement"},
    {"edition-withdrawn", "The rightsholder has withdrawn this edition from the agreement"},
    {"embargo", "On the day of the release the publication is not old enough for the agreement"},
    {"no-release-date",
     "The agreement's window is measured on the day the model is released: state it (--release)"},
    {"NO_PUB_DATE", "The agreement asks for a day of publication, and none is known"},
    {"DATE_IMPUTED", "The day of publication was filled in by somebody; it satisfies no window (RR-003)"},
    {"model-licence-too-wide", "The licence of the weights is wider than the agreement allows"},
    {"tier", "The licence does not cover this circle of users"},
    {"outside-licence", "The work lies outside the licence"},
    {"nc-meaning", "Whether the use is commercial must be decided by a person"},
    {"reserved", "The rightsholder has reserved the work, and no later answer of theirs says otherwise"},
    {"unconfirmed-rule", "The rules would allow it, but no lawyer has confirmed them (RR-009)"},
};

static const char *words_of(const char *reason)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(reasons[i].reason, reason) == 0) return reasons[i].words;
    return reason;
}

/* Who said so, when, and why: of the block, licence, letter or determination. */
static cph_status say_because(cph_buf *b, const cph_finding *f, cph_err *err)
{
    static const struct { const char *key, *before; } parts[] = {
        {"id", "  id: "}, {"signal", "  signal: "}, {"licensor", "  licensor: "}, {"by", "  determined by: "},
        {"on", "  on: "}, {"seen_at", "  received: "}, {"from", "  from: "}, {"to", "  to: "},
        {"reason", "  reason given: "}, {"evidence_sha256", "  evidence (SHA-256): "},
    };
    if (!f->because) return CPH_OK;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        cph_str v = cph_json_get_str(f->because, parts[i].key);
        if (v.n) CPH_TRY(cph_buf_printf(b, err, "%s%.*s\n", parts[i].before, CPH_FMT(v)));
    }
    return CPH_OK;
}

static cph_status say_answer(cph_buf *b, const cph_ask *q, const cph_finding *f, cph_err *err)
{
    static const char *const openings[] = {"No", "Not without a person's answer", "Yes"};
    CPH_TRY(cph_buf_printf(b, err, "%s, for %s: ", openings[f->answer], cph_purpose_text(q->p->purpose)));
    if (f->answer != CPH_ALLOW)
        CPH_TRY(cph_buf_printf(b, err, "%s (%s, %s).\n", words_of(f->reason), f->reason, f->rule));
    else if (f->by_person)
        CPH_TRY(cph_buf_printf(b, err, "a person has determined it, basis %.*s (%s).\n", CPH_FMT(f->basis),
                               f->rule));
    else if (cph_str_is(f->basis, "PD"))
        CPH_TRY(cph_buf_printf(b, err, "the public domain is open to every use (%s).\n", f->rule));
    else
        CPH_TRY(cph_buf_printf(b, err, "basis %.*s (%s).\n", CPH_FMT(f->basis), f->rule));
    CPH_TRY(say_because(b, f, err));
    for (size_t i = 0; i < f->n_obligations; i++)
        CPH_TRY(cph_buf_printf(b, err, "%s%.*s%s", i ? ", " : "Obligations: ", CPH_FMT(f->obligations[i]),
                               i + 1 == f->n_obligations ? ".\n" : ""));
    return CPH_OK;
}

cph_status cph_explain(cph_str *out, const cph_ask *q, const cph_finding *f, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, 1u << 20);
    cph_status s = say_term(&b, q, err);
    if (s == CPH_OK) s = say_answer(&b, q, f, err);
    if (s == CPH_OK && q->r->sample) s = cph_buf_printf(&b, err, "%.*s\n", CPH_FMT(q->r->notice));
    if (s == CPH_OK) s = cph_arena_str(q->a, out, cph_str_trim(cph_buf_view(&b)), err);
    cph_buf_release(&b);
    return s;
}

/* ---- many works ---- */

static const struct { const char *rule, *allow, *refuse, *ask;
} tallied[] = {
    {"RR-142", "assumed to be free of copyright, which is accepted for this purpose",
     "only assumed to be free of copyright, which is not accepted for this purpose", NULL},
    {"RR-151", NULL, "blocked: taken down, a court's order, personal data, or a person's no", NULL},
    {"RR-152", "a contract, a consent or a person's answer permits it",
     "the contract, the consent or the answer does not reach so far",
     "whether the contract or consent covers it is for a person to say"},
    {"RR-153", "in the public domain", NULL,
     "in the public domain by rules that no lawyer has confirmed: a person decides"},
    {"RR-156", NULL, "in copyright or undetermined, and nothing permits this use", NULL},
    {"RR-157", NULL, NULL, "the contract on the scans has not been entered yet: a person decides"},
    {"RR-158", NULL, "a contract's terms or personal data in the object stand against it",
     "the donor's or contract's terms on the object must be read by a person"},
    {"RR-163", "under the press agreement: old enough on the day of the release",
     "not under the press agreement: too young on the day of the release, or withdrawn",
     "press agreement: a day of release is wanted, or the rule is not confirmed"},
    {"RR-164", "under the agreement on books", "not under the agreement on books: purpose, tier or edition",
     "agreement on books: a person decides, or the rule is not confirmed"},
    {"RR-169", "under the collective licence for text and data mining",
     "not under the collective licence for text and data mining",
     "licence for text and data mining: a person decides, or the rule is not confirmed"},
    {"RR-186", NULL, "the rightsholder has reserved the work, and no later answer says otherwise", NULL},
};

const char *cph_rule_sentence(cph_str rule, cph_answer answer)
{
    for (size_t i = 0; i < sizeof tallied / sizeof tallied[0]; i++) {
        const char *z = answer == CPH_ALLOW   ? tallied[i].allow
                        : answer == CPH_HUMAN ? tallied[i].ask
                                              : tallied[i].refuse;
        if (z && cph_str_is(rule, tallied[i].rule)) return z;
    }
    return answer == CPH_ALLOW   ? "permitted under this rule"
           : answer == CPH_HUMAN ? "a person must decide, or nobody has confirmed the rule yet"
                                 : "refused under this rule";
}
