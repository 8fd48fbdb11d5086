#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Forward, loss, every gradient, ten AdamW steps and greedy text agree with the golden cases of GPT-2, on each
# instruction set of the processor; a case of a family that is not built is said to be so.
. "$(dirname "$0")/lib.sh"
need_shared goldens/text
golden=$root/build/release/bin/golden cases=$shared/data/goldens/text
"$golden" "$cases/gpt2-tiny" "$cases/gpt2-odd" > "$work/default" 2>&1
for isa in ref avx2 avx512 neon; do
    has_isa $isa || continue
    COLOPHON_ISA=$isa "$golden" "$cases/gpt2-tiny" "$cases/gpt2-odd" >"$work/$isa" 2>&1 && good || bad "the goldens by $isa" "$(grep DIFFERS "$work/$isa")"
    sed '$d' "$work/$isa" | cmp -s - <(sed '$d' "$work/ref") && good || bad "$isa prints other differences than ref: its bits differ"
done
for threads in 1 5; do
    "$golden" --threads $threads "$cases/gpt2-tiny" "$cases/gpt2-odd" 2>&1 | cmp -s - "$work/default" && good || bad "$threads threads give other bits"
done
if [ -e "$(dirname "$golden")/../lib/libcolophon-onednn.so" ]; then
    "$golden" --gemm onednn "$cases/gpt2-tiny" "$cases/gpt2-odd" >"$work/onednn" 2>&1 && good || bad "the goldens by oneDNN" "$(grep -v ok "$work/onednn")"
fi
expect 1 "" "a family that is not built" "$golden" "$cases/t5-v10"
done_testing
