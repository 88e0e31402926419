#!/usr/bin/env bash
# mongo.sh: the server that the MongoDB store is tested with; builds it once, out of everybody's way, and prints where it
# is and what it is. `mongo.sh --where` only looks, and says why it is not there.
#
# It is no mongod: it speaks MongoDB's protocol over the storage engine that mongod has. What is only said of it is not
# said of mongod. Its licence is GPL-2.0-only: it runs beside our programs and is linked with none.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/paths.sh

version=0.5.3-beta.193
root=$tools_cache/secantus-$version
program=$root/bin/secantusd-rs

if [ ! -x "$program" ] && [ "${1:-}" = --where ]; then
    echo "$program is not there; tools/mongo.sh builds it" >&2
    exit 69
fi
if [ ! -x "$program" ]; then
    # It builds its storage engine, which is C, with these.
    if ! command -v cmake >/dev/null || [ ! -e /usr/include/zlib.h ]; then
        if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
            echo "missing: cmake zlib1g-dev (as root: apt-get install cmake zlib1g-dev)" >&2
            exit 69
        fi
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends cmake zlib1g-dev >/dev/null
    fi
    echo "building secantusd-rs $version once, into $root" >&2
    build=$(mktemp -d)
    trap 'rm -rf "$build"' EXIT
    CARGO_TARGET_DIR=$build cargo install secantus-mdb --version "=$version" --locked --ignore-rust-version --quiet --root "$root" >&2
fi
echo "$program secantusd-rs $version"
