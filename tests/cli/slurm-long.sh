#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ranks of srun: a cluster of one node, from a folder of its own, trains the same model; a killed rank is named, the rest
# end within 10 s, and the same command goes on. Skipped where Slurm, munge or the MPI plug-in is absent.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin
for tool in slurmctld slurmd srun munged; do
    command -v $tool >/dev/null || { echo "skipped: $tool is absent (slurmctld slurmd slurm-client munge)"; exit 77; }
done
[ -e "$(dirname "$colophon")/../lib/libcolophon-mpi.so" ] || { echo "skipped: the plug-in for MPI was not built"; exit 77; }
[ "$(id -u)" = 0 ] || { echo "skipped: only root starts a cluster here"; exit 77; }

cluster=$work/cluster host=$(hostname)
mkdir -p "$cluster/state" "$cluster/spool"
port=$((20000 + $$ % 20000))
export SLURM_CONF=$cluster/slurm.conf
cat >"$SLURM_CONF" <<EOT
ClusterName=private
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthInfo=socket=$cluster/munge.socket
SlurmctldPort=$port
SlurmdPort=$((port + 1))
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
EOT
end_cluster() {
    local daemon
    for daemon in slurmd slurmctld munged; do
        [ -e "$cluster/$daemon.pid" ] && kill "$(cat "$cluster/$daemon.pid")" 2>/dev/null
    done
    sleep 1
    rm -rf "$work"
}
trap end_cluster EXIT
(umask 077; head -c 1024 /dev/urandom >"$cluster/key")
must munged --force --key-file="$cluster/key" --socket="$cluster/munge.socket" --pid-file="$cluster/munged.pid" \
    --log-file="$cluster/munged.log" --seed-file="$cluster/seed"
must slurmctld
must slurmd
for _ in $(seq 100); do sinfo -h -o %T 2>/dev/null | grep -q idle && break; sleep 0.1; done
srun --mpi=list 2>&1 | grep -q pmix || { echo "skipped: this srun knows no pmix"; exit 77; }

must ingest_sample "$work/collection"
must build_sample "$work/collection" "$work/corpus"
must tokenizer_sample "$work/corpus" "$work/tokenizer"
# train MODEL RANKS [COMMAND-IN-FRONT...]
train() {
    local to=$1 ranks=$2; shift 2
    # shellcheck disable=SC2086
    "$@" "$colophon" train gpt2 --corpus "$work/corpus" --no-revocations --tokenizer "$work/tokenizer" --tokens "$work/tokens" \
        --out "$to" ${small_train/--steps 30/--steps 150} --accumulate 4 --slots 4 --save-every 10 --threads 1 --ranks "$ranks"
}
must train "$work/m" 1
for n in 2 4; do
    expect 0 "" "srun with $n ranks" train "$work/m-$n" mpi srun --mpi=pmix --overcommit -n $n
    same "digest of $n ranks of srun" "$(digest "$work/m-$n")" "$(digest "$work/m")"
done

train "$work/k" mpi srun --mpi=pmix --overcommit -n 4 >"$work/k.out" 2>&1 </dev/null &
job=$!
for _ in $(seq 200); do [ -e "$work/k.run/log.jsonl" ] && break; sleep 0.05; done
victim=$(pgrep -f "^$colophon train gpt2 .*--out $work/k " | sed -n 3p)
began=$(date +%s%N)
kill -9 "$victim"
wait $job
got=$?
ms=$((($(date +%s%N) - began) / 1000000))
[ $got != 0 ] && [ $ms -lt 10000 ] && good || bad "a rank of srun was killed: exit $got after $ms ms"
grep -q "^colophon: rank [0-9] (process $victim on $host) died" "$work/k.out" && good || bad "nobody names the rank" "$(cat "$work/k.out")"
absent "$work/k"
expect 0 "" "our own ranks go on where those of srun died" train "$work/k" 2
same "after a killed rank of srun" "$(digest "$work/k")" "$(digest "$work/m")"
done_testing
