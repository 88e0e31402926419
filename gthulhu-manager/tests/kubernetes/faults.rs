//! The API server dies and etcd stops. Intents stay, changes of strategies reach the nodes, and what happened meanwhile is
//! caught up with.

use super::cluster::NewPod;
use super::neighbours::until_known;
use super::world::{NODES, World, create, delete, until};

const SLICE: i64 = 5_000_000;

pub(crate) async fn intents_outlive_the_api_server(world: &mut World) {
    let web = NewPod::web("steady");
    let uid = world.cluster.pod(&web).await;
    let running = world.run(&web, &uid);
    let pid = u64::from(running.leader());
    world.cluster.bind(&web, NODES[0]).await;
    until_known(&world.user, &["web"]).await;
    let id = create(&world.user, "web", SLICE).await;
    world.until_rows(0, &[(pid, SLICE)]).await;

    world.servers.kill_api();
    world.until_readiness("degraded", true).await;
    assert_eq!(world.intents().await, [(uid.clone(), NODES[0].to_owned())]);
    // What nobody knows may be there by now; what is known is served.
    let refused = world.user.post("/api/v1/strategies", &super::world::strategy("nobody", SLICE)).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    let second = create(&world.user, "web", SLICE + 1).await;
    delete(&world.user, &id).await;
    world.until_rows(0, &[(pid, SLICE + 1)]).await;

    world.servers.start_api().await.unwrap();
    let late = NewPod::web("late");
    let late_uid = world.cluster.pod(&late).await;
    world.cluster.bind(&late, NODES[1]).await;
    world.until_intents(&[(&uid, NODES[0]), (&late_uid, NODES[1])]).await;
    world.until_readiness("degraded", false).await;
    world.until_rows(0, &[(pid, SLICE + 1)]).await;
    // An API server forgets with its process what it could go on from.
    assert!(world.manager.log().contains("reading everything anew"), "{}", world.manager.log());
    assert!(world.manager.log().contains("410"), "{}", world.manager.log());

    delete(&world.user, &second).await;
    for pod in [&web, &late] {
        world.cluster.remove(pod).await;
    }
}

pub(crate) async fn intents_outlive_etcd(world: &mut World) {
    let web = NewPod::web("steady");
    let uid = world.cluster.pod(&web).await;
    let running = world.run(&web, &uid);
    let pid = u64::from(running.leader());
    world.cluster.bind(&web, NODES[0]).await;
    until_known(&world.user, &["web"]).await;
    let id = create(&world.user, "web", SLICE).await;
    world.until_rows(0, &[(pid, SLICE)]).await;

    world.servers.pause_etcd();
    let second = create(&world.user, "web", SLICE + 1).await;
    delete(&world.user, &id).await;
    world.until_rows(0, &[(pid, SLICE + 1)]).await;
    assert_eq!(world.intents().await, [(uid.clone(), NODES[0].to_owned())]);
    world.servers.resume_etcd().await.unwrap();

    let late = NewPod::web("late");
    let late_uid = world.cluster.pod(&late).await;
    world.cluster.bind(&late, NODES[1]).await;
    world.until_intents(&[(&uid, NODES[0]), (&late_uid, NODES[1])]).await;
    delete(&world.user, &second).await;
    until(async || {
        let intents = world.intents().await;
        if intents.is_empty() { Ok(()) } else { Err(format!("{intents:?}")) }
    })
    .await;
}
