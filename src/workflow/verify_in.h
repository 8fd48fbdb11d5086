/* SPDX-License-Identifier: Apache-2.0 */
/* verify_in.h - the verifier under way: verify.c drives, roots.c recomputes. */
#ifndef CPH_VERIFY_IN_H
#define CPH_VERIFY_IN_H

#include <colophon/workflow/verify.h>

#include "workflow_in.h"

typedef struct cph_verify_link {
    struct cph_verify_link *next;
    cph_verify_row row;
} cph_verify_link;

typedef struct cph_verifier {
    cph_arena *a;
    const cph_verify_opts *o;
    cph_kin *kin;
    cph_verify_report report;
    cph_verify_link *first, **end;
    size_t n_rows;
    cph_kin_place *places; /* beside artefacts */
    cph_verify_artefact *artefacts;
    uint32_t n, cap, current;
} cph_verifier;

cph_status cph_verify_say(cph_verifier *v, cph_verdict_grade grade, const char *subject, cph_err *err,
                          const char *fmt, ...) CPH_MUST_USE CPH_PRINTF(5, 6);
/* A failed step: damage becomes a row, anything else is handed on. */
cph_status cph_verify_fault(cph_verifier *v, const char *subject, cph_status s, const cph_err *found,
                            cph_err *err) CPH_MUST_USE;

/* One more artefact to visit, unless it is there already. */
cph_status cph_verify_enqueue(cph_verifier *v, cph_kin_place at, cph_err *err) CPH_MUST_USE;
/* The collection at `path` becomes the first entry, and its newest snapshot the next. */
cph_status cph_verify_collection(cph_verifier *v, const char *path, cph_err *err) CPH_MUST_USE;
/* Recomputes the roots of an artefact whose files are as sealed. */
cph_status cph_verify_roots(cph_verifier *v, const cph_kin_place *at, cph_err *err) CPH_MUST_USE;
/* The place of an external parent that run.paths names, when the same files lie there. */
bool cph_verify_external(const cph_kin_place *at, const cph_parent *p, char path[CPH_PATH_MAX]);
/* Runs parts of the training of what was asked for again; findings become its rows. */
cph_status cph_verify_replay(cph_verifier *v, cph_err *err) CPH_MUST_USE;
/* What a child copied from its parent is what the parent has. */
cph_status cph_verify_against_parent(cph_verifier *v, const cph_kin_place *child, const cph_parent *role,
                                     const cph_kin_place *parent, cph_err *err) CPH_MUST_USE;

#endif
