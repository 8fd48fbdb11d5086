/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learning.c - the BPE trainer of Hugging Face, exactly (tokenizers 16.2): the most
 * frequent pair, of equals the one with the lower ids; counts of pairs are kept up to
 * date in the words that the top pair touches, and nowhere else.
 *
 * What must stay true: a pair's place in the heap carries the words that were touched
 * when it was pushed; a stale count is corrected and pushed back, never merged.
 */
#include "bpe_train_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>

/* A growable array of u32; 64 bits of length. */
typedef struct list {
    uint32_t *at;
    uint64_t n, cap;
} list;

typedef struct pair {
    uint32_t a, b;
    int64_t count;
    uint32_t last_word;  /* the word that touched it last in this step */
    uint32_t touched;    /* words that touched it in this step */
    uint64_t words_at;   /* where the next of them goes in learner.where */
} pair;

typedef struct entry {   /* of the heap */
    int64_t count;
    uint64_t words_at;   /* in learner.where */
    uint32_t pair, n_words;
} entry;

typedef struct learner {
    cph_tokenizer *t;
    const cph_bpe_opts *o;
    uint32_t n_tokens, limit; /* merges end at `limit` tokens */
    /* words: symbols of all, each word's place and present length */
    uint32_t *symbols, *length;
    uint64_t *start, *count;
    uint32_t n_words;
    /* pairs */
    pair *pairs;
    uint32_t n_pairs, cap_pairs;
    uint32_t *slots;
    uint32_t mask;
    entry *heap;
    size_t n_heap, cap_heap;
    list where, step_pairs, step_words, changed;
    cph_err *err;
} learner;

/* ---- small containers ---- */

static cph_status list_add(list *l, uint32_t v, cph_err *err)
{
    if (l->n == l->cap) {
        uint64_t cap = l->cap ? l->cap + l->cap / 2 : 1024;
        void *mem = l->at;
        CPH_TRY(cph_realloc(&mem, cap * sizeof *l->at, err));
        l->at = mem;
        l->cap = cap;
    }
    l->at[l->n++] = v;
    return CPH_OK;
}

static cph_status grow_slots(learner *k)
{
    uint32_t mask = k->mask ? 2 * k->mask + 1 : (1 << 16) - 1;
    void *mem;
    CPH_TRY(cph_alloc(&mem, ((size_t)mask + 1) * sizeof *k->slots, k->err));
    uint32_t *slots = memset(mem, 0xFF, ((size_t)mask + 1) * sizeof *k->slots);
    for (uint32_t p = 0; p < k->n_pairs; p++) {
        uint32_t i = pair_hash(k->pairs[p].a, k->pairs[p].b) & mask;
        while (slots[i] != NO_ID) i = (i + 1) & mask;
        slots[i] = p;
    }
    cph_free(k->slots);
    k->slots = slots;
    k->mask = mask;
    return CPH_OK;
}

/* The number of a pair, made when it is new. */
static cph_status pair_number(learner *k, uint32_t a, uint32_t b, uint32_t *out)
{
    if (4 * (uint64_t)k->n_pairs >= 3 * (uint64_t)k->mask) CPH_TRY(grow_slots(k));
    uint32_t i = pair_hash(a, b) & k->mask;
    for (; k->slots[i] != NO_ID; i = (i + 1) & k->mask) {
        const pair *p = &k->pairs[k->slots[i]];
        if (p->a == a && p->b == b) {
            *out = k->slots[i];
            return CPH_OK;
        }
    }
    if (k->n_pairs == k->cap_pairs) {
        uint32_t cap = k->cap_pairs ? k->cap_pairs + k->cap_pairs / 2 : 4096;
        void *mem = k->pairs;
        CPH_TRY(cph_realloc(&mem, cap * sizeof *k->pairs, k->err));
        k->pairs = mem;
        k->cap_pairs = cap;
    }
    k->pairs[k->n_pairs] = (pair){.a = a, .b = b, .last_word = NO_ID};
    *out = k->slots[i] = k->n_pairs++;
    return CPH_OK;
}

/* Does x come out before y? The larger count, then the lower ids. */
static bool is_before(const learner *k, const entry *x, const entry *y)
{
    if (x->count != y->count) return x->count > y->count;
    const pair *p = &k->pairs[x->pair], *q = &k->pairs[y->pair];
    return p->a != q->a ? p->a < q->a : p->b < q->b;
}

static cph_status heap_push(learner *k, entry e)
{
    if (k->n_heap == k->cap_heap) {
        size_t cap = k->cap_heap ? k->cap_heap + k->cap_heap / 2 : 4096;
        void *mem = k->heap;
        CPH_TRY(cph_realloc(&mem, cap * sizeof *k->heap, k->err));
        k->heap = mem;
        k->cap_heap = cap;
    }
    size_t i = k->n_heap++;
    for (size_t up; i && is_before(k, &e, &k->heap[up = (i - 1) / 2]); i = up) k->heap[i] = k->heap[up];
    k->heap[i] = e;
    return CPH_OK;
}

static entry heap_pop(learner *k)
{
    entry top = k->heap[0], e = k->heap[--k->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < k->n_heap; i = child) {
        if (child + 1 < k->n_heap && is_before(k, &k->heap[child + 1], &k->heap[child])) child++;
        if (!is_before(k, &k->heap[child], &e)) break;
        k->heap[i] = k->heap[child];
    }
    if (k->n_heap) k->heap[i] = e;
    return top;
}

/* ---- words and alphabet ---- */

/* The words in the order of the map; nothing that is learnt depends on that order. */
typedef cph_status (*word_fn)(learner *k, cph_str bytes, uint64_t count);

static cph_status each_word(learner *k, const word_map *m, word_fn fn)
{
    for (size_t i = 0; i <= m->few_mask; i++) {
        const short_word *w = &m->few[i];
        if (w->key[1]) CPH_TRY(fn(k, (cph_str){(const char *)w->key, (size_t)(w->key[1] >> 56)}, w->count));
    }
    for (size_t i = 0; i <= m->many_mask; i++)
        if (m->many[i].p) CPH_TRY(fn(k, (cph_str){m->many[i].p, m->many[i].n}, m->many[i].count));
    return CPH_OK;
}

static cph_status spell(learner *k, cph_str bytes, uint64_t count)
{
    uint64_t at = k->start[k->n_words];
    for (size_t i = 0; i < bytes.n; i++) {
        uint32_t id = k->t->byte_id[(unsigned char)bytes.p[i]];
        k->symbols[at++] = id;
    }
    k->length[k->n_words] = (uint32_t)bytes.n;
    k->count[k->n_words] = count;
    k->start[++k->n_words] = at;
    return CPH_OK;
}

static cph_status new_token(learner *k, cph_str s, uint32_t *id)
{
    *id = k->n_tokens;
    CPH_TRY(cph_tok_put(k->t, k->n_tokens, s, "training", k->err));
    k->t->flags[k->n_tokens++] = ID_IN_MODEL;
    return CPH_OK;
}

/* Bytes in the order of the characters that stand for them. */
static cph_status make_alphabet(learner *k, const bool seen[256], uint32_t *n)
{
    *n = 0;
    for (uint32_t cp = 0; cp <= 0x143; cp++) {
        int byte = cph_byte_of_char(cp);
        if (byte < 0 || !(seen[byte] || k->o->full_alphabet)) continue;
        char z[4];
        cph_str s = {z, cph_utf8_encode(cp, z)};
        uint32_t id = cph_tok_find(k->t, s);
        if (id == NO_ID && k->n_tokens == k->limit)
            return cph_fail(k->err, CPH_USAGE, "a vocabulary of %u tokens has no room for the alphabet",
                            k->o->vocab_size);
        if (id == NO_ID) CPH_TRY(new_token(k, s, &id));
        k->t->byte_id[byte] = id;
        ++*n;
    }
    return CPH_OK;
}

static cph_status alloc_words(learner *k, size_t n_words, uint64_t n_bytes)
{
    if (n_words >= NO_ID) return cph_fail(k->err, CPH_NOMEM, "more than 2^32 different words");
    void *mem;
    CPH_TRY(cph_alloc_n(&mem, n_bytes + 1, sizeof *k->symbols, k->err));
    k->symbols = mem;
    CPH_TRY(cph_alloc_n(&mem, n_words + 1, sizeof *k->length, k->err));
    k->length = mem;
    CPH_TRY(cph_alloc_n(&mem, n_words + 1, sizeof *k->count, k->err));
    k->count = mem;
    CPH_TRY(cph_alloc_n(&mem, n_words + 2, sizeof *k->start, k->err));
    k->start = mem;
    k->start[0] = 0;
    return CPH_OK;
}

static uint64_t look(const word_map *m, bool seen[256])
{
    uint64_t n_bytes = 0;
    for (size_t i = 0; i <= m->few_mask; i++) {
        const unsigned char *p = (const unsigned char *)m->few[i].key;
        for (unsigned n = p[15], j = 0; j < n; j++) seen[p[j]] = true;
        n_bytes += p[15];
    }
    for (size_t i = 0; i <= m->many_mask; i++) {
        for (uint32_t j = 0; m->many[i].p && j < m->many[i].n; j++)
            seen[(unsigned char)m->many[i].p[j]] = true;
        n_bytes += m->many[i].n;
    }
    return n_bytes;
}

/* ---- pairs ---- */

static cph_status count_pairs(learner *k)
{
    CPH_TRY(grow_slots(k));
    for (uint32_t w = 0; w < k->n_words; w++) {
        const uint32_t *s = k->symbols + k->start[w];
        for (uint32_t i = 0; i + 1 < k->length[w]; i++) {
            uint32_t p;
            CPH_TRY(pair_number(k, s[i], s[i + 1], &p));
            k->pairs[p].count += (int64_t)k->count[w];
            k->pairs[p].touched += k->pairs[p].last_word != w;
            k->pairs[p].last_word = w;
        }
    }
    return CPH_OK;
}

static cph_status reserve_where(learner *k, uint64_t more)
{
    if (k->where.n + more <= k->where.cap) return CPH_OK;
    uint64_t cap = k->where.n + more + k->where.cap / 2;
    void *mem = k->where.at;
    CPH_TRY(cph_realloc(&mem, cap * sizeof *k->where.at, k->err));
    k->where.at = mem;
    k->where.cap = cap;
    return CPH_OK;
}

/* Room in `where` for the words that touched a pair, and the pair on the heap with them. */
static cph_status push_pair(learner *k, uint32_t number)
{
    pair *p = &k->pairs[number];
    p->words_at = k->where.n;
    k->where.n += p->touched;
    return p->count > 0 ? heap_push(k, (entry){p->count, p->words_at, number, p->touched}) : CPH_OK;
}

static void settle(pair *p)
{
    p->touched = 0;
    p->last_word = NO_ID;
}

/* Where each pair stands at the start: a second walk fills the lists that the first one measured. */
static cph_status fill_heap(learner *k)
{
    uint64_t all = 0;
    for (uint32_t p = 0; p < k->n_pairs; p++) all += k->pairs[p].touched;
    CPH_TRY(reserve_where(k, all));
    for (uint32_t p = 0; p < k->n_pairs; p++) {
        CPH_TRY(push_pair(k, p));
        settle(&k->pairs[p]);
    }
    for (uint32_t w = 0; w < k->n_words; w++) {
        const uint32_t *s = k->symbols + k->start[w];
        for (uint32_t i = 0; i + 1 < k->length[w]; i++) {
            uint32_t number;
            CPH_TRY(pair_number(k, s[i], s[i + 1], &number));
            pair *p = &k->pairs[number];
            if (p->last_word == w) continue;
            p->last_word = w;
            k->where.at[p->words_at++] = w;
        }
    }
    for (uint32_t p = 0; p < k->n_pairs; p++) settle(&k->pairs[p]);
    return CPH_OK;
}

/* ---- one merge ---- */

static cph_status lower(learner *k, uint32_t a, uint32_t b, uint32_t w)
{
    uint32_t p;
    CPH_TRY(pair_number(k, a, b, &p));
    k->pairs[p].count -= (int64_t)k->count[w];
    return CPH_OK;
}

static cph_status raise(learner *k, uint32_t a, uint32_t b, uint32_t w)
{
    uint32_t number;
    CPH_TRY(pair_number(k, a, b, &number));
    pair *p = &k->pairs[number];
    p->count += (int64_t)k->count[w];
    if (!p->touched) CPH_TRY(list_add(&k->changed, number, k->err));
    if (p->touched && p->last_word == w) return CPH_OK;
    p->touched++;
    p->last_word = w;
    CPH_TRY(list_add(&k->step_pairs, number, k->err));
    return list_add(&k->step_words, w, k->err);
}

static cph_status merge_word(learner *k, uint32_t w, uint32_t a, uint32_t b, uint32_t id)
{
    uint32_t *s = k->symbols + k->start[w], n = k->length[w], to = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (s[i] != a || i + 1 == n || s[i + 1] != b) {
            s[to++] = s[i];
            continue;
        }
        if (to) {
            CPH_TRY(lower(k, s[to - 1], a, w));
            CPH_TRY(raise(k, s[to - 1], id, w));
        }
        if (i + 2 < n) {
            CPH_TRY(lower(k, b, s[i + 2], w));
            CPH_TRY(raise(k, id, s[i + 2], w));
        }
        s[to++] = id;
        i++;
    }
    k->length[w] = to;
    return CPH_OK;
}

/* Every pair that rose is pushed once, with its full count and the words of this step. */
static cph_status push_changed(learner *k)
{
    CPH_TRY(reserve_where(k, k->step_pairs.n));
    for (uint64_t i = 0; i < k->changed.n; i++) CPH_TRY(push_pair(k, k->changed.at[i]));
    for (uint64_t i = 0; i < k->step_pairs.n; i++)
        k->where.at[k->pairs[k->step_pairs.at[i]].words_at++] = k->step_words.at[i];
    for (uint64_t i = 0; i < k->changed.n; i++) settle(&k->pairs[k->changed.at[i]]);
    k->changed.n = k->step_pairs.n = k->step_words.n = 0;
    return CPH_OK;
}

static cph_status token_of(learner *k, const pair *p, uint32_t *id)
{
    cph_str a = k->t->token[p->a], b = k->t->token[p->b];
    void *mem = NULL;
    CPH_TRY(cph_realloc(&mem, a.n + b.n, k->err));
    memcpy(mem, a.p, a.n);
    memcpy((char *)mem + a.n, b.p, b.n);
    cph_str s = {mem, a.n + b.n};
    *id = cph_tok_find(k->t, s);
    cph_status status = *id == NO_ID ? new_token(k, s, id) : CPH_OK;
    cph_free(mem);
    return status;
}

static cph_status merge_top(learner *k, const entry *top, cph_bpe_report *report)
{
    pair p = k->pairs[top->pair];
    uint32_t id;
    CPH_TRY(token_of(k, &p, &id));
    k->t->merges[k->t->n_merges++] = (merge){p.a, p.b, id};
    report->last_count = top->count;
    for (uint32_t i = 0; i < top->n_words; i++)
        CPH_TRY(merge_word(k, k->where.at[top->words_at + i], p.a, p.b, id));
    return push_changed(k);
}

/* Room for one more merge: a token that is used again does not end the learning by itself. */
static cph_status reserve_merge(learner *k, uint32_t *cap)
{
    if (k->t->n_merges < *cap) return CPH_OK;
    void *mem;
    uint32_t more = *cap ? 2 * *cap : k->limit + 1;
    CPH_TRY(cph_arena_alloc(&k->t->arena, &mem, more * sizeof(merge), k->err));
    if (*cap) memcpy(mem, k->t->merges, *cap * sizeof(merge));
    k->t->merges = mem;
    *cap = more;
    return CPH_OK;
}

static cph_status learn(learner *k, cph_bpe_report *report)
{
    cph_progress progress;
    cph_progress_begin(&progress, "learning merges", "tokens", k->limit);
    cph_progress_add(&progress, k->n_tokens);
    cph_status s = CPH_OK;
    uint32_t cap = 0;
    while (s == CPH_OK && k->n_tokens < k->limit && k->n_heap) {
        entry top = heap_pop(k);
        int64_t now = k->pairs[top.pair].count;
        if (top.count != now) {
            top.count = now;
            s = heap_push(k, top);
            continue;
        }
        if (now < 1 || (uint64_t)now < k->o->min_frequency) break;
        uint32_t before = k->n_tokens;
        s = reserve_merge(k, &cap);
        if (s == CPH_OK) s = merge_top(k, &top, report);
        cph_progress_add(&progress, k->n_tokens - before);
        if (s == CPH_OK && k->n_tokens % 64 == 0) s = cph_interrupt_check("learning merges", k->err);
    }
    cph_progress_end(&progress);
    report->merges = k->t->n_merges;
    return s;
}

static cph_status prepare(learner *k, const word_map *words, cph_bpe_report *report)
{
    bool seen[256] = {false};
    uint64_t n_bytes = look(words, seen);
    const cph_bpe_opts *o = k->o;
    k->limit = o->specials_first ? o->vocab_size : o->vocab_size - (uint32_t)o->n_specials;
    CPH_TRY(cph_tok_new(&k->t, o->vocab_size, k->err));
    uint32_t id;
    for (size_t i = 0; i < o->n_specials && o->specials_first; i++)
        if (cph_tok_find(k->t, o->specials[i]) == NO_ID) CPH_TRY(new_token(k, o->specials[i], &id));
    CPH_TRY(make_alphabet(k, seen, &report->alphabet));
    CPH_TRY(alloc_words(k, words->n_few + words->n_many, n_bytes));
    CPH_TRY(each_word(k, words, spell));
    CPH_TRY(count_pairs(k));
    return fill_heap(k);
}

static cph_status finish(learner *k)
{
    uint32_t n = k->n_tokens;
    k->t->n_model = n;
    CPH_TRY(cph_tok_specials(k->t, n, k->o->specials, k->o->n_specials, "training", k->err));
    k->t->n_ids = k->t->n_model;
    CPH_TRY(cph_tok_index(k->t, "training", k->err));
    return cph_tok_layout(k->t, k->err);
}

static void release(learner *k)
{
    cph_free(k->symbols);
    cph_free(k->length);
    cph_free(k->start);
    cph_free(k->count);
    cph_free(k->pairs);
    cph_free(k->slots);
    cph_free(k->heap);
    cph_free(k->where.at);
    cph_free(k->step_pairs.at);
    cph_free(k->step_words.at);
    cph_free(k->changed.at);
}

cph_status cph_bpe_learn(const word_map *words, const cph_bpe_opts *o, cph_tokenizer **out,
                         cph_bpe_report *report, cph_err *err)
{
    learner k = {.o = o, .err = err};
    cph_status s = prepare(&k, words, report);
    if (s == CPH_OK) s = learn(&k, report);
    if (s == CPH_OK) s = finish(&k);
    release(&k);
    if (s == CPH_OK)
        *out = k.t;
    else
        cph_tokenizer_close(k.t);
    return s;
}
