/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onednn_gemm.c - the rival of the GEMM bars: matrix products by oneDNN 2.x on the same shapes.
 *
 * usage: onednn_gemm fp32|bf16 SECONDS, then lines "gemm:PASS:MxNxK" as kernels-bench takes them.
 * Each is answered by one line: an array of {"name", "rate" in GFLOP/s}: weights as they lie and,
 * where B is a weight, packed beforehand. Built by bench/bars/gemm.py where libdnnl-dev is; no part
 * of the product. Weight gradients are overwritten and in fp32, as are the logits of a head.
 */
#include <oneapi/dnnl/dnnl.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_SAMPLES 512

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void must(dnnl_status_t s, const char *what)
{
    if (s == dnnl_success) return;
    fprintf(stderr, "onednn_gemm: %s: status %d\n", what, (int)s);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef struct pass {
    const char *name;
    bool a_turned, b_turned; /* stored [K,M], [N,K] */
    bool weight;             /* B is one: it may be packed beforehand */
    bool real_c;             /* fp32 whatever the operands */
} pass;
static const pass PASSES[] = {
    {"forward", false, false, true, false}, {"dx", false, true, true, false},
    {"dw", true, false, false, true},       {"head", false, true, true, true},
    {"head-dx", false, false, true, false}, {"head-dw", true, false, false, true},
};
#define N_PASSES (sizeof PASSES / sizeof *PASSES)

static dnnl_memory_desc_t matrix(int64_t rows, int64_t columns, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t d;
    dnnl_dims_t dims = {rows, columns};
    must(dnnl_memory_desc_init_by_tag(&d, 2, dims, type, tag), "describing a matrix");
    return d;
}

static dnnl_memory_t memory_of(const dnnl_memory_desc_t *d)
{
    dnnl_memory_t m;
    void *p;
    must(dnnl_memory_create(&m, d, engine, DNNL_MEMORY_ALLOCATE), "allocating");
    must(dnnl_memory_get_data_handle(m, &p), "allocating");
    size_t bytes = dnnl_memory_desc_get_size(d);
    uint32_t x = 2463534242u;
    if (d->data_type == dnnl_f32)
        for (size_t i = 0; i < bytes / 4; i++) {
            x = x * 1664525u + 1013904223u;
            ((float *)p)[i] = (float)(x >> 8) * 0x1p-23f - 1.0f;
        }
    else
        for (size_t i = 0; i < bytes / 2; i++) {
            x = x * 1664525u + 1013904223u; /* sign, exponent of [0.5,1), fraction */
            ((uint16_t *)p)[i] = (uint16_t)((x >> 31 << 15) | 0x3f00u | (x >> 20 & 0x7f));
        }
    return m;
}

static dnnl_memory_t packed(dnnl_memory_t from, const dnnl_memory_desc_t *to)
{
    const dnnl_memory_desc_t *d;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t p;
    dnnl_memory_t m;
    must(dnnl_memory_get_memory_desc(from, &d), "packing");
    must(dnnl_memory_create(&m, to, engine, DNNL_MEMORY_ALLOCATE), "allocating");
    must(dnnl_reorder_primitive_desc_create(&pd, d, engine, to, engine, NULL), "packing");
    must(dnnl_primitive_create(&p, pd), "packing");
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, m}};
    must(dnnl_primitive_execute(p, stream, 2, args), "packing");
    must(dnnl_stream_wait(stream), "packing");
    dnnl_primitive_destroy(p);
    dnnl_primitive_desc_destroy(pd);
    return m;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median of the calls of `seconds`, at least three, after one that warms up. */
static double time_of(dnnl_primitive_t p, const dnnl_exec_arg_t *args, double seconds)
{
    static double took[MAX_SAMPLES];
    double all = 0;
    size_t n = 0;
    for (int warm = 1; n < MAX_SAMPLES && (n < 3 || all < seconds); warm = 0) {
        double began = now();
        must(dnnl_primitive_execute(p, stream, 3, args), "multiplying");
        must(dnnl_stream_wait(stream), "multiplying");
        if (warm) continue;
        took[n] = now() - began;
        all += took[n++];
    }
    qsort(took, n, sizeof *took, by_size);
    return n % 2 ? took[n / 2] : (took[n / 2 - 1] + took[n / 2]) / 2;
}

static double product(const pass *p, const int64_t mnk[3], dnnl_data_type_t type, bool pack, double seconds)
{
    int64_t m = mnk[0], n = mnk[1], k = mnk[2];
    dnnl_memory_desc_t a = matrix(m, k, type, p->a_turned ? dnnl_ba : dnnl_ab);
    dnnl_memory_desc_t b = matrix(k, n, type, p->b_turned ? dnnl_ba : dnnl_ab);
    dnnl_memory_desc_t any = matrix(k, n, type, dnnl_format_tag_any);
    dnnl_memory_desc_t c = matrix(m, n, p->real_c ? dnnl_f32 : type, dnnl_ab);
    dnnl_matmul_desc_t d;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t multiply;
    must(dnnl_matmul_desc_init(&d, &a, pack ? &any : &b, NULL, &c), "describing the product");
    must(dnnl_primitive_desc_create(&pd, &d, NULL, engine, NULL), "choosing a kernel");
    must(dnnl_primitive_create(&multiply, pd), "making the kernel");
    dnnl_memory_t ma = memory_of(&a), mb = memory_of(&b), mc = memory_of(&c), mp = NULL;
    if (pack) mp = packed(mb, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0));
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, ma}, {DNNL_ARG_WEIGHTS, pack ? mp : mb}, {DNNL_ARG_DST, mc}};
    double s = time_of(multiply, args, seconds);
    dnnl_memory_destroy(ma);
    dnnl_memory_destroy(mb);
    dnnl_memory_destroy(mc);
    if (mp) dnnl_memory_destroy(mp);
    dnnl_primitive_destroy(multiply);
    dnnl_primitive_desc_destroy(pd);
    return 2.0 * (double)m * (double)n * (double)k / s * 1e-9;
}

static bool answer(const char *line, dnnl_data_type_t type, double seconds)
{
    char name[16];
    unsigned size[3];
    if (sscanf(line, "gemm:%15[^:]:%ux%ux%u", name, &size[0], &size[1], &size[2]) != 4) return false;
    int64_t mnk[3] = {size[0], size[1], size[2]};
    for (size_t i = 0; i < N_PASSES; i++) {
        if (strcmp(name, PASSES[i].name) != 0) continue;
        printf("[{\"name\":\"plain\",\"rate\":%.4f}", product(&PASSES[i], mnk, type, false, seconds));
        if (PASSES[i].weight)
            printf(",{\"name\":\"prepacked\",\"rate\":%.4f}", product(&PASSES[i], mnk, type, true, seconds));
        printf("]\n");
        fflush(stdout);
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    char line[128];
    if (argc != 3) {
        fprintf(stderr, "usage: onednn_gemm fp32|bf16 SECONDS < requests\n");
        return 2;
    }
    dnnl_data_type_t type = strcmp(argv[1], "bf16") == 0 ? dnnl_bf16 : dnnl_f32;
    must(dnnl_engine_create(&engine, dnnl_cpu, 0), "starting");
    must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "starting");
    while (fgets(line, sizeof line, stdin))
        if (!answer(line, type, atof(argv[2]))) {
            fprintf(stderr, "onednn_gemm: %s: no product\n", line);
            return 2;
        }
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
    return 0;
}
