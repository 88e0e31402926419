//! The manager on a real Kubernetes API: a genuine kube-apiserver with its etcd, both daemons as they are shipped, and pods
//! that are real processes in real cgroups. The tests do what a scheduler and a kubelet do: bind pods and tell how they are.
//!
//! `scripted` has an API server of a few lines for what a real one does not do on demand.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

mod api;
mod cluster;
mod daemons;
mod fake;
mod faults;
mod neighbours;
mod pods;
mod scripted;
mod servers;
mod shipped;
mod world;

use gthulhu_local::error::LocalError;
use world::World;

/// One story, told in order, because each part begins where the one before it has left the cluster.
#[tokio::test(flavor = "multi_thread")]
async fn pods_of_a_real_api_become_intents_that_reach_real_processes() {
    const TEST: &str = "pods_of_a_real_api_become_intents_that_reach_real_processes";
    let mut world = match World::start().await {
        Ok(world) => world,
        Err(LocalError::Unsupported(why)) => return println!("SKIPPED {TEST}: {why}"),
        Err(error) => panic!("{error}"),
    };
    pods::a_strategy_reaches_the_processes_of_scheduled_pods(&mut world).await;
    pods::only_pods_that_are_enrolled_are_decision_makers(&mut world).await;
    neighbours::nobodys_change_removes_anothers_rows(&mut world).await;
    pods::pods_are_replaced_rescheduled_deleted_and_end(&mut world).await;
    pods::a_decision_maker_that_comes_back_is_put_right(&mut world).await;
    faults::intents_outlive_the_api_server(&mut world).await;
    faults::intents_outlive_etcd(&mut world).await;
    pods::no_impostor_was_ever_spoken_to(&world);
}
