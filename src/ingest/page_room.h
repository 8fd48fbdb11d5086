/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_room.h - the arrays in which one page grows. They keep their size from page
 * to page, so that a worker allocates for its largest page only.
 */
#ifndef CPH_PAGE_ROOM_H
#define CPH_PAGE_ROOM_H

#include "ingest_in.h"

/* What the file says of a token's place, until spaces are known. */
typedef struct token_place {
    double x, w, h;
    bool sp; /* an SP stands before it */
} token_place;

/* What is known of a block beyond its row. */
typedef struct block_note {
    cph_str idnext, tagrefs, composed_inner, composed_outer;
    uint32_t claim_order; /* UINT32_MAX: none */
    uint32_t sort_key, position;
    uint32_t strings;     /* empty ones included */
    bool in_composed, linked;
} block_note;

typedef struct id_index {
    cph_str id;
    uint32_t block;
} id_index;

#define ROOM_ARRAYS(X)                                                                             \
    X(cph_block, blocks) X(block_note, notes) X(cph_line, lines) X(cph_line, split_lines)          \
    X(cph_token, tokens) X(token_place, places) X(id_index, ids) X(id_index, refs)                 \
    X(claimed_block, claimed) X(cph_str, tags)

struct page_room {
#define ROOM_FIELD(type, name)                                                                     \
    type *name;                                                                                    \
    uint32_t n_##name, cap_##name;
    ROOM_ARRAYS(ROOM_FIELD)
#undef ROOM_FIELD
};

/* One more element at the end of an array, cleared; *out is it. */
#define ROOM_PUSH(type, name)                                                                      \
    cph_status cph_room_push_##name(page_room *r, type **out, cph_err *err) CPH_MUST_USE;
ROOM_ARRAYS(ROOM_PUSH)
#undef ROOM_PUSH
void cph_page_room_clear(page_room *r);

/* ALTO-04: puts the blocks into reading order. Returns how many ids occur twice (ALTO-13). */
cph_status cph_page_order(page_room *r, uint64_t *n_duplicate_ids, cph_err *err) CPH_MUST_USE;
/* Section 16, SP-02 to SP-04: spaces from geometry. */
cph_status cph_page_gap_spaces(page_room *r, cph_str lang, cph_err *err) CPH_MUST_USE;
/* Section 15: the role of a block from its division, its tags, its place. */
cph_role cph_page_role_of(const page_room *r, uint32_t block, const cph_mets_div *div, cph_role page_role);
/* The role that a word of PAGE's or ALTO's tags stands for. */
bool cph_role_of_word(cph_str word, cph_role *out);
/* Digits or a roman number, perhaps in brackets or dashes. */
bool cph_is_page_number(cph_str text);
/* Everything Appendix B counts on one page, in document order. */
void cph_page_count(const page_room *r, counts *c, halves *h);

#endif
