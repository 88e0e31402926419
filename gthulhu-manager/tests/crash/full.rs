//! A real file system of eight MiB that fills up: writes are refused, nothing acknowledged is lost, and with room again
//! everything goes on. Mounting takes root; without it the test says that it was skipped.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::manager::{Manager, Place};
use crate::store::Trail;
use crate::wire::Wire;
use crate::writers::create;

const SIZE: &str = "size=8m";
/// Occupies half of the file system, until somebody makes room.
const BALLAST: usize = 4 << 20;
/// A strategy of so many bytes: hundreds fill what is left.
const TEXT: usize = 10_000;

/// A small file system; unmounted when the test is done with it.
struct Small(TempDir);

impl Small {
    fn mount() -> Result<Self, String> {
        let dir = TempDir::new().unwrap();
        let output =
            Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(dir.path()).output();
        match output {
            Ok(output) if output.status.success() => Ok(Self(dir)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: on a failed test the manager may still be there.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_refuses_writes_and_loses_nothing() {
    let small = match Small::mount() {
        Ok(small) => small,
        Err(reason) => {
            println!(
                "SKIPPED a_full_disk_refuses_writes_and_loses_nothing: no file system can be mounted: {reason}"
            );
            return;
        }
    };
    let ballast = small.path().join("ballast");
    fs::write(&ballast, vec![1; BALLAST]).unwrap();
    let place = Place::with_store_in(Some(small.path()));

    let manager = place.start();
    let token = manager.login();
    let (mut acknowledged, refused) = fill(&manager, &token);
    assert!(
        acknowledged.len() > 50 && refused == Some(503),
        "{} acknowledged, then {refused:?}",
        acknowledged.len()
    );
    let (status, said) = manager.ended();
    assert_eq!(status.code(), Some(74), "{said:?}");
    assert!(said.len() == 1 && said[0].contains("accepts nothing more"), "{said:?}");
    assert_eq!(kept(&place), acknowledged);

    // Started while there is still no room, it answers what it knows, or says in one line why it cannot.
    let full = while_full(&place, &token, &mut acknowledged);
    assert_eq!(kept(&place), acknowledged);

    fs::remove_file(&ballast).unwrap();
    let manager = place.start();
    let mut wire = Wire::connect(manager.address(), &token).unwrap();
    assert_eq!(listed(&mut wire), acknowledged);
    acknowledged.insert(create(&mut wire, "there is room again").unwrap().unwrap());
    assert_eq!(listed(&mut wire), acknowledged);
    drop(manager);
    assert_eq!(kept(&place), acknowledged);
    println!(
        "full disk: {} operations acknowledged, 0 lost; the first write without room was refused with 503 and the manager \
         ended with 74; started again without room, {full}; with room it went on",
        acknowledged.len()
    );
}

/// Creates strategies until one is refused: the ids of those before, and the status of the refusal; no status when the
/// manager ended before it answered.
fn fill(manager: &Manager, token: &str) -> (BTreeSet<String>, Option<u16>) {
    let mut acknowledged = BTreeSet::new();
    let Ok(mut wire) = Wire::connect(manager.address(), token) else { return (acknowledged, None) };
    loop {
        let text = format!("{:05}", acknowledged.len()).repeat(TEXT / 5);
        match create(&mut wire, &text) {
            Ok(Ok(id)) => assert!(acknowledged.insert(id)),
            Ok(Err(status)) => return (acknowledged, Some(status)),
            Err(_) => return (acknowledged, None),
        }
    }
}

/// Starts it without room. Its own first write, or ours, ends it with one line.
fn while_full(place: &Place, token: &str, acknowledged: &mut BTreeSet<String>) -> &'static str {
    let (how, code, said) = match place.spawn().outcome() {
        Err((code, said)) => ("it ended before it listened", code, said),
        Ok(manager) => {
            // What the crash freed may be room for a few more.
            let (more, _) = fill(&manager, token);
            acknowledged.extend(more);
            let (status, said) = manager.ended();
            ("it listened until the next write", status.code(), said)
        }
    };
    assert_eq!((code, said.len()), (Some(74), 1), "{said:?}");
    how
}

fn listed(wire: &mut Wire) -> BTreeSet<String> {
    let answer = wire.call("GET", "/api/v1/strategies/self", "list", &Value::Null).unwrap();
    let listed = answer.data()["strategies"].take();
    listed.as_array().unwrap().iter().map(|row| row["ID"].as_str().unwrap().to_owned()).collect()
}

/// The strategies in the file; the trail must agree with them.
fn kept(place: &Place) -> BTreeSet<String> {
    let found = Trail::start().look(place.store());
    assert_eq!(found.torn, [""; 0]);
    found.strategies.into_keys().collect()
}
