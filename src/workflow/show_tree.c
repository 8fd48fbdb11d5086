/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show_tree.c - the tree from weights to page images, drawn for people and written
 * for programs. An artefact that stands in several places is drawn where it comes
 * first; token sets come before the corpus, so that the drawing follows the stream.
 */
#include <stdio.h>
#include <string.h>

#include "show_in.h"

#define MAX_DEPTH 24

/* ---- building ---- */

typedef struct builder {
    cph_arena *a;
    cph_kin *kin;
    const cph_show_node *drawn[1024];
    size_t n;
} builder;

static int rank(cph_str role, cph_str kind)
{
    static const char *const kinds[] = {"model", "external", "tokens", "corpus", "tokenizer", "snapshot"};
    (void)role;
    for (int i = 0; i < 6; i++)
        if (cph_str_is(kind, kinds[i])) return i;
    return 6;
}

static cph_status node_of(cph_show_node **out, builder *x, cph_str role, cph_str kind, const cph_digest *d,
                          cph_kin_place at, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc0(x->a, &mem, 1, sizeof(cph_show_node), err));
    cph_show_node *n = mem;
    *n = (cph_show_node){.role = role, .kind = kind, .digest = *d, .at = at};
    *out = n;
    return CPH_OK;
}

static bool is_drawn(const builder *x, const cph_digest *d)
{
    for (size_t i = 0; i < x->n; i++)
        if (cph_digest_cmp(&x->drawn[i]->digest, d) == 0) return true;
    return false;
}

static cph_status add_parents(builder *x, cph_show_node *n, unsigned depth, cph_err *err)
{
    x->drawn[x->n++] = n;
    if (!n->at.manifest || depth == MAX_DEPTH) return CPH_OK;
    for (size_t i = 0; i < cph_manifest_n_parents(n->at.manifest); i++) {
        cph_parent p = cph_manifest_parent_at(n->at.manifest, i);
        cph_kin_place at = {NULL, NULL};
        cph_show_node *m;
        cph_status s = cph_kin_parent(x->kin, &n->at, &p, &at, err);
        if (s != CPH_OK && s != CPH_NO) return s;
        CPH_TRY(node_of(&m, x, p.role, p.kind, &p.digest, at, err));
        cph_show_node **to = &n->first;
        while (*to && rank((*to)->role, (*to)->kind) <= rank(m->role, m->kind)) to = &(*to)->next;
        m->next = *to;
        *to = m;
    }
    for (cph_show_node *m = n->first; m; m = m->next) {
        m->again = is_drawn(x, &m->digest);
        if (!m->again && x->n < sizeof x->drawn / sizeof *x->drawn)
            CPH_TRY(add_parents(x, m, depth + 1, err));
    }
    return CPH_OK;
}

cph_status cph_show_tree(cph_show_node **out, cph_arena *a, cph_kin *kin, const cph_kin_place *at,
                         cph_err *err)
{
    void *mem;
    cph_show_node *root;
    cph_digest d = cph_manifest_digest(at->manifest);
    CPH_TRY(cph_arena_alloc0(a, &mem, 1, sizeof(builder), err));
    builder *x = mem;
    x->a = a;
    x->kin = kin;
    CPH_TRY(node_of(&root, x, CPH_STR(""), cph_manifest_kind(at->manifest), &d, *at, err));
    CPH_TRY(add_parents(x, root, 0, err));
    *out = root;
    return CPH_OK;
}

/* ---- text ---- */

static cph_status head(cph_buf *b, const cph_show_node *n, cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    bool base = cph_str_is(n->role, "base") || cph_str_is(n->role, "resume");
    cph_digest_hex(&n->digest, hex);
    CPH_TRY(cph_buf_printf(b, err, "%-10.*s %.16s  ", CPH_FMT(base ? n->role : n->kind), hex));
    if (cph_str_is(n->kind, "external")) return cph_buf_z(b, "external, colophon: null\n", err);
    if (!n->at.manifest) return cph_buf_z(b, "not reachable\n", err);
    char collection[CPH_PATH_MAX]; /* a snapshot's own name is its digest once more */
    bool inside = cph_str_is(n->kind, "snapshot") && cph_kin_collection(n->at.path, collection);
    return cph_buf_printf(b, err, "%s\n", inside ? collection : n->at.path);
}

static cph_status draw(cph_buf *b, const cph_show_node *n, const cph_show_node *child, const char *prefix,
                       cph_err *err)
{
    char lines[8 * MAX_DEPTH], next[8 * MAX_DEPTH];
    const cph_show_node *last = NULL;
    for (const cph_show_node *m = n->first; m; m = m->next)
        if (!m->again) last = m;
    CPH_TRY(head(b, n, err));
    if (n->at.manifest) {
        snprintf(lines, sizeof lines, "%s%s", prefix, last ? "│          " : "           ");
        CPH_TRY(cph_show_facts(b, n, child, lines, err));
    }
    for (const cph_show_node *m = last ? n->first : NULL; m; m = m->next) {
        if (m->again) continue;
        CPH_TRY(cph_buf_printf(b, err, "%s%s", prefix, m == last ? "└─ " : "├─ "));
        snprintf(next, sizeof next, "%s%s", prefix, m == last ? "   " : "│  ");
        CPH_TRY(draw(b, m, n, next, err));
    }
    return CPH_OK;
}

cph_status cph_show_tree_text(cph_buf *b, const cph_show_node *root, cph_err *err)
{
    char cite[64];
    cph_artefact_cite(root->kind, &root->digest, cite);
    CPH_TRY(draw(b, root, NULL, "", err));
    return cph_buf_printf(b, err, "\ncite as  %s\ncheck    colophon verify %s\n", cite, root->at.path);
}

/* ---- JSON ---- */

static cph_status json_sealed(cph_jw *w, const cph_show_node *n, cph_err *err)
{
    const cph_manifest *m = n->at.manifest;
    cph_buf identity;
    uint64_t bytes = 0, images = 0;
    cph_jw_key(w, "path");
    cph_jw_z(w, n->at.path);
    for (size_t i = 0; i < cph_manifest_n_files(m); i++) bytes += cph_manifest_file_at(m, i).bytes;
    cph_jw_key(w, "files");
    cph_jw_u64(w, cph_manifest_n_files(m));
    cph_jw_key(w, "bytes");
    cph_jw_u64(w, bytes);
    cph_jw_key(w, "toolkit");
    cph_jw_str(w, cph_json_get_str(cph_manifest_run(m), "toolkit"));
    if (cph_str_is(n->kind, "snapshot")) {
        CPH_TRY(cph_snapshot_images(&n->at, &images, err));
        cph_jw_key(w, "page_images");
        cph_jw_u64(w, images);
    }
    cph_buf_init(&identity, (size_t)1 << 28);
    cph_status s = cph_json_write(&identity, cph_manifest_identity(m), 0, err);
    if (s == CPH_OK) {
        cph_jw_key(w, "identity");
        cph_jw_raw(w, cph_buf_view(&identity));
    }
    cph_buf_release(&identity);
    return s;
}

static cph_status json_node(cph_jw *w, const cph_show_node *n, cph_err *err)
{
    char hex[CPH_HEX_DIGEST], cite[64];
    bool external = cph_str_is(n->kind, "external");
    cph_digest_hex(&n->digest, hex);
    cph_artefact_cite(n->kind, &n->digest, cite);
    cph_jw_obj(w);
    if (n->role.n) {
        cph_jw_key(w, "role");
        cph_jw_str(w, n->role);
    }
    cph_jw_key(w, "kind");
    cph_jw_str(w, n->kind);
    cph_jw_key(w, "digest");
    cph_jw_z(w, hex);
    cph_jw_key(w, "cite");
    cph_jw_z(w, cite);
    if (external) {
        cph_jw_key(w, "colophon");
        cph_jw_null(w);
    } else if (!n->again) {
        cph_jw_key(w, "reachable");
        cph_jw_bool(w, n->at.manifest != NULL);
    } else {
        cph_jw_key(w, "above");
        cph_jw_bool(w, true);
    }
    if (n->at.manifest && !n->again) {
        CPH_TRY(json_sealed(w, n, err));
        cph_jw_key(w, "parents");
        cph_jw_arr(w);
        for (const cph_show_node *m = n->first; m; m = m->next) CPH_TRY(json_node(w, m, err));
        cph_jw_end(w);
    }
    cph_jw_end(w);
    return CPH_OK;
}

cph_status cph_show_tree_json(cph_buf *b, const cph_show_node *root, cph_err *err)
{
    cph_jw w = cph_jw_on(b);
    CPH_TRY(json_node(&w, root, err));
    CPH_TRY(cph_jw_done(&w, err));
    return cph_buf_char(b, '\n', err);
}
