#!/usr/bin/env bash
# The demo in two halves. First the way of a strategy on this machine, from login to removal. Then what it changes in the
# kernel, in figures: for that gthulhu-scx takes a machine over, so the machine is a virtual one, or this one with NATIVE=1.
# Where neither can be had the second half is skipped, loudly.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/paths.sh

# skip WHY: the first half has been seen, the second cannot be.
skip() {
    printf '\nSKIPPED the second half of the demo, what a strategy changes in the kernel: %s\n' "$1"
    exit "$first"
}

tools/need.sh build
cargo build
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug

first=0
"$target/demo" || first=$?
# 77: this machine has no place for the pods. A virtual one has.
[ "$first" = 0 ] || [ "$first" = 77 ] || exit "$first"

printf '\nThe second half: what a strategy changes in the kernel\n'
tools/need.sh demo || skip "what it takes is missing (see above)"
cargo build -p gthulhu-scx
if [ -n "${NATIVE:-}" ]; then
    "$target/demo-kernel"
    exit
fi

# All that the virtual machine needs, in one folder, which it copies into its memory: waiting for this machine's files would
# count as time. Keys are made here, where that takes no minute.
stage=$(mktemp -d "${TMPDIR:-/tmp}/gthulhu-demo.XXXXXX")
trap 'rm -rf "$stage"' EXIT
for program in demo demo-kernel pod-process gthulhu-{manager,dm,scx,probe}; do install -s "$target/$program" "$stage/"; done
"$target/gthulhu-manager" init --dir "$stage/manager" >/dev/null
command='cp -r . /tmp/demo && cd /tmp/demo && ./demo-kernel --in-vm /tmp/demo/manager'
[ "$first" = 0 ] || command="./demo && $command"

echo 'starting an emulated machine: two or three minutes, more where others work too; the first time its kernel is downloaded'
status=0
{ gthulhu-scx/vm/run.sh --icount 1 --timeout 1800 "$stage" "$command" 2>&1 1>&3 | tee "$stage/vm.log" >&2; } 3>&1 || status=$?
case $status in
    121 | 122) skip "no virtual machine: $(tail -n 1 "$stage/vm.log" | sed 's/^vm: //'). NATIVE=1 shows it on this machine, whose scheduler it replaces meanwhile" ;;
esac
exit "$status"
