/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reservations.c - what a rightsholder or an association has said no to (sections 9.4 and 9.5, RR-186),
 * and what a person has determined since.
 * What must stay true: a malformed reservation is a reservation, a malformed permission is none.
 */
#include "rights_in.h"

#include <string.h>

/* ---- members that several kinds of facts share ---- */

bool cph_purpose_listed(const cph_json *list, cph_purpose p)
{
    const char *name = cph_purpose_text(p);
    for (const cph_json *v = list ? list->first : NULL; v; v = v->next) {
        if (v->type != CPH_JSON_STRING) continue;
        if (cph_str_is(v->str, "*") || cph_str_is(v->str, name)) return true;
        if (cph_str_is(v->str, "train-*") && strncmp(name, "train-", 6) == 0) return true;
    }
    return false;
}

bool cph_in_force(const cph_json *v, cph_day as_of)
{
    cph_day from = 0, to = 0;
    cph_str f = cph_json_get_str(v, "from"), t = cph_json_get_str(v, "to");
    if ((f.n && !cph_day_parse(f, &from)) || (t.n && !cph_day_parse(t, &to))) return false;
    return (from == 0 || from <= as_of) && (to == 0 || as_of <= to);
}

bool cph_country_listed(const cph_json *v, const char *forum)
{
    const cph_json *list = cph_json_get(v, "countries");
    return !list || cph_json_lists(list, cph_str_of(forum)) || cph_json_lists(list, CPH_STR("*"));
}

/* ---- reservations ---- */

/* The day of a letter: "seen_at", a day or a time of day. False: not readable. */
static bool letter_day(const cph_json *signal, cph_day *out)
{
    return cph_day_parse(cph_str_sub(cph_json_get_str(signal, "seen_at"), 0, 10), out);
}

static bool words_are_purposes(const cph_json *list)
{
    if (!list || list->type != CPH_JSON_ARRAY || list->n == 0) return false;
    for (const cph_json *v = list->first; v; v = v->next) {
        cph_purpose unused;
        if (v->type != CPH_JSON_STRING) return false;
        if (!cph_str_is(v->str, "*") && !cph_str_is(v->str, "train-*") && !cph_purpose_parse(v->str, &unused))
            return false;
    }
    return true;
}

/* Without a readable list: features and all training. A readable list says what it says. */
static bool letter_covers(const cph_json *signal, cph_purpose p)
{
    const cph_json *list = cph_json_get(signal, "purposes");
    if (words_are_purposes(list)) return cph_purpose_listed(list, p);
    return p == CPH_PURPOSE_FEATURES || p == CPH_PURPOSE_TRAIN_RESEARCH || p == CPH_PURPOSE_TRAIN_INTERNAL ||
           p == CPH_PURPOSE_TRAIN_RELEASE_WEIGHTS;
}

static bool lifts(const cph_json *signal)
{
    cph_str v = cph_json_get_str(signal, "value");
    return cph_str_is(v, "clear") || cph_str_is(v, "withdrawn");
}

const cph_json *cph_reservation_of(const cph_ask *q)
{
    const cph_json *last = NULL;
    cph_day last_day = 0;
    for (const cph_json *s = q->c->signals ? q->c->signals->first : NULL; s; s = s->next) {
        cph_str kind = cph_json_get_str(s, "signal");
        cph_day day = 0;
        if (!cph_str_is(kind, "rightsholder_letter") && !cph_str_is(kind, "cmo_blanket")) continue;
        if (!letter_covers(s, q->p->purpose)) continue;
        if (!letter_day(s, &day)) {
            if (lifts(s)) continue;
            return s;
        }
        if (day > q->p->as_of) continue;
        if (!last || day > last_day || (day == last_day && !lifts(s))) last = s;
        if (last == s) last_day = day;
    }
    return last && !lifts(last) ? last : NULL;
}

/* True when something of this day may answer the reservation in force: it is later than the letter. */
bool cph_is_after_reservation(const cph_ask *q, cph_day day)
{
    cph_day letter = 0;
    if (!q->reservation) return true;
    return letter_day(q->reservation, &letter) && day > letter;
}

/* ---- what a person determined ---- */

bool cph_basis_known(cph_str basis)
{
    static const char *const list[] = {"PD",     "LIC-OPEN",     "LIC-CONTRACT",   "ECL",      "CONSENT",
                                       "DSM3",   "DSM4",         "UK-29A",         "OOCW-LIC", "OOCW-EXC",
                                       "ORPHAN", "PRESERVATION", "LEGALDEP-ONSITE"};
    size_t n = cph_str_find(basis, '(', 0);
    cph_str stem = n == SIZE_MAX ? basis : cph_str_sub(basis, 0, n);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (cph_str_is(stem, list[i])) return true;
    return false;
}

bool cph_obligation_known(cph_str o)
{
    static const char *const list[] = {
        "attribution",      "delete-after",           "secure-storage",   "no-publish-corpus",  "no-display",
        "licence-at-least", "release-licence-review", "use-restrictions", "remuneration-count", "audit-gate",
        "guard-on",         "moral-rights-notice",    "name-source",
    };
    size_t n = cph_str_find(o, '(', 0);
    cph_str stem = n == SIZE_MAX ? o : cph_str_sub(o, 0, n);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (cph_str_is(stem, list[i])) return true;
    return false;
}

static bool allows(const cph_ask *q, const cph_json *d)
{
    cph_day on = 0;
    const cph_json *obligations = cph_json_get(d, "obligations");
    if (!cph_str_is(cph_json_get_str(d, "decision"), "ALLOW") ||
        !cph_basis_known(cph_json_get_str(d, "basis")))
        return false;
    if (!cph_day_parse(cph_json_get_str(d, "on"), &on) || on > q->p->as_of) return false;
    for (const cph_json *o = obligations ? obligations->first : NULL; o; o = o->next)
        if (!cph_obligation_known(o->str)) return false;
    return cph_is_after_reservation(q, on);
}

/* A no counts from its day on, and from the beginning where no day can be read. */
static bool denies(const cph_ask *q, const cph_json *d)
{
    cph_day on = 0;
    if (!cph_str_is(cph_json_get_str(d, "decision"), "DENY")) return false;
    return !cph_day_parse(cph_json_get_str(d, "on"), &on) || on <= q->p->as_of;
}

const cph_json *cph_determination_of(const cph_ask *q)
{
    const cph_json *found = NULL;
    for (const cph_json *d = q->c->determinations ? q->c->determinations->first : NULL; d; d = d->next) {
        if (!cph_purpose_listed(cph_json_get(d, "purposes"), q->p->purpose)) continue;
        if (!cph_country_listed(d, q->p->forum) || !cph_in_force(d, q->p->as_of)) continue;
        if (denies(q, d)) return d;
        if (!found && allows(q, d)) found = d;
    }
    return found;
}
