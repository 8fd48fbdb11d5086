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
