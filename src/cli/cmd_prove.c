/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_prove.c - proves that a work is in an artefact, or out; checks proof files.
 */
#include <colophon/workflow/prove.h>

#include "cli.h"

static cph_status print_answer(cli *c, const cph_prove_answer *answer, cph_err *err)
{
    cph_buf b;
    cph_status s = CPH_OK;
    cph_buf_init(&b, (size_t)1 << 30);
    const char *out = cli_str(c, "out");
    if (out || cli_json(c)) {
        s = cph_json_write(&b, answer->file, 1, err);
        if (s == CPH_OK) s = cph_buf_char(&b, '\n', err);
    }
    if (s == CPH_OK && out && answer->holds) s = cph_file_write(out, b.p, b.n, err);
    if (s == CPH_OK && cli_json(c)) cli_write(c, b.p, b.n);
    if (s == CPH_OK && !cli_json(c)) cli_write(c, answer->explain.p, answer->explain.n);
    cph_buf_release(&b);
    return s;
}

static cph_status check(cli *c, cph_arena *a, cph_prove_answer *answer, cph_err *err)
{
    cph_digest root;
    bool named = cli_given(c, "root");
    if (cli_n_args(c)) return cph_fail(err, CPH_USAGE, "--check takes a proof file and no artefact");
    if (named != cli_given(c, "size"))
        return cph_fail(err, CPH_USAGE, "--root and --size belong together: a root does not bind the size");
    if (named && !cph_digest_parse(cph_str_of(cli_str(c, "root")), &root))
        return cph_fail(err, CPH_USAGE, "--root '%s' is no digest of 64 hexadecimal digits",
                        cli_str(c, "root"));
    return cph_prove_check(cli_str(c, "check"), named ? &root : NULL, cli_u64(c, "size"), a, answer, err);
}

static cph_status ask(cli *c, cph_arena *a, cph_prove_answer *answer, cph_err *err)
{
    static const char *const names[] = {"work", "document", "absent"}; /* as cph_prove_about */
    const char *dirs[64];
    cph_prove_ask q = {.parents = dirs};
    unsigned n = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (!cli_given(c, names[i])) continue;
        q.about = (cph_prove_about)i;
        q.name = cph_str_of(cli_str(c, names[i]));
        n++;
    }
    if (n != 1)
        return cph_fail(err, CPH_USAGE,
                        "exactly one of --work URN, --document ID, --absent URN and --check FILE is wanted");
    if (cli_n_args(c) != 1) return cph_fail(err, CPH_USAGE, "prove wants an ARTEFACT: a model, token set or corpus");
    if (cli_given(c, "root") || cli_given(c, "size"))
        return cph_fail(err, CPH_USAGE, "--root and --size go with --check");
    q.path = cli_arg(c, 0);
    for (; q.n_parents < cli_n_list(c, "parents") && q.n_parents < 64; q.n_parents++)
        dirs[q.n_parents] = cli_list(c, "parents", q.n_parents);
    return cph_prove(&q, a, answer, err);
}

static cph_status run(cli *c, cph_err *err)
{
    cph_arena a;
    cph_prove_answer answer = {.holds = false};
    cph_arena_init(&a, 0);
    cph_status s = cli_given(c, "check") ? check(c, &a, &answer, err) : ask(c, &a, &answer, err);
    if (s == CPH_OK) s = print_answer(c, &answer, err);
    if (s == CPH_OK && !answer.holds)
        s = cph_fail(err, CPH_NO, "the answer is no: %.*s", CPH_FMT(answer.reason));
    cph_arena_release(&a);
    return s;
}

static const cli_opt opts[] = {
    {"work", CLI_STR, CLI_RUN, "URN", NULL,
     "prove that this work is in: all its leaves, and the neighbours on both sides"},
    {"document", CLI_STR, CLI_RUN, "ID", NULL, "prove that this document is in"},
    {"absent", CLI_STR, CLI_RUN, "URN", NULL,
     "prove that this work is out: of the artefact and of all that it was made from"},
    {"out", CLI_STR, CLI_RUN, "FILE", NULL, "write the proof to this file"},
    {"parents", CLI_LIST, CLI_RUN, "DIR", NULL,
     "look for parents below this directory, too. They are found by digest; the places that the run "
     "recorded and the neighbours of ARTEFACT are looked at anyway"},
    {"check", CLI_STR, CLI_RUN, "FILE", NULL, "check a proof file; no artefact is needed"},
    {"root", CLI_STR, CLI_RUN, "HEX", NULL, "with --check: the root that you know from elsewhere"},
    {"size", CLI_U64, CLI_RUN, "N", NULL, "with --check: the number of leaves that belongs to the root"},
    {0}};

const cli_command cmd_prove = {
    .name = "prove",
    .args = "[ARTEFACT]",
    .max_args = 1,
    .summary = "prove that a work is in an artefact, or that it is not",
    .about = "The proof holds without the artefact: whoever has the root and the size of the sealed tree can "
             "check it.\n\n"
             "Absence is asked of the artefact and of everything that it was made from. A base model without "
             "a colophon, a parent that cannot be reached, or a document of the work that was dropped as a "
             "copy of another one makes the answer no, with the reason.\n\n"
             "A proof speaks of the sealed list of works. It does not speak of the weights, unless the run "
             "was replayed (colophon verify MODEL --replay N); and it speaks of one URN, not of another edition or of a quotation.",
    .examples = "colophon prove demo/model --work URN:NBN:no-colophon_sample_0001 --out in.json\n"
                "colophon prove demo/model --absent URN:NBN:no-colophon_sample_0020 --out out.json\n"
                "colophon prove --check out.json --root HEX --size 31",
    .opts = opts,
    .run = run};
