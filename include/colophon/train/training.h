/* SPDX-License-Identifier: Apache-2.0 */
/*
 * training.h - from a token set to a sealed model.
 *
 * cph_train_run trains for a number of optimizer steps and seals a Hugging Face
 * directory with a colophon.json under `out`. While it runs, everything lives in
 * "<out>.run/": checkpoints step-00000120/ (sealed models too, with optimizer and
 * trainer state), and log.jsonl. Calling it again with the same options goes on from
 * the newest checkpoint, or finds that the model is there already; a changed option
 * or token set is an error that names it.
 *
 * Invariant  Same token set, tokenizer, options: the same digest, at any thread and rank
 *            count, on any processor, however often the run was stopped or killed.
 * With ranks (o->comm) every rank calls it with the same options. Rank 0 alone writes and holds the lock;
 * all return the same result. A rank that fails says so by cph_comm_end, which is the caller's.
 *
 * Threads    One run per output at a time (a lock says so); inside it uses the pool.
 * Memory     What it needs is logged before the first step; a step allocates nothing.
 * Errors     CPH_STOPPED after SIGINT/SIGTERM, with a checkpoint; CPH_DATA for a loss that
 *            is no number; CPH_NOMEM with the need; CPH_RIGHTS when the token set was
 *            not made for training.
 */
#ifndef CPH_TRAIN_TRAINING_H
#define CPH_TRAIN_TRAINING_H

#include <colophon/base/hash.h>
#include <colophon/base/pool.h>
#include <colophon/base/str.h>
#include <colophon/tensor/gemm.h>
#include <colophon/tensor/op.h>
#include <colophon/comm/comm.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_train_opts {
    /* What it reads and writes: paths are of the run, the digests of what they hold are identity. */
    const char *tokens;    /* a sealed token set */
    const char *tokenizer; /* the sealed tokenizer that made it: its files go into the model */
    const char *out;       /* the model directory; must not exist, or be the same run's result */
    const char *from;      /* a Hugging Face directory to start from, or NULL: from the seed */

    /* Shape; with `from` the model's own shape stands and these are not read. */
    uint32_t n_layer, n_embd, n_head, n_positions;
    double dropout; /* 0..1, at all three places; with `from` the model's own stands */

    /* Identity */
    uint32_t steps;
    uint32_t batch;      /* rows of a micro-batch */
    uint32_t accumulate; /* micro-batches of a step */
    uint32_t slots;      /* a power of two, at most accumulate: micro-batches are divided over them in order */
    uint32_t seq_len;    /* tokens of a row; 0: n_positions */
    double clip;          /* global norm; 0: none */
    double skip_outliers; /* a step whose loss or gradient norm lies further from the mean of the last 128, in
        standard deviations, changes no weight; 0: none is skipped */

    /* Optimizer (optimizer.h): what it does not read is not looked at, nor part of the identity; -1: its own. */
    const char *optimizer, *decay_groups;
    double lr, weight_decay, beta1, beta2, eps, momentum, muon_lr;
    bool nesterov, scale_parameter, relative_step, warmup_init;
    double ema;       /* decay of the moving average of the weights, which is evaluated then; 0: there is none */
    bool ema_release; /* the sealed model is the average */

    /* Schedule (schedule.h), likewise. */
    const char *schedule;
    int64_t warmup; /* steps; -1: a fiftieth of all */
    uint32_t warmup_offset;
    double min_lr_ratio, num_cycles, power, lr_end;
    double warmup_lr_rate; /* cosine_warmup_with_min_lr: -1 begins at 1/warmup */
    uint32_t timescale;
    int64_t stable_steps, decay_steps; /* -1: what the others leave; a fifth of all */
    const char *warmup_type, *decay_type;
    const char *factors; /* t5x */
    double decay_factor;
    uint32_t steps_per_decay, steps_per_cycle;

    double held_out;      /* share of the works kept for evaluation */
    uint64_t seed;
    const char *dtype; /* auto, fp32, bf16: auto takes what the processor is fastest at (cph_arith_default) */
    const char *arith; /* fp32, bf16-fma, bf16-dot; NULL: as dtype says */
    const char *gemm;  /* own, onednn (tensor/gemm.h: promises no bits) */

    /* Run */
    uint32_t recompute_from, recompute_to; /* layers from..to-1 run forward twice, for memory; the bits stay */
    uint32_t eval_every;  /* steps; 0: only at the end */
    uint32_t save_every;  /* steps between checkpoints; 0: only at the end */
    uint32_t keep_last;   /* checkpoints kept beside those of keep_every; at least 1 */
    uint32_t keep_every;  /* keep every checkpoint whose step it divides; 0: none */
    cph_pool *pool;       /* NULL: the caller's thread alone */
    cph_comm *comm;       /* the ranks that run together, at most one a slot; NULL: this process alone */
    int64_t started_unix_s;
} cph_train_opts;
/* GPT-2 small, batch 8, cosine to a tenth, lr 6e-4, AdamW 0.9/0.95/1e-8, decay 0.1, clip 1, seed 42. */
CPH_API void cph_train_opts_init(cph_train_opts *o);
/* The arithmetic that dtype and arith amount to on this processor. */
CPH_API cph_status cph_train_arith(const cph_train_opts *o, cph_arith *out, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_train_gemm(const cph_train_opts *o, cph_gemm *out, cph_err *err) CPH_MUST_USE;
/* False for an option that the chosen optimizer or schedule does not read ("momentum" of adamw). */
CPH_API bool cph_train_opts_reads(const cph_train_opts *o, const char *option);
/* CPH_USAGE names the first option that cannot be. cph_train_run asks it, too. */
CPH_API cph_status cph_train_opts_check(const cph_train_opts *o, cph_err *err) CPH_MUST_USE;

typedef struct cph_train_result {
    cph_digest digest;     /* the model's name */
    uint32_t steps;        /* done in all */
    uint32_t resumed_from; /* 0: from the beginning */
    bool was_there;        /* the model had been sealed by an earlier call */
    double loss;           /* of the last step */
    double held_out_loss;  /* negative: not measured */
    double tokens_per_s;   /* of this call */
} cph_train_result;
/* CPH_RIGHTS when the corpus was not permitted for training: before a token set is built of it. */
CPH_API cph_status cph_train_check_corpus(const char *corpus, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_train_run(const cph_train_opts *o, cph_train_result *result,
                                 cph_err *err) CPH_MUST_USE;

/*
 * For `verify`: recomputes what a model's manifest says about its data. seen_root from
 * seen.leaves.zst always; with `tokens` (a path, or NULL) also order_root and the seen
 * leaves from the order function.
 */
CPH_API cph_status cph_train_verify(const char *model_dir, const char *tokens, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
