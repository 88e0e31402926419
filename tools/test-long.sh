#!/usr/bin/env bash
# The long forms of what `make test` runs in small, one line each: the variable that sets the size, and the suite.
# FUZZ_SECONDS: per fuzz target (3600). API_SECONDS: for schemathesis (3600). Prints the seconds of each stage; fails if one of them failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tools/paths.sh

failed=0
stages=()

# stage NAME COMMAND...
stage() {
    local name=$1 begun=$SECONDS state=ok
    shift
    printf '\n== %s\n' "$name"
    "$@" || { state=FAILED && failed=$((failed + 1)); }
    stages+=("$(printf '%-12s %6d s  %s' "$name" $((SECONDS - begun)) "$state")")
}

stage damage env GTHULHU_FLIPS=100000 cargo test --quiet -p gthulhu-manager --lib damage -- --show-output
stage powercuts env GTHULHU_CUTS=100000 cargo test --quiet -p gthulhu-manager --lib powercuts -- --show-output
stage kills env GTHULHU_MONGO_KILLS=20 GTHULHU_KILLS=100 GTHULHU_FAULTS=1 cargo test --quiet -p gthulhu-manager -p gthulhu-dm --test crash -- --show-output
stage rotation env GTHULHU_ROTATION=600 cargo test --quiet -p gthulhu-manager --test crash rotation -- --show-output
stage hostile env GTHULHU_CROWD=9000 GTHULHU_PATIENCE=1 cargo test --quiet -p gthulhu-manager --test hostile -- --show-output
stage reuse env GTHULHU_REUSES=10000 GTHULHU_QUIET=10000 cargo test --quiet -p gthulhu-lib -p gthulhu-scx --test real_processes --test watch -- --show-output
stage table env GTHULHU_LOOKUPS=1000000000 cargo test --release --quiet -p gthulhu-lib --test table stress -- --show-output
stage kernel env GTHULHU_SCX_LONG=1 cargo test --quiet --workspace --test kernel
stage api tools/schemathesis.sh "${API_SECONDS:-3600}"
stage bench-sched gthulhu-scx/vm/bench.sh
stage guides tools/readme.sh
stage fuzz tools/fuzz.sh "${FUZZ_SECONDS:-3600}"

printf '\n'
printf '%s\n' "${stages[@]}"
[ "$failed" -eq 0 ]
