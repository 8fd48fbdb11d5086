#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Plants one violation of each boundary in a small house and expects its lint to name it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0; failed=0

fresh() { # a house of three rooms in which nothing is wrong
    rm -rf "$tmp/h"; mkdir -p "$tmp/h/src/base" "$tmp/h/src/rights" "$tmp/h/src/train" "$tmp/h/include/colophon/base" \
        "$tmp/h/include/colophon/rights" "$tmp/h/tests" "$tmp/h/tools" "$tmp/h/cmake"
    cd "$tmp/h"
    printf '0 base -\n1 rights base\n4 train base rights\n' > house.txt
    spdx='/* SPDX-License-Identifier: Apache-2.0 */'
    printf '%s\nint cph_ground(void);\n' "$spdx" > include/colophon/base/ground.h
    printf '%s\nint cph_may(void);\n' "$spdx" > include/colophon/rights/may.h
    printf '%s\n#include <colophon/base/ground.h>\nint cph_ground(void) { return 1; }\n' "$spdx" > src/base/ground.c
    printf '%s\n#include <colophon/base/ground.h>\n#include <colophon/rights/may.h>\nint cph_may(void) { return cph_ground(); }\n' "$spdx" > src/rights/may.c
    printf '%s\n#include <colophon/rights/may.h>\nint cph_learn(void);\nint cph_learn(void) { return cph_may(); }\n' "$spdx" > src/train/learn.c
}
compile() {
    rm -rf b
    for c in src/*/*.c; do
        room=${c#src/}; room=${room%%/*}
        mkdir -p "b/CMakeFiles/cph_${room}_obj.dir/src/$room"
        cc -w -fno-builtin -Iinclude -Isrc/$room -c "$c" -o "b/CMakeFiles/cph_${room}_obj.dir/$c.o"
    done
}
expect() { # expect NAME WORDS LINT...: the lint fails and says WORDS
    name=$1; words=$2; shift 2
    if out=$("$@" 2>&1); then
        echo "not ok - $name: the lint passed"; failed=$((failed + 1))
    elif ! printf '%s' "$out" | grep -q "$words"; then
        echo "not ok - $name: it says: $out"; failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
}
accept() {
    name=$1; shift
    if out=$("$@" 2>&1); then passed=$((passed + 1)); else echo "not ok - $name: $out"; failed=$((failed + 1)); fi
}
lint=$root/tools/lint

fresh; compile
for l in includes headers files; do accept "a clean house passes $l" "$lint/$l" .; done
accept "a clean house passes symbols" "$lint/symbols" b .

fresh; echo '#include <colophon/rights/may.h>' >> src/base/ground.c
expect "a lower floor includes a higher one" "may not use rights" "$lint/includes" .
fresh; printf '0 base -\n1 rights base train\n4 train base rights\n' > house.txt
expect "house.txt itself points upwards" "uses train" "$lint/includes" .
fresh; echo '#include "../rights/rights_in.h"' >> src/train/learn.c
expect "a private header is reached through a wall" "through a wall" "$lint/includes" .
fresh; mkdir src/attic; echo '/* SPDX-License-Identifier: Apache-2.0 */' > src/attic/old.c
expect "a room that house.txt does not know" "not in house.txt" "$lint/includes" .
fresh; printf 'int cph_may(void);\nint cph_ground(void) { return cph_may(); }\n' > src/base/ground.c; compile
expect "a lower floor calls a higher one without any include" "base may not use rights" "$lint/symbols" b .
for call in 'exit(1)' 'abort()' 'printf("x")' 'puts("x")'; do
    fresh; echo "void exit(int); void abort(void); int printf(const char *, ...); int puts(const char *); void cph_x(void) { $call; }" >> src/rights/may.c; compile
    expect "$call outside cli" "only cli" "$lint/symbols" b .
done
fresh; echo 'void *malloc(unsigned long); void *cph_x(void) { return malloc(1); }' >> src/rights/may.c; compile
expect "malloc outside base" "memory comes from base" "$lint/symbols" b .
for f in exp tanhf cos powf logf; do
    fresh; echo "double $f(double); double cph_x(double v) { return $f(v); }" >> src/train/learn.c; compile
    expect "$f on the way to a digest" "libm transcendental" "$lint/symbols" b .
done
fresh; echo 'int sprintf(char *, const char *, ...); void cph_x(char *z) { sprintf(z, "x"); }' >> src/rights/may.c; compile
expect "sprintf anywhere" "never used" "$lint/symbols" b .
fresh; echo 'int loose(void) { return 1; }' >> src/rights/may.c; compile
expect "a global name without cph_" "starts with cph_" "$lint/symbols" b .
fresh; echo 'size_t cph_n(void);' >> include/colophon/rights/may.h
expect "a header that needs another" "does not compile alone" "$lint/headers" .
fresh; echo 'int class(void);' >> include/colophon/rights/may.h
expect "a header that is no C++" "as c++17" "$lint/headers" .
fresh; echo 'int cph_z(void);' > include/colophon/rights/bare.h
expect "a file without a licence line" "no SPDX line" "$lint/files" .
fresh; cp src/rights/may.c src/train/may.c
expect "two files of one name" "two files" "$lint/files" .
fresh; cp src/rights/may.c src/rights/misc.c
expect "a drawer for everything" "say what it holds" "$lint/files" .

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
