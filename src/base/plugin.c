/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin.c - finds a plug-in and one of its functions. Only the places that plugin.h names are
 * searched, never the working directory.
 */
#include <colophon/base/plugin.h>

#include <colophon/base/file.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct search {
    const char *file;
    void *handle;
    char said[256]; /* the loader's words about the first file that is there and cannot be loaded */
} search;

static void keep_words(search *s)
{
    const char *words = dlerror();
    if (!s->said[0] && words) snprintf(s->said, sizeof s->said, "%s", words);
}

static void try_dir(search *s, const char *dir, const char *below)
{
    char path[CPH_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s%s", dir, below, s->file);
    if (s->handle || n < 0 || (size_t)n >= sizeof path || cph_file_kind_of(path) != CPH_FILE_REGULAR) return;
    s->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!s->handle) keep_words(s);
}

static void try_beside(search *s, const char *file, const char *const *below)
{
    char dir[CPH_PATH_MAX];
    snprintf(dir, sizeof dir, "%.*s", CPH_FMT(cph_path_dir(cph_str_of(file))));
    for (; *below; below++) try_dir(s, dir, *below);
}

static void look_everywhere(search *s)
{
    static const char *const beside_program[] = {"../lib/colophon/", "../lib/", NULL};
    static const char *const beside_library[] = {"colophon/", "", NULL};
    char program[CPH_PATH_MAX];
    Dl_info here;
    const char *only = getenv("COLOPHON_PLUGINS");
    if (only && *only) {
        try_dir(s, only, "");
        return;
    }
    if (dladdr((const void *)"", &here) && here.dli_fname) try_beside(s, here.dli_fname, beside_library);
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n > 0) {
        program[n] = 0;
        try_beside(s, program, beside_program);
    }
    if (s->handle) return;
    s->handle = dlopen(s->file, RTLD_NOW | RTLD_LOCAL);
    if (!s->handle) keep_words(s);
}

cph_status cph_plugin_symbol(void **out, const char *name, const char *symbol, cph_err *err)
{
    char file[128];
    int n = snprintf(file, sizeof file, "libcolophon-%s.so", name);
    if (n < 0 || (size_t)n >= sizeof file || strchr(name, '/'))
        return cph_fail(err, CPH_USAGE, "'%.60s' is no name of a plug-in", name);
    search s = {.file = file};
    look_everywhere(&s);
    if (!s.handle) {
        cph_fail(err, CPH_IO, "%s: cannot be loaded: %s", file, s.said[0] ? s.said : "it is not there");
        return cph_hint(err, "it is built where its library is found at build time; COLOPHON_PLUGINS names its directory");
    }
    void *p = dlsym(s.handle, symbol);
    if (!p) return cph_fail(err, CPH_IO, "%s: has no %s: it is of another version", file, symbol);
    *out = p;
    return CPH_OK;
}
