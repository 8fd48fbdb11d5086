/* SPDX-License-Identifier: Apache-2.0 */
/* Ranks as real processes: each test forks, does its work on every rank, and rank 0 judges. */
#include "testing.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <colophon/base/log.h>

#include "works.h"

/* Runs `fn` on n ranks; in rank 0 returns how it ended, the others leave here. */
static cph_status on_ranks(unsigned n, work_fn fn, void *arg, cph_err *err)
{
    cph_comm *c;
    cph_status s = cph_comm_fork(&c, n, err);
    if (s != CPH_OK) return s;
    s = fn(c, arg, err);
    s = cph_comm_end(c, s, err);
    unsigned rank = cph_comm_rank(c);
    cph_comm_close(c);
    if (rank) _exit(s == CPH_OK ? 0 : cph_status_exit(s));
    return s;
}

static void a_message_of_any_length_passes_through_all_ranks(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 262143, 262144, 262145, 3000001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (unsigned n = 2; n <= 5; n++) must(on_ranks(n, pass_round, (void *)(uintptr_t)&sizes[i], err));
}

static void everybody_gets_everybodys_part(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 8; n++) must(on_ranks(n, gather_parts, NULL, err));
}

static void sums_over_ranks_are_those_of_the_fixed_tree(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 8; n *= 2) must(on_ranks(n, sum_rounds, NULL, err));
}

static void a_number_of_ranks_that_is_no_power_of_two_has_no_tree(void **state)
{
    (void)state;
    cph_err err = {0};
    assert_int_equal(on_ranks(3, sum_rounds, NULL, &err), CPH_USAGE);
    assert_non_null(strstr(err.what, "power of two"));
}

/* ---- failures ---- */

static cph_status fail_one(cph_comm *c, void *arg, cph_err *err)
{
    unsigned who = *(unsigned *)arg;
    for (int i = 0; i < 20; i++) CPH_TRY(cph_comm_barrier(c, err));
    if (cph_comm_rank(c) == who) {
        cph_fail(err, CPH_DATA, "the ink ran out");
        return cph_hint(err, "buy ink");
    }
    return cph_comm_barrier(c, err);
}

static void a_failure_on_one_rank_reaches_all(void **state)
{
    (void)state;
    for (unsigned who = 0; who < 4; who++) {
        cph_err err = {0};
        assert_int_equal(on_ranks(4, fail_one, &who, &err), CPH_DATA);
        assert_non_null(strstr(err.what, "the ink ran out"));
        assert_string_equal(err.hint, "buy ink");
        char name[16];
        snprintf(name, sizeof name, "rank %u: ", who);
        assert_int_equal(strncmp(err.what, name, strlen(name)) == 0, who != 0);
    }
}

static cph_status die_one(cph_comm *c, void *arg, cph_err *err)
{
    unsigned who = *(unsigned *)arg;
    for (int i = 0; i < 20; i++) CPH_TRY(cph_comm_barrier(c, err));
    if (cph_comm_rank(c) == who) raise(SIGKILL);
    return cph_comm_barrier(c, err);
}

static void a_killed_rank_is_named_at_once(void **state)
{
    (void)state;
    for (unsigned who = 1; who < 4; who++) {
        cph_err err = {0};
        double began = cph_now_s();
        char name[40];
        assert_int_equal(on_ranks(4, die_one, &who, &err), CPH_IO);
        snprintf(name, sizeof name, "rank %u (process ", who);
        assert_non_null(strstr(err.what, name));
        assert_true(cph_now_s() - began < 5);
    }
}

/* Rank 0 dies: the judge has to be somebody else, here a pipe to the test. */
static cph_status rank_0_dies(cph_comm *c, void *arg, cph_err *err)
{
    int fd = *(int *)arg;
    unsigned who = 0;
    cph_status s = die_one(c, &who, err);
    char line[600];
    int n = snprintf(line, sizeof line, "%d %d %s\n", s, cph_comm_speaks(c), err->what);
    (void)!write(fd, line, (size_t)n);
    return s;
}

static void when_rank_0_dies_the_others_say_so(void **state)
{
    (void)state;
    int pair[2], how;
    char text[4096] = "";
    size_t n = 0;
    ssize_t got;
    assert_int_equal(pipe(pair), 0);
    pid_t p = fork();
    if (p == 0) {
        cph_err err = {0};
        close(pair[0]);
        cph_status s = on_ranks(3, rank_0_dies, &pair[1], &err);
        _exit(cph_status_exit(s));
    }
    close(pair[1]);
    while ((got = read(pair[0], text + n, sizeof text - 1 - n)) > 0) n += (size_t)got;
    text[n] = 0;
    close(pair[0]);
    waitpid(p, &how, 0);
    assert_true(WIFSIGNALED(how));
    unsigned lines = 0;
    for (char *at = text; (at = strstr(at, "rank 0 (process ")) != NULL; at++) lines++;
    assert_int_equal(lines, 2);
    char want[8];
    snprintf(want, sizeof want, "%d 1 ", CPH_IO);
    assert_int_equal(strncmp(text, want, strlen(want)), 0);
}

/* A rank that is deep in other work: the function ends it. */
static void leave(void *ctx, const cph_err *why)
{
    (void)ctx;
    _exit(strstr(why->what, "rank 2") ? 42 : 43);
}

static cph_status work_on(cph_comm *c, void *arg, cph_err *err)
{
    (void)arg;
    cph_comm_on_loss(c, 0.2, leave, NULL);
    CPH_TRY(cph_comm_barrier(c, err));
    if (cph_comm_rank(c) == 2) raise(SIGKILL);
    if (cph_comm_rank(c) == 1) sleep(30);
    return cph_comm_barrier(c, err);
}

static void a_rank_that_does_not_come_back_is_told(void **state)
{
    (void)state;
    cph_err err = {0};
    double began = cph_now_s();
    assert_int_equal(on_ranks(3, work_on, NULL, &err), CPH_IO);
    assert_true(cph_now_s() - began < 5);
    assert_non_null(strstr(err.what, "rank 2 (process "));
}

static cph_status sum_with_death(cph_comm *c, void *arg, cph_err *err)
{
    static float flat[200000];
    cph_span spans[2] = {{0, 100000, 0, 0}, {100000, 100000, 1, 1}};
    cph_sum *sum;
    (void)arg;
    CPH_TRY(cph_sum_open(&sum, c, (cph_layout){spans, 2}, err));
    cph_sum_begin(sum, flat);
    cph_sum_ready(sum, 1);
    if (cph_comm_rank(c) == 1) raise(SIGKILL);
    cph_sum_ready(sum, 0);
    cph_status s = cph_sum_end(sum, err);
    cph_sum_close(sum);
    return s;
}

static void a_sum_ends_when_a_rank_dies_in_it(void **state)
{
    (void)state;
    cph_err err = {0};
    assert_int_equal(on_ranks(2, sum_with_death, NULL, &err), CPH_IO);
    assert_non_null(strstr(err.what, "rank 1 ")); /* it may die before rank 0 has heard of its process */
}

static void a_transport_that_is_not_there_is_said_so(void **state)
{
    (void)state;
    cph_comm *c;
    cph_err err = {0};
    setenv("COLOPHON_PLUGINS", testing_dir(), 1);
    assert_int_equal(cph_comm_load(&c, "carrier-pigeon", &err), CPH_IO);
    assert_non_null(strstr(err.what, "libcolophon-carrier-pigeon.so"));
    assert_int_equal(cph_comm_load(&c, "../x", &err), CPH_USAGE);
    unsetenv("COLOPHON_PLUGINS");
    testing_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_of_any_length_passes_through_all_ranks),
        cmocka_unit_test(everybody_gets_everybodys_part),
        cmocka_unit_test(sums_over_ranks_are_those_of_the_fixed_tree),
        cmocka_unit_test(a_number_of_ranks_that_is_no_power_of_two_has_no_tree),
        cmocka_unit_test(a_failure_on_one_rank_reaches_all),
        cmocka_unit_test(a_killed_rank_is_named_at_once),
        cmocka_unit_test(when_rank_0_dies_the_others_say_so),
        cmocka_unit_test(a_rank_that_does_not_come_back_is_told),
        cmocka_unit_test(a_sum_ends_when_a_rank_dies_in_it),
        cmocka_unit_test(a_transport_that_is_not_there_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
