/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens.c - a token set, mapped: opened with distrust, then read without checks.
 *
 * Opening walks every table row, so that what comes after (a training step, a trace)
 * may index the maps. Token values and digests cost a reading of everything and are
 * cph_tokens_verify's.
 */
#include "train_in.h"

#include <colophon/base/memory.h>
#include <colophon/provenance/check.h>
#include <colophon/provenance/proof.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define MAX_FILES 65536u
#define MAX_NAMES 65536u

typedef struct token_file {
    cph_map map;
    cph_token_header head;
    uint64_t doc_base; /* documents in the files before */
} token_file;

struct cph_tokens {
    cph_manifest *manifest;
    token_file *files;
    uint32_t n_files;
    uint64_t n_tokens, n_docs;
    cph_str *names; /* classes, then sources */
    uint32_t n_classes, n_sources;
};

/* ---- opening ---- */

static cph_status check_table(const cph_tokens *t, const token_file *f, const char *path, cph_err *err)
{
    uint64_t next = 0;
    for (uint64_t i = 0; i < f->head.n_docs; i++) {
        cph_token_doc d;
        bool clean = cph_token_row_get(f->map.p + f->head.table + i * CPH_TOKENS_ROW, &d);
        if (!clean || d.first != next || d.n_tokens > f->head.n_tokens - next)
            return cph_fail(err, CPH_DATA, "%s: document %llu: its row does not fit the tokens", path,
                            (unsigned long long)i);
        if (d.class_id >= t->n_classes || d.source_id >= t->n_sources)
            return cph_fail(err, CPH_DATA,
                            "%s: document %llu: rights class %u or source %u is not in the manifest", path,
                            (unsigned long long)i, d.class_id, d.source_id);
        next += d.n_tokens;
    }
    if (next != f->head.n_tokens)
        return cph_fail(err, CPH_DATA, "%s: %llu tokens belong to no document", path,
                        (unsigned long long)(f->head.n_tokens - next));
    return CPH_OK;
}

static cph_status open_file(cph_tokens *t, const char *dir, uint32_t i, cph_err *err)
{
    char name[32], path[CPH_PATH_MAX];
    token_file *f = &t->files[i];
    snprintf(name, sizeof name, CPH_TOKENS_FILE, i);
    CPH_TRY(cph_path_join(path, dir, name, err));
    CPH_TRY(cph_map_open(&f->map, path, err));
    t->n_files = i + 1;
    CPH_TRY(cph_token_header_get(f->map.p, f->map.n_bytes, path, &f->head, err));
    const token_file *first = &t->files[0];
    if (f->head.width != first->head.width || cph_digest_cmp(&f->head.corpus, &first->head.corpus) != 0 ||
        cph_digest_cmp(&f->head.tokenizer, &first->head.tokenizer) != 0)
        return cph_fail(err, CPH_DATA, "%s: belongs to another token set than its neighbours", path);
    f->doc_base = t->n_docs;
    t->n_docs += f->head.n_docs;
    t->n_tokens += f->head.n_tokens;
    return check_table(t, f, path, err);
}

static uint32_t count_files(const cph_manifest *m)
{
    uint32_t n = 0;
    for (size_t i = 0; i < cph_manifest_n_files(m) && n < MAX_FILES; i++)
        n += cph_str_ends(cph_manifest_file_at(m, i).path, ".tok");
    return n;
}

static cph_status take_names(cph_tokens *t, const char *dir, cph_err *err)
{
    const cph_json *identity = cph_manifest_identity(t->manifest);
    const cph_json *lists[2] = {cph_json_get(identity, "classes"), cph_json_get(identity, "sources")};
    uint32_t n = 0;
    void *names;
    for (int k = 0; k < 2; k++)
        if (!lists[k] || lists[k]->type != CPH_JSON_ARRAY || lists[k]->n > MAX_NAMES)
            return cph_fail(err, CPH_DATA, "%s: identity.%s is no list of names", dir,
                            k ? "sources" : "classes");
    CPH_TRY(cph_alloc_n(&names, lists[0]->n + (size_t)lists[1]->n, sizeof(cph_str), err));
    t->names = names;
    t->n_classes = lists[0]->n;
    t->n_sources = lists[1]->n;
    for (int k = 0; k < 2; k++)
        for (const cph_json *v = lists[k]->first; v; v = v->next, n++) t->names[n] = v->str;
    return CPH_OK;
}

/* The manifest says whose tokens these are; the files say it again, for whoever has them alone. */
static cph_status check_parents(const cph_tokens *t, const char *dir, cph_err *err)
{
    unsigned found = 0;
    for (size_t i = 0; i < cph_manifest_n_parents(t->manifest); i++) {
        cph_parent p = cph_manifest_parent_at(t->manifest, i);
        const token_file *f = &t->files[0];
        if (cph_str_is(p.role, "corpus")) found += cph_digest_cmp(&p.digest, &f->head.corpus) == 0;
        if (cph_str_is(p.role, "tokenizer")) found += cph_digest_cmp(&p.digest, &f->head.tokenizer) == 0;
    }
    return found == 2
               ? CPH_OK
               : cph_fail(err, CPH_DATA, "%s: the token files name another corpus or tokenizer than %s", dir,
                          CPH_MANIFEST_NAME);
}

static cph_status open_all(cph_tokens *t, const char *dir, cph_err *err)
{
    void *files;
    CPH_TRY(cph_manifest_want(&t->manifest, dir, "tokens", err));
    CPH_TRY(take_names(t, dir, err));
    uint32_t n = count_files(t->manifest);
    if (!n) return cph_fail(err, CPH_DATA, "%s: holds no token file", dir);
    CPH_TRY(cph_alloc0(&files, n * sizeof(token_file), err));
    t->files = files;
    for (uint32_t i = 0; i < n; i++) CPH_TRY(open_file(t, dir, i, err));
    return check_parents(t, dir, err);
}

cph_status cph_tokens_open(cph_tokens **out, const char *dir, cph_err *err)
{
    void *p;
    CPH_TRY(cph_alloc0(&p, sizeof(cph_tokens), err));
    cph_status s = open_all(p, dir, err);
    if (s == CPH_OK) *out = p;
    else cph_tokens_close(p);
    return s;
}

void cph_tokens_close(cph_tokens *t)
{
    if (!t) return;
    for (uint32_t i = 0; i < t->n_files; i++) cph_map_close(&t->files[i].map);
    cph_manifest_close(t->manifest);
    cph_free(t->files);
    cph_free(t->names);
    cph_free(t);
}

/* ---- reading ---- */

const cph_manifest *cph_tokens_manifest(const cph_tokens *t) { return t->manifest; }
cph_digest cph_tokens_tokenizer(const cph_tokens *t) { return t->files[0].head.tokenizer; }
cph_digest cph_tokens_corpus(const cph_tokens *t) { return t->files[0].head.corpus; }
unsigned cph_tokens_width(const cph_tokens *t) { return t->files[0].head.width; }
uint64_t cph_tokens_n_tokens(const cph_tokens *t) { return t->n_tokens; }
uint64_t cph_tokens_n_docs(const cph_tokens *t) { return t->n_docs; }

static const token_file *file_of(const cph_tokens *t, uint64_t doc)
{
    uint32_t i = t->n_files - 1; /* few files: from the last */
    assert(doc < t->n_docs);
    while (t->files[i].doc_base > doc) i--;
    return &t->files[i];
}

cph_token_doc cph_tokens_doc(const cph_tokens *t, uint64_t i)
{
    const token_file *f = file_of(t, i);
    cph_token_doc d;
    cph_token_row_get(f->map.p + f->head.table + (i - f->doc_base) * CPH_TOKENS_ROW, &d);
    d.file = (uint32_t)(f - t->files);
    return d;
}

void cph_tokens_copy(const cph_tokens *t, uint64_t i, uint32_t from, uint32_t n, uint32_t *ids)
{
    const token_file *f = file_of(t, i);
    cph_token_doc d = cph_tokens_doc(t, i);
    unsigned width = f->head.width;
    const uint8_t *p = f->map.p + CPH_TOKENS_HEADER + (d.first + from) * width;
    assert((uint64_t)from + n <= d.n_tokens);
    if (width == 2)
        for (uint32_t k = 0; k < n; k++) ids[k] = (uint32_t)(p[2 * k] | p[2 * k + 1] << 8);
    else
        for (uint32_t k = 0; k < n; k++)
            ids[k] = (uint32_t)p[4 * k] | (uint32_t)p[4 * k + 1] << 8 | (uint32_t)p[4 * k + 2] << 16 |
                     (uint32_t)p[4 * k + 3] << 24;
}

cph_str cph_tokens_class(const cph_tokens *t, uint32_t class_id)
{
    return class_id < t->n_classes ? t->names[class_id] : (cph_str){0};
}

cph_str cph_tokens_source(const cph_tokens *t, uint32_t source_id)
{
    return source_id < t->n_sources ? t->names[t->n_classes + source_id] : (cph_str){0};
}

/* ---- verifying ---- */

static cph_status first_damage(void *ctx, cph_str path, const char *what, cph_err *err)
{
    return cph_fail(err, CPH_DATA, "%s/%.*s: %s", (const char *)ctx, CPH_FMT(path), what);
}

static cph_status check_ids(const cph_tokens *t, const char *dir, cph_err *err)
{
    uint64_t vocab = 0;
    uint32_t ids[1024];
    if (!cph_manifest_count(t->manifest, "vocabulary", &vocab))
        return cph_fail(err, CPH_DATA, "%s: identity.counts.vocabulary is absent", dir);
    for (uint64_t i = 0; i < t->n_docs; i++) {
        uint32_t n = cph_tokens_doc(t, i).n_tokens;
        for (uint32_t at = 0; at < n; at += 1024) {
            uint32_t take = n - at < 1024 ? n - at : 1024;
            cph_tokens_copy(t, i, at, take, ids);
            for (uint32_t k = 0; k < take; k++)
                if (ids[k] >= vocab)
                    return cph_fail(err, CPH_DATA,
                                    "%s: document %llu, token %u: id %u is not below the vocabulary's %llu",
                                    dir, (unsigned long long)i, at + k, ids[k], (unsigned long long)vocab);
        }
    }
    return CPH_OK;
}

static cph_status check_padding(const cph_tokens *t, const char *dir, cph_err *err)
{
    for (uint32_t i = 0; i < t->n_files; i++) {
        const token_file *f = &t->files[i];
        for (uint64_t at = CPH_TOKENS_HEADER + f->head.n_tokens * f->head.width; at < f->head.table; at++)
            if (f->map.p[at])
                return cph_fail(err, CPH_DATA, "%s: file %u: byte %llu between tokens and table is not zero",
                                dir, i, (unsigned long long)at);
    }
    return CPH_OK;
}

static bool has_leaf(const cph_set_tree *tree, const cph_token_doc *d)
{
    uint64_t i = cph_set_tree_lower(tree, &d->wkey);
    for (; i < cph_set_tree_n(tree); i++) {
        const cph_set_leaf *l = cph_set_tree_at(tree, i);
        if (cph_digest_cmp(&l->wkey, &d->wkey) != 0) return false;
        if (cph_digest_cmp(&l->dkey, &d->dkey) == 0) return true;
    }
    return false;
}

static cph_status check_leaves(const cph_tokens *t, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_set_tree *tree;
    cph_digest sealed, root;
    CPH_TRY(cph_path_join(path, dir, CPH_TOKENS_LEAVES, err));
    if (cph_file_kind_of(path) == CPH_FILE_NONE && cph_manifest_is_published(t->manifest)) return CPH_OK;
    CPH_TRY(cph_set_tree_read(&tree, path, err));
    cph_status s = CPH_OK;
    root = cph_set_tree_root(tree);
    if (!cph_manifest_root(t->manifest, "set_root", &sealed) || cph_digest_cmp(&sealed, &root) != 0)
        s = cph_fail(err, CPH_DATA, "%s: the leaves do not give the sealed set_root", path);
    for (uint64_t i = 0; s == CPH_OK && i < t->n_docs; i++) {
        cph_token_doc d = cph_tokens_doc(t, i);
        if (!has_leaf(tree, &d))
            s = cph_fail(err, CPH_DATA, "%s: document %llu of the table has no leaf", path,
                         (unsigned long long)i);
    }
    cph_set_tree_close(tree);
    return s;
}

static cph_status check_counts(const cph_tokens *t, const char *dir, cph_err *err)
{
    uint64_t tokens = 0, records = 0;
    if (!cph_manifest_count(t->manifest, "tokens", &tokens) ||
        !cph_manifest_count(t->manifest, "records", &records) || tokens != t->n_tokens ||
        records != t->n_docs)
        return cph_fail(err, CPH_DATA,
                        "%s: the manifest counts %llu tokens in %llu records, the files %llu in %llu", dir,
                        (unsigned long long)tokens, (unsigned long long)records,
                        (unsigned long long)t->n_tokens, (unsigned long long)t->n_docs);
    return CPH_OK;
}

cph_status cph_tokens_verify(const char *dir, cph_err *err)
{
    cph_tokens *t;
    cph_files_report report;
    cph_digest root, sealed;
    CPH_TRY(cph_tokens_open(&t, dir, err));
    cph_status s =
        cph_files_check(dir, t->manifest, NULL, first_damage, (void *)(uintptr_t)dir, &report, err);
    if (s == CPH_OK) s = cph_manifest_content_root(t->manifest, &root, err);
    if (s == CPH_OK &&
        (!cph_manifest_root(t->manifest, "content_root", &sealed) || cph_digest_cmp(&root, &sealed) != 0))
        s = cph_fail(err, CPH_DATA, "%s: content_root differs from what its files give", dir);
    if (s == CPH_OK) s = check_counts(t, dir, err);
    if (s == CPH_OK) s = check_padding(t, dir, err);
    if (s == CPH_OK) s = check_ids(t, dir, err);
    if (s == CPH_OK) s = check_leaves(t, dir, err);
    cph_tokens_close(t);
    return s;
}
