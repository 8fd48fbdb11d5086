/* SPDX-License-Identifier: Apache-2.0 */
/*
 * training.c - feeds texts in batches to counting threads, then learns. A text is
 * cut for threads only before a line feed that a printable character follows: there
 * a piece begins, and what stands before it ends as it would have ended.
 */
#include "bpe_train_in.h"

#include <colophon/base/file.h>
#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>
#include <colophon/provenance/manifest.h>
#include <colophon/text/unicode.h>

enum { BATCH_BYTES = 8 << 20, CHUNK_BYTES = 256 << 10 };

struct cph_bpe {
    cph_bpe_opts o;
    cph_pool *pool;
    word_map *maps;        /* one a worker */
    unsigned n_maps;
    cph_buf batch;         /* the texts, one after the other */
    cph_buf chunks;        /* of struct chunk, one a task */
    cph_progress progress;
    bool finished;
    cph_bpe_report report;
};

typedef struct chunk {
    size_t at, n;
} chunk;

void cph_bpe_opts_init(cph_bpe_opts *o)
{
    static const cph_str end_of_text[] = {{"<|endoftext|>", 13}};
    *o = (cph_bpe_opts){.vocab_size = 30000,
                        .min_frequency = 2,
                        .full_alphabet = true,
                        .specials = end_of_text,
                        .n_specials = 1};
}

static cph_status number(cph_json *identity, cph_arena *a, const char *name, uint64_t v, cph_err *err)
{
    cph_str text;
    CPH_TRY(cph_arena_printf(a, &text, err, "%llu", (unsigned long long)v));
    return cph_identity_option(identity, a, name, text, err);
}

cph_status cph_bpe_describe(const cph_bpe_opts *o, cph_json *identity, cph_arena *a, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, 1 << 20);
    cph_jw w = cph_jw_on(&b);
    cph_jw_arr(&w);
    for (size_t i = 0; i < o->n_specials; i++) cph_jw_str(&w, o->specials[i]);
    cph_jw_end(&w);
    cph_status s = cph_jw_done(&w, err);
    if (s == CPH_OK) s = cph_identity_option(identity, a, "special", cph_buf_view(&b), err);
    cph_buf_release(&b);
    if (s != CPH_OK) return s;
    CPH_TRY(cph_identity_version(identity, a, "unicode", CPH_STR(CPH_UNICODE_CLASSES_VERSION), err));
    CPH_TRY(cph_identity_option(identity, a, "kind", CPH_STR("bpe"), err));
    CPH_TRY(number(identity, a, "vocab-size", o->vocab_size, err));
    CPH_TRY(number(identity, a, "min-frequency", o->min_frequency, err));
    CPH_TRY(cph_identity_option(identity, a, "alphabet",
                                o->full_alphabet ? CPH_STR("bytes") : CPH_STR("seen"), err));
    return cph_identity_option(identity, a, "specials",
                               o->specials_first ? CPH_STR("first") : CPH_STR("last"), err);
}

cph_status cph_bpe_open(cph_bpe **out, const cph_bpe_opts *o, cph_pool *pool, cph_err *err)
{
    if (o->vocab_size > MAX_IDS || o->n_specials > o->vocab_size)
        return cph_fail(err, CPH_USAGE, "a vocabulary of %u with %zu special tokens cannot be", o->vocab_size,
                        o->n_specials);
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_bpe), err));
    cph_bpe *b = mem;
    *b = (cph_bpe){.o = *o, .pool = pool};
    cph_buf_init(&b->batch, SIZE_MAX);
    cph_buf_init(&b->chunks, SIZE_MAX);
    unsigned n = pool ? cph_pool_threads(pool) : 1;
    cph_status s = cph_alloc0(&mem, n * sizeof(word_map), err);
    if (s == CPH_OK) b->maps = mem;
    while (s == CPH_OK && b->n_maps < n) {
        s = cph_words_init(&b->maps[b->n_maps], err);
        b->n_maps += s == CPH_OK;
    }
    if (s != CPH_OK) {
        cph_bpe_close(b);
        return s;
    }
    cph_progress_begin(&b->progress, "counting words", "bytes", 0);
    *out = b;
    return CPH_OK;
}

void cph_bpe_close(cph_bpe *b)
{
    if (!b) return;
    for (unsigned i = 0; i < b->n_maps; i++) cph_words_release(&b->maps[i]);
    cph_free(b->maps);
    cph_buf_release(&b->batch);
    cph_buf_release(&b->chunks);
    if (!b->finished) cph_progress_end(&b->progress);
    cph_free(b);
}

/* ---- counting ---- */

static cph_status count_chunk(void *arg, size_t task, unsigned worker, cph_err *err)
{
    cph_bpe *b = arg;
    chunk c;
    memcpy(&c, b->chunks.p + task * sizeof c, sizeof c);
    CPH_TRY(cph_words_count(&b->maps[worker], (cph_str){b->batch.p + c.at, c.n}, err));
    cph_progress_add(&b->progress, c.n);
    return CPH_OK;
}

static cph_status count_batch(cph_bpe *b, cph_err *err)
{
    size_t n = b->chunks.n / sizeof(chunk);
    CPH_TRY(cph_interrupt_check("counting words for a tokenizer", err));
    cph_status s = CPH_OK;
    if (b->pool)
        s = cph_pool_run(b->pool, n, count_chunk, b, err);
    else
        for (size_t i = 0; i < n && s == CPH_OK; i++) s = count_chunk(b, i, 0, err);
    cph_buf_cut(&b->batch, 0);
    cph_buf_cut(&b->chunks, 0);
    return s;
}

/* Where text may be cut at or after `from`: before a line feed that a printable character follows. */
static size_t safe_cut(cph_str text, size_t from)
{
    for (size_t i = from; (i = cph_str_find(text, '\n', i)) != SIZE_MAX; i++)
        if (i + 1 < text.n && text.p[i + 1] > ' ' && text.p[i + 1] < 0x7F) return i;
    return text.n;
}

cph_status cph_bpe_add(cph_bpe *b, cph_str text, cph_err *err)
{
    size_t start = b->batch.n;
    b->report.n_texts++;
    b->report.n_bytes += text.n;
    CPH_TRY(cph_buf_str(&b->batch, text, err));
    for (size_t at = 0, end; at < text.n; at = end) {
        end = text.n - at <= CHUNK_BYTES ? text.n : safe_cut(text, at + CHUNK_BYTES);
        chunk c = {start + at, end - at};
        CPH_TRY(cph_buf_add(&b->chunks, &c, sizeof c, err));
    }
    return b->batch.n >= BATCH_BYTES ? count_batch(b, err) : CPH_OK;
}

cph_status cph_bpe_add_file(cph_bpe *b, const char *path, cph_err *err)
{
    cph_map m;
    CPH_TRY(cph_map_open(&m, path, err));
    cph_str rest = {(const char *)m.p, m.n_bytes};
    cph_status s = CPH_OK;
    while (rest.n && s == CPH_OK) {
        size_t end = cph_str_find(rest, '\n', 0);
        end = end == SIZE_MAX ? rest.n : end + 1;
        s = cph_bpe_add(b, cph_str_sub(rest, 0, end), err);
        rest = cph_str_sub(rest, end, rest.n - end);
    }
    cph_map_close(&m);
    return s;
}

cph_status cph_bpe_finish(cph_bpe *b, cph_tokenizer **out, cph_bpe_report *report, cph_err *err)
{
    CPH_TRY(count_batch(b, err));
    if (!b->finished) cph_progress_end(&b->progress);
    b->finished = true;
    for (unsigned i = 1; i < b->n_maps; i++) CPH_TRY(cph_words_move(&b->maps[0], &b->maps[i], err));
    b->report.n_words = b->maps[0].n_words;
    b->report.n_distinct = b->maps[0].n_few + b->maps[0].n_many;
    if (!b->report.n_words) return cph_fail(err, CPH_DATA, "there is no text to train a tokenizer on");
    CPH_TRY(cph_bpe_learn(&b->maps[0], &b->o, out, &b->report, err));
    if (report) *report = b->report;
    return CPH_OK;
}
