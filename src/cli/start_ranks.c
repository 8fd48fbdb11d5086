/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start_ranks.c - --ranks: one command run by many processes. Rank 0 speaks, prints and asks; the
 * others are silent, unless rank 0 is the one that died.
 */
#include <colophon/base/log.h>
#include <colophon/model/model.h>
#include <colophon/provenance/manifest.h>

#include <string.h>
#include <unistd.h>

#include "frame.h"

#define GRACE_S 3.0 /* for a rank to come back from what it does, when another has died */

static void lost(void *ctx, const cph_err *why)
{
    const cli *c = ctx;
    if (cph_comm_speaks(c->comm)) cli_complain(why, why->status, c->command->name);
    _exit(cph_status_exit(why->status));
}

static cph_status start(cli *c, const char *how, cph_err *err)
{
    uint64_t n;
    if (strcmp(how, "mpi") == 0) return cph_comm_load(&c->comm, how, err);
    if (cph_str_u64(cph_str_of(how), &n) && n >= 1 && n <= CPH_COMM_MAX)
        return cph_comm_fork(&c->comm, (unsigned)n, err);
    return cph_fail(err, CPH_USAGE, "--ranks is '%s'; it must be a number from 1 to %u, or mpi", how, CPH_COMM_MAX);
}

cph_status cli_ranks(cli *c, cph_comm **out, cph_err *err)
{
    CPH_TRY(start(c, cli_str(c, "ranks"), err));
    *out = c->comm;
    if (!c->comm) return CPH_OK;
    cph_comm_on_loss(c->comm, GRACE_S, lost, c);
    if (cph_comm_rank(c->comm)) cph_log_set((cph_log_sink){0});
    cli_tell_run(c);
    return CPH_OK;
}
