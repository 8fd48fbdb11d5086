/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof.c - proofs that a work or document is in a set tree, or that a work is not,
 * and their verification by somebody who has only root and size.
 *
 * Verification derives everything from the proof's own leaves and compares it with
 * what the proof claims; nothing that a forger could leave out is optional.
 */
#include "set_tree.h"

#include <string.h>

static const char *const texts[] = {
#define TEXT(name, text) text,
    CPH_PROOF_MAP(TEXT)
#undef TEXT
};

const char *cph_proof_text(cph_proof_kind k) { return texts[k]; }

/* ---- proving ---- */

static void fill(cph_proof_leaf *out, const cph_set_tree *t, uint64_t index)
{
    out->index = index;
    cph_set_leaf_bytes(&t->leaves[index], out->leaf);
    out->n_path = cph_set_tree_path(t, index, out->path);
}

static cph_status neighbour(cph_proof_leaf **out, const cph_set_tree *t, uint64_t index, cph_arena *a,
                            cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc0(a, &mem, 1, sizeof(cph_proof_leaf), err));
    *out = mem;
    fill(*out, t, index);
    return CPH_OK;
}

static bool is_work(const cph_set_tree *t, uint64_t i, const cph_digest *wkey)
{
    return i < t->n && cph_digest_cmp(&t->leaves[i].wkey, wkey) == 0;
}

cph_status cph_prove_work(cph_proof *out, const cph_set_tree *t, cph_str urn, cph_arena *a, cph_err *err)
{
    cph_proof p = {.size = t->n, .root = cph_set_tree_root(t)};
    void *mem;
    CPH_TRY(cph_arena_str(a, &p.target_urn, urn, err));
    p.kind = CPH_PROOF_WORK;
    p.target_wkey = cph_work_key(urn);
    uint64_t first = cph_set_tree_lower(t, &p.target_wkey), end = first;
    while (is_work(t, end, &p.target_wkey)) end++;
    if (first == end)
        return cph_fail(err, CPH_NO, "%.*s: no leaf of this work stands in the tree", CPH_FMT(urn));
    CPH_TRY(cph_arena_alloc0(a, &mem, end - first, sizeof(cph_proof_leaf), err));
    p.leaves = mem;
    p.n_leaves = end - first;
    for (uint64_t i = first; i < end; i++) fill(&p.leaves[i - first], t, i);
    if (first > 0) CPH_TRY(neighbour(&p.left, t, first - 1, a, err));
    if (end < t->n) CPH_TRY(neighbour(&p.right, t, end, a, err));
    *out = p;
    return CPH_OK;
}

cph_status cph_prove_document(cph_proof *out, const cph_set_tree *t, cph_str document_id, cph_arena *a,
                              cph_err *err)
{
    cph_proof p = {.size = t->n, .root = cph_set_tree_root(t)};
    void *mem;
    uint64_t n = 0;
    CPH_TRY(cph_arena_str(a, &p.target_document, document_id, err));
    p.kind = CPH_PROOF_DOCUMENT;
    p.target_dkey = cph_doc_key(document_id);
    for (uint64_t i = 0; i < t->n; i++) n += cph_digest_cmp(&t->leaves[i].dkey, &p.target_dkey) == 0;
    if (n == 0)
        return cph_fail(err, CPH_NO, "%.*s: no leaf of this document stands in the tree",
                        CPH_FMT(document_id));
    CPH_TRY(cph_arena_alloc0(a, &mem, n, sizeof(cph_proof_leaf), err));
    p.leaves = mem;
    for (uint64_t i = 0; i < t->n; i++)
        if (cph_digest_cmp(&t->leaves[i].dkey, &p.target_dkey) == 0) fill(&p.leaves[p.n_leaves++], t, i);
    *out = p;
    return CPH_OK;
}

cph_status cph_prove_absent(cph_proof *out, const cph_set_tree *t, cph_str urn, cph_arena *a, cph_err *err)
{
    cph_proof p = {.size = t->n, .root = cph_set_tree_root(t)};
    CPH_TRY(cph_arena_str(a, &p.target_urn, urn, err));
    p.target_wkey = cph_work_key(urn);
    uint64_t at = cph_set_tree_lower(t, &p.target_wkey);
    if (is_work(t, at, &p.target_wkey))
        return cph_fail(err, CPH_NO, "%.*s: the work stands in the tree", CPH_FMT(urn));
    p.kind = t->n == 0    ? CPH_PROOF_EMPTY
             : at == 0    ? CPH_PROOF_BEFORE_FIRST
             : at == t->n ? CPH_PROOF_AFTER_LAST
                          : CPH_PROOF_BETWEEN;
    if (at > 0) CPH_TRY(neighbour(&p.left, t, at - 1, a, err));
    if (at < t->n) CPH_TRY(neighbour(&p.right, t, at, a, err));
    *out = p;
    return CPH_OK;
}

/* ---- checking ---- */

static cph_status no(cph_err *err, const char *why)
{
    return cph_fail(err, CPH_NO, "the proof does not hold: %s", why);
}

/* The leaf stands at its index in the tree of this root and size. */
static cph_status stands(const cph_proof *p, const cph_proof_leaf *l, cph_set_leaf *leaf, cph_err *err)
{
    if (!cph_set_leaf_parse(l->leaf, sizeof l->leaf, leaf)) return no(err, "a leaf is not of version 1");
    cph_digest hash = cph_merkle_leaf(l->leaf, sizeof l->leaf);
    if (!cph_merkle_verify(l->index, p->size, &hash, l->path, l->n_path, &p->root))
        return no(err, "a path does not lead from its leaf to the root");
    return CPH_OK;
}

static cph_status check_absent(const cph_proof *p, cph_err *err)
{
    cph_set_leaf left, right;
    bool want_left = p->kind == CPH_PROOF_AFTER_LAST || p->kind == CPH_PROOF_BETWEEN;
    bool want_right = p->kind == CPH_PROOF_BEFORE_FIRST || p->kind == CPH_PROOF_BETWEEN;
    if (want_left != (p->left != NULL) || want_right != (p->right != NULL) || p->n_leaves)
        return no(err, "its leaves do not fit its kind");
    if (want_left) {
        CPH_TRY(stands(p, p->left, &left, err));
        if (cph_digest_cmp(&left.wkey, &p->target_wkey) >= 0)
            return no(err, "the left leaf is not before the work");
    }
    if (want_right) {
        CPH_TRY(stands(p, p->right, &right, err));
        if (cph_digest_cmp(&p->target_wkey, &right.wkey) >= 0)
            return no(err, "the right leaf is not behind the work");
    }
    if (p->kind == CPH_PROOF_BEFORE_FIRST && p->right->index != 0)
        return no(err, "the leaf is not the first");
    if (p->kind == CPH_PROOF_AFTER_LAST && p->left->index != p->size - 1)
        return no(err, "the leaf is not the last");
    if (p->kind == CPH_PROOF_BETWEEN &&
        (p->left->index == UINT64_MAX || p->left->index + 1 != p->right->index))
        return no(err, "the two leaves are not neighbours");
    cph_digest empty = cph_sha256_of("", 0);
    if (p->kind == CPH_PROOF_EMPTY && (p->size != 0 || cph_digest_cmp(&p->root, &empty) != 0))
        return no(err, "the tree is not empty");
    return CPH_OK;
}

static cph_status check_edges(const cph_proof *p, cph_err *err)
{
    cph_set_leaf leaf;
    uint64_t first = p->leaves[0].index, last = p->leaves[p->n_leaves - 1].index;
    if ((first > 0) != (p->left != NULL) || (last < p->size - 1) != (p->right != NULL))
        return no(err, "a neighbour is left out");
    if (p->left) {
        CPH_TRY(stands(p, p->left, &leaf, err));
        if (p->left->index + 1 != first || cph_digest_cmp(&leaf.wkey, &p->target_wkey) >= 0)
            return no(err, "the left neighbour is another leaf, or one of the work");
    }
    if (p->right) {
        CPH_TRY(stands(p, p->right, &leaf, err));
        if (p->right->index != last + 1 || cph_digest_cmp(&p->target_wkey, &leaf.wkey) >= 0)
            return no(err, "the right neighbour is another leaf, or one of the work");
    }
    return CPH_OK;
}

static cph_status check_present(const cph_proof *p, cph_err *err)
{
    bool work = p->kind == CPH_PROOF_WORK;
    if (p->n_leaves == 0) return no(err, "it has no leaf");
    for (size_t i = 0; i < p->n_leaves; i++) {
        cph_set_leaf leaf;
        CPH_TRY(stands(p, &p->leaves[i], &leaf, err));
        if (cph_digest_cmp(work ? &leaf.wkey : &leaf.dkey, work ? &p->target_wkey : &p->target_dkey) != 0)
            return no(err, "a leaf is of another work or document");
        if (i && (work ? p->leaves[i].index != p->leaves[i - 1].index + 1
                       : p->leaves[i].index <= p->leaves[i - 1].index))
            return no(err, "its leaves do not follow one another");
    }
    return work ? check_edges(p, err) : CPH_OK;
}

cph_status cph_proof_check(const cph_proof *p, cph_err *err)
{
    if (p->target_urn.n) {
        cph_digest wkey = cph_work_key(p->target_urn);
        if (cph_digest_cmp(&wkey, &p->target_wkey) != 0)
            return no(err, "target_wkey is not the key of target_urn");
    }
    if (p->kind == CPH_PROOF_DOCUMENT && p->target_document.n) {
        cph_digest dkey = cph_doc_key(p->target_document);
        if (cph_digest_cmp(&dkey, &p->target_dkey) != 0)
            return no(err, "target_dkey is not the key of target_document");
    }
    return p->kind == CPH_PROOF_WORK || p->kind == CPH_PROOF_DOCUMENT ? check_present(p, err)
                                                                      : check_absent(p, err);
}
