/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow.c - from blocks in reading order to paragraphs (HYP-01, HYP-02, HYP-08,
 * HYP-10; readers-and-corpus 15, 18).
 *
 * Tokens are parted into four streams that do not see each other: body, side
 * (captions, marginalia), notes, and what is dropped. A word goes on in its own
 * stream, whatever stands between its halves on paper. Dropped tokens are walked
 * through, too, so that pairs are counted before role drops and LAW-1 balances.
 */
#include <colophon/text/unicode.h>

#include <stdlib.h>
#include <string.h>

#include "corpus_in.h"

enum { BODY, SIDE, NOTE, OUT, N_STREAMS };
#define NONE UINT32_MAX
#define FAR 256 /* tokens between the halves of a pair that are still looked through */

typedef struct item {
    const cph_token *t;
    uint32_t page, block, line, ref;
    uint32_t mate; /* the item that its producer pairs it with; NONE */
    uint8_t role;
    bool first, last, absorbed; /* of its line; taken into an earlier token */
} item;

typedef struct stream {
    item *at;
    uint32_t n;
} stream;

typedef struct made { /* a paragraph and where it belongs */
    cph_paragraph p;
    uint32_t ref, stream, seq;
} made;

typedef struct flowing {
    cph_arena *a;
    const cph_leaf *leaves;
    const cph_plan *plan;
    const cph_plan_doc *doc;
    const cph_flow_opts *o;
    cph_flow f;
    stream streams[N_STREAMS];
    made *made;
    uint32_t n_made;
    cph_segment *segments; /* in the order in which paragraphs were made */
    uint32_t n_segments;
    cph_split *splits;     /* .paragraph: index of `made` */
    uint32_t n_splits, n_settled; /* the others hold their offset as bytes before the segment's end */
    cph_buf token, next, raw, text; /* raw: the segment under way; text: the paragraph */
    /* the paragraph under way */
    bool open, glue;       /* glue: the segment follows without a blank */
    uint32_t from, page, block, ref; /* where its last segment stands */
    uint32_t first_ref;
    cph_role role;
} flowing;

bool cph_role_dropped(cph_role r)
{
    switch (r) {
    case CPH_ROLE_running_head:
    case CPH_ROLE_page_number:
    case CPH_ROLE_signature:
    case CPH_ROLE_speaker:
    case CPH_ROLE_stage_note:
    case CPH_ROLE_image_text:
    case CPH_ROLE_noise:
    case CPH_ROLE_table: /* kept in the collection, no text for a language model */
    case CPH_ROLE_list:
    case CPH_ROLE_toc:
    case CPH_ROLE_index:
    case CPH_ROLE_formula: return true;
    default: return false;
    }
}

static unsigned stream_of(cph_role r)
{
    if (cph_role_dropped(r)) return OUT;
    if (r == CPH_ROLE_footnote) return NOTE;
    return r == CPH_ROLE_caption || r == CPH_ROLE_marginalia ? SIDE : BODY;
}

void cph_hyphen_counts_add(cph_hyphen_counts *to, const cph_hyphen_counts *more)
{
#define ADD(name) to->name += more->name;
    CPH_HYPHEN_COUNT_MAP(ADD)
#undef ADD
}

void cph_normalise_counts_add(cph_normalise_counts *to, const cph_normalise_counts *more)
{
    to->nfc += more->nfc;
    to->controls += more->controls;
    to->spaces += more->spaces;
    to->mojibake += more->mojibake;
    to->ligatures += more->ligatures;
    to->old_letters += more->old_letters;
    to->blanks += more->blanks;
}

void cph_balance_add(cph_balance *to, const cph_balance *more)
{
    to->strings += more->strings;
    to->out += more->out;
    to->absorbed += more->absorbed;
    to->dropped += more->dropped;
    to->empty += more->empty;
    to->joined += more->joined;
}

/* ---- the streams ---- */

static void add_line(flowing *x, const cph_page *p, uint32_t ref, uint32_t line)
{
    const cph_ref *r = &x->doc->refs[ref];
    const cph_line *l = &p->lines[line];
    cph_role role = (cph_role)x->leaves[r->page].line_role[line];
    stream *s = &x->streams[stream_of(role)];
    for (uint32_t i = 0; i < l->n_tokens; i++) {
        const cph_token *t = &p->tokens[l->first_token + i];
        s->at[s->n++] = (item){.t = t,
                               .page = r->page,
                               .block = r->block,
                               .line = line,
                               .ref = ref,
                               .mate = NONE,
                               .role = (uint8_t)role,
                               .first = i == 0,
                               .last = i + 1 == l->n_tokens};
        x->f.roles[role]++;
        if (t->wc < 0 || t->wc > 100) continue;
        x->f.wc_sum += (uint64_t)t->wc;
        x->f.wc_n++;
    }
}

static cph_status fill_streams(flowing *x, cph_err *err)
{
    uint64_t n[N_STREAMS] = {0};
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < x->doc->n_refs; i++) {
            const cph_leaf *leaf = &x->leaves[x->doc->refs[i].page];
            const cph_block *k = &leaf->page.blocks[x->doc->refs[i].block];
            for (uint32_t l = k->first_line; l < k->first_line + k->n_lines; l++) {
                if (pass) add_line(x, &leaf->page, i, l);
                else n[stream_of((cph_role)leaf->line_role[l])] += leaf->page.lines[l].n_tokens;
            }
        }
        for (unsigned s = 0; !pass && s < N_STREAMS; s++) {
            void *mem;
            CPH_TRY(cph_arena_alloc(x->a, &mem, (n[s] + 1) * sizeof(item), err));
            x->streams[s].at = mem;
        }
    }
    return CPH_OK;
}

static bool same_word(const cph_token *a, const cph_token *b)
{
    cph_str s = cph_str_trim(a->subs);
    return s.n && cph_str_eq(s, cph_str_trim(b->subs));
}

/* An unmarked token that is what the whole word still lacks (state 5: part 2 was not marked). */
static bool completes(const item *a, const item *b)
{
    cph_str whole = cph_str_trim(a->t->subs), stem = a->t->text, rest = b->t->text;
    if (stem.n && (stem.p[stem.n - 1] == '-')) stem.n--;
    if (!b->first || !stem.n || whole.n <= stem.n || memcmp(whole.p, stem.p, stem.n) != 0) return false;
    return whole.n - stem.n <= rest.n && memcmp(whole.p + stem.n, rest.p, whole.n - stem.n) == 0;
}

/*
 * The producer's pairs. The next token is the second half, or the nearest one that
 * gives the same whole word: something unmarked may stand between them.
 */
static void pair_up(stream *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->at[i].t->hyphen != CPH_HYP_PART1) continue;
        uint32_t j = i + 1;
        if (j < s->n && s->at[j].t->hyphen == CPH_HYP_NONE && completes(&s->at[i], &s->at[j])) {
            s->at[i].mate = j;
            continue;
        }
        if (j < s->n && s->at[j].t->hyphen != CPH_HYP_PART2)
            while (j < s->n && j - i < FAR && s->at[j].t->hyphen != CPH_HYP_PART1 &&
                   !(s->at[j].t->hyphen == CPH_HYP_PART2 && same_word(s->at[i].t, s->at[j].t)))
                j++;
        if (j < s->n && s->at[j].t->hyphen == CPH_HYP_PART2 &&
            (j == i + 1 || same_word(s->at[i].t, s->at[j].t)))
            s->at[i].mate = j;
    }
}

/* ---- one token ---- */

static void count_pair(cph_hyphen_counts *n, const item *a, const item *b, bool equals)
{
    cph_token bare = *a->t;
    bare.hyp_element = false;
    bool sign = cph_hyphen_ends(&bare, equals);
    if (a->t->hyphen == CPH_HYP_PART1) {
        if (a->page != b->page) n->pairs_cross_page++;
        else n->pairs_same_page++;
        if (a->page == b->page && a->block != b->block) n->pairs_cross_block++;
        if (a->t->hyp_element) n->with_hyp++;
        else n->without_hyp++;
    } else {
        if (a->page != b->page) n->signs_cross_page++;
        else n->signs_same_page++;
        if (a->t->hyp_element && !sign) n->hyp_alone++;
    }
    if (sign && a->t->hyp_element) n->inline_and_hyp++;
    else if (sign) n->inline_hyphen++;
    if (sign && !cph_str_ends(a->t->text, "-")) n->other_sign++;
}

/* The item that would be the second half of `i`, or NONE. */
static uint32_t second_of(const flowing *x, const stream *s, uint32_t i, cph_str text)
{
    const item *a = &s->at[i];
    if (a->mate != NONE) return a->mate;
    if (cph_role_dropped((cph_role)a->role))
        return NONE; /* what is dropped is no prose: only the producer's pairs count */
    cph_token t = *a->t;
    t.text = text;
    if (!a->last || i + 1 >= s->n || !s->at[i + 1].first || s->at[i + 1].absorbed) return NONE;
    if (s->at[i + 1].t->hyphen == CPH_HYP_PART2) return NONE;
    if (a->t->hyphen == CPH_HYP_PART1 && a->t->subs.n) return NONE; /* HYP-08 */
    return cph_hyphen_ends(&t, x->o->hyphen.equals) ? i + 1 : NONE;
}

/* The text of item `i` with all that it takes in; *end: the last item taken, or i. */
static cph_status token_text(flowing *x, stream *s, uint32_t i, uint32_t *end, cph_err *err)
{
    const item *a = &s->at[i];
    cph_hyphen_counts *n = &x->f.hyphens;
    bool orphan = a->t->hyphen == CPH_HYP_PART1 && a->mate == NONE;
    cph_str whole = cph_str_trim(a->t->subs);
    if (orphan) n->orphan_1++;
    if (a->t->hyphen == CPH_HYP_PART2) n->orphan_2++; /* it was not absorbed */
    x->token.n = 0;
    *end = i;
    CPH_TRY(cph_buf_str(&x->token, orphan && whole.n ? whole : a->t->text, err));
    for (uint32_t k = i, j; (j = second_of(x, s, k, cph_buf_view(&x->token))) != NONE; k = j) {
        cph_join how;
        x->next.n = 0;
        CPH_TRY(cph_hyphen_join(&x->o->hyphen, s->at[k].t, cph_buf_view(&x->token), s->at[j].t, &x->next,
                                &how, n, err));
        cph_buf swap = x->token;
        x->token = x->next;
        x->next = swap;
        if (how == CPH_JOIN_APART) break;
        s->at[j].absorbed = true;
        count_pair(n, &s->at[k], &s->at[j], x->o->hyphen.equals);
        *end = j;
    }
    return CPH_OK;
}

/* ---- paragraphs ---- */

static cph_status end_segment(flowing *x, bool verse, cph_err *err)
{
    if (!x->raw.n) return CPH_OK;
    size_t before = x->text.n;
    cph_normalise_opts o = x->o->normal;
    o.keep_lines = verse;
    if (x->text.n && !x->glue) CPH_TRY(cph_buf_char(&x->text, verse ? '\n' : ' ', err));
    size_t at = x->text.n;
    CPH_TRY(cph_text_normalise(&x->text, cph_buf_view(&x->raw), &o, &x->f.normal, err));
    x->raw.n = 0;
    for (; x->n_settled < x->n_splits; x->n_settled++) {
        uint32_t *offset = &x->splits[x->n_settled].offset;
        *offset = x->text.n > *offset ? (uint32_t)x->text.n - *offset : 0;
    }
    if (x->text.n == at) {
        x->text.n = before;
        return CPH_OK;
    }
    x->segments[x->n_segments++] = (cph_segment){(uint32_t)at, x->page, x->block};
    return CPH_OK;
}

static cph_status end_paragraph(flowing *x, unsigned s, cph_err *err)
{
    if (!x->open) return CPH_OK;
    CPH_TRY(end_segment(x, x->role == CPH_ROLE_verse, err));
    x->open = false;
    if (x->text.n) {
        made *m = &x->made[x->n_made];
        *m = (made){.ref = x->first_ref, .stream = s, .seq = x->n_made};
        m->p =
            (cph_paragraph){.role = x->role, .first_segment = x->from, .n_segments = x->n_segments - x->from};
        CPH_TRY(cph_arena_str(x->a, &m->p.text, cph_buf_view(&x->text), err));
        /* A note stands after the text of its page. */
        while (s == NOTE && m->ref + 1 < x->doc->n_refs &&
               x->doc->refs[m->ref + 1].page == x->doc->refs[m->ref].page)
            m->ref++;
        x->n_made++;
    }
    x->text.n = 0;
    return CPH_OK;
}

static const cph_block *block_of(const flowing *x, uint32_t page, uint32_t block)
{
    return &x->leaves[page].page.blocks[block];
}

/* Both are pieces of one paragraph as METS has it. */
static bool one_division(const flowing *x, const cph_block *a, const cph_block *b)
{
    if (!a->division.n || !cph_str_eq(a->division, b->division)) return false;
    for (uint32_t i = 0; i < x->plan->n_divisions; i++)
        if (cph_str_eq(x->plan->divisions[i].id, a->division)) return x->plan->divisions[i].leaf;
    return false;
}

/* The next column of the same page: to the right, and higher than where the last block ends. */
static bool next_column(const cph_box *a, const cph_box *b)
{
    if (a->x == CPH_UNKNOWN_BOX || a->y == CPH_UNKNOWN_BOX || a->w == CPH_UNKNOWN_BOX ||
        a->h == CPH_UNKNOWN_BOX || b->x == CPH_UNKNOWN_BOX || b->y == CPH_UNKNOWN_BOX)
        return false;
    return b->x >= a->x + a->w / 2 && b->y < a->y + a->h;
}

static bool begins_lower(cph_str s)
{
    uint32_t cp;
    return s.n && cph_utf8_decode(s.p, s.n, &cp) && cph_char_is(cp, CPH_CHAR_LOWER);
}

/* Section 18: does the block of `it` go on with the paragraph under way? */
static bool goes_on(const flowing *x, const item *it, bool bridge)
{
    if (!x->open) return false;
    if (bridge) return true;
    const cph_block *a = block_of(x, x->page, x->block), *b = block_of(x, it->page, it->block);
    if (one_division(x, a, b)) return true;
    if (x->role != CPH_ROLE_body || it->role != CPH_ROLE_body) return false;
    if (it->page == x->page && !next_column(&a->box, &b->box)) return false;
    cph_str so_far = x->raw.n ? cph_buf_view(&x->raw) : cph_buf_view(&x->text);
    return begins_lower(cph_buf_view(&x->token)) && !cph_text_ends_sentence(so_far);
}

static cph_status turn_to(flowing *x, unsigned s, const item *it, bool bridge, bool blank, cph_err *err)
{
    if (goes_on(x, it, bridge)) {
        CPH_TRY(end_segment(x, x->role == CPH_ROLE_verse, err));
        x->glue = bridge && !blank;
    } else {
        CPH_TRY(end_paragraph(x, s, err));
        x->open = true;
        x->glue = false;
        x->role = (cph_role)it->role;
        x->from = x->n_segments;
        x->first_ref = it->ref;
    }
    x->page = it->page;
    x->block = it->block;
    return CPH_OK;
}

static void note_split(flowing *x, const item *a, const item *b)
{
    if (a->page == b->page && a->block == b->block) return;
    x->splits[x->n_splits++] = (cph_split){.paragraph = x->n_made, .offset = (uint32_t)b->t->text.n,
                                           .page = b->page, .block = b->block};
}

static cph_status run_stream(flowing *x, unsigned which, cph_err *err)
{
    stream *s = &x->streams[which];
    uint32_t line = NONE, joined_page = NONE, joined_block = NONE, joined_line = NONE;
    for (uint32_t i = 0; i < s->n; i++) {
        item *it = &s->at[i];
        uint32_t end;
        if (it->absorbed) continue;
        CPH_TRY(token_text(x, s, i, &end, err));
        x->f.balance.out += which != OUT;
        if (which == OUT) continue;
        bool in_join = it->page == joined_page && it->block == joined_block;
        bool blank =
            in_join && it->line == joined_line ? it->t->space_before : it->first || it->t->space_before;
        if (!x->open || it->page != x->page || it->block != x->block) {
            CPH_TRY(turn_to(x, which, it, in_join, blank, err));
        } else if (x->raw.n && blank) {
            bool new_line = it->line != line && !(in_join && it->line == joined_line);
            CPH_TRY(cph_buf_char(&x->raw, x->role == CPH_ROLE_verse && new_line ? '\n' : ' ', err));
        }
        CPH_TRY(cph_buf_str(&x->raw, cph_buf_view(&x->token), err));
        line = it->line;
        joined_page = joined_block = joined_line = NONE;
        if (end == i) continue;
        joined_page = s->at[end].page;
        joined_block = s->at[end].block;
        joined_line = s->at[end].line;
        note_split(x, it, &s->at[end]);
    }
    return end_paragraph(x, which, err);
}

/* ---- the whole ---- */

static cph_status make_room(flowing *x, cph_err *err)
{
    uint64_t turns = 1;
    void *mem;
    for (unsigned s = 0; s < N_STREAMS; s++)
        for (uint32_t i = 0; i < x->streams[s].n; i++)
            turns += i == 0 || x->streams[s].at[i].ref != x->streams[s].at[i - 1].ref;
    CPH_TRY(cph_arena_alloc(x->a, &mem, turns * 2 * sizeof *x->made, err));
    x->made = mem;
    CPH_TRY(cph_arena_alloc(x->a, &mem, turns * 2 * sizeof *x->segments, err));
    x->segments = mem;
    CPH_TRY(cph_arena_alloc(x->a, &mem, turns * 2 * sizeof *x->splits, err));
    x->splits = mem;
    return CPH_OK;
}

static int by_place(const void *a, const void *b)
{
    const made *x = a, *y = b;
    if (x->ref != y->ref) return x->ref < y->ref ? -1 : 1;
    if (x->stream != y->stream) return x->stream < y->stream ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static cph_status put_in_order(flowing *x, cph_err *err)
{
    void *mem;
    uint32_t n = 0;
    cph_flow *f = &x->f;
    if (x->n_made) qsort(x->made, x->n_made, sizeof *x->made, by_place);
    CPH_TRY(cph_arena_alloc(x->a, &mem, (x->n_made + (size_t)1) * sizeof *f->paragraphs, err));
    f->paragraphs = mem;
    CPH_TRY(cph_arena_alloc(x->a, &mem, (x->n_segments + (size_t)1) * sizeof *f->segments, err));
    f->segments = mem;
    CPH_TRY(cph_arena_alloc(x->a, &mem, (x->n_splits + (size_t)1) * sizeof *f->splits, err));
    f->splits = mem;
    for (uint32_t i = 0; i < x->n_made; i++) {
        const made *m = &x->made[i];
        f->paragraphs[i] = m->p;
        f->paragraphs[i].first_segment = n;
        memcpy(f->segments + n, x->segments + m->p.first_segment, m->p.n_segments * sizeof *f->segments);
        n += m->p.n_segments;
        for (uint32_t k = 0; k < x->n_splits; k++) {
            if (x->splits[k].paragraph != m->seq) continue;
            f->splits[f->n_splits] = x->splits[k];
            f->splits[f->n_splits++].paragraph = i;
        }
    }
    f->n_paragraphs = x->n_made;
    f->n_segments = n;
    return CPH_OK;
}

static cph_status flow(flowing *x, cph_err *err)
{
    CPH_TRY(fill_streams(x, err));
    CPH_TRY(make_room(x, err));
    for (unsigned s = 0; s < N_STREAMS; s++) {
        pair_up(&x->streams[s]);
        CPH_TRY(run_stream(x, s, err));
        uint64_t absorbed = 0;
        for (uint32_t i = 0; i < x->streams[s].n; i++) absorbed += x->streams[s].at[i].absorbed;
        if (s == OUT) x->f.balance.dropped += x->streams[s].n;
        else x->f.balance.absorbed += absorbed;
        x->f.balance.joined += x->streams[s].n;
    }
    /* As Appendix B counts: the producer's pairs alone, in what is dropped, too. */
    x->f.balance.joined -= x->f.hyphens.pairs_same_page + x->f.hyphens.pairs_cross_page;
    return put_in_order(x, err);
}

cph_status cph_flow_run(cph_flow *out, cph_arena *a, const cph_leaf *leaves, const cph_plan *plan,
                        const cph_plan_doc *doc, const cph_flow_opts *o, cph_err *err)
{
    flowing x = {.a = a, .leaves = leaves, .plan = plan, .doc = doc, .o = o};
    cph_buf *bufs[] = {&x.token, &x.next, &x.raw, &x.text};
    for (size_t i = 0; i < 4; i++) cph_buf_init(bufs[i], CPH_DOC_MAX);
    cph_status s = flow(&x, err);
    for (size_t i = 0; i < 4; i++) cph_buf_release(bufs[i]);
    if (s == CPH_OK) *out = x.f;
    return s;
}
