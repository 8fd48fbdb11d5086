/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_tokenizer.h - a sealed tokenizer from a corpus, through its gate, or from
 * plain files.
 *
 * Invariant  The tokenizer names what it was learnt from: the corpus, whose policy, date
 *            and tally it takes over, or the digest of each file.
 * Threads    One call at a time per pool.
 * Memory     The distinct words with their counts (tokenizer/train.h).
 * Errors     CPH_RIGHTS from the corpus's gate; CPH_USAGE, CPH_DATA, CPH_IO, CPH_NOMEM.
 */
#ifndef CPH_WORKFLOW_TRAIN_TOKENIZER_H
#define CPH_WORKFLOW_TRAIN_TOKENIZER_H

#include <colophon/base/pool.h>
#include <colophon/rights/decide.h>
#include <colophon/tokenizer/train.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_train_tokenizer_opts {
    cph_bpe_opts bpe;
    const char *corpus;       /* a sealed corpus; or NULL, with files */
    const char *const *files; /* UTF-8 text, read line by line */
    size_t n_files;
    const cph_policy *policy; /* of the reader; NULL: as the corpus was sealed */
    const char *revocations;  /* a list, or NULL with no_revocations */
    bool no_revocations;
    cph_pool *pool;           /* NULL: the caller's thread alone */
    int64_t started_unix_s;   /* for `run` */
} cph_train_tokenizer_opts;
CPH_API void cph_train_tokenizer_opts_init(cph_train_tokenizer_opts *o);

/* Learns and seals out_dir. digest and report may be NULL. */
CPH_API cph_status cph_train_tokenizer(const cph_train_tokenizer_opts *o, const char *out_dir,
                                       cph_digest *digest, cph_bpe_report *report, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
