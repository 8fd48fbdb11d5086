/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step.c - a training or evaluation step of one shape: inputs are copied to fixed
 * places, the tape is replayed. Nothing is allocated after cph_step_open.
 */
#include "model_in.h"

#include <colophon/base/memory.h>

#include <string.h>

struct cph_step {
    cph_model *m;
    cph_step_shape shape;
    cph_tape *tape;
    cph_exec *exec;
    model_outputs out;
    uint64_t arena_floats;
    float *arena;
    float *grads; /* what the tape is bound to */
    /* inputs of the pass under way */
    uint32_t *ids, *positions, *segments; /* one block: [3, B T], then labels */
    int32_t *labels;
    float inv_labels;
    cph_draw draw;
    double *blocks;
    float *hidden; /* a kept tensor of bf16 as floats, or NULL */
};

static uint64_t rows_of(cph_step_shape s) { return (uint64_t)s.B * s.T; }
static uint64_t input_bytes(cph_step_shape s) { return rows_of(s) * 4 * sizeof(uint32_t); }
static size_t loss_blocks(cph_step_shape s)
{
    return (size_t)((rows_of(s) + CPH_FLAT_BLOCK - 1) / CPH_FLAT_BLOCK);
}

static cph_status check_shape(const cph_model *m, cph_step_shape s, cph_err *err)
{
    if (s.B == 0 || s.T == 0) return cph_fail(err, CPH_USAGE, "a step of %u rows of %u tokens", s.B, s.T);
    if (s.T > m->positions)
        return cph_fail(err, CPH_USAGE, "a step of %u tokens a row: the model has %u positions", s.T,
                        m->positions);
    if (s.recompute_to > m->n_layer)
        return cph_fail(err, CPH_USAGE, "recompute names block %u: the model has blocks 0 to %u", s.recompute_to - 1,
                        m->n_layer - 1);
    if (rows_of(s) > UINT32_MAX / 4) return cph_fail(err, CPH_USAGE,
                                                     "a step of %u rows of %u tokens: too large", s.B, s.T);
    return CPH_OK;
}

/* Records and plans; the addresses in `in` may not exist yet when only the need is asked. */
static cph_status record(const cph_model *m, cph_step *s, cph_err *err)
{
    model_inputs in = {.ids = s->ids,
                       .positions = s->positions,
                       .labels = s->labels,
                       .inv_labels = &s->inv_labels,
                       .draw = s->shape.train ? &s->draw : NULL,
                       .B = s->shape.B,
                       .T = s->shape.T,
                       .keep = s->shape.keep_logits,
                       .recompute_from = s->shape.recompute_from,
                       .recompute_to = s->shape.recompute_to};
    cph_tape_opts o = {s->shape.train, cph_arith_dtype(m->arith), m->backend};
    CPH_TRY(cph_tape_open(&s->tape, &m->params, &o, err));
    if (s->shape.keep_logits) {
        void *mem;
        CPH_TRY(cph_alloc0(&mem, (m->n_layer + 1) * sizeof(cph_tensor), err));
        s->out.hidden = mem;
    }
    m->family->record(m, s->tape, &in, &s->out);
    return cph_tape_plan(s->tape, &s->arena_floats, err);
}

cph_status cph_step_need(const cph_model *m, cph_step_shape shape, unsigned n_threads, uint64_t *bytes,
                         cph_err *err)
{
    CPH_TRY(check_shape(m, shape, err));
    cph_step s = {.shape = shape};
    cph_status status = record(m, &s, err);
    if (status == CPH_OK)
        *bytes = s.arena_floats * sizeof(float) + input_bytes(shape) + loss_blocks(shape) * sizeof(double) +
                 (n_threads ? n_threads : 1) * cph_tape_scratch(s.tape) + sizeof(cph_step) +
                 cph_model_packed_bytes(m);
    cph_tape_close(s.tape);
    cph_free(s.out.hidden);
    return status;
}

static cph_status allocate(cph_step *s, cph_err *err)
{
    void *mem;
    size_t n = rows_of(s->shape);
    CPH_TRY(cph_alloc0(&mem, input_bytes(s->shape), err));
    s->ids = mem;
    s->positions = s->ids + n;
    s->segments = s->positions + n;
    s->labels = (int32_t *)(s->segments + n);
    CPH_TRY(cph_alloc0(&mem, loss_blocks(s->shape) * sizeof(double), err));
    s->blocks = mem;
    if (!s->shape.keep_logits || s->m->arith == CPH_ARITH_FP32) return CPH_OK;
    CPH_TRY(cph_alloc_n(&mem, n * s->m->width, sizeof(float), err));
    s->hidden = mem;
    return CPH_OK;
}

static cph_status open_step(cph_step *s, cph_pool *pool, cph_err *err)
{
    void *mem;
    CPH_TRY(allocate(s, err));
    CPH_TRY(record(s->m, s, err));
    CPH_TRY(cph_alloc_n(&mem, s->arena_floats, sizeof(float), err));
    s->arena = mem;
    CPH_TRY(cph_model_pack_alloc(s->m, err));
    CPH_TRY(cph_exec_open(&s->exec, s->m->backend, pool, err));
    return cph_exec_reserve(s->exec, cph_tape_scratch(s->tape), err);
}

cph_status cph_step_open(cph_step **out, cph_model *m, cph_step_shape shape, cph_pool *pool, cph_err *err)
{
    void *mem;
    CPH_TRY(check_shape(m, shape, err));
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_step), err));
    cph_step *s = mem;
    *s = (cph_step){.m = m, .shape = shape};
    cph_status status = open_step(s, pool, err);
    if (status == CPH_OK) *out = s;
    else cph_step_close(s);
    return status;
}

void cph_step_close(cph_step *s)
{
    if (!s) return;
    cph_exec_close(s->exec);
    cph_tape_close(s->tape);
    cph_free(s->out.hidden);
    cph_free(s->arena);
    cph_free(s->ids);
    cph_free(s->blocks);
    cph_free(s->hidden);
    cph_free(s);
}

static cph_status check_batch(const cph_step *s, const cph_batch *b, cph_err *err)
{
    uint32_t vocab = s->m->vocab, T = s->shape.T;
    for (size_t i = 0; i < rows_of(s->shape); i++) {
        unsigned row = (unsigned)(i / T), at = (unsigned)(i % T);
        if (b->ids[i] >= vocab)
            return cph_fail(err, CPH_DATA, "batch row %u, token %u: id %u, the vocabulary has %u", row, at,
                            b->ids[i],
                            vocab);
        if (b->labels[i] != -100 && (b->labels[i] < 0 || (uint32_t)b->labels[i] >= vocab))
            return cph_fail(err, CPH_DATA, "batch row %u, token %u: label %d, the vocabulary has %u", row, at,
                            b->labels[i], vocab);
        if (b->positions && b->positions[i] >= s->m->positions)
            return cph_fail(err, CPH_DATA, "batch row %u, token %u: position %u, the model has %u", row, at,
                            b->positions[i], s->m->positions);
    }
    return CPH_OK;
}

static void take_inputs(cph_step *s, const cph_batch *b)
{
    size_t n = rows_of(s->shape);
    memcpy(s->ids, b->ids, n * sizeof *s->ids);
    memcpy(s->labels, b->labels, n * sizeof *s->labels);
    if (b->segments) memcpy(s->segments, b->segments, n * sizeof *s->segments);
    for (size_t i = 0; i < n; i++)
        s->positions[i] = b->positions ? b->positions[i] : (uint32_t)(i % s->shape.T);
    s->inv_labels = b->inv_labels;
    s->draw = (cph_draw){b->seed, b->slot, b->step};
    for (size_t i = 0; i < cph_tape_n_nodes(s->tape); i++) {
        cph_op *op = cph_tape_node(s->tape, i);
        if (op->kind == CPH_OP_attention)
            op->u.attention.q_seg = op->u.attention.k_seg = b->segments ? s->segments : NULL;
    }
}

cph_status cph_step_run(cph_step *s, const cph_batch *b, float *grads, double *loss_sum, cph_err *err)
{
    CPH_TRY(check_batch(s, b, err));
    take_inputs(s, b);
    cph_model_pack(s->m, s->exec);
    cph_bases bases = {s->m->weights, grads, s->arena, s->m->packed};
    cph_tape_bind(s->tape, &bases);
    cph_tape_fresh_grads(s->tape, b->fresh);
    cph_tape_forward(s->tape, s->exec);
    *loss_sum = cph_flat_sum(cph_tape_data(s->tape, s->out.losses), rows_of(s->shape), s->blocks);
    if (s->shape.train) cph_tape_backward(s->tape, s->exec);
    return CPH_OK;
}

void cph_step_on_grad(cph_step *s, void (*fn)(void *ctx, uint32_t param), void *ctx)
{
    cph_tape_on_grad(s->tape, fn, ctx);
}

const float *cph_step_logits(const cph_step *s) { return cph_tape_data(s->tape, s->out.logits); }

const float *cph_step_hidden(cph_step *s, uint32_t i)
{
    const void *p = cph_tape_data(s->tape, s->out.hidden[i]);
    if (cph_tape_type(s->tape, s->out.hidden[i]) == CPH_F32) return p;
    for (size_t k = 0; k < rows_of(s->shape) * s->m->width; k++) s->hidden[k] = cph_bf16_to(((const uint16_t *)p)[k]);
    return s->hidden;
}
