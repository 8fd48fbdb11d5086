/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_tokenizer.c - `colophon tokenizer train | encode | decode`.
 */
#include <colophon/base/memory.h>
#include <colophon/base/zstream.h>
#include <colophon/tokenizer/tokenizer.h>
#include <colophon/workflow/train_tokenizer.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { MAX_LINE = 1 << 30, MAX_LISTED = 256 };

/* ---- train ---- */

static cph_status fill_train(cli *c, cph_train_tokenizer_opts *o, const char **files, cph_str *specials,
                             cph_err *err)
{
    if (strcmp(cli_arg(c, 0), "bpe") != 0)
        return cph_fail(err, CPH_USAGE, "'%s' is no kind of tokenizer that is built; bpe is", cli_arg(c, 0));
    if (cli_n_args(c) > MAX_LISTED || cli_n_list(c, "special") > MAX_LISTED)
        return cph_fail(err, CPH_USAGE, "more than %d files or special tokens", MAX_LISTED);
    if (cli_u64(c, "vocab-size") > UINT32_MAX) return cph_fail(err, CPH_USAGE, "--vocab-size is too large");
    cph_train_tokenizer_opts_init(o);
    for (size_t i = 1; i < cli_n_args(c); i++) files[o->n_files++] = cli_arg(c, i);
    o->files = files;
    o->corpus = cli_str(c, "corpus");
    o->revocations = cli_str(c, "revocations");
    o->no_revocations = cli_flag(c, "no-revocations");
    o->bpe.vocab_size = (uint32_t)cli_u64(c, "vocab-size");
    o->bpe.min_frequency = cli_u64(c, "min-frequency");
    o->bpe.full_alphabet = strcmp(cli_str(c, "alphabet"), "bytes") == 0;
    o->bpe.specials_first = strcmp(cli_str(c, "specials"), "first") == 0;
    for (size_t i = 0; i < cli_n_list(c, "special"); i++) specials[i] = cph_str_of(cli_list(c, "special", i));
    if (cli_n_list(c, "special")) {
        o->bpe.specials = specials;
        o->bpe.n_specials = cli_n_list(c, "special");
    }
    o->started_unix_s = cli_started(c);
    return cli_pool(c, &o->pool, err);
}

static cph_status run_train(cli *c, cph_err *err)
{
    const char *files[MAX_LISTED], *out = cli_str(c, "out");
    cph_str specials[MAX_LISTED];
    cph_train_tokenizer_opts o;
    cph_bpe_report r;
    cph_digest digest;
    char hex[CPH_HEX_DIGEST];
    CPH_TRY(cli_need(c, "out", err));
    CPH_TRY(fill_train(c, &o, files, specials, err));
    CPH_TRY(cph_train_tokenizer(&o, out, &digest, &r, err));
    cph_digest_hex(&digest, hex);
    if (cli_json(c))
        cli_print(c, "{\"digest\":\"%s\",\"texts\":%llu,\"words\":%llu,\"distinct\":%llu,"
                  "\"alphabet\":%u,\"merges\":%u}\n",
                  hex, (unsigned long long)r.n_texts, (unsigned long long)r.n_words,
                  (unsigned long long)r.n_distinct, r.alphabet, r.merges);
    else
        cli_print(c, "tokenizer %s sealed: %u merges from %llu words (%llu different ones); "
                  "the last pair occurred %lld times: %.16s\n",
                  out, r.merges, (unsigned long long)r.n_words, (unsigned long long)r.n_distinct,
                  (long long)r.last_count, hex);
    return CPH_OK;
}

static const cli_opt train_opts[] = {
    {"corpus", CLI_STR, CLI_RUN, "DIR", NULL, "the sealed corpus to learn from; instead of FILE"},
    {"revocations", CLI_STR, CLI_IDENTITY, "FILE", NULL, "what was withdrawn since the corpus was sealed"},
    {"no-revocations", CLI_FLAG, CLI_IDENTITY, NULL, NULL, "there is no such list; the tokenizer says so"},
    {"vocab-size", CLI_U64, CLI_IDENTITY, "N", "30000",
     "tokens in all, the 256 bytes and special tokens included"},
    {"min-frequency", CLI_U64, CLI_IDENTITY, "N", "2", "a pair that occurs less often is not merged"},
    {"alphabet", CLI_CHOICE, CLI_IDENTITY, "bytes|seen", "bytes",
     "tokens to start from: all 256 bytes, so that any text can be encoded, or those that occur"},
    {"special", CLI_LIST, CLI_IDENTITY, "TOKEN", NULL, "a special token; <|endoftext|> when none is given"},
    {"specials", CLI_CHOICE, CLI_IDENTITY, "first|last", "last",
     "where special tokens have their ids; GPT-2 has them last"},
    {"out", CLI_STR, CLI_RUN, "DIR", NULL, "where the tokenizer is sealed"},
    {0}};

const cli_command cmd_tokenizer_train = {
    .name = "tokenizer train",
    .args = "bpe [FILE...]",
    .min_args = 1,
    .max_args = UINT_MAX,
    .summary = "learn a byte-level BPE tokenizer from a corpus or from files",
    .about =
        "Counts the words and merges the most frequent pair again and again, with the result that Hugging Face's "
        "trainer gives. The directory loads in Transformers (tokenizer.json, vocab.json, merges.txt and their "
        "configuration) and has a colophon.json.\n\n"
        "A corpus is read through its gate: with the policy that it was sealed for, and with a list of revocations "
        "or the word that there is none. A FILE is UTF-8 text, read line by line.",
    .examples =
        "colophon tokenizer train bpe --corpus books --no-revocations --vocab-size 16000 --out books.tokenizer\n"
        "colophon tokenizer train bpe news.txt --out news.tokenizer",
    .opts = train_opts,
    .run = run_train};

/* ---- encode, decode ---- */

/* Calls `each` with every line of the files given after the tokenizer; of standard input when there is none. */
static cph_status each_line(cli *c, cph_status (*each)(void *ctx, cph_str line, cph_err *err), void *ctx,
                            cph_err *err)
{
    size_t n = cli_n_args(c) > 1 ? cli_n_args(c) : 2;
    cph_status s = CPH_END;
    for (size_t i = 1; i < n && s == CPH_END; i++) {
        cph_lines *lines;
        cph_str line;
        CPH_TRY(cph_lines_open(&lines, cli_n_args(c) > 1 ? cli_arg(c, i) : "/dev/stdin", MAX_LINE, err));
        while ((s = cph_lines_next(lines, &line, err)) == CPH_OK) {
            s = each(ctx, line, err);
            if (s == CPH_DATA)
                (void)cph_err_prefix(err, "%s", cli_n_args(c) > 1 ? cli_arg(c, i) : "standard input");
            if (s != CPH_OK) break;
        }
        cph_lines_close(lines);
    }
    return s == CPH_END ? CPH_OK : s;
}

typedef struct encoding {
    cli *c;
    cph_tokenizer *t;
    cph_encoder *e;
    cph_ids ids;
    cph_buf out;
    uint64_t n_lines;
} encoding;

static cph_status print_json(encoding *k, cph_err *err)
{
    cph_jw w = cph_jw_on(&k->out);
    cph_jw_obj(&w);
    cph_jw_key(&w, "ids");
    cph_jw_arr(&w);
    for (size_t i = 0; i < k->ids.n; i++) cph_jw_u64(&w, k->ids.at[i]);
    cph_jw_end(&w);
    cph_jw_key(&w, "tokens");
    cph_jw_arr(&w);
    for (size_t i = 0; i < k->ids.n; i++) cph_jw_str(&w, cph_tokenizer_token(k->t, k->ids.at[i]));
    cph_jw_end(&w);
    cph_jw_key(&w, "bytes");
    cph_jw_arr(&w);
    for (size_t i = 0; i < k->ids.n; i++) {
        cph_jw_arr(&w);
        cph_jw_u64(&w, k->ids.begin[i]);
        cph_jw_u64(&w, k->ids.end[i]);
        cph_jw_end(&w);
    }
    cph_jw_end(&w);
    cph_jw_end(&w);
    return cph_jw_done(&w, err);
}

static cph_status encode_line(void *ctx, cph_str line, cph_err *err)
{
    encoding *k = ctx;
    bool json = cli_json(k->c), tokens = cli_flag(k->c, "tokens");
    k->ids.n = 0;
    cph_buf_cut(&k->out, 0);
    CPH_TRY(cph_encode(k->e, line, cli_flag(k->c, "specials"), json, &k->ids, err));
    if (json) {
        CPH_TRY(cph_buf_z(&k->out, k->n_lines ? ",\n" : "[", err));
        CPH_TRY(print_json(k, err));
    }
    for (size_t i = 0; i < k->ids.n && !json; i++) {
        if (i) CPH_TRY(cph_buf_char(&k->out, ' ', err));
        if (tokens)
            CPH_TRY(cph_buf_str(&k->out, cph_tokenizer_token(k->t, k->ids.at[i]), err));
        else
            CPH_TRY(cph_buf_printf(&k->out, err, "%u", k->ids.at[i]));
    }
    if (!json) CPH_TRY(cph_buf_char(&k->out, '\n', err));
    k->n_lines++;
    cli_write(k->c, k->out.p, k->out.n);
    return CPH_OK;
}

static cph_status run_encode(cli *c, cph_err *err)
{
    encoding k = {.c = c};
    cph_buf_init(&k.out, SIZE_MAX);
    cph_status s = cph_tokenizer_open(&k.t, cli_arg(c, 0), err);
    if (s == CPH_OK) s = cph_encoder_open(&k.e, k.t, err);
    if (s == CPH_OK) s = each_line(c, encode_line, &k, err);
    if (s == CPH_OK && cli_json(c)) cli_print(c, k.n_lines ? "]\n" : "[]\n");
    cph_ids_release(&k.ids);
    cph_buf_release(&k.out);
    cph_encoder_close(k.e);
    cph_tokenizer_close(k.t);
    return s;
}

static const cli_opt encode_opts[] = {
    {"specials", CLI_FLAG, CLI_RUN, NULL, NULL,
     "recognise special tokens in the text; without it they are text like any other"},
    {"tokens", CLI_FLAG, CLI_RUN, NULL, NULL, "print tokens as tokenizer.json has them, instead of ids"},
    {0}};

const cli_command cmd_tokenizer_encode = {
    .name = "tokenizer encode",
    .args = "TOKENIZER [FILE...]",
    .min_args = 1,
    .max_args = UINT_MAX,
    .summary = "text to token ids, a line for each line",
    .about =
        "TOKENIZER is a tokenizer.json or a directory with one: a sealed tokenizer, a model of ours or of Hugging Face. "
        "Without FILE, standard input is read. With --json, ids, tokens and their places in bytes.",
    .examples = "echo 'Det var en gang' | colophon tokenizer encode books.tokenizer\n"
                "colophon tokenizer encode gpt2/tokenizer.json news.txt --tokens",
    .opts = encode_opts,
    .run = run_encode};

typedef struct decoding {
    cli *c;
    cph_tokenizer *t;
    cph_ids ids;
    cph_buf out;
    uint64_t n_lines;
} decoding;

static cph_status read_ids(decoding *k, cph_str line, cph_err *err)
{
    cph_str part;
    size_t n = 0;
    void *mem = k->ids.at;
    CPH_TRY(cph_realloc(&mem, (line.n / 2 + 1) * sizeof *k->ids.at, err));
    k->ids.at = mem;
    while (cph_str_split(&line, ' ', &part)) {
        uint64_t id;
        part = cph_str_trim(part);
        if (!part.n) continue;
        if (!cph_str_u64(part, &id) || id >= cph_tokenizer_vocab_size(k->t))
            return cph_fail(err, CPH_DATA, "line %llu: '%.*s' is no id of this tokenizer",
                            (unsigned long long)k->n_lines, CPH_FMT(cph_str_sub(part, 0, 40)));
        k->ids.at[n++] = (uint32_t)id;
    }
    k->ids.n = n;
    return CPH_OK;
}

static cph_status decode_line(void *ctx, cph_str line, cph_err *err)
{
    decoding *k = ctx;
    cph_buf text;
    k->n_lines++;
    cph_buf_cut(&k->out, 0);
    CPH_TRY(read_ids(k, line, err));
    if (!cli_json(k->c)) {
        CPH_TRY(cph_decode(k->t, k->ids.at, k->ids.n, cli_flag(k->c, "skip-special"), false, &k->out, err));
        CPH_TRY(cph_buf_char(&k->out, '\n', err));
    } else {
        cph_buf_init(&text, SIZE_MAX);
        cph_status s = cph_decode(k->t, k->ids.at, k->ids.n, cli_flag(k->c, "skip-special"), false, &text,
                                  err);
        if (s == CPH_OK) s = cph_buf_z(&k->out, k->n_lines > 1 ? ",\n" : "[", err);
        if (s == CPH_OK) s = cph_json_quote(&k->out, cph_buf_view(&text), err);
        cph_buf_release(&text);
        CPH_TRY(s);
    }
    cli_write(k->c, k->out.p, k->out.n);
    return CPH_OK;
}

static cph_status run_decode(cli *c, cph_err *err)
{
    decoding k = {.c = c};
    cph_buf_init(&k.out, SIZE_MAX);
    cph_status s = cph_tokenizer_open(&k.t, cli_arg(c, 0), err);
    if (s == CPH_OK) s = each_line(c, decode_line, &k, err);
    if (s == CPH_OK && cli_json(c)) cli_print(c, k.n_lines ? "]\n" : "[]\n");
    cph_ids_release(&k.ids);
    cph_buf_release(&k.out);
    cph_tokenizer_close(k.t);
    return s;
}

static const cli_opt decode_opts[] = {
    {"skip-special", CLI_FLAG, CLI_RUN, NULL, NULL, "leave special tokens out of the text"},
    {0}};

const cli_command cmd_tokenizer_decode = {
    .name = "tokenizer decode",
    .args = "TOKENIZER [FILE...]",
    .min_args = 1,
    .max_args = UINT_MAX,
    .summary = "token ids to text, a line of ids after the other",
    .about =
        "Reads ids parted by blanks from FILE or standard input, as `colophon tokenizer encode` prints them. Bytes that "
        "are no valid UTF-8 become U+FFFD. With --json, an array of strings.",
    .examples = "colophon tokenizer encode T news.txt | colophon tokenizer decode T",
    .opts = decode_opts,
    .run = run_decode};
