/* SPDX-License-Identifier: Apache-2.0 */
/*
 * comm.c - messages and collective calls over a transport's packets.
 *
 * Every wait goes through cph_comm_wait, so that none outlives a rank that it waits for.
 * Collective calls move all pairs at once: whatever the order of arrival, nobody
 * waits for a place that somebody else fills only later.
 */
#include "comm_in.h"

#include <colophon/base/log.h>
#include <colophon/base/memory.h>
#include <colophon/base/plugin.h>

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static size_t part(uint64_t left) { return left < CPH_PACKET ? (size_t)left : CPH_PACKET; }

/* ---- life ---- */

unsigned cph_comm_rank(const cph_comm *c) { return c ? c->t->rank : 0; }
unsigned cph_comm_size(const cph_comm *c) { return c ? c->t->n : 1; }
unsigned cph_comm_local_size(const cph_comm *c) { return c ? c->t->n_local : 1; }
const char *cph_comm_name(const cph_comm *c) { return c ? c->t->name : "one"; }

static cph_status start(cph_comm *c, cph_err *err)
{
    size_t from[CPH_COMM_MAX + 1];
    unsigned n = c->t->n;
    void *mem;
    if (n > CPH_COMM_MAX) return cph_fail(err, CPH_USAGE, "%u ranks: at most %u", n, CPH_COMM_MAX);
    CPH_TRY(cph_alloc0(&mem, n * sizeof *c->who, err));
    c->who = mem;
    CPH_TRY(cph_alloc0(&mem, 2 * n * sizeof *c->moved, err));
    c->moved = mem;
    cph_who *me = &c->who[c->t->rank];
    me->process = (int64_t)getpid();
    if (gethostname(me->host, sizeof me->host - 1) != 0) snprintf(me->host, sizeof me->host, "?");
    /* The watch starts first: a rank may die here already. Until the names are exchanged it has only numbers. */
    CPH_TRY(cph_watch_start(&c->watch, c->t, err));
    for (unsigned r = 0; r <= n; r++) from[r] = r * sizeof *c->who;
    CPH_TRY(cph_comm_gather(c, c->who, from, err));
    cph_watch_names(&c->watch, c->who);
    return CPH_OK;
}

cph_status cph_comm_start(cph_comm **out, cph_transport *t, cph_err *err)
{
    void *mem;
    cph_status s = cph_alloc0(&mem, sizeof(cph_comm), err);
    if (s != CPH_OK) {
        t->close(t, false);
        return s;
    }
    cph_comm *c = mem;
    c->t = t;
    c->watch.wake[0] = c->watch.wake[1] = -1;
    s = start(c, err);
    if (s == CPH_OK) *out = c;
    else cph_comm_close(c);
    return s;
}

cph_status cph_comm_load(cph_comm **out, const char *name, cph_err *err)
{
    void *p;
    cph_transport_open_fn open_it;
    cph_transport *t;
    CPH_TRY(cph_plugin_symbol(&p, name, "cph_transport_open", err));
    memcpy(&open_it, &p, sizeof open_it);
    CPH_TRY(open_it(&t, err));
    if (t->abi == CPH_TRANSPORT_ABI) return cph_comm_start(out, t, err);
    return cph_fail(err, CPH_IO, "libcolophon-%s.so: is of another version of colophon", name);
}

void cph_comm_on_loss(cph_comm *c, double grace_s, cph_comm_loss_fn fn, void *ctx)
{
    if (!c) return;
    pthread_mutex_lock(&c->watch.lock);
    c->watch.fn = fn;
    c->watch.ctx = ctx;
    c->watch.grace_s = grace_s;
    pthread_mutex_unlock(&c->watch.lock);
}

bool cph_comm_speaks(const cph_comm *c)
{
    return !c || c->t->rank == 0 || __atomic_load_n(&c->watch.root_lost, __ATOMIC_ACQUIRE);
}

static void nap(void)
{
    struct timespec t = {.tv_nsec = 1000000};
    nanosleep(&t, NULL);
}

static cph_status end_well(cph_comm *c, cph_err *err)
{
    CPH_TRY(cph_comm_barrier(c, err));
    cph_watch_tell(&c->watch, NULL);
    /* Rank 0 closes its sockets last: nobody shall take that for its death. */
    while (!cph_watch_all_done(&c->watch)) nap();
    c->orderly = true;
    return CPH_OK;
}

cph_status cph_comm_end(cph_comm *c, cph_status s, cph_err *err)
{
    cph_err mine = {.status = s};
    if (!c) return s;
    if (s == CPH_OK || s == CPH_END) s = end_well(c, err);
    else if (!cph_watch_lost(&c->watch, NULL)) cph_watch_tell(&c->watch, err ? err : &mine);
    cph_err why = {0};
    cph_status reaped = c->children ? cph_fork_reap(c, c->orderly, &why) : CPH_OK;
    if (s == CPH_OK && reaped != CPH_OK) {
        if (err) *err = why;
        return reaped;
    }
    return s;
}

void cph_comm_close(cph_comm *c)
{
    if (!c) return;
    cph_watch_stop(&c->watch);
    c->t->close(c->t, c->orderly);
    cph_free(c->children);
    cph_free(c->moved);
    cph_free(c->who);
    cph_free(c);
}

/* ---- waiting ---- */

cph_status cph_comm_check(cph_comm *c, cph_err *err)
{
    if (cph_watch_lost(&c->watch, err)) return c->watch.why.status;
    if (c->t->lost < 0) return CPH_OK;
    /* The way broke: most likely its rank died, and the watch knows more in a moment. */
    for (unsigned i = 0; c->watch.started && i < 2000; i++) {
        if (cph_watch_lost(&c->watch, err)) return c->watch.why.status;
        nap();
    }
    return cph_fail(err, CPH_IO, "the way to rank %d (process %lld on %s) broke", c->t->lost,
                    (long long)c->who[c->t->lost].process, c->who[c->t->lost].host);
}

cph_status cph_comm_wait(cph_comm *c, cph_err *err)
{
    CPH_TRY(cph_comm_check(c, err));
    c->t->wait(c->t);
    return CPH_OK;
}

cph_status cph_comm_flush(cph_comm *c, cph_err *err)
{
    while (!c->t->flushed(c->t)) CPH_TRY(cph_comm_wait(c, err));
    return CPH_OK;
}

static cph_status out_of_step(unsigned from, size_t got, size_t want, cph_err *err)
{
    return cph_fail(err, CPH_BUG, "rank %u sent %zu bytes where %zu were awaited: ranks are out of step", from, got,
                    want);
}

/* ---- from rank to rank ---- */

cph_status cph_comm_send(cph_comm *c, unsigned to, const void *p, size_t n, cph_err *err)
{
    for (size_t at = 0; at < n;) {
        if (c->t->offer(c->t, to, (const char *)p + at, part(n - at))) at += part(n - at);
        else CPH_TRY(cph_comm_wait(c, err));
    }
    return cph_comm_flush(c, err);
}

cph_status cph_comm_recv(cph_comm *c, unsigned from, void *p, size_t n, cph_err *err)
{
    for (size_t at = 0; at < n;) {
        const void *packet;
        size_t got;
        if (!c->t->peek(c->t, from, &packet, &got)) {
            CPH_TRY(cph_comm_wait(c, err));
            continue;
        }
        if (got != part(n - at)) return out_of_step(from, got, part(n - at), err);
        memcpy((char *)p + at, packet, got);
        c->t->release(c->t, from);
        at += got;
    }
    return CPH_OK;
}

/* ---- all together ---- */

cph_status cph_comm_barrier(cph_comm *c, cph_err *err)
{
    uint8_t here[CPH_COMM_MAX] = {0};
    size_t from[CPH_COMM_MAX + 1];
    for (unsigned r = 0; r <= cph_comm_size(c); r++) from[r] = r;
    return cph_comm_gather(c, here, from, err);
}

cph_status cph_comm_share(cph_comm *c, unsigned root, void *p, size_t n, cph_err *err)
{
    size_t from[CPH_COMM_MAX + 1];
    for (unsigned r = 0; r <= cph_comm_size(c); r++) from[r] = r <= root ? 0 : n;
    return cph_comm_gather(c, p, from, err);
}

/* Moves one packet of this rank's part to `to`, if there is one and it is taken. */
static bool push(cph_comm *c, unsigned to, const char *mine, size_t n)
{
    uint64_t *sent = &c->moved[to];
    if (*sent == n || !c->t->offer(c->t, to, mine + *sent, part(n - *sent))) return false;
    *sent += part(n - *sent);
    return true;
}

static cph_status pull(cph_comm *c, unsigned from, char *theirs, size_t n, bool *moved, cph_err *err)
{
    uint64_t *got = &c->moved[c->t->n + from];
    const void *packet;
    size_t bytes;
    if (*got == n || !c->t->peek(c->t, from, &packet, &bytes)) return CPH_OK;
    if (bytes != part(n - *got)) return out_of_step(from, bytes, part(n - *got), err);
    memcpy(theirs + *got, packet, bytes);
    c->t->release(c->t, from);
    *got += bytes;
    *moved = true;
    return CPH_OK;
}

cph_status cph_comm_gather(cph_comm *c, void *all, const size_t *from, cph_err *err)
{
    if (!c) return CPH_OK;
    unsigned n = c->t->n, me = c->t->rank;
    size_t mine = from[me + 1] - from[me], left;
    memset(c->moved, 0, 2 * n * sizeof *c->moved);
    do {
        bool moved = false;
        left = 0;
        for (unsigned r = 0; r < n; r++) {
            if (r == me) continue;
            size_t theirs = from[r + 1] - from[r];
            moved |= push(c, r, (const char *)all + from[me], mine);
            CPH_TRY(pull(c, r, (char *)all + from[r], theirs, &moved, err));
            left += (size_t)(mine - c->moved[r] + theirs - c->moved[n + r]);
        }
        if (left && !moved) CPH_TRY(cph_comm_wait(c, err));
    } while (left);
    return cph_comm_flush(c, err);
}
