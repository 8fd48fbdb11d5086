/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_map.h - gate, add, mean, gather, scatter, softmax of rows in memory, rotary:
 * ref_map.c, ref_classes.c and ref_position.c in vectors.
 */
#ifndef CPH_SIMD_MAP_H
#define CPH_SIMD_MAP_H

#include "simd_act.h"
#include "simd_bf16.h"

ALWAYS void v_put_grad(void *p, cph_dtype t, size_t i, vf v, size_t left, bool adds)
{
    v_put(p, t, i, adds ? v_add(v_get(p, t, i, left), v) : v, left);
}

/* ---- element by element ---- */

/* for (each chunk of `len` elements from `at` on, of a block of rows) */
#define EACH_CHUNK(at, len, task, rows, width)                                                     \
    for (size_t at = (task) * CPH_ROW_BLOCK * (width),                                             \
                end_ = cph_u32_min((uint32_t)((task) + 1) * CPH_ROW_BLOCK, rows) * (size_t)(width), len; \
         at < end_ && (len = end_ - at < DROP_CHUNK ? end_ - at : DROP_CHUNK); at += len)

ALWAYS void gate_block(const cph_gate *g, cph_act act, cph_dtype t, size_t task)
{
    float keep[DROP_CHUNK];
    vf scale = v_set(g->scale == 0 ? 1 : g->scale);
    EACH_CHUNK(at, len, task, g->rows, g->width)
    {
        drop_fill(keep, at, len, &g->drop);
        EACH_VECTOR(i, left, len)
        {
            vf x = v_act(act, v_get(g->a, t, at + i, left));
            if (g->b) x = v_mul(x, v_get(g->b, t, at + i, left));
            v_put(g->y, t, at + i, v_mul(v_mul(x, v_ld(keep + i, left)), scale), left);
        }
    }
}

ALWAYS void gate_bwd_block(const cph_gate *g, cph_act act, cph_dtype t, size_t task)
{
    float keep[DROP_CHUNK];
    vf scale = v_set(g->scale == 0 ? 1 : g->scale);
    EACH_CHUNK(at, len, task, g->rows, g->width)
    {
        drop_fill(keep, at, len, &g->drop);
        EACH_VECTOR(i, left, len)
        {
            vf d = v_mul(v_mul(v_get(g->dy, t, at + i, left), v_ld(keep + i, left)), scale);
            vf a = v_get(g->a, t, at + i, left), da = g->b ? v_mul(d, v_get(g->b, t, at + i, left)) : d;
            if (g->da) v_put_grad(g->da, t, at + i, v_mul(da, v_act_slope(act, a)), left, g->da_adds);
            if (g->db) v_put_grad(g->db, t, at + i, v_mul(d, v_act(act, a)), left, g->db_adds);
        }
    }
}

static void gate_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, FOR_ACT(op->u.gate.act, gate_block(&op->u.gate, ACT, TYPE, task)));
}
static void gate_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, FOR_ACT(op->u.gate.act, gate_bwd_block(&op->u.gate, ACT, TYPE, task)));
}

ALWAYS void add_block(const cph_add *a, cph_dtype t, size_t task)
{
    EACH_CHUNK(at, len, task, a->rows, a->width)
    EACH_VECTOR(i, left, len)
    v_put(a->y, t, at + i, v_add(v_get(a->a, t, at + i, left), v_get(a->b, t, at + i, left)), left);
}
ALWAYS void add_bwd_block(const cph_add *a, cph_dtype t, size_t task)
{
    EACH_CHUNK(at, len, task, a->rows, a->width)
    EACH_VECTOR(i, left, len)
    {
        vf d = v_get(a->dy, t, at + i, left);
        if (a->da) v_put_grad(a->da, t, at + i, d, left, a->da_adds);
        if (a->db) v_put_grad(a->db, t, at + i, d, left, a->db_adds);
    }
}
static void add_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, add_block(&op->u.add, TYPE, task));
}
static void add_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, add_bwd_block(&op->u.add, TYPE, task));
}

/* ---- rows ---- */

ALWAYS void mean_group(const cph_mean *m, cph_dtype t, size_t g)
{
    size_t w = m->width, first = m->first[g], n = m->n[g];
    EACH_VECTOR(i, left, w)
    {
        vf chain = v_set(0);
        for (size_t r = first; r < first + n; r++) chain = v_add(chain, v_get(m->x, t, r * w + i, left));
        v_put(m->y, t, g * w + i, n ? v_div(chain, v_set((float)n)) : v_set(0), left);
    }
}
ALWAYS void mean_bwd_rows(const cph_mean *m, cph_dtype t, size_t task)
{
    size_t w = m->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, m->rows), g = 0;
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        while (g < m->groups && m->first[g] + m->n[g] <= r) g++;
        bool in = g < m->groups && m->first[g] <= r;
        EACH_VECTOR(i, left, w)
        {
            vf d = in ? v_div(v_get(m->dy, t, g * w + i, left), v_set((float)m->n[g])) : v_set(0);
            v_put_grad(m->dx, t, r * w + i, d, left, m->dx_adds);
        }
    }
}
static void mean_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, mean_group(&op->u.mean, TYPE, task));
}
static void mean_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, mean_bwd_rows(&op->u.mean, TYPE, task));
}

/* to[i] = from[index[i]], a block of n */
ALWAYS void take_rows(const cph_pick *p, cph_dtype t, const void *from, void *to, bool adds, size_t task)
{
    size_t w = p->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, p->n);
    for (size_t i = task * CPH_ROW_BLOCK; i < end; i++)
        EACH_VECTOR(c, left, w)
        {
            vf v = p->index[i] < 0 ? v_set(0) : v_get(from, t, (size_t)p->index[i] * w + c, left);
            v_put_grad(to, t, i * w + c, v, left, adds);
        }
}
/* to[index[i]] += from[i] in order of i, from 0 unless it adds; a task owns columns */
ALWAYS void put_rows(const cph_pick *p, cph_dtype t, const void *from, void *to, bool adds, size_t task)
{
    size_t w = p->width, c0 = task * CPH_COLUMN_TASK, n = w - c0 < CPH_COLUMN_TASK ? w - c0 : CPH_COLUMN_TASK;
    for (size_t r = 0; !adds && r < p->rows; r++) memset(at_of(to, t, r * w + c0), 0, n * size_of(t));
    for (size_t i = 0; i < p->n; i++) {
        if (p->index[i] < 0) continue;
        size_t at = (size_t)p->index[i] * w + c0;
        EACH_VECTOR(c, left, n) v_put_grad(to, t, at + c, v_get(from, t, i * w + c0 + c, left), left, true);
    }
}
static void gather_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, take_rows(&op->u.pick, TYPE, op->u.pick.x, op->u.pick.y, false, task));
}
static void gather_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, put_rows(&op->u.pick, TYPE, op->u.pick.dy, op->u.pick.dx, op->u.pick.dx_adds, task));
}
static void scatter_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, put_rows(&op->u.pick, TYPE, op->u.pick.x, op->u.pick.y, false, task));
}
static void scatter_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, take_rows(&op->u.pick, TYPE, op->u.pick.dy, op->u.pick.dx, op->u.pick.dx_adds, task));
}

/* ---- softmax ---- */

typedef struct row_softmax {
    float top, total; /* sum of exp(x - top) */
} row_softmax;

ALWAYS row_softmax softmax_of(const void *x, cph_dtype t, size_t at, size_t n)
{
    row_softmax s;
    vf high = v_set(t == CPH_BF16 ? cph_bf16_to(((const uint16_t *)x)[at]) : ((const float *)x)[at]);
    EACH_VECTOR(i, left, n) high = v_sel(v_first(left), v_max(v_get(x, t, at + i, left), high), high);
    s.top = v_max_of(high);
    lanes32 sum = lanes_zero();
    EACH_LANES(i, u, left, n)
    {
        vf e = v_exp(v_sub(v_get(x, t, at + i + u * W, left), v_set(s.top)));
        lanes_put(&sum, (unsigned)u, v_add(sum.v[u], e), left);
    }
    s.total = lanes_total(&sum);
    return s;
}
ALWAYS float float_at(const void *x, cph_dtype t, size_t at)
{
    return t == CPH_BF16 ? cph_bf16_to(((const uint16_t *)x)[at]) : ((const float *)x)[at];
}
ALWAYS void classes_rows(const cph_classes *k, cph_dtype t, size_t task)
{
    size_t n = k->classes, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, k->rows);
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        k->losses[r] = 0;
        if (k->labels[r] < 0) continue;
        row_softmax s = softmax_of(k->x, t, r * n, n);
        k->losses[r] = (cph_logf(s.total) + s.top) - float_at(k->x, t, r * n + (size_t)k->labels[r]);
    }
}
ALWAYS void classes_bwd_rows(const cph_classes *k, cph_dtype t, size_t task)
{
    size_t n = k->classes, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, k->rows);
    float lane[W];
    for (unsigned i = 0; i < W; i++) lane[i] = (float)i;
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        bool counts = k->labels[r] >= 0;
        row_softmax s = softmax_of(k->x, t, r * n, n);
        float scale = *k->inv_labels, f = (1 / s.total) * scale;
        EACH_VECTOR(i, left, n)
        {
            vf d = v_set(0);
            if (counts) {
                d = v_mul(v_exp(v_sub(v_get(k->x, t, r * n + i, left), v_set(s.top))), v_set(f));
                vf off = v_abs(v_sub(v_load(lane), v_set((float)k->labels[r] - (float)i)));
                d = v_sel(v_lt(off, v_set(0.5f)), v_sub(d, v_set(scale)), d);
            }
            v_put_grad(k->dx, t, r * n + i, d, left, k->dx_adds);
        }
    }
}
static void classes_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, classes_rows(&op->u.classes, TYPE, task));
}
static void classes_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, classes_bwd_rows(&op->u.classes, TYPE, task));
}

ALWAYS void log_softmax_rows(const cph_log_softmax *l, cph_dtype t, size_t task)
{
    size_t w = l->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, l->rows);
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        row_softmax s = softmax_of(l->x, t, r * w, w);
        vf lse = v_set(cph_logf(s.total) + s.top);
        EACH_VECTOR(i, left, w) v_st(l->y + r * w + i, v_sub(v_get(l->x, t, r * w + i, left), lse), left);
    }
}
static void log_softmax_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase, (void)scratch;
    FOR_TYPE(op->dtype, log_softmax_rows(&op->u.log_softmax, TYPE, task));
}

/* ---- rotary ---- */

ALWAYS void rotate_rows(const cph_rotary *o, cph_dtype t, void *x, float sign, size_t task)
{
    size_t half = o->dim / 2, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, o->rows);
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        const float *cosines = o->cos + o->positions[r] * half, *sines = o->sin + o->positions[r] * half;
        for (size_t h = 0; h < o->heads; h++) {
            size_t u = r * o->stride + h * o->head_dim;
            EACH_VECTOR(i, left, half)
            {
                vf c = v_ld(cosines + i, left), s = v_mul(v_set(sign), v_ld(sines + i, left));
                vf a = v_get(x, t, u + i, left), b = v_get(x, t, u + half + i, left);
                v_put(x, t, u + i, v_fnma(b, s, v_mul(a, c)), left);
                v_put(x, t, u + half + i, v_fma(a, s, v_mul(b, c)), left);
            }
        }
    }
}
/* Neighbours as pairs lie across lanes: the reference does them. */
static void rotary_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    if (op->u.rotary.interleaved) cph_ref_rotary_fwd(op, phase, task, scratch);
    else FOR_TYPE(op->dtype, rotate_rows(&op->u.rotary, TYPE, op->u.rotary.x, 1, task));
}
static void rotary_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    if (op->u.rotary.interleaved) cph_ref_rotary_bwd(op, phase, task, scratch);
    else FOR_TYPE(op->dtype, rotate_rows(&op->u.rotary, TYPE, op->u.rotary.dx, -1, task));
}

#endif
