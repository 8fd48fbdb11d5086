/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_open.c - a trainer from a seal.
 *
 * The seal holds every option that can change a weight, so that a verifier needs nothing
 * of the library but its files. What the seal says is not believed where it can be
 * remade: the identity of the trainer that comes out must be the sealed one.
 */
#include "replay_in.h"

#include <colophon/base/memory.h>
#include <colophon/provenance/check.h>

#include <stdio.h>
#include <string.h>

/* ---- refusals: other bits would be no fraud ---- */

static cph_status refuse(const cph_replay *r, const char *what, cph_str theirs, const char *ours,
                         cph_err *err)
{
    cph_fail(err, CPH_IO, "%s: refused, not reported as fraud: it was trained with %s %.*s, here it is %s",
             r->o->model, what, CPH_FMT(theirs), ours);
    return cph_hint(err, "other bits than the run's would come out; replay it with the toolkit and on the "
                         "processors that its manifest states under run");
}

static cph_status check_arithmetic(cph_replay *r, cph_err *err)
{
    const cph_json *identity = cph_manifest_identity(r->model);
    const cph_json *versions = cph_json_get(identity, "versions");
    cph_str numerics = cph_json_get_str(versions, "numerics"), arith = cph_json_get_str(identity, "arith");
    cph_str processor = cph_json_get_str(versions, "processor");
    char name[32], family[32];
    const cph_backend *kernels;
    cph_err none = {.status = CPH_OK};
    if (!cph_str_is(numerics, CPH_NUMERICS)) return refuse(r, "numerics", numerics, CPH_NUMERICS, err);
    snprintf(name, sizeof name, "%.*s", CPH_FMT(arith));
    if (cph_str_starts(arith, "onednn-")) {
        cph_fail(err, CPH_IO, "%s: refused, not reported as fraud: its matrix products are oneDNN's (%.*s), which "
                              "promises the same bits to nobody", r->o->model, CPH_FMT(arith));
        return cph_hint(err, "a run that shall be audited is trained with --gemm own, the default");
    }
    if (!cph_arith_parse(name, &r->arith)) return refuse(r, "the arithmetic", arith, "not known", err);
    if (cph_backend_for(&kernels, r->arith, &none) != CPH_OK)
        return refuse(r, "the arithmetic", arith, "not to be had", err);
    cph_processor_family(family);
    if (r->arith == CPH_ARITH_BF16_DOT && !cph_str_is(processor, family))
        return refuse(r, "bf16-dot on processors of the family", processor, family, err);
    return CPH_OK;
}

/* ---- options and parents ---- */

static bool parent_of(const cph_manifest *m, const char *role, cph_parent *out)
{
    for (size_t i = 0; i < cph_manifest_n_parents(m); i++) {
        *out = cph_manifest_parent_at(m, i);
        if (cph_str_is(out->role, role)) return true;
    }
    return false;
}

static cph_status need_base(const cph_replay *r, cph_err *err)
{
    cph_parent base;
    char cite[64];
    if (!parent_of(r->model, "base", &base)) return CPH_OK;
    if (r->o->base) return CPH_OK;
    cph_artefact_cite(base.kind, &base.digest, cite);
    return cph_fail(err, CPH_USAGE, "%s: started from %s, which is not here: its first step cannot be remade",
                    r->o->model, cite);
}

static cph_status read_options(cph_replay *r, cph_err *err)
{
    const cph_json *identity = cph_manifest_identity(r->model);
    cph_train_opts *o = &r->t.o;
    cph_parent base;
    uint64_t steps, slots;
    CPH_TRY(need_base(r, err));
    cph_train_opts_init(o);
    o->tokens = o->tokenizer = r->o->tokens; /* a tokenizer is not asked: ids are in the token set */
    o->out = r->o->model;
    o->from = parent_of(r->model, "base", &base) ? r->o->base : NULL;
    CPH_TRY(cph_train_opts_read(o, cph_json_get(identity, "options"), r->a, r->o->model, err));
    if (!cph_str_u64(cph_json_get_str(identity, "seed"), &o->seed) ||
        !cph_manifest_count(r->model, "steps", &steps) || steps == 0 || steps > o->steps)
        return cph_fail(err, CPH_DATA, "%s: its manifest has no seed, or no number of steps", r->o->model);
    if (!cph_json_u64(cph_json_get(identity, "slots"), &slots) || slots > CPH_MAX_SLOTS)
        return cph_fail(err, CPH_DATA, "%s: its manifest does not say how many slots a step has", r->o->model);
    o->slots = (uint32_t)slots;
    o->arith = cph_arith_text(r->arith);
    r->last = (uint32_t)steps;
    cph_status s = cph_train_opts_check(o, err);
    return s == CPH_OK ? s : cph_err_prefix(err, "%s", r->o->model);
}

static cph_status open_tokens(cph_replay *r, cph_err *err)
{
    cph_parent named;
    CPH_TRY(cph_trainer_open_tokens(&r->t, err));
    cph_digest is = cph_manifest_digest(cph_tokens_manifest(r->t.tokens));
    if (!parent_of(r->model, "tokens", &named) || cph_digest_cmp(&named.digest, &is) != 0)
        return cph_fail(err, CPH_USAGE, "%s: is not the token set that %s names", r->o->tokens, r->o->model);
    return cph_tokens_verify(r->o->tokens, err); /* a damaged copy would look like a false run */
}

/* ---- the model before its first step ---- */

/* Vocabulary and EOS are the tokenizer's; the model's configuration repeats them. */
static cph_status new_model(cph_replay *r, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_arena a;
    cph_json *config;
    uint64_t vocab, eos;
    CPH_TRY(cph_path_join(path, r->o->model, "config.json", err));
    cph_arena_init(&a, (size_t)16 << 20);
    cph_status s = cph_json_read(&config, &a, path, (uint64_t)1 << 20, err);
    if (s == CPH_OK && (!cph_json_u64(cph_json_get(config, "vocab_size"), &vocab) || vocab > UINT32_MAX))
        s = cph_fail(err, CPH_DATA, "%s: states no vocab_size", path);
    if (s == CPH_OK) {
        bool has = cph_json_u64(cph_json_get(config, "eos_token_id"), &eos) && eos < vocab;
        r->t.eos = has ? (int64_t)eos : -1;
        s = cph_trainer_new_model(&r->t, (uint32_t)vocab, err);
    }
    cph_arena_release(&a);
    return s;
}

static cph_status open_base(cph_replay *r, cph_err *err)
{
    cph_parent named;
    CPH_TRY(cph_trainer_open_base(&r->t, err));
    if (parent_of(r->model, "base", &named) && cph_digest_cmp(&named.digest, &r->t.base) == 0) return CPH_OK;
    return cph_fail(err, CPH_USAGE, "%s: is not the model from which %s started", r->o->base, r->o->model);
}

static cph_status open_model(cph_replay *r, cph_err *err)
{
    uint64_t needed;
    CPH_TRY(r->t.o.from ? open_base(r, err) : new_model(r, err));
    if (cph_manifest_count(cph_tokens_manifest(r->t.tokens), "vocabulary", &needed) &&
        cph_model_vocab_size(r->t.model) >= needed)
        return cph_model_set_arith(r->t.model, r->arith, err);
    return cph_fail(err, CPH_DATA, "%s: has a smaller vocabulary than %s", r->o->model, r->o->tokens);
}

static cph_status config_text(const cph_model *m, cph_buf *b, cph_err *err)
{
    cph_arena a;
    cph_json *config;
    cph_arena_init(&a, (size_t)16 << 20);
    cph_status s = cph_model_config(m, &a, &config, err);
    if (s == CPH_OK) s = cph_json_write(b, config, 0, err);
    cph_arena_release(&a);
    return s;
}

/* The released configuration is the one that trains here: weights alone do not make a model. */
static cph_status same_config(const cph_replay *r, cph_err *err)
{
    cph_model *sealed;
    cph_buf is, was;
    CPH_TRY(cph_model_open(&sealed, r->o->model, err));
    cph_buf_init(&is, (size_t)1 << 20);
    cph_buf_init(&was, (size_t)1 << 20);
    cph_status s = config_text(sealed, &was, err);
    if (s == CPH_OK) s = config_text(r->t.model, &is, err);
    if (s == CPH_OK && !cph_str_eq(cph_buf_view(&is), cph_buf_view(&was)))
        s = cph_fail(err, CPH_NO, "%s: its config.json is not the one that its options make", r->o->model);
    cph_buf_release(&is);
    cph_buf_release(&was);
    cph_model_close(sealed);
    return s;
}

/* ---- the sealed identity and the remade one ---- */

/* What a run arrives at, not what it is. */
static const char *const result_keys[] = {"counts", "roots", NULL};

static cph_status claim_text(const cph_json *identity, cph_arena *a, cph_buf *b, cph_err *err)
{
    cph_json *claim;
    CPH_TRY(cph_json_copy(&claim, a, identity, result_keys, err));
    return cph_json_canonical(b, claim, err);
}

static cph_status same_claim(const cph_json *x, const cph_json *y, bool *same, cph_err *err)
{
    cph_arena a;
    cph_buf p, q;
    cph_arena_init(&a, (size_t)256 << 20);
    cph_buf_init(&p, (size_t)64 << 20);
    cph_buf_init(&q, (size_t)64 << 20);
    cph_status s = claim_text(x, &a, &p, err);
    if (s == CPH_OK) s = claim_text(y, &a, &q, err);
    if (s == CPH_OK) *same = cph_str_eq(cph_buf_view(&p), cph_buf_view(&q));
    cph_buf_release(&p);
    cph_buf_release(&q);
    cph_arena_release(&a);
    return s;
}

static cph_status remade_identity(const cph_replay *r, cph_err *err)
{
    cph_arena a;
    cph_json *remade;
    bool same = false;
    cph_err found = {.status = CPH_OK};
    cph_status s = cph_train_same_run(&r->t, r->model, r->o->model, &found);
    if (s != CPH_OK) return cph_fail(err, s == CPH_USAGE ? CPH_DATA : s, "%s", found.what);
    cph_arena_init(&a, (size_t)256 << 20);
    s = cph_train_identity(&r->t, &a, &remade, err);
    if (s == CPH_OK) s = same_claim(cph_manifest_identity(r->model), remade, &same, err);
    cph_arena_release(&a);
    if (s == CPH_OK && !same)
        return cph_fail(err, CPH_DATA, "%s: its identity states what this version cannot remake",
                        r->o->model);
    return s;
}

/* ---- checkpoints ---- */

static cph_status first_damage(void *ctx, cph_str path, const char *what, cph_err *err)
{
    (void)ctx;
    return cph_fail(err, CPH_DATA, "%.*s %s", CPH_FMT(path), what);
}

static const cph_digest *content_of(const cph_manifest *m, cph_str path, cph_manifest_file *f)
{
    for (size_t i = 0; i < cph_manifest_n_files(m); i++) {
        *f = cph_manifest_file_at(m, i);
        if (cph_str_eq(f->path, path)) return &f->sha256;
    }
    return NULL;
}

/* Configuration and tokenizer do not change while a run goes on. */
static cph_status same_content(const cph_replay *r, const cph_manifest *m, cph_err *err)
{
    for (size_t i = 0; i < cph_manifest_n_files(r->model); i++) {
        cph_manifest_file f = cph_manifest_file_at(r->model, i), g;
        if (cph_is_document(f.path) || cph_str_is(f.path, "model.safetensors")) continue;
        const cph_digest *is = content_of(m, f.path, &g);
        if (!is || cph_digest_cmp(is, &f.sha256) != 0)
            return cph_fail(err, CPH_DATA, "its %.*s is not the model's", CPH_FMT(f.path));
    }
    return CPH_OK;
}

cph_status cph_replay_check_dir(const cph_replay *r, const char *dir, const cph_manifest *m, cph_err *err)
{
    cph_files_report report;
    bool same = false;
    CPH_TRY(same_claim(cph_manifest_identity(r->model), cph_manifest_identity(m), &same, err));
    if (!same) return cph_fail(err, CPH_DATA, "its identity is another run's");
    CPH_TRY(same_content(r, m, err));
    return cph_files_check(dir, m, r->t.pool, first_damage, NULL, &report, err);
}

static cph_status find_run(cph_replay *r, cph_err *err)
{
    uint32_t step;
    int n;
    if (r->o->run) {
        n = snprintf(r->run, sizeof r->run, "%s", r->o->run);
    } else if (cph_checkpoint_step(r->o->model, &step)) {
        cph_str dir = cph_path_dir(cph_str_of(r->o->model));
        n = snprintf(r->run, sizeof r->run, "%.*s", CPH_FMT(dir));
    } else {
        size_t len = strlen(r->o->model);
        while (len > 1 && r->o->model[len - 1] == '/') len--;
        n = snprintf(r->run, sizeof r->run, "%.*s.run", (int)len, r->o->model);
    }
    if (n < 0 || (size_t)n >= sizeof r->run)
        return cph_fail(err, CPH_USAGE, "%.200s...: the path is too long", r->o->model);
    if (cph_file_kind_of(r->run) == CPH_FILE_DIR) return CPH_OK;
    cph_fail(err, CPH_USAGE, "%s: no run is there, and a replay starts from its checkpoints", r->run);
    return cph_hint(err, "--run names the directory of step-... directories; training keeps them with "
                         "--keep-every");
}

static cph_status list_checkpoints(cph_replay *r, cph_err *err)
{
    CPH_TRY(find_run(r, err));
    CPH_TRY(cph_checkpoint_list(r->run, &r->steps, &r->n_steps, err));
    while (r->n_steps && r->steps[r->n_steps - 1] > r->last) r->n_steps--;
    if (r->n_steps && r->steps[r->n_steps - 1] == r->last) return CPH_OK;
    return cph_fail(err, CPH_NO, "%s: has no checkpoint of step %u, from which %s was sealed", r->run,
                    r->last, r->o->model);
}

/* ---- the whole ---- */

cph_status cph_replay_open(cph_replay *r, cph_err *err)
{
    CPH_TRY(cph_manifest_want(&r->model, r->o->model, "model", err));
    CPH_TRY(check_arithmetic(r, err));
    CPH_TRY(read_options(r, err));
    CPH_TRY(list_checkpoints(r, err));
    CPH_TRY(open_tokens(r, err));
    CPH_TRY(open_model(r, err));
    CPH_TRY(same_config(r, err));
    CPH_TRY(cph_trainer_open_order(&r->t, err));
    CPH_TRY(remade_identity(r, err));
    cph_order_close(r->t.held_out); /* nothing is evaluated */
    r->t.held_out = NULL;
    return cph_trainer_allocate(&r->t, err);
}

void cph_replay_release(cph_replay *r)
{
    cph_trainer_release(&r->t);
    cph_manifest_close(r->model);
    cph_free(r->steps);
}
