//! Intents for pods, and whom an engine governs by them.

use gthulhu_lib::engine::Engine;
use gthulhu_lib::intent::Limits;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::wire::IntentBody;

/// An intent for each of these pods, with that regex for commands.
pub(crate) fn intents(of: &[(&str, &str)]) -> IntentSet {
    let bodies = of.iter().map(|&(pod, regex)| IntentBody {
        pod_id: pod.to_owned(),
        command_regex: regex.to_owned(),
        priority: 3,
        execution_time: 20_000_000,
        ..IntentBody::default()
    });
    IntentSet::check(bodies.collect(), &Limits::default()).expect("good intents")
}

/// The processes that are governed.
pub(crate) fn leaders(engine: &Engine) -> Vec<u32> {
    engine.rows().iter().filter(|row| row.is_leader()).map(|row| row.tid).collect()
}
