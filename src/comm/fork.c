/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork.c - ranks on this machine without any launcher: processes that share memory with the one
 * that was started, which is rank 0 and waits for them.
 */
#include "comm_in.h"
#include "ring_in.h"

#include <colophon/base/log.h>
#include <colophon/base/memory.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REAP_S 5.0 /* for a rank that was told to end; then it is killed */

typedef struct fork_transport {
    cph_transport t;
    cph_rings rings;
    size_t n_bytes;
    int sockets[CPH_COMM_MAX]; /* as transport.h wants them in `watch` */
    int peers[CPH_COMM_MAX];   /* the other ends, until the fork */
} fork_transport;

static fork_transport *of(cph_transport *t) { return (fork_transport *)t; }

static bool offer(cph_transport *t, unsigned to, const void *p, size_t n)
{
    return cph_rings_offer(&of(t)->rings, to, p, n);
}

static bool peek(cph_transport *t, unsigned from, const void **p, size_t *n)
{
    return cph_rings_peek(&of(t)->rings, from, p, n);
}

static void release_packet(cph_transport *t, unsigned from) { cph_rings_release(&of(t)->rings, from); }
/* A packet in a ring is as good as there. */
static bool flushed(cph_transport *t)
{
    (void)t;
    return true;
}

static void wait_packet(cph_transport *t) { cph_rings_wait(&of(t)->rings, 5000); }
static void poke(cph_transport *t) { cph_rings_poke(&of(t)->rings); }

static void close_all(cph_transport *t, bool orderly)
{
    fork_transport *f = of(t);
    (void)orderly;
    for (unsigned i = 0; i < t->n; i++) {
        if (f->sockets[i] >= 0) close(f->sockets[i]);
        if (f->peers[i] >= 0) close(f->peers[i]);
    }
    if (f->rings.mem) munmap(f->rings.mem, f->n_bytes);
    cph_free(f);
}

static cph_status open_shared(fork_transport *f, cph_err *err)
{
    unsigned n = f->t.n;
    f->n_bytes = cph_rings_bytes(n);
    void *mem = mmap(NULL, f->n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mem == MAP_FAILED) return cph_fail_errno(err, "%zu bytes of shared memory for %u ranks", f->n_bytes, n);
    f->rings = cph_rings_at(mem, n, 0);
    for (unsigned i = 1; i < n; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
            return cph_fail_errno(err, "a socket for each of %u ranks", n);
        f->sockets[i] = pair[0];
        f->peers[i] = pair[1];
    }
    return CPH_OK;
}

/* In the new process: only its own socket stays open, for the end of any other to be seen. */
static void become(fork_transport *f, unsigned rank)
{
    int mine = f->peers[rank];
    for (unsigned i = 0; i < f->t.n; i++) {
        if (f->sockets[i] >= 0) close(f->sockets[i]);
        if (f->peers[i] >= 0 && i != rank) close(f->peers[i]);
        f->sockets[i] = f->peers[i] = -1;
    }
    f->sockets[0] = mine;
    f->t.rank = f->rings.me = rank;
}

static void end_children(const pid_t *children, unsigned n)
{
    for (unsigned i = 1; i < n; i++)
        if (children[i] > 0 && kill(children[i], SIGKILL) == 0) (void)waitpid(children[i], NULL, 0);
}

/* True in a new process. */
static cph_status start_all(fork_transport *f, pid_t *children, bool *is_new, cph_err *err)
{
    fflush(NULL); /* what waits to be written must not be written twice */
    for (unsigned i = 1; i < f->t.n; i++) {
        pid_t p = fork();
        if (p < 0) {
            cph_fail_errno(err, "the system starts no more than %u processes", i);
            end_children(children, i);
            return CPH_IO;
        }
        if (p == 0) {
            become(f, i);
            *is_new = true;
            return CPH_OK;
        }
        children[i] = p;
    }
    for (unsigned i = 1; i < f->t.n; i++) {
        close(f->peers[i]);
        f->peers[i] = -1;
    }
    return CPH_OK;
}

static cph_status open_transport(fork_transport **out, unsigned n, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(fork_transport), err));
    fork_transport *f = mem;
    f->t = (cph_transport){.abi = CPH_TRANSPORT_ABI, .name = "fork", .n = n, .n_local = n, .watch = f->sockets,
                           .offer = offer, .peek = peek, .release = release_packet,
                           .flushed = flushed, .wait = wait_packet,
                           .poke = poke, .lost = -1, .close = close_all};
    for (unsigned i = 0; i < CPH_COMM_MAX; i++) f->sockets[i] = f->peers[i] = -1;
    cph_status s = open_shared(f, err);
    if (s == CPH_OK) *out = f;
    else close_all(&f->t, false);
    return s;
}

cph_status cph_comm_fork(cph_comm **out, unsigned n, cph_err *err)
{
    fork_transport *f;
    bool is_new = false;
    void *children;
    if (n == 0 || n > CPH_COMM_MAX)
        return cph_fail(err, CPH_USAGE, "%u ranks: from 1 to %u can be started here", n, CPH_COMM_MAX);
    if (n == 1) {
        *out = NULL;
        return CPH_OK;
    }
    CPH_TRY(open_transport(&f, n, err));
    cph_status s = cph_alloc0(&children, n * sizeof(pid_t), err);
    if (s == CPH_OK) {
        s = start_all(f, children, &is_new, err);
        if (s != CPH_OK) cph_free(children);
    }
    if (s != CPH_OK) {
        close_all(&f->t, false);
        return s;
    }
    s = cph_comm_start(out, &f->t, err);
    if (s == CPH_OK && !is_new) (*out)->children = children;
    if (s != CPH_OK && !is_new) end_children(children, n);
    if (s != CPH_OK || is_new) cph_free(children);
    return s;
}

/* ---- the end ---- */

static cph_status ended_how(unsigned rank, int how, cph_err *err)
{
    if (WIFSIGNALED(how)) return cph_fail(err, CPH_IO, "rank %u ended by signal %d", rank, WTERMSIG(how));
    if (WEXITSTATUS(how)) return cph_fail(err, CPH_IO, "rank %u ended with exit code %d", rank, WEXITSTATUS(how));
    return CPH_OK;
}

cph_status cph_fork_reap(cph_comm *c, bool orderly, cph_err *err)
{
    double began = cph_now_s();
    unsigned left = c->t->n - 1;
    cph_status s = CPH_OK;
    while (left) {
        for (unsigned i = 1; i < c->t->n; i++) {
            int how = 0;
            pid_t p = c->children[i] > 0 ? waitpid(c->children[i], &how, WNOHANG) : 0;
            if (p == 0 || (p < 0 && errno == EINTR)) continue;
            c->children[i] = 0;
            left--;
            if (p > 0 && s == CPH_OK) s = ended_how(i, how, err);
        }
        if (left && !orderly && cph_now_s() - began > REAP_S) {
            end_children(c->children, c->t->n);
            return s;
        }
        struct timespec t = {.tv_nsec = 1000000};
        if (left) nanosleep(&t, NULL);
    }
    return s;
}
