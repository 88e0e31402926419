//! The real system calls fail under the real program, one after the other: nothing is acknowledged from then on, the
//! process ends with 74, and when it is started again everything acknowledged is there.
//!
//! `GTHULHU_FAULTS=1` tries every call; without it, each third write. Without strace the test says that it was skipped.

use std::collections::BTreeSet;
use std::process::Command;

use crate::manager::Place;
use crate::store::Trail;
use crate::wire::Wire;
use crate::writers::create;

/// Creations in each run: enough for each thread that commits to make more calls than the start does.
const CHANGES: usize = 16;

/// What became of one run.
enum End {
    /// It said in one line why it could not start.
    BeforeListening,
    /// A creation was refused, and it ended.
    Refused,
    /// No call failed.
    Untouched,
}

/// Makes the `n`th and every later call of this name fail in each thread, as the system would.
fn failing(call: &str, n: usize) -> Vec<String> {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error=EIO:when={n}+"));
    let words =
        ["strace", "--seccomp-bpf", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    words.map(str::to_owned).to_vec()
}

fn cannot_trace() -> Option<String> {
    match Command::new("strace").args(["-o", "/dev/null", "true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn a_system_call_that_fails_is_never_followed_by_success() {
    if let Some(reason) = cannot_trace() {
        println!(
            "SKIPPED a_system_call_that_fails_is_never_followed_by_success: no call can be made to fail: {reason}"
        );
        return;
    }
    let place = Place::new();
    let token = place.start().login();
    let mut acknowledged = BTreeSet::new();
    let step = if std::env::var_os("GTHULHU_FAULTS").is_some() { 1 } else { 3 };
    for (call, step) in [("fdatasync", 1), ("pwrite64", step), ("ftruncate", 1)] {
        let (mut before, mut refused) = (0, 0);
        for n in (1..).step_by(step) {
            match run(&place, &token, &failing(call, n), &mut acknowledged) {
                End::BeforeListening => before += 1,
                End::Refused => refused += 1,
                End::Untouched => break,
            }
        }
        println!(
            "{call}: {before} failures ended the start, {refused} a change; {} changes acknowledged, 0 lost",
            acknowledged.len()
        );
        assert!((before > 0 && refused > 0) || call == "ftruncate", "{before}, {refused}");
    }
}

/// One life with failing calls, and the look at the file after it.
fn run(place: &Place, token: &str, tracer: &[String], acknowledged: &mut BTreeSet<String>) -> End {
    let end = match place.spawn_behind(tracer).outcome() {
        Err((code, said)) => {
            assert_eq!((code, said.len()), (Some(74), 1), "{said:?}");
            End::BeforeListening
        }
        Ok(manager) => {
            let mut refused = false;
            let mut wire = Wire::connect(manager.address(), token);
            for _ in 0..CHANGES {
                // A refusal may be the end of the connection: the process is on its way out.
                match wire.as_mut().map(|wire| create(wire, "a change")) {
                    Ok(Ok(Ok(id))) => {
                        assert!(!refused, "acknowledged after a failure");
                        acknowledged.insert(id);
                    }
                    Ok(Ok(Err(status))) => {
                        assert_eq!(status, 503);
                        refused = true;
                    }
                    Ok(Err(_)) | Err(_) => refused = true,
                }
            }
            drop(wire);
            if refused {
                let (status, said) = manager.ended();
                assert_eq!((status.code(), said.len()), (Some(74), 1), "{said:?}");
                End::Refused
            } else {
                manager.kill();
                End::Untouched
            }
        }
    };
    let found = Trail::start().look(place.store());
    assert_eq!(found.torn, [""; 0]);
    let kept: BTreeSet<String> = found.strategies.into_keys().collect();
    let lost: Vec<_> = acknowledged.difference(&kept).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    end
}
