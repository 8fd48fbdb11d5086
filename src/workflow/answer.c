/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.c - the join behind a traced answer: index -> token set -> record of the
 * corpus -> side-car's map -> page, and the catalogue for the title and the right to
 * show words. A place that cannot be resolved is an error; a right that cannot be
 * asked is a refusal.
 */
#include <colophon/base/memory.h>
#include <colophon/collection/collection.h>
#include <colophon/corpus/corpus.h>
#include <colophon/search/trace.h>
#include <colophon/tokenizer/tokenizer.h>
#include <colophon/workflow/answer.h>
#include <colophon/workflow/kin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cph_tracer {
    cph_tracer_opts o;
    cph_kin *kin;
    cph_trace *trace;
    cph_corpus *corpus;
    cph_reader *reader;
    cph_tokenizer *tokenizer;
    cph_encoder *encoder;
    cph_collection *catalogue; /* NULL: nobody to ask */
    cph_snapshot *snapshot;    /* of it: labels and images of pages */
    cph_rulebase *rulebase;
    cph_policy snippet;
    uint8_t *flags;         /* cph_trace_token of each id */
};

void cph_tracer_opts_init(cph_tracer_opts *o)
{
    *o = (cph_tracer_opts){.tier = CPH_TIER_STAFF, .min_len = 8, .max_hits = 3, .words_around = 8};
}

/* ---- finding the kin ---- */

/* `given` when the caller named it, else the parent of `child` with that role. */
static cph_status find(cph_tracer *t, const char *given, const cph_kin_place *child, const char *role,
                       cph_kin_place *out, cph_err *err)
{
    if (given) return cph_kin_at(t->kin, given, out, err);
    for (size_t i = 0; i < cph_manifest_n_parents(child->manifest); i++) {
        cph_parent p = cph_manifest_parent_at(child->manifest, i);
        if (!cph_str_is(p.role, role)) continue;
        cph_status s = cph_kin_parent(t->kin, child, &p, out, err);
        if (s != CPH_NO) return s;
        cph_fail(err, CPH_NO, "%s: its %s is not to be found", child->path, role);
        return err ? cph_hint(err, "name it with --%s", role) : CPH_NO;
    }
    return cph_fail(err, CPH_DATA, "%s: its manifest names no %s", child->path, role);
}

/* Where the catalogue lies: as the caller says, else where the corpus's snapshot was found; CPH_NO: nowhere. */
static cph_status find_catalogue(cph_tracer *t, const cph_kin_place *corpus, char path[CPH_PATH_MAX], cph_err *err)
{
    if (t->o.collection) return cph_path_join(path, t->o.collection, "", err);
    for (size_t i = 0; i < cph_manifest_n_parents(corpus->manifest); i++) {
        cph_parent p = cph_manifest_parent_at(corpus->manifest, i);
        cph_kin_place snapshot;
        if (!cph_str_is(p.kind, "snapshot")) continue;
        CPH_TRY(cph_kin_parent(t->kin, corpus, &p, &snapshot, err));
        return cph_kin_collection(snapshot.path, path) ? CPH_OK : CPH_NO;
    }
    return CPH_NO;
}

/* What the catalogue says now decides what may be shown, not what it said when the corpus was built. */
static cph_status open_catalogue(cph_tracer *t, const cph_kin_place *corpus, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_status s = find_catalogue(t, corpus, path, err);
    if (s == CPH_NO) return CPH_OK; /* nobody to ask: nothing is shown */
    CPH_TRY(s);
    CPH_TRY(cph_collection_open(&t->catalogue, path, CPH_OPEN_READ, err));
    s = cph_snapshot_open(&t->snapshot, path, NULL, err);
    if (s != CPH_OK && s != CPH_NO) return s;
    const char *rulebase = cph_collection_is_sample(t->catalogue) ? "sample" : "house";
    return cph_rulebase_open(&t->rulebase, t->o.rulebase ? t->o.rulebase : rulebase, err);
}

static unsigned flags_of(void *ctx, uint32_t id)
{
    const cph_tracer *t = ctx;
    return id < cph_tokenizer_vocab_size(t->tokenizer) ? t->flags[id] : 0;
}

/* A word begins at a blank, a line end, or the start of a document; full stop and line end delimit. */
static cph_status learn_flags(cph_tracer *t, cph_err *err)
{
    uint32_t n = cph_tokenizer_vocab_size(t->tokenizer);
    void *mem;
    CPH_TRY(cph_alloc0(&mem, n, err));
    t->flags = mem;
    cph_buf text;
    cph_buf_init(&text, 1 << 16);
    cph_status s = CPH_OK;
    for (uint32_t id = 0; s == CPH_OK && id < n; id++) {
        text.n = 0;
        s = cph_decode(t->tokenizer, &id, 1, false, true, &text, err);
        cph_str piece = cph_buf_view(&text);
        if (piece.n && piece.p[0] && strchr(" \n\t", piece.p[0])) t->flags[id] |= CPH_TRACE_BEGINS_WORD;
        if (cph_str_find(piece, '\n', 0) != SIZE_MAX) t->flags[id] |= CPH_TRACE_DELIMITER;
    }
    cph_buf_release(&text);
    return s;
}

static cph_status check_index(const char *path, cph_err *err)
{
    cph_manifest *m;
    CPH_TRY(cph_manifest_want(&m, path, "index", err));
    cph_manifest_close(m);
    return CPH_OK;
}

static cph_status open_all(cph_tracer *t, cph_err *err)
{
    cph_kin_place index, tokens, corpus, tokenizer;
    CPH_TRY(cph_kin_open(&t->kin, NULL, 0, err));
    CPH_TRY(check_index(t->o.index, err));
    CPH_TRY(cph_kin_at(t->kin, t->o.index, &index, err));
    CPH_TRY(find(t, t->o.tokens, &index, "tokens", &tokens, err));
    CPH_TRY(find(t, t->o.corpus, &tokens, "corpus", &corpus, err));
    CPH_TRY(find(t, t->o.tokenizer, &tokens, "tokenizer", &tokenizer, err));
    CPH_TRY(cph_trace_open(&t->trace, t->o.index, tokens.path, err));
    CPH_TRY(cph_tokenizer_open(&t->tokenizer, tokenizer.path, err));
    CPH_TRY(cph_encoder_open(&t->encoder, t->tokenizer, err));
    CPH_TRY(learn_flags(t, err));
    CPH_TRY(cph_corpus_open(&t->corpus, corpus.path, err));
    cph_policy sealed = cph_corpus_policy(t->corpus);
    CPH_TRY(cph_reader_open(&t->reader, t->corpus, &sealed, (cph_part){0, 1}, t->o.revocations,
                            !t->o.revocations, err));
    t->snippet = sealed;
    t->snippet.purpose = CPH_PURPOSE_SNIPPET;
    t->snippet.tier = t->o.tier;
    if (t->o.as_of) t->snippet.as_of = t->o.as_of;
    return open_catalogue(t, &corpus, err);
}

cph_status cph_tracer_open(cph_tracer **out, const cph_tracer_opts *o, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_tracer), err));
    cph_tracer *t = mem;
    t->o = *o;
    cph_status s = open_all(t, err);
    if (s != CPH_OK) {
        cph_tracer_close(t);
        return s;
    }
    *out = t;
    return CPH_OK;
}

void cph_tracer_close(cph_tracer *t)
{
    if (!t) return;
    cph_trace_close(t->trace);
    cph_reader_close(t->reader);
    cph_corpus_close(t->corpus);
    cph_encoder_close(t->encoder);
    cph_tokenizer_close(t->tokenizer);
    cph_snapshot_close(t->snapshot);
    cph_collection_close(t->catalogue);
    cph_rulebase_close(t->rulebase);
    cph_kin_close(t->kin);
    cph_free(t->flags);
    cph_free(t);
}

/* ---- one place ---- */

/* The last entry of the side-car's map that starts at or before `offset`: its page. */
static bool page_at(const cph_json *prov, uint64_t offset, uint64_t *page)
{
    const cph_json *map = cph_json_get(prov, "map");
    bool found = false;
    for (const cph_json *e = map ? map->first : NULL; e; e = e->next) {
        uint64_t at, order;
        if (!cph_json_u64(cph_json_at(e, 0), &at) || !cph_json_u64(cph_json_at(e, 1), &order)) break;
        if (at > offset) break;
        *page = order;
        found = true;
    }
    return found;
}

/* The label of a page where the side-car's ranges [first, last, label, label] tell it: at their ends. */
static cph_str label_in(const cph_json *prov, uint64_t page)
{
    cph_str label = {0};
    const cph_json *pages = cph_json_get(prov, "pages");
    for (const cph_json *e = pages ? pages->first : NULL; e; e = e->next) {
        uint64_t first, last;
        if (!cph_json_u64(cph_json_at(e, 0), &first) || !cph_json_u64(cph_json_at(e, 1), &last)) continue;
        if (page == first || page == last) cph_json_str(cph_json_at(e, page == first ? 2 : 3), &label);
    }
    return label;
}

/* The catalogue knows each page's printed number and image; without it the side-car's ranges serve. */
static cph_status describe_page(cph_tracer *t, cph_place_found *p, cph_arena *a, const cph_json *prov,
                                uint64_t page, cph_err *err)
{
    cph_snapshot_page row = {.label = label_in(prov, page)};
    if (t->snapshot && page > 0) {
        cph_str object = cph_json_get_str(prov, "object");
        cph_status s = cph_snapshot_page_at(t->snapshot, object, (uint32_t)page - 1, a, &row, err);
        if (s != CPH_OK && s != CPH_NO) return s;
        static const cph_digest none;
        char hex[CPH_HEX_DIGEST];
        cph_digest_hex(&row.image_file, hex);
        if (s == CPH_OK && cph_digest_cmp(&row.image_file, &none) != 0)
            CPH_TRY(cph_arena_str(a, &p->image, cph_str_of(hex), err));
    }
    unsigned long long n = page;
    if (!row.label.n) return cph_arena_printf(a, &p->page, err, "page %llu", n);
    return cph_arena_printf(a, &p->page, err, "page %llu (printed %.*s)", n, CPH_FMT(row.label));
}

/* Up to n words before (or after) a place in the text, within its line. */
static cph_str words_before(cph_str text, size_t at, uint32_t n)
{
    size_t from = at;
    while (from > 0 && text.p[from - 1] != '\n') {
        if (text.p[from - 1] == ' ' && from < at && n-- <= 1) break;
        from--;
    }
    return cph_str_sub(text, from, at - from);
}

static cph_str words_after(cph_str text, size_t at, uint32_t n)
{
    size_t to = at;
    while (to < text.n && text.p[to] != '\n') {
        if (text.p[to] == ' ' && to > at && n-- <= 1) break;
        to++;
    }
    return cph_str_sub(text, at, to - at);
}

/* May this reader see words of the work? Nobody to ask: no. Several works: all of them must allow it. */
static cph_status may_show(cph_tracer *t, cph_arena *a, const cph_json *prov, cph_place_found *p,
                           cph_err *err)
{
    const cph_json *works = cph_json_get(prov, "works");
    p->shown = t->catalogue != NULL && works && works->n > 0;
    p->rule = "";
    for (const cph_json *w = works ? works->first : NULL; w && t->catalogue; w = w->next) {
        const cph_json *view;
        cph_case c;
        cph_work work;
        cph_decision d;
        cph_status s = cph_collection_work(t->catalogue, w->str, a, &view, err);
        if (s == CPH_NO) {
            p->shown = false;
            continue;
        }
        CPH_TRY(s);
        CPH_TRY(cph_case_parse(&c, &work, a, view, err));
        c.document_id = p->document;
        CPH_TRY(cph_decide(&d, a, &c, &t->snippet, t->rulebase, err));
        if (d.answer != CPH_ALLOW) p->shown = false;
        p->rule = d.rule;
        if (p->title.n == 0) CPH_TRY(cph_arena_str(a, &p->title, work.title, err));
    }
    return CPH_OK;
}

/* Bytes [*from, *to) of the record's text that tokens at..at+n are. */
static cph_status bytes_of(cph_tracer *t, cph_str text, uint32_t at, uint32_t n, size_t *from, size_t *to,
                           cph_err *err)
{
    cph_ids ids = {0};
    cph_status s = cph_encode(t->encoder, text, false, true, &ids, err);
    if (s == CPH_OK && (size_t)at + n > ids.n)
        s = cph_fail(err, CPH_DATA, "the token set has tokens that the corpus's text does not give");
    if (s == CPH_OK) {
        *from = ids.begin[at];
        *to = ids.end[at + n - 1];
    }
    cph_ids_release(&ids);
    return s;
}

static cph_status resolve(cph_tracer *t, cph_arena *a, const cph_trace_hit *hit, uint32_t n_tokens,
                          cph_place_found *p, cph_err *err)
{
    cph_doc doc;
    cph_json *prov;
    cph_trace_doc row = cph_trace_doc_at(t->trace, hit->doc);
    CPH_TRY(cph_reader_at(t->reader, hit->doc, &row.dkey, row.part, &doc, err));
    CPH_TRY(cph_arena_str(a, &p->document, doc.id, err));
    CPH_TRY(cph_arena_str(a, &p->basis, doc.basis, err));
    CPH_TRY(cph_json_parse(&prov, a, doc.prov, "the side-car", NULL, err));
    const cph_json *works = cph_json_get(prov, "works");
    if (works && works->first) CPH_TRY(cph_arena_str(a, &p->urn, works->first->str, err));
    CPH_TRY(cph_arena_str(a, &p->title, cph_json_get_str(prov, "title"), err));
    size_t from, to;
    CPH_TRY(bytes_of(t, doc.text, hit->at, n_tokens, &from, &to, err));
    while (from < to && doc.text.p[from] == ' ') from++;
    uint64_t page;
    if (page_at(prov, from, &page)) CPH_TRY(describe_page(t, p, a, prov, page, err));
    CPH_TRY(may_show(t, a, prov, p, err));
    if (!p->shown) return CPH_OK;
    CPH_TRY(cph_arena_str(a, &p->before, words_before(doc.text, from, t->o.words_around), err));
    CPH_TRY(cph_arena_str(a, &p->words, cph_str_sub(doc.text, from, to - from), err));
    return cph_arena_str(a, &p->after, words_after(doc.text, to, t->o.words_around), err);
}

/* ---- all spans ---- */

static cph_status span_text(cph_tracer *t, cph_arena *a, const uint32_t *ids, cph_span_found *s,
                            cph_err *err)
{
    cph_buf text;
    cph_buf_init(&text, (size_t)1 << 24);
    cph_status status = cph_decode(t->tokenizer, ids + s->begin, s->end - s->begin, true, false, &text, err);
    if (status == CPH_OK) status = cph_arena_str(a, &s->text, cph_str_trim(cph_buf_view(&text)), err);
    cph_buf_release(&text);
    return status;
}

static cph_status join(cph_tracer *t, cph_arena *a, const uint32_t *ids, const cph_trace_result *r,
                       cph_traced *out, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc0(a, &mem, r->n_spans + 1, sizeof(cph_span_found), err));
    cph_span_found *spans = mem;
    uint32_t last = 0;
    *out = (cph_traced){.spans = spans, .n_spans = r->n_spans, .longest = r->longest};
    for (size_t i = 0; i < r->n_spans; i++) {
        const cph_trace_span *from = &r->spans[i];
        spans[i] = (cph_span_found){.begin = from->begin, .end = from->end, .count = from->count,
                                    .n_places = from->n_hits};
        CPH_TRY(cph_arena_alloc0(a, &mem, from->n_hits + 1, sizeof(cph_place_found), err));
        cph_place_found *places = mem;
        spans[i].places = places;
        bool is_free = false;
        for (uint32_t k = 0; k < from->n_hits; k++) {
            CPH_TRY(resolve(t, a, &from->hits[k], from->end - from->begin, &places[k], err));
            is_free |= cph_str_is(places[k].basis, "PD");
        }
        uint32_t len = from->end - from->begin;
        if (!is_free && len > out->longest_not_free) out->longest_not_free = len;
        out->covered += from->end - (from->begin > last ? from->begin : last);
        last = from->end;
        CPH_TRY(span_text(t, a, ids, &spans[i], err));
    }
    return CPH_OK;
}

cph_status cph_tracer_run(cph_tracer *t, cph_arena *a, const uint32_t *ids, size_t n, cph_traced *out,
                          cph_err *err)
{
    cph_trace_opts o;
    cph_trace_opts_init(&o);
    o.min_len = t->o.min_len;
    o.max_hits = t->o.max_hits;
    o.token_flags = flags_of;
    o.ctx = t;
    cph_trace_result r = {0};
    CPH_TRY(cph_trace_run(t->trace, ids, n, &o, &r, err));
    cph_traced traced;
    cph_status s = join(t, a, ids, &r, &traced, err);
    cph_trace_result_release(&r);
    if (s == CPH_OK) *out = traced;
    return s;
}

cph_status cph_tracer_text(cph_tracer *t, cph_arena *a, cph_str text, cph_traced *out, uint32_t *n_tokens, cph_err *err)
{
    cph_ids ids = {0};
    cph_traced traced;
    cph_status s = cph_encode(t->encoder, text, false, false, &ids, err);
    if (s == CPH_OK) s = cph_tracer_run(t, a, ids.at, ids.n, &traced, err);
    if (s == CPH_OK) {
        *out = traced;
        *n_tokens = (uint32_t)ids.n;
    }
    cph_ids_release(&ids);
    return s;
}
