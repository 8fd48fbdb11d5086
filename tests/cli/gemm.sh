#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --gemm onednn: losses agree with our own products within tolerance, the model says whose arithmetic it is and is
# not replayed; a missing plug-in is said with the package to install.
. "$(dirname "$0")/lib.sh"
mkdir "$work/empty"
d=$work/d
whole_line "$d" || { bad "the line cannot be made"; done_testing; }
train_with() { # NAME OPTION...: a model of the line's tokens, in its own arithmetic
    local to=$1; shift
    # shellcheck disable=SC2086
    "$colophon" train gpt2 --tokens "$d/tokens" --tokenizer "$d/tokenizer" --out "$d/$to" ${small_train#--arith fp32} "$@" --quiet
}
arith() { sed -n 's/.*"arith":"\([^"]*\)".*/\1/p' "$1/colophon.json"; }
# losses A B: the greatest difference between two runs' losses of a step, in millionths
losses() { jq -s 'map(.loss)' <"$d/$1/log.jsonl" >"$work/a"; jq -s 'map(.loss)' <"$d/$2/log.jsonl" >"$work/b"
    jq -n --slurpfile a "$work/a" --slurpfile b "$work/b" '[range($a[0] | length) | ($a[0][.] - $b[0][.]) | if . < 0 then -. else . end] | max * 1e6 | round'; }
below() { # below LIMIT FIGURE WHAT
    if [ "${2:-none}" -lt "$1" ] 2>/dev/null; then good; else bad "$3: differ by ${2:-nothing known} millionths"; fi
}

COLOPHON_PLUGINS=$work/empty expect 5 'oneDNN plug-in: .*not there' "no plug-in" train_with none --gemm onednn --dtype fp32
grep -q '^hint: .*libdnnl-dev' "$work/.err" && good || bad "the package is named" "$(cat "$work/.err")"
expect 2 'arith fp32 is how our own products' "a contradiction" train_with none --gemm onednn --arith fp32
expect 2 'gemm' "another library" train_with none --gemm mkl
COLOPHON_PLUGINS=$work/empty must "$colophon" doctor
grep -q 'oneDNN .*not here (libdnnl-dev' "$work/.out" && good || bad "the doctor says that it is not there" "$(cat "$work/.out")"

if [ ! -e "$(dirname "$colophon")/../lib/libcolophon-onednn.so" ]; then
    echo "the oneDNN plug-in is not built (libdnnl-dev): no run by it"
    [ "$n_bad" = 0 ] && exit 77
    done_testing
fi
must "$colophon" doctor
grep -qE 'oneDNN +[0-9.]+ \(train --gemm onednn\)' "$work/.out" && good || bad "the doctor says that it is there" "$(cat "$work/.out")"
must train_with fp32 --gemm onednn --dtype fp32
below 2000 "$(losses model fp32)" "fp32"
arith "$d/fp32" | grep -qxE 'onednn-[0-9]+\.[0-9]+\.[0-9]+-fp32' && good || bad "its identity states the library" "$(arith "$d/fp32")"
[ "$(digest "$d/fp32")" != "$(digest "$d/model")" ] && good || bad "another arithmetic, the same model"
expect 2 'was made with arith onednn-[0-9.]*-fp32, now it is fp32' "the same output by other hands" train_with fp32 --arith fp32
expect 5 'refused, not reported as fraud: its matrix products are oneDNN' "a replay" "$colophon" verify "$d/fp32" --replay 1
must "$colophon" verify "$d/fp32" --quiet
train_with bf16 --gemm onednn --dtype bf16 >/dev/null 2>"$work/.err"
case $? in
    0) must train_with own-bf16 --arith bf16-fma
       below 50000 "$(losses own-bf16 bf16)" "bf16"
       arith "$d/bf16" | grep -qxE 'onednn-[0-9.]+-bf16' && good || bad "its identity states bf16" "$(arith "$d/bf16")" ;;
    1) grep -q 'bf16 product .*not to be had on this processor' "$work/.err" && good || bad "why there is no bf16" "$(cat "$work/.err")" ;;
    *) bad "bf16" "$(cat "$work/.err")" ;;
esac
done_testing
