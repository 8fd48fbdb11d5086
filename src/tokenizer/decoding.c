/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoding.c - ids to text: the bytes of each token, one after the other; bytes
 * that are no valid UTF-8 become U+FFFD, one for each maximal ill-formed part.
 */
#include "tokenizer_in.h"

static const char replacement[] = "\xEF\xBF\xBD";

/* Bytes of an id; none for ids that nobody knows, and for special tokens on demand. */
static cph_str bytes_of(const cph_tokenizer *t, uint32_t id, bool skip_special)
{
    if (id >= t->n_ids || !t->bytes[id].p || (skip_special && (t->flags[id] & ID_SPECIAL)))
        return CPH_STR("");
    return t->bytes[id];
}

/* Could more bytes make a character of these? They are ill-formed now. */
static bool is_begun(const char *p, size_t n)
{
    unsigned char c = (unsigned char)p[0];
    size_t wanted = c >= 0xF0 && c <= 0xF4 ? 4 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xC2 && c < 0xE0 ? 2 : 0;
    return n < wanted && cph_utf8_bad_len(p, n) == n;
}

/* Appends s with replacements; stops before a character that is only begun when `hold`. Returns what was taken. */
static cph_status add_lossy(cph_buf *out, cph_str s, bool hold, size_t *taken, cph_err *err)
{
    size_t at = 0;
    while (at < s.n) {
        size_t good = cph_utf8_check(s.p + at, s.n - at);
        CPH_TRY(cph_buf_add(out, s.p + at, good, err));
        at += good;
        if (at == s.n || (hold && is_begun(s.p + at, s.n - at))) break;
        CPH_TRY(cph_buf_add(out, replacement, 3, err));
        at += cph_utf8_bad_len(s.p + at, s.n - at);
    }
    *taken = at;
    return CPH_OK;
}

static cph_status decode(const cph_tokenizer *t, const uint32_t *ids, size_t n, bool skip_special, bool raw,
                         cph_buf *out, cph_err *err)
{
    size_t start = out->n, all = 0, taken;
    for (size_t i = 0; i < n; i++) all += bytes_of(t, ids[i], skip_special).n;
    if (!all) return CPH_OK;
    CPH_TRY(cph_buf_reserve(out, all, err));
    for (size_t i = 0; i < n; i++) {
        cph_str s = bytes_of(t, ids[i], skip_special);
        memcpy(out->p + out->n, s.p, s.n);
        out->n += s.n;
    }
    out->p[out->n] = 0;
    if (raw) return CPH_OK;
    size_t good = start + cph_utf8_check(out->p + start, out->n - start);
    if (good == out->n) return CPH_OK;
    cph_buf tail;
    cph_buf_init(&tail, out->n - good);
    cph_status s = cph_buf_add(&tail, out->p + good, out->n - good, err);
    cph_buf_cut(out, good);
    if (s == CPH_OK) s = add_lossy(out, cph_buf_view(&tail), false, &taken, err);
    cph_buf_release(&tail);
    return s;
}

cph_status cph_decode(const cph_tokenizer *t, const uint32_t *ids, size_t n, bool skip_special, bool raw,
                      cph_buf *out, cph_err *err)
{
    size_t before = out->n;
    cph_status s = decode(t, ids, n, skip_special, raw, out, err);
    if (s != CPH_OK) cph_buf_cut(out, before);
    return s;
}

/* ---- streaming ---- */

void cph_decode_stream_init(cph_decode_stream *s, const cph_tokenizer *t, bool skip_special)
{
    *s = (cph_decode_stream){.t = t, .skip_special = skip_special};
    cph_buf_init(&s->held, (size_t)64 << 20);
    cph_buf_init(&s->out, (size_t)256 << 20);
}

void cph_decode_stream_release(cph_decode_stream *s)
{
    cph_buf_release(&s->held);
    cph_buf_release(&s->out);
}

static cph_status flush(cph_decode_stream *s, bool hold, cph_str *piece, cph_err *err)
{
    size_t taken;
    s->out.n = 0;
    CPH_TRY(add_lossy(&s->out, cph_buf_view(&s->held), hold, &taken, err));
    if (s->held.n) memmove(s->held.p, s->held.p + taken, s->held.n - taken);
    s->held.n -= taken;
    *piece = s->out.n ? cph_buf_view(&s->out) : CPH_STR("");
    return CPH_OK;
}

cph_status cph_decode_stream_next(cph_decode_stream *s, uint32_t id, cph_str *piece, cph_err *err)
{
    CPH_TRY(cph_buf_str(&s->held, bytes_of(s->t, id, s->skip_special), err));
    return flush(s, true, piece, err);
}

cph_status cph_decode_stream_end(cph_decode_stream *s, cph_str *piece, cph_err *err)
{
    return flush(s, false, piece, err);
}
