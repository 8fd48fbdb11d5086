/* SPDX-License-Identifier: Apache-2.0 */
/*
 * document.c - one permitted object becomes finished documents: pages decoded,
 * heads marked, blocks planned, paragraphs joined, each document written down for
 * the spool with the hashes by which its copies are found. Runs on a worker; what
 * comes out depends on the object, the options and the lexicon alone.
 */
#include <colophon/base/memory.h>

#include <stdio.h>
#include <string.h>

#include "corpus_in.h"

#define LINES_MAX ((size_t)256 << 20)

/* ---- pages ---- */

cph_status cph_task_pages(const cph_snapshot *s, cph_task *t, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc0(&t->a, &mem, t->o.n_pages + (size_t)1, sizeof *t->pages, err));
    t->pages = mem;
    for (uint32_t i = 0; i < t->o.n_pages; i++)
        CPH_TRY(cph_snapshot_page_at(s, t->o.key, i, &t->a, &t->pages[i], err));
    return CPH_OK;
}

static bool is_zero(const cph_digest *d)
{
    static const cph_digest zero;
    return cph_digest_cmp(d, &zero) == 0;
}

static cph_status load_leaf(const cph_snapshot *s, cph_task *t, uint32_t i, cph_buf *json, cph_leaf *leaf,
                            cph_err *err)
{
    const cph_snapshot_page *p = &t->pages[i];
    void *roles;
    cph_str text;
    char name[224];
    leaf->order = p->order;
    leaf->label = p->label;
    leaf->text_file = p->text_file;
    leaf->image_file = p->image_file;
    if (is_zero(&p->lines)) return CPH_OK;
    snprintf(name, sizeof name, "%.*s, page %u", CPH_FMT(t->o.key), p->order);
    json->n = 0;
    CPH_TRY(cph_snapshot_lines(s, &p->lines, json, err));
    CPH_TRY(cph_arena_str(&t->a, &text, cph_buf_view(json), err));
    CPH_TRY(cph_page_decode(&leaf->page, &t->a, text, name, err));
    CPH_TRY(cph_arena_alloc(&t->a, &roles, leaf->page.n_lines + (size_t)1, err));
    leaf->line_role = roles;
    for (uint32_t b = 0; b < leaf->page.n_blocks; b++) {
        const cph_block *k = &leaf->page.blocks[b];
        memset(leaf->line_role + k->first_line, (int)k->role, k->n_lines);
    }
    return CPH_OK;
}

cph_status cph_task_leaves(const cph_snapshot *s, cph_task *t, cph_leaf **out, cph_err *err)
{
    void *mem;
    cph_buf json;
    CPH_TRY(cph_arena_alloc0(&t->a, &mem, t->o.n_pages + (size_t)1, sizeof(cph_leaf), err));
    cph_leaf *leaves = mem;
    cph_buf_init(&json, LINES_MAX);
    cph_status status = CPH_OK;
    for (uint32_t i = 0; status == CPH_OK && i < t->o.n_pages; i++)
        status = load_leaf(s, t, i, &json, &leaves[i], err);
    cph_buf_release(&json);
    if (status == CPH_OK) *out = leaves;
    return status;
}

/* ---- what the row says ---- */

uint64_t cph_row_words(const cph_json *row)
{
    uint64_t n;
    const cph_json *counts = cph_json_get(cph_json_get(row, "meta"), "counts");
    if (cph_json_u64(cph_json_get(counts, "tokens_after_joining"), &n)) return n;
    return cph_json_u64(cph_json_get(counts, "words"), &n) ? n : UINT64_MAX;
}

/* The first language that the object states, or that of its work. */
cph_str cph_row_lang(const cph_snapshot_object *o, cph_str of_work)
{
    const cph_json *meta = cph_json_get(o->row, "meta"), *all = cph_json_get(meta, "languages");
    cph_str s = {"", 0};
    if (all && all->type == CPH_JSON_ARRAY && all->first) cph_json_str(all->first, &s);
    if (!s.n) s = cph_json_get_str(meta, "language");
    return cph_lang_code(s.n ? s : of_work);
}

/* ---- the parts of an entry ---- */

typedef struct making {
    const cph_maker *m;
    cph_task *t;
    cph_leaf *leaves;
    cph_plan plan;
    cph_str lang;
    cph_buf entry, part, fold;
} making;

static cph_status put_json(making *x, cph_jw *w, cph_err *err)
{
    CPH_TRY(cph_jw_done(w, err));
    CPH_TRY(cph_put_str(&x->entry, cph_buf_view(&x->part), err));
    x->part.n = 0;
    return CPH_OK;
}

static void member(cph_jw *w, const char *key, uint64_t n)
{
    cph_jw_key(w, key);
    cph_jw_u64(w, n);
}

/* The engine of the document's first page that names one, and the last date of OCR. */
static cph_status put_engine_and_dates(making *x, const cph_plan_doc *d, cph_err *err)
{
    const cph_page *named = NULL;
    cph_str last = {"", 0};
    for (uint32_t i = 0; i < d->n_refs; i++) {
        const cph_page *p = &x->leaves[d->refs[i].page].page;
        if (!named && p->engine.n) named = p;
        if (p->ocr_date.n && cph_str_cmp(p->ocr_date, last) > 0) last = p->ocr_date;
    }
    cph_jw w = cph_jw_on(&x->part);
    cph_jw_obj(&w);
    if (last.n) {
        cph_jw_key(&w, "ocr");
        cph_jw_str(&w, last);
    }
    if (x->t->v.date.n) {
        cph_jw_key(&w, "published");
        cph_jw_str(&w, x->t->v.date);
    }
    cph_jw_end(&w);
    CPH_TRY(put_json(x, &w, err));
    w = cph_jw_on(&x->part);
    cph_jw_obj(&w);
    if (named) {
        cph_jw_key(&w, "name");
        cph_jw_str(&w, named->engine);
        cph_jw_key(&w, "version");
        cph_jw_str(&w, named->engine_version);
    }
    cph_jw_end(&w);
    return put_json(x, &w, err);
}

/* In canonical order, and only what is not zero. */
static cph_status put_hyphens(making *x, const cph_hyphen_counts *n, cph_err *err)
{
    static const struct {
        const char *name;
        size_t at;
    } fields[] = {
#define FIELD(name) {#name, offsetof(cph_hyphen_counts, name)},
        CPH_HYPHEN_COUNT_MAP(FIELD)
#undef FIELD
    };
    enum { N = sizeof fields / sizeof *fields };
    bool done[N] = {false};
    cph_jw w = cph_jw_on(&x->part);
    cph_jw_obj(&w);
    for (size_t round = 0; round < N; round++) {
        size_t least = N;
        for (size_t i = 0; i < N; i++)
            if (!done[i] && (least == N || strcmp(fields[i].name, fields[least].name) < 0)) least = i;
        done[least] = true;
        uint64_t v = *(const uint64_t *)(const void *)((const char *)n + fields[least].at);
        if (v) member(&w, fields[least].name, v);
    }
    cph_jw_end(&w);
    return put_json(x, &w, err);
}

/* What is stated: the object's, the work's, and the pages' own (LAW-4). */
static cph_status put_languages(making *x, const cph_plan_doc *d, cph_err *err)
{
    const cph_json *meta = cph_json_get(x->t->o.row, "meta"), *all = cph_json_get(meta, "languages");
    cph_str last = {"", 0};
    cph_jw w = cph_jw_on(&x->part);
    cph_jw_obj(&w);
    cph_jw_key(&w, "object");
    cph_jw_arr(&w);
    for (const cph_json *v = all && all->type == CPH_JSON_ARRAY ? all->first : NULL; v; v = v->next)
        if (v->type == CPH_JSON_STRING) cph_jw_str(&w, v->str);
    cph_jw_end(&w);
    cph_jw_key(&w, "pages");
    cph_jw_arr(&w);
    for (uint32_t i = 0; i < d->n_refs; i++) {
        const cph_page *p = &x->leaves[d->refs[i].page].page;
        cph_str lang = p->blocks[d->refs[i].block].lang.n ? p->blocks[d->refs[i].block].lang : p->lang;
        if (!lang.n || cph_str_eq(lang, last)) continue;
        cph_jw_str(&w, lang);
        last = lang;
    }
    cph_jw_end(&w);
    if (x->t->v.lang.n) {
        cph_jw_key(&w, "work");
        cph_jw_str(&w, x->t->v.lang);
    }
    cph_jw_end(&w);
    return put_json(x, &w, err);
}

static cph_status put_counts(making *x, const cph_flow *f, cph_err *err)
{
    const cph_normalise_counts *n = &f->normal;
    cph_jw w = cph_jw_on(&x->part);
    cph_jw_obj(&w);
    if (n->blanks) member(&w, "blanks", n->blanks);
    if (n->controls) member(&w, "controls", n->controls);
    if (n->ligatures) member(&w, "ligatures", n->ligatures);
    if (n->mojibake) member(&w, "mojibake", n->mojibake);
    if (n->nfc) member(&w, "nfc", n->nfc);
    if (n->old_letters) member(&w, "old_letters", n->old_letters);
    if (n->spaces) member(&w, "spaces", n->spaces);
    cph_jw_end(&w);
    CPH_TRY(put_json(x, &w, err));
    w = cph_jw_on(&x->part);
    cph_jw_obj(&w);
    const char *last = "";
    for (;;) { /* by name, as canonical JSON wants it */
        unsigned least = CPH_N_ROLES;
        for (unsigned i = 0; i < CPH_N_ROLES; i++)
            if (strcmp(cph_role_name((cph_role)i), last) > 0 &&
                (least == CPH_N_ROLES ||
                 strcmp(cph_role_name((cph_role)i), cph_role_name((cph_role)least)) < 0))
                least = i;
        if (least == CPH_N_ROLES) break;
        last = cph_role_name((cph_role)least);
        if (f->roles[least]) member(&w, last, f->roles[least]);
    }
    cph_jw_end(&w);
    CPH_TRY(put_json(x, &w, err));
    w = cph_jw_on(&x->part); /* integers only: hundredths of hundredths would be false precision */
    cph_jw_obj(&w);
    if (f->wc_n) member(&w, "n", f->wc_n), member(&w, "sum", f->wc_sum);
    cph_jw_end(&w);
    return put_json(x, &w, err);
}

static const cph_json *file_of(const cph_json *row, cph_str hex)
{
    const cph_json *files = cph_json_get(row, "files");
    for (const cph_json *f = files ? files->first : NULL; f; f = f->next)
        if (cph_str_eq(cph_json_get_str(f, "sha256"), hex)) return f;
    return NULL;
}

static cph_status put_hex(cph_buf *b, const cph_digest *d, cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(d, hex);
    return cph_put_str(b, is_zero(d) ? (cph_str){"", 0} : (cph_str){hex, 64}, err);
}

/* Pages in the order in which the document first touches them. */
static cph_status put_pages(making *x, const cph_plan_doc *d, cph_err *err)
{
    void *mem;
    uint32_t n = 0;
    cph_task *t = x->t;
    CPH_TRY(cph_arena_alloc0(&t->a, &mem, t->o.n_pages + (size_t)1, sizeof(bool), err));
    bool *seen = mem;
    CPH_TRY(cph_arena_alloc(&t->a, &mem, (t->o.n_pages + (size_t)1) * sizeof(uint32_t), err));
    uint32_t *order = mem;
    for (uint32_t i = 0; i < d->n_refs; i++) {
        if (!seen[d->refs[i].page]) order[n++] = d->refs[i].page;
        seen[d->refs[i].page] = true;
    }
    CPH_TRY(cph_put_u64(&x->entry, n, err));
    for (uint32_t i = 0; i < n; i++) {
        const cph_leaf *l = &x->leaves[order[i]];
        char hex[CPH_HEX_DIGEST];
        uint64_t bytes = 0;
        cph_digest_hex(&l->text_file, hex);
        const cph_json *file = file_of(t->o.row, cph_str_of(hex));
        cph_json_u64(cph_json_get(file, "bytes"), &bytes);
        CPH_TRY(cph_put_u64(&x->entry, l->order, err));
        CPH_TRY(cph_put_str(&x->entry, l->label, err));
        CPH_TRY(put_hex(&x->entry, &l->text_file, err));
        CPH_TRY(put_hex(&x->entry, &l->image_file, err));
        CPH_TRY(cph_put_str(&x->entry, cph_json_get_str(file, "checksum"), err));
        CPH_TRY(cph_put_u64(&x->entry, bytes, err));
    }
    return CPH_OK;
}

static cph_status put_paragraph(making *x, const cph_flow *f, uint32_t i, cph_err *err)
{
    const cph_paragraph *p = &f->paragraphs[i];
    uint32_t n_splits = 0;
    CPH_TRY(cph_put_u64(&x->entry, p->role, err));
    CPH_TRY(cph_put_str(&x->entry, p->text, err));
    CPH_TRY(cph_put_u64(&x->entry, p->n_segments, err));
    for (uint32_t k = p->first_segment; k < p->first_segment + p->n_segments; k++) {
        const cph_segment *s = &f->segments[k];
        CPH_TRY(cph_put_u64(&x->entry, s->offset, err));
        CPH_TRY(cph_put_u64(&x->entry, x->leaves[s->page].order, err));
        CPH_TRY(cph_put_str(&x->entry, x->leaves[s->page].page.blocks[s->block].id, err));
    }
    for (uint32_t k = 0; k < f->n_splits; k++) n_splits += f->splits[k].paragraph == i;
    CPH_TRY(cph_put_u64(&x->entry, n_splits, err));
    for (uint32_t k = 0; n_splits && k < f->n_splits; k++) {
        const cph_split *s = &f->splits[k];
        if (s->paragraph != i) continue;
        CPH_TRY(cph_put_u64(&x->entry, s->offset, err));
        CPH_TRY(cph_put_u64(&x->entry, x->leaves[s->page].order, err));
        CPH_TRY(cph_put_str(&x->entry, x->leaves[s->page].page.blocks[s->block].id, err));
    }
    return CPH_OK;
}

/* ---- hashes ---- */

static cph_status note_copy(making *x, uint32_t paragraph, cph_str folded, uint64_t chars, cph_err *err)
{
    cph_text_hash c = {.document = (uint32_t)x->t->n_documents, .paragraph = paragraph, .chars = chars,
                  .hash = cph_xxh3_128(folded.p, folded.n)};
    return cph_buf_add(&x->t->copies, &c, sizeof c, err);
}

static cph_status note_copies(making *x, const cph_flow *f, cph_err *err)
{
    uint64_t total = 0;
    x->fold.n = 0;
    for (uint32_t i = 0; i < f->n_paragraphs; i++) {
        uint64_t chars = cph_utf8_count(f->paragraphs[i].text);
        size_t at = x->fold.n;
        total += chars;
        CPH_TRY(cph_fold(&x->fold, f->paragraphs[i].text, err));
        if (chars >= x->m->o->paragraph_chars && x->fold.n > at)
            CPH_TRY(note_copy(x, i, cph_str_sub(cph_buf_view(&x->fold), at, x->fold.n), chars, err));
        CPH_TRY(cph_buf_char(&x->fold, '\n', err));
    }
    return note_copy(x, UINT32_MAX, cph_buf_view(&x->fold), total, err);
}

/* ---- the document ---- */

static cph_status put_names(making *x, const cph_plan_doc *d, cph_err *err)
{
    const cph_task *t = x->t;
    const cph_json *meta = cph_json_get(t->o.row, "meta");
    cph_str id, source = t->o.source_id.n ? t->o.source_id : t->o.key;
    CPH_TRY(cph_arena_printf(&x->t->a, &id, err, d->suffix.n ? "%.*s/%.*s" : "%.*s%.*s", CPH_FMT(source),
                             CPH_FMT(d->suffix)));
    CPH_TRY(cph_put_str(&x->entry, id, err));
    CPH_TRY(cph_put_u64(&x->entry, t->v.skip, err));
    CPH_TRY(cph_put_str(&x->entry, t->o.key, err));
    CPH_TRY(cph_put_str(&x->entry, t->o.profile, err));
    CPH_TRY(cph_put_str(&x->entry, d->type, err));
    CPH_TRY(cph_put_str(&x->entry, d->title.n ? d->title : cph_json_get_str(meta, "title"), err));
    CPH_TRY(cph_put_str(&x->entry, cph_lang_tag(x->lang), err));
    CPH_TRY(cph_put_str(&x->entry, t->v.date, err));
    CPH_TRY(cph_put_str(&x->entry, t->v.basis, err));
    CPH_TRY(cph_put_str(&x->entry, t->v.urn, err));
    CPH_TRY(cph_put_str(&x->entry, t->v.version, err));
    return cph_put_str(&x->entry, (cph_str){(const char *)t->v.hash.b, 32}, err);
}

static cph_status put_document(making *x, const cph_plan_doc *d, const cph_flow *f, cph_err *err)
{
    x->entry.n = 0;
    CPH_TRY(put_names(x, d, err));
    CPH_TRY(put_engine_and_dates(x, d, err));
    CPH_TRY(put_hyphens(x, &f->hyphens, err));
    CPH_TRY(put_languages(x, d, err));
    CPH_TRY(put_counts(x, f, err));
    CPH_TRY(put_pages(x, d, err));
    CPH_TRY(cph_put_u64(&x->entry, f->n_paragraphs, err));
    for (uint32_t i = 0; i < f->n_paragraphs; i++) CPH_TRY(put_paragraph(x, f, i, err));
    if (f->n_paragraphs) CPH_TRY(note_copies(x, f, err));
    else x->t->empty++;
    CPH_TRY(cph_put_str(&x->t->entries, cph_buf_view(&x->entry), err));
    x->t->n_documents++;
    return CPH_OK;
}

/* LAW-1: every String of the pages is a token, an absorbed half, dropped under a role, or empty. */
static cph_status balance(making *x, cph_err *err)
{
    cph_balance *b = &x->t->balance;
    for (uint32_t i = 0; i < x->t->o.n_pages; i++) {
        b->strings += x->leaves[i].page.n_strings;
        b->empty += x->leaves[i].page.n_empty;
    }
    if (b->strings == b->out + b->absorbed + b->dropped + b->empty) return CPH_OK;
    return cph_fail(
        err, CPH_BUG,
        "object %.*s: of %llu strings %llu came out, %llu were absorbed, %llu dropped, %llu empty (LAW-1)",
        CPH_FMT(x->t->o.key), (unsigned long long)b->strings, (unsigned long long)b->out,
        (unsigned long long)b->absorbed, (unsigned long long)b->dropped, (unsigned long long)b->empty);
}

static cph_status make_all(making *x, cph_err *err)
{
    const cph_build_opts *o = x->m->o;
    cph_task *t = x->t;
    cph_flow_opts flow = {.hyphen = {x->m->lexicon, x->lang, o->hyphen_equals}, .normal = o->normal};
    CPH_TRY(cph_task_leaves(x->m->s, t, &x->leaves, err));
    if (o->heads) CPH_TRY(cph_heads_mark(x->leaves, t->o.n_pages, &t->a, err));
    CPH_TRY(cph_plan_make(&x->plan, &t->a, t->o.row, o->unit, t->v.form, x->leaves, t->o.n_pages, err));
    for (uint32_t i = 0; i < x->plan.n_docs; i++) {
        cph_flow f = {0};
        CPH_TRY(cph_flow_run(&f, &t->a, x->leaves, &x->plan, &x->plan.docs[i], &flow, err));
        cph_hyphen_counts_add(&t->hyphens, &f.hyphens);
        cph_normalise_counts_add(&t->normal, &f.normal);
        cph_balance_add(&t->balance, &f.balance);
        CPH_TRY(put_document(x, &x->plan.docs[i], &f, err));
    }
    return balance(x, err);
}

cph_status cph_document_make(const cph_maker *m, cph_task *t, cph_err *err)
{
    making x = {.m = m, .t = t};
    x.lang = cph_row_lang(&t->o, t->v.lang);
    cph_buf_init(&x.entry, CPH_DOC_MAX);
    cph_buf_init(&x.part, CPH_DOC_MAX);
    cph_buf_init(&x.fold, CPH_DOC_MAX);
    cph_status s = CPH_OK;
    if (t->v.skip) {
        cph_plan_doc none = {.type = {"", 0}};
        cph_flow f = {0};
        s = put_document(&x, &none, &f, err);
        t->empty = 0;
    } else {
        s = make_all(&x, err);
    }
    cph_buf_release(&x.entry);
    cph_buf_release(&x.part);
    cph_buf_release(&x.fold);
    return s == CPH_OK ? s : cph_err_prefix(err, "%.*s", CPH_FMT(t->o.key));
}

/* ---- back from the spool ---- */

cph_status cph_entry_parse(cph_entry *out, cph_str bytes, cph_err *err)
{
    cph_take t = {bytes.p, bytes.p + bytes.n, false};
    cph_entry e = {0};
    e.id = cph_take_str(&t);
    e.skip = cph_take_u64(&t) != 0;
    cph_str *names[] = {&e.object, &e.profile, &e.type, &e.title,  &e.lang,
                        &e.date,   &e.basis,   &e.urn,  &e.version};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) *names[i] = cph_take_str(&t);
    e.decision = cph_take_digest(&t);
    cph_str *values[] = {&e.dates, &e.engine, &e.hyphens, &e.languages, &e.normal, &e.roles, &e.wc};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) *values[i] = cph_take_str(&t);
    e.n_pages = cph_take_u64(&t);
    e.pages = t;
    for (uint64_t i = 0; i < e.n_pages && !t.bad; i++) {
        cph_take_u64(&t);
        for (int k = 0; k < 4; k++) cph_take_str(&t);
        cph_take_u64(&t);
    }
    e.n_paragraphs = cph_take_u64(&t);
    e.paragraphs = t;
    if (t.bad) return cph_fail(err, CPH_BUG, "a document in the spool is cut");
    *out = e;
    return CPH_OK;
}
