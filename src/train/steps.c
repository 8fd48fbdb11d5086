/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps.c - the loop: rows, labels counted first, micro-batches, clipping, the update.
 *
 * A step is a function of (weights, moments, step number): the rows come from the
 * order at a cursor, dropout from (seed, site, micro-batch, step). Nothing that a clock,
 * a thread or an earlier crash could change enters it.
 */
#include "train_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>
#include <colophon/tensor/math.h>

#include <math.h>
#include <string.h>

/* ---- one step ---- */

uint32_t cph_rows_per_step(const cph_trainer *t) { return t->o.batch * t->o.accumulate; }

cph_row cph_row_at(const cph_trainer *t, uint64_t row)
{
    uint64_t at = row * t->o.seq_len;
    return (cph_row){t->rows.ids + at, t->rows.labels + at, t->rows.segments + at, t->rows.positions + at};
}

typedef struct feeding {
    cph_trainer *t;
    uint32_t row;
} feeding;

static void fed(void *ctx, const cph_piece *piece)
{
    feeding *f = ctx;
    cph_trainer *t = f->t;
    uint8_t leaf[CPH_ORDER_LEAF];
    cph_token_doc d = cph_tokens_doc(t->tokens, piece->doc);
    cph_order_leaf_bytes(t->at.step + 1, 0, f->row, &d.dkey, piece, leaf);
    cph_merkle_add(&t->at.order, leaf, sizeof leaf);
    cph_seen_add(t, piece);
}

/* Fills the rows of the whole step: its labels are counted before the first forward (engine, decision 7). */
uint64_t cph_train_feed(cph_trainer *t)
{
    uint64_t n_labels = 0;
    for (uint32_t r = 0; r < cph_rows_per_step(t); r++) {
        cph_row row = cph_row_at(t, r);
        feeding f = {t, r};
        n_labels += cph_order_row(t->order, &t->at.cursor, &row, fed, &f);
    }
    return n_labels;
}

cph_batch cph_batch_of(const cph_trainer *t, uint32_t micro, uint64_t n_labels)
{
    cph_row row = cph_row_at(t, (uint64_t)micro * t->o.batch);
    return (cph_batch){.ids = row.ids,
                       .labels = row.labels,
                       .segments = row.segments,
                       .positions = row.positions,
                       .inv_labels = 1.0f / (float)n_labels,
                       .seed = t->o.seed,
                       .slot = micro,
                       .step = t->at.step + 1};
}

static cph_status gradients(cph_trainer *t, uint64_t n_labels, double *loss, cph_err *err)
{
    double sum = 0;
    memset(t->grads, 0, cph_model_flat_len(t->model) * sizeof *t->grads);
    for (uint32_t micro = 0; micro < t->o.accumulate; micro++) {
        cph_batch b = cph_batch_of(t, micro, n_labels);
        double part = 0;
        CPH_TRY(cph_step_run(t->step, &b, t->grads, &part, err));
        sum += part;
    }
    *loss = sum / (double)n_labels;
    return CPH_OK;
}

static cph_status update(cph_trainer *t, cph_step_facts *f, cph_err *err)
{
    cph_update how = {.t = (uint64_t)t->at.step + 1, .schedule = cph_schedule_at(&t->schedule, t->at.step)};
    (void)cph_optimizer_sums(t->optimizer, t->grads);
    f->norm = cph_optimizer_norm(t->optimizer);
    f->lr = cph_optimizer_rate(t->optimizer, &how);
    if (!isfinite(f->loss) || !isfinite(f->norm)) {
        cph_fail(err, CPH_DATA, "step %u: the loss is %g and the gradient's norm %g: the run has diverged",
                 t->at.step + 1, f->loss, f->norm);
        return cph_hint(err,
                        "a lower --lr, a longer --warmup or --clip helps; the checkpoints before it stand");
    }
    how.grad_scale = t->o.clip > 0 ? t->o.clip / (f->norm + 1e-6) : 1; /* text-models 13.1 */
    if (how.grad_scale > 1) how.grad_scale = 1;
    cph_optimizer_step(t->optimizer, t->grads, &how);
    cph_model_weights_changed(t->model);
    return CPH_OK;
}

cph_status cph_train_step(cph_trainer *t, cph_step_facts *f, cph_err *err)
{
    uint64_t n_labels = cph_train_feed(t);
    if (!n_labels) return cph_fail(err, CPH_DATA, "step %u: no token of it can be predicted", t->at.step + 1);
    CPH_TRY(gradients(t, n_labels, &f->loss, err));
    CPH_TRY(update(t, f, err));
    t->at.loss = f->loss;
    t->at.step++;
    return CPH_OK;
}

/* ---- the log ---- */

static cph_status add_line(cph_trainer *t, cph_jw *w, size_t from, cph_err *err)
{
    CPH_TRY(cph_jw_done(w, err));
    CPH_TRY(cph_buf_char(&t->log, '\n', err));
    CPH_TRY(cph_out_write(&t->log_file, t->log.p + from, t->log.n - from, err));
    return cph_out_flush(&t->log_file, err); /* a killed run leaves its curve up to the last step */
}

double cph_tokens_per_s(const cph_trainer *t)
{
    double s = cph_now_s() - t->began_s;
    return s > 0 ? ((double)t->at.tokens - t->tokens_began) / s : 0;
}

static void member(cph_jw *w, const char *key, double v)
{
    cph_jw_key(w, key);
    cph_jw_double(w, v);
}

static cph_status log_step(cph_trainer *t, const cph_step_facts *f, cph_err *err)
{
    size_t from = t->log.n;
    cph_jw w = cph_jw_on(&t->log);
    cph_jw_obj(&w);
    cph_jw_key(&w, "step");
    cph_jw_u64(&w, t->at.step);
    member(&w, "loss", f->loss);
    member(&w, "lr", f->lr);
    member(&w, "grad_norm", f->norm);
    cph_jw_key(&w, "tokens");
    cph_jw_u64(&w, t->at.tokens);
    member(&w, "tokens_per_s", (double)(int64_t)cph_tokens_per_s(t));
    cph_jw_end(&w);
    return add_line(t, &w, from, err);
}

static cph_status log_evaluation(cph_trainer *t, uint64_t n_labels, cph_err *err)
{
    size_t from = t->log.n;
    cph_jw w = cph_jw_on(&t->log);
    cph_jw_obj(&w);
    cph_jw_key(&w, "step");
    cph_jw_u64(&w, t->at.step);
    member(&w, "held_out_loss", t->at.held_out_loss);
    member(&w, "perplexity", cph_exp(t->at.held_out_loss < 700 ? t->at.held_out_loss : 700));
    cph_jw_key(&w, "held_out_labels");
    cph_jw_u64(&w, n_labels);
    cph_jw_end(&w);
    return add_line(t, &w, from, err);
}

/* ---- evaluation on the works that were kept out ---- */

static uint64_t feed_held_out(cph_trainer *t, cph_cursor *c)
{
    uint64_t n = 0;
    for (uint32_t r = 0; r < t->o.batch; r++) {
        cph_row row = cph_row_at(t, r);
        n += cph_order_row(t->held_out, c, &row, NULL, NULL);
    }
    return n;
}

static cph_status evaluate(cph_trainer *t, cph_err *err)
{
    cph_cursor c = {0};
    double sum = 0;
    uint64_t all = 0, n;
    if (!t->held_out || !cph_order_n_docs(t->held_out)) return CPH_OK;
    while ((n = feed_held_out(t, &c)) > 0) {
        cph_batch b = cph_batch_of(t, 0, n);
        double part = 0;
        CPH_TRY(cph_step_run(t->eval_step, &b, NULL, &part, err));
        sum += part;
        all += n;
    }
    t->at.held_out_loss = sum / (double)all;
    if (t->at.best_loss < 0 || t->at.held_out_loss < t->at.best_loss) {
        t->at.best_loss = t->at.held_out_loss;
        t->at.best_step = t->at.step;
    }
    return log_evaluation(t, all, err);
}

/* ---- the loop ---- */

static bool due(uint32_t step, uint32_t every) { return every && step % every == 0; }

static cph_status after_step(cph_trainer *t, cph_err *err)
{
    bool last = t->at.step == t->o.steps;
    if (last || due(t->at.step, t->o.eval_every)) CPH_TRY(evaluate(t, err));
    if (last || due(t->at.step, t->o.save_every)) CPH_TRY(cph_checkpoint_save(t, err));
    if (last || !cph_interrupted()) return CPH_OK;
    CPH_TRY(cph_checkpoint_save(t, err));
    cph_log(CPH_INFO, "stopped after step %u of %u; the same command goes on from there", t->at.step,
            t->o.steps);
    return cph_interrupt_check("training", err);
}

cph_status cph_train_loop(cph_trainer *t, cph_err *err)
{
    cph_progress p;
    cph_status s = CPH_OK;
    cph_progress_begin(&p, "training", "steps", t->o.steps - t->at.step);
    t->began_s = cph_now_s();
    t->tokens_began = (double)t->at.tokens;
    while (s == CPH_OK && t->at.step < t->o.steps) {
        cph_step_facts f = {0};
        s = cph_train_step(t, &f, err);
        if (s == CPH_OK) s = log_step(t, &f, err);
        cph_progress_add(&p, 1);
        if (s == CPH_OK) s = after_step(t, err);
    }
    cph_progress_end(&p);
    return s;
}
