/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_generate.c - `colophon generate`: prompts in, answers out as they grow.
 */
#include <colophon/infer/generate.h>

#include <string.h>

#include "trace_print.h"

typedef struct session {
    cli *c;
    cph_model *model;
    cph_tokenizer *tokenizer;
    cph_generator *generator;
    cph_tracer *tracer; /* NULL: no trace was asked for */
    cph_generate_opts opts;
    cph_str stops[64];
    cph_buf json;
    cph_jw writer;
} session;

static cph_status u32(const cli *c, const char *opt, uint32_t *out, cph_err *err)
{
    uint64_t v = cli_u64(c, opt);
    if (v > UINT32_MAX) return cph_fail(err, CPH_USAGE, "--%s %llu is too large", opt, (unsigned long long)v);
    *out = (uint32_t)v;
    return CPH_OK;
}

static cph_status speak(void *ctx, uint32_t prompt, cph_str text, cph_err *err)
{
    session *s = ctx;
    (void)prompt;
    (void)err;
    cli_write(s->c, text.p, text.n);
    cli_flush(s->c);
    return CPH_OK;
}

static cph_status fill(session *s, cph_err *err)
{
    cli *c = s->c;
    cph_generate_opts *o = &s->opts;
    cph_generate_opts_init(o);
    CPH_TRY(u32(c, "max-new-tokens", &o->max_new_tokens, err));
    CPH_TRY(u32(c, "min-new-tokens", &o->sample.min_new_tokens, err));
    CPH_TRY(u32(c, "top-k", &o->sample.top_k, err));
    CPH_TRY(u32(c, "no-repeat-ngram", &o->sample.no_repeat_ngram, err));
    o->sample.sample = !cli_flag(c, "greedy");
    o->sample.temperature = cli_double(c, "temperature");
    o->sample.top_p = cli_double(c, "top-p");
    o->sample.min_p = cli_double(c, "min-p");
    o->sample.repetition_penalty = cli_double(c, "repetition-penalty");
    o->sample.seed = cli_u64(c, "seed");
    o->ignore_eos = cli_flag(c, "ignore-eos");
    o->from_start = !cli_flag(c, "continue");
    o->n_stops = cli_n_list(c, "stop");
    if (o->n_stops > sizeof s->stops / sizeof *s->stops)
        return cph_fail(err, CPH_USAGE, "at most 64 stop strings");
    for (size_t i = 0; i < o->n_stops; i++) s->stops[i] = cph_str_of(cli_list(c, "stop", i));
    o->stops = s->stops;
    o->piece = cli_json(c) ? NULL : speak;
    o->ctx = s;
    return cph_sample_opts_check(&o->sample, err);
}

static cph_status open_all(session *s, cph_err *err)
{
    cph_pool *pool;
    const char *dir = cli_arg(s->c, 0);
    CPH_TRY(cli_pool(s->c, &pool, err));
    CPH_TRY(cph_model_open(&s->model, dir, err));
    CPH_TRY(cph_tokenizer_open(&s->tokenizer, dir, err));
    CPH_TRY(cph_generator_open(&s->generator, s->model, s->tokenizer, pool, err));
    return cli_given(s->c, "trace") ? cli_tracer_open(s->c, cli_str(s->c, "trace"), &s->tracer, err) : CPH_OK;
}

static void as_json(session *s, cph_str prompt, const cph_answer_text *a, const cph_traced *traced)
{
    cph_jw *w = &s->writer;
    cph_jw_obj(w);
    cph_jw_key(w, "prompt");
    cph_jw_str(w, prompt);
    cph_jw_key(w, "text");
    cph_jw_str(w, a->text);
    cph_jw_key(w, "end");
    cph_jw_z(w, cph_generate_end_text(a->end));
    cph_jw_key(w, "prompt_tokens");
    cph_jw_u64(w, a->n_prompt);
    cph_jw_key(w, "ids");
    cph_jw_arr(w);
    for (uint32_t i = a->n_prompt; i < a->n; i++) cph_jw_u64(w, a->ids[i]);
    cph_jw_end(w);
    cph_jw_key(w, "logprobs");
    cph_jw_arr(w);
    for (uint32_t i = 0; i < a->n - a->n_prompt; i++) cph_jw_double(w, a->logprobs[i]);
    cph_jw_end(w);
    if (traced) {
        cph_jw_key(w, "trace");
        cli_trace_json(w, traced);
    }
    cph_jw_end(w);
}

/* The answer alone is traced: what the prompt repeats is the asker's. */
static cph_status tell(session *s, cph_str prompt, const cph_answer_text *a, cph_err *err)
{
    cph_arena memory;
    cph_traced traced;
    cph_arena_init(&memory, (size_t)1 << 28);
    cph_status status = CPH_OK;
    if (s->tracer)
        status = cph_tracer_run(s->tracer, &memory, a->ids + a->n_prompt, a->n - a->n_prompt, &traced, err);
    if (status == CPH_OK && cli_json(s->c)) as_json(s, prompt, a, s->tracer ? &traced : NULL);
    else if (status == CPH_OK && s->tracer) cli_print(s->c, "\n"), cli_trace_prose(s->c, &traced, a->n - a->n_prompt);
    cph_arena_release(&memory);
    return status;
}

static cph_status answer_one(session *s, uint32_t number, cph_err *err)
{
    cph_answer_text a;
    cph_str prompt = cph_str_of(cli_list(s->c, "prompt", number));
    if (cph_utf8_check(prompt.p, prompt.n) != prompt.n)
        return cph_fail(err, CPH_USAGE, "prompt %u is not valid UTF-8", number + 1);
    if (!cli_json(s->c)) cli_write(s->c, prompt.p, prompt.n);
    CPH_TRY(cph_generate(s->generator, prompt, number, &s->opts, &a, err));
    if (!cli_json(s->c)) cli_print(s->c, "\n");
    return tell(s, prompt, &a, err);
}

static cph_status answer_all(session *s, cph_err *err)
{
    size_t n = cli_n_list(s->c, "prompt");
    cph_jw_arr(&s->writer);
    for (size_t i = 0; i < n; i++) CPH_TRY(answer_one(s, (uint32_t)i, err));
    cph_jw_end(&s->writer);
    if (!cli_json(s->c)) return CPH_OK;
    CPH_TRY(cph_jw_done(&s->writer, err));
    cli_print(s->c, "%s\n", s->json.p);
    return CPH_OK;
}

static cph_status run(cli *c, cph_err *err)
{
    session s = {.c = c};
    if (!cli_n_list(c, "prompt")) return cph_fail(err, CPH_USAGE, "generate wants --prompt");
    CPH_TRY(fill(&s, err));
    cph_buf_init(&s.json, (size_t)1 << 30);
    s.writer = cph_jw_on(&s.json);
    cph_status status = open_all(&s, err);
    if (status == CPH_OK) status = answer_all(&s, err);
    cph_tracer_close(s.tracer);
    cph_generator_close(s.generator);
    cph_tokenizer_close(s.tokenizer);
    cph_model_close(s.model);
    cph_buf_release(&s.json);
    return status;
}

static const cli_opt opts[] = {
    {"prompt", CLI_LIST, CLI_RUN, "TEXT", NULL, "what to go on from; may be given many times"},
    {"max-new-tokens", CLI_U64, CLI_RUN, "N", "100", "at most so many tokens of answer"},
    {"min-new-tokens", CLI_U64, CLI_RUN, "N", "0", "no end of text before so many"},
    {"greedy", CLI_FLAG, CLI_RUN, NULL, NULL, "always the likeliest token, no draw"},
    {"temperature", CLI_DOUBLE, CLI_RUN, "T", "0.8", "below 1: safer, above 1: wilder"},
    {"top-k", CLI_U64, CLI_RUN, "N", "50", "draw among the N likeliest; 0: all"},
    {"top-p", CLI_DOUBLE, CLI_RUN, "P", "0.95", "draw among the likeliest that together have this probability; 1: all"},
    {"min-p", CLI_DOUBLE, CLI_RUN, "P", "0", "leave out what is less likely than this share of the likeliest; 0: nothing"},
    {"repetition-penalty", CLI_DOUBLE, CLI_RUN, "R", "1", "above 1: tokens that stand there already become less likely"},
    {"no-repeat-ngram", CLI_U64, CLI_RUN, "N", "0", "no sequence of N tokens twice; 0: any"},
    {"seed", CLI_U64, CLI_RUN, "N", "0", "of the draws: the same seed gives the same answer"},
    {"stop", CLI_LIST, CLI_RUN, "TEXT", NULL, "end the answer before this text; may be given many times"},
    {"ignore-eos", CLI_FLAG, CLI_RUN, NULL, NULL, "the answer does not end where the model would end it"},
    {"continue", CLI_FLAG, CLI_RUN, NULL, NULL, "the prompt is taken from the middle of a text, not its beginning"},
    {"trace", CLI_STR, CLI_RUN, "INDEX", NULL, "tell which spans of the answer stand word for word in the training text, with "
     "work, page, right and the words around; INDEX is made by colophon index"},
    CLI_TRACE_OPTS,
    {0}};

const cli_command cmd_generate = {
    .name = "generate",
    .args = "MODEL",
    .min_args = 1,
    .max_args = 1,
    .summary = "text from a model, streaming",
    .about =
        "Goes on from each prompt until the model ends the text, a stop string comes, or --max-new-tokens are reached. "
        "The prompt and the answer go to stdout as they grow; with --json one array at the end, with ids and log-probabilities. --trace adds the pages that the answer repeats.",
    .examples = "colophon generate model --prompt \"Det var en gang\" --seed 7\n"
                "colophon generate model --prompt \"Once\" --greedy --max-new-tokens 20 --json\n"
                "colophon generate model --prompt \"Fyret\" --trace index --tier public",
    .opts = opts,
    .run = run};
