/* SPDX-License-Identifier: Apache-2.0 */
/* show_in.h - show.c chooses, show_tree.c draws, show_work.c walks, show_collection.c lists. */
#ifndef CPH_SHOW_IN_H
#define CPH_SHOW_IN_H

#include <colophon/workflow/show.h>

#include "workflow_in.h"

/* One artefact of the tree; each is drawn in full once. */
typedef struct cph_show_node {
    struct cph_show_node *first, *next; /* parents; then the next parent of the same child */
    cph_str role, kind;
    cph_digest digest;
    cph_kin_place at; /* manifest NULL: external, or not reachable */
    bool again;       /* drawn in full elsewhere in the tree */
} cph_show_node;

cph_status cph_show_tree(cph_show_node **out, cph_arena *a, cph_kin *kin, const cph_kin_place *at,
                         cph_err *err) CPH_MUST_USE;
cph_status cph_show_tree_text(cph_buf *b, const cph_show_node *root, cph_err *err) CPH_MUST_USE;
cph_status cph_show_tree_json(cph_buf *b, const cph_show_node *root, cph_err *err) CPH_MUST_USE;
/* The facts of one artefact as lines for people, each after `prefix`. */
cph_status cph_show_facts(cph_buf *b, const cph_show_node *n, const cph_show_node *child,
                          const char *prefix, cph_err *err) CPH_MUST_USE;

cph_status cph_show_work(cph_buf *b, const cph_show_ask *ask, cph_arena *a, cph_kin *kin,
                         const cph_show_node *root, cph_err *err) CPH_MUST_USE;
cph_status cph_show_collection(cph_buf *b, const cph_show_ask *ask, cph_err *err) CPH_MUST_USE;

/* "1 050 240" */
typedef struct cph_figure {
    char z[32];
} cph_figure;
cph_figure cph_figure_of(uint64_t n);
/* "3 works", "1 work" */
cph_status cph_show_count(cph_buf *b, uint64_t n, const char *one, const char *many,
                          cph_err *err) CPH_MUST_USE;

/* Rows of a snapshot, in order; stops at the first status that is not CPH_OK. */
typedef cph_status (*cph_row_fn)(void *ctx, cph_str table, cph_str row, cph_err *err);
cph_status cph_snapshot_rows(const cph_kin_place *at, cph_row_fn each, void *ctx,
                             cph_err *err) CPH_MUST_USE;
/* Pages whose image is known. */
cph_status cph_snapshot_images(const cph_kin_place *at, uint64_t *n, cph_err *err) CPH_MUST_USE;

#endif
