/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_mets.c - any bytes as METS: the tree is sound, every href resolves inside the object or not at
 * all, and the MODS in it become facts that are JSON.
 */
#include <colophon/format/encoding.h>
#include <colophon/format/mets.h>

#include <stdlib.h>
#include <string.h>

#include "../../src/ingest/ingest_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) abort();
}

static uint32_t walk(const cph_mets_div *d, const cph_mets_div *parent)
{
    uint32_t n = 0;
    for (; d; d = d->next) {
        check(d->parent == parent);
        n += 1 + walk(d->first, d);
    }
    return n;
}

static void facts(cph_arena *a, cph_str xml)
{
    cph_mods m;
    mods_facts f;
    cph_json *v;
    if (cph_mods_parse(&m, a, xml, "fuzz", NULL) != CPH_OK) return;
    if (cph_mods_to_facts(&f, a, &m, cph_mets_is_newspaper(NULL, &m), NULL) != CPH_OK) return;
    if (f.work_json.n) check(cph_json_parse(&v, a, f.work_json, "fuzz", NULL, NULL) == CPH_OK);
    if (f.edition_json.n) check(cph_json_parse(&v, a, f.edition_json, "fuzz", NULL, NULL) == CPH_OK);
}

static void files(cph_arena *a, const cph_mets *m)
{
    unit_file listed[] = {
        {CPH_STR("a.xml"), 1, false}, {CPH_STR("b/a_1.xml"), 1, false}, {CPH_STR("c.png"), 1, false}};
    unit u = {.kind = UNIT_METS, .dir = CPH_STR("."), .files = listed, .n_files = 3};
    resolver *r;
    claims all;
    counts c = {0};
    if (cph_resolver_make(&r, a, &u, NULL) != CPH_OK) return;
    for (const cph_mets_file *f = m->files; f; f = f->next) {
        uint32_t hit = cph_resolve(r, m, f);
        check(hit == NO_FILE || hit < 3);
        cph_is_text_candidate(f);
    }
    if (cph_claims_make(&all, a, m, &c, NULL) != CPH_OK) return;
    for (size_t i = 0; i < all.n; i++) {
        claims of_file = cph_claims_of_file(&all, all.at[i].file_id);
        check(of_file.n > 0 && cph_claims_find(&of_file, all.at[i].begin) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cph_buf b;
    cph_arena a;
    cph_str utf8;
    cph_encoding how;
    cph_mets m;
    cph_buf_init(&b, (size_t)256 << 20);
    cph_arena_init(&a, (size_t)256 << 20);
    if (cph_to_utf8(&utf8, &b, (cph_str){(const char *)data, size}, "fuzz", &how, NULL) == CPH_OK) {
        facts(&a, utf8);
        if (cph_mets_parse(&m, &a, utf8, "fuzz", NULL) == CPH_OK) {
            uint32_t n = 0;
            for (const cph_mets_map *map = m.maps; map; map = map->next) n += walk(map->root, NULL);
            check(n == m.n_divs);
            for (const cph_mets_md *md = m.mds; md; md = md->next) facts(&a, md->xml);
            files(&a, &m);
        }
    }
    cph_arena_release(&a);
    cph_buf_release(&b);
    return 0;
}
