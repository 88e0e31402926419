# Sourced by run.sh: KVM or emulation.

# choose_accel: sets `accel_args`, QEMU's arguments, and `accel_name`.
choose_accel() {
    case $accel in
        auto) if [ -z "$icount" ] && kvm_boots; then accel=kvm; else accel=tcg; fi ;;
        kvm) [ -z "$icount" ] || die 120 "--icount is emulation: it does not go with --accel kvm" ;;
        tcg) ;;
        *) die 120 "--accel is auto, kvm or tcg" ;;
    esac
    accel_name=$accel
    if [ "$accel" = kvm ]; then
        accel_args=(-accel kvm -cpu host)
        return
    fi
    # One thread for all CPUs: with a thread for each, QEMU 7.2 now and then runs a stale translation of kernel code that is
    # being patched (static keys, which change with each scheduler that comes or goes), and the guest dies.
    accel_args=(-accel "tcg,thread=single,tb-size=512" -cpu max)
    if [ -n "$icount" ]; then
        accel_args+=(-icount "shift=$icount,sleep=off" -rtc clock=vm)
        accel_name="tcg icount=$icount"
    fi
}

# KVM counts only if this very kernel gets as far as looking for its root: some /dev/kvm open but cannot run it. The answer
# is kept for as long as this machine is up.
kvm_boots() {
    local memo console
    { [ -r /dev/kvm ] && [ -w /dev/kvm ] && grep -Eqw 'vmx|svm' /proc/cpuinfo; } || return 1
    memo=$cache/kvm-$(cat /proc/sys/kernel/random/boot_id)-$release
    if [ ! -e "$memo" ]; then
        console=$(mktemp)
        timeout 20 qemu-system-x86_64 -accel kvm -cpu host -m 512 -nodefaults -no-user-config -display none -no-reboot \
            -serial file:"$console" -kernel "$kernel/vmlinux" -append "console=ttyS0 panic=-1" \
            </dev/null >/dev/null 2>&1 9>&- || true
        if grep -q 'Unable to mount root fs' "$console"; then echo yes >"$memo"; else echo no >"$memo"; fi
        rm -f "$console"
    fi
    [ "$(cat "$memo")" = yes ]
}
