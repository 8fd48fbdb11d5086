/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_map.c - the reference of what works element by element or moves rows: gate, add,
 * mean, gather, scatter. A sum in a CPH_BF16 tensor is rounded each time it is stored.
 */
#include "ref_act.h"

static void put_grad(void *p, cph_dtype t, size_t i, cph_real v, bool adds)
{
    put(p, t, i, adds ? val(p, t, i) + v : v);
}

/* The elements of a block of rows. */
static size_t block_begin(size_t task, size_t width) { return task * CPH_ROW_BLOCK * width; }
static size_t block_end(size_t task, uint32_t rows, size_t width)
{
    return cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, rows) * width;
}

void REF(gate_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_gate *g = &op->u.gate;
    cph_real scale = g->scale == 0 ? 1 : g->scale;
    size_t end = block_end(task, g->rows, g->width);
    for (size_t i = block_begin(task, g->width); i < end; i++) {
        cph_real v = act_of(g->act, val(g->a, op->dtype, i));
        if (g->b) v = v * val(g->b, op->dtype, i);
        put(g->y, op->dtype, i, v * drop_factor(&g->drop, i) * scale);
    }
}

void REF(gate_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_gate *g = &op->u.gate;
    cph_dtype t = op->dtype;
    cph_real scale = g->scale == 0 ? 1 : g->scale;
    size_t end = block_end(task, g->rows, g->width);
    for (size_t i = block_begin(task, g->width); i < end; i++) {
        cph_real a = val(g->a, t, i), d = val(g->dy, t, i) * drop_factor(&g->drop, i) * scale;
        cph_real left = g->b ? d * val(g->b, t, i) : d;
        if (g->da) put_grad(g->da, t, i, left * slope_of(g->act, a), g->da_adds);
        if (g->db) put_grad(g->db, t, i, d * act_of(g->act, a), g->db_adds);
    }
}

void REF(add_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_add *a = &op->u.add;
    size_t end = block_end(task, a->rows, a->width);
    for (size_t i = block_begin(task, a->width); i < end; i++)
        put(a->y, op->dtype, i, val(a->a, op->dtype, i) + val(a->b, op->dtype, i));
}

void REF(add_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_add *a = &op->u.add;
    size_t end = block_end(task, a->rows, a->width);
    for (size_t i = block_begin(task, a->width); i < end; i++) {
        if (a->da) put_grad(a->da, op->dtype, i, val(a->dy, op->dtype, i), a->da_adds);
        if (a->db) put_grad(a->db, op->dtype, i, val(a->dy, op->dtype, i), a->db_adds);
    }
}

/* A chain over the rows, then one division. */
void REF(mean_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_mean *m = &op->u.mean;
    size_t w = m->width, first = m->first[task], n = m->n[task];
    for (size_t c = 0; c < w; c++) {
        cph_real chain = 0;
        for (size_t r = first; r < first + n; r++) chain = chain + val(m->x, op->dtype, r * w + c);
        put(m->y, op->dtype, task * w + c, n ? chain / (cph_real)n : 0);
    }
}

void REF(mean_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_mean *m = &op->u.mean;
    size_t w = m->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, m->rows), g = 0;
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        while (g < m->groups && m->first[g] + m->n[g] <= r) g++;
        bool in = g < m->groups && m->first[g] <= r;
        for (size_t c = 0; c < w; c++) {
            cph_real d = in ? val(m->dy, op->dtype, g * w + c) / (cph_real)m->n[g] : 0;
            put_grad(m->dx, op->dtype, r * w + c, d, m->dx_adds);
        }
    }
}

/* to[i] = from[index[i]], a block of n */
static void take_rows(const cph_pick *p, cph_dtype t, const void *from, void *to, bool adds, size_t task)
{
    size_t w = p->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, p->n);
    for (size_t i = task * CPH_ROW_BLOCK; i < end; i++)
        for (size_t c = 0; c < w; c++)
            put_grad(to, t, i * w + c, p->index[i] < 0 ? 0 : val(from, t, (size_t)p->index[i] * w + c), adds);
}

/* to[index[i]] += from[i] in order of i, from 0 unless it adds; a task owns columns */
static void put_rows(const cph_pick *p, cph_dtype t, const void *from, void *to, bool adds, size_t task)
{
    size_t w = p->width, c0 = task * CPH_COLUMN_TASK, end = cph_u32_min((uint32_t)(c0 + CPH_COLUMN_TASK),
                                                                        p->width);
    for (size_t r = 0; !adds && r < p->rows; r++)
        for (size_t c = c0; c < end; c++) put(to, t, r * w + c, 0);
    for (size_t i = 0; i < p->n; i++)
        for (size_t c = c0; p->index[i] >= 0 && c < end; c++)
            put_grad(to, t, (size_t)p->index[i] * w + c, val(from, t, i * w + c), true);
}

void REF(gather_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    take_rows(&op->u.pick, op->dtype, op->u.pick.x, op->u.pick.y, false, task);
}
void REF(gather_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    put_rows(&op->u.pick, op->dtype, op->u.pick.dy, op->u.pick.dx, op->u.pick.dx_adds, task);
}
void REF(scatter_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    put_rows(&op->u.pick, op->dtype, op->u.pick.x, op->u.pick.y, false, task);
}
void REF(scatter_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    take_rows(&op->u.pick, op->dtype, op->u.pick.dy, op->u.pick.dx, op->u.pick.dx_adds, task);
}
