/* SPDX-License-Identifier: Apache-2.0 */
#include <colophon/train/schedule.h>

#include <math.h>

#include "testing.h"

/* The check values of text-models 12: warmup 10, total 100. */
static const uint64_t at[10] = {0, 5, 9, 10, 11, 40, 55, 85, 99, 100};

static void expect(const cph_schedule *s, const double want[10])
{
    for (int i = 0; i < 10; i++) assert_true(fabs(cph_schedule_at(s, at[i]) - want[i]) < 6e-10);
}

static void schedules_have_the_check_values_of_hugging_face(void **state)
{
    (void)state;
    const double linear[10] = {0, 0.5, 0.9, 1, 0.988888889, 0.666666667, 0.5, 0.166666667, 0.011111111, 0};
    const double cosine[10] = {0, 0.5, 0.9, 1, 0.999695414, 0.75, 0.5, 0.066987298, 0.000304586, 0};
    const double floor[10] = {0, 0.5, 0.9, 1, 0.999725872, 0.775, 0.55, 0.160288568, 0.100274128, 0.1};
    const double constant[10] = {0, 0.5, 0.9, 1, 1, 1, 1, 1, 1, 1};
    cph_schedule s;
    cph_schedule_init(&s);
    s.warmup = 10;
    s.total = 100;
    expect(&s, constant);
    s.kind = CPH_SCHEDULE_LINEAR;
    expect(&s, linear);
    s.kind = CPH_SCHEDULE_COSINE;
    expect(&s, cosine);
    s.min_ratio = 0.1;
    expect(&s, floor);
}

static void the_warmup_may_begin_above_zero(void **state)
{
    (void)state;
    cph_schedule s;
    cph_schedule_init(&s);
    s.warmup = 3;
    s.total = 10;
    s.warmup_offset = 1;
    assert_true(fabs(cph_schedule_at(&s, 0) - 1 / 3.0) < 1e-15);
    assert_true(cph_schedule_at(&s, 2) == 1 && cph_schedule_at(&s, 3) == 1);
    s.warmup = 0;
    assert_true(cph_schedule_at(&s, 0) == 1);
    s.kind = CPH_SCHEDULE_COSINE;
    s.warmup = s.total; /* nothing left for the cosine */
    assert_true(isfinite(cph_schedule_at(&s, 10)));
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
        cmocka_unit_test(the_warmup_may_begin_above_zero),
        cmocka_unit_test(names_are_read_as_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
