/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.c - the loop from prompt to answer over one row of the key-value cache.
 *
 * Text leaves only in whole characters and never reaches into a stop string: what could
 * still become one is held back.
 */
#include <colophon/base/interrupt.h>
#include <colophon/base/memory.h>
#include <colophon/infer/generate.h>

#include <string.h>

#define MAX_TEXT ((size_t)64 << 20)

struct cph_generator {
    cph_model *model;
    const cph_tokenizer *tokenizer; /* NULL: ids only */
    cph_encoder *encoder;
    cph_decoder *decoder;
    uint32_t vocab, positions;
    int64_t eos;
    uint32_t *ids;    /* [positions] */
    double *logprobs; /* [positions] */
    float *scores;    /* [vocab] */
    cph_buf text;
    cph_ids prompt;
};

/* One answer in the making. */
typedef struct answer {
    cph_generator *g;
    const cph_generate_opts *o;
    cph_sampler *sampler;
    cph_decode_stream stream;
    uint32_t number, n, n_prompt;
    size_t sent; /* bytes of text that the caller has heard */
    cph_generate_end end;
    bool ended;
} answer;

void cph_generate_opts_init(cph_generate_opts *o)
{
    *o = (cph_generate_opts){.max_new_tokens = 100, .from_start = true};
    cph_sample_opts_init(&o->sample);
}

const char *cph_generate_end_text(cph_generate_end e)
{
    static const char *const texts[] = {"length", "eos", "stop", "context"};
    return texts[e];
}

/* ---- the generator ---- */

static cph_status allocate(cph_generator *g, cph_pool *pool, cph_err *err)
{
    void *p;
    CPH_TRY(cph_alloc_n(&p, g->positions, sizeof *g->ids, err));
    g->ids = p;
    CPH_TRY(cph_alloc_n(&p, g->positions, sizeof *g->logprobs, err));
    g->logprobs = p;
    CPH_TRY(cph_alloc_n(&p, g->vocab, sizeof *g->scores, err));
    g->scores = p;
    if (g->tokenizer) CPH_TRY(cph_encoder_open(&g->encoder, g->tokenizer, err));
    return cph_decoder_open(&g->decoder, g->model, 1, g->positions, pool, err);
}

cph_status cph_generator_open(cph_generator **out, cph_model *m, const cph_tokenizer *t, cph_pool *pool,
                              cph_err *err)
{
    void *p;
    if (t && cph_tokenizer_vocab_size(t) > cph_model_vocab_size(m))
        return cph_fail(err, CPH_USAGE, "the tokenizer has %u entries, the model only %u",
                        cph_tokenizer_vocab_size(t), cph_model_vocab_size(m));
    CPH_TRY(cph_alloc0(&p, sizeof(cph_generator), err));
    cph_generator *g = p;
    *g = (cph_generator){.model = m, .tokenizer = t, .vocab = cph_model_vocab_size(m),
                         .positions = cph_model_max_positions(m), .eos = cph_model_eos(m)};
    if (g->eos >= g->vocab) g->eos = -1;
    cph_buf_init(&g->text, MAX_TEXT);
    cph_status s = allocate(g, pool, err);
    if (s == CPH_OK) *out = g;
    else cph_generator_close(g);
    return s;
}

void cph_generator_close(cph_generator *g)
{
    if (!g) return;
    cph_decoder_close(g->decoder);
    cph_encoder_close(g->encoder);
    cph_ids_release(&g->prompt);
    cph_buf_release(&g->text);
    cph_free(g->ids);
    cph_free(g->logprobs);
    cph_free(g->scores);
    cph_free(g);
}

/* ---- text and stop strings ---- */

/* The first place at or after `from` where a stop string stands in the text; SIZE_MAX when none does. */
static size_t find_stop(const answer *x, size_t from)
{
    const cph_buf *t = &x->g->text;
    for (size_t at = from; at < t->n; at++)
        for (size_t k = 0; k < x->o->n_stops; k++) {
            cph_str stop = x->o->stops[k];
            if (stop.n && stop.n <= t->n - at && !memcmp(t->p + at, stop.p, stop.n)) return at;
        }
    return SIZE_MAX;
}

/* Bytes at the end of the text that may be the beginning of a stop string. */
static size_t held_back(const answer *x)
{
    const cph_buf *t = &x->g->text;
    size_t held = 0;
    for (size_t k = 0; k < x->o->n_stops; k++) {
        cph_str stop = x->o->stops[k];
        size_t n = stop.n ? stop.n - 1 : 0;
        if (n > t->n) n = t->n;
        while (n > held && memcmp(t->p + t->n - n, stop.p, n) != 0) n--;
        if (n > held) held = n;
    }
    return held;
}

static cph_status send_until(answer *x, size_t end, cph_err *err)
{
    size_t from = x->sent;
    if (end <= from) return CPH_OK;
    x->sent = end;
    if (!x->o->piece) return CPH_OK;
    return x->o->piece(x->o->ctx, x->number, (cph_str){x->g->text.p + from, end - from}, err);
}

static cph_status add_text(answer *x, cph_str piece, cph_err *err)
{
    cph_buf *t = &x->g->text;
    CPH_TRY(cph_buf_str(t, piece, err));
    size_t stop = find_stop(x, x->sent); /* what was sent holds no beginning of one */
    if (stop != SIZE_MAX) {
        cph_buf_cut(t, stop);
        x->end = CPH_END_STOP;
        x->ended = true;
    }
    return send_until(x, x->ended ? t->n : t->n - held_back(x), err);
}

/* ---- the loop ---- */

static cph_status take_token(answer *x, uint32_t id, double logprob, cph_err *err)
{
    cph_generator *g = x->g;
    cph_str piece = {0};
    g->logprobs[x->n - x->n_prompt] = logprob;
    g->ids[x->n++] = id;
    if ((int64_t)id == g->eos) {
        x->end = CPH_END_EOS;
        x->ended = true;
        return CPH_OK;
    }
    if (!g->tokenizer) return CPH_OK;
    CPH_TRY(cph_decode_stream_next(&x->stream, id, &piece, err));
    return add_text(x, piece, err);
}

static cph_status next_token(answer *x, const float *logits, cph_err *err)
{
    cph_generator *g = x->g;
    cph_sequence so_far = {g->ids, x->n, x->n_prompt};
    uint32_t id = 0;
    memcpy(g->scores, logits, g->vocab * sizeof *g->scores);
    cph_sample_prepare(x->sampler, g->scores, so_far);
    if (!cph_sample_pick(x->sampler, g->scores, so_far, x->number, &id))
        return cph_fail(err, CPH_DATA, "token %u of the answer: the model gives no number for any token",
                        x->n - x->n_prompt);
    return take_token(x, id, cph_sample_logprob(logits, g->vocab, id), err);
}

static cph_status loop(answer *x, cph_err *err)
{
    cph_generator *g = x->g;
    const float *logits;
    uint32_t fed = 0;
    while (!x->ended) {
        bool enough = x->n - x->n_prompt == x->o->max_new_tokens;
        if (enough || x->n == g->positions) {
            x->end = enough ? CPH_END_LENGTH : CPH_END_CONTEXT;
            break;
        }
        CPH_TRY(cph_interrupt_check("generating", err));
        CPH_TRY(cph_decoder_feed(g->decoder, 0, g->ids + fed, x->n - fed, &logits, err));
        fed = x->n;
        CPH_TRY(next_token(x, logits, err));
    }
    if (!g->tokenizer || x->end == CPH_END_STOP) return CPH_OK;
    cph_str rest;
    CPH_TRY(cph_decode_stream_end(&x->stream, &rest, err));
    CPH_TRY(add_text(x, rest, err));
    return send_until(x, g->text.n, err);
}

static cph_status start(answer *x, const uint32_t *ids, uint32_t n, cph_err *err)
{
    cph_generator *g = x->g;
    const cph_generate_opts *o = x->o;
    if (o->n_stops && !g->tokenizer) return cph_fail(err, CPH_USAGE, "stop strings need a tokenizer");
    if (!n) return cph_fail(err, CPH_USAGE, "the prompt is empty and the model has no token to start from");
    if (n >= g->positions) {
        cph_fail(err, CPH_USAGE, "the prompt has %u tokens; the model reads %u, the answer included", n,
                 g->positions);
        return cph_hint(err, "shorten the prompt, or take a model with a longer context");
    }
    for (uint32_t i = 0; i < n; i++)
        if (ids[i] >= g->vocab)
            return cph_fail(err, CPH_USAGE, "token %u of the prompt is %u; the vocabulary has %u", i, ids[i],
                            g->vocab);
    memcpy(g->ids, ids, n * sizeof *ids);
    x->n = x->n_prompt = n;
    cph_buf_cut(&g->text, 0);
    cph_decoder_truncate(g->decoder, 0, 0);
    cph_sample_opts sample = o->sample;
    if (o->ignore_eos) sample.min_new_tokens = UINT32_MAX;
    return cph_sampler_open(&x->sampler, &sample, g->vocab, g->eos, err);
}

cph_status cph_generate_ids(cph_generator *g, const uint32_t *ids, uint32_t n, uint32_t number,
                            const cph_generate_opts *o, cph_answer_text *out, cph_err *err)
{
    answer x = {.g = g, .o = o, .number = number};
    if (g->tokenizer) cph_decode_stream_init(&x.stream, g->tokenizer, true);
    cph_status s = start(&x, ids, n, err);
    if (s == CPH_OK) s = loop(&x, err);
    cph_sampler_close(x.sampler);
    if (g->tokenizer) cph_decode_stream_release(&x.stream);
    if (s == CPH_OK)
        *out = (cph_answer_text){.ids = g->ids, .n = x.n, .n_prompt = x.n_prompt, .logprobs = g->logprobs,
                                 .text = cph_buf_view(&g->text), .end = x.end};
    return s;
}

static cph_status push_id(cph_ids *ids, uint32_t id, cph_err *err)
{
    void *p = ids->at;
    if (ids->n == ids->cap) {
        CPH_TRY(cph_realloc(&p, (ids->cap + 64) * sizeof *ids->at, err));
        ids->at = p;
        ids->cap += 64;
    }
    ids->at[ids->n++] = id;
    return CPH_OK;
}

cph_status cph_generate(cph_generator *g, cph_str prompt, uint32_t number, const cph_generate_opts *o,
                        cph_answer_text *answer_out, cph_err *err)
{
    if (!g->tokenizer) return cph_fail(err, CPH_USAGE, "a text prompt needs a tokenizer");
    g->prompt.n = 0;
    if (g->eos >= 0 && (o->from_start || !prompt.n)) CPH_TRY(push_id(&g->prompt, (uint32_t)g->eos, err));
    CPH_TRY(cph_encode(g->encoder, prompt, true, false, &g->prompt, err));
    if (g->prompt.n > UINT32_MAX) return cph_fail(err, CPH_NOMEM, "the prompt is too long");
    return cph_generate_ids(g, g->prompt.at, (uint32_t)g->prompt.n, number, o, answer_out, err);
}
