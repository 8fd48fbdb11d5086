#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A model does not know how many ranks made it: 1, 2 and 4 ranks at --slots 4, our own and those of mpirun, give one
# digest. kill -9 of a rank at a random moment: the others end within 10 s, not with 0, and name it; the same command
# with another number of ranks ends with the undisturbed digest.
. "$(dirname "$0")/lib.sh"
RANDOM=${CPH_SEED:-$$}
echo "seed $RANDOM (CPH_SEED)"
must ingest_sample "$work/collection"
must build_sample "$work/collection" "$work/corpus"
must tokenizer_sample "$work/corpus" "$work/tokenizer"

four="${small_train/--steps 30/--steps 120} --accumulate 4 --slots 4 --save-every 20 --keep-every 20 --held-out 0.2 --eval-every 50"
mpirun="mpirun --allow-run-as-root --oversubscribe"
has_mpi=no
if command -v mpirun >/dev/null && [ -e "$(dirname "$colophon")/../lib/libcolophon-mpi.so" ]; then has_mpi=yes
else echo "skipped: mpirun or the plug-in for it is not here; our own ranks are tested"; fi

# arguments RANKS MODEL: the command, by whoever starts its ranks
command_of() {
    local start=""
    [ "${1#mpi}" = "$1" ] || start="$mpirun -n ${1#mpi}"
    # shellcheck disable=SC2086
    echo $start "$colophon" train gpt2 --corpus "$work/corpus" --no-revocations --tokenizer "$work/tokenizer" \
        --tokens "$work/tokens" --out "$2" $four --threads 1 --ranks "$([ -n "$start" ] && echo mpi || echo "$1")"
}
forget() { rm -rf "$1" "$1.run"; }

began=$(date +%s%N)
# shellcheck disable=SC2046
must $(command_of 1 "$work/m")
lasts=$((($(date +%s%N) - began) / 1000000)) # ms: a kill shall come before the end on any machine
want=$(digest "$work/m")
kinds="1 2 4"
[ $has_mpi = yes ] && kinds="1 2 4 mpi2 mpi4"
for kind in $kinds; do
    # shellcheck disable=SC2046
    expect 0 "" "training by $kind ranks" $(command_of "$kind" "$work/m-$kind")
    same "digest of $kind ranks" "$(digest "$work/m-$kind")" "$want"
    # A verifier has one process: it goes through the same slots.
    expect 0 "" "replay of $kind ranks" "$colophon" verify "$work/m-$kind" --replay 3 --tokens "$work/tokens"
    forget "$work/m-$kind"
done

# A run to be killed has a process for each rank; they are ours by the command line that names the output.
ranks_of() { pgrep -f "^$colophon train gpt2 .*--out $1 " | sort -n; }
pick() { set -- $1; [ $# = 0 ] || shift $((RANDOM % $#)); echo "${1-}"; }
hits=0
for i in $(seq 12); do
    kind=$(pick "${kinds#1 }")
    n=${kind#mpi}
    # shellcheck disable=SC2046
    $(command_of "$kind" "$work/k") --verbose >"$work/k.out" 2>&1 </dev/null &
    job=$!
    for _ in $(seq 200); do [ "$(ranks_of "$work/k" | wc -l)" = "$n" ] && break; sleep 0.02; done
    sleep "$(awk -v r=$RANDOM -v ms=$lasts 'BEGIN { printf "%.3f", r / 32768 * 0.7 * ms / 1000 }')"
    victim=$(pick "$(ranks_of "$work/k" | tr '\n' ' ')")
    began=$(date +%s%N)
    [ -n "$victim" ] && kill -9 "$victim" 2>/dev/null
    while [ -n "$(ranks_of "$work/k")" ] && [ $(($(date +%s%N) - began)) -lt 20000000000 ]; do sleep 0.05; done
    ms=$((($(date +%s%N) - began) / 1000000)) # of the ranks: mpirun itself at times takes longer to end
    wait $job 2>/dev/null
    got=$?
    if [ -n "$victim" ] && [ ! -e "$work/k" ]; then
        hits=$((hits + 1))
        [ $got != 0 ] && good || bad "$kind: a rank was killed and the exit is 0"
        [ $ms -lt 10000 ] && good || bad "$kind: $ms ms until the others ended"
        # Rank 0 of our own ranks is the process that was started: when it is killed, the others say so.
        grep -Eq "rank [0-9]+ " "$work/k.out" && good || bad "$kind: nobody names the rank" "$(cat "$work/k.out")"
        sleep 0.2
        same "$kind: processes left" "$(ranks_of "$work/k" | wc -l)" 0
    fi
    # What stands under a final name is whole.
    for c in "$work/k.run"/step-????????; do
        [ -e "$c" ] || continue
        "$colophon" verify "$c" >/dev/null 2>&1 && good || bad "$kind: a killed run left $c half written"
    done
    on=$(pick "$kinds")
    # shellcheck disable=SC2046
    expect 0 "" "$kind was killed, $on goes on" $(command_of "$on" "$work/k")
    same "$kind was killed, $on went on" "$(digest "$work/k")" "$want"
    forget "$work/k"
done
echo "$hits of 12 runs were hit before their end"
[ $hits -gt 3 ] && good || bad "too few runs were hit"

# SIGTERM to one rank stops all after a step, with a checkpoint.
# shellcheck disable=SC2046
$(command_of 2 "$work/s") >"$work/s.out" 2>&1 </dev/null &
job=$!
sleep 0.4
kill -TERM "$(ranks_of "$work/s" | tail -n 1)" 2>/dev/null
wait $job
if [ ! -e "$work/s" ]; then
    ls -d "$work/s.run"/step-* >/dev/null 2>&1 && good || bad "a run that was asked to stop left no checkpoint" "$(cat "$work/s.out")"
fi
# shellcheck disable=SC2046
expect 0 "" "after a stop, one rank goes on" $(command_of 1 "$work/s")
same "after a stop" "$(digest "$work/s")" "$want"

# Words for what cannot be.
# shellcheck disable=SC2046
expect 2 "8 ranks cannot share 4 slots" "too many ranks" $(command_of 8 "$work/x")
expect 2 "power of two" "three ranks" $(command_of 3 "$work/x")
absent "$work/x"
done_testing
