#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The program as built with ASan, LSan and UBSan does the whole line, and every command that reads what the line
# wrote, without a finding; its digests are those of the optimised build.
. "$(dirname "$0")/lib.sh"
optimised=$colophon
colophon=$root/build/dev/bin/colophon
[ -x "$colophon" ] || { echo "the build with sanitizers is absent: build/dev/bin/colophon"; exit 77; }
export ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:exitcode=98
ask="--for train-internal --as-of $as_of --release $as_of --rulebase sample"
urn=URN:NBN:no-colophon_sample_
l=$work/l

whole_line "$l" 2>"$work/said" && good || bad "the line runs" "$(cat "$work/said")"
colophon=$optimised whole_line "$work/o" || bad "the line runs without sanitizers"
for k in corpus tokenizer tokens model; do same "$k of both builds" "$(digest "$l/$k")" "$(digest "$work/o/$k")"; done
expect 0 "" "index" "$colophon" index "$l/tokens" --out "$l/index"

for k in corpus tokenizer tokens model index; do
    expect 0 "" "verify $k" "$colophon" verify "$l/$k"
    expect 0 "" "show $k" "$colophon" show "$l/$k"
    expect 0 "" "show $k --json" "$colophon" show "$l/$k" --json
done
expect 0 "" "show the collection" "$colophon" show "$l/collection"
expect 0 "" "show a work of the model" "$colophon" show "$l/model" --work ${urn}0001
expect 0 "" "a work is proven present" "$colophon" prove "$l/model" --work ${urn}0001
expect 0 "" "a work is proven absent" "$colophon" prove "$l/model" --absent ${urn}0018
expect 1 "" "a present work is not absent" "$colophon" prove "$l/model" --absent ${urn}0001
expect 0 "" "generate, traced" "$colophon" generate "$l/model" --prompt "Det var en gang" --max-new-tokens 24 --seed 7 --trace "$l/index"
expect 0 "" "trace" "$colophon" trace "$l/index" "Den siste fyrvokteren het Jens Olai Varhaug."
# shellcheck disable=SC2086
expect 0 "" "explain a yes" "$colophon" rights explain "$l/collection" ${urn}0001 $ask
# shellcheck disable=SC2086
expect 3 "RR-" "explain a no" "$colophon" rights explain "$l/collection" ${urn}0018 $ask --json
expect 0 "" "the works and their answers" "$colophon" rights show "$l/collection" --rulebase sample --for search --as-of $as_of
expect 0 "" "a dry run" "$colophon" build "$l/collection" --for search --as-of $as_of --rulebase sample --dry-run
expect 2 "" "a mistake in the options" "$colophon" build "$l/collection" --for fun --out "$work/x"
expect 5 "no-such" "an artefact that is not there" "$colophon" verify "$work/no-such"
flipped=$l/model/model.safetensors
printf '\377' | dd of="$flipped" bs=1 seek=$(($(stat -c %s "$flipped") / 2)) conv=notrunc status=none
expect 1 "" "a damaged model is told" "$colophon" verify "$l/model"
# shellcheck disable=SC2086
"$colophon" train gpt2 --corpus "$l/corpus" --no-revocations --tokenizer "$l/tokenizer" --tokens "$l/tokens" --out "$work/again" \
    $small_train --threads 3 --save-every 3 --quiet >/dev/null 2>"$work/said" && good || bad "training with three threads" "$(cat "$work/said")"
same "the model at three threads" "$(digest "$work/again")" "$(digest "$work/o/model")"
done_testing
