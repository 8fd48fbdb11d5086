/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer_in.h - the tables of a byte-level BPE tokenizer, shared by loader,
 * trainer, encoder, decoder and writer.
 */
#ifndef CPH_TOKENIZER_IN_H
#define CPH_TOKENIZER_IN_H

#include <colophon/base/arena.h>
#include <colophon/base/json.h>
#include <colophon/base/memory.h>
#include <colophon/tokenizer/files.h>
#include <colophon/tokenizer/tokenizer.h>
#include <colophon/tokenizer/train.h>

#include <string.h>

#define NO_ID UINT32_MAX
#define MAX_IDS ((uint32_t)1 << 22) /* a vocabulary beyond it is damage, not a language */

/* ---- byte characters (tokenizers 7.3) ---- */
extern const uint16_t cph_byte_char[256];                 /* byte -> code point, at most U+0143 */
int cph_byte_of_char(uint32_t cp);                            /* or -1 */
size_t cph_byte_chars(const char *p, size_t n, char *out);    /* out takes 2n bytes */

/* ---- pieces: the GPT-2 pattern as a scanner ---- */
/* End of the piece that begins at `at` < n. */
size_t cph_piece_end(const char *p, size_t at, size_t n);

/* ---- the tokenizer ---- */
typedef struct merge {
    uint32_t a, b, id;
} merge;

typedef struct pair_slot {
    uint32_t a, b, rank, id; /* a == NO_ID: empty */
} pair_slot;

typedef struct added {
    cph_str content;
    uint32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
} added;

/* Added tokens of one pass, sorted by bytes. */
typedef struct added_set {
    const added **at;
    size_t n;
    bool first[256];
} added_set;

enum id_flag { ID_IN_MODEL = 1, ID_ADDED = 2, ID_SPECIAL = 4 };

/* The parts of tokenizer.json that are kept as they were read, in the order of the file. */
enum part {
    PART_TRUNCATION,
    PART_PADDING,
    PART_NORMALIZER,
    PART_PRE_TOKENIZER,
    PART_POST_PROCESSOR,
    PART_DECODER,
    N_PARTS
};
enum { N_MODEL_FIELDS = 7 };
extern const char *const cph_tok_parts_in_order[N_PARTS];
extern const char *const cph_tok_fields_in_order[N_MODEL_FIELDS]; /* dropout ... ignore_merges */

struct cph_tokenizer {
    cph_arena arena;
    uint32_t n_ids, n_model; /* largest id + 1; entries of the model's vocabulary */
    cph_str *token;          /* by id: as the file has it; p NULL where there is none */
    cph_str *bytes;          /* by id: what it decodes to */
    uint8_t *flags;          /* by id: id_flag */
    uint32_t *by_string, string_mask; /* open addressing: ids; NO_ID is empty */
    merge *merges;           /* by rank */
    uint32_t n_merges;
    pair_slot *pairs;
    uint32_t pair_mask;
    uint32_t byte_id[256];
    uint32_t *byte_pair;     /* [65536]: rank of the merge of two bytes, or NO_ID */
    bool all_bytes;          /* every byte has a token */
    bool ignore_merges, add_prefix_space;
    bool trim, trim_prefix_space; /* post-processor: trim_offsets, add_prefix_space */
    added *added;
    uint32_t n_added;
    added_set pass[2];       /* normalized false, normalized true */
    const cph_json *part[N_PARTS];
    const cph_json *model_field[N_MODEL_FIELDS];
    bool sealed;
    cph_digest digest;
};

/* Building, in this order: new, put..., (merges), add..., index. n_ids bounds the ids. */
cph_status cph_tok_new(cph_tokenizer **out, uint32_t n_ids, cph_err *err);
/* CPH_DATA when the id or the string is taken; `name` stands in messages. The string is copied. */
cph_status cph_tok_put(cph_tokenizer *t, uint32_t id, cph_str s, const char *name, cph_err *err);
uint32_t cph_tok_find(const cph_tokenizer *t, cph_str s); /* NO_ID when there is none */
cph_status cph_tok_add(cph_tokenizer *t, const added *a, const char *name, cph_err *err);
cph_status cph_tok_index(cph_tokenizer *t, const char *name, cph_err *err); /* pair table, bytes, passes */
/* Sets the parts and model fields that the JSON object has; the rest become those of GPT-2 or null. */
cph_status cph_tok_parts(cph_tokenizer *t, const cph_json *top, cph_err *err);
/* Special tokens with the ids from `first` on; one that is a token already keeps its id. Sets t->added. */
cph_status cph_tok_specials(cph_tokenizer *t, uint32_t first, const cph_str *specials, size_t n,
                            const char *name, cph_err *err);
cph_status cph_tok_layout(cph_tokenizer *t, cph_err *err); /* parts and fields of GPT-2 */

static inline uint32_t pair_hash(uint32_t a, uint32_t b)
{
    uint64_t h = (((uint64_t)a << 32) | b) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(h >> 32);
}

/* The slot of a pair, or NULL. */
static inline const pair_slot *pair_find(const cph_tokenizer *t, uint32_t a, uint32_t b)
{
    for (uint32_t i = pair_hash(a, b) & t->pair_mask;; i = (i + 1) & t->pair_mask) {
        const pair_slot *s = &t->pairs[i];
        if (s->a == a && s->b == b) return s;
        if (s->a == NO_ID) return NULL;
    }
}

/* ---- added tokens in text ---- */
typedef struct added_hit {
    size_t begin, end;       /* with the stripped spaces */
    const added *token;
} added_hit;
/* The next accepted hit at or after `from` in text; false when there is none. `last_end`: end of the
 * hit before it. *from moves past what was looked at. */
bool cph_added_next(const added_set *set, cph_str text, size_t *from, size_t last_end, bool specials,
                    added_hit *hit);

/* ---- word scratch of an encoder ---- */
typedef struct symbol {
    uint32_t id, begin, end; /* bytes of the piece */
} symbol;
typedef struct merger {
    symbol *at;              /* the result */
    size_t n, cap;
    uint32_t *rank, *prev, *next; /* for long pieces */
    uint64_t *heap;
    size_t links_cap;
    bool dropped;            /* a byte of the last piece had no token */
} merger;
/* BPE of one piece; result in m->at[0..n). */
cph_status cph_merge_piece(merger *m, const cph_tokenizer *t, const char *p, size_t n, cph_err *err);
void cph_merger_release(merger *m);

#endif
