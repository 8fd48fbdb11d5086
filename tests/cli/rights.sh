#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a rights officer does: looks, asks why, answers, enters a letter, imports a file.
. "$(dirname "$0")/lib.sh"

ingest_sample "$work/c" || bad "ingest of the sample"
urn=URN:NBN:no-colophon_sample_
ask() { "$colophon" rights explain "$work/c" "$urn$1" --for "$2" --as-of $as_of --rulebase sample "${@:3}" 2>&1; }
says() { # says WHAT PATTERN TEXT
    if printf '%s' "$3" | grep -Eq -- "$2"; then good; else bad "$1: it does not say '$2'" "$3"; fi
}

# ---- asking ----
expect 0 "" "a free work" "$colophon" rights explain "$work/c" ${urn}0001 --for train-internal --as-of $as_of --rulebase sample
says "a free work" "Public domain in NO since 2002-01-01" "$(ask 0001 train-internal)"
expect 3 "no-basis \(RR-156\)" "a protected work" "$colophon" rights explain "$work/c" ${urn}0018 --for display --as-of $as_of --rulebase sample
expect 3 "reserved \(RR-186\)" "a reserved work" "$colophon" rights explain "$work/c" ${urn}0023 --for train-internal --as-of $as_of --rulebase sample
expect 3 "no-release-date \(RR-163\)" "a newspaper without a day of release" "$colophon" rights explain "$work/c" ${urn}0005 --for train-internal --as-of $as_of --rulebase sample
expect 0 "" "a newspaper that is old enough" "$colophon" rights explain "$work/c" ${urn}0005 --for train-internal --as-of $as_of --release $as_of --rulebase sample
expect 3 "unconfirmed-rule" "a free work under rules that nobody confirmed" "$colophon" rights explain "$work/c" ${urn}0001 --for display --as-of $as_of
expect 1 "no work" "a work that is not there" "$colophon" rights explain "$work/c" urn:none --for display --rulebase sample
expect 2 "for" "no purpose" "$colophon" rights explain "$work/c" ${urn}0001
expect 2 "forum" "a country that is none" "$colophon" rights explain "$work/c" ${urn}0001 --for display --forum Norway
expect 5 "no-such" "a collection that is not there" "$colophon" rights show "$work/no-such"
expect 5 "no-rules" "a rule base that is not there" "$colophon" rights show "$work/c" --rulebase "$work/no-rules.json"
"$colophon" rights show "$work/c" --rulebase sample --as-of $as_of --for search --json >"$work/show.json" && good || bad "rights show --json"
says "rights show --json" '"rulebase_sha256"' "$(cat "$work/show.json")"

# ---- answering ----
set_yes() { "$colophon" rights set "$work/c" ${urn}0018 --decision allow --for train-internal --basis CONSENT --by 'Kari Officer' --on 2026-11-20 --reason 'A letter of the heirs' "$@"; }
echo "Dear library, yes." >"$work/letter"
expect 0 "" "an answer" set_yes --evidence "$work/letter"
says "an answer" "Kari Officer" "$(ask 0018 train-internal)"
expect 0 "" "an answered work" "$colophon" rights explain "$work/c" ${urn}0018 --for train-internal --as-of $as_of
expect 3 "no-basis" "another purpose than the one answered" "$colophon" rights explain "$work/c" ${urn}0018 --for display --as-of $as_of
sha=$(sha256sum "$work/letter" | cut -c 1-64)
[ -f "$work/c/content/${sha:0:2}/${sha:2}" ] && good || bad "the letter was not kept"
expect 2 "by" "an answer of nobody" "$colophon" rights set "$work/c" ${urn}0018 --decision deny --for display --on 2026-11-20 --reason r
expect 4 "basis" "a basis that does not exist" "$colophon" rights set "$work/c" ${urn}0018 --decision allow --for display --basis BECAUSE --by K --on 2026-11-20 --reason r
expect 4 "purpose" "a purpose that does not exist" "$colophon" rights set "$work/c" ${urn}0018 --decision deny --for fun --by K --on 2026-11-20 --reason r

# ---- a letter ----
expect 0 "" "a letter" "$colophon" rights optout "$work/c" ${urn}0018 --from 2026-11-21 --letter "$work/letter"
expect 3 "reserved" "a letter later than the yes" "$colophon" rights explain "$work/c" ${urn}0018 --for train-internal --as-of $as_of
expect 0 "" "the day before the letter" "$colophon" rights explain "$work/c" ${urn}0018 --for train-internal --as-of 2026-11-20
expect 0 "" "a letter for a free work" "$colophon" rights optout "$work/c" ${urn}0001 --from 2026-11-21 --letter "$work/letter"
expect 0 "" "a free work is not bound" "$colophon" rights explain "$work/c" ${urn}0001 --for train-internal --as-of $as_of --rulebase sample
expect 5 "no-letter" "a letter that is not there" "$colophon" rights optout "$work/c" ${urn}0001 --from 2026-11-21 --letter "$work/no-letter"

# ---- importing ----
printf '{"kind":"block","id":"B","block":"court","work":"%s0004","purposes":["*"]}\n{"kind":"block","id":"C","block":"odd"}\n' $urn >"$work/bad.jsonl"
expect 4 "bad.jsonl:2: .*block" "a file with a fault" "$colophon" rights import "$work/c" "$work/bad.jsonl"
expect 0 "" "nothing of it was imported" "$colophon" rights explain "$work/c" ${urn}0004 --for search --as-of $as_of --rulebase sample
head -n 1 "$work/bad.jsonl" >"$work/good.jsonl"
expect 0 "" "a good file" "$colophon" rights import "$work/c" "$work/good.jsonl"
expect 3 "block-court \(RR-151\)" "what it blocked" "$colophon" rights explain "$work/c" ${urn}0004 --for search --as-of $as_of --rulebase sample
done_testing
