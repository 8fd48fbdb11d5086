/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens_build.c - from a sealed corpus to a token set, through the gate.
 *
 * One thread reads documents in corpus order; a batch of them is encoded in parallel,
 * each into its own place, and written in order. So the bytes do not know how many
 * threads there were, and memory is a batch.
 */
#include "train_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>
#include <colophon/base/memory.h>
#include <colophon/corpus/corpus.h>
#include <colophon/provenance/proof.h>
#include <colophon/tokenizer/tokenizer.h>

#include <string.h>

#define BATCH_DOCS 512u
#define BATCH_BYTES ((size_t)16 << 20)
#define MAX_NAMES 65536u

typedef struct job {
    cph_token_doc doc;
    cph_str text;
    cph_ids ids;
} job;

typedef struct names {
    cph_str *at;
    uint32_t n, cap;
} names;

/* A document under way: its parts are neighbours and share one leaf for each work. */
typedef struct leaf_under_way {
    bool open;
    cph_set_leaf leaf;
    cph_sha256 text;
    cph_buf wkeys; /* digests */
} leaf_under_way;

typedef struct build {
    const cph_tokens_opts *opts;
    cph_corpus *corpus;
    cph_reader *reader;
    cph_tokenizer *tokenizer;
    cph_encoder **encoders; /* one a worker */
    unsigned n_encoders;
    cph_pool *own_pool, *pool;
    cph_arena texts, keep;
    job *jobs;
    uint32_t n_jobs;
    names classes, sources, languages;
    leaf_under_way under_way;
    cph_set_tree *tree;
    cph_tokwrite write;
    cph_progress progress;
    char revocations[CPH_HEX_DIGEST]; /* "" when none */
} build;

void cph_tokens_opts_init(cph_tokens_opts *o) { *o = (cph_tokens_opts){0}; }

/* ---- names and leaves ---- */

/* Numbers are given in corpus order, so they are the same in every build. */
static cph_status number_of(names *l, cph_str name, cph_arena *keep, uint32_t *out, cph_err *err)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (cph_str_eq(l->at[i], name)) {
            *out = i;
            return CPH_OK;
        }
    if (l->n == MAX_NAMES)
        return cph_fail(err, CPH_NOMEM, "more than %u rights classes, sources or languages", MAX_NAMES);
    if (l->n == l->cap) {
        void *p = l->at;
        CPH_TRY(cph_realloc(&p, (l->cap + 64) * sizeof *l->at, err));
        l->at = p;
        l->cap += 64;
    }
    CPH_TRY(cph_arena_str(keep, &l->at[l->n], name, err));
    *out = l->n++;
    return CPH_OK;
}

static cph_status end_leaf(build *b, cph_err *err)
{
    leaf_under_way *u = &b->under_way;
    if (!u->open) return CPH_OK;
    u->open = false;
    u->leaf.text = cph_sha256_end(&u->text);
    for (size_t at = 0; at < u->wkeys.n; at += sizeof(cph_digest)) {
        memcpy(&u->leaf.wkey, u->wkeys.p + at, sizeof(cph_digest));
        CPH_TRY(cph_set_tree_add(b->tree, &u->leaf, err));
    }
    return CPH_OK;
}

static cph_status add_to_leaf(build *b, const cph_doc *d, cph_err *err)
{
    leaf_under_way *u = &b->under_way;
    if (!u->open || cph_digest_cmp(&u->leaf.dkey, &d->dkey) != 0) {
        CPH_TRY(end_leaf(b, err));
        u->leaf = (cph_set_leaf){.dkey = d->dkey};
        if (!cph_digest_parse(d->rights, &u->leaf.decision))
            return cph_fail(err, CPH_DATA, "%.*s: its rights '%.*s' are no decision hash", CPH_FMT(d->id),
                            CPH_FMT(d->rights));
        cph_buf_cut(&u->wkeys, 0);
        CPH_TRY(cph_buf_add(&u->wkeys, d->wkeys, d->n_works * sizeof *d->wkeys, err));
        cph_sha256_init(&u->text);
        u->open = true;
    }
    cph_sha256_add(&u->text, d->text.p, d->text.n);
    return CPH_OK;
}

/* ---- the three stages of a batch ---- */

static cph_status take(build *b, const cph_doc *d, cph_err *err)
{
    uint32_t language;
    job *j = &b->jobs[b->n_jobs];
    if (!d->n_works) return cph_fail(err, CPH_DATA, "%.*s: belongs to no work", CPH_FMT(d->id));
    j->doc = (cph_token_doc){.part = d->part, .wkey = d->wkeys[0], .dkey = d->dkey};
    CPH_TRY(number_of(&b->classes, d->basis, &b->keep, &j->doc.class_id, err));
    CPH_TRY(number_of(&b->sources, d->source, &b->keep, &j->doc.source_id, err));
    if (d->lang.n) CPH_TRY(number_of(&b->languages, d->lang, &b->keep, &language, err));
    CPH_TRY(cph_arena_str(&b->texts, &j->text, d->text, err));
    CPH_TRY(add_to_leaf(b, d, err));
    b->n_jobs++;
    return CPH_OK;
}

static cph_status read_batch(build *b, bool *more, cph_err *err)
{
    cph_doc d;
    cph_status s = CPH_OK;
    b->n_jobs = 0;
    cph_arena_reset(&b->texts);
    while (b->n_jobs < BATCH_DOCS && b->texts.used_bytes < BATCH_BYTES) {
        s = cph_reader_next(b->reader, &d, err);
        if (s != CPH_OK) break;
        CPH_TRY(take(b, &d, err));
    }
    *more = s == CPH_OK;
    return s == CPH_END ? CPH_OK : s;
}

static cph_status encode_one(void *arg, size_t task, unsigned worker, cph_err *err)
{
    build *b = arg;
    job *j = &b->jobs[task];
    j->ids.n = 0;
    CPH_TRY(cph_encode(b->encoders[worker], j->text, false, false, &j->ids, err));
    if (j->ids.n > UINT32_MAX) return cph_fail(err, CPH_NOMEM, "a document has more than 2^32 tokens");
    j->doc.n_tokens = (uint32_t)j->ids.n;
    return CPH_OK;
}

static cph_status write_batch(build *b, cph_err *err)
{
    for (uint32_t i = 0; i < b->n_jobs; i++) {
        CPH_TRY(cph_tokwrite_add(&b->write, &b->jobs[i].doc, b->jobs[i].ids.at, err));
        cph_progress_add(&b->progress, 1);
    }
    return CPH_OK;
}

static cph_status run_batches(build *b, cph_err *err)
{
    bool more = true;
    while (more) {
        CPH_TRY(cph_interrupt_check("building the token set", err));
        CPH_TRY(read_batch(b, &more, err));
        CPH_TRY(cph_pool_run(b->pool, b->n_jobs, encode_one, b, err));
        CPH_TRY(write_batch(b, err));
    }
    CPH_TRY(end_leaf(b, err));
    return cph_tokwrite_close(&b->write, err);
}

/* ---- opening and sealing ---- */

static cph_status open_inputs(build *b, cph_err *err)
{
    const cph_tokens_opts *o = b->opts;
    CPH_TRY(cph_corpus_open(&b->corpus, o->corpus, err));
    CPH_TRY(cph_tokenizer_open(&b->tokenizer, o->tokenizer, err));
    cph_policy policy = o->policy ? *o->policy : cph_corpus_policy(b->corpus);
    CPH_TRY(cph_reader_open(&b->reader, b->corpus, &policy, (cph_part){0, 1}, o->revocations,
                            o->no_revocations, err));
    if (o->revocations) {
        cph_digest d;
        uint64_t n;
        CPH_TRY(cph_file_digest(o->revocations, &d, &n, err));
        cph_digest_hex(&d, b->revocations);
    }
    return CPH_OK;
}

static cph_status open_workers(build *b, cph_err *err)
{
    void *p;
    b->pool = b->opts->pool;
    if (!b->pool) {
        CPH_TRY(cph_pool_open(&b->own_pool, 1, err));
        b->pool = b->own_pool;
    }
    unsigned n = cph_pool_threads(b->pool);
    CPH_TRY(cph_alloc0(&p, n * sizeof *b->encoders, err));
    b->encoders = p;
    for (; b->n_encoders < n; b->n_encoders++)
        CPH_TRY(cph_encoder_open(&b->encoders[b->n_encoders], b->tokenizer, err));
    CPH_TRY(cph_alloc0(&p, BATCH_DOCS * sizeof *b->jobs, err));
    b->jobs = p;
    return cph_set_tree_new(&b->tree, err);
}

static cph_status check_tree(const build *b, cph_err *err)
{
    cph_digest corpus, root = cph_set_tree_root(b->tree);
    const cph_manifest *m = cph_corpus_manifest(b->corpus);
    if (cph_reader_n_revoked(b->reader) || b->opts->policy || !cph_manifest_root(m, "set_root", &corpus))
        return CPH_OK;
    if (cph_digest_cmp(&corpus, &root) == 0) return CPH_OK;
    return cph_fail(err, CPH_DATA, "%s: its documents do not give the set_root of its manifest",
                    b->opts->corpus);
}

static cph_status seal(build *b, const char *dir, cph_digest *digest, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_set_tree_finish(b->tree, err));
    CPH_TRY(check_tree(b, err));
    CPH_TRY(cph_path_join(path, dir, CPH_TOKENS_LEAVES, err));
    CPH_TRY(cph_set_tree_write(b->tree, path, err));
    cph_tokens_facts f = {.corpus_manifest = cph_corpus_manifest(b->corpus), .policy = b->opts->policy,
                          .revocations_digest = b->revocations[0] ? b->revocations : NULL,
                          .corpus_path = b->opts->corpus, .tokenizer_path = b->opts->tokenizer,
                          .classes = b->classes.at, .n_classes = b->classes.n,
                          .sources = b->sources.at, .n_sources = b->sources.n,
                          .languages = b->languages.at, .n_languages = b->languages.n,
                          .vocab = cph_tokenizer_vocab_size(b->tokenizer),
                          .n_revoked = cph_reader_n_revoked(b->reader),
                          .set_root = cph_set_tree_root(b->tree), .set_size = cph_set_tree_n(b->tree),
                          .started_unix_s = b->opts->started_unix_s};
    return cph_tokens_seal(&b->write, &f, digest, err);
}

static cph_status build_in(build *b, const char *dir, cph_digest *digest, cph_err *err)
{
    cph_digest tokenizer, corpus;
    CPH_TRY(open_inputs(b, err));
    if (!cph_tokenizer_digest(b->tokenizer, &tokenizer)) {
        cph_fail(err, CPH_USAGE, "%s: the tokenizer is not sealed: it has no " CPH_MANIFEST_NAME,
                 b->opts->tokenizer);
        return cph_hint(err, "colophon tokenizer train makes a sealed one");
    }
    corpus = cph_manifest_digest(cph_corpus_manifest(b->corpus));
    CPH_TRY(open_workers(b, err));
    cph_tokwrite_init(&b->write, dir, cph_tokenizer_vocab_size(b->tokenizer), &tokenizer, &corpus);
    cph_progress_begin(&b->progress, "tokenizing", "documents", cph_corpus_n_records(b->corpus));
    cph_status s = run_batches(b, err);
    cph_progress_end(&b->progress);
    return s == CPH_OK ? seal(b, dir, digest, err) : s;
}

static void release(build *b)
{
    cph_tokwrite_abandon(&b->write);
    for (uint32_t i = 0; b->jobs && i < BATCH_DOCS; i++) cph_ids_release(&b->jobs[i].ids);
    for (unsigned i = 0; i < b->n_encoders; i++) cph_encoder_close(b->encoders[i]);
    cph_free(b->jobs);
    cph_free(b->encoders);
    cph_free(b->classes.at);
    cph_free(b->sources.at);
    cph_free(b->languages.at);
    cph_buf_release(&b->under_way.wkeys);
    cph_set_tree_close(b->tree);
    cph_reader_close(b->reader);
    cph_tokenizer_close(b->tokenizer);
    cph_corpus_close(b->corpus);
    cph_pool_close(b->own_pool);
    cph_arena_release(&b->texts);
    cph_arena_release(&b->keep);
}

cph_status cph_tokens_build(const cph_tokens_opts *o, const char *out_dir, cph_digest *digest, cph_err *err)
{
    build b = {.opts = o, .write = {.out = {.fd = -1}, .table = {.fd = -1}}};
    cph_outdir dir;
    cph_digest name;
    CPH_TRY(cph_outdir_begin(&dir, out_dir, false, err));
    cph_arena_init(&b.texts, 0);
    cph_arena_init(&b.keep, (size_t)64 << 20);
    cph_buf_init(&b.under_way.wkeys, (size_t)16 << 20);
    cph_status s = build_in(&b, dir.path, &name, err);
    release(&b);
    if (s == CPH_OK) s = cph_outdir_commit(&dir, err);
    if (s == CPH_OK && digest) *digest = name;
    cph_outdir_abort(&dir); /* after a commit: nothing */
    return s;
}

/* ---- what stands already ---- */

static cph_status same_parent(const char *dir, const char *role, const char *path, const cph_digest *then,
                              const cph_digest *now, cph_err *err)
{
    if (cph_digest_cmp(then, now) == 0) return CPH_OK;
    cph_fail(err, CPH_USAGE, "%s: was made from another %s than %s", dir, role, path);
    return cph_hint(err, "give another --tokens, or leave it out");
}

static cph_status same_revocations(const cph_tokens *t, const cph_tokens_opts *o, const char *dir,
                                   cph_err *err)
{
    char hex[CPH_HEX_DIGEST] = "none";
    cph_str then = cph_json_get_str(cph_json_get(cph_manifest_identity(cph_tokens_manifest(t)), "options"),
                                    "revocations");
    if (o->revocations) {
        cph_digest d;
        uint64_t n;
        CPH_TRY(cph_file_digest(o->revocations, &d, &n, err));
        cph_digest_hex(&d, hex);
    }
    if (cph_str_is(then, hex)) return CPH_OK;
    cph_fail(err, CPH_USAGE, "%s: was made with other revocations (%.16s, now %.16s)", dir,
             then.n ? then.p : "", hex);
    return cph_hint(err, "what was revoked since must not be trained on: build another token set");
}

static cph_status same_inputs(const cph_tokens *t, const cph_tokens_opts *o, const char *dir, cph_err *err)
{
    cph_digest then = cph_tokens_tokenizer(t), now;
    cph_manifest *m;
    if (o->tokenizer) {
        CPH_TRY(cph_manifest_want(&m, o->tokenizer, "tokenizer", err));
        now = cph_manifest_digest(m);
        cph_manifest_close(m);
        CPH_TRY(same_parent(dir, "tokenizer", o->tokenizer, &then, &now, err));
    }
    if (o->corpus) {
        CPH_TRY(cph_manifest_want(&m, o->corpus, "corpus", err));
        then = cph_tokens_corpus(t);
        now = cph_manifest_digest(m);
        cph_manifest_close(m);
        CPH_TRY(same_parent(dir, "corpus", o->corpus, &then, &now, err));
    }
    return o->revocations || o->no_revocations ? same_revocations(t, o, dir, err) : CPH_OK;
}

cph_status cph_tokens_ensure(const cph_tokens_opts *o, const char *dir, cph_digest *digest, cph_err *err)
{
    cph_tokens *t;
    if (cph_file_kind_of(dir) != CPH_FILE_DIR) {
        if (!o->corpus)
            return cph_fail(err, CPH_USAGE, "%s: no token set stands there, and no corpus is given", dir);
        return cph_tokens_build(o, dir, digest, err);
    }
    CPH_TRY(cph_tokens_open(&t, dir, err));
    cph_status s = same_inputs(t, o, dir, err);
    if (s == CPH_OK && digest) *digest = cph_manifest_digest(cph_tokens_manifest(t));
    cph_tokens_close(t);
    return s;
}
