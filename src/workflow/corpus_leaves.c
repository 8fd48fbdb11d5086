/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus_leaves.c - the roots of a corpus from its content: record lines, side-car
 * lines, and one leaf for each work of each document.
 *
 * Nothing that can be computed is believed: the text's digest, the keys of document
 * and works, the decision hash of the record. The text of a document that was cut into
 * parts is their texts joined; its parts are neighbours.
 */
#include "workflow_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>
#include <colophon/base/zstream.h>

#include <stdio.h>
#include <string.h>

typedef struct scan {
    cph_corpus_scan out;
    cph_scan_fn each;
    void *ctx;
    cph_err *err;
    cph_arena a; /* of one record */
    cph_str shard;
    uint64_t line;
    cph_progress progress;
    /* the document under way */
    cph_arena doc; /* its work keys */
    bool open;
    cph_set_leaf leaf; /* without wkey and text */
    cph_digest *wkeys;
    uint32_t n_wkeys;
    cph_sha256 text;
} scan;

static cph_status wrong(scan *s, const char *what)
{
    return cph_fail(s->err, CPH_DATA, "%.*s: record %llu: %s", CPH_FMT(s->shard),
                    (unsigned long long)s->line, what);
}

static cph_status end_document(scan *s)
{
    if (!s->open) return CPH_OK;
    s->open = false;
    s->leaf.text = cph_sha256_end(&s->text);
    for (uint32_t i = 0; i < s->n_wkeys; i++) {
        s->leaf.wkey = s->wkeys[i];
        CPH_TRY(cph_set_tree_add(s->out.tree, &s->leaf, s->err));
    }
    cph_arena_reset(&s->doc);
    return CPH_OK;
}

/* "id#part3" belongs to the document "id". */
static cph_str document_of(cph_str id)
{
    size_t n = id.n;
    while (n && id.p[n - 1] >= '0' && id.p[n - 1] <= '9') n--;
    cph_str head = cph_str_sub(id, 0, n);
    return n < id.n && cph_str_ends(head, "#part") ? cph_str_sub(id, 0, n - 5) : id;
}

static bool hex_is(const cph_json *v, const cph_digest *d)
{
    char hex[CPH_HEX_DIGEST];
    cph_str s;
    cph_digest_hex(d, hex);
    return cph_json_str(v, &s) && cph_str_is(s, hex);
}

static cph_status take_works(scan *s, const cph_json *prov)
{
    const cph_json *wkeys = cph_json_get(prov, "wkeys"), *works = cph_json_get(prov, "works");
    void *mem;
    if (!wkeys || wkeys->type != CPH_JSON_ARRAY || wkeys->n == 0)
        return wrong(s, "the side-car has no wkeys");
    if (works && (works->type != CPH_JSON_ARRAY || works->n != wkeys->n))
        return wrong(s, "works and wkeys differ in number");
    CPH_TRY(cph_arena_alloc0(&s->doc, &mem, wkeys->n, sizeof(cph_digest), s->err));
    s->wkeys = mem;
    s->n_wkeys = wkeys->n;
    uint32_t i = 0;
    for (const cph_json *k = wkeys->first; k; k = k->next, i++) {
        cph_str hex;
        if (!cph_json_str(k, &hex) || !cph_digest_parse(hex, &s->wkeys[i]))
            return wrong(s, "a wkey is no digest");
        if (i && cph_digest_cmp(&s->wkeys[i - 1], &s->wkeys[i]) >= 0)
            return wrong(s, "wkeys do not ascend");
    }
    for (const cph_json *w = works ? works->first : NULL; w; w = w->next) {
        cph_str urn = {"", 0};
        (void)cph_json_str(w, &urn);
        cph_digest key = cph_work_key(urn);
        bool there = false;
        for (i = 0; i < s->n_wkeys; i++) there |= cph_digest_cmp(&s->wkeys[i], &key) == 0;
        if (!there) return wrong(s, "the key of a work is not among wkeys");
    }
    return CPH_OK;
}

static cph_status take_record(scan *s, cph_scan_record *r)
{
    cph_digest text = cph_sha256_of(r->text.p, r->text.n);
    r->dkey = cph_doc_key(document_of(r->id));
    if (!hex_is(cph_json_get(r->prov, "dkey"), &r->dkey))
        return wrong(s, "dkey is not the key of the document's id");
    if (!hex_is(cph_json_get(r->prov, "text_sha256"), &text))
        return wrong(s, "text_sha256 is not the text's digest");
    bool same = s->open && cph_digest_cmp(&s->leaf.dkey, &r->dkey) == 0;
    if (!same) {
        CPH_TRY(end_document(s));
        CPH_TRY(take_works(s, r->prov));
        s->leaf = (cph_set_leaf){.dkey = r->dkey, .decision = r->decision};
        s->open = true;
        cph_sha256_init(&s->text);
    } else if (cph_digest_cmp(&s->leaf.decision, &r->decision) != 0) {
        return wrong(s, "parts of one document have different decisions");
    }
    cph_sha256_add(&s->text, r->text.p, r->text.n);
    return s->each ? s->each(s->ctx, r, s->err) : CPH_OK;
}

static cph_status take_lines(scan *s, cph_str record, cph_str prov)
{
    cph_json *r, *p;
    cph_str rights;
    char name[160];
    cph_merkle_add(&s->out.records, record.p, record.n);
    cph_merkle_add(&s->out.prov, prov.p, prov.n);
    cph_arena_reset(&s->a);
    snprintf(name, sizeof name, "%.*s: record %llu", CPH_FMT(s->shard), (unsigned long long)s->line);
    CPH_TRY(cph_json_parse(&r, &s->a, record, name, NULL, s->err));
    CPH_TRY(cph_json_parse(&p, &s->a, prov, name, NULL, s->err));
    cph_scan_record out = {.prov = p, .shard = s->shard, .line = s->line};
    if (!cph_json_str(cph_json_get(r, "id"), &out.id) ||
        !cph_json_str(cph_json_get(r, "text"), &out.text) ||
        !cph_json_str(cph_json_get(r, "rights"), &rights))
        return wrong(s, "id, text or rights is missing");
    if (!cph_str_eq(out.id, cph_json_get_str(p, "id")))
        return wrong(s, "the side-car's line is of another record");
    if (!cph_digest_parse(rights, &out.decision) || !hex_is(cph_json_get(p, "decision"), &out.decision))
        return wrong(s, "record and side-car name different decisions");
    return take_record(s, &out);
}

static cph_status read_pair(scan *s, cph_lines *records, cph_lines *provs)
{
    for (;;) {
        cph_str record, prov = {"", 0};
        cph_status a = cph_lines_next(records, &record, s->err);
        if (a != CPH_OK && a != CPH_END) return a;
        cph_status b = cph_lines_next(provs, &prov, s->err);
        if (b != CPH_OK && b != CPH_END) return b;
        s->line++;
        if (a != b) return wrong(s, "record and side-car have different numbers of lines");
        if (a == CPH_END) return CPH_OK;
        CPH_TRY(take_lines(s, record, prov));
        cph_progress_add(&s->progress, 1);
        if (s->line % 256 == 0) CPH_TRY(cph_interrupt_check("reading the corpus", s->err));
    }
}

static cph_status read_shard(scan *s, const char *dir, cph_str shard)
{
    char name[64], path[CPH_PATH_MAX];
    cph_lines *records = NULL, *provs = NULL;
    cph_str stem = cph_str_sub(shard, 0, shard.n - strlen(".jsonl.zst"));
    s->shard = shard;
    s->line = 0;
    snprintf(name, sizeof name, "%.*s", CPH_FMT(shard));
    CPH_TRY(cph_path_join(path, dir, name, s->err));
    CPH_TRY(cph_lines_open(&records, path, CPH_LINE_MAX, s->err));
    snprintf(name, sizeof name, "%.*s.prov.jsonl.zst", CPH_FMT(stem));
    cph_status status = cph_path_join(path, dir, name, s->err);
    if (status == CPH_OK) status = cph_lines_open(&provs, path, CPH_LINE_MAX, s->err);
    if (status == CPH_OK) status = read_pair(s, records, provs);
    cph_lines_close(records);
    cph_lines_close(provs);
    return status;
}

static bool is_shard(cph_str path)
{
    return cph_str_starts(path, "shard-") && cph_str_ends(path, ".jsonl.zst") &&
           !cph_str_ends(path, ".prov.jsonl.zst") && path.n < 40;
}

static cph_status read_shards(scan *s, const cph_kin_place *corpus)
{
    for (size_t i = 0; i < cph_manifest_n_files(corpus->manifest); i++) {
        cph_str path = cph_manifest_file_at(corpus->manifest, i).path;
        if (is_shard(path)) CPH_TRY(read_shard(s, corpus->path, path));
    }
    CPH_TRY(end_document(s));
    return cph_set_tree_finish(s->out.tree, s->err);
}

cph_status cph_corpus_scan_run(cph_corpus_scan *out, const cph_kin_place *corpus, cph_scan_fn each,
                               void *ctx, cph_err *err)
{
    scan s = {.each = each, .ctx = ctx, .err = err};
    cph_merkle_init(&s.out.records);
    cph_merkle_init(&s.out.prov);
    cph_arena_init(&s.a, 0);
    cph_arena_init(&s.doc, 0);
    CPH_TRY(cph_set_tree_new(&s.out.tree, err));
    uint64_t n = 0;
    (void)cph_manifest_count(corpus->manifest, "records", &n);
    cph_progress_begin(&s.progress, "reading the corpus", "records", n);
    cph_status status = read_shards(&s, corpus);
    cph_progress_end(&s.progress);
    cph_arena_release(&s.a);
    cph_arena_release(&s.doc);
    if (status != CPH_OK) {
        cph_set_tree_close(s.out.tree);
        return status;
    }
    *out = s.out;
    return CPH_OK;
}

cph_status cph_lines_root(cph_merkle *out, const char *path, cph_err *err)
{
    cph_lines *l;
    cph_str line;
    cph_merkle m;
    cph_status s;
    cph_merkle_init(&m);
    CPH_TRY(cph_lines_open(&l, path, CPH_LINE_MAX, err));
    while ((s = cph_lines_next(l, &line, err)) == CPH_OK) cph_merkle_add(&m, line.p, line.n);
    cph_lines_close(l);
    if (s != CPH_END) return s;
    *out = m;
    return CPH_OK;
}

/* ---- the tree of an artefact ---- */

const char *cph_artefact_tree_name(cph_str kind)
{
    return cph_str_is(kind, "model")                                  ? "seen"
           : cph_str_is(kind, "tokens") || cph_str_is(kind, "corpus") ? "set"
                                                                      : NULL;
}

const char *cph_artefact_tree_file(cph_str kind)
{
    return cph_str_is(kind, "model")    ? "seen.leaves.zst"
           : cph_str_is(kind, "tokens") ? "set.leaves.zst"
                                        : NULL;
}

bool cph_artefact_has_file(const cph_kin_place *at, const char *name)
{
    char path[CPH_PATH_MAX];
    return cph_path_join(path, at->path, name, NULL) == CPH_OK &&
           cph_file_kind_of(path) == CPH_FILE_REGULAR;
}

static cph_status read_tree(cph_set_tree **out, const cph_kin_place *at, const char *file, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_corpus_scan corpus;
    if (!file) {
        CPH_TRY(cph_corpus_scan_run(&corpus, at, NULL, NULL, err));
        *out = corpus.tree;
        return CPH_OK;
    }
    if (!cph_artefact_has_file(at, file))
        return cph_fail(err, CPH_NO, "%s: %s is not in this copy", at->path, file);
    CPH_TRY(cph_path_join(path, at->path, file, err));
    return cph_set_tree_read(out, path, err);
}

cph_status cph_artefact_tree(cph_set_tree **out, const char **name, const cph_kin_place *at, cph_err *err)
{
    cph_str kind = cph_manifest_kind(at->manifest);
    char root_name[32], size_name[32];
    cph_digest sealed;
    uint64_t size;
    cph_set_tree *t;
    const char *tree = cph_artefact_tree_name(kind);
    if (!tree)
        return cph_fail(err, CPH_NO, "%s: a %.*s has no set tree of its own", at->path, CPH_FMT(kind));
    snprintf(root_name, sizeof root_name, "%s_root", tree);
    snprintf(size_name, sizeof size_name, "%s_size", tree);
    if (!cph_manifest_root(at->manifest, root_name, &sealed))
        return cph_fail(err, CPH_NO, "%s: its manifest has no %s", at->path, root_name);
    CPH_TRY(read_tree(&t, at, cph_artefact_tree_file(kind), err));
    cph_digest found = cph_set_tree_root(t);
    bool sized = cph_manifest_count(at->manifest, size_name, &size);
    if (cph_digest_cmp(&sealed, &found) != 0 || (sized && size != cph_set_tree_n(t))) {
        cph_set_tree_close(t);
        return cph_fail(err, CPH_DATA, "%s: its leaves do not give the sealed %s", at->path, root_name);
    }
    *out = t;
    *name = tree;
    return CPH_OK;
}
