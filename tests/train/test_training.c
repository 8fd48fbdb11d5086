/* SPDX-License-Identifier: Apache-2.0 */
#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>
#include <colophon/base/memory.h>
#include <colophon/base/philox.h>
#include <colophon/format/safetensors.h>
#include <colophon/train/optimizer.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

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

static cph_train_opts small(const char *out)
{
    static char paths[3][CPH_PATH_MAX], outs[8][CPH_PATH_MAX];
    static unsigned turn;
    cph_train_opts o;
    cph_train_opts_init(&o);
    snprintf(paths[0], CPH_PATH_MAX, "%s", testing_path("tokens"));
    snprintf(paths[1], CPH_PATH_MAX, "%s", testing_path("tokenizer"));
    snprintf(outs[turn %= 8], CPH_PATH_MAX, "%s", testing_path(out));
    o.tokens = paths[0];
    o.tokenizer = paths[1];
    o.out = outs[turn++];
    o.n_layer = 1;
    o.n_embd = 16;
    o.n_head = 2;
    o.n_positions = 24;
    o.dropout = 0.1;
    o.steps = 20;
    o.batch = 3;
    o.lr = 1e-2;
    o.warmup = 3;
    o.save_every = 6;
    return o;
}

static cph_digest trained(const cph_train_opts *o)
{
    cph_train_result r;
    must(cph_train_run(o, &r, err));
    return r.digest;
}

static void forget(const cph_train_opts *o)
{
    char path[CPH_PATH_MAX];
    must(cph_remove_tree(o->out, err));
    snprintf(path, sizeof path, "%s.run", o->out);
    must(cph_remove_tree(path, err));
}

static cph_digest undisturbed(void)
{
    cph_train_opts o = small("undisturbed");
    cph_digest d = trained(&o);
    forget(&o);
    return d;
}

static void same(const cph_digest *a, const cph_digest *b) { assert_memory_equal(a, b, sizeof *a); }

static void the_digest_does_not_depend_on_threads_or_checkpoints(void **state)
{
    (void)state;
    cph_digest want = undisturbed();
    for (unsigned threads = 1; threads <= 5; threads += 2) {
        cph_train_opts o = small("threads");
        must(cph_pool_open(&o.pool, threads, err));
        o.save_every = threads * 2;
        o.keep_every = 4;
        o.eval_every = threads;
        cph_digest d = trained(&o);
        same(&d, &want);
        cph_pool_close(o.pool);
        forget(&o);
    }
}

static void every_identity_option_changes_the_digest(void **state)
{
    (void)state;
    cph_digest seen[32];
    size_t n = 0;
    for (int i = 0; i < 27; i++) {
        cph_train_opts o = small("options");
        o.steps = 4;
        if (i == 1) o.lr = 1.1e-2;
        if (i == 2) o.seed++;
        if (i == 3) o.dropout = 0.2;
        if (i == 4) o.batch = 2;
        if (i == 5) o.accumulate = 2;
        if (i == 6) o.seq_len = 16;
        if (i == 7) o.schedule = "linear";
        if (i == 8) o.warmup = 2;
        if (i == 9) o.warmup_offset = 1;
        if (i == 10) o.min_lr_ratio = 0.2;
        if (i == 11) o.clip = 0.5;
        if (i == 12) o.weight_decay = 0;
        if (i == 13) o.held_out = 0.3;
        if (i == 14) o.n_layer = 2;
        if (i >= 15 && i < 21) o.optimizer = cph_optimizer_text((cph_optimizer_kind)(i - 14));
        if (i == 21) o.schedule = "inverse_sqrt";
        if (i == 22) o.decay_groups = "2d";
        if (i == 23) o.skip_outliers = 3;
        if (i >= 24) o.ema = i == 24 ? 0.9 : 0.8;
        if (i == 26) o.ema_release = true;
        seen[n] = trained(&o);
        for (size_t k = 0; k < n; k++) assert_memory_not_equal(&seen[k], &seen[n], sizeof *seen);
        n++;
        forget(&o);
    }
}

static void a_sealed_model_says_what_it_read_and_verifies(void **state)
{
    (void)state;
    cph_train_opts o = small("model");
    cph_train_result r;
    o.held_out = 0.3;
    must(cph_train_run(&o, &r, err));
    assert_true(r.held_out_loss > 0 && r.loss > 0 && r.steps == 20);
    must(cph_train_verify(o.out, o.tokens, err));
    cph_manifest *m;
    must(cph_manifest_open(&m, o.out, err));
    cph_digest root, sealed, d;
    must(cph_manifest_content_root(m, &root, err));
    assert_true(cph_manifest_root(m, "content_root", &sealed));
    same(&root, &sealed);
    d = cph_manifest_digest(m);
    same(&d, &r.digest);
    assert_int_equal(cph_manifest_n_parents(m), 3);
    /* No leaf of a work that was held out. */
    char path[CPH_PATH_MAX];
    cph_set_tree *seen;
    snprintf(path, sizeof path, "%s/" CPH_SEEN_LEAVES, o.out);
    must(cph_set_tree_read(&seen, path, err));
    uint64_t tokens = 0, counted;
    assert_true(cph_set_tree_n(seen) > 3);
    for (uint64_t i = 0; i < cph_set_tree_n(seen); i++) {
        const cph_set_leaf *l = cph_set_tree_at(seen, i);
        assert_false(cph_order_is_held_out(o.seed, o.held_out, &l->wkey));
        assert_true(l->tokens > 0 && l->first_step >= 1 && l->first_step <= l->last_step &&
                    l->last_step <= 20);
        tokens += l->tokens;
    }
    assert_true(cph_manifest_count(m, "tokens", &counted));
    assert_int_equal(tokens, counted);
    cph_set_tree_close(seen);
    cph_manifest_close(m);
    forget(&o);
}

static void a_finished_run_is_found_and_another_option_is_named(void **state)
{
    (void)state;
    cph_train_opts o = small("again");
    cph_train_result r;
    cph_err err;
    cph_digest first = trained(&o);
    must(cph_train_run(&o, &r, err));
    assert_true(r.was_there);
    same(&first, &r.digest);
    o.lr = 2e-2;
    assert_int_equal(cph_train_run(&o, &r, &err), CPH_USAGE);
    assert_non_null(strstr(err.what, "lr 0.01"));
    must(cph_remove_tree(o.out, err)); /* the checkpoints remember, too */
    assert_int_equal(cph_train_run(&o, &r, &err), CPH_USAGE);
    assert_non_null(strstr(err.what, "lr 0.01"));
    assert_int_equal(cph_file_kind_of(o.out), CPH_FILE_NONE);
    o.lr = 1e-2;
    o.seed = 1;
    assert_int_equal(cph_train_run(&o, &r, &err), CPH_USAGE);
    assert_non_null(strstr(err.what, "seed"));
    forget(&o);
}

static void another_token_set_is_another_run(void **state)
{
    (void)state;
    world_doc docs[24];
    size_t n = world_docs(docs);
    cph_train_opts o = small("other");
    cph_train_result r;
    cph_err err;
    trained(&o);
    must(cph_remove_tree(o.out, err));
    docs[3].n_tokens++;
    world_tokens(testing_path("tokens2"), testing_path("corpus"), testing_path("tokenizer"), docs, n,
                 WORLD_VOCAB, 0);
    o.tokens = testing_path("tokens2");
    assert_int_equal(cph_train_run(&o, &r, &err), CPH_USAGE);
    assert_non_null(strstr(err.what, "tokens"));
    forget(&o);
}

/* ---- stopped, killed, out of disk ---- */


/* Runs in a child that is killed (9) or asked to stop (15) after some milliseconds; its exit status. */
static int run_child(const cph_train_opts *o, int sig, unsigned ms)
{
    pid_t pid = fork();
    if (pid == 0) {
        cph_train_result r;
        cph_interrupt_install();
        cph_status s = cph_train_run(o, &r, NULL);
        _exit(s == CPH_OK ? 0 : cph_status_exit(s));
    }
    int status;
    usleep(ms * 1000);
    if (sig) kill(pid, sig);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_run_killed_at_any_moment_ends_with_the_same_digest(void **state)
{
    (void)state;
    cph_train_opts o = small("killed");
    o.steps = 120;
    o.save_every = 5;
    cph_digest want = trained(&o);
    forget(&o);
    for (int round = 0; round < 3; round++) {
        unsigned kills = 0;
        while (cph_file_kind_of(o.out) == CPH_FILE_NONE && kills < 30) {
            unsigned ms = 5 + cph_philox_word(7, 1, (uint32_t)round, kills, 0) % 120;
            run_child(&o, kills % 4 == 3 ? SIGTERM : SIGKILL, ms);
            kills++;
        }
        cph_digest d = trained(&o);
        same(&d, &want);
        print_message("killed %u times\n", kills);
        forget(&o);
    }
}

static void without(const cph_train_opts *o, const char *step)
{
    char path[CPH_PATH_MAX];
    snprintf(path, sizeof path, "%s.run/step-%s", o->out, step);
    must(cph_remove_tree(path, err));
}

/* State of every kind comes back from a checkpoint: moments, factors, averages, windows of outliers. */
static void every_optimizer_goes_on_exactly(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < CPH_N_OPTIMIZERS; kind++) {
        cph_train_opts o = small("resumed");
        cph_train_result r;
        cph_buf log;
        o.optimizer = cph_optimizer_text((cph_optimizer_kind)kind);
        o.momentum = 0.9;
        o.ema = 0.9;
        o.skip_outliers = 1;
        o.steps = 180;
        o.save_every = 60;
        o.keep_last = 9;
        o.held_out = 0.3;
        cph_digest want = trained(&o);
        cph_buf_init(&log, 1 << 24);
        must(cph_file_read(testing_path("resumed/log.jsonl"), 0, &log, err));
        assert_non_null(strstr(log.p, "\"skipped\":"));
        cph_buf_release(&log);
        must(cph_remove_tree(o.out, err));
        without(&o, "00000180");
        must(cph_train_run(&o, &r, err));
        assert_int_equal(r.resumed_from, 120);
        same(&r.digest, &want);
        forget(&o);
    }
}

static void the_average_is_released_when_asked(void **state)
{
    (void)state;
    cph_train_opts o = small("average");
    cph_safetensors *model = NULL, *last = NULL;
    o.ema = 0.5;
    o.ema_release = true;
    (void)trained(&o);
    must(cph_safetensors_open(&model, testing_path("average/model.safetensors"), err));
    must(cph_safetensors_open(&last, testing_path("average.run/step-00000020/optimizer.safetensors"), err));
    const cph_st_tensor *a = cph_safetensors_find(model, CPH_STR("transformer.wte.weight"));
    const cph_st_tensor *b = cph_safetensors_find(last, CPH_STR("ema.transformer.wte.weight"));
    assert_true(a && b && a->n == b->n);
    assert_memory_equal(a->data, b->data, a->n * sizeof(float));
    cph_safetensors_close(model);
    cph_safetensors_close(last);
    forget(&o);
}

static void a_request_to_stop_leaves_a_checkpoint(void **state)
{
    (void)state;
    cph_train_opts o = small("asked");
    o.steps = 2000000; /* it will not come to its end */
    o.save_every = 0;
    assert_int_equal(run_child(&o, SIGTERM, 400), 5);
    char path[CPH_PATH_MAX];
    snprintf(path, sizeof path, "%s.run", o.out);
    assert_int_equal(cph_file_kind_of(path), CPH_FILE_DIR);
    assert_int_equal(cph_file_kind_of(o.out), CPH_FILE_NONE);
    forget(&o);
}

static void a_full_disk_anywhere_leaves_nothing_half_and_the_run_goes_on(void **state)
{
    (void)state;
    cph_digest want = undisturbed();
    cph_train_opts o = small("disk");
    unsigned failures = 0;
    for (uint64_t fail = 1; fail < 1000; fail += 1 + fail / 7) {
        cph_train_result r = {0};
        cph_err err = {0};
        forget(&o);
        cph_file_fail_at(fail);
        cph_status s = cph_train_run(&o, &r, &err);
        cph_file_fail_at(0);
        if (s == CPH_OK) break;
        failures++;
        assert_int_equal(s, CPH_IO);
        assert_non_null(strstr(err.what, "No space"));
        if (cph_file_kind_of(o.out) != CPH_FILE_NONE) { /* only the fsync of its parent failed: it is whole */
            cph_manifest *m;
            must(cph_manifest_open(&m, o.out, err));
            cph_manifest_close(m);
        }
        must(cph_train_run(&o, &r, err));
        same(&r.digest, &want);
    }
    assert_true(failures > 15);
    forget(&o);
}

static void memory_that_runs_out_is_a_sentence(void **state)
{
    (void)state;
    cph_train_opts o = small("memory");
    uint64_t before = cph_memory_in_use();
    for (uint64_t fail = 1; fail < 400; fail += 1 + fail / 10) {
        cph_train_result r;
        cph_err err = {0};
        o.steps = 2;
        o.warmup = 0;
        cph_memory_fail_at(fail);
        cph_status s = cph_train_run(&o, &r, &err);
        cph_memory_fail_at(0);
        if (s != CPH_OK && s != CPH_NOMEM) fail_msg("request %u: %s", (unsigned)fail, err.what);
        assert_int_equal(cph_memory_in_use(), before);
        forget(&o);
    }
}

static void a_damaged_checkpoint_is_passed_over(void **state)
{
    (void)state;
    cph_train_opts o = small("damaged");
    char path[CPH_PATH_MAX];
    cph_buf b;
    cph_digest want = trained(&o);
    must(cph_remove_tree(o.out, err));
    snprintf(path, sizeof path, "%s.run/step-00000020/model.safetensors", o.out);
    cph_buf_init(&b, 1 << 24);
    must(cph_file_read(path, 0, &b, err));
    b.p[b.n - 1] ^= 1;
    must(cph_file_write(path, b.p, b.n, err));
    cph_buf_release(&b);
    cph_train_result r;
    must(cph_train_run(&o, &r, err));
    assert_int_equal(r.resumed_from, 18);
    same(&r.digest, &want);
    forget(&o);
}

static void checkpoints_are_kept_as_asked(void **state)
{
    (void)state;
    cph_train_opts o = small("kept");
    o.save_every = 2;
    o.keep_last = 2;
    o.keep_every = 8;
    trained(&o);
    for (uint32_t step = 1; step <= 20; step++) {
        char path[CPH_PATH_MAX];
        snprintf(path, sizeof path, "%s.run/step-%08u", o.out, step);
        bool want = step == 8 || step == 16 || step == 18 || step == 20;
        assert_int_equal(cph_file_kind_of(path), want ? CPH_FILE_DIR : CPH_FILE_NONE);
        if (want) must(cph_train_verify(path, o.tokens, err));
    }
    forget(&o);
}

/* ---- from another model; refusals ---- */

static void training_goes_on_from_a_model_and_names_it(void **state)
{
    (void)state;
    cph_train_opts base = small("base"), o = small("further");
    char colophon[CPH_PATH_MAX];
    cph_digest parent = trained(&base), first;
    o.from = base.out;
    o.steps = 5;
    first = trained(&o);
    cph_manifest *m;
    must(cph_manifest_open(&m, o.out, err));
    bool found = false;
    for (size_t i = 0; i < cph_manifest_n_parents(m); i++) {
        cph_parent p = cph_manifest_parent_at(m, i);
        if (!cph_str_is(p.role, "base")) continue;
        found = true;
        assert_true(cph_str_is(p.kind, "model"));
        same(&p.digest, &parent);
    }
    assert_true(found);
    cph_manifest_close(m);
    forget(&o);
    snprintf(colophon, sizeof colophon, "%s/colophon.json", base.out);
    must(cph_remove_tree(colophon, err)); /* the same weights of unknown origin are another base */
    cph_digest second = trained(&o);
    assert_memory_not_equal(&first, &second, sizeof first);
    forget(&o);
    forget(&base);
}

static void accumulated_rows_give_the_gradient_of_a_large_batch(void **state)
{
    (void)state;
    cph_train_opts large = small("large"), many = small("many");
    cph_train_result a, b;
    large.dropout = many.dropout = 0;
    large.batch = 4;
    many.batch = 1;
    many.accumulate = 4;
    must(cph_train_run(&large, &a, err));
    must(cph_train_run(&many, &b, err));
    assert_true(a.loss - b.loss < 1e-4 && b.loss - a.loss < 1e-4);
    forget(&large);
    forget(&many);
}

static void a_loss_that_is_no_number_stops_the_run(void **state)
{
    (void)state;
    cph_train_opts o = small("nan");
    cph_train_result r;
    cph_err err = {0};
    o.lr = 1000;
    o.clip = 0;
    o.warmup = 0;
    o.weight_decay = 1000; /* weights grow a million times a step */
    o.schedule = "constant";
    assert_int_equal(cph_train_run(&o, &r, &err), CPH_DATA);
    assert_non_null(strstr(err.what, "step "));
    assert_int_equal(cph_file_kind_of(o.out), CPH_FILE_NONE);
    forget(&o);
}

static void what_was_not_permitted_for_training_is_refused(void **state)
{
    (void)state;
    world_doc docs[24];
    size_t n = world_docs(docs);
    cph_train_opts o = small("refused");
    cph_train_result r;
    cph_err err = {0};
    world_corpus(testing_path("corpus-search"), "search", NULL);
    world_tokens(testing_path("tokens-search"), testing_path("corpus-search"), testing_path("tokenizer"),
                 docs, n, WORLD_VOCAB, 0);
    o.tokens = testing_path("tokens-search");
    assert_int_equal(cph_train_run(&o, &r, &err), CPH_RIGHTS);
    assert_non_null(strstr(err.what, "search"));
    assert_int_equal(cph_file_kind_of(o.out), CPH_FILE_NONE);
}

static void options_that_cannot_be_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"steps", "batch",    "layers", "heads",    "lr",
                                        "beta2", "schedule", "warmup", "held-out", "seq-len"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cph_train_opts o = small("bad");
        cph_train_result r;
        cph_err err = {0};
        if (i == 0) o.steps = 0;
        if (i == 1) o.batch = 0;
        if (i == 2) o.n_layer = 0;
        if (i == 3) o.n_head = 3;
        if (i == 4) o.lr = -1;
        if (i == 5) o.beta2 = 1;
        if (i == 6) o.schedule = "sine";
        if (i == 7) o.warmup = 21;
        if (i == 8) o.held_out = 1;
        if (i == 9) o.seq_len = 25;
        assert_int_equal(cph_train_run(&o, &r, &err), CPH_USAGE);
        assert_non_null(strstr(err.what, names[i]));
        assert_int_equal(cph_file_kind_of(o.out), CPH_FILE_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_does_not_depend_on_threads_or_checkpoints),
        cmocka_unit_test(every_identity_option_changes_the_digest),
        cmocka_unit_test(a_sealed_model_says_what_it_read_and_verifies),
        cmocka_unit_test(a_finished_run_is_found_and_another_option_is_named),
        cmocka_unit_test(another_token_set_is_another_run),
        cmocka_unit_test(a_run_killed_at_any_moment_ends_with_the_same_digest),
        cmocka_unit_test(every_optimizer_goes_on_exactly),
        cmocka_unit_test(the_average_is_released_when_asked),
        cmocka_unit_test(a_request_to_stop_leaves_a_checkpoint),
        cmocka_unit_test(a_full_disk_anywhere_leaves_nothing_half_and_the_run_goes_on),
        cmocka_unit_test(memory_that_runs_out_is_a_sentence),
        cmocka_unit_test(a_damaged_checkpoint_is_passed_over),
        cmocka_unit_test(checkpoints_are_kept_as_asked),
        cmocka_unit_test(training_goes_on_from_a_model_and_names_it),
        cmocka_unit_test(accumulated_rows_give_the_gradient_of_a_large_batch),
        cmocka_unit_test(a_loss_that_is_no_number_stops_the_run),
        cmocka_unit_test(what_was_not_permitted_for_training_is_refused),
        cmocka_unit_test(options_that_cannot_be_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
