/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_alto.c - any bytes as ALTO: the events nest, the page that ingest makes of them
 * balances (LAW-1), and its stored form reads back and writes the same again.
 */
#include <colophon/format/alto.h>
#include <colophon/format/encoding.h>

#include <stdlib.h>
#include <string.h>

#include "../../src/ingest/ingest_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) abort();
}

static void events(cph_str utf8)
{
    static cph_alto r;
    cph_arena a;
    cph_alto_event e;
    int depth = 0;
    cph_arena_init(&a, (size_t)256 << 20);
    cph_alto_init(&r, &a, utf8, "fuzz");
    while (cph_alto_next(&r, &e, NULL) == CPH_OK) {
        bool opens = e.kind == CPH_ALTO_PAGE || e.kind == CPH_ALTO_PLACE || e.kind == CPH_ALTO_COMPOSED ||
                     e.kind == CPH_ALTO_BLOCK || e.kind == CPH_ALTO_LINE || e.kind == CPH_ALTO_GROUP;
        depth += opens ? 1 : e.kind == CPH_ALTO_CLOSE ? -1 : 0;
        check(depth >= 0 && depth <= CPH_XML_MAX_DEPTH);
        check(cph_utf8_check(e.content.p ? e.content.p : "", e.content.n) == e.content.n);
        check(e.wc >= -1 && e.wc <= 100);
    }
    cph_arena_release(&a);
}

static void page(cph_str utf8)
{
    scratch s;
    page_result result;
    page_want want = {.file = "fuzz", .page_role = CPH_ROLE_body};
    if (cph_scratch_init(&s, NULL) != CPH_OK) return;
    if (cph_alto_page_read(&result, &s, utf8, &want, NULL) == CPH_OK) {
        cph_page p;
        cph_buf again;
        cph_buf_init(&again, (size_t)1 << 30);
        cph_arena_reset(&s.page);
        check(cph_page_decode(&p, &s.page, result.json, "fuzz", NULL) == CPH_OK);
        check(p.n_strings == p.n_tokens + p.n_empty);
        check(cph_page_encode(&again, &p, NULL) == CPH_OK);
        check(cph_str_eq(cph_buf_view(&again), result.json));
        for (uint32_t i = 0; i < p.n_tokens; i++) check(p.tokens[i].text.n > 0);
        cph_buf_release(&again);
    }
    cph_scratch_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cph_buf b;
    cph_str utf8;
    cph_encoding how;
    cph_buf_init(&b, (size_t)256 << 20);
    cph_sniff((cph_str){(const char *)data, size < CPH_SNIFF_BYTES ? size : CPH_SNIFF_BYTES});
    if (cph_to_utf8(&utf8, &b, (cph_str){(const char *)data, size}, "fuzz", &how, NULL) == CPH_OK) {
        check(cph_utf8_check(utf8.p ? utf8.p : "", utf8.n) == utf8.n);
        events(utf8);
        page(utf8);
    }
    cph_buf_release(&b);
    return 0;
}
