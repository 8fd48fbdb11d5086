/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer.h - text to token ids and back.
 *
 * Opens tokenizer.json (a file, or the directory that holds it); an artefact's
 * colophon.json is checked when it is there. A tokenizer is immutable.
 *
 * Invariant  Byte-level BPE: decode(encode(x)) == x for every byte string x.
 * Threads    A cph_tokenizer may be shared. A cph_encoder belongs to one thread.
 * Memory     The encoder keeps caches; ids go to the caller's cph_ids.
 * Errors     CPH_DATA names file and key; CPH_USAGE for a kind not built yet.
 */
#ifndef CPH_TOKENIZER_TOKENIZER_H
#define CPH_TOKENIZER_TOKENIZER_H

#include <colophon/base/hash.h>
#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_tokenizer cph_tokenizer;
typedef struct cph_encoder cph_encoder;

typedef struct cph_ids {
    uint32_t *at;
    uint32_t *begin, *end; /* byte offsets in the text, when asked for; else NULL */
    size_t n, cap;
} cph_ids;
CPH_API void cph_ids_release(cph_ids *ids);

CPH_API cph_status cph_tokenizer_open(cph_tokenizer **out, const char *path, cph_err *err) CPH_MUST_USE;
CPH_API void cph_tokenizer_close(cph_tokenizer *t);
CPH_API uint32_t cph_tokenizer_vocab_size(const cph_tokenizer *t); /* largest id + 1 */
/* The id of a token by its content ("<|endoftext|>"); false when there is none. */
CPH_API bool cph_tokenizer_id(const cph_tokenizer *t, cph_str content, uint32_t *id);
/* The token's string as the file has it (byte-level characters); empty when there is none. */
CPH_API cph_str cph_tokenizer_token(const cph_tokenizer *t, uint32_t id);
CPH_API bool cph_tokenizer_is_special(const cph_tokenizer *t, uint32_t id);
/* Digest of the sealed artefact it came from; false when it is none. */
CPH_API bool cph_tokenizer_digest(const cph_tokenizer *t, cph_digest *out);

CPH_API cph_status cph_encoder_open(cph_encoder **out, const cph_tokenizer *t, cph_err *err) CPH_MUST_USE;
CPH_API void cph_encoder_close(cph_encoder *e);
/* Appends to *ids (zero-initialised by the caller the first time). Added tokens in the text are
 * recognised when `specials` is true; no special tokens are put around the text. */
CPH_API cph_status cph_encode(cph_encoder *e, cph_str text, bool specials, bool offsets, cph_ids *ids,
                              cph_err *err) CPH_MUST_USE;

/* Appends text; bytes that are no valid UTF-8 become U+FFFD unless `raw`. */
CPH_API cph_status cph_decode(const cph_tokenizer *t, const uint32_t *ids, size_t n, bool skip_special,
                              bool raw, cph_buf *out, cph_err *err) CPH_MUST_USE;

/* Streaming decode: gives only whole characters. Feed one id at a time; *piece lives until the next call. */
typedef struct cph_decode_stream {
    const cph_tokenizer *t;
    cph_buf held;
    cph_buf out;
    bool skip_special;
} cph_decode_stream;
CPH_API void cph_decode_stream_init(cph_decode_stream *s, const cph_tokenizer *t, bool skip_special);
CPH_API cph_status cph_decode_stream_next(cph_decode_stream *s, uint32_t id, cph_str *piece,
                                          cph_err *err) CPH_MUST_USE;
/* What is left at the end (broken bytes as U+FFFD). */
CPH_API cph_status cph_decode_stream_end(cph_decode_stream *s, cph_str *piece, cph_err *err) CPH_MUST_USE;
CPH_API void cph_decode_stream_release(cph_decode_stream *s);

#ifdef __cplusplus
}
#endif
#endif
