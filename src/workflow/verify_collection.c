/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_collection.c - the one thing that is not sealed: the catalogue. Its snapshots are,
 * and the newest one names every source file by digest; each of them is read again where it
 * lies now, in the content store or where it was referred to.
 */
#include <colophon/base/log.h>
#include <colophon/collection/collection.h>

#include <stdio.h>
#include <string.h>

#include "verify_in.h"

typedef struct files {
    cph_verifier *v;
    cph_collection *c;
    cph_progress progress;
    uint64_t n, bytes;
} files;

static cph_status check_file(files *x, const cph_json *row, cph_str object, cph_err *err)
{
    char path[CPH_PATH_MAX], subject[CPH_HEX_DIGEST];
    cph_digest want, found;
    uint64_t n_bytes;
    cph_err local = {.status = CPH_OK};
    if (!cph_digest_parse(cph_json_get_str(row, "sha256"), &want)) return CPH_OK;
    cph_digest_hex(&want, subject);
    cph_status s = cph_collection_content(x->c, &want, path, &local);
    if (s == CPH_NO)
        return cph_verify_say(x->v, CPH_DAMAGED, subject, err, "a file of %.*s is missing", CPH_FMT(object));
    if (s == CPH_OK) s = cph_file_digest(path, &found, &n_bytes, &local);
    if (s == CPH_IO)
        return cph_verify_say(x->v, CPH_DAMAGED, subject, err, "a file of %.*s: %s", CPH_FMT(object),
                              local.what);
    if (s != CPH_OK) return cph_verify_fault(x->v, subject, s, &local, err);
    if (cph_digest_cmp(&want, &found) != 0)
        return cph_verify_say(x->v, CPH_DAMAGED, subject, err, "a file of %.*s differs: %s", CPH_FMT(object),
                              path);
    x->n++;
    x->bytes += n_bytes;
    return CPH_OK;
}

static cph_status check_objects(files *x, const cph_snapshot *s, cph_err *err)
{
    cph_arena a;
    cph_status status = CPH_OK;
    cph_arena_init(&a, 0);
    cph_progress_begin(&x->progress, "checking", "objects", cph_snapshot_n_objects(s));
    for (size_t i = 0; status == CPH_OK && i < cph_snapshot_n_objects(s); i++) {
        cph_snapshot_object o;
        cph_arena_reset(&a);
        status = cph_snapshot_object_at(s, i, &a, &o, err);
        const cph_json *list = status == CPH_OK ? cph_json_get(o.row, "files") : NULL;
        for (const cph_json *f = list ? list->first : NULL; status == CPH_OK && f; f = f->next)
            status = check_file(x, f, o.source_id, err);
        cph_progress_add(&x->progress, 1);
    }
    cph_progress_end(&x->progress);
    cph_arena_release(&a);
    return status;
}

static cph_status check_snapshot(files *x, const cph_snapshot *s, const char *path, cph_err *err)
{
    char hex[CPH_HEX_DIGEST], name[96], size[32], at[CPH_PATH_MAX];
    cph_digest d = cph_snapshot_digest(s);
    cph_kin_place place;
    cph_err local = {.status = CPH_OK};
    CPH_TRY(check_objects(x, s, err));
    cph_format_bytes(x->bytes, size);
    CPH_TRY(cph_verify_say(x->v, CPH_VERIFIED, "source files", err,
                           "%llu, %s, as the newest snapshot names them", (unsigned long long)x->n, size));
    cph_digest_hex(&d, hex);
    snprintf(name, sizeof name, "snapshots/%s", hex);
    CPH_TRY(cph_path_join(at, path, name, err));
    cph_status status = cph_kin_at(x->v->kin, at, &place, &local);
    if (status != CPH_OK) return cph_verify_fault(x->v, "snapshot", status, &local, err);
    CPH_TRY(cph_verify_say(x->v, CPH_VERIFIED, "snapshot", err, "%.16s", hex));
    return cph_verify_enqueue(x->v, place, err);
}

cph_status cph_verify_collection(cph_verifier *v, const char *path, cph_err *err)
{
    files x = {.v = v};
    cph_snapshot *s;
    cph_err local = {.status = CPH_OK};
    CPH_TRY(cph_verify_enqueue(v, (cph_kin_place){path, NULL}, err));
    v->artefacts[0].kind = CPH_STR("collection");
    CPH_TRY(cph_collection_open(&x.c, path, CPH_OPEN_READ, err));
    cph_status status = cph_snapshot_open(&s, path, NULL, &local);
    if (status == CPH_NO) {
        status =
            cph_verify_say(v, CPH_ABSENT, "source files", err, "there is no snapshot to compare them with");
    } else if (status != CPH_OK) {
        status = cph_verify_fault(v, "snapshot", status, &local, err);
    } else {
        status = check_snapshot(&x, s, path, err);
        cph_snapshot_close(s);
    }
    cph_collection_close(x.c);
    return status;
}
