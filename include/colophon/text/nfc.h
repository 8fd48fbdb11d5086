/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nfc.h - Normalization Form C of Unicode 15.0 (UAX 15).
 *
 * Text of a sealed corpus is in NFC. Most text is so already: the quick check
 * decides it in one pass and the text is then copied as it is.
 *
 * Invariant  cph_nfc(cph_nfc(x)) == cph_nfc(x).
 * Threads    No state.
 * Memory     cph_nfc appends to the caller's buffer; a run of more than 30 marks
 *            on one base is sorted in a buffer that grows with the run.
 * Errors     CPH_NOMEM; CPH_DATA for bytes that are not valid UTF-8.
 */
#ifndef CPH_TEXT_NFC_H
#define CPH_TEXT_NFC_H

#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

/* True: in NFC without doubt. False: cph_nfc has to decide. */
CPH_API bool cph_nfc_quick(cph_str valid);
/* Appends the NFC of s. */
CPH_API cph_status cph_nfc(cph_buf *out, cph_str s, cph_err *err) CPH_MUST_USE;
/* Canonical decomposition (NFD) without the composition after it. */
CPH_API cph_status cph_nfd(cph_buf *out, cph_str s, cph_err *err) CPH_MUST_USE;
/* Canonical_Combining_Class; 0 for starters. */
CPH_API unsigned cph_char_ccc(uint32_t cp);

#ifdef __cplusplus
}
#endif
#endif
