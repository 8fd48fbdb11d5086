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
    uint32_t slot, row;
} feeding;

static void fed(void *ctx, const cph_piece *piece)
{
    feeding *f = ctx;
    cph_trainer *t = f->t;
    uint8_t leaf[CPH_ORDER_LEAF];
    cph_token_doc d = cph_tokens_doc(t->tokens, piece->doc);
    cph_order_leaf_bytes(t->at.step + 1, f->slot, f->row, &d.dkey, piece, leaf);
    cph_merkle_add(&t->at.order, leaf, sizeof leaf);
    cph_seen_add(t, piece);
}

/* Fills the rows of the whole step: its labels are counted before the first forward (engine, decision 7). */
uint64_t cph_train_feed(cph_trainer *t)
{
    cph_order_step step = cph_order_step_of(t);
    uint64_t n_labels = 0;
    for (uint32_t slot = 0; slot < step.slots; slot++) {
        uint32_t first = cph_order_slot_first(&step, slot) * step.batch;
        uint32_t n = cph_order_slot_first(&step, slot + 1) * step.batch - first;
        bool mine = slot >= t->ranks.slot_first && slot < t->ranks.slot_end;
        for (uint32_t r = 0; r < n; r++) {
            cph_row row = mine ? cph_row_at(t, first + r - t->ranks.micro_first * step.batch) : (cph_row){0};
            feeding f = {t, slot, r};
            n_labels += cph_order_row(t->order, &t->at.cursor, mine ? &row : NULL, fed, &f);
        }
    }
    return n_labels;
}

cph_batch cph_batch_of(const cph_trainer *t, uint32_t micro, uint64_t n_labels)
{
    cph_row row = cph_row_at(t, (uint64_t)(micro - t->ranks.micro_first) * t->o.batch);
    return (cph_batch){.ids = row.ids,
                       .labels = row.labels,
                       .segments = row.segments,
                       .positions = row.positions,
                       .inv_labels = 1.0f / (float)n_labels,
                       .seed = t->o.seed,
                       .slot = micro,
                       .step = t->at.step + 1};
}

/* In the order of micro-batches, whoever computed them. */
static double sum_losses(const cph_trainer *t)
{
    double sum = 0;
    for (uint32_t i = 0; i < t->o.accumulate; i++) sum += t->ranks.losses[i];
    return sum;
}

static bool is_outlier(cph_trainer *t, cph_step_facts *f)
{
    double z_loss, z_norm;
    if (!(t->o.skip_outliers > 0)) return false;
    cph_window_add(&t->at.losses, f->loss);
    cph_window_add(&t->at.norms, f->norm);
    z_loss = cph_window_z(&t->at.losses);
    z_norm = cph_window_z(&t->at.norms);
    if (z_loss > t->o.skip_outliers) f->skipped = "loss";
    else if (z_norm > t->o.skip_outliers) f->skipped = "grad_norm";
    f->z = z_loss > t->o.skip_outliers ? z_loss : z_norm;
    return f->skipped != NULL;
}

static cph_status update(cph_trainer *t, uint64_t n_labels, cph_step_facts *f, cph_err *err)
{
    cph_update how = {.t = (uint64_t)t->at.step + 1, .schedule = cph_schedule_at(&t->schedule, t->at.step)};
    CPH_TRY(cph_ranks_exchange(t, cph_optimizer_sums(t->optimizer, t->grads), err));
    f->loss = sum_losses(t) / (double)n_labels;
    f->norm = cph_optimizer_norm(t->optimizer);
    f->lr = cph_optimizer_rate(t->optimizer, &how);
    if (!isfinite(f->loss) || !isfinite(f->norm)) {
        cph_fail(err, CPH_DATA, "step %u: the loss is %g and the gradient's norm %g: the run has diverged",
                 t->at.step + 1, f->loss, f->norm);
        return cph_hint(err,
                        "a lower --lr, a longer --warmup or --clip helps; the checkpoints before it stand");
    }
    if (is_outlier(t, f)) {
        t->at.n_skipped++;
        cph_log(CPH_WARN, "step %u: skipped, its %s lies %.1f standard deviations out", t->at.step + 1, f->skipped,
                f->z);
        return CPH_OK;
    }
    how.grad_scale = t->o.clip > 0 ? t->o.clip / (f->norm + 1e-6) : 1; /* text-models 13.1 */
    if (how.grad_scale > 1) how.grad_scale = 1;
    cph_optimizer_step(t->optimizer, t->grads, &how);
    return cph_ranks_weights(t, err);
}

cph_status cph_train_step(cph_trainer *t, cph_step_facts *f, cph_err *err)
{
    uint64_t n_labels = cph_train_feed(t);
    *f = (cph_step_facts){.skipped = NULL};
    if (!n_labels) return cph_fail(err, CPH_DATA, "step %u: no token of it can be predicted", t->at.step + 1);
    CPH_TRY(cph_train_gradients(t, n_labels, err));
    CPH_TRY(update(t, n_labels, f, err));
    t->at.loss = f->loss;
    t->at.step++;
    return CPH_OK;
}

/* ---- the log ---- */

static cph_status add_line(cph_trainer *t, cph_jw *w, size_t from, cph_err *err)
{
    CPH_TRY(cph_jw_done(w, err));
    CPH_TRY(cph_buf_char(&t->log, '\n', err));
    if (!t->log_open) return CPH_OK; /* another rank writes it */
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
    if (f->skipped) {
        cph_jw_key(&w, "skipped");
        cph_jw_z(&w, f->skipped);
    }
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

/* The next batch of that part; its rows are filled where this rank computes it. */
static uint64_t feed_held_out(cph_trainer *t, cph_cursor *c, bool mine)
{
    uint64_t n = 0;
    for (uint32_t r = 0; r < t->o.batch; r++) {
        cph_row row = cph_row_at(t, r);
        n += cph_order_row(t->held_out, c, mine ? &row : NULL, NULL, NULL);
    }
    return n;
}

/* A batch for each rank. The losses are added in the order of batches: nobody sees who computed which. */
static cph_status evaluate_round(cph_trainer *t, cph_cursor *c, double *sum, uint64_t *all, bool *more,
                                 cph_err *err)
{
    unsigned n_ranks = cph_comm_size(t->o.comm), me = cph_comm_rank(t->o.comm);
    uint64_t n[CPH_COMM_MAX];
    double losses[CPH_COMM_MAX] = {0};
    size_t from[CPH_COMM_MAX + 1] = {0};
    for (unsigned k = 0; k < n_ranks; k++) {
        n[k] = feed_held_out(t, c, k == me);
        from[k + 1] = (k + 1) * sizeof *losses;
    }
    if (n[me]) {
        cph_batch b = cph_batch_of(t, t->ranks.micro_first, n[me]);
        CPH_TRY(cph_step_run(t->eval_step, &b, NULL, &losses[me], err));
    }
    CPH_TRY(cph_comm_gather(t->o.comm, losses, from, err));
    for (unsigned k = 0; k < n_ranks; k++) {
        if (n[k]) *sum += losses[k];
        *all += n[k];
    }
    *more = n[n_ranks - 1] > 0;
    return CPH_OK;
}

static cph_status held_out_loss(cph_trainer *t, double *sum, uint64_t *n_labels, cph_err *err)
{
    cph_cursor c = {0};
    bool more = true;
    while (more) CPH_TRY(evaluate_round(t, &c, sum, n_labels, &more, err));
    return CPH_OK;
}

cph_status cph_train_swap_average(cph_trainer *t, cph_err *err)
{
    return cph_optimizer_swap(t->optimizer) ? cph_ranks_weights(t, err) : CPH_OK;
}

static cph_status evaluate(cph_trainer *t, cph_err *err)
{
    double sum = 0;
    uint64_t all = 0;
    if (!t->held_out || !cph_order_n_docs(t->held_out)) return CPH_OK;
    CPH_TRY(cph_train_swap_average(t, err));
    CPH_TRY(held_out_loss(t, &sum, &all, err));
    CPH_TRY(cph_train_swap_average(t, err));
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
    if (last || !cph_ranks_stop(t)) return CPH_OK;
    CPH_TRY(cph_checkpoint_save(t, err));
    cph_log(CPH_INFO, "stopped after step %u of %u; the same command goes on from there", t->at.step,
            t->o.steps);
    CPH_TRY(cph_interrupt_check("training", err));
    return cph_fail(err, CPH_STOPPED, "training: another rank was interrupted");
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
