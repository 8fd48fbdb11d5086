/* SPDX-License-Identifier: Apache-2.0 */
/*
 * word_counts.c - how often each piece occurs: 24 bytes for a word of up to 15
 * bytes. One map a thread; maps are added up at the end, so that threads do not show.
 */
#include "bpe_train_in.h"

enum { FIRST_SLOTS = 4096, SHORT_BYTES = 15 };

cph_status cph_words_init(word_map *m, cph_err *err)
{
    *m = (word_map){0};
    void *few, *many;
    CPH_TRY(cph_alloc0(&few, FIRST_SLOTS * sizeof(short_word), err));
    cph_status s = cph_alloc0(&many, FIRST_SLOTS * sizeof(long_word), err);
    if (s != CPH_OK) {
        cph_free(few);
        return s;
    }
    m->few = few;
    m->many = many;
    m->few_mask = m->many_mask = FIRST_SLOTS - 1;
    cph_arena_init(&m->arena, 0);
    return CPH_OK;
}

void cph_words_release(word_map *m)
{
    cph_free(m->few);
    cph_free(m->many);
    cph_arena_release(&m->arena);
    *m = (word_map){0};
}

static size_t hash_of(const uint64_t key[2])
{
    uint64_t h = (key[0] ^ (key[1] * 0x9E3779B97F4A7C15u)) * 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
    return (size_t)(h * 0xD6E8FEB86659FD93u >> 20);
}

static short_word *few_slot(short_word *at, size_t mask, const uint64_t key[2])
{
    size_t i = hash_of(key) & mask;
    while (at[i].key[1] && (at[i].key[0] != key[0] || at[i].key[1] != key[1])) i = (i + 1) & mask;
    return &at[i];
}

static cph_status grow_few(word_map *m, cph_err *err)
{
    void *mem;
    size_t mask = 2 * m->few_mask + 1;
    CPH_TRY(cph_alloc0(&mem, (mask + 1) * sizeof(short_word), err));
    short_word *to = mem;
    for (size_t i = 0; i <= m->few_mask; i++)
        if (m->few[i].key[1]) *few_slot(to, mask, m->few[i].key) = m->few[i];
    cph_free(m->few);
    m->few = to;
    m->few_mask = mask;
    return CPH_OK;
}

static cph_status add_few(word_map *m, const uint64_t key[2], uint64_t count, cph_err *err)
{
    short_word *w = few_slot(m->few, m->few_mask, key);
    if (!w->key[1]) {
        if (4 * m->n_few >= 3 * m->few_mask) {
            CPH_TRY(grow_few(m, err));
            w = few_slot(m->few, m->few_mask, key);
        }
        w->key[0] = key[0];
        w->key[1] = key[1];
        m->n_few++;
    }
    w->count += count;
    return CPH_OK;
}

static long_word *many_slot(long_word *at, size_t mask, const long_word *w)
{
    size_t i = w->hash & mask;
    while (at[i].p && (at[i].hash != w->hash || at[i].n != w->n || memcmp(at[i].p, w->p, w->n) != 0))
        i = (i + 1) & mask;
    return &at[i];
}

static cph_status grow_many(word_map *m, cph_err *err)
{
    void *mem;
    size_t mask = 2 * m->many_mask + 1;
    CPH_TRY(cph_alloc0(&mem, (mask + 1) * sizeof(long_word), err));
    long_word *to = mem;
    for (size_t i = 0; i <= m->many_mask; i++)
        if (m->many[i].p) *many_slot(to, mask, &m->many[i]) = m->many[i];
    cph_free(m->many);
    m->many = to;
    m->many_mask = mask;
    return CPH_OK;
}

static cph_status add_many(word_map *m, const long_word *word, cph_err *err)
{
    long_word *w = many_slot(m->many, m->many_mask, word);
    if (!w->p) {
        if (4 * m->n_many >= 3 * m->many_mask) {
            CPH_TRY(grow_many(m, err));
            w = many_slot(m->many, m->many_mask, word);
        }
        cph_str copy;
        CPH_TRY(cph_arena_str(&m->arena, &copy, (cph_str){word->p, word->n}, err));
        *w = (long_word){copy.p, word->n, word->hash, 0};
        m->n_many++;
    }
    w->count += word->count;
    return CPH_OK;
}

cph_status cph_words_count(word_map *m, cph_str text, cph_err *err)
{
    if (text.n >= NO_ID)
        return cph_fail(err, CPH_NOMEM, "a text of %zu bytes is beyond what is counted at once", text.n);
    for (size_t at = 0, end; at < text.n; at = end) {
        end = cph_piece_end(text.p, at, text.n);
        size_t n = end - at;
        m->n_words++;
        if (n <= SHORT_BYTES) {
            uint64_t key[2] = {0, 0};
            memcpy(key, text.p + at, n);
            key[1] |= (uint64_t)n << 56;
            CPH_TRY(add_few(m, key, 1, err));
        } else {
            long_word w = {text.p + at, (uint32_t)n, (uint32_t)cph_xxh3(text.p + at, n, 0), 1};
            CPH_TRY(add_many(m, &w, err));
        }
    }
    return CPH_OK;
}

cph_status cph_words_move(word_map *m, word_map *from, cph_err *err)
{
    for (size_t i = 0; i <= from->few_mask; i++)
        if (from->few[i].key[1]) CPH_TRY(add_few(m, from->few[i].key, from->few[i].count, err));
    for (size_t i = 0; i <= from->many_mask; i++)
        if (from->many[i].p) CPH_TRY(add_many(m, &from->many[i], err));
    m->n_words += from->n_words;
    cph_words_release(from);
    return cph_words_init(from, err);
}
