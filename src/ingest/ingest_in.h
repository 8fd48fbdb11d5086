/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest_in.h - what the parts of ingest share: units of work, pages under way,
 * claims of logical divisions, counts, problems.
 */
#ifndef CPH_INGEST_IN_H
#define CPH_INGEST_IN_H

#include <colophon/base/pool.h>
#include <colophon/collection/page.h>
#include <colophon/format/mets.h>
#include <colophon/format/mods.h>
#include <colophon/format/sniff.h>
#include <colophon/ingest/ingest.h>

/* ---- units: what one task reads ---- */

typedef enum unit_kind { UNIT_METS, UNIT_ALTO, UNIT_TEXT, UNIT_JSONL, UNIT_MODS } unit_kind;

typedef struct unit_file {
    cph_str path; /* relative to the unit's directory */
    uint64_t n_bytes;
    bool image;   /* in a folder of ALTO: no page, but perhaps a page's image */
} unit_file;

typedef struct unit {
    unit_kind kind;
    cph_str dir;         /* where the files lie */
    cph_str main;        /* the METS, text, JSONL or MODS file; relative */
    cph_str alternative; /* another METS of the same object, not read; or empty */
    cph_str mods;        /* a MODS file beside; or empty */
    bool shared;         /* several METS stand in dir: the finder tells which files nobody names */
    cph_str urn;         /* named by a works.jsonl; or empty */
    unit_file *files;    /* METS: all below dir; ALTO: its pages and their images; sorted by path */
    size_t n_files;
    uint64_t n_bytes;
} unit;

/* ---- problems ---- */

typedef struct problems {
    cph_problem *at;
    size_t n, cap;
    cph_arena *a; /* texts */
} problems;

cph_status cph_problems_add(problems *p, cph_str file, cph_str place, const char *rule, cph_err *err,
                            const char *fmt, ...) CPH_PRINTF(6, 7) CPH_MUST_USE;
void cph_problems_release(problems *p);

/* ---- counts: what Appendix B asks of an object ---- */

#define COUNT_MAP(X)                                                                                      \
    X(xml_bytes) X(strings) X(empty_strings) X(sp) X(hyp) X(lines) X(blocks)                               \
    X(blocks_print) X(blocks_composed) X(blocks_top) X(blocks_left) X(blocks_right) X(blocks_bottom)       \
    X(strings_print) X(strings_composed) X(strings_top) X(strings_left) X(strings_right) X(strings_bottom) \
    X(hyp_part1) X(hyp_part2) X(pairs_same_page) X(pairs_cross_page) X(pairs_cross_block)                  \
    X(pairs_subs_equal) X(orphan_part1) X(orphan_part2) X(adjacent_without_sp)                             \
    X(wc_n) X(wc_sum_hundredths) X(wc_ge_98) X(wc_ge_90) X(corrected)                                      \
    X(pages_with_text) X(pages_wc_mean_ge_90) X(words_on_those_pages) X(words_in_blocks_wc_mean_ge_90)     \
    X(gap_mode_pages) X(duplicate_ids) X(glyph_differs) X(controls_dropped) X(bad_references)              \
    X(areas_logical) X(areas_dangling) X(areas_end) X(seq) X(par) X(areas_overlapping)                     \
    X(linked_blocks) X(linked_composed) X(linked_words) X(unlinked_print_blocks) X(unlinked_print_words)   \
    X(checksums_good) X(checksums_stale) X(checksums_none) X(images_missing)                               \
    X(tokens_after_joining)
typedef struct counts {
#define COUNT_FIELD(name) uint64_t name;
    COUNT_MAP(COUNT_FIELD)
#undef COUNT_FIELD
} counts;
void cph_counts_add(counts *to, const counts *more);

/* ComposedBlocks by TYPE: few kinds occur; what is beyond the room counts as the last. */
#define MAX_TYPES 16
typedef struct type_counts {
    cph_str name[MAX_TYPES];
    uint64_t n[MAX_TYPES];
    size_t used;
} type_counts;
cph_status cph_type_counts_add(type_counts *t, cph_arena *a, cph_str name, uint64_t n,
                               cph_err *err) CPH_MUST_USE;

/* Hyphen halves of one page as the next one must know them. */
typedef struct halves {
    bool any;        /* the page has halves at all */
    bool lead_part2; /* a part 2 stands before any part 1 */
    bool open_part1; /* the last part 1 found no part 2 */
} halves;

/* ---- claims: which division owns which element of which file (METS-14) ---- */

typedef struct claim {
    cph_str file_id, begin; /* begin empty: the whole page */
    const cph_mets_div *div;
    uint32_t order; /* of the area in the logical map */
    uint32_t n_hits; /* written by the one task that reads the file */
} claim;

typedef struct claims {
    claim *at; /* sorted by file id, begin, order */
    size_t n;
} claims;

cph_status cph_claims_make(claims *out, cph_arena *a, const cph_mets *m, counts *c,
                           cph_err *err) CPH_MUST_USE;
/* The claims of one file. */
claims cph_claims_of_file(const claims *all, cph_str file_id);
/* The first claimant of an element, or NULL. */
claim *cph_claims_find(const claims *of_file, cph_str begin);
/* Which structMap is of this type and leads to text; NULL when none does. */
const cph_mets_map *cph_map_of_type(const cph_mets *m, const char *type);
cph_str cph_div_key(cph_arena *a, const cph_mets_div *d, cph_err *err,
                    cph_status *s); /* its ID, or "#number" */
bool cph_role_of_div(const cph_mets_div *d, cph_role *out);

/* ---- one page under way ---- */

/* A block that a division claims, for divisions_json. */
typedef struct claimed_block {
    uint32_t claim_order;
    cph_str block_id;
    const cph_mets_div *div;
} claimed_block;

typedef struct page_result {
    cph_str label;  /* PRINTED_IMG_NR, or a page_number block's text */
    cph_str engine, engine_version, ocr_date, lang;
    cph_str json;   /* encoded lines */
    uint32_t width, height;
    counts c;
    type_counts composed;
    halves h;
    claimed_block *claimed;
    size_t n_claimed;
    bool truncated;
    cph_str fault;  /* where the XML broke, as a sentence; or empty */
    size_t n_pages; /* Page elements in the file */
} page_result;

/* Growable arrays for one page; one per worker. */
typedef struct page_room page_room;
typedef struct scratch {
    cph_buf file, utf8, json, nfc, text;
    cph_arena page; /* reset for each page */
    cph_arena keep; /* reset for each object */
    page_room *room;
} scratch;
cph_status cph_scratch_init(scratch *s, cph_err *err) CPH_MUST_USE;
void cph_scratch_release(scratch *s);
cph_status cph_page_room_open(page_room **out, cph_err *err) CPH_MUST_USE;
void cph_page_room_close(page_room *r);

typedef struct page_want {
    const char *file;    /* for messages */
    claims claims;       /* of this file; n == 0 without METS */
    cph_role page_role;  /* body, or what the physical division's type says (TOCPAGE, TITLE_PAGE) */
} page_want;
/* Reads ALTO; results live in s->keep. CPH_DATA only where nothing can be read at all. */
cph_status cph_alto_page_read(page_result *out, scratch *s, cph_str utf8, const page_want *want,
                              cph_err *err) CPH_MUST_USE;
/* One page of plain text, as paragraphs of lines (plain.h decides which). */
typedef struct text_page {
    cph_str json;
    uint64_t words;
    uint32_t lines, blocks;
} text_page;
typedef cph_status (*text_page_fn)(void *ctx, const text_page *page, cph_err *err);
cph_status cph_text_pages_read(scratch *s, cph_str utf8, bool lines_are_paragraphs, text_page_fn each,
                               void *ctx, cph_err *err) CPH_MUST_USE;

/* ---- files of an object ---- */

#define NO_FILE UINT32_MAX

typedef struct object_file {
    uint32_t listed;      /* in unit.files; NO_FILE: not found */
    cph_str id, path;     /* as the METS names it; relative path once found */
    const char *role;     /* "mets", "text", "image", "metadata" */
    const char *checksum_state;
    cph_str checksum, checksum_type; /* as stated */
    uint64_t stated_bytes;
    /* after file_hash */
    cph_digest sha256;
    uint64_t n_bytes;
    cph_format format;
    cph_str fault;        /* why it could not be read */
} object_file;

/* Where the METS's files lie (METS-04, METS-05): into f->listed, or NO_FILE. */
typedef struct resolver resolver;
cph_status cph_resolver_make(resolver **out, cph_arena *a, const unit *u, cph_err *err) CPH_MUST_USE;
uint32_t cph_resolve(const resolver *r, const cph_mets *m, const cph_mets_file *f);
bool cph_is_text_candidate(const cph_mets_file *f);
bool cph_is_image(const cph_mets_file *f);
/* Digest, size, format, checksum against what is stated. A file that cannot be read has a fault. */
cph_status cph_file_hash(object_file *f, scratch *s, const unit *u, const cph_ingest_opts *opts,
                         cph_err *err) CPH_MUST_USE;

/* ---- one object ---- */

typedef struct run run;

/* What a unit did, merged into the report in the order of discovery. */
typedef struct outcome {
    uint64_t added, known, refused, pages, pages_without_text, words, xml_bytes, facts, problems;
    cph_ingest_rule rules[CPH_INGEST_MAX_RULES];
    size_t n_rules;
    cph_buf keys; /* of the objects added, one a line, for the event log */
} outcome;
void cph_outcome_init(outcome *o);
void cph_outcome_release(outcome *o);
void cph_outcome_count(outcome *o, cph_str rule, uint64_t n);

struct run {
    const cph_ingest_opts *opts;
    cph_collection *into;
    cph_pool *pool;
    scratch *scratch; /* one per worker */
    cph_ingest_report *report;
    unsigned n_told;  /* problems that the log has said; touched by atomic operations only */
};

/* `parallel`: pages may go to the pool (the caller is no task of it). */
cph_status cph_object_read(run *r, const unit *u, outcome *o, unsigned worker, bool parallel,
                           cph_err *err) CPH_MUST_USE;
cph_status cph_text_object_read(run *r, const unit *u, outcome *o, unsigned worker,
                                cph_err *err) CPH_MUST_USE;
cph_status cph_jsonl_objects_read(run *r, const unit *u, outcome *o, unsigned worker,
                                  cph_err *err) CPH_MUST_USE;
cph_status cph_mods_file_read(run *r, const unit *u, outcome *o, unsigned worker, cph_err *err) CPH_MUST_USE;
/* Puts a problem that belongs to no object into the collection. */
cph_status cph_problem_alone(run *r, outcome *o, cph_str file, cph_str place, const char *rule,
                             cph_str sentence, cph_err *err) CPH_MUST_USE;
/*
 * Adds an object, its facts before it: facts repeat without harm, so that a killed run leaves no object
 * whose facts are missing. `fact` empty: none. Counts what came of it.
 */
cph_status cph_object_put(run *r, outcome *o, const cph_object_record *rec, cph_str fact_source, cph_str fact,
                      cph_err *err) CPH_MUST_USE;
/* True when the object is in already; counted as known. */
cph_status cph_object_known(run *r, outcome *o, const cph_object_record *rec, bool *known,
                            cph_err *err) CPH_MUST_USE;

/* ---- facts ---- */

typedef struct mods_facts {
    cph_str urn, title, work_json, edition_json; /* empty where nothing is said */
    cph_str language; /* ISO 639-3 as mapped, or as stated */
} mods_facts;
/* What a MODS says, as facts (readers-and-corpus 14; rights-and-provenance 2.1). */
cph_status cph_mods_to_facts(mods_facts *out, cph_arena *a, const cph_mods *m, bool newspaper,
                             cph_err *err) CPH_MUST_USE;
/* The record of a METS that describes the printed work; NULL when there is none. */
cph_status cph_mods_of_mets(cph_mods *out, cph_str *xml, cph_arena *a, const cph_mets *m, const char *file,
                            bool *found, cph_err *err) CPH_MUST_USE;
bool cph_mets_is_newspaper(const cph_mets *m, const cph_mods *mods);
cph_str cph_language_of(cph_str stated); /* nb -> nob, ger -> deu, no -> nor; else as stated */
void cph_mods_write(cph_jw *w, const cph_mods *m); /* as found, for meta_json */

/* ---- finding ---- */

/* What side files say, as long as the walk is below their directory. */
typedef struct named_file {
    cph_str path, urn; /* works.jsonl: this file is of that work */
} named_file;

/* Walks one source; calls `each` for every unit, in byte order of paths; a unit lives for the call. */
typedef cph_status (*unit_fn)(void *ctx, const unit *u, cph_err *err);
typedef struct finder {
    run *r;
    outcome *o; /* problems of the walk, facts of works.jsonl */
    unit_fn each;
    void *ctx;
    named_file *named;
    cph_digest *evidence; /* letters and contracts that a rights file names: no texts of the collection */
    size_t n_named, cap_named, n_evidence, cap_evidence;
} finder;
cph_status cph_find_units(finder *f, const char *source, cph_err *err) CPH_MUST_USE;
void cph_finder_release(finder *f);
/* works.jsonl: its statements go in, its files are remembered. */
cph_status cph_side_works(finder *f, cph_arena *a, cph_str dir, cph_str name, cph_err *err) CPH_MUST_USE;
/* True when the file holds statements for `rights import`; the evidence they name is remembered. */
cph_status cph_side_rights(finder *f, cph_str dir, cph_str name, bool *is_rights, cph_err *err) CPH_MUST_USE;
/* The one work that side files name for a file; empty: none, or several. */
cph_str cph_side_urn(const finder *f, cph_str path);
cph_status cph_side_is_evidence(const finder *f, const char *path, bool *is, cph_err *err) CPH_MUST_USE;

/* ---- small means ---- */

cph_status cph_str_z(char out[CPH_PATH_MAX], cph_str s, cph_err *err) CPH_MUST_USE; /* NUL-terminated copy */
cph_status cph_path_in(char out[CPH_PATH_MAX], cph_str dir, cph_str relative, cph_err *err) CPH_MUST_USE;
cph_status cph_nfc_of(cph_arena *a, cph_buf *room, cph_str *out, cph_str s, cph_err *err) CPH_MUST_USE;

#endif
