//! Opening: which server, which database, and whether this process may have it. Each way in which that fails is one
//! line with the server's name in it, and never the password.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use gthulhu_lib::intent::digest::hex;
use mongodb::Client;
use mongodb::bson::{Document as Fields, doc};
use mongodb::error::{Error, ErrorKind};
use rustix::fs::{FlockOperation, flock};
use tokio::time::{Instant, sleep, timeout_at};

use super::documents::STATE;
use super::lease::{self, Times};
use super::ledger::{self, Term};
use super::schema::{self, Found};
use super::server::Server;
use super::trouble::{Trouble, code, code_of, describe, may_pass};
use super::{options, schema::examine};
use crate::config::Mongodb;

/// How long a server that was reached may be in no state to be prepared, while its primary changes for example.
const PREPARED_WITHIN: Duration = Duration::from_secs(30);
/// The pause between two tries.
const AGAIN: Duration = Duration::from_millis(500);
/// The name of this manager, below the state directory. Locked while the store is open.
const HOLDER_FILE: &str = "mongodb-holder";

/// The store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings make no sense.
    #[error("mongodb: {0}")]
    Settings(String),
    /// What has to be below the state directory could not be written or read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// No server that can be written to.
    #[error("mongodb {at}: cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        at: String,
        /// What the driver says.
        reason: String,
    },
    /// The server does not let this user do what is needed.
    #[error("mongodb {at}: {reason}")]
    Denied {
        /// Host and port.
        at: String,
        /// What the server says.
        reason: String,
    },
    /// The database is not one that this program can use.
    #[error("mongodb {at}: {database}: refused: {reason}")]
    Refused {
        /// Host and port.
        at: String,
        /// The database.
        database: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another manager has it.
    #[error("mongodb {at}: {database}: in use by {holder}")]
    InUse {
        /// Host and port.
        at: String,
        /// The database.
        database: String,
        /// Who has it.
        holder: String,
    },
}

/// What an open store consists of.
pub(super) struct Opened {
    pub(super) server: Server,
    pub(super) term: Term,
    pub(super) transactions: bool,
}

/// A name for the manager of this state directory, and the lock that says that there is only one.
pub(super) struct Place {
    pub(super) holder: String,
    _lock: File,
}

impl Place {
    /// `HOST/NUMBER`: the number stays with the directory, so that a manager that was killed finds its own lease.
    pub(super) fn take(state: &Path) -> Result<Self, OpenError> {
        let path = state.join(HOLDER_FILE);
        let io_error = |source| OpenError::Io { path: path.display().to_string(), source };
        fs::create_dir_all(state).map_err(io_error)?;
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = file.map_err(io_error)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                let (at, database) = (state.display().to_string(), "the store".into());
                return Err(OpenError::InUse {
                    at,
                    database,
                    holder: format!("another process here ({})", holder.trim()),
                });
            }
            Err(error) => return Err(io_error(error.into())),
        }
        let mut number = String::new();
        file.read_to_string(&mut number).map_err(io_error)?;
        if number.trim().is_empty() {
            number = hex(&gthulhu_http::random::bytes::<6>());
            file.write_all(number.as_bytes()).and_then(|()| file.sync_all()).map_err(io_error)?;
        }
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Self { holder: format!("{host}/{}", number.trim()), _lock: file })
    }
}

/// Everything up to the moment at which the store can be used.
pub(super) async fn open(
    config: &Mongodb,
    state: &Path,
    holder: &str,
    times: Times,
    importing: bool,
) -> Result<Opened, OpenError> {
    let (at, database) = (config.address(), config.database_name());
    let options = options::client_options(config, state).await.map_err(OpenError::Settings)?;
    let client = Client::with_options(options).map_err(|error| OpenError::Settings(describe(&error)))?;
    let server = Server::new(client, database);
    let unreachable = |reason: String| OpenError::Unreachable { at: at.clone(), reason };
    let hello = match introduce(&server, times.hello).await {
        Ok(hello) => hello,
        Err(error) if code_of(&error) == Some(code::UNAUTHORIZED) => {
            let reason = format!("{} may not use {database}: {}", config.user, describe(&error));
            return Err(OpenError::Denied { at, reason });
        }
        Err(error) if is_denied(&error) => return Err(OpenError::Denied { at, reason: describe(&error) }),
        Err(error) => return Err(unreachable(describe(&error))),
    };
    match prepared(&server, holder, times, importing).await {
        Ok(Ok(term)) => {
            let transactions =
                hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
            Ok(Opened { server, term, transactions })
        }
        Ok(Err(reason)) => Err(OpenError::Refused { at, database: database.into(), reason }),
        Err(Trouble::Taken { holder }) => Err(OpenError::InUse { at, database: database.into(), holder }),
        Err(Trouble::Passing(reason)) if is_unauthorized(&reason) => {
            Err(OpenError::Denied { at, reason: format!("{} may not use {database}: {reason}", config.user) })
        }
        Err(Trouble::Passing(reason)) => Err(unreachable(reason)),
        Err(other) => {
            let reason = super::super::StoreError::from(other).to_string();
            Err(OpenError::Refused { at, database: database.into(), reason })
        }
    }
}

/// The first words: who the server is, and whether it lets us in. One that is only slow gets so long; one that is not
/// there, or not the right one, is not asked twice.
async fn introduce(server: &Server, patience: Duration) -> Result<Fields, Error> {
    let deadline = Instant::now() + patience;
    let mut last = Error::custom(format!("no answer within {} s", patience.as_secs()));
    loop {
        let speaking = async {
            let hello = server.hello().await?;
            server.try_run(doc! { "find": STATE, "limit": 1 }).await.map(|_| hello)
        };
        match timeout_at(deadline, speaking).await {
            Ok(Err(error)) if may_pass(&error) => {
                tracing::info!(reason = describe(&error), "the server is slow: trying again");
                last = error;
            }
            Ok(answer) => return answer,
            Err(_) => return Err(last),
        }
        sleep(AGAIN).await;
    }
}

/// Makes the database ours, or says why that must not be. All of it may be done twice, so what is passing is tried again.
async fn prepared(
    server: &Server,
    holder: &str,
    times: Times,
    importing: bool,
) -> Result<Result<Term, String>, Trouble> {
    let deadline = Instant::now() + PREPARED_WITHIN;
    loop {
        match prepare(server, holder, times, importing).await {
            Err(Trouble::Passing(reason)) if !is_unauthorized(&reason) && Instant::now() < deadline => {
                tracing::info!(reason, "the database is not ready: trying again");
                sleep(AGAIN).await;
            }
            other => return other,
        }
    }
}

async fn prepare(
    server: &Server,
    holder: &str,
    times: Times,
    importing: bool,
) -> Result<Result<Term, String>, Trouble> {
    let found = examine(server, importing).await?;
    if let Found::Refused(reason) = found {
        return Ok(Err(reason));
    }
    let (term, sessions) = lease::take(server, holder, times).await?;
    if !sessions.is_empty() && server.end_sessions(&sessions).await {
        tracing::debug!("what another manager had begun is ended");
    }
    schema::prepare(server, &found).await?;
    claim(server, &term, times).await?;
    Ok(Ok(term))
}

/// Makes the ledger ours. A manager that was killed may have left a transaction that holds it; where the server does not
/// end the sessions that the lease names when it is told to, it ends what is in them later, and the lease is kept meanwhile.
async fn claim(server: &Server, term: &Term, times: Times) -> Result<(), Trouble> {
    let deadline = Instant::now() + times.orphans;
    loop {
        match ledger::claim(server, term).await {
            Err(Trouble::Passing(reason)) if Instant::now() < deadline => {
                tracing::info!(reason, "waiting for what another manager had begun to end");
                if !lease::renew(server, term).await? {
                    return Err(Trouble::Taken { holder: "another manager".into() });
                }
                sleep(AGAIN).await;
            }
            other => return other,
        }
    }
}

/// The server's word for it: only its text is left of what is passing.
fn is_unauthorized(reason: &str) -> bool {
    reason.contains("Unauthorized")
}

fn is_denied(error: &Error) -> bool {
    // 18: the password is wrong, where the server says so in a reply of its own.
    matches!(&*error.kind, ErrorKind::Authentication { .. }) || code_of(error) == Some(18)
}
