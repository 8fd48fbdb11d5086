/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show_facts.c - what is worth a line of an artefact's identity: its size, what it may
 * be used for, and the rights tally. A table says which counts of which kind; the
 * whole identity is in --json.
 */
#include <stdio.h>
#include <string.h>

#include <colophon/rights/decide.h>

#include "show_in.h"

#define IMAGES_MAX_BYTES \
    ((uint64_t)256 << 20) /* of a snapshot's rows, above which page images are not counted */

static const struct {
    const char *kind, *count, *one, *many;
} counts[] = {
    {"model", "steps", "step", "steps"},
    {"model", "tokens", "token fed", "tokens fed"},
    {"model", "parameters", "parameter", "parameters"},
    {"tokens", "records", "record", "records"},
    {"tokens", "tokens", "token", "tokens"},
    {"tokens", "revoked", "record revoked", "records revoked"},
    {"tokenizer", "vocabulary", "entry", "entries"},
    {"tokenizer", "entries", "entry", "entries"},
    {"tokenizer", "merges", "merge", "merges"},
    {"corpus", "works", "work", "works"},
    {"corpus", "documents", "document", "documents"},
    {"corpus", "records", "record", "records"},
    {"corpus", "words", "word", "words"},
    {"snapshot", "work", "work", "works"},
    {"snapshot", "object", "object", "objects"},
    {"snapshot", "page", "page", "pages"},
    {"index", "tokens", "token", "tokens"},
    {"index", "pointers", "pointer", "pointers"},
};

typedef struct line {
    cph_buf *b;
    const char *prefix;
    bool open; /* something stands on the line under way */
} line;

static cph_status piece(line *l, cph_err *err)
{
    CPH_TRY(cph_buf_z(l->b, l->open ? " · " : l->prefix, err));
    l->open = true;
    return CPH_OK;
}

static cph_status end(line *l, cph_err *err)
{
    if (!l->open) return CPH_OK;
    l->open = false;
    return cph_buf_char(l->b, '\n', err);
}

static cph_status images(line *l, const cph_show_node *n, cph_err *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i < cph_manifest_n_files(n->at.manifest); i++) {
        cph_manifest_file f = cph_manifest_file_at(n->at.manifest, i);
        if (cph_str_is(f.path, "rows.jsonl.zst") && f.bytes > IMAGES_MAX_BYTES) return CPH_OK;
    }
    CPH_TRY(cph_snapshot_images(&n->at, &total, err));
    CPH_TRY(piece(l, err));
    return cph_show_count(l->b, total, "page image", "page images", err);
}

static cph_status sizes(line *l, const cph_show_node *n, cph_err *err)
{
    const cph_json *identity = cph_manifest_identity(n->at.manifest);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        uint64_t v;
        if (!cph_str_is(n->kind, counts[i].kind) ||
            !cph_manifest_count(n->at.manifest, counts[i].count, &v))
            continue;
        if (v == 0 && strcmp(counts[i].count, "revoked") == 0) continue;
        CPH_TRY(piece(l, err));
        CPH_TRY(cph_show_count(l->b, v, counts[i].one, counts[i].many, err));
    }
    if (cph_str_is(n->kind, "snapshot")) CPH_TRY(images(l, n, err));
    cph_str arith = cph_json_get_str(identity, "arith"), seed = cph_json_get_str(identity, "seed");
    if (arith.n) {
        CPH_TRY(piece(l, err));
        CPH_TRY(cph_buf_str(l->b, arith, err));
    }
    if (seed.n) {
        CPH_TRY(piece(l, err));
        CPH_TRY(cph_buf_printf(l->b, err, "seed %.*s", CPH_FMT(seed)));
    }
    return end(l, err);
}

static cph_status commerce(cph_buf *b, const cph_json *v, cph_err *err)
{
    cph_str word = {"", 0};
    if (!cph_json_str(v, &word)) return CPH_OK;
    if (cph_str_is(word, "no")) return cph_buf_z(b, ", not commercial", err);
    if (cph_str_is(word, "yes")) return cph_buf_z(b, ", commercial", err);
    return cph_buf_printf(b, err, ", commercial: %.*s", CPH_FMT(word));
}

/* "for train-internal (staff, heritage, NO, not commercial), as of 2026-11-23" */
static cph_status policy(cph_buf *b, const cph_json *identity, cph_err *err)
{
    const cph_json *p = cph_json_get(identity, "policy");
    cph_str as_of = cph_json_get_str(identity, "as_of");
    if (p) {
        CPH_TRY(cph_buf_printf(b, err, "for %.*s (%.*s, %.*s, %.*s",
                               CPH_FMT(cph_json_get_str(p, "purpose")),
                               CPH_FMT(cph_json_get_str(p, "tier")), CPH_FMT(cph_json_get_str(p, "actor")),
                               CPH_FMT(cph_json_get_str(p, "forum"))));
        CPH_TRY(commerce(b, cph_json_get(p, "commercial"), err));
        CPH_TRY(cph_buf_char(b, ')', err));
    }
    if (as_of.n) CPH_TRY(cph_buf_printf(b, err, "%sas of %.*s", p ? ", " : "", CPH_FMT(as_of)));
    return CPH_OK;
}

/* Said where it differs from what was said of the child. */
static cph_status use(line *l, const cph_show_node *n, const cph_show_node *child, cph_err *err)
{
    cph_buf mine, theirs;
    cph_buf_init(&mine, 4096);
    cph_buf_init(&theirs, 4096);
    cph_status s = policy(&mine, cph_manifest_identity(n->at.manifest), err);
    if (s == CPH_OK && child && child->at.manifest)
        s = policy(&theirs, cph_manifest_identity(child->at.manifest), err);
    if (s == CPH_OK && mine.n && !cph_str_eq(cph_buf_view(&mine), cph_buf_view(&theirs))) {
        s = piece(l, err);
        if (s == CPH_OK) s = cph_buf_str(l->b, cph_buf_view(&mine), err);
        if (s == CPH_OK) s = end(l, err);
    }
    cph_buf_release(&mine);
    cph_buf_release(&theirs);
    return s;
}

static bool corpus_is_here(const cph_show_node *n)
{
    for (const cph_show_node *m = n->first; m; m = m->next)
        if (m->at.manifest && (cph_str_is(m->kind, "corpus") || corpus_is_here(m))) return true;
    return false;
}

static cph_answer answer_of(cph_str word)
{
    return cph_str_is(word, "ALLOW") ? CPH_ALLOW : cph_str_is(word, "HUMAN") ? CPH_HUMAN : CPH_DENY;
}

/* At the corpus, or at what inherited it where the corpus cannot be reached. */
static cph_status tally(const line *l, const cph_show_node *n, const cph_show_node *child, cph_err *err)
{
    const cph_json *rows = cph_json_get(cph_manifest_identity(n->at.manifest), "tally");
    bool heir = !child && !corpus_is_here(n);
    if (!cph_str_is(n->kind, "corpus") && !heir) return CPH_OK;
    for (const cph_json *r = rows ? rows->first : NULL; r; r = r->next) {
        uint64_t works = 0, documents = 0, words = 0;
        (void)cph_json_u64(cph_json_get(r, "works"), &works);
        (void)cph_json_u64(cph_json_get(r, "documents"), &documents);
        (void)cph_json_u64(cph_json_get(r, "words"), &words);
        static const char *const told[] = {"refused", "ask", "given"}; /* as a build tells it */
        cph_answer answer = answer_of(cph_json_get_str(r, "decision"));
        cph_str rule = cph_json_get_str(r, "rule");
        CPH_TRY(cph_buf_printf(l->b, err, "%s%-7s %-6.*s %6s %-5s %6s %-9s %9s %-5s  %s\n", l->prefix,
                               told[answer], CPH_FMT(rule), cph_figure_of(works).z,
                               works == 1 ? "work" : "works",
                               cph_figure_of(documents).z, documents == 1 ? "document" : "documents",
                               cph_figure_of(words).z, words == 1 ? "word" : "words",
                               cph_rule_sentence(rule, answer)));
    }
    return CPH_OK;
}

static bool below(const cph_show_node *n, const cph_digest *d)
{
    for (const cph_show_node *m = n->first; m; m = m->next)
        if (!m->again && (cph_digest_cmp(&m->digest, d) == 0 || below(m, d))) return true;
    return false;
}

/* "from corpus 5c1e... above": a parent that is drawn elsewhere, unless it hangs below another parent of this
 * artefact anyway. */
static cph_status from_above(line *l, const cph_show_node *n, cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    for (const cph_show_node *m = n->first; m; m = m->next) {
        if (!m->again || below(n, &m->digest)) continue;
        cph_digest_hex(&m->digest, hex);
        CPH_TRY(piece(l, err));
        CPH_TRY(cph_buf_printf(l->b, err, "from %.*s %.8s above", CPH_FMT(m->kind), hex));
    }
    return CPH_OK;
}

cph_status cph_show_facts(cph_buf *b, const cph_show_node *n, const cph_show_node *child,
                          const char *prefix, cph_err *err)
{
    line l = {b, prefix, false};
    CPH_TRY(sizes(&l, n, err));
    CPH_TRY(use(&l, n, child, err));
    CPH_TRY(tally(&l, n, child, err));
    CPH_TRY(from_above(&l, n, err));
    return end(&l, err);
}
