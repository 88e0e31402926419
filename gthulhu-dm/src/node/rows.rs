//! From the engine's view of tasks and pods to what travels.

use gthulhu_lib::{
    engine::Engine,
    intent::Intent,
    pod_index::PodIndex,
    process::Process,
    resolve::TaskRow,
    selector::Selector,
    wire::{PodPids, ProcessRow, StrategyRow},
};

use super::Rows;
use crate::state::Muted;

/// One row per governed task, leaders first, as the engine orders them.
pub(super) fn of_tasks(engine: &Engine) -> Rows {
    let tasks = engine.rows();
    let leaders = tasks.iter().take_while(|task| task.is_leader()).count();
    let rows = tasks.iter().map(|task| row(task, engine.row_intent(task))).collect();
    Rows::new(rows, leaders)
}

fn row(task: &TaskRow, intent: &Intent) -> StrategyRow {
    StrategyRow {
        priority: intent.priority(),
        // Checked to be 0 or more.
        execution_time: u64::try_from(intent.execution_time()).unwrap_or_default(),
        pid: task.tid,
        selectors: intent.labels().iter().map(|(key, value)| Selector::new(key, value)).collect(),
        command_regex: intent.command_regex().to_owned(),
        tgid: (!task.is_leader()).then_some(task.tgid),
    }
}

/// Every pod with its processes, sorted by uid.
pub(super) fn of_pods(survey: &PodIndex) -> Vec<PodPids> {
    let pods = survey.pods().map(|(uid, processes)| PodPids {
        pod_uid: uid.to_owned(),
        pod_id: None,
        processes: processes.iter().map(process_row).collect(),
    });
    pods.collect()
}

fn process_row(process: &Process) -> ProcessRow {
    ProcessRow {
        pid: process.id.pid,
        command: process.comm.to_string(),
        ppid: Some(process.parent).filter(|&parent| parent != 0),
        container_id: process.container_id.as_deref().map(str::to_owned),
    }
}

/// The process, or thread of a process, with this number in a pod that has intents.
pub(super) fn governed_task(engine: &Engine, pod: &str, pid: u32) -> Option<Muted> {
    let governed = engine.intents().iter().any(|intent| intent.pod_uid().eq_ignore_ascii_case(pod));
    let (uid, start) = task(engine, pod, pid).filter(|_| governed)?;
    Some(Muted { pod: uid.to_owned(), pid, start })
}

/// Whether that very task is still there.
pub(super) fn is_there(engine: &Engine, muted: &Muted) -> bool {
    task(engine, &muted.pod, muted.pid).is_some_and(|(_, start)| start == muted.start)
}

/// The uid of the pod as the engine spells it, and the start time of the task in it.
fn task<'a>(engine: &'a Engine, pod: &str, pid: u32) -> Option<(&'a str, u64)> {
    let (uid, processes) = engine.pods().find(|(uid, _)| uid.eq_ignore_ascii_case(pod))?;
    let mut tasks = processes.iter().flat_map(|process| {
        let threads = process.threads.iter().map(|thread| (thread.tid, thread.start));
        threads.chain([(process.id.pid, process.id.start)])
    });
    let (_, start) = tasks.find(|&(tid, _)| tid == pid)?;
    Some((uid, start))
}
