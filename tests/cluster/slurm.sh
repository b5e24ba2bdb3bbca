#!/usr/bin/env bash
# A Slurm cluster of one node on the loopback, for tests: own munge key, own ports, everything in one folder.
#   slurm.sh start|stop|node-dies|node-returns|controller-stops|controller-starts|database-dies FOLDER [accounting]
set -euo pipefail
action=${1:?usage: slurm.sh ACTION FOLDER [accounting]}
folder=$(mkdir -p "${2:?usage: slurm.sh ACTION FOLDER [accounting]}" && cd "$2" && pwd)
accounting=${3:-none}
# Snakemake's plugin starts srun without SLURM_CONF, so the configuration has to be where Slurm looks by itself.
place=/etc/slurm
mark="# galclass: a cluster of one node for tests"

ours() { [ ! -e "$1" ] || head -n 1 "$1" | grep -qxF "$mark"; }

refuse_other_clusters() {
    for file in slurm.conf slurmdbd.conf cgroup.conf; do
        ours "$place/$file" || { echo "slurm.sh: $place/$file is of another cluster; left as it is" >&2; exit 1; }
    done
}

# The storage lines; with accounting the database daemon serves a MariaDB of our own on a socket in the folder.
storage() {
    if [ "$accounting" = accounting ]; then
        echo "AccountingStorageType=accounting_storage/slurmdbd"
        echo "AccountingStorageHost=127.0.0.1"
        echo "AccountingStoragePort=16819"
        echo "AccountingStoragePass=$folder/munge.socket"
        echo "JobAcctGatherType=jobacct_gather/linux"
    else
        echo "AccountingStorageType=accounting_storage/none"
        echo "JobAcctGatherType=jobacct_gather/none"
    fi
}

write_slurm_conf() {
    mkdir -p "$place" "$folder/state" "$folder/spool"
    cat > "$place/slurm.conf" <<CONF
$mark
ClusterName=galclass
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
SlurmUser=root
SlurmctldPidFile=$folder/slurmctld.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdPidFile=$folder/slurmd.pid
SlurmdLogFile=$folder/slurmd.log
SlurmdSpoolDir=$folder/spool
StateSaveLocation=$folder/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=1,sched_interval=5,bf_interval=5
ReturnToService=2
KillWait=5
MinJobAge=300
SlurmdTimeout=15
SlurmdParameters=config_overrides
$(storage)
NodeName=$(hostname) NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=test Nodes=$(hostname) Default=YES MaxTime=INFINITE State=UP
CONF
}

write_slurmdbd_conf() {
    (umask 077; cat > "$place/slurmdbd.conf" <<CONF
$mark
DbdHost=$(hostname)
DbdAddr=127.0.0.1
DbdPort=16819
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
SlurmUser=root
PidFile=$folder/slurmdbd.pid
LogFile=$folder/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct
CONF
    )
}

# Wait until a command succeeds: await SECONDS WHAT COMMAND...
await() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until timeout 10 "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { echo "slurm.sh: $what did not come up; see the logs in $folder" >&2; exit 1; }
        sleep 0.2
    done
}

start_munge() {
    [ -s "$folder/munge.key" ] || (umask 077; dd if=/dev/urandom of="$folder/munge.key" bs=128 count=1 status=none)
    chown -R root: "$folder"
    munged --force --key-file "$folder/munge.key" --socket "$folder/munge.socket" --pid-file "$folder/munged.pid" \
        --log-file "$folder/munged.log" --seed-file "$folder/munged.seed"
}

start_database() {
    mkdir -p "$folder/mysql"
    mariadb-install-db --no-defaults --user=root --datadir="$folder/mysql" --auth-root-authentication-method=normal \
        >"$folder/mariadb.log" 2>&1
    mariadbd --no-defaults --user=root --datadir="$folder/mysql" --socket=/run/mysqld/mysqld.sock --skip-networking \
        --innodb-buffer-pool-size=64M --pid-file="$folder/mariadbd.pid" >>"$folder/mariadb.log" 2>&1 &
    await 30 MariaDB mariadb-admin --no-defaults --socket=/run/mysqld/mysqld.sock ping
    write_slurmdbd_conf
    slurmdbd
    await 30 slurmdbd sacctmgr -n show cluster
    sacctmgr -i add cluster galclass >/dev/null
    sacctmgr -i add account dwarfs Cluster=galclass >/dev/null
    sacctmgr -i add user root Account=dwarfs >/dev/null
}

node_is_idle() { sinfo -h -o %T | grep -qx idle; }
export -f node_is_idle

# Ask a daemon to stop, by its own process number.
stop() {
    local file=$folder/$1.pid pid
    [ -s "$file" ] || return 0
    pid=$(cat "$file")
    kill -"${2:-TERM}" "$pid" 2>/dev/null || true
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
    rm -f "$file"
}

# Kill a process and all that it has started.
kill_tree() {
    local child
    for child in $(pgrep -P "$1"); do kill_tree "$child"; done
    kill -KILL "$1" 2>/dev/null || true
}

case $action in
start)
    refuse_other_clusters
    write_slurm_conf
    start_munge
    if [ "$accounting" = accounting ]; then mkdir -p /run/mysqld; start_database; fi
    slurmctld
    slurmd
    await 30 "the node" bash -c node_is_idle
    ;;
stop)
    for daemon in slurmd slurmctld slurmdbd mariadbd munged; do stop "$daemon"; done
    for file in slurm.conf slurmdbd.conf; do if ours "$place/$file"; then rm -f "$place/$file"; fi; done
    ;;
node-dies)
    stop slurmd KILL
    # The configuration is ours, so every step is one of this cluster.
    for step in $(pgrep -x slurmstepd); do kill_tree "$step"; done
    ;;
node-returns) slurmd ;;
controller-stops) stop slurmctld ;;
controller-starts) slurmctld ;;
database-dies) stop slurmdbd KILL; stop mariadbd KILL ;;
*) echo "slurm.sh: found $action; allowed: see its first lines" >&2; exit 2 ;;
esac
