#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# artefacts 1: another value of an identity option gives another digest, another value of a run option the same one.
# An option that `colophon help --as options` lists and the table below lacks makes this test fail: add a row.
. "$(dirname "$0")/lib.sh"

# COMMAND | OPTION | what both runs have besides the base | what only the second has; !NAME takes an option away
table() {
    cat <<EOT
ingest | into | | --into=$work/elsewhere
ingest | sample | | !sample
ingest | checksums | | --checksums=fail
ingest | no-copy | | --no-copy
ingest | dry-run | | --dry-run
ingest | max-file | | --max-file=1000
ingest | max-pages | | --max-pages=1
ingest | text-key | | --text-key=other.text
ingest | id-key | | --id-key=other.id
ingest | urn-key | | --urn-key=other.urn
ingest | title-key | | --title-key=other.title
ingest | date-key | | --date-key=other.date
ingest | lang-key | | --lang-key=other.lang
build | for | | --for=search
build | out | | --out=$work/elsewhere
build | as-of | | --as-of=2026-11-24
build | release | | --release=2026-11-24
build | forum | | --forum=DK
build | tier | | --tier=researcher
build | actor | | --actor=research
build | commercial | | --commercial=unknown
build | model-licence | --model-licence=none | --model-licence=NB-License
build | pd-assumed | | --pd-assumed
build | rulebase | | --rulebase=$work/rules.json
build | unit | | --unit=page
build | max-chars | | --max-chars=999999
build | dedup-documents | | --dedup-documents=none
build | dedup-paragraphs | | --dedup-paragraphs=first
build | paragraph-chars | | --paragraph-chars=101
build | boilerplate-copies | | --boilerplate-copies=11
build | keep-ligatures | | --keep-ligatures
build | keep-mojibake | | --keep-mojibake
build | modern-letters | | --modern-letters
build | hyphen-equals | | --hyphen-equals
build | keep-heads | | --keep-heads
build | snapshot | | --snapshot=$earlier
build | dry-run | | --dry-run
tokenizer train | corpus | | --corpus=$work/moved/corpus
tokenizer train | revocations | !no-revocations --revocations=$work/list-1 | --revocations=$work/list-2
tokenizer train | no-revocations | !no-revocations --revocations=$work/list-1 | !revocations --no-revocations
tokenizer train | vocab-size | | --vocab-size=301
tokenizer train | min-frequency | | --min-frequency=3
tokenizer train | alphabet | | --alphabet=seen
tokenizer train | special | | --special=<end>
tokenizer train | specials | | --specials=first
tokenizer train | out | | --out=$work/elsewhere
train gpt2 | corpus | | --corpus=$work/moved/corpus
train gpt2 | tokenizer | | --tokenizer=$work/moved/tokenizer
train gpt2 | tokens | | --tokens=$work/moved/tokens
train gpt2 | out | | --out=$work/elsewhere
train gpt2 | from | | !layers !width !heads !positions --from=$work/model
train gpt2 | revocations | !no-revocations --revocations=$work/list-1 | --revocations=$work/list-2
train gpt2 | no-revocations | !no-revocations --revocations=$work/list-1 | !revocations --no-revocations
train gpt2 | layers | | --layers=2
train gpt2 | width | | --width=16
train gpt2 | heads | | --heads=1
train gpt2 | positions | --seq-len=8 | --positions=17
train gpt2 | dropout | | --dropout=0.1
train gpt2 | steps | | --steps=5
train gpt2 | batch | | --batch=3
train gpt2 | accumulate | | --accumulate=2
train gpt2 | slots | --accumulate=2 | --slots=2
train gpt2 | seq-len | | --seq-len=8
train gpt2 | clip | | --clip=0.5
train gpt2 | skip-outliers | | --skip-outliers=3
train gpt2 | optimizer | | --optimizer=adamw_bert
train gpt2 | weight-decay | | --weight-decay=0.2
train gpt2 | decay-groups | | --decay-groups=bert
train gpt2 | beta1 | | --beta1=0.8
train gpt2 | beta2 | | --beta2=0.9
train gpt2 | eps | | --eps=1e-7
train gpt2 | momentum | --optimizer=sgd | --momentum=0.5
train gpt2 | nesterov | --optimizer=sgd --momentum=0.5 | --nesterov
train gpt2 | muon-lr | --optimizer=muon | --muon-lr=0.01
train gpt2 | scale-parameter | --optimizer=adafactor !warmup | --scale-parameter=false
train gpt2 | relative-step | --optimizer=adafactor !warmup | --relative-step=false
train gpt2 | warmup-init | --optimizer=adafactor !warmup | --warmup-init
train gpt2 | ema | | --ema=0.9
train gpt2 | ema-release | --ema=0.9 | --ema-release
train gpt2 | lr | | --lr=0.0007
train gpt2 | schedule | | --schedule=linear
train gpt2 | warmup | | --warmup=2
train gpt2 | warmup-offset | | --warmup-offset=1
train gpt2 | min-lr-ratio | | --min-lr-ratio=0.2
train gpt2 | num-cycles | | --num-cycles=0.25
train gpt2 | power | --schedule=polynomial | --power=2
train gpt2 | lr-end | --schedule=nanot5 | --lr-end=1e-6
train gpt2 | warmup-lr-rate | --schedule=cosine_warmup_with_min_lr --warmup=2 | --warmup-lr-rate=0.3
train gpt2 | timescale | --schedule=inverse_sqrt | --timescale=7
train gpt2 | stable-steps | --schedule=warmup_stable_decay | --stable-steps=1
train gpt2 | decay-steps | --schedule=warmup_stable_decay | --decay-steps=2
train gpt2 | warmup-type | --schedule=warmup_stable_decay | --warmup-type=1-sqrt
train gpt2 | decay-type | --schedule=warmup_stable_decay | --decay-type=linear
train gpt2 | factors | --schedule=t5x | --factors=constant
train gpt2 | decay-factor | --schedule=t5x --factors=constant*decay_every --steps-per-decay=2 | --decay-factor=0.4
train gpt2 | steps-per-decay | --schedule=t5x --factors=constant*decay_every | --steps-per-decay=2
train gpt2 | steps-per-cycle | --schedule=t5x --factors=constant*cosine_decay --warmup=0 | --steps-per-cycle=9
train gpt2 | held-out | | --held-out=0.2
train gpt2 | seed | | --seed=6
train gpt2 | dtype | --dtype=fp32 | --dtype=bf16
train gpt2 | arith | --arith=fp32 | --arith=bf16-fma
train gpt2 | gemm | --dtype=fp32 | --gemm=onednn
train gpt2 | ranks | --accumulate=2 --slots=2 | --ranks=2
train gpt2 | eval-every | --held-out=0.2 | --eval-every=1
train gpt2 | recompute | | --recompute=0-0
train gpt2 | save-every | | --save-every=1
train gpt2 | keep-last | --save-every=1 | --keep-last=1
train gpt2 | keep-every | --save-every=1 --keep-last=1 | --keep-every=2
index | out | | --out=$work/elsewhere
EOT
    local command option
    for command in ingest build "tokenizer train" "train gpt2" index; do # what every command has
        for option in threads=3 memory=3GiB json quiet verbose; do
            echo "$command | ${option%=*} | | --$option"
        done
    done
}
# These answer or enter facts; the facts count through the snapshot, as what `ingest` reads does.
no_artefact="rights show|rights explain|rights set|rights optout"

base_of() { # base_of COMMAND: arguments, then options, a line each
    case $1 in
        ingest) printf '%s\n' "$work/source" --sample ;;
        build) printf '%s\n' "$work/collection" --for=train-internal --as-of=$as_of --release=$as_of --rulebase=sample ;;
        "tokenizer train") printf '%s\n' bpe --corpus="$work/corpus" --no-revocations --vocab-size=300 ;;
        "train gpt2") printf '%s\n' --corpus="$work/corpus" --tokenizer="$work/tokenizer" --no-revocations --layers=1 --width=8 \
            --heads=2 --positions=16 --batch=2 --steps=4 --warmup=1 --seed=5 ;;
        index) printf '%s\n' "$work/model.tokens" ;;
    esac
}
# changed WORDS: the lines of stdin with options replaced, added (--name=value) or taken away (!name)
changed() {
    local line word lines=()
    mapfile -t lines
    for word in $1; do
        local name=${word#!}; name=${name#--}; name=${name%%=*}
        local kept=()
        for line in "${lines[@]}"; do case $line in "--$name" | "--$name="*) ;; *) kept+=("$line") ;; esac; done
        [ "${word#!}" = "$word" ] && kept+=("$word")
        lines=("${kept[@]}")
    done
    printf '%s\n' "${lines[@]}"
}
# name_of COMMAND WORDS...: runs it with the words, prints the digest of what it sealed, or why there is none
name_of() {
    local command=$1 line to=$work/sealed to_option=out words=() args=()
    [ "$command" = ingest ] && to_option=into
    rm -rf "$work/sealed"* "$work/elsewhere"*
    mapfile -t args < <(base_of "$command" | changed "--$to_option=$to ${2:-} ${3:-}")
    for line in "${args[@]}"; do [ "${line#--$to_option=}" = "$line" ] || to=${line#--$to_option=}; done
    read -ra words <<<"$command"
    "$colophon" "${words[@]}" "${args[@]}" >"$work/.out" 2>"$work/.err" </dev/null || { tail -n 2 "$work/.err"; return; }
    if [ "$command" = ingest ]; then
        [ -d "$to" ] || { echo nothing; return; }
        # A collection's name is that of its snapshot, which a build takes even where nothing is permitted.
        "$colophon" build "$to" --for search --as-of $as_of --dry-run --json --quiet 2>/dev/null |
            sed -n 's/.*"snapshot":"\([0-9a-f]*\)".*/\1/p'
        return
    fi
    [ -e "$to/colophon.json" ] && digest "$to" || echo nothing
}

# ---- what the rows need ----
mkdir -p "$work/moved" "$work/source"
cp -r "$root/sample/collection/sample_0038" "$work/source"
cat >"$work/source/pieces.jsonl" <<'EOT'
{"id":"one","urn":"URN:NBN:no-one","text":"A text.","title":"A title","date":"1901","lang":"eng","other":{"id":"1","urn":"URN:NBN:no-1","text":"Another text.","title":"Another title","date":"1902","lang":"nob"}}
EOT
"$colophon" ingest "$root/sample/collection" --into "$work/collection" --sample --quiet >/dev/null 2>&1 || bad "ingest of the sample"
earlier=$("$colophon" build "$work/collection" --for search --as-of $as_of --rulebase sample --dry-run --json --quiet | sed -n 's/.*"snapshot":"\([0-9a-f]*\)".*/\1/p')
must "$colophon" rights import "$work/collection" "$root/sample/collection/rights.jsonl" --quiet
must build_sample "$work/collection" "$work/corpus"
jq '.rules[].confirmed_by = "a test"' "$root/rulebases/house.json" >"$work/rules.json"
echo "{\"wkey\":\"$(printf one | sha256sum | cut -c 1-64)\"}" >"$work/list-1"
echo "{\"wkey\":\"$(printf two | sha256sum | cut -c 1-64)\"}" >"$work/list-2"
must "$colophon" tokenizer train $(base_of "tokenizer train") --out "$work/tokenizer"
must "$colophon" train gpt2 $(base_of "train gpt2") --out "$work/model"
cp -r "$work/corpus" "$work/tokenizer" "$work/moved"

# ---- the table is whole ----
"$colophon" help --as options >"$work/options"
table >"$work/table"
while IFS=$'\t' read -r command option kind _; do
    if grep -q "^$command | $option |" "$work/table"; then
        good
    elif grep -q "^$command |" "$work/table" || { [ "$kind" = identity ] && ! grep -qxE "$no_artefact" <<<"$command"; }; then
        bad "identity-long.sh has no row for --$option of colophon $command ($kind): add one to its table"
    fi
done <"$work/options"

# ---- each row ----
declare -A first
while IFS='|' read -r command option both second; do
    command=${command% } option=${option// /} both=${both# } both=${both% } second=${second# }
    kind=$(awk -F'\t' -v c="$command" -v o="$option" '$1 == c && $2 == o { print $3 }' "$work/options")
    case $option in threads | memory | json | quiet | verbose) kind=run ;; esac
    [ "$option" != gemm ] || [ -e "$(dirname "$colophon")/../lib/libcolophon-onednn.so" ] || continue # gemm.sh says that it lacks
    if [ -z "$kind" ]; then bad "identity-long.sh has a row for --$option of colophon $command, which is no option"; continue; fi
    [ -n "${first[$command $both]:-}" ] || first[$command $both]=$(name_of "$command" "$both")
    a=${first[$command $both]} b=$(name_of "$command" "$both" "$second")
    if ! [[ $a =~ ^[0-9a-f]{64}$ ]]; then bad "colophon $command $both seals something" "$a"; continue; fi
    if [ "$option" = dry-run ]; then same "colophon $command --dry-run seals" "$b" nothing; continue; fi
    if ! [[ $b =~ ^[0-9a-f]{64}$ ]]; then bad "colophon $command $second seals something" "$b"; continue; fi
    case $kind in
        run) same "colophon $command $second ($option says how, not what): its digest" "$b" "$a" ;;
        identity) [ "$a" != "$b" ] && good || bad "colophon $command $second ($option is identity) leaves the digest as it was" ;;
        *) bad "colophon $command --$option is of kind '$kind'" ;;
    esac
done <"$work/table"
done_testing
