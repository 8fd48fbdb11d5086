# SPDX-License-Identifier: Apache-2.0
# lib.sh - sourced by the command tests: a scratch folder, and sentences about what commands do.
# A test script ends with `done_testing`; every expectation that fails is named on the way.
set -u
root=${COLOPHON_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
colophon=${COLOPHON_BIN:-$root/build/release/bin/colophon}
shared=${COLOPHON_SHARED:-$root/../shared}
work=$(mktemp -d "${TMPDIR:-/tmp}/cph-cli-XXXXXX")
trap 'chmod -R u+rwx "$work" 2>/dev/null; rm -rf "$work"' EXIT
n_ok=0 n_bad=0

good() { n_ok=$((n_ok + 1)); }
bad() { n_bad=$((n_bad + 1)); echo "not ok - $1"; [ $# -gt 1 ] && printf '%s\n' "$2" | head -n 15 | sed 's/^/    /'; return 0; }

# expect STATUS WORDS WHAT COMMAND...: the exit code, and words (a grep -E pattern, or "") in stderr.
expect() {
    local status=$1 words=$2 what=$3; shift 3
    "$@" >"$work/.out" 2>"$work/.err" </dev/null
    local got=$?
    if [ "$got" != "$status" ]; then bad "$what: exit $got, not $status" "$(cat "$work/.err")"; return 0; fi
    if [ -n "$words" ] && ! grep -Eq -- "$words" "$work/.err"; then bad "$what: it does not say '$words'" "$(cat "$work/.err")"; return 0; fi
    if [ "$status" -gt 1 ] && [ "$(grep -c '^colophon: ' "$work/.err")" != 1 ]; then bad "$what: no single sentence" "$(cat "$work/.err")"; return 0; fi
    good
}
# must COMMAND...: exit 0, or the whole test ends here.
must() {
    "$@" >"$work/.out" 2>"$work/.err" </dev/null && return 0
    bad "must succeed: $*" "$(cat "$work/.err")"
    done_testing
}
same() { # same WHAT A B
    if [ "$2" = "$3" ]; then good; else bad "$1: '$2' is not '$3'"; fi
}
absent() { # absent PATH...: nothing stands there, neither final nor temporary
    local p
    for p in "$@"; do if [ -e "$p" ]; then bad "$p is left behind"; else good; fi; done
}
# digest ARTEFACT: its name
digest() { sed 's/.*"digest":"\([0-9a-f]\{64\}\)","files".*/\1/' "$1/colophon.json"; }
need_shared() { [ -e "$shared/data/$1" ] || { echo "the shared data are absent: $1"; exit 77; }; }
done_testing() {
    echo "$n_ok expectations met, $n_bad not"
    [ "$n_bad" = 0 ]
    exit
}

# ---- the line, small: what the longer tests run on ----
as_of=2026-11-23
small_train="--arith fp32 --layers 2 --width 32 --heads 2 --positions 32 --batch 4 --steps 30 --warmup 3 --seed 5 --dropout 0.1"
ingest_sample() { # ingest_sample COLLECTION [OPTION...]
    local to=$1; shift
    "$colophon" ingest "$root/sample/collection" --into "$to" --sample --quiet "$@" >/dev/null &&
        "$colophon" rights import "$to" "$root/sample/collection/rights.jsonl" --quiet >/dev/null
}
build_sample() { # build_sample COLLECTION CORPUS [OPTION...]
    local from=$1 to=$2; shift 2
    "$colophon" build "$from" --for train-internal --as-of $as_of --release $as_of --rulebase sample --out "$to" --quiet "$@" >/dev/null
}
tokenizer_sample() { # CORPUS TOKENIZER [OPTION...]
    local from=$1 to=$2; shift 2
    "$colophon" tokenizer train bpe --corpus "$from" --no-revocations --vocab-size 600 --out "$to" --quiet "$@" >/dev/null
}
train_sample() { # CORPUS TOKENIZER TOKENS MODEL [OPTION...]
    local corpus=$1 tokenizer=$2 tokens=$3 model=$4; shift 4
    # shellcheck disable=SC2086
    "$colophon" train gpt2 --corpus "$corpus" --no-revocations --tokenizer "$tokenizer" --tokens "$tokens" --out "$model" $small_train --quiet "$@" >/dev/null
}
whole_line() { # whole_line DIR [OPTION...]: collection, corpus, tokenizer, tokens, model
    local d=$1; shift
    mkdir -p "$d"
    ingest_sample "$d/collection" "$@" && build_sample "$d/collection" "$d/corpus" "$@" &&
        tokenizer_sample "$d/corpus" "$d/tokenizer" "$@" && train_sample "$d/corpus" "$d/tokenizer" "$d/tokens" "$d/model" "$@"
}
# has_isa NAME: the processor has it
has_isa() {
    case $1 in
        ref) true ;;
        avx2) grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo ;;
        avx512) grep -qw avx512f /proc/cpuinfo && grep -qw avx512bw /proc/cpuinfo && grep -qw avx512dq /proc/cpuinfo && grep -qw avx512vl /proc/cpuinfo ;;
        neon) [ "$(uname -m)" = aarch64 ] ;;
    esac
}
