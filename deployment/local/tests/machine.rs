//! Both daemons on this machine, for real: the demo as a person starts it, and the lines that `make run` prints, run by
//! a shell as they are.

use std::process::{Command, Output};

use gthulhu_local::error::LocalError;
use gthulhu_local::stack::{Ports, Stack, StoreKind};
use gthulhu_local::{hints, workloads};

#[expect(clippy::print_stdout, reason = "the line is counted by whoever runs the tests")]
fn skipped(test: &str, why: &str) {
    println!("SKIPPED {test}: {why}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_demo_sees_every_step() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).output().unwrap();
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    if output.status.code() == Some(77) {
        return skipped("the_demo_sees_every_step", complained.trim_end());
    }
    assert!(output.status.success(), "{said}{complained}");
    let table = said.split_once("\n\n").expect("a table comes last").1;
    assert_eq!(table.lines().count(), 2 + 8, "a head, a rule and eight steps:\n{table}");
    assert!(!table.contains("NOT SEEN"), "{table}");
}

#[tokio::test]
async fn the_lines_to_try_next_work_as_they_are() {
    lines_work("the_lines_to_try_next_work_as_they_are", StoreKind::Redb).await;
}

#[tokio::test]
async fn the_lines_to_try_next_work_on_a_database_server() {
    const TEST: &str = "the_lines_to_try_next_work_on_a_database_server";
    match gthulhu_local::mongo::program() {
        Ok(_) => lines_work(TEST, StoreKind::Mongodb).await,
        Err(why) => skipped(TEST, &why),
    }
}

async fn lines_work(test: &str, store: StoreKind) {
    let stack = match Stack::start_with(Ports::default(), None, store).await {
        Err(LocalError::Unsupported(why)) => return skipped(test, &why),
        stack => stack.expect("both daemons start"),
    };
    assert_eq!(stack.database().is_some(), store == StoreKind::Mongodb);
    let pod = stack.pod(workloads::upf()).expect("a pod starts");
    let lines = hints::lines(stack.manager(), stack.dm(), &stack.password_file(), &stack.dm_public_key());

    let output = shell(lines);
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}{complained}");
    assert!(!said.contains("\"success\":false"), "{said}");
    let answers: Vec<&str> = said.lines().collect();
    // Password, create, strategies, intents, rows, delete.
    assert_eq!(answers.len(), 6, "{said}");
    assert!(answers[2].contains("\"Priority\":3"), "{said}");
    assert!(answers[3].contains(pod.uid()), "{said}");
    assert!(answers[4].contains(&format!("\"pid\":{},", pod.leader())), "{said}");
}

/// Runs `lines`, each of which must succeed. Where a person would look again if the pod were not there yet, it does.
fn shell(lines: Vec<String>) -> Output {
    let mut script = vec!["set -e".to_owned()];
    for line in lines {
        if line.starts_with("curl -s $M/strategies ") {
            script.push(again(&line, "\"success\":true"));
        } else if line.starts_with("curl -s $D/scheduling/strategies") {
            script.push(again(&line, "\"pid\""));
        } else {
            script.push(line);
        }
    }
    Command::new("sh").arg("-c").arg(script.join("\n")).output().expect("a shell runs")
}

fn again(line: &str, until: &str) -> String {
    format!(
        "n=0; until A=$({line}); echo \"$A\" | grep -q '{until}'; do n=$((n+1)); [ $n -lt 500 ]; done; echo \"$A\""
    )
}
