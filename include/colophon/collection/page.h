/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - one page as its file states it: blocks, lines, tokens.
 *
 * Ingest fills it, the collection stores it as one zstd-compressed JSON value,
 * build reads it back. Nothing that depends on another page or object is here.
 *
 * Invariant  Token text is valid UTF-8 in NFC and not empty. Tokens stand in
 *            order; each block names a range of lines, each line a range of tokens.
 * Threads    A value; one thread at a time.
 * Memory     Arrays and texts live in the arena given to decode.
 * Errors     CPH_DATA: the JSON is not a page.
 */
#ifndef CPH_COLLECTION_PAGE_H
#define CPH_COLLECTION_PAGE_H

#include <colophon/base/json.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a block stands on the page (ALTO's five places). */
#define CPH_PLACE_MAP(X) X(print) X(top) X(left) X(right) X(bottom)
typedef enum cph_place {
#define CPH_PLACE_ENUM(name) CPH_PLACE_##name,
    CPH_PLACE_MAP(CPH_PLACE_ENUM)
#undef CPH_PLACE_ENUM
        CPH_N_PLACES
} cph_place;

/* Roles of readers-and-corpus 15, as the producer states them or the position says. */
#define CPH_ROLE_MAP(X)                                                                            \
    X(body) X(heading) X(verse) X(caption) X(footnote) X(marginalia) X(running_head)               \
    X(page_number) X(signature) X(table) X(list) X(toc) X(index) X(formula) X(advertisement)       \
    X(front) X(back) X(title_page) X(imprint) X(speaker) X(stage_note) X(image_text) X(noise)
typedef enum cph_role {
#define CPH_ROLE_ENUM(name) CPH_ROLE_##name,
    CPH_ROLE_MAP(CPH_ROLE_ENUM)
#undef CPH_ROLE_ENUM
        CPH_N_ROLES
} cph_role;
CPH_API const char *cph_role_name(cph_role r);
CPH_API bool cph_role_parse(cph_str s, cph_role *out);

typedef enum cph_hyphen { CPH_HYP_NONE, CPH_HYP_PART1, CPH_HYP_PART2 } cph_hyphen;

#define CPH_UNKNOWN_BOX INT32_MIN

typedef struct cph_box {
    int32_t x, y, w, h; /* thousandths of the page's width and height; CPH_UNKNOWN_BOX when not known */
} cph_box;

typedef struct cph_token {
    cph_str text;
    cph_str subs;       /* SUBS_CONTENT, or empty */
    cph_box box;
    int16_t wc;         /* word confidence in hundredths; -1 not given; 101: manually corrected */
    uint8_t hyphen;     /* cph_hyphen, as SUBS_TYPE says */
    bool hyp_element;   /* a HYP element follows it */
    bool space_before;  /* by SP or by the gap rule (section 16); false for the first of a line */
} cph_token;

typedef struct cph_line {
    uint32_t first_token, n_tokens;
    cph_box box;
} cph_line;

typedef struct cph_block {
    cph_str id;         /* as in the file */
    cph_str lang;       /* as stated; may be empty */
    cph_str division;   /* id of the logical division that claims it, or empty: unlinked */
    cph_place place;
    cph_role role;
    cph_str type;       /* TYPE of the ComposedBlock around it, or empty */
    uint32_t first_line, n_lines;
    cph_box box;
} cph_block;

typedef struct cph_page {
    cph_block *blocks;
    cph_line *lines;
    cph_token *tokens;
    uint32_t n_blocks, n_lines, n_tokens;
    cph_str engine, engine_version, ocr_date, lang; /* of the OCR; may be empty */
    bool gap_mode;      /* spaces come from geometry, not from SP */
    /* LAW-1: strings in = tokens + empty; drops and joins come later, in build. */
    uint32_t n_strings, n_empty;
} cph_page;

/* Deterministic: the same page gives the same bytes. */
CPH_API cph_status cph_page_encode(cph_buf *b, const cph_page *p, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_page_decode(cph_page *p, cph_arena *a, cph_str json, const char *name,
                                   cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
