/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest.c - the run: units are found in order, read in batches by the pool, and
 * counted in the order in which they were found.
 * What must stay true: a batch bounds memory; nothing that a worker does is seen
 * in the report before its batch is done.
 */
#include "ingest_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>
#include <colophon/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_UNITS 64
#define BATCH_BYTES ((uint64_t)64 << 20)
#define BIG_OBJECT 24 /* files: from here on an object's pages are worth the pool */

void cph_ingest_opts_init(cph_ingest_opts *o)
{
    *o = (cph_ingest_opts){.checksums = CPH_CHECKSUMS_WARN,
                           .max_file_bytes = (uint64_t)2 << 30,
                           .max_pages = 100000,
                           .text_key = CPH_STR("text"),
                           .id_key = CPH_STR("id"),
                           .urn_key = CPH_STR("urn"),
                           .title_key = CPH_STR("title"),
                           .date_key = CPH_STR("date"),
                           .lang_key = CPH_STR("lang")};
}

typedef struct batch {
    run *r;
    cph_arena a;
    unit units[BATCH_UNITS];
    outcome outcomes[BATCH_UNITS];
    uint32_t small[BATCH_UNITS]; /* units that are one task each */
    size_t n, n_small;
    uint64_t n_bytes;
    cph_progress progress;
} batch;

/* ---- a unit outlives the walk that found it ---- */

static cph_status keep(cph_arena *a, cph_str *s, cph_err *err) { return cph_arena_str(a, s, *s, err); }

static cph_status copy_unit(batch *b, const unit *u, cph_err *err)
{
    unit *to = &b->units[b->n];
    void *files;
    *to = *u;
    cph_str *texts[] = {&to->dir, &to->main, &to->alternative, &to->mods, &to->urn};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) CPH_TRY(keep(&b->a, texts[i], err));
    CPH_TRY(cph_arena_alloc0(&b->a, &files, u->n_files + 1, sizeof(unit_file), err));
    to->files = files;
    for (size_t i = 0; i < u->n_files; i++) {
        to->files[i] = u->files[i];
        CPH_TRY(keep(&b->a, &to->files[i].path, err));
    }
    return CPH_OK;
}

/* ---- reading ---- */

static cph_status read_unit(run *r, const unit *u, outcome *o, unsigned worker, bool parallel, cph_err *err)
{
    CPH_TRY(cph_interrupt_check("ingest", err));
    switch (u->kind) {
    case UNIT_METS:
    case UNIT_ALTO: return cph_object_read(r, u, o, worker, parallel, err);
    case UNIT_TEXT: return cph_text_object_read(r, u, o, worker, err);
    case UNIT_JSONL: return cph_jsonl_objects_read(r, u, o, worker, err);
    default: return cph_mods_file_read(r, u, o, worker, err);
    }
}

static cph_status small_task(void *arg, size_t task, unsigned worker, cph_err *err)
{
    batch *b = arg;
    uint32_t i = b->small[task];
    cph_status s = read_unit(b->r, &b->units[i], &b->outcomes[i], worker, false, err);
    cph_progress_add(&b->progress, 1);
    return s;
}

static bool is_big(const run *r, const unit *u)
{
    bool pages = u->kind == UNIT_METS || u->kind == UNIT_ALTO;
    return pages && u->n_files >= BIG_OBJECT && cph_pool_threads(r->pool) > 1;
}

/* ---- counting ---- */

static int by_rule(const void *a, const void *b)
{
    return strcmp(((const cph_ingest_rule *)a)->rule, ((const cph_ingest_rule *)b)->rule);
}

static void report(cph_ingest_report *to, const outcome *o)
{
    to->added += o->added;
    to->known += o->known;
    to->refused += o->refused;
    to->pages += o->pages;
    to->pages_without_text += o->pages_without_text;
    to->words += o->words;
    to->xml_bytes += o->xml_bytes;
    to->facts += o->facts;
    to->problems += o->problems;
    for (size_t i = 0; i < o->n_rules; i++) {
        size_t k = 0;
        while (k < to->n_rules && strcmp(to->rules[k].rule, o->rules[i].rule) != 0) k++;
        if (k == CPH_INGEST_MAX_RULES) continue;
        if (k == to->n_rules) to->rules[to->n_rules++] = (cph_ingest_rule){0};
        memcpy(to->rules[k].rule, o->rules[i].rule, sizeof to->rules[k].rule);
        to->rules[k].n += o->rules[i].n;
    }
    qsort(to->rules, to->n_rules, sizeof *to->rules, by_rule);
}

/* One event for a batch: the keys of the objects added, with what they held. */
static cph_status log_event(batch *b, cph_err *err)
{
    cph_buf subjects, payload;
    outcome sum = {0};
    cph_buf_init(&subjects, (size_t)1 << 26);
    cph_buf_init(&payload, (size_t)1 << 16);
    cph_jw w = cph_jw_on(&subjects);
    cph_jw_arr(&w);
    for (size_t i = 0; i < b->n; i++) {
        const outcome *o = &b->outcomes[i];
        cph_str rest = cph_buf_view(&o->keys), key;
        sum.added += o->added;
        sum.pages += o->pages;
        sum.words += o->words;
        sum.problems += o->problems;
        while (rest.n && cph_str_split(&rest, '\n', &key))
            if (key.n) cph_jw_str(&w, key);
    }
    cph_jw_end(&w);
    cph_status s = cph_jw_done(&w, err);
    if (s == CPH_OK && sum.added)
        s = cph_buf_printf(&payload, err,
                           "{\"objects\":%llu,\"pages\":%llu,\"problems\":%llu,\"words\":%llu}",
                           (unsigned long long)sum.added, (unsigned long long)sum.pages,
                           (unsigned long long)sum.problems, (unsigned long long)sum.words);
    if (s == CPH_OK && sum.added)
        s = cph_collection_event(b->r->into, "ingest", cph_buf_view(&subjects), cph_buf_view(&payload), err);
    cph_buf_release(&subjects);
    cph_buf_release(&payload);
    return s;
}

static cph_status flush(batch *b, cph_err *err)
{
    cph_status s = CPH_OK;
    b->n_small = 0;
    for (size_t i = 0; i < b->n; i++)
        if (!is_big(b->r, &b->units[i])) b->small[b->n_small++] = (uint32_t)i;
    for (size_t i = 0; s == CPH_OK && i < b->n; i++) {
        if (!is_big(b->r, &b->units[i])) continue;
        s = read_unit(b->r, &b->units[i], &b->outcomes[i], 0, true, err);
        cph_progress_add(&b->progress, 1);
    }
    if (s == CPH_OK && b->n_small) s = cph_pool_run(b->r->pool, b->n_small, small_task, b, err);
    for (size_t i = 0; i < b->n; i++) report(b->r->report, &b->outcomes[i]);
    if (s == CPH_OK || s == CPH_STOPPED) {
        cph_status logged = b->n ? log_event(b, s == CPH_OK ? err : NULL) : CPH_OK;
        if (s == CPH_OK) s = logged;
    }
    for (size_t i = 0; i < b->n; i++) cph_outcome_release(&b->outcomes[i]);
    b->n = 0;
    b->n_bytes = 0;
    cph_arena_reset(&b->a);
    return s;
}

static cph_status take(void *ctx, const unit *u, cph_err *err)
{
    static const char *const profiles[] = {[UNIT_METS] = "mets",
                                           [UNIT_ALTO] = "alto-folder",
                                           [UNIT_TEXT] = "text",
                                           [UNIT_JSONL] = "jsonl",
                                           [UNIT_MODS] = "mods"};
    batch *b = ctx;
    const cph_ingest_opts *o = b->r->opts;
    char path[CPH_PATH_MAX];
    b->r->report->found += u->kind != UNIT_MODS;
    CPH_TRY(cph_path_in(path, u->dir, u->main, err));
    if (!u->main.n) CPH_TRY(cph_str_z(path, u->dir, err));
    uint64_t n = 0;
    for (size_t i = 0; i < u->n_files; i++) n += u->kind == UNIT_ALTO && !u->files[i].image;
    if (o->found) o->found(o->ctx, &(cph_ingest_found){profiles[u->kind], cph_str_of(path), n ? n : 1});
    if (o->dry_run) return CPH_OK;
    CPH_TRY(copy_unit(b, u, err));
    cph_outcome_init(&b->outcomes[b->n]);
    b->n++;
    b->n_bytes += u->n_bytes;
    return b->n == BATCH_UNITS || b->n_bytes >= BATCH_BYTES ? flush(b, err) : CPH_OK;
}

/* ---- the run ---- */

static cph_status walk(run *r, const char *const *sources, size_t n, cph_err *err)
{
    void *p;
    CPH_TRY(cph_alloc0(&p, sizeof(batch), err));
    batch *b = p;
    outcome found;
    finder f = {.r = r, .o = &found, .each = take, .ctx = b};
    b->r = r;
    cph_arena_init(&b->a, 0);
    cph_outcome_init(&found);
    cph_progress_begin(&b->progress, "reading objects", "objects", 0);
    cph_status s = CPH_OK;
    for (size_t i = 0; s == CPH_OK && i < n; i++) s = cph_find_units(&f, sources[i], err);
    if (s == CPH_OK) s = flush(b, err);
    for (size_t i = 0; i < b->n; i++) cph_outcome_release(&b->outcomes[i]);
    cph_progress_end(&b->progress);
    report(r->report, &found);
    cph_outcome_release(&found);
    cph_finder_release(&f);
    cph_arena_release(&b->a);
    cph_free(b);
    return s;
}

static cph_status with_scratch(run *r, const char *const *sources, size_t n, cph_err *err)
{
    void *p;
    unsigned workers = cph_pool_threads(r->pool), made = 0;
    CPH_TRY(cph_alloc_n(&p, workers, sizeof(scratch), err));
    r->scratch = p;
    cph_status s = CPH_OK;
    while (s == CPH_OK && made < workers) {
        s = cph_scratch_init(&r->scratch[made], err);
        made += s == CPH_OK;
    }
    if (s == CPH_OK) s = walk(r, sources, n, err);
    while (made-- > 0) cph_scratch_release(&r->scratch[made]);
    cph_free(r->scratch);
    return s;
}

/* Artefacts are made of scans and never read as such: their rights would not come with them. */
static cph_status no_product(const char *source, cph_err *err)
{
    static const char *const marks[] = {"colophon.json", "collection.db"};
    char path[CPH_PATH_MAX];
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (cph_path_join(path, source, marks[i], NULL) != CPH_OK || cph_file_kind_of(path) == CPH_FILE_NONE)
            continue;
        cph_fail(err, CPH_USAGE, "%s: is a %s of Colophon's, not a source", source,
                 i ? "collection" : "sealed artefact");
        (void)cph_hint(err, "name the scans or texts that it was made from");
        return CPH_USAGE;
    }
    return CPH_OK;
}

cph_status cph_ingest_check(const char *const *sources, size_t n, cph_err *err)
{
    if (!n) return cph_fail(err, CPH_USAGE, "no source is named");
    for (size_t i = 0; i < n; i++) {
        cph_file_kind kind = cph_file_kind_of(sources[i]);
        if (access(sources[i], kind == CPH_FILE_DIR ? R_OK | X_OK : R_OK) != 0)
            return cph_fail_errno(err, "%s", sources[i]);
        if (kind == CPH_FILE_OTHER)
            return cph_fail(err, CPH_USAGE, "%s: is neither a file nor a directory", sources[i]);
        if (kind == CPH_FILE_DIR) CPH_TRY(no_product(sources[i], err));
    }
    return CPH_OK;
}

cph_status cph_ingest_run(const char *const *sources, size_t n_sources, cph_collection *into,
                          const cph_ingest_opts *opts, cph_ingest_report *rep, cph_err *err)
{
    *rep = (cph_ingest_report){0};
    run r = {.opts = opts, .into = opts->dry_run ? NULL : into, .report = rep};
    if (!into && !opts->dry_run) return cph_fail(err, CPH_USAGE, "no collection is named");
    CPH_TRY(cph_ingest_check(sources, n_sources, err));
    CPH_TRY(cph_pool_open(&r.pool, opts->threads, err));
    cph_status s = with_scratch(&r, sources, n_sources, err);
    cph_pool_close(r.pool);
    return s;
}
