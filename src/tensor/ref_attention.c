/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_attention.c - the reference of attention. Online softmax over blocks of 128 keys
 * counted from key 0, whatever the length; scores and p v are chains in order of keys;
 * a masked key adds +0, so that skipping it changes at most the sign of a zero: every
 * chain ends with + 0. The bias's gradient is a chain over queries for each key - query.
 * A query that sees nothing gives zeros and passes no gradient.
 * In a CPH_BF16 record probabilities and dS are rounded where they are operands; chains
 * run in fp32 and are rounded once, at their end.
 */
#include "ref_gemm.h"

typedef struct place { /* one query of one head */
    const cph_attention *a;
    cph_dtype t;
    uint32_t b, h, q;
} place;

static size_t head_row(const place *p) { return ((size_t)p->b * p->a->heads + p->h) * p->a->q_len + p->q; }
static size_t kv_at(const place *p, size_t k)
{
    const cph_attention *a = p->a;
    return ((size_t)p->b * a->k_len + k) * a->kv_stride +
           (size_t)(p->h / (a->heads / a->kv_heads)) * a->head_dim;
}
static size_t q_at(const place *p, size_t stride)
{
    return ((size_t)p->b * p->a->q_len + p->q) * stride + (size_t)p->h * p->a->head_dim;
}

static bool sees(const place *p, size_t k)
{
    const cph_attention *a = p->a;
    cph_span s = cph_visible(a, p->b, p->q);
    if (k < s.lo || k >= s.hi) return false;
    if (!a->q_seg) return true;
    uint32_t seg = a->q_seg[(size_t)p->b * a->q_len + p->q];
    return seg != 0 && seg == a->k_seg[(size_t)p->b * a->k_len + k];
}

/* Of key - query; NULL without a bias. */
static const cph_real *bias_at(const place *p, const cph_real *bias, size_t row, size_t k)
{
    const cph_attention *a = p->a;
    return bias ? bias + row * a->bias_len + a->bias_zero + k - a->q_pos - p->q : NULL;
}

/* alpha q k + bias, or -infinity */
static cph_real score(const place *p, size_t k)
{
    const cph_attention *a = p->a;
    if (!sees(p, k)) return -(cph_real)INFINITY;
    cph_real chain = 0;
    size_t q = q_at(p, a->q_stride), key = kv_at(p, k);
    for (size_t i = 0; i < a->head_dim; i++)
        chain = R_FMA(val(a->q, p->t, q + i), val(a->k, p->t, key + i), chain);
    const cph_real *bias = bias_at(p, a->bias, p->h, k);
    return bias ? R_FMA(chain, a->scale, *bias) : chain * a->scale;
}

/* o: [head_dim] of scratch */
static void attend(const place *p, cph_real *o)
{
    const cph_attention *a = p->a;
    cph_real top = -(cph_real)INFINITY, total = 0;
    memset(o, 0, a->head_dim * sizeof *o);
    for (size_t k0 = 0; k0 < a->k_len; k0 += CPH_KEY_BLOCK) {
        size_t n = a->k_len - k0 < CPH_KEY_BLOCK ? a->k_len - k0 : CPH_KEY_BLOCK;
        cph_real s[CPH_KEY_BLOCK], best = top;
        for (size_t i = 0; i < n; i++) {
            s[i] = score(p, k0 + i);
            best = s[i] > best ? s[i] : best;
        }
        if (best == -(cph_real)INFINITY) continue;
        cph_real rescale = total > 0 ? R_EXP(top - best) : 1;
        lanes sum = {{0}};
        for (size_t i = 0; i < n; i++) {
            s[i] = R_EXP(s[i] - best);
            sum.v[i % LANES] = sum.v[i % LANES] + s[i];
        }
        total = R_FMA(total, rescale, lanes_sum(&sum));
        top = best;
        for (size_t d = 0; d < a->head_dim; d++) o[d] = o[d] * rescale;
        for (size_t i = 0; i < n; i++) {
            cph_real w = s[i] * drop_factor(&a->drop, head_row(p) * a->k_len + k0 + i);
            w = rounded(p->t, w);
            for (size_t d = 0; d < a->head_dim; d++)
                o[d] = R_FMA(w, val(a->v, p->t, kv_at(p, k0 + i) + d), o[d]);
        }
    }
    cph_real inverse = total > 0 ? 1 / total : 0;
    for (size_t d = 0; d < a->head_dim; d++) put(a->o, p->t, q_at(p, a->o_stride) + d, o[d] * inverse + 0);
    if (a->lse) a->lse[head_row(p)] = total > 0 ? top + R_LOG(total) : 0;
}

void REF(attention_fwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    (void)phase;
    const cph_attention *a = &op->u.attention;
    uint32_t blocks = (a->q_len + CPH_QUERY_TASK - 1) / CPH_QUERY_TASK, head = (uint32_t)(task / blocks);
    uint32_t q = (uint32_t)(task % blocks) * CPH_QUERY_TASK, end = cph_u32_min(q + CPH_QUERY_TASK, a->q_len);
    for (; q < end; q++) attend(&(place){a, op->dtype, head / a->heads, head % a->heads, q}, scratch);
}

/* delta = rowsum(dO o O) */
static cph_real delta_of(const place *p)
{
    const cph_attention *a = p->a;
    size_t at = q_at(p, a->o_stride);
    lanes sum = {{0}};
    for (size_t i = 0; i < a->head_dim; i++)
        sum.v[i % LANES] = R_FMA(val(a->d_o, p->t, at + i), val(a->o, p->t, at + i), sum.v[i % LANES]);
    return lanes_sum(&sum);
}

/* P = exp(S - LSE); dV += Pd dO; dS = P (dP - delta); dQ += dS K; dK += dS Q */
static void pair_bwd(const place *p, size_t k, cph_real *dq, cph_real *dk, cph_real *dv)
{
    const cph_attention *a = p->a;
    size_t o = q_at(p, a->o_stride), key = kv_at(p, k), q = q_at(p, a->q_stride);
    cph_real prob = R_EXP(score(p, k) - a->lse[head_row(p)]), dp = 0;
    cph_real m = drop_factor(&a->drop, head_row(p) * a->k_len + k), pd = rounded(p->t, prob * m);
    for (size_t i = 0; i < a->head_dim; i++) dp = R_FMA(val(a->d_o, p->t, o + i), val(a->v, p->t, key + i), dp);
    cph_real ds = prob * (dp * m - a->delta[head_row(p)]);
    if (a->dbias) {
        cph_real *part = (cph_real *)bias_at(p, a->dbias_part, (size_t)p->b * a->heads + p->h, k);
        *part = *part + ds;
    }
    ds = rounded(p->t, ds);
    for (size_t i = 0; i < a->head_dim; i++) {
        dv[i] = R_FMA(pd, val(a->d_o, p->t, o + i), dv[i]);
        dq[i] = R_FMA(ds, val(a->k, p->t, key + i), dq[i]);
        dk[i] = R_FMA(ds, val(a->q, p->t, q + i), dk[i]);
    }
}

/* A chain over the batch rows. */
static void add_bias_parts(const cph_attention *a, size_t h)
{
    for (size_t i = 0; i < a->bias_len; i++) {
        cph_real chain = a->dbias_adds ? a->dbias[h * a->bias_len + i] : 0;
        for (size_t b = 0; b < a->batch; b++) chain = chain + a->dbias_part[(b * a->heads + h) * a->bias_len + i];
        a->dbias[h * a->bias_len + i] = chain;
    }
}

static void store_grad(const place *p, void *x, size_t at, cph_real v, bool adds)
{
    if (x) put(x, p->t, at, adds ? val(x, p->t, at) + v : v);
}

/*
 * A task is one key head: its query heads in order, their queries in order. Scratch: dk, dv, one dq.
 * The second phase adds what the tasks left for the bias.
 */
void REF(attention_bwd)(const cph_op *op, unsigned phase, size_t task, cph_real *scratch)
{
    const cph_attention *a = &op->u.attention;
    if (phase == 1) {
        add_bias_parts(a, task);
        return;
    }
    uint32_t group = a->heads / a->kv_heads, b = (uint32_t)(task / a->kv_heads);
    uint32_t h0 = (uint32_t)(task % a->kv_heads) * group;
    size_t d = a->head_dim;
    cph_real *dk = scratch, *dv = dk + a->k_len * d, *dq = dv + a->k_len * d;
    place p = {a, op->dtype, b, h0, 0};
    memset(dk, 0, 2 * a->k_len * d * sizeof *dk);
    if (a->dbias) memset(a->dbias_part + ((size_t)b * a->heads + h0) * a->bias_len, 0,
                         group * a->bias_len * sizeof *dk);
    for (p.h = h0; p.h < h0 + group; p.h++)
        for (p.q = 0; p.q < a->q_len; p.q++) {
            memset(dq, 0, d * sizeof *dq);
            a->delta[head_row(&p)] = delta_of(&p);
            for (size_t k = 0; k < a->k_len; k++)
                if (sees(&p, k)) pair_bwd(&p, k, dq, dk + k * d, dv + k * d);
            for (size_t i = 0; i < d; i++) store_grad(&p, a->dq, q_at(&p, a->q_stride) + i,
                                                      dq[i] * a->scale + 0, a->dq_adds);
        }
    p.h = h0;
    for (size_t k = 0; k < a->k_len; k++)
        for (size_t i = 0; i < d; i++) {
            store_grad(&p, a->dk, kv_at(&p, k) + i, dk[k * d + i] * a->scale + 0, a->dk_adds);
            store_grad(&p, a->dv, kv_at(&p, k) + i, dv[k * d + i] + 0, a->dv_adds);
        }
}
