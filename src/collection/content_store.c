/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content_store.c - source files by SHA-256 below content/.
 * What must stay true: a file under its digest's name has exactly those bytes and is on disk
 * before any row names it.
 */
#include "collection_in.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

cph_status cph_content_name(char out[CPH_PATH_MAX], const char *collection, const cph_digest *d, cph_err *err)
{
    char hex[CPH_HEX_DIGEST], inside[80];
    cph_digest_hex(d, hex);
    snprintf(inside, sizeof inside, "content/%.2s/%s", hex, hex + 2);
    return cph_path_join(out, collection, inside, err);
}

cph_status cph_content_put(cph_collection *c, const char *from, const cph_digest *d, cph_err *err)
{
    char to[CPH_PATH_MAX], dir[CPH_PATH_MAX], temporary[CPH_PATH_MAX], name[64];
    CPH_TRY(cph_content_name(to, c->path, d, err));
    if (cph_file_kind_of(to) == CPH_FILE_REGULAR) return CPH_OK;
    snprintf(dir, sizeof dir, "%.*s", CPH_FMT(cph_path_dir(cph_str_of(to))));
    CPH_TRY(cph_mkdirs(dir, err));
    cph_collection_lock(c);
    snprintf(name, sizeof name, "content/new/%llu", (unsigned long long)c->n_copies++);
    cph_collection_unlock(c);
    CPH_TRY(cph_path_join(temporary, c->path, name, err));
    return cph_file_copy(from, temporary, to, d, err);
}

/* Numbers for n copies under way: no two threads share one. */
static unsigned long long reserve_copies(cph_collection *c, size_t n)
{
    cph_collection_lock(c);
    unsigned long long first = c->n_copies;
    c->n_copies += n;
    cph_collection_unlock(c);
    return first;
}

static cph_status copy_name(char out[CPH_PATH_MAX], const cph_collection *c, unsigned long long n,
                            cph_err *err)
{
    char name[64];
    snprintf(name, sizeof name, "content/new/%llu", n);
    return cph_path_join(out, c->path, name, err);
}

/*
 * All files of an object: one wait for the disk instead of one for each. They take
 * their names only when their bytes are on disk; what a crash leaves lies in content/new.
 */
cph_status cph_content_put_all(cph_collection *c, const cph_source_file *files, size_t n, cph_err *err)
{
    char to[CPH_PATH_MAX], dir[CPH_PATH_MAX], temporary[CPH_PATH_MAX];
    unsigned long long first = reserve_copies(c, n);
    size_t n_new = 0;
    for (size_t i = 0; i < n; i++) {
        if (files[i].by_reference) continue;
        CPH_TRY(cph_content_name(to, c->path, &files[i].sha256, err));
        if (cph_file_kind_of(to) == CPH_FILE_REGULAR) continue;
        CPH_TRY(copy_name(temporary, c, first + i, err));
        CPH_TRY(cph_file_copy_unsynced(files[i].from, temporary, &files[i].sha256, err));
        n_new++;
    }
    if (!n_new) return CPH_OK;
    CPH_TRY(cph_disk_sync(c->path, err));
    for (size_t i = 0; i < n; i++) {
        CPH_TRY(copy_name(temporary, c, first + i, err));
        if (files[i].by_reference || cph_file_kind_of(temporary) != CPH_FILE_REGULAR) continue;
        CPH_TRY(cph_content_name(to, c->path, &files[i].sha256, err));
        snprintf(dir, sizeof dir, "%.*s", CPH_FMT(cph_path_dir(cph_str_of(to))));
        CPH_TRY(cph_mkdirs(dir, err));
        CPH_TRY(cph_file_rename(temporary, to, err));
    }
    return cph_disk_sync(c->path, err);
}

cph_status cph_collection_add_evidence(cph_collection *c, const char *path, cph_digest *digest, cph_err *err)
{
    cph_digest d;
    CPH_TRY(cph_catalogue_writable(c, err));
    CPH_TRY(cph_file_digest(path, &d, NULL, err));
    CPH_TRY(cph_content_put(c, path, &d, err));
    *digest = d;
    return CPH_OK;
}

cph_status cph_collection_content(cph_collection *c, const cph_digest *sha256, char out[CPH_PATH_MAX],
                                  cph_err *err)
{
    char path[CPH_PATH_MAX], hex[CPH_HEX_DIGEST];
    CPH_TRY(cph_content_name(path, c->path, sha256, err));
    if (cph_file_kind_of(path) == CPH_FILE_REGULAR) {
        memcpy(out, path, CPH_PATH_MAX);
        return CPH_OK;
    }
    cph_digest_hex(sha256, hex);
    cph_collection_lock(c);
    cph_sql q;
    cph_status s = cph_sql_prepare(&q, c->db, c->path,
                                   "SELECT reference FROM file WHERE sha256 = ? AND reference NOT NULL "
                                   "ORDER BY object, path LIMIT 1", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "b", sha256);
    if (s == CPH_OK) s = cph_sql_step(&q, err);
    if (s == CPH_OK) snprintf(out, CPH_PATH_MAX, "%.*s", CPH_FMT(cph_sql_text(&q, 0)));
    cph_sql_end(&q);
    cph_collection_unlock(c);
    if (s == CPH_END) return cph_fail(err, CPH_NO, "%s: no content with digest %s", c->path, hex);
    return s;
}
