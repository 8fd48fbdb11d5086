/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape_in.h - what recording leaves and planning reads: nodes, tensors, and the uses
 * that tie a pointer in a node's record to a tensor's value or gradient.
 */
#ifndef CPH_TAPE_IN_H
#define CPH_TAPE_IN_H

#include <colophon/nn/tape.h>

#define TAPE_NO_NODE UINT32_MAX

enum { /* when a use touches its buffer */
    USE_F = 1,  /* forward */
    USE_B = 2,  /* backward */
    USE_MAKES_GRAD = 4,
    USE_OPTIONAL = 8, /* NULL when nobody makes the gradient */
    USE_GOES_ON = 16  /* forward: writes over what an earlier node wrote, starting from it */
};

typedef struct tape_use {
    uint32_t node, tensor;
    uint32_t field; /* offset of the pointer in cph_op */
    uint32_t shift; /* elements into the tensor */
    uint32_t adds;  /* of a gradient that is made: offset of the flag that adds to it; 0: the record cannot */
    uint8_t flags;
    bool grad;
} tape_use;

typedef struct tape_buffer { /* place and lifetime of a value or a gradient */
    uint64_t offset;
    uint32_t first, last;
    bool used;
} tape_buffer;

typedef enum tape_kind { TAPE_ACTIVATION, TAPE_PARAM, TAPE_PACKED } tape_kind;

typedef struct tape_tensor {
    tape_kind kind;
    uint64_t n;
    uint32_t rows, width, param;
    cph_dtype type; /* of value and gradient */
    bool kept;
    bool wants, has_grad; /* depends on something trainable; somebody makes its gradient */
    uint32_t first_grad;  /* the node that begins the gradient */
    bool seen, read_backward, read_again; /* for again.c */
    bool gone_on, made_again; /* several nodes write it in turn; one of them runs again, so all must */
    uint32_t producer;    /* the first node that touches the value forward */
    uint32_t range;       /* 1 + the range that alone touches the value and makes it again; 0: none */
    tape_buffer value, grad, again;
} tape_tensor;

typedef struct tape_range { /* of nodes that run forward again before they run backward */
    uint32_t from, to;
} tape_range;
typedef struct tape_steps { /* when a node runs; forward at its own number */
    uint32_t backward, again; /* again 0: does not */
} tape_steps;

struct cph_tape {
    const cph_registry *params;
    cph_tape_opts o;
    cph_op *nodes;
    tape_tensor *tensors; /* [0] is none */
    tape_use *uses;
    size_t n_nodes, cap_nodes, n_tensors, cap_tensors, n_uses, cap_uses;
    tape_range *ranges;
    size_t n_ranges, cap_ranges;
    tape_steps *steps; /* by node */
    uint64_t arena_floats, scratch_bytes;
    uint32_t *last_writer, *first_writer; /* of each parameter's gradient, by node; TAPE_NO_NODE: none */
    bool *runs;                           /* by node: its gradients are made */
    bool fresh;
    cph_grad_fn on_grad;
    void *on_grad_ctx;
    cph_bases bases;
    cph_status status;
    cph_err err;
};

/* gradients.c: which nodes run backward, who begins each gradient and who adds to it. */
cph_status cph_tape_flow(cph_tape *t, cph_err *err);

/* The step at which node i makes gradients: a loss does in the forward pass. */
static inline uint32_t cph_tape_grad_step(const cph_tape *t, uint32_t i)
{
    return t->nodes[i].kind == CPH_OP_loss ? i : 2 * (uint32_t)t->n_nodes - 1 - i;
}

/* again.c: which values ranges make again, which of their nodes run twice, and all steps of a pass. */
cph_status cph_tape_time(cph_tape *t, cph_err *err);
void cph_tape_run_again(cph_tape *t, cph_exec *x, uint32_t node); /* where `node` ends a range */

/* tape.c: points the uses of nodes from..to-1 at their buffers, or at those made again. */
void cph_tape_point(cph_tape *t, uint32_t from, uint32_t to, bool again);

/* planner.c: gives every buffer its offset; returns the floats of the arena. */
cph_status cph_plan_buffers(tape_buffer **buffers, const uint64_t *sizes, size_t n, uint64_t *arena_floats,
                            cph_err *err);

#endif
