/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiktoken.c - a list of ranked byte strings as BPE with merges (tokenizers 8.1.4,
 * 12.5). A token's merge is found by spelling it with the tokens that rank before
 * it: any two neighbours that make a token may join, lowest rank first; two remain.
 */
#include "tokenizer_in.h"

#include <colophon/base/file.h>

enum { MAX_TOKEN_BYTES = 1024 };

typedef struct ranks {
    cph_arena arena;
    cph_str *bytes;      /* by rank; p NULL where there is none */
    uint32_t n;          /* largest rank + 1 */
    uint32_t *slots, mask;
    const char *path;
    cph_err *err;
} ranks;

static cph_status bad(const ranks *r, size_t line, const char *what)
{
    return cph_fail(r->err, CPH_DATA, "%s: line %zu: %s", r->path, line, what);
}

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* A lone "=" is the empty token of Whisper's file. */
static bool base64(cph_str s, char *out, size_t *n)
{
    uint32_t bits = 0, held = 0;
    *n = 0;
    while (s.n && s.p[s.n - 1] == '=') s.n--;
    for (size_t i = 0; i < s.n; i++) {
        int v = sextet(s.p[i]);
        if (v < 0) return false;
        bits = bits << 6 | (uint32_t)v;
        held += 6;
        if (held >= 8) out[(*n)++] = (char)(bits >> (held -= 8));
    }
    return held < 6;
}

static uint32_t *slot_of(const ranks *r, cph_str s)
{
    for (uint32_t i = (uint32_t)cph_xxh3(s.p, s.n, 0) & r->mask;; i = (i + 1) & r->mask)
        if (r->slots[i] == NO_ID || cph_str_eq(r->bytes[r->slots[i]], s)) return &r->slots[i];
}

static cph_status read_line(ranks *r, cph_str line, size_t number)
{
    char bytes[MAX_TOKEN_BYTES];
    uint64_t rank;
    size_t blank = cph_str_find(line, ' ', 0), n;
    if (blank == SIZE_MAX || !cph_str_u64(cph_str_trim(cph_str_sub(line, blank + 1, line.n)), &rank))
        return bad(r, number, "is not \"base64 rank\"");
    if (blank / 4 * 3 + 3 > MAX_TOKEN_BYTES) return bad(r, number, "the token is too long");
    if (!base64(cph_str_sub(line, 0, blank), bytes, &n)) return bad(r, number, "the token is no base64");
    if (rank >= r->n) return bad(r, number, "the rank is beyond the number of lines");
    if (r->bytes[rank].p) return bad(r, number, "the rank stands twice");
    uint32_t *slot = slot_of(r, (cph_str){bytes, n});
    if (*slot != NO_ID) return bad(r, number, "the token stands twice");
    CPH_TRY(cph_arena_str(&r->arena, &r->bytes[rank], (cph_str){bytes, n}, r->err));
    *slot = (uint32_t)rank;
    return CPH_OK;
}

static cph_status read_ranks(ranks *r, cph_str text)
{
    void *mem;
    size_t n_lines = 0, number = 0;
    cph_str rest = text, line;
    while (cph_str_split(&rest, '\n', &line)) n_lines += line.n > 0;
    if (n_lines > MAX_IDS) return cph_fail(r->err, CPH_NOMEM, "%s: more than %u tokens", r->path, MAX_IDS);
    r->n = (uint32_t)n_lines;
    CPH_TRY(cph_arena_alloc0(&r->arena, &mem, n_lines + 1, sizeof *r->bytes, r->err));
    r->bytes = mem;
    for (r->mask = 15; r->mask < 2 * n_lines; r->mask = 2 * r->mask + 1) {
    }
    CPH_TRY(cph_arena_alloc(&r->arena, &mem, (r->mask + (size_t)1) * sizeof *r->slots, r->err));
    r->slots = memset(mem, 0xFF, (r->mask + (size_t)1) * sizeof *r->slots);
    rest = text;
    while (cph_str_split(&rest, '\n', &line)) {
        number++;
        if (line.n) CPH_TRY(read_line(r, line, number));
    }
    return CPH_OK;
}

/* Spells a token with lower ranks; the two parts that remain, or false when it is not two. */
static bool parts_of(const ranks *r, uint32_t rank, cph_str *a, cph_str *b)
{
    cph_str s = r->bytes[rank];
    uint16_t cut[MAX_TOKEN_BYTES + 1];
    size_t n = s.n;
    for (size_t i = 0; i <= n; i++) cut[i] = (uint16_t)i;
    while (n > 2) {
        uint32_t best = rank;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            uint32_t id = *slot_of(r, cph_str_sub(s, cut[i], (size_t)(cut[i + 2] - cut[i])));
            if (id < best) {
                best = id;
                at = i;
            }
        }
        if (best == rank) return false;
        memmove(cut + at + 1, cut + at + 2, (n - at - 1) * sizeof *cut);
        n--;
    }
    *a = cph_str_sub(s, 0, cut[1]);
    *b = cph_str_sub(s, cut[1], s.n - cut[1]);
    return n == 2;
}

static cph_status put_all(cph_tokenizer *t, const ranks *r)
{
    char chars[2 * MAX_TOKEN_BYTES];
    for (uint32_t rank = 0; rank < r->n; rank++) {
        cph_str s = r->bytes[rank];
        if (!s.p) return cph_fail(r->err, CPH_DATA, "%s: no token has the rank %u", r->path, rank);
        CPH_TRY(cph_tok_put(t, rank, (cph_str){chars, cph_byte_chars(s.p, s.n, chars)}, r->path, r->err));
        t->flags[rank] = ID_IN_MODEL;
    }
    t->n_model = r->n;
    void *mem;
    CPH_TRY(cph_arena_alloc0(&t->arena, &mem, r->n + (size_t)1, sizeof(merge), r->err));
    t->merges = mem;
    for (uint32_t rank = 0; rank < r->n; rank++) {
        cph_str a, b;
        if (r->bytes[rank].n < 2 || !parts_of(r, rank, &a, &b)) continue;
        uint32_t left = *slot_of(r, a), right = *slot_of(r, b);
        if (left == NO_ID || right == NO_ID) continue;
        t->merges[t->n_merges++] = (merge){left, right, rank};
    }
    return CPH_OK;
}

cph_status cph_tokenizer_from_tiktoken(cph_tokenizer **out, const char *path, const cph_str *specials,
                                       size_t n_specials, cph_err *err)
{
    cph_buf text;
    cph_buf_init(&text, (size_t)1 << 30);
    ranks r = {.path = path, .err = err};
    cph_arena_init(&r.arena, 0);
    cph_tokenizer *t = NULL;
    cph_status s = cph_file_read(path, 0, &text, err);
    if (s == CPH_OK) s = read_ranks(&r, cph_buf_view(&text));
    if (s == CPH_OK) s = cph_tok_new(&t, r.n + (uint32_t)n_specials, err);
    if (s == CPH_OK) s = put_all(t, &r);
    if (s == CPH_OK) s = cph_tok_specials(t, r.n, specials, n_specials, path, err);
    if (s == CPH_OK) t->n_ids = t->n_model;
    if (s == CPH_OK) s = cph_tok_index(t, path, err);
    if (s == CPH_OK) s = cph_tok_layout(t, err);
    cph_arena_release(&r.arena);
    cph_buf_release(&text);
    if (s == CPH_OK)
        *out = t;
    else
        cph_tokenizer_close(t);
    return s;
}
