/* SPDX-License-Identifier: Apache-2.0 */
/* rights_in.h - what the files of this room share. */
#ifndef CPH_RIGHTS_IN_H
#define CPH_RIGHTS_IN_H

#include <colophon/rights/decide.h>

/* The same day `years` earlier; 29 February becomes 28 February (section 8.2, embargo). */
cph_day cph_day_years_before(cph_day d, int years);

#endif
