/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer_in.h - what the files of the optimizer share: a tensor's part in the shard,
 * and the updates by method.
 */
#ifndef CPH_OPTIMIZER_IN_H
#define CPH_OPTIMIZER_IN_H

#include <colophon/tensor/op.h>
#include <colophon/train/optimizer.h>

typedef enum opt_method { OPT_ADAM, OPT_SGD, OPT_FACTOR, OPT_MUON } opt_method;
typedef enum opt_slot { OPT_M, OPT_V, OPT_ROW, OPT_COL, OPT_EMA, OPT_SLOTS } opt_slot;

/* A trainable tensor, and what of it lies in the shard. */
typedef struct opt_part {
    const cph_param *param;
    opt_method method;
    bool decays;
    uint64_t first, n; /* elements of the tensor here; n 0: none */
    uint64_t block;    /* number of the tensor's first flat block among all */
    float *at[OPT_SLOTS]; /* NULL: not kept, or not here */
} opt_part;

/* A tensor as Adafactor and Muon see it: `n` matrices one after another. */
typedef struct opt_matrices {
    uint64_t n;
    uint32_t rows, columns;
} opt_matrices;

struct cph_optimizer {
    cph_model *model;
    const cph_backend *backend;
    cph_pool *pool;
    cph_exec *exec; /* of Muon's products; NULL: not wanted */
    cph_optimizer_opts o;
    cph_shard shard;
    opt_part *parts;
    size_t n_parts;
    float *state;
    double *sums; /* of all flat blocks of the model */
    double *own;  /* of the flat blocks or rows of one tensor */
    float *work;  /* workspace of one tensor */
};

/* What one step is, in numbers that all tensors share. */
typedef struct opt_step {
    uint64_t t;
    double rate, schedule;
    double lr; /* the rate in fp32, as AdamW has always taken it */
    float grad_scale;
} opt_step;

/* optimizer.c */
static inline uint64_t opt_blocks(uint64_t n) { return (n + CPH_FLAT_BLOCK - 1) / CPH_FLAT_BLOCK; }
/* Root mean square of a whole tensor of the weights; uses `own`. */
double cph_opt_rms(cph_optimizer *o, const cph_param *p);

/* optimizer_opts.c */
opt_method cph_opt_method(const cph_optimizer_opts *o, const cph_param *p);
bool cph_opt_decays(const cph_optimizer_opts *o, const cph_param *p);
bool cph_opt_factored(const cph_optimizer_opts *o, const cph_param *p);
opt_matrices cph_opt_matrices(const cph_param *p);
/* Elements of a slot of the whole tensor; 0: the method does not keep it. */
uint64_t cph_opt_slot_len(const cph_optimizer_opts *o, const cph_param *p, opt_slot slot);

/* optimizer_flat.c: one tensor's update, element by element. g: the gradients of part->first.. */
void cph_opt_adam(cph_optimizer *o, const opt_part *part, const float *g, const opt_step *s);
void cph_opt_sgd(cph_optimizer *o, const opt_part *part, const float *g, const opt_step *s);
void cph_opt_average(cph_optimizer *o, const opt_part *part); /* the moving average follows the weights */

/* optimizer_factor.c, optimizer_muon.c: the same for whole tensors, and what they take of `work` and `own`. */
void cph_opt_factor(cph_optimizer *o, const opt_part *part, const float *g, const opt_step *s);
double cph_opt_factor_rate(const cph_optimizer_opts *o, const cph_update *how);
uint64_t cph_opt_factor_floats(const cph_optimizer_opts *o, const cph_param *p);
uint64_t cph_opt_factor_sums(const cph_optimizer_opts *o, const cph_param *p);
void cph_opt_muon(cph_optimizer *o, const opt_part *part, const float *g, const opt_step *s);
uint64_t cph_opt_muon_floats(const cph_param *p);

#endif
