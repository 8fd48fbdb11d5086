/* SPDX-License-Identifier: Apache-2.0 */
/*
 * position.c - T5's buckets of distances, and the tables of rotary positions.
 */
#include <colophon/tensor/math.h>
#include <colophon/tensor/op.h>

#include <math.h>

/* Half of the buckets count single distances; the others grow by a constant ratio up to max_distance. */
uint32_t cph_relative_bucket(int64_t distance, bool bidirectional, uint32_t buckets, uint32_t max_distance)
{
    uint32_t base = 0;
    int64_t n = -distance;
    if (bidirectional) {
        buckets /= 2;
        if (distance > 0) base = buckets, n = distance;
    }
    uint32_t exact = buckets / 2;
    if (n < (int64_t)exact) return base + (n > 0 ? (uint32_t)n : 0);
    if (n >= (int64_t)max_distance || exact == 0) return base + buckets - 1;
    double ratio = cph_log_e((double)n / exact) / cph_log_e((double)max_distance / exact) * (buckets - exact);
    /* Where a bucket begins exactly at n the quotient is whole, up to its last bits. */
    double whole = floor(ratio + 1e-9);
    uint32_t bucket = exact + (uint32_t)whole;
    return base + (bucket < buckets ? bucket : buckets - 1);
}

void cph_rotary_tables(float *cosines, float *sines, uint32_t n_positions, uint32_t dim, double base)
{
    uint32_t half = dim / 2;
    for (uint32_t i = 0; i < half; i++) {
        double step = cph_pow(base, -2.0 * i / dim);
        for (uint32_t p = 0; p < n_positions; p++) {
            cosines[(size_t)p * half + i] = (float)cph_cos(p * step);
            sines[(size_t)p * half + i] = (float)cph_sin(p * step);
        }
    }
}
