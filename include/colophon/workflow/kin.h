/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kin.h - finds the artefacts that an artefact names as its parents.
 *
 * A manifest names parents by digest, never by place. A kin looks where they may
 * lie: at run.paths, below the directories that the caller gives, and beside the
 * artefact itself; a collection's snapshots are found below it.
 *
 * Invariant  What is found has the digest that was asked for, whatever path led there.
 * Threads    One thread at a time.
 * Memory     One row an artefact seen; manifests are kept until closed.
 * Errors     CPH_NO: not reachable. Unreadable directories on the way are passed over.
 */
#ifndef CPH_WORKFLOW_KIN_H
#define CPH_WORKFLOW_KIN_H

#include <colophon/provenance/manifest.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_kin cph_kin;

/* A place with its manifest; both belong to the kin. */
typedef struct cph_kin_place {
    const char *path;
    const cph_manifest *manifest;
} cph_kin_place;

/* `dirs`: where to look beside what is known anyway; they outlive the kin. */
CPH_API cph_status cph_kin_open(cph_kin **out, const char *const *dirs, size_t n_dirs,
                                cph_err *err) CPH_MUST_USE;
CPH_API void cph_kin_close(cph_kin *k); /* NULL is fine */

/* Opens the artefact at `path`, with the errors of cph_manifest_open. */
CPH_API cph_status cph_kin_at(cph_kin *k, const char *path, cph_kin_place *out, cph_err *err) CPH_MUST_USE;
/* The same for what somebody named: CPH_USAGE with a hint where nothing is sealed. */
CPH_API cph_status cph_kin_wanted(cph_kin *k, const char *path, cph_kin_place *out,
                                  cph_err *err) CPH_MUST_USE;
/* The parent of `child`; CPH_NO when it is not reachable, or external. */
CPH_API cph_status cph_kin_parent(cph_kin *k, const cph_kin_place *child, const cph_parent *parent,
                                  cph_kin_place *out, cph_err *err) CPH_MUST_USE;
/* The collection that holds a snapshot found at `path` ("C/snapshots/<digest>"); false when it is none. */
CPH_API bool cph_kin_collection(const char *snapshot_path, char out[CPH_PATH_MAX]);

#ifdef __cplusplus
}
#endif
#endif
