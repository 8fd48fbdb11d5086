/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport.h - for whoever brings another way between ranks: what a plug-in gives.
 *
 * A transport moves packets of at most CPH_PACKET bytes between two ranks, in order,
 * without waiting: it takes one or says "not now". All else (messages, sums, failures, who
 * died) is built on that in this room. A plug-in libcolophon-<name>.so exports one function,
 * `cph_transport_open`, of type cph_transport_open_fn.
 *
 * Threads    One thread at a time calls; which one may change from call to call.
 */
#ifndef CPH_COMM_TRANSPORT_H
#define CPH_COMM_TRANSPORT_H

#include <stdbool.h>

#include <colophon/base/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_TRANSPORT_ABI 1u
#define CPH_PACKET ((size_t)262144) /* one flat block of floats */

typedef struct cph_transport cph_transport;
struct cph_transport {
    uint32_t abi; /* CPH_TRANSPORT_ABI of the build that made it */
    const char *name;
    unsigned rank, n, n_local;
    /*
     * File descriptors of stream sockets on which the end of a process shows as end of file: at rank 0 one
     * for each rank (its own: -1), elsewhere one, to rank 0, at [0]. NULL: whoever started the job watches it.
     */
    const int *watch;
    /* Takes a copy of p[0..n), n <= CPH_PACKET, or returns false: `to` has not emptied its places. */
    bool (*offer)(cph_transport *t, unsigned to, const void *p, size_t n);
    /* The next packet from that rank, to be read in place until released; false: none has come. */
    bool (*peek)(cph_transport *t, unsigned from, const void **p, size_t *n);
    void (*release)(cph_transport *t, unsigned from);
    /* True when nothing that was taken still needs this rank to get to its receiver: calls end with that. */
    bool (*flushed)(cph_transport *t);
    /* Sleeps until something may have changed, a few milliseconds at most. */
    void (*wait)(cph_transport *t);
    void (*poke)(cph_transport *t); /* ends a wait of this rank; may be called by any thread at any time */
    int lost; /* a rank to which the way broke, or -1; the calls above then do nothing for it */
    /* `orderly`: everybody has come to the end; else the job is ending with a failure, and nothing is waited for. */
    void (*close)(cph_transport *t, bool orderly);
};

typedef cph_status (*cph_transport_open_fn)(cph_transport **out, cph_err *err);

#ifdef __cplusplus
}
#endif
#endif
