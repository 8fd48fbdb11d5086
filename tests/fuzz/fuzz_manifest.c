/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_manifest.c - a hostile colophon.json is opened, and what opens is looked at.
 *
 * Few inputs pass `self`, so the text is also sealed: {identity, kind, v} as given get a
 * right digest and self, and the form is all that stands between the input and the views.
 */
#include <colophon/provenance/manifest.h>
#include <colophon/provenance/proof.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *path_of(void)
{
    static char path[64];
    if (!path[0]) {
        snprintf(path, sizeof path, "/tmp/cph-fuzz-manifest-%ld.json", (long)getpid());
    }
    return path;
}

static void hex_of(cph_json *m, cph_arena *a, const char *key, const cph_buf *b)
{
    char hex[CPH_HEX_DIGEST];
    cph_digest d = cph_sha256_of(b->p, b->n);
    cph_digest_hex(&d, hex);
    if (cph_json_set_str(m, a, key, cph_str_of(hex), NULL) != CPH_OK) abort();
}

static void take_out(cph_json *m, const char *key)
{
    for (cph_json **at = &m->first; *at; at = &(*at)->next)
        if (cph_str_is((*at)->key, key)) {
            *at = (*at)->next;
            m->n--;
            return;
        }
}

static bool name_of(cph_buf *b, const cph_json *m)
{
    static const char *const keys[] = {"identity", "kind", "v"};
    b->n = 0;
    if (cph_buf_add(b, "colophon:artefact:v1", 21, NULL) != CPH_OK) return false;
    for (size_t i = 0; i < 3; i++) {
        const cph_json *v = cph_json_get(m, keys[i]);
        if (!v || cph_buf_printf(b, NULL, "%s\"%s\":", i ? "," : "{", keys[i]) != CPH_OK) return false;
        if (cph_json_canonical(b, v, NULL) != CPH_OK) return false;
    }
    return cph_buf_char(b, '}', NULL) == CPH_OK;
}

/* The input with a right digest and self, in canonical bytes; false when it is no such object. */
static bool seal(cph_buf *b, const uint8_t *data, size_t size, cph_arena *a)
{
    cph_json *m;
    if (cph_json_parse(&m, a, (cph_str){(const char *)data, size}, "fuzz", NULL, NULL) != CPH_OK) return false;
    if (m->type != CPH_JSON_OBJECT || !name_of(b, m)) return false;
    hex_of(m, a, "digest", b);
    take_out(m, "self");
    b->n = 0;
    if (cph_json_canonical(b, m, NULL) != CPH_OK) return false;
    hex_of(m, a, "self", b);
    b->n = 0;
    return cph_json_canonical(b, m, NULL) == CPH_OK && cph_buf_char(b, '\n', NULL) == CPH_OK;
}

static void look(const void *p, size_t n)
{
    cph_manifest *m;
    cph_digest d;
    cph_err err;
    FILE *f = fopen(path_of(), "wb");
    if (!f || fwrite(p, 1, n, f) != n) abort();
    fclose(f);
    if (cph_manifest_open(&m, path_of(), &err) == CPH_OK) {
        for (size_t i = 0; i < cph_manifest_n_files(m); i++)
            if (!cph_path_is_inside(cph_manifest_file_at(m, i).path)) abort();
        for (size_t i = 0; i < cph_manifest_n_parents(m); i++)
            if (!cph_manifest_parent_at(m, i).role.n) abort();
        (void)cph_manifest_root(m, "set_root", &d);
        if (cph_manifest_content_root(m, &d, &err) != CPH_OK) abort();
        (void)cph_manifest_is_published(m);
        cph_manifest_close(m);
    }
    unlink(path_of());
}

/* A proof file comes from a stranger, too. */
static void look_at_proof(const uint8_t *data, size_t size, cph_arena *a)
{
    cph_json *v;
    cph_proof p;
    if (cph_json_parse(&v, a, (cph_str){(const char *)data, size}, "fuzz", NULL, NULL) != CPH_OK) return;
    if (cph_proof_parse(&p, a, v, NULL) == CPH_OK) (void)!cph_proof_check(&p, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cph_arena a;
    cph_buf b;
    cph_arena_init(&a, (size_t)1 << 26);
    cph_buf_init(&b, (size_t)1 << 24);
    look(data, size);
    if (seal(&b, data, size, &a)) look(b.p, b.n);
    look_at_proof(data, size, &a);
    cph_buf_release(&b);
    cph_arena_release(&a);
    return 0;
}
