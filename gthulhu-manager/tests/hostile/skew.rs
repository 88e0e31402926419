//! The wall clock jumps while the manager runs: nothing spins, nothing stalls, deadlines keep their length.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use gthulhu_http::time::{rfc3339, unix_now};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinHandle;

use crate::rig::{Manager, in_time};

/// Where distributions put the library that makes a process see another clock.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;
/// The part of one processor that a manager may use while nothing is asked of it.
const MOST_OF_A_PROCESSOR: f64 = 0.25;
/// The manager's patience with connections that say nothing.
const FIRST_BYTE: Duration = Duration::from_secs(10);

/// The manager's clock, to be set by us.
struct Clock {
    dir: TempDir,
}

impl Clock {
    fn file(&self) -> PathBuf {
        self.dir.path().join("offset")
    }

    /// So many seconds from the true time.
    fn set(&self, offset: i64) {
        // Replaced as a whole: it is read at every look at the clock.
        let new = self.dir.path().join("new");
        fs::write(&new, format!("{offset:+}\n")).unwrap();
        fs::rename(new, self.file()).unwrap();
    }
}

/// A manager with a clock of its own; none where there is no library for that.
async fn manager_with_clock() -> Option<(Manager, Clock)> {
    let library = LIBRARIES.into_iter().find(|path| Path::new(path).exists())?;
    let clock = Clock { dir: TempDir::new().unwrap() };
    clock.set(0);
    let file = clock.file();
    let manager = Manager::start_beside(|program| {
        let mut command = Command::new(program);
        command
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", file)
            .env("FAKETIME_NO_CACHE", "1")
            // The kernel's monotonic clock does not jump, whatever is done to the wall clock.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    })
    .await;
    Some((manager, clock))
}

/// Whether the manager's answers show a clock that is so many seconds from ours.
async fn shows(manager: &Manager, offset: i64) -> bool {
    let asked = unix_now() + offset;
    let health: serde_json::Value = manager.client().get("/health").await.json();
    let answered = unix_now() + offset;
    (asked - 1..=answered + 1).any(|second| health["timestamp"] == rfc3339(second).as_str())
}

/// Connects and says nothing; how long that lasts.
async fn silence(manager: &Manager) -> JoinHandle<Duration> {
    // The manager's time begins when it takes the connection, which is not before this.
    let begun = Instant::now();
    let mut stream = manager.connect("").await;
    tokio::spawn(async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
        begun.elapsed()
    })
}

#[tokio::test]
async fn the_wall_clock_may_jump() {
    let Some((mut manager, clock)) = manager_with_clock().await else {
        println!("SKIPPED the_wall_clock_may_jump: no libfaketime on this machine");
        return;
    };
    manager.ignore_log();
    let admin = manager.admin().await;
    let mut silent = Vec::new();
    for (name, offset, token_lives) in [
        ("an hour on", HOUR, true),
        ("back", 0, true),
        ("an hour back", -HOUR, false),
        ("back again", 0, true),
        ("ten years on", 10 * YEAR, false),
    ] {
        // Its deadline is set before this jump and has to outlive all that follow.
        silent.push(silence(&manager).await);
        clock.set(offset);
        assert!(shows(&manager, offset).await, "the manager sees the clock: {name}");
        let status = in_time(name, admin.get("/api/v1/users/self")).await.status;
        assert_eq!(status, if token_lives { 200 } else { 401 }, "{name}");
        // A token of before may be of no use; a new login is, at once.
        let fresh = in_time(name, manager.admin()).await;
        let strategy = json!({"labelSelectors": [{"key": "app", "value": "web"}], "strategyNamespace": name});
        let made = in_time(name, fresh.post("/api/v1/strategies?allowEmpty=true", &strategy)).await;
        assert_eq!(made.status, 200, "{name}: {}", made.text());
    }
    // From here on nothing is asked of it but to wait.
    let (begun, used) = (Instant::now(), manager.processor());
    silent.push(silence(&manager).await);
    for silent in silent {
        let took = in_time("a silent connection", silent).await.unwrap();
        println!("a silent connection was closed after {took:?}");
        // Ten seconds by the clock that cannot jump; at once, or never, by the one that did.
        assert!(took >= FIRST_BYTE.mul_f64(0.9), "{took:?}");
    }
    let part = (manager.processor() - used) / begun.elapsed().as_secs_f64();
    println!("{:.1} % of a processor while it only waited", part * 100.0);
    assert!(part <= MOST_OF_A_PROCESSOR, "{part}");
}
