/* SPDX-License-Identifier: Apache-2.0 */
#include <colophon/base/memory.h>
#include <colophon/infer/sample.h>

#include <math.h>

#include "testing.h"

enum { V = 6 };
static const float logits[V] = {3, 2, 1, 0, -1, 2.5f}; /* the check values of text-models 14.2 */

static void prepared(const cph_sample_opts *o, const uint32_t *ids, uint32_t n, uint32_t n_prompt,
                     float out[V])
{
    cph_sampler *s;
    must(cph_sampler_open(&s, o, V, 3, err));
    memcpy(out, logits, sizeof logits);
    cph_sample_prepare(s, out, (cph_sequence){ids, n, n_prompt});
    cph_sampler_close(s);
}

static unsigned kept(const float scores[V])
{
    unsigned mask = 0;
    for (unsigned i = 0; i < V; i++) mask |= (unsigned)(scores[i] > -INFINITY) << i;
    return mask;
}

static cph_sample_opts sampling(void)
{
    cph_sample_opts o;
    cph_sample_opts_init(&o);
    o.sample = true;
    o.top_k = 0;
    return o;
}

static void filters_keep_what_the_check_values_say(void **state)
{
    (void)state;
    float out[V];
    cph_sample_opts o = sampling();
    o.top_k = 3;
    prepared(&o, NULL, 0, 0, out);
    assert_int_equal(kept(out), 1 << 0 | 1 << 1 | 1 << 5);
    const struct { double top_p, min_p; unsigned mask; } rows[] = {
        {0.8, 0, 1 << 0 | 1 << 1 | 1 << 5}, {0.5, 0, 1 << 0 | 1 << 5},
        {1, 0.2, 1 << 0 | 1 << 1 | 1 << 5}, {1, 0.5, 1 << 0 | 1 << 5},
        {1, 0, 63}, {1e-9, 0, 1 << 0}, {1, 1, 1 << 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        o = sampling();
        o.top_p = rows[i].top_p;
        o.min_p = rows[i].min_p;
        prepared(&o, NULL, 0, 0, out);
        assert_int_equal(kept(out), rows[i].mask);
    }
}

static void a_repeated_token_is_penalised_once(void **state)
{
    (void)state;
    const uint32_t seen[] = {0, 3, 4, 0, 0};
    const float want[V] = {2.5f, 2, 1, 0, -1.2f, 2.5f};
    float out[V];
    cph_sample_opts o;
    cph_sample_opts_init(&o);
    o.repetition_penalty = 1.2;
    prepared(&o, seen, 5, 5, out);
    for (unsigned i = 0; i < V; i++) assert_true(fabsf(out[i] - want[i]) < 1e-6f);
}

static void a_repeated_bigram_and_an_early_eos_are_banned(void **state)
{
    (void)state;
    const uint32_t seq[] = {1, 2, 1, 5, 1};
    float out[V];
    cph_sample_opts o;
    cph_sample_opts_init(&o);
    o.no_repeat_ngram = 2;
    prepared(&o, seq, 5, 5, out);
    assert_int_equal(kept(out), 63 & ~(1 << 2 | 1 << 5));
    o.no_repeat_ngram = 0;
    o.min_new_tokens = 2;
    prepared(&o, seq, 5, 4, out);
    assert_int_equal(kept(out), 63 & ~(1 << 3));
    prepared(&o, seq, 5, 3, out);
    assert_int_equal(kept(out), 63);
}

static void draws_follow_the_probabilities_and_the_seed(void **state)
{
    (void)state;
    static const double p[V] = {0.4592, 0.1689, 0.0621, 0.0229, 0.0084, 0.2785};
    enum { N = 20000 };
    unsigned count[V] = {0};
    uint32_t first[16];
    static uint32_t ids[N + 1];
    cph_sample_opts o = sampling();
    o.seed = 7;
    cph_sampler *s;
    must(cph_sampler_open(&s, &o, V, -1, err));
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < N; i++) {
            uint32_t id;
            assert_true(cph_sample_pick(s, logits, (cph_sequence){ids, i, 0}, 0, &id));
            if (round == 0) count[id]++;
            if (i >= 16) continue;
            if (round == 0) first[i] = id;
            assert_int_equal(id, first[i]);
        }
    for (unsigned i = 0; i < V; i++) assert_true(fabs(count[i] / (double)N - p[i]) < 0.01);
    cph_sampler_close(s);
}

static void greedy_takes_the_lowest_id_of_equals(void **state)
{
    (void)state;
    const float flat[V] = {-INFINITY, 1, 1, NAN, 1, 0};
    const float none[V] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
    cph_sample_opts o;
    cph_sampler *s;
    uint32_t id = 99;
    cph_sample_opts_init(&o);
    must(cph_sampler_open(&s, &o, V, -1, err));
    assert_true(cph_sample_pick(s, flat, (cph_sequence){NULL, 0, 0}, 0, &id));
    assert_int_equal(id, 1);
    assert_false(cph_sample_pick(s, none, (cph_sequence){NULL, 0, 0}, 0, &id));
    cph_sampler_close(s);
}

static void options_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    cph_err err;
    for (int i = 0; i < 6; i++) {
        cph_sample_opts o;
        cph_sampler *s = NULL;
        cph_sample_opts_init(&o);
        if (i == 0) o.temperature = 0;
        if (i == 1) o.top_p = 0;
        if (i == 2) o.top_p = 1.1;
        if (i == 3) o.min_p = -0.1;
        if (i == 4) o.repetition_penalty = 0;
        if (i == 5) o.temperature = NAN;
        assert_int_equal(cph_sampler_open(&s, &o, V, -1, &err), CPH_USAGE);
        assert_null(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_keep_what_the_check_values_say),
        cmocka_unit_test(a_repeated_token_is_penalised_once),
        cmocka_unit_test(a_repeated_bigram_and_an_early_eos_are_banned),
        cmocka_unit_test(draws_follow_the_probabilities_and_the_seed),
        cmocka_unit_test(greedy_takes_the_lowest_id_of_equals),
        cmocka_unit_test(options_that_mean_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
