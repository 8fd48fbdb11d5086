/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_opts.c - what a run is: its options, checked, resolved and written down.
 *
 * Every option that can change a weight is one row of the table below, from which the
 * identity is written and read again, and a resumed run is compared with what it goes on from.
 */
#include "train_in.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

void cph_train_opts_init(cph_train_opts *o)
{
    *o = (cph_train_opts){.n_layer = 12, .n_embd = 768, .n_head = 12, .n_positions = 1024,
                          .batch = 8, .accumulate = 1, .slots = 1, .dtype = "auto", .gemm = "own", .clip = 1, .seed = 42, .steps = 1000,
                          .optimizer = "adamw", .decay_groups = "hf", .lr = 6e-4, .weight_decay = -1, .beta1 = -1,
                          .beta2 = -1, .eps = -1, .momentum = -1, .muon_lr = -1, .scale_parameter = true,
                          .relative_step = true, .schedule = "cosine_with_min_lr", .warmup = -1, .min_lr_ratio = 0.1,
                          .num_cycles = -1, .power = 1, .lr_end = -1, .warmup_lr_rate = -1, .stable_steps = -1,
                          .decay_steps = -1, .warmup_type = "linear", .decay_type = "cosine",
                          .factors = "constant * rsqrt_decay", .decay_factor = 0.5, .steps_per_decay = 20000,
                          .steps_per_cycle = 100000, .save_every = 500, .keep_last = 2};
}

/* ---- checks ---- */

cph_status cph_in_range(const char *name, double v, double low, double high, cph_err *err)
{
    if (v >= low && v <= high) return CPH_OK;
    return cph_fail(err, CPH_USAGE, "%s is %g; it must be from %g to %g", name, v, low, high);
}

static cph_status check_shape(const cph_train_opts *o, cph_err *err)
{
    if (o->from) return CPH_OK;
    CPH_TRY(cph_in_range("layers", o->n_layer, 1, 1023, err));
    CPH_TRY(cph_in_range("width", o->n_embd, 1, 1 << 20, err));
    CPH_TRY(cph_in_range("heads", o->n_head, 1, o->n_embd, err));
    CPH_TRY(cph_in_range("positions", o->n_positions, 2, 1 << 24, err));
    CPH_TRY(cph_in_range("dropout", o->dropout, 0, 0.99, err));
    if (o->n_embd % o->n_head)
        return cph_fail(err, CPH_USAGE, "width %u is no multiple of heads %u", o->n_embd, o->n_head);
    return CPH_OK;
}

cph_status cph_train_gemm(const cph_train_opts *o, cph_gemm *out, cph_err *err)
{
    const char *gemm = o->gemm ? o->gemm : "own";
    bool onednn = strcmp(gemm, "onednn") == 0;
    if (!onednn && strcmp(gemm, "own") != 0)
        return cph_fail(err, CPH_USAGE, "gemm is '%s'; it must be own or onednn", gemm);
    if (onednn && o->arith) {
        cph_fail(err, CPH_USAGE, "arith %s is how our own products are computed, with gemm onednn they are not ours", o->arith);
        return cph_hint(err, "--dtype fp32 or bf16 chooses oneDNN's operands");
    }
    *out = onednn ? CPH_GEMM_ONEDNN : CPH_GEMM_OWN;
    return CPH_OK;
}

cph_status cph_train_arith(const cph_train_opts *o, cph_arith *out, cph_err *err)
{
    cph_gemm gemm;
    cph_arith a = cph_arith_default(NULL);
    CPH_TRY(cph_train_gemm(o, &gemm, err));
    if (gemm == CPH_GEMM_ONEDNN && a == CPH_ARITH_FP32 && cph_processor_has_amx()) a = CPH_ARITH_BF16_FMA;
    const char *dtype = o->dtype ? o->dtype : "auto";
    bool fp32 = strcmp(dtype, "fp32") == 0, bf16 = strcmp(dtype, "bf16") == 0;
    if (!fp32 && !bf16 && strcmp(dtype, "auto") != 0)
        return cph_fail(err, CPH_USAGE, "dtype is '%s'; it must be auto, fp32 or bf16", dtype);
    if (fp32) a = CPH_ARITH_FP32;
    if (bf16 && a == CPH_ARITH_FP32) a = CPH_ARITH_BF16_FMA;
    if (o->arith && !cph_arith_parse(o->arith, &a))
        return cph_fail(err, CPH_USAGE, "arith is '%s'; it must be fp32, bf16-fma or bf16-dot", o->arith);
    if ((fp32 && a != CPH_ARITH_FP32) || (bf16 && a == CPH_ARITH_FP32))
        return cph_fail(err, CPH_USAGE, "dtype %s and arith %s contradict each other", dtype, cph_arith_text(a));
    *out = a;
    return CPH_OK;
}

cph_status cph_train_opts_check(const cph_train_opts *o, cph_err *err)
{
    cph_arith arith;
    if (!o->tokens || !o->tokenizer || !o->out)
        return cph_fail(err, CPH_USAGE, "a training run needs a token set, a tokenizer and an output");
    CPH_TRY(check_shape(o, err));
    CPH_TRY(cph_train_arith(o, &arith, err));
    CPH_TRY(cph_in_range("steps", o->steps, 1, UINT32_MAX - 1.0, err));
    CPH_TRY(cph_in_range("batch", o->batch, 1, 65536, err));
    CPH_TRY(cph_in_range("accumulate", o->accumulate, 1, 65536, err));
    CPH_TRY(cph_in_range("batch times accumulate", (double)o->batch * o->accumulate, 1, 1 << 24, err));
    CPH_TRY(cph_in_range("slots", o->slots, 1, CPH_MAX_SLOTS, err));
    if (o->slots & (o->slots - 1))
        return cph_fail(err, CPH_USAGE, "slots is %u; it must be a power of two", o->slots);
    if (o->slots > o->accumulate) {
        cph_fail(err, CPH_USAGE, "%u micro-batches of a step cannot fill %u slots", o->accumulate, o->slots);
        return cph_hint(err, "--accumulate %u or more", o->slots);
    }
    CPH_TRY(cph_in_range("clip", o->clip, 0, 1e30, err));
    CPH_TRY(cph_in_range("held-out", o->held_out, 0, 0.9, err));
    CPH_TRY(cph_in_range("keep-last", o->keep_last, 1, UINT32_MAX, err));
    return cph_train_recipe_check(o, err);
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
    enum { U32, I64, REAL, TEXT, BOOL, FIXED } type;
    size_t at;         /* of its field in cph_train_opts */
    const char *fixed; /* the only value that there is */
    bool shape;        /* left out with `from`: the base's digest says it */
    bool rate;         /* left out where the optimizer chooses its own rate */
    unsigned optimizers, schedules; /* bits of those that read it; 0: all */
} option;

#define O(kind) (1u << CPH_OPTIMIZER_##kind)
#define S(kind) (1u << CPH_SCHEDULE_##kind)
#define ADAMS (O(ADAMW) | O(ADAMW_BERT) | O(ADAMW_SCALE) | O(MUON))
#define ADAFACTORS (O(ADAFACTOR) | O(ADAFACTOR_T5X))
#define COSINES (S(COSINE) | S(COSINE_WITH_MIN_LR) | S(COSINE_WARMUP_WITH_MIN_LR) | S(COSINE_WITH_RESTARTS))
/* Those of Hugging Face that warm up from 0. */
#define FROM_ZERO                                                                                           \
    (S(CONSTANT_WITH_WARMUP) | S(LINEAR) | S(COSINE) | S(COSINE_WITH_MIN_LR) | S(COSINE_WITH_RESTARTS) |    \
     S(POLYNOMIAL) | S(INVERSE_SQRT) | S(WARMUP_STABLE_DECAY))

#define AT(field) .at = offsetof(cph_train_opts, field)
static const option options[] = {
    {"layers", U32, AT(n_layer), .shape = true},
    {"width", U32, AT(n_embd), .shape = true},
    {"heads", U32, AT(n_head), .shape = true},
    {"positions", U32, AT(n_positions), .shape = true},
    {"dropout", REAL, AT(dropout), .shape = true},
    {"steps", U32, AT(steps)},
    {"batch", U32, AT(batch)},
    {"accumulate", U32, AT(accumulate)},
    {"seq-len", U32, AT(seq_len)},
    {"clip", REAL, AT(clip)},
    {"skip-outliers", REAL, AT(skip_outliers)},
    {"optimizer", TEXT, AT(optimizer)},
    {"weight-decay", REAL, AT(weight_decay)},
    {"decay-groups", TEXT, AT(decay_groups)},
    {"beta1", REAL, AT(beta1), .optimizers = ADAMS | ADAFACTORS},
    {"beta2", REAL, AT(beta2), .optimizers = ADAMS},
    {"eps", REAL, AT(eps), .optimizers = ADAMS},
    {"momentum", REAL, AT(momentum), .optimizers = O(SGD) | O(MUON)},
    {"nesterov", BOOL, AT(nesterov), .optimizers = O(SGD)},
    {"muon-lr", REAL, AT(muon_lr), .optimizers = O(MUON)},
    {"scale-parameter", BOOL, AT(scale_parameter), .optimizers = ADAFACTORS},
    {"relative-step", BOOL, AT(relative_step), .optimizers = O(ADAFACTOR)},
    {"warmup-init", BOOL, AT(warmup_init), .optimizers = O(ADAFACTOR)},
    {"ema", REAL, AT(ema)},
    {"ema-release", BOOL, AT(ema_release)},
    {"lr", REAL, AT(lr), .rate = true},
    {"schedule", TEXT, AT(schedule), .rate = true},
    {"warmup", I64, AT(warmup), .rate = true, .schedules = ~S(CONSTANT)},
    {"warmup-offset", U32, AT(warmup_offset), .rate = true, .schedules = FROM_ZERO},
    {"min-lr-ratio", REAL, AT(min_lr_ratio), .rate = true,
     .schedules = S(COSINE_WITH_MIN_LR) | S(COSINE_WARMUP_WITH_MIN_LR) | S(WARMUP_STABLE_DECAY) | S(WSD)},
    {"num-cycles", REAL, AT(num_cycles), .rate = true, .schedules = COSINES | S(WARMUP_STABLE_DECAY)},
    {"power", REAL, AT(power), .rate = true, .schedules = S(POLYNOMIAL)},
    {"lr-end", REAL, AT(lr_end), .rate = true, .schedules = S(POLYNOMIAL) | S(NANOT5)},
    {"warmup-lr-rate", REAL, AT(warmup_lr_rate), .rate = true, .schedules = S(COSINE_WARMUP_WITH_MIN_LR)},
    {"timescale", U32, AT(timescale), .rate = true, .schedules = S(INVERSE_SQRT)},
    {"stable-steps", I64, AT(stable_steps), .rate = true, .schedules = S(WARMUP_STABLE_DECAY)},
    {"decay-steps", I64, AT(decay_steps), .rate = true, .schedules = S(WARMUP_STABLE_DECAY)},
    {"warmup-type", TEXT, AT(warmup_type), .rate = true, .schedules = S(WARMUP_STABLE_DECAY)},
    {"decay-type", TEXT, AT(decay_type), .rate = true, .schedules = S(WARMUP_STABLE_DECAY)},
    {"factors", TEXT, AT(factors), .rate = true, .schedules = S(T5X)},
    {"decay-factor", REAL, AT(decay_factor), .rate = true, .schedules = S(T5X)},
    {"steps-per-decay", U32, AT(steps_per_decay), .rate = true, .schedules = S(T5X)},
    {"steps-per-cycle", U32, AT(steps_per_cycle), .rate = true, .schedules = S(T5X)},
    {"held-out", REAL, AT(held_out)},
    {"packing", FIXED, .fixed = "next-fit"},
};
#undef AT
enum { N_OPTIONS = sizeof options / sizeof *options };

/* Does the run depend on it at all? Rows that decide this stand above those that they decide on. */
static bool is_read(const cph_train_opts *o, const option *p)
{
    cph_optimizer_kind optimizer = CPH_OPTIMIZER_ADAMW;
    cph_schedule_kind schedule = CPH_SCHEDULE_CONSTANT;
    (void)cph_optimizer_parse(cph_str_of(o->optimizer), &optimizer);
    (void)cph_schedule_parse(cph_str_of(o->schedule), &schedule);
    if (p->shape && o->from) return false;
    if (p->rate && optimizer == CPH_OPTIMIZER_ADAFACTOR && o->relative_step) return false;
    if (p->optimizers && !(p->optimizers >> optimizer & 1)) return false;
    return !p->schedules || (p->schedules >> schedule & 1);
}

bool cph_train_opts_reads(const cph_train_opts *o, const char *name)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (cph_str_is(cph_str_of(name), options[i].name)) return is_read(o, &options[i]);
    return true;
}

static cph_str text_of(const cph_train_opts *o, const option *p, char buf[40])
{
    const void *field = (const char *)o + p->at;
    switch (p->type) {
    case FIXED: return cph_str_of(p->fixed);
    case TEXT: return cph_str_of(*(const char *const *)field);
    case BOOL: return cph_str_of(*(const bool *)field ? "true" : "false");
    case REAL: return (cph_str){buf, cph_format_double(*(const double *)field, buf)};
    case I64: return (cph_str){buf, (size_t)snprintf(buf, 40, "%lld", (long long)*(const int64_t *)field)};
    default: return (cph_str){buf, (size_t)snprintf(buf, 40, "%u", *(const uint32_t *)field)};
    }
}

static cph_status set_options(const cph_trainer *t, cph_arena *a, cph_json *identity, cph_err *err)
{
    char buf[40];
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (is_read(&t->o, &options[i]))
            CPH_TRY(cph_identity_option(identity, a, options[i].name, text_of(&t->o, &options[i], buf), err));
    return CPH_OK;
}

/* A text is copied into `a`. */
static cph_status take(cph_train_opts *o, const option *p, cph_str text, cph_arena *a, bool *ok, cph_err *err)
{
    void *field = (char *)o + p->at;
    uint64_t whole = 0;
    cph_str copy;
    *ok = true;
    switch (p->type) {
    case FIXED: *ok = cph_str_is(text, p->fixed); return CPH_OK;
    case REAL: *ok = cph_str_double(text, field); return CPH_OK;
    case BOOL:
        *ok = cph_str_is(text, "true") || cph_str_is(text, "false");
        if (*ok) *(bool *)field = cph_str_is(text, "true");
        return CPH_OK;
    case I64: *ok = cph_str_i64(text, field); return CPH_OK;
    case U32:
        *ok = cph_str_u64(text, &whole) && whole <= UINT32_MAX;
        if (*ok) *(uint32_t *)field = (uint32_t)whole;
        return CPH_OK;
    default:
        CPH_TRY(cph_arena_str(a, &copy, text, err));
        *(const char **)field = copy.p;
        return CPH_OK;
    }
}

cph_status cph_train_opts_read(cph_train_opts *o, const cph_json *sealed, cph_arena *a, const char *where,
                               cph_err *err)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const cph_json *v = cph_json_get(sealed, options[i].name);
        bool ok;
        if (!is_read(o, &options[i])) continue;
        if (!v)
            return cph_fail(err, CPH_DATA, "%s: the option %s is not sealed in it", where, options[i].name);
        CPH_TRY(take(o, &options[i], v->str, a, &ok, err));
        if (!ok)
            return cph_fail(err, CPH_DATA, "%s: the option %s cannot be %.*s here", where, options[i].name,
                            CPH_FMT(v->str));
    }
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

/* Dot products of bf16 are the same only inside a family of processors (engine 8). */
static cph_status set_arith(const cph_trainer *t, cph_arena *a, cph_json *identity, cph_err *err)
{
    char family[32];
    cph_arith arith = cph_model_arith(t->model);
    CPH_TRY(cph_identity_text(identity, a, "arith", cph_str_of(cph_model_arith_text(t->model)), err));
    if (arith != CPH_ARITH_BF16_DOT) return CPH_OK;
    cph_processor_family(family);
    return cph_identity_version(identity, a, "processor", cph_str_of(family), err);
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
    CPH_TRY(set_arith(t, a, identity, err));
    CPH_TRY(cph_identity_slots(identity, a, t->o.slots, err));
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

static cph_status same_slots(const cph_json *then, const cph_json *now, const char *where, cph_err *err)
{
    const cph_json *was = cph_json_get(then, "slots"), *is = cph_json_get(now, "slots");
    cph_str a = was ? was->str : CPH_STR("none");
    return is && cph_str_eq(a, is->str) ? CPH_OK : differs(where, "slots", a, is ? is->str : CPH_STR("none"), err);
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
    if (s == CPH_OK && !cph_str_eq(cph_json_get_str(then, "arith"), cph_json_get_str(now, "arith")))
        s = differs(where, "arith", cph_json_get_str(then, "arith"), cph_json_get_str(now, "arith"), err);
    if (s == CPH_OK && !cph_str_eq(cph_json_get_str(then, "seed"), cph_json_get_str(now, "seed")))
        s = differs(where, "seed", cph_json_get_str(then, "seed"), cph_json_get_str(now, "seed"), err);
    if (s == CPH_OK) s = same_slots(then, now, where, err);
    if (s == CPH_OK)
        s = same_parents(cph_json_get(then, "parents"), cph_json_get(now, "parents"), where, err);
    cph_arena_release(&a);
    return s;
}
