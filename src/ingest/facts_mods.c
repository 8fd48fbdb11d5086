/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts_mods.c - what a catalogue record says, as facts about a work.
 * What must stay true: nothing is filled in. A MODS dateIssued is the year of an
 * edition; it is the work's first publication only where the work is an issue of
 * a newspaper (rights-and-provenance 2.1).
 */
#include "ingest_in.h"

#include <colophon/rights/facts.h>

#include <string.h>

/* ---- codes ---- */

/* MARC relator codes -> roles of rights-and-provenance 2.1. Codes that make nothing (printer, owner) are
 * absent. */
static const struct {
    const char *code, *role;
} relators[] = {
    {"aut", "author"},       {"cre", "author"},      {"dis", "author"},      {"trl", "translator"},
    {"ill", "illustrator"},  {"art", "illustrator"}, {"drm", "illustrator"}, {"ctg", "illustrator"},
    {"pht", "photographer"}, {"cmp", "composer"},    {"arr", "composer"},    {"lyr", "lyricist"},
    {"lbt", "lyricist"},     {"edt", "notes"},       {"edc", "notes"},       {"com", "notes"},
    {"ann", "notes"},        {"cwt", "notes"},       {"wac", "notes"},       {"aui", "preface"},
    {"wpr", "preface"},      {"win", "preface"},     {"aft", "preface"},     {"wst", "preface"},
    {"drt", "director"},     {"fmd", "director"},    {"aus", "screenplay"},  {"cng", "camera"},
    {"ctb", "author"},
};

/* Words of roleTerm type="text" where no code stands. */
static const struct {
    const char *word, *code;
} relator_words[] = {{"author", "aut"},       {"creator", "aut"},    {"forfatter", "aut"},
                     {"translator", "trl"},   {"oversetter", "trl"}, {"illustrator", "ill"},
                     {"photographer", "pht"}, {"fotograf", "pht"},   {"composer", "cmp"},
                     {"komponist", "cmp"},    {"editor", "edt"},     {"redakt\xC3\xB8r", "edt"}};

/* "" for roles that make no contribution; "author" where no role is stated (the more must be free). */
static const char *role_of_name(const cph_mods_name *n)
{
    if (!n->roles) return cph_str_is(n->type, "corporate") ? "corp" : "author";
    for (const cph_mods_item *r = n->roles; r; r = r->next) {
        const char *code = NULL;
        for (size_t i = 0; i < sizeof relator_words / sizeof *relator_words; i++)
            if (cph_str_is_fold(r->value, relator_words[i].word)) code = relator_words[i].code;
        for (size_t i = 0; i < sizeof relators / sizeof *relators; i++)
            if (cph_str_is_fold(r->value, relators[i].code) || (code && strcmp(code, relators[i].code) == 0))
                return cph_str_is(n->type, "corporate") ? "corp" : relators[i].role;
    }
    return "";
}

cph_str cph_language_of(cph_str stated)
{
    static const char *const map[][2] = {{"nb", "nob"}, {"nn", "nno"},  {"no", "nor"},    {"da", "dan"},
                                         {"sv", "swe"}, {"se", "sme"},  {"is", "isl"},    {"ice", "isl"},
                                         {"fo", "fao"}, {"fi", "fin"},  {"de", "deu"},    {"ger", "deu"},
                                         {"nl", "nld"}, {"dut", "nld"}, {"fr", "fra"},    {"fre", "fra"},
                                         {"en", "eng"}, {"la", "lat"},  {"nb-NO", "nob"}, {"nn-NO", "nno"}};
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (cph_str_is_fold(stated, map[i][0])) return cph_str_of(map[i][1]);
    return stated;
}

/* ---- the record ---- */

static cph_str urn_of(const cph_mods_item *ids, const char *type)
{
    for (; ids; ids = ids->next)
        if (cph_str_is_fold(ids->type, type) &&
            (cph_str_starts(ids->value, "URN:") || cph_str_starts(ids->value, "urn:")))
            return ids->value;
    return (cph_str){0};
}

static cph_str first_language(const cph_mods_item *list)
{
    for (; list; list = list->next)
        if (!list->type.n) return list->value;
    return (cph_str){0};
}

static bool is_translation(const cph_mods *m)
{
    for (const cph_mods_item *l = m->languages; l; l = l->next)
        if (cph_str_is_fold(l->type, "translation")) return true;
    return false;
}

static cph_str title_of(const cph_mods *m)
{
    for (const cph_mods_item *t = m->titles; t; t = t->next)
        if (!t->type.n) return t->value;
    return (cph_str){0};
}

static void member(cph_jw *w, const char *key, cph_str value)
{
    if (!value.n) return;
    cph_jw_key(w, key);
    cph_jw_str(w, value);
}

static void date(cph_jw *w, const char *key, cph_str value)
{
    cph_date d;
    if (!value.n || cph_date_parse(&d, value, CPH_STR("catalogue"), NULL) != CPH_OK) return;
    cph_jw_key(w, key);
    cph_jw_obj(w);
    member(w, "value", value);
    member(w, "source", CPH_STR("catalogue"));
    cph_jw_end(w);
}

static void contributors(cph_jw *w, const cph_mods *m)
{
    bool any = false;
    for (const cph_mods_name *n = m->names; n; n = n->next) {
        cph_str birth, death;
        const char *role = role_of_name(n);
        if (!*role) continue;
        if (!any) {
            cph_jw_key(w, "contributors");
            cph_jw_arr(w);
        }
        any = true;
        cph_mods_life(n->dates, &birth, &death);
        cph_jw_obj(w);
        member(w, "role", cph_str_of(role));
        member(w, "name", n->name);
        date(w, "birth", birth);
        date(w, "death", death);
        cph_jw_end(w);
    }
    if (any) cph_jw_end(w);
}

static void work_facts(cph_jw *w, const mods_facts *f, const cph_mods *m, bool newspaper)
{
    cph_jw_obj(w);
    member(w, "urn", f->urn);
    member(w, "title", f->title);
    member(w, "language", f->language);
    if (newspaper) {
        member(w, "form", CPH_STR("newspaper_issue"));
        if (m->issued) date(w, "pub", m->issued->value);
    }
    if (m->issued) member(w, "published", CPH_STR("yes"));
    contributors(w, m);
    if (is_translation(m)) {
        cph_jw_key(w, "flags");
        cph_jw_obj(w);
        member(w, "translation", CPH_STR("yes"));
        cph_jw_end(w);
    }
    cph_jw_end(w);
}

/* Four digits alone: no year is read out of "[ca. 1850]" or "18--". */
static bool is_year(cph_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return s.n == 4;
}

static void edition_facts(cph_jw *w, const mods_facts *f, const cph_mods *m)
{
    cph_str issued = m->issued ? m->issued->value : (cph_str){0};
    cph_jw_obj(w);
    member(w, "urn", urn_of(m->identifiers, "edition-urn"));
    if (f->urn.n) {
        cph_jw_key(w, "works");
        cph_jw_arr(w);
        cph_jw_str(w, f->urn);
        cph_jw_end(w);
    }
    member(w, "issued", issued);
    if (is_year(cph_str_sub(issued, 0, 4)) && (issued.n == 4 || issued.p[4] == '-'))
        member(w, "year", cph_str_sub(issued, 0, 4));
    member(w, "publisher", m->publisher);
    member(w, "place", cph_mods_find(m->places, "text"));
    member(w, "edition", m->edition);
    cph_jw_end(w);
}

cph_status cph_mods_to_facts(mods_facts *out, cph_arena *a, const cph_mods *m, bool newspaper, cph_err *err)
{
    mods_facts f = {.urn = urn_of(m->identifiers, "urn"), .title = title_of(m),
                    .language = cph_language_of(first_language(m->languages))};
    cph_buf b;
    cph_buf_init(&b, (size_t)16 << 20);
    cph_jw w = cph_jw_on(&b);
    work_facts(&w, &f, m, newspaper);
    cph_status s = cph_jw_done(&w, err);
    if (s == CPH_OK && b.n > 2) s = cph_arena_str(a, &f.work_json, cph_buf_view(&b), err);
    b.n = 0;
    w = cph_jw_on(&b);
    edition_facts(&w, &f, m);
    if (s == CPH_OK) s = cph_jw_done(&w, err);
    if (s == CPH_OK && b.n > 2) s = cph_arena_str(a, &f.edition_json, cph_buf_view(&b), err);
    cph_buf_release(&b);
    if (s == CPH_OK) *out = f;
    return s;
}

/* ---- MODS in a METS ---- */

/* How much a record says of the printed work: the electronic copy's own record says little. */
static int weight(const cph_mods *m)
{
    return (urn_of(m->identifiers, "urn").n ? 8 : 0) + (m->names ? 4 : 0) + (m->issued ? 2 : 0) +
           (m->titles ? 1 : 0);
}

static bool refers(const cph_mets_div *d, cph_str id)
{
    cph_str rest = d->dmdid, one;
    while (rest.n && cph_str_split(&rest, ' ', &one))
        if (cph_str_eq(one, id)) return true;
    return false;
}

/* The root, or the only child below it, names the record: chapters and pictures have records of their own. */
static bool describes_whole(const cph_mets *m, cph_str id)
{
    bool any_reference = false;
    for (const cph_mets_map *map = m->maps; map; map = map->next)
        for (const cph_mets_div *d = map->root; d; d = d->first && !d->first->next ? d->first : NULL) {
            any_reference = any_reference || d->dmdid.n;
            if (refers(d, id)) return true;
        }
    return !any_reference && m->mds && cph_str_eq(m->mds->id, id);
}

cph_status cph_mods_of_mets(cph_mods *out, cph_str *xml, cph_arena *a, const cph_mets *m, const char *file,
                            bool *found, cph_err *err)
{
    int best = -1;
    for (const cph_mets_md *md = m->mds; md; md = md->next) {
        cph_mods one;
        cph_err why = {0};
        if (!cph_str_is_fold(md->type, "MODS") || !md->xml.n || !describes_whole(m, md->id)) continue;
        cph_status s = cph_mods_parse(&one, a, md->xml, file, &why);
        if (s == CPH_NOMEM) return cph_fail(err, s, "%s", why.what);
        if (s != CPH_OK || one.empty || weight(&one) <= best) continue;
        best = weight(&one);
        *out = one;
        *xml = md->xml;
    }
    *found = best >= 0;
    return CPH_OK;
}

bool cph_mets_is_newspaper(const cph_mets *m, const cph_mods *mods)
{
    if (m && (cph_str_is_fold(m->type, "Newspaper") || cph_str_is_fold(m->type, "METAe_Serial") ||
              cph_str_ends(m->type, "newspaper:issue")))
        return true;
    for (const cph_mods_item *g = mods ? mods->genres : NULL; g; g = g->next)
        if (cph_str_is_fold(g->value, "newspaper") || cph_str_is_fold(g->value, "avis")) return true;
    return false;
}

/* ---- as found ---- */

static void items(cph_jw *w, const char *key, const cph_mods_item *list)
{
    if (!list) return;
    cph_jw_key(w, key);
    cph_jw_arr(w);
    for (; list; list = list->next) {
        cph_jw_obj(w);
        member(w, "value", list->value);
        member(w, "type", list->type);
        member(w, "authority", list->authority);
        cph_jw_end(w);
    }
    cph_jw_end(w);
}

void cph_mods_write(cph_jw *w, const cph_mods *m)
{
    cph_jw_obj(w);
    items(w, "titles", m->titles);
    if (m->names) {
        cph_jw_key(w, "names");
        cph_jw_arr(w);
        for (const cph_mods_name *n = m->names; n; n = n->next) {
            cph_jw_obj(w);
            member(w, "name", n->name);
            member(w, "type", n->type);
            member(w, "dates", n->dates);
            items(w, "roles", n->roles);
            items(w, "ids", n->ids);
            cph_jw_end(w);
        }
        cph_jw_end(w);
    }
    items(w, "languages", m->languages);
    items(w, "genres", m->genres);
    items(w, "identifiers", m->identifiers);
    items(w, "places", m->places);
    items(w, "issued", m->issued);
    items(w, "access", m->access);
    member(w, "publisher", m->publisher);
    member(w, "edition", m->edition);
    member(w, "date_created", m->date_created);
    member(w, "copyright_date", m->copyright_date);
    cph_jw_end(w);
}
