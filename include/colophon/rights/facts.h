/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts.h - what is known of a work, as data: dates, contributors, editions,
 * licences, signals, blocks (rights-and-provenance 2).
 *
 * Facts are stored and exchanged as JSON objects; these structs are their parsed
 * view. Absent stays absent: nothing is ever filled in.
 *
 * Threads  Values.  Memory  Texts and arrays live in the arena given to parse.
 * Errors   CPH_DATA names the field and the value.
 */
#ifndef CPH_RIGHTS_FACTS_H
#define CPH_RIGHTS_FACTS_H

#include <colophon/base/json.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_DATE_SOURCE_MAP(X) X(none) X(authority) X(catalogue) X(transcribed) X(inferred) X(imputed)
typedef enum cph_date_source {
#define CPH_DATE_SOURCE_ENUM(name) CPH_DATE_##name,
    CPH_DATE_SOURCE_MAP(CPH_DATE_SOURCE_ENUM)
#undef CPH_DATE_SOURCE_ENUM
        CPH_N_DATE_SOURCES
} cph_date_source;

/* A calendar day as yyyymmdd; 0 is "none". */
typedef int32_t cph_day;
CPH_API bool cph_day_parse(cph_str iso, cph_day *out); /* yyyy-mm-dd, a real day */
CPH_API void cph_day_text(cph_day d, char out[16]);

/*
 * A date as sources give it: [from, to] at day precision. "1950", "1950-03",
 * "1950-03-02", "1940/1949", and "1950|1960" (two sources that disagree: `alt`).
 */
typedef struct cph_date {
    cph_day from, to;         /* both 0: absent */
    cph_day alt_from, alt_to; /* both 0: the sources agree */
    cph_date_source source;
    cph_str raw;
} cph_date;
CPH_API bool cph_date_known(const cph_date *d);
CPH_API cph_status cph_date_parse(cph_date *out, cph_str value, cph_str source, cph_err *err) CPH_MUST_USE;
CPH_API int cph_day_year(cph_day d);

typedef struct cph_contributor {
    cph_str role, name, nationality;
    cph_date birth, death;
    cph_str flags; /* joined by '+', e.g. "unid", "living" */
} cph_contributor;

/* A work's rights facts: the JSON form is that of works.jsonl (collection/facts). */
typedef struct cph_work {
    cph_str urn, title, origin, form, published, language;
    cph_str restriction;   /* joined by '+': contract-nc contract-unread donor privacy cultural other-law */
    cph_str acquired_via;  /* as stated */
    const cph_json *facts; /* what was parsed */
    cph_date pub, made;
    cph_contributor *contributors;
    size_t n_contributors;
    const cph_json *flags; /* object: name -> value; may be NULL */
    bool conflict;         /* sources disagreed on a field that is no date */
} cph_work;
/* Is this statement of a known form? `kind`: work edition licence signal block determination version. */
CPH_API cph_status cph_fact_check(const char *kind, const cph_json *facts, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_work_parse(cph_work *out, cph_arena *a, const cph_json *facts,
                                  cph_err *err) CPH_MUST_USE;
/* "yes", "no", "unknown", ... or the empty string. */
CPH_API cph_str cph_work_flag(const cph_work *w, const char *name);

#ifdef __cplusplus
}
#endif
#endif
