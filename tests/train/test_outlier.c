/* SPDX-License-Identifier: Apache-2.0 */
/* test_outlier.c - the window behind --skip-outliers. */
#include <math.h>

#include "testing.h"
#include "train_in.h"

static void a_window_says_nothing_before_it_is_full(void **state)
{
    (void)state;
    cph_window w = {.n = 0};
    for (uint32_t i = 0; i + 1 < CPH_WINDOW; i++) {
        cph_window_add(&w, i == 5 ? 1000 : 1);
        assert_true(cph_window_z(&w) == 0);
    }
    cph_window_add(&w, 1000);
    assert_true(cph_window_z(&w) > 7);
}

static void the_newest_number_is_measured_in_standard_deviations(void **state)
{
    (void)state;
    cph_window w = {.n = 0};
    for (uint32_t i = 0; i < CPH_WINDOW + 40; i++) cph_window_add(&w, i % 2 ? 3 : 1); /* mean 2, deviation 1 */
    assert_true(fabs(cph_window_z(&w) - 1) < 1e-12);
    cph_window_add(&w, 1);
    assert_true(fabs(cph_window_z(&w) + 1) < 1e-12);
    for (uint32_t i = 0; i < CPH_WINDOW; i++) cph_window_add(&w, 0.1);
    assert_true(fabs(cph_window_z(&w)) < 1e-6); /* none: no division by it */
}

static void a_window_that_was_written_and_read_says_the_same(void **state)
{
    (void)state;
    cph_window w = {.n = 0}, again = {.n = 0};
    for (uint32_t i = 0; i < 3 * CPH_WINDOW + 17; i++) cph_window_add(&w, 1.0 / (1 + i * i % 97));
    for (uint32_t i = 0; i < CPH_WINDOW; i++) cph_window_add(&again, cph_window_at(&w, i));
    for (uint32_t i = 0; i < CPH_WINDOW; i++) {
        cph_window_add(&w, 0.01 * i);
        cph_window_add(&again, 0.01 * i);
        assert_true(cph_window_z(&w) == cph_window_z(&again));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_says_nothing_before_it_is_full),
        cmocka_unit_test(the_newest_number_is_measured_in_standard_deviations),
        cmocka_unit_test(a_window_that_was_written_and_read_says_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
