//! A caller that allocates nothing for what it reads, so that only the answering side counts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Outcome;

/// One connection, on which one question is asked again and again.
pub(super) struct Caller {
    stream: TcpStream,
    request: String,
}

impl Caller {
    pub(super) fn connect(address: SocketAddr, token: &str, query: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let request = format!(
            "GET /api/v1/strategies/self{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        Ok(Self { stream, request })
    }

    /// Asks and reads the whole answer, which must be a 200.
    pub(super) fn ask(&mut self) -> Outcome<()> {
        self.stream.write_all(self.request.as_bytes())?;
        let mut buffer = [0; 16 * 1024];
        let mut have = 0;
        let mut left = loop {
            let got = self.stream.read(&mut buffer[have..])?;
            have += got;
            if let Some(left) = left_after(&buffer[..have])? {
                break left;
            }
            if got == 0 {
                return Err("the server hung up".into());
            }
        };
        while left > 0 {
            match self.stream.read(&mut buffer)? {
                0 => return Err("the server hung up".into()),
                got => left = left.checked_sub(got).ok_or("the answer is longer than it says")?,
            }
        }
        Ok(())
    }
}

/// How much of an answer is still to come; none while its head is not complete.
fn left_after(answer: &[u8]) -> Outcome<Option<usize>> {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end])?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(head.into());
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Ok(Some((length.ok_or("the answer has no length")? + end + 4).saturating_sub(answer.len())))
}
