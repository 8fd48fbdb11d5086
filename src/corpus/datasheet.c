/* SPDX-License-Identifier: Apache-2.0 */
/*
 * datasheet.c - README.md of a corpus: what a person should know before using it,
 * in Markdown that reads as plain text, too. All of it follows from the identity.
 */
#include <colophon/base/memory.h>

#include <string.h>

#include "corpus_in.h"

const char *cph_answer_word(cph_answer a)
{
    return a == CPH_ALLOW ? "ALLOW" : a == CPH_HUMAN ? "HUMAN" : "DENY";
}

cph_status cph_put_grouped(cph_buf *b, uint64_t n, cph_err *err)
{
    char z[32];
    return cph_buf_add(b, z, cph_format_count(n, z), err);
}

static cph_status numbers(cph_buf *b, const uint64_t *n, size_t count, cph_err *err)
{
    for (size_t i = 0; i < count; i++) {
        CPH_TRY(cph_buf_z(b, " | ", err));
        CPH_TRY(cph_put_grouped(b, n[i], err));
    }
    return cph_buf_z(b, " |\n", err);
}

/* A bar or a line end would break the table. */
static cph_status cell(cph_buf *b, cph_str s, cph_err *err)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '|') CPH_TRY(cph_buf_char(b, '\\', err));
        CPH_TRY(cph_buf_char(b, s.p[i] == '\n' || s.p[i] == '\r' ? ' ' : s.p[i], err));
    }
    return CPH_OK;
}

static cph_status counted(cph_buf *b, uint64_t n, const char *one, const char *many, cph_err *err)
{
    CPH_TRY(cph_put_grouped(b, n, err));
    CPH_TRY(cph_buf_char(b, ' ', err));
    return cph_buf_z(b, n == 1 ? one : many, err);
}

static cph_status put_head(cph_buf *b, const cph_build_opts *o, const cph_build_report *r,
                           const cph_rulebase *rules, cph_err *err)
{
    char as_of[16], release[16], hex[CPH_HEX_DIGEST];
    cph_day_text(o->policy.as_of, as_of);
    cph_day_text(o->policy.release, release);
    cph_digest_hex(&r->snapshot, hex);
    CPH_TRY(cph_buf_printf(b, err, "# A corpus for %s\n\n", cph_purpose_text(o->policy.purpose)));
    if (cph_rulebase_is_sample(rules))
        CPH_TRY(cph_buf_z(
            b,
            "> Built under the *sample* rule base: its decisions hold for invented works only (RR-009).\n\n",
            err));
    CPH_TRY(counted(b, r->records, "record, ", "records, ", err));
    CPH_TRY(counted(b, r->words, "word, ", "words, ", err));
    CPH_TRY(counted(b, r->characters, "character of ", "characters of ", err));
    CPH_TRY(counted(b, r->works, "work.\n\n", "works.\n\n", err));
    CPH_TRY(cph_buf_printf(
        b, err,
        "Given for the purpose **%s**, tier %s, actor %s, country %s, commercial use: %s, as of "
        "%s%s%s. Another\n"
        "purpose, a wider tier or another country needs another corpus: a reader refuses to open this "
        "one for it.\n\n",
        cph_purpose_text(o->policy.purpose), cph_tier_text(o->policy.tier), cph_actor_text(o->policy.actor),
        o->policy.forum, cph_commercial_text(o->policy.commercial), as_of,
        o->policy.release ? ", day of release " : "", o->policy.release ? release : ""));
    return cph_buf_printf(b, err,
                          "Source: collection snapshot `%s`.\n`colophon verify DIR` checks every byte, "
                          "`colophon show "
                          "DIR` tells what it was made from,\n`colophon prove DIR --absent URN` proves "
                          "that a work is not "
                          "in. Its name is the digest in `colophon.json`.\n\n",
                          hex);
}

static cph_status put_tally(cph_buf *b, const cph_build_report *r, cph_err *err)
{
    CPH_TRY(cph_buf_z(b,
                      "## What was given and what was refused\n\n"
                      "| rule | decision | works | documents | words | why |\n|---|---|---:|---:|---:|---|\n",
                      err));
    for (size_t i = 0; i < r->n_tally; i++) {
        const cph_build_tally *t = &r->tally[i];
        uint64_t n[] = {t->works, t->documents, t->words};
        CPH_TRY(cph_buf_printf(b, err, "| %.*s | %s", CPH_FMT(t->rule),
                               t->answer == CPH_ALLOW   ? "given"
                               : t->answer == CPH_HUMAN ? "left to a person"
                                                        : "refused"));
        CPH_TRY(numbers(b, n, 3, err));
        b->n -= 1;
        CPH_TRY(cph_buf_printf(b, err, " %.*s |\n", CPH_FMT(t->sentence)));
    }
    return cph_buf_z(b,
                     "\nWords here are the tokens of the pages, before cleaning. What nobody has "
                     "determined is treated as "
                     "in\ncopyright (RR-002). `colophon rights explain COLLECTION URN` tells the "
                     "reason for one work.\n\n",
                     err);
}

static cph_status put_content(cph_buf *b, const cph_stats *s, cph_err *err)
{
    CPH_TRY(cph_buf_z(
        b,
        "## Content\n\n| language | decade | type | right | records | documents | words | characters |\n"
        "|---|---|---|---|---:|---:|---:|---:|\n",
        err));
    for (size_t i = 0; i < s->n; i++) {
        const cph_stats_row *row = &s->rows[i];
        uint64_t n[] = {row->records, row->documents, row->words, row->chars};
        CPH_TRY(cph_buf_z(b, "| ", err));
        CPH_TRY(cell(b, row->lang, err));
        if (row->decade) CPH_TRY(cph_buf_printf(b, err, " | %ds | ", row->decade));
        else CPH_TRY(cph_buf_z(b, " | unknown | ", err));
        CPH_TRY(cell(b, row->type, err));
        CPH_TRY(cph_buf_z(b, " | ", err));
        CPH_TRY(cell(b, row->basis, err));
        CPH_TRY(numbers(b, n, 4, err));
    }
    return cph_buf_z(b, "\nThe same as data: `stats.csv`. PD: public domain. ECL: extended collective "
                        "licence. Languages "
                     "and types are\nthose that the catalogue states; nobody has read the texts to "
                     "check them.\n\n",
                     err);
}

static cph_status put_made(cph_buf *b, const cph_build_report *r, cph_err *err)
{
    const cph_hyphen_counts *h = &r->hyphens;
    return cph_buf_printf(
        b, err,
        "## How the text was made\n\n"
        "- Running heads, page numbers, tables, lists and noise were left out; notes stand after their "
        "page.\n"
        "- %llu words broken by the line were joined on one page, %llu over a page break; %llu kept their "
        "hyphen.\n"
        "- Of %llu strings on the pages %llu became words, %llu were second halves, %llu were dropped under "
        "a role, %llu were empty.\n"
        "- Left out: %llu documents and %llu paragraphs as exact copies, %llu documents without text.\n"
        "- Nobody corrected the OCR. Near copies, personal data in permitted works and the views of "
        "their time are in.\n\n"
        "## What it must not be used for\n\n"
        "- Anything wider than what it was given for; publishing the texts, unless the purpose is "
        "`publish-corpus`.\n"
        "- After a withdrawal, training without the list of revocations: what was withdrawn since is "
        "still in here, and\n"
        "  a reader asks for the list.\n\n"
        "## Files\n\n"
        "- `shard-*.jsonl.zst`: one JSON object a line (`id text lang type date rights src`). `zstd -dc` "
        "reads them.\n"
        "- `shard-*.prov.jsonl.zst`: the side-car, line for line: works, decision, source files, pages, and "
        "a map from\n"
        "  text offsets to page and block.\n"
        "- `frames.jsonl`: where each frame starts. `decisions.jsonl.zst` (why each work is in or\n"
        "  out) and `dropped.jsonl.zst` (what went as a copy): private, a published corpus does without.\n"
        "- `colophon.json`: what this corpus is, with the roots that prove which works are in it. `colophon "
        "verify` checks all.\n",
        (unsigned long long)(h->pairs_same_page + h->signs_same_page),
        (unsigned long long)(h->pairs_cross_page + h->signs_cross_page),
        (unsigned long long)(h->kept + h->suspended), (unsigned long long)r->balance.strings,
        (unsigned long long)r->balance.out, (unsigned long long)r->balance.absorbed,
        (unsigned long long)r->balance.dropped, (unsigned long long)r->balance.empty,
        (unsigned long long)r->dropped_documents, (unsigned long long)r->dropped_paragraphs,
        (unsigned long long)r->empty_documents);
}

cph_status cph_datasheet_write(const char *path, const cph_build_opts *o, const cph_build_report *r,
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
