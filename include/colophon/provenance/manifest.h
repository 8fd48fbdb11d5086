/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.h - colophon.json: what an artefact is, and how this copy came about.
 *
 * One schema for every sealed thing (specs artefacts 1): `identity` has a digest
 * that is the same on every machine, thread and rank count; `run` never enters it.
 *
 * Invariant  The file is exactly canonical JSON plus LF; `digest` and `self` hold.
 * Threads    A cph_manifest is immutable once opened and may be shared.
 * Memory     An opened manifest owns its text and tree until closed.
 * Errors     CPH_DATA names the file and the key; CPH_IO; CPH_NO: no manifest there.
 */
#ifndef CPH_PROVENANCE_MANIFEST_H
#define CPH_PROVENANCE_MANIFEST_H

#include <colophon/base/file.h>
#include <colophon/base/json.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_MANIFEST_NAME "colophon.json"

typedef struct cph_manifest cph_manifest;

typedef struct cph_manifest_file {
    cph_str path; /* relative */
    uint64_t bytes;
    cph_digest sha256;
    bool is_private;
} cph_manifest_file;

/* What a caller brings to a seal. Trees live in the caller's arena. */
typedef struct cph_seal {
    const char *kind; /* snapshot corpus tokenizer tokens model index rulebase */
    cph_json *identity; /* object; cph_seal_write adds roots.content_root when asked */
    cph_json *run;      /* object */
    bool content_root;  /* compute roots.content_root over the files */
    /* Names that count neither for content_root nor as content (README.md, report.html,
     * optimizer.safetensors, trainer_state.json, segment.json, seen.leaves.zst ...); a NULL ends. */
    const char *const *outside_content;
    const char *const *private_files; /* a NULL ends; may be NULL */
} cph_seal;

/*
 * Hashes every regular file below `dir` (not yet renamed), writes dir/colophon.json.
 * *digest receives the artefact's name. The caller commits the directory.
 */
CPH_API cph_status cph_seal_write(const char *dir, cph_arena *a, const cph_seal *what, cph_digest *digest,
                                  cph_err *err) CPH_MUST_USE;

/* `path`: an artefact directory (or its colophon.json). Checks form, `digest` and `self`. */
CPH_API cph_status cph_manifest_open(cph_manifest **out, const char *path, cph_err *err) CPH_MUST_USE;
CPH_API void cph_manifest_close(cph_manifest *m);
CPH_API cph_str cph_manifest_kind(const cph_manifest *m);
CPH_API cph_digest cph_manifest_digest(const cph_manifest *m);
CPH_API const cph_json *cph_manifest_identity(const cph_manifest *m);
CPH_API const cph_json *cph_manifest_run(const cph_manifest *m);
CPH_API size_t cph_manifest_n_files(const cph_manifest *m);
CPH_API cph_manifest_file cph_manifest_file_at(const cph_manifest *m, size_t i);
/* identity.roots.<name> as a digest; false when absent. */
CPH_API bool cph_manifest_root(const cph_manifest *m, const char *name, cph_digest *out);

/* ---- building identity and run ---- */

/* Starts an identity object with empty parents, options, versions, roots, counts, tally. */
CPH_API cph_status cph_identity_new(cph_json **out, cph_arena *a, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_identity_parent(cph_json *identity, cph_arena *a, const char *role, const char *kind,
                                       const cph_digest *digest, cph_err *err) CPH_MUST_USE;
/* Every resolved option that can change the content, as a string. */
CPH_API cph_status cph_identity_option(cph_json *identity, cph_arena *a, const char *name, cph_str value,
                                       cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_identity_version(cph_json *identity, cph_arena *a, const char *name, cph_str value,
                                        cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_identity_root(cph_json *identity, cph_arena *a, const char *name,
                                     const cph_digest *root, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_identity_count(cph_json *identity, cph_arena *a, const char *name, uint64_t n,
                                      cph_err *err) CPH_MUST_USE;

/* What the process tells about itself for `run`: command line, host, ISA, threads. Set once by the
 * program; a library user who sets nothing gets an empty command. */
typedef struct cph_run_facts {
    int argc;
    char **argv;
    const char *isa; /* the instruction set in use, e.g. "avx512" */
    unsigned threads, ranks;
} cph_run_facts;
CPH_API void cph_run_set(const cph_run_facts *facts);
/* {command, started, ended, host, isa, threads, ranks, toolkit, paths: {}} with the present time. */
CPH_API cph_status cph_run_new(cph_json **out, cph_arena *a, int64_t started_unix_s, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
