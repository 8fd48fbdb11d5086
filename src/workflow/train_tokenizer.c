/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_tokenizer.c - joins corpus and trainer: texts pass the corpus's gate, and what
 * the corpus may be used for stands in the tokenizer's identity.
 */
#include <colophon/corpus/corpus.h>
#include <colophon/tokenizer/files.h>
#include <colophon/workflow/train_tokenizer.h>

#include <string.h>

typedef struct job {
    const cph_train_tokenizer_opts *o;
    cph_arena arena;
    cph_json *identity, *run;
    cph_bpe *bpe;
    cph_corpus *corpus;
    cph_reader *reader;
    cph_err *err;
} job;

void cph_train_tokenizer_opts_init(cph_train_tokenizer_opts *o)
{
    memset(o, 0, sizeof *o);
    cph_bpe_opts_init(&o->bpe);
}

static cph_status name_revocations(job *j)
{
    cph_json *yes;
    cph_digest d;
    char hex[CPH_HEX_DIGEST];
    if (j->o->revocations) {
        CPH_TRY(cph_file_digest(j->o->revocations, &d, NULL, j->err));
        cph_digest_hex(&d, hex);
        return cph_identity_option(j->identity, &j->arena, "revocations", cph_str_of(hex), j->err);
    }
    CPH_TRY(cph_json_new(&yes, &j->arena, CPH_JSON_TRUE, j->err));
    CPH_TRY(cph_json_set(j->identity, &j->arena, "no_revocations", yes, j->err));
    return cph_identity_option(j->identity, &j->arena, "revocations", CPH_STR("none"), j->err);
}

static cph_status name_corpus(job *j)
{
    static const char *const taken[] = {"policy", "as_of", "tally"};
    const cph_manifest *m = cph_corpus_manifest(j->corpus);
    cph_digest digest = cph_manifest_digest(m);
    CPH_TRY(cph_identity_parent(j->identity, &j->arena, "corpus", "corpus", &digest, j->err));
    for (int i = 0; i < 3; i++) CPH_TRY(cph_identity_inherit(j->identity, &j->arena, m, taken[i], j->err));
    if (j->o->policy) {
        cph_json *policy;
        CPH_TRY(cph_policy_json(&policy, &j->arena, j->o->policy, j->err));
        CPH_TRY(cph_json_set(j->identity, &j->arena, "policy", policy, j->err));
    }
    CPH_TRY(name_revocations(j));
    return cph_run_path(j->run, &j->arena, "corpus", cph_str_of(j->o->corpus), j->err);
}

/* Pieces of words go on into models: texts that were given for reading and finding only are not learned from. */
static cph_status check_purpose(const job *j, const cph_policy *p)
{
    if (p->purpose != CPH_PURPOSE_INGEST && p->purpose != CPH_PURPOSE_OCR && p->purpose != CPH_PURPOSE_SEARCH &&
        p->purpose != CPH_PURPOSE_SNIPPET && p->purpose != CPH_PURPOSE_DISPLAY)
        return CPH_OK;
    cph_fail(j->err, CPH_RIGHTS, "%s: was permitted for %s, which is no training", j->o->corpus,
             cph_purpose_text(p->purpose));
    (void)cph_hint(j->err, "colophon build --for train-internal (or train-research, train-release-weights)");
    return CPH_RIGHTS;
}

static cph_status read_corpus(job *j)
{
    CPH_TRY(cph_corpus_open(&j->corpus, j->o->corpus, j->err));
    cph_policy policy = j->o->policy ? *j->o->policy : cph_corpus_policy(j->corpus);
    CPH_TRY(check_purpose(j, &policy));
    CPH_TRY(cph_reader_open(&j->reader, j->corpus, &policy, (cph_part){0, 1}, j->o->revocations,
                            j->o->no_revocations, j->err));
    CPH_TRY(name_corpus(j));
    cph_doc doc;
    cph_status s;
    while ((s = cph_reader_next(j->reader, &doc, j->err)) == CPH_OK)
        CPH_TRY(cph_bpe_add(j->bpe, doc.text, j->err));
    if (s != CPH_END) return s;
    return cph_identity_count(j->identity, &j->arena, "revoked", cph_reader_n_revoked(j->reader), j->err);
}

static cph_status read_files(job *j)
{
    for (size_t i = 0; i < j->o->n_files; i++) {
        cph_digest digest;
        CPH_TRY(cph_file_digest(j->o->files[i], &digest, NULL, j->err));
        CPH_TRY(cph_identity_parent(j->identity, &j->arena, "text", "external", &digest, j->err));
        CPH_TRY(cph_bpe_add_file(j->bpe, j->o->files[i], j->err));
    }
    return CPH_OK;
}

static cph_status work(job *j, cph_tokenizer **t, cph_bpe_report *report)
{
    const cph_train_tokenizer_opts *o = j->o;
    CPH_TRY(cph_identity_new(&j->identity, &j->arena, j->err));
    CPH_TRY(cph_run_new(&j->run, &j->arena, o->started_unix_s, j->err));
    CPH_TRY(cph_bpe_open(&j->bpe, &o->bpe, o->pool, j->err));
    CPH_TRY(cph_bpe_describe(&o->bpe, j->identity, &j->arena, j->err));
    CPH_TRY(o->corpus ? read_corpus(j) : read_files(j));
    CPH_TRY(cph_bpe_finish(j->bpe, t, report, j->err));
    CPH_TRY(cph_identity_count(j->identity, &j->arena, "texts", report->n_texts, j->err));
    CPH_TRY(cph_identity_count(j->identity, &j->arena, "words", report->n_words, j->err));
    return cph_identity_count(j->identity, &j->arena, "distinct", report->n_distinct, j->err);
}

/* A place that is taken is told before the work, not after it. */
static cph_status check(const cph_train_tokenizer_opts *o, const char *out_dir, cph_err *err)
{
    cph_outdir d;
    if (!o->corpus == !o->n_files)
        return cph_fail(err, CPH_USAGE,
                        "a tokenizer is learnt from a corpus (--corpus) or from files: one of both");
    CPH_TRY(cph_outdir_begin(&d, out_dir, false, err));
    cph_outdir_abort(&d);
    return CPH_OK;
}

cph_status cph_train_tokenizer(const cph_train_tokenizer_opts *o, const char *out_dir, cph_digest *digest,
                               cph_bpe_report *report, cph_err *err)
{
    CPH_TRY(check(o, out_dir, err));
    job j = {.o = o, .err = err};
    cph_arena_init(&j.arena, (size_t)256 << 20);
    cph_tokenizer *t = NULL;
    cph_bpe_report learnt;
    cph_status s = work(&j, &t, &learnt);
    if (s == CPH_OK) s = cph_tokenizer_seal(t, out_dir, &j.arena, j.identity, j.run, digest, err);
    if (s == CPH_OK && report) *report = learnt;
    cph_reader_close(j.reader);
    cph_corpus_close(j.corpus);
    cph_bpe_close(j.bpe);
    cph_tokenizer_close(t);
    cph_arena_release(&j.arena);
    return s;
}
