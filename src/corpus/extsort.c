/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extsort.c - sorts fixed-size records as byte strings in bounded memory.
 *
 * Keys are written big-endian at the front of a record, so that one comparison,
 * memcmp, serves every order and ties between different records cannot be.
 * What does not fit goes to one file as sorted runs that are merged on reading.
 */
#include <colophon/base/file.h>
#include <colophon/base/memory.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "corpus_in.h"

#define RUN_BUFFER ((size_t)1 << 16)

typedef struct run {
    uint64_t at, end;  /* what of the file is not read yet */
    uint8_t *buf;
    size_t n, used;    /* bytes in buf, bytes given out */
} run;

struct cph_extsort {
    size_t size, cap, n; /* bytes a record; records that fit, that are there */
    uint8_t *rows;
    char path[CPH_PATH_MAX];
    cph_out out;
    bool spilled, reading;
    int fd;
    uint64_t total, given;
    run *runs;
    size_t n_runs, runs_cap;
    uint32_t *heap; /* indices of runs, the smallest record first */
    size_t n_heap;
};

static int by_bytes(const void *a, const void *b, void *size) { return memcmp(a, b, *(size_t *)size); }

cph_status cph_extsort_open(cph_extsort **out, const char *path, size_t size, uint64_t budget, cph_err *err)
{
    void *mem, *rows;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_extsort), err));
    cph_extsort *x = mem;
    x->size = size;
    x->cap = (size_t)(budget / size / 2); /* qsort_r takes as much again */
    if (x->cap < 64) x->cap = 64;
    x->fd = -1;
    x->out.fd = -1;
    cph_status s = cph_alloc_n(&rows, x->cap, size, err);
    if (s != CPH_OK) {
        cph_free(x);
        return s;
    }
    x->rows = rows;
    memcpy(x->path, path, strlen(path) + 1);
    *out = x;
    return CPH_OK;
}

void cph_extsort_close(cph_extsort *x)
{
    if (!x) return;
    cph_out_abandon(&x->out);
    if (x->fd >= 0) close(x->fd);
    if (x->spilled) unlink(x->path);
    for (size_t i = 0; i < x->n_runs; i++) cph_free(x->runs[i].buf);
    cph_free(x->runs);
    cph_free(x->heap);
    cph_free(x->rows);
    cph_free(x);
}

static cph_status spill(cph_extsort *x, cph_err *err)
{
    if (!x->spilled) {
        CPH_TRY(cph_out_open(&x->out, x->path, err));
        x->spilled = true;
    }
    if (x->n_runs == x->runs_cap) {
        void *p = x->runs;
        CPH_TRY(cph_realloc(&p, (x->runs_cap * 2 + 16) * sizeof *x->runs, err));
        x->runs = p;
        x->runs_cap = x->runs_cap * 2 + 16;
    }
    qsort_r(x->rows, x->n, x->size, by_bytes, &x->size);
    uint64_t at = x->out.n_bytes;
    CPH_TRY(cph_out_write(&x->out, x->rows, x->n * x->size, err));
    x->runs[x->n_runs++] = (run){.at = at, .end = x->out.n_bytes};
    x->n = 0;
    return CPH_OK;
}

cph_status cph_extsort_add(cph_extsort *x, const void *record, cph_err *err)
{
    if (x->n == x->cap) CPH_TRY(spill(x, err));
    memcpy(x->rows + x->n++ * x->size, record, x->size);
    x->total++;
    return CPH_OK;
}


static cph_status refill(cph_extsort *x, run *r, cph_err *err)
{
    size_t room = RUN_BUFFER / x->size * x->size,
           want = r->end - r->at < room ? (size_t)(r->end - r->at) : room;
    r->n = r->used = 0;
    while (r->n < want) {
        ssize_t got = pread(x->fd, r->buf + r->n, want - r->n, (off_t)(r->at + r->n));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cph_fail_errno(err, "%s: cannot read", x->path);
        if (got == 0) return cph_fail(err, CPH_IO, "%s: was cut while it was in use", x->path);
        r->n += (size_t)got;
    }
    r->at += want;
    return CPH_OK;
}

static bool before(const cph_extsort *x, uint32_t a, uint32_t b)
{
    return memcmp(x->runs[a].buf + x->runs[a].used, x->runs[b].buf + x->runs[b].used, x->size) < 0;
}

static void sink(cph_extsort *x, size_t i)
{
    for (;;) {
        size_t least = i, l = 2 * i + 1, r = l + 1;
        if (l < x->n_heap && before(x, x->heap[l], x->heap[least])) least = l;
        if (r < x->n_heap && before(x, x->heap[r], x->heap[least])) least = r;
        if (least == i) return;
        uint32_t t = x->heap[i];
        x->heap[i] = x->heap[least];
        x->heap[least] = t;
        i = least;
    }
}

static cph_status open_runs(cph_extsort *x, cph_err *err)
{
    void *p;
    if (x->n) CPH_TRY(spill(x, err));
    CPH_TRY(cph_out_close(&x->out, err));
    cph_free(x->rows);
    x->rows = NULL;
    x->fd = open(x->path, O_RDONLY | O_CLOEXEC);
    if (x->fd < 0) return cph_fail_errno(err, "%s", x->path);
    CPH_TRY(cph_alloc_n(&p, x->n_runs, sizeof *x->heap, err));
    x->heap = p;
    for (size_t i = 0; i < x->n_runs; i++) {
        CPH_TRY(cph_alloc(&p, RUN_BUFFER, err));
        x->runs[i].buf = p;
        CPH_TRY(refill(x, &x->runs[i], err));
        x->heap[x->n_heap++] = (uint32_t)i;
    }
    for (size_t i = x->n_heap; i-- > 0;) sink(x, i);
    return CPH_OK;
}

cph_status cph_extsort_next(cph_extsort *x, void *record, cph_err *err)
{
    if (!x->reading) {
        if (x->spilled) CPH_TRY(open_runs(x, err));
        else qsort_r(x->rows, x->n, x->size, by_bytes, &x->size);
        x->reading = true;
    }
    if (x->given == x->total) return CPH_END;
    if (!x->spilled) {
        memcpy(record, x->rows + x->given++ * x->size, x->size);
        return CPH_OK;
    }
    run *r = &x->runs[x->heap[0]];
    memcpy(record, r->buf + r->used, x->size);
    r->used += x->size;
    x->given++;
    if (r->used == r->n && r->at < r->end) CPH_TRY(refill(x, r, err));
    if (r->used == r->n) x->heap[0] = x->heap[--x->n_heap];
    sink(x, 0);
    return CPH_OK;
}

void cph_put_be(uint8_t *p, uint64_t v, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++) p[i] = (uint8_t)(v >> (8 * (n_bytes - 1 - i)));
}

uint64_t cph_get_be(const uint8_t *p, unsigned n_bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n_bytes; i++) v = v << 8 | p[i];
    return v;
}
