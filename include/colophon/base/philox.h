/* SPDX-License-Identifier: Apache-2.0 */
/*
 * philox.h - counter-based random numbers, Philox4x32-10 (Salmon et al., SC 2011).
 *
 * A draw is a pure function of (key, counter): there is no generator to seed,
 * save or share. Key = 64-bit run seed; counter = (element, site, slot, step)
 * as specs/engine 7.2 lays it out.
 *
 * Invariant  Element i uses result word i mod 4 of counter i / 4.
 * Threads    Pure functions.
 */
#ifndef CPH_BASE_PHILOX_H
#define CPH_BASE_PHILOX_H

#include <stdint.h>

#include <colophon/base/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_philox_block {
    uint32_t w[4];
} cph_philox_block;

CPH_API cph_philox_block cph_philox(const uint32_t counter[4], const uint32_t key[2]);

/* The four words for elements 4*quad .. 4*quad+3 of (seed, site, slot, step). */
CPH_API cph_philox_block cph_philox_at(uint64_t seed, uint32_t site, uint32_t slot, uint32_t step,
                                       uint64_t quad);
/* One word: element i. */
CPH_API uint32_t cph_philox_word(uint64_t seed, uint32_t site, uint32_t slot, uint32_t step, uint64_t i);

/*
 * The keyed permutation of 0..n-1 that gives the order of data (engine 10.3):
 * a Feistel network of six rounds with cycle walking. n >= 1, i < n.
 */
CPH_API uint64_t cph_permute(uint64_t seed, uint32_t epoch, uint64_t n, uint64_t i);

#ifdef __cplusplus
}
#endif
#endif
