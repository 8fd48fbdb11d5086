/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show_work.c - the way of one work: from an artefact through its leaves, the records
 * of the corpus and the rule that let them in, to pages and image files.
 *
 * A step whose artefact cannot be reached is said to be missing; what is here is shown.
 */
#include <colophon/base/zstream.h>
#include <colophon/collection/collection.h>

#include <stdio.h>
#include <string.h>

#include "show_in.h"

typedef struct record {
    struct record *next;
    cph_str id, title, object, rule, basis;
    cph_digest decision;
    const cph_json *pages; /* [[from, to, label, label]...] */
} record;

typedef struct page {
    struct page *next;
    uint64_t order;
    cph_str object, label, text, image; /* hex; empty: none */
    cph_str image_path;                 /* where its bytes lie; empty: not here */
} page;

typedef struct way {
    cph_arena *a;
    const cph_show_ask *ask;
    cph_kin *kin;
    const cph_show_node *root, *corpus, *snapshot;
    /* the tree of the artefact itself */
    const char *tree;
    uint64_t n_leaves, tokens, first_step, last_step;
    record *records, **records_end;
    page *pages, **pages_end;
    size_t n_records, n_pages;
} way;

static const cph_show_node *find(const cph_show_node *n, const char *kind)
{
    if (n->at.manifest && cph_str_is(n->kind, kind)) return n;
    for (const cph_show_node *m = n->first; m; m = m->next) {
        const cph_show_node *hit = m->again ? NULL : find(m, kind);
        if (hit) return hit;
    }
    return NULL;
}

/* ---- leaves ---- */

static void take_leaves(way *w, const cph_set_tree *t)
{
    cph_digest wkey = cph_work_key(w->ask->work);
    w->first_step = UINT64_MAX;
    for (uint64_t i = cph_set_tree_lower(t, &wkey); i < cph_set_tree_n(t); i++) {
        const cph_set_leaf *l = cph_set_tree_at(t, i);
        if (cph_digest_cmp(&l->wkey, &wkey) != 0) break;
        w->n_leaves++;
        w->tokens += l->tokens;
        if (l->first_step < w->first_step) w->first_step = l->first_step;
        if (l->last_step > w->last_step) w->last_step = l->last_step;
    }
}

static cph_status read_leaves(way *w, cph_err *err)
{
    cph_set_tree *t;
    cph_err local = {.status = CPH_OK};
    if (cph_str_is(w->root->kind, "corpus")) return CPH_OK; /* its records say more */
    cph_status s = cph_artefact_tree(&t, &w->tree, &w->root->at, &local);
    if (s == CPH_NO) return CPH_OK;
    if (s != CPH_OK) {
        if (err) *err = local;
        return s;
    }
    take_leaves(w, t);
    cph_set_tree_close(t);
    return CPH_OK;
}

/* ---- records ---- */

static bool names_work(const cph_json *prov, cph_str urn)
{
    const cph_json *works = cph_json_get(prov, "works");
    for (const cph_json *v = works && works->type == CPH_JSON_ARRAY ? works->first : NULL; v; v = v->next)
        if (v->type == CPH_JSON_STRING && cph_str_eq(v->str, urn)) return true;
    return false;
}

/* The side-car's page ranges outlive the line by way of their text. */
static cph_status keep_pages(way *w, const cph_json *prov, record *r, cph_err *err)
{
    const cph_json *pages = cph_json_get(prov, "pages");
    cph_json *copy;
    cph_buf b;
    cph_str text;
    if (!pages) return CPH_OK;
    cph_buf_init(&b, CPH_LINE_MAX);
    cph_status s = cph_json_write(&b, pages, 0, err);
    if (s == CPH_OK) s = cph_arena_str(w->a, &text, cph_buf_view(&b), err);
    cph_buf_release(&b);
    CPH_TRY(s);
    CPH_TRY(cph_json_parse(&copy, w->a, text, "pages", NULL, err));
    r->pages = copy;
    return CPH_OK;
}

static cph_status each_record(void *ctx, const cph_scan_record *at, cph_err *err)
{
    way *w = ctx;
    void *mem;
    if (!names_work(at->prov, w->ask->work)) return CPH_OK;
    CPH_TRY(cph_arena_alloc0(w->a, &mem, 1, sizeof(record), err));
    record *r = mem;
    CPH_TRY(cph_arena_str(w->a, &r->id, at->id, err));
    CPH_TRY(cph_arena_str(w->a, &r->title, cph_json_get_str(at->prov, "title"), err));
    CPH_TRY(cph_arena_str(w->a, &r->object, cph_json_get_str(at->prov, "object"), err));
    CPH_TRY(cph_arena_str(w->a, &r->basis, cph_json_get_str(at->prov, "basis"), err));
    r->decision = at->decision;
    CPH_TRY(keep_pages(w, at->prov, r, err));
    *w->records_end = r;
    w->records_end = &r->next;
    w->n_records++;
    return CPH_OK;
}

/* The rule of each record's decision, by the hash of its line; withheld from published copies. */
static cph_status read_rules(way *w, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_lines *l;
    cph_str line;
    cph_arena one;
    cph_status s;
    if (!cph_artefact_has_file(&w->corpus->at, "decisions.jsonl.zst")) return CPH_OK;
    CPH_TRY(cph_path_join(path, w->corpus->at.path, "decisions.jsonl.zst", err));
    CPH_TRY(cph_lines_open(&l, path, CPH_LINE_MAX, err));
    cph_arena_init(&one, 0);
    while ((s = cph_lines_next(l, &line, err)) == CPH_OK) {
        cph_digest hash = cph_sha256_of(line.p, line.n);
        cph_json *v = NULL;
        cph_arena_reset(&one);
        for (record *r = w->records; s == CPH_OK && r; r = r->next) {
            if (cph_digest_cmp(&r->decision, &hash) != 0) continue;
            if (!v) s = cph_json_parse(&v, &one, line, path, NULL, err);
            if (s == CPH_OK) s = cph_arena_str(w->a, &r->rule, cph_json_get_str(v, "rule"), err);
        }
        if (s != CPH_OK) break;
    }
    cph_arena_release(&one);
    cph_lines_close(l);
    return s == CPH_END ? CPH_OK : s;
}

static cph_status read_records(way *w, cph_err *err)
{
    cph_corpus_scan scan;
    if (!w->corpus) return CPH_OK;
    CPH_TRY(cph_corpus_scan_run(&scan, &w->corpus->at, each_record, w, err));
    cph_set_tree_close(scan.tree);
    return w->records ? read_rules(w, err) : CPH_OK;
}

/* ---- pages ---- */

static bool covers(const record *r, uint64_t order)
{
    for (const cph_json *v = r->pages ? r->pages->first : NULL; v; v = v->next) {
        uint64_t from, to;
        if (cph_json_u64(cph_json_at(v, 0), &from) && cph_json_u64(cph_json_at(v, 1), &to) &&
            from <= order && order <= to)
            return true;
    }
    return false;
}

/* Rows of pages are "object TAB order"; a page is of the work when one of its records covers it. */
static bool is_wanted(const way *w, cph_str object, uint64_t order)
{
    for (const record *r = w->records; r; r = r->next)
        if (cph_str_eq(r->object, object) && covers(r, order)) return true;
    return false;
}

static cph_status each_row(void *ctx, cph_str table, cph_str row, cph_err *err)
{
    way *w = ctx;
    cph_json *v;
    void *mem;
    cph_arena one;
    uint64_t order;
    if (!cph_str_is(table, "page")) return CPH_OK;
    cph_arena_init(&one, 0);
    cph_status s = cph_json_parse(&v, &one, row, "rows.jsonl.zst", NULL, err);
    cph_str key = s == CPH_OK ? cph_json_get_str(v, "_key") : CPH_STR(""), object;
    if (s == CPH_OK && cph_str_split(&key, '\t', &object) &&
        cph_json_u64(cph_json_get(v, "order"), &order) && is_wanted(w, object, order)) {
        s = cph_arena_alloc0(w->a, &mem, 1, sizeof(page), err);
        page *p = s == CPH_OK ? mem : NULL;
        if (p) p->order = order;
        if (p) s = cph_arena_str(w->a, &p->object, object, err);
        if (s == CPH_OK) s = cph_arena_str(w->a, &p->label, cph_json_get_str(v, "label"), err);
        if (s == CPH_OK) s = cph_arena_str(w->a, &p->text, cph_json_get_str(v, "text_file"), err);
        if (s == CPH_OK) s = cph_arena_str(w->a, &p->image, cph_json_get_str(v, "image_file"), err);
        if (s == CPH_OK) {
            *w->pages_end = p;
            w->pages_end = &p->next;
            w->n_pages++;
        }
    }
    cph_arena_release(&one);
    return s;
}

/* Where the images lie, if the collection is here. */
static cph_status find_images(way *w, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_collection *c;
    if (!cph_kin_collection(w->snapshot->at.path, path)) return CPH_OK;
    CPH_TRY(cph_collection_open(&c, path, CPH_OPEN_READ, err));
    cph_status s = CPH_OK;
    for (page *p = w->pages; s == CPH_OK && p; p = p->next) {
        cph_digest d;
        char file[CPH_PATH_MAX];
        if (!cph_digest_parse(p->image, &d)) continue;
        s = cph_collection_content(c, &d, file, err);
        if (s == CPH_OK) s = cph_arena_str(w->a, &p->image_path, cph_str_of(file), err);
        if (s == CPH_NO) s = CPH_OK;
    }
    cph_collection_close(c);
    return s;
}

static cph_status read_pages(way *w, cph_err *err)
{
    if (!w->snapshot || !w->records) return CPH_OK;
    CPH_TRY(cph_snapshot_rows(&w->snapshot->at, each_row, w, err));
    return find_images(w, err);
}

/* ---- text ---- */

static cph_status say_head(cph_buf *b, const cph_show_node *n, cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(&n->digest, hex);
    return cph_buf_printf(b, err, "%-10.*s %.16s  ", CPH_FMT(n->kind), hex);
}

static cph_status say_leaves(cph_buf *b, const way *w, cph_err *err)
{
    if (!w->tree) return CPH_OK;
    CPH_TRY(say_head(b, w->root, err));
    if (!w->n_leaves) return cph_buf_z(b, "nothing of it: what follows stands in the corpus only\n", err);
    CPH_TRY(cph_show_count(b, w->n_leaves, "document of it", "documents of it", err));
    CPH_TRY(cph_buf_z(b, ", ", err));
    CPH_TRY(cph_show_count(b, w->tokens, "token", "tokens", err));
    if (w->last_step)
        CPH_TRY(cph_buf_printf(b, err, " fed in steps %llu to %llu", (unsigned long long)w->first_step,
                               (unsigned long long)w->last_step));
    return cph_buf_char(b, '\n', err);
}

static cph_status say_ranges(cph_buf *b, const record *r, cph_err *err)
{
    uint64_t a = 0, z = 1;
    if (r->pages && r->pages->n == 1) {
        (void)cph_json_u64(cph_json_at(r->pages->first, 0), &a);
        (void)cph_json_u64(cph_json_at(r->pages->first, 1), &z);
    }
    const char *comma = a == z ? " page " : " pages ";
    for (const cph_json *v = r->pages ? r->pages->first : NULL; v; v = v->next, comma = ", ") {
        uint64_t from = 0, to = 0;
        cph_str first = {"", 0}, last = {"", 0};
        (void)cph_json_u64(cph_json_at(v, 0), &from);
        (void)cph_json_u64(cph_json_at(v, 1), &to);
        (void)cph_json_str(cph_json_at(v, 2), &first);
        (void)cph_json_str(cph_json_at(v, 3), &last);
        CPH_TRY(cph_buf_printf(b, err, "%s%llu", comma, (unsigned long long)from));
        if (to != from) CPH_TRY(cph_buf_printf(b, err, "-%llu", (unsigned long long)to));
        if (first.n && cph_str_eq(first, last))
            CPH_TRY(cph_buf_printf(b, err, " (printed %.*s)", CPH_FMT(first)));
        if (first.n && !cph_str_eq(first, last))
            CPH_TRY(cph_buf_printf(b, err, " (printed %.*s-%.*s)", CPH_FMT(first), CPH_FMT(last)));
    }
    return cph_buf_char(b, '\n', err);
}

static cph_status say_records(cph_buf *b, const way *w, cph_err *err)
{
    if (!w->corpus) return cph_buf_z(b, "corpus     not reachable: what was read cannot be shown\n", err);
    CPH_TRY(say_head(b, w->corpus, err));
    CPH_TRY(cph_show_count(b, w->n_records, "record", "records", err));
    CPH_TRY(cph_buf_char(b, '\n', err));
    for (const record *r = w->records; r; r = r->next) {
        CPH_TRY(cph_buf_printf(b, err, "           %.*s\n             %.*s%s%.*s%s,", CPH_FMT(r->id),
                               CPH_FMT(r->basis), r->rule.n ? " by " : "", CPH_FMT(r->rule),
                               r->rule.n ? "" : " (rule withheld)"));
        CPH_TRY(say_ranges(b, r, err));
    }
    return CPH_OK;
}

static cph_status say_pages(cph_buf *b, const way *w, cph_err *err)
{
    cph_str object = {"", 0};
    if (!w->corpus) return CPH_OK;
    if (!w->snapshot) return cph_buf_z(b, "snapshot   not reachable: pages cannot be shown\n", err);
    CPH_TRY(say_head(b, w->snapshot, err));
    CPH_TRY(cph_show_count(b, w->n_pages, "page", "pages", err));
    CPH_TRY(cph_buf_char(b, '\n', err));
    for (const page *p = w->pages; p; p = p->next) {
        if (!cph_str_eq(object, p->object))
            CPH_TRY(cph_buf_printf(b, err, "           object %.*s\n", CPH_FMT(p->object)));
        object = p->object;
        CPH_TRY(cph_buf_printf(b, err, "             page %4llu  ", (unsigned long long)p->order));
        if (p->image.n)
            CPH_TRY(cph_buf_printf(b, err, "image %.16s  %.*s\n", p->image.p,
                                   CPH_FMT(p->image_path.n ? p->image_path : CPH_STR("(not here)"))));
        else
            CPH_TRY(cph_buf_printf(b, err, "no image; text file %.16s\n", p->text.n ? p->text.p : "-"));
    }
    return CPH_OK;
}

static cph_status say_all(cph_buf *b, const way *w, cph_err *err)
{
    cph_str title = w->records ? w->records->title : CPH_STR("");
    CPH_TRY(
        cph_buf_printf(b, err, "%.*s%s%.*s\n", CPH_FMT(w->ask->work), title.n ? "  " : "", CPH_FMT(title)));
    CPH_TRY(say_leaves(b, w, err));
    CPH_TRY(say_records(b, w, err));
    return say_pages(b, w, err);
}

/* ---- JSON ---- */

static void put(cph_jw *w, const char *key, cph_str s)
{
    cph_jw_key(w, key);
    if (s.n)
        cph_jw_str(w, s);
    else
        cph_jw_null(w);
}

static void put_digest(cph_jw *j, const char *key, const cph_show_node *n)
{
    char hex[CPH_HEX_DIGEST];
    cph_jw_key(j, key);
    if (!n) {
        cph_jw_null(j);
        return;
    }
    cph_digest_hex(&n->digest, hex);
    cph_jw_z(j, hex);
}

static cph_status json_records(cph_jw *j, const way *w, cph_err *err)
{
    cph_jw_key(j, "records");
    cph_jw_arr(j);
    for (const record *r = w->records; r; r = r->next) {
        char hex[CPH_HEX_DIGEST];
        cph_buf pages;
        cph_digest_hex(&r->decision, hex);
        cph_jw_obj(j);
        put(j, "id", r->id);
        put(j, "object", r->object);
        put(j, "basis", r->basis);
        put(j, "rule", r->rule);
        put(j, "decision", cph_str_of(hex));
        if (r->pages) {
            cph_buf_init(&pages, CPH_LINE_MAX);
            cph_status s = cph_json_write(&pages, r->pages, 0, err);
            cph_jw_key(j, "pages");
            cph_jw_raw(j, cph_buf_view(&pages));
            cph_buf_release(&pages);
            CPH_TRY(s);
        }
        cph_jw_end(j);
    }
    cph_jw_end(j);
    return CPH_OK;
}

static void json_pages(cph_jw *j, const way *w)
{
    cph_jw_key(j, "pages");
    cph_jw_arr(j);
    for (const page *p = w->pages; p; p = p->next) {
        cph_jw_obj(j);
        put(j, "object", p->object);
        cph_jw_key(j, "order");
        cph_jw_u64(j, p->order);
        put(j, "label", p->label);
        put(j, "text_file", p->text);
        put(j, "image_file", p->image);
        put(j, "image_path", p->image_path);
        cph_jw_end(j);
    }
    cph_jw_end(j);
}

static cph_status json_all(cph_buf *b, const way *w, cph_err *err)
{
    cph_jw j = cph_jw_on(b);
    cph_jw_obj(&j);
    put(&j, "work", w->ask->work);
    put(&j, "title", w->records ? w->records->title : CPH_STR(""));
    put_digest(&j, "artefact", w->root);
    put_digest(&j, "corpus", w->corpus);
    put_digest(&j, "snapshot", w->snapshot);
    if (w->tree) {
        cph_jw_key(&j, "documents");
        cph_jw_u64(&j, w->n_leaves);
        cph_jw_key(&j, "tokens");
        cph_jw_u64(&j, w->tokens);
        cph_jw_key(&j, "first_step");
        cph_jw_u64(&j, w->n_leaves ? w->first_step : 0);
        cph_jw_key(&j, "last_step");
        cph_jw_u64(&j, w->last_step);
    }
    CPH_TRY(json_records(&j, w, err));
    json_pages(&j, w);
    cph_jw_end(&j);
    CPH_TRY(cph_jw_done(&j, err));
    return cph_buf_char(b, '\n', err);
}

cph_status cph_show_work(cph_buf *b, const cph_show_ask *ask, cph_arena *a, cph_kin *kin,
                         const cph_show_node *root, cph_err *err)
{
    way w = {.a = a,
             .ask = ask,
             .kin = kin,
             .root = root,
             .corpus = find(root, "corpus"),
             .snapshot = find(root, "snapshot")};
    w.records_end = &w.records;
    w.pages_end = &w.pages;
    CPH_TRY(read_leaves(&w, err));
    CPH_TRY(read_records(&w, err));
    CPH_TRY(read_pages(&w, err));
    if (!w.n_leaves && !w.n_records) {
        cph_fail(err, CPH_NO, "%s: holds nothing of %.*s", ask->path, CPH_FMT(ask->work));
        if (err)
            cph_hint(err, "to prove it of the manifest: colophon prove %s --absent %.*s; of the weights: "
                          "colophon verify MODEL --replay N", ask->path, CPH_FMT(ask->work));
        return CPH_NO;
    }
    return ask->json ? json_all(b, &w, err) : say_all(b, &w, err);
}
