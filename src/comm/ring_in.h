/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring_in.h - packets between processes of one machine, through memory that all of them map.
 * For the transports: the fork maps the memory itself, the MPI plug-in takes a window.
 */
#ifndef CPH_RING_IN_H
#define CPH_RING_IN_H

#include <colophon/comm/transport.h>

typedef struct cph_rings {
    uint8_t *mem;
    unsigned n, me, places;
    uint32_t seen; /* the bell as it was before the last look */
} cph_rings;

size_t cph_rings_bytes(unsigned n);
void cph_rings_clear(void *mem, unsigned n); /* by one rank, before any other looks; fresh pages are clear */
cph_rings cph_rings_at(void *mem, unsigned n, unsigned me);
bool cph_rings_offer(cph_rings *r, unsigned to, const void *p, size_t n);
bool cph_rings_peek(cph_rings *r, unsigned from, const void **p, size_t *n);
void cph_rings_release(cph_rings *r, unsigned from);
void cph_rings_wait(cph_rings *r, unsigned timeout_us); /* until a packet or a place came, or a poke */
void cph_rings_poke(const cph_rings *r);

#endif
