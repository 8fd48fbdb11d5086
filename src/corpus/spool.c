/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.c - what is finished but cannot be decided yet waits in a file: documents
 * before their copies are known, decisions before they are sorted. Each entry is
 * its length (8 bytes, little-endian) and its bytes; entries are read in order, or
 * one alone by where it stands. The form lives for one run and is nobody's format.
 */
#include <colophon/base/memory.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "corpus_in.h"

#define CHUNK ((size_t)1 << 18)

cph_status cph_spool_create(cph_spool *s, const char *path, cph_err *err)
{
    void *chunk;
    *s = (cph_spool){.fd = -1};
    s->out.fd = -1;
    memcpy(s->path, path, strlen(path) + 1);
    CPH_TRY(cph_alloc(&chunk, CHUNK, err));
    s->chunk = chunk;
    return cph_out_open(&s->out, path, err);
}

void cph_spool_close(cph_spool *s)
{
    if (!s->chunk) return;
    cph_out_abandon(&s->out);
    if (s->fd >= 0) close(s->fd);
    unlink(s->path);
    cph_free(s->chunk);
    *s = (cph_spool){.fd = -1};
}

cph_status cph_spool_add(cph_spool *s, cph_str entry, uint64_t *at, cph_err *err)
{
    uint8_t head[8];
    if (at) *at = s->out.n_bytes;
    for (unsigned i = 0; i < 8; i++) head[i] = (uint8_t)((uint64_t)entry.n >> (8 * i));
    CPH_TRY(cph_out_write(&s->out, head, sizeof head, err));
    return cph_out_write(&s->out, entry.p, entry.n, err);
}

cph_status cph_spool_rewind(cph_spool *s, cph_err *err)
{
    if (s->fd < 0) {
        s->end = s->out.n_bytes;
        CPH_TRY(cph_out_close(&s->out, err));
        s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
        if (s->fd < 0) return cph_fail_errno(err, "%s", s->path);
    }
    s->at = 0;
    return CPH_OK;
}

static cph_status read_at(cph_spool *s, uint64_t at, void *into, size_t n, cph_err *err)
{
    for (size_t have = 0; have < n;) {
        ssize_t got = pread(s->fd, (char *)into + have, n - have, (off_t)(at + have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cph_fail_errno(err, "%s: cannot read", s->path);
        if (got == 0) return cph_fail(err, CPH_IO, "%s: was cut while it was in use", s->path);
        have += (size_t)got;
    }
    return CPH_OK;
}

/* Through the read-ahead, unless it is larger than that. */
static cph_status read_near(cph_spool *s, uint64_t at, void *into, size_t n, cph_err *err)
{
    if (n > CHUNK) return read_at(s, at, into, n, err);
    if (at < s->chunk_at || at + n > s->chunk_at + s->chunk_n) {
        size_t want = s->end - at < CHUNK ? (size_t)(s->end - at) : CHUNK;
        s->chunk_n = 0;
        if (want < n) return cph_fail(err, CPH_IO, "%s: was cut while it was in use", s->path);
        CPH_TRY(read_at(s, at, s->chunk, want, err));
        s->chunk_at = at;
        s->chunk_n = want;
    }
    memcpy(into, s->chunk + (at - s->chunk_at), n);
    return CPH_OK;
}

cph_status cph_spool_at(cph_spool *s, uint64_t at, cph_buf *entry, cph_err *err)
{
    uint8_t head[8];
    uint64_t n = 0;
    CPH_TRY(read_near(s, at, head, sizeof head, err));
    for (unsigned i = 0; i < 8; i++) n |= (uint64_t)head[i] << (8 * i);
    if (n > s->end - at) return cph_fail(err, CPH_IO, "%s: was changed while it was in use", s->path);
    entry->n = 0;
    CPH_TRY(cph_buf_reserve(entry, (size_t)n, err));
    CPH_TRY(read_near(s, at + 8, entry->p, (size_t)n, err));
    entry->n = (size_t)n;
    return CPH_OK;
}

cph_status cph_spool_next(cph_spool *s, cph_buf *entry, cph_err *err)
{
    if (s->at == s->end) return CPH_END;
    CPH_TRY(cph_spool_at(s, s->at, entry, err));
    s->at += 8 + entry->n;
    return CPH_OK;
}

/* ---- values inside an entry ---- */

cph_status cph_put_u64(cph_buf *b, uint64_t v, cph_err *err)
{
    char z[10];
    size_t n = 0;
    do {
        z[n++] = (char)((v & 0x7F) | (v > 0x7F ? 0x80 : 0));
        v >>= 7;
    } while (v);
    return cph_buf_add(b, z, n, err);
}

cph_status cph_put_str(cph_buf *b, cph_str s, cph_err *err)
{
    CPH_TRY(cph_put_u64(b, s.n, err));
    return cph_buf_str(b, s, err);
}

uint64_t cph_take_u64(cph_take *t)
{
    uint64_t v = 0;
    for (unsigned shift = 0; t->p < t->end && shift < 64; shift += 7) {
        uint8_t c = (uint8_t)*t->p++;
        v |= (uint64_t)(c & 0x7F) << shift;
        if (c < 0x80) return v;
    }
    t->bad = true;
    return 0;
}

cph_str cph_take_str(cph_take *t)
{
    uint64_t n = cph_take_u64(t);
    if (n > (uint64_t)(t->end - t->p)) {
        t->bad = true;
        return (cph_str){"", 0};
    }
    cph_str s = {t->p, (size_t)n};
    t->p += n;
    return s;
}

cph_digest cph_take_digest(cph_take *t)
{
    cph_digest d = {{0}};
    cph_str s = cph_take_str(t);
    if (s.n == sizeof d.b) memcpy(d.b, s.p, sizeof d.b);
    else t->bad = true;
    return d;
}
