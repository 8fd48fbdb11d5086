/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_maps.c - recording of what works element by element or row by row. These records
 * have the type of the tensor they read, which may be of the stream.
 */
#include "record_in.h"

#define FIELD RECORD_FIELD

static cph_op *node_of(cph_tape *t, cph_op_kind kind, cph_tensor x)
{
    cph_op *op = cph_record_node(t, kind);
    if (op) op->dtype = t->tensors[x].type;
    return op;
}

static cph_tensor like(cph_tape *t, cph_tensor x, uint32_t rows)
{
    return cph_record_typed(t, rows, t->tensors[x].width, t->tensors[x].type);
}

static void check_pair(cph_tape *t, cph_tensor a, cph_tensor b)
{
    const tape_tensor *x = &t->tensors[a], *y = &t->tensors[b];
    if (x->type != y->type || x->rows != y->rows || x->width != y->width)
        cph_record_fault(t, "two tensors of one shape and type are wanted");
}

static cph_tensor gate(cph_tape *t, cph_tensor a, cph_tensor b, const cph_gate *shape)
{
    cph_op *op = node_of(t, CPH_OP_gate, a);
    if (!op) return 0;
    if (b) check_pair(t, a, b);
    op->u.gate = *shape;
    op->u.gate.rows = t->tensors[a].rows;
    op->u.gate.width = t->tensors[a].width;
    cph_tensor y = like(t, a, t->tensors[a].rows);
    cph_record_use(t, FIELD(gate.a), a, b || shape->act != CPH_ACT_NONE ? USE_F | USE_B : USE_F);
    cph_record_use(t, FIELD(gate.b), b, USE_F | USE_B);
    cph_record_use(t, FIELD(gate.y), y, USE_F);
    cph_record_reads_grad(t, FIELD(gate.dy), y, 0);
    cph_record_makes_grad(t, FIELD(gate.da), FIELD(gate.da_adds), a);
    cph_record_makes_grad(t, FIELD(gate.db), FIELD(gate.db_adds), b);
    return y;
}

cph_tensor cph_tape_gate(cph_tape *t, cph_tensor a, cph_tensor b, cph_act act, cph_drop drop)
{
    return gate(t, a, b, &(cph_gate){.act = act, .drop = drop});
}
cph_tensor cph_tape_act(cph_tape *t, cph_tensor a, cph_act act, cph_drop drop)
{
    return gate(t, a, 0, &(cph_gate){.act = act, .drop = drop});
}
cph_tensor cph_tape_mul(cph_tape *t, cph_tensor a, cph_tensor b)
{
    return gate(t, a, b, &(cph_gate){.act = CPH_ACT_NONE});
}
cph_tensor cph_tape_dropout(cph_tape *t, cph_tensor x, cph_drop drop)
{
    return drop.p > 0 ? gate(t, x, 0, &(cph_gate){.drop = drop}) : x;
}
cph_tensor cph_tape_scale(cph_tape *t, cph_tensor x, float scale)
{
    return scale == 1 ? x : gate(t, x, 0, &(cph_gate){.scale = scale});
}

cph_tensor cph_tape_add(cph_tape *t, cph_tensor a, cph_tensor b)
{
    cph_op *op = node_of(t, CPH_OP_add, a);
    if (!op) return 0;
    check_pair(t, a, b);
    op->u.add = (cph_add){.rows = t->tensors[a].rows, .width = t->tensors[a].width};
    cph_tensor y = like(t, a, t->tensors[a].rows);
    cph_record_use(t, FIELD(add.a), a, USE_F);
    cph_record_use(t, FIELD(add.b), b, USE_F);
    cph_record_use(t, FIELD(add.y), y, USE_F);
    cph_record_reads_grad(t, FIELD(add.dy), y, 0);
    cph_record_makes_grad(t, FIELD(add.da), FIELD(add.da_adds), a);
    cph_record_makes_grad(t, FIELD(add.db), FIELD(add.db_adds), b);
    return y;
}

static cph_tensor pick(cph_tape *t, cph_op_kind kind, cph_tensor x, const int32_t *index, uint32_t n)
{
    cph_op *op = node_of(t, kind, x);
    if (!op) return 0;
    uint32_t rows = t->tensors[x].rows;
    op->u.pick = (cph_pick){.index = index, .rows = kind == CPH_OP_gather ? rows : n,
                            .n = kind == CPH_OP_gather ? n : rows, .width = t->tensors[x].width};
    cph_tensor y = like(t, x, n);
    cph_record_use(t, FIELD(pick.x), x, USE_F);
    cph_record_use(t, FIELD(pick.y), y, USE_F);
    cph_record_reads_grad(t, FIELD(pick.dy), y, 0);
    cph_record_makes_grad(t, FIELD(pick.dx), FIELD(pick.dx_adds), x);
    return y;
}

cph_tensor cph_tape_gather(cph_tape *t, cph_tensor x, const int32_t *index, uint32_t n)
{
    return pick(t, CPH_OP_gather, x, index, n);
}
cph_tensor cph_tape_scatter(cph_tape *t, cph_tensor x, const int32_t *index, uint32_t rows)
{
    return pick(t, CPH_OP_scatter, x, index, rows);
}

cph_tensor cph_tape_mean(cph_tape *t, cph_tensor x, const uint32_t *first, const uint32_t *n, uint32_t groups)
{
    cph_op *op = node_of(t, CPH_OP_mean, x);
    if (!op) return 0;
    op->u.mean = (cph_mean){.first = first, .n = n, .rows = t->tensors[x].rows, .groups = groups,
                            .width = t->tensors[x].width};
    cph_tensor y = like(t, x, groups);
    cph_record_use(t, FIELD(mean.x), x, USE_F);
    cph_record_use(t, FIELD(mean.y), y, USE_F);
    cph_record_reads_grad(t, FIELD(mean.dy), y, 0);
    cph_record_makes_grad(t, FIELD(mean.dx), FIELD(mean.dx_adds), x);
    return y;
}

cph_tensor cph_tape_classes(cph_tape *t, cph_tensor x, const int32_t *labels, const float *inv_labels)
{
    cph_op *op = node_of(t, CPH_OP_classes, x);
    if (!op) return 0;
    uint32_t rows = t->tensors[x].rows;
    op->u.classes = (cph_classes){.labels = labels, .inv_labels = inv_labels, .rows = rows,
                                  .classes = t->tensors[x].width};
    cph_tensor losses = cph_record_float(t, rows, 1);
    cph_record_use(t, FIELD(classes.x), x, USE_F | USE_B);
    cph_record_use(t, FIELD(classes.losses), losses, USE_F);
    cph_record_makes_grad(t, FIELD(classes.dx), FIELD(classes.dx_adds), x);
    cph_tape_keep(t, losses);
    return losses;
}

cph_tensor cph_tape_log_softmax(cph_tape *t, cph_tensor x)
{
    cph_op *op = node_of(t, CPH_OP_log_softmax, x);
    if (!op) return 0;
    op->u.log_softmax = (cph_log_softmax){.rows = t->tensors[x].rows, .width = t->tensors[x].width};
    cph_tensor y = cph_record_float(t, t->tensors[x].rows, t->tensors[x].width);
    cph_record_use(t, FIELD(log_softmax.x), x, USE_F);
    cph_record_use(t, FIELD(log_softmax.y), y, USE_F);
    return y;
}
