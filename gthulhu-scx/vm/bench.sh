#!/usr/bin/env bash
# bench.sh [ROW...]: builds what is needed, in release mode, and runs bench-sched in a VM whose clock counts instructions.
# All rows take up to an hour, by what else the machine does; `bench-sched --help` names them and the options, which may be given here too.
#
# GTHULHU_SCX_KERNELS: the kernel, as run.sh --kernel takes it.
set -euo pipefail
cd "$(dirname "$0")/../.."

stage=$(mktemp -d "${TMPDIR:-/tmp}/gthulhu-bench.XXXXXX")
trap 'rm -rf "$stage"' EXIT
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
echo 'building the programs that are measured, in release mode'
cargo build --quiet --release -p gthulhu-scx -p gthulhu-probe -p gthulhu-dm -p gthulhu-manager
arguments=(--scheduler gthulhu-scx --probe gthulhu-probe --decision-maker gthulhu-dm --keys manager/keys "$@")
# What is wrong with them is told before anything is booted.
"$target/release/bench-sched" --check "${arguments[@]}"
for program in gthulhu-scx gthulhu-probe gthulhu-dm bench-sched; do install -s "$target/release/$program" "$stage/"; done
# A decision maker needs keys, which take a slow CPU minutes to make.
"$target/release/gthulhu-manager" init --dir "$stage/manager" >/dev/null

kernels=()
[ -z "${GTHULHU_SCX_KERNELS:-}" ] || kernels=(--kernel "$GTHULHU_SCX_KERNELS")
gthulhu-scx/vm/run.sh --icount 1 --timeout 0 "${kernels[@]}" "$stage" \
    ./bench-sched "${arguments[@]}"
