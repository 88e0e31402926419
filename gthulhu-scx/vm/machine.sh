# Sourced by run.sh: the machine itself.

# need_machine: sets `virtiofsd`, or says what is missing.
need_machine() {
    local tool
    [ "$(id -u)" = 0 ] || die 122 "needs root, to share this machine's root with the guest"
    command -v qemu-system-x86_64 >/dev/null || die 122 "no qemu-system-x86_64 (Debian: qemu-system-x86)"
    for tool in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd "$(command -v virtiofsd || true)"; do
        [ -n "$tool" ] && [ -x "$tool" ] || continue
        virtiofsd=$tool
        return
    done
    die 122 "no virtiofsd (Debian 13: package virtiofsd; 12: in qemu-system-common)"
}

# share_folder TAG DIR CACHE: serves DIR to the guest; ends by itself when QEMU does.
share_folder() {
    local socket=$run/$1.sock options
    if "$virtiofsd" --help 2>&1 | grep -q -- '--shared-dir'; then
        options=(--shared-dir="$2" --cache="$3" --sandbox=chroot)
    else # the one that came with QEMU until 7.2
        options=(-o source="$2" -o cache="$3" -o sandbox=chroot -o xattr)
    fi
    "$virtiofsd" --socket-path="$socket" "${options[@]}" >"$run/$1.log" 2>&1 9>&- &
    children+=($!)
    for _ in $(seq 200); do
        [ ! -S "$socket" ] || return 0
        sleep 0.05
    done
    cat "$run/$1.log" >&2
    die 123 "virtiofsd did not start"
}

clean_up() {
    local child
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$run"
}

# What the guest's first process needs to know, as a shell fragment.
job() {
    printf 'share=%q\nguest_path=%q\n' "$share" "$PATH"
    if [ $# = 1 ]; then printf 'command=(bash -c %q)\n' "$1"; else printf 'command=(%s)\n' "$(printf '%q ' "$@")"; fi
}

# boot COMMAND...: runs the machine until it ends; exits with the command's status.
boot() {
    local status=0 limit=() args reader code
    run=$(mktemp -d "$cache/run.XXXXXX")
    children=()
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    job "$@" >"$run/job"
    cp "$here/guest/init" "$run/init"
    # This machine's root stays as it is while the VM runs, so the guest may keep what it has read: most of what makes
    # starting a program slow under emulation is asking again.
    share_folder root / always
    share_folder share "$share" auto

    # A FIFO and cat carry the output: QEMU's own stdout would count as hung up once our stdin is at its end.
    : >"$run/console" && : >"$run/status" && mkfifo "$run/out"
    cat "$run/out" 9>&- &
    reader=$!
    children+=("$reader")
    # The second line spares an emulated CPU work at boot.
    args=(console=ttyS0 root=root rootfstype=virtiofs ro "init=$run/init" panic=-1
        nokaslr mitigations=off lsm=bpf audit=0 random.trust_cpu=1 tsc=reliable)
    if [ -n "$verbose" ]; then
        tail -f "$run/console" >&2 9>&- &
        children+=($!)
    else
        args+=(quiet)
    fi
    [ "$timeout" = 0 ] || limit=(timeout --foreground "$timeout")

    "${limit[@]}" qemu-system-x86_64 -name gthulhu-vm -nodefaults -no-user-config -display none -machine q35 \
        "${accel_args[@]}" -smp "$cpus" -m "$mem" -no-reboot \
        -object memory-backend-memfd,id=mem,size="${mem}M",share=on -numa node,memdev=mem \
        -chardev socket,id=root,path="$run/root.sock" -device vhost-user-fs-pci,chardev=root,tag=root \
        -chardev socket,id=share,path="$run/share.sock" -device vhost-user-fs-pci,chardev=share,tag=share \
        -serial file:"$run/console" -device virtio-serial-pci \
        -chardev file,id=out,path="$run/out" -device virtserialport,chardev=out,name=out \
        -chardev file,id=status,path="$run/status" -device virtserialport,chardev=status,name=status \
        -kernel "$kernel/vmlinux" -append "${args[*]} $append" </dev/null 9>&- &
    children+=($!)
    wait $! || status=$? # in the background, so that a signal to us ends the wait
    # Had QEMU failed before it opened the FIFO, cat would never see its end.
    : 8<>"$run/out"
    wait "$reader" || true

    if read -r code <"$run/status"; then
        say "the command exited $code"
        exit "$code"
    fi
    [ "$status" != 124 ] || { tail -n 30 "$run/console" >&2; die 124 "still running after $timeout s; its console ends above"; }
    tail -n 100 "$run/console" >&2
    die 123 "the VM gave no exit status (QEMU: $status); its console ends above"
}
