/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer.h - how a step changes the weights (text-models 11), whole or shard by shard.
 *
 * An optimizer holds the state (moments, factors, the moving average of the weights) of a
 * shard: a run of the flat arenas that is cut at flat blocks (CPH_FLAT_BLOCK elements from each
 * tensor's start; a tensor of Adafactor or Muon is not cut). One process has one shard, the whole;
 * of n ranks each opens the shard of its number (ZeRO-1). A step of all ranks:
 *
 *     sums = cph_optimizer_sums(o, grads);       // this shard's blocks; grads summed over ranks there
 *     exchange sums[block_first..block_end);     // not with one rank
 *     norm = cph_optimizer_norm(o);              // the same number everywhere
 *     cph_optimizer_step(o, grads, &how);        // weights [first, end) change
 *     exchange weights [first, end);             // not with one rank
 *     cph_model_weights_changed(m);
 *
 * Invariant  Same weights, gradients, options, step: same bits at any thread count, on every
 *            instruction set, however the arena was cut into shards.
 * Threads    One call at a time; inside it uses the pool (NULL: the caller's thread alone).
 * Memory     Everything is allocated by open, as cph_optimizer_need says; a step allocates nothing.
 *            The model outlives the optimizer.
 * Errors     CPH_USAGE for options that cannot be; CPH_NOMEM.
 */
#ifndef CPH_TRAIN_OPTIMIZER_H
#define CPH_TRAIN_OPTIMIZER_H

#include <colophon/model/model.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_OPTIMIZER_MAP(X)                                                                              \
    X(ADAMW, "adamw")                 /* PyTorch's (11.1) */                                              \
    X(ADAMW_BERT, "adamw_bert")       /* without bias correction (11.2) */                                \
    X(ADAMW_SCALE, "adamw_scale")     /* steps in units of the tensor's RMS (11.3) */                     \
    X(ADAFACTOR, "adafactor")         /* Hugging Face's (11.4) */                                         \
    X(ADAFACTOR_T5X, "adafactor_t5x") /* factors from 128 x 128 on; decay does not know the rate */       \
    X(MUON, "muon")                   /* hidden matrices (11.5); AdamW for all others */                  \
    X(SGD, "sgd")                     /* PyTorch's: decay joins the gradient, dampening 0 */
typedef enum cph_optimizer_kind {
#define CPH_OPTIMIZER_ENUM(name, text) CPH_OPTIMIZER_##name,
    CPH_OPTIMIZER_MAP(CPH_OPTIMIZER_ENUM)
#undef CPH_OPTIMIZER_ENUM
        CPH_N_OPTIMIZERS
} cph_optimizer_kind;
CPH_API bool cph_optimizer_parse(cph_str name, cph_optimizer_kind *out);
CPH_API const char *cph_optimizer_text(cph_optimizer_kind k);

/* Which tensors decay (11.6). */
#define CPH_DECAY_MAP(X)                                                                                  \
    X(HF, "hf")     /* all but biases and norms, as Hugging Face's Trainer tells them: cph_param.decay */ \
    X(2D, "2d")     /* tensors of two or more dimensions: llm.c, nanoGPT */                               \
    X(BERT, "bert") /* names without LayerNorm, layer_norm, bias */
typedef enum cph_decay {
#define CPH_DECAY_ENUM(name, text) CPH_DECAY_##name,
    CPH_DECAY_MAP(CPH_DECAY_ENUM)
#undef CPH_DECAY_ENUM
        CPH_N_DECAYS
} cph_decay;
CPH_API bool cph_decay_parse(cph_str name, cph_decay *out);
CPH_API const char *cph_decay_text(cph_decay k);

typedef struct cph_optimizer_opts {
    cph_optimizer_kind kind;
    double lr, weight_decay;
    cph_decay decay;
    double beta1, beta2, eps; /* AdamW of every kind; beta1 alone: Adafactor's momentum, 0: none */
    double momentum;          /* SGD (0: none), Muon */
    bool nesterov;            /* SGD; Muon always is */
    double muon_lr;           /* of the hidden matrices; lr is that of all others */
    bool scale_parameter;     /* Adafactor: steps in units of the tensor's RMS */
    bool relative_step;       /* Adafactor: the rate is a function of t; neither lr nor schedule is read */
    bool warmup_init;         /* with it: begins at 1e-6 t */
    double ema;               /* decay of the moving average of the weights; 0: there is none */
} cph_optimizer_opts;
/* The defaults of the optimizer's origin; no average. */
CPH_API void cph_optimizer_opts_init(cph_optimizer_opts *o, cph_optimizer_kind kind);
CPH_API cph_status cph_optimizer_opts_check(const cph_optimizer_opts *o, cph_err *err) CPH_MUST_USE;

/* ---- shards ---- */
typedef struct cph_shard {
    uint64_t first, end;           /* elements of the flat arenas */
    uint64_t block_first, block_end; /* flat blocks, counted over trainable tensors in registry order */
} cph_shard;
/* Part `rank` of n: neighbours meet, part 0 begins at 0, the last one ends with the arena; about equal. */
CPH_API cph_shard cph_shard_of(const cph_model *m, const cph_optimizer_opts *o, unsigned rank, unsigned n);
CPH_API uint64_t cph_shard_n_blocks(const cph_model *m); /* of all shards together */

/* ---- an optimizer ---- */
typedef struct cph_optimizer cph_optimizer;
/* Bytes that open will take; most of them are state. shard NULL: the whole arena. */
CPH_API cph_status cph_optimizer_need(const cph_model *m, const cph_optimizer_opts *o, const cph_shard *shard,
                                      unsigned n_threads, uint64_t *bytes, cph_err *err) CPH_MUST_USE;
/* State begins at zero, the average at the weights as they are now. */
CPH_API cph_status cph_optimizer_open(cph_optimizer **out, cph_model *m, const cph_optimizer_opts *o,
                                      const cph_shard *shard, cph_pool *pool, cph_err *err) CPH_MUST_USE;
CPH_API void cph_optimizer_close(cph_optimizer *o); /* NULL is fine */

/* An array of cph_shard_n_blocks sums of squares, of which this fills the shard's. */
CPH_API double *cph_optimizer_sums(cph_optimizer *o, const float *grads);
/* The root of their tree, once all of them are there; the array is used up. */
CPH_API double cph_optimizer_norm(cph_optimizer *o);

typedef struct cph_update {
    uint64_t t; /* number of the step, from 1 */
    double schedule;   /* the factor of this step's rates */
    double grad_scale; /* clipping: gradients are multiplied by it first */
} cph_update;
/* Only grads [first, end) are read. The average follows. */
CPH_API void cph_optimizer_step(cph_optimizer *o, const float *grads, const cph_update *how);
/* The rate that a step uses: lr times the schedule, or Adafactor's own. */
CPH_API double cph_optimizer_rate(const cph_optimizer *o, const cph_update *how);
/* Exchanges the shard's weights with their average, and back, bit for bit. False: there is no average. */
CPH_API bool cph_optimizer_swap(cph_optimizer *o);

/* ---- its state, for checkpoints: the same list at every rank, whatever the shard ---- */
typedef struct cph_state {
    const char *prefix;     /* the tensor is called "<prefix>.<param->name>" */
    const cph_param *param;
    unsigned n_dims;
    uint32_t dims[4];
    uint64_t n;             /* elements of the whole */
    uint64_t first, n_here; /* which of them this shard holds; 0: none */
    float *here;
} cph_state;
CPH_API size_t cph_optimizer_n_states(const cph_optimizer *o);
CPH_API cph_state cph_optimizer_state(const cph_optimizer *o, size_t i); /* by parameter, then by prefix */

#ifdef __cplusplus
}
#endif
#endif
