/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mets.c - METS 1 and 2 into one tree.
 * Lists keep the order of the file; a span of the input serves where nothing is to decode.
 */
#include "format_in.h"

#include <colophon/format/mets.h>

#include <string.h>

typedef struct building {
    cph_mets m;
    cph_xml x;
    cph_arena *a;
    cph_mets_md **md_end;
    cph_mets_file **file_end;
    cph_mets_map **map_end;
    cph_mets_map *map;           /* the structMap under way */
    cph_mets_div *div;           /* the div under way */
    uint32_t group_depth;        /* of the innermost open fileGrp */
    cph_str group[CPH_XML_MAX_DEPTH];
    uint32_t discarded_depth;    /* of the fileGrp USE="Discarded" that we are in, or 0 */
    cph_mets_file *file[CPH_XML_MAX_DEPTH]; /* by depth: files nest (METS-02) */
    uint32_t set, set_depth;     /* the par or seq that we are in */
    cph_mets_way way;
    uint32_t fptr_depth;
    cph_mets_area *fptr_alone;   /* the area that stands for a fptr with FILEID, until areas follow */
    cph_mets_div **child_end[CPH_XML_MAX_DEPTH]; /* by nesting of divs: where the next child goes */
    cph_mets_area **area_end[CPH_XML_MAX_DEPTH];
    uint32_t level;              /* of b->div; 0: none */
} building;

static cph_status attr(building *b, const char *name, cph_str *out, cph_err *err)
{
    return cph_xml_attr_text(&b->x, b->a, name, out, err);
}

typedef struct field {
    const char *name;
    cph_str *out;
} field;

static cph_status fields(building *b, const field *f, size_t n, cph_err *err)
{
    for (size_t i = 0; i < n; i++) CPH_TRY(attr(b, f[i].name, f[i].out, err));
    return CPH_OK;
}
#define N_FIELDS(f) (sizeof(f) / sizeof *(f))

static cph_status make(building *b, void **out, size_t size, cph_err *err)
{
    return cph_arena_alloc0(b->a, out, 1, size, err);
}

/* METS 1: xlink:href on FLocat, mptr; METS 2: LOCREF. */
static cph_status location(building *b, cph_str *out, cph_err *err)
{
    CPH_TRY(attr(b, "href", out, err));
    return out->n ? CPH_OK : attr(b, "LOCREF", out, err);
}

/* ---- metadata ---- */

/* dmdSec or md, with what its xmlData holds. */
static cph_status metadata(building *b, cph_err *err)
{
    void *p;
    CPH_TRY(make(b, &p, sizeof(cph_mets_md), err));
    cph_mets_md *md = p;
    const field own[] = {{"ID", &md->id}, {"USE", &md->use}};
    CPH_TRY(fields(b, own, N_FIELDS(own), err));
    uint32_t outside = b->x.depth - 1;
    while (b->x.depth > outside) {
        CPH_TRY(cph_xml_next(&b->x, err));
        if (b->x.kind != CPH_XML_START) continue;
        if (cph_str_is(b->x.name, "mdWrap")) {
            const field wrap[] = {{"MDTYPE", &md->type}, {"LABEL", &md->label}};
            CPH_TRY(fields(b, wrap, N_FIELDS(wrap), err));
        } else if (cph_str_is(b->x.name, "xmlData")) {
            CPH_TRY(cph_xml_skip(&b->x, &md->xml, err));
        }
    }
    *b->md_end = md;
    b->md_end = &md->next;
    b->m.n_mds++;
    return CPH_OK;
}

/* ---- files ---- */

static cph_status group_opens(building *b, cph_err *err)
{
    cph_str id, use;
    CPH_TRY(attr(b, "ID", &id, err));
    CPH_TRY(attr(b, "USE", &use, err));
    b->group_depth = b->x.depth;
    b->group[b->x.depth - 1] = id.n ? id : use;
    if (!b->discarded_depth && cph_str_is_fold(use, "Discarded"))
        b->discarded_depth = b->x.depth; /* METS-03 */
    return CPH_OK;
}

static cph_status file_opens(building *b, cph_err *err)
{
    void *p;
    CPH_TRY(make(b, &p, sizeof(cph_mets_file), err));
    cph_mets_file *f = p;
    cph_str size;
    const field own[] = {{"ID", &f->id},
                         {"MIMETYPE", &f->mimetype},
                         {"USE", &f->use},
                         {"CHECKSUM", &f->checksum},
                         {"CHECKSUMTYPE", &f->checksum_type},
                         {"CREATED", &f->created},
                         {"SIZE", &size}};
    CPH_TRY(fields(b, own, N_FIELDS(own), err));
    if (!cph_str_u64(size, &f->size)) f->size = 0;
    f->discarded = b->discarded_depth != 0;
    for (uint32_t i = b->x.depth - 1; i-- > 0 && !f->group.n;) f->group = b->group[i];
    b->file[b->x.depth - 1] = f;
    *b->file_end = f;
    b->file_end = &f->next;
    b->m.n_files++;
    return CPH_OK;
}

static bool is_urn(cph_str href)
{
    return href.n > 4 && (cph_str_starts(href, "urn:") || cph_str_starts(href, "URN:"));
}

/* The first location of the file that is open around it. */
static cph_status located(building *b, cph_err *err)
{
    cph_mets_file *f = NULL;
    cph_str type;
    for (uint32_t i = b->x.depth - 1; i-- > 0 && !f;) f = b->file[i];
    if (!f || f->has_location) return CPH_OK;
    CPH_TRY(location(b, &f->href, err));
    CPH_TRY(attr(b, "LOCTYPE", &type, err));
    f->has_location = f->href.n != 0;
    f->is_urn = cph_str_is_fold(type, "URN") || is_urn(f->href);
    return CPH_OK;
}

/* ---- structure ---- */

static cph_status map_opens(building *b, cph_err *err)
{
    void *p;
    CPH_TRY(make(b, &p, sizeof(cph_mets_map), err));
    cph_mets_map *map = p;
    const field own[] = {{"TYPE", &map->type}, {"LABEL", &map->label}};
    CPH_TRY(fields(b, own, N_FIELDS(own), err));
    *b->map_end = map;
    b->map_end = &map->next;
    b->map = map;
    b->div = NULL;
    b->level = 0;
    b->child_end[0] = &map->root;
    b->m.n_maps++;
    return CPH_OK;
}

static cph_status div_opens(building *b, cph_err *err)
{
    void *p;
    CPH_TRY(make(b, &p, sizeof(cph_mets_div), err));
    cph_mets_div *d = p;
    const field own[] = {{"ID", &d->id}, {"TYPE", &d->type}, {"LABEL", &d->label}, {"ORDER", &d->order},
                         {"ORDERLABEL", &d->orderlabel}, {"DMDID", &d->dmdid}};
    CPH_TRY(fields(b, own, N_FIELDS(own), err));
    if (!d->dmdid.n) CPH_TRY(attr(b, "MDID", &d->dmdid, err));
    d->number = ++b->m.n_divs;
    d->parent = b->div;
    *b->child_end[b->level] = d;
    b->child_end[b->level] = &d->next;
    b->level++;
    b->child_end[b->level] = &d->first;
    b->area_end[b->level] = &d->areas;
    b->div = d;
    b->map->n_divs++;
    return CPH_OK;
}

static cph_status add_area(building *b, cph_mets_way way, cph_mets_area **out, cph_err *err)
{
    void *p;
    CPH_TRY(make(b, &p, sizeof(cph_mets_area), err));
    cph_mets_area *area = p;
    const field own[] = {{"FILEID", &area->file_id}, {"BETYPE", &area->betype}, {"BEGIN", &area->begin},
                         {"END", &area->end}};
    CPH_TRY(fields(b, own, N_FIELDS(own), err));
    area->way = way;
    area->set = b->set_depth ? b->set : 0;
    *out = area;
    return CPH_OK;
}

static void append_area(building *b, cph_mets_area *area)
{
    *b->area_end[b->level] = area;
    b->area_end[b->level] = &area->next;
}

/* <fptr FILEID="..."/> is an area of the whole file, unless areas follow inside. */
static cph_status fptr_opens(building *b, cph_err *err)
{
    b->fptr_depth = b->x.depth;
    b->fptr_alone = NULL;
    if (!cph_xml_attr_of(&b->x, "FILEID").n) return CPH_OK;
    return add_area(b, CPH_METS_FPTR, &b->fptr_alone, err);
}

static cph_status area_opens(building *b, cph_err *err)
{
    cph_mets_area *area;
    CPH_TRY(add_area(b, b->set_depth ? b->way : CPH_METS_AREA, &area, err));
    append_area(b, area);
    b->fptr_alone = NULL;
    b->map->n_areas++;
    b->map->n_end += area->end.n != 0;
    return CPH_OK;
}

static void set_opens(building *b, cph_mets_way way)
{
    if (way == CPH_METS_SEQ) b->map->n_seq++;
    else b->map->n_par++;
    if (b->set_depth) return; /* a seq inside a par: one content, the outer way stands */
    b->way = way;
    b->set++;
    b->set_depth = b->x.depth;
}

static cph_status in_structure(building *b, cph_err *err)
{
    cph_str n = b->x.name;
    if (cph_str_is(n, "div")) return div_opens(b, err);
    if (!b->div) return CPH_OK;
    if (cph_str_is(n, "fptr")) return fptr_opens(b, err);
    if (cph_str_is(n, "area")) return area_opens(b, err);
    if (cph_str_is(n, "seq")) set_opens(b, CPH_METS_SEQ);
    if (cph_str_is(n, "par")) set_opens(b, CPH_METS_PAR);
    if (cph_str_is(n, "mptr")) return location(b, &b->div->mptr, err);
    return CPH_OK;
}

/* ---- elements ---- */

static cph_status root_opens(building *b, cph_err *err)
{
    if (!cph_str_is_fold(b->x.name, "mets"))
        return cph_fail(err, CPH_DATA, "%s: the root element is <%.*s>, not mets", b->x.file,
                        CPH_FMT(b->x.name));
    const field own[] = {{"OBJID", &b->m.objid}, {"TYPE", &b->m.type}, {"PROFILE", &b->m.profile},
                         {"LABEL", &b->m.label}};
    b->m.version = 1;
    return fields(b, own, N_FIELDS(own), err);
}

static cph_status opened(building *b, cph_err *err)
{
    cph_str n = b->x.name;
    if (b->x.depth == 1) return root_opens(b, err);
    if (b->map) return in_structure(b, err);
    if (cph_str_is(n, "metsHdr")) return attr(b, "CREATEDATE", &b->m.created, err);
    if (cph_str_is(n, "dmdSec")) return metadata(b, err);
    if (cph_str_is(n, "mdSec") || cph_str_is(n, "structSec")) b->m.version = 2;
    if (cph_str_is(n, "md")) return metadata(b, err);
    if (cph_str_is(n, "amdSec")) return cph_xml_skip(&b->x, NULL, err);
    if (cph_str_is(n, "fileGrp")) return group_opens(b, err);
    if (cph_str_is(n, "file")) return file_opens(b, err);
    if (cph_str_is(n, "FLocat")) return located(b, err);
    if (cph_str_is(n, "structMap")) return map_opens(b, err);
    if (cph_str_is(n, "structLink")) {
        b->m.has_struct_link = true;
        return cph_xml_skip(&b->x, NULL, err);
    }
    return CPH_OK;
}

static void closed(building *b)
{
    cph_str n = b->x.name;
    uint32_t was = b->x.depth + 1;
    b->file[was - 1] = NULL;
    b->group[was - 1] = (cph_str){0};
    if (b->discarded_depth == was) b->discarded_depth = 0;
    if (b->set_depth == was) b->set_depth = 0;
    if (b->fptr_depth == was) {
        if (b->fptr_alone) {
            append_area(b, b->fptr_alone);
            b->map->n_areas++;
        }
        b->fptr_alone = NULL;
        b->fptr_depth = 0;
    }
    if (b->map && b->div && cph_str_is(n, "div")) {
        b->div = b->div->parent;
        b->level--;
    }
    if (cph_str_is(n, "structMap")) b->map = NULL;
}

static cph_status parse(building *b, cph_err *err)
{
    cph_status s;
    while ((s = cph_xml_next(&b->x, err)) == CPH_OK) {
        if (b->x.kind == CPH_XML_CLOSE) closed(b);
        if (b->x.kind != CPH_XML_START) continue;
        s = opened(b, err);
        if (s != CPH_OK) break;
    }
    if (s != CPH_END) return s;
    b->m.truncated = b->x.truncated;
    return CPH_OK;
}

cph_status cph_mets_parse(cph_mets *out, cph_arena *a, cph_str utf8, const char *file, cph_err *err)
{
    void *p;
    CPH_TRY(cph_arena_alloc0(a, &p, 1, sizeof(building), err));
    building *b = p;
    b->a = a;
    b->md_end = &b->m.mds;
    b->file_end = &b->m.files;
    b->map_end = &b->m.maps;
    cph_xml_init(&b->x, utf8, file);
    CPH_TRY(parse(b, err));
    if (!b->x.root_seen) return cph_fail(err, CPH_DATA, "%s: holds no element", file);
    *out = b->m;
    return CPH_OK;
}

const cph_mets_md *cph_mets_md_of(const cph_mets *m, cph_str id)
{
    for (const cph_mets_md *d = m->mds; d; d = d->next)
        if (cph_str_eq(d->id, id)) return d;
    return NULL;
}
