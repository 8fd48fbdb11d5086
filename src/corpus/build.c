/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build.c - the passes of a build, each over a window of objects or documents:
 *
 *   ask     every object in key order: may it? tally; words for the lexicon
 *   make    permitted objects: pages become documents, in a spool
 *   write   documents without their copies become records, in shards
 *
 * Workers fill the slots of a window, the caller empties them in order: what comes
 * out does not depend on how many workers there are. Whatever outgrows memory lies
 * in <out>.tmp/work, which is gone before anything is sealed.
 */
#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>
#include <colophon/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_in.h"

#define MAX_TASKS 256       /* objects of a window */
#define WORKER_PAGES 256    /* a window is full with so many pages a worker */
#define SLOT_KEEP ((size_t)1 << 18)

void cph_build_opts_init(cph_build_opts *o)
{
    *o = (cph_build_opts){.rulebase = "house",
                          .unit = CPH_UNIT_AUTO,
                          .max_chars = 1000000,
                          .documents = CPH_DEDUP_FIRST,
                          .paragraphs = CPH_DEDUP_BOILERPLATE,
                          .paragraph_chars = 100,
                          .boilerplate_copies = 10,
                          .heads = true,
                          .sort_bytes = (uint64_t)32 << 20};
    cph_policy_init(&o->policy);
    cph_normalise_opts_init(&o->normal);
    o->normal.mojibake = true;
}

static cph_status check_opts(const cph_build_opts *o, cph_err *err)
{
    if (!o->collection) return cph_fail(err, CPH_USAGE, "build wants a collection");
    if (!o->out && !o->dry_run) return cph_fail(err, CPH_USAGE, "build wants a directory for the corpus");
    if (!o->policy.as_of) return cph_fail(err, CPH_USAGE, "build wants the date of the question (as_of)");
    if (o->max_chars < 1000 || o->max_chars > 16000000)
        return cph_fail(err, CPH_USAGE, "max-chars is %u; it lies between 1,000 and 16,000,000",
                        o->max_chars);
    if (o->boilerplate_copies < 2 || o->boilerplate_copies > 100000)
        return cph_fail(err, CPH_USAGE, "boilerplate-copies is %u; it lies between 2 and 100,000",
                        o->boilerplate_copies);
    if (!o->normal.nfc) return cph_fail(err, CPH_USAGE, "the text of a corpus is in NFC: that step stays on");
    return CPH_OK;
}

/* ---- workers ---- */

cph_status cph_build_tasks(const building *b, size_t n, cph_task_fn fn, void *arg, cph_err *err)
{
    if (b->o->pool) return cph_pool_run(b->o->pool, n, fn, arg, err);
    for (size_t i = 0; i < n; i++) CPH_TRY(fn(arg, i, 0, err));
    return CPH_OK;
}

static unsigned n_workers(const building *b) { return b->o->pool ? cph_pool_threads(b->o->pool) : 1; }

static uint64_t window_pages(const building *b) { return WORKER_PAGES * (uint64_t)(n_workers(b) + 1); }

static void reset_task(cph_task *t)
{
    if (t->a.used_bytes > SLOT_KEEP) cph_arena_release(&t->a);
    else cph_arena_reset(&t->a);
    if (t->entries.cap > SLOT_KEEP) cph_buf_release(&t->entries);
    if (t->copies.cap > SLOT_KEEP) cph_buf_release(&t->copies);
    cph_buf entries = t->entries, copies = t->copies;
    cph_arena a = t->a;
    entries.n = copies.n = 0;
    *t = (cph_task){.a = a, .entries = entries, .copies = copies};
    if (!t->entries.p) cph_buf_init(&t->entries, CPH_DOC_MAX);
    if (!t->copies.p) cph_buf_init(&t->copies, CPH_DOC_MAX);
}

/* ---- pass 1: ask ---- */

static cph_status plan_object(building *b, const cph_task *t, uint64_t index, cph_err *err)
{
    const cph_verdict *v = &t->v;
    b->scratch.n = 0;
    CPH_TRY(cph_put_u64(&b->scratch, index, err));
    CPH_TRY(cph_put_u64(&b->scratch, v->skip, err));
    CPH_TRY(cph_put_u64(&b->scratch, v->rank, err));
    CPH_TRY(cph_put_str(&b->scratch, (cph_str){(const char *)v->hash.b, 32}, err));
    const cph_str texts[] = {v->basis, v->urn, v->date, v->form, v->lang, v->version};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CPH_TRY(cph_put_str(&b->scratch, texts[i], err));
    return cph_spool_add(&b->plan, cph_buf_view(&b->scratch), NULL, err);
}

static bool reads_pages(const building *b, const cph_task *t)
{
    bool given = t->v.answer == CPH_ALLOW && !t->v.skip;
    return t->words == UINT64_MAX || (given && !b->o->dry_run);
}

static cph_status ask_one(building *b, cph_task *t, size_t index, cph_err *err)
{
    reset_task(t);
    CPH_TRY(cph_snapshot_object_at(b->snapshot, index, &t->a, &t->o, err));
    CPH_TRY(cph_gate_ask(b->gate, &t->o, &t->a, &t->v, err));
    t->words = cph_row_words(t->o.row);
    return reads_pages(b, t) ? cph_task_pages(b->snapshot, t, err) : CPH_OK;
}

/* Counts the tokens where the row does not say, and the words of what is permitted. */
static cph_status survey(void *arg, size_t task, unsigned worker, cph_err *err)
{
    building *b = arg;
    cph_task *t = &b->tasks[task];
    cph_leaf *leaves = NULL;
    if (!reads_pages(b, t)) return CPH_OK;
    bool given = t->v.answer == CPH_ALLOW && !t->v.skip && !b->o->dry_run;
    CPH_TRY(cph_task_leaves(b->snapshot, t, &leaves, err));
    uint64_t words = 0;
    cph_str lang = cph_row_lang(&t->o, t->v.lang);
    for (uint32_t i = 0; i < t->o.n_pages; i++) {
        words += leaves[i].page.n_tokens;
        if (given) CPH_TRY(cph_lexicon_page(b->lexicon, worker, lang, &leaves[i].page, err));
    }
    if (t->words == UINT64_MAX) t->words = words;
    return CPH_OK;
}

static cph_status ask_all(building *b, cph_err *err)
{
    size_t n = cph_snapshot_n_objects(b->snapshot);
    for (size_t from = 0; from < n;) {
        size_t used = 0;
        uint64_t pages = 0;
        CPH_TRY(cph_interrupt_check("build", err));
        for (; used < MAX_TASKS && from + used < n && pages < window_pages(b); used++) {
            CPH_TRY(ask_one(b, &b->tasks[used], from + used, err));
            pages += reads_pages(b, &b->tasks[used]) ? b->tasks[used].o.n_pages : 0;
        }
        CPH_TRY(cph_build_tasks(b, used, survey, b, err));
        for (size_t i = 0; i < used; i++) {
            cph_task *t = &b->tasks[i];
            uint64_t documents = cph_plan_count(t->o.row, b->o->unit, t->v.form, t->o.n_pages);
            CPH_TRY(cph_gate_count(b->gate, &t->v, documents, t->words, err));
            if (t->v.answer == CPH_ALLOW && !b->o->dry_run) CPH_TRY(plan_object(b, t, from + i, err));
        }
        from += used;
        cph_progress_add(&b->progress, used);
    }
    return CPH_OK;
}

/* What a refusal says: the question, then the rules that count most. */
static cph_status nothing_given(const building *b, cph_err *err)
{
    char day[16], list[256] = "";
    size_t at = 0;
    const cph_build_report *r = &b->r;
    cph_day_text(b->o->policy.as_of, day);
    for (size_t i = 0; i < r->n_tally && at < sizeof list - 96; i++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%.*s: %llu", i ? ", " : "",
                               CPH_FMT(r->tally[i].rule), (unsigned long long)r->tally[i].works);
    cph_fail(err, CPH_RIGHTS,
             "%s: nothing may be used for %s (tier %s, forum %s) as of %s: %llu works refused (%s)",
             b->o->collection, cph_purpose_text(b->o->policy.purpose), cph_tier_text(b->o->policy.tier),
             b->o->policy.forum, day, (unsigned long long)r->works_refused, list);
    return cph_hint(err, "colophon rights explain WORK --for %s tells why; nothing was written",
                    cph_purpose_text(b->o->policy.purpose));
}

/* ---- pass 2: make ---- */

static cph_status take_plan(building *b, cph_task *t, cph_err *err)
{
    reset_task(t);
    cph_str kept;
    CPH_TRY(cph_spool_next(&b->plan, &b->scratch, err));
    CPH_TRY(cph_arena_str(&t->a, &kept, cph_buf_view(&b->scratch), err));
    cph_take in = {kept.p, kept.p + kept.n, false};
    size_t index = (size_t)cph_take_u64(&in);
    t->v = (cph_verdict){.answer = CPH_ALLOW};
    t->v.skip = cph_take_u64(&in) != 0;
    t->v.rank = (uint8_t)cph_take_u64(&in);
    t->v.hash = cph_take_digest(&in);
    cph_str *texts[] = {&t->v.basis, &t->v.urn, &t->v.date, &t->v.form, &t->v.lang, &t->v.version};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) *texts[i] = cph_take_str(&in);
    if (in.bad) return cph_fail(err, CPH_BUG, "an object in the spool is cut");
    CPH_TRY(cph_snapshot_object_at(b->snapshot, index, &t->a, &t->o, err));
    return t->v.skip ? CPH_OK : cph_task_pages(b->snapshot, t, err);
}

static cph_status make_one(void *arg, size_t task, unsigned worker, cph_err *err)
{
    building *b = arg;
    cph_maker m = {b->o, b->snapshot, b->lexicon};
    (void)worker;
    return cph_document_make(&m, &b->tasks[task], err);
}

static cph_status commit_object(building *b, cph_task *t, cph_err *err)
{
    cph_take in = {t->entries.p, t->entries.p + t->entries.n, false};
    const cph_text_hash *c = (const cph_text_hash *)(const void *)t->copies.p;
    size_t n = t->copies.n / sizeof *c, k = 0;
    for (uint64_t d = 0; d < t->n_documents; d++) {
        uint64_t at;
        cph_str entry = cph_take_str(&in);
        if (in.bad) return cph_fail(err, CPH_BUG, "object %.*s: its documents are cut", CPH_FMT(t->o.key));
        CPH_TRY(cph_spool_add(&b->spool, entry, &at, err));
        for (; k < n && c[k].document == d; k++)
            CPH_TRY(cph_copies_add(b->copies, &c[k], b->n_documents, at, t->v.rank, t->v.date, err));
        b->n_documents++;
    }
    cph_hyphen_counts_add(&b->r.hyphens, &t->hyphens);
    cph_balance_add(&b->r.balance, &t->balance);
    cph_normalise_counts_add(&b->stats.normal, &t->normal);
    b->r.empty_documents += t->empty;
    return CPH_OK;
}

static cph_status make_all(building *b, cph_err *err)
{
    CPH_TRY(cph_spool_rewind(&b->plan, err));
    for (bool more = true; more;) {
        size_t used = 0;
        uint64_t pages = 0;
        CPH_TRY(cph_interrupt_check("build", err));
        for (; used < MAX_TASKS && pages < window_pages(b); used++) {
            cph_status s = take_plan(b, &b->tasks[used], err);
            more = s != CPH_END;
            if (!more) break;
            CPH_TRY(s);
            pages += b->tasks[used].o.n_pages;
        }
        CPH_TRY(cph_build_tasks(b, used, make_one, b, err));
        for (size_t i = 0; i < used; i++) CPH_TRY(commit_object(b, &b->tasks[i], err));
        cph_progress_add(&b->progress, used);
    }
    return CPH_OK;
}

/* ---- the whole ---- */

static cph_status open_snapshot(building *b, cph_err *err)
{
    const cph_build_opts *o = b->o;
    cph_collection *c = NULL;
    if (cph_file_kind_of(o->collection) != CPH_FILE_DIR) {
        cph_fail(err, CPH_IO, "%s: there is no collection", o->collection);
        return cph_hint(err, "colophon ingest SOURCE --into %s makes one", o->collection);
    }
    if (o->snapshot) {
        b->r.snapshot = *o->snapshot;
    } else {
        CPH_TRY(cph_collection_open(&c, o->collection, CPH_OPEN_READ, err));
        cph_status s = cph_collection_snapshot(c, &b->r.snapshot, err);
        cph_collection_close(c);
        CPH_TRY(s);
    }
    CPH_TRY(cph_snapshot_open(&b->snapshot, o->collection, &b->r.snapshot, err));
    if (cph_snapshot_n_objects(b->snapshot)) return CPH_OK;
    cph_fail(err, CPH_DATA, "%s: the collection holds no object", o->collection);
    return cph_hint(err, "colophon ingest SOURCE --into %s puts some in", o->collection);
}

static cph_status open_work(building *b, cph_err *err)
{
    char path[CPH_PATH_MAX];
    if (b->o->dry_run) {
        const char *dir = getenv("TMPDIR");
        CPH_TRY(cph_path_join(b->work, dir && *dir ? dir : "/tmp", "colophon-build-XXXXXX", err));
        if (!mkdtemp(b->work)) {
            b->work[0] = 0;
            return cph_fail_errno(err, "%s: cannot make a directory for sorting", dir && *dir ? dir : "/tmp");
        }
    } else {
        CPH_TRY(cph_outdir_begin(&b->dir, b->o->out, false, err));
        CPH_TRY(cph_path_join(b->work, b->dir.path, "work", err));
        CPH_TRY(cph_mkdirs(b->work, err));
        CPH_TRY(cph_path_join(path, b->work, "spool.plan", err));
        CPH_TRY(cph_spool_create(&b->plan, path, err));
        CPH_TRY(cph_path_join(path, b->work, "spool.documents", err));
        CPH_TRY(cph_spool_create(&b->spool, path, err));
        CPH_TRY(cph_copies_open(&b->copies, b->o, b->work, err));
        CPH_TRY(cph_lexicon_open(&b->lexicon, b->work, n_workers(b), b->o->sort_bytes, err));
    }
    return cph_gate_open(&b->gate, b->o, b->snapshot, b->work, err);
}

static void close_work(building *b)
{
    cph_gate_close(b->gate);
    cph_lexicon_close(b->lexicon);
    cph_copies_close(b->copies);
    cph_spool_close(&b->plan);
    cph_spool_close(&b->spool);
    b->gate = NULL;
    b->lexicon = NULL;
    b->copies = NULL;
}

static cph_status make_tasks(building *b, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, MAX_TASKS * sizeof *b->tasks, err));
    b->tasks = mem;
    for (size_t i = 0; i < MAX_TASKS; i++) {
        cph_arena_init(&b->tasks[i].a, 0);
        cph_buf_init(&b->tasks[i].entries, CPH_DOC_MAX);
        cph_buf_init(&b->tasks[i].copies, CPH_DOC_MAX);
    }
    return CPH_OK;
}

static void drop_tasks(building *b)
{
    for (size_t i = 0; b->tasks && i < MAX_TASKS; i++) {
        cph_arena_release(&b->tasks[i].a);
        cph_buf_release(&b->tasks[i].entries);
        cph_buf_release(&b->tasks[i].copies);
    }
    cph_free(b->tasks);
    b->tasks = NULL;
}

static cph_status ask(building *b, cph_err *err)
{
    cph_progress_begin(&b->progress, "asking for rights", "objects", cph_snapshot_n_objects(b->snapshot));
    cph_status s = ask_all(b, err);
    cph_progress_end(&b->progress);
    CPH_TRY(s);
    CPH_TRY(cph_gate_tally(b->gate, b->a, &b->r, err));
    return b->r.documents_given || b->o->dry_run ? CPH_OK : nothing_given(b, err);
}

static cph_status make(building *b, cph_err *err)
{
    CPH_TRY(cph_lexicon_finish(b->lexicon, &b->lexicon_digest, err));
    cph_progress_begin(&b->progress, "joining pages", "objects", 0);
    cph_status s = make_all(b, err);
    cph_progress_end(&b->progress);
    drop_tasks(b);
    if (s == CPH_OK) s = cph_copies_resolve(b->copies, err);
    return s;
}

static cph_status build(building *b, cph_err *err)
{
    CPH_TRY(open_snapshot(b, err));
    CPH_TRY(open_work(b, err));
    CPH_TRY(make_tasks(b, err));
    CPH_TRY(ask(b, err));
    if (b->o->dry_run) return CPH_OK;
    CPH_TRY(make(b, err));
    CPH_TRY(cph_build_write(b, err));
    CPH_TRY(cph_build_seal(b, err));
    b->r.written = true;
    return CPH_OK;
}

cph_status cph_build_run(const cph_build_opts *o, cph_arena *a, cph_build_report *report, cph_err *err)
{
    void *mem;
    CPH_TRY(check_opts(o, err));
    CPH_TRY(cph_alloc0(&mem, sizeof(building), err));
    building *b = mem;
    b->o = o;
    b->a = a;
    b->plan.fd = b->spool.fd = -1;
    cph_buf_init(&b->scratch, CPH_DOC_MAX);
    cph_stats_init(&b->stats);
    cph_status s = build(b, err);
    close_work(b);
    drop_tasks(b);
    cph_snapshot_close(b->snapshot);
    if (b->o->dry_run && b->work[0]) rmdir(b->work);
    if (b->dir.open) cph_outdir_abort(&b->dir); /* after a commit: nothing */
    cph_stats_release(&b->stats);
    cph_buf_release(&b->scratch);
    if (s == CPH_OK || s == CPH_RIGHTS) *report = b->r;
    cph_free(b);
    return s;
}
