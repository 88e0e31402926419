//! A process that does what it is told, one line of input after the other: what the tests of a scheduler need done.
//!
//! | line | what happens | answer |
//! |---|---|---|
//! | `thread` | a new thread, which wakes up every millisecond | its tid |
//! | `child` | a new process, which wakes up every millisecond | its pid |
//! | `rename NAME` | the calling thread, the leader, gets this name | `ok` |
//! | `exec PATH` | becomes the program PATH, as a puppet again | `ok` from the new one |
//! | `move CGROUP` | enters this cgroup | `ok` |
//! | `pulse MS` | the leader wakes up every millisecond, for MS milliseconds | `ok` |
//! | `spin MS` | the leader computes for MS milliseconds | `ok` |
//!
//! Write the next line after the answer: `exec` forgets what it has read ahead. At the end of its input it exits, and its
//! children with it. A line that it cannot obey gets `error: REASON`.

use std::ffi::CString;
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::thread::{gettid, set_name};

use crate::{clock, place};

const MILLISECOND: u64 = 1_000_000;

/// Obeys until the input ends.
pub fn obey(input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut children = Children(Vec::new());
    for line in input.lines() {
        let line = line?;
        let (verb, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
        match act(verb, rest, &mut children) {
            Ok(answer) => writeln!(output, "{answer}")?,
            Err(error) => writeln!(output, "error: {error}")?,
        }
        output.flush()?;
    }
    Ok(())
}

/// Wakes up every millisecond, until the input ends if there is one that can.
pub fn pulse_until_end(input: impl io::Read + Send + 'static) {
    thread::spawn(pulse_for_ever);
    let _ = io::copy(&mut io::BufReader::new(input), &mut io::sink());
}

/// The children end with the puppet: their input does.
struct Children(Vec<Child>);

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

fn act(verb: &str, rest: &str, children: &mut Children) -> io::Result<String> {
    let ok = || Ok("ok".to_owned());
    match verb {
        "thread" => new_thread(),
        "child" => {
            let child = Command::new("/proc/self/exe")
                .arg("pulse")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()?;
            let pid = child.id();
            children.0.push(child);
            Ok(pid.to_string())
        }
        "rename" => {
            set_name(&CString::new(rest)?)?;
            ok()
        }
        // Only an error comes back. The new program says the first `ok` itself.
        "exec" => Err(Command::new(rest).args(["puppet", "--greet"]).exec()),
        "move" => place::enter(Path::new(rest)).and_then(|()| ok()),
        "pulse" => {
            pulse_for(milliseconds(rest)?);
            ok()
        }
        "spin" => {
            let end = clock::now() + milliseconds(rest)?;
            while clock::now() < end {}
            ok()
        }
        "" => Err(io::Error::other("an empty line")),
        _ => Err(io::Error::other(format!("unknown verb {verb}"))),
    }
}

fn milliseconds(text: &str) -> io::Result<u64> {
    text.parse::<u64>().map(|number| number * MILLISECOND).map_err(io::Error::other)
}

fn new_thread() -> io::Result<String> {
    let (tell, told) = std::sync::mpsc::channel();
    thread::Builder::new().spawn(move || {
        let _ = tell.send(gettid());
        pulse_for_ever();
    })?;
    let tid = told.recv().map_err(io::Error::other)?;
    Ok(tid.as_raw_nonzero().to_string())
}

fn pulse_for(nanoseconds: u64) {
    let end = clock::now() + nanoseconds;
    while clock::now() < end {
        clock::sleep(MILLISECOND);
    }
}

fn pulse_for_ever() {
    loop {
        clock::sleep(MILLISECOND);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(script: &str) -> Vec<String> {
        let mut output = Vec::new();
        obey(script.as_bytes(), &mut output).unwrap();
        String::from_utf8(output).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_that_cannot_be_obeyed_is_answered() {
        let said = answers("dance\n\nspin much\nmove /nowhere/at/all\n");
        assert_eq!(said.len(), 4);
        assert!(said.iter().all(|line| line.starts_with("error: ")), "{said:?}");
    }

    #[test]
    fn a_thread_is_named_by_its_tid() {
        let said = answers("thread\nspin 1\n");
        let tid: u32 = said[0].parse().unwrap();
        assert!(Path::new(&format!("/proc/self/task/{tid}")).exists());
        assert_eq!(said[1], "ok");
    }
}
