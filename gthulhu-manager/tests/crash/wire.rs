//! HTTP on a plain socket: an end of the connection is an answer here, and it must not be mistaken for another one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A manager that does not answer at all fails the test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// One kept connection.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
    token: String,
}

/// One whole reply.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    /// Seconds.
    pub(crate) retry_after: Option<String>,
    body: Vec<u8>,
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr, token: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), token: token.to_owned() })
    }

    /// One exchange. `request` is the id under which the audit trail has it.
    pub(crate) fn call(
        &mut self,
        method: &str,
        path: &str,
        request: &str,
        body: &Value,
    ) -> io::Result<Answer> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (token, length) = (&self.token, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: manager\r\nAuthorization: Bearer {token}\r\nX-Request-ID: {request}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(head.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let status = self.line()?;
        let status =
            status.get(9..12).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let (mut location, mut retry_after, mut length) = (None, None, 0);
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "retry-after" => retry_after = Some(value.to_owned()),
                "location" => location = Some(value.to_owned()),
                "content-length" => length = value.parse().map_err(|_| io::ErrorKind::InvalidData)?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, location, retry_after, body })
    }

    /// A whole line without its end.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The member `data`.
    pub(crate) fn data(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        serde_json::from_slice::<Value>(&self.body).unwrap()["data"].take()
    }
}
