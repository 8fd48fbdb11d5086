/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_report.c - what verify found, for people and for programs.
 */
#include <colophon/workflow/verify.h>

#include <stdio.h>

static const char *const marks[] = {"ok", "DIFFERS", "-"};
static const char *const words[] = {"verified", "damaged", "absent"};

static cph_status head(cph_buf *b, const cph_verify_artefact *a, cph_err *err)
{
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(&a->digest, hex);
    static const cph_digest none;
    if (a->kind.n && cph_digest_cmp(&a->digest, &none) == 0)
        return cph_buf_printf(b, err, "%-10.*s %.*s\n", CPH_FMT(a->kind), CPH_FMT(a->path));
    if (!a->kind.n) return cph_buf_printf(b, err, "%.*s\n", CPH_FMT(a->path));
    return cph_buf_printf(b, err, "%-10.*s %.16s  %.*s\n", CPH_FMT(a->kind), hex, CPH_FMT(a->path));
}

static cph_status row(cph_buf *b, const cph_verify_row *r, cph_err *err)
{
    return cph_buf_printf(b, err, "  %-7s  %-17.*s %.*s\n", marks[r->grade], CPH_FMT(r->subject),
                          CPH_FMT(r->what));
}

/* The rows of one artefact; of damaged ones the first, unless all are wanted. */
static cph_status paragraph(cph_buf *b, const cph_verify_report *r, uint32_t i, bool all, cph_err *err)
{
    uint64_t n = 0;
    CPH_TRY(head(b, &r->artefacts[i], err));
    for (size_t k = 0; k < r->n_rows; k++) {
        const cph_verify_row *at = &r->rows[k];
        if (at->artefact != i) continue;
        if (at->grade == CPH_DAMAGED && n++ > 0 && !all) continue;
        CPH_TRY(row(b, at, err));
    }
    if (n > 1 && !all)
        CPH_TRY(cph_buf_printf(b, err, "  %-7s  %llu more differ; --list names them all\n", "",
                               (unsigned long long)(n - 1)));
    return CPH_OK;
}

/* A single false segment among M, of which N were drawn, was missed with this probability (artefacts 5). */
static double missed(const cph_replay_report *r)
{
    return (double)(r->n_segments - r->n_drawn) / (double)r->n_segments;
}

static cph_status replay_text(cph_buf *b, const cph_replay_report *r, cph_err *err)
{
    CPH_TRY(cph_buf_printf(b, err,
                           "\nreplay: %u of %u segments, drawn by seed %llu; one false segment would have "
                           "escaped with probability 1 - %u/%u = %.4g\n",
                           r->n_drawn, r->n_segments, (unsigned long long)r->seed, r->n_drawn, r->n_segments,
                           missed(r)));
    return cph_buf_z(b,
                     "A replay binds the works that were read to the weights. A Merkle proof (colophon prove) "
                     "binds them to the manifest alone.\n",
                     err);
}

cph_status cph_verify_text(cph_buf *b, const cph_verify_report *r, bool all, cph_err *err)
{
    char size[32];
    for (uint32_t i = 0; i < r->n_artefacts; i++) {
        if (i) CPH_TRY(cph_buf_char(b, '\n', err));
        CPH_TRY(paragraph(b, r, i, all, err));
    }
    cph_format_bytes(r->n_bytes, size);
    CPH_TRY(cph_buf_printf(b, err, "\n%u %s, %llu files, %s: ", r->n_artefacts,
                           r->n_artefacts == 1 ? "artefact" : "artefacts", (unsigned long long)r->n_files,
                           size));
    if (r->n_damaged)
        CPH_TRY(cph_buf_printf(b, err, "%llu %s\n", (unsigned long long)r->n_damaged,
                               r->n_damaged == 1 ? "thing differs" : "things differ"));
    else CPH_TRY(cph_buf_z(b, "everything that is here is as it was sealed\n", err));
    if (r->n_absent)
        CPH_TRY(cph_buf_printf(b, err, "%llu could not be checked here (marked -)\n",
                               (unsigned long long)r->n_absent));
    return r->replay ? replay_text(b, r->replay, err) : CPH_OK;
}

static void json_rows(cph_jw *w, const cph_verify_report *r, uint32_t artefact)
{
    cph_jw_key(w, "rows");
    cph_jw_arr(w);
    for (size_t i = 0; i < r->n_rows; i++) {
        const cph_verify_row *at = &r->rows[i];
        if (at->artefact != artefact) continue;
        cph_jw_obj(w);
        cph_jw_key(w, "grade");
        cph_jw_z(w, words[at->grade]);
        cph_jw_key(w, "subject");
        cph_jw_str(w, at->subject);
        cph_jw_key(w, "what");
        cph_jw_str(w, at->what);
        cph_jw_end(w);
    }
    cph_jw_end(w);
}

static void json_artefact(cph_jw *w, const cph_verify_report *r, uint32_t i)
{
    static const cph_digest none;
    const cph_verify_artefact *a = &r->artefacts[i];
    char hex[CPH_HEX_DIGEST];
    cph_digest_hex(&a->digest, hex);
    cph_jw_obj(w);
    cph_jw_key(w, "path");
    cph_jw_str(w, a->path);
    cph_jw_key(w, "kind");
    if (a->kind.n) cph_jw_str(w, a->kind);
    else cph_jw_null(w);
    cph_jw_key(w, "digest");
    if (a->kind.n && cph_digest_cmp(&a->digest, &none) != 0) cph_jw_z(w, hex);
    else cph_jw_null(w);
    cph_jw_key(w, "damaged");
    cph_jw_u64(w, a->n_damaged);
    json_rows(w, r, i);
    cph_jw_end(w);
}

static void put_u64(cph_jw *w, const char *key, uint64_t v)
{
    cph_jw_key(w, key);
    cph_jw_u64(w, v);
}

static void put_bool(cph_jw *w, const char *key, bool v)
{
    cph_jw_key(w, key);
    cph_jw_bool(w, v);
}

static void json_segment(cph_jw *w, const cph_replay_segment *s)
{
    cph_jw_obj(w);
    put_u64(w, "first_step", s->first_step);
    put_u64(w, "last_step", s->last_step);
    put_bool(w, "drawn", s->drawn);
    put_bool(w, "linked", s->linked);
    put_bool(w, "differs", s->differs);
    cph_jw_key(w, "what");
    cph_jw_str(w, s->what);
    cph_jw_end(w);
}

static void json_replay(cph_jw *w, const cph_replay_report *r)
{
    cph_jw_obj(w);
    cph_jw_key(w, "run");
    cph_jw_str(w, r->run);
    put_u64(w, "seed", r->seed);
    put_u64(w, "segments", r->n_segments);
    put_u64(w, "drawn", r->n_drawn);
    put_u64(w, "differ", r->n_differ);
    put_u64(w, "gaps", r->n_gaps);
    put_bool(w, "model_differs", r->model_differs);
    cph_jw_key(w, "escape_probability");
    cph_jw_double(w, missed(r));
    cph_jw_key(w, "list");
    cph_jw_arr(w);
    for (uint32_t i = 0; i < r->n_segments; i++) json_segment(w, &r->segments[i]);
    cph_jw_end(w);
    cph_jw_end(w);
}

cph_status cph_verify_json(cph_buf *b, const cph_verify_report *r, cph_err *err)
{
    cph_jw w = cph_jw_on(b);
    cph_jw_obj(&w);
    cph_jw_key(&w, "verified");
    cph_jw_bool(&w, r->n_damaged == 0);
    cph_jw_key(&w, "files");
    cph_jw_u64(&w, r->n_files);
    cph_jw_key(&w, "bytes");
    cph_jw_u64(&w, r->n_bytes);
    cph_jw_key(&w, "damaged");
    cph_jw_u64(&w, r->n_damaged);
    cph_jw_key(&w, "absent");
    cph_jw_u64(&w, r->n_absent);
    cph_jw_key(&w, "artefacts");
    cph_jw_arr(&w);
    for (uint32_t i = 0; i < r->n_artefacts; i++) json_artefact(&w, r, i);
    cph_jw_end(&w);
    if (r->replay) {
        cph_jw_key(&w, "replay");
        json_replay(&w, r->replay);
    }
    cph_jw_end(&w);
    CPH_TRY(cph_jw_done(&w, err));
    return cph_buf_char(b, '\n', err);
}
