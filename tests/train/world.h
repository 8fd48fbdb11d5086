/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h - a small sealed world for the tests of this room: a corpus's manifest, a
 * byte-level tokenizer without merges, and a token set of made-up documents.
 */
#ifndef TESTS_TRAIN_WORLD_H
#define TESTS_TRAIN_WORLD_H

#include <colophon/base/philox.h>
#include <colophon/tokenizer/files.h>

#include "testing.h"
#include "train_in.h"

enum { WORLD_VOCAB = 257, WORLD_EOS = 256 };

typedef struct world_doc {
    uint32_t work, n_tokens, part;
    uint64_t document; /* parts of one document share it */
} world_doc;

static inline cph_digest key_of(const char *what, uint64_t n)
{
    char z[64];
    return cph_sha256_of(z, (size_t)snprintf(z, sizeof z, "%s %llu", what, (unsigned long long)n));
}

static inline uint32_t world_token(uint64_t doc, uint32_t i)
{
    return (uint32_t)"the old boat went out to the sea and the boat came home again "[(doc * 7 + i) % 62];
}

static inline void seal_plain(const char *dir, const char *kind, cph_json *identity, cph_arena *a,
                              cph_digest *digest)
{
    cph_json *run;
    cph_digest d;
    must(cph_run_new(&run, a, 0, err));
    cph_seal seal = {.kind = kind, .identity = identity, .run = run, .content_root = true};
    must(cph_seal_write(dir, a, &seal, &d, err));
    if (digest) *digest = d;
}

static inline void world_corpus(const char *dir, const char *purpose, cph_digest *digest)
{
    cph_arena a;
    cph_json *identity, *policy;
    char path[CPH_PATH_MAX], text[256];
    cph_arena_init(&a, 0);
    must(cph_mkdirs(dir, err));
    must(cph_path_join(path, dir, "shard-00000.jsonl.zst", err));
    must(cph_file_write(path, "x", 1, err));
    must(cph_identity_new(&identity, &a, err));
    snprintf(
        text, sizeof text,
        "{\"purpose\":\"%s\",\"tier\":\"staff\",\"actor\":\"heritage\",\"commercial\":\"no\",\"forum\":\"NO\"}",
        purpose);
    must(cph_json_parse(&policy, &a, cph_str_of(text), "policy", NULL, err));
    must(cph_json_set(identity, &a, "policy", policy, err));
    must(cph_identity_text(identity, &a, "as_of", CPH_STR("2026-11-23"), err));
    must(cph_identity_tally(identity, &a, &(cph_tally_row){CPH_STR("RR-020"), CPH_STR("ALLOW"), 3, 9, 100},
                            err));
    seal_plain(dir, "corpus", identity, &a, digest);
    cph_arena_release(&a);
}

static inline void world_tokenizer(const char *dir, cph_digest *digest)
{
    cph_buf b;
    cph_arena a;
    cph_json *identity, *run;
    cph_tokenizer *t;
    cph_buf_init(&b, 1 << 20);
    must(cph_buf_z(
        &b,
        "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":256,\"content\":\"<|endoftext|>\",\"single_word\":false,"
        "\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}],\"normalizer\":null,"
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true},"
        "\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,"
        "\"use_regex\":true},\"model\":{\"type\":\"BPE\",\"vocab\":{",
        err));
    for (uint32_t byte = 0, extra = 0; byte < 256; byte++) {
        char utf8[4];
        bool shown = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        unsigned n = cph_utf8_encode(shown ? byte : 256 + extra++, utf8);
        must(cph_json_quote(&b, (cph_str){utf8, n}, err));
        must(cph_buf_printf(&b, err, ":%u,", byte));
    }
    must(cph_buf_z(&b, "\"<|endoftext|>\":256},\"merges\":[]}}", err));
    must(cph_tokenizer_parse(&t, cph_buf_view(&b), "test", err));
    cph_arena_init(&a, 0);
    must(cph_identity_new(&identity, &a, err));
    must(cph_run_new(&run, &a, 0, err));
    must(cph_tokenizer_seal(t, dir, &a, identity, run, digest, err));
    cph_tokenizer_close(t);
    cph_arena_release(&a);
    cph_buf_release(&b);
}

/* Writes a token set of these documents from an existing corpus and tokenizer; `limit` 0: the real one. */
static inline void world_tokens(const char *dir, const char *corpus, const char *tokenizer,
                                const world_doc *docs, size_t n, uint32_t vocab, uint64_t limit)
{
    static const cph_str classes[2] = {{"PD", 2}, {"ECL(NO-PRESS)", 13}}, sources[1] = {{"mets", 4}};
    char path[CPH_PATH_MAX];
    static uint32_t ids[100000];
    cph_manifest *c, *t;
    cph_set_tree *tree;
    cph_tokwrite w;
    cph_digest digest;
    must(cph_mkdirs(dir, err));
    must(cph_manifest_open(&c, corpus, err));
    must(cph_manifest_open(&t, tokenizer, err));
    cph_digest cd = cph_manifest_digest(c), td = cph_manifest_digest(t);
    must(cph_set_tree_new(&tree, err));
    cph_tokwrite_init(&w, dir, vocab, &td, &cd);
    if (limit) w.file_limit = limit;
    for (size_t i = 0; i < n; i++) {
        cph_token_doc d = {.n_tokens = docs[i].n_tokens,
                           .class_id = docs[i].work % 2,
                           .part = docs[i].part,
                           .wkey = key_of("work", docs[i].work),
                           .dkey = key_of("document", docs[i].document)};
        for (uint32_t k = 0; k < d.n_tokens; k++) ids[k] = world_token(i, k);
        must(cph_tokwrite_add(&w, &d, ids, err));
        cph_set_leaf leaf = {.wkey = d.wkey, .dkey = d.dkey, .text = key_of("text", docs[i].document),
                             .decision = key_of("decision", docs[i].work)};
        if (docs[i].part < 2) must(cph_set_tree_add(tree, &leaf, err));
    }
    must(cph_tokwrite_close(&w, err));
    must(cph_set_tree_finish(tree, err));
    must(cph_path_join(path, dir, CPH_TOKENS_LEAVES, err));
    must(cph_set_tree_write(tree, path, err));
    cph_tokens_facts f = {.corpus_manifest = c,
                          .corpus_path = corpus,
                          .tokenizer_path = tokenizer,
                          .classes = classes,
                          .n_classes = 2,
                          .sources = sources,
                          .n_sources = 1,
                          .vocab = vocab,
                          .set_root = cph_set_tree_root(tree),
                          .set_size = cph_set_tree_n(tree)};
    must(cph_tokens_seal(&w, &f, &digest, err));
    cph_set_tree_close(tree);
    cph_manifest_close(c);
    cph_manifest_close(t);
}

/* 20 documents of 8 works, two of them in parts, one empty. */
static inline size_t world_docs(world_doc out[24])
{
    size_t n = 0;
    for (uint32_t d = 0; d < 20; d++) {
        uint32_t parts = d % 9 == 4 ? 3 : 1;
        for (uint32_t p = 0; p < parts; p++)
            out[n++] = (world_doc){.work = d % 8, .document = d, .part = parts > 1 ? p + 1 : 0,
                                   .n_tokens = d == 7 ? 0 : 3 + (d * 37 + p * 11) % 90};
    }
    return n;
}

/* corpus, tokenizer, tokens below the test's directory. */
static inline void world_make(void)
{
    world_doc docs[24];
    size_t n = world_docs(docs);
    world_corpus(testing_path("corpus"), "train-internal", NULL);
    world_tokenizer(testing_path("tokenizer"), NULL);
    world_tokens(testing_path("tokens"), testing_path("corpus"), testing_path("tokenizer"), docs, n,
                 WORLD_VOCAB, 0);
}

#endif
