/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zstream.c - seekable multi-frame zstd, and lines of text from it.
 * The seek table follows the published seekable format (facebook/zstd, contrib).
 */
#include <colophon/base/memory.h>
#include <colophon/base/zstream.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define SKIPPABLE 0x184D2A5Eu
#define SEEKABLE 0x8F92EAB1u
#define FRAME_MAX ((uint64_t)1 << 31)

static void put32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (char)(v >> (8 * i) & 0xFF);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- one value ---- */

cph_status cph_zstd_pack(cph_buf *b, const void *p, size_t n, cph_err *err)
{
    size_t bound = ZSTD_compressBound(n);
    CPH_TRY(cph_buf_reserve(b, bound, err));
    ZSTD_CCtx *c = ZSTD_createCCtx();
    if (!c) return cph_fail(err, CPH_NOMEM, "zstd: no memory for a compressor");
    ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, CPH_ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    size_t put = ZSTD_compress2(c, b->p + b->n, bound, p, n);
    ZSTD_freeCCtx(c);
    if (ZSTD_isError(put)) return cph_fail(err, CPH_BUG, "zstd: %s", ZSTD_getErrorName(put));
    b->n += put;
    b->p[b->n] = 0;
    return CPH_OK;
}

cph_status cph_zstd_unpack(cph_buf *b, const void *p, size_t n, uint64_t max_bytes, cph_err *err)
{
    unsigned long long size = ZSTD_getFrameContentSize(p, n);
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
        return cph_fail(err, CPH_DATA, "zstd: a frame does not state its size");
    if (size > max_bytes)
        return cph_fail(err, CPH_NOMEM, "zstd: a frame of %llu bytes, the limit is %llu", size, (unsigned long long)max_bytes);
    CPH_TRY(cph_buf_reserve(b, size, err));
    size_t got = ZSTD_decompress(b->p + b->n, size, p, n);
    if (ZSTD_isError(got) || got != size)
        return cph_fail(err, CPH_DATA, "zstd: %s", ZSTD_isError(got) ? ZSTD_getErrorName(got) : "a frame is short");
    b->n += got;
    b->p[b->n] = 0;
    return CPH_OK;
}

/* ---- writer ---- */

struct cph_zwrite {
    cph_out out;
    cph_buf raw, packed, table; /* table: 8 bytes a frame */
};

cph_status cph_zwrite_open(cph_zwrite **out, const char *path, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_zwrite), err));
    cph_zwrite *w = mem;
    cph_buf_init(&w->raw, FRAME_MAX);
    cph_buf_init(&w->packed, FRAME_MAX);
    cph_buf_init(&w->table, FRAME_MAX);
    cph_status s = cph_out_open(&w->out, path, err);
    if (s != CPH_OK) {
        cph_free(w);
        return s;
    }
    *out = w;
    return CPH_OK;
}

cph_status cph_zwrite_add(cph_zwrite *w, const void *p, size_t n, cph_err *err) { return cph_buf_add(&w->raw, p, n, err); }
uint64_t cph_zwrite_pending(const cph_zwrite *w) { return w->raw.n; }

cph_status cph_zwrite_packed(cph_zwrite *w, cph_str packed, uint32_t raw_bytes, cph_zframe *frame, cph_err *err)
{
    if (packed.n > UINT32_MAX) return cph_fail(err, CPH_NOMEM, "%s: a frame of %zu bytes", w->out.path, packed.n);
    cph_zframe f = {.offset = w->out.n_bytes, .bytes = (uint32_t)packed.n, .raw_bytes = raw_bytes};
    char entry[8];
    put32(entry, f.bytes);
    put32(entry + 4, f.raw_bytes);
    CPH_TRY(cph_out_write(&w->out, packed.p, packed.n, err));
    CPH_TRY(cph_buf_add(&w->table, entry, sizeof entry, err));
    if (frame) *frame = f;
    return CPH_OK;
}

cph_status cph_zwrite_frame(cph_zwrite *w, cph_zframe *frame, cph_err *err)
{
    if (w->raw.n == 0) {
        if (frame) *frame = (cph_zframe){.offset = w->out.n_bytes};
        return CPH_OK;
    }
    w->packed.n = 0;
    CPH_TRY(cph_zstd_pack(&w->packed, w->raw.p, w->raw.n, err));
    CPH_TRY(cph_zwrite_packed(w, cph_buf_view(&w->packed), (uint32_t)w->raw.n, frame, err));
    w->raw.n = 0;
    return CPH_OK;
}

void cph_zwrite_abandon(cph_zwrite *w)
{
    if (!w) return;
    cph_out_abandon(&w->out);
    cph_buf_release(&w->raw);
    cph_buf_release(&w->packed);
    cph_buf_release(&w->table);
    cph_free(w);
}

static cph_status finish(cph_zwrite *w, cph_err *err)
{
    CPH_TRY(cph_zwrite_frame(w, NULL, err));
    char head[8], foot[9];
    put32(head, SKIPPABLE);
    put32(head + 4, (uint32_t)w->table.n + 9);
    put32(foot, (uint32_t)(w->table.n / 8));
    foot[4] = 0; /* descriptor: no per-frame checksums; the frames carry their own */
    put32(foot + 5, SEEKABLE);
    CPH_TRY(cph_out_write(&w->out, head, sizeof head, err));
    CPH_TRY(cph_out_write(&w->out, w->table.p, w->table.n, err));
    CPH_TRY(cph_out_write(&w->out, foot, sizeof foot, err));
    return cph_out_close(&w->out, err);
}

cph_status cph_zwrite_close(cph_zwrite *w, cph_err *err)
{
    cph_status s = finish(w, err);
    cph_zwrite_abandon(w);
    return s;
}

/* ---- reader ---- */

struct cph_zread {
    cph_map map;
    char path[CPH_PATH_MAX];
    cph_zframe *frames;
    size_t n_frames;
};

static cph_status read_table(cph_zread *r, cph_err *err)
{
    const uint8_t *p = r->map.p;
    uint64_t n = r->map.n_bytes;
    if (n < 17 || get32(p + n - 4) != SEEKABLE)
        return cph_fail(err, CPH_DATA, "%s: has no seek table; it is cut or was not written by colophon", r->path);
    uint64_t count = get32(p + n - 9);
    uint64_t entry = p[n - 5] & 0x80 ? 12 : 8, table = count * entry;
    if (table + 17 > n || get32(p + n - 17 - table) != SKIPPABLE || get32(p + n - 13 - table) != table + 9)
        return cph_fail(err, CPH_DATA, "%s: its seek table is damaged", r->path);
    void *mem;
    CPH_TRY(cph_alloc_n(&mem, count + 1, sizeof *r->frames, err));
    r->frames = mem;
    uint64_t offset = 0;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *e = p + n - 9 - table + i * entry;
        r->frames[i] = (cph_zframe){.offset = offset, .bytes = get32(e), .raw_bytes = get32(e + 4)};
        offset += r->frames[i].bytes;
    }
    if (offset != n - 17 - table) return cph_fail(err, CPH_DATA, "%s: its seek table does not fit the frames", r->path);
    r->n_frames = count;
    return CPH_OK;
}

cph_status cph_zread_open(cph_zread **out, const char *path, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_zread), err));
    cph_zread *r = mem;
    snprintf(r->path, sizeof r->path, "%s", path);
    cph_status s = cph_map_open(&r->map, path, err);
    if (s == CPH_OK) s = read_table(r, err);
    if (s != CPH_OK) {
        cph_zread_close(r);
        return s;
    }
    *out = r;
    return CPH_OK;
}

void cph_zread_close(cph_zread *r)
{
    if (!r) return;
    cph_map_close(&r->map);
    cph_free(r->frames);
    cph_free(r);
}

size_t cph_zread_n_frames(const cph_zread *r) { return r->n_frames; }
cph_zframe cph_zread_frame_at(const cph_zread *r, size_t i) { return r->frames[i]; }

cph_status cph_zread_frame(const cph_zread *r, size_t i, cph_buf *b, cph_err *err)
{
    if (i >= r->n_frames) return cph_fail(err, CPH_BUG, "%s: there is no frame %zu", r->path, i);
    cph_zframe f = r->frames[i];
    b->n = 0;
    if (cph_zstd_unpack(b, r->map.p + f.offset, f.bytes, f.raw_bytes, err) != CPH_OK || b->n != f.raw_bytes)
        return err && err->status ? cph_err_prefix(err, "%s: frame %zu", r->path, i) : CPH_DATA;
    return CPH_OK;
}

/* ---- lines ---- */

struct cph_lines {
    char path[CPH_PATH_MAX];
    int fd;
    ZSTD_DStream *z; /* NULL for a plain file */
    cph_buf in, text;
    size_t in_at, text_at;
    size_t max_line;
    size_t pending; /* what zstd said it still wants: 0 at the end of a frame */
    bool ended;
};

#define LINES_CHUNK (1u << 17)

cph_status cph_lines_open(cph_lines **out, const char *path, size_t max_line, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_lines), err));
    cph_lines *l = mem;
    snprintf(l->path, sizeof l->path, "%s", path);
    l->max_line = max_line;
    cph_buf_init(&l->in, LINES_CHUNK);
    cph_buf_init(&l->text, max_line + 2 * (size_t)LINES_CHUNK);
    cph_status s = CPH_OK;
    l->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (l->fd < 0) s = cph_fail_errno(err, "%s", path);
    if (s == CPH_OK) s = cph_buf_reserve(&l->in, LINES_CHUNK, err);
    if (s == CPH_OK && cph_str_ends(cph_str_of(path), ".zst")) {
        l->z = ZSTD_createDStream();
        if (!l->z) s = cph_fail(err, CPH_NOMEM, "zstd: no memory for a decompressor");
    }
    if (s != CPH_OK) {
        cph_lines_close(l);
        return s;
    }
    *out = l;
    return CPH_OK;
}

void cph_lines_close(cph_lines *l)
{
    if (!l) return;
    if (l->fd >= 0) close(l->fd);
    ZSTD_freeDStream(l->z);
    cph_buf_release(&l->in);
    cph_buf_release(&l->text);
    cph_free(l);
}

static cph_status read_chunk(cph_lines *l, char *into, size_t room, size_t *got, cph_err *err)
{
    for (;;) {
        ssize_t n = read(l->fd, into, room);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return cph_fail_errno(err, "%s: cannot read", l->path);
        *got = (size_t)n;
        return CPH_OK;
    }
}

/* Appends some text, or sets l->ended. */
static cph_status fill(cph_lines *l, cph_err *err)
{
    size_t got = 0;
    CPH_TRY(cph_buf_reserve(&l->text, LINES_CHUNK, err));
    if (!l->z) {
        CPH_TRY(read_chunk(l, l->text.p + l->text.n, LINES_CHUNK, &got, err));
        l->text.n += got;
        l->ended = got == 0;
        return CPH_OK;
    }
    if (l->in_at == l->in.n) {
        CPH_TRY(read_chunk(l, l->in.p, LINES_CHUNK, &got, err));
        l->in.n = got;
        l->in_at = 0;
        l->ended = got == 0;
        if (l->ended && l->pending) return cph_fail(err, CPH_DATA, "%s: the last zstd frame is cut", l->path);
        if (l->ended) return CPH_OK;
    }
    ZSTD_inBuffer in = {l->in.p, l->in.n, l->in_at};
    ZSTD_outBuffer o = {l->text.p + l->text.n, LINES_CHUNK, 0};
    l->pending = ZSTD_decompressStream(l->z, &o, &in);
    if (ZSTD_isError(l->pending)) return cph_fail(err, CPH_DATA, "%s: %s", l->path, ZSTD_getErrorName(l->pending));
    l->in_at = in.pos;
    l->text.n += o.pos;
    return CPH_OK;
}

cph_status cph_lines_next(cph_lines *l, cph_str *line, cph_err *err)
{
    size_t searched = l->text_at;
    for (;;) {
        size_t lf = cph_str_find(cph_buf_view(&l->text), '\n', searched);
        if (lf != SIZE_MAX || (l->ended && l->text_at < l->text.n)) {
            if (lf == SIZE_MAX) lf = l->text.n;
            *line = (cph_str){l->text.p + l->text_at, lf - l->text_at};
            l->text_at = lf + 1 < l->text.n ? lf + 1 : l->text.n;
            return CPH_OK;
        }
        if (l->ended) return CPH_END;
        if (l->text_at) {
            memmove(l->text.p, l->text.p + l->text_at, l->text.n - l->text_at);
            l->text.n -= l->text_at;
            l->text_at = 0;
        }
        if (l->text.n > l->max_line)
            return cph_fail(err, CPH_NOMEM, "%s: a line is longer than %zu bytes", l->path, l->max_line);
        searched = l->text.n;
        CPH_TRY(fill(l, err));
    }
}
