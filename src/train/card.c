/* SPDX-License-Identifier: Apache-2.0 */
/*
 * card.c - README.md of a model: the card that Hugging Face shows.
 *
 * It says what the manifest says, in words, and nothing that nobody checked: no licence
 * is claimed that the policy did not state.
 */
#include "train_in.h"

#include <stdio.h>

#define CARD_MAX ((size_t)1 << 20)

/* A name in Markdown's table or text: what would mark something up is left as a blank. */
static cph_status plain(cph_buf *b, cph_str s, cph_err *err)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool marks =
            c == '|' || c == '`' || c == '<' || c == '>' || c == '[' || c == ']' || c == '\n' || c == '*';
        CPH_TRY(cph_buf_char(b, marks ? ' ' : c, err));
    }
    return CPH_OK;
}

static cph_status front(cph_buf *b, const cph_trainer *t, cph_err *err)
{
    CPH_TRY(cph_buf_z(
        b,
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- gpt2\n- colophon\n---\n\n# ",
        err));
    CPH_TRY(plain(b, cph_path_base(cph_str_of(t->o.out)), err));
    return cph_buf_printf(
        b, err,
        "\n\nA %s language model, trained with Colophon. What it was made from, and under which rights, stands in "
        "`colophon.json`; `colophon show` prints it, `colophon verify` checks every byte of it.\n\n",
        cph_model_family(t->model));
}

static cph_status facts(cph_buf *b, const cph_trainer *t, cph_err *err)
{
    uint64_t n = 0;
    for (size_t i = 0; i < cph_model_n_params(t->model); i++) n += cph_model_param(t->model, i)->n;
    CPH_TRY(cph_buf_printf(
        b, err, "| | |\n|---|---|\n| parameters | %llu |\n| vocabulary | %u |\n| positions | %u |\n",
        (unsigned long long)n, cph_model_vocab_size(t->model), cph_model_max_positions(t->model)));
    CPH_TRY(cph_buf_printf(
        b, err,
        "| steps | %u |\n| tokens read, repeats included | %llu |\n| loss of the last step | %.4f |\n",
        t->at.step, (unsigned long long)t->at.tokens, t->at.loss));
    if (t->at.held_out_loss >= 0)
        CPH_TRY(cph_buf_printf(b, err, "| loss on works held out | %.4f |\n", t->at.held_out_loss));
    return cph_buf_printf(b, err, "| arithmetic | fp32, numerics " CPH_NUMERICS " |\n| seed | %llu |\n\n",
                          (unsigned long long)t->o.seed);
}

static cph_status rights(cph_buf *b, const cph_trainer *t, cph_arena *a, cph_err *err)
{
    const cph_json *identity = cph_manifest_identity(cph_tokens_manifest(t->tokens));
    const cph_json *policy = cph_json_get(identity, "policy");
    cph_share *s;
    size_t n;
    CPH_TRY(cph_shares_of(t, false, a, &s, &n, err));
    CPH_TRY(cph_buf_z(b,
                      "## What it read, by right\n\n| basis | documents | tokens read |\n|---|---:|---:|\n",
                      err));
    for (size_t i = 0; i < n; i++) {
        CPH_TRY(cph_buf_z(b, "| ", err));
        CPH_TRY(plain(b, s[i].name, err));
        CPH_TRY(cph_buf_printf(b, err, " | %llu | %llu |\n", (unsigned long long)s[i].records,
                               (unsigned long long)s[i].tokens));
    }
    CPH_TRY(cph_buf_z(b, "\n## What it may be used for\n\nThe corpus was permitted for **", err));
    CPH_TRY(plain(b, cph_json_get_str(policy, "purpose"), err));
    CPH_TRY(cph_buf_z(b, "** (tier ", err));
    CPH_TRY(plain(b, cph_json_get_str(policy, "tier"), err));
    CPH_TRY(cph_buf_z(b, ", forum ", err));
    CPH_TRY(plain(b, cph_json_get_str(policy, "forum"), err));
    CPH_TRY(cph_buf_z(b, ", as of ", err));
    CPH_TRY(plain(b, cph_json_get_str(identity, "as_of"), err));
    return cph_buf_z(b, "). Nothing here permits more than that.\n", err);
}

static cph_status base(cph_buf *b, const cph_trainer *t, cph_err *err)
{
    if (!t->has_base || t->base_sealed) return CPH_OK;
    return cph_buf_z(
        b,
        "\n**Part of this model is of unknown origin**: it was trained further from a model that has no colophon.\n",
        err);
}

cph_status cph_train_card(const cph_trainer *t, const char *dir, cph_err *err)
{
    char path[CPH_PATH_MAX];
    cph_arena a;
    cph_buf b;
    cph_arena_init(&a, (size_t)16 << 20);
    cph_buf_init(&b, CARD_MAX);
    cph_status s = cph_path_join(path, dir, "README.md", err);
    if (s == CPH_OK) s = front(&b, t, err);
    if (s == CPH_OK) s = facts(&b, t, err);
    if (s == CPH_OK) s = rights(&b, t, &a, err);
    if (s == CPH_OK) s = base(&b, t, err);
    if (s == CPH_OK) s = cph_file_write(path, b.p, b.n, err);
    cph_buf_release(&b);
    cph_arena_release(&a);
    return s;
}
