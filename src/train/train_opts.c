/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_opts.c - what a run is: its options, checked, resolved and written down.
 *
 * Every option that can change a weight is one row of the table below, from which the
 * identity is written and a resumed run is compared with what it goes on from.
 */
#include "train_in.h"

#include <stdio.h>

void cph_train_opts_init(cph_train_opts *o)
{
    *o = (cph_train_opts){.n_layer = 12, .n_embd = 768, .n_head = 12, .n_positions = 1024,
                          .batch = 8, .accumulate = 1, .schedule = "cosine", .lr = 6e-4, .warmup = -1,
                          .min_lr_ratio = 0.1, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1,
                          .clip = 1, .seed = 42, .steps = 1000, .save_every = 500, .keep_last = 2};
}

/* ---- checks ---- */

static cph_status in_range(const char *name, double v, double low, double high, cph_err *err)
{
    if (v >= low && v <= high) return CPH_OK;
    return cph_fail(err, CPH_USAGE, "%s is %g; it must be from %g to %g", name, v, low, high);
}

static cph_status check_shape(const cph_train_opts *o, cph_err *err)
{
    if (o->from) return CPH_OK;
    CPH_TRY(in_range("layers", o->n_layer, 1, 1023, err));
    CPH_TRY(in_range("width", o->n_embd, 1, 1 << 20, err));
    CPH_TRY(in_range("heads", o->n_head, 1, o->n_embd, err));
    CPH_TRY(in_range("positions", o->n_positions, 2, 1 << 24, err));
    CPH_TRY(in_range("dropout", o->dropout, 0, 0.99, err));
    if (o->n_embd % o->n_head)
        return cph_fail(err, CPH_USAGE, "width %u is no multiple of heads %u", o->n_embd, o->n_head);
    return CPH_OK;
}

cph_status cph_train_opts_check(const cph_train_opts *o, cph_err *err)
{
    cph_schedule_kind kind;
    if (!o->tokens || !o->tokenizer || !o->out)
        return cph_fail(err, CPH_USAGE, "a training run needs a token set, a tokenizer and an output");
    CPH_TRY(check_shape(o, err));
    CPH_TRY(in_range("steps", o->steps, 1, UINT32_MAX - 1.0, err));
    CPH_TRY(in_range("batch", o->batch, 1, 65536, err));
    CPH_TRY(in_range("accumulate", o->accumulate, 1, 65536, err));
    CPH_TRY(in_range("lr", o->lr, 0, 1e3, err));
    CPH_TRY(in_range("beta1", o->beta1, 0, 0.999999, err));
    CPH_TRY(in_range("beta2", o->beta2, 0, 0.999999, err));
    CPH_TRY(in_range("eps", o->eps, 1e-30, 1, err));
    CPH_TRY(in_range("weight-decay", o->weight_decay, 0, 1e3, err));
    CPH_TRY(in_range("clip", o->clip, 0, 1e30, err));
    CPH_TRY(in_range("held-out", o->held_out, 0, 0.9, err));
    CPH_TRY(in_range("min-lr-ratio", o->min_lr_ratio, 0, 1, err));
    CPH_TRY(in_range("warmup-offset", o->warmup_offset, 0, 1, err));
    CPH_TRY(in_range("keep-last", o->keep_last, 1, UINT32_MAX, err));
    if (o->warmup > (int64_t)o->steps)
        return cph_fail(err, CPH_USAGE, "warmup takes %lld steps, the run only %u", (long long)o->warmup,
                        o->steps);
    if (!o->schedule || !cph_schedule_parse(cph_str_of(o->schedule), &kind))
        return cph_fail(err, CPH_USAGE, "no schedule is called '%s'", o->schedule ? o->schedule : "");
    return CPH_OK;
}

/* ---- the configuration of a new model ---- */

cph_status cph_train_config(cph_json **out, cph_arena *a, const cph_train_opts *o, uint32_t vocab,
                            int64_t eos, cph_err *err)
{
    char token[24] = "null", drop[32];
    cph_str text;
    if (eos >= 0) snprintf(token, sizeof token, "%lld", (long long)eos);
    cph_format_double(o->dropout, drop);
    CPH_TRY(cph_arena_printf(
        a, &text, err,
        "{\"model_type\":\"gpt2\",\"architectures\":[\"GPT2LMHeadModel\"],\"activation_function\":\"gelu_new\","
        "\"attn_pdrop\":%s,\"embd_pdrop\":%s,\"resid_pdrop\":%s,\"initializer_range\":0.02,"
        "\"layer_norm_epsilon\":1e-05,\"n_embd\":%u,\"n_head\":%u,\"n_inner\":null,\"n_layer\":%u,"
        "\"n_positions\":%u,\"vocab_size\":%u,\"bos_token_id\":%s,\"eos_token_id\":%s,"
        "\"tie_word_embeddings\":true,\"use_cache\":true}",
        drop, drop, drop, o->n_embd, o->n_head, o->n_layer, o->n_positions, vocab, token, token));
    return cph_json_parse(out, a, text, "config.json", NULL, err);
}

/* ---- identity ---- */

typedef struct option {
    const char *name;
    enum { WHOLE, REAL, TEXT } type;
    uint64_t whole;
    double real;
    const char *text;
    bool shape; /* left out with `from`: the base's digest says it */
} option;

enum { MAX_OPTIONS = 32 };

static size_t options_of(const cph_trainer *t, option out[MAX_OPTIONS])
{
    const cph_train_opts *o = &t->o;
    const option all[] = {
        {"layers", WHOLE, .whole = o->n_layer, .shape = true},
        {"width", WHOLE, .whole = o->n_embd, .shape = true},
        {"heads", WHOLE, .whole = o->n_head, .shape = true},
        {"positions", WHOLE, .whole = o->n_positions, .shape = true},
        {"dropout", REAL, .real = o->dropout, .shape = true},
        {"steps", WHOLE, .whole = o->steps},
        {"batch", WHOLE, .whole = o->batch},
        {"accumulate", WHOLE, .whole = o->accumulate},
        {"seq-len", WHOLE, .whole = o->seq_len},
        {"schedule", TEXT, .text = o->schedule},
        {"lr", REAL, .real = o->lr},
        {"warmup", WHOLE, .whole = (uint64_t)o->warmup},
        {"warmup-offset", WHOLE, .whole = o->warmup_offset},
        {"min-lr-ratio", REAL, .real = o->min_lr_ratio},
        {"optimizer", TEXT, .text = "adamw"},
        {"beta1", REAL, .real = o->beta1},
        {"beta2", REAL, .real = o->beta2},
        {"eps", REAL, .real = o->eps},
        {"weight-decay", REAL, .real = o->weight_decay},
        {"clip", REAL, .real = o->clip},
        {"held-out", REAL, .real = o->held_out},
        {"packing", TEXT, .text = "next-fit"},
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!o->from || !all[i].shape) out[n++] = all[i];
    return n;
}

static cph_str text_of(const option *p, char buf[40])
{
    if (p->type == TEXT) return cph_str_of(p->text);
    if (p->type == REAL) return (cph_str){buf, cph_format_double(p->real, buf)};
    return (cph_str){buf, (size_t)snprintf(buf, 40, "%llu", (unsigned long long)p->whole)};
}

static cph_status set_options(const cph_trainer *t, cph_arena *a, cph_json *identity, cph_err *err)
{
    option all[MAX_OPTIONS];
    char buf[40];
    size_t n = options_of(t, all);
    for (size_t i = 0; i < n; i++)
        CPH_TRY(cph_identity_option(identity, a, all[i].name, text_of(&all[i], buf), err));
    return CPH_OK;
}

static cph_status set_parents(const cph_trainer *t, cph_arena *a, cph_json *identity, cph_err *err)
{
    const cph_manifest *tokens = cph_tokens_manifest(t->tokens);
    cph_digest digest = cph_manifest_digest(tokens), tokenizer = cph_tokens_tokenizer(t->tokens),
               corpus = cph_tokens_corpus(t->tokens);
    CPH_TRY(cph_identity_parent(identity, a, "tokens", "tokens", &digest, err));
    CPH_TRY(cph_identity_parent(identity, a, "tokenizer", "tokenizer", &tokenizer, err));
    CPH_TRY(cph_identity_parent(identity, a, "corpus", "corpus", &corpus, err));
    if (!t->has_base) return CPH_OK;
    return cph_identity_parent(identity, a, "base", t->base_sealed ? "model" : "external", &t->base, err);
}

cph_status cph_train_identity(const cph_trainer *t, cph_arena *a, cph_json **out, cph_err *err)
{
    const cph_manifest *tokens = cph_tokens_manifest(t->tokens);
    static const char *const inherited[] = {"policy", "as_of", "tally", "no_revocations"};
    cph_json *identity;
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)t->o.seed);
    CPH_TRY(cph_identity_new(&identity, a, err));
    CPH_TRY(set_parents(t, a, identity, err));
    CPH_TRY(set_options(t, a, identity, err));
    for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++)
        CPH_TRY(cph_identity_inherit(identity, a, tokens, inherited[i], err));
    CPH_TRY(cph_identity_text(identity, a, "seed", cph_str_of(seed), err));
    CPH_TRY(cph_identity_text(identity, a, "arith", CPH_STR("fp32"), err));
    CPH_TRY(cph_identity_slots(identity, a, 1, err));
    CPH_TRY(cph_identity_version(identity, a, "numerics", CPH_STR(CPH_NUMERICS), err));
    *out = identity;
    return CPH_OK;
}

/* ---- is this the run that it was? ---- */

static cph_status differs(const char *where, const char *name, cph_str then, cph_str now, cph_err *err)
{
    cph_fail(err, CPH_USAGE, "%s: was made with %s %.*s, now it is %.*s", where, name, CPH_FMT(then),
             CPH_FMT(now));
    return cph_hint(err, "another option is another run: give it another --out, or restore the option");
}

static cph_status same_members(const cph_json *then, const cph_json *now, const char *where, cph_err *err)
{
    for (const cph_json *v = now ? now->first : NULL; v; v = v->next) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", CPH_FMT(v->key));
        cph_str was = cph_json_get_str(then, name);
        if (!cph_str_eq(was, v->str)) return differs(where, name, was, v->str, err);
    }
    return CPH_OK;
}

static cph_status same_parents(const cph_json *then, const cph_json *now, const char *where, cph_err *err)
{
    const cph_json *p = then ? then->first : NULL, *q = now ? now->first : NULL;
    for (; p && q; p = p->next, q = q->next) {
        cph_str role = cph_json_get_str(q, "role"), was = cph_json_get_str(p, "digest"),
                is = cph_json_get_str(q, "digest");
        char name[64];
        snprintf(name, sizeof name, "the parent '%.*s'", CPH_FMT(role));
        if (!cph_str_eq(role, cph_json_get_str(p, "role")) || !cph_str_eq(was, is))
            return differs(where, name, was, is, err);
    }
    if (p || q) return differs(where, "another number of parents", CPH_STR("then"), CPH_STR("another"), err);
    return CPH_OK;
}

cph_status cph_train_same_run(const cph_trainer *t, const cph_manifest *earlier, const char *where,
                              cph_err *err)
{
    const cph_json *then = cph_manifest_identity(earlier);
    cph_arena a;
    cph_json *now;
    cph_arena_init(&a, (size_t)256 << 20);
    cph_status s = cph_train_identity(t, &a, &now, err);
    if (s == CPH_OK && !cph_str_is(cph_manifest_kind(earlier), "model"))
        s = cph_fail(err, CPH_USAGE, "%s: exists already, and is no model", where);
    if (s == CPH_OK)
        s = same_members(cph_json_get(then, "options"), cph_json_get(now, "options"), where, err);
    if (s == CPH_OK)
        s = same_members(cph_json_get(then, "versions"), cph_json_get(now, "versions"), where, err);
    if (s == CPH_OK && !cph_str_eq(cph_json_get_str(then, "seed"), cph_json_get_str(now, "seed")))
        s = differs(where, "seed", cph_json_get_str(then, "seed"), cph_json_get_str(now, "seed"), err);
    if (s == CPH_OK)
        s = same_parents(cph_json_get(then, "parents"), cph_json_get(now, "parents"), where, err);
    cph_arena_release(&a);
    return s;
}
