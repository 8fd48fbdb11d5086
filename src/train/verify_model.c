/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_model.c - what a model says about its data, computed again.
 *
 * seen_root comes from the leaves that lie beside the weights. With the token set at
 * hand the order function says once more what was fed, and both trees must come out.
 */
#include "train_in.h"

#include <colophon/base/memory.h>

#include <stdio.h>

typedef struct claim {
    const char *dir;
    cph_manifest *manifest;
    const cph_json *options;
} claim;

static cph_status check_root(const claim *c, const char *tree, const cph_digest *root, uint64_t n,
                             cph_err *err)
{
    char name[32];
    cph_digest sealed;
    uint64_t size = 0;
    snprintf(name, sizeof name, "%s_root", tree);
    if (!cph_manifest_root(c->manifest, name, &sealed) || cph_digest_cmp(&sealed, root) != 0)
        return cph_fail(err, CPH_DATA, "%s: %s is not what its data give", c->dir, name);
    snprintf(name, sizeof name, "%s_size", tree);
    if (!cph_manifest_count(c->manifest, name, &size) || size != n)
        return cph_fail(err, CPH_DATA, "%s: %s is not what its data give", c->dir, name);
    return CPH_OK;
}

static cph_status check_leaves(const claim *c, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_set_tree *tree;
    CPH_TRY(cph_path_join(path, c->dir, CPH_SEEN_LEAVES, err));
    if (cph_file_kind_of(path) == CPH_FILE_NONE && cph_manifest_is_published(c->manifest)) return CPH_OK;
    CPH_TRY(cph_set_tree_read(&tree, path, err));
    cph_digest root = cph_set_tree_root(tree);
    cph_status s = check_root(c, "seen", &root, cph_set_tree_n(tree), err);
    cph_set_tree_close(tree);
    return s;
}

/* ---- with the token set ---- */

static bool whole(const claim *c, const char *name, uint32_t *out)
{
    uint64_t n;
    if (!cph_str_u64(cph_json_get_str(c->options, name), &n) || n == 0 || n > UINT32_MAX) return false;
    *out = (uint32_t)n;
    return true;
}

typedef struct again {
    cph_trainer t;
    uint32_t steps;
    cph_order_step step;
} again;

/* EOS is not among the options: it is the tokenizer's, and stands in the model's configuration. */
static cph_status eos_of(const claim *c, int64_t *eos, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_arena a;
    cph_json *config;
    uint64_t id;
    CPH_TRY(cph_path_join(path, c->dir, "config.json", err));
    cph_arena_init(&a, (size_t)16 << 20);
    cph_status s = cph_json_read(&config, &a, path, (uint64_t)1 << 20, err);
    if (s == CPH_OK) *eos = cph_json_u64(cph_json_get(config, "eos_token_id"), &id) ? (int64_t)id : -1;
    cph_arena_release(&a);
    return s;
}

static cph_status read_claim(const claim *c, again *g, cph_order_opts *o, cph_err *err)
{
    uint32_t batch, accumulate, T;
    uint64_t steps, slots;
    cph_str seed = cph_json_get_str(cph_manifest_identity(c->manifest), "seed");
    if (!whole(c, "batch", &batch) || !whole(c, "accumulate", &accumulate) || !whole(c, "seq-len", &T) ||
        !cph_manifest_count(c->manifest, "steps", &steps) || steps > UINT32_MAX ||
        !cph_str_u64(seed, &o->seed) ||
        !cph_str_double(cph_json_get_str(c->options, "held-out"), &o->held_out) ||
        !cph_json_u64(cph_json_get(cph_manifest_identity(c->manifest), "slots"), &slots) || slots == 0 ||
        slots > accumulate || batch > UINT32_MAX / accumulate)
        return cph_fail(err, CPH_DATA, "%s: its options do not say in which order it read", c->dir);
    o->T = T;
    o->tokens = g->t.tokens;
    g->step = (cph_order_step){batch, accumulate, (uint32_t)slots};
    g->steps = (uint32_t)steps;
    return eos_of(c, &o->eos, err);
}

static void note(void *ctx, const cph_piece *piece) { cph_seen_add(ctx, piece); }

static cph_status feed_again(const claim *c, again *g, const cph_order_opts *o, cph_err *err)
{
    cph_trainer *t = &g->t;
    cph_digest root;
    uint64_t n;
    cph_cursor cursor = {0};
    CPH_TRY(cph_order_open(&t->order, o, err));
    CPH_TRY(cph_order_root(t->order, g->steps, &g->step, &root, &n, err));
    CPH_TRY(check_root(c, "order", &root, n, err));
    for (t->at.step = 0; t->at.step < g->steps; t->at.step++)
        for (uint32_t r = 0; r < g->step.batch * g->step.accumulate; r++) cph_order_row(t->order, &cursor, NULL, note, t);
    return CPH_OK;
}

static cph_status check_seen(const claim *c, again *g, cph_err *err)
{
    cph_set_tree *tree;
    CPH_TRY(cph_seen_tree(&tree, g->t.leaves, g->t.tokens, g->t.seen, err));
    cph_digest root = cph_set_tree_root(tree);
    cph_status s = check_root(c, "seen", &root, cph_set_tree_n(tree), err);
    cph_set_tree_close(tree);
    return s;
}

static cph_status is_parent(const claim *c, const cph_tokens *t, const char *where, cph_err *err)
{
    cph_digest digest = cph_manifest_digest(cph_tokens_manifest(t));
    for (size_t i = 0; i < cph_manifest_n_parents(c->manifest); i++) {
        cph_parent p = cph_manifest_parent_at(c->manifest, i);
        if (cph_str_is(p.role, "tokens") && cph_digest_cmp(&p.digest, &digest) == 0) return CPH_OK;
    }
    return cph_fail(err, CPH_USAGE, "%s: is not the token set that %s names", where, c->dir);
}

static cph_status against_tokens(const claim *c, const char *tokens, again *g, cph_err *err)
{
    char path[CPH_PATH_MAX];
    void *seen;
    cph_order_opts o = {0};
    CPH_TRY(cph_tokens_open(&g->t.tokens, tokens, err));
    CPH_TRY(is_parent(c, g->t.tokens, tokens, err));
    CPH_TRY(cph_path_join(path, tokens, CPH_TOKENS_LEAVES, err));
    CPH_TRY(cph_set_tree_read(&g->t.leaves, path, err));
    CPH_TRY(cph_alloc0(&seen, (size_t)cph_tokens_n_docs(g->t.tokens) * sizeof(cph_seen), err));
    g->t.seen = seen;
    CPH_TRY(read_claim(c, g, &o, err));
    CPH_TRY(feed_again(c, g, &o, err));
    return check_seen(c, g, err);
}

cph_status cph_train_verify(const char *model_dir, const char *tokens, cph_err *err)
{
    claim c = {.dir = model_dir};
    again g = {0};
    CPH_TRY(cph_manifest_open(&c.manifest, model_dir, err));
    c.options = cph_json_get(cph_manifest_identity(c.manifest), "options");
    cph_status s = CPH_OK;
    if (!cph_str_is(cph_manifest_kind(c.manifest), "model"))
        s = cph_fail(err, CPH_USAGE, "%s: is no model", model_dir);
    if (s == CPH_OK) s = check_leaves(&c, err);
    if (s == CPH_OK && tokens) s = against_tokens(&c, tokens, &g, err);
    cph_order_close(g.t.order);
    cph_set_tree_close(g.t.leaves);
    cph_tokens_close(g.t.tokens);
    cph_free(g.t.seen);
    cph_manifest_close(c.manifest);
    return s;
}
