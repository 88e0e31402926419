//! Goal `fork-to-known`: from a fork in a governed pod until its process is in the table, told by the kernel's process
//! connector, against the poll of one second that it takes without being told. The value is the 99th percentile, of the round in
//! the middle: one round in which the machine did something else says nothing of the engine.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::intent::Limits;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::process::connector::ProcConnector;
use gthulhu_lib::process::walk::WalkOptions;
use gthulhu_lib::wire::IntentBody;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;
use crate::compiled::compile;
use crate::harness::{Goal, Report};
use crate::node::Node;

const FORKS: usize = 1000;
const ROUNDS: usize = 5;
const POLL: Duration = Duration::from_secs(1);
/// A fork that is not known after this time never will be.
const PATIENCE: Duration = Duration::from_secs(10);
const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";

/// When each process was first found in the table, in nanoseconds of the monotonic clock.
type Known = Arc<(Mutex<HashMap<u32, u64>>, Condvar)>;

/// Measures and reports.
pub fn run(report: &mut Report<impl Write>) -> Outcome<()> {
    let node = Node::start(0)?;
    let container = node.container(POD)?;
    let options = WalkOptions { cgroup_root: node.cgroup_root(), ..WalkOptions::default() };
    let source = ProcConnector::new(options)?;
    let programs = tempfile::tempdir()?;
    let mut forker = Forker::start(&compile("forker", programs.path())?.display().to_string())?;
    std::fs::write(container, forker.child.id().to_string())?;
    let body = IntentBody { pod_id: POD.to_owned(), ..IntentBody::default() };
    let intents = IntentSet::check(vec![body], &Limits::default()).map_err(|error| format!("{error:?}"))?;
    let mut engine = Engine::new(Box::new(source), EngineOptions::default());
    engine.apply(intents)?;

    let (known, ended) = (Known::default(), Arc::new(AtomicBool::new(false)));
    let follower = thread::spawn({
        let (known, ended) = (Arc::clone(&known), Arc::clone(&ended));
        move || follow(engine, &known, &ended)
    });
    let mut delays = Vec::with_capacity(ROUNDS * FORKS);
    let outcome = (0..ROUNDS * FORKS).try_for_each(|_| -> Outcome<()> {
        let (pid, at) = forker.fork()?;
        let (known, news) = &*known;
        let known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = news.wait_timeout_while(known, PATIENCE, |known| !known.contains_key(&pid));
        let (known, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let found = known.get(&pid).ok_or_else(|| format!("process {pid} was not found"))?;
        delays.push(Duration::from_nanos(found.saturating_sub(at)));
        Ok(())
    });
    ended.store(true, Ordering::Relaxed);
    follower.join().map_err(|_| "the follower ended")?;
    drop(forker);
    outcome?;
    delays.chunks_mut(FORKS).for_each(<[_]>::sort_unstable);
    let middle = |at: usize| {
        let mut rounds: Vec<Duration> = delays.chunks(FORKS).map(|round| round[at]).collect();
        rounds.sort_unstable();
        rounds[ROUNDS / 2]
    };
    let [half, most, worst] = [FORKS / 2, FORKS * 99 / 100, FORKS - 1].map(middle);
    report.ratio("fork-to-known", most.as_secs_f64() / POLL.as_secs_f64(), Goal::AtMost(0.001))?;
    report.note(format_args!(
        "of {FORKS} forks, the middle of {ROUNDS} rounds: median {half:.0?}, 99 of 100 within {most:.0?}, worst {worst:.0?}"
    ))?;
    node.end()
}

fn follow(mut engine: Engine, known: &Known, ended: &AtomicBool) {
    let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    while !ended.load(Ordering::Relaxed) {
        let Some(fd) = engine.wake_fd() else { return };
        let told = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&wait));
        if !matches!(told, Ok(1)) {
            continue;
        }
        let followed = engine.follow();
        let at = now();
        if followed.is_ok_and(|followed| followed.processes_changed) {
            let (known, news) = &**known;
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            // A number that comes again belongs to another process.
            known.retain(|&pid, _| engine.rows().iter().any(|row| row.tid == pid));
            for row in engine.rows() {
                known.entry(row.tid).or_insert(at);
            }
            news.notify_all();
        }
    }
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// A process that forks when it is told.
struct Forker {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Forker {
    fn start(program: &str) -> Outcome<Self> {
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let answers = BufReader::new(child.stdout.take().ok_or("its output is a pipe")?);
        Ok(Self { child, answers })
    }

    /// The child's pid, and the time right before it was made.
    fn fork(&mut self) -> Outcome<(u32, u64)> {
        self.child.stdin.as_mut().ok_or("its input is a pipe")?.write_all(b"f")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let (pid, at) = line.trim().split_once(' ').ok_or("it did not fork")?;
        Ok((pid.parse()?, at.parse()?))
    }
}

impl Drop for Forker {
    fn drop(&mut self) {
        // Its child goes with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
