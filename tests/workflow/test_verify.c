/* SPDX-License-Identifier: Apache-2.0 */
#include "line_fixture.h"

#include <colophon/base/memory.h>
#include <colophon/workflow/verify.h>

static cph_verify_report verified(line_fixture *f, const char *path, bool alone)
{
    cph_verify_report r;
    must(cph_verify(path, &(cph_verify_opts){.alone = alone}, &f->a, &r, err));
    return r;
}

static const cph_verify_row *find(const cph_verify_report *r, cph_verdict_grade grade, const char *subject)
{
    for (size_t i = 0; i < r->n_rows; i++)
        if (r->rows[i].grade == grade && cph_str_is(r->rows[i].subject, subject)) return &r->rows[i];
    return NULL;
}

static void a_whole_line_is_verified_with_every_root(void **state)
{
    static const char *const roots[] = {"content_root", "seen_root", "set_root",
                                        "records_root", "prov_root", "dropped_root"};
    cph_verify_report r = verified(*state, "demo/model", false);
    cph_buf b;
    cph_buf_init(&b, 1 << 20);
    must(cph_verify_text(&b, &r, true, err));
    if (r.n_damaged) fail_msg("%s", b.p);
    cph_buf_release(&b);
    assert_int_equal(r.n_artefacts, 5);
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        assert_non_null(find(&r, CPH_VERIFIED, roots[i]));
    r = verified(*state, "demo/corpus/colophon.json", true);
    assert_int_equal(r.n_artefacts, 1);
    assert_int_equal(r.n_damaged, 0);
}

/* Flips bits of one file and expects its name; the file is as it was afterwards. */
static void flip_file(line_fixture *f, const char *dir, cph_str name)
{
    char path[CPH_PATH_MAX], subject[128];
    cph_buf b;
    snprintf(path, sizeof path, "%s/%.*s", dir, CPH_FMT(name));
    snprintf(subject, sizeof subject, "%.*s", CPH_FMT(name));
    cph_buf_init(&b, 1 << 20);
    must(cph_file_read(path, 0, &b, err));
    size_t step = b.n > 400 ? b.n / 200 : 1;
    for (size_t at = 0; at < b.n; at += step) {
        size_t bit = at * 2654435761u >> 7 & 7;
        b.p[at] ^= (char)(1u << bit);
        must(cph_file_write(path, b.p, b.n, err));
        cph_verify_report r = verified(f, dir, true);
        if (r.n_damaged == 0 || !find(&r, CPH_DAMAGED, subject))
            fail_msg("%s: byte %zu, bit %zu: not found", path, at, bit);
        b.p[at] ^= (char)(1u << bit);
    }
    must(cph_file_write(path, b.p, b.n, err));
    cph_buf_release(&b);
}

typedef struct flipping {
    line_fixture *f;
    const char *dir;
} flipping;

static cph_status each_file(void *ctx, cph_str path, uint64_t n_bytes, int64_t mtime_ns, cph_err *err)
{
    const flipping *x = ctx;
    (void)mtime_ns;
    (void)err;
    if (n_bytes) flip_file(x->f, x->dir, path);
    return CPH_OK;
}

static void any_flipped_bit_of_any_artefact_is_found_by_name(void **state)
{
    line_fixture *f = *state;
    char snapshot[CPH_PATH_MAX], hex[CPH_HEX_DIGEST];
    cph_digest_hex(&f->snapshot, hex);
    snprintf(snapshot, sizeof snapshot, "demo/collection/snapshots/%s", hex);
    const char *dirs[] = {"demo/model", "demo/tokens", "demo/tokenizer", "demo/corpus", snapshot};
    for (size_t i = 0; i < 5; i++) {
        flipping x = {f, dirs[i]};
        must(cph_walk(dirs[i], each_file, &x, err));
        assert_int_equal(verified(f, dirs[i], true).n_damaged, 0);
    }
}

static void damage_of_a_parent_is_found_from_the_child(void **state)
{
    cph_buf b;
    cph_buf_init(&b, 1 << 20);
    must(cph_file_read("demo/corpus/README.md", 0, &b, err));
    line_write("demo/corpus", "README.md", "# Another\n");
    cph_verify_report r = verified(*state, "demo/model", false);
    assert_int_equal(r.n_damaged, 1);
    assert_non_null(find(&r, CPH_DAMAGED, "README.md"));
    assert_non_null(find(&r, CPH_ABSENT, "roots"));
    assert_int_equal(verified(*state, "demo/model", true).n_damaged, 0);
    must(cph_file_write("demo/corpus/README.md", b.p, b.n, err));
    cph_buf_release(&b);
}

static void missing_and_extra_files_and_a_missing_manifest_are_found(void **state)
{
    line_write("demo/tokens", "zzz", "x");
    cph_verify_report r = verified(*state, "demo/tokens", true);
    assert_non_null(find(&r, CPH_DAMAGED, "zzz"));
    assert_int_equal(rename("demo/tokens/zzz", "demo/tokens/takedown.json"), 0);
    assert_int_equal(verified(*state, "demo/tokens", true).n_damaged, 0);
    assert_int_equal(rename("demo/tokens/takedown.json", "demo/tokens/colophon.dsse.json"), 0);
    r = verified(*state, "demo/tokens", true);
    assert_int_equal(r.n_damaged, 0);
    assert_non_null(find(&r, CPH_ABSENT, "colophon.dsse.json"));
    assert_int_equal(unlink("demo/tokens/colophon.dsse.json"), 0);
    assert_int_equal(rename("demo/tokens/set.leaves.zst", "demo/away"), 0);
    r = verified(*state, "demo/tokens", true);
    assert_non_null(find(&r, CPH_DAMAGED, "set.leaves.zst"));
    assert_int_equal(rename("demo/away", "demo/tokens/set.leaves.zst"), 0);
    assert_int_equal(rename("demo/tokens/colophon.json", "demo/away"), 0);
    r = verified(*state, "demo/tokens", true);
    assert_non_null(find(&r, CPH_DAMAGED, "colophon.json"));
    assert_int_equal(rename("demo/away", "demo/tokens/colophon.json"), 0);
    cph_verify_report none;
    assert_int_equal(cph_verify("demo/nowhere", &(cph_verify_opts){0}, &((line_fixture *)*state)->a, &none,
                                NULL),
                     CPH_IO);
}

/* Content and manifest are forged together: files, self and digest agree, the roots do not. */
static void forge(line_fixture *f, const char *root, const char *expected)
{
    cph_manifest *m;
    cph_json *identity;
    must(cph_remove_tree("demo/forged", err));
    assert_int_equal(system("cp -r demo/corpus demo/forged && rm demo/forged/colophon.json"), 0);
    must(cph_manifest_open(&m, "demo/corpus", err));
    must(cph_identity_new(&identity, &f->a, err));
    static const char *const keys[] = {"as_of", "counts", "parents", "policy", "roots", "tally"};
    for (size_t i = 0; i < 6; i++) must(cph_identity_inherit(identity, &f->a, m, keys[i], err));
    cph_manifest_close(m);
    cph_digest other = cph_sha256_of("other", 5);
    must(cph_identity_root(identity, &f->a, root, &other, err));
    line_seal(f, "demo/forged", "corpus", identity, NULL, false);
    cph_verify_report r = verified(f, "demo/forged", true);
    assert_int_equal(r.n_damaged, 1);
    const cph_verify_row *row = find(&r, CPH_DAMAGED, root);
    assert_non_null(row);
    if (!strstr(row->what.p, expected)) fail_msg("%s", row->what.p);
    must(cph_remove_tree("demo/forged", err));
}

static void roots_that_the_content_does_not_give_are_found(void **state)
{
    forge(*state, "set_root", "differs (sealed");
    forge(*state, "records_root", "differs (sealed");
    forge(*state, "prov_root", "differs (sealed");
    forge(*state, "dropped_root", "differs (sealed");
}

static const struct {
    const char *from, *to, *expected;
} lies[] = {
    {"\"id\":\"d2\"", "\"id\":\"d3\"", "of another record"},
    {"To i samme", "Tre i samme", "text_sha256 is not the text's digest"},
    {"\"rights\":\"", "\"rights\":\"0", "different decisions"},
    {"\"text\":", "\"tekst\":", "id, text or rights is missing"},
};

static void a_record_that_its_side_car_does_not_fit_is_named(void **state)
{
    line_fixture *f = *state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        cph_lines *l;
        cph_str line;
        cph_buf b;
        cph_merkle m;
        cph_manifest *old;
        cph_json *identity;
        cph_buf_init(&b, 1 << 20);
        must(cph_remove_tree("demo/forged", err));
        assert_int_equal(system("cp -r demo/corpus demo/forged && rm demo/forged/colophon.json"), 0);
        must(cph_lines_open(&l, "demo/corpus/shard-00000.jsonl.zst", 1 << 20, err));
        while (cph_lines_next(l, &line, NULL) == CPH_OK)
            must(cph_buf_printf(&b, err, "%.*s\n", CPH_FMT(line)));
        cph_lines_close(l);
        char *last = b.p;
        for (char *at = b.p; (at = strstr(at, lies[i].from)); at++) last = at;
        cph_buf forged;
        cph_buf_init(&forged, 1 << 20);
        must(cph_buf_printf(&forged, err, "%.*s%s%s", (int)(last - b.p), b.p, lies[i].to,
                            last + strlen(lies[i].from)));
        line_zwrite("demo/forged", "shard-00000.jsonl.zst", forged.p, &m);
        must(cph_manifest_open(&old, "demo/corpus", err));
        must(cph_identity_new(&identity, &f->a, err));
        must(cph_identity_inherit(identity, &f->a, old, "roots", err));
        cph_manifest_close(old);
        line_seal(f, "demo/forged", "corpus", identity, NULL, false);
        cph_verify_report r = verified(f, "demo/forged", true);
        const cph_verify_row *row = find(&r, CPH_DAMAGED, "set_root");
        assert_non_null(row);
        if (!strstr(row->what.p, lies[i].expected) || !strstr(row->what.p, "shard-00000.jsonl.zst: record 3"))
            fail_msg("lie %zu: %s", i, row->what.p);
        cph_buf_release(&b);
        cph_buf_release(&forged);
    }
    must(cph_remove_tree("demo/forged", err));
}

static void parents_are_found_elsewhere_by_digest_or_said_to_be_unreachable(void **state)
{
    line_fixture *f = *state;
    cph_verify_report r;
    const char *dirs[] = {"archive"};
    must(cph_mkdirs("archive/deep", err));
    assert_int_equal(rename("demo/tokens", "archive/deep/renamed"), 0);
    r = verified(f, "demo/model", false);
    assert_int_equal(r.n_damaged, 0);
    assert_non_null(find(&r, CPH_ABSENT, "parent tokens"));
    must(cph_verify("demo/model", &(cph_verify_opts){.parents = dirs, .n_parents = 1}, &f->a, &r, err));
    assert_non_null(find(&r, CPH_VERIFIED, "parent tokens"));
    assert_int_equal(r.n_artefacts, 5);
    assert_int_equal(rename("archive/deep/renamed", "demo/tokens"), 0);
    const char *nowhere[] = {"nowhere"};
    assert_int_equal(cph_verify("demo/forlorn", &(cph_verify_opts){.parents = nowhere, .n_parents = 1}, &f->a,
                                &r, NULL),
                     CPH_IO);
}

static void the_text_names_the_first_and_counts_the_rest(void **state)
{
    line_fixture *f = *state;
    cph_buf b, json;
    cph_json *v;
    cph_buf_init(&b, 1 << 20);
    cph_buf_init(&json, 1 << 20);
    line_write("demo/tokenizer", "a", "x");
    line_write("demo/tokenizer", "b", "x");
    cph_verify_report r = verified(f, "demo/tokenizer", true);
    must(cph_verify_text(&b, &r, false, err));
    assert_non_null(strstr(b.p, "DIFFERS  a                 was not sealed with the rest"));
    assert_null(strstr(b.p, "DIFFERS  b"));
    assert_non_null(strstr(b.p, "1 more differ; --list names them all"));
    b.n = 0;
    must(cph_verify_text(&b, &r, true, err));
    assert_non_null(strstr(b.p, "DIFFERS  b"));
    must(cph_verify_json(&json, &r, err));
    must(cph_json_parse(&v, &f->a, cph_buf_view(&json), "json", NULL, err));
    bool whole = true;
    assert_true(cph_json_bool(cph_json_get(v, "verified"), &whole) && !whole);
    unlink("demo/tokenizer/a");
    unlink("demo/tokenizer/b");
    cph_buf_release(&b);
    cph_buf_release(&json);
}

static void a_collection_is_read_against_its_newest_snapshot(void **state)
{
    line_fixture *f = *state;
    cph_collection *c;
    cph_digest d;
    bool added;
    line_write(".", "p1.xml", "<alto/>");
    cph_source_file file = {.path = CPH_STR("p1.xml"),
                            .from = "p1.xml",
                            .bytes = 7,
                            .checksum_state = CPH_STR("none"),
                            .role = CPH_STR("text"),
                            .sha256 = cph_sha256_of("<alto/>", 7)};
    cph_object_record o = {.source_id = CPH_STR("book-1"),
                           .profile = CPH_STR("alto-folder"),
                           .work_urn = CPH_STR("urn:x:book"),
                           .files = &file,
                           .n_files = 1};
    must(cph_collection_open(&c, "books", CPH_OPEN_CREATE, err));
    must(cph_collection_add_object(c, &o, &added, err));
    cph_verify_report r = verified(f, "books", false);
    assert_non_null(find(&r, CPH_ABSENT, "source files")); /* no snapshot yet */
    must(cph_collection_snapshot(c, &d, err));
    char path[CPH_PATH_MAX], hex[CPH_HEX_DIGEST];
    must(cph_collection_content(c, &file.sha256, path, err));
    cph_collection_close(c);
    r = verified(f, "books", false);
    assert_int_equal(r.n_damaged, 0);
    assert_int_equal(r.n_artefacts, 2);
    cph_digest_hex(&file.sha256, hex);
    must(cph_file_write(path, "<alto2>", 7, err));
    r = verified(f, "books", false);
    assert_int_equal(r.n_damaged, 1);
    assert_non_null(find(&r, CPH_DAMAGED, hex));
    assert_int_equal(unlink(path), 0);
    r = verified(f, "books", false);
    assert_non_null(find(&r, CPH_DAMAGED, hex));
}

static void an_external_base_is_recognised_where_it_lies(void **state)
{
    line_fixture *f = *state;
    cph_json *identity, *run;
    cph_digest base, d;
    must(cph_mkdirs("theirs", err));
    line_write("theirs", "config.json", "{}\n");
    must(cph_content_root_of("theirs", &base, err));
    must(cph_mkdirs("demo/tuned", err));
    must(cph_identity_new(&identity, &f->a, err));
    must(cph_identity_parent(identity, &f->a, "base", "external", &base, err));
    must(cph_run_new(&run, &f->a, 0, err));
    must(cph_run_path(run, &f->a, "base", CPH_STR("theirs"), err));
    cph_seal seal = {.kind = "model", .identity = identity, .run = run, .content_root = true};
    must(cph_seal_write("demo/tuned", &f->a, &seal, &d, err));
    cph_verify_report r = verified(f, "demo/tuned", false);
    assert_non_null(find(&r, CPH_VERIFIED, "parent base"));
    line_write("theirs", "config.json", "{ }\n");
    r = verified(f, "demo/tuned", false);
    assert_int_equal(r.n_damaged, 0);
    assert_non_null(find(&r, CPH_ABSENT, "parent base"));
    must(cph_remove_tree("demo/tuned", err));
    must(cph_remove_tree("theirs", err));
}

static void a_published_copy_keeps_its_name_and_says_what_it_lacks(void **state)
{
    line_fixture *f = *state;
    cph_manifest *m;
    cph_json *identity, *run;
    cph_digest d;
    static const char *const keys[] = {"arith", "as_of", "counts", "parents", "policy", "roots", "seed", "tally"};
    static const char *const private_files[] = {"seen.leaves.zst", NULL};
    assert_int_equal(system("cp -r demo/model demo/published && rm demo/published/colophon.json"), 0);
    must(cph_manifest_open(&m, "demo/model", err));
    must(cph_identity_new(&identity, &f->a, err));
    for (size_t i = 0; i < 8; i++) must(cph_identity_inherit(identity, &f->a, m, keys[i], err));
    cph_manifest_close(m);
    must(cph_json_new(&run, &f->a, CPH_JSON_OBJECT, err));
    must(cph_json_set_str(run, &f->a, "toolkit", CPH_STR("colophon"), err));
    cph_seal seal = {.kind = "model", .identity = identity, .run = run, .content_root = true,
                     .private_files = private_files};
    must(cph_seal_write("demo/published", &f->a, &seal, &d, err));
    assert_int_equal(cph_digest_cmp(&d, &f->model), 0);
    assert_int_equal(unlink("demo/published/seen.leaves.zst"), 0);
    cph_verify_report r = verified(f, "demo/published", false);
    assert_int_equal(r.n_damaged, 0);
    assert_non_null(find(&r, CPH_ABSENT, "files"));
    assert_non_null(find(&r, CPH_ABSENT, "seen_root"));
    assert_non_null(find(&r, CPH_VERIFIED, "content_root"));
    must(cph_remove_tree("demo/published", err));
}

static void whatever_allocation_fails_the_answer_is_a_limit(void **state)
{
    line_fixture *f = *state;
    uint64_t n = 1;
    for (cph_status s = CPH_NOMEM; s != CPH_OK; n++) {
        cph_verify_report r;
        cph_arena a;
        cph_arena_init(&a, 0);
        cph_memory_fail_at(n);
        s = cph_verify("demo/model", &(cph_verify_opts){.alone = false}, &a, &r, NULL);
        cph_memory_fail_at(0);
        if (s != CPH_OK) assert_int_equal(s, CPH_NOMEM);
        cph_arena_release(&a);
    }
    assert_true(n > 50);
    assert_int_equal(verified(f, "demo/model", false).n_damaged, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_line_is_verified_with_every_root),
        cmocka_unit_test(any_flipped_bit_of_any_artefact_is_found_by_name),
        cmocka_unit_test(damage_of_a_parent_is_found_from_the_child),
        cmocka_unit_test(missing_and_extra_files_and_a_missing_manifest_are_found),
        cmocka_unit_test(roots_that_the_content_does_not_give_are_found),
        cmocka_unit_test(a_record_that_its_side_car_does_not_fit_is_named),
        cmocka_unit_test(parents_are_found_elsewhere_by_digest_or_said_to_be_unreachable),
        cmocka_unit_test(the_text_names_the_first_and_counts_the_rest),
        cmocka_unit_test(a_collection_is_read_against_its_newest_snapshot),
        cmocka_unit_test(an_external_base_is_recognised_where_it_lies),
        cmocka_unit_test(a_published_copy_keeps_its_name_and_says_what_it_lacks),
        cmocka_unit_test(whatever_allocation_fails_the_answer_is_a_limit),
    };
    return cmocka_run_group_tests(tests, line_begin, line_end);
}
