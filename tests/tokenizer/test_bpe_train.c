/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_train.c - the trainer against what Hugging Face 0.23.2 learns from the same
 * files, and against itself at several thread counts and orders of texts.
 */
#include "testing.h"

#include <colophon/base/json.h>
#include <colophon/provenance/manifest.h>
#include <colophon/tokenizer/files.h>
#include <colophon/tokenizer/train.h>

static const char *const corpus_a[] = {"wiki_no_100k", "wiki_nn_100k", "wiki_en_100k", NULL};
static const char *const corpus_b[] = {"wiki_no_1k", "wiki_nn_1k", "wiki_en_1k", NULL};
static const char *const corpus_c[] = {"stress", NULL};

static cph_tokenizer *trained(const char *const *files, const cph_bpe_opts *o, unsigned threads,
                              cph_bpe_report *report)
{
    cph_bpe *b;
    cph_pool *pool = NULL;
    cph_tokenizer *t = NULL;
    if (threads) must(cph_pool_open(&pool, threads, err));
    must(cph_bpe_open(&b, o, pool, err));
    for (; *files; files++) {
        char below[100];
        snprintf(below, sizeof below, "tokenizers/text/%s.txt", *files);
        must(cph_bpe_add_file(b, testing_shared(below), err));
    }
    must(cph_bpe_finish(b, &t, report, err));
    cph_bpe_close(b);
    cph_pool_close(pool);
    return t;
}

static void digest_of(const cph_tokenizer *t, bool merges, char hex[CPH_HEX_DIGEST])
{
    cph_buf b;
    cph_buf_init(&b, 1 << 28);
    must(merges ? cph_tokenizer_merges_txt(&b, t, err) : cph_tokenizer_vocab_json(&b, t, err));
    cph_digest d = cph_sha256_of(b.p, b.n);
    cph_digest_hex(&d, hex);
    cph_buf_release(&b);
}

static void expect_number(const cph_json *meta, const char *key, uint64_t have)
{
    uint64_t want;
    assert_true(cph_json_u64(cph_json_get(meta, key), &want));
    assert_int_equal(have, want);
}

static void expect_corpus(const char *name, const char *const *files)
{
    char below[100], hex[CPH_HEX_DIGEST];
    snprintf(below, sizeof below, "tokenizers/train/bpe_bytelevel_%s/meta.json", name);
    if (!testing_shared(below)) skip();
    cph_arena a;
    cph_arena_init(&a, 0);
    cph_json *meta;
    must(cph_json_read(&meta, &a, testing_shared(below), 0, err));
    cph_bpe_opts o;
    cph_bpe_opts_init(&o);
    o.min_frequency = 0;
    o.full_alphabet = false;
    o.n_specials = 0;
    cph_bpe_report report;
    cph_tokenizer *t = trained(files, &o, 2, &report);
    expect_number(meta, "words", report.n_distinct);
    expect_number(meta, "total_count", report.n_words);
    expect_number(meta, "alphabet", report.alphabet);
    expect_number(meta, "merges", report.merges);
    expect_number(meta, "last_merge_count", (uint64_t)report.last_count);
    digest_of(t, true, hex);
    assert_true(cph_str_is(cph_json_get_str(meta, "merges_txt_sha256"), hex));
    digest_of(t, false, hex);
    assert_true(cph_str_is(cph_json_get_str(meta, "vocab_json_sha256"), hex));
    cph_tokenizer_close(t);
    cph_arena_release(&a);
}

static void corpus_a_gives_the_merges_of_hugging_face(void **state)
{
    (void)state;
    expect_corpus("A", corpus_a);
}

static void corpus_b_gives_the_merges_of_hugging_face(void **state)
{
    (void)state;
    expect_corpus("B", corpus_b);
}

static void noise_gives_the_merges_of_hugging_face(void **state)
{
    (void)state;
    expect_corpus("C", corpus_c);
}

static void expect_same_file(const cph_tokenizer *t, const char *below, bool merges)
{
    cph_buf want, have;
    cph_buf_init(&want, 1 << 28);
    cph_buf_init(&have, 1 << 28);
    must(cph_file_read(testing_shared(below), 0, &want, err));
    must(merges ? cph_tokenizer_merges_txt(&have, t, err) : cph_tokenizer_vocab_json(&have, t, err));
    assert_int_equal(have.n, want.n);
    assert_memory_equal(have.p, want.p, want.n);
    cph_buf_release(&want);
    cph_buf_release(&have);
}

static void the_full_alphabet_gives_the_published_models(void **state)
{
    (void)state;
    if (!testing_shared("tokenizers/models/bpe_4000")) skip();
    static const uint32_t sizes[] = {4000, 16000};
    for (int i = 0; i < 2; i++) {
        char below[100];
        cph_bpe_opts o;
        cph_bpe_opts_init(&o);
        o.vocab_size = sizes[i];
        o.min_frequency = 0;
        cph_tokenizer *t = trained(corpus_a, &o, 1, NULL);
        snprintf(below, sizeof below, "tokenizers/models/bpe_%u/merges.txt", sizes[i]);
        expect_same_file(t, below, true);
        snprintf(below, sizeof below, "tokenizers/models/bpe_%u/vocab.json", sizes[i]);
        expect_same_file(t, below, false);
        cph_tokenizer_close(t);
    }
}

/* ---- small texts ---- */

static cph_tokenizer *from_texts(const char *const *texts, size_t n, bool backwards, const cph_bpe_opts *o,
                                 unsigned threads)
{
    cph_bpe *b;
    cph_pool *pool = NULL;
    cph_tokenizer *t = NULL;
    if (threads) must(cph_pool_open(&pool, threads, err));
    must(cph_bpe_open(&b, o, pool, err));
    for (size_t i = 0; i < n; i++) must(cph_bpe_add(b, cph_str_of(texts[backwards ? n - 1 - i : i]), err));
    must(cph_bpe_finish(b, &t, NULL, err));
    cph_bpe_close(b);
    cph_pool_close(pool);
    return t;
}

static void threads_and_order_change_nothing(void **state)
{
    (void)state;
    /* Long texts of many lines, so that they are cut between threads. */
    cph_buf b[4];
    const char *texts[4];
    uint32_t seed = 5;
    for (int i = 0; i < 4; i++) {
        cph_buf_init(&b[i], 1 << 22);
        while (b[i].n < 900000) {
            seed = seed * 1664525 + 1013904223;
            static const char *const words[] = {"skog", " fjell", " og", "\n",    "\n\n", " ",         "  ",
                                                "hav",  " båt",   "'s",  " 1905", ".",    "\n\xC2\xA0"};
            must(cph_buf_z(&b[i], words[(seed >> 12) % 13], err));
        }
        texts[i] = b[i].p;
    }
    cph_bpe_opts o;
    cph_bpe_opts_init(&o);
    o.vocab_size = 500;
    char first[CPH_HEX_DIGEST], other[CPH_HEX_DIGEST];
    static const unsigned threads[] = {0, 1, 2, 5};
    for (int i = 0; i < 4; i++) {
        cph_tokenizer *t = from_texts(texts, 4, i & 1, &o, threads[i]);
        digest_of(t, true, i ? other : first);
        if (i) assert_string_equal(first, other);
        cph_tokenizer_close(t);
    }
    for (int i = 0; i < 4; i++) cph_buf_release(&b[i]);
}

static void special_tokens_stand_first_or_last(void **state)
{
    (void)state;
    const char *const texts[] = {"aa aa aa ab ab"};
    const cph_str specials[] = {CPH_STR("<pad>"), CPH_STR("<|endoftext|>")};
    cph_bpe_opts o;
    cph_bpe_opts_init(&o);
    o.specials = specials;
    o.n_specials = 2;
    o.vocab_size = 262;
    uint32_t id;
    cph_tokenizer *t = from_texts(texts, 1, false, &o, 0);
    assert_true(cph_tokenizer_id(t, specials[0], &id) && id + 2 == cph_tokenizer_vocab_size(t));
    assert_true(cph_tokenizer_is_special(t, id) && cph_tokenizer_is_special(t, id + 1));
    assert_true(cph_tokenizer_id(t, CPH_STR("!"), &id) && id == 0);
    cph_tokenizer_close(t);
    o.specials_first = true;
    t = from_texts(texts, 1, false, &o, 0);
    assert_true(cph_tokenizer_id(t, specials[1], &id) && id == 1);
    assert_true(cph_tokenizer_id(t, CPH_STR("!"), &id) && id == 2);
    assert_true(cph_tokenizer_is_special(t, 0));
    cph_tokenizer_close(t);
}

static void rare_pairs_are_not_merged_and_small_vocabularies_are_refused(void **state)
{
    (void)state;
    const char *const texts[] = {"xyxy xyxy q"};
    cph_bpe_opts o;
    cph_bpe_opts_init(&o);
    o.min_frequency = 5;
    cph_tokenizer *t = from_texts(texts, 1, false, &o, 0);
    assert_int_equal(cph_tokenizer_vocab_size(t), 257); /* xy occurs four times */
    cph_tokenizer_close(t);
    o.vocab_size = 100;
    cph_bpe *b;
    cph_err err = {0};
    must(cph_bpe_open(&b, &o, NULL, err));
    must(cph_bpe_add(b, CPH_STR("text"), err));
    assert_int_equal(cph_bpe_finish(b, &t, NULL, &err), CPH_USAGE);
    cph_bpe_close(b);
    must(cph_bpe_open(&b, &o, NULL, err));
    assert_int_equal(cph_bpe_finish(b, &t, NULL, &err), CPH_DATA);
    cph_bpe_close(b);
}

static void a_sealed_tokenizer_says_what_it_is(void **state)
{
    (void)state;
    const char *const texts[] = {"aa aa aa ab ab"};
    cph_bpe_opts o;
    cph_bpe_opts_init(&o);
    o.vocab_size = 260;
    cph_tokenizer *t = from_texts(texts, 1, false, &o, 0), *again;
    cph_arena a;
    cph_arena_init(&a, 0);
    cph_json *identity, *run;
    cph_digest made, read;
    must(cph_identity_new(&identity, &a, err));
    must(cph_bpe_describe(&o, identity, &a, err));
    must(cph_run_new(&run, &a, 0, err));
    must(cph_tokenizer_seal(t, testing_path("tok"), &a, identity, run, &made, err));
    must(cph_tokenizer_open(&again, testing_path("tok"), err));
    assert_true(cph_tokenizer_digest(again, &read));
    assert_int_equal(cph_digest_cmp(&made, &read), 0);
    assert_false(cph_tokenizer_digest(t, &read));
    cph_tokenizer_close(again);
    /* A byte that changed after sealing is found. */
    char path[CPH_PATH_MAX];
    snprintf(path, sizeof path, "%s/tokenizer.json", testing_path("tok"));
    cph_buf text;
    cph_buf_init(&text, 1 << 20);
    must(cph_file_read(path, 0, &text, err));
    must(cph_buf_char(&text, '\n', err));
    must(cph_file_write(path, text.p, text.n, err));
    cph_err err = {0};
    assert_int_equal(cph_tokenizer_open(&again, testing_path("tok"), &err), CPH_DATA);
    cph_buf_release(&text);
    cph_arena_release(&a);
    cph_tokenizer_close(t);
    testing_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus_a_gives_the_merges_of_hugging_face),
        cmocka_unit_test(corpus_b_gives_the_merges_of_hugging_face),
        cmocka_unit_test(noise_gives_the_merges_of_hugging_face),
        cmocka_unit_test(the_full_alphabet_gives_the_published_models),
        cmocka_unit_test(threads_and_order_change_nothing),
        cmocka_unit_test(special_tokens_stand_first_or_last),
        cmocka_unit_test(rare_pairs_are_not_merged_and_small_vocabularies_are_refused),
        cmocka_unit_test(a_sealed_tokenizer_says_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
