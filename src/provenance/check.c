/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - what lies in a directory against what its manifest says lies there.
 *
 * Two sorted lists are merged; what stands in both is hashed by the pool, one task
 * a file. Findings are told in path order afterwards, whoever hashed what.
 */
#include <colophon/provenance/check.h>

#include "provenance_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/base/log.h>

#include <stdio.h>
#include <string.h>

#define WHAT_MAX 128

typedef struct row {
    cph_str path;
    const cph_manifest_file *sealed; /* NULL: extra */
    const entry *found;              /* NULL: missing */
    char what[WHAT_MAX];             /* empty: as sealed */
    bool absent;                     /* a private file that this copy does without */
} row;

typedef struct check {
    const char *dir;
    row *rows;
    size_t n_rows;
    cph_progress progress;
} check;

static void compare_digest(row *r, const cph_digest *found)
{
    char was[CPH_HEX_DIGEST], is[CPH_HEX_DIGEST];
    if (cph_digest_cmp(&r->sealed->sha256, found) == 0) return;
    cph_digest_hex(&r->sealed->sha256, was);
    cph_digest_hex(found, is);
    snprintf(r->what, WHAT_MAX, "digest differs (sealed %.8s..., found %.8s...)", was, is);
}

static cph_status check_row(void *arg, size_t i, unsigned worker, cph_err *err)
{
    check *c = arg;
    row *r = &c->rows[i];
    char path[CPH_PATH_MAX];
    cph_digest found;
    uint64_t n_bytes;
    (void)worker;
    CPH_TRY(cph_interrupt_check("verify", err));
    cph_progress_add(&c->progress, 1);
    if (!r->sealed || !r->found) return CPH_OK;
    if (!r->found->regular) {
        snprintf(r->what, WHAT_MAX, "is a link or a special file; a sealed file is a regular one");
        return CPH_OK;
    }
    CPH_TRY(cph_path_join(path, c->dir, r->found->path.p, err));
    cph_err local = {.status = CPH_OK};
    if (cph_file_digest(path, &found, &n_bytes, &local) != CPH_OK) {
        /* A file that the disk no longer gives is damage, and the others still count. */
        snprintf(r->what, WHAT_MAX, "cannot be read: %.100s", local.what);
        return local.status == CPH_IO ? CPH_OK : cph_fail(err, local.status, "%s", local.what);
    }
    if (n_bytes != r->sealed->bytes)
        snprintf(r->what, WHAT_MAX, "size differs (sealed %llu bytes, found %llu)",
                 (unsigned long long)r->sealed->bytes, (unsigned long long)n_bytes);
    else
        compare_digest(r, &found);
    return CPH_OK;
}

static void merge_one(row *r, const cph_manifest_file *sealed, const entry *found, bool published)
{
    *r = (row){.path = sealed ? sealed->path : found->path, .sealed = sealed, .found = found};
    if (!found && sealed->is_private && published)
        r->absent = true;
    else if (!found)
        snprintf(r->what, WHAT_MAX, "is missing");
    else if (!sealed)
        snprintf(r->what, WHAT_MAX, "was not sealed with the rest");
}

static cph_status merge(check *c, cph_arena *a, const cph_manifest *m, cph_err *err)
{
    listing l;
    void *mem;
    CPH_TRY(cph_listing_of(&l, c->dir, a, err));
    size_t n_sealed = cph_manifest_n_files(m), i = 0, k = 0;
    bool published = cph_manifest_is_published(m);
    CPH_TRY(cph_arena_alloc0(a, &mem, l.n + n_sealed + 1, sizeof(row), err));
    c->rows = mem;
    CPH_TRY(cph_arena_alloc0(a, &mem, n_sealed + 1, sizeof(cph_manifest_file), err));
    cph_manifest_file *sealed = mem;
    for (size_t f = 0; f < n_sealed; f++) sealed[f] = cph_manifest_file_at(m, f);
    while (i < n_sealed || k < l.n) {
        int order = i == n_sealed ? 1 : k == l.n ? -1 : cph_str_cmp(sealed[i].path, l.at[k].path);
        merge_one(&c->rows[c->n_rows++], order <= 0 ? &sealed[i] : NULL, order >= 0 ? &l.at[k] : NULL,
                  published);
        i += order <= 0;
        k += order >= 0;
    }
    return CPH_OK;
}

static cph_status hash_rows(check *c, cph_pool *pool, cph_err *err)
{
    if (pool) return cph_pool_run(pool, c->n_rows, check_row, c, err);
    for (size_t i = 0; i < c->n_rows; i++) CPH_TRY(check_row(c, i, 0, err));
    return CPH_OK;
}

static cph_status tell(const check *c, cph_damage_fn damage, void *ctx, cph_files_report *r, cph_err *err)
{
    for (size_t i = 0; i < c->n_rows; i++) {
        const row *at = &c->rows[i];
        if (at->sealed) {
            r->n_files++;
            r->n_bytes += at->sealed->bytes;
        }
        r->n_absent += at->absent;
        if (!at->what[0]) continue;
        r->n_damaged++;
        CPH_TRY(damage(ctx, at->path, at->what, err));
    }
    return CPH_OK;
}

cph_status cph_files_check(const char *dir, const cph_manifest *m, cph_pool *pool, cph_damage_fn damage,
                           void *ctx, cph_files_report *report, cph_err *err)
{
    cph_arena a;
    cph_arena_init(&a, 0);
    check c = {.dir = dir};
    cph_files_report r = {0};
    cph_status s = merge(&c, &a, m, err);
    if (s == CPH_OK) {
        cph_progress_begin(&c.progress, "checking", "files", c.n_rows);
        s = hash_rows(&c, pool, err);
        cph_progress_end(&c.progress);
    }
    if (s == CPH_OK) s = tell(&c, damage, ctx, &r, err);
    cph_arena_release(&a);
    if (s == CPH_OK) *report = r;
    return s;
}
