/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dates.c - calendar days, and dates as sources give them (rights-and-provenance 2.1).
 * What must stay true: nothing is filled in. A year is the interval of its days, an unknown
 * part stays an interval, and a date without a source keeps CPH_DATE_none.
 */
#include "rights_in.h"

#include <stdio.h>
#include <string.h>

static const char *const source_names[] = {
#define SOURCE_NAME(name) #name,
    CPH_DATE_SOURCE_MAP(SOURCE_NAME)
#undef SOURCE_NAME
};

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool digits(cph_str s, int *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    if (!cph_str_u64(s, &v)) return false;
    *out = (int)v;
    return true;
}

/* yyyy, yyyy-mm or yyyy-mm-dd as the interval of its days. */
static bool span_of(cph_str s, cph_day *from, cph_day *to)
{
    int year, month = 0, day = 0;
    if (s.n != 4 && s.n != 7 && s.n != 10) return false;
    if (!digits(cph_str_sub(s, 0, 4), &year) || year == 0) return false;
    if (s.n >= 7 && (s.p[4] != '-' || !digits(cph_str_sub(s, 5, 2), &month) || month < 1 || month > 12))
        return false;
    if (s.n == 10 &&
        (s.p[7] != '-' || !digits(cph_str_sub(s, 8, 2), &day) || day < 1 || day > days_in(year, month)))
        return false;
    *from = year * 10000 + (month ? month : 1) * 100 + (day ? day : 1);
    *to = year * 10000 + (month ? month : 12) * 100 + (day ? day : month ? days_in(year, month) : 31);
    return true;
}

static bool interval_of(cph_str s, cph_day *from, cph_day *to)
{
    size_t slash = cph_str_find(s, '/', 0);
    cph_day unused;
    if (slash == SIZE_MAX) return span_of(s, from, to);
    return span_of(cph_str_sub(s, 0, slash), from, &unused) &&
           span_of(cph_str_sub(s, slash + 1, s.n), &unused, to) && *from <= *to;
}

bool cph_day_parse(cph_str iso, cph_day *out)
{
    cph_day from, to;
    if (iso.n != 10 || !span_of(iso, &from, &to)) return false;
    *out = from;
    return true;
}

void cph_day_text(cph_day d, char out[16])
{
    snprintf(out, 16, "%04d-%02d-%02d", d / 10000 % 10000, d / 100 % 100, d % 100);
}

int cph_day_year(cph_day d) { return d / 10000; }

cph_day cph_day_years_before(cph_day d, int years)
{
    int year = d / 10000 - years, month = d / 100 % 100, day = d % 100;
    int last = days_in(year, month);
    return year * 10000 + month * 100 + (day > last ? last : day);
}

bool cph_date_known(const cph_date *d) { return d->from != 0; }

cph_status cph_date_parse(cph_date *out, cph_str value, cph_str source, cph_err *err)
{
    cph_date d = {.raw = value};
    cph_str first = value;
    size_t bar = cph_str_find(value, '|', 0);
    if (bar != SIZE_MAX) first = cph_str_sub(value, 0, bar);
    bool ok = interval_of(first, &d.from, &d.to);
    if (ok && bar != SIZE_MAX) ok = interval_of(cph_str_sub(value, bar + 1, value.n), &d.alt_from, &d.alt_to);
    if (!ok) {
        cph_fail(err, CPH_DATA, "\"%.*s\" is no date", CPH_FMT(value));
        return cph_hint(err, "1950, 1950-03, 1950-03-02, 1940/1949, or 1950|1960 where two sources disagree");
    }
    for (size_t i = 0; i < CPH_N_DATE_SOURCES; i++) {
        if (!cph_str_is(source, source_names[i])) continue;
        d.source = (cph_date_source)i;
        *out = d;
        return CPH_OK;
    }
    if (source.n) {
        cph_fail(err, CPH_DATA, "\"%.*s\" is no source of a date", CPH_FMT(source));
        return cph_hint(err, "authority, catalogue, transcribed, inferred or imputed");
    }
    *out = d; /* a date that nobody vouches for: RR-003 */
    return CPH_OK;
}
