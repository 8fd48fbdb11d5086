/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_room.c - growing arrays, and the order of blocks (ALTO-04).
 * What must stay true: order changes the sequence of blocks and nothing else.
 */
#include "page_room.h"

#include <colophon/base/memory.h>

#include <stdlib.h>
#include <string.h>

#define MAX_ELEMENTS (1u << 26)

static cph_status grow(void **array, uint32_t n, uint32_t *cap, size_t size, cph_err *err)
{
    if (n < *cap) return CPH_OK;
    if (n >= MAX_ELEMENTS) return cph_fail(err, CPH_NOMEM, "a page of more than %u elements", MAX_ELEMENTS);
    uint32_t more = *cap ? *cap * 2 : 256;
    CPH_TRY(cph_realloc(array, more * size, err));
    *cap = more;
    return CPH_OK;
}

#define ROOM_PUSH(type, name)                                                                      \
    cph_status cph_room_push_##name(page_room *r, type **out, cph_err *err)                            \
    {                                                                                              \
        void *p = r->name;                                                                         \
        CPH_TRY(grow(&p, r->n_##name, &r->cap_##name, sizeof(type), err));                         \
        r->name = p;                                                                               \
        *out = &r->name[r->n_##name++];                                                            \
        memset(*out, 0, sizeof(type));                                                             \
        return CPH_OK;                                                                             \
    }
ROOM_ARRAYS(ROOM_PUSH)
#undef ROOM_PUSH

void cph_page_room_clear(page_room *r)
{
#define ROOM_CLEAR(type, name) r->n_##name = 0;
    ROOM_ARRAYS(ROOM_CLEAR)
#undef ROOM_CLEAR
}

cph_status cph_page_room_open(page_room **out, cph_err *err)
{
    void *p;
    CPH_TRY(cph_alloc0(&p, sizeof(page_room), err));
    *out = p;
    return CPH_OK;
}

void cph_page_room_close(page_room *r)
{
    if (!r) return;
#define ROOM_FREE(type, name) cph_free(r->name);
    ROOM_ARRAYS(ROOM_FREE)
#undef ROOM_FREE
    cph_free(r);
}

/* ---- order ---- */

static int by_id(const void *x, const void *y)
{
    const id_index *a = x, *b = y;
    int order = cph_str_cmp(a->id, b->id);
    return order ? order : (a->block > b->block) - (a->block < b->block);
}

/* The first of that id, or NULL. */
static const id_index *lookup(const id_index *at, uint32_t n, cph_str id)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (cph_str_cmp(at[mid].id, id) < 0) low = mid + 1;
        else high = mid;
    }
    return low < n && cph_str_eq(at[low].id, id) ? &at[low] : NULL;
}

static cph_status index_ids(page_room *r, uint64_t *n_duplicates, cph_err *err)
{
    id_index *e;
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        if (!r->blocks[i].id.n) continue;
        CPH_TRY(cph_room_push_ids(r, &e, err));
        *e = (id_index){r->blocks[i].id, i};
    }
    if (r->n_ids) qsort(r->ids, r->n_ids, sizeof *r->ids, by_id);
    for (uint32_t i = 1; i < r->n_ids; i++) *n_duplicates += cph_str_eq(r->ids[i].id, r->ids[i - 1].id);
    return CPH_OK;
}

/* Keys from a ReadingOrder: a reference names a block or a ComposedBlock around it. */
static bool keys_of_reading_order(page_room *r)
{
    bool any = false;
    if (!r->n_refs) return false;
    qsort(r->refs, r->n_refs, sizeof *r->refs, by_id);
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        const id_index *hit = lookup(r->refs, r->n_refs, r->blocks[i].id);
        if (!hit) hit = lookup(r->refs, r->n_refs, r->notes[i].composed_inner);
        if (!hit) hit = lookup(r->refs, r->n_refs, r->notes[i].composed_outer);
        r->notes[i].sort_key = hit ? hit->block : UINT32_MAX;
        any = any || hit;
    }
    return any;
}

static bool keys_of_claims(page_room *r)
{
    bool any = false;
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        r->notes[i].sort_key = r->notes[i].claim_order;
        any = any || r->notes[i].claim_order != UINT32_MAX;
    }
    return any;
}

/* IDNEXT chains, each from a block that nobody points to, in document order; cycles end where they close. */
static bool keys_of_chains(page_room *r)
{
    bool any = false;
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        r->notes[i].sort_key = UINT32_MAX;
        r->notes[i].position = 0; /* here: somebody points to it */
    }
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        const id_index *to = r->notes[i].idnext.n ? lookup(r->ids, r->n_ids, r->notes[i].idnext) : NULL;
        if (!to || to->block == i) continue;
        r->notes[to->block].position = 1;
        any = true;
    }
    if (!any) return false;
    uint32_t key = 0;
    for (int heads_only = 1; heads_only >= 0; heads_only--)
        for (uint32_t i = 0; i < r->n_blocks; i++) {
            if (heads_only && r->notes[i].position) continue;
            for (uint32_t at = i; r->notes[at].sort_key == UINT32_MAX;) {
                r->notes[at].sort_key = key++;
                const id_index *to =
                    r->notes[at].idnext.n ? lookup(r->ids, r->n_ids, r->notes[at].idnext) : NULL;
                if (to) at = to->block;
            }
        }
    return true;
}

typedef struct placed {
    cph_block block;
    block_note note;
} placed;

static int by_key(const void *x, const void *y)
{
    const placed *a = x, *b = y;
    if (a->note.sort_key != b->note.sort_key) return a->note.sort_key < b->note.sort_key ? -1 : 1;
    return (a->note.position > b->note.position) - (a->note.position < b->note.position);
}

/* Blocks without a key follow the block before them (METS-16). */
static cph_status sort_blocks(page_room *r, cph_err *err)
{
    void *p;
    uint32_t last = 0;
    bool sorted = true;
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        block_note *n = &r->notes[i];
        if (n->sort_key == UINT32_MAX) n->sort_key = last;
        n->position = i;
        sorted = sorted && n->sort_key >= last;
        last = n->sort_key;
    }
    if (sorted) return CPH_OK;
    CPH_TRY(cph_alloc_n(&p, r->n_blocks, sizeof(placed), err));
    placed *all = p;
    for (uint32_t i = 0; i < r->n_blocks; i++) all[i] = (placed){r->blocks[i], r->notes[i]};
    qsort(all, r->n_blocks, sizeof *all, by_key);
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        r->blocks[i] = all[i].block;
        r->notes[i] = all[i].note;
    }
    cph_free(p);
    return CPH_OK;
}

cph_status cph_page_order(page_room *r, uint64_t *n_duplicate_ids, cph_err *err)
{
    *n_duplicate_ids = 0;
    CPH_TRY(index_ids(r, n_duplicate_ids, err));
    return keys_of_reading_order(r) || keys_of_claims(r) || keys_of_chains(r) ? sort_blocks(r, err) : CPH_OK;
}
