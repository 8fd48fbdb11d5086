/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels-bench.c - rates of the engine's operations, and what the processor could do at most.
 *
 * usage: kernels-bench [--arith fp32|bf16|bf16-fma|bf16-dot|default] [--threads N] [--seconds S]
 *                      [--json] [CASE...]
 * A case:
 *   peak                  the attainable peak, by loops that stay in the registers
 *   gemm:PASS:MxNxK       C [M,N] = A [M,K] B [K,N] as the training step has it: forward (weight
 *                         packed beforehand), dx, dw of a Conv1D weight [in,out]; head, head-dx,
 *                         head-dw of one [out,in]
 *   pack:INxOUT           packing that weight
 *   attention:T  norm:T  loss:T    of GPT-2 124M at B 4, forward and backward
 *   adamw[:N]             AdamW over N parameters, normal and denormal moments, beside two kinds of copy
 * Without a case all of them; a case "-" reads cases from standard input, one a line, and
 * answers each at once, so that a rival can be measured between two of ours.
 * With --json a case answers with one line: an array of objects.
 */
#include "arith_option.h"
#include "peak.h"

#include <colophon/base/memory.h>
#include <colophon/base/str.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BLOCKS 32
#define MAX_SAMPLES 512
#define BATCH 4u
#define WIDTH 768u
#define HEADS 12u
#define VOCAB 50257u
#define LOSS_CHUNK 512u /* as nn records it for this vocabulary */
#define PARAMETERS 124439808u

typedef struct bench {
    cph_arith arith;
    cph_dtype dtype;
    const cph_backend *backend;
    cph_pool *pool;
    cph_exec *exec;
    double seconds; /* a case is repeated for so long */
    bool json;
    peak top;
    void *blocks[MAX_BLOCKS]; /* of the case under way */
    unsigned n_blocks, n_rows;
    cph_buf line;
} bench;

/* Everything here is our own input: a failure ends the program. */
static void must(cph_status s, const cph_err *err)
{
    if (s == CPH_OK) return;
    fprintf(stderr, "kernels-bench: %s\n", err->what);
    exit(cph_status_exit(s));
}

/* ---- buffers of a case ---- */

static void *take(bench *b, size_t n_bytes)
{
    cph_err err;
    void *mem = NULL;
    if (b->n_blocks == MAX_BLOCKS) must(cph_fail(&err, CPH_BUG, "too many buffers"), &err);
    must(cph_alloc0(&mem, n_bytes ? n_bytes : 1, &err), &err);
    return b->blocks[b->n_blocks++] = mem;
}

static void give_all_back(bench *b)
{
    while (b->n_blocks) cph_free(b->blocks[--b->n_blocks]);
}

/* Numbers around zero, at most `size` in magnitude, of no meaning. */
static void fill(float *v, size_t n, float size)
{
    uint32_t x = 2463534242u;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        v[i] = ((float)(x >> 8) * 0x1p-23f - 1.0f) * size;
    }
}

static float *reals(bench *b, size_t n)
{
    float *v = take(b, n * sizeof *v);
    fill(v, n, 1.0f);
    return v;
}

/* In the type of the activations. */
static void *activations(bench *b, size_t n)
{
    if (b->dtype == CPH_F32) return reals(b, n);
    uint16_t *v = take(b, n * sizeof *v);
    uint32_t x = 2463534242u;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        v[i] = cph_bf16_of((float)(x >> 8) * 0x1p-23f - 1.0f);
    }
    return v;
}

static size_t real_bytes(const bench *b) { return b->dtype == CPH_F32 ? sizeof(float) : sizeof(uint16_t); }

/* ---- answers ---- */

/* One figure; share is negative where there is nothing to compare with. */
static void row(bench *b, const char *name, double seconds, double rate, const char *unit, double share)
{
    b->n_rows++;
    if (!b->json) {
        printf("%-34s %2u %-9s", name, cph_pool_threads(b->pool), cph_arith_text(b->arith));
        if (seconds > 0) printf(" %10.3f ms", seconds * 1e3);
        else printf(" %13s", "");
        printf(" %9.1f %-8s", rate, unit);
        if (share >= 0) printf(" %5.1f %%", share * 100);
        printf("\n");
        return;
    }
    cph_err err;
    must(cph_buf_printf(&b->line, &err, "%s{\"name\":\"%s\",\"arith\":\"%s\",\"threads\":%u,\"ms\":%.6f,"
                        "\"rate\":%.4f,\"unit\":\"%s\"", b->n_rows > 1 ? "," : "", name,
                        cph_arith_text(b->arith), cph_pool_threads(b->pool), seconds * 1e3, rate, unit),
         &err);
    if (share >= 0) must(cph_buf_printf(&b->line, &err, ",\"share\":%.5f", share), &err);
    must(cph_buf_char(&b->line, '}', &err), &err);
}

static double attainable(const bench *b) { return b->dtype == CPH_F32 ? b->top.fp32 : b->top.bf16; }

static void row_flops(bench *b, const char *name, double seconds, double flops)
{
    double rate = flops / seconds * 1e-9, top = attainable(b);
    row(b, name, seconds, rate, "GFLOP/s", top > 0 ? rate / top : -1);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_size);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* ---- running a record ---- */

static void run_once(bench *b, const cph_op *op, bool backward)
{
    if (backward) cph_op_backward(b->exec, op);
    else cph_op_forward(b->exec, op);
}

/* Median of the calls of b->seconds, at least three, after one that warms up. */
static double seconds_of(bench *b, const cph_op *op, bool backward)
{
    static double took[MAX_SAMPLES];
    size_t n = 0;
    double all = 0;
    cph_err err;
    must(cph_exec_reserve(b->exec, cph_op_scratch(b->backend, op), &err), &err);
    run_once(b, op, backward);
    while (n < MAX_SAMPLES && (n < 3 || all < b->seconds)) {
        double began = cph_now_s();
        run_once(b, op, backward);
        took[n] = cph_now_s() - began;
        all += took[n++];
    }
    return median(took, n);
}

/* ---- cases ---- */

static void peak_row(void *ctx, const peak_loop *loop, double gflops)
{
    row(ctx, loop->name, 0, gflops, loop->bf16 ? "GFLOP/s bf16" : "GFLOP/s", -1);
}

static void case_peak(bench *b)
{
    b->top = peak_measure(b->pool, peak_row, b);
    row(b, "attainable", 0, attainable(b), "GFLOP/s", -1);
}

static void *packed_weight(bench *b, const cph_linear *l)
{
    void *packed = take(b, cph_pack_bytes(b->backend, b->dtype, l->in, l->out));
    cph_pack_weight(b->exec, b->dtype, l->w, l->in, l->out, l->out_in, packed);
    return packed;
}

/* GEMM passes: which of rows, in and out is M, N and K. */
static const struct gemm_pass {
    const char *name;
    bool out_in, dx, dw;
    char m, n, k; /* r: rows, i: in, o: out */
} PASSES[] = {
    {"forward", false, false, false, 'r', 'o', 'i'}, {"dx", false, true, false, 'r', 'i', 'o'},
    {"dw", false, false, true, 'i', 'o', 'r'},       {"head", true, false, false, 'r', 'o', 'i'},
    {"head-dx", true, true, false, 'r', 'i', 'o'},   {"head-dw", true, false, true, 'o', 'i', 'r'},
};
#define N_PASSES (sizeof PASSES / sizeof *PASSES)

static void set_size(cph_linear *l, char which, uint32_t size)
{
    if (which == 'r') l->rows = size;
    else if (which == 'i') l->in = size;
    else l->out = size;
}

static void gemm_forward(bench *b, cph_linear *l)
{
    l->x = activations(b, (size_t)l->rows * l->in);
    l->w = reals(b, (size_t)l->in * l->out);
    l->packed = packed_weight(b, l);
    l->real_y = l->out_in; /* logits */
    l->y = take(b, (size_t)l->rows * l->out * (l->real_y ? sizeof(float) : real_bytes(b)));
}

static void gemm_backward(bench *b, cph_linear *l, bool dx)
{
    l->dy = activations(b, (size_t)l->rows * l->out);
    if (dx) {
        l->w = reals(b, (size_t)l->in * l->out);
        l->packed = packed_weight(b, l);
        l->dx = take(b, (size_t)l->rows * l->in * real_bytes(b));
    } else {
        l->x = activations(b, (size_t)l->rows * l->in);
        l->dw = take(b, (size_t)l->in * l->out * sizeof(float));
        l->fresh_dw = true;
    }
    l->part = take(b, (size_t)CPH_BLOCKS(l->rows) * l->out * sizeof(float));
    l->pack = take(b, cph_linear_pack_bytes(b->backend, b->dtype, l));
}

static void gemm(bench *b, const struct gemm_pass *p, const uint32_t mnk[3])
{
    char name[64];
    cph_op op = {.kind = CPH_OP_linear, .dtype = b->dtype};
    cph_linear *l = &op.u.linear;
    l->out_in = p->out_in;
    set_size(l, p->m, mnk[0]);
    set_size(l, p->n, mnk[1]);
    set_size(l, p->k, mnk[2]);
    if (p->dx || p->dw) gemm_backward(b, l, p->dx);
    else gemm_forward(b, l);
    snprintf(name, sizeof name, "%s %ux%ux%u", p->name, mnk[0], mnk[1], mnk[2]);
    row_flops(b, name, seconds_of(b, &op, p->dx || p->dw), 2.0 * mnk[0] * mnk[1] * mnk[2]);
}

static bool case_gemm(bench *b, const char *words)
{
    char pass[16];
    uint32_t mnk[3];
    if (sscanf(words, "%15[^:]:%ux%ux%u", pass, &mnk[0], &mnk[1], &mnk[2]) != 4) return false;
    if (!mnk[0] || !mnk[1] || !mnk[2]) return false;
    for (size_t i = 0; i < N_PASSES; i++)
        if (strcmp(pass, PASSES[i].name) == 0) {
            gemm(b, &PASSES[i], mnk);
            return true;
        }
    return false;
}

static bool case_pack(bench *b, const char *words)
{
    char name[64];
    double took[5];
    cph_linear l = {0};
    if (sscanf(words, "%ux%u", &l.in, &l.out) != 2 || !l.in || !l.out) return false;
    size_t n = (size_t)l.in * l.out, n_packed = cph_pack_bytes(b->backend, b->dtype, l.in, l.out);
    l.w = reals(b, n);
    l.out_in = l.out == VOCAB;
    void *packed = take(b, n_packed);
    for (int i = -1; i < 5; i++) {
        double began = cph_now_s();
        cph_pack_weight(b->exec, b->dtype, l.w, l.in, l.out, l.out_in, packed);
        if (i >= 0) took[i] = cph_now_s() - began;
    }
    double s = median(took, 5);
    snprintf(name, sizeof name, "pack %ux%u", l.in, l.out);
    row(b, name, s, (double)(n * sizeof(float) + n_packed) / s * 1e-9, "GB/s", -1);
    return true;
}

static void case_attention(bench *b, uint32_t T)
{
    char name[64];
    size_t rows = (size_t)BATCH * T, qkv = rows * 3 * WIDTH, esize = real_bytes(b);
    char *in = activations(b, qkv), *grad = take(b, qkv * esize);
    cph_op op = {.kind = CPH_OP_attention, .dtype = b->dtype};
    op.u.attention = (cph_attention){.q = in, .k = in + WIDTH * esize, .v = in + 2 * WIDTH * esize,
        .o = take(b, rows * WIDTH * esize), .lse = take(b, rows * HEADS * sizeof(float)),
        .d_o = activations(b, rows * WIDTH), .dq = grad, .dk = grad + WIDTH * esize,
        .dv = grad + 2 * WIDTH * esize, .delta = take(b, rows * HEADS * sizeof(float)),
        .batch = BATCH, .q_len = T, .k_len = T, .heads = HEADS, .kv_heads = HEADS, .head_dim = WIDTH / HEADS,
        .q_stride = 3 * WIDTH, .kv_stride = 3 * WIDTH,
        .o_stride = WIDTH, .causal = true, .scale = 0.125f};
    double product = 2.0 * BATCH * WIDTH * ((double)T * (T + 1) / 2); /* q k^T and its like, causal half */
    snprintf(name, sizeof name, "attention T %u forward", T);
    row_flops(b, name, seconds_of(b, &op, false), 2 * product);
    snprintf(name, sizeof name, "attention T %u backward", T);
    row_flops(b, name, seconds_of(b, &op, true), 5 * product);
}

static void case_norm(bench *b, uint32_t T)
{
    char name[64];
    uint32_t rows = BATCH * T;
    size_t n = (size_t)rows * WIDTH;
    double half = (double)(n * real_bytes(b)), whole = (double)(n * sizeof(float)), s;
    cph_op op = {.kind = CPH_OP_norm, .dtype = b->dtype};
    op.u.norm = (cph_norm){.x = reals(b, n), .y = activations(b, n), .gamma = reals(b, WIDTH),
        .beta = reals(b, WIDTH), .sum = take(b, n * sizeof(float)), .h = take(b, n * real_bytes(b)),
        .mean = take(b, rows * sizeof(float)), .rstd = take(b, rows * sizeof(float)), .dh = activations(b, n),
        .dsum = reals(b, n), .dx = take(b, n * sizeof(float)), .dy = take(b, n * real_bytes(b)),
        .dgamma = take(b, WIDTH * sizeof(float)), .dbeta = take(b, WIDTH * sizeof(float)),
        .part = take(b, 2 * (size_t)CPH_BLOCKS(rows) * WIDTH * sizeof(float)), .rows = rows, .width = WIDTH,
        .eps = 1e-5};
    snprintf(name, sizeof name, "norm T %u forward", T);
    s = seconds_of(b, &op, false);
    row(b, name, s, 2 * (whole + half) / s * 1e-9, "GB/s", -1);
    snprintf(name, sizeof name, "norm T %u backward", T);
    s = seconds_of(b, &op, true);
    row(b, name, s, (3 * whole + 2 * half) / s * 1e-9, "GB/s", -1);
}

static void case_loss(bench *b, uint32_t T)
{
    char name[64];
    uint32_t rows = BATCH * T, chunk = rows < LOSS_CHUNK ? rows : LOSS_CHUNK;
    int32_t *labels = take(b, rows * sizeof *labels);
    float *inv = take(b, sizeof *inv);
    cph_linear head = {.w = reals(b, (size_t)VOCAB * WIDTH), .in = WIDTH, .out = VOCAB, .out_in = true};
    cph_op op = {.kind = CPH_OP_loss, .dtype = b->dtype};
    cph_loss *l = &op.u.loss;
    for (uint32_t i = 0; i < rows; i++) labels[i] = (int32_t)(i * 7919u % VOCAB);
    *inv = 1.0f / (float)rows;
    *l = (cph_loss){.x = activations(b, (size_t)rows * WIDTH), .w = head.w, .packed = packed_weight(b, &head),
        .labels = labels, .logits = take(b, (size_t)chunk * VOCAB * sizeof(float)),
        .losses = take(b, rows * sizeof(float)), .inv_labels = inv, .backward = true,
        .dx = take(b, (size_t)rows * WIDTH * real_bytes(b)),
        .dw = take(b, (size_t)VOCAB * WIDTH * sizeof(float)), .rows = rows, .in = WIDTH, .vocab = VOCAB,
        .chunk = chunk, .fresh_dw = true};
    l->pack = take(b, cph_loss_pack_bytes(b->backend, b->dtype, l));
    snprintf(name, sizeof name, "loss T %u, both passes", T);
    row_flops(b, name, seconds_of(b, &op, false), 6.0 * rows * VOCAB * WIDTH);
}

/* ---- the optimizer beside copies of the same buffers ---- */

typedef struct copying {
    const float *from;
    float *to;
    size_t n;
    bool streaming;
} copying;

#if defined(__x86_64__)
#define COPY_LOOP(name, isa, width, load, store)                                     \
    __attribute__((target(isa))) static void name(const float *from, float *to, size_t n) \
    {                                                                                \
        for (size_t i = 0; i < n; i += width) store(to + i, load(from + i));         \
        _mm_sfence();                                                                \
    }
COPY_LOOP(plain256, "avx2", 8, _mm256_load_ps, _mm256_store_ps)
COPY_LOOP(streaming256, "avx2", 8, _mm256_load_ps, _mm256_stream_ps)
COPY_LOOP(plain512, "avx512f", 16, _mm512_load_ps, _mm512_store_ps)
COPY_LOOP(streaming512, "avx512f", 16, _mm512_load_ps, _mm512_stream_ps)
static void copy_part(const copying *c, size_t begin, size_t n)
{
    const float *from = c->from + begin;
    float *to = c->to + begin;
    if (peak_has_avx512()) (c->streaming ? streaming512 : plain512)(from, to, n);
    else if (peak_has_avx2()) (c->streaming ? streaming256 : plain256)(from, to, n);
    else memcpy(to, from, n * sizeof *to);
}
#else
static void copy_part(const copying *c, size_t begin, size_t n)
{
    memcpy(c->to + begin, c->from + begin, n * sizeof *c->to); /* both kinds are the library's */
}
#endif

static cph_status copy_task(void *arg, size_t task, unsigned worker, cph_err *err)
{
    const copying *c = arg;
    size_t begin = task * CPH_FLAT_BLOCK, left = c->n - begin;
    (void)worker, (void)err;
    copy_part(c, begin, left < CPH_FLAT_BLOCK ? left : CPH_FLAT_BLOCK);
    return CPH_OK;
}

/* g to m and p to v: as many bytes of as many buffers as an update touches. */
static double copy_seconds(bench *b, const cph_adamw_args *a, bool streaming)
{
    copying c[2] = {{a->g, a->m, a->n, streaming}, {a->p, a->v, a->n, streaming}};
    size_t n_tasks = (a->n + CPH_FLAT_BLOCK - 1) / CPH_FLAT_BLOCK;
    double began = cph_now_s();
    for (int i = 0; i < 2; i++) {
        cph_status s = cph_pool_run(b->pool, n_tasks, copy_task, &c[i], NULL);
        (void)s; /* the tasks cannot fail */
    }
    return cph_now_s() - began;
}

/* Denormal moments are stored as 0 by the first update, so they are written anew for each. */
static double adamw_seconds(bench *b, const cph_adamw_args *a, float moments)
{
    cph_op op = {.kind = CPH_OP_adamw, .u.adamw = *a};
    fill(a->m, a->n, moments);
    for (uint64_t i = 0; i < a->n; i++) a->v[i] = a->m[i] < 0 ? -a->m[i] : a->m[i];
    fill((float *)(uintptr_t)a->g, a->n, moments);
    double began = cph_now_s();
    cph_op_flat(b->backend, b->pool, &op);
    return cph_now_s() - began;
}

static void case_adamw(bench *b, uint64_t n)
{
    static const char *const NAMES[] = {"adamw", "adamw, denormal moments", "copy", "copy, streaming stores"};
    double took[4][5], bytes[] = {28, 28, 16, 16};
    n = (n + 15) / 16 * 16;
    cph_adamw_args a = {.p = reals(b, n), .g = take(b, n * sizeof(float)), .m = take(b, n * sizeof(float)),
        .v = take(b, n * sizeof(float)), .n = n, .grad_scale = 0.7f, .decay = 0.9999f, .beta1 = 0.9f,
        .beta2 = 0.95f, .one_beta1 = 0.1f, .one_beta2 = 0.05f, .step = 1e-4f, .inv_root = 1.5f, .eps = 1e-8f};
    for (int i = -1; i < 5; i++) {
        double s[4] = {adamw_seconds(b, &a, 1e-3f), adamw_seconds(b, &a, 1e-39f), copy_seconds(b, &a, false),
            copy_seconds(b, &a, true)};
        for (int kind = 0; i >= 0 && kind < 4; kind++) took[kind][i] = s[kind];
    }
    for (int kind = 0; kind < 4; kind++) {
        double s = median(took[kind], 5);
        row(b, NAMES[kind], s, bytes[kind] * (double)n / s * 1e-9, "GB/s", -1);
    }
}

/* ---- the command line ---- */

static bool case_of_length(bench *b, const char *name)
{
    static const struct {
        const char *name;
        void (*run)(bench *b, uint32_t T);
    } OPS[] = {{"attention:%u", case_attention}, {"norm:%u", case_norm}, {"loss:%u", case_loss}};
    uint32_t T;
    for (size_t i = 0; i < sizeof OPS / sizeof *OPS; i++)
        if (sscanf(name, OPS[i].name, &T) == 1 && T >= 1 && T <= 65536) {
            OPS[i].run(b, T);
            return true;
        }
    return false;
}

static bool run_case(bench *b, const char *name)
{
    uint64_t n = PARAMETERS;
    bool known = true;
    cph_buf_cut(&b->line, 0);
    b->n_rows = 0;
    if (strcmp(name, "peak") == 0) case_peak(b);
    else if (strncmp(name, "gemm:", 5) == 0) known = case_gemm(b, name + 5);
    else if (strncmp(name, "pack:", 5) == 0) known = case_pack(b, name + 5);
    else if (strcmp(name, "adamw") == 0) case_adamw(b, n);
    else if (strncmp(name, "adamw:", 6) == 0) {
        known = cph_str_u64(cph_str_of(name + 6), &n) && n > 0;
        if (known) case_adamw(b, n);
    } else known = case_of_length(b, name);
    give_all_back(b);
    if (known && b->json) printf("[%s]\n", b->line.p ? b->line.p : "");
    if (!known) fprintf(stderr, "kernels-bench: there is no case \"%s\"\n", name);
    fflush(stdout);
    return known;
}

static bool run_lines(bench *b)
{
    char line[128];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (!run_case(b, line)) return false;
    }
    return true;
}

static bool run_all(bench *b)
{
    static const char *const CASES[] = {
        "peak",
        "gemm:forward:1024x768x768", "gemm:dx:1024x768x768", "gemm:dw:768x768x1024",
        "gemm:forward:1024x3072x768", "gemm:dx:1024x768x3072", "gemm:dw:768x3072x1024",
        "gemm:forward:1024x768x3072", "gemm:dx:1024x3072x768", "gemm:dw:3072x768x1024",
        "gemm:forward:4096x768x768", "gemm:dx:4096x768x768", "gemm:dw:768x768x4096",
        "gemm:forward:256x256x256", "gemm:dx:256x256x256", "gemm:dw:256x256x256",
        "gemm:head:1024x50257x768", "gemm:head-dx:1024x768x50257", "gemm:head-dw:50257x768x1024",
        "pack:768x3072", "pack:768x50257", "attention:64", "attention:256", "attention:1024", "norm:64",
        "norm:256", "norm:1024", "loss:64", "loss:256", "loss:1024", "adamw",
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (!run_case(b, CASES[i])) return false;
    return true;
}

static int usage(void)
{
    fprintf(stderr, "usage: kernels-bench [--arith fp32|bf16|bf16-fma|bf16-dot|default] [--threads N] "
                    "[--seconds S] [--json] [CASE...]\n       a CASE: peak, gemm:PASS:MxNxK, pack:INxOUT, "
                    "attention:T, norm:T, loss:T, adamw[:N], or - to read them\n");
    return 2;
}

static bool parse(bench *b, int argc, char **argv, int *first, uint64_t *threads)
{
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(name, "--json") == 0) {
            b->json = true;
            continue;
        }
        bool good = (strcmp(name, "--arith") == 0 && arith_option(value, &b->arith)) ||
                    (strcmp(name, "--threads") == 0 && cph_str_u64(cph_str_of(value), threads)) ||
                    (strcmp(name, "--seconds") == 0 && cph_str_double(cph_str_of(value), &b->seconds));
        if (!good) return false;
        i++;
    }
    *first = i;
    return *threads < 4096;
}

int main(int argc, char **argv)
{
    bench b = {.arith = CPH_ARITH_FP32, .seconds = 0.5};
    uint64_t threads = 0;
    int first = 1;
    bool good = true;
    cph_err err;
    if (!parse(&b, argc, argv, &first, &threads)) return usage();
    b.dtype = cph_arith_dtype(b.arith);
    cph_buf_init(&b.line, 65536);
    must(cph_backend_for(&b.backend, b.arith, &err), &err);
    must(cph_pool_open(&b.pool, (unsigned)threads, &err), &err);
    must(cph_exec_open(&b.exec, b.backend, b.pool, &err), &err);
    if (first == argc) good = run_all(&b);
    else b.top = peak_measure(b.pool, NULL, NULL);
    for (int i = first; good && i < argc; i++)
        good = strcmp(argv[i], "-") == 0 ? run_lines(&b) : run_case(&b, argv[i]);
    cph_exec_close(b.exec);
    cph_pool_close(b.pool);
    cph_buf_release(&b.line);
    return good ? 0 : 2;
}
