//! What a strategy changes for a pod that contends for the CPU: how late it is woken beside pods of the same weight that
//! never sleep, under the kernel's own scheduler and under ours before, with and after the strategy. The strategy goes
//! the whole way: manager, decision maker, feed, scheduler, kernel.

mod load;
pub mod machine;
pub mod rows;
mod scene;
mod scheduler;

use std::path::Path;

use serde_json::json;

use crate::demo::{Steps, session};
use crate::error::LocalError;
use crate::http::Api;
use crate::stack::{Ports, Stack};
use machine::Machine;
use rows::{Row, Rows};
use scene::Scene;
use scheduler::Scheduler;

const STRATEGIES: &str = "/api/v1/strategies";
const PRIORITY: u8 = 3;
const SLICE_NS: u64 = 5_000_000;

/// Measures all rows, noting each step in `steps`, and takes everything down. `prepared` has a manager's keys and gets its
/// state; without, both are temporary.
pub async fn run(
    mut machine: Machine,
    prepared: Option<&Path>,
    steps: &mut Steps,
) -> Result<Rows, LocalError> {
    let started = start(&mut machine, prepared);
    let (stack, admin, scene) = steps.step("start both daemons, a probe and its neighbours", started).await?;
    let eevdf = steps.step("measure under EEVDF", measure(&scene)).await?;

    let mut scheduler = steps.step("start gthulhu-scx", schedule(&stack)).await?;
    let ungoverned = steps.step("measure without a strategy", measure(&scene)).await?;
    let posted = steps.step("POST a strategy for the probe", post(&admin, &scene, &mut scheduler)).await?;
    let mut governed = steps.step("measure with it", measure(&scene)).await?;
    governed.from_post_ns = Some(posted.took_ns);
    steps.step("DELETE it", delete(&admin, &posted.id, &scene, &mut scheduler)).await?;
    let removed = steps.step("measure after its removal", measure(&scene)).await?;

    steps.step("take everything down", async { take_down(scheduler, stack, scene) }).await?;
    Ok(Rows { eevdf, ungoverned, governed, removed })
}

async fn start(
    machine: &mut Machine,
    prepared: Option<&Path>,
) -> Result<(String, (Stack, Api, Scene)), LocalError> {
    let stack = match prepared {
        Some(dir) => Stack::start_prepared(dir).await?,
        None => Stack::start(Ports::default(), None).await?,
    };
    let admin = session::administrator(&stack).await?;
    let scene = Scene::set(&stack, machine.cpus())?;
    // From here on the neighbours keep the machine busy.
    machine.rest();
    let weight = scene.weight()?;
    Ok((format!("{} pods, cpu.weight {weight} each", scene.pods()), (stack, admin, scene)))
}

async fn measure(scene: &Scene) -> Result<(String, Row), LocalError> {
    let row = scene.measure().await?;
    Ok((format!("p99 {:.1} us", row.wake.p99_us), row))
}

async fn schedule(stack: &Stack) -> Result<(String, Scheduler), LocalError> {
    let mut scheduler = Scheduler::start(stack)?;
    let name = scheduler.attached().await?;
    Ok((format!("{name} attached"), scheduler))
}

struct Posted {
    id: String,
    took_ns: u64,
}

/// The clock runs from before the request is sent until the kernel puts a thread of the pod into a queue under the strategy.
async fn post(admin: &Api, scene: &Scene, scheduler: &mut Scheduler) -> Result<(String, Posted), LocalError> {
    let pulse = scene.pulse()?;
    let body = json!({
        "labelSelectors": [{"key": "app", "value": scene::PROBE}],
        "priority": PRIORITY,
        "executionTime": SLICE_NS,
    });
    let begun = gthulhu_probe::clock::now();
    admin.call("POST", STRATEGIES, &body).await?.done()?;
    let first = scheduler.governed(pulse.id(), PRIORITY, SLICE_NS).await?;
    let listed = session::list(admin, "/api/v1/strategies/self", "strategies").await?;
    let id = listed.first().and_then(|strategy| strategy["ID"].as_str()).unwrap_or_default().to_owned();
    let took_ns = first.checked_sub(begun).ok_or_else(|| {
        LocalError::NotSeen("a first enqueue under the strategy that comes after the POST".to_owned())
    })?;
    Ok((format!("governed after {}", rows::milliseconds(took_ns)), Posted { id, took_ns }))
}

async fn delete(
    admin: &Api,
    id: &str,
    scene: &Scene,
    scheduler: &mut Scheduler,
) -> Result<(String, ()), LocalError> {
    let pulse = scene.pulse()?;
    admin.call("DELETE", STRATEGIES, &json!({"strategyId": id})).await?.done()?;
    scheduler.ungoverned(pulse.id()).await?;
    Ok(("no strategy acts on the probe's pod".to_owned(), ()))
}

fn take_down(scheduler: Scheduler, stack: Stack, scene: Scene) -> Result<(String, ()), LocalError> {
    scheduler.stop()?;
    stack.stop()?;
    drop(scene);
    Ok(("the kernel's own scheduler is back; daemons and pods gone".to_owned(), ()))
}
