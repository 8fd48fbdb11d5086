/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.c - looks at the processor, the kernels in use, memory, disk and limits.
 * It judges by the same rules that the other rooms apply, and changes nothing.
 */
#include <colophon/base/file.h>
#include <colophon/base/memory.h>
#include <colophon/base/pool.h>
#include <colophon/model/model.h>
#include <colophon/tensor/gemm.h>
#include <colophon/tensor/op.h>
#include <colophon/workflow/doctor.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MAX_FINDINGS 32

typedef struct doctor {
    cph_arena *a;
    cph_finding *at;
    size_t n, n_problems;
} doctor;

static cph_status find(doctor *d, const char *topic, const char *name, cph_finding_grade grade, cph_str value,
                       const char *advice, cph_err *err)
{
    if (d->n == MAX_FINDINGS) return cph_fail(err, CPH_BUG, "the doctor has more findings than places");
    cph_finding f = {.topic = topic, .name = name, .grade = grade, .advice = cph_str_of(advice)};
    CPH_TRY(cph_arena_str(d->a, &f.value, value, err));
    d->at[d->n++] = f;
    d->n_problems += grade == CPH_FINDING_PROBLEM;
    return CPH_OK;
}

static cph_status fact(doctor *d, const char *topic, const char *name, const char *value, cph_err *err)
{
    return find(d, topic, name, CPH_FINDING_FACT, cph_str_of(value), "", err);
}

/* One field of /proc/cpuinfo, of its first processor. */
static bool cpuinfo(const char *key, char *out, size_t size)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    if (!f) return false;
    char line[8192];
    bool found = false;
    while (!found && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, key, strlen(key)) != 0) continue;
        cph_str value = cph_str_trim(cph_str_of(colon + 1));
        snprintf(out, size, "%.*s", CPH_FMT(value));
        found = true;
    }
    fclose(f);
    return found;
}

static bool has_flag(const char *flags, const char *flag)
{
    cph_str rest = cph_str_of(flags), one;
    while (cph_str_split(&rest, ' ', &one))
        if (cph_str_is(one, flag)) return true;
    return false;
}

/* The plug-in pays where there are matrix units: our kernels have none (engine 6.1). */
static cph_status onednn(doctor *d, cph_err *err)
{
    static const char subject[] = "arithmetic", name[] = "oneDNN";
    const char *version;
    char line[64];
    bool amx = cph_processor_has_amx(), here = cph_onednn_version(&version, NULL) == CPH_OK;
    if (here) snprintf(line, sizeof line, "%s (train --gemm onednn)", version);
    else snprintf(line, sizeof line, "its plug-in is not here (libdnnl-dev at build time)");
    if (!amx) return fact(d, subject, name, line, err);
    return find(d, subject, name, CPH_FINDING_NOTE, cph_str_of(line),
                here ? "this processor has AMX, and oneDNN uses it: try train --gemm onednn --dtype bf16; such a run cannot be "
                       "replayed"
                     : "this processor has AMX, and oneDNN uses it: install libdnnl-dev, build again, then try train --gemm "
                       "onednn --dtype bf16",
                err);
}

static cph_status processor(doctor *d, cph_err *err)
{
    char text[8192], line[256];
    struct utsname u;
    if (cpuinfo("model name", text, sizeof text)) CPH_TRY(fact(d, "processor", "name", text, err));
    if (uname(&u) == 0) {
        snprintf(line, sizeof line, "%s, %s %s", u.machine, u.sysname, u.release);
        CPH_TRY(fact(d, "processor", "system", line, err));
    }
    snprintf(line, sizeof line, "%u", cph_cpu_count());
    CPH_TRY(fact(d, "processor", "usable processors", line, err));
    if (!cpuinfo("flags", text, sizeof text) && !cpuinfo("Features", text, sizeof text)) text[0] = 0; /* x86, Arm */
    static const char *const told[] = {"avx2", "fma", "avx512f", "avx512bw", "avx512_bf16", "avx512_vnni", "amx_bf16",
                                       "asimd", "sve", "bf16"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (has_flag(text, told[i])) n += (size_t)snprintf(line + n, sizeof line - n, "%s%s", n ? " " : "", told[i]);
    CPH_TRY(fact(d, "processor", "instruction sets", n ? line : "none that we use", err));
    const cph_backend *backend;
    CPH_TRY(cph_backend_choose(&backend, err));
    const char *isa = cph_backend_name(backend), *cap = getenv("COLOPHON_ISA");
    snprintf(line, sizeof line, "%s%s%s%s", isa, cap ? " (COLOPHON_ISA=" : "", cap ? cap : "", cap ? ")" : "");
    if (strcmp(isa, "ref") == 0)
        return find(d, "arithmetic", "kernels", CPH_FINDING_NOTE, cph_str_of(line),
                    "the portable kernels are right and slow; a processor with AVX2 or NEON trains far faster", err);
    CPH_TRY(fact(d, "arithmetic", "kernels", line, err));
    const char *why;
    cph_arith arith = cph_arith_default(&why);
    snprintf(line, sizeof line, "%s (%s)", cph_arith_text(arith), why);
    CPH_TRY(fact(d, "arithmetic", "default", line, err));
    CPH_TRY(fact(d, "arithmetic", "portable", "fp32, bf16-fma (train --arith): the same bits on every processor", err));
    return onednn(d, err);
}

static cph_status memory(doctor *d, cph_err *err)
{
    char z[32];
    uint64_t have = cph_memory_available();
    cph_format_bytes(have, z);
    if (have && have < (uint64_t)1 << 30)
        CPH_TRY(find(d, "memory", "available", CPH_FINDING_PROBLEM, cph_str_of(z),
                     "less than 1 GiB: the sample trains in 300 MiB, real models do not; close something", err));
    else
        CPH_TRY(fact(d, "memory", "available", z, err));
    struct rlimit l;
    if (getrlimit(RLIMIT_AS, &l) == 0 && l.rlim_cur != RLIM_INFINITY) {
        cph_format_bytes(l.rlim_cur, z);
        CPH_TRY(find(d, "memory", "address space limit", CPH_FINDING_NOTE, cph_str_of(z),
                     "ulimit -v bounds what may be mapped: large token sets will not open", err));
    }
    return CPH_OK;
}

static cph_status disk(doctor *d, const char *dir, cph_err *err)
{
    char z[32], line[CPH_PATH_MAX + 64];
    if (cph_file_kind_of(dir) != CPH_FILE_DIR)
        return find(d, "disk", "folder", CPH_FINDING_PROBLEM, cph_str_of(dir), "this folder does not exist", err);
    uint64_t n = cph_disk_free(dir);
    cph_format_bytes(n, z);
    snprintf(line, sizeof line, "%s in %s", z, dir);
    if (n < (uint64_t)1 << 30)
        CPH_TRY(find(d, "disk", "free", CPH_FINDING_PROBLEM, cph_str_of(line),
                     "less than 1 GiB: checkpoints and corpora may not fit", err));
    else
        CPH_TRY(fact(d, "disk", "free", line, err));
    if (access(dir, W_OK) != 0)
        return find(d, "disk", "folder", CPH_FINDING_PROBLEM, cph_str_of(dir), "you may not write here", err);
    return CPH_OK;
}

static cph_status limits(doctor *d, cph_err *err)
{
    struct rlimit l;
    char z[64];
    if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
        snprintf(z, sizeof z, "%llu", (unsigned long long)l.rlim_cur);
        if (l.rlim_cur < 256)
            CPH_TRY(find(d, "limits", "open files", CPH_FINDING_PROBLEM, cph_str_of(z), "raise it: ulimit -n 1024", err));
        else
            CPH_TRY(fact(d, "limits", "open files", z, err));
    }
    if (getrlimit(RLIMIT_FSIZE, &l) == 0 && l.rlim_cur != RLIM_INFINITY) {
        cph_format_bytes(l.rlim_cur, z);
        CPH_TRY(find(d, "limits", "file size", CPH_FINDING_PROBLEM, cph_str_of(z),
                     "ulimit -f ends the process when a file grows past it", err));
    }
    return CPH_OK;
}

static cph_status build(doctor *d, cph_err *err)
{
    CPH_TRY(fact(d, "build", "version", CPH_VERSION, err));
    CPH_TRY(fact(d, "build", "numerics", CPH_NUMERICS, err));
#if defined(__clang__)
    return fact(d, "build", "compiler", "clang " __clang_version__, err);
#elif defined(__GNUC__)
    return fact(d, "build", "compiler", "gcc " __VERSION__, err);
#else
    return CPH_OK;
#endif
}

cph_status cph_doctor(cph_arena *a, const char *dir, cph_finding **findings, size_t *n, size_t *n_problems, cph_err *err)
{
    doctor d = {.a = a};
    void *mem;
    CPH_TRY(cph_arena_alloc0(a, &mem, MAX_FINDINGS, sizeof(cph_finding), err));
    d.at = mem;
    CPH_TRY(build(&d, err));
    CPH_TRY(processor(&d, err));
    CPH_TRY(memory(&d, err));
    CPH_TRY(disk(&d, dir, err));
    CPH_TRY(limits(&d, err));
    *findings = d.at;
    *n = d.n;
    *n_problems = d.n_problems;
    return CPH_OK;
}
