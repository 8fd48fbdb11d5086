/* SPDX-License-Identifier: Apache-2.0 */
/*
 * photographs.c - photographic works, mere pictures, and those of which nobody has decided
 * which they are (RR-018, RR-042).
 * What must stay true: a picture's term needs the year it was made; the year of publication is no stand-in.
 */
#include "rights_in.h"

/* RR-042 for one reading of the years; death 0: photographer unknown. */
static cph_day picture_day(const cph_rulebase *r, int made, int death)
{
    int by_death = death ? death + cph_rule_number(r, "RR-042", "death") : 0;
    int term = made + cph_rule_number(r, "RR-042", "made");
    int former = made + cph_rule_number(r, "RR-042", "former_made");
    if (by_death > term) term = by_death;
    if (by_death > former) former = by_death;
    int last = former <= cph_rule_number(r, "RR-042", "former_last_year") ? former : term;
    return cph_first_free_day(last, 0);
}

static int low_year(const cph_date *d)
{
    return cph_day_year(d->alt_from && d->alt_from < d->from ? d->alt_from : d->from);
}

static int high_year(const cph_date *d) { return cph_day_year(d->alt_to > d->to ? d->alt_to : d->to); }

static cph_part picture(const cph_term_question *q, const cph_contributor *c)
{
    const cph_date *made = &q->w->made;
    bool unknown = cph_contributor_is(c, "anon");
    if (!cph_date_known(made)) return cph_part_open("NO_PUB_DATE", "RR-042");
    if (!cph_date_vouched(made)) return cph_part_open("DATE_IMPUTED", "RR-003");
    if (cph_contributor_flag(c, "living")) {
        cph_part p = cph_part_of_life(q, c, "RR-020"); /* the day can only be too late, never too early */
        p.rule = "RR-042";
        return p;
    }
    if (!unknown && !cph_date_known(&c->death)) return cph_part_open("NO_DEATH_DATE", "RR-042");
    if (!unknown && !cph_date_vouched(&c->death)) return cph_part_open("DATE_IMPUTED", "RR-003");

    cph_day first = picture_day(q->r, low_year(made), unknown ? 0 : low_year(&c->death));
    cph_day last = picture_day(q->r, high_year(made), unknown ? 0 : high_year(&c->death));
    cph_part p = {.status = CPH_TERM_PD,
                  .reason = "",
                  .rule = "RR-042",
                  .day = last,
                  .event = "was made",
                  .when = *made};
    if (q->p->as_of >= last) return p;
    p.status = CPH_TERM_IC;
    if (q->p->as_of < first) return p;
    if (made->alt_from || c->death.alt_from) return cph_part_open("CONFLICTING_SOURCES", "RR-010");
    return cph_part_open("NO_DEATH_DATE", "RR-005");
}

static cph_part work_branch(const cph_term_question *q, const cph_contributor *c)
{
    return cph_contributor_is(c, "anon") ? cph_part_unsigned(q, c) : cph_part_of_life(q, c, "RR-020");
}

cph_part cph_part_photograph(const cph_term_question *q, const cph_contributor *c)
{
    cph_str class = cph_work_flag(q->w, "photo");
    cph_part p;
    if (cph_str_is(class, "work")) {
        p = work_branch(q, c);
    } else if (cph_str_is(class, "picture")) {
        p = picture(q, c);
    } else {
        cph_part x = work_branch(q, c), y = picture(q, c);
        p = cph_part_either(&x, &y, "PHOTO_ORIGINALITY", "RR-018");
    }
    p.who = c;
    return p;
}
