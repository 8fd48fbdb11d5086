/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gradients.c - how gradients flow over a recorded tape. A node runs backward when something
 * trainable lies before it and a gradient arrives. Of those who make a tensor's gradient the
 * first in the order of running writes, and all later ones add: that order, and so every bit,
 * depends on the tape alone. Uses stand in the order of their nodes.
 */
#include "tape_in.h"

#include <colophon/base/memory.h>

/* Uses begin..end-1 belong to one node. */
static size_t group_end(const cph_tape *t, size_t begin)
{
    size_t end = begin;
    while (end < t->n_uses && t->uses[end].node == t->uses[begin].node) end++;
    return end;
}
static size_t group_begin(const cph_tape *t, size_t end)
{
    size_t begin = end;
    while (begin > 0 && t->uses[begin - 1].node == t->uses[end - 1].node) begin--;
    return begin;
}

static bool is_trainable(const cph_tape *t, const tape_use *u)
{
    const tape_tensor *x = &t->tensors[u->tensor];
    return x->kind == TAPE_PARAM && t->params->items[x->param].trainable;
}

/* Something trainable stands in the node, or before what it reads, or wrote to its result before it did. */
static void find_needs(cph_tape *t)
{
    for (size_t begin = 0, end; begin < t->n_uses; begin = end) {
        bool needs = false;
        end = group_end(t, begin);
        for (size_t i = begin; i < end; i++) {
            const tape_use *u = &t->uses[i];
            if (u->grad) needs = needs || is_trainable(t, u) || t->tensors[u->tensor].wants;
        }
        t->runs[t->uses[begin].node] = needs;
        for (size_t i = begin; needs && i < end; i++) {
            const tape_use *u = &t->uses[i];
            if (u->grad && !(u->flags & USE_MAKES_GRAD)) t->tensors[u->tensor].wants = true;
        }
    }
}

static const char *name_of(const cph_tape *t, uint32_t node) { return cph_op_name(t->nodes[node].kind); }

/* Whether a gradient arrives; a node that reads none is where gradients begin. */
static cph_status find_arrival(cph_tape *t, size_t begin, size_t end, cph_err *err)
{
    uint32_t node = t->uses[begin].node;
    bool reads = false, arrives = false, missing = false;
    for (size_t i = begin; i < end; i++) {
        const tape_use *u = &t->uses[i];
        const tape_tensor *x = &t->tensors[u->tensor];
        if (!u->grad || x->kind != TAPE_ACTIVATION || u->flags & USE_MAKES_GRAD) continue;
        reads = true;
        if (x->has_grad) arrives = true;
        else if (!(u->flags & USE_OPTIONAL)) missing = true;
    }
    if (reads && !arrives) t->runs[node] = false;
    if (arrives && missing)
        return cph_fail(err, CPH_BUG, "tape: node %u (%s) wants the gradients of all its results, and one is "
                        "not made", node, name_of(t, node));
    return CPH_OK;
}

static cph_status make_gradient(cph_tape *t, size_t begin, size_t at, cph_err *err)
{
    const tape_use *u = &t->uses[at];
    tape_tensor *x = &t->tensors[u->tensor];
    if (!x->has_grad) {
        x->has_grad = true;
        x->first_grad = u->node;
    }
    for (size_t i = begin; i < at; i++)
        if (t->uses[i].grad && t->uses[i].tensor == u->tensor && t->uses[i].shift == u->shift)
            return cph_fail(err, CPH_BUG, "tape: node %u (%s) takes the same tensor twice", u->node,
                            name_of(t, u->node));
    bool adds = x->first_grad != u->node;
    if (u->adds) *(bool *)((char *)&t->nodes[u->node] + u->adds) = adds;
    else if (adds)
        return cph_fail(err, CPH_BUG, "tape: node %u (%s) would have to add to the gradient that node %u (%s) "
                        "begins, and cannot", u->node, name_of(t, u->node), x->first_grad,
                        name_of(t, x->first_grad));
    return CPH_OK;
}

static cph_status run_node(cph_tape *t, size_t begin, size_t end, cph_err *err)
{
    cph_op *op = &t->nodes[t->uses[begin].node];
    bool *runs = &t->runs[t->uses[begin].node];
    if (*runs) CPH_TRY(find_arrival(t, begin, end, err));
    if (op->kind == CPH_OP_loss) op->u.loss.backward = *runs;
    for (size_t i = begin; *runs && i < end; i++) {
        const tape_use *u = &t->uses[i];
        if (u->grad && u->flags & USE_MAKES_GRAD && t->tensors[u->tensor].wants)
            CPH_TRY(make_gradient(t, begin, i, err));
    }
    return CPH_OK;
}

cph_status cph_tape_flow(cph_tape *t, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, (t->n_nodes + 1) * sizeof *t->runs, err));
    t->runs = mem;
    if (!t->o.train) return CPH_OK;
    find_needs(t);
    for (size_t begin = 0, end; begin < t->n_uses; begin = end) {
        end = group_end(t, begin);
        if (t->nodes[t->uses[begin].node].kind == CPH_OP_loss) CPH_TRY(run_node(t, begin, end, err));
    }
    for (size_t begin, end = t->n_uses; end > 0; end = begin) {
        begin = group_begin(t, end);
        if (t->nodes[t->uses[begin].node].kind != CPH_OP_loss) CPH_TRY(run_node(t, begin, end, err));
    }
    return CPH_OK;
}
