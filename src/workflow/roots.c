/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roots.c - the roots of each kind of artefact, from its content (artefacts 1).
 *
 * A root that the manifest names and that cannot be recomputed here is said to be
 * so; a root that a kind must have and has not is damage.
 */
#include <colophon/train/training.h>

#include <stdio.h>
#include <string.h>

#include "verify_in.h"

/* Compares; `n` leaves (UINT64_MAX: over no tree), which the manifest may count under `size_name`. */
static cph_status compare(cph_verifier *v, const cph_kin_place *at, const char *root,
                          const cph_digest *found, uint64_t n, const char *size_name, cph_err *err)
{
    cph_digest sealed;
    uint64_t size;
    char was[CPH_HEX_DIGEST], is[CPH_HEX_DIGEST];
    if (!cph_manifest_root(at->manifest, root, &sealed))
        return cph_verify_say(v, CPH_DAMAGED, root, err, "is not in the manifest");
    cph_digest_hex(&sealed, was);
    cph_digest_hex(found, is);
    if (cph_digest_cmp(&sealed, found) != 0)
        return cph_verify_say(v, CPH_DAMAGED, root, err, "differs (sealed %.8s..., recomputed %.8s...)",
                              was, is);
    if (n == UINT64_MAX) return cph_verify_say(v, CPH_VERIFIED, root, err, "%.16s", is);
    if (size_name && cph_manifest_count(at->manifest, size_name, &size) && size != n)
        return cph_verify_say(v, CPH_DAMAGED, root, err, "%llu leaves, and %s says %llu",
                              (unsigned long long)n, size_name, (unsigned long long)size);
    return cph_verify_say(v, CPH_VERIFIED, root, err, "%.16s from %llu leaves", is, (unsigned long long)n);
}

static cph_status compare_tree(cph_verifier *v, const cph_kin_place *at, const char *root,
                               const cph_merkle *m, const char *size_name, cph_err *err)
{
    cph_digest found = cph_merkle_root(m);
    return compare(v, at, root, &found, m->n, size_name, err);
}

static cph_status content_root(cph_verifier *v, const cph_kin_place *at, cph_err *err)
{
    cph_digest found;
    CPH_TRY(cph_manifest_content_root(at->manifest, &found, err));
    return compare(v, at, "content_root", &found, UINT64_MAX, NULL, err);
}

/* A root over the lines of one file. */
static cph_status lines_root(cph_verifier *v, const cph_kin_place *at, const char *root, const char *file,
                             const char *size_name, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_merkle m;
    cph_err local = {.status = CPH_OK};
    if (!cph_artefact_has_file(at, file))
        return cph_verify_say(v, CPH_ABSENT, root, err, "%s is not in this copy", file);
    CPH_TRY(cph_path_join(path, at->path, file, err));
    cph_status s = cph_lines_root(&m, path, &local);
    return s == CPH_OK ? compare_tree(v, at, root, &m, size_name, err)
                       : cph_verify_fault(v, root, s, &local, err);
}

/* A root over a file of set leaves. */
static cph_status leaves_root(cph_verifier *v, const cph_kin_place *at, const char *root,
                              const char *size_name, cph_err *err)
{
    char path[CPH_PATH_MAX];
    const char *file = cph_artefact_tree_file(cph_manifest_kind(at->manifest));
    cph_set_tree *t;
    cph_digest sealed;
    cph_err local = {.status = CPH_OK};
    if (!cph_manifest_root(at->manifest, root, &sealed)) return CPH_OK;
    if (!cph_artefact_has_file(at, file))
        return cph_verify_say(v, CPH_ABSENT, root, err, "%s is not in this copy", file);
    CPH_TRY(cph_path_join(path, at->path, file, err));
    cph_status s = cph_set_tree_read(&t, path, &local);
    if (s != CPH_OK) return cph_verify_fault(v, root, s, &local, err);
    cph_digest found = cph_set_tree_root(t);
    s = compare(v, at, root, &found, cph_set_tree_n(t), size_name, err);
    cph_set_tree_close(t);
    return s;
}

static cph_status corpus_roots(cph_verifier *v, const cph_kin_place *at, cph_err *err)
{
    cph_corpus_scan scan;
    cph_digest sealed;
    cph_err local = {.status = CPH_OK};
    cph_status s = cph_corpus_scan_run(&scan, at, NULL, NULL, &local);
    if (s != CPH_OK) return cph_verify_fault(v, "set_root", s, &local, err);
    cph_digest set = cph_set_tree_root(scan.tree);
    uint64_t n = cph_set_tree_n(scan.tree);
    cph_set_tree_close(scan.tree);
    CPH_TRY(compare_tree(v, at, "records_root", &scan.records, "records_size", err));
    CPH_TRY(compare_tree(v, at, "prov_root", &scan.prov, "prov_size", err));
    CPH_TRY(compare(v, at, "set_root", &set, n, "set_size", err));
    if (!cph_manifest_root(at->manifest, "dropped_root", &sealed)) return CPH_OK;
    return lines_root(v, at, "dropped_root", "dropped.jsonl.zst", "dropped_size", err);
}

/* Tree C is not stored: the order function gives it again from the token set. */
static cph_status order_root(cph_verifier *v, const cph_kin_place *at, cph_err *err)
{
    cph_digest sealed;
    if (!cph_manifest_root(at->manifest, "order_root", &sealed)) return CPH_OK;
    if (!cph_artefact_has_file(at, "seen.leaves.zst"))
        return cph_verify_say(v, CPH_ABSENT, "order_root", err, "seen.leaves.zst is not in this copy");
    for (size_t i = 0; i < cph_manifest_n_parents(at->manifest); i++) {
        cph_parent p = cph_manifest_parent_at(at->manifest, i);
        cph_kin_place tokens;
        cph_err local = {.status = CPH_OK};
        if (!cph_str_is(p.kind, "tokens") || cph_kin_parent(v->kin, at, &p, &tokens, &local) != CPH_OK)
            continue;
        cph_status s = cph_train_verify(at->path, tokens.path, &local);
        if (s != CPH_OK) return cph_verify_fault(v, "order_root", s, &local, err);
        return cph_verify_say(v, CPH_VERIFIED, "order_root", err,
                              "and seen leaves, from the token set's order");
    }
    return cph_verify_say(v, CPH_ABSENT, "order_root", err, "its token set is not reachable");
}

cph_status cph_verify_roots(cph_verifier *v, const cph_kin_place *at, cph_err *err)
{
    cph_str kind = cph_manifest_kind(at->manifest);
    if (cph_str_is(kind, "snapshot"))
        return lines_root(v, at, "records_root", "rows.jsonl.zst", "records", err);
    if (cph_str_is(kind, "corpus")) return corpus_roots(v, at, err);
    CPH_TRY(content_root(v, at, err));
    if (cph_str_is(kind, "tokens")) return leaves_root(v, at, "set_root", "set_size", err);
    if (!cph_str_is(kind, "model")) return CPH_OK;
    CPH_TRY(leaves_root(v, at, "seen_root", "seen_size", err));
    return order_root(v, at, err);
}

/* ---- against parents ---- */

static cph_status same_root(cph_verifier *v, const cph_kin_place *child, const char *name,
                            const cph_kin_place *parent, const char *theirs, cph_err *err)
{
    cph_digest mine, other;
    if (!cph_manifest_root(child->manifest, name, &mine) ||
        !cph_manifest_root(parent->manifest, theirs, &other))
        return CPH_OK;
    if (cph_digest_cmp(&mine, &other) == 0) return CPH_OK;
    return cph_verify_say(v, CPH_DAMAGED, name, err, "is not the %s of its parent %.*s", theirs,
                          CPH_FMT(cph_manifest_kind(parent->manifest)));
}

cph_status cph_verify_against_parent(cph_verifier *v, const cph_kin_place *child, const cph_parent *role,
                                     const cph_kin_place *parent, cph_err *err)
{
    cph_str kind = cph_manifest_kind(child->manifest);
    if (cph_str_is(kind, "tokens") && cph_str_is(role->kind, "corpus"))
        return same_root(v, child, "corpus_set_root", parent, "set_root", err);
    if (cph_str_is(kind, "model") && cph_str_is(role->kind, "tokens"))
        return same_root(v, child, "set_root", parent, "corpus_set_root", err);
    return CPH_OK;
}
