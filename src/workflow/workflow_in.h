/* SPDX-License-Identifier: Apache-2.0 */
/* workflow_in.h - what the files of this room share. */
#ifndef CPH_WORKFLOW_IN_H
#define CPH_WORKFLOW_IN_H

#include <colophon/provenance/proof.h>
#include <colophon/workflow/kin.h>

#define CPH_LINE_MAX ((size_t)1 << 28) /* of a record, a side-car's line, a row */

/* ---- a corpus read once, record beside side-car (corpus_leaves.c) ---- */

/* One record as its two lines say; borrowed until the next. */
typedef struct cph_scan_record {
    cph_str id, text;
    cph_digest dkey, decision;
    const cph_json *prov; /* the side-car's line */
    cph_str shard;
    uint64_t line; /* in the shard, from 1 */
} cph_scan_record;
typedef cph_status (*cph_scan_fn)(void *ctx, const cph_scan_record *r, cph_err *err);

typedef struct cph_corpus_scan {
    cph_merkle records, prov;
    cph_set_tree *tree; /* finished; the caller closes it */
} cph_corpus_scan;
/*
 * Reads all shards in order. CPH_DATA where record and side-car disagree, with shard and line. `each` (may
 * be NULL) hears of every record.
 */
cph_status cph_corpus_scan_run(cph_corpus_scan *out, const cph_kin_place *corpus, cph_scan_fn each,
                               void *ctx, cph_err *err) CPH_MUST_USE;

/* Tree over the lines of a (compressed) file. */
cph_status cph_lines_root(cph_merkle *out, const char *path, cph_err *err) CPH_MUST_USE;

/*
 * The set tree that belongs to an artefact itself: a model's seen leaves, a token set's, a corpus's own.
 * CPH_NO: this kind has none, or its leaves are withheld from this copy. CPH_DATA: it is not the sealed one.
 */
cph_status cph_artefact_tree(cph_set_tree **out, const char **name, const cph_kin_place *at,
                             cph_err *err) CPH_MUST_USE;
/* "set" or "seen" where the kind has a tree; NULL where it has none. */
const char *cph_artefact_tree_name(cph_str kind);
/* File of its leaves; NULL where they are recomputed from the shards. */
const char *cph_artefact_tree_file(cph_str kind);
bool cph_artefact_has_file(const cph_kin_place *at, const char *name);

#endif
