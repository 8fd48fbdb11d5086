/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problems.c - what went wrong, as rows; and the small means of this room.
 */
#include "ingest_in.h"

#include <colophon/base/log.h>
#include <colophon/base/memory.h>
#include <colophon/text/nfc.h>

#include <stdio.h>
#include <string.h>

#define MAX_PROBLEMS 100000
#define MAX_TOLD 20

cph_status cph_problems_add(problems *p, cph_str file, cph_str place, const char *rule, cph_err *err,
                            const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cph_str sentence = {text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1};
    sentence.n = cph_utf8_check(sentence.p, sentence.n);
    if (p->n == MAX_PROBLEMS)
        return cph_fail(err, CPH_NOMEM, "more than %d problems in one object", MAX_PROBLEMS);
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 16;
        void *at = p->at;
        CPH_TRY(cph_realloc(&at, cap * sizeof *p->at, err));
        p->at = at;
        p->cap = cap;
    }
    cph_problem row = {.rule = cph_str_of(rule)};
    CPH_TRY(cph_arena_str(p->a, &row.file, file, err));
    CPH_TRY(cph_arena_str(p->a, &row.place, place, err));
    CPH_TRY(cph_arena_str(p->a, &row.sentence, sentence, err));
    p->at[p->n++] = row;
    return CPH_OK;
}

void cph_problems_release(problems *p)
{
    cph_free(p->at);
    p->at = NULL;
    p->n = p->cap = 0;
}

cph_status cph_str_z(char out[CPH_PATH_MAX], cph_str s, cph_err *err)
{
    if (s.n >= CPH_PATH_MAX) return cph_fail(err, CPH_DATA, "a path of %zu bytes is too long", s.n);
    if (s.n) memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return CPH_OK;
}

cph_status cph_path_in(char out[CPH_PATH_MAX], cph_str dir, cph_str relative, cph_err *err)
{
    char a[CPH_PATH_MAX], b[CPH_PATH_MAX];
    CPH_TRY(cph_str_z(a, dir, err));
    CPH_TRY(cph_str_z(b, relative, err));
    return cph_path_join(out, a, b, err);
}

cph_status cph_nfc_of(cph_arena *a, cph_buf *room, cph_str *out, cph_str s, cph_err *err)
{
    if (cph_nfc_quick(s)) return cph_arena_str(a, out, s, err);
    room->n = 0;
    CPH_TRY(cph_nfc(room, s, err));
    return cph_arena_str(a, out, cph_buf_view(room), err);
}

void cph_counts_add(counts *to, const counts *more)
{
#define COUNT_SUM(name) to->name += more->name;
    COUNT_MAP(COUNT_SUM)
#undef COUNT_SUM
}

cph_status cph_type_counts_add(type_counts *t, cph_arena *a, cph_str name, uint64_t n, cph_err *err)
{
    size_t i = 0;
    while (i < t->used && !cph_str_eq(t->name[i], name)) i++;
    if (i == MAX_TYPES) i = MAX_TYPES - 1;
    if (i == t->used) {
        CPH_TRY(cph_arena_str(a, &t->name[i], i == MAX_TYPES - 1 ? CPH_STR("other") : name, err));
        t->used++;
    }
    t->n[i] += n;
    return CPH_OK;
}

cph_status cph_scratch_init(scratch *s, cph_err *err)
{
    *s = (scratch){0};
    cph_buf_init(&s->file, (size_t)4 << 30);
    cph_buf_init(&s->utf8, (size_t)4 << 30);
    cph_buf_init(&s->json, (size_t)1 << 30);
    cph_buf_init(&s->nfc, (size_t)1 << 28);
    cph_buf_init(&s->text, (size_t)1 << 28);
    cph_arena_init(&s->page, 0);
    cph_arena_init(&s->keep, 0);
    return cph_page_room_open(&s->room, err);
}

void cph_scratch_release(scratch *s)
{
    cph_buf_release(&s->file);
    cph_buf_release(&s->utf8);
    cph_buf_release(&s->json);
    cph_buf_release(&s->nfc);
    cph_buf_release(&s->text);
    cph_arena_release(&s->page);
    cph_arena_release(&s->keep);
    cph_page_room_close(s->room);
}

/* ---- outcomes ---- */

void cph_outcome_init(outcome *o)
{
    *o = (outcome){0};
    cph_buf_init(&o->keys, (size_t)1 << 24);
}

void cph_outcome_release(outcome *o) { cph_buf_release(&o->keys); }

void cph_outcome_count(outcome *o, cph_str rule, uint64_t n)
{
    size_t i = 0;
    o->problems += n;
    while (i < o->n_rules && !cph_str_is(rule, o->rules[i].rule)) i++;
    if (i == CPH_INGEST_MAX_RULES) return; /* more rules than there are */
    if (i == o->n_rules) {
        snprintf(o->rules[i].rule, sizeof o->rules[i].rule, "%.*s", CPH_FMT(rule));
        o->rules[i].n = 0;
        o->n_rules++;
    }
    o->rules[i].n += n;
}

/* The first ones are said aloud; all of them stand in the collection. */
static void tell(run *r, const cph_problem *p)
{
    unsigned n = __atomic_fetch_add(&r->n_told, 1u, __ATOMIC_RELAXED);
    if (n == MAX_TOLD) cph_log(CPH_WARN, "more problems: they are in the collection (colophon show)");
    if (n >= MAX_TOLD) return;
    cph_log(CPH_WARN, "%.*s%s%.*s: %.*s: %.*s", CPH_FMT(p->file), p->place.n ? ": " : "", CPH_FMT(p->place),
            CPH_FMT(p->rule), CPH_FMT(p->sentence));
}

cph_status cph_problem_alone(run *r, outcome *o, cph_str file, cph_str place, const char *rule,
                             cph_str sentence, cph_err *err)
{
    cph_problem p = {.file = file, .place = place, .rule = cph_str_of(rule), .sentence = sentence};
    cph_outcome_count(o, p.rule, 1);
    tell(r, &p);
    return r->into ? cph_collection_add_problem(r->into, &p, err) : CPH_OK;
}

static cph_status note_key(outcome *o, const char *key, cph_err *err)
{
    o->added++;
    if (o->keys.n > o->keys.max - 256) return CPH_OK; /* the event names those that fit */
    CPH_TRY(cph_buf_z(&o->keys, key, err));
    return cph_buf_char(&o->keys, '\n', err);
}

cph_status cph_object_known(run *r, outcome *o, const cph_object_record *rec, bool *known, cph_err *err)
{
    char key[160];
    cph_object_key(rec, key);
    CPH_TRY(cph_collection_has_object(r->into, cph_str_of(key), known, err));
    o->known += *known;
    return CPH_OK;
}

/* An object that the collection will not take is a problem of the object, not of the run. */
static cph_status refused(run *r, outcome *o, const cph_object_record *rec, const cph_err *why, cph_err *err)
{
    o->refused++;
    return cph_problem_alone(r, o, rec->source_id, (cph_str){"", 0}, "object-refused", cph_str_of(why->what),
                             err);
}

cph_status cph_object_put(run *r, outcome *o, const cph_object_record *rec, cph_str fact_source, cph_str fact,
                          cph_err *err)
{
    char key[160];
    bool added = false;
    cph_err why = {0};
    cph_object_key(rec, key);
    if (fact.n) {
        cph_str work = rec->work_urn.n ? rec->work_urn : cph_str_of(key);
        cph_status s = cph_collection_add_fact(r->into, "work", work, fact_source, fact, &why);
        if (s == CPH_DATA) CPH_TRY(cph_problem_alone(r, o, rec->source_id, (cph_str){"", 0}, "facts-refused",
                                                 cph_str_of(why.what), err));
        else if (s != CPH_OK) goto fail;
        else o->facts++;
    }
    cph_status s = cph_collection_add_object(r->into, rec, &added, &why);
    if (s == CPH_DATA) return refused(r, o, rec, &why, err);
    if (s != CPH_OK) goto fail;
    if (!added) {
        o->known++;
        return CPH_OK;
    }
    for (size_t i = 0; i < rec->n_problems; i++) {
        cph_outcome_count(o, rec->problems[i].rule, 1);
        tell(r, &rec->problems[i]);
    }
    return note_key(o, key, err);
fail:
    if (err) *err = why;
    return why.status ? why.status : CPH_IO;
}
