/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mods.c - the parts of a MODS record that Colophon uses.
 * What must stay true: only children of `mods` count; names inside subject or
 * relatedItem are not contributors of the work.
 */
#include "format_in.h"

#include <colophon/format/mods.h>

#include <string.h>

typedef struct building {
    cph_mods m;
    cph_xml x;
    cph_arena *a;
} building;

static cph_status item(building *b, cph_mods_item **list, cph_str value, cph_str type, cph_str authority,
                       cph_err *err)
{
    void *p;
    CPH_TRY(cph_arena_alloc0(b->a, &p, 1, sizeof(cph_mods_item), err));
    cph_mods_item *i = p;
    *i = (cph_mods_item){.value = value, .type = type, .authority = authority};
    while (*list) list = &(*list)->next;
    *list = i;
    return CPH_OK;
}

/* The element's text as an item of the list, typed by the attribute `by`. */
static cph_status text_item(building *b, cph_mods_item **list, const char *by, bool keep_empty, cph_err *err)
{
    cph_str text, type, authority;
    CPH_TRY(cph_xml_attr_text(&b->x, b->a, by, &type, err));
    CPH_TRY(cph_xml_attr_text(&b->x, b->a, "authority", &authority, err));
    CPH_TRY(cph_xml_text_of(&b->x, b->a, &text, err));
    return text.n || keep_empty ? item(b, list, text, type, authority, err) : CPH_OK;
}

/* Calls `child` at each START one level below the element just opened, until its CLOSE. */
typedef cph_status (*child_fn)(building *b, void *ctx, cph_err *err);
static cph_status children(building *b, child_fn child, void *ctx, cph_err *err)
{
    uint32_t depth = b->x.depth;
    while (b->x.depth >= depth) {
        CPH_TRY(cph_xml_next(&b->x, err));
        if (b->x.kind != CPH_XML_START) continue;
        CPH_TRY(child(b, ctx, err));
        while (b->x.depth > depth) CPH_TRY(cph_xml_next(&b->x, err)); /* what the child left over */
    }
    return CPH_OK;
}

static cph_status in_title(building *b, void *ctx, cph_err *err)
{
    cph_str kind = *(cph_str *)ctx, text;
    static const char *const parts[] = {"title", "subTitle", "nonSort", "partNumber", "partName"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!cph_str_is(b->x.name, parts[i])) continue;
        cph_str type = kind.n ? kind : i == 0 ? (cph_str){0} : cph_str_of(parts[i]);
        CPH_TRY(cph_xml_text_of(&b->x, b->a, &text, err));
        return text.n ? item(b, &b->m.titles, text, type, (cph_str){0}, err) : CPH_OK;
    }
    return CPH_OK;
}

static cph_status in_role(building *b, void *ctx, cph_err *err)
{
    cph_mods_name *n = ctx;
    return cph_str_is(b->x.name, "roleTerm") ? text_item(b, &n->roles, "type", false, err) : CPH_OK;
}

static cph_status in_name(building *b, void *ctx, cph_err *err)
{
    cph_mods_name *n = ctx;
    cph_str type, text;
    if (cph_str_is(b->x.name, "role")) return children(b, in_role, n, err);
    if (cph_str_is(b->x.name, "nameIdentifier")) return text_item(b, &n->ids, "type", false, err);
    if (!cph_str_is(b->x.name, "namePart")) return CPH_OK;
    CPH_TRY(cph_xml_attr_text(&b->x, b->a, "type", &type, err));
    CPH_TRY(cph_xml_text_of(&b->x, b->a, &text, err));
    if (!text.n) return CPH_OK;
    cph_str *to = cph_str_is(type, "date")             ? &n->dates
                  : cph_str_is(type, "family")         ? &n->family
                  : cph_str_is(type, "given")          ? &n->given
                  : cph_str_is(type, "termsOfAddress") ? &n->terms
                                                       : &n->name;
    if (to == &n->name && n->name.n) /* several untyped parts are one name, as with corporate bodies */
        return cph_arena_printf(b->a, &n->name, err, "%.*s. %.*s", CPH_FMT(n->name), CPH_FMT(text));
    if (!to->n) *to = text;
    return CPH_OK;
}

static cph_status name(building *b, cph_err *err)
{
    void *p;
    CPH_TRY(cph_arena_alloc0(b->a, &p, 1, sizeof(cph_mods_name), err));
    cph_mods_name *n = p, **end = &b->m.names;
    CPH_TRY(cph_xml_attr_text(&b->x, b->a, "type", &n->type, err));
    CPH_TRY(children(b, in_name, n, err));
    if (!n->name.n && n->family.n && n->given.n)
        CPH_TRY(cph_arena_printf(b->a, &n->name, err, "%.*s, %.*s", CPH_FMT(n->family), CPH_FMT(n->given)));
    if (!n->name.n) n->name = n->family.n ? n->family : n->given;
    if (!n->name.n) return CPH_OK;
    while (*end) end = &(*end)->next;
    *end = n;
    return CPH_OK;
}

static cph_status in_place(building *b, void *ctx, cph_err *err)
{
    (void)ctx;
    return cph_str_is(b->x.name, "placeTerm") ? text_item(b, &b->m.places, "type", false, err) : CPH_OK;
}

static cph_status first_text(building *b, cph_str *to, cph_err *err)
{
    cph_str text;
    CPH_TRY(cph_xml_text_of(&b->x, b->a, &text, err));
    if (!to->n) *to = text;
    return CPH_OK;
}

static cph_status in_origin(building *b, void *ctx, cph_err *err)
{
    (void)ctx;
    cph_str n = b->x.name;
    if (cph_str_is(n, "place")) return children(b, in_place, NULL, err);
    if (cph_str_is(n, "dateIssued")) return text_item(b, &b->m.issued, "point", false, err);
    if (cph_str_is(n, "publisher")) return first_text(b, &b->m.publisher, err);
    if (cph_str_is(n, "edition")) return first_text(b, &b->m.edition, err);
    if (cph_str_is(n, "dateCreated")) return first_text(b, &b->m.date_created, err);
    if (cph_str_is(n, "copyrightDate")) return first_text(b, &b->m.copyright_date, err);
    return CPH_OK;
}

/* languageTerms of one `language`; objectPart="translation" marks the original's language. */
static cph_status in_language(building *b, void *ctx, cph_err *err)
{
    cph_str part = *(cph_str *)ctx, text, authority;
    if (!cph_str_is(b->x.name, "languageTerm")) return CPH_OK;
    CPH_TRY(cph_xml_attr_text(&b->x, b->a, "authority", &authority, err));
    CPH_TRY(cph_xml_text_of(&b->x, b->a, &text, err));
    return text.n ? item(b, &b->m.languages, text, part, authority, err) : CPH_OK;
}

static cph_status in_record(building *b, void *ctx, cph_err *err)
{
    (void)ctx;
    cph_str n = b->x.name, type;
    if (cph_str_is(n, "titleInfo")) {
        CPH_TRY(cph_xml_attr_text(&b->x, b->a, "type", &type, err));
        return children(b, in_title, &type, err);
    }
    if (cph_str_is(n, "name")) return name(b, err);
    if (cph_str_is(n, "originInfo")) return children(b, in_origin, NULL, err);
    if (cph_str_is(n, "language")) {
        CPH_TRY(cph_xml_attr_text(&b->x, b->a, "objectPart", &type, err));
        return children(b, in_language, &type, err);
    }
    if (cph_str_is(n, "genre")) return text_item(b, &b->m.genres, "type", false, err);
    if (cph_str_is(n, "identifier")) return text_item(b, &b->m.identifiers, "type", false, err);
    if (cph_str_is(n, "accessCondition")) return text_item(b, &b->m.access, "type", true, err);
    return CPH_OK;
}

cph_status cph_mods_parse(cph_mods *out, cph_arena *a, cph_str xml, const char *file, cph_err *err)
{
    void *p;
    CPH_TRY(cph_arena_alloc0(a, &p, 1, sizeof(building), err));
    building *b = p;
    b->a = a;
    cph_xml_init(&b->x, xml, file);
    cph_status s;
    while ((s = cph_xml_next(&b->x, err)) == CPH_OK)
        if (b->x.kind == CPH_XML_START && cph_str_is(b->x.name, "mods")) {
            s = children(b, in_record, NULL, err);
            break;
        }
    if (s == CPH_END) s = cph_fail(err, CPH_DATA, "%s: no whole mods record", file);
    if (s != CPH_OK) return s;
    cph_mods *m = &b->m;
    m->empty = !m->titles && !m->names && !m->languages && !m->genres && !m->identifiers && !m->places &&
               !m->issued && !m->access && !m->publisher.n && !m->edition.n && !m->date_created.n &&
               !m->copyright_date.n;
    *out = *m;
    return CPH_OK;
}

cph_str cph_mods_find(const cph_mods_item *list, const char *type)
{
    for (; list; list = list->next)
        if (cph_str_is_fold(list->type, type)) return list->value;
    return (cph_str){0};
}

/* The four digits that begin at or after `from`, or the empty string. */
static cph_str year(cph_str s, size_t from)
{
    size_t run = 0;
    for (size_t i = from; i <= s.n; i++) {
        if (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') {
            run++;
            continue;
        }
        if (run == 4) return cph_str_sub(s, i - 4, 4);
        run = 0;
    }
    return (cph_str){0};
}

void cph_mods_life(cph_str dates, cph_str *birth, cph_str *death)
{
    cph_str s = cph_str_trim(dates);
    size_t dash = cph_str_find(s, '-', 0), after = dash == SIZE_MAX ? s.n : dash + 1;
    if (dash == SIZE_MAX) { /* an en dash serves too */
        const char *en = s.n ? memmem(s.p, s.n, "\xE2\x80\x93", 3) : NULL;
        if (en) {
            dash = (size_t)(en - s.p);
            after = dash + 3;
        }
    }
    *birth = year(cph_str_sub(s, 0, dash == SIZE_MAX ? s.n : dash), 0);
    *death = year(s, after);
    if (dash == SIZE_MAX && (cph_str_starts(s, "d. ") || cph_str_starts(s, "d\xC3\xB8" "d "))) {
        *death = *birth;
        *birth = (cph_str){0};
    }
}
