/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onednn_in.h - what differs between the C interfaces of oneDNN 2 and 3: descriptions of memory are
 * structures in 2 and handles in 3, and the description of a product has lost a step.
 */
#ifndef CPH_ONEDNN_IN_H
#define CPH_ONEDNN_IN_H

#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t desc; /* released by desc_release */
typedef const_dnnl_memory_desc_t desc_view;

static inline desc_view view(const desc *d) { return *d; }
static inline void desc_release(desc *d)
{
    if (*d) dnnl_memory_desc_destroy(*d);
    *d = NULL;
}
static inline dnnl_status_t desc_strided(desc *d, const dnnl_dims_t dims, dnnl_data_type_t type,
                                         const dnnl_dims_t strides)
{
    return dnnl_memory_desc_create_with_strides(d, 2, dims, type, strides);
}
static inline dnnl_status_t desc_any(desc *d, const dnnl_dims_t dims, dnnl_data_type_t type)
{
    return dnnl_memory_desc_create_with_tag(d, 2, dims, type, dnnl_format_tag_any);
}
static inline dnnl_status_t desc_copy(desc *d, desc_view of) { return dnnl_memory_desc_clone(d, of); }
static inline dnnl_status_t product_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const desc *a,
                                         const desc *b, const desc *bias, const desc *c,
                                         const_dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(out, engine, *a, *b, bias ? *bias : NULL, *c, attr);
}
static inline dnnl_status_t add_to_result(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef);
}

#else

typedef dnnl_memory_desc_t desc;
typedef const dnnl_memory_desc_t *desc_view;

static inline desc_view view(const desc *d) { return d; }
static inline void desc_release(desc *d) { (void)d; }
static inline dnnl_status_t desc_strided(desc *d, const dnnl_dims_t dims, dnnl_data_type_t type,
                                         const dnnl_dims_t strides)
{
    return dnnl_memory_desc_init_by_strides(d, 2, dims, type, strides);
}
static inline dnnl_status_t desc_any(desc *d, const dnnl_dims_t dims, dnnl_data_type_t type)
{
    return dnnl_memory_desc_init_by_tag(d, 2, dims, type, dnnl_format_tag_any);
}
static inline dnnl_status_t desc_copy(desc *d, desc_view of)
{
    *d = *of;
    return dnnl_success;
}
static inline dnnl_status_t product_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const desc *a,
                                         const desc *b, const desc *bias, const desc *c,
                                         const_dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t d;
    dnnl_status_t s = dnnl_matmul_desc_init(&d, a, b, bias, c);
    return s == dnnl_success ? dnnl_primitive_desc_create(out, &d, attr, engine, NULL) : s;
}
static inline dnnl_status_t add_to_result(dnnl_post_ops_t ops) { return dnnl_post_ops_append_sum(ops, 1); }

#endif
#endif
