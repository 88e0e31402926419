//! How the command line speaks to a manager that runs: one line of JSON each way, over a socket in the state directory
//! that only its owner can reach. What it can ask for, he could do with the files there anyway.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use crate::store::audit::Head;

/// The socket's name below the state directory.
const NAME: &str = "control.sock";
/// The longest line, in bytes.
const LINE: u64 = 64 * 1024;

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Read the keys of users' tokens again. When the answer comes, tokens of keys that are gone are refused.
    ReloadKeys {},
    /// Write a copy of the store into this new file.
    Copy {
        /// An absolute path.
        to: PathBuf,
    },
    /// Follow the whole audit trail.
    VerifyTrail {
        /// A record that it must have, as `audit verify` printed it.
        head: Option<String>,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done.
    Done {
        /// What there is to say: the names of the keys, or the end of the trail.
        said: String,
    },
    /// It is not.
    Failed {
        /// Why, for the operator.
        reason: String,
    },
}

/// Does what is asked for.
pub trait Controlled: Send + Sync + 'static {
    /// Reads the keys again; the names of those that are good now.
    fn reload_keys(&self) -> Result<String, String>;
    /// Writes a copy of the store.
    fn copy(&self, to: &Path) -> Result<(), String>;
    /// Follows the audit trail; its end.
    fn verify_trail(&self, known: Option<&Head>) -> Result<Head, String>;
}

/// A socket that is there and not served yet. Whoever connects waits.
pub struct Control(UnixListener);

impl Control {
    /// Makes the socket in the state directory, in place of one that a killed manager left. Call it inside a runtime.
    pub fn bind(dir: &Path) -> io::Result<Self> {
        if connect(dir).is_ok() {
            return Err(io::Error::other(
                "another manager answers on control.sock in the same state directory",
            ));
        }
        match fs::remove_file(dir.join(NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let handle = fs::File::open(dir)?;
        let listener = UnixListener::bind(short(&handle))?;
        fs::set_permissions(dir.join(NAME), std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(Self(listener))
    }

    /// Answers until it is dropped, one after another: each is an operator's command.
    pub async fn serve(self, controlled: Arc<impl Controlled>) {
        loop {
            let stream = match self.0.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the control socket answers no more");
                    return;
                }
            };
            if let Err(error) = answer(stream, Arc::clone(&controlled)).await {
                tracing::debug!(%error, "a caller of the control socket went away");
            }
        }
    }
}

async fn answer(stream: tokio::net::UnixStream, controlled: Arc<impl Controlled>) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    tokio::io::BufReader::new(reading.take(LINE)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => tokio::task::spawn_blocking(move || work(&*controlled, request))
            .await
            .unwrap_or_else(|_| Answer::Failed { reason: "the manager failed; its log says more".into() }),
        Err(error) => Answer::Failed { reason: format!("not a request: {error}") },
    };
    writing.write_all(line_of(&answer).as_bytes()).await
}

fn work(controlled: &impl Controlled, request: Request) -> Answer {
    let done = match request {
        Request::ReloadKeys {} => controlled.reload_keys(),
        Request::Copy { to } => controlled.copy(&to).map(|()| to.display().to_string()),
        Request::VerifyTrail { head } => {
            let known = head.map(|head| head.parse::<Head>().map_err(|error| error.to_string())).transpose();
            known.and_then(|known| controlled.verify_trail(known.as_ref())).map(|head| head.to_string())
        }
    };
    done.map_or_else(|reason| Answer::Failed { reason }, |said| Answer::Done { said })
}

/// Asks the manager that runs on this state directory. None when none does; the inner error is its refusal.
pub fn ask(dir: &Path, request: &Request) -> io::Result<Option<Result<String, String>>> {
    let mut stream = match connect(dir) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.write_all(line_of(request).as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    match serde_json::from_str(&line) {
        Ok(Answer::Done { said }) => Ok(Some(Ok(said))),
        Ok(Answer::Failed { reason }) => Ok(Some(Err(reason))),
        Err(_) => Err(io::Error::other("the manager went away without an answer")),
    }
}

fn connect(dir: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(short(&fs::File::open(dir)?))
}

/// The socket's path by way of the open directory: an address of a socket has room for 107 bytes.
fn short(dir: &fs::File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{NAME}", dir.as_raw_fd()))
}

fn line_of(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("plain data with text keys always has a JSON form") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Told;

    impl Controlled for Told {
        fn reload_keys(&self) -> Result<String, String> {
            Ok("kid".into())
        }

        fn copy(&self, to: &Path) -> Result<(), String> {
            Err(format!("{} is full", to.display()))
        }

        fn verify_trail(&self, known: Option<&Head>) -> Result<Head, String> {
            Ok(known.cloned().unwrap_or_else(Head::start))
        }
    }

    #[tokio::test]
    async fn a_manager_that_runs_answers_and_one_that_does_not_is_told_apart() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("d".repeat(150));
        fs::create_dir(&dir).unwrap();
        assert!(ask(&dir, &Request::ReloadKeys {}).unwrap().is_none(), "nobody was there yet");
        let control = Control::bind(&dir).unwrap();
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(dir.join(NAME)).unwrap());
        assert_eq!(mode & 0o777, 0o600);
        let serving = tokio::spawn(control.serve(Arc::new(Told)));
        let asked = async |request: Request| {
            let dir = dir.clone();
            tokio::task::spawn_blocking(move || ask(&dir, &request).unwrap().unwrap()).await.unwrap()
        };
        assert_eq!(asked(Request::ReloadKeys {}).await, Ok("kid".into()));
        assert_eq!(asked(Request::Copy { to: "/x".into() }).await, Err("/x is full".into()));
        let head = format!("7:{}", "a".repeat(64));
        assert_eq!(asked(Request::VerifyTrail { head: Some(head.clone()) }).await, Ok(head));
        assert!(asked(Request::VerifyTrail { head: Some("x".into()) }).await.is_err());
        let second = {
            let dir = dir.clone();
            tokio::task::spawn_blocking(move || connect(&dir).map(drop)).await
        };
        assert!(second.unwrap().is_ok());
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        assert!(ask(&dir, &Request::ReloadKeys {}).unwrap().is_none(), "what a dead one left is nobody");
        assert!(Control::bind(&dir).is_ok(), "and makes room");
    }
}
