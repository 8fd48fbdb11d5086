/* SPDX-License-Identifier: Apache-2.0 */
/*
 * again.c - ranges of nodes that run forward twice (engine 2.5). A value that only nodes of
 * one range touch lives twice: from its making to its last reading forward, and again from
 * the second run to its last reading backward. All other values are kept, so that a second
 * run finds its inputs and writes over them what they hold.
 */
#include "tape_in.h"

#include <colophon/base/memory.h>

void cph_tape_recompute(cph_tape *t, size_t from, size_t to)
{
    void *block = t->ranges;
    if (t->status != CPH_OK || from >= to || !t->o.train) return;
    if (t->n_ranges == t->cap_ranges) {
        t->status = cph_realloc(&block, (t->cap_ranges + 64) * sizeof *t->ranges, &t->err);
        if (t->status != CPH_OK) return;
        t->ranges = block;
        t->cap_ranges += 64;
    }
    t->ranges[t->n_ranges++] = (tape_range){(uint32_t)from, (uint32_t)to};
}

/* 1 + the range that a node belongs to, or 0. */
static uint32_t range_of(const cph_tape *t, uint32_t node)
{
    for (size_t r = 0; r < t->n_ranges; r++)
        if (node >= t->ranges[r].from && node < t->ranges[r].to) return (uint32_t)r + 1;
    return 0;
}

/* A value belongs to a range when nobody else touches it. */
static void find_owners(cph_tape *t)
{
    for (size_t i = 0; i < t->n_uses; i++) {
        const tape_use *u = &t->uses[i];
        tape_tensor *x = &t->tensors[u->tensor];
        if (u->grad || x->kind != TAPE_ACTIVATION) continue;
        uint32_t r = range_of(t, u->node);
        if (!x->seen) x->range = x->kept ? 0 : r;
        else if (x->range != r) x->range = 0;
        x->seen = true;
    }
}

static bool writes(const cph_tape *t, const tape_use *u)
{
    return t->tensors[u->tensor].producer == u->node || u->flags & USE_GOES_ON;
}

static bool must_run_again(const cph_tape *t, const tape_use *u, uint32_t range)
{
    const tape_tensor *x = &t->tensors[u->tensor];
    if (u->grad || x->kind != TAPE_ACTIVATION || !(u->flags & USE_F) || !writes(t, u)) return false;
    return (x->gone_on && x->made_again) || (x->range == range && (x->read_backward || x->read_again));
}

/*
 * A node runs again when it writes something that is read backward, or by another that runs again,
 * or that another of its writers writes again. True when a tensor was found to be written again.
 */
static bool find_reruns(cph_tape *t)
{
    bool found = false;
    for (size_t end = t->n_uses; end > 0;) {
        size_t begin = end;
        uint32_t node = t->uses[end - 1].node, range = range_of(t, node);
        while (begin > 0 && t->uses[begin - 1].node == node) begin--;
        bool again = false;
        for (size_t i = begin; range && i < end; i++) again = again || must_run_again(t, &t->uses[i], range);
        t->steps[node].again = again;
        for (size_t i = begin; again && i < end; i++) {
            tape_tensor *x = &t->tensors[t->uses[i].tensor];
            if (t->uses[i].grad || !(t->uses[i].flags & USE_F)) continue;
            x->read_again = true;
            if (!x->gone_on || x->made_again || !writes(t, &t->uses[i])) continue;
            x->made_again = true;
            found = true;
        }
        end = begin;
    }
    return found;
}

/* What goes on from a value that is not made again would go on twice. */
static cph_status check_reruns(const cph_tape *t, cph_err *err)
{
    for (size_t i = 0; i < t->n_uses; i++) {
        const tape_use *u = &t->uses[i];
        uint32_t from = t->tensors[u->tensor].producer;
        if (!u->grad && u->flags & USE_GOES_ON && t->steps[u->node].again && !t->steps[from].again)
            return cph_fail(err, CPH_BUG,
                            "tape: node %u (%s) runs again and node %u (%s), from which it goes on, "
                            "does not", u->node, cph_op_name(t->nodes[u->node].kind), from,
                            cph_op_name(t->nodes[from].kind));
    }
    return CPH_OK;
}

static void find_producers(cph_tape *t)
{
    for (size_t i = t->n_uses; i-- > 0;) {
        const tape_use *u = &t->uses[i];
        tape_tensor *x = &t->tensors[u->tensor];
        if (u->grad) continue;
        if (u->flags & USE_F) x->producer = u->node;
        if (u->flags & USE_GOES_ON) x->gone_on = true;
        if (u->flags & USE_B) x->read_backward = true;
    }
}

cph_status cph_tape_time(cph_tape *t, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, (t->n_nodes + 1) * sizeof *t->steps, err));
    t->steps = mem;
    find_owners(t);
    find_producers(t);
    while (find_reruns(t)) continue;
    CPH_TRY(check_reruns(t, err));
    uint32_t step = (uint32_t)t->n_nodes;
    for (uint32_t i = (uint32_t)t->n_nodes; i-- > 0;) {
        for (size_t r = 0; r < t->n_ranges; r++)
            for (uint32_t k = t->ranges[r].from; t->ranges[r].to == i + 1 && k <= i; k++)
                if (t->steps[k].again) t->steps[k].again = step++;
        t->steps[i].backward = step++;
    }
    t->steps[t->n_nodes].backward = step; /* the end of a pass */
    return CPH_OK;
}

void cph_tape_run_again(cph_tape *t, cph_exec *x, uint32_t node)
{
    for (size_t r = 0; r < t->n_ranges; r++) {
        if (t->ranges[r].to != node + 1) continue;
        cph_tape_point(t, t->ranges[r].from, t->ranges[r].to, true);
        for (uint32_t k = t->ranges[r].from; k <= node; k++)
            if (t->steps[k].again) cph_op_forward(x, &t->nodes[k]);
    }
}
