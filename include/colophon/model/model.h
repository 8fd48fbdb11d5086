/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - a language model: its parameters, its training step, its decoder.
 *
 * A model is a Hugging Face directory in memory: a config, named tensors in one
 * flat fp32 arena, and a family (gpt2) that records its tape on demand.
 *
 * Invariant  Same weights, inputs, seed: same bits at any thread count and on
 *            every instruction set (engine 8, L1 and L4).
 * Threads    One step or decode at a time per model; inside it uses the pool given
 *            (NULL: the caller's thread alone).
 * Memory     Everything a step needs is allocated by cph_step_open, which first
 *            tells how much; running a step allocates nothing.
 * Errors     CPH_DATA names file and tensor; CPH_NOMEM with the need.
 */
#ifndef CPH_MODEL_MODEL_H
#define CPH_MODEL_MODEL_H

#include <colophon/base/json.h>
#include <colophon/base/pool.h>
#include <colophon/nn/registry.h>
#include <colophon/tensor/gemm.h>
#include <colophon/tensor/op.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_model cph_model;

/* From a config.json tree (missing keys: class defaults); weights are initialised from `seed`:
 * normals by Box-Muller on Philox, stream keyed by the Hugging Face name (engine 8, rule 4). */
CPH_API cph_status cph_model_new(cph_model **out, const cph_json *config, uint64_t seed,
                                 cph_err *err) CPH_MUST_USE;
/* A Hugging Face directory: config.json and model.safetensors. */
CPH_API cph_status cph_model_open(cph_model **out, const char *dir, cph_err *err) CPH_MUST_USE;
CPH_API void cph_model_close(cph_model *m);
/* Writes config.json, generation_config.json, model.safetensors into an existing directory. */
CPH_API cph_status cph_model_save(const cph_model *m, const char *dir, cph_err *err) CPH_MUST_USE;
/* The resolved config as canonical-ready JSON text (for identity), in the caller's arena. */
CPH_API cph_status cph_model_config(const cph_model *m, cph_arena *a, cph_json **out,
                                    cph_err *err) CPH_MUST_USE;
CPH_API const char *cph_model_family(const cph_model *m); /* "gpt2" */
CPH_API uint32_t cph_model_vocab_size(const cph_model *m);
CPH_API uint32_t cph_model_max_positions(const cph_model *m);
CPH_API int64_t cph_model_eos(const cph_model *m); /* -1: none */

/*
 * How passes compute: fp32 after opening. Set before the first step or decoder is opened;
 * CPH_NO when the processor (as COLOPHON_ISA caps it) cannot.
 */
CPH_API cph_status cph_model_set_arith(cph_model *m, cph_arith arith, cph_err *err) CPH_MUST_USE;
CPH_API cph_arith cph_model_arith(const cph_model *m);
/* Who multiplies, under the same conditions and after the arithmetic: we after opening (tensor/gemm.h). */
CPH_API cph_status cph_model_set_gemm(cph_model *m, cph_gemm gemm, cph_err *err) CPH_MUST_USE;
/* What identities call it: "bf16-dot", or of a library "onednn-2.6.3-bf16". */
CPH_API const char *cph_model_arith_text(const cph_model *m);
CPH_API const char *cph_model_isa(const cph_model *m); /* the kernels that run it: "avx512bf16" */

/* ---- the parameter registry (engine 4): tied tensors are one entry (nn/registry.h: cph_param) ---- */
CPH_API size_t cph_model_n_params(const cph_model *m);
CPH_API const cph_param *cph_model_param(const cph_model *m, size_t i);
CPH_API uint64_t cph_model_flat_len(const cph_model *m); /* elements of an arena, padding included */
CPH_API float *cph_model_weights(cph_model *m);          /* the flat arena */
/* Tell the model that weights were written from outside (repacks compute forms). */
CPH_API void cph_model_weights_changed(cph_model *m);

/* ---- a training or evaluation step of fixed shape ---- */
typedef struct cph_step cph_step;
typedef struct cph_step_shape {
    uint32_t B, T;
    bool train;       /* false: forward and loss only */
    bool keep_logits; /* for tests and scoring: cph_step_logits works */
    uint32_t recompute_from, recompute_to; /* layers from..to-1 run forward twice, for memory (nn/tape.h); bits stay */
} cph_step_shape;
/* Bytes that cph_step_open will take beside weights, gradients and optimizer. */
CPH_API cph_status cph_step_need(const cph_model *m, cph_step_shape shape, unsigned n_threads,
                                 uint64_t *bytes,
                                 cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_step_open(cph_step **out, cph_model *m, cph_step_shape shape, cph_pool *pool,
                                 cph_err *err) CPH_MUST_USE;
CPH_API void cph_step_close(cph_step *s);

typedef struct cph_batch {
    const uint32_t *ids;      /* [B,T] */
    const int32_t *labels;    /* [B,T], already shifted: label of position t is the token at t+1; -100: no loss */
    const uint32_t *segments; /* [B,T] document numbers for packing (0: padding),
        or NULL: one document a row */
    const uint32_t *positions; /* [B,T], or NULL: 0..T-1 (restarts belong to the caller) */
    float inv_labels;         /* 1 / labels of the whole optimizer step (engine decision 7) */
    bool fresh;               /* gradients begin at +0 here: the caller need not clear them */
    uint64_t seed;            /* dropout: key and counter */
    uint32_t slot, step;
} cph_batch;
/*
 * Forward, loss and, when the shape trains, backward: ADDS to `grads` (flat arena
 * layout; the padding stays as it is), or with `fresh` overwrites them. *loss_sum is the sum of token losses in double
 * (not divided).
 */
CPH_API cph_status cph_step_run(cph_step *s, const cph_batch *b, float *grads, double *loss_sum,
                                cph_err *err) CPH_MUST_USE;
/* In training steps from now on: told when a parameter's gradient is complete (nn/tape.h). */
CPH_API void cph_step_on_grad(cph_step *s, void (*fn)(void *ctx, uint32_t param), void *ctx);
CPH_API const float *cph_step_logits(const cph_step *s);              /* [B,T,V] when kept */
/* [B,T,E] hidden_states.i when kept; lives until the next call */
CPH_API const float *cph_step_hidden(cph_step *s, uint32_t i);

/* ---- decoding with a key-value cache ---- */
typedef struct cph_decoder cph_decoder;
CPH_API cph_status cph_decoder_open(cph_decoder **out, cph_model *m, uint32_t n_rows, uint32_t max_len,
                                    cph_pool *pool, cph_err *err) CPH_MUST_USE;
CPH_API void cph_decoder_close(cph_decoder *d);
/* Feeds n tokens of one row and gives the logits [V] of the last one; they live until the next call. */
CPH_API cph_status cph_decoder_feed(cph_decoder *d, uint32_t row, const uint32_t *ids, uint32_t n,
                                    const float **logits, cph_err *err) CPH_MUST_USE;
CPH_API uint32_t cph_decoder_len(const cph_decoder *d, uint32_t row);
CPH_API void cph_decoder_truncate(cph_decoder *d, uint32_t row, uint32_t len);
CPH_API cph_status cph_decoder_copy(cph_decoder *d, uint32_t from_row, uint32_t to_row,
                                    cph_err *err) CPH_MUST_USE;

/* ---- arithmetic ---- */
CPH_API const char *cph_isa_name(void); /* "ref", "avx2", "avx512": after COLOPHON_ISA's cap */
#define CPH_NUMERICS "1" /* raised whenever a golden of engine 8, L4 changes */

#ifdef __cplusplus
}
#endif
#endif
