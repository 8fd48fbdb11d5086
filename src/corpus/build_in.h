/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build_in.h - what the passes of one build share: build.c asks and makes,
 * corpus_write.c writes, corpus_seal.c says what it is.
 */
#ifndef CPH_BUILD_IN_H
#define CPH_BUILD_IN_H

#include <colophon/base/log.h>

#include "corpus_in.h"

typedef struct building {
    const cph_build_opts *o;
    cph_arena *a; /* the caller's: the report, identity */
    cph_build_report r;
    cph_outdir dir;
    char work[CPH_PATH_MAX];
    cph_snapshot *snapshot;
    cph_gate *gate;
    cph_lexicon *lexicon;
    cph_digest lexicon_digest;
    cph_copies *copies;
    cph_spool plan, spool; /* permitted objects; finished documents */
    uint64_t n_documents;  /* in the spool */
    cph_task *tasks;
    cph_buf scratch;
    cph_stats stats;
    cph_progress progress;
    /* what was written */
    cph_merkle records, provs, dropped, set;
    char options[CPH_HEX_DIGEST];
    cph_json *identity;
} building;

cph_status cph_build_tasks(const building *b, size_t n, cph_task_fn fn, void *arg, cph_err *err) CPH_MUST_USE;
/* The options, versions and policy of identity, and the digest by which side-cars name them. */
cph_status cph_build_identity(building *b, cph_err *err) CPH_MUST_USE;
cph_status cph_build_write(building *b, cph_err *err) CPH_MUST_USE;
cph_status cph_build_seal(building *b, cph_err *err) CPH_MUST_USE;

#endif
