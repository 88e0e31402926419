//! Requests to servers on this machine, and what servers spend on them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::compiled::compile;

/// A request as its bytes.
pub(super) fn request(method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Vec<u8> {
    let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{token}{length}\r\n");
    [head.as_bytes(), body].concat()
}

/// The whole reply to one request, which must be a 200.
pub(super) fn exchange(port: u16, request: &[u8]) -> Outcome<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request)?;
    let mut reply = vec![0; 1 << 20];
    let mut have = 0;
    loop {
        let got = stream.read(&mut reply[have..])?;
        have += got;
        let text = String::from_utf8_lossy(&reply[..have]);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            if !head.starts_with("HTTP/1.1 200 ") {
                return Err(format!("{head}\n{body}").into());
            }
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if length.is_some_and(|length| have >= head.len() + 4 + length) {
                reply.truncate(have);
                return Ok(reply);
            }
        }
        if got == 0 {
            return Err("the server hung up".into());
        }
    }
}

/// Asks the same thing many times.
pub(super) struct Load {
    program: PathBuf,
    request: PathBuf,
    connections: usize,
    requests: usize,
}

impl Load {
    pub(super) fn new(dir: &Path, request: &[u8], connections: usize, requests: usize) -> Outcome<Self> {
        let path = dir.join("request");
        fs::write(&path, request)?;
        Ok(Load { program: compile("load", dir)?, request: path, connections, requests })
    }

    pub(super) fn run(&self, port: u16) -> Outcome<()> {
        let numbers = [usize::from(port), self.connections, self.requests].map(|number| number.to_string());
        let status = Command::new(&self.program).args(numbers).arg(&self.request).status()?;
        if status.success() { Ok(()) } else { Err(format!("the load ended with {status}").into()) }
    }
}

/// The CPU time that the threads of a process have spent so far.
pub(super) fn cpu_of_process(pid: u32) -> Outcome<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}
