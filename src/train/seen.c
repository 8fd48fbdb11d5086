/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen.c - which works a run has read: the leaves of the model's own set tree.
 *
 * Counters stand at the table row of a document's first part. A leaf of the token set
 * becomes a leaf of the model when its document was fed; what was never fed, or is held
 * out, has none.
 */
#include "train_in.h"

#include <colophon/base/memory.h>

#include <stdlib.h>
#include <string.h>

uint64_t cph_seen_first_row(const cph_tokens *t, uint64_t row)
{
    cph_token_doc d = cph_tokens_doc(t, row);
    while (row > 0 && d.part > 1) {
        cph_token_doc before = cph_tokens_doc(t, row - 1);
        if (cph_digest_cmp(&before.dkey, &d.dkey) != 0) break;
        row--;
    }
    return row;
}

void cph_seen_add(cph_trainer *t, const cph_piece *piece)
{
    cph_seen *s = &t->seen[cph_seen_first_row(t->tokens, piece->doc)];
    uint32_t step = t->at.step + 1; /* the step under way */
    if (!s->tokens) s->first_step = step;
    s->tokens += piece->n_tokens;
    s->last_step = step;
    t->at.tokens += piece->n_tokens;
}

/* ---- counters to leaves ---- */

typedef struct fed {
    cph_digest dkey;
    cph_seen seen;
} fed;

static int by_dkey(const void *a, const void *b)
{
    return cph_digest_cmp(&((const fed *)a)->dkey, &((const fed *)b)->dkey);
}

static cph_status collect(fed **out, size_t *n_out, const cph_tokens *tokens, const cph_seen *seen,
                          cph_err *err)
{
    uint64_t n_docs = cph_tokens_n_docs(tokens);
    size_t n = 0;
    void *p;
    for (uint64_t i = 0; i < n_docs; i++) n += seen[i].tokens > 0;
    CPH_TRY(cph_alloc_n(&p, n, sizeof(fed), err));
    fed *f = p;
    n = 0;
    for (uint64_t i = 0; i < n_docs; i++)
        if (seen[i].tokens) f[n++] = (fed){.dkey = cph_tokens_doc(tokens, i).dkey, .seen = seen[i]};
    qsort(f, n, sizeof *f, by_dkey);
    *out = f;
    *n_out = n;
    return CPH_OK;
}

static cph_status fill(cph_set_tree *tree, const cph_set_tree *leaves, const fed *f, size_t n, cph_err *err)
{
    for (uint64_t i = 0; i < cph_set_tree_n(leaves); i++) {
        cph_set_leaf l = *cph_set_tree_at(leaves, i);
        const fed key = {.dkey = l.dkey};
        const fed *hit = bsearch(&key, f, n, sizeof *f, by_dkey);
        if (!hit) continue;
        l.tokens = hit->seen.tokens;
        l.first_step = hit->seen.first_step;
        l.last_step = hit->seen.last_step;
        CPH_TRY(cph_set_tree_add(tree, &l, err));
    }
    return cph_set_tree_finish(tree, err);
}

cph_status cph_seen_tree(cph_set_tree **out, const cph_set_tree *leaves, const cph_tokens *tokens,
                         const cph_seen *seen, cph_err *err)
{
    cph_set_tree *tree;
    fed *f = NULL;
    size_t n = 0;
    CPH_TRY(cph_set_tree_new(&tree, err));
    cph_status s = collect(&f, &n, tokens, seen, err);
    if (s == CPH_OK) s = fill(tree, leaves, f, n, err);
    cph_free(f);
    if (s == CPH_OK) *out = tree;
    else cph_set_tree_close(tree);
    return s;
}

/* ---- leaves to counters ---- */

static const cph_set_leaf *leaf_of(const cph_set_tree *tree, const cph_token_doc *d)
{
    for (uint64_t i = cph_set_tree_lower(tree, &d->wkey); i < cph_set_tree_n(tree); i++) {
        const cph_set_leaf *l = cph_set_tree_at(tree, i);
        if (cph_digest_cmp(&l->wkey, &d->wkey) != 0) return NULL;
        if (cph_digest_cmp(&l->dkey, &d->dkey) == 0) return l;
    }
    return NULL;
}

cph_status cph_seen_load(cph_trainer *t, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_set_tree *tree;
    uint64_t n = cph_tokens_n_docs(t->tokens);
    CPH_TRY(cph_path_join(path, dir, CPH_SEEN_LEAVES, err));
    CPH_TRY(cph_set_tree_read(&tree, path, err));
    memset(t->seen, 0, n * sizeof *t->seen);
    for (uint64_t i = 0; i < n; i++) {
        cph_token_doc d = cph_tokens_doc(t->tokens, i);
        const cph_set_leaf *l = cph_seen_first_row(t->tokens, i) == i ? leaf_of(tree, &d) : NULL;
        if (l) t->seen[i] = (cph_seen){l->tokens, (uint32_t)l->first_step, (uint32_t)l->last_step};
    }
    cph_set_tree_close(tree);
    return CPH_OK;
}
