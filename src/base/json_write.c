/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_write.c - JSON out: quoting, trees, and the streaming writer.
 */
#include <colophon/base/json.h>

#include <string.h>

cph_status cph_json_quote(cph_buf *b, cph_str s, cph_err *err)
{
    static const char named[] = "\b\t\n\f\r\"\\", letter[] = "btnfr\"\\";
    CPH_TRY(cph_buf_reserve(b, s.n + 2, err));
    CPH_TRY(cph_buf_char(b, '"', err));
    size_t start = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        CPH_TRY(cph_buf_add(b, s.p + start, i - start, err));
        const char *hit = c ? strchr(named, c) : NULL;
        if (hit)
            CPH_TRY(cph_buf_add(b, (char[]){'\\', letter[hit - named]}, 2, err));
        else
            CPH_TRY(cph_buf_printf(b, err, "\\u%04x", c));
        start = i + 1;
    }
    CPH_TRY(cph_buf_add(b, s.p ? s.p + start : "", s.n - start, err));
    return cph_buf_char(b, '"', err);
}

static cph_status newline(cph_buf *b, unsigned indent, unsigned depth, cph_err *err)
{
    if (!indent) return CPH_OK;
    CPH_TRY(cph_buf_char(b, '\n', err));
    for (unsigned i = 0; i < indent * depth; i++) CPH_TRY(cph_buf_char(b, ' ', err));
    return CPH_OK;
}

static cph_status write(cph_buf *b, const cph_json *v, unsigned indent, unsigned depth, cph_err *err)
{
    static const char *const plain[] = {"null", "false", "true"};
    if (v->type == CPH_JSON_STRING) return cph_json_quote(b, v->str, err);
    if (v->type == CPH_JSON_NUMBER) return cph_buf_str(b, v->str, err);
    if (v->type < CPH_JSON_NUMBER) return cph_buf_z(b, plain[v->type], err);
    if (depth > 1000) return cph_fail(err, CPH_NOMEM, "JSON nested deeper than 1000");
    bool object = v->type == CPH_JSON_OBJECT;
    CPH_TRY(cph_buf_char(b, object ? '{' : '[', err));
    for (const cph_json *m = v->first; m; m = m->next) {
        if (m != v->first) CPH_TRY(cph_buf_char(b, ',', err));
        CPH_TRY(newline(b, indent, depth + 1, err));
        if (object) {
            CPH_TRY(cph_json_quote(b, m->key, err));
            CPH_TRY(cph_buf_z(b, indent ? ": " : ":", err));
        }
        CPH_TRY(write(b, m, indent, depth + 1, err));
    }
    if (v->first) CPH_TRY(newline(b, indent, depth, err));
    return cph_buf_char(b, object ? '}' : ']', err);
}

cph_status cph_json_write(cph_buf *b, const cph_json *v, unsigned indent, cph_err *err)
{
    return write(b, v, indent, 0, err);
}

/* ---- the streaming writer ---- */

cph_jw cph_jw_on(cph_buf *b) { return (cph_jw){.b = b}; }

static void keep(cph_jw *w, cph_status s)
{
    if (s != CPH_OK && w->err.status == CPH_OK) w->err.status = s;
}

/* A comma where one belongs, before a value or a key. */
static bool separate(cph_jw *w)
{
    if (w->err.status != CPH_OK) return false;
    uint64_t bit = (uint64_t)1 << w->depth;
    if (w->after_key) {
        w->after_key = false;
    } else if (w->depth) {
        if (w->used_mask & bit) keep(w, cph_buf_char(w->b, ',', &w->err));
        w->used_mask |= bit;
    }
    return w->err.status == CPH_OK;
}

static void begin(cph_jw *w, char bracket, bool object)
{
    if (!separate(w)) return;
    if (w->depth == 63) {
        cph_fail(&w->err, CPH_BUG, "a JSON writer nests deeper than 63");
        return;
    }
    uint64_t bit = (uint64_t)1 << ++w->depth;
    w->object_mask = object ? w->object_mask | bit : w->object_mask & ~bit;
    w->used_mask &= ~bit;
    keep(w, cph_buf_char(w->b, bracket, &w->err));
}

void cph_jw_obj(cph_jw *w) { begin(w, '{', true); }
void cph_jw_arr(cph_jw *w) { begin(w, '[', false); }

void cph_jw_end(cph_jw *w)
{
    if (w->err.status != CPH_OK) return;
    if (w->depth == 0) {
        cph_fail(&w->err, CPH_BUG, "a JSON writer closes what is not open");
        return;
    }
    bool object = w->object_mask >> w->depth & 1;
    w->depth--;
    keep(w, cph_buf_char(w->b, object ? '}' : ']', &w->err));
}

void cph_jw_key(cph_jw *w, const char *key)
{
    if (!separate(w)) return;
    keep(w, cph_json_quote(w->b, cph_str_of(key), &w->err));
    keep(w, cph_buf_char(w->b, ':', &w->err));
    w->after_key = true;
}

void cph_jw_str(cph_jw *w, cph_str s)
{
    if (separate(w)) keep(w, cph_json_quote(w->b, s, &w->err));
}

void cph_jw_raw(cph_jw *w, cph_str json)
{
    if (separate(w)) keep(w, cph_buf_str(w->b, json, &w->err));
}

void cph_jw_z(cph_jw *w, const char *z) { cph_jw_str(w, cph_str_of(z)); }

void cph_jw_i64(cph_jw *w, int64_t v)
{
    if (separate(w)) keep(w, cph_buf_printf(w->b, &w->err, "%lld", (long long)v));
}

void cph_jw_u64(cph_jw *w, uint64_t v)
{
    if (separate(w)) keep(w, cph_buf_printf(w->b, &w->err, "%llu", (unsigned long long)v));
}

void cph_jw_double(cph_jw *w, double v)
{
    char z[32];
    size_t n = cph_format_double(v, z);
    if (v - v != 0) n = 0; /* NaN and infinities have no form in JSON */
    cph_jw_raw(w, n ? (cph_str){z, n} : CPH_STR("null"));
}

void cph_jw_bool(cph_jw *w, bool v) { cph_jw_raw(w, v ? CPH_STR("true") : CPH_STR("false")); }
void cph_jw_null(cph_jw *w) { cph_jw_raw(w, CPH_STR("null")); }

cph_status cph_jw_done(cph_jw *w, cph_err *err)
{
    if (w->err.status == CPH_OK && w->depth) cph_fail(&w->err, CPH_BUG, "a JSON writer was left open");
    if (w->err.status != CPH_OK && err) *err = w->err;
    return w->err.status;
}
