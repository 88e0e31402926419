//! What happens to the network, and what must be true meanwhile and afterwards.

use rustix::process::Signal;

use super::world::World;

/// Changes made while something is broken.
const CHANGES: usize = 20;

/// Two of three nodes are cut off: the third follows every change, they keep what they had.
pub(crate) async fn cut_off_both_ways(world: &mut World) {
    let before = world.change().await;
    world.until_agreed(before).await;
    world.nodes[1].network.cut();
    world.nodes[2].network.cut();
    let mut last = before;
    for _ in 0..CHANGES {
        last = world.change().await;
        world.until_slice(0, last).await;
    }
    assert_eq!([1, 2].map(|node| world.nodes[node].slice()), [Some(before); 2]);
    world.nodes[1].network.heal();
    world.nodes[2].network.heal();
    world.until_agreed(last).await;
}

/// A node hears its manager and cannot answer: it does as it is told, and is told the same again until the manager
/// knows.
pub(crate) async fn replies_are_lost(world: &mut World) {
    world.nodes[1].network.lose_replies();
    // This one arrives by the connection that there is, and nobody is told that it did.
    let heard = world.change().await;
    world.until_slice(1, heard).await;
    let mut last = heard;
    for _ in 0..CHANGES {
        last = world.change().await;
        world.until_slice(0, last).await;
    }
    world.nodes[1].network.heal();
    world.until_agreed(last).await;
}

/// Everything takes several tries, some of them while the next change is on its way.
pub(crate) async fn a_third_of_all_packets_is_lost_and_the_rest_is_slow(world: &mut World) {
    world.nodes[0].network.make_bad();
    world.nodes[2].network.make_bad();
    let mut last = 0;
    for _ in 0..CHANGES {
        last = world.change().await;
        world.until_slice(1, last).await;
        // Looks whether the others went back.
        world.nodes[0].slice();
        world.nodes[2].slice();
    }
    world.until_agreed(last).await;
    world.nodes[0].network.heal();
    world.nodes[2].network.heal();
    last = world.change().await;
    world.until_agreed(last).await;
}

/// Nodes need no manager to go on, and one that comes back has nothing old to say.
pub(crate) async fn the_manager_stands_still(world: &mut World) {
    let last = world.change().await;
    // In the middle of the push, as likely as not.
    world.signal_manager(Signal::STOP);
    let held: Vec<_> = world.nodes.iter().map(super::world::Node::slice).collect();
    assert!(held.iter().all(Option::is_some), "{held:?}");
    world.signal_manager(Signal::CONT);
    world.until_agreed(last).await;
}

/// What it missed is not sent one by one: it is told what holds now.
pub(crate) async fn a_decision_maker_was_away(world: &mut World) {
    let dir = world.dir();
    world.nodes[2].stop();
    let mut last = 0;
    for _ in 0..CHANGES {
        last = world.change().await;
    }
    world.until_slice(0, last).await;
    world.nodes[2].start(&dir);
    world.until_agreed(last).await;
}
