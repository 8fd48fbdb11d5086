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
 * Errors     CPH_DATA names the file and the key; CPH_IO; CPH_NO: a directory without a manifest.
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
    const char *kind;   /* snapshot corpus tokenizer tokens model index rulebase */
    cph_json *identity; /* object; cph_seal_write adds roots.content_root when asked */
    cph_json *run;      /* object */
    bool content_root;  /* compute roots.content_root over the files */
    /* Names that count neither for content_root nor as content; a NULL ends; may be NULL. The names that
     * cph_is_document knows are outside anyway, and a name that it does not know is refused: verify must
     * come to the same root without the caller's list. */
    const char *const *outside_content;
    const char *const *private_files; /* a NULL ends; may be NULL */
} cph_seal;

/*
 * Hashes every regular file below `dir` (not yet renamed), writes dir/colophon.json.
 * *digest receives the artefact's name. The caller commits the directory.
 * CPH_DATA when a link or a special file lies there, or a name is not valid UTF-8.
 */
CPH_API cph_status cph_seal_write(const char *dir, cph_arena *a, const cph_seal *what, cph_digest *digest,
                                  cph_err *err) CPH_MUST_USE;

/* content_root recomputed from the manifest's own file entries. */
CPH_API cph_status cph_manifest_content_root(const cph_manifest *m, cph_digest *out,
                                             cph_err *err) CPH_MUST_USE;
/* True for a path that stands outside content_root in every kind: README.md, report.html, the state of a
 * checkpoint, seen.leaves.zst ... The whole list is in src/provenance/listing.c. */
CPH_API bool cph_is_document(cph_str path);
/* True for what verify neither asks for nor minds at the top: .git and its kin (rights-and-provenance
 * 14.3), colophon.json itself, signatures, takedown.json. */
CPH_API bool cph_is_beside(cph_str path);

/* `path`: an artefact directory (or its colophon.json). Checks form, `digest` and `self`. */
CPH_API cph_status cph_manifest_open(cph_manifest **out, const char *path, cph_err *err) CPH_MUST_USE;
/*
 * The same for what somebody named as a "corpus", "tokens", "tokenizer", "index", "model", or NULL for any
 * artefact. CPH_USAGE says what stands there instead; the hint says which command makes what is wanted.
 */
CPH_API cph_status cph_manifest_want(cph_manifest **out, const char *path, const char *kind,
                                     cph_err *err) CPH_MUST_USE;
CPH_API void cph_manifest_close(cph_manifest *m);
CPH_API cph_str cph_manifest_kind(const cph_manifest *m);
CPH_API cph_digest cph_manifest_digest(const cph_manifest *m);
CPH_API const cph_json *cph_manifest_identity(const cph_manifest *m);
CPH_API const cph_json *cph_manifest_run(const cph_manifest *m);
CPH_API size_t cph_manifest_n_files(const cph_manifest *m);
CPH_API cph_manifest_file cph_manifest_file_at(const cph_manifest *m, size_t i);
/* identity.roots.<name> as a digest; false when absent. */
CPH_API bool cph_manifest_root(const cph_manifest *m, const char *name, cph_digest *out);
/* identity.counts.<name>; false when absent. */
CPH_API bool cph_manifest_count(const cph_manifest *m, const char *name, uint64_t *out);
/* A published copy: `run` holds nothing but `toolkit`, and private files may be absent. */
CPH_API bool cph_manifest_is_published(const cph_manifest *m);

typedef struct cph_parent {
    cph_str role, kind; /* kind "external": a directory without a colophon */
    cph_digest digest;
} cph_parent;
CPH_API size_t cph_manifest_n_parents(const cph_manifest *m);
CPH_API cph_parent cph_manifest_parent_at(const cph_manifest *m, size_t i);

/* "colophon:<kind>:<first 16 hex of digest>" (artefacts 7), in out[64]. */
CPH_API void cph_artefact_cite(cph_str kind, const cph_digest *digest, char out[64]);
/* content_root over every regular file of a directory that has no colophon: what names an external parent. */
CPH_API cph_status cph_content_root_of(const char *dir, cph_digest *out, cph_err *err) CPH_MUST_USE;

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

/* A tree's root and its number of leaves: roots.<tree>_root and counts.<tree>_size ("set", "seen",
 * "records", "prov", "dropped", "order"): a root does not bind the size, so both are sealed. */
CPH_API cph_status cph_identity_tree(cph_json *identity, cph_arena *a, const char *tree,
                                     const cph_digest *root, uint64_t n_leaves, cph_err *err) CPH_MUST_USE;
/* A further string of identity: as_of ("2026-11-23"), seed ("42"), arith ("fp32"). */
CPH_API cph_status cph_identity_text(cph_json *identity, cph_arena *a, const char *key, cph_str value,
                                     cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_identity_slots(cph_json *identity, cph_arena *a, uint64_t slots,
                                      cph_err *err) CPH_MUST_USE;

/* One row of the tally; rows are kept sorted by rule, then decision, and equal ones are added up. */
typedef struct cph_tally_row {
    cph_str rule;     /* "RR-163" */
    cph_str decision; /* "ALLOW", "DENY", "HUMAN" */
    uint64_t works, documents, words;
} cph_tally_row;
CPH_API cph_status cph_identity_tally(cph_json *identity, cph_arena *a, const cph_tally_row *row,
                                      cph_err *err) CPH_MUST_USE;
/* (The policy is set as a member: cph_json_set(identity, a, "policy", cph_policy_json's object, err).) */
/* The same tally, policy or as_of as a parent's, copied: of tokens and models their corpus's unless given. */
CPH_API cph_status cph_identity_inherit(cph_json *identity, cph_arena *a, const cph_manifest *parent,
                                        const char *key, cph_err *err) CPH_MUST_USE;

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
CPH_API cph_status cph_run_new(cph_json **out, cph_arena *a, int64_t started_unix_s,
                               cph_err *err) CPH_MUST_USE;
/* Where a parent lay: run.paths.<role>. Views look there first. */
CPH_API cph_status cph_run_path(cph_json *run, cph_arena *a, const char *role, cph_str path,
                                cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
