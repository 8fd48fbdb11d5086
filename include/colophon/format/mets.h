/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mets.h - a METS 1 or 2 file as a tree (readers-and-corpus 4).
 *
 * The tree says what the file says, in document order; which files hold text,
 * where they lie and what the divisions mean is the caller's.
 *
 * Threads  The tree is immutable after parsing.
 * Memory   The tree lives in the arena; spans may borrow from the input.
 * Errors   CPH_DATA with line; CPH_NOMEM for limits. A truncated file gives what
 *          was complete, flagged.
 */
#ifndef CPH_FORMAT_METS_H
#define CPH_FORMAT_METS_H

#include <colophon/format/xml.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_mets_md cph_mets_md; /* a dmdSec (METS 1) or md (METS 2) */
struct cph_mets_md {
    cph_str id, type, label, use;
    cph_str xml; /* content of xmlData, as written */
    cph_mets_md *next;
};

typedef struct cph_mets_file cph_mets_file;
struct cph_mets_file {
    cph_str id, mimetype, use, checksum, checksum_type, created, href;
    cph_str group;      /* ID or USE of the fileGrp */
    uint64_t size;      /* as stated; 0: not */
    bool has_location;  /* METS-03 */
    bool is_urn;        /* METS-05: LOCTYPE URN, or an href that starts with urn: */
    bool discarded;     /* inside a group USE="Discarded" */
    cph_mets_file *next;
};

typedef enum cph_mets_way { CPH_METS_FPTR, CPH_METS_AREA, CPH_METS_PAR, CPH_METS_SEQ } cph_mets_way;

typedef struct cph_mets_area cph_mets_area;
struct cph_mets_area {
    cph_str file_id, betype, begin, end;
    cph_mets_way way;  /* FPTR: a fptr with FILEID and no area */
    uint32_t set;      /* areas of one par or seq share a number; 0 for the others */
    cph_mets_area *next;
};

typedef struct cph_mets_div cph_mets_div;
struct cph_mets_div {
    cph_str id, type, label, order, orderlabel, dmdid, mptr;
    uint32_t number; /* from 1, in document order over the whole file */
    cph_mets_area *areas;
    cph_mets_div *first, *next, *parent;
};

typedef struct cph_mets_map cph_mets_map;
struct cph_mets_map {
    cph_str type, label;
    cph_mets_div *root;
    uint32_t n_divs, n_areas, n_seq, n_par, n_end; /* areas; seq and par elements; areas that give END */
    cph_mets_map *next;
};

typedef struct cph_mets {
    cph_str objid, type, profile, label, created;
    int version; /* 1 or 2 */
    cph_mets_md *mds;
    cph_mets_file *files;
    cph_mets_map *maps;
    uint32_t n_mds, n_files, n_maps, n_divs;
    bool has_struct_link, truncated;
} cph_mets;

CPH_API cph_status cph_mets_parse(cph_mets *out, cph_arena *a, cph_str utf8, const char *file,
                                  cph_err *err) CPH_MUST_USE;
/* NULL when there is none with that id. O(n). */
CPH_API const cph_mets_md *cph_mets_md_of(const cph_mets *m, cph_str id);

#ifdef __cplusplus
}
#endif
#endif
