/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.c - one ring of packets for each ordered pair of ranks, one bell for each rank.
 *
 * A ring has one writer, who alone moves `head`, and one reader, who alone moves `tail`;
 * both count packets for ever. Whoever moves either rings the other's bell, on which it may
 * sleep. A rank that dies leaves no lock behind: there is none.
 */
#include "ring_in.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 64, MAX_PLACES = 4 };

typedef struct bell {
    uint32_t count, asleep;
    uint8_t pad[LINE - 8];
} bell;

typedef struct ring {
    uint32_t head; /* packets written */
    uint8_t pad1[LINE - 4];
    uint32_t tail; /* packets released */
    uint8_t pad2[LINE - 4];
    uint32_t len[MAX_PLACES];
    uint8_t pad3[LINE - 4 * MAX_PLACES];
} ring;

static unsigned places_for(unsigned n) /* 64 MiB a rank at most */
{
    unsigned places = 256 / n;
    return places < 1 ? 1 : places > MAX_PLACES ? MAX_PLACES : places;
}

size_t cph_rings_bytes(unsigned n)
{
    return n * sizeof(bell) + (size_t)n * n * (sizeof(ring) + places_for(n) * CPH_PACKET);
}

void cph_rings_clear(void *mem, unsigned n)
{
    memset(mem, 0, n * sizeof(bell) + (size_t)n * n * sizeof(ring));
}

cph_rings cph_rings_at(void *mem, unsigned n, unsigned me)
{
    return (cph_rings){.mem = mem, .n = n, .me = me, .places = places_for(n)};
}

static bell *bell_of(const cph_rings *r, unsigned rank) { return (bell *)(void *)r->mem + rank; }

static ring *ring_of(const cph_rings *r, unsigned from, unsigned to)
{
    return (ring *)(void *)(r->mem + r->n * sizeof(bell)) + (size_t)from * r->n + to;
}

static uint8_t *place_of(const cph_rings *r, unsigned from, unsigned to, uint32_t packet)
{
    size_t rings = (size_t)r->n * r->n, at = (size_t)from * r->n + to;
    return r->mem + r->n * sizeof(bell) + rings * sizeof(ring) +
           (at * r->places + packet % r->places) * CPH_PACKET;
}

static void ring_bell(const cph_rings *r, unsigned rank)
{
    bell *b = bell_of(r, rank);
    __atomic_add_fetch(&b->count, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&b->asleep, __ATOMIC_SEQ_CST)) syscall(SYS_futex, &b->count, FUTEX_WAKE, 1, NULL, NULL, 0);
}

bool cph_rings_offer(cph_rings *r, unsigned to, const void *p, size_t n)
{
    ring *q = ring_of(r, r->me, to);
    if (q->head - __atomic_load_n(&q->tail, __ATOMIC_ACQUIRE) == r->places) return false;
    memcpy(place_of(r, r->me, to, q->head), p, n);
    q->len[q->head % r->places] = (uint32_t)n;
    __atomic_store_n(&q->head, q->head + 1, __ATOMIC_RELEASE);
    ring_bell(r, to);
    return true;
}

bool cph_rings_peek(cph_rings *r, unsigned from, const void **p, size_t *n)
{
    const ring *q = ring_of(r, from, r->me);
    if (__atomic_load_n(&q->head, __ATOMIC_ACQUIRE) == q->tail) return false;
    *p = place_of(r, from, r->me, q->tail);
    *n = q->len[q->tail % r->places];
    return true;
}

void cph_rings_release(cph_rings *r, unsigned from)
{
    ring *q = ring_of(r, from, r->me);
    __atomic_store_n(&q->tail, q->tail + 1, __ATOMIC_RELEASE);
    ring_bell(r, from);
}

void cph_rings_wait(cph_rings *r, unsigned timeout_us)
{
    bell *b = bell_of(r, r->me);
    struct timespec t = {.tv_nsec = (long)timeout_us * 1000};
    __atomic_store_n(&b->asleep, 1, __ATOMIC_SEQ_CST);
    /* Whoever rang since the last look makes this return at once. */
    if (__atomic_load_n(&b->count, __ATOMIC_SEQ_CST) == r->seen)
        syscall(SYS_futex, &b->count, FUTEX_WAIT, r->seen, &t, NULL, 0);
    __atomic_store_n(&b->asleep, 0, __ATOMIC_RELAXED);
    r->seen = __atomic_load_n(&b->count, __ATOMIC_SEQ_CST);
}

void cph_rings_poke(const cph_rings *r) { ring_bell(r, r->me); }
