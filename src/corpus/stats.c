/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.c - what a corpus holds by language, decade, type and right: counted while
 * it is written, sorted before anybody sees it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus_in.h"

#define MAX_ROWS 65536 /* distinct combinations */

void cph_stats_init(cph_stats *s)
{
    *s = (cph_stats){0};
    cph_arena_init(&s->a, (size_t)64 << 20);
}

void cph_stats_release(cph_stats *s)
{
    cph_arena_release(&s->a);
    *s = (cph_stats){0};
}

static int by_group(const void *a, const void *b)
{
    const cph_stats_row *x = a, *y = b;
    int order = cph_str_cmp(x->lang, y->lang);
    if (!order) order = (x->decade > y->decade) - (x->decade < y->decade);
    if (!order) order = cph_str_cmp(x->type, y->type);
    return order ? order : cph_str_cmp(x->basis, y->basis);
}

static cph_status find_row(cph_stats *s, const cph_stats_row *row, cph_stats_row **out, cph_err *err)
{
    void *mem;
    for (size_t i = s->n; i-- > 0;)
        if (by_group(&s->rows[i], row) == 0) {
            *out = &s->rows[i];
            return CPH_OK;
        }
    if (s->n == MAX_ROWS)
        return cph_fail(err, CPH_NOMEM,
                        "the corpus has more than %d combinations of language, decade, type and right",
                        MAX_ROWS);
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        CPH_TRY(cph_arena_alloc(&s->a, &mem, cap * sizeof *s->rows, err));
        if (s->n) memcpy(mem, s->rows, s->n * sizeof *s->rows);
        s->rows = mem;
        s->cap = cap;
    }
    cph_stats_row *r = &s->rows[s->n];
    *r = (cph_stats_row){.decade = row->decade};
    CPH_TRY(cph_arena_str(&s->a, &r->lang, row->lang, err));
    CPH_TRY(cph_arena_str(&s->a, &r->type, row->type, err));
    CPH_TRY(cph_arena_str(&s->a, &r->basis, row->basis, err));
    s->n++;
    *out = r;
    return CPH_OK;
}

cph_status cph_stats_add(cph_stats *s, const cph_stats_row *row, cph_err *err)
{
    cph_stats_row *r = NULL;
    CPH_TRY(find_row(s, row, &r, err));
    r->records += row->records;
    r->documents += row->documents;
    r->words += row->words;
    r->chars += row->chars;
    return CPH_OK;
}

void cph_stats_sort(cph_stats *s)
{
    if (s->n) qsort(s->rows, s->n, sizeof *s->rows, by_group);
}

/* RFC 4180: quotes around what has a comma, a quote or a line end. */
static cph_status put_cell(cph_buf *b, cph_str s, cph_err *err)
{
    bool plain = true;
    for (size_t i = 0; i < s.n; i++) plain = plain && !memchr(",\"\r\n", s.p[i], 4);
    if (plain) CPH_TRY(cph_buf_str(b, s, err));
    else CPH_TRY(cph_buf_char(b, '"', err));
    for (size_t i = 0; !plain && i < s.n; i++) {
        if (s.p[i] == '"') CPH_TRY(cph_buf_char(b, '"', err));
        CPH_TRY(cph_buf_char(b, s.p[i], err));
    }
    if (!plain) CPH_TRY(cph_buf_char(b, '"', err));
    return cph_buf_char(b, ',', err);
}

static cph_status put_rows(const cph_stats *s, cph_buf *b, cph_err *err)
{
    CPH_TRY(cph_buf_z(b, "language,decade,type,basis,records,documents,words,characters\n", err));
    for (size_t i = 0; i < s->n; i++) {
        const cph_stats_row *r = &s->rows[i];
        CPH_TRY(put_cell(b, r->lang, err));
        if (r->decade) CPH_TRY(cph_buf_printf(b, err, "%d", r->decade));
        CPH_TRY(cph_buf_char(b, ',', err));
        CPH_TRY(put_cell(b, r->type, err));
        CPH_TRY(put_cell(b, r->basis, err));
        CPH_TRY(cph_buf_printf(b, err, "%llu,%llu,%llu,%llu\n", (unsigned long long)r->records,
                               (unsigned long long)r->documents, (unsigned long long)r->words,
                               (unsigned long long)r->chars));
    }
    return CPH_OK;
}

cph_status cph_stats_write(const cph_stats *s, const char *path, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, (size_t)64 << 20);
    cph_status status = put_rows(s, &b, err);
    if (status == CPH_OK) status = cph_file_write(path, b.p, b.n, err);
    cph_buf_release(&b);
    return status;
}
