/* SPDX-License-Identifier: Apache-2.0 */
/*
 * comm_in.h - what the files of this room share: a job's ranks, who watches them, and waiting
 * that ends when one of them does.
 */
#ifndef CPH_COMM_IN_H
#define CPH_COMM_IN_H

#include <colophon/comm/comm.h>
#include <colophon/comm/transport.h>

#include <pthread.h>
#include <sys/types.h>

typedef struct cph_who {
    int64_t process;
    char host[56];
} cph_who;

/* watch.c: who has died or failed. Without sockets in the transport it knows nothing. */
typedef struct cph_watch {
    const cph_transport *t;
    const cph_who *who; /* under the lock; NULL until all have told their names */
    pthread_t thread;
    bool started;
    int wake[2]; /* a pipe that ends the thread */
    bool *done;  /* by socket: that rank has said how it ended */
    /* touched by atomic operations only */
    uint32_t lost, root_lost, met, ending, n_done; /* met: this rank's own calls have seen the loss */
    cph_err why; /* written before `lost` is */
    pthread_mutex_t lock; /* of the names and the function */
    cph_comm_loss_fn fn;
    void *ctx;
    double grace_s;
} cph_watch;
cph_status cph_watch_start(cph_watch *w, const cph_transport *t, cph_err *err) CPH_MUST_USE;
void cph_watch_names(cph_watch *w, const cph_who *who); /* [n], of the caller */
bool cph_watch_lost(cph_watch *w, cph_err *why); /* and takes note that the caller knows */
void cph_watch_tell(cph_watch *w, const cph_err *why); /* this rank failed; NULL: it is done */
bool cph_watch_all_done(const cph_watch *w);
void cph_watch_stop(cph_watch *w);

struct cph_comm {
    cph_transport *t;
    cph_who *who; /* [n] */
    cph_watch watch;
    uint64_t *moved; /* [2 n] bytes to and from each rank, of the call under way */
    pid_t *children; /* [n] of a fork, at rank 0; [0] unused */
    bool orderly;
};

/* The transport is the comm's from here on, whatever this returns. */
cph_status cph_comm_start(cph_comm **out, cph_transport *t, cph_err *err) CPH_MUST_USE;
/* The failure of another rank, or CPH_OK. */
cph_status cph_comm_check(cph_comm *c, cph_err *err) CPH_MUST_USE;
/* Checks, then sleeps until something may have changed. */
cph_status cph_comm_wait(cph_comm *c, cph_err *err) CPH_MUST_USE;
/* Waits until what was sent no longer needs this rank: else a receiver would wait while it computes. */
cph_status cph_comm_flush(cph_comm *c, cph_err *err) CPH_MUST_USE;

/* fork.c: waits for the processes of a fork, ends those that do not end, says which ended badly. */
cph_status cph_fork_reap(cph_comm *c, bool orderly, cph_err *err) CPH_MUST_USE;

#endif
