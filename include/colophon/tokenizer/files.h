/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.h - a tokenizer as files that other tools read, and as a sealed artefact.
 *
 * tokenizer.json is written byte for byte as the Hugging Face core writes it; the
 * other four files are what Transformers looks for beside it.
 *
 * Invariant  A tokenizer that is opened and written again gives the same bytes
 *            (modulo pretty or compact form).
 * Threads    A tokenizer may be written by several threads at once.
 * Memory     One file's text at a time.
 * Errors     CPH_IO; CPH_DATA, CPH_USAGE as in tokenizer.h.
 */
#ifndef CPH_TOKENIZER_FILES_H
#define CPH_TOKENIZER_FILES_H

#include <colophon/base/json.h>
#include <colophon/tokenizer/tokenizer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Appends tokenizer.json: pretty with two blanks a level, or one line. */
CPH_API cph_status cph_tokenizer_json(cph_buf *b, const cph_tokenizer *t, bool pretty,
                                      cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_tokenizer_vocab_json(cph_buf *b, const cph_tokenizer *t, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_tokenizer_merges_txt(cph_buf *b, const cph_tokenizer *t, cph_err *err) CPH_MUST_USE;

/*
 * Writes tokenizer.json, vocab.json, merges.txt, tokenizer_config.json and
 * special_tokens_map.json into an existing directory, as Transformers loads them
 * for GPT-2. model_max_length 0: not stated.
 */
CPH_API cph_status cph_tokenizer_write_hf(const cph_tokenizer *t, const char *dir, uint32_t model_max_length,
                                          cph_err *err) CPH_MUST_USE;

/*
 * The same five files and a colophon.json of kind tokenizer in a new directory
 * out_dir. `identity` comes from cph_identity_new, with whatever the caller knows:
 * parents, policy, as_of, options; counts vocabulary and merges are added. *digest may be NULL.
 */
CPH_API cph_status cph_tokenizer_seal(const cph_tokenizer *t, const char *out_dir, cph_arena *a,
                                      cph_json *identity, cph_json *run, cph_digest *digest,
                                      cph_err *err) CPH_MUST_USE;

/*
 * Reads a .tiktoken file (token bytes in base64, a blank, the rank) as byte-level BPE
 * in the layout of GPT-2: the rank is the id, merges are recovered from the ranks
 * (tokenizers 8.1.4), `specials` get the next ids.
 */
CPH_API cph_status cph_tokenizer_from_tiktoken(cph_tokenizer **out, const char *path, const cph_str *specials,
                                               size_t n_specials, cph_err *err) CPH_MUST_USE;

/* From the text of a tokenizer.json; `name` stands in messages. */
CPH_API cph_status cph_tokenizer_parse(cph_tokenizer **out, cph_str text, const char *name,
                                       cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
