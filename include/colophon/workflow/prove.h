/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prove.h - is a work in this artefact, or is it not? With a proof that holds
 * without the artefact, to whoever has the root and the size.
 *
 * Absence holds only if the work stands in no tree of the artefact and of all that
 * it came from. What cannot be looked into makes the answer no: a base model without a
 * colophon (unknown-base), a parent that is not here (unreachable), a document of the
 * work that was dropped as a copy of another one, whose text is in (same-text-as).
 *
 * Invariant  A proof speaks of the manifest and not of the weights: it says whether the
 *            run was replayed. It speaks of one URN: it says that no content report goes
 *            with it, while none does (rights-and-provenance 12.4).
 * Threads    One call at a time.
 * Memory     Results live in the arena given; 216 bytes a leaf while it works.
 * Errors     The answer no is a result. CPH_NO: the artefact has no tree. CPH_DATA: its
 *            tree is not the one that was sealed, or a proof file is malformed.
 */
#ifndef CPH_WORKFLOW_PROVE_H
#define CPH_WORKFLOW_PROVE_H

#include <colophon/provenance/proof.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cph_prove_about { CPH_PROVE_WORK, CPH_PROVE_DOCUMENT, CPH_PROVE_ABSENT } cph_prove_about;

typedef struct cph_prove_ask {
    const char *path; /* the artefact */
    cph_prove_about about;
    cph_str name;               /* a work's URN, or a document's id */
    const char *const *parents; /* directories to look for parents in */
    size_t n_parents;
} cph_prove_ask;

typedef struct cph_prove_answer {
    bool holds;
    cph_str reason;  /* "" or "present", "absent", "unknown-base", "unreachable", "same-text-as ID", ... */
    cph_str explain; /* a few lines for people */
    cph_json *file;  /* the proof file (12.4) when it holds, else the answer with its reason */
} cph_prove_answer;

CPH_API cph_status cph_prove(const cph_prove_ask *ask, cph_arena *a, cph_prove_answer *out,
                             cph_err *err) CPH_MUST_USE;

/*
 * Checks a proof file alone, the proofs of its ancestors included. `root` (may be NULL) and `size` are what
 * the verifier knows from elsewhere; without them the proof's own are believed, and the answer says so.
 */
CPH_API cph_status cph_prove_check(const char *file, const cph_digest *root, uint64_t size, cph_arena *a,
                                   cph_prove_answer *out, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
