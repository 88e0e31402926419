#!/usr/bin/env bash
# The rules of deny.toml. Advisories are checked only against a snapshot of the RustSec database that ADVISORY_DB
# names, never over the network: a test must not change its mind because somebody published something.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/paths.sh

cargo deny check --hide-inclusion-graph bans licenses sources
if [ -z "${ADVISORY_DB:-}" ]; then
    echo "SKIPPED advisories: ADVISORY_DB does not name a snapshot of https://github.com/RustSec/advisory-db"
    exit
fi
[ -d "$ADVISORY_DB/crates" ] || { echo "ADVISORY_DB=$ADVISORY_DB holds no folder named crates" >&2; exit 1; }

# cargo-deny reads only a clone in a place of its own choice, so the snapshot is dressed up as one.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
clone=$dir/advisory-db-3157b0e258782691
mkdir -p "$clone/.git"
touch "$clone/.git/FETCH_HEAD"
for part in "$ADVISORY_DB"/*; do ln -s "$(realpath "$part")" "$clone/"; done
sed "s|^\[advisories\]|&\ndb-path = \"$dir\"|" deny.toml >"$dir/deny.toml"
cargo deny --config "$dir/deny.toml" --offline check --hide-inclusion-graph advisories
