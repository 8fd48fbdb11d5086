/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus_in.h - what the files of this room share.
 *
 * The way of an object: gate.c (may it?) -> plan.c (which blocks make which
 * document) -> heads.c, flow.c, hyphen.c (pages become paragraphs) -> spool.c (a
 * file of finished documents) -> copies.c (which of them are copies) -> corpus_record.c
 * (record and side-car lines) -> shards.c (frames). build.c drives them in windows.
 */
#ifndef CPH_CORPUS_IN_H
#define CPH_CORPUS_IN_H

#include <colophon/base/zstream.h>
#include <colophon/collection/collection.h>
#include <colophon/collection/page.h>
#include <colophon/corpus/build.h>
#include <colophon/provenance/manifest.h>
#include <colophon/provenance/merkle.h>
#include <colophon/rights/decide.h>
#include <colophon/text/normalise.h>

#define CPH_DOC_MAX ((size_t)1 << 30) /* bytes of one document on its way */

/* ---- extsort.c ---- */
typedef struct cph_extsort cph_extsort;
cph_status cph_extsort_open(cph_extsort **out, const char *path, size_t size, uint64_t budget,
                            cph_err *err) CPH_MUST_USE;
void cph_extsort_close(cph_extsort *x);
cph_status cph_extsort_add(cph_extsort *x, const void *record, cph_err *err) CPH_MUST_USE;
cph_status cph_extsort_next(cph_extsort *x, void *record, cph_err *err) CPH_MUST_USE; /* CPH_END */
void cph_put_be(uint8_t *p, uint64_t v, unsigned n_bytes); /* for keys that memcmp sorts */
uint64_t cph_get_be(const uint8_t *p, unsigned n_bytes);

/* ---- spool.c: values one after the other in a file, and in a buffer ---- */
typedef struct cph_spool {
    cph_out out;
    int fd;
    char path[CPH_PATH_MAX];
    uint64_t at, end;     /* next entry when reading */
    uint8_t *chunk;       /* read ahead */
    uint64_t chunk_at;
    size_t chunk_n;
} cph_spool;
cph_status cph_spool_create(cph_spool *s, const char *path, cph_err *err) CPH_MUST_USE;
cph_status cph_spool_add(cph_spool *s, cph_str entry, uint64_t *at, cph_err *err) CPH_MUST_USE;
cph_status cph_spool_rewind(cph_spool *s, cph_err *err) CPH_MUST_USE; /* ends writing; starts reading */
cph_status cph_spool_next(cph_spool *s, cph_buf *entry, cph_err *err) CPH_MUST_USE; /* CPH_END */
cph_status cph_spool_at(cph_spool *s, uint64_t at, cph_buf *entry, cph_err *err) CPH_MUST_USE;
void cph_spool_close(cph_spool *s); /* and removes it */

cph_status cph_put_u64(cph_buf *b, uint64_t v, cph_err *err) CPH_MUST_USE; /* LEB128 */
cph_status cph_put_str(cph_buf *b, cph_str s, cph_err *err) CPH_MUST_USE;
typedef struct cph_take {
    const char *p, *end;
    bool bad;
} cph_take;
uint64_t cph_take_u64(cph_take *t);
cph_str cph_take_str(cph_take *t);
cph_digest cph_take_digest(cph_take *t);

/* ---- lexicon.c ---- */
typedef struct cph_lexicon cph_lexicon;
/* `dir`: where its files lie until it is closed. */
cph_status cph_lexicon_open(cph_lexicon **out, const char *dir, unsigned n_workers, uint64_t budget,
                            cph_err *err) CPH_MUST_USE;
void cph_lexicon_close(cph_lexicon *l);
/* Counts the unbroken tokens of a page. One worker, one thread. */
cph_status cph_lexicon_page(cph_lexicon *l, unsigned worker, cph_str lang, const cph_page *p,
                            cph_err *err) CPH_MUST_USE;
cph_status cph_lexicon_add(cph_lexicon *l, unsigned worker, cph_str lang, cph_str word,
                           cph_err *err) CPH_MUST_USE;
/* Merges and sorts; from then on it is read-only. */
cph_status cph_lexicon_finish(cph_lexicon *l, cph_digest *digest, cph_err *err) CPH_MUST_USE;
cph_status cph_lexicon_count(const cph_lexicon *l, cph_str lang, cph_str word, uint64_t *n,
                             cph_err *err) CPH_MUST_USE;
/* Lower case, without what is neither letter, number nor mark at both ends. */
cph_status cph_lexicon_form(cph_buf *out, cph_str token, cph_err *err) CPH_MUST_USE;

/* ---- hyphen.c ---- */
typedef struct cph_hyphen_ctx {
    const cph_lexicon *lexicon; /* NULL: nothing is known */
    cph_str lang;               /* as cph_lang_code gives it */
    bool equals;
} cph_hyphen_ctx;
typedef enum cph_join {
    CPH_JOIN_APART, /* two tokens, a blank between them */
    CPH_JOIN_ONE    /* *text holds the one token */
} cph_join;
/* True when a token that ends its line may go on in the next one by its sign alone. */
bool cph_hyphen_ends(const cph_token *t, bool equals);
/*
 * HYP-03 to HYP-07 for part 1 `first` (its text may be a join already: `text_1`) and `second`. Appends
 * the token to `text` when they become one.
 */
cph_status cph_hyphen_join(const cph_hyphen_ctx *x, const cph_token *first, cph_str text_1,
                           const cph_token *second, cph_buf *text, cph_join *how, cph_hyphen_counts *n,
                           cph_err *err) CPH_MUST_USE;
cph_str cph_lang_code(cph_str stated); /* ISO 639-3: "nob" for nb, nob, nb-NO; "und" for nothing */
cph_str cph_lang_tag(cph_str code);    /* BCP 47, for records: "nb" for nob */

/* ---- pages of one object ---- */
typedef struct cph_leaf {
    cph_page page;
    uint32_t order;
    cph_str label;
    cph_digest text_file, image_file;
    uint8_t *line_role; /* a role each line: its block's, or what heads.c found */
} cph_leaf;
/* Marks running heads and page numbers by repetition and by the run of page numbers. */
cph_status cph_heads_mark(cph_leaf *leaves, uint32_t n, cph_arena *a, cph_err *err) CPH_MUST_USE;

/* ---- plan.c: which blocks make which document ---- */
typedef struct cph_ref {
    uint32_t page, block;
} cph_ref;
typedef struct cph_plan_doc {
    cph_str suffix; /* "" for the whole volume */
    cph_str type, title;
    cph_ref *refs;
    uint32_t n_refs, cap;
} cph_plan_doc;
typedef struct cph_division {
    cph_str id, type, label;
    uint32_t parent; /* index; UINT32_MAX: none */
    bool leaf;       /* one paragraph: its blocks are pieces of it */
} cph_division;
typedef struct cph_plan {
    cph_plan_doc *docs;
    uint32_t n_docs, cap;
    cph_division *divisions;
    uint32_t n_divisions;
    uint32_t n_unlinked; /* METS-16 */
} cph_plan;
cph_status cph_plan_make(cph_plan *out, cph_arena *a, const cph_json *row, cph_unit unit, cph_str form,
                         const cph_leaf *leaves, uint32_t n, cph_err *err) CPH_MUST_USE;
/* How many documents an object would make, from its row alone: what the tally of a refusal counts. */
uint64_t cph_plan_count(const cph_json *row, cph_unit unit, cph_str form, uint32_t n_pages);

/* ---- flow.c ---- */
typedef struct cph_segment { /* what one block gave to a paragraph */
    uint32_t offset;         /* in the paragraph's text */
    uint32_t page, block;    /* indices */
} cph_segment;
typedef struct cph_paragraph {
    cph_str text;
    cph_role role;
    uint32_t first_segment, n_segments;
} cph_paragraph;
typedef struct cph_split { /* HYP-02: where the second half of a word begins, across blocks or pages */
    uint32_t paragraph, offset, page, block;
} cph_split;
typedef struct cph_flow {
    cph_paragraph *paragraphs;
    uint32_t n_paragraphs, n_segments, n_splits;
    cph_segment *segments;
    cph_split *splits;
    cph_hyphen_counts hyphens;
    cph_normalise_counts normal;
    cph_balance balance;
    uint64_t roles[CPH_N_ROLES]; /* tokens by role, dropped ones too */
    uint64_t wc_sum, wc_n;
} cph_flow;
typedef struct cph_flow_opts {
    cph_hyphen_ctx hyphen;
    cph_normalise_opts normal;
} cph_flow_opts;
cph_status cph_flow_run(cph_flow *out, cph_arena *a, const cph_leaf *leaves, const cph_plan *plan,
                        const cph_plan_doc *doc, const cph_flow_opts *o, cph_err *err) CPH_MUST_USE;
bool cph_role_dropped(cph_role r); /* section 15's defaults, for language-model text */


/* ---- gate.c: may it? ---- */
typedef struct cph_verdict { /* texts live in the arena given */
    cph_answer answer;
    cph_str rule, basis, record;
    cph_digest hash;
    cph_str urn;         /* the work's, or the object's key where none is stated */
    cph_str date, form, lang;
    uint8_t rank;        /* of copies the lowest stays: public domain before the rest */
    bool skip;           /* of several versions not the one that a person named */
    cph_str version;
} cph_verdict;
typedef struct cph_gate cph_gate;
cph_status cph_gate_open(cph_gate **out, const cph_build_opts *o, const cph_snapshot *s, const char *dir,
                         cph_err *err) CPH_MUST_USE;
void cph_gate_close(cph_gate *g);
/* Asks for an object and keeps the decision record. */
cph_status cph_gate_ask(cph_gate *g, const cph_snapshot_object *o, cph_arena *a, cph_verdict *out,
                        cph_err *err) CPH_MUST_USE;
cph_status cph_gate_count(cph_gate *g, const cph_verdict *v, uint64_t documents, uint64_t words,
                          cph_err *err) CPH_MUST_USE;
/* The tally, complete: distinct works by rule and answer. */
cph_status cph_gate_tally(cph_gate *g, cph_arena *a, cph_build_report *r, cph_err *err) CPH_MUST_USE;
/* decisions.jsonl.zst: each distinct record once, in the order of their hashes. */
cph_status cph_gate_write(cph_gate *g, const char *path, cph_err *err) CPH_MUST_USE;
const cph_rulebase *cph_gate_rulebase(const cph_gate *g);

/* ---- fold.c ---- */
/* What copies are compared by (22.2): lower case, numbers as 0, no punctuation, no marks. Stays in this room. */
cph_status cph_fold(cph_buf *out, cph_str text, cph_err *err) CPH_MUST_USE;

/* ---- document.c: one permitted object becomes finished documents ---- */
typedef struct cph_task { /* one object of a window */
    cph_arena a;             /* its row, its pages; reset between objects */
    cph_snapshot_object o;
    cph_verdict v;
    cph_snapshot_page *pages;
    /* what comes out */
    cph_buf entries;         /* documents, each a string of cph_put_str */
    cph_buf copies;          /* cph_text_hash, one a document and one a long paragraph */
    uint64_t n_documents;
    uint64_t words;          /* tokens of the pages, for the tally where the row has no count */
    cph_hyphen_counts hyphens;
    cph_balance balance;
    cph_normalise_counts normal;
    uint64_t empty;          /* documents without text */
} cph_task;
typedef struct cph_text_hash {
    uint32_t document;       /* of the task */
    uint32_t paragraph;      /* UINT32_MAX: the document itself */
    uint64_t chars;
    cph_hash128 hash;
} cph_text_hash;
typedef struct cph_maker {
    const cph_build_opts *o;
    const cph_snapshot *s;
    const cph_lexicon *lexicon;
} cph_maker;
/* Loads the rows of the pages; then the pages. */
cph_status cph_task_pages(const cph_snapshot *s, cph_task *t, cph_err *err) CPH_MUST_USE;
cph_status cph_task_leaves(const cph_snapshot *s, cph_task *t, cph_leaf **out, cph_err *err) CPH_MUST_USE;
cph_status cph_document_make(const cph_maker *m, cph_task *t, cph_err *err) CPH_MUST_USE;
uint64_t cph_row_words(const cph_json *row); /* UINT64_MAX: the row does not say */
cph_str cph_row_lang(const cph_snapshot_object *o, cph_str of_work);

/* A document as it lies in the spool. */
typedef struct cph_entry_page {
    uint32_t order;
    cph_str label, text_file, image_file, checksum; /* hex; empty: none */
    uint64_t bytes;
} cph_entry_page;
typedef struct cph_entry {
    cph_str id, object, profile, type, title, lang, date, basis, urn, version;
    cph_digest decision;
    cph_str dates, engine, hyphens, languages, normal, roles, wc; /* JSON values */
    cph_take pages, paragraphs; /* the rest, not parsed yet */
    uint64_t n_pages, n_paragraphs;
    bool skip;
} cph_entry;
cph_status cph_entry_parse(cph_entry *out, cph_str bytes, cph_err *err) CPH_MUST_USE;

/* ---- copies.c ---- */
typedef struct cph_copies cph_copies;
cph_status cph_copies_open(cph_copies **out, const cph_build_opts *o, const char *dir,
                           cph_err *err) CPH_MUST_USE;
void cph_copies_close(cph_copies *c);
/* Document number `ordinal`, which stands at `at` in the spool. */
cph_status cph_copies_add(cph_copies *c, const cph_text_hash *k, uint64_t ordinal, uint64_t at, uint8_t rank,
                          cph_str date, cph_err *err) CPH_MUST_USE;
cph_status cph_copies_resolve(cph_copies *c, cph_err *err) CPH_MUST_USE;
typedef struct cph_mark { /* a paragraph that has copies */
    uint32_t paragraph;
    uint64_t copies, kept; /* kept: where its keeper's document stands in the spool */
    bool drop;
} cph_mark;
typedef struct cph_fate { /* of one document, asked in order */
    bool drop;
    uint64_t kept;           /* where the kept copy stands */
    uint64_t *dropped;       /* of a kept one: where its dropped copies stand */
    size_t n_dropped, dropped_cap;
    uint64_t cluster;        /* documents in its group, itself counted */
    cph_mark *marks;
    size_t n_marks, marks_cap;
} cph_fate;
cph_status cph_copies_next(cph_copies *c, uint64_t ordinal, cph_fate *out, cph_err *err) CPH_MUST_USE;
void cph_fate_release(cph_fate *f);

/* ---- corpus_record.c ---- */
typedef struct cph_rendered { /* the records of one document */
    cph_buf records, provs, ids; /* one after the other, without LF */
    cph_buf dropped;             /* lines with LF */
    struct cph_line_info {
        uint32_t record_bytes, prov_bytes, id_bytes;
        uint64_t words, chars;
    } *lines;
    size_t n_lines, lines_cap;
    cph_digest text, dkey;           /* over the joined parts */
    uint64_t n_paragraphs_dropped;
} cph_rendered;
void cph_rendered_init(cph_rendered *r);
void cph_rendered_release(cph_rendered *r);
typedef struct cph_renderer {
    uint32_t max_chars;
    uint32_t copies_limit; /* of paragraphs, for the drop log */
    char options[CPH_HEX_DIGEST];
} cph_renderer;
/*
 * `ids`: of a document that stays, those of its dropped copies; of one that goes, that of the copy
 * that stays.
 * `kept_ids`: of each mark, the id of the document that keeps the paragraph. Texts of `e` must live.
 */
cph_status cph_record_render(const cph_renderer *x, const cph_entry *e, const cph_fate *f, const cph_str *ids,
                             const cph_str *kept_ids, cph_rendered *out, cph_err *err) CPH_MUST_USE;

/* ---- shards.c ---- */
typedef struct cph_shards cph_shards;
cph_status cph_shards_open(cph_shards **out, const char *dir, cph_pool *pool, cph_err *err) CPH_MUST_USE;
/*
 * One record (a JSON object that lacks "src": the row in its frame is added here) and its side-car's
 * line, without LF. `object`: key of the object that it comes from.
 */
cph_status cph_shards_add(cph_shards *s, cph_str record, cph_str prov, cph_str id, cph_str object,
                          cph_err *err) CPH_MUST_USE;
/* The handle is gone whatever it returns. */
cph_status cph_shards_close(cph_shards *s, cph_merkle *records, cph_merkle *provs, cph_err *err) CPH_MUST_USE;
void cph_shards_abandon(cph_shards *s);

/* ---- stats.c, datasheet.c, html_report.c ---- */
typedef struct cph_stats_row {
    cph_str lang, type, basis;
    int decade; /* 0: unknown */
    uint64_t records, documents, words, chars;
} cph_stats_row;
typedef struct cph_stats {
    cph_arena a;
    cph_stats_row *rows;
    size_t n, cap;
    cph_normalise_counts normal;
} cph_stats;
void cph_stats_init(cph_stats *s);
void cph_stats_release(cph_stats *s);
cph_status cph_stats_add(cph_stats *s, const cph_stats_row *row, cph_err *err) CPH_MUST_USE;
void cph_stats_sort(cph_stats *s);
cph_status cph_stats_write(const cph_stats *s, const char *path, cph_err *err) CPH_MUST_USE;
const char *cph_answer_word(cph_answer a); /* "ALLOW", "DENY", "HUMAN" */
cph_status cph_put_grouped(cph_buf *b, uint64_t n, cph_err *err) CPH_MUST_USE; /* 1,234,567 */
cph_status cph_datasheet_write(const char *path, const cph_build_opts *o, const cph_build_report *r,
                               const cph_stats *s, const cph_rulebase *rules, cph_err *err) CPH_MUST_USE;
cph_status cph_html_report_write(const char *path, const cph_build_opts *o, const cph_build_report *r,
                                 const cph_stats *s, const cph_rulebase *rules, cph_err *err) CPH_MUST_USE;

void cph_hyphen_counts_add(cph_hyphen_counts *to, const cph_hyphen_counts *more);
void cph_normalise_counts_add(cph_normalise_counts *to, const cph_normalise_counts *more);
void cph_balance_add(cph_balance *to, const cph_balance *more);

#endif
