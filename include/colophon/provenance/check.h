/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h - the files of an artefact against its manifest.
 *
 * Every file has the size and the digest that were sealed; none is missing; none
 * stands there that was not sealed, but for what cph_is_beside names. Links and
 * special files are never sealed, so one that is found counts as damage.
 *
 * Invariant  Nothing is believed unread: a file of the right size is hashed, too.
 * Threads    Files are hashed by the pool; `damage` is called by the caller's thread.
 * Memory     One row a file.
 * Errors     Damage is a finding and no error. CPH_IO where the system refuses the directory.
 */
#ifndef CPH_PROVENANCE_CHECK_H
#define CPH_PROVENANCE_CHECK_H

#include <colophon/base/pool.h>
#include <colophon/provenance/manifest.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_files_report {
    uint64_t n_files, n_bytes; /* as sealed */
    uint64_t n_damaged;        /* changed, missing or extra */
    uint64_t n_absent;         /* private files that a published copy does without */
} cph_files_report;

/* Called in path order; `what` is a phrase: "is missing", "size differs (sealed 7 bytes, found 9)". */
typedef cph_status (*cph_damage_fn)(void *ctx, cph_str path, const char *what, cph_err *err);

/* `pool` NULL: the caller's thread alone. Private files may be absent where cph_manifest_is_published. */
CPH_API cph_status cph_files_check(const char *dir, const cph_manifest *m, cph_pool *pool,
                                   cph_damage_fn damage, void *ctx, cph_files_report *report,
                                   cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
