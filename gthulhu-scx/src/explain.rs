//! Why a task has the strategy that it has, or none: what the intents say, and what the kernel side made of it.

use std::fmt::Write as _;

use gthulhu_lib::explain::{Explanation, Outcome};
use gthulhu_lib::process::ProcessId;
use gthulhu_lib::strategy::Resolved;
use gthulhu_lib::wire::feed::TaskInKernel;
use serde::Serialize;

use crate::feed::report;
use crate::govern::Governor;
use crate::maps::{KernelMaps, Source, TaskView};

/// The answer for one number.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// The number that was asked for.
    pub pid: u32,
    /// What the kernel side holds of the task; absent if it is not attached or has not met it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskInKernel>,
    /// The cgroup whose rule decided, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_cgroup: Option<String>,
    /// What the intents of its pod say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<Explanation>,
    /// All of it in sentences, one a line.
    pub text: String,
}

/// Explains one process or thread; `maps` are those of a scheduler that is attached.
pub fn explain(governor: &mut Governor, maps: Option<&dyn KernelMaps>, pid: u32) -> Explained {
    let mut text = String::new();
    let view = match maps.map(|maps| maps.task(pid)) {
        Some(Ok(view)) => view,
        Some(Err(error)) => {
            line(&mut text, &format!("the kernel side cannot be asked: {error}"));
            None
        }
        None => {
            line(&mut text, "this scheduler is not attached: no strategy acts");
            None
        }
    };
    let pod = match governor.engine().explain(pid) {
        Ok(explanation) => Some(explanation),
        Err(error) => {
            line(&mut text, &format!("the process cannot be looked up: {error}"));
            None
        }
    };
    let rule_cgroup = view.and_then(|view| view.rule_cgroup).map(|id| path_of(governor, id));
    if let Some(pod) = &pod {
        line(&mut text, &of_pod(pod));
    }
    if let Some((id, resolved)) = governor.named_process(pid) {
        line(&mut text, &of_named(id, resolved));
    }
    if let Some(view) = &view {
        line(&mut text, &of_task(view, rule_cgroup.as_deref()));
    } else if maps.is_some() {
        line(
            &mut text,
            "kernel: this task has not been seen; it has not run since the scheduler was attached",
        );
    }
    Explained { pid, task: view.as_ref().map(report::task), rule_cgroup, pod, text }
}

fn line(text: &mut String, sentence: &str) {
    text.push_str(sentence);
    text.push('\n');
}

fn path_of(governor: &Governor, id: u64) -> String {
    let path = governor.path_of(id).unwrap_or("a cgroup that is gone");
    format!("{path} (id {id})")
}

fn of_pod(told: &Explanation) -> String {
    let of = match &told.process {
        Some(process) => format!("process {} ({}) of pod {}", process.pid, process.command, process.pod_id),
        None => format!("task {}", told.pid),
    };
    match told.outcome {
        Outcome::Governed => {
            let due = told.due.map_or_else(String::new, |due| shown(due.priority, due.slice_ns));
            let intents = told.intents.len();
            format!("intents: {of} is due {due}, the strongest of {intents} for its pod that mean it")
        }
        Outcome::NotFound => format!("intents: {of} is not there"),
        Outcome::NotInPod => {
            format!("intents: {of} is in no pod; only a rule for its cgroup or its number can mean it")
        }
        Outcome::Refused(_) => {
            format!("intents: {of} is in a cgroup that names two pods, and neither is believed")
        }
        Outcome::NoIntentForPod => format!("intents: {of}: its pod has none"),
        Outcome::NoRegexMatches => format!("intents: {of}: its pod has some, but none means this name"),
        Outcome::PauseNeverGoverned => {
            format!("intents: {of} only holds its pod's namespaces and is never governed")
        }
        Outcome::Muted => format!("intents: {of} was taken out by hand"),
    }
}

fn of_named(id: ProcessId, resolved: Resolved) -> String {
    let due = shown(resolved.priority(), resolved.slice_ns());
    format!("intents: process {} that started at tick {} was named itself: {due}", id.pid, id.start)
}

fn of_task(view: &TaskView, rule_cgroup: Option<&str>) -> String {
    let mut told = String::from("kernel: ");
    match view.strategy {
        Some(strategy) => told.push_str(&shown(strategy.priority(), strategy.slice_ns())),
        None => told.push_str("no strategy"),
    }
    let rule = rule_cgroup.unwrap_or("its cgroup");
    let why = match view.source {
        Source::None => "no rule concerns it".to_owned(),
        Source::Cgroup => format!("by the rule of {rule}"),
        Source::Verdict => format!("by the rule of {rule}, which means its leader's name"),
        Source::Pid => "by a rule for its process".to_owned(),
        Source::Pending => format!("the rule of {rule} waits for a verdict on its leader's name"),
        Source::Refused => format!("the rule of {rule} does not mean its leader's name"),
    };
    // Writing to a text cannot fail.
    let _ = write!(
        told,
        ", {why}; generation {}, became runnable {} times with and {} times without a strategy",
        view.generation, view.enqueues_governed, view.enqueues_normal
    );
    told
}

fn shown(priority: u8, slice_ns: u32) -> String {
    match slice_ns {
        0 => format!("priority {priority}"),
        ns => format!("priority {priority}, slice {} us", ns / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(source: Source) -> TaskView {
        TaskView {
            strategy: matches!(source, Source::Cgroup | Source::Verdict | Source::Pid)
                .then(|| Resolved::clamped(3, 5_000_000)),
            source,
            cgroup: 7,
            rule_cgroup: Some(6),
            generation: 2,
            first_governed_ns: None,
            enqueues_governed: 8,
            enqueues_normal: 1,
            vtime: 0,
            budget_ns: 0,
        }
    }

    #[test]
    fn the_kernels_view_is_told_with_its_reason() {
        assert_eq!(
            of_task(&view(Source::Verdict), Some("/a (id 6)")),
            "kernel: priority 3, slice 5000 us, by the rule of /a (id 6), which means its leader's name; \
             generation 2, became runnable 8 times with and 1 times without a strategy"
        );
        for (source, words) in [
            (Source::None, "no strategy, no rule concerns it"),
            (Source::Pending, "no strategy, the rule of /a waits"),
            (Source::Refused, "no strategy, the rule of /a does not mean"),
            (Source::Cgroup, "priority 3, slice 5000 us, by the rule of /a;"),
            (Source::Pid, "priority 3, slice 5000 us, by a rule for its process"),
        ] {
            let told = of_task(&view(source), Some("/a"));
            assert!(told.starts_with(&format!("kernel: {words}")), "{told}");
        }
    }
}
