#!/usr/bin/env bash
# need.sh build|image|rootfs|test|vm|demo|bench-lib|bench-sched: makes sure that what the verb needs is here. Root gets it
# installed, and so does who may be root without being asked in continuous integration (CI=true); anybody else is told exactly
# what is missing. Prints nothing when all is well.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/paths.sh

deny_version=0.20.2
fuzz_version=0.13.2
rust_version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
missing=()

# The programs that come from the distribution, with the package that holds each.
packages() {
    [ "$1" = vm ] || command -v cc >/dev/null || echo "gcc libc6-dev"
    [ "$1" = build ] && return
    case $1 in
        image | rootfs)
            scheduler
            [ "$1" = image ] || smoke
            return
            ;;
    esac
    if [ "$1" = bench-lib ]; then memory_judge && scheduler && return; fi
    machine
    [ "$1" = vm ] && return
    scheduler
    case $1 in demo | bench-sched) return ;; esac
    smoke
    command -v patch >/dev/null || echo patch
    # What the tests do to real programs: failing system calls, other clocks, another judge of certificates.
    command -v strace >/dev/null || echo strace
    compgen -G "/usr/lib/*/faketime/libfaketimeMT.so.1" >/dev/null || echo libfaketime
    # What judges shell scripts.
    command -v shellcheck >/dev/null || echo shellcheck
    command -v jq >/dev/null || echo jq
    # Networks that lose packets.
    command -v iptables-legacy >/dev/null || echo iptables
    # What holds the API against its description is written in Python.
    python3 -c "import ensurepip, venv" 2>/dev/null || echo python3-venv
    memory_judge
    # libFuzzer is C++.
    command -v c++ >/dev/null || echo g++
}

# What the file systems of images are tried with.
smoke() {
    command -v curl >/dev/null || echo "curl ca-certificates"
    command -v openssl >/dev/null || echo openssl
    command -v ip >/dev/null || echo iproute2
}

# Looks at what programs in C do with our memory, and counts instructions.
memory_judge() { command -v valgrind >/dev/null || echo valgrind; }

# The virtual machine that the scheduler is tested in. Without it those tests are skipped, so nobody is told that it is
# missing where there is no apt to install it with.
machine() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 0
    command -v qemu-system-x86_64 >/dev/null || echo qemu-system-x86
    # Debian 13 and later have it in a package of its own, in 12 it comes with QEMU.
    compgen -G "/usr/lib*/*/virtiofsd" >/dev/null || command -v virtiofsd >/dev/null ||
        ! apt-cache show virtiofsd >/dev/null 2>&1 || echo virtiofsd
    command -v zstd >/dev/null || echo zstd
    command -v xz >/dev/null || echo xz-utils
    command -v chrt >/dev/null || echo util-linux
}

# The scheduler: a compiler for BPF, and what libbpf is built with.
scheduler() {
    command -v clang-19 >/dev/null || command -v clang >/dev/null ||
        { apt-cache show clang-19 >/dev/null 2>&1 && echo clang-19; } || echo clang
    command -v make >/dev/null || echo make
    command -v pkg-config >/dev/null || echo pkg-config
    [ -e /usr/include/libelf.h ] || echo libelf-dev
    [ -e /usr/include/zlib.h ] || echo zlib1g-dev
}

# Whether as_root works.
may_install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" -eq 0 ] || { [ "${CI:-}" = true ] && sudo -n true 2>/dev/null; }
}

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

# Reads apt's lists, once.
fresh_lists() {
    [ -z "${lists_are_fresh:-}" ] || return 0
    as_root apt-get update -qq && lists_are_fresh=yes
}

# Installs the packages, or notes them as missing and fails.
from_apt() {
    [ $# -eq 0 ] && return
    if may_install; then
        echo "installing $*"
        fresh_lists &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null && return
    fi
    missing+=("$* (as root: apt-get install $*)")
    return 1
}

rust_is_new_enough() {
    local have
    have=$(rustc --version 2>/dev/null | awk '{print $2}') || return 1
    [ -n "$have" ] && [ "$(printf '%s\n' "$rust_version" "$have" | sort -V | head -n 1)" = "$rust_version" ]
}

rust() {
    if ! command -v cargo >/dev/null && [ "$(id -u)" -eq 0 ] &&
        apt-cache policy rustup 2>/dev/null | grep -q 'Candidate: [0-9]'; then
        from_apt rustup && rustup default stable
    fi
    rust_is_new_enough || missing+=("Rust $rust_version or newer (https://rustup.rs)")
}

component() {
    cargo "$1" --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null && rustup component add "$2" && return
    missing+=("cargo $1 (rustup component add $2)")
}

# Builds PROGRAM VERSION, a subcommand of cargo, where it is out of everybody's way.
subcommand() {
    cargo "${1#cargo-}" --version >/dev/null 2>&1 && return
    echo "building $1 $2 once, into $tools_cache"
    cargo install "$1" --version "=$2" --locked --quiet --root "$tools_cache" && return
    missing+=("$1 (cargo install $1 --version =$2 --locked)")
}

# A Python environment that holds schemathesis, also where it is out of everybody's way. One that is not complete has no mark.
schemathesis() {
    [ ! -e "$schemathesis/complete" ] || return 0
    echo "installing schemathesis once, into $schemathesis"
    rm -rf "$schemathesis"
    python3 -m venv "$schemathesis" &&
        "$schemathesis/bin/pip" install --quiet --require-hashes -r tools/schemathesis/requirements.txt &&
        touch "$schemathesis/complete" && return
    missing+=("schemathesis (pip install --require-hashes -r tools/schemathesis/requirements.txt, into $schemathesis)")
}

# A real API server for the tests of Kubernetes. Where it cannot be made those tests are skipped, which they say.
kubernetes() {
    tools/kubernetes.sh || echo "no kube-apiserver can be made here: tests that need one will be skipped" >&2
}

# A new machine has no lists, and which package holds a program depends on the release.
if [ -n "$(packages "$1")" ] && may_install; then
    fresh_lists || true
fi
# shellcheck disable=SC2046 # the words are package names
from_apt $(packages "$1") || true
[ "$1" = vm ] || rust
if [ "$1" = test ] && [ ${#missing[@]} -eq 0 ]; then
    component fmt rustfmt
    component clippy clippy
    subcommand cargo-deny "$deny_version"
    subcommand cargo-fuzz "$fuzz_version"
    schemathesis
    # Tests that need it say SKIPPED without it.
    tools/mongo.sh >/dev/null || true
    kubernetes
fi
if [ ${#missing[@]} -gt 0 ]; then
    printf 'missing: %s\n' "${missing[@]}" >&2
    exit 69
fi
