/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set_tree.c - the leaves of an artefact in order, with all inner nodes, so that
 * each path costs a walk and no hashing.
 *
 * Level 0 holds the leaf hashes; each level joins neighbours, and a last node without
 * a neighbour goes up as it is. That is RFC 6962's tree: splitting at the largest
 * power of two leaves exactly the last nodes single.
 */
#include "set_tree.h"

#include <colophon/base/memory.h>
#include <colophon/base/zstream.h>

#include <stdlib.h>
#include <string.h>

#define FRAME_LEAVES 4096 /* of a file of leaves: 612 KiB raw */

cph_status cph_set_tree_new(cph_set_tree **out, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_set_tree), err));
    *out = mem;
    return CPH_OK;
}

void cph_set_tree_close(cph_set_tree *t)
{
    if (!t) return;
    cph_free(t->leaves);
    cph_free(t->nodes);
    cph_free(t);
}

cph_status cph_set_tree_add(cph_set_tree *t, const cph_set_leaf *leaf, cph_err *err)
{
    if (t->nodes) return cph_fail(err, CPH_BUG, "a leaf is added to a finished tree");
    if (t->n == t->cap) {
        void *p = t->leaves;
        uint64_t cap = t->cap ? t->cap * 2 : 256;
        CPH_TRY(cph_realloc(&p, cap * sizeof *t->leaves, err));
        t->leaves = p;
        t->cap = cap;
    }
    t->leaves[t->n++] = *leaf;
    return CPH_OK;
}

static cph_status check_order(const cph_set_tree *t, cph_err *err)
{
    for (uint64_t i = 1; i < t->n; i++) {
        if (cph_set_leaf_cmp(&t->leaves[i - 1], &t->leaves[i]) < 0) continue;
        char w[CPH_HEX_DIGEST], d[CPH_HEX_DIGEST];
        cph_digest_hex(&t->leaves[i].wkey, w);
        cph_digest_hex(&t->leaves[i].dkey, d);
        return cph_fail(err, CPH_DATA,
                        "leaf %llu (work %.8s..., document %.8s...) does not follow the one before it",
                        (unsigned long long)i, w, d);
    }
    return CPH_OK;
}

static cph_status build(cph_set_tree *t, cph_err *err)
{
    uint64_t n_nodes = 0;
    void *mem;
    for (uint64_t n = t->n; n; n = n > 1 ? n / 2 + n % 2 : 0) n_nodes += n;
    CPH_TRY(cph_alloc_n(&mem, n_nodes + 1, sizeof(cph_digest), err));
    t->nodes = mem;
    t->level[0] = t->nodes;
    for (uint64_t i = 0; i < t->n; i++) {
        uint8_t bytes[CPH_SET_LEAF];
        cph_set_leaf_bytes(&t->leaves[i], bytes);
        t->nodes[i] = cph_merkle_leaf(bytes, sizeof bytes);
    }
    uint64_t n = t->n;
    for (t->n_levels = 1; n > 1; t->n_levels++) {
        cph_digest *from = t->level[t->n_levels - 1], *to = t->level[t->n_levels] = from + n;
        for (uint64_t i = 0; i < n / 2; i++) to[i] = cph_merkle_node(&from[2 * i], &from[2 * i + 1]);
        if (n % 2) to[n / 2] = from[n - 1];
        n = n / 2 + n % 2;
    }
    return CPH_OK;
}

cph_status cph_set_tree_finish(cph_set_tree *t, cph_err *err)
{
    if (t->n > 1) qsort(t->leaves, t->n, sizeof *t->leaves, cph_set_leaf_cmp);
    CPH_TRY(check_order(t, err)); /* after sorting: two leaves with one key */
    return build(t, err);
}

size_t cph_set_tree_path(const cph_set_tree *t, uint64_t index, cph_digest path[64])
{
    size_t len = 0;
    uint64_t n = t->n;
    for (unsigned level = 0; n > 1; level++, index /= 2, n = n / 2 + n % 2)
        if ((index ^ 1) < n) path[len++] = t->level[level][index ^ 1];
    return len;
}

cph_digest cph_set_tree_root(const cph_set_tree *t)
{
    return t->n ? t->level[t->n_levels - 1][0] : cph_sha256_of("", 0);
}

uint64_t cph_set_tree_n(const cph_set_tree *t) { return t->n; }
const cph_set_leaf *cph_set_tree_at(const cph_set_tree *t, uint64_t i) { return &t->leaves[i]; }

uint64_t cph_set_tree_lower(const cph_set_tree *t, const cph_digest *wkey)
{
    uint64_t low = 0, high = t->n;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (cph_digest_cmp(&t->leaves[mid].wkey, wkey) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* ---- files ---- */

static cph_status add_frame(cph_set_tree *t, const char *path, const cph_buf *b, cph_err *err)
{
    if (b->n % CPH_SET_LEAF)
        return cph_fail(err, CPH_DATA, "%s: a frame is no whole number of leaves", path);
    for (size_t at = 0; at < b->n; at += CPH_SET_LEAF) {
        cph_set_leaf leaf;
        if (!cph_set_leaf_parse((const uint8_t *)b->p + at, CPH_SET_LEAF, &leaf))
            return cph_fail(err, CPH_DATA, "%s: leaf %llu is not of version 1", path,
                            (unsigned long long)t->n);
        CPH_TRY(cph_set_tree_add(t, &leaf, err));
    }
    return CPH_OK;
}

static cph_status read_frames(cph_set_tree *t, const char *path, cph_err *err)
{
    cph_zread *z;
    cph_buf b;
    CPH_TRY(cph_zread_open(&z, path, err));
    cph_buf_init(&b, (size_t)1 << 30);
    cph_status s = CPH_OK;
    for (size_t i = 0; s == CPH_OK && i < cph_zread_n_frames(z); i++) {
        s = cph_zread_frame(z, i, &b, err);
        if (s == CPH_OK) s = add_frame(t, path, &b, err);
    }
    cph_buf_release(&b);
    cph_zread_close(z);
    return s;
}

cph_status cph_set_tree_read(cph_set_tree **out, const char *path, cph_err *err)
{
    cph_set_tree *t;
    CPH_TRY(cph_set_tree_new(&t, err));
    cph_status s = read_frames(t, path, err);
    if (s == CPH_OK && (s = check_order(t, err)) != CPH_OK && err) cph_err_prefix(err, "%s", path);
    if (s == CPH_OK) s = build(t, err);
    if (s != CPH_OK) {
        cph_set_tree_close(t);
        return s;
    }
    *out = t;
    return CPH_OK;
}

static cph_status write_leaves(const cph_set_tree *t, cph_zwrite *z, cph_err *err)
{
    for (uint64_t i = 0; i < t->n; i++) {
        uint8_t bytes[CPH_SET_LEAF];
        cph_set_leaf_bytes(&t->leaves[i], bytes);
        CPH_TRY(cph_zwrite_add(z, bytes, sizeof bytes, err));
        if ((i + 1) % FRAME_LEAVES == 0) CPH_TRY(cph_zwrite_frame(z, NULL, err));
    }
    return CPH_OK;
}

cph_status cph_set_tree_write(const cph_set_tree *t, const char *path, cph_err *err)
{
    cph_zwrite *z;
    CPH_TRY(cph_zwrite_open(&z, path, err));
    cph_status s = write_leaves(t, z, err);
    if (s == CPH_OK) return cph_zwrite_close(z, err);
    cph_zwrite_abandon(z);
    return s;
}
