/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape.c - lifetimes, binding and replay of a recorded tape.
 */
#include "tape_in.h"

#include <colophon/base/memory.h>

#include <string.h>

#define ALIGN_FLOATS 16u

cph_status cph_tape_open(cph_tape **out, const cph_registry *params, bool train, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_tape), err));
    cph_tape *t = mem;
    t->params = params;
    t->train = train;
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
    cph_free(t);
}

/* The steps at which a use touches its buffer: node i runs at i and, backward, at 2n-1-i. */
static void touch(tape_buffer *b, uint32_t step)
{
    if (!b->used || step < b->first) b->first = step;
    if (!b->used || step > b->last) b->last = step;
    b->used = true;
}

static void find_lifetimes(cph_tape *t)
{
    uint32_t n = (uint32_t)t->n_nodes;
    for (size_t i = 0; i < t->n_uses; i++) {
        const tape_use *u = &t->uses[i];
        tape_tensor *x = &t->tensors[u->tensor];
        if (u->grad && (u->flags & USE_MAKES_GRAD)) x->has_grad = true;
    }
    for (size_t i = 0; i < t->n_uses; i++) {
        const tape_use *u = &t->uses[i];
        tape_tensor *x = &t->tensors[u->tensor];
        if (x->kind != TAPE_ACTIVATION || (u->grad && !x->has_grad)) continue;
        tape_buffer *b = u->grad ? &x->grad : &x->value;
        if (u->flags & USE_F) touch(b, u->node);
        if (t->train && u->flags & USE_B) touch(b, 2 * n - 1 - u->node);
        if (x->kept && !u->grad) touch(b, 2 * n);
    }
}

static uint64_t padded(uint64_t n) { return (n + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS; }

cph_status cph_tape_plan(cph_tape *t, uint64_t *arena_floats, cph_err *err)
{
    if (t->status != CPH_OK) {
        if (err) *err = t->err;
        return t->status;
    }
    find_lifetimes(t);
    void *mem;
    CPH_TRY(cph_alloc0(&mem, 2 * t->n_tensors * (sizeof(tape_buffer *) + sizeof(uint64_t)), err));
    uint64_t *sizes = mem;
    tape_buffer **buffers = (tape_buffer **)(void *)(sizes + 2 * t->n_tensors);
    size_t n = 0;
    for (size_t i = 1; i < t->n_tensors; i++)
        for (unsigned grad = 0; grad < 2; grad++) {
            tape_buffer *b = grad ? &t->tensors[i].grad : &t->tensors[i].value;
            if (!b->used) continue;
            sizes[n] = padded(t->tensors[i].n);
            buffers[n++] = b;
        }
    cph_status s = cph_plan_buffers(buffers, sizes, n, &t->arena_floats, err);
    cph_free(mem);
    if (s == CPH_OK) *arena_floats = t->arena_floats;
    return s;
}

static float *place_of(const cph_tape *t, const tape_use *u, const cph_bases *bases)
{
    const tape_tensor *x = &t->tensors[u->tensor];
    const cph_param *p = x->kind == TAPE_ACTIVATION ? NULL : &t->params->items[x->param];
    if (x->kind == TAPE_PACKED) return bases->packed ? bases->packed[x->param] : NULL;
    if (x->kind == TAPE_PARAM) {
        if (u->grad && (!t->train || !p->trainable)) return NULL;
        return (u->grad ? bases->grads : bases->weights) + p->offset + u->shift;
    }
    if (u->grad && !x->has_grad) return NULL;
    return bases->arena + (u->grad ? x->grad.offset : x->value.offset) + u->shift;
}

void cph_tape_bind(cph_tape *t, const cph_bases *bases)
{
    t->arena = bases->arena;
    for (size_t i = 0; i < t->n_uses; i++) {
        const tape_use *u = &t->uses[i];
        float *p = place_of(t, u, bases);
        memcpy((char *)&t->nodes[u->node] + u->field, &p, sizeof p);
    }
}

void cph_tape_forward(cph_tape *t, cph_exec *x)
{
    for (size_t i = 0; i < t->n_nodes; i++) cph_op_forward(x, &t->nodes[i]);
}

void cph_tape_backward(cph_tape *t, cph_exec *x)
{
    for (size_t i = t->n_nodes; i-- > 0;)
        if (t->nodes[i].kind != CPH_OP_loss) cph_op_backward(x, &t->nodes[i]);
}

void cph_tape_keep(cph_tape *t, cph_tensor x)
{
    if (t->status == CPH_OK && x) t->tensors[x].kept = true;
}

float *cph_tape_data(const cph_tape *t, cph_tensor x) { return t->arena + t->tensors[x].value.offset; }
size_t cph_tape_n_nodes(const cph_tape *t) { return t->n_nodes; }
cph_op *cph_tape_node(cph_tape *t, size_t i) { return &t->nodes[i]; }
