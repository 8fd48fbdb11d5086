/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal.c - writes colophon.json over a finished directory.
 *
 * The files are hashed where they lie; then come content_root, the digest that
 * names the artefact, and `self`. What is written is exactly canonical JSON and LF.
 */
#include "provenance_in.h"

#include <colophon/base/log.h>

#include <string.h>

cph_status cph_file_entry(cph_json **out, cph_arena *a, const cph_manifest_file *f, cph_err *err)
{
    cph_json *v;
    CPH_TRY(cph_json_new(&v, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set_str(v, a, "path", f->path, err));
    CPH_TRY(cph_member_u64(v, a, "bytes", f->bytes, err));
    CPH_TRY(cph_member_hex(v, a, "sha256", &f->sha256, err));
    if (f->is_private) CPH_TRY(cph_member_bool(v, a, "private", true, err));
    *out = v;
    return CPH_OK;
}

cph_status cph_content_root(const cph_json *files, cph_digest *out, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, MANIFEST_MAX);
    cph_status s = cph_buf_char(&b, '[', err);
    for (const cph_json *f = files->first; s == CPH_OK && f; f = f->next) {
        if (cph_is_document(cph_json_get_str(f, "path"))) continue;
        if (b.n > 1) s = cph_buf_char(&b, ',', err);
        if (s == CPH_OK) s = cph_json_canonical(&b, f, err);
    }
    if (s == CPH_OK) s = cph_buf_char(&b, ']', err);
    if (s == CPH_OK) *out = cph_sha256_of(b.p, b.n);
    cph_buf_release(&b);
    return s;
}

cph_status cph_artefact_digest(const cph_json *identity, cph_str kind, cph_digest *out, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, MANIFEST_MAX);
    cph_status s = cph_buf_add(&b, DIGEST_DOMAIN, sizeof DIGEST_DOMAIN, err); /* with its NUL */
    if (s == CPH_OK) s = cph_buf_z(&b, "{\"identity\":", err);
    if (s == CPH_OK) s = cph_json_canonical(&b, identity, err);
    if (s == CPH_OK) s = cph_buf_z(&b, ",\"kind\":", err);
    if (s == CPH_OK) s = cph_json_quote(&b, kind, err);
    if (s == CPH_OK) s = cph_buf_z(&b, ",\"v\":1}", err);
    if (s == CPH_OK) *out = cph_sha256_of(b.p, b.n);
    cph_buf_release(&b);
    return s;
}

static bool named(const char *const *names, cph_str path)
{
    for (; names && *names; names++)
        if (cph_str_is(path, *names)) return true;
    return false;
}

static cph_status check_outside(const cph_seal *what, cph_err *err)
{
    for (const char *const *name = what->outside_content; name && *name; name++)
        if (!cph_is_document(cph_str_of(*name)))
            return cph_fail(err, CPH_BUG, "%s: is no document that verify knows; name it in listing.c",
                            *name);
    return CPH_OK;
}

static cph_status hash_one(cph_json **out, cph_arena *a, const char *dir, const entry *e, bool is_private,
                           cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_path_join(path, dir, e->path.p, err));
    if (!e->regular)
        return cph_fail(err, CPH_DATA,
                        "%s: only regular files can be sealed, this is a link or a special file", path);
    if (cph_utf8_check(e->path.p, e->path.n) != e->path.n)
        return cph_fail(err, CPH_DATA, "%s: the name is not valid UTF-8", path);
    cph_manifest_file f = {.path = e->path, .is_private = is_private};
    CPH_TRY(cph_file_digest(path, &f.sha256, &f.bytes, err));
    return cph_file_entry(out, a, &f, err);
}

static cph_status hash_all(cph_json **out, cph_arena *a, const char *dir, const cph_seal *what,
                           cph_err *err)
{
    listing l;
    cph_json *files;
    CPH_TRY(cph_listing_of(&l, dir, a, err));
    CPH_TRY(cph_json_new(&files, a, CPH_JSON_ARRAY, err));
    cph_progress p;
    cph_progress_begin(&p, "sealing", "files", l.n);
    cph_status s = CPH_OK;
    cph_json **end = &files->first; /* the list is long: keep its end */
    for (size_t i = 0; s == CPH_OK && i < l.n; i++) {
        s = hash_one(end, a, dir, &l.at[i], named(what->private_files, l.at[i].path), err);
        if (s != CPH_OK) break;
        end = &(*end)->next;
        files->n++;
        cph_progress_add(&p, 1);
    }
    cph_progress_end(&p);
    if (s == CPH_OK) *out = files;
    return s;
}

static cph_status with_member(cph_json *m, cph_arena *a, const char *key, const cph_json *v, cph_err *err)
{
    cph_json *alias;
    CPH_TRY(cph_alias(&alias, a, v, err));
    return cph_json_set(m, a, key, alias, err);
}

static cph_status write_manifest(const char *dir, cph_arena *a, cph_json *m, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_path_join(path, dir, CPH_MANIFEST_NAME, err));
    cph_buf b;
    cph_buf_init(&b, MANIFEST_MAX);
    cph_status s = cph_json_canonical(&b, m, err);
    if (s == CPH_OK) {
        cph_digest self = cph_sha256_of(b.p, b.n);
        b.n = 0;
        s = cph_member_hex(m, a, "self", &self, err);
    }
    if (s == CPH_OK) s = cph_json_canonical(&b, m, err);
    if (s == CPH_OK) s = cph_buf_char(&b, '\n', err);
    if (s == CPH_OK) s = cph_file_write(path, b.p, b.n, err);
    cph_buf_release(&b);
    return s;
}

static cph_status build(const char *dir, cph_arena *a, const cph_seal *what, const cph_json *files,
                        cph_digest *digest, cph_err *err)
{
    cph_digest root, name;
    cph_json *m;
    if (what->content_root) {
        CPH_TRY(cph_content_root(files, &root, err));
        CPH_TRY(cph_identity_root(what->identity, a, "content_root", &root, err));
    }
    CPH_TRY(cph_artefact_digest(what->identity, cph_str_of(what->kind), &name, err));
    CPH_TRY(cph_json_new(&m, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set_i64(m, a, "v", 1, err));
    CPH_TRY(cph_json_set_str(m, a, "kind", cph_str_of(what->kind), err));
    CPH_TRY(with_member(m, a, "identity", what->identity, err));
    CPH_TRY(with_member(m, a, "files", files, err));
    CPH_TRY(with_member(m, a, "run", what->run, err));
    CPH_TRY(cph_member_hex(m, a, "digest", &name, err));
    CPH_TRY(write_manifest(dir, a, m, err));
    *digest = name;
    return CPH_OK;
}

cph_status cph_seal_write(const char *dir, cph_arena *a, const cph_seal *what, cph_digest *digest,
                          cph_err *err)
{
    cph_json *files;
    cph_digest name;
    cph_manifest *back = NULL;
    CPH_TRY(check_outside(what, err));
    CPH_TRY(hash_all(&files, a, dir, what, err));
    CPH_TRY(build(dir, a, what, files, &name, err));
    /* A seal that could not be opened again would be found too late: read back what was written. */
    CPH_TRY(cph_manifest_open(&back, dir, err));
    cph_manifest_close(back);
    *digest = name;
    return CPH_OK;
}

cph_status cph_content_root_of(const char *dir, cph_digest *out, cph_err *err)
{
    cph_arena a;
    cph_arena_init(&a, 0);
    cph_json *files;
    cph_digest root;
    cph_status s = hash_all(&files, &a, dir, &(cph_seal){0}, err);
    if (s == CPH_OK) s = cph_content_root(files, &root, err);
    cph_arena_release(&a);
    if (s == CPH_OK) *out = root;
    return s;
}
