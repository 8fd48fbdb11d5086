/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_counts.c - what Appendix B of readers-and-corpus counts on one page.
 * What must stay true: called while blocks still stand in document order, so that
 * halves of hyphenated words meet as the file has them.
 */
#include "page_room.h"

#include <string.h>

typedef struct pairing {
    const cph_token *part1;
    uint32_t block;
    counts *c;
    halves *h;
} pairing;

/* SUBS_CONTENT = part 1 + part 2; a hyphen at the end of part 1 may be the line's own. */
static bool subs_equal(const cph_token *a, const cph_token *b)
{
    cph_str subs = cph_str_trim(a->subs), first = a->text;
    for (int try = 0; try < 2; try++) {
        if (subs.n == first.n + b->text.n && memcmp(subs.p, first.p, first.n) == 0 &&
            memcmp(subs.p + first.n, b->text.p, b->text.n) == 0)
            return true;
        if (!cph_str_ends(first, "-")) return false;
        first.n--;
    }
    return false;
}

static void meet(pairing *p, const cph_token *t, uint32_t block)
{
    if (t->hyphen == CPH_HYP_NONE) return;
    p->h->any = true;
    if (t->hyphen == CPH_HYP_PART1) {
        p->c->orphan_part1 += p->part1 != NULL;
        p->part1 = t;
        p->block = block;
        return;
    }
    if (!p->part1) {
        /* It may belong to the page before; the object's own pass decides. */
        bool first = !p->h->lead_part2 && p->c->pairs_same_page == 0 && p->c->orphan_part1 == 0;
        if (first) p->h->lead_part2 = true;
        else p->c->orphan_part2++;
        return;
    }
    p->c->pairs_same_page++;
    p->c->pairs_cross_block += p->block != block;
    p->c->pairs_subs_equal += subs_equal(p->part1, t);
    p->part1 = NULL;
}

typedef struct confidence {
    uint64_t n, sum;
} confidence;

static void weigh(confidence *w, counts *c, const cph_token *t)
{
    c->corrected += t->wc > 100;
    if (t->wc < 0 || t->wc > 100) return;
    w->n++;
    w->sum += (uint64_t)t->wc;
    c->wc_ge_98 += t->wc >= 98;
    c->wc_ge_90 += t->wc >= 90;
}

static bool good(const confidence *w) { return w->n && w->sum >= 90 * w->n; }

static void by_place(const page_room *r, uint32_t i, counts *c)
{
    const cph_block *k = &r->blocks[i];
    const block_note *n = &r->notes[i];
    uint64_t *blocks[CPH_N_PLACES] = {&c->blocks_print, &c->blocks_top, &c->blocks_left, &c->blocks_right,
                                      &c->blocks_bottom};
    uint64_t *strings[CPH_N_PLACES] = {&c->strings_print, &c->strings_top, &c->strings_left,
                                       &c->strings_right, &c->strings_bottom};
    *(n->in_composed ? &c->blocks_composed : blocks[k->place]) += 1;
    *(n->in_composed ? &c->strings_composed : strings[k->place]) += n->strings;
    if (n->linked) {
        c->linked_words += n->strings;
    } else if (k->place == CPH_PLACE_print && !n->in_composed) {
        c->unlinked_print_blocks++;
        c->unlinked_print_words += n->strings;
    }
}

void cph_page_count(const page_room *r, counts *c, halves *h)
{
    pairing p = {.c = c, .h = h};
    confidence page = {0};
    uint64_t words = 0;
    for (uint32_t b = 0; b < r->n_blocks; b++) {
        const cph_block *k = &r->blocks[b];
        confidence block = {0};
        uint64_t block_words = 0;
        by_place(r, b, c);
        for (uint32_t l = 0; l < k->n_lines; l++) {
            const cph_line *line = &r->lines[k->first_line + l];
            for (uint32_t t = 0; t < line->n_tokens; t++) {
                const cph_token *token = &r->tokens[line->first_token + t];
                c->hyp_part1 += token->hyphen == CPH_HYP_PART1;
                c->hyp_part2 += token->hyphen == CPH_HYP_PART2;
                if (k->place == CPH_PLACE_print) meet(&p, token, b);
                weigh(&block, c, token);
            }
            block_words += line->n_tokens;
        }
        if (good(&block)) c->words_in_blocks_wc_mean_ge_90 += block_words;
        page.n += block.n;
        page.sum += block.sum;
        words += block_words;
    }
    h->open_part1 = p.part1 != NULL;
    c->wc_n += page.n;
    c->wc_sum_hundredths += page.sum;
    c->blocks += r->n_blocks;
    c->pages_with_text += words > 0;
    if (good(&page)) {
        c->pages_wc_mean_ge_90++;
        c->words_on_those_pages += words;
    }
}
