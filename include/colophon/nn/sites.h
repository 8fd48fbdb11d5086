/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sites.h - the named places where random numbers are drawn (engine 7.2).
 *
 * A site is a number of this table with the layer in its low bits; never a position
 * on the tape, so that a refactored tape cannot change a run. Numbers are for ever:
 * add at the end.
 */
#ifndef CPH_NN_SITES_H
#define CPH_NN_SITES_H

#define CPH_SITE_LAYERS 1024u
#define CPH_SITE(number, layer) ((number) * CPH_SITE_LAYERS + (layer))

enum {
    CPH_SITE_INIT = 1,       /* initial weights */
    CPH_SITE_EMBED_DROP = 2, /* embed.drop */
    CPH_SITE_ATTN_DROP = 3,  /* h.attn.drop: attention probabilities */
    CPH_SITE_RESID_ATTN = 4, /* h.attn.resid.drop */
    CPH_SITE_RESID_MLP = 5,  /* h.mlp.resid.drop */
    CPH_SITE_SAMPLE = 6      /* the draw of a generated token: slot = prompt, step = position */
};

#endif
