/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loading.c - tokenizer.json to tables (tokenizers 12). What is malformed is CPH_DATA with
 * the key; a kind that is well-formed but not built here is CPH_USAGE with its name.
 */
#include "tokenizer_in.h"

#include <colophon/base/log.h>
#include <colophon/provenance/manifest.h>

#define MAX_FILE ((uint64_t)1 << 30)

typedef struct loader {
    cph_tokenizer *t;
    const cph_json *top, *model;
    const char *name;
    cph_err *err;
} loader;

static bool is_null(const cph_json *v) { return !v || v->type == CPH_JSON_NULL; }

static bool truth(const cph_json *object, const char *key, bool otherwise)
{
    bool v = otherwise;
    cph_json_bool(cph_json_get(object, key), &v);
    return v;
}

static cph_status not_built(const loader *l, const char *key, cph_str kind)
{
    cph_fail(l->err, CPH_USAGE, "%s: %s: the kind \"%.*s\" is not built yet", l->name, key, CPH_FMT(kind));
    return cph_hint(l->err, "byte-level BPE in the layout of GPT-2 is what this version reads");
}

/* ---- shape of the file ---- */

static void warn_unknown(const loader *l, const cph_json *object, const char *const *known, size_t n,
                         const char *where)
{
    for (const cph_json *m = object->first; m; m = m->next) {
        bool found = false;
        for (size_t i = 0; i < n && !found; i++) found = cph_str_is(m->key, known[i]);
        if (!found)
            cph_log(CPH_WARN, "%s: line %u: %s\"%.*s\" is unknown and ignored", l->name, m->line, where,
                    CPH_FMT(m->key));
    }
}

static cph_status check_shape(loader *l)
{
    static const char *const top[] = {"version", "truncation", "padding", "added_tokens", "normalizer",
                                      "pre_tokenizer", "post_processor", "decoder", "model"};
    static const char *const model[] = {"type", "dropout", "unk_token", "continuing_subword_prefix",
                                        "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges",
                                        "vocab", "merges"};
    if (l->top->type != CPH_JSON_OBJECT) return cph_fail(l->err, CPH_DATA, "%s: is no JSON object", l->name);
    const cph_json *version = cph_json_get(l->top, "version");
    if (version && (version->type != CPH_JSON_STRING || !cph_str_is(version->str, "1.0")))
        return cph_fail(l->err, CPH_DATA, "%s: version: is not \"1.0\"", l->name);
    l->model = cph_json_get(l->top, "model");
    if (!l->model || l->model->type != CPH_JSON_OBJECT)
        return cph_fail(l->err, CPH_DATA, "%s: model: is missing or no object", l->name);
    const cph_json *type = cph_json_get(l->model, "type");
    bool looks_bpe = cph_json_get(l->model, "merges") != NULL;
    if (type && type->type != CPH_JSON_STRING)
        return cph_fail(l->err, CPH_DATA, "%s: model.type: is no string", l->name);
    if (type ? !cph_str_is(type->str, "BPE") : !looks_bpe)
        return not_built(l, "model.type", type ? type->str : CPH_STR("without type or merges"));
    warn_unknown(l, l->top, top, sizeof top / sizeof *top, "");
    warn_unknown(l, l->model, model, sizeof model / sizeof *model, "model.");
    return CPH_OK;
}

/* ---- vocabulary and merges ---- */

static cph_status load_vocab(loader *l)
{
    const cph_json *vocab = cph_json_get(l->model, "vocab"), *more = cph_json_get(l->top, "added_tokens");
    if (!vocab || vocab->type != CPH_JSON_OBJECT)
        return cph_fail(l->err, CPH_DATA, "%s: model.vocab: is missing or no object", l->name);
    if (!is_null(more) && more->type != CPH_JSON_ARRAY)
        return cph_fail(l->err, CPH_DATA, "%s: added_tokens: is no array", l->name);
    uint64_t top = 0, id, n_added = is_null(more) ? 0 : more->n, limit = 1024 * (uint64_t)vocab->n + 65536;
    if (limit > MAX_IDS) limit = MAX_IDS;
    for (const cph_json *m = vocab->first; m; m = m->next) {
        if (!cph_json_u64(m, &id))
            return cph_fail(l->err, CPH_DATA,
                            "%s: line %u: model.vocab: the id of \"%.*s\" is no whole number", l->name,
                            m->line, CPH_FMT(m->key));
        if (id >= limit)
            return cph_fail(l->err, CPH_DATA,
                            "%s: line %u: model.vocab: the id %llu is beyond any vocabulary", l->name,
                            m->line, (unsigned long long)id);
        if (id >= top) top = id + 1;
    }
    if (vocab->n > top) top = vocab->n; /* two with one id: said below */
    if (top + n_added > MAX_IDS)
        return cph_fail(l->err, CPH_NOMEM, "%s: more than %u tokens", l->name, MAX_IDS);
    CPH_TRY(cph_tok_new(&l->t, (uint32_t)(top + n_added), l->err));
    l->t->n_model = vocab->n;
    for (const cph_json *m = vocab->first; m; m = m->next) {
        id = 0;
        cph_json_u64(m, &id);
        CPH_TRY(cph_tok_put(l->t, (uint32_t)id, m->key, l->name, l->err));
        l->t->flags[id] = ID_IN_MODEL;
    }
    return CPH_OK;
}

static cph_status merge_parts(const loader *l, const cph_json *m, cph_str *a, cph_str *b)
{
    if (m->type == CPH_JSON_STRING) {
        size_t blank = cph_str_find(m->str, ' ', 0);
        if (blank != SIZE_MAX && cph_str_find(m->str, ' ', blank + 1) == SIZE_MAX) {
            *a = cph_str_sub(m->str, 0, blank);
            *b = cph_str_sub(m->str, blank + 1, m->str.n - blank - 1);
            return CPH_OK;
        }
    } else if (m->type == CPH_JSON_ARRAY && m->n == 2 && cph_json_str(m->first, a) &&
               cph_json_str(m->first->next, b)) {
        return CPH_OK;
    }
    return cph_fail(l->err, CPH_DATA, "%s: line %u: model.merges: a merge has not exactly two parts", l->name,
                    m->line);
}

static cph_status load_merges(loader *l)
{
    const cph_json *merges = cph_json_get(l->model, "merges");
    if (!merges || merges->type != CPH_JSON_ARRAY)
        return cph_fail(l->err, CPH_DATA, "%s: model.merges: is missing or no array", l->name);
    void *mem;
    CPH_TRY(cph_arena_alloc0(&l->t->arena, &mem, merges->n + (size_t)1, sizeof(merge), l->err));
    l->t->merges = mem;
    cph_buf whole;
    cph_buf_init(&whole, (size_t)64 << 20);
    cph_status s = CPH_OK;
    for (const cph_json *m = merges->first; m && s == CPH_OK; m = m->next) {
        cph_str a = {0}, b = {0};
        CPH_TRY_GOTO(s, merge_parts(l, m, &a, &b), done);
        whole.n = 0;
        CPH_TRY_GOTO(s, cph_buf_str(&whole, a, l->err), done);
        CPH_TRY_GOTO(s, cph_buf_str(&whole, b, l->err), done);
        const cph_str want[3] = {a, b, cph_buf_view(&whole)};
        uint32_t id[3];
        for (int i = 0; i < 3 && s == CPH_OK; i++) {
            id[i] = cph_tok_find(l->t, want[i]);
            if (id[i] == NO_ID)
                s = cph_fail(l->err, CPH_DATA, "%s: line %u: model.merges: \"%.*s\" is not in the vocabulary",
                             l->name, m->line, CPH_FMT(want[i]));
        }
        if (s == CPH_OK) l->t->merges[l->t->n_merges++] = (merge){id[0], id[1], id[2]};
    }
done:
    cph_buf_release(&whole);
    return s;
}

/* ---- added tokens: ids as tokenizers 3 says, whatever the file states ---- */

static cph_status load_added(loader *l)
{
    const cph_json *list = cph_json_get(l->top, "added_tokens");
    cph_tokenizer *t = l->t;
    uint32_t next = t->n_model, highest = 0, moved = 0;
    void *mem;
    size_t n = is_null(list) ? 0 : list->n;
    CPH_TRY(cph_arena_alloc0(&t->arena, &mem, n + 1, sizeof(added), l->err));
    t->added = mem;
    for (const cph_json *v = is_null(list) ? NULL : list->first; v; v = v->next) {
        added a = {.content = {0}};
        if (!cph_json_str(cph_json_get(v, "content"), &a.content))
            return cph_fail(l->err, CPH_DATA, "%s: line %u: added_tokens: content is missing or no string",
                            l->name, v->line);
        if (!a.content.n) continue;
        a.special = truth(v, "special", false);
        a.normalized = truth(v, "normalized", !a.special);
        a.single_word = truth(v, "single_word", false);
        a.lstrip = truth(v, "lstrip", false);
        a.rstrip = truth(v, "rstrip", false);
        a.id = cph_tok_find(t, a.content);
        if (a.id == NO_ID) a.id = next;
        uint64_t stated;
        moved += cph_json_u64(cph_json_get(v, "id"), &stated) && stated != a.id;
        CPH_TRY(cph_tok_add(t, &a, l->name, l->err));
        if (a.id >= highest) highest = a.id;
        if (highest >= t->n_model || !t->n_model) next = highest + 1;
    }
    if (moved) cph_log(CPH_WARN, "%s: added_tokens: %u have another id than the file states", l->name, moved);
    return CPH_OK;
}

/* ---- the other parts ---- */

static cph_status load_post_processor(loader *l)
{
    const cph_json *post = cph_json_get(l->top, "post_processor");
    if (is_null(post)) return CPH_OK;
    cph_str kind = cph_json_get_str(post, "type");
    if (cph_str_is(kind, "ByteLevel") || cph_str_is(kind, "RobertaProcessing")) {
        l->t->trim = truth(post, "trim_offsets", true);
        l->t->trim_prefix_space = truth(post, "add_prefix_space", true);
        return CPH_OK;
    }
    if (cph_str_is(kind, "TemplateProcessing") || cph_str_is(kind, "BertProcessing")) return CPH_OK;
    return not_built(l, "post_processor", kind);
}

static cph_status load_model_fields(loader *l)
{
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    double dropout;
    const cph_json *v = cph_json_get(l->model, "dropout");
    if (!is_null(v) && (!cph_json_double(v, &dropout) || dropout != 0.0))
        return not_built(l, "model.dropout", v->str);
    for (int i = 0; i < 2; i++) {
        v = cph_json_get(l->model, affixes[i]);
        if (!is_null(v) && v->str.n) return not_built(l, affixes[i], v->str);
    }
    if (!l->t->all_bytes && !is_null(v = cph_json_get(l->model, "unk_token")))
        return not_built(l, "model.unk_token", v->str);
    if (!l->t->all_bytes && truth(l->model, "byte_fallback", false))
        return not_built(l, "model.byte_fallback", CPH_STR("true"));
    l->t->ignore_merges = truth(l->model, "ignore_merges", false);
    return CPH_OK;
}

static cph_status load_parts(loader *l)
{
    const cph_json *normalizer = cph_json_get(l->top, "normalizer"),
                   *pre = cph_json_get(l->top, "pre_tokenizer");
    const cph_json *decoder = cph_json_get(l->top, "decoder");
    if (!is_null(normalizer)) return not_built(l, "normalizer", cph_json_get_str(normalizer, "type"));
    if (is_null(pre) || !cph_str_is(cph_json_get_str(pre, "type"), "ByteLevel"))
        return not_built(l, "pre_tokenizer", is_null(pre) ? CPH_STR("null") : cph_json_get_str(pre, "type"));
    if (!truth(pre, "use_regex", true))
        return not_built(l, "pre_tokenizer", CPH_STR("ByteLevel without use_regex"));
    if (is_null(decoder) || !cph_str_is(cph_json_get_str(decoder, "type"), "ByteLevel"))
        return not_built(l, "decoder",
                         is_null(decoder) ? CPH_STR("null") : cph_json_get_str(decoder, "type"));
    l->t->add_prefix_space = truth(pre, "add_prefix_space", true);
    CPH_TRY(load_post_processor(l));
    CPH_TRY(load_model_fields(l));
    if (!l->t->all_bytes)
        cph_log(CPH_WARN, "%s: some bytes have no token: characters with them are left out", l->name);
    return cph_tok_parts(l->t, l->top, l->err);
}

static cph_status load(loader *l)
{
    CPH_TRY(check_shape(l));
    CPH_TRY(load_vocab(l));
    CPH_TRY(load_merges(l));
    CPH_TRY(load_added(l));
    cph_tokenizer *t = l->t;
    while (t->n_ids && !t->token[t->n_ids - 1].p) t->n_ids--;
    CPH_TRY(cph_tok_index(t, l->name, l->err));
    return load_parts(l);
}

cph_status cph_tokenizer_parse(cph_tokenizer **out, cph_str text, const char *name, cph_err *err)
{
    cph_arena scratch;
    cph_arena_init(&scratch, 0);
    cph_json_limits limits;
    cph_json_limits_init(&limits);
    limits.allow_duplicates = true; /* of the vocabulary they are found below, with less work */
    loader l = {.name = name, .err = err};
    cph_json *top;
    cph_status s = cph_json_parse(&top, &scratch, text, name, &limits, err);
    if (s == CPH_OK) {
        l.top = top;
        s = load(&l);
    }
    cph_arena_release(&scratch);
    if (s == CPH_OK)
        *out = l.t;
    else
        cph_tokenizer_close(l.t);
    return s;
}

/* ---- files ---- */

/* What colophon.json beside the file says of it; nothing where there is none. */
static cph_status check_manifest(cph_tokenizer *t, const char *dir, cph_str text, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_path_join(path, dir, CPH_MANIFEST_NAME, err));
    if (cph_file_kind_of(path) == CPH_FILE_NONE) return CPH_OK;
    cph_manifest *m;
    CPH_TRY(cph_manifest_open(&m, dir, err));
    cph_digest now = cph_sha256_of(text.p, text.n);
    cph_status s = cph_fail(err, CPH_DATA, "%s: does not name tokenizer.json", path);
    for (size_t i = 0; i < cph_manifest_n_files(m); i++) {
        cph_manifest_file f = cph_manifest_file_at(m, i);
        if (!cph_str_is(f.path, "tokenizer.json")) continue;
        s = cph_digest_cmp(&f.sha256, &now) == 0
                ? CPH_OK
                : cph_fail(err, CPH_DATA, "%s/tokenizer.json: was changed after it was sealed", dir);
    }
    t->sealed = s == CPH_OK && cph_str_is(cph_manifest_kind(m), "tokenizer");
    t->digest = cph_manifest_digest(m);
    cph_manifest_close(m);
    return s;
}

cph_status cph_tokenizer_open(cph_tokenizer **out, const char *path, cph_err *err)
{
    char file[CPH_PATH_MAX], dir[CPH_PATH_MAX];
    if (cph_file_kind_of(path) == CPH_FILE_DIR) {
        CPH_TRY(cph_path_join(file, path, "tokenizer.json", err));
        CPH_TRY(cph_path_join(dir, path, "", err));
        if (cph_file_kind_of(file) == CPH_FILE_NONE) {
            cph_fail(err, CPH_IO, "%s: no tokenizer there (no tokenizer.json)", path);
            (void)cph_hint(err, "colophon tokenizer train bpe makes a tokenizer");
            return CPH_IO;
        }
    } else {
        cph_str parent = cph_path_dir(cph_str_of(path));
        if (strlen(path) >= sizeof file || parent.n >= sizeof dir)
            return cph_fail(err, CPH_USAGE, "the path of a tokenizer is too long");
        memcpy(file, path, strlen(path) + 1);
        memcpy(dir, parent.p, parent.n);
        dir[parent.n] = 0;
    }
    cph_buf text;
    cph_buf_init(&text, MAX_FILE);
    cph_tokenizer *t = NULL;
    cph_status s = cph_file_read(file, MAX_FILE, &text, err);
    if (s == CPH_OK) s = cph_tokenizer_parse(&t, cph_buf_view(&text), file, err);
    if (s == CPH_OK) s = check_manifest(t, dir, cph_buf_view(&text), err);
    cph_buf_release(&text);
    if (s == CPH_OK)
        *out = t;
    else
        cph_tokenizer_close(t);
    return s;
}
