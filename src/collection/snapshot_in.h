/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_in.h - an open snapshot: its frames, the rows in them, and cursors over rows. */
#ifndef CPH_SNAPSHOT_IN_H
#define CPH_SNAPSHOT_IN_H

#include "collection_in.h"

#include <colophon/base/zstream.h>

#define CACHED_FRAMES 8

typedef struct cph_frame_info {
    cph_str first;
    uint64_t rows, start; /* start: the first row's number in its table */
} cph_frame_info;

typedef struct cph_frame_slot {
    size_t frame;      /* SIZE_MAX: empty */
    uint64_t last_use;
    cph_buf bytes;
    uint32_t *ends;    /* of each row, its LF not counted */
    size_t n_rows;
} cph_frame_slot;

struct cph_snapshot {
    char name[CPH_PATH_MAX]; /* for messages */
    cph_digest digest;
    bool sample;
    cph_zread *rows;
    cph_arena index;                          /* first keys */
    cph_frame_info *frames;
    size_t n_frames, table_first[CPH_N_TABLES + 1]; /* frames of table t: [first[t], first[t+1]) */
    pthread_mutex_t mutex;                    /* guards what follows */
    cph_frame_slot cache[CACHED_FRAMES];
    uint64_t use;
    cph_arena scratch;                        /* keys with escapes */
    cph_arena urns;                           /* filled at the first call of cph_snapshot_work_urn */
    cph_str *work_urns;
    sqlite3 *db;
    cph_sql line;
};

/* The cache is no part of what a snapshot is: readers hold it const. What follows wants the mutex held. */
cph_snapshot *cph_snapshot_locked(const cph_snapshot *s);
void cph_snapshot_unlock(cph_snapshot *s);

typedef struct cph_cursor {
    cph_table table;
    size_t frame, row;
} cph_cursor;

size_t cph_table_rows(const cph_snapshot *s, cph_table t);
bool cph_table_named(cph_str name, cph_table *out);
cph_status cph_row_frame(cph_snapshot *s, size_t frame, cph_frame_slot **out, cph_err *err) CPH_MUST_USE;
cph_str cph_row_text(const cph_frame_slot *slot, size_t i);
cph_status cph_row_key(cph_snapshot *s, cph_str row, cph_str *out, cph_err *err) CPH_MUST_USE;
cph_status cph_row_parse(cph_snapshot *s, cph_str text, cph_arena *a, cph_json **out,
                         cph_err *err) CPH_MUST_USE;
/* The first row of the table whose key is not below `key`. */
cph_status cph_row_seek(cph_snapshot *s, cph_table t, cph_str key, cph_cursor *out,
                        cph_err *err) CPH_MUST_USE;
/* The row under the cursor, and on; CPH_END at the table's end. The text lives while its frame is kept. */
cph_status cph_row_next(cph_snapshot *s, cph_cursor *c, cph_str *row, cph_err *err) CPH_MUST_USE;
/* The next row whose key starts with `prefix`, parsed; CPH_END when there is none. */
cph_status cph_row_next_with(cph_snapshot *s, cph_cursor *c, cph_str prefix, cph_arena *a, cph_json **out,
                             cph_err *err) CPH_MUST_USE;
/* CPH_NO: no such row (no message: the caller knows what it looked for). */
cph_status cph_row_of(cph_snapshot *s, cph_table t, cph_str key, cph_arena *a, cph_json **out,
                      cph_err *err) CPH_MUST_USE;

#endif
