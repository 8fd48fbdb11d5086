/* SPDX-License-Identifier: Apache-2.0 */
/* replay_in.h - a replay under way: replay_open.c remakes the trainer, replay_walk.c walks the segments. */
#ifndef CPH_REPLAY_IN_H
#define CPH_REPLAY_IN_H

#include <colophon/train/replay.h>

#include "train_in.h"

typedef struct cph_replay {
    const cph_replay_opts *o;
    cph_arena *a;
    cph_trainer t;
    cph_manifest *model;
    cph_arith arith;
    char run[CPH_PATH_MAX];
    uint32_t last;   /* the model's step */
    uint32_t *steps; /* of the checkpoints up to it, ascending */
    size_t n_steps;
    cph_replay_report report;
} cph_replay;

/* The trainer as it stood before step 1, from the model's seal and the token set alone. */
cph_status cph_replay_open(cph_replay *r, cph_err *err) CPH_MUST_USE;
void cph_replay_release(cph_replay *r);
/* CPH_DATA, CPH_NO say how a checkpoint is no whole one of this run. */
cph_status cph_replay_check_dir(const cph_replay *r, const char *dir, const cph_manifest *m,
                                cph_err *err) CPH_MUST_USE;

#endif
