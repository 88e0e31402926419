//! A network namespace with one address, joined to this machine's by a pair of virtual devices, and what makes that
//! connection a bad one. All rules are inside the namespace, so this machine's own are never touched.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use gthulhu_local::error::LocalError;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Deleted when it is dropped, with its devices.
pub(crate) struct Namespace {
    name: String,
    /// The address inside.
    pub(crate) ip: String,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Runs a command to its end; what it said if it failed.
fn run(words: &str) -> Result<(), String> {
    let mut parts = words.split(' ');
    let mut command = Command::new(parts.next().unwrap_or_default());
    let output = command.args(parts).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`{words}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`{words}`: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

impl Namespace {
    /// Makes one; `Unsupported` where it may not be made.
    pub(crate) fn new() -> Result<Self, LocalError> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Of the range that is set aside for tests of networks; runs beside each other differ by their process.
        let process = std::process::id();
        let (third, fourth) = (process / 64 % 256, process % 64 * 4);
        let (low, ours, theirs) = (18 + number % 2, fourth + 1, fourth + 2);
        let third = (third + number / 2) % 256;
        let name = format!("gth-{process}-{number}");
        let (outer, ip) = (format!("gt{process}o{number}"), format!("198.{low}.{third}.{theirs}"));
        let namespace = Self { name, ip };
        let steps = [
            format!("ip netns add {}", namespace.name),
            format!("ip link add {outer} type veth peer name inner netns {}", namespace.name),
            format!("ip addr add 198.{low}.{third}.{ours}/30 dev {outer}"),
            format!("ip link set {outer} up"),
            format!("ip -n {} addr add {}/30 dev inner", namespace.name, namespace.ip),
            format!("ip -n {} link set inner up", namespace.name),
            format!("ip -n {} link set lo up", namespace.name),
        ];
        steps.iter().try_for_each(|step| run(step)).map_err(LocalError::Unsupported)?;
        // Everything that will be asked of it: a kernel may know some of it only.
        namespace.worsen().map_err(LocalError::Unsupported)?;
        namespace.heal();
        Ok(namespace)
    }

    /// Does `work` in a thread of its own inside: sockets and processes that it makes stay there.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let enter_and_work = || {
            let namespace = File::open(format!("/run/netns/{}", self.name)).unwrap();
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        };
        std::thread::scope(|scope| scope.spawn(enter_and_work).join().unwrap())
    }

    /// Nothing comes in and nothing gets out.
    pub(crate) fn cut(&self) {
        self.rules(&["-A INPUT ! -i lo -j DROP", "-A OUTPUT ! -o lo -j DROP"]).unwrap();
    }

    /// What is sent to it arrives; nothing that it sends does.
    pub(crate) fn lose_replies(&self) {
        self.rules(&["-A OUTPUT ! -o lo -j DROP"]).unwrap();
    }

    /// 30 of 100 packets each way are lost; what it sends goes at 1 Mbit/s.
    pub(crate) fn make_bad(&self) {
        self.worsen().unwrap();
    }

    fn worsen(&self) -> Result<(), String> {
        let chance = "-m statistic --mode random --probability 0.3 -j DROP";
        self.rules(&[&format!("-A INPUT ! -i lo {chance}"), &format!("-A OUTPUT ! -o lo {chance}")])?;
        let slow = "qdisc add dev inner root tbf rate 1mbit burst 10kb latency 200ms";
        run(&format!("ip netns exec {} tc {slow}", self.name))
    }

    /// Whole again.
    pub(crate) fn heal(&self) {
        self.rules(&["-F"]).unwrap();
        // There may be none.
        let _ = run(&format!("ip netns exec {} tc qdisc del dev inner root", self.name));
    }

    fn rules(&self, rules: &[&str]) -> Result<(), String> {
        let name = &self.name;
        rules.iter().try_for_each(|rule| run(&format!("ip netns exec {name} iptables-legacy -w {rule}")))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The other end of the pair goes with it.
        let _ = run(&format!("ip netns del {}", self.name));
    }
}
