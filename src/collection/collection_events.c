/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collection_events.c - the append-only event log, Merkle tree A (rights-and-provenance 11, 12).
 * What must stay true: seq has no gaps, a leaf never changes, and the log holds no person's name:
 * names and payloads stand in event_private, which may be erased.
 */
#include "collection_in.h"

#include <colophon/provenance/merkle.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#define EVENT_MAX (16u << 20)

static const char *const types[] = {
    "ingest",
    "fact",
    "decision-batch",
    "optout-evidence",
    "rulebase",
    "licence",
    "corpus-release",
    "training-run",
    "checkpoint",
    "audit",
    "model-release",
    "takedown-received",
    "takedown-decided",
    "takedown-executed",
    "withdrawal",
    "notice",
    "export",
    "download",
    "key",
    "canary-commitment",
};

static bool known_type(const char *type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i], type) == 0) return true;
    return false;
}

static void now_text(char out[32])
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* {v, seq, time, type, actor_ref, subject[], payload_sha256, refs[]} as canonical JSON. */
static cph_status event_json(cph_buf *out, cph_arena *a, const cph_collection *c, int64_t seq,
                             const char *type, cph_str actor, cph_str subjects, cph_str payload, cph_err *err)
{
    cph_json *e, *list, *refs;
    char hex[CPH_HEX_DIGEST] = "", time_text[32];
    CPH_TRY(cph_json_new(&e, a, CPH_JSON_OBJECT, err));
    CPH_TRY(cph_json_parse(&list, a, subjects.n ? subjects : CPH_STR("[]"), "event subjects", NULL, err));
    if (list->type != CPH_JSON_ARRAY) return cph_fail(err, CPH_BUG, "event %s: subjects are no array", type);
    CPH_TRY(cph_json_new(&refs, a, CPH_JSON_ARRAY, err));
    if (actor.n) {
        cph_sha256 h;
        cph_sha256_init(&h);
        cph_sha256_add(&h, c->salt, strlen(c->salt));
        cph_sha256_add(&h, actor.p, actor.n);
        cph_digest d = cph_sha256_end(&h);
        cph_digest_hex(&d, hex);
    }
    CPH_TRY(cph_json_set_str(e, a, "actor_ref", cph_str_of(hex), err));
    cph_digest d = cph_sha256_of(payload.p, payload.n);
    cph_digest_hex(&d, hex);
    now_text(time_text);
    CPH_TRY(cph_json_set_str(e, a, "payload_sha256", cph_str_of(hex), err));
    CPH_TRY(cph_json_set(e, a, "refs", refs, err));
    CPH_TRY(cph_json_set_i64(e, a, "seq", seq, err));
    CPH_TRY(cph_json_set(e, a, "subject", list, err));
    CPH_TRY(cph_json_set_str(e, a, "time", cph_str_of(time_text), err));
    CPH_TRY(cph_json_set_str(e, a, "type", cph_str_of(type), err));
    CPH_TRY(cph_json_set_i64(e, a, "v", 1, err));
    return cph_json_canonical(out, e, err);
}

static cph_status next_seq(cph_collection *c, int64_t *out, cph_err *err)
{
    cph_sql q;
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "SELECT coalesce(max(seq) + 1, 0) FROM event", err);
    if (s == CPH_OK) s = cph_sql_step(&q, err);
    if (s == CPH_OK) *out = cph_sql_i64(&q, 0);
    cph_sql_end(&q);
    return s;
}

static cph_status insert_event(cph_collection *c, int64_t seq, cph_str json, cph_str actor, cph_str payload,
                               cph_err *err)
{
    cph_sql q;
    cph_digest leaf = cph_merkle_leaf(json.p, json.n);
    cph_status s = cph_sql_prepare(&q, c->db, c->path, "INSERT INTO event VALUES(?,?,?)", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "itb", seq, json, &leaf);
    if (s == CPH_OK) s = cph_sql_run(&q, err);
    cph_sql_end(&q);
    if (s == CPH_OK) s = cph_sql_prepare(&q, c->db, c->path, "INSERT INTO event_private VALUES(?,?,?)", err);
    if (s == CPH_OK) s = cph_sql_bind(&q, err, "itt", seq, actor, payload);
    if (s == CPH_OK) s = cph_sql_run(&q, err);
    cph_sql_end(&q);
    return s;
}

cph_status cph_event_append(cph_collection *c, const char *type, cph_str actor, cph_str subjects_json,
                            cph_str payload_json, cph_err *err)
{
    if (!known_type(type)) return cph_fail(err, CPH_BUG, "the event log has no type %s", type);
    int64_t seq = 0;
    cph_arena a;
    cph_buf json, payload;
    cph_json *v;
    cph_arena_init(&a, EVENT_MAX);
    cph_buf_init(&json, EVENT_MAX);
    cph_buf_init(&payload, EVENT_MAX);
    cph_status s = cph_collection_begin(c, err);
    if (s != CPH_OK) goto released;
    s = cph_json_parse(&v, &a, payload_json.n ? payload_json : CPH_STR("{}"), "event payload", NULL, err);
    if (s == CPH_OK) s = cph_json_canonical(&payload, v, err);
    if (s == CPH_OK) s = next_seq(c, &seq, err);
    if (s == CPH_OK)
        s = event_json(&json, &a, c, seq, type, actor, subjects_json, cph_buf_view(&payload), err);
    if (s == CPH_OK) s = insert_event(c, seq, cph_buf_view(&json), actor, cph_buf_view(&payload), err);
    if (s == CPH_OK)
        s = cph_collection_commit(c, err);
    else
        cph_collection_rollback(c);
released:
    cph_buf_release(&payload);
    cph_buf_release(&json);
    cph_arena_release(&a);
    return s;
}

cph_status cph_collection_event(cph_collection *c, const char *type, cph_str subjects_json,
                                cph_str payload_json, cph_err *err)
{
    char actor[sizeof c->actor];
    cph_collection_lock(c);
    memcpy(actor, c->actor, sizeof actor);
    cph_status s = cph_event_append(c, type, cph_str_of(actor), subjects_json, payload_json, err);
    cph_collection_unlock(c);
    return s;
}
