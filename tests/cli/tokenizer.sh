#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tokenizer train, encode, decode: a round trip, the same digest at any thread count, and sentences for mistakes.
. "$(dirname "$0")/lib.sh"

for i in 1 2 3 4 5 6 7 8; do echo "Det var en gang $i barn som gikk langs stranda, og stranda var lang."; done > "$work/text"
printf 'uten linjeslutt: blåbærsyltetøy <|endoftext|>' >> "$work/text"
must "$colophon" tokenizer train bpe "$work/text" --vocab-size 300 --out "$work/t1" --threads 1
must "$colophon" tokenizer train bpe "$work/text" --vocab-size 300 --out "$work/t5" --threads 5
same "digest at 1 and 5 threads" "$(digest "$work/t1")" "$(digest "$work/t5")"
must "$colophon" tokenizer train bpe "$work/text" --vocab-size 299 --out "$work/t2"
[ "$(digest "$work/t1")" != "$(digest "$work/t2")" ] && good || bad "an option of identity changes the digest"
expect 0 "" "verify" "$colophon" verify "$work/t1"
for f in tokenizer.json vocab.json merges.txt tokenizer_config.json special_tokens_map.json colophon.json; do
    [ -s "$work/t1/$f" ] && good || bad "$f is written"
done

"$colophon" tokenizer encode "$work/t1" "$work/text" > "$work/ids"
"$colophon" tokenizer decode "$work/t1" "$work/ids" > "$work/back"
{ cat "$work/text"; echo; } | cmp -s - "$work/back" && good || bad "decoding gives the text back"
same "special tokens in text are text" "$("$colophon" tokenizer encode "$work/t1" "$work/text" --tokens | tail -n 1 | grep -cF '<|endoftext|>')" 0
same "special tokens when asked for" "$("$colophon" tokenizer encode "$work/t1" "$work/text" --tokens --specials | tail -n 1 | grep -cF '<|endoftext|>')" 1
same "json" "$(printf 'en' | "$colophon" tokenizer encode "$work/t2" --json | grep -c '^\[{"ids":\[.*"tokens":\[.*"bytes":\[\[0,')" 1
same "nothing in, nothing out" "$(printf '' | "$colophon" tokenizer encode "$work/t1" --json)" "[]"

expect 2 "kind" "another kind" "$colophon" tokenizer train unigram "$work/text" --out "$work/x"
expect 2 "corpus" "neither corpus nor files" "$colophon" tokenizer train bpe --out "$work/x"
expect 2 "alphabet" "a vocabulary that is too small" "$colophon" tokenizer train bpe "$work/text" --vocab-size 100 --out "$work/x"
expect 2 "exists" "a place that is taken" "$colophon" tokenizer train bpe "$work/text" --out "$work/t1"
expect 5 "no-such" "a file that is missing" "$colophon" tokenizer train bpe "$work/no-such" --out "$work/x"
: > "$work/empty"
expect 4 "no text" "an empty file" "$colophon" tokenizer train bpe "$work/empty" --out "$work/x"
absent "$work/x" "$work/x.tmp"
echo '{"model":{"type":"Unigram","vocab":[]}}' > "$work/unigram.json"
expect 2 "Unigram" "a kind that is not built" "$colophon" tokenizer encode "$work/unigram.json"
echo '{"model":' > "$work/broken.json"
expect 4 "broken.json: line" "a broken file" "$colophon" tokenizer encode "$work/broken.json"
echo "1 2 999999" > "$work/bad"
expect 4 "999999" "an id that is none" "$colophon" tokenizer decode "$work/t1" "$work/bad"
echo >> "$work/t2/tokenizer.json"
expect 4 "changed" "a tokenizer that was changed" "$colophon" tokenizer encode "$work/t2" "$work/text"
done_testing
