//! One frame in, one frame out, on a socket that waits.

use std::io::{self, Read, Write};

use gthulhu_lib::wire::feed::codec::{Deframer, framed};
use serde::Serialize;

/// Reads one frame of at most `limit` bytes.
pub(super) fn receive(mut stream: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut deframer = Deframer::new(limit);
    let mut piece = [0; 8192];
    loop {
        if let Some(frame) = deframer.next().map_err(|error| io::Error::other(error.to_string()))? {
            return Ok(frame.to_vec());
        }
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => deframer.push(&piece[..read]),
        }
    }
}

/// Writes a value as one frame.
pub(super) fn send(mut stream: impl Write, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec(value)?;
    let frame = framed(&text).map_err(|error| io::Error::other(error.to_string()))?;
    stream.write_all(&frame)
}
