/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_schedule.c - every schedule against the check values of text-models 12 (warmup 10, total 100)
 * and, where the text has none, against its formula.
 */
#include <colophon/base/hash.h>
#include <colophon/train/schedule.h>

#include <math.h>

#include "testing.h"

static const uint64_t at[10] = {0, 5, 9, 10, 11, 40, 55, 85, 99, 100};

static void expect(const cph_schedule *s, const double want[10])
{
    for (int i = 0; i < 10; i++) {
        double is = cph_schedule_at(s, at[i]);
        if (!(fabs(is - want[i]) < 6e-10))
            fail_msg("%s, step %u: %.9f, not %.9f", cph_schedule_text(s->kind), (unsigned)at[i], is, want[i]);
    }
}

static bool near(double a, double b) { return fabs(a - b) < 1e-15; }

static cph_schedule schedule_of(cph_schedule_kind kind, double lr)
{
    cph_schedule s;
    cph_schedule_init(&s, kind, lr, 100);
    s.warmup = 10;
    return s;
}

static void schedules_have_the_check_values_of_hugging_face(void **state)
{
    (void)state;
    static const struct {
        cph_schedule_kind kind;
        double want[10];
    } rows[] = {
        {CPH_SCHEDULE_CONSTANT, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
        {CPH_SCHEDULE_CONSTANT_WITH_WARMUP, {0, 0.5, 0.9, 1, 1, 1, 1, 1, 1, 1}},
        {CPH_SCHEDULE_LINEAR, {0, 0.5, 0.9, 1, 0.988888889, 0.666666667, 0.5, 0.166666667, 0.011111111, 0}},
        {CPH_SCHEDULE_COSINE, {0, 0.5, 0.9, 1, 0.999695414, 0.75, 0.5, 0.066987298, 0.000304586, 0}},
        {CPH_SCHEDULE_COSINE_WITH_MIN_LR,
         {0, 0.5, 0.9, 1, 0.999725872, 0.775, 0.55, 0.160288568, 0.100274128, 0.1}},
        {CPH_SCHEDULE_COSINE_WITH_RESTARTS, {0, 0.5, 0.9, 1, 0.997260948, 1, 0.5, 0.5, 0.002739052, 0}},
        {CPH_SCHEDULE_POLYNOMIAL, {0, 0.5, 0.9, 1, 0.977903444, 0.4445, 0.250075, 0.027875, 0.000223444, 0.0001}},
        {CPH_SCHEDULE_INVERSE_SQRT,
         {0, 0.5, 0.9, 1, 0.953462589, 0.5, 0.426401433, 0.342997170, 0.317820863, 0.316227766}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cph_schedule s = schedule_of(rows[i].kind, 1e-3);
        s.min_ratio = 0.1;
        if (s.kind == CPH_SCHEDULE_COSINE_WITH_RESTARTS) s.cycles = 3;
        s.power = 2;
        expect(&s, rows[i].want);
    }
}

static void a_cosine_may_warm_up_from_its_least_rate(void **state)
{
    (void)state;
    static const double want[9] = {0.1, 0.6, 1, 0.999725872, 0.998903823, 0.761262203, 0.534295226, 0.152673583, 0.1};
    cph_schedule s = schedule_of(CPH_SCHEDULE_COSINE_WARMUP_WITH_MIN_LR, 1);
    s.min_ratio = 0.1;
    for (int i = 0; i < 9; i++) assert_true(fabs(cph_schedule_at(&s, at[i]) - want[i]) < 6e-10);
    s.warmup_rate = 0.2;
    assert_true(cph_schedule_at(&s, 0) == 0.2 && cph_schedule_at(&s, 9) == 1);
    assert_true(near(cph_schedule_at(&s, 3), 0.2 + 0.8 * 3 / 9));
}

static void the_last_steps_of_a_stable_schedule_fall_as_asked(void **state)
{
    (void)state;
    static const double want[CPH_N_RAMPS][10] = {
        [CPH_RAMP_COSINE] = {0, 0.5, 0.9, 1, 1, 1, 1, 0.5, 0.002739052, 0},
        [CPH_RAMP_LINEAR] = {0, 0.5, 0.9, 1, 1, 1, 1, 0.5, 0.033333333, 0},
        [CPH_RAMP_SQRT] = {0, 0.5, 0.9, 1, 1, 1, 1, 0.292893219, 0.016807920, 0}};
    cph_schedule s = schedule_of(CPH_SCHEDULE_WARMUP_STABLE_DECAY, 1);
    s.stable = 60;
    s.decay = 30;
    for (unsigned r = 0; r < CPH_N_RAMPS; r++) {
        s.decay_ramp = (cph_ramp)r;
        expect(&s, want[r]);
    }
    s.min_ratio = 0.2;
    assert_true(cph_schedule_at(&s, 100) == 0.2 && cph_schedule_at(&s, 0) == 0.2);
    assert_true(near(cph_schedule_at(&s, 5), 0.6));
    s.warmup_ramp = CPH_RAMP_SQRT;
    assert_true(near(cph_schedule_at(&s, 5), (1 - sqrt(0.5)) * 0.8 + 0.2));
    s.warmup_ramp = CPH_RAMP_COSINE;
    assert_true(near(cph_schedule_at(&s, 5), 0.6));
}

static void the_schedules_of_llm_c_and_nanot5_follow_their_formulas(void **state)
{
    (void)state;
    static const double wsd[10] = {0.1, 0.6, 1, 1, 1, 1, 1, 0.55, 0.122788509, 0.1};
    static const double nano[10] = {0.5, 0.75, 0.95, 1, 0.999695566, 0.750125, 0.50025, 0.067453804, 0.000804434, 0.0005};
    cph_schedule s = schedule_of(CPH_SCHEDULE_WSD, 1);
    s.min_ratio = 0.1;
    expect(&s, wsd);
    s = schedule_of(CPH_SCHEDULE_NANOT5, 2e-2);
    expect(&s, nano);
}

static void the_factors_of_t5x_multiply_to_a_rate(void **state)
{
    (void)state;
    static const struct {
        const char *product;
        double want[10];
    } rows[] = {
        {"constant * linear_warmup * rsqrt_decay", {0.00000001, 0.079056942, 0.142302495, 0.158113883, 0.150755672,
                                                    0.079056942, 0.067419986, 0.054232614, 0.050251891, 0.05}},
        {"constant*rsqrt_normalized_decay", {0.5, 0.5, 0.5, 0.5, 0.476731295, 0.25, 0.213200716, 0.171498585, 0.158910432,
                                             0.158113883}},
        {" linear_decay ", {0.00000001, 0.25, 0.45, 0.5, 0.495, 0.35, 0.275, 0.125, 0.055, 0.05}},
        {"constant * decay_every", {0.5, 0.5, 0.5, 0.5, 0.5, 0.35, 0.35, 0.245, 0.1715, 0.1715}},
        {"constant * cosine_decay", {0.5, 0.5, 0.5, 0.5, 0.499229333, 0.073223305, 0.480969883, 0.019030117,
                                     0.440101491, 0.426776695}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cph_schedule s = schedule_of(CPH_SCHEDULE_T5X, 0.5);
        s.decay_factor = i == 2 ? 0.01 : 0.7;
        s.steps_per_decay = 30;
        s.steps_per_cycle = 40;
        assert_true(cph_schedule_factors(&s, cph_str_of(rows[i].product)));
        for (int k = 0; k < 10; k++) assert_true(fabs(0.5 * cph_schedule_at(&s, at[k]) - rows[i].want[k]) < 6e-10);
    }
}

static void the_default_of_t5x_is_its_pretraining(void **state)
{
    (void)state;
    cph_schedule s;
    cph_schedule_init(&s, CPH_SCHEDULE_T5X, 1, 100000);
    assert_true(cph_schedule_at(&s, 0) == 0.01 && cph_schedule_at(&s, 10000) == 0.01);
    assert_true(near(cph_schedule_at(&s, 40000), 0.005));
    assert_false(cph_schedule_factors(&s, CPH_STR("constant * sqrt")));
    assert_false(cph_schedule_factors(&s, CPH_STR("")));
    assert_int_equal(s.n_factors, 2); /* as they were */
}

static void the_warmup_may_begin_above_zero(void **state)
{
    (void)state;
    cph_schedule s;
    cph_schedule_init(&s, CPH_SCHEDULE_CONSTANT_WITH_WARMUP, 1, 10);
    s.warmup = 3;
    s.warmup_offset = 1;
    assert_true(fabs(cph_schedule_at(&s, 0) - 1 / 3.0) < 1e-15);
    assert_true(cph_schedule_at(&s, 2) == 1 && cph_schedule_at(&s, 3) == 1);
    s.warmup = 0;
    assert_true(cph_schedule_at(&s, 0) == 1);
}

static void nothing_left_after_the_warmup_is_no_division_by_zero(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < CPH_N_SCHEDULES; kind++)
        for (uint64_t warmup = 0; warmup <= 10; warmup += 5) {
            cph_schedule s;
            cph_schedule_init(&s, (cph_schedule_kind)kind, 1e-3, 10);
            s.warmup = warmup;
            for (uint64_t k = 0; k <= 10; k++) assert_true(isfinite(cph_schedule_at(&s, k)));
        }
}

/* Committed: the factors of a run are the same bits on every machine, compiler and library. */
static void factors_have_the_same_bits_everywhere(void **state)
{
    (void)state;
    char hex[CPH_HEX_DIGEST];
    cph_sha256 h;
    cph_sha256_init(&h);
    for (unsigned kind = 0; kind < CPH_N_SCHEDULES; kind++)
        for (uint64_t k = 0; k <= 110; k++) {
            cph_schedule s = schedule_of((cph_schedule_kind)kind, 3e-4);
            s.min_ratio = 0.1;
            s.stable = 50;
            s.decay = 33;
            s.power = 1.5;
            double f = cph_schedule_at(&s, k);
            cph_sha256_add(&h, &f, sizeof f);
        }
    cph_digest d = cph_sha256_end(&h);
    cph_digest_hex(&d, hex);
    assert_string_equal(hex, "85dc7a65af2f3c314f82a5783dab51b460df85645e1923da6cf47c6982f4862e");
}

static void names_are_read_as_they_are_written(void **state)
{
    (void)state;
    cph_schedule_kind k;
    for (unsigned i = 0; i < CPH_N_SCHEDULES; i++) {
        assert_true(cph_schedule_parse(cph_str_of(cph_schedule_text((cph_schedule_kind)i)), &k));
        assert_int_equal(k, i);
    }
    assert_false(cph_schedule_parse(CPH_STR("Cosine"), &k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules_have_the_check_values_of_hugging_face),
        cmocka_unit_test(a_cosine_may_warm_up_from_its_least_rate),
        cmocka_unit_test(the_last_steps_of_a_stable_schedule_fall_as_asked),
        cmocka_unit_test(the_schedules_of_llm_c_and_nanot5_follow_their_formulas),
        cmocka_unit_test(the_factors_of_t5x_multiply_to_a_rate),
        cmocka_unit_test(the_default_of_t5x_is_its_pretraining),
        cmocka_unit_test(the_warmup_may_begin_above_zero),
        cmocka_unit_test(nothing_left_after_the_warmup_is_no_division_by_zero),
        cmocka_unit_test(factors_have_the_same_bits_everywhere),
        cmocka_unit_test(names_are_read_as_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
