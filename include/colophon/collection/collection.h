/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collection.h - the catalogue: objects, pages, works and their facts, problems,
 * events (SQLite in WAL mode), beside a store of source files by SHA-256.
 *
 * Ingest puts objects in, rights puts facts in, a snapshot freezes what stands.
 * Keys are texts derived from content: the order of arrival leaves no trace.
 *
 * Invariant  An object is in whole or not at all (one transaction).
 * Threads    A handle serialises its calls with a lock; many threads may share it.
 * Memory     Bounded per call; iterators hold one row.
 * Errors     CPH_IO (no collection there, a full disk) and CPH_DATA name the collection; CPH_NO: a work, page
 *            or snapshot that is not there.
 */
#ifndef CPH_COLLECTION_COLLECTION_H
#define CPH_COLLECTION_COLLECTION_H

#include <colophon/base/file.h>
#include <colophon/base/json.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_collection cph_collection;

typedef enum cph_open_mode { CPH_OPEN_READ, CPH_OPEN_WRITE, CPH_OPEN_CREATE } cph_open_mode;
/* WRITE and CREATE take the collection's lock: a second writer waits, and the log says who holds it. */
CPH_API cph_status cph_collection_open(cph_collection **out, const char *path, cph_open_mode mode,
                                       cph_err *err) CPH_MUST_USE;
CPH_API void cph_collection_close(cph_collection *c);
CPH_API const char *cph_collection_path(const cph_collection *c);
/* A collection marked as a sample accepts the `sample` rule base (RR-009). Set once, never unset. */
CPH_API bool cph_collection_is_sample(cph_collection *c);
CPH_API cph_status cph_collection_mark_sample(cph_collection *c, cph_err *err) CPH_MUST_USE;

/* Who acts from now on, for the event log: kept there as a salted hash only. */
CPH_API void cph_collection_set_actor(cph_collection *c, const char *name);
/* Several additions as one: all of them stand after commit, none after rollback (or a crash). Nests.
 * The handle belongs to the calling thread until then. A failed commit has rolled back. */
CPH_API cph_status cph_collection_begin(cph_collection *c, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_collection_commit(cph_collection *c, cph_err *err) CPH_MUST_USE;
CPH_API void cph_collection_rollback(cph_collection *c);

/* ---- what ingest puts in ---- */

typedef struct cph_source_file {
    cph_str path;      /* relative to the object's directory */
    const char *from;  /* where its bytes lie now: copied into content/ unless by reference */
    cph_digest sha256;
    uint64_t bytes;
    cph_str checksum_state; /* "good", "stale", "none" against the METS */
    cph_str role;      /* "mets", "text", "image", "metadata" */
    bool by_reference; /* --no-copy */
} cph_source_file;

typedef struct cph_page_record {
    uint32_t order;        /* from 1 */
    cph_str label;         /* printed number; may be empty */
    cph_digest text_file;  /* sha256 of the source; all zero when the page has no text file */
    cph_digest image_file; /* all zero when not known */
    uint32_t width, height; /* in the file's unit; 0 unknown */
    cph_str lines_json;    /* cph_page_encode's bytes; empty: no text, see problems */
} cph_page_record;

typedef struct cph_problem {
    cph_str file;    /* path in the object, or of the source */
    cph_str place;   /* "line 12", "byte 4711", "page 3"; may be empty */
    cph_str rule;    /* "METS-04", "lfs-pointer", "truncated", "unnamed-file", ... */
    cph_str sentence;
} cph_problem;

typedef struct cph_object_record {
    cph_str source_id;    /* as the source states it (OBJID, directory name, record id) */
    cph_str profile;      /* "mets-nln", "alto-folder", "text", "jsonl" */
    cph_str work_urn;     /* empty: none stated; the object's own key serves */
    cph_str edition_json; /* edition facts as JSON object, or empty */
    cph_str meta_json;    /* title, languages stated, MODS as found, logical divisions, counts; JSON object */
    cph_str divisions_json; /* JSON array of logical divisions [{id,type,label,parent,blocks:[[page,block
                               id]…]}], or empty */
    const cph_source_file *files;
    size_t n_files;
    const cph_page_record *pages;
    size_t n_pages;
    const cph_problem *problems;
    size_t n_problems;
} cph_object_record;

/* The object's key: source id and the digest of its sorted file digests. */
CPH_API void cph_object_key(const cph_object_record *o, char out[160]);
/* Idempotent: an object that is there with the same key changes nothing (*added = false). */
CPH_API cph_status cph_collection_add_object(cph_collection *c, const cph_object_record *o, bool *added,
                                             cph_err *err) CPH_MUST_USE;
/* True when an object with this source id and files digest is in already: ingest skips the parsing. */
CPH_API cph_status cph_collection_has_object(cph_collection *c, cph_str key, bool *has,
                                             cph_err *err) CPH_MUST_USE;
/* Problems that belong to no object (an unreadable directory, a file nobody names). Idempotent. */
CPH_API cph_status cph_collection_add_problem(cph_collection *c, const cph_problem *p,
                                              cph_err *err) CPH_MUST_USE;

/* ---- facts: statements per source, merged at snapshot ---- */
/*
 * `kind`: work edition licence signal block determination, or version (key: a source id; facts:
 * {"object": key}, the version that build takes); `key`: the work's urn or the id;
 * `source`: "mods:<sha256>", "works.jsonl:<sha256>", "officer:<name>"; `facts`: a JSON object.
 * The same statement twice is one. "replaces": [digest...] in the facts takes earlier statements of the same
 * kind and key out of force. Facts are kept as canonical JSON: integers only, ASCII member names. Appends an
 * event ('fact' for officers, else none).
 */
CPH_API cph_status cph_collection_add_fact(cph_collection *c, const char *kind, cph_str key, cph_str source,
                                           cph_str facts_json, cph_err *err) CPH_MUST_USE;

/*
 * What stands now about a work, as cph_snapshot_work gives it, with the names of those who
 * determined ("by"). CPH_NO: no statement and no object names the work.
 */
CPH_API cph_status cph_collection_work(cph_collection *c, cph_str urn, cph_arena *a, const cph_json **out,
                                       cph_err *err) CPH_MUST_USE;
/* Every work's urn in byte order. */
typedef cph_status (*cph_work_fn)(void *ctx, cph_str urn, cph_err *err);
CPH_API cph_status cph_collection_works(cph_collection *c, cph_work_fn each, void *ctx,
                                        cph_err *err) CPH_MUST_USE;

/* ---- looking at it: what stands now, in key order; texts live until `each` returns ---- */
typedef struct cph_object_view {
    cph_str key, source_id, profile, work_urn;
    cph_str meta_json;        /* as ingest gave it; "counts": Appendix B's values */
    uint64_t n_pages, n_text; /* n_text: pages that have lines */
    uint64_t n_images;        /* pages whose image is known */
    uint64_t n_files, n_bytes, n_problems;
} cph_object_view;
typedef cph_status (*cph_object_fn)(void *ctx, const cph_object_view *o, cph_err *err);
CPH_API cph_status cph_collection_objects(cph_collection *c, cph_object_fn each, void *ctx,
                                          cph_err *err) CPH_MUST_USE;
/* `object`: its key; empty where the problem belongs to none. */
typedef cph_status (*cph_problem_fn)(void *ctx, cph_str object, const cph_problem *p, cph_err *err);
CPH_API cph_status cph_collection_problems(cph_collection *c, cph_problem_fn each, void *ctx,
                                           cph_err *err) CPH_MUST_USE;

/* Keeps a file (a letter, a contract) in the content store; *digest names it in facts. */
CPH_API cph_status cph_collection_add_evidence(cph_collection *c, const char *path, cph_digest *digest,
                                               cph_err *err) CPH_MUST_USE;
/* Where a source file's bytes lie now: in content/, or by reference where they were. CPH_NO: not known. */
CPH_API cph_status cph_collection_content(cph_collection *c, const cph_digest *sha256, char out[CPH_PATH_MAX],
                                          cph_err *err) CPH_MUST_USE;

/*
 * A file of statements, one JSON object a line with its "kind" (work, edition, licence, signal, block,
 * determination, version): all of it or, at the first fault (CPH_DATA, file:line), nothing.
 * evidence_dir (may be NULL): files in it that statements name by evidence_sha256 are kept.
 */
typedef struct cph_import_counts {
    uint64_t n_statements, n_evidence;
} cph_import_counts;
CPH_API cph_status cph_collection_import(cph_collection *c, const char *path, const char *evidence_dir,
                                         cph_import_counts *out, cph_err *err) CPH_MUST_USE;
/* Every statement that speaks of the work, replaced ones too; facts as canonical JSON, with names. */
typedef struct cph_statement_view {
    cph_str kind, key, source, facts_json;
    cph_digest digest; /* what "replaces" names */
    bool replaced;
} cph_statement_view;
typedef cph_status (*cph_statement_fn)(void *ctx, const cph_statement_view *v, cph_err *err);
CPH_API cph_status cph_collection_statements(cph_collection *c, cph_str urn, cph_statement_fn each, void *ctx,
                                             cph_err *err) CPH_MUST_USE;

/* Appends to the event log (rights-and-provenance 11). `subjects` and `payload` are JSON. */
CPH_API cph_status cph_collection_event(cph_collection *c, const char *type, cph_str subjects_json,
                                        cph_str payload_json, cph_err *err) CPH_MUST_USE;

/* ---- snapshots ---- */
/*
 * Writes snapshots/<digest>/ (rows.jsonl.zst, colophon.json) unless it is there; *digest names it.
 */
CPH_API cph_status cph_collection_snapshot(cph_collection *c, cph_digest *digest, cph_err *err) CPH_MUST_USE;

typedef struct cph_snapshot cph_snapshot;
/* `digest` NULL: the newest. */
CPH_API cph_status cph_snapshot_open(cph_snapshot **out, const char *collection, const cph_digest *digest,
                                     cph_err *err) CPH_MUST_USE;
CPH_API void cph_snapshot_close(cph_snapshot *s);
CPH_API cph_digest cph_snapshot_digest(const cph_snapshot *s);
CPH_API bool cph_snapshot_is_sample(const cph_snapshot *s);

typedef struct cph_snapshot_object {
    cph_str key, source_id, profile, work_urn;
    /* "only"; of several versions of one source id "chosen", "superseded", or "undecided" (nobody named one).
     */
    cph_str version;
    const cph_json *row;   /* the object's row: meta, divisions, files, edition */
    uint32_t n_pages;
} cph_snapshot_object;
/* Objects in key order. i < n; an object's tree lives until the arena given is reset. */
CPH_API size_t cph_snapshot_n_objects(const cph_snapshot *s);
CPH_API cph_status cph_snapshot_object_at(const cph_snapshot *s, size_t i, cph_arena *a,
                                          cph_snapshot_object *out, cph_err *err) CPH_MUST_USE;
typedef struct cph_snapshot_page {
    uint32_t order;
    cph_str label;
    cph_digest text_file, image_file, lines; /* `lines`: SHA-256 of the uncompressed line JSON; zero: none */
} cph_snapshot_page;
CPH_API cph_status cph_snapshot_page_at(const cph_snapshot *s, cph_str object_key, uint32_t index,
                                        cph_arena *a, cph_snapshot_page *out, cph_err *err) CPH_MUST_USE;
/* The page's line JSON, checked against its digest; appended to b. May be called from many threads. */
CPH_API cph_status cph_snapshot_lines(const cph_snapshot *s, const cph_digest *lines, cph_buf *b,
                                      cph_err *err) CPH_MUST_USE;
/*
 * Everything a decision may read about a work: {"work": merged facts, "licences": [...],
 * "signals": [...], "blocks": [...], "determinations": [...]}; merged per RR-010. CPH_NO: unknown work.
 */
/* In a snapshot nobody's name stands: determinations there carry no "by". */
CPH_API cph_status cph_snapshot_work(const cph_snapshot *s, cph_str urn, cph_arena *a, const cph_json **out,
                                     cph_err *err) CPH_MUST_USE;
CPH_API size_t cph_snapshot_n_works(const cph_snapshot *s);
CPH_API cph_str cph_snapshot_work_urn(const cph_snapshot *s, size_t i); /* in byte order */

#ifdef __cplusplus
}
#endif
#endif
