/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_in.h - what the files of this room share: the writer of token files, and the
 * parts of a training run (its state, its checkpoints, its papers).
 */
#ifndef CPH_TRAIN_IN_H
#define CPH_TRAIN_IN_H

#include <colophon/base/file.h>
#include <colophon/comm/sum.h>
#include <colophon/model/model.h>
#include <colophon/provenance/proof.h>
#include <colophon/tokenizer/tokenizer.h>
#include <colophon/train/optimizer.h>
#include <colophon/train/order.h>
#include <colophon/train/schedule.h>
#include <colophon/train/tokens.h>
#include <colophon/train/training.h>

/* ---- writing token files (tokens_write.c) ---- */

#define CPH_TOKENS_FILE_LIMIT ((uint64_t)1 << 31)

typedef struct cph_tokwrite {
    const char *dir;
    unsigned width;
    uint64_t file_limit; /* a new file starts with the next document after so many tokens */
    cph_digest tokenizer, corpus;
    uint64_t all_tokens, all_docs;
    uint32_t n_files;
    /* the file under way */
    bool open;
    cph_out out, table;
    uint64_t n_tokens, n_docs;
} cph_tokwrite;
void cph_tokwrite_init(cph_tokwrite *w, const char *dir, uint32_t vocab, const cph_digest *tokenizer,
                       const cph_digest *corpus);
/* `d` brings all but file and first. */
cph_status cph_tokwrite_add(cph_tokwrite *w, const cph_token_doc *d, const uint32_t *ids,
                            cph_err *err) CPH_MUST_USE;
cph_status cph_tokwrite_close(cph_tokwrite *w, cph_err *err) CPH_MUST_USE;
void cph_tokwrite_abandon(cph_tokwrite *w);

#define CPH_TOKENS_FILE "tokens-%05u.tok"
typedef struct cph_token_header {
    uint32_t width;
    uint64_t n_tokens, n_docs;
    uint64_t table; /* offset of the document table */
    cph_digest tokenizer, corpus;
} cph_token_header;
uint64_t cph_token_table_at(uint64_t n_tokens, unsigned width);
void cph_token_header_put(uint8_t out[CPH_TOKENS_HEADER], const cph_token_header *h);
/* Checks that the counts fit the file's size exactly. */
cph_status cph_token_header_get(const uint8_t *p, uint64_t n_bytes, const char *path, cph_token_header *out,
                                cph_err *err) CPH_MUST_USE;

/* The row's form on disk, both ways; false when the zero bytes are not zero. */
void cph_token_row_put(uint8_t out[CPH_TOKENS_ROW], const cph_token_doc *d);
bool cph_token_row_get(const uint8_t p[CPH_TOKENS_ROW], cph_token_doc *d);

/* Seals what lies in `dir`: the part of a build that knows no text. */
typedef struct cph_tokens_facts {
    const cph_manifest *corpus_manifest; /* NULL: nothing to inherit */
    const cph_policy *policy;            /* NULL: the corpus's */
    const char *revocations_digest;      /* hex, or NULL: none */
    const char *corpus_path, *tokenizer_path;
    const cph_str *classes, *sources, *languages;
    size_t n_classes, n_sources, n_languages;
    uint32_t vocab;
    uint64_t n_revoked;
    cph_digest set_root;
    uint64_t set_size;
    int64_t started_unix_s;
} cph_tokens_facts;
cph_status cph_tokens_seal(const cph_tokwrite *w, const cph_tokens_facts *f, cph_digest *digest,
                           cph_err *err) CPH_MUST_USE;

/* ---- a training run ---- */

#define CPH_SEEN_LEAVES "seen.leaves.zst"
#define CPH_LOG_NAME "log.jsonl"

/* What was fed of a document, kept at the row of its first part. */
typedef struct cph_seen {
    uint64_t tokens;
    uint32_t first_step, last_step;
} cph_seen;

#define CPH_WINDOW 128u

/* The last numbers of a kind, in a ring. */
typedef struct cph_window {
    double values[CPH_WINDOW];
    uint32_t n, next;
} cph_window;

/* Everything that a step changes beside weights and moments: what a checkpoint brings back. */
typedef struct cph_progress_state {
    uint32_t step; /* done */
    uint64_t tokens;
    cph_cursor cursor;
    cph_merkle order; /* tree C so far */
    double loss;      /* of the last step; as every loss below, in nats a label */
    double held_out_loss, best_loss; /* negative: not measured */
    uint32_t best_step;
    cph_window losses, norms; /* where outliers are skipped */
    uint32_t n_skipped;
} cph_progress_state;

/* What this rank does of each step (ranks.c, slots.c); one rank does all of it. */
enum { CPH_MAX_SLOTS = 4096, CPH_MAX_LEVELS = 12 };
typedef struct cph_ranks {
    uint32_t slot_first, slot_end, micro_first, micro_end;
    cph_shard shard;                /* what it updates */
    float *extra[CPH_MAX_LEVELS];   /* gradients of the levels above t->grads */
    double *losses;                 /* [accumulate] */
    cph_sum *sum;
    cph_span *spans;
    double *facts; /* what is told after each step; rank k's part begins at byte from[k] */
    size_t *from;
    bool *is_final; /* [params] of the step under way */
    bool is_last;   /* its last micro-batch is under way */
    unsigned top;   /* the level of its last slot */
    bool stop;      /* somebody asked some rank to stop */
} cph_ranks;

typedef struct cph_trainer {
    cph_train_opts o; /* resolved */
    cph_schedule schedule;
    char run_dir[CPH_PATH_MAX];
    cph_pool *pool, *own_pool;
    cph_tokens *tokens;
    cph_set_tree *leaves; /* of the token set */
    cph_tokenizer *tokenizer;
    cph_model *model;
    int64_t eos;
    bool has_base, base_sealed;
    cph_digest base; /* of `from` */
    cph_order *order, *held_out;
    cph_step *step, *eval_step;
    float *grads;
    cph_optimizer *optimizer;
    cph_ranks ranks;
    cph_row rows; /* of this rank's micro-batches, one after another */
    cph_seen *seen; /* a row of the document table each */
    cph_progress_state at;
    uint32_t segment_first; /* the step before the segment under way */
    cph_digest segment_before;
    cph_buf log; /* log.jsonl as it stands */
    cph_out log_file;
    bool log_open;
    double began_s, tokens_began; /* for rates only */
} cph_trainer;

/* train_opts.c: what a run is, written down. */
cph_status cph_train_config(cph_json **out, cph_arena *a, const cph_train_opts *o, uint32_t vocab,
                            int64_t eos, cph_err *err) CPH_MUST_USE;
/* Identity without counts and roots. */
cph_status cph_train_identity(const cph_trainer *t, cph_arena *a, cph_json **out, cph_err *err) CPH_MUST_USE;
/* The way back: options from identity.options; texts live in `a`. o->from is set where the run had a base. */
cph_status cph_train_opts_read(cph_train_opts *o, const cph_json *sealed, cph_arena *a, const char *where,
                               cph_err *err) CPH_MUST_USE;
cph_status cph_in_range(const char *name, double v, double low, double high, cph_err *err) CPH_MUST_USE;

/* train_recipe.c */
void cph_train_resolve(cph_train_opts *o); /* after the check */
cph_optimizer_opts cph_train_optimizer(const cph_train_opts *o); /* of resolved options */
cph_schedule cph_train_schedule(const cph_train_opts *o);
cph_status cph_train_recipe_check(const cph_train_opts *o, cph_err *err) CPH_MUST_USE;

/* CPH_USAGE names the first option or parent in which an earlier seal differs from this run. */
cph_status cph_train_same_run(const cph_trainer *t, const cph_manifest *earlier, const char *where,
                              cph_err *err) CPH_MUST_USE;

/* train.c: opened in this order; a run opens its tokenizer and chooses between a new model and a base. */
cph_status cph_trainer_open_tokens(cph_trainer *t, cph_err *err) CPH_MUST_USE;
cph_status cph_trainer_new_model(cph_trainer *t, uint32_t vocab, cph_err *err) CPH_MUST_USE; /* of t->eos */
cph_status cph_trainer_open_base(cph_trainer *t, cph_err *err) CPH_MUST_USE;                 /* o.from */
cph_status cph_trainer_open_order(cph_trainer *t, cph_err *err) CPH_MUST_USE; /* options become final */
cph_status cph_trainer_allocate(cph_trainer *t, cph_err *err) CPH_MUST_USE;
void cph_trainer_release(cph_trainer *t);

/* ranks.c */
bool cph_rank_writes(const cph_trainer *t); /* rank 0 */
cph_order_step cph_order_step_of(const cph_trainer *t);
/* CPH_USAGE names the first option in which a rank means another run than rank 0. */
cph_status cph_ranks_agree(const cph_trainer *t, cph_err *err) CPH_MUST_USE;
cph_status cph_ranks_cut(cph_trainer *t, cph_err *err) CPH_MUST_USE; /* slots and shard; nothing is allocated */
uint64_t cph_ranks_need(const cph_trainer *t); /* bytes of open, by far the most of them */
cph_status cph_ranks_open(cph_trainer *t, cph_err *err) CPH_MUST_USE;
void cph_ranks_close(cph_trainer *t);
/* Losses of all micro-batches and sums of squares of all blocks to all ranks; and whether to stop. */
cph_status cph_ranks_exchange(cph_trainer *t, double *sums, cph_err *err) CPH_MUST_USE;
/* The shards' weights from their owners to all, wherever shards were changed. */
cph_status cph_ranks_weights(cph_trainer *t, cph_err *err) CPH_MUST_USE;
bool cph_ranks_stop(const cph_trainer *t);
/* The whole of optimizer state i, part after part, at rank 0, while the others answer until it has passed all. */
typedef struct cph_pass {
    cph_status (*fn)(void *ctx, const float *values, size_t n, cph_err *err);
    void *ctx;
} cph_pass;
cph_status cph_ranks_pass(const cph_trainer *t, size_t i, const cph_pass *to, cph_err *err) CPH_MUST_USE;
cph_status cph_ranks_passed(const cph_trainer *t, cph_err *err) CPH_MUST_USE;
cph_status cph_ranks_answer(const cph_trainer *t, cph_err *err) CPH_MUST_USE;

/* slots.c: the step's gradient; in this rank's shard it is the sum of all slots. */
cph_status cph_train_gradients(cph_trainer *t, uint64_t n_labels, cph_err *err) CPH_MUST_USE;

/* steps.c */
typedef struct cph_step_facts {
    double loss, lr, norm;
    const char *skipped; /* "loss", "grad_norm": what was too far out; NULL: the weights moved */
    double z;
} cph_step_facts;
/* The rows of the step after t->at.step, with cursor, tree C and seen works moved on; the number of labels. */
uint64_t cph_train_feed(cph_trainer *t);
/* Feeds and computes one step: t->at is after it. */
cph_status cph_train_step(cph_trainer *t, cph_step_facts *f, cph_err *err) CPH_MUST_USE;
uint32_t cph_rows_per_step(const cph_trainer *t);
cph_row cph_row_at(const cph_trainer *t, uint64_t row); /* of this rank's */
cph_batch cph_batch_of(const cph_trainer *t, uint32_t micro, uint64_t n_labels);
double cph_tokens_per_s(const cph_trainer *t);
/* Weights and their moving average change places, where there is one; twice is nothing. */
cph_status cph_train_swap_average(cph_trainer *t, cph_err *err) CPH_MUST_USE;
/* Steps until the last, or a signal; evaluates, logs and saves on the way. */
cph_status cph_train_loop(cph_trainer *t, cph_err *err) CPH_MUST_USE;

/* outlier.c */
void cph_window_add(cph_window *w, double v);
double cph_window_at(const cph_window *w, uint32_t i); /* i < n, oldest first */
/* Standard deviations from the mean of the window to its newest number; 0 before it is full. */
double cph_window_z(const cph_window *w);

/* seen.c */
void cph_seen_add(cph_trainer *t, const cph_piece *piece);
cph_status cph_seen_tree(cph_set_tree **out, const cph_set_tree *leaves, const cph_tokens *tokens,
                         const cph_seen *seen, cph_err *err) CPH_MUST_USE;
cph_status cph_seen_load(cph_trainer *t, const char *dir, cph_err *err) CPH_MUST_USE;
uint64_t cph_seen_first_row(const cph_tokens *t, uint64_t row);

/* model_seal.c: everything of a sealed model but what a checkpoint adds. `dir` exists. */
cph_status cph_model_files(cph_trainer *t, const char *dir, cph_err *err) CPH_MUST_USE;
cph_status cph_model_seal(cph_trainer *t, const char *dir, cph_digest *digest, cph_err *err) CPH_MUST_USE;

/* checkpoint.c */
cph_status cph_checkpoint_save(cph_trainer *t, cph_err *err) CPH_MUST_USE;
/* The newest whole checkpoint of the run; t->at.step stays 0 when there is none. */
cph_status cph_checkpoint_resume(cph_trainer *t, cph_err *err) CPH_MUST_USE;
/* Read only, for who looks at a run from outside. */
typedef struct cph_segment {
    uint32_t first_step, last_step; /* what was done since the checkpoint before */
    cph_digest digest_before;       /* cph_state_digest where it began */
} cph_segment;
cph_status cph_checkpoint_path(const char *run_dir, uint32_t step, char out[CPH_PATH_MAX],
                               cph_err *err) CPH_MUST_USE;
bool cph_checkpoint_step(const char *dir, uint32_t *step); /* is `dir` a checkpoint, and of which step? */
/* The steps of all checkpoints, ascending; *out is the caller's to free. */
cph_status cph_checkpoint_list(const char *run_dir, uint32_t **out, size_t *n, cph_err *err) CPH_MUST_USE;
cph_status cph_checkpoint_read(const char *dir, cph_progress_state *at, cph_segment *segment,
                               cph_err *err) CPH_MUST_USE;
/* Weights and optimizer state into the trainer; t->at stays. */
cph_status cph_checkpoint_arrays(cph_trainer *t, const char *dir, cph_err *err) CPH_MUST_USE;
/* Parameters and optimizer state, tensor by tensor: all parts of a name before the next name. */
typedef void (*cph_state_fn)(void *ctx, const char *name, const char *part, const float *values, size_t n);
void cph_state_each(const cph_trainer *t, cph_state_fn each, void *ctx);
/* SHA-256 over all of it. */
cph_digest cph_state_digest(const cph_trainer *t);
/* The same of all ranks together, right at rank 0 only; all ranks call it. */
cph_status cph_state_digest_all(const cph_trainer *t, cph_digest *out, cph_err *err) CPH_MUST_USE;

/* card.c, report.c, curve.c: for people; never part of identity. */
cph_status cph_train_card(const cph_trainer *t, const cph_digest *name, const char *dir,
                          cph_err *err) CPH_MUST_USE;
cph_status cph_train_report(const cph_trainer *t, const char *dir, cph_err *err) CPH_MUST_USE;

/* A curve as inline SVG with axes; points come in ascending x. */
typedef struct cph_point {
    double x, y;
} cph_point;
typedef struct cph_curve {
    const char *title, *y_label; /* plain ASCII */
    const cph_point *line;       /* drawn as a line, averaged where there are more than pixels */
    size_t n_line;
    const cph_point *dots;       /* drawn as points; may be NULL */
    size_t n_dots;
} cph_curve;
cph_status cph_curve_svg(cph_buf *b, const cph_curve *c, cph_err *err) CPH_MUST_USE;
cph_status cph_html(cph_buf *b, cph_str s, cph_err *err) CPH_MUST_USE; /* escaped */

/* What was fed of one rights class or source. */
typedef struct cph_share {
    cph_str name;
    uint64_t records, tokens;
} cph_share;
cph_status cph_shares_of(const cph_trainer *t, bool by_source, cph_arena *a, cph_share **out, size_t *n,
                         cph_err *err) CPH_MUST_USE;

/* One row of the tally that the corpus gave, in words (RR ids stay beside them). */
typedef struct cph_told_row {
    cph_str rule;
    const char *decision, *why;
    uint64_t counts[3]; /* works, documents, words */
} cph_told_row;
cph_told_row cph_told_row_of(const cph_json *row);
bool cph_train_is_sample(const cph_trainer *t); /* decided under the sample rule base (RR-009) */

#endif
