/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors_in.h - what the reader and the writer share: types and sizes. */
#ifndef CPH_SAFETENSORS_IN_H
#define CPH_SAFETENSORS_IN_H

#include <colophon/format/safetensors.h>

#define CPH_ST_MAX_HEADER 100000000u

extern const uint8_t cph_st_bits[CPH_ST_N_TYPES];
/* Elements and bytes from type and dims; false when they overflow or end inside a byte. */
bool cph_st_sizes(cph_st_tensor *t);

#endif
