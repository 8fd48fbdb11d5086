/* SPDX-License-Identifier: Apache-2.0 */
/*
 * golden.c - compares our engine with a reference's answers: outputs, gradients, ten
 * AdamW steps, greedy generation. usage: golden [--threads N] [--gemm own|onednn] DIR...
 *
 * A DIR is a case (model/, inputs.safetensors, outputs.safetensors, grads.safetensors,
 * train10.json, after10.safetensors, generate.json) or a folder of cases with
 * manifest.json, which also holds the tolerances. Every check prints a line; exit 0
 * when all agree, 1 when one does not or a named case is of a family not built yet.
 */
#include <colophon/base/file.h>
#include <colophon/base/memory.h>
#include <colophon/format/safetensors.h>
#include <colophon/model/model.h>
#include <colophon/tensor/math.h>
#include <colophon/train/optimizer.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cph_gemm gemm = CPH_GEMM_OWN; /* of all cases; set by main */

typedef struct golden {
    const char *dir, *name;
    cph_arena arena;
    double tol_outputs, tol_grads, tol_after10, tol_loss;
    cph_pool *pool;
    cph_model *model;
    cph_step *step;
    uint32_t B, T;
    uint32_t *ids, *segments;
    int32_t *labels;
    uint32_t n_labels;
    float *grads;
    bool failed;
} golden;

static void *take(golden *g, size_t n, size_t size)
{
    void *mem = NULL;
    cph_err err;
    if (cph_arena_alloc0(&g->arena, &mem, n ? n : 1, size, &err) != CPH_OK) {
        fprintf(stderr, "golden: %s\n", err.what);
        exit(6);
    }
    return mem;
}

static void say(golden *g, const char *what, cph_str name, double worst, double bound, bool good)
{
    printf("%-12s %-9s %-42.*s worst %.3e  bound %.3e  %s\n", g->name, what, CPH_FMT(name), worst, bound,
           good ? "ok" : "DIFFERS");
    if (!good) g->failed = true;
}

/* ---- tensors against a file of a group ---- */

typedef struct pairs { /* one tensor of ours beside one of the file's */
    const cph_st_tensor *theirs;
    float *want;
    const float *got;
} pairs;

static double largest(const float *v, uint64_t n)
{
    double top = 0;
    for (uint64_t i = 0; i < n; i++) top = fmax(top, fabs((double)v[i]));
    return top;
}

/* The middle third of GPT-2's c_attn.bias (the keys') has a true gradient of zero: AdamW
 * makes noise of it. */
static bool is_key_bias(cph_str name, uint64_t i, uint64_t n)
{
    return cph_str_ends(name, "attn.c_attn.bias") && i >= n / 3 && i < 2 * (n / 3);
}

static void compare(golden *g, const char *group, const pairs *p, size_t n, double bound, bool after)
{
    double group_top = 0;
    for (size_t i = 0; i < n; i++) group_top = fmax(group_top, largest(p[i].want, p[i].theirs->n));
    for (size_t i = 0; i < n; i++) {
        uint64_t len = p[i].theirs->n, beyond = 0;
        double scale = fmax(largest(p[i].want, len), 1e-3 * group_top), worst = 0;
        for (uint64_t j = 0; j < len; j++) {
            if (after && is_key_bias(p[i].theirs->name, j, len)) continue;
            double d = fabs((double)p[i].got[j] - (double)p[i].want[j]) / scale;
            if (!(d <= bound)) beyond++;
            if (!(d <= worst)) worst = d;
        }
        bool good = beyond == 0 || (after && (double)beyond <= 0.001 * (double)len && worst <= 10 * bound);
        say(g, group, p[i].theirs->name, worst, bound, good);
    }
}

static cph_status open_tensors(golden *g, const char *file, cph_safetensors **out, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_path_join(path, g->dir, file, err));
    return cph_safetensors_open(out, path, err);
}

static const float *ours_of(const golden *g, cph_str name, uint64_t n, const float *flat)
{
    for (size_t i = 0; i < cph_model_n_params(g->model); i++) {
        const cph_param *p = cph_model_param(g->model, i);
        if (cph_str_is(name, p->name) && p->n == n) return flat + p->offset;
    }
    return NULL;
}

/* Every parameter of the file against the same of a flat arena. */
static cph_status compare_flat(golden *g, const char *file, const char *group, const float *flat,
                               double bound,
                               bool after, cph_err *err)
{
    cph_safetensors *f;
    CPH_TRY(open_tensors(g, file, &f, err));
    size_t n = cph_safetensors_n(f);
    pairs *p = take(g, n, sizeof *p);
    cph_status s = CPH_OK;
    if (n != cph_model_n_params(g->model))
        s = cph_fail(err, CPH_DATA, "%s: %zu tensors, the model has %zu", file, n,
                     cph_model_n_params(g->model));
    for (size_t i = 0; i < n && s == CPH_OK; i++) {
        p[i].theirs = cph_safetensors_at(f, i);
        p[i].want = take(g, p[i].theirs->n, sizeof(float));
        p[i].got = ours_of(g, p[i].theirs->name, p[i].theirs->n, flat);
        if (!p[i].got) s = cph_fail(err, CPH_DATA, "%s: %.*s is no parameter", file,
                                    CPH_FMT(p[i].theirs->name));
        else s = cph_st_read_f32(p[i].theirs, p[i].want, err);
    }
    if (s == CPH_OK) compare(g, group, p, n, bound, after);
    cph_safetensors_close(f);
    return s;
}

static cph_status compare_outputs(golden *g, float loss, cph_err *err)
{
    cph_safetensors *f;
    CPH_TRY(open_tensors(g, "outputs.safetensors", &f, err));
    size_t n = cph_safetensors_n(f);
    pairs *p = take(g, n, sizeof *p);
    cph_status s = CPH_OK;
    for (size_t i = 0; i < n && s == CPH_OK; i++) {
        const cph_st_tensor *t = p[i].theirs = cph_safetensors_at(f, i);
        uint64_t layer;
        p[i].want = take(g, t->n, sizeof(float));
        if (cph_str_is(t->name, "loss")) p[i].got = &loss;
        else if (cph_str_is(t->name, "logits")) p[i].got = cph_step_logits(g->step);
        else if (cph_str_starts(t->name, "hidden_states.") && cph_str_u64(cph_str_sub(t->name, 14,
                                                                                      t->name.n), &layer))
            p[i].got = cph_step_hidden(g->step, (uint32_t)layer);
        else s = cph_fail(err, CPH_DATA, "outputs.safetensors: %.*s is nothing we compute", CPH_FMT(t->name));
        if (s == CPH_OK) s = cph_st_read_f32(t, p[i].want, err);
    }
    if (s == CPH_OK) compare(g, "outputs", p, n, g->tol_outputs, false);
    cph_safetensors_close(f);
    return s;
}

/* ---- inputs ---- */

static cph_status read_ints(golden *g, const cph_safetensors *f, const char *name, int64_t **out,
                            cph_err *err)
{
    const cph_st_tensor *t = cph_safetensors_find(f, cph_str_of(name));
    *out = NULL;
    if (!t) return CPH_OK;
    if (t->n_dims != 2 || (g->B && (t->dims[0] != g->B || t->dims[1] != g->T)))
        return cph_fail(err, CPH_DATA, "inputs.safetensors: %s is not [B,T]", name);
    g->B = (uint32_t)t->dims[0];
    g->T = (uint32_t)t->dims[1];
    *out = take(g, t->n, sizeof **out);
    return cph_st_read_i64(t, *out, err);
}

/* The label of position t is the token at t+1: the model shifts in the reference. */
static cph_status read_inputs(golden *g, cph_err *err)
{
    cph_safetensors *f;
    int64_t *ids, *labels = NULL, *mask = NULL;
    CPH_TRY(open_tensors(g, "inputs.safetensors", &f, err));
    cph_status s = read_ints(g, f, "input_ids", &ids, err);
    if (s == CPH_OK) s = read_ints(g, f, "labels", &labels, err);
    if (s == CPH_OK) s = read_ints(g, f, "attention_mask", &mask, err);
    cph_safetensors_close(f);
    CPH_TRY(s);
    if (!ids || !labels) return cph_fail(err, CPH_DATA,
                                         "inputs.safetensors: input_ids or labels are missing");
    size_t n = (size_t)g->B * g->T;
    g->ids = take(g, n, sizeof *g->ids);
    g->labels = take(g, n, sizeof *g->labels);
    if (mask) g->segments = take(g, n, sizeof *g->segments);
    for (size_t i = 0; i < n; i++) {
        g->ids[i] = (uint32_t)ids[i];
        g->labels[i] = (i + 1) % g->T ? (int32_t)labels[i + 1] : -100;
        g->n_labels += g->labels[i] != -100;
        if (mask) g->segments[i] = (uint32_t)mask[i];
    }
    return CPH_OK;
}

/* ---- the checks ---- */

static cph_status run_step(golden *g, float *loss, cph_err *err)
{
    double sum;
    cph_batch b = {.ids = g->ids, .labels = g->labels, .segments = g->segments,
                   .inv_labels = 1.0f / (float)g->n_labels};
    memset(g->grads, 0, cph_model_flat_len(g->model) * sizeof *g->grads);
    CPH_TRY(cph_step_run(g->step, &b, g->grads, &sum, err));
    *loss = (float)(sum / g->n_labels);
    return CPH_OK;
}

static cph_status ten_steps(golden *g, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_json *steps;
    cph_optimizer_opts adamw;
    cph_optimizer *o = NULL;
    double loss_top = 0, loss_worst = 0, norm_top = 0, norm_worst = 0;
    CPH_TRY(cph_path_join(path, g->dir, "train10.json", err));
    CPH_TRY(cph_json_read(&steps, &g->arena, path, 0, err));
    cph_optimizer_opts_init(&adamw, CPH_OPTIMIZER_ADAMW);
    adamw.lr = 1e-3;
    adamw.beta2 = 0.95;
    adamw.weight_decay = 0.1;
    adamw.decay = CPH_DECAY_2D;
    CPH_TRY(cph_optimizer_open(&o, g->model, &adamw, NULL, g->pool, err));
    cph_status s = CPH_OK;
    uint64_t k = 0;
    for (const cph_json *v = steps->first; s == CPH_OK && v; v = v->next, k++) {
        double want_loss = 0, want_norm = 0;
        float loss;
        cph_json_double(cph_json_get(v, "loss"), &want_loss);
        cph_json_double(cph_json_get(v, "grad_norm"), &want_norm);
        s = run_step(g, &loss, err);
        if (s != CPH_OK) break;
        (void)cph_optimizer_sums(o, g->grads);
        double norm = cph_optimizer_norm(o);
        cph_optimizer_step(o, g->grads, &(cph_update){.t = k + 1, .schedule = fmin(1.0, (double)(k + 1) / 3.0),
                                                      .grad_scale = fmin(1.0, 1.0 / (norm + 1e-6))});
        cph_model_weights_changed(g->model);
        loss_top = fmax(loss_top, want_loss);
        norm_top = fmax(norm_top, want_norm);
        loss_worst = fmax(loss_worst, fabs((double)loss - want_loss));
        norm_worst = fmax(norm_worst, fabs(norm - want_norm));
    }
    cph_optimizer_close(o);
    CPH_TRY(s);
    if (k == 0) return cph_fail(err, CPH_DATA, "train10.json: no steps");
    say(g, "train10", CPH_STR("loss"), loss_worst / loss_top, g->tol_loss,
        loss_worst / loss_top <= g->tol_loss);
    say(g, "train10", CPH_STR("grad_norm"), norm_worst / norm_top, g->tol_grads,
        norm_worst / norm_top <= g->tol_grads);
    return compare_flat(g, "after10.safetensors", "after10", cph_model_weights(g->model), g->tol_after10,
                        true, err);
}

/* Greedy with the end token forbidden, as min_new_tokens does; the log-probability is of what is left. */
static cph_status greedy(golden *g, const cph_json *prompt, const cph_json *mask, const cph_json *want,
                         const cph_json *logprobs, const char *what, cph_err *err)
{
    cph_decoder *d;
    const float *z;
    uint32_t vocab = cph_model_vocab_size(g->model), wrong = 0;
    int64_t eos = cph_model_eos(g->model), id;
    double worst = 0, top = 0, lp;
    CPH_TRY(cph_decoder_open(&d, g->model, 1, want->n, g->pool, err));
    cph_status s = CPH_OK;
    const cph_json *w = want->first;
    for (const cph_json *t = prompt->first; t && s == CPH_OK; t = t->next, w = w->next) {
        bool visible = !mask || cph_str_is(mask->str, "1");
        if (mask) mask = mask->next;
        if (!cph_json_i64(t, &id)) s = cph_fail(err, CPH_DATA, "generate.json: a prompt is no list of ids");
        uint32_t token = (uint32_t)id;
        if (visible && s == CPH_OK) s = cph_decoder_feed(d, 0, &token, 1, &z, err);
    }
    for (; w && s == CPH_OK; w = w->next) {
        uint32_t best = eos == 0 ? 1 : 0;
        for (uint32_t i = 0; i < vocab; i++)
            if ((int64_t)i != eos && z[i] > z[best]) best = i;
        double sum = 0;
        for (uint32_t i = 0; i < vocab; i++)
            if ((int64_t)i != eos) sum += cph_exp((double)z[i] - (double)z[best]);
        if (logprobs && cph_json_double(logprobs, &lp)) {
            worst = fmax(worst, fabs(-cph_log_e(sum) - lp));
            top = fmax(top, fabs(lp));
            logprobs = logprobs->next;
        }
        if (!cph_json_i64(w, &id) || id != (int64_t)best) wrong++;
        uint32_t token = (uint32_t)id; /* go on as the reference did */
        if (w->next) s = cph_decoder_feed(d, 0, &token, 1, &z, err);
    }
    cph_decoder_close(d);
    CPH_TRY(s);
    printf("%-12s %-9s %-42s %u of %u tokens differ%s\n", g->name, "generate", what, wrong,
           want->n - prompt->n,
           wrong ? "  DIFFERS" : "  ok");
    if (wrong) g->failed = true;
    if (top > 0) say(g, "generate", CPH_STR("log-probabilities"), worst / top, g->tol_outputs,
                     worst / top <= g->tol_outputs);
    return CPH_OK;
}

static cph_status greedy_rows(golden *g, const cph_json *v, const char *what, cph_err *err)
{
    const cph_json *prompt = cph_json_get(v, "prompt"), *mask = cph_json_get(v, "attention_mask");
    const cph_json *want = cph_json_get(v, "greedy"), *lp = cph_json_get(v, "greedy_logprobs");
    if (!prompt || !want || prompt->n != want->n) return cph_fail(err, CPH_DATA,
        "generate.json: prompt or greedy is missing");
    prompt = prompt->first, want = want->first;
    mask = mask ? mask->first : NULL;
    lp = lp ? lp->first : NULL;
    for (; prompt; prompt = prompt->next, want = want->next) {
        CPH_TRY(greedy(g, prompt, mask ? mask->first : NULL, want, lp ? lp->first : NULL, what, err));
        mask = mask ? mask->next : NULL;
        lp = lp ? lp->next : NULL;
    }
    return CPH_OK;
}

static cph_status generation(golden *g, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_json *v;
    CPH_TRY(cph_path_join(path, g->dir, "generate.json", err));
    if (cph_file_kind_of(path) == CPH_FILE_NONE) return CPH_OK;
    CPH_TRY(cph_json_read(&v, &g->arena, path, 0, err));
    CPH_TRY(greedy_rows(g, v, "greedy", err));
    const cph_json *padded = cph_json_get(v, "left_padded");
    return padded ? greedy_rows(g, padded, "greedy, left-padded", err) : CPH_OK;
}

static cph_status check_case(golden *g, cph_err *err)
{
    char path[CPH_PATH_MAX];
    float loss;
    CPH_TRY(cph_path_join(path, g->dir, "model", err));
    CPH_TRY(cph_model_open(&g->model, path, err));
    CPH_TRY(cph_model_set_gemm(g->model, gemm, err));
    CPH_TRY(read_inputs(g, err));
    g->grads = take(g, cph_model_flat_len(g->model), sizeof *g->grads);
    cph_step_shape shape = {.B = g->B, .T = g->T, .train = true, .keep_logits = true};
    CPH_TRY(cph_step_open(&g->step, g->model, shape, g->pool, err));
    CPH_TRY(run_step(g, &loss, err));
    CPH_TRY(compare_outputs(g, loss, err));
    CPH_TRY(compare_flat(g, "grads.safetensors", "grads", g->grads, g->tol_grads, false, err));
    CPH_TRY(generation(g, err));
    return ten_steps(g, err);
}

/* ---- cases ---- */

static bool family_is_built(golden *g)
{
    char path[CPH_PATH_MAX];
    cph_json *config;
    cph_err err;
    if (cph_path_join(path, g->dir, "adapter",
                      &err) == CPH_OK && cph_file_kind_of(path) == CPH_FILE_DIR) return false;
    if (cph_path_join(path, g->dir, "model/config.json", &err) != CPH_OK) return true;
    if (cph_json_read(&config, &g->arena, path, 0, &err) != CPH_OK) return true; /* the check will say it */
    return cph_str_is(cph_json_get_str(config, "model_type"), "gpt2");
}

static cph_status read_tolerances(golden *g, const cph_json *manifest, cph_err *err)
{
    const cph_json *v = cph_json_get(cph_json_get(manifest, "cases"), g->name);
    v = cph_json_get(v, "tolerance_fp32_rel_to_max");
    if (!cph_json_double(cph_json_get(v, "outputs"), &g->tol_outputs) ||
        !cph_json_double(cph_json_get(v, "grads"), &g->tol_grads) ||
        !cph_json_double(cph_json_get(v, "after10"), &g->tol_after10) ||
        !cph_json_double(cph_json_get(v, "train10_loss"), &g->tol_loss))
        return cph_fail(err, CPH_DATA, "manifest.json: no tolerance_fp32_rel_to_max for %s", g->name);
    return CPH_OK;
}

/* 0: agrees; 1: differs, or not built; otherwise the exit code of the fault. */
static int run_case(const char *dir, const char *name, const cph_json *manifest, cph_pool *pool, bool *built)
{
    golden g = {.dir = dir, .name = name, .pool = pool};
    cph_err err = {0};
    int code = 0;
    cph_arena_init(&g.arena, 0);
    *built = family_is_built(&g);
    if (!*built) {
        printf("%-12s not built: this family or adapter cannot be compared yet\n", name);
        code = 1;
    } else {
        cph_status s = read_tolerances(&g, manifest, &err);
        if (s == CPH_OK) s = check_case(&g, &err);
        if (s != CPH_OK) fprintf(stderr, "golden: %s: %s\n", name, err.what);
        code = s != CPH_OK ? cph_status_exit(s) : g.failed;
    }
    cph_step_close(g.step);
    cph_model_close(g.model);
    cph_arena_release(&g.arena);
    return code;
}

static int run_folder(const char *dir, const cph_json *manifest, cph_pool *pool)
{
    int worst = 0;
    const cph_json *cases = cph_json_get(manifest, "cases");
    for (const cph_json *c = cases ? cases->first : NULL; c; c = c->next) {
        char path[CPH_PATH_MAX], name[256];
        bool built;
        snprintf(name, sizeof name, "%.*s", CPH_FMT(c->key));
        if (cph_path_join(path, dir, name, NULL) != CPH_OK) continue;
        int code = run_case(path, name, manifest, pool, &built);
        if (built && code > worst) worst = code;
    }
    return worst;
}

static int run_dir(const char *dir, cph_pool *pool)
{
    char clean[CPH_PATH_MAX], parent[CPH_PATH_MAX], path[CPH_PATH_MAX], name[256];
    cph_arena arena;
    cph_json *manifest;
    cph_err err = {0};
    bool built;
    snprintf(clean, sizeof clean, "%s", dir);
    for (size_t n = strlen(clean); n > 1 && clean[n - 1] == '/';) clean[--n] = 0;
    snprintf(name, sizeof name, "%.*s", CPH_FMT(cph_path_base(cph_str_of(clean))));
    snprintf(parent, sizeof parent, "%.*s", CPH_FMT(cph_path_dir(cph_str_of(clean))));
    cph_arena_init(&arena, 0);
    cph_status s = cph_path_join(path, clean, "manifest.json", &err);
    bool folder = s == CPH_OK && cph_file_kind_of(path) == CPH_FILE_REGULAR;
    if (s == CPH_OK && !folder) s = cph_path_join(path, parent, "manifest.json", &err);
    if (s == CPH_OK) s = cph_json_read(&manifest, &arena, path, 0, &err);
    int code = 0;
    if (s != CPH_OK) fprintf(stderr, "golden: %s\n", err.what), code = cph_status_exit(s);
    else code = folder ? run_folder(clean, manifest, pool) : run_case(clean, name, manifest, pool, &built);
    cph_arena_release(&arena);
    return code;
}

int main(int argc, char **argv)
{
    unsigned n_threads = 0;
    int first = 1, worst = 0;
    cph_pool *pool;
    cph_err err = {0};
    for (; first + 1 < argc && argv[first][0] == '-'; first += 2) {
        if (strcmp(argv[first], "--threads") == 0) n_threads = (unsigned)strtoul(argv[first + 1], NULL, 10);
        else if (strcmp(argv[first], "--gemm") == 0 && strcmp(argv[first + 1], "onednn") == 0) gemm = CPH_GEMM_ONEDNN;
        else if (strcmp(argv[first], "--gemm") != 0 || strcmp(argv[first + 1], "own") != 0) break;
    }
    if (first >= argc || argv[first][0] == '-') {
        fprintf(stderr, "usage: golden [--threads N] [--gemm own|onednn] DIR...\n");
        return 2;
    }
    cph_status s = cph_pool_open(&pool, n_threads, &err);
    if (s != CPH_OK) {
        fprintf(stderr, "golden: %s\n", err.what);
        return cph_status_exit(s);
    }
    for (int i = first; i < argc; i++) {
        int code = run_dir(argv[i], pool);
        if (code > worst) worst = code;
    }
    cph_pool_close(pool);
    printf("golden: %s, instruction set %s\n", worst ? "NOT all agree" : "all agree", cph_isa_name());
    return worst;
}
