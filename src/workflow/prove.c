/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prove.c - asks the trees of an artefact and of all that it came from, and writes
 * the answer down so that it can be checked elsewhere.
 *
 * A yes needs everything that could speak against it to have been looked into; what
 * could not be looked into is a no with its reason, never a shrug.
 */
#include <colophon/workflow/prove.h>

#include <stdio.h>
#include <string.h>

#include "prove_in.h"

#define MAX_ANCESTRY 256

typedef struct ancestry {
    cph_kin *kin;
    cph_kin_place at[MAX_ANCESTRY]; /* the artefact first */
    size_t n;
    cph_str reason; /* of what cannot be looked into; empty: everything can */
} ancestry;

static cph_status give_reason(ancestry *x, cph_arena *a, cph_err *err, const char *what, cph_str kind,
                              const cph_digest *d)
{
    char cite[64];
    cph_artefact_cite(kind, d, cite);
    if (x->reason.n) return CPH_OK; /* the first is enough */
    return cph_arena_printf(a, &x->reason, err, "%s %s", what, cite);
}

/* Everything whose text may be in the artefact: not snapshots, which hold what was refused, too. */
static cph_status collect(ancestry *x, cph_arena *a, cph_err *err)
{
    for (size_t i = 0; i < x->n; i++) {
        const cph_manifest *m = x->at[i].manifest;
        for (size_t k = 0; k < cph_manifest_n_parents(m); k++) {
            cph_parent p = cph_manifest_parent_at(m, k);
            cph_kin_place place;
            bool there = false;
            if (cph_str_is(p.kind, "snapshot") || cph_str_is(p.kind, "rulebase")) continue;
            if (cph_str_is(p.kind, "external")) {
                CPH_TRY(give_reason(x, a, err, "unknown-base", p.kind, &p.digest));
                continue;
            }
            cph_status s = cph_kin_parent(x->kin, &x->at[i], &p, &place, err);
            if (s == CPH_NO) {
                CPH_TRY(give_reason(x, a, err, "unreachable", p.kind, &p.digest));
                continue;
            }
            CPH_TRY(s);
            for (size_t j = 0; j < x->n; j++) there |= x->at[j].path == place.path;
            if (there) continue;
            if (x->n == MAX_ANCESTRY)
                return cph_fail(err, CPH_NOMEM, "%s: more than %d ancestors", x->at[0].path, MAX_ANCESTRY);
            x->at[x->n++] = place;
        }
    }
    return CPH_OK;
}

/* ---- one tree ---- */

typedef cph_status (*prove_fn)(cph_proof *out, const cph_set_tree *t, cph_str name, cph_arena *a,
                               cph_err *err);

static cph_status prove_in(const cph_kin_place *at, prove_fn prove, cph_str name, cph_arena *a,
                           cph_proof *out, cph_err *err)
{
    cph_set_tree *t;
    const char *tree;
    CPH_TRY(cph_artefact_tree(&t, &tree, at, err));
    cph_status s = prove(out, t, name, a, err);
    cph_set_tree_close(t);
    CPH_TRY(s);
    out->artefact = cph_manifest_digest(at->manifest);
    out->tree = cph_str_of(tree);
    return cph_arena_str(a, &out->artefact_kind, cph_manifest_kind(at->manifest), err);
}

static bool has_tree(const cph_kin_place *at)
{
    return cph_artefact_tree_name(cph_manifest_kind(at->manifest)) != NULL;
}

/* ---- in ---- */

static cph_status refuse(cph_prove_answer *out, cph_arena *a, const cph_prove_ask *ask, cph_err *err,
                         const char *fmt, ...) CPH_PRINTF(5, 6);

static cph_status refuse(cph_prove_answer *out, cph_arena *a, const cph_prove_ask *ask, cph_err *err,
                         const char *fmt, ...)
{
    char reason[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof reason, fmt, args);
    va_end(args);
    out->holds = false;
    CPH_TRY(cph_arena_str(a, &out->reason, cph_str_of(reason), err));
    return cph_prove_refusal(out, a, ask, err);
}

static cph_status prove_present(const cph_prove_ask *ask, ancestry *x, cph_arena *a, cph_prove_answer *out,
                                cph_err *err)
{
    cph_proof p;
    cph_err local = {.status = CPH_OK};
    prove_fn prove = ask->about == CPH_PROVE_WORK ? cph_prove_work : cph_prove_document;
    size_t i = 0;
    if (!has_tree(&x->at[0]))
        CPH_TRY(collect(x, a, err)); /* a tokenizer's or index's works are its corpus's */
    while (i < x->n && !has_tree(&x->at[i])) i++;
    if (i == x->n) return cph_fail(err, CPH_NO, "%s: no set tree is reachable from it", ask->path);
    cph_status s = prove_in(&x->at[i], prove, ask->name, a, &p, &local);
    const char *file = cph_artefact_tree_file(cph_manifest_kind(x->at[i].manifest));
    if (s == CPH_NO && file && !cph_artefact_has_file(&x->at[i], file))
        return refuse(out, a, ask, err, "leaves-withheld");
    if (s == CPH_NO) return refuse(out, a, ask, err, "absent");
    if (s != CPH_OK) {
        if (err) *err = local;
        return s;
    }
    return cph_prove_file(out, a, ask, &x->at[0], &p, 1, err);
}

/* ---- out ---- */

static cph_status same_text(const ancestry *x, const cph_prove_ask *ask, cph_arena *a,
                            cph_prove_answer *out, bool *refused, cph_err *err)
{
    for (size_t i = 0; i < x->n && !*refused; i++) {
        cph_str kept = {"", 0};
        if (!cph_str_is(cph_manifest_kind(x->at[i].manifest), "corpus")) continue;
        if (!cph_artefact_has_file(&x->at[i], "dropped.jsonl.zst")) {
            *refused = true;
            return refuse(out, a, ask, err, "drop-log-withheld");
        }
        CPH_TRY(cph_dropped_copy_of(&x->at[i], ask->name, a, &kept, err));
        if (!kept.n) continue;
        *refused = true;
        return refuse(out, a, ask, err, "same-text-as %.*s", CPH_FMT(kept));
    }
    return CPH_OK;
}

static cph_status prove_out(const cph_prove_ask *ask, ancestry *x, cph_arena *a, cph_prove_answer *out,
                            cph_err *err)
{
    void *mem;
    size_t n = 0;
    bool refused = false;
    CPH_TRY(collect(x, a, err));
    CPH_TRY(cph_arena_alloc0(a, &mem, x->n + 1, sizeof(cph_proof), err));
    cph_proof *proofs = mem;
    for (size_t i = 0; i < x->n; i++) {
        char cite[64];
        cph_digest d = cph_manifest_digest(x->at[i].manifest);
        cph_err local = {.status = CPH_OK};
        if (!has_tree(&x->at[i])) continue;
        cph_artefact_cite(cph_manifest_kind(x->at[i].manifest), &d, cite);
        const char *file = cph_artefact_tree_file(cph_manifest_kind(x->at[i].manifest));
        if (file && !cph_artefact_has_file(&x->at[i], file))
            return refuse(out, a, ask, err, "leaves-withheld %s", cite);
        cph_status s = prove_in(&x->at[i], cph_prove_absent, ask->name, a, &proofs[n], &local);
        if (s == CPH_NO) return refuse(out, a, ask, err, "present %s", cite);
        if (s != CPH_OK) {
            if (err) *err = local;
            return s;
        }
        n++;
    }
    CPH_TRY(same_text(x, ask, a, out, &refused, err));
    if (refused) return CPH_OK;
    if (x->reason.n) return refuse(out, a, ask, err, "%.*s", CPH_FMT(x->reason));
    if (n == 0) return cph_fail(err, CPH_NO, "%s: no set tree is reachable from it", ask->path);
    return cph_prove_file(out, a, ask, &x->at[0], proofs, n, err);
}

cph_status cph_prove(const cph_prove_ask *ask, cph_arena *a, cph_prove_answer *out, cph_err *err)
{
    void *mem;
    cph_prove_answer answer = {.holds = false};
    if (ask->name.n == 0 || cph_utf8_check(ask->name.p, ask->name.n) != ask->name.n)
        return cph_fail(err, CPH_USAGE, "a URN or an id of valid UTF-8 is wanted");
    CPH_TRY(cph_arena_alloc0(a, &mem, 1, sizeof(ancestry), err));
    ancestry *x = mem;
    CPH_TRY(cph_kin_open(&x->kin, ask->parents, ask->n_parents, err));
    cph_status s = cph_kin_wanted(x->kin, ask->path, &x->at[0], err);
    x->n = 1;
    if (s == CPH_OK)
        s = ask->about == CPH_PROVE_ABSENT ? prove_out(ask, x, a, &answer, err)
                                           : prove_present(ask, x, a, &answer, err);
    cph_kin_close(x->kin);
    if (s == CPH_OK) *out = answer;
    return s;
}
