/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_verify.c - recomputes artefacts and says what differs; exit 1 when something does.
 */
#include <colophon/workflow/verify.h>

#include <colophon/provenance/manifest.h>

#include <sys/random.h>

#include "cli.h"

static cph_status print_report(cli *c, const cph_verify_report *r, cph_err *err)
{
    cph_buf b;
    cph_buf_init(&b, (size_t)1 << 30);
    cph_status s =
        cli_json(c) ? cph_verify_json(&b, r, err) : cph_verify_text(&b, r, cli_flag(c, "list"), err);
    if (s == CPH_OK) cli_write(c, b.p, b.n);
    cph_buf_release(&b);
    return s;
}

/* The first thing that differs, in a sentence. */
static cph_status say_damage(const cph_verify_report *r, const char *path, cph_err *err)
{
    const cph_verify_row *first = r->rows;
    while (first->grade != CPH_DAMAGED) first++;
    const cph_verify_artefact *a = &r->artefacts[first->artefact];
    cph_fail(err, CPH_NO, "%.*s: %.*s: %.*s", CPH_FMT(a->path), CPH_FMT(first->subject),
             CPH_FMT(first->what));
    if (r->replay && (r->replay->n_differ || r->replay->model_differs))
        cph_hint(err, "other steps were done than those that the seals name, or what they gave was changed; "
                      "all that differs: colophon verify --list --replay %u --seed %llu %s",
                 r->replay->n_drawn, (unsigned long long)r->replay->seed, path);
    else if (r->n_damaged > 1)
        cph_hint(err, "%llu things differ in all: colophon verify --list %s",
                 (unsigned long long)r->n_damaged, path);
    else if (cph_digest_cmp(&a->digest, &(cph_digest){{0}}) == 0)
        cph_hint(err, "an artefact's directory is wanted, or a collection; one whose %s is lost or damaged "
                      "is restored from a copy", CPH_MANIFEST_NAME);
    else
        cph_hint(err, "it was changed after sealing; restore it from a copy");
    return CPH_NO;
}

/* A seed that whoever made the run could not know beforehand. */
static cph_status draw_seed(uint64_t *seed, cph_err *err)
{
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return cph_fail_errno(err, "no random numbers for the draw");
    *seed = random >> 24; /* short enough to be typed */
    return CPH_OK;
}

static cph_status fill_replay(const cli *c, cph_verify_opts *o, cph_err *err)
{
    static const char *const belongs[] = {"tokens", "run", "seed"};
    uint64_t n = cli_u64(c, "replay");
    for (size_t i = 0; !cli_given(c, "replay") && i < sizeof belongs / sizeof *belongs; i++)
        if (cli_given(c, belongs[i])) return cph_fail(err, CPH_USAGE, "--%s is for --replay", belongs[i]);
    if (!cli_given(c, "replay")) return CPH_OK;
    if (!n) return cph_fail(err, CPH_USAGE, "--replay wants at least one segment");
    o->replay = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    o->run = cli_str(c, "run");
    o->tokens = cli_str(c, "tokens");
    o->replay_seed = cli_u64(c, "seed");
    return cli_given(c, "seed") ? CPH_OK : draw_seed(&o->replay_seed, err);
}

static cph_status run(cli *c, cph_err *err)
{
    cph_arena a;
    cph_verify_report r;
    const char *dirs[64];
    cph_verify_opts o = {.parents = dirs, .alone = cli_flag(c, "alone")};
    for (; o.n_parents < cli_n_list(c, "parents") && o.n_parents < 64; o.n_parents++)
        dirs[o.n_parents] = cli_list(c, "parents", o.n_parents);
    CPH_TRY(fill_replay(c, &o, err));
    CPH_TRY(cli_pool(c, &o.pool, err));
    cph_arena_init(&a, 0);
    cph_status s = cph_verify(cli_arg(c, 0), &o, &a, &r, err);
    if (s == CPH_OK) s = print_report(c, &r, err);
    if (s == CPH_OK && r.n_damaged) s = say_damage(&r, cli_arg(c, 0), err);
    cph_arena_release(&a);
    return s;
}

static const cli_opt opts[] = {
    {"list", CLI_FLAG, CLI_RUN, NULL, NULL, "name every file that differs, not the first alone"},
    {"alone", CLI_FLAG, CLI_RUN, NULL, NULL,
     "check this artefact without the artefacts that it was made from"},
    {"parents", CLI_LIST, CLI_RUN, "DIR", NULL,
     "look for parents below this directory, too. They are found by digest; the places that the run "
     "recorded and the neighbours of ARTEFACT are looked at anyway"},
    {"replay", CLI_U64, CLI_RUN, "N", NULL,
     "of a model: run N of the segments between its checkpoints again, drawn at random, and compare "
     "the bytes"},
    {"run", CLI_STR, CLI_RUN, "DIR", NULL, "with --replay: where the checkpoints lie; MODEL.run when left out"},
    {"tokens", CLI_STR, CLI_RUN, "DIR", NULL,
     "with --replay: the token set; found by its digest, as every parent is, when left out"},
    {"seed", CLI_U64, CLI_RUN, "N", NULL,
     "with --replay: draws the same segments again; drawn anew, and printed, when left out"},
    {0}};

const cli_command cmd_verify = {
    .name = "verify",
    .args = "ARTEFACT",
    .min_args = 1,
    .max_args = 1,
    .summary = "recompute an artefact and say what differs",
    .about = "Reads every byte of ARTEFACT and of the artefacts that it was made from, as far as they can be "
             "reached: manifests, files, the roots from the content itself. A changed bit, a missing file or "
             "one too many is named.\n\n"
             "Of a collection, which is not sealed, it reads every source file against the newest "
             "snapshot.\n\n"
             "What cannot be checked here is marked: a parent that is not reachable, a private file that a "
             "published copy does without. Exit 1 when something differs.\n\n"
             "Roots and proofs bind a list of works to a manifest. --replay binds it to the weights: "
             "from the token set and the earlier of two neighbouring checkpoints (step 0: from the seed "
             "or the base model) the steps between them are done again, and must give the later one, "
             "byte for byte. Every checkpoint that was kept is looked at: as sealed, following the one "
             "before it, fed in the token set's order; the last one must be the model. With N of M "
             "segments one false segment escapes with probability 1 - N/M, which is printed. A run that "
             "is to be audited wants `train --keep-every`: where checkpoints were removed, segments are "
             "long. A model of other numerics or another arithmetic than this build and processor have "
             "is refused (exit 5), not reported as fraud.",
    .examples = "colophon verify demo/model\n"
                "colophon verify demo/model --list  # all that differs\n"
                "colophon verify published/model --parents /archive/corpora\n"
                "colophon verify demo/model --replay 3  # is it what its works made of it?",
    .opts = opts,
    .run = run};
