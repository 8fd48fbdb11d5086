/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_onednn.c - products by oneDNN agree with our own, for every way of storing a weight, what is kept,
 * added to, frozen; sizes are odd. Skipped where the plug-in was not built.
 */
#include <colophon/base/memory.h>
#include <colophon/base/philox.h>
#include <colophon/tensor/gemm.h>

#include <math.h>
#include <unistd.h>

#include "testing.h"

#if defined __SANITIZE_ADDRESS__
/* The leak checker of GCC 12 falls over the thread-local storage of OpenMP's threads in a library loaded late. */
CPH_API const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }
#endif

enum { CASES = 16, ROOM = 1 << 20, MAX_BUFFERS = 24 };

/* One case, of which every backend gets the same numbers. */
typedef struct bench {
    char *memory;
    size_t used;
    struct {
        const void *at;
        size_t n;
        cph_dtype type;
    } results[MAX_BUFFERS];
    unsigned n_results;
    cph_dtype dtype;
    const cph_backend *backend;
    uint64_t seed, draws;
} bench;

static uint32_t random_word(bench *b) { return cph_philox_word(b->seed, 11, 0, 0, b->draws++); }
static uint32_t pick(bench *b, uint32_t lo, uint32_t hi) { return lo + random_word(b) % (hi - lo + 1); }

static void *bytes(bench *b, size_t n)
{
    void *p = b->memory + b->used;
    b->used += (n + 63) & ~(size_t)63;
    assert_true(b->used <= ROOM * sizeof(float));
    return p;
}

static void *values(bench *b, cph_dtype type, size_t n, bool result)
{
    void *p = bytes(b, n * (type == CPH_F32 ? sizeof(float) : sizeof(uint16_t)));
    for (size_t i = 0; i < n; i++) {
        float v = (float)((double)random_word(b) * 0x1p-31 - 1.0);
        if (type == CPH_F32) ((float *)p)[i] = v;
        else ((uint16_t *)p)[i] = cph_bf16_of(v);
    }
    if (!result) return p;
    assert_true(b->n_results < MAX_BUFFERS);
    b->results[b->n_results].at = p;
    b->results[b->n_results].n = n;
    b->results[b->n_results++].type = type;
    return p;
}
static float *floats(bench *b, size_t n) { return values(b, CPH_F32, n, false); }
static float *sums(bench *b, size_t n) { return values(b, CPH_F32, n, true); }

static const void *packed(bench *b, cph_exec *x, const float *w, uint32_t in, uint32_t out, bool out_in)
{
    void *p = bytes(b, cph_pack_bytes(b->backend, b->dtype, in, out));
    if (cph_pack_bytes(b->backend, b->dtype, in, out) == 0) return NULL;
    cph_pack_weight(x, b->dtype, w, in, out, out_in, p);
    return p;
}

static void run_linear(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 150), in = pick(b, 1, 200), out = pick(b, 1, 200);
    size_t nx = (size_t)rows * in, ny = (size_t)rows * out, nw = (size_t)in * out;
    cph_op op = {.kind = CPH_OP_linear, .dtype = b->dtype};
    cph_linear *l = &op.u.linear;
    *l = (cph_linear){.rows = rows, .in = in, .out = out, .out_in = pick(b, 0, 1), .dx_adds = pick(b, 0, 1),
                      .fresh_dw = pick(b, 0, 1), .y_adds = pick(b, 0, 3) == 0};
    if (pick(b, 0, 1)) l->act = (cph_act)pick(b, 1, CPH_N_ACTS - 1);
    l->real_y = l->act == CPH_ACT_NONE && pick(b, 0, 1);
    l->x = values(b, b->dtype, nx, false);
    l->w = floats(b, nw);
    l->b = pick(b, 0, 1) ? floats(b, out) : NULL;
    l->y = values(b, l->real_y ? CPH_F32 : b->dtype, ny, true);
    l->pre = l->act ? values(b, b->dtype, ny, true) : NULL;
    l->dy = values(b, b->dtype, ny, true);
    l->dx = pick(b, 0, 3) ? values(b, b->dtype, nx, true) : NULL;
    l->dw = pick(b, 0, 3) ? sums(b, nw) : NULL;
    l->db = l->b && pick(b, 0, 3) ? sums(b, out) : NULL;
    l->part = floats(b, (size_t)CPH_BLOCKS(rows) * out);
    l->pack = bytes(b, cph_linear_pack_bytes(b->backend, b->dtype, l));
    l->packed = b->dtype == CPH_BF16 || pick(b, 0, 1) ? packed(b, x, l->w, in, out, l->out_in) : NULL;
    must(cph_exec_reserve(x, cph_op_scratch(b->backend, &op), err));
    cph_op_forward(x, &op);
    cph_op_backward(x, &op);
}

static void run_loss(bench *b, cph_exec *x)
{
    uint32_t rows = pick(b, 1, 90), in = pick(b, 1, 80), chunk = pick(b, 1, rows);
    uint32_t vocab = pick(b, 0, 4) ? pick(b, 2, 500) : pick(b, 2040, 2200);
    int32_t *labels = bytes(b, rows * sizeof *labels);
    for (uint32_t i = 0; i < rows; i++) labels[i] = pick(b, 0, 3) ? (int32_t)pick(b, 0, vocab - 1) : -100;
    cph_op op = {.kind = CPH_OP_loss, .dtype = b->dtype};
    cph_loss *l = &op.u.loss;
    *l = (cph_loss){.labels = labels, .rows = rows, .in = in, .vocab = vocab, .chunk = chunk,
                    .backward = pick(b, 0, 3) > 0, .fresh_dw = pick(b, 0, 1), .dx_adds = pick(b, 0, 1)};
    if (pick(b, 0, 1)) l->targets = cph_targets_torch(0.1, vocab);
    l->x = values(b, b->dtype, (size_t)rows * in, false);
    l->w = floats(b, (size_t)vocab * in);
    l->b = pick(b, 0, 1) ? floats(b, vocab) : NULL;
    l->logits = floats(b, (size_t)chunk * vocab);
    l->keep = pick(b, 0, 1) ? sums(b, (size_t)rows * vocab) : NULL;
    l->losses = sums(b, rows);
    l->inv_labels = floats(b, 1);
    if (l->backward) {
        l->dx = pick(b, 0, 3) ? values(b, b->dtype, (size_t)rows * in, true) : NULL;
        l->db = l->b && pick(b, 0, 3) ? sums(b, vocab) : NULL;
        l->dw = pick(b, 0, 3) ? sums(b, (size_t)vocab * in) : NULL;
        l->pack = bytes(b, cph_loss_pack_bytes(b->backend, b->dtype, l));
    }
    l->packed = b->dtype == CPH_BF16 || pick(b, 0, 1) ? packed(b, x, l->w, in, vocab, true) : NULL;
    must(cph_exec_reserve(x, cph_op_scratch(b->backend, &op), err));
    cph_op_forward(x, &op);
}

static void bench_open(bench *b, const cph_backend *backend, cph_dtype dtype)
{
    void *mem = NULL;
    *b = (bench){.backend = backend, .dtype = dtype};
    must(cph_alloc0(&mem, ROOM * sizeof(float), err));
    b->memory = mem;
}

static double value_at(const bench *b, unsigned buffer, size_t i)
{
    const void *p = b->results[buffer].at;
    if (b->results[buffer].type == CPH_F32) return (double)((const float *)p)[i];
    return (double)cph_bf16_to(((const uint16_t *)p)[i]);
}

static void compare(const bench *ours, const bench *theirs, double part)
{
    assert_int_equal(ours->n_results, theirs->n_results);
    for (unsigned r = 0; r < ours->n_results; r++) {
        double scale = 0;
        for (size_t i = 0; i < ours->results[r].n; i++) scale = fmax(scale, fabs(value_at(ours, r, i)));
        for (size_t i = 0; i < ours->results[r].n; i++) {
            double a = value_at(ours, r, i), b = value_at(theirs, r, i);
            if (!(fabs(a - b) <= part * scale))
                fail_msg("seed %llu, result %u, element %zu: %.9g, by oneDNN %.9g",
                         (unsigned long long)ours->seed, r, i, a, b);
        }
    }
}

static bool has_plugin(void)
{
#if defined __SANITIZE_THREAD__
    print_message("skipped: the thread sanitizer does not see the barriers of the library's OpenMP\n");
    return false;
#endif
    char self[CPH_PATH_MAX] = "", plugin[CPH_PATH_MAX + 64];
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    cph_str dir = cph_path_dir(cph_str_of(self));
    snprintf(plugin, sizeof plugin, "%.*s/../lib/libcolophon-onednn.so", CPH_FMT(dir));
    if (cph_file_kind_of(plugin) == CPH_FILE_REGULAR) return true;
    print_message("skipped: the oneDNN plug-in is not here (libdnnl-dev)\n");
    return false;
}

static void agree(void (*run)(bench *, cph_exec *), cph_arith arith, double part)
{
    const cph_backend *native, *by_library = NULL;
    cph_dtype dtype = cph_arith_dtype(arith);
    cph_err err = {0};
    must(cph_backend_for(&native, arith, err));
    cph_status s = cph_backend_onednn(&by_library, native, dtype, &err);
    if (s == CPH_NO) {
        print_message("skipped: %s\n", err.what);
        skip();
    }
    if (s != CPH_OK) fail_msg("%s", err.what);
    for (unsigned threads = 1; threads <= 3; threads++) {
        bench ours, theirs;
        cph_pool *pool;
        cph_exec *x, *y;
        must(cph_pool_open(&pool, threads, err));
        must(cph_exec_open(&x, native, pool, err));
        must(cph_exec_open(&y, by_library, pool, err));
        bench_open(&ours, native, dtype);
        bench_open(&theirs, by_library, dtype);
        for (unsigned c = 0; c < CASES; c++) {
            ours.seed = theirs.seed = 1000 * threads + c;
            ours.draws = theirs.draws = ours.used = theirs.used = 0;
            ours.n_results = theirs.n_results = 0;
            run(&ours, x);
            run(&theirs, y);
            compare(&ours, &theirs, part);
        }
        cph_free(ours.memory);
        cph_free(theirs.memory);
        cph_exec_close(x);
        cph_exec_close(y);
        cph_pool_close(pool);
    }
}

static void linear_in_fp32_agrees_with_ours(void **state)
{
    (void)state;
    if (!has_plugin()) skip();
    agree(run_linear, CPH_ARITH_FP32, 1e-5);
}

static void linear_in_bf16_agrees_with_ours(void **state)
{
    (void)state;
    if (!has_plugin()) skip();
    agree(run_linear, CPH_ARITH_BF16_FMA, 2e-2);
}

static void the_output_layer_in_fp32_agrees_with_ours(void **state)
{
    (void)state;
    if (!has_plugin()) skip();
    agree(run_loss, CPH_ARITH_FP32, 1e-5);
}

static void the_output_layer_in_bf16_agrees_with_ours(void **state)
{
    (void)state;
    if (!has_plugin()) skip();
    agree(run_loss, CPH_ARITH_BF16_FMA, 2e-2);
}

static void its_arithmetic_names_the_library_its_version_and_the_type(void **state)
{
    (void)state;
    const cph_backend *native, *b;
    int major, minor, patch, end = 0;
    if (!has_plugin()) skip();
    must(cph_backend_choose(&native, err));
    assert_null(cph_backend_arith(native));
    must(cph_backend_onednn(&b, native, CPH_F32, err));
    assert_int_equal(sscanf(cph_backend_arith(b), "onednn-%d.%d.%d-fp32%n", &major, &minor, &patch, &end), 3);
    assert_int_equal(end, strlen(cph_backend_arith(b)));
}

/* Runs first: a plug-in once loaded stays. */
static void a_missing_plug_in_is_said_with_the_package_that_it_wants(void **state)
{
    (void)state;
    const cph_backend *native, *b = NULL;
    cph_err err = {0};
    must(cph_backend_choose(&native, err));
    assert_int_equal(setenv("COLOPHON_PLUGINS", testing_dir(), 1), 0);
    assert_int_equal(cph_backend_onednn(&b, native, CPH_F32, &err), CPH_IO);
    assert_null(b);
    assert_non_null(strstr(err.what, "oneDNN plug-in"));
    assert_non_null(strstr(err.hint, "libdnnl-dev"));
    assert_int_equal(unsetenv("COLOPHON_PLUGINS"), 0);
    testing_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_plug_in_is_said_with_the_package_that_it_wants),
        cmocka_unit_test(its_arithmetic_names_the_library_its_version_and_the_type),
        cmocka_unit_test(linear_in_fp32_agrees_with_ours),
        cmocka_unit_test(linear_in_bf16_agrees_with_ours),
        cmocka_unit_test(the_output_layer_in_fp32_agrees_with_ours),
        cmocka_unit_test(the_output_layer_in_bf16_agrees_with_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
