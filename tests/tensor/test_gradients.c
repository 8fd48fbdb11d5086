/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_gradients.c - the backward pass of every operation against finite differences of
 * its forward pass, on the reference compiled in double.
 */
#define CPH_REF_DOUBLE
#include "real.h"

#include "cut.c"
#include "ref_attention.c"
#include "ref_factor.c"
#include "ref_flat.c"
#include "ref_linear.c"
#include "ref_loss.c"
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
    static const uint32_t ids[] = {2, 0, 2, 1, 2}, positions[] = {0, 1, 2, 0, 1};
    s = (subject){.op.kind = CPH_OP_embed};
    cph_embed *e = &s.op.u.embed;
    *e = (cph_embed){.ids = ids, .positions = positions, .rows = 5, .width = 7, .drop = {0.3, 9, &draw}};
    e->tok = input(&s, 4 * 7, &e->dtok);
    e->pos = input(&s, 3 * 7, &e->dpos);
    e->x = output(&s, 35);
    e->dx = s.weight;
    value(&s, cph_ref64_embed_fwd);
    run(&s.op, cph_ref64_embed_bwd, true);
    check_gradients(&s, cph_ref64_embed_fwd);
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
}

/* The gradient comes out of the forward pass; only the losses are outputs, all of weight inv_labels. */
static void loss_has_the_right_gradient(void **state)
{
    (void)state;
    static subject s;
    static const int32_t labels[] = {3, -100, 0, 5, 6};
    s = (subject){.op.kind = CPH_OP_loss};
    cph_loss *l = &s.op.u.loss;
    *l = (cph_loss){.labels = labels, .inv_labels = &one_over_three, .backward = true, .rows = 5, .in = 4, .vocab = 7,
                    .chunk = 2};
    l->x = operand(&s, 20, &l->dx);
    l->w = input(&s, 28, &l->dw);
    l->logits = room(&s, 14, false);
    l->losses = output(&s, 5);
    for (size_t i = 0; i < 5; i++) s.weight[i] = one_over_three;
    run(&s.op, cph_ref64_loss_fwd, false);
    l->backward = false; /* the differences need the losses alone */
    check_gradients(&s, cph_ref64_loss_fwd);
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
        cmocka_unit_test(loss_has_the_right_gradient),      cmocka_unit_test(norm_gives_the_known_values),
        cmocka_unit_test(adamw_gives_the_known_values),
                cmocka_unit_test(sums_of_squares_cover_every_element_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
