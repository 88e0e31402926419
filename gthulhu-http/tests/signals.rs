//! Signals, sent to a real process: this test runs itself a second time as the daemon.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use gthulhu_http::shutdown;
use rustix::process::{Pid, Signal, kill_process};

const AS_DAEMON: &str = "GTHULHU_TEST_AS_DAEMON";

#[test]
fn the_first_signal_asks_and_the_second_ends() {
    if std::env::var_os(AS_DAEMON).is_some() {
        return daemon();
    }
    for (first, second, code) in [(Signal::TERM, Signal::INT, 130), (Signal::INT, Signal::TERM, 143)] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_first_signal_asks_and_the_second_ends", "--nocapture"])
            .env(AS_DAEMON, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        wait_for(&mut lines, "serving");
        send(&child, first);
        wait_for(&mut lines, "stopping");
        send(&child, second);
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}

/// Installs the handlers, stops when asked, and then takes for ever.
#[cfg(test)]
fn daemon() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let shutdown = shutdown::on_signals().unwrap();
        println!("serving");
        shutdown.requested().await;
        println!("stopping");
        std::future::pending::<()>().await;
    });
}

#[cfg(test)]
fn wait_for(lines: &mut Lines<BufReader<ChildStdout>>, word: &str) {
    assert!(lines.any(|line| line.unwrap() == word), "the daemon never said {word}");
}

#[cfg(test)]
fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}
