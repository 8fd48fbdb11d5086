/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens_seal.c - the colophon of a token set.
 *
 * What a token set may be used for it has from its corpus: policy, as_of and tally are
 * copied, or the narrower policy that was asked for stands.
 */
#include "train_in.h"

static cph_status set_names(cph_json *identity, cph_arena *a, const char *key, const cph_str *names, size_t n,
                            cph_err *err)
{
    cph_json *list, *v;
    CPH_TRY(cph_json_new(&list, a, CPH_JSON_ARRAY, err));
    for (size_t i = 0; i < n; i++) {
        CPH_TRY(cph_json_new_str(&v, a, names[i], err));
        CPH_TRY(cph_json_push(list, v, err));
    }
    return cph_json_set(identity, a, key, list, err);
}

static cph_status set_policy(cph_json *identity, cph_arena *a, const cph_tokens_facts *f, cph_err *err)
{
    cph_json *policy;
    char day[16];
    if (!f->policy) {
        CPH_TRY(cph_identity_inherit(identity, a, f->corpus_manifest, "policy", err));
        return cph_identity_inherit(identity, a, f->corpus_manifest, "as_of", err);
    }
    CPH_TRY(cph_policy_json(&policy, a, f->policy, err));
    CPH_TRY(cph_json_set(identity, a, "policy", policy, err));
    cph_day_text(f->policy->as_of, day);
    return cph_identity_text(identity, a, "as_of", cph_str_of(day), err);
}

static cph_status set_revocations(cph_json *identity, cph_arena *a, const cph_tokens_facts *f, cph_err *err)
{
    cph_json *yes;
    if (f->revocations_digest)
        return cph_identity_option(identity, a, "revocations", cph_str_of(f->revocations_digest), err);
    CPH_TRY(cph_json_new(&yes, a, CPH_JSON_TRUE, err));
    CPH_TRY(cph_json_set(identity, a, "no_revocations", yes, err));
    return cph_identity_option(identity, a, "revocations", CPH_STR("none"), err);
}

/* Under whose rules it was decided: a model's card says so where these were the sample's (RR-009). */
static cph_status set_rulebase(cph_json *identity, cph_arena *a, const cph_manifest *corpus, cph_err *err)
{
    if (!corpus) return CPH_OK;
    cph_str name = cph_json_get_str(cph_json_get(cph_manifest_identity(corpus), "options"), "rulebase");
    return name.n ? cph_identity_option(identity, a, "rulebase", name, err) : CPH_OK;
}

static cph_status set_roots(cph_json *identity, cph_arena *a, const cph_tokens_facts *f, cph_err *err)
{
    cph_digest root;
    uint64_t size;
    CPH_TRY(cph_identity_tree(identity, a, "set", &f->set_root, f->set_size, err));
    /* The corpus's own tree differs where revocations took documents out; a model names both. */
    if (!cph_manifest_root(f->corpus_manifest, "set_root", &root)) return CPH_OK;
    CPH_TRY(cph_identity_root(identity, a, "corpus_set_root", &root, err));
    if (!cph_manifest_count(f->corpus_manifest, "set_size", &size)) return CPH_OK;
    return cph_identity_count(identity, a, "corpus_set_size", size, err);
}

static cph_status fill_identity(cph_json *identity, cph_arena *a, const cph_tokwrite *w,
                                const cph_tokens_facts *f, cph_err *err)
{
    CPH_TRY(cph_identity_parent(identity, a, "corpus", "corpus", &w->corpus, err));
    CPH_TRY(cph_identity_parent(identity, a, "tokenizer", "tokenizer", &w->tokenizer, err));
    CPH_TRY(set_revocations(identity, a, f, err));
    CPH_TRY(set_policy(identity, a, f, err));
    CPH_TRY(cph_identity_inherit(identity, a, f->corpus_manifest, "tally", err));
    CPH_TRY(set_names(identity, a, "classes", f->classes, f->n_classes, err));
    CPH_TRY(set_names(identity, a, "sources", f->sources, f->n_sources, err));
    CPH_TRY(set_names(identity, a, "languages", f->languages, f->n_languages, err));
    CPH_TRY(set_rulebase(identity, a, f->corpus_manifest, err));
    CPH_TRY(set_roots(identity, a, f, err));
    CPH_TRY(cph_identity_count(identity, a, "tokens", w->all_tokens, err));
    CPH_TRY(cph_identity_count(identity, a, "records", w->all_docs, err));
    CPH_TRY(cph_identity_count(identity, a, "revoked", f->n_revoked, err));
    return cph_identity_count(identity, a, "vocabulary", f->vocab, err);
}

cph_status cph_tokens_seal(const cph_tokwrite *w, const cph_tokens_facts *f, cph_digest *digest, cph_err *err)
{
    static const char *const private_files[] = {CPH_TOKENS_LEAVES, NULL};
    cph_arena a;
    cph_json *identity, *run;
    cph_status s;
    cph_arena_init(&a, (size_t)256 << 20);
    CPH_TRY_GOTO(s, cph_identity_new(&identity, &a, err), out);
    CPH_TRY_GOTO(s, fill_identity(identity, &a, w, f, err), out);
    CPH_TRY_GOTO(s, cph_run_new(&run, &a, f->started_unix_s, err), out);
    CPH_TRY_GOTO(s, cph_run_path(run, &a, "corpus", cph_str_of(f->corpus_path), err), out);
    CPH_TRY_GOTO(s, cph_run_path(run, &a, "tokenizer", cph_str_of(f->tokenizer_path), err), out);
    cph_seal seal = {.kind = "tokens", .identity = identity, .run = run, .content_root = true,
                     .private_files = private_files};
    s = cph_seal_write(w->dir, &a, &seal, digest, err);
out:
    cph_arena_release(&a);
    return s;
}
