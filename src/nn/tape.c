/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape.c - lifetimes, binding and replay of a recorded tape.
 */
#include "tape_in.h"

#include <colophon/base/memory.h>

#include <string.h>

#define ALIGN_FLOATS 16u

cph_status cph_tape_open(cph_tape **out, const cph_registry *params, const cph_tape_opts *o, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_tape), err));
    cph_tape *t = mem;
    t->params = params;
    t->o = *o;
    t->n_tensors = 1; /* grown together with the first real one */
    *out = t;
    return CPH_OK;
}

void cph_tape_close(cph_tape *t)
{
    if (!t) return;
    cph_free(t->nodes);
    cph_free(t->tensors);
    cph_free(t->uses);
    cph_free(t->first_writer);
    cph_free(t->runs);
    cph_free(t->ranges);
    cph_free(t->steps);
    cph_free(t);
}

/* The steps at which a use touches its buffer. */
static void touch(tape_buffer *b, uint32_t step)
{
    if (!b->used || step < b->first) b->first = step;
    if (!b->used || step > b->last) b->last = step;
    b->used = true;
}

static void find_lifetimes(cph_tape *t)
{
    for (size_t i = 0; i < t->n_uses; i++) {
        const tape_use *u = &t->uses[i];
        tape_tensor *x = &t->tensors[u->tensor];
        const tape_steps *at = &t->steps[u->node];
        if (x->kind != TAPE_ACTIVATION || (u->grad && !(x->has_grad && t->runs[u->node]))) continue;
        tape_buffer *b = u->grad ? &x->grad : &x->value, *later = !u->grad && x->range ? &x->again : b;
        if (u->flags & USE_F) touch(b, u->node);
        if (u->flags & USE_F && at->again && !u->grad) touch(later, at->again);
        if (t->runs[u->node] && u->flags & USE_B) touch(later, at->backward);
        if (x->kept && !u->grad) touch(b, t->steps[t->n_nodes].backward);
    }
}

/* Floats of the arena that a tensor takes. */
static uint64_t room_of(const tape_tensor *x)
{
    uint64_t n = x->type == CPH_BF16 ? (x->n + 1) / 2 : x->n;
    return (n + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

/* ---- who writes the gradients of parameters, in the order of running ---- */

static cph_status find_writers(cph_tape *t, cph_err *err)
{
    size_t n = t->params->n;
    void *mem;
    CPH_TRY(cph_alloc_n(&mem, 2 * n + 1, sizeof(uint32_t), err));
    t->first_writer = mem;
    t->last_writer = t->first_writer + n;
    for (size_t i = 0; i < n; i++) t->first_writer[i] = t->last_writer[i] = TAPE_NO_NODE;
    for (size_t i = 0; i < t->n_uses; i++) {
        const tape_use *u = &t->uses[i];
        const tape_tensor *x = &t->tensors[u->tensor];
        if (!u->grad || !t->runs[u->node] || x->kind != TAPE_PARAM || !t->params->items[x->param].trainable) continue;
        uint32_t *first = &t->first_writer[x->param], *last = &t->last_writer[x->param];
        if (*first == TAPE_NO_NODE || cph_tape_grad_step(t, u->node) < cph_tape_grad_step(t, *first)) *first = u->node;
        if (*last == TAPE_NO_NODE || cph_tape_grad_step(t, u->node) > cph_tape_grad_step(t, *last)) *last = u->node;
    }
    return CPH_OK;
}

static bool *fresh_of(cph_op *op)
{
    if (op->kind == CPH_OP_linear) return &op->u.linear.fresh_dw;
    return op->kind == CPH_OP_loss ? &op->u.loss.fresh_dw : NULL;
}

void cph_tape_fresh_grads(cph_tape *t, bool fresh)
{
    t->fresh = fresh;
    for (size_t i = 0; i < t->n_nodes; i++)
        if (fresh_of(&t->nodes[i])) *fresh_of(&t->nodes[i]) = fresh;
    /* An operation writes all its gradients in one way: it must be the first to touch each. */
    for (size_t i = 0; fresh && i < t->n_uses; i++) {
        const tape_use *u = &t->uses[i];
        const tape_tensor *x = &t->tensors[u->tensor];
        if (u->grad && x->kind == TAPE_PARAM && fresh_of(&t->nodes[u->node]) &&
            t->params->items[x->param].trainable && t->first_writer[x->param] != u->node)
            *fresh_of(&t->nodes[u->node]) = false;
    }
}

static void clear_grads(const cph_tape *t)
{
    for (size_t i = 0; i < t->params->n; i++) {
        const cph_param *p = &t->params->items[i];
        uint32_t first = t->first_writer[i];
        const bool *fresh = first == TAPE_NO_NODE ? NULL : fresh_of(&t->nodes[first]);
        if (p->trainable && !(fresh && *fresh)) memset(t->bases.grads + p->offset, 0, p->n * sizeof(float));
    }
}

void cph_tape_on_grad(cph_tape *t, cph_grad_fn fn, void *ctx)
{
    t->on_grad = fn;
    t->on_grad_ctx = ctx;
}

static void tell_grads(const cph_tape *t, uint32_t node)
{
    for (size_t i = 0; t->on_grad && i < t->params->n; i++)
        if (t->last_writer[i] == node) t->on_grad(t->on_grad_ctx, (uint32_t)i);
}

cph_status cph_tape_plan(cph_tape *t, uint64_t *arena_floats, cph_err *err)
{
    if (t->status != CPH_OK) {
        if (err) *err = t->err;
        return t->status;
    }
    void *mem;
    CPH_TRY(cph_tape_flow(t, err));
    CPH_TRY(cph_tape_time(t, err));
    find_lifetimes(t);
    CPH_TRY(cph_alloc0(&mem, 3 * t->n_tensors * (sizeof(tape_buffer *) + sizeof(uint64_t)), err));
    uint64_t *sizes = mem;
    tape_buffer **buffers = (tape_buffer **)(void *)(sizes + 3 * t->n_tensors);
    size_t n = 0;
    for (size_t i = 1; i < t->n_tensors; i++) {
        tape_buffer *own[] = {&t->tensors[i].value, &t->tensors[i].grad, &t->tensors[i].again};
        for (unsigned k = 0; k < 3; k++) {
            if (!own[k]->used) continue;
            sizes[n] = room_of(&t->tensors[i]);
            buffers[n++] = own[k];
        }
    }
    cph_status s = cph_plan_buffers(buffers, sizes, n, &t->arena_floats, err);
    cph_free(mem);
    if (s == CPH_OK) s = find_writers(t, err);
    for (size_t i = 0; s == CPH_OK && i < t->n_nodes; i++) {
        uint64_t bytes = cph_op_scratch(t->o.backend, &t->nodes[i]);
        if (bytes > t->scratch_bytes) t->scratch_bytes = bytes;
    }
    if (s == CPH_OK) *arena_floats = t->arena_floats;
    return s;
}

uint64_t cph_tape_scratch(const cph_tape *t) { return t->scratch_bytes; }

static void *place_of(const cph_tape *t, const tape_use *u, const cph_bases *bases, bool again)
{
    const tape_tensor *x = &t->tensors[u->tensor];
    const cph_param *p = x->kind == TAPE_ACTIVATION ? NULL : &t->params->items[x->param];
    if (x->kind == TAPE_PACKED) return bases->packed ? bases->packed[x->param] : NULL;
    if (x->kind == TAPE_PARAM) {
        if (u->grad && (!t->o.train || !p->trainable)) return NULL;
        return (u->grad ? bases->grads : bases->weights) + p->offset + u->shift;
    }
    if (u->grad && !x->has_grad) return NULL;
    size_t shift = (size_t)u->shift * (x->type == CPH_BF16 ? sizeof(uint16_t) : sizeof(float));
    const tape_buffer *b = u->grad ? &x->grad : again && x->again.used ? &x->again : &x->value;
    return (char *)(bases->arena + b->offset) + shift;
}

void cph_tape_point(cph_tape *t, uint32_t from, uint32_t to, bool again)
{
    for (size_t i = 0; i < t->n_uses; i++) {
        const tape_use *u = &t->uses[i];
        if (u->node < from || u->node >= to) continue;
        void *p = place_of(t, u, &t->bases, again);
        memcpy((char *)&t->nodes[u->node] + u->field, &p, sizeof p);
    }
}

void cph_tape_bind(cph_tape *t, const cph_bases *bases)
{
    t->bases = *bases;
    cph_tape_point(t, 0, (uint32_t)t->n_nodes, false);
}

void cph_tape_forward(cph_tape *t, cph_exec *x)
{
    if (t->fresh && t->o.train) clear_grads(t);
    for (size_t r = 0; r < t->n_ranges; r++) /* the pass before left them at what it made again */
        cph_tape_point(t, t->ranges[r].from, t->ranges[r].to, false);
    for (size_t i = 0; i < t->n_nodes; i++) cph_op_forward(x, &t->nodes[i]);
}

void cph_tape_backward(cph_tape *t, cph_exec *x)
{
    for (size_t i = t->n_nodes; i-- > 0;) {
        cph_tape_run_again(t, x, (uint32_t)i);
        if (t->runs[i] && t->nodes[i].kind != CPH_OP_loss) cph_op_backward(x, &t->nodes[i]);
        tell_grads(t, (uint32_t)i);
    }
}

void cph_tape_keep(cph_tape *t, cph_tensor x)
{
    if (t->status == CPH_OK && x) t->tensors[x].kept = true;
}

const void *cph_tape_data(const cph_tape *t, cph_tensor x) { return t->bases.arena + t->tensors[x].value.offset; }
cph_dtype cph_tape_type(const cph_tape *t, cph_tensor x) { return t->tensors[x].type; }
size_t cph_tape_n_nodes(const cph_tape *t) { return t->n_nodes; }
cph_op *cph_tape_node(cph_tape *t, size_t i) { return &t->nodes[i]; }
