/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_classes.c - the reference of softmax over rows that lie in memory: cross-entropy of
 * few classes, logarithms of probabilities. Sums go through 32 lanes.
 */
#include "real.h"

typedef struct softmax {
    cph_real top, total; /* sum of exp(x - top) */
} softmax;

static softmax softmax_of(const void *x, cph_dtype t, size_t at, size_t n)
{
    softmax s = {val(x, t, at), 0};
    lanes sum = {{0}};
    for (size_t i = 1; i < n; i++) s.top = val(x, t, at + i) > s.top ? val(x, t, at + i) : s.top;
    for (size_t i = 0; i < n; i++) sum.v[i % LANES] = sum.v[i % LANES] + R_EXP(val(x, t, at + i) - s.top);
    s.total = lanes_sum(&sum);
    return s;
}

void REF(classes_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_classes *k = &op->u.classes;
    size_t n = k->classes, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, k->rows);
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        k->losses[r] = 0;
        if (k->labels[r] < 0) continue;
        softmax s = softmax_of(k->x, op->dtype, r * n, n);
        k->losses[r] = (R_LOG(s.total) + s.top) - val(k->x, op->dtype, r * n + (size_t)k->labels[r]);
    }
}

/* dx = (p - onehot) inv_labels */
void REF(classes_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_classes *k = &op->u.classes;
    cph_dtype t = op->dtype;
    size_t n = k->classes, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, k->rows);
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        bool counts = k->labels[r] >= 0;
        softmax s = softmax_of(k->x, t, r * n, n);
        cph_real scale = *k->inv_labels, f = (1 / s.total) * scale;
        for (size_t i = 0; i < n; i++) {
            cph_real d = counts ? R_EXP(val(k->x, t, r * n + i) - s.top) * f : 0;
            if (counts && i == (size_t)k->labels[r]) d = d - scale;
            put(k->dx, t, r * n + i, k->dx_adds ? val(k->dx, t, r * n + i) + d : d);
        }
    }
}

void REF(log_softmax_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_log_softmax *l = &op->u.log_softmax;
    size_t w = l->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, l->rows);
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        softmax s = softmax_of(l->x, op->dtype, r * w, w);
        cph_real lse = R_LOG(s.total) + s.top;
        for (size_t i = 0; i < w; i++) l->y[r * w + i] = val(l->x, op->dtype, r * w + i) - lse;
    }
}
