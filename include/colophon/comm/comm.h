/* SPDX-License-Identifier: Apache-2.0 */
/*
 * comm.h - ranks: processes that do one job together.
 *
 * A cph_comm joins the ranks 0..n-1 of a job. It comes from cph_comm_fork (n processes
 * on this machine through shared memory; nothing has to be installed) or from a
 * plug-in that is loaded when asked for ("mpi": whoever mpirun or srun started). One
 * rank needs no cph_comm: every function takes NULL for "rank 0 of 1".
 *
 *     unsigned n = 4;
 *     CPH_TRY(cph_comm_fork(&c, n, err));       // from here on there are n processes
 *     s = work(c, err);                         // the same calls on every rank
 *     s = cph_comm_end(c, s, err);              // a rank that failed tells the others
 *     cph_comm_close(c);
 *
 * Ranks make the same collective calls in the same order. What is sent is bytes in this
 * machine's order: all ranks run one program on one kind of processor.
 *
 * When a rank dies or fails, every call on the others returns its fault, with the rank's
 * number in the message: at once if they wait, else at their next call. A rank that is
 * deep in other work is told by cph_comm_on_loss.
 *
 * Invariant  No call returns bytes that were not sent whole.
 * Threads    One thread at a time may use a cph_comm. A watcher thread of its own looks
 *            for dead ranks; cph_comm_on_loss's function runs on it.
 * Memory     Shared memory of about 1 MiB for each pair of ranks on one machine, at
 *            most 64 MiB a rank. Nothing is allocated after open but what is said.
 * Errors     CPH_IO "rank 2 (process 4711 on host) died"; a failed rank's own status and
 *            message; CPH_STOPPED is passed on like any other.
 */
#ifndef CPH_COMM_COMM_H
#define CPH_COMM_COMM_H

#include <stdbool.h>

#include <colophon/base/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_COMM_MAX 256u /* ranks that cph_comm_fork starts at most */

typedef struct cph_comm cph_comm;

/*
 * Makes n processes of this one, which becomes rank 0 and waits for the others in
 * cph_comm_end. Call it before any thread is started. n 1 gives NULL.
 */
CPH_API cph_status cph_comm_fork(cph_comm **out, unsigned n, cph_err *err) CPH_MUST_USE;
/*
 * Loads the transport `name` (libcolophon-<name>.so, see colophon/base/plugin.h) and joins the
 * job in which this process was started. CPH_IO with a hint where the plug-in or its library is absent.
 */
CPH_API cph_status cph_comm_load(cph_comm **out, const char *name, cph_err *err) CPH_MUST_USE;

/*
 * Ends this rank's part: `s` and *err are what it ended with. Tells the others of a failure, takes
 * theirs where it had none, waits until all are done. Rank 0 of a fork reaps the others.
 * Returns `s`, or the failure of another rank. No call but _close and _speaks may follow.
 */
CPH_API cph_status cph_comm_end(cph_comm *c, cph_status s, cph_err *err) CPH_MUST_USE;
CPH_API void cph_comm_close(cph_comm *c); /* NULL is fine */
/* True on the rank that tells the user how it ended: rank 0, or all others where rank 0 died. */
CPH_API bool cph_comm_speaks(const cph_comm *c);

CPH_API unsigned cph_comm_rank(const cph_comm *c);
CPH_API unsigned cph_comm_size(const cph_comm *c);
CPH_API unsigned cph_comm_local_size(const cph_comm *c); /* ranks on this machine, this one included */
CPH_API const char *cph_comm_name(const cph_comm *c);    /* "one", "fork", "mpi" */

/*
 * `fn` is called when another rank has died or failed and this one did not come back to a cph_comm call
 * within `grace_s` seconds. It may end the process, which the library never does. Whatever is written
 * through base is whole or absent, so that ending is safe at any point.
 */
typedef void (*cph_comm_loss_fn)(void *ctx, const cph_err *why);
CPH_API void cph_comm_on_loss(cph_comm *c, double grace_s, cph_comm_loss_fn fn, void *ctx);

/* ---- from rank to rank ---- */
CPH_API cph_status cph_comm_send(cph_comm *c, unsigned to, const void *p, size_t n, cph_err *err) CPH_MUST_USE;
/* The sender and the receiver name the same n. */
CPH_API cph_status cph_comm_recv(cph_comm *c, unsigned from, void *p, size_t n, cph_err *err) CPH_MUST_USE;

/* ---- all together ---- */
CPH_API cph_status cph_comm_barrier(cph_comm *c, cph_err *err) CPH_MUST_USE;
/* p[0..n) of rank `root` reaches everybody. */
CPH_API cph_status cph_comm_share(cph_comm *c, unsigned root, void *p, size_t n, cph_err *err) CPH_MUST_USE;
/*
 * Rank r's part of `all` is all[from[r]..from[r + 1]) (bytes; `from` has one entry more than there are
 * ranks, the same everywhere): afterwards everybody has all parts.
 */
CPH_API cph_status cph_comm_gather(cph_comm *c, void *all, const size_t *from, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
