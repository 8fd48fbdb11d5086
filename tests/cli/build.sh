#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# build: what is given is whole and what is refused is nowhere; the figures of the NLN sample book; sentences for mistakes.
. "$(dirname "$0")/lib.sh"

ask="--for train-internal --as-of $as_of --release $as_of --rulebase sample"
must ingest_sample "$work/c"
must "$colophon" build "$work/c" $ask --out "$work/k1" --threads 1 --quiet
must "$colophon" build "$work/c" $ask --out "$work/k5" --threads 5 --quiet
same "digest at 1 and 5 threads" "$(digest "$work/k1")" "$(digest "$work/k5")"
expect 0 "" "verify" "$colophon" verify "$work/k1"
zstd -dcq "$work"/k1/shard-*.jsonl.zst "$work"/k1/dropped.jsonl.zst > "$work/public"
cat "$work"/k1/*.md "$work"/k1/*.html "$work"/k1/*.csv "$work"/k1/*.json* >> "$work/public"
zstd -dcq "$work/k1/decisions.jsonl.zst" > "$work/decisions"
refused=$(grep -v '"decision":"ALLOW"' "$work/decisions" | grep -o '"work":"[^"]*"' | cut -d'"' -f4 | sort -u)
[ -n "$refused" ] && good || bad "the sample has works that are refused"
for urn in $refused; do
    grep -qF "\"$urn\"" "$work/public" && bad "$urn was refused and stands in the corpus" || good
done
same "records and side-car lines" "$(zstd -dcq "$work"/k1/shard-00000.jsonl.zst | wc -l)" "$(zstd -dcq "$work"/k1/shard-00000.prov.jsonl.zst | wc -l)"

expect 0 "" "a dry run" "$colophon" build "$work/c" $ask --dry-run
grep -q "refused  RR-156" "$work/.out" && good || bad "a dry run tells the tally" "$(cat "$work/.out")"
expect 3 "nothing may be used for export" "a purpose that nothing permits" "$colophon" build "$work/c" --for export --as-of $as_of --out "$work/x"
absent "$work/x" "$work/x.tmp"
expect 2 "exists" "a place that is taken" "$colophon" build "$work/c" $ask --out "$work/k1"
expect 2 "--for" "no purpose" "$colophon" build "$work/c" --out "$work/x"
expect 2 "--out" "no place" "$colophon" build "$work/c" --for search
expect 2 "capital" "a country that is none" "$colophon" build "$work/c" --for search --forum Norge --out "$work/x"
expect 2 "max-chars" "parts that are too small" "$colophon" build "$work/c" $ask --max-chars 3 --out "$work/x"
expect 5 "no collection" "a collection that is missing" "$colophon" build "$work/none" --for search --out "$work/x"
absent "$work/x" "$work/x.tmp"

# The book of Appendix B: for a purpose that a person permits.
if [ -e "$shared/data/collections/notram" ]; then
    must "$colophon" ingest "$shared/data/collections/notram/digibook_sample_alto" --into "$work/b" --quiet
    expect 3 "RR-156|RR-153" "nobody has determined the book" "$colophon" build "$work/b" --for train-internal --as-of $as_of --out "$work/x"
    urn=$("$colophon" rights show "$work/b" | tail -n 1 | cut -f1)
    echo letter > "$work/letter"
    must "$colophon" rights set "$work/b" "$urn" --decision allow --for train-internal --basis CONSENT --by Somebody \
        --on $as_of --reason "the heirs agree" --evidence "$work/letter"
    must "$colophon" build "$work/b" --for train-internal --as-of $as_of --out "$work/k" --json
    for figure in '"strings":75234,' '"joined":73659}' '"pairs_same_page":1536,' '"pairs_cross_page":39,' '"pairs_cross_block":3,' \
        '"with_hyp":1575,' '"orphan_1":0,' '"orphan_2":0}'; do
        grep -qF "$figure" "$work/.out" && good || bad "the book has $figure" "$(cat "$work/.out")"
    done
    zstd -dcq "$work/k/shard-00000.jsonl.zst" > "$work/book"
    grep -q "Varmegrad" "$work/book" && good || bad "the pair of page 68 is one word"
else
    echo "the book of Appendix B is absent: $shared/data/collections/notram"
fi
done_testing
