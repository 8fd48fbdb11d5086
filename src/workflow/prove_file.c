/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prove_file.c - proof files: what is written beside the bare proof, the words for
 * people, and the check of a file by somebody who has nothing else.
 *
 * Each file says two things that a proof cannot: that it speaks of the manifest and not
 * of the weights, and of one URN and not of its text (rights-and-provenance 12.4).
 */
#include <stdio.h>
#include <string.h>

#include "prove_in.h"

#define TRAP_MANIFEST                                                                                        \
    "this speaks of the sealed lists of works, not of the weights: the run was not replayed; "               \
    "a Merkle proof binds a list to the manifest, colophon verify MODEL --replay N binds it to the weights"
#define TRAP_URN                                                                                             \
    "this speaks of this URN: another edition or a quotation is another question; "                          \
    "no content report goes with it"

static cph_status add_notes(cph_json *file, cph_arena *a, cph_err *err)
{
    cph_json *none;
    CPH_TRY(cph_json_set_str(file, a, "replayed", CPH_STR("not replayed"), err));
    CPH_TRY(cph_json_new(&none, a, CPH_JSON_NULL, err));
    CPH_TRY(cph_json_set(file, a, "content_report", none, err));
    cph_json *notes, *note;
    CPH_TRY(cph_json_new(&notes, a, CPH_JSON_ARRAY, err));
    CPH_TRY(cph_json_new_str(&note, a, CPH_STR(TRAP_MANIFEST), err));
    CPH_TRY(cph_json_push(notes, note, err));
    CPH_TRY(cph_json_new_str(&note, a, CPH_STR(TRAP_URN), err));
    CPH_TRY(cph_json_push(notes, note, err));
    return cph_json_set(file, a, "notes", notes, err);
}

/* ---- words ---- */

static cph_status say_place(cph_buf *b, const cph_proof *p, cph_err *err)
{
    unsigned long long n = p->size;
    switch (p->kind) {
    case CPH_PROOF_EMPTY: return cph_buf_z(b, "the tree is empty", err);
    case CPH_PROOF_BEFORE_FIRST:
        return cph_buf_printf(b, err, "it would stand before the first of %llu leaves", n);
    case CPH_PROOF_AFTER_LAST:
        return cph_buf_printf(b, err, "it would stand after the last of %llu leaves", n);
    case CPH_PROOF_BETWEEN:
        return cph_buf_printf(b, err, "it would stand between leaves %llu and %llu of %llu",
                              (unsigned long long)p->left->index, (unsigned long long)p->right->index, n);
    default:
        return cph_buf_printf(b, err, "%zu of %llu leaves, from leaf %llu", p->n_leaves, n,
                              (unsigned long long)p->leaves[0].index);
    }
}

static cph_status say_tree(cph_buf *b, const cph_proof *p, cph_err *err)
{
    char cite[64], root[CPH_HEX_DIGEST];
    cph_artefact_cite(p->artefact_kind, &p->artefact, cite);
    cph_digest_hex(&p->root, root);
    CPH_TRY(cph_buf_printf(b, err, "  %-36s ", cite));
    CPH_TRY(say_place(b, p, err));
    return cph_buf_printf(b, err, "\n    %.*s_root %s, size %llu\n", CPH_FMT(p->tree), root,
                          (unsigned long long)p->size);
}

/* What was fed of a work that is in a model. */
static cph_status say_feeding(cph_buf *b, const cph_proof *p, cph_err *err)
{
    uint64_t tokens = 0, first = UINT64_MAX, last = 0;
    for (size_t i = 0; i < p->n_leaves; i++) {
        cph_set_leaf l;
        if (!cph_set_leaf_parse(p->leaves[i].leaf, CPH_SET_LEAF, &l)) continue;
        tokens += l.tokens;
        if (l.first_step < first) first = l.first_step;
        if (l.last_step > last) last = l.last_step;
    }
    if (tokens && last)
        return cph_buf_printf(b, err, "  %llu tokens of it were fed, in steps %llu to %llu\n",
                              (unsigned long long)tokens, (unsigned long long)first,
                              (unsigned long long)last);
    return tokens ? cph_buf_printf(b, err, "  %llu tokens\n", (unsigned long long)tokens) : CPH_OK;
}

static bool is_absence(const cph_proof *p) { return p->kind < CPH_PROOF_WORK; }

static cph_str target_of(const cph_proof *p)
{
    return p->kind == CPH_PROOF_DOCUMENT ? p->target_document : p->target_urn;
}

static cph_status say_all(cph_buf *b, const cph_proof *proofs, size_t n, cph_err *err)
{
    CPH_TRY(cph_buf_printf(b, err, "%s %.*s\n",
                           is_absence(proofs) ? "out:" : "in: ", CPH_FMT(target_of(proofs))));
    if (is_absence(proofs))
        CPH_TRY(cph_buf_z(b,
                          "  None of the lists of works below has an entry for it. Each is sorted and "
                          "sealed; where "
                          "the entry\n  would stand, there is none.\n",
                          err));
    else
        CPH_TRY(cph_buf_z(b, "  The sealed list of works below has these entries for it.\n", err));
    for (size_t i = 0; i < n; i++) CPH_TRY(say_tree(b, &proofs[i], err));
    if (!is_absence(proofs)) CPH_TRY(say_feeding(b, proofs, err));
    return cph_buf_z(b, "  " TRAP_MANIFEST "\n  " TRAP_URN "\n", err);
}

/* `own_word`: nobody named the root, so the file's own is believed. */
static cph_status explain(cph_str *out, cph_arena *a, const cph_proof *proofs, size_t n, bool own_word,
                          cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, (size_t)1 << 22);
    cph_status s = say_all(&b, proofs, n, err);
    if (s == CPH_OK && own_word)
        s = cph_buf_z(
            &b,
            "  root and size are the file's own word: compare them with the sealed manifest, or give "
            "--root and --size\n",
            err);
    if (s == CPH_OK) s = cph_arena_str(a, out, cph_buf_view(&b), err);
    cph_buf_release(&b);
    return s;
}

/* ---- writing ---- */

static cph_status name_artefact(cph_json *file, cph_arena *a, const cph_kin_place *at, cph_err *err)
{
    char cite[64], hex[CPH_HEX_DIGEST];
    cph_digest d = cph_manifest_digest(at->manifest);
    cph_json *v;
    cph_artefact_cite(cph_manifest_kind(at->manifest), &d, cite);
    cph_digest_hex(&d, hex);
    CPH_TRY(cph_json_new(&v, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set_str(v, a, "kind", cph_manifest_kind(at->manifest), err));
    CPH_TRY(cph_json_set_str(v, a, "digest", cph_str_of(hex), err));
    CPH_TRY(cph_json_set_str(v, a, "cite", cph_str_of(cite), err));
    return cph_json_set(file, a, "artefact", v, err);
}

cph_status cph_prove_file(cph_prove_answer *out, cph_arena *a, const cph_prove_ask *ask,
                          const cph_kin_place *artefact, const cph_proof *proofs, size_t n, cph_err *err)
{
    cph_json *file, *more, *v;
    cph_prove_answer answer = {.holds = true, .reason = {"", 0}};
    CPH_TRY(cph_proof_json(&file, a, &proofs[0], err));
    CPH_TRY(cph_json_set_str(file, a, "answer",
                             ask->about == CPH_PROVE_ABSENT ? CPH_STR("out") : CPH_STR("in"), err));
    CPH_TRY(name_artefact(file, a, artefact, err));
    CPH_TRY(add_notes(file, a, err));
    if (ask->about == CPH_PROVE_ABSENT) {
        CPH_TRY(cph_json_new(&more, a, CPH_JSON_ARRAY, err));
        for (size_t i = 1; i < n; i++) {
            CPH_TRY(cph_proof_json(&v, a, &proofs[i], err));
            CPH_TRY(cph_json_push(more, v, err));
        }
        CPH_TRY(cph_json_set(file, a, "ancestors", more, err));
    }
    answer.file = file;
    CPH_TRY(explain(&answer.explain, a, proofs, n, false, err));
    *out = answer;
    return CPH_OK;
}

static const struct {
    const char *reason, *words;
} reasons[] = {
    {"present", "the work stands in the tree of this artefact"},
    {"absent", "no leaf of it stands in the tree"},
    {"unknown-base", "part of it comes from a model without a colophon: nobody knows what is in there"},
    {"unreachable", "an ancestor is not here, so nobody can look into it; name its place with --parents"},
    {"same-text-as", "a document of this work was dropped as a copy; its text is in, under this other id"},
    {"leaves-withheld", "the leaves are not in this copy; ask whoever published it"},
    {"drop-log-withheld",
     "the drop log is not in this copy: a document of the work may be in under another id"},
};

cph_status cph_prove_refusal(cph_prove_answer *out, cph_arena *a, const cph_prove_ask *ask, cph_err *err)
{
    static const char *const asked[] = {"the work is in", "the document is in", "the work is out"};
    const char *words = "";
    cph_json *file;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (cph_str_starts(out->reason, reasons[i].reason)) words = reasons[i].words;
    CPH_TRY(cph_json_new(&file, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set_i64(file, a, "v", 1, err));
    CPH_TRY(cph_json_set_str(file, a, "asked", cph_str_of(asked[ask->about]), err));
    CPH_TRY(cph_json_set_str(file, a, "target", ask->name, err));
    CPH_TRY(cph_json_set_str(file, a, "answer", CPH_STR("no"), err));
    CPH_TRY(cph_json_set_str(file, a, "reason", out->reason, err));
    CPH_TRY(add_notes(file, a, err));
    out->file = file;
    return cph_arena_printf(a, &out->explain, err, "no: it cannot be shown that %s: %.*s\n  %s (%.*s)\n",
                            asked[ask->about], CPH_FMT(ask->name), words, CPH_FMT(out->reason));
}

/* ---- checking ---- */

static cph_status same_target(const cph_proof *p, const cph_proof *first, cph_err *err)
{
    if (!is_absence(p) || cph_digest_cmp(&p->target_wkey, &first->target_wkey) != 0)
        return cph_fail(err, CPH_NO, "the proof does not hold: an ancestor's proof is about something else");
    return CPH_OK;
}

static cph_status parse_all(const cph_json *file, cph_arena *a, cph_proof **out, size_t *n, cph_err *err)
{
    const cph_json *more = cph_json_get(file, "ancestors");
    void *mem;
    if (more && more->type != CPH_JSON_ARRAY) return cph_fail(err, CPH_DATA, "proof: ancestors is no array");
    CPH_TRY(cph_arena_alloc0(a, &mem, (size_t)(more ? more->n : 0) + 1, sizeof(cph_proof), err));
    cph_proof *p = mem;
    *n = 0;
    CPH_TRY(cph_proof_parse(&p[(*n)++], a, file, err));
    for (const cph_json *v = more ? more->first : NULL; v; v = v->next)
        CPH_TRY(cph_proof_parse(&p[(*n)++], a, v, err));
    *out = p;
    return CPH_OK;
}

static cph_status check_all(const cph_proof *p, size_t n, const cph_digest *root, uint64_t size, cph_err *err)
{
    if (root && (cph_digest_cmp(root, &p->root) != 0 || size != p->size))
        return cph_fail(err, CPH_NO, "the proof does not hold: it is of another tree than the one you name");
    for (size_t i = 0; i < n; i++) {
        if (i) CPH_TRY(same_target(&p[i], p, err));
        CPH_TRY(cph_proof_check(&p[i], err));
    }
    return CPH_OK;
}

cph_status cph_prove_check(const char *file, const cph_digest *root, uint64_t size, cph_arena *a,
                           cph_prove_answer *out, cph_err *err)
{
    cph_json *v;
    cph_proof *p = NULL;
    size_t n = 0;
    cph_prove_answer answer = {.reason = {"", 0}};
    cph_err local = {.status = CPH_OK};
    CPH_TRY(cph_json_read(&v, a, file, (uint64_t)1 << 30, err));
    if (cph_str_is(cph_json_get_str(v, "answer"), "no"))
        return cph_fail(err, CPH_DATA, "%s: is no proof but the answer no, with its reason", file);
    if (!cph_json_get(v, "answer")) return cph_fail(err, CPH_DATA, "%s: is no proof file", file);
    cph_status s = parse_all(v, a, &p, &n, &local);
    if (s == CPH_OK) s = check_all(p, n, root, size, &local);
    if (s != CPH_OK && s != CPH_NO) return cph_fail(err, s, "%s: %s", file, local.what);
    answer.file = v;
    answer.holds = s == CPH_OK;
    if (!answer.holds) {
        CPH_TRY(cph_arena_str(a, &answer.reason, cph_str_of(local.what), err));
        CPH_TRY(cph_arena_printf(a, &answer.explain, err, "%s\n", local.what));
    } else {
        CPH_TRY(explain(&answer.explain, a, p, n, root == NULL, err));
    }
    *out = answer;
    return CPH_OK;
}
