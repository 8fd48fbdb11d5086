/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_safetensors.c - each reader rule of text-models 3.2 refuses, each writer rule of 3.4 shows.
 */
#include <colophon/base/memory.h>
#include <colophon/format/safetensors.h>

#include "testing.h"

/* A file from a header text and a number of data bytes. */
static size_t file_of(uint8_t *out, const char *header, size_t n_data)
{
    size_t n = strlen(header);
    for (unsigned i = 0; i < 8; i++) out[i] = (uint8_t)(n >> (8 * i));
    memcpy(out + 8, header, n);
    for (size_t i = 0; i < n_data; i++) out[8 + n + i] = (uint8_t)i;
    return 8 + n + n_data;
}

static cph_status parse(const char *header, size_t n_data, cph_err *err)
{
    uint8_t bytes[4096];
    cph_safetensors *f = NULL;
    cph_status s = cph_safetensors_parse(&f, bytes, file_of(bytes, header, n_data), "t", err);
    cph_safetensors_close(f);
    return s;
}

static void refused(const char *header, size_t n_data, const char *because)
{
    cph_err err = {0};
    assert_int_equal(parse(header, n_data, &err), CPH_DATA);
    if (!strstr(err.what, because)) fail_msg("\"%s\" does not say \"%s\"", err.what, because);
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

static void good_files_are_read(void **state)
{
    (void)state;
    cph_err err;
    assert_int_equal(parse("{}", 0, &err), CPH_OK);
    assert_int_equal(parse("{" A "}   ", 8, &err), CPH_OK);
    assert_int_equal(parse("{\"s\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[8,16]}," A
                           ",\"z\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[8,8]},"
                           "\"__metadata__\":{\"format\":\"pt\"}}", 16, &err), CPH_OK);
    assert_int_equal(parse("{\"q\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2]}}", 2, &err),
                     CPH_OK);
}

static void rule_1_a_header_fits_its_file(void **state)
{
    (void)state;
    cph_safetensors *f = NULL;
    cph_err err;
    uint8_t bytes[64] = {0};
    assert_int_equal(cph_safetensors_parse(&f, bytes, 7, "t", &err), CPH_DATA);
    bytes[0] = 9;
    assert_int_equal(cph_safetensors_parse(&f, bytes, 16, "t", &err), CPH_DATA);
    memset(bytes, 0xff, 8);
    assert_int_equal(cph_safetensors_parse(&f, bytes, 64, "t", &err), CPH_DATA);
    assert_non_null(strstr(err.what, "100,000,000"));
    refused(" {}", 0, "begin with '{'");
    refused("{" A, 8, "t");
    refused("{\"a\xff\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "t");
    assert_null(f);
}

static void rule_2_tensors_leave_no_hole_and_do_not_overlap(void **state)
{
    (void)state;
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "hole");
    refused("{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]}}", 16, "hole");
    refused("{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "overlap");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "leave the file");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,9]}}", 8, "leave the file");
}

static void rule_3_the_data_end_with_the_file(void **state)
{
    (void)state;
    refused("{" A "}", 9, "after the last tensor");
    refused("{}", 1, "after the last tensor");
}

static void rule_4_bytes_are_what_shape_and_type_need(void **state)
{
    (void)state;
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "need 12");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", 8,
            "overflows");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807],\"data_offsets\":[0,8]}}", 8,
            "overflows");
    refused("{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "inside a byte");
    refused("{\"a\":{\"dtype\":\"F6_E2M3\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, "inside a byte");
    refused("{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown dtype");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "no whole number");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "no whole number");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "two whole numbers");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "not {dtype");
    refused("{\"a\":7}", 0, "not {dtype");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8,
            "8 dimensions");
}

static void rule_5_names_are_unique_and_metadata_are_strings(void **state)
{
    (void)state;
    refused("{" A "," A "}", 8, "t");
    refused("{\"__metadata__\":{\"format\":1}}", 0, "__metadata__");
    refused("{\"__metadata__\":[]}", 0, "__metadata__");
}

static void types_are_converted(void **state)
{
    (void)state;
    static const uint8_t half[] = {0x00, 0x3c, 0x01, 0x00, 0x00, 0xfc, 0x00, 0xc0}, brain[] = {0x80, 0x3f,
                                                                                               0x00, 0xc0};
    static const double wide[] = {0.1, -3};
    static const int32_t whole[] = {-5, 7};
    float out[4];
    int64_t ints[2];
    cph_err err;
    cph_st_tensor t = {.name = CPH_STR("t"), .type = CPH_ST_F16, .n_dims = 1, .n = 4, .data = half};
    must(cph_st_read_f32(&t, out, err));
    assert_true(out[0] == 1.0f && out[1] == 0x1p-24f && out[2] < -1e38f && out[3] == -2.0f);
    t = (cph_st_tensor){.name = CPH_STR("t"), .type = CPH_ST_BF16, .n = 2, .data = brain};
    must(cph_st_read_f32(&t, out, err));
    assert_true(out[0] == 1.0f && out[1] == -2.0f);
    t = (cph_st_tensor){.name = CPH_STR("t"), .type = CPH_ST_F64, .n = 2, .data = (const uint8_t *)wide};
    must(cph_st_read_f32(&t, out, err));
    assert_true(out[0] == 0.1f && out[1] == -3.0f);
    t = (cph_st_tensor){.name = CPH_STR("t"), .type = CPH_ST_I32, .n = 2, .data = (const uint8_t *)whole};
    must(cph_st_read_i64(&t, ints, err));
    assert_true(ints[0] == -5 && ints[1] == 7);
    assert_int_equal(cph_st_read_f32(&t, out, &err), CPH_DATA);
    t.type = CPH_ST_F8_E4M3;
    assert_int_equal(cph_st_read_f32(&t, out, &err), CPH_DATA);
    assert_non_null(strstr(err.what, "F8_E4M3"));
}

static void the_writer_orders_by_type_and_name_and_pads(void **state)
{
    (void)state;
    static const float x[3] = {1, 2, 3};
    static const int64_t n[1] = {9};
    const cph_st_tensor tensors[] = {
        {.name = CPH_STR("b"), .type = CPH_ST_F32, .n_dims = 1, .dims = {1},
         .data = (const uint8_t *)(x + 2)},
        {.name = CPH_STR("a"), .type = CPH_ST_F32, .n_dims = 2, .dims = {1, 2}, .data = (const uint8_t *)x},
        {.name = CPH_STR("z"), .type = CPH_ST_I64, .n_dims = 0, .data = (const uint8_t *)n},
    };
    const char *path = testing_path("x.safetensors");
    cph_safetensors *f;
    cph_buf b;
    testing_dir();
    must(cph_safetensors_write(path, tensors, 3, err));
    must(cph_safetensors_open(&f, path, err));
    assert_int_equal(cph_safetensors_n(f), 3);
    assert_true(cph_str_is(cph_safetensors_at(f, 0)->name, "z") && cph_str_is(cph_safetensors_at(f, 1)->name,
                                                                              "a"));
    assert_true(cph_str_is(cph_safetensors_meta(f, "format"), "pt"));
    assert_int_equal(cph_safetensors_find(f, CPH_STR("a"))->dims[1], 2);
    assert_null(cph_safetensors_find(f, CPH_STR("c")));
    assert_memory_equal(cph_safetensors_find(f, CPH_STR("b"))->data, &x[2], 4);
    cph_safetensors_close(f);
    cph_buf_init(&b, 4096);
    must(cph_file_read(path, 0, &b, err));
    assert_int_equal((uint8_t)b.p[0] % 8, 0);
    assert_true(cph_str_starts((cph_str){b.p + 8, b.n - 8}, "{\"__metadata__\":{\"format\":\"pt\"},\"z\":"));
    cph_buf_release(&b);
    testing_remove();
}

static void a_full_disk_leaves_no_file(void **state)
{
    (void)state;
    static const float x[1] = {1};
    const cph_st_tensor t = {.name = CPH_STR("a"), .type = CPH_ST_F32, .n_dims = 1, .dims = {1},
                             .data = (const uint8_t *)x};
    cph_err err;
    testing_dir();
    const char *path = testing_path("full.safetensors"), *tmp = testing_path("full.safetensors.tmp");
    for (uint64_t i = 1; i <= 2; i++) {
        cph_file_fail_at(i);
        assert_int_equal(cph_safetensors_write(path, &t, 1, &err), CPH_IO);
        cph_file_fail_at(0);
        assert_int_equal(cph_file_kind_of(path), CPH_FILE_NONE);
        assert_int_equal(cph_file_kind_of(tmp), CPH_FILE_NONE);
    }
    testing_remove();
}

static void memory_that_runs_out_is_reported(void **state)
{
    (void)state;
    cph_err err;
    for (uint64_t i = 1; i <= 2; i++) {
        cph_memory_fail_at(i);
        assert_int_equal(parse("{" A "}", 8, &err), CPH_NOMEM);
        cph_memory_fail_at(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_read),
        cmocka_unit_test(rule_1_a_header_fits_its_file),
        cmocka_unit_test(rule_2_tensors_leave_no_hole_and_do_not_overlap),
        cmocka_unit_test(rule_3_the_data_end_with_the_file),
        cmocka_unit_test(rule_4_bytes_are_what_shape_and_type_need),
        cmocka_unit_test(rule_5_names_are_unique_and_metadata_are_strings),
        cmocka_unit_test(types_are_converted),
        cmocka_unit_test(the_writer_orders_by_type_and_name_and_pads),
        cmocka_unit_test(a_full_disk_leaves_no_file),
        cmocka_unit_test(memory_that_runs_out_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
