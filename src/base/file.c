/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.c - reading, mapping, walking, and the two ways a file comes to stand:
 * whole under its final name, or not at all.
 */
#include <colophon/base/file.h>
#include <colophon/base/memory.h>

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define OUT_BUFFER (1u << 16)

/* ---- faults on purpose ---- */

static uint64_t fail_countdown;

void cph_file_fail_at(uint64_t n) { __atomic_store_n(&fail_countdown, n, __ATOMIC_RELAXED); }

/* True when this write, fsync or rename is the one that a test wants to fail. */
static bool planted_fault(void)
{
    if (!__atomic_load_n(&fail_countdown, __ATOMIC_RELAXED)) return false;
    if (__atomic_sub_fetch(&fail_countdown, 1, __ATOMIC_RELAXED)) return false;
    errno = ENOSPC;
    return true;
}

/* ---- paths ---- */

cph_status cph_path_join(char out[CPH_PATH_MAX], const char *a, const char *b, cph_err *err)
{
    size_t n = strlen(a);
    const char *slash = n == 0 || a[n - 1] == '/' ? "" : "/";
    char path[CPH_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s%s%s", a, slash, b);
    if (len < 0 || (size_t)len >= sizeof path) return cph_fail(err, CPH_USAGE, "%.200s...: the path is too long", a);
    memcpy(out, path, (size_t)len + 1);
    return CPH_OK;
}

cph_str cph_path_base(cph_str path)
{
    size_t i = path.n;
    while (i > 0 && path.p[i - 1] != '/') i--;
    return cph_str_sub(path, i, path.n);
}

cph_str cph_path_dir(cph_str path)
{
    size_t i = path.n;
    while (i > 0 && path.p[i - 1] != '/') i--;
    if (i == 0) return CPH_STR(".");
    return i == 1 ? CPH_STR("/") : cph_str_sub(path, 0, i - 1);
}

bool cph_path_is_inside(cph_str path)
{
    cph_str part;
    if (path.n == 0 || path.n >= CPH_PATH_MAX || cph_str_find(path, 0, 0) != SIZE_MAX) return false;
    while (cph_str_split(&path, '/', &part))
        if (part.n == 0 || cph_str_is(part, ".") || cph_str_is(part, "..")) return false;
    return true;
}

cph_file_kind cph_file_kind_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) return CPH_FILE_NONE;
    return S_ISREG(st.st_mode) ? CPH_FILE_REGULAR : S_ISDIR(st.st_mode) ? CPH_FILE_DIR : CPH_FILE_OTHER;
}

cph_status cph_mkdirs(const char *path, cph_err *err)
{
    char part[CPH_PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part) return cph_fail(err, CPH_USAGE, "'%.100s' is no usable path", path);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != 0) continue;
        char keep = part[i];
        part[i] = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST) return cph_fail_errno(err, "%s: cannot make the directory", part);
        part[i] = keep;
    }
    if (cph_file_kind_of(path) != CPH_FILE_DIR) return cph_fail(err, CPH_IO, "%s: is not a directory", path);
    return CPH_OK;
}

/* ---- directory listing ---- */

typedef struct names {
    char **at;
    size_t n, cap;
} names;

static void names_release(names *l)
{
    for (size_t i = 0; i < l->n; i++) cph_free(l->at[i]);
    cph_free(l->at);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static cph_status names_add(names *l, const char *name, cph_err *err)
{
    void *p = l->at;
    if (l->n == l->cap) {
        CPH_TRY(cph_realloc(&p, (l->cap ? l->cap * 2 : 64) * sizeof *l->at, err));
        l->at = p;
        l->cap = l->cap ? l->cap * 2 : 64;
    }
    CPH_TRY(cph_alloc(&p, strlen(name) + 1, err));
    l->at[l->n++] = strcpy(p, name);
    return CPH_OK;
}

static cph_status names_of(names *l, const char *dir, cph_err *err)
{
    *l = (names){0};
    DIR *d = opendir(dir);
    if (!d) return cph_fail_errno(err, "%s: cannot read the directory", dir);
    cph_status s = CPH_OK;
    for (struct dirent *e; s == CPH_OK && (errno = 0, e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) s = names_add(l, e->d_name, err);
    if (s == CPH_OK && errno) s = cph_fail_errno(err, "%s: cannot read the directory", dir);
    closedir(d);
    if (s != CPH_OK) {
        names_release(l);
        return s;
    }
    if (l->n) qsort(l->at, l->n, sizeof *l->at, by_bytes);
    return CPH_OK;
}

static cph_status walk_in(const char *dir, const char *relative, cph_walk_fn each, void *ctx, cph_err *err)
{
    names l;
    CPH_TRY(names_of(&l, dir, err));
    cph_status s = CPH_OK;
    for (size_t i = 0; s == CPH_OK && i < l.n; i++) {
        char path[CPH_PATH_MAX], rel[CPH_PATH_MAX];
        struct stat st;
        CPH_TRY_GOTO(s, cph_path_join(path, dir, l.at[i], err), out);
        CPH_TRY_GOTO(s, cph_path_join(rel, relative, l.at[i], err), out);
        if (lstat(path, &st) != 0) {
            if (errno == ENOENT) continue; /* it went away while we looked */
            s = cph_fail_errno(err, "%s", path);
        } else if (S_ISDIR(st.st_mode)) {
            s = walk_in(path, rel, each, ctx, err);
        } else if (S_ISREG(st.st_mode)) {
            s = each(ctx, cph_str_of(rel), (uint64_t)st.st_size,
                     (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec, err);
        }
    }
out:
    names_release(&l);
    return s;
}

cph_status cph_walk(const char *dir, cph_walk_fn each, void *ctx, cph_err *err)
{
    return walk_in(dir, "", each, ctx, err);
}

cph_status cph_list(const char *dir, cph_list_fn each, void *ctx, cph_err *err)
{
    names l;
    CPH_TRY(names_of(&l, dir, err));
    cph_status s = CPH_OK;
    for (size_t i = 0; s == CPH_OK && i < l.n; i++) {
        char path[CPH_PATH_MAX];
        struct stat st;
        CPH_TRY_GOTO(s, cph_path_join(path, dir, l.at[i], err), out);
        if (lstat(path, &st) != 0) {
            if (errno == ENOENT) continue; /* it went away while we looked */
            s = cph_fail_errno(err, "%s", path);
            break;
        }
        cph_file_kind kind = S_ISREG(st.st_mode)   ? CPH_FILE_REGULAR
                             : S_ISDIR(st.st_mode) ? CPH_FILE_DIR
                                                   : CPH_FILE_OTHER;
        s = each(ctx, cph_str_of(l.at[i]), kind, (uint64_t)st.st_size, err);
    }
out:
    names_release(&l);
    return s;
}

cph_status cph_remove_tree(const char *path, cph_err *err)
{
    struct stat st;
    if (lstat(path, &st) != 0) return errno == ENOENT ? CPH_OK : cph_fail_errno(err, "%s", path);
    if (!S_ISDIR(st.st_mode)) return unlink(path) == 0 ? CPH_OK : cph_fail_errno(err, "%s: cannot remove", path);
    names l;
    CPH_TRY(names_of(&l, path, err));
    cph_status s = CPH_OK;
    for (size_t i = 0; s == CPH_OK && i < l.n; i++) {
        char below[CPH_PATH_MAX];
        s = cph_path_join(below, path, l.at[i], err);
        if (s == CPH_OK) s = cph_remove_tree(below, err);
    }
    names_release(&l);
    if (s == CPH_OK && rmdir(path) != 0) s = cph_fail_errno(err, "%s: cannot remove", path);
    return s;
}

/* ---- reading ---- */

static cph_status open_regular(const char *path, int *fd, uint64_t *size, cph_err *err)
{
    struct stat st;
    int f = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f < 0) return cph_fail_errno(err, "%s", path);
    if (fstat(f, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(f);
        return cph_fail(err, CPH_IO, "%s: is not a regular file", path);
    }
    *fd = f;
    *size = (uint64_t)st.st_size;
    return CPH_OK;
}

cph_status cph_file_read(const char *path, uint64_t max_bytes, cph_buf *b, cph_err *err)
{
    int fd = -1;
    uint64_t size = 0;
    CPH_TRY(open_regular(path, &fd, &size, err));
    cph_status s = CPH_OK;
    size_t before = b->n;
    if (max_bytes && size > max_bytes)
        s = cph_fail(err, CPH_NOMEM, "%s: %llu bytes, the limit for this file is %llu", path,
                     (unsigned long long)size, (unsigned long long)max_bytes);
    if (s == CPH_OK) s = cph_buf_reserve(b, size, err);
    while (s == CPH_OK && b->n - before < size) {
        ssize_t got = read(fd, b->p + b->n, size - (b->n - before));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) s = cph_fail_errno(err, "%s: cannot read", path);
        if (got <= 0) break;
        b->n += (size_t)got;
    }
    close(fd);
    if (s != CPH_OK) b->n = before;
    if (b->p) b->p[b->n] = 0;
    return s;
}

cph_status cph_map_open(cph_map *out, const char *path, cph_err *err)
{
    int fd = -1;
    uint64_t size = 0;
    CPH_TRY(open_regular(path, &fd, &size, err));
    void *p = "";
    if (size) p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    cph_status s = p == MAP_FAILED ? cph_fail_errno(err, "%s: cannot map", path) : CPH_OK;
    close(fd);
    if (s == CPH_OK) *out = (cph_map){p, size};
    return s;
}

void cph_map_close(cph_map *m)
{
    if (m->n_bytes) munmap((void *)(uintptr_t)m->p, m->n_bytes);
    *m = (cph_map){0};
}

cph_status cph_file_digest(const char *path, cph_digest *out, uint64_t *n_bytes, cph_err *err)
{
    int fd = -1;
    uint64_t size = 0;
    CPH_TRY(open_regular(path, &fd, &size, err));
    void *chunk = NULL;
    cph_status s = cph_alloc(&chunk, 1u << 18, err);
    cph_sha256 h;
    cph_sha256_init(&h);
    uint64_t total = 0;
    while (s == CPH_OK) {
        ssize_t got = read(fd, chunk, 1u << 18);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) s = cph_fail_errno(err, "%s: cannot read", path);
        if (got <= 0) break;
        cph_sha256_add(&h, chunk, (size_t)got);
        total += (uint64_t)got;
    }
    cph_free(chunk);
    close(fd);
    if (s != CPH_OK) return s;
    *out = cph_sha256_end(&h);
    if (n_bytes) *n_bytes = total;
    return CPH_OK;
}

/* ---- writing ---- */

static cph_status write_all(int fd, const char *path, const char *p, size_t n, cph_err *err)
{
    if (planted_fault()) return cph_fail_errno(err, "%s: cannot write", path);
    while (n) {
        ssize_t put = write(fd, p, n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return cph_fail_errno(err, "%s: cannot write", path);
        p += put;
        n -= (size_t)put;
    }
    return CPH_OK;
}

static cph_status sync_fd(int fd, const char *path, cph_err *err)
{
    if (planted_fault() || fsync(fd) != 0) return cph_fail_errno(err, "%s: cannot write to disk", path);
    return CPH_OK;
}

static cph_status sync_path(const char *path, cph_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return cph_fail_errno(err, "%s", path);
    cph_status s = sync_fd(fd, path, err);
    close(fd);
    return s;
}

static cph_status sync_parent(const char *path, cph_err *err)
{
    char dir[CPH_PATH_MAX];
    cph_str d = cph_path_dir(cph_str_of(path));
    snprintf(dir, sizeof dir, "%.*s", CPH_FMT(d));
    return sync_path(dir, err);
}

static cph_status rename_to(const char *from, const char *to, cph_err *err)
{
    CPH_TRY(cph_file_rename(from, to, err));
    return sync_parent(to, err);
}

cph_status cph_out_open(cph_out *o, const char *path, cph_err *err)
{
    *o = (cph_out){.fd = -1};
    size_t n = strlen(path);
    if (n >= sizeof o->path) return cph_fail(err, CPH_USAGE, "%.200s...: the path is too long", path);
    memcpy(o->path, path, n + 1);
    void *buf;
    CPH_TRY(cph_alloc(&buf, OUT_BUFFER, err));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        cph_free(buf);
        return cph_fail_errno(err, "%s: cannot create", path);
    }
    o->fd = fd;
    o->buf = buf;
    return CPH_OK;
}

cph_status cph_out_flush(cph_out *o, cph_err *err)
{
    size_t n = o->buf_n;
    o->buf_n = 0;
    return n ? write_all(o->fd, o->path, o->buf, n, err) : CPH_OK;
}

cph_status cph_out_write(cph_out *o, const void *p, size_t n, cph_err *err)
{
    o->n_bytes += n;
    if (n > OUT_BUFFER - o->buf_n) {
        CPH_TRY(cph_out_flush(o, err));
        if (n >= OUT_BUFFER) return write_all(o->fd, o->path, p, n, err);
    }
    if (n) memcpy(o->buf + o->buf_n, p, n);
    o->buf_n += n;
    return CPH_OK;
}

cph_status cph_out_rewrite(cph_out *o, uint64_t offset, const void *p, size_t n, cph_err *err)
{
    assert(offset + n <= o->n_bytes);
    CPH_TRY(cph_out_flush(o, err));
    if (lseek(o->fd, (off_t)offset, SEEK_SET) < 0) return cph_fail_errno(err, "%s: cannot seek", o->path);
    CPH_TRY(write_all(o->fd, o->path, p, n, err));
    if (lseek(o->fd, 0, SEEK_END) < 0) return cph_fail_errno(err, "%s: cannot seek", o->path);
    return CPH_OK;
}

void cph_out_abandon(cph_out *o)
{
    if (o->fd >= 0 && o->buf) close(o->fd);
    cph_free(o->buf);
    o->buf = NULL;
    o->fd = -1;
}

cph_status cph_out_close(cph_out *o, cph_err *err)
{
    cph_status s = cph_out_flush(o, err);
    if (s == CPH_OK) s = sync_fd(o->fd, o->path, err);
    cph_out_abandon(o);
    return s;
}

cph_status cph_file_write(const char *path, const void *p, size_t n, cph_err *err)
{
    char temporary[CPH_PATH_MAX];
    cph_out o;
    int len = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (len < 0 || (size_t)len >= sizeof temporary) return cph_fail(err, CPH_USAGE, "%.200s...: the path is too long", path);
    CPH_TRY(cph_out_open(&o, temporary, err));
    cph_status s = cph_out_write(&o, p, n, err);
    if (s == CPH_OK) s = cph_out_close(&o, err);
    if (s == CPH_OK) s = rename_to(temporary, path, err);
    if (s != CPH_OK) {
        cph_out_abandon(&o);
        unlink(temporary);
    }
    return s;
}

static cph_status copy_bytes(int in, const char *from, cph_out *o, cph_digest *digest, cph_err *err)
{
    void *chunk = NULL;
    CPH_TRY(cph_alloc(&chunk, 1u << 18, err));
    cph_sha256 h;
    cph_sha256_init(&h);
    cph_status s = CPH_OK;
    while (s == CPH_OK) {
        ssize_t got = read(in, chunk, 1u << 18);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) s = cph_fail_errno(err, "%s: cannot read", from);
        if (got <= 0) break;
        cph_sha256_add(&h, chunk, (size_t)got);
        s = cph_out_write(o, chunk, (size_t)got, err);
    }
    cph_free(chunk);
    if (s == CPH_OK) *digest = cph_sha256_end(&h);
    return s;
}

static cph_status copy_to(const char *from, const char *temporary, const cph_digest *expect, bool durable,
                          cph_err *err)
{
    int in = -1;
    uint64_t size = 0;
    CPH_TRY(open_regular(from, &in, &size, err));
    cph_out o;
    cph_digest digest;
    cph_status s = cph_out_open(&o, temporary, err);
    if (s == CPH_OK) s = copy_bytes(in, from, &o, &digest, err);
    if (s == CPH_OK && cph_digest_cmp(&digest, expect) != 0)
        s = cph_fail(err, CPH_DATA, "%s: the file changed while it was being read", from);
    if (s == CPH_OK) s = durable ? cph_out_close(&o, err) : cph_out_flush(&o, err);
    close(in);
    cph_out_abandon(&o);
    if (s != CPH_OK) unlink(temporary);
    return s;
}

cph_status cph_file_copy(const char *from, const char *temporary, const char *to, const cph_digest *expect,
                         cph_err *err)
{
    CPH_TRY(copy_to(from, temporary, expect, true, err));
    cph_status s = rename_to(temporary, to, err);
    if (s != CPH_OK) unlink(temporary);
    return s;
}

cph_status cph_file_copy_unsynced(const char *from, const char *temporary, const cph_digest *expect, cph_err *err)
{
    return copy_to(from, temporary, expect, false, err);
}

cph_status cph_file_rename(const char *from, const char *to, cph_err *err)
{
    if (planted_fault() || rename(from, to) != 0) return cph_fail_errno(err, "%s: cannot take its final name", to);
    return CPH_OK;
}

cph_status cph_disk_sync(const char *dir, cph_err *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return cph_fail_errno(err, "%s", dir);
    bool failed = planted_fault() || syncfs(fd) != 0;
    cph_status s = failed ? cph_fail_errno(err, "%s: cannot write to disk", dir) : CPH_OK;
    close(fd);
    return s;
}

/* ---- artefact directories ---- */

static bool is_empty_dir(const char *path)
{
    names l;
    if (names_of(&l, path, NULL) != CPH_OK) return false;
    bool empty = l.n == 0;
    names_release(&l);
    return empty;
}

cph_status cph_outdir_begin(cph_outdir *d, const char *final_path, bool keep, cph_err *err)
{
    cph_outdir o = {.open = true};
    size_t n = strlen(final_path);
    while (n > 1 && final_path[n - 1] == '/') n--;
    if (n == 0 || n + 5 > sizeof o.path) return cph_fail(err, CPH_USAGE, "'%.100s' is no usable path", final_path);
    memcpy(o.final_path, final_path, n);
    memcpy(o.path, final_path, n);
    memcpy(o.path + n, ".tmp", 5);
    cph_file_kind kind = cph_file_kind_of(o.final_path);
    if (kind != CPH_FILE_NONE && !(kind == CPH_FILE_DIR && is_empty_dir(o.final_path))) {
        cph_fail(err, CPH_USAGE, "%s: exists already", o.final_path);
        return err ? cph_hint(err, "sealed things are never written over; choose another name") : CPH_USAGE;
    }
    if (!keep) CPH_TRY(cph_remove_tree(o.path, err));
    CPH_TRY(cph_mkdirs(o.path, err));
    *d = o;
    return CPH_OK;
}

static cph_status sync_tree(const char *path, cph_err *err)
{
    names l;
    CPH_TRY(names_of(&l, path, err));
    cph_status s = CPH_OK;
    for (size_t i = 0; s == CPH_OK && i < l.n; i++) {
        char below[CPH_PATH_MAX];
        CPH_TRY_GOTO(s, cph_path_join(below, path, l.at[i], err), out);
        cph_file_kind kind = cph_file_kind_of(below);
        s = kind == CPH_FILE_DIR ? sync_tree(below, err) : kind == CPH_FILE_REGULAR ? sync_path(below, err) : CPH_OK;
    }
    if (s == CPH_OK) s = sync_path(path, err);
out:
    names_release(&l);
    return s;
}

cph_status cph_outdir_commit(cph_outdir *d, cph_err *err)
{
    if (!d->open) return cph_fail(err, CPH_BUG, "%s: committed twice", d->final_path);
    CPH_TRY(sync_tree(d->path, err));
    CPH_TRY(rename_to(d->path, d->final_path, err)); /* over an empty directory: rename(2) allows it */
    d->open = false;
    return CPH_OK;
}

void cph_outdir_abort(cph_outdir *d)
{
    if (d->open && cph_remove_tree(d->path, NULL) == CPH_OK) d->open = false;
}

uint64_t cph_disk_free(const char *path)
{
    struct statvfs v;
    return statvfs(path, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : 0;
}

cph_status cph_lock_take(cph_lock *l, const char *path, bool wait, cph_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return cph_fail_errno(err, "%s: cannot lock", path);
    int got;
    while ((got = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB))) != 0 && errno == EINTR) {}
    if (got != 0) {
        cph_status s = errno == EWOULDBLOCK ? cph_fail(err, CPH_NO, "%s: another process holds the lock", path)
                                            : cph_fail_errno(err, "%s: cannot lock", path);
        close(fd);
        return s;
    }
    l->fd = fd;
    return CPH_OK;
}

void cph_lock_drop(cph_lock *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
}
