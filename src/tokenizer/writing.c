/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writing.c - tokenizer.json byte for byte as the Hugging Face core writes it, and
 * the files that Transformers looks for beside it (tokenizers 12).
 */
#include "tokenizer_in.h"

#include <colophon/base/file.h>
#include <colophon/provenance/manifest.h>

/* Pretty or compact: what stands between things. */
typedef struct style {
    cph_buf *b;
    bool pretty;
    cph_err *err;
} style;

static cph_status new_line(style *w, unsigned depth)
{
    if (!w->pretty) return CPH_OK;
    CPH_TRY(cph_buf_char(w->b, '\n', w->err));
    while (depth--) CPH_TRY(cph_buf_z(w->b, "  ", w->err));
    return CPH_OK;
}

static cph_status key(style *w, const char *name)
{
    return cph_buf_printf(w->b, w->err, "\"%s\":%s", name, w->pretty ? " " : "");
}

/* A kept tree, its lines moved in by `depth` levels. */
static cph_status tree(style *w, const cph_json *v, unsigned depth)
{
    cph_buf text;
    cph_buf_init(&text, (size_t)64 << 20);
    cph_status s = cph_json_write(&text, v, w->pretty ? 2 : 0, w->err);
    cph_str rest = cph_buf_view(&text), line;
    for (bool first = true; s == CPH_OK && cph_str_split(&rest, '\n', &line); first = false) {
        if (!first) s = new_line(w, depth);
        if (s == CPH_OK) s = cph_buf_str(w->b, line, w->err);
    }
    cph_buf_release(&text);
    return s;
}

static cph_status part(style *w, const cph_tokenizer *t, enum part p)
{
    CPH_TRY(new_line(w, 1));
    CPH_TRY(key(w, cph_tok_parts_in_order[p]));
    CPH_TRY(tree(w, t->part[p], 1));
    return cph_buf_char(w->b, ',', w->err);
}

static cph_status added_token(style *w, const added *a)
{
    const struct {
        const char *name;
        bool v;
    } flags[] = {{"single_word", a->single_word}, {"lstrip", a->lstrip}, {"rstrip", a->rstrip},
                 {"normalized", a->normalized}, {"special", a->special}};
    CPH_TRY(cph_buf_char(w->b, '{', w->err));
    CPH_TRY(new_line(w, 3));
    CPH_TRY(key(w, "id"));
    CPH_TRY(cph_buf_printf(w->b, w->err, "%u,", a->id));
    CPH_TRY(new_line(w, 3));
    CPH_TRY(key(w, "content"));
    CPH_TRY(cph_json_quote(w->b, a->content, w->err));
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        CPH_TRY(cph_buf_char(w->b, ',', w->err));
        CPH_TRY(new_line(w, 3));
        CPH_TRY(key(w, flags[i].name));
        CPH_TRY(cph_buf_z(w->b, flags[i].v ? "true" : "false", w->err));
    }
    CPH_TRY(new_line(w, 2));
    return cph_buf_char(w->b, '}', w->err);
}

static cph_status added_tokens(style *w, const cph_tokenizer *t)
{
    CPH_TRY(new_line(w, 1));
    CPH_TRY(key(w, "added_tokens"));
    CPH_TRY(cph_buf_char(w->b, '[', w->err));
    bool any = false;
    for (uint32_t id = 0; id < t->n_ids; id++) { /* in the order of their ids */
        if (!(t->flags[id] & ID_ADDED)) continue;
        const added *a = t->added;
        while (a->id != id) a++;
        if (any) CPH_TRY(cph_buf_char(w->b, ',', w->err));
        CPH_TRY(new_line(w, 2));
        CPH_TRY(added_token(w, a));
        any = true;
    }
    if (any) CPH_TRY(new_line(w, 1));
    return cph_buf_z(w->b, "],", w->err);
}

static cph_status vocab(style *w, const cph_tokenizer *t, unsigned depth)
{
    CPH_TRY(cph_buf_char(w->b, '{', w->err));
    bool any = false;
    for (uint32_t id = 0; id < t->n_ids; id++) {
        if (!(t->flags[id] & ID_IN_MODEL)) continue;
        if (any) CPH_TRY(cph_buf_char(w->b, ',', w->err));
        CPH_TRY(new_line(w, depth + 1));
        CPH_TRY(cph_json_quote(w->b, t->token[id], w->err));
        CPH_TRY(cph_buf_printf(w->b, w->err, w->pretty ? ": %u" : ":%u", id));
        any = true;
    }
    if (any) CPH_TRY(new_line(w, depth));
    return cph_buf_char(w->b, '}', w->err);
}

/* A pair that stands twice counts by its last rank: earlier ones are not written. */
static bool is_live(const cph_tokenizer *t, uint32_t rank)
{
    return pair_find(t, t->merges[rank].a, t->merges[rank].b)->rank == rank;
}

static cph_status merges(style *w, const cph_tokenizer *t)
{
    CPH_TRY(cph_buf_char(w->b, '[', w->err));
    bool any = false;
    for (uint32_t rank = 0; rank < t->n_merges; rank++) {
        if (!is_live(t, rank)) continue;
        if (any) CPH_TRY(cph_buf_char(w->b, ',', w->err));
        CPH_TRY(new_line(w, 3));
        CPH_TRY(cph_buf_char(w->b, '[', w->err));
        CPH_TRY(new_line(w, 4));
        CPH_TRY(cph_json_quote(w->b, t->token[t->merges[rank].a], w->err));
        CPH_TRY(cph_buf_char(w->b, ',', w->err));
        CPH_TRY(new_line(w, 4));
        CPH_TRY(cph_json_quote(w->b, t->token[t->merges[rank].b], w->err));
        CPH_TRY(new_line(w, 3));
        CPH_TRY(cph_buf_char(w->b, ']', w->err));
        any = true;
    }
    if (any) CPH_TRY(new_line(w, 2));
    return cph_buf_char(w->b, ']', w->err);
}

static cph_status model(style *w, const cph_tokenizer *t)
{
    CPH_TRY(new_line(w, 1));
    CPH_TRY(key(w, "model"));
    CPH_TRY(cph_buf_char(w->b, '{', w->err));
    CPH_TRY(new_line(w, 2));
    CPH_TRY(key(w, "type"));
    CPH_TRY(cph_buf_z(w->b, "\"BPE\",", w->err));
    for (int i = 0; i < N_MODEL_FIELDS; i++) {
        CPH_TRY(new_line(w, 2));
        CPH_TRY(key(w, cph_tok_fields_in_order[i]));
        CPH_TRY(tree(w, t->model_field[i], 2));
        CPH_TRY(cph_buf_char(w->b, ',', w->err));
    }
    CPH_TRY(new_line(w, 2));
    CPH_TRY(key(w, "vocab"));
    CPH_TRY(vocab(w, t, 2));
    CPH_TRY(cph_buf_char(w->b, ',', w->err));
    CPH_TRY(new_line(w, 2));
    CPH_TRY(key(w, "merges"));
    CPH_TRY(merges(w, t));
    CPH_TRY(new_line(w, 1));
    return cph_buf_char(w->b, '}', w->err);
}

cph_status cph_tokenizer_json(cph_buf *b, const cph_tokenizer *t, bool pretty, cph_err *err)
{
    style w = {b, pretty, err};
    CPH_TRY(cph_buf_char(b, '{', err));
    CPH_TRY(new_line(&w, 1));
    CPH_TRY(key(&w, "version"));
    CPH_TRY(cph_buf_z(b, "\"1.0\",", err));
    CPH_TRY(part(&w, t, PART_TRUNCATION));
    CPH_TRY(part(&w, t, PART_PADDING));
    CPH_TRY(added_tokens(&w, t));
    for (int p = PART_NORMALIZER; p < N_PARTS; p++) CPH_TRY(part(&w, t, (enum part)p));
    CPH_TRY(model(&w, t));
    CPH_TRY(new_line(&w, 0));
    return cph_buf_char(b, '}', err);
}

cph_status cph_tokenizer_vocab_json(cph_buf *b, const cph_tokenizer *t, cph_err *err)
{
    return vocab(&(style){b, false, err}, t, 0);
}

cph_status cph_tokenizer_merges_txt(cph_buf *b, const cph_tokenizer *t, cph_err *err)
{
    CPH_TRY(cph_buf_z(b, "#version: 0.2\n", err));
    for (uint32_t rank = 0; rank < t->n_merges; rank++) {
        if (!is_live(t, rank)) continue;
        CPH_TRY(cph_buf_str(b, t->token[t->merges[rank].a], err));
        CPH_TRY(cph_buf_char(b, ' ', err));
        CPH_TRY(cph_buf_str(b, t->token[t->merges[rank].b], err));
        CPH_TRY(cph_buf_char(b, '\n', err));
    }
    return CPH_OK;
}

/* ---- what Transformers reads beside it ---- */

/* The token that begins and ends texts: <|endoftext|>, or the first special one; NULL when there is none. */
static const added *end_of_text(const cph_tokenizer *t)
{
    const added *first = NULL;
    for (uint32_t i = 0; i < t->n_added; i++) {
        if (cph_str_is(t->added[i].content, "<|endoftext|>")) return &t->added[i];
        if (t->added[i].special && !first) first = &t->added[i];
    }
    return first;
}

static const char *const special_roles[] = {"bos_token", "eos_token", "unk_token"};

/* `alphabetical` order of keys, as both files have it. */
static cph_status special_tokens_map(cph_buf *b, const cph_tokenizer *t, cph_err *err)
{
    cph_arena a;
    cph_arena_init(&a, 0);
    cph_json *top;
    const added *end = end_of_text(t);
    cph_status s = cph_json_new(&top, &a, CPH_JSON_OBJECT, err);
    for (int i = 0; i < 3 && end && s == CPH_OK; i++)
        s = cph_json_set_str(top, &a, special_roles[i], end->content, err);
    if (s == CPH_OK) s = cph_json_write(b, top, 2, err);
    if (s == CPH_OK) s = cph_buf_char(b, '\n', err);
    cph_arena_release(&a);
    return s;
}

static cph_status set_bool(cph_json *object, cph_arena *a, const char *name, bool v, cph_err *err)
{
    cph_json *b;
    CPH_TRY(cph_json_new(&b, a, v ? CPH_JSON_TRUE : CPH_JSON_FALSE, err));
    return cph_json_set(object, a, name, b, err);
}

static cph_status added_tokens_decoder(cph_json *top, cph_arena *a, const cph_tokenizer *t, cph_err *err)
{
    cph_json *all;
    CPH_TRY(cph_json_new(&all, a, CPH_JSON_OBJECT, err));
    for (uint32_t i = 0; i < t->n_added; i++) {
        const added *one = &t->added[i];
        cph_json *v;
        cph_str id;
        CPH_TRY(cph_json_new(&v, a, CPH_JSON_OBJECT, err));
        CPH_TRY(cph_json_set_str(v, a, "content", one->content, err));
        CPH_TRY(set_bool(v, a, "lstrip", one->lstrip, err));
        CPH_TRY(set_bool(v, a, "normalized", one->normalized, err));
        CPH_TRY(set_bool(v, a, "rstrip", one->rstrip, err));
        CPH_TRY(set_bool(v, a, "single_word", one->single_word, err));
        CPH_TRY(set_bool(v, a, "special", one->special, err));
        CPH_TRY(cph_arena_printf(a, &id, err, "%u", one->id));
        CPH_TRY(cph_json_set(all, a, id.p, v, err));
    }
    return cph_json_set(top, a, "added_tokens_decoder", all, err);
}

static cph_status fill_config(cph_json *top, cph_arena *a, const cph_tokenizer *t, uint32_t max_length,
                              cph_err *err)
{
    const added *end = end_of_text(t);
    CPH_TRY(set_bool(top, a, "add_prefix_space", t->add_prefix_space, err));
    CPH_TRY(added_tokens_decoder(top, a, t, err));
    for (int i = 0; i < 2 && end; i++) CPH_TRY(cph_json_set_str(top, a, special_roles[i], end->content, err));
    CPH_TRY(set_bool(top, a, "clean_up_tokenization_spaces", false, err));
    if (max_length) CPH_TRY(cph_json_set_i64(top, a, "model_max_length", max_length, err));
    CPH_TRY(cph_json_set_str(top, a, "tokenizer_class", CPH_STR("GPT2Tokenizer"), err));
    return end ? cph_json_set_str(top, a, special_roles[2], end->content, err) : CPH_OK;
}

static cph_status tokenizer_config(cph_buf *b, const cph_tokenizer *t, uint32_t max_length, cph_err *err)
{
    cph_arena a;
    cph_arena_init(&a, 0);
    cph_json *top;
    cph_status s = cph_json_new(&top, &a, CPH_JSON_OBJECT, err);
    if (s == CPH_OK) s = fill_config(top, &a, t, max_length, err);
    if (s == CPH_OK) s = cph_json_write(b, top, 2, err);
    if (s == CPH_OK) s = cph_buf_char(b, '\n', err);
    cph_arena_release(&a);
    return s;
}

cph_status cph_tokenizer_write_hf(const cph_tokenizer *t, const char *dir, uint32_t model_max_length,
                                  cph_err *err)
{
    static const char *const names[] = {"tokenizer.json", "vocab.json", "merges.txt",
                                        "special_tokens_map.json", "tokenizer_config.json"};
    cph_buf b;
    cph_buf_init(&b, (size_t)1 << 30);
    cph_status s = CPH_OK;
    for (int i = 0; i < 5 && s == CPH_OK; i++) {
        char path[CPH_PATH_MAX];
        b.n = 0;
        s = i == 0   ? cph_tokenizer_json(&b, t, true, err)
            : i == 1 ? cph_tokenizer_vocab_json(&b, t, err)
            : i == 2 ? cph_tokenizer_merges_txt(&b, t, err)
            : i == 3 ? special_tokens_map(&b, t, err)
                     : tokenizer_config(&b, t, model_max_length, err);
        if (s == CPH_OK) s = cph_path_join(path, dir, names[i], err);
        if (s == CPH_OK) s = cph_file_write(path, b.p, b.n, err);
    }
    cph_buf_release(&b);
    return s;
}

cph_status cph_tokenizer_seal(const cph_tokenizer *t, const char *out_dir, cph_arena *a, cph_json *identity,
                              cph_json *run, cph_digest *digest, cph_err *err)
{
    cph_outdir d;
    CPH_TRY(cph_identity_count(identity, a, "vocabulary", t->n_ids, err));
    CPH_TRY(cph_identity_count(identity, a, "merges", t->n_merges, err));
    CPH_TRY(cph_outdir_begin(&d, out_dir, false, err));
    cph_seal seal = {.kind = "tokenizer", .identity = identity, .run = run, .content_root = true};
    cph_digest name;
    cph_status s = cph_tokenizer_write_hf(t, d.path, 0, err);
    if (s == CPH_OK) s = cph_seal_write(d.path, a, &seal, &name, err);
    if (s == CPH_OK) s = cph_outdir_commit(&d, err);
    if (s != CPH_OK)
        cph_outdir_abort(&d);
    else if (digest)
        *digest = name;
    return s;
}
