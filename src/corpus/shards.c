/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shards.c - records and side-car lines become frames, frames become shards
 * (readers-and-corpus 27.2). Where a frame and a shard end depends on raw sizes
 * alone. A few frames are filled, then compressed and hashed side by side, then
 * written in order: the number of threads leaves no trace.
 */
#include <colophon/base/memory.h>

#include <stdio.h>
#include <string.h>

#include "corpus_in.h"

#define FRAME_FULL ((size_t)8 << 20)   /* a frame is closed before it would pass this */
#define FRAME_LEAST ((size_t)4 << 20)  /* unless it would be smaller than this */
#define SHARD_FULL ((uint64_t)1 << 30)
#define MAX_FRAMES 64                  /* under way at once */

typedef struct half { /* records or side-car lines of a frame */
    cph_buf raw, packed;
    cph_digest *leaves;
    size_t leaves_cap;
} half;

typedef struct frame {
    half of[2];
    uint32_t n;
    cph_buf first_id, object;
} frame;

struct cph_shards {
    char dir[CPH_PATH_MAX];
    cph_pool *pool;
    frame frames[MAX_FRAMES];
    unsigned n_frames, full; /* kept, filled; frames[full] is being filled */
    cph_zwrite *files[2];
    cph_out index;
    uint32_t shard, shards_begun;
    uint64_t shard_bytes;
    cph_merkle trees[2];
    cph_buf line;
};

static cph_status next_shard(cph_shards *s, cph_err *err)
{
    static const char *const names[2] = {"shard-%05u.jsonl.zst", "shard-%05u.prov.jsonl.zst"};
    for (int i = 0; i < 2; i++) {
        char name[64], path[CPH_PATH_MAX];
        if (s->files[i]) {
            cph_zwrite *z = s->files[i];
            s->files[i] = NULL;
            CPH_TRY(cph_zwrite_close(z, err));
        }
        snprintf(name, sizeof name, names[i], s->shards_begun);
        CPH_TRY(cph_path_join(path, s->dir, name, err));
        CPH_TRY(cph_zwrite_open(&s->files[i], path, err));
    }
    s->shard = s->shards_begun++;
    s->shard_bytes = 0;
    return CPH_OK;
}

cph_status cph_shards_open(cph_shards **out, const char *dir, cph_pool *pool, cph_err *err)
{
    void *mem;
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_shards), err));
    cph_shards *s = mem;
    s->pool = pool;
    s->index.fd = -1;
    memcpy(s->dir, dir, strlen(dir) + 1);
    cph_buf_init(&s->line, 1u << 20);
    unsigned threads = pool ? cph_pool_threads(pool) : 1;
    s->n_frames = threads > MAX_FRAMES ? MAX_FRAMES : threads;
    for (unsigned i = 0; i < s->n_frames; i++) {
        frame *f = &s->frames[i];
        cph_buf_init(&f->first_id, 1u << 16);
        cph_buf_init(&f->object, 1u << 16);
        for (int k = 0; k < 2; k++) {
            cph_buf_init(&f->of[k].raw, (size_t)1 << 31);
            cph_buf_init(&f->of[k].packed, (size_t)1 << 31);
        }
    }
    for (int k = 0; k < 2; k++) cph_merkle_init(&s->trees[k]);
    cph_status status = cph_path_join(path, dir, "frames.jsonl", err);
    if (status == CPH_OK) status = cph_out_open(&s->index, path, err);
    if (status == CPH_OK) status = next_shard(s, err);
    if (status != CPH_OK) {
        cph_shards_abandon(s);
        return status;
    }
    *out = s;
    return CPH_OK;
}

void cph_shards_abandon(cph_shards *s)
{
    if (!s) return;
    for (unsigned i = 0; i < s->n_frames; i++) {
        frame *f = &s->frames[i];
        cph_buf_release(&f->first_id);
        cph_buf_release(&f->object);
        for (int k = 0; k < 2; k++) {
            cph_buf_release(&f->of[k].raw);
            cph_buf_release(&f->of[k].packed);
            cph_free(f->of[k].leaves);
        }
    }
    for (int k = 0; k < 2; k++) cph_zwrite_abandon(s->files[k]);
    cph_out_abandon(&s->index);
    cph_buf_release(&s->line);
    cph_free(s);
}

/* Task 2i: the records of frame i; 2i + 1: its side-car. */
static cph_status pack(void *arg, size_t task, unsigned worker, cph_err *err)
{
    cph_shards *s = arg;
    frame *f = &s->frames[task / 2];
    half *h = &f->of[task % 2];
    const char *p = h->raw.p;
    (void)worker;
    if (f->n > h->leaves_cap) {
        void *mem = h->leaves;
        CPH_TRY(cph_realloc(&mem, f->n * sizeof *h->leaves, err));
        h->leaves = mem;
        h->leaves_cap = f->n;
    }
    for (uint32_t i = 0; i < f->n; i++) {
        const char *lf = memchr(p, '\n', (size_t)(h->raw.p + h->raw.n - p));
        if (!lf) return cph_fail(err, CPH_BUG, "a frame has fewer lines than records");
        h->leaves[i] = cph_merkle_leaf(p, (size_t)(lf - p));
        p = lf + 1;
    }
    h->packed.n = 0;
    return cph_zstd_pack(&h->packed, h->raw.p, h->raw.n, err);
}

static cph_status index_line(cph_shards *s, const frame *f, const cph_zframe *z, cph_err *err)
{
    cph_jw w = cph_jw_on(&s->line);
    s->line.n = 0;
    cph_jw_obj(&w);
    cph_jw_key(&w, "bytes");
    cph_jw_u64(&w, z->bytes);
    cph_jw_key(&w, "first_id");
    cph_jw_str(&w, cph_buf_view(&f->first_id));
    cph_jw_key(&w, "object");
    cph_jw_str(&w, cph_buf_view(&f->object));
    cph_jw_key(&w, "offset");
    cph_jw_u64(&w, z->offset);
    cph_jw_key(&w, "raw_bytes");
    cph_jw_u64(&w, z->raw_bytes);
    cph_jw_key(&w, "records");
    cph_jw_u64(&w, f->n);
    cph_jw_key(&w, "shard");
    cph_jw_u64(&w, s->shard);
    cph_jw_end(&w);
    CPH_TRY(cph_jw_done(&w, err));
    CPH_TRY(cph_buf_char(&s->line, '\n', err));
    return cph_out_write(&s->index, s->line.p, s->line.n, err);
}

static cph_status write_frame(cph_shards *s, frame *f, cph_err *err)
{
    cph_zframe z = {0};
    if (s->shard_bytes && s->shard_bytes + f->of[0].raw.n > SHARD_FULL) CPH_TRY(next_shard(s, err));
    s->shard_bytes += f->of[0].raw.n;
    for (int k = 0; k < 2; k++) {
        half *h = &f->of[k];
        CPH_TRY(
            cph_zwrite_packed(s->files[k], cph_buf_view(&h->packed), (uint32_t)h->raw.n, k ? NULL : &z, err));
        for (uint32_t i = 0; i < f->n; i++) cph_merkle_add_leaf(&s->trees[k], &h->leaves[i]);
        h->raw.n = 0;
    }
    CPH_TRY(index_line(s, f, &z, err));
    f->n = 0;
    return CPH_OK;
}

static cph_status write_full(cph_shards *s, cph_err *err)
{
    if (!s->full) return CPH_OK;
    if (s->pool) CPH_TRY(cph_pool_run(s->pool, 2 * (size_t)s->full, pack, s, err));
    for (unsigned i = 0; !s->pool && i < 2 * s->full; i++) CPH_TRY(pack(s, i, 0, err));
    for (unsigned i = 0; i < s->full; i++) CPH_TRY(write_frame(s, &s->frames[i], err));
    s->full = 0;
    return CPH_OK;
}

cph_status cph_shards_add(cph_shards *s, cph_str record, cph_str prov, cph_str id, cph_str object,
                          cph_err *err)
{
    frame *f = &s->frames[s->full];
    size_t more = record.n + 24;
    if (f->n && f->of[0].raw.n >= FRAME_LEAST && f->of[0].raw.n + more > FRAME_FULL) {
        if (++s->full == s->n_frames) CPH_TRY(write_full(s, err));
        f = &s->frames[s->full];
    }
    if (!f->n) {
        f->first_id.n = f->object.n = 0;
        CPH_TRY(cph_buf_str(&f->first_id, id, err));
        CPH_TRY(cph_buf_str(&f->object, object, err));
    }
    CPH_TRY(cph_buf_add(&f->of[0].raw, record.p, record.n - 1, err));
    CPH_TRY(cph_buf_printf(&f->of[0].raw, err, ",\"src\":%u}\n", f->n));
    CPH_TRY(cph_buf_str(&f->of[1].raw, prov, err));
    CPH_TRY(cph_buf_char(&f->of[1].raw, '\n', err));
    f->n++;
    return CPH_OK;
}

static cph_status finish(cph_shards *s, cph_err *err)
{
    if (s->frames[s->full].n) s->full++;
    CPH_TRY(write_full(s, err));
    for (int i = 0; i < 2; i++) {
        cph_zwrite *z = s->files[i];
        s->files[i] = NULL;
        CPH_TRY(cph_zwrite_close(z, err));
    }
    return cph_out_close(&s->index, err);
}

cph_status cph_shards_close(cph_shards *s, cph_merkle *records, cph_merkle *provs, cph_err *err)
{
    cph_status status = finish(s, err);
    if (status == CPH_OK) {
        *records = s->trees[0];
        *provs = s->trees[1];
    }
    cph_shards_abandon(s);
    return status;
}
