#!/usr/bin/env bash
# fuzz.sh SECONDS [TARGET...]: runs the fuzz targets (fuzz/targets/, each with its property), all or these, for SECONDS
# each, two at a time, and prints how often each was executed. A crash, a leak, a hang or too much memory fails; the input
# that did it is named, and `target/fuzz/bin/TARGET INPUT` shows it again.
#
# What is found on the way is kept in target/fuzz/corpus, so that the next run goes on from there. FUZZ_JOBS: how many at
# a time. FUZZ_SEED: which of the ways through the inputs is taken; without it every run takes another.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/paths.sh

seconds=${1:?usage: fuzz.sh SECONDS [TARGET...]}
shift
triple=$(rustc -vV | sed -n 's/^host: //p')
work=$PWD/target/fuzz
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(sed -n 's/^name = "\([a-z_]*\)"$/\1/p' fuzz/Cargo.toml)

# The sanitizers are part of every compiler, but only unstable options switch them on.
RUSTC_BOOTSTRAP=1 cargo fuzz build --fuzz-dir fuzz --target "$triple" --target-dir "$work" --release --sanitizer address
ln -sfn "$triple/release" "$work/bin"

# run TARGET: one line of its result to TARGET.result, everything else to TARGET.log.
run() {
    local target=$1 inputs=$work/corpus/$1 faults=$work/faults/$1 log=$work/$1.log
    local options=("-max_total_time=$seconds" -print_final_stats=1 -timeout=20 "-artifact_prefix=$faults/") state=ok
    mkdir -p "$inputs" "$faults"
    [ -z "${FUZZ_SEED:-}" ] || options+=("-seed=$FUZZ_SEED")
    [ ! -f "fuzz/dictionaries/$target" ] || options+=("-dict=fuzz/dictionaries/$target")
    ASAN_OPTIONS=detect_odr_violation=0 "$work/bin/$target" "${options[@]}" "$inputs" "fuzz/seeds/$target" >"$log" 2>&1 ||
        state=FAILED
    local count
    count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "${count:-0} $state" >"$work/$target.result"
}

# What the targets write goes to memory where there is such a place, and away at the end.
TMPDIR=$(mktemp -d -p "$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")")
export TMPDIR
trap 'kill $(jobs -rp) 2>/dev/null || true; rm -rf "$TMPDIR"' EXIT
for target in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "${FUZZ_JOBS:-2}" ]; do wait -n || true; done
    run "$target" &
done
wait

total=0 failed=0
for target in "${targets[@]}"; do
    read -r count state <"$work/$target.result"
    total=$((total + count))
    printf '%-12s %12d executions  %s\n' "$target" "$count" "$state"
    [ "$state" = ok ] && continue
    failed=$((failed + 1))
    # What went wrong, and where the input is; the whole log stays.
    grep -aE "panicked at|^ *(left|right): |ERROR: |SUMMARY: |Test unit written" -A 1 "$work/$target.log" | head -n 20 |
        sed 's/^/    /'
    echo "    log: target/fuzz/$target.log"
done
printf '%-12s %12d executions, %d s each, %d of %d targets failed\n' total "$total" "$seconds" "$failed" "${#targets[@]}"
[ "$failed" -eq 0 ]
