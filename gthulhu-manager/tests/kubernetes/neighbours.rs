//! Two users, one node: what one does to his strategies never takes the other's rows away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gthulhu_http::testkit::TestClient;
use tokio::time::{MissedTickBehavior, interval};

use super::cluster::NewPod;
use super::daemons::Observer;
use super::world::{NODES, World, create, delete, strategy, until};

const STEADY: i64 = 2_000_000;
const RESTLESS: [i64; 2] = [3_000_000, 4_000_000];
/// How often the restless one creates, changes and deletes his strategy.
const ROUNDS: usize = 10;

/// What the sampler saw: samples, and those without the steady user's row.
#[derive(Default)]
struct Seen {
    samples: usize,
    without: Vec<Vec<(u64, i64)>>,
    restless: [bool; 2],
    alone: bool,
}

pub(crate) async fn nobodys_change_removes_anothers_rows(world: &mut World) {
    let steady = NewPod { name: "steady", label: ("app", "steady"), ..NewPod::web("") };
    let restless = NewPod { name: "restless", label: ("app", "restless"), ..NewPod::web("") };
    let mut running = Vec::new();
    for pod in [&steady, &restless] {
        let uid = world.cluster.pod(pod).await;
        running.push(world.run(pod, &uid));
        world.cluster.bind(pod, NODES[0]).await;
    }
    let pids: Vec<_> = running.iter().map(|pod| u64::from(pod.leader())).collect();
    until_known(&world.user, &["steady", "restless"]).await;
    let other = world.manager.user(&world.user, "restless@example.com").await;
    let id = create(&world.user, "steady", STEADY).await;
    world.until_rows(0, &[(pids[0], STEADY)]).await;

    let done = Arc::new(AtomicBool::new(false));
    let sampling = tokio::spawn(sample(Arc::clone(&world.observers[0]), pids.clone(), Arc::clone(&done)));
    for _ in 0..ROUNDS {
        let his = create(&other, "restless", RESTLESS[0]).await;
        until_has(&world.observers[0], (pids[1], RESTLESS[0])).await;
        let mut changed = strategy("restless", RESTLESS[1]);
        changed["strategyId"] = his.as_str().into();
        let reply = other.put("/api/v1/strategies", &changed).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        until_has(&world.observers[0], (pids[1], RESTLESS[1])).await;
        delete(&other, &his).await;
        until(async || {
            let rows = world.observers[0].rows().await;
            if rows.iter().all(|(pid, _)| *pid != pids[1]) { Ok(()) } else { Err(format!("{rows:?}")) }
        })
        .await;
    }
    done.store(true, Ordering::SeqCst);
    let seen = sampling.await.unwrap();
    assert!(seen.without.is_empty(), "of {} samples: {:?}", seen.samples, seen.without);
    assert!(
        seen.samples >= ROUNDS && seen.restless == [true, true] && seen.alone,
        "the sampler saw all that happened"
    );

    delete(&world.user, &id).await;
    for pod in [&steady, &restless] {
        world.cluster.remove(pod).await;
    }
    world.until_rows(0, &[]).await;
}

/// Looks every 10 ms.
async fn sample(observer: Arc<Observer>, pids: Vec<u64>, done: Arc<AtomicBool>) -> Seen {
    let (mut seen, mut ticks) = (Seen::default(), interval(Duration::from_millis(10)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !done.load(Ordering::SeqCst) {
        ticks.tick().await;
        let rows = observer.rows().await;
        seen.samples += 1;
        for (slice, seen) in RESTLESS.into_iter().zip(&mut seen.restless) {
            *seen |= rows.contains(&(pids[1], slice));
        }
        seen.alone |= rows == [(pids[0], STEADY)];
        if !rows.contains(&(pids[0], STEADY)) {
            seen.without.push(rows);
        }
    }
    seen
}

async fn until_has(observer: &Observer, row: (u64, i64)) {
    until(async || {
        let rows = observer.rows().await;
        if rows.contains(&row) { Ok(()) } else { Err(format!("{rows:?} without {row:?}")) }
    })
    .await;
}

/// Waits until the manager knows pods with these labels on a node.
pub(crate) async fn until_known(user: &TestClient, apps: &[&str]) {
    for app in apps {
        until(async || {
            let told = user.post("/api/v1/strategies/preview", &strategy(app, STEADY)).await.data();
            if told["totals"]["nodes"] == serde_json::json!(1) { Ok(()) } else { Err(told.to_string()) }
        })
        .await;
    }
}
