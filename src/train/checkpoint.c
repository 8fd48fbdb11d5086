/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.c - a run's state on disk, whole or absent.
 *
 * A checkpoint is a sealed model with its optimizer and the state of the order beside
 * it. Going on from one gives the weights of the run that never stopped; that is why
 * moments and the tree of the order are stored bit for bit and the data's place is a cursor.
 */
#include "train_in.h"

#include <colophon/base/log.h>
#include <colophon/base/memory.h>
#include <colophon/format/safetensors.h>
#include <colophon/provenance/check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIMIZER_NAME "optimizer.safetensors"
#define STATE_NAME "trainer_state.json"
#define SEGMENT_NAME "segment.json"
#define STEP_DIR "step-%08u"
#define STATE_MAX ((size_t)1 << 20)

/* ---- digests ---- */

void cph_state_each(const cph_trainer *t, cph_state_fn each, void *ctx)
{
    const float *weights = cph_model_weights(t->model);
    size_t next = 0, n = cph_optimizer_n_states(t->optimizer);
    for (size_t i = 0; i < cph_model_n_params(t->model); i++) {
        const cph_param *p = cph_model_param(t->model, i);
        each(ctx, p->name, "weights", weights + p->offset, p->n);
        for (; next < n; next++) {
            cph_state s = cph_optimizer_state(t->optimizer, next);
            if (s.param != p) break;
            each(ctx, p->name, s.prefix, s.here, s.n);
        }
    }
}

typedef struct state_hash {
    cph_sha256 h;
    const char *name;
} state_hash;

static void add_tensor(void *ctx, const char *name, const char *part, const float *values, size_t n)
{
    state_hash *s = ctx;
    (void)part;
    if (s->name != name) cph_sha256_add(&s->h, name, strlen(name) + 1);
    s->name = name;
    cph_sha256_add(&s->h, values, n * sizeof *values);
}

cph_digest cph_state_digest(const cph_trainer *t)
{
    state_hash s = {.name = NULL};
    cph_sha256_init(&s.h);
    cph_state_each(t, add_tensor, &s);
    return cph_sha256_end(&s.h);
}

static cph_status add_passed(void *ctx, const float *values, size_t n, cph_err *err)
{
    (void)err;
    cph_sha256_add(ctx, values, n * sizeof *values);
    return CPH_OK;
}

cph_status cph_state_digest_all(const cph_trainer *t, cph_digest *out, cph_err *err)
{
    const float *weights = cph_model_weights(t->model);
    size_t next = 0, n = cph_optimizer_n_states(t->optimizer);
    cph_sha256 h;
    const cph_pass hash = {add_passed, &h};
    if (!cph_rank_writes(t)) return cph_ranks_answer(t, err);
    cph_sha256_init(&h);
    for (size_t i = 0; i < cph_model_n_params(t->model); i++) {
        const cph_param *p = cph_model_param(t->model, i);
        cph_sha256_add(&h, p->name, strlen(p->name) + 1);
        cph_sha256_add(&h, weights + p->offset, p->n * sizeof *weights);
        for (; next < n && cph_optimizer_state(t->optimizer, next).param == p; next++)
            CPH_TRY(cph_ranks_pass(t, next, &hash, err));
    }
    *out = cph_sha256_end(&h);
    return cph_ranks_passed(t, err);
}

/* What the run is, as one number: catches what same_run does not name. */
static cph_status run_digest(const cph_trainer *t, cph_digest *out, cph_err *err)
{
    cph_arena a;
    cph_buf b;
    cph_json *identity;
    cph_arena_init(&a, (size_t)256 << 20);
    cph_buf_init(&b, (size_t)64 << 20);
    cph_status s = cph_train_identity(t, &a, &identity, err);
    if (s == CPH_OK) s = cph_json_canonical(&b, identity, err);
    if (s == CPH_OK) *out = cph_sha256_of(b.p, b.n);
    cph_buf_release(&b);
    cph_arena_release(&a);
    return s;
}

/* ---- writing ---- */

static cph_status write_passed(void *ctx, const float *values, size_t n, cph_err *err)
{
    return cph_out_write(ctx, values, n * sizeof *values, err);
}

/* A state is known by its number; its parts come from all ranks. */
static cph_status write_state_data(void *ctx, const cph_st_tensor *tensor, cph_out *file, cph_err *err)
{
    const cph_pass to = {write_passed, file};
    return cph_ranks_pass(ctx, *(const size_t *)(const void *)tensor->data, &to, err);
}

static cph_status name_tensor(cph_arena *a, cph_st_tensor *t, const cph_state *state, const size_t *number,
                              cph_err *err)
{
    *t = (cph_st_tensor){.type = CPH_ST_F32, .n_dims = state->n_dims, .data = (const uint8_t *)number};
    for (unsigned d = 0; d < state->n_dims; d++) t->dims[d] = state->dims[d];
    return cph_arena_printf(a, &t->name, err, "%s.%s", state->prefix, state->param->name);
}

static cph_status write_optimizer(cph_trainer *t, const char *dir, cph_err *err)
{
    size_t n = cph_optimizer_n_states(t->optimizer);
    char path[CPH_PATH_MAX];
    void *tensors, *mem;
    cph_arena a;
    cph_arena_init(&a, (size_t)64 << 20);
    cph_status s = cph_path_join(path, dir, OPTIMIZER_NAME, err);
    if (s == CPH_OK) s = cph_arena_alloc(&a, &tensors, n * sizeof(cph_st_tensor), err);
    if (s == CPH_OK) s = cph_arena_alloc(&a, &mem, n * sizeof(size_t), err);
    for (size_t i = 0; s == CPH_OK && i < n; i++) {
        size_t *number = (size_t *)mem + i;
        cph_state state = cph_optimizer_state(t->optimizer, i);
        *number = i;
        s = name_tensor(&a, (cph_st_tensor *)tensors + i, &state, number, err);
    }
    if (s == CPH_OK) s = cph_safetensors_write_from(path, tensors, n, write_state_data, t, err);
    if (s == CPH_OK) s = cph_ranks_passed(t, err);
    cph_arena_release(&a);
    return s;
}

static void put_hex(cph_jw *w, const char *key, const cph_digest *d)
{
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(d, hex);
    if (key) cph_jw_key(w, key);
    cph_jw_z(w, hex);
}

static void put_u64(cph_jw *w, const char *key, uint64_t v)
{
    cph_jw_key(w, key);
    cph_jw_u64(w, v);
}

static void put_double(cph_jw *w, const char *key, double v)
{
    cph_jw_key(w, key);
    cph_jw_double(w, v);
}

static void put_order(cph_jw *w, const cph_merkle *m)
{
    cph_jw_key(w, "order");
    cph_jw_obj(w);
    put_u64(w, "leaves", m->n);
    cph_jw_key(w, "nodes"); /* of the perfect subtrees, smallest first */
    cph_jw_arr(w);
    for (unsigned i = 0; i < 64; i++)
        if (m->n >> i & 1) put_hex(w, NULL, &m->level[i]);
    cph_jw_end(w);
    cph_jw_end(w);
}

static void put_best(cph_jw *w, const cph_progress_state *at)
{
    if (at->best_loss < 0) return;
    cph_jw_key(w, "best");
    cph_jw_obj(w);
    put_u64(w, "step", at->best_step);
    put_double(w, "held_out_loss", at->best_loss);
    cph_jw_end(w);
}

static void put_window(cph_jw *w, const char *key, const cph_window *window)
{
    cph_jw_key(w, key);
    cph_jw_arr(w);
    for (uint32_t i = 0; i < window->n; i++) cph_jw_double(w, cph_window_at(window, i));
    cph_jw_end(w);
}

static void put_outliers(cph_jw *w, const cph_progress_state *at)
{
    cph_jw_key(w, "outliers");
    cph_jw_obj(w);
    put_u64(w, "skipped", at->n_skipped);
    put_window(w, "losses", &at->losses);
    put_window(w, "grad_norms", &at->norms);
    cph_jw_end(w);
}

static cph_status write_json(cph_jw *w, cph_buf *b, const char *dir, const char *name, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_jw_done(w, err));
    CPH_TRY(cph_buf_char(b, '\n', err));
    CPH_TRY(cph_path_join(path, dir, name, err));
    return cph_file_write(path, b->p, b->n, err);
}

static cph_status write_state(const cph_trainer *t, const char *dir, cph_err *err)
{
    const cph_progress_state *at = &t->at;
    cph_digest run, data = cph_manifest_digest(cph_tokens_manifest(t->tokens));
    cph_buf b;
    CPH_TRY(run_digest(t, &run, err));
    cph_buf_init(&b, STATE_MAX);
    cph_jw w = cph_jw_on(&b);
    cph_jw_obj(&w);
    put_u64(&w, "v", 1);
    put_u64(&w, "step", at->step);
    put_u64(&w, "tokens", at->tokens);
    cph_jw_key(&w, "cursor");
    cph_jw_obj(&w);
    put_u64(&w, "epoch", at->cursor.epoch);
    put_u64(&w, "index", at->cursor.index);
    put_u64(&w, "offset", at->cursor.offset);
    put_u64(&w, "row", at->cursor.row);
    cph_jw_end(&w);
    put_order(&w, &at->order);
    put_double(&w, "loss", at->loss);
    put_double(&w, "held_out_loss", at->held_out_loss);
    put_best(&w, at);
    if (t->o.skip_outliers > 0) put_outliers(&w, at);
    put_u64(&w, "seed", t->o.seed);
    cph_jw_key(&w, "schedule");
    cph_jw_z(&w, t->o.schedule);
    put_hex(&w, "configuration", &run);
    put_hex(&w, "data", &data);
    cph_jw_end(&w);
    cph_status s = write_json(&w, &b, dir, STATE_NAME, err);
    cph_buf_release(&b);
    return s;
}

static cph_status write_segment(const cph_trainer *t, const char *dir, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, STATE_MAX);
    cph_jw w = cph_jw_on(&b);
    cph_jw_obj(&w);
    put_u64(&w, "v", 1);
    put_u64(&w, "first_step", (uint64_t)t->segment_first + 1);
    put_u64(&w, "last_step", t->at.step);
    put_hex(&w, "digest_before", &t->segment_before);
    put_best(&w, &t->at);
    cph_jw_end(&w);
    cph_status s = write_json(&w, &b, dir, SEGMENT_NAME, err);
    cph_buf_release(&b);
    return s;
}

static cph_status write_all(cph_trainer *t, const char *dir, cph_err *err)
{
    cph_digest digest;
    CPH_TRY(cph_model_files(t, dir, err));
    CPH_TRY(write_optimizer(t, dir, err));
    CPH_TRY(write_state(t, dir, err));
    CPH_TRY(write_segment(t, dir, err));
    return cph_model_seal(t, dir, &digest, err);
}

/* ---- which there are ---- */

typedef struct step_list {
    const char *dir;
    bool clean; /* the run's own: what a killed run left half is removed */
    uint32_t *at; /* ascending: the list comes in byte order */
    size_t n, cap;
} step_list;

static bool parse_step(cph_str name, uint32_t *out)
{
    uint64_t step;
    if (!cph_str_starts(name, "step-") || name.n != 13 || !cph_str_u64(cph_str_sub(name, 5, 8), &step))
        return false;
    *out = (uint32_t)step;
    return step > 0;
}

static cph_status note_step(void *ctx, cph_str name, cph_file_kind kind, uint64_t n_bytes, cph_err *err)
{
    step_list *l = ctx;
    uint32_t step;
    (void)n_bytes;
    if (kind != CPH_FILE_DIR) return CPH_OK;
    if (l->clean && cph_str_ends(name, ".tmp")) {
        char z[300], path[CPH_PATH_MAX];
        snprintf(z, sizeof z, "%.*s", CPH_FMT(name));
        CPH_TRY(cph_path_join(path, l->dir, z, err));
        return cph_remove_tree(path, err);
    }
    if (!parse_step(name, &step)) return CPH_OK;
    if (l->n == l->cap) {
        void *p = l->at;
        CPH_TRY(cph_realloc(&p, (l->cap + 64) * sizeof *l->at, err));
        l->at = p;
        l->cap += 64;
    }
    l->at[l->n++] = step;
    return CPH_OK;
}

cph_status cph_checkpoint_path(const char *run_dir, uint32_t step, char out[CPH_PATH_MAX], cph_err *err)
{
    char name[32];
    snprintf(name, sizeof name, STEP_DIR, step);
    return cph_path_join(out, run_dir, name, err);
}

bool cph_checkpoint_step(const char *dir, uint32_t *step)
{
    char path[CPH_PATH_MAX];
    return parse_step(cph_path_base(cph_str_of(dir)), step) &&
           cph_path_join(path, dir, STATE_NAME, NULL) == CPH_OK &&
           cph_file_kind_of(path) == CPH_FILE_REGULAR;
}

cph_status cph_checkpoint_list(const char *run_dir, uint32_t **out, size_t *n, cph_err *err)
{
    step_list l = {.dir = run_dir};
    cph_status s = cph_list(run_dir, note_step, &l, err);
    if (s == CPH_OK) {
        *out = l.at;
        *n = l.n;
    } else {
        cph_free(l.at);
    }
    return s;
}

/* Takes the final name away first: a directory half removed must not look whole. */
static cph_status move_away(const char *path, const char *suffix, bool remove_it, cph_err *err)
{
    char to[CPH_PATH_MAX];
    int n = snprintf(to, sizeof to, "%s%s", path, suffix);
    if (n < 0 || (size_t)n >= sizeof to)
        return cph_fail(err, CPH_USAGE, "%.200s...: the path is too long", path);
    CPH_TRY(cph_remove_tree(to, err));
    if (rename(path, to) != 0) return cph_fail_errno(err, "%s: cannot be renamed", path);
    return remove_it ? cph_remove_tree(to, err) : CPH_OK;
}

static cph_status prune(const cph_trainer *t, cph_err *err)
{
    step_list l = {.dir = t->run_dir, .clean = true};
    char path[CPH_PATH_MAX];
    cph_status s = cph_list(t->run_dir, note_step, &l, err);
    for (size_t i = 0; s == CPH_OK && i + t->o.keep_last < l.n; i++) {
        if (t->o.keep_every && l.at[i] % t->o.keep_every == 0) continue;
        s = cph_checkpoint_path(t->run_dir, l.at[i], path, err);
        if (s == CPH_OK) s = move_away(path, ".tmp", true, err);
    }
    cph_free(l.at);
    return s;
}

static cph_status save_here(cph_trainer *t, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_outdir dir;
    CPH_TRY(cph_checkpoint_path(t->run_dir, t->at.step, path, err));
    CPH_TRY(cph_outdir_begin(&dir, path, false, err));
    cph_status s = write_all(t, dir.path, err);
    if (s == CPH_OK) s = cph_outdir_commit(&dir, err);
    cph_outdir_abort(&dir);
    return s;
}

cph_status cph_checkpoint_save(cph_trainer *t, cph_err *err)
{
    if (t->segment_first == t->at.step) return CPH_OK; /* nothing was done since the last one */
    if (cph_rank_writes(t)) CPH_TRY(save_here(t, err));
    else CPH_TRY(cph_ranks_answer(t, err));
    t->segment_first = t->at.step;
    CPH_TRY(cph_state_digest_all(t, &t->segment_before, err));
    return cph_rank_writes(t) ? prune(t, err) : CPH_OK;
}

/* ---- reading ---- */

static bool get_u32(const cph_json *v, const char *key, uint32_t *out)
{
    uint64_t n;
    if (!cph_json_u64(cph_json_get(v, key), &n) || n > UINT32_MAX) return false;
    *out = (uint32_t)n;
    return true;
}

static bool get_order(const cph_json *v, cph_merkle *m)
{
    const cph_json *nodes = cph_json_get(v, "nodes");
    const cph_json *node = nodes ? nodes->first : NULL;
    cph_merkle_init(m);
    if (!cph_json_u64(cph_json_get(v, "leaves"), &m->n)) return false;
    for (unsigned i = 0; i < 64; i++) {
        if (!(m->n >> i & 1)) continue;
        if (!node || !cph_digest_parse(node->str, &m->level[i])) return false;
        node = node->next;
    }
    return node == NULL;
}

static bool get_window(const cph_json *v, cph_window *out)
{
    double x;
    if (!v || v->type != CPH_JSON_ARRAY || v->n > CPH_WINDOW) return false;
    for (const cph_json *i = v->first; i; i = i->next) {
        if (!cph_json_double(i, &x)) return false;
        cph_window_add(out, x);
    }
    return true;
}

static bool get_outliers(const cph_json *v, cph_progress_state *at)
{
    return !v || (get_u32(v, "skipped", &at->n_skipped) && get_window(cph_json_get(v, "losses"), &at->losses) &&
                  get_window(cph_json_get(v, "grad_norms"), &at->norms));
}

static bool get_state(const cph_json *v, cph_progress_state *at)
{
    const cph_json *cursor = cph_json_get(v, "cursor"), *best = cph_json_get(v, "best");
    at->best_loss = -1;
    if (best && (!get_u32(best, "step", &at->best_step) ||
                 !cph_json_double(cph_json_get(best, "held_out_loss"), &at->best_loss)))
        return false;
    return get_outliers(cph_json_get(v, "outliers"), at) && get_u32(v, "step", &at->step) && cph_json_u64(cph_json_get(v, "tokens"), &at->tokens) &&
           get_u32(cursor, "epoch", &at->cursor.epoch) &&
           cph_json_u64(cph_json_get(cursor, "index"), &at->cursor.index) &&
           get_u32(cursor, "offset", &at->cursor.offset) && get_u32(cursor, "row", &at->cursor.row) &&
           get_order(cph_json_get(v, "order"), &at->order) &&
           cph_json_double(cph_json_get(v, "loss"), &at->loss) &&
           cph_json_double(cph_json_get(v, "held_out_loss"), &at->held_out_loss);
}

/* The state as it is written, and the digest of the configuration that it belongs to. */
static cph_status parse_state(const char *dir, cph_progress_state *at, cph_digest *configuration,
                              cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_arena a;
    cph_json *v;
    cph_progress_state read = {0};
    CPH_TRY(cph_path_join(path, dir, STATE_NAME, err));
    cph_arena_init(&a, STATE_MAX * 16);
    cph_status s = cph_json_read(&v, &a, path, STATE_MAX, err);
    if (s == CPH_OK && (!get_state(v, &read) ||
                        !cph_digest_parse(cph_json_get_str(v, "configuration"), configuration)))
        s = cph_fail(err, CPH_DATA, "%s: is no state of a run", path);
    if (s == CPH_OK) *at = read;
    cph_arena_release(&a);
    return s;
}

static cph_status read_state(cph_trainer *t, const char *dir, cph_err *err)
{
    cph_digest run, theirs;
    cph_progress_state at;
    CPH_TRY(run_digest(t, &run, err));
    cph_status s = parse_state(dir, &at, &theirs, err);
    if (s == CPH_OK && cph_digest_cmp(&run, &theirs) != 0) {
        cph_fail(err, CPH_USAGE, "%s: was made by another configuration", dir);
        s = cph_hint(err, "another run wants another --out");
    }
    if (s == CPH_OK && (at.cursor.index >= cph_order_n_docs(t->order) ||
                        at.cursor.row >= CPH_ORDER_BLOCK || at.step == 0))
        s = cph_fail(err, CPH_DATA, "%s: its cursor lies outside the token set", dir);
    if (s == CPH_OK) t->at = at;
    return s;
}

static bool get_segment(const cph_json *v, cph_segment *out)
{
    return get_u32(v, "first_step", &out->first_step) && get_u32(v, "last_step", &out->last_step) &&
           cph_digest_parse(cph_json_get_str(v, "digest_before"), &out->digest_before) &&
           out->first_step > 0 && out->first_step <= out->last_step;
}

cph_status cph_checkpoint_read(const char *dir, cph_progress_state *at, cph_segment *segment, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_arena a;
    cph_json *v;
    cph_digest configuration; /* same_run says more */
    CPH_TRY(parse_state(dir, at, &configuration, err));
    CPH_TRY(cph_path_join(path, dir, SEGMENT_NAME, err));
    cph_arena_init(&a, STATE_MAX * 16);
    cph_status s = cph_json_read(&v, &a, path, STATE_MAX, err);
    if (s == CPH_OK && !get_segment(v, segment))
        s = cph_fail(err, CPH_DATA, "%s: is no segment of a run", path);
    cph_arena_release(&a);
    return s;
}

static cph_status read_tensor(const cph_safetensors *f, const cph_state *state, const char *path, cph_err *err)
{
    char name[512];
    snprintf(name, sizeof name, "%s.%s", state->prefix, state->param->name);
    const cph_st_tensor *tensor = cph_safetensors_find(f, cph_str_of(name));
    if (!tensor || tensor->type != CPH_ST_F32 || tensor->n != state->n)
        return cph_fail(err, CPH_DATA, "%s: %s is absent or of another size", path, name);
    cph_st_tensor here = *tensor; /* what of it this rank holds */
    here.data += state->first * sizeof(float);
    here.n = state->n_here;
    here.n_bytes = state->n_here * sizeof(float);
    return cph_st_read_f32(&here, state->here, err);
}

static cph_status read_optimizer(const cph_trainer *t, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_safetensors *f;
    CPH_TRY(cph_path_join(path, dir, OPTIMIZER_NAME, err));
    CPH_TRY(cph_safetensors_open(&f, path, err));
    cph_status s = CPH_OK;
    for (size_t i = 0; s == CPH_OK && i < cph_optimizer_n_states(t->optimizer); i++) {
        cph_state state = cph_optimizer_state(t->optimizer, i);
        s = read_tensor(f, &state, path, err);
    }
    cph_safetensors_close(f);
    return s;
}

static cph_status read_weights(cph_trainer *t, const char *dir, cph_err *err)
{
    cph_model *stored;
    CPH_TRY(cph_model_open(&stored, dir, err));
    cph_status s = CPH_OK;
    if (cph_model_flat_len(stored) != cph_model_flat_len(t->model))
        s = cph_fail(err, CPH_DATA, "%s: its model has another shape than this run's", dir);
    if (s == CPH_OK) {
        memcpy(cph_model_weights(t->model), cph_model_weights(stored),
               cph_model_flat_len(stored) * sizeof(float));
        cph_model_weights_changed(t->model);
    }
    cph_model_close(stored);
    return s;
}

cph_status cph_checkpoint_arrays(cph_trainer *t, const char *dir, cph_err *err)
{
    CPH_TRY(read_weights(t, dir, err));
    return read_optimizer(t, dir, err);
}

static cph_status read_all(cph_trainer *t, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(read_state(t, dir, err));
    CPH_TRY(cph_checkpoint_arrays(t, dir, err));
    CPH_TRY(cph_seen_load(t, dir, err));
    CPH_TRY(cph_path_join(path, dir, CPH_LOG_NAME, err));
    cph_buf_cut(&t->log, 0);
    CPH_TRY(cph_file_read(path, 0, &t->log, err));
    t->segment_first = t->at.step;
    return cph_state_digest_all(t, &t->segment_before, err);
}

static cph_status first_damage(void *ctx, cph_str path, const char *what, cph_err *err)
{
    return cph_fail(err, CPH_DATA, "%s/%.*s: %s", (const char *)ctx, CPH_FMT(path), what);
}

/* CPH_DATA, CPH_NO: this checkpoint is damaged, an older one may be whole. */
static cph_status check_one(cph_trainer *t, const char *dir, cph_err *err)
{
    cph_manifest *m;
    cph_files_report report;
    CPH_TRY(cph_manifest_open(&m, dir, err));
    cph_status s = cph_train_same_run(t, m, dir, err);
    if (s == CPH_OK) s = cph_files_check(dir, m, t->pool, first_damage, (void *)(uintptr_t)dir, &report, err);
    cph_manifest_close(m);
    return s;
}

/* The newest whole one of the list; its number in *i, or l->n when there is none. */
static cph_status newest_whole(cph_trainer *t, const step_list *l, char path[CPH_PATH_MAX], size_t *found,
                               cph_err *err)
{
    *found = l->n;
    for (size_t i = l->n; i-- > 0;) {
        cph_err why = {0};
        CPH_TRY(cph_checkpoint_path(t->run_dir, l->at[i], path, err));
        cph_status s = check_one(t, path, &why);
        if (s == CPH_OK) {
            *found = i;
            return CPH_OK;
        }
        if (s != CPH_DATA && s != CPH_NO) {
            if (err) *err = why;
            return s;
        }
        cph_log(CPH_WARN, "%s; going on from the checkpoint before it", why.what);
        CPH_TRY(move_away(path, ".damaged", false, err));
    }
    return CPH_OK;
}

/* Its step, or 0 when there is none. */
static cph_status find_newest(cph_trainer *t, uint32_t *step, cph_err *err)
{
    step_list l = {.dir = t->run_dir, .clean = true};
    char path[CPH_PATH_MAX];
    size_t found = 0;
    cph_status s = cph_list(t->run_dir, note_step, &l, err);
    if (s == CPH_OK) s = newest_whole(t, &l, path, &found, err);
    if (s == CPH_OK && found < l.n) *step = l.at[found];
    cph_free(l.at);
    return s;
}

cph_status cph_checkpoint_resume(cph_trainer *t, cph_err *err)
{
    char path[CPH_PATH_MAX];
    uint32_t step = 0;
    if (cph_rank_writes(t)) CPH_TRY(find_newest(t, &step, err));
    CPH_TRY(cph_comm_share(t->o.comm, 0, &step, sizeof step, err));
    if (!step) return CPH_OK;
    CPH_TRY(cph_checkpoint_path(t->run_dir, step, path, err));
    return read_all(t, path, err);
}
