#!/usr/bin/env bash
# A Slurm of one node on this machine, the tests of tests/cluster on it, and nothing left of it at the end.
#   tests/cluster/run.sh         the flow up to the labels, its driver killed once: about two minutes
#   tests/cluster/run.sh --all   and the whole flow, time limits, dying nodes, a controller and a database that go away:
#                                half an hour, first without accounting, then with
# It needs root (Slurm starts jobs in the name of their owner), and apt where Slurm is missing. Where it cannot run it
# says so in a line and ends with 0.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/tests/cluster
[ -d .venv ] && PATH=$PWD/.venv/bin:$PATH

skip() { echo "cluster: skipped: $*"; exit 0; }

install() {
    # From the packages only the programs; their services must not start.
    command -v apt-get >/dev/null || skip "no Slurm here, and no apt to get it with"
    echo "cluster: installing $*"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y -qq --no-install-recommends "$@"; } >/dev/null 2>&1 || skip "apt could not install $*"
}

programs=(munged slurmctld slurmd sbatch pgrep)
packages=(munge slurmctld slurmd slurm-client procps)
case ${1:-} in
"") chosen=(-m "not slow") ;;
--all)
    chosen=()
    programs+=(slurmdbd mariadbd)
    packages+=(slurmdbd slurm-wlm-mysql-plugin mariadb-server)
    ;;
*) echo "usage: tests/cluster/run.sh [--all]" >&2; exit 2 ;;
esac
[ "$(id -u)" = 0 ] || skip "not root"
for program in "${programs[@]}"; do
    command -v "$program" >/dev/null || { install "${packages[@]}"; break; }
done
if pgrep -x slurmctld >/dev/null; then skip "a Slurm controller runs here already"; fi

# Short, because the names of sockets may have no more than 107 letters.
folder=$(mktemp -d /tmp/galclass-cluster.XXXXXX)
finish() {
    for cluster in "$folder"/*; do "$here/slurm.sh" stop "$cluster"; done
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT TERM

# The tests on a cluster, without accounting or with it.
on_cluster() {
    local cluster=$folder/$1
    if ! "$here/slurm.sh" start "$cluster" "$1"; then
        tail -n 3 "$cluster"/*.log >&2 || true
        [ "${chosen[*]}" ] || exit 1
        skip "Slurm does not start here"
    fi
    GALCLASS_CLUSTER=$cluster GALCLASS_ACCOUNTING=$1 pytest "$here" -p no:cacheprovider --durations=10 \
        --basetemp="$cluster/tests" "${chosen[@]}"
    "$here/slurm.sh" stop "$cluster"
}

on_cluster none
[ "${1:-}" != --all ] || on_cluster accounting
