/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge_facts.c - one set of facts out of several statements (RR-010).
 *
 * The rules, all independent of the order of arrival:
 *   dates         A value that lies inside another (1950-03 in 1950) agrees with it: the narrower stands.
 *                 A real source outranks an imputed one (RR-003). Values that disagree stand side by side,
 *                 "1950|1960" (the earliest and the latest of more than two), under the weakest of their
 * sources. rights facts  (origin, form, published, nationality, flags): a value outranks an absent one and
 * "unknown"; two values that differ are named in "conflict", and neither stands. title, language  decide
 * nothing: the first of officer, other sources, mods; then by bytes. contributors  The same role and name is
 * one person; the others are added. The more parts, the more must be free. No statement outranks another
 * because of who made it: a person who corrects one names it in "replaces".
 */
#include "collection_in.h"

#include <colophon/rights/facts.h>

#include <stdlib.h>
#include <string.h>

typedef struct merge {
    cph_arena *a;
    cph_json *out, *conflict;
    const cph_statement *at;
    size_t n;
} merge;

static cph_status note_conflict(merge *m, const char *field, cph_err *err)
{
    cph_json *v;
    for (const cph_json *c = m->conflict->first; c; c = c->next)
        if (cph_str_is(c->str, field)) return CPH_OK;
    CPH_TRY(cph_json_new_str(&v, m->a, cph_str_of(field), err));
    return cph_json_push(m->conflict, v, err);
}

/* ---- single words ---- */

static bool says(cph_str s) { return s.n > 0 && !cph_str_is(s, "unknown"); }

/* Folds one more value into *have: false when two real values differ. */
static bool agree(cph_str *have, cph_str more)
{
    if (!says(more)) {
        if (have->n == 0) *have = more;
        return true;
    }
    if (!says(*have)) *have = more;
    return cph_str_eq(*have, more);
}

static cph_status merge_word(merge *m, const char *field, cph_err *err)
{
    cph_str have = {"", 0};
    bool same = true;
    for (size_t i = 0; i < m->n; i++) same = agree(&have, cph_json_get_str(m->at[i].facts, field)) && same;
    if (!same) return note_conflict(m, field, err);
    return have.n ? cph_json_set_str(m->out, m->a, field, have, err) : CPH_OK;
}

static int rank_of_source(cph_str source)
{
    return cph_str_starts(source, "officer") ? 0 : cph_str_starts(source, "mods:") ? 2 : 1;
}

/* Words for people only: no conflict, a documented order. */
static cph_status merge_label(merge *m, const char *field, cph_err *err)
{
    cph_str best = {"", 0};
    int best_rank = 3;
    for (size_t i = 0; i < m->n; i++) {
        cph_str s = cph_json_get_str(m->at[i].facts, field);
        int rank = rank_of_source(m->at[i].source);
        if (s.n == 0 || rank > best_rank) continue;
        if (rank < best_rank || cph_str_cmp(s, best) < 0) best = s;
        best_rank = rank;
    }
    return best.n ? cph_json_set_str(m->out, m->a, field, best, err) : CPH_OK;
}

/* Restrictions add up ("contract-nc+privacy"); so do the ways an object came. */
static cph_status merge_union(merge *m, const char *field, cph_err *err)
{
    cph_str all = {"", 0};
    for (size_t i = 0; i < m->n; i++) {
        cph_str rest = cph_json_get_str(m->at[i].facts, field), part;
        while (rest.n && cph_str_split(&rest, '+', &part)) {
            cph_str look = all, one, before = {"", 0}, after = {"", 0};
            bool there = false;
            while (look.n && cph_str_split(&look, '+', &one)) {
                there = there || cph_str_eq(one, part);
                cph_str *side = cph_str_cmp(one, part) < 0 ? &before : &after;
                CPH_TRY(cph_arena_printf(m->a, side, err, "%.*s%s%.*s", CPH_FMT(*side), side->n ? "+" : "",
                                         CPH_FMT(one)));
            }
            if (there || part.n == 0) continue;
            CPH_TRY(cph_arena_printf(m->a, &all, err, "%.*s%s%.*s%s%.*s", CPH_FMT(before),
                                     before.n ? "+" : "", CPH_FMT(part), after.n ? "+" : "", CPH_FMT(after)));
        }
    }
    return all.n ? cph_json_set_str(m->out, m->a, field, all, err) : CPH_OK;
}

/* ---- dates ---- */

typedef struct merged_date {
    cph_date low, high; /* the value with the earliest beginning, the one with the latest end */
    bool have;
} merged_date;

static bool real(const cph_date *d) { return d->source != CPH_DATE_imputed && d->source != CPH_DATE_none; }

static bool inside(const cph_date *d, const cph_date *e) { return d->from >= e->from && d->to <= e->to; }

/* The better of two sources for one value; `none` (0) is the worst. */
static cph_date_source better(cph_date_source a, cph_date_source b)
{
    if (a == CPH_DATE_none) return b;
    return b != CPH_DATE_none && b < a ? b : a;
}

static cph_date_source worse(cph_date_source a, cph_date_source b)
{
    return better(a, b) == a ? b : a;
}

/* Puts one value into a sorted list of disagreeing values, or lets it agree with one that is there. */
static void add_value(cph_date *list, size_t *n, const cph_date *d)
{
    for (size_t i = 0; i < *n; i++) {
        cph_date *e = &list[i];
        if (inside(d, e) && inside(e, d)) {
            e->source = better(e->source, d->source);
            return;
        }
    }
    list[(*n)++] = *d;
}

static bool contains_another(const cph_date *list, size_t n, size_t i)
{
    for (size_t k = 0; k < n; k++)
        if (k != i && inside(&list[k], &list[i])) return true;
    return false;
}

/* `dates`: what the sources say of one date, "a|b" counting as two. The list is scratch. */
static merged_date fold_dates(const cph_date *dates, size_t n, cph_date *list)
{
    merged_date m = {.have = false};
    bool any_real = false;
    size_t n_list = 0;
    for (size_t i = 0; i < n; i++) any_real = any_real || real(&dates[i]);
    for (size_t i = 0; i < n; i++)
        if (real(&dates[i]) || !any_real) add_value(list, &n_list, &dates[i]);
    cph_date_source weakest = CPH_DATE_authority;
    for (size_t i = 0; i < n_list; i++) {
        if (contains_another(list, n_list, i)) continue;
        weakest = m.have ? worse(weakest, list[i].source) : list[i].source;
        if (!m.have || list[i].from < m.low.from || (list[i].from == m.low.from && list[i].to < m.low.to))
            m.low = list[i];
        if (!m.have || list[i].to > m.high.to || (list[i].to == m.high.to && list[i].from > m.high.from))
            m.high = list[i];
        m.have = true;
    }
    m.low.source = m.high.source = weakest;
    return m;
}

static cph_str half(cph_str raw, bool second)
{
    size_t bar = cph_str_find(raw, '|', 0);
    if (bar == SIZE_MAX) return raw;
    return second ? cph_str_sub(raw, bar + 1, raw.n) : cph_str_sub(raw, 0, bar);
}

static const char *source_name(cph_date_source s)
{
    static const char *const names[] = {"", "authority", "catalogue", "transcribed", "inferred", "imputed"};
    return names[s];
}

static cph_status write_date(cph_json *out, cph_arena *a, const char *field, const merged_date *d,
                             cph_err *err)
{
    cph_json *v;
    cph_str value = d->low.raw;
    if (!d->have) return CPH_OK;
    if (!cph_str_eq(d->low.raw, d->high.raw))
        CPH_TRY(cph_arena_printf(a, &value, err, "%.*s|%.*s", CPH_FMT(d->low.raw), CPH_FMT(d->high.raw)));
    CPH_TRY(cph_json_new(&v, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set_str(v, a, "value", value, err));
    CPH_TRY(cph_json_set_str(v, a, "source", cph_str_of(source_name(d->low.source)), err));
    return cph_json_set(out, a, field, v, err);
}

/* `objects`: those that may have the member `field`. */
static cph_status merge_date(cph_json *out, cph_arena *a, const char *field, const cph_json *const *objects,
                             size_t n, cph_err *err)
{
    void *block;
    size_t n_dates = 0;
    CPH_TRY(cph_arena_alloc0(a, &block, 4 * n + 1, sizeof(cph_date), err));
    cph_date *dates = block, *scratch = dates + 2 * n;
    for (size_t i = 0; i < n; i++) {
        const cph_json *v = cph_json_get(objects[i], field);
        cph_str value = {"", 0}, source = {"", 0};
        if (!v || v->type == CPH_JSON_NULL) continue;
        if (!cph_json_str(v, &value)) {
            value = cph_json_get_str(v, "value");
            source = cph_json_get_str(v, "source");
        }
        if (value.n == 0) continue;
        bool two = cph_str_find(value, '|', 0) != SIZE_MAX;
        for (int k = 0; k < 1 + two; k++)
            CPH_TRY(cph_date_parse(&dates[n_dates++], half(value, k), source, err));
    }
    merged_date d = fold_dates(dates, n_dates, scratch);
    return write_date(out, a, field, &d, err);
}

static cph_status merge_work_date(merge *m, const char *field, cph_err *err)
{
    void *block;
    CPH_TRY(cph_arena_alloc(m->a, &block, (m->n + 1) * sizeof(cph_json *), err));
    const cph_json **objects = block;
    for (size_t i = 0; i < m->n; i++) objects[i] = m->at[i].facts;
    return merge_date(m->out, m->a, field, objects, m->n, err);
}

/* ---- flags ---- */

static cph_status merge_flags(merge *m, cph_err *err)
{
    cph_json *flags;
    CPH_TRY(cph_json_new(&flags, m->a, CPH_JSON_OBJECT, err));
    for (size_t i = 0; i < m->n; i++) {
        const cph_json *f = cph_json_get(m->at[i].facts, "flags");
        for (const cph_json *v = f ? f->first : NULL; v; v = v->next) {
            char name[64];
            cph_json *copy;
            if (v->key.n >= sizeof name)
                return cph_fail(err, CPH_DATA, "flag %.*s: the name is too long", CPH_FMT(v->key));
            memcpy(name, v->key.p, v->key.n);
            name[v->key.n] = 0;
            const cph_json *old = cph_json_get(flags, name);
            bool same = !old || (old->type == v->type && cph_str_eq(old->str, v->str));
            if (!same && !says(v->str)) continue;
            if (!same && says(old->str)) {
                CPH_TRY(note_conflict(m, name, err));
                CPH_TRY(cph_json_set_str(flags, m->a, name, CPH_STR("unknown"), err));
                continue;
            }
            CPH_TRY(cph_json_copy(&copy, m->a, v, NULL, err));
            CPH_TRY(cph_json_set(flags, m->a, name, copy, err));
        }
    }
    return flags->n ? cph_json_set(m->out, m->a, "flags", flags, err) : CPH_OK;
}

/* ---- contributors ---- */

typedef struct person {
    cph_str role, name;
    size_t occurrence; /* the k-th of this role and name inside its statement */
    size_t statement, position;
    const cph_json *facts;
} person;

/* Catalogues call the authors of a joint work authors: one role as far as persons are matched. */
static cph_str matched_role(const person *p)
{
    return cph_str_is(p->role, "joint") ? CPH_STR("author") : p->role;
}

static bool same_person(const person *a, const person *b)
{
    return cph_str_eq(matched_role(a), matched_role(b)) && cph_str_eq(a->name, b->name) &&
           a->occurrence == b->occurrence;
}

static int by_person(const void *pa, const void *pb)
{
    const person *a = pa, *b = pb;
    int order = cph_str_cmp(matched_role(a), matched_role(b));
    if (order == 0) order = cph_str_cmp(a->name, b->name);
    if (order == 0 && a->occurrence != b->occurrence) order = a->occurrence < b->occurrence ? -1 : 1;
    if (order == 0 && a->statement != b->statement) order = a->statement < b->statement ? -1 : 1;
    return order;
}

/* A person's flags add up, but who is identified by one source is not unidentified. */
static cph_status merge_person_flags(merge *m, cph_json *out, const person *at, size_t n, cph_err *err)
{
    static const char *const names[] = {"living", "mplf", "nomplf", "unid"};
    cph_str joined = {"", 0};
    for (size_t f = 0; f < 4; f++) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++) {
            const cph_json *v = cph_json_get(at[i].facts, "flags");
            cph_str rest = v && v->type == CPH_JSON_STRING ? v->str : (cph_str){"", 0}, part;
            bool there = false;
            while (rest.n && cph_str_split(&rest, '+', &part)) there = there || cph_str_is(part, names[f]);
            for (const cph_json *e = v && v->type == CPH_JSON_ARRAY ? v->first : NULL; e; e = e->next)
                there = there || cph_str_is(e->str, names[f]);
            count += there;
        }
        bool on = f == 3 ? count == n : count > 0;
        if (on)
            CPH_TRY(cph_arena_printf(m->a, &joined, err, "%.*s%s%s", CPH_FMT(joined), joined.n ? "+" : "",
                                     names[f]));
    }
    return joined.n ? cph_json_set_str(out, m->a, "flags", joined, err) : CPH_OK;
}

static cph_status merge_person(merge *m, cph_json *list, const person *at, size_t n, cph_err *err)
{
    cph_json *out;
    void *block;
    cph_str nationality = {"", 0};
    cph_str role = at[0].role;
    bool same = true;
    CPH_TRY(cph_json_new(&out, m->a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_arena_alloc(m->a, &block, n * sizeof(cph_json *), err));
    const cph_json **objects = block;
    for (size_t i = 0; i < n; i++) {
        objects[i] = at[i].facts;
        if (cph_str_is(at[i].role, "joint")) role = at[i].role;
        same = agree(&nationality, cph_json_get_str(at[i].facts, "nationality")) && same;
    }
    CPH_TRY(cph_json_set_str(out, m->a, "role", role, err));
    if (at[0].name.n) CPH_TRY(cph_json_set_str(out, m->a, "name", at[0].name, err));
    if (!same)
        CPH_TRY(note_conflict(m, "nationality", err));
    else if (nationality.n)
        CPH_TRY(cph_json_set_str(out, m->a, "nationality", nationality, err));
    CPH_TRY(merge_date(out, m->a, "birth", objects, n, err));
    CPH_TRY(merge_date(out, m->a, "death", objects, n, err));
    CPH_TRY(merge_person_flags(m, out, at, n, err));
    return cph_json_push(list, out, err);
}

static size_t collect_people(const merge *m, person *people)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        const cph_json *list = cph_json_get(m->at[i].facts, "contributors");
        size_t first = n, position = 0;
        for (const cph_json *c = list ? list->first : NULL; c; c = c->next, position++) {
            person p = {cph_json_get_str(c, "role"), cph_json_get_str(c, "name"), 0, i, position, c};
            for (size_t k = first; k < n; k++)
                p.occurrence += cph_str_eq(matched_role(&people[k]), matched_role(&p)) &&
                                cph_str_eq(people[k].name, p.name);
            people[n++] = p;
        }
    }
    return n;
}

typedef struct group {
    const person *at;
    size_t n, statement, position; /* where its first mention stands: that gives the record order */
} group;

static int by_mention(const void *pa, const void *pb)
{
    const group *a = pa, *b = pb;
    if (a->statement != b->statement) return a->statement < b->statement ? -1 : 1;
    return a->position < b->position ? -1 : a->position > b->position;
}

static cph_status merge_people(merge *m, cph_err *err)
{
    size_t n = 0, n_groups = 0;
    void *block;
    cph_json *list;
    for (size_t i = 0; i < m->n; i++) {
        const cph_json *c = cph_json_get(m->at[i].facts, "contributors");
        n += c ? c->n : 0;
    }
    CPH_TRY(cph_json_new(&list, m->a, CPH_JSON_ARRAY, err));
    CPH_TRY(cph_arena_alloc0(m->a, &block, n + 1, sizeof(person), err));
    person *people = block;
    n = collect_people(m, people);
    qsort(people, n, sizeof *people, by_person);
    CPH_TRY(cph_arena_alloc0(m->a, &block, n + 1, sizeof(group), err));
    group *groups = block;
    for (size_t i = 0; i < n; n_groups++) {
        group *g = &groups[n_groups];
        *g = (group){&people[i], 1, people[i].statement, people[i].position};
        while (i + g->n < n && same_person(&people[i + g->n], &people[i])) g->n++;
        i += g->n;
    }
    qsort(groups, n_groups, sizeof *groups, by_mention);
    for (size_t i = 0; i < n_groups; i++) CPH_TRY(merge_person(m, list, groups[i].at, groups[i].n, err));
    return cph_json_set(m->out, m->a, "contributors", list, err);
}

/* ---- whole works ---- */

cph_status cph_merge_work(cph_json **out, cph_arena *a, cph_str urn, const cph_statement *at, size_t n,
                          cph_err *err)
{
    static const char *const words[] = {"origin", "form", "published"};
    merge m = {.a = a, .at = at, .n = n};
    CPH_TRY(cph_json_new(&m.out, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_new(&m.conflict, a, CPH_JSON_ARRAY, err));
    CPH_TRY(cph_json_set_str(m.out, a, "urn", urn, err));
    CPH_TRY(merge_label(&m, "title", err));
    CPH_TRY(merge_label(&m, "language", err));
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) CPH_TRY(merge_word(&m, words[i], err));
    CPH_TRY(merge_work_date(&m, "pub", err));
    CPH_TRY(merge_work_date(&m, "made", err));
    CPH_TRY(merge_people(&m, err));
    CPH_TRY(merge_flags(&m, err));
    CPH_TRY(merge_union(&m, "restriction", err));
    CPH_TRY(merge_union(&m, "acquired_via", err));
    if (m.conflict->n) CPH_TRY(cph_json_set(m.out, a, "conflict", m.conflict, err));
    *out = m.out;
    return CPH_OK;
}

/* ---- licences, editions ---- */

static cph_status same_value(const cph_json *x, const cph_json *y, bool *same, cph_err *err)
{
    cph_buf bx, by;
    cph_buf_init(&bx, CPH_ROW_MAX);
    cph_buf_init(&by, CPH_ROW_MAX);
    cph_status s = cph_json_canonical(&bx, x, err);
    if (s == CPH_OK) s = cph_json_canonical(&by, y, err);
    if (s == CPH_OK) *same = cph_str_eq(cph_buf_view(&bx), cph_buf_view(&by));
    cph_buf_release(&bx);
    cph_buf_release(&by);
    return s;
}

/* Members of x that y lacks or states otherwise: silence differs from a word. */
static cph_status note_differences(merge *m, const cph_json *x, const cph_json *y, cph_err *err)
{
    for (const cph_json *v = x->first; v; v = v->next) {
        cph_str name;
        bool same = false;
        CPH_TRY(cph_arena_str(m->a, &name, v->key, err));
        const cph_json *other = cph_json_get(y, name.p);
        if (other) CPH_TRY(same_value(v, other, &same, err));
        if (!same) CPH_TRY(note_conflict(m, name.p, err));
    }
    return CPH_OK;
}

cph_status cph_merge_agreeing(cph_json **out, cph_arena *a, const cph_statement *at, size_t n, cph_err *err)
{
    /* The scope is the union of the statements and stands in scope rows. */
    static const char *const scope[] = {"works", "work", "by", "replaces", NULL};
    merge m = {.a = a, .at = at, .n = n};
    CPH_TRY(cph_json_new(&m.conflict, a, CPH_JSON_ARRAY, err));
    CPH_TRY(cph_json_copy(&m.out, a, at[0].facts, scope, err));
    for (size_t i = 1; i < n; i++) {
        cph_json *bare;
        CPH_TRY(cph_json_copy(&bare, a, at[i].facts, scope, err));
        CPH_TRY(note_differences(&m, m.out, bare, err));
        CPH_TRY(note_differences(&m, bare, m.out, err));
    }
    if (m.conflict->n) CPH_TRY(cph_json_set(m.out, a, "conflict", m.conflict, err));
    *out = m.out;
    return CPH_OK;
}
