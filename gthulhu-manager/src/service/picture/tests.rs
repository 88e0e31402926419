//! Pictures that follow one another.

use std::sync::Barrier;
use std::thread;

use gthulhu_lib::derive::Pod;
use gthulhu_lib::id::intent_id;
use gthulhu_lib::selector::Selector;

use super::*;
use crate::service::state::Stored;
use crate::service::testbed::{Bed, app};

#[test]
fn a_node_is_given_its_full_set_whatever_changed() {
    let bed = Bed::new();
    let of = |id: Id| ["uid-web-1", "uid-web-2"].map(|pod| (id.to_string(), pod.to_owned()));
    let mut wanted = Vec::new();
    // Strategies follow one another by their ids, and on a node intents follow strategies.
    for _ in 0..3 {
        wanted.extend(of(bed.create(app("web")).unwrap()));
        let bodies = bed.service.wanted().unwrap().bodies().remove("n1").unwrap_or_default();
        let held: Vec<_> = bodies.into_iter().map(|body| (body.strategy_id.unwrap(), body.pod_id)).collect();
        assert_eq!(held, wanted);
    }
}

#[test]
fn all_who_ask_after_a_change_share_one_picture() {
    const ASKING: usize = 8;
    let bed = Bed::new();
    for _ in 0..20 {
        bed.create(app("web")).unwrap();
        let together = Barrier::new(ASKING);
        let ask = || {
            together.wait();
            bed.service.picture()
        };
        let pictures: Vec<_> = thread::scope(|scope| {
            let asking: Vec<_> = (0..ASKING).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        assert!(pictures.iter().all(|picture| Arc::ptr_eq(picture, &pictures[0])));
    }
}

/// A generator that is good enough to mix changes (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// One of a few ids.
fn id(number: usize) -> Id {
    format!("{number:024x}").parse().unwrap()
}

/// Strategies, exclusions and pods that change at random.
struct Changing {
    numbers: Numbers,
    state: State,
    creator: Id,
    pods: Vec<Arc<Pod>>,
    view: Arc<ClusterView>,
}

impl Changing {
    fn change(&mut self) {
        match self.numbers.below(9) {
            0 | 1 => {
                let strategy = self.strategy();
                let stored = Arc::new(Stored { version: 1, value: strategy.clone() });
                Arc::make_mut(&mut self.state.strategies).insert(strategy.id, stored);
            }
            2 => drop(Arc::make_mut(&mut self.state.strategies).remove(&id(self.numbers.below(4)))),
            3 => self.toggle_exclusion(),
            4 => drop(self.drop_pod()),
            _ => self.put_pod(),
        }
    }

    fn strategy(&mut self) -> Strategy {
        let (creator, app) = (self.creator, ["web", "db", "none", ""][self.numbers.below(4)]);
        Strategy {
            id: id(self.numbers.below(4)),
            creator,
            updater: creator,
            created_ms: 0,
            updated_ms: 0,
            strategy_namespace: "default".into(),
            label_selectors: vec![Selector::new("app", app)],
            k8s_namespace: vec![],
            command_regex: String::new(),
            priority: i64::try_from(self.numbers.below(3)).unwrap(),
            execution_time: 0,
        }
    }

    fn toggle_exclusion(&mut self) {
        let (strategy, pod_uid) = (id(self.numbers.below(4)), format!("uid-{}", self.numbers.below(12)));
        let id = intent_id(strategy, &pod_uid);
        let exclusions = Arc::make_mut(&mut self.state.exclusions);
        if exclusions.remove(&id).is_none() {
            let value = Exclusion { id, strategy, pod_uid, creator: self.creator, at_ms: 0 };
            exclusions.insert(id, Arc::new(Stored { version: 1, value }));
        }
    }

    fn drop_pod(&mut self) -> Option<Arc<Pod>> {
        let place = self.numbers.below(12);
        (place < self.pods.len()).then(|| self.pods.swap_remove(place))
    }

    fn put_pod(&mut self) {
        let uid = format!("uid-{}", self.numbers.below(12));
        self.pods.retain(|pod| pod.uid != uid);
        let app = ["web", "db"][self.numbers.below(2)];
        self.pods.push(Arc::new(Pod {
            name: uid.clone(),
            uid,
            namespace: "default".into(),
            node: [None, Some("n1"), Some("n2"), Some("n3")][self.numbers.below(4)].map(str::to_owned),
            labels: [("app".to_owned(), app.to_owned())].into(),
            terminal: self.numbers.below(8) == 0,
        }));
    }
}

#[test]
fn a_picture_that_follows_another_is_the_one_made_from_nothing() {
    let bed = Bed::new();
    let state = (*bed.service.world.state()).clone();
    let creator = *state.users.keys().next().unwrap();
    let view = Arc::new(ClusterView { complete: true, ..ClusterView::default() });
    let mut world = Changing { numbers: Numbers(7), state, creator, pods: vec![], view };
    let pictures = Pictures::default();
    let (mut full, mut kept) = (0, 0);
    let mut before = pictures.of(&world.state, Arc::clone(&world.view));
    for _ in 0..3_000 {
        for _ in 0..=world.numbers.below(3) {
            world.change();
        }
        let pods = world.pods.iter().cloned().collect::<Pods>().sharing(&world.view.pods);
        world.view = Arc::new(ClusterView { pods, complete: true, ..ClusterView::default() });

        let picture = pictures.of(&world.state, Arc::clone(&world.view));
        let anew = Picture::of_pods(&world.state, world.view.pods.clone());
        assert_eq!(picture.nodes, anew.nodes);
        assert_eq!(picture.intents(), anew.intents());
        for (node, intents) in &*before.nodes {
            let same = picture.nodes.get(node).filter(|now| *now == intents);
            kept += same.map_or(0, |now| usize::from(Arc::ptr_eq(now, intents)));
            full += usize::from(same.is_some());
        }
        before = picture;
    }
    assert!(kept > 1_000 && kept * 10 > full * 9, "{kept} of {full} nodes that did not change were kept");
}
