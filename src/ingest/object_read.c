/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object_read.c - one object of pages: plan, digests, pages, and into the collection.
 * What must stay true: digests come first, so that an object that is in already
 * costs its digests only; a page that fails is a problem and a page without text.
 */
#include "object_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/format/encoding.h>

#include <string.h>

/* ---- reading whole files ---- */

static cph_status read_utf8(object *x, cph_str path, cph_str *out, char sha[CPH_HEX_DIGEST], cph_err *err)
{
    char full[CPH_PATH_MAX];
    cph_str text, bytes;
    cph_encoding how;
    CPH_TRY(cph_path_in(full, x->u->dir, path, err));
    x->s->file.n = 0;
    CPH_TRY(cph_file_read(full, x->r->opts->max_file_bytes, &x->s->file, err));
    bytes = cph_buf_view(&x->s->file);
    if (sha) {
        cph_digest d = cph_sha256_of(bytes.p, bytes.n);
        cph_digest_hex(&d, sha);
    }
    CPH_TRY(cph_to_utf8(&text, &x->s->utf8, bytes, full, &how, err));
    return cph_arena_str(x->a, out, text, err);
}

/* ---- digests ---- */

typedef struct page_tasks {
    object *x;
    scratch *scratch; /* by worker */
} page_tasks;

static cph_status hash_task(void *arg, size_t task, unsigned worker, cph_err *err)
{
    page_tasks *t = arg;
    object_file *f = &t->x->files[task];
    CPH_TRY(cph_interrupt_check("reading files", err));
    if (f->listed == NO_FILE) return CPH_OK;
    return cph_file_hash(f, &t->scratch[worker], t->x->u, t->x->r->opts, err);
}

/* In the pool where the object may use it, else here. */
static cph_status each(object *x, bool parallel, size_t n, cph_task_fn fn, cph_err *err)
{
    page_tasks t = {x, parallel ? x->r->scratch : x->s};
    if (parallel) return cph_pool_run(x->r->pool, n, fn, &t, err);
    for (size_t i = 0; i < n; i++) CPH_TRY(fn(&t, i, 0, err));
    return CPH_OK;
}

/* Files that could not be read are told and leave the list of source files. */
static cph_status tell_files(object *x, bool *refuse, cph_err *err)
{
    *refuse = false;
    for (size_t i = 0; i < x->n_files; i++) {
        object_file *f = &x->files[i];
        if (f->listed == NO_FILE) continue;
        if (f->fault.n) {
            f->listed = NO_FILE;
            CPH_TRY(cph_problems_add(&x->told, f->path, (cph_str){"", 0}, "file-unreadable", err, "%.*s",
                                     CPH_FMT(f->fault)));
            continue;
        }
        if (f->format == CPH_FORMAT_LFS || f->format == CPH_FORMAT_EMPTY) continue; /* told with the page */
        if (strcmp(f->checksum_state, "stale") != 0) continue;
        *refuse = *refuse || x->r->opts->checksums == CPH_CHECKSUMS_FAIL;
        CPH_TRY(cph_problems_add(&x->told, f->path, f->id, "METS-07", err,
                             "the %.*s in the METS does not match: changed after the METS was written",
                             CPH_FMT(f->checksum_type)));
    }
    return CPH_OK;
}

static cph_status source_files(object *x, cph_object_record *rec, cph_err *err)
{
    void *p, *seen;
    size_t n = 0;
    CPH_TRY(cph_arena_alloc0(x->a, &p, x->n_files + 1, sizeof(cph_source_file), err));
    CPH_TRY(cph_arena_alloc0(x->a, &seen, x->u->n_files + 1, sizeof(bool), err));
    cph_source_file *out = p;
    for (size_t i = 0; i < x->n_files; i++) {
        const object_file *f = &x->files[i];
        char full[CPH_PATH_MAX];
        cph_str from;
        if (f->listed == NO_FILE) continue;
        CPH_TRY(cph_path_in(full, x->u->dir, f->path, err));
        CPH_TRY(cph_arena_str(x->a, &from, cph_str_of(full), err));
        if (f->id.n && ((bool *)seen)[f->listed]) continue; /* one file under two ids (METS-02) */
        if (f->id.n) ((bool *)seen)[f->listed] = true;
        out[n++] = (cph_source_file){.path = f->path,
                                     .from = from.p,
                                     .sha256 = f->sha256,
                                     .bytes = f->n_bytes,
                                     .checksum_state = cph_str_of(f->checksum_state),
                                     .role = cph_str_of(f->role),
                                     .by_reference = x->r->opts->no_copy};
    }
    rec->files = out;
    rec->n_files = n;
    return CPH_OK;
}

/* ---- pages ---- */

static cph_status page_task(void *arg, size_t task, unsigned worker, cph_err *err)
{
    page_tasks *t = arg;
    object *x = t->x;
    scratch *s = &t->scratch[worker];
    page_plan *p = &x->pages[task];
    char full[CPH_PATH_MAX];
    cph_err why = {0};
    cph_encoding how = {0};
    cph_str utf8 = {0};
    CPH_TRY(cph_interrupt_check("reading pages", err));
    if (p->text == NO_FILE || x->files[p->text].listed == NO_FILE) return CPH_OK;
    object_file *f = &x->files[p->text];
    if (f->format != CPH_FORMAT_ALTO) return CPH_OK;
    s->file.n = 0;
    cph_status st = cph_path_in(full, x->u->dir, f->path, &why);
    if (st == CPH_OK) st = cph_file_read(full, x->r->opts->max_file_bytes, &s->file, &why);
    if (st == CPH_OK) st = cph_to_utf8(&utf8, &s->utf8, cph_buf_view(&s->file), full, &how, &why);
    if (st == CPH_OK) {
        page_want want = {
            .file = full, .claims = cph_claims_of_file(&x->claims, f->id), .page_role = p->role};
        st = cph_alto_page_read(&p->result, s, utf8, &want, &why);
    }
    if (st == CPH_NOMEM) return cph_fail(err, st, "%s", why.what);
    if (st != CPH_OK) {
        p->result = (page_result){0};
        return cph_arena_str(&s->keep, &p->result.fault, cph_str_of(why.what), err);
    }
    p->read = true;
    p->guessed = how.guessed;
    p->lied = how.lied;
    p->n_replaced = how.n_replaced;
    return CPH_OK;
}

static cph_status tell_format(object *x, const object_file *f, cph_str place, cph_err *err)
{
    if (f->format == CPH_FORMAT_LFS)
        return cph_problems_add(&x->told, f->path, place, "lfs-pointer", err,
                                "a Git LFS pointer of %llu bytes stands where the page should",
                                (unsigned long long)f->n_bytes);
    if (f->format == CPH_FORMAT_EMPTY)
        return cph_problems_add(&x->told, f->path, place, "empty", err, "the file has no bytes");
    return cph_problems_add(&x->told, f->path, place, "METS-01", err, "is %s, not ALTO: no text was read",
                        cph_format_name(f->format));
}

static cph_status tell_page(object *x, size_t i, cph_err *err)
{
    page_plan *p = &x->pages[i];
    char text[32];
    cph_err place = {0};
    cph_fail(&place, CPH_OK, "page %zu", i + 1);
    memcpy(text, place.what, sizeof text);
    text[sizeof text - 1] = 0;
    cph_str at = cph_str_of(text);
    if (p->text == NO_FILE || x->files[p->text].listed == NO_FILE) return CPH_OK;
    const object_file *f = &x->files[p->text];
    if (f->format != CPH_FORMAT_ALTO) return tell_format(x, f, at, err);
    if (p->result.fault.n)
        CPH_TRY(cph_problems_add(&x->told, f->path, at, p->read ? "malformed" : "page-unreadable", err,
                                 "%.*s", CPH_FMT(p->result.fault)));
    if (p->result.truncated)
        CPH_TRY(cph_problems_add(&x->told, f->path, at, "truncated", err,
                             "ALTO-14: the file ends inside an element; its %llu complete lines were read",
                             (unsigned long long)p->result.c.lines));
    if (p->guessed)
        CPH_TRY(cph_problems_add(&x->told, f->path, at, "encoding-guessed", err,
                                 "neither declared nor UTF-8: read as Windows-1252"));
    if (p->lied)
        CPH_TRY(
            cph_problems_add(&x->told, f->path, at, "encoding-lied", err, "declares Latin-1 and is UTF-8"));
    if (p->n_replaced)
        CPH_TRY(cph_problems_add(&x->told, f->path, at, "encoding-broken", err,
                                 "%llu invalid sequences became U+FFFD", (unsigned long long)p->n_replaced));
    if (p->result.n_pages > 1)
        CPH_TRY(cph_problems_add(&x->told, f->path, at, "several-pages", err,
                                 "%zu Page elements in one file are read as one page", p->result.n_pages));
    return CPH_OK;
}

static cph_status page_records(object *x, cph_object_record *rec, cph_err *err)
{
    void *p;
    CPH_TRY(cph_arena_alloc0(x->a, &p, x->n_pages + 1, sizeof(cph_page_record), err));
    cph_page_record *out = p;
    for (size_t i = 0; i < x->n_pages; i++) {
        const page_plan *plan = &x->pages[i];
        out[i] = (cph_page_record){.order = (uint32_t)i + 1,
                                   .label = plan->label.n ? plan->label : plan->result.label,
                                   .width = plan->result.width,
                                   .height = plan->result.height,
                                   .lines_json = plan->result.json};
        if (plan->text != NO_FILE && x->files[plan->text].listed != NO_FILE)
            out[i].text_file = x->files[plan->text].sha256;
        if (plan->image != NO_FILE && x->files[plan->image].listed != NO_FILE)
            out[i].image_file = x->files[plan->image].sha256;
    }
    rec->pages = out;
    rec->n_pages = x->n_pages;
    return CPH_OK;
}

/* ---- the object ---- */

/* "digibok_2006081500001-mets.xml" -> "digibok_2006081500001". */
static cph_str stem_of_mets(cph_str path)
{
    static const char *const ends[] = {".xml", ".mets", "-mets", "_mets", ".mets", "-METS", "_METS"};
    cph_str s = cph_path_base(path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (cph_str_ends(s, ends[i]) && s.n > strlen(ends[i])) s.n -= strlen(ends[i]);
    return s;
}

static cph_status plan_mets(object *x, cph_err *err)
{
    cph_str xml, record = {0};
    cph_status s = read_utf8(x, x->u->main, &xml, NULL, err);
    if (s == CPH_IO && err) err->status = CPH_DATA; /* this object's fault, not the run's */
    if (s != CPH_OK) return s == CPH_IO ? CPH_DATA : s;
    CPH_TRY(cph_mets_parse(&x->mets, x->a, xml, x->u->main.p, err));
    x->has_mets = true;
    x->source_id = x->mets.objid.n ? x->mets.objid : stem_of_mets(x->u->main);
    if (x->mets.truncated)
        CPH_TRY(cph_problems_add(&x->told, x->u->main, (cph_str){"", 0}, "truncated", err,
                             "the METS ends inside an element; what was complete was read"));
    if (x->mets.has_struct_link)
        CPH_TRY(cph_problems_add(&x->told, x->u->main, (cph_str){"", 0}, "METS-14", err,
                             "structLink is not followed: its divisions own no blocks"));
    for (const cph_mets_map *map = x->mets.maps; map; map = map->next)
        for (const cph_mets_div *d = map->root; d; d = d->next)
            if (d->mptr.n)
                CPH_TRY(cph_problems_add(&x->told, x->u->main, d->id, "METS-18", err,
                                         "points to another METS: %.*s", CPH_FMT(d->mptr)));
    CPH_TRY(cph_mods_of_mets(&x->mods, &record, x->a, &x->mets, x->u->main.p, &x->has_mods, err));
    if (x->has_mods) {
        char hex[CPH_HEX_DIGEST];
        cph_digest d = cph_sha256_of(record.p, record.n);
        cph_digest_hex(&d, hex);
        CPH_TRY(cph_arena_str(x->a, &x->mods_sha, cph_str_of(hex), err));
    }
    return cph_object_plan_mets(x, err);
}

/* A MODS file beside: it stands for the object where the METS holds none. */
static cph_status mods_beside(object *x, cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    cph_str xml;
    cph_err why = {0};
    if (!x->u->mods.n || x->has_mods) return CPH_OK;
    cph_status s = read_utf8(x, x->u->mods, &xml, hex, &why);
    if (s == CPH_OK) s = cph_mods_parse(&x->mods, x->a, xml, x->u->mods.p, &why);
    if (s == CPH_NOMEM) return cph_fail(err, s, "%s", why.what);
    if (s != CPH_OK)
        return cph_problems_add(&x->told, x->u->mods, (cph_str){"", 0}, "mods-unreadable", err, "%s",
                                why.what);
    x->has_mods = true;
    return cph_arena_str(x->a, &x->mods_sha, cph_str_of(hex), err);
}

static cph_status facts(object *x, cph_err *err)
{
    if (x->has_mods)
        CPH_TRY(cph_mods_to_facts(&x->facts, x->a, &x->mods,
                                  cph_mets_is_newspaper(x->has_mets ? &x->mets : NULL, &x->mods), err));
    x->work_urn = x->facts.urn.n ? x->facts.urn : x->u->urn;
    return CPH_OK;
}

static const char *profile_of(const object *x)
{
    if (!x->has_mets) return "alto-folder";
    bool nln = cph_str_starts(x->mets.type, "METAe");
    for (const cph_mets_file *f = x->mets.files; f && !nln; f = f->next)
        nln = cph_str_is_fold(f->group, "ALTOGRP") || cph_str_is_fold(f->group, "BROWSINGGRP");
    return nln ? "mets-nln" : "mets";
}

static cph_status put(object *x, cph_object_record *rec, cph_err *err)
{
    cph_str source = {0};
    uint64_t added = x->o->added;
    CPH_TRY(cph_object_counts(x, err));
    for (size_t i = 0; i < x->n_pages; i++) CPH_TRY(tell_page(x, i, err));
    if (x->c.areas_dangling)
        CPH_TRY(cph_problems_add(&x->told, x->u->main, (cph_str){"", 0}, "METS-17", err,
                             "%llu area%s elements that are not in their files",
                             (unsigned long long)x->c.areas_dangling, x->c.areas_dangling == 1 ? " names" : "s name"));
    CPH_TRY(page_records(x, rec, err));
    CPH_TRY(cph_object_meta(x, &rec->meta_json, err));
    CPH_TRY(cph_object_divisions(x, &rec->divisions_json, err));
    rec->edition_json = x->facts.edition_json;
    rec->problems = x->told.at;
    rec->n_problems = x->told.n;
    if (x->has_mods) CPH_TRY(cph_arena_printf(x->a, &source, err, "mods:%.*s", CPH_FMT(x->mods_sha)));
    CPH_TRY(cph_object_put(x->r, x->o, rec, source, x->facts.work_json, err));
    if (x->o->added == added) return CPH_OK;
    x->o->pages += x->n_pages;
    x->o->pages_without_text += x->n_pages - x->c.pages_with_text;
    x->o->words += x->c.tokens_after_joining;
    x->o->xml_bytes += x->c.xml_bytes;
    return CPH_OK;
}

static cph_status read_object(object *x, bool parallel, cph_err *err)
{
    bool refuse = false, known = false;
    if (x->u->kind == UNIT_METS) {
        CPH_TRY(plan_mets(x, err));
    } else {
        x->source_id = x->u->main.n ? stem_of_mets(x->u->main) : cph_path_base(x->u->dir);
        CPH_TRY(cph_object_plan_folder(x, err));
    }
    CPH_TRY(mods_beside(x, err));
    CPH_TRY(facts(x, err));
    CPH_TRY(each(x, parallel, x->n_files, hash_task, err));
    CPH_TRY(tell_files(x, &refuse, err));
    if (refuse) {
        x->o->refused++;
        return cph_problem_alone(
            x->r, x->o, x->source_id, (cph_str){"", 0}, "METS-07",
            CPH_STR("checksums do not match; the object was not put in (--checksums=fail)"), err);
    }
    cph_object_record rec = {
        .source_id = x->source_id, .profile = cph_str_of(profile_of(x)), .work_urn = x->work_urn};
    CPH_TRY(source_files(x, &rec, err));
    CPH_TRY(cph_object_known(x->r, x->o, &rec, &known, err));
    if (known) return CPH_OK;
    CPH_TRY(each(x, parallel, x->n_pages, page_task, err));
    return put(x, &rec, err);
}

cph_status cph_object_read(run *r, const unit *u, outcome *o, unsigned worker, bool parallel, cph_err *err)
{
    scratch *s = &r->scratch[worker];
    void *p;
    cph_err why = {0};
    for (unsigned i = 0; parallel && i < cph_pool_threads(r->pool); i++) cph_arena_reset(&r->scratch[i].keep);
    cph_arena_reset(&s->keep);
    CPH_TRY(cph_arena_alloc0(&s->keep, &p, 1, sizeof(object), err));
    object *x = p;
    *x = (object){.r = r, .u = u, .o = o, .s = s, .a = &s->keep, .told = {.a = &s->keep}};
    cph_status st = read_object(x, parallel, &why);
    cph_problems_release(&x->told);
    if (st == CPH_DATA || st == CPH_NOMEM) { /* of this object alone: LAW-2 */
        o->refused++;
        return cph_problem_alone(r, o, u->main.n ? u->main : u->dir, (cph_str){"", 0}, "object-unreadable",
                                 cph_str_of(why.what), err);
    }
    if (st != CPH_OK && err) *err = why;
    return st;
}
