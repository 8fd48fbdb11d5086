#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts into a prefix serves a C programmer (both libraries, by pkg-config), a reader of manual
# pages and a shell; the shared library exports our names only. The installed tree may be moved.
. "$(dirname "$0")/lib.sh"
build=${colophon%/bin/colophon}
[ -e "$build/lib/libcolophon.so" ] || { echo "the libraries are not built: $build"; exit 77; }

must cmake --install "$build" --prefix "$work/first"
mv "$work/first" "$work/prefix"
pc=$(find "$work/prefix" -name colophon.pc)
lib=$(dirname "$(dirname "$pc")")
export PKG_CONFIG_PATH=$(dirname "$pc")
foreign=$(nm -D --defined-only "$lib/libcolophon.so" | awk '$2 != "A" && $3 !~ /^cph_/ { print $3 }')
[ -z "$foreign" ] && good || bad "the shared library exports cph_ names only" "$foreign"
[ "$(nm -D --defined-only "$lib/libcolophon.so" | grep -c ' T cph_')" -gt 100 ] && good || bad "the shared library exports its functions"
same "the version by pkg-config" "colophon $(pkg-config --modversion colophon)" "$("$work/prefix/bin/colophon" --version | head -n 1 | cut -d' ' -f1-2)"
for header in $(cd "$root/include" && find colophon -name '*.h'); do
    [ -e "$work/prefix/include/$header" ] && good || bad "$header is not installed"
done

# ---- a program of somebody else ----
cat >"$work/first_id.c" <<'EOT'
#include <colophon/corpus/corpus.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    cph_err err = {0};
    cph_corpus *corpus = NULL;
    cph_reader *reader = NULL;
    cph_policy policy;
    cph_doc doc;
    if (argc != 3) return 2;
    cph_status s = cph_corpus_open(&corpus, argv[1], &err);
    if (s == CPH_OK) {
        policy = cph_corpus_policy(corpus);
        if (!cph_purpose_parse(cph_str_of(argv[2]), &policy.purpose)) return 2;
        s = cph_reader_open(&reader, corpus, &policy, (cph_part){0, 1}, NULL, true, &err);
    }
    if (s == CPH_OK) s = cph_reader_next(reader, &doc, &err);
    if (s == CPH_OK) printf("%.*s\n", CPH_FMT(doc.id));
    else fprintf(stderr, "%s\n", err.what);
    cph_reader_close(reader);
    cph_corpus_close(corpus);
    return cph_status_exit(s);
}
EOT
must ingest_sample "$work/collection"
must build_sample "$work/collection" "$work/corpus"
want=$(zstd -dcq "$work/corpus/shard-00000.jsonl.zst" | head -n 1 | jq -r .id)
flags="-std=c17 -Wall -Wextra -Wpedantic -Werror"
# shellcheck disable=SC2046,SC2086
expect 0 "" "a program with the shared library" cc $flags "$work/first_id.c" -o "$work/shared-id" $(pkg-config --cflags --libs colophon)
# The archive by name, then what it needs, from pkg-config: other libraries may exist as shared ones only.
# shellcheck disable=SC2046,SC2086
expect 0 "" "a program with the static library" cc $flags "$work/first_id.c" -o "$work/static-id" \
    $(pkg-config --static --cflags --libs colophon | sed 's/-lcolophon/-l:libcolophon.a/')
ldd "$work/static-id" | grep -q libcolophon && bad "the static program needs no libcolophon.so" || good
for kind in shared static; do
    for purpose in train-internal publish-corpus; do
        got=$(LD_LIBRARY_PATH=$lib "$work/$kind-id" "$work/corpus" $purpose 2>"$work/.err")
        case "$purpose $?" in
            "train-internal 0") same "the first record by the $kind program" "$got" "$want" ;;
            "publish-corpus 3") good ;; # more than was sealed
            *) bad "the $kind program, asked for $purpose" "$(cat "$work/.err")" ;;
        esac
    done
done

# ---- manual pages and completion ----
man=$work/prefix/share/man/man1
[ -e "$man/colophon.1" ] && good || bad "colophon.1 is installed"
"$colophon" help --as options | cut -f1 | sort -u >"$work/commands"
while read -r command; do
    page=$man/colophon-${command// /-}.1
    [ -s "$page" ] && cmp -s "$page" <("$colophon" help $command --as man) && good || bad "${page##*/} is installed and new"
done <"$work/commands"
for page in "$man"/*.1; do
    head -n 1 "$page" | grep -q '^\.TH ' && grep -q '^\.SH NAME$' "$page" && good || bad "${page##*/} begins like a manual page"
    command -v groff >/dev/null || continue
    said=$(groff -man -ww -Tutf8 "$page" 2>&1 >/dev/null)
    [ -z "$said" ] && good || bad "groff complains of ${page##*/}" "$said"
done
complete_words() { # complete_words WORD...: what bash offers for the last one
    bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _colophon; echo "${COMPREPLY[*]}"' - \
        "$work/prefix/share/bash-completion/completions/colophon" colophon "$@"
}
same "completion of a command" "$(complete_words bui)" build
same "completion of a command of two words" "$(complete_words rig)" rights
same "completion of the second word" "$(complete_words rights ex)" explain
same "completion of an option" "$(complete_words build coll --paragraph)" --paragraph-chars
same "completion of an option of two words' command" "$(complete_words train gpt2 --weight)" --weight-decay
done_testing
