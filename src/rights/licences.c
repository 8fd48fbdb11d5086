/* SPDX-License-Identifier: Apache-2.0 */
/*
 * licences.c - step 2 of RR-150: contracts, consents and collective licences (RR-152, 163, 164, 169).
 * What must stay true: a licence that cannot be read in full is no permission; free works are
 * left alone unless the licence says that it covers them.
 */
#include "rights_in.h"

#include <string.h>

typedef struct licence_type {
    const char *name, *rule, *basis;
    bool collective; /* a rightsholder's letter takes the work out of it */
} licence_type;

static const licence_type types[] = {
    {"contract", "RR-152", "LIC-CONTRACT", false}, {"consent", "RR-152", "CONSENT", false},
    {"ecl-press", "RR-163", "ECL", true},          {"ecl-books", "RR-164", "ECL", true},
    {"ecl-tdm", "RR-169", "ECL", true},
};

static const licence_type *type_of(const cph_json *l)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (cph_str_is(cph_json_get_str(l, "type"), types[i].name)) return &types[i];
    return NULL;
}

static bool listed_or_open(const cph_json *list, cph_str word)
{
    return !list || list->n == 0 || cph_json_lists(list, word);
}

/* Speaks the licence of this work, country, purpose and day at all? */
static bool speaks(const cph_ask *q, const cph_json *l, const licence_type *t)
{
    const cph_json *conflict = cph_json_get(l, "conflict"), *params = cph_rule_of(q->r, t->rule)->params;
    const cph_json *forms = cph_json_get(l, "forms");
    bool covers_pd = cph_str_is(cph_json_get_str(l, "covers_pd"), "yes");
    cph_json_bool(cph_json_get(l, "covers_pd"), &covers_pd);
    if (conflict && conflict->n) return false; /* two statements of its terms differ: RR-010 */
    if (q->part.status == CPH_TERM_PD && !covers_pd) return false;
    if (!cph_purpose_listed(cph_json_get(l, "purposes"), q->p->purpose)) return false;
    if (!cph_country_listed(l, q->p->forum) || !cph_in_force(l, q->p->as_of)) return false;
    if (!forms) forms = cph_json_get(params, "forms");
    return listed_or_open(forms, q->c->work->form) &&
           listed_or_open(cph_json_get(params, "published_in"), q->c->work->origin);
}

/* "tiers": an array for all purposes, or an object purpose -> array; absent: all tiers. */
static bool tier_allowed(const cph_ask *q, const cph_json *l)
{
    const cph_json *tiers = cph_json_get(l, "tiers");
    if (tiers && tiers->type == CPH_JSON_OBJECT) tiers = cph_json_get(tiers, cph_purpose_text(q->p->purpose));
    return !tiers || cph_json_lists(tiers, cph_str_of(cph_tier_text(q->p->tier)));
}

/* A withdrawal of this work or edition from the licence, by a signal of the named kind. */
static bool withdrawn(const cph_ask *q, const cph_json *l, const char *kind)
{
    for (const cph_json *s = q->c->signals ? q->c->signals->first : NULL; s; s = s->next) {
        cph_str id = cph_json_get_str(s, "licence");
        cph_day day = 0;
        if (!cph_str_is(cph_json_get_str(s, "signal"), kind)) continue;
        if (id.n && !cph_str_eq(id, cph_json_get_str(l, "id"))) continue;
        if (cph_day_parse(cph_str_sub(cph_json_get_str(s, "seen_at"), 0, 10), &day) && day > q->p->as_of)
            continue;
        return true;
    }
    return false;
}

/* "1y": whole years. False: not readable. */
static bool window_years(cph_str s, int *out)
{
    uint64_t n;
    if (s.n < 2 || s.p[s.n - 1] != 'y' || !cph_str_u64(cph_str_sub(s, 0, s.n - 1), &n) || n > 200)
        return false;
    *out = (int)n;
    return true;
}

static bool weights_licence_fits(const cph_ask *q, cph_str at_least)
{
    char name[64];
    if (at_least.n == 0 || q->p->model_licence[0] == 0) return true; /* then it is an obligation */
    if (at_least.n >= sizeof name) return false;
    memcpy(name, at_least.p, at_least.n);
    name[at_least.n] = 0;
    return cph_json_lists(cph_json_get(q->r->weights_licences, name), cph_str_of(q->p->model_licence));
}

static cph_day last_reading(const cph_date *d) { return d->alt_to > d->to ? d->alt_to : d->to; }

static const char *date_fault(const cph_date *d)
{
    if (!cph_date_known(d)) return "NO_PUB_DATE";
    return cph_date_vouched(d) ? NULL : "DATE_IMPUTED"; /* RR-003 */
}

/* RR-163: pub_date <= release - window, on the latest day that the date can mean. */
static const char *window_fault(const cph_ask *q, const cph_json *l, cph_answer *answer)
{
    int years;
    cph_str window = cph_json_get_str(l, "window");
    const cph_date *pub = &q->c->work->pub;
    if (window.n == 0) return NULL;
    if (q->p->release == 0) {
        *answer = CPH_HUMAN;
        return "no-release-date";
    }
    if (date_fault(pub)) return date_fault(pub);
    if (!window_years(window, &years)) return "embargo";
    return last_reading(pub) <= cph_day_years_before(q->p->release, years) ? NULL : "embargo";
}

static const char *year_fault(const cph_ask *q, const cph_json *l)
{
    const cph_json *until = cph_json_get(l, "published_until");
    cph_date limit;
    if (!until) return NULL;
    if (date_fault(&q->c->work->pub)) return date_fault(&q->c->work->pub);
    if (cph_date_parse(&limit, until->str, CPH_STR("authority"), NULL) != CPH_OK) return "outside-licence";
    return last_reading(&q->c->work->pub) <= limit.to ? NULL : "outside-licence";
}

/* Why not, or NULL; *answer is DENY but for what a person must say. */
static const char *fault_of(const cph_ask *q, const cph_json *l, const licence_type *t, cph_answer *answer)
{
    cph_day from = 0;
    *answer = CPH_DENY;
    if (withdrawn(q, l, "licence_withdrawal")) return "withdrawn";
    if (withdrawn(q, l, "edition_withdrawal")) return "edition-withdrawn";
    if (q->reservation) {
        bool dated = cph_day_parse(cph_json_get_str(l, "from"), &from);
        if (t->collective || !dated || !cph_is_after_reservation(q, from)) return "reserved";
    }
    if (!tier_allowed(q, l)) return "tier";
    if (year_fault(q, l)) return year_fault(q, l);
    if (q->p->purpose == CPH_PURPOSE_TRAIN_RELEASE_WEIGHTS &&
        !weights_licence_fits(q, cph_json_get_str(l, "licence_at_least")))
        return "model-licence-too-wide";
    return window_fault(q, l, answer);
}

/* ---- the answer ---- */

static cph_status basis_of(const cph_ask *q, const cph_json *l, const licence_type *t, cph_str *out,
                           cph_err *err)
{
    cph_str id = cph_json_get_str(l, "id");
    if (t->collective && cph_str_starts(id, "ECL-")) id = cph_str_sub(id, 4, id.n);
    if (id.n == 0) return cph_arena_printf(q->a, out, err, "%s", t->basis);
    return cph_arena_printf(q->a, out, err, "%s(%.*s)", t->basis, CPH_FMT(id));
}

static cph_status oblige(const cph_ask *q, cph_finding *f, const char *what, cph_str id, cph_err *err)
{
    if (f->n_obligations == sizeof f->obligations / sizeof f->obligations[0])
        return cph_fail(err, CPH_DATA, "a licence with more than %zu obligations", f->n_obligations);
    cph_str *o = &f->obligations[f->n_obligations++];
    if (id.n == 0) return cph_arena_printf(q->a, o, err, "%s", what);
    return cph_arena_printf(q->a, o, err, "%s(%.*s)", what, CPH_FMT(id));
}

static bool trains(cph_purpose p)
{
    return p == CPH_PURPOSE_TRAIN_RESEARCH || p == CPH_PURPOSE_TRAIN_INTERNAL ||
           p == CPH_PURPOSE_TRAIN_RELEASE_WEIGHTS;
}

static cph_status obligations_of(const cph_ask *q, const cph_json *l, const licence_type *t, cph_finding *f,
                                 cph_err *err)
{
    cph_str none = {"", 0}, id = cph_json_get_str(l, "id"),
            at_least = cph_json_get_str(l, "licence_at_least");
    const cph_json *list = cph_json_get(l, "obligations");
    if (cph_str_starts(id, "ECL-")) id = cph_str_sub(id, 4, id.n);
    if (strcmp(t->rule, "RR-163") == 0 && trains(q->p->purpose)) {
        CPH_TRY(oblige(q, f, "no-publish-corpus", none, err));
        CPH_TRY(oblige(q, f, "use-restrictions", id, err));
        CPH_TRY(oblige(q, f, "remuneration-count", id, err));
    }
    if (at_least.n && trains(q->p->purpose)) CPH_TRY(oblige(q, f, "licence-at-least", at_least, err));
    for (const cph_json *o = list ? list->first : NULL; o; o = o->next) {
        cph_str word;
        CPH_TRY(cph_arena_str(q->a, &word, o->str, err));
        CPH_TRY(oblige(q, f, word.p, none, err));
    }
    return CPH_OK;
}

static bool obligations_known(const cph_json *l)
{
    const cph_json *list = cph_json_get(l, "obligations");
    for (const cph_json *o = list ? list->first : NULL; o; o = o->next)
        if (!cph_obligation_known(o->str)) return false;
    return true;
}

static cph_status judge(const cph_ask *q, const cph_json *l, const licence_type *t, cph_finding *out,
                        cph_err *err)
{
    cph_finding f = {.rule = t->rule, .reason = "", .basis = CPH_STR("NONE"), .because = l};
    const char *fault = fault_of(q, l, t, &f.answer);
    if (fault) {
        f.reason = fault;
        if (strcmp(fault, "reserved") == 0) {
            f.rule = "RR-186";
            f.because = q->reservation;
        }
    } else {
        f.answer = CPH_ALLOW;
        CPH_TRY(basis_of(q, l, t, &f.basis, err));
        CPH_TRY(obligations_of(q, l, t, &f, err));
    }
    *out = f;
    return CPH_OK;
}

/* The best answer of several licences: a yes under a confirmed rule, a yes, a question, a no. */
static int rank(const cph_ask *q, const cph_finding *f)
{
    if (f->answer != CPH_ALLOW) return f->answer == CPH_HUMAN ? 1 : 0;
    return cph_rule_confirmed(q->r, f->rule, q->p->forum, q->p->as_of) ? 3 : 2;
}

cph_status cph_step_licences(cph_ask *q, cph_finding *out, bool *found, cph_err *err)
{
    *found = false;
    for (const cph_json *l = q->c->licences ? q->c->licences->first : NULL; l; l = l->next) {
        const licence_type *t = type_of(l);
        cph_finding f;
        if (!t || !speaks(q, l, t) || !obligations_known(l)) continue;
        CPH_TRY(judge(q, l, t, &f, err));
        if (!*found || rank(q, &f) > rank(q, out)) *out = f;
        *found = true;
    }
    return CPH_OK;
}
