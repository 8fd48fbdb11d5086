/* SPDX-License-Identifier: Apache-2.0 */
/*
 * term.c - how long a work is protected: the order of evaluation of section 5.2.
 * What must stay true: every number of years comes from the rule base; what is not known stays
 * undetermined with a reason of section 3.1; no path ends in PD by falling through.
 */
#include "rights_in.h"

#include <stdio.h>
#include <string.h>

/* ---- days and single dates ---- */

cph_day cph_first_free_day(int event_year, int term_years)
{
    return (event_year + term_years + 1) * 10000 + 101;
} /* RR-004 */

bool cph_date_vouched(const cph_date *d)
{
    return cph_date_known(d) && d->source != CPH_DATE_imputed && d->source != CPH_DATE_none; /* RR-003 */
}

bool cph_contributor_is(const cph_contributor *c, const char *role) { return cph_str_is(c->role, role); }

bool cph_contributor_flag(const cph_contributor *c, const char *flag)
{
    cph_str rest = c->flags, part;
    while (rest.n && cph_str_split(&rest, '+', &part))
        if (cph_str_is(part, flag)) return true;
    return false;
}

cph_part cph_part_open(const char *reason, const char *rule)
{
    return (cph_part){.status = CPH_TERM_UND, .reason = reason, .rule = rule};
}

/* RR-005: free when the latest year is, protected when the earliest year is. */
static cph_part of_interval(const cph_term_question *q, cph_day from, cph_day to, int years, const char *rule,
                            const char *missing)
{
    cph_day first = cph_first_free_day(cph_day_year(from), years),
            last = cph_first_free_day(cph_day_year(to), years);
    cph_part p = {.status = CPH_TERM_PD, .reason = "", .rule = rule, .day = last};
    if (q->p->as_of >= last) return p;
    p.status = CPH_TERM_IC;
    return q->p->as_of < first ? p : cph_part_open(missing, "RR-005");
}

cph_part cph_part_from(const cph_term_question *q, const cph_date *d, int years, const char *rule,
                       const char *missing)
{
    if (!cph_date_known(d)) return cph_part_open(missing, rule);
    if (!cph_date_vouched(d)) return cph_part_open("DATE_IMPUTED", "RR-003");
    cph_part p = of_interval(q, d->from, d->to, years, rule, missing);
    if (d->alt_from) { /* RR-010: each source alone */
        cph_part other = of_interval(q, d->alt_from, d->alt_to, years, rule, missing);
        if (p.status != other.status || p.status == CPH_TERM_UND)
            return cph_part_open("CONFLICTING_SOURCES", "RR-010");
        if (other.day > p.day) p.day = other.day;
    }
    p.when = *d;
    return p;
}

cph_part cph_part_either(const cph_part *x, const cph_part *y, const char *reason, const char *rule)
{
    if (x->status != y->status || x->status == CPH_TERM_UND) return cph_part_open(reason, rule);
    cph_part p = y->day > x->day ? *y : *x;
    p.rule = "RR-006";
    p.at_least = x->at_least || y->at_least;
    return p;
}

/* ---- the ladder (5.5) ---- */

static int publication_ladder(const cph_term_question *q)
{
    const cph_ladder *l = &q->p->ladder;
    if (cph_str_is(q->w->form, "newspaper_issue")) return l->newspaper;
    if (q->w->origin.n == 0) return 0;
    return cph_str_is(q->w->origin, q->p->forum) ? l->home : l->foreign;
}

static bool assumed(const cph_term_question *q, const cph_date *d, int years, const char *rule,
                    const char *event, cph_part *out)
{
    if (years == 0 || !cph_date_vouched(d)) return false;
    cph_day latest = d->alt_to > d->to ? d->alt_to : d->to;
    cph_day day = cph_first_free_day(cph_day_year(latest), years);
    if (q->p->as_of < day) return false;
    *out = (cph_part){
        .status = CPH_TERM_PD_ASSUMED, .reason = "", .rule = rule, .day = day, .event = event, .when = *d};
    return true;
}

bool cph_part_ladder(const cph_term_question *q, const cph_date *birth, cph_part *out)
{
    if (!q->p->ladder.on) return false;
    if (birth && assumed(q, birth, cph_rule_number(q->r, "RR-140", "years"), "RR-140", "was born", out))
        return true;
    return assumed(q, &q->w->pub, publication_ladder(q), "RR-141", "was published", out);
}

/* ---- one contributor ---- */

static const char *rule_of_role(const cph_work *w, const cph_contributor *c)
{
    static const char *const separable[] = {"preface", "notes", "translator", "illustrator", "photographer"};
    if (cph_contributor_is(c, "joint")) return "RR-021";
    if (cph_str_is(w->form, "song") &&
        (cph_contributor_is(c, "lyricist") || cph_contributor_is(c, "composer")))
        return "RR-026";
    if (cph_str_is(w->form, "film")) return "RR-027";
    for (size_t i = 0; i < sizeof separable / sizeof separable[0]; i++)
        if (cph_contributor_is(c, separable[i])) return cph_str_is(w->form, "photo") ? "RR-020" : "RR-032";
    return "RR-020";
}

cph_part cph_part_of_life(const cph_term_question *q, const cph_contributor *c, const char *rule)
{
    cph_part p;
    if (cph_contributor_flag(c, "living")) {
        int term = cph_rule_number(q->r, rule, "years");
        p = (cph_part){.status = CPH_TERM_IC, .reason = "", .rule = rule, .at_least = true,
                       .day = cph_first_free_day(cph_day_year(q->p->as_of), term), .event = "is alive"};
    } else if (cph_date_known(&c->death)) {
        p = cph_part_from(q, &c->death, cph_rule_number(q->r, rule, "years"), rule, "NO_DEATH_DATE");
        p.event = "died";
    } else if (!cph_part_ladder(q, &c->birth, &p)) {
        bool unidentified = cph_contributor_flag(c, "unid");
        const char *reason = !unidentified                           ? "NO_DEATH_DATE"
                             : cph_contributor_is(c, "translator") ? "TRANSLATION_CHAIN"
                                                                   : "AUTHOR_UNIDENTIFIED";
        p = cph_part_open(reason, rule);
    }
    p.who = c;
    return p;
}

cph_part cph_part_unsigned(const cph_term_question *q, const cph_contributor *c)
{
    const cph_work *w = q->w;
    bool published = cph_str_is(w->published, "yes"), unpublished = cph_str_is(w->published, "no");
    cph_part p;
    if (unpublished) {
        p = cph_part_from(q, &w->made, cph_rule_number(q->r, "RR-025", "years"), "RR-025", "UNPUBLISHED");
        p.event = "was made";
    } else if (cph_date_known(&w->pub) || published) {
        p = cph_part_from(q, &w->pub, cph_rule_number(q->r, "RR-022", "years"), "RR-022", "NO_PUB_DATE");
        p.event = "was made public";
    } else {
        p = cph_part_open("UNPUBLISHED", "RR-025");
    }
    p.who = c;
    return p;
}

static cph_part of_pseudonym(const cph_term_question *q, const cph_contributor *c)
{
    cph_str disclosed = cph_work_flag(q->w, "disclosed");
    if (cph_str_is(disclosed, "yes")) return cph_part_of_life(q, c, "RR-020");
    cph_part hidden = cph_part_unsigned(q, c);
    if (cph_str_is(disclosed, "no")) return hidden;
    cph_part life = cph_part_of_life(q, c, "RR-020");
    cph_part p = cph_part_either(&life, &hidden, "PSEUDONYM", "RR-022");
    p.who = c;
    return p;
}

static cph_part of_contributor(const cph_term_question *q, const cph_contributor *c)
{
    if (cph_str_is(q->w->form, "photo")) return cph_part_photograph(q, c);
    if (cph_contributor_is(c, "anon")) return cph_part_unsigned(q, c);
    if (cph_contributor_is(c, "pseud")) return of_pseudonym(q, c);
    if (cph_contributor_is(c, "corp")) {
        if (cph_str_is(cph_work_flag(q->w, "anon_confirmed"), "yes")) return cph_part_unsigned(q, c);
        cph_part p = cph_part_open("CORPORATE_OR_COLLECTIVE", "RR-023");
        p.who = c;
        return p;
    }
    return cph_part_of_life(q, c, rule_of_role(q->w, c));
}

/* ---- combining parts (RR-007) ---- */

typedef struct combined {
    bool any, undetermined, assumed, vague;
    cph_part und;    /* the first undetermined part */
    cph_part ic, pd; /* the first of those with the latest day */
    bool has_ic, has_pd;
} combined;

static void add_part(combined *c, const cph_part *p)
{
    c->any = true;
    c->vague = c->vague || p->at_least;
    if (p->status == CPH_TERM_UND) {
        if (!c->undetermined) c->und = *p;
        c->undetermined = true;
        return;
    }
    cph_part *best = p->status == CPH_TERM_IC ? &c->ic : &c->pd;
    bool *has = p->status == CPH_TERM_IC ? &c->has_ic : &c->has_pd;
    c->assumed = c->assumed || p->status == CPH_TERM_PD_ASSUMED;
    if (!*has || p->day > best->day) *best = *p;
    *has = true;
}

static cph_part result_of(const cph_term_question *q, const combined *c)
{
    cph_part p;
    if (c->has_ic) {
        p = c->ic;
        p.at_least = c->vague || c->undetermined;
    } else if (c->undetermined) {
        p = c->und;
        /* Whoever signed what in a newspaper: its list is what is missing. */
        if (cph_str_is(q->w->form, "newspaper_issue") && strcmp(p.reason, "DATE_IMPUTED") != 0)
            p = cph_part_open("MULTI_CONTRIBUTOR", "RR-033");
    } else {
        p = c->pd;
        if (c->assumed) p.status = CPH_TERM_PD_ASSUMED;
    }
    return p;
}

static bool has_role(const cph_work *w, const char *role)
{
    for (size_t i = 0; i < w->n_contributors; i++)
        if (cph_contributor_is(&w->contributors[i], role)) return true;
    return false;
}

/* Step 6: parts that must be there and are not recorded. */
static void add_missing_parts(const cph_term_question *q, combined *c)
{
    const cph_work *w = q->w;
    bool complete = cph_str_is(cph_work_flag(w, "complete"), "yes");
    cph_part p;
    if (cph_str_is(w->form, "newspaper_issue") && !complete) {
        if (!cph_part_ladder(q, NULL, &p)) p = cph_part_open("MULTI_CONTRIBUTOR", "RR-033");
        add_part(c, &p);
    }
    if (cph_str_is(w->form, "film") && !complete &&
        !(has_role(w, "director") && has_role(w, "screenplay") && has_role(w, "dialogue") &&
          has_role(w, "filmcomposer"))) {
        p = cph_part_open("MULTI_CONTRIBUTOR", "RR-033");
        add_part(c, &p);
    }
    if (cph_str_is(cph_work_flag(w, "translation"), "yes") && !has_role(w, "translator")) {
        p = cph_part_open("TRANSLATION_CHAIN", "RR-033");
        add_part(c, &p);
    }
    if (cph_str_is(cph_work_flag(w, "illustrated"), "yes") && !has_role(w, "illustrator")) {
        p = cph_part_open("ILLUSTRATIONS", "RR-033");
        add_part(c, &p);
    }
}

/* RR-027: of a film only these count. */
static bool counts_in_film(const cph_contributor *c)
{
    return cph_contributor_is(c, "director") || cph_contributor_is(c, "screenplay") ||
           cph_contributor_is(c, "dialogue") || cph_contributor_is(c, "filmcomposer");
}

static cph_part of_all_parts(const cph_term_question *q)
{
    const cph_work *w = q->w;
    bool film = cph_str_is(w->form, "film");
    combined c = {.any = false};
    for (size_t i = 0; i < w->n_contributors; i++) {
        if (film && !counts_in_film(&w->contributors[i])) continue;
        cph_part p = of_contributor(q, &w->contributors[i]);
        add_part(&c, &p);
    }
    add_missing_parts(q, &c);
    return c.any ? result_of(q, &c) : cph_part_open("MULTI_CONTRIBUTOR", "RR-033");
}

/* ---- songs (5.3, RR-026) ---- */

static cph_part of_song_roles(const cph_term_question *q, const char *only)
{
    combined c = {.any = false};
    for (size_t i = 0; i < q->w->n_contributors; i++) {
        if (only && !cph_contributor_is(&q->w->contributors[i], only)) continue;
        cph_part p = of_contributor(q, &q->w->contributors[i]);
        add_part(&c, &p);
    }
    return c.any ? result_of(q, &c) : cph_part_open("AUTHOR_UNIDENTIFIED", "RR-026");
}

/* Protected somewhere in the Union on 1 November 2013: the last death is 1943 or later. */
static bool was_protected_in_2013(const cph_term_question *q)
{
    int limit = cph_rule_number(q->r, "RR-026", "protected_from_death");
    for (size_t i = 0; i < q->w->n_contributors; i++) {
        const cph_contributor *c = &q->w->contributors[i];
        bool counts = cph_contributor_is(c, "lyricist") || cph_contributor_is(c, "composer");
        cph_day latest = c->death.alt_to > c->death.to ? c->death.alt_to : c->death.to;
        if (counts && (latest == 0 || cph_day_year(latest) >= limit))
            return true; /* unknown counts as protected */
    }
    return false;
}

static cph_part of_song(const cph_term_question *q)
{
    cph_str part = cph_work_flag(q->w, "part"), together = cph_work_flag(q->w, "together");
    const char *role = cph_str_is(part, "lyrics")  ? "lyricist"
                       : cph_str_is(part, "music") ? "composer"
                                                   : NULL;
    if (!role) return of_all_parts(q);
    cph_part own = of_song_roles(q, role);
    if (cph_str_is(together, "no") || !was_protected_in_2013(q)) return own;
    cph_part both = of_song_roles(q, NULL);
    if (cph_str_is(together, "yes")) return both;
    cph_part p = cph_part_either(&own, &both, "MUSIC_WITH_TEXT", "RR-026");
    p.rule = "RR-026";
    return p;
}

/* ---- steps around the parts ---- */

static cph_part of_nobody(const cph_term_question *q)
{
    cph_part p;
    if (cph_part_ladder(q, NULL, &p)) return p;
    return cph_str_is(q->w->form, "newspaper_issue") ? cph_part_open("MULTI_CONTRIBUTOR", "RR-033")
                                                     : cph_part_open("AUTHOR_UNIDENTIFIED", "RR-020");
}

/* Step 3, RR-029: the text's own term, then the edition's. */
static cph_part of_edition(const cph_term_question *q)
{
    cph_part text = q->w->n_contributors ? of_all_parts(q) : of_nobody(q);
    if (text.status == CPH_TERM_IC || text.status == CPH_TERM_UND) return text;
    cph_part right =
        cph_part_from(q, &q->w->pub, cph_rule_number(q->r, "RR-029", "years"), "RR-029", "EDITION_RIGHT");
    if (right.status != CPH_TERM_PD) return cph_part_open("EDITION_RIGHT", "RR-029");
    right.event = "was published";
    if (text.day > right.day) right.day = text.day;
    if (text.status == CPH_TERM_PD_ASSUMED) right.status = CPH_TERM_PD_ASSUMED;
    return right;
}

/* The year after which a first publication is late; 0: cannot be computed. */
static int last_protected_year(const cph_term_question *q)
{
    const cph_work *w = q->w;
    int after = cph_rule_number(q->r, "RR-028", "after"), earliest = 0;
    bool all_unsigned = true;
    for (size_t i = 0; i < w->n_contributors; i++) {
        const cph_contributor *c = &w->contributors[i];
        if (cph_contributor_is(c, "anon")) continue;
        all_unsigned = false;
        if (!cph_date_vouched(&c->death)) return 0;
        cph_day d =
            c->death.alt_from && c->death.alt_from < c->death.from ? c->death.alt_from : c->death.from;
        if (cph_day_year(d) > earliest) earliest = cph_day_year(d);
    }
    if (all_unsigned) earliest = cph_date_vouched(&w->made) ? cph_day_year(w->made.from) : 0;
    return earliest ? earliest + after : 0;
}

/* Step 8, RR-028. The readings of uncertain dates are those that protect longer. */
static cph_part late_publication(const cph_term_question *q, cph_part p)
{
    const cph_work *w = q->w;
    cph_str late = cph_work_flag(w, "late_first_pub");
    int limit = last_protected_year(q);
    if ((p.status != CPH_TERM_PD && p.status != CPH_TERM_PD_ASSUMED) || cph_str_is(w->form, "photo"))
        return p;
    if (!cph_date_vouched(&w->pub) || limit == 0 || cph_str_is(late, "no")) return p;
    cph_day published = w->pub.alt_to > w->pub.to ? w->pub.alt_to : w->pub.to;
    if (cph_day_year(published) <= limit) return p;
    cph_day day = cph_first_free_day(cph_day_year(published), cph_rule_number(q->r, "RR-028", "years"));
    cph_part right = {.status = CPH_TERM_PD, .reason = "", .rule = "RR-028", .day = day > p.day ? day : p.day,
                      .event = "was first published", .when = w->pub};
    if (q->p->as_of >= day) {
        right.status = p.status;
        return right;
    }
    right.status = CPH_TERM_IC;
    right.day = day;
    return cph_str_is(late, "confirmed") ? right : cph_part_open("POSTHUMOUS_FIRST_PUB", "RR-028");
}

/* Step 10, RR-030. Several countries of one field are joined by '+'. */
static bool any_in(cph_str countries, const cph_json *list)
{
    cph_str rest = countries, part;
    while (rest.n && cph_str_split(&rest, '+', &part))
        if (cph_json_lists(list, part)) return true;
    return false;
}

static cph_part compare_terms(const cph_term_question *q, cph_part p)
{
    const cph_work *w = q->w;
    const cph_json *eea = cph_json_get(cph_rule_of(q->r, "RR-030")->params, "eea");
    if (p.status != CPH_TERM_IC || any_in(w->origin, eea)) return p;
    for (size_t i = 0; i < w->n_contributors; i++)
        if (any_in(w->contributors[i].nationality, eea)) return p;
    if (w->origin.n == 0) return cph_part_open("COUNTRY_UNKNOWN", "RR-008");
    return cph_part_open("SHORTER_TERM_COMPARISON", "RR-030");
}

cph_part cph_term_part(const cph_term_question *q)
{
    const cph_work *w = q->w;
    if (!cph_rulebase_has_forum(q->r, q->p->forum)) return cph_part_open("COUNTRY_UNKNOWN", "RR-008");
    if (w->conflict) return cph_part_open("CONFLICTING_SOURCES", "RR-010");
    if (cph_str_is(w->form, "gov_doc") || cph_str_is(cph_work_flag(w, "crown"), "yes"))
        return cph_part_open("CROWN_OR_GOV", "RR-019");
    if (cph_str_is(w->form, "edition")) return compare_terms(q, of_edition(q));
    cph_part p = w->n_contributors == 0           ? of_nobody(q)
                 : cph_str_is(w->form, "song") ? of_song(q)
                                               : of_all_parts(q);
    return compare_terms(q, late_publication(q, p));
}

cph_status cph_term_of(cph_term *out, const cph_work *w, const cph_policy *p, const cph_rulebase *r,
                       cph_err *err)
{
    cph_term_question q = {w, p, r};
    if (p->as_of == 0)
        return cph_fail(err, CPH_USAGE, "a question about rights needs the day it is asked for (as_of)");
    cph_part part = cph_term_part(&q);
    *out = (cph_term){part.status, part.status == CPH_TERM_UND ? part.reason : "", part.day, part.at_least,
                      part.rule};
    return CPH_OK;
}
