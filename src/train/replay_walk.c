/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_walk.c - walks a run from its first step to its model and computes drawn parts again.
 *
 * What was fed comes from the order function all the way and never from a checkpoint;
 * weights and optimizer state come from the earlier checkpoint, so that a segment can
 * be judged alone. A difference does not end the walk: the next segment starts from
 * what its own checkpoint holds.
 */
#include "replay_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>
#include <colophon/base/memory.h>
#include <colophon/base/philox.h>
#include <colophon/provenance/check.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct tensor_hash {
    const char *name, *part;
    cph_digest digest;
} tensor_hash;

typedef struct walk {
    cph_replay *r;
    cph_progress progress;
    tensor_hash *mine; /* of the state that was computed */
    size_t n_mine;
    bool known;        /* the trainer holds the state of the checkpoint before */
} walk;

/* What lies at the end of a segment. */
typedef struct goal {
    char dir[CPH_PATH_MAX];
    cph_manifest *manifest;
    cph_progress_state at;
    cph_segment segment;
    bool whole;
} goal;

/* The first finding of a segment stays. */
static cph_status finding(walk *w, cph_replay_segment *s, cph_err *err, const char *fmt, ...)
{
    char what[600];
    va_list args;
    if (s->differs) return CPH_OK;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    s->differs = true;
    w->r->report.n_differ++;
    return cph_arena_str(w->r->a, &s->what, cph_str_of(what), err);
}

/* A fault of the run is a finding; one of the machine ends the walk. */
static cph_status fault(walk *w, cph_replay_segment *s, cph_status status, const cph_err *found, cph_err *err)
{
    if (status == CPH_DATA || status == CPH_NO) return finding(w, s, err, "%s", found->what);
    if (err) *err = *found;
    return status;
}

/* ---- the state, tensor by tensor ---- */

static void count_tensor(void *ctx, const char *name, const char *part, const float *values, size_t n)
{
    (void)name, (void)part, (void)values, (void)n;
    ++*(size_t *)ctx;
}

typedef struct hashing {
    tensor_hash *at;
} hashing;

static void hash_tensor(void *ctx, const char *name, const char *part, const float *values, size_t n)
{
    hashing *h = ctx;
    *h->at++ = (tensor_hash){name, part, cph_sha256_of(values, n * sizeof *values)};
}

static void remember_state(walk *w)
{
    hashing h = {w->mine};
    cph_state_each(&w->r->t, hash_tensor, &h);
}

typedef struct comparison {
    const tensor_hash *at, *first; /* the first that is another */
    size_t n_other;
} comparison;

static void compare_tensor(void *ctx, const char *name, const char *part, const float *values, size_t n)
{
    comparison *c = ctx;
    const tensor_hash *mine = c->at++;
    cph_digest theirs = cph_sha256_of(values, n * sizeof *values);
    (void)name, (void)part;
    if (cph_digest_cmp(&theirs, &mine->digest) == 0) return;
    if (!c->first) c->first = mine;
    c->n_other++;
}

/* The trainer holds the checkpoint's state; `mine` is what the steps gave. */
static cph_status compare_state(walk *w, cph_replay_segment *s, cph_err *err)
{
    comparison c = {.at = w->mine};
    cph_state_each(&w->r->t, compare_tensor, &c);
    if (!c.first) return CPH_OK;
    return finding(w, s, err, "%s of %s %s others than the steps give (%zu of %zu tensors differ)",
                   c.first->part, c.first->name, strcmp(c.first->part, "weights") == 0 ? "are" : "is",
                   c.n_other, w->n_mine);
}

/* ---- what was fed ---- */

static bool same_cursor(const cph_cursor *a, const cph_cursor *b)
{
    return a->epoch == b->epoch && a->index == b->index && a->offset == b->offset && a->row == b->row;
}

static bool has_tree(const cph_manifest *m, const char *root, const char *size, const cph_digest *is,
                     uint64_t n)
{
    cph_digest sealed;
    uint64_t sealed_n;
    return cph_manifest_root(m, root, &sealed) && cph_digest_cmp(&sealed, is) == 0 &&
           cph_manifest_count(m, size, &sealed_n) && sealed_n == n;
}

/* The sealed leaves have the sealed root; a published copy does without them. */
static cph_status read_leaves(const goal *g, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_set_tree *stored;
    CPH_TRY(cph_path_join(path, g->dir, CPH_SEEN_LEAVES, err));
    if (cph_file_kind_of(path) == CPH_FILE_NONE && cph_manifest_is_published(g->manifest)) return CPH_OK;
    CPH_TRY(cph_set_tree_read(&stored, path, err));
    cph_digest root = cph_set_tree_root(stored);
    bool same = has_tree(g->manifest, "seen_root", "seen_size", &root, cph_set_tree_n(stored));
    cph_set_tree_close(stored);
    return same ? CPH_OK : cph_fail(err, CPH_DATA, "its %s is not of its seen_root", CPH_SEEN_LEAVES);
}

static cph_status compare_seen(walk *w, cph_replay_segment *s, const goal *g, cph_err *err)
{
    const cph_trainer *t = &w->r->t;
    cph_set_tree *seen;
    cph_err found = {.status = CPH_OK};
    cph_status status = read_leaves(g, &found);
    if (status != CPH_OK) return fault(w, s, status, &found, err);
    CPH_TRY(cph_seen_tree(&seen, t->leaves, t->tokens, t->seen, err));
    cph_digest root = cph_set_tree_root(seen);
    bool same = has_tree(g->manifest, "seen_root", "seen_size", &root, cph_set_tree_n(seen));
    cph_set_tree_close(seen);
    return same ? CPH_OK : finding(w, s, err, "its list of seen works is not what was fed");
}

static cph_status compare_data(walk *w, cph_replay_segment *s, const goal *g, cph_err *err)
{
    const cph_progress_state *is = &w->r->t.at;
    cph_digest root = cph_merkle_root(&is->order), stored = cph_merkle_root(&g->at.order);
    uint64_t tokens = 0, steps = 0;
    if (cph_digest_cmp(&root, &stored) != 0 || is->order.n != g->at.order.n ||
        !has_tree(g->manifest, "order_root", "order_size", &root, is->order.n))
        return finding(w, s, err, "its order of feeding (order_root) is not the token set's");
    if (!same_cursor(&is->cursor, &g->at.cursor) || is->tokens != g->at.tokens || is->step != g->at.step ||
        !cph_manifest_count(g->manifest, "tokens", &tokens) || tokens != is->tokens ||
        !cph_manifest_count(g->manifest, "steps", &steps) || steps != is->step)
        return finding(w, s, err, "its trainer_state.json stands at another place of the data");
    return s->drawn || is->step == w->r->last ? compare_seen(w, s, g, err) : CPH_OK;
}

/* ---- one segment ---- */

static cph_status read_goal(walk *w, goal *g, cph_err *err)
{
    CPH_TRY(cph_manifest_open(&g->manifest, g->dir, err));
    CPH_TRY(cph_replay_check_dir(w->r, g->dir, g->manifest, err));
    return cph_checkpoint_read(g->dir, &g->at, &g->segment, err);
}

static cph_status compare_link(walk *w, cph_replay_segment *s, const goal *g, cph_err *err)
{
    cph_digest is = cph_state_digest(&w->r->t);
    s->linked = true;
    if (cph_digest_cmp(&is, &g->segment.digest_before) == 0) return CPH_OK;
    return finding(w, s, err, "digest_before in its segment.json is not the state after step %u",
                   g->segment.first_step - 1);
}

/* Where segment.json says that it began, against where the checkpoint before it stands. */
static cph_status check_segment(walk *w, cph_replay_segment *s, const goal *g, cph_err *err)
{
    if (g->segment.last_step != s->last_step || g->segment.first_step < s->first_step)
        return finding(w, s, err, "its segment.json speaks of steps %u to %u", g->segment.first_step,
                       g->segment.last_step);
    w->r->report.n_gaps += g->segment.first_step > s->first_step;
    return w->known && g->segment.first_step == s->first_step ? compare_link(w, s, g, err) : CPH_OK;
}

static cph_status go_on(walk *w, cph_replay_segment *s, const goal *g, bool *computes, cph_err *err)
{
    cph_trainer *t = &w->r->t;
    cph_step_facts facts;
    cph_err found = {.status = CPH_OK};
    CPH_TRY(cph_interrupt_check("the replay", err));
    if (!*computes) {
        cph_train_feed(t);
        t->at.step++;
        return CPH_OK;
    }
    uint32_t step = t->at.step;
    cph_status status = cph_train_step(t, &facts, &found);
    cph_progress_add(&w->progress, 1);
    if (status != CPH_OK) {
        *computes = false;
        t->at.step = step + 1; /* it was fed */
        return fault(w, s, status, &found, err);
    }
    bool began_here = g->whole && t->at.step + 1 == g->segment.first_step;
    return began_here && t->at.step < s->last_step ? compare_link(w, s, g, err) : CPH_OK;
}

static bool same_window(const cph_window *a, const cph_window *b)
{
    for (uint32_t i = 0; i < a->n && a->n == b->n; i++)
        if (cph_window_at(a, i) != cph_window_at(b, i)) return false;
    return a->n == b->n;
}

/* By which the next steps tell outliers: as computed, or else as the checkpoint says. */
static bool take_windows(cph_progress_state *is, const cph_progress_state *stored, bool computed)
{
    bool same = same_window(&is->losses, &stored->losses) && same_window(&is->norms, &stored->norms) &&
                is->n_skipped == stored->n_skipped;
    is->losses = stored->losses;
    is->norms = stored->norms;
    is->n_skipped = stored->n_skipped;
    return same || !computed;
}

static cph_status load_goal(walk *w, cph_replay_segment *s, const goal *g, bool computed, cph_err *err)
{
    cph_err found = {.status = CPH_OK};
    double loss = w->r->t.at.loss;
    if (computed) remember_state(w);
    cph_status status = cph_checkpoint_arrays(&w->r->t, g->dir, &found);
    w->known = status == CPH_OK;
    bool windows = take_windows(&w->r->t.at, &g->at, computed);
    if (status != CPH_OK) return fault(w, s, status, &found, err);
    if (!computed) return CPH_OK;
    CPH_TRY(compare_state(w, s, err));
    if (!windows) return finding(w, s, err, "the outliers in its trainer_state.json are others");
    if (memcmp(&loss, &g->at.loss, sizeof loss) != 0)
        return finding(w, s, err, "the loss of step %u in trainer_state.json is another", s->last_step);
    return CPH_OK;
}

static cph_status walk_segment(walk *w, cph_replay_segment *s, goal *g, cph_err *err)
{
    cph_err found = {.status = CPH_OK};
    cph_status status = read_goal(w, g, &found);
    g->whole = status == CPH_OK;
    if (!g->whole) CPH_TRY(fault(w, s, status, &found, err));
    if (g->whole) CPH_TRY(check_segment(w, s, g, err));
    bool computes = s->drawn && w->known && g->whole;
    if (s->drawn && !w->known)
        CPH_TRY(finding(w, s, err, "it cannot be computed again: the checkpoint before it is not whole"));
    while (w->r->t.at.step < s->last_step) CPH_TRY(go_on(w, s, g, &computes, err));
    w->known = false;
    if (!g->whole) return CPH_OK;
    CPH_TRY(compare_data(w, s, g, err));
    return load_goal(w, s, g, computes, err);
}

/* ---- the draw, the walk, the model ---- */

static cph_status draw(walk *w, cph_err *err)
{
    cph_replay *r = w->r;
    cph_replay_report *report = &r->report;
    void *mem;
    CPH_TRY(cph_arena_alloc0(r->a, &mem, r->n_steps, sizeof(cph_replay_segment), err));
    report->segments = mem;
    report->n_segments = (uint32_t)r->n_steps;
    report->n_drawn = r->o->n < report->n_segments ? r->o->n : report->n_segments;
    for (uint32_t i = 0; i < report->n_segments; i++)
        report->segments[i] = (cph_replay_segment){.first_step = i ? r->steps[i - 1] + 1 : 1,
                                                   .last_step = r->steps[i]};
    for (uint32_t k = 0; k < report->n_drawn; k++)
        report->segments[cph_permute(r->o->seed, 0, report->n_segments, k)].drawn = true;
    return CPH_OK;
}

static uint64_t steps_drawn(const cph_replay_report *r)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < r->n_segments; i++)
        if (r->segments[i].drawn) n += r->segments[i].last_step - r->segments[i].first_step + 1;
    return n;
}

/* A released average: the model's weights are those that stand as such in the last checkpoint. */
static cph_status is_average(walk *w, const goal *last, bool *same, cph_err *err)
{
    static const char *const roots[] = {"set_root", "seen_root", "order_root"};
    cph_trainer *t = &w->r->t; /* nothing is walked after this */
    cph_model *sealed;
    CPH_TRY(cph_checkpoint_arrays(t, last->dir, err));
    CPH_TRY(cph_train_swap_average(t, err));
    CPH_TRY(cph_model_open(&sealed, w->r->o->model, err));
    *same = cph_model_flat_len(sealed) == cph_model_flat_len(t->model) &&
            memcmp(cph_model_weights(sealed), cph_model_weights(t->model),
                   cph_model_flat_len(sealed) * sizeof(float)) == 0;
    cph_model_close(sealed);
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        cph_digest a, b;
        bool here = cph_manifest_root(w->r->model, roots[i], &a), there = cph_manifest_root(last->manifest, roots[i], &b);
        if (here != there || (here && cph_digest_cmp(&a, &b) != 0)) *same = false;
    }
    return CPH_OK;
}

static cph_status model_is_last(walk *w, const goal *last, cph_err *err)
{
    cph_replay *r = w->r;
    cph_digest a, b;
    cph_err found = {.status = CPH_OK};
    if (!last->manifest) return CPH_OK; /* that it cannot be read was said */
    cph_status s = cph_replay_check_dir(r, r->o->model, r->model, &found);
    if (s != CPH_OK && s != CPH_DATA && s != CPH_NO) {
        if (err) *err = found;
        return s;
    }
    a = cph_manifest_digest(r->model);
    b = cph_manifest_digest(last->manifest);
    bool same = cph_digest_cmp(&a, &b) == 0;
    if (s == CPH_OK && r->t.o.ema_release && !same) CPH_TRY(is_average(w, last, &same, err));
    r->report.model_differs = s != CPH_OK || !same;
    if (!r->report.model_differs) return CPH_OK;
    if (s != CPH_OK) return cph_arena_str(r->a, &r->report.model_what, cph_str_of(found.what), err);
    bool content = cph_manifest_root(r->model, "content_root", &a) &&
                   cph_manifest_root(last->manifest, "content_root", &b) && cph_digest_cmp(&a, &b) == 0;
    return cph_arena_printf(r->a, &r->report.model_what, err, "%s not the checkpoint's of step %u",
                            content ? "its counts or roots are" : "its weights are", r->last);
}

static cph_status walk_all(walk *w, cph_err *err)
{
    cph_replay_report *report = &w->r->report;
    for (uint32_t i = 0; i < report->n_segments; i++) {
        goal g = {.manifest = NULL};
        CPH_TRY(cph_checkpoint_path(w->r->run, report->segments[i].last_step, g.dir, err));
        cph_status s = walk_segment(w, &report->segments[i], &g, err);
        if (s == CPH_OK && i + 1 == report->n_segments) s = model_is_last(w, &g, err);
        cph_manifest_close(g.manifest);
        CPH_TRY(s);
    }
    return CPH_OK;
}

static cph_status replay(cph_replay *r, cph_err *err)
{
    walk w = {.r = r, .known = true};
    void *mem;
    CPH_TRY(cph_replay_open(r, err));
    CPH_TRY(cph_arena_str(r->a, &r->report.run, cph_str_of(r->run), err));
    r->report.seed = r->o->seed;
    CPH_TRY(draw(&w, err));
    cph_state_each(&r->t, count_tensor, &w.n_mine);
    CPH_TRY(cph_arena_alloc0(r->a, &mem, w.n_mine, sizeof(tensor_hash), err));
    w.mine = mem;
    cph_progress_begin(&w.progress, "replaying", "steps", steps_drawn(&r->report));
    cph_status s = walk_all(&w, err);
    cph_progress_end(&w.progress);
    return s;
}

cph_status cph_train_replay(const cph_replay_opts *o, cph_arena *a, cph_replay_report *out, cph_err *err)
{
    cph_replay r = {.o = o, .a = a, .t = {.pool = o->pool, .eos = -1, .log_file = {.fd = -1}}};
    if (!o->n) return cph_fail(err, CPH_USAGE, "a replay of no segment says nothing");
    cph_status s = replay(&r, err);
    if (s == CPH_OK) *out = r.report;
    cph_replay_release(&r);
    return s;
}
