/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line_fixture.h - a small line of sealed artefacts, made by hand: snapshot, corpus, tokenizer,
 * tokens, model. Their digests depend on nothing but what stands here.
 *
 *   urn:x:one    document d1 in two parts
 *   urn:x:two    document d2
 *   urn:x:three  document d2, too
 *   urn:x:copy   its document d9 was dropped as a copy of d1
 */
#ifndef CPH_LINE_FIXTURE_H
#define CPH_LINE_FIXTURE_H

#include "testing.h"

#include <colophon/base/zstream.h>
#include <colophon/collection/collection.h>
#include <colophon/provenance/manifest.h>
#include <colophon/provenance/proof.h>

#include <unistd.h>

typedef struct line_fixture {
    cph_arena a;
    cph_digest snapshot, corpus, tokenizer, tokens, model, decision;
    cph_merkle records, prov, dropped;
    cph_set_tree *set, *seen;
} line_fixture;

static const char line_decision[] = "{\"basis\":\"PD\",\"decision\":\"ALLOW\",\"rule\":\"RR-020\"}";

static const char *line_path(const char *dir, const char *name)
{
    static char path[4][CPH_PATH_MAX];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, CPH_PATH_MAX, "%s/%s", dir, name);
    return p;
}

static void line_write(const char *dir, const char *name, const char *text)
{
    must(cph_file_write(line_path(dir, name), text, strlen(text), err));
}

static void line_zwrite(const char *dir, const char *name, const char *text, cph_merkle *m)
{
    cph_zwrite *z;
    cph_str rest = cph_str_of(text), line;
    if (m) cph_merkle_init(m);
    while (m && rest.n && cph_str_split(&rest, '\n', &line)) cph_merkle_add(m, line.p, line.n);
    must(cph_zwrite_open(&z, line_path(dir, name), err));
    must(cph_zwrite_add(z, text, strlen(text), err));
    must(cph_zwrite_close(z, err));
}

static cph_json *line_identity(line_fixture *f)
{
    cph_json *v, *policy;
    static const char text[] = "{\"actor\":\"heritage\",\"commercial\":\"no\",\"forum\":\"NO\","
                               "\"purpose\":\"train-internal\",\"tier\":\"staff\"}";
    must(cph_identity_new(&v, &f->a, err));
    must(cph_identity_text(v, &f->a, "as_of", CPH_STR("2026-11-23"), err));
    must(cph_json_parse(&policy, &f->a, cph_str_of(text), "policy", NULL, err));
    must(cph_json_set(v, &f->a, "policy", policy, err));
    return v;
}

static cph_digest line_seal(line_fixture *f, const char *dir, const char *kind, cph_json *identity,
                            const char *const *private_files, bool content)
{
    cph_json *run;
    cph_digest d;
    must(cph_run_new(&run, &f->a, 1795392000, err));
    cph_seal seal = {.kind = kind,
                     .identity = identity,
                     .run = run,
                     .content_root = content,
                     .private_files = private_files};
    must(cph_seal_write(dir, &f->a, &seal, &d, err));
    return d;
}

static void line_leaf(cph_set_tree *t, const line_fixture *f, const char *urn, const char *id,
                      const char *text, uint64_t tokens, uint64_t first, uint64_t last)
{
    cph_set_leaf l = {.wkey = cph_work_key(cph_str_of(urn)),
                      .dkey = cph_doc_key(cph_str_of(id)),
                      .text = cph_sha256_of(text, strlen(text)),
                      .decision = f->decision,
                      .tokens = tokens,
                      .first_step = first,
                      .last_step = last};
    must(cph_set_tree_add(t, &l, err));
}

static cph_set_tree *line_tree(const line_fixture *f, bool fed)
{
    cph_set_tree *t;
    must(cph_set_tree_new(&t, err));
    line_leaf(t, f, "urn:x:one", "d1", "Det var en gang.", fed ? 50 : 0, fed ? 1 : 0, fed ? 9 : 0);
    line_leaf(t, f, "urn:x:two", "d2", "To i samme bok.", fed ? 40 : 0, fed ? 2 : 0, fed ? 12 : 0);
    line_leaf(t, f, "urn:x:three", "d2", "To i samme bok.", fed ? 40 : 0, fed ? 2 : 0, fed ? 12 : 0);
    must(cph_set_tree_finish(t, err));
    return t;
}

static void line_snapshot(line_fixture *f, const char *root)
{
    static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";
    char dir[CPH_PATH_MAX], hex[CPH_HEX_DIGEST], rows[4096], final_path[CPH_PATH_MAX];
    cph_merkle m;
    cph_json *identity;
    cph_collection *c;
    snprintf(dir, sizeof dir, "%s/collection", root);
    must(cph_mkdirs(root, err));
    must(cph_collection_open(&c, dir, CPH_OPEN_CREATE, err));
    cph_collection_close(c);
    snprintf(dir, sizeof dir, "%s/collection/snapshots/next", root);
    must(cph_mkdirs(dir, err));
    snprintf(rows, sizeof rows,
             "{\"_key\":\"urn:x:one\",\"_table\":\"work\"}\n{\"_key\":\"o1\",\"_table\":\"object\","
             "\"work\":\"urn:x:one\"}\n"
             "{\"_key\":\"o1\\t00000001\",\"_table\":\"page\",\"image_file\":\"1%s\",\"label\":\"i\","
             "\"order\":1,\"text_file\":\"\"}\n"
             "{\"_key\":\"o1\\t00000002\",\"_table\":\"page\",\"image_file\":\"\",\"label\":\"2\","
             "\"order\":2,\"text_file\":\"2%s\"}\n"
             "{\"_key\":\"o2\\t00000001\",\"_table\":\"page\",\"image_file\":\"\",\"label\":\"1\","
             "\"order\":1,\"text_file\":\"3%s\"}\n",
             zero + 1, zero + 1, zero + 1);
    line_zwrite(dir, "rows.jsonl.zst", rows, &m);
    must(cph_identity_new(&identity, &f->a, err));
    cph_digest r = cph_merkle_root(&m);
    must(cph_identity_root(identity, &f->a, "records_root", &r, err));
    must(cph_identity_count(identity, &f->a, "records", m.n, err));
    must(cph_identity_count(identity, &f->a, "work", 1, err));
    must(cph_identity_count(identity, &f->a, "object", 2, err));
    must(cph_identity_count(identity, &f->a, "page", 3, err));
    f->snapshot = line_seal(f, dir, "snapshot", identity, NULL, false);
    cph_digest_hex(&f->snapshot, hex);
    snprintf(final_path, sizeof final_path, "%s/collection/snapshots/%s", root, hex);
    assert_int_equal(rename(dir, final_path), 0);
}

static void line_record(cph_buf *records, cph_buf *prov, const line_fixture *f, const char *id,
                        const char *document, const char *text, const char *works, const char *wkeys,
                        const char *object, const char *pages)
{
    char decision[CPH_HEX_DIGEST], dkey[CPH_HEX_DIGEST], digest[CPH_HEX_DIGEST];
    cph_digest d = cph_doc_key(cph_str_of(document)), t = cph_sha256_of(text, strlen(text));
    cph_digest_hex(&f->decision, decision);
    cph_digest_hex(&d, dkey);
    cph_digest_hex(&t, digest);
    must(cph_buf_printf(
        records, err,
        "{\"id\":\"%s\",\"text\":\"%s\",\"lang\":\"nob\",\"type\":\"book\",\"rights\":\"%s\",\"src\":0}\n",
        id, text, decision));
    must(cph_buf_printf(prov, err,
                        "{\"basis\":\"PD\",\"decision\":\"%s\",\"dkey\":\"%s\",\"id\":\"%s\",\"object\":\"%"
                        "s\",\"pages\":%s,"
                        "\"text_sha256\":\"%s\",\"title\":\"En bok\",\"wkeys\":[%s],\"works\":[%s]}\n",
                        decision, dkey, id, object, pages, digest, wkeys, works));
}

/* The keys of two works in ascending order, quoted. */
static const char *line_wkeys(char out[160], const char *a, const char *b)
{
    char x[CPH_HEX_DIGEST], y[CPH_HEX_DIGEST];
    cph_digest k = cph_work_key(cph_str_of(a));
    cph_digest_hex(&k, x);
    if (!b) {
        snprintf(out, 160, "\"%s\"", x);
        return out;
    }
    k = cph_work_key(cph_str_of(b));
    cph_digest_hex(&k, y);
    bool swap = strcmp(x, y) > 0;
    snprintf(out, 160, "\"%s\",\"%s\"", swap ? y : x, swap ? x : y);
    return out;
}

static void line_corpus(line_fixture *f, const char *dir)
{
    static const char *const private_files[] = {"dropped.jsonl.zst", "decisions.jsonl.zst", NULL};
    char decisions[256], one[160], two[160];
    cph_buf records, prov;
    must(cph_mkdirs(dir, err));
    cph_buf_init(&records, 1 << 20);
    cph_buf_init(&prov, 1 << 20);
    line_wkeys(one, "urn:x:one", NULL);
    line_wkeys(two, "urn:x:two", "urn:x:three");
    line_record(&records, &prov, f, "d1#part1", "d1", "Det var ", "\"urn:x:one\"", one, "o1",
                "[[1,1,\"i\",\"i\"]]");
    line_record(&records, &prov, f, "d1#part2", "d1", "en gang.", "\"urn:x:one\"", one, "o1",
                "[[2,2,\"2\",\"2\"]]");
    line_record(&records, &prov, f, "d2", "d2", "To i samme bok.", "\"urn:x:two\",\"urn:x:three\"", two,
                "o2", "[[1,1,\"1\",\"1\"]]");
    line_zwrite(dir, "shard-00000.jsonl.zst", records.p, &f->records);
    line_zwrite(dir, "shard-00000.prov.jsonl.zst", prov.p, &f->prov);
    cph_buf_release(&records);
    cph_buf_release(&prov);
    line_zwrite(dir, "dropped.jsonl.zst",
                "{\"id\":\"d8\",\"rule\":\"EMPTY\",\"stage\":\"text\",\"works\":[\"urn:x:empty\"]}\n"
                "{\"id\":\"d9\",\"kept\":\"d1\",\"rule\":\"DUP-DOCUMENT\",\"stage\":\"document\",\"works\":"
                "[\"urn:x:copy\"]}\n",
                &f->dropped);
    snprintf(decisions, sizeof decisions, "%s\n", line_decision);
    line_zwrite(dir, "decisions.jsonl.zst", decisions, NULL);
    line_write(dir, "README.md", "# A corpus\n");

    cph_json *identity = line_identity(f);
    cph_digest records_root = cph_merkle_root(&f->records), prov_root = cph_merkle_root(&f->prov),
               set_root = cph_set_tree_root(f->set), dropped_root = cph_merkle_root(&f->dropped);
    must(cph_identity_parent(identity, &f->a, "collection", "snapshot", &f->snapshot, err));
    must(cph_identity_tree(identity, &f->a, "records", &records_root, f->records.n, err));
    must(cph_identity_tree(identity, &f->a, "prov", &prov_root, f->prov.n, err));
    must(cph_identity_tree(identity, &f->a, "set", &set_root, cph_set_tree_n(f->set), err));
    must(cph_identity_tree(identity, &f->a, "dropped", &dropped_root, f->dropped.n, err));
    must(cph_identity_count(identity, &f->a, "records", 3, err));
    must(cph_identity_count(identity, &f->a, "works", 3, err));
    must(cph_identity_count(identity, &f->a, "words", 12345, err));
    must(cph_identity_tally(identity, &f->a,
                            &(cph_tally_row){CPH_STR("RR-020"), CPH_STR("ALLOW"), 3, 2, 12345}, err));
    must(cph_identity_tally(identity, &f->a,
                            &(cph_tally_row){CPH_STR("RR-153"), CPH_STR("DENY"), 1, 1, 987}, err));
    f->corpus = line_seal(f, dir, "corpus", identity, private_files, false);
}

static void line_tokenizer(line_fixture *f, const char *dir)
{
    must(cph_mkdirs(dir, err));
    line_write(dir, "tokenizer.json", "{}\n");
    cph_json *identity = line_identity(f);
    must(cph_identity_parent(identity, &f->a, "corpus", "corpus", &f->corpus, err));
    must(cph_identity_count(identity, &f->a, "vocabulary", 600, err));
    f->tokenizer = line_seal(f, dir, "tokenizer", identity, NULL, true);
}

static void line_tokens(line_fixture *f, const char *dir)
{
    static const char *const private_files[] = {"set.leaves.zst", NULL};
    cph_digest root = cph_set_tree_root(f->set);
    must(cph_mkdirs(dir, err));
    line_write(dir, "tokens-00000.tok", "tokens");
    must(cph_set_tree_write(f->set, line_path(dir, "set.leaves.zst"), err));
    cph_json *identity = line_identity(f);
    must(cph_identity_parent(identity, &f->a, "corpus", "corpus", &f->corpus, err));
    must(cph_identity_parent(identity, &f->a, "tokenizer", "tokenizer", &f->tokenizer, err));
    must(cph_identity_tree(identity, &f->a, "set", &root, cph_set_tree_n(f->set), err));
    must(cph_identity_tree(identity, &f->a, "corpus_set", &root, cph_set_tree_n(f->set), err));
    must(cph_identity_count(identity, &f->a, "tokens", 90, err));
    must(cph_identity_count(identity, &f->a, "records", 3, err));
    f->tokens = line_seal(f, dir, "tokens", identity, private_files, true);
}

/* `base`: a parent of role base and kind external stands in the manifest. */
static cph_digest line_model(line_fixture *f, const char *dir, bool base)
{
    static const char *const private_files[] = {"seen.leaves.zst", NULL};
    cph_digest seen = cph_set_tree_root(f->seen), set = cph_set_tree_root(f->set),
               external = cph_sha256_of("theirs", 6);
    must(cph_mkdirs(dir, err));
    line_write(dir, "config.json", "{\"model_type\":\"gpt2\"}\n");
    line_write(dir, "model.safetensors", "weights");
    must(cph_set_tree_write(f->seen, line_path(dir, "seen.leaves.zst"), err));
    cph_json *identity = line_identity(f);
    must(cph_identity_parent(identity, &f->a, "corpus", "corpus", &f->corpus, err));
    must(cph_identity_parent(identity, &f->a, "tokenizer", "tokenizer", &f->tokenizer, err));
    must(cph_identity_parent(identity, &f->a, "tokens", "tokens", &f->tokens, err));
    if (base) must(cph_identity_parent(identity, &f->a, "base", "external", &external, err));
    must(cph_identity_tree(identity, &f->a, "seen", &seen, cph_set_tree_n(f->seen), err));
    must(cph_identity_tree(identity, &f->a, "set", &set, cph_set_tree_n(f->set), err));
    must(cph_identity_text(identity, &f->a, "arith", CPH_STR("fp32"), err));
    must(cph_identity_text(identity, &f->a, "seed", CPH_STR("42"), err));
    must(cph_identity_count(identity, &f->a, "steps", 12, err));
    must(cph_identity_count(identity, &f->a, "tokens", 130, err));
    must(cph_identity_count(identity, &f->a, "parameters", 1050240, err));
    return line_seal(f, dir, "model", identity, private_files, true);
}

/* The whole line below ./demo; the tests run in a directory of their own. */
static void line_make(line_fixture *f)
{
    must(cph_remove_tree("demo", err));
    f->decision = cph_sha256_of(line_decision, sizeof line_decision - 1);
    f->set = line_tree(f, false);
    f->seen = line_tree(f, true);
    line_snapshot(f, "demo");
    line_corpus(f, "demo/corpus");
    line_tokenizer(f, "demo/tokenizer");
    line_tokens(f, "demo/tokens");
    f->model = line_model(f, "demo/model", false);
}

static int line_begin(void **state)
{
    static line_fixture f;
    cph_arena_init(&f.a, 0);
    if (chdir(testing_dir()) != 0) fail_msg("cannot go to %s", testing_dir());
    line_make(&f);
    *state = &f;
    return 0;
}

static int line_end(void **state)
{
    line_fixture *f = *state;
    cph_set_tree_close(f->set);
    cph_set_tree_close(f->seen);
    cph_arena_release(&f->a);
    if (chdir("/") != 0) return 1;
    testing_remove();
    return 0;
}

#endif
