/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors.c - the reader. Every rule of text-models 3.2 is checked here, before any
 * tensor is handed out; the numbers in the comments are those rules.
 */
#include "safetensors_in.h"

#include <colophon/base/json.h>
#include <colophon/base/memory.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct cph_safetensors {
    cph_map map; /* n_bytes 0 when the bytes are the caller's */
    cph_arena arena;
    cph_st_tensor *tensors;   /* by offset */
    const cph_st_tensor **by_name;
    size_t n;
    const cph_json *meta;
};

static const char *const TYPE_NAMES[CPH_ST_N_TYPES] = {
#define CPH_ST_NAME(name, bits) #name,
    CPH_ST_TYPE_MAP(CPH_ST_NAME)
#undef CPH_ST_NAME
};
const uint8_t cph_st_bits[CPH_ST_N_TYPES] = {
#define CPH_ST_BITS(name, bits) bits,
    CPH_ST_TYPE_MAP(CPH_ST_BITS)
#undef CPH_ST_BITS
};

const char *cph_st_type_name(cph_st_type t) { return TYPE_NAMES[t]; }

bool cph_st_sizes(cph_st_tensor *t)
{
    uint64_t n = 1, bits;
    for (unsigned i = 0; i < t->n_dims; i++)
        if (__builtin_mul_overflow(n, t->dims[i], &n)) return false;
    if (__builtin_mul_overflow(n, (uint64_t)cph_st_bits[t->type], &bits) || bits % 8) return false;
    t->n = n;
    t->n_bytes = bits / 8;
    return true;
}

struct source { /* what messages need */
    const char *name;
    const uint8_t *data;
    uint64_t data_bytes;
};

static cph_status bad(cph_err *err, const struct source *s, cph_str tensor, const char *what)
{
    return cph_fail(err, CPH_DATA, "%s: tensor %.*s: %s", s->name, CPH_FMT(tensor), what);
}

static cph_status read_type(cph_st_tensor *t, const cph_json *v, const struct source *s, cph_err *err)
{
    cph_str name;
    if (!cph_json_str(cph_json_get(v, "dtype"), &name)) return bad(err, s, t->name, "no dtype");
    for (unsigned i = 0; i < CPH_ST_N_TYPES; i++)
        if (cph_str_is(name, TYPE_NAMES[i])) {
            t->type = (cph_st_type)i;
            return CPH_OK;
        }
    return cph_fail(err, CPH_DATA, "%s: tensor %.*s: unknown dtype %.*s", s->name, CPH_FMT(t->name),
                    CPH_FMT(name));
}

static cph_status read_shape(cph_st_tensor *t, const cph_json *v, const struct source *s, cph_err *err)
{
    const cph_json *shape = cph_json_get(v, "shape");
    if (!shape || shape->type != CPH_JSON_ARRAY) return bad(err, s, t->name, "no shape");
    if (shape->n > CPH_ST_MAX_DIMS) return bad(err, s, t->name, "more than 8 dimensions");
    for (const cph_json *d = shape->first; d; d = d->next)
        if (!cph_json_u64(d, &t->dims[t->n_dims++])) return bad(err, s, t->name,
                                                                "a dimension is no whole number");
    return CPH_OK;
}

/* Rules 2 (e >= b), 4, 6 */
static cph_status read_tensor(cph_st_tensor *t, const cph_json *v, const struct source *s, cph_err *err)
{
    uint64_t begin, end;
    *t = (cph_st_tensor){.name = v->key};
    if (v->type != CPH_JSON_OBJECT || v->n != 3) return bad(err, s, v->key,
                                                            "not {dtype, shape, data_offsets}");
    CPH_TRY(read_type(t, v, s, err));
    CPH_TRY(read_shape(t, v, s, err));
    const cph_json *offsets = cph_json_get(v, "data_offsets");
    if (!offsets || offsets->type != CPH_JSON_ARRAY || offsets->n != 2 || !cph_json_u64(offsets->first,
                                                                                        &begin) ||
        !cph_json_u64(offsets->first->next, &end))
        return bad(err, s, t->name, "data_offsets are not two whole numbers");
    if (end < begin || end > s->data_bytes) return bad(err, s, t->name, "data_offsets leave the file");
    if (!cph_st_sizes(t)) return bad(err, s, t->name, "the shape overflows or ends inside a byte");
    if (t->n_bytes != end - begin)
        return cph_fail(err, CPH_DATA, "%s: tensor %.*s: %llu bytes of data, shape and dtype need %llu",
                        s->name,
                        CPH_FMT(t->name), (unsigned long long)(end - begin), (unsigned long long)t->n_bytes);
    t->data = s->data + begin;
    return CPH_OK;
}

static int cmp_offset(const void *a, const void *b)
{
    const cph_st_tensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    if (x->n_bytes != y->n_bytes) return x->n_bytes < y->n_bytes ? -1 : 1;
    return cph_str_cmp(x->name, y->name);
}

static int cmp_name(const void *a, const void *b)
{
    return cph_str_cmp((*(const cph_st_tensor *const *)a)->name, (*(const cph_st_tensor *const *)b)->name);
}

/* Rules 2 and 3: the tensors tile the data exactly. */
static cph_status check_tiling(const cph_safetensors *f, const struct source *s, cph_err *err)
{
    const uint8_t *at = s->data;
    for (size_t i = 0; i < f->n; i++) {
        const cph_st_tensor *t = &f->tensors[i];
        if (t->data > at) return bad(err, s, t->name, "there is a hole before it");
        if (t->data < at) return bad(err, s, t->name, "it overlaps another tensor");
        at = t->data + t->n_bytes;
    }
    if (at != s->data + s->data_bytes)
        return cph_fail(err, CPH_DATA, "%s: %llu bytes after the last tensor", s->name,
                        (unsigned long long)(s->data + s->data_bytes - at));
    return CPH_OK;
}

/* Rule 5 */
static cph_status check_meta(const cph_json *meta, const struct source *s, cph_err *err)
{
    bool good = meta->type == CPH_JSON_OBJECT;
    for (const cph_json *m = good ? meta->first : NULL; m; m = m->next)
        good = good && m->type == CPH_JSON_STRING;
    return good ? CPH_OK : cph_fail(err, CPH_DATA, "%s: __metadata__ is not a map of strings", s->name);
}

static cph_status read_header(cph_safetensors *f, cph_str header, const struct source *s, cph_err *err)
{
    cph_json *root;
    void *mem;
    CPH_TRY(cph_json_parse(&root, &f->arena, header, s->name, NULL, err));
    CPH_TRY(cph_arena_alloc0(&f->arena, &mem, (size_t)root->n + 1, sizeof *f->tensors, err));
    f->tensors = mem;
    CPH_TRY(cph_arena_alloc0(&f->arena, &mem, (size_t)root->n + 1, sizeof(cph_st_tensor *), err));
    f->by_name = mem;
    for (const cph_json *v = root->first; v; v = v->next) {
        if (cph_str_is(v->key, "__metadata__")) {
            CPH_TRY(check_meta(v, s, err));
            f->meta = v;
        } else {
            CPH_TRY(read_tensor(&f->tensors[f->n++], v, s, err));
        }
    }
    qsort(f->tensors, f->n, sizeof *f->tensors, cmp_offset);
    for (size_t i = 0; i < f->n; i++) f->by_name[i] = &f->tensors[i];
    qsort(f->by_name, f->n, sizeof *f->by_name, cmp_name);
    return check_tiling(f, s, err);
}

static cph_status parse(cph_safetensors *f, const uint8_t *p, uint64_t n_bytes, const char *name,
                        cph_err *err)
{
    uint64_t n = 0;
    if (n_bytes < 8) return cph_fail(err, CPH_DATA, "%s: shorter than 8 bytes", name); /* rule 1 */
    for (unsigned i = 8; i-- > 0;) n = n << 8 | p[i];
    if (n > CPH_ST_MAX_HEADER) return cph_fail(err, CPH_DATA, "%s: a header of more than 100,000,000 bytes",
                                               name);
    if (n > n_bytes - 8) return cph_fail(err, CPH_DATA, "%s: the header is longer than the file", name);
    if (n == 0 || p[8] != '{') return cph_fail(err, CPH_DATA, "%s: the header does not begin with '{'", name);
    struct source s = {name, p + 8 + n, n_bytes - 8 - n};
    return read_header(f, (cph_str){(const char *)p + 8, (size_t)n}, &s, err);
}

static cph_status new_file(cph_safetensors **out, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof **out, err));
    *out = mem;
    cph_arena_init(&(*out)->arena, 0);
    return CPH_OK;
}

cph_status cph_safetensors_parse(cph_safetensors **out, const uint8_t *p, uint64_t n_bytes, const char *name,
                                 cph_err *err)
{
    cph_safetensors *f;
    CPH_TRY(new_file(&f, err));
    cph_status s = parse(f, p, n_bytes, name, err);
    if (s == CPH_OK) *out = f;
    else cph_safetensors_close(f);
    return s;
}

cph_status cph_safetensors_open(cph_safetensors **out, const char *path, cph_err *err)
{
    cph_safetensors *f;
    CPH_TRY(new_file(&f, err));
    cph_status s = cph_map_open(&f->map, path, err);
    if (s == CPH_OK) s = parse(f, f->map.p, f->map.n_bytes, path, err);
    if (s == CPH_OK) *out = f;
    else cph_safetensors_close(f);
    return s;
}

void cph_safetensors_close(cph_safetensors *f)
{
    if (!f) return;
    cph_map_close(&f->map);
    cph_arena_release(&f->arena);
    cph_free(f);
}

size_t cph_safetensors_n(const cph_safetensors *f) { return f->n; }
const cph_st_tensor *cph_safetensors_at(const cph_safetensors *f, size_t i) { return &f->tensors[i]; }
cph_str cph_safetensors_meta(const cph_safetensors *f, const char *key) { return cph_json_get_str(f->meta,
                                                                                                  key); }

const cph_st_tensor *cph_safetensors_find(const cph_safetensors *f, cph_str name)
{
    size_t lo = 0, hi = f->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = cph_str_cmp(f->by_name[mid]->name, name);
        if (c == 0) return f->by_name[mid];
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    return NULL;
}
