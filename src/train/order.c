/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order.c - next-fit rows over a keyed permutation of the documents, fed in a keyed
 * permutation of the rows of a block.
 *
 * One walk serves feeding and auditing: it finds the pieces of a row from nothing but
 * the document table, and a row's arrays are filled from the pieces. So order_root can
 * be recomputed without a token being read.
 */
#include <colophon/base/memory.h>
#include <colophon/base/philox.h>
#include <colophon/train/order.h>

#include <assert.h>
#include <string.h>

typedef struct start { /* where a row begins in its epoch */
    uint64_t index;
    uint32_t offset;
} start;

struct cph_order {
    cph_order_opts opts;
    uint32_t *docs; /* rows of the document table, ascending */
    uint64_t n_docs, n_tokens;
    start *rows;    /* of the block that begins at `block`, whose last row is followed by `after` */
    uint32_t n_rows;
    cph_cursor block, after;
};

/* ---- which documents ---- */

bool cph_order_is_held_out(uint64_t seed, double held_out, const cph_digest *wkey)
{
    static const char domain[] = "colophon:held-out:v1";
    uint8_t key[8];
    uint64_t word = 0;
    cph_sha256 h;

    if (!(held_out > 0)) return false;
    if (held_out >= 1) return true;
    for (int i = 0; i < 8; i++) key[i] = (uint8_t)(seed >> (8 * i));
    cph_sha256_init(&h);
    cph_sha256_add(&h, domain, sizeof domain); /* its NUL is the separator */
    cph_sha256_add(&h, key, sizeof key);
    cph_sha256_add(&h, wkey->b, sizeof wkey->b);
    cph_digest d = cph_sha256_end(&h);
    for (int i = 0; i < 8; i++) word |= (uint64_t)d.b[i] << (8 * i);
    return word < (uint64_t)(held_out * 18446744073709551616.0);
}

/* Inputs of a document of n tokens: with EOS one stands in front, and the one behind is only predicted. */
static uint64_t n_inputs(const cph_order *o, uint32_t n_tokens)
{
    return (uint64_t)n_tokens + (o->opts.eos >= 0);
}

/* A document from which nothing can be learnt: empty, or one token with nothing around it. */
static bool is_idle(const cph_order *o, uint32_t n_tokens) { return n_inputs(o, n_tokens) < 2; }

static void choose(cph_order *o)
{
    const cph_tokens *t = o->opts.tokens;
    for (uint64_t i = 0; i < cph_tokens_n_docs(t); i++) {
        cph_token_doc d = cph_tokens_doc(t, i);
        bool held = cph_order_is_held_out(o->opts.seed, o->opts.held_out, &d.wkey);
        if (held != o->opts.read_held_out || is_idle(o, d.n_tokens)) continue;
        o->docs[o->n_docs++] = (uint32_t)i;
        o->n_tokens += d.n_tokens;
    }
}

cph_status cph_order_open(cph_order **out, const cph_order_opts *opts, cph_err *err)
{
    void *p, *docs, *rows = NULL;
    uint64_t n = cph_tokens_n_docs(opts->tokens);
    if (opts->T < 2) return cph_fail(err, CPH_USAGE, "a row must hold at least 2 tokens, not %u", opts->T);
    if (n > UINT32_MAX) return cph_fail(err, CPH_NOMEM, "the token set has %llu documents; the limit is 2^32",
                                        (unsigned long long)n);
    CPH_TRY(cph_alloc0(&p, sizeof(cph_order), err));
    cph_order *o = p;
    cph_status s = cph_alloc_n(&docs, (size_t)n, sizeof *o->docs, err);
    if (s == CPH_OK) {
        o->docs = docs;
        s = cph_alloc_n(&rows, CPH_ORDER_BLOCK, sizeof *o->rows, err);
    }
    if (s != CPH_OK) {
        cph_order_close(o);
        return s;
    }
    o->rows = rows;
    o->opts = *opts;
    choose(o);
    if (!o->n_docs && !opts->read_held_out) {
        cph_order_close(o);
        cph_fail(err, CPH_DATA,
                 "the token set gives nothing to train on: %llu documents, all empty or held out",
                 (unsigned long long)n);
        return cph_hint(err, "the share held out is %g", opts->held_out);
    }
    *out = o;
    return CPH_OK;
}

void cph_order_close(cph_order *o)
{
    if (!o) return;
    cph_free(o->docs);
    cph_free(o->rows);
    cph_free(o);
}

uint64_t cph_order_n_docs(const cph_order *o) { return o->n_docs; }
uint64_t cph_order_n_tokens(const cph_order *o) { return o->n_tokens; }

/* ---- rows ---- */

typedef struct span { /* a piece with its place in the row and in its document's sequence */
    cph_piece piece;
    uint32_t column, n_inputs, offset;
    bool ends; /* with the document's last input */
} span;

static uint64_t doc_at(const cph_order *o, const cph_cursor *c)
{
    if (o->opts.read_held_out) return o->docs[c->index];
    return o->docs[cph_permute(o->opts.seed, c->epoch, o->n_docs, c->index)];
}

static void pass_doc(const cph_order *o, cph_cursor *c)
{
    c->offset = 0;
    if (++c->index < o->n_docs || o->opts.read_held_out) return;
    c->index = 0;
    c->epoch++;
}

/* Tokens in the parts of the same document that stand before row i of the table. */
static uint64_t tokens_before(const cph_tokens *t, uint64_t i)
{
    cph_token_doc d = cph_tokens_doc(t, i);
    uint64_t n = 0;
    while (i > 0 && d.part > 1) {
        cph_token_doc before = cph_tokens_doc(t, --i);
        if (cph_digest_cmp(&before.dkey, &d.dkey) != 0) break;
        n += before.n_tokens;
    }
    return n;
}

/* The next piece of a row that has `column` inputs already; false when the row is full. */
static bool next_span(const cph_order *o, cph_cursor *c, uint32_t column, span *out)
{
    if (column == o->opts.T || c->index >= o->n_docs) return false;
    uint32_t room = o->opts.T - column, front = o->opts.eos >= 0;
    uint64_t doc = doc_at(o, c);
    uint32_t n_tokens = cph_tokens_doc(o->opts.tokens, doc).n_tokens;
    uint64_t all = n_inputs(o, n_tokens), left = all - c->offset;

    /* What fits into a row of its own is not cut; nor is one input cut off from the rest. */
    if (left > room && column > 0 && (all <= o->opts.T || room < 2)) return false;
    uint32_t take = left < room ? (uint32_t)left : room;
    uint32_t first = c->offset ? c->offset - front : 0;
    *out = (span){.piece = {.doc = doc,
                            .first = tokens_before(o->opts.tokens, doc) + first,
                            .n_tokens = take - (c->offset == 0 ? front : 0)},
                  .column = column, .n_inputs = take, .offset = c->offset, .ends = take == left};
    c->offset += take;
    if (out->ends) pass_doc(o, c);
    return true;
}

static void fill_span(const cph_order *o, const cph_row *row, const span *p, uint32_t segment)
{
    const cph_tokens *t = o->opts.tokens;
    bool eos = o->opts.eos >= 0;
    uint32_t *ids = row->ids + p->column;
    int32_t *labels = row->labels + p->column;
    uint32_t front = eos && p->offset == 0;
    uint32_t first = p->offset ? p->offset - eos : 0;

    if (front) ids[0] = (uint32_t)o->opts.eos;
    cph_tokens_copy(t, p->piece.doc, first, p->piece.n_tokens, ids + front);
    for (uint32_t j = 0; j + 1 < p->n_inputs; j++) labels[j] = (int32_t)ids[j + 1];
    int32_t last = eos ? (int32_t)o->opts.eos : CPH_LABEL_NONE;
    if (!p->ends) {
        uint32_t following;
        cph_tokens_copy(t, p->piece.doc, first + p->piece.n_tokens, 1, &following);
        last = (int32_t)following;
    }
    labels[p->n_inputs - 1] = last;
    for (uint32_t j = 0; j < p->n_inputs; j++) {
        row->segments[p->column + j] = segment;
        row->positions[p->column + j] = j;
    }
}

static void fill_padding(const cph_order *o, const cph_row *row, uint32_t column)
{
    for (uint32_t j = column; j < o->opts.T; j++) {
        row->ids[j] = o->opts.eos >= 0 ? (uint32_t)o->opts.eos : 0;
        row->labels[j] = CPH_LABEL_NONE;
        row->segments[j] = row->positions[j] = 0;
    }
}

/* The row that is filled from *c on; it ends with its epoch. */
static uint32_t fill_row(const cph_order *o, cph_cursor *c, const cph_row *row, cph_piece_fn each, void *ctx)
{
    uint32_t column = 0, n_labels = 0, segment = 0, epoch = c->epoch;
    span p;
    while (c->epoch == epoch && next_span(o, c, column, &p)) {
        if (row) fill_span(o, row, &p, ++segment);
        if (each) each(ctx, &p.piece);
        column += p.n_inputs;
        n_labels += p.n_inputs - (p.ends && o->opts.eos < 0);
    }
    if (row) fill_padding(o, row, column);
    return n_labels;
}

/* Finds where the rows of the block at *c begin, unless it is the one that is there. */
static void read_block(cph_order *o, const cph_cursor *c)
{
    cph_cursor at = {.epoch = c->epoch, .index = c->index, .offset = c->offset};
    if (o->n_rows && at.epoch == o->block.epoch && at.index == o->block.index && at.offset == o->block.offset) return;
    o->block = at;
    o->n_rows = 0;
    while (o->n_rows < CPH_ORDER_BLOCK && at.epoch == o->block.epoch) {
        o->rows[o->n_rows++] = (start){at.index, at.offset};
        fill_row(o, &at, NULL, NULL, NULL);
    }
    o->after = at;
}

#define ROWS_KEY 0x524F5753u /* parts this permutation from that of the documents */

uint32_t cph_order_row(cph_order *o, cph_cursor *c, const cph_row *row, cph_piece_fn each, void *ctx)
{
    if (o->opts.read_held_out) return fill_row(o, c, row, each, ctx);
    read_block(o, c);
    uint64_t key = o->opts.seed ^ ROWS_KEY ^ o->block.index << 32;
    start from = o->rows[cph_permute(key, c->epoch, o->n_rows, c->row)];
    cph_cursor at = {.epoch = c->epoch, .index = from.index, .offset = from.offset};
    uint32_t n_labels = fill_row(o, &at, row, each, ctx);
    if (++c->row == o->n_rows) *c = o->after;
    return n_labels;
}

/* ---- tree C ---- */

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i));
}

void cph_order_leaf_bytes(uint32_t step, uint32_t slot, uint32_t row, const cph_digest *dkey,
                          const cph_piece *piece, uint8_t out[CPH_ORDER_LEAF])
{
    out[0] = 0x01;
    put32(out + 1, step);
    put32(out + 5, slot);
    put32(out + 9, row);
    memcpy(out + 13, dkey->b, 32);
    put32(out + 45, (uint32_t)piece->first);
    put32(out + 49, (uint32_t)(piece->first >> 32));
    put32(out + 53, piece->n_tokens);
}

typedef struct leaf_sink {
    cph_merkle tree;
    const cph_tokens *tokens;
    uint32_t step, slot, row;
} leaf_sink;

static void add_leaf(void *ctx, const cph_piece *piece)
{
    leaf_sink *k = ctx;
    uint8_t leaf[CPH_ORDER_LEAF];
    cph_token_doc d = cph_tokens_doc(k->tokens, piece->doc);
    cph_order_leaf_bytes(k->step, k->slot, k->row, &d.dkey, piece, leaf);
    cph_merkle_add(&k->tree, leaf, sizeof leaf);
}

uint32_t cph_order_slot_first(const cph_order_step *s, uint32_t slot)
{
    return (uint32_t)((uint64_t)slot * s->accumulate / s->slots);
}

static void add_step(cph_order *o, cph_cursor *c, const cph_order_step *s, leaf_sink *k)
{
    for (k->slot = 0; k->slot < s->slots; k->slot++) {
        uint32_t rows = (cph_order_slot_first(s, k->slot + 1) - cph_order_slot_first(s, k->slot)) * s->batch;
        for (k->row = 0; k->row < rows; k->row++) cph_order_row(o, c, NULL, add_leaf, k);
    }
}

cph_status cph_order_root(cph_order *o, uint32_t steps, const cph_order_step *step, cph_digest *root,
                          uint64_t *n_leaves, cph_err *err)
{
    if (o->opts.read_held_out) return cph_fail(err, CPH_USAGE, "the held-out part has no order of feeding");
    leaf_sink k = {.tokens = o->opts.tokens};
    cph_cursor c = {0};
    cph_merkle_init(&k.tree);
    for (k.step = 1; k.step <= steps && k.step; k.step++) add_step(o, &c, step, &k);
    *root = cph_merkle_root(&k.tree);
    *n_leaves = k.tree.n;
    return CPH_OK;
}
