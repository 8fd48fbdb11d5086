/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_object.c - objects that are one text: a plain text file, a record of JSON
 * lines; and MODS files that stand alone.
 */
#include "ingest_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/format/encoding.h>
#include <colophon/format/jsonl.h>
#include <colophon/format/plain.h>

#include <string.h>

/* ---- pages of one text ---- */

typedef struct text_object {
    cph_arena *a;
    cph_page_record *pages;
    size_t n, cap;
    cph_digest file;
    uint64_t words, lines, blocks;
} text_object;

static cph_status take_page(void *ctx, const text_page *page, cph_err *err)
{
    text_object *t = ctx;
    if (t->n == t->cap) {
        void *p;
        size_t cap = t->cap ? t->cap * 2 : 16;
        CPH_TRY(cph_arena_alloc0(t->a, &p, cap, sizeof *t->pages, err));
        if (t->n) memcpy(p, t->pages, t->n * sizeof *t->pages);
        t->pages = p;
        t->cap = cap;
    }
    t->pages[t->n] =
        (cph_page_record){.order = (uint32_t)t->n + 1, .text_file = t->file, .lines_json = page->json};
    t->n++;
    t->words += page->words;
    t->lines += page->lines;
    t->blocks += page->blocks;
    return CPH_OK;
}

static void member(cph_jw *w, const char *key, cph_str value)
{
    if (!value.n) return;
    cph_jw_key(w, key);
    cph_jw_str(w, value);
}

static void number(cph_jw *w, const char *key, uint64_t v)
{
    cph_jw_key(w, key);
    cph_jw_u64(w, v);
}

static void write_counts(cph_jw *w, const text_object *t)
{
    cph_jw_key(w, "counts");
    cph_jw_obj(w);
    number(w, "pages", t->n);
    number(w, "pages_with_text", t->n);
    number(w, "strings", t->words);
    number(w, "lines", t->lines);
    number(w, "blocks", t->blocks);
    number(w, "tokens_after_joining", t->words);
    cph_jw_end(w);
}

static cph_status finish_json(cph_buf *b, cph_jw *w, cph_arena *a, cph_str *out, cph_err *err)
{
    cph_status s = cph_jw_done(w, err);
    if (s == CPH_OK) s = cph_arena_str(a, out, cph_buf_view(b), err);
    cph_buf_release(b);
    return s;
}

/* ---- plain text ---- */

static cph_str stem_of(cph_str path)
{
    cph_str base = cph_path_base(path);
    for (size_t i = base.n; i-- > 1;)
        if (base.p[i] == '.') return cph_str_sub(base, 0, i);
    return base;
}

static cph_status text_meta(cph_arena *a, const text_object *t, cph_plain_kind kind, const cph_encoding *how,
                            cph_str *out, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, (size_t)1 << 20);
    cph_jw w = cph_jw_on(&b);
    cph_jw_obj(&w);
    member(&w, "lines_are", cph_str_of(cph_plain_kind_name(kind)));
    member(&w, "encoding", cph_str_of(how->name));
    write_counts(&w, t);
    cph_jw_end(&w);
    return finish_json(&b, &w, a, out, err);
}

typedef struct text_source {
    char path[CPH_PATH_MAX];
    cph_source_file file;
    cph_str utf8;
    cph_encoding how;
} text_source;

static cph_status open_text(run *r, const unit *u, scratch *s, text_source *src, cph_err *err)
{
    CPH_TRY(cph_path_in(src->path, u->dir, u->main, err));
    s->file.n = 0;
    CPH_TRY(cph_file_read(src->path, r->opts->max_file_bytes, &s->file, err));
    cph_str bytes = cph_buf_view(&s->file);
    src->file = (cph_source_file){.path = u->main,
                                  .from = src->path,
                                  .sha256 = cph_sha256_of(bytes.p, bytes.n),
                                  .bytes = bytes.n,
                                  .checksum_state = CPH_STR("none"),
                                  .role = CPH_STR("text"),
                                  .by_reference = r->opts->no_copy};
    return cph_to_utf8(&src->utf8, &s->utf8, bytes, src->path, &src->how, err);
}

static cph_status unreadable(run *r, outcome *o, const unit *u, const cph_err *why, cph_err *err)
{
    o->refused++;
    return cph_problem_alone(r, o, u->main, (cph_str){"", 0}, "file-unreadable", cph_str_of(why->what), err);
}

cph_status cph_text_object_read(run *r, const unit *u, outcome *o, unsigned worker, cph_err *err)
{
    scratch *s = &r->scratch[worker];
    text_source src;
    cph_err why = {0};
    bool known = false;
    uint64_t added = o->added;
    cph_arena_reset(&s->keep);
    cph_status st = open_text(r, u, s, &src, &why);
    if (st != CPH_OK) return unreadable(r, o, u, &why, err);

    problems told = {.a = &s->keep};
    text_object t = {.a = &s->keep, .file = src.file.sha256};
    cph_object_record rec = {.source_id = stem_of(u->main), .profile = CPH_STR("text"), .work_urn = u->urn,
                             .files = &src.file, .n_files = 1};
    CPH_TRY(cph_object_known(r, o, &rec, &known, err));
    if (known) return CPH_OK;
    st = cph_text_pages_read(s, src.utf8, false, take_page, &t, err);
    if (st == CPH_OK && src.how.guessed)
        st = cph_problems_add(&told, u->main, (cph_str){"", 0}, "encoding-guessed", err,
                              "not UTF-8: read as Windows-1252");
    if (st == CPH_OK && src.how.n_replaced)
        st = cph_problems_add(&told, u->main, (cph_str){"", 0}, "encoding-broken", err,
                          "%llu invalid sequences became U+FFFD", (unsigned long long)src.how.n_replaced);
    if (st == CPH_OK) st = text_meta(&s->keep, &t, cph_plain_judge(src.utf8), &src.how, &rec.meta_json, err);
    rec.pages = t.pages;
    rec.n_pages = t.n;
    rec.problems = told.at;
    rec.n_problems = told.n;
    if (st == CPH_OK) st = cph_object_put(r, o, &rec, (cph_str){0}, (cph_str){0}, err);
    cph_problems_release(&told);
    if (st != CPH_OK || o->added == added) return st;
    o->pages += t.n;
    o->words += t.words;
    return CPH_OK;
}

/* ---- JSON lines ---- */

/* A member as text, whatever its type: "1909" and 1909 alike. */
static cph_str text_at(const cph_json *v, cph_str path)
{
    const cph_json *m = cph_json_path(v, path);
    return m && (m->type == CPH_JSON_STRING || m->type == CPH_JSON_NUMBER) ? m->str : (cph_str){0};
}

/* Unknown members are kept beside (section 12): as text, since a float or a key that is not ASCII has no
 * canonical form. */
static cph_status write_others(cph_jw *w, const cph_json *v, cph_str text_key, cph_buf *room, cph_err *err)
{
    cph_jw_key(w, "record");
    cph_jw_arr(w);
    for (const cph_json *m = v->first; m; m = m->next) {
        if (cph_str_eq(m->key, text_key)) continue;
        room->n = 0;
        CPH_TRY(cph_json_write(room, m, 0, err));
        if (room->n > 65536) continue; /* what is longer is no metadata */
        cph_jw_arr(w);
        cph_jw_str(w, m->key);
        cph_jw_str(w, cph_buf_view(room));
        cph_jw_end(w);
    }
    cph_jw_end(w);
    return CPH_OK;
}

typedef struct record {
    const cph_json *v;
    cph_str id, urn, title, date, lang, text;
    uint64_t line;
} record;

static cph_status record_meta(const run *r, scratch *s, const text_object *t, const record *rec, cph_str *out,
                              cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, (size_t)16 << 20);
    cph_jw w = cph_jw_on(&b);
    cph_jw_obj(&w);
    member(&w, "title", rec->title);
    member(&w, "date", rec->date);
    if (rec->lang.n) {
        member(&w, "language", cph_language_of(rec->lang));
        cph_jw_key(&w, "languages");
        cph_jw_arr(&w);
        cph_jw_str(&w, rec->lang);
        cph_jw_end(&w);
    }
    number(&w, "line", rec->line);
    cph_status st = write_others(&w, rec->v, r->opts->text_key, &s->text, err);
    write_counts(&w, t);
    cph_jw_end(&w);
    if (st == CPH_OK) return finish_json(&b, &w, &s->keep, out, err);
    cph_buf_release(&b);
    return st;
}

static bool is_urn(cph_str s) { return cph_str_starts(s, "URN:") || cph_str_starts(s, "urn:"); }

/* The text of NLN's intermediate form: paragraphs[].text, one a line. */
static cph_status paragraphs_text(scratch *s, const cph_json *v, cph_str *out, cph_err *err)
{
    const cph_json *list = cph_json_get(v, "paragraphs");
    *out = (cph_str){0};
    if (!list || list->type != CPH_JSON_ARRAY) return CPH_OK;
    s->utf8.n = 0;
    for (const cph_json *p = list->first; p; p = p->next) {
        CPH_TRY(cph_buf_str(&s->utf8, cph_json_get_str(p, "text"), err));
        CPH_TRY(cph_buf_char(&s->utf8, '\n', err));
    }
    *out = cph_buf_view(&s->utf8);
    return CPH_OK;
}

/* NCC writes 2021 where a book's or newspaper's year is not known (section 12). */
static cph_str ncc_year(const cph_json *v)
{
    cph_str year = text_at(v, CPH_STR("publish_year")), type = cph_json_get_str(v, "doc_type");
    bool scanned = cph_str_is(type, "book") || cph_str_is(type, "newspaper_ocr");
    return scanned && cph_str_is(year, "2021") ? (cph_str){0} : year;
}

static cph_status read_record(run *r, const unit *u, scratch *s, const cph_json *v, uint64_t line,
                              record *out, cph_err *err)
{
    const cph_ingest_opts *o = r->opts;
    *out = (record){.v = v,
                    .line = line,
                    .id = text_at(v, o->id_key),
                    .urn = text_at(v, o->urn_key),
                    .title = text_at(v, o->title_key),
                    .date = text_at(v, o->date_key),
                    .lang = text_at(v, o->lang_key),
                    .text = text_at(v, o->text_key)};
    if (!out->date.n) out->date = ncc_year(v);
    if (!out->lang.n) out->lang = text_at(v, CPH_STR("lang_fasttext"));
    if (!out->text.n) CPH_TRY(paragraphs_text(s, v, &out->text, err));
    if (!out->urn.n && is_urn(out->id)) out->urn = out->id;
    if (!out->urn.n) out->urn = u->urn;
    if (!out->id.n)
        CPH_TRY(cph_arena_printf(&s->keep, &out->id, err, "%.*s#%llu", CPH_FMT(stem_of(u->main)),
                                 (unsigned long long)line));
    return CPH_OK;
}

static cph_status put_record(run *r, outcome *o, scratch *s, const record *rec, const cph_source_file *file,
                             cph_err *err)
{
    bool known = false;
    uint64_t added = o->added;
    text_object t = {.a = &s->keep, .file = file->sha256};
    cph_object_record out = {
        .source_id = rec->id, .profile = CPH_STR("jsonl"), .work_urn = rec->urn, .files = file, .n_files = 1};
    CPH_TRY(cph_object_known(r, o, &out, &known, err));
    if (known) return CPH_OK;
    CPH_TRY(cph_text_pages_read(s, rec->text, true, take_page, &t, err));
    CPH_TRY(record_meta(r, s, &t, rec, &out.meta_json, err));
    out.pages = t.pages;
    out.n_pages = t.n;
    CPH_TRY(cph_object_put(r, o, &out, (cph_str){0}, (cph_str){0}, err));
    if (o->added == added) return CPH_OK;
    o->pages += t.n;
    o->words += t.words;
    return CPH_OK;
}

#define MAX_BAD 10 /* rows a file; what more there is is one row */

typedef struct bad_records {
    uint64_t n, last;
} bad_records;

static cph_status bad_record(run *r, outcome *o, const unit *u, uint64_t line, bad_records *bad,
                             const char *rule, const char *sentence, cph_err *err)
{
    cph_err place = {0};
    bad->last = line;
    if (bad->n++ >= MAX_BAD) return CPH_OK;
    cph_fail(&place, CPH_OK, "line %llu", (unsigned long long)line);
    return cph_problem_alone(r, o, u->main, cph_str_of(place.what), rule, cph_str_of(sentence), err);
}

static cph_status tell_more_bad(run *r, outcome *o, const unit *u, const bad_records *bad, cph_err *err)
{
    cph_err sentence = {0};
    if (bad->n <= MAX_BAD) return CPH_OK;
    cph_fail(&sentence, CPH_OK, "%llu more records, up to line %llu, could not be read",
             (unsigned long long)(bad->n - MAX_BAD), (unsigned long long)bad->last);
    return cph_problem_alone(r, o, u->main, (cph_str){"", 0}, "bad-record", cph_str_of(sentence.what), err);
}

/* Each record is an object; its source file is the whole file, kept once. */
static cph_status read_records(run *r, const unit *u, outcome *o, scratch *s, cph_jsonl *in,
                               const cph_source_file *file, cph_err *err)
{
    const cph_json *v;
    uint64_t line = 0;
    record rec;
    bad_records bad = {0};
    for (;;) {
        cph_err why = {0};
        CPH_TRY(cph_interrupt_check("reading records", err));
        cph_status st = cph_jsonl_next(in, &v, &line, &why);
        if (st == CPH_END) return tell_more_bad(r, o, u, &bad, err);
        if (st == CPH_DATA) {
            CPH_TRY(bad_record(r, o, u, line, &bad, "bad-record", why.what, err));
            continue;
        }
        if (st == CPH_NOMEM) /* what follows cannot be found without the end of this one */
            return cph_problem_alone(r, o, u->main, (cph_str){"", 0}, "record-too-large",
                                     cph_str_of(why.what), err);
        if (st != CPH_OK) return cph_fail(err, st, "%s", why.what);
        cph_arena_reset(&s->keep);
        if (v->type != CPH_JSON_OBJECT) {
            CPH_TRY(bad_record(r, o, u, line, &bad, "bad-record", "the record is no JSON object", err));
            continue;
        }
        CPH_TRY(read_record(r, u, s, v, line, &rec, err));
        if (rec.text.n) CPH_TRY(put_record(r, o, s, &rec, file, err));
        else
            CPH_TRY(
                bad_record(r, o, u, line, &bad, "no-text", "the record has no text (see --text-key)", err));
    }
}

cph_status cph_jsonl_objects_read(run *r, const unit *u, outcome *o, unsigned worker, cph_err *err)
{
    scratch *s = &r->scratch[worker];
    char path[CPH_PATH_MAX];
    cph_jsonl *in = NULL;
    cph_err why = {0};
    cph_source_file file = {.path = u->main,
                            .from = path,
                            .checksum_state = CPH_STR("none"),
                            .role = CPH_STR("text"),
                            .by_reference = r->opts->no_copy};
    cph_status st = cph_path_in(path, u->dir, u->main, &why);
    if (st == CPH_OK) st = cph_file_digest(path, &file.sha256, &file.bytes, &why);
    if (st == CPH_OK) st = cph_jsonl_open(&in, path, &why);
    if (st != CPH_OK) return unreadable(r, o, u, &why, err);
    st = read_records(r, u, o, s, in, &file, err);
    cph_jsonl_close(in);
    return st;
}

/* ---- MODS alone ---- */

cph_status cph_mods_file_read(run *r, const unit *u, outcome *o, unsigned worker, cph_err *err)
{
    scratch *s = &r->scratch[worker];
    text_source src;
    cph_mods m;
    mods_facts f;
    cph_str source;
    char hex[CPH_HEX_DIGEST];
    cph_err why = {0};
    cph_arena_reset(&s->keep);
    cph_status st = open_text(r, u, s, &src, &why);
    if (st == CPH_OK) st = cph_mods_parse(&m, &s->keep, src.utf8, src.path, &why);
    if (st != CPH_OK)
        return cph_problem_alone(r, o, u->main, (cph_str){"", 0}, "mods-unreadable", cph_str_of(why.what),
                                 err);
    CPH_TRY(cph_mods_to_facts(&f, &s->keep, &m, cph_mets_is_newspaper(NULL, &m), err));
    if (!f.urn.n)
        return cph_problem_alone(r, o, u->main, (cph_str){"", 0}, "mods-without-urn",
                                 CPH_STR("names no work: no identifier of type urn, and no object beside it"),
                                 err);
    cph_digest_hex(&src.file.sha256, hex);
    CPH_TRY(cph_arena_printf(&s->keep, &source, err, "mods:%s", hex));
    st = cph_collection_add_fact(r->into, "work", f.urn, source, f.work_json, &why);
    if (st == CPH_DATA)
        return cph_problem_alone(r, o, u->main, (cph_str){"", 0}, "facts-refused", cph_str_of(why.what), err);
    if (st != CPH_OK) return cph_fail(err, st, "%s", why.what);
    o->facts++;
    return CPH_OK;
}
