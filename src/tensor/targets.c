/* SPDX-License-Identifier: Apache-2.0 */
/*
 * targets.c - label smoothing as numbers of a loss record.
 */
#include <colophon/tensor/math.h>
#include <colophon/tensor/op.h>

cph_targets cph_targets_torch(double smoothing, uint32_t vocab)
{
    if (!(smoothing > 0)) return (cph_targets){0};
    return (cph_targets){.label = 1 - smoothing + smoothing / vocab, .rest = smoothing / vocab};
}

/* The constant is the loss of a model that gives exactly the targets. */
cph_targets cph_targets_t5x(double smoothing, uint32_t vocab)
{
    if (!(smoothing > 0) || vocab < 2) return (cph_targets){0};
    double on = 1 - smoothing, rest = smoothing / (vocab - 1.0);
    double least = -(on * cph_log_e(on) + (vocab - 1.0) * rest * cph_log_e(rest + 1e-20));
    return (cph_targets){.label = on, .rest = rest, .constant = least};
}
