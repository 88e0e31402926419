#!/usr/bin/env bash
# install.sh [KIND...]: puts what is built where it belongs, below $DESTDIR$PREFIX (PREFIX=/usr/local): programs, their manual
# pages and completions, units of systemd and the configuration, and the library for C. Each kind of thing is one function;
# without arguments all of them. PROFILE (release) says which build is taken. Nothing is started or enabled, and a
# configuration file that is there already is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/paths.sh

prefix=${PREFIX:-/usr/local} destdir=${DESTDIR:-} profile=${PROFILE:-release}
[[ "$prefix" = /* ]] || prefix=$PWD/$prefix
built=${CARGO_TARGET_DIR:-target}/$profile
# A prefix of one's own has its own configuration.
etc=$prefix/etc/gthulhu
case $prefix in /usr | /usr/local) etc=/etc/gthulhu ;; esac
programs=()

# Without clang there is no scheduler; what is there is installed.
find_programs() {
    local program
    for program in gthulhu-manager gthulhu-dm gthulhu-scx; do
        if [ -x "$built/$program" ]; then programs+=("$program"); else echo "not built, left out: $program" >&2; fi
    done
    [ ${#programs[@]} -gt 0 ] || { echo "nothing is built in $built: make release" >&2; exit 66; }
}

# put MODE FILE... FOLDER
put() {
    local mode=$1 folder=${*: -1}
    shift
    install -d "$destdir$folder"
    install -m "$mode" "${@:1:$#-1}" "$destdir$folder/"
}

# put_as MODE FILE PATH
put_as() { install -D -m "$1" "$2" "$destdir$3"; }

install_programs() {
    for program in "${programs[@]}"; do
        put 0755 "$built/$program" "$prefix/bin"
    done
}

install_pages() {
    for program in "${programs[@]}"; do
        "$built/$program" man "$destdir$prefix/share/man/man1" >/dev/null
    done
}

install_completions() {
    local share=$destdir$prefix/share
    mkdir -p "$share"/{bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
    for program in "${programs[@]}"; do
        "$built/$program" completions bash >"$share/bash-completion/completions/$program"
        "$built/$program" completions zsh >"$share/zsh/site-functions/_$program"
        "$built/$program" completions fish >"$share/fish/vendor_completions.d/$program.fish"
    done
}

install_units() {
    local source program unit
    case $prefix in
        "${HOME:-/home}"/* | /home/*)
            echo "left out: units, which see no $prefix; a PREFIX outside of home directories has them" >&2
            return
            ;;
    esac
    for source in deployment/systemd/*.service; do
        program=$(sed -n 's|^ExecStart=@bindir@/\([^ ]*\).*|\1|p' "$source")
        [[ " ${programs[*]} " = *" $program "* ]] || continue
        unit=$(mktemp)
        sed "s|@bindir@|$prefix/bin|; s|@etc@|$etc|" "$source" >"$unit"
        put_as 0644 "$unit" "$prefix/lib/systemd/system/${source##*/}"
        rm "$unit"
    done
    put_as 0644 deployment/systemd/gthulhu.sysusers "$prefix/lib/sysusers.d/gthulhu.conf"
}

install_configuration() {
    local name
    for name in manager_config dm_config scx_config; do
        [ -e "$destdir$etc/$name.toml" ] || put_as 0644 "config/$name.toml" "$etc/$name.toml"
    done
}

# For programs written in C.
install_library() { tools/library.sh; }

[ $# -gt 0 ] || set -- programs pages completions units configuration library
[ "$*" = library ] || find_programs
for kind in "$@"; do
    "install_$kind"
done
