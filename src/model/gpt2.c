/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpt2.c - the GPT-2 family, top to bottom: config, parameter registry, blocks, heads
 * (text-models 4.4 and 6). Conv1D weights are [in,out]; the head is the embedding unless
 * the config says otherwise. Pre-norm: each norm takes the residual of the branch before it.
 */
#include "model_in.h"

#include <colophon/base/memory.h>
#include <colophon/nn/sites.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- config ---- */

static const struct {
    const char *key, *alias, *value;
} DEFAULTS[] = {
    {"activation_function", NULL, "\"gelu_new\""},
    {"architectures", NULL, "[\"GPT2LMHeadModel\"]"},
    {"attn_pdrop", NULL, "0.1"},
    {"bos_token_id", NULL, "50256"},
    {"embd_pdrop", NULL, "0.1"},
    {"eos_token_id", NULL, "50256"},
    {"initializer_range", NULL, "0.02"},
    {"layer_norm_epsilon", NULL, "1e-05"},
    {"model_type", NULL, "\"gpt2\""},
    {"n_embd", "hidden_size", "768"},
    {"n_head", "num_attention_heads", "12"},
    {"n_inner", NULL, "null"},
    {"n_layer", "num_hidden_layers", "12"},
    {"n_positions", "max_position_embeddings", "1024"},
    {"reorder_and_upcast_attn", NULL, "false"},
    {"resid_pdrop", NULL, "0.1"},
    {"scale_attn_by_inverse_layer_idx", NULL, "false"},
    {"scale_attn_weights", NULL, "true"},
    {"summary_activation", NULL, "null"},
    {"summary_first_dropout", NULL, "0.1"},
    {"summary_proj_to_labels", NULL, "true"},
    {"summary_type", NULL, "\"cls_index\""},
    {"summary_use_proj", NULL, "true"},
    {"tie_word_embeddings", NULL, "true"},
    {"torch_dtype", "dtype", "\"float32\""},
    {"use_cache", NULL, "true"},
    {"vocab_size", NULL, "50257"},
};

static cph_status read_activation(const cph_model *m, gpt2 *g, cph_err *err)
{
    cph_str act = cph_json_get_str(m->config, "activation_function");
    if (!cph_str_is(act, "gelu_new") && !cph_str_is(act, "gelu_pytorch_tanh"))
        return cph_fail(err, CPH_DATA, "config.json: activation_function \"%.*s\" is not built for gpt2 "
                        "(gelu_new is)",
                        CPH_FMT(act));
    g->act = CPH_ACT_GELU_NEW;
    return CPH_OK;
}

static cph_status refuse_variants(const cph_model *m, cph_err *err)
{
    bool cross = false;
    cph_json_bool(cph_json_get(m->config, "add_cross_attention"), &cross);
    if (cross) return cph_fail(err, CPH_DATA, "config.json: gpt2 with cross-attention is not built");
    return CPH_OK;
}

static cph_status read_config(cph_model *m, gpt2 *g, cph_err *err)
{
    for (size_t i = 0; i < sizeof DEFAULTS / sizeof *DEFAULTS; i++)
        CPH_TRY(cph_config_default(m, DEFAULTS[i].key, DEFAULTS[i].alias, DEFAULTS[i].value, err));
    CPH_TRY(cph_config_set(m, "torch_dtype", "\"float32\"", err)); /* what will be written */
    CPH_TRY(refuse_variants(m, err));
    CPH_TRY(read_activation(m, g, err));
    CPH_TRY(cph_config_u32(m, "vocab_size", 1, 1u << 24, &g->vocab, err));
    CPH_TRY(cph_config_u32(m, "n_positions", 1, 1u << 20, &g->positions, err));
    CPH_TRY(cph_config_u32(m, "n_embd", 1, 1u << 16, &g->width, err));
    CPH_TRY(cph_config_u32(m, "n_layer", 1, CPH_SITE_LAYERS - 1, &g->n_layer, err));
    CPH_TRY(cph_config_u32(m, "n_head", 1, g->width, &g->n_head, err));
    if (g->width % g->n_head)
        return cph_fail(err, CPH_DATA, "config.json: n_embd %u is no multiple of n_head %u", g->width,
                        g->n_head);
    g->inner = 4 * g->width;
    if (cph_json_get(m->config, "n_inner")->type != CPH_JSON_NULL)
        CPH_TRY(cph_config_u32(m, "n_inner", 1, 1u << 20, &g->inner, err));
    CPH_TRY(cph_config_double(m, "layer_norm_epsilon", 0, 1, &g->norm_eps, err));
    CPH_TRY(cph_config_double(m, "initializer_range", 0, 100, &g->init_std, err));
    CPH_TRY(cph_config_double(m, "resid_pdrop", 0, 0.999, &g->resid_drop, err));
    CPH_TRY(cph_config_double(m, "embd_pdrop", 0, 0.999, &g->embd_drop, err));
    CPH_TRY(cph_config_double(m, "attn_pdrop", 0, 0.999, &g->attn_drop, err));
    CPH_TRY(cph_config_bool(m, "scale_attn_weights", &g->scale_attn, err));
    CPH_TRY(cph_config_bool(m, "scale_attn_by_inverse_layer_idx", &g->scale_by_layer, err));
    return cph_config_bool(m, "tie_word_embeddings", &g->tied, err);
}

static int64_t read_eos(const cph_model *m)
{
    const cph_json *v = cph_json_get(m->config, "eos_token_id");
    int64_t eos = -1;
    if (v && v->type == CPH_JSON_ARRAY) v = v->first;
    if (!cph_json_i64(v, &eos) || eos < 0) eos = -1;
    return eos;
}

/* ---- parameter registry ---- */

static cph_status add(cph_model *m, uint32_t *index, cph_param p, const char *name, uint32_t layer,
                      cph_err *err)
{
    char full[128];
    if (layer == UINT32_MAX) snprintf(full, sizeof full, "%s", name);
    else snprintf(full, sizeof full, "transformer.h.%u.%s", layer, name);
    p.name = full;
    p.trainable = true;
    return cph_registry_add(&m->params, &p, index, err);
}

static cph_param matrix(uint32_t rows, uint32_t columns, double std)
{
    return (cph_param){.n_dims = 2, .dims = {rows, columns}, .decay = true, .start = CPH_START_NORMAL,
                       .std = std};
}

static cph_param hidden(uint32_t rows, uint32_t columns, double std)
{
    cph_param p = matrix(rows, columns, std);
    p.hidden = true;
    return p;
}

static cph_param vector(uint32_t n, cph_start start)
{
    return (cph_param){.n_dims = 1, .dims = {n}, .start = start};
}

static cph_status add_layer(cph_model *m, gpt2_layer *l, uint32_t i, cph_err *err)
{
    const gpt2 *g = &m->gpt2;
    uint32_t e = g->width, inner = g->inner;
    double std = g->init_std, proj = std / sqrt(2.0 * g->n_layer);
    cph_param one = vector(e, CPH_START_ONE), zero = vector(e, CPH_START_ZERO);
    CPH_TRY(add(m, &l->ln_1_w, one, "ln_1.weight", i, err));
    CPH_TRY(add(m, &l->ln_1_b, zero, "ln_1.bias", i, err));
    CPH_TRY(add(m, &l->attn_w, hidden(e, 3 * e, std), "attn.c_attn.weight", i, err));
    CPH_TRY(add(m, &l->attn_b, vector(3 * e, CPH_START_ZERO), "attn.c_attn.bias", i, err));
    CPH_TRY(add(m, &l->attn_proj_w, hidden(e, e, proj), "attn.c_proj.weight", i, err));
    CPH_TRY(add(m, &l->attn_proj_b, zero, "attn.c_proj.bias", i, err));
    CPH_TRY(add(m, &l->ln_2_w, one, "ln_2.weight", i, err));
    CPH_TRY(add(m, &l->ln_2_b, zero, "ln_2.bias", i, err));
    CPH_TRY(add(m, &l->fc_w, hidden(e, inner, std), "mlp.c_fc.weight", i, err));
    CPH_TRY(add(m, &l->fc_b, vector(inner, CPH_START_ZERO), "mlp.c_fc.bias", i, err));
    CPH_TRY(add(m, &l->proj_w, hidden(inner, e, proj), "mlp.c_proj.weight", i, err));
    return add(m, &l->proj_b, zero, "mlp.c_proj.bias", i, err);
}

static cph_status add_parameters(cph_model *m, cph_err *err)
{
    gpt2 *g = &m->gpt2;
    void *mem;
    CPH_TRY(cph_arena_alloc0(&m->arena, &mem, g->n_layer, sizeof *g->layers, err));
    g->layers = mem;
    CPH_TRY(add(m, &g->wte, matrix(g->vocab, g->width, g->init_std), "transformer.wte.weight", UINT32_MAX,
                err));
    CPH_TRY(add(m, &g->wpe, matrix(g->positions, g->width, g->init_std), "transformer.wpe.weight",
                UINT32_MAX, err));
    for (uint32_t i = 0; i < g->n_layer; i++) CPH_TRY(add_layer(m, &g->layers[i], i, err));
    CPH_TRY(add(m, &g->ln_f_w, vector(g->width, CPH_START_ONE), "transformer.ln_f.weight", UINT32_MAX, err));
    CPH_TRY(add(m, &g->ln_f_b, vector(g->width, CPH_START_ZERO), "transformer.ln_f.bias", UINT32_MAX, err));
    g->head = g->wte;
    if (!g->tied)
        CPH_TRY(add(m, &g->head, matrix(g->vocab, g->width, g->init_std), "lm_head.weight", UINT32_MAX, err));
    return CPH_OK;
}

/* Which parameters the GEMM reads, and how they lie. */
static cph_status say_packs(cph_model *m, cph_err *err)
{
    const gpt2 *g = &m->gpt2;
    void *mem;
    CPH_TRY(cph_arena_alloc0(&m->arena, &mem, m->params.n, sizeof *m->packs, err));
    m->packs = mem;
    for (uint32_t i = 0; i < g->n_layer; i++) {
        const gpt2_layer *l = &g->layers[i];
        m->packs[l->attn_w] = (model_pack){.wanted = true, .in = g->width, .out = 3 * g->width};
        m->packs[l->attn_proj_w] = (model_pack){.wanted = true, .in = g->width, .out = g->width};
        m->packs[l->fc_w] = (model_pack){.wanted = true, .in = g->width, .out = g->inner};
        m->packs[l->proj_w] = (model_pack){.wanted = true, .in = g->inner, .out = g->width};
    }
    m->packs[g->head] = (model_pack){.wanted = true, .out_in = true, .in = g->width, .out = g->vocab};
    return CPH_OK;
}

static cph_status build(cph_model *m, cph_err *err)
{
    gpt2 *g = &m->gpt2;
    CPH_TRY(read_config(m, g, err));
    CPH_TRY(add_parameters(m, err));
    CPH_TRY(say_packs(m, err));
    m->vocab = g->vocab;
    m->positions = g->positions;
    m->n_layer = g->n_layer;
    m->width = m->kv_width = g->width;
    m->eos = read_eos(m);
    return CPH_OK;
}

/* OpenAI's files have no "transformer." prefix; causal masks stored as buffers are skipped. */
static bool stored_name(const cph_model *m, cph_str stored, char out[256])
{
    if (cph_str_ends(stored, ".attn.bias") || cph_str_ends(stored, ".attn.masked_bias")) return false;
    if (cph_str_is(stored, "lm_head.weight") && m->gpt2.tied) return false;
    bool bare = !cph_str_starts(stored, "transformer.") && !cph_str_is(stored, "lm_head.weight");
    snprintf(out, 256, "%s%.*s", bare ? "transformer." : "", CPH_FMT(stored));
    return true;
}

/* ---- blocks ---- */

static cph_drop drop_at(double p, uint32_t site, uint32_t layer, const model_inputs *in)
{
    return (cph_drop){in->draw ? p : 0, CPH_SITE(site, layer), in->draw};
}

static cph_attention attention_shape(const gpt2 *g, uint32_t layer, const model_inputs *in)
{
    double scale = g->scale_attn ? 1.0 / sqrt((double)(g->width / g->n_head)) : 1.0;
    if (g->scale_by_layer) scale /= layer + 1.0;
    return (cph_attention){.batch = in->B,
                           .q_len = in->T,
                           .k_len = in->T,
                           .heads = g->n_head,
                           .kv_heads = g->n_head,
                           .head_dim = g->width / g->n_head,
                           .causal = true,
                           .scale = (float)scale,
                           .drop = drop_at(g->attn_drop, CPH_SITE_ATTN_DROP, layer, in)};
}

/*
 * From the stream x and the branch y not yet added (0 before the first block) to the
 * same after the block. Returns the stream at the block's beginning.
 */
static cph_tensor block(const gpt2 *g, cph_tape *t, uint32_t i, const model_inputs *in, bool cached,
                        cph_tensor *x,
                        cph_tensor *y)
{
    const gpt2_layer *l = &g->layers[i];
    cph_attention shape = attention_shape(g, i, in);
    /* The first norm adds the branch of the block before: its dropout has that block's site. */
    cph_normed a = cph_tape_norm(t, *x, *y, l->ln_1_w, l->ln_1_b, g->norm_eps,
                                 drop_at(g->resid_drop, CPH_SITE_RESID_MLP, i ? i - 1 : 0, in));
    cph_tensor qkv = cph_tape_linear(t, a.h, l->attn_w, l->attn_b, false, CPH_ACT_NONE);
    cph_tensor o = cached ? cph_tape_cached_attention(t, qkv, &shape) : cph_tape_attention(t, qkv, &shape);
    cph_tensor attn = cph_tape_linear(t, o, l->attn_proj_w, l->attn_proj_b, false, CPH_ACT_NONE);
    cph_normed b = cph_tape_norm(t, a.sum, attn, l->ln_2_w, l->ln_2_b, g->norm_eps,
                                 drop_at(g->resid_drop, CPH_SITE_RESID_ATTN, i, in));
    cph_tensor inner = cph_tape_linear(t, b.h, l->fc_w, l->fc_b, false, g->act);
    *x = b.sum;
    *y = cph_tape_linear(t, inner, l->proj_w, l->proj_b, false, CPH_ACT_NONE);
    return a.sum;
}

/* hidden[i] is the stream before block i; the last is after the final norm, as Transformers counts. */
static cph_tensor body(const gpt2 *g, cph_tape *t, const model_inputs *in, bool cached, cph_tensor *hidden)
{
    cph_tensor x = cph_tape_embed(t, in->ids, in->positions, in->B * in->T, g->wte, g->wpe,
                                  drop_at(g->embd_drop, CPH_SITE_EMBED_DROP, 0, in));
    cph_tensor y = 0;
    for (uint32_t i = 0; i < g->n_layer; i++) {
        size_t first = cph_tape_n_nodes(t);
        cph_tensor before = block(g, t, i, in, cached, &x, &y);
        if (i >= in->recompute_from && i < in->recompute_to) cph_tape_recompute(t, first, cph_tape_n_nodes(t));
        if (hidden) hidden[i] = before;
    }
    cph_normed last = cph_tape_norm(t, x, y, g->ln_f_w, g->ln_f_b, g->norm_eps,
                                    drop_at(g->resid_drop, CPH_SITE_RESID_MLP, g->n_layer - 1, in));
    if (hidden) hidden[g->n_layer] = last.h;
    return last.h;
}

/* ---- heads ---- */

static void record(const cph_model *m, cph_tape *t, const model_inputs *in, model_outputs *out)
{
    cph_tensor h = body(&m->gpt2, t, in, false, out->hidden);
    cph_tape_loss(t, h, m->gpt2.head, in->labels, in->inv_labels, in->keep, &out->losses, &out->logits);
    for (uint32_t i = 0; out->hidden && i <= m->gpt2.n_layer; i++) cph_tape_keep(t, out->hidden[i]);
}

static cph_tensor record_decode(const cph_model *m, cph_tape *t, const model_inputs *in)
{
    cph_tensor h = body(&m->gpt2, t, in, true, NULL);
    cph_tensor logits = cph_tape_logits(t, h, m->gpt2.head, true);
    cph_tape_keep(t, logits);
    return logits;
}

const model_family cph_family_gpt2 = {"gpt2", build, record, record_decode, stored_name};
