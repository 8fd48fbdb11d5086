/* SPDX-License-Identifier: Apache-2.0 */
/*
 * products_onednn.c - the plug-in libcolophon-onednn.so: matrix products by oneDNN.
 *
 * A product or a conversion of weights is made at its first use and kept, with memory objects that are
 * pointed at each call's operands; the library's workspace is ours, one for all. What `form` makes and
 * what a product with b_formed expects must be one format: both ask the library for the product of NOMINAL_M
 * rows by one thread.
 */
#include "onednn_in.h"

#include "products.h"

#include <colophon/base/memory.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Of whatever OpenMP the library runs on; NULL where it runs on something else. */
extern void omp_set_num_threads(int n) __attribute__((weak));
extern int omp_get_max_threads(void) __attribute__((weak));

enum { NOMINAL_M = 1024, MAX_PRODUCTS = 512, MAX_FORMS = 512 };

typedef struct product {
    cph_product shape;
    unsigned n_threads;
    dnnl_primitive_t run;
    dnnl_memory_t a, b, bias, c, work;
    size_t work_bytes;
} product;

typedef struct form {
    cph_dtype type;
    uint32_t k, n;
    bool turned;
    unsigned n_threads;
    dnnl_primitive_t run;
    dnnl_memory_t from, to, work;
    size_t work_bytes;
} form;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static dnnl_engine_t engine;
static dnnl_stream_t stream;
static product products[MAX_PRODUCTS];
static form forms[MAX_FORMS];
static size_t n_products, n_forms;
static void *work;
static size_t work_size;
static char version[32];
static cph_products_warn_fn tell;

/* ---- statuses ---- */

static cph_status failed(dnnl_status_t s, const char *what, cph_err *err)
{
    if (s == dnnl_success) return CPH_OK;
    if (s == dnnl_unimplemented)
        return cph_fail(err, CPH_NO, "oneDNN %s: %s: not to be had on this processor", version, what);
    if (s == dnnl_out_of_memory)
        return cph_fail(err, CPH_NOMEM, "oneDNN %s: %s: out of memory", version, what);
    return cph_fail(err, CPH_BUG, "oneDNN %s: %s: status %d", version, what, (int)s);
}

static void name_of(const cph_product *p, char what[96])
{
    snprintf(what, 96, "the %s product %ux%ux%u", p->type == CPH_F32 ? "fp32" : "bf16", p->m, p->n, p->k);
}

static cph_status failed_product(dnnl_status_t s, const cph_product *p, cph_err *err)
{
    char what[96];
    name_of(p, what);
    return failed(s, what, err);
}

/* The library has an implementation for everything; where it has no other, a training would seem to hang. */
static void warn_of_reference(const cph_product *p, const_dnnl_primitive_desc_t pd)
{
    const char *name = "";
    char what[96], text[192];
    dnnl_status_t s = dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name);
    if (s != dnnl_success || strncmp(name, "ref", 3) != 0) return;
    name_of(p, what);
    snprintf(text, sizeof text, "oneDNN %s has only its plain reference for %s: this takes long", version,
             what);
    tell(text);
}

#define TRY(call)                                                                                  \
    do {                                                                                           \
        dnnl_status_t try_s_ = (call);                                                             \
        if (try_s_ != dnnl_success) return try_s_;                                                 \
    } while (0)

/* ---- threads: the library takes what OpenMP says at the call; the caller's own setting comes back ---- */

static int use_threads(unsigned n)
{
    int before = omp_get_max_threads ? omp_get_max_threads() : 0;
    if (omp_set_num_threads) omp_set_num_threads((int)n);
    return before;
}

static void use_threads_again(int before)
{
    if (omp_set_num_threads && before > 0) omp_set_num_threads(before);
}

/* ---- descriptions ---- */

static dnnl_data_type_t type_of(cph_dtype t) { return t == CPH_F32 ? dnnl_f32 : dnnl_bf16; }

/* rows x columns; turned: stored as [columns, rows]. */
static dnnl_status_t matrix(desc *d, int64_t rows, int64_t columns, dnnl_data_type_t type, bool turned)
{
    dnnl_dims_t dims = {rows, columns}, strides = {turned ? 1 : columns, turned ? rows : 1};
    return desc_strided(d, dims, type, strides);
}

static dnnl_status_t attributes(dnnl_primitive_attr_t *out, bool adds)
{
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t ops;
    TRY(dnnl_primitive_attr_create(&attr));
    dnnl_status_t s = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (s == dnnl_success && adds) {
        s = dnnl_post_ops_create(&ops);
        if (s == dnnl_success) {
            s = add_to_result(ops);
            if (s == dnnl_success) s = dnnl_primitive_attr_set_post_ops(attr, ops);
            dnnl_post_ops_destroy(ops);
        }
    }
    if (s == dnnl_success) *out = attr;
    else dnnl_primitive_attr_destroy(attr);
    return s;
}

/* The form of a weight [k,n]; *plain: it is the floats as they lie. */
static dnnl_status_t form_desc(desc *out, bool *plain, cph_dtype type, uint32_t k, uint32_t n)
{
    desc a = {0}, any = {0}, c = {0}, flat = {0};
    dnnl_dims_t dims = {k, n};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    int before = use_threads(1);
    dnnl_status_t s = matrix(&a, NOMINAL_M, k, type_of(type), false);
    if (s == dnnl_success) s = desc_any(&any, dims, type_of(type));
    if (s == dnnl_success) s = matrix(&c, NOMINAL_M, n, type_of(type), false);
    if (s == dnnl_success) s = matrix(&flat, k, n, type_of(type), false);
    if (s == dnnl_success) s = attributes(&attr, false);
    if (s == dnnl_success) s = product_desc(&pd, engine, &a, &any, NULL, &c, attr);
    if (s == dnnl_success) {
        desc_view chosen = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
        *plain = type == CPH_F32 && dnnl_memory_desc_equal(chosen, view(&flat));
        s = desc_copy(out, chosen);
    }
    use_threads_again(before);
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (attr) dnnl_primitive_attr_destroy(attr);
    desc_release(&a);
    desc_release(&any);
    desc_release(&c);
    desc_release(&flat);
    return s;
}

/* ---- making and keeping ---- */

static dnnl_status_t memory_of(dnnl_memory_t *out, const desc *d)
{
    return dnnl_memory_create(out, view(d), engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t finish(dnnl_primitive_desc_t pd, dnnl_primitive_t *run, dnnl_memory_t *workspace,
                            size_t *bytes)
{
    desc_view w = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    *bytes = w ? dnnl_memory_desc_get_size(w) : 0;
    if (*bytes) TRY(dnnl_memory_create(workspace, w, engine, DNNL_MEMORY_NONE));
    return dnnl_primitive_create(run, pd);
}

static void release_product(product *p)
{
    dnnl_memory_t all[] = {p->a, p->b, p->bias, p->c, p->work};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]) dnnl_memory_destroy(all[i]);
    if (p->run) dnnl_primitive_destroy(p->run);
    memset(p, 0, sizeof *p);
}

static dnnl_status_t make_with(product *p, const desc d[4], dnnl_primitive_attr_t attr)
{
    dnnl_primitive_desc_t pd;
    TRY(memory_of(&p->a, &d[0]));
    TRY(memory_of(&p->b, &d[1]));
    if (p->shape.has_bias) TRY(memory_of(&p->bias, &d[2]));
    TRY(memory_of(&p->c, &d[3]));
    TRY(product_desc(&pd, engine, &d[0], &d[1], p->shape.has_bias ? &d[2] : NULL, &d[3], attr));
    warn_of_reference(&p->shape, pd);
    dnnl_status_t s = finish(pd, &p->run, &p->work, &p->work_bytes);
    dnnl_primitive_desc_destroy(pd);
    return s;
}

static dnnl_status_t make_product(product *p)
{
    const cph_product *g = &p->shape;
    dnnl_data_type_t type = type_of(g->type);
    desc d[4]; /* A, B, bias, C */
    dnnl_primitive_attr_t attr = NULL;
    bool plain;
    memset(d, 0, sizeof d);
    dnnl_status_t s = matrix(&d[0], g->m, g->k, type, g->a_turned);
    if (s == dnnl_success && g->b_formed) s = form_desc(&d[1], &plain, g->type, g->k, g->n);
    else if (s == dnnl_success) s = matrix(&d[1], g->k, g->n, type, g->b_turned);
    if (s == dnnl_success) s = matrix(&d[2], 1, g->n, dnnl_f32, false);
    if (s == dnnl_success) s = matrix(&d[3], g->m, g->n, g->c_real ? dnnl_f32 : type, false);
    if (s == dnnl_success) s = attributes(&attr, g->adds);
    if (s == dnnl_success) s = make_with(p, d, attr);
    if (attr) dnnl_primitive_attr_destroy(attr);
    for (size_t i = 0; i < 4; i++) desc_release(&d[i]);
    if (s != dnnl_success) release_product(p);
    return s;
}

static bool same_product(const product *p, const cph_product *g, unsigned n_threads)
{
    const cph_product *s = &p->shape;
    bool b = s->b_formed == g->b_formed && (g->b_formed || s->b_turned == g->b_turned);
    bool c = s->c_real == g->c_real && s->adds == g->adds && s->has_bias == g->has_bias;
    return b && c && s->m == g->m && s->n == g->n && s->k == g->k && s->type == g->type &&
           s->a_turned == g->a_turned && p->n_threads == n_threads;
}

/* A decoder may ask for any number of rows: when all places are taken, all are given up. */
static dnnl_status_t find_product(product **out, const cph_product *g, unsigned n_threads)
{
    for (size_t i = 0; i < n_products; i++)
        if (same_product(&products[i], g, n_threads)) {
            *out = &products[i];
            return dnnl_success;
        }
    if (n_products == MAX_PRODUCTS)
        while (n_products > 0) release_product(&products[--n_products]);
    product *p = &products[n_products];
    *p = (product){.shape = *g, .n_threads = n_threads};
    TRY(make_product(p));
    n_products++;
    *out = p;
    return dnnl_success;
}

static void release_form(form *f)
{
    dnnl_memory_t all[] = {f->from, f->to, f->work};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]) dnnl_memory_destroy(all[i]);
    if (f->run) dnnl_primitive_destroy(f->run);
    memset(f, 0, sizeof *f);
}

static dnnl_status_t make_form_with(form *f, const desc *from, const desc *to, dnnl_primitive_attr_t attr)
{
    dnnl_primitive_desc_t pd;
    TRY(memory_of(&f->from, from));
    TRY(memory_of(&f->to, to));
    TRY(dnnl_reorder_primitive_desc_create(&pd, view(from), engine, view(to), engine, attr));
    dnnl_status_t s = finish(pd, &f->run, &f->work, &f->work_bytes);
    dnnl_primitive_desc_destroy(pd);
    return s;
}

static dnnl_status_t make_form(form *f)
{
    desc from = {0}, to = {0};
    bool plain;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t s = matrix(&from, f->k, f->n, dnnl_f32, f->turned);
    if (s == dnnl_success) s = form_desc(&to, &plain, f->type, f->k, f->n);
    if (s == dnnl_success) s = attributes(&attr, false);
    if (s == dnnl_success) s = make_form_with(f, &from, &to, attr);
    if (attr) dnnl_primitive_attr_destroy(attr);
    desc_release(&from);
    desc_release(&to);
    if (s != dnnl_success) release_form(f);
    return s;
}

static dnnl_status_t find_form(form **out, const form *like)
{
    for (size_t i = 0; i < n_forms; i++) {
        form *f = &forms[i];
        if (f->type == like->type && f->k == like->k && f->n == like->n && f->turned == like->turned &&
            f->n_threads == like->n_threads) {
            *out = f;
            return dnnl_success;
        }
    }
    if (n_forms == MAX_FORMS)
        while (n_forms > 0) release_form(&forms[--n_forms]);
    form *f = &forms[n_forms];
    *f = *like;
    TRY(make_form(f));
    n_forms++;
    *out = f;
    return dnnl_success;
}

/* ---- running ---- */

static dnnl_status_t want_work(size_t bytes)
{
    void *more;
    if (bytes <= work_size) return dnnl_success;
    if (cph_alloc(&more, bytes, NULL) != CPH_OK) return dnnl_out_of_memory;
    cph_free(work);
    work = more;
    work_size = bytes;
    return dnnl_success;
}

typedef struct argument {
    int name;
    dnnl_memory_t memory; /* NULL: none */
    const void *at;
} argument;

static dnnl_status_t execute(dnnl_primitive_t run, const argument *args, int n)
{
    dnnl_exec_arg_t given[8];
    int n_given = 0;
    for (int i = 0; i < n; i++) {
        void *at;
        if (!args[i].memory) continue;
        memcpy(&at, &args[i].at, sizeof at); /* the library has no pointers to const */
        TRY(dnnl_memory_set_data_handle(args[i].memory, at));
        given[n_given++] = (dnnl_exec_arg_t){args[i].name, args[i].memory};
    }
    TRY(dnnl_primitive_execute(run, stream, n_given, given));
    return dnnl_stream_wait(stream);
}

static dnnl_status_t run_product(const cph_product *g, const cph_operands *o, unsigned n_threads)
{
    product *p;
    TRY(find_product(&p, g, n_threads));
    TRY(want_work(p->work_bytes));
    argument args[] = {{DNNL_ARG_SRC, p->a, o->a},
                       {DNNL_ARG_WEIGHTS, p->b, o->b},
                       {DNNL_ARG_BIAS, p->bias, o->bias},
                       {DNNL_ARG_DST, p->c, o->c},
                       {DNNL_ARG_SCRATCHPAD, p->work, work}};
    return execute(p->run, args, sizeof args / sizeof *args);
}

static cph_status multiply(const cph_product *g, const cph_operands *o, unsigned n_threads, cph_err *err)
{
    pthread_mutex_lock(&lock);
    int before = use_threads(n_threads);
    dnnl_status_t s = run_product(g, o, n_threads);
    use_threads_again(before);
    pthread_mutex_unlock(&lock);
    return failed_product(s, g, err);
}

static cph_status form_bytes(size_t *bytes, cph_dtype type, uint32_t k, uint32_t n, cph_err *err)
{
    desc d = {0};
    bool plain = false;
    pthread_mutex_lock(&lock);
    dnnl_status_t s = form_desc(&d, &plain, type, k, n);
    if (s == dnnl_success) *bytes = plain ? 0 : dnnl_memory_desc_get_size(view(&d));
    desc_release(&d);
    pthread_mutex_unlock(&lock);
    return failed(s, "a weight's form", err);
}

static dnnl_status_t run_form(const form *like, const float *w, void *formed)
{
    form *f;
    TRY(find_form(&f, like));
    TRY(want_work(f->work_bytes));
    argument args[] = {{DNNL_ARG_FROM, f->from, w},
                       {DNNL_ARG_TO, f->to, formed},
                       {DNNL_ARG_SCRATCHPAD, f->work, work}};
    return execute(f->run, args, sizeof args / sizeof *args);
}

static cph_status form_weight(const float *w, bool turned, cph_dtype type, uint32_t k, uint32_t n,
                              void *formed, unsigned n_threads, cph_err *err)
{
    form like = {.type = type, .k = k, .n = n, .turned = turned, .n_threads = n_threads};
    pthread_mutex_lock(&lock);
    int before = use_threads(n_threads);
    dnnl_status_t s = run_form(&like, w, formed);
    use_threads_again(before);
    pthread_mutex_unlock(&lock);
    return failed(s, "forming a weight", err);
}

/* ---- the door ---- */

CPH_API cph_status cph_products_open(const cph_products **out, cph_products_warn_fn warn, cph_err *err);

cph_status cph_products_open(const cph_products **out, cph_products_warn_fn warn, cph_err *err)
{
    static cph_products table = {CPH_PRODUCTS_ABI, version, multiply, form_bytes, form_weight};
    const dnnl_version_t *v = dnnl_version();
    snprintf(version, sizeof version, "%d.%d.%d", v->major, v->minor, v->patch);
    if (v->major != DNNL_VERSION_MAJOR)
        return cph_fail(err, CPH_IO, "libcolophon-onednn.so was built for oneDNN %d, here is %s",
                        DNNL_VERSION_MAJOR, version);
    tell = warn;
    if (!engine) {
        dnnl_status_t s = dnnl_engine_create(&engine, dnnl_cpu, 0);
        if (s == dnnl_success) s = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
        CPH_TRY(failed(s, "starting", err));
    }
    *out = &table;
    return CPH_OK;
}
