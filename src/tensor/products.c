/* SPDX-License-Identifier: Apache-2.0 */
/*
 * products.c - the engine with a library for its matrix products (--gemm onednn): linear and the output
 * layer go through the plug-in, all else through the kernels of a backend of our own.
 *
 * A product is one call on the caller's thread, while the pool sleeps. Such a run promises no bits.
 */
#include "products.h"

#include "tensor_in.h"

#include <colophon/tensor/gemm.h>

#include <colophon/base/log.h>
#include <colophon/base/plugin.h>

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- loading, and the backends that come of it ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const cph_products *library; /* once loaded, for good */
static void warn(const char *text) { cph_log(CPH_WARN, "%s", text); }
enum { MAX_MADE = 16 };             /* backends of this build, two types */
static struct made {
    struct cph_backend backend;
    const struct cph_backend *native;
    char arith[40];
} made[MAX_MADE];
static size_t n_made;

static cph_status load(cph_err *err)
{
    void *p;
    cph_products_open_fn open_it;
    const cph_products *opened;
    if (library) return CPH_OK;
    /* Its threads shall sleep between products, when ours want the processors. OpenMP reads it at start. */
    setenv("OMP_WAIT_POLICY", "passive", 0);
    if (cph_plugin_symbol(&p, "onednn", "cph_products_open", err) != CPH_OK) {
        (void)cph_err_prefix(err, "the oneDNN plug-in");
        return cph_hint(err, "it is built where oneDNN's headers are (Debian: libdnnl-dev), beside "
                             "libcolophon; COLOPHON_PLUGINS names another directory; --gemm own needs none");
    }
    memcpy(&open_it, &p, sizeof open_it);
    CPH_TRY(open_it(&opened, warn, err));
    if (opened->abi != CPH_PRODUCTS_ABI)
        return cph_fail(err, CPH_IO, "libcolophon-onednn.so: is of another version of colophon");
    library = opened;
    return CPH_OK;
}

/* A small one tells whether the library has products of this type for this processor. */
static cph_status try_type(cph_dtype type, cph_err *err)
{
    uint16_t a[16] = {0}, b[16] = {0};
    float fa[16] = {0}, fb[16] = {0}, c[16];
    bool real = type == CPH_F32;
    cph_product p = {.m = 4, .n = 4, .k = 4, .type = type, .c_real = true};
    cph_operands o = {real ? (const void *)fa : a, real ? (const void *)fb : b, NULL, c};
    cph_status s = library->multiply(&p, &o, 1, err);
    return s == CPH_OK || real ? s : cph_hint(err, "--dtype fp32");
}

static cph_status make(const cph_backend **out, const cph_backend *native, cph_dtype dtype, cph_err *err)
{
    CPH_TRY(load(err));
    CPH_TRY(try_type(dtype, err));
    char arith[sizeof made->arith];
    snprintf(arith, sizeof arith, "onednn-%s-%s", library->version, dtype == CPH_F32 ? "fp32" : "bf16");
    for (size_t i = 0; i < n_made; i++)
        if (made[i].native == native && strcmp(made[i].arith, arith) == 0) {
            *out = &made[i].backend;
            return CPH_OK;
        }
    assert(n_made < MAX_MADE);
    struct made *m = &made[n_made++];
    memcpy(m->arith, arith, sizeof arith);
    m->native = native;
    m->backend = *native;
    m->backend.arith = m->arith;
    m->backend.products = library;
    m->backend.linear_pack = NULL;
    m->backend.loss_pack = NULL;
    *out = &m->backend;
    return CPH_OK;
}

cph_status cph_backend_onednn(const cph_backend **out, const cph_backend *native, cph_dtype dtype,
                              cph_err *err)
{
    pthread_mutex_lock(&lock);
    cph_status s = make(out, native, dtype, err);
    pthread_mutex_unlock(&lock);
    return s;
}

cph_status cph_onednn_version(const char **out, cph_err *err)
{
    pthread_mutex_lock(&lock);
    cph_status s = load(err);
    if (s == CPH_OK) *out = library->version;
    pthread_mutex_unlock(&lock);
    return s;
}

const char *cph_backend_arith(const cph_backend *b) { return b->arith; }

/* ---- weights in the library's form: of the forward product, then, where that is no float, of dX's ---- */

static size_t form_bytes(const cph_backend *b, cph_dtype dtype, uint32_t k, uint32_t n)
{
    size_t bytes = 0;
    if (b->products->form_bytes(&bytes, dtype, k, n, NULL) != CPH_OK) return 0;
    return (bytes + 63) & ~(size_t)63;
}

size_t cph_products_pack_bytes(const cph_backend *b, cph_dtype dtype, uint32_t in, uint32_t out)
{
    size_t forward = form_bytes(b, dtype, in, out);
    return dtype == CPH_F32 ? forward : forward + form_bytes(b, dtype, out, in);
}

static const void *formed_for_dx(const cph_backend *b, uint32_t in, uint32_t out, const void *packed)
{
    return (const char *)packed + form_bytes(b, CPH_BF16, in, out);
}

static size_t bytes_of(cph_dtype type, size_t n)
{
    return n * (type == CPH_F32 ? sizeof(float) : sizeof(uint16_t));
}

/* Operations do not fail: where the library does (no memory) the result is NaN, at which a training stops. */
static void give_up(void *c, size_t n_bytes, const cph_err *err)
{
    cph_log(CPH_WARN, "%s", err->what);
    memset(c, 0xff, n_bytes);
}

void cph_products_pack(cph_exec *x, cph_dtype dtype, const float *w, uint32_t in, uint32_t out, bool out_in,
                       void *packed)
{
    const cph_backend *b = cph_exec_backend(x);
    unsigned n_threads = cph_exec_threads(x);
    cph_err err = {0};
    size_t forward = form_bytes(b, dtype, in, out);
    cph_status s = b->products->form(w, out_in, dtype, in, out, packed, n_threads, &err);
    if (s == CPH_OK && dtype == CPH_BF16)
        s = b->products->form(w, !out_in, dtype, out, in, (char *)packed + forward, n_threads, &err);
    if (s == CPH_OK) return;
    give_up(packed, cph_products_pack_bytes(b, dtype, in, out), &err);
}

/* ---- one product ---- */

static void multiply(cph_exec *x, cph_product p, cph_operands o)
{
    cph_err err = {0};
    p.has_bias = o.bias != NULL;
    assert(p.type == CPH_F32 || p.b_formed || !p.b_turned); /* weights are floats: bf16 wants them formed */
    if (cph_exec_backend(x)->products->multiply(&p, &o, cph_exec_threads(x), &err) == CPH_OK) return;
    give_up(o.c, bytes_of(p.c_real ? CPH_F32 : p.type, (size_t)p.m * p.n), &err);
}

/* ---- linear ---- */

static void linear_forward(cph_exec *x, const cph_op *op)
{
    const cph_linear *l = &op->u.linear;
    bool acts = l->act != CPH_ACT_NONE, kept = acts && l->pre;
    cph_product p = {.m = l->rows, .n = l->out, .k = l->in, .type = op->dtype};
    p.b_turned = l->out_in;
    p.b_formed = l->packed != NULL;
    p.c_real = op->dtype == CPH_F32 || (l->real_y && !kept);
    p.adds = l->y_adds;
    if (kept && l->y_adds) memcpy(l->pre, l->y, bytes_of(op->dtype, (size_t)l->rows * l->out));
    multiply(x, p, (cph_operands){l->x, l->packed ? l->packed : l->w, l->b, kept ? l->pre : l->y});
    if (acts) cph_exec_tasks(x, op, cph_exec_backend(x)->act, 0, CPH_BLOCKS(l->rows));
}

/* The native pass without its products: the activation's slope, and the bias. */
static void linear_rest(cph_exec *x, const cph_op *op)
{
    cph_op_fn native = cph_exec_backend(x)->bwd[CPH_OP_linear];
    cph_op rest = *op;
    rest.u.linear.dx = NULL;
    rest.u.linear.dw = NULL;
    for (unsigned phase = 0; phase < cph_n_phases(&rest, true); phase++)
        cph_exec_tasks(x, &rest, native, phase, cph_n_tasks(&rest, true, phase));
}

static void linear_backward(cph_exec *x, const cph_op *op)
{
    const cph_linear *l = &op->u.linear;
    bool real = op->dtype == CPH_F32;
    if (l->db || l->act != CPH_ACT_NONE) linear_rest(x, op);
    cph_product dw = {.k = l->rows, .type = op->dtype, .a_turned = true, .c_real = true};
    dw.adds = !l->fresh_dw;
    dw.m = l->out_in ? l->out : l->in;
    dw.n = l->out_in ? l->in : l->out;
    if (l->dw && l->out_in) multiply(x, dw, (cph_operands){l->dy, l->x, NULL, l->dw});
    else if (l->dw) multiply(x, dw, (cph_operands){l->x, l->dy, NULL, l->dw});
    if (!l->dx) return;
    cph_product dx = {.m = l->rows, .n = l->in, .k = l->out, .type = op->dtype, .c_real = real};
    dx.adds = l->dx_adds;
    dx.b_turned = !l->out_in;
    dx.b_formed = !real;
    const void *w = real ? l->w : formed_for_dx(cph_exec_backend(x), l->in, l->out, l->packed);
    multiply(x, dx, (cph_operands){l->dy, w, NULL, l->dx});
}

/* ---- output layer and loss ---- */

static void loss_bias(cph_exec *x, const cph_op *op, cph_loss_phase at)
{
    cph_op rest = *op;
    cph_loss *l = &rest.u.loss;
    l->dx = NULL;
    l->dw = NULL;
    unsigned each = 2 + cph_loss_grad_phases(l), phase = at.row0 / l->chunk * each + each - 1;
    l->pack = l->logits; /* nothing is packed */
    cph_exec_tasks(x, &rest, cph_exec_backend(x)->fwd[CPH_OP_loss], phase, cph_n_tasks(&rest, false, phase));
}

/* Gradients of bf16 lie where the rows of the logits began; the library has no fast product of such an A. */
static void close_gaps(const cph_loss *l, uint32_t rows)
{
    uint16_t *d = (uint16_t *)(void *)l->logits;
    for (size_t r = 1; r < rows; r++) memmove(d + r * l->vocab, d + 2 * r * l->vocab, l->vocab * sizeof *d);
}

/* Our chunks of the vocabulary are one product here. */
static void loss_grads(cph_exec *x, const cph_op *op, cph_loss_phase at)
{
    const cph_loss *l = &op->u.loss;
    cph_dtype type = op->dtype;
    bool real = type == CPH_F32;
    size_t row0 = bytes_of(type, (size_t)at.row0 * l->in);
    if (l->db) loss_bias(x, op, at);
    if (!real && (l->dx || l->dw)) close_gaps(l, at.rows);
    cph_product dx = {.m = at.rows, .n = l->in, .k = l->vocab, .type = type, .c_real = real};
    dx.adds = l->dx_adds;
    dx.b_formed = !real;
    const void *w = real ? l->w : formed_for_dx(cph_exec_backend(x), l->in, l->vocab, l->packed);
    if (l->dx) multiply(x, dx, (cph_operands){l->logits, w, NULL, (char *)l->dx + row0});
    cph_product dw = {.m = l->vocab, .n = l->in, .k = at.rows, .type = type, .a_turned = true};
    dw.c_real = true;
    dw.adds = !(l->fresh_dw && at.row0 == 0);
    if (l->dw) multiply(x, dw, (cph_operands){l->logits, (const char *)l->x + row0, NULL, l->dw});
}

static void loss_logits(cph_exec *x, const cph_op *op, cph_loss_phase at)
{
    const cph_loss *l = &op->u.loss;
    const void *w = l->packed ? l->packed : l->w;
    cph_product p = {.m = at.rows, .n = l->vocab, .k = l->in, .type = op->dtype, .b_turned = true};
    p.b_formed = l->packed != NULL;
    p.c_real = true;
    const char *rows = (const char *)l->x + bytes_of(op->dtype, (size_t)at.row0 * l->in);
    multiply(x, p, (cph_operands){rows, w, NULL, l->logits}); /* the softmax adds b */
}

static void loss_forward(cph_exec *x, const cph_op *op)
{
    const cph_loss *l = &op->u.loss;
    cph_op native = *op;
    native.u.loss.pack = l->logits; /* nothing is packed */
    for (unsigned phase = 0; phase < cph_n_phases(op, false); phase++) {
        cph_loss_phase at = cph_loss_phase_of(l, phase);
        size_t blocks = (at.rows + CPH_LOSS_ROWS - 1) / CPH_LOSS_ROWS;
        if (at.kind == CPH_LOSS_LOGITS) loss_logits(x, op, at);
        else if (at.kind == CPH_LOSS_SOFTMAX)
            cph_exec_tasks(x, &native, cph_exec_backend(x)->fwd[CPH_OP_loss], phase, blocks);
        else if (at.last) loss_grads(x, op, at);
    }
}

bool cph_products_forward(cph_exec *x, const cph_op *op)
{
    if (op->kind == CPH_OP_linear) linear_forward(x, op);
    else if (op->kind == CPH_OP_loss) loss_forward(x, op);
    else return false;
    return true;
}

bool cph_products_backward(cph_exec *x, const cph_op *op)
{
    if (op->kind != CPH_OP_linear) return false;
    linear_backward(x, op);
    return true;
}
