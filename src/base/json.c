/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - the strict reader. One loop over the text with an explicit chain of
 * open containers (their parents), so that depth is a number and not a stack.
 */
#include <colophon/base/file.h>
#include <colophon/base/json.h>

#include <string.h>

typedef struct reader {
    const char *p, *end, *begin, *name;
    cph_arena *a;
    cph_json_limits *limits;
    cph_err *err;
    uint32_t line;
    const char *line_start;
} reader;

/* An open container: what its closing bracket returns to. */
typedef struct frame {
    struct frame *below;
    cph_json *v, *last;
} frame;

void cph_json_limits_init(cph_json_limits *l)
{
    *l = (cph_json_limits){.max_depth = 256};
}

static cph_status bad(reader *r, const char *what)
{
    size_t column = cph_utf8_count((cph_str){r->line_start, (size_t)(r->p - r->line_start)}) + 1;
    return cph_fail(r->err, CPH_DATA, "%s: line %u, column %zu: %s", r->name, r->line, column, what);
}

static void skip_space(reader *r)
{
    for (; r->p < r->end; r->p++) {
        if (*r->p == '\n') {
            r->line++;
            r->line_start = r->p + 1;
        } else if (*r->p != ' ' && *r->p != '\t' && *r->p != '\r') {
            return;
        }
    }
}

static bool hex4(const char *p, const char *end, uint32_t *out)
{
    if (end - p < 4) return false;
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t d = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10) : 16;
        if (d == 16) return false;
        v = v << 4 | d;
    }
    *out = v;
    return true;
}

/* After the four digits of a first \uXXXX: joins a pair, replaces or refuses a lone surrogate. */
static cph_status surrogate(reader *r, uint32_t *c)
{
    if (*c < 0xD800 || *c > 0xDFFF) return CPH_OK;
    uint32_t low;
    if (*c < 0xDC00 && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u' && hex4(r->p + 2, r->end, &low) &&
        low >= 0xDC00 && low <= 0xDFFF) {
        *c = 0x10000 + ((*c - 0xD800) << 10) + (low - 0xDC00);
        r->p += 6;
        return CPH_OK;
    }
    if (!r->limits->replace_surrogates) return bad(r, "a \\u escape is half of a surrogate pair");
    r->limits->n_replaced++;
    *c = 0xFFFD;
    return CPH_OK;
}

/* r->p stands behind a backslash; writes the character to out. */
static cph_status escape(reader *r, char *out, size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->p == r->end) return bad(r, "the text ends inside a string");
    char c = *r->p++;
    const char *hit = c ? strchr(from, c) : NULL;
    if (hit) {
        out[(*n)++] = to[hit - from];
        return CPH_OK;
    }
    uint32_t code;
    if (c != 'u' || !hex4(r->p, r->end, &code)) return bad(r, "an escape is not one of JSON's");
    r->p += 4;
    CPH_TRY(surrogate(r, &code));
    *n += cph_utf8_encode(code, out + *n);
    return CPH_OK;
}

/* r->p stands behind the opening quote. Without escapes the result borrows from the text. */
static cph_status string(reader *r, cph_str *out)
{
    const char *start = r->p, *q = r->p;
    while (q < r->end && *q != '"' && *q != '\\' && (unsigned char)*q >= 0x20) q++;
    if (q < r->end && *q == '"') {
        *out = (cph_str){start, (size_t)(q - start)};
        r->p = q + 1;
        return CPH_OK;
    }
    /* An escape never grows: the rest of the string in the text bounds what we need. */
    const char *close = q;
    while (close < r->end && *close != '"') close += *close == '\\' && close + 1 < r->end ? 2 : 1;
    void *mem;
    CPH_TRY(cph_arena_alloc(r->a, &mem, (size_t)(close - start) + 4, r->err));
    char *text = mem;
    size_t n = 0;
    while (r->p < r->end) {
        char c = *r->p;
        if (c == '"') {
            r->p++;
            *out = (cph_str){text, n};
            return CPH_OK;
        }
        if ((unsigned char)c < 0x20) return bad(r, "a control character stands unescaped in a string");
        r->p++;
        if (c == '\\')
            CPH_TRY(escape(r, text, &n));
        else
            text[n++] = c;
    }
    return bad(r, "the text ends inside a string");
}

static bool digits(reader *r)
{
    const char *start = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
    return r->p > start;
}

static cph_status number(reader *r, cph_str *out)
{
    const char *start = r->p;
    if (*r->p == '-') r->p++;
    if (r->p < r->end && *r->p == '0')
        r->p++;
    else if (!digits(r))
        return bad(r, "a value was expected");
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        if (!digits(r)) return bad(r, "a number has no digits after its point");
    }
    if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-')) r->p++;
        if (!digits(r)) return bad(r, "a number has no digits in its exponent");
    }
    *out = (cph_str){start, (size_t)(r->p - start)};
    return CPH_OK;
}

static bool word(reader *r, const char *z)
{
    size_t n = strlen(z);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, z, n) != 0) return false;
    r->p += n;
    return true;
}

/* A scalar, or an opened container (its brackets not yet filled). */
static cph_status value(reader *r, cph_json *v)
{
    v->line = r->line;
    if (r->p == r->end) return bad(r, "the text ends where a value was expected");
    switch (*r->p) {
    case '"':
        r->p++;
        v->type = CPH_JSON_STRING;
        return string(r, &v->str);
    case '{':
    case '[':
        v->type = *r->p++ == '{' ? CPH_JSON_OBJECT : CPH_JSON_ARRAY;
        return CPH_OK;
    case 't': v->type = CPH_JSON_TRUE; return word(r, "true") ? CPH_OK : bad(r, "a value was expected");
    case 'f': v->type = CPH_JSON_FALSE; return word(r, "false") ? CPH_OK : bad(r, "a value was expected");
    case 'n': v->type = CPH_JSON_NULL; return word(r, "null") ? CPH_OK : bad(r, "a value was expected");
    default: v->type = CPH_JSON_NUMBER; return number(r, &v->str);
    }
}

static cph_status member_key(reader *r, frame *top, cph_json *v)
{
    skip_space(r);
    if (r->p == r->end || *r->p != '"') return bad(r, "a key in quotes was expected");
    r->p++;
    CPH_TRY(string(r, &v->key));
    skip_space(r);
    if (r->p == r->end || *r->p != ':') return bad(r, "a colon was expected after the key");
    r->p++;
    (void)top;
    return CPH_OK;
}

/* Objects of at most this many members are checked for duplicates pair by pair. */
#define FEW 16

static int by_key(const void *a, const void *b)
{
    return cph_str_cmp((*(cph_json *const *)a)->key, (*(cph_json *const *)b)->key);
}

static void sort_members(cph_json **at, cph_json **scratch, size_t n)
{
    /* Merge sort: stable, so that "the last one wins" can be decided afterwards. */
    if (n < 2) return;
    size_t half = n / 2, i = 0, j = half, k = 0;
    sort_members(at, scratch, half);
    sort_members(at + half, scratch, n - half);
    while (i < half && j < n) scratch[k++] = by_key(&at[j], &at[i]) < 0 ? at[j++] : at[i++];
    while (i < half) scratch[k++] = at[i++];
    while (j < n) scratch[k++] = at[j++];
    memcpy(at, scratch, n * sizeof *at);
}

static cph_status sorted_members(const cph_json *object, cph_arena *a, cph_json ***out, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc(a, &mem, 2 * (size_t)object->n * sizeof(cph_json *) + 1, err));
    cph_json **at = mem;
    size_t n = 0;
    for (cph_json *m = object->first; m; m = m->next) at[n++] = m;
    sort_members(at, at + n, n);
    *out = at;
    return CPH_OK;
}

static cph_status check_duplicates(reader *r, cph_json *object)
{
    if (r->limits->allow_duplicates || object->n < 2) return CPH_OK;
    const cph_json *twice = NULL;
    if (object->n <= FEW) {
        for (const cph_json *m = object->first; m && !twice; m = m->next)
            for (const cph_json *o = m->next; o; o = o->next)
                if (cph_str_eq(m->key, o->key)) twice = o;
    } else {
        cph_json **at;
        CPH_TRY(sorted_members(object, r->a, &at, r->err));
        for (uint32_t i = 1; i < object->n && !twice; i++)
            if (cph_str_eq(at[i - 1]->key, at[i]->key)) twice = at[i];
    }
    if (!twice) return CPH_OK;
    return cph_fail(r->err, CPH_DATA, "%s: line %u: the key \"%.*s\" stands twice in one object", r->name, twice->line,
                    CPH_FMT(cph_str_sub(twice->key, 0, 80)));
}

static bool is_container(const cph_json *v) { return v->type >= CPH_JSON_ARRAY; }

static cph_status parse(reader *r, cph_json **out)
{
    frame *top = NULL;
    uint32_t depth = 0;
    for (;;) {
        void *mem;
        CPH_TRY(cph_arena_alloc0(r->a, &mem, 1, sizeof(cph_json), r->err));
        cph_json *v = mem;
        if (top && top->v->type == CPH_JSON_OBJECT) CPH_TRY(member_key(r, top, v));
        skip_space(r);
        CPH_TRY(value(r, v));
        if (top) {
            if (top->last)
                top->last->next = v;
            else
                top->v->first = v;
            top->last = v;
            top->v->n++;
        } else {
            *out = v;
        }
        if (is_container(v)) {
            if (++depth > r->limits->max_depth)
                return cph_fail(r->err, CPH_NOMEM, "%s: line %u: nested deeper than %u", r->name, r->line,
                                r->limits->max_depth);
            CPH_TRY(cph_arena_alloc(r->a, &mem, sizeof(frame), r->err));
            frame *f = mem;
            *f = (frame){.below = top, .v = v};
            top = f;
            skip_space(r);
            char close = v->type == CPH_JSON_OBJECT ? '}' : ']';
            if (r->p == r->end || *r->p != close) continue; /* its first element comes next */
        }
        /* A value is complete: close what closes here, then a comma or the end. */
        for (;;) {
            if (!top) return CPH_OK;
            skip_space(r);
            if (r->p == r->end) return bad(r, "the text ends inside an array or object");
            char close = top->v->type == CPH_JSON_OBJECT ? '}' : ']';
            if (*r->p == ',' && top->last) {
                r->p++;
                break;
            }
            if (*r->p != close) return bad(r, "a comma or a closing bracket was expected");
            r->p++;
            if (close == '}') CPH_TRY(check_duplicates(r, top->v));
            top = top->below;
            depth--;
        }
    }
}

cph_status cph_json_parse(cph_json **out, cph_arena *a, cph_str text, const char *name, cph_json_limits *limits,
                          cph_err *err)
{
    cph_json_limits defaults;
    cph_json_limits_init(&defaults);
    reader r = {.p = text.p, .begin = text.p, .end = text.p + text.n, .name = name, .a = a,
                .limits = limits ? limits : &defaults, .err = err, .line = 1, .line_start = text.p};
    size_t valid = cph_utf8_check(text.p, text.n);
    if (valid != text.n) {
        uint32_t line = 1;
        for (size_t i = 0; i < valid; i++) line += text.p[i] == '\n';
        return cph_fail(err, CPH_DATA, "%s: line %u: byte %zu is not valid UTF-8", name, line, valid);
    }
    cph_json *v = NULL;
    skip_space(&r);
    CPH_TRY(parse(&r, &v));
    skip_space(&r);
    if (r.p != r.end) return bad(&r, "something follows the value");
    *out = v;
    return CPH_OK;
}

cph_status cph_json_read(cph_json **out, cph_arena *a, const char *path, uint64_t max_bytes, cph_err *err)
{
    cph_map m;
    CPH_TRY(cph_map_open(&m, path, err));
    cph_str text = {0};
    uint64_t limit = max_bytes ? max_bytes : (uint64_t)1 << 30;
    cph_status s = m.n_bytes > limit ? cph_fail(err, CPH_NOMEM, "%s: %llu bytes, the limit is %llu", path,
                                                (unsigned long long)m.n_bytes, (unsigned long long)limit)
                                     : cph_arena_str(a, &text, (cph_str){(const char *)m.p, m.n_bytes}, err);
    cph_map_close(&m);
    return s == CPH_OK ? cph_json_parse(out, a, text, path, NULL, err) : s;
}

/* ---- views ---- */

const cph_json *cph_json_get(const cph_json *v, const char *key)
{
    if (!v || v->type != CPH_JSON_OBJECT) return NULL;
    const cph_json *hit = NULL;
    for (const cph_json *m = v->first; m; m = m->next)
        if (cph_str_is(m->key, key)) hit = m;
    return hit;
}

const cph_json *cph_json_at(const cph_json *v, uint32_t i)
{
    if (!v || v->type != CPH_JSON_ARRAY) return NULL;
    const cph_json *m = v->first;
    while (m && i--) m = m->next;
    return m;
}

bool cph_json_str(const cph_json *v, cph_str *out)
{
    if (!v || v->type != CPH_JSON_STRING) return false;
    *out = v->str;
    return true;
}

bool cph_json_bool(const cph_json *v, bool *out)
{
    if (!v || (v->type != CPH_JSON_TRUE && v->type != CPH_JSON_FALSE)) return false;
    *out = v->type == CPH_JSON_TRUE;
    return true;
}

bool cph_json_u64(const cph_json *v, uint64_t *out) { return v && v->type == CPH_JSON_NUMBER && cph_str_u64(v->str, out); }
bool cph_json_i64(const cph_json *v, int64_t *out) { return v && v->type == CPH_JSON_NUMBER && cph_str_i64(v->str, out); }
bool cph_json_double(const cph_json *v, double *out) { return v && v->type == CPH_JSON_NUMBER && cph_str_double(v->str, out); }

cph_str cph_json_get_str(const cph_json *v, const char *key)
{
    cph_str s = CPH_STR("");
    cph_json_str(cph_json_get(v, key), &s);
    return s;
}

/* ---- building ---- */

cph_status cph_json_new(cph_json **out, cph_arena *a, cph_json_type t, cph_err *err)
{
    void *mem;
    CPH_TRY(cph_arena_alloc0(a, &mem, 1, sizeof(cph_json), err));
    *out = mem;
    (*out)->type = t;
    return CPH_OK;
}

cph_status cph_json_new_str(cph_json **out, cph_arena *a, cph_str s, cph_err *err)
{
    cph_json *v;
    CPH_TRY(cph_json_new(&v, a, CPH_JSON_STRING, err));
    CPH_TRY(cph_arena_str(a, &v->str, s, err));
    *out = v;
    return CPH_OK;
}

cph_status cph_json_new_i64(cph_json **out, cph_arena *a, int64_t n, cph_err *err)
{
    cph_json *v;
    CPH_TRY(cph_json_new(&v, a, CPH_JSON_NUMBER, err));
    CPH_TRY(cph_arena_printf(a, &v->str, err, "%lld", (long long)n));
    *out = v;
    return CPH_OK;
}

cph_status cph_json_set(cph_json *object, cph_arena *a, const char *key, cph_json *v, cph_err *err)
{
    if (object->type != CPH_JSON_OBJECT) return cph_fail(err, CPH_BUG, "set '%s' on what is no object", key);
    CPH_TRY(cph_arena_str(a, &v->key, cph_str_of(key), err));
    cph_json **at = &object->first;
    while (*at && !cph_str_is((*at)->key, key)) at = &(*at)->next;
    if (*at)
        v->next = (*at)->next;
    else
        object->n++, v->next = NULL;
    *at = v;
    return CPH_OK;
}

cph_status cph_json_set_str(cph_json *object, cph_arena *a, const char *key, cph_str s, cph_err *err)
{
    cph_json *v;
    CPH_TRY(cph_json_new_str(&v, a, s, err));
    return cph_json_set(object, a, key, v, err);
}

cph_status cph_json_set_i64(cph_json *object, cph_arena *a, const char *key, int64_t n, cph_err *err)
{
    cph_json *v;
    CPH_TRY(cph_json_new_i64(&v, a, n, err));
    return cph_json_set(object, a, key, v, err);
}

cph_status cph_json_push(cph_json *array, cph_json *v, cph_err *err)
{
    if (array->type != CPH_JSON_ARRAY) return cph_fail(err, CPH_BUG, "push on what is no array");
    cph_json **at = &array->first;
    while (*at) at = &(*at)->next;
    *at = v;
    v->next = NULL;
    array->n++;
    return CPH_OK;
}

static bool is_named(cph_str key, const char *const *names)
{
    for (; names && *names; names++)
        if (cph_str_is(key, *names)) return true;
    return false;
}

/* Recursion is bounded by the depth limit of whoever parsed v. */
cph_status cph_json_copy(cph_json **out, cph_arena *a, const cph_json *v, const char *const *without, cph_err *err)
{
    cph_json *copy, *child;
    CPH_TRY(cph_json_new(&copy, a, v->type, err));
    *copy = (cph_json){.type = v->type, .str = v->str, .key = v->key, .line = v->line};
    cph_json **tail = &copy->first;
    for (const cph_json *m = v->first; m; m = m->next) {
        if (v->type == CPH_JSON_OBJECT && is_named(m->key, without)) continue;
        CPH_TRY(cph_json_copy(&child, a, m, NULL, err));
        *tail = child;
        tail = &child->next;
        copy->n++;
    }
    *out = copy;
    return CPH_OK;
}

/* ---- canonical form: needs the members in order, so it lives beside sort_members ---- */

static cph_status canonical_number(cph_buf *b, cph_str n, cph_err *err)
{
    int64_t v;
    if (!cph_str_i64(n, &v) || v > ((int64_t)1 << 53) - 1 || v < -(((int64_t)1 << 53) - 1))
        return cph_fail(err, CPH_DATA, "canonical JSON holds integers below 2^53 only, not %.*s", CPH_FMT(cph_str_sub(n, 0, 40)));
    return cph_buf_printf(b, err, "%lld", (long long)v);
}

static cph_status canonical(cph_buf *b, const cph_json *v, cph_arena *a, unsigned depth, cph_err *err)
{
    static const char *const plain[] = {"null", "false", "true"};
    if (depth > 1000) return cph_fail(err, CPH_NOMEM, "canonical JSON nested deeper than 1000");
    switch (v->type) {
    case CPH_JSON_NUMBER: return canonical_number(b, v->str, err);
    case CPH_JSON_STRING: return cph_json_quote(b, v->str, err);
    case CPH_JSON_ARRAY:
        CPH_TRY(cph_buf_char(b, '[', err));
        for (const cph_json *m = v->first; m; m = m->next) {
            if (m != v->first) CPH_TRY(cph_buf_char(b, ',', err));
            CPH_TRY(canonical(b, m, a, depth + 1, err));
        }
        return cph_buf_char(b, ']', err);
    case CPH_JSON_OBJECT: break;
    default: return cph_buf_z(b, plain[v->type], err);
    }
    cph_json **at;
    CPH_TRY(sorted_members(v, a, &at, err));
    CPH_TRY(cph_buf_char(b, '{', err));
    for (uint32_t i = 0; i < v->n; i++) {
        if (i) CPH_TRY(cph_buf_char(b, ',', err));
        for (size_t k = 0; k < at[i]->key.n; k++)
            if ((unsigned char)at[i]->key.p[k] >= 0x80)
                return cph_fail(err, CPH_DATA, "canonical JSON has ASCII keys only, not \"%.*s\"", CPH_FMT(at[i]->key));
        if (i && cph_str_eq(at[i - 1]->key, at[i]->key))
            return cph_fail(err, CPH_DATA, "the key \"%.*s\" stands twice in one object", CPH_FMT(at[i]->key));
        CPH_TRY(cph_json_quote(b, at[i]->key, err));
        CPH_TRY(cph_buf_char(b, ':', err));
        CPH_TRY(canonical(b, at[i], a, depth + 1, err));
    }
    return cph_buf_char(b, '}', err);
}

cph_status cph_json_canonical(cph_buf *b, const cph_json *v, cph_err *err)
{
    cph_arena a;
    cph_arena_init(&a, 0);
    size_t before = b->n;
    cph_status s = canonical(b, v, &a, 0, err);
    cph_arena_release(&a);
    if (s != CPH_OK) b->n = before;
    return s;
}
