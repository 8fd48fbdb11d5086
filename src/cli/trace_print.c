/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_print.c - what a reader sees of a traced text: each span that stands word for
 * word in the training text, where, by which right, and the words around.
 */
#include <string.h>

#include "trace_print.h"

static cph_status u32(const cli *c, const char *opt, uint32_t *out, cph_err *err)
{
    uint64_t v = cli_u64(c, opt);
    if (v > UINT32_MAX) return cph_fail(err, CPH_USAGE, "--%s %llu is too large", opt, (unsigned long long)v);
    *out = (uint32_t)v;
    return CPH_OK;
}

cph_status cli_tracer_open(const cli *c, const char *index, cph_tracer **out, cph_err *err)
{
    cph_tracer_opts o;
    cph_tracer_opts_init(&o);
    o.index = index;
    o.collection = cli_str(c, "collection");
    o.revocations = cli_str(c, "revocations");
    o.rulebase = cli_str(c, "rulebase");
    o.as_of = cli_today(c);
    if (cli_str(c, "as-of") && !cph_day_parse(cph_str_of(cli_str(c, "as-of")), &o.as_of))
        return cph_fail(err, CPH_BUG, "a day that is none");
    CPH_TRY(u32(c, "trace-min", &o.min_len, err));
    CPH_TRY(u32(c, "trace-places", &o.max_hits, err));
    if (!cph_tier_parse(cph_str_of(cli_str(c, "tier")), &o.tier)) return cph_fail(err, CPH_BUG, "a tier that is none");
    return cph_tracer_open(out, &o, err);
}

static void place(cli *c, const cph_place_found *p)
{
    cli_print(c, "       %.*s", CPH_FMT(p->title.n ? p->title : p->urn));
    if (p->page.n) cli_print(c, ", %.*s", CPH_FMT(p->page));
    cli_print(c, " - trained on as %.*s - %.*s\n", CPH_FMT(p->basis), CPH_FMT(p->urn));
    cph_str before = cph_str_trim(p->before), after = cph_str_trim(p->after);
    if (p->shown && (before.n || after.n)) /* the span itself stands above */
        cli_print(c, "       around it: %.*s [...] %.*s\n", CPH_FMT(before), CPH_FMT(after));
    else if (!p->shown)
        cli_print(c, "       the words around may not be shown%s%s%s\n", p->rule[0] ? " (" : "", p->rule,
                  p->rule[0] ? ")" : ": there is no catalogue to ask");
}

void cli_trace_prose(cli *c, const cph_traced *t, uint32_t n_tokens)
{
    if (t->n_spans == 0) {
        cli_print(c, "trace: no span of %s tokens or more stands word for word in the training text\n",
                  cli_str(c, "trace-min"));
        return;
    }
    cli_print(c, "trace: %u of %u tokens of this text stand word for word in the training text\n", t->covered, n_tokens);
    for (size_t i = 0; i < t->n_spans; i++) {
        const cph_span_found *s = &t->spans[i];
        cli_print(c, "  %2zu. \"%.*s\"\n       %u tokens, %llu %s\n", i + 1, CPH_FMT(s->text), s->end - s->begin,
                  (unsigned long long)s->count, s->count == 1 ? "place" : "places");
        for (size_t k = 0; k < s->n_places; k++) place(c, &s->places[k]);
    }
    cli_print(c, "longest span %u tokens; longest that no public-domain work has: %u tokens\n", t->longest, t->longest_not_free);
}

static void member(cph_jw *w, const char *key, cph_str s)
{
    cph_jw_key(w, key);
    cph_jw_str(w, s);
}

static void place_json(cph_jw *w, const cph_place_found *p)
{
    cph_jw_obj(w);
    member(w, "document", p->document);
    member(w, "urn", p->urn);
    if (p->title.n) member(w, "title", p->title);
    if (p->page.n) member(w, "page", p->page);
    if (p->image.n) member(w, "image_sha256", p->image);
    member(w, "basis", p->basis);
    cph_jw_key(w, "shown");
    cph_jw_bool(w, p->shown);
    if (p->rule[0]) member(w, "rule", cph_str_of(p->rule));
    if (p->shown) {
        member(w, "before", p->before);
        member(w, "words", p->words);
        member(w, "after", p->after);
    }
    cph_jw_end(w);
}

void cli_trace_json(cph_jw *w, const cph_traced *t)
{
    cph_jw_obj(w);
    cph_jw_key(w, "covered");
    cph_jw_u64(w, t->covered);
    cph_jw_key(w, "longest");
    cph_jw_u64(w, t->longest);
    cph_jw_key(w, "longest_not_free");
    cph_jw_u64(w, t->longest_not_free);
    cph_jw_key(w, "spans");
    cph_jw_arr(w);
    for (size_t i = 0; i < t->n_spans; i++) {
        const cph_span_found *s = &t->spans[i];
        cph_jw_obj(w);
        cph_jw_key(w, "begin");
        cph_jw_u64(w, s->begin);
        cph_jw_key(w, "end");
        cph_jw_u64(w, s->end);
        member(w, "text", s->text);
        cph_jw_key(w, "count");
        cph_jw_u64(w, s->count);
        cph_jw_key(w, "places");
        cph_jw_arr(w);
        for (size_t k = 0; k < s->n_places; k++) place_json(w, &s->places[k]);
        cph_jw_end(w);
        cph_jw_end(w);
    }
    cph_jw_end(w);
    cph_jw_end(w);
}
