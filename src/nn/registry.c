/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.c - the parameter table and the initial weights.
 */
#include <colophon/nn/registry.h>
#include <colophon/nn/sites.h>

#include <colophon/base/hash.h>
#include <colophon/base/memory.h>
#include <colophon/base/philox.h>
#include <colophon/tensor/math.h>

#include <math.h>
#include <string.h>

#define ALIGN_FLOATS 16u
#define START_BLOCK 65536u

void cph_registry_init(cph_registry *r)
{
    *r = (cph_registry){0};
    cph_arena_init(&r->arena, (size_t)64 << 20);
}

void cph_registry_release(cph_registry *r)
{
    cph_free(r->items);
    cph_arena_release(&r->arena);
    *r = (cph_registry){0};
}

static cph_status grow(cph_registry *r, cph_err *err)
{
    if (r->n < r->cap) return CPH_OK;
    size_t cap = r->cap ? 2 * r->cap : 64;
    void *block = r->items;
    CPH_TRY(cph_realloc(&block, cap * sizeof *r->items, err));
    r->items = block;
    r->cap = cap;
    return CPH_OK;
}

cph_status cph_registry_add(cph_registry *r, const cph_param *p, uint32_t *index, cph_err *err)
{
    cph_str name;
    cph_param copy = *p;
    copy.n = 1;
    for (unsigned i = 0; i < p->n_dims; i++)
        if (p->dims[i] == 0 || __builtin_mul_overflow(copy.n, (uint64_t)p->dims[i], &copy.n) ||
            copy.n > (uint64_t)1 << 40)
            return cph_fail(err, CPH_DATA, "tensor %s: a dimension is 0 or the tensor is too large", p->name);
    CPH_TRY(grow(r, err));
    CPH_TRY(cph_arena_str(&r->arena, &name, cph_str_of(p->name), err));
    copy.name = name.p;
    copy.offset = r->flat_len;
    r->flat_len += (copy.n + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
    *index = (uint32_t)r->n;
    r->items[r->n++] = copy;
    return CPH_OK;
}

const cph_param *cph_registry_find(const cph_registry *r, cph_str name)
{
    for (size_t i = 0; i < r->n; i++)
        if (cph_str_is(name, r->items[i].name)) return &r->items[i];
    return NULL;
}

/* Four normals from the four words of a block: z = sqrt(-2 ln u) (cos, sin)(2 pi v). */
static void normals(cph_philox_block w, double out[4])
{
    for (unsigned i = 0; i < 4; i += 2) {
        double u = ((double)w.w[i] + 0.5) * 0x1p-32, v = (double)w.w[i + 1] * 0x1p-32;
        double radius = sqrt(-2.0 * cph_log_e(u)), angle = 6.283185307179586 * v;
        out[i] = radius * cph_cos(angle);
        out[i + 1] = radius * cph_sin(angle);
    }
}

struct start {
    const cph_registry *r;
    float *flat;
    uint64_t seed;
};

static void start_block(const cph_param *p, float *w, uint64_t begin, uint64_t end, uint64_t seed)
{
    if (p->start != CPH_START_NORMAL) {
        for (uint64_t i = begin; i < end; i++) w[i] = p->start == CPH_START_ONE ? 1.0f : 0.0f;
        return;
    }
    uint64_t stream = cph_xxh3(p->name, strlen(p->name), 0);
    for (uint64_t i = begin; i < end; i += 4) {
        double z[4];
        normals(cph_philox_at(seed, CPH_SITE(CPH_SITE_INIT, 0), (uint32_t)stream, (uint32_t)(stream >> 32),
                              i / 4), z);
        for (uint64_t j = i; j < end && j < i + 4; j++) w[j] = (float)(z[j - i] * p->std);
    }
}

/* A task is one block of 65,536 elements of one parameter. */
static cph_status start_task(void *arg, size_t task, unsigned worker, cph_err *err)
{
    (void)worker, (void)err;
    const struct start *s = arg;
    uint64_t block = task;
    for (size_t i = 0; i < s->r->n; i++) {
        const cph_param *p = &s->r->items[i];
        uint64_t n_blocks = (p->n + START_BLOCK - 1) / START_BLOCK;
        if (block >= n_blocks) {
            block -= n_blocks;
            continue;
        }
        uint64_t begin = block * START_BLOCK, end = begin + START_BLOCK;
        start_block(p, s->flat + p->offset, begin, end < p->n ? end : p->n, s->seed);
        break;
    }
    return CPH_OK;
}

cph_status cph_registry_start(const cph_registry *r, float *flat, uint64_t seed, cph_pool *pool, cph_err *err)
{
    struct start s = {r, flat, seed};
    size_t tasks = 0;
    for (size_t i = 0; i < r->n; i++) tasks += (r->items[i].n + START_BLOCK - 1) / START_BLOCK;
    memset(flat, 0, r->flat_len * sizeof *flat);
    return cph_pool_run(pool, tasks, start_task, &s, err);
}
