//! Every case by its name.

use crate::cases::{capabilities, growth, limits, lives, machine, refusals, selection, storms};
use crate::world::World;

/// A case: fails by panicking.
pub(crate) struct Case {
    /// Unique; `FAULTS.md` refers to it.
    pub(crate) name: &'static str,
    /// Runs only in the long form.
    pub(crate) long: bool,
    /// Words of alarm that the kernel may say during the case.
    pub(crate) kernel_says: &'static [&'static str],
    /// The case itself.
    pub(crate) run: fn(&mut World),
}

const fn case(name: &'static str, run: fn(&mut World)) -> Case {
    Case { name, long: false, kernel_says: &[], run }
}

impl Case {
    const fn only_long(self) -> Case {
        Case { long: true, ..self }
    }

    const fn while_the_kernel_says(self, kernel_says: &'static [&'static str]) -> Case {
        Case { kernel_says, ..self }
    }
}

/// In the order in which they run.
pub(crate) const CASES: &[Case] = &[
    case("by_cgroup", selection::by_cgroup),
    case("shared_table", selection::shared_table),
    case("by_pod", selection::by_pod),
    case("by_regex", selection::by_regex),
    case("by_pid", selection::by_pid),
    case("removal", selection::removal),
    case("pod_deleted", selection::pod_deleted),
    case("thread", growth::thread),
    case("fork", growth::fork),
    case("exec", growth::exec),
    case("rename", growth::rename),
    case("cgroup_move", growth::cgroup_move),
    case("pid_reuse", lives::pid_reuse),
    case("kill_nine", lives::kill_nine),
    case("stopped", lives::stopped).only_long(),
    case("sysrq", lives::sysrq).while_the_kernel_says(&["disabled (disabled by sysrq-S)"]),
    case("other_scheduler", lives::other_scheduler),
    case("upgrade", lives::upgrade).only_long(),
    case("leader_exits", lives::leader_exits),
    case("hotplug", machine::hotplug).while_the_kernel_says(&["hotplug"]),
    case("realtime_hog", machine::realtime_hog).only_long(),
    case("stall", machine::stall).only_long().while_the_kernel_says(&[
        "runnable task stall",
        "sched_ext:",
        "RT throttling",
    ]),
    case("cpu_weight", limits::cpu_weight).only_long(),
    case("cpu_max", limits::cpu_max).only_long(),
    case("many_strategies", storms::many_strategies).only_long(),
    case("hostile_values", storms::hostile_values).only_long(),
    case("fork_storm", storms::fork_storm).only_long(),
    case("strong_hogs", storms::strong_hogs).only_long(),
    case("strategy_storm", storms::strategy_storm).only_long(),
    case("ring_full", storms::ring_full).only_long(),
    case("many_runnable", storms::many_runnable).only_long(),
    case("verifier", refusals::verifier),
    case("no_capability", refusals::no_capability),
    case("capabilities", capabilities::capabilities).only_long(),
    case("no_boot", refusals::no_boot).only_long(),
];
