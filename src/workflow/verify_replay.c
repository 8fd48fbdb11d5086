/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_replay.c - finds what a replay needs, lets `train` run it, and turns its findings into rows of the
 * model, so that a false segment counts as every other difference does.
 */
#include <stdio.h>

#include "verify_in.h"

/* ---- what it needs ---- */

static cph_status find_parent(cph_verifier *v, const char *role, const char **path,
                              char external[CPH_PATH_MAX], cph_err *err)
{
    const cph_kin_place *model = &v->places[0];
    for (size_t i = 0; i < cph_manifest_n_parents(model->manifest); i++) {
        cph_parent p = cph_manifest_parent_at(model->manifest, i);
        cph_kin_place place;
        cph_err local = {.status = CPH_OK};
        if (!cph_str_is(p.role, role)) continue;
        if (cph_str_is(p.kind, "external")) {
            if (cph_verify_external(model, &p, external)) *path = external;
            return CPH_OK;
        }
        cph_status s = cph_kin_parent(v->kin, model, &p, &place, &local);
        if (s == CPH_OK) *path = place.path;
        if (s != CPH_OK && s != CPH_NO && err) *err = local;
        return s == CPH_NO ? CPH_OK : s;
    }
    return CPH_OK;
}

static cph_status need_tokens(cph_verifier *v, cph_replay_opts *o, cph_err *err)
{
    char unused[CPH_PATH_MAX];
    if (!o->tokens) CPH_TRY(find_parent(v, "tokens", &o->tokens, unused, err));
    if (o->tokens) return CPH_OK;
    cph_fail(err, CPH_USAGE, "%s: its token set is not here, and a replay reads it", o->model);
    return cph_hint(err, "--tokens names its directory");
}

/* ---- findings ---- */

static cph_status say_segment(cph_verifier *v, const cph_replay_segment *s, cph_err *err)
{
    char subject[48];
    snprintf(subject, sizeof subject, "steps %u-%u", s->first_step, s->last_step);
    if (s->differs) return cph_verify_say(v, CPH_DAMAGED, subject, err, "%.*s", CPH_FMT(s->what));
    if (!s->drawn) return CPH_OK;
    return cph_verify_say(v, CPH_VERIFIED, subject, err,
                          "run again: weights, optimizer state, order and seen works are the checkpoint's%s",
                          s->linked ? "" : "; where it began is not kept");
}

static cph_status say_chain(cph_verifier *v, const cph_replay_report *r, cph_err *err)
{
    if (r->n_gaps)
        CPH_TRY(cph_verify_say(v, CPH_ABSENT, "checkpoints", err,
                               "inside %u of %u segments the run removed some: these are long (a run that is to "
                               "be audited wants train --keep-every)",
                               r->n_gaps, r->n_segments));
    if (r->n_differ) return CPH_OK;
    return cph_verify_say(v, CPH_VERIFIED, "checkpoints", err,
                          "%u, as sealed, each following the one before, fed in the token set's order",
                          r->n_segments);
}

static cph_status say_all(cph_verifier *v, const cph_replay_report *r, cph_err *err)
{
    for (uint32_t i = 0; i < r->n_segments; i++) CPH_TRY(say_segment(v, &r->segments[i], err));
    CPH_TRY(say_chain(v, r, err));
    if (r->model_differs)
        return cph_verify_say(v, CPH_DAMAGED, "last checkpoint", err, "%.*s", CPH_FMT(r->model_what));
    return cph_verify_say(v, CPH_VERIFIED, "last checkpoint", err, "of step %u: the model, byte for byte",
                          r->segments[r->n_segments - 1].last_step);
}

cph_status cph_verify_replay(cph_verifier *v, cph_err *err)
{
    char base[CPH_PATH_MAX];
    void *mem;
    cph_err found = {.status = CPH_OK};
    const cph_kin_place model = v->n ? v->places[0] : (cph_kin_place){NULL, NULL};
    v->current = 0;
    if (v->n && v->artefacts[0].n_damaged)
        return cph_verify_say(v, CPH_ABSENT, "replay", err, "not run: the model is not as it was sealed");
    if (!model.manifest || !cph_str_is(cph_manifest_kind(model.manifest), "model"))
        return cph_fail(err, CPH_USAGE, "only a model can be replayed: it is what a training makes");
    cph_replay_opts o = {.model = model.path, .tokens = v->o->tokens, .run = v->o->run, .n = v->o->replay,
                         .seed = v->o->replay_seed, .pool = v->o->pool};
    CPH_TRY(need_tokens(v, &o, err));
    CPH_TRY(find_parent(v, "base", &o.base, base, err));
    CPH_TRY(cph_arena_alloc0(v->a, &mem, 1, sizeof(cph_replay_report), err));
    cph_status s = cph_train_replay(&o, v->a, mem, &found);
    if (s != CPH_OK) return cph_verify_fault(v, "replay", s, &found, err);
    v->report.replay = mem;
    return say_all(v, mem, err);
}
