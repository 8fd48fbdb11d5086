/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op.h - the fused operations of the engine: their records, and how one is run.
 *
 * A record says everything about one use of an operation: type, shapes, constants,
 * and where its tensors lie. Matrices are row-major; rows are tokens (batch x time).
 * Gradients of weights are added to; gradients of activations are overwritten.
 *
 * Invariant  The bits of a result depend on the record and its data alone, never on
 *            threads or instruction set (engine 8). What may be summed in which
 *            order is written in the reference, src/tensor/ref_*.c.
 * Threads    One cph_exec runs one operation at a time, on its pool (NULL: the caller's thread).
 * Memory     cph_exec owns its workers' scratch; a record owns nothing.
 * Errors     CPH_USAGE for an unknown COLOPHON_ISA. Running an operation cannot fail.
 */
#ifndef CPH_TENSOR_OP_H
#define CPH_TENSOR_OP_H

#include <stdbool.h>

#include <colophon/base/pool.h>
#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

/* float in the library; the gradient tests compile the reference for double. */
#ifndef CPH_REAL
#define CPH_REAL float
#endif
typedef CPH_REAL cph_real;

/*
 * Of what only GEMMs and attention read: outputs of norm, linear, attention, and their
 * gradients (`void *` below: cph_real, or uint16_t for CPH_BF16). The residual stream,
 * statistics, losses, weights and their gradients are cph_real always. A CPH_BF16 record
 * rounds the operands of its products to bf16 (to nearest, even) and adds in fp32: by
 * fused multiply-adds in the order of CPH_F32 (arithmetic bf16-fma, the same bits
 * everywhere), or pair by pair of k where the backend has dot products (bf16-dot).
 */
typedef enum cph_dtype { CPH_F32, CPH_BF16 } cph_dtype;

typedef enum cph_op_kind {
#define CPH_OP(name, passes, what) CPH_OP_##name,
#include <colophon/tensor/ops.def>
#undef CPH_OP
    CPH_N_OPS
} cph_op_kind;

/* Activations by their Hugging Face names (text-models 2.3). */
#define CPH_ACT_MAP(X)                                                                             \
    X(NONE, none, "linear") X(GELU, gelu, "gelu") X(GELU_NEW, gelu_new, "gelu_new")                \
    X(GELU_FAST, gelu_fast, "gelu_fast") X(QUICK_GELU, quick_gelu, "quick_gelu")                   \
    X(RELU, relu, "relu") X(SILU, silu, "silu") X(TANH, tanh, "tanh")                              \
    X(SIGMOID, sigmoid, "sigmoid") X(GELU_10, gelu_10, "gelu_10") X(MISH, mish, "mish")
typedef enum cph_act {
#define CPH_ACT_ENUM(NAME, name, text) CPH_ACT_##NAME,
    CPH_ACT_MAP(CPH_ACT_ENUM)
#undef CPH_ACT_ENUM
        CPH_N_ACTS
} cph_act;
CPH_API const char *cph_act_text(cph_act act);
CPH_API bool cph_act_parse(cph_str text, cph_act *out); /* also gelu_pytorch_tanh, swish */

/* Which draws of a run: key and counter of engine 7.2. */
typedef struct cph_draw {
    uint64_t seed;
    uint32_t slot, step;
} cph_draw;
typedef struct cph_drop {
    double p; /* 0: none; element i of the tensor is kept iff its word >= floor(p 2^32) */
    uint32_t site;
    const cph_draw *draw;
} cph_drop;

typedef struct cph_embed {
    const uint32_t *ids, *positions, *types; /* [rows] */
    const cph_real *tok, *pos, *typ;         /* [.,width]; pos, typ NULL: none */
    cph_real *x;                             /* [rows,width] */
    cph_real *dtok, *dpos, *dtyp;            /* NULL: frozen */
    const cph_real *dx;
    uint32_t rows, width, padding;
    bool has_padding; /* looking up `padding` gives tok no gradient */
    cph_real scale;   /* of tok; 0: 1 */
    cph_drop drop;
} cph_embed;

typedef struct cph_linear {
    const void *x;         /* [rows,in] */
    const cph_real *w, *b; /* w as out_in says; b [out] or NULL */
    const void *packed;    /* w in the kernels' form (cph_pack_weight), or NULL */
    void *y, *pre;         /* [rows,out]; pre is what act was applied to (NULL: not kept) */
    void *dy;              /* becomes the gradient of pre */
    void *dx;              /* NULL: not wanted */
    cph_real *dw, *db;     /* NULL: frozen */
    cph_real *part;        /* [CPH_BLOCKS(rows),out], for db */
    void *pack;            /* cph_linear_pack_bytes of workspace for the backward pass */
    uint32_t rows, in, out;
    uint32_t workers; /* set by who runs it: into how many tasks products are cut at least */
    bool out_in; /* w is [out,in] */
    bool real_y; /* y is cph_real whatever the dtype (forward only: logits) */
    bool y_adds; /* the chains of x W go on from what y holds, before bias and act (LoRA) */
    bool dx_adds, fresh_dw; /* dx goes on from what it holds; dw and db begin at +0 */
    cph_act act;
} cph_linear;

/*
 * sum = x + drop(y); h = h_drop((sum - mean) rstd gamma + beta); with rms (T5) no mean is taken.
 * Post-norm in bf16: the next product reads h, the next residual `stream`, which is h before rounding.
 */
typedef struct cph_norm {
    const cph_real *x; /* [rows,width]; NULL: 0 */
    const void *y;     /* [rows,width]; NULL: sum is x itself and not written */
    const cph_real *gamma, *beta; /* beta NULL: 0 */
    cph_real *sum, *mean, *rstd;  /* [rows,width], [rows] twice; mean not with rms */
    void *h;
    cph_real *stream;             /* [rows,width] or NULL */
    const void *dh;               /* gradients of h, stream and sum; NULL: 0 */
    const cph_real *dstream, *dsum;
    cph_real *dx;                 /* NULL: not wanted, as dy */
    void *dy;
    cph_real *dgamma, *dbeta;     /* NULL: frozen */
    cph_real *part;               /* [2,CPH_BLOCKS(rows),width] */
    uint32_t rows, width;
    double eps;
    cph_drop drop, h_drop;
    bool rms, dx_adds, dy_adds;   /* dx, dy go on from what they hold */
} cph_norm;

typedef struct cph_attention {
    const void *q, *k, *v; /* head j of a row at j * head_dim */
    void *o;
    cph_real *lse;         /* [B,heads,Tq] */
    const void *d_o;       /* gradient of o */
    void *dq, *dk, *dv;    /* NULL: not wanted */
    cph_real *delta;       /* [B,heads,Tq] */
    const uint32_t *key_len;        /* [B] visible keys, or NULL */
    const uint32_t *q_seg, *k_seg;  /* [B,Tq], [B,Tk]: equal and not 0 to see; or NULL */
    uint32_t batch, q_len, k_len, heads, kv_heads, head_dim;
    uint32_t q_stride, kv_stride, o_stride; /* elements from row to row (gradients alike) */
    uint32_t q_pos;                 /* key index of query 0, for causal and window */
    uint32_t window;                /* 0: none; else key > query - window (and < query + window) */
    bool causal;
    cph_real scale;
    cph_drop drop;
    /* s = scale q k + bias[head][bias_zero + key - (q_pos + query)]; it reaches all keys from all queries */
    const cph_real *bias;  /* [heads,bias_len] or NULL */
    cph_real *dbias;       /* NULL: not wanted */
    cph_real *dbias_part;  /* [B,heads,bias_len] of workspace */
    uint32_t bias_len, bias_zero;
    bool dq_adds, dk_adds, dv_adds, dbias_adds;
} cph_attention;

/* y = scale drop(act(a) o b): activation, gate, product, dropout, scale */
typedef struct cph_gate {
    const void *a, *b; /* [rows,width]; b NULL: 1 */
    void *y;
    const void *dy;
    void *da, *db;     /* NULL: not wanted */
    uint32_t rows, width;
    cph_act act;
    cph_real scale; /* 0: 1 */
    cph_drop drop;
    bool da_adds, db_adds;
} cph_gate;

typedef struct cph_add { /* y = a + b */
    const void *a, *b;
    void *y;
    const void *dy;
    void *da, *db;
    uint32_t rows, width;
    bool da_adds, db_adds;
} cph_add;

typedef struct cph_mean { /* y[g] = mean of the rows first[g].. of x, n[g] of them; 0 where there are none */
    const void *x;
    void *y;
    const uint32_t *first, *n; /* [groups]; ascending, apart, inside x */
    const void *dy;
    void *dx;
    uint32_t rows, groups, width;
    bool dx_adds;
} cph_mean;

/* gather: y[i] = x[index[i]], x has `rows` rows, y has n; scatter: y[index[i]] += x[i] from 0, the reverse. */
typedef struct cph_pick {
    const void *x;
    void *y;
    const int32_t *index; /* [n]; below 0: a row of zeros, or none */
    const void *dy;
    void *dx;
    uint32_t rows, n, width;
    bool dx_adds;
} cph_pick;

typedef struct cph_classes { /* cross-entropy of few classes; gradients begin here */
    const void *x;         /* [rows,classes] */
    const int32_t *labels; /* [rows]; -100: no loss */
    cph_real *losses;      /* [rows] */
    const cph_real *inv_labels;
    void *dx;
    uint32_t rows, classes;
    bool dx_adds;
} cph_classes;

typedef struct cph_log_softmax { /* y = x - log(sum(exp(x))) */
    const void *x;
    cph_real *y;
    uint32_t rows, width;
} cph_log_softmax;

typedef struct cph_bucket_bias { /* bias[h][i] = table[bucket(i - zero)][h], i - zero = key - query */
    const cph_real *table;       /* [buckets,heads] */
    cph_real *bias;              /* [heads,length] */
    cph_real *dtable;            /* NULL: frozen */
    const cph_real *dbias;
    uint32_t heads, buckets, length, zero, max_distance;
    bool bidirectional;
} cph_bucket_bias;

/* Turns pairs (u, v) of the first `dim` elements of each head, in place: (u c - v s, v c + u s). */
typedef struct cph_rotary {
    void *x, *dx;                /* [rows,stride]; head j at j * head_dim */
    const cph_real *cos, *sin;   /* [positions,dim/2] (cph_rotary_tables) */
    const uint32_t *positions;   /* [rows] */
    uint32_t rows, stride, heads, head_dim, dim;
    bool interleaved; /* pairs are (2i, 2i+1), else (i, i + dim/2) */
} cph_rotary;

typedef struct cph_append {
    const void *k, *v; /* [rows, kv_stride] */
    void *k_cache, *v_cache; /* first free row, [.,width] */
    uint32_t rows, width, kv_stride;
} cph_append;

/* Label smoothing: targets of the label and of every other, what is taken from the loss; all 0: 1 and 0. */
typedef struct cph_targets {
    double label, rest, constant;
} cph_targets;
/* (1-e) nll + e mean(-log p), as PyTorch; T5X's e/(V-1) elsewhere, less its least loss (text-models 2.7). e < 1 */
CPH_API cph_targets cph_targets_torch(double smoothing, uint32_t vocab);
CPH_API cph_targets cph_targets_t5x(double smoothing, uint32_t vocab);

typedef struct cph_loss {
    const void *x;          /* [rows,in] */
    const cph_real *w, *b;  /* [vocab,in]; [vocab] or NULL */
    const void *packed;
    const int32_t *labels;  /* [rows]; -100: no loss */
    cph_real *logits;       /* [min(chunk,rows),vocab]; in a CPH_BF16 record their gradients replace them */
    void *pack;             /* cph_loss_pack_bytes of workspace when backward */
    cph_real *keep;         /* [rows,vocab] or NULL */
    cph_real *losses;       /* [rows] */
    const cph_real *inv_labels; /* scale of the gradient */
    bool backward;
    void *dx;               /* NULL: not wanted */
    cph_real *dw, *db;      /* NULL: frozen */
    uint32_t rows, in, vocab, chunk;
    bool dx_adds, fresh_dw; /* dx goes on from what it holds; dw and db begin at +0 */
    cph_targets targets;
    double z_loss;          /* + z_loss log(sum(exp))^2 */
    uint32_t workers; /* as in cph_linear */
} cph_loss;

typedef struct cph_sumsq {
    const cph_real *x;
    double *blocks; /* one for each 65,536 elements begun */
    uint64_t n;
} cph_sumsq;

typedef struct cph_adamw_args {
    cph_real *p, *m, *v;
    const cph_real *g;
    uint64_t n;
    /* p *= decay; m, v with beta and (1 - beta); p -= step m / (sqrt(v) inv_root + eps) */
    cph_real grad_scale, decay, beta1, beta2, one_beta1, one_beta2, step, inv_root, eps;
} cph_adamw_args;

typedef struct cph_momentum {
    cph_real *p, *buf; /* buf NULL: u = h */
    const cph_real *g;
    cph_real *u;       /* NULL: p is updated; else p is read only, and not at all where decay is 0 */
    uint64_t n;
    /* h = grad_scale g + decay p; buf = keep buf + take h; u = look buf + now h; p -= step u */
    cph_real grad_scale, decay, keep, take, look, now, step;
} cph_momentum;

typedef struct cph_mix {
    cph_real *y;
    const cph_real *x; /* may be y */
    uint64_t n;
    cph_real a, b;
} cph_mix;

/*
 * A tensor as n matrices [rows,columns], h = grad_scale g, s = h h + eps.
 *   v NULL: row = beta2 row + one_beta2 (mean of s along the row), col likewise;
 *           y = h / sqrt(row / mean(row)) / sqrt(col), the inverse roots in row_scale, col_scale
 *   else:   v = beta2 v + one_beta2 s; y = h / sqrt(v)
 * sums: squares of y, one sum for each row, or each flat block. factor_step: p = decay p - step y, or with
 * m: m = beta1 m + step y; p = decay p - m.
 */
typedef struct cph_factor {
    cph_real *p, *m, *v;
    cph_real *row, *col, *row_scale, *col_scale; /* [n,rows] and [n,columns] */
    cph_real *part;                              /* [n,CPH_BLOCKS(rows),columns] */
    double *sums;
    const cph_real *g;
    uint64_t n;
    uint32_t rows, columns;
    cph_real grad_scale, beta2, one_beta2, eps, beta1, decay, step;
} cph_factor;

typedef struct cph_op {
    cph_op_kind kind;
    cph_dtype dtype;
    union {
        cph_embed embed;
        cph_linear linear;
        cph_norm norm;
        cph_attention attention;
        cph_gate gate;
        cph_add add;
        cph_mean mean;
        cph_pick pick; /* gather, scatter */
        cph_classes classes;
        cph_log_softmax log_softmax;
        cph_bucket_bias bucket_bias;
        cph_rotary rotary;
        cph_append append;
        cph_loss loss;
        cph_sumsq sumsq;
        cph_adamw_args adamw;
        cph_momentum momentum;
        cph_mix mix;
        cph_factor factor; /* of factor_step, too */
    } u;
} cph_op;

#define CPH_ROW_BLOCK 64u      /* rows of one column-sum block */
#define CPH_FLAT_BLOCK 65536u  /* elements of one flat block */
#define CPH_KEY_BLOCK 128u     /* keys of one step of the online softmax */
#define CPH_BLOCKS(rows) (((rows) + CPH_ROW_BLOCK - 1) / CPH_ROW_BLOCK)

CPH_API const char *cph_op_name(cph_op_kind k);
CPH_API const char *cph_op_what(cph_op_kind k); /* the sentence of ops.def */

/* ---- kernels of one instruction set ---- */
typedef struct cph_backend cph_backend;
/* The arithmetic of a run, part of its identity: a type of operands and how they are multiplied. */
#define CPH_ARITH_MAP(X) X(FP32, "fp32") X(BF16_FMA, "bf16-fma") X(BF16_DOT, "bf16-dot")
typedef enum cph_arith {
#define CPH_ARITH_ENUM(name, text) CPH_ARITH_##name,
    CPH_ARITH_MAP(CPH_ARITH_ENUM)
#undef CPH_ARITH_ENUM
        CPH_N_ARITHS
} cph_arith;
CPH_API const char *cph_arith_text(cph_arith a);
CPH_API bool cph_arith_parse(const char *text, cph_arith *out);
static inline cph_dtype cph_arith_dtype(cph_arith a) { return a == CPH_ARITH_FP32 ? CPH_F32 : CPH_BF16; }
/* What a run uses that does not say: a fixed function of CPUID (engine 8), and why, in a sentence. */
CPH_API cph_arith cph_arith_default(const char **why);
/* "amd-25", "intel-6": processors of one family give bf16-dot the same bits. */
CPH_API void cph_processor_family(char out[32]);

/* The best kernels for an arithmetic that the processor has and COLOPHON_ISA allows; CPH_NO: none. */
CPH_API cph_status cph_backend_for(const cph_backend **out, cph_arith arith, cph_err *err) CPH_MUST_USE;
/* The same for fp32. */
CPH_API cph_status cph_backend_choose(const cph_backend **out, cph_err *err) CPH_MUST_USE;
/* By name, for tests: CPH_NO when the processor or the build lacks it. */
CPH_API cph_status cph_backend_named(const cph_backend **out, const char *name, cph_err *err) CPH_MUST_USE;
CPH_API const char *cph_backend_name(const cph_backend *b); /* "ref", "avx2", "avx512", "avx512bf16" */
CPH_API bool cph_backend_dots(const cph_backend *b); /* CPH_BF16 records multiply pair by pair */

/* ---- running ---- */
typedef struct cph_exec cph_exec;
CPH_API cph_status cph_exec_open(cph_exec **out, const cph_backend *b, cph_pool *pool,
                                 cph_err *err) CPH_MUST_USE;
CPH_API void cph_exec_close(cph_exec *x); /* NULL is fine */
CPH_API uint64_t cph_exec_bytes(const cph_backend *b, unsigned n_threads); /* what open will take */
/* Bytes of a worker's scratch that the record's passes want; and makes sure that they are there. */
CPH_API uint64_t cph_op_scratch(const cph_backend *b, const cph_op *op);
CPH_API cph_status cph_exec_reserve(cph_exec *x, uint64_t scratch_bytes, cph_err *err) CPH_MUST_USE;
CPH_API void cph_op_forward(cph_exec *x, const cph_op *op);
CPH_API void cph_op_backward(cph_exec *x, const cph_op *op); /* of the BOTH operations */

/* For sumsq and what stands behind it in ops.def: no scratch, no cph_exec. pool NULL: the caller's thread alone. */
CPH_API void cph_op_flat(const cph_backend *b, cph_pool *pool, const cph_op *op);

/* A weight in the form that the forward GEMM of this backend reads; 0 bytes: it reads the weight as it is. */
CPH_API size_t cph_pack_bytes(const cph_backend *b, cph_dtype dtype, uint32_t in, uint32_t out);
CPH_API void cph_pack_weight(cph_exec *x, cph_dtype dtype, const float *w, uint32_t in, uint32_t out,
                             bool out_in, void *packed);
/* Workspace of a backward pass (cph_linear.pack, cph_loss.pack). */
CPH_API size_t cph_linear_pack_bytes(const cph_backend *b, cph_dtype dtype, const cph_linear *l);
CPH_API size_t cph_loss_pack_bytes(const cph_backend *b, cph_dtype dtype, const cph_loss *l);

/* ---- positions ---- */
/* T5's bucket of key - query (text-models 7.6). */
CPH_API uint32_t cph_relative_bucket(int64_t distance, bool bidirectional, uint32_t buckets, uint32_t max_distance);
/* [n_positions,dim/2] each: angle = position base^(-2i/dim), in double, rounded once. */
CPH_API void cph_rotary_tables(float *cosines, float *sines, uint32_t n_positions, uint32_t dim, double base);

/* ---- bf16 ---- */
CPH_API uint16_t cph_bf16_of(float x); /* to nearest, ties to even; NaN stays NaN */
static inline float cph_bf16_to(uint16_t h)
{
    union {
        uint32_t bits;
        float f;
    } u = {(uint32_t)h << 16};
    return u.f;
}

/* ---- sums whose order is fixed ---- */
CPH_API double cph_tree_sum(double *v, size_t n); /* binary tree; destroys v */
/* Flat sum of x (engine 8, rule 3): lanes inside blocks of 65,536, blocks by a tree. */
CPH_API double cph_flat_sum(const float *x, uint64_t n, double *blocks);

#ifdef __cplusplus
}
#endif
#endif
