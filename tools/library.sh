#!/usr/bin/env bash
# library.sh: puts libgthulhu for C below $DESTDIR$PREFIX (PREFIX=/usr/local): the shared library with its version script, the
# static one, the header, and the file for pkg-config. PROFILE (release) says which build is taken. It is made first where that
# is needed, but not by sudo: root may have no cargo, and leaves nobody files in his folder.
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=${PREFIX:-/usr/local} profile=${PROFILE:-release}
[[ "$prefix" = /* ]] || prefix=$PWD/$prefix
root=${DESTDIR:-}$prefix
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
soname=libgthulhu.so.${version%%.*}

built=${CARGO_TARGET_DIR:-target}/$profile
[ -n "${SUDO_UID:-}" ] || cargo build --quiet -p gthulhu-capi --profile "${profile/#debug/dev}"
[ -e "$built/libgthulhu.a" ] || { echo "not built: $built/libgthulhu.a; make release does it" >&2; exit 66; }

install -d "$root/lib/pkgconfig" "$root/include"
# rustc can make a shared library of its own, but with a version script of its own too, which says nothing of versions.
cc -shared -o "$root/lib/libgthulhu.so.$version" \
    -Wl,--whole-archive "$built/libgthulhu.a" -Wl,--no-whole-archive \
    -Wl,-soname,"$soname" -Wl,--version-script=bindings/libgthulhu.map \
    -Wl,--gc-sections -Wl,-z,defs -Wl,-z,relro -Wl,-z,now -lgcc_s -lpthread -ldl -lm
if [ "$profile" = release ]; then strip --strip-unneeded "$root/lib/libgthulhu.so.$version"; fi
ln -sfn "libgthulhu.so.$version" "$root/lib/$soname"
ln -sfn "$soname" "$root/lib/libgthulhu.so"
install -m 0644 "$built/libgthulhu.a" "$root/lib/"
install -m 0644 bindings/include/gthulhu.h "$root/include/"
sed "s|@prefix@|$prefix|; s|@version@|$version|" bindings/gthulhu.pc.in >"$root/lib/pkgconfig/gthulhu.pc"
