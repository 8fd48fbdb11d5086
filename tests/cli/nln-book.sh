#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One real digitised book in the National Library of Norway's form: every figure that an independent count gave for it
# (readers-and-corpus, Appendix B), and a corpus of it once a person has answered.
. "$(dirname "$0")/lib.sh"
need_shared collections/notram

must "$colophon" ingest "$shared/data/collections/notram" --into "$work/c" --quiet
must "$colophon" show "$work/c" --json
cp "$work/.out" "$work/show.json"
object='.objects[] | select(.source_id == "digibok_2006081500001")'
while read -r path value; do
    same "the book's $path" "$(jq -c "$object | .$path" "$work/show.json")" "$value"
done <<'EOT'
profile "mets-nln"
pages 237
pages_with_text 235
problems 0
meta.counts.xml_bytes 15505375
meta.counts.strings 75234
meta.counts.sp 57882
meta.counts.lines 16660
meta.counts.blocks 4715
meta.counts.blocks_print 2977
meta.counts.blocks_composed 1481
meta.counts.blocks_top 218
meta.counts.blocks_left 17
meta.counts.blocks_right 10
meta.counts.blocks_bottom 12
meta.counts.composed_by_type [{"n":47,"type":"Formula"},{"n":2,"type":"Illustration"},{"n":29,"type":"Table"}]
meta.counts.strings_print 67393
meta.counts.strings_composed 7602
meta.counts.strings_margins 239
meta.counts.strings_top 217
meta.counts.strings_left 7
meta.counts.strings_right 6
meta.counts.strings_bottom 9
meta.counts.hyp 1575
meta.counts.hyp_part1 1575
meta.counts.hyp_part2 1575
meta.counts.pairs_same_page 1536
meta.counts.pairs_cross_page 39
meta.counts.pairs_cross_block 3
meta.counts.pairs_subs_equal 1523
meta.counts.orphan_part1 0
meta.counts.orphan_part2 0
meta.counts.adjacent_without_sp 760
meta.counts.wc_mean_e4 8912
meta.counts.wc_ge_98_permille 93
meta.counts.wc_ge_90_permille 700
meta.counts.pages_wc_mean_ge_90 156
meta.counts.words_on_those_pages 49630
meta.counts.words_in_blocks_wc_mean_ge_90 51438
meta.counts.areas_logical 1614
meta.counts.areas_dangling 0
meta.counts.areas_end 0
meta.counts.seq 117
meta.counts.par 237
meta.counts.linked_blocks 1536
meta.counts.linked_composed 78
meta.counts.linked_words 68280
meta.counts.unlinked_print_blocks 1441
meta.counts.unlinked_print_words 6715
meta.counts.checksums_good 237
meta.counts.checksums_stale 0
meta.counts.checksums_none 0
meta.counts.tokens_after_joining 73659
meta.counts.images_missing 237
EOT

# ---- nobody has answered; then somebody does ----
ask="--for train-internal --as-of $as_of"
work_urn=$(jq -r "$object | .work" "$work/show.json")
# shellcheck disable=SC2086
expect 3 "RR-15" "a book that nobody has determined" "$colophon" build "$work/c" $ask --out "$work/k"
absent "$work/k"
echo "We agree." >"$work/letter"
must "$colophon" rights set "$work/c" "$work_urn" --decision allow --for train-internal --basis CONSENT --by Somebody --on $as_of \
    --reason "The heirs agree" --evidence "$work/letter"
# shellcheck disable=SC2086
must "$colophon" build "$work/c" $ask --out "$work/k" --json
cp "$work/.out" "$work/build.json"
while read -r path value; do
    same "the build's $path" "$(jq -c ".$path" "$work/build.json")" "$value"
done <<'EOT'
works 1
balance.strings 75234
balance.joined 73659
hyphens.pairs_same_page 1536
hyphens.pairs_cross_page 39
hyphens.pairs_cross_block 3
hyphens.with_hyp 1575
hyphens.other_sign 0
hyphens.orphan_1 0
hyphens.orphan_2 0
EOT
same "words and what was left out" "$(jq '.balance | .out + .absorbed + .dropped + .empty' "$work/build.json")" 75234
zstd -dcq "$work"/k/shard-00000.jsonl.zst >"$work/text"
# Page 68: 33 words of a table stand between the halves.
grep -q Varmegrad "$work/text" && good || bad "the pair of page 68 is one word"
expect 0 "" "verify" "$colophon" verify "$work/k"
expect 0 "" "the way to the pages" "$colophon" show "$work/k" --work "$work_urn"
# shellcheck disable=SC2086
expect 3 "display" "another purpose than the one answered" "$colophon" build "$work/c" --for display --as-of $as_of --out "$work/d"
done_testing
