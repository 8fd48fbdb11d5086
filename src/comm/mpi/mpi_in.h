/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpi_in.h - what the two files of the plug-in share.
 */
#ifndef CPH_MPI_IN_H
#define CPH_MPI_IN_H

#include <colophon/comm/comm.h>
#include <colophon/comm/transport.h>

#include <mpi.h>

#include "ring_in.h"

enum { MPI_PLACES = 4 };

/* To and from a rank of another machine. */
typedef struct mpi_link {
    uint8_t *in, *out; /* [places] packets each; NULL: a rank of this machine */
    MPI_Request receiving[MPI_PLACES], sending[MPI_PLACES];
    unsigned n_sent, n_taken;
    bool here; /* the next packet has come */
    size_t n_here;
} mpi_link;

typedef struct mpi_transport {
    cph_transport t;
    MPI_Comm all, local;
    MPI_Win window;
    cph_rings rings;
    int *local_rank; /* [n] */
    mpi_link *links; /* [n] */
    unsigned places;
    int sockets[CPH_COMM_MAX];
} mpi_transport;

/* watch_mpi.c: a socket from every rank to rank 0. Where that cannot be, t.watch stays NULL on all ranks. */
void cph_mpi_watch_open(mpi_transport *m);
void cph_mpi_watch_close(mpi_transport *m);

#endif
