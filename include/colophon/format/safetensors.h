/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors.h - read and write safetensors files (text-models 3).
 *
 * Reading checks the whole header before it gives out a pointer: sizes, overlaps,
 * holes, names, types. Data are used where they lie in the mapped file.
 *
 * Invariant  What cph_safetensors_at returns lies inside the file and has exactly the
 *            bytes that its shape and type need.
 * Threads    An opened file is immutable and may be shared.
 * Memory     The handle owns the mapping, or borrows the caller's bytes (parse).
 * Errors     CPH_DATA names the file, the tensor and the rule; CPH_IO.
 */
#ifndef CPH_FORMAT_SAFETENSORS_H
#define CPH_FORMAT_SAFETENSORS_H

#include <colophon/base/file.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In the order in which writers put them (text-models 3.4), with bits per element. */
#define CPH_ST_TYPE_MAP(X)                                                                         \
    X(U64, 64) X(I64, 64) X(F64, 64) X(C64, 64) X(F32, 32) X(U32, 32) X(I32, 32) X(BF16, 16)       \
    X(F16, 16) X(U16, 16) X(I16, 16) X(F8_E5M2FNUZ, 8) X(F8_E4M3FNUZ, 8) X(F8_E8M0, 8)             \
    X(F8_E4M3, 8) X(F8_E5M2, 8) X(I8, 8) X(U8, 8) X(F6_E3M2, 6) X(F6_E2M3, 6) X(F4, 4) X(BOOL, 8)

typedef enum cph_st_type {
#define CPH_ST_ENUM(name, bits) CPH_ST_##name,
    CPH_ST_TYPE_MAP(CPH_ST_ENUM)
#undef CPH_ST_ENUM
        CPH_ST_N_TYPES
} cph_st_type;
CPH_API const char *cph_st_type_name(cph_st_type t);

#define CPH_ST_MAX_DIMS 8
typedef struct cph_st_tensor {
    cph_str name;
    cph_st_type type;
    unsigned n_dims; /* 0: a scalar */
    uint64_t dims[CPH_ST_MAX_DIMS];
    uint64_t n;      /* elements */
    const uint8_t *data; /* little-endian, C order; may be unaligned */
    uint64_t n_bytes;
} cph_st_tensor;

typedef struct cph_safetensors cph_safetensors;
CPH_API cph_status cph_safetensors_open(cph_safetensors **out, const char *path, cph_err *err) CPH_MUST_USE;
/* The same over bytes that the caller keeps; `name` stands in messages. */
CPH_API cph_status cph_safetensors_parse(cph_safetensors **out, const uint8_t *p, uint64_t n_bytes,
                                         const char *name, cph_err *err) CPH_MUST_USE;
CPH_API void cph_safetensors_close(cph_safetensors *f); /* NULL is fine */
CPH_API size_t cph_safetensors_n(const cph_safetensors *f);
CPH_API const cph_st_tensor *cph_safetensors_at(const cph_safetensors *f, size_t i); /* in order of offset */
CPH_API const cph_st_tensor *cph_safetensors_find(const cph_safetensors *f, cph_str name); /* NULL: none */
/* A string of __metadata__, or the empty string. */
CPH_API cph_str cph_safetensors_meta(const cph_safetensors *f, const char *key);

/* F16, BF16, F32, F64 as fp32 (F64 rounds to nearest even); CPH_DATA for other types. */
CPH_API cph_status cph_st_read_f32(const cph_st_tensor *t, float *out, cph_err *err) CPH_MUST_USE;
/* I64, I32, U8 and other integers as int64; CPH_DATA for other types and U64 beyond 2^63-1. */
CPH_API cph_status cph_st_read_i64(const cph_st_tensor *t, int64_t *out, cph_err *err) CPH_MUST_USE;

/*
 * Writes the tensors, in any order given, as the rules of 3.4 order them, with
 * metadata {"format":"pt"}; atomically, through "<path>.tmp". n and n_bytes are computed.
 */
CPH_API cph_status cph_safetensors_write(const char *path, const cph_st_tensor *tensors, size_t n,
                                         cph_err *err) CPH_MUST_USE;
/*
 * The same for data that are nowhere whole: `source` writes n_bytes of each tensor into the file, in the
 * file's order. `data` is whatever the source knows the tensor by, and is not read.
 */
typedef cph_status (*cph_st_source)(void *ctx, const cph_st_tensor *t, cph_out *file, cph_err *err);
CPH_API cph_status cph_safetensors_write_from(const char *path, const cph_st_tensor *tensors, size_t n,
                                              cph_st_source source, void *ctx, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
