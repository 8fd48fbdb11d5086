/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train.h - byte-level BPE from text, with the merges that Hugging Face finds
 * (tokenizers 16.2).
 *
 *   cph_bpe *b; cph_bpe_open(&b, &opts, pool, err);
 *   while (texts) cph_bpe_add(b, text, err);        a document, or a line with its LF
 *   cph_bpe_finish(b, &tokenizer, err); cph_bpe_close(b);
 *
 * Invariant  The result depends on the words and their counts alone: not on threads,
 *            not on the order of texts. Counts are 64 bits wide.
 * Threads    One thread feeds; the pool counts.
 * Memory     The distinct words with their counts, and batches of a few MiB. Learning
 *            needs about 40 bytes for each byte of distinct words.
 * Errors     CPH_NOMEM; CPH_USAGE for options that contradict each other.
 */
#ifndef CPH_TOKENIZER_TRAIN_H
#define CPH_TOKENIZER_TRAIN_H

#include <colophon/base/json.h>
#include <colophon/base/pool.h>
#include <colophon/tokenizer/tokenizer.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_bpe cph_bpe;

typedef struct cph_bpe_opts {
    uint32_t vocab_size;    /* 30000, special tokens and alphabet included */
    uint64_t min_frequency; /* 2; a pair below it is never merged (0 and 1: pairs that occur) */
    bool full_alphabet;     /* true: all 256 bytes are tokens, so that nothing is unknown */
    bool specials_first;    /* false: after the merges, as GPT-2 has them */
    const cph_str *specials; /* "<|endoftext|>" alone */
    size_t n_specials;       /* 1; 0: none */
} cph_bpe_opts;
CPH_API void cph_bpe_opts_init(cph_bpe_opts *o);
/* Records every option in identity.options. */
CPH_API cph_status cph_bpe_describe(const cph_bpe_opts *o, cph_json *identity, cph_arena *a,
                                    cph_err *err) CPH_MUST_USE;

/* The options' strings must live until _finish. pool NULL: the caller's thread alone. */
CPH_API cph_status cph_bpe_open(cph_bpe **out, const cph_bpe_opts *o, cph_pool *pool,
                                cph_err *err) CPH_MUST_USE;
CPH_API void cph_bpe_close(cph_bpe *b); /* NULL is fine */
/* Counts the words of a text; its end is a word's end. */
CPH_API cph_status cph_bpe_add(cph_bpe *b, cph_str text, cph_err *err) CPH_MUST_USE;
/* Each line of a file with its line end, as Hugging Face's trainers read files. */
CPH_API cph_status cph_bpe_add_file(cph_bpe *b, const char *path, cph_err *err) CPH_MUST_USE;

typedef struct cph_bpe_report {
    uint64_t n_texts, n_bytes;
    uint64_t n_words, n_distinct; /* occurrences; different ones */
    uint32_t alphabet, merges;
    int64_t last_count;           /* how often the last merge's pair occurred */
} cph_bpe_report;
/* Learns the merges; `report` may be NULL. CPH_DATA when there was no text. */
CPH_API cph_status cph_bpe_finish(cph_bpe *b, cph_tokenizer **out, cph_bpe_report *report,
                                  cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
