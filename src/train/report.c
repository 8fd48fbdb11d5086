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
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>Training "
    "report</title>\n<style>\n"
    ":root{color-scheme:light "
    "dark;--ink:#222;--paper:#fff;--soft:#5c5c5c;--line:#ddd;--curve:#1f6feb;--dot:#d1242f}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#161616;--soft:#aaa;--line:#3a3a3a;"
    "--curve:#6ea8fe;--dot:#ff7b72}}\n"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:56rem;margin:0 auto;padding:2rem 1rem 4rem;"
    "color:var(--ink);background:var(--paper)}\n"
    "h1{font-size:1.6rem;line-height:1.2;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:2.2rem 0 .5rem}\n"
    "p{margin:.5rem 0;max-width:44rem}.note{border-left:3px solid var(--dot);padding-left:.9rem}\n"
    ".wide{overflow-x:auto;margin:.6rem 0 1.4rem}table{border-collapse:collapse;min-width:min(24rem,100%)}\n"
    ".full{width:100%}td,th{text-align:left;padding:.25rem 1.5rem .25rem 0;border-bottom:1px solid "
    "var(--line);"
    "vertical-align:top}th{color:var(--soft);font-weight:normal}\n"
    ".r{white-space:nowrap}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    "code{font-size:.85em;overflow-wrap:anywhere}\n"
    "svg{width:100%;min-width:34rem;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--soft)}"
    "svg .title{font-size:14px;fill:var(--ink)}\n"
    "svg .grid{stroke:var(--line)}svg polyline{fill:none;stroke:var(--curve);stroke-width:1.6}"
    "svg circle{fill:var(--dot)}\n"
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
        "Learning rate of each step", "learning rate", (const cph_point *)(const void *)p.lr.p,
        p.lr.n / sizeof(cph_point), NULL, 0};
    if (!loss.n_dots) loss.title = "Loss of each step";
    if (s == CPH_OK) s = cph_buf_z(b, "<div class=\"wide\">\n", err);
    if (s == CPH_OK) s = cph_curve_svg(b, &loss, err);
    if (s == CPH_OK) s = cph_curve_svg(b, &lr, err);
    if (s == CPH_OK) s = cph_buf_z(b, "</div>\n", err);
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

static cph_status open_table(cph_buf *b, const char *heads, cph_err *err)
{
    return cph_buf_printf(b, err, "<div class=\"wide\"><table%s>\n%s",
                          heads[0] ? " class=\"full\"" : "", heads);
}

static cph_status close_table(cph_buf *b, cph_err *err) { return cph_buf_z(b, "</table></div>\n", err); }

static cph_status number(cph_buf *b, uint64_t n, cph_err *err)
{
    char z[32];
    cph_format_count(n, z);
    return cph_buf_printf(b, err, "<td class=\"n\">%s</td>", z);
}

static cph_status summary(cph_buf *b, const cph_trainer *t, cph_err *err)
{
    char z[64];
    CPH_TRY(open_table(b, "", err));
    cph_format_count(t->at.step, z);
    CPH_TRY(row(b, CPH_STR("Steps"), cph_str_of(z), false, err));
    cph_format_count(t->at.tokens, z);
    CPH_TRY(row(b, CPH_STR("Tokens read, repeats included"), cph_str_of(z), false, err));
    snprintf(z, sizeof z, "%.4f nats per token", t->at.loss);
    CPH_TRY(row(b, CPH_STR("Loss of the last step"), cph_str_of(z), false, err));
    if (t->at.held_out_loss >= 0) {
        snprintf(z, sizeof z, "%.4f nats per token", t->at.held_out_loss);
        CPH_TRY(row(b, CPH_STR("Loss on the works held out"), cph_str_of(z), false, err));
        snprintf(z, sizeof z, "%.4f (step %u)", t->at.best_loss, t->at.best_step);
        CPH_TRY(row(b, CPH_STR("Best of these"), cph_str_of(z), false, err));
    }
    unsigned threads = cph_pool_threads(t->pool);
    snprintf(z, sizeof z, "%.0f tokens/s on %u thread%s (%s)", cph_tokens_per_s(t), threads,
             threads == 1 ? "" : "s", cph_isa_name());
    CPH_TRY(row(b, CPH_STR("Speed of the last stretch"), cph_str_of(z), false, err));
    return close_table(b, err);
}

static cph_status members(cph_buf *b, const cph_json *object, cph_err *err)
{
    CPH_TRY(open_table(b, "", err));
    for (const cph_json *v = object ? object->first : NULL; v; v = v->next)
        if (v->str.n) CPH_TRY(row(b, v->key, v->str, false, err));
    return close_table(b, err);
}

static cph_status parents(cph_buf *b, const cph_json *list, cph_err *err)
{
    CPH_TRY(open_table(b, "", err));
    for (const cph_json *v = list ? list->first : NULL; v; v = v->next)
        CPH_TRY(row(b, cph_json_get_str(v, "role"), cph_json_get_str(v, "digest"), true, err));
    return close_table(b, err);
}

static cph_status shares(cph_buf *b, const cph_trainer *t, bool by_source, cph_arena *a, cph_err *err)
{
    cph_share *s;
    size_t n;
    CPH_TRY(cph_shares_of(t, by_source, a, &s, &n, err));
    CPH_TRY(open_table(b,
                       by_source ? "<tr><th>source<th class=\"n\">documents<th class=\"n\">tokens read</tr>\n"
                                 : "<tr><th>right<th class=\"n\">documents<th class=\"n\">tokens read</tr>\n",
                       err));
    for (size_t i = 0; i < n; i++) {
        CPH_TRY(cph_buf_z(b, "<tr><td>", err));
        CPH_TRY(cph_html(b, s[i].name, err));
        CPH_TRY(cph_buf_z(b, "</td>", err));
        CPH_TRY(number(b, s[i].records, err));
        CPH_TRY(number(b, s[i].tokens, err));
        CPH_TRY(cph_buf_z(b, "</tr>\n", err));
    }
    return close_table(b, err);
}

static cph_status tally(cph_buf *b, const cph_json *list, cph_err *err)
{
    CPH_TRY(open_table(b,
                       "<tr><th>decision<th>rule<th>because<th class=\"n\">works<th class=\"n\">documents"
                       "<th class=\"n\">words</tr>\n",
                       err));
    for (const cph_json *v = list ? list->first : NULL; v; v = v->next) {
        cph_told_row r = cph_told_row_of(v);
        CPH_TRY(cph_buf_printf(b, err, "<tr><td>%s</td><td class=\"r\">", r.decision));
        CPH_TRY(cph_html(b, r.rule, err));
        CPH_TRY(cph_buf_printf(b, err, "</td><td>%s</td>", r.why));
        for (int i = 0; i < 3; i++) CPH_TRY(number(b, r.counts[i], err));
        CPH_TRY(cph_buf_z(b, "</tr>\n", err));
    }
    return close_table(b, err);
}

/* ---- the page ---- */

static cph_status body(cph_buf *b, const cph_trainer *t, const cph_json *identity, cph_arena *a, cph_err *err)
{
    cph_str name = cph_path_base(cph_str_of(t->o.out));
    CPH_TRY(cph_buf_z(b, "<h1>Training report: ", err));
    CPH_TRY(cph_html(b, name, err));
    CPH_TRY(cph_buf_z(
        b,
        "</h1>\n<p>How this copy of the model came about. What it is stands in "
        "<code>colophon.json</code>, which "
        "<code>colophon verify</code> checks.</p>\n",
        err));
    if (cph_train_is_sample(t))
        CPH_TRY(cph_buf_z(b,
                          "<p class=\"note\">Made under the <em>sample</em> rule base: its decisions "
                          "hold for invented "
                          "works only (RR-009).</p>\n",
                          err));
    CPH_TRY(summary(b, t, err));
    CPH_TRY(cph_buf_z(b, "<h2>Curves</h2>\n", err));
    CPH_TRY(curves(b, t, err));
    CPH_TRY(cph_buf_z(
        b,
        "<h2>What it read, by right</h2>\n<p>Documents and tokens that were fed, by the right on which each "
        "was given, and by the kind of source. PD: public domain. ECL: extended collective licence.</p>\n",
        err));
    CPH_TRY(shares(b, t, false, a, err));
    CPH_TRY(shares(b, t, true, a, err));
    CPH_TRY(cph_buf_z(b, "<h2>What the corpus gave and refused</h2>\n<p>Words here are counted before "
                         "cleaning.</p>\n", err));
    CPH_TRY(tally(b, cph_json_get(identity, "tally"), err));
    CPH_TRY(cph_buf_z(b, "<h2>Permitted for</h2>\n", err));
    CPH_TRY(members(b, cph_json_get(identity, "policy"), err));
    CPH_TRY(cph_buf_z(b, "<h2>Made from</h2>\n", err));
    CPH_TRY(parents(b, cph_json_get(identity, "parents"), err));
    CPH_TRY(cph_buf_z(b, "<h2>Options</h2>\n", err));
    CPH_TRY(members(b, cph_json_get(identity, "options"), err));
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
