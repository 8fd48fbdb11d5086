/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.c - one record by its id: a binary search over the frames by the objects
 * with which they begin, then the lines of the few frames that can hold it.
 */
#include <string.h>

#include "reader_in.h"

#define STEM_MAX 90 /* longer source ids are cut in an object's key (collection) */

/* Below the first key that starts with stem + "@": -1; among them: 0; above: 1. */
static int compare(cph_str object, cph_str stem)
{
    size_t n = object.n < stem.n ? object.n : stem.n;
    int order = n ? memcmp(object.p, stem.p, n) : 0;
    if (order || object.n <= stem.n) return order < 0 || (!order && object.n <= stem.n) ? -1 : 1;
    return (unsigned char)object.p[stem.n] < '@' ? -1 : object.p[stem.n] != '@';
}

/* The line begins with {"id":"...": every record is written so. */
static bool is_record(cph_str line, cph_str start)
{
    return line.n > start.n && memcmp(line.p, start.p, start.n) == 0;
}

static cph_status look_into(cph_reader *r, size_t frame, cph_str start, cph_doc *doc, cph_err *err)
{
    CPH_TRY(cph_reader_load(r, frame, err));
    for (uint32_t i = 0; i < r->c->frames[frame].records; i++) {
        const char **at = r->lines + 2 * (size_t)i;
        if (!is_record((cph_str){at[0], (size_t)(at[2] - at[0])}, start)) continue;
        return cph_reader_doc(r, i, doc, err);
    }
    return CPH_NO;
}

/* Frames whose first object is below `stem` from the last such on, up to the first above. */
static cph_status look_for(cph_reader *r, cph_str stem, cph_str start, cph_doc *doc, cph_err *err)
{
    const cph_corpus *c = r->c;
    size_t low = 0, high = c->n_frames;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare(c->frames[mid].object, stem) < 0) low = mid + 1;
        else high = mid;
    }
    for (size_t i = low ? low - 1 : 0;
         i < c->n_frames && (i < low || compare(c->frames[i].object, stem) == 0); i++) {
        cph_status s = look_into(r, i, start, doc, err);
        if (s != CPH_NO) return s;
    }
    return CPH_NO;
}

/* A record's id is its source id, then perhaps "/division", then perhaps "#partN": each cut is tried. */
static cph_status look(cph_reader *r, cph_str id, cph_str start, cph_doc *doc, cph_err *err)
{
    cph_status s = CPH_NO;
    for (size_t cut = id.n; s == CPH_NO && cut > 0; cut--)
        if (cut <= STEM_MAX && (cut == id.n || id.p[cut] == '/' || id.p[cut] == '#'))
            s = look_for(r, cph_str_sub(id, 0, cut), start, doc, err);
    if (id.n > STEM_MAX)
        for (size_t i = 0; s == CPH_NO && i < r->c->n_frames; i++) s = look_into(r, i, start, doc, err);
    return s;
}

/* What a reader may hand out, or RR-151. */
static cph_status permitted(cph_reader *r, const cph_doc *d, cph_doc *doc, cph_err *err)
{
    if (cph_revocations_hit(&r->revoked, d))
        return cph_fail(err, CPH_RIGHTS,
                        "%s: record %.*s was taken down after the corpus was sealed (RR-151)", r->c->path,
                        CPH_FMT(d->id));
    *doc = *d;
    return CPH_OK;
}

cph_status cph_reader_at(cph_reader *r, uint64_t from, const cph_digest *dkey, uint32_t part, cph_doc *doc,
                         cph_err *err)
{
    const cph_corpus *c = r->c;
    size_t first = from < c->n_records ? cph_frame_of(c, from) : c->n_frames;
    for (size_t f = first; f < c->n_frames; f++) {
        cph_doc d;
        CPH_TRY(cph_reader_load(r, f, err));
        for (uint32_t i = f == first ? (uint32_t)(from - c->frames[f].first) : 0; i < c->frames[f].records;
             i++) {
            CPH_TRY(cph_reader_doc(r, i, &d, err));
            if (d.part == part && cph_digest_cmp(&d.dkey, dkey) == 0) return permitted(r, &d, doc, err);
        }
    }
    return cph_fail(err, CPH_NO, "%s: no record from %llu on is that document", c->path,
                    (unsigned long long)from);
}

cph_status cph_reader_find(cph_reader *r, cph_str id, cph_doc *doc, cph_err *err)
{
    cph_buf start;
    cph_doc d;
    cph_buf_init(&start, (size_t)1 << 20);
    cph_status s = cph_buf_z(&start, "{\"id\":", err);
    if (s == CPH_OK) s = cph_json_quote(&start, id, err);
    if (s == CPH_OK) s = look(r, id, cph_buf_view(&start), &d, err);
    cph_buf_release(&start);
    if (s == CPH_NO) return cph_fail(err, CPH_NO, "%s: there is no record %.*s", r->c->path, CPH_FMT(id));
    CPH_TRY(s);
    return permitted(r, &d, doc, err);
}
