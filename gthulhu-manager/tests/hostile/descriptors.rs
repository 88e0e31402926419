//! Too few descriptors for all who come: no spinning, nobody locked out for ever, all well afterwards.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, prlimit};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::rig::{Manager, in_time, until};

const CALLERS: usize = 200;
/// The part of one processor that starving may cost. A loop that does not wait takes all of it; what is less grows with how
/// fast callers come again, and so with the machine.
const MOST_OF_A_PROCESSOR: f64 = 0.5;
const WINDOW: Duration = Duration::from_secs(3);
/// How often the machine may be disturbed by something else: a loop that does not wait shows in every window.
const WINDOWS: usize = 3;

/// Holds connections without a word, and comes again whenever one is closed.
async fn hoard(manager: &Manager, came_again: &Arc<AtomicUsize>) -> tokio::task::JoinSet<()> {
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (address, came_again) = (manager.address(), Arc::clone(came_again));
        callers.spawn(async move {
            while let Ok(mut stream) = TcpStream::connect(address).await {
                let _ = stream.read_u8().await;
                came_again.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::task::yield_now().await;
    callers
}

/// Starves the manager for a while and looks at what that costs it; then it must be as before.
async fn starve(manager: &mut Manager, what: &str) {
    let came_again = Arc::default();
    let mut callers = hoard(manager, &came_again).await;
    in_time("an answer while starved", manager.client().get("/health")).await;
    let mut parts = Vec::new();
    came_again.store(0, Ordering::Relaxed);
    while parts.len() < WINDOWS && parts.iter().all(|part| *part > MOST_OF_A_PROCESSOR) {
        let (begun, used) = (Instant::now(), manager.processor());
        tokio::time::sleep(WINDOW).await;
        parts.push((manager.processor() - used) / begun.elapsed().as_secs_f64());
    }
    let answered = Instant::now();
    assert_eq!(in_time("an answer while starved", manager.client().get("/health")).await.status, 200);
    println!(
        "{what}: {parts:.3?} of a processor, {} connections closed and made again, an honest answer took {:?}",
        came_again.load(Ordering::Relaxed),
        answered.elapsed()
    );
    assert!(parts.iter().any(|part| *part <= MOST_OF_A_PROCESSOR), "{what}: {parts:?}");
    callers.shutdown().await;
    until("the callers are gone", || manager.connections() == 0).await;
    for _ in 0..10 {
        assert_eq!(in_time("an answer afterwards", manager.client().get("/health")).await.status, 200);
    }
}

#[tokio::test]
async fn a_manager_that_may_open_few_files_takes_fewer_connections() {
    let mut manager = Manager::start_as(|program| {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\"", program]);
        command
    })
    .await;
    manager.ignore_log();
    starve(&mut manager, "64 descriptors from the start").await;
}

#[tokio::test]
async fn a_manager_whose_descriptors_run_out_waits_and_recovers() {
    let mut manager = Manager::start().await;
    manager.ignore_log();
    let few = Rlimit { current: Some(64), maximum: Some(64) };
    prlimit(Some(manager.pid()), Resource::Nofile, few).unwrap();
    starve(&mut manager, "64 descriptors all of a sudden").await;
}
