/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fact_forms.c - what a statement must look like before a catalogue takes it (section 2.1).
 * What must stay true: who enters a fact hears at once what cannot be understood; the engine
 * behind it still reads malformed permissions as none and malformed reservations as made.
 */
#include "rights_in.h"

#include <string.h>

static bool among(cph_str s, const char *const *list)
{
    for (; *list; list++)
        if (cph_str_is(s, *list)) return true;
    return false;
}

static cph_status need_text(const cph_json *v, const char *key, cph_str *out, cph_err *err)
{
    cph_str s = {"", 0};
    if (!cph_json_str(cph_json_get(v, key), &s) || s.n == 0)
        return cph_fail(err, CPH_DATA, "\"%s\" is missing", key);
    if (out) *out = s;
    return CPH_OK;
}

static cph_status need_word(const cph_json *v, const char *key, const char *const *list, cph_err *err)
{
    cph_str s;
    CPH_TRY(need_text(v, key, &s, err));
    if (among(s, list)) return CPH_OK;
    cph_fail(err, CPH_DATA, "\"%s\" has the unknown value \"%.*s\"", key, CPH_FMT(s));
    cph_buf b; /* the hint names the list */
    cph_buf_init(&b, 220);
    for (; *list; list++)
        if (cph_buf_printf(&b, NULL, "%s ", *list) != CPH_OK) break;
    cph_status status = cph_hint(err, "one of: %.*s", CPH_FMT(cph_str_trim(cph_buf_view(&b))));
    cph_buf_release(&b);
    return status;
}

static cph_status day_if_there(const cph_json *v, const char *key, bool needed, cph_err *err)
{
    cph_str s = {"", 0};
    cph_day unused;
    const cph_json *m = cph_json_get(v, key);
    if (!m && !needed) return CPH_OK;
    if (!cph_json_str(m, &s) || (s.n == 0 && needed))
        return cph_fail(err, CPH_DATA, "\"%s\" is missing or no day", key);
    if (s.n && !cph_day_parse(cph_str_sub(s, 0, 10), &unused))
        return cph_fail(err, CPH_DATA, "\"%s\" is no day (yyyy-mm-dd): \"%.*s\"", key, CPH_FMT(s));
    return CPH_OK;
}

static cph_status purposes_of(const cph_json *v, bool needed, cph_err *err)
{
    const cph_json *list = cph_json_get(v, "purposes");
    if (!list && !needed) return CPH_OK;
    if (!list || list->type != CPH_JSON_ARRAY || (needed && list->n == 0))
        return cph_fail(err, CPH_DATA, "\"purposes\" wants an array of purposes");
    for (const cph_json *p = list->first; p; p = p->next) {
        cph_purpose unused;
        if (p->type == CPH_JSON_STRING && (cph_str_is(p->str, "*") || cph_str_is(p->str, "train-*")))
            continue;
        if (p->type != CPH_JSON_STRING || !cph_purpose_parse(p->str, &unused))
            return cph_fail(err, CPH_DATA, "\"purposes\": there is no purpose \"%.*s\"", CPH_FMT(p->str));
    }
    return CPH_OK;
}

static cph_status texts_of(const cph_json *v, const char *key, bool needed, cph_err *err)
{
    const cph_json *list = cph_json_get(v, key);
    if (!list && !needed) return CPH_OK;
    if (!list || list->type != CPH_JSON_ARRAY || (needed && list->n == 0))
        return cph_fail(err, CPH_DATA, "\"%s\" wants an array of texts", key);
    for (const cph_json *e = list->first; e; e = e->next)
        if (e->type != CPH_JSON_STRING || e->str.n == 0)
            return cph_fail(err, CPH_DATA, "\"%s\" wants an array of texts", key);
    return CPH_OK;
}

static cph_status obligations_of(const cph_json *v, cph_err *err)
{
    const cph_json *list = cph_json_get(v, "obligations");
    CPH_TRY(texts_of(v, "obligations", false, err));
    for (const cph_json *o = list ? list->first : NULL; o; o = o->next)
        if (!cph_obligation_known(o->str))
            return cph_fail(err, CPH_DATA, "there is no obligation \"%.*s\"", CPH_FMT(o->str));
    return CPH_OK;
}

static cph_status evidence_of(const cph_json *v, cph_err *err)
{
    const cph_json *m = cph_json_get(v, "evidence_sha256");
    cph_digest unused;
    if (!m || m->type == CPH_JSON_NULL) return CPH_OK;
    if (m->type != CPH_JSON_STRING || !cph_digest_parse(m->str, &unused))
        return cph_fail(err, CPH_DATA, "\"evidence_sha256\" wants 64 hexadecimal digits");
    return CPH_OK;
}

/* "work", or "works": somebody must be meant. */
static cph_status scope_of(const cph_json *v, cph_err *err)
{
    cph_str scope = cph_json_get_str(v, "scope");
    if (scope.n && !cph_str_is(scope, "work"))
        return cph_fail(err, CPH_DATA, "\"scope\" %.*s: only the scope work can be entered yet",
                        CPH_FMT(scope));
    if (cph_json_get(v, "works")) return texts_of(v, "works", true, err);
    return need_text(v, "work", NULL, err);
}

static cph_status licence_form(const cph_json *v, cph_err *err)
{
    static const char *const types[] = {"contract", "consent", "ecl-press", "ecl-books", "ecl-tdm", NULL};
    const cph_json *covers = cph_json_get(v, "covers_pd");
    cph_str window = cph_json_get_str(v, "window");
    uint64_t years;
    bool flag;
    CPH_TRY(need_text(v, "id", NULL, err));
    CPH_TRY(need_word(v, "type", types, err));
    CPH_TRY(purposes_of(v, true, err));
    CPH_TRY(texts_of(v, "countries", false, err));
    CPH_TRY(texts_of(v, "forms", false, err));
    CPH_TRY(day_if_there(v, "from", false, err));
    CPH_TRY(day_if_there(v, "to", false, err));
    if (window.n &&
        (window.p[window.n - 1] != 'y' || !cph_str_u64(cph_str_sub(window, 0, window.n - 1), &years)))
        return cph_fail(err, CPH_DATA, "\"window\" wants years, as in \"1y\"");
    if (covers && !cph_json_bool(covers, &flag) && !cph_str_is(covers->str, "yes") &&
        !cph_str_is(covers->str, "no"))
        return cph_fail(err, CPH_DATA, "\"covers_pd\" wants yes or no");
    CPH_TRY(obligations_of(v, err));
    return scope_of(v, err);
}

static cph_status signal_form(const cph_json *v, cph_err *err)
{
    static const char *const kinds[] = {"rightsholder_letter", "cmo_blanket", "licence_withdrawal",
                                        "edition_withdrawal", NULL};
    static const char *const values[] = {"reserved", "withdrawn", "clear", NULL};
    CPH_TRY(need_word(v, "signal", kinds, err));
    CPH_TRY(need_word(v, "value", values, err));
    CPH_TRY(purposes_of(v, false, err));
    CPH_TRY(day_if_there(v, "seen_at", true, err));
    CPH_TRY(evidence_of(v, err));
    return scope_of(v, err);
}

static cph_status block_form(const cph_json *v, cph_err *err)
{
    static const char *const kinds[] = {"takedown", "court", "privacy", "suppression", NULL};
    CPH_TRY(need_text(v, "id", NULL, err));
    CPH_TRY(need_word(v, "block", kinds, err));
    CPH_TRY(purposes_of(v, true, err));
    CPH_TRY(texts_of(v, "countries", false, err));
    CPH_TRY(day_if_there(v, "from", false, err));
    CPH_TRY(day_if_there(v, "to", false, err));
    return scope_of(v, err);
}

static cph_status determination_form(const cph_json *v, cph_err *err)
{
    static const char *const answers[] = {"ALLOW", "DENY", NULL};
    cph_str basis = cph_json_get_str(v, "basis");
    CPH_TRY(need_text(v, "work", NULL, err));
    CPH_TRY(purposes_of(v, true, err));
    CPH_TRY(need_word(v, "decision", answers, err));
    if (cph_str_is(cph_json_get_str(v, "decision"), "ALLOW") && !cph_basis_known(basis))
        return cph_fail(err, CPH_DATA,
                        "\"basis\" has the unknown value \"%.*s\" (CONSENT, LIC-CONTRACT, PD ...)",
                        CPH_FMT(basis));
    CPH_TRY(need_text(v, "by", NULL, err));
    CPH_TRY(day_if_there(v, "on", true, err));
    CPH_TRY(need_text(v, "reason", NULL, err));
    CPH_TRY(day_if_there(v, "from", false, err));
    CPH_TRY(day_if_there(v, "to", false, err));
    CPH_TRY(texts_of(v, "countries", false, err));
    CPH_TRY(obligations_of(v, err));
    return evidence_of(v, err);
}

static cph_status work_form(const cph_json *v, cph_err *err)
{
    cph_arena a;
    cph_work w;
    cph_arena_init(&a, (size_t)64 << 20);
    cph_status s = cph_work_parse(&w, &a, v, err);
    cph_arena_release(&a);
    return s;
}

cph_status cph_fact_check(const char *kind, const cph_json *facts, cph_err *err)
{
    if (!facts || facts->type != CPH_JSON_OBJECT)
        return cph_fail(err, CPH_DATA, "the facts are no JSON object");
    CPH_TRY(texts_of(facts, "replaces", false, err));
    if (strcmp(kind, "work") == 0) return work_form(facts, err);
    if (strcmp(kind, "licence") == 0) return licence_form(facts, err);
    if (strcmp(kind, "signal") == 0) return signal_form(facts, err);
    if (strcmp(kind, "block") == 0) return block_form(facts, err);
    if (strcmp(kind, "determination") == 0) return determination_form(facts, err);
    if (strcmp(kind, "version") == 0) return need_text(facts, "object", NULL, err);
    if (strcmp(kind, "edition") == 0) return texts_of(facts, "works", false, err);
    return cph_fail(err, CPH_DATA, "no kind of fact is called \"%.40s\"", kind);
}
