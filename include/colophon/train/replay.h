/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.h - an auditor runs parts of a training again and must arrive at the same bytes.
 *
 * A run is a function of its identity, so that whoever holds the token set and the
 * run's checkpoints can repeat the steps between two neighbouring ones (artefacts 5).
 * This binds the list of works to the weights, which no proof over a manifest does.
 *
 * Looked at in every checkpoint that was kept: its files as sealed, that it is of this
 * run, that it follows the one before (digest_before), and that its cursor, tree C and
 * seen works are what the order function gives. In the segments drawn, the steps are
 * computed again from the earlier checkpoint (step 0: from the seed or the base), and
 * weights and optimizer state compared with the later one, byte for byte. The last
 * checkpoint must be the model itself.
 *
 * Segments lie between neighbouring checkpoints of those that are there: where the run
 * removed some (--keep-last), a segment is as long as the gap.
 *
 * Invariant  Nothing is written. The same seed draws the same segments of the same run.
 * Threads    Inside it uses the pool; one call at a time on it.
 * Memory     What training takes, and once more the weights.
 * Errors     A difference is a finding: CPH_OK with n_differ > 0. CPH_USAGE: no run, or another
 *            token set. CPH_NO: the run ends before the model. CPH_IO "refused, not reported as
 *            fraud": this build or processor would compute other bits.
 */
#ifndef CPH_TRAIN_REPLAY_H
#define CPH_TRAIN_REPLAY_H

#include <colophon/base/arena.h>
#include <colophon/base/hash.h>
#include <colophon/base/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_replay_opts {
    const char *model;  /* a sealed model, or a checkpoint of a run that is not finished */
    const char *tokens; /* the token set that it names */
    const char *run;    /* the directory of checkpoints; NULL: MODEL.run, or where the checkpoint lies */
    const char *base;   /* the model that it started from; NULL when it started from its seed */
    uint32_t n;         /* segments to draw; more than there are: all */
    uint64_t seed;      /* of the draw */
    cph_pool *pool;     /* NULL: the caller's thread alone */
} cph_replay_opts;

typedef struct cph_replay_segment {
    uint32_t first_step, last_step;
    bool drawn;   /* its steps were computed again */
    bool linked;  /* digest_before of its end was compared with the state at its beginning, or on the way */
    bool differs;
    cph_str what; /* the first thing that differs, with its tensor; or "" */
} cph_replay_segment;

typedef struct cph_replay_report {
    cph_str run;
    uint64_t seed;
    cph_replay_segment *segments;
    uint32_t n_segments, n_drawn, n_differ;
    uint32_t n_gaps;  /* segments inside which the run removed checkpoints */
    bool model_differs;
    cph_str model_what; /* how the model is another than the last checkpoint */
} cph_replay_report;

/* The report lives in `a`. */
CPH_API cph_status cph_train_replay(const cph_replay_opts *o, cph_arena *a, cph_replay_report *out,
                                    cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
