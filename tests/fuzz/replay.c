/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - runs a fuzz target over files: what a fuzzer found once is a test for ever.
 * Arguments are files or directories; a directory that is absent counts as empty.
 */
#include <colophon/base/file.h>

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned n_run;

static cph_status one(const char *path, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, (size_t)1 << 28);
    cph_status s = cph_file_read(path, 0, &b, err);
    if (s == CPH_OK) LLVMFuzzerTestOneInput((const uint8_t *)cph_buf_view(&b).p, b.n);
    cph_buf_release(&b);
    n_run++;
    return s;
}

static cph_status in_walk(void *ctx, cph_str relative, uint64_t n_bytes, int64_t mtime, cph_err *err)
{
    (void)n_bytes;
    (void)mtime;
    char path[CPH_PATH_MAX], name[CPH_PATH_MAX];
    snprintf(name, sizeof name, "%.*s", CPH_FMT(relative));
    CPH_TRY(cph_path_join(path, ctx, name, err));
    return one(path, err);
}

int main(int argc, char **argv)
{
    cph_err err = {0};
    for (int i = 1; i < argc; i++) {
        cph_file_kind kind = cph_file_kind_of(argv[i]);
        cph_status s = kind == CPH_FILE_DIR ? cph_walk(argv[i], in_walk, argv[i], &err)
                       : kind == CPH_FILE_NONE ? CPH_OK : one(argv[i], &err);
        if (s != CPH_OK) {
            fprintf(stderr, "%s\n", err.what);
            return 1;
        }
    }
    printf("%u inputs replayed\n", n_run);
    return 0;
}
