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

static cph_status audit(const cph_train_opts *o, uint32_t n, uint64_t seed, cph_arena *a, cph_replay_report *r,
                        cph_err *err)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchanged_document_is_found_in_the_segment_that_fed_it_and_nowhere_else),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
