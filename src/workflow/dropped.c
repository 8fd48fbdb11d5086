/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dropped.c - the drop log of a corpus: whether a work is in under another id.
 *
 * A document that was dropped as a copy is not in the set tree, and its text is in the
 * corpus all the same: an exclusion proof of its work would be true and misleading.
 */
#include <colophon/base/zstream.h>

#include <string.h>

#include "prove_in.h"

static bool names_work(const cph_json *line, cph_str urn)
{
    const cph_json *works = cph_json_get(line, "works");
    for (const cph_json *w = works && works->type == CPH_JSON_ARRAY ? works->first : NULL; w; w = w->next)
        if (w->type == CPH_JSON_STRING && cph_str_eq(w->str, urn)) return true;
    return false;
}

/* *kept is set by the first line that tells of a copy whose other text stayed. */
static cph_status look_through(cph_lines *l, const char *path, cph_str urn, cph_arena *a, cph_str *kept,
                               cph_err *err)
{
    cph_arena one;
    cph_str line;
    cph_status s;
    cph_arena_init(&one, 0);
    while ((s = cph_lines_next(l, &line, err)) == CPH_OK) {
        cph_json *v;
        cph_arena_reset(&one);
        if ((s = cph_json_parse(&v, &one, line, path, NULL, err)) != CPH_OK) break;
        cph_str id = cph_json_get_str(v, "kept");
        if (!id.n || !cph_str_is(cph_json_get_str(v, "stage"), "document") || !names_work(v, urn)) continue;
        s = cph_arena_str(a, kept, id, err);
        break;
    }
    cph_arena_release(&one);
    return s == CPH_END ? CPH_OK : s;
}

cph_status cph_dropped_copy_of(const cph_kin_place *corpus, cph_str urn, cph_arena *a, cph_str *kept,
                               cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_lines *l;
    CPH_TRY(cph_path_join(path, corpus->path, "dropped.jsonl.zst", err));
    CPH_TRY(cph_lines_open(&l, path, CPH_LINE_MAX, err));
    cph_status s = look_through(l, path, urn, a, kept, err);
    cph_lines_close(l);
    return s;
}
