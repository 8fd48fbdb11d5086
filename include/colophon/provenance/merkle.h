/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merkle.h - RFC 6962 trees: roots in one pass, inclusion, consistency, and the
 * set tree of works with its proofs of exclusion (rights-and-provenance 12).
 *
 * Invariant  A root does not bind the size: carry both.
 * Threads    A cph_merkle belongs to one thread.
 * Memory     A cph_merkle is a plain value: one digest a level.
 */
#ifndef CPH_PROVENANCE_MERKLE_H
#define CPH_PROVENANCE_MERKLE_H

#include <colophon/base/hash.h>
#include <colophon/base/json.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_merkle {
    cph_digest level[64];
    uint64_t n;
} cph_merkle;

CPH_API void cph_merkle_init(cph_merkle *m);
CPH_API void cph_merkle_add(cph_merkle *m, const void *data, size_t n); /* leaf data: hashed with 0x00 */
CPH_API void cph_merkle_add_leaf(cph_merkle *m, const cph_digest *leaf_hash);
CPH_API cph_digest cph_merkle_root(const cph_merkle *m);
CPH_API cph_digest cph_merkle_leaf(const void *data, size_t n);
CPH_API cph_digest cph_merkle_node(const cph_digest *left, const cph_digest *right);

/* Path of leaf `index` among n leaf hashes, bottom up; at most 64 digests. */
CPH_API size_t cph_merkle_path(const cph_digest *leaves, uint64_t n, uint64_t index, cph_digest path[64]);
CPH_API bool cph_merkle_verify(uint64_t index, uint64_t n, const cph_digest *leaf, const cph_digest *path,
                               size_t n_path, const cph_digest *root);
CPH_API size_t cph_merkle_consistency(const cph_digest *leaves, uint64_t m, uint64_t n, cph_digest path[64]);
CPH_API bool cph_merkle_verify_consistency(uint64_t m, uint64_t n, const cph_digest *path, size_t n_path,
                                           const cph_digest *root_m, const cph_digest *root_n);

/* ---- the set tree (tree B): one leaf of 153 bytes for each (work, document) ---- */
#define CPH_SET_LEAF 153
typedef struct cph_set_leaf {
    cph_digest wkey, dkey, text, decision;
    uint64_t tokens, first_step, last_step;
} cph_set_leaf;
CPH_API cph_digest cph_work_key(cph_str work_urn);
CPH_API cph_digest cph_doc_key(cph_str document_id);
CPH_API void cph_set_leaf_bytes(const cph_set_leaf *l, uint8_t out[CPH_SET_LEAF]);
CPH_API bool cph_set_leaf_parse(const uint8_t *p, size_t n, cph_set_leaf *out);
CPH_API int cph_set_leaf_cmp(const void *a, const void *b); /* by (wkey, dkey); for qsort */

#ifdef __cplusplus
}
#endif
#endif
