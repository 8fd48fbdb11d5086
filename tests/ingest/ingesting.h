/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingesting.h - for tests of ingest: a collection in the test's directory, a run
 * over sources, and the rows that a snapshot then has.
 */
#ifndef CPH_INGESTING_H
#define CPH_INGESTING_H

#include "testing.h"

#include <colophon/collection/collection.h>
#include <colophon/collection/page.h>
#include <colophon/ingest/ingest.h>

typedef struct ingested {
    cph_ingest_report report;
    cph_digest digest;
    cph_snapshot *snapshot;
    cph_arena a;
} ingested;

/* Ingests into testing_dir()/name and opens its snapshot. */
static inline void ingest_into(ingested *g, const char *name, const char *const *sources, size_t n,
                               const cph_ingest_opts *opts)
{
    char path[CPH_PATH_MAX];
    cph_collection *c;
    cph_ingest_opts usual;
    cph_ingest_opts_init(&usual);
    usual.threads = 2;
    snprintf(path, sizeof path, "%s", testing_path(name));
    *g = (ingested){0};
    cph_arena_init(&g->a, 0);
    must(cph_collection_open(&c, path, CPH_OPEN_CREATE, err));
    must(cph_ingest_run(sources, n, c, opts ? opts : &usual, &g->report, err));
    must(cph_collection_snapshot(c, &g->digest, err));
    cph_collection_close(c);
    must(cph_snapshot_open(&g->snapshot, path, NULL, err));
}

static inline void ingested_close(ingested *g)
{
    cph_snapshot_close(g->snapshot);
    cph_arena_release(&g->a);
}

/* Object number i of the snapshot, in key order. */
static inline cph_snapshot_object object_at(ingested *g, size_t i)
{
    cph_snapshot_object o;
    must(cph_snapshot_object_at(g->snapshot, i, &g->a, &o, err));
    return o;
}

static inline cph_snapshot_object object_named(ingested *g, const char *source_id)
{
    for (size_t i = 0; i < cph_snapshot_n_objects(g->snapshot); i++) {
        cph_snapshot_object o = object_at(g, i);
        if (cph_str_is(o.source_id, source_id)) return o;
    }
    fail_msg("no object is called %s", source_id);
    return (cph_snapshot_object){0};
}

static inline const cph_json *meta_of(const cph_snapshot_object *o) { return cph_json_get(o->row, "meta"); }

static inline uint64_t count_of(const cph_snapshot_object *o, const char *name)
{
    uint64_t n = UINT64_MAX;
    cph_json_u64(cph_json_get(cph_json_get(meta_of(o), "counts"), name), &n);
    return n;
}

/* Page `index` of an object, decoded; false when it has no text. */
static inline bool page_of(ingested *g, const cph_snapshot_object *o, uint32_t index, cph_page *out)
{
    cph_snapshot_page p;
    cph_buf b;
    cph_str text;
    static const cph_digest none;
    must(cph_snapshot_page_at(g->snapshot, o->key, index, &g->a, &p, err));
    if (cph_digest_cmp(&p.lines, &none) == 0) return false;
    cph_buf_init(&b, (size_t)1 << 26);
    must(cph_snapshot_lines(g->snapshot, &p.lines, &b, err));
    must(cph_arena_str(&g->a, &text, cph_buf_view(&b), err));
    cph_buf_release(&b);
    must(cph_page_decode(out, &g->a, text, "page", err));
    return true;
}

static inline void write_text(const char *name, const char *text)
{
    char dir[CPH_PATH_MAX];
    cph_str d = cph_path_dir(cph_str_of(testing_path(name)));
    snprintf(dir, sizeof dir, "%.*s", (int)d.n, d.p);
    must(cph_mkdirs(dir, err));
    must(cph_file_write(testing_path(name), text, strlen(text), err));
}

#endif
