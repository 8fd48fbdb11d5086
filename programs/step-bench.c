/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step-bench.c - training steps of a GPT-2 shape on random tokens: how fast, on what, in how much memory.
 *
 * usage: step-bench [--arith A] [--gemm own|onednn] [--batch 4] [--seq 256] [--layers 12] [--width 768]
 *                   [--heads 12] [--vocab 50257] [--positions 1024] [--threads N] [--steps N] [--json]
 * A step is what a training does: gradients, their norm, clipping to 1, AdamW; no dropout. The memory
 * is foretold before anything is allocated. --steps 0 reads the number of steps from standard input,
 * line by line, and answers each with one line, so that a peer can be measured between two of ours.
 */
#include "arith_option.h"

#include <colophon/base/log.h>
#include <colophon/base/memory.h>
#include <colophon/train/optimizer.h>

#include <stdio.h>
#include <stdlib.h>

#define MAX_STEPS 1000u

typedef struct stepper {
    uint32_t batch, seq, layers, width, heads, vocab, positions, threads, steps; /* options */
    cph_arith arith;
    cph_gemm gemm;
    bool json;
    cph_pool *pool;
    cph_model *model;
    cph_step *step;
    cph_optimizer *optimizer;
    float *grads;
    uint32_t *ids;
    int32_t *labels;
    uint64_t foretold_bytes, n_params;
    uint32_t t; /* steps done */
    double first_grad_s; /* when the first gradient of the step under way was complete; 0: not yet */
} stepper;

/* Where the time of a request's steps went, median of each; seconds. */
typedef struct split {
    double all, forward, backward, norm, update, loss; /* forward with packing and the output layer */
} split;

static void must(cph_status s, const cph_err *err)
{
    if (s == CPH_OK) return;
    fprintf(stderr, "step-bench: %s\n", err->what);
    exit(cph_status_exit(s));
}

static void *take(size_t n, size_t size)
{
    void *mem = NULL;
    cph_err err;
    must(cph_alloc_n(&mem, n, size, &err), &err);
    memset(mem, 0, n * size);
    return mem;
}

/* ---- the model ---- */

static void open_model(stepper *s)
{
    cph_arena a;
    cph_json *config;
    cph_err err;
    char text[512];
    cph_arena_init(&a, (size_t)1 << 20);
    snprintf(text, sizeof text, "{\"model_type\":\"gpt2\",\"n_layer\":%u,\"n_embd\":%u,\"n_head\":%u,"
             "\"n_positions\":%u,\"vocab_size\":%u,\"attn_pdrop\":0.0,\"embd_pdrop\":0.0,"
             "\"resid_pdrop\":0.0}",
             s->layers, s->width, s->heads, s->positions, s->vocab);
    must(cph_json_parse(&config, &a, cph_str_of(text), "the options", NULL, &err), &err);
    must(cph_model_new(&s->model, config, 42, &err), &err);
    must(cph_model_set_arith(s->model, s->arith, &err), &err);
    must(cph_model_set_gemm(s->model, s->gemm, &err), &err);
    cph_arena_release(&a);
    for (size_t i = 0; i < cph_model_n_params(s->model); i++) s->n_params += cph_model_param(s->model, i)->n;
}

static void on_grad(void *ctx, uint32_t param)
{
    stepper *s = ctx;
    (void)param;
    if (s->first_grad_s <= 0) s->first_grad_s = cph_now_s();
}

static void open_all(stepper *s)
{
    cph_err err;
    cph_optimizer_opts adamw;
    size_t rows = (size_t)s->batch * s->seq, n;
    cph_step_shape shape = {.B = s->batch, .T = s->seq, .train = true};
    uint64_t state;
    must(cph_pool_open(&s->pool, s->threads, &err), &err);
    open_model(s);
    n = cph_model_flat_len(s->model);
    cph_optimizer_opts_init(&adamw, CPH_OPTIMIZER_ADAMW);
    unsigned threads = cph_pool_threads(s->pool);
    must(cph_step_need(s->model, shape, threads, &s->foretold_bytes, &err), &err);
    must(cph_optimizer_need(s->model, &adamw, NULL, threads, &state, &err), &err);
    s->foretold_bytes += state + n * 8 + rows * 8; /* weights and gradients; ids and labels */
    s->grads = take(n, sizeof(float));
    must(cph_optimizer_open(&s->optimizer, s->model, &adamw, NULL, s->pool, &err), &err);
    s->ids = take(rows, sizeof *s->ids);
    s->labels = take(rows, sizeof *s->labels);
    must(cph_step_open(&s->step, s->model, shape, s->pool, &err), &err);
    cph_step_on_grad(s->step, on_grad, s);
}

static void close_all(stepper *s)
{
    cph_step_close(s->step);
    cph_free(s->grads);
    cph_optimizer_close(s->optimizer);
    cph_free(s->ids);
    cph_free(s->labels);
    cph_model_close(s->model);
    cph_pool_close(s->pool);
}

/* ---- a step ---- */

static void new_batch(stepper *s)
{
    uint32_t x = 2463534242u + s->t * 2654435761u;
    size_t rows = (size_t)s->batch * s->seq;
    for (size_t i = 0; i < rows; i++) {
        x = x * 1664525u + 1013904223u;
        s->ids[i] = (uint32_t)((uint64_t)x * s->vocab >> 32);
    }
    for (size_t i = 0; i < rows; i++) s->labels[i] = (int32_t)s->ids[i + 1 < rows ? i + 1 : 0];
}

static double gradients(stepper *s)
{
    double loss = 0;
    cph_err err;
    size_t rows = (size_t)s->batch * s->seq;
    cph_batch b = {.ids = s->ids, .labels = s->labels, .inv_labels = 1.0f / (float)rows, .fresh = true,
                   .seed = 42, .step = s->t};
    s->first_grad_s = 0;
    must(cph_step_run(s->step, &b, s->grads, &loss, &err), &err);
    return loss / (double)rows;
}

static double norm_of(stepper *s)
{
    (void)cph_optimizer_sums(s->optimizer, s->grads);
    return cph_optimizer_norm(s->optimizer);
}

static void update(stepper *s, double norm)
{
    cph_update how = {.t = s->t, .schedule = 1, .grad_scale = norm > 1 ? 1 / norm : 1};
    cph_optimizer_step(s->optimizer, s->grads, &how);
    cph_model_weights_changed(s->model);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, uint32_t n)
{
    qsort(v, n, sizeof *v, by_size);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static split run_steps(stepper *s, uint32_t n)
{
    static double all[MAX_STEPS], took[4][MAX_STEPS];
    split r = {0};
    for (uint32_t i = 0; i < n; i++) {
        double at[5];
        s->t++;
        new_batch(s);
        at[0] = cph_now_s();
        r.loss = gradients(s);
        at[1] = s->first_grad_s;
        at[2] = cph_now_s();
        double norm = norm_of(s);
        at[3] = cph_now_s();
        update(s, norm);
        at[4] = cph_now_s();
        all[i] = at[4] - at[0];
        for (int part = 0; part < 4; part++) took[part][i] = at[part + 1] - at[part];
    }
    r.all = median(all, n);
    r.forward = median(took[0], n);
    r.backward = median(took[1], n);
    r.norm = median(took[2], n);
    r.update = median(took[3], n);
    return r;
}

/* ---- answers ---- */

/* The most memory that was ever resident, from the system; 0 where it does not tell. */
static uint64_t peak_bytes(void)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu kB", &kib) == 1) break;
    if (f) fclose(f);
    return kib * 1024;
}

static double flops_per_token(const stepper *s) /* engine 14.1 */
{
    return 6.0 * (double)s->n_params + 6.0 * s->layers * s->width * s->seq;
}

static void say(const stepper *s, uint32_t n, const split *r)
{
    double rate = s->batch * s->seq / r->all, gflops = rate * flops_per_token(s) * 1e-9;
    unsigned threads = cph_pool_threads(s->pool);
    unsigned long long foretold = s->foretold_bytes, peak = peak_bytes(), n_params = s->n_params;
    const char *arith = cph_model_arith_text(s->model), *isa = cph_model_isa(s->model);
    if (s->json)
        printf("{\"steps\":%u,\"arith\":\"%s\",\"isa\":\"%s\",\"threads\":%u,\"tokens_per_s\":%.4f,"
               "\"gflops\":%.3f,\"step_s\":%.6f,\"forward_s\":%.6f,\"backward_s\":%.6f,\"norm_s\":%.6f,"
               "\"update_s\":%.6f,\"loss\":%.6f,\"parameters\":%llu,\"foretold_bytes\":%llu,"
               "\"peak_bytes\":%llu}\n",
               n, arith, isa, threads, rate, gflops, r->all, r->forward, r->backward, r->norm, r->update,
               r->loss, n_params, foretold, peak);
    else
        printf("%u steps of %s on %s, %u threads: %.1f tokens/s, %.1f GFLOP/s; a step %.3f s: forward %.3f, "
               "backward %.3f, norm %.3f, update %.3f; memory %.3f GB, foretold %.3f; loss %.4f\n",
               n, arith, isa, threads, rate, gflops, r->all, r->forward, r->backward, r->norm, r->update,
               (double)peak * 1e-9, (double)foretold * 1e-9, r->loss);
    fflush(stdout);
}

/* ---- the command line ---- */

static bool parse(stepper *s, int argc, char **argv)
{
    const struct {
        const char *name;
        uint32_t *to;
    } numbers[] = {{"--batch", &s->batch}, {"--seq", &s->seq}, {"--layers", &s->layers},
                   {"--width", &s->width}, {"--heads", &s->heads}, {"--vocab", &s->vocab},
                   {"--positions", &s->positions}, {"--threads", &s->threads}, {"--steps", &s->steps}};
    for (int i = 1; i < argc; i++) {
        uint64_t v;
        size_t k = 0, n = sizeof numbers / sizeof *numbers;
        if (strcmp(argv[i], "--json") == 0) {
            s->json = true;
            continue;
        }
        if (strcmp(argv[i], "--arith") == 0) {
            if (++i == argc || !arith_option(argv[i], &s->arith)) return false;
            continue;
        }
        if (strcmp(argv[i], "--gemm") == 0) {
            if (++i == argc) return false;
            s->gemm = strcmp(argv[i], "onednn") == 0 ? CPH_GEMM_ONEDNN : CPH_GEMM_OWN;
            continue;
        }
        while (k < n && strcmp(argv[i], numbers[k].name) != 0) k++;
        if (k == n || ++i == argc || !cph_str_u64(cph_str_of(argv[i]), &v) || v > 1000000) return false;
        *numbers[k].to = (uint32_t)v;
    }
    return s->steps <= MAX_STEPS && s->batch && s->seq && s->vocab;
}

static void run(stepper *s, uint32_t n)
{
    split r = run_steps(s, n);
    say(s, n, &r);
}

int main(int argc, char **argv)
{
    stepper s = {.batch = 4, .seq = 256, .layers = 12, .width = 768, .heads = 12, .vocab = 50257,
                 .positions = 1024, .steps = 5};
    unsigned n;
    char line[32];
    if (!parse(&s, argc, argv)) {
        fprintf(stderr, "usage: step-bench [--arith A] [--gemm own|onednn] [--batch N] [--seq N] [--layers N] [--width N] "
                        "[--heads N] [--vocab N] [--positions N] [--threads N] [--steps N] [--json]\n");
        return 2;
    }
    open_all(&s);
    run_steps(&s, 1); /* warms up */
    if (s.steps) run(&s, s.steps);
    while (!s.steps && fgets(line, sizeof line, stdin) && sscanf(line, "%u", &n) == 1 && n && n <= MAX_STEPS)
        run(&s, n);
    close_all(&s);
    return 0;
}
