/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recipe.h - how weights move: the options of optimizer and schedule that every training
 * command has. What is left out keeps the library's own value, which the help repeats.
 */
#ifndef CLI_RECIPE_H
#define CLI_RECIPE_H

#include <colophon/train/training.h>

#include "cli.h"

/* Rows of the command's table. */
#define RECIPE_OPTS \
    {"clip", CLI_DOUBLE, CLI_IDENTITY, "NORM", "1", \
     "global norm at which the gradient is clipped; 0: never"}, \
    {"skip-outliers", CLI_DOUBLE, CLI_IDENTITY, "Z", "0", \
     "a step changes no weight when its loss or gradient norm lies more than Z standard deviations " \
     "above the last 128; 0: never"}, \
    {"optimizer", CLI_CHOICE, CLI_IDENTITY, \
     "adamw|adamw_bert|adamw_scale|adafactor|adafactor_t5x|muon|sgd", "adamw", \
     "adamw_bert: no bias correction; adamw_scale: steps in units of the tensor's RMS; muon: hidden matrices, the others by adamw"}, \
    {"weight-decay", CLI_DOUBLE, CLI_IDENTITY, "W", NULL, \
     "0.1 with adamw and muon, 0.01 with adamw_bert, else 0 when left out"}, \
    {"decay-groups", CLI_CHOICE, CLI_IDENTITY, "hf|2d|bert", "hf", \
     "what decays. hf: all but biases and norms; 2d: tensors of two dimensions; bert: names " \
     "without LayerNorm, bias"}, \
    {"beta1", CLI_DOUBLE, CLI_IDENTITY, "B", NULL, \
     "decay of the first moment: 0.9 when left out; adafactor: none"}, \
    {"beta2", CLI_DOUBLE, CLI_IDENTITY, "B", NULL, \
     "decay of the second moment: 0.95 with adamw and muon, else 0.999 when left out"}, \
    {"eps", CLI_DOUBLE, CLI_IDENTITY, "E", NULL, \
     "epsilon of AdamW: 1e-8 with adamw and muon, else 1e-6 when left out"}, \
    {"momentum", CLI_DOUBLE, CLI_IDENTITY, "M", NULL, "sgd: none when left out; muon: 0.95"}, \
    {"nesterov", CLI_FLAG, CLI_IDENTITY, NULL, NULL, "sgd: look ahead along the momentum"}, \
    {"muon-lr", CLI_DOUBLE, CLI_IDENTITY, "RATE", "0.02", \
     "muon: the rate of the hidden matrices; --lr is that of the others"}, \
    {"scale-parameter", CLI_CHOICE, CLI_IDENTITY, "true|false", "true", \
     "adafactor: steps in units of the tensor's RMS"}, \
    {"relative-step", CLI_CHOICE, CLI_IDENTITY, "true|false", "true", \
     "adafactor: the rate follows from the step alone; then there is no --lr and no --schedule"}, \
    {"warmup-init", CLI_FLAG, CLI_IDENTITY, NULL, NULL, "adafactor: the relative step begins at 1e-6"}, \
    {"ema", CLI_DOUBLE, CLI_IDENTITY, "DECAY", "0", \
     "keep a moving average of the weights, which is evaluated then; 0: none"}, \
    {"ema-release", CLI_FLAG, CLI_IDENTITY, NULL, NULL, "seal that average as the model"}, \
    {"lr", CLI_DOUBLE, CLI_IDENTITY, "RATE", "6e-4", "the learning rate at its highest"}, \
    {"schedule", CLI_CHOICE, CLI_IDENTITY, \
     "constant|constant_with_warmup|linear|cosine|cosine_with_min_lr|" \
     "cosine_warmup_with_min_lr|cosine_with_restarts|polynomial|inverse_sqrt|" \
     "warmup_stable_decay|wsd|nanot5|t5x", "cosine_with_min_lr", \
     "how the learning rate goes on after the warmup, by the names of Hugging Face; wsd: llm.c's; t5x: --factors"}, \
    {"warmup", CLI_U64, CLI_IDENTITY, "N", NULL, \
     "steps in which the rate rises; a fiftieth of all when left out, t5x: 10000"}, \
    {"warmup-offset", CLI_U64, CLI_IDENTITY, "N", "0", \
     "1: the first step has the rate 1/warmup instead of 0"}, \
    {"min-lr-ratio", CLI_DOUBLE, CLI_IDENTITY, "R", "0.1", \
     "schedules with a least rate end at this share of the rate"}, \
    {"num-cycles", CLI_DOUBLE, CLI_IDENTITY, "N", NULL, \
     "waves of a cosine: 0.5 when left out; cosine_with_restarts: 1"}, \
    {"power", CLI_DOUBLE, CLI_IDENTITY, "Q", "1", "polynomial: its power"}, \
    {"lr-end", CLI_DOUBLE, CLI_IDENTITY, "RATE", NULL, \
     "the rate at the end of polynomial (1e-7 when left out) and nanot5 (1e-5)"}, \
    {"warmup-lr-rate", CLI_DOUBLE, CLI_IDENTITY, "R", NULL, \
     "cosine_warmup_with_min_lr: begin at this share of the rate instead of 1/warmup"}, \
    {"timescale", CLI_U64, CLI_IDENTITY, "N", "0", "inverse_sqrt: steps; 0: as the warmup, or 10000"}, \
    {"stable-steps", CLI_U64, CLI_IDENTITY, "N", NULL, \
     "warmup_stable_decay: steps at the full rate; what is left when left out"}, \
    {"decay-steps", CLI_U64, CLI_IDENTITY, "N", NULL, \
     "warmup_stable_decay: steps of its end; a fifth of all when left out"}, \
    {"warmup-type", CLI_CHOICE, CLI_IDENTITY, "linear|cosine|1-sqrt", "linear", \
     "warmup_stable_decay: how it rises"}, \
    {"decay-type", CLI_CHOICE, CLI_IDENTITY, "linear|cosine|1-sqrt", "cosine", \
     "warmup_stable_decay: how it falls"}, \
    {"factors", CLI_STR, CLI_IDENTITY, "PRODUCT", "constant * rsqrt_decay", \
     "t5x: constant, linear_warmup, linear_decay, rsqrt_decay, rsqrt_normalized_decay, " \
     "decay_every, cosine_decay; --lr is what constant is"}, \
    {"decay-factor", CLI_DOUBLE, CLI_IDENTITY, "F", "0.5", "t5x: of linear_decay and decay_every"}, \
    {"steps-per-decay", CLI_U64, CLI_IDENTITY, "N", "20000", "t5x: of decay_every"}, \
    {"steps-per-cycle", CLI_U64, CLI_IDENTITY, "N", "100000", "t5x: of cosine_decay"}

/* Into *o what was given; an option that the chosen optimizer or schedule does not read is refused. */
cph_status cli_recipe(const cli *c, cph_train_opts *o, cph_err *err) CPH_MUST_USE;

#endif
