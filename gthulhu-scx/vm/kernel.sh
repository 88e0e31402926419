# Sourced by run.sh: finds a kernel in the cache, or takes one from Debian's archive.
#
# A kernel is a stock Debian "cloud" kernel: virtio and virtiofs are built in, so that it boots without initramfs and
# modules. It is downloaded with a private apt configuration and only unpacked: the machine's package lists and
# packages stay as they are (tools/debian.sh). In the cache each has a folder with `release`, `config`, `vmlinuz`, `vmlinux` and, written
# last, `complete`.

# What a kernel must have built in.
built_in="SCHED_CLASS_EXT BPF_SYSCALL BPF_JIT DEBUG_INFO_BTF CGROUPS VIRTIO_PCI VIRTIO_CONSOLE VIRTIO_FS"

# choose_kernel: sets `kernel` to the folder of the first of $kernels that is to be had.
choose_kernel() {
    local wanted patterns
    kernel=
    read -ra patterns <<<"$kernels"
    for wanted in "${patterns[@]}"; do
        ! cached_kernel "$wanted" || return 0
        ! fetch_kernel "$wanted" || return 0
    done
    die 121 "no kernel like '$kernels' with sched_ext in the cache or in Debian's $suites"
}

cached_kernel() {
    local dir
    while read -r dir; do
        if [ -e "$dir/complete" ] && grep -Eq "^$1" "$dir/release"; then
            kernel=$dir
            return 0
        fi
    done < <(find "$cache/kernel" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | sort -Vr)
    return 1
}

fetch_kernel() {
    local suite package
    for tool in apt-get apt-cache dpkg; do
        command -v $tool >/dev/null || { say "no $tool here: kernels come from Debian's archive"; return 1; }
    done
    for suite in $suites; do
        read_lists "$suite" || continue
        for package in $(in_suite "$suite" apt-cache search --names-only '^linux-image-[0-9].*-cloud-amd64$' |
            cut -d' ' -f1 | grep -E "^linux-image-$1" | sort -Vr); do
            ! unpack_kernel "$suite" "$package" || return 0
        done
    done
    return 1
}

# unpack_kernel SUITE PACKAGE: puts the kernel into the cache and sets `kernel`, or says why it is no use.
unpack_kernel() {
    local suite=$1 package=$2 name=${2#linux-image-} new=$cache/kernel/.new log=$cache/apt/$1/log more deb option
    rm -rf "$new"
    mkdir -p "$new/debs" "$new/root"
    # From 7.x on linux-image-* is empty: linux-binary-* has the kernel and linux-base-* its configuration.
    more=$(in_suite "$suite" apt-cache show "$package" 2>/dev/null | sed -n 's/^Depends: //p' | head -n 1 |
        tr ',|' '\n\n' | sed -n 's/^ *\(linux-\(binary\|base\)-[0-9][^ ]*\).*/\1/p')
    [[ $more == *linux-binary-* ]] || more=
    echo "vm: fetching $package from $suite" >&2
    # shellcheck disable=SC2086 # the words are package names
    (cd "$new/debs" && in_suite "$suite" apt-get download "$package" $more) >"$log" 2>&1 ||
        { say "could not fetch it, see $log"; return 1; }
    for deb in "$new"/debs/*.deb; do dpkg -x "$deb" "$new/root"; done
    take() { cp "$(find "$new/root" -type f -name "$1*" -path "$2" | head -n 1)" "$new/$1" 2>/dev/null; }
    take config '*/boot/*' || take config '*/modules/*' || { say "$name: no configuration in it"; return 1; }
    take vmlinuz '*' || { say "$name: no kernel in it"; return 1; }
    for option in $built_in; do
        grep -q "^CONFIG_$option=y" "$new/config" || { say "$name is no use: no $option built in"; return 1; }
    done
    unpack_elf "$new/vmlinuz" "$new/vmlinux" || { say "$name: no ELF kernel inside"; return 1; }
    echo "$name" >"$new/release"
    rm -rf "$new/debs" "$new/root" "$cache/kernel/$name"
    touch "$new/complete"
    mv "$new" "$cache/kernel/$name"
    kernel=$cache/kernel/$name
}

# unpack_elf IMAGE OUT: the ELF kernel inside a compressed image. Booting it by its PVH entry spares an emulated CPU the
# firmware and the decompression.
unpack_elf() {
    local form magic tool at
    for form in '\x28\xb5\x2f\xfd zstd' '\xfd7zXZ\x00 xz' '\x1f\x8b\x08 gzip'; do
        read -r magic tool <<<"$form"
        command -v "$tool" >/dev/null || continue
        for at in $(LC_ALL=C grep -obUaP "$magic" "$1" | cut -d: -f1); do
            tail -c +$((at + 1)) "$1" | "$tool" -dcq >"$2" 2>/dev/null || true
            [ "$(head -c 4 "$2" | tail -c 3)" != ELF ] || return 0
        done
    done
    rm -f "$2"
    return 1
}
