/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gemm.h - who multiplies matrices: we, or a library in a plug-in.
 *
 * With oneDNN (libcolophon-onednn.so) the products of linear and of the output layer are the library's,
 * everything else ours. It is the measured rival inside the same program, and the way to AMX.
 *
 * Invariant  Products of a library promise no bits (engine 8): a run states the library and its version
 *            as its arithmetic, and cannot be replayed. Weights must be packed (cph_pack_weight) in bf16.
 * Threads    One product at a time in a process.
 * Errors     CPH_IO where the plug-in is not there; CPH_NO where the library has no products of the type for
 *            this processor.
 */
#ifndef CPH_TENSOR_GEMM_H
#define CPH_TENSOR_GEMM_H

#include <colophon/tensor/op.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cph_gemm { CPH_GEMM_OWN, CPH_GEMM_ONEDNN } cph_gemm;

/* `native` with oneDNN's products for records of dtype. */
CPH_API cph_status cph_backend_onednn(const cph_backend **out, const cph_backend *native, cph_dtype dtype,
                                      cph_err *err) CPH_MUST_USE;
/* Of the oneDNN that the plug-in has: "2.6.3". */
CPH_API cph_status cph_onednn_version(const char **out, cph_err *err) CPH_MUST_USE;
/* "onednn-2.6.3-bf16" where a library multiplies; NULL: we do. */
CPH_API const char *cph_backend_arith(const cph_backend *b);
/* Matrix units of x86 for bf16 and bytes that the system lets programs use. */
CPH_API bool cph_processor_has_amx(void);

#ifdef __cplusplus
}
#endif
#endif
