/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c - who has died. Sockets join every rank to rank 0: the kernel closes a dead
 * process's end, whatever killed it. Rank 0 passes on what it learns, so that a
 * failure has one first cause and all ranks name it.
 */
#include "comm_in.h"

#include <colophon/base/log.h>
#include <colophon/base/memory.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct notice {
    uint32_t lost; /* 0: the sender has come to its end */
    uint32_t rank, status;
    char what[512], hint[256];
} notice;

static unsigned n_sockets(const cph_transport *t) { return t->rank == 0 ? t->n : 1; }

static void send_notice(int fd, const notice *n)
{
    /* Whoever cannot be told is dead or at its end, and the watch learns of that by itself. */
    if (fd >= 0) (void)!send(fd, n, sizeof *n, MSG_NOSIGNAL);
}

static void spread(const cph_watch *w, const notice *n)
{
    for (unsigned i = 0; i < n_sockets(w->t); i++)
        if (!(w->t->rank == 0 && i == n->rank)) send_notice(w->t->watch[i], n);
}

/* The first loss is the cause; what follows from it is not told. */
static void learn(cph_watch *w, const notice *n)
{
    if (__atomic_load_n(&w->lost, __ATOMIC_ACQUIRE)) return;
    w->why.status = (cph_status)n->status;
    snprintf(w->why.what, sizeof w->why.what, "%s", n->what);
    snprintf(w->why.hint, sizeof w->why.hint, "%s", n->hint);
    __atomic_store_n(&w->lost, 1, __ATOMIC_RELEASE);
    if (w->t->rank == 0) spread(w, n);
    w->t->poke((cph_transport *)(uintptr_t)w->t);
}

static void died(cph_watch *w, unsigned rank)
{
    notice n = {.lost = 1, .rank = rank, .status = CPH_IO};
    pthread_mutex_lock(&w->lock);
    if (w->who)
        snprintf(n.what, sizeof n.what, "rank %u (process %lld on %s) died", rank,
                 (long long)w->who[rank].process, w->who[rank].host);
    else
        snprintf(n.what, sizeof n.what, "rank %u died at the start", rank);
    pthread_mutex_unlock(&w->lock);
    snprintf(n.hint, sizeof n.hint, "the same command goes on from the last checkpoint");
    /* A root that tells of its failure also says it to the user: only of its death others must speak. */
    if (rank == 0 && !__atomic_load_n(&w->lost, __ATOMIC_ACQUIRE)) __atomic_store_n(&w->root_lost, 1, __ATOMIC_RELEASE);
    learn(w, &n);
}

static void hear(cph_watch *w, struct pollfd *p, unsigned i)
{
    notice n;
    unsigned rank = w->t->rank == 0 ? i : 0;
    ssize_t got = recv(p->fd, &n, sizeof n, MSG_WAITALL);
    bool gone = got != (ssize_t)sizeof n;
    if (gone && !w->done[i] && !__atomic_load_n(&w->ending, __ATOMIC_ACQUIRE)) died(w, rank);
    if (!gone) {
        n.what[sizeof n.what - 1] = n.hint[sizeof n.hint - 1] = 0;
        if (n.lost && n.status < CPH_N_STATUSES && n.rank < w->t->n) learn(w, &n);
    }
    if (!w->done[i]) __atomic_add_fetch(&w->n_done, 1, __ATOMIC_RELEASE);
    w->done[i] = true;
    if (gone) p->fd = -1;
}

/* Calls the function where the rank did not come back by itself; true when nothing is left to time. */
static bool time_is_up(cph_watch *w, double *since)
{
    if (!__atomic_load_n(&w->lost, __ATOMIC_ACQUIRE) || __atomic_load_n(&w->met, __ATOMIC_ACQUIRE)) return false;
    if (*since < 0) *since = cph_now_s();
    pthread_mutex_lock(&w->lock);
    if (w->fn && cph_now_s() - *since >= w->grace_s) {
        __atomic_store_n(&w->met, 1, __ATOMIC_RELEASE);
        w->fn(w->ctx, &w->why);
    }
    pthread_mutex_unlock(&w->lock);
    return true;
}

static void *live(void *arg)
{
    cph_watch *w = arg;
    struct pollfd p[CPH_COMM_MAX + 1];
    unsigned n = n_sockets(w->t);
    double since = -1;
    for (unsigned i = 0; i < n; i++) p[i] = (struct pollfd){.fd = w->t->watch[i], .events = POLLIN};
    p[n] = (struct pollfd){.fd = w->wake[0], .events = POLLIN};
    for (;;) {
        int ready = poll(p, n + 1, time_is_up(w, &since) ? 100 : -1);
        if (ready <= 0) continue;
        if (p[n].revents) break;
        for (unsigned i = 0; i < n; i++)
            if (p[i].fd >= 0 && p[i].revents) hear(w, &p[i], i);
    }
    return NULL;
}

cph_status cph_watch_start(cph_watch *w, const cph_transport *t, cph_err *err)
{
    void *mem;
    *w = (cph_watch){.t = t, .wake = {-1, -1}};
    pthread_mutex_init(&w->lock, NULL);
    if (!t->watch) return CPH_OK;
    CPH_TRY(cph_alloc0(&mem, n_sockets(t) * sizeof(bool), err));
    w->done = mem;
    if (pipe(w->wake) != 0) return cph_fail_errno(err, "a pipe for the watch over ranks");
    if (pthread_create(&w->thread, NULL, live, w) != 0)
        return cph_fail(err, CPH_IO, "the system starts no thread for the watch over ranks");
    w->started = true;
    return CPH_OK;
}

void cph_watch_names(cph_watch *w, const cph_who *who)
{
    pthread_mutex_lock(&w->lock);
    w->who = who;
    pthread_mutex_unlock(&w->lock);
}

bool cph_watch_lost(cph_watch *w, cph_err *why)
{
    if (!__atomic_load_n(&w->lost, __ATOMIC_ACQUIRE)) return false;
    __atomic_store_n(&w->met, 1, __ATOMIC_RELEASE);
    if (why) *why = w->why;
    return true;
}

void cph_watch_tell(cph_watch *w, const cph_err *why)
{
    notice n = {.rank = w->t->rank};
    __atomic_store_n(&w->ending, 1, __ATOMIC_RELEASE);
    __atomic_store_n(&w->met, 1, __ATOMIC_RELEASE);
    if (!w->started) return;
    if (why) {
        n.lost = 1;
        n.status = (uint32_t)why->status;
        snprintf(n.what, sizeof n.what, "rank %u: %.480s", n.rank, why->what);
        snprintf(n.hint, sizeof n.hint, "%s", why->hint);
    }
    spread(w, &n);
}

bool cph_watch_all_done(const cph_watch *w)
{
    return !w->started || w->t->rank != 0 || __atomic_load_n(&w->n_done, __ATOMIC_ACQUIRE) == w->t->n - 1;
}

void cph_watch_stop(cph_watch *w)
{
    if (w->started) {
        (void)!write(w->wake[1], "", 1);
        pthread_join(w->thread, NULL);
    }
    for (unsigned i = 0; i < 2; i++)
        if (w->wake[i] >= 0) close(w->wake[i]);
    pthread_mutex_destroy(&w->lock);
    cph_free(w->done);
}
