/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vocabulary.c - builds a tokenizer's tables, whether from a file or from training.
 *
 * After cph_tok_index the tokenizer is complete and never changes again.
 */
#include "tokenizer_in.h"

#include <colophon/base/log.h>

#include <stdlib.h>

const char *const cph_tok_parts_in_order[N_PARTS] = {"truncation",    "padding",        "normalizer",
                                                     "pre_tokenizer", "post_processor", "decoder"};
const char *const cph_tok_fields_in_order[N_MODEL_FIELDS] = {
    "dropout",       "unk_token",    "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
    "byte_fallback", "ignore_merges"};

/* A tokenizer.json without vocabulary. */
static const char gpt2_layout[] =
    "{\"truncation\":null,\"padding\":null,\"normalizer\":null,"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true},"
    "\"post_processor\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":false,\"use_regex\":true},"
    "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true},"
    "\"model\":{\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":\"\",\"end_of_word_suffix\":\"\","
    "\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":false}}";

static uint32_t power_above(uint64_t n)
{
    uint32_t size = 16;
    while (size < n) size *= 2;
    return size;
}

static cph_status fill(cph_arena *a, void **out, size_t n, size_t size, int byte, cph_err *err)
{
    CPH_TRY(cph_arena_alloc(a, out, n * size, err));
    memset(*out, byte, n * size);
    return CPH_OK;
}

cph_status cph_tok_new(cph_tokenizer **out, uint32_t n_ids, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_tokenizer), err));
    cph_tokenizer *t = mem;
    cph_arena_init(&t->arena, 0);
    uint32_t size = power_above(2 * (uint64_t)n_ids + 2);
    cph_status s = cph_arena_alloc0(&t->arena, &mem, n_ids + (size_t)1, sizeof *t->token, err);
    t->token = s == CPH_OK ? mem : NULL;
    if (s == CPH_OK) s = cph_arena_alloc0(&t->arena, &mem, n_ids + (size_t)1, sizeof *t->bytes, err);
    t->bytes = s == CPH_OK ? mem : NULL;
    if (s == CPH_OK) s = cph_arena_alloc0(&t->arena, &mem, n_ids + (size_t)1, 1, err);
    t->flags = s == CPH_OK ? mem : NULL;
    if (s == CPH_OK) s = fill(&t->arena, &mem, size, sizeof *t->by_string, 0xFF, err);
    t->by_string = s == CPH_OK ? mem : NULL;
    t->string_mask = size - 1;
    t->n_ids = n_ids;
    if (s != CPH_OK) {
        cph_tokenizer_close(t);
        return s;
    }
    *out = t;
    return CPH_OK;
}

void cph_tokenizer_close(cph_tokenizer *t)
{
    if (!t) return;
    cph_arena_release(&t->arena);
    cph_free(t);
}

static uint32_t *string_slot(const cph_tokenizer *t, cph_str s)
{
    for (uint32_t i = (uint32_t)cph_xxh3(s.p, s.n, 0) & t->string_mask;; i = (i + 1) & t->string_mask)
        if (t->by_string[i] == NO_ID || cph_str_eq(t->token[t->by_string[i]], s)) return &t->by_string[i];
}

uint32_t cph_tok_find(const cph_tokenizer *t, cph_str s) { return *string_slot(t, s); }

/* The bytes that a token's string stands for, or its own when some character is no byte (tokenizers 11). */
static cph_status decoded(cph_tokenizer *t, cph_str s, cph_str *out, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc(&t->arena, &mem, s.n + 1, err));
    char *bytes = mem;
    size_t n = 0;
    for (size_t at = 0, step; at < s.n; at += step) {
        uint32_t cp;
        step = cph_utf8_decode(s.p + at, s.n - at, &cp);
        int byte = step ? cph_byte_of_char(cp) : -1;
        if (byte < 0) {
            *out = s;
            return CPH_OK;
        }
        bytes[n++] = (char)byte;
    }
    *out = (cph_str){bytes, n};
    return CPH_OK;
}

cph_status cph_tok_put(cph_tokenizer *t, uint32_t id, cph_str s, const char *name, cph_err *err)
{
    uint32_t *slot = string_slot(t, s);
    if (*slot != NO_ID)
        return cph_fail(err, CPH_DATA, "%s: the token \"%.*s\" stands twice in the vocabulary", name,
                        CPH_FMT(s));
    if (t->token[id].p)
        return cph_fail(err, CPH_DATA, "%s: two tokens have the id %u: \"%.*s\" and \"%.*s\"", name, id,
                        CPH_FMT(t->token[id]), CPH_FMT(s));
    cph_str copy, bytes;
    CPH_TRY(cph_arena_str(&t->arena, &copy, s, err));
    CPH_TRY(decoded(t, copy, &bytes, err));
    t->token[id] = copy;
    t->bytes[id] = bytes;
    *slot = id;
    return CPH_OK;
}

cph_status cph_tok_add(cph_tokenizer *t, const added *a, const char *name, cph_err *err)
{
    uint32_t known = cph_tok_find(t, a->content);
    if (known == NO_ID) CPH_TRY(cph_tok_put(t, a->id, a->content, name, err));
    bool again = t->flags[a->id] & ID_ADDED;
    t->flags[a->id] = (uint8_t)((t->flags[a->id] & ID_IN_MODEL) | ID_ADDED | (a->special ? ID_SPECIAL : 0));
    added *same = NULL;
    for (uint32_t i = 0; i < t->n_added && again; i++)
        if (t->added[i].id == a->id) same = &t->added[i];
    if (!same) same = &t->added[t->n_added++];
    *same = *a;
    same->content = t->token[a->id];
    return CPH_OK;
}

static cph_status index_pairs(cph_tokenizer *t, const char *name, cph_err *err)
{
    void *mem;
    uint32_t size = power_above(2 * (uint64_t)t->n_merges + 2), twice = 0;
    CPH_TRY(fill(&t->arena, &mem, size, sizeof *t->pairs, 0xFF, err));
    t->pairs = mem;
    t->pair_mask = size - 1;
    for (uint32_t rank = 0; rank < t->n_merges; rank++) {
        merge m = t->merges[rank];
        uint32_t i = pair_hash(m.a, m.b) & t->pair_mask;
        while (t->pairs[i].a != NO_ID && (t->pairs[i].a != m.a || t->pairs[i].b != m.b))
            i = (i + 1) & t->pair_mask;
        twice += t->pairs[i].a != NO_ID;
        t->pairs[i] = (pair_slot){m.a, m.b, rank, m.id};
    }
    if (twice) cph_log(CPH_WARN, "%s: %u merges stand twice: the later one counts", name, twice);
    return CPH_OK;
}

static cph_status index_bytes(cph_tokenizer *t, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc(&t->arena, &mem, 65536 * sizeof *t->byte_pair, err));
    t->byte_pair = mem;
    t->all_bytes = true;
    for (int i = 0; i < 256; i++) {
        char z[4];
        uint32_t id = cph_tok_find(t, (cph_str){z, cph_utf8_encode(cph_byte_char[i], z)});
        if (id != NO_ID && !(t->flags[id] & ID_IN_MODEL)) id = NO_ID;
        t->byte_id[i] = id;
        t->all_bytes &= id != NO_ID;
    }
    for (uint32_t i = 0; i < 65536; i++) {
        uint32_t a = t->byte_id[i >> 8], b = t->byte_id[i & 255];
        const pair_slot *s = a != NO_ID && b != NO_ID ? pair_find(t, a, b) : NULL;
        t->byte_pair[i] = s ? s->rank : NO_ID;
    }
    return CPH_OK;
}

static int by_content(const void *a, const void *b)
{
    return cph_str_cmp((*(const added *const *)a)->content, (*(const added *const *)b)->content);
}

static cph_status index_added(cph_tokenizer *t, added_set *set, bool normalized, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc(&t->arena, &mem, (t->n_added + (size_t)1) * sizeof *set->at, err));
    set->at = mem;
    for (uint32_t i = 0; i < t->n_added; i++) {
        if (t->added[i].normalized != normalized) continue;
        set->at[set->n++] = &t->added[i];
        set->first[(unsigned char)t->added[i].content.p[0]] = true;
    }
    qsort(set->at, set->n, sizeof *set->at, by_content);
    return CPH_OK;
}

cph_status cph_tok_index(cph_tokenizer *t, const char *name, cph_err *err)
{
    CPH_TRY(index_pairs(t, name, err));
    CPH_TRY(index_bytes(t, err));
    CPH_TRY(index_added(t, &t->pass[0], false, err));
    return index_added(t, &t->pass[1], true, err);
}

/* A part as a tree of the tokenizer's own: written out and read again. */
static cph_status keep(cph_tokenizer *t, const cph_json *v, const cph_json **out, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, (size_t)64 << 20);
    cph_str text;
    cph_status s = v ? cph_json_write(&b, v, 0, err) : cph_buf_z(&b, "null", err);
    if (s == CPH_OK) s = cph_arena_str(&t->arena, &text, cph_buf_view(&b), err);
    cph_buf_release(&b);
    cph_json *copy;
    if (s == CPH_OK) s = cph_json_parse(&copy, &t->arena, text, "tokenizer.json", NULL, err);
    if (s == CPH_OK) *out = copy;
    return s;
}

cph_status cph_tok_parts(cph_tokenizer *t, const cph_json *top, cph_err *err)
{
    cph_arena scratch;
    cph_arena_init(&scratch, 0);
    cph_json *defaults;
    cph_status s = cph_json_parse(&defaults, &scratch, cph_str_of(gpt2_layout), "layout", NULL, err);
    for (int i = 0; i < N_PARTS && s == CPH_OK; i++)
        s = keep(t, cph_json_get(top, cph_tok_parts_in_order[i]), &t->part[i], err);
    for (int i = 0; i < N_MODEL_FIELDS && s == CPH_OK; i++) {
        const cph_json *v = cph_json_get(cph_json_get(top, "model"), cph_tok_fields_in_order[i]);
        if (!v && i >= 4) v = cph_json_get(cph_json_get(defaults, "model"), cph_tok_fields_in_order[i]);
        s = keep(t, v, &t->model_field[i], err);
    }
    cph_arena_release(&scratch);
    return s;
}

cph_status cph_tok_specials(cph_tokenizer *t, uint32_t first, const cph_str *specials, size_t n,
                            const char *name, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc0(&t->arena, &mem, n + 1, sizeof(added), err));
    t->added = mem;
    for (size_t i = 0; i < n; i++) {
        added a = {.content = specials[i], .id = cph_tok_find(t, specials[i]), .special = true};
        if (!a.content.n) return cph_fail(err, CPH_USAGE, "a special token is empty");
        if (a.id == NO_ID) {
            a.id = first++;
            CPH_TRY(cph_tok_put(t, a.id, a.content, name, err));
            t->flags[a.id] = ID_IN_MODEL;
            t->n_model++;
        }
        CPH_TRY(cph_tok_add(t, &a, name, err));
    }
    return CPH_OK;
}

cph_status cph_tok_layout(cph_tokenizer *t, cph_err *err)
{
    cph_arena scratch;
    cph_arena_init(&scratch, 0);
    cph_json *layout;
    cph_status s = cph_json_parse(&layout, &scratch, cph_str_of(gpt2_layout), "layout", NULL, err);
    if (s == CPH_OK) s = cph_tok_parts(t, layout, err);
    cph_arena_release(&scratch);
    return s;
}

/* ---- answers ---- */

uint32_t cph_tokenizer_vocab_size(const cph_tokenizer *t) { return t->n_ids; }

bool cph_tokenizer_id(const cph_tokenizer *t, cph_str content, uint32_t *id)
{
    uint32_t hit = cph_tok_find(t, content);
    if (hit != NO_ID) *id = hit;
    return hit != NO_ID;
}

cph_str cph_tokenizer_token(const cph_tokenizer *t, uint32_t id)
{
    return id < t->n_ids && t->token[id].p ? t->token[id] : CPH_STR("");
}

bool cph_tokenizer_is_special(const cph_tokenizer *t, uint32_t id)
{
    return id < t->n_ids && (t->flags[id] & ID_SPECIAL);
}

bool cph_tokenizer_digest(const cph_tokenizer *t, cph_digest *out)
{
    if (t->sealed) *out = t->digest;
    return t->sealed;
}
