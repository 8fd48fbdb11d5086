/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder.c - decoding with a key-value cache: the decode tape is recorded once for a
 * chunk of tokens and run with as many rows as there are; row r of the caches belongs to
 * sequence r. Every value has the bits that a pass over the whole sequence gives.
 */
#include "model_in.h"

#include <colophon/base/memory.h>

#include <string.h>

#define CHUNK 64u

struct cph_decoder {
    cph_model *m;
    cph_tape *tape;
    cph_exec *exec;
    float *arena;
    size_t size;             /* of a cached value */
    char *k_cache, *v_cache; /* [n_layer, n_rows, max_len, kv_width] */
    uint32_t *ids, *positions;        /* [CHUNK] */
    uint32_t *len;                    /* [n_rows] */
    uint32_t n_rows, max_len;
    cph_tensor logits;
};

static cph_status open_decoder(cph_decoder *d, cph_pool *pool, cph_err *err)
{
    void *mem;
    uint64_t arena_floats;
    size_t cache = (size_t)d->m->n_layer * d->n_rows * d->max_len * d->m->kv_width;
    CPH_TRY(cph_alloc0(&mem, (2 * CHUNK + (size_t)d->n_rows) * sizeof(uint32_t), err));
    d->ids = mem;
    d->positions = d->ids + CHUNK;
    d->len = d->positions + CHUNK;
    cph_tape_opts o = {false, cph_arith_dtype(d->m->arith), d->m->backend};
    d->size = o.dtype == CPH_BF16 ? sizeof(uint16_t) : sizeof(float);
    CPH_TRY(cph_alloc_n(&mem, cache, 2 * d->size, err));
    d->k_cache = mem;
    d->v_cache = d->k_cache + cache * d->size;
    CPH_TRY(cph_tape_open(&d->tape, &d->m->params, &o, err));
    model_inputs in = {.ids = d->ids, .positions = d->positions, .B = 1, .T = CHUNK};
    d->logits = d->m->family->record_decode(d->m, d->tape, &in);
    CPH_TRY(cph_tape_plan(d->tape, &arena_floats, err));
    CPH_TRY(cph_alloc_n(&mem, arena_floats, sizeof(float), err));
    d->arena = mem;
    CPH_TRY(cph_model_pack_alloc(d->m, err));
    CPH_TRY(cph_exec_open(&d->exec, d->m->backend, pool, err));
    return cph_exec_reserve(d->exec, cph_tape_scratch(d->tape), err);
}

cph_status cph_decoder_open(cph_decoder **out, cph_model *m, uint32_t n_rows, uint32_t max_len,
                            cph_pool *pool,
                            cph_err *err)
{
    void *mem;
    if (n_rows == 0 || max_len == 0 || max_len > m->positions)
        return cph_fail(err, CPH_USAGE, "a decoder of %u rows of %u tokens: the model has %u positions",
                        n_rows,
                        max_len, m->positions);
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_decoder), err));
    cph_decoder *d = mem;
    *d = (cph_decoder){.m = m, .n_rows = n_rows, .max_len = max_len};
    cph_status s = open_decoder(d, pool, err);
    if (s == CPH_OK) *out = d;
    else cph_decoder_close(d);
    return s;
}

void cph_decoder_close(cph_decoder *d)
{
    if (!d) return;
    cph_exec_close(d->exec);
    cph_tape_close(d->tape);
    cph_free(d->arena);
    cph_free(d->k_cache);
    cph_free(d->ids);
    cph_free(d);
}

/* Bytes into a cache. */
static size_t cache_at(const cph_decoder *d, uint32_t layer, uint32_t row, uint32_t position)
{
    return (((size_t)layer * d->n_rows + row) * d->max_len + position) * d->m->kv_width * d->size;
}

/* Points the records at n new tokens of this row. Layers come in the order of their appends. */
static void aim(cph_decoder *d, uint32_t row, uint32_t n)
{
    uint32_t len = d->len[row], layer = 0;
    for (size_t i = 0; i < cph_tape_n_nodes(d->tape); i++) {
        cph_op *op = cph_tape_node(d->tape, i);
        switch (op->kind) {
        case CPH_OP_embed: op->u.embed.rows = n; break;
        case CPH_OP_norm: op->u.norm.rows = n; break;
        case CPH_OP_linear: op->u.linear.rows = n; break;
        case CPH_OP_append:
            op->u.append.rows = n;
            op->u.append.k_cache = d->k_cache + cache_at(d, layer, row, len);
            op->u.append.v_cache = d->v_cache + cache_at(d, layer, row, len);
            break;
        case CPH_OP_attention:
            op->u.attention.q_len = n;
            op->u.attention.k_len = len + n;
            op->u.attention.q_pos = len;
            op->u.attention.k = d->k_cache + cache_at(d, layer, row, 0);
            op->u.attention.v = d->v_cache + cache_at(d, layer, row, 0);
            layer++;
            break;
        default: break;
        }
    }
    cph_linear *head = &cph_tape_node(d->tape, cph_tape_n_nodes(d->tape) - 1)->u.linear;
    head->x = (const char *)head->x + (size_t)(n - 1) * head->in * d->size; /* binding set it to row 0 */
    head->rows = 1;
}

static void feed_chunk(cph_decoder *d, uint32_t row, const uint32_t *ids, uint32_t n)
{
    cph_bases bases = {d->m->weights, NULL, d->arena, d->m->packed};
    memcpy(d->ids, ids, n * sizeof *ids);
    for (uint32_t i = 0; i < n; i++) d->positions[i] = d->len[row] + i;
    cph_tape_bind(d->tape, &bases);
    aim(d, row, n);
    cph_tape_forward(d->tape, d->exec);
    d->len[row] += n;
}

cph_status cph_decoder_feed(cph_decoder *d, uint32_t row, const uint32_t *ids, uint32_t n,
                            const float **logits,
                            cph_err *err)
{
    if (row >= d->n_rows || n == 0) return cph_fail(err, CPH_USAGE, "row %u of %u, %u tokens", row,
                                                    d->n_rows, n);
    if (n > d->max_len - d->len[row])
        return cph_fail(err, CPH_USAGE, "row %u: %u tokens and %u more: the decoder takes %u", row,
                        d->len[row], n,
                        d->max_len);
    for (uint32_t i = 0; i < n; i++)
        if (ids[i] >= d->m->vocab)
            return cph_fail(err, CPH_DATA, "token %u: id %u, the vocabulary has %u", i, ids[i], d->m->vocab);
    cph_model_pack(d->m, d->exec);
    for (uint32_t done = 0; done < n;) {
        uint32_t part = n - done < CHUNK ? n - done : CHUNK;
        feed_chunk(d, row, ids + done, part);
        done += part;
    }
    *logits = cph_tape_data(d->tape, d->logits);
    return CPH_OK;
}

uint32_t cph_decoder_len(const cph_decoder *d, uint32_t row) { return d->len[row]; }

void cph_decoder_truncate(cph_decoder *d, uint32_t row, uint32_t len)
{
    if (len < d->len[row]) d->len[row] = len;
}

cph_status cph_decoder_copy(cph_decoder *d, uint32_t from_row, uint32_t to_row, cph_err *err)
{
    if (from_row >= d->n_rows || to_row >= d->n_rows)
        return cph_fail(err, CPH_USAGE, "copy of row %u to row %u: the decoder has %u", from_row, to_row,
                        d->n_rows);
    size_t bytes = (size_t)d->len[from_row] * d->m->kv_width * d->size;
    for (uint32_t layer = 0; from_row != to_row && layer < d->m->n_layer; layer++) {
        memcpy(d->k_cache + cache_at(d, layer, to_row, 0), d->k_cache + cache_at(d, layer, from_row, 0), bytes);
        memcpy(d->v_cache + cache_at(d, layer, to_row, 0), d->v_cache + cache_at(d, layer, from_row, 0), bytes);
    }
    d->len[to_row] = d->len[from_row];
    return CPH_OK;
}
