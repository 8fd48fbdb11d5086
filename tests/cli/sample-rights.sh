#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The table of sample/README.md is what the program answers, and what it refuses is nowhere in what it seals: no text,
# no name, no key, in corpus, token set and model; and that can be proved, also by somebody who holds only the proof.
. "$(dirname "$0")/lib.sh"

# NUMBER ANSWER BASIS-OR-REASON WHY of each row of the table; WHY is - where none is named
sed -n 's/^| \([0-9]\{4\}\) |.*| \(ALLOW\|DENY\)(\([A-Za-z-]*\))\(, `\([A-Z_]*\)`\)\{0,1\} |$/\1 \2 \3 \5/p' "$root/sample/README.md" >"$work/table"
same "rows of the sample's table" "$(wc -l <"$work/table")" 39
same "rows that are understood" "$(grep -c '^| [0-9]\{4\} ' "$root/sample/README.md")" 39
whole_line "$work" 2>"$work/.err" || { bad "the whole line runs" "$(cat "$work/.err")"; done_testing; }
urn=URN:NBN:no-colophon_sample_
question="--for train-internal --forum NO --as-of $as_of --release $as_of --rulebase sample"

# ---- the answers ----
# shellcheck disable=SC2086
"$colophon" rights show "$work/collection" $question --json >"$work/show.json" 2>"$work/.err" || bad "rights show --json" "$(cat "$work/.err")"
same "works that rights show lists" "$(jq length "$work/show.json")" 39
answer() { jq -r '"\(.decision) \(if .decision == "ALLOW" then .basis else .reason end) \(.status) \(.rule)"'; }
while read -r number decision because why; do
    shown=$(jq ".[] | select(.urn == \"$urn$number\").decision" "$work/show.json" | answer)
    # shellcheck disable=SC2086
    explained=$("$colophon" rights explain "$work/collection" "$urn$number" $question --json 2>/dev/null | answer)
    same "$number: rights show and rights explain" "$shown" "$explained"
    case "$shown" in
        "$decision $because "* | "$decision $because("*) good ;;
        *) bad "$number: '$shown' is not $decision($because)" ;;
    esac
    [ -z "$why" ] || [[ $shown == *"UND($why)"* ]] && good || bad "$number: '$shown' does not name $why"
done <"$work/table"

# ---- nothing of a refused work is in what was sealed ----
refused=$(awk '$2 == "DENY" { print $1 }' "$work/table") given=$(awk '$2 == "ALLOW" { print $1 }' "$work/table")
lines_of() { # lines_of NUMBER: the OCR lines of six words and more
    awk '/<TextLine/ { line = ""; n = 0 }
        match($0, /CONTENT="[^"]*"/) { line = line (n++ ? " " : "") substr($0, RSTART + 9, RLENGTH - 10) }
        /<\/TextLine/ && n > 5 && line !~ /&/ { print line }' "$root/sample/collection/sample_$1"/*_[0-9]*.xml
}
zstd -dcq "$work"/corpus/shard-*[0-9].jsonl.zst >"$work/text"
header() { od -An -tu8 -j"$1" -N8 "$work/tokens/tokens-00000.tok" | tr -d ' '; }
same "tokens in the header" "$(header 16)" "$(jq .identity.counts.tokens "$work/tokens/colophon.json")"
od -An -v -tu2 -j128 -N$((2 * $(header 16))) "$work/tokens/tokens-00000.tok" | tr -s ' \n' ' ' | sed 's/$/\n/' >"$work/ids"
"$colophon" tokenizer decode "$work/tokenizer" "$work/ids" >"$work/decoded" 2>"$work/.err" || bad "the tokens are text" "$(cat "$work/.err")"
zstd -dcq "$work"/corpus/shard-*.prov.jsonl.zst >"$work/side-car"
for p in "$work"/tokens/tokens-*.tok; do cat "$p"; done | od -An -v -tx1 | tr -d ' \n' >"$work/leaves"
zstd -dcq "$work/tokens/set.leaves.zst" | od -An -v -tx1 | tr -d ' \n' >>"$work/leaves"
zstd -dcq "$work/model/seen.leaves.zst" | od -An -v -tx1 | tr -d ' \n' >"$work/seen"
files=("$work/text" "$work/decoded" "$work/side-car")
for p in corpus tokenizer tokens model; do # every file but those that a published copy lacks
    while read -r name; do files+=("$work/$p/$name"); done < <(jq -r '.files[] | select(.private | not).path' "$work/$p/colophon.json")
    files+=("$work/$p/colophon.json")
done
for number in $refused; do
    key=$(printf 'colophon:work-key:v1\0%s' "$urn$number" | sha256sum | cut -c 1-64)
    found=$(grep -laF -e "sample_$number" -e "$key" "${files[@]}" "$work/leaves" "$work/seen")
    [ -z "$found" ] && good || bad "$number is refused and stands in" "$found"
    lines_of "$number" >"$work/lines"
    [ "$(wc -l <"$work/lines")" -gt 20 ] && good || bad "$number has lines to look for"
    found=$(grep -haoFf "$work/lines" "$work/text" "$work/decoded" | head -n 3)
    [ -z "$found" ] && good || bad "$number is refused and its words stand in the corpus" "$found"
done
# The same search finds what was given, or it would prove nothing.
for number in 0001 0024; do
    key=$(printf 'colophon:work-key:v1\0%s' "$urn$number" | sha256sum | cut -c 1-64)
    for p in text side-car; do grep -qF "sample_$number" "$work/$p" && good || bad "$number is given and not found in the $p"; done
    grep -qF "$key" "$work/leaves" && good || bad "$number is given and its key is in no leaf"
    lines_of "$number" >"$work/lines"
    for p in text decoded; do grep -qFf "$work/lines" "$work/$p" && good || bad "$number is given and its words are not found in the $p"; done
done

# ---- proofs ----
for artefact in corpus model; do
    for number in $refused; do
        expect 0 "" "$number is absent from the $artefact" "$colophon" prove "$work/$artefact" --absent "$urn$number" --out "$work/$artefact-$number.json"
        expect 0 "" "the proof that $number is absent from the $artefact" "$colophon" prove --check "$work/$artefact-$number.json"
    done
    for number in $given; do
        expect 1 "present" "$number is in the $artefact's history" "$colophon" prove "$work/$artefact" --absent "$urn$number" --out "$work/none.json"
    done
    absent "$work/none.json"
done
expect 0 "" "a proof of presence" "$colophon" prove "$work/corpus" --work "${urn}0001" --out "$work/in.json"
expect 0 "" "the check of a proof of presence" "$colophon" prove --check "$work/in.json"
root_of=$(jq -r .identity.roots.set_root "$work/corpus/colophon.json") size=$(jq -r .identity.counts.set_size "$work/corpus/colophon.json")
expect 0 "" "a proof against the sealed root" "$colophon" prove --check "$work/corpus-0018.json" --root "$root_of" --size "$size"
expect 1 "" "a proof against another root" "$colophon" prove --check "$work/corpus-0018.json" --root "${root_of/[0-9]/f}" --size "$size"
expect 1 "" "a proof against another size" "$colophon" prove --check "$work/corpus-0018.json" --root "$root_of" --size $((size + 1))
# One changed digit or letter in what the proof says: root, size, indexes, keys, leaves, paths, the work's name.
for proof in corpus-0018 model-0020 in; do
    changes=0
    for n in $(grep -nE '"(root|target_urn|target_wkey|index|leaf)":|^ *"[0-9a-f]{64}"' "$work/$proof.json" | cut -d: -f1); do
        line=$(sed -n "${n}p" "$work/$proof.json")
        value=${line##*: } head=${line%"$value"}
        case $value in *7*) new=${value/7/8} ;; *[0-6]*) new=$(sed 's/[0-6]/9/' <<<"$value") ;; *) new=$(sed 's/[a-e89]/0/' <<<"$value") ;; esac
        awk -v n="$n" -v s="$head$new" 'NR == n { print s; next } { print }' "$work/$proof.json" >"$work/changed.json"
        cmp -s "$work/$proof.json" "$work/changed.json" && bad "line $n of $proof is changed"
        "$colophon" prove --check "$work/changed.json" >/dev/null 2>&1
        status=$?
        [ $status = 1 ] || [ $status = 4 ] && good || bad "line $n of proof $proof changed: exit $status" "$line"
        changes=$((changes + 1))
    done
    [ $changes -gt 10 ] && good || bad "$proof has more than $changes lines to change"
done
done_testing
