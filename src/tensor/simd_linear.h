/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simd_linear.h - linear and the fused output layer with cross-entropy: ref_linear.c and
 * ref_loss.c on packed tiles. What all tiles of a product read is packed once, by the
 * phase before it; the rows of A are packed by the tile that uses them.
 */
#ifndef CPH_SIMD_LINEAR_H
#define CPH_SIMD_LINEAR_H

#include "simd_act.h"
#include "simd_gemm.h"

/* Scratch: GEMM, then the tile of C where memory holds bf16. */
#define LINEAR_FLOATS (GEMM_FLOATS + CPH_TILE_FLOATS)

/* One panel of a weight [in,out] or [out,in] for cph_pack_weight. */
static void pack_weight_panel(cph_dtype type, const float *w, uint32_t in, uint32_t out, bool out_in, float *packed,
                              uint32_t panel)
{
    side b = out_in ? (side){w, in, 1, CPH_F32} : (side){w, 1, out, CPH_F32};
    size_t j = (size_t)panel * NR, n = out - j < NR ? out - j : NR, floats = NR * steps_of(in, pairs_of(type));
    pack_columns(packed + panel * floats, floats, &b, kind_of(CPH_F32, type), j, n, 0, in);
}

/* ---- linear, forward ---- */

ALWAYS void epilogue_of(const cph_linear *l, cph_act act, cph_dtype type, cph_dtype y_type, cph_tile t, const float *c,
                        size_t ldc)
{
    size_t n = t.n1 - t.n0;
    for (size_t r = t.m0; r < t.m1; r++) {
        size_t at = r * l->out + t.n0;
        const float *row = c + (r - t.m0) * ldc;
        EACH_VECTOR(i, left, n)
        {
            vf v = v_ld(row + i, left);
            if (l->b) v = v_add(v, v_ld(l->b + t.n0 + i, left));
            if (act != CPH_ACT_NONE) {
                if (l->pre) v_put(l->pre, type, at + i, v, left);
                v = v_act(act, v);
            }
            v_put(l->y, y_type, at + i, v, left);
        }
    }
}
ALWAYS void linear_epilogue(const cph_linear *l, cph_dtype type, cph_dtype y_type, cph_tile t, const float *c, size_t ldc)
{
    FOR_ACT(l->act, epilogue_of(l, ACT, type, y_type, t, c, ldc))
}

/* C of a product gets what memory holds in bf16. */
static void load_tile(const product *part, const uint16_t *c, size_t ldc)
{
    for (size_t r = 0; r < part->m; r++)
        EACH_VECTOR(i, left, part->n) v_st(part->c + r * part->ldc + i, v_get(c, CPH_BF16, r * ldc + i, left), left);
}

static void linear_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase;
    const cph_linear *l = &op->u.linear;
    cph_tiles tiles = cph_tiles_of(l->rows, l->out, l->workers);
    cph_tile t = cph_tile_at(&tiles, task);
    bool real = op->dtype == CPH_F32 || l->real_y;
    product g = {.k = l->in, .type = op->dtype, .packed = l->packed,
                 .panel = NR * steps_of(l->in, pairs_of(op->dtype)),
                 .a = {l->x, l->in, 1, op->dtype},
                 .b = l->out_in ? (side){l->w, l->in, 1, CPH_F32} : (side){l->w, 1, l->out, CPH_F32},
                 .c = l->y, .ldc = l->out, .accumulate = l->y_adds,
                 .far = are_far(l->in, l->out)};
    if (!real) g.c = NULL;
    product part = tile_part(g, t);
    if (!real) part.c = scratch + GEMM_FLOATS, part.ldc = tiles.tile_n;
    if (!real && l->y_adds) load_tile(&part, (const uint16_t *)l->y + (size_t)t.m0 * l->out + t.n0, l->out);
    multiply(&part, scratch);
    if (!real) linear_epilogue(l, CPH_BF16, CPH_BF16, t, part.c, part.ldc);
    else if (op->dtype == CPH_BF16) linear_epilogue(l, CPH_BF16, CPH_F32, t, part.c, part.ldc);
    else if (l->b || l->act != CPH_ACT_NONE) linear_epilogue(l, CPH_F32, CPH_F32, t, part.c, part.ldc);
}

/* A block of rows whose product another hand made (products.c), by pieces of a row. */
static void linear_act(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    (void)phase;
    const cph_linear *l = &op->u.linear;
    cph_dtype y_type = l->real_y ? CPH_F32 : op->dtype, type = l->pre ? op->dtype : y_type;
    const void *from = l->pre ? l->pre : l->y;
    size_t end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, l->rows) * (size_t)l->out;
    for (size_t at = task * CPH_ROW_BLOCK * l->out, n; at < end; at += n) {
        n = end - at < 4096 ? end - at : 4096;
        EACH_VECTOR(i, left, n) v_st(scratch + i, v_get(from, type, at + i, left), left);
        act_row(l->act, scratch, n);
        EACH_VECTOR(i, left, n) v_put(l->y, y_type, at + i, v_ld(scratch + i, left), left);
    }
}

/* ---- linear, backward ---- */

/* dX wants W^T as its B, dW the other factor of the outer product: both packed in the first phase. */
typedef struct linear_packs {
    float *w, *rows;
    size_t w_panel, rows_panel; /* floats from panel to panel */
} linear_packs;

static linear_packs packs_of(const cph_linear *l, cph_dtype type)
{
    bool pairs = pairs_of(type);
    linear_packs p = {.w = l->pack, .w_panel = NR * steps_of(l->out, pairs), .rows_panel = NR * steps_of(l->rows, pairs)};
    p.rows = p.w + (l->dx ? packed_floats(l->in, l->out, pairs) : 0);
    return p;
}

static size_t linear_pack_floats(cph_dtype type, const cph_linear *l)
{
    bool pairs = pairs_of(type);
    return packed_floats(l->in, l->out, pairs) + packed_floats(l->out_in ? l->in : l->out, l->rows, pairs);
}

ALWAYS void linear_bwd_rows_of(const cph_linear *l, cph_act act, cph_dtype type, size_t block)
{
    size_t w = l->out, end = cph_u32_min((uint32_t)(block + 1) * CPH_ROW_BLOCK, l->rows);
    float *part = l->part + block * w;
    if (act == CPH_ACT_NONE && !l->db) return;
    if (l->db) memset(part, 0, w * sizeof *part);
    for (size_t r = block * CPH_ROW_BLOCK; r < end; r++)
        EACH_VECTOR(i, left, w)
        {
            size_t at = r * w + i;
            vf d = v_get(l->dy, type, at, left);
            if (act != CPH_ACT_NONE) {
                d = v_mul(d, v_act_slope(act, v_get(l->pre, type, at, left)));
                v_put(l->dy, type, at, d, left);
                if (type == CPH_BF16) d = v_bf16_round(d);
            }
            if (l->db) v_st(part + i, v_add(v_ld(part + i, left), d), left);
        }
}
ALWAYS void linear_bwd_rows(const cph_linear *l, cph_dtype type, size_t block)
{
    FOR_ACT(l->act, linear_bwd_rows_of(l, ACT, type, block))
}

static void linear_bwd_prepare(const cph_linear *l, cph_dtype type, size_t task)
{
    linear_packs p = packs_of(l, type);
    bool pairs = pairs_of(type);
    if (task < CPH_BLOCKS(l->rows)) {
        FOR_TYPE(type, linear_bwd_rows(l, TYPE, task));
        if (!l->dw) return;
        size_t r0 = task * CPH_ROW_BLOCK, n = l->rows - r0 < CPH_ROW_BLOCK ? l->rows - r0 : CPH_ROW_BLOCK;
        side b = l->out_in ? (side){l->x, 1, l->in, type} : (side){l->dy, 1, l->out, type};
        pack_columns(p.rows + NR * steps_of(r0, pairs), p.rows_panel, &b, kind_of(type, type), 0,
                     l->out_in ? l->in : l->out, r0, n);
        return;
    }
    size_t j = (task - CPH_BLOCKS(l->rows)) * CPH_PACK_TASK, n = l->in - j < CPH_PACK_TASK ? l->in - j : CPH_PACK_TASK;
    side w_t = l->out_in ? (side){l->w, 1, l->in, CPH_F32} : (side){l->w, l->out, 1, CPH_F32};
    pack_columns(p.w + j / NR * p.w_panel, p.w_panel, &w_t, kind_of(CPH_F32, type), j, n, 0, l->out);
}

/* sum[c] (or +0) += the tree over blocks of part[block][c], for 64 columns from c0 on */
static void add_tree(float *sum, float *part, size_t width, size_t n_blocks, size_t c0, bool fresh)
{
    size_t columns = width - c0 < CPH_COLUMN_TASK ? width - c0 : CPH_COLUMN_TASK;
    EACH_VECTOR(i, left, columns)
    {
        float *p = part + c0 + i;
        for (size_t n = n_blocks; n > 1; n = (n + 1) / 2) {
            for (size_t b = 0; b < n / 2; b++)
                v_st(p + b * width, v_add(v_ld(p + 2 * b * width, left), v_ld(p + (2 * b + 1) * width, left)), left);
            if (n & 1) v_st(p + n / 2 * width, v_ld(p + (n - 1) * width, left), left);
        }
        v_st(sum + c0 + i, v_add(fresh ? v_set(0) : v_ld(sum + c0 + i, left), v_ld(p, left)), left);
    }
}

/* A tile of C in bf16: through scratch. */
static void multiply_bf16(product part, uint16_t *c, size_t ldc, size_t tile_n, float *scratch)
{
    part.c = scratch + GEMM_FLOATS;
    part.ldc = tile_n;
    if (part.accumulate) load_tile(&part, c, ldc);
    multiply(&part, scratch);
    for (size_t r = 0; r < part.m; r++)
        EACH_VECTOR(i, left, part.n) v_put(c, CPH_BF16, r * ldc + i, v_ld(part.c + r * tile_n + i, left), left);
}

static void linear_dw(const cph_linear *l, cph_dtype type, cph_tile t, float *scratch)
{
    linear_packs p = packs_of(l, type);
    uint32_t n = l->out_in ? l->in : l->out;
    product g = {.k = l->rows, .type = type, .packed = p.rows, .panel = p.rows_panel,
                 .a = l->out_in ? (side){l->dy, 1, l->out, type} : (side){l->x, 1, l->in, type},
                 .c = l->dw, .ldc = n, .accumulate = !l->fresh_dw};
    g = tile_part(g, t);
    multiply(&g, scratch);
}

static void linear_dx(const cph_linear *l, cph_dtype type, const cph_tiles *tiles, cph_tile t, float *scratch)
{
    linear_packs p = packs_of(l, type);
    product g = {.k = l->out, .type = type, .packed = p.w, .panel = p.w_panel, .a = {l->dy, l->out, 1, type},
                 .c = type == CPH_F32 ? l->dx : NULL, .ldc = l->in, .accumulate = l->dx_adds,
                 .far = are_far(l->in, l->out)};
    g = tile_part(g, t);
    if (type == CPH_F32) multiply(&g, scratch);
    else multiply_bf16(g, (uint16_t *)l->dx + (size_t)t.m0 * l->in + t.n0, l->in, tiles->tile_n, scratch);
}

static void linear_bwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    const cph_linear *l = &op->u.linear;
    if (phase == 0) {
        linear_bwd_prepare(l, op->dtype, task);
        return;
    }
    if (l->dw) {
        cph_tiles tiles = l->out_in ? cph_tiles_of(l->out, l->in, l->workers) : cph_tiles_of(l->in, l->out, l->workers);
        if (task < tiles.count) {
            linear_dw(l, op->dtype, cph_tile_at(&tiles, task), scratch);
            return;
        }
        task -= tiles.count;
    }
    if (l->dx) {
        cph_tiles tiles = cph_tiles_of(l->rows, l->in, l->workers);
        if (task < tiles.count) {
            linear_dx(l, op->dtype, &tiles, cph_tile_at(&tiles, task), scratch);
            return;
        }
        task -= tiles.count;
    }
    add_tree(l->db, l->part, l->out, CPH_BLOCKS(l->rows), task * CPH_COLUMN_TASK, l->fresh_dw);
}

/* ---- output layer and loss ---- */

typedef struct loss_packs { /* in cph_loss.pack */
    float *x;     /* rows of the chunk as B of dW */
    float *w[2];  /* CPH_VOCAB_CHUNK rows of w as B of dX: one is read while the next is packed */
    float *dx;    /* [chunk,in] where dx is bf16 */
    size_t x_panel, w_panel;
} loss_packs;

static loss_packs loss_packs_of(const cph_loss *l, cph_dtype type, uint32_t rows)
{
    bool pairs = pairs_of(type);
    size_t w = packed_floats(l->in, CPH_VOCAB_CHUNK, pairs);
    loss_packs p = {.x = l->pack, .x_panel = NR * steps_of(rows, pairs), .w_panel = NR * steps_of(CPH_VOCAB_CHUNK, pairs)};
    p.w[0] = p.x + packed_floats(l->in, l->chunk, pairs);
    p.w[1] = p.w[0] + w;
    p.dx = p.w[1] + w;
    return p;
}

static size_t loss_pack_floats(cph_dtype type, const cph_loss *l)
{
    bool pairs = pairs_of(type);
    return packed_floats(l->in, l->chunk, pairs) + 2 * packed_floats(l->in, CPH_VOCAB_CHUNK, pairs) +
           (type == CPH_F32 ? 0 : (size_t)l->chunk * l->in);
}

static float row_total(const float *z, size_t n)
{
    lanes32 sum = lanes_zero();
    EACH_LANES(i, u, left, n) lanes_put(&sum, (unsigned)u, v_add(sum.v[u], v_ld(z + i + u * W, left)), left);
    return lanes_total(&sum);
}

/* lse - sum of targets z, less the constant, and z-loss */
static float shaped_loss(const cph_loss *l, float lse, float label, float sum_z)
{
    float gap = (float)(label_target(l) - l->targets.rest);
    float loss = (lse - fmaf(gap, label, (float)l->targets.rest * sum_z)) - (float)l->targets.constant;
    return l->z_loss == 0 ? loss : fmaf((float)l->z_loss * lse, lse, loss);
}

ALWAYS void loss_row(const cph_loss *l, cph_dtype type, size_t row, float *z)
{
    size_t v = l->vocab;
    int32_t y = l->labels[row];
    if (l->b) EACH_VECTOR(i, left, v) v_st(z + i, v_add(v_ld(z + i, left), v_ld(l->b + i, left)), left);
    if (l->keep) memcpy(l->keep + row * v, z, v * sizeof *z);
    if (y < 0) {
        l->losses[row] = 0;
        memset(z, 0, v * size_of(type));
        return;
    }
    bool plain = l->targets.rest == 0 && l->z_loss == 0;
    float label = z[y], sum_z = plain ? 0 : row_total(z, v);
    vf high = v_set(z[0]);
    EACH_VECTOR(i, left, v) high = v_sel(v_first(left), v_max(v_ld(z + i, left), high), high);
    float top = v_max_of(high);
    lanes32 sum = lanes_zero();
    EACH_LANES(i, u, left, v)
    {
        vf e = v_exp(v_sub(v_ld(z + i + u * W, left), v_set(top)));
        v_st(z + i + u * W, e, left);
        lanes_put(&sum, (unsigned)u, v_add(sum.v[u], e), left);
    }
    float total = lanes_total(&sum);
    float lse = cph_logf(total) + top;
    l->losses[row] = plain ? lse - label : shaped_loss(l, lse, label, sum_z);
    if (!l->backward) return;
    float scale = *l->inv_labels, s = (1 / total) * scale, mine = z[y] * s - scale;
    if (plain) {
        EACH_VECTOR(i, left, v) v_put(z, type, i, v_mul(v_ld(z + i, left), v_set(s)), left); /* never ahead of reading */
    } else {
        float on = -((float)label_target(l) * scale), off = -((float)l->targets.rest * scale);
        s = s * fmaf(2 * (float)l->z_loss, lse, 1);
        mine = fmaf(z[y], s, on);
        EACH_VECTOR(i, left, v) v_put(z, type, i, v_fma(v_ld(z + i, left), v_set(s), v_set(off)), left);
    }
    if (type == CPH_BF16) ((uint16_t *)(void *)z)[y] = cph_bf16_of(mine);
    else z[y] = mine;
}

/* Columns of CPH_PACK_TASK, rows v0.. of w. */
static void pack_vocabulary(const cph_loss *l, cph_dtype type, uint32_t chunk, const loss_packs *p, size_t task)
{
    size_t j = task * CPH_PACK_TASK, n = l->in - j < CPH_PACK_TASK ? l->in - j : CPH_PACK_TASK;
    size_t v0 = (size_t)chunk * CPH_VOCAB_CHUNK, k = l->vocab - v0 < CPH_VOCAB_CHUNK ? l->vocab - v0 : CPH_VOCAB_CHUNK;
    side b = {l->w, 1, l->in, CPH_F32};
    pack_columns(p->w[chunk & 1] + j / NR * p->w_panel, p->w_panel, &b, kind_of(CPH_F32, type), j, n, v0, k);
}

static void loss_dx(const cph_loss *l, cph_dtype type, size_t row0, uint32_t chunk, cph_tile t, const loss_packs *p,
                    float *scratch)
{
    size_t v0 = (size_t)chunk * CPH_VOCAB_CHUNK, k = l->vocab - v0 < CPH_VOCAB_CHUNK ? l->vocab - v0 : CPH_VOCAB_CHUNK;
    size_t row = l->vocab * (sizeof(float) / size_of(type));
    product g = {.k = k, .type = type, .packed = p->w[chunk & 1], .panel = p->w_panel,
                 .a = {at_of(l->logits, type, v0), row, 1, type},
                 .c = type == CPH_F32 ? (float *)l->dx + row0 * l->in : p->dx, .ldc = l->in,
                 .accumulate = chunk > 0 || l->dx_adds, .far = true};
    g = tile_part(g, t);
    if (type == CPH_BF16 && chunk == 0 && l->dx_adds)
        load_tile(&g, (const uint16_t *)l->dx + (row0 + t.m0) * l->in + t.n0, l->in);
    multiply(&g, scratch);
    if (type == CPH_F32 || v0 + k < l->vocab) return;
    for (size_t r = 0; r < g.m; r++)
        EACH_VECTOR(i, left, g.n)
        v_put(l->dx, CPH_BF16, (row0 + t.m0 + r) * l->in + t.n0 + i, v_ld(g.c + r * g.ldc + i, left), left);
}

static void loss_dw(const cph_loss *l, cph_dtype type, size_t row0, uint32_t rows, cph_tile t, const loss_packs *p,
                    float *scratch)
{
    size_t row = l->vocab * (sizeof(float) / size_of(type));
    product g = {.k = rows, .type = type, .packed = p->x, .panel = p->x_panel, .a = {l->logits, 1, row, type},
                 .c = l->dw, .ldc = l->in, .accumulate = !(l->fresh_dw && row0 == 0)};
    g = tile_part(g, t);
    multiply(&g, scratch);
}

/* CPH_VOCAB_CHUNK columns: a chain over the rows of all chunks. */
ALWAYS void loss_db(const cph_loss *l, cph_dtype type, size_t row0, uint32_t rows, size_t task)
{
    size_t v0 = task * CPH_VOCAB_CHUNK, n = l->vocab - v0 < CPH_VOCAB_CHUNK ? l->vocab - v0 : CPH_VOCAB_CHUNK;
    float *db = l->db + v0;
    if (l->fresh_dw && row0 == 0) memset(db, 0, n * sizeof *db);
    for (size_t r = 0; r < rows; r++) {
        const void *row = l->logits + r * l->vocab;
        EACH_VECTOR(i, left, n) v_st(db + i, v_add(v_ld(db + i, left), v_get(row, type, v0 + i, left)), left);
    }
}

static void loss_logits(const cph_loss *l, cph_dtype type, size_t row0, uint32_t rows, size_t task, float *scratch)
{
    cph_tiles tiles = cph_tiles_of(rows, l->vocab, l->workers);
    product g = {.k = l->in, .type = type, .packed = l->packed, .panel = NR * steps_of(l->in, pairs_of(type)),
                 .a = {at_of(l->x, type, row0 * l->in), l->in, 1, type}, .b = {l->w, l->in, 1, CPH_F32},
                 .c = l->logits, .ldc = l->vocab, .far = true};
    g = tile_part(g, cph_tile_at(&tiles, task));
    multiply(&g, scratch);
}

static void loss_softmax(const cph_loss *l, cph_dtype type, size_t row0, uint32_t rows, size_t task, const loss_packs *p)
{
    size_t n_rows = (rows + CPH_LOSS_ROWS - 1) / CPH_LOSS_ROWS, n_columns = (l->in + CPH_PACK_TASK - 1) / CPH_PACK_TASK;
    if (task < n_rows) {
        size_t end = cph_u32_min((uint32_t)(task + 1) * CPH_LOSS_ROWS, rows);
        for (size_t r = task * CPH_LOSS_ROWS; r < end; r++)
            FOR_TYPE(type, loss_row(l, TYPE, row0 + r, l->logits + r * l->vocab));
        return;
    }
    task -= n_rows;
    if (task >= n_columns) {
        pack_vocabulary(l, type, 0, p, task - n_columns);
        return;
    }
    size_t j = task * CPH_PACK_TASK, n = l->in - j < CPH_PACK_TASK ? l->in - j : CPH_PACK_TASK;
    side x = {at_of(l->x, type, row0 * l->in), 1, l->in, type};
    pack_columns(p->x + j / NR * p->x_panel, p->x_panel, &x, kind_of(type, type), j, n, 0, rows);
}

static void loss_fwd(const cph_op *op, unsigned phase, size_t task, float *scratch)
{
    const cph_loss *l = &op->u.loss;
    cph_loss_phase at = cph_loss_phase_of(l, phase);
    loss_packs p = loss_packs_of(l, op->dtype, at.rows);
    if (at.kind == CPH_LOSS_LOGITS) {
        loss_logits(l, op->dtype, at.row0, at.rows, task, scratch);
        return;
    }
    if (at.kind == CPH_LOSS_SOFTMAX) {
        loss_softmax(l, op->dtype, at.row0, at.rows, task, &p);
        return;
    }
    cph_tiles tiles = cph_tiles_of(at.rows, l->in, l->workers);
    if (l->dx && task < tiles.count) {
        loss_dx(l, op->dtype, at.row0, at.chunk, cph_tile_at(&tiles, task), &p, scratch);
        return;
    }
    if (l->dx) task -= tiles.count;
    if (!at.last) {
        pack_vocabulary(l, op->dtype, at.chunk + 1, &p, task);
        return;
    }
    tiles = cph_tiles_of(l->vocab, l->in, l->workers);
    if (l->dw && task < tiles.count) {
        loss_dw(l, op->dtype, at.row0, at.rows, cph_tile_at(&tiles, task), &p, scratch);
        return;
    }
    FOR_TYPE(op->dtype, loss_db(l, TYPE, at.row0, at.rows, task - (l->dw ? tiles.count : 0)));
}

#endif
