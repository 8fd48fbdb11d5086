/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show.h - the colophon itself: what an artefact was made from, down to page images.
 *
 * Threads  One call at a time.
 * Memory   Texts go to the caller's buffer.
 * Errors   CPH_IO: nothing there. A parent that is not reachable is drawn as such.
 */
#ifndef CPH_WORKFLOW_SHOW_H
#define CPH_WORKFLOW_SHOW_H

#include <colophon/provenance/manifest.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_show_ask {
    const char *path;           /* an artefact, a collection, or a model of somebody else */
    cph_str work;               /* not empty: the way from the artefact to this work's pages */
    const char *const *parents; /* directories to look for parents in */
    size_t n_parents;
    bool json;                  /* one JSON value; else text for people */
} cph_show_ask;

/* CPH_NO: the artefact does not hold the work. */
CPH_API cph_status cph_show(cph_buf *b, const cph_show_ask *ask, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
