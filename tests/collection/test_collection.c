/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <colophon/base/memory.h>
#include <colophon/base/pool.h>
#include "collection_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[256];
static cph_err err;

static void ok(cph_status s)
{
    if (s != CPH_OK) fail_msg("%s: %s", cph_status_name(s), err.what);
}

static char *at(const char *name)
{
    static char paths[8][512];
    static unsigned turn;
    char *p = paths[turn++ % 8];
    snprintf(p, 512, "%s/%s", root, name);
    return p;
}

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/cph-collection-%d", (int)getpid());
    return cph_remove_tree(root, NULL) == CPH_OK && cph_mkdirs(root, NULL) == CPH_OK ? 0 : 1;
}

static int drop_root(void **state)
{
    (void)state;
    cph_file_fail_at(0);
    return cph_remove_tree(root, NULL) == CPH_OK ? 0 : 1;
}

static cph_collection *opened(const char *name, cph_open_mode mode)
{
    cph_collection *c = NULL;
    ok(cph_collection_open(&c, at(name), mode, &err));
    return c;
}

/* ---- a little object: n pages in one file ---- */

#define N_PAGES 3
typedef struct little {
    cph_object_record o;
    cph_source_file file;
    cph_page_record pages[N_PAGES];
    cph_problem problem;
    char path[512], lines[N_PAGES][96];
} little;

static void make_little(little *l, const char *id, const char *work, const char *content)
{
    *l = (little){0};
    snprintf(l->path, sizeof l->path, "%s/%s.src", root, id);
    ok(cph_file_write(l->path, content, strlen(content), &err));
    l->file = (cph_source_file){.path = CPH_STR("page.xml"), .from = l->path, .bytes = strlen(content),
                                .sha256 = cph_sha256_of(content, strlen(content)),
                                .checksum_state = CPH_STR("none"), .role = CPH_STR("text")};
    for (uint32_t i = 0; i < N_PAGES; i++) {
        snprintf(l->lines[i], sizeof l->lines[i], "{\"blocks\":[],\"of\":\"%s\",\"page\":%u}", id, i + 1);
        l->pages[i] = (cph_page_record){.order = i + 1, .label = CPH_STR("x"), .text_file = l->file.sha256,
                                        .lines_json = cph_str_of(i == 1 ? "" : l->lines[i])};
    }
    l->problem =
        (cph_problem){CPH_STR("page.xml"), CPH_STR("line 2"), CPH_STR("truncated"), CPH_STR("it ends early")};
    l->o = (cph_object_record){.source_id = cph_str_of(id),
                               .profile = CPH_STR("text"),
                               .work_urn = cph_str_of(work),
                               .meta_json = CPH_STR("{\"title\":\"T\",\"strings\":7}"),
                               .files = &l->file,
                               .n_files = 1,
                               .pages = l->pages,
                               .n_pages = N_PAGES,
                               .problems = &l->problem,
                               .n_problems = 1};
}

static bool add(cph_collection *c, const char *id, const char *work, const char *content)
{
    little l;
    bool added = false;
    make_little(&l, id, work, content);
    ok(cph_collection_add_object(c, &l.o, &added, &err));
    return added;
}

static cph_digest snap(cph_collection *c)
{
    cph_digest d;
    ok(cph_collection_snapshot(c, &d, &err));
    return d;
}

#define WORK_A                                                                                               \
    "{\"urn\":\"urn:a\",\"title\":\"A\",\"origin\":\"NO\",\"form\":\"book\",\"published\":\"yes\","          \
    "\"contributors\":[{\"role\":\"author\",\"name\":\"Nordmann, "                                           \
    "Ola\",\"death\":{\"value\":\"1950\",\"source\":\"authority\"}}]}"
#define WORK_A_TOO                                                                                           \
    "{\"urn\":\"urn:a\",\"form\":\"book\",\"contributors\":[{\"role\":\"author\",\"name\":\"Nordmann, "      \
    "Ola\",\"death\":{\"value\":\"1960\",\"source\":\"catalogue\"}}]}"
#define LICENCE                                                                                              \
    "{\"kind\":\"licence\",\"id\":\"L1\",\"type\":\"contract\",\"works\":[\"urn:a\",\"urn:b\"],"             \
    "\"purposes\":[\"search\"]}"
#define SIGNAL                                                                                               \
    "{\"kind\":\"signal\",\"work\":\"urn:b\",\"signal\":\"rightsholder_letter\",\"value\":\"reserved\","     \
    "\"seen_at\":\"2026-01-02\"}"
#define DETERMINATION                                                                                        \
    "{\"work\":\"urn:b\",\"purposes\":[\"search\"],\"decision\":\"ALLOW\",\"basis\":\"CONSENT\",\"by\":"     \
    "\"Kari Officer\",\"on\":\"2026-01-01\",\"reason\":\"a letter\"}"

static void fact(cph_collection *c, const char *kind, const char *key, const char *source, const char *facts)
{
    ok(cph_collection_add_fact(c, kind, cph_str_of(key), cph_str_of(source), cph_str_of(facts), &err));
}

/* What stands in the collection after these steps does not depend on their order. */
static void step(cph_collection *c, int i)
{
    switch (i) {
    case 0: add(c, "one", "urn:a", "first bytes"); break;
    case 1: add(c, "two", "urn:b", "second bytes"); break;
    case 2: add(c, "three", "", "third bytes"); break;
    case 3: fact(c, "work", "urn:a", "works.jsonl:1", WORK_A); break;
    case 4: fact(c, "work", "urn:a", "mods:2", WORK_A_TOO); break;
    case 5: fact(c, "licence", "L1", "rights.jsonl:1", LICENCE); break;
    case 6: fact(c, "signal", "urn:b", "officer:Kari", SIGNAL); break;
    default: fact(c, "determination", "urn:b", "officer:Kari", DETERMINATION); break;
    }
}

static void a_snapshot_is_the_same_in_any_order_of_arrival(void **state)
{
    (void)state;
    static const int orders[3][8] = {
        {0, 1, 2, 3, 4, 5, 6, 7}, {7, 6, 5, 4, 3, 2, 1, 0}, {4, 0, 7, 2, 6, 1, 3, 5}};
    cph_digest first = {{0}};
    for (int k = 0; k < 3; k++) {
        char name[16];
        snprintf(name, sizeof name, "order%d", k);
        cph_collection *c = opened(name, CPH_OPEN_CREATE);
        for (int i = 0; i < 8; i++) step(c, orders[k][i]);
        cph_digest d = snap(c);
        for (int i = 0; i < 8; i++) step(c, orders[2 - k][i]); /* again: nothing new */
        cph_digest again = snap(c);
        assert_memory_equal(&d, &again, sizeof d);
        if (k == 0) first = d;
        assert_memory_equal(&d, &first, sizeof d);
        cph_collection_close(c);
    }
}

#define N_PARALLEL 24
typedef struct parallel {
    cph_collection *c;
    little at[N_PARALLEL];
    char ids[N_PARALLEL][16];
} parallel;

static cph_status add_task(void *arg, size_t task, unsigned worker, cph_err *e)
{
    parallel *p = arg;
    bool added;
    (void)worker;
    return cph_collection_add_object(p->c, &p->at[task].o, &added, e);
}

static void many_threads_make_the_snapshot_of_one(void **state)
{
    (void)state;
    static parallel p;
    cph_digest digests[3];
    for (unsigned threads = 1; threads <= 5; threads += 2) {
        cph_pool *pool = NULL;
        char name[16];
        snprintf(name, sizeof name, "threads%u", threads);
        p.c = opened(name, CPH_OPEN_CREATE);
        for (size_t i = 0; i < N_PARALLEL; i++) {
            snprintf(p.ids[i], sizeof p.ids[i], "o%zu", i);
            make_little(&p.at[i], p.ids[i], "urn:a", i % 3 ? p.ids[i] : "shared bytes");
        }
        ok(cph_pool_open(&pool, threads, &err));
        ok(cph_pool_run(pool, N_PARALLEL, add_task, &p, &err));
        cph_pool_close(pool);
        digests[threads / 2] = snap(p.c);
        cph_collection_close(p.c);
    }
    assert_memory_equal(&digests[0], &digests[1], sizeof digests[0]);
    assert_memory_equal(&digests[0], &digests[2], sizeof digests[0]);
}

static void an_object_is_added_once_and_its_content_is_kept(void **state)
{
    (void)state;
    char path[CPH_PATH_MAX];
    cph_collection *c = opened("once", CPH_OPEN_CREATE);
    assert_true(add(c, "one", "urn:a", "bytes"));
    assert_false(add(c, "one", "urn:a", "bytes"));
    assert_true(add(c, "one", "urn:a", "other bytes")); /* a second version */
    cph_digest d = cph_sha256_of("bytes", 5);
    ok(cph_collection_content(c, &d, path, &err));
    cph_digest found;
    ok(cph_file_digest(path, &found, NULL, &err));
    assert_memory_equal(&d, &found, sizeof d);
    cph_collection_close(c);
}

static void a_file_that_changed_under_us_is_refused(void **state)
{
    (void)state;
    little l;
    bool added = false, has = true;
    char key[160];
    cph_collection *c = opened("changed", CPH_OPEN_CREATE);
    make_little(&l, "one", "urn:a", "bytes");
    ok(cph_file_write(l.path, "other", 5, &err));
    assert_int_equal(cph_collection_add_object(c, &l.o, &added, &err), CPH_DATA);
    assert_non_null(strstr(err.what, "changed while"));
    cph_object_key(&l.o, key);
    ok(cph_collection_has_object(c, cph_str_of(key), &has, &err));
    assert_false(has);
    cph_collection_close(c);
}

static void a_snapshot_gives_back_objects_pages_and_lines(void **state)
{
    (void)state;
    cph_collection *c = opened("read", CPH_OPEN_CREATE);
    for (int i = 0; i < 120; i++) {
        char id[16], content[32];
        snprintf(id, sizeof id, "o%03d", i);
        snprintf(content, sizeof content, "content %d", i);
        add(c, id, i % 2 ? "urn:odd" : "", content);
    }
    snap(c);
    cph_collection_close(c);
    cph_snapshot *s = NULL;
    ok(cph_snapshot_open(&s, at("read"), NULL, &err));
    assert_int_equal(cph_snapshot_n_objects(s), 120);
    assert_int_equal(cph_snapshot_n_works(s), 61);
    cph_arena a;
    cph_arena_init(&a, 1u << 24);
    cph_buf b;
    cph_buf_init(&b, 1u << 20);
    for (size_t i = 0; i < 120; i++) {
        cph_snapshot_object o;
        cph_snapshot_page p;
        char id[16];
        snprintf(id, sizeof id, "o%03zu", i);
        cph_arena_reset(&a);
        ok(cph_snapshot_object_at(s, i, &a, &o, &err));
        assert_true(cph_str_is(o.source_id, id));
        assert_true(cph_str_is(o.version, "only"));
        assert_int_equal(o.n_pages, N_PAGES);
        for (uint32_t k = 0; k < N_PAGES; k++) {
            static const cph_digest none;
            ok(cph_snapshot_page_at(s, o.key, k, &a, &p, &err));
            assert_int_equal(p.order, k + 1);
            assert_int_equal(cph_digest_cmp(&p.lines, &none) == 0, k == 1);
            if (k == 1) continue;
            b.n = 0;
            ok(cph_snapshot_lines(s, &p.lines, &b, &err));
            char want[96];
            snprintf(want, sizeof want, "{\"blocks\":[],\"of\":\"%s\",\"page\":%u}", id, k + 1);
            assert_string_equal(b.p, want);
        }
        assert_int_equal(cph_snapshot_page_at(s, o.key, N_PAGES, &a, &p, &err), CPH_NO);
    }
    cph_buf_release(&b);
    cph_arena_release(&a);
    cph_snapshot_close(s);
}

static void two_sources_that_disagree_on_a_death_stand_side_by_side(void **state)
{
    (void)state;
    cph_collection *c = opened("disagree", CPH_OPEN_CREATE);
    for (int i = 0; i < 8; i++) step(c, i);
    snap(c);
    cph_snapshot *s = NULL;
    cph_arena a;
    const cph_json *now, *frozen;
    cph_arena_init(&a, 1u << 20);
    ok(cph_snapshot_open(&s, at("disagree"), NULL, &err));
    ok(cph_snapshot_work(s, CPH_STR("urn:a"), &a, &frozen, &err));
    ok(cph_collection_work(c, CPH_STR("urn:a"), &a, &now, &err));
    cph_buf x, y;
    cph_buf_init(&x, 1u << 16);
    cph_buf_init(&y, 1u << 16);
    ok(cph_json_canonical(&x, now, &err));
    ok(cph_json_canonical(&y, frozen, &err));
    assert_string_equal(x.p, y.p);
    assert_non_null(strstr(x.p, "\"death\":{\"source\":\"catalogue\",\"value\":\"1950|1960\"}"));
    assert_non_null(strstr(x.p, "\"licences\":[{\"id\":\"L1\""));
    y.n = 0;
    ok(cph_snapshot_work(s, CPH_STR("urn:b"), &a, &frozen, &err));
    ok(cph_json_canonical(&y, frozen, &err));
    assert_null(strstr(y.p, "Kari"));
    assert_non_null(strstr(y.p, "\"determinations\":[{\"basis\":\"CONSENT\",\"decision\":\"ALLOW\""));
    assert_non_null(strstr(y.p, "rightsholder_letter"));
    assert_int_equal(cph_snapshot_work(s, CPH_STR("urn:none"), &a, &frozen, &err), CPH_NO);
    cph_buf_release(&x);
    cph_buf_release(&y);
    cph_arena_release(&a);
    cph_snapshot_close(s);
    cph_collection_close(c);
}

static void of_two_versions_the_one_that_a_person_named_is_chosen(void **state)
{
    (void)state;
    cph_collection *c = opened("versions", CPH_OPEN_CREATE);
    cph_arena a;
    cph_snapshot *s = NULL;
    cph_snapshot_object o;
    cph_str first;
    char facts[256];
    cph_arena_init(&a, 1u << 20);
    add(c, "one", "urn:a", "bytes");
    add(c, "one", "urn:a", "other bytes");
    snap(c);
    ok(cph_snapshot_open(&s, at("versions"), NULL, &err));
    ok(cph_snapshot_object_at(s, 0, &a, &o, &err));
    assert_true(cph_str_is(o.version, "undecided"));
    first = o.key;
    cph_snapshot_close(s);
    snprintf(facts, sizeof facts, "{\"object\":\"%.*s\"}", CPH_FMT(first));
    fact(c, "version", "one", "officer:Kari", facts);
    snap(c);
    ok(cph_snapshot_open(&s, at("versions"), NULL, &err));
    ok(cph_snapshot_object_at(s, 0, &a, &o, &err));
    assert_true(cph_str_is(o.version, "chosen"));
    ok(cph_snapshot_object_at(s, 1, &a, &o, &err));
    assert_true(cph_str_is(o.version, "superseded"));
    cph_snapshot_close(s);
    cph_arena_release(&a);
    cph_collection_close(c);
}

static void a_statement_that_replaces_another_takes_it_out_of_force(void **state)
{
    (void)state;
    (void)state;
    cph_collection *c = opened("replace", CPH_OPEN_CREATE);
    cph_arena a;
    const cph_json *view;
    cph_arena_init(&a, 1u << 20);
    fact(c, "work", "urn:a", "works.jsonl:1", WORK_A);
    fact(c, "work", "urn:a", "mods:2", WORK_A_TOO);
    ok(cph_collection_work(c, CPH_STR("urn:a"), &a, &view, &err));
    const cph_json *death =
        cph_json_get(cph_json_get(cph_json_get(view, "work"), "contributors")->first, "death");
    assert_true(cph_str_is(cph_json_get_str(death, "value"), "1950|1960"));
    /* The digest of the mods statement, as a person reads it in `rights show`. */
    cph_sha256 h;
    cph_sha256_init(&h);
    cph_json *v;
    cph_buf b;
    cph_buf_init(&b, 1u << 16);
    ok(cph_json_parse(&v, &a, CPH_STR(WORK_A_TOO), "x", NULL, &err));
    ok(cph_json_canonical(&b, v, &err));
    cph_sha256_add(&h, "work", 5);
    cph_sha256_add(&h, "urn:a", 6);
    cph_sha256_add(&h, b.p, b.n);
    cph_digest d = cph_sha256_end(&h);
    char hex[CPH_HEX_DIGEST], facts[512];
    cph_digest_hex(&d, hex);
    snprintf(facts, sizeof facts, "{\"replaces\":[\"%s\"],\"origin\":\"NO\"}", hex);
    fact(c, "work", "urn:a", "officer:Kari", facts);
    ok(cph_collection_work(c, CPH_STR("urn:a"), &a, &view, &err));
    death = cph_json_get(cph_json_get(cph_json_get(view, "work"), "contributors")->first, "death");
    assert_true(cph_str_is(cph_json_get_str(death, "value"), "1950"));
    cph_buf_release(&b);
    cph_arena_release(&a);
    cph_collection_close(c);
}

static void a_fault_at_any_write_leaves_the_old_state(void **state)
{
    (void)state;
    little l;
    bool added = false;
    make_little(&l, "one", "urn:a", "bytes");
    for (uint64_t n = 1; n < 200; n++) {
        cph_collection *c = opened("faults", CPH_OPEN_CREATE);
        cph_file_fail_at(n);
        cph_status s = cph_collection_add_object(c, &l.o, &added, &err);
        cph_digest d;
        if (s == CPH_OK) s = cph_collection_snapshot(c, &d, &err);
        cph_file_fail_at(0);
        cph_collection_close(c);
        if (s == CPH_OK) {
            assert_true(n > 5);
            return;
        }
        assert_int_equal(s, CPH_IO);
        assert_non_null(strstr(err.what, "No space left"));
        assert_int_equal(cph_file_kind_of(at("faults/snapshots/next.tmp")), CPH_FILE_NONE);
        c = opened("faults", CPH_OPEN_WRITE);
        snap(c);
        cph_collection_close(c);
        ok(cph_remove_tree(at("faults"), &err));
    }
    fail_msg("the fault counter never ran out");
}

static void a_full_disk_is_one_sentence_and_the_run_goes_on_later(void **state)
{
    (void)state;
    cph_collection *c = opened("full", CPH_OPEN_CREATE);
    cph_status s = CPH_OK;
    little l;
    bool added;
    int i;
    char id[16];
    ok(cph_sql_exec(c->db, "full", "PRAGMA max_page_count = 40", &err));
    for (i = 0; s == CPH_OK && i < 2000; i++) {
        snprintf(id, sizeof id, "o%04d", i);
        make_little(&l, id, "urn:a", id);
        s = cph_collection_add_object(c, &l.o, &added, &err);
    }
    assert_int_equal(s, CPH_IO);
    assert_non_null(strstr(err.what, "the disk is full"));
    bool has = true;
    char key[160];
    cph_object_key(&l.o, key);
    ok(cph_collection_has_object(c, cph_str_of(key), &has, &err));
    assert_false(has);
    ok(cph_sql_exec(c->db, "full", "PRAGMA max_page_count = 1000000", &err));
    ok(cph_collection_add_object(c, &l.o, &added, &err));
    assert_true(added);
    cph_digest got = snap(c);
    cph_collection_close(c);
    c = opened("roomy", CPH_OPEN_CREATE);
    for (int k = 0; k < i; k++) {
        snprintf(id, sizeof id, "o%04d", k);
        add(c, id, "urn:a", id);
    }
    cph_digest want = snap(c);
    assert_memory_equal(&got, &want, sizeof got);
    cph_collection_close(c);
}

static void a_snapshot_with_a_changed_bit_is_noticed_or_reads_the_same(void **state)
{
    (void)state;
    static const char *const files[] = {"rows.jsonl.zst", "frames.jsonl", "colophon.json"};
    cph_collection *c = opened("bits", CPH_OPEN_CREATE);
    for (int i = 0; i < 8; i++) step(c, i);
    cph_digest d = snap(c);
    cph_collection_close(c);
    char hex[CPH_HEX_DIGEST], path[600];
    cph_digest_hex(&d, hex);
    for (int k = 0; k < 3; k++) {
        snprintf(path, sizeof path, "%s/bits/snapshots/%s/%s", root, hex, files[k]);
        cph_buf b;
        cph_buf_init(&b, 1u << 20);
        ok(cph_file_read(path, 0, &b, &err));
        for (size_t i = 0; i < b.n; i += 1 + b.n / 40) {
            b.p[i] ^= 1;
            ok(cph_file_write(path, b.p, b.n, &err));
            cph_snapshot *s = NULL;
            cph_arena a;
            cph_arena_init(&a, 1u << 20);
            if (cph_snapshot_open(&s, at("bits"), NULL, &err) == CPH_OK) {
                cph_snapshot_object o;
                const cph_json *view;
                /* verify names the bit; here nothing may crash, whatever the answer. */
                for (size_t n = 0; n < cph_snapshot_n_objects(s) && n < 10; n++)
                    if (cph_snapshot_object_at(s, n, &a, &o, &err) != CPH_OK) break;
                if (cph_snapshot_work(s, CPH_STR("urn:b"), &a, &view, &err) == CPH_OK) assert_non_null(view);
                cph_snapshot_close(s);
            }
            cph_arena_release(&a);
            b.p[i] ^= 1;
        }
        ok(cph_file_write(path, b.p, b.n, &err));
        cph_buf_release(&b);
    }
}

static void a_killed_ingest_goes_on_to_the_same_snapshot(void **state)
{
    (void)state;
    cph_collection *c = opened("calm", CPH_OPEN_CREATE);
    for (int i = 0; i < 8; i++) step(c, i);
    cph_digest want = snap(c);
    cph_collection_close(c);
    srand(42);
    for (int round = 0; round < 12; round++) {
        pid_t child = fork();
        if (child == 0) {
            cph_digest d;
            if (cph_collection_open(&c, at("killed"), CPH_OPEN_CREATE, &err) != CPH_OK) _exit(1);
            for (int i = 0; i < 8; i++) step(c, i);
            if (cph_collection_snapshot(c, &d, &err) != CPH_OK) _exit(1);
            _exit(0);
        }
        usleep((useconds_t)(rand() % 12000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    c = opened("killed", CPH_OPEN_CREATE);
    for (int i = 0; i < 8; i++) step(c, i);
    cph_digest got = snap(c);
    assert_memory_equal(&got, &want, sizeof got);
    cph_collection_close(c);
}

static void an_import_is_whole_or_nothing_and_names_the_line(void **state)
{
    (void)state;
    static const char good[] =
        "{\"kind\":\"work\",\"urn\":\"urn:a\",\"title\":\"A\"}\n\n"
        "{\"kind\":\"signal\",\"work\":\"urn:a\",\"signal\":\"rightsholder_letter\",\"value\":\"reserved\","
        "\"seen_at\":\"2026-01-01\",\"evidence_sha256\":"
        "\"9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab\"}\n";
    static const char *const bad[] = {
        "{\"kind\":\"work\",\"urn\":\"urn:b\"}\n{\"kind\":\"licence\",\"id\":\"L\",\"type\":\"odd\"}\n",
        "{\"kind\":\"work\",\"urn\":\"urn:b\"}\n{\"kind\":\"rumour\"}\n",
        "{\"kind\":\"work\",\"urn\":\"urn:b\"}\n{\"kind\":\n",
        "{\"kind\":\"work\",\"urn\":\"urn:b\"}\n{\"kind\":\"block\",\"id\":\"B\",\"block\":\"court\","
        "\"work\":\"urn:b\",\"purposes\":[\"fun\"]}\n",
        "{\"kind\":\"work\",\"urn\":\"urn:b\"}\n{\"kind\":\"determination\",\"work\":\"urn:b\",\"purposes\":["
        "\"ocr\"],\"decision\":\"DENY\",\"on\":\"2026-01-01\",\"reason\":\"r\"}\n",
    };
    cph_collection *c = opened("lines", CPH_OPEN_CREATE);
    cph_import_counts n;
    char path[CPH_PATH_MAX];
    cph_digest before = snap(c), letter = cph_sha256_of("abcdefgh", 8);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ok(cph_file_write(at("bad.jsonl"), bad[i], strlen(bad[i]), &err));
        assert_int_equal(cph_collection_import(c, at("bad.jsonl"), NULL, &n, &err), CPH_DATA);
        if (!strstr(err.what, "bad.jsonl:2: ")) fail_msg("%s", err.what);
        cph_digest after = snap(c);
        assert_memory_equal(&before, &after, sizeof before);
    }
    ok(cph_mkdirs(at("letters"), &err));
    ok(cph_file_write(at("letters/a"), "abcdefgh", 8, &err));
    ok(cph_file_write(at("letters/unnamed"), "x", 1, &err));
    ok(cph_file_write(at("good.jsonl"), good, strlen(good), &err));
    ok(cph_collection_import(c, at("good.jsonl"), at("letters"), &n, &err));
    assert_int_equal(n.n_statements, 2);
    assert_int_equal(n.n_evidence, 1);
    ok(cph_collection_content(c, &letter, path, &err));
    cph_digest once = snap(c);
    ok(cph_collection_import(c, at("good.jsonl"), NULL, &n, &err));
    cph_digest twice = snap(c);
    assert_memory_equal(&once, &twice, sizeof once);
    cph_collection_close(c);
}

static void a_rolled_back_import_leaves_nothing(void **state)
{
    (void)state;
    cph_collection *c = opened("import", CPH_OPEN_CREATE);
    cph_digest before = snap(c);
    ok(cph_collection_begin(c, &err));
    fact(c, "work", "urn:a", "works.jsonl:1", WORK_A);
    assert_int_equal(cph_collection_add_fact(c, "work", CPH_STR("urn:x"), CPH_STR("s"), CPH_STR("[1]"), &err),
                     CPH_DATA);
    cph_collection_rollback(c);
    cph_digest after = snap(c);
    assert_memory_equal(&before, &after, sizeof before);
    cph_collection_close(c);
}

static void keys_with_control_characters_are_refused(void **state)
{
    (void)state;
    cph_collection *c = opened("keys", CPH_OPEN_CREATE);
    assert_int_equal(cph_collection_add_fact(c, "work", CPH_STR("a\tb"), CPH_STR("s"), CPH_STR("{}"), &err),
                     CPH_DATA);
    assert_int_equal(cph_collection_add_fact(c, "work", CPH_STR(""), CPH_STR("s"), CPH_STR("{}"), &err),
                     CPH_DATA);
    assert_int_equal(cph_collection_add_fact(c, "rumour", CPH_STR("a"), CPH_STR("s"), CPH_STR("{}"), &err),
                     CPH_DATA);
    cph_collection_close(c);
}

static void what_is_no_collection_is_not_opened(void **state)
{
    (void)state;
    cph_collection *c = NULL;
    assert_int_equal(cph_collection_open(&c, at("nowhere"), CPH_OPEN_READ, &err), CPH_IO);
    assert_int_equal(cph_collection_open(&c, at("nowhere"), CPH_OPEN_WRITE, &err), CPH_IO);
    ok(cph_mkdirs(at("full"), &err));
    ok(cph_file_write(at("full/thing"), "x", 1, &err));
    assert_int_equal(cph_collection_open(&c, at("full"), CPH_OPEN_CREATE, &err), CPH_USAGE);
    ok(cph_mkdirs(at("junk"), &err));
    ok(cph_file_write(at("junk/collection.db"), "this is no database at all, really", 34, &err));
    assert_int_equal(cph_collection_open(&c, at("junk"), CPH_OPEN_READ, &err), CPH_DATA);
    assert_int_equal(cph_collection_open(&c, at("junk"), CPH_OPEN_WRITE, &err), CPH_DATA);
    assert_null(c);
}

static void a_sample_mark_stays_and_counts(void **state)
{
    (void)state;
    cph_collection *c = opened("mark", CPH_OPEN_CREATE);
    cph_digest plain = snap(c);
    assert_false(cph_collection_is_sample(c));
    ok(cph_collection_mark_sample(c, &err));
    cph_collection_close(c);
    c = opened("mark", CPH_OPEN_READ);
    assert_true(cph_collection_is_sample(c));
    cph_digest marked = snap(c);
    assert_memory_not_equal(&plain, &marked, sizeof plain);
    cph_snapshot *s = NULL;
    ok(cph_snapshot_open(&s, at("mark"), &marked, &err));
    assert_true(cph_snapshot_is_sample(s));
    assert_int_equal(cph_snapshot_n_objects(s), 0);
    cph_snapshot_close(s);
    cph_collection_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, make_root, drop_root)
        T(a_snapshot_is_the_same_in_any_order_of_arrival),
        T(many_threads_make_the_snapshot_of_one),
        T(an_object_is_added_once_and_its_content_is_kept),
        T(a_file_that_changed_under_us_is_refused),
        T(a_snapshot_gives_back_objects_pages_and_lines),
        T(two_sources_that_disagree_on_a_death_stand_side_by_side),
        T(of_two_versions_the_one_that_a_person_named_is_chosen),
        T(a_statement_that_replaces_another_takes_it_out_of_force),
        T(a_fault_at_any_write_leaves_the_old_state),
        T(a_full_disk_is_one_sentence_and_the_run_goes_on_later),
        T(a_snapshot_with_a_changed_bit_is_noticed_or_reads_the_same),
        T(a_killed_ingest_goes_on_to_the_same_snapshot),
        T(an_import_is_whole_or_nothing_and_names_the_line),
        T(a_rolled_back_import_leaves_nothing),
        T(keys_with_control_characters_are_refused),
        T(what_is_no_collection_is_not_opened),
        T(a_sample_mark_stays_and_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
