/* SPDX-License-Identifier: Apache-2.0 */
/*
 * planner.c - places for buffers that live from step `first` to step `last`: the
 * largest first, each into the smallest gap that fits among those alive with it.
 * Ties go to the lower index, so that a plan is a function of the tape alone.
 */
#include "tape_in.h"

#include <colophon/base/memory.h>

static bool overlap(const tape_buffer *a, const tape_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The best gap for `size` among the placed buffers that are alive with b; they are sorted by offset. */
static uint64_t best_gap(const tape_buffer *b, uint64_t size, tape_buffer **placed, const uint64_t *sizes,
                         size_t n)
{
    uint64_t end = 0, best = UINT64_MAX, at = 0;
    for (size_t i = 0; i < n; i++) {
        if (!overlap(b, placed[i])) continue;
        uint64_t gap = placed[i]->offset > end ? placed[i]->offset - end : 0;
        if (gap >= size && gap < best) {
            best = gap;
            at = end;
        }
        if (placed[i]->offset + sizes[i] > end) end = placed[i]->offset + sizes[i];
    }
    return best != UINT64_MAX ? at : end;
}

static void insert_placed(tape_buffer **placed, uint64_t *sizes, size_t n, tape_buffer *b, uint64_t size)
{
    size_t i = n;
    for (; i > 0 && placed[i - 1]->offset > b->offset; i--) {
        placed[i] = placed[i - 1];
        sizes[i] = sizes[i - 1];
    }
    placed[i] = b;
    sizes[i] = size;
}

cph_status cph_plan_buffers(tape_buffer **buffers, const uint64_t *sizes, size_t n, uint64_t *arena_floats,
                            cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, n * (sizeof(tape_buffer *) + sizeof(uint64_t) + 1), err));
    uint64_t *placed_sizes = mem, total = 0;
    tape_buffer **placed = (tape_buffer **)(void *)(placed_sizes + n);
    uint8_t *done = (uint8_t *)(placed + n);
    for (size_t k = 0; k < n; k++) {
        size_t pick = n;
        for (size_t i = 0; i < n; i++)
            if (!done[i] && (pick == n || sizes[i] > sizes[pick])) pick = i;
        buffers[pick]->offset = best_gap(buffers[pick], sizes[pick], placed, placed_sizes, k);
        insert_placed(placed, placed_sizes, k, buffers[pick], sizes[pick]);
        done[pick] = 1;
        if (buffers[pick]->offset + sizes[pick] > total) total = buffers[pick]->offset + sizes[pick];
    }
    cph_free(mem);
    *arena_floats = total;
    return CPH_OK;
}
