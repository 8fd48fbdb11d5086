/* SPDX-License-Identifier: Apache-2.0 */
/*
 * products.h - matrix products by a library: what a plug-in gives (src/tensor/onednn), and the
 * engine's side of it (products.c).
 *
 * Threads  One product at a time in a process; the plug-in locks. Inside it the library's own threads
 *          work, as many as it is told.
 */
#ifndef CPH_TENSOR_PRODUCTS_H
#define CPH_TENSOR_PRODUCTS_H

#include <colophon/tensor/op.h>

#define CPH_PRODUCTS_ABI 1

/* C[m,n] = A[m,k] B[k,n] (+ bias[n]), or added to what C holds. All lie densely. */
typedef struct cph_product {
    uint32_t m, n, k;
    cph_dtype type; /* of A and B, and of C unless c_real */
    bool a_turned, b_turned; /* stored as [k,m], [n,k] */
    bool b_formed;           /* B is what `form` made */
    bool c_real, adds, has_bias;
} cph_product;

typedef struct cph_operands {
    const void *a, *b;
    const float *bias;
    void *c;
} cph_operands;

typedef struct cph_products {
    unsigned abi;
    const char *version; /* of the library that runs: "2.6.3" */
    /* What a product of this shape needs is made at its first use and kept. */
    cph_status (*multiply)(const cph_product *p, const cph_operands *o, unsigned n_threads, cph_err *err);
    /* Bytes of a weight [k,n] in the library's own form; 0: it reads the floats as well where they lie. */
    cph_status (*form_bytes)(size_t *bytes, cph_dtype type, uint32_t k, uint32_t n, cph_err *err);
    /* w is [k,n], or turned [n,k]. */
    cph_status (*form)(const float *w, bool turned, cph_dtype type, uint32_t k, uint32_t n, void *formed,
                       unsigned n_threads, cph_err *err);
} cph_products;
/* The function cph_products_open of a plug-in. */
typedef void (*cph_products_warn_fn)(const char *text);
typedef cph_status (*cph_products_open_fn)(const cph_products **out, cph_products_warn_fn warn, cph_err *err);

/* What exec.c asks of a backend that has products. False: the record is none of a product's. */
bool cph_products_forward(cph_exec *x, const cph_op *op);
bool cph_products_backward(cph_exec *x, const cph_op *op);
size_t cph_products_pack_bytes(const cph_backend *b, cph_dtype dtype, uint32_t in, uint32_t out);
void cph_products_pack(cph_exec *x, cph_dtype dtype, const float *w, uint32_t in, uint32_t out, bool out_in,
                       void *packed);

#endif
