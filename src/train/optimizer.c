/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimizer.c - the door of optimizers: shards, state, norms, a step tensor by tensor.
 *
 * What is kept for a tensor follows from options and registry (optimizer_opts.c); how much of
 * that lies here, from the shard. Cuts stand at flat blocks of tensors, so that every sum
 * over blocks is the same sum however many ranks there are.
 */
#include "optimizer_in.h"

#include <colophon/base/memory.h>

#include <math.h>
#include <string.h>

/* ---- shards ---- */

typedef struct place {
    uint64_t element, block;
} place;

static bool is_whole(const cph_optimizer_opts *o, const cph_param *p)
{
    opt_method method = cph_opt_method(o, p);
    return p->trainable && (method == OPT_FACTOR || method == OPT_MUON);
}

static uint64_t blocks_of(const cph_param *p) { return p->trainable ? opt_blocks(p->n) : 0; }

/* The first place at or after the element where a cut may stand. */
static place cut_after(const cph_model *m, const cph_optimizer_opts *o, uint64_t element)
{
    place at = {0, 0};
    for (size_t i = 0; i < cph_model_n_params(m); i++) {
        const cph_param *p = cph_model_param(m, i);
        at.element = p->offset;
        if (element <= p->offset) return at;
        uint64_t inside = opt_blocks(element - p->offset);
        if (!is_whole(o, p) && inside * CPH_FLAT_BLOCK < p->n)
            return (place){p->offset + inside * CPH_FLAT_BLOCK, at.block + (p->trainable ? inside : 0)};
        at.block += blocks_of(p);
    }
    at.element = cph_model_flat_len(m);
    return at;
}

cph_shard cph_shard_of(const cph_model *m, const cph_optimizer_opts *o, unsigned rank, unsigned n)
{
    uint64_t len = cph_model_flat_len(m), part = len / n, more = len % n; /* target: len rank / n */
    place a = cut_after(m, o, part * rank + more * rank / n);
    place b = cut_after(m, o, part * (rank + 1) + more * (rank + 1) / n);
    return (cph_shard){a.element, b.element, a.block, b.block};
}

uint64_t cph_shard_n_blocks(const cph_model *m)
{
    uint64_t n = 0;
    for (size_t i = 0; i < cph_model_n_params(m); i++) n += blocks_of(cph_model_param(m, i));
    return n;
}

/* ---- opening ---- */

static opt_part part_of(const cph_optimizer_opts *o, const cph_shard *shard, const cph_param *p, uint64_t block)
{
    uint64_t first = shard->first > p->offset ? shard->first - p->offset : 0;
    uint64_t end = shard->end > p->offset ? shard->end - p->offset : 0;
    if (end > p->n) end = p->n;
    return (opt_part){.param = p,
                      .method = cph_opt_method(o, p),
                      .decays = cph_opt_decays(o, p),
                      .first = first < end ? first : 0,
                      .n = first < end ? end - first : 0,
                      .block = block};
}

/* Elements of a slot that are held here: all of it, or those of the part. */
static uint64_t slot_here(const cph_optimizer_opts *o, const opt_part *part, opt_slot slot)
{
    uint64_t n = cph_opt_slot_len(o, part->param, slot);
    if (n == 0 || part->n == 0) return 0;
    return n == part->param->n ? part->n : n;
}

static uint64_t padded(uint64_t n) { return (n + 15) / 16 * 16; }

typedef struct sizes {
    uint64_t parts, state, work, sums, own; /* entries of each array */
    bool muon; /* there are products to do */
} sizes;

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

static void work_of(const cph_optimizer_opts *o, const opt_part *part, sizes *z)
{
    const cph_param *p = part->param;
    z->own = larger(z->own, opt_blocks(p->n));
    if (part->method == OPT_MUON) z->work = larger(z->work, cph_opt_muon_floats(p));
    if (part->method != OPT_FACTOR) return;
    z->work = larger(z->work, cph_opt_factor_floats(o, p));
    z->own = larger(z->own, cph_opt_factor_sums(o, p));
}

static sizes sizes_of(const cph_model *m, const cph_optimizer_opts *o, const cph_shard *shard)
{
    sizes z = {0};
    for (size_t i = 0; i < cph_model_n_params(m); i++) {
        const cph_param *p = cph_model_param(m, i);
        if (!p->trainable) continue;
        opt_part part = part_of(o, shard, p, 0);
        z.parts++;
        z.sums += opt_blocks(p->n);
        for (opt_slot s = 0; s < OPT_SLOTS; s++) z.state += padded(slot_here(o, &part, s));
        if (!part.n) continue;
        work_of(o, &part, &z);
        z.muon = z.muon || part.method == OPT_MUON;
    }
    return z;
}

static uint64_t bytes_of(const sizes *z)
{
    return sizeof(cph_optimizer) + z->parts * sizeof(opt_part) + (z->state + z->work) * sizeof(float) +
           (z->sums + z->own) * sizeof(double);
}

static cph_shard all_of(const cph_model *m)
{
    return (cph_shard){0, cph_model_flat_len(m), 0, cph_shard_n_blocks(m)};
}

cph_status cph_optimizer_need(const cph_model *m, const cph_optimizer_opts *o, const cph_shard *shard,
                              unsigned n_threads, uint64_t *bytes, cph_err *err)
{
    cph_shard all = all_of(m);
    sizes z = sizes_of(m, o, shard ? shard : &all);
    const cph_backend *backend;
    CPH_TRY(cph_backend_choose(&backend, err));
    *bytes = bytes_of(&z) + (z.muon ? cph_exec_bytes(backend, n_threads) : 0);
    return CPH_OK;
}

static void place_state(cph_optimizer *o)
{
    float *next = o->state;
    uint64_t block = 0;
    for (size_t i = 0; i < cph_model_n_params(o->model); i++) {
        const cph_param *p = cph_model_param(o->model, i);
        if (!p->trainable) continue;
        opt_part *part = &o->parts[o->n_parts++];
        *part = part_of(&o->o, &o->shard, p, block);
        block += opt_blocks(p->n);
        for (opt_slot s = 0; s < OPT_SLOTS; s++) {
            uint64_t n = slot_here(&o->o, part, s);
            part->at[s] = n ? next : NULL;
            next += padded(n);
        }
        if (part->at[OPT_EMA])
            memcpy(part->at[OPT_EMA], cph_model_weights(o->model) + p->offset + part->first,
                   part->n * sizeof(float));
    }
}

static cph_status allocate(cph_optimizer *o, cph_err *err)
{
    sizes z = sizes_of(o->model, &o->o, &o->shard);
    void *p;
    CPH_TRY(cph_backend_choose(&o->backend, err));
    CPH_TRY(cph_alloc0(&p, z.parts * sizeof *o->parts, err));
    o->parts = p;
    CPH_TRY(cph_alloc0(&p, z.state * sizeof *o->state, err));
    o->state = p;
    CPH_TRY(cph_alloc0(&p, z.work * sizeof *o->work, err));
    o->work = p;
    CPH_TRY(cph_alloc0(&p, z.sums * sizeof *o->sums, err));
    o->sums = p;
    CPH_TRY(cph_alloc0(&p, z.own * sizeof *o->own, err));
    o->own = p;
    return z.muon ? cph_exec_open(&o->exec, o->backend, o->pool, err) : CPH_OK;
}

cph_status cph_optimizer_open(cph_optimizer **out, cph_model *m, const cph_optimizer_opts *o,
                              const cph_shard *shard, cph_pool *pool, cph_err *err)
{
    void *p;
    CPH_TRY(cph_optimizer_opts_check(o, err));
    CPH_TRY(cph_alloc0(&p, sizeof **out, err));
    cph_optimizer *opt = p;
    *opt = (cph_optimizer){.model = m, .pool = pool, .o = *o, .shard = shard ? *shard : all_of(m)};
    cph_status s = allocate(opt, err);
    if (s != CPH_OK) {
        cph_optimizer_close(opt);
        return s;
    }
    place_state(opt);
    *out = opt;
    return CPH_OK;
}

void cph_optimizer_close(cph_optimizer *o)
{
    if (!o) return;
    cph_exec_close(o->exec);
    cph_free(o->parts);
    cph_free(o->state);
    cph_free(o->work);
    cph_free(o->sums);
    cph_free(o->own);
    cph_free(o);
}

/* ---- norms ---- */

static void square_sums(cph_optimizer *o, const float *x, uint64_t n, double *blocks)
{
    cph_op op = {.kind = CPH_OP_sumsq, .u.sumsq = {x, blocks, n}};
    cph_op_flat(o->backend, o->pool, &op);
}

double *cph_optimizer_sums(cph_optimizer *o, const float *grads)
{
    for (size_t i = 0; i < o->n_parts; i++) {
        const opt_part *p = &o->parts[i];
        if (p->n)
            square_sums(o, grads + p->param->offset + p->first, p->n,
                        o->sums + p->block + p->first / CPH_FLAT_BLOCK);
    }
    return o->sums;
}

double cph_optimizer_norm(cph_optimizer *o) { return sqrt(cph_tree_sum(o->sums, cph_shard_n_blocks(o->model))); }

double cph_opt_rms(cph_optimizer *o, const cph_param *p)
{
    square_sums(o, cph_model_weights(o->model) + p->offset, p->n, o->own);
    return sqrt(cph_tree_sum(o->own, opt_blocks(p->n)) / (double)p->n);
}

/* ---- a step ---- */

double cph_optimizer_rate(const cph_optimizer *o, const cph_update *how)
{
    return cph_opt_factor_rate(&o->o, how);
}

static void (*const updates[])(cph_optimizer *o, const opt_part *part, const float *g, const opt_step *s) = {
    [OPT_ADAM] = cph_opt_adam, [OPT_SGD] = cph_opt_sgd, [OPT_FACTOR] = cph_opt_factor, [OPT_MUON] = cph_opt_muon};

void cph_optimizer_step(cph_optimizer *o, const float *grads, const cph_update *how)
{
    opt_step s = {.t = how->t,
                  .rate = cph_optimizer_rate(o, how),
                  .schedule = how->schedule,
                  .grad_scale = (float)how->grad_scale};
    s.lr = (double)(float)s.rate;
    for (size_t i = 0; i < o->n_parts; i++) {
        const opt_part *p = &o->parts[i];
        if (!p->n) continue;
        updates[p->method](o, p, grads + p->param->offset + p->first, &s);
        if (p->at[OPT_EMA]) cph_opt_average(o, p);
    }
}

bool cph_optimizer_swap(cph_optimizer *o)
{
    if (!(o->o.ema > 0)) return false;
    for (size_t i = 0; i < o->n_parts; i++) {
        const opt_part *part = &o->parts[i];
        float *p = cph_model_weights(o->model) + part->param->offset + part->first;
        for (uint64_t j = 0; j < part->n; j++) {
            float w = p[j];
            p[j] = part->at[OPT_EMA][j];
            part->at[OPT_EMA][j] = w;
        }
    }
    return true;
}

/* ---- state by name ---- */

static const char *prefix_of(const opt_part *part, opt_slot slot)
{
    static const char *const prefixes[OPT_SLOTS] = {"exp_avg", "exp_avg_sq", "exp_avg_sq_row", "exp_avg_sq_col",
                                                    "ema"};
    bool buffer = slot == OPT_M && (part->method == OPT_SGD || part->method == OPT_MUON);
    return buffer ? "momentum_buffer" : prefixes[slot];
}

/* Dimensions of a slot: the tensor's, without the last (rows) or the last but one (columns). */
static void set_dims(cph_state *s, opt_slot slot)
{
    const cph_param *p = s->param;
    unsigned out = slot == OPT_ROW ? p->n_dims - 1 : slot == OPT_COL ? p->n_dims - 2 : p->n_dims;
    for (unsigned d = 0; d < p->n_dims; d++)
        if (d != out) s->dims[s->n_dims++] = p->dims[d];
}

size_t cph_optimizer_n_states(const cph_optimizer *o)
{
    size_t n = 0;
    for (size_t i = 0; i < o->n_parts; i++)
        for (opt_slot s = 0; s < OPT_SLOTS; s++) n += cph_opt_slot_len(&o->o, o->parts[i].param, s) > 0;
    return n;
}

cph_state cph_optimizer_state(const cph_optimizer *o, size_t i)
{
    for (const opt_part *part = o->parts;; part++)
        for (opt_slot s = 0; s < OPT_SLOTS; s++) {
            uint64_t n = cph_opt_slot_len(&o->o, part->param, s);
            if (n == 0 || i--) continue;
            cph_state st = {.prefix = prefix_of(part, s), .param = part->param, .n = n, .here = part->at[s],
                            .n_here = slot_here(&o->o, part, s)};
            if (st.n_here < n) st.first = part->first;
            set_dims(&st, s);
            return st;
        }
}
