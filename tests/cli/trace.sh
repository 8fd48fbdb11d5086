#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A sentence of the training text is found with work, page and right; the words around are shown only where a
# decision for `snippet` allows it, and never when there is nobody to ask.
. "$(dirname "$0")/lib.sh"
whole_line "$work/l" || { bad "the line runs"; done_testing; }
must "$colophon" index "$work/l/tokens" --out "$work/l/index"
free='Den siste fyrvokteren het Jens Olai Varhaug. Han var en lang og taus mann med lyse øine'
press='Kystverket har besluttet at lyset på Ytre Sundøy fyr skal slokkes for godt fra nyttår.'
trace() { "$colophon" trace "$work/l/index" "$@"; }
says() { # says WHAT PATTERN COMMAND...
    local what=$1 pattern=$2; shift 2
    "$@" >"$work/said" 2>&1 && grep -Eq -- "$pattern" "$work/said" && good || bad "$what: it does not say '$pattern'" "$(cat "$work/said")"
}
says "a free work is named with its page" 'Fyrvokterens bok, page 2 \(printed 2\) - trained on as PD - URN:NBN:no-colophon_sample_0001' trace "$free"
says "words around a free work are shown" 'around it: .*\[\.\.\.\] , og han hadde' trace "$free"
says "a press article is named" 'trained on as ECL\(NO-PRESS\) - URN:NBN:no-colophon_sample_0006' trace "$press"
says "words around a press article are not shown" 'may not be shown \(RR-156\)' trace "$press"
says "what no free work has is counted" 'longest that no public-domain work has: [1-9]' trace "$press"
says "a text that is nobody's" 'no span of 8 tokens or more' trace "Zebras quietly juxtapose vexing xylophones, whatever."
trace "$free" --json | jq -e '.spans[0].places[0] | .shown and .basis == "PD" and .page and (.image_sha256 | length == 64)' >/dev/null && good || bad "the JSON lacks its members"
image=$(trace "$free" --json | jq -r '.spans[0].places[0].image_sha256')
found=$(find "$root/sample/collection/sample_0001" -type f ! -name '*.xml' -exec sha256sum {} + | grep -c "^$image")
same "the page image named is a file of the collection" "$found" 1
echo '{"kind":"block","id":"T1","block":"takedown","work":"URN:NBN:no-colophon_sample_0001","purposes":["snippet"],"from":"2026-11-01"}' > "$work/block.jsonl"
must "$colophon" rights import "$work/l/collection" "$work/block.jsonl"
says "a block set after the build binds at once" 'may not be shown \(RR-151\)' trace "$free"
says "and not before its day" 'around it: ' trace "$free" --as-of 2026-10-31
expect 5 "no-such" "a catalogue that is named and not there" "$colophon" trace "$work/l/index" "$free" --collection "$work/no-such"
mv "$work/l/collection" "$work/elsewhere"
says "without a catalogue no words are shown" 'there is no catalogue to ask' trace "$free"
mv "$work/elsewhere" "$work/l/collection"
expect 4 "not valid UTF-8" "a text that is no UTF-8" "$colophon" trace "$work/l/index" "$(printf 'a\377')"
expect 2 "" "an index that is a token set" "$colophon" trace "$work/l/tokens" x
expect 1 "tokens" "an index whose token set is gone" sh -c "mv '$work/l/tokens' '$work/away'; '$colophon' trace '$work/l/index' x; s=\$?; mv '$work/away' '$work/l/tokens'; exit \$s"
done_testing
