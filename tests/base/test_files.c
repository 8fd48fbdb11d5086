/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include <unistd.h>

#include <colophon/base/zstream.h>

static int clean(void **state)
{
    (void)state;
    testing_remove();
    return 0;
}

static void an_artefact_directory_is_whole_or_not_there(void **state)
{
    (void)state;
    cph_outdir d;
    for (uint64_t fault = 1; fault < 12; fault++) {
        cph_err err = {0};
        must(cph_outdir_begin(&d, testing_path("art"), false, err));
        char path[CPH_PATH_MAX];
        must(cph_path_join(path, d.path, "a", err));
        cph_file_fail_at(fault);
        cph_status s = cph_file_write(path, "hello", 5, &err);
        if (s == CPH_OK) s = cph_outdir_commit(&d, &err);
        cph_file_fail_at(0);
        if (s == CPH_OK) {
            assert_int_equal(cph_file_kind_of(testing_path("art/a")), CPH_FILE_REGULAR);
            assert_int_equal(cph_file_kind_of(testing_path("art.tmp")), CPH_FILE_NONE);
            assert_int_equal(cph_outdir_begin(&d, testing_path("art"), false, &err), CPH_USAGE);
            must(cph_remove_tree(testing_path("art"), err));
            continue;
        }
        assert_int_equal(s, CPH_IO);
        assert_non_null(strstr(err.what, "No space left"));
        cph_outdir_abort(&d);
        /* The very last fsync may fail after the rename: then the artefact stands, and is whole. */
        if (cph_file_kind_of(testing_path("art")) != CPH_FILE_NONE)
            assert_int_equal(cph_file_kind_of(testing_path("art/a")), CPH_FILE_REGULAR);
        must(cph_remove_tree(testing_path("art"), err));
        assert_int_equal(cph_file_kind_of(testing_path("art.tmp")), CPH_FILE_NONE);
    }
}

static cph_status collect(void *ctx, cph_str rel, uint64_t n, int64_t mtime, cph_err *err)
{
    (void)n;
    (void)mtime;
    CPH_TRY(cph_buf_str(ctx, rel, err));
    return cph_buf_char(ctx, ' ', err);
}

static void a_walk_is_in_byte_order(void **state)
{
    (void)state;
    static const char *const names[] = {"b", "a/z", "a/B", "aa"};
    must(cph_mkdirs(testing_path("w/a"), err));
    for (size_t i = 0; i < 4; i++) {
        char rel[64];
        snprintf(rel, sizeof rel, "w/%s", names[i]);
        must(cph_file_write(testing_path(rel), "x", 1, err));
    }
    cph_buf b;
    cph_buf_init(&b, 1000);
    must(cph_walk(testing_path("w"), collect, &b, err));
    assert_string_equal(b.p, "a/B a/z aa b ");
    cph_buf_release(&b);
}

static void frames_are_found_without_the_ones_before_and_zstd_reads_the_file(void **state)
{
    (void)state;
    cph_zwrite *w;
    cph_zframe f[3];
    must(cph_zwrite_open(&w, testing_path("x.zst"), err));
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k <= i; k++) must(cph_zwrite_add(w, "line of frame\n", 14, err));
        must(cph_zwrite_frame(w, &f[i], err));
    }
    must(cph_zwrite_close(w, err));
    cph_zread *r;
    must(cph_zread_open(&r, testing_path("x.zst"), err));
    assert_int_equal(cph_zread_n_frames(r), 3);
    cph_buf b;
    cph_buf_init(&b, 1000);
    must(cph_zread_frame(r, 2, &b, err));
    assert_int_equal(b.n, 42);
    assert_int_equal(cph_zread_frame_at(r, 1).offset, f[1].offset);
    cph_zread_close(r);
    cph_lines *l;
    cph_str line;
    must(cph_lines_open(&l, testing_path("x.zst"), 100, err));
    int n = 0;
    cph_status s;
    while ((s = cph_lines_next(l, &line, NULL)) == CPH_OK) {
        assert_true(cph_str_is(line, "line of frame"));
        n++;
    }
    assert_int_equal(s, CPH_END);
    assert_int_equal(n, 6);
    cph_lines_close(l);
    cph_buf_release(&b);
    char command[512];
    snprintf(command, sizeof command, "zstd -dc %s 2>/dev/null | wc -l | grep -q '^6$'", testing_path("x.zst"));
    if (access("/usr/bin/zstd", X_OK) == 0) assert_int_equal(system(command), 0);
}

static void every_flipped_bit_of_a_stream_is_an_error_and_not_a_crash(void **state)
{
    (void)state;
    cph_zwrite *w;
    must(cph_zwrite_open(&w, testing_path("y.zst"), err));
    must(cph_zwrite_add(w, "some text to keep\n", 18, err));
    must(cph_zwrite_close(w, err));
    cph_buf whole, b;
    cph_buf_init(&whole, 1000);
    cph_buf_init(&b, 1000);
    must(cph_file_read(testing_path("y.zst"), 0, &whole, err));
    size_t unnoticed = 0;
    for (size_t bit = 0; bit < whole.n * 8; bit++) {
        whole.p[bit / 8] = (char)(whole.p[bit / 8] ^ 1 << bit % 8);
        must(cph_file_write(testing_path("z.zst"), whole.p, whole.n, err));
        whole.p[bit / 8] = (char)(whole.p[bit / 8] ^ 1 << bit % 8);
        cph_zread *r;
        if (cph_zread_open(&r, testing_path("z.zst"), NULL) != CPH_OK) continue;
        b.n = 0;
        cph_err err = {0};
        if (cph_zread_frame(r, 0, &b, &err) == CPH_OK && cph_str_is(cph_buf_view(&b), "some text to keep\n")) unnoticed++;
        cph_zread_close(r);
    }
    assert_true(unnoticed <= 16); /* bits that zstd and the seek table leave free; file digests catch those */
    cph_buf_release(&whole);
    cph_buf_release(&b);
}

static void lines_come_whole_from_plain_text_too(void **state)
{
    (void)state;
    must(cph_file_write(testing_path("p.txt"), "a\n\nlast", 7, err));
    cph_lines *l;
    cph_str line;
    must(cph_lines_open(&l, testing_path("p.txt"), 10, err));
    must(cph_lines_next(l, &line, err));
    assert_true(cph_str_is(line, "a"));
    must(cph_lines_next(l, &line, err));
    assert_int_equal(line.n, 0);
    must(cph_lines_next(l, &line, err));
    assert_true(cph_str_is(line, "last"));
    assert_int_equal(cph_lines_next(l, &line, NULL), CPH_END);
    assert_int_equal(cph_lines_next(l, &line, NULL), CPH_END);
    cph_lines_close(l);
}

static void a_second_holder_of_a_lock_is_told(void **state)
{
    (void)state;
    cph_lock a, b;
    cph_err err = {0};
    must(cph_lock_take(&a, testing_path("lock"), false, err));
    assert_int_equal(cph_lock_take(&b, testing_path("lock"), false, &err), CPH_NO);
    cph_lock_drop(&a);
    must(cph_lock_take(&b, testing_path("lock"), false, err));
    cph_lock_drop(&b);
}

static void a_path_that_leaves_the_directory_is_seen(void **state)
{
    (void)state;
    assert_true(cph_path_is_inside(CPH_STR("a/b.xml")));
    static const char *const bad[] = {"", "/a", "../a", "a/../b", "a//b", "./a", "a/"};
    for (size_t i = 0; i < 7; i++) assert_false(cph_path_is_inside(cph_str_of(bad[i])));
    assert_false(cph_path_is_inside((cph_str){"a\0b", 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_artefact_directory_is_whole_or_not_there, clean),
        cmocka_unit_test_teardown(a_walk_is_in_byte_order, clean),
        cmocka_unit_test_teardown(frames_are_found_without_the_ones_before_and_zstd_reads_the_file, clean),
        cmocka_unit_test_teardown(every_flipped_bit_of_a_stream_is_an_error_and_not_a_crash, clean),
        cmocka_unit_test_teardown(lines_come_whole_from_plain_text_too, clean),
        cmocka_unit_test_teardown(a_second_holder_of_a_lock_is_told, clean),
        cmocka_unit_test_teardown(a_path_that_leaves_the_directory_is_seen, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
