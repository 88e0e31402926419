//! Speaking to the server: every call has a deadline, every write waits for a majority's journal, and every reply is
//! looked at as a whole.

use std::future::{Future, IntoFuture};
use std::time::Duration;

use mongodb::bson::{Bson, Document as Fields, doc};
use mongodb::options::{ReadConcern, TransactionOptions};
use mongodb::{Client, ClientSession, Collection, Database};

use super::options::{durable, durable_write};
use super::trouble::{Trouble, of_reply};

/// How long one call may take. A server that was stopped keeps its connections and answers nothing.
const CALL: Duration = Duration::from_secs(5);
/// How long reading everything may take.
const READING: Duration = Duration::from_secs(60);

/// The database.
#[derive(Clone)]
pub(super) struct Server {
    client: Client,
    database: Database,
}

/// Bounds a call.
async fn within<T>(
    limit: Duration,
    call: impl IntoFuture<Output = Result<T, mongodb::error::Error>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, call.into_future()).await {
        Ok(result) => result.map_err(Trouble::from),
        Err(_) => Err(Trouble::Passing(format!("no answer within {} s", limit.as_secs()))),
    }
}

/// How many documents a write matched or made.
pub(super) fn raised(reply: &Fields) -> i64 {
    match reply.get("n") {
        Some(Bson::Int32(n)) => (*n).into(),
        Some(Bson::Int64(n)) => *n,
        Some(Bson::Double(n)) if *n >= 1.0 => 1,
        _ => 0,
    }
}

impl Server {
    pub(super) fn new(client: Client, database: &str) -> Self {
        let database = client.database(database);
        Self { client, database }
    }

    pub(super) fn collection(&self, name: &str) -> Collection<Fields> {
        self.database.collection(name)
    }

    /// The first word to a server. Its error is the driver's own.
    pub(super) async fn hello(&self) -> Result<Fields, mongodb::error::Error> {
        self.client.database("admin").run_command(doc! { "hello": 1 }).await
    }

    /// Any command, as it is.
    pub(super) async fn run(&self, command: Fields) -> Result<Fields, Trouble> {
        within(CALL, self.database.run_command(command)).await
    }

    /// As [`Server::run`], with the driver's error.
    pub(super) async fn try_run(&self, command: Fields) -> Result<Fields, mongodb::error::Error> {
        let name = command.keys().next().cloned().unwrap_or_default();
        match tokio::time::timeout(CALL, self.database.run_command(command).into_future()).await {
            Ok(result) => result,
            Err(_) => {
                Err(mongodb::error::Error::custom(format!("{name}: no answer within {} s", CALL.as_secs())))
            }
        }
    }

    /// A write of its own.
    pub(super) async fn write(&self, mut command: Fields) -> Result<Fields, Trouble> {
        command.insert("writeConcern", durable_write());
        let reply = self.run(command).await?;
        of_reply(&reply)?;
        Ok(reply)
    }

    /// One document, as a majority has it.
    pub(super) async fn one(&self, collection: &str, filter: Fields) -> Result<Option<Fields>, Trouble> {
        within(CALL, self.collection(collection).find_one(filter)).await
    }

    /// All documents of a collection that fit, each given to `each`.
    pub(super) async fn all(
        &self,
        collection: &str,
        filter: Fields,
        order: Fields,
        limit: i64,
        mut each: impl FnMut(Fields) -> Result<(), Trouble> + Send,
    ) -> Result<(), Trouble> {
        let collection = self.collection(collection);
        let reading = async {
            let mut cursor = collection.find(filter).sort(order).limit(limit).await?;
            while cursor.advance().await? {
                let fields: Fields = cursor.deserialize_current()?;
                if let Err(trouble) = each(fields) {
                    return Ok(Err(trouble));
                }
            }
            Ok(Ok(()))
        };
        within(READING, boxed(reading)).await?
    }

    /// Something that transactions can be made in, one after the other.
    pub(super) async fn session(&self) -> Result<ClientSession, Trouble> {
        within(CALL, self.client.start_session()).await
    }

    /// Ends sessions of ours of an earlier process, and with them its transactions; whether the server does that.
    pub(super) async fn end_sessions(&self, sessions: &[Bson]) -> bool {
        let kill = doc! { "killSessions": sessions.to_vec() };
        let ended = within(CALL, self.client.database("admin").run_command(kill)).await;
        if let Err(trouble) = &ended {
            tracing::debug!(?trouble, "sessions of before end by themselves");
        }
        ended.is_ok()
    }

    /// Begins a transaction: reads see one moment, and the commit waits for a majority's journal.
    pub(super) async fn transaction(&self, mut session: ClientSession) -> Result<Transaction, Trouble> {
        let options = TransactionOptions::builder()
            .read_concern(ReadConcern::snapshot())
            .write_concern(durable())
            .max_commit_time(CALL)
            .build();
        within(CALL, session.start_transaction().with_options(options)).await?;
        Ok(Transaction { session, database: self.database.clone() })
    }
}

fn boxed<'f, T>(
    future: impl Future<Output = T> + Send + 'f,
) -> std::pin::Pin<Box<dyn Future<Output = T> + Send + 'f>> {
    Box::pin(future)
}

/// A transaction; dropped without [`Transaction::commit`], nothing of it happens.
pub(super) struct Transaction {
    session: ClientSession,
    database: Database,
}

impl Transaction {
    pub(super) async fn run(&mut self, command: Fields) -> Result<Fields, Trouble> {
        let reply = within(CALL, self.database.run_command(command).session(&mut self.session)).await?;
        of_reply(&reply)?;
        Ok(reply)
    }

    /// All documents of a collection that fit.
    pub(super) async fn find(
        &mut self,
        collection: &str,
        filter: Fields,
        projection: Fields,
    ) -> Result<Vec<Fields>, Trouble> {
        let collection: Collection<Fields> = self.database.collection(collection);
        let session = &mut self.session;
        let reading = async {
            let mut found = Vec::new();
            let mut cursor = collection.find(filter).projection(projection).session(&mut *session).await?;
            while let Some(fields) = cursor.next(&mut *session).await {
                found.push(fields?);
            }
            Ok(found)
        };
        within(CALL, boxed(reading)).await
    }

    /// The commit; the session is good for another one. An error leaves its outcome unknown.
    pub(super) async fn commit(mut self) -> Result<ClientSession, Trouble> {
        within(CALL, self.session.commit_transaction()).await?;
        Ok(self.session)
    }

    /// Gives it up. Whoever comes next need not wait for the server to notice. The session, if it is still good.
    pub(super) async fn abort(mut self) -> Option<ClientSession> {
        if let Err(trouble) = within(CALL, self.session.abort_transaction()).await {
            tracing::debug!(?trouble, "a transaction ends by itself");
            return None;
        }
        Some(self.session)
    }
}
