/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_rows.c - the reference of the operations that go row by row: embed, norm,
 * append. Plain C; every instruction set must give these bits (engine 8).
 */
#include "real.h"

void REF(embed_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_embed *e = &op->u.embed;
    size_t w = e->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, e->rows);
    cph_real scale = e->scale == 0 ? 1 : e->scale;
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++)
        for (size_t c = 0; c < w; c++) {
            cph_real v = e->tok[e->ids[r] * w + c] * scale;
            if (e->typ) v = v + e->typ[e->types[r] * w + c];
            if (e->pos) v = v + e->pos[e->positions[r] * w + c];
            e->x[r * w + c] = v * drop_factor(&e->drop, r * w + c);
        }
}

/* A task owns columns and adds rows in order of position: no atomics, one order. */
void REF(embed_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_embed *e = &op->u.embed;
    size_t w = e->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_COLUMN_TASK, e->width);
    cph_real scale = e->scale == 0 ? 1 : e->scale;
    for (size_t r = 0; r < e->rows; r++) {
        bool looks = e->dtok && !(e->has_padding && e->ids[r] == e->padding);
        for (size_t c = task * CPH_COLUMN_TASK; c < end; c++) {
            cph_real d = e->dx[r * w + c] * drop_factor(&e->drop, r * w + c);
            if (looks) e->dtok[e->ids[r] * w + c] = e->dtok[e->ids[r] * w + c] + d * scale;
            if (e->dtyp) e->dtyp[e->types[r] * w + c] = e->dtyp[e->types[r] * w + c] + d;
            if (e->dpos) e->dpos[e->positions[r] * w + c] = e->dpos[e->positions[r] * w + c] + d;
        }
    }
}

/* mu = mean(s), or 0 with rms; v = mean((s-mu)^2); h = (s-mu)/sqrt(v+eps) gamma + beta */
void REF(norm_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)scratch;
    const cph_norm *n = &op->u.norm;
    size_t w = n->width, end = cph_u32_min((uint32_t)(task + 1) * CPH_ROW_BLOCK, n->rows);
    for (size_t r = task * CPH_ROW_BLOCK; r < end; r++) {
        const cph_real *s = (n->y ? n->sum : n->x) + r * w;
        lanes sum = {{0}}, square = {{0}};
        for (size_t c = 0; n->y && c < w; c++)
            n->sum[r * w + c] = (n->x ? n->x[r * w + c] : 0) +
                                val(n->y, op->dtype, r * w + c) * drop_factor(&n->drop, r * w + c);
        for (size_t c = 0; c < w; c++) sum.v[c % LANES] = sum.v[c % LANES] + s[c];
        cph_real mu = n->rms ? 0 : lanes_sum(&sum) / (cph_real)w;
        for (size_t c = 0; c < w; c++) {
            cph_real d = s[c] - mu;
            square.v[c % LANES] = R_FMA(d, d, square.v[c % LANES]);
        }
        cph_real rstd = 1 / R_SQRT(lanes_sum(&square) / (cph_real)w + (cph_real)n->eps);
        for (size_t c = 0; c < w; c++) {
            cph_real h = R_FMA((s[c] - mu) * rstd, n->gamma[c], n->beta ? n->beta[c] : 0);
            h = h * drop_factor(&n->h_drop, r * w + c);
            put(n->h, op->dtype, r * w + c, h);
            if (n->stream) n->stream[r * w + c] = h;
        }
        if (!n->rms) n->mean[r] = mu;
        n->rstd[r] = rstd;
    }
}

/* The gradient of the norm's result, of all who read it. */
static cph_real result_grad(const cph_norm *n, cph_dtype t, size_t at)
{
    cph_real d = n->dh ? val(n->dh, t, at) : 0;
    if (n->dstream) d = d + n->dstream[at];
    return d * drop_factor(&n->h_drop, at);
}

/* d goes to sum's parts: without y, x is sum and what dx holds has taken dsum's place. */
static void give(const cph_norm *n, cph_dtype t, size_t at, cph_real d)
{
    if (n->dx) n->dx[at] = n->y && n->dx_adds ? n->dx[at] + d : d;
    if (!n->dy) return;
    cph_real dy = d * drop_factor(&n->drop, at);
    put(n->dy, t, at, n->dy_adds ? val(n->dy, t, at) + dy : dy);
}

/* d = rstd (g - mean(g) - xhat mean(g xhat)) + later, g = dh gamma; dgamma and dbeta of this block of rows */
static void norm_bwd_rows(const cph_norm *n, cph_dtype t, size_t block)
{
    size_t w = n->width, end = cph_u32_min((uint32_t)(block + 1) * CPH_ROW_BLOCK, n->rows);
    const cph_real *sums = n->y ? n->sum : n->x, *later = n->y ? n->dsum : n->dx_adds ? n->dx : NULL;
    cph_real *pg = n->part + block * w, *pb = pg + (size_t)CPH_BLOCKS(n->rows) * w;
    if (n->dgamma) memset(pg, 0, w * sizeof *pg);
    if (n->dbeta) memset(pb, 0, w * sizeof *pb);
    for (size_t r = block * CPH_ROW_BLOCK; r < end; r++) {
        const cph_real *s = sums + r * w;
        cph_real mu = n->rms ? 0 : n->mean[r], rstd = n->rstd[r];
        lanes sg = {{0}}, sx = {{0}};
        for (size_t c = 0; c < w; c++) {
            cph_real g = result_grad(n, t, r * w + c) * n->gamma[c], xhat = (s[c] - mu) * rstd;
            sg.v[c % LANES] = sg.v[c % LANES] + g;
            sx.v[c % LANES] = R_FMA(g, xhat, sx.v[c % LANES]);
        }
        cph_real mg = n->rms ? 0 : lanes_sum(&sg) / (cph_real)w, mx = lanes_sum(&sx) / (cph_real)w;
        for (size_t c = 0; c < w; c++) {
            cph_real dh = result_grad(n, t, r * w + c), g = dh * n->gamma[c], xhat = (s[c] - mu) * rstd;
            if (n->dgamma) pg[c] = R_FMA(dh, xhat, pg[c]);
            if (n->dbeta) pb[c] = pb[c] + dh;
            give(n, t, r * w + c, R_FMA(rstd, R_FMA(-xhat, mx, g - mg), later ? later[r * w + c] : 0));
        }
    }
}

void REF(norm_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)scratch;
    const cph_norm *n = &op->u.norm;
    if (phase == 0) {
        norm_bwd_rows(n, op->dtype, task);
        return;
    }
    size_t w = n->width, blocks = CPH_BLOCKS(n->rows);
    size_t end = cph_u32_min((uint32_t)(task + 1) * CPH_COLUMN_TASK, n->width);
    for (size_t c = task * CPH_COLUMN_TASK; c < end; c++) {
        if (n->dgamma) n->dgamma[c] = n->dgamma[c] + tree_column(n->part + c, w, blocks);
        if (n->dbeta) n->dbeta[c] = n->dbeta[c] + tree_column(n->part + blocks * w + c, w, blocks);
    }
}

void REF(append_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase, (void)task, (void)scratch;
    const cph_append *a = &op->u.append;
    size_t size = size_of(op->dtype), n = a->width * size;
    for (size_t r = 0; r < a->rows; r++) {
        size_t from = r * a->kv_stride * size;
        memcpy((char *)a->k_cache + r * n, (const char *)a->k + from, n);
        memcpy((char *)a->v_cache + r * n, (const char *)a->v + from, n);
    }
}
