/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - one function per fused operation: it appends the record, makes the
 * tensors it writes, and says which pass touches what. Nothing is computed here.
 */
#include "record_in.h"

#include <colophon/base/memory.h>

#define FIELD RECORD_FIELD

static bool grow(cph_tape *t, void *array, size_t n, size_t *cap, size_t size)
{
    void **block = array;
    if (n < *cap) return true;
    size_t more = *cap ? 2 * *cap : 64;
    t->status = cph_realloc(block, more * size, &t->err);
    if (t->status == CPH_OK) *cap = more;
    return t->status == CPH_OK;
}

cph_op *cph_record_node(cph_tape *t, cph_op_kind kind)
{
    void *block = t->nodes;
    if (t->status != CPH_OK || !grow(t, &block, t->n_nodes, &t->cap_nodes, sizeof *t->nodes)) return NULL;
    t->nodes = block;
    cph_op *op = &t->nodes[t->n_nodes++];
    *op = (cph_op){.kind = kind, .dtype = t->o.dtype};
    return op;
}

static cph_tensor add_tensor(cph_tape *t, tape_kind kind, uint32_t rows, uint32_t width, uint32_t param)
{
    void *block = t->tensors;
    if (t->status != CPH_OK || !grow(t, &block, t->n_tensors, &t->cap_tensors, sizeof *t->tensors)) return 0;
    t->tensors = block;
    t->tensors[t->n_tensors] = (tape_tensor){.kind = kind, .n = (uint64_t)rows * width, .rows = rows,
                                             .width = width, .param = param, .first_grad = TAPE_NO_NODE};
    return (cph_tensor)t->n_tensors++;
}

cph_tensor cph_record_float(cph_tape *t, uint32_t rows, uint32_t width)
{
    return add_tensor(t, TAPE_ACTIVATION, rows, width, 0);
}

cph_tensor cph_record_typed(cph_tape *t, uint32_t rows, uint32_t width, cph_dtype type)
{
    cph_tensor x = cph_record_float(t, rows, width);
    if (x) t->tensors[x].type = type;
    return x;
}

static void add_use(cph_tape *t, tape_use u)
{
    void *block = t->uses;
    if (t->status != CPH_OK || u.tensor == 0 || (u.grad && !t->o.train)) return;
    if (!grow(t, &block, t->n_uses, &t->cap_uses, sizeof *t->uses)) return;
    t->uses = block;
    u.node = (uint32_t)t->n_nodes - 1;
    t->uses[t->n_uses++] = u;
}

void cph_record_use_at(cph_tape *t, uint32_t field, cph_tensor x, uint32_t shift, unsigned flags)
{
    add_use(t, (tape_use){.tensor = x, .field = field, .shift = shift, .flags = (uint8_t)flags});
}

void cph_record_use(cph_tape *t, uint32_t field, cph_tensor x, unsigned flags)
{
    cph_record_use_at(t, field, x, 0, flags);
}

void cph_record_reads_grad(cph_tape *t, uint32_t field, cph_tensor x, unsigned flags)
{
    add_use(t, (tape_use){.tensor = x, .field = field, .flags = (uint8_t)(flags | USE_B), .grad = true});
}

void cph_record_makes_grad_at(cph_tape *t, uint32_t field, uint32_t adds, cph_tensor x, uint32_t shift)
{
    unsigned when = t->status == CPH_OK && t->nodes[t->n_nodes - 1].kind == CPH_OP_loss ? USE_F : USE_B;
    add_use(t, (tape_use){.tensor = x, .field = field, .shift = shift, .adds = adds,
                          .flags = (uint8_t)(when | USE_MAKES_GRAD), .grad = true});
}

void cph_record_makes_grad(cph_tape *t, uint32_t field, uint32_t adds, cph_tensor x)
{
    cph_record_makes_grad_at(t, field, adds, x, 0);
}

void cph_record_param(cph_tape *t, uint32_t value, uint32_t grad, uint32_t param)
{
    cph_tensor x = add_tensor(t, TAPE_PARAM, 0, 0, param);
    cph_record_use(t, value, x, 0);
    if (grad) add_use(t, (tape_use){.tensor = x, .field = grad, .grad = true});
}

void cph_record_packed(cph_tape *t, uint32_t field, uint32_t param)
{
    cph_record_use(t, field, add_tensor(t, TAPE_PACKED, 0, 0, param), 0);
}

void cph_record_scratch(cph_tape *t, uint32_t field, uint32_t rows, uint32_t width, unsigned flags)
{
    cph_record_use(t, field, cph_record_float(t, rows, width), flags);
}

void cph_record_workspace(cph_tape *t, uint32_t field, size_t bytes, unsigned flags)
{
    cph_tensor x = bytes ? cph_record_float(t, 1, 1) : 0;
    if (x) t->tensors[x].n = (bytes + sizeof(float) - 1) / sizeof(float);
    cph_record_use(t, field, x, flags);
}

void cph_record_fault(cph_tape *t, const char *what)
{
    if (t->status == CPH_OK) t->status = cph_fail(&t->err, CPH_BUG, "tape: node %zu: %s", t->n_nodes, what);
}

/* What only GEMMs and attention read: of the tape's type. */
static cph_tensor operand(cph_tape *t, uint32_t rows, uint32_t width)
{
    return cph_record_typed(t, rows, width, t->o.dtype);
}

static const cph_param *param_of(const cph_tape *t, uint32_t i) { return &t->params->items[i]; }

cph_tensor cph_tape_embedding(cph_tape *t, const cph_embedding *e)
{
    uint32_t width = param_of(t, e->tok)->dims[1];
    cph_op *op = cph_record_node(t, CPH_OP_embed);
    if (!op) return 0;
    op->u.embed = (cph_embed){.ids = e->ids, .positions = e->positions, .types = e->types, .rows = e->rows,
                              .width = width, .padding = e->padding, .has_padding = e->has_padding,
                              .scale = e->scale, .drop = e->drop};
    cph_tensor x = cph_record_float(t, e->rows, width);
    cph_record_param(t, FIELD(embed.tok), FIELD(embed.dtok), e->tok);
    if (e->pos != CPH_NO_PARAM) cph_record_param(t, FIELD(embed.pos), FIELD(embed.dpos), e->pos);
    if (e->typ != CPH_NO_PARAM) cph_record_param(t, FIELD(embed.typ), FIELD(embed.dtyp), e->typ);
    cph_record_use(t, FIELD(embed.x), x, USE_F);
    cph_record_reads_grad(t, FIELD(embed.dx), x, 0);
    return x;
}

cph_tensor cph_tape_embed(cph_tape *t, const uint32_t *ids, const uint32_t *positions, uint32_t rows,
                          uint32_t tok,
                          uint32_t pos, cph_drop drop)
{
    return cph_tape_embedding(t, &(cph_embedding){.tok = tok, .pos = pos, .typ = CPH_NO_PARAM, .ids = ids,
                                                  .positions = positions, .rows = rows, .drop = drop});
}

cph_normed cph_tape_norm_as(cph_tape *t, cph_tensor x, cph_tensor y, const cph_norm_opts *o)
{
    cph_op *op = cph_record_node(t, CPH_OP_norm);
    if (!op) return (cph_normed){0};
    uint32_t rows = t->tensors[x ? x : y].rows, width = t->tensors[x ? x : y].width;
    bool apart = o->stream && t->o.dtype != CPH_F32;
    if (x && t->tensors[x].type != CPH_F32) cph_record_fault(t, "norm: x is not of the residual stream");
    op->u.norm = (cph_norm){.rows = rows, .width = width, .eps = o->eps, .rms = o->rms, .drop = o->drop,
                            .h_drop = o->h_drop};
    cph_normed out = {.sum = y ? cph_record_float(t, rows, width) : x, .h = operand(t, rows, width)};
    out.stream = apart ? cph_record_float(t, rows, width) : out.h;
    cph_record_use(t, FIELD(norm.x), x, y ? USE_F : USE_F | USE_B);
    cph_record_use(t, FIELD(norm.y), y, USE_F);
    if (y) cph_record_use(t, FIELD(norm.sum), out.sum, USE_F | USE_B);
    cph_record_use(t, FIELD(norm.h), out.h, USE_F);
    if (apart) cph_record_use(t, FIELD(norm.stream), out.stream, USE_F);
    cph_record_param(t, FIELD(norm.gamma), FIELD(norm.dgamma), o->gamma);
    if (!o->rms) cph_record_param(t, FIELD(norm.beta), FIELD(norm.dbeta), o->beta);
    if (!o->rms) cph_record_scratch(t, FIELD(norm.mean), rows, 1, USE_F | USE_B);
    cph_record_scratch(t, FIELD(norm.rstd), rows, 1, USE_F | USE_B);
    if (t->o.train) cph_record_scratch(t, FIELD(norm.part), 2 * CPH_BLOCKS(rows), width, USE_B);
    cph_record_reads_grad(t, FIELD(norm.dh), out.h, USE_OPTIONAL);
    if (apart) cph_record_reads_grad(t, FIELD(norm.dstream), out.stream, USE_OPTIONAL);
    /* Without y, sum is x: what a later residual leaves in its gradient is added to. */
    if (y) cph_record_reads_grad(t, FIELD(norm.dsum), out.sum, USE_OPTIONAL);
    cph_record_makes_grad(t, FIELD(norm.dx), FIELD(norm.dx_adds), x);
    cph_record_makes_grad(t, FIELD(norm.dy), FIELD(norm.dy_adds), y);
    return out;
}

cph_normed cph_tape_norm(cph_tape *t, cph_tensor x, cph_tensor y, uint32_t gamma, uint32_t beta, double eps,
                         cph_drop drop)
{
    return cph_tape_norm_as(t, x, y, &(cph_norm_opts){.gamma = gamma, .beta = beta, .eps = eps,
                                                      .drop = drop});
}

/* Weights that are one product: the first, and those that lie behind it. */
typedef struct weights {
    const uint32_t *w, *b; /* b NULL: none */
    unsigned n;
} weights;

static uint32_t joined_rows(cph_tape *t, const uint32_t *params, unsigned n)
{
    uint32_t rows = param_of(t, params[0])->dims[0];
    for (unsigned i = 1; i < n; i++) {
        const cph_param *before = param_of(t, params[i - 1]), *p = param_of(t, params[i]);
        if (p->offset != before->offset + before->n || p->trainable != before->trainable ||
            (p->n_dims == 2 && p->dims[1] != before->dims[1]))
            cph_record_fault(t, "joined weights must lie side by side and be trained alike");
        rows += p->dims[0];
    }
    return rows;
}

/* The first is bound last: the record points at it, and the gradients of all count as written. */
static void joined_params(cph_tape *t, uint32_t value, uint32_t grad, const uint32_t *params, unsigned n)
{
    for (unsigned i = n; i-- > 0;) cph_record_param(t, value, grad, params[i]);
}

/* into 0: a tensor of its own; else the product is added to what it holds. */
static cph_tensor linear(cph_tape *t, cph_tensor x, weights p, const cph_linear *shape, cph_tensor into)
{
    cph_op *op = cph_record_node(t, CPH_OP_linear);
    if (!op) return 0;
    uint32_t rows = t->tensors[x].rows;
    uint32_t out = shape->out_in ? joined_rows(t, p.w, p.n) : param_of(t, p.w[0])->dims[1];
    if (t->tensors[x].type != t->o.dtype) cph_record_fault(t, "linear: x is not of the tape's type");
    op->u.linear = *shape;
    op->u.linear.rows = rows;
    op->u.linear.in = t->tensors[x].width;
    op->u.linear.out = out;
    op->u.linear.y_adds = into != 0;
    cph_linear record = op->u.linear;
    cph_tensor y = into ? into : shape->real_y ? cph_record_float(t, rows, out) : operand(t, rows, out);
    cph_record_use(t, FIELD(linear.x), x, USE_F | USE_B);
    joined_params(t, FIELD(linear.w), FIELD(linear.dw), p.w, p.n);
    cph_record_packed(t, FIELD(linear.packed), p.w[0]);
    cph_record_use(t, FIELD(linear.y), y, into ? USE_F | USE_GOES_ON : USE_F);
    if (p.b) joined_params(t, FIELD(linear.b), FIELD(linear.db), p.b, p.n);
    if (!t->o.train) return y;
    if (shape->act != CPH_ACT_NONE) cph_record_use(t, FIELD(linear.pre), operand(t, rows, out),
                                                   USE_F | USE_B);
    if (p.b) cph_record_scratch(t, FIELD(linear.part), CPH_BLOCKS(rows), out, USE_B);
    cph_record_workspace(t, FIELD(linear.pack), cph_linear_pack_bytes(t->o.backend, t->o.dtype, &record),
                         USE_B);
    cph_record_reads_grad(t, FIELD(linear.dy), y, 0);
    cph_record_makes_grad(t, FIELD(linear.dx), FIELD(linear.dx_adds), x);
    return y;
}

static weights one_weight(const uint32_t *w, const uint32_t *b)
{
    return (weights){w, *b == CPH_NO_PARAM ? NULL : b, 1};
}

cph_tensor cph_tape_linear(cph_tape *t, cph_tensor x, uint32_t w, uint32_t b, bool out_in, cph_act act)
{
    return linear(t, x, one_weight(&w, &b), &(cph_linear){.out_in = out_in, .act = act}, 0);
}

cph_tensor cph_tape_linear_joined(cph_tape *t, cph_tensor x, const uint32_t *w, const uint32_t *b, unsigned n)
{
    return linear(t, x, (weights){w, b, n}, &(cph_linear){.out_in = true}, 0);
}

cph_tensor cph_tape_logits_biased(cph_tape *t, cph_tensor x, uint32_t w, uint32_t b, bool out_in)
{
    return linear(t, x, one_weight(&w, &b), &(cph_linear){.out_in = out_in, .real_y = true}, 0);
}

cph_tensor cph_tape_logits(cph_tape *t, cph_tensor x, uint32_t w, bool out_in)
{
    return cph_tape_logits_biased(t, x, w, CPH_NO_PARAM, out_in);
}

/* The adapter comes first: the base goes on from it, so that bias and activation see the sum. */
cph_tensor cph_tape_lora_linear(cph_tape *t, cph_tensor x, uint32_t w, uint32_t b, bool out_in, cph_act act,
                                const cph_lora *lora)
{
    cph_tensor dropped = cph_tape_dropout(t, x, lora->drop);
    cph_tensor down = cph_tape_linear(t, dropped, lora->a, CPH_NO_PARAM, true, CPH_ACT_NONE);
    cph_tensor up = cph_tape_linear(t, cph_tape_scale(t, down, lora->scale), lora->b, CPH_NO_PARAM, true,
                                    CPH_ACT_NONE);
    return linear(t, x, one_weight(&w, &b), &(cph_linear){.out_in = out_in, .act = act}, up);
}

/* Rows of logits at a time: 512 rows, or fewer for a very wide vocabulary. */
static uint32_t loss_chunk(uint32_t rows, uint32_t vocab)
{
    uint32_t chunk = vocab > 131072 ? 128 : 512;
    return rows < chunk ? rows : chunk;
}

void cph_tape_loss_as(cph_tape *t, cph_tensor x, const cph_loss_opts *o, cph_tensor *losses,
                      cph_tensor *logits)
{
    cph_op *op = cph_record_node(t, CPH_OP_loss);
    if (!op) return;
    uint32_t rows = t->tensors[x].rows, vocab = param_of(t, o->w)->dims[0], chunk = loss_chunk(rows, vocab);
    if (t->tensors[x].type != t->o.dtype) cph_record_fault(t, "loss: x is not of the tape's type");
    op->u.loss = (cph_loss){.labels = o->labels, .inv_labels = o->inv_labels, .backward = t->o.train,
                            .rows = rows,
                            .in = t->tensors[x].width, .vocab = vocab, .chunk = chunk, .targets = o->targets,
                            .z_loss = o->z_loss};
    size_t workspace = t->o.train ? cph_loss_pack_bytes(t->o.backend, t->o.dtype, &op->u.loss) : 0;
    *losses = cph_record_float(t, rows, 1);
    *logits = o->keep_logits ? cph_record_float(t, rows, vocab) : 0;
    cph_record_workspace(t, FIELD(loss.pack), workspace, USE_F);
    cph_record_use(t, FIELD(loss.x), x, USE_F);
    cph_record_param(t, FIELD(loss.w), FIELD(loss.dw), o->w);
    if (o->b != CPH_NO_PARAM) cph_record_param(t, FIELD(loss.b), FIELD(loss.db), o->b);
    cph_record_packed(t, FIELD(loss.packed), o->w);
    cph_record_scratch(t, FIELD(loss.logits), chunk, vocab, USE_F);
    cph_record_use(t, FIELD(loss.keep), *logits, USE_F);
    cph_record_use(t, FIELD(loss.losses), *losses, USE_F);
    /* The gradient of x is made in the forward pass, while the chunk of logits exists. */
    cph_record_makes_grad(t, FIELD(loss.dx), FIELD(loss.dx_adds), x);
    cph_tape_keep(t, *losses);
    cph_tape_keep(t, *logits);
}

void cph_tape_loss(cph_tape *t, cph_tensor x, uint32_t w, const int32_t *labels, const float *inv_labels,
                   bool keep_logits, cph_tensor *losses, cph_tensor *logits)
{
    cph_tape_loss_as(t, x, &(cph_loss_opts){.w = w, .b = CPH_NO_PARAM, .labels = labels,
                                            .inv_labels = inv_labels,
                                            .keep_logits = keep_logits}, losses, logits);
}
