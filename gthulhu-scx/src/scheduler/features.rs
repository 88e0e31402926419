//! What the running kernel lets a scheduler do, by its own description of its types; versions are not asked for.

use std::collections::HashSet;
use std::ptr;

use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::{Enum, Enum64, Struct};

use super::LoadError;
use crate::bpf::types::sched_ext_ops;

/// The flag by which a CPU's last task is given to us, too, when its slice is over.
const ENQ_LAST: &str = "SCX_OPS_ENQ_LAST";

/// What works here and what does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// `cpu.weight` of cgroups counts.
    pub weights: bool,
    /// `cpu.max` of cgroups is enforced. Without it, Kubernetes CPU limits are not.
    pub limits: bool,
    /// Tasks leave a CPU at once that a real-time task takes.
    pub cpu_release: bool,
    /// Value of [`ENQ_LAST`]; 0 without it.
    pub(super) enq_last: u64,
}

impl Features {
    /// Asks the running kernel.
    pub fn of_running_kernel() -> Result<Self, LoadError> {
        let unsupported = |why: &str| LoadError::Unsupported(why.to_owned());
        let btf = Btf::from_vmlinux()
            .map_err(|_| unsupported("it does not describe its types (/sys/kernel/btf/vmlinux)"))?;
        let ops: Struct<'_> =
            btf.type_by_name("sched_ext_ops").ok_or_else(|| unsupported("it has no sched_ext_ops"))?;
        let members: HashSet<_> =
            ops.iter().filter_map(|member| Some(member.name?.to_string_lossy().into_owned())).collect();
        let has = |name: &str| members.contains(name);
        Ok(Self {
            weights: ["cgroup_init", "cgroup_exit", "cgroup_set_weight"].iter().all(|name| has(name)),
            limits: has("cgroup_set_bandwidth"),
            cpu_release: has("cpu_release") && has("cpu_acquire"),
            enq_last: value_of(&btf, "scx_ops_flags", ENQ_LAST).unwrap_or(0),
        })
    }

    /// Sets what this kernel numbers in its own way and takes out what this kernel does not know (it would refuse the whole) and what is not wanted.
    pub(super) fn empty_unknown(self, ops: &mut sched_ext_ops, honour_limits: bool) {
        ops.flags = self.enq_last;
        if !self.weights {
            ops.cgroup_init = ptr::null_mut();
            ops.cgroup_exit = ptr::null_mut();
            ops.cgroup_set_weight = ptr::null_mut();
        }
        if !self.limits || !self.weights || !honour_limits {
            ops.cgroup_set_bandwidth = ptr::null_mut();
        }
        if !self.cpu_release {
            ops.cpu_acquire = ptr::null_mut();
            ops.cpu_release = ptr::null_mut();
        }
    }
}

/// The value that the running kernel gives to a name.
fn value_of(btf: &Btf<'_>, list: &str, name: &str) -> Option<u64> {
    let is_it = |found: Option<&std::ffi::OsStr>| found.is_some_and(|found| found == name);
    if let Some(wide) = btf.type_by_name::<Enum64<'_>>(list) {
        return wide
            .iter()
            .find(|member| is_it(member.name))
            .and_then(|member| u64::try_from(member.value).ok());
    }
    let narrow: Enum<'_> = btf.type_by_name(list)?;
    narrow.iter().find(|member| is_it(member.name)).and_then(|member| u64::try_from(member.value).ok())
}
