#!/usr/bin/env bash
# smoke.sh TARGET ROOT USER PROGRAM...: starts the programs of an image's file system, called by tools/rootfs.sh in namespaces of
# their own. The root is read-only and all that may be written is new, as under Kubernetes.
set -euo pipefail
target=$1 root=$2 user=$3
shift 3

fail() { echo "$target: $*" >&2; exit 1; }
# In the root, as the user, without a capability or a way to one.
inside() { setpriv --no-new-privs chroot --userspec="$user:$user" "$root" "$@"; }
# inside_says PATTERN COMMAND...
inside_says() {
    local said pattern=$1
    shift
    said=$(inside "$@" 2>&1) || fail "$*: ended with $?: $said"
    grep -q -- "$pattern" <<<"$said" || fail "$*: $said"
}
# answers URL: within half a minute.
answers() {
    for _ in {1..150}; do
        ! curl -fsS "$1" 2>/dev/null || return 0
        sleep 0.2
    done
    fail "$1 does not answer: $(cat "$log")"
}

ip link set lo up
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
for place in run tmp var/lib; do
    mount -t tmpfs -o mode=1777 tmpfs "$root/$place"
done
install -d -o "$user" -g "$user" "$root"/{run,var/lib}/gthulhu
log=$root/tmp/log
mount -o remount,bind,ro "$root"
! touch "$root/etc/x" 2>/dev/null || fail "its root can be written to"

# Every program says what it is.
for program in "$@"; do
    inside_says '[0-9]' "/app/$program" --version
    inside_says 'Usage' "/app/$program" --help
done

# Each daemon with the shipped configuration and what a first start has to be told.
manager() {
    inside_says ' 0 mistakes' /app/gthulhu-manager config check
    inside "$@" >"$log" 2>&1 &
    answers http://127.0.0.1:8081/health >/dev/null
    answers http://127.0.0.1:8081/livez >/dev/null
    [ -e "$root/var/lib/gthulhu/admin-password" ] || fail "it has made no administrator"
}
decisionmaker() {
    openssl genrsa 2048 2>/dev/null | install -o "$user" -g "$user" -m 0600 /dev/stdin "$root/run/gthulhu/token.key"
    export DM_TOKEN_RSA_PRIVATE_KEY_PATH=/run/gthulhu/token.key
    inside_says ' 0 mistakes' /app/gthulhu-dm config check
    inside "$@" >"$log" 2>&1 &
    answers http://127.0.0.1:8080/health >/dev/null
    answers http://127.0.0.1:8080/readyz >/dev/null
}
case $target in
    api)
        manager /app/main manager
        decisionmaker /app/main decisionmaker
        ;;
    manager) manager /app/gthulhu-manager serve ;;
    decisionmaker) decisionmaker /app/gthulhu-dm serve ;;
    scheduler)
        inside_says ' 0 mistakes' /app/gthulhu-scx config check
        # It has no /sys here: it says so, and nothing else goes wrong.
        said=$(inside /app/gthulhu-scx check 2>&1) && fail "it found a kernel: $said"
        grep -q 'sched_ext' <<<"$said" || fail "$said"
        ;;
esac
echo "$target: its programs work in it"
