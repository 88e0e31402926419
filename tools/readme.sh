#!/usr/bin/env bash
# readme.sh [FILE...]: runs what the guides (README.md, CONTRIBUTING.md) tell their readers to run. A fenced block that begins with
# ```sh is run at the top of the tree; those marked `with=run` are run one after the other in one shell, while `make run` runs;
# those marked `norun=REASON` are not run. Prints each block's name and verdict; fails if one of them failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tools/paths.sh

[ $# -gt 0 ] || set -- README.md CONTRIBUTING.md
dir=$(mktemp -d "${TMPDIR:-/tmp}/gthulhu-readme.XXXXXX")
running=''
stop() {
    [ -z "$running" ] || { kill -INT -- "-$running" 2>/dev/null && wait "$running"; } 2>/dev/null
    running=''
}
trap 'stop; rm -rf "$dir"' EXIT

# One file for each block, named by its place, and for those of one session one for all.
for guide in "$@"; do
    awk -v dir="$dir" -v guide="$guide" '
        /^```sh( |$)/ {
            line = FNR; out = ""
            if ($0 ~ /norun=/) { reason = $0; sub(/.*norun=/, "", reason); printf "%s:%d  not run: %s\n", guide, line, reason; next }
            out = dir "/" ($0 ~ /with=run/ ? "session" : sprintf("%s:%d", guide, line)); next
        }
        /^```/ { out = "" }
        out != "" { print >>out }' "$guide"
done

failed=0
# verdict NAME COMMAND...: the output only of what fails.
verdict() {
    local name=$1 begun=$SECONDS
    shift
    if "$@" >"$dir/.log" 2>&1 </dev/null; then
        printf '%s  ok, %d s\n' "$name" $((SECONDS - begun))
    else
        printf '%s  FAILED, %d s\n' "$name" $((SECONDS - begun))
        tail -n 30 "$dir/.log" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

for block in "$dir"/*.md:*; do
    [ ! -e "$block" ] || verdict "${block##*/}" bash -euo pipefail "$block"
done
if [ -e "$dir/session" ]; then
    # In a process group of its own, so that it is ended as Ctrl-C would end it.
    set -m
    make run >"$dir/.run" 2>&1 </dev/null &
    running=$!
    set +m
    for _ in {1..600}; do
        ! grep -q 'Ctrl-C' "$dir/.run" || break
        kill -0 "$running" 2>/dev/null || break
        sleep 1
    done
    if kill -0 "$running" 2>/dev/null; then
        verdict "blocks that need make run" bash -euo pipefail "$dir/session"
    elif grep -q 'Error 77$' "$dir/.run"; then
        echo "SKIPPED blocks that need make run: $(tail -n 1 "$dir/.run")"
    else
        verdict "make run" cat "$dir/.run" /nonexistent
    fi
    stop
fi
[ "$failed" -eq 0 ]
