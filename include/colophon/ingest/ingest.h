/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest.h - from directories of scans to the collection.
 *
 * Walks the sources, finds objects (METS files; folders of ALTO without a METS;
 * plain texts; JSONL records), reads each as its files state it and puts it
 * whole into the collection, with a rights statement or none: "undetermined" is
 * never implied. Nothing here decides what depends on another object.
 *
 * Invariant  Same bytes in, same rows out, at any thread count, in any order of
 *            arrival. An object that is in already costs its digests only, so a
 *            killed run is resumed by running it again.
 * Threads    cph_ingest_run starts its own workers; one call at a time.
 * Memory     Bounded by the largest objects under way, not by the collection.
 * Errors     A broken page, object or directory is a problem in the report and in
 *            the collection; the run goes on. CPH_IO: a source that does not
 *            exist or cannot be read. CPH_STOPPED: interrupted; finished objects are in.
 */
#ifndef CPH_INGEST_INGEST_H
#define CPH_INGEST_INGEST_H

#include <colophon/collection/collection.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a METS's CHECKSUM is worth (METS-07): a problem row, a refused object, or nothing. */
typedef enum cph_checksums { CPH_CHECKSUMS_WARN, CPH_CHECKSUMS_FAIL, CPH_CHECKSUMS_OFF } cph_checksums;

/* One object that was found, before it is read. */
typedef struct cph_ingest_found {
    const char *profile; /* "mets", "alto-folder", "text", "jsonl" */
    cph_str path;        /* the METS, the folder, or the file */
    uint64_t n_files;    /* text files of an ALTO folder; 1 for the others */
} cph_ingest_found;

typedef struct cph_ingest_opts {
    cph_checksums checksums;
    bool no_copy;             /* keep files by reference */
    bool dry_run;             /* find only: nothing is read further, nothing written */
    unsigned threads;         /* 0: as many as there are processors */
    uint64_t max_file_bytes;  /* 2 GiB */
    uint32_t max_pages;       /* of one object: 100,000 */
    /* Members of a JSONL record, as dotted paths (readers-and-corpus 12). */
    cph_str text_key, id_key, urn_key, title_key, date_key, lang_key;
    /* May be NULL. Called in the order of discovery, before an object is read. */
    void (*found)(void *ctx, const cph_ingest_found *f);
    void *ctx;
} cph_ingest_opts;
CPH_API void cph_ingest_opts_init(cph_ingest_opts *o);

#define CPH_INGEST_MAX_RULES 48
typedef struct cph_ingest_rule {
    char rule[40];
    uint64_t n;
} cph_ingest_rule;

typedef struct cph_ingest_report {
    uint64_t found, added, known, refused; /* objects; refused: not put in, see problems */
    uint64_t pages, pages_without_text, words, xml_bytes; /* of the objects added */
    uint64_t facts;                        /* statements about works, new or repeated */
    uint64_t problems;
    cph_ingest_rule rules[CPH_INGEST_MAX_RULES]; /* problems by rule, sorted by name */
    size_t n_rules;
} cph_ingest_report;

/* CPH_USAGE or CPH_IO names the first source that cannot be one; cph_ingest_run asks it, too. */
CPH_API cph_status cph_ingest_check(const char *const *sources, size_t n_sources, cph_err *err) CPH_MUST_USE;
/*
 * Ingests `sources` (files or directories) into an open collection; with
 * opts->dry_run `into` may be NULL. The report is filled in any case.
 */
CPH_API cph_status cph_ingest_run(const char *const *sources, size_t n_sources, cph_collection *into,
                                  const cph_ingest_opts *opts, cph_ingest_report *report,
                                  cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
