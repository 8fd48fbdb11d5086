/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merging.c - BPE of one piece: the lowest rank first, the leftmost of equals
 * (tokenizers 8.1.2). Short pieces scan for the minimum; long ones keep a heap of
 * (rank, place), so that a megabyte without a space costs n log n.
 */
#include "tokenizer_in.h"

enum { SHORT = 40 };

static uint32_t rank_of(const cph_tokenizer *t, uint32_t a, uint32_t b)
{
    const pair_slot *s = pair_find(t, a, b);
    return s ? s->rank : NO_ID;
}

static cph_status grow(void **block, size_t n, size_t size, cph_err *err)
{
    if (n > SIZE_MAX / size) return cph_fail(err, CPH_NOMEM, "a piece of text is too long");
    return cph_realloc(block, n * size, err);
}

static cph_status reserve(merger *m, size_t n, cph_err *err)
{
    if (n <= m->cap) return CPH_OK;
    if (n >= NO_ID / 2) return cph_fail(err, CPH_NOMEM, "a word of %zu bytes is beyond what is encoded", n);
    size_t cap = m->cap ? 2 * m->cap : 64;
    if (cap < n) cap = n;
    void *mem = m->at;
    CPH_TRY(grow(&mem, cap, sizeof *m->at, err));
    m->at = mem;
    m->cap = cap;
    return CPH_OK;
}

void cph_merger_release(merger *m)
{
    cph_free(m->at);
    cph_free(m->rank);
    cph_free(m->prev);
    cph_free(m->next);
    cph_free(m->heap);
    *m = (merger){0};
}

/* One symbol a byte; bytes without a token are left out. */
static void spell(merger *m, const cph_tokenizer *t, const char *p, size_t n)
{
    m->n = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = t->byte_id[(unsigned char)p[i]];
        if (id != NO_ID) m->at[m->n++] = (symbol){id, (uint32_t)i, (uint32_t)i + 1};
    }
    m->dropped = m->n != n;
}

static uint32_t first_rank(const merger *m, const cph_tokenizer *t, const char *p, size_t i)
{
    return t->byte_pair[(size_t)(unsigned char)p[m->at[i].begin] << 8 | (unsigned char)p[m->at[i + 1].begin]];
}

static void merge_short(merger *m, const cph_tokenizer *t, const char *p)
{
    uint32_t rank[SHORT], id[SHORT], end[SHORT], begin[SHORT];
    size_t n = m->n;
    for (size_t i = 0; i < n; i++) {
        id[i] = m->at[i].id;
        begin[i] = m->at[i].begin;
        end[i] = m->at[i].end;
        rank[i] = i + 1 < n ? first_rank(m, t, p, i) : NO_ID;
    }
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (rank[i] < rank[best]) best = i;
        if (rank[best] == NO_ID) break;
        id[best] = t->merges[rank[best]].id;
        end[best] = end[best + 1];
        n--;
        for (size_t i = best + 1; i < n; i++) {
            id[i] = id[i + 1];
            begin[i] = begin[i + 1];
            end[i] = end[i + 1];
            rank[i] = rank[i + 1];
        }
        rank[best] = best + 1 < n ? rank_of(t, id[best], id[best + 1]) : NO_ID;
        if (best) rank[best - 1] = rank_of(t, id[best - 1], id[best]);
    }
    for (size_t i = 0; i < n; i++) m->at[i] = (symbol){id[i], begin[i], end[i]};
    m->n = n;
}

/* ---- long pieces: linked symbols, a binary heap of rank << 32 | place ---- */

static void sift_down(uint64_t *heap, size_t n, size_t i)
{
    uint64_t v = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= v) break;
        heap[i] = heap[child];
    }
    heap[i] = v;
}

static void heap_push(uint64_t *heap, size_t *n, uint64_t v)
{
    size_t i = (*n)++;
    for (size_t up; i && heap[up = (i - 1) / 2] > v; i = up) heap[i] = heap[up];
    heap[i] = v;
}

static uint64_t heap_pop(uint64_t *heap, size_t *n)
{
    uint64_t top = heap[0];
    heap[0] = heap[--*n];
    if (*n) sift_down(heap, *n, 0);
    return top;
}

/* Each merge takes one entry out and puts at most two in, so 2n entries suffice. */
static cph_status reserve_links(merger *m, cph_err *err)
{
    if (m->n <= m->links_cap) return CPH_OK;
    const struct {
        void **block;
        size_t n, size;
    } want[] = {{(void **)&m->rank, m->cap, sizeof *m->rank},
                {(void **)&m->prev, m->cap, sizeof *m->prev},
                {(void **)&m->next, m->cap, sizeof *m->next},
                {(void **)&m->heap, 2 * m->cap, sizeof *m->heap}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        CPH_TRY(grow(want[i].block, want[i].n, want[i].size, err));
    m->links_cap = m->cap;
    return CPH_OK;
}

static cph_status merge_long(merger *m, const cph_tokenizer *t, const char *p, cph_err *err)
{
    CPH_TRY(reserve_links(m, err));
    size_t heaped = 0;
    uint32_t n = (uint32_t)m->n;
    for (uint32_t i = 0; i < n; i++) {
        m->prev[i] = i - 1; /* NO_ID before the first */
        m->next[i] = i + 1 < n ? i + 1 : NO_ID;
        m->rank[i] = i + 1 < n ? first_rank(m, t, p, i) : NO_ID;
        if (m->rank[i] != NO_ID) m->heap[heaped++] = (uint64_t)m->rank[i] << 32 | i;
    }
    for (size_t i = heaped / 2; i-- > 0;) sift_down(m->heap, heaped, i);
    while (heaped) {
        uint64_t top = heap_pop(m->heap, &heaped);
        uint32_t i = (uint32_t)top, rank = (uint32_t)(top >> 32);
        if (m->rank[i] != rank) continue; /* merged away, or its neighbour changed */
        uint32_t gone = m->next[i], after = m->next[gone], back = m->prev[i];
        m->at[i].id = t->merges[rank].id;
        m->at[i].end = m->at[gone].end;
        m->rank[gone] = NO_ID;
        m->at[gone].id = NO_ID;
        m->next[i] = after;
        m->rank[i] = NO_ID;
        if (after != NO_ID) {
            m->prev[after] = i;
            m->rank[i] = rank_of(t, m->at[i].id, m->at[after].id);
            if (m->rank[i] != NO_ID) heap_push(m->heap, &heaped, (uint64_t)m->rank[i] << 32 | i);
        }
        if (back != NO_ID) {
            m->rank[back] = rank_of(t, m->at[back].id, m->at[i].id);
            if (m->rank[back] != NO_ID) heap_push(m->heap, &heaped, (uint64_t)m->rank[back] << 32 | back);
        }
    }
    size_t to = 0;
    for (uint32_t i = 0; i < n; i++)
        if (m->at[i].id != NO_ID) m->at[to++] = m->at[i];
    m->n = to;
    return CPH_OK;
}

/* ignore_merges: a piece that is a token as a whole is that token. */
static cph_status whole(merger *m, const cph_tokenizer *t, const char *p, size_t n, bool *found, cph_err *err)
{
    void *mem = NULL;
    CPH_TRY(cph_realloc(&mem, 2 * n, err));
    uint32_t id = cph_tok_find(t, (cph_str){mem, cph_byte_chars(p, n, mem)});
    cph_free(mem);
    *found = id != NO_ID && (t->flags[id] & ID_IN_MODEL);
    if (*found) m->at[0] = (symbol){id, 0, (uint32_t)n};
    return CPH_OK;
}

cph_status cph_merge_piece(merger *m, const cph_tokenizer *t, const char *p, size_t n, cph_err *err)
{
    CPH_TRY(reserve(m, n + 1, err));
    if (t->ignore_merges) {
        bool found;
        CPH_TRY(whole(m, t, p, n, &found, err));
        m->dropped = false;
        m->n = 1;
        if (found) return CPH_OK;
    }
    spell(m, t, p, n);
    if (m->n > SHORT) return merge_long(m, t, p, err);
    merge_short(m, t, p);
    return CPH_OK;
}
