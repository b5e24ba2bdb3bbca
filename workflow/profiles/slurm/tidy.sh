#!/bin/sh
# What an earlier driver has left in this folder: jobs of Slurm, which must not write beside ours, and records that
# jobs keep for nobody. The workflow calls it when it starts and when it ends; without Slurm it does next to nothing.
set -eu

# Snakemake keeps its records in one database; the jobs of a cluster do not know that and write a file for every output.
if [ -f .snakemake/metadata.db ]; then
    rm -rf .snakemake/metadata .snakemake/incomplete
fi

command -v squeue >/dev/null 2>&1 || exit 0

# Jobs of Snakemake's Slurm plugin: named by a UUID, commented with their rule, started in this folder. Whatever else
# was sent from here, such as a job in which the driver itself runs, is no business of ours.
leftovers() {
    squeue --user="$(id -un)" --noheader --format='%i|%j|%k|%Z' 2>/dev/null |
        awk -F '|' -v here="$PWD" '$4 == here && $3 ~ /^rule_/ && $2 ~ /[0-9a-f]+(-[0-9a-f]+)+$/ { print $1 }'
}

jobs=$(leftovers)
[ -n "$jobs" ] || exit 0
echo "cancelling $(echo "$jobs" | wc -l) jobs that an earlier driver left in the queue" >&2
echo "$jobs" | xargs -n 500 scancel
left=120
while [ -n "$(leftovers)" ] && [ "$left" -gt 0 ]; do
    sleep 1
    left=$((left - 1))
done
[ "$left" -gt 0 ] || echo "some are still there after two minutes: $(leftovers | tr '\n' ' ')" >&2
