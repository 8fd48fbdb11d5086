/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ranks.c - one run by many processes (engine 12): who computes which slots, who owns which part of
 * the optimizer (ZeRO-1), and what they tell each other.
 *
 * Every rank walks the order of data for itself, so that labels, cursor and trees are the same
 * everywhere without a word. Rank 0 alone writes. Of the optimizer's state nobody but the owner
 * holds a part; where the whole is read, it passes through rank 0 packet by packet.
 */
#include "train_in.h"

#include <colophon/base/interrupt.h>
#include <colophon/base/memory.h>
#include <colophon/tensor/op.h>

#include <stdio.h>
#include <string.h>

#define PASS_FLOATS 65536u /* of state that passes through rank 0 at a time */
#define CLAIM_MAX ((size_t)256 << 20)

bool cph_rank_writes(const cph_trainer *t) { return cph_comm_rank(t->o.comm) == 0; }

/* ---- do all mean the same run? ---- */

/* What all ranks have to agree on: the identity, and what makes them act together. */
static cph_status claim_of(const cph_trainer *t, cph_arena *a, cph_buf *text, cph_err *err)
{
    cph_json *run, *identity, *all;
    CPH_TRY(cph_train_identity(t, a, &identity, err));
    CPH_TRY(cph_json_new(&all, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_new(&run, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_set_str(run, a, "colophon", CPH_STR(CPH_VERSION), err));
    CPH_TRY(cph_json_set_str(run, a, "out", cph_str_of(t->o.out), err));
    CPH_TRY(cph_json_set_i64(run, a, "eval-every", t->o.eval_every, err));
    CPH_TRY(cph_json_set_i64(run, a, "save-every", t->o.save_every, err));
    CPH_TRY(cph_json_set(all, a, "run", run, err));
    CPH_TRY(cph_json_set(all, a, "identity", identity, err));
    return cph_json_canonical(text, all, err);
}

/* Where two canonical trees differ first, as "identity.options.lr"; false: nowhere. */
static bool difference(const cph_json *a, const cph_json *b, cph_buf *path, cph_str *is, cph_str *was)
{
    size_t at = path->n;
    bool inner = a && b && a->type == b->type && (a->type == CPH_JSON_OBJECT || a->type == CPH_JSON_ARRAY);
    if (!inner) {
        *is = a ? a->str : CPH_STR("absent");
        *was = b ? b->str : CPH_STR("absent");
        return !a || !b || a->type != b->type || !cph_str_eq(a->str, b->str);
    }
    const cph_json *x = a->first, *y = b->first;
    for (uint32_t i = 0; x || y; i++, x = x ? x->next : NULL, y = y ? y->next : NULL) {
        cph_str key = x ? x->key : y->key;
        path->n = at;
        if (cph_buf_printf(path, NULL, "%s%.*s", at ? "." : "", CPH_FMT(key)) != CPH_OK) return true;
        if (x && y && !cph_str_eq(x->key, y->key)) {
            *is = x->key;
            *was = y->key;
            return true;
        }
        if (difference(x, y, path, is, was)) return true;
    }
    path->n = at;
    return false;
}

static cph_status compare_claims(cph_str text, cph_str theirs, cph_arena *a, cph_err *err)
{
    cph_json *mine, *first;
    cph_buf path;
    cph_str is = {0}, was = {0};
    CPH_TRY(cph_json_parse(&mine, a, text, "this rank", NULL, err));
    CPH_TRY(cph_json_parse(&first, a, theirs, "rank 0", NULL, err));
    cph_buf_init(&path, 1 << 16);
    cph_status s = CPH_OK;
    if (difference(mine, first, &path, &is, &was)) {
        cph_fail(err, CPH_USAGE, "it means another run than rank 0: %.*s is %.*s here and %.*s there",
                 CPH_FMT(cph_buf_view(&path)), CPH_FMT(is), CPH_FMT(was));
        s = cph_hint(err, "all ranks are started with the same options, program and files");
    }
    cph_buf_release(&path);
    return s;
}

static cph_status agree(const cph_trainer *t, cph_arena *a, cph_buf *text, cph_buf *theirs, cph_err *err)
{
    CPH_TRY(claim_of(t, a, text, err));
    uint64_t n = text->n;
    CPH_TRY(cph_comm_share(t->o.comm, 0, &n, sizeof n, err));
    CPH_TRY(cph_buf_reserve(theirs, (size_t)n, err));
    if (cph_rank_writes(t)) memcpy(theirs->p, text->p, (size_t)n);
    CPH_TRY(cph_comm_share(t->o.comm, 0, theirs->p, (size_t)n, err));
    if (n == text->n && memcmp(theirs->p, text->p, (size_t)n) == 0) return CPH_OK;
    return compare_claims(cph_buf_view(text), (cph_str){theirs->p, (size_t)n}, a, err);
}

cph_status cph_ranks_agree(const cph_trainer *t, cph_err *err)
{
    cph_arena a;
    cph_buf text, theirs;
    if (!t->o.comm) return CPH_OK;
    cph_arena_init(&a, CLAIM_MAX);
    cph_buf_init(&text, CLAIM_MAX);
    cph_buf_init(&theirs, CLAIM_MAX);
    cph_status s = agree(t, &a, &text, &theirs, err);
    cph_buf_release(&theirs);
    cph_buf_release(&text);
    cph_arena_release(&a);
    /* Nobody goes on before all have agreed. */
    return s == CPH_OK ? cph_comm_barrier(t->o.comm, err) : s;
}

/* ---- shares ---- */

cph_order_step cph_order_step_of(const cph_trainer *t)
{
    return (cph_order_step){t->o.batch, t->o.accumulate, t->o.slots};
}

cph_status cph_ranks_cut(cph_trainer *t, cph_err *err)
{
    cph_optimizer_opts how = cph_train_optimizer(&t->o);
    cph_order_step step = cph_order_step_of(t);
    cph_ranks *r = &t->ranks;
    unsigned n = cph_comm_size(t->o.comm), rank = cph_comm_rank(t->o.comm);
    if (n & (n - 1) || n > t->o.slots) {
        cph_fail(err, CPH_USAGE, "%u ranks cannot share %u slots: their number is a power of two and divides the slots",
                 n, t->o.slots);
        return cph_hint(err, "--slots 2, 4, 8 ... is a choice of the model, not of the run: its digest depends on it");
    }
    r->slot_first = rank * (t->o.slots / n);
    r->slot_end = (rank + 1) * (t->o.slots / n);
    r->micro_first = cph_order_slot_first(&step, r->slot_first);
    r->micro_end = cph_order_slot_first(&step, r->slot_end);
    r->shard = cph_shard_of(t->model, &how, rank, n);
    return CPH_OK;
}

/* Gradient buffers that the tree over this rank's slots needs beside the first one. */
static unsigned n_extra(const cph_trainer *t)
{
    unsigned n = 0;
    while (2u << n <= t->ranks.slot_end - t->ranks.slot_first) n++;
    return n;
}

uint64_t cph_ranks_need(const cph_trainer *t)
{
    return n_extra(t) * cph_model_flat_len(t->model) * sizeof(float);
}

/* Every parameter, cut where the shards are cut. */
static size_t cut_spans(const cph_trainer *t, cph_span *out)
{
    cph_optimizer_opts how = cph_train_optimizer(&t->o);
    unsigned n_ranks = cph_comm_size(t->o.comm);
    size_t n = 0;
    for (uint32_t i = 0; i < cph_model_n_params(t->model); i++) {
        const cph_param *p = cph_model_param(t->model, i);
        for (unsigned k = 0; p->trainable && k < n_ranks; k++) {
            cph_shard s = cph_shard_of(t->model, &how, k, n_ranks);
            uint64_t first = s.first > p->offset ? s.first : p->offset;
            uint64_t end = s.end < p->offset + p->n ? s.end : p->offset + p->n;
            if (first >= end) continue;
            if (out) out[n] = (cph_span){first, end - first, k, i};
            n++;
        }
    }
    return n;
}

/* Where each rank's part of what is told after each step begins (bytes): stop, losses, sums of squares. */
static void cut_facts(const cph_trainer *t, size_t *from)
{
    cph_optimizer_opts how = cph_train_optimizer(&t->o);
    cph_order_step step = cph_order_step_of(t);
    unsigned n = cph_comm_size(t->o.comm), slots = t->o.slots / n;
    from[0] = 0;
    for (unsigned k = 0; k < n; k++) {
        cph_shard s = cph_shard_of(t->model, &how, k, n);
        uint32_t micro = cph_order_slot_first(&step, (k + 1) * slots) - cph_order_slot_first(&step, k * slots);
        from[k + 1] = from[k] + (size_t)(1 + micro + (s.block_end - s.block_first)) * sizeof(double);
    }
}

static cph_status open_sum(cph_trainer *t, cph_err *err)
{
    cph_ranks *r = &t->ranks;
    unsigned n = cph_comm_size(t->o.comm);
    size_t n_spans = cut_spans(t, NULL);
    void *mem;
    CPH_TRY(cph_alloc_n(&mem, n_spans, sizeof *r->spans, err));
    r->spans = mem;
    cut_spans(t, r->spans);
    CPH_TRY(cph_alloc_n(&mem, n + 1, sizeof *r->from, err));
    r->from = mem;
    cut_facts(t, r->from);
    CPH_TRY(cph_alloc0(&mem, r->from[n], err));
    r->facts = mem;
    return cph_sum_open(&r->sum, t->o.comm, (cph_layout){r->spans, n_spans}, err);
}

cph_status cph_ranks_open(cph_trainer *t, cph_err *err)
{
    cph_ranks *r = &t->ranks;
    void *mem;
    for (unsigned i = 0; i < n_extra(t); i++) {
        CPH_TRY(cph_alloc0(&mem, cph_model_flat_len(t->model) * sizeof(float), err));
        r->extra[i] = mem;
    }
    CPH_TRY(cph_alloc0(&mem, t->o.accumulate * sizeof *r->losses, err));
    r->losses = mem;
    CPH_TRY(cph_alloc0(&mem, cph_model_n_params(t->model) * sizeof *r->is_final, err));
    r->is_final = mem;
    return open_sum(t, err);
}

void cph_ranks_close(cph_trainer *t)
{
    cph_ranks *r = &t->ranks;
    cph_sum_close(r->sum);
    for (unsigned i = 0; i < CPH_MAX_LEVELS; i++) cph_free(r->extra[i]);
    cph_free(r->losses);
    cph_free(r->is_final);
    cph_free(r->spans);
    cph_free(r->from);
    cph_free(r->facts);
}

/* ---- after each step ---- */

static double *part_of(const cph_ranks *r, unsigned rank) { return r->facts + r->from[rank] / sizeof(double); }

static void put_facts(cph_trainer *t, const double *sums)
{
    const cph_ranks *r = &t->ranks;
    double *p = part_of(r, cph_comm_rank(t->o.comm));
    *p++ = cph_interrupted();
    for (uint32_t i = r->micro_first; i < r->micro_end; i++) *p++ = r->losses[i];
    memcpy(p, sums + r->shard.block_first, (size_t)(r->shard.block_end - r->shard.block_first) * sizeof *p);
}

static void get_facts(cph_trainer *t, double *sums)
{
    cph_optimizer_opts how = cph_train_optimizer(&t->o);
    cph_order_step step = cph_order_step_of(t);
    unsigned n = cph_comm_size(t->o.comm), slots = t->o.slots / n;
    for (unsigned k = 0; k < n; k++) {
        const double *p = part_of(&t->ranks, k);
        cph_shard s = cph_shard_of(t->model, &how, k, n);
        if (*p++ > 0) t->ranks.stop = true;
        uint32_t end = cph_order_slot_first(&step, (k + 1) * slots);
        for (uint32_t i = cph_order_slot_first(&step, k * slots); i < end; i++) t->ranks.losses[i] = *p++;
        memcpy(sums + s.block_first, p, (size_t)(s.block_end - s.block_first) * sizeof *p);
    }
}

cph_status cph_ranks_exchange(cph_trainer *t, double *sums, cph_err *err)
{
    if (!t->o.comm) return CPH_OK;
    put_facts(t, sums);
    CPH_TRY(cph_comm_gather(t->o.comm, t->ranks.facts, t->ranks.from, err));
    get_facts(t, sums);
    return CPH_OK;
}

cph_status cph_ranks_weights(cph_trainer *t, cph_err *err)
{
    CPH_TRY(cph_sum_share(t->ranks.sum, cph_model_weights(t->model), err));
    cph_model_weights_changed(t->model);
    return CPH_OK;
}

bool cph_ranks_stop(const cph_trainer *t) { return t->o.comm ? t->ranks.stop : cph_interrupted(); }

/* ---- the optimizer's state as a whole, at rank 0 ---- */

typedef struct asked {
    uint64_t n_here; /* elements that the rank that answers holds */
} asked;

#define NO_MORE UINT64_MAX

static cph_status ask(const cph_trainer *t, uint64_t state, cph_err *err)
{
    for (unsigned k = 1; k < cph_comm_size(t->o.comm); k++)
        CPH_TRY(cph_comm_send(t->o.comm, k, &state, sizeof state, err));
    return CPH_OK;
}

/* The part of one state that rank k holds passes through. Parts of ascending ranks follow each other. */
static cph_status pass_part(const cph_trainer *t, unsigned k, const cph_pass *to, float *packet, uint64_t *n,
                            cph_err *err)
{
    asked a;
    CPH_TRY(cph_comm_recv(t->o.comm, k, &a, sizeof a, err));
    for (uint64_t left = a.n_here; left;) {
        size_t now = left < PASS_FLOATS ? (size_t)left : PASS_FLOATS;
        CPH_TRY(cph_comm_recv(t->o.comm, k, packet, now * sizeof *packet, err));
        CPH_TRY(to->fn(to->ctx, packet, now, err));
        left -= now;
    }
    *n += a.n_here;
    return CPH_OK;
}

cph_status cph_ranks_pass(const cph_trainer *t, size_t i, const cph_pass *to, cph_err *err)
{
    cph_state s = cph_optimizer_state(t->optimizer, i);
    uint64_t n = s.n_here;
    void *packet;
    CPH_TRY(cph_alloc_n(&packet, PASS_FLOATS, sizeof(float), err));
    cph_status status = ask(t, i, err);
    if (status == CPH_OK && s.n_here) status = to->fn(to->ctx, s.here, (size_t)s.n_here, err);
    for (unsigned k = 1; status == CPH_OK && k < cph_comm_size(t->o.comm); k++)
        status = pass_part(t, k, to, packet, &n, err);
    cph_free(packet);
    if (status == CPH_OK && n != s.n)
        return cph_fail(err, CPH_BUG, "%s.%s: the ranks hold %llu of %llu elements", s.prefix, s.param->name,
                        (unsigned long long)n, (unsigned long long)s.n);
    return status;
}

cph_status cph_ranks_passed(const cph_trainer *t, cph_err *err) { return ask(t, NO_MORE, err); }

cph_status cph_ranks_answer(const cph_trainer *t, cph_err *err)
{
    for (;;) {
        uint64_t i;
        CPH_TRY(cph_comm_recv(t->o.comm, 0, &i, sizeof i, err));
        if (i == NO_MORE) return CPH_OK;
        cph_state s = cph_optimizer_state(t->optimizer, (size_t)i);
        asked a = {s.n_here};
        CPH_TRY(cph_comm_send(t->o.comm, 0, &a, sizeof a, err));
        for (uint64_t at = 0; at < s.n_here; at += PASS_FLOATS) {
            uint64_t left = s.n_here - at;
            CPH_TRY(cph_comm_send(t->o.comm, 0, s.here + at,
                                  (size_t)(left < PASS_FLOATS ? left : PASS_FLOATS) * sizeof(float), err));
        }
    }
}
