/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.c - the processors of text-models 14.2, in their order, then a draw.
 *
 * What is banned is -Infinity and stays so. Probabilities are taken in double by the
 * project's own exp, so that a seed gives the same text on every machine.
 */
#include <colophon/base/memory.h>
#include <colophon/base/philox.h>
#include <colophon/infer/sample.h>
#include <colophon/nn/sites.h>
#include <colophon/tensor/math.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>



typedef struct candidate {
    double p;
    uint32_t id;
} candidate;

struct cph_sampler {
    cph_sample_opts opts;
    uint32_t vocab;
    int64_t eos;
    candidate *kept; /* [vocab]: scratch, best first */
    uint8_t *seen;   /* [vocab]: bit 0 of ids in the sequence */
};

void cph_sample_opts_init(cph_sample_opts *o)
{
    *o = (cph_sample_opts){.temperature = 1, .top_k = 50, .top_p = 1, .repetition_penalty = 1};
}

cph_status cph_sample_opts_check(const cph_sample_opts *o, cph_err *err)
{
    if (!(o->temperature > 0)) {
        cph_fail(err, CPH_USAGE, "temperature %g: must be above 0", o->temperature);
        return cph_hint(err,
                        "without sampling the best token is taken, which is what a temperature of 0 means");
    }
    if (!(o->top_p > 0) || o->top_p > 1)
        return cph_fail(err, CPH_USAGE, "top-p %g: must be above 0 and at most 1", o->top_p);
    if (!(o->min_p >= 0) || o->min_p > 1)
        return cph_fail(err, CPH_USAGE, "min-p %g: must be from 0 to 1", o->min_p);
    if (!(o->repetition_penalty > 0))
        return cph_fail(err, CPH_USAGE, "repetition penalty %g: must be above 0", o->repetition_penalty);
    return CPH_OK;
}

cph_status cph_sampler_open(cph_sampler **out, const cph_sample_opts *o, uint32_t vocab, int64_t eos,
                            cph_err *err)
{
    void *p, *kept = NULL, *seen = NULL;
    CPH_TRY(cph_sample_opts_check(o, err));
    CPH_TRY(cph_alloc0(&p, sizeof(cph_sampler), err));
    cph_status s = cph_alloc_n(&kept, vocab, sizeof(candidate), err);
    if (s == CPH_OK) s = cph_alloc0(&seen, vocab, err);
    if (s != CPH_OK) {
        cph_free(kept);
        cph_free(p);
        return s;
    }
    *out = p;
    **out = (cph_sampler){.opts = *o, .vocab = vocab, .eos = eos, .kept = kept, .seen = seen};
    return CPH_OK;
}

void cph_sampler_close(cph_sampler *s)
{
    if (!s) return;
    cph_free(s->kept);
    cph_free(s->seen);
    cph_free(s);
}

/* ---- processors: of greedy and sampling alike ---- */

static void penalise(cph_sampler *s, float *scores, cph_sequence q)
{
    float r = (float)s->opts.repetition_penalty;
    if (s->opts.repetition_penalty == 1) return;
    memset(s->seen, 0, s->vocab);
    for (uint32_t i = 0; i < q.n; i++) {
        uint32_t id = q.ids[i];
        if (id >= s->vocab || s->seen[id]) continue; /* once per id */
        s->seen[id] = 1;
        scores[id] = scores[id] < 0 ? scores[id] * r : scores[id] / r;
    }
}

/* Bans each token that would end an n-gram which the sequence has already. */
static void ban_ngrams(const cph_sampler *s, float *scores, cph_sequence q)
{
    uint32_t n = s->opts.no_repeat_ngram;
    if (!n || q.n < n) return;
    const uint32_t *tail = q.ids + q.n - (n - 1);
    for (uint32_t i = 0; i + n <= q.n; i++)
        if (!memcmp(q.ids + i, tail, (n - 1) * sizeof *tail) && q.ids[i + n - 1] < s->vocab)
            scores[q.ids[i + n - 1]] = -INFINITY;
}

static void ban_eos(const cph_sampler *s, float *scores, cph_sequence q)
{
    if (s->eos >= 0 && q.n - q.n_prompt < s->opts.min_new_tokens) scores[s->eos] = -INFINITY;
}

/* ---- filters: of sampling alone ---- */

static int by_score(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->p != y->p) return x->p > y->p ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* The scores that still stand, best first. */
static uint32_t rank(cph_sampler *s, const float *scores)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->vocab; i++)
        if (scores[i] > -INFINITY) s->kept[n++] = (candidate){scores[i], i}; /* NaN is out, too */
    qsort(s->kept, n, sizeof *s->kept, by_score);
    return n;
}

/* Scores become probabilities in place. */
static void softmax(candidate *c, uint32_t n)
{
    double sum = 0, best = c[0].p;
    for (uint32_t i = 0; i < n; i++) sum += c[i].p = cph_exp(c[i].p - best);
    for (uint32_t i = 0; i < n; i++) c[i].p /= sum;
}

static uint32_t cut_top_k(const cph_sampler *s, uint32_t n)
{
    uint32_t k = s->opts.top_k;
    if (!k || k >= n) return n;
    double least = s->kept[k - 1].p;
    while (k < n && s->kept[k].p == least) k++; /* ties stay */
    return k;
}

/* `c` holds probabilities, best first; at least one stays. From the worst up, what adds up to no
 * more than 1 - top_p goes. */
static uint32_t cut_top_p(const candidate *c, uint32_t n, double top_p)
{
    double tail = 0;
    if (top_p >= 1) return n;
    while (n > 1 && tail + c[n - 1].p <= 1 - top_p) tail += c[--n].p;
    return n;
}

static uint32_t cut_min_p(const candidate *c, uint32_t n, double min_p)
{
    while (n > 1 && c[n - 1].p < min_p * c[0].p) n--;
    return n;
}

static void filter(cph_sampler *s, float *scores)
{
    const cph_sample_opts *o = &s->opts;
    if (o->temperature != 1)
        for (uint32_t i = 0; i < s->vocab; i++) scores[i] /= (float)o->temperature;
    uint32_t all = rank(s, scores), n = cut_top_k(s, all);
    if (!all) return;
    if (o->top_p < 1 || o->min_p > 0) {
        softmax(s->kept, n);
        n = cut_top_p(s->kept, n, o->top_p);
        n = cut_min_p(s->kept, n, o->min_p); /* a ratio: the same before and after the cut above */
    }
    for (uint32_t i = n; i < all; i++) scores[s->kept[i].id] = -INFINITY;
}

void cph_sample_prepare(cph_sampler *s, float *scores, cph_sequence so_far)
{
    penalise(s, scores, so_far);
    ban_ngrams(s, scores, so_far);
    ban_eos(s, scores, so_far);
    if (s->opts.sample) filter(s, scores);
}

/* ---- the choice ---- */

static double uniform(const cph_sampler *s, uint32_t row, uint32_t position)
{
    cph_philox_block b = cph_philox_at(s->opts.seed, CPH_SITE(CPH_SITE_SAMPLE, 0), row, position, 0);
    uint64_t word = (uint64_t)b.w[0] << 32 | b.w[1];
    return (double)(word >> 11) * 0x1p-53;
}

static uint32_t draw(cph_sampler *s, uint32_t n, double u)
{
    double sum = 0;
    softmax(s->kept, n);
    for (uint32_t i = 0; i + 1 < n; i++) {
        sum += s->kept[i].p;
        if (u < sum) return s->kept[i].id;
    }
    return s->kept[n - 1].id;
}

bool cph_sample_pick(cph_sampler *s, const float *scores, cph_sequence so_far, uint32_t row, uint32_t *id)
{
    if (s->opts.sample) {
        uint32_t n = rank(s, scores);
        if (n) *id = draw(s, n, uniform(s, row, so_far.n - so_far.n_prompt));
        return n > 0;
    }
    bool any = false;
    for (uint32_t i = 0; i < s->vocab; i++)
        if (scores[i] > -INFINITY && (!any || scores[i] > scores[*id])) {
            *id = i;
            any = true;
        }
    return any;
}

double cph_sample_logprob(const float *scores, uint32_t vocab, uint32_t id)
{
    double best = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < vocab; i++)
        if (scores[i] > best) best = scores[i];
    for (uint32_t i = 0; i < vocab; i++) sum += cph_exp(scores[i] - best);
    return scores[id] - best - cph_log_e(sum);
}
