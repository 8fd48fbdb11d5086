/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.h - recomputes an artefact: manifest, files, roots, digest, parents.
 *
 * Any changed bit, missing file and extra file of the artefact is found and named,
 * without a key (artefacts 1). Roots are recomputed from the content itself, so that
 * a manifest that was forged together with its files is found where a parent or a
 * proof disagrees.
 *
 * Roots and proofs bind a list of works to a manifest. What binds it to a model's weights
 * is a replay of parts of its training, which is done when asked for.
 *
 * Invariant  Nothing is written, and nothing counts as checked that was not read.
 * Threads    Inside it uses the pool; one call at a time on it.
 * Memory     216 bytes a leaf of the largest set tree, one frame, one row a finding.
 * Errors     Damage is a finding: CPH_OK with n_damaged > 0. CPH_IO: no such artefact. A replay's
 *            refusals as in train/replay.h; CPH_USAGE: its token set is not here.
 */
#ifndef CPH_WORKFLOW_VERIFY_H
#define CPH_WORKFLOW_VERIFY_H

#include <colophon/base/pool.h>
#include <colophon/provenance/manifest.h>
#include <colophon/train/replay.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cph_verdict_grade {
    CPH_VERIFIED, /* recomputed and equal */
    CPH_DAMAGED,  /* differs, is missing, or is too much */
    CPH_ABSENT,   /* cannot be checked here: not reachable, or withheld from a published copy */
} cph_verdict_grade;

typedef struct cph_verify_row {
    cph_verdict_grade grade;
    uint32_t artefact; /* index into artefacts */
    cph_str subject;   /* a file, "set_root", "manifest", "parent corpus" */
    cph_str what;      /* "digest differs (sealed 9f2c..., found 41aa...)", "24 leaves" */
} cph_verify_row;

typedef struct cph_verify_artefact {
    cph_str path, kind; /* kind "": its manifest cannot be read; "collection": a catalogue */
    cph_digest digest;  /* all zero: it has none */
    uint32_t n_damaged; /* findings of grade CPH_DAMAGED */
} cph_verify_artefact;

typedef struct cph_verify_report {
    cph_verify_artefact *artefacts; /* what was asked for first, then its parents, each once */
    uint32_t n_artefacts;
    cph_verify_row *rows; /* by artefact, in the order of checking */
    size_t n_rows;
    uint64_t n_files, n_bytes, n_damaged, n_absent;
    const cph_replay_report *replay; /* NULL: not asked for, or what was asked for is damaged */
} cph_verify_report;

typedef struct cph_verify_opts {
    const char *const *parents; /* directories to look for parents in */
    size_t n_parents;
    bool alone;     /* the artefact without its parents */
    uint32_t replay;      /* segments of the model's training to run again; 0: none */
    uint64_t replay_seed; /* draws them */
    const char *run;      /* the run's directory; NULL: where the model stands, with .run */
    const char *tokens;   /* the token set; NULL: found by its digest like every parent */
    cph_pool *pool; /* NULL: the caller's thread alone */
} cph_verify_opts;

/*
 * `path`: an artefact, or a collection: then its source files are read against the newest snapshot, and that
 * snapshot is verified. The report lives in `a`.
 */
CPH_API cph_status cph_verify(const char *path, const cph_verify_opts *o, cph_arena *a,
                              cph_verify_report *report, cph_err *err) CPH_MUST_USE;
/* For people: a paragraph an artefact. `all` false: of damaged files only the first is named. */
CPH_API cph_status cph_verify_text(cph_buf *b, const cph_verify_report *r, bool all,
                                   cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_verify_json(cph_buf *b, const cph_verify_report *r, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
