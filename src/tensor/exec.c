/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec.c - runs the phases of an operation on the pool, each worker with scratch of its own.
 * Nothing is allocated after cph_exec_open.
 */
#include "products.h"
#include "tensor_in.h"

#include <colophon/base/memory.h>

#include <assert.h>

struct cph_exec {
    const struct cph_backend *backend;
    cph_pool *pool;
    size_t scratch_floats; /* of a worker */
    float *scratch;
};

struct run {
    const cph_op *op;
    cph_op_fn fn;
    unsigned phase;
    float *scratch; /* of worker 0 */
    size_t scratch_floats;
};

static const char *const NAMES[CPH_N_OPS] = {
#define CPH_OP(name, passes, what) #name,
#include <colophon/tensor/ops.def>
#undef CPH_OP
};
static const char *const WHATS[CPH_N_OPS] = {
#define CPH_OP(name, passes, what) what,
#include <colophon/tensor/ops.def>
#undef CPH_OP
};

static const char *const ACTS[CPH_N_ACTS] = {
#define ACT_TEXT(NAME, name, text) text,
    CPH_ACT_MAP(ACT_TEXT)
#undef ACT_TEXT
};

const char *cph_act_text(cph_act act) { return ACTS[act]; }

bool cph_act_parse(cph_str text, cph_act *out)
{
    if (cph_str_is(text, "gelu_pytorch_tanh")) text = CPH_STR("gelu_new");
    if (cph_str_is(text, "swish")) text = CPH_STR("silu");
    for (unsigned act = 0; act < CPH_N_ACTS; act++)
        if (cph_str_is(text, ACTS[act])) {
            *out = (cph_act)act;
            return true;
        }
    return false;
}

const char *cph_op_name(cph_op_kind k) { return NAMES[k]; }
const char *cph_op_what(cph_op_kind k) { return WHATS[k]; }

uint64_t cph_exec_bytes(const cph_backend *b, unsigned n_threads)
{
    return sizeof(cph_exec) + (uint64_t)n_threads * b->scratch_floats * sizeof(float);
}

uint64_t cph_op_scratch(const cph_backend *b, const cph_op *op)
{
    const struct cph_backend *runs = b->fwd[op->kind] ? b : &cph_backend_ref;
    size_t floats = runs->scratch_of ? runs->scratch_of(op) : 0;
    return sizeof(float) * (floats > b->scratch_floats ? floats : b->scratch_floats);
}

cph_status cph_exec_reserve(cph_exec *x, uint64_t scratch_bytes, cph_err *err)
{
    void *mem;
    size_t floats = ((size_t)scratch_bytes / sizeof(float) + 15) / 16 * 16;
    if (floats <= x->scratch_floats) return CPH_OK;
    CPH_TRY(cph_alloc_n(&mem, floats * (x->pool ? cph_pool_threads(x->pool) : 1), sizeof(float), err));
    cph_free(x->scratch);
    x->scratch = mem;
    x->scratch_floats = floats;
    return CPH_OK;
}

cph_status cph_exec_open(cph_exec **out, const cph_backend *b, cph_pool *pool, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_exec), err));
    cph_exec *x = mem;
    *x = (cph_exec){.backend = b, .pool = pool};
    cph_status s = cph_exec_reserve(x, b->scratch_floats * sizeof(float), err);
    if (s == CPH_OK) *out = x;
    else cph_exec_close(x);
    return s;
}

void cph_exec_close(cph_exec *x)
{
    if (!x) return;
    cph_free(x->scratch);
    cph_free(x);
}

static cph_status run_task(void *arg, size_t task, unsigned worker, cph_err *err)
{
    (void)err;
    const struct run *r = arg;
    r->fn(r->op, r->phase, task, r->scratch + worker * r->scratch_floats);
    return CPH_OK;
}

/* Tasks do not fail: their status is not looked at. */
static void run_tasks(cph_pool *pool, size_t n, cph_task_fn fn, void *arg)
{
    cph_status s = CPH_OK;
    if (pool) s = cph_pool_run(pool, n, fn, arg, NULL);
    for (size_t i = 0; !pool && i < n; i++) s = fn(arg, i, 0, NULL);
    (void)s;
}

static void run_phases(cph_pool *pool, const cph_op *op, cph_op_fn fn, bool backward, float *scratch,
                       size_t scratch_floats)
{
    assert(fn);
    cph_op mine = *op;
    if (op->kind == CPH_OP_linear) mine.u.linear.workers = pool ? cph_pool_threads(pool) : 1;
    if (op->kind == CPH_OP_loss) mine.u.loss.workers = pool ? cph_pool_threads(pool) : 1;
    for (unsigned phase = 0; phase < cph_n_phases(&mine, backward); phase++) {
        struct run r = {&mine, fn, phase, scratch, scratch_floats};
        run_tasks(pool, cph_n_tasks(&mine, backward, phase), run_task, &r);
    }
}

static cph_op_fn forward_of(const cph_backend *b, cph_op_kind k)
{
    return b->fwd[k] ? b->fwd[k] : cph_backend_ref.fwd[k];
}

const struct cph_backend *cph_exec_backend(const cph_exec *x) { return x->backend; }
unsigned cph_exec_threads(const cph_exec *x) { return x->pool ? cph_pool_threads(x->pool) : 1; }

void cph_exec_tasks(cph_exec *x, const cph_op *op, cph_op_fn fn, unsigned phase, size_t n_tasks)
{
    struct run r = {op, fn, phase, x->scratch, x->scratch_floats};
    run_tasks(x->pool, n_tasks, run_task, &r);
}

void cph_op_forward(cph_exec *x, const cph_op *op)
{
    if (x->backend->products && cph_products_forward(x, op)) return;
    run_phases(x->pool, op, forward_of(x->backend, op->kind), false, x->scratch, x->scratch_floats);
}

void cph_op_backward(cph_exec *x, const cph_op *op)
{
    if (x->backend->products && cph_products_backward(x, op)) return;
    cph_op_fn own = x->backend->bwd[op->kind];
    run_phases(x->pool, op, own ? own : cph_backend_ref.bwd[op->kind], true, x->scratch, x->scratch_floats);
}

void cph_op_flat(const cph_backend *b, cph_pool *pool, const cph_op *op)
{
    run_phases(pool, op, forward_of(b, op->kind), false, NULL, 0);
}

/* Elements of 32 bits: floats, or pairs of bf16. */
size_t cph_pack_bytes(const cph_backend *b, cph_dtype dtype, uint32_t in, uint32_t out)
{
    if (b->products) return cph_products_pack_bytes(b, dtype, in, out);
    if (!b->panel) return 0;
    size_t steps = b->dots && dtype == CPH_BF16 ? ((size_t)in + 1) / 2 : in;
    return ((size_t)out + b->panel - 1) / b->panel * b->panel * steps * sizeof(float);
}

size_t cph_linear_pack_bytes(const cph_backend *b, cph_dtype dtype, const cph_linear *l)
{
    return b->linear_pack ? b->linear_pack(dtype, l) * sizeof(float) : 0;
}

size_t cph_loss_pack_bytes(const cph_backend *b, cph_dtype dtype, const cph_loss *l)
{
    return b->loss_pack ? b->loss_pack(dtype, l) * sizeof(float) : 0;
}

struct packing {
    const struct cph_backend *b;
    cph_dtype dtype;
    const float *w;
    uint32_t in, out;
    bool out_in;
    float *packed;
};

static cph_status pack_panel(void *arg, size_t task, unsigned worker, cph_err *err)
{
    (void)worker, (void)err;
    const struct packing *p = arg;
    p->b->pack(p->dtype, p->w, p->in, p->out, p->out_in, p->packed, (uint32_t)task);
    return CPH_OK;
}

void cph_pack_weight(cph_exec *x, cph_dtype dtype, const float *w, uint32_t in, uint32_t out, bool out_in,
                     void *packed)
{
    if (x->backend->products) {
        cph_products_pack(x, dtype, w, in, out, out_in, packed);
        return;
    }
    struct packing p = {x->backend, dtype, w, in, out, out_in, packed};
    if (p.b->panel) run_tasks(x->pool, (out + p.b->panel - 1) / p.b->panel, pack_panel, &p);
}

double cph_tree_sum(double *v, size_t n)
{
    if (n == 0) return 0;
    for (; n > 1; n = (n + 1) / 2) {
        for (size_t i = 0; i < n / 2; i++) v[i] = v[2 * i] + v[2 * i + 1];
        if (n & 1) v[n / 2] = v[n - 1];
    }
    return v[0];
}

double cph_flat_sum(const float *x, uint64_t n, double *blocks)
{
    size_t n_blocks = 0;
    for (uint64_t begin = 0; begin < n; begin += CPH_FLAT_BLOCK, n_blocks++) {
        uint64_t end = n - begin < CPH_FLAT_BLOCK ? n : begin + CPH_FLAT_BLOCK;
        float lane[32] = {0};
        for (uint64_t i = begin; i < end; i++) lane[(i - begin) % 32] = lane[(i - begin) % 32] + x[i];
        for (unsigned half = 16; half; half /= 2)
            for (unsigned l = 0; l < half; l++) lane[l] = lane[l] + lane[l + half];
        blocks[n_blocks] = (double)lane[0];
    }
    return cph_tree_sum(blocks, n_blocks);
}
