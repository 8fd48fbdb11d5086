/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_xml_oracle.c - libxml2's SAX2 gives the same events as our scanner, on every sample and on hard small
 * files; what libxml2 refuses we may read, what it reads we must read alike.
 */
#include "testing.h"

#include <colophon/format/encoding.h>
#include <colophon/format/xml.h>

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

/* Events as lines of text, so that a difference can be shown. */
typedef struct trail {
    cph_buf b, text;
} trail;

static void add(cph_buf *b, const void *p, size_t n) { must(cph_buf_add(b, p, n, err)); }
static void add_z(cph_buf *b, const char *z) { add(b, z, strlen(z)); }

static int by_line(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Text between two tags as one line; white space alone is nothing. */
static void end_text(trail *t)
{
    cph_str s = cph_str_trim(cph_buf_view(&t->text));
    if (s.n) {
        add_z(&t->b, "text ");
        add(&t->b, t->text.p, t->text.n);
        add_z(&t->b, "\n");
    }
    t->text.n = 0;
}

/* Attributes sorted: two with one local name (from two namespaces) may come in either order. */
static void add_attrs(trail *t, char **attrs, size_t n)
{
    if (n) qsort(attrs, n, sizeof *attrs, by_line);
    for (size_t i = 0; i < n; i++) {
        add_z(&t->b, attrs[i]);
        free(attrs[i]);
    }
}

static char *attr_line(const char *name, size_t name_n, const char *value, size_t n)
{
    char *line = malloc(name_n + n + 8);
    int at = sprintf(line, "  %.*s=", (int)name_n, name);
    memcpy(line + at, value, n);
    strcpy(line + at + n, "\n");
    return line;
}

/* ---- libxml2 ---- */

static void sax_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int n_ns,
                      const xmlChar **ns, int n_attrs, int n_default, const xmlChar **attrs)
{
    trail *t = ctx;
    char *lines[CPH_XML_MAX_ATTRS];
    (void)prefix, (void)uri, (void)n_ns, (void)ns, (void)n_default;
    end_text(t);
    add_z(&t->b, "start ");
    add_z(&t->b, (const char *)name);
    add_z(&t->b, "\n");
    for (int i = 0; i < n_attrs; i++, attrs += 5)
        lines[i] = attr_line((const char *)attrs[0], strlen((const char *)attrs[0]), (const char *)attrs[3],
                             (size_t)(attrs[4] - attrs[3]));
    add_attrs(t, lines, (size_t)n_attrs);
}

static void sax_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    trail *t = ctx;
    (void)prefix, (void)uri;
    end_text(t);
    add_z(&t->b, "end ");
    add_z(&t->b, (const char *)name);
    add_z(&t->b, "\n");
}

static void sax_text(void *ctx, const xmlChar *p, int n) { add(&((trail *)ctx)->text, p, (size_t)n); }

static void silent(void *ctx, const char *fmt, ...) { (void)ctx, (void)fmt; }

static bool oracle(cph_str s, trail *t)
{
    xmlSAXHandler sax;
    memset(&sax, 0, sizeof sax);
    sax.initialized = XML_SAX2_MAGIC;
    sax.startElementNs = sax_start;
    sax.endElementNs = sax_end;
    sax.characters = sax.cdataBlock = sax_text;
    sax.warning = sax.error = silent;
    xmlParserCtxtPtr c = xmlCreatePushParserCtxt(&sax, t, NULL, 0, "file");
    xmlCtxtUseOptions(c, XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_HUGE | XML_PARSE_IGNORE_ENC);
    xmlSwitchEncoding(c, XML_CHAR_ENCODING_UTF8);
    xmlParseChunk(c, s.p, (int)s.n, 1);
    bool ok = c->wellFormed;
    end_text(t);
    xmlFreeParserCtxt(c);
    return ok;
}

/* ---- ours: namespace declarations are no attributes there ---- */

static bool is_declaration(const cph_xml *x, size_t i)
{
    cph_str n = x->attrs[i].name;
    return cph_str_is(n, "xmlns") || (n.p - 6 > x->begin && memcmp(n.p - 6, "xmlns:", 6) == 0);
}

static cph_status ours(cph_str s, trail *t)
{
    static cph_xml x;
    cph_arena a;
    cph_str text;
    cph_xml_tally tally = {0};
    cph_status st;
    char *lines[CPH_XML_MAX_ATTRS];
    cph_arena_init(&a, 0);
    cph_xml_init(&x, s, "file");
    while ((st = cph_xml_next(&x, NULL)) == CPH_OK) {
        if (x.kind == CPH_XML_TEXT) {
            must(
                cph_xml_decode(&a, &text, x.text, x.cdata ? CPH_XML_IN_CDATA : CPH_XML_IN_TEXT, &tally, err));
            add(&t->text, text.p, text.n);
            continue;
        }
        end_text(t);
        add_z(&t->b, x.kind == CPH_XML_START ? "start " : "end ");
        add(&t->b, x.name.p, x.name.n);
        add_z(&t->b, "\n");
        size_t n = 0;
        for (uint32_t i = 0; x.kind == CPH_XML_START && i < x.n_attrs; i++) {
            if (is_declaration(&x, i)) continue;
            must(cph_xml_decode(&a, &text, x.attrs[i].value, CPH_XML_IN_ATTR, &tally, err));
            lines[n++] = attr_line(x.attrs[i].name.p, x.attrs[i].name.n, text.p, text.n);
        }
        add_attrs(t, lines, n);
    }
    end_text(t);
    if (st == CPH_END && x.truncated) st = CPH_DATA;
    cph_arena_release(&a);
    return st;
}

static void compare(cph_str s, const char *name, bool expect_well_formed)
{
    trail a, b;
    trail *both[2] = {&a, &b};
    for (int i = 0; i < 2; i++) {
        cph_buf_init(&both[i]->b, (size_t)1 << 30);
        cph_buf_init(&both[i]->text, (size_t)1 << 28);
    }
    bool well_formed = oracle(s, &a);
    if (expect_well_formed && !well_formed) fail_msg("%s: libxml2 refuses it", name);
    if (well_formed) {
        if (ours(s, &b) != CPH_END) fail_msg("%s: libxml2 reads it, the scanner does not", name);
        cph_str x = cph_buf_view(&a.b), y = cph_buf_view(&b.b);
        size_t i = 0, line = 0;
        while (i < x.n && i < y.n && x.p[i] == y.p[i]) {
            i++;
            if (x.p[i - 1] == '\n') line = i;
        }
        if (i < x.n || i < y.n)
            fail_msg("%s: event %.*s\n   against %.*s", name, (int)(x.n - line < 200 ? x.n - line : 200),
                     x.p + line, (int)(y.n - line < 200 ? y.n - line : 200), y.p + line);
    }
    for (int i = 0; i < 2; i++) {
        cph_buf_release(&both[i]->b);
        cph_buf_release(&both[i]->text);
    }
}

static unsigned n_compared;

static cph_status one_file(void *ctx, cph_str relative, uint64_t n_bytes, int64_t mtime, cph_err *err)
{
    char path[CPH_PATH_MAX], name[CPH_PATH_MAX];
    cph_buf b, utf8;
    cph_str s;
    cph_encoding how;
    (void)n_bytes, (void)mtime;
    if (!cph_str_ends(relative, ".xml") && !cph_str_ends(relative, ".alto") &&
        !cph_str_ends(relative, ".mods"))
        return CPH_OK;
    snprintf(name, sizeof name, "%.*s", CPH_FMT(relative));
    CPH_TRY(cph_path_join(path, ctx, name, err));
    cph_buf_init(&b, (size_t)1 << 28);
    cph_buf_init(&utf8, (size_t)1 << 28);
    must(cph_file_read(path, 0, &b, err));
    must(cph_to_utf8(&s, &utf8, cph_buf_view(&b), path, &how, err));
    if (s.n && *s.p == '<') {
        compare(s, path, false);
        n_compared++;
    }
    cph_buf_release(&b);
    cph_buf_release(&utf8);
    return CPH_OK;
}

static void every_shared_sample_gives_the_events_of_libxml2(void **state)
{
    (void)state;
    const char *dir = testing_shared("collections");
    char path[CPH_PATH_MAX];
    if (!dir) skip();
    snprintf(path, sizeof path, "%s", dir);
    n_compared = 0;
    must(cph_walk(path, one_file, path, err));
    assert_true(n_compared > 250);
}

static void every_file_of_the_sample_collection_gives_the_events_of_libxml2(void **state)
{
    (void)state;
    char path[] = CPH_SOURCE_DIR "/sample/collection";
    n_compared = 0;
    must(cph_walk(path, one_file, path, err));
    assert_true(n_compared > 30);
}

static void every_seed_of_the_fuzzers_gives_the_events_of_libxml2(void **state)
{
    (void)state;
    char alto[] = CPH_SOURCE_DIR "/tests/fuzz/corpus/alto", mets[] = CPH_SOURCE_DIR "/tests/fuzz/corpus/mets";
    if (cph_file_kind_of(alto) == CPH_FILE_DIR) must(cph_walk(alto, one_file, alto, err));
    if (cph_file_kind_of(mets) == CPH_FILE_DIR) must(cph_walk(mets, one_file, mets, err));
}

static void hard_small_files_give_the_events_of_libxml2(void **state)
{
    (void)state;
    static const char *const files[] = {
        "<a/>",
        "<?xml version=\"1.0\"?>\n<!-- c --><a b='1' c=\"2\"\n d = '3' ><!-- x > y --><b/>t</a>\n<!-- end "
        "-->",
        "<a>&lt;&#65;&#x42;&amp;&apos;&quot;&gt;</a>",
        "<a b='&lt;&#10;\n\t &#x20AC;'/>",
        "<a>one<![CDATA[<two> & ]] ]]>three</a>",
        "<a>\r\nx\ry\r\n</a>",
        "<p:a xmlns:p='u'><p:b p:c='d'/></p:a>",
        "<!DOCTYPE a SYSTEM \"x>y\"><a/>",
        "<a b='\"' c=\"'\"/>",
        "<a><?pi <b> ?><b></b ></a >",
        "<\xC3\xA6\xC3\xB8\xC3\xA5 \xC3\xA5='\xC3\xB8'>\xE2\x80\x94</\xC3\xA6\xC3\xB8\xC3\xA5>",
        "<a x.y-z_1='2'/>",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) compare(cph_str_of(files[i]), files[i], true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hard_small_files_give_the_events_of_libxml2),
        cmocka_unit_test(every_file_of_the_sample_collection_gives_the_events_of_libxml2),
        cmocka_unit_test(every_seed_of_the_fuzzers_gives_the_events_of_libxml2),
        cmocka_unit_test(every_shared_sample_gives_the_events_of_libxml2),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    xmlCleanupParser();
    return failed;
}
