/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash.c - SHA-256 and checksums by libcrypto, XXH3 inlined from its header.
 * libcrypto's low-level SHA256 functions are used on purpose: the state is a
 * plain value of known size, so that hashing never allocates.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <colophon/base/hash.h>

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#define XXH_INLINE_ALL
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif
#include <xxhash.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

_Static_assert(sizeof(SHA256_CTX) <= sizeof(cph_sha256) + 16, "the state is known");

/* cph_sha256 keeps what SHA256_CTX holds; the block buffer is ours. */
static void compress(cph_sha256 *h, const uint8_t *p, size_t n_blocks)
{
    SHA256_CTX c = {.md_len = SHA256_DIGEST_LENGTH};
    memcpy(c.h, h->state, sizeof h->state);
    SHA256_Update(&c, p, n_blocks * 64);
    memcpy(h->state, c.h, sizeof h->state);
}

void cph_sha256_init(cph_sha256 *h)
{
    SHA256_CTX c;
    SHA256_Init(&c);
    memcpy(h->state, c.h, sizeof h->state);
    h->n_bytes = 0;
}

void cph_sha256_add(cph_sha256 *h, const void *p, size_t n)
{
    const uint8_t *u = p;
    size_t held = (size_t)(h->n_bytes % 64);
    h->n_bytes += n;
    if (held) {
        size_t take = 64 - held < n ? 64 - held : n;
        memcpy(h->block + held, u, take);
        u += take;
        n -= take;
        if (held + take < 64) return;
        compress(h, h->block, 1);
    }
    if (n >= 64) {
        compress(h, u, n / 64);
        u += n / 64 * 64;
        n %= 64;
    }
    if (n) memcpy(h->block, u, n);
}

cph_digest cph_sha256_end(cph_sha256 *h)
{
    uint64_t bits = h->n_bytes * 8;
    uint8_t pad[72] = {0x80};
    size_t held = (size_t)(h->n_bytes % 64), n = held < 56 ? 56 - held : 120 - held;
    for (unsigned i = 0; i < 8; i++) pad[n + i] = (uint8_t)(bits >> (56 - 8 * i));
    cph_sha256_add(h, pad, n + 8);
    cph_digest d;
    for (unsigned i = 0; i < 32; i++) d.b[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
    return d;
}

cph_digest cph_sha256_of(const void *p, size_t n)
{
    cph_digest d;
    SHA256(p ? p : "", n, d.b);
    return d;
}

void cph_hex(const void *p, size_t n, char *out)
{
    static const char digit[] = "0123456789abcdef";
    const uint8_t *u = p;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digit[u[i] >> 4];
        out[2 * i + 1] = digit[u[i] & 15];
    }
    out[2 * n] = 0;
}

void cph_digest_hex(const cph_digest *d, char out[CPH_HEX_DIGEST]) { cph_hex(d->b, 32, out); }

bool cph_digest_parse(cph_str hex, cph_digest *out)
{
    if (hex.n != 64) return false;
    cph_digest d = {{0}};
    for (size_t i = 0; i < 64; i++) {
        char c = hex.p[i];
        int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (v < 0) return false;
        d.b[i / 2] = (uint8_t)(d.b[i / 2] << 4 | v);
    }
    *out = d;
    return true;
}

int cph_digest_cmp(const cph_digest *a, const cph_digest *b) { return memcmp(a->b, b->b, 32); }

bool cph_checksum(const char *name, const void *p, size_t n, char out_hex[129])
{
    static const struct {
        const char *ours, *theirs;
    } known[] = {{"md5", "MD5"}, {"sha1", "SHA1"}, {"sha256", "SHA256"}, {"sha512", "SHA512"}};
    char folded[16];
    size_t k = 0;
    for (; *name && k < sizeof folded - 1; name++)
        if (*name != '-' && *name != '_' && *name != ' ')
            folded[k++] = (char)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name);
    folded[k] = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(folded, known[i].ours) != 0) continue;
        uint8_t md[EVP_MAX_MD_SIZE];
        unsigned len = 0;
        if (!EVP_Digest(p, n, md, &len, EVP_get_digestbyname(known[i].theirs), NULL) || len > 64) return false;
        cph_hex(md, len, out_hex);
        return true;
    }
    return false;
}

uint64_t cph_xxh3(const void *p, size_t n, uint64_t seed) { return XXH3_64bits_withSeed(p, n, seed); }

cph_hash128 cph_xxh3_128(const void *p, size_t n)
{
    XXH128_hash_t h = XXH3_128bits(p, n);
    return (cph_hash128){h.low64, h.high64};
}
