/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_in.h - what a family gives and what the model's files share.
 */
#ifndef CPH_MODEL_IN_H
#define CPH_MODEL_IN_H

#include <colophon/model/model.h>
#include <colophon/nn/tape.h>

/* Where the inputs of a pass lie: fixed for the life of a step or decoder. */
typedef struct model_inputs {
    const uint32_t *ids, *positions;
    const int32_t *labels;
    const float *inv_labels;
    const cph_draw *draw;
    uint32_t B, T;
    bool keep;
    uint32_t recompute_from, recompute_to; /* layers */
} model_inputs;

typedef struct model_outputs {
    cph_tensor losses, logits;
    cph_tensor *hidden; /* [n_layer + 1], or NULL when nobody asks */
} model_outputs;

/* How the GEMM reads a parameter as a weight. */
typedef struct model_pack {
    bool wanted, out_in;
    uint32_t in, out;
} model_pack;

typedef struct model_family {
    const char *name; /* model_type of config.json */
    /* Resolves m->config (defaults set, aliases renamed) into m->shape and fills the registry. */
    cph_status (*build)(cph_model *m, cph_err *err);
    void (*record)(const cph_model *m, cph_tape *t, const model_inputs *in, model_outputs *out);
    /* Decoding: rows are new tokens of one sequence; the last node gives the logits of one row. */
    cph_tensor (*record_decode)(const cph_model *m, cph_tape *t, const model_inputs *in);
    /* Names of files: what the registry calls a stored tensor, or false for one to be skipped. */
    bool (*stored_name)(const cph_model *m, cph_str stored, char out[256]);
} model_family;
extern const model_family cph_family_gpt2;

typedef struct gpt2_layer {
    uint32_t ln_1_w, ln_1_b, attn_w, attn_b, attn_proj_w, attn_proj_b, ln_2_w, ln_2_b, fc_w, fc_b, proj_w,
        proj_b;
} gpt2_layer;
typedef struct gpt2 {
    uint32_t vocab, positions, width, n_layer, n_head, inner;
    double norm_eps, resid_drop, embd_drop, attn_drop, init_std;
    bool scale_attn, scale_by_layer, tied;
    cph_act act;
    uint32_t wte, wpe, ln_f_w, ln_f_b, head;
    gpt2_layer *layers;
} gpt2;

struct cph_model {
    const model_family *family;
    cph_arith arith;
    const cph_backend *backend; /* for arith */
    cph_arena arena; /* config tree, family tables */
    cph_json *config;
    cph_json *generation; /* generation_config.json as read, or NULL */
    gpt2 gpt2;
    uint32_t vocab, positions, n_layer, width, kv_width;
    int64_t eos;
    cph_registry params;
    float *weights;
    model_pack *packs; /* by parameter */
    void **packed;     /* by parameter; pointers into packed_arena, NULL where not packed */
    void *packed_arena;
    uint64_t version, packed_version; /* of the weights */
};

/* config.c */
cph_status cph_config_copy(cph_json **out, const cph_json *v, cph_arena *a, cph_err *err);
/* Renames the alias if it stands there; sets `value` (JSON text) where the key is missing. */
cph_status cph_config_default(cph_model *m, const char *key, const char *alias, const char *value,
                              cph_err *err);
cph_status cph_config_set(cph_model *m, const char *key, const char *value, cph_err *err);
cph_status cph_config_u32(const cph_model *m, const char *key, uint32_t min, uint32_t max, uint32_t *out,
                          cph_err *err);
cph_status cph_config_double(const cph_model *m, const char *key, double min, double max, double *out,
                             cph_err *err);
cph_status cph_config_bool(const cph_model *m, const char *key, bool *out, cph_err *err);
cph_status cph_config_write(const cph_model *m, const char *dir, cph_err *err);

/* weights.c */
cph_status cph_weights_load(cph_model *m, const char *dir, cph_err *err);
cph_status cph_weights_save(const cph_model *m, const char *dir, cph_err *err);
/* A file that stores a head different from the embedding is not tied, whatever the config says. */
cph_status cph_weights_untie(cph_model *m, const char *dir, cph_err *err);

/* model.c: brings the packed weights up to date with the weights. */
cph_status cph_model_pack_alloc(cph_model *m, cph_err *err);
size_t cph_model_packed_bytes(const cph_model *m);
void cph_model_pack(cph_model *m, cph_exec *x);

#endif
