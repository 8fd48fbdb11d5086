/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights_import.c - a file of statements, one JSON object a line, into the catalogue.
 * What must stay true: the whole file or nothing of it (one transaction); a fault names file and line.
 */
#include "collection_in.h"

#include <colophon/base/zstream.h>
#include <colophon/rights/facts.h>

#include <stdio.h>
#include <string.h>

typedef struct import {
    cph_collection *c;
    const char *name; /* the file's own name, for messages */
    cph_digest file;
    cph_arena a; /* reset for each line */
    cph_import_counts counts;
} import;

/* What a statement is kept under: the work, or the id of what it states. */
static cph_str key_of(const cph_json *v, cph_str kind)
{
    static const char *const names[][2] = {
        {"work", "urn"}, {"edition", "urn"}, {"licence", "id"}, {"block", "id"}, {"version", "source_id"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (cph_str_is(kind, names[i][0])) return cph_json_get_str(v, names[i][1]);
    return cph_json_get_str(v, "work");
}

/* A person's determination is that person's statement; the rest is the file's. */
static cph_status source_of(import *m, const cph_json *v, cph_str kind, cph_str *out, cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    if (cph_str_is(kind, "determination"))
        return cph_arena_printf(&m->a, out, err, "officer:%.*s", CPH_FMT(cph_json_get_str(v, "by")));
    cph_digest_hex(&m->file, hex);
    return cph_arena_printf(&m->a, out, err, "rights.jsonl:%s", hex);
}

static cph_status add_line(import *m, cph_str line, cph_err *err)
{
    static const char *const kind_member[] = {"kind", NULL};
    char kind[32];
    cph_json *v, *facts;
    cph_str source, word;
    cph_buf b;
    CPH_TRY(cph_json_parse(&v, &m->a, line, "the line", NULL, err));
    word = cph_json_get_str(v, "kind");
    if (v->type != CPH_JSON_OBJECT || word.n == 0 || word.n >= sizeof kind)
        return cph_fail(
            err, CPH_DATA,
            "no object with a \"kind\" (work, edition, licence, signal, block, determination, version)");
    snprintf(kind, sizeof kind, "%.*s", CPH_FMT(word));
    CPH_TRY(cph_json_copy(&facts, &m->a, v, kind_member, err));
    CPH_TRY(cph_fact_check(kind, facts, err));
    CPH_TRY(source_of(m, v, word, &source, err));
    cph_buf_init(&b, CPH_ROW_MAX);
    cph_status s = cph_json_canonical(&b, facts, err);
    if (s == CPH_OK) s = cph_collection_add_fact(m->c, kind, key_of(v, word), source, cph_buf_view(&b), err);
    cph_buf_release(&b);
    if (s == CPH_OK) m->counts.n_statements++;
    return s;
}

static cph_status add_lines(import *m, const char *path, cph_err *err)
{
    cph_lines *lines;
    cph_str line;
    uint64_t n = 0;
    CPH_TRY(cph_lines_open(&lines, path, CPH_ROW_MAX, err));
    cph_status s;
    while ((s = cph_lines_next(lines, &line, err)) == CPH_OK) {
        n++;
        line = cph_str_trim(line);
        if (line.n == 0) continue;
        cph_arena_reset(&m->a);
        s = add_line(m, line, err);
        if (s == CPH_OK) continue;
        cph_err_prefix(err, "%s:%llu", m->name, (unsigned long long)n);
        if (err && err->hint[0] == 0) cph_hint(err, "nothing of the file was imported");
        break;
    }
    cph_lines_close(lines);
    return s == CPH_END ? CPH_OK : s;
}

static cph_status log_import(import *m, cph_err *err)
{
    char hex[CPH_HEX_DIGEST], subjects[80], payload[160];
    cph_digest_hex(&m->file, hex);
    snprintf(subjects, sizeof subjects, "[\"%s\"]", hex);
    snprintf(payload, sizeof payload, "{\"file\":\"%s\",\"statements\":%llu}", hex,
             (unsigned long long)m->counts.n_statements);
    return cph_collection_event(m->c, "fact", cph_str_of(subjects), cph_str_of(payload), err);
}

/* ---- evidence: letters and contracts that the statements name by digest ---- */

typedef struct evidence {
    cph_collection *c;
    const char *dir;
    cph_import_counts *counts;
} evidence;

static cph_status keep_if_named(void *ctx, cph_str path, uint64_t n_bytes, int64_t mtime_ns, cph_err *err)
{
    evidence *e = ctx;
    char from[CPH_PATH_MAX], inside[CPH_PATH_MAX], hex[CPH_HEX_DIGEST];
    cph_digest d;
    cph_sql q;
    (void)n_bytes;
    (void)mtime_ns;
    snprintf(inside, sizeof inside, "%.*s", CPH_FMT(path));
    CPH_TRY(cph_path_join(from, e->dir, inside, err));
    CPH_TRY(cph_file_digest(from, &d, NULL, err));
    cph_digest_hex(&d, hex);
    cph_collection_lock(e->c);
    cph_status s =
        cph_sql_prepare(&q, e->c->db, e->c->path,
                        "SELECT 1 FROM fact WHERE json_extract(facts, '$.evidence_sha256') = ? LIMIT 1", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "t", cph_str_of(hex));
    if (s == CPH_OK) s = cph_sql_step(&q, err);
    cph_sql_end(&q);
    cph_collection_unlock(e->c);
    if (s == CPH_END) return CPH_OK;
    CPH_TRY(s);
    CPH_TRY(cph_content_put(e->c, from, &d, err));
    e->counts->n_evidence++;
    return CPH_OK;
}

cph_status cph_collection_import(cph_collection *c, const char *path, const char *evidence_dir,
                                 cph_import_counts *out, cph_err *err)
{
    import m = {.c = c, .name = path};
    CPH_TRY(cph_file_digest(path, &m.file, NULL, err));
    CPH_TRY(cph_collection_begin(c, err));
    cph_arena_init(&m.a, 4 * (size_t)CPH_ROW_MAX);
    cph_status s = add_lines(&m, path, err);
    if (s == CPH_OK) s = log_import(&m, err);
    if (s == CPH_OK && evidence_dir) {
        evidence e = {c, evidence_dir, &m.counts};
        s = cph_walk(evidence_dir, keep_if_named, &e, err);
    }
    cph_arena_release(&m.a);
    if (s != CPH_OK) {
        cph_collection_rollback(c);
        return s;
    }
    CPH_TRY(cph_collection_commit(c, err));
    *out = m.counts;
    return CPH_OK;
}
