/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include <colophon/provenance/check.h>
#include <colophon/provenance/manifest.h>

#include <sys/stat.h>
#include <unistd.h>

static cph_arena arena;

static void write_file(const char *path, const char *text)
{
    must(cph_file_write(path, text, strlen(text), err));
}

static const char *in(const char *dir, const char *name)
{
    static char path[CPH_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* A small artefact with every kind of member; its name. */
static cph_digest seal_at(const char *dir, bool published)
{
    cph_json *identity, *run;
    cph_digest d, parent = cph_sha256_of("parent", 6), earlier = cph_sha256_of("earlier", 7);
    must(cph_remove_tree(dir, err));
    must(cph_mkdirs(in(dir, "below"), err));
    write_file(in(dir, "data.bin"), "some content\n");
    write_file(in(dir, "below/more.txt"), "more of it\n");
    write_file(in(dir, "README.md"), "# For people\n");
    write_file(in(dir, "seen.leaves.zst"), "withheld");
    must(cph_identity_new(&identity, &arena, err));
    must(cph_identity_parent(identity, &arena, "corpus", "corpus", &parent, err));
    must(cph_identity_parent(identity, &arena, "base", "external", &earlier, err));
    must(cph_identity_option(identity, &arena, "lang-min", CPH_STR("0.65"), err));
    must(cph_identity_version(identity, &arena, "numerics", CPH_STR("1"), err));
    must(cph_identity_text(identity, &arena, "as_of", CPH_STR("2026-11-23"), err));
    must(cph_identity_slots(identity, &arena, 1, err));
    must(cph_identity_tree(identity, &arena, "set", &parent, 7, err));
    must(cph_identity_count(identity, &arena, "steps", 12, err));
    must(cph_identity_tally(identity, &arena, &(cph_tally_row){CPH_STR("RR-163"), CPH_STR("DENY"), 1, 2, 3},
                            err));
    must(cph_identity_tally(identity, &arena,
                            &(cph_tally_row){CPH_STR("RR-020"), CPH_STR("ALLOW"), 4, 5, 6}, err));
    must(cph_identity_tally(identity, &arena, &(cph_tally_row){CPH_STR("RR-163"), CPH_STR("DENY"), 1, 1, 1},
                            err));
    must(cph_run_new(&run, &arena, 1795392000, err));
    must(cph_run_path(run, &arena, "corpus", CPH_STR("../corpus"), err));
    if (published) {
        must(cph_json_new(&run, &arena, CPH_JSON_OBJECT, err));
        must(cph_json_set_str(run, &arena, "toolkit", CPH_STR("colophon test"), err));
    }
    const char *const private_files[] = {"seen.leaves.zst", NULL}, *const outside[] = {"README.md", NULL};
    cph_seal seal = {.kind = "model",
                     .identity = identity,
                     .run = run,
                     .content_root = true,
                     .outside_content = outside,
                     .private_files = private_files};
    must(cph_seal_write(dir, &arena, &seal, &d, err));
    return d;
}

static void what_was_sealed_is_read_back(void **state)
{
    (void)state;
    const char *dir = testing_path("sealed");
    cph_digest d = seal_at(dir, false), root, again;
    cph_manifest *m;
    uint64_t n;
    must(cph_manifest_open(&m, dir, err));
    cph_digest named = cph_manifest_digest(m);
    assert_int_equal(cph_digest_cmp(&named, &d), 0);
    assert_true(cph_str_is(cph_manifest_kind(m), "model"));
    assert_int_equal(cph_manifest_n_files(m), 4);
    assert_true(cph_str_is(cph_manifest_file_at(m, 1).path, "below/more.txt"));
    assert_true(cph_manifest_file_at(m, 3).is_private);
    assert_int_equal(cph_manifest_n_parents(m), 2);
    assert_true(cph_str_is(cph_manifest_parent_at(m, 0).role, "base"));
    assert_true(cph_manifest_root(m, "content_root", &root));
    must(cph_manifest_content_root(m, &again, err));
    assert_int_equal(cph_digest_cmp(&root, &again), 0);
    assert_true(cph_manifest_count(m, "set_size", &n) && n == 7);
    assert_false(cph_manifest_count(m, "absent", &n));
    const cph_json *tally = cph_json_get(cph_manifest_identity(m), "tally");
    assert_int_equal(tally->n, 2); /* equal rows were added up */
    assert_true(cph_str_is(cph_json_get_str(cph_json_at(tally, 0), "rule"), "RR-020"));
    assert_true(cph_json_u64(cph_json_get(cph_json_at(tally, 1), "documents"), &n) && n == 3);
    assert_false(cph_manifest_is_published(m));
    cph_manifest_close(m);
}

static void the_digest_knows_neither_run_nor_documents(void **state)
{
    (void)state;
    cph_digest a = seal_at(testing_path("a"), false), b = seal_at(testing_path("b"), true);
    assert_int_equal(cph_digest_cmp(&a, &b), 0);
    cph_digest before, after;
    must(cph_content_root_of(testing_path("a"), &before, err));
    write_file(testing_path("a/README.md"), "# Other words\n");
    must(cph_content_root_of(testing_path("a"), &after, err));
    assert_int_equal(cph_digest_cmp(&before, &after), 0);
    write_file(testing_path("a/data.bin"), "other content\n");
    must(cph_content_root_of(testing_path("a"), &after, err));
    assert_int_not_equal(cph_digest_cmp(&before, &after), 0);
}

static void the_canonical_vectors_agree(void **state)
{
    (void)state;
    const char *path = testing_shared("rights/signing_vectors.json");
    if (!path) skip();
    cph_json *v;
    size_t n = 0;
    must(cph_json_read(&v, &arena, path, 0, err));
    for (const cph_json *c = cph_json_get(v, "canonical_json")->first; c; c = c->next, n++) {
        cph_buf b;
        char hex[CPH_HEX_DIGEST], *all;
        cph_buf_init(&b, 1 << 20);
        must(cph_json_canonical(&b, cph_json_get(c, "value"), err));
        cph_digest d = cph_sha256_of(b.p, b.n);
        cph_digest_hex(&d, hex);
        assert_true(cph_str_is(cph_json_get_str(c, "sha256"), hex));
        all = malloc(2 * b.n + 1);
        cph_hex(b.p, b.n, all);
        assert_true(cph_str_is(cph_json_get_str(c, "bytes_hex"), all));
        free(all);
        cph_buf_release(&b);
    }
    assert_true(n >= 5);
}

/* ---- manifests that must not open ---- */

static void take_out(cph_json *object, const char *key)
{
    for (cph_json **at = &object->first; *at; at = &(*at)->next)
        if (cph_str_is((*at)->key, key)) {
            *at = (*at)->next;
            object->n--;
            return;
        }
}

static cph_digest canonical_digest(const char *domain, size_t n, const cph_json *v)
{
    cph_buf b;
    cph_buf_init(&b, 1 << 20);
    must(cph_buf_add(&b, domain, n, err));
    must(cph_json_canonical(&b, v, err));
    cph_digest d = cph_sha256_of(b.p, b.n);
    cph_buf_release(&b);
    return d;
}

static void set_hex(cph_json *m, const char *key, cph_digest d)
{
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(&d, hex);
    must(cph_json_set_str(m, &arena, key, cph_str_of(hex), err));
}

/* Writes the tree with a right `digest` and `self`, so that only the planted fault is left to find. */
static void write_forged(const char *dir, cph_json *m)
{
    static const char domain[] = "colophon:artefact:v1", *const keys[] = {"identity", "kind", "v"};
    cph_json *name;
    cph_buf b;
    must(cph_json_new(&name, &arena, CPH_JSON_OBJECT, err));
    for (size_t i = 0; i < 3; i++) {
        void *copy;
        const cph_json *from = cph_json_get(m, keys[i]);
        if (!from) continue;
        must(cph_arena_alloc(&arena, &copy, sizeof *from, err));
        *(cph_json *)copy = *from;
        must(cph_json_set(name, &arena, keys[i], copy, err));
    }
    if (cph_json_get(m, "digest")) set_hex(m, "digest", canonical_digest(domain, sizeof domain, name));
    bool with_self = cph_json_get(m, "self") != NULL;
    take_out(m, "self");
    if (with_self) set_hex(m, "self", canonical_digest("", 0, m));
    cph_buf_init(&b, 1 << 20);
    must(cph_json_canonical(&b, m, err));
    must(cph_buf_char(&b, '\n', err));
    must(cph_file_write(in(dir, CPH_MANIFEST_NAME), b.p, b.n, err));
    cph_buf_release(&b);
}

static cph_json *value(const char *text)
{
    cph_json *v;
    must(cph_json_parse(&v, &arena, cph_str_of(text), "value", NULL, err));
    return v;
}

static cph_json *member(const cph_json *m, const char *key)
{
    return (cph_json *)(uintptr_t)cph_json_get(m, key); /* the test's own tree */
}

static cph_status open_what(const char *dir, char what[512])
{
    cph_manifest *m = NULL;
    cph_err err = {0};
    cph_status s = cph_manifest_open(&m, dir, &err);
    cph_manifest_close(m);
    memcpy(what, err.what, sizeof err.what);
    return s;
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    const char
        *object; /* "": the manifest; "identity"; "row": the first of files; "tally", "parent" likewise */
    const char *key, *text; /* NULL: the key is taken out */
    const char *expected;
} faults[] = {
    {"", "v", NULL, "v: is missing"},
    {"", "run", NULL, "run: is missing"},
    {"", "self", NULL, "self: is missing"},
    {"", "digest", NULL, "digest: is missing"},
    {"", "files", NULL, "files: is missing"},
    {"", "identity", "[]", "identity: is no object"},
    {"", "run", "7", "run: is no object"},
    {"", "files", "{}", "files: is no array"},
    {"", "v", "2", "v: is not 1"},
    {"", "kind", "\"book\"", "kind: is none"},
    {"", "extra", "1", "\"extra\" is not one of a manifest's"},
    {"identity", "options", "{\"a\":1}", "options: holds what is no string"},
    {"identity", "versions", "[]", "versions: is no object"},
    {"identity", "roots", NULL, "identity.roots: is no object"},
    {"identity", "roots", "{\"set_root\":\"abc\"}", "identity.roots: holds what is no digest"},
    {"identity", "roots",
     "{\"set_root\":\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\"}",
     "identity.roots: holds what is no digest"},
    {"identity", "counts", "{\"n\":-1}", "identity.counts: holds what is no count"},
    {"identity", "parents", NULL, "identity.parents: is no array"},
    {"identity", "parents", "[{\"role\":\"a\",\"kind\":\"corpus\"}]", "a row lacks role, kind or digest"},
    {"identity", "parents",
     "[{\"role\":\"b\",\"kind\":\"corpus\",\"digest\":\"" HEX
     "\"},{\"role\":\"a\",\"kind\":\"corpus\",\"digest\":\"" HEX "\"}]",
     "identity.parents: is not sorted"},
    {"identity", "parents",
     "[{\"role\":\"a\",\"kind\":\"corpus\",\"digest\":\"" HEX
     "\"},{\"role\":\"a\",\"kind\":\"corpus\",\"digest\":\"" HEX "\"}]",
     "identity.parents: is not sorted"},
    {"identity", "tally", "[{\"rule\":\"a\",\"decision\":\"b\",\"works\":1}]",
     "a row lacks works, documents or words"},
    {"identity", "tally",
     "[{\"rule\":\"b\",\"decision\":\"b\",\"works\":1,\"documents\":1,\"words\":1},"
     "{\"rule\":\"a\",\"decision\":\"b\",\"works\":1,\"documents\":1,\"words\":1}]",
     "identity.tally: is not sorted"},
    {"row", "path", "\"../data.bin\"", "a path leads out"},
    {"row", "path", "\"/etc/passwd\"", "a path leads out"},
    {"row", "path", "\"colophon.json\"", "a path leads out"},
    {"row", "path", "\"zzz\"", "files: is not sorted"},
    {"row", "bytes", "\"7\"", "a row lacks path, bytes or sha256"},
    {"row", "sha256", "\"7\"", "a row lacks path, bytes or sha256"},
    {"row", "private", "false", "\"private\" is true or absent"},
    {"row", "note", "\"x\"", "or has more"},
};

static void each_fault_of_form_is_refused_by_name(void **state)
{
    (void)state;
    const char *dir = testing_path("forged");
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char what[512];
        cph_json *m, *to;
        seal_at(dir, false);
        must(cph_json_read(&m, &arena, in(dir, CPH_MANIFEST_NAME), 0, err));
        to = m;
        if (strcmp(faults[i].object, "identity") == 0) to = member(m, "identity");
        if (strcmp(faults[i].object, "row") == 0) to = member(m, "files")->first;
        if (faults[i].text)
            must(cph_json_set(to, &arena, faults[i].key, value(faults[i].text), err));
        else
            take_out(to, faults[i].key);
        write_forged(dir, m);
        assert_int_equal(open_what(dir, what), CPH_DATA);
        if (!strstr(what, faults[i].expected))
            fail_msg("fault %zu: %s, not: %s", i, what, faults[i].expected);
    }
    char what[512];
    seal_at(dir, false);
    cph_json *m;
    must(cph_json_read(&m, &arena, in(dir, CPH_MANIFEST_NAME), 0, err));
    write_forged(dir, m); /* the forger's means without a fault: opens */
    assert_int_equal(open_what(dir, what), CPH_OK);
}

static void a_digest_that_names_another_identity_is_refused(void **state)
{
    (void)state;
    const char *dir = testing_path("forged");
    char what[512];
    cph_json *m;
    cph_buf b;
    seal_at(dir, false);
    must(cph_json_read(&m, &arena, in(dir, CPH_MANIFEST_NAME), 0, err));
    set_hex(m, "digest", cph_sha256_of("other", 5));
    take_out(m, "self");
    set_hex(m, "self", canonical_digest("", 0, m));
    cph_buf_init(&b, 1 << 20);
    must(cph_json_canonical(&b, m, err));
    must(cph_buf_char(&b, '\n', err));
    must(cph_file_write(in(dir, CPH_MANIFEST_NAME), b.p, b.n, err));
    assert_int_equal(open_what(dir, what), CPH_DATA);
    assert_non_null(strstr(what, "digest: does not name this identity"));
    /* The same tree, not canonical: a blank more, the LF missing, two LFs. */
    must(cph_buf_char(&b, '\n', err));
    must(cph_file_write(in(dir, CPH_MANIFEST_NAME), b.p, b.n, err));
    assert_int_equal(open_what(dir, what), CPH_DATA);
    assert_non_null(strstr(what, "not canonical JSON and one LF"));
    must(cph_file_write(in(dir, CPH_MANIFEST_NAME), b.p, b.n - 2, err));
    assert_int_equal(open_what(dir, what), CPH_DATA);
    assert_non_null(strstr(what, "not canonical JSON and one LF"));
    cph_buf_release(&b);
}

static void any_flipped_bit_of_the_manifest_is_found(void **state)
{
    (void)state;
    const char *dir = testing_path("flip");
    char what[512], path[CPH_PATH_MAX];
    cph_buf b;
    seal_at(dir, false);
    snprintf(path, sizeof path, "%s", in(dir, CPH_MANIFEST_NAME));
    cph_buf_init(&b, 1 << 20);
    must(cph_file_read(path, 0, &b, err));
    for (size_t i = 0; i < b.n; i++)
        for (size_t bit = 0; bit < 8; bit += 1 + i % 3) {
            b.p[i] ^= (char)(1u << bit);
            FILE *f = fopen(path, "wb");
            assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
            fclose(f);
            b.p[i] ^= (char)(1u << bit);
            assert_int_equal(open_what(dir, what), CPH_DATA);
            assert_non_null(strstr(what, CPH_MANIFEST_NAME));
        }
    cph_buf_release(&b);
}

/* ---- files ---- */

typedef struct found {
    size_t n;
    char path[64], what[128];
} found;

static cph_status keep(void *ctx, cph_str path, const char *what, cph_err *err)
{
    found *f = ctx;
    (void)err;
    if (f->n++ == 0) {
        snprintf(f->path, sizeof f->path, "%.*s", CPH_FMT(path));
        snprintf(f->what, sizeof f->what, "%s", what);
    }
    return CPH_OK;
}

static cph_files_report check(const char *dir, found *f)
{
    cph_manifest *m;
    cph_files_report r;
    *f = (found){0};
    must(cph_manifest_open(&m, dir, err));
    must(cph_files_check(dir, m, NULL, keep, f, &r, err));
    cph_manifest_close(m);
    assert_int_equal(f->n, r.n_damaged);
    return r;
}

static void any_flipped_bit_of_any_file_is_found_with_its_name(void **state)
{
    (void)state;
    static const char *const files[] = {"README.md", "below/more.txt", "data.bin", "seen.leaves.zst"};
    const char *dir = testing_path("flip");
    found f;
    seal_at(dir, false);
    assert_int_equal(check(dir, &f).n_damaged, 0);
    for (size_t i = 0; i < 4; i++) {
        cph_buf b;
        cph_buf_init(&b, 1 << 20);
        must(cph_file_read(in(dir, files[i]), 0, &b, err));
        for (size_t at = 0; at < b.n; at++) {
            b.p[at] ^= (char)(1 << at % 8);
            must(cph_file_write(in(dir, files[i]), b.p, b.n, err));
            b.p[at] ^= (char)(1 << at % 8);
            assert_int_equal(check(dir, &f).n_damaged, 1);
            assert_string_equal(f.path, files[i]);
            assert_non_null(strstr(f.what, "digest differs"));
        }
        write_file(in(dir, files[i]), "longer than it was when it was sealed");
        check(dir, &f);
        assert_non_null(strstr(f.what, "size differs"));
        must(cph_file_write(in(dir, files[i]), b.p, b.n, err));
        cph_buf_release(&b);
    }
}

static void missing_extra_and_special_files_are_found(void **state)
{
    (void)state;
    const char *dir = testing_path("files");
    found f;
    seal_at(dir, false);
    assert_int_equal(unlink(in(dir, "data.bin")), 0);
    assert_int_equal(check(dir, &f).n_damaged, 1);
    assert_string_equal(f.path, "data.bin");
    assert_string_equal(f.what, "is missing");
    assert_int_equal(symlink("README.md", in(dir, "data.bin")), 0);
    assert_int_equal(check(dir, &f).n_damaged, 1);
    assert_non_null(strstr(f.what, "is a link"));
    seal_at(dir, false);
    write_file(in(dir, "below/.gitignore"), "x"); /* ignored at the top only */
    write_file(in(dir, "note.txt"), "x");
    assert_int_equal(symlink("/nowhere", in(dir, "a-link")), 0);
    assert_int_equal(check(dir, &f).n_damaged, 3);
    assert_string_equal(f.path, "a-link");
    assert_string_equal(f.what, "was not sealed with the rest");
}

static void what_lies_beside_an_artefact_is_ignored(void **state)
{
    (void)state;
    const char *dir = testing_path("beside");
    found f;
    seal_at(dir, false);
    must(cph_mkdirs(in(dir, ".git/objects"), err));
    must(cph_mkdirs(in(dir, ".github"), err));
    static const char *const names[] = {".git/objects/x",     ".github/w", ".gitignore",   ".gitattributes",
                                        "colophon.dsse.json", "model.sig", "takedown.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) write_file(in(dir, names[i]), "x");
    assert_int_equal(check(dir, &f).n_damaged, 0);
}

static void private_files_may_be_absent_in_a_published_copy_only(void **state)
{
    (void)state;
    const char *dir = testing_path("published");
    found f;
    seal_at(dir, true);
    assert_int_equal(unlink(in(dir, "seen.leaves.zst")), 0);
    cph_files_report r = check(dir, &f);
    assert_int_equal(r.n_damaged, 0);
    assert_int_equal(r.n_absent, 1);
    assert_int_equal(unlink(in(dir, "data.bin")), 0);
    assert_int_equal(check(dir, &f).n_damaged, 1); /* not private */
    seal_at(dir, false);
    assert_int_equal(unlink(in(dir, "seen.leaves.zst")), 0);
    assert_int_equal(check(dir, &f).n_damaged, 1);
    assert_string_equal(f.path, "seen.leaves.zst");
}

static void a_directory_with_a_link_or_a_broken_name_is_not_sealed(void **state)
{
    (void)state;
    const char *dir = testing_path("unsealable");
    cph_json *identity, *run;
    cph_digest d;
    must(cph_mkdirs(dir, err));
    must(cph_identity_new(&identity, &arena, err));
    must(cph_run_new(&run, &arena, 0, err));
    cph_seal seal = {.kind = "index", .identity = identity, .run = run};
    assert_int_equal(symlink("x", in(dir, "link")), 0);
    assert_int_equal(cph_seal_write(dir, &arena, &seal, &d, NULL), CPH_DATA);
    assert_int_equal(unlink(in(dir, "link")), 0);
    write_file(in(dir, "br\xff"
                       "ken"),
               "x");
    assert_int_equal(cph_seal_write(dir, &arena, &seal, &d, NULL), CPH_DATA);
    assert_int_equal(unlink(in(dir, "br\xff"
                                    "ken")),
                     0);
    const char *const outside[] = {"surprise.txt", NULL};
    seal.outside_content = outside;
    assert_int_equal(cph_seal_write(dir, &arena, &seal, &d, NULL), CPH_BUG);
    assert_int_equal(cph_file_kind_of(in(dir, CPH_MANIFEST_NAME)), CPH_FILE_NONE);
}

static void an_absent_manifest_is_an_answer(void **state)
{
    (void)state;
    char what[512];
    must(cph_mkdirs(testing_path("bare"), err));
    assert_int_equal(open_what(testing_path("bare"), what), CPH_NO);
    assert_int_equal(open_what(testing_path("nowhere"), what), CPH_IO);
}

static void sealing_survives_no_failing_write_with_a_manifest(void **state)
{
    (void)state;
    const char *dir = testing_path("full");
    for (uint64_t at = 1; at < 5; at++) {
        cph_json *identity, *run;
        cph_digest d = {{7}};
        must(cph_remove_tree(dir, err));
        must(cph_mkdirs(dir, err));
        must(cph_identity_new(&identity, &arena, err));
        must(cph_run_new(&run, &arena, 0, err));
        cph_seal seal = {.kind = "index", .identity = identity, .run = run};
        cph_file_fail_at(at);
        cph_status s = cph_seal_write(dir, &arena, &seal, &d, NULL);
        cph_file_fail_at(0);
        if (at < 4) assert_int_equal(s, CPH_IO);
        if (s != CPH_OK) assert_int_equal(d.b[0], 7); /* outputs untouched */
    }
}

static int begin(void **state)
{
    (void)state;
    cph_arena_init(&arena, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    cph_arena_release(&arena);
    testing_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_is_read_back),
        cmocka_unit_test(the_digest_knows_neither_run_nor_documents),
        cmocka_unit_test(the_canonical_vectors_agree),
        cmocka_unit_test(each_fault_of_form_is_refused_by_name),
        cmocka_unit_test(a_digest_that_names_another_identity_is_refused),
        cmocka_unit_test(any_flipped_bit_of_the_manifest_is_found),
        cmocka_unit_test(any_flipped_bit_of_any_file_is_found_with_its_name),
        cmocka_unit_test(missing_extra_and_special_files_are_found),
        cmocka_unit_test(what_lies_beside_an_artefact_is_ignored),
        cmocka_unit_test(private_files_may_be_absent_in_a_published_copy_only),
        cmocka_unit_test(a_directory_with_a_link_or_a_broken_name_is_not_sealed),
        cmocka_unit_test(an_absent_manifest_is_an_answer),
        cmocka_unit_test(sealing_survives_no_failing_write_with_a_manifest),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
