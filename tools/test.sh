#!/usr/bin/env bash
# Runs every check, all of them even if an early one fails. Of each stage it prints the summary lines of the test runners and
# what was skipped; everything that was printed is in target/test-logs. Then what failed, the seconds of each stage and, last,
# `N passed, N failed, N skipped`: tests, and one failed for each stage that failed without a test.
# With WARM=1 (nothing to compile) a stage that takes over three times its share fails too.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tools/paths.sh

logs=${CARGO_TARGET_DIR:-target}/test-logs
rm -rf "$logs"
mkdir -p "$logs"
passed=0 failed=0 skipped=0
stages=() failed_stages=()

# sum WORD FILE: of the numbers before WORD in the test runners' summary lines.
sum() { sed -n "s/^test result:.* \([0-9]*\) $1;.*/\1/p" "$2" | awk '{n += $1} END {print n + 0}'; }

# failures NAME: what the stage said of its failures: of tests their own output, of cargo its errors, else the end of it all.
failures() {
    printf '\n== %s, what failed\n' "$1"
    {
        awk '/^failures:$/ {on = 1} on {print} /^test result: / {on = 0}' "$logs/$1"
        # The cases of the kernel have a runner of their own.
        sed -n '/^test .* FAILED/,/^----$/p' "$logs/$1"
        grep -a -A 12 '^error' "$logs/$1"
    } | grep -a . || tail -n 40 "$logs/$1"
}

# stage NAME SHARE COMMAND...: the share is in seconds.
stage() {
    local name=$1 share=$2 log=$logs/$1 begun ms state=ok green red unable
    shift 2
    printf '\n== %s\n' "$name"
    begun=$(date +%s%3N)
    # A file, not a pipe: a process that outlives its test may hold it open for as long as it likes.
    "$@" >"$log" 2>&1 || state=FAILED
    ms=$(($(date +%s%3N) - begun))
    grep -a -E '^test result: .* [1-9][0-9]* (passed|failed)|^SKIPPED | executions' "$log"
    if [ -n "${WARM:-}" ] && [ "$ms" -gt $((share * 3000)) ]; then
        state="FAILED: over three times its share of $share s"
    fi
    green=$(sum passed "$log") red=$(sum failed "$log") unable=$(grep -a -c '^SKIPPED ' "$log")
    [ "$state" = ok ] || [ "$red" -gt 0 ] || red=1
    [ "$state" = ok ] || failed_stages+=("$name")
    # A test that says SKIPPED returns early and is counted as passed by its runner.
    [ "$green" -eq 0 ] || green=$((green - unable))
    passed=$((passed + green)) failed=$((failed + red))
    skipped=$((skipped + unable + $(sum ignored "$log")))
    stages+=("$(printf '%-10s %4d.%d s  %s' "$name" $((ms / 1000)) $((ms % 1000 / 100)) "$state")")
}

stage format 10 cargo fmt --all --check
stage clippy 120 cargo clippy --workspace --all-targets --quiet -- -D warnings
stage deny 20 tools/deny.sh
stage build 150 cargo build --workspace --all-targets --quiet
# The cases of the kernel have a stage of their own.
stage tests 180 env GTHULHU_SCX_KERNELS=none cargo test --workspace --lib --bins --tests --no-fail-fast --quiet -- --show-output
stage kernel 180 cargo test --workspace --test kernel --quiet
stage doctests 60 cargo test --workspace --doc --no-fail-fast --quiet
# Always the same way: a change is judged by what it changes. New ways are taken by `make fuzz` and by the long tests.
stage fuzz 120 env FUZZ_SEED=1 tools/fuzz.sh 20
stage api 110 tools/schemathesis.sh 60

for name in "${failed_stages[@]}"; do failures "$name"; done
printf '\n'
printf '%s\n' "${stages[@]}"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
