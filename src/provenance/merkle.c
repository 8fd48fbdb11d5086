/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merkle.c - RFC 6962 trees in one pass: roots, paths, and their verification.
 *
 * A tree of n leaves is the binary digits of n: one perfect subtree a digit, joined
 * from the smallest up. Nothing here allocates.
 */
#include <colophon/provenance/merkle.h>

#include <assert.h>
#include <string.h>

void cph_merkle_init(cph_merkle *m) { m->n = 0; }

cph_digest cph_merkle_leaf(const void *data, size_t n)
{
    cph_sha256 h;
    cph_sha256_init(&h);
    cph_sha256_add(&h, "\x00", 1);
    cph_sha256_add(&h, data, n);
    return cph_sha256_end(&h);
}

cph_digest cph_merkle_node(const cph_digest *left, const cph_digest *right)
{
    uint8_t both[65] = {0x01};
    memcpy(both + 1, left->b, 32);
    memcpy(both + 33, right->b, 32);
    return cph_sha256_of(both, sizeof both);
}

void cph_merkle_add_leaf(cph_merkle *m, const cph_digest *leaf_hash)
{
    cph_digest d = *leaf_hash;
    unsigned level = 0;
    for (; m->n >> level & 1; level++) d = cph_merkle_node(&m->level[level], &d);
    m->level[level] = d;
    m->n++;
}

void cph_merkle_add(cph_merkle *m, const void *data, size_t n)
{
    cph_digest leaf = cph_merkle_leaf(data, n);
    cph_merkle_add_leaf(m, &leaf);
}

cph_digest cph_merkle_root(const cph_merkle *m)
{
    cph_digest d = {{0}};
    bool any = false;
    for (unsigned level = 0; level < 64; level++) {
        if (!(m->n >> level & 1)) continue;
        d = any ? cph_merkle_node(&m->level[level], &d) : m->level[level];
        any = true;
    }
    return any ? d : cph_sha256_of("", 0);
}

static cph_digest root_of(const cph_digest *leaves, uint64_t n)
{
    cph_merkle m;
    cph_merkle_init(&m);
    for (uint64_t i = 0; i < n; i++) cph_merkle_add_leaf(&m, &leaves[i]);
    return cph_merkle_root(&m);
}

/* The largest power of two smaller than n; n > 1. */
static uint64_t split(uint64_t n) { return (uint64_t)1 << (63 - __builtin_clzll(n - 1)); }

static void reverse(cph_digest *path, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        cph_digest d = path[i];
        path[i] = path[n - 1 - i];
        path[n - 1 - i] = d;
    }
}

size_t cph_merkle_path(const cph_digest *leaves, uint64_t n, uint64_t index, cph_digest path[64])
{
    assert(index < n);
    size_t len = 0;
    while (n > 1) {
        uint64_t k = split(n);
        if (index < k) {
            path[len++] = root_of(leaves + k, n - k);
            n = k;
        } else {
            path[len++] = root_of(leaves, k);
            leaves += k;
            index -= k;
            n -= k;
        }
    }
    reverse(path, len);
    return len;
}

/* Both verifications climb the same way: past a right child or a last child, skip the levels
 * where the node has no sibling. */
static void climb_right(uint64_t *fn, uint64_t *sn)
{
    while (!(*fn & 1) && *fn) {
        *fn >>= 1;
        *sn >>= 1;
    }
}

bool cph_merkle_verify(uint64_t index, uint64_t n, const cph_digest *leaf, const cph_digest *path,
                       size_t n_path, const cph_digest *root)
{
    if (index >= n) return false;
    uint64_t fn = index, sn = n - 1;
    cph_digest r = *leaf;
    for (size_t i = 0; i < n_path; i++) {
        if (sn == 0) return false;
        if ((fn & 1) || fn == sn) {
            r = cph_merkle_node(&path[i], &r);
            climb_right(&fn, &sn);
        } else {
            r = cph_merkle_node(&r, &path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && cph_digest_cmp(&r, root) == 0;
}

size_t cph_merkle_consistency(const cph_digest *leaves, uint64_t m, uint64_t n, cph_digest path[64])
{
    assert(m <= n);
    size_t len = 0;
    bool whole = true; /* the old tree is the left edge so far: its root is known to the verifier */
    if (m == 0) return 0;
    while (m != n) {
        uint64_t k = split(n);
        if (m <= k) {
            path[len++] = root_of(leaves + k, n - k);
            n = k;
        } else {
            path[len++] = root_of(leaves, k);
            leaves += k;
            m -= k;
            n -= k;
            whole = false;
        }
    }
    if (!whole) path[len++] = root_of(leaves, n);
    reverse(path, len);
    return len;
}

bool cph_merkle_verify_consistency(uint64_t m, uint64_t n, const cph_digest *path, size_t n_path,
                                   const cph_digest *root_m, const cph_digest *root_n)
{
    if (m > n) return false;
    if (m == 0) {
        cph_digest empty = cph_sha256_of("", 0);
        return n_path == 0 && cph_digest_cmp(root_m, &empty) == 0;
    }
    if (m == n) return n_path == 0 && cph_digest_cmp(root_m, root_n) == 0;
    if (n_path == 0) return false;
    uint64_t fn = m - 1, sn = n - 1;
    while (fn & 1) {
        fn >>= 1;
        sn >>= 1;
    }
    /* A power of two is a whole subtree: the path then starts from the old root itself. */
    size_t i = (m & (m - 1)) == 0 ? 0 : 1;
    cph_digest fr = i ? path[0] : *root_m, sr = fr;
    for (; i < n_path; i++) {
        if (sn == 0) return false;
        if ((fn & 1) || fn == sn) {
            fr = cph_merkle_node(&path[i], &fr);
            sr = cph_merkle_node(&path[i], &sr);
            climb_right(&fn, &sn);
        } else {
            sr = cph_merkle_node(&sr, &path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && cph_digest_cmp(&fr, root_m) == 0 && cph_digest_cmp(&sr, root_n) == 0;
}

/* ---- leaves of the set tree ---- */

static cph_digest key(const char *domain, cph_str name)
{
    cph_sha256 h;
    cph_sha256_init(&h);
    cph_sha256_add(&h, domain, strlen(domain) + 1); /* its NUL is the separator */
    cph_sha256_add(&h, name.p, name.n);
    return cph_sha256_end(&h);
}

cph_digest cph_work_key(cph_str work_urn) { return key("colophon:work-key:v1", work_urn); }
cph_digest cph_doc_key(cph_str document_id) { return key("colophon:doc-key:v1", document_id); }

static void put64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

void cph_set_leaf_bytes(const cph_set_leaf *l, uint8_t out[CPH_SET_LEAF])
{
    out[0] = 0x01;
    memcpy(out + 1, l->wkey.b, 32);
    memcpy(out + 33, l->dkey.b, 32);
    memcpy(out + 65, l->text.b, 32);
    memcpy(out + 97, l->decision.b, 32);
    put64(out + 129, l->tokens);
    put64(out + 137, l->first_step);
    put64(out + 145, l->last_step);
}

bool cph_set_leaf_parse(const uint8_t *p, size_t n, cph_set_leaf *out)
{
    if (n != CPH_SET_LEAF || p[0] != 0x01) return false;
    memcpy(out->wkey.b, p + 1, 32);
    memcpy(out->dkey.b, p + 33, 32);
    memcpy(out->text.b, p + 65, 32);
    memcpy(out->decision.b, p + 97, 32);
    out->tokens = get64(p + 129);
    out->first_step = get64(p + 137);
    out->last_step = get64(p + 145);
    return true;
}

int cph_set_leaf_cmp(const void *a, const void *b)
{
    const cph_set_leaf *x = a, *y = b;
    int c = cph_digest_cmp(&x->wkey, &y->wkey);
    return c ? c : cph_digest_cmp(&x->dkey, &y->dkey);
}
