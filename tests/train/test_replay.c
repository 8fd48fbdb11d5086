/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An auditor against a forger. The forger trains on one token set and publishes another
 * in which one document was exchanged, with order, seen works, checkpoints and model
 * sealed anew so that every tree fits: only the weights remember what was read.
 */
#include <colophon/base/memory.h>
#include <colophon/base/philox.h>
#include <colophon/train/replay.h>

#include "world.h"

enum { T = 32, DOC_MAX = 30 };

static uint32_t n_docs; /* each fits into a row */

static uint32_t doc_len(uint32_t d) { return 13 + d * 7 % (DOC_MAX - 12); }

static int set_up(void **state)
{
    static world_doc docs[2000];
    (void)state;
    uint32_t rows = getenv("COLOPHON_LONG") ? 1000 : 100;
    n_docs = rows + rows * 3 / 5; /* rows of one or two documents: an epoch is longer than the run */
    for (uint32_t d = 0; d < n_docs; d++)
        docs[d] = (world_doc){.work = d, .document = d, .n_tokens = doc_len(d)};
    world_corpus(testing_path("corpus"), "train-internal", NULL);
    world_tokenizer(testing_path("tokenizer"), NULL);
    world_tokens(testing_path("tokens"), testing_path("corpus"), testing_path("tokenizer"), docs, n_docs,
                 WORLD_VOCAB, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    testing_remove();
    return 0;
}

/* A path below the test's directory, that stays. */
static const char *at(const char *name)
{
    static char paths[32][CPH_PATH_MAX];
    const char *path = testing_path(name);
    unsigned i = 0;
    while (i < 31 && paths[i][0] && strcmp(paths[i], path) != 0) i++;
    assert_true(i < 31);
    snprintf(paths[i], sizeof paths[i], "%s", path);
    return paths[i];
}

/* A run with 20 (10) checkpoints, all kept. */
static cph_train_opts run_opts(const char *out, const char *tokens)
{
    bool full = getenv("COLOPHON_LONG") != NULL;
    cph_train_opts o;
    cph_train_opts_init(&o);
    o.out = at(out);
    o.tokens = at(tokens);
    o.tokenizer = at("tokenizer");
    o.n_layer = 1;
    o.n_embd = 32;
    o.n_head = 2;
    o.n_positions = T;
    o.dropout = 0.1;
    o.batch = 1;
    o.lr = 1e-2;
    o.steps = full ? 1000 : 100;
    o.save_every = full ? 50 : 10;
    o.keep_every = o.save_every;
    return o;
}

static void trained(const cph_train_opts *o)
{
    cph_train_result r;
    must(cph_train_run(o, &r, err));
}

static void forget(const cph_train_opts *o)
{
    char path[CPH_PATH_MAX];
    must(cph_remove_tree(o->out, err));
    snprintf(path, sizeof path, "%s.run", o->out);
    must(cph_remove_tree(path, err));
}

static cph_status audit(const cph_train_opts *o, uint32_t n, uint64_t seed, cph_arena *a,
                        cph_replay_report *r, cph_err *err)
{
    cph_replay_opts q = {.model = o->out, .tokens = o->tokens, .base = o->from, .n = n, .seed = seed};
    return cph_train_replay(&q, a, r, err);
}

/* Every segment computed again; the report must be without a finding. */
static void holds(const cph_train_opts *o, uint32_t n_segments, uint32_t n_gaps)
{
    cph_arena a;
    cph_replay_report r;
    cph_arena_init(&a, 0);
    must(audit(o, UINT32_MAX, 1, &a, &r, err));
    assert_int_equal(r.n_segments, n_segments);
    assert_int_equal(r.n_drawn, n_segments);
    assert_int_equal(r.n_gaps, n_gaps);
    for (uint32_t i = 0; i < r.n_segments; i++) {
        if (r.segments[i].differs) fail_msg("segment %u: %s", i, r.segments[i].what.p);
        assert_true(r.segments[i].drawn && r.segments[i].linked);
    }
    assert_int_equal(r.n_differ, 0);
    assert_false(r.model_differs);
    cph_arena_release(&a);
}

/* ---- the forger ---- */

static void copy_doc(cph_tokwrite *w, const cph_tokens *t, uint64_t i, bool exchange, cph_set_leaf *leaf)
{
    static uint32_t ids[100000];
    cph_token_doc d = cph_tokens_doc(t, i);
    cph_tokens_copy(t, i, 0, d.n_tokens, ids);
    if (exchange) {
        d.wkey = key_of("another work", i);
        d.dkey = key_of("another document", i);
        for (uint32_t k = 0; k < d.n_tokens; k++) ids[k] = (ids[k] + 1 + k % 50) % 256;
    }
    must(cph_tokwrite_add(w, &d, ids, err));
    *leaf = (cph_set_leaf){.wkey = d.wkey, .dkey = d.dkey, .text = key_of(exchange ? "other" : "text", i),
                           .decision = key_of("decision", i)};
}

/* The token set `from` with document `doc` exchanged for another of as many tokens, sealed. */
static void forge_tokens(const char *dir, const char *from, uint64_t doc)
{
    static const cph_str classes[2] = {{"PD", 2}, {"ECL(NO-PRESS)", 13}}, sources[1] = {{"mets", 4}};
    char path[CPH_PATH_MAX];
    cph_tokens *t;
    cph_manifest *corpus;
    cph_set_tree *tree;
    cph_tokwrite w;
    cph_digest digest;
    must(cph_mkdirs(dir, err));
    must(cph_tokens_open(&t, from, err));
    must(cph_manifest_open(&corpus, testing_path("corpus"), err));
    must(cph_set_tree_new(&tree, err));
    cph_digest td = cph_tokens_tokenizer(t), cd = cph_tokens_corpus(t);
    cph_tokwrite_init(&w, dir, WORLD_VOCAB, &td, &cd);
    for (uint64_t i = 0; i < cph_tokens_n_docs(t); i++) {
        cph_set_leaf leaf;
        copy_doc(&w, t, i, i == doc, &leaf);
        must(cph_set_tree_add(tree, &leaf, err));
    }
    must(cph_tokwrite_close(&w, err));
    must(cph_set_tree_finish(tree, err));
    must(cph_path_join(path, dir, CPH_TOKENS_LEAVES, err));
    must(cph_set_tree_write(tree, path, err));
    cph_tokens_facts f = {.corpus_manifest = corpus, .corpus_path = testing_path("corpus"),
                          .tokenizer_path = testing_path("tokenizer"), .classes = classes, .n_classes = 2,
                          .sources = sources, .n_sources = 1, .vocab = WORLD_VOCAB,
                          .set_root = cph_set_tree_root(tree), .set_size = cph_set_tree_n(tree)};
    must(cph_tokens_seal(&w, &f, &digest, err));
    cph_set_tree_close(tree);
    cph_manifest_close(corpus);
    cph_tokens_close(t);
}

static void open_forger(cph_trainer *t, const cph_train_opts *o)
{
    *t = (cph_trainer){.o = *o, .pool = o->pool, .eos = WORLD_EOS, .log_file = {.fd = -1}};
    snprintf(t->run_dir, sizeof t->run_dir, "%s.run", o->out);
    cph_buf_init(&t->log, 1 << 20);
    must(cph_mkdirs(t->run_dir, err));
    must(cph_trainer_open_tokens(t, err));
    must(cph_tokenizer_open(&t->tokenizer, o->tokenizer, err));
    must(cph_trainer_new_model(t, WORLD_VOCAB, err));
    cph_arith arith;
    must(cph_train_arith(o, &arith, err));
    must(cph_model_set_arith(t->model, arith, err));
    must(cph_trainer_open_order(t, err));
    must(cph_trainer_allocate(t, err));
}

/* Weights and moments of an honest run under papers that name the forged token set. `spoil`: at this
 * step a weight is changed, too. */
static void forge_run(const cph_train_opts *honest, const cph_train_opts *forged, uint32_t spoil)
{
    cph_trainer t;
    cph_digest digest;
    uint32_t *steps;
    size_t n;
    char run[CPH_PATH_MAX], dir[CPH_PATH_MAX];
    open_forger(&t, forged);
    snprintf(run, sizeof run, "%s.run", honest->out);
    must(cph_checkpoint_list(run, &steps, &n, err));
    for (size_t i = 0; i < n; i++) {
        cph_progress_state at;
        cph_segment segment;
        must(cph_checkpoint_path(run, steps[i], dir, err));
        must(cph_checkpoint_read(dir, &at, &segment, err));
        for (; t.at.step < steps[i]; t.at.step++) cph_train_feed(&t);
        must(cph_checkpoint_arrays(&t, dir, err));
        if (steps[i] == spoil) cph_model_weights(t.model)[7] += 0.5f;
        t.at.loss = at.loss;
        t.segment_first = segment.first_step - 1;
        t.segment_before = segment.digest_before;
        must(cph_checkpoint_save(&t, err));
    }
    must(cph_mkdirs(forged->out, err));
    must(cph_model_files(&t, forged->out, err));
    must(cph_model_seal(&t, forged->out, &digest, err));
    cph_free(steps);
    cph_trainer_release(&t);
}

/* The step in which a document was fed. */
static uint32_t step_of(const cph_train_opts *o, const cph_digest *dkey)
{
    char path[CPH_PATH_MAX];
    cph_set_tree *seen;
    uint32_t step = 0;
    must(cph_path_join(path, o->out, CPH_SEEN_LEAVES, err));
    must(cph_set_tree_read(&seen, path, err));
    for (uint64_t i = 0; i < cph_set_tree_n(seen); i++) {
        const cph_set_leaf *l = cph_set_tree_at(seen, i);
        if (cph_digest_cmp(&l->dkey, dkey) != 0) continue;
        assert_true(l->first_step == l->last_step);
        step = (uint32_t)l->first_step;
    }
    cph_set_tree_close(seen);
    return step;
}

static void one_trial(const cph_train_opts *honest, uint32_t doc)
{
    cph_train_opts forged = run_opts("forged", "forged-tokens");
    cph_arena a;
    cph_replay_report r;
    cph_digest dkey = key_of("another document", doc);
    forge_tokens(forged.tokens, honest->tokens, doc);
    forge_run(honest, &forged, 0);
    must(cph_train_verify(forged.out, forged.tokens, err)); /* every tree fits */
    uint32_t step = step_of(&forged, &dkey), bad = (step - 1) / forged.save_every;
    cph_arena_init(&a, 0);
    must(audit(&forged, UINT32_MAX, doc, &a, &r, err));
    assert_int_equal(r.n_segments, forged.steps / forged.save_every);
    for (uint32_t i = 0; i < r.n_segments; i++) {
        assert_true(r.segments[i].drawn && r.segments[i].linked);
        if (r.segments[i].differs != (i == bad))
            fail_msg("document %u, fed in step %u: segment %u: %s", doc, step, i,
                     r.segments[i].differs ? r.segments[i].what.p : "agrees");
    }
    assert_int_equal(r.n_differ, 1);
    assert_non_null(strstr(r.segments[bad].what.p, "weights of transformer.wte.weight"));
    cph_arena_release(&a);
    forget(&forged);
    must(cph_remove_tree(forged.tokens, err));
}

static void an_exchanged_document_is_found_in_the_segment_that_fed_it_and_nowhere_else(void **state)
{
    (void)state;
    cph_train_opts honest = run_opts("honest", "tokens");
    unsigned wanted = getenv("COLOPHON_LONG") ? 20 : 3, done = 0;
    trained(&honest);
    holds(&honest, honest.steps / honest.save_every, 0);
    for (uint32_t k = 0; done < wanted; k++) {
        uint32_t doc = cph_philox_word(9, 1, 0, 0, k) % n_docs;
        cph_digest dkey = key_of("document", doc);
        if (!step_of(&honest, &dkey)) continue; /* the run ends before the epoch does */
        one_trial(&honest, doc);
        done++;
    }
    print_message("%u of %u exchanged documents were found in their segment alone\n", done, wanted);
    forget(&honest);
}

/* ---- honest runs, whatever happened to them ---- */

static void a_draw_is_repeated_by_its_seed_and_says_what_it_looked_at(void **state)
{
    (void)state;
    cph_train_opts o = run_opts("drawn", "tokens");
    cph_arena a;
    cph_replay_report r, again;
    bool other = false;
    trained(&o);
    cph_arena_init(&a, 0);
    must(audit(&o, 3, 11, &a, &r, err));
    assert_int_equal(r.n_drawn, 3);
    assert_int_equal(r.seed, 11);
    assert_int_equal(r.n_differ, 0);
    must(audit(&o, 3, 11, &a, &again, err));
    unsigned n = 0;
    for (uint32_t i = 0; i < r.n_segments; i++) {
        assert_int_equal(r.segments[i].first_step, i * o.save_every + 1);
        assert_int_equal(r.segments[i].last_step, (i + 1) * o.save_every);
        assert_int_equal(r.segments[i].drawn, again.segments[i].drawn);
        assert_true(r.segments[i].linked);
        n += r.segments[i].drawn;
    }
    assert_int_equal(n, 3);
    for (uint64_t seed = 12; seed < 20; seed++) {
        must(audit(&o, 3, seed, &a, &again, err));
        for (uint32_t i = 0; i < r.n_segments; i++) other |= r.segments[i].drawn != again.segments[i].drawn;
    }
    assert_true(other);
    cph_arena_release(&a);
    forget(&o);
}

static void every_kind_of_run_can_be_replayed(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        cph_train_opts o = run_opts("kinds", "tokens");
        o.steps = 20;
        o.save_every = o.keep_every = 5;
        if (i == 1) o.accumulate = 3;
        if (i == 2) o.held_out = 0.4, o.eval_every = 3;
        if (i == 3) o.schedule = "linear", o.warmup_offset = 1, o.warmup = 4;
        if (i == 4) o.batch = 8, o.steps = 60, o.save_every = o.keep_every = 20; /* more than one epoch */
        if (i == 6) o.accumulate = 5, o.slots = 4;
        if (i == 7) o.dtype = "fp32";
        if (i == 8) o.arith = "bf16-fma";
        if (i == 9) o.ema = 0.8, o.ema_release = true, o.optimizer = "muon";
        if (i == 10) o.optimizer = "adafactor";
        if (i == 11) o.schedule = "warmup_stable_decay", o.optimizer = "sgd", o.momentum = 0.5, o.nesterov = true;
        if (i == 5) o.seq_len = T / 2, o.clip = 0, o.seed = 18446744073709551615u;
        trained(&o);
        holds(&o, i == 4 ? 3 : 4, 0);
        cph_arena a;
        cph_replay_report r;
        cph_pool *pool;
        cph_arena_init(&a, 0);
        must(cph_pool_open(&pool, 3, err));
        cph_replay_opts q = {.model = o.out, .tokens = o.tokens, .n = 9, .pool = pool};
        must(cph_train_replay(&q, &a, &r, err));
        assert_int_equal(r.n_differ, 0);
        cph_pool_close(pool);
        cph_arena_release(&a);
        forget(&o);
    }
}

/* A segment that is computed after one that is not takes the window of outliers from the checkpoint between them. */
static void a_run_that_skips_outliers_can_be_replayed_anywhere(void **state)
{
    (void)state;
    cph_train_opts o = run_opts("skips", "tokens");
    cph_arena a;
    cph_replay_report r;
    o.skip_outliers = 1;
    o.steps = 180;
    o.save_every = o.keep_every = 30;
    trained(&o);
    holds(&o, 6, 0);
    cph_arena_init(&a, 0);
    for (uint64_t seed = 0; seed < 8; seed++) {
        must(audit(&o, 1, seed, &a, &r, err));
        assert_int_equal(r.n_differ, 0);
    }
    cph_arena_release(&a);
    forget(&o);
}

static void where_checkpoints_were_removed_a_segment_is_long_but_can_be_replayed(void **state)
{
    (void)state;
    cph_train_opts o = run_opts("pruned", "tokens");
    o.steps = 30;
    o.save_every = 5;
    o.keep_every = 0;
    o.keep_last = 2;
    trained(&o);
    holds(&o, 2, 1); /* 1-25, 26-30 */
    forget(&o);
    o.keep_every = 20;
    o.keep_last = 1;
    trained(&o);
    holds(&o, 2, 2); /* 1-20, 21-30 */
    forget(&o);
}

static void a_resumed_run_is_the_same_run(void **state)
{
    (void)state;
    cph_train_opts o = run_opts("resumed", "tokens");
    char path[CPH_PATH_MAX];
    o.steps = 20;
    o.save_every = o.keep_every = 5;
    trained(&o);
    /* As after a kill at step 13, with another spacing from there on. */
    must(cph_remove_tree(o.out, err));
    for (uint32_t step = 15; step <= 20; step += 5) {
        snprintf(path, sizeof path, "%s.run/step-%08u", o.out, step);
        must(cph_remove_tree(path, err));
    }
    o.save_every = 3;
    o.keep_last = 99;
    trained(&o);
    holds(&o, 6, 0); /* 5 10 12 15 18 20 */
    forget(&o);
}

static void a_run_from_a_model_starts_from_it(void **state)
{
    (void)state;
    cph_train_opts base = run_opts("base", "tokens"), o = run_opts("further", "tokens");
    cph_arena a;
    cph_replay_report r;
    cph_err err = {0};
    base.steps = o.steps = 10;
    o.save_every = o.keep_every = 5;
    trained(&base);
    o.from = base.out;
    trained(&o);
    holds(&o, 2, 0);
    cph_arena_init(&a, 0);
    cph_train_opts wrong = o;
    wrong.from = NULL;
    assert_int_equal(audit(&wrong, 1, 1, &a, &r, &err), CPH_USAGE);
    assert_non_null(strstr(err.what, "started from colophon:model:"));
    wrong.from = o.out;
    assert_int_equal(audit(&wrong, 1, 1, &a, &r, &err), CPH_USAGE);
    assert_non_null(strstr(err.what, "is not the model from which"));
    cph_arena_release(&a);
    forget(&o);
    forget(&base);
}

/* ---- what is not honest, or not whole ---- */

static void a_weight_that_was_changed_by_hand_breaks_two_segments_and_the_link(void **state)
{
    (void)state;
    cph_train_opts honest = run_opts("straight", "tokens"), bent = run_opts("bent", "tokens");
    cph_arena a;
    cph_replay_report r;
    trained(&honest);
    uint32_t at = 2 * honest.save_every;
    forge_run(&honest, &bent, at);
    cph_arena_init(&a, 0);
    must(audit(&bent, UINT32_MAX, 1, &a, &r, err));
    for (uint32_t i = 0; i < r.n_segments; i++) assert_int_equal(r.segments[i].differs, i == 1 || i == 2);
    assert_non_null(strstr(r.segments[1].what.p, "weights of "));
    assert_non_null(strstr(r.segments[2].what.p, "digest_before"));
    uint64_t seed = 0; /* a draw of neither sees the broken link all the same */
    do must(audit(&bent, 1, seed++, &a, &r, err));
    while (r.segments[1].drawn || r.segments[2].drawn);
    assert_int_equal(r.n_differ, 1);
    assert_true(r.segments[2].differs && !r.segments[2].drawn);
    cph_arena_release(&a);
    forget(&honest);
    forget(&bent);
}

static void a_model_that_is_not_the_last_checkpoint_is_found(void **state)
{
    (void)state;
    cph_train_opts o = run_opts("released", "tokens"), other = run_opts("swapped", "tokens");
    char path[CPH_PATH_MAX];
    cph_arena a;
    cph_replay_report r;
    cph_err err = {0};
    o.steps = other.steps = 10;
    o.save_every = o.keep_every = 5;
    trained(&o);
    snprintf(path, sizeof path, "%s.run", o.out);
    forge_run(&o, &other, 10);
    cph_arena_init(&a, 0);
    cph_replay_opts q = {.model = other.out, .tokens = o.tokens, .run = path, .n = 2};
    must(cph_train_replay(&q, &a, &r, err));
    assert_int_equal(r.n_differ, 0);
    assert_true(r.model_differs);
    assert_non_null(strstr(r.model_what.p, "weights"));
    must(cph_remove_tree(at("released.run/step-00000010"), err));
    assert_int_equal(cph_train_replay(&q, &a, &r, &err), CPH_NO);
    assert_non_null(strstr(err.what, "has no checkpoint of step 10"));
    must(cph_remove_tree(path, err));
    assert_int_equal(cph_train_replay(&q, &a, &r, &err), CPH_USAGE);
    assert_non_null(strstr(err.what, "no run is there"));
    cph_arena_release(&a);
    forget(&o);
    forget(&other);
}

static void flip(const char *path)
{
    cph_buf b;
    cph_buf_init(&b, 1 << 24);
    must(cph_file_read(path, 0, &b, err));
    b.p[b.n / 2] ^= 1;
    must(cph_file_write(path, b.p, b.n, err));
    cph_buf_release(&b);
}

static void a_damaged_checkpoint_is_named_and_the_rest_is_replayed(void **state)
{
    (void)state;
    static const char *const files[] = {"model.safetensors", "optimizer.safetensors", "trainer_state.json",
                                        "segment.json", "seen.leaves.zst", "config.json", "colophon.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        cph_train_opts o = run_opts("hurt", "tokens");
        char path[CPH_PATH_MAX];
        cph_arena a;
        cph_replay_report r;
        o.steps = 20;
        o.save_every = o.keep_every = 5;
        trained(&o);
        snprintf(path, sizeof path, "%s.run/step-00000010/%s", o.out, files[i]);
        flip(path);
        cph_arena_init(&a, 0);
        must(audit(&o, 99, 1, &a, &r, err));
        for (uint32_t k = 0; k < 4; k++) assert_int_equal(r.segments[k].differs, k == 1 || k == 2);
        assert_non_null(strstr(r.segments[1].what.p, files[i]));
        assert_non_null(strstr(r.segments[2].what.p, "not whole"));
        assert_false(r.model_differs);
        cph_arena_release(&a);
        forget(&o);
    }
}

/* ---- refusals ---- */

/* Seals the model anew with one text of its identity changed; `published`: as a copy that tells no more
 * of its run than the toolkit. */
static void reseal(const char *dir, bool published, const char *object, const char *key, const char *value)
{
    cph_manifest *m;
    cph_arena a;
    cph_json *identity, *run;
    cph_digest d;
    cph_arena_init(&a, 0);
    must(cph_manifest_open(&m, dir, err));
    must(cph_json_copy(&identity, &a, cph_manifest_identity(m), NULL, err));
    cph_json *in = object ? (cph_json *)(uintptr_t)cph_json_get(identity, object) : identity;
    if (key) must(cph_json_set_str(in, &a, key, cph_str_of(value), err));
    must(cph_run_new(&run, &a, 0, err));
    if (published) {
        must(cph_json_new(&run, &a, CPH_JSON_OBJECT, err));
        must(cph_json_set_str(run, &a, "toolkit", CPH_STR("colophon"), err));
    }
    static const char *const private_files[] = {CPH_SEEN_LEAVES, NULL};
    cph_seal seal = {.kind = "model", .identity = identity, .run = run, .content_root = true,
                     .private_files = private_files};
    must(cph_seal_write(dir, &a, &seal, &d, err));
    cph_manifest_close(m);
    cph_arena_release(&a);
}

static void other_bits_are_refused_and_not_called_fraud(void **state)
{
    (void)state;
    static const struct {
        const char *object, *key, *value, *words;
        cph_status status;
    } cases[] = {
        {"versions", "numerics", "999", "not reported as fraud: it was trained with numerics 999", CPH_IO},
        {NULL, "arith", "onednn-3", "refused, not reported as fraud", CPH_IO},
        /* no family is stated, or there are no such kernels */
        {NULL, "arith", "bf16-dot", "refused, not reported as fraud", CPH_IO},
        {NULL, "seed", "x", "no seed", CPH_DATA},
        {"options", "batch", "70000", "batch", CPH_USAGE},
        {"options", "lr", "much", "the option lr cannot be much", CPH_DATA},
        {"options", "new-thing", "1", "cannot remake", CPH_DATA},
        {NULL, "as_of", "1999-01-01", "cannot remake", CPH_DATA},
        {"options", "positions", "64", "config.json is not the one", CPH_NO},
        {"options", "dropout", "0.5", "config.json is not the one", CPH_NO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cph_train_opts o = run_opts("odd", "tokens");
        cph_arena a;
        cph_replay_report r;
        cph_err err = {0};
        o.steps = 2;
        o.warmup = 0;
        o.dtype = "fp32";
        trained(&o);
        reseal(o.out, false, cases[i].object, cases[i].key, cases[i].value);
        cph_arena_init(&a, 0);
        cph_status s = audit(&o, 1, 1, &a, &r, &err);
        if (s != cases[i].status || !strstr(err.what, cases[i].words))
            fail_msg("%s %s: %s: %s", cases[i].key, cases[i].value, cph_status_name(s), err.what);
        cph_arena_release(&a);
        forget(&o);
    }
}

static void a_published_copy_without_its_leaves_is_replayed(void **state)
{
    (void)state;
    cph_train_opts o = run_opts("public", "tokens");
    char dir[CPH_PATH_MAX], run[CPH_PATH_MAX], leaves[CPH_PATH_MAX];
    o.steps = 15;
    o.save_every = o.keep_every = 5;
    trained(&o);
    snprintf(run, sizeof run, "%s.run", o.out);
    for (uint32_t step = 0; step <= o.steps; step += 5) {
        if (step) must(cph_checkpoint_path(run, step, dir, err));
        else snprintf(dir, sizeof dir, "%s", o.out);
        reseal(dir, true, NULL, NULL, NULL);
        must(cph_path_join(leaves, dir, CPH_SEEN_LEAVES, err));
        must(cph_remove_tree(leaves, err));
    }
    holds(&o, 3, 0);
    forget(&o);
}

static void another_or_a_damaged_token_set_is_refused(void **state)
{
    (void)state;
    cph_train_opts o = run_opts("mine", "tokens"), other = o;
    cph_arena a;
    cph_replay_report r;
    cph_err err = {0};
    char path[CPH_PATH_MAX];
    o.steps = 2;
    o.warmup = 0;
    trained(&o);
    other.tokens = at("other-tokens");
    forge_tokens(other.tokens, o.tokens, 3);
    cph_arena_init(&a, 0);
    assert_int_equal(audit(&other, 1, 1, &a, &r, &err), CPH_USAGE);
    assert_non_null(strstr(err.what, "is not the token set that"));
    other.out = at("mine-2");
    other.steps = 2;
    other.warmup = 0;
    trained(&other);
    snprintf(path, sizeof path, "%s/tokens-00000.tok", other.tokens);
    cph_buf b; /* a token, not the table */
    cph_buf_init(&b, 1 << 24);
    must(cph_file_read(path, 0, &b, err));
    b.p[CPH_TOKENS_HEADER + 100] ^= 1;
    must(cph_file_write(path, b.p, b.n, err));
    cph_buf_release(&b);
    assert_int_equal(audit(&other, 1, 1, &a, &r, &err), CPH_DATA);
    assert_non_null(strstr(err.what, "tokens-00000.tok"));
    assert_int_equal(audit(&o, 0, 1, &a, &r, &err), CPH_USAGE);
    cph_arena_release(&a);
    forget(&o);
    forget(&other);
    must(cph_remove_tree(other.tokens, err));
}

static void memory_that_runs_out_during_a_replay_is_a_sentence(void **state)
{
    (void)state;
    cph_train_opts o = run_opts("memory", "tokens");
    o.steps = 4;
    o.warmup = 0;
    o.save_every = o.keep_every = 2;
    trained(&o);
    uint64_t before = cph_memory_in_use();
    bool through = false;
    for (uint64_t fail = 1; !through && fail < 100000; fail += 1 + fail / 10) {
        cph_arena a;
        cph_replay_report r;
        cph_err err = {0};
        cph_arena_init(&a, 0);
        cph_memory_fail_at(fail);
        cph_status s = audit(&o, 9, 1, &a, &r, &err);
        cph_memory_fail_at(0);
        if (s != CPH_OK && s != CPH_NOMEM) fail_msg("request %u: %s", (unsigned)fail, err.what);
        if (s == CPH_OK) assert_int_equal(r.n_differ, 0);
        through = s == CPH_OK;
        cph_arena_release(&a);
        assert_int_equal(cph_memory_in_use(), before);
    }
    assert_true(through);
    forget(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchanged_document_is_found_in_the_segment_that_fed_it_and_nowhere_else),
        cmocka_unit_test(a_draw_is_repeated_by_its_seed_and_says_what_it_looked_at),
        cmocka_unit_test(every_kind_of_run_can_be_replayed),
        cmocka_unit_test(a_run_that_skips_outliers_can_be_replayed_anywhere),
        cmocka_unit_test(where_checkpoints_were_removed_a_segment_is_long_but_can_be_replayed),
        cmocka_unit_test(a_resumed_run_is_the_same_run),
        cmocka_unit_test(a_run_from_a_model_starts_from_it),
        cmocka_unit_test(a_weight_that_was_changed_by_hand_breaks_two_segments_and_the_link),
        cmocka_unit_test(a_model_that_is_not_the_last_checkpoint_is_found),
        cmocka_unit_test(a_damaged_checkpoint_is_named_and_the_rest_is_replayed),
        cmocka_unit_test(other_bits_are_refused_and_not_called_fraud),
        cmocka_unit_test(a_published_copy_without_its_leaves_is_replayed),
        cmocka_unit_test(another_or_a_damaged_token_set_is_refused),
        cmocka_unit_test(memory_that_runs_out_during_a_replay_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
