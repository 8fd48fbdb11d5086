/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hyphen.c - what two halves of a word become (HYP-03 to HYP-07). The producer's
 * word comes first; where it gives none, or shows that it did not know, the
 * collection's own lexicon decides. Who the halves are is flow.c's to find.
 */
#include <colophon/text/unicode.h>

#include <string.h>

#include "corpus_in.h"

/* ---- signs ---- */

typedef struct sign {
    size_t n;      /* bytes at the end of the token; 0: none */
    bool certain;  /* U+00AC and U+00AD always join */
    bool plain;    /* '-' */
} sign;

static sign sign_of(cph_str s, bool equals)
{
    static const struct {
        const char *z;
        bool certain;
    } all[] = {{"-", false},
               {"\xC2\xAC", true},
               {"\xC2\xAD", true},
               {"\xE2\xB8\x97", false},
               {"\xE2\x80\x90", false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (cph_str_ends(s, all[i].z)) return (sign){strlen(all[i].z), all[i].certain, i == 0};
    if (equals && cph_str_ends(s, "=")) return (sign){1, false, false};
    return (sign){0, false, false};
}

static uint32_t first_char(cph_str s)
{
    uint32_t cp = 0;
    return s.n && cph_utf8_decode(s.p, s.n, &cp) ? cp : 0;
}

static uint32_t last_char(cph_str s)
{
    uint32_t cp = 0;
    size_t i = s.n;
    while (i > 0 && ((uint8_t)s.p[--i] & 0xC0) == 0x80) {}
    return s.n && cph_utf8_decode(s.p + i, s.n - i, &cp) ? cp : 0;
}

#define WORDLIKE (CPH_CHAR_LETTER | CPH_CHAR_NUMBER | CPH_CHAR_MARK)

bool cph_hyphen_ends(const cph_token *t, bool equals)
{
    sign g = sign_of(t->text, equals);
    if (!g.n) return t->hyp_element && cph_char_is(last_char(t->text), WORDLIKE);
    return cph_char_is(last_char(cph_str_sub(t->text, 0, t->text.n - g.n)), WORDLIKE);
}

/* ---- languages ---- */

static const struct language {
    const char *code, *tag; /* ISO 639-3; BCP 47, which wants the shortest */
    const char *others[2];
} languages[] = {{"nor", "no", {"no"}}, {"nob", "nb", {"nb"}},        {"nno", "nn", {"nn"}},
                 {"dan", "da", {"da"}}, {"swe", "sv", {"sv"}},        {"deu", "de", {"de", "ger"}},
                 {"eng", "en", {"en"}}, {"fra", "fr", {"fr", "fre"}}, {"nld", "nl", {"nl", "dut"}},
                 {"fin", "fi", {"fi"}}, {"sme", "se", {"se"}},        {"isl", "is", {"is", "ice"}},
                 {"fao", "fo", {"fo"}}, {"lat", "la", {"la"}},        {"und", "und", {"mul", "zxx"}}};
#define N_LANGUAGES (sizeof languages / sizeof *languages)

cph_str cph_lang_code(cph_str stated)
{
    size_t cut = 0;
    while (cut < stated.n && stated.p[cut] != '-' && stated.p[cut] != '_') cut++;
    cph_str s = cph_str_sub(stated, 0, cut);
    if (!s.n) return CPH_STR("und");
    for (size_t i = 0; i < N_LANGUAGES; i++) {
        const struct language *l = &languages[i];
        for (int k = 0; k < 2; k++)
            if (l->others[k] && cph_str_is_fold(s, l->others[k])) return cph_str_of(l->code);
    }
    return s;
}

cph_str cph_lang_tag(cph_str code)
{
    for (size_t i = 0; i < N_LANGUAGES; i++)
        if (cph_str_is(code, languages[i].code)) return cph_str_of(languages[i].tag);
    return code;
}

/*
 * Words after which a hyphen is suspended ("inn- og utland"), by language: "en" and
 * "et" are Norwegian endings and French, Dutch conjunctions.
 */
static bool coordinates(cph_str lang, cph_str word)
{
    static const struct {
        const char *lang, *words[4];
    } all[] = {{"nor", {"og", "eller", "samt"}},
               {"nob", {"og", "eller", "samt"}},
               {"nno", {"og", "eller", "samt"}},
               {"dan", {"og", "eller", "samt"}},
               {"swe", {"och", "eller", "samt"}},
               {"fao", {"og"}},
               {"isl", {"og"}},
               {"deu", {"und", "oder"}},
               {"fin", {"ja", "tai", "sek\xC3\xA4"}},
               {"eng", {"and", "or"}},
               {"fra", {"et", "ou"}},
               {"nld", {"en", "of"}},
               {"sme", {"ja", "dahje"}},
               {"sma", {"j\xC3\xAFh"}},
               {"und", {"og", "och", "und", "eller"}}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t k = 0; cph_str_is(lang, all[i].lang) && k < 4 && all[i].words[k]; k++)
            if (cph_str_is(word, all[i].words[k])) return true;
    return false;
}

/* ---- HYP-05: no word of the producer's ---- */

static cph_status put3(cph_buf *b, cph_str x, const char *y, cph_str z, cph_err *err)
{
    CPH_TRY(cph_buf_str(b, x, err));
    CPH_TRY(cph_buf_z(b, y, err));
    return cph_buf_str(b, z, err);
}

static cph_status frequency(const cph_hyphen_ctx *x, cph_str stem, const char *between, cph_str second,
                            uint64_t *n, cph_err *err)
{
    cph_buf word;
    *n = 0;
    if (!x->lexicon) return CPH_OK;
    cph_buf_init(&word, 1u << 20);
    cph_status s = put3(&word, stem, between, second, err);
    if (s == CPH_OK) s = cph_lexicon_count(x->lexicon, x->lang, cph_buf_view(&word), n, err);
    cph_buf_release(&word);
    return s;
}

/* HYP-07: the k of "Zuk-ker" is the c of "Zucker". */
static bool may_be_ck(const cph_hyphen_ctx *x, cph_str stem, cph_str second)
{
    return cph_str_is(x->lang, "deu") && cph_str_ends(stem, "k") && cph_str_starts(second, "k");
}

static cph_status by_lexicon(const cph_hyphen_ctx *x, cph_str stem, cph_str second, cph_buf *text,
                             cph_hyphen_counts *n, cph_err *err)
{
    uint64_t joined, hyphenated, with_c = 0;
    cph_str less = cph_str_sub(stem, 0, stem.n - 1);
    bool ck = may_be_ck(x, stem, second);
    CPH_TRY(frequency(x, stem, "", second, &joined, err));
    CPH_TRY(frequency(x, stem, "-", second, &hyphenated, err));
    if (ck) CPH_TRY(frequency(x, less, "c", second, &with_c, err));
    if (with_c > joined && with_c >= hyphenated) {
        n->ck++;
        return put3(text, less, "c", second, err);
    }
    if (joined >= hyphenated) n->joined++;
    else n->kept++;
    return put3(text, stem, joined >= hyphenated ? "" : "-", second, err);
}

/* `paired`: the producer says that these are halves, whatever their letters look like. */
static cph_status decide(const cph_hyphen_ctx *x, cph_str whole, cph_str stem, sign g, cph_str second,
                         bool paired, cph_buf *text, cph_join *how, cph_hyphen_counts *n, cph_err *err)
{
    uint32_t left = last_char(stem), right = first_char(second);
    *how = CPH_JOIN_ONE;
    if (!paired && (!cph_char_is(left, WORDLIKE) || !cph_char_is(right, WORDLIKE))) {
        *how = CPH_JOIN_APART;
        return cph_buf_str(text, whole, err);
    }
    if (g.certain) {
        n->joined++;
        return put3(text, stem, "", second, err);
    }
    /* 1830-31, B-52, Nord-Norge: a hard hyphen */
    if (cph_char_is(right, CPH_CHAR_NUMBER | CPH_CHAR_UPPER)) {
        n->kept++;
        return put3(text, stem, "-", second, err);
    }
    if (!paired && coordinates(x->lang, second)) {
        *how = CPH_JOIN_APART;
        n->suspended++;
        return put3(text, stem, "-", (cph_str){"", 0}, err);
    }
    return by_lexicon(x, stem, second, text, n, err);
}

/* ---- HYP-03, HYP-04 ---- */

/* True when `s` is `plain` without some of the punctuation at its end (Fol + den- -> Folden). */
static bool lost_its_end(cph_str s, cph_str plain)
{
    if (s.n >= plain.n || memcmp(s.p, plain.p, s.n) != 0) return false;
    for (size_t i = s.n, n; i < plain.n; i += n) {
        uint32_t cp = 0;
        n = cph_utf8_decode(plain.p + i, plain.n - i, &cp);
        if (!n || cph_char_is(cp, WORDLIKE)) return false;
    }
    return true;
}

static bool keeps_hyphen(cph_str s, cph_str stem, cph_str second)
{
    if (s.n <= stem.n + second.n || memcmp(s.p, stem.p, stem.n) != 0) return false;
    cph_str rest = cph_str_sub(s, stem.n, s.n);
    cph_str middle = cph_str_sub(rest, 0, rest.n - second.n);
    return cph_str_eq(cph_str_sub(rest, middle.n, rest.n), second) && sign_of(middle, false).n == middle.n;
}

static cph_str producers_word(const cph_token *first, const cph_token *second)
{
    if (first->hyphen != CPH_HYP_PART1) return (cph_str){"", 0};
    cph_str s = cph_str_trim(first->subs);
    return s.n || second->hyphen != CPH_HYP_PART2 ? s : cph_str_trim(second->subs);
}

cph_status cph_hyphen_join(const cph_hyphen_ctx *x, const cph_token *first, cph_str text_1,
                           const cph_token *second, cph_buf *text, cph_join *how, cph_hyphen_counts *n,
                           cph_err *err)
{
    cph_str word = producers_word(first, second), two = second->text;
    sign g = sign_of(text_1, x->equals);
    cph_str stem = cph_str_sub(text_1, 0, text_1.n - g.n);
    uint32_t last = last_char(text_1);
    *how = CPH_JOIN_ONE;
    if (first->hyphen == CPH_HYP_PART1 && (last == 0x2013 || last == 0x2014)) {
        n->dash_kept++;
        return put3(text, text_1, "", two, err);
    }
    size_t at = text->n;
    CPH_TRY(put3(text, stem, "", two, err));
    cph_str plain = cph_str_sub(cph_buf_view(text), at, text->n - at);
    if (word.n && cph_str_eq(word, plain)) {
        n->agree++;
        return CPH_OK;
    }
    if (word.n && lost_its_end(word, plain)) {
        n->restored++;
        return CPH_OK;
    }
    text->n = at;
    if (word.n && !keeps_hyphen(word, stem, two)) {
        n->differ++;
        return cph_buf_str(text, word, err);
    }
    bool paired = first->hyphen == CPH_HYP_PART1 && second->hyphen == CPH_HYP_PART2;
    return decide(x, text_1, stem, g, two, paired, text, how, n, err);
}
