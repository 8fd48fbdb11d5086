/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_gemm.h - C = A B for one worker: panels packed into scratch, a register tile of
 * MR x 2 vectors. Each element is one chain in increasing k, carried from K block to
 * K block through C, so KC, MC, MR and NR are free (engine 6.1, 8.1).
 *
 * A packed element has 32 bits: a float, or for dot products a pair of bf16 of two
 * neighbouring k. So everything but the loaders and the innermost instruction is one code;
 * "steps" below counts such elements along k.
 *
 * Layers, outer to inner: K blocks of KC steps - row blocks of MC, packed - panels of NR
 * columns of B - panels of MR rows of A (stream from L2).
 */
#ifndef CPH_SIMD_GEMM_H
#define CPH_SIMD_GEMM_H

#include "simd_bf16.h"

#ifdef __AVX512BF16__
#define DOTS 1
#else
#define DOTS 0
#endif
#define NR (2 * W)
#if W == 16
#define KC 1024u
#define MC 126u /* a multiple of MR; MC x KC elements stay in a second cache of 1 MB */
#else
#define KC 768u
#define MC 84u /* of 512 KB, or less */
#endif
#define NC 256u /* columns of B that are packed at a time where they are not packed before */
#define AHEAD 16u /* rows that packing fetches ahead */
#define SLACK 16u /* floats behind packed panels that a last store may reach */
#define GEMM_A_FLOATS (MC * KC + SLACK)
#define GEMM_B_FLOATS (NC * KC + SLACK)
#define GEMM_FLOATS (GEMM_A_FLOATS + GEMM_B_FLOATS)

/* Element (i,k) of a side of a product at i * is + k * ks; one of the strides is 1. i: row of A, column of B. */
typedef struct side {
    const void *p;
    size_t is, ks;
    cph_dtype type; /* in memory */
} side;

typedef enum kind { /* how elements in memory become packed ones */
    KIND_F32,       /* float, as it is */
    KIND_F32_ROUND, /* float, rounded to bf16 */
    KIND_BF16,      /* bf16, expanded */
    KIND_F32_PAIR,  /* floats, rounded: a pair */
    KIND_BF16_PAIR
} kind;

ALWAYS kind kind_of(cph_dtype memory, cph_dtype product)
{
    if (product == CPH_F32) return KIND_F32;
    if (DOTS) return memory == CPH_F32 ? KIND_F32_PAIR : KIND_BF16_PAIR;
    return memory == CPH_F32 ? KIND_F32_ROUND : KIND_BF16;
}
ALWAYS bool in_pairs(kind x) { return x >= KIND_F32_PAIR; }
ALWAYS size_t kind_size(kind x) { return x == KIND_BF16 || x == KIND_BF16_PAIR ? 2 : 4; }
ALWAYS bool pairs_of(cph_dtype product) { return DOTS && product == CPH_BF16; }
ALWAYS size_t steps_of(size_t k, bool pairs) { return pairs ? (k + 1) / 2 : k; }

/* ---- packing ---- */

/* W packed elements at p (and, in pairs, at the same place of the next k: `next`, or NULL behind the last). */
ALWAYS vf load_straight(kind x, const char *p, const char *next, size_t left)
{
    switch (x) {
    case KIND_F32: return v_ld((const float *)(const void *)p, left);
    case KIND_F32_ROUND: return v_bf16_round(v_ld((const float *)(const void *)p, left));
    case KIND_BF16: return v_get(p, CPH_BF16, 0, left);
    default: break;
    }
#if DOTS
    vf a, b = v_set(0);
    if (x == KIND_F32_PAIR) {
        a = v_bf16_round(v_ld((const float *)(const void *)p, left));
        if (next) b = v_bf16_round(v_ld((const float *)(const void *)next, left));
    } else {
        a = v_get(p, CPH_BF16, 0, left);
        if (next) b = v_get(next, CPH_BF16, 0, left);
    }
    return _mm512_castsi512_ps(
        _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(a), 16), _mm512_castps_si512(b)));
#else
    (void)next;
    return v_set(0);
#endif
}

/* Eight steps of one row, as many bytes as they have in memory. */
ALWAYS octet load_eight(kind x, const char *p)
{
    const float *f = (const float *)(const void *)p;
    switch (x) {
    case KIND_F32: return o_load(f);
    case KIND_F32_ROUND: return o_bf16_round(o_load(f));
    case KIND_BF16: return o_bf16_load((const uint16_t *)(const void *)p);
    case KIND_BF16_PAIR: return o_load(f);
    default: break;
    }
#if DOTS
    vi v = v_bf16_bits(v_load(f)); /* even k in the lower half of each 64 bits */
    v = _mm512_or_si512(_mm512_srli_epi64(v, 16), _mm512_srli_epi64(v, 32));
    return _mm256_castsi256_ps(_mm512_cvtepi64_epi32(v));
#else
    return o_load(f);
#endif
}

/* One step of one row; `both`: the second of a pair exists. */
ALWAYS float load_one(kind x, const char *p, bool both)
{
    float f[2] = {0, 0};
    uint16_t h[2] = {0, 0};
    uint32_t bits;
    switch (x) {
    case KIND_F32: memcpy(f, p, 4); return f[0];
    case KIND_F32_ROUND: memcpy(f, p, 4); return cph_bf16_to(cph_bf16_of(f[0]));
    case KIND_BF16: memcpy(h, p, 2); return cph_bf16_to(h[0]);
    case KIND_F32_PAIR:
        memcpy(f, p, both ? 8 : 4);
        h[0] = cph_bf16_of(f[0]);
        h[1] = cph_bf16_of(f[1]);
        break;
    case KIND_BF16_PAIR: memcpy(h, p, both ? 4 : 2); break;
    }
    bits = h[0] | (uint32_t)h[1] << 16;
    memcpy(f, &bits, 4);
    return f[0];
}

/*
 * dst[j * width + i] = step j of row i, rows lying `stride` bytes apart. Rows go in groups of
 * eight, the last group (which may be short, and then repeats its last row) first: what it
 * writes too far is written again by what follows, in order of j and of groups. dst has
 * SLACK floats behind it.
 */
ALWAYS void pack_transposed(kind x, float *dst, size_t width, const char *src, size_t stride, size_t rows, size_t k)
{
    size_t step = in_pairs(x) ? 2 * kind_size(x) : kind_size(x), n = steps_of(k, in_pairs(x));
    size_t whole = (in_pairs(x) ? k / 2 : k) & ~(size_t)7;
    for (size_t group = (rows + 7) / 8; group-- > 0;) {
        const char *r[8];
        size_t i0 = group * 8, have = rows - i0 < 8 ? rows - i0 : 8, j = 0;
        for (size_t i = 0; i < 8; i++) r[i] = src + (i0 + (i < have ? i : have - 1)) * stride;
        for (; j < whole; j += 8) {
            if (j % 16 == 0) UNROLL for (unsigned i = 0; i < 8; i++) __builtin_prefetch(r[i] + (j + 128) * step);
            octet v[8];
            UNROLL for (unsigned i = 0; i < 8; i++) v[i] = load_eight(x, r[i] + j * step);
            o_transpose(v, dst + j * width + i0, width);
        }
        for (; j < n; j++)
            for (size_t i = 0; i < have; i++)
                dst[j * width + i0 + i] = load_one(x, r[i] + j * step, 2 * j + 1 < k);
    }
}

/* The same where elements of one k lie side by side and k is `stride` bytes apart. Full vectors are stored:
   what they write too far is written again by the next step, or is slack. */
ALWAYS void pack_straight(kind x, float *dst, size_t width, const char *src, size_t stride, size_t rows, size_t k)
{
    size_t per = in_pairs(x) ? 2 : 1;
    for (size_t j = 0; j < k; j += per, dst += width, src += per * stride) {
        const char *next = per == 2 && j + 1 < k ? src + stride : NULL;
        __builtin_prefetch(src + AHEAD * stride); /* far rows: no hardware foresees them */
        if (per == 2) __builtin_prefetch(src + (AHEAD + 1) * stride);
        for (size_t i = 0; i < rows; i += W)
            v_store(dst + i, load_straight(x, src + i * kind_size(x), next ? next + i * kind_size(x) : NULL,
                                           rows - i));
    }
}

#define PACK_CASE(x)                                                                               \
    case x:                                                                                        \
        if (s->is == 1) pack_straight(x, dst, width, src, s->ks * kind_size(x), rows, k);          \
        else pack_transposed(x, dst, width, src, s->is * kind_size(x), rows, k);                   \
        break;
/* Entries i0..i0+rows-1, k0..k0+k-1 of a side as one panel of `width`; k0 is even in pairs. */
static void pack_panel(float *dst, size_t width, const side *s, kind x, size_t i0, size_t rows, size_t k0, size_t k)
{
    const char *src = (const char *)s->p + (i0 * s->is + k0 * s->ks) * kind_size(x);
    switch (x) {
        PACK_CASE(KIND_F32)
        PACK_CASE(KIND_F32_ROUND)
        PACK_CASE(KIND_BF16)
#if DOTS
        PACK_CASE(KIND_F32_PAIR)
        PACK_CASE(KIND_BF16_PAIR)
#else
    default: break;
#endif
    }
}

/* Panels of NR columns, `panel` floats apart, the last padded with zeros: columns j0..j0+n-1 go to dst. */
static void pack_columns(float *dst, size_t panel, const side *s, kind x, size_t j0, size_t n, size_t k0, size_t k)
{
    size_t steps = steps_of(k, in_pairs(x));
    for (size_t j = 0; j < n; j += NR, dst += panel) {
        size_t columns = n - j < NR ? n - j : NR;
        if (columns == NR) {
            pack_panel(dst, NR, s, x, j0 + j, NR, k0, k);
            continue;
        }
        for (size_t i = 0; i < steps; i++) { /* the slack of a step is the next one's: clear behind it */
            float row[NR + SLACK] = {0};
            size_t per = in_pairs(x) ? 2 : 1, have = k - i * per < per ? k - i * per : per;
            pack_panel(row, NR, s, x, j0 + j, columns, k0 + i * per, have);
            memset(row + columns, 0, (NR - columns) * sizeof *row);
            memcpy(dst + i * NR, row, NR * sizeof *row);
        }
    }
}

/* ---- the register tile ---- */

ALWAYS vf multiply_add(bool pairs, vf a, vf b, vf c)
{
#if DOTS
    if (pairs) return _mm512_dpbf16_ps(c, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b));
#endif
    (void)pairs;
    return v_fma(a, b, c);
}

/* A pointer goes on row by row: else a compiler works out the addresses of all rows beforehand, and spills them. */
#define STEPWISE(p) __asm__("" : "+r"(p))

/* What a tile fetches for those that follow. */
typedef struct ahead {
    const float *c;  /* C of the next tile */
    const float *b;  /* this tile's share of the next panel of B */
    size_t per_step; /* floats of b a step; 0: it is near */
} ahead;

/* C[rows x NR] goes on from what it holds (or from +0) through `steps` more. */
ALWAYS void tile_of(bool pairs, bool far, size_t rows, size_t steps, const float *a, const float *b, float *c, size_t ldc,
                    bool from_c, ahead next)
{
    vf acc[MR][2];
    float *at = c;
    UNROLL for (size_t i = 0; i < rows; i++) {
        __builtin_prefetch(next.c, 1);
        if (far) __builtin_prefetch(next.c + NR / 2, 1);
        __builtin_prefetch(next.c + NR - 1, 1);
        acc[i][0] = from_c ? v_load(at) : v_set(0);
        acc[i][1] = from_c ? v_load(at + W) : v_set(0);
        next.c += ldc, at += ldc;
        STEPWISE(next.c);
        STEPWISE(at);
    }
    for (size_t x = 0; x < steps; x++, a += rows, b += NR) {
        vf b0 = v_load(b), b1 = v_load(b + W);
        if (far) __builtin_prefetch(next.b + x * next.per_step, 0, 2);
        UNROLL for (size_t i = 0; i < rows; i++) {
            vf ai = v_set(a[i]);
            acc[i][0] = multiply_add(pairs, ai, b0, acc[i][0]);
            acc[i][1] = multiply_add(pairs, ai, b1, acc[i][1]);
        }
    }
    UNROLL for (size_t i = 0; i < rows; i++, c += ldc) {
        STEPWISE(c);
        v_store(c, acc[i][0]);
        v_store(c + W, acc[i][1]);
    }
}

#define TILE_CASE(n)                                                                               \
    case n:                                                                                        \
        if (next.per_step) tile_of(PAIRS, true, n, steps, a, b, c, ldc, from_c, next);             \
        else tile_of(PAIRS, false, n, steps, a, b, c, ldc, from_c, next);                          \
        break;
#define TILE_CASES_6 TILE_CASE(1) TILE_CASE(2) TILE_CASE(3) TILE_CASE(4) TILE_CASE(5) TILE_CASE(6)
#define TILE_CASES_12                                                                              \
    TILE_CASES_6 TILE_CASE(7) TILE_CASE(8) TILE_CASE(9) TILE_CASE(10) TILE_CASE(11) TILE_CASE(12)
#define TILE_CASES_14 TILE_CASES_12 TILE_CASE(13) TILE_CASE(14)
#if MR == 14
#define TILE_CASES TILE_CASES_14
#elif MR == 12
#define TILE_CASES TILE_CASES_12
#else
#define TILE_CASES TILE_CASES_6
#endif
static void micro_single(size_t rows, size_t steps, const float *a, const float *b, float *c, size_t ldc, bool from_c,
                         ahead next)
{
    enum { PAIRS = 0 };
    switch (rows) { TILE_CASES }
}
static void micro(bool pairs, size_t rows, size_t steps, const float *a, const float *b, float *c, size_t ldc,
                  bool from_c, ahead next)
{
#if DOTS
    enum { PAIRS = 1 };
    if (pairs) {
        switch (rows) { TILE_CASES }
        return;
    }
#endif
    (void)pairs;
    micro_single(rows, steps, a, b, c, ldc, from_c, next);
}

/* The same where fewer than NR columns exist: through a copy, so that nothing beside C is touched. */
static void micro_edge(bool pairs, size_t rows, size_t steps, const float *a, const float *b, float *c, size_t ldc,
                       size_t columns, bool from_c)
{
    float t[MR * NR];
    for (size_t i = 0; from_c && i < rows; i++) {
        memset(t + i * NR, 0, NR * sizeof *t);
        memcpy(t + i * NR, c + i * ldc, columns * sizeof *t);
    }
    micro(pairs, rows, steps, a, b, t, NR, from_c, (ahead){c, b, 0});
    for (size_t i = 0; i < rows; i++) memcpy(c + i * ldc, t + i * NR, columns * sizeof *t);
}

/* ---- products ---- */

typedef struct product {
    size_t m, n, k;
    side a, b;
    cph_dtype type;      /* operands are rounded to it */
    const float *packed; /* B in panels, `panel` floats apart, all of k; or NULL */
    size_t panel;
    const float *packed_a; /* A as pack_rows leaves it, k in one block; or NULL */
    float *c;
    size_t ldc;
    bool accumulate;
    bool far; /* packed B comes from memory: fetch its panels ahead */
} product;

/* So many elements of packed columns are more than the last cache of a small machine. */
ALWAYS bool are_far(size_t k, size_t columns) { return k * columns > 2u << 20; }

/* Rows of a panel, so that all panels of m rows are about equal. */
ALWAYS size_t panel_rows(size_t m)
{
    size_t panels = (m + MR - 1) / MR;
    return (m + panels - 1) / panels;
}

/* One row block against packed columns. */
static void sweep(const product *g, size_t m0, size_t m, size_t h, size_t n0, size_t n, size_t steps, size_t a_panel,
                  const float *a, const float *b, size_t b_panel, bool from_c)
{
    bool pairs = pairs_of(g->type);
    size_t panels = (m + h - 1) / h, per_step = g->far ? (NR + panels - 1) / panels : 0;
    for (size_t j = 0; j < n; j += NR, b += b_panel) {
        size_t columns = n - j < NR ? n - j : NR;
        float *c = g->c + m0 * g->ldc + n0 + j;
        for (size_t i = 0, p = 0; i < m; i += h, p++, c += h * g->ldc) {
            size_t rows = m - i < h ? m - i : h;
            ahead next = {.c = i + h < m ? c + h * g->ldc : c - i * g->ldc + NR,
                          .b = b + b_panel + p * per_step * steps, .per_step = per_step};
            if (columns == NR) micro(pairs, rows, steps, a + p * a_panel, b, c, g->ldc, from_c, next);
            else micro_edge(pairs, rows, steps, a + p * a_panel, b, c, g->ldc, columns, from_c);
        }
    }
}

/*
 * Rows m0..m0+m-1 of A as panels of about equal height. Where one k has its elements side by side it goes to
 * all panels at once: a panel at a time would read every line for each of the panels that share it.
 */
ALWAYS void pack_rows_straight(kind x, float *dst, const char *src, size_t stride, size_t m, size_t h, size_t k)
{
    size_t per = in_pairs(x) ? 2 : 1, steps = steps_of(k, in_pairs(x));
    for (size_t s = 0; s < steps; s++, src += per * stride) {
        const char *next = per * s + 1 < k ? src + stride : NULL;
        for (size_t i = 0; i < m; i += h) {
            size_t rows = m - i < h ? m - i : h, at = i * kind_size(x);
            float *to = dst + i * steps + s * rows;
            __builtin_prefetch(src + at + AHEAD * stride); /* far rows: no hardware foresees them */
            if (per == 2) __builtin_prefetch(src + at + (AHEAD + 1) * stride);
            for (size_t r = 0; r < rows; r += W) {
                size_t from = at + r * kind_size(x);
                vf v = load_straight(x, src + from, per == 2 && next ? next + from : NULL, rows - r);
                if (s * rows + r + W <= rows * steps) v_store(to + r, v); /* too far: the next steps write it again */
                else v_st(to + r, v, rows - r);
            }
        }
    }
}

#define ROWS_CASE(x)                                                                               \
    case x: pack_rows_straight(x, dst, src, a->ks * kind_size(x), m, h, k); return;
static void pack_rows(float *dst, const side *a, kind x, size_t m0, size_t m, size_t k0, size_t k)
{
    size_t h = panel_rows(m), steps = steps_of(k, in_pairs(x));
    if (a->is == 1) {
        const char *src = (const char *)a->p + (m0 + k0 * a->ks) * kind_size(x);
        switch (x) {
            ROWS_CASE(KIND_F32)
            ROWS_CASE(KIND_F32_ROUND)
            ROWS_CASE(KIND_BF16)
#if DOTS
            ROWS_CASE(KIND_F32_PAIR)
            ROWS_CASE(KIND_BF16_PAIR)
#else
        default: break;
#endif
        }
    }
    for (size_t i = 0; i < m; i += h, dst += h * steps) {
        size_t rows = m - i < h ? m - i : h;
        pack_panel(dst, rows, a, x, m0 + i, rows, k0, k);
    }
}

/* C = A B, or C += A B as one chain; scratch: GEMM_FLOATS. */
static void multiply(const product *g, float *scratch)
{
    float *a = scratch, *b = scratch + GEMM_A_FLOATS;
    bool pairs = pairs_of(g->type);
    kind ka = kind_of(g->a.type, g->type), kb = kind_of(g->b.type, g->type);
    size_t all = steps_of(g->k, pairs), per = pairs ? 2 : 1;
    size_t blocks = (g->m + MC - 1) / MC, mc = blocks ? (g->m + blocks - 1) / blocks : 0;
    size_t kc = g->packed_a ? all : KC;
    for (size_t s0 = 0; s0 < all; s0 += kc) {
        size_t steps = all - s0 < kc ? all - s0 : kc, k0 = s0 * per;
        size_t k = g->k - k0 < steps * per ? g->k - k0 : steps * per;
        bool from_c = g->accumulate || s0 > 0;
        for (size_t m0 = 0; m0 < g->m; m0 += mc) {
            size_t m = g->m - m0 < mc ? g->m - m0 : mc, h = panel_rows(m);
            if (!g->packed_a) pack_rows(a, &g->a, ka, m0, m, k0, k);
            if (g->packed) {
                sweep(g, m0, m, h, 0, g->n, steps, h * steps, g->packed_a ? g->packed_a : a, g->packed + s0 * NR,
                      g->panel, from_c);
                continue;
            }
            for (size_t n0 = 0; n0 < g->n; n0 += NC) {
                size_t n = g->n - n0 < NC ? g->n - n0 : NC;
                pack_columns(b, steps * NR, &g->b, kb, n0, n, k0, k);
                sweep(g, m0, m, h, n0, n, steps, h * steps, a, b, steps * NR, from_c);
            }
        }
    }
}

/* The part of a product that a tile of C is. `ldc` is C's own. */
static product tile_part(product g, cph_tile t)
{
    g.a.p = (const char *)g.a.p + t.m0 * g.a.is * size_of(g.a.type);
    if (g.b.p) g.b.p = (const char *)g.b.p + t.n0 * g.b.is * size_of(g.b.type);
    if (g.packed) g.packed += t.n0 / NR * g.panel; /* tiles begin at panels */
    g.m = t.m1 - t.m0;
    g.n = t.n1 - t.n0;
    g.c += (size_t)t.m0 * g.ldc + t.n0;
    return g;
}

/* Floats of a side of n columns and k in packed form. */
ALWAYS size_t packed_floats(size_t n, size_t k, bool pairs)
{
    return (n + NR - 1) / NR * NR * steps_of(k, pairs) + SLACK;
}

#endif
