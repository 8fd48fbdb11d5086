/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof_json.c - the proof file of rights-and-provenance 12.4, out and in.
 *
 * What comes in is foreign: sizes are bounded before anything is kept, and a member
 * of another type is an error, never a default.
 */
#include <colophon/provenance/proof.h>

#include "provenance_in.h"

#include <stdio.h>
#include <string.h>

/* ---- out ---- */

static cph_status leaf_json(cph_json **out, cph_arena *a, const cph_proof_leaf *l, cph_err *err)
{
    cph_json *v, *path, *step;
    char hex[2 * CPH_SET_LEAF + 1];
    if (!l) return cph_json_new(out, a, CPH_JSON_NULL, err);
    CPH_TRY(cph_json_new(&v, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_member_u64(v, a, "index", l->index, err));
    cph_hex(l->leaf, sizeof l->leaf, hex);
    CPH_TRY(cph_json_set_str(v, a, "leaf", cph_str_of(hex), err));
    CPH_TRY(cph_json_new(&path, a, CPH_JSON_ARRAY, err));
    for (size_t i = 0; i < l->n_path; i++) {
        cph_digest_hex(&l->path[i], hex);
        CPH_TRY(cph_json_new_str(&step, a, cph_str_of(hex), err));
        CPH_TRY(cph_json_push(path, step, err));
    }
    CPH_TRY(cph_json_set(v, a, "path", path, err));
    *out = v;
    return CPH_OK;
}

static cph_status set_leaf(cph_json *v, cph_arena *a, const char *key, const cph_proof_leaf *l,
                           cph_err *err)
{
    cph_json *leaf;
    CPH_TRY(leaf_json(&leaf, a, l, err));
    return cph_json_set(v, a, key, leaf, err);
}

static cph_status set_target(cph_json *v, cph_arena *a, const cph_proof *p, cph_err *err)
{
    if (p->kind == CPH_PROOF_DOCUMENT) {
        CPH_TRY(cph_json_set_str(v, a, "target_document", p->target_document, err));
        return cph_member_hex(v, a, "target_dkey", &p->target_dkey, err);
    }
    CPH_TRY(cph_json_set_str(v, a, "target_urn", p->target_urn, err));
    return cph_member_hex(v, a, "target_wkey", &p->target_wkey, err);
}

static cph_status set_leaves(cph_json *v, cph_arena *a, const cph_proof *p, cph_err *err)
{
    cph_json *leaves, *leaf;
    CPH_TRY(cph_json_new(&leaves, a, CPH_JSON_ARRAY, err));
    for (size_t i = 0; i < p->n_leaves; i++) {
        CPH_TRY(leaf_json(&leaf, a, &p->leaves[i], err));
        CPH_TRY(cph_json_push(leaves, leaf, err));
    }
    return cph_json_set(v, a, "leaves", leaves, err);
}

cph_status cph_proof_json(cph_json **out, cph_arena *a, const cph_proof *p, cph_err *err)
{
    cph_json *v, *head;
    CPH_TRY(cph_json_new(&v, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set_i64(v, a, "v", 1, err));
    CPH_TRY(cph_member_hex(v, a, "corpus", &p->artefact, err));
    CPH_TRY(cph_json_set_str(v, a, "artefact_kind", p->artefact_kind, err));
    CPH_TRY(cph_json_set_str(v, a, "tree", p->tree, err));
    CPH_TRY(cph_json_set_str(v, a, "order", CPH_STR("sorted-v1"), err));
    CPH_TRY(cph_member_u64(v, a, "size", p->size, err));
    CPH_TRY(cph_member_hex(v, a, "root", &p->root, err));
    CPH_TRY(cph_json_new(&head, a, CPH_JSON_NULL, err)); /* no signed head: keys come with `sign` */
    CPH_TRY(cph_json_set(v, a, "head", head, err));
    CPH_TRY(set_target(v, a, p, err));
    CPH_TRY(cph_json_set_str(v, a, "kind", cph_str_of(cph_proof_text(p->kind)), err));
    if (p->n_leaves) CPH_TRY(set_leaves(v, a, p, err));
    CPH_TRY(set_leaf(v, a, "left", p->left, err));
    CPH_TRY(set_leaf(v, a, "right", p->right, err));
    *out = v;
    return CPH_OK;
}

/* ---- in ---- */

static cph_status bad(cph_err *err, const cph_json *at, const char *key, const char *what)
{
    return cph_fail(err, CPH_DATA, "proof: line %u: %s %s", at ? at->line : 0, key, what);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(cph_str s, uint8_t *out, size_t n)
{
    if (s.n != 2 * n) return false;
    for (size_t i = 0; i < n; i++) {
        int high = digit(s.p[2 * i]), low = digit(s.p[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static cph_status leaf_parse(cph_proof_leaf *out, const cph_json *v, cph_err *err)
{
    const cph_json *path = cph_json_get(v, "path");
    cph_str hex;
    if (!cph_json_u64(cph_json_get(v, "index"), &out->index)) return bad(err, v, "index", "is no index");
    if (!cph_json_str(cph_json_get(v, "leaf"), &hex) || !from_hex(hex, out->leaf, sizeof out->leaf))
        return bad(err, v, "leaf", "is not 153 bytes in hexadecimal");
    if (!path || path->type != CPH_JSON_ARRAY || path->n > 64) return bad(err, v, "path", "is no path");
    out->n_path = 0;
    for (const cph_json *p = path->first; p; p = p->next)
        if (!cph_strict_digest(p, &out->path[out->n_path++]))
            return bad(err, p, "path", "holds what is no digest");
    return CPH_OK;
}

static cph_status neighbour_parse(cph_proof_leaf **out, cph_arena *a, const cph_json *v, cph_err *err)
{
    void *mem;
    if (!v || v->type == CPH_JSON_NULL) return CPH_OK;
    CPH_TRY(cph_arena_alloc0(a, &mem, 1, sizeof(cph_proof_leaf), err));
    *out = mem;
    return leaf_parse(*out, v, err);
}

static cph_status leaves_parse(cph_proof *p, cph_arena *a, const cph_json *v, cph_err *err)
{
    void *mem;
    if (!v) return CPH_OK;
    if (v->type != CPH_JSON_ARRAY) return bad(err, v, "leaves", "is no array");
    CPH_TRY(cph_arena_alloc0(a, &mem, (size_t)v->n + 1, sizeof(cph_proof_leaf), err));
    p->leaves = mem;
    for (const cph_json *l = v->first; l; l = l->next)
        CPH_TRY(leaf_parse(&p->leaves[p->n_leaves++], l, err));
    return CPH_OK;
}

static bool kind_parse(cph_str s, cph_proof_kind *out)
{
    for (int k = 0; k < CPH_N_PROOFS; k++)
        if (cph_str_is(s, cph_proof_text((cph_proof_kind)k))) {
            *out = (cph_proof_kind)k;
            return true;
        }
    return false;
}

static cph_status target_parse(cph_proof *p, const cph_json *v, cph_err *err)
{
    p->target_urn = cph_json_get_str(v, "target_urn");
    p->target_document = cph_json_get_str(v, "target_document");
    if (p->kind == CPH_PROOF_DOCUMENT)
        return cph_strict_digest(cph_json_get(v, "target_dkey"), &p->target_dkey)
                   ? CPH_OK
                   : bad(err, v, "target_dkey", "is no digest");
    return cph_strict_digest(cph_json_get(v, "target_wkey"), &p->target_wkey)
               ? CPH_OK
               : bad(err, v, "target_wkey", "is no digest");
}

cph_status cph_proof_parse(cph_proof *out, cph_arena *a, const cph_json *v, cph_err *err)
{
    cph_proof p = {0};
    uint64_t version;
    if (!v || v->type != CPH_JSON_OBJECT) return bad(err, v, "the proof", "is no object");
    if (!cph_json_u64(cph_json_get(v, "v"), &version) || version != 1) return bad(err, v, "v", "is not 1");
    if (!cph_strict_digest(cph_json_get(v, "corpus"), &p.artefact))
        return bad(err, v, "corpus", "is no digest");
    if (!cph_strict_digest(cph_json_get(v, "root"), &p.root)) return bad(err, v, "root", "is no digest");
    if (!cph_json_u64(cph_json_get(v, "size"), &p.size)) return bad(err, v, "size", "is no size");
    if (!cph_str_is(cph_json_get_str(v, "order"), "sorted-v1"))
        return bad(err, v, "order", "is not sorted-v1");
    if (!kind_parse(cph_json_get_str(v, "kind"), &p.kind))
        return bad(err, v, "kind", "is none that a proof has");
    p.artefact_kind = cph_json_get_str(v, "artefact_kind");
    p.tree = cph_json_get_str(v, "tree");
    CPH_TRY(target_parse(&p, v, err));
    CPH_TRY(leaves_parse(&p, a, cph_json_get(v, "leaves"), err));
    CPH_TRY(neighbour_parse(&p.left, a, cph_json_get(v, "left"), err));
    CPH_TRY(neighbour_parse(&p.right, a, cph_json_get(v, "right"), err));
    *out = p;
    return CPH_OK;
}
