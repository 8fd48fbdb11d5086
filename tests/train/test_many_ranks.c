/* SPDX-License-Identifier: Apache-2.0 */
/* One run by several processes gives the model of one process, also when one of them is killed. */
#include <colophon/base/log.h>
#include <colophon/base/philox.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <colophon/train/optimizer.h>

#include "world.h"

static int set_up(void **state)
{
    (void)state;
    world_make();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    testing_remove();
    return 0;
}

static cph_train_opts four_slots(const char *out)
{
    static char paths[3][CPH_PATH_MAX];
    cph_train_opts o;
    cph_train_opts_init(&o);
    snprintf(paths[0], CPH_PATH_MAX, "%s", testing_path("tokens"));
    snprintf(paths[1], CPH_PATH_MAX, "%s", testing_path("tokenizer"));
    snprintf(paths[2], CPH_PATH_MAX, "%s", testing_path(out));
    o.tokens = paths[0];
    o.tokenizer = paths[1];
    o.out = paths[2];
    o.n_layer = 2;
    o.n_embd = 16;
    o.n_head = 2;
    o.n_positions = 24;
    o.dropout = 0.1;
    o.steps = 12;
    o.batch = 2;
    o.accumulate = 6; /* 1, 2, 1 and 2 micro-batches a slot */
    o.slots = 4;
    o.lr = 1e-2;
    o.warmup = 3;
    o.save_every = 3;
    o.held_out = 0.2;
    o.eval_every = 5;
    return o;
}

static void forget(const cph_train_opts *o)
{
    char path[CPH_PATH_MAX];
    must(cph_remove_tree(o->out, err));
    snprintf(path, sizeof path, "%s.run", o->out);
    must(cph_remove_tree(path, err));
}

typedef struct outcome {
    cph_status status;
    cph_train_result result;
    cph_err err;
} outcome;

/* `change` may set another option on one rank; `kill_rank` sends itself away after a while. */
typedef struct trouble {
    unsigned rank;
    unsigned kill_after_us;
    double lr;
} trouble;

static void leave_later(unsigned us)
{
    pid_t victim = getpid(), p = fork();
    if (p) return;
    usleep(us);
    kill(victim, SIGKILL);
    _exit(0);
}

static void on_loss(void *ctx, const cph_err *why)
{
    (void)ctx, (void)why;
    _exit(5);
}

/* Everything happens in a process of its own, which may be killed; how it ended comes through a pipe. */
static outcome trained_by(unsigned n, cph_train_opts o, const trouble *t)
{
    int pair[2], how;
    outcome out = {.status = CPH_N_STATUSES};
    assert_int_equal(pipe(pair), 0);
    pid_t p = fork();
    if (p == 0) {
        cph_comm *c = NULL;
        outcome mine = {.status = CPH_OK};
        mine.status = cph_comm_fork(&c, n, &mine.err);
        cph_comm_on_loss(c, 1, on_loss, NULL);
        unsigned rank = cph_comm_rank(c);
        if (t && t->rank == rank && t->kill_after_us) leave_later(t->kill_after_us);
        if (t && t->rank == rank && t->lr > 0) o.lr = t->lr;
        o.comm = c;
        if (mine.status == CPH_OK) mine.status = cph_train_run(&o, &mine.result, &mine.err);
        mine.status = cph_comm_end(c, mine.status, &mine.err);
        if (cph_comm_speaks(c)) (void)!write(pair[1], &mine, sizeof mine);
        cph_comm_close(c);
        _exit(cph_status_exit(mine.status));
    }
    close(pair[1]);
    (void)!read(pair[0], &out, sizeof out);
    close(pair[0]);
    waitpid(p, &how, 0);
    return out;
}

static cph_digest alone(void)
{
    cph_train_opts o = four_slots("alone");
    outcome out = trained_by(1, o, NULL);
    assert_int_equal(out.status, CPH_OK);
    must(cph_train_verify(o.out, o.tokens, err));
    forget(&o);
    return out.result.digest;
}

static void the_digest_does_not_depend_on_ranks(void **state)
{
    (void)state;
    cph_digest want = alone();
    for (unsigned n = 2; n <= 4; n *= 2) {
        cph_train_opts o = four_slots("ranks");
        outcome out = trained_by(n, o, NULL);
        if (out.status != CPH_OK) fail_msg("%u ranks: %s", n, out.err.what);
        assert_memory_equal(&out.result.digest, &want, sizeof want);
        must(cph_train_verify(o.out, o.tokens, err));
        forget(&o);
    }
}

/* Some tensors are not cut; an average changes hands for each evaluation and is sealed at the end. */
static void every_optimizer_is_shared_out_without_a_trace(void **state)
{
    (void)state;
    for (cph_optimizer_kind kind = 0; kind < CPH_N_OPTIMIZERS; kind++) {
        cph_digest want = {0};
        for (unsigned n = 1; n <= 4; n *= 2) {
            cph_train_opts o = four_slots("optimizer");
            o.optimizer = cph_optimizer_text(kind);
            o.n_embd = 128; /* a matrix of 128 x 128 has factors in every kind of Adafactor */
            o.steps = 4;
            o.save_every = n; /* going through rank 0 at any step */
            o.eval_every = 2;
            o.lr = kind == CPH_OPTIMIZER_SGD ? 0.1 : 1e-3;
            o.ema = 0.5;
            o.ema_release = true;
            outcome out = trained_by(n, o, NULL);
            if (out.status != CPH_OK) fail_msg("%s, %u ranks: %s", o.optimizer, n, out.err.what);
            if (n == 1) want = out.result.digest;
            assert_memory_equal(&out.result.digest, &want, sizeof want);
            forget(&o);
        }
    }
}

static void slots_are_a_choice_of_the_model(void **state)
{
    (void)state;
    cph_train_opts o = four_slots("slots");
    o.slots = 1;
    cph_digest four = alone();
    outcome one = trained_by(1, o, NULL);
    assert_int_equal(one.status, CPH_OK);
    assert_memory_not_equal(&one.result.digest, &four, sizeof four);
    o.slots = 2;
    outcome other = trained_by(1, o, NULL);
    assert_int_equal(other.status, CPH_USAGE);
    assert_non_null(strstr(other.err.what, "slots"));
    forget(&o);
    outcome ranks = trained_by(4, o, NULL);
    assert_int_equal(ranks.status, CPH_USAGE);
    assert_non_null(strstr(ranks.err.what, "4 ranks cannot share 2 slots"));
    o.slots = 8;
    assert_int_equal(trained_by(1, o, NULL).status, CPH_USAGE);
    o.slots = 3;
    assert_int_equal(trained_by(1, o, NULL).status, CPH_USAGE);
}

static void a_rank_that_means_another_run_is_named(void **state)
{
    (void)state;
    cph_train_opts o = four_slots("other");
    outcome out = trained_by(4, o, &(trouble){.rank = 2, .lr = 0.02});
    assert_int_equal(out.status, CPH_USAGE);
    assert_non_null(strstr(out.err.what, "rank 2"));
    assert_non_null(strstr(out.err.what, "options.lr"));
    assert_int_equal(cph_file_kind_of(o.out), CPH_FILE_NONE);
}

/* Whoever is killed, whenever: the rest ends soon and says who, and any number of ranks goes on from there. */
static void a_killed_rank_changes_nothing_but_the_time(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)getpid();
    cph_digest want = alone();
    unsigned kills = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (uint32_t i = 0; i < 8; i++) {
        cph_train_opts o = four_slots("killed");
        unsigned n = 2u << cph_philox_word(seed, 1, i, 0, 0) % 2;
        trouble t = {.rank = cph_philox_word(seed, 2, i, 0, 0) % n,
                     .kill_after_us = 1000 + cph_philox_word(seed, 3, i, 0, 0) % 60000};
        double began = cph_now_s();
        outcome out = trained_by(n, o, &t);
        assert_true(cph_now_s() - began < 10);
        if (out.status != CPH_OK) {
            char name[40];
            snprintf(name, sizeof name, "rank %u ", t.rank);
            if (t.rank) assert_non_null(strstr(out.err.what, name)); /* of rank 0 one of the others wrote */
            kills++;
        }
        outcome on = trained_by(1u << cph_philox_word(seed, 4, i, 0, 0) % 3, o, NULL);
        if (on.status != CPH_OK) fail_msg("going on: %s", on.err.what);
        assert_memory_equal(&on.result.digest, &want, sizeof want);
        forget(&o);
    }
    print_message("%u of 8 runs were hit\n", kills);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_does_not_depend_on_ranks),
        cmocka_unit_test(every_optimizer_is_shared_out_without_a_trace),
        cmocka_unit_test(slots_are_a_choice_of_the_model),
        cmocka_unit_test(a_rank_that_means_another_run_is_named),
        cmocka_unit_test(a_killed_rank_changes_nothing_but_the_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
