/* SPDX-License-Identifier: Apache-2.0 */
/*
 * philox.c - Philox4x32-10 and the data-order permutation built on it.
 */
#include <colophon/base/philox.h>

cph_philox_block cph_philox(const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (unsigned round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (cph_philox_block){{c0, c1, c2, c3}};
}

cph_philox_block cph_philox_at(uint64_t seed, uint32_t site, uint32_t slot, uint32_t step, uint64_t quad)
{
    uint32_t counter[4] = {(uint32_t)quad, (site << 8) + (uint32_t)(quad >> 32 & 0xFF), slot, step};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    return cph_philox(counter, key);
}

uint32_t cph_philox_word(uint64_t seed, uint32_t site, uint32_t slot, uint32_t step, uint64_t i)
{
    return cph_philox_at(seed, site, slot, step, i / 4).w[i % 4];
}

uint64_t cph_permute(uint64_t seed, uint32_t epoch, uint64_t n, uint64_t i)
{
    unsigned bits = 0;
    for (uint64_t v = n - 1; v; v >>= 1) bits++;
    unsigned half = ((bits ? bits : 1) + 1) / 2;
    uint64_t mask = ((uint64_t)1 << half) - 1, x = i;
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    do {
        uint64_t left = x >> half, right = x & mask;
        for (uint32_t round = 0; round < 6; round++) {
            uint32_t counter[4] = {(uint32_t)right, round, epoch, 0x44415441u};
            uint64_t mixed = left ^ (cph_philox(counter, key).w[0] & mask);
            left = right;
            right = mixed;
        }
        x = left << half | right;
    } while (x >= n);
    return x;
}
