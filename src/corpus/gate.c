/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate.c - gate G2: for each object the question is put to the rights room, the
 * answer is kept, and counted by rule. Nothing is decided here; a work that nobody
 * knows is asked for with no facts, and so refused as undetermined (RR-001, RR-002).
 */
#include <colophon/base/memory.h>

#include <stdlib.h>
#include <string.h>

#include "corpus_in.h"

#define MAX_RULES 512
#define KEY (4 + 32)       /* tally index, work key */
#define RECORD (32 + 8)    /* decision hash, place in the spool */

typedef struct counted {
    char rule[24];
    cph_answer answer;
    cph_build_tally t;
} counted;

struct cph_gate {
    const cph_build_opts *o;
    const cph_snapshot *s;
    cph_rulebase *rules;
    counted *at;
    uint32_t n;
    cph_extsort *works;     /* (tally index, work key): distinct pairs are works */
    cph_extsort *hashes;    /* (hash, place of the record) */
    cph_spool records;
};

static cph_status open_files(cph_gate *g, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    CPH_TRY(cph_path_join(path, dir, "sort.works", err));
    CPH_TRY(cph_extsort_open(&g->works, path, KEY, g->o->sort_bytes / 4, err));
    CPH_TRY(cph_path_join(path, dir, "sort.decisions", err));
    CPH_TRY(cph_extsort_open(&g->hashes, path, RECORD, g->o->sort_bytes / 4, err));
    if (g->o->dry_run) return CPH_OK;
    CPH_TRY(cph_path_join(path, dir, "spool.decisions", err));
    return cph_spool_create(&g->records, path, err);
}

/* RR-009: what the sample rule base lets pass holds for invented works alone. */
static cph_status check_rulebase(const cph_gate *g, cph_err *err)
{
    if (!cph_rulebase_is_sample(g->rules) || cph_snapshot_is_sample(g->s)) return CPH_OK;
    cph_fail(err, CPH_RIGHTS, "%s: the rule base \"sample\" serves a sample collection only (RR-009)",
             g->o->collection);
    return cph_hint(err, "use --rulebase house, or a rule base that your lawyer has confirmed");
}

cph_status cph_gate_open(cph_gate **out, const cph_build_opts *o, const cph_snapshot *s, const char *dir,
                         cph_err *err)
{
    void *mem, *at;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_gate), err));
    cph_gate *g = mem;
    g->o = o;
    g->s = s;
    g->records.fd = -1;
    cph_status status = cph_alloc0(&at, MAX_RULES * sizeof(counted), err);
    if (status == CPH_OK) {
        g->at = at;
        status = cph_rulebase_open(&g->rules, o->rulebase, err);
    }
    if (status == CPH_OK) status = check_rulebase(g, err);
    if (status == CPH_OK) status = open_files(g, dir, err);
    if (status != CPH_OK) {
        cph_gate_close(g);
        return status;
    }
    *out = g;
    return CPH_OK;
}

void cph_gate_close(cph_gate *g)
{
    if (!g) return;
    cph_rulebase_close(g->rules);
    cph_extsort_close(g->works);
    cph_extsort_close(g->hashes);
    cph_spool_close(&g->records);
    cph_free(g->at);
    cph_free(g);
}

const cph_rulebase *cph_gate_rulebase(const cph_gate *g) { return g->rules; }

/* ---- asking ---- */

/* The facts of a work, or the name alone where nobody stated anything. */
static cph_status facts_of(const cph_gate *g, cph_str urn, cph_arena *a, cph_case *c, cph_work *work,
                           cph_err *err)
{
    const cph_json *view = NULL;
    cph_json *bare, *name;
    cph_status s = cph_snapshot_work(g->s, urn, a, &view, err);
    if (s != CPH_OK && s != CPH_NO) return s;
    if (!cph_json_get(view, "work")) {
        CPH_TRY(cph_json_new(&bare, a, CPH_JSON_OBJECT, err));
        CPH_TRY(cph_json_new(&name, a, CPH_JSON_OBJECT, err));
        CPH_TRY(cph_json_set_str(name, a, "urn", urn, err));
        CPH_TRY(cph_json_set(bare, a, "work", name, err));
        view = bare;
    }
    return cph_case_parse(c, work, a, view, err);
}

/* {restriction, ...} as the edition facts give them, beside those of the work. */
static const cph_json *object_facts(const cph_snapshot_object *o)
{
    const cph_json *edition = cph_json_get(o->row, "edition");
    return edition ? edition : cph_json_get(o->row, "meta");
}

/* When the object was printed, where nobody stated the work's own date. */
static cph_str issued(const cph_snapshot_object *o)
{
    const cph_json *edition = cph_json_get(o->row, "edition");
    cph_str date = cph_json_get_str(edition, "issued");
    for (size_t i = 0; i < 4; i++)
        if (date.n < 4 || date.p[i] < '0' || date.p[i] > '9') return cph_json_get_str(edition, "year");
    return date;
}

/* What the METS says it is, where no work says it. */
static cph_str form_of_mets(const cph_snapshot_object *o)
{
    cph_str type = cph_json_get_str(cph_json_get(cph_json_get(o->row, "meta"), "mets"), "type");
    if (cph_str_is_fold(type, "METAe_Monograph") || cph_str_is_fold(type, "Monograph"))
        return CPH_STR("book");
    return cph_str_is_fold(type, "Newspaper") ? CPH_STR("newspaper_issue") : (cph_str){"", 0};
}

static uint8_t rank_of(cph_str basis)
{
    if (cph_str_is(basis, "PD")) return 0;
    return cph_str_starts(basis, "PD") ? 1 : 2;
}

static cph_status keep_record(cph_gate *g, const cph_verdict *v, cph_err *err)
{
    uint8_t key[RECORD];
    uint64_t at;
    if (g->o->dry_run) return CPH_OK;
    CPH_TRY(cph_spool_add(&g->records, v->record, &at, err));
    memcpy(key, v->hash.b, 32);
    cph_put_be(key + 32, at, 8);
    return cph_extsort_add(g->hashes, key, err);
}

static cph_status tally_row(cph_gate *g, cph_str rule, cph_answer answer, counted **out, cph_err *err)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (g->at[i].answer == answer && cph_str_is(rule, g->at[i].rule)) {
            *out = &g->at[i];
            return CPH_OK;
        }
    if (g->n == MAX_RULES || rule.n >= sizeof g->at->rule)
        return cph_fail(err, CPH_BUG, "a decision names a rule that no table can hold: %.*s", CPH_FMT(rule));
    counted *c = &g->at[g->n];
    memcpy(c->rule, rule.p, rule.n);
    c->answer = answer;
    g->n++;
    *out = c;
    return CPH_OK;
}

cph_status cph_gate_ask(cph_gate *g, const cph_snapshot_object *o, cph_arena *a, cph_verdict *out,
                        cph_err *err)
{
    cph_work work = {0};
    cph_case c = {0};
    cph_decision d = {0};
    cph_verdict v = {0};
    v.urn = o->work_urn.n ? o->work_urn : o->key;
    cph_status s = facts_of(g, v.urn, a, &c, &work, err);
    c.object_id = o->key;
    c.object = object_facts(o);
    if (s == CPH_OK) s = cph_decide(&d, a, &c, &g->o->policy, g->rules, err);
    if (s != CPH_OK) return cph_err_prefix(err, "work %.*s", CPH_FMT(v.urn));
    v.answer = d.answer;
    v.rule = cph_str_of(d.rule);
    v.basis = d.basis;
    v.record = d.record;
    v.hash = d.hash;
    v.rank = rank_of(d.basis);
    v.date = work.pub.raw.n ? work.pub.raw : issued(o);
    v.form = work.form.n ? work.form : form_of_mets(o);
    v.lang = work.language;
    v.version = o->version;
    v.skip = o->version.n && !cph_str_is(o->version, "only") && !cph_str_is(o->version, "chosen");
    CPH_TRY(keep_record(g, &v, err));
    *out = v;
    return CPH_OK;
}

cph_status cph_gate_count(cph_gate *g, const cph_verdict *v, uint64_t documents, uint64_t words, cph_err *err)
{
    counted *c = NULL;
    uint8_t key[KEY];
    cph_digest work = cph_work_key(v->urn);
    CPH_TRY(tally_row(g, v->rule, v->answer, &c, err));
    c->t.documents += documents;
    c->t.words += words;
    cph_put_be(key, (uint64_t)(c - g->at), 4);
    memcpy(key + 4, work.b, 32);
    return cph_extsort_add(g->works, key, err);
}

/* ---- the tally ---- */

static int by_rule(const void *a, const void *b)
{
    const cph_build_tally *x = a, *y = b;
    int order = cph_str_cmp(x->rule, y->rule);
    return order ? order : (int)x->answer - (int)y->answer;
}

static cph_status count_works(cph_gate *g, cph_err *err)
{
    uint8_t key[KEY], last[KEY] = {0};
    bool first = true;
    cph_status s;
    while ((s = cph_extsort_next(g->works, key, err)) == CPH_OK) {
        if (first || memcmp(key, last, KEY) != 0) g->at[cph_get_be(key, 4)].t.works++;
        memcpy(last, key, KEY);
        first = false;
    }
    return s == CPH_END ? CPH_OK : s;
}

cph_status cph_gate_tally(cph_gate *g, cph_arena *a, cph_build_report *r, cph_err *err)
{
    void *mem;
    CPH_TRY(count_works(g, err));
    CPH_TRY(cph_arena_alloc(a, &mem, (g->n + (size_t)1) * sizeof *r->tally, err));
    cph_build_tally *rows = mem;
    for (uint32_t i = 0; i < g->n; i++) {
        counted *c = &g->at[i];
        rows[i] = c->t;
        rows[i].answer = c->answer;
        rows[i].sentence = cph_str_of(cph_rule_sentence(cph_str_of(c->rule), c->answer));
        CPH_TRY(cph_arena_str(a, &rows[i].rule, cph_str_of(c->rule), err));
        bool given = c->answer == CPH_ALLOW;
        *(given ? &r->works_given : &r->works_refused) += c->t.works;
        *(given ? &r->documents_given : &r->documents_refused) += c->t.documents;
        *(given ? &r->words_given : &r->words_refused) += c->t.words;
    }
    if (g->n) qsort(rows, g->n, sizeof *rows, by_rule);
    r->tally = rows;
    r->n_tally = g->n;
    return CPH_OK;
}

cph_status cph_gate_write(cph_gate *g, const char *path, cph_err *err)
{
    uint8_t key[RECORD], last[32];
    bool first = true;
    cph_zwrite *z;
    cph_buf record;
    CPH_TRY(cph_spool_rewind(&g->records, err));
    CPH_TRY(cph_zwrite_open(&z, path, err));
    cph_buf_init(&record, CPH_DOC_MAX);
    cph_status s;
    while ((s = cph_extsort_next(g->hashes, key, err)) == CPH_OK) {
        if (!first && memcmp(key, last, 32) == 0) continue;
        memcpy(last, key, 32);
        first = false;
        CPH_TRY_GOTO(s, cph_spool_at(&g->records, cph_get_be(key + 32, 8), &record, err), fail);
        CPH_TRY_GOTO(s, cph_buf_char(&record, '\n', err), fail);
        CPH_TRY_GOTO(s, cph_zwrite_add(z, record.p, record.n, err), fail);
        if (cph_zwrite_pending(z) > (1u << 22)) CPH_TRY_GOTO(s, cph_zwrite_frame(z, NULL, err), fail);
    }
    if (s != CPH_END) goto fail;
    cph_buf_release(&record);
    return cph_zwrite_close(z, err);
fail:
    cph_buf_release(&record);
    cph_zwrite_abandon(z);
    return s;
}
