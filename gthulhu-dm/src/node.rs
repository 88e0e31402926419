//! One thread owns what the node holds and what it sees; everybody else asks it.
//!
//! The engine is synchronous and has one writer, so it lives on a thread of its own, with the state file beside it.
//! Handlers send a command and await the answer. Whoever waits at the same time shares one look at the processes,
//! and when nobody asks the thread looks by itself, now and then and whenever its source of processes has something to
//! tell, so that the table readers see stays fresh. Schedulers, which ask for
//! the same rows again and again, get them from the last look without asking while it is fresh.

use std::{sync::Arc, thread, time::Duration};

use gthulhu_http::{files::FileError, health::Check};
use gthulhu_lib::{
    engine::Engine,
    explain::Explanation,
    id::Id,
    intent::set::IntentSet,
    process::SourceError,
    strategy::table::StrategyTable,
    wire::{PodPids, preview::PreviewReply},
};
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use crate::{
    fence::{Digest, Fence, Pair},
    metrics::Metrics,
    state::{State, StateFile},
};

mod inbox;
mod latest;
mod rows;
mod status;
mod worker;

pub use latest::Rows;

use inbox::Commands;
use latest::Latest;
use status::Status;
use worker::Worker;

/// How the thread works.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How often processes are looked up when nobody asks and the source has nothing to tell.
    pub poll: Duration,
    /// How long rows may be answered from the last look at the processes; zero: each answer has a look of its own.
    pub fresh: Duration,
    /// Whether a push without numbers may replace a numbered set.
    pub accept_unnumbered: bool,
}

/// Why the node did not do what it was asked. In every case nothing has changed.
#[derive(Debug, Error)]
pub enum NodeError {
    /// A newer set, or another one under the same numbers, is held.
    #[error("epoch {}, generation {} is held", .0.epoch, .0.generation)]
    Superseded(Pair),
    /// The change could not be written to disk.
    #[error("the change could not be stored")]
    NotStored(#[source] FileError),
    /// The processes could not be looked up.
    #[error("processes could not be looked up: {0}")]
    Scan(Arc<SourceError>),
    /// The thread has ended.
    #[error("the node's thread has ended")]
    Ended,
}

/// What a DELETE names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// Every intent.
    All,
    /// The intents of one pod.
    Pod(String),
    /// The rows of one process of a pod, until the next push.
    Process {
        /// The pod's uid.
        pod: String,
        /// The process id.
        pid: u32,
    },
}

/// What the node holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Merkle root of the set, as every decision maker computes it.
    pub merkle_root: Digest,
    /// Our own digest of the set.
    pub digest: Digest,
    /// The numbers.
    pub fence: Fence,
}

type Answer<T> = oneshot::Sender<Result<T, NodeError>>;

enum Command {
    Push(IntentSet, Option<Pair>, Answer<()>),
    Remove(Removal, Answer<()>),
    Holding(Answer<Holding>),
    Rows(Answer<Rows>),
    Pods(Answer<Vec<PodPids>>),
    Explain(u32, Answer<Explanation>),
    Preview(Candidate, Answer<PreviewReply>),
}

/// A set that nobody has pushed (yet).
#[derive(Debug)]
pub struct Candidate {
    /// The set.
    pub intents: IntentSet,
    /// The numbers that it would be pushed under, if that is to be judged too.
    pub pair: Option<Pair>,
    /// The strategy whose intents the answer is about; none: all.
    pub strategy: Option<Id>,
}

/// What others read of the thread without asking it.
#[derive(Debug)]
struct Shown {
    status: Status,
    latest: Latest,
    held: watch::Sender<State>,
    table: Arc<StrategyTable>,
}

/// The way to the node's thread. The thread ends when the last of these is dropped.
#[derive(Debug, Clone)]
pub struct Node {
    commands: Commands,
    shown: Arc<Shown>,
}

impl Node {
    /// Starts the thread with what was kept. The receiver yields when the thread has ended, for whatever reason.
    pub fn start(
        engine: Engine,
        file: StateFile,
        state: State,
        metrics: Metrics,
        options: Options,
    ) -> std::io::Result<(Node, oneshot::Receiver<()>)> {
        let (commands, inbox) = inbox::channel()?;
        let (ended_sender, ended) = oneshot::channel();
        let shown = Arc::new(Shown {
            status: Status::new(engine.source_name()),
            latest: Latest::new(options.fresh),
            held: watch::Sender::new(state.clone()),
            table: engine.table(),
        });
        let worker = Worker::new(engine, file, state, metrics, Arc::clone(&shown), options);
        thread::Builder::new().name("node".to_owned()).spawn(move || {
            // Dropped at the end, also when the thread panics.
            let _ended = ended_sender;
            worker.run(&inbox);
        })?;
        Ok((Node { commands, shown }, ended))
    }

    /// Replaces the set, if the numbers allow it. It is on disk when this returns.
    pub async fn push(&self, intents: IntentSet, pair: Option<Pair>) -> Result<(), NodeError> {
        self.ask(|answer| Command::Push(intents, pair, answer)).await
    }

    /// Removes what is named; what is not there is removed already.
    pub async fn remove(&self, removal: Removal) -> Result<(), NodeError> {
        self.ask(|answer| Command::Remove(removal, answer)).await
    }

    /// What the node holds now.
    pub async fn holding(&self) -> Result<Holding, NodeError> {
        self.ask(Command::Holding).await
    }

    /// The strategy of every governed task, as of now or of [`Options::fresh`] ago. What was pushed or removed before
    /// the call is always in it.
    pub async fn rows(&self) -> Result<Rows, NodeError> {
        match self.shown.latest.rows() {
            Some(rows) => Ok(rows),
            None => self.ask(Command::Rows).await,
        }
    }

    /// The processes of every pod, as of now.
    pub async fn pods(&self) -> Result<Vec<PodPids>, NodeError> {
        self.ask(Command::Pods).await
    }

    /// Why a task has its strategy or none, as of now.
    pub async fn explain(&self, pid: u32) -> Result<Explanation, NodeError> {
        self.ask(|answer| Command::Explain(pid, answer)).await
    }

    /// What a set would do if it was pushed now. The answer leaves the node's name empty. Nothing changes.
    pub async fn preview(&self, candidate: Candidate) -> Result<PreviewReply, NodeError> {
        self.ask(|answer| Command::Preview(candidate, answer)).await
    }

    /// The name of what finds the processes.
    pub fn source(&self) -> &str {
        self.shown.status.source()
    }

    /// What the node holds, now and after every change: each state is on disk when it is seen here. It ends with the
    /// node.
    pub fn held(&self) -> watch::Receiver<State> {
        self.shown.held.subscribe()
    }

    /// The table of strategies, for whoever reads it by himself.
    pub fn table(&self) -> Arc<StrategyTable> {
        Arc::clone(&self.shown.table)
    }

    /// Whether the node can do its work.
    pub fn checks(&self) -> Vec<Check> {
        self.shown.status.checks()
    }

    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, NodeError> {
        let (sender, receiver) = oneshot::channel();
        self.commands.send(command(sender))?;
        receiver.await.map_err(|_| NodeError::Ended)?
    }
}

#[cfg(test)]
mod tests;
