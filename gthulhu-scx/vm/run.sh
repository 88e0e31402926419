#!/usr/bin/env bash
# Runs a command as root in a virtual machine whose kernel has sched_ext, and throws the machine away.
#
#   run.sh [options] DIR COMMAND [ARG...]
#
# DIR, a folder of this machine, is in the VM too, writable and at the same path; the command starts there. One argument
# goes to `bash -c`, more are executed as they are. What the command prints, to either stream, comes out of our stdout
# as it happens; our stderr begins with a line that names the kernel. Standard input is empty.
#
# The exit status is the command's own, or one of ours:
#   120 bad usage   121 no kernel to be had   122 no root, or a tool is missing   123 the VM died   124 out of time
#
#   --kernel "A B"  releases as regexes, the first that is to be had; of one regex the newest   (6\.18\. [7-9]\.)
#   --cpus N        virtual CPUs                                                                (2)
#   --mem MIB       memory                                                                      (2048)
#   --timeout S     seconds of wall-clock time, 0 for no limit                                  (600)
#   --icount N      the guest's clock counts instructions, 2^N ns each: for measuring
#   --append STR    more kernel command line
#   --accel A       auto, kvm or tcg                                                            (auto)
#   --suites "A B"  Debian suites that are asked for a kernel                                   (trixie-backports sid)
#   --print-kernel  fetch the kernel if need be, print "RELEASE VMLINUX" and stop
#   --verbose       each step and the guest's console, on stderr
#
# Kernels are kept in $GTHULHU_VM_CACHE (~/.cache/gthulhu/vm). KVM is used where it boots this kernel, else QEMU's
# emulation, which needs nothing of the host. The guest's root is this machine's own, read-only, so what is installed here is
# installed there; /tmp, /run, /boot and /mnt are empty. It reaches the host's files through that share: run only what you
# would run here.
#
# --icount makes what else this machine does nearly invisible: a loop takes the same guest time to 0.1 %. All CPUs together
# then have the speed of one, and waiting for a host file makes the guest's clock leap, so whoever measures keeps
# everything in memory and all but one CPU offline.

{ # read as a whole before it runs: the file may change meanwhile
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

cpus=2 mem=2048 timeout=600 icount='' append='' accel=auto verbose='' print_kernel=''
kernels='6\.18\. [7-9]\.' suites='trixie-backports sid'
cache=${GTHULHU_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gthulhu/vm}

die() { echo "vm: $2" >&2; exit "$1"; }
say() { [ -z "$verbose" ] || echo "vm: $*" >&2; }

while [ $# -gt 0 ]; do
    case $1 in
        --cpus | --mem | --timeout | --icount | --append | --accel | --suites)
            [ $# -ge 2 ] || die 120 "$1 needs a value"
            printf -v "${1#--}" %s "$2"; shift 2 ;;
        --kernel) [ $# -ge 2 ] || die 120 "$1 needs a value"; kernels=$2; shift 2 ;;
        --print-kernel) print_kernel=yes; shift ;;
        --verbose) verbose=yes; shift ;;
        --) shift; break ;;
        -*) die 120 "unknown option $1" ;;
        *) break ;;
    esac
done
if [ -z "$print_kernel" ]; then
    [ $# -ge 2 ] || die 120 "usage: run.sh [options] DIR COMMAND [ARG...]"
    share=$(cd "$1" 2>/dev/null && pwd -P) || die 120 "no such folder: $1"
    [ "$share" != / ] || die 120 "DIR may not be /"
    shift
fi

mkdir -p "$cache"
cache=$(cd "$cache" && pwd -P)
. "$here/../../tools/debian.sh"
. "$here/kernel.sh"
. "$here/accel.sh"
. "$here/machine.sh"

# One at a time prepares; the lock is gone before the VM starts.
exec 9>"$cache/lock"
flock 9
choose_kernel
release=$(cat "$kernel/release")
if [ -n "$print_kernel" ]; then
    echo "$release $kernel/vmlinux"
    exit
fi
need_machine
choose_accel
flock -u 9

echo "vm: kernel $release, ${accel_name}, $cpus CPUs, $mem MiB" >&2
boot "$@"
exit
}
