/* SPDX-License-Identifier: Apache-2.0 */
/* set_tree.h - the set tree from inside: leaves and every level of nodes. */
#ifndef CPH_PROVENANCE_SET_TREE_H
#define CPH_PROVENANCE_SET_TREE_H

#include <colophon/provenance/proof.h>

struct cph_set_tree {
    cph_set_leaf *leaves;
    uint64_t n, cap;
    cph_digest *nodes; /* all levels, one after the other; NULL until finished */
    cph_digest *level[65];
    unsigned n_levels;
};

size_t cph_set_tree_path(const cph_set_tree *t, uint64_t index, cph_digest path[64]);

#endif
