/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peak.h - how fast this processor multiplies and adds at all: loops that never leave the registers.
 *
 * The attainable peak of an operand type is the highest rate of any instruction that can
 * serve it (engine 15): for bf16 that may be the fp32 one. Twelve chains hide the latency of
 * every processor that we know and still fit into sixteen registers.
 */
#ifndef CPH_PROGRAMS_PEAK_H
#define CPH_PROGRAMS_PEAK_H

#include <colophon/base/log.h>
#include <colophon/base/pool.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef struct peak_loop {
    const char *name;
    bool bf16; /* operands are bf16; the others serve both types */
    double flops_per_round;
    bool (*available)(void);
    void (*run)(uint64_t rounds);
} peak_loop;

typedef struct peak { /* GFLOP/s */
    double fp32, bf16;
} peak;

static volatile float peak_sink, peak_half = 0.5f; /* volatile: nothing is worked out beforehand */

#define PEAK_TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define PEAK_BEGIN(i) c##i = PEAK_SET(peak_half); /* read each time: equal chains would be merged */
#define PEAK_STEP(i) c##i = PEAK_OP(c##i);
#define PEAK_SUM(i) c0 = PEAK_ADD(c0, c##i);
#define PEAK_BODY(vector)                                              \
    vector c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11;           \
    PEAK_TWELVE(PEAK_BEGIN)                                            \
    for (uint64_t r = 0; r < rounds; r++) { PEAK_TWELVE(PEAK_STEP) }   \
    PEAK_TWELVE(PEAK_SUM)

#if defined(__x86_64__)
static bool peak_has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static bool peak_has_avx512(void) { return __builtin_cpu_supports("avx512f"); }
static bool peak_has_dot(void) { return peak_has_avx512() && __builtin_cpu_supports("avx512bf16"); }

#define PEAK_SET(x) _mm256_set1_ps(x)
#define PEAK_OP(c) _mm256_fmadd_ps(c, a, b)
#define PEAK_ADD(c, d) _mm256_add_ps(c, d)
__attribute__((target("avx2,fma"))) static void peak_fma256(uint64_t rounds)
{
    __m256 a = PEAK_SET(peak_half), b = a;
    PEAK_BODY(__m256)
    peak_sink = _mm256_cvtss_f32(c0);
}
#undef PEAK_SET
#undef PEAK_OP
#undef PEAK_ADD

#define PEAK_SET(x) _mm512_set1_ps(x)
#define PEAK_OP(c) _mm512_fmadd_ps(c, a, b)
#define PEAK_ADD(c, d) _mm512_add_ps(c, d)
__attribute__((target("avx512f"))) static void peak_fma512(uint64_t rounds)
{
    __m512 a = PEAK_SET(peak_half), b = a;
    PEAK_BODY(__m512)
    peak_sink = _mm512_cvtss_f32(c0);
}
#undef PEAK_OP

#define PEAK_OP(c) _mm512_dpbf16_ps(c, pairs, pairs)
__attribute__((target("avx512f,avx512bf16"))) static void peak_dot512(uint64_t rounds)
{
    __m512bh pairs = (__m512bh)_mm512_set1_epi32(0x3f003f00); /* two halves in each lane */
    PEAK_BODY(__m512)
    peak_sink = _mm512_cvtss_f32(c0);
}
#undef PEAK_OP
#undef PEAK_ADD
#else
static bool peak_always(void) { return true; }
#endif

#if defined(__aarch64__)
#define PEAK_SET(x) vdupq_n_f32(x)
#define PEAK_OP(c) vfmaq_f32(b, c, a)
#define PEAK_ADD(c, d) vaddq_f32(c, d)
static void peak_neon(uint64_t rounds)
{
    float32x4_t a = PEAK_SET(peak_half), b = a;
    PEAK_BODY(float32x4_t)
    peak_sink = vgetq_lane_f32(c0, 0);
}
#undef PEAK_OP
#undef PEAK_ADD
#elif !defined(__x86_64__)
#define PEAK_SET(x) (x)
#define PEAK_OP(c) __builtin_fmaf(c, a, b)
#define PEAK_ADD(c, d) ((c) + (d))
static void peak_scalar(uint64_t rounds)
{
    float a = peak_half, b = a;
    PEAK_BODY(float)
    peak_sink = c0;
}
#undef PEAK_OP
#undef PEAK_ADD
#endif

static const peak_loop PEAK_LOOPS[] = {
#if defined(__x86_64__)
    {"multiply-add, 256 bits", false, 12 * 16, peak_has_avx2, peak_fma256},
    {"multiply-add, 512 bits", false, 12 * 32, peak_has_avx512, peak_fma512},
    {"VDPBF16PS, 512 bits", true, 12 * 64, peak_has_dot, peak_dot512},
#elif defined(__aarch64__)
    {"multiply-add, 128 bits", false, 12 * 8, peak_always, peak_neon},
#else
    {"multiply-add, one at a time", false, 12 * 2, peak_always, peak_scalar},
#endif
};
#define PEAK_N_LOOPS (sizeof PEAK_LOOPS / sizeof *PEAK_LOOPS)

typedef struct peak_run {
    const peak_loop *loop;
    uint64_t rounds;
} peak_run;

static cph_status peak_task(void *arg, size_t task, unsigned worker, cph_err *err)
{
    const peak_run *r = arg;
    (void)task, (void)worker, (void)err;
    r->loop->run(r->rounds);
    return CPH_OK;
}

static double peak_seconds(cph_pool *pool, peak_run *r)
{
    double began = cph_now_s();
    cph_status s = cph_pool_run(pool, cph_pool_threads(pool), peak_task, r, NULL);
    (void)s; /* the tasks cannot fail */
    return cph_now_s() - began;
}

/* The best of seven runs of about 15 ms on all threads of the pool; 0: not on this processor. */
static double peak_of(const peak_loop *loop, cph_pool *pool)
{
    peak_run r = {loop, 20000};
    double best = 0;
    if (!loop->available()) return 0;
    while (peak_seconds(pool, &r) < 0.01) r.rounds *= 2;
    for (int i = 0; i < 7; i++) {
        double s = peak_seconds(pool, &r), rate;
        rate = loop->flops_per_round * (double)r.rounds * cph_pool_threads(pool) / s * 1e-9;
        if (rate > best) best = rate;
    }
    return best;
}

/* `each` (may be NULL) hears of every loop that this processor can run. */
static peak peak_measure(cph_pool *pool, void (*each)(void *ctx, const peak_loop *loop, double gflops),
                         void *ctx)
{
    peak p = {0, 0};
    for (size_t i = 0; i < PEAK_N_LOOPS; i++) {
        double rate = peak_of(&PEAK_LOOPS[i], pool);
        if (rate <= 0) continue;
        if (each) each(ctx, &PEAK_LOOPS[i], rate);
        if (rate > p.bf16) p.bf16 = rate;
        if (!PEAK_LOOPS[i].bf16 && rate > p.fp32) p.fp32 = rate;
    }
    return p;
}

#endif
