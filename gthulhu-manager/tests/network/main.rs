//! Networks that fail: a real manager, and real decision makers that are reached through network namespaces of their own,
//! so that packets can be dropped both ways, one way, now and then, or let through slowly, while every process lives on.
//!
//! What is asked of them is the same each time: a node that cannot be reached keeps what it was told last, no node ever
//! goes back to something older, and when the network is whole again all agree.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

mod namespace;
mod scenes;
mod world;

use gthulhu_local::error::LocalError;
use world::World;

/// One story: each scene begins where the one before it has left the nodes, in agreement.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_were_cut_off_agree_again_and_never_go_back() {
    const TEST: &str = "nodes_that_were_cut_off_agree_again_and_never_go_back";
    let mut world = match World::start().await {
        Ok(world) => world,
        Err(LocalError::Unsupported(why)) => return println!("SKIPPED {TEST}: {why}"),
        Err(error) => panic!("{error}"),
    };
    scenes::cut_off_both_ways(&mut world).await;
    scenes::replies_are_lost(&mut world).await;
    scenes::a_third_of_all_packets_is_lost_and_the_rest_is_slow(&mut world).await;
    scenes::the_manager_stands_still(&mut world).await;
    scenes::a_decision_maker_was_away(&mut world).await;
}
