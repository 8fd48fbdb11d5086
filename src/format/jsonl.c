/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonl.c - JSON records one at a time. A file whose first character is '[' is
 * one array and is read whole; all else is read line by line in bounded memory.
 */
#include <colophon/base/memory.h>
#include <colophon/base/zstream.h>
#include <colophon/format/jsonl.h>

#include <string.h>

#define MAX_LINE ((size_t)256 << 20)
#define MAX_ARRAY ((size_t)2 << 30)

struct cph_jsonl {
    cph_lines *lines;
    cph_arena arena;
    const cph_json *element; /* the next one of an array */
    uint64_t line, n_replaced;
    bool array;
    char path[CPH_PATH_MAX];
};

static cph_status parse(cph_jsonl *r, cph_str text, cph_json **out, cph_err *err)
{
    cph_json_limits l;
    cph_json_limits_init(&l);
    l.replace_surrogates = true;
    CPH_TRY(cph_json_parse(out, &r->arena, text, r->path, &l, err));
    r->n_replaced += l.n_replaced;
    return CPH_OK;
}

/* True when the first character that is no white space is '['. */
static cph_status begins_array(const char *path, bool *array, cph_err *err)
{
    cph_lines *l;
    cph_str line;
    bool found = false;
    CPH_TRY(cph_lines_open(&l, path, MAX_LINE, err));
    cph_status s;
    while (!found && (s = cph_lines_next(l, &line, err)) == CPH_OK) {
        if (cph_str_starts(line, "\xEF\xBB\xBF")) line = cph_str_sub(line, 3, line.n);
        line = cph_str_trim(line);
        found = line.n != 0;
        *array = found && *line.p == '[';
    }
    cph_lines_close(l);
    return found || s == CPH_END ? CPH_OK : s;
}

static cph_status read_array(cph_jsonl *r, cph_err *err)
{
    cph_buf b;
    cph_json *v;
    cph_buf_init(&b, MAX_ARRAY);
    cph_str line;
    cph_status s;
    while ((s = cph_lines_next(r->lines, &line, err)) == CPH_OK) {
        if (b.n == 0 && cph_str_starts(line, "\xEF\xBB\xBF")) line = cph_str_sub(line, 3, line.n);
        s = cph_buf_str(&b, line, err);
        if (s == CPH_OK) s = cph_buf_char(&b, '\n', err);
        if (s != CPH_OK) break;
    }
    if (s == CPH_END) {
        cph_str copy;
        s = cph_arena_str(&r->arena, &copy, cph_buf_view(&b), err);
        if (s == CPH_OK) s = parse(r, copy, &v, err);
        if (s == CPH_OK) r->element = v->first;
    }
    cph_buf_release(&b);
    return s;
}

cph_status cph_jsonl_open(cph_jsonl **out, const char *path, cph_err *err)
{
    void *p;
    if (strlen(path) >= CPH_PATH_MAX) return cph_fail(err, CPH_USAGE, "'%.100s' is too long a path", path);
    CPH_TRY(cph_alloc0(&p, sizeof(cph_jsonl), err));
    cph_jsonl *r = p;
    cph_arena_init(&r->arena, 0);
    strcpy(r->path, path);
    cph_status s = begins_array(path, &r->array, err);
    if (s == CPH_OK) s = cph_lines_open(&r->lines, path, MAX_LINE, err);
    if (s == CPH_OK && r->array) s = read_array(r, err);
    if (s != CPH_OK) {
        cph_jsonl_close(r);
        return s;
    }
    *out = r;
    return CPH_OK;
}

void cph_jsonl_close(cph_jsonl *r)
{
    if (!r) return;
    if (r->lines) cph_lines_close(r->lines);
    cph_arena_release(&r->arena);
    cph_free(r);
}

uint64_t cph_jsonl_n_replaced(const cph_jsonl *r) { return r->n_replaced; }

cph_status cph_jsonl_next(cph_jsonl *r, const cph_json **record, uint64_t *line, cph_err *err)
{
    cph_str text;
    cph_json *v;
    if (r->array) {
        if (!r->element) return CPH_END;
        *record = r->element;
        *line = ++r->line;
        r->element = r->element->next;
        return CPH_OK;
    }
    for (;;) {
        CPH_TRY(cph_lines_next(r->lines, &text, err));
        r->line++;
        *line = r->line;
        if (r->line == 1 && cph_str_starts(text, "\xEF\xBB\xBF")) text = cph_str_sub(text, 3, text.n);
        text = cph_str_trim(text);
        if (!text.n) continue;
        cph_arena_reset(&r->arena);
        cph_err e = {0};
        cph_status s = parse(r, text, &v, &e);
        if (s != CPH_OK)
            return cph_fail(err, s, "%s: line %llu: %s", r->path, (unsigned long long)r->line, e.what);
        *record = v;
        return CPH_OK;
    }
}

const cph_json *cph_json_path(const cph_json *v, cph_str path)
{
    char name[256];
    if (!path.n || path.n >= sizeof name) return NULL;
    memcpy(name, path.p, path.n);
    name[path.n] = 0;
    const cph_json *whole = cph_json_get(v, name);
    if (whole) return whole;
    for (char *at = name; v && at;) {
        char *dot = strchr(at, '.');
        if (dot) *dot = 0;
        v = cph_json_get(v, at);
        at = dot ? dot + 1 : NULL;
    }
    return v;
}
