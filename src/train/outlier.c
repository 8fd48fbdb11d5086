/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outlier.c - how far a number lies from the last 128 of its kind, as llm.c asks of losses and
 * gradient norms before an update.
 *
 * Sums are taken anew, oldest first: what a window says depends on its numbers alone, so
 * that one that a checkpoint brought back says the same.
 */
#include "train_in.h"

#include <math.h>

double cph_window_at(const cph_window *w, uint32_t i)
{
    return w->values[w->n < CPH_WINDOW ? i : (w->next + i) % CPH_WINDOW];
}

void cph_window_add(cph_window *w, double v)
{
    w->values[w->next] = v;
    w->next = (w->next + 1) % CPH_WINDOW;
    if (w->n < CPH_WINDOW) w->n++;
}

double cph_window_z(const cph_window *w)
{
    double sum = 0, squares = 0, base = cph_window_at(w, 0); /* numbers that are all equal have no deviation */
    if (w->n < CPH_WINDOW) return 0;
    for (uint32_t i = 0; i < CPH_WINDOW; i++) sum += cph_window_at(w, i) - base;
    double mean = base + sum / CPH_WINDOW;
    for (uint32_t i = 0; i < CPH_WINDOW; i++) {
        double d = cph_window_at(w, i) - mean;
        squares += d * d;
    }
    double deviation = sqrt(squares / CPH_WINDOW);
    return deviation > 0 ? (cph_window_at(w, CPH_WINDOW - 1) - mean) / deviation : 0;
}
