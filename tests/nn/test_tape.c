/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tape.c - plans never let two living buffers meet; initial weights are what the
 * rule says, at any thread count.
 */
#include <colophon/base/hash.h>
#include <colophon/base/memory.h>
#include <colophon/base/philox.h>
#include <colophon/nn/sites.h>

#include <math.h>

#include "tape_in.h"
#include "testing.h"

static void no_two_living_buffers_share_a_byte(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        tape_buffer buffers[60], *pointers[60];
        uint64_t sizes[60], total = 0, biggest = 0, sum = 0;
        size_t n = 1 + cph_philox_word(seed, 1, 0, 0, 0) % 60;
        for (size_t i = 0; i < n; i++) {
            uint32_t first = cph_philox_word(seed, 2, 0, 0, i) % 50;
            buffers[i] = (tape_buffer){0, first, first + cph_philox_word(seed, 3, 0, 0, i) % 20, true};
            sizes[i] = 16 * (1 + cph_philox_word(seed, 4, 0, 0, i) % 40);
            pointers[i] = &buffers[i];
            biggest = sizes[i] > biggest ? sizes[i] : biggest;
            sum += sizes[i];
        }
        must(cph_plan_buffers(pointers, sizes, n, &total, err));
        assert_true(total >= biggest && total <= sum);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < i; j++) {
                bool together = buffers[i].first <= buffers[j].last && buffers[j].first <= buffers[i].last;
                bool apart = buffers[i].offset + sizes[i] <= buffers[j].offset ||
                             buffers[j].offset + sizes[j] <= buffers[i].offset;
                if (together && !apart) fail_msg("seed %llu: buffers %zu and %zu meet",
                                                 (unsigned long long)seed, i, j);
            }
    }
}

static void buffers_that_do_not_live_together_share_memory(void **state)
{
    (void)state;
    tape_buffer a = {0, 0, 3, true}, b = {0, 4, 9, true}, c = {0, 2, 5, true}, *all[] = {&a, &b, &c};
    uint64_t sizes[] = {64, 64, 16}, total;
    must(cph_plan_buffers(all, sizes, 3, &total, err));
    assert_int_equal(total, 80);
    assert_int_equal(a.offset, b.offset);
}

static void add(cph_registry *r, const char *name, uint32_t rows, uint32_t columns, cph_start start,
                double std)
{
    uint32_t index;
    cph_param p = {.name = name, .n_dims = 2, .dims = {rows, columns}, .start = start, .std = std,
                   .trainable = true};
    must(cph_registry_add(r, &p, &index, err));
}

static cph_digest start_digest(unsigned n_threads, uint64_t seed, bool other_order, float *first)
{
    cph_registry r;
    cph_pool *pool = NULL;
    void *mem = NULL;
    cph_registry_init(&r);
    if (other_order) add(&r, "z", 3, 5, CPH_START_ONE, 0);
    add(&r, "a", 300, 333, CPH_START_NORMAL, 0.02);
    add(&r, "b", 301, 333, CPH_START_NORMAL, 0.02);
    must(cph_pool_open(&pool, n_threads, err));
    must(cph_alloc(&mem, r.flat_len * sizeof(float), err));
    must(cph_registry_start(&r, mem, seed, pool, err));
    const float *a = (const float *)mem + cph_registry_find(&r, CPH_STR("a"))->offset;
    double sum = 0, square = 0;
    for (size_t i = 0; i < 99900; i++) sum += (double)a[i], square += (double)a[i] * (double)a[i];
    assert_true(fabs(sum / 99900) < 3e-4 && fabs(sqrt(square / 99900) - 0.02) < 3e-4);
    cph_digest d = cph_sha256_of(a, 99900 * sizeof *a);
    memcpy(first, a, 4 * sizeof *first);
    cph_free(mem);
    cph_pool_close(pool);
    cph_registry_release(&r);
    return d;
}

static void initial_weights_depend_on_seed_and_name_alone(void **state)
{
    (void)state;
    float first[4], again[4];
    cph_digest one = start_digest(1, 42, false, first), five = start_digest(5, 42, true, again);
    assert_int_equal(cph_digest_cmp(&one, &five), 0);
    cph_digest other = start_digest(1, 43, false, again);
    assert_int_not_equal(cph_digest_cmp(&one, &other), 0);
}

static void tensors_are_aligned_and_padding_is_zero(void **state)
{
    (void)state;
    cph_registry r;
    cph_pool *pool = NULL;
    float flat[64];
    cph_registry_init(&r);
    add(&r, "a", 3, 5, CPH_START_ONE, 0);
    add(&r, "b", 1, 17, CPH_START_NORMAL, 1);
    assert_int_equal(r.flat_len, 48);
    assert_int_equal(r.items[1].offset, 16);
    must(cph_pool_open(&pool, 1, err));
    memset(flat, 0xff, sizeof flat);
    must(cph_registry_start(&r, flat, 1, pool, err));
    assert_true(flat[14] == 1.0f && flat[15] == 0.0f && flat[33] == 0.0f && flat[47] == 0.0f);
    assert_null(cph_registry_find(&r, CPH_STR("c")));
    cph_err err;
    uint32_t index;
    cph_param none = {.name = "none", .n_dims = 1, .dims = {0}};
    assert_int_equal(cph_registry_add(&r, &none, &index, &err), CPH_DATA);
    cph_pool_close(pool);
    cph_registry_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_living_buffers_share_a_byte),
        cmocka_unit_test(buffers_that_do_not_live_together_share_memory),
        cmocka_unit_test(initial_weights_depend_on_seed_and_name_alone),
        cmocka_unit_test(tensors_are_aligned_and_padding_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
