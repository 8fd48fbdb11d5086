/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unicode.h - what kind of character this is, in frozen tables.
 *
 * The classes are those of Unicode 16.0 and the lower-case mapping that of 17.0,
 * as Hugging Face tokenizers 0.23.2 has them (tokenizers 17): equal ids demand
 * equal tables. Sentence ends and normalisation (nfc.h) are of Unicode 15.0.
 *
 * Invariant  The tables change only with a new version number in manifests.
 * Threads    No state.
 * Memory     None.
 * Errors     None: a value above U+10FFFF has no class and maps to itself.
 */
#ifndef CPH_TEXT_UNICODE_H
#define CPH_TEXT_UNICODE_H

#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_UNICODE_VERSION "15.0"         /* of sealed text: NFC; goes to identity.versions.unicode */
#define CPH_UNICODE_CLASSES_VERSION "16.0" /* of the classes below: goes there in tokenizers */

enum cph_char_class {
    CPH_CHAR_LETTER = 1,      /* L */
    CPH_CHAR_NUMBER = 2,      /* N */
    CPH_CHAR_MARK = 4,        /* M */
    CPH_CHAR_SPACE = 8,       /* White_Space, 25 characters */
    CPH_CHAR_UPPER = 16,      /* Lu, Lt */
    CPH_CHAR_LOWER = 32,      /* Ll */
    CPH_CHAR_PUNCTUATION = 64,/* P */
    CPH_CHAR_SYMBOL = 128     /* S */
};

/* Two stages: cph_char_page[cp >> 7] names a page of 128 classes. */
extern CPH_API const uint8_t cph_char_page[0x110000 >> 7];
extern CPH_API const uint8_t cph_char_classes[][128];

/* All classes of a character, ORed. */
static inline unsigned cph_char_class_of(uint32_t cp)
{
    return cp < 0x110000 ? cph_char_classes[cph_char_page[cp >> 7]][cp & 127] : 0u;
}
static inline bool cph_char_is(uint32_t cp, unsigned classes)
{
    return (cph_char_class_of(cp) & classes) != 0;
}

/* \w of the Rust regex crate: Alphabetic, M, Nd, Pc, Join_Control. */
CPH_API bool cph_char_is_word(uint32_t cp);
/* Ends a sentence (Sentence_Terminal, and U+2026): . ! ? ... */
CPH_API bool cph_char_is_terminal(uint32_t cp);
/* Lower case, one character for one, without context or locale (U+0130 gives "i"). */
CPH_API uint32_t cph_char_lower(uint32_t cp);
/* Appends `valid` in lower case (U+0130 gives "i" U+0307, as Hugging Face has it). */
CPH_API cph_status cph_lower(cph_buf *out, cph_str valid, cph_err *err) CPH_MUST_USE;

/* Words of valid UTF-8 as white space parts them. */
CPH_API size_t cph_word_count(cph_str valid);
/* Cuts the next word off *rest; false when there is none left. */
CPH_API bool cph_word_next(cph_str *rest, cph_str *word);
/* The last character before closing quotes, brackets and white space ends a sentence. */
CPH_API bool cph_text_ends_sentence(cph_str valid);

#ifdef __cplusplus
}
#endif
#endif
