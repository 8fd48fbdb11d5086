/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.c - gate G3: a sealed corpus, read one permitted document at a time.
 *
 * Opening checks the manifest and that frames.jsonl is the one it names; a frame
 * is checked when it is read: zstd's checksum, its size, its number of lines. There
 * is no way to a text that does not pass the policy and the revocations.
 */
#include <colophon/base/memory.h>

#include <stdio.h>
#include <string.h>

#include "reader_in.h"

#define INDEX_LINE ((size_t)1 << 16)
#define FRAME_MAX ((size_t)1 << 31)

/* ---- opening ---- */

static cph_status sealed_policy(cph_corpus *c, cph_err *err)
{
    const cph_json *identity = cph_manifest_identity(c->manifest);
    const cph_json *policy = cph_json_get(identity, "policy");
    if (!policy) return cph_fail(err, CPH_DATA, "%s: its manifest has no policy", c->path);
    cph_policy_init(&c->policy);
    if (cph_policy_parse(&c->policy, policy, err) != CPH_OK)
        return cph_err_prefix(err, "%s: identity.policy", c->path);
    if (!cph_day_parse(cph_json_get_str(identity, "as_of"), &c->policy.as_of))
        return cph_fail(err, CPH_DATA, "%s: its manifest has no as_of", c->path);
    return CPH_OK;
}

/* frames.jsonl decides where records are looked for, so it has to be the sealed one. */
static cph_status check_index(const cph_corpus *c, const char *path, cph_err *err)
{
    cph_digest d;
    uint64_t n;
    CPH_TRY(cph_file_digest(path, &d, &n, err));
    for (size_t i = 0; i < cph_manifest_n_files(c->manifest); i++) {
        cph_manifest_file f = cph_manifest_file_at(c->manifest, i);
        if (!cph_str_is(f.path, "frames.jsonl")) continue;
        if (f.bytes == n && cph_digest_cmp(&f.sha256, &d) == 0) return CPH_OK;
        cph_fail(err, CPH_DATA, "%s: differs from what was sealed", path);
        return cph_hint(err, "the corpus was changed after sealing; restore it, or: colophon verify %s",
                        c->path);
    }
    return cph_fail(err, CPH_DATA, "%s: the manifest does not name frames.jsonl", c->path);
}

static cph_status open_shard(cph_corpus *c, uint32_t i, cph_err *err)
{
    char name[64], path[CPH_PATH_MAX];
    corpus_shard *s = &c->shards[i];
    snprintf(s->name, sizeof s->name, "shard-%05u", i);
    snprintf(name, sizeof name, "%s.jsonl.zst", s->name);
    CPH_TRY(cph_path_join(path, c->path, name, err));
    CPH_TRY(cph_zread_open(&s->records, path, err));
    snprintf(name, sizeof name, "%s.prov.jsonl.zst", s->name);
    CPH_TRY(cph_path_join(path, c->path, name, err));
    CPH_TRY(cph_zread_open(&s->provs, path, err));
    if (cph_zread_n_frames(s->records) == cph_zread_n_frames(s->provs)) return CPH_OK;
    return cph_fail(err, CPH_DATA, "%s: %s: %zu frames of records, %zu of the side-car", c->path, s->name,
                    cph_zread_n_frames(s->records), cph_zread_n_frames(s->provs));
}

static cph_status grow_shards(cph_corpus *c, uint32_t shard, cph_err *err)
{
    if (shard < c->n_shards) return CPH_OK;
    if (shard != c->n_shards)
        return cph_fail(err, CPH_DATA, "%s: frames.jsonl leaves out shard %u", c->path, c->n_shards);
    void *p = c->shards;
    CPH_TRY(cph_realloc(&p, (shard + (size_t)1) * sizeof *c->shards, err));
    c->shards = p;
    c->shards[shard] = (corpus_shard){0};
    c->n_shards = shard + 1;
    return open_shard(c, shard, err);
}

static cph_status add_frame(cph_corpus *c, const cph_json *v, size_t *cap, cph_err *err)
{
    uint64_t shard, records, offset, bytes, raw;
    if (!cph_json_u64(cph_json_get(v, "shard"), &shard) ||
        !cph_json_u64(cph_json_get(v, "records"), &records) ||
        !cph_json_u64(cph_json_get(v, "offset"), &offset) ||
        !cph_json_u64(cph_json_get(v, "bytes"), &bytes) ||
        !cph_json_u64(cph_json_get(v, "raw_bytes"), &raw) || shard > UINT32_MAX || records > UINT32_MAX)
        return cph_fail(err, CPH_DATA, "a frame's line lacks a number");
    CPH_TRY(grow_shards(c, (uint32_t)shard, err));
    if (c->n_frames == *cap) {
        void *p = c->frames;
        CPH_TRY(cph_realloc(&p, (*cap * 2 + 64) * sizeof *c->frames, err));
        c->frames = p;
        *cap = *cap * 2 + 64;
    }
    corpus_frame *f = &c->frames[c->n_frames];
    const corpus_frame *last = c->n_frames ? f - 1 : NULL;
    *f = (corpus_frame){.shard = (uint32_t)shard, .records = (uint32_t)records, .first = c->n_records};
    f->in_shard = last && last->shard == f->shard ? last->in_shard + 1 : 0;
    if (f->in_shard >= cph_zread_n_frames(c->shards[shard].records))
        return cph_fail(err, CPH_DATA, "shard %llu has fewer frames", (unsigned long long)shard);
    cph_zframe z = cph_zread_frame_at(c->shards[shard].records, f->in_shard);
    if (z.offset != offset || z.bytes != bytes || z.raw_bytes != raw)
        return cph_fail(err, CPH_DATA, "%s: frame %u stands elsewhere or has another size",
                        c->shards[shard].name, f->in_shard);
    CPH_TRY(cph_arena_str(&c->texts, &f->first_id, cph_json_get_str(v, "first_id"), err));
    CPH_TRY(cph_arena_str(&c->texts, &f->object, cph_json_get_str(v, "object"), err));
    c->n_frames++;
    c->n_records += records;
    return CPH_OK;
}

static cph_status read_index(cph_corpus *c, cph_lines *l, cph_arena *a, cph_err *err)
{
    cph_str line;
    cph_status s;
    size_t cap = 0;
    for (uint64_t n = 1; (s = cph_lines_next(l, &line, err)) == CPH_OK; n++) {
        cph_json *v;
        cph_arena_reset(a);
        s = cph_json_parse(&v, a, line, "frames.jsonl", NULL, err);
        if (s == CPH_OK) s = add_frame(c, v, &cap, err);
        if (s != CPH_OK)
            return cph_err_prefix(err, "%s: frames.jsonl: line %llu", c->path, (unsigned long long)n);
    }
    return s == CPH_END ? CPH_OK : s;
}

static cph_status open_index(cph_corpus *c, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_lines *l;
    cph_arena a;
    uint64_t sealed;
    CPH_TRY(cph_path_join(path, c->path, "frames.jsonl", err));
    CPH_TRY(check_index(c, path, err));
    CPH_TRY(cph_lines_open(&l, path, INDEX_LINE, err));
    cph_arena_init(&a, (size_t)16 << 20);
    cph_status s = read_index(c, l, &a, err);
    cph_arena_release(&a);
    cph_lines_close(l);
    CPH_TRY(s);
    if (!cph_manifest_count(c->manifest, "records", &sealed) || sealed != c->n_records)
        return cph_fail(err, CPH_DATA, "%s: frames.jsonl counts %llu records, the manifest another number",
                        c->path, (unsigned long long)c->n_records);
    return CPH_OK;
}

cph_status cph_corpus_open(cph_corpus **out, const char *path, cph_err *err)
{
    void *mem;
    size_t n = strlen(path);
    if (n >= CPH_PATH_MAX) return cph_fail(err, CPH_USAGE, "%.200s...: the path is too long", path);
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_corpus), err));
    cph_corpus *c = mem;
    memcpy(c->path, path, n + 1);
    cph_arena_init(&c->texts, (size_t)1 << 30);
    cph_status s = cph_manifest_want(&c->manifest, path, "corpus", err);
    if (s == CPH_OK) s = sealed_policy(c, err);
    if (s == CPH_OK) s = open_index(c, err);
    if (s != CPH_OK) {
        cph_corpus_close(c);
        return s;
    }
    *out = c;
    return CPH_OK;
}

void cph_corpus_close(cph_corpus *c)
{
    if (!c) return;
    for (uint32_t i = 0; i < c->n_shards; i++) {
        cph_zread_close(c->shards[i].records);
        cph_zread_close(c->shards[i].provs);
    }
    cph_free(c->shards);
    cph_free(c->frames);
    cph_manifest_close(c->manifest);
    cph_arena_release(&c->texts);
    cph_free(c);
}

const cph_manifest *cph_corpus_manifest(const cph_corpus *c) { return c->manifest; }
cph_policy cph_corpus_policy(const cph_corpus *c) { return c->policy; }
uint64_t cph_corpus_n_records(const cph_corpus *c) { return c->n_records; }

/* ---- the gate ---- */

static cph_status check_policy(const cph_corpus *c, const cph_policy *asked, cph_err *err)
{
    const cph_policy *p = &c->policy;
    if (cph_policy_covers(p, asked)) return CPH_OK;
    cph_fail(err, CPH_RIGHTS,
             "%s: was sealed for %s (tier %s, actor %s, forum %s); asked for %s (tier %s, actor %s, forum "
             "%s) (gate G3, RR-150)",
             c->path, cph_purpose_text(p->purpose), cph_tier_text(p->tier), cph_actor_text(p->actor),
             p->forum, cph_purpose_text(asked->purpose), cph_tier_text(asked->tier),
             cph_actor_text(asked->actor), asked->forum);
    return cph_hint(err, "build a corpus for that: colophon build COLLECTION --for %s",
                    cph_purpose_text(asked->purpose));
}

/* n * i / parts without overflow. */
static uint64_t first_of_part(uint64_t n, uint64_t i, uint64_t parts)
{
    return n / parts * i + n % parts * i / parts;
}

cph_status cph_reader_open(cph_reader **out, const cph_corpus *c, const cph_policy *policy, cph_part part,
                           const char *revocations, bool no_revocations, cph_err *err)
{
    void *mem;
    if (part.n == 0 || part.i >= part.n)
        return cph_fail(err, CPH_USAGE, "there is no part %u of %u", part.i, part.n);
    if (!revocations && !no_revocations) {
        cph_fail(err, CPH_USAGE,
                 "%s: a reader wants the list of revocations, or to be told that there is none", c->path);
        return cph_hint(err, "--revocations FILE, or --no-revocations, which the result records");
    }
    CPH_TRY(check_policy(c, policy, err));
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_reader), err));
    cph_reader *r = mem;
    r->c = c;
    r->frame = SIZE_MAX;
    r->next = first_of_part(c->n_records, part.i, part.n);
    r->end = first_of_part(c->n_records, part.i + (uint64_t)1, part.n);
    cph_buf_init(&r->records, FRAME_MAX);
    cph_buf_init(&r->provs, FRAME_MAX);
    cph_arena_init(&r->a, FRAME_MAX);
    cph_status s =
        revocations ? cph_revocations_read(&r->revoked, revocations, policy->purpose, err) : CPH_OK;
    if (s != CPH_OK) {
        cph_reader_close(r);
        return s;
    }
    *out = r;
    return CPH_OK;
}

void cph_reader_close(cph_reader *r)
{
    if (!r) return;
    cph_revocations_release(&r->revoked);
    cph_buf_release(&r->records);
    cph_buf_release(&r->provs);
    cph_arena_release(&r->a);
    cph_free(r->lines);
    cph_free(r);
}

uint64_t cph_reader_n_revoked(const cph_reader *r) { return r->n_revoked; }

/* ---- frames ---- */

static cph_status cut_lines(cph_reader *r, const cph_buf *b, uint32_t n, unsigned which, cph_err *err)
{
    const char *p = b->p, *end = b->p + b->n;
    for (uint32_t i = 0; i < n; i++) {
        const char *lf = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        if (!lf) return cph_fail(err, CPH_DATA, "fewer lines than frames.jsonl says");
        r->lines[2 * i + which] = p;
        p = lf + 1;
    }
    r->lines[2 * n + which] = p;
    return p == end ? CPH_OK : cph_fail(err, CPH_DATA, "more lines than frames.jsonl says");
}

static cph_status load(cph_reader *r, const corpus_frame *f, cph_err *err)
{
    const corpus_shard *s = &r->c->shards[f->shard];
    if (f->records + (size_t)1 > r->lines_cap) {
        void *p = r->lines;
        CPH_TRY(cph_realloc(&p, 2 * (f->records + (size_t)1) * sizeof *r->lines, err));
        r->lines = p;
        r->lines_cap = f->records + (size_t)1;
    }
    CPH_TRY(cph_zread_frame(s->records, f->in_shard, &r->records, err));
    CPH_TRY(cut_lines(r, &r->records, f->records, 0, err));
    CPH_TRY(cph_zread_frame(s->provs, f->in_shard, &r->provs, err));
    return cut_lines(r, &r->provs, f->records, 1, err);
}

cph_status cph_reader_load(cph_reader *r, size_t frame, cph_err *err)
{
    const corpus_frame *f = &r->c->frames[frame];
    if (r->frame == frame) return CPH_OK;
    r->frame = SIZE_MAX;
    cph_status s = load(r, f, err);
    if (s != CPH_OK) {
        cph_err_prefix(err, "%s: %s, frame %u", r->c->path, r->c->shards[f->shard].name, f->in_shard);
        if (s == CPH_DATA)
            cph_hint(err, "the shard was changed after sealing; restore it, or: colophon verify %s",
                     r->c->path);
        return s;
    }
    r->frame = frame;
    return CPH_OK;
}

/* ---- documents ---- */

static cph_status work_keys(cph_reader *r, const cph_json *list, cph_doc *d, cph_err *err)
{
    void *mem;
    if (!list || list->type != CPH_JSON_ARRAY || !list->n)
        return cph_fail(err, CPH_DATA, "the side-car names no work");
    CPH_TRY(cph_arena_alloc(&r->a, &mem, list->n * sizeof(cph_digest), err));
    cph_digest *keys = mem;
    for (const cph_json *v = list->first; v; v = v->next)
        if (!cph_digest_parse(v->str, &keys[d->n_works++]))
            return cph_fail(err, CPH_DATA, "the side-car's wkeys are no digests");
    d->wkeys = keys;
    return CPH_OK;
}

static uint32_t part_of(cph_str id)
{
    uint64_t n = 0;
    size_t at = id.n;
    while (at > 0 && id.p[at - 1] >= '0' && id.p[at - 1] <= '9') at--;
    if (at < 5 || at == id.n || memcmp(id.p + at - 5, "#part", 5) != 0) return 0;
    return cph_str_u64(cph_str_sub(id, at, id.n), &n) && n <= UINT32_MAX ? (uint32_t)n : 0;
}

static cph_status parse(cph_reader *r, cph_str record, cph_doc *d, cph_err *err)
{
    cph_json *v, *p;
    CPH_TRY(cph_json_parse(&v, &r->a, record, "record", NULL, err));
    CPH_TRY(cph_json_parse(&p, &r->a, d->prov, "side-car", NULL, err));
    d->id = cph_json_get_str(v, "id");
    d->text = cph_json_get_str(v, "text");
    d->lang = cph_json_get_str(v, "lang");
    d->type = cph_json_get_str(v, "type");
    d->date = cph_json_get_str(v, "date");
    d->rights = cph_json_get_str(v, "rights");
    d->basis = cph_json_get_str(p, "basis");
    d->source = cph_json_get_str(p, "source");
    d->part = part_of(d->id);
    if (!d->id.n || !cph_str_eq(d->id, cph_json_get_str(p, "id")))
        return cph_fail(err, CPH_DATA, "record and side-car are of different documents");
    if (!cph_digest_parse(cph_json_get_str(p, "dkey"), &d->dkey))
        return cph_fail(err, CPH_DATA, "the side-car has no dkey");
    return work_keys(r, cph_json_get(p, "wkeys"), d, err);
}

cph_status cph_reader_doc(cph_reader *r, uint32_t i, cph_doc *doc, cph_err *err)
{
    const corpus_frame *f = &r->c->frames[r->frame];
    const char **at = r->lines + 2 * (size_t)i;
    cph_str record = {at[0], (size_t)(at[2] - at[0]) - 1};
    cph_doc d = {.prov = {at[1], (size_t)(at[3] - at[1]) - 1}, .index = f->first + i};
    cph_arena_reset(&r->a);
    cph_status s = parse(r, record, &d, err);
    if (s != CPH_OK)
        return cph_err_prefix(err, "%s: %s, frame %u, record %u", r->c->path, r->c->shards[f->shard].name,
                              f->in_shard, i);
    *doc = d;
    return CPH_OK;
}

size_t cph_frame_of(const cph_corpus *c, uint64_t record)
{
    size_t low = 0, high = c->n_frames;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (c->frames[mid].first <= record) low = mid;
        else high = mid;
    }
    return low;
}

cph_status cph_reader_next(cph_reader *r, cph_doc *doc, cph_err *err)
{
    for (; r->next < r->end; r->next++) {
        cph_doc d;
        const corpus_frame *f = r->frame == SIZE_MAX ? NULL : &r->c->frames[r->frame];
        if (!f || r->next < f->first || r->next >= f->first + f->records)
            CPH_TRY(cph_reader_load(r, cph_frame_of(r->c, r->next), err));
        f = &r->c->frames[r->frame];
        CPH_TRY(cph_reader_doc(r, (uint32_t)(r->next - f->first), &d, err));
        if (cph_revocations_hit(&r->revoked, &d)) {
            r->n_revoked++;
            continue;
        }
        r->next++;
        *doc = d;
        return CPH_OK;
    }
    return CPH_END;
}
