/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.c - which kernels and which arithmetic this process uses: the best that the
 * processor has, capped by COLOPHON_ISA. A fixed function of CPUID and the environment,
 * never of a timing.
 */
#include "tensor_in.h"

#include <colophon/base/str.h>
#include <colophon/tensor/gemm.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool always(void) { return true; }
#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
static bool has_avx512bf16(void) { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
#endif

/* From the plainest to the best. */
static const struct known {
    const struct cph_backend *backend;
    bool (*available)(void);
} KNOWN[] = {
    {&cph_backend_ref, always},
#if defined(__x86_64__)
    {&cph_backend_avx2, has_avx2},
    {&cph_backend_avx512, has_avx512},
    {&cph_backend_avx512bf16, has_avx512bf16},
#elif defined(__aarch64__)
    {&cph_backend_neon, always},
#endif
};
#define N_KNOWN (sizeof KNOWN / sizeof *KNOWN)

/* Index of the best backend that COLOPHON_ISA allows and the processor has; N_KNOWN: no such name. */
static size_t best_known(const char **cap)
{
    size_t i = N_KNOWN - 1;
    *cap = getenv("COLOPHON_ISA");
    if (*cap && **cap) {
        for (i = 0; i < N_KNOWN; i++)
            if (cph_str_is(cph_str_of(*cap), KNOWN[i].backend->name)) break;
        if (i == N_KNOWN) return i;
    }
    while (!KNOWN[i].available()) i--;
    return i;
}

cph_status cph_backend_for(const cph_backend **out, cph_arith arith, cph_err *err)
{
    const char *cap;
    size_t i = best_known(&cap);
    if (i == N_KNOWN) {
        cph_fail(err, CPH_USAGE, "COLOPHON_ISA=%.64s: no such instruction set", cap);
        return err ? cph_hint(err, "use ref, avx2, avx512, avx512bf16 or neon, or leave it unset") : CPH_USAGE;
    }
    bool dots = arith == CPH_ARITH_BF16_DOT;
    while (i > 0 && KNOWN[i].backend->dots != dots) i--;
    if (KNOWN[i].backend->dots != dots)
        return cph_fail(err, CPH_NO, "%s: this processor (as far as COLOPHON_ISA allows) has no bf16 dot products",
                        cph_arith_text(arith));
    *out = KNOWN[i].backend;
    return CPH_OK;
}

cph_status cph_backend_choose(const cph_backend **out, cph_err *err)
{
    return cph_backend_for(out, CPH_ARITH_FP32, err);
}

cph_status cph_backend_named(const cph_backend **out, const char *name, cph_err *err)
{
    for (size_t i = 0; i < N_KNOWN; i++)
        if (cph_str_is(cph_str_of(name), KNOWN[i].backend->name) && KNOWN[i].available()) {
            *out = KNOWN[i].backend;
            return CPH_OK;
        }
    return cph_fail(err, CPH_NO, "instruction set %s: not on this processor or not in this build", name);
}

const char *cph_backend_name(const cph_backend *b) { return b->name; }
bool cph_backend_dots(const cph_backend *b) { return b->dots; }

/* ---- arithmetic ---- */

static const char *const ARITHS[] = {
#define ARITH_TEXT(name, text) text,
    CPH_ARITH_MAP(ARITH_TEXT)
#undef ARITH_TEXT
};

const char *cph_arith_text(cph_arith a) { return ARITHS[a]; }

bool cph_arith_parse(const char *text, cph_arith *out)
{
    for (unsigned a = 0; a < CPH_N_ARITHS; a++)
        if (cph_str_is(cph_str_of(text), ARITHS[a])) {
            *out = (cph_arith)a;
            return true;
        }
    return false;
}

typedef struct processor {
    char vendor[13];
    unsigned family;
} processor;

static processor this_processor(void)
{
    processor p = {"", 0};
#if defined(__x86_64__)
    unsigned a, b, c, d;
    if (!__get_cpuid(0, &a, &b, &c, &d)) return p;
    memcpy(p.vendor, &b, 4);
    memcpy(p.vendor + 4, &d, 4);
    memcpy(p.vendor + 8, &c, 4);
    if (!__get_cpuid(1, &a, &b, &c, &d)) return p;
    p.family = a >> 8 & 15;
    if (p.family == 15) p.family += a >> 20 & 255;
#endif
    return p;
}

/*
 * Where VDPBF16PS beats fp32 FMA: measured twice its rate on Zen 4 (family 25) and Zen 5 (26), and half
 * of it on Sapphire and Emerald Rapids (engine 8). A processor that is not in the table computes in fp32.
 */
static const struct {
    const char *vendor;
    unsigned family;
    const char *why;
} FAST_DOTS[] = {
    {"AuthenticAMD", 25, "Zen 4: bf16 dot products at twice the rate of fp32"},
    {"AuthenticAMD", 26, "Zen 5: bf16 dot products at twice the rate of fp32"},
};

cph_arith cph_arith_default(const char **why)
{
    const char *cap, *because = "no bf16 dot products, or slower ones than fp32";
    processor p = this_processor();
    size_t best = best_known(&cap);
    cph_arith a = CPH_ARITH_FP32;
    for (size_t i = 0; i < sizeof FAST_DOTS / sizeof *FAST_DOTS; i++)
        if (best < N_KNOWN && KNOWN[best].backend->dots && strcmp(p.vendor, FAST_DOTS[i].vendor) == 0 &&
            p.family == FAST_DOTS[i].family) {
            a = CPH_ARITH_BF16_DOT;
            because = FAST_DOTS[i].why;
        }
    if (why) *why = because;
    return a;
}

bool cph_processor_has_amx(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return false; /* no XGETBV */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (d >> 22 & 1) && (d >> 24 & 1) && (d >> 25 & 1) && (low >> 17 & 3) == 3;
#else
    return false;
#endif
}

void cph_processor_family(char out[32])
{
    processor p = this_processor();
    const char *vendor = strcmp(p.vendor, "AuthenticAMD") == 0   ? "amd"
                         : strcmp(p.vendor, "GenuineIntel") == 0 ? "intel"
                         : p.vendor[0]                           ? p.vendor
                                                                 : "other";
    snprintf(out, 32, "%s-%u", vendor, p.family);
}
