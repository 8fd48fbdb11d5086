/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - the parameters of a model: what they are called, their shapes, where
 * they lie in the flat arenas, how they begin, how they are trained (engine 4).
 *
 * One registry drives initialisation, loading, saving, optimizer groups and listings.
 *
 * Invariant  Tensors are 64-byte aligned in the arenas; the padding is zero. Tied
 *            tensors are one entry. The order is the order of adding.
 * Threads    Immutable once the model is built.
 * Memory     Owns its entries and names.
 * Errors     CPH_DATA for a shape that does not fit; CPH_NOMEM.
 */
#ifndef CPH_NN_REGISTRY_H
#define CPH_NN_REGISTRY_H

#include <stdbool.h>

#include <colophon/base/arena.h>
#include <colophon/base/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cph_start { CPH_START_ZERO, CPH_START_ONE, CPH_START_NORMAL } cph_start;

typedef struct cph_param {
    const char *name;   /* Hugging Face name */
    unsigned n_dims;
    uint32_t dims[4];
    uint64_t n;         /* elements */
    uint64_t offset;    /* element offset in the flat arenas (64-byte aligned, zero padded) */
    bool decay;         /* weight decay applies (text-models 11.6, HF Trainer) */
    bool trainable;
    bool hidden;        /* a matrix between activations, no embedding and no head: Muon's part (11.5) */
    cph_start start;    /* how initialisation fills it */
    double std;         /* of CPH_START_NORMAL */
} cph_param;

typedef struct cph_registry {
    cph_arena arena;
    cph_param *items;
    size_t n, cap;
    uint64_t flat_len; /* elements of an arena, padding included */
} cph_registry;

CPH_API void cph_registry_init(cph_registry *r);
CPH_API void cph_registry_release(cph_registry *r);
/* Adds a copy; n and offset are computed. *index tells where it stands. */
CPH_API cph_status cph_registry_add(cph_registry *r, const cph_param *p, uint32_t *index,
                                    cph_err *err) CPH_MUST_USE;
CPH_API const cph_param *cph_registry_find(const cph_registry *r, cph_str name); /* NULL: none */
/*
 * Fills the flat arena. Normals come from Box-Muller in double on Philox: key = seed,
 * site CPH_SITE_INIT, slot and step = the halves of XXH3 of the name, element index
 * in Hugging Face layout, so that no other tensor and no thread can change a value.
 */
CPH_API cph_status cph_registry_start(const cph_registry *r, float *flat, uint64_t seed, cph_pool *pool,
                                      cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
