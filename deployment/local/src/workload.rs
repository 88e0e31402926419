//! The process that plays a container: it joins a cgroup, has the threads it is told to have, forks the children it
//! is told to fork, and does nothing else. It lives only as long as whoever holds the other end of its standard
//! input, so that a crashed demo leaves no processes behind.
//!
//! On standard output: `ready` once it is in place, then one answer per line of standard input:
//! `fork PROGRAM THREADS` -> `forked PID`, `end PID` -> `ended PID`; anything that fails -> `error WHY`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::thread;

/// Arguments: how many threads to have besides the first, and which cgroup to join, if any.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    threads: u32,
    cgroup: Option<String>,
}

/// Plays a container until standard input ends.
pub fn main() -> Result<(), String> {
    let Arguments { threads, cgroup } = arguments(std::env::args().skip(1))?;
    if let Some(dir) = cgroup {
        // "0" stands for the writer itself; it must come before the threads so that all of them are inside.
        fs::write(format!("{dir}/cgroup.procs"), "0")
            .map_err(|error| format!("cannot join {dir}: {error}"))?;
    }
    for _ in 0..threads {
        thread::spawn(|| {
            loop {
                thread::park();
            }
        });
    }
    serve(&mut io::stdin().lock(), &mut io::stdout().lock()).map_err(|error| error.to_string())
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments { threads: 0, cgroup: None };
    while let Some(name) = given.next() {
        let value = given.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--threads" => {
                parsed.threads = value.parse().map_err(|_| format!("--threads {value}: not a number"))?;
            }
            "--cgroup" => parsed.cgroup = Some(value),
            _ => return Err(format!("{name}: unknown argument")),
        }
    }
    Ok(parsed)
}

fn serve(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<()> {
    let mut children = BTreeMap::new();
    writeln!(output, "ready")?;
    output.flush()?;
    for line in input.lines() {
        let answer = match obey(&line?, &mut children) {
            Ok(done) => done,
            Err(why) => format!("error {why}"),
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    for child in children.values_mut() {
        end(child)?;
    }
    Ok(())
}

fn obey(line: &str, children: &mut BTreeMap<u32, Child>) -> Result<String, String> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["fork", program, threads] => {
            let child = start(Command::new(program).args(["--threads", threads]))?;
            let pid = child.id();
            children.insert(pid, child);
            Ok(format!("forked {pid}"))
        }
        ["end", pid] => {
            let known = pid.parse().ok().and_then(|pid: u32| children.remove(&pid));
            let mut child = known.ok_or_else(|| format!("{pid} is no child of this process"))?;
            end(&mut child).map_err(|error| error.to_string())?;
            Ok(format!("ended {pid}"))
        }
        _ => Err(format!("cannot {line:?}")),
    }
}

/// Starts a process that plays a container and waits until it says that it is in place.
pub(crate) fn start(command: &mut Command) -> Result<Child, String> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let said = answer(&mut child).and_then(|line| match line.as_str() {
        "ready" => Ok(()),
        _ => Err(format!("said {line:?} instead of \"ready\"")),
    });
    match said {
        Ok(()) => Ok(child),
        Err(why) => {
            // It is of no use; that ending it may fail too changes nothing about the reason.
            drop(end(&mut child));
            Err(why)
        }
    }
}

/// The next line that `child` prints.
pub(crate) fn answer(child: &mut Child) -> Result<String, String> {
    let output = child.stdout.as_mut().ok_or("its output is not ours")?;
    let mut line = String::new();
    // One byte at a time in effect: an answer is only ever followed by the answer to the next question.
    BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
    if line.is_empty() { Err("it ended at once".to_owned()) } else { Ok(line.trim_end().to_owned()) }
}

fn end(child: &mut Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}
