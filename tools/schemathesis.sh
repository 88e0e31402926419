#!/usr/bin/env bash
# schemathesis.sh SECONDS: holds the running manager against its own description. schemathesis, as an administrator, sends
# what the document allows and what it does not, in any order, for about SECONDS; everything that is answered otherwise
# than described is a failure, and so is every status of 500 and more. A manager, a decision maker and pods for that alone,
# in a folder that is removed. Prints what failed, with a curl line for each, and a summary as the test runners do. On a
# machine too busy to try every operation in that time it takes twice the time, and twice that.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/paths.sh

seconds=${1:?usage: schemathesis.sh SECONDS}
[ -e "$schemathesis/complete" ] || { echo "schemathesis is not installed: tools/need.sh test" >&2; exit 69; }
# As everything else is built, or half of it would be built again with other features.
cargo build --quiet --workspace --all-targets
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug

# attempt SECONDS: one run. Ends with 3 if it was good as far as it came, and came not far enough.
attempt() (
    set -e
    dir=$(mktemp -d "${TMPDIR:-/tmp}/gthulhu-api.XXXXXX")
    trap 'kill $(jobs -rp) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT

    # Free ports, both held until both are known.
    read -r port dm_port < <("$schemathesis/bin/python" -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in held))')
    export GTHULHU_URL=http://127.0.0.1:$port GTHULHU_USER=admin@localhost
    GTHULHU_PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    export GTHULHU_PASSWORD

    mkdir "$dir/pods"
    for pod in web:default db:prod; do
        cat >"$dir/pods/${pod%:*}.yaml" <<POD
apiVersion: v1
kind: Pod
metadata:
  name: ${pod%:*}-0
  namespace: ${pod#*:}
  uid: 0a000000-0000-4000-8000-0000000000${#pod}
  labels: {app: ${pod%:*}}
spec: {nodeName: node-1}
status: {phase: Running}
POD
    done
    "$target/gthulhu-manager" init --dir "$dir/manager" >/dev/null
    cat >"$dir/manager_config.toml" <<CONFIG
server.host = "127.0.0.1:$port"
state.dir = "$dir/manager"
cluster.pods_dir = "$dir/pods"
nodes = [{name = "node-1", url = "http://127.0.0.1:$dm_port"}]
CONFIG
    cat >"$dir/dm_config.toml" <<CONFIG
server.host = "127.0.0.1:$dm_port"
state.dir = "$dir/dm"
token.rsa_private_key_path = "$dir/manager/keys/dm-token.key"
node.name = "node-1"
feed.socket = "off"
CONFIG
    "$target/gthulhu-dm" serve --config "$dir/dm_config.toml" 2>"$dir/dm.log" &
    MANAGER_ACCOUNT_ADMIN_EMAIL=$GTHULHU_USER MANAGER_ACCOUNT_ADMIN_PASSWORD=$GTHULHU_PASSWORD \
        "$target/gthulhu-manager" serve --config "$dir/manager_config.toml" 2>"$dir/manager.log" &
    manager=$!

    # Where it may leave what it likes.
    cp tools/schemathesis/*.{py,toml} "$dir/"
    cd "$dir"
    status=0 told=0
    "$schemathesis/bin/st" run "$GTHULHU_URL/openapi.json" --wait-for-schema 60 --max-time "$1" \
        --report json --report-json-path report.json || status=$?
    kill -0 "$manager" || { status=1 && echo "the manager has ended:" && tail -n 20 manager.log; }
    "$schemathesis/bin/python" summary.py report.json manager.log || told=$?
    [ "$status" -eq 0 ] || exit 1
    exit "$told"
)

# Not in a condition, where a shell overlooks what fails within.
set +e
for times in 1 2 4; do
    attempt "$((seconds * times))"
    status=$?
    [ "$status" -eq 3 ] || exit "$status"
done
exit 1
