/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_json.c - what parses must write, read back, and write the same again.
 */
#include <colophon/base/json.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cph_arena a;
    cph_buf once, twice;
    cph_json *v = NULL, *again = NULL;
    cph_arena_init(&a, (size_t)64 << 20);
    cph_buf_init(&once, (size_t)64 << 20);
    cph_buf_init(&twice, (size_t)64 << 20);
    cph_json_limits l;
    cph_json_limits_init(&l);
    l.replace_surrogates = size && data[0] & 1;
    cph_str text = {(const char *)data, size};
    if (cph_json_parse(&v, &a, text, "fuzz", &l, NULL) == CPH_OK && cph_json_write(&once, v, (unsigned)(size % 3), NULL) == CPH_OK) {
        if (cph_json_parse(&again, &a, cph_buf_view(&once), "fuzz", NULL, NULL) != CPH_OK) abort();
        if (cph_json_write(&twice, again, (unsigned)(size % 3), NULL) != CPH_OK || once.n != twice.n ||
            memcmp(once.p, twice.p, once.n) != 0)
            abort();
        once.n = twice.n = 0;
        if (cph_json_canonical(&once, v, NULL) == CPH_OK) {
            if (cph_json_parse(&again, &a, cph_buf_view(&once), "fuzz", NULL, NULL) != CPH_OK) abort();
            if (cph_json_canonical(&twice, again, NULL) != CPH_OK || once.n != twice.n) abort();
        }
    }
    cph_buf_release(&once);
    cph_buf_release(&twice);
    cph_arena_release(&a);
    return 0;
}
