//! What happens to pods happens to intents, and to the processes on the nodes.

use gthulhu_local::pods::Pod;
use serde_json::json;

use super::cluster::{DM_ACCOUNT, DM_LABEL, NewPod, SYSTEM};
use super::fake::Impostor;
use super::world::{NODES, World, create, delete, dm_pod, strategy};

/// Each strategy has a time slice of its own, by which its rows are known.
const SLICE: i64 = 1_000_000;

fn row(pod: &Pod, slice: i64) -> (u64, i64) {
    (u64::from(pod.leader()), slice)
}

pub(crate) async fn a_strategy_reaches_the_processes_of_scheduled_pods(world: &mut World) {
    let web = NewPod::web("web");
    let uid = world.cluster.pod(&web).await;
    // The pod waits for a node: the strategy is for it all the same, and there is nothing to push yet.
    super::world::until(async || {
        let reply = world.user.post("/api/v1/strategies/preview", &strategy("web", SLICE)).await.data();
        if reply["totals"]["pods"] == json!(1) { Ok(()) } else { Err(reply.to_string()) }
    })
    .await;
    let id = create(&world.user, "web", SLICE).await;
    world.until_intents(&[]).await;
    let running = world.run(&web, &uid);
    world.cluster.bind(&web, NODES[0]).await;
    world.until_intents(&[(&uid, NODES[0])]).await;
    world.until_rows(0, &[row(&running, SLICE)]).await;
    world.until_rows(1, &[]).await;

    let elsewhere = json!({"k8sNamespace": ["nowhere"], "executionTime": SLICE});
    let reply = world.user.post("/api/v1/strategies", &elsewhere).await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.error(), "no pods match the strategy criteria: there is no namespace nowhere");

    delete(&world.user, &id).await;
    world.until_rows(0, &[]).await;
    world.cluster.remove(&web).await;
}

pub(crate) async fn pods_are_replaced_rescheduled_deleted_and_end(world: &mut World) {
    let id = {
        let reply = world.user.post("/api/v1/strategies?allowEmpty=true", &strategy("web", SLICE)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.header("location").unwrap().rsplit('/').next().unwrap().to_owned()
    };
    let web = NewPod::web("web");
    let mut former: Option<String> = None;
    // The same name, each time another pod: replaced in its place, then scheduled elsewhere.
    for node in [0, 0, 1] {
        let uid = world.cluster.pod(&web).await;
        assert_ne!(former.as_ref(), Some(&uid));
        let running = world.run(&web, &uid);
        world.cluster.bind(&web, NODES[node]).await;
        world.until_intents(&[(&uid, NODES[node])]).await;
        world.until_rows(node, &[row(&running, SLICE)]).await;
        world.until_rows(1 - node, &[]).await;
        world.cluster.remove(&web).await;
        world.until_intents(&[]).await;
        // The processes still run: what has ended is the pod.
        world.until_rows(node, &[]).await;
        former = Some(uid);
    }
    let uid = world.cluster.pod(&web).await;
    let running = world.run(&web, &uid);
    world.cluster.bind(&web, NODES[0]).await;
    world.until_rows(0, &[row(&running, SLICE)]).await;
    world.cluster.succeeded(&web).await;
    world.until_intents(&[]).await;
    world.until_rows(0, &[]).await;
    world.cluster.remove(&web).await;
    delete(&world.user, &id).await;
}

/// Pods that look like decision makers to whoever looks at labels alone, newer than the true ones.
pub(crate) async fn only_pods_that_are_enrolled_are_decision_makers(world: &mut World) {
    for (namespace, service_account) in [("tenant", DM_ACCOUNT), (SYSTEM, "default")] {
        let impostor = Impostor::listen("127.0.0.9");
        let port = impostor.address.port();
        let pod = NewPod { namespace, name: "impostor", label: DM_LABEL, service_account, port };
        world.cluster.decision_maker(&pod, NODES[0], "127.0.0.9").await;
        world.impostors.push(impostor);
    }
}

/// The end of the story: whoever was seen among the pods has been seen for long.
pub(crate) fn no_impostor_was_ever_spoken_to(world: &World) {
    assert_eq!(world.impostors.len(), 2);
    for impostor in &world.impostors {
        assert_eq!(impostor.received(), (0, 0), "at {}", impostor.address);
    }
}

/// Another pod at the same address: nothing tells the manager but the pod's uid. That it is compared at once is shown
/// where the manager's loop is tested; here an ordinary comparison does as well.
pub(crate) async fn a_decision_maker_that_comes_back_is_put_right(world: &mut World) {
    let web = NewPod::web("steady");
    let uid = world.cluster.pod(&web).await;
    world.cluster.bind(&web, NODES[0]).await;
    let running = world.run(&web, &uid);
    world.until_intents(&[]).await;
    let id = create(&world.user, "web", SLICE).await;
    world.until_rows(0, &[row(&running, SLICE)]).await;
    // Somebody empties the decision maker: again, where an ordinary comparison was quicker than the look at it.
    super::world::until(async || {
        world.observers[0].ask("DELETE", "/api/v1/intents", &json!({"all": true})).await;
        let rows = world.observers[0].rows().await;
        if rows.is_empty() { Ok(()) } else { Err(format!("rows {rows:?}")) }
    })
    .await;
    let dm = dm_pod(NODES[0], world.dms[0].port);
    world.cluster.remove(&dm).await;
    world.cluster.decision_maker(&dm, NODES[0], &world.dms[0].ip).await;
    world.until_rows(0, &[row(&running, SLICE)]).await;
    delete(&world.user, &id).await;
    world.cluster.remove(&web).await;
    world.until_rows(0, &[]).await;
}
