//! The one who answers: a thread that takes one connection after the other.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::frame::{receive, send};
use super::{Answer, ControlError, Question};
use crate::inbox::{Address, Letter};

/// How long a caller may take over his question, and over reading the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest question, in bytes.
const QUESTION_MAX: usize = 1024;

/// A socket that others may connect to; its file is removed when this is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    listener: UnixListener,
}

impl Server {
    /// Listens at `path`, for this process's own user only. A socket that nobody listens on any more is replaced.
    pub fn bind(path: &Path) -> Result<Self, ControlError> {
        let io = |action| move |source: io::Error| ControlError::Io { action, path: path.to_owned(), source };
        if UnixStream::connect(path).is_ok() {
            return Err(ControlError::Taken(path.to_owned()));
        }
        let directory = path.parent().unwrap_or(Path::new("."));
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(directory)
            .map_err(io("make the directory of"))?;
        // Bound under another name until nobody else may connect.
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        let listener = UnixListener::bind(&beside).map_err(io("bind"))?;
        let placed = fs::set_permissions(&beside, Permissions::from_mode(0o600))
            .and_then(|()| fs::rename(&beside, path));
        if let Err(error) = placed {
            // The other name is of no use to anybody.
            let _ = fs::remove_file(&beside);
            return Err(io("bind")(error));
        }
        Ok(Self { path: path.to_owned(), listener })
    }

    /// Hands every question to `address`, from a thread of its own.
    pub fn serve(&self, address: Address) -> Result<(), ControlError> {
        let io = |source| ControlError::Io { action: "serve", path: self.path.clone(), source };
        let listener = self.listener.try_clone().map_err(io)?;
        let run = move || serve(&listener, &address);
        thread::Builder::new().name("control".to_owned()).spawn(run).map(drop).map_err(io)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = fs::remove_file(&self.path);
    }
}

fn serve(listener: &UnixListener, address: &Address) {
    for stream in listener.incoming() {
        match stream.and_then(|stream| answer(&stream, address)) {
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "a question on the control socket was not answered"),
        }
    }
}

fn answer(stream: &UnixStream, address: &Address) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let text = receive(stream, QUESTION_MAX)?;
    let answer = match serde_json::from_slice::<Question>(&text) {
        Ok(question) => ask(address, question),
        Err(_) => Answer::Error("this question is not known here".to_owned()),
    };
    send(stream, &answer)
}

fn ask(address: &Address, question: Question) -> Answer {
    let stops = || Answer::Error("the scheduler stops".to_owned());
    let (sender, receiver) = channel();
    if !address.send(Letter::Ask(question, sender)) {
        return stops();
    }
    receiver.recv().unwrap_or_else(|_| stops())
}
