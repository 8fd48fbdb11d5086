#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The replay audit. First its bar: 1,000 steps in one epoch, a checkpoint every 50; in 20 of 20 trials one document is
# exchanged for another of as many tokens, everything is sealed anew, and only the segment that fed it fails.
# Then the command: what it prints, draws, exits with, on a run that was killed and on other thread counts.
. "$(dirname "$0")/lib.sh"

trials=$(dirname "$colophon")/../tests/test_replay
if [ -x "$trials" ]; then
    out=$(COLOPHON_LONG=1 "$trials" 2>&1) && good || bad "the trials of the bar" "$(printf '%s\n' "$out" | grep -v RUN)"
    case $out in
        *"20 of 20 exchanged documents were found in their segment alone"*) good ;;
        *) bad "20 trials of 20" "$out" ;;
    esac
else
    bad "$trials is not built"
fi

d=$work/d
mkdir -p "$d"
keep="--save-every 5 --keep-every 5"
ingest_sample "$d/collection" && build_sample "$d/collection" "$d/corpus" && tokenizer_sample "$d/corpus" "$d/tokenizer" &&
    train_sample "$d/corpus" "$d/tokenizer" "$d/tokens" "$d/model" $keep || { bad "the line cannot be made"; done_testing; }
figure() { sed -n "s/.*\"replay\":{[^[]*\"$1\":\\([0-9.a-z]*\\),.*/\\1/p" "$work/.out"; }

must "$colophon" verify "$d/model" --replay 2 --seed 7 --quiet
grep -q '^replay: 2 of 6 segments, drawn by seed 7; .* with probability 1 - 2/6 = 0.6667$' "$work/.out" && good || bad "what was drawn is said" "$(tail -n 4 "$work/.out")"
grep -q 'Merkle proof .* the manifest alone' "$work/.out" && good || bad "what a proof does not say is said"
same "two segments are told" "$(grep -c 'run again: ' "$work/.out")" 2
first=$(cat "$work/.out")
must "$colophon" verify "$d/model" --replay 2 --seed 7 --threads 5 --quiet
same "a seed draws the same segments, at any thread count" "$(cat "$work/.out")" "$first"
must "$colophon" verify "$d/model" --replay 99 --json --quiet --threads 1
same "all segments at most" "$(figure drawn)" 6
same "none differs" "$(figure differ)" 0
same "none escapes" "$(figure escape_probability)" 0
COLOPHON_ISA=ref must "$colophon" verify "$d/model" --replay 99 --alone --quiet
must "$colophon" verify "$d/model.run/step-00000015" --replay 3 --alone --quiet

# A run that was killed and went on, in other places of the file system, is the same run.
mkdir "$d/there"
"$colophon" train gpt2 --tokens "$d/tokens" --tokenizer "$d/tokenizer" --out "$d/there/model" $small_train --save-every 1 --keep-every 1 --quiet >/dev/null 2>&1 &
pid=$!
sleep 0.3
kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null
train_sample "$d/corpus" "$d/tokenizer" "$d/tokens" "$d/there/model" $keep || bad "it does not go on"
mv "$d/there" "$d/elsewhere" && mv "$d/elsewhere/model.run" "$d/run"
must "$colophon" verify "$d/elsewhere/model" --run "$d/run" --tokens "$d/tokens" --replay 99 --quiet

# What does not hold.
cp -r "$d/model" "$d/false" && cp -r "$d/model.run" "$d/false.run"
cp "$d/model.run/step-00000010/optimizer.safetensors" "$d/false.run/step-00000015/"
expect 1 'steps 11-15: optimizer.safetensors digest differs' "a changed checkpoint" "$colophon" verify "$d/false" --replay 99
rm -r "$d/false.run/step-00000030"
expect 1 'has no checkpoint of step 30' "a run that ends before the model" "$colophon" verify "$d/false" --replay 1
expect 2 'no run is there' "no run" "$colophon" verify "$d/model" --replay 1 --run "$d/nothing"
expect 2 'is a corpus, not a token set' "no token set" "$colophon" verify "$d/model" --replay 1 --tokens "$d/corpus"
expect 2 'only a model can be replayed' "a corpus" "$colophon" verify "$d/corpus" --replay 1
expect 2 'at least one segment' "none" "$colophon" verify "$d/model" --replay 0
expect 2 'seed is for --replay' "a seed for nothing" "$colophon" verify "$d/model" --seed 1

# A run without --keep-every says what cannot be told.
train_sample "$d/corpus" "$d/tokenizer" "$d/tokens" "$d/short" --save-every 5 || bad "the short run"
must "$colophon" verify "$d/short" --replay 9 --quiet
grep -q 'the run removed some.*--keep-every' "$work/.out" && good || bad "removed checkpoints are said" "$(cat "$work/.out")"
# Wherever a proof of absence is shown, the difference is stated.
must "$colophon" prove "$d/model" --absent URN:NBN:no-colophon_sample_0020
grep -q 'binds a list to the manifest.*--replay N binds it to the weights' "$work/.out" && good || bad "a proof says what it does not bind" "$(cat "$work/.out")"
done_testing
