/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - recording functions beyond the plain ones of tape.h: token types, gates,
 * adapters, attention over other tensors, T5's buckets, rotation, heads.
 *
 * Each appends one record (cph_tape_lora_linear four or five) and returns the tensor it
 * makes. Pointers to inputs (ids, labels, index, ...) must live as long as the tape; what
 * they point at may change from pass to pass. Parameters are indices of the registry.
 *
 * Errors  As tape.h: the first fault is kept, cph_tape_plan returns it.
 */
#ifndef CPH_NN_RECORD_H
#define CPH_NN_RECORD_H

#include <colophon/nn/tape.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- into the stream ---- */
typedef struct cph_embedding {
    uint32_t tok, pos, typ; /* parameters [.,width]; CPH_NO_PARAM: none */
    const uint32_t *ids, *positions, *types;
    uint32_t rows, padding;
    bool has_padding; /* looking up `padding` gives no gradient */
    float scale;      /* of tok; 0: 1 */
    cph_drop drop;
} cph_embedding;
CPH_API cph_tensor cph_tape_embedding(cph_tape *t, const cph_embedding *e);

/* ---- products ---- */
/*
 * y = x (W1 | W2 | ...)^T + (b1 | b2 | ...): n weights [out,in] as one product, side by side in y.
 * They must lie one behind the other in the registry without padding between, and so the biases
 * (NULL: none). The packed form of w[0] is that of all.
 */
CPH_API cph_tensor cph_tape_linear_joined(cph_tape *t, cph_tensor x, const uint32_t *w, const uint32_t *b,
                                          unsigned n);
typedef struct cph_lora {
    uint32_t a, b; /* parameters [r,in], [out,r] */
    float scale;
    cph_drop drop; /* of x, for the adapter alone */
} cph_lora;
/* y = act(x W + bias + scale (drop(x) A^T) B^T) */
CPH_API cph_tensor cph_tape_lora_linear(cph_tape *t, cph_tensor x, uint32_t w, uint32_t b, bool out_in,
                                        cph_act act,
                                        const cph_lora *lora);
/* Logits with a bias (CPH_NO_PARAM: none), in fp32; forward only. */
CPH_API cph_tensor cph_tape_logits_biased(cph_tape *t, cph_tensor x, uint32_t w, uint32_t b, bool out_in);

/* ---- element by element; tensors of one type and shape ---- */
/* act(a) o b */
CPH_API cph_tensor cph_tape_gate(cph_tape *t, cph_tensor a, cph_tensor b, cph_act act, cph_drop drop);
CPH_API cph_tensor cph_tape_act(cph_tape *t, cph_tensor a, cph_act act, cph_drop drop);
CPH_API cph_tensor cph_tape_mul(cph_tape *t, cph_tensor a, cph_tensor b);
CPH_API cph_tensor cph_tape_add(cph_tape *t, cph_tensor a, cph_tensor b);
CPH_API cph_tensor cph_tape_dropout(cph_tape *t, cph_tensor x, cph_drop drop); /* p 0: x itself */
CPH_API cph_tensor cph_tape_scale(cph_tape *t, cph_tensor x, float scale);     /* 1: x itself */

/* ---- rows ---- */
CPH_API cph_tensor cph_tape_gather(cph_tape *t, cph_tensor x, const int32_t *index, uint32_t n);
CPH_API cph_tensor cph_tape_scatter(cph_tape *t, cph_tensor x, const int32_t *index, uint32_t rows);
/* Means of rows first[g]..first[g]+n[g]-1; groups ascend and do not overlap. */
CPH_API cph_tensor cph_tape_mean(cph_tape *t, cph_tensor x, const uint32_t *first, const uint32_t *n,
                                 uint32_t groups);

/* ---- attention ---- */
typedef struct cph_attended {
    cph_tensor q, k, v;        /* k and v 0: a cache, pointed at between runs */
    uint32_t q_at, k_at, v_at; /* first column in its tensor; k and v have rows of one width */
    cph_tensor bias;           /* of key - query (cph_tape_bucket_bias), shared as often as wanted; 0: none */
} cph_attended;
/* Self or cross: q has batch x q_len rows, k and v batch x k_len; `shape`: all but pointers and strides. */
CPH_API cph_tensor cph_tape_attend(cph_tape *t, const cph_attended *in, const cph_attention *shape);
/* [heads,length]: shape's length, zero, max_distance, bidirectional; once a stack and pass. */
CPH_API cph_tensor cph_tape_bucket_bias(cph_tape *t, uint32_t table, const cph_bucket_bias *shape);
/* Turns the first shape->heads heads of x in place, before anything reads them. */
CPH_API void cph_tape_rotary(cph_tape *t, cph_tensor x, const cph_rotary *shape);

/* ---- heads and losses ---- */
typedef struct cph_loss_opts {
    uint32_t w, b; /* [vocab,in], [vocab] or CPH_NO_PARAM */
    const int32_t *labels;
    const float *inv_labels; /* by which gradients are multiplied */
    bool keep_logits;
    cph_targets targets;
    double z_loss;
} cph_loss_opts;
CPH_API void cph_tape_loss_as(cph_tape *t, cph_tensor x, const cph_loss_opts *o, cph_tensor *losses,
                              cph_tensor *logits);
/* Losses [rows] of logits that are a tensor, with labels and a count of their own; kept. */
CPH_API cph_tensor cph_tape_classes(cph_tape *t, cph_tensor x, const int32_t *labels,
                                    const float *inv_labels);
CPH_API cph_tensor cph_tape_log_softmax(cph_tape *t, cph_tensor x); /* fp32; forward only */

#ifdef __cplusplus
}
#endif
#endif
