/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_tokenizer_json.c - whatever loads must encode and decode any bytes, with offsets
 * inside the text, and must be the same after being written and loaded again.
 */
#include <colophon/tokenizer/files.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool ok)
{
    if (!ok) abort();
}

static void expect_round_trip(const cph_tokenizer *t, cph_str text, bool specials)
{
    cph_err err;
    cph_encoder *e;
    cph_ids ids = {0};
    cph_buf out;
    cph_buf_init(&out, (size_t)64 << 20);
    require(cph_encoder_open(&e, t, &err) == CPH_OK);
    require(cph_encode(e, text, specials, true, &ids, &err) == CPH_OK);
    for (size_t i = 0; i < ids.n; i++) {
        require(ids.at[i] < cph_tokenizer_vocab_size(t));
        require(ids.begin[i] <= ids.end[i] && ids.end[i] <= text.n);
    }
    (void)!cph_decode(t, ids.at, ids.n, false, false, &out, &err);
    cph_decode_stream s;
    cph_decode_stream_init(&s, t, true);
    cph_str piece;
    for (size_t i = 0; i < ids.n; i++) require(cph_decode_stream_next(&s, ids.at[i], &piece, &err) == CPH_OK);
    require(cph_decode_stream_end(&s, &piece, &err) == CPH_OK);
    cph_decode_stream_release(&s);
    cph_encoder_close(e);
    cph_ids_release(&ids);
    cph_buf_release(&out);
}

static void expect_same_again(const cph_tokenizer *t, bool pretty)
{
    cph_err err;
    cph_buf once, twice;
    cph_tokenizer *again;
    cph_buf_init(&once, (size_t)256 << 20);
    cph_buf_init(&twice, (size_t)256 << 20);
    require(cph_tokenizer_json(&once, t, pretty, &err) == CPH_OK);
    if (cph_tokenizer_parse(&again, cph_buf_view(&once), "again", &err) == CPH_OK) {
        require(cph_tokenizer_json(&twice, again, pretty, &err) == CPH_OK);
        require(cph_str_eq(cph_buf_view(&once), cph_buf_view(&twice)));
        cph_tokenizer_close(again);
    } else {
        abort();
    }
    cph_buf_release(&once);
    cph_buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    cph_err err;
    cph_tokenizer *t;
    cph_str text = {(const char *)data, n};
    if (n > 1 << 20 || cph_tokenizer_parse(&t, text, "input", &err) != CPH_OK) return 0;
    expect_round_trip(t, cph_str_sub(text, 0, 4096), true);
    expect_round_trip(t, cph_str_sub(text, n / 2, 4096), false);
    expect_same_again(t, n & 1);
    cph_tokenizer_close(t);
    return 0;
}
