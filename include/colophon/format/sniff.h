/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sniff.h - what a file is, by its first bytes (readers-and-corpus 3.1).
 *
 * Threads  No state.  Memory  None.  Errors  None: what is not known is UNKNOWN.
 */
#ifndef CPH_FORMAT_SNIFF_H
#define CPH_FORMAT_SNIFF_H

#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPH_FORMAT_MAP(X)                                                                          \
    X(UNKNOWN, "unknown") X(EMPTY, "empty") X(LFS, "git-lfs pointer") X(METS, "METS") X(ALTO, "ALTO") \
    X(PAGE, "PAGE XML") X(TEI, "TEI") X(MODS, "MODS") X(DIDL, "DIDL") X(ABBYY, "ABBYY XML")            \
    X(HOCR, "hOCR") X(HTML, "HTML") X(XML, "other XML") X(JSON, "JSON lines") X(WARC, "WARC")          \
    X(ARC, "ARC") X(GZIP, "gzip") X(ZSTD, "zstd") X(BZIP2, "bzip2") X(ZIP, "zip") X(EPUB, "EPUB")      \
    X(TAR, "tar") X(TEXT, "plain text")
typedef enum cph_format {
#define CPH_FORMAT_ENUM(name, words) CPH_FORMAT_##name,
    CPH_FORMAT_MAP(CPH_FORMAT_ENUM)
#undef CPH_FORMAT_ENUM
        CPH_N_FORMATS
} cph_format;

#define CPH_SNIFF_BYTES 4096
/* `head`: the first CPH_SNIFF_BYTES of the file, or all of it when it is shorter. */
CPH_API cph_format cph_sniff(cph_str head);
CPH_API const char *cph_format_name(cph_format f);

#ifdef __cplusplus
}
#endif
#endif
