#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The program built for 64-bit Arm and run under emulation gives the digests that it gives here, of everything
# on the way from pages to a model.
. "$(dirname "$0")/lib.sh"
arm=$root/build/aarch64/bin/colophon
[ -x "$arm" ] && command -v qemu-aarch64 >/dev/null || { echo "no build for aarch64 here, or no qemu-aarch64"; exit 77; }

whole_line "$work/here" --threads 2 || { bad "the line runs"; done_testing; }
printf '#!/bin/sh\nexec qemu-aarch64 "%s" "$@"\n' "$arm" >"$work/colophon" && chmod +x "$work/colophon"
colophon=$work/colophon
whole_line "$work/arm" --threads 2 || { bad "the line runs for aarch64"; done_testing; }
for k in corpus tokenizer tokens model; do same "the $k by aarch64" "$(digest "$work/arm/$k")" "$(digest "$work/here/$k")"; done
cmp -s "$work/arm/model/model.safetensors" "$work/here/model/model.safetensors" && good || bad "the weights differ"
expect 0 "" "verify for aarch64" "$colophon" verify "$work/here/model"
done_testing
