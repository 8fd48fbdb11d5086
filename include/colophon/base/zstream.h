/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zstream.h - zstd files of many frames, with random access by frame.
 *
 * The writer makes standard frames (`zstd -dc` reads the file) and ends with the
 * seekable format's skippable frame (magic 184D2A5E ... 8F92EAB1), so that a
 * reader reaches any frame without the ones before it. A frame is compressed by
 * one thread at a fixed level; its bytes depend on libzstd's version, its
 * content does not.
 *
 * Invariant  Frames end where the caller says: a record never crosses one.
 * Threads    A writer belongs to one thread. A reader may be shared for
 *            cph_zread_frame; each call brings its own buffer.
 * Memory     Writer: one frame. Reader: the frame table.
 * Errors     CPH_DATA names file, frame and what is wrong; CPH_IO, CPH_NOMEM.
 */
#ifndef CPH_BASE_ZSTREAM_H
#define CPH_BASE_ZSTREAM_H

#include <colophon/base/file.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_ZSTD_LEVEL 3

typedef struct cph_zframe {
    uint64_t offset;    /* in the file */
    uint32_t bytes;     /* compressed */
    uint32_t raw_bytes; /* content */
} cph_zframe;

typedef struct cph_zwrite cph_zwrite;
CPH_API cph_status cph_zwrite_open(cph_zwrite **out, const char *path, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_zwrite_add(cph_zwrite *w, const void *p, size_t n, cph_err *err) CPH_MUST_USE;
/* Ends the frame; *frame (may be NULL) tells where it stands. An empty frame is not written. */
CPH_API cph_status cph_zwrite_frame(cph_zwrite *w, cph_zframe *frame, cph_err *err) CPH_MUST_USE;
/* Writes a frame compressed elsewhere (cph_zstd_pack), in order. */
CPH_API cph_status cph_zwrite_packed(cph_zwrite *w, cph_str packed, uint32_t raw_bytes,
                                     cph_zframe *frame, cph_err *err) CPH_MUST_USE;
CPH_API uint64_t cph_zwrite_pending(const cph_zwrite *w); /* raw bytes in the frame under way */
/* Ends the last frame, writes the seek table, fsyncs. The handle is gone whatever it returns. */
CPH_API cph_status cph_zwrite_close(cph_zwrite *w, cph_err *err) CPH_MUST_USE;
CPH_API void cph_zwrite_abandon(cph_zwrite *w); /* NULL is fine */

typedef struct cph_zread cph_zread;
CPH_API cph_status cph_zread_open(cph_zread **out, const char *path, cph_err *err) CPH_MUST_USE;
CPH_API void cph_zread_close(cph_zread *r);
CPH_API size_t cph_zread_n_frames(const cph_zread *r);
CPH_API cph_zframe cph_zread_frame_at(const cph_zread *r, size_t i);
/* Replaces b's content by that of frame i. */
CPH_API cph_status cph_zread_frame(const cph_zread *r, size_t i, cph_buf *b, cph_err *err) CPH_MUST_USE;

/* One value, one frame: b grows by the result. Content size is stored and checked. */
CPH_API cph_status cph_zstd_pack(cph_buf *b, const void *p, size_t n, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_zstd_unpack(cph_buf *b, const void *p, size_t n, uint64_t max_bytes,
                                   cph_err *err) CPH_MUST_USE;

/*
 * Lines of a possibly compressed text file (.zst of many frames, or plain), each
 * without its LF, in order; memory is one chunk plus one line of at most max_line.
 */
typedef struct cph_lines cph_lines;
CPH_API cph_status cph_lines_open(cph_lines **out, const char *path, size_t max_line,
                                  cph_err *err) CPH_MUST_USE;
/* CPH_END after the last. The line lives until the next call. */
CPH_API cph_status cph_lines_next(cph_lines *l, cph_str *line, cph_err *err) CPH_MUST_USE;
CPH_API void cph_lines_close(cph_lines *l);

#ifdef __cplusplus
}
#endif
#endif
