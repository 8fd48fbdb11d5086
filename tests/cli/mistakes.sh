#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One thing where another is wanted, steps in the wrong order, texts given for another purpose: a sentence, a hint
# that leads on, the right exit code, and nothing left behind.
. "$(dirname "$0")/lib.sh"
hint() { if grep -q -- "^hint: .*$2" "$work/.err"; then good; else bad "$1: no hint with '$2'" "$(cat "$work/.err")"; fi; }

must ingest_sample "$work/c"
for purpose in train-internal search; do
    must "$colophon" build "$work/c" --for $purpose --as-of $as_of --rulebase sample --out "$work/$purpose" --quiet
done
must "$colophon" tokenizer train bpe --corpus "$work/train-internal" --no-revocations --vocab-size 600 --out "$work/t"
train() { "$colophon" train gpt2 --no-revocations --out "$work/m" $small_train "$@"; }

# ---- one thing for another ----
expect 2 "is a collection, no corpus" "a collection for a corpus" train --corpus "$work/c" --tokenizer "$work/t"
hint "a collection for a corpus" "colophon build"
expect 2 "is a tokenizer, not a corpus" "a tokenizer for a corpus" train --corpus "$work/t" --tokenizer "$work/t"
expect 5 "no tokenizer there" "a corpus for a tokenizer" train --corpus "$work/train-internal" --tokenizer "$work/c"
hint "a corpus for a tokenizer" "colophon tokenizer train"
expect 2 "is a corpus, not a token set" "an index of a corpus" "$colophon" index "$work/train-internal" --out "$work/i"
expect 5 "no model there" "a corpus for a model" "$colophon" generate "$work/train-internal" --prompt x
hint "a corpus for a model" "colophon train gpt2"
expect 2 "is a corpus, not a trace index" "a corpus for an index" "$colophon" trace "$work/train-internal" x
expect 2 "is a collection, no sealed artefact" "a proof from a collection" "$colophon" prove "$work/c" --absent x
expect 2 "nothing is sealed here" "a colophon of a folder" "$colophon" show "$root/docs"
expect 4 "is no proof file" "a manifest for a proof" "$colophon" prove --check "$work/t/colophon.json"
expect 2 "is a sealed artefact" "ingest of a corpus" "$colophon" ingest "$work/train-internal" --into "$work/c2"
expect 2 "is a collection of" "ingest of a collection" "$colophon" ingest "$work/c" --into "$work/c2"
expect 5 "nowhere" "ingest of nothing" "$colophon" ingest "$work/nowhere" --into "$work/c2"
expect 1 "no work" "a work that the collection has not" "$colophon" show "$work/c" --work URN:none
expect 1 "holds nothing of" "a work that the corpus has not" "$colophon" show "$work/search" --work URN:none

# ---- for another purpose ----
expect 3 "permitted for search" "training on texts for search" train --corpus "$work/search" --tokenizer "$work/t"
hint "training on texts for search" "train-internal"
expect 3 "permitted for search" "a tokenizer from texts for search" \
    "$colophon" tokenizer train bpe --corpus "$work/search" --no-revocations --vocab-size 600 --out "$work/t2"

absent "$work/c2" "$work/m" "$work/m.tokens" "$work/m.run" "$work/i" "$work/t2" "$work"/*.tmp*
done_testing
