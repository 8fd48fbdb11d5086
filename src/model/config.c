/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.c - config.json as a tree: defaults filled in, aliases renamed, unknown keys
 * kept as they were (text-models 4.1). Keys are written sorted, numbers with their own text.
 */
#include "model_in.h"

#include <colophon/base/file.h>
#include <colophon/base/memory.h>

#include <string.h>

cph_status cph_config_copy(cph_json **out, const cph_json *v, cph_arena *a, cph_err *err)
{
    cph_json *copy;
    CPH_TRY(cph_json_new(&copy, a, v->type, err));
    if (v->str.p) CPH_TRY(cph_arena_str(a, &copy->str, v->str, err));
    if (v->key.p) CPH_TRY(cph_arena_str(a, &copy->key, v->key, err));
    cph_json **at = &copy->first;
    for (const cph_json *child = v->first; child; child = child->next) {
        CPH_TRY(cph_config_copy(at, child, a, err));
        at = &(*at)->next;
        copy->n++;
    }
    *out = copy;
    return CPH_OK;
}

static void unlink_key(cph_json *object, const char *key)
{
    for (cph_json **at = &object->first; *at; at = &(*at)->next)
        if (cph_str_is((*at)->key, key)) {
            *at = (*at)->next;
            object->n--;
            return;
        }
}

cph_status cph_config_set(cph_model *m, const char *key, const char *value, cph_err *err)
{
    cph_json *v;
    CPH_TRY(cph_json_parse(&v, &m->arena, cph_str_of(value), key, NULL, err));
    return cph_json_set(m->config, &m->arena, key, v, err);
}

cph_status cph_config_default(cph_model *m, const char *key, const char *alias, const char *value,
                              cph_err *err)
{
    const cph_json *other = alias ? cph_json_get(m->config, alias) : NULL;
    if (other && !cph_json_get(m->config, key)) {
        cph_json *copy;
        CPH_TRY(cph_config_copy(&copy, other, &m->arena, err));
        CPH_TRY(cph_json_set(m->config, &m->arena, key, copy, err));
    }
    if (other) unlink_key(m->config, alias);
    if (!value) { /* not the default of a class: only forget it */
        unlink_key(m->config, key);
        return CPH_OK;
    }
    return cph_json_get(m->config, key) ? CPH_OK : cph_config_set(m, key, value, err);
}

static cph_status bad_value(const cph_model *m, const char *key, const char *wanted, cph_err *err)
{
    const cph_json *v = cph_json_get(m->config, key);
    cph_str text = v && v->str.p ? v->str : CPH_STR("another type");
    return cph_fail(err, CPH_DATA, "config.json: %s is %.*s, wanted %s", key, CPH_FMT(text), wanted);
}

cph_status cph_config_u32(const cph_model *m, const char *key, uint32_t min, uint32_t max, uint32_t *out,
                          cph_err *err)
{
    uint64_t v;
    if (!cph_json_u64(cph_json_get(m->config, key), &v) || v < min || v > max) {
        char wanted[64];
        cph_err text;
        cph_fail(&text, CPH_DATA, "a whole number from %u to %u", min, max);
        memcpy(wanted, text.what, sizeof wanted - 1);
        wanted[sizeof wanted - 1] = 0;
        return bad_value(m, key, wanted, err);
    }
    *out = (uint32_t)v;
    return CPH_OK;
}

cph_status cph_config_double(const cph_model *m, const char *key, double min, double max, double *out,
                             cph_err *err)
{
    double v;
    if (!cph_json_double(cph_json_get(m->config, key), &v) || !(v >= min && v <= max))
        return bad_value(m, key, "a number in its range", err);
    *out = v;
    return CPH_OK;
}

cph_status cph_config_bool(const cph_model *m, const char *key, bool *out, cph_err *err)
{
    return cph_json_bool(cph_json_get(m->config, key), out) ? CPH_OK : bad_value(m, key, "true or false",
                                                                                 err);
}

/* Sorts the members of one object by key; insertion sort of a short list. */
static void sort_keys(cph_json *object)
{
    cph_json *sorted = NULL;
    for (cph_json *m = object->first, *next; m; m = next) {
        cph_json **at = &sorted;
        next = m->next;
        while (*at && cph_str_cmp((*at)->key, m->key) < 0) at = &(*at)->next;
        m->next = *at;
        *at = m;
    }
    object->first = sorted;
}

static cph_status write_json(const char *dir, const char *name, const cph_json *v, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_buf b;
    CPH_TRY(cph_path_join(path, dir, name, err));
    cph_buf_init(&b, (size_t)64 << 20);
    cph_status s = cph_json_write(&b, v, 2, err);
    if (s == CPH_OK) s = cph_buf_char(&b, '\n', err);
    if (s == CPH_OK) s = cph_file_write(path, b.p, b.n, err);
    cph_buf_release(&b);
    return s;
}

/* A generation config made from the model's own keys, as Transformers makes one. */
static cph_status generation_of(const cph_model *m, cph_arena *a, cph_json **out, cph_err *err)
{
    static const char *const keys[] = {"bos_token_id", "eos_token_id", "pad_token_id"};
    cph_json *g, *flag;
    CPH_TRY(cph_json_new(&g, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_new(&flag, a, CPH_JSON_TRUE, err));
    CPH_TRY(cph_json_set(g, a, "_from_model_config", flag, err));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const cph_json *v = cph_json_get(m->config, keys[i]);
        cph_json *copy;
        if (!v || v->type == CPH_JSON_NULL) continue;
        CPH_TRY(cph_config_copy(&copy, v, a, err));
        CPH_TRY(cph_json_set(g, a, keys[i], copy, err));
    }
    *out = g;
    return CPH_OK;
}

cph_status cph_config_write(const cph_model *m, const char *dir, cph_err *err)
{
    cph_arena a;
    cph_json *config, *generation = m->generation;
    cph_arena_init(&a, (size_t)64 << 20);
    cph_status s = cph_config_copy(&config, m->config, &a, err);
    if (s == CPH_OK) {
        sort_keys(config);
        s = write_json(dir, "config.json", config, err);
    }
    if (s == CPH_OK && !generation) s = generation_of(m, &a, &generation, err);
    if (s == CPH_OK) s = write_json(dir, "generation_config.json", generation, err);
    cph_arena_release(&a);
    return s;
}

/* Canonical JSON has integers only: other numbers become strings of their own text. */
static void stringify(cph_json *v)
{
    int64_t whole;
    if (v->type == CPH_JSON_NUMBER && !cph_json_i64(v, &whole)) v->type = CPH_JSON_STRING;
    for (cph_json *c = v->first; c; c = c->next) stringify(c);
}

cph_status cph_model_config(const cph_model *m, cph_arena *a, cph_json **out, cph_err *err)
{
    cph_json *copy;
    CPH_TRY(cph_config_copy(&copy, m->config, a, err));
    stringify(copy);
    sort_keys(copy);
    *out = copy;
    return CPH_OK;
}
