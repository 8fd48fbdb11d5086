/* SPDX-License-Identifier: Apache-2.0 */
/*
 * html_report.c - report.html of a corpus: one file, no script, nothing fetched.
 * For the rights officer: who was let in, who was not, and under which rule.
 */
#include <string.h>

#include "corpus_in.h"

static const char style[] =
    ":root{color-scheme:light "
    "dark;--ink:#1c1b19;--paper:#fbfaf7;--soft:#6d6a63;--line:#dedad0;--good:#2c6e49;"
    "--bad:#9b2c2c;--ask:#8a6d1a}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e9e6df;--paper:#191816;--soft:#a29e94;--line:#3a3833;"
    "--good:#7fc79b;--bad:#e58b8b;--ask:#d9bd6b}}"
    "body{margin:0 auto;max-width:62rem;padding:2.5rem 1.25rem 4rem;background:var(--paper);color:var(--ink);"
    "font:1rem/1.55 Georgia,'Times New Roman',serif}"
    "h1{font-size:1.9rem;line-height:1.2;margin:0 0 .4rem}h2{font-size:1.25rem;margin:2.6rem 0 .6rem}"
    "p{margin:.5rem 0;max-width:44rem}.soft{color:var(--soft)}"
    ".figures{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;margin:1.6rem 0}"
    ".figures div{font-size:1.6rem;font-variant-numeric:tabular-nums}"
    ".figures span{display:block;font-size:.85rem;color:var(--soft)}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}"
    "th,td{padding:.35rem .75rem .35rem 0;border-bottom:1px solid "
    "var(--line);text-align:left;vertical-align:top}"
    "th{color:var(--soft);font-weight:normal}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".ALLOW{color:var(--good)}.DENY{color:var(--bad)}.HUMAN{color:var(--ask)}"
    ".r{white-space:nowrap}.because{min-width:12rem}"
    "code{font:0.85em ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}"
    ".note{border-left:3px solid var(--ask);padding:.1rem 0 .1rem .9rem}";

static cph_status text(cph_buf *b, cph_str s, cph_err *err)
{
    for (size_t i = 0; i < s.n; i++) {
        const char *entity = s.p[i] == '<'   ? "&lt;"
                             : s.p[i] == '>' ? "&gt;"
                             : s.p[i] == '&' ? "&amp;"
                             : s.p[i] == '"' ? "&quot;"
                                             : NULL;
        if (entity) CPH_TRY(cph_buf_z(b, entity, err));
        else CPH_TRY(cph_buf_char(b, s.p[i], err));
    }
    return CPH_OK;
}

static cph_status cell(cph_buf *b, cph_str s, cph_err *err)
{
    CPH_TRY(cph_buf_z(b, "<td>", err));
    CPH_TRY(text(b, s, err));
    return cph_buf_z(b, "</td>", err);
}

static cph_status number(cph_buf *b, uint64_t n, cph_err *err)
{
    CPH_TRY(cph_buf_z(b, "<td class=n>", err));
    CPH_TRY(cph_put_grouped(b, n, err));
    return cph_buf_z(b, "</td>", err);
}

static cph_status figure(cph_buf *b, uint64_t n, const char *what, cph_err *err)
{
    CPH_TRY(cph_buf_z(b, "<div>", err));
    CPH_TRY(cph_put_grouped(b, n, err));
    return cph_buf_printf(b, err, "<span>%s</span></div>", what);
}

static cph_status put_head(cph_buf *b, const cph_build_opts *o, const cph_build_report *r,
                           const cph_rulebase *rules, cph_err *err)
{
    char as_of[16], release[16] = "", hex[CPH_HEX_DIGEST];
    cph_day_text(o->policy.as_of, as_of);
    if (o->policy.release) cph_day_text(o->policy.release, release);
    cph_digest_hex(&r->snapshot, hex);
    CPH_TRY(cph_buf_printf(
        b, err,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
        "content=\"width=device-width,initial-scale=1\"><title>A corpus for %s</title><style>%s</style>"
        "<h1>A corpus for %s</h1><p class=soft>Tier %s, actor %s, country %s, commercial use: %s, as "
        "of %s%s%s.</p>",
        cph_purpose_text(o->policy.purpose), style, cph_purpose_text(o->policy.purpose),
        cph_tier_text(o->policy.tier), cph_actor_text(o->policy.actor), o->policy.forum,
        cph_commercial_text(o->policy.commercial), as_of, release[0] ? ", day of release " : "", release));
    if (cph_rulebase_is_sample(rules))
        CPH_TRY(cph_buf_z(
            b,
            "<p class=note>Built under the <em>sample</em> rule base: its decisions hold for invented "
            "works only (RR-009).</p>",
            err));
    CPH_TRY(cph_buf_z(b, "<div class=figures>", err));
    CPH_TRY(figure(b, r->works, r->works == 1 ? "work" : "works", err));
    CPH_TRY(figure(b, r->records, r->records == 1 ? "record" : "records", err));
    CPH_TRY(figure(b, r->words, "words", err));
    CPH_TRY(figure(b, r->characters, "characters", err));
    CPH_TRY(figure(b, r->works_refused, "works kept out", err));
    return cph_buf_printf(b, err, "</div><p class=soft>From the collection snapshot <code>%s</code>. "
                          "<code>colophon.json</code> beside this page seals all of it; <code>colophon "
                          "verify</code> "
                          "checks it.</p>",
                          hex);
}

static cph_status put_tally(cph_buf *b, const cph_build_report *r, cph_err *err)
{
    CPH_TRY(cph_buf_z(
        b,
        "<h2>Which works were let in, and why not the others</h2><div "
        "class=wide><table><tr><th>decision<th>rule"
        "<th>because<th class=n>works<th class=n>documents<th class=n>words</tr>",
        err));
    for (size_t i = 0; i < r->n_tally; i++) {
        const cph_build_tally *t = &r->tally[i];
        const char *word = t->answer == CPH_ALLOW   ? "given"
                           : t->answer == CPH_HUMAN ? "a person must decide"
                                                    : "refused";
        CPH_TRY(cph_buf_printf(b, err, "<tr><td class=%s>%s</td>", cph_answer_word(t->answer), word));
        CPH_TRY(cph_buf_z(b, "<td class=r>", err));
        CPH_TRY(text(b, t->rule, err));
        CPH_TRY(cph_buf_z(b, "</td><td class=because>", err));
        CPH_TRY(text(b, t->sentence, err));
        CPH_TRY(cph_buf_z(b, "</td>", err));
        CPH_TRY(number(b, t->works, err));
        CPH_TRY(number(b, t->documents, err));
        CPH_TRY(number(b, t->words, err));
        CPH_TRY(cph_buf_z(b, "</tr>", err));
    }
    return cph_buf_z(
        b,
        "</table></div><p class=soft>Words in this table are tokens of the pages, before cleaning. What "
        "nobody has determined is treated as in copyright (RR-002). <code>colophon rights explain COLLECTION "
        "URN</code> tells the reason for one work.</p>",
        err);
}

static cph_status put_content(cph_buf *b, const cph_stats *s, cph_err *err)
{
    CPH_TRY(cph_buf_z(
        b,
        "<h2>What the corpus holds</h2><p class=soft>PD: public domain. ECL: extended collective "
        "licence. Languages "
        "and types as the catalogue states them.</p><div "
        "class=wide><table><tr><th>language<th>decade<th>type<th>right"
        "<th class=n>records<th class=n>documents<th class=n>words<th class=n>characters</tr>",
        err));
    for (size_t i = 0; i < s->n; i++) {
        const cph_stats_row *row = &s->rows[i];
        CPH_TRY(cph_buf_z(b, "<tr>", err));
        CPH_TRY(cell(b, row->lang, err));
        if (row->decade) CPH_TRY(cph_buf_printf(b, err, "<td>%ds</td>", row->decade));
        else CPH_TRY(cph_buf_z(b, "<td class=soft>unknown</td>", err));
        CPH_TRY(cell(b, row->type, err));
        CPH_TRY(cell(b, row->basis, err));
        CPH_TRY(number(b, row->records, err));
        CPH_TRY(number(b, row->documents, err));
        CPH_TRY(number(b, row->words, err));
        CPH_TRY(number(b, row->chars, err));
        CPH_TRY(cph_buf_z(b, "</tr>", err));
    }
    return cph_buf_z(b, "</table></div>", err);
}

static cph_status row(cph_buf *b, const char *what, uint64_t n, cph_err *err)
{
    CPH_TRY(cph_buf_printf(b, err, "<tr><td>%s</td>", what));
    CPH_TRY(number(b, n, err));
    return cph_buf_z(b, "</tr>", err);
}

static cph_status put_made(cph_buf *b, const cph_build_report *r, cph_err *err)
{
    const cph_hyphen_counts *h = &r->hyphens;
    CPH_TRY(cph_buf_z(b, "<h2>How pages became text</h2><div class=wide><table>", err));
    CPH_TRY(row(b, "strings on the pages", r->balance.strings, err));
    CPH_TRY(row(b, "became words of the text", r->balance.out, err));
    CPH_TRY(row(b, "were second halves of broken words", r->balance.absorbed, err));
    CPH_TRY(row(b, "dropped: running heads, page numbers, tables, lists, noise", r->balance.dropped, err));
    CPH_TRY(row(b, "were empty", r->balance.empty, err));
    CPH_TRY(row(b, "broken words joined on one page", h->pairs_same_page + h->signs_same_page, err));
    CPH_TRY(row(b, "broken words joined over a page break", h->pairs_cross_page + h->signs_cross_page, err));
    CPH_TRY(row(b, "hyphens kept", h->kept + h->suspended, err));
    CPH_TRY(row(b, "halves without a partner", h->orphan_1 + h->orphan_2, err));
    CPH_TRY(row(b, "documents left out as exact copies", r->dropped_documents, err));
    CPH_TRY(row(b, "paragraphs left out as exact copies", r->dropped_paragraphs, err));
    CPH_TRY(row(b, "documents without text", r->empty_documents, err));
    return cph_buf_z(b, "</table></div></html>\n", err);
}

cph_status cph_html_report_write(const char *path, const cph_build_opts *o, const cph_build_report *r,
                                 const cph_stats *s, const cph_rulebase *rules, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, (size_t)64 << 20);
    cph_status status = put_head(&b, o, r, rules, err);
    if (status == CPH_OK) status = put_tally(&b, r, err);
    if (status == CPH_OK) status = put_content(&b, s, err);
    if (status == CPH_OK) status = put_made(&b, r, err);
    if (status == CPH_OK) status = cph_file_write(path, b.p, b.n, err);
    cph_buf_release(&b);
    return status;
}
