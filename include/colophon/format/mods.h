/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mods.h - a MODS record, as catalogues write it (readers-and-corpus 14).
 *
 * Only what is said of the resource itself: titles, names with dates and roles,
 * origin, languages, genres and identifiers that are children of `mods`; what
 * stands inside relatedItem, subject or recordInfo is about something else.
 *
 * Threads  Values.  Memory  Lists live in the arena; spans may borrow from the input.
 * Errors   CPH_DATA where the XML is broken.
 */
#ifndef CPH_FORMAT_MODS_H
#define CPH_FORMAT_MODS_H

#include <colophon/format/xml.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_mods_item cph_mods_item;
struct cph_mods_item {
    cph_str value, type, authority; /* type: attribute `type`, or `objectPart` of a language */
    cph_mods_item *next;
};

typedef struct cph_mods_name cph_mods_name;
struct cph_mods_name {
    cph_str type;   /* personal, corporate, ... */
    cph_str name;   /* whole, or "family, given" */
    cph_str dates;  /* namePart type="date": "1799-1889" */
    cph_str family, given, terms;
    cph_mods_item *roles; /* type: code or text */
    cph_mods_item *ids;   /* nameIdentifier */
    cph_mods_name *next;
};

typedef struct cph_mods {
    cph_mods_item *titles;     /* type empty: the title proper; "subTitle", "alternative", ... */
    cph_mods_name *names;
    cph_mods_item *languages, *genres, *identifiers;
    cph_mods_item *places;     /* type: code or text */
    cph_mods_item *issued;     /* dateIssued; type: its point attribute */
    cph_mods_item *access;     /* accessCondition, empty ones too */
    cph_str publisher, edition, date_created, copyright_date;
    bool empty;                /* nothing of the above was said */
} cph_mods;

/* `xml` may hold a whole file, xmlData's content, or a collection (its first record is read). */
CPH_API cph_status cph_mods_parse(cph_mods *out, cph_arena *a, cph_str xml, const char *file,
                                  cph_err *err) CPH_MUST_USE;
/* The first item of that type (fold case), or the empty string. */
CPH_API cph_str cph_mods_find(const cph_mods_item *list, const char *type);

/* "1799-1889", "1799-", "-1889", "f. 1799", "1799": years as written, empty where not given. */
CPH_API void cph_mods_life(cph_str dates, cph_str *birth, cph_str *death);

#ifdef __cplusplus
}
#endif
#endif
