/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_pages.c - plain text as pages of blocks, lines and tokens (readers-and-corpus 13).
 * A token is what white space parts; it has no box and no confidence.
 */
#include "page_room.h"

#include <colophon/format/plain.h>
#include <colophon/text/unicode.h>

typedef struct building {
    scratch *s;
    page_room *r;
    cph_plain_kind kind;
    text_page_fn each;
    void *ctx;
} building;

static const cph_box no_box = {CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX};

static cph_status give_page(building *b, cph_err *err)
{
    page_room *r = b->r;
    cph_page page = {.blocks = r->blocks, .lines = r->lines, .tokens = r->tokens, .n_blocks = r->n_blocks,
                     .n_lines = r->n_lines, .n_tokens = r->n_tokens, .n_strings = r->n_tokens};
    if (!r->n_tokens) return CPH_OK;
    b->s->json.n = 0;
    CPH_TRY(cph_page_encode(&b->s->json, &page, err));
    text_page out = {.words = r->n_tokens, .lines = r->n_lines, .blocks = r->n_blocks};
    CPH_TRY(cph_arena_str(&b->s->keep, &out.json, cph_buf_view(&b->s->json), err));
    cph_page_room_clear(r);
    cph_arena_reset(&b->s->page);
    return b->each(b->ctx, &out, err);
}

static cph_status add_block(building *b, cph_err *err)
{
    cph_block *k;
    CPH_TRY(cph_room_push_blocks(b->r, &k, err));
    k->role = b->kind == CPH_PLAIN_VERSE ? CPH_ROLE_verse : CPH_ROLE_body;
    k->first_line = b->r->n_lines;
    k->box = no_box;
    return cph_arena_printf(&b->s->page, &k->id, err, "p%u", b->r->n_blocks);
}

static cph_status add_line(building *b, cph_str line, cph_err *err)
{
    cph_line *l;
    cph_token *t;
    cph_str word, text;
    b->s->text.n = 0;
    for (size_t i = 0; i < line.n; i++) { /* controls are dropped (3.3) */
        unsigned char c = (unsigned char)line.p[i];
        if (c >= 0x20 || c == '\t') CPH_TRY(cph_buf_char(&b->s->text, (char)c, err));
    }
    CPH_TRY(cph_nfc_of(&b->s->page, &b->s->nfc, &text, cph_buf_view(&b->s->text), err));
    CPH_TRY(cph_room_push_lines(b->r, &l, err));
    l->first_token = b->r->n_tokens;
    l->box = no_box;
    while (cph_word_next(&text, &word)) {
        CPH_TRY(cph_room_push_tokens(b->r, &t, err));
        *t = (cph_token){
            .text = word, .wc = -1, .box = no_box, .space_before = b->r->n_tokens - 1 > l->first_token};
    }
    l->n_tokens = b->r->n_tokens - l->first_token;
    b->r->blocks[b->r->n_blocks - 1].n_lines++;
    return CPH_OK;
}

cph_status cph_text_pages_read(scratch *s, cph_str utf8, bool lines_are_paragraphs, text_page_fn each,
                               void *ctx, cph_err *err)
{
    building b = {.s = s, .r = s->room, .each = each, .ctx = ctx};
    cph_plain reader;
    cph_str line;
    b.kind = lines_are_paragraphs ? CPH_PLAIN_LINES : cph_plain_judge(utf8);
    cph_plain_init(&reader, utf8, b.kind);
    cph_page_room_clear(s->room);
    cph_arena_reset(&s->page);
    while (cph_plain_next(&reader, &line) == CPH_OK) {
        if (reader.new_page) CPH_TRY(give_page(&b, err));
        if (reader.new_paragraph) CPH_TRY(add_block(&b, err));
        CPH_TRY(add_line(&b, line, err));
    }
    return give_page(&b, err);
}
