/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.c - a model's life: from a config or a directory to arenas, and back to files;
 * the packed form of its weights.
 */
#include "model_in.h"

#include <colophon/base/file.h>
#include <colophon/base/memory.h>

#include <stdio.h>
#include <string.h>

static const model_family *const FAMILIES[] = {&cph_family_gpt2};

static cph_status choose_family(cph_model *m, cph_err *err)
{
    cph_str type = cph_json_get_str(m->config, "model_type");
    for (size_t i = 0; i < sizeof FAMILIES / sizeof *FAMILIES; i++)
        if (type.n == 0 || cph_str_is(type, FAMILIES[i]->name)) {
            m->family = FAMILIES[i];
            return CPH_OK;
        }
    return cph_fail(err, CPH_DATA, "config.json: model_type \"%.*s\" is not built (gpt2 is)", CPH_FMT(type));
}

/* Config tree to shape, registry and arena; `dir` NULL: no file is looked at. */
static cph_status build(cph_model *m, const cph_json *config, const char *dir, cph_err *err)
{
    void *mem;
    if (config->type != CPH_JSON_OBJECT) return cph_fail(err, CPH_DATA, "config.json: not an object");
    CPH_TRY(cph_backend_choose(&m->backend, err));
    CPH_TRY(cph_config_copy(&m->config, config, &m->arena, err));
    CPH_TRY(choose_family(m, err));
    if (dir) CPH_TRY(cph_weights_untie(m, dir, err));
    CPH_TRY(m->family->build(m, err));
    CPH_TRY(cph_alloc_n(&mem, m->params.flat_len, sizeof *m->weights, err));
    m->weights = mem;
    memset(m->weights, 0, m->params.flat_len * sizeof *m->weights);
    m->version = 1;
    return CPH_OK;
}

static cph_status new_model(cph_model **out, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof **out, err));
    *out = mem;
    cph_arena_init(&(*out)->arena, (size_t)256 << 20);
    cph_registry_init(&(*out)->params);
    return CPH_OK;
}

static cph_status start_weights(cph_model *m, uint64_t seed, cph_err *err)
{
    cph_pool *pool;
    CPH_TRY(cph_pool_open(&pool, 0, err));
    cph_status s = cph_registry_start(&m->params, m->weights, seed, pool, err);
    cph_pool_close(pool);
    return s;
}

cph_status cph_model_new(cph_model **out, const cph_json *config, uint64_t seed, cph_err *err)
{
    cph_model *m;
    CPH_TRY(new_model(&m, err));
    cph_status s = build(m, config, NULL, err);
    if (s == CPH_OK) s = start_weights(m, seed, err);
    if (s == CPH_OK) *out = m;
    else cph_model_close(m);
    return s;
}

static cph_status open_dir(cph_model *m, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_json *config;
    CPH_TRY(cph_path_join(path, dir, "config.json", err));
    if (cph_file_kind_of(path) == CPH_FILE_NONE) {
        cph_fail(err, CPH_IO, "%s: no model there (no config.json)", dir);
        (void)cph_hint(err, "colophon train gpt2 makes one; a Hugging Face directory of a GPT-2 is one, too");
        return CPH_IO;
    }
    CPH_TRY(cph_json_read(&config, &m->arena, path, (uint64_t)16 << 20, err));
    CPH_TRY(cph_path_join(path, dir, "generation_config.json", err));
    if (cph_file_kind_of(path) == CPH_FILE_REGULAR)
        CPH_TRY(cph_json_read(&m->generation, &m->arena, path, (uint64_t)16 << 20, err));
    cph_status s = build(m, config, dir, err);
    if (s == CPH_OK) s = cph_weights_load(m, dir, err);
    return s == CPH_DATA ? cph_err_prefix(err, "%s", dir) : s;
}

cph_status cph_model_open(cph_model **out, const char *dir, cph_err *err)
{
    cph_model *m;
    CPH_TRY(new_model(&m, err));
    cph_status s = open_dir(m, dir, err);
    if (s == CPH_OK) *out = m;
    else cph_model_close(m);
    return s;
}

void cph_model_close(cph_model *m)
{
    if (!m) return;
    cph_registry_release(&m->params);
    cph_free(m->weights);
    cph_free(m->packed);
    cph_free(m->packed_arena);
    cph_arena_release(&m->arena);
    cph_free(m);
}

cph_status cph_model_save(const cph_model *m, const char *dir, cph_err *err)
{
    CPH_TRY(cph_config_write(m, dir, err));
    return cph_weights_save(m, dir, err);
}

const char *cph_model_family(const cph_model *m) { return m->family->name; }
uint32_t cph_model_vocab_size(const cph_model *m) { return m->vocab; }
uint32_t cph_model_max_positions(const cph_model *m) { return m->positions; }
int64_t cph_model_eos(const cph_model *m) { return m->eos; }
size_t cph_model_n_params(const cph_model *m) { return m->params.n; }
const cph_param *cph_model_param(const cph_model *m, size_t i) { return &m->params.items[i]; }
uint64_t cph_model_flat_len(const cph_model *m) { return m->params.flat_len; }
float *cph_model_weights(cph_model *m) { return m->weights; }
void cph_model_weights_changed(cph_model *m) { m->version++; }

const char *cph_isa_name(void)
{
    const cph_backend *b;
    return cph_backend_choose(&b, NULL) == CPH_OK ? cph_backend_name(b) : "unknown";
}

/* ---- the compute form of the weights (engine 2.6): packed once per change, shared by all passes ---- */

static size_t packed_bytes(const cph_model *m, size_t i)
{
    const model_pack *p = &m->packs[i];
    size_t n = p->wanted ? cph_pack_bytes(m->backend, cph_arith_dtype(m->arith), p->in, p->out) : 0;
    return (n + 63) & ~(size_t)63;
}

size_t cph_model_packed_bytes(const cph_model *m)
{
    size_t total = 0;
    for (size_t i = 0; i < m->params.n; i++) total += packed_bytes(m, i);
    return total;
}

cph_status cph_model_pack_alloc(cph_model *m, cph_err *err)
{
    void *mem;
    if (m->packed) return CPH_OK;
    CPH_TRY(cph_alloc(&mem, cph_model_packed_bytes(m) + 64, err));
    char *arena = mem;
    cph_status s = cph_alloc0(&mem, m->params.n * sizeof(void *), err);
    if (s != CPH_OK) {
        cph_free(arena);
        return s;
    }
    m->packed = mem;
    m->packed_arena = arena;
    size_t at = 0;
    for (size_t i = 0; i < m->params.n; i++) {
        size_t n = packed_bytes(m, i);
        if (n) m->packed[i] = arena + at;
        at += n;
    }
    m->packed_version = 0;
    return CPH_OK;
}

void cph_model_pack(cph_model *m, cph_exec *x)
{
    if (m->packed_version == m->version) return;
    for (size_t i = 0; i < m->params.n; i++)
        if (m->packed[i])
            cph_pack_weight(x, cph_arith_dtype(m->arith), m->weights + m->params.items[i].offset, m->packs[i].in,
                            m->packs[i].out, m->packs[i].out_in, m->packed[i]);
    m->packed_version = m->version;
}

cph_status cph_model_set_arith(cph_model *m, cph_arith arith, cph_err *err)
{
    const cph_backend *b;
    CPH_TRY(cph_backend_for(&b, arith, err));
    if (m->packed) return cph_fail(err, CPH_USAGE, "the arithmetic of a model is chosen before its first pass");
    m->arith = arith;
    m->backend = b;
    return CPH_OK;
}

cph_status cph_model_set_gemm(cph_model *m, cph_gemm gemm, cph_err *err)
{
    const cph_backend *b;
    if (m->packed) return cph_fail(err, CPH_USAGE, "who multiplies for a model is chosen before its first pass");
    CPH_TRY(cph_backend_for(&b, m->arith, err));
    if (gemm == CPH_GEMM_ONEDNN) CPH_TRY(cph_backend_onednn(&b, b, cph_arith_dtype(m->arith), err));
    m->backend = b;
    return CPH_OK;
}

const char *cph_model_arith_text(const cph_model *m)
{
    const char *library = cph_backend_arith(m->backend);
    return library ? library : cph_arith_text(m->arith);
}

cph_arith cph_model_arith(const cph_model *m) { return m->arith; }
const char *cph_model_isa(const cph_model *m) { return cph_backend_name(m->backend); }
