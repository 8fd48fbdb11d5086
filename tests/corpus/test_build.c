/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small collection from end to end: built, read back, refused, damaged. Its
 * objects are written here: a text of blocks parted by "|", lines by "/".
 */
#include <colophon/corpus/corpus.h>

#include "corpus_in.h"
#include "testing.h"

#define LONG \
    "Dette er et avsnitt som staar mange steder og er langt nok til at nogen vil ligne det med et andet " \
    "avsnit i samlingen."

static void encode(cph_buf *out, const char *text)
{
    static cph_block blocks[64];
    static cph_line lines[256];
    static cph_token tokens[4096];
    cph_page p = {.blocks = blocks, .lines = lines, .tokens = tokens, .engine = CPH_STR("Finereader"),
                  .engine_version = CPH_STR("7"), .ocr_date = CPH_STR("2006-05-04")};
    cph_str all = cph_str_of(text), block, line, word;
    static char ids[64][8];
    while (cph_str_split(&all, '|', &block)) {
        cph_block *k = &blocks[p.n_blocks];
        snprintf(ids[p.n_blocks], sizeof ids[0], "b%u", p.n_blocks);
        *k = (cph_block){.id = cph_str_of(ids[p.n_blocks++]), .first_line = p.n_lines,
                         .box = {CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX, CPH_UNKNOWN_BOX}};
        while (cph_str_split(&block, '/', &line)) {
            cph_line *l = &lines[p.n_lines++];
            *l = (cph_line){.first_token = p.n_tokens, .box = k->box};
            k->n_lines++;
            while (cph_str_split(&line, ' ', &word)) {
                if (!word.n) continue;
                tokens[p.n_tokens] = (cph_token){.text = word, .wc = 88, .box = k->box,
                                                 .space_before = p.n_tokens > l->first_token};
                p.n_tokens++;
            }
            l->n_tokens = p.n_tokens - l->first_token;
        }
    }
    p.n_strings = p.n_tokens;
    must(cph_page_encode(out, &p, err));
}

static void put(cph_collection *c, const char *id, const char *work, const char *divisions,
                const char *const *pages)
{
    cph_page_record records[16] = {{0}};
    cph_buf json[16];
    cph_source_file file = {.path = CPH_STR("page.xml"),
                            .checksum_state = CPH_STR("good"),
                            .role = CPH_STR("text")};
    cph_object_record o = {.source_id = cph_str_of(id),
                           .profile = CPH_STR("text"),
                           .work_urn = cph_str_of(work),
                           .meta_json = CPH_STR("{\"languages\":[\"nob\"],\"title\":\"En \\\"tittel\\\"\"}"),
                           .divisions_json = cph_str_of(divisions),
                           .files = &file,
                           .n_files = 1,
                           .pages = records};
    const char *from = testing_path(id);
    must(cph_file_write(from, id, strlen(id), err));
    file.from = from;
    file.bytes = strlen(id);
    file.sha256 = cph_sha256_of(id, strlen(id));
    for (; pages[o.n_pages]; o.n_pages++) {
        cph_buf_init(&json[o.n_pages], 1u << 20);
        encode(&json[o.n_pages], pages[o.n_pages]);
        records[o.n_pages] = (cph_page_record){.order = (uint32_t)o.n_pages + 1,
                                               .label = CPH_STR("[i]"),
                                               .text_file = file.sha256,
                                               .lines_json = cph_buf_view(&json[o.n_pages])};
    }
    bool added;
    must(cph_collection_add_object(c, &o, &added, err));
    assert_true(added);
    for (size_t i = 0; i < o.n_pages; i++) cph_buf_release(&json[i]);
}

static void work(cph_collection *c, const char *urn, const char *form, const char *year, bool given)
{
    char facts[512];
    snprintf(facts, sizeof facts,
             "{\"urn\":\"%s\",\"title\":\"T\",\"origin\":\"NO\",\"form\":\"%s\",\"published\":\"yes\","
             "\"language\":\"nob\","
             "\"pub\":{\"value\":\"%s\",\"source\":\"catalogue\"},\"contributors\":[{\"role\":\"author\","
             "\"name\":\"N, N\","
             "\"death\":{\"value\":\"1999\",\"source\":\"authority\"}}]}",
             urn, form, year);
    must(cph_collection_add_fact(c, "work", cph_str_of(urn), CPH_STR("works.jsonl:1"), cph_str_of(facts),
                                 err));
    if (!given) return;
    snprintf(facts, sizeof facts,
             "{\"basis\":\"CONSENT\",\"by\":\"Kari\",\"decision\":\"ALLOW\",\"on\":\"2026-01-01\",\"reason\":"
             "\"asked\","
             "\"purposes\":[\"train-internal\"],\"work\":\"%s\"}",
             urn);
    must(cph_collection_add_fact(c, "determination", cph_str_of(urn), CPH_STR("officer:Kari"),
                                 cph_str_of(facts), err));
}

static const char *make_collection(const char *name)
{
    static char path[CPH_PATH_MAX];
    cph_collection *c;
    snprintf(path, sizeof path, "%s", testing_path(name));
    must(cph_collection_open(&c, path, CPH_OPEN_CREATE, err));
    work(c, "urn:book", "book", "1911", true);
    work(c, "urn:later", "book", "1950", true);
    work(c, "urn:paper", "newspaper_issue", "1913-06-14", true);
    work(c, "urn:no", "book", "1920", false);
    put(c, "book", "urn:book", "",
        (const char *const[]){"Det var en gang en mand som / hadde en Venti-/lator.|" LONG
                              "|Slut \"paa\" siden, men",
                              "ikke paa boken.", NULL});
    put(c, "copy", "urn:later", "",
        (const char *const[]){"Det var en gang, en mand som / hadde en Venti-/lator.|" LONG
                              "|Slut paa siden, men",
                              "ikke paa boken!", NULL});
    put(c, "secret", "urn:no", "", (const char *const[]){"Hemmeligheden staar her.|" LONG, NULL});
    put(c, "unknown", "", "", (const char *const[]){"Ingen kjender mig.", NULL});
    put(c, "paper", "urn:paper",
        "[{\"blocks\":[[1,\"b2\"],[2,\"b0\"]],\"id\":\"A2\",\"label\":\"Anden\",\"type\":\"ARTICLE\"},"
        "{\"blocks\":[[1,\"b0\"]],\"id\":\"A1\",\"type\":\"ARTICLE\"},{\"blocks\":[[2,\"b1\"]],\"id\":\"AD\","
        "\"type\":\"ADVERTISEMENT\"}]",
        (const char *const[]){"F\xC3\xB8rste artikel.|Uten division.|Anden artikel begynder",
                              "og slutter.|Kj\xC3\xB8p smult!", NULL});
    for (unsigned i = 0; i < 12; i++) {
        char id[32], text[512];
        snprintf(id, sizeof id, "many-%02u", i);
        snprintf(text, sizeof text, "Nummer %c er for sig selv.|" LONG, 'a' + (int)i);
        put(c, id, "urn:later", "", (const char *const[]){text, NULL});
    }
    cph_collection_close(c);
    return path;
}

static void opts_for(cph_build_opts *o, const char *collection, const char *out)
{
    cph_build_opts_init(o);
    o->collection = collection;
    o->out = out;
    o->policy.purpose = CPH_PURPOSE_TRAIN_INTERNAL;
    o->policy.as_of = 20261123;
}

static cph_build_report built(const cph_build_opts *o)
{
    cph_arena a;
    cph_build_report r = {0};
    cph_arena_init(&a, 0);
    must(cph_build_run(o, &a, &r, err));
    r.tally = NULL;
    cph_arena_release(&a);
    return r;
}

static void read_whole(cph_buf *b, const char *dir, const char *name)
{
    char path[CPH_PATH_MAX];
    cph_lines *l;
    cph_str line;
    cph_status s;
    must(cph_path_join(path, dir, name, err));
    must(cph_lines_open(&l, path, 1u << 24, err));
    while ((s = cph_lines_next(l, &line, NULL)) == CPH_OK) {
        must(cph_buf_str(b, line, err));
        must(cph_buf_char(b, '\n', err));
    }
    assert_int_equal(s, CPH_END);
    cph_lines_close(l);
}

/* The text of all files that a stranger may get. */
static void read_public(cph_buf *b, const char *dir)
{
    static const char *const names[] = {"shard-00000.jsonl.zst",
                                        "shard-00000.prov.jsonl.zst",
                                        "frames.jsonl",
                                        "README.md",
                                        "stats.csv",
                                        "report.html",
                                        "colophon.json",
                                        "dropped.jsonl.zst"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) read_whole(b, dir, names[i]);
}

static const char *collection;

static void what_is_refused_stands_nowhere_and_what_is_given_is_whole(void **state)
{
    cph_build_opts o;
    cph_buf b;
    (void)state;
    const char *out = testing_path("given");
    opts_for(&o, collection, out);
    cph_build_report r = built(&o);
    assert_int_equal(r.works_given, 3);
    assert_int_equal(r.works_refused, 2);
    assert_int_equal(r.balance.strings,
                     r.balance.out + r.balance.absorbed + r.balance.dropped + r.balance.empty);
    cph_buf_init(&b, 1u << 24);
    read_public(&b, out);
    static const char *const never[] = {"Hemmeligheden", "secret", "urn:no", "Ingen kjender", "unknown@"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (strstr(b.p, never[i])) fail_msg("%s stands in the corpus", never[i]);
    assert_non_null(strstr(
        b.p,
        "{\"id\":\"paper/A2\",\"text\":\"Anden artikel begynder og "
        "slutter.\",\"lang\":\"nb\",\"type\":\"newspaper_article\",\"date\":\"1913-06-14\",\"rights\":\""));
    assert_non_null(strstr(b.p, "\"text\":\"F\xC3\xB8rste artikel.\\n\\nUten division.\""));
    assert_non_null(strstr(b.p, "\"type\":\"advertisement\""));
    assert_non_null(strstr(b.p, "men ikke paa boken."));
    cph_buf_release(&b);
}

static void copies_leave_one_and_their_ids_stay_beside_it(void **state)
{
    cph_build_opts o;
    cph_buf b;
    (void)state;
    const char *out = testing_path("copies");
    opts_for(&o, collection, out);
    o.policy.as_of = 20261122;
    cph_build_report r = built(&o);
    cph_buf_init(&b, 1u << 24);
    read_whole(&b, out, "shard-00000.prov.jsonl.zst");
    assert_int_equal(r.dropped_documents, 1);
    assert_non_null(strstr(b.p, "\"cluster\":{\"dropped\":[\"copy\"],\"size\":2}"));
    /* 13 documents are left with the long paragraph: ten make boilerplate. */
    assert_int_equal(r.dropped_paragraphs, 12);
    assert_non_null(strstr(b.p, "\"repeated\":[["));
    b.n = 0;
    read_whole(&b, out, "dropped.jsonl.zst");
    assert_non_null(strstr(b.p, "{\"id\":\"copy\",\"kept\":\"book\",\"rule\":\"DUP-DOCUMENT\",\"stage\":"
                                "\"document\",\"threshold\":2,\"value\":2,\"works\":[\"urn:later\"]}"));
    assert_non_null(
        strstr(b.p, "{\"id\":\"many-03\",\"kept\":\"book\",\"paragraph\":1,\"rule\":\"DUP-PARAGRAPH\""));
    cph_buf_release(&b);
}

static void few_copies_of_a_paragraph_stay_unless_the_first_alone_is_wanted(void **state)
{
    cph_build_opts o;
    (void)state;
    opts_for(&o, collection, testing_path("few"));
    o.boilerplate_copies = 14;
    cph_build_report r = built(&o);
    assert_int_equal(r.dropped_paragraphs, 0);
    opts_for(&o, collection, testing_path("first"));
    o.paragraphs = CPH_DEDUP_FIRST;
    r = built(&o);
    assert_int_equal(r.dropped_paragraphs, 12);
    opts_for(&o, collection, testing_path("all"));
    o.paragraphs = o.documents = CPH_DEDUP_ALL;
    r = built(&o);
    assert_int_equal(r.dropped_documents, 2);
    assert_int_equal(r.dropped_paragraphs, 12);
}

static void the_digest_does_not_know_threads_or_sort_memory(void **state)
{
    cph_digest first = {{0}};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        static const unsigned threads[] = {1, 2, 5, 3};
        char name[32];
        cph_build_opts o;
        snprintf(name, sizeof name, "threads-%u", i);
        opts_for(&o, collection, testing_path(name));
        must(cph_pool_open(&o.pool, threads[i], err));
        if (i == 3) o.sort_bytes = 1;
        cph_build_report r = built(&o);
        cph_pool_close(o.pool);
        if (!i) first = r.digest;
        assert_memory_equal(&first, &r.digest, sizeof first);
    }
}

static void every_option_of_identity_changes_the_digest(void **state)
{
    cph_build_opts o;
    (void)state;
    cph_digest digests[12];
    for (unsigned i = 0; i < 12; i++) {
        char name[32];
        snprintf(name, sizeof name, "identity-%u", i);
        opts_for(&o, collection, testing_path(name));
        switch (i) {
        case 1: o.unit = CPH_UNIT_PAGE; break;
        case 2: o.max_chars = 1000; break;
        case 3: o.documents = CPH_DEDUP_NONE; break;
        case 4: o.paragraphs = CPH_DEDUP_NONE; break;
        case 5: o.paragraph_chars = 1000; break;
        case 6: o.boilerplate_copies = 3; break;
        case 7: o.normal.ligatures = false; break;
        case 8: o.hyphen_equals = true; break;
        case 9: o.heads = false; break;
        case 10: o.policy.as_of = 20261101; break;
        case 11: o.policy.release = 20270101; break;
        default: break;
        }
        digests[i] = built(&o).digest;
        for (unsigned k = 0; k < i; k++) assert_memory_not_equal(&digests[i], &digests[k], sizeof digests[i]);
    }
}

static void a_purpose_that_nothing_permits_ends_with_the_tally_and_writes_nothing(void **state)
{
    cph_build_opts o;
    cph_build_report r = {0};
    cph_err err = {0};
    cph_arena a;
    (void)state;
    cph_arena_init(&a, 0);
    const char *out = testing_path("nothing");
    opts_for(&o, collection, out);
    o.policy.purpose = CPH_PURPOSE_EXPORT;
    assert_int_equal(cph_build_run(&o, &a, &r, &err), CPH_RIGHTS);
    assert_int_equal(r.works_refused, 5);
    assert_true(r.n_tally > 0);
    assert_non_null(strstr(err.what, "RR-156"));
    assert_int_equal(cph_file_kind_of(out), CPH_FILE_NONE);
    char tmp[CPH_PATH_MAX];
    snprintf(tmp, sizeof tmp, "%s.tmp", out);
    assert_int_equal(cph_file_kind_of(tmp), CPH_FILE_NONE);
    o.dry_run = true;
    must(cph_build_run(&o, &a, &r, err));
    assert_int_equal(r.works_given, 0);
    o.policy.purpose = CPH_PURPOSE_TRAIN_INTERNAL;
    must(cph_build_run(&o, &a, &r, err));
    assert_int_equal(r.works_given, 3);
    assert_false(r.written);
    assert_int_equal(cph_file_kind_of(out), CPH_FILE_NONE);
    cph_arena_release(&a);
}

static void the_sample_rule_base_is_for_samples(void **state)
{
    cph_build_opts o;
    cph_build_report r;
    cph_err err = {0};
    cph_arena a;
    (void)state;
    cph_arena_init(&a, 0);
    opts_for(&o, collection, testing_path("sample"));
    o.rulebase = "sample";
    assert_int_equal(cph_build_run(&o, &a, &r, &err), CPH_RIGHTS);
    assert_non_null(strstr(err.what, "RR-009"));
    cph_arena_release(&a);
}

/* The n-th write, fsync or rename fails, for every n: no final name; then the same corpus as ever. */
static void a_full_disk_leaves_no_corpus_and_the_next_run_makes_it(void **state)
{
    cph_build_opts o;
    cph_arena a;
    cph_digest want;
    (void)state;
    cph_arena_init(&a, 0);
    opts_for(&o, collection, testing_path("undisturbed"));
    cph_collection *c;
    cph_digest snapshot;
    must(cph_collection_open(&c, collection, CPH_OPEN_READ, err));
    must(cph_collection_snapshot(c, &snapshot, err));
    cph_collection_close(c);
    o.snapshot = &snapshot;
    want = built(&o).digest;
    o.out = testing_path("disturbed");
    for (uint64_t n = 1;; n++) {
        cph_build_report r = {0};
        cph_err err = {0};
        cph_file_fail_at(n);
        cph_status s = cph_build_run(&o, &a, &r, &err);
        cph_file_fail_at(0);
        if (s == CPH_OK) {
            assert_true(n > 20);
            assert_memory_equal(&want, &r.digest, sizeof want);
            break;
        }
        assert_int_equal(s, CPH_IO);
        assert_true(err.what[0] != 0);
        /* After the rename the corpus is whole; only the parent directory was not synced. */
        if (cph_file_kind_of(o.out) != CPH_FILE_NONE) {
            cph_manifest *m;
            must(cph_manifest_open(&m, o.out, err));
            cph_manifest_close(m);
            must(cph_remove_tree(o.out, err));
        }
    }
    cph_arena_release(&a);
}

static void side_car_and_drop_log_are_canonical_json(void **state)
{
    static const char *const names[] = {"shard-00000.prov.jsonl.zst", "dropped.jsonl.zst", "frames.jsonl",
                                        "decisions.jsonl.zst"};
    cph_build_opts o;
    cph_buf b, again;
    cph_arena a;
    (void)state;
    const char *out = testing_path("canonical");
    opts_for(&o, collection, out);
    o.unit = CPH_UNIT_PAGE;
    built(&o);
    cph_buf_init(&b, 1u << 24);
    cph_buf_init(&again, 1u << 24);
    cph_arena_init(&a, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cph_str rest, line;
        b.n = 0;
        read_whole(&b, out, names[i]);
        for (rest = cph_buf_view(&b); cph_str_split(&rest, '\n', &line);) {
            cph_json *v;
            if (!line.n) continue;
            must(cph_json_parse(&v, &a, line, names[i], NULL, err));
            again.n = 0;
            must(cph_json_canonical(&again, v, err));
            if (!cph_str_eq(cph_buf_view(&again), line)) fail_msg("%s: %.*s", names[i], CPH_FMT(line));
        }
    }
    cph_buf_release(&b);
    cph_buf_release(&again);
    cph_arena_release(&a);
}

/* ---- reading ---- */

static cph_corpus *opened(const char *out)
{
    cph_corpus *c;
    must(cph_corpus_open(&c, out, err));
    return c;
}

static void parts_are_disjoint_and_cover_the_corpus(void **state)
{
    cph_build_opts o;
    (void)state;
    opts_for(&o, collection, testing_path("parts"));
    built(&o);
    cph_corpus *c = opened(o.out);
    cph_policy p = cph_corpus_policy(c);
    uint64_t n = cph_corpus_n_records(c);
    assert_true(n > 10 && n < 64);
    for (uint32_t parts = 1; parts < 20; parts++) {
        uint64_t all = 0;
        for (uint32_t i = 0; i < parts; i++) {
            cph_reader *r;
            cph_doc d;
            must(cph_reader_open(&r, c, &p, (cph_part){i, parts}, NULL, true, err));
            while (cph_reader_next(r, &d, NULL) == CPH_OK) {
                assert_false(all >> d.index & 1);
                all |= (uint64_t)1 << d.index;
                assert_int_equal(d.n_works, 1);
                assert_true(cph_str_is(d.basis, "CONSENT"));
                assert_true(cph_str_is(d.source, "text"));
            }
            cph_reader_close(r);
        }
        assert_true(all == ((uint64_t)1 << n) - 1);
    }
    cph_corpus_close(c);
}

static void a_record_is_found_by_its_id_unless_it_was_taken_down(void **state)
{
    cph_build_opts o;
    cph_reader *r;
    cph_doc d;
    char hex[CPH_HEX_DIGEST], list[CPH_PATH_MAX], line[256];
    (void)state;
    opts_for(&o, collection, testing_path("find"));
    built(&o);
    cph_corpus *c = opened(o.out);
    cph_policy p = cph_corpus_policy(c);
    must(cph_reader_open(&r, c, &p, (cph_part){0, 1}, NULL, true, err));
    must(cph_reader_find(r, CPH_STR("paper/A1"), &d, err));
    assert_true(cph_str_starts(d.text, "F\xC3\xB8rste artikel."));
    must(cph_reader_find(r, CPH_STR("book"), &d, err));
    must(cph_reader_find(r, CPH_STR("many-11"), &d, err));
    assert_int_equal(cph_reader_find(r, CPH_STR("secret"), &d, NULL), CPH_NO);
    assert_int_equal(cph_reader_find(r, CPH_STR("paper/A9"), &d, NULL), CPH_NO);
    cph_reader_close(r);

    cph_digest key = cph_work_key(CPH_STR("urn:paper"));
    cph_digest_hex(&key, hex);
    snprintf(line, sizeof line,
             "{\"wkey\":\"%s\",\"purposes\":[\"train-internal\"],\"from\":\"2027-01-01\",\"event\":\"x\"}\n",
             hex);
    snprintf(list, sizeof list, "%s", testing_path("revoked.jsonl"));
    must(cph_file_write(list, line, strlen(line), err));
    must(cph_reader_open(&r, c, &p, (cph_part){0, 1}, list, false, err));
    assert_int_equal(cph_reader_find(r, CPH_STR("paper/A1"), &d, NULL), CPH_RIGHTS);
    uint64_t n = 0;
    while (cph_reader_next(r, &d, NULL) == CPH_OK) {
        n++;
        assert_false(cph_str_starts(d.id, "paper"));
    }
    assert_int_equal(cph_reader_n_revoked(r), 3);
    assert_int_equal(n + 3, cph_corpus_n_records(c));
    cph_reader_close(r);
    cph_corpus_close(c);
}

static void a_reader_gets_no_more_than_was_sealed(void **state)
{
    cph_build_opts o;
    cph_reader *r;
    cph_err err = {0};
    (void)state;
    opts_for(&o, collection, testing_path("gate"));
    built(&o);
    cph_corpus *c = opened(o.out);
    cph_policy p = cph_corpus_policy(c);
    assert_int_equal(cph_reader_open(&r, c, &p, (cph_part){0, 1}, NULL, false, &err), CPH_USAGE);
    p.purpose = CPH_PURPOSE_TRAIN_RELEASE_WEIGHTS;
    assert_int_equal(cph_reader_open(&r, c, &p, (cph_part){0, 1}, NULL, true, &err), CPH_RIGHTS);
    assert_non_null(strstr(err.what, "train-release-weights"));
    p = cph_corpus_policy(c);
    memcpy(p.forum, "SE", 3);
    assert_int_equal(cph_reader_open(&r, c, &p, (cph_part){0, 1}, NULL, true, &err), CPH_RIGHTS);
    cph_corpus_close(c);
}

static void a_changed_frame_is_named(void **state)
{
    cph_build_opts o;
    cph_reader *r;
    cph_doc d;
    cph_err err = {0};
    cph_buf b;
    char path[CPH_PATH_MAX];
    cph_status s;
    (void)state;
    opts_for(&o, collection, testing_path("damaged"));
    built(&o);
    snprintf(path, sizeof path, "%s/shard-00000.jsonl.zst", o.out);
    cph_buf_init(&b, 1u << 24);
    must(cph_file_read(path, 0, &b, err));
    b.p[b.n / 2] ^= 1;
    must(cph_file_write(path, b.p, b.n, err));
    cph_corpus *c = opened(o.out);
    cph_policy p = cph_corpus_policy(c);
    must(cph_reader_open(&r, c, &p, (cph_part){0, 1}, NULL, true, err));
    while ((s = cph_reader_next(r, &d, &err)) == CPH_OK) {}
    assert_int_equal(s, CPH_DATA);
    assert_non_null(strstr(err.what, "shard-00000, frame 0"));
    cph_reader_close(r);
    cph_corpus_close(c);
    snprintf(path, sizeof path, "%s/frames.jsonl", o.out);
    b.n = 0;
    must(cph_file_read(path, 0, &b, err));
    b.p[2] ^= 1;
    must(cph_file_write(path, b.p, b.n, err));
    assert_int_equal(cph_corpus_open(&c, o.out, &err), CPH_DATA);
    cph_buf_release(&b);
}

static int make(void **state)
{
    (void)state;
    collection = make_collection("collection");
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    testing_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused_stands_nowhere_and_what_is_given_is_whole),
        cmocka_unit_test(copies_leave_one_and_their_ids_stay_beside_it),
        cmocka_unit_test(few_copies_of_a_paragraph_stay_unless_the_first_alone_is_wanted),
        cmocka_unit_test(the_digest_does_not_know_threads_or_sort_memory),
        cmocka_unit_test(every_option_of_identity_changes_the_digest),
        cmocka_unit_test(a_purpose_that_nothing_permits_ends_with_the_tally_and_writes_nothing),
        cmocka_unit_test(the_sample_rule_base_is_for_samples),
        cmocka_unit_test(a_full_disk_leaves_no_corpus_and_the_next_run_makes_it),
        cmocka_unit_test(side_car_and_drop_log_are_canonical_json),
        cmocka_unit_test(parts_are_disjoint_and_cover_the_corpus),
        cmocka_unit_test(a_record_is_found_by_its_id_unless_it_was_taken_down),
        cmocka_unit_test(a_reader_gets_no_more_than_was_sealed),
        cmocka_unit_test(a_changed_frame_is_named)};
    return cmocka_run_group_tests(tests, make, tidy);
}
