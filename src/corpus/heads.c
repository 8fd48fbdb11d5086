/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heads.c - running heads and page numbers that the producer did not mark
 * (readers-and-corpus 15). Only the first and the last line of a page can be one:
 *
 *   repetition  its fingerprint stands at the same edge of 3 pages of the same side
 *               among the 5 before and after (itself counted), or of 4 of both sides
 *   numbering   it begins or ends with a number that runs along with the pages: the
 *               difference to the page's place is the same at 3 edges near by
 *   left out    it begins or ends with the page's own number, and stands in a block
 *               that no division names on a page whose other blocks are named
 *
 * The last two catch heads that name the chapter and change with it. A line that is
 * taken gives way to its neighbour once, for a number and a title in two lines.
 */
#include <colophon/text/unicode.h>

#include <string.h>

#include "corpus_in.h"

#define NEAR 5
#define MAX_PRINT 120  /* characters of a fingerprint: longer lines are text */
#define MAX_TOKENS 14

typedef struct edge {
    uint32_t line; /* UINT32_MAX: none */
    uint32_t print[MAX_PRINT];
    uint32_t n;
    int64_t number; /* at the line's start or end; -1: none */
    bool bare;      /* the number is all there is */
    bool left_out;  /* the METS names other blocks of the page, and not this one */
} edge;

/* Fold case, digits become 0, punctuation and white space go. */
static uint32_t add_print(edge *e, cph_str s)
{
    uint32_t cp;
    for (size_t i = 0, n; i < s.n && e->n <= MAX_PRINT && (n = cph_utf8_decode(s.p + i, s.n - i, &cp)) != 0;
         i += n) {
        if (!cph_char_is(cp, CPH_CHAR_LETTER | CPH_CHAR_NUMBER)) continue;
        if (e->n < MAX_PRINT) e->print[e->n] = cph_char_is(cp, CPH_CHAR_NUMBER) ? '0' : cph_char_lower(cp);
        e->n++;
    }
    return e->n;
}

/* "12", "[12]", "- 12 -", but no year in a sentence: only what stands alone as a token. */
static int64_t number_of(cph_str s)
{
    uint64_t v = 0;
    while (s.n && memchr("[(-.", s.p[0], 4)) s = cph_str_sub(s, 1, s.n);
    while (s.n && memchr("])-.", s.p[s.n - 1], 4)) s.n--;
    return s.n && s.n <= 5 && cph_str_u64(s, &v) ? (int64_t)v : -1;
}

static bool kept_line(const cph_leaf *l, uint32_t i)
{
    return l->page.lines[i].n_tokens && !cph_role_dropped((cph_role)l->line_role[i]) &&
           l->line_role[i] != CPH_ROLE_footnote && l->line_role[i] != CPH_ROLE_marginalia;
}

static bool is_left_out(const cph_page *p, uint32_t line)
{
    bool others = false, own = false;
    for (uint32_t b = 0; b < p->n_blocks; b++) {
        const cph_block *k = &p->blocks[b];
        if (line - k->first_line < k->n_lines) own = k->division.n != 0;
        else others = others || k->division.n;
    }
    return others && !own;
}

static void edge_of(const cph_leaf *l, bool top, edge *e)
{
    const cph_page *p = &l->page;
    uint32_t found = UINT32_MAX;
    for (uint32_t k = 0; k < p->n_lines && found == UINT32_MAX; k++) {
        uint32_t i = top ? k : p->n_lines - 1 - k;
        if (kept_line(l, i)) found = i;
    }
    e->line = found;
    e->n = 0;
    e->number = -1;
    e->left_out = false;
    if (found == UINT32_MAX) return;
    const cph_line *line = &p->lines[found];
    const cph_token *t = p->tokens + line->first_token;
    for (uint32_t i = 0; i < line->n_tokens; i++) add_print(e, t[i].text);
    if (line->n_tokens > MAX_TOKENS || e->n > MAX_PRINT) {
        e->line = UINT32_MAX;
        return;
    }
    e->number = number_of(t[0].text);
    if (e->number < 0) e->number = number_of(t[line->n_tokens - 1].text);
    e->bare = e->number >= 0 && line->n_tokens == 1;
    e->left_out = e->number >= 0 && is_left_out(p, found) &&
                  (e->number == (int64_t)l->order || e->number == number_of(l->label));
}

/* Edit distance of at most a fifth of the longer print; Ukkonen's band would gain nothing at this length. */
static bool alike(const edge *a, const edge *b)
{
    uint32_t longer = a->n > b->n ? a->n : b->n, limit = longer / 5;
    if (!a->n || !b->n || longer - (a->n < b->n ? a->n : b->n) > limit) return false;
    uint32_t row[MAX_PRINT + 1];
    for (uint32_t j = 0; j <= b->n; j++) row[j] = j;
    for (uint32_t i = 1; i <= a->n; i++) {
        uint32_t diagonal = row[0], best = row[0] = i;
        for (uint32_t j = 1; j <= b->n; j++) {
            uint32_t change = diagonal + (a->print[i - 1] != b->print[j - 1]);
            diagonal = row[j];
            uint32_t gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < gap ? change : gap;
            if (row[j] < best) best = row[j];
        }
        if (best > limit) return false;
    }
    return row[b->n] <= limit;
}

static bool is_head(const edge *edges, uint32_t n, uint32_t i)
{
    const edge *e = &edges[i];
    uint32_t from = i > NEAR ? i - NEAR : 0, to = i + NEAR < n ? i + NEAR : n - 1;
    uint32_t same_side = 0, both = 0, run = 0;
    if (e->line == UINT32_MAX || !e->n) return false;
    if (e->left_out) return true;
    for (uint32_t k = from; k <= to; k++) {
        const edge *o = &edges[k];
        if (o->line == UINT32_MAX) continue;
        if (k == i || alike(e, o)) {
            both++;
            same_side += (k ^ i) % 2 == 0;
        }
        run += e->number >= 0 && o->number >= 0 && o->number - e->number == (int64_t)k - (int64_t)i;
    }
    return same_side >= 3 || both >= 4 || run >= 3;
}

static cph_status mark_edge(cph_leaf *leaves, uint32_t n, bool top, edge *edges, uint8_t *found)
{
    uint32_t any = 0;
    for (uint32_t i = 0; i < n; i++) edge_of(&leaves[i], top, &edges[i]);
    for (uint32_t i = 0; i < n; i++) any |= found[i] = is_head(edges, n, i);
    for (uint32_t i = 0; i < n; i++)
        if (found[i])
            leaves[i].line_role[edges[i].line] = edges[i].bare ? CPH_ROLE_page_number : CPH_ROLE_running_head;
    return any ? CPH_OK : CPH_END;
}

cph_status cph_heads_mark(cph_leaf *leaves, uint32_t n, cph_arena *a, cph_err *err)
{
    void *edges, *found;
    CPH_TRY(cph_arena_alloc0(a, &edges, n, sizeof(edge), err));
    CPH_TRY(cph_arena_alloc0(a, &found, n, 1, err));
    for (int top = 1; top >= 0; top--)
        for (int round = 0; round < 2; round++)
            if (mark_edge(leaves, n, top, edges, found) != CPH_OK) break;
    return CPH_OK;
}
