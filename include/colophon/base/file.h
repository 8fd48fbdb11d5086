/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h - whole files, mapped files, directory walks, and artefact
 * directories that are whole or not there.
 *
 * Invariant  A name without ".tmp" holds finished bytes: files and directories
 *            are written under a temporary name beside their place, fsynced
 *            (files, then the directory), and renamed.
 * Threads    Distinct handles may be used by distinct threads.
 * Memory     Said at each function.
 * Errors     CPH_IO with the path and the system's words; CPH_NOMEM beyond a
 *            size limit; CPH_NO where a name does not exist and that is asked.
 */
#ifndef CPH_BASE_FILE_H
#define CPH_BASE_FILE_H

#include <colophon/base/arena.h>
#include <colophon/base/hash.h>
#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_PATH_MAX 4096

/* Joins with one '/', into out[CPH_PATH_MAX]; CPH_USAGE when it would not fit. */
CPH_API cph_status cph_path_join(char out[CPH_PATH_MAX], const char *a, const char *b,
                                 cph_err *err) CPH_MUST_USE;
CPH_API cph_str cph_path_base(cph_str path); /* what follows the last '/' */
CPH_API cph_str cph_path_dir(cph_str path);  /* what stands before it; "." when there is none */
/* True for a relative path of ordinary parts: no "", ".", "..", leading '/', NUL. */
CPH_API bool cph_path_is_inside(cph_str path);

typedef enum cph_file_kind { CPH_FILE_NONE, CPH_FILE_REGULAR, CPH_FILE_DIR, CPH_FILE_OTHER } cph_file_kind;
CPH_API cph_file_kind cph_file_kind_of(const char *path); /* follows links */
CPH_API cph_status cph_mkdirs(const char *path, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_remove_tree(const char *path, cph_err *err) CPH_MUST_USE; /* absent is fine */

/* Adds the whole file to `b`; CPH_NOMEM when it is larger than max_bytes (0: the buffer's own). */
CPH_API cph_status cph_file_read(const char *path, uint64_t max_bytes, cph_buf *b,
                                 cph_err *err) CPH_MUST_USE;

typedef struct cph_map {
    const uint8_t *p;
    uint64_t n_bytes;
} cph_map;
CPH_API cph_status cph_map_open(cph_map *out, const char *path, cph_err *err) CPH_MUST_USE;
CPH_API void cph_map_close(cph_map *m);

CPH_API cph_status cph_file_digest(const char *path, cph_digest *out, uint64_t *n_bytes,
                                   cph_err *err) CPH_MUST_USE;

/* Writes a whole file durably: temporary name, fsync, rename, fsync of the directory. */
CPH_API cph_status cph_file_write(const char *path, const void *p, size_t n, cph_err *err) CPH_MUST_USE;

/*
 * Copies durably: bytes to `temporary` (same file system as `to`), fsync, rename, fsync of the directory.
 * CPH_DATA when the bytes read are not `expect`: the file changed under us. `to` is whole or untouched.
 */
CPH_API cph_status cph_file_copy(const char *from, const char *temporary, const char *to,
                                 const cph_digest *expect, cph_err *err) CPH_MUST_USE;
/*
 * The same in three steps, for many files that shall cost one wait for the disk and not one each:
 * copy all, cph_disk_sync, rename all, cph_disk_sync.
 */
CPH_API cph_status cph_file_copy_unsynced(const char *from, const char *temporary, const cph_digest *expect,
                                          cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_file_rename(const char *from, const char *to, cph_err *err) CPH_MUST_USE;
/* Everything written so far to the file system that holds the directory is on disk. */
CPH_API cph_status cph_disk_sync(const char *dir, cph_err *err) CPH_MUST_USE;

/* ---- a file being written ---- */
typedef struct cph_out {
    int fd;
    uint64_t n_bytes;           /* written so far, the buffer included */
    char *buf;
    size_t buf_n;
    char path[CPH_PATH_MAX];
} cph_out;
CPH_API cph_status cph_out_open(cph_out *o, const char *path, cph_err *err) CPH_MUST_USE; /* truncates */
CPH_API cph_status cph_out_write(cph_out *o, const void *p, size_t n, cph_err *err) CPH_MUST_USE;
/* Writes over bytes that were written before: a header whose counts come last. */
CPH_API cph_status cph_out_rewrite(cph_out *o, uint64_t offset, const void *p, size_t n,
                                   cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_out_flush(cph_out *o, cph_err *err) CPH_MUST_USE; /* to the system, not to disk */
CPH_API cph_status cph_out_close(cph_out *o, cph_err *err) CPH_MUST_USE; /* flush, fsync, close */
CPH_API void cph_out_abandon(cph_out *o); /* after a failure, or twice: fine */

/*
 * Regular files below `dir`, as relative paths in byte order, whatever order
 * the file system has. Symbolic links are not followed and not listed.
 * Calls `each` with the path and size; stops at the first status that is not CPH_OK.
 */
typedef cph_status (*cph_walk_fn)(void *ctx, cph_str relative_path, uint64_t n_bytes, int64_t mtime_ns,
                                  cph_err *err);
CPH_API cph_status cph_walk(const char *dir, cph_walk_fn each, void *ctx, cph_err *err) CPH_MUST_USE;

/*
 * What one directory holds, in byte order of the names; symbolic links are CPH_FILE_OTHER.
 * Calls `each`; stops at the first status that is not CPH_OK.
 */
typedef cph_status (*cph_list_fn)(void *ctx, cph_str name, cph_file_kind kind, uint64_t n_bytes, cph_err *err);
CPH_API cph_status cph_list(const char *dir, cph_list_fn each, void *ctx, cph_err *err) CPH_MUST_USE;

/* ---- an artefact directory being written ---- */
typedef struct cph_outdir {
    char final_path[CPH_PATH_MAX];
    char path[CPH_PATH_MAX]; /* write here: "<final>.tmp" in the same directory */
    bool open;
} cph_outdir;
/*
 * CPH_USAGE when final_path exists already, unless it is an empty directory.
 * A "<final>.tmp" left by a killed run is emptied, unless `keep` says that the
 * caller resumes in it.
 */
CPH_API cph_status cph_outdir_begin(cph_outdir *d, const char *final_path, bool keep,
                                    cph_err *err) CPH_MUST_USE;
/* fsyncs every file and directory below, renames, fsyncs the parent. */
CPH_API cph_status cph_outdir_commit(cph_outdir *d, cph_err *err) CPH_MUST_USE;
CPH_API void cph_outdir_abort(cph_outdir *d); /* removes the temporary; after a commit: nothing */

/* Free bytes of the file system that holds `path`; 0 where unknown. */
CPH_API uint64_t cph_disk_free(const char *path);

/* Exclusive advisory lock on a file, held until closed; it ends with the process.
 * CPH_NO when another process holds it. */
typedef struct cph_lock {
    int fd;
} cph_lock;
CPH_API cph_status cph_lock_take(cph_lock *l, const char *path, bool wait, cph_err *err) CPH_MUST_USE;
CPH_API void cph_lock_drop(cph_lock *l);

/* For tests: the n-th write, fsync or rename from now on fails as on a full disk (0: none). */
CPH_API void cph_file_fail_at(uint64_t n);

#ifdef __cplusplus
}
#endif
#endif
