/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_safetensors.c - any bytes as a safetensors file: refused, or every tensor that
 * is handed out can be read to its last byte.
 */
#include <colophon/format/safetensors.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Touches all elements through both conversions, in bounded memory. */
static void read_all(const cph_st_tensor *t)
{
    static float floats[4096];
    static int64_t ints[4096];
    cph_err err;
    unsigned sum = 0;
    for (uint64_t i = 0; i < t->n_bytes; i++) sum += t->data[i];
    cph_st_tensor part = *t;
    if (part.n > 4096) part.n = 4096;
    if (cph_st_read_f32(&part, floats, &err) == CPH_OK && cph_st_read_i64(&part, ints, &err) == CPH_OK) abort();
    (void)sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cph_safetensors *f;
    cph_err err;
    if (cph_safetensors_parse(&f, p, n, "fuzz", &err) != CPH_OK) return 0;
    uint64_t total = 0;
    for (size_t i = 0; i < cph_safetensors_n(f); i++) {
        const cph_st_tensor *t = cph_safetensors_at(f, i);
        if (cph_safetensors_find(f, t->name) != t) abort();
        total += t->n_bytes;
        read_all(t);
    }
    if (total + 8 > n) abort();
    cph_safetensors_close(f);
    return 0;
}
