/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_in.h - what the files of this room share: the list of what lies in an
 * artefact directory, the digests of a manifest, and strict reading of hex.
 */
#ifndef CPH_PROVENANCE_IN_H
#define CPH_PROVENANCE_IN_H

#include <colophon/provenance/manifest.h>

#define MANIFEST_MAX ((size_t)1 << 28) /* bytes of a colophon.json, whoever wrote it */
#define DIGEST_DOMAIN "colophon:artefact:v1"

/* One name below a directory that is no directory itself. */
typedef struct entry {
    cph_str path; /* relative, in the arena, followed by a NUL */
    uint64_t bytes;
    bool regular; /* false: a link, a socket, a device */
} entry;

typedef struct listing {
    entry *at; /* in byte order of path */
    size_t n;
} listing;

/* Everything below dir but what cph_is_beside names at the top. */
cph_status cph_listing_of(listing *out, const char *dir, cph_arena *a, cph_err *err);

/* {"bytes","path","private"?,"sha256"} in the arena. */
cph_status cph_file_entry(cph_json **out, cph_arena *a, const cph_manifest_file *f, cph_err *err);
/* SHA-256 of the canonical JSON of those of `files` that are no documents. */
cph_status cph_content_root(const cph_json *files, cph_digest *out, cph_err *err);
/* Of {identity, kind, v}, with its domain. */
cph_status cph_artefact_digest(const cph_json *identity, cph_str kind, cph_digest *out, cph_err *err);

/* 64 lower-case digits and nothing else. */
bool cph_strict_digest(const cph_json *v, cph_digest *out);

/* ---- trees in an arena ---- */
cph_status cph_member_hex(cph_json *object, cph_arena *a, const char *key, const cph_digest *d,
                          cph_err *err);
cph_status cph_member_u64(cph_json *object, cph_arena *a, const char *key, uint64_t v, cph_err *err);
cph_status cph_member_bool(cph_json *object, cph_arena *a, const char *key, bool v, cph_err *err);
/* A view of v that can be a member elsewhere: a tree's node knows one parent only. */
cph_status cph_alias(cph_json **out, cph_arena *a, const cph_json *v, cph_err *err);

#endif
