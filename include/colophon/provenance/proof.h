/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof.h - the set tree of an artefact, and what can be shown from it to somebody
 * who holds only its root and size (rights-and-provenance 12.3, 12.4).
 *
 * A work is in: all its leaves, and the neighbours on both sides, so that none is
 * hidden. A work is out: the two leaves between which it would stand.
 *
 * Invariant  A proof speaks of the tree that was sealed, never of the weights: what
 *            binds the two is replay. And it speaks of one URN: another edition or a
 *            quotation is another question. Whoever shows a proof says both.
 * Threads    A cph_set_tree is immutable once finished and may be shared.
 * Memory     216 bytes a leaf. Proofs live in the caller's arena.
 * Errors     CPH_NO: the work is absent (or present), or the proof does not hold, with
 *            the reason. CPH_DATA: two leaves have one key, or the JSON is no proof.
 */
#ifndef CPH_PROVENANCE_PROOF_H
#define CPH_PROVENANCE_PROOF_H

#include <colophon/provenance/merkle.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the tree ---- */
typedef struct cph_set_tree cph_set_tree;
CPH_API cph_status cph_set_tree_new(cph_set_tree **out, cph_err *err) CPH_MUST_USE;
CPH_API void cph_set_tree_close(cph_set_tree *t); /* NULL is fine */
/* In any order; cph_set_tree_finish sorts. */
CPH_API cph_status cph_set_tree_add(cph_set_tree *t, const cph_set_leaf *leaf, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_set_tree_finish(cph_set_tree *t, cph_err *err) CPH_MUST_USE;
/* A file of leaves, 153 bytes each, strictly ascending, in zstd frames; finished. */
CPH_API cph_status cph_set_tree_read(cph_set_tree **out, const char *path, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_set_tree_write(const cph_set_tree *t, const char *path, cph_err *err) CPH_MUST_USE;
CPH_API cph_digest cph_set_tree_root(const cph_set_tree *t);
CPH_API uint64_t cph_set_tree_n(const cph_set_tree *t);
CPH_API const cph_set_leaf *cph_set_tree_at(const cph_set_tree *t, uint64_t i); /* i < n */
/* The first leaf whose wkey is not below `wkey`; n when there is none. */
CPH_API uint64_t cph_set_tree_lower(const cph_set_tree *t, const cph_digest *wkey);

/* ---- proofs ---- */
#define CPH_PROOF_MAP(X) \
    X(EMPTY, "empty") \
    X(BEFORE_FIRST, "before-first") X(AFTER_LAST, "after-last") X(BETWEEN, "between") X(WORK, "work") \
        X(DOCUMENT, "document")
typedef enum cph_proof_kind {
#define CPH_PROOF_ENUM(name, text) CPH_PROOF_##name,
    CPH_PROOF_MAP(CPH_PROOF_ENUM)
#undef CPH_PROOF_ENUM
        CPH_N_PROOFS
} cph_proof_kind;
CPH_API const char *cph_proof_text(cph_proof_kind k);

typedef struct cph_proof_leaf {
    uint64_t index;
    uint8_t leaf[CPH_SET_LEAF];
    cph_digest path[64]; /* bottom up */
    size_t n_path;
} cph_proof_leaf;

typedef struct cph_proof {
    cph_proof_kind kind;
    cph_digest artefact;   /* whose tree it is */
    cph_str artefact_kind; /* "corpus", "model", ... */
    cph_str tree;          /* "set" or "seen" */
    uint64_t size;
    cph_digest root;
    cph_str target_urn; /* of exclusions and works; may be empty where only the key is known */
    cph_digest target_wkey;
    cph_str target_document; /* of documents */
    cph_digest target_dkey;
    cph_proof_leaf *leaves; /* of works and documents, by index */
    size_t n_leaves;
    cph_proof_leaf *left, *right; /* neighbours; NULL: none */
} cph_proof;

/* They fill what the tree knows (kind, size, root, target keys, leaves); the caller adds whose tree it is. */
CPH_API cph_status cph_prove_work(cph_proof *out, const cph_set_tree *t, cph_str urn, cph_arena *a,
                                  cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_prove_document(cph_proof *out, const cph_set_tree *t, cph_str document_id,
                                      cph_arena *a, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_prove_absent(cph_proof *out, const cph_set_tree *t, cph_str urn, cph_arena *a,
                                    cph_err *err) CPH_MUST_USE;

/* Needs nothing but the proof. CPH_NO says which check failed. */
CPH_API cph_status cph_proof_check(const cph_proof *p, cph_err *err) CPH_MUST_USE;

CPH_API cph_status cph_proof_json(cph_json **out, cph_arena *a, const cph_proof *p,
                                  cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_proof_parse(cph_proof *out, cph_arena *a, const cph_json *v,
                                   cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
