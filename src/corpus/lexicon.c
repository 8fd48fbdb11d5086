/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lexicon.c - how often each unbroken word stands in the permitted objects of a
 * language (HYP-06). Each worker counts into a table of its own; a full table
 * becomes a sorted run in a file; the runs are merged into one sorted list
 * "lang TAB word TAB count LF". Counts are sums, so the list, and its digest, do
 * not depend on who counted what.
 */
#include <colophon/base/memory.h>
#include <colophon/text/unicode.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "corpus_in.h"

#define WORD_MAX 96      /* bytes; what is longer is no word */
#define STRIDE 64        /* entries between two that the index knows */
#define LINE_MAX 256

typedef struct entry {
    cph_str key; /* lang TAB word */
    uint64_t n;
} entry;

typedef struct table {
    entry *at;  /* open addressing */
    size_t n, cap;
    cph_arena keys;
    cph_buf form, key;
} table;

struct cph_lexicon {
    char dir[CPH_PATH_MAX];
    table *tables;
    unsigned n_tables;
    size_t max_keys; /* of a table, in bytes */
    uint32_t n_runs;
    cph_map map;     /* the finished list */
    uint64_t *index; /* where every STRIDE-th entry begins */
    size_t n_index, index_cap;
    bool finished;
};

cph_status cph_lexicon_open(cph_lexicon **out, const char *dir, unsigned n_workers, uint64_t budget,
                            cph_err *err)
{
    void *mem, *tables;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_lexicon), err));
    cph_status s = cph_alloc0(&tables, n_workers * sizeof(table), err);
    if (s != CPH_OK) {
        cph_free(mem);
        return s;
    }
    cph_lexicon *l = mem;
    memcpy(l->dir, dir, strlen(dir) + 1);
    l->tables = tables;
    l->n_tables = n_workers;
    l->max_keys = (size_t)(budget / n_workers / 2);
    for (unsigned i = 0; i < n_workers; i++) {
        cph_arena_init(&l->tables[i].keys, 0);
        cph_buf_init(&l->tables[i].form, 1u << 20);
        cph_buf_init(&l->tables[i].key, 1u << 20);
    }
    *out = l;
    return CPH_OK;
}

static void path_of(const cph_lexicon *l, uint32_t run, char out[CPH_PATH_MAX])
{
    int n = run == UINT32_MAX ? snprintf(out, CPH_PATH_MAX, "%s/lexicon", l->dir)
                              : snprintf(out, CPH_PATH_MAX, "%s/lexicon.%u", l->dir, run);
    if (n < 0 || n >= CPH_PATH_MAX) out[0] = 0;
}

void cph_lexicon_close(cph_lexicon *l)
{
    char path[CPH_PATH_MAX];
    if (!l) return;
    cph_map_close(&l->map);
    for (unsigned i = 0; i < l->n_tables; i++) {
        cph_free(l->tables[i].at);
        cph_arena_release(&l->tables[i].keys);
        cph_buf_release(&l->tables[i].form);
        cph_buf_release(&l->tables[i].key);
    }
    for (uint32_t i = 0; i <= l->n_runs; i++) {
        path_of(l, i == l->n_runs ? UINT32_MAX : i, path);
        unlink(path);
    }
    cph_free(l->tables);
    cph_free(l->index);
    cph_free(l);
}

cph_status cph_lexicon_form(cph_buf *out, cph_str token, cph_err *err)
{
    const unsigned inner = CPH_CHAR_LETTER | CPH_CHAR_NUMBER | CPH_CHAR_MARK;
    size_t from = SIZE_MAX, to = 0;
    uint32_t cp;
    for (size_t i = 0, n; i < token.n && (n = cph_utf8_decode(token.p + i, token.n - i, &cp)) != 0; i += n)
        if (cph_char_is(cp, inner)) {
            if (from == SIZE_MAX) from = i;
            to = i + n;
        }
    if (from == SIZE_MAX) return CPH_OK;
    return cph_lower(out, (cph_str){token.p + from, to - from}, err);
}

/* ---- counting ---- */

static entry *slot_of(table *t, cph_str key)
{
    size_t i = (size_t)cph_xxh3(key.p, key.n, 0) & (t->cap - 1);
    while (t->at[i].n && !cph_str_eq(t->at[i].key, key)) i = (i + 1) & (t->cap - 1);
    return &t->at[i];
}

static cph_status grow(table *t, cph_err *err)
{
    size_t cap = t->cap ? t->cap * 2 : 4096;
    void *p;
    CPH_TRY(cph_alloc0(&p, cap * sizeof(entry), err));
    entry *old = t->at;
    size_t n = t->cap;
    t->at = p;
    t->cap = cap;
    for (size_t i = 0; i < n; i++)
        if (old[i].n) *slot_of(t, old[i].key) = old[i];
    cph_free(old);
    return CPH_OK;
}

static int by_key(const void *a, const void *b)
{
    return cph_str_cmp(((const entry *)a)->key, ((const entry *)b)->key);
}

static cph_status write_entry(cph_out *o, cph_str key, uint64_t n, cph_err *err)
{
    char tail[24];
    int len = snprintf(tail, sizeof tail, "\t%llu\n", (unsigned long long)n);
    CPH_TRY(cph_out_write(o, key.p, key.n, err));
    return cph_out_write(o, tail, (size_t)len, err);
}

/* Empties a table into a run. */
static cph_status spill(cph_lexicon *l, table *t, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_out o;
    size_t n = 0;
    for (size_t i = 0; i < t->cap; i++)
        if (t->at[i].n) t->at[n++] = t->at[i];
    if (n) qsort(t->at, n, sizeof(entry), by_key);
    path_of(l, __atomic_fetch_add(&l->n_runs, 1, __ATOMIC_RELAXED), path);
    CPH_TRY(cph_out_open(&o, path, err));
    cph_status s = CPH_OK;
    for (size_t i = 0; s == CPH_OK && i < n; i++) s = write_entry(&o, t->at[i].key, t->at[i].n, err);
    if (s == CPH_OK) s = cph_out_close(&o, err);
    if (s != CPH_OK) cph_out_abandon(&o);
    if (t->cap) memset(t->at, 0, t->cap * sizeof(entry));
    t->n = 0;
    cph_arena_reset(&t->keys);
    return s;
}

cph_status cph_lexicon_add(cph_lexicon *l, unsigned worker, cph_str lang, cph_str word, cph_err *err)
{
    table *t = &l->tables[worker];
    t->key.n = 0;
    CPH_TRY(cph_buf_str(&t->key, lang, err));
    CPH_TRY(cph_buf_char(&t->key, '\t', err));
    size_t stem = t->key.n;
    CPH_TRY(cph_lexicon_form(&t->key, word, err));
    if (t->key.n == stem || t->key.n - stem > WORD_MAX) return CPH_OK;
    if (memchr(t->key.p + stem, '\t', t->key.n - stem) || memchr(t->key.p + stem, '\n', t->key.n - stem))
        return CPH_OK;
    if (t->n * 2 >= t->cap) {
        if (t->keys.used_bytes + t->cap * sizeof(entry) > l->max_keys && t->n) CPH_TRY(spill(l, t, err));
        else CPH_TRY(grow(t, err));
    }
    entry *e = slot_of(t, cph_buf_view(&t->key));
    if (!e->n) {
        cph_str key;
        CPH_TRY(cph_arena_str(&t->keys, &key, cph_buf_view(&t->key), err));
        e->key = key;
        t->n++;
    }
    e->n++;
    return CPH_OK;
}

cph_status cph_lexicon_page(cph_lexicon *l, unsigned worker, cph_str lang, const cph_page *p, cph_err *err)
{
    bool broken = false; /* the last line ended inside a word */
    for (uint32_t b = 0; b < p->n_blocks; b++) {
        const cph_block *k = &p->blocks[b];
        if (cph_role_dropped(k->role)) continue;
        for (uint32_t i = 0; i < k->n_lines; i++) {
            const cph_line *line = &p->lines[k->first_line + i];
            for (uint32_t j = 0; j < line->n_tokens; j++) {
                const cph_token *t = &p->tokens[line->first_token + j];
                bool second = j == 0 && broken;
                bool first =
                    t->hyphen == CPH_HYP_PART1 || (j + 1 == line->n_tokens && cph_hyphen_ends(t, true));
                broken = first;
                if (first || second || t->hyphen == CPH_HYP_PART2) continue;
                CPH_TRY(cph_lexicon_add(l, worker, lang, t->text, err));
            }
        }
    }
    return CPH_OK;
}

/* ---- the merge ---- */

typedef struct source {
    cph_lines *lines;
    cph_buf key;
    uint64_t n;
    bool ended;
} source;

static cph_status advance(source *s, cph_err *err)
{
    cph_str line;
    cph_status got = cph_lines_next(s->lines, &line, err);
    s->ended = got == CPH_END;
    if (got != CPH_OK) return s->ended ? CPH_OK : got;
    size_t tab = line.n;
    while (tab > 0 && line.p[tab - 1] != '\t') tab--;
    s->key.n = 0;
    CPH_TRY(cph_buf_add(&s->key, line.p, tab ? tab - 1 : 0, err));
    if (!cph_str_u64(cph_str_sub(line, tab, line.n), &s->n))
        return cph_fail(err, CPH_BUG, "the lexicon's run is no run");
    return CPH_OK;
}

static cph_status note(cph_lexicon *l, uint64_t at, cph_err *err)
{
    if (l->n_index == l->index_cap) {
        void *p = l->index;
        CPH_TRY(cph_realloc(&p, (l->index_cap * 2 + 64) * sizeof *l->index, err));
        l->index = p;
        l->index_cap = l->index_cap * 2 + 64;
    }
    l->index[l->n_index++] = at;
    return CPH_OK;
}

/* The runs are few (a run is megabytes of distinct words), so the least is found by looking at each. */
static cph_status merge(cph_lexicon *l, source *runs, cph_out *o, cph_err *err)
{
    cph_buf key;
    cph_buf_init(&key, LINE_MAX);
    cph_status s = CPH_OK;
    for (uint64_t k = 0; s == CPH_OK; k++) {
        source *least = NULL;
        uint64_t sum = 0;
        for (uint32_t i = 0; i < l->n_runs; i++)
            if (!runs[i].ended &&
                (!least || cph_str_cmp(cph_buf_view(&runs[i].key), cph_buf_view(&least->key)) < 0))
                least = &runs[i];
        if (!least) break;
        key.n = 0;
        s = cph_buf_str(&key, cph_buf_view(&least->key), err);
        for (uint32_t i = 0; s == CPH_OK && i < l->n_runs; i++)
            if (!runs[i].ended && cph_str_eq(cph_buf_view(&runs[i].key), cph_buf_view(&key))) {
                sum += runs[i].n;
                s = advance(&runs[i], err);
            }
        if (s == CPH_OK && k % STRIDE == 0) s = note(l, o->n_bytes, err);
        if (s == CPH_OK) s = write_entry(o, cph_buf_view(&key), sum, err);
    }
    cph_buf_release(&key);
    return s;
}

static cph_status open_sources(cph_lexicon *l, source *runs, cph_err *err)
{
    char path[CPH_PATH_MAX];
    for (uint32_t i = 0; i < l->n_runs; i++) {
        cph_buf_init(&runs[i].key, LINE_MAX);
        path_of(l, i, path);
        CPH_TRY(cph_lines_open(&runs[i].lines, path, LINE_MAX, err));
        CPH_TRY(advance(&runs[i], err));
    }
    return CPH_OK;
}

cph_status cph_lexicon_finish(cph_lexicon *l, cph_digest *digest, cph_err *err)
{
    char path[CPH_PATH_MAX];
    void *mem;
    cph_out o = {.fd = -1};
    for (unsigned i = 0; i < l->n_tables; i++) {
        if (l->tables[i].n) CPH_TRY(spill(l, &l->tables[i], err));
        cph_free(l->tables[i].at);
        l->tables[i].at = NULL;
        l->tables[i].cap = 0;
        cph_arena_release(&l->tables[i].keys);
    }
    CPH_TRY(cph_alloc0(&mem, (l->n_runs + 1) * sizeof(source), err));
    source *runs = mem;
    path_of(l, UINT32_MAX, path);
    cph_status s = open_sources(l, runs, err);
    if (s == CPH_OK) s = cph_out_open(&o, path, err);
    if (s == CPH_OK) s = merge(l, runs, &o, err);
    if (s == CPH_OK) s = cph_out_close(&o, err);
    if (s != CPH_OK) cph_out_abandon(&o);
    for (uint32_t i = 0; i < l->n_runs; i++) {
        cph_lines_close(runs[i].lines);
        cph_buf_release(&runs[i].key);
    }
    cph_free(runs);
    if (s == CPH_OK) s = cph_map_open(&l->map, path, err);
    if (s != CPH_OK) return s;
    *digest = cph_sha256_of(l->map.p, (size_t)l->map.n_bytes);
    l->finished = true;
    return CPH_OK;
}

/* ---- asking ---- */

static cph_str line_at(const cph_lexicon *l, uint64_t at)
{
    const char *p = (const char *)l->map.p + at, *lf = memchr(p, '\n', (size_t)(l->map.n_bytes - at));
    return (cph_str){p, lf ? (size_t)(lf - p) : (size_t)(l->map.n_bytes - at)};
}

static cph_str key_of(cph_str line)
{
    while (line.n && line.p[line.n - 1] != '\t') line.n--;
    return (cph_str){line.p, line.n ? line.n - 1 : 0};
}

static uint64_t find(const cph_lexicon *l, cph_str key)
{
    size_t low = 0, high = l->n_index;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (cph_str_cmp(key_of(line_at(l, l->index[mid])), key) <= 0) low = mid;
        else high = mid;
    }
    uint64_t at = l->n_index ? l->index[low] : 0, n = 0;
    for (int i = 0; i < STRIDE && at < l->map.n_bytes; i++) {
        cph_str line = line_at(l, at), k = key_of(line);
        if (cph_str_eq(k, key) && cph_str_u64(cph_str_sub(line, k.n + 1, line.n), &n)) return n;
        at += line.n + 1;
    }
    return 0;
}

cph_status cph_lexicon_count(const cph_lexicon *l, cph_str lang, cph_str word, uint64_t *n, cph_err *err)
{
    cph_buf key;
    cph_buf_init(&key, 1u << 20);
    cph_status s = cph_buf_str(&key, lang, err);
    if (s == CPH_OK) s = cph_buf_char(&key, '\t', err);
    if (s == CPH_OK) s = cph_lexicon_form(&key, word, err);
    if (s == CPH_OK) *n = find(l, cph_buf_view(&key));
    cph_buf_release(&key);
    return s;
}
