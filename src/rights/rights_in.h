/* SPDX-License-Identifier: Apache-2.0 */
/* rights_in.h - what the files of this room share: the rule base's insides, parts of a work, steps of a
 * decision. */
#ifndef CPH_RIGHTS_IN_H
#define CPH_RIGHTS_IN_H

#include <colophon/rights/decide.h>

/* The same day `years` earlier; 29 February becomes 28 February (section 8.2, embargo). */
cph_day cph_day_years_before(cph_day d, int years);

/* ---- rule bases (rulebase.c, builtin_rules.c) ---- */

typedef struct cph_rule {
    cph_str id, title, confirmed_by;
    cph_day from, to; /* in force; 0: open */
    const cph_json *countries, *params;
} cph_rule;

struct cph_rulebase {
    cph_arena a;
    cph_digest digest;
    bool sample;
    cph_str name, notice;
    const cph_json *forums, *weights_licences;
    cph_rule *rules;
    size_t n_rules;
};

extern const char *const cph_rulebase_sample_lines[], *const cph_rulebase_house_lines[];

/* Every rule that this program applies; a rule base that lacks one is refused. */
#define CPH_RULES_APPLIED                                                                          \
    "RR-003", "RR-005", "RR-006", "RR-007", "RR-008", "RR-010", "RR-018", "RR-019", "RR-020",      \
        "RR-021", "RR-022", "RR-023", "RR-025", "RR-026", "RR-027", "RR-028", "RR-029", "RR-030",  \
        "RR-032", "RR-033", "RR-042", "RR-140", "RR-141", "RR-142", "RR-151", "RR-152", "RR-153",  \
        "RR-156", "RR-157", "RR-158", "RR-163", "RR-164", "RR-169", "RR-186"

const cph_rule *cph_rule_of(const cph_rulebase *r, const char *id); /* NULL: no such rule */
/* In force on the day, for the country, and confirmed by somebody (RR-009). */
bool cph_rule_confirmed(const cph_rulebase *r, const char *id, const char *forum, cph_day as_of);
int cph_rule_number(const cph_rulebase *r, const char *id, const char *name); /* 0: not stated */
bool cph_rulebase_has_forum(const cph_rulebase *r, const char *forum);        /* RR-008 */
bool cph_json_lists(const cph_json *array, cph_str word);

/* ---- terms (term.c, photographs.c) ---- */

/* What decides of a work's term, and why: the deciding part's person and event, for plain words. */
typedef struct cph_part {
    cph_term_status status;
    const char *reason, *rule;
    cph_day day;
    bool at_least;
    const cph_contributor *who; /* NULL: nobody */
    const char *event;          /* "died", "was made public", "was made"; NULL: none */
    cph_date when;
} cph_part;

typedef struct cph_term_question {
    const cph_work *w;
    const cph_policy *p;
    const cph_rulebase *r;
} cph_term_question;

cph_day cph_first_free_day(int event_year, int term_years); /* RR-004 */
bool cph_date_vouched(const cph_date *d);                   /* RR-003: known, not imputed, has a source */
/* RR-003, 005, 010 for a term that runs from one date. */
cph_part cph_part_from(const cph_term_question *q, const cph_date *d, int years, const char *rule,
                       const char *missing);
cph_part cph_part_open(const char *reason, const char *rule); /* undetermined */
/* RR-006: agreement of two branches, else `reason` under `rule`. */
cph_part cph_part_either(const cph_part *x, const cph_part *y, const char *reason, const char *rule);
cph_part cph_part_of_life(const cph_term_question *q, const cph_contributor *c, const char *rule);
cph_part cph_part_unsigned(const cph_term_question *q, const cph_contributor *c);
cph_part cph_part_photograph(const cph_term_question *q, const cph_contributor *c); /* RR-018, 042 */
bool cph_contributor_is(const cph_contributor *c, const char *role);
bool cph_contributor_flag(const cph_contributor *c, const char *flag);
/* RR-140 and RR-141; false when no ladder leads anywhere. `birth` may be NULL. */
bool cph_part_ladder(const cph_term_question *q, const cph_date *birth, cph_part *out);
cph_part cph_term_part(const cph_term_question *q);

/* ---- decisions (decide.c, licences.c, reservations.c, explain.c) ---- */

typedef struct cph_finding {
    cph_answer answer;
    const char *rule, *reason;
    cph_str basis;
    cph_str obligations[8];
    size_t n_obligations;
    bool by_person;          /* a determination: needs no confirmed rule */
    const cph_json *because; /* the block, licence, signal or determination; NULL: none */
} cph_finding;

typedef struct cph_ask {
    cph_arena *a;
    const cph_case *c;
    const cph_policy *p;
    const cph_rulebase *r;
    cph_part part;
    const cph_json *reservation; /* the letter in force, NULL: none (reservations.c) */
} cph_ask;

/* Step 2: licences, collective licences, consents. *found stays false when none speaks of the purpose. */
cph_status cph_step_licences(cph_ask *q, cph_finding *out, bool *found, cph_err *err) CPH_MUST_USE;
/* RR-186. *out: the signal that reserves the purpose, or NULL. */
const cph_json *cph_reservation_of(const cph_ask *q);
bool cph_is_after_reservation(const cph_ask *q, cph_day day); /* also true where nothing is reserved */
bool cph_obligation_known(cph_str o);                          /* of the closed list of 4.2 */
bool cph_basis_known(cph_str basis); /* of the closed list of 2.2, an id in brackets */
/* The strongest determination of a person for the question, or NULL; DENY beats ALLOW. */
const cph_json *cph_determination_of(const cph_ask *q);
bool cph_purpose_listed(const cph_json *list, cph_purpose p); /* "*", "train-*", names */
bool cph_in_force(const cph_json *v, cph_day as_of);          /* members from, to */
bool cph_country_listed(const cph_json *v, const char *forum); /* member countries; absent: everywhere */
cph_status cph_explain(cph_str *out, const cph_ask *q, const cph_finding *f, cph_err *err) CPH_MUST_USE;
/* "UND(NO_DEATH_DATE)", "IC", ... and ">=2031-01-01", "2031-01-01" or "". */
void cph_status_text(const cph_part *p, char out[48]);
void cph_day_bound_text(const cph_part *p, char out[20]);

#endif
