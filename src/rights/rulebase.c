/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rulebase.c - rules as data: ids, words, sources, numbers, and who confirmed them (RR-009).
 * What must stay true: a rule base names every rule that the program applies, once; its digest
 * is that of its bytes, so that a decision says exactly under which text it was made.
 */
#include "rights_in.h"

#include <colophon/base/file.h>
#include <colophon/base/memory.h>

#include <string.h>

#define RULEBASE_MAX (4u << 20)

bool cph_json_lists(const cph_json *array, cph_str word)
{
    for (const cph_json *v = array ? array->first : NULL; v; v = v->next)
        if (v->type == CPH_JSON_STRING && cph_str_eq(v->str, word)) return true;
    return false;
}

const cph_rule *cph_rule_of(const cph_rulebase *r, const char *id)
{
    for (size_t i = 0; i < r->n_rules; i++)
        if (cph_str_is(r->rules[i].id, id)) return &r->rules[i];
    return NULL;
}

bool cph_rule_confirmed(const cph_rulebase *r, const char *id, const char *forum, cph_day as_of)
{
    const cph_rule *rule = cph_rule_of(r, id);
    if (!rule || rule->confirmed_by.n == 0) return false;
    if ((rule->from && as_of < rule->from) || (rule->to && as_of > rule->to)) return false;
    return rule->countries->n == 0 || cph_json_lists(rule->countries, cph_str_of(forum));
}

int cph_rule_number(const cph_rulebase *r, const char *id, const char *name)
{
    const cph_rule *rule = cph_rule_of(r, id);
    int64_t v = 0;
    return rule && cph_json_i64(cph_json_get(rule->params, name), &v) && v > 0 && v < 10000 ? (int)v : 0;
}

bool cph_rulebase_has_forum(const cph_rulebase *r, const char *forum)
{
    return cph_json_lists(r->forums, cph_str_of(forum));
}

/* ---- reading ---- */

static cph_status day_or_open(cph_day *out, const cph_json *v, const char *key, cph_str id, cph_err *err)
{
    cph_str s = cph_json_get_str(v, key);
    if (s.n && !cph_day_parse(s, out))
        return cph_fail(err, CPH_DATA, "rule %.*s: \"%s\" is no day", CPH_FMT(id), key);
    return CPH_OK;
}

static cph_status read_rule(cph_rule *out, const cph_rulebase *r, const cph_json *v, cph_err *err)
{
    cph_rule rule = {.id = cph_json_get_str(v, "id"), .title = cph_json_get_str(v, "title"),
                     .confirmed_by = cph_str_trim(cph_json_get_str(v, "confirmed_by")),
                     .countries = cph_json_get(v, "countries"), .params = cph_json_get(v, "params")};
    if (!cph_str_starts(rule.id, "RR-"))
        return cph_fail(err, CPH_DATA, "line %u: a rule without an id RR-...", v->line);
    for (size_t i = 0; i < r->n_rules; i++)
        if (cph_str_eq(r->rules[i].id, rule.id))
            return cph_fail(err, CPH_DATA, "line %u: rule %.*s stands twice", v->line, CPH_FMT(rule.id));
    if (!rule.countries || rule.countries->type != CPH_JSON_ARRAY || !rule.params ||
        rule.params->type != CPH_JSON_OBJECT)
        return cph_fail(err, CPH_DATA, "rule %.*s: wants \"countries\" (array) and \"params\" (object)",
                        CPH_FMT(rule.id));
    CPH_TRY(day_or_open(&rule.from, v, "from", rule.id, err));
    CPH_TRY(day_or_open(&rule.to, v, "to", rule.id, err));
    *out = rule;
    return CPH_OK;
}

static cph_status complete(const cph_rulebase *r, cph_err *err)
{
    static const char *const applied[] = {CPH_RULES_APPLIED};
    static const struct { const char *id, *name;
    } numbers[] = {
        {"RR-020", "years"}, {"RR-021", "years"},       {"RR-022", "years"},
        {"RR-025", "years"}, {"RR-026", "years"},       {"RR-026", "protected_from_death"},
        {"RR-027", "years"}, {"RR-028", "years"},       {"RR-028", "after"},
        {"RR-029", "years"}, {"RR-032", "years"},       {"RR-042", "death"},
        {"RR-042", "made"},  {"RR-042", "former_made"}, {"RR-042", "former_last_year"},
        {"RR-140", "years"},
    };
    for (size_t i = 0; i < sizeof applied / sizeof applied[0]; i++)
        if (!cph_rule_of(r, applied[i])) return cph_fail(err, CPH_DATA, "rule %s is missing", applied[i]);
    /* A term of no years would set works free: a missing number is an error, not a zero. */
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (!cph_rule_number(r, numbers[i].id, numbers[i].name))
            return cph_fail(err, CPH_DATA, "rule %s: the number \"%s\" is missing", numbers[i].id,
                            numbers[i].name);
    return CPH_OK;
}

static cph_status parse(cph_rulebase *r, cph_str text, const char *name, cph_err *err)
{
    cph_json *v;
    cph_str copy;
    void *block;
    int64_t version = 0;
    CPH_TRY(cph_arena_str(&r->a, &copy, text, err));
    CPH_TRY(cph_json_parse(&v, &r->a, copy, name, NULL, err));
    const cph_json *rules = cph_json_get(v, "rules");
    if (!cph_json_i64(cph_json_get(v, "v"), &version) || version != 1 || !rules ||
        rules->type != CPH_JSON_ARRAY)
        return cph_fail(err, CPH_DATA, "is no rule base of version 1");
    /* A copy, because a string inside of JSON does not end with NUL. */
    CPH_TRY(cph_arena_str(&r->a, &r->name, cph_json_get_str(v, "name"), err));
    r->notice = cph_json_get_str(v, "notice");
    r->forums = cph_json_get(v, "forums");
    r->weights_licences = cph_json_get(v, "weights_licences");
    cph_json_bool(cph_json_get(v, "sample"), &r->sample);
    r->digest = cph_sha256_of(text.p, text.n);
    CPH_TRY(cph_arena_alloc0(&r->a, &block, rules->n + 1u, sizeof *r->rules, err));
    r->rules = block;
    for (const cph_json *rule = rules->first; rule; rule = rule->next) {
        CPH_TRY(read_rule(&r->rules[r->n_rules], r, rule, err));
        r->n_rules++;
    }
    return complete(r, err);
}

static cph_status read_text(cph_buf *b, const char *name, cph_err *err)
{
    const char *const *lines = strcmp(name, "sample") == 0  ? cph_rulebase_sample_lines
                               : strcmp(name, "house") == 0 ? cph_rulebase_house_lines
                                                            : NULL;
    if (!lines) return cph_file_read(name, RULEBASE_MAX, b, err);
    for (; *lines; lines++) CPH_TRY(cph_buf_z(b, *lines, err));
    return CPH_OK;
}

cph_status cph_rulebase_open(cph_rulebase **out, const char *name, cph_err *err)
{
    void *block;
    cph_buf text;
    CPH_TRY(cph_alloc0(&block, sizeof **out, err));
    cph_rulebase *r = block;
    cph_arena_init(&r->a, 8 * (size_t)RULEBASE_MAX);
    cph_buf_init(&text, RULEBASE_MAX);
    cph_status s = read_text(&text, name, err);
    if (s == CPH_OK) {
        s = parse(r, cph_buf_view(&text), name, err);
        /* A file of that name must not pass for ours: only the built-in one is the sample. */
        if (s == CPH_OK && r->sample && strcmp(name, "sample") != 0)
            s = cph_fail(err, CPH_DATA, "says that it is the sample rule base, which is built in");
        if (s != CPH_OK) cph_err_prefix(err, "rule base %s", name);
    }
    cph_buf_release(&text);
    if (s != CPH_OK) {
        cph_rulebase_close(r);
        return s;
    }
    *out = r;
    return CPH_OK;
}

void cph_rulebase_close(cph_rulebase *r)
{
    if (!r) return;
    cph_arena_release(&r->a);
    cph_free(r);
}

cph_digest cph_rulebase_digest(const cph_rulebase *r) { return r->digest; }
const char *cph_rulebase_name(const cph_rulebase *r) { return r->name.p; }
bool cph_rulebase_is_sample(const cph_rulebase *r) { return r->sample; }
