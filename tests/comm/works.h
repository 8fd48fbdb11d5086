/* SPDX-License-Identifier: Apache-2.0 */
/*
 * works.h - what the tests of ranks let ranks do, over whatever transport: each rank judges what it got.
 */
#ifndef CPH_WORKS_H
#define CPH_WORKS_H

#include <string.h>
#include <unistd.h>

#include <colophon/base/memory.h>
#include <colophon/comm/comm.h>
#include <colophon/comm/sum.h>

typedef cph_status (*work_fn)(cph_comm *c, void *arg, cph_err *err);

static cph_status wrong(cph_err *err, const char *what) { return cph_fail(err, CPH_DATA, "%s", what); }

/* ---- messages ---- */

static cph_status pass_round(cph_comm *c, void *arg, cph_err *err)
{
    size_t n = *(size_t *)arg;
    unsigned me = cph_comm_rank(c), all = cph_comm_size(c);
    void *mem;
    CPH_TRY(cph_alloc(&mem, n, err));
    uint8_t *p = mem;
    cph_status s = CPH_OK;
    if (me == 0) {
        for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(i * 7 + i / 251);
        s = cph_comm_send(c, 1, p, n, err);
        if (s == CPH_OK) memset(p, 0, n);
        if (s == CPH_OK) s = cph_comm_recv(c, all - 1, p, n, err);
        for (size_t i = 0; s == CPH_OK && i < n; i++)
            if (p[i] != (uint8_t)((uint8_t)(i * 7 + i / 251) + all - 1)) s = wrong(err, "a byte changed on its way");
    } else {
        s = cph_comm_recv(c, me - 1, p, n, err);
        for (size_t i = 0; i < n; i++) p[i]++;
        if (s == CPH_OK) s = cph_comm_send(c, (me + 1) % all, p, n, err);
    }
    cph_free(p);
    return s;
}

static cph_status gather_parts(cph_comm *c, void *arg, cph_err *err)
{
    unsigned me = cph_comm_rank(c), n = cph_comm_size(c);
    size_t from[CPH_COMM_MAX + 1] = {0};
    (void)arg;
    for (unsigned r = 0; r < n; r++) from[r + 1] = from[r] + (r * 400000) % 900001; /* some are empty */
    void *mem;
    CPH_TRY(cph_alloc0(&mem, from[n] + 1, err));
    uint8_t *p = mem;
    memset(p + from[me], (int)(me + 1), from[me + 1] - from[me]);
    cph_status s = CPH_OK;
    for (int round = 0; s == CPH_OK && round < 3; round++) s = cph_comm_gather(c, p, from, err);
    for (unsigned r = 0; s == CPH_OK && r < n; r++)
        for (size_t i = from[r]; i < from[r + 1]; i++)
            if (p[i] != r + 1) s = wrong(err, "a part lies at another place");
    uint64_t word = me == n - 1 ? 4711 : 0;
    if (s == CPH_OK) s = cph_comm_share(c, n - 1, &word, sizeof word, err);
    if (s == CPH_OK && word != 4711) s = wrong(err, "the shared word did not come");
    for (int i = 0; s == CPH_OK && i < 100; i++) s = cph_comm_barrier(c, err);
    cph_free(p);
    return s;
}

/* ---- sums ---- */

enum { GROUPS = 9, FLAT = 700000 };

static float value_of(unsigned rank, size_t i)
{
    uint32_t h = (uint32_t)(i * 2654435761u) ^ (rank * 0x9E3779B9u);
    h ^= h >> 15;
    h *= 2246822519u;
    return (float)(int32_t)(h ^ h >> 13) * 0x1p-20f;
}

static float tree_of(unsigned first, unsigned n, size_t i)
{
    return n == 1 ? value_of(first, i) : tree_of(first, n / 2, i) + tree_of(first + n / 2, n / 2, i);
}

/* Group g begins at g * 77777; owners change inside groups and at odd places; group 3 has no span. */
static size_t cut_spans(cph_span *spans, unsigned n_ranks)
{
    size_t n = 0;
    for (uint32_t g = 0; g < GROUPS; g++) {
        uint64_t at = (uint64_t)g * 77777, end = at + 77000;
        for (unsigned k = 0; g != 3 && k < n_ranks; k++) {
            uint64_t to = at + (end - at) / (n_ranks - k);
            if (to > at) spans[n++] = (cph_span){at, to - at, (k + g) % n_ranks, g};
            at = to;
        }
    }
    return n;
}

static cph_status check_sums(const float *flat, cph_layout l, unsigned me, unsigned n, cph_err *err)
{
    for (size_t k = 0; k < l.n; k++)
        for (uint64_t i = l.spans[k].offset; i < l.spans[k].offset + l.spans[k].n; i++) {
            float want = l.spans[k].owner == me ? tree_of(0, n, i) : value_of(me, i);
            if (flat[i] != want) return wrong(err, "a sum is not the tree's");
        }
    return CPH_OK;
}

static cph_status sum_once(cph_comm *c, cph_sum *s, cph_layout l, float *flat, unsigned round, cph_err *err)
{
    unsigned me = cph_comm_rank(c), n = cph_comm_size(c);
    for (size_t i = 0; i < FLAT; i++) flat[i] = value_of(me, i);
    cph_sum_begin(s, flat);
    for (uint32_t g = 0; g < GROUPS; g++) {
        cph_sum_ready(s, (g * 4 + round) % GROUPS);
        if (me == round % n) usleep(1000);
    }
    CPH_TRY(cph_sum_end(s, err));
    CPH_TRY(check_sums(flat, l, me, n, err));
    CPH_TRY(cph_sum_share(s, flat, err));
    for (size_t k = 0; k < l.n; k++)
        for (uint64_t i = l.spans[k].offset; i < l.spans[k].offset + l.spans[k].n; i++)
            if (flat[i] != tree_of(0, n, i)) return wrong(err, "a sum did not reach everybody");
    return CPH_OK;
}

static cph_status sum_rounds(cph_comm *c, void *arg, cph_err *err)
{
    cph_span spans[GROUPS * 8];
    cph_layout l = {spans, cut_spans(spans, cph_comm_size(c))};
    cph_sum *sum;
    void *mem;
    (void)arg;
    CPH_TRY(cph_sum_open(&sum, c, l, err));
    cph_status s = cph_alloc_n(&mem, FLAT, sizeof(float), err);
    for (unsigned round = 0; s == CPH_OK && round < 4; round++) s = sum_once(c, sum, l, mem, round, err);
    cph_free(mem);
    cph_sum_close(sum);
    return s;
}

#endif
