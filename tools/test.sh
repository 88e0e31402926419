#!/usr/bin/env bash
# Runs every check, all of them even if an early one fails. Prints the tools' own output, then once more what failed, the
# seconds of each stage and, last, `N passed, N failed, N skipped`: tests, and one failed for each stage that failed
# without a test.
# With WARM=1 (nothing to compile) a stage that takes over three times its share fails too.
set -uo pipefail
cd "$(dirname "$0")/.."
. tools/paths.sh

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
log=$dir/log again=$dir/again
touch "$again"
passed=0 failed=0 skipped=0
stages=()

# The sum of the numbers before WORD in the test runners' summary lines.
sum() { sed -n "s/^test result:.* \([0-9]*\) $1;.*/\1/p" "$log" | awk '{n += $1} END {print n + 0}'; }

# What the stage NAME said of its failures: of tests their own output, of other tools the end of theirs.
failures() {
    printf '\n== %s, what failed\n' "$1"
    awk '/^failures:$/ {on = 1} on {print} /^test result: / {on = 0}' "$log" | grep . || tail -n 40 "$log"
}

# Waits until everything is shown, but not for a process that outlived its test and holds the output open.
finish() {
    local tenths
    for tenths in {1..100}; do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    echo "after $((tenths / 10)) s a process that outlived its test still holds the output open"
    kill "$1"
}

# stage NAME SHARE COMMAND...: the share is in seconds.
stage() {
    local name=$1 share=$2 begun ms state=ok green red unable shows
    shift 2
    printf '\n== %s\n' "$name"
    begun=$(date +%s%3N)
    # One of its own: who outlived an earlier stage still holds that one's open.
    mkfifo "$dir/$name"
    tee "$log" <"$dir/$name" &
    shows=$!
    "$@" >"$dir/$name" 2>&1 || state=FAILED
    finish "$shows"
    ms=$(($(date +%s%3N) - begun))
    if [ -n "${WARM:-}" ] && [ "$ms" -gt $((share * 3000)) ]; then
        state="FAILED: over three times its share of $share s"
    fi
    green=$(sum passed) red=$(sum failed) unable=$(grep -c '^SKIPPED ' "$log")
    [ "$state" = ok ] || [ "$red" -gt 0 ] || red=1
    [ "$state" = ok ] || failures "$name" >>"$again"
    # A test that says SKIPPED returns early and is counted as passed by its runner.
    [ "$green" -eq 0 ] || green=$((green - unable))
    passed=$((passed + green)) failed=$((failed + red))
    skipped=$((skipped + unable + $(sum ignored)))
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
stage fuzz 120 tools/fuzz.sh 20
stage api 110 tools/schemathesis.sh 60

cat "$again"
printf '\n'
printf '%s\n' "${stages[@]}"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
