/* SPDX-License-Identifier: Apache-2.0 */
/*
 * testing.c - temporary directories and the shared data.
 */
#include "testing.h"

#include <unistd.h>

static char dir[256];

const char *testing_dir(void)
{
    if (!dir[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(dir, sizeof dir, "%s/cph-test-XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(dir)) fail_msg("no temporary directory");
    }
    return dir;
}

void testing_remove(void)
{
    if (dir[0] && cph_remove_tree(dir, NULL) == CPH_OK) dir[0] = 0;
}

const char *testing_path(const char *name)
{
    static char paths[8][CPH_PATH_MAX];
    static unsigned turn;
    char *p = paths[turn++ % 8];
    snprintf(p, CPH_PATH_MAX, "%s/%s", testing_dir(), name);
    return p;
}

const char *testing_shared(const char *below)
{
    static char path[CPH_PATH_MAX];
    const char *root = getenv("COLOPHON_SHARED");
    snprintf(path, sizeof path, "%s/data/%s", root ? root : CPH_SOURCE_DIR "/../shared", below);
    if (access(path, R_OK) == 0) return path;
    printf("skipped: %s is absent (set COLOPHON_SHARED)\n", below);
    return NULL;
}
