/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus_record.c - a finished document as lines: records (readers-and-corpus 27.1), the
 * side-car's lines (27.3), what was dropped (27.4, LAW-8). Side-car and drop lines
 * are canonical JSON, their members in the order of their names: written so by
 * hand here, and held to it by a test.
 */
#include <colophon/base/memory.h>
#include <colophon/text/unicode.h>

#include <string.h>

#include "corpus_in.h"

void cph_rendered_init(cph_rendered *r)
{
    *r = (cph_rendered){0};
    cph_buf_init(&r->records, CPH_DOC_MAX);
    cph_buf_init(&r->provs, CPH_DOC_MAX);
    cph_buf_init(&r->dropped, CPH_DOC_MAX);
    cph_buf_init(&r->ids, CPH_DOC_MAX);
}

void cph_rendered_release(cph_rendered *r)
{
    cph_buf_release(&r->records);
    cph_buf_release(&r->provs);
    cph_buf_release(&r->dropped);
    cph_buf_release(&r->ids);
    cph_free(r->lines);
    *r = (cph_rendered){0};
}

/* ---- one document on its way ---- */

typedef struct place { /* where a piece of the text comes from */
    uint64_t offset;
    uint32_t page;
    cph_str block;
} place;

typedef struct repeated {
    uint64_t offset, copies;
} repeated;

typedef struct rendering {
    const cph_renderer *x;
    const cph_entry *e;
    const cph_fate *f;
    const cph_str *dropped_ids;
    cph_rendered *out;
    cph_entry_page *pages;
    bool *used;     /* of each page: the part under way has text of it */
    uint64_t near;  /* the page that was found last */
    cph_digest wkey;
    cph_sha256 all; /* over the texts of all parts */
    uint32_t part;
    /* the part under way */
    cph_buf text, map, splits, repeats;
    uint64_t chars;
} rendering;

static cph_status read_pages(rendering *r, cph_err *err)
{
    void *mem;
    cph_take t = r->e->pages;
    CPH_TRY(cph_alloc_n(&mem, (size_t)r->e->n_pages + 1, sizeof *r->pages, err));
    r->pages = mem;
    CPH_TRY(cph_alloc0(&mem, (size_t)r->e->n_pages + 1, err));
    r->used = mem;
    for (uint64_t i = 0; i < r->e->n_pages; i++) {
        cph_entry_page *p = &r->pages[i];
        p->order = (uint32_t)cph_take_u64(&t);
        p->label = cph_take_str(&t);
        p->text_file = cph_take_str(&t);
        p->image_file = cph_take_str(&t);
        p->checksum = cph_take_str(&t);
        p->bytes = cph_take_u64(&t);
    }
    return CPH_OK;
}

/* ---- the side-car ---- */

static void key_str(cph_jw *w, const char *key, cph_str s)
{
    cph_jw_key(w, key);
    cph_jw_str(w, s);
}

static void key_hex(cph_jw *w, const char *key, const cph_digest *d)
{
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(d, hex);
    key_str(w, key, (cph_str){hex, 64});
}

static void key_raw(cph_jw *w, const char *key, cph_str json)
{
    cph_jw_key(w, key);
    cph_jw_raw(w, json);
}

static void use_page(rendering *r, uint32_t order)
{
    for (uint64_t i = 0; i < r->e->n_pages; i++) {
        uint64_t k = (r->near + i) % r->e->n_pages; /* text runs along with the pages */
        if (r->pages[k].order != order) continue;
        r->near = k;
        r->used[k] = true;
        return;
    }
}

static void put_files(const rendering *r, cph_jw *w)
{
    cph_jw_key(w, "files");
    cph_jw_arr(w);
    for (uint64_t i = 0; i < r->e->n_pages; i++) {
        const cph_entry_page *p = &r->pages[i];
        bool twice = i > 0 && r->used[i - 1] && cph_str_eq(p->text_file, r->pages[i - 1].text_file);
        if (!p->text_file.n || twice || !r->used[i]) continue;
        cph_jw_obj(w);
        cph_jw_key(w, "bytes");
        cph_jw_u64(w, p->bytes);
        key_str(w, "checksum", p->checksum);
        key_str(w, "sha256", p->text_file);
        cph_jw_end(w);
    }
    cph_jw_end(w);
}

static void put_images(const rendering *r, cph_jw *w)
{
    cph_jw_key(w, "images");
    cph_jw_arr(w);
    for (uint64_t i = 0; i < r->e->n_pages; i++)
        if (r->pages[i].image_file.n && r->used[i]) cph_jw_str(w, r->pages[i].image_file);
    cph_jw_end(w);
}

/* Ranges of places in the object, with the printed labels of their ends. */
static void put_pages(const rendering *r, cph_jw *w)
{
    cph_jw_key(w, "pages");
    cph_jw_arr(w);
    for (uint64_t i = 0, to; i < r->e->n_pages; i = to) {
        to = i + 1;
        if (!r->used[i]) continue;
        while (to < r->e->n_pages && r->pages[to].order == r->pages[to - 1].order + 1 && r->used[to]) to++;
        cph_jw_arr(w);
        cph_jw_u64(w, r->pages[i].order);
        cph_jw_u64(w, r->pages[to - 1].order);
        cph_jw_str(w, r->pages[i].label);
        cph_jw_str(w, r->pages[to - 1].label);
        cph_jw_end(w);
    }
    cph_jw_end(w);
}

static void put_places(cph_jw *w, const char *key, const cph_buf *b)
{
    const place *at = (const place *)(const void *)b->p;
    if (!b->n) return;
    cph_jw_key(w, key);
    cph_jw_arr(w);
    for (size_t i = 0; i < b->n / sizeof *at; i++) {
        cph_jw_arr(w);
        cph_jw_u64(w, at[i].offset);
        cph_jw_u64(w, at[i].page);
        cph_jw_str(w, at[i].block);
        cph_jw_end(w);
    }
    cph_jw_end(w);
}

static void put_cluster(const rendering *r, cph_jw *w)
{
    if (r->f->cluster < 2) return;
    cph_jw_key(w, "cluster");
    cph_jw_obj(w);
    cph_jw_key(w, "dropped");
    cph_jw_arr(w);
    for (size_t i = 0; i < r->f->n_dropped; i++) cph_jw_str(w, r->dropped_ids[i]);
    cph_jw_end(w);
    cph_jw_key(w, "size");
    cph_jw_u64(w, r->f->cluster);
    cph_jw_end(w);
}

static void put_repeats(const rendering *r, cph_jw *w)
{
    const repeated *at = (const repeated *)(const void *)r->repeats.p;
    if (!r->repeats.n) return;
    cph_jw_key(w, "repeated");
    cph_jw_arr(w);
    for (size_t i = 0; i < r->repeats.n / sizeof *at; i++) {
        cph_jw_arr(w);
        cph_jw_u64(w, at[i].offset);
        cph_jw_u64(w, at[i].copies);
        cph_jw_end(w);
    }
    cph_jw_end(w);
}

static void key_list_of_one(cph_jw *w, const char *key, cph_str s)
{
    cph_jw_key(w, key);
    cph_jw_arr(w);
    cph_jw_str(w, s);
    cph_jw_end(w);
}

/* Members in the order of their names. Hyphen, role and normalisation counts are the whole document's. */
static cph_status put_prov(rendering *r, cph_str id, cph_err *err)
{
    const cph_entry *e = r->e;
    char wkey[CPH_HEX_DIGEST];
    cph_digest text = cph_sha256_of(r->text.p, r->text.n);
    cph_jw w = cph_jw_on(&r->out->provs);
    cph_digest_hex(&r->wkey, wkey);
    cph_jw_obj(&w);
    key_str(&w, "basis", e->basis);
    put_cluster(r, &w);
    key_raw(&w, "dates", e->dates);
    key_hex(&w, "decision", &e->decision);
    key_hex(&w, "dkey", &r->out->dkey);
    key_raw(&w, "engine", e->engine);
    put_files(r, &w);
    key_raw(&w, "hyphens", e->hyphens);
    key_str(&w, "id", id);
    put_images(r, &w);
    key_raw(&w, "languages", e->languages);
    put_places(&w, "map", &r->map);
    key_raw(&w, "normal", e->normal);
    key_str(&w, "object", e->object);
    key_str(&w, "options", cph_str_of(r->x->options));
    put_pages(r, &w);
    put_repeats(r, &w);
    key_raw(&w, "roles", e->roles);
    key_str(&w, "source", e->profile);
    put_places(&w, "splits", &r->splits);
    key_hex(&w, "text_sha256", &text);
    if (e->title.n) key_str(&w, "title", e->title);
    key_raw(&w, "wc", e->wc);
    key_list_of_one(&w, "wkeys", cph_str_of(wkey));
    key_list_of_one(&w, "works", e->urn);
    cph_jw_end(&w);
    return cph_jw_done(&w, err);
}

/* ---- the record; shards.c adds its last member, src ---- */

static cph_status put_record(rendering *r, cph_str id, cph_err *err)
{
    const cph_entry *e = r->e;
    cph_jw w = cph_jw_on(&r->out->records);
    cph_jw_obj(&w);
    key_str(&w, "id", id);
    key_str(&w, "text", cph_buf_view(&r->text));
    key_str(&w, "lang", e->lang);
    key_str(&w, "type", e->type);
    if (e->date.n) key_str(&w, "date", e->date);
    key_hex(&w, "rights", &e->decision);
    cph_jw_end(&w);
    return cph_jw_done(&w, err);
}

static cph_status add_info(cph_rendered *o, struct cph_line_info **out, cph_err *err)
{
    if (o->n_lines == o->lines_cap) {
        void *p = o->lines;
        CPH_TRY(cph_realloc(&p, (o->lines_cap * 2 + 2) * sizeof *o->lines, err));
        o->lines = p;
        o->lines_cap = o->lines_cap * 2 + 2;
    }
    *out = &o->lines[o->n_lines++];
    return CPH_OK;
}

/* Ends the part under way; `last` and no part before it: the document has no #part. */
static cph_status end_part(rendering *r, bool last, cph_err *err)
{
    struct cph_line_info *info;
    cph_rendered *o = r->out;
    cph_buf id;
    if (!r->text.n) return CPH_OK;
    cph_buf_init(&id, 1u << 16);
    r->part++;
    cph_status s = cph_buf_str(&id, r->e->id, err);
    if (s == CPH_OK && !(last && r->part == 1)) s = cph_buf_printf(&id, err, "#part%u", r->part);
    size_t record = o->records.n, prov = o->provs.n, id_at = o->ids.n;
    if (s == CPH_OK) s = put_record(r, cph_buf_view(&id), err);
    if (s == CPH_OK) s = put_prov(r, cph_buf_view(&id), err);
    if (s == CPH_OK) s = cph_buf_str(&o->ids, cph_buf_view(&id), err);
    cph_buf_release(&id);
    CPH_TRY(s);
    CPH_TRY(add_info(o, &info, err));
    info->id_bytes = (uint32_t)(o->ids.n - id_at);
    info->record_bytes = (uint32_t)(o->records.n - record);
    info->prov_bytes = (uint32_t)(o->provs.n - prov);
    info->words = cph_word_count(cph_buf_view(&r->text));
    info->chars = r->chars;
    cph_sha256_add(&r->all, r->text.p, r->text.n);
    r->text.n = r->map.n = r->splits.n = r->repeats.n = 0;
    r->chars = 0;
    memset(r->used, 0, (size_t)r->e->n_pages);
    return CPH_OK;
}

/* ---- paragraphs ---- */

static cph_status drop_line(rendering *r, const char *stage, const char *rule, uint64_t value,
                            uint64_t threshold, cph_str kept, const uint64_t *paragraph, cph_err *err)
{
    cph_jw w = cph_jw_on(&r->out->dropped);
    cph_jw_obj(&w);
    key_str(&w, "id", r->e->id);
    if (kept.n) key_str(&w, "kept", kept);
    if (paragraph) {
        cph_jw_key(&w, "paragraph");
        cph_jw_u64(&w, *paragraph);
    }
    key_str(&w, "rule", cph_str_of(rule));
    key_str(&w, "stage", cph_str_of(stage));
    cph_jw_key(&w, "threshold");
    cph_jw_u64(&w, threshold);
    cph_jw_key(&w, "value");
    cph_jw_u64(&w, value);
    key_list_of_one(&w, "works", r->e->urn); /* prove --absent asks whose text is in under another id */
    cph_jw_end(&w);
    CPH_TRY(cph_jw_done(&w, err));
    return cph_buf_char(&r->out->dropped, '\n', err);
}

static cph_status add_places(rendering *r, cph_take *t, uint64_t base, cph_buf *to, bool keep, cph_err *err)
{
    uint64_t n = cph_take_u64(t);
    for (uint64_t i = 0; i < n && !t->bad; i++) {
        place p = {.offset = base + cph_take_u64(t)};
        p.page = (uint32_t)cph_take_u64(t);
        p.block = cph_take_str(t);
        if (!keep) continue;
        CPH_TRY(cph_buf_add(to, &p, sizeof p, err));
        if (to == &r->map) use_page(r, p.page);
    }
    return CPH_OK;
}

static const cph_mark *mark_of(const rendering *r, uint64_t paragraph)
{
    for (size_t i = 0; i < r->f->n_marks; i++)
        if (r->f->marks[i].paragraph == paragraph) return &r->f->marks[i];
    return NULL;
}

static cph_status put_paragraph(rendering *r, cph_take *t, uint64_t i, const cph_str *kept_ids, cph_err *err)
{
    const cph_mark *m = mark_of(r, i);
    bool keep = !m || !m->drop;
    cph_take_u64(t); /* its role */
    cph_str text = cph_take_str(t);
    uint64_t chars = cph_utf8_count(text);
    if (!keep) {
        r->out->n_paragraphs_dropped++;
        CPH_TRY(drop_line(r, "paragraph", "DUP-PARAGRAPH", m->copies, r->x->copies_limit,
                          kept_ids[m - r->f->marks], &i, err));
    } else {
        if (r->chars && r->chars + 2 + chars > r->x->max_chars) CPH_TRY(end_part(r, false, err));
        if (r->text.n) {
            CPH_TRY(cph_buf_add(&r->text, "\n\n", 2, err));
            r->chars += 2;
        }
        if (m) {
            repeated again = {r->text.n, m->copies};
            CPH_TRY(cph_buf_add(&r->repeats, &again, sizeof again, err));
        }
    }
    uint64_t base = r->text.n;
    CPH_TRY(add_places(r, t, base, &r->map, keep, err));
    CPH_TRY(add_places(r, t, base, &r->splits, keep, err));
    if (!keep) return CPH_OK;
    r->chars += chars;
    return cph_buf_str(&r->text, text, err);
}

/* ---- the whole ---- */

static cph_status render(rendering *r, const cph_str *kept_ids, cph_err *err)
{
    const cph_entry *e = r->e;
    cph_take t = e->paragraphs;
    if (e->skip) return drop_line(r, "version", "VERSION", 0, 1, (cph_str){"", 0}, NULL, err);
    if (!e->n_paragraphs) return drop_line(r, "text", "EMPTY", 0, 1, (cph_str){"", 0}, NULL, err);
    if (r->f->drop)
        return drop_line(r, "document", "DUP-DOCUMENT", r->f->cluster, 2, r->dropped_ids[0], NULL, err);
    CPH_TRY(read_pages(r, err));
    for (uint64_t i = 0; i < e->n_paragraphs; i++) CPH_TRY(put_paragraph(r, &t, i, kept_ids, err));
    CPH_TRY(end_part(r, true, err));
    if (t.bad) return cph_fail(err, CPH_BUG, "a document in the spool is cut");
    if (!r->part) CPH_TRY(drop_line(r, "paragraph", "EMPTY", 0, 1, (cph_str){"", 0}, NULL, err));
    return CPH_OK;
}

cph_status cph_record_render(const cph_renderer *x, const cph_entry *e, const cph_fate *f, const cph_str *ids,
                             const cph_str *kept_ids, cph_rendered *out, cph_err *err)
{
    rendering r = {.x = x, .e = e, .f = f, .dropped_ids = ids, .out = out, .wkey = cph_work_key(e->urn)};
    cph_buf *bufs[] = {&r.text, &r.map, &r.splits, &r.repeats};
    out->records.n = out->provs.n = out->dropped.n = out->ids.n = out->n_lines = 0;
    out->n_paragraphs_dropped = 0;
    out->dkey = cph_doc_key(e->id);
    cph_sha256_init(&r.all);
    for (size_t i = 0; i < 4; i++) cph_buf_init(bufs[i], CPH_DOC_MAX);
    cph_status s = render(&r, kept_ids, err);
    out->text = cph_sha256_end(&r.all);
    for (size_t i = 0; i < 4; i++) cph_buf_release(bufs[i]);
    cph_free(r.pages);
    cph_free(r.used);
    return s;
}
