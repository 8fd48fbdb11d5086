/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide.c - may I? The order of RR-150, and the decision record (section 4.2).
 * What must stay true: RR-001, no path allows by falling through; RR-002, undetermined is
 * treated as in copyright; RR-009, an unconfirmed rule never allows, and the record is a
 * function of facts, question, rule base and day.
 */
#include "rights_in.h"

#include <stdio.h>
#include <string.h>

static const cph_str no_basis = {"NONE", 4};

static cph_finding refuse(cph_answer answer, const char *rule, const char *reason, const cph_json *because)
{
    return (cph_finding){
        .answer = answer, .rule = rule, .reason = reason, .basis = no_basis, .because = because};
}

static bool is_preparation(cph_purpose p) { return p == CPH_PURPOSE_INGEST || p == CPH_PURPOSE_OCR; }

/* ---- step 1: blocks (RR-151), contracts not read (RR-157) ---- */

/* A block that cannot be read in full is in force, everywhere and for everything. */
static bool block_covers(const cph_ask *q, const cph_json *b)
{
    const cph_json *purposes = cph_json_get(b, "purposes");
    cph_day from = 0, to = 0;
    if (cph_day_parse(cph_json_get_str(b, "from"), &from) && q->p->as_of < from) return false;
    if (cph_day_parse(cph_json_get_str(b, "to"), &to) && q->p->as_of > to) return false;
    if (!cph_country_listed(b, q->p->forum)) return false;
    if (!purposes || purposes->type != CPH_JSON_ARRAY || purposes->n == 0) return true;
    for (const cph_json *v = purposes->first; v; v = v->next) {
        cph_purpose known;
        if (v->type != CPH_JSON_STRING) return true;
        if (!cph_str_is(v->str, "train-*") && !cph_str_is(v->str, "*") && !cph_purpose_parse(v->str, &known))
            return true;
    }
    return cph_purpose_listed(purposes, q->p->purpose);
}

static bool step_blocks(const cph_ask *q, cph_finding *out)
{
    static const struct { const char *kind, *reason;
    } kinds[] = {
        {"takedown", "block-takedown"},
        {"court", "block-court"},
        {"privacy", "block-privacy"},
        {NULL, "block-suppression"},
    };
    for (size_t k = 0; k < 4; k++) {
        for (const cph_json *b = q->c->blocks ? q->c->blocks->first : NULL; b; b = b->next) {
            if (kinds[k].kind && !cph_str_is(cph_json_get_str(b, "block"), kinds[k].kind)) continue;
            if (!block_covers(q, b)) continue;
            *out = refuse(CPH_DENY, "RR-151", kinds[k].reason, b);
            return true;
        }
    }
    return false;
}

static bool restricted(const cph_ask *q, const char *word)
{
    cph_str fields[] = {q->c->work->restriction, cph_json_get_str(q->c->object, "restriction")}, part;
    for (size_t i = 0; i < 2; i++)
        while (fields[i].n && cph_str_split(&fields[i], '+', &part))
            if (cph_str_is(part, word)) return true;
    return false;
}

/* ---- RR-158: what would be allowed, against what the object came with ---- */

static bool commercial_use(const cph_ask *q) { return q->p->commercial == CPH_COMMERCIAL_YES; }

/* False: nothing of the object stands against it. A person's answer settles what was left to a person. */
static bool restriction_against(const cph_ask *q, bool by_person, cph_finding *out)
{
    cph_purpose p = q->p->purpose;
    if (is_preparation(p)) return false;
    if (restricted(q, "privacy")) {
        *out = refuse(CPH_DENY, "RR-158", "privacy", NULL);
        return true;
    }
    if (restricted(q, "contract-nc")) {
        bool goes_out = p == CPH_PURPOSE_PUBLISH_CORPUS || p == CPH_PURPOSE_EXPORT ||
                        p == CPH_PURPOSE_TRAIN_RELEASE_WEIGHTS;
        bool unknown = q->p->commercial == CPH_COMMERCIAL_UNKNOWN && !by_person;
        *out = refuse(CPH_DENY, "RR-158", "contract-restriction", NULL);
        if (goes_out || commercial_use(q)) return true;
        *out = refuse(CPH_HUMAN, "RR-158", "nc-meaning", NULL);
        if (unknown) return true;
    }
    if (by_person) return false;
    *out = refuse(CPH_HUMAN, "RR-158", restricted(q, "donor") ? "donor-terms" : "contract-restriction", NULL);
    return restricted(q, "donor") || restricted(q, "cultural") || restricted(q, "other-law");
}

/* ---- steps 2 and 3 ---- */

static cph_status determined(const cph_json *d, cph_finding *out, cph_err *err)
{
    const cph_json *list = cph_json_get(d, "obligations");
    cph_finding f = {.answer = CPH_ALLOW,
                     .rule = "RR-152",
                     .reason = "",
                     .basis = cph_json_get_str(d, "basis"),
                     .by_person = true,
                     .because = d};
    for (const cph_json *o = list ? list->first : NULL; o; o = o->next) {
        if (f.n_obligations == sizeof f.obligations / sizeof f.obligations[0])
            return cph_fail(err, CPH_DATA, "a determination with more than %zu obligations", f.n_obligations);
        f.obligations[f.n_obligations++] = o->str;
    }
    *out = f;
    return CPH_OK;
}

/* RR-153 and RR-142. */
static bool step_public_domain(const cph_ask *q, cph_finding *out)
{
    const cph_json *accepted = cph_json_get(cph_rule_of(q->r, "RR-142")->params, "purposes");
    *out = (cph_finding){.answer = CPH_ALLOW, .rule = "RR-153", .reason = "", .basis = CPH_STR("PD")};
    if (q->part.status == CPH_TERM_PD) return true;
    if (q->part.status != CPH_TERM_PD_ASSUMED || q->reservation) return false;
    out->rule = "RR-142";
    out->basis = CPH_STR("PD-ASSUMED");
    return cph_json_lists(accepted, cph_str_of(cph_purpose_text(q->p->purpose))) ||
           (q->p->pd_assumed >> q->p->purpose & 1);
}

/* RR-009: every rule that an ALLOW rests on must be confirmed; else a person is asked. */
static cph_finding only_confirmed(const cph_ask *q, cph_finding f)
{
    const char *rules[] = {f.rule, q->part.rule};
    bool rests_on_term = cph_str_is(f.basis, "PD") || cph_str_is(f.basis, "PD-ASSUMED");
    if (f.answer != CPH_ALLOW || f.by_person) return f;
    for (int i = 0; i < 1 + rests_on_term; i++)
        if (!cph_rule_confirmed(q->r, rules[i], q->p->forum, q->p->as_of))
            return refuse(CPH_HUMAN, rules[i], "unconfirmed-rule", NULL);
    return f;
}

static cph_finding settled(const cph_ask *q, cph_finding f)
{
    cph_finding against;
    if (f.answer == CPH_ALLOW && restriction_against(q, f.by_person, &against)) return against;
    return only_confirmed(q, f);
}

static cph_status find(cph_ask *q, cph_finding *out, cph_err *err)
{
    const cph_json *d = cph_determination_of(q);
    bool denied = d && cph_str_is(cph_json_get_str(d, "decision"), "DENY"), held = false;
    cph_finding f, holding = {.answer = CPH_DENY};

    if (step_blocks(q, out)) return CPH_OK;
    if (denied) { /* a person's no is a block */
        *out = refuse(CPH_DENY, "RR-151", "block-suppression", d);
        return CPH_OK;
    }
    if (restricted(q, "contract-unread") && !is_preparation(q->p->purpose) && !d) {
        *out = refuse(CPH_HUMAN, "RR-157", "CONTRACT_UNREAD", NULL);
        return CPH_OK;
    }
    if (d) {
        CPH_TRY(determined(d, &f, err));
        *out = settled(q, f);
        return CPH_OK;
    }
    CPH_TRY(cph_step_licences(q, &holding, &held, err));
    if (held) holding = settled(q, holding);
    if (held && holding.answer == CPH_ALLOW) {
        *out = holding;
        return CPH_OK;
    }
    if (step_public_domain(q, &f)) {
        *out = settled(q, f);
        return CPH_OK;
    }
    if (held)
        *out = holding;
    else if (q->reservation)
        *out = refuse(CPH_DENY, "RR-186", "reserved", q->reservation);
    else
        *out = refuse(CPH_DENY, "RR-156", "no-basis", NULL);
    return CPH_OK;
}

/* ---- the record ---- */

void cph_status_text(const cph_part *p, char out[48])
{
    static const char *const names[] = {"UND", "IC", "PD", "PD-ASSUMED"};
    if (p->status == CPH_TERM_UND)
        snprintf(out, 48, "UND(%s)", p->reason);
    else
        snprintf(out, 48, "%s", names[p->status]);
}

void cph_day_bound_text(const cph_part *p, char out[20])
{
    char day[16] = "";
    if (p->day) cph_day_text(p->day, day);
    snprintf(out, 20, "%s%s", p->day && p->at_least ? ">=" : "", day);
}

/* Who wrote a fact decides nothing: the same facts give the same hash live and from a snapshot. */
static cph_status add_nameless(cph_json *o, cph_arena *a, const char *key, const cph_json *list, cph_err *err)
{
    static const char *const names[] = {"by", NULL};
    cph_json *copy, *one;
    CPH_TRY(cph_json_new(&copy, a, CPH_JSON_ARRAY, err));
    for (const cph_json *v = list ? list->first : NULL; v; v = v->next) {
        CPH_TRY(cph_json_copy(&one, a, v, names, err));
        CPH_TRY(cph_json_push(copy, one, err));
    }
    return cph_json_set(o, a, key, copy, err);
}

/* All facts that were read, those included that did not matter in the end. */
static cph_status inputs_digest(const cph_ask *q, cph_digest *out, cph_err *err)
{
    cph_json *in, *copy;
    cph_buf b;
    CPH_TRY(cph_json_new(&in, q->a, CPH_JSON_OBJECT, err));
    if (q->c->work->facts) {
        CPH_TRY(cph_json_copy(&copy, q->a, q->c->work->facts, NULL, err));
        CPH_TRY(cph_json_set(in, q->a, "work", copy, err));
    }
    if (q->c->object) {
        CPH_TRY(cph_json_new(&copy, q->a, CPH_JSON_OBJECT, err));
        CPH_TRY(
            cph_json_set_str(copy, q->a, "restriction", cph_json_get_str(q->c->object, "restriction"), err));
        CPH_TRY(cph_json_set(in, q->a, "object", copy, err));
    }
    CPH_TRY(add_nameless(in, q->a, "blocks", q->c->blocks, err));
    CPH_TRY(add_nameless(in, q->a, "licences", q->c->licences, err));
    CPH_TRY(add_nameless(in, q->a, "signals", q->c->signals, err));
    CPH_TRY(add_nameless(in, q->a, "determinations", q->c->determinations, err));
    CPH_TRY(cph_policy_json(&copy, q->a, q->p, err));
    CPH_TRY(cph_json_set(in, q->a, "policy", copy, err));
    cph_buf_init(&b, (size_t)1 << 28);
    cph_status s = cph_json_canonical(&b, in, err);
    if (s == CPH_OK) *out = cph_sha256_of(b.p, b.n);
    cph_buf_release(&b);
    return s;
}

static void text_member(cph_jw *w, const char *key, const char *value)
{
    cph_jw_key(w, key);
    cph_jw_z(w, value);
}

/* Members in canonical order. */
static cph_status write_record(cph_buf *b, const cph_ask *q, const cph_finding *f, const cph_digest *inputs,
                               cph_err *err)
{
    static const char *const answers[] = {"DENY", "HUMAN", "ALLOW"};
    char as_of[16], day[20], status[48], inputs_hex[CPH_HEX_DIGEST], rules_hex[CPH_HEX_DIGEST];
    cph_day_text(q->p->as_of, as_of);
    cph_day_bound_text(&q->part, day);
    cph_status_text(&q->part, status);
    cph_digest_hex(inputs, inputs_hex);
    cph_digest_hex(&q->r->digest, rules_hex);
    cph_jw w = cph_jw_on(b);
    cph_jw_obj(&w);
    text_member(&w, "actor", cph_actor_text(q->p->actor));
    text_member(&w, "as_of", as_of);
    cph_jw_key(&w, "basis");
    cph_jw_str(&w, f->basis);
    text_member(&w, "decision", answers[f->answer]);
    cph_jw_key(&w, "doc");
    cph_jw_str(&w, q->c->document_id);
    cph_jw_key(&w, "engine");
    cph_jw_i64(&w, CPH_RIGHTS_ENGINE);
    text_member(&w, "first_pd_day", day);
    text_member(&w, "forum", q->p->forum);
    text_member(&w, "inputs_sha256", inputs_hex);
    if (q->r->sample) { /* RR-009 */
        cph_jw_key(&w, "notice");
        cph_jw_str(&w, q->r->notice);
    }
    cph_jw_key(&w, "object");
    cph_jw_str(&w, q->c->object_id);
    cph_jw_key(&w, "obligations");
    cph_jw_arr(&w);
    for (size_t i = 0; i < f->n_obligations; i++) cph_jw_str(&w, f->obligations[i]);
    cph_jw_end(&w);
    text_member(&w, "purpose", cph_purpose_text(q->p->purpose));
    text_member(&w, "reason", f->reason);
    text_member(&w, "rule", f->rule);
    text_member(&w, "rulebase_sha256", rules_hex);
    text_member(&w, "status", status);
    text_member(&w, "tier", cph_tier_text(q->p->tier));
    cph_jw_key(&w, "v");
    cph_jw_i64(&w, 1);
    cph_jw_key(&w, "work");
    cph_jw_str(&w, q->c->work->urn);
    cph_jw_end(&w);
    return cph_jw_done(&w, err);
}

static cph_status join_obligations(const cph_ask *q, const cph_finding *f, cph_str *out, cph_err *err)
{
    cph_str all = {"", 0};
    for (size_t i = 0; i < f->n_obligations; i++)
        CPH_TRY(cph_arena_printf(q->a, &all, err, "%.*s%s%.*s", CPH_FMT(all), i ? " " : "",
                                 CPH_FMT(f->obligations[i])));
    *out = all;
    return CPH_OK;
}

static cph_status finish(cph_decision *out, cph_ask *q, const cph_finding *f, cph_err *err)
{
    cph_digest inputs;
    cph_buf b;
    cph_decision d = {.answer = f->answer, .rule = f->rule, .basis = f->basis, .reason = f->reason};
    d.term = (cph_term){q->part.status, q->part.status == CPH_TERM_UND ? q->part.reason : "", q->part.day,
                        q->part.at_least, q->part.rule};
    CPH_TRY(inputs_digest(q, &inputs, err));
    CPH_TRY(join_obligations(q, f, &d.obligations, err));
    CPH_TRY(cph_explain(&d.explain, q, f, err));
    cph_buf_init(&b, 1u << 20);
    cph_status s = write_record(&b, q, f, &inputs, err);
    if (s == CPH_OK) s = cph_arena_str(q->a, &d.record, cph_buf_view(&b), err);
    cph_buf_release(&b);
    CPH_TRY(s);
    d.hash = cph_sha256_of(d.record.p, d.record.n);
    *out = d;
    return CPH_OK;
}

cph_status cph_decide(cph_decision *out, cph_arena *a, const cph_case *c, const cph_policy *p,
                      const cph_rulebase *r, cph_err *err)
{
    cph_finding f;
    cph_term_question term = {c->work, p, r};
    cph_ask q = {.a = a, .c = c, .p = p, .r = r};
    if (p->as_of == 0)
        return cph_fail(err, CPH_USAGE, "a question about rights needs the day it is asked for (as_of)");
    q.part = cph_term_part(&term);
    if (q.part.status != CPH_TERM_PD)
        q.reservation = cph_reservation_of(&q); /* RR-186 never binds free works */
    CPH_TRY(find(&q, &f, err));
    return finish(out, &q, &f, err);
}

cph_status cph_case_parse(cph_case *out, cph_work *work, cph_arena *a, const cph_json *view, cph_err *err)
{
    CPH_TRY(cph_work_parse(work, a, cph_json_get(view, "work"), err));
    *out = (cph_case){.work = work,
                      .blocks = cph_json_get(view, "blocks"),
                      .licences = cph_json_get(view, "licences"),
                      .signals = cph_json_get(view, "signals"),
                      .determinations = cph_json_get(view, "determinations"),
                      .object_id = {"", 0},
                      .document_id = {"", 0}};
    return CPH_OK;
}
