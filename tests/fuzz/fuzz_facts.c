/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_facts.c - rights facts as somebody may send them: the forms at the door, and every
 * purpose decided about whatever passes. A decision's record is canonical, and a second
 * look at the same facts gives the same record.
 */
#include <colophon/rights/decide.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decide_all(cph_arena *a, const cph_case *c, const cph_rulebase *rules)
{
    cph_policy p;
    cph_decision first, second;
    cph_policy_init(&p);
    p.as_of = 20261123;
    p.release = 20261123;
    p.ladder = (cph_ladder){true, 125, 140, 140};
    for (int purpose = 0; purpose < CPH_N_PURPOSES; purpose++) {
        p.purpose = (cph_purpose)purpose;
        if (cph_decide(&first, a, c, &p, rules, NULL) != CPH_OK) continue;
        if (cph_decide(&second, a, c, &p, rules, NULL) != CPH_OK ||
            cph_digest_cmp(&first.hash, &second.hash) != 0)
            abort();
        if (first.answer == CPH_ALLOW && cph_str_is(first.basis, "NONE")) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const kinds[] = {"work",  "edition",       "licence", "signal",
                                        "block", "determination", "version"};
    static cph_rulebase *rules;
    cph_arena a;
    cph_json *v;
    cph_work w;
    cph_case c;
    if (!rules && cph_rulebase_open(&rules, "sample", NULL) != CPH_OK) abort();
    cph_arena_init(&a, (size_t)64 << 20);
    if (cph_json_parse(&v, &a, (cph_str){(const char *)data, size}, "fuzz", NULL, NULL) == CPH_OK) {
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            if (cph_fact_check(kinds[i], v, NULL) != CPH_OK) continue;
        if (cph_case_parse(&c, &w, &a, v, NULL) == CPH_OK) decide_all(&a, &c, rules);
    }
    cph_arena_release(&a);
    return 0;
}
