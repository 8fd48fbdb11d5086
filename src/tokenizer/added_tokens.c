/* SPDX-License-Identifier: Apache-2.0 */
/*
 * added_tokens.c - finds added tokens in text (tokenizers 3): leftmost, longest,
 * not overlapping, with the four flags. Longest match by narrowing a sorted list.
 */
#include "tokenizer_in.h"

#include <colophon/text/unicode.h>

/* The first of [low, high) whose byte at `depth` is at least c. */
static size_t bound(const added_set *set, size_t low, size_t high, size_t depth, unsigned c)
{
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if ((unsigned char)set->at[mid]->content.p[depth] < c)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The longest token that begins at p, or NULL. */
static const added *longest(const added_set *set, const char *p, size_t n)
{
    size_t low = 0, high = set->n;
    const added *best = NULL;
    for (size_t depth = 0; low < high; depth++) {
        /* All of [low, high) agree with p in their first `depth` bytes; one that ends here sorts first. */
        if (set->at[low]->content.n == depth) best = set->at[low++];
        if (low == high || depth == n) break;
        unsigned char c = (unsigned char)p[depth];
        low = bound(set, low, high, depth, c);
        high = bound(set, low, high, depth, c + 1u);
    }
    return best;
}

/* Start of the character that ends at `end`. */
static size_t before(cph_str s, size_t end)
{
    size_t at = end - 1;
    while (at && end - at < 4 && ((unsigned char)s.p[at] & 0xC0) == 0x80) at--;
    return at;
}

static bool has_class(cph_str s, size_t at, bool word, size_t *step)
{
    uint32_t cp;
    unsigned n = cph_utf8_decode(s.p + at, s.n - at, &cp);
    *step = n ? n : 1;
    return n && (word ? cph_char_is_word(cp) : cph_char_is(cp, CPH_CHAR_SPACE));
}

static bool stands_alone(cph_str s, size_t begin, size_t end)
{
    size_t step;
    if (begin && has_class(s, before(s, begin), true, &step)) return false;
    return end == s.n || !has_class(s, end, true, &step);
}

bool cph_added_next(const added_set *set, cph_str text, size_t *from, size_t last_end, bool specials,
                    added_hit *hit)
{
    size_t step;
    for (size_t at = *from; at < text.n;) {
        bool may = set->first[(unsigned char)text.p[at]];
        const added *a = may ? longest(set, text.p + at, text.n - at) : NULL;
        if (!a) {
            at++;
            continue;
        }
        size_t begin = at, end = at + a->content.n;
        at = end;
        if (begin < last_end || (a->special && !specials)) continue;
        if (a->single_word && !stands_alone(text, begin, end)) continue;
        while (a->lstrip && begin > last_end && has_class(text, before(text, begin), false, &step))
            begin = before(text, begin);
        while (a->rstrip && end < text.n && has_class(text, end, false, &step)) end += step;
        *hit = (added_hit){begin, end, a};
        *from = at;
        return true;
    }
    *from = text.n;
    return false;
}
