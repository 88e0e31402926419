#!/usr/bin/env bash
# rootfs.sh [--out DIR] [--profile release|debug] [--built] [--smoke] [TARGET...]: puts together the file systems of the images,
# below DIR (target/rootfs), one folder for each target: api, manager, decisionmaker, scheduler. DIR/own holds the folders that
# belong to the user the programs run as. With --built nothing is built: what is there is taken. With --smoke the programs of each are then started in it, as a container would start them:
# read-only, as that user, without a capability, in namespaces of their own; that takes root.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/paths.sh

out='' profile=release built='' smoke='' targets=()
while [ $# -gt 0 ]; do
    case $1 in
        --out) out=$2 && shift ;;
        --profile) profile=$2 && shift ;;
        --built) built=yes ;;
        --smoke) smoke=yes ;;
        api | manager | decisionmaker | scheduler) targets+=("$1") ;;
        *) echo "usage: rootfs.sh [--out DIR] [--profile release|debug] [--built] [--smoke] [TARGET...]" >&2; exit 64 ;;
    esac
    shift
done
[ ${#targets[@]} -gt 0 ] || targets=(api manager decisionmaker scheduler)
target_dir=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
out=${out:-$target_dir/rootfs}

# Who the programs run as; nobody on any machine has this number by chance.
user=65532

# The programs of a target, and the packages that they are built of.
programs() {
    case $1 in
        api) echo "main gthulhu-manager gthulhu-dm" ;;
        manager) echo gthulhu-manager ;;
        decisionmaker) echo gthulhu-dm ;;
        scheduler) echo gthulhu-scx ;;
    esac
}
configuration() {
    case $1 in
        api) echo "manager_config.toml dm_config.toml" ;;
        manager) echo manager_config.toml ;;
        decisionmaker) echo dm_config.toml ;;
        scheduler) echo scx_config.toml ;;
    esac
}

build() {
    local target packages=()
    for target in "${targets[@]}"; do
        case $target in
            api) packages+=(-p gthulhu-image -p gthulhu-manager -p gthulhu-dm) ;;
            manager) packages+=(-p gthulhu-manager) ;;
            decisionmaker) packages+=(-p gthulhu-dm) ;;
            scheduler) packages+=(-p gthulhu-scx) ;;
        esac
    done
    if [ "$profile" = release ]; then set -- --release; else set --; fi
    cargo build --quiet --locked "$@" --bins "${packages[@]}"
}

# The libraries that a program is linked with and what loads them, by their paths.
libraries() { ldd "$1" | sed -n 's,^[^/]*\(/[^ ]*\) (0x.*,\1,p'; }

assemble() {
    local root=$out/$1 program library
    rm -rf "$root"
    mkdir -p "$root"/{app/config,dev,etc/ssl/certs,proc,run,sys,tmp,var/lib}
    chmod 1777 "$root/tmp"
    printf 'root:x:0:0::/:/sbin/nologin\ngthulhu:x:%s:%s::/var/lib/gthulhu:/sbin/nologin\n' $user $user >"$root/etc/passwd"
    printf 'root:x:0:\ngthulhu:x:%s:\n' $user >"$root/etc/group"
    # Without it names are not looked for in /etc/hosts.
    echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
    # Public authorities, for programs that a configuration sends to public servers.
    [ ! -e /etc/ssl/certs/ca-certificates.crt ] || cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    for program in $(programs "$1"); do
        install -m 0755 -s "$target_dir/$profile/$program" "$root/app/$program"
        for library in $(libraries "$root/app/$program"); do
            install -D -m 0755 "$(readlink -f "$library")" "$root$library"
        done
    done
    # shellcheck disable=SC2046 # the words are file names
    (cd config && install -m 0644 $(configuration "$1") "$root/app/config/")
}

own() {
    rm -rf "$out/own"
    mkdir -p "$out"/own/{run,var/lib}/gthulhu
}

mkdir -p "$out"
out=$(cd "$out" && pwd)
[ -n "$built" ] || build
own
for target in "${targets[@]}"; do
    assemble "$target"
    printf '%s\t%s\n' "$(du -sh "$out/$target" | cut -f 1)" "$out/$target"
done
[ -z "$smoke" ] || for target in "${targets[@]}"; do
    if [ "$(id -u)" -ne 0 ]; then
        echo "SKIPPED starting the programs of $target: only root can make namespaces for them"
        continue
    fi
    # shellcheck disable=SC2046 # the words are program names
    unshare --mount --pid --fork --kill-child --net --ipc --uts --cgroup \
        tools/rootfs/smoke.sh "$target" "$out/$target" $user $(programs "$target")
done
