#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Missing, empty, broken and hostile input; folders that may not be read; a full disk. Each gets one sentence with
# its place, the right exit code, and leaves nothing under a final name.
. "$(dirname "$0")/lib.sh"

# ---- missing and empty ----
expect 5 "no-such-place" "a source that does not exist" "$colophon" ingest "$work/no-such-place" --into "$work/c"
mkdir "$work/empty"
expect 1 "nothing to ingest" "an empty source" "$colophon" ingest "$work/empty" --into "$work/c"
expect 5 "no-such" "build from a collection that does not exist" "$colophon" build "$work/no-such" --for search --out "$work/o"
expect 2 "purpose|--for" "a purpose that does not exist" "$colophon" build "$work/no-such" --for fun --out "$work/o"
for x in verify show; do expect 5 "no-such" "$x of nothing" "$colophon" $x "$work/no-such"; done
expect 5 "no-such" "a model that does not exist" "$colophon" generate "$work/no-such" --prompt x
absent "$work/o" "$work/o.tmp"

# ---- broken input: recorded, the work goes on ----
mkdir -p "$work/in/alto" "$work/in/jsonl" "$work/in/text"
page() { printf '<alto><Layout><Page ID="P%s" WIDTH="1000" HEIGHT="1500"><PrintSpace><TextBlock ID="B"><TextLine><String CONTENT="%s"/></TextLine></TextBlock></PrintSpace></Page></Layout></alto>' "$1" "$2"; }
page 1 "first" > "$work/in/alto/p1.xml"
page 2 "second" | head -c 120 > "$work/in/alto/p2.xml"                    # cut
printf '\377\376\375 no text at all' > "$work/in/alto/p3.xml"            # no XML
: > "$work/in/alto/p4.xml"                                                # empty
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12\n' 0 > "$work/in/alto/p5.xml"
printf '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx">]><alto>&x;</alto>' > "$work/in/alto/p6.xml"
printf '{"urn":"urn:x:alto","title":"T","origin":"NO","form":"book","language":"nob","contributors":[{"role":"author","name":"A","death":{"value":"1900","source":"authority"}}],"files":["alto/p1.xml","alto/p2.xml","alto/p3.xml","alto/p4.xml","alto/p5.xml","alto/p6.xml"]}\n' > "$work/in/works.jsonl"
{ echo '{"id":"a","text":"whole line"}'; echo '{"id":"b","text":"cut'; head -c 1000000 /dev/zero | tr '\0' '['; echo; printf '{"id":"c","text":"bad \377 byte"}\n'; echo '{"id":"d","text":"after it"}'; } > "$work/in/jsonl/r.jsonl"
printf 'Ein tekst.\n\377\376 broken bytes\n' > "$work/in/text/t.txt"
expect 0 "" "a folder of broken things" "$colophon" ingest "$work/in" --into "$work/c"
"$colophon" show "$work/c" --json > "$work/show.json" && good || bad "show --json of it"
for rule in lfs-pointer empty truncated; do grep -q "$rule" "$work/show.json" && good || bad "the problem '$rule' is not recorded" "$(head -c 600 "$work/show.json")"; done

# ---- rights files ----
echo '{"kind":"determination"' > "$work/bad.jsonl"
expect 4 "bad.jsonl:1|bad.jsonl: line 1" "a broken line of a rights file" "$colophon" rights import "$work/c" "$work/bad.jsonl"
expect 3 "sample" "the sample rule base on a collection that is none" "$colophon" build "$work/c" --for search --as-of $as_of --rulebase sample --out "$work/o"
expect 3 "RR-" "a purpose that nothing permits" "$colophon" build "$work/c" --for train-internal --as-of $as_of --out "$work/o"
absent "$work/o" "$work/o.tmp"

# ---- sealed things are not written over, and are not what they are not ----
mkdir "$work/there"; echo x > "$work/there/x"
ingest_sample "$work/cs" || bad "ingest of the sample"
expect 2 "exists already" "an output that exists" "$colophon" build "$work/cs" --for train-internal --as-of $as_of --release $as_of --rulebase sample --out "$work/there"
build_sample "$work/cs" "$work/corpus" || bad "build of the sample"
tokenizer_sample "$work/corpus" "$work/tokenizer" || bad "tokenizer of the sample"
expect 5 "tokenizer.json" "a corpus for a tokenizer" "$colophon" train gpt2 --corpus "$work/corpus" --no-revocations --tokenizer "$work/corpus" --out "$work/m"
expect 2 "revocations" "a corpus read without a word on revocations" "$colophon" tokenizer train bpe --corpus "$work/corpus" --vocab-size 600 --out "$work/t2"
expect 6 "memory" "a memory limit that is too small" "$colophon" train gpt2 --corpus "$work/corpus" --no-revocations --tokenizer "$work/tokenizer" --out "$work/m" --memory 1MiB
mkdir "$work/pickle"; echo '{"model_type":"gpt2"}' > "$work/pickle/config.json"; echo x > "$work/pickle/pytorch_model.bin"
expect 4 "pytorch_model.bin|safetensors" "a pickle file" "$colophon" generate "$work/pickle" --prompt x
absent "$work/m" "$work/t2" "$work/t2.tmp"

# ---- a folder that may not be read or written (as somebody who is not root) ----
if [ "$(id -u)" = 0 ]; then
    as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent TMPDIR=/tmp "$@"; }
    open=$(mktemp -d /tmp/cph-nobody-XXXXXX); chmod 777 "$open"; cp -r "$work/in" "$open/in"; cp "$colophon" "$open/colophon"
else
    as_nobody() { "$@"; }
    open=$work/open; mkdir "$open"; cp -r "$work/in" "$open/in"; cp "$colophon" "$open/colophon"
fi
chmod -R a+rX "$open"; mkdir "$open/in/closed"; page 1 x > "$open/in/closed/p.xml"; chmod 000 "$open/in/closed"
expect 0 "" "a folder with an unreadable one in it" as_nobody "$open/colophon" ingest "$open/in" --into "$open/c"
as_nobody "$open/colophon" show "$open/c" --json | grep -q "closed" && good || bad "the unreadable folder is not recorded"
expect 5 "closed" "an unreadable folder alone" as_nobody "$open/colophon" ingest "$open/in/closed" --into "$open/c2"
mkdir "$open/readonly"; chmod 555 "$open/readonly"
expect 5 "readonly" "a folder that may not be written" as_nobody "$open/colophon" ingest "$open/in" --into "$open/readonly/c"
chmod -R 777 "$open"; case $open in /tmp/cph-nobody-*) rm -rf "$open" ;; esac

# ---- a full disk ----
small=$work/small; mkdir "$small"
if mount -t tmpfs -o size=48k none "$small" 2>/dev/null; then
    expect 5 "No space|disk" "ingest onto a full disk" "$colophon" ingest "$root/sample/collection" --into "$small/c" --sample
    rm -rf "${small:?}"/*
    expect 5 "No space|disk" "build onto a full disk" "$colophon" build "$work/cs" --for train-internal --as-of $as_of --release $as_of --rulebase sample --out "$small/corpus" --max-chars 1000000
    absent "$small/corpus"
    rm -rf "${small:?}"/*
    # shellcheck disable=SC2086
    expect 5 "No space|disk" "training onto a full disk" "$colophon" train gpt2 --corpus "$work/corpus" --no-revocations --tokenizer "$work/tokenizer" --tokens "$work/tokens" --out "$small/m" $small_train --save-every 2
    absent "$small/m"
    umount "$small"
else
    echo "no tmpfs may be mounted here: the full disk is tested by planted faults only (tests/*/test_*.c)"
fi
done_testing
