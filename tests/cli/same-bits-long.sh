#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The same digests of everything at 1, 2 and 5 threads, on every instruction set of the processor, with the
# files in another order on disk, and when ingested twice.
. "$(dirname "$0")/lib.sh"
kinds="corpus tokenizer tokens model"

whole_line "$work/one" --threads 1 || { bad "the line runs with one thread"; done_testing; }
for threads in 2 5; do
    whole_line "$work/t$threads" --threads $threads || bad "the line runs with $threads threads"
    for k in $kinds; do same "$k at $threads threads" "$(digest "$work/t$threads/$k")" "$(digest "$work/one/$k")"; done
done
for isa in ref avx2 avx512 neon; do
    has_isa $isa || continue
    COLOPHON_ISA=$isa train_sample "$work/one/corpus" "$work/one/tokenizer" "$work/one/tokens" "$work/m-$isa" --threads 2 || bad "training with $isa"
    same "the model by $isa" "$(digest "$work/m-$isa")" "$(digest "$work/one/model")"
    cmp -s "$work/m-$isa/model.safetensors" "$work/one/model/model.safetensors" && good || bad "the weights by $isa differ"
done
expect 2 "COLOPHON_ISA" "an instruction set that does not exist" env COLOPHON_ISA=mmx "$colophon" doctor

# The same sources, copied file by file in another order: other inodes, other times, another order in the directory.
mkdir "$work/shuffled"
(cd "$root/sample/collection" && find . -type f | sort -R) | while read -r f; do
    mkdir -p "$work/shuffled/$(dirname "$f")" && cp "$root/sample/collection/$f" "$work/shuffled/$f"
done
for part in $(ls "$work/shuffled" | sort -R); do # one source at a time, in any order
    [ "$part" = rights.jsonl ] || [ "$part" = evidence ] || "$colophon" ingest "$work/shuffled/$part" --into "$work/c2" --sample --quiet >/dev/null || bad "ingest of $part"
done
"$colophon" rights import "$work/c2" "$work/shuffled/rights.jsonl" --quiet >/dev/null || bad "rights import"
build_sample "$work/c2" "$work/corpus2" || bad "build of the shuffled collection"
same "the corpus of sources in another order" "$(digest "$work/corpus2")" "$(digest "$work/one/corpus")"

ingest_sample "$work/one/collection" || bad "a second ingest"
build_sample "$work/one/collection" "$work/corpus3" || bad "build after a second ingest"
same "the corpus after a second ingest" "$(digest "$work/corpus3")" "$(digest "$work/one/corpus")"
done_testing
