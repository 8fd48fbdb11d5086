/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.c - the question: for what, where, by whom, as of when.
 * What must stay true: the JSON form of a policy holds whatever can change an answer, and
 * nothing else; it enters the identity of what is built under it.
 */
#include "rights_in.h"

#include <string.h>

#define NAMES(MAP, one) static const char *const one[] = {MAP(NAME_OF)}
#define NAME_OF(name, text) text,
NAMES(CPH_PURPOSE_MAP, purpose_names);
NAMES(CPH_TIER_MAP, tier_names);
NAMES(CPH_ACTOR_MAP, actor_names);
static const char *const commercial_names[] = {"unknown", "no", "yes"};

static bool find_name(cph_str s, const char *const *names, int n, int *out)
{
    for (int i = 0; i < n; i++) {
        if (!cph_str_is(s, names[i])) continue;
        *out = i;
        return true;
    }
    return false;
}

bool cph_purpose_parse(cph_str s, cph_purpose *out)
{
    int i;
    bool ok = find_name(s, purpose_names, CPH_N_PURPOSES, &i);
    if (ok) *out = (cph_purpose)i;
    return ok;
}

bool cph_tier_parse(cph_str s, cph_tier *out)
{
    int i;
    bool ok = find_name(s, tier_names, CPH_N_TIERS, &i);
    if (ok) *out = (cph_tier)i;
    return ok;
}

bool cph_actor_parse(cph_str s, cph_actor *out)
{
    int i;
    bool ok = find_name(s, actor_names, CPH_N_ACTORS, &i);
    if (ok) *out = (cph_actor)i;
    return ok;
}

bool cph_commercial_parse(cph_str s, cph_commercial *out)
{
    int i;
    bool ok = find_name(s, commercial_names, 3, &i);
    if (ok) *out = (cph_commercial)i;
    return ok;
}

const char *cph_purpose_text(cph_purpose p) { return purpose_names[p]; }
const char *cph_tier_text(cph_tier t) { return tier_names[t]; }
const char *cph_actor_text(cph_actor a) { return actor_names[a]; }
const char *cph_commercial_text(cph_commercial c) { return commercial_names[c]; }

void cph_policy_init(cph_policy *p)
{
    *p = (cph_policy){.purpose = CPH_PURPOSE_TRAIN_INTERNAL,
                      .tier = CPH_TIER_STAFF,
                      .actor = CPH_ACTOR_HERITAGE,
                      .commercial = CPH_COMMERCIAL_NO,
                      .forum = "NO"};
}

/* ---- JSON ---- */

static cph_status set_text(cph_json *o, cph_arena *a, const char *key, const char *value, cph_err *err)
{
    return cph_json_set_str(o, a, key, cph_str_of(value), err);
}

/* What is not set leaves no trace: the usual policy has the five members of artefacts 1. */
static cph_status set_extras(cph_json *o, cph_arena *a, const cph_policy *p, cph_err *err)
{
    char day[16];
    cph_json *list, *v;
    if (p->release) {
        cph_day_text(p->release, day);
        CPH_TRY(set_text(o, a, "release", day, err));
    }
    if (p->model_licence[0]) CPH_TRY(set_text(o, a, "model_licence", p->model_licence, err));
    if (p->pd_assumed) {
        CPH_TRY(cph_json_new(&list, a, CPH_JSON_ARRAY, err));
        for (unsigned i = 0; i < CPH_N_PURPOSES; i++) {
            if (!(p->pd_assumed >> i & 1)) continue;
            CPH_TRY(cph_json_new_str(&v, a, cph_str_of(purpose_names[i]), err));
            CPH_TRY(cph_json_push(list, v, err));
        }
        CPH_TRY(cph_json_set(o, a, "pd_assumed", list, err));
    }
    if (!p->ladder.on) return CPH_OK;
    CPH_TRY(cph_json_new(&v, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set_i64(v, a, "foreign", p->ladder.foreign, err));
    CPH_TRY(cph_json_set_i64(v, a, "home", p->ladder.home, err));
    CPH_TRY(cph_json_set_i64(v, a, "newspaper", p->ladder.newspaper, err));
    return cph_json_set(o, a, "ladder", v, err);
}

cph_status cph_policy_json(cph_json **out, cph_arena *a, const cph_policy *p, cph_err *err)
{
    cph_json *o;
    CPH_TRY(cph_json_new(&o, a, CPH_JSON_OBJECT, err));
    CPH_TRY(set_text(o, a, "purpose", purpose_names[p->purpose], err));
    CPH_TRY(set_text(o, a, "tier", tier_names[p->tier], err));
    CPH_TRY(set_text(o, a, "actor", actor_names[p->actor], err));
    CPH_TRY(set_text(o, a, "commercial", commercial_names[p->commercial], err));
    CPH_TRY(set_text(o, a, "forum", p->forum, err));
    CPH_TRY(set_extras(o, a, p, err));
    *out = o;
    return CPH_OK;
}

static uint16_t years_of(const cph_json *v, const char *key)
{
    uint64_t n = 0;
    return cph_json_u64(cph_json_get(v, key), &n) && n < 1000 ? (uint16_t)n : 0;
}

static cph_status parse_extras(cph_policy *p, const cph_json *v, cph_err *err)
{
    cph_str release = cph_json_get_str(v, "release"), licence = cph_json_get_str(v, "model_licence");
    const cph_json *list = cph_json_get(v, "pd_assumed"), *ladder = cph_json_get(v, "ladder");
    if (release.n && !cph_day_parse(release, &p->release))
        return cph_fail(err, CPH_DATA, "policy: \"release\" is no day: %.*s", CPH_FMT(release));
    if (licence.n >= sizeof p->model_licence)
        return cph_fail(err, CPH_DATA, "policy: \"model_licence\" is too long");
    memcpy(p->model_licence, licence.p, licence.n);
    for (const cph_json *e = list ? list->first : NULL; e; e = e->next) {
        cph_purpose accepted;
        if (!cph_purpose_parse(e->str, &accepted))
            return cph_fail(err, CPH_DATA, "policy: \"pd_assumed\" has no purpose %.*s", CPH_FMT(e->str));
        p->pd_assumed |= 1u << accepted;
    }
    p->ladder = (cph_ladder){ladder != NULL, years_of(ladder, "foreign"), years_of(ladder, "home"),
                             years_of(ladder, "newspaper")};
    return CPH_OK;
}

cph_status cph_policy_parse(cph_policy *out, const cph_json *v, cph_err *err)
{
    cph_policy p = {0};
    cph_str forum = cph_json_get_str(v, "forum");
    if (!cph_purpose_parse(cph_json_get_str(v, "purpose"), &p.purpose) ||
        !cph_tier_parse(cph_json_get_str(v, "tier"), &p.tier) ||
        !cph_actor_parse(cph_json_get_str(v, "actor"), &p.actor) ||
        !cph_commercial_parse(cph_json_get_str(v, "commercial"), &p.commercial) || forum.n != 2)
        return cph_fail(err, CPH_DATA,
                        "policy: wants purpose, tier, actor, commercial and forum out of the closed lists");
    memcpy(p.forum, forum.p, 2);
    CPH_TRY(parse_extras(&p, v, err));
    *out = p;
    return CPH_OK;
}

/* ---- one policy inside another ---- */

#define P(name) (1u << CPH_PURPOSE_##name)
#define T(name) (1u << CPH_TIER_##name)

bool cph_policy_covers(const cph_policy *sealed, const cph_policy *asked)
{
    /* What a purpose contains beside itself: weights that may leave the house may also stay in it. */
    static const uint32_t purposes[CPH_N_PURPOSES] = {
        [CPH_PURPOSE_SNIPPET] = P(SEARCH),
        [CPH_PURPOSE_DISPLAY] = P(SEARCH) | P(SNIPPET),
        [CPH_PURPOSE_TRAIN_INTERNAL] = P(TRAIN_RESEARCH),
        [CPH_PURPOSE_TRAIN_RELEASE_WEIGHTS] = P(TRAIN_RESEARCH) | P(TRAIN_INTERNAL),
        [CPH_PURPOSE_PUBLISH_CORPUS] = P(EXPORT) | P(DISPLAY) | P(SNIPPET) | P(SEARCH),
    };
    static const uint32_t tiers[CPH_N_TIERS] = {
        [CPH_TIER_PUBLIC] = T(NATIONAL_IP) | T(ON_SITE) | T(RESEARCHER) | T(CAPSULE) | T(STAFF),
        [CPH_TIER_NATIONAL_IP] = T(ON_SITE) | T(STAFF),
        [CPH_TIER_ON_SITE] = T(STAFF),
        [CPH_TIER_RESEARCHER] = T(CAPSULE) | T(STAFF),
        [CPH_TIER_CAPSULE] = T(STAFF),
    };
    bool purpose = sealed->purpose == asked->purpose || (purposes[sealed->purpose] >> asked->purpose & 1);
    bool tier = sealed->tier == asked->tier || (tiers[sealed->tier] >> asked->tier & 1);
    bool commercial = asked->commercial == CPH_COMMERCIAL_NO || sealed->commercial == CPH_COMMERCIAL_YES ||
                      sealed->commercial == asked->commercial;
    return purpose && tier && commercial && sealed->actor == asked->actor &&
           strcmp(sealed->forum, asked->forum) == 0;
}
