/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide.h - may I? A pure function of facts, question, rule base and date.
 *
 * No clock, no files, no globals (RR-009). Default deny (RR-001); undetermined
 * is treated as in copyright (RR-002). Rule ids stand in every answer.
 *
 * Threads  Pure; a rule base is immutable and may be shared.
 * Memory   Decisions borrow from the arena given.
 * Errors   CPH_DATA for malformed facts. A refusal is an answer, not an error.
 */
#ifndef CPH_RIGHTS_DECIDE_H
#define CPH_RIGHTS_DECIDE_H

#include <colophon/base/hash.h>
#include <colophon/rights/facts.h>

#ifdef __cplusplus
extern "C" {
#endif

/*                 name                    text */
#define CPH_PURPOSE_MAP(X)                                                                         \
    X(INGEST, "ingest") X(OCR, "ocr") X(SEARCH, "search") X(SNIPPET, "snippet")                    \
    X(DISPLAY, "display") X(FEATURES, "features") X(TRAIN_RESEARCH, "train-research")              \
    X(TRAIN_INTERNAL, "train-internal") X(TRAIN_RELEASE_WEIGHTS, "train-release-weights")          \
    X(PUBLISH_CORPUS, "publish-corpus") X(EXPORT, "export")
typedef enum cph_purpose {
#define CPH_PURPOSE_ENUM(name, text) CPH_PURPOSE_##name,
    CPH_PURPOSE_MAP(CPH_PURPOSE_ENUM)
#undef CPH_PURPOSE_ENUM
        CPH_N_PURPOSES
} cph_purpose;
#define CPH_TIER_MAP(X)                                                                            \
    X(PUBLIC, "public") X(NATIONAL_IP, "national-ip") X(ON_SITE, "on-site")                        \
    X(RESEARCHER, "researcher") X(CAPSULE, "capsule") X(STAFF, "staff")
typedef enum cph_tier {
#define CPH_TIER_ENUM(name, text) CPH_TIER_##name,
    CPH_TIER_MAP(CPH_TIER_ENUM)
#undef CPH_TIER_ENUM
        CPH_N_TIERS
} cph_tier;
#define CPH_ACTOR_MAP(X)                                                                           \
    X(HERITAGE, "heritage") X(RESEARCH, "research") X(COMPANY, "company")                          \
    X(PUBLIC_BODY, "public-body") X(PERSON, "person")
typedef enum cph_actor {
#define CPH_ACTOR_ENUM(name, text) CPH_ACTOR_##name,
    CPH_ACTOR_MAP(CPH_ACTOR_ENUM)
#undef CPH_ACTOR_ENUM
        CPH_N_ACTORS
} cph_actor;
typedef enum cph_commercial { CPH_COMMERCIAL_UNKNOWN, CPH_COMMERCIAL_NO, CPH_COMMERCIAL_YES } cph_commercial;

CPH_API bool cph_purpose_parse(cph_str s, cph_purpose *out);
CPH_API const char *cph_purpose_text(cph_purpose p);
CPH_API bool cph_tier_parse(cph_str s, cph_tier *out);
CPH_API const char *cph_tier_text(cph_tier t);
CPH_API bool cph_actor_parse(cph_str s, cph_actor *out);
CPH_API const char *cph_actor_text(cph_actor a);
CPH_API bool cph_commercial_parse(cph_str s, cph_commercial *out); /* yes, no, unknown */
CPH_API const char *cph_commercial_text(cph_commercial c);

/* The assumption ladder (5.5): years since publication after which a work is assumed free; 0: no such step.
 */
typedef struct cph_ladder {
    bool on;           /* also: 180 years since the birth of an author whose death is not known */
    uint16_t foreign, home, newspaper;
} cph_ladder;

/* Who asks, for what, where, and as of when. */
typedef struct cph_policy {
    cph_purpose purpose;
    cph_tier tier;
    cph_actor actor;
    cph_commercial commercial;
    char forum[3];        /* ISO 3166-1 alpha-2, upper case */
    cph_day as_of;        /* the date of the question */
    cph_day release;      /* model release date; 0: none (RR-163 then asks a person) */
    uint32_t pd_assumed;  /* bit per purpose: PD-ASSUMED is accepted for it */
    char model_licence[32]; /* of the weights that are to be released; empty: not stated */
    cph_ladder ladder;    /* off unless configured */
} cph_policy;
/* staff, heritage, not commercial, NO; purpose and as_of are the caller's to set. */
CPH_API void cph_policy_init(cph_policy *p);
/* {purpose, tier, actor, commercial, forum}, and what else is set but as_of, for a manifest's
 * identity.policy. */
CPH_API cph_status cph_policy_json(cph_json **out, cph_arena *a, const cph_policy *p,
                                   cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_policy_parse(cph_policy *out, const cph_json *v, cph_err *err) CPH_MUST_USE;
/* True when what `asked` wants lies inside what was `sealed` (same purpose or one that it covers). */
CPH_API bool cph_policy_covers(const cph_policy *sealed, const cph_policy *asked);

typedef struct cph_rulebase cph_rulebase;
/* `name`: "sample" (built in, RR-009), "house" (built in, nothing confirmed yet) or a path to a JSON rule
 * base. */
CPH_API cph_status cph_rulebase_open(cph_rulebase **out, const char *name, cph_err *err) CPH_MUST_USE;
CPH_API void cph_rulebase_close(cph_rulebase *r);
CPH_API cph_digest cph_rulebase_digest(const cph_rulebase *r);
CPH_API const char *cph_rulebase_name(const cph_rulebase *r);
CPH_API bool cph_rulebase_is_sample(const cph_rulebase *r);

typedef enum cph_term_status { CPH_TERM_UND, CPH_TERM_IC, CPH_TERM_PD, CPH_TERM_PD_ASSUMED } cph_term_status;
typedef struct cph_term {
    cph_term_status status;
    const char *reason;     /* of UND: a name of section 3.1, else "" */
    cph_day first_pd_day;   /* 0: absent */
    bool at_least;          /* ">=": earliest possible day */
    const char *rule;       /* "RR-020" */
} cph_term;
CPH_API cph_status cph_term_of(cph_term *out, const cph_work *w, const cph_policy *p, const cph_rulebase *r,
                               cph_err *err) CPH_MUST_USE;

typedef enum cph_answer { CPH_DENY, CPH_HUMAN, CPH_ALLOW } cph_answer;

/*
 * What a rule did with the works that a tally counts under it: "in the public domain". An id alone tells
 * nobody anything; the record of each work says more.
 */
CPH_API const char *cph_rule_sentence(cph_str rule, cph_answer answer);

/* Everything beside the work that a decision may read. JSON arrays as the collection keeps them; NULL: none.
 */
typedef struct cph_case {
    const cph_work *work;
    cph_str object_id, document_id;
    const cph_json *object;         /* {restriction, ...}: beside those of the work; may be NULL */
    const cph_json *blocks;         /* array */
    const cph_json *licences;       /* array: those whose scope includes the work */
    const cph_json *signals;        /* array */
    const cph_json *determinations; /* array: a person's signed answers */
} cph_case;

/*
 * Fills *out from what cph_collection_work or cph_snapshot_work gives. *work (in the arena's
 * lifetime) receives the parsed facts.
 */
CPH_API cph_status cph_case_parse(cph_case *out, cph_work *work, cph_arena *a, const cph_json *view,
                                  cph_err *err) CPH_MUST_USE;

#define CPH_RIGHTS_ENGINE 1 /* raised only when decisions change */

typedef struct cph_decision {
    cph_answer answer;
    const char *rule;   /* "RR-153" */
    cph_str basis;      /* "PD", "ECL(NO-PRESS)", "NONE", ... */
    const char *reason; /* closed list of section 8.1, or "" */
    cph_str obligations; /* joined by ' ' */
    cph_term term;
    cph_str record;     /* the decision record (4.2) as canonical JSON */
    cph_digest hash;    /* SHA-256 of the record */
    cph_str explain;    /* plain words with rule ids, a few lines */
} cph_decision;
CPH_API cph_status cph_decide(cph_decision *out, cph_arena *a, const cph_case *c, const cph_policy *p,
                              const cph_rulebase *r, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
