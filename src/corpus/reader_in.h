/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader_in.h - an opened corpus and its list of revocations, as reader.c,
 * find.c and revocations.c see them.
 */
#ifndef CPH_READER_IN_H
#define CPH_READER_IN_H

#include <colophon/base/zstream.h>
#include <colophon/corpus/corpus.h>

typedef struct corpus_frame {
    uint32_t shard, in_shard; /* its number in that file */
    uint32_t records;
    uint64_t first;           /* record number */
    cph_str first_id, object;
} corpus_frame;

typedef struct corpus_shard {
    cph_zread *records, *provs;
    char name[32]; /* for messages */
} corpus_shard;

struct cph_corpus {
    char path[CPH_PATH_MAX];
    cph_manifest *manifest;
    cph_policy policy;
    corpus_shard *shards;
    uint32_t n_shards;
    corpus_frame *frames;
    size_t n_frames;
    uint64_t n_records;
    cph_arena texts; /* of the frames */
};

/* What was taken down after the corpus was sealed. */
typedef struct cph_revocations {
    cph_digest *works, *documents; /* sorted */
    size_t n_works, n_documents, works_cap, documents_cap;
} cph_revocations;
cph_status cph_revocations_read(cph_revocations *r, const char *path, cph_purpose purpose,
                                cph_err *err) CPH_MUST_USE;
void cph_revocations_release(cph_revocations *r);
bool cph_revocations_hit(const cph_revocations *r, const cph_doc *d);

struct cph_reader {
    const cph_corpus *c;
    cph_revocations revoked;
    uint64_t next, end; /* record numbers of this part */
    uint64_t n_revoked;
    size_t frame;       /* loaded; SIZE_MAX: none */
    cph_buf records, provs;
    const char **lines; /* 2 a record: where its lines begin; one more at the end */
    size_t lines_cap;
    cph_arena a;        /* of the present document */
};
cph_status cph_reader_load(cph_reader *r, size_t frame, cph_err *err) CPH_MUST_USE;
size_t cph_frame_of(const cph_corpus *c, uint64_t record); /* the frame that holds it */
/* Record i of the loaded frame. */
cph_status cph_reader_doc(cph_reader *r, uint32_t i, cph_doc *doc, cph_err *err) CPH_MUST_USE;

#endif
