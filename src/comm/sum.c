/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sum.c - the sum over ranks, moved and added by a thread of its own while the caller computes.
 *
 * Every rank walks the groups in the order in which they became ready, which is the same
 * everywhere. A packet is added when all ranks' packets of the same place have come: then
 * they are read where the transport put them, and no other buffer is needed.
 */
#include <colophon/comm/sum.h>

#include "comm_in.h"

#include <colophon/base/memory.h>

#include <assert.h>
#include <fenv.h>
#include <string.h>

#define PACKET_FLOATS (CPH_PACKET / sizeof(float))
enum { STRIP = 256 }; /* floats that are added at once: log2(ranks) strips stay in the first cache */

/* The next packet of one owner's spans, in the order of the groups. */
typedef struct cursor {
    size_t group;  /* position in the order */
    size_t span;   /* of that group */
    uint64_t done; /* elements of the span */
} cursor;

struct cph_sum {
    cph_comm *c;
    cph_layout layout;
    uint32_t n_groups, *first; /* first[g] .. first[g + 1]: the spans of group g */
    uint32_t *order;           /* [n_groups] */
    cursor *out, *in, mine;    /* out, in: by rank */
    const float **parts;       /* by rank: where a packet to be added lies */
    float *flat;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    size_t n_ready;
    bool busy, quit;
    cph_status status;
    cph_err err;
};

/* ---- the order of packets ---- */

typedef struct packet {
    uint64_t offset;
    size_t n; /* elements */
} packet;

static bool next_packet(const cph_sum *s, cursor *at, unsigned owner, size_t n_ready, packet *out)
{
    for (; at->group < n_ready; at->group++, at->span = 0) {
        uint32_t g = s->order[at->group];
        for (; s->first[g] + at->span < s->first[g + 1]; at->span++, at->done = 0) {
            const cph_span *p = &s->layout.spans[s->first[g] + at->span];
            if (p->owner != owner || at->done == p->n) continue;
            uint64_t left = p->n - at->done;
            *out = (packet){p->offset + at->done, left < PACKET_FLOATS ? (size_t)left : PACKET_FLOATS};
            return true;
        }
    }
    return false;
}

/* ---- adding ---- */

static void add_strip(float *to, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] = a[i] + b[i];
}

/* to = the sum of parts[0..n) at `at`: the left half, then the right half, then both. */
static void tree(float *to, const float *const *parts, unsigned n, size_t at, size_t n_floats)
{
    float right[STRIP];
    if (n == 2) {
        add_strip(to, parts[0] + at, parts[1] + at, n_floats);
        return;
    }
    tree(to, parts, n / 2, at, n_floats);
    tree(right, parts + n / 2, n / 2, at, n_floats);
    add_strip(to, to, right, n_floats);
}

static void add_parts(cph_sum *s, const packet *p)
{
    unsigned n = s->c->t->n;
    float *own = s->flat + p->offset, strip[STRIP];
    s->parts[s->c->t->rank] = own;
    for (size_t at = 0; at < p->n; at += STRIP) {
        size_t k = p->n - at < STRIP ? p->n - at : STRIP;
        tree(strip, s->parts, n, at, k); /* own is read before it is written */
        memcpy(own + at, strip, k * sizeof *strip);
    }
}

/* ---- the thread ---- */

static bool push_packets(cph_sum *s, size_t n_ready)
{
    cph_transport *t = s->c->t;
    bool moved = false;
    packet p;
    for (unsigned r = 0; r < t->n; r++) {
        if (r == t->rank || !next_packet(s, &s->out[r], r, n_ready, &p)) continue;
        if (!t->offer(t, r, s->flat + p.offset, p.n * sizeof(float))) continue;
        s->out[r].done += p.n;
        moved = true;
    }
    return moved;
}

static cph_status pull_packets(cph_sum *s, size_t n_ready, bool *moved, cph_err *err)
{
    cph_transport *t = s->c->t;
    packet p;
    if (!next_packet(s, &s->mine, t->rank, n_ready, &p)) return CPH_OK;
    for (unsigned r = 0; r < t->n; r++) {
        const void *bytes;
        size_t n;
        if (r == t->rank) continue;
        if (!t->peek(t, r, &bytes, &n)) return CPH_OK;
        if (n != p.n * sizeof(float))
            return cph_fail(err, CPH_BUG, "rank %u sent %zu bytes to be added to %zu: ranks are out of step", r, n,
                            p.n * sizeof(float));
        s->parts[r] = bytes;
    }
    add_parts(s, &p);
    for (unsigned r = 0; r < t->n; r++)
        if (r != t->rank) t->release(t, r);
    s->mine.done += p.n;
    *moved = true;
    return CPH_OK;
}

static bool all_moved(cph_sum *s)
{
    packet p;
    for (unsigned r = 0; r < s->c->t->n; r++)
        if (r != s->c->t->rank && next_packet(s, &s->out[r], r, s->n_groups, &p)) return false;
    return !next_packet(s, &s->mine, s->c->t->rank, s->n_groups, &p);
}

static size_t n_ready(cph_sum *s, bool *quit)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->n_ready;
    *quit = s->quit;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static cph_status sum_all(cph_sum *s, cph_err *err)
{
    for (;;) {
        bool quit;
        size_t ready = n_ready(s, &quit);
        if (quit) return cph_fail(err, CPH_STOPPED, "a sum over ranks was given up");
        bool moved = push_packets(s, ready);
        CPH_TRY(pull_packets(s, ready, &moved, err));
        if (moved) continue;
        if (ready == s->n_groups && all_moved(s)) return cph_comm_flush(s->c, err);
        CPH_TRY(cph_comm_wait(s->c, err)); /* cph_sum_ready and packets end it */
    }
}

static void *live(void *arg)
{
    cph_sum *s = arg;
    fesetenv(FE_DFL_ENV);
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->busy && !s->quit) pthread_cond_wait(&s->changed, &s->lock);
        if (s->quit) break;
        pthread_mutex_unlock(&s->lock);
        cph_err err = {0};
        cph_status status = sum_all(s, &err);
        pthread_mutex_lock(&s->lock);
        s->status = status;
        s->err = err;
        s->busy = false;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- the door ---- */

static cph_status check_layout(const cph_layout *l, unsigned n_ranks, uint32_t *n_groups, cph_err *err)
{
    *n_groups = 0;
    if (n_ranks & (n_ranks - 1)) return cph_fail(err, CPH_USAGE, "%u ranks: their number is a power of two", n_ranks);
    for (size_t i = 0; i < l->n; i++) {
        assert(l->spans[i].owner < n_ranks && (i == 0 || l->spans[i].group >= l->spans[i - 1].group));
        if (l->spans[i].group >= *n_groups) *n_groups = l->spans[i].group + 1;
    }
    return CPH_OK;
}

static cph_status allocate(cph_sum *s, cph_err *err)
{
    unsigned n = s->c->t->n;
    void *mem;
    CPH_TRY(cph_alloc0(&mem, (2 * (size_t)s->n_groups + 1) * sizeof *s->first, err));
    s->first = mem;
    s->order = s->first + s->n_groups + 1;
    CPH_TRY(cph_alloc0(&mem, 2 * n * sizeof *s->out, err));
    s->out = mem;
    s->in = s->out + n;
    CPH_TRY(cph_alloc0(&mem, n * sizeof *s->parts, err));
    s->parts = mem;
    for (size_t i = 0; i < s->layout.n; i++) s->first[s->layout.spans[i].group + 1] = (uint32_t)i + 1;
    for (uint32_t g = 1; g <= s->n_groups; g++) /* a group without spans begins where the last one ended */
        if (s->first[g] < s->first[g - 1]) s->first[g] = s->first[g - 1];
    return CPH_OK;
}

cph_status cph_sum_open(cph_sum **out, cph_comm *c, cph_layout layout, cph_err *err)
{
    uint32_t n_groups;
    void *mem;
    CPH_TRY(check_layout(&layout, cph_comm_size(c), &n_groups, err));
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_sum), err));
    cph_sum *s = mem;
    *s = (cph_sum){.c = c, .layout = layout, .n_groups = n_groups};
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    cph_status status = c ? allocate(s, err) : CPH_OK;
    if (status == CPH_OK && c) {
        s->has_thread = pthread_create(&s->thread, NULL, live, s) == 0;
        if (!s->has_thread) status = cph_fail(err, CPH_IO, "the system starts no thread for the sum over ranks");
    }
    if (status == CPH_OK) *out = s;
    else cph_sum_close(s);
    return status;
}

void cph_sum_close(cph_sum *s)
{
    if (!s) return;
    if (s->has_thread) {
        pthread_mutex_lock(&s->lock);
        s->quit = true;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    cph_free(s->first);
    cph_free(s->out);
    cph_free(s->parts);
    cph_free(s);
}

void cph_sum_begin(cph_sum *s, float *flat)
{
    if (!s->c) return;
    memset(s->out, 0, s->c->t->n * sizeof *s->out);
    s->mine = (cursor){0};
    s->flat = flat;
    pthread_mutex_lock(&s->lock);
    s->n_ready = 0;
    s->busy = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void cph_sum_ready(cph_sum *s, uint32_t group)
{
    if (!s->c || group >= s->n_groups) return;
    pthread_mutex_lock(&s->lock);
    s->order[s->n_ready++] = group;
    pthread_mutex_unlock(&s->lock);
    s->c->t->poke(s->c->t);
}

cph_status cph_sum_end(cph_sum *s, cph_err *err)
{
    if (!s->c) return CPH_OK;
    pthread_mutex_lock(&s->lock);
    while (s->busy) pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    if (s->status != CPH_OK && err) *err = s->err;
    return s->status;
}

/* ---- back to everybody ---- */

static bool push_own(cph_sum *s, unsigned to)
{
    cph_transport *t = s->c->t;
    packet p;
    if (!next_packet(s, &s->out[to], t->rank, s->n_groups, &p)) return false;
    if (!t->offer(t, to, s->flat + p.offset, p.n * sizeof(float))) return false;
    s->out[to].done += p.n;
    return true;
}

static cph_status pull_theirs(cph_sum *s, unsigned from, bool *moved, cph_err *err)
{
    cph_transport *t = s->c->t;
    const void *bytes;
    size_t n;
    packet p;
    if (!next_packet(s, &s->in[from], from, s->n_groups, &p) || !t->peek(t, from, &bytes, &n)) return CPH_OK;
    if (n != p.n * sizeof(float))
        return cph_fail(err, CPH_BUG, "rank %u shared %zu bytes where %zu were awaited: ranks are out of step", from,
                        n, p.n * sizeof(float));
    memcpy(s->flat + p.offset, bytes, n);
    t->release(t, from);
    s->in[from].done += p.n;
    *moved = true;
    return CPH_OK;
}

static bool all_shared(const cph_sum *s)
{
    packet p;
    for (unsigned r = 0; r < s->c->t->n; r++)
        if (r != s->c->t->rank && (next_packet(s, &s->out[r], s->c->t->rank, s->n_groups, &p) ||
                                   next_packet(s, &s->in[r], r, s->n_groups, &p)))
            return false;
    return true;
}

cph_status cph_sum_share(cph_sum *s, float *flat, cph_err *err)
{
    if (!s->c) return CPH_OK;
    unsigned n = s->c->t->n;
    memset(s->out, 0, n * sizeof *s->out);
    memset(s->in, 0, n * sizeof *s->in);
    for (uint32_t g = 0; g < s->n_groups; g++) s->order[g] = g;
    s->flat = flat;
    while (!all_shared(s)) {
        bool moved = false;
        for (unsigned r = 0; r < n; r++) {
            if (r == s->c->t->rank) continue;
            moved |= push_own(s, r);
            CPH_TRY(pull_theirs(s, r, &moved, err));
        }
        if (!moved) CPH_TRY(cph_comm_wait(s->c, err));
    }
    return cph_comm_flush(s->c, err);
}
