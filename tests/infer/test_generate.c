/* SPDX-License-Identifier: Apache-2.0 */
#include <colophon/base/json.h>
#include <colophon/base/memory.h>
#include <colophon/infer/generate.h>
#include <colophon/tokenizer/files.h>

#include <math.h>

#include "testing.h"

/* ---- against Transformers ---- */

typedef struct golden {
    cph_arena arena;
    const cph_json *root;
    cph_model *model;
    cph_generator *g;
    uint32_t prompt[64];
    uint32_t n_prompt;
} golden;

static uint32_t ids_of(const cph_json *list, uint32_t *out, uint32_t cap)
{
    uint32_t n = 0;
    for (const cph_json *v = list->first; v; v = v->next) {
        uint64_t id;
        assert_true(n < cap && cph_json_u64(v, &id));
        out[n++] = (uint32_t)id;
    }
    return n;
}

static bool open_golden(golden *x, const char *name)
{
    char below[128], path[CPH_PATH_MAX];
    snprintf(below, sizeof below, "goldens/text/%s", name);
    const char *dir = testing_shared(below);
    if (!dir) return false;
    cph_json *root;
    cph_arena_init(&x->arena, 0);
    snprintf(path, sizeof path, "%s/generate.json", dir);
    must(cph_json_read(&root, &x->arena, path, 0, err));
    x->root = root;
    snprintf(path, sizeof path, "%s/model", dir);
    must(cph_model_open(&x->model, path, err));
    must(cph_generator_open(&x->g, x->model, NULL, NULL, err));
    x->n_prompt = ids_of(cph_json_get(root, "prompt")->first, x->prompt, 64);
    return true;
}

static void close_golden(golden *x)
{
    cph_generator_close(x->g);
    cph_model_close(x->model);
    cph_arena_release(&x->arena);
}

static void expect_ids(golden *x, const char *key, const cph_generate_opts *o, cph_answer_text *a)
{
    uint32_t want[128];
    uint32_t n = ids_of(cph_json_get(x->root, key)->first, want, 128);
    must(cph_generate_ids(x->g, x->prompt, x->n_prompt, 0, o, a, err));
    assert_int_equal(a->n, n);
    assert_int_equal(a->end, CPH_END_LENGTH);
    for (uint32_t i = 0; i < n; i++) assert_int_equal(a->ids[i], want[i]);
}

/* The golden's log-probabilities are of the scores after the ban of EOS; the answer's are the model's own. */
static void expect_logprobs(golden *x, const cph_answer_text *a)
{
    uint32_t V = cph_model_vocab_size(x->model), eos = (uint32_t)cph_model_eos(x->model);
    float scores[256];
    cph_decoder *d;
    const float *logits;
    assert_true(V <= 256);
    must(cph_decoder_open(&d, x->model, 1, cph_model_max_positions(x->model), NULL, err));
    must(cph_decoder_feed(d, 0, a->ids, a->n_prompt, &logits, err));
    const cph_json *p = cph_json_get(x->root, "greedy_logprobs")->first->first;
    for (uint32_t i = 0; p; p = p->next, i++) {
        double want;
        uint32_t id = a->ids[a->n_prompt + i];
        assert_true(cph_json_double(p, &want));
        assert_true(fabs(a->logprobs[i] - cph_sample_logprob(logits, V, id)) < 1e-5);
        memcpy(scores, logits, V * sizeof *scores);
        scores[eos] = -INFINITY;
        assert_true(fabs(cph_sample_logprob(scores, V, id) - want) < 1e-5);
        if (p->next) must(cph_decoder_feed(d, 0, &id, 1, &logits, err));
    }
    cph_decoder_close(d);
}

static void check_golden(const char *name)
{
    golden x;
    if (!open_golden(&x, name)) skip();
    cph_generate_opts o;
    cph_answer_text a;
    cph_generate_opts_init(&o);
    o.max_new_tokens = o.sample.min_new_tokens = 20;
    expect_ids(&x, "greedy", &o, &a);
    expect_logprobs(&x, &a);
    o.sample.repetition_penalty = 1.3;
    expect_ids(&x, "repetition_penalty_1.3", &o, &a);
    o.sample.repetition_penalty = 1;
    o.sample.no_repeat_ngram = 2;
    expect_ids(&x, "no_repeat_ngram_2", &o, &a);
    close_golden(&x);
}

static void greedy_penalty_and_ngrams_agree_with_transformers_tiny(void **state)
{
    (void)state;
    check_golden("gpt2-tiny");
}
static void greedy_penalty_and_ngrams_agree_with_transformers_odd(void **state)
{
    (void)state;
    check_golden("gpt2-odd");
}

/* ---- text, stop strings, streaming ---- */

typedef struct world {
    cph_tokenizer *t;
    cph_model *m;
    cph_generator *g;
} world;

/* A byte-level tokenizer without merges: every byte is a token, and 256 is the end of text. */
static void open_world(world *w, uint32_t positions)
{
    cph_buf b;
    cph_arena a;
    cph_json *config;
    char text[512];
    cph_buf_init(&b, 1 << 20);
    must(cph_buf_z(
        &b,
        "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":256,\"content\":\"<|endoftext|>\",\"single_word\":false,"
        "\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}],\"normalizer\":null,"
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true},"
        "\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,"
        "\"use_regex\":true},\"model\":{\"type\":\"BPE\",\"vocab\":{",
        err));
    for (uint32_t byte = 0, extra = 0; byte < 256; byte++) {
        char utf8[4];
        bool shown = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        unsigned n = cph_utf8_encode(shown ? byte : 256 + extra++, utf8);
        must(cph_json_quote(&b, (cph_str){utf8, n}, err));
        must(cph_buf_printf(&b, err, ":%u,", byte));
    }
    must(cph_buf_z(&b, "\"<|endoftext|>\":256},\"merges\":[]}}", err));
    must(cph_tokenizer_parse(&w->t, cph_buf_view(&b), "test", err));
    snprintf(
        text, sizeof text,
        "{\"model_type\":\"gpt2\",\"vocab_size\":257,\"n_embd\":16,\"n_head\":2,\"n_layer\":1,\"n_positions\":%u,"
        "\"eos_token_id\":256,\"bos_token_id\":256}",
        positions);
    cph_arena_init(&a, 1 << 20);
    must(cph_json_parse(&config, &a, cph_str_of(text), "test", NULL, err));
    must(cph_model_new(&w->m, config, 3, err));
    must(cph_generator_open(&w->g, w->m, w->t, NULL, err));
    cph_arena_release(&a);
    cph_buf_release(&b);
}

static void close_world(world *w)
{
    cph_generator_close(w->g);
    cph_model_close(w->m);
    cph_tokenizer_close(w->t);
}

static cph_status hear(void *ctx, uint32_t prompt, cph_str text, cph_err *err)
{
    assert_int_equal(cph_utf8_check(text.p, text.n), text.n); /* whole characters only */
    (void)prompt;
    return cph_buf_str(ctx, text, err);
}

static cph_generate_opts sampled(cph_buf *heard, uint64_t seed)
{
    cph_generate_opts o;
    cph_generate_opts_init(&o);
    o.sample.sample = true;
    o.sample.seed = seed;
    o.sample.top_k = 0;
    o.max_new_tokens = 40;
    o.ignore_eos = true;
    o.piece = hear;
    o.ctx = heard;
    return o;
}

static void what_is_heard_is_the_answer(void **state)
{
    (void)state;
    world w;
    cph_buf heard;
    cph_answer_text a;
    open_world(&w, 64);
    cph_buf_init(&heard, 1 << 20);
    for (uint64_t seed = 0; seed < 50; seed++) {
        cph_generate_opts o = sampled(&heard, seed);
        cph_buf_cut(&heard, 0);
        must(cph_generate(w.g, CPH_STR("Det"), 0, &o, &a, err));
        assert_int_equal(a.n_prompt, 4); /* the start of a document, and three bytes */
        assert_int_equal(a.ids[0], 256);
        assert_int_equal(a.n, 44);
        assert_true(cph_str_eq(a.text, cph_buf_view(&heard)));
    }
    cph_buf_release(&heard);
    close_world(&w);
}

static void the_answer_ends_before_a_stop_string_and_nothing_of_it_is_heard(void **state)
{
    (void)state;
    world w;
    cph_buf heard, whole;
    cph_answer_text a;
    open_world(&w, 64);
    cph_buf_init(&heard, 1 << 20);
    cph_buf_init(&whole, 1 << 20);
    unsigned stopped = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        cph_generate_opts o = sampled(&heard, seed);
        must(cph_generate(w.g, CPH_STR("Det"), 0, &o, &a, err));
        cph_buf_cut(&whole, 0);
        must(cph_buf_str(&whole, a.text, err));
        if (whole.n < 12) continue;
        /* A stop string that is sure to come, and one of which only the beginning comes. */
        cph_str comes = {whole.p + whole.n / 2, 3};
        while (comes.p > whole.p && ((unsigned char)*comes.p & 0xC0) == 0x80) comes.p--;
        char never[8] = {whole.p[0], whole.p[1], whole.p[2], 1, 2, 3};
        cph_str stops[2] = {comes, {never, 6}};
        o.stops = stops;
        o.n_stops = 2;
        cph_buf_cut(&heard, 0);
        must(cph_generate(w.g, CPH_STR("Det"), 0, &o, &a, err));
        assert_int_equal(a.end, CPH_END_STOP);
        assert_true(cph_str_eq(a.text, cph_buf_view(&heard)));
        assert_true(a.text.n < whole.n && memcmp(a.text.p, whole.p, a.text.n) == 0);
        assert_memory_equal(whole.p + a.text.n, comes.p, comes.n);
        stopped++;
    }
    assert_true(stopped > 50);
    cph_buf_release(&heard);
    cph_buf_release(&whole);
    close_world(&w);
}

static void the_answer_of_a_prompt_does_not_depend_on_its_neighbours(void **state)
{
    (void)state;
    world w;
    cph_buf heard, alone;
    cph_answer_text a;
    open_world(&w, 64);
    cph_buf_init(&heard, 1 << 20);
    cph_buf_init(&alone, 1 << 20);
    cph_generate_opts o = sampled(&heard, 9);
    must(cph_generate(w.g, CPH_STR("en"), 1, &o, &a, err));
    must(cph_buf_str(&alone, a.text, err));
    must(cph_generate(w.g, CPH_STR("noe helt annet"), 0, &o, &a, err));
    must(cph_generate(w.g, CPH_STR("en"), 1, &o, &a, err));
    assert_true(cph_str_eq(a.text, cph_buf_view(&alone)));
    must(cph_generate(w.g, CPH_STR("en"), 2, &o, &a, err));
    assert_false(cph_str_eq(a.text, cph_buf_view(&alone)));
    cph_buf_release(&heard);
    cph_buf_release(&alone);
    close_world(&w);
}

static void the_context_ends_the_answer_and_a_longer_prompt_is_refused(void **state)
{
    (void)state;
    world w;
    cph_answer_text a;
    cph_err err;
    cph_generate_opts o;
    uint32_t ids[16] = {0};
    open_world(&w, 16);
    cph_generate_opts_init(&o);
    o.ignore_eos = true;
    must(cph_generate_ids(w.g, ids, 10, 0, &o, &a, err));
    assert_int_equal(a.end, CPH_END_CONTEXT);
    assert_int_equal(a.n, 16);
    assert_int_equal(cph_generate_ids(w.g, ids, 16, 0, &o, &a, &err), CPH_USAGE);
    ids[3] = 257;
    assert_int_equal(cph_generate_ids(w.g, ids, 10, 0, &o, &a, &err), CPH_USAGE);
    assert_int_equal(cph_generate_ids(w.g, ids, 0, 0, &o, &a, &err), CPH_USAGE);
    o.from_start = false;
    must(cph_generate(w.g, CPH_STR(""), 0, &o, &a, err)); /* there is an EOS to start from */
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_penalty_and_ngrams_agree_with_transformers_tiny),
        cmocka_unit_test(greedy_penalty_and_ngrams_agree_with_transformers_odd),
        cmocka_unit_test(what_is_heard_is_the_answer),
        cmocka_unit_test(the_answer_ends_before_a_stop_string_and_nothing_of_it_is_heard),
        cmocka_unit_test(the_answer_of_a_prompt_does_not_depend_on_its_neighbours),
        cmocka_unit_test(the_context_ends_the_answer_and_a_longer_prompt_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
