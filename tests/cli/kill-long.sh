#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at 20 random moments of ingest, build and training: the resumed run ends with the digests of the
# undisturbed one, and nothing stands under a final name before it is whole.
. "$(dirname "$0")/lib.sh"
RANDOM=${CPH_SEED:-$$}
echo "seed $RANDOM (CPH_SEED)"

seconds() { local b e; b=$(date +%s%N); "$@"; e=$(date +%s%N); echo $(((e - b) / 1000000)); }
# kill_within MS COMMAND...: starts it, ends it by its id at a random moment within MS milliseconds.
kill_within() {
    local ms=$1 pid; shift
    "$@" >/dev/null 2>&1 &
    pid=$!
    sleep "$(awk -v r=$RANDOM -v ms="$ms" 'BEGIN { printf "%.3f", r / 32768 * ms / 1000 }')"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
}
ingest() { exec "$colophon" ingest "$root/sample/collection" --into "$1" --sample --quiet; }
build() { exec "$colophon" build "$1" --for train-internal --as-of $as_of --release $as_of --rulebase sample --out "$2" --quiet; }
# shellcheck disable=SC2086
train() { exec "$colophon" train gpt2 --corpus "$work/corpus" --no-revocations --tokenizer "$work/tokenizer" --tokens "$1.tokens" --out "$1" \
    ${small_train/--steps 30/--steps 120} --save-every 7 --quiet; }

ms_ingest=$(seconds ingest_sample "$work/c") && ms_build=$(seconds build_sample "$work/c" "$work/corpus") || { bad "the undisturbed run"; done_testing; }
tokenizer_sample "$work/corpus" "$work/tokenizer" || bad "tokenizer"
ms_train=$(seconds sh -c "true"; b=$(date +%s%N); (train "$work/m") >/dev/null || bad "training"; e=$(date +%s%N); echo $(((e - b) / 1000000)))
ms_train=$(echo "$ms_train" | tail -n 1)
echo "undisturbed: ingest $ms_ingest ms, build $ms_build ms, train $ms_train ms"

for i in $(seq 20); do
    (kill_within "$ms_ingest" ingest "$work/ck")
    [ $((i % 5)) = 0 ] || continue
    ingest_sample "$work/ck" || bad "ingest after kill $i"
    build_sample "$work/ck" "$work/corpus-k$i" || bad "build after kill $i"
    same "corpus of an ingest killed up to $i times" "$(digest "$work/corpus-k$i")" "$(digest "$work/corpus")"
    rm -rf "$work/ck"
done
for i in $(seq 20); do
    (kill_within "$ms_build" build "$work/c" "$work/ckb")
    [ -e "$work/ckb" ] && { "$colophon" verify "$work/ckb" >/dev/null 2>&1 && good || bad "a killed build left something half under its final name"; rm -rf "$work/ckb"; }
done
build_sample "$work/c" "$work/ckb" || bad "build after kills"
same "corpus of a build killed 20 times" "$(digest "$work/ckb")" "$(digest "$work/corpus")"
absent "$work/ckb.tmp"

kills=0 runs=0
while [ $kills -lt 20 ]; do
    (kill_within $((ms_train / 3)) train "$work/mk")
    kills=$((kills + 1))
    [ -e "$work/mk" ] || continue
    kills=$((kills - 1)) runs=$((runs + 1)) # it came to its end: the next kills are another run's
    same "model of a killed training, run $runs" "$(digest "$work/mk")" "$(digest "$work/m")"
    rm -rf "$work/mk" "$work/mk.run" "$work/mk.tokens"
done
(train "$work/mk") >/dev/null 2>&1 || bad "training after kills"
same "model of a training killed again and again" "$(digest "$work/mk")" "$(digest "$work/m")"
echo "training: $kills kills in $((runs + 1)) runs"

# SIGTERM is a question: a checkpoint is written, the exit is 5, and the same command goes on.
(train "$work/mt") >/dev/null 2>&1 & pid=$!
sleep "$(awk -v ms="$ms_train" 'BEGIN { printf "%.3f", ms / 3000 }')"; kill -TERM $pid; wait $pid; status=$?
[ $status = 5 ] || [ $status = 0 ] && good || bad "SIGTERM gives exit $status"
(train "$work/mt") >/dev/null 2>&1 || bad "training after SIGTERM"
same "model of a training that was asked to stop" "$(digest "$work/mt")" "$(digest "$work/m")"
done_testing
