/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots.c - the gradient of a step: S fixed slots of micro-batches, summed by a binary tree (engine 8,
 * rule 6). A rank that has several slots adds its subtree here, the ranks' sums are added by cph_sum;
 * together that is one tree, whoever computed which slot.
 *
 * In the last slot a parameter is added up and sent as soon as its gradient is complete, while
 * the rest of the backward pass goes on.
 */
#include "train_in.h"

#include <string.h>

typedef struct adding {
    float *to;
    const float *more;
    uint64_t n;
} adding;

enum { ADD_BLOCK = 65536 };

static cph_status add_block(void *arg, size_t task, unsigned worker, cph_err *err)
{
    const adding *a = arg;
    uint64_t first = (uint64_t)task * ADD_BLOCK, end = first + ADD_BLOCK < a->n ? first + ADD_BLOCK : a->n;
    float *to = a->to;
    const float *more = a->more;
    (void)worker, (void)err;
    for (uint64_t i = first; i < end; i++) to[i] = to[i] + more[i];
    return CPH_OK;
}

/* The buffer of a level of the tree: 0 is where the sum ends. */
static float *level(const cph_trainer *t, unsigned i) { return i ? t->ranks.extra[i - 1] : t->grads; }

/* Adds level i to the one below it, elements first..first + n. */
static cph_status add_down(const cph_trainer *t, unsigned i, uint64_t first, uint64_t n, cph_err *err)
{
    adding a = {level(t, i - 1) + first, level(t, i) + first, n};
    return cph_pool_run(t->pool, (size_t)((n + ADD_BLOCK - 1) / ADD_BLOCK), add_block, &a, err);
}

/* The parameter's gradient is complete in the last slot: down all levels with it, and off to its owners. */
static void finish(void *ctx, uint32_t param)
{
    cph_trainer *t = ctx;
    cph_ranks *r = &t->ranks;
    const cph_param *p = cph_model_param(t->model, param);
    if (!r->is_last || r->is_final[param]) return;
    r->is_final[param] = true;
    for (unsigned i = r->top; i > 0 && p->trainable; i--) (void)!add_down(t, i, p->offset, p->n, NULL);
    cph_sum_ready(r->sum, param);
}

static cph_status run_slot(cph_trainer *t, uint32_t slot, float *grads, uint64_t n_labels, cph_err *err)
{
    cph_order_step step = cph_order_step_of(t);
    uint32_t first = cph_order_slot_first(&step, slot), end = cph_order_slot_first(&step, slot + 1);
    for (uint32_t micro = first; micro < end; micro++) {
        cph_batch b = cph_batch_of(t, micro, n_labels);
        b.fresh = micro == first;
        t->ranks.is_last = slot + 1 == t->ranks.slot_end && micro + 1 == end;
        if (t->ranks.is_last) cph_sum_begin(t->ranks.sum, t->grads);
        CPH_TRY(cph_step_run(t->step, &b, grads, &t->ranks.losses[micro], err));
    }
    return CPH_OK;
}

static unsigned ones(uint32_t v)
{
    unsigned n = 0;
    for (; v; v &= v - 1) n++;
    return n;
}

/*
 * Slot k of a rank goes to the level that counts the ones in k; then as many levels are added down as k ends in
 * ones: ((0 + 1) + (2 + 3)) + ... The last slot's levels are added down parameter by parameter (finish).
 */
cph_status cph_train_gradients(cph_trainer *t, uint64_t n_labels, cph_err *err)
{
    cph_ranks *r = &t->ranks;
    uint32_t n = r->slot_end - r->slot_first;
    size_t n_params = cph_model_n_params(t->model);
    memset(r->is_final, 0, n_params * sizeof *r->is_final);
    r->top = ones(n - 1);
    cph_step_on_grad(t->step, finish, t);
    for (uint32_t k = 0; k < n; k++) {
        unsigned at = ones(k);
        CPH_TRY(run_slot(t, r->slot_first + k, level(t, at), n_labels, err));
        for (uint32_t bits = k; k + 1 < n && bits & 1; bits >>= 1, at--)
            CPH_TRY(add_down(t, at, 0, cph_model_flat_len(t->model), err));
    }
    for (size_t i = 0; i < n_params; i++) finish(t, (uint32_t)i); /* those that no operation wrote */
    r->is_last = false;
    return cph_sum_end(r->sum, err);
}
