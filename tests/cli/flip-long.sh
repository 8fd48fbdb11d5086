#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One flipped bit in any file of any artefact, colophon.json included, makes `verify` name that file and exit 1;
# so does a missing file, and one too many.
. "$(dirname "$0")/lib.sh"
RANDOM=${CPH_SEED:-$$}
echo "seed $RANDOM (CPH_SEED)"

whole_line "$work/l" || { bad "the line runs"; done_testing; }
must "$colophon" index "$work/l/tokens" --out "$work/l/index"
snapshot=$(find "$work/l/collection/snapshots" -mindepth 1 -maxdepth 1 -type d | head -n 1)

flip() { # flip FILE OFFSET BIT
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
    printf "\\x$(printf %02x $((byte ^ (1 << $3))))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
for artefact in "$snapshot" "$work/l/corpus" "$work/l/tokenizer" "$work/l/tokens" "$work/l/model" "$work/l/index"; do
    name=$(basename "$artefact")
    expect 0 "" "$name is whole" "$colophon" verify "$artefact"
    while IFS= read -r file; do
        size=$(stat -c %s "$artefact/$file")
        [ "$size" -gt 0 ] || continue
        for round in 1 2 3; do
            offset=$(((RANDOM * 32768 + RANDOM) % size)) bit=$((RANDOM % 8))
            [ $round = 1 ] && offset=0
            flip "$artefact/$file" $offset $bit
            "$colophon" verify "$artefact" >"$work/.out" 2>"$work/.err"
            status=$?
            flip "$artefact/$file" $offset $bit
            if [ $status != 1 ]; then bad "$name/$file, byte $offset, bit $bit: exit $status" "$(cat "$work/.err")"
            elif ! cat "$work/.out" "$work/.err" | grep -qF "$file"; then bad "$name/$file: the file is not named" "$(cat "$work/.out" "$work/.err")"
            else good; fi
        done
    done <<EOF
$(cd "$artefact" && find . -type f | sed 's|^\./||' | sort)
EOF
    one=$(cd "$artefact" && find . -type f ! -name colophon.json | sed 's|^\./||' | sort | head -n 1)
    mv "$artefact/$one" "$work/away"
    expect 1 "" "$name without $one" "$colophon" verify "$artefact"
    mv "$work/away" "$artefact/$one"
    echo extra > "$artefact/zzz-extra"
    expect 1 "" "$name with a file too many" "$colophon" verify "$artefact"
    rm "$artefact/zzz-extra"
    expect 0 "" "$name is whole again" "$colophon" verify "$artefact"
done
done_testing
