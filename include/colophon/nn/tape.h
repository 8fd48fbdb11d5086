/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape.h - record a model once per shape, plan its memory, replay it for ever.
 *
 * A model function calls cph_tape_embed, _linear, ... in order; each appends one
 * fused operation and returns the tensor it makes. cph_tape_plan then knows when
 * each tensor and each gradient is first and last touched, and gives all of them
 * places in one arena: the exact peak is known before anything is allocated.
 * Backward walks the tape in reverse.
 *
 * Invariant  Of the records that read a tensor, the one that runs backward first writes its
 *            gradient and the others add, in that order. What reaches only frozen parameters
 *            is not run backward.
 * Threads    One at a time.
 * Memory     Recording allocates; cph_tape_forward and _backward do not.
 * Errors     Recording keeps the first fault; cph_tape_plan returns it, and CPH_BUG for a tape
 *            whose gradients cannot be made (a record that would have to add and cannot).
 */
#ifndef CPH_NN_TAPE_H
#define CPH_NN_TAPE_H

#include <colophon/nn/registry.h>
#include <colophon/tensor/op.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_tape cph_tape;
typedef uint32_t cph_tensor; /* a number of this tape; 0: none */

typedef struct cph_tape_opts {
    bool train;
    cph_dtype dtype; /* of the records; the stream is fp32 always (tensor/op.h) */
    const cph_backend *backend;
} cph_tape_opts;
CPH_API cph_status cph_tape_open(cph_tape **out, const cph_registry *params, const cph_tape_opts *o,
                                 cph_err *err) CPH_MUST_USE;
CPH_API void cph_tape_close(cph_tape *t); /* NULL is fine */

/* Where weights, gradients, packed weights (by parameter; NULL: none) and activations lie. */
typedef struct cph_bases {
    float *weights, *grads, *arena;
    void *const *packed;
} cph_bases;

/* ---- recording. Parameters are indices of the registry ---- */
CPH_API cph_tensor cph_tape_embed(cph_tape *t, const uint32_t *ids, const uint32_t *positions, uint32_t rows,
                                  uint32_t tok, uint32_t pos, cph_drop drop);
typedef struct cph_normed {
    cph_tensor sum, h, stream;
} cph_normed;
typedef struct cph_norm_opts {
    uint32_t gamma, beta; /* beta is not read with rms */
    double eps;
    bool rms;    /* T5: no mean, no beta */
    bool stream; /* post-norm: .stream is h in fp32 for the next residual (h itself where the tape is fp32) */
    cph_drop drop, h_drop; /* of y, of h */
} cph_norm_opts;
/*
 * sum = x + dropout(y), h = norm of sum. y 0: no residual is added, sum is x. x 0: sum is y, so that
 * what a product made can be normed. x is of the stream (fp32), y of the tape's type.
 */
CPH_API cph_normed cph_tape_norm_as(cph_tape *t, cph_tensor x, cph_tensor y, const cph_norm_opts *o);
CPH_API cph_normed cph_tape_norm(cph_tape *t, cph_tensor x, cph_tensor y, uint32_t gamma, uint32_t beta,
                                 double eps, cph_drop drop);
#define CPH_NO_PARAM UINT32_MAX
CPH_API cph_tensor cph_tape_linear(cph_tape *t, cph_tensor x, uint32_t w, uint32_t b, bool out_in,
                                   cph_act act);
/* The same with a float result whatever the tape's type: logits. Forward only. */
CPH_API cph_tensor cph_tape_logits(cph_tape *t, cph_tensor x, uint32_t w, bool out_in);
/* q, k and v side by side in one tensor [rows, (heads + 2 kv_heads) head_dim]; `shape` gives the rest. */
CPH_API cph_tensor cph_tape_attention(cph_tape *t, cph_tensor qkv, const cph_attention *shape);
/* The same over a cache of earlier keys: appends k and v of qkv at run time, see cph_tape_node. */
CPH_API cph_tensor cph_tape_cached_attention(cph_tape *t, cph_tensor qkv, const cph_attention *shape);
/* Logits, token losses and in training the gradients; keep_logits: *logits holds all of them. */
CPH_API void cph_tape_loss(cph_tape *t, cph_tensor x, uint32_t w, const int32_t *labels,
                           const float *inv_labels,
                           bool keep_logits, cph_tensor *losses, cph_tensor *logits);
/*
 * Nodes from..to-1 keep nothing for their backward pass but what other nodes read; before it they
 * run forward again. Less memory for more time, and the same bits: dropout is counted, not drawn.
 * Ranges come in ascending order and do not meet.
 */
CPH_API void cph_tape_recompute(cph_tape *t, size_t from, size_t to);
/* The tensor stays readable after the pass. */
CPH_API void cph_tape_keep(cph_tape *t, cph_tensor x);

/* ---- planning and running ---- */
CPH_API cph_status cph_tape_plan(cph_tape *t, uint64_t *arena_floats, cph_err *err) CPH_MUST_USE;
CPH_API void cph_tape_bind(cph_tape *t, const cph_bases *bases); /* again whenever a base moves */
CPH_API void cph_tape_forward(cph_tape *t, cph_exec *x);
CPH_API void cph_tape_backward(cph_tape *t, cph_exec *x);
/* A worker's scratch that the passes want (cph_exec_reserve), once planned. */
CPH_API uint64_t cph_tape_scratch(const cph_tape *t);
/*
 * The next passes begin the gradients of weights at +0 instead of adding to them, so that
 * nobody has to clear them; what no matrix product writes first is cleared by the pass.
 */
CPH_API void cph_tape_fresh_grads(cph_tape *t, bool fresh);
/* In backward passes: called when the last gradient of a parameter has been written (NULL: not called). */
typedef void (*cph_grad_fn)(void *ctx, uint32_t param);
CPH_API void cph_tape_on_grad(cph_tape *t, cph_grad_fn fn, void *ctx);
CPH_API const void *cph_tape_data(const cph_tape *t, cph_tensor x); /* of a kept tensor, once bound */
CPH_API cph_dtype cph_tape_type(const cph_tape *t, cph_tensor x);
/* The records in order, for a decoder that changes rows, positions and caches between runs. */
CPH_API size_t cph_tape_n_nodes(const cph_tape *t);
CPH_API cph_op *cph_tape_node(cph_tape *t, size_t i);

#ifdef __cplusplus
}
#endif
#endif
