//! A disk that fails or is full under the running program: the change is refused, what was held is held on, and the
//! next change works as soon as the disk does.

use std::fs;
use std::process::Command;

use gthulhu_http::client::{Client, ClientOptions, Request};
use tempfile::TempDir;

use crate::node::{Node, Place};
use crate::set::{Change, Held, ask, told};

const REFUSED: u16 = 500;

/// Asks for the change; what the node holds afterwards, which must follow from its answer.
async fn change(client: &Client, node: &Node, held: Held, change: Change) -> (u16, Held) {
    let status = ask(client, node, change).await.unwrap();
    let now = if status == 200 { held.after(change) } else { held };
    let told = told(client, node).await;
    assert!(now.is(&told), "{status} to {change:?}, then it should hold {now:?}: {told}");
    (status, now)
}

/// Makes the `n`th call of this name fail in each thread, as the system would.
fn failing(call: &str, n: u32) -> Vec<String> {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error=EIO:when={n}"));
    ["strace", "--seccomp-bpf", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]
        .map(str::to_owned)
        .to_vec()
}

fn cannot_trace() -> Option<String> {
    match Command::new("strace").args(["-o", "/dev/null", "true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

#[tokio::test]
async fn a_failing_call_refuses_the_change_and_nothing_else() {
    if let Some(reason) = cannot_trace() {
        println!(
            "SKIPPED a_failing_call_refuses_the_change_and_nothing_else: no call can be made to fail: {reason}"
        );
        return;
    }
    let client = Client::new(ClientOptions::default());
    let (mut refused, mut no_start) = (0, 0);
    for call in ["fsync", "rename"] {
        // Counted in each thread: the first calls are those of the start.
        for n in 1.. {
            let place = Place::new();
            let tracer = failing(call, n);
            let mut process = place.spawn(&tracer.iter().map(String::as_str).collect::<Vec<_>>());
            let node = match process.listening() {
                Ok(node) => node,
                Err((code, said)) => {
                    assert!(
                        code == Some(73) && said.len() == 1 && said[0].contains("state.dir"),
                        "{code:?}: {said:?}"
                    );
                    no_start += 1;
                    continue;
                }
            };
            let mut held = Held::default();
            let mut faults = 0;
            let changes =
                [Change::Push(1), Change::Remove, Change::Push(2), Change::Push(3), Change::Push(4)];
            let mut last = (200, held);
            for wanted in changes {
                let before = held;
                let (status, now) = change(&client, &node, held, wanted).await;
                held = now;
                last = (status, before.after(wanted));
                faults += u32::from(status == REFUSED);
            }
            process.kill();
            let (_process, node) = place.start();
            let told = told(&client, &node).await;
            // A change that was refused at the last step may have come into the file.
            assert!(
                held.is(&told) || (last.0 == REFUSED && last.1.is(&told)),
                "{call} {n}: {held:?}: {told}"
            );
            assert!(faults <= 1, "{call} {n}: one failing call refused {faults} changes");
            refused += faults;
            if faults == 0 {
                break;
            }
        }
    }
    println!(
        "failing calls: {no_start} ended the start with one line, {refused} refused one change each; after each the node \
         held what it had acknowledged, also when started again"
    );
    assert!(no_start >= 3 && refused >= 6, "{no_start} {refused}");
}

/// A small file system; unmounted when the test is done with it.
struct Small(TempDir);

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: on a failed test the decision maker may still be there.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn small() -> Result<Small, String> {
    let dir = TempDir::new().unwrap();
    let output = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs"])
        .arg(dir.path())
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(Small(dir)),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn a_full_disk_refuses_changes_until_there_is_room() {
    let small = match small() {
        Ok(small) => small,
        Err(reason) => {
            println!(
                "SKIPPED a_full_disk_refuses_changes_until_there_is_room: no file system can be mounted: {reason}"
            );
            return;
        }
    };
    let place = Place::with_state_in(Some(small.0.path()));
    let client = Client::new(ClientOptions::default());
    let (mut process, node) = place.start();
    let (status, held) = change(&client, &node, Held::default(), Change::Push(1)).await;
    assert_eq!(status, 200);

    let ballast = small.0.path().join("ballast");
    assert!(fs::write(&ballast, vec![1; 1 << 20]).is_err(), "it is full now");
    for wanted in [Change::Push(2), Change::Remove, Change::Push(3)] {
        assert_eq!(change(&client, &node, held, wanted).await, (REFUSED, held));
    }
    let ready = client.send(Request::get(format!("{}/readyz", node.url))).await.unwrap();
    assert_eq!(ready.status, 503);

    fs::remove_file(&ballast).unwrap();
    let (status, held) = change(&client, &node, held, Change::Push(2)).await;
    assert_eq!(status, 200, "with room it goes on, without a restart");
    process.kill();
    let (_process, node) = place.start();
    assert!(held.is(&told(&client, &node).await));
}
