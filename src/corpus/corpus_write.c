/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus_write.c - the last pass: documents come from the spool in order, are told
 * what became of their copies, are rendered side by side and written in order.
 * Set leaves are sorted on the way; the drop log is written beside the shards.
 */
#include <colophon/base/interrupt.h>
#include <colophon/base/memory.h>

#include <string.h>

#include "build_in.h"

#define MAX_SLOTS 256
#define WINDOW_BYTES ((size_t)16 << 20) /* of entries, then the window is full */
#define SLOT_KEEP ((size_t)1 << 18)
#define DROP_FRAME ((uint64_t)4 << 20)

typedef struct slot {
    cph_buf bytes;
    cph_entry e;
    cph_fate f;
    cph_arena ids;
    cph_str *copies, *kept; /* ids that the fate's places stand for */
    cph_rendered out;
} slot;

typedef struct writing {
    building *b;
    cph_renderer render;
    cph_shards *shards;
    cph_zwrite *drops;
    cph_extsort *leaves;
    slot *slots;
    cph_buf peek;
    uint64_t ordinal;
} writing;

static void empty_slot(slot *x)
{
    cph_buf *bufs[] = {&x->bytes, &x->out.records, &x->out.provs, &x->out.dropped, &x->out.ids};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) {
        if (bufs[i]->cap > SLOT_KEEP) {
            cph_buf_release(bufs[i]);
            cph_buf_init(bufs[i], CPH_DOC_MAX);
        }
        bufs[i]->n = 0;
    }
    if (x->ids.used_bytes > SLOT_KEEP) cph_arena_release(&x->ids);
    else cph_arena_reset(&x->ids);
}

/* The id of the document that stands there. */
static cph_status id_at(writing *w, slot *x, uint64_t at, cph_str *out, cph_err *err)
{
    cph_entry e;
    *out = (cph_str){"", 0};
    if (at == UINT64_MAX) return CPH_OK;
    CPH_TRY(cph_spool_at(&w->b->spool, at, &w->peek, err));
    CPH_TRY(cph_entry_parse(&e, cph_buf_view(&w->peek), err));
    return cph_arena_str(&x->ids, out, e.id, err);
}

static cph_status name_copies(writing *w, slot *x, cph_err *err)
{
    void *mem;
    const cph_fate *f = &x->f;
    CPH_TRY(cph_arena_alloc0(&x->ids, &mem, f->n_dropped + 1, sizeof(cph_str), err));
    x->copies = mem;
    CPH_TRY(cph_arena_alloc0(&x->ids, &mem, f->n_marks + 1, sizeof(cph_str), err));
    x->kept = mem;
    if (f->drop) CPH_TRY(id_at(w, x, f->kept, &x->copies[0], err));
    for (size_t i = 0; i < f->n_dropped; i++) CPH_TRY(id_at(w, x, f->dropped[i], &x->copies[i], err));
    for (size_t i = 0; i < f->n_marks && !f->drop; i++)
        if (f->marks[i].drop) CPH_TRY(id_at(w, x, f->marks[i].kept, &x->kept[i], err));
    return CPH_OK;
}

static cph_status render_one(void *arg, size_t task, unsigned worker, cph_err *err)
{
    writing *w = arg;
    slot *x = &w->slots[task];
    (void)worker;
    return cph_record_render(&w->render, &x->e, &x->f, x->copies, x->kept, &x->out, err);
}

static int decade_of(cph_str date)
{
    int year = 0;
    if (date.n < 4) return 0;
    for (int i = 0; i < 4; i++) {
        if (date.p[i] < '0' || date.p[i] > '9') return 0;
        year = year * 10 + (date.p[i] - '0');
    }
    return year / 10 * 10;
}

static cph_status put_drops(writing *w, const slot *x, cph_err *err)
{
    cph_str rest = cph_buf_view(&x->out.dropped), line;
    CPH_TRY(cph_zwrite_add(w->drops, rest.p, rest.n, err));
    while (rest.n) {
        size_t lf = cph_str_find(rest, '\n', 0);
        line = cph_str_sub(rest, 0, lf);
        rest = cph_str_sub(rest, lf + 1, rest.n);
        cph_merkle_add(&w->b->dropped, line.p, line.n);
    }
    return cph_zwrite_pending(w->drops) > DROP_FRAME ? cph_zwrite_frame(w->drops, NULL, err) : CPH_OK;
}

static cph_status put_leaf(writing *w, const slot *x, cph_err *err)
{
    uint8_t bytes[CPH_SET_LEAF];
    cph_set_leaf leaf = {.wkey = cph_work_key(x->e.urn), .dkey = x->out.dkey, .text = x->out.text,
                         .decision = x->e.decision};
    cph_set_leaf_bytes(&leaf, bytes);
    return cph_extsort_add(w->leaves, bytes, err);
}

static cph_status put_slot(writing *w, slot *x, cph_err *err)
{
    building *b = w->b;
    size_t record = 0, prov = 0, id = 0;
    cph_stats_row row = {.lang = x->e.lang,
                         .type = x->e.type,
                         .basis = x->e.basis,
                         .decade = decade_of(x->e.date),
                         .documents = 1};
    if (x->out.dropped.n) CPH_TRY(put_drops(w, x, err));
    b->r.dropped_documents += x->f.drop;
    b->r.dropped_paragraphs += x->out.n_paragraphs_dropped;
    if (!x->out.n_lines) return CPH_OK;
    for (size_t i = 0; i < x->out.n_lines; i++) {
        const struct cph_line_info *l = &x->out.lines[i];
        CPH_TRY(cph_shards_add(w->shards, cph_str_sub(cph_buf_view(&x->out.records), record, l->record_bytes),
                               cph_str_sub(cph_buf_view(&x->out.provs), prov, l->prov_bytes),
                               cph_str_sub(cph_buf_view(&x->out.ids), id, l->id_bytes), x->e.object, err));
        record += l->record_bytes;
        prov += l->prov_bytes;
        id += l->id_bytes;
        row.records++;
        row.words += l->words;
        row.chars += l->chars;
    }
    b->r.records += row.records;
    b->r.words += row.words;
    b->r.characters += row.chars;
    CPH_TRY(cph_stats_add(&b->stats, &row, err));
    return put_leaf(w, x, err);
}

static cph_status fill_slot(writing *w, slot *x, cph_err *err)
{
    CPH_TRY(cph_spool_next(&w->b->spool, &x->bytes, err));
    CPH_TRY(cph_entry_parse(&x->e, cph_buf_view(&x->bytes), err));
    CPH_TRY(cph_copies_next(w->b->copies, w->ordinal++, &x->f, err));
    return name_copies(w, x, err);
}

static cph_status write_all(writing *w, cph_err *err)
{
    CPH_TRY(cph_spool_rewind(&w->b->spool, err));
    for (bool more = true; more;) {
        size_t used = 0, bytes = 0;
        CPH_TRY(cph_interrupt_check("build", err));
        for (; used < MAX_SLOTS && bytes < WINDOW_BYTES; used++) {
            empty_slot(&w->slots[used]);
            cph_status s = fill_slot(w, &w->slots[used], err);
            more = s != CPH_END;
            if (!more) break;
            CPH_TRY(s);
            bytes += w->slots[used].bytes.n;
        }
        CPH_TRY(cph_build_tasks(w->b, used, render_one, w, err));
        for (size_t i = 0; i < used; i++) CPH_TRY(put_slot(w, &w->slots[i], err));
        cph_progress_add(&w->b->progress, used);
    }
    return CPH_OK;
}

/* Leaves in the order of (work, document); the works are counted on the way. */
static cph_status sum_leaves(writing *w, cph_err *err)
{
    uint8_t leaf[CPH_SET_LEAF], last[32];
    cph_status s;
    while ((s = cph_extsort_next(w->leaves, leaf, err)) == CPH_OK) {
        if (!w->b->r.works || memcmp(last, leaf + 1, 32) != 0) w->b->r.works++;
        memcpy(last, leaf + 1, 32);
        cph_merkle_add(&w->b->set, leaf, sizeof leaf);
    }
    return s == CPH_END ? CPH_OK : s;
}

static cph_status open_all(writing *w, cph_err *err)
{
    building *b = w->b;
    char path[CPH_PATH_MAX];
    void *mem;
    CPH_TRY(cph_alloc0(&mem, MAX_SLOTS * sizeof *w->slots, err));
    w->slots = mem;
    for (size_t i = 0; i < MAX_SLOTS; i++) {
        cph_buf_init(&w->slots[i].bytes, CPH_DOC_MAX);
        cph_arena_init(&w->slots[i].ids, 0);
        cph_rendered_init(&w->slots[i].out);
    }
    CPH_TRY(cph_path_join(path, b->work, "sort.leaves", err));
    CPH_TRY(cph_extsort_open(&w->leaves, path, CPH_SET_LEAF, b->o->sort_bytes / 3, err));
    CPH_TRY(cph_path_join(path, b->dir.path, "dropped.jsonl.zst", err));
    CPH_TRY(cph_zwrite_open(&w->drops, path, err));
    return cph_shards_open(&w->shards, b->dir.path, b->o->pool, err);
}

static void close_all(writing *w)
{
    cph_shards_abandon(w->shards);
    cph_zwrite_abandon(w->drops);
    cph_extsort_close(w->leaves);
    cph_buf_release(&w->peek);
    for (size_t i = 0; w->slots && i < MAX_SLOTS; i++) {
        cph_buf_release(&w->slots[i].bytes);
        cph_arena_release(&w->slots[i].ids);
        cph_rendered_release(&w->slots[i].out);
        cph_fate_release(&w->slots[i].f);
    }
    cph_free(w->slots);
}

static cph_status write_corpus(writing *w, cph_err *err)
{
    building *b = w->b;
    cph_progress_begin(&b->progress, "writing records", "documents", b->n_documents);
    cph_status s = write_all(w, err);
    cph_progress_end(&b->progress);
    CPH_TRY(s);
    cph_shards *shards = w->shards;
    cph_zwrite *drops = w->drops;
    w->shards = NULL;
    CPH_TRY(cph_shards_close(shards, &b->records, &b->provs, err));
    w->drops = NULL;
    CPH_TRY(cph_zwrite_close(drops, err));
    return sum_leaves(w, err);
}

cph_status cph_build_write(building *b, cph_err *err)
{
    writing w = {.b = b, .render = {.max_chars = b->o->max_chars, .copies_limit = b->o->boilerplate_copies}};
    if (b->o->paragraphs != CPH_DEDUP_BOILERPLATE) w.render.copies_limit = 2;
    CPH_TRY(cph_build_identity(b, err));
    memcpy(w.render.options, b->options, sizeof w.render.options);
    cph_buf_init(&w.peek, CPH_DOC_MAX);
    cph_merkle_init(&b->dropped);
    cph_merkle_init(&b->set);
    cph_status s = open_all(&w, err);
    if (s == CPH_OK) s = write_corpus(&w, err);
    close_all(&w);
    return s;
}
