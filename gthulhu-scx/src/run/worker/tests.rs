//! The loop over a machine that attaches, ends and refuses as the test says, with a clock that the test moves.

use std::collections::VecDeque;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::process::cgroup::{OwnDepth, Roots};
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
use gthulhu_lib::wire::IntentBody;
use rustix::event::{EventfdFlags, eventfd};

use super::*;
use crate::cgroups::{Mount, Tree};
use crate::control::{Answer, Question};
use crate::inbox::{Address, inbox};
use crate::machine::Fill;
use crate::maps::fake::FakeMaps;
use crate::maps::{Event, KernelMaps};
use crate::run::Origin;

/// What the machine does, shared with the test.
#[derive(Default)]
struct Script {
    /// Answers to the next attempts; then they succeed.
    refusals: VecDeque<AttachErrorKind>,
    ended: Option<Ended>,
    attempts: usize,
    /// Rules that were in the maps when they were attached.
    rules_at_attach: Vec<usize>,
    no_limits: bool,
    detached: usize,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Script>>);

impl Fake {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct FakeAttached {
    fake: Fake,
    maps: FakeMaps,
    bell: OwnedFd,
}

impl Machine for Fake {
    type Attached = FakeAttached;

    fn attach(&mut self, fill: &mut Fill<'_>) -> Result<FakeAttached, AttachError> {
        self.script().attempts += 1;
        if let Some(kind) = self.script().refusals.pop_front() {
            return Err(AttachError { kind, text: format!("{kind:?}") });
        }
        let mut maps = FakeMaps::default();
        fill(&mut maps).unwrap();
        self.script().rules_at_attach.push(maps.published.cgroups.len());
        let bell = eventfd(0, EventfdFlags::empty()).unwrap();
        Ok(FakeAttached { fake: self.clone(), maps, bell })
    }

    fn enforces_limits(&self) -> bool {
        !self.script().no_limits
    }
}

impl Attachment for FakeAttached {
    fn maps(&mut self) -> &mut dyn KernelMaps {
        &mut self.maps
    }

    fn events_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    fn events(&mut self) -> Vec<Event> {
        Vec::new()
    }

    fn ended(&mut self) -> Option<Departure> {
        self.fake.script().ended.take().map(|why| Departure { why, text: format!("{why:?}") })
    }
}

impl Drop for FakeAttached {
    fn drop(&mut self) {
        self.fake.script().detached += 1;
    }
}

struct Rig {
    worker: Worker<Fake>,
    fake: Fake,
    address: Address,
    clock: Arc<Mutex<Instant>>,
    dir: tempfile::TempDir,
}

const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";

impl Rig {
    fn new(honour: HonourLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("proc/1")).unwrap();
        fs::create_dir_all(at(&format!("cgroup/kubepods/pod{POD}"))).unwrap();
        let walk = WalkOptions { proc_root: at("proc"), cgroup_root: None };
        let engine = Engine::new(Box::new(ProcWalk::new(walk).unwrap()), EngineOptions { pid_max: 32_768 });
        let roots = Roots::new(None, OwnDepth::default()).unwrap();
        let tree = Tree::new(Mount { path: at("cgroup"), hybrid: false }, roots);
        let clock = Arc::new(Mutex::new(Instant::now()));
        let told = Arc::clone(&clock);
        let now: Clock = Arc::new(move || *told.lock().unwrap_or_else(PoisonError::into_inner));
        let standing = Standing::new(&Origin::File(PathBuf::from("f")), &tree);
        let governor = Governor::new(engine, tree, at("proc"), Duration::from_secs(1), Arc::clone(&now));
        let (address, inbox) = inbox().unwrap();
        let fake = Fake::default();
        let worker =
            Worker::new(fake.clone(), governor, inbox, standing, honour, Limits::default(), Arc::clone(&now));
        Self { worker, fake, address, clock, dir }
    }

    fn begun() -> Self {
        let mut rig = Self::new(HonourLimits::Warn);
        rig.worker.begin().unwrap();
        rig
    }

    /// Lets time pass and does what is due then.
    fn after(&mut self, seconds: u64) -> State {
        *self.clock.lock().unwrap() += Duration::from_secs(seconds);
        assert!(self.worker.step().is_continue());
        self.worker.standing.state
    }

    fn ends(&mut self, why: Ended) -> State {
        self.fake.script().ended = Some(why);
        self.after(0)
    }

    fn ask(&mut self, question: Question) -> serde_json::Value {
        let (sender, receiver) = channel();
        assert!(self.address.send(Letter::Ask(question, sender)));
        assert!(self.worker.step().is_continue());
        match receiver.recv().unwrap() {
            Answer::Ok(value) => value,
            Answer::Error(text) => panic!("{text}"),
        }
    }

    fn limit(&self, text: &str) {
        fs::write(self.dir.path().join(format!("cgroup/kubepods/pod{POD}/cpu.max")), text).unwrap();
    }
}

fn wanted() -> Wanted {
    let body = IntentBody { pod_id: POD.to_owned(), priority: 3, ..IntentBody::default() };
    Wanted::of_node(vec![body], &[], &Limits::default()).unwrap()
}

#[test]
fn maps_are_filled_before_every_attachment() {
    let mut rig = Rig::new(HonourLimits::Warn);
    rig.worker.governor.want(wanted());
    rig.worker.begin().unwrap();
    assert_eq!(rig.ends(Ended::Hotplug), State::Attached, "at once");
    assert_eq!(rig.fake.script().rules_at_attach, [1, 1]);
    assert_eq!(rig.ask(Question::Status)["attachments"], 2);
    assert_eq!(rig.ask(Question::Status)["lastExit"], "Hotplug");
}

#[test]
fn what_keeps_it_out_at_the_start_is_the_end_and_later_it_is_not() {
    for (kind, code) in [
        (AttachErrorKind::Unsupported, Some(78)),
        (AttachErrorKind::Rejected, Some(70)),
        (AttachErrorKind::NoPermission, Some(77)),
        (AttachErrorKind::Busy, Some(75)),
        (AttachErrorKind::Failed, None),
    ] {
        let mut rig = Rig::new(HonourLimits::Warn);
        rig.fake.script().refusals.push_back(kind);
        assert_eq!(rig.worker.begin().err().map(|exit| exit.code), code, "{kind:?}");
    }
    let mut rig = Rig::begun();
    rig.fake.script().refusals.push_back(AttachErrorKind::Busy);
    assert_eq!(rig.ends(Ended::Failure), State::Waiting);
    assert_eq!(rig.after(1), State::Waiting, "another scheduler was quicker");
    assert_eq!(rig.after(2), State::Attached);
}

#[test]
fn the_third_failure_leaves_the_kernels_own_scheduler_and_everything_else_goes_on() {
    let mut rig = Rig::begun();
    assert_eq!(rig.ends(Ended::Failure), State::Waiting);
    assert_eq!(rig.after(1), State::Attached);
    assert_eq!(rig.ends(Ended::Failure), State::Waiting);
    assert_eq!(rig.after(60), State::Attached);
    assert_eq!(rig.ends(Ended::Failure), State::Degraded);
    assert_eq!(rig.after(100_000), State::Degraded);
    assert_eq!(rig.fake.script().attempts, 3);
    assert_eq!(rig.fake.script().detached, 3);
    assert!(rig.address.send(Letter::File(Box::new(wanted()))));
    let status = rig.ask(Question::Status);
    assert_eq!((&status["state"], &status["intents"]["entries"]), (&"degraded".into(), &1.into()));
    assert_eq!(rig.ask(Question::Stats)["state"], "failed");
}

#[test]
fn a_removal_on_purpose_is_respected_for_ten_minutes() {
    let mut rig = Rig::begun();
    assert_eq!(rig.ends(Ended::OnPurpose), State::Removed);
    assert_eq!(rig.ask(Question::Status)["nextAttemptSeconds"], 600);
    assert_eq!(rig.ask(Question::Stats)["state"], "absent");
    assert_eq!(rig.after(599), State::Removed);
    assert_eq!(rig.after(1), State::Attached);
}

#[test]
fn limits_that_cannot_be_enforced_are_told_or_kept_by_staying_away() {
    let mut rig = Rig::new(HonourLimits::Warn);
    rig.fake.script().no_limits = true;
    rig.limit("50000 100000\n");
    rig.worker.begin().unwrap();
    assert_eq!(rig.after(0), State::Attached);
    assert_eq!(rig.ask(Question::Status)["limits"], serde_json::json!({"enforced": false, "cgroups": 1}));
    assert_eq!(rig.ask(Question::Stats)["more"]["limits_unenforced"], 1);

    let mut rig = Rig::new(HonourLimits::Require);
    rig.fake.script().no_limits = true;
    rig.limit("max 100000\n");
    rig.worker.begin().unwrap();
    assert_eq!(rig.after(0), State::Attached);
    rig.limit("50000 100000\n");
    assert_eq!(rig.after(15), State::Held);
    assert_eq!(rig.fake.script().detached, 1);
    rig.limit("max 100000\n");
    assert_eq!(rig.after(60), State::Attached);
}

#[test]
fn a_bad_file_is_told_and_changes_nothing() {
    let mut rig = Rig::begun();
    assert!(rig.address.send(Letter::File(Box::new(wanted()))));
    assert!(rig.address.send(Letter::FileRefused("f:3: intents[0].priority must be 0 to 20".to_owned())));
    let intents = rig.ask(Question::Status)["intents"].clone();
    assert_eq!(
        (&intents["entries"], &intents["error"]),
        (&1.into(), &"f:3: intents[0].priority must be 0 to 20".into())
    );
    assert!(rig.address.send(Letter::File(Box::new(wanted()))));
    assert_eq!(rig.ask(Question::Status)["intents"]["error"], serde_json::Value::Null);
}

#[test]
fn the_decision_makers_set_is_taken_or_refused_as_a_whole() {
    let mut rig = Rig::begun();
    let body = IntentBody { pod_id: POD.to_owned(), priority: 3, ..IntentBody::default() };
    let bad = IntentBody { priority: 99, ..body.clone() };
    let set =
        |generation, set| Letter::Feed(FeedInput::Intents { epoch: 2, generation, set, muted: Vec::new() });
    assert!(rig.address.send(Letter::Feed(FeedInput::Up { version: "1".to_owned() })));
    assert!(rig.address.send(set(7, vec![body.clone()])));
    rig.after(1);
    let status = rig.ask(Question::Status);
    assert_eq!((&status["intents"]["generation"], &status["rules"]), (&7.into(), &1.into()));
    assert!(rig.address.send(set(8, vec![body, bad])));
    assert!(rig.address.send(Letter::Feed(FeedInput::Down { reason: "gone".to_owned() })));
    rig.after(1);
    let status = rig.ask(Question::Status);
    assert_eq!((&status["intents"]["generation"], &status["rules"]), (&7.into(), &1.into()));
    assert_eq!(status["intents"]["connected"], false);
    assert!(status["intents"]["error"].as_str().unwrap().contains("intents[1].priority"));
}

#[test]
fn a_letter_to_stop_detaches() {
    let mut rig = Rig::begun();
    let before = rig.worker.standing.last_run_ns;
    assert!(rig.worker.step().is_continue());
    assert!(rig.worker.standing.last_run_ns > before, "the stamp advances with every round");
    assert!(rig.address.send(Letter::Stop));
    assert!(rig.worker.step().is_break());
    assert_eq!(rig.fake.script().detached, 1);
    assert!(rig.worker.attached.is_none());
}
