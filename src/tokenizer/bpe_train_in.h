/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpe_train_in.h - between counting words and learning merges.
 */
#ifndef CPH_TRAIN_BPE_IN_H
#define CPH_TRAIN_BPE_IN_H

#include "tokenizer_in.h"

/* Words of at most 15 bytes lie in the slot itself, longer ones in an arena. */
typedef struct short_word {
    uint64_t key[2]; /* as in the encoder's cache: the last byte is the length; 0 is empty */
    uint64_t count;
} short_word;

typedef struct long_word {
    const char *p;   /* NULL: empty */
    uint32_t n, hash;
    uint64_t count;
} long_word;

typedef struct word_map {
    short_word *few;
    size_t n_few, few_mask;
    long_word *many;
    size_t n_many, many_mask;
    cph_arena arena;
    uint64_t n_words;
} word_map;

cph_status cph_words_init(word_map *m, cph_err *err);
void cph_words_release(word_map *m);
/* Counts the pieces of a text. */
cph_status cph_words_count(word_map *m, cph_str text, cph_err *err);
/* Adds everything of `from`, which is then empty. */
cph_status cph_words_move(word_map *m, word_map *from, cph_err *err);

/* Learns from the words and makes the tokenizer (tokenizers 16.2). */
cph_status cph_bpe_learn(const word_map *words, const cph_bpe_opts *o, cph_tokenizer **out,
                         cph_bpe_report *report, cph_err *err);

#endif
