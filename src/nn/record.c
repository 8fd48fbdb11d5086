/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - one function per fused operation: it appends the record, makes the
 * tensors it writes, and says which pass touches what. Nothing is computed here.
 */
#include "tape_in.h"

#include <colophon/base/memory.h>

#include <stddef.h>

#define FIELD(member) ((uint32_t)offsetof(cph_op, u.member))

static bool grow(cph_tape *t, void *array, size_t n, size_t *cap, size_t size)
{
    void **block = array;
    if (n < *cap) return true;
    size_t more = *cap ? 2 * *cap : 64;
    t->status = cph_realloc(block, more * size, &t->err);
    if (t->status == CPH_OK) *cap = more;
    return t->status == CPH_OK;
}

static cph_op *add_node(cph_tape *t, cph_op_kind kind)
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
    t->tensors[t->n_tensors] = (tape_tensor){
        .kind = kind, .n = (uint64_t)rows * width, .rows = rows, .width = width, .param = param};
    return (cph_tensor)t->n_tensors++;
}

/* Floats: the residual stream, statistics, losses. */
static cph_tensor activation(cph_tape *t, uint32_t rows, uint32_t width)
{
    return add_tensor(t, TAPE_ACTIVATION, rows, width, 0);
}

/* What only GEMMs and attention read: of the tape's type. */
static cph_tensor operand(cph_tape *t, uint32_t rows, uint32_t width)
{
    cph_tensor x = activation(t, rows, width);
    if (x) t->tensors[x].type = t->o.dtype;
    return x;
}

static void use_at(cph_tape *t, uint32_t field, cph_tensor x, uint32_t shift, bool grad, unsigned flags)
{
    void *block = t->uses;
    if (t->status != CPH_OK || x == 0 || (grad && !t->o.train)) return;
    if (!grow(t, &block, t->n_uses, &t->cap_uses, sizeof *t->uses)) return;
    t->uses = block;
    t->uses[t->n_uses++] = (tape_use){(uint32_t)t->n_nodes - 1, x, field, shift, (uint8_t)flags, grad};
}

static void use(cph_tape *t, uint32_t field, cph_tensor x, unsigned flags)
{
    use_at(t, field, x, 0, false, flags);
}

static void use_grad(cph_tape *t, uint32_t field, cph_tensor x, unsigned flags)
{
    use_at(t, field, x, 0, true, flags);
}

static const cph_param *param_of(const cph_tape *t, uint32_t i) { return &t->params->items[i]; }

static void use_param(cph_tape *t, uint32_t value, uint32_t grad, uint32_t param)
{
    cph_tensor x = add_tensor(t, TAPE_PARAM, 0, 0, param);
    use(t, value, x, 0);
    if (grad) use_grad(t, grad, x, 0);
}

/* Scratch of one operation: alive in the passes named. */
static void use_scratch(cph_tape *t, uint32_t field, uint32_t rows, uint32_t width, unsigned flags)
{
    use(t, field, activation(t, rows, width), flags);
}

static void use_workspace(cph_tape *t, uint32_t field, size_t bytes, unsigned flags)
{
    cph_tensor x = bytes ? activation(t, 1, 1) : 0;
    if (x) t->tensors[x].n = (bytes + sizeof(float) - 1) / sizeof(float);
    use(t, field, x, flags);
}

cph_tensor cph_tape_embed(cph_tape *t, const uint32_t *ids, const uint32_t *positions, uint32_t rows,
                          uint32_t tok,
                          uint32_t pos, cph_drop drop)
{
    uint32_t width = param_of(t, tok)->dims[1];
    cph_op *op = add_node(t, CPH_OP_embed);
    if (!op) return 0;
    op->u.embed = (cph_embed){.ids = ids, .positions = positions, .rows = rows, .width = width, .drop = drop};
    cph_tensor x = activation(t, rows, width);
    use_param(t, FIELD(embed.tok), FIELD(embed.dtok), tok);
    use_param(t, FIELD(embed.pos), FIELD(embed.dpos), pos);
    use(t, FIELD(embed.x), x, USE_F);
    use_grad(t, FIELD(embed.dx), x, USE_B);
    return x;
}

cph_normed cph_tape_norm(cph_tape *t, cph_tensor x, cph_tensor y, uint32_t gamma, uint32_t beta, double eps,
                         cph_drop drop)
{
    cph_op *op = add_node(t, CPH_OP_norm);
    if (!op) return (cph_normed){0, 0};
    uint32_t rows = t->tensors[x].rows, width = t->tensors[x].width;
    op->u.norm = (cph_norm){.rows = rows, .width = width, .eps = eps, .drop = drop};
    cph_normed out = {y ? activation(t, rows, width) : x, operand(t, rows, width)};
    use(t, FIELD(norm.x), x, y ? USE_F : USE_F | USE_B);
    use(t, FIELD(norm.y), y, USE_F);
    if (y) use(t, FIELD(norm.sum), out.sum, USE_F | USE_B);
    use(t, FIELD(norm.h), out.h, USE_F);
    use_param(t, FIELD(norm.gamma), FIELD(norm.dgamma), gamma);
    use_param(t, FIELD(norm.beta), FIELD(norm.dbeta), beta);
    use_scratch(t, FIELD(norm.mean), rows, 1, USE_F | USE_B);
    use_scratch(t, FIELD(norm.rstd), rows, 1, USE_F | USE_B);
    if (t->o.train) use_scratch(t, FIELD(norm.part), 2 * CPH_BLOCKS(rows), width, USE_B);
    use_grad(t, FIELD(norm.dh), out.h, USE_B);
    /* Without y, sum is x: its gradient is read (if a later residual makes one) and written in place. */
    use_grad(t, FIELD(norm.dsum), out.sum, USE_B | USE_OPTIONAL);
    use_grad(t, FIELD(norm.dx), x, USE_B | USE_MAKES_GRAD);
    use_grad(t, FIELD(norm.dy), y, USE_B | USE_MAKES_GRAD);
    return out;
}

static cph_tensor linear(cph_tape *t, cph_tensor x, uint32_t w, uint32_t b, const cph_linear *shape)
{
    cph_op *op = add_node(t, CPH_OP_linear);
    if (!op) return 0;
    uint32_t rows = t->tensors[x].rows, out = param_of(t, w)->dims[shape->out_in ? 0 : 1];
    op->u.linear = *shape;
    op->u.linear.rows = rows;
    op->u.linear.in = t->tensors[x].width;
    op->u.linear.out = out;
    cph_linear record = op->u.linear;
    cph_tensor y = shape->real_y ? activation(t, rows, out) : operand(t, rows, out);
    use(t, FIELD(linear.x), x, USE_F | USE_B);
    use_param(t, FIELD(linear.w), FIELD(linear.dw), w);
    use(t, FIELD(linear.packed), add_tensor(t, TAPE_PACKED, 0, 0, w), 0);
    use(t, FIELD(linear.y), y, USE_F);
    if (b != CPH_NO_PARAM) use_param(t, FIELD(linear.b), FIELD(linear.db), b);
    if (!t->o.train) return y;
    if (shape->act != CPH_ACT_NONE) use(t, FIELD(linear.pre), operand(t, rows, out), USE_F | USE_B);
    if (b != CPH_NO_PARAM) use_scratch(t, FIELD(linear.part), CPH_BLOCKS(rows), out, USE_B);
    use_workspace(t, FIELD(linear.pack), cph_linear_pack_bytes(t->o.backend, t->o.dtype, &record), USE_B);
    use_grad(t, FIELD(linear.dy), y, USE_B);
    use_grad(t, FIELD(linear.dx), x, USE_B | USE_MAKES_GRAD);
    return y;
}

cph_tensor cph_tape_linear(cph_tape *t, cph_tensor x, uint32_t w, uint32_t b, bool out_in, cph_act act)
{
    return linear(t, x, w, b, &(cph_linear){.out_in = out_in, .act = act});
}

cph_tensor cph_tape_logits(cph_tape *t, cph_tensor x, uint32_t w, bool out_in)
{
    return linear(t, x, w, CPH_NO_PARAM, &(cph_linear){.out_in = out_in, .real_y = true});
}

static cph_tensor attention(cph_tape *t, cph_tensor qkv, const cph_attention *shape, bool cached)
{
    cph_op *op = add_node(t, CPH_OP_attention);
    if (!op) return 0;
    uint32_t q_width = shape->heads * shape->head_dim, kv_width = shape->kv_heads * shape->head_dim;
    uint32_t rows = t->tensors[qkv].rows, lse_rows = shape->batch * shape->heads;
    op->u.attention = *shape;
    op->u.attention.q_stride = q_width + 2 * kv_width;
    op->u.attention.kv_stride = cached ? kv_width : q_width + 2 * kv_width;
    op->u.attention.o_stride = q_width;
    cph_tensor o = operand(t, rows, q_width);
    use(t, FIELD(attention.q), qkv, USE_F | USE_B);
    use(t, FIELD(attention.o), o, USE_F | USE_B);
    if (cached) return o;
    use_at(t, FIELD(attention.k), qkv, q_width, false, USE_F | USE_B);
    use_at(t, FIELD(attention.v), qkv, q_width + kv_width, false, USE_F | USE_B);
    if (!t->o.train) return o;
    use_scratch(t, FIELD(attention.lse), lse_rows, shape->q_len, USE_F | USE_B);
    use_scratch(t, FIELD(attention.delta), lse_rows, shape->q_len, USE_B);
    use_grad(t, FIELD(attention.d_o), o, USE_B);
    use_grad(t, FIELD(attention.dq), qkv, USE_B | USE_MAKES_GRAD);
    use_at(t, FIELD(attention.dk), qkv, q_width, true, USE_B | USE_MAKES_GRAD);
    use_at(t, FIELD(attention.dv), qkv, q_width + kv_width, true, USE_B | USE_MAKES_GRAD);
    return o;
}

cph_tensor cph_tape_attention(cph_tape *t, cph_tensor qkv, const cph_attention *shape)
{
    return attention(t, qkv, shape, false);
}

cph_tensor cph_tape_cached_attention(cph_tape *t, cph_tensor qkv, const cph_attention *shape)
{
    uint32_t q_width = shape->heads * shape->head_dim, kv_width = shape->kv_heads * shape->head_dim;
    cph_op *op = add_node(t, CPH_OP_append);
    if (!op) return 0;
    op->u.append = (cph_append){
        .rows = t->tensors[qkv].rows, .width = kv_width, .kv_stride = q_width + 2 * kv_width};
    use_at(t, FIELD(append.k), qkv, q_width, false, USE_F);
    use_at(t, FIELD(append.v), qkv, q_width + kv_width, false, USE_F);
    return attention(t, qkv, shape, true);
}

/* Rows of logits at a time: 256 rows, or fewer for a very wide vocabulary. */
static uint32_t loss_chunk(uint32_t rows, uint32_t vocab)
{
    uint32_t chunk = vocab > 131072 ? 128 : 256;
    return rows < chunk ? rows : chunk;
}

void cph_tape_loss(cph_tape *t, cph_tensor x, uint32_t w, const int32_t *labels, const float *inv_labels,
                   bool keep_logits, cph_tensor *losses, cph_tensor *logits)
{
    cph_op *op = add_node(t, CPH_OP_loss);
    if (!op) return;
    uint32_t rows = t->tensors[x].rows, vocab = param_of(t, w)->dims[0];
    op->u.loss = (cph_loss){.labels = labels,
                            .inv_labels = inv_labels,
                            .backward = t->o.train,
                            .rows = rows,
                            .in = t->tensors[x].width,
                            .vocab = vocab,
                            .chunk = loss_chunk(rows, vocab)};
    uint32_t chunk = op->u.loss.chunk;
    *losses = activation(t, rows, 1);
    *logits = keep_logits ? activation(t, rows, vocab) : 0;
    size_t workspace = t->o.train ? cph_loss_pack_bytes(t->o.backend, t->o.dtype, &op->u.loss) : 0;
    use_workspace(t, FIELD(loss.pack), workspace, USE_F);
    use(t, FIELD(loss.x), x, USE_F);
    use_param(t, FIELD(loss.w), FIELD(loss.dw), w);
    use(t, FIELD(loss.packed), add_tensor(t, TAPE_PACKED, 0, 0, w), 0);
    use_scratch(t, FIELD(loss.logits), chunk, vocab, USE_F);
    use(t, FIELD(loss.keep), *logits, USE_F);
    use(t, FIELD(loss.losses), *losses, USE_F);
    /* The gradient of x is made in the forward pass, while the chunk of logits exists. */
    use_grad(t, FIELD(loss.dx), x, USE_F | USE_MAKES_GRAD);
    cph_tape_keep(t, *losses);
    cph_tape_keep(t, *logits);
}
