/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_mpi.c - the plug-in libcolophon-mpi.so: ranks that mpirun or srun started.
 *
 * Ranks of one machine talk through rings in a shared window, ranks of different machines by
 * MPI messages, of which a few are always under way in each direction. MPI adds nothing up:
 * sums are ours. Which thread calls may change, two never call at once (MPI_THREAD_SERIALIZED).
 */
#include "mpi_in.h"

#include <colophon/base/memory.h>

#include <stdio.h>
#include <string.h>

enum { TAG = 1, NO_TAG = 2 }; /* nobody sends the second */

static mpi_transport *of(cph_transport *t) { return (mpi_transport *)t; }

static unsigned places_for(unsigned n) /* 64 MiB a rank at most */
{
    unsigned places = 128 / n;
    return places < 1 ? 1 : places > MPI_PLACES ? MPI_PLACES : places;
}

/* A call that fails: most likely that rank died. The watch says so, or the way counts as broken. */
static bool broke(mpi_transport *m, unsigned rank, int code)
{
    if (code != MPI_SUCCESS && m->t.lost < 0) m->t.lost = (int)rank;
    return code != MPI_SUCCESS;
}

/* ---- between machines ---- */

static void await_packet(mpi_transport *m, unsigned from, unsigned place)
{
    mpi_link *l = &m->links[from];
    broke(m, from, MPI_Irecv(l->in + place * CPH_PACKET, (int)CPH_PACKET, MPI_BYTE, (int)from, TAG, m->all,
                             &l->receiving[place]));
}

static bool link_offer(mpi_transport *m, unsigned to, const void *p, size_t n)
{
    mpi_link *l = &m->links[to];
    unsigned place = l->n_sent % m->places;
    int done = 0;
    if (broke(m, to, MPI_Test(&l->sending[place], &done, MPI_STATUS_IGNORE)) || !done) return false;
    memcpy(l->out + place * CPH_PACKET, p, n);
    if (broke(m, to, MPI_Isend(l->out + place * CPH_PACKET, (int)n, MPI_BYTE, (int)to, TAG, m->all,
                               &l->sending[place])))
        return false;
    l->n_sent++;
    return true;
}

static bool link_peek(mpi_transport *m, unsigned from, const void **p, size_t *n)
{
    mpi_link *l = &m->links[from];
    unsigned place = l->n_taken % m->places;
    if (!l->here) {
        MPI_Status status;
        int done = 0, bytes = 0;
        if (broke(m, from, MPI_Test(&l->receiving[place], &done, &status)) || !done) return false;
        if (broke(m, from, MPI_Get_count(&status, MPI_BYTE, &bytes))) return false;
        l->here = true;
        l->n_here = (size_t)bytes;
    }
    *p = l->in + place * CPH_PACKET;
    *n = l->n_here;
    return true;
}

static void link_release(mpi_transport *m, unsigned from)
{
    mpi_link *l = &m->links[from];
    l->here = false;
    await_packet(m, from, l->n_taken % m->places);
    l->n_taken++;
}

static cph_status open_links(mpi_transport *m, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, m->t.n * sizeof *m->links, err));
    m->links = mem;
    for (unsigned r = 0; r < m->t.n; r++) {
        mpi_link *l = &m->links[r];
        if (m->local_rank[r] >= 0) continue;
        CPH_TRY(cph_alloc(&mem, 2 * m->places * CPH_PACKET, err));
        l->in = mem;
        l->out = l->in + m->places * CPH_PACKET;
        for (unsigned i = 0; i < m->places; i++) {
            l->sending[i] = MPI_REQUEST_NULL;
            await_packet(m, r, i);
        }
    }
    return CPH_OK;
}

static void close_links(mpi_transport *m, bool orderly)
{
    for (unsigned r = 0; m->links && r < m->t.n; r++) {
        mpi_link *l = &m->links[r];
        for (unsigned i = 0; orderly && l->in && i < m->places; i++) {
            MPI_Wait(&l->sending[i], MPI_STATUS_IGNORE);
            MPI_Cancel(&l->receiving[i]);
            MPI_Wait(&l->receiving[i], MPI_STATUS_IGNORE);
        }
        if (orderly) cph_free(l->in); /* else a message under way may still write there */
    }
    cph_free(m->links);
}

/* ---- the ways of a packet ---- */

static bool offer(cph_transport *t, unsigned to, const void *p, size_t n)
{
    mpi_transport *m = of(t);
    if (m->local_rank[to] >= 0) return cph_rings_offer(&m->rings, (unsigned)m->local_rank[to], p, n);
    return link_offer(m, to, p, n);
}

static bool peek(cph_transport *t, unsigned from, const void **p, size_t *n)
{
    mpi_transport *m = of(t);
    if (m->local_rank[from] >= 0) return cph_rings_peek(&m->rings, (unsigned)m->local_rank[from], p, n);
    return link_peek(m, from, p, n);
}

static void release_packet(cph_transport *t, unsigned from)
{
    mpi_transport *m = of(t);
    if (m->local_rank[from] >= 0) cph_rings_release(&m->rings, (unsigned)m->local_rank[from]);
    else link_release(m, from);
}

/* A large message leaves only while its sender calls MPI. */
static bool flushed(cph_transport *t)
{
    mpi_transport *m = of(t);
    for (unsigned r = 0; r < m->t.n; r++) {
        int done = 1;
        if (m->local_rank[r] >= 0) continue;
        if (!broke(m, r, MPI_Testall((int)m->places, m->links[r].sending, &done, MPI_STATUSES_IGNORE)) && !done)
            return false;
    }
    return true;
}

/* MPI moves nothing while nobody asks: with ranks of other machines it is asked, and the sleep is short. */
static void wait_packet(cph_transport *t)
{
    mpi_transport *m = of(t);
    int there;
    if (m->t.n_local < m->t.n) MPI_Iprobe(MPI_ANY_SOURCE, NO_TAG, m->all, &there, MPI_STATUS_IGNORE);
    cph_rings_wait(&m->rings, m->t.n_local == m->t.n ? 5000 : 100);
}

static void poke(cph_transport *t) { cph_rings_poke(&of(t)->rings); }

static void close_all(cph_transport *t, bool orderly)
{
    mpi_transport *m = of(t);
    cph_mpi_watch_close(m);
    close_links(m, orderly);
    if (orderly) {
        MPI_Win_free(&m->window);
        MPI_Comm_free(&m->local);
        MPI_Comm_free(&m->all);
        MPI_Finalize();
    } /* else whoever started the ranks is to see that this one did not come to its end */
    cph_free(m->local_rank);
    cph_free(m);
}

/* ---- opening ---- */

static cph_status share_memory(mpi_transport *m, cph_err *err)
{
    int local_rank, n_local, unit;
    MPI_Aint bytes;
    void *mem;
    if (MPI_Comm_split_type(m->all, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &m->local) != MPI_SUCCESS ||
        MPI_Comm_rank(m->local, &local_rank) != MPI_SUCCESS || MPI_Comm_size(m->local, &n_local) != MPI_SUCCESS)
        return cph_fail(err, CPH_IO, "MPI does not tell which ranks run on this machine");
    m->t.n_local = (unsigned)n_local;
    MPI_Aint mine = local_rank == 0 ? (MPI_Aint)cph_rings_bytes((unsigned)n_local) : 0;
    if (MPI_Win_allocate_shared(mine, 1, MPI_INFO_NULL, m->local, &mem, &m->window) != MPI_SUCCESS ||
        MPI_Win_shared_query(m->window, 0, &bytes, &unit, &mem) != MPI_SUCCESS)
        return cph_fail(err, CPH_IO, "MPI gives no memory that the %d ranks of this machine share", n_local);
    if (local_rank == 0) cph_rings_clear(mem, (unsigned)n_local);
    MPI_Barrier(m->local);
    m->rings = cph_rings_at(mem, (unsigned)n_local, (unsigned)local_rank);
    return CPH_OK;
}

/* Where each rank of the job stands among those of this machine, or -1. */
static cph_status find_locals(mpi_transport *m, cph_err *err)
{
    MPI_Group all, local;
    void *mem;
    CPH_TRY(cph_alloc_n(&mem, 2 * m->t.n, sizeof *m->local_rank, err));
    m->local_rank = mem;
    int *number = m->local_rank + m->t.n;
    for (unsigned r = 0; r < m->t.n; r++) number[r] = (int)r;
    MPI_Comm_group(m->all, &all);
    MPI_Comm_group(m->local, &local);
    MPI_Group_translate_ranks(all, (int)m->t.n, number, local, m->local_rank);
    MPI_Group_free(&all);
    MPI_Group_free(&local);
    for (unsigned r = 0; r < m->t.n; r++)
        if (m->local_rank[r] == MPI_UNDEFINED) m->local_rank[r] = -1;
    return CPH_OK;
}

static cph_status open_all(mpi_transport *m, cph_err *err)
{
    CPH_TRY(share_memory(m, err));
    CPH_TRY(find_locals(m, err));
    CPH_TRY(open_links(m, err));
    cph_mpi_watch_open(m);
    return CPH_OK;
}

static cph_status start_mpi(mpi_transport *m, cph_err *err)
{
    int level = MPI_THREAD_SINGLE, rank, n;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level) != MPI_SUCCESS)
        return cph_fail(err, CPH_IO, "MPI does not start");
    if (level < MPI_THREAD_SERIALIZED)
        return cph_fail(err, CPH_IO, "this MPI bears calls from one thread only (level %d)", level);
    MPI_Comm_dup(MPI_COMM_WORLD, &m->all);
    MPI_Comm_set_errhandler(m->all, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(m->all, &rank);
    MPI_Comm_size(m->all, &n);
    m->t.rank = (unsigned)rank;
    m->t.n = (unsigned)n;
    m->places = places_for(m->t.n);
    return CPH_OK;
}

CPH_API cph_status cph_transport_open(cph_transport **out, cph_err *err);

cph_status cph_transport_open(cph_transport **out, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(mpi_transport), err));
    mpi_transport *m = mem;
    m->t = (cph_transport){.abi = CPH_TRANSPORT_ABI, .name = "mpi", .offer = offer, .peek = peek,
                           .release = release_packet, .flushed = flushed, .wait = wait_packet, .poke = poke, .lost = -1,
                           .close = close_all};
    for (unsigned i = 0; i < CPH_COMM_MAX; i++) m->sockets[i] = -1;
    cph_status s = start_mpi(m, err);
    if (s == CPH_OK) s = open_all(m, err);
    if (s == CPH_OK) *out = &m->t;
    else close_all(&m->t, false);
    return s;
}
