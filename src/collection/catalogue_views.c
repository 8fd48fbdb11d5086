/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalogue_views.c - the catalogue as it stands, for people who look at it: objects
 * with their counts, and what was wrong with them. Reads only, one statement each, in
 * key order.
 */
#include "collection_in.h"

#include <string.h>

#define OBJECTS \
    "SELECT o.key, o.source_id, o.profile, o.work, o.meta, o.n_pages," \
    " (SELECT count(*) FROM page p WHERE p.object = o.key AND p.line IS NOT NULL)," \
    " (SELECT count(*) FROM page p WHERE p.object = o.key AND p.image_file IS NOT NULL)," \
    " (SELECT count(*) FROM file f WHERE f.object = o.key)," \
    " (SELECT coalesce(sum(f.bytes), 0) FROM file f WHERE f.object = o.key)," \
    " (SELECT count(*) FROM problem x WHERE x.object = o.key) FROM object o ORDER BY o.key"

static uint64_t number(const cph_sql *q, int column) { return (uint64_t)cph_sql_i64(q, column); }

cph_status cph_collection_objects(cph_collection *c, cph_object_fn each, void *ctx, cph_err *err)
{
    cph_sql q;
    cph_collection_lock(c);
    cph_status s = cph_sql_prepare(&q, c->db, c->path, OBJECTS, err);
    while (s == CPH_OK && (s = cph_sql_step(&q, err)) == CPH_OK) {
        cph_object_view v = {.key = cph_sql_text(&q, 0),
                             .source_id = cph_sql_text(&q, 1),
                             .profile = cph_sql_text(&q, 2),
                             .work_urn = cph_sql_text(&q, 3),
                             .meta_json = cph_sql_text(&q, 4),
                             .n_pages = number(&q, 5),
                             .n_text = number(&q, 6),
                             .n_images = number(&q, 7),
                             .n_files = number(&q, 8),
                             .n_bytes = number(&q, 9),
                             .n_problems = number(&q, 10)};
        s = each(ctx, &v, err);
    }
    cph_sql_end(&q);
    cph_collection_unlock(c);
    return s == CPH_END ? CPH_OK : s;
}

cph_status cph_collection_problems(cph_collection *c, cph_problem_fn each, void *ctx, cph_err *err)
{
    cph_sql q;
    cph_collection_lock(c);
    cph_status s = cph_sql_prepare(&q, c->db, c->path,
                                   "SELECT object, file, place, rule, sentence FROM problem "
                                   "ORDER BY object, file, place, rule, sentence",
                                   err);
    while (s == CPH_OK && (s = cph_sql_step(&q, err)) == CPH_OK) {
        cph_problem p = {.file = cph_sql_text(&q, 1),
                         .place = cph_sql_text(&q, 2),
                         .rule = cph_sql_text(&q, 3),
                         .sentence = cph_sql_text(&q, 4)};
        s = each(ctx, cph_sql_text(&q, 0), &p, err);
    }
    cph_sql_end(&q);
    cph_collection_unlock(c);
    return s == CPH_END ? CPH_OK : s;
}
