/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_train.c - `colophon train gpt2`: from a corpus and its tokenizer to a sealed model.
 */
#include <colophon/train/tokens.h>
#include <colophon/train/training.h>

#include <stdio.h>

#include "recipe.h"

static cph_status u32(const cli *c, const char *opt, uint32_t *out, cph_err *err)
{
    uint64_t v = cli_u64(c, opt);
    if (v > UINT32_MAX) return cph_fail(err, CPH_USAGE, "--%s %llu is too large", opt, (unsigned long long)v);
    *out = (uint32_t)v;
    return CPH_OK;
}

static cph_status fill_shape(const cli *c, cph_train_opts *o, cph_err *err)
{
    static const char *const shape[] = {"layers", "width", "heads", "positions", "dropout"};
    o->from = cli_str(c, "from");
    for (size_t i = 0; o->from && i < sizeof shape / sizeof *shape; i++)
        if (cli_given(c, shape[i]))
            return cph_fail(err, CPH_USAGE, "--%s cannot be given with --from: the model has its own",
                            shape[i]);
    CPH_TRY(u32(c, "layers", &o->n_layer, err));
    CPH_TRY(u32(c, "width", &o->n_embd, err));
    CPH_TRY(u32(c, "heads", &o->n_head, err));
    CPH_TRY(u32(c, "positions", &o->n_positions, err));
    o->dropout = cli_double(c, "dropout");
    return CPH_OK;
}

static cph_status fill_identity(const cli *c, cph_train_opts *o, cph_err *err)
{
    CPH_TRY(u32(c, "steps", &o->steps, err));
    CPH_TRY(u32(c, "batch", &o->batch, err));
    CPH_TRY(u32(c, "accumulate", &o->accumulate, err));
    CPH_TRY(u32(c, "slots", &o->slots, err));
    CPH_TRY(u32(c, "seq-len", &o->seq_len, err));
    o->held_out = cli_double(c, "held-out");
    o->seed = cli_u64(c, "seed");
    o->dtype = cli_str(c, "dtype");
    o->arith = cli_str(c, "arith");
    o->gemm = cli_str(c, "gemm");
    return cli_recipe(c, o, err);
}

static cph_status fill_recompute(const cli *c, cph_train_opts *o, cph_err *err)
{
    uint64_t from, to;
    cph_str a, b = cph_str_of(cli_str(c, "recompute") ? cli_str(c, "recompute") : "");
    if (b.n == 0) return CPH_OK;
    if (!cph_str_split(&b, '-', &a) || !cph_str_u64(a, &from) || !cph_str_u64(b, &to) || to < from || to >= UINT32_MAX)
        return cph_fail(err, CPH_USAGE, "--recompute %s: two numbers of blocks, such as 0-5", cli_str(c, "recompute"));
    o->recompute_from = (uint32_t)from;
    o->recompute_to = (uint32_t)to + 1;
    return CPH_OK;
}

static cph_status fill_run(cli *c, cph_train_opts *o, cph_err *err)
{
    CPH_TRY(fill_recompute(c, o, err));
    CPH_TRY(u32(c, "eval-every", &o->eval_every, err));
    CPH_TRY(u32(c, "save-every", &o->save_every, err));
    CPH_TRY(u32(c, "keep-last", &o->keep_last, err));
    CPH_TRY(u32(c, "keep-every", &o->keep_every, err));
    o->started_unix_s = cli_started(c);
    CPH_TRY(cli_ranks(c, &o->comm, err));
    return cli_pool(c, &o->pool, err);
}

static cph_status token_set(cli *c, const cph_train_opts *o, cph_err *err)
{
    cph_tokens_opts t;
    cph_tokens_opts_init(&t);
    t.corpus = cli_str(c, "corpus");
    t.tokenizer = o->tokenizer;
    t.revocations = cli_str(c, "revocations");
    t.no_revocations = cli_flag(c, "no-revocations");
    t.pool = o->pool;
    t.started_unix_s = cli_started(c);
    return cph_tokens_ensure(&t, o->tokens, NULL, err);
}

static void answer(cli *c, const char *out, const cph_train_result *r)
{
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(&r->digest, hex);
    if (cli_json(c)) {
        cli_print(c, "{\"digest\":\"%s\",\"steps\":%u,\"resumed_from\":%u,\"was_there\":%s", hex, r->steps,
                  r->resumed_from, r->was_there ? "true" : "false");
        if (!r->was_there) cli_print(c, ",\"loss\":%.6f,\"tokens_per_s\":%.1f", r->loss, r->tokens_per_s);
        cli_print(c, "}\n");
        return;
    }
    if (r->was_there) {
        cli_print(c, "model %s was sealed before by the same run: %.16s\n", out, hex);
        return;
    }
    cli_print(c, "model %s sealed after %u steps, loss %.4f", out, r->steps, r->loss);
    if (r->held_out_loss >= 0) cli_print(c, " (held out %.4f)", r->held_out_loss);
    cli_print(c, ": %.16s\n", hex);
}

static cph_status run(cli *c, cph_err *err)
{
    char beside[CPH_PATH_MAX];
    cph_train_opts o;
    cph_train_result r;
    cph_train_opts_init(&o);
    CPH_TRY(cli_need(c, "tokenizer", err));
    CPH_TRY(cli_need(c, "out", err));
    CPH_TRY(fill_shape(c, &o, err));
    CPH_TRY(fill_identity(c, &o, err));
    o.tokenizer = cli_str(c, "tokenizer");
    o.out = cli_str(c, "out");
    o.tokens = cli_str(c, "tokens");
    if (!o.tokens) {
        int n = snprintf(beside, sizeof beside, "%s.tokens", o.out);
        if (n < 0 || (size_t)n >= sizeof beside)
            return cph_fail(err, CPH_USAGE, "%.200s...: the path is too long", o.out);
        o.tokens = beside;
    }
    CPH_TRY(cph_train_opts_check(&o, err)); /* before the token set is built, which may take long */
    if (cli_given(c, "corpus")) CPH_TRY(cph_train_check_corpus(cli_str(c, "corpus"), err));
    CPH_TRY(fill_run(c, &o, err));
    if (cph_comm_rank(o.comm) == 0) CPH_TRY(token_set(c, &o, err));
    CPH_TRY(cph_comm_barrier(o.comm, err)); /* it is there now for all */
    CPH_TRY(cph_train_run(&o, &r, err));
    answer(c, o.out, &r);
    return CPH_OK;
}

static const cli_opt opts[] = {
    {"corpus", CLI_STR, CLI_RUN, "DIR", NULL, "the sealed corpus to learn from; may be left out where --tokens stands already"},
    {"tokenizer", CLI_STR, CLI_RUN, "DIR", NULL, "the sealed tokenizer"},
    {"tokens", CLI_STR, CLI_RUN, "DIR", NULL, "the token set: used when it is there, built there when it is not; OUT.tokens when left out"},
    {"out", CLI_STR, CLI_RUN, "DIR", NULL, "where the model is sealed; checkpoints lie in OUT.run meanwhile"},
    {"from", CLI_STR, CLI_IDENTITY, "DIR", NULL, "a Hugging Face directory to start from, instead of random weights"},
    {"revocations", CLI_STR, CLI_IDENTITY, "FILE", NULL, "what was withdrawn since the corpus was sealed"},
    {"no-revocations", CLI_FLAG, CLI_IDENTITY, NULL, NULL, "there is no such list; the token set and the model say so"},
    {"layers", CLI_U64, CLI_IDENTITY, "N", "12", "transformer blocks"},
    {"width", CLI_U64, CLI_IDENTITY, "N", "768", "width of the residual stream (n_embd)"},
    {"heads", CLI_U64, CLI_IDENTITY, "N", "12", "attention heads; divides the width"},
    {"positions", CLI_U64, CLI_IDENTITY, "N", "1024", "the longest text that the model reads, in tokens"},
    {"dropout", CLI_DOUBLE, CLI_IDENTITY, "P", "0", "dropout at embedding, attention and residual"},
    {"steps", CLI_U64, CLI_IDENTITY, "N", "1000", "optimizer steps"},
    {"batch", CLI_U64, CLI_IDENTITY, "N", "8", "rows of a micro-batch"},
    {"accumulate", CLI_U64, CLI_IDENTITY, "N", "1", "micro-batches of a step"},
    {"slots", CLI_U64, CLI_IDENTITY, "N", "1", "slots over which the micro-batches of a step are divided, a power of two: as many ranks may share the work"},
    {"seq-len", CLI_U64, CLI_IDENTITY, "N", "0", "tokens of a row; 0: as many as there are positions"},
    RECIPE_OPTS,
    {"held-out", CLI_DOUBLE, CLI_IDENTITY, "SHARE", "0", "share of the works that is not trained on but evaluated"},
    {"seed", CLI_U64, CLI_IDENTITY, "N", "42", "of weights, order of data and dropout"},
    {"dtype", CLI_CHOICE, CLI_IDENTITY, "auto|fp32|bf16", "auto",
     "type of activations and operands; auto: what this processor is fastest at (colophon doctor says what that is)"},
    {"arith", CLI_CHOICE, CLI_IDENTITY, "fp32|bf16-fma|bf16-dot", NULL,
     "how products are computed; fp32 and bf16-fma give the same bits on every processor"},
    {"gemm", CLI_CHOICE, CLI_IDENTITY, "own|onednn", "own",
     "who multiplies matrices; onednn: the library, by its plug-in: it knows AMX, and promises the same bits to nobody"},
    {"ranks", CLI_STR, CLI_RUN, "N|mpi", "1", "processes that train together, at most one a slot: N are started on this machine; mpi: whoever mpirun or srun started"},
    {"eval-every", CLI_U64, CLI_RUN, "N", "0", "steps between evaluations; 0: at the end only"},
    {"recompute", CLI_STR, CLI_RUN, "A-B", NULL,
     "blocks A to B (from 0) keep nothing for their backward pass and run forward twice: less memory, the same bits"},
    {"save-every", CLI_U64, CLI_RUN, "N", "500", "steps between checkpoints; 0: at the end only"},
    {"keep-last", CLI_U64, CLI_RUN, "N", "2", "checkpoints that are kept"},
    {"keep-every", CLI_U64, CLI_RUN, "N", "0", "keep each checkpoint whose step this divides, too: what a run wants that is to be audited (verify --replay)"},
    {0}};

const cli_command cmd_train_gpt2 = {
    .name = "train gpt2",
    .args = "",
    .summary = "a language model from a corpus, or from another model",
    .about =
        "Trains a GPT-2 and seals it as a Hugging Face directory with a colophon.json. It first says how much memory and "
        "about how much time that takes.\n\n"
        "The same command goes on where it was stopped or killed, and ends with the same digest. With the same options and "
        "corpus the digest is the same with any number of threads and, with --arith fp32 or bf16-fma, on every processor (not with --gemm onednn). Another option is another model: "
        "the command refuses to go on and names the option.\n\n"
        "While it runs, OUT.run holds the checkpoints (sealed, with optimizer and state) and log.jsonl; it may be removed "
        "afterwards, but `verify --replay` starts from it. report.html in the model shows the curve.",
    .examples =
        "colophon train gpt2 --corpus books --no-revocations --tokenizer tok --out model \\\n"
                "    --layers 4 --width 256 --heads 4 --positions 256\n"
        "colophon train gpt2 --tokens model.tokens --tokenizer tok --from model --out model-2 --steps 200 --lr 1e-4",
    .opts = opts,
    .run = run};
