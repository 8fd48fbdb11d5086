/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bpe.c - byte-level BPE against what Hugging Face tokenizers 0.23.2 gives:
 * ids, tokens, offsets, decoded text; and bytes of the files that are written.
 */
#include "testing.h"

#include <colophon/base/json.h>
#include <colophon/tokenizer/files.h>

static cph_tokenizer *opened(const char *below)
{
    const char *path = testing_shared(below);
    cph_tokenizer *t = NULL;
    if (path) must(cph_tokenizer_open(&t, path, err));
    return t;
}

static cph_tokenizer *gpt2(void)
{
    const char *path = testing_shared("tokenizers/vocab/gpt2.tiktoken");
    cph_tokenizer *t = NULL;
    if (path) must(cph_tokenizer_from_tiktoken(&t, path, (cph_str[]){CPH_STR("<|endoftext|>")}, 1, err));
    return t;
}

static void read_file(cph_buf *b, const char *path)
{
    cph_buf_init(b, (size_t)1 << 30);
    must(cph_file_read(path, 0, b, err));
}

/* ---- expectations ---- */

/* Code points before each byte: a byte inside a character belongs to it. */
static uint32_t char_at(cph_str s, uint32_t byte, bool round_up)
{
    while (byte < s.n && ((unsigned char)s.p[byte] & 0xC0) == 0x80) byte = round_up ? byte + 1 : byte - 1;
    return (uint32_t)cph_utf8_count((cph_str){s.p, byte});
}

static void expect_line(cph_encoder *e, const cph_tokenizer *t, const cph_json *v, size_t line)
{
    cph_str text = cph_json_get_str(v, "text");
    const cph_json *id = cph_json_get(v, "ids")->first, *token = cph_json_get(v, "tokens")->first;
    const cph_json *offset = cph_json_get(v, "offsets")->first;
    cph_ids ids = {0};
    must(cph_encode(e, text, true, true, &ids, err));
    for (size_t i = 0; i < ids.n; i++, id = id->next, token = token->next, offset = offset->next) {
        uint64_t want, begin, end;
        if (!id) fail_msg("line %zu: more tokens than expected", line);
        assert_true(cph_json_u64(id, &want));
        if (want != ids.at[i])
            fail_msg("line %zu: token %zu is %u, expected %u", line, i, ids.at[i], (unsigned)want);
        cph_str s = cph_tokenizer_token(t, ids.at[i]);
        if (!cph_str_eq(s, token->str)) fail_msg("line %zu: token %zu is %.*s", line, i, CPH_FMT(s));
        assert_true(cph_json_u64(offset->first, &begin) && cph_json_u64(offset->first->next, &end));
        bool empty = ids.begin[i] == ids.end[i];
        uint32_t b = char_at(text, ids.begin[i], false), n = char_at(text, ids.end[i], !empty);
        if (b != begin || n != end)
            fail_msg("line %zu: token %zu has offsets %u %u, expected %u %u", line, i, b, n, (unsigned)begin,
                     (unsigned)end);
    }
    assert_null(id);
    cph_buf out;
    cph_buf_init(&out, 1 << 24);
    must(cph_decode(t, ids.at, ids.n, false, false, &out, err));
    if (!cph_str_eq(cph_buf_view(&out), cph_json_get_str(v, "decoded")))
        fail_msg("line %zu: decoded %s", line, out.p);
    out.n = 0;
    must(cph_decode(t, ids.at, ids.n, true, false, &out, err));
    if (!cph_str_eq(cph_buf_view(&out), cph_json_get_str(v, "decoded_skip")))
        fail_msg("line %zu: decoded %s", line, out.p);
    cph_buf_release(&out);
    cph_ids_release(&ids);
}

static void expect_file(cph_tokenizer *t, const char *below)
{
    if (!t) {
        print_message("shared data are absent: skipped\n");
        skip();
    }
    cph_buf text;
    read_file(&text, testing_shared(below));
    cph_encoder *e;
    must(cph_encoder_open(&e, t, err));
    cph_str rest = cph_buf_view(&text), line;
    size_t n = 0;
    while (cph_str_split(&rest, '\n', &line)) {
        if (!line.n) continue;
        cph_arena a;
        cph_arena_init(&a, 0);
        cph_json *v;
        must(cph_json_parse(&v, &a, line, below, NULL, err));
        expect_line(e, t, v, ++n);
        cph_arena_release(&a);
    }
    assert_int_equal(n, 461);
    cph_encoder_close(e);
    cph_tokenizer_close(t);
    cph_buf_release(&text);
}

static void the_4000_model_gives_the_tokens_of_hugging_face(void **state)
{
    (void)state;
    expect_file(opened("tokenizers/models/bpe_4000"), "tokenizers/expect/bpe_4000.jsonl");
}

static void the_16000_model_trims_offsets_as_hugging_face(void **state)
{
    (void)state;
    expect_file(opened("tokenizers/models/bpe_16000"), "tokenizers/expect/bpe_16000.jsonl");
}

static void gpt2_from_ranks_gives_the_tokens_of_hugging_face(void **state)
{
    (void)state;
    expect_file(gpt2(), "tokenizers/expect/gpt2.jsonl");
}

/* ---- whole files ---- */

static void expect_bulk(const cph_tokenizer *t, const cph_json *files)
{
    cph_encoder *e;
    must(cph_encoder_open(&e, t, err));
    for (const cph_json *f = files->first; f; f = f->next) {
        char name[300];
        snprintf(name, sizeof name, "tokenizers/text/%.*s", CPH_FMT(f->key));
        cph_buf text;
        read_file(&text, testing_shared(name));
        cph_str rest = cph_buf_view(&text), line;
        cph_ids ids = {0};
        while (cph_str_split(&rest, '\n', &line)) must(cph_encode(e, line, true, false, &ids, err));
        uint64_t n;
        assert_true(cph_json_u64(cph_json_get(f, "tokens"), &n));
        assert_int_equal(ids.n, n);
        cph_digest d = cph_sha256_of(ids.at, ids.n * sizeof *ids.at);
        char hex[CPH_HEX_DIGEST];
        cph_digest_hex(&d, hex);
        assert_true(cph_str_is(cph_json_get_str(f, "sha256"), hex));
        cph_ids_release(&ids);
        cph_buf_release(&text);
    }
    cph_encoder_close(e);
}

static void whole_files_give_the_digests_of_hugging_face(void **state)
{
    (void)state;
    if (!testing_shared("tokenizers/expect/bulk.json")) skip();
    cph_arena a;
    cph_arena_init(&a, 0);
    cph_json *bulk;
    must(cph_json_read(&bulk, &a, testing_shared("tokenizers/expect/bulk.json"), 0, err));
    const char *const names[] = {"bpe_4000", "bpe_16000", "gpt2"};
    for (int i = 0; i < 3; i++) {
        char below[100];
        snprintf(below, sizeof below, "tokenizers/models/%s", names[i]);
        cph_tokenizer *t = i == 2 ? gpt2() : opened(below);
        assert_non_null(cph_json_get(bulk, names[i]));
        expect_bulk(t, cph_json_get(bulk, names[i]));
        cph_tokenizer_close(t);
    }
    cph_arena_release(&a);
}

/* ---- writing ---- */

static void expect_same_file(const cph_buf *b, const char *below)
{
    cph_buf want;
    read_file(&want, testing_shared(below));
    assert_int_equal(b->n, want.n);
    assert_memory_equal(b->p, want.p, b->n);
    cph_buf_release(&want);
}

static void written_files_are_those_of_hugging_face_byte_for_byte(void **state)
{
    (void)state;
    if (!testing_shared("tokenizers/models/bpe_4000")) skip();
    for (int i = 0; i < 2; i++) {
        char dir[100], file[150];
        snprintf(dir, sizeof dir, "tokenizers/models/%s", i ? "bpe_16000" : "bpe_4000");
        cph_tokenizer *t = opened(dir);
        cph_buf b;
        cph_buf_init(&b, 1 << 28);
        must(cph_tokenizer_json(&b, t, i == 0, err));
        snprintf(file, sizeof file, "%s/tokenizer.json", dir);
        expect_same_file(&b, file);
        b.n = 0;
        must(cph_tokenizer_vocab_json(&b, t, err));
        snprintf(file, sizeof file, "%s/vocab.json", dir);
        expect_same_file(&b, file);
        b.n = 0;
        must(cph_tokenizer_merges_txt(&b, t, err));
        snprintf(file, sizeof file, "%s/merges.txt", dir);
        expect_same_file(&b, file);
        cph_buf_release(&b);
        cph_tokenizer_close(t);
    }
}

static void the_files_for_transformers_are_written_and_read_back(void **state)
{
    (void)state;
    cph_tokenizer *t = opened("tokenizers/models/bpe_4000"), *again;
    if (!t) skip();
    must(cph_tokenizer_write_hf(t, testing_dir(), 128, err));
    must(cph_tokenizer_open(&again, testing_dir(), err));
    assert_int_equal(cph_tokenizer_vocab_size(again), 4000);
    cph_arena a;
    cph_arena_init(&a, 0);
    cph_json *config;
    must(cph_json_read(&config, &a, testing_path("tokenizer_config.json"), 0, err));
    assert_true(cph_str_is(cph_json_get_str(config, "eos_token"), "<|endoftext|>"));
    assert_int_equal(cph_file_kind_of(testing_path("special_tokens_map.json")), CPH_FILE_REGULAR);
    cph_arena_release(&a);
    cph_tokenizer_close(t);
    cph_tokenizer_close(again);
    testing_remove();
}

/* ---- properties ---- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static size_t random_bytes(char *p, uint32_t *seed)
{
    size_t n = next_random(seed) % 200;
    unsigned kind = next_random(seed) % 3;
    for (size_t i = 0; i < n; i++) {
        uint32_t r = next_random(seed);
        static const char some[] = "ae <|endoftext|>\n'sll", parts[] = "\xC3\xA5\xE2\x82\xAC \xF0\x9F";
        p[i] = kind == 0 ? (char)r : kind == 1 ? some[r % (sizeof some - 1)] : parts[r % (sizeof parts - 1)];
    }
    return n;
}

static void decoding_gives_back_every_byte_and_streams_agree(void **state)
{
    (void)state;
    cph_tokenizer *t = opened("tokenizers/models/bpe_4000");
    if (!t) skip();
    cph_encoder *e;
    must(cph_encoder_open(&e, t, err));
    uint32_t seed = 42;
    for (int round = 0; round < 20000; round++) {
        char text[200];
        uint32_t first = seed;
        size_t n = random_bytes(text, &seed);
        cph_ids ids = {0};
        cph_buf raw, lossy, streamed;
        cph_buf_init(&raw, 4000);
        cph_buf_init(&lossy, 4000);
        cph_buf_init(&streamed, 4000);
        must(cph_encode(e, (cph_str){text, n}, round & 1, round & 2, &ids, err));
        must(cph_decode(t, ids.at, ids.n, false, true, &raw, err));
        if (!cph_str_eq(cph_buf_view(&raw), (cph_str){text, n})) fail_msg("seed %u: bytes differ", first);
        must(cph_decode(t, ids.at, ids.n, false, false, &lossy, err));
        cph_decode_stream s;
        cph_decode_stream_init(&s, t, false);
        cph_str piece;
        for (size_t i = 0; i < ids.n; i++) {
            must(cph_decode_stream_next(&s, ids.at[i], &piece, err));
            assert_int_equal(cph_utf8_check(piece.p, piece.n), piece.n);
            must(cph_buf_str(&streamed, piece, err));
        }
        must(cph_decode_stream_end(&s, &piece, err));
        must(cph_buf_str(&streamed, piece, err));
        if (!cph_str_eq(cph_buf_view(&lossy), cph_buf_view(&streamed)))
            fail_msg("seed %u: the stream differs", first);
        for (size_t i = 0; ids.begin && i < ids.n; i++)
            assert_true(ids.begin[i] == (i ? ids.end[i - 1] : 0) && ids.end[ids.n - 1] == n);
        cph_decode_stream_release(&s);
        cph_buf_release(&raw);
        cph_buf_release(&lossy);
        cph_buf_release(&streamed);
        cph_ids_release(&ids);
    }
    cph_encoder_close(e);
    cph_tokenizer_close(t);
}

static void special_tokens_in_text_are_text_unless_asked_for(void **state)
{
    (void)state;
    cph_tokenizer *t = opened("tokenizers/models/bpe_4000");
    if (!t) skip();
    cph_encoder *e;
    must(cph_encoder_open(&e, t, err));
    cph_ids ids = {0};
    must(cph_encode(e, CPH_STR("<|endoftext|>"), true, false, &ids, err));
    assert_int_equal(ids.n, 1);
    assert_int_equal(ids.at[0], 3999);
    assert_true(cph_tokenizer_is_special(t, 3999));
    must(cph_encode(e, CPH_STR("<|endoftext|>"), false, false, &ids, err));
    assert_true(ids.n > 2);
    for (size_t i = 1; i < ids.n; i++) assert_int_not_equal(ids.at[i], 3999);
    cph_ids_release(&ids);
    cph_encoder_close(e);
    cph_tokenizer_close(t);
}

static void a_megabyte_without_a_space_is_no_trouble(void **state)
{
    (void)state;
    cph_tokenizer *t = opened("tokenizers/models/bpe_4000");
    if (!t) skip();
    cph_encoder *e;
    must(cph_encoder_open(&e, t, err));
    cph_buf b, out;
    cph_buf_init(&b, 2 << 20);
    cph_buf_init(&out, 2 << 20);
    uint32_t seed = 1;
    for (int i = 0; i < 1 << 20; i++) must(cph_buf_char(&b, (char)('a' + next_random(&seed) % 26), err));
    cph_ids ids = {0};
    must(cph_encode(e, cph_buf_view(&b), true, true, &ids, err));
    must(cph_decode(t, ids.at, ids.n, false, false, &out, err));
    assert_true(cph_str_eq(cph_buf_view(&b), cph_buf_view(&out)));
    cph_ids_release(&ids);
    cph_buf_release(&b);
    cph_buf_release(&out);
    cph_encoder_close(e);
    cph_tokenizer_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_4000_model_gives_the_tokens_of_hugging_face),
        cmocka_unit_test(the_16000_model_trims_offsets_as_hugging_face),
        cmocka_unit_test(gpt2_from_ranks_gives_the_tokens_of_hugging_face),
        cmocka_unit_test(whole_files_give_the_digests_of_hugging_face),
        cmocka_unit_test(written_files_are_those_of_hugging_face_byte_for_byte),
        cmocka_unit_test(the_files_for_transformers_are_written_and_read_back),
        cmocka_unit_test(decoding_gives_back_every_byte_and_streams_agree),
        cmocka_unit_test(special_tokens_in_text_are_text_unless_asked_for),
        cmocka_unit_test(a_megabyte_without_a_space_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
