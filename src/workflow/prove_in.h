/* SPDX-License-Identifier: Apache-2.0 */
/* prove_in.h - prove.c asks, prove_file.c writes and checks files, dropped.c reads drop logs. */
#ifndef CPH_PROVE_IN_H
#define CPH_PROVE_IN_H

#include <colophon/workflow/prove.h>

#include "workflow_in.h"

/* The file of a proof that holds: the first of `proofs`, the others as its ancestors. */
cph_status cph_prove_file(cph_prove_answer *out, cph_arena *a, const cph_prove_ask *ask,
                          const cph_kin_place *artefact, const cph_proof *proofs, size_t n,
                          cph_err *err) CPH_MUST_USE;
/* The file of an answer that is no; out->reason is set. */
cph_status cph_prove_refusal(cph_prove_answer *out, cph_arena *a, const cph_prove_ask *ask,
                             cph_err *err) CPH_MUST_USE;

/* A document of the work that the corpus dropped as a copy: *kept is the id whose text is in; empty: none. */
cph_status cph_dropped_copy_of(const cph_kin_place *corpus, cph_str urn, cph_arena *a, cph_str *kept,
                               cph_err *err) CPH_MUST_USE;

#endif
