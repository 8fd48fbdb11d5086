/* SPDX-License-Identifier: Apache-2.0 */
/*
 * normalise.h - the steps that every paragraph goes through before it is sealed
 * (readers-and-corpus 18), each switchable, each counted.
 *
 *   1 nfc        canonical composition
 *   2 controls   controls, U+FEFF, U+200B, U+2060, U+00AD are removed
 *   3 spaces     every Unicode space becomes U+0020, runs become one, ends are trimmed
 *   4 mojibake   UTF-8 read as Latin-1 or Windows-1252 is read again, only where the
 *                result is valid and shorter
 *   5 ligatures  U+FB00..FB06 become letters
 *   6 old_letters  long s, r rotunda, letters with e above become today's letters
 *   7 blanks     a blank before , . ; : ! ? goes (with `french`: only before , and .)
 *
 * Quotes and dashes are never touched. Steps run in an order in which none undoes
 * another (4 first, 1 after what it composes); without 4, normalising twice
 * changes nothing more.
 *
 * Invariant  With `nfc` set, what is appended is valid UTF-8 in NFC.
 * Threads    No state.
 * Memory     Appends to the caller's buffer; scratch for one paragraph.
 * Errors     CPH_DATA for input that is not valid UTF-8; CPH_NOMEM.
 */
#ifndef CPH_TEXT_NORMALISE_H
#define CPH_TEXT_NORMALISE_H

#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_normalise_opts {
    bool nfc, controls, spaces, ligatures; /* true */
    bool mojibake, old_letters, blanks;    /* false */
    bool french;    /* false: see step 7 */
    bool keep_lines; /* false. true: LF stays (verse): a run with an LF in it becomes one LF */
} cph_normalise_opts;
CPH_API void cph_normalise_opts_init(cph_normalise_opts *o);
/* "nfc controls spaces ligatures" in order of the steps, for the manifest. */
CPH_API cph_status cph_normalise_list(cph_buf *out, const cph_normalise_opts *o, cph_err *err) CPH_MUST_USE;

/* How often each step changed something; added to, never cleared. */
typedef struct cph_normalise_counts {
    uint64_t nfc;         /* paragraphs that NFC changed */
    uint64_t controls;    /* characters removed */
    uint64_t spaces;      /* white space characters replaced or removed */
    uint64_t mojibake;    /* paragraphs repaired */
    uint64_t ligatures;   /* characters replaced */
    uint64_t old_letters; /* characters replaced */
    uint64_t blanks;      /* blanks removed */
} cph_normalise_counts;

/* Appends the normalised paragraph; it may be empty. counts may be NULL. */
CPH_API cph_status cph_text_normalise(cph_buf *out, cph_str paragraph, const cph_normalise_opts *o,
                                      cph_normalise_counts *counts, cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
