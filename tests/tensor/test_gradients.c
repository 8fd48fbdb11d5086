/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_gradients.c - the backward pass of every operation against finite differences of
 * its forward pass, on the reference compiled in double.
 */
#define CPH_REF_DOUBLE
#include "real.h"

#include "cut.c"
#include "ref_attention.c"
#include "ref_classes.c"
#include "ref_factor.c"
#include "ref_flat.c"
#include "ref_linear.c"
#include "ref_loss.c"
#include "ref_map.c"
#include "ref_position.c"
#include "ref_rows.c"

#include "testing.h"

#define MAX_INPUTS 8
#define MAX_FLOATS 20000

/* A scalar function of some tensors: the dot product of the operation's outputs with fixed numbers. */
typedef struct subject {
    cph_op op;
    struct {
        double *x, *grad;
        size_t n;
    } inputs[MAX_INPUTS];
    unsigned n_inputs;
    double *out, *weight; /* outputs of the operation and the numbers they are multiplied with */
    size_t n_out;
    double *out2, *weight2;
    size_t n_out2;
    double memory[MAX_FLOATS];
    size_t used;
    uint64_t draws;
} subject;

static cph_draw draw = {11, 2, 3};
static double one_over_three = 1.0 / 3.0;

static double random_unit(subject *s) { return (double)cph_philox_word(5, 1, 0, 0,
                                                                       s->draws++) * 0x1p-31 - 1.0; }

static double *room(subject *s, size_t n, bool filled)
{
    double *p = s->memory + s->used;
    s->used += n;
    assert_true(s->used <= MAX_FLOATS);
    for (size_t i = 0; i < n; i++) p[i] = filled ? random_unit(s) : 0;
    return p;
}

static double *input(subject *s, size_t n, double **grad)
{
    double *x = room(s, n, true);
    *grad = room(s, n, false);
    s->inputs[s->n_inputs].x = x;
    s->inputs[s->n_inputs].grad = *grad;
    s->inputs[s->n_inputs++].n = n;
    return x;
}

static double *output(subject *s, size_t n)
{
    if (s->out) {
        s->out2 = room(s, n, false);
        s->weight2 = room(s, n, true);
        s->n_out2 = n;
        return s->out2;
    }
    s->out = room(s, n, false);
    s->weight = room(s, n, true);
    s->n_out = n;
    return s->out;
}

/* The same for what a record holds as void *. */
static double *operand(subject *s, size_t n, void **grad)
{
    double *g, *x = input(s, n, &g);
    *grad = g;
    return x;
}

/* cmocka's own comparison is of floats. */
static void close_to(double got, double want, double within)
{
    if (!(fabs(got - want) <= within)) fail_msg("%.15g, not %.15g", got, want);
}

typedef void (*pass_fn)(const cph_op *op, unsigned phase, size_t task, double *scratch);

static void run(const cph_op *op, pass_fn fn, bool backward)
{
    static double scratch[4096]; /* attention: 2 k_len + 1 rows of head_dim */
    for (unsigned phase = 0; phase < cph_n_phases(op, backward); phase++)
        for (size_t task = 0; task < cph_n_tasks(op, backward, phase); task++) fn(op, phase, task, scratch);
}

static double value(subject *s, pass_fn fwd)
{
    double v = 0;
    run(&s->op, fwd, false);
    for (size_t i = 0; i < s->n_out; i++) v += s->out[i] * s->weight[i];
    for (size_t i = 0; i < s->n_out2; i++) v += s->out2[i] * s->weight2[i];
    return v;
}

static void check_gradients(subject *s, pass_fn fwd)
{
    const double step = 1e-5;
    for (unsigned t = 0; t < s->n_inputs; t++)
        for (size_t i = 0; i < s->inputs[t].n; i++) {
            double *x = &s->inputs[t].x[i], keep = *x;
            *x = keep + step;
            double up = value(s, fwd);
            *x = keep - step;
            double down = value(s, fwd), want = (up - down) / (2 * step), got = s->inputs[t].grad[i];
            *x = keep;
            if (fabs(want - got) > 1e-7 * (1 + fabs(want)))
                fail_msg("%s: input %u, element %zu: gradient %.12g, finite difference %.12g",
                         s->op.kind == CPH_OP_norm ? "norm" : "operation", t, i, got, want);
        }
}

static void embed_has_the_right_gradient(void **state)
{
    (void)state;
    static subject s;
    static const uint32_t ids[] = {2, 0, 2, 1, 2}, positions[] = {0, 1, 2, 0, 1}, types[] = {0, 1, 1, 0, 1};
    s = (subject){.op.kind = CPH_OP_embed};
    cph_embed *e = &s.op.u.embed;
    *e = (cph_embed){.ids = ids, .positions = positions, .rows = 5, .width = 7, .drop = {0.3, 9, &draw}};
    e->tok = input(&s, 4 * 7, &e->dtok);
    e->pos = input(&s, 3 * 7, &e->dpos);
    e->x = output(&s, 35);
    e->dx = s.weight;
    e->typ = input(&s, 2 * 7, &e->dtyp);
    e->types = types;
    e->scale = 1.5;
    value(&s, cph_ref64_embed_fwd);
    run(&s.op, cph_ref64_embed_bwd, true);
    check_gradients(&s, cph_ref64_embed_fwd);
}

static void looking_up_padding_gives_no_gradient(void **state)
{
    (void)state;
    static const uint32_t ids[] = {1, 0, 1};
    double tok[4] = {1, 2, 3, 4}, x[6], dx[6] = {1, 2, 3, 4, 5, 6}, dtok[4] = {0};
    cph_op op = {.kind = CPH_OP_embed};
    op.u.embed = (cph_embed){.ids = ids, .tok = tok, .x = x, .dtok = dtok, .dx = dx, .rows = 3, .width = 2,
                             .padding = 1, .has_padding = true};
    run(&op, cph_ref64_embed_fwd, false);
    run(&op, cph_ref64_embed_bwd, true);
    assert_true(x[0] == 3 && x[2] == 1 && dtok[0] == 3 && dtok[1] == 4 && dtok[2] == 0 && dtok[3] == 0);
}

static void try_linear(bool out_in, cph_act act)
{
    static subject s;
    s = (subject){.op.kind = CPH_OP_linear};
    cph_linear *l = &s.op.u.linear;
    *l = (cph_linear){.rows = 67, .in = 5, .out = 4, .out_in = out_in, .act = act};
    l->x = operand(&s, 67 * 5, &l->dx);
    l->w = input(&s, 20, &l->dw);
    l->b = input(&s, 4, &l->db);
    l->y = output(&s, 67 * 4);
    l->pre = room(&s, 67 * 4, false);
    l->part = room(&s, 2 * 4, false);
    l->dy = room(&s, 67 * 4, false);
    memcpy(l->dy, s.weight, s.n_out * sizeof(double));
    value(&s, cph_ref64_linear_fwd);
    run(&s.op, cph_ref64_linear_bwd, true);
    check_gradients(&s, cph_ref64_linear_fwd);
}

static void linear_has_the_right_gradient(void **state)
{
    (void)state;
    try_linear(false, CPH_ACT_NONE);
    try_linear(true, CPH_ACT_NONE);
    for (unsigned act = 1; act < CPH_N_ACTS; act++) try_linear(act % 2, (cph_act)act);
}

/* text-models 2.3: x, gelu, its slope, gelu_new, its slope, quick_gelu */
static void activations_have_the_known_values(void **state)
{
    (void)state;
    static const double known[][6] = {
        {-3, -0.004049694095, -0.011945647204, -0.003637392082, -0.011584166631, -0.018071309708},
        {-1.5, -0.100210801903, -0.127469192230, -0.100428423020, -0.127710793151, -0.108337801553},
        {-1, -0.158655253931, -0.083315470588, -0.158808009392, -0.082964083846, -0.154204234067},
        {-0.5, -0.154268769363, 0.132504875344, -0.154285990175, 0.132630096465, -0.149611563394},
        {0.1, 0.053982783728, 0.579523092025, 0.053982751045, 0.579521789272, 0.054244758084},
        {0.5, 0.345731230637, 0.867495124656, 0.345714009825, 0.867369903535, 0.350388436606},
        {1, 0.841344746069, 1.083315470588, 0.841191990608, 1.082964083846, 0.845795765933},
        {3, 2.995950305905, 1.011945647204, 2.996362607918, 1.011584166631, 2.981928690292},
        {6, 5.999999994080, 1.000000035469, 5.999999999916, 1.000000000771, 5.999779646450}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const double *k = known[i];
        close_to(act_of(CPH_ACT_GELU, k[0]), k[1], 1e-12);
        close_to(slope_of(CPH_ACT_GELU, k[0]), k[2], 1e-12);
        close_to(act_of(CPH_ACT_GELU_NEW, k[0]), k[3], 1e-12);
        close_to(slope_of(CPH_ACT_GELU_NEW, k[0]), k[4], 1e-12);
        close_to(act_of(CPH_ACT_QUICK_GELU, k[0]), k[5], 1e-12);
    }
    assert_true(act_of(CPH_ACT_GELU_10, 50) == 10 && slope_of(CPH_ACT_GELU_10, 50) == 0);
    close_to(act_of(CPH_ACT_MISH, 1), 0.865098388267310, 1e-12);
    close_to(act_of(CPH_ACT_SILU, -2), -0.238405844044235, 1e-12);
    assert_true(act_of(CPH_ACT_MISH, 500) == 500 && act_of(CPH_ACT_RELU, -1) == 0);
}

typedef struct norm_case {
    bool residual, no_x, rms, stream;
    double p, p_h;
} norm_case;

static void try_norm(norm_case k)
{
    static subject s;
    s = (subject){.op.kind = CPH_OP_norm};
    cph_norm *n = &s.op.u.norm;
    size_t size = 66 * 5;
    *n = (cph_norm){.rows = 66, .width = 5, .eps = 1e-5, .rms = k.rms, .drop = {k.p, 9, &draw},
                    .h_drop = {k.p_h, 10, &draw}};
    if (!k.no_x) n->x = input(&s, size, &n->dx);
    if (k.residual) n->y = operand(&s, size, &n->dy);
    n->gamma = input(&s, 5, &n->dgamma);
    if (!k.rms) n->beta = input(&s, 5, &n->dbeta);
    n->h = output(&s, size);
    n->dh = s.weight;
    n->sum = k.residual ? room(&s, size, false) : NULL;
    if (k.stream) {
        n->stream = output(&s, size);
        n->dstream = s.weight2;
    } else if (k.residual) {
        n->sum = output(&s, size);
        n->dsum = s.weight2;
    }
    n->mean = room(&s, 66, false);
    n->rstd = room(&s, 66, false);
    n->part = room(&s, 2 * 2 * 5, false);
    value(&s, cph_ref64_norm_fwd);
    run(&s.op, cph_ref64_norm_bwd, true);
    check_gradients(&s, cph_ref64_norm_fwd);
}

static void norm_has_the_right_gradient(void **state)
{
    (void)state;
    try_norm((norm_case){0});
    try_norm((norm_case){.residual = true});
    try_norm((norm_case){.residual = true, .p = 0.4});
    try_norm((norm_case){.residual = true, .stream = true, .p = 0.4, .p_h = 0.3});
    try_norm((norm_case){.residual = true, .no_x = true});
    try_norm((norm_case){.rms = true});
    try_norm((norm_case){.rms = true, .residual = true, .p = 0.4, .p_h = 0.3});
    try_norm((norm_case){.rms = true, .stream = true});
}

/* With adds, what dx and dy held is there still. */
static void norm_adds_to_gradients_that_others_began(void **state)
{
    (void)state;
    double x[10], y[10], h[10], sum[10], dh[10], dx[2][10], dy[2][10], mean[2], rstd[2], gamma[5], beta[5], part[10];
    for (int i = 0; i < 10; i++) x[i] = sin(i), y[i] = cos(3 * i), dh[i] = sin(7 * i), dx[1][i] = dy[1][i] = i;
    for (int i = 0; i < 5; i++) gamma[i] = 1 + 0.1 * i, beta[i] = 0;
    for (int residual = 0; residual < 2; residual++) {
        for (int adds = 0; adds < 2; adds++) {
            cph_op op = {.kind = CPH_OP_norm};
            op.u.norm = (cph_norm){.x = x, .y = residual ? y : NULL, .gamma = gamma, .beta = beta, .sum = sum,
                                   .mean = mean, .rstd = rstd, .h = h, .dh = dh, .dx = dx[adds],
                                   .dy = residual ? dy[adds] : NULL, .part = part, .rows = 2, .width = 5,
                                   .eps = 1e-5, .dx_adds = adds, .dy_adds = adds};
            for (int i = 0; i < 10; i++) dx[1][i] = dy[1][i] = i;
            run(&op, cph_ref64_norm_fwd, false);
            run(&op, cph_ref64_norm_bwd, true);
        }
        for (int i = 0; i < 10; i++) {
            close_to(dx[1][i], dx[0][i] + i, 1e-12);
            if (residual) close_to(dy[1][i], dy[0][i] + i, 1e-12);
        }
    }
}

static void try_attention(cph_attention shape, uint32_t q_len, uint32_t k_len)
{
    static subject s;
    s = (subject){.op.kind = CPH_OP_attention};
    cph_attention *a = &s.op.u.attention;
    *a = shape;
    a->batch = 2, a->q_len = q_len, a->k_len = k_len, a->head_dim = 3, a->scale = 0.8;
    a->q_stride = a->o_stride = a->heads * 3;
    a->kv_stride = a->kv_heads * 3;
    a->q = operand(&s, 2ul * q_len * a->q_stride, &a->dq);
    a->k = operand(&s, 2ul * k_len * a->kv_stride, &a->dk);
    a->v = operand(&s, 2ul * k_len * a->kv_stride, &a->dv);
    a->o = output(&s, 2ul * q_len * a->o_stride);
    a->d_o = s.weight;
    a->lse = room(&s, 2ul * a->heads * q_len, false);
    a->delta = room(&s, 2ul * a->heads * q_len, false);
    if (a->bias_len) {
        a->bias = input(&s, a->heads * a->bias_len, &a->dbias);
        a->dbias_part = room(&s, 2ul * a->heads * a->bias_len, false);
    }
    value(&s, cph_ref64_attention_fwd);
    run(&s.op, cph_ref64_attention_bwd, true);
    check_gradients(&s, cph_ref64_attention_fwd);
}

static void attention_has_the_right_gradient(void **state)
{
    (void)state;
    static const uint32_t segments[] = {1, 1, 2, 2, 0, 3, 3, 3, 3, 0}, lens[] = {3, 0};
    try_attention((cph_attention){.heads = 2, .kv_heads = 2, .causal = true}, 5, 5);
    try_attention((cph_attention){.heads = 4, .kv_heads = 2, .causal = true, .drop = {0.3, 4, &draw}}, 5, 5);
    try_attention((cph_attention){.heads = 2, .kv_heads = 1, .window = 2}, 5, 5);
    try_attention((cph_attention){.heads = 1, .kv_heads = 1, .causal = true, .q_seg = segments,
                                  .k_seg = segments}, 5, 5);
    try_attention((cph_attention){.heads = 1, .kv_heads = 1, .key_len = lens}, 4, 6);
    try_attention((cph_attention){.heads = 1, .kv_heads = 1, .causal = true, .q_pos = 130}, 2, 132);
    try_attention((cph_attention){.heads = 2, .kv_heads = 2, .bias_len = 11, .bias_zero = 5}, 5, 6);
    try_attention((cph_attention){.heads = 4, .kv_heads = 2, .causal = true, .bias_len = 9, .bias_zero = 4,
                                  .drop = {0.3, 4, &draw}}, 5, 5);
    try_attention((cph_attention){.heads = 1, .kv_heads = 1, .bias_len = 9, .bias_zero = 4, .window = 3,
                                  .q_seg = segments, .k_seg = segments}, 5, 5);
    static const uint32_t decoder[] = {1, 1, 2, 0, 1, 2, 2, 3}, encoder[] = {1, 1, 1, 2, 2, 0, 2, 1, 1, 2, 0, 0};
    try_attention((cph_attention){.heads = 2, .kv_heads = 2, .q_seg = decoder, .k_seg = encoder}, 4, 6);
}

/* The gradient comes out of the forward pass; only the losses are outputs, all of weight inv_labels. */
static void try_loss(cph_targets targets, double z_loss)
{
    static subject s;
    static const int32_t labels[] = {3, -100, 0, 5, 6};
    s = (subject){.op.kind = CPH_OP_loss};
    cph_loss *l = &s.op.u.loss;
    *l = (cph_loss){.labels = labels, .inv_labels = &one_over_three, .backward = true, .rows = 5, .in = 4, .vocab = 7,
                    .chunk = 2, .targets = targets, .z_loss = z_loss};
    l->x = operand(&s, 20, &l->dx);
    l->w = input(&s, 28, &l->dw);
    l->b = input(&s, 7, &l->db);
    l->logits = room(&s, 14, false);
    l->losses = output(&s, 5);
    for (size_t i = 0; i < 5; i++) s.weight[i] = one_over_three;
    run(&s.op, cph_ref64_loss_fwd, false);
    l->backward = false; /* the differences need the losses alone */
    check_gradients(&s, cph_ref64_loss_fwd);
}

static void loss_has_the_right_gradient(void **state)
{
    (void)state;
    try_loss((cph_targets){0}, 0);
    try_loss(cph_targets_torch(0.1, 7), 0);
    try_loss(cph_targets_t5x(0.2, 7), 0.03);
    try_loss((cph_targets){0}, 0.1);
}

/* text-models 2.7: z = (2, -1, 0.5, 0), label 2 */
static void try_known_loss(cph_targets targets, double z_loss, double loss, const double dz[4])
{
    static const double z[4] = {2, -1, 0.5, 0}, x = 1, one = 1;
    static const int32_t label = 2;
    double logits[4], losses, dx, dw[4] = {0};
    cph_op op = {.kind = CPH_OP_loss};
    op.u.loss = (cph_loss){.x = &x, .w = z, .labels = &label, .logits = logits, .losses = &losses, .inv_labels = &one,
                           .backward = true, .dx = &dx, .dw = dw, .rows = 1, .in = 1, .vocab = 4, .chunk = 1,
                           .targets = targets, .z_loss = z_loss};
    run(&op, cph_ref64_loss_fwd, false);
    close_to(losses, loss, 1e-12);
    for (int i = 0; dz && i < 4; i++) close_to(dw[i], dz[i], 1e-12);
}

static void loss_gives_the_known_values(void **state)
{
    (void)state;
    try_known_loss((cph_targets){0}, 0, 1.842349582390,
                   (double[4]){0.710099922886, 0.035353793409, -0.841555290485, 0.096101574190});
    try_known_loss(cph_targets_torch(0.1, 4), 0, 1.854849582390,
                   (double[4]){0.685099922886, 0.010353793409, -0.766555290485, 0.071101574190});
    try_known_loss((cph_targets){0}, 1e-4, 1.842898242546,
                   (double[4]){0.710432583338, 0.035370355597, -0.841481063905, 0.096146594887});
    try_known_loss(cph_targets_t5x(0.1, 4), 0, 1.424072046798, NULL);
    close_to(cph_targets_t5x(0.1, 4).constant, 0.434944202258, 1e-12);
}

static void try_gate(cph_act act, bool two, double p)
{
    static subject s;
    s = (subject){.op.kind = CPH_OP_gate};
    cph_gate *g = &s.op.u.gate;
    *g = (cph_gate){.rows = 66, .width = 5, .act = act, .scale = 0.7, .drop = {p, 8, &draw}};
    g->a = operand(&s, 330, &g->da);
    if (two) g->b = operand(&s, 330, &g->db);
    g->y = output(&s, 330);
    g->dy = s.weight;
    run(&s.op, cph_ref64_gate_bwd, true);
    check_gradients(&s, cph_ref64_gate_fwd);
}

static void gate_has_the_right_gradient(void **state)
{
    (void)state;
    for (unsigned act = 0; act < CPH_N_ACTS; act++) try_gate((cph_act)act, act % 2, act % 3 ? 0.3 : 0);
    try_gate(CPH_ACT_NONE, true, 0.3);
    try_gate(CPH_ACT_GELU_NEW, true, 0.3);
}

static void add_has_the_right_gradient(void **state)
{
    (void)state;
    static subject s;
    s = (subject){.op.kind = CPH_OP_add};
    cph_add *a = &s.op.u.add;
    *a = (cph_add){.rows = 3, .width = 5};
    a->a = operand(&s, 15, &a->da);
    a->b = operand(&s, 15, &a->db);
    a->y = output(&s, 15);
    a->dy = s.weight;
    run(&s.op, cph_ref64_add_bwd, true);
    check_gradients(&s, cph_ref64_add_fwd);
}

static void mean_has_the_right_gradient(void **state)
{
    (void)state;
    static subject s;
    static const uint32_t first[] = {1, 3, 4, 66}, n[] = {2, 0, 61, 3};
    s = (subject){.op.kind = CPH_OP_mean};
    cph_mean *m = &s.op.u.mean;
    *m = (cph_mean){.first = first, .n = n, .rows = 70, .groups = 4, .width = 3};
    m->x = operand(&s, 210, &m->dx);
    m->y = output(&s, 12);
    m->dy = s.weight;
    run(&s.op, cph_ref64_mean_bwd, true);
    check_gradients(&s, cph_ref64_mean_fwd);
}

static void try_pick(cph_op_kind kind, pass_fn fwd, pass_fn bwd)
{
    static subject s;
    static const int32_t index[] = {3, 0, -1, 3, 2};
    size_t large = 4 * 3, small = 5 * 3;
    s = (subject){.op.kind = kind};
    cph_pick *p = &s.op.u.pick;
    *p = (cph_pick){.index = index, .rows = 4, .n = 5, .width = 3};
    p->x = operand(&s, kind == CPH_OP_gather ? large : small, &p->dx);
    p->y = output(&s, kind == CPH_OP_gather ? small : large);
    p->dy = s.weight;
    run(&s.op, bwd, true);
    check_gradients(&s, fwd);
}

static void gather_and_scatter_have_the_right_gradients(void **state)
{
    (void)state;
    try_pick(CPH_OP_gather, cph_ref64_gather_fwd, cph_ref64_gather_bwd);
    try_pick(CPH_OP_scatter, cph_ref64_scatter_fwd, cph_ref64_scatter_bwd);
}

static void classes_have_the_right_gradient(void **state)
{
    (void)state;
    static subject s;
    static const int32_t labels[] = {3, -100, 0};
    s = (subject){.op.kind = CPH_OP_classes};
    cph_classes *k = &s.op.u.classes;
    *k = (cph_classes){.labels = labels, .inv_labels = &one_over_three, .rows = 3, .classes = 5};
    k->x = operand(&s, 15, &k->dx);
    k->losses = output(&s, 3);
    for (size_t i = 0; i < 3; i++) s.weight[i] = one_over_three;
    run(&s.op, cph_ref64_classes_bwd, true);
    check_gradients(&s, cph_ref64_classes_fwd);
}

static void log_softmax_gives_the_known_values(void **state)
{
    (void)state;
    static const double x[3] = {1, 2, 3}, p[3] = {0.090030573170, 0.244728471055, 0.665240955775};
    double y[3];
    cph_op op = {.kind = CPH_OP_log_softmax, .u.log_softmax = {x, y, 1, 3}};
    run(&op, cph_ref64_log_softmax_fwd, false);
    for (int i = 0; i < 3; i++) close_to(cph_exp(y[i]), p[i], 1e-12);
}

static void bucket_bias_has_the_right_gradient(void **state)
{
    (void)state;
    static subject s;
    for (int bidirectional = 0; bidirectional < 2; bidirectional++) {
        s = (subject){.op.kind = CPH_OP_bucket_bias};
        cph_bucket_bias *b = &s.op.u.bucket_bias;
        *b = (cph_bucket_bias){.heads = 2, .buckets = 8, .length = 81, .zero = 40, .max_distance = 20,
                               .bidirectional = bidirectional};
        b->table = input(&s, 16, &b->dtable);
        b->bias = output(&s, 162);
        b->dbias = s.weight;
        run(&s.op, cph_ref64_bucket_bias_bwd, true);
        check_gradients(&s, cph_ref64_bucket_bias_fwd);
    }
}

/* text-models 7.6: where the buckets 8..15 and 16..31 begin */
static void buckets_are_those_of_the_tables(void **state)
{
    (void)state;
    static const int64_t both[] = {8, 12, 16, 23, 32, 46, 64, 91, 3000};
    static const int64_t causal[] = {16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113, 3000};
    for (int64_t n = 0; n < 8; n++) {
        assert_int_equal(cph_relative_bucket(-n, true, 32, 128), n);
        assert_int_equal(cph_relative_bucket(n, true, 32, 128), n ? n + 16 : 0);
    }
    for (unsigned i = 0; i < 8; i++)
        for (int64_t n = both[i]; n < both[i + 1]; n++) {
            assert_int_equal(cph_relative_bucket(-n, true, 32, 128), 8 + i);
            assert_int_equal(cph_relative_bucket(n, true, 32, 128), 24 + i);
        }
    for (int64_t n = 0; n < 16; n++) assert_int_equal(cph_relative_bucket(-n, false, 32, 128), n);
    for (unsigned i = 0; i < 16; i++)
        for (int64_t n = causal[i]; n < causal[i + 1]; n++)
            assert_int_equal(cph_relative_bucket(-n, false, 32, 128), 16 + i);
    assert_int_equal(cph_relative_bucket(5, false, 32, 128), 0);
}

/* Rotation keeps lengths, so its gradient is the rotation back: in place, outputs are the inputs. */
static void rotary_turns_pairs_and_its_gradient_turns_back(void **state)
{
    (void)state;
    static const uint32_t positions[] = {0, 3};
    double cosines[8], sines[8], x[2][14], y[2][14], d[2][14];
    float c32[8], s32[8];
    for (int p = 0; p < 4; p++)
        for (int i = 0; i < 2; i++) {
            cosines[2 * p + i] = cph_cos(p * cph_pow(100, -0.5 * i));
            sines[2 * p + i] = cph_sin(p * cph_pow(100, -0.5 * i));
        }
    cph_rotary_tables(c32, s32, 4, 4, 100);
    for (int i = 0; i < 8; i++) assert_true(c32[i] == (float)cosines[i] && s32[i] == (float)sines[i]);
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        for (int i = 0; i < 28; i++) x[i / 14][i % 14] = sin(i + 1), d[i / 14][i % 14] = cos(2 * i);
        memcpy(y, x, sizeof x);
        cph_op op = {.kind = CPH_OP_rotary};
        op.u.rotary = (cph_rotary){.x = y, .dx = d, .cos = cosines, .sin = sines, .positions = positions, .rows = 2,
                                   .stride = 14, .heads = 2, .head_dim = 5, .dim = 4, .interleaved = interleaved};
        double before = 0, after = 0;
        run(&op, cph_ref64_rotary_fwd, false);
        for (int i = 0; i < 28; i++) before += y[i / 14][i % 14] * d[i / 14][i % 14];
        run(&op, cph_ref64_rotary_bwd, true);
        for (int i = 0; i < 28; i++) after += x[i / 14][i % 14] * d[i / 14][i % 14];
        close_to(after, before, 1e-12); /* <R x, d> = <x, R^T d> */
        assert_true(y[0][3] == x[0][3] && y[1][4] == x[1][4] && y[1][13] == x[1][13]);
        int pair = interleaved ? 1 : 2; /* of element 0 */
        close_to(y[1][0], x[1][0] * cph_cos(3) - x[1][pair] * cph_sin(3), 1e-12);
        close_to(y[1][pair], x[1][pair] * cph_cos(3) + x[1][0] * cph_sin(3), 1e-12);
    }
}

/* text-models 11.7, "AdamW wd 0.1": three steps. */
static void adamw_gives_the_known_values(void **state)
{
    (void)state;
    static const double g[3][2] = {{0.5, -1}, {0.25, 3}, {-0.1, 0.2}};
    static const double want[3][2] = {{0.989000000200, -1.988000000100},
                                      {0.978689204048, -1.990953898411},
                                      {0.971743404661, -1.993178857118}};
    double p[2] = {1, -2}, m[2] = {0}, v[2] = {0};
    for (uint64_t t = 1; t <= 3; t++) {
        cph_op op = {.kind = CPH_OP_adamw};
        op.u.adamw = (cph_adamw_args){.p = p, .m = m, .v = v, .g = g[t - 1], .n = 2, .grad_scale = 1,
                                      .decay = 1 - 0.01 * 0.1, .beta1 = 0.9, .beta2 = 0.999, .one_beta1 = 0.1,
                                      .one_beta2 = 0.001, .step = 0.01 / (1 - cph_pow_int(0.9, t)),
                                      .inv_root = 1 / sqrt(1 - cph_pow_int(0.999, t)), .eps = 1e-8};
        cph_ref64_adamw_fwd(&op, 0, 0, NULL);
        for (int i = 0; i < 2; i++) close_to(p[i], want[t - 1][i], 1e-11);
    }
}

static void norm_gives_the_known_values(void **state)
{
    (void)state;
    double x[4] = {1, 2, 3, 5}, gamma[4] = {1, 0.5, 2, 1}, beta[4] = {0, 0.1, 0, -0.1}, dh[4] = {0.1, -0.2,
                                                                                                 0.3, 0.4};
    double h[4], mean, rstd, dx[4], dgamma[4] = {0}, dbeta[4] = {0}, part[8];
    static const double y[4] = {-1.183213252136, -0.153545696886, 0.338060929182, 1.421274181317};
    static const double d[4] = {0.027044287077, -0.181587265071, 0.218290855308, -0.063747877315};
    cph_op op = {.kind = CPH_OP_norm};
    op.u.norm = (cph_norm){.x = x, .gamma = gamma, .beta = beta, .h = h, .mean = &mean, .rstd = &rstd,
                           .dh = dh,
                           .dx = dx, .dgamma = dgamma, .dbeta = dbeta, .part = part, .rows = 1, .width = 4,
                           .eps = 1e-5};
    run(&op, cph_ref64_norm_fwd, false);
    run(&op, cph_ref64_norm_bwd, true);
    for (int i = 0; i < 4; i++) {
        close_to(h[i], y[i], 1e-11);
        close_to(dx[i], d[i], 1e-11);
    }
    close_to(dgamma[3], 0.608509672527, 1e-11);
}

/* text-models 2.2 */
static void rms_norm_gives_the_known_values(void **state)
{
    (void)state;
    static const double x[4] = {1, 2, 3, 5}, gamma[4] = {1, 0.5, 2, 1}, dh[4] = {0.1, -0.2, 0.3, 0.4};
    static const double y[4] = {0.320256291187, 0.320256291187, 1.921537747121, 1.601281455934};
    static const double d[4] = {0.001642343071, -0.092792201214, 0.101003916569, -0.023813913763};
    static const double dg[4] = {0.032025629119, -0.128102516475, 0.288230662068, 0.640512582374};
    double h[4], rstd, dx[4], dgamma[4] = {0}, part[8];
    cph_op op = {.kind = CPH_OP_norm};
    op.u.norm = (cph_norm){.x = x, .gamma = gamma, .h = h, .rstd = &rstd, .dh = dh, .dx = dx, .dgamma = dgamma,
                           .part = part, .rows = 1, .width = 4, .eps = 1e-6, .rms = true};
    run(&op, cph_ref64_norm_fwd, false);
    run(&op, cph_ref64_norm_bwd, true);
    for (int i = 0; i < 4; i++) {
        close_to(h[i], y[i], 1e-11);
        close_to(dx[i], d[i], 1e-11);
        close_to(dgamma[i], dg[i], 1e-11);
    }
}

static void sums_of_squares_cover_every_element_once(void **state)
{
    (void)state;
    static double x[70000], blocks[2];
    for (int i = 0; i < 70000; i++) x[i] = 2;
    cph_op op = {.kind = CPH_OP_sumsq, .u.sumsq = {x, blocks, 70000}};
    run(&op, cph_ref64_sumsq_fwd, false);
    assert_true(blocks[0] == 4.0 * 65536 && blocks[1] == 4.0 * (70000 - 65536));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embed_has_the_right_gradient),     cmocka_unit_test(linear_has_the_right_gradient),
        cmocka_unit_test(activations_have_the_known_values), cmocka_unit_test(norm_has_the_right_gradient),
        cmocka_unit_test(norm_adds_to_gradients_that_others_began),
        cmocka_unit_test(rms_norm_gives_the_known_values),
                 cmocka_unit_test(attention_has_the_right_gradient),
        cmocka_unit_test(looking_up_padding_gives_no_gradient),
        cmocka_unit_test(loss_gives_the_known_values),
        cmocka_unit_test(gate_has_the_right_gradient),
        cmocka_unit_test(add_has_the_right_gradient),
        cmocka_unit_test(mean_has_the_right_gradient),
        cmocka_unit_test(gather_and_scatter_have_the_right_gradients),
        cmocka_unit_test(classes_have_the_right_gradient),
        cmocka_unit_test(log_softmax_gives_the_known_values),
        cmocka_unit_test(bucket_bias_has_the_right_gradient),
        cmocka_unit_test(buckets_are_those_of_the_tables),
        cmocka_unit_test(rotary_turns_pairs_and_its_gradient_turns_back),
        cmocka_unit_test(loss_has_the_right_gradient),      cmocka_unit_test(norm_gives_the_known_values),
        cmocka_unit_test(adamw_gives_the_known_values),
                cmocka_unit_test(sums_of_squares_cover_every_element_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
