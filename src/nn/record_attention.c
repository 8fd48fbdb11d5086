/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_attention.c - recording of attention and of positions: over one tensor, over two or
 * three, over a cache; bias of buckets, rotation in place.
 */
#include "record_in.h"

#define FIELD RECORD_FIELD

static void use_bias(cph_tape *t, cph_tensor bias, const cph_attention *a)
{
    const tape_tensor *b = &t->tensors[bias];
    if (b->rows != a->heads || a->bias_zero + 1 < a->q_pos + a->q_len || b->width < a->bias_zero + a->k_len)
        cph_record_fault(t, "attention: the bias does not reach all keys from all queries");
    cph_record_use(t, FIELD(attention.bias), bias, USE_F | USE_B);
    if (!t->o.train) return;
    cph_record_scratch(t, FIELD(attention.dbias_part), a->batch * a->heads, b->width, USE_B);
    cph_record_makes_grad(t, FIELD(attention.dbias), FIELD(attention.dbias_adds), bias);
}

cph_tensor cph_tape_attend(cph_tape *t, const cph_attended *in, const cph_attention *shape)
{
    cph_op *op = cph_record_node(t, CPH_OP_attention);
    if (!op) return 0;
    uint32_t width = shape->heads * shape->head_dim, lse_rows = shape->batch * shape->heads;
    cph_attention *a = &op->u.attention;
    *a = *shape;
    a->q_stride = t->tensors[in->q].width;
    a->kv_stride = in->k ? t->tensors[in->k].width : shape->kv_heads * shape->head_dim;
    a->o_stride = width;
    a->bias_len = in->bias ? t->tensors[in->bias].width : 0;
    cph_attention record = *a;
    if (in->k && t->tensors[in->k].width != t->tensors[in->v].width)
        cph_record_fault(t, "attention: rows of k and v have two widths");
    if (t->tensors[in->q].type != t->o.dtype) cph_record_fault(t, "attention: q is not of the tape's type");
    cph_tensor o = cph_record_typed(t, t->tensors[in->q].rows, width, t->o.dtype);
    cph_record_use_at(t, FIELD(attention.q), in->q, in->q_at, USE_F | USE_B);
    cph_record_use_at(t, FIELD(attention.k), in->k, in->k_at, USE_F | USE_B);
    cph_record_use_at(t, FIELD(attention.v), in->v, in->v_at, USE_F | USE_B);
    cph_record_use(t, FIELD(attention.o), o, USE_F | USE_B);
    if (in->bias) use_bias(t, in->bias, &record);
    if (!t->o.train) return o;
    cph_record_scratch(t, FIELD(attention.lse), lse_rows, shape->q_len, USE_F | USE_B);
    cph_record_scratch(t, FIELD(attention.delta), lse_rows, shape->q_len, USE_B);
    cph_record_reads_grad(t, FIELD(attention.d_o), o, 0);
    cph_record_makes_grad_at(t, FIELD(attention.dq), FIELD(attention.dq_adds), in->q, in->q_at);
    cph_record_makes_grad_at(t, FIELD(attention.dk), FIELD(attention.dk_adds), in->k, in->k_at);
    cph_record_makes_grad_at(t, FIELD(attention.dv), FIELD(attention.dv_adds), in->v, in->v_at);
    return o;
}

cph_tensor cph_tape_attention(cph_tape *t, cph_tensor qkv, const cph_attention *shape)
{
    uint32_t q = shape->heads * shape->head_dim, kv = shape->kv_heads * shape->head_dim;
    return cph_tape_attend(t, &(cph_attended){.q = qkv, .k = qkv, .v = qkv, .k_at = q, .v_at = q + kv},
                           shape);
}

cph_tensor cph_tape_cached_attention(cph_tape *t, cph_tensor qkv, const cph_attention *shape)
{
    uint32_t q_width = shape->heads * shape->head_dim, kv_width = shape->kv_heads * shape->head_dim;
    cph_op *op = cph_record_node(t, CPH_OP_append);
    if (!op) return 0;
    op->u.append = (cph_append){
        .rows = t->tensors[qkv].rows, .width = kv_width, .kv_stride = q_width + 2 * kv_width};
    cph_record_use_at(t, FIELD(append.k), qkv, q_width, USE_F);
    cph_record_use_at(t, FIELD(append.v), qkv, q_width + kv_width, USE_F);
    return cph_tape_attend(t, &(cph_attended){.q = qkv}, shape);
}

cph_tensor cph_tape_bucket_bias(cph_tape *t, uint32_t table, const cph_bucket_bias *shape)
{
    cph_op *op = cph_record_node(t, CPH_OP_bucket_bias);
    if (!op) return 0;
    const cph_param *p = &t->params->items[table];
    op->u.bucket_bias = *shape;
    op->u.bucket_bias.buckets = p->dims[0];
    op->u.bucket_bias.heads = p->dims[1];
    cph_tensor bias = cph_record_float(t, p->dims[1], shape->length);
    cph_record_param(t, FIELD(bucket_bias.table), FIELD(bucket_bias.dtable), table);
    cph_record_use(t, FIELD(bucket_bias.bias), bias, USE_F);
    cph_record_reads_grad(t, FIELD(bucket_bias.dbias), bias, 0);
    return bias;
}

void cph_tape_rotary(cph_tape *t, cph_tensor x, const cph_rotary *shape)
{
    cph_op *op = cph_record_node(t, CPH_OP_rotary);
    if (!op) return;
    op->dtype = t->tensors[x].type;
    op->u.rotary = *shape;
    op->u.rotary.rows = t->tensors[x].rows;
    op->u.rotary.stride = t->tensors[x].width;
    cph_record_use(t, FIELD(rotary.x), x, USE_F | USE_GOES_ON);
    cph_record_reads_grad(t, FIELD(rotary.dx), x, 0);
}
