/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show.c - what is at this path, and which view of it was asked for. Nothing is
 * verified here but the manifests' form: looking must be quick, `verify` is thorough.
 */
#include <colophon/base/zstream.h>

#include <stdio.h>
#include <string.h>

#include "show_in.h"

static bool holds(const char *dir, const char *name)
{
    char path[CPH_PATH_MAX];
    return cph_path_join(path, dir, name, NULL) == CPH_OK && cph_file_kind_of(path) == CPH_FILE_REGULAR;
}

cph_figure cph_figure_of(uint64_t n)
{
    cph_figure f;
    char z[24];
    int len = snprintf(z, sizeof z, "%llu", (unsigned long long)n), k = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) f.z[k++] = ' ';
        f.z[k++] = z[i];
    }
    f.z[k] = 0;
    return f;
}

cph_status cph_show_count(cph_buf *b, uint64_t n, const char *one, const char *many, cph_err *err)
{
    return cph_buf_printf(b, err, "%s %s", cph_figure_of(n).z, n == 1 ? one : many);
}

/* The value of "_table" stands early in each canonical row, and cannot stand unescaped in a string. */
static cph_str table_of(cph_str row)
{
    static const char mark[] = "\"_table\":\"";
    const char *at = memmem(row.p, row.n, mark, sizeof mark - 1);
    if (!at) return CPH_STR("");
    size_t from = (size_t)(at - row.p) + sizeof mark - 1, to = cph_str_find(row, '"', from);
    return to == SIZE_MAX ? CPH_STR("") : cph_str_sub(row, from, to - from);
}

cph_status cph_snapshot_rows(const cph_kin_place *at, cph_row_fn each, void *ctx, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_lines *l;
    cph_str row;
    CPH_TRY(cph_path_join(path, at->path, "rows.jsonl.zst", err));
    CPH_TRY(cph_lines_open(&l, path, CPH_LINE_MAX, err));
    cph_status s;
    while ((s = cph_lines_next(l, &row, err)) == CPH_OK &&
           (s = each(ctx, table_of(row), row, err)) == CPH_OK) {}
    cph_lines_close(l);
    return s == CPH_END ? CPH_OK : s;
}

static cph_status count_image(void *ctx, cph_str table, cph_str row, cph_err *err)
{
    static const char none[] = "\"image_file\":\"\"";
    uint64_t *n = ctx;
    (void)err;
    *n += cph_str_is(table, "page") && !memmem(row.p, row.n, none, sizeof none - 1);
    return CPH_OK;
}

cph_status cph_snapshot_images(const cph_kin_place *at, uint64_t *n, cph_err *err)
{
    *n = 0;
    return cph_snapshot_rows(at, count_image, n, err);
}

/* A model of somebody else: its content has a name, its making has none. */
static cph_status show_external(cph_buf *b, const cph_show_ask *ask, cph_err *err)
{
    char hex[CPH_HEX_DIGEST], path[CPH_PATH_MAX];
    cph_digest root;
    cph_arena a;
    cph_json *config;
    CPH_TRY(cph_content_root_of(ask->path, &root, err));
    CPH_TRY(cph_path_join(path, ask->path, "config.json", err));
    cph_arena_init(&a, (size_t)1 << 26);
    cph_status s = cph_json_read(&config, &a, path, (uint64_t)1 << 24, err);
    cph_digest_hex(&root, hex);
    if (s == CPH_OK && !ask->json)
        s = cph_buf_printf(b, err,
                           "external   %.16s  %s\n           %.*s model, colophon: null: nobody says what "
                           "it was made from\n",
                           hex, ask->path, CPH_FMT(cph_json_get_str(config, "model_type")));
    if (s == CPH_OK && ask->json) {
        cph_jw w = cph_jw_on(b);
        cph_jw_obj(&w);
        cph_jw_key(&w, "kind"), cph_jw_z(&w, "external");
        cph_jw_key(&w, "digest"), cph_jw_z(&w, hex);
        cph_jw_key(&w, "path"), cph_jw_z(&w, ask->path);
        cph_jw_key(&w, "model_type"), cph_jw_str(&w, cph_json_get_str(config, "model_type"));
        cph_jw_key(&w, "colophon"), cph_jw_null(&w);
        cph_jw_end(&w);
        s = cph_jw_done(&w, err);
        if (s == CPH_OK) s = cph_buf_char(b, '\n', err);
    }
    cph_arena_release(&a);
    return s;
}

static cph_status show_artefact(cph_buf *b, const cph_show_ask *ask, cph_arena *a, cph_kin *kin,
                                cph_err *err)
{
    cph_kin_place at;
    cph_show_node *root;
    CPH_TRY(cph_kin_wanted(kin, ask->path, &at, err));
    CPH_TRY(cph_show_tree(&root, a, kin, &at, err));
    if (ask->work.n) return cph_show_work(b, ask, a, kin, root, err);
    return ask->json ? cph_show_tree_json(b, root, err) : cph_show_tree_text(b, root, err);
}

cph_status cph_show(cph_buf *b, const cph_show_ask *ask, cph_err *err)
{
    cph_arena a;
    cph_kin *kin;
    size_t before = b->n;
    bool dir = cph_file_kind_of(ask->path) == CPH_FILE_DIR,
         sealed = dir && holds(ask->path, CPH_MANIFEST_NAME);
    if (dir && !sealed && holds(ask->path, "collection.db")) return cph_show_collection(b, ask, err);
    if (dir && !sealed && !ask->work.n && holds(ask->path, "config.json"))
        return show_external(b, ask, err);
    cph_arena_init(&a, 0);
    cph_status s = cph_kin_open(&kin, ask->parents, ask->n_parents, err);
    if (s == CPH_OK) {
        s = show_artefact(b, ask, &a, kin, err);
        cph_kin_close(kin);
    }
    cph_arena_release(&a);
    if (s != CPH_OK) b->n = before;
    return s;
}
