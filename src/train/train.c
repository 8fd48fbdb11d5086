/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train.c - a run from its options to its seal.
 *
 * Opens what it reads, refuses what it may not use, says what it will take, goes on from
 * the newest checkpoint, and seals the result. The output's name is taken last of all.
 */
#include "train_in.h"

#include <colophon/base/log.h>
#include <colophon/base/memory.h>

#include <stdio.h>

#define LOG_MAX ((size_t)1 << 30)

/* ---- what it will take, said before the first step ---- */

static uint64_t rows_here(const cph_trainer *t)
{
    return (uint64_t)(t->ranks.micro_end - t->ranks.micro_first) * t->o.batch;
}

static cph_step_shape train_shape(const cph_trainer *t)
{
    return (cph_step_shape){.B = t->o.batch, .T = t->o.seq_len, .train = true,
                            .recompute_from = t->o.recompute_from, .recompute_to = t->o.recompute_to};
}

static cph_status need_of(const cph_trainer *t, uint64_t *state, uint64_t *step, cph_err *err)
{
    cph_optimizer_opts how = cph_train_optimizer(&t->o);
    unsigned threads = cph_pool_threads(t->pool);
    uint64_t held = 0;
    CPH_TRY(cph_step_need(t->model, train_shape(t), threads, step, err));
    if (t->held_out)
        CPH_TRY(cph_step_need(t->model, (cph_step_shape){.B = t->o.batch, .T = t->o.seq_len}, threads, &held,
                              err));
    *step += held + rows_here(t) * t->o.seq_len * 16;
    CPH_TRY(cph_optimizer_need(t->model, &how, &t->ranks.shard, threads, state, err));
    *state += cph_model_flat_len(t->model) * 8 + cph_ranks_need(t); /* weights, gradients */
    return CPH_OK;
}

static cph_status say_memory(const cph_trainer *t, cph_err *err)
{
    char a[32], b[32], c[32], d[32];
    uint64_t state, step, have = cph_memory_available(), cap = cph_memory_cap();
    CPH_TRY(need_of(t, &state, &step, err));
    if (cap && cap < have) have = cap;
    cph_format_bytes(state + step, a);
    cph_format_bytes(state, b);
    cph_format_bytes(step, c);
    cph_format_bytes(have, d);
    cph_log(CPH_INFO, "memory: needs %s (weights, gradients and optimizer %s, a step %s), have %s", a, b, c, d);
    if (cap && state + step > cap) {
        cph_fail(err, CPH_NOMEM, "training needs %s of memory; the limit is %s", a, d);
        return cph_hint(err, "a smaller --batch with --accumulate, or a shorter --seq-len");
    }
    if (state + step > have) cph_log(CPH_WARN, "training needs %s of memory, and %s are free", a, d);
    return CPH_OK;
}

/* One micro-batch on trial: its time tells the run's, its gradients are thrown away. */
static cph_status say_time(cph_trainer *t, cph_err *err)
{
    char left[32];
    cph_cursor c = t->at.cursor;
    uint64_t n = 0;
    double loss = 0;
    for (uint32_t r = 0; r < t->o.batch; r++) {
        cph_row row = cph_row_at(t, r);
        n += cph_order_row(t->order, &c, &row, NULL, NULL);
    }
    if (!n) return CPH_OK;
    cph_batch b = cph_batch_of(t, t->ranks.micro_first, n);
    double began = cph_now_s();
    CPH_TRY(cph_step_run(t->step, &b, t->grads, &loss, err));
    double s = (cph_now_s() - began) * (t->ranks.micro_end - t->ranks.micro_first);
    double rate = s > 0 ? (double)n * t->o.accumulate / s : 0;
    cph_format_seconds(s * (t->o.steps - t->at.step), left);
    cph_log(CPH_INFO, "time: about %s for %u steps (%.0f tokens/s on trial), saved every %u", left,
            t->o.steps - t->at.step, rate, t->o.save_every);
    return CPH_OK;
}

static void say_data(const cph_trainer *t)
{
    double epoch = (double)cph_order_n_tokens(t->order);
    double all = (double)t->o.steps * cph_rows_per_step(t) * t->o.seq_len;
    cph_log(CPH_INFO, "data: %llu tokens in %llu records; the run reads them about %.1f times",
            (unsigned long long)cph_order_n_tokens(t->order), (unsigned long long)cph_order_n_docs(t->order),
            epoch > 0 ? all / epoch : 0);
    if (!t->held_out) return;
    if (cph_order_n_docs(t->held_out))
        cph_log(CPH_INFO, "held out: %llu tokens in %llu records",
                (unsigned long long)cph_order_n_tokens(t->held_out),
                (unsigned long long)cph_order_n_docs(t->held_out));
    else
        cph_log(CPH_WARN, "no work fell into the share held out (%g): nothing is evaluated", t->o.held_out);
}

/* ---- opening ---- */

static cph_status check_purpose(const cph_manifest *m, const char *path, cph_err *err)
{
    cph_policy p;
    const cph_json *policy = cph_json_get(cph_manifest_identity(m), "policy");
    if (!policy)
        return cph_fail(err, CPH_RIGHTS, "%s: states no policy: nobody permitted to train on it", path);
    CPH_TRY(cph_policy_parse(&p, policy, err));
    if (p.purpose == CPH_PURPOSE_TRAIN_RESEARCH || p.purpose == CPH_PURPOSE_TRAIN_INTERNAL ||
        p.purpose == CPH_PURPOSE_TRAIN_RELEASE_WEIGHTS)
        return CPH_OK;
    cph_fail(err, CPH_RIGHTS, "%s: was permitted for %s, which is no training", path,
             cph_purpose_text(p.purpose));
    return cph_hint(err, "colophon build --for train-internal (or train-research, train-release-weights)");
}

cph_status cph_train_check_corpus(const char *corpus, cph_err *err)
{
    cph_manifest *m;
    CPH_TRY(cph_manifest_want(&m, corpus, "corpus", err));
    cph_status s = check_purpose(m, corpus, err);
    cph_manifest_close(m);
    return s;
}

cph_status cph_trainer_open_tokens(cph_trainer *t, cph_err *err)
{
    char path[CPH_PATH_MAX];
    if (!t->pool) {
        CPH_TRY(cph_pool_open(&t->own_pool, 1, err));
        t->pool = t->own_pool;
    }
    CPH_TRY(cph_tokens_open(&t->tokens, t->o.tokens, err));
    CPH_TRY(check_purpose(cph_tokens_manifest(t->tokens), t->o.tokens, err));
    CPH_TRY(cph_path_join(path, t->o.tokens, CPH_TOKENS_LEAVES, err));
    return cph_set_tree_read(&t->leaves, path, err);
}

static cph_status open_tokenizer(cph_trainer *t, cph_err *err)
{
    cph_digest mine, theirs;
    CPH_TRY(cph_tokenizer_open(&t->tokenizer, t->o.tokenizer, err));
    theirs = cph_tokens_tokenizer(t->tokens);
    if (!cph_tokenizer_digest(t->tokenizer, &mine) || cph_digest_cmp(&mine, &theirs) != 0)
        return cph_fail(err, CPH_USAGE, "%s: is not the tokenizer that made %s", t->o.tokenizer, t->o.tokens);
    return CPH_OK;
}

cph_status cph_trainer_open_base(cph_trainer *t, cph_err *err)
{
    cph_manifest *m;
    CPH_TRY(cph_model_open(&t->model, t->o.from, err));
    t->has_base = true;
    t->eos = cph_model_eos(t->model);
    cph_status s = cph_manifest_open(&m, t->o.from, err);
    if (s == CPH_NO) return cph_content_root_of(t->o.from, &t->base, err);
    CPH_TRY(s);
    t->base_sealed = true;
    t->base = cph_manifest_digest(m);
    cph_manifest_close(m);
    return CPH_OK;
}

static cph_status open_model(cph_trainer *t, cph_err *err)
{
    uint32_t vocab = cph_tokenizer_vocab_size(t->tokenizer), id;
    if (t->o.from) {
        CPH_TRY(cph_trainer_open_base(t, err));
        if (cph_model_vocab_size(t->model) >= vocab) return CPH_OK;
        return cph_fail(err, CPH_USAGE, "%s: has %u entries in its vocabulary, the tokenizer %u", t->o.from,
                        cph_model_vocab_size(t->model), vocab);
    }
    t->eos = cph_tokenizer_id(t->tokenizer, CPH_STR("<|endoftext|>"), &id) ? (int64_t)id : -1;
    return cph_trainer_new_model(t, vocab, err);
}

cph_status cph_trainer_new_model(cph_trainer *t, uint32_t vocab, cph_err *err)
{
    cph_arena a;
    cph_json *config;
    cph_arena_init(&a, (size_t)1 << 20);
    cph_status s = cph_train_config(&config, &a, &t->o, vocab, t->eos, err);
    if (s == CPH_OK) s = cph_model_new(&t->model, config, t->o.seed, err);
    cph_arena_release(&a);
    return s;
}

static cph_status set_arith(cph_trainer *t, cph_err *err)
{
    cph_arith a;
    cph_gemm gemm;
    CPH_TRY(cph_train_arith(&t->o, &a, err));
    CPH_TRY(cph_train_gemm(&t->o, &gemm, err));
    CPH_TRY(cph_model_set_arith(t->model, a, err));
    CPH_TRY(cph_model_set_gemm(t->model, gemm, err));
    cph_log(CPH_INFO, "arithmetic: %s, kernels of %s", cph_model_arith_text(t->model), cph_model_isa(t->model));
    return CPH_OK;
}

static cph_status resolve(cph_trainer *t, cph_err *err)
{
    uint32_t positions = cph_model_max_positions(t->model);
    if (!t->o.seq_len) t->o.seq_len = positions;
    if (t->o.seq_len > positions)
        return cph_fail(err, CPH_USAGE, "seq-len is %u; the model has %u positions", t->o.seq_len, positions);
    cph_train_resolve(&t->o);
    t->schedule = cph_train_schedule(&t->o);
    t->at.held_out_loss = t->at.best_loss = -1;
    cph_merkle_init(&t->at.order);
    return CPH_OK;
}

cph_status cph_trainer_open_order(cph_trainer *t, cph_err *err)
{
    CPH_TRY(resolve(t, err));
    cph_order_opts o = {.tokens = t->tokens, .seed = t->o.seed, .T = t->o.seq_len, .eos = t->eos,
                        .held_out = t->o.held_out};
    CPH_TRY(cph_order_open(&t->order, &o, err));
    if (!(t->o.held_out > 0)) return CPH_OK;
    o.read_held_out = true;
    return cph_order_open(&t->held_out, &o, err);
}

static cph_status floats(float **out, const cph_trainer *t, cph_err *err)
{
    void *p;
    CPH_TRY(cph_alloc0(&p, cph_model_flat_len(t->model) * sizeof(float), err));
    *out = p;
    return CPH_OK;
}

cph_status cph_trainer_allocate(cph_trainer *t, cph_err *err)
{
    cph_optimizer_opts how = cph_train_optimizer(&t->o);
    void *p;
    CPH_TRY(cph_ranks_cut(t, err));
    CPH_TRY(say_memory(t, err));
    size_t n = (size_t)rows_here(t) * t->o.seq_len;
    CPH_TRY(floats(&t->grads, t, err));
    CPH_TRY(cph_optimizer_open(&t->optimizer, t->model, &how, &t->ranks.shard, t->pool, err));
    CPH_TRY(cph_ranks_open(t, err));
    CPH_TRY(cph_alloc_n(&p, n, 4, err));
    t->rows.ids = p;
    CPH_TRY(cph_alloc_n(&p, n, 4, err));
    t->rows.labels = p;
    CPH_TRY(cph_alloc_n(&p, n, 4, err));
    t->rows.segments = p;
    CPH_TRY(cph_alloc_n(&p, n, 4, err));
    t->rows.positions = p;
    CPH_TRY(cph_alloc0(&p, (size_t)cph_tokens_n_docs(t->tokens) * sizeof *t->seen, err));
    t->seen = p;
    CPH_TRY(cph_step_open(&t->step, t->model, train_shape(t), t->pool, err));
    if (!t->held_out) return CPH_OK;
    return cph_step_open(&t->eval_step, t->model, (cph_step_shape){.B = t->o.batch, .T = t->o.seq_len},
                         t->pool, err);
}

static cph_status open_log(cph_trainer *t, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_path_join(path, t->run_dir, CPH_LOG_NAME, err));
    CPH_TRY(cph_out_open(&t->log_file, path, err));
    t->log_open = true;
    if (t->log.n) CPH_TRY(cph_out_write(&t->log_file, t->log.p, t->log.n, err));
    return cph_out_flush(&t->log_file, err);
}

void cph_trainer_release(cph_trainer *t)
{
    if (t->log_open) cph_out_abandon(&t->log_file);
    cph_buf_release(&t->log);
    cph_ranks_close(t);
    cph_step_close(t->eval_step);
    cph_step_close(t->step);
    cph_free(t->grads);
    cph_optimizer_close(t->optimizer);
    cph_free(t->rows.ids);
    cph_free(t->rows.labels);
    cph_free(t->rows.segments);
    cph_free(t->rows.positions);
    cph_free(t->seen);
    cph_order_close(t->held_out);
    cph_order_close(t->order);
    cph_model_close(t->model);
    cph_tokenizer_close(t->tokenizer);
    cph_set_tree_close(t->leaves);
    cph_tokens_close(t->tokens);
    cph_pool_close(t->own_pool);
}

/* ---- a run from start to seal ---- */

static cph_status seal_result(cph_trainer *t, cph_digest *digest, cph_err *err)
{
    cph_outdir dir;
    CPH_TRY(cph_outdir_begin(&dir, t->o.out, false, err));
    cph_status s = cph_model_files(t, dir.path, err);
    if (s == CPH_OK) s = cph_train_report(t, dir.path, err);
    /* The card tells the name, which no document moves; then the manifest has to list the card. */
    if (s == CPH_OK) s = cph_model_seal(t, dir.path, digest, err);
    if (s == CPH_OK) s = cph_train_card(t, digest, dir.path, err);
    if (s == CPH_OK) s = cph_model_seal(t, dir.path, digest, err);
    if (s == CPH_OK) s = cph_outdir_commit(&dir, err);
    cph_outdir_abort(&dir);
    return s;
}

/* The output may be this run's own: a run that was killed after its last rename is a finished run. */
static cph_status look_for_result(const cph_trainer *t, cph_train_result *r, cph_err *err)
{
    cph_manifest *m;
    cph_err why = {0};
    cph_status s = cph_manifest_open(&m, t->o.out, &why);
    if (s == CPH_NO || s == CPH_IO) return CPH_OK; /* a foreign directory is refused when the seal begins */
    if (s != CPH_OK && err) *err = why;
    CPH_TRY(s);
    s = cph_train_same_run(t, m, t->o.out, err);
    if (s == CPH_OK)
        *r = (cph_train_result){.digest = cph_manifest_digest(m),
                                .steps = t->o.steps,
                                .was_there = true,
                                .held_out_loss = -1};
    cph_manifest_close(m);
    return s;
}

static cph_status run_steps(cph_trainer *t, cph_train_result *r, cph_err *err)
{
    r->resumed_from = t->at.step;
    if (cph_rank_writes(t)) CPH_TRY(open_log(t, err));
    if (t->at.step) cph_log(CPH_INFO, "going on from step %u of %u", t->at.step, t->o.steps);
    if (t->at.step < t->o.steps) CPH_TRY(say_time(t, err));
    CPH_TRY(cph_train_loop(t, err));
    if (t->o.ema_release) CPH_TRY(cph_train_swap_average(t, err)); /* for good: the last checkpoint is written */
    r->tokens_per_s = cph_tokens_per_s(t);
    if (cph_rank_writes(t)) CPH_TRY(seal_result(t, &r->digest, err));
    CPH_TRY(cph_comm_share(t->o.comm, 0, &r->digest, sizeof r->digest, err));
    r->steps = t->at.step;
    r->loss = t->at.loss;
    r->held_out_loss = t->at.held_out_loss;
    return CPH_OK;
}

static cph_status run_locked(cph_trainer *t, cph_train_result *r, cph_err *err)
{
    say_data(t);
    CPH_TRY(cph_trainer_allocate(t, err));
    CPH_TRY(cph_state_digest_all(t, &t->segment_before, err));
    CPH_TRY(cph_checkpoint_resume(t, err));
    return run_steps(t, r, err);
}

static cph_status refuse_foreign_output(const cph_trainer *t, cph_err *err)
{
    cph_outdir probe;
    /* Begin and abort: the same refusal, hours before it would come. */
    CPH_TRY(cph_outdir_begin(&probe, t->o.out, false, err));
    cph_outdir_abort(&probe);
    return CPH_OK;
}

static cph_status take_place(cph_trainer *t, cph_lock *lock, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(refuse_foreign_output(t, err));
    CPH_TRY(cph_mkdirs(t->run_dir, err));
    CPH_TRY(cph_path_join(path, t->run_dir, "lock", err));
    cph_status s = cph_lock_take(lock, path, false, err);
    if (s == CPH_NO) return cph_fail(err, CPH_IO, "%s: another process is training here", t->run_dir);
    return s;
}

static cph_status run_in(cph_trainer *t, cph_train_result *r, cph_err *err)
{
    cph_lock lock;
    bool writes = cph_rank_writes(t);
    if (writes) CPH_TRY(look_for_result(t, r, err));
    CPH_TRY(cph_comm_share(t->o.comm, 0, r, sizeof *r, err));
    if (r->was_there) return CPH_OK;
    if (writes) CPH_TRY(take_place(t, &lock, err));
    cph_status s = run_locked(t, r, err);
    if (writes) cph_lock_drop(&lock);
    return s;
}

static cph_status open_all(cph_trainer *t, cph_err *err)
{
    int n = snprintf(t->run_dir, sizeof t->run_dir, "%s.run", t->o.out);
    if (n < 0 || (size_t)n >= sizeof t->run_dir)
        return cph_fail(err, CPH_USAGE, "%.200s...: the path is too long", t->o.out);
    CPH_TRY(cph_trainer_open_tokens(t, err));
    CPH_TRY(open_tokenizer(t, err));
    CPH_TRY(open_model(t, err));
    CPH_TRY(set_arith(t, err));
    return cph_trainer_open_order(t, err);
}

cph_status cph_train_run(const cph_train_opts *o, cph_train_result *result, cph_err *err)
{
    cph_trainer t = {.o = *o, .pool = o->pool, .eos = -1, .log_file = {.fd = -1}};
    cph_train_result r = {.held_out_loss = -1};
    CPH_TRY(cph_train_opts_check(o, err));
    cph_buf_init(&t.log, LOG_MAX);
    cph_status s = open_all(&t, err);
    if (s == CPH_OK) s = cph_ranks_agree(&t, err);
    if (s == CPH_OK) s = run_in(&t, &r, err);
    cph_trainer_release(&t);
    if (s == CPH_OK) *result = r;
    return s;
}
