//! The one who asks.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use gthulhu_lib::wire::feed::FRAME_MAX;
use serde_json::Value;

use super::frame::{receive, send};
use super::{Answer, ControlError, Question};

/// How long an answer may take: loading the programs, during which nobody answers, takes some seconds at the most.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the scheduler at `path`.
pub fn ask(path: &Path, question: Question) -> Result<Value, ControlError> {
    let io = |action| {
        move |source: std::io::Error| match source.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => ControlError::Silent(path.to_owned()),
            ErrorKind::UnexpectedEof => ControlError::Foreign(path.to_owned()),
            _ => ControlError::Io { action, path: path.to_owned(), source },
        }
    };
    let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ControlError::Nobody(path.to_owned()),
        _ => io("connect to")(error),
    })?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(io("use"))?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(io("use"))?;
    send(&stream, &question).map_err(io("write to"))?;
    let answer = receive(&stream, FRAME_MAX).map_err(io("read from"))?;
    match serde_json::from_slice(&answer) {
        Ok(Answer::Ok(value)) => Ok(value),
        Ok(Answer::Error(reason)) => Err(ControlError::Refused(reason)),
        Err(_) => Err(ControlError::Foreign(path.to_owned())),
    }
}
