#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a user meets who types something wrong, and what is made from the option tables.
. "$(dirname "$0")/lib.sh"

expect 0 "" "--help" "$colophon" --help
expect 0 "" "--version" "$colophon" --version
expect 2 "there is no command 'frobnicate'" "an unknown command" "$colophon" frobnicate
expect 0 "" "a group of commands" "$colophon" rights --help
expect 2 "rights explain" "a group without a command" "$colophon" rights
expect 2 "colophon train -h" "an unknown command of a group" "$colophon" train bert
expect 2 "colophon help lists" "help on nothing" "$colophon" help frobnicate
expect 2 "there is no option --no-such-thing" "an unknown option" "$colophon" ingest --no-such-thing
expect 2 "did you mean --threads" "a misspelt option" "$colophon" ingest --thread 2 x
expect 2 "wants a whole number" "a word for a number" "$colophon" ingest x --into y --threads two
expect 2 "wants a size" "a word for a size" "$colophon" ingest x --into y --memory much
expect 2 "given twice" "an option twice" "$colophon" ingest x --into y --into z
expect 2 "options have two dashes" "one dash" "$colophon" ingest -into y
expect 5 "standard output" "a full disk under standard output" sh -c "'$colophon' help --as markdown >/dev/full"

"$colophon" help --as options > "$work/options"
while IFS= read -r command; do
    # shellcheck disable=SC2086
    expect 0 "" "$command -h" "$colophon" $command -h
    # shellcheck disable=SC2086
    expect 0 "" "$command --help" "$colophon" $command --help
    "$colophon" $command --help | awk 'length > 110 { exit 1 }' && good || bad "$command --help has lines over 110 columns"
    "$colophon" $command --help | grep -q ' $' && bad "$command --help has blanks at the end of a line" || good
    # shellcheck disable=SC2086
    expect 2 "there is no option --zzz" "$command --zzz" "$colophon" $command --zzz
done <<EOF
$(cut -f1 "$work/options" | sort -u)
EOF

"$colophon" help --as markdown | cmp -s - "$root/docs/commands.md" && good || bad "docs/commands.md is out of date: make docs"
"$colophon" help --as completion | bash -n && good || bad "the completion is no bash"
"$colophon" help --as man | grep -q '^.SH EXIT STATUS' && good || bad "the manual page lacks its exit codes"
done_testing
