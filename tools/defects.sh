#!/usr/bin/env bash
# Plants each tests/defects/NAME.patch into a copy of the tree and runs the test that its header names: it must pass
# without the patch and fail with it, else the test watches nothing. `defects.sh NAME...` runs only these.
#
# A header has a line `Plants: ...` for the reader and `Test: COMMAND`, a shell line run at the top of the copy. The
# failure counts only if the output says `test result: FAILED`, or the text of a line `Fails with: ...`: a defect that
# does not compile is not caught.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/paths.sh

top=$PWD
work=$top/target/defects
tree=$work/tree
log=$work/log
export CARGO_TARGET_DIR=$work/build
patches=("$top"/tests/defects/*.patch)
if [ $# -gt 0 ]; then
    patches=("${@/#/$top/tests/defects/}")
    patches=("${patches[@]/%/.patch}")
fi

header() { sed -n "/^--- /q; s/^$2: //p" "$1"; }
runs() { (cd "$tree" && timeout 600 bash -c "$1") >"$log" 2>&1 </dev/null; }
tail_of_log() { tail -n 15 "$log" | sed 's/^/    /'; }

trap 'rm -rf "$tree" "$log"' EXIT
rm -rf "$tree"
mkdir -p "$tree" "$CARGO_TARGET_DIR/debug"
# With times of now: cargo would take what was built of another tree for newer. What `patch` writes is newer still.
tar -cf - --exclude=./target --exclude=./.git . | tar -xmf - -C "$tree"
if [ ! -d "$CARGO_TARGET_DIR/debug/deps" ] && [ -d target/debug/deps ]; then
    # A head start: compiled dependencies, which no patch changes. Without them, or if a build is changing them
    # just now, they are compiled again.
    seed() {
        cd target/debug && find .fingerprint build deps -type f ! -path '*gthulhu*' \
            \( ! -path 'deps/*' -o -name '*.rlib' -o -name '*.rmeta' -o -name '*.so' -o -name '*.d' \) -print0 |
            tar -cf - --null -T - | tar -xf - -C "$CARGO_TARGET_DIR/debug"
    }
    (seed 2>/dev/null) || rm -rf "$CARGO_TARGET_DIR"
fi

declare -A sound
caught=0 missed=0
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    command=$(header "$patch" Test) expected=$(header "$patch" 'Fails with')
    [ -n "$command" ] || { echo "$name: no line \`Test: COMMAND\`" >&2; exit 65; }
    begun=$SECONDS verdict=missed
    if [ -z "${sound[$command]:-}" ]; then
        runs "$command" && sound[$command]=yes || sound[$command]=no
        [ "${sound[$command]}" = yes ] || tail_of_log
    fi
    if [ "${sound[$command]}" = no ]; then
        verdict="missed: the test fails without it"
    elif ! patch -d "$tree" -p1 --silent --no-backup-if-mismatch <"$patch"; then
        echo "$name: the patch does not apply" >&2
        exit 65
    else
        if runs "$command"; then
            verdict="missed: the test passes"
        elif ! grep -qF "${expected:-test result: FAILED}" "$log"; then
            verdict="missed: it fails for another reason" && tail_of_log
        else
            verdict=caught
        fi
        patch -d "$tree" -p1 -R --silent --no-backup-if-mismatch <"$patch"
    fi
    [ "$verdict" = caught ] && caught=$((caught + 1)) || missed=$((missed + 1))
    printf '%-32s %3d s  %s  (%s)\n' "$name" $((SECONDS - begun)) "$verdict" "$(header "$patch" Plants)"
done
printf '%d caught, %d missed\n' "$caught" "$missed"
[ "$missed" -eq 0 ]
