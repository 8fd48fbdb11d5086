/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch_mpi.c - a TCP connection from every rank to rank 0, on which nothing is sent but how a
 * rank ended. MPI does not tell who died, and not every launcher ends the others.
 *
 * Rank 0 listens on a port that the system picks and tells its addresses and a random word
 * by MPI; who does not bring the word is not let in. A machine that vanishes is noticed
 * by keep-alive within seconds.
 */
#include "mpi_in.h"

#include <colophon/base/log.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_ADDRESSES = 16, PATIENCE_S = 10, TRY_MS = 2000 };

typedef struct invitation {
    uint64_t word;
    uint32_t address[MAX_ADDRESSES]; /* IPv4, network order */
    uint32_t n_addresses;
    uint16_t port; /* network order; 0: nobody listens */
} invitation;

typedef struct greeting {
    uint64_t word;
    uint32_t rank;
} greeting;

static void keep_alive(int fd)
{
    const int on = 1, idle = 3, every = 1, times = 4;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* ---- rank 0 ---- */

static void list_addresses(invitation *in)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0) return;
    for (struct ifaddrs *a = all; a && in->n_addresses < MAX_ADDRESSES; a = a->ifa_next) {
        if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET || a->ifa_flags & IFF_LOOPBACK) continue;
        struct sockaddr_in here;
        memcpy(&here, a->ifa_addr, sizeof here);
        in->address[in->n_addresses++] = here.sin_addr.s_addr;
    }
    freeifaddrs(all);
}

static int listen_for(const mpi_transport *m, invitation *in)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t n = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    any.sin_addr.s_addr = htonl(m->t.n_local == m->t.n ? INADDR_LOOPBACK : INADDR_ANY);
    if (fd < 0) return -1;
    if (bind(fd, (const struct sockaddr *)&any, sizeof any) != 0 || listen(fd, (int)m->t.n) != 0 ||
        getsockname(fd, (struct sockaddr *)&any, &n) != 0 ||
        getrandom(&in->word, sizeof in->word, 0) != (ssize_t)sizeof in->word) {
        close(fd);
        return -1;
    }
    list_addresses(in);
    in->port = any.sin_port;
    return fd;
}

/* Takes one connection; true when it was one of ours. */
static bool let_in(mpi_transport *m, int listening, uint64_t word)
{
    greeting g = {0};
    struct timeval patience = {.tv_sec = 2};
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    bool ours = recv(fd, &g, sizeof g, MSG_WAITALL) == (ssize_t)sizeof g && g.word == word && g.rank > 0 &&
                g.rank < m->t.n && m->sockets[g.rank] < 0;
    patience.tv_sec = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    keep_alive(fd);
    if (ours) m->sockets[g.rank] = fd;
    else close(fd);
    return ours;
}

static bool let_all_in(mpi_transport *m, int listening, uint64_t word)
{
    double began = cph_now_s();
    unsigned n = 1;
    while (n < m->t.n && cph_now_s() - began < PATIENCE_S) {
        struct pollfd p = {.fd = listening, .events = POLLIN};
        if (poll(&p, 1, 500) > 0 && let_in(m, listening, word)) n++;
    }
    return n == m->t.n;
}

/* ---- the others ---- */

static int call(uint32_t address, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = address};
    struct timeval patience = {.tv_usec = TRY_MS % 1000 * 1000, .tv_sec = TRY_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* of connect, too */
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0) return fd;
    close(fd);
    return -1;
}

static bool join_rank_0(mpi_transport *m, const invitation *in)
{
    greeting g = {.word = in->word, .rank = m->t.rank};
    int fd = m->local_rank[0] >= 0 ? call(htonl(INADDR_LOOPBACK), in->port) : -1;
    for (unsigned i = 0; fd < 0 && i < in->n_addresses; i++) fd = call(in->address[i], in->port);
    if (fd < 0) return false;
    keep_alive(fd);
    m->sockets[0] = fd;
    return send(fd, &g, sizeof g, MSG_NOSIGNAL) == (ssize_t)sizeof g;
}

/* ---- both ---- */

void cph_mpi_watch_open(mpi_transport *m)
{
    invitation in = {0};
    int listening = m->t.rank == 0 ? listen_for(m, &in) : -1, ok = 1;
    MPI_Bcast(&in, (int)sizeof in, MPI_BYTE, 0, m->all);
    if (!in.port) ok = 0;
    else if (m->t.rank == 0) ok = let_all_in(m, listening, in.word);
    else ok = join_rank_0(m, &in);
    if (listening >= 0) close(listening);
    MPI_Allreduce(MPI_IN_PLACE, &ok, 1, MPI_INT, MPI_MIN, m->all);
    if (ok) m->t.watch = m->sockets;
    else cph_mpi_watch_close(m);
}

void cph_mpi_watch_close(mpi_transport *m)
{
    for (unsigned i = 0; i < CPH_COMM_MAX; i++) {
        if (m->sockets[i] >= 0) close(m->sockets[i]);
        m->sockets[i] = -1;
    }
}
