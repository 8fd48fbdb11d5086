/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_seal.c - a Hugging Face directory that says what it was made from.
 *
 * Weights, configuration and tokenizer are content; papers, log and leaves stand
 * outside content_root, so that the digest is the same on every machine.
 */
#include "train_in.h"

#include <colophon/tokenizer/files.h>

static cph_status write_leaves(const cph_trainer *t, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_set_tree *seen;
    CPH_TRY(cph_path_join(path, dir, CPH_SEEN_LEAVES, err));
    CPH_TRY(cph_seen_tree(&seen, t->leaves, t->tokens, t->seen, err));
    cph_status s = cph_set_tree_write(seen, path, err);
    cph_set_tree_close(seen);
    return s;
}

cph_status cph_model_files(cph_trainer *t, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_model_save(t->model, dir, err));
    CPH_TRY(cph_tokenizer_write_hf(t->tokenizer, dir, cph_model_max_positions(t->model), err));
    CPH_TRY(cph_path_join(path, dir, CPH_LOG_NAME, err));
    CPH_TRY(cph_file_write(path, t->log.p ? t->log.p : "", t->log.n, err));
    return write_leaves(t, dir, err);
}

static uint64_t n_parameters(const cph_model *m)
{
    uint64_t n = 0;
    for (size_t i = 0; i < cph_model_n_params(m); i++) n += cph_model_param(m, i)->n;
    return n;
}

static cph_status set_trees(const cph_trainer *t, cph_arena *a, cph_json *identity, cph_err *err)
{
    const cph_manifest *tokens = cph_tokens_manifest(t->tokens);
    cph_set_tree *seen;
    cph_digest root;
    uint64_t n = 0;
    if (cph_manifest_root(tokens, "corpus_set_root", &root) &&
        cph_manifest_count(tokens, "corpus_set_size", &n))
        CPH_TRY(cph_identity_tree(identity, a, "set", &root, n, err));
    CPH_TRY(cph_seen_tree(&seen, t->leaves, t->tokens, t->seen, err));
    root = cph_set_tree_root(seen);
    n = cph_set_tree_n(seen);
    cph_set_tree_close(seen);
    CPH_TRY(cph_identity_tree(identity, a, "seen", &root, n, err));
    root = cph_merkle_root(&t->at.order);
    return cph_identity_tree(identity, a, "order", &root, t->at.order.n, err);
}

static cph_status identity_now(const cph_trainer *t, cph_arena *a, cph_json **out, cph_err *err)
{
    CPH_TRY(cph_train_identity(t, a, out, err));
    CPH_TRY(cph_identity_count(*out, a, "steps", t->at.step, err));
    CPH_TRY(cph_identity_count(*out, a, "tokens", t->at.tokens, err));
    CPH_TRY(cph_identity_count(*out, a, "parameters", n_parameters(t->model), err));
    return set_trees(t, a, *out, err);
}

static cph_status run_now(const cph_trainer *t, cph_arena *a, cph_json **out, cph_err *err)
{
    const cph_json *paths = cph_json_get(cph_manifest_run(cph_tokens_manifest(t->tokens)), "paths");
    cph_str corpus = cph_json_get_str(paths, "corpus");
    CPH_TRY(cph_run_new(out, a, t->o.started_unix_s, err));
    CPH_TRY(cph_run_path(*out, a, "tokens", cph_str_of(t->o.tokens), err));
    CPH_TRY(cph_run_path(*out, a, "tokenizer", cph_str_of(t->o.tokenizer), err));
    if (corpus.n) CPH_TRY(cph_run_path(*out, a, "corpus", corpus, err));
    if (t->has_base) CPH_TRY(cph_run_path(*out, a, "base", cph_str_of(t->o.from), err));
    return CPH_OK;
}

cph_status cph_model_seal(cph_trainer *t, const char *dir, cph_digest *digest, cph_err *err)
{
    static const char *const private_files[] = {CPH_SEEN_LEAVES, NULL};
    cph_arena a;
    cph_json *identity, *run;
    cph_arena_init(&a, (size_t)256 << 20);
    cph_status s = identity_now(t, &a, &identity, err);
    if (s == CPH_OK) s = run_now(t, &a, &run, err);
    if (s == CPH_OK) {
        cph_seal seal = {.kind = "model", .identity = identity, .run = run, .content_root = true,
                         .private_files = private_files};
        s = cph_seal_write(dir, &a, &seal, digest, err);
    }
    cph_arena_release(&a);
    return s;
}
