/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.h - what this machine and this build are, and what would fail and why.
 *
 * Threads  One call at a time.
 * Memory   Findings live in the arena given.
 * Errors   None of the machine's: what cannot be found out is said as a finding.
 */
#ifndef CPH_WORKFLOW_DOCTOR_H
#define CPH_WORKFLOW_DOCTOR_H

#include <colophon/base/arena.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cph_finding_grade { CPH_FINDING_FACT, CPH_FINDING_NOTE, CPH_FINDING_PROBLEM } cph_finding_grade;

typedef struct cph_finding {
    const char *topic; /* "processor", "memory", ... */
    const char *name;
    cph_str value;
    cph_finding_grade grade;
    cph_str advice; /* empty for a fact */
} cph_finding;

/* `dir` is where artefacts would be written. *n_problems counts those that would make work fail. */
CPH_API cph_status cph_doctor(cph_arena *a, const char *dir, cph_finding **findings, size_t *n, size_t *n_problems,
                              cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
