/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order.h - which tokens stand in which row of which step.
 *
 * The order of data is a pure function of (token set, seed, held-out share, row
 * length): epoch e takes the documents in the order of cph_permute(seed, e, .), and
 * rows are filled next-fit in that order (text-models 10). A document that is longer
 * than a row is cut where the row ends; what follows in the next row is a segment of
 * its own. The last row of an epoch ends with it.
 *
 * Rows are fed in another order than they are filled: each block of up to
 * CPH_ORDER_BLOCK rows of an epoch is permuted, so that the rows of a batch come from
 * all over the block and not from one long book. A cursor names a block and how many of
 * its rows were fed; going on from it costs one walk over the block's documents.
 *
 * A document's sequence is EOS, its tokens, EOS: the first EOS is read, the last one
 * only predicted. Without an EOS token the sequence is its tokens alone. No document
 * sees or predicts another: segments are numbered, positions start again at 0.
 *
 * Invariant  Every token of the training part is fed exactly once an epoch.
 * Threads    One thread at a time: an order keeps the block that it read last.
 * Memory     4 bytes a document, and 1 MiB for the block; nothing is allocated after open.
 * Errors     CPH_DATA when there is nothing to read.
 */
#ifndef CPH_TRAIN_ORDER_H
#define CPH_TRAIN_ORDER_H

#include <colophon/train/tokens.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_LABEL_NONE (-100)
#define CPH_ORDER_BLOCK 65536u /* rows that are permuted together; it decides the order of every run */

typedef struct cph_order_opts {
    const cph_tokens *tokens; /* outlives the order */
    uint64_t seed;
    uint32_t T;           /* row length, at least 2 */
    int64_t eos;          /* id put around each document, or -1 */
    double held_out;      /* 0..1: this share of the works is kept for evaluation */
    bool read_held_out;   /* read that share, in corpus order, once; else the rest, for ever */
} cph_order_opts;

typedef struct cph_order cph_order;
CPH_API cph_status cph_order_open(cph_order **out, const cph_order_opts *o, cph_err *err) CPH_MUST_USE;
CPH_API void cph_order_close(cph_order *o); /* NULL is fine */
CPH_API uint64_t cph_order_n_docs(const cph_order *o);   /* rows of the document table in this part */
CPH_API uint64_t cph_order_n_tokens(const cph_order *o); /* tokens of one epoch */

typedef struct cph_cursor {
    uint32_t epoch;
    uint64_t index;  /* document of the epoch with which the block begins */
    uint32_t offset; /* in its sequence */
    uint32_t row;    /* rows of the block that were fed */
} cph_cursor;

/* A run of one document's tokens in a row. */
typedef struct cph_piece {
    uint64_t doc;          /* row of the document table */
    uint64_t first;        /* its first token, counted over all parts of the document */
    uint32_t n_tokens;     /* without EOS */
} cph_piece;
typedef void (*cph_piece_fn)(void *ctx, const cph_piece *piece);

/* The four arrays of a row, [T] each, as cph_batch wants them. */
typedef struct cph_row {
    uint32_t *ids;
    int32_t *labels;
    uint32_t *segments, *positions;
} cph_row;

/*
 * Fills the row at *c (NULL: only finds its pieces) and moves the cursor to the next one;
 * `each` (may be NULL) hears of every piece. Returns the number of labels; 0 only at the end of a held-out part.
 */
CPH_API uint32_t cph_order_row(cph_order *o, cph_cursor *c, const cph_row *row, cph_piece_fn each,
                               void *ctx);

/* True when the work is kept for evaluation: a function of (seed, work) alone. */
CPH_API bool cph_order_is_held_out(uint64_t seed, double held_out, const cph_digest *wkey);

/* ---- tree C (artefacts 5): one leaf for each piece, in feeding order ---- */
#define CPH_ORDER_LEAF 57
CPH_API void cph_order_leaf_bytes(uint32_t step, uint32_t slot, uint32_t row, const cph_digest *dkey,
                                  const cph_piece *piece, uint8_t out[CPH_ORDER_LEAF]);
/* How the rows of a step are dealt out: in feeding order to the slots, whose micro-batches follow each other. */
typedef struct cph_order_step {
    uint32_t batch;      /* rows of a micro-batch */
    uint32_t accumulate; /* micro-batches of a step, at least as many as slots */
    uint32_t slots;      /* at least 1 */
} cph_order_step;
CPH_API uint32_t cph_order_slot_first(const cph_order_step *s, uint32_t slot); /* its first micro-batch */
/* Recomputes root and size after `steps` steps. */
CPH_API cph_status cph_order_root(cph_order *o, uint32_t steps, const cph_order_step *step, cph_digest *root,
                                  uint64_t *n_leaves, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
