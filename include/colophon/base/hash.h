/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash.h - SHA-256 for what must be trusted, XXH3 for what must be fast.
 *
 * SHA-256 (FIPS 180-4) names every artefact, file and Merkle node. XXH3 serves
 * tables and exact deduplication, and never stands in a proof.
 *
 * Threads  A cph_sha256 belongs to one thread; the rest has no state.
 * Memory   cph_sha256 is a plain value that owns nothing.
 */
#ifndef CPH_BASE_HASH_H
#define CPH_BASE_HASH_H

#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_digest {
    uint8_t b[32];
} cph_digest;

typedef struct cph_sha256 {
    uint32_t state[8];
    uint64_t n_bytes;
    uint8_t block[64];
} cph_sha256;

CPH_API void cph_sha256_init(cph_sha256 *h);
CPH_API void cph_sha256_add(cph_sha256 *h, const void *p, size_t n);
CPH_API cph_digest cph_sha256_end(cph_sha256 *h);
CPH_API cph_digest cph_sha256_of(const void *p, size_t n);

#define CPH_HEX_DIGEST 65
/* Lower-case hexadecimal with a NUL. */
CPH_API void cph_digest_hex(const cph_digest *d, char out[CPH_HEX_DIGEST]);
CPH_API bool cph_digest_parse(cph_str hex, cph_digest *out); /* 64 lower- or upper-case digits */
CPH_API int cph_digest_cmp(const cph_digest *a, const cph_digest *b);
CPH_API void cph_hex(const void *p, size_t n, char *out); /* 2n characters and a NUL */

/* Checksums that METS files state; `name` is MD5, SHA-1, SHA-256 or SHA-512, in any spelling.
 * False when the name is not known. out_hex takes up to 128 characters and a NUL. */
CPH_API bool cph_checksum(const char *name, const void *p, size_t n, char out_hex[129]);

typedef struct cph_hash128 {
    uint64_t lo, hi;
} cph_hash128;
CPH_API uint64_t cph_xxh3(const void *p, size_t n, uint64_t seed);
CPH_API cph_hash128 cph_xxh3_128(const void *p, size_t n);

#ifdef __cplusplus
}
#endif
#endif
