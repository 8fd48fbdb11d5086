/* SPDX-License-Identifier: Apache-2.0 */
/*
 * works.c - a work's rights facts from JSON, checked against the closed lists (2.1).
 * What must stay true: a value that is in no list is an error at the door, so that the
 * rules behind it never meet a word they do not know.
 */
#include <colophon/rights/facts.h>

#include <string.h>

static const char *const roles[] = {
    "author",       "joint",   "lyricist",     "composer", "translator", "illustrator",
    "notes",        "preface", "photographer", "director", "screenplay", "dialogue",
    "filmcomposer", "camera",  "corp",         "pseud",    "anon",       NULL,
};
static const char *const forms[] = {
    "book", "article", "newspaper_issue", "periodical_issue", "song", "music", "photo", "letter",
    "film", "gov_doc", "edition",         "report",           "map",  "web",   NULL,
};
static const char *const published_words[] = {"yes", "no", "unknown", NULL};
static const char *const contributor_flags[] = {"mplf", "nomplf", "unid", "living", NULL};

static const char *const restrictions[] = {
    "contract-nc", "contract-unread", "donor", "privacy", "cultural", "other-law", NULL,
};

static bool listed(cph_str s, const char *const *list)
{
    for (; *list; list++)
        if (cph_str_is(s, *list)) return true;
    return false;
}

/* A string member out of a list; absent stays empty. */
static cph_status word_of(cph_str *out, const cph_json *v, const char *key, const char *const *list,
                          cph_err *err)
{
    const cph_json *m = cph_json_get(v, key);
    cph_str s = {"", 0};
    if (!m || m->type == CPH_JSON_NULL) return CPH_OK;
    if (!cph_json_str(m, &s)) return cph_fail(err, CPH_DATA, "line %u: \"%s\" is no string", m->line, key);
    if (list && s.n && !listed(s, list))
        return cph_fail(err, CPH_DATA, "line %u: \"%s\" has the unknown value \"%.*s\"", m->line, key,
                        CPH_FMT(s));
    *out = s;
    return CPH_OK;
}

/* ISO 3166-1 alpha-2; more than one where sources disagree or a person has several, "NO+SE". */
static cph_status country_of(cph_str *out, const cph_json *v, const char *key, cph_err *err)
{
    cph_str s = {"", 0}, rest, part;
    CPH_TRY(word_of(&s, v, key, NULL, err));
    rest = s;
    while (s.n && cph_str_split(&rest, '+', &part)) {
        bool ok = part.n == 2 && part.p[0] >= 'A' && part.p[0] <= 'Z' && part.p[1] >= 'A' && part.p[1] <= 'Z';
        if (!ok)
            return cph_fail(err, CPH_DATA, "line %u: \"%s\" is no country: \"%.*s\" (two capital letters)",
                            v->line, key, CPH_FMT(s));
    }
    *out = s;
    return CPH_OK;
}

/* {"value", "source"}, or a bare string: a value that nobody vouches for. */
static cph_status date_of(cph_date *out, const cph_json *v, const char *key, cph_err *err)
{
    const cph_json *m = cph_json_get(v, key);
    cph_str value = {"", 0}, source = {"", 0};
    if (!m || m->type == CPH_JSON_NULL) return CPH_OK;
    if (m->type == CPH_JSON_OBJECT) {
        CPH_TRY(word_of(&value, m, "value", NULL, err));
        CPH_TRY(word_of(&source, m, "source", NULL, err));
    } else if (!cph_json_str(m, &value)) {
        return cph_fail(err, CPH_DATA, "line %u: \"%s\" is neither {\"value\", \"source\"} nor a string",
                        m->line, key);
    }
    if (value.n == 0) return CPH_OK;
    cph_status s = cph_date_parse(out, value, source, err);
    return s == CPH_OK ? s : cph_err_prefix(err, "line %u: \"%s\"", m->line, key);
}

/* "unid+living" or ["unid", "living"]. */
static cph_status flags_of(cph_str *out, cph_arena *a, const cph_json *v, cph_err *err)
{
    const cph_json *m = cph_json_get(v, "flags");
    cph_str joined = {"", 0}, part, rest;
    if (!m || m->type == CPH_JSON_NULL) return CPH_OK;
    if (m->type == CPH_JSON_ARRAY) {
        for (const cph_json *f = m->first; f; f = f->next) {
            if (!cph_json_str(f, &part))
                return cph_fail(err, CPH_DATA, "line %u: a flag is no string", m->line);
            CPH_TRY(cph_arena_printf(a, &joined, err, "%.*s%s%.*s", CPH_FMT(joined), joined.n ? "+" : "",
                                     CPH_FMT(part)));
        }
    } else if (!cph_json_str(m, &joined)) {
        return cph_fail(err, CPH_DATA, "line %u: a contributor's \"flags\" are a string or an array",
                        m->line);
    }
    rest = joined;
    while (joined.n && cph_str_split(&rest, '+', &part))
        if (!listed(part, contributor_flags))
            return cph_fail(err, CPH_DATA, "line %u: unknown contributor flag \"%.*s\"", m->line,
                            CPH_FMT(part));
    *out = joined;
    return CPH_OK;
}

static cph_status contributor_of(cph_contributor *out, cph_arena *a, const cph_json *v, cph_err *err)
{
    cph_contributor c = {.role = {"", 0}, .name = {"", 0}, .nationality = {"", 0}, .flags = {"", 0}};
    if (v->type != CPH_JSON_OBJECT)
        return cph_fail(err, CPH_DATA, "line %u: a contributor is an object", v->line);
    CPH_TRY(word_of(&c.role, v, "role", roles, err));
    CPH_TRY(word_of(&c.name, v, "name", NULL, err));
    CPH_TRY(country_of(&c.nationality, v, "nationality", err));
    CPH_TRY(date_of(&c.birth, v, "birth", err));
    CPH_TRY(date_of(&c.death, v, "death", err));
    CPH_TRY(flags_of(&c.flags, a, v, err));
    if (c.role.n == 0) return cph_fail(err, CPH_DATA, "line %u: a contributor without \"role\"", v->line);
    *out = c;
    return CPH_OK;
}

static cph_status contributors_of(cph_work *w, cph_arena *a, const cph_json *facts, cph_err *err)
{
    const cph_json *list = cph_json_get(facts, "contributors");
    void *at;
    if (!list || list->type == CPH_JSON_NULL) return CPH_OK;
    if (list->type != CPH_JSON_ARRAY)
        return cph_fail(err, CPH_DATA, "line %u: \"contributors\" is no array", list->line);
    CPH_TRY(cph_arena_alloc0(a, &at, list->n + 1u, sizeof *w->contributors, err));
    w->contributors = at;
    for (const cph_json *c = list->first; c; c = c->next) {
        CPH_TRY(contributor_of(&w->contributors[w->n_contributors], a, c, err));
        w->n_contributors++;
    }
    return CPH_OK;
}

/* A restriction that nobody knows must not be overlooked: it is an error. */
static cph_status restriction_of(cph_work *w, const cph_json *facts, cph_err *err)
{
    CPH_TRY(word_of(&w->restriction, facts, "restriction", NULL, err));
    cph_str rest = w->restriction, part;
    while (w->restriction.n && cph_str_split(&rest, '+', &part))
        if (!listed(part, restrictions))
            return cph_fail(err, CPH_DATA, "line %u: unknown restriction \"%.*s\"", facts->line,
                            CPH_FMT(part));
    return CPH_OK;
}

static cph_status fill_work(cph_work *w, cph_arena *a, const cph_json *facts, cph_err *err)
{
    CPH_TRY(word_of(&w->urn, facts, "urn", NULL, err));
    CPH_TRY(word_of(&w->title, facts, "title", NULL, err));
    CPH_TRY(country_of(&w->origin, facts, "origin", err));
    CPH_TRY(word_of(&w->form, facts, "form", forms, err));
    CPH_TRY(word_of(&w->published, facts, "published", published_words, err));
    CPH_TRY(word_of(&w->language, facts, "language", NULL, err));
    CPH_TRY(date_of(&w->pub, facts, "pub", err));
    CPH_TRY(date_of(&w->made, facts, "made", err));
    CPH_TRY(contributors_of(w, a, facts, err));
    CPH_TRY(restriction_of(w, facts, err));
    CPH_TRY(word_of(&w->acquired_via, facts, "acquired_via", NULL, err));
    w->flags = cph_json_get(facts, "flags");
    if (w->flags && w->flags->type != CPH_JSON_OBJECT)
        return cph_fail(err, CPH_DATA, "line %u: a work's \"flags\" are an object", w->flags->line);
    const cph_json *conflict = cph_json_get(facts, "conflict");
    w->conflict = conflict && conflict->n > 0;
    return CPH_OK;
}

cph_status cph_work_parse(cph_work *out, cph_arena *a, const cph_json *facts, cph_err *err)
{
    cph_str none = {"", 0};
    cph_work w = {.facts = facts,
                  .restriction = none,
                  .acquired_via = none,
                  .urn = none,
                  .title = none,
                  .origin = none,
                  .form = none,
                  .published = none,
                  .language = none};
    if (!facts || facts->type != CPH_JSON_OBJECT)
        return cph_fail(err, CPH_DATA, "a work's facts are no JSON object");
    cph_status s = fill_work(&w, a, facts, err);
    if (s != CPH_OK) return w.urn.n ? cph_err_prefix(err, "work %.*s", CPH_FMT(w.urn)) : s;
    *out = w;
    return CPH_OK;
}

cph_str cph_work_flag(const cph_work *w, const char *name)
{
    const cph_json *v = cph_json_get(w->flags, name);
    bool yes = false;
    if (cph_json_bool(v, &yes)) return yes ? CPH_STR("yes") : CPH_STR("no");
    return cph_json_get_str(w->flags, name);
}
