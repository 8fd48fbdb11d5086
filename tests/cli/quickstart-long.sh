#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The README's first command, to its end: the digest that it promises, an answer that is traced, a model that verifies.
# It leaves build/quickstart for the tests with Python peers.
. "$(dirname "$0")/lib.sh"
cd "$root" || exit 1
./quickstart build/quickstart >"$work/said" 2>&1 && good || bad "quickstart fails" "$(tail -n 20 "$work/said")"
for words in "The model's colophon" "trace: " "It is the one that the README promises" "What to do next"; do
    grep -qF "$words" "$work/said" && good || bad "it does not say '$words'"
done
promised=$(sed -n 's/^model //p' sample/digests)
grep -qF "$promised" README.md && good || bad "the README promises another digest than sample/digests"
same "the digest of the sample's model" "$(digest build/quickstart/model)" "$promised"
expect 0 "" "the model verifies" "$colophon" verify build/quickstart/model
expect 0 "" "a refused work is proven absent" "$colophon" prove build/quickstart/model --absent URN:NBN:no-colophon_sample_0018
expect 1 "" "a given work is not absent" "$colophon" prove build/quickstart/model --absent URN:NBN:no-colophon_sample_0001
expect 0 "" "a given work is proven present" "$colophon" prove build/quickstart/model --work URN:NBN:no-colophon_sample_0001
done_testing
