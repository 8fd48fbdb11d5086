/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpe_encode.c - text to ids: added tokens, then pieces, then a look into the word
 * cache, then BPE (tokenizers 2.1, 19). With offsets the same pieces are walked and
 * each token's bytes are counted off; no alignment is kept.
 */
#include "tokenizer_in.h"

#include <colophon/text/unicode.h>

enum { CACHE_BITS = 17, KEY_BYTES = 15, CACHED_IDS = 4 };

/* Half a cache line: up to 15 bytes with their number in the last byte (0: empty), and their ids. */
typedef struct slot {
    uint64_t key[2];
    uint32_t id[CACHED_IDS]; /* NO_ID after the last */
} slot;

struct cph_encoder {
    const cph_tokenizer *t;
    slot *cache;
    merger m;
    cph_buf prefixed;
};

/* One call: where ids go, and how offsets in `text` are told. */
typedef struct task {
    cph_encoder *e;
    cph_str text;     /* all of it */
    cph_ids *ids;
    bool specials;
    bool prefixed;    /* the stretch stands in a copy with a blank before it ... */
    size_t base, first_char; /* ... which began here and has a first character of so many bytes */
    cph_err *err;
} task;

cph_status cph_encoder_open(cph_encoder **out, const cph_tokenizer *t, cph_err *err)
{
    void *mem, *cache;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_encoder), err));
    cph_status s = cph_alloc0(&cache, sizeof(slot) << CACHE_BITS, err);
    if (s != CPH_OK) {
        cph_free(mem);
        return s;
    }
    cph_encoder *e = mem;
    e->t = t;
    e->cache = cache;
    cph_buf_init(&e->prefixed, SIZE_MAX);
    *out = e;
    return CPH_OK;
}

void cph_encoder_close(cph_encoder *e)
{
    if (!e) return;
    cph_merger_release(&e->m);
    cph_buf_release(&e->prefixed);
    cph_free(e->cache);
    cph_free(e);
}

void cph_ids_release(cph_ids *ids)
{
    cph_free(ids->at);
    cph_free(ids->begin);
    cph_free(ids->end);
    *ids = (cph_ids){0};
}

static cph_status grow_ids(cph_ids *ids, size_t more, bool offsets, cph_err *err)
{
    if (ids->n + more <= ids->cap && (!offsets || ids->begin)) return CPH_OK;
    size_t cap = ids->cap + ids->cap / 2 + more + 64;
    uint32_t **part[] = {&ids->at, &ids->begin, &ids->end};
    for (int i = 0; i < (offsets ? 3 : 1); i++) {
        void *mem = *part[i];
        CPH_TRY(cph_realloc(&mem, cap * sizeof(uint32_t), err));
        *part[i] = mem;
    }
    ids->cap = cap;
    return CPH_OK;
}

/* ---- offsets ---- */

/* From a place in a prefixed copy to the caller's text: the blank stands for the first character. */
static size_t begin_of(const task *k, size_t at)
{
    if (!k->prefixed) return at;
    return k->base + (at <= k->first_char ? 0 : at - 1);
}

static size_t end_of(const task *k, size_t at)
{
    if (!k->prefixed) return at;
    return k->base + (at <= k->first_char + 1 ? k->first_char : at - 1);
}

static void place(task *k, size_t begin, size_t end)
{
    cph_ids *ids = k->ids;
    if (!ids->begin) return;
    ids->begin[ids->n] = (uint32_t)begin_of(k, begin);
    ids->end[ids->n] = (uint32_t)end_of(k, end);
}

/* ---- one piece ---- */

static inline uint64_t low_bytes(uint64_t v, size_t n)
{
    return n >= 8 ? v : v & (((uint64_t)1 << 8 * n) - 1);
}

/* n is 1..15; reads 16 bytes at once where the text has them. */
static inline void key_of(uint64_t key[2], const char *p, size_t n, size_t readable)
{
    if (readable >= 16) {
        memcpy(key, p, 16);
    } else {
        key[0] = key[1] = 0;
        memcpy(key, p, n);
    }
    key[0] = low_bytes(key[0], n);
    key[1] = n > 8 ? low_bytes(key[1], n - 8) : 0;
    key[1] |= (uint64_t)n << 56;
}

static inline slot *slot_of(const cph_encoder *e, const uint64_t key[2])
{
    uint64_t h = (key[0] ^ (key[1] * 0x9E3779B97F4A7C15u)) * 0xD6E8FEB86659FD93u;
    return &e->cache[(h ^ h << 29) >> (64 - CACHE_BITS)];
}

static cph_status encode_uncached(task *k, const char *p, size_t at, size_t n, slot *room,
                                  const uint64_t key[2])
{
    merger *m = &k->e->m;
    CPH_TRY(cph_merge_piece(m, k->e->t, p + at, n, k->err));
    CPH_TRY(grow_ids(k->ids, m->n, k->ids->begin != NULL, k->err));
    for (size_t i = 0; i < m->n; i++) {
        place(k, at + m->at[i].begin, at + m->at[i].end);
        k->ids->at[k->ids->n++] = m->at[i].id;
    }
    if (!room || m->n > CACHED_IDS || m->dropped) return CPH_OK;
    slot *other = (slot *)((uintptr_t)room ^ sizeof(slot));
    if (room->key[1]) *other = *room; /* the newer one first, the older one survives once */
    room->key[0] = key[0];
    room->key[1] = key[1];
    for (size_t i = 0; i < CACHED_IDS; i++) room->id[i] = i < m->n ? m->at[i].id : NO_ID;
    return CPH_OK;
}

static inline void emit(task *k, const slot *s, size_t at)
{
    cph_ids *ids = k->ids;
    for (size_t i = 0; i < CACHED_IDS && s->id[i] != NO_ID; i++) {
        if (ids->begin) {
            size_t end = at + k->e->t->bytes[s->id[i]].n;
            if (k->prefixed) {
                place(k, at, end);
            } else {
                ids->begin[ids->n] = (uint32_t)at;
                ids->end[ids->n] = (uint32_t)end;
            }
            at = end;
        }
        ids->at[ids->n++] = s->id[i];
    }
}

/* p[at..n) holds no added token. */
static cph_status encode_stretch(task *k, const char *p, size_t at, size_t n, size_t readable)
{
    for (size_t end; at < n; at = end) {
        end = cph_piece_end(p, at, n);
        size_t length = end - at;
        if (length > KEY_BYTES) {
            CPH_TRY(encode_uncached(k, p, at, length, NULL, NULL));
            continue;
        }
        CPH_TRY(grow_ids(k->ids, CACHED_IDS, k->ids->begin != NULL, k->err));
        uint64_t key[2];
        key_of(key, p + at, length, readable - at);
        slot *s = slot_of(k->e, key), *other = (slot *)((uintptr_t)s ^ sizeof(slot));
        if (s->key[0] == key[0] && s->key[1] == key[1])
            emit(k, s, at);
        else if (other->key[0] == key[0] && other->key[1] == key[1])
            emit(k, other, at);
        else
            CPH_TRY(encode_uncached(k, p, at, length, s, key));
    }
    return CPH_OK;
}

/* ---- stretches between added tokens ---- */

static cph_status encode_prefixed(task *k, size_t begin, size_t end)
{
    cph_buf *b = &k->e->prefixed;
    b->n = 0;
    CPH_TRY(cph_buf_char(b, ' ', k->err));
    CPH_TRY(cph_buf_add(b, k->text.p + begin, end - begin, k->err));
    uint32_t cp;
    unsigned first = cph_utf8_decode(k->text.p + begin, end - begin, &cp);
    k->prefixed = true;
    k->base = begin;
    k->first_char = first ? first : 1;
    cph_status s = encode_stretch(k, b->p, 0, b->n, b->n);
    k->prefixed = false;
    return s;
}

static cph_status encode_pass(task *k, size_t begin, size_t end, unsigned pass)
{
    const cph_tokenizer *t = k->e->t;
    if (begin == end) return CPH_OK;
    if (pass == 2) {
        if (t->add_prefix_space && k->text.p[begin] != ' ') return encode_prefixed(k, begin, end);
        return encode_stretch(k, k->text.p, begin, end, k->text.n);
    }
    const added_set *set = &t->pass[pass];
    cph_str piece = cph_str_sub(k->text, begin, end - begin);
    size_t from = 0, last = 0;
    added_hit hit;
    while (set->n && cph_added_next(set, piece, &from, last, k->specials, &hit)) {
        CPH_TRY(encode_pass(k, begin + last, begin + hit.begin, pass + 1));
        CPH_TRY(grow_ids(k->ids, 1, k->ids->begin != NULL, k->err));
        place(k, begin + hit.begin, begin + hit.end);
        k->ids->at[k->ids->n++] = hit.token->id;
        last = hit.end;
    }
    return encode_pass(k, begin + last, end, pass + 1);
}

/* ---- trim_offsets of the post-processor (tokenizers 9) ---- */

/* White space characters at one end of a token's string: `Ġ` stands for a blank. */
static size_t blanks(cph_str s, bool at_end, bool is_text, size_t *bytes)
{
    size_t n = 0;
    *bytes = 0;
    while (s.n) {
        size_t at = 0;
        if (at_end)
            for (at = s.n - 1; at && ((unsigned char)s.p[at] & 0xC0) == 0x80;) at--;
        uint32_t cp;
        unsigned step = cph_utf8_decode(s.p + at, s.n - at, &cp);
        if (!step || (cp != 0x120 && !cph_char_is(cp, CPH_CHAR_SPACE))) break;
        *bytes += is_text ? step : 1;
        n++;
        s = at_end ? cph_str_sub(s, 0, at) : cph_str_sub(s, step, s.n - step);
    }
    return n;
}

static void trim(const task *k, size_t from)
{
    const cph_tokenizer *t = k->e->t;
    for (size_t i = from; i < k->ids->n; i++) {
        uint32_t *begin = &k->ids->begin[i], *end = &k->ids->end[i];
        uint32_t id = k->ids->at[i];
        bool is_text = t->flags[id] & ID_ADDED;
        cph_str s = is_text ? cph_str_sub(k->text, *begin, *end - *begin) : t->token[id];
        size_t bytes, n = blanks(s, false, is_text, &bytes);
        if (n == 1 && t->trim_prefix_space && (i == from || *begin == 0)) bytes = 0;
        *begin = *begin + bytes < *end ? (uint32_t)(*begin + bytes) : *end;
        if (blanks(s, true, is_text, &bytes) && *end >= bytes)
            *end = *end - bytes > *begin ? (uint32_t)(*end - bytes) : *begin;
    }
}

cph_status cph_encode(cph_encoder *e, cph_str text, bool specials, bool offsets, cph_ids *ids, cph_err *err)
{
    if (offsets && text.n > UINT32_MAX)
        return cph_fail(err, CPH_USAGE, "a text of %zu bytes is too long for offsets of 32 bits", text.n);
    if (offsets && ids->n && !ids->begin)
        return cph_fail(err, CPH_USAGE, "offsets are asked for where ids without offsets stand already");
    size_t before = ids->n;
    task k = {.e = e, .text = text, .ids = ids, .specials = specials, .err = err};
    cph_status s = grow_ids(ids, text.n / 4 + CACHED_IDS, offsets || ids->begin, err);
    if (s == CPH_OK) s = encode_pass(&k, 0, text.n, 0);
    if (s != CPH_OK)
        ids->n = before;
    else if (ids->begin && e->t->trim)
        trim(&k, before);
    return s;
}
