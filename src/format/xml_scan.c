/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xml_scan.c - the pull scanner: finds '<', reads the name and the attributes as
 * spans, and never looks at a byte twice that it need not.
 * What must stay true: every loop is bounded by x->end, and what was reported is
 * complete: an element that the input cuts is not reported at all.
 */
#include "format_in.h"

#include <string.h>

/* Bytes that end a name. A table, because a name is read for every element and attribute. */
static const uint8_t ends_name[256] = {[0] = 1,    [' '] = 1,  ['\t'] = 1, ['\n'] = 1, ['\r'] = 1, ['/'] = 1,
                                       ['>'] = 1,  ['='] = 1,  ['<'] = 1,  ['"'] = 1,  ['\''] = 1, ['&'] = 1,
                                       ['!'] = 1,  ['?'] = 1,  [';'] = 1,  ['('] = 1,  [')'] = 1,  ['['] = 1,
                                       [']'] = 1,  ['{'] = 1,  ['}'] = 1,  ['#'] = 1,  ['%'] = 1,  ['*'] = 1,
                                       ['+'] = 1,  [','] = 1,  ['@'] = 1,  ['$'] = 1,  ['^'] = 1,  ['`'] = 1,
                                       ['|'] = 1,  ['~'] = 1,  ['\\'] = 1};

void cph_xml_init(cph_xml *x, cph_str input, const char *file)
{
    x->begin = x->p = input.p ? input.p : "";
    x->end = x->begin + input.n;
    x->file = file;
    x->depth = x->n_attrs = 0;
    x->name = x->text = (cph_str){0};
    x->truncated = x->limit_hit = x->close_next = x->root_seen = x->cdata = false;
    x->kind = CPH_XML_CLOSE;
}

size_t cph_xml_offset(const cph_xml *x) { return (size_t)(x->p - x->begin); }

uint64_t cph_xml_line(const cph_xml *x)
{
    uint64_t line = 1;
    for (const char *p = x->begin; p < x->p && (p = memchr(p, '\n', (size_t)(x->p - p))); p++) line++;
    return line;
}

static cph_status broken(const cph_xml *x, const char *what, cph_err *err)
{
    return cph_fail(err, CPH_DATA, "%s: line %llu, byte %zu: %s", x->file,
                    (unsigned long long)cph_xml_line(x), cph_xml_offset(x), what);
}

static cph_status beyond(cph_xml *x, const char *limit, size_t value, cph_err *err)
{
    x->limit_hit = true;
    return cph_fail(err, CPH_NOMEM, "%s: line %llu: more than %zu %s", x->file,
                    (unsigned long long)cph_xml_line(x), value, limit);
}

/* The input ends inside something. */
static cph_status cut(cph_xml *x)
{
    x->truncated = true;
    x->p = x->end;
    return CPH_END;
}

static const char *find(const char *p, const char *end, const char *what, size_t n)
{
    return p < end ? memmem(p, (size_t)(end - p), what, n) : NULL;
}

/* Reads a name at *p; gives the local part. False when none stands there. */
static bool read_name(const char **p, const char *end, cph_str *local)
{
    const char *from = *p, *at = from, *start = from;
    for (; at < end && !ends_name[(uint8_t)*at]; at++)
        if (*at == ':' && at > from) start = at + 1;
    if (at == start || (*from >= '0' && *from <= '9') || *from == '-' || *from == '.') return false;
    *local = (cph_str){start, (size_t)(at - start)};
    *p = at;
    return true;
}

/* "<?...?>" */
static cph_status skip_instruction(cph_xml *x)
{
    const char *to = find(x->p + 2, x->end, "?>", 2);
    if (!to) return cut(x);
    x->p = to + 2;
    return CPH_OK;
}

static cph_status skip_comment(cph_xml *x)
{
    const char *to = find(x->p + 4, x->end, "-->", 3);
    if (!to) return cut(x);
    x->p = to + 3;
    return CPH_OK;
}

/* A bare DOCTYPE is skipped; an internal subset could define entities and is refused. */
static cph_status skip_doctype(cph_xml *x, cph_err *err)
{
    char quote = 0;
    if (x->root_seen) return broken(x, "a DOCTYPE inside the document", err);
    for (const char *p = x->p + 9; p < x->end; p++) {
        if (quote) {
            if (*p == quote) quote = 0;
        } else if (*p == '"' || *p == '\'') {
            quote = *p;
        } else if (*p == '[') {
            broken(x, "an internal DTD subset is refused (it may define entities)", err);
            return cph_hint(err, "remove what stands between [ and ] in the DOCTYPE");
        } else if (*p == '>') {
            x->p = p + 1;
            return CPH_OK;
        }
    }
    return cut(x);
}

static bool starts(const cph_xml *x, const char *z, size_t n)
{
    return (size_t)(x->end - x->p) >= n && memcmp(x->p, z, n) == 0;
}

/* The input ends before `z` could stand here whole, but so far it agrees. */
static bool cut_short(const cph_xml *x, const char *z, size_t n)
{
    size_t left = (size_t)(x->end - x->p);
    return left < n && memcmp(x->p, z, left) == 0;
}

/* "<!": comment, CDATA or DOCTYPE. *reported: x holds an event. */
static cph_status bang(cph_xml *x, bool *reported, cph_err *err)
{
    if (starts(x, "<!--", 4)) return skip_comment(x);
    if (starts(x, "<!DOCTYPE", 9)) return skip_doctype(x, err);
    if (starts(x, "<![CDATA[", 9) && x->depth) {
        const char *from = x->p + 9, *to = find(from, x->end, "]]>", 3);
        if (!to) return cut(x);
        if ((size_t)(to - from) > CPH_XML_MAX_TEXT)
            return beyond(x, "bytes in a text node", CPH_XML_MAX_TEXT, err);
        x->text = (cph_str){from, (size_t)(to - from)};
        x->p = to + 3;
        x->kind = CPH_XML_TEXT;
        x->cdata = *reported = true;
        return CPH_OK;
    }
    if (cut_short(x, "<!--", 4) || cut_short(x, "<!DOCTYPE", 9) || cut_short(x, "<![CDATA[", 9))
        return cut(x);
    return broken(x, "'<!' starts no comment, CDATA or DOCTYPE", err);
}

/* Names are kept local, but a tag is closed by the name it was opened with, prefix and all. */
static cph_status close_tag(cph_xml *x, cph_err *err)
{
    const char *p = x->p + 2;
    cph_str local;
    const char *from = p;
    while (p < x->end && !ends_name[(uint8_t)*p]) p++;
    if (p == x->end) return cut(x);
    cph_str whole = {from, (size_t)(p - from)};
    while (p < x->end && cph_xml_space(*p)) p++;
    if (p == x->end) return cut(x);
    if (*p != '>' || !read_name(&from, x->end, &local))
        return broken(x, "'</' is followed by no name and '>'", err);
    if (!x->depth) return broken(x, "a closing tag without an opening one", err);
    if (!cph_str_eq(whole, x->open[x->depth - 1])) {
        char what[256];
        cph_err e;
        cph_fail(&e, CPH_DATA, "</%.*s> closes <%.*s>", CPH_FMT(cph_str_sub(whole, 0, 80)),
                 CPH_FMT(cph_str_sub(x->open[x->depth - 1], 0, 80)));
        memcpy(what, e.what, sizeof what - 1);
        what[sizeof what - 1] = 0;
        return broken(x, what, err);
    }
    x->name = local;
    x->kind = CPH_XML_CLOSE;
    x->p = p + 1;
    x->depth--;
    return CPH_OK;
}

/* One attribute at *at; CPH_END: the input is cut. */
static cph_status read_attr(cph_xml *x, const char **at, cph_err *err)
{
    const char *p = *at;
    if (x->n_attrs == CPH_XML_MAX_ATTRS)
        return beyond(x, "attributes of one element", CPH_XML_MAX_ATTRS, err);
    cph_xml_attr *a = &x->attrs[x->n_attrs];
    if (!read_name(&p, x->end, &a->name))
        return p == x->end ? cut(x) : broken(x, "a tag holds no attribute name", err);
    while (p < x->end && cph_xml_space(*p)) p++;
    if (p == x->end) return cut(x);
    if (*p != '=') return broken(x, "an attribute without '='", err);
    p++;
    while (p < x->end && cph_xml_space(*p)) p++;
    if (p == x->end) return cut(x);
    char quote = *p++;
    if (quote != '"' && quote != '\'') return broken(x, "an attribute value without quotes", err);
    const char *to = p;
    while (to < x->end && *to != quote && *to != '<') to++;
    if (to == x->end) return cut(x);
    if (*to == '<') return broken(x, "'<' inside an attribute value", err);
    if ((size_t)(to - p) > CPH_XML_MAX_VALUE)
        return beyond(x, "bytes in an attribute value", CPH_XML_MAX_VALUE, err);
    a->value = (cph_str){p, (size_t)(to - p)};
    x->n_attrs++;
    *at = to + 1;
    return CPH_OK;
}

static cph_status open_tag(cph_xml *x, cph_err *err)
{
    const char *p = x->p + 1, *from = p;
    cph_str local;
    if (!read_name(&p, x->end, &local)) return p == x->end ? cut(x) : broken(x, "'<' starts no tag", err);
    cph_str whole = {from, (size_t)(p - from)};
    if (!x->depth && x->root_seen) return broken(x, "a second root element", err);
    x->n_attrs = 0;
    for (;;) {
        const char *before = p;
        while (p < x->end && cph_xml_space(*p)) p++;
        if (p == x->end) return cut(x);
        if (*p == '>') {
            p++;
            break;
        }
        if (*p == '/') {
            if (p + 1 == x->end) return cut(x);
            if (p[1] != '>') return broken(x, "'/' inside a tag", err);
            x->close_next = true;
            p += 2;
            break;
        }
        if (p == before) return broken(x, "no blank before an attribute", err);
        CPH_TRY(read_attr(x, &p, err));
    }
    if (x->depth == CPH_XML_MAX_DEPTH) return beyond(x, "elements inside each other", CPH_XML_MAX_DEPTH, err);
    x->open[x->depth++] = whole;
    x->root_seen = true;
    x->name = local;
    x->kind = CPH_XML_START;
    x->p = p;
    return CPH_OK;
}

/* Text up to the next '<'. *reported: it is more than white space. */
static cph_status text_run(cph_xml *x, bool *reported, cph_err *err)
{
    const char *p = x->p, *to;
    while (p < x->end && cph_xml_space(*p)) p++;
    if (p < x->end && *p == '<') {
        x->p = p;
        return CPH_OK;
    }
    if (p == x->end) {
        x->p = p;
        return x->depth ? cut(x) : CPH_OK;
    }
    if (!x->depth)
        return broken(x, x->root_seen ? "text after the root element" : "text before the root element", err);
    to = memchr(p, '<', (size_t)(x->end - p));
    if (!to) return cut(x); /* the text may go on: not complete */
    if ((size_t)(to - x->p) > CPH_XML_MAX_TEXT)
        return beyond(x, "bytes in a text node", CPH_XML_MAX_TEXT, err);
    x->text = (cph_str){x->p, (size_t)(to - x->p)};
    x->p = to;
    x->kind = CPH_XML_TEXT;
    x->cdata = false;
    *reported = true;
    return CPH_OK;
}

cph_status cph_xml_next(cph_xml *x, cph_err *err)
{
    if (x->close_next) {
        x->close_next = false;
        x->kind = CPH_XML_CLOSE;
        x->depth--;
        return CPH_OK;
    }
    while (x->p < x->end) {
        bool reported = false;
        if (*x->p != '<') {
            CPH_TRY(text_run(x, &reported, err));
        } else if (x->p + 1 == x->end) {
            return cut(x);
        } else if (x->p[1] == '?') {
            CPH_TRY(skip_instruction(x));
        } else if (x->p[1] == '!') {
            CPH_TRY(bang(x, &reported, err));
        } else {
            return x->p[1] == '/' ? close_tag(x, err) : open_tag(x, err);
        }
        if (reported) return CPH_OK;
    }
    if (x->depth || !x->root_seen) x->truncated = true;
    return CPH_END;
}

cph_str cph_xml_attr_of(const cph_xml *x, const char *name)
{
    for (uint32_t i = 0; i < x->n_attrs; i++)
        if (cph_str_is(x->attrs[i].name, name)) return x->attrs[i].value;
    return (cph_str){0};
}

cph_status cph_xml_skip(cph_xml *x, cph_str *inner, cph_err *err)
{
    uint32_t outside = x->depth - 1;
    const char *from = x->p;
    while (x->depth > outside) {
        const char *to = x->p;
        CPH_TRY(cph_xml_next(x, err));
        if (inner && x->depth == outside) *inner = (cph_str){from, (size_t)(to - from)};
    }
    return CPH_OK;
}
