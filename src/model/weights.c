/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weights.c - model.safetensors in and out, by Hugging Face names. Every stored tensor
 * is known, skipped by the family, or an error; every parameter is found exactly once.
 */
#include "model_in.h"

#include <colophon/base/file.h>
#include <colophon/base/memory.h>
#include <colophon/format/safetensors.h>

#include <string.h>

static cph_status check_shape(const cph_param *p, const cph_st_tensor *t, cph_err *err)
{
    bool same = t->n_dims == p->n_dims;
    for (unsigned i = 0; same && i < p->n_dims; i++) same = t->dims[i] == p->dims[i];
    if (same) return CPH_OK;
    return cph_fail(err, CPH_DATA, "model.safetensors: tensor %.*s: %u dimensions, first %llu; "
                    "config.json wants %u, first %u",
                    CPH_FMT(t->name), t->n_dims, (unsigned long long)(t->n_dims ? t->dims[0] : 0), p->n_dims,
                    p->dims[0]);
}

static cph_status load_all(cph_model *m, const cph_safetensors *f, uint8_t *seen, cph_err *err)
{
    for (size_t i = 0; i < cph_safetensors_n(f); i++) {
        const cph_st_tensor *t = cph_safetensors_at(f, i);
        char name[256];
        if (!m->family->stored_name(m, t->name, name)) continue;
        const cph_param *p = cph_registry_find(&m->params, cph_str_of(name));
        if (!p)
            return cph_fail(err, CPH_DATA, "model.safetensors: tensor %.*s: no parameter of this %s",
                            CPH_FMT(t->name), m->family->name);
        if (seen[p - m->params.items]++)
            return cph_fail(err, CPH_DATA, "model.safetensors: tensor %s stands twice", p->name);
        CPH_TRY(check_shape(p, t, err));
        CPH_TRY(cph_st_read_f32(t, m->weights + p->offset, err));
    }
    for (size_t i = 0; i < m->params.n; i++)
        if (!seen[i])
            return cph_fail(err, CPH_DATA, "model.safetensors: tensor %s is missing",
                            m->params.items[i].name);
    return CPH_OK;
}

static cph_status open_file(cph_safetensors **out, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_path_join(path, dir, "pytorch_model.bin", err));
    bool pickled = cph_file_kind_of(path) != CPH_FILE_NONE;
    CPH_TRY(cph_path_join(path, dir, "model.safetensors", err));
    if (!pickled || cph_file_kind_of(path) != CPH_FILE_NONE) return cph_safetensors_open(out, path, err);
    cph_fail(err, CPH_DATA, "%s: has pytorch_model.bin and no model.safetensors", dir);
    return cph_hint(err, "a pickle can run code when it is read, so it is refused; convert it to safetensors");
}

cph_status cph_weights_load(cph_model *m, const char *dir, cph_err *err)
{
    cph_safetensors *f;
    void *seen;
    CPH_TRY(open_file(&f, dir, err));
    cph_status s = cph_alloc0(&seen, m->params.n, err);
    if (s == CPH_OK) {
        s = load_all(m, f, seen, err);
        cph_free(seen);
    }
    cph_safetensors_close(f);
    cph_model_weights_changed(m);
    return s;
}

cph_status cph_weights_untie(cph_model *m, const char *dir, cph_err *err)
{
    cph_safetensors *f;
    CPH_TRY(open_file(&f, dir, err));
    const cph_st_tensor *head = cph_safetensors_find(f, CPH_STR("lm_head.weight"));
    const cph_st_tensor *embedding = cph_safetensors_find(f, CPH_STR("transformer.wte.weight"));
    if (!embedding) embedding = cph_safetensors_find(f, CPH_STR("wte.weight"));
    bool differs = head && embedding && head->type == embedding->type &&
                   (head->n_bytes != embedding->n_bytes || memcmp(head->data, embedding->data,
                                                                  head->n_bytes) != 0);
    cph_safetensors_close(f);
    return differs ? cph_config_set(m, "tie_word_embeddings", "false", err) : CPH_OK;
}

cph_status cph_weights_save(const cph_model *m, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    void *mem;
    CPH_TRY(cph_path_join(path, dir, "model.safetensors", err));
    CPH_TRY(cph_alloc0(&mem, m->params.n * sizeof(cph_st_tensor), err));
    cph_st_tensor *tensors = mem;
    for (size_t i = 0; i < m->params.n; i++) {
        const cph_param *p = &m->params.items[i];
        tensors[i] = (cph_st_tensor){.name = cph_str_of(p->name), .type = CPH_ST_F32, .n_dims = p->n_dims};
        for (unsigned d = 0; d < p->n_dims; d++) tensors[i].dims[d] = p->dims[d];
        tensors[i].data = (const uint8_t *)(m->weights + p->offset);
    }
    cph_status s = cph_safetensors_write(path, tensors, m->params.n, err);
    cph_free(tensors);
    return s;
}
