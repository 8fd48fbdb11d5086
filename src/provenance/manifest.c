/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.c - opens colophon.json and believes nothing of it that it can check.
 *
 * The bytes must be exactly canonical JSON plus LF; `self` must cover them, `digest`
 * must name {identity, kind, v}; every member that the toolkit reads has its type.
 */
#include "provenance_in.h"

#include <colophon/base/memory.h>

#include <stdio.h>
#include <string.h>

struct cph_manifest {
    cph_arena a;
    cph_json *root;
    cph_str kind;
    const cph_json *identity, *run;
    cph_digest digest;
    cph_manifest_file *files;
    size_t n_files;
    cph_parent *parents;
    size_t n_parents;
};

bool cph_strict_digest(const cph_json *v, cph_digest *out)
{
    cph_str s;
    char back[CPH_HEX_DIGEST];
    cph_digest d;
    if (!cph_json_str(v, &s) || !cph_digest_parse(s, &d)) return false;
    cph_digest_hex(&d, back);
    if (!cph_str_is(s, back)) return false;
    *out = d;
    return true;
}

/* ---- form ---- */

typedef struct form {
    cph_manifest *m;
    const char *path;
    cph_err *err;
} form;

static cph_status wrong(const form *f, const char *key, const char *what)
{
    return cph_fail(f->err, CPH_DATA, "%s: %s: %s", f->path, key, what);
}

static cph_status check_members(const form *f)
{
    static const char *const keys[] = {"v", "kind", "identity", "files", "run", "digest", "self"};
    const size_t n = sizeof keys / sizeof *keys;
    const cph_json *root = f->m->root;
    if (root->type != CPH_JSON_OBJECT) return wrong(f, "the manifest", "is no object");
    for (size_t i = 0; i < n; i++)
        if (!cph_json_get(root, keys[i])) return wrong(f, keys[i], "is missing");
    for (const cph_json *k = root->first; k; k = k->next) {
        bool known = false;
        for (size_t i = 0; i < n; i++) known |= cph_str_is(k->key, keys[i]);
        if (!known)
            return cph_fail(f->err, CPH_DATA, "%s: the key \"%.*s\" is not one of a manifest's", f->path,
                            CPH_FMT(cph_str_sub(k->key, 0, 80)));
    }
    uint64_t v;
    if (!cph_json_u64(cph_json_get(root, "v"), &v) || v != 1) {
        wrong(f, "v", "is not 1");
        cph_hint(f->err, "a newer toolkit wrote it, or it is no colophon.json");
        return CPH_DATA;
    }
    return CPH_OK;
}

static cph_status check_kind(const form *f)
{
    static const char *const kinds[] = {"snapshot", "corpus", "tokenizer", "tokens",
                                        "model",    "index",  "rulebase"};
    cph_str kind = cph_json_get_str(f->m->root, "kind");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (cph_str_is(kind, kinds[i])) {
            f->m->kind = kind;
            return CPH_OK;
        }
    return wrong(f, "kind", "is none that an artefact has");
}

static cph_status texts_in(const form *f, const char *key)
{
    const cph_json *v = cph_json_get(f->m->identity, key);
    if (!v) return CPH_OK;
    if (v->type != CPH_JSON_OBJECT) return wrong(f, key, "is no object");
    for (const cph_json *m = v->first; m; m = m->next)
        if (m->type != CPH_JSON_STRING) return wrong(f, key, "holds what is no string");
    return CPH_OK;
}

static cph_status check_roots_and_counts(const form *f)
{
    cph_digest d;
    uint64_t n;
    const cph_json *roots = cph_json_get(f->m->identity, "roots"),
                   *counts = cph_json_get(f->m->identity, "counts");
    if (!roots || roots->type != CPH_JSON_OBJECT) return wrong(f, "identity.roots", "is no object");
    for (const cph_json *r = roots->first; r; r = r->next)
        if (!cph_strict_digest(r, &d)) return wrong(f, "identity.roots", "holds what is no digest");
    if (!counts) return CPH_OK;
    if (counts->type != CPH_JSON_OBJECT) return wrong(f, "identity.counts", "is no object");
    for (const cph_json *c = counts->first; c; c = c->next)
        if (!cph_json_u64(c, &n)) return wrong(f, "identity.counts", "holds what is no count");
    return CPH_OK;
}

static cph_status check_tally(const form *f)
{
    const cph_json *tally = cph_json_get(f->m->identity, "tally"), *before = NULL;
    if (!tally) return CPH_OK;
    if (tally->type != CPH_JSON_ARRAY) return wrong(f, "identity.tally", "is no array");
    for (const cph_json *r = tally->first; r; before = r, r = r->next) {
        uint64_t n;
        if (r->type != CPH_JSON_OBJECT || !cph_json_u64(cph_json_get(r, "works"), &n) ||
            !cph_json_u64(cph_json_get(r, "documents"), &n) || !cph_json_u64(cph_json_get(r, "words"), &n))
            return wrong(f, "identity.tally", "a row lacks works, documents or words");
        if (!before) continue;
        int c = cph_str_cmp(cph_json_get_str(before, "rule"), cph_json_get_str(r, "rule"));
        if (c == 0) c = cph_str_cmp(cph_json_get_str(before, "decision"), cph_json_get_str(r, "decision"));
        if (c >= 0) return wrong(f, "identity.tally", "is not sorted by rule and decision");
    }
    return CPH_OK;
}

static cph_status take_parents(const form *f)
{
    const cph_json *parents = cph_json_get(f->m->identity, "parents");
    void *mem;
    if (!parents || parents->type != CPH_JSON_ARRAY) return wrong(f, "identity.parents", "is no array");
    CPH_TRY(cph_arena_alloc0(&f->m->a, &mem, (size_t)parents->n + 1, sizeof(cph_parent), f->err));
    f->m->parents = mem;
    for (const cph_json *p = parents->first; p; p = p->next) {
        cph_parent *to = &f->m->parents[f->m->n_parents];
        to->role = cph_json_get_str(p, "role");
        to->kind = cph_json_get_str(p, "kind");
        if (!to->role.n || !to->kind.n || !cph_strict_digest(cph_json_get(p, "digest"), &to->digest))
            return wrong(f, "identity.parents", "a row lacks role, kind or digest");
        if (f->m->n_parents) {
            int c = cph_str_cmp(to[-1].role, to->role);
            if (c > 0 || (c == 0 && cph_digest_cmp(&to[-1].digest, &to->digest) >= 0))
                return wrong(f, "identity.parents", "is not sorted by role and digest");
        }
        f->m->n_parents++;
    }
    return CPH_OK;
}

static cph_status take_file(const form *f, const cph_json *row, cph_manifest_file *to)
{
    bool marked = cph_json_get(row, "private") != NULL;
    to->path = cph_json_get_str(row, "path");
    if (row->type != CPH_JSON_OBJECT || row->n != 3u + marked ||
        !cph_json_u64(cph_json_get(row, "bytes"), &to->bytes) ||
        !cph_strict_digest(cph_json_get(row, "sha256"), &to->sha256))
        return wrong(f, "files", "a row lacks path, bytes or sha256, or has more");
    if (marked && (!cph_json_bool(cph_json_get(row, "private"), &to->is_private) || !to->is_private))
        return wrong(f, "files", "\"private\" is true or absent");
    if (!cph_path_is_inside(to->path) || cph_is_beside(to->path))
        return wrong(f, "files", "a path leads out of the artefact or names what lies beside it");
    return CPH_OK;
}

static cph_status take_files(const form *f)
{
    const cph_json *files = cph_json_get(f->m->root, "files");
    void *mem;
    if (files->type != CPH_JSON_ARRAY) return wrong(f, "files", "is no array");
    CPH_TRY(cph_arena_alloc0(&f->m->a, &mem, (size_t)files->n + 1, sizeof(cph_manifest_file), f->err));
    f->m->files = mem;
    for (const cph_json *row = files->first; row; row = row->next) {
        cph_manifest_file *to = &f->m->files[f->m->n_files];
        CPH_TRY(take_file(f, row, to));
        if (f->m->n_files && cph_str_cmp(to[-1].path, to->path) >= 0)
            return wrong(f, "files", "is not sorted by path");
        f->m->n_files++;
    }
    return CPH_OK;
}

static cph_status check_identity(const form *f)
{
    cph_manifest *m = f->m;
    m->identity = cph_json_get(m->root, "identity");
    m->run = cph_json_get(m->root, "run");
    if (m->identity->type != CPH_JSON_OBJECT) return wrong(f, "identity", "is no object");
    if (m->run->type != CPH_JSON_OBJECT) return wrong(f, "run", "is no object");
    CPH_TRY(texts_in(f, "options"));
    CPH_TRY(texts_in(f, "versions"));
    CPH_TRY(check_roots_and_counts(f));
    CPH_TRY(check_tally(f));
    return take_parents(f);
}

/* ---- bytes ---- */

/* The tree without `self`, for its digest; the members are shared. */
static cph_status without_self(cph_json **out, cph_arena *a, const cph_json *root, cph_err *err)
{
    cph_json *o;
    CPH_TRY(cph_json_new(&o, a, CPH_JSON_OBJECT, err));
    cph_json **end = &o->first;
    for (const cph_json *k = root->first; k; k = k->next) {
        if (cph_str_is(k->key, "self")) continue;
        CPH_TRY(cph_alias(end, a, k, err));
        (*end)->key = k->key;
        end = &(*end)->next;
        o->n++;
    }
    *out = o;
    return CPH_OK;
}

static cph_status check_bytes(const form *f, cph_str text, cph_buf *b)
{
    cph_status s = cph_json_canonical(b, f->m->root, f->err);
    if (s != CPH_OK && f->err) cph_err_prefix(f->err, "%s", f->path);
    CPH_TRY(s);
    CPH_TRY(cph_buf_char(b, '\n', f->err));
    if (!cph_str_eq(cph_buf_view(b), text))
        return wrong(f, "the manifest", "its bytes are not canonical JSON and one LF");
    return CPH_OK;
}

static cph_status check_self(const form *f, cph_buf *b)
{
    cph_digest self, found;
    cph_json *rest;
    if (!cph_strict_digest(cph_json_get(f->m->root, "self"), &self))
        return wrong(f, "self", "is no digest");
    CPH_TRY(without_self(&rest, &f->m->a, f->m->root, f->err));
    b->n = 0;
    CPH_TRY(cph_json_canonical(b, rest, f->err));
    found = cph_sha256_of(b->p, b->n);
    if (cph_digest_cmp(&self, &found) != 0) {
        char is[CPH_HEX_DIGEST], was[CPH_HEX_DIGEST];
        cph_digest_hex(&found, is);
        cph_digest_hex(&self, was);
        cph_fail(f->err, CPH_DATA, "%s: self differs (sealed %.8s..., found %.8s...)", f->path, was, is);
        cph_hint(f->err, "the manifest was changed after sealing");
        return CPH_DATA;
    }
    return CPH_OK;
}

static cph_status check_digest(const form *f)
{
    cph_digest found;
    if (!cph_strict_digest(cph_json_get(f->m->root, "digest"), &f->m->digest))
        return wrong(f, "digest", "is no digest");
    CPH_TRY(cph_artefact_digest(f->m->identity, f->m->kind, &found, f->err));
    if (cph_digest_cmp(&f->m->digest, &found) != 0)
        return wrong(f, "digest", "does not name this identity");
    return CPH_OK;
}

static cph_status check(const form *f, cph_str text)
{
    cph_buf b;
    cph_buf_init(&b, MANIFEST_MAX);
    cph_status s = check_members(f);
    if (s == CPH_OK) s = check_bytes(f, text, &b);
    if (s == CPH_OK) s = check_self(f, &b);
    cph_buf_release(&b);
    CPH_TRY(s);
    CPH_TRY(check_kind(f));
    CPH_TRY(check_identity(f));
    CPH_TRY(take_files(f));
    return check_digest(f);
}

/* ---- opening ---- */

static cph_status find(char out[CPH_PATH_MAX], const char *path, cph_err *err)
{
    cph_file_kind kind = cph_file_kind_of(path);
    if (kind == CPH_FILE_REGULAR) {
        if (strlen(path) >= CPH_PATH_MAX)
            return cph_fail(err, CPH_USAGE, "%.200s...: the path is too long", path);
        memcpy(out, path, strlen(path) + 1);
        return CPH_OK;
    }
    if (kind == CPH_FILE_NONE) return cph_fail(err, CPH_IO, "%s: no such artefact", path);
    CPH_TRY(cph_path_join(out, path, CPH_MANIFEST_NAME, err));
    if (cph_file_kind_of(out) != CPH_FILE_NONE) return CPH_OK;
    return cph_fail(err, CPH_NO, "%s: has no %s: nothing is sealed here", path, CPH_MANIFEST_NAME);
}

static cph_status read_text(cph_str *out, cph_arena *a, const char *path, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, MANIFEST_MAX);
    cph_status s = cph_file_read(path, MANIFEST_MAX, &b, err);
    if (s == CPH_OK) s = cph_arena_str(a, out, cph_buf_view(&b), err);
    cph_buf_release(&b);
    return s;
}

cph_status cph_manifest_open(cph_manifest **out, const char *path, cph_err *err)
{
    char at[CPH_PATH_MAX];
    void *mem;
    cph_str text;
    CPH_TRY(find(at, path, err));
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_manifest), err));
    cph_manifest *m = mem;
    cph_arena_init(&m->a, 0);
    cph_status s = read_text(&text, &m->a, at, err);
    if (s == CPH_OK) s = cph_json_parse(&m->root, &m->a, text, at, NULL, err);
    if (s == CPH_OK) s = check(&(form){m, at, err}, text);
    if (s != CPH_OK) {
        cph_manifest_close(m);
        return s;
    }
    *out = m;
    return CPH_OK;
}

/* ---- what somebody named ---- */

static const struct {
    const char *kind, *called, *made_by;
} wanted[] = {
    {"corpus", "corpus", "colophon build COLLECTION --for PURPOSE --out DIR makes a corpus"},
    {"tokenizer", "tokenizer", "colophon tokenizer train bpe makes a tokenizer"},
    {"tokens", "token set", "colophon train makes a token set: OUT.tokens, or where --tokens says"},
    {"index", "trace index", "colophon index TOKENS --out DIR makes a trace index"},
    {"model", "model", "colophon train gpt2 makes a model"},
};

static const char *called(cph_str kind)
{
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (cph_str_is(kind, wanted[i].kind)) return wanted[i].called;
    return "snapshot";
}

static cph_status lead_on(const char *kind, cph_err *err)
{
    for (size_t i = 0; kind && i < sizeof wanted / sizeof *wanted; i++)
        if (strcmp(wanted[i].kind, kind) == 0) return cph_hint(err, "%s", wanted[i].made_by);
    return cph_hint(err, "a corpus, tokenizer, token set, model, trace index or snapshot is wanted");
}

/* The inside of a collection is its own room's; the name of its file is enough to say what this is. */
static bool is_collection(const char *path)
{
    char db[CPH_PATH_MAX];
    return cph_path_join(db, path, "collection.db", NULL) == CPH_OK &&
           cph_file_kind_of(db) == CPH_FILE_REGULAR;
}

cph_status cph_manifest_want(cph_manifest **out, const char *path, const char *kind, cph_err *err)
{
    cph_manifest *m;
    cph_str word = cph_str_of(kind ? kind : "");
    cph_status s = cph_manifest_open(&m, path, err);
    if (s == CPH_NO) {
        s = is_collection(path)
                ? cph_fail(err, CPH_USAGE, "%s: is a collection, no %s", path,
                           kind ? called(word) : "sealed artefact")
                : cph_fail(err, CPH_USAGE, "%s: has no %s: nothing is sealed here", path, CPH_MANIFEST_NAME);
    }
    if (s == CPH_USAGE || s == CPH_IO) {
        (void)lead_on(kind, err);
        return s;
    }
    CPH_TRY(s);
    if (!kind || cph_str_eq(m->kind, word)) {
        *out = m;
        return CPH_OK;
    }
    s = cph_fail(err, CPH_USAGE, "%s: is a %s, not a %s", path, called(m->kind), called(word));
    cph_manifest_close(m);
    (void)lead_on(kind, err);
    return s;
}

void cph_manifest_close(cph_manifest *m)
{
    if (!m) return;
    cph_arena_release(&m->a);
    cph_free(m);
}

/* ---- views ---- */

cph_str cph_manifest_kind(const cph_manifest *m) { return m->kind; }
cph_digest cph_manifest_digest(const cph_manifest *m) { return m->digest; }
const cph_json *cph_manifest_identity(const cph_manifest *m) { return m->identity; }
const cph_json *cph_manifest_run(const cph_manifest *m) { return m->run; }
size_t cph_manifest_n_files(const cph_manifest *m) { return m->n_files; }
cph_manifest_file cph_manifest_file_at(const cph_manifest *m, size_t i) { return m->files[i]; }
size_t cph_manifest_n_parents(const cph_manifest *m) { return m->n_parents; }
cph_parent cph_manifest_parent_at(const cph_manifest *m, size_t i) { return m->parents[i]; }

bool cph_manifest_root(const cph_manifest *m, const char *name, cph_digest *out)
{
    return cph_strict_digest(cph_json_get(cph_json_get(m->identity, "roots"), name), out);
}

bool cph_manifest_count(const cph_manifest *m, const char *name, uint64_t *out)
{
    return cph_json_u64(cph_json_get(cph_json_get(m->identity, "counts"), name), out);
}

cph_status cph_manifest_content_root(const cph_manifest *m, cph_digest *out, cph_err *err)
{
    return cph_content_root(cph_json_get(m->root, "files"), out, err);
}

bool cph_manifest_is_published(const cph_manifest *m)
{
    return m->run->n == 1 && cph_json_get(m->run, "toolkit") != NULL;
}

void cph_artefact_cite(cph_str kind, const cph_digest *digest, char out[64])
{
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(digest, hex);
    snprintf(out, 64, "colophon:%.*s:%.16s", (int)(kind.n > 30 ? 30 : kind.n), kind.p, hex);
}
