/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arith_option.h - what --arith may say in the bench programs: a name, "default", or "bf16" for the
 * default's kind of bf16 or else the one that has the same bits on every processor.
 */
#ifndef CPH_PROGRAMS_ARITH_OPTION_H
#define CPH_PROGRAMS_ARITH_OPTION_H

#include <colophon/tensor/op.h>

#include <string.h>

static bool arith_option(const char *text, cph_arith *out)
{
    cph_arith usual = cph_arith_default(NULL);
    if (strcmp(text, "default") == 0) *out = usual;
    else if (strcmp(text, "bf16") == 0) *out = usual == CPH_ARITH_BF16_DOT ? usual : CPH_ARITH_BF16_FMA;
    else return cph_arith_parse(text, out);
    return true;
}

#endif
