/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.c - which kernels this process uses: the best that the processor has,
 * capped by COLOPHON_ISA. A fixed function of CPUID and the environment, never of a timing.
 */
#include "tensor_in.h"

#include <colophon/base/str.h>

#include <stdlib.h>

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
#endif
};
#define N_KNOWN (sizeof KNOWN / sizeof *KNOWN)

cph_status cph_backend_choose(const cph_backend **out, cph_err *err)
{
    const char *cap = getenv("COLOPHON_ISA");
    size_t i = N_KNOWN - 1;
    if (cap && *cap) {
        for (i = 0; i < N_KNOWN; i++)
            if (cph_str_is(cph_str_of(cap), KNOWN[i].backend->name)) break;
        if (i == N_KNOWN) {
            cph_fail(err, CPH_USAGE, "COLOPHON_ISA=%.64s: no such instruction set", cap);
            return err ? cph_hint(err, "use ref, avx2 or avx512, or leave it unset") : CPH_USAGE;
        }
    }
    while (!KNOWN[i].available()) i--;
    *out = KNOWN[i].backend;
    return CPH_OK;
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
