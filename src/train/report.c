/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - report.html: how a run went and what went into it, in one file.
 *
 * It stands outside content_root and may speak of time and speed. It loads nothing and
 * runs nothing: what a reader sees is what lies here.
 */
#include "train_in.h"

#include <colophon/base/memory.h>

#include <stdio.h>
#include <string.h>

#define REPORT_MAX ((size_t)64 << 20)

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Training report</title>\n<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:900px;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}\n"
    "h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}\n"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;"
    "border-bottom:1px solid #ddd;vertical-align:top}\n"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}code{font-size:.85em;word-break:break-all}\n"
    "svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#444}svg .title{font-size:14px;fill:#222}\n"
    "svg .grid{stroke:#e4e4e4}svg polyline{fill:none;stroke:#1f6feb;stroke-width:1.6}svg circle{fill:#d1242f}\n"
    "@media (prefers-color-scheme:dark){body{background:#111;color:#ddd}svg text{fill:#bbb}svg .title{fill:#eee}"
    "svg .grid{stroke:#333}td,th{border-color:#333}}\n"
    "</style>\n</head>\n<body>\n";

/* ---- what was fed, by rights class and source ---- */

cph_status cph_shares_of(const cph_trainer *t, bool by_source, cph_arena *a, cph_share **out, size_t *n,
                         cph_err *err)
{
    const cph_json *names = cph_json_get(cph_manifest_identity(cph_tokens_manifest(t->tokens)),
                                         by_source ? "sources" : "classes");
    void *p;
    size_t i = 0;
    CPH_TRY(cph_arena_alloc0(a, &p, names->n, sizeof(cph_share), err));
    cph_share *shares = p;
    for (const cph_json *v = names->first; v; v = v->next) shares[i++].name = v->str;
    for (uint64_t d = 0; d < cph_tokens_n_docs(t->tokens); d++) {
        cph_token_doc doc = cph_tokens_doc(t->tokens, d);
        const cph_seen *seen = &t->seen[d]; /* counters stand at a document's first part */
        if (!seen->tokens) continue;
        cph_share *s = &shares[by_source ? doc.source_id : doc.class_id];
        s->records++;
        s->tokens += seen->tokens;
    }
    *out = shares;
    *n = names->n;
    return CPH_OK;
}

/* ---- the log as points ---- */

typedef struct points {
    cph_buf loss, lr, held_out; /* cph_point each */
} points;

static cph_status add_point(cph_buf *b, double step, const cph_json *v, cph_err *err)
{
    cph_point p = {step, 0};
    if (!cph_json_double(v, &p.y)) return CPH_OK;
    return cph_buf_add(b, &p, sizeof p, err);
}

static cph_status read_line(points *out, cph_arena *a, cph_str text, cph_err *err)
{
    cph_json *v;
    double step = 0;
    cph_arena_reset(a);
    CPH_TRY(cph_json_parse(&v, a, text, CPH_LOG_NAME, NULL, err));
    if (!cph_json_double(cph_json_get(v, "step"), &step)) return CPH_OK;
    CPH_TRY(add_point(&out->loss, step, cph_json_get(v, "loss"), err));
    CPH_TRY(add_point(&out->lr, step, cph_json_get(v, "lr"), err));
    return add_point(&out->held_out, step, cph_json_get(v, "held_out_loss"), err);
}

static cph_status read_log(points *out, const cph_buf *log, cph_err *err)
{
    cph_arena a;
    cph_str rest = cph_buf_view(log), text;
    cph_status s = CPH_OK;
    cph_arena_init(&a, (size_t)1 << 20);
    while (s == CPH_OK && cph_str_split(&rest, '\n', &text))
        if (text.n) s = read_line(out, &a, text, err);
    cph_arena_release(&a);
    return s;
}

static cph_status curves(cph_buf *b, const cph_trainer *t, cph_err *err)
{
    points p;
    cph_buf_init(&p.loss, (size_t)1 << 32);
    cph_buf_init(&p.lr, (size_t)1 << 32);
    cph_buf_init(&p.held_out, (size_t)1 << 32);
    cph_status s = read_log(&p, &t->log, err);
    cph_curve loss = {"Loss of each step (line) and on the works held out (dots)", "nats per token",
                      (const cph_point *)(const void *)p.loss.p, p.loss.n / sizeof(cph_point),
                      (const cph_point *)(const void *)p.held_out.p, p.held_out.n / sizeof(cph_point)};
    cph_curve lr = {
        "Learning rate", "lr", (const cph_point *)(const void *)p.lr.p, p.lr.n / sizeof(cph_point), NULL, 0};
    if (!loss.n_dots) loss.title = "Loss of each step";
    if (s == CPH_OK) s = cph_curve_svg(b, &loss, err);
    if (s == CPH_OK) s = cph_curve_svg(b, &lr, err);
    cph_buf_release(&p.loss);
    cph_buf_release(&p.lr);
    cph_buf_release(&p.held_out);
    return s;
}

/* ---- tables ---- */

static cph_status row(cph_buf *b, cph_str name, cph_str value, bool code, cph_err *err)
{
    CPH_TRY(cph_buf_z(b, "<tr><td>", err));
    CPH_TRY(cph_html(b, name, err));
    CPH_TRY(cph_buf_z(b, code ? "</td><td><code>" : "</td><td>", err));
    CPH_TRY(cph_html(b, value, err));
    return cph_buf_z(b, code ? "</code></td></tr>\n" : "</td></tr>\n", err);
}

static cph_status summary(cph_buf *b, const cph_trainer *t, cph_err *err)
{
    char z[64];
    CPH_TRY(cph_buf_z(b, "<table>\n", err));
    snprintf(z, sizeof z, "%u", t->at.step);
    CPH_TRY(row(b, CPH_STR("Steps"), cph_str_of(z), false, err));
    snprintf(z, sizeof z, "%llu", (unsigned long long)t->at.tokens);
    CPH_TRY(row(b, CPH_STR("Tokens read, repeats included"), cph_str_of(z), false, err));
    snprintf(z, sizeof z, "%.4f", t->at.loss);
    CPH_TRY(row(b, CPH_STR("Loss of the last step"), cph_str_of(z), false, err));
    if (t->at.held_out_loss >= 0) {
        snprintf(z, sizeof z, "%.4f", t->at.held_out_loss);
        CPH_TRY(row(b, CPH_STR("Loss on the works held out"), cph_str_of(z), false, err));
        snprintf(z, sizeof z, "%.4f (step %u)", t->at.best_loss, t->at.best_step);
        CPH_TRY(row(b, CPH_STR("Best of these"), cph_str_of(z), false, err));
    }
    snprintf(z, sizeof z, "%.0f tokens/s on %u threads (%s)", cph_tokens_per_s(t), cph_pool_threads(t->pool),
             cph_isa_name());
    CPH_TRY(row(b, CPH_STR("Speed of the last stretch"), cph_str_of(z), false, err));
    return cph_buf_z(b, "</table>\n", err);
}

static cph_status members(cph_buf *b, const cph_json *object, bool code, cph_err *err)
{
    CPH_TRY(cph_buf_z(b, "<table>\n", err));
    for (const cph_json *v = object ? object->first : NULL; v; v = v->next)
        if (v->str.n) CPH_TRY(row(b, v->key, v->str, code, err));
    return cph_buf_z(b, "</table>\n", err);
}

static cph_status parents(cph_buf *b, const cph_json *list, cph_err *err)
{
    CPH_TRY(cph_buf_z(b, "<table>\n", err));
    for (const cph_json *v = list ? list->first : NULL; v; v = v->next)
        CPH_TRY(row(b, cph_json_get_str(v, "role"), cph_json_get_str(v, "digest"), true, err));
    return cph_buf_z(b, "</table>\n", err);
}

static cph_status shares(cph_buf *b, const cph_trainer *t, bool by_source, cph_arena *a, cph_err *err)
{
    cph_share *s;
    size_t n;
    CPH_TRY(cph_shares_of(t, by_source, a, &s, &n, err));
    CPH_TRY(cph_buf_printf(
        b, err,
        "<table>\n<tr><th>%s</th><th class=\"n\">documents</th><th class=\"n\">tokens read</th></tr>\n",
        by_source ? "Source" : "Basis"));
    for (size_t i = 0; i < n; i++) {
        CPH_TRY(cph_buf_z(b, "<tr><td>", err));
        CPH_TRY(cph_html(b, s[i].name, err));
        CPH_TRY(cph_buf_printf(b, err, "</td><td class=\"n\">%llu</td><td class=\"n\">%llu</td></tr>\n",
                               (unsigned long long)s[i].records, (unsigned long long)s[i].tokens));
    }
    return cph_buf_z(b, "</table>\n", err);
}

static cph_status tally(cph_buf *b, const cph_json *list, cph_err *err)
{
    static const char *const counts[] = {"works", "documents", "words"};
    CPH_TRY(cph_buf_z(b, "<table>\n<tr><th>Rule</th><th>Decision</th><th class=\"n\">works</th>"
                         "<th class=\"n\">documents</th><th class=\"n\">words</th></tr>\n", err));
    for (const cph_json *v = list ? list->first : NULL; v; v = v->next) {
        CPH_TRY(cph_buf_z(b, "<tr><td>", err));
        CPH_TRY(cph_html(b, cph_json_get_str(v, "rule"), err));
        CPH_TRY(cph_buf_z(b, "</td><td>", err));
        CPH_TRY(cph_html(b, cph_json_get_str(v, "decision"), err));
        CPH_TRY(cph_buf_z(b, "</td>", err));
        for (int i = 0; i < 3; i++) {
            uint64_t n = 0;
            (void)cph_json_u64(cph_json_get(v, counts[i]), &n);
            CPH_TRY(cph_buf_printf(b, err, "<td class=\"n\">%llu</td>", (unsigned long long)n));
        }
        CPH_TRY(cph_buf_z(b, "</tr>\n", err));
    }
    return cph_buf_z(b, "</table>\n", err);
}

/* ---- the page ---- */

static cph_status body(cph_buf *b, const cph_trainer *t, const cph_json *identity, cph_arena *a, cph_err *err)
{
    cph_str name = cph_path_base(cph_str_of(t->o.out));
    CPH_TRY(cph_buf_z(b, "<h1>Training report: ", err));
    CPH_TRY(cph_html(b, name, err));
    CPH_TRY(cph_buf_z(
        b,
        "</h1>\n<p>What this model is stands in <code>colophon.json</code>; how this copy came about stands "
        "here. <code>colophon verify</code> checks the first.</p>\n",
        err));
    CPH_TRY(summary(b, t, err));
    CPH_TRY(cph_buf_z(b, "<h2>Curves</h2>\n", err));
    CPH_TRY(curves(b, t, err));
    CPH_TRY(cph_buf_z(
        b,
        "<h2>What it read, by right</h2>\n<p>Documents and tokens that were fed, by the basis on which each "
        "was permitted.</p>\n",
        err));
    CPH_TRY(shares(b, t, false, a, err));
    CPH_TRY(shares(b, t, true, a, err));
    CPH_TRY(cph_buf_z(b, "<h2>What the corpus gave and refused</h2>\n", err));
    CPH_TRY(tally(b, cph_json_get(identity, "tally"), err));
    CPH_TRY(cph_buf_z(b, "<h2>Permitted for</h2>\n", err));
    CPH_TRY(members(b, cph_json_get(identity, "policy"), false, err));
    CPH_TRY(cph_buf_z(b, "<h2>Made from</h2>\n", err));
    CPH_TRY(parents(b, cph_json_get(identity, "parents"), err));
    CPH_TRY(cph_buf_z(b, "<h2>Options</h2>\n", err));
    CPH_TRY(members(b, cph_json_get(identity, "options"), false, err));
    return cph_buf_z(b, "</body>\n</html>\n", err);
}

cph_status cph_train_report(const cph_trainer *t, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_arena a;
    cph_buf b;
    cph_json *identity;
    cph_arena_init(&a, (size_t)256 << 20);
    cph_buf_init(&b, REPORT_MAX);
    cph_status s = cph_path_join(path, dir, "report.html", err);
    if (s == CPH_OK) s = cph_train_identity(t, &a, &identity, err);
    if (s == CPH_OK) s = cph_buf_z(&b, head, err);
    if (s == CPH_OK) s = body(&b, t, identity, &a, err);
    if (s == CPH_OK) s = cph_file_write(path, b.p, b.n, err);
    cph_buf_release(&b);
    cph_arena_release(&a);
    return s;
}
