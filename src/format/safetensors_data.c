/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors_data.c - elements out of a file in the type that the caller works with,
 * and the writer. Stored numbers are little-endian and may be unaligned.
 */
#include "safetensors_in.h"

#include <colophon/base/json.h>
#include <colophon/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t load(const uint8_t *p, unsigned n_bytes)
{
    uint64_t v = 0;
    for (unsigned i = n_bytes; i-- > 0;) v = v << 8 | p[i];
    return v;
}

static float f32_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static float f32_of_half(uint32_t h)
{
    uint32_t sign = (h & 0x8000u) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ffu;
    if (exponent == 31) return f32_of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent) return f32_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float f = (float)fraction * 0x1p-24f;
    return sign ? -f : f;
}

static float f32_of_double(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return (float)d;
}

cph_status cph_st_read_f32(const cph_st_tensor *t, float *out, cph_err *err)
{
    unsigned size = cph_st_bits[t->type] / 8u;
    switch (t->type) {
    case CPH_ST_F32:
        for (uint64_t i = 0; i < t->n; i++) out[i] = f32_of_bits((uint32_t)load(t->data + 4 * i, 4));
        return CPH_OK;
    case CPH_ST_F16:
        for (uint64_t i = 0; i < t->n; i++) out[i] = f32_of_half((uint32_t)load(t->data + 2 * i, 2));
        return CPH_OK;
    case CPH_ST_BF16:
        for (uint64_t i = 0; i < t->n; i++) out[i] = f32_of_bits((uint32_t)load(t->data + 2 * i, 2) << 16);
        return CPH_OK;
    case CPH_ST_F64:
        for (uint64_t i = 0; i < t->n; i++) out[i] = f32_of_double(load(t->data + size * i, 8));
        return CPH_OK;
    default:
        return cph_fail(err, CPH_DATA, "tensor %.*s: weights of type %s are not read; "
                        "F16, BF16, F32 and F64 are",
                        CPH_FMT(t->name), cph_st_type_name(t->type));
    }
}

cph_status cph_st_read_i64(const cph_st_tensor *t, int64_t *out, cph_err *err)
{
    unsigned bits = cph_st_bits[t->type];
    bool is_signed = t->type == CPH_ST_I64 || t->type == CPH_ST_I32 || t->type == CPH_ST_I16 ||
                     t->type == CPH_ST_I8;
    bool is_unsigned = t->type == CPH_ST_U64 || t->type == CPH_ST_U32 || t->type == CPH_ST_U16 ||
                       t->type == CPH_ST_U8 || t->type == CPH_ST_BOOL;
    if (!is_signed && !is_unsigned)
        return cph_fail(err, CPH_DATA, "tensor %.*s: %s is no integer type", CPH_FMT(t->name),
                        cph_st_type_name(t->type));
    for (uint64_t i = 0; i < t->n; i++)
        if (t->type == CPH_ST_U64 && load(t->data + 8 * i, 8) > INT64_MAX)
            return cph_fail(err, CPH_DATA, "tensor %.*s: a number beyond 2^63-1", CPH_FMT(t->name));
    for (uint64_t i = 0; i < t->n; i++) {
        uint64_t v = load(t->data + bits / 8 * i, bits / 8);
        if (is_signed && bits < 64 && v >> (bits - 1)) v |= UINT64_MAX << bits;
        out[i] = (int64_t)v;
    }
    return CPH_OK;
}

/* ---- the writer ---- */

static int cmp_write_order(const void *a, const void *b)
{
    const cph_st_tensor *x = a, *y = b;
    if (x->type != y->type) return x->type < y->type ? -1 : 1;
    return cph_str_cmp(x->name, y->name);
}

static cph_status write_entry(cph_jw *w, const cph_st_tensor *t, uint64_t *at, cph_buf *name, cph_err *err)
{
    name->n = 0;
    CPH_TRY(cph_buf_str(name, t->name, err));
    cph_jw_key(w, name->p);
    cph_jw_obj(w);
    cph_jw_key(w, "dtype");
    cph_jw_z(w, cph_st_type_name(t->type));
    cph_jw_key(w, "shape");
    cph_jw_arr(w);
    for (unsigned i = 0; i < t->n_dims; i++) cph_jw_u64(w, t->dims[i]);
    cph_jw_end(w);
    cph_jw_key(w, "data_offsets");
    cph_jw_arr(w);
    cph_jw_u64(w, *at);
    *at += t->n_bytes;
    cph_jw_u64(w, *at);
    cph_jw_end(w);
    cph_jw_end(w);
    return CPH_OK;
}

/* The length, the JSON, and blanks up to a multiple of 8. */
static cph_status header_of(cph_buf *b, const cph_st_tensor *tensors, size_t n, cph_err *err)
{
    uint64_t at = 0;
    cph_buf name;
    cph_buf_init(&name, 65536);
    CPH_TRY(cph_buf_add(b, "\0\0\0\0\0\0\0", 8, err));
    cph_jw w = cph_jw_on(b);
    cph_jw_obj(&w);
    cph_jw_key(&w, "__metadata__");
    cph_jw_obj(&w);
    cph_jw_key(&w, "format");
    cph_jw_z(&w, "pt");
    cph_jw_end(&w);
    cph_status s = CPH_OK;
    for (size_t i = 0; i < n && s == CPH_OK; i++) s = write_entry(&w, &tensors[i], &at, &name, err);
    cph_buf_release(&name);
    CPH_TRY(s);
    cph_jw_end(&w);
    CPH_TRY(cph_jw_done(&w, err));
    while (b->n % 8) CPH_TRY(cph_buf_char(b, ' ', err));
    for (unsigned i = 0; i < 8; i++) b->p[i] = (char)((b->n - 8) >> (8 * i) & 0xff);
    return CPH_OK;
}

static cph_status check_names(const cph_st_tensor *sorted, size_t n, cph_err *err)
{
    for (size_t i = 1; i < n; i++)
        if (sorted[i].type == sorted[i - 1].type && cph_str_eq(sorted[i].name, sorted[i - 1].name))
            return cph_fail(err, CPH_BUG, "tensor %.*s is written twice", CPH_FMT(sorted[i].name));
    return CPH_OK;
}

static cph_status write_data(void *ctx, const cph_st_tensor *t, cph_out *file, cph_err *err)
{
    (void)ctx;
    return cph_out_write(file, t->data, t->n_bytes, err);
}

typedef struct data_source {
    cph_st_source fn;
    void *ctx;
} data_source;

static cph_status write_all(const char *path, const cph_st_tensor *sorted, size_t n, const cph_buf *header,
                            data_source from, cph_err *err)
{
    cph_out o;
    CPH_TRY(cph_out_open(&o, path, err));
    cph_status s = cph_out_write(&o, header->p, header->n, err);
    for (size_t i = 0; i < n && s == CPH_OK; i++) {
        uint64_t end = o.n_bytes + sorted[i].n_bytes;
        s = from.fn(from.ctx, &sorted[i], &o, err);
        if (s == CPH_OK && o.n_bytes != end)
            s = cph_fail(err, CPH_BUG, "tensor %.*s: another number of bytes was written", CPH_FMT(sorted[i].name));
    }
    if (s == CPH_OK) s = cph_out_close(&o, err);
    else cph_out_abandon(&o);
    return s;
}

cph_status cph_safetensors_write(const char *path, const cph_st_tensor *tensors, size_t n, cph_err *err)
{
    return cph_safetensors_write_from(path, tensors, n, write_data, NULL, err);
}

cph_status cph_safetensors_write_from(const char *path, const cph_st_tensor *tensors, size_t n,
                                      cph_st_source source, void *ctx, cph_err *err)
{
    char tmp[CPH_PATH_MAX];
    void *mem;
    if (snprintf(tmp, sizeof tmp, "%s.tmp", path) >= (int)sizeof tmp)
        return cph_fail(err, CPH_USAGE, "%.200s: the path is too long", path);
    CPH_TRY(cph_alloc_n(&mem, n + 1, sizeof *tensors, err));
    cph_st_tensor *sorted = mem;
    cph_buf header;
    cph_buf_init(&header, CPH_ST_MAX_HEADER);
    cph_status s = CPH_OK;
    if (n) memcpy(sorted, tensors, n * sizeof *tensors);
    for (size_t i = 0; i < n && s == CPH_OK; i++)
        if (!cph_st_sizes(&sorted[i])) s = cph_fail(err, CPH_BUG, "tensor %.*s: shape",
                                                    CPH_FMT(sorted[i].name));
    if (s != CPH_OK) goto fail;
    qsort(sorted, n, sizeof *sorted, cmp_write_order);
    CPH_TRY_GOTO(s, check_names(sorted, n, err), fail);
    CPH_TRY_GOTO(s, header_of(&header, sorted, n, err), fail);
    CPH_TRY_GOTO(s, write_all(tmp, sorted, n, &header, (data_source){source, ctx}, err), fail);
    if (rename(tmp, path) != 0) s = cph_fail_errno(err, "%s: rename", path);
fail:
    if (s != CPH_OK) remove(tmp);
    cph_buf_release(&header);
    cph_free(sorted);
    return s;
}
