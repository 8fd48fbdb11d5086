/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object_in.h - an object of pages while it is read: from a METS or from a folder of ALTO.
 */
#ifndef CPH_OBJECT_IN_H
#define CPH_OBJECT_IN_H

#include "ingest_in.h"

typedef struct page_plan {
    uint32_t text, image; /* in object.files; NO_FILE */
    cph_str label;
    cph_role role;        /* of unclaimed blocks of the print space */
    bool read;            /* result is there */
    bool guessed, lied;   /* of the encoding */
    uint64_t n_replaced;
    page_result result;
} page_plan;

typedef struct object {
    run *r;
    const unit *u;
    outcome *o;
    scratch *s;
    cph_arena *a;   /* s->keep */
    cph_mets mets;
    bool has_mets, has_mods;
    cph_mods mods;
    cph_str mods_sha; /* hex, of the record's bytes */
    mods_facts facts;
    cph_str source_id, work_urn;
    object_file *files;
    size_t n_files;
    page_plan *pages;
    size_t n_pages;
    claims claims;
    counts c;
    type_counts composed;
    problems told;
} object;

/* meta_json and divisions_json, in the object's arena. */
cph_status cph_object_meta(object *x, cph_str *out, cph_err *err) CPH_MUST_USE;
cph_status cph_object_divisions(object *x, cph_str *out, cph_err *err) CPH_MUST_USE;
/* Counts of the pages into the object's, pairs over page breaks among them. */
cph_status cph_object_counts(object *x, cph_err *err) CPH_MUST_USE;
/* Files, pages and claims as the METS has them. */
cph_status cph_object_plan_mets(object *x, cph_err *err) CPH_MUST_USE;
cph_status cph_object_plan_folder(object *x, cph_err *err) CPH_MUST_USE;

#endif
