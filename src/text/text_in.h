/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_in.h - the generated tables, and what the files of text share.
 */
#ifndef CPH_TEXT_IN_H
#define CPH_TEXT_IN_H

#include <colophon/text/nfc.h>
#include <colophon/text/normalise.h>
#include <colophon/text/unicode.h>

/* Bit 0: \w. Bit 1: ends a sentence. From bit 2: index into cph_case_distance. */
extern const uint8_t cph_case_page[0x110000 >> 7];
extern const uint16_t cph_case_cells[][128];
extern const int32_t cph_case_distance[];

/* Low byte: ccc. Bit 8: the NFC quick check does not say Yes. From bit 9: number of the
 * canonical decomposition, cph_normal_pool[start[number - 1] .. start[number]). */
extern const uint8_t cph_normal_page[0x110000 >> 6];
extern const uint32_t cph_normal_cells[][64];
extern const uint32_t cph_normal_pool[];
extern const uint16_t cph_normal_start[];

/* (first, second, composed), sorted; without the composition exclusions and Hangul. */
extern const uint32_t cph_compositions[][3];
extern const size_t cph_n_compositions;

static inline unsigned case_cell(uint32_t cp)
{
    return cp < 0x110000 ? cph_case_cells[cph_case_page[cp >> 7]][cp & 127] : 0u;
}

static inline uint32_t normal_cell(uint32_t cp)
{
    return cp < 0x110000 ? cph_normal_cells[cph_normal_page[cp >> 6]][cp & 63] : 0u;
}

#endif
